//! What a leg is played: loops and runs of clips, frame by frame, from octets encoded once.
//!
//! A loop has one live point for the whole shard: its position is a function of time, so every leg joins where the
//! music is, and a leg costs a copy of 160 octets. Clips follow one another without a gap, within a frame if need be.

use crate::audio::{Clip, g711};
use crate::id::PlayRef;
use crate::settings::Codec;
use std::sync::Arc;

/// The player of one leg.
#[derive(Debug, Default)]
pub(super) enum Player {
    /// Plays nothing.
    #[default]
    Idle,
    /// For ever.
    Loop(Arc<Clip>),
    /// Once.
    Clips(Run),
}

/// Clips one after the other.
#[derive(Debug)]
pub(super) struct Run {
    play: PlayRef,
    /// The next clip last.
    clips: Vec<Arc<Clip>>,
    at: usize,
    then: Option<Arc<Clip>>,
    whole: bool,
}

/// What a frame became.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Filled {
    /// Whether there is audio in it.
    pub(super) audio: bool,
    /// The run whose last sample it holds, and whether no clip of it was missing.
    pub(super) played: Option<(PlayRef, bool)>,
}

impl Player {
    /// A player of `clips` in order; one of them that is not known is left out, and the run is not `whole`.
    pub(super) fn clips(play: PlayRef, clips: Vec<Option<Arc<Clip>>>, then: Option<Arc<Clip>>) -> Player {
        let whole = clips.iter().all(Option::is_some);
        Player::Clips(Run { play, clips: clips.into_iter().rev().flatten().collect(), at: 0, then, whole })
    }

    pub(super) fn is_idle(&self) -> bool {
        matches!(self, Player::Idle)
    }

    /// Fills the frame due at `due_ms` of the shard's clock.
    pub(super) fn fill(&mut self, codec: Codec, due_ms: u64, out: &mut [u8]) -> Filled {
        let live = due_ms * 8;
        let run = match self {
            Player::Idle => return Filled { audio: false, played: None },
            Player::Loop(clip) => return Filled { audio: clip.looped(codec, live, out), played: None },
            Player::Clips(run) => run,
        };
        let done = run.fill(codec, out);
        if !run.clips.is_empty() {
            return Filled { audio: true, played: None };
        }
        let played = Some((run.play, run.whole));
        let rest = &mut out[done..];
        let Some(then) = run.then.take() else {
            rest.fill(g711::silence(codec));
            *self = Player::Idle;
            return Filled { audio: done > 0, played };
        };
        let looped = then.looped(codec, live + done as u64, rest);
        *self = Player::Loop(then);
        Filled { audio: done > 0 || looped, played }
    }
}

impl Run {
    /// Copies from the clips until the frame is full or they are at their end; returns how much.
    fn fill(&mut self, codec: Codec, out: &mut [u8]) -> usize {
        let mut done = 0;
        while let Some(clip) = self.clips.last() {
            let octets = &clip.encoded(codec)[self.at..];
            let length = octets.len().min(out.len() - done);
            out[done..done + length].copy_from_slice(&octets[..length]);
            done += length;
            self.at += length;
            if length < octets.len() {
                break;
            }
            self.clips.pop();
            self.at = 0;
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clip(value: i16, length: usize) -> Arc<Clip> {
        Arc::new(Clip::new(vec![value; length]))
    }

    fn heard(octet: u8) -> i16 {
        g711::decode(Codec::Pcmu, octet)
    }

    #[test]
    fn clips_follow_each_other_within_a_frame_and_the_last_sample_says_played() {
        let mut player = Player::clips(PlayRef(7), vec![Some(clip(1_000, 200)), Some(clip(-1_000, 100))], None);
        let mut out = [0; 160];

        assert_eq!(player.fill(Codec::Pcmu, 0, &mut out), Filled { audio: true, played: None });
        assert!(out.iter().all(|&octet| heard(octet) > 900));
        assert_eq!(player.fill(Codec::Pcmu, 20, &mut out), Filled { audio: true, played: Some((PlayRef(7), true)) });

        assert!(out[..40].iter().all(|&octet| heard(octet) > 900));
        assert!(out[40..140].iter().all(|&octet| heard(octet) < -900));
        assert!(out[140..].iter().all(|&octet| heard(octet) == 0));
        assert!(player.is_idle());
    }

    #[test]
    fn a_clip_that_ends_with_its_frame_says_played_with_that_frame() {
        let mut player = Player::clips(PlayRef(7), vec![Some(clip(1_000, 160))], None);

        assert_eq!(
            player.fill(Codec::Pcmu, 0, &mut [0; 160]),
            Filled { audio: true, played: Some((PlayRef(7), true)) }
        );
    }

    #[test]
    fn no_clips_are_played_at_once_and_the_loop_follows_at_its_live_point() {
        let music = Arc::new(Clip::new((0..400).map(|n| n * 50).collect()));
        let mut player = Player::clips(PlayRef(7), Vec::new(), Some(music.clone()));
        let mut out = [0; 160];

        assert_eq!(player.fill(Codec::Pcma, 20, &mut out), Filled { audio: true, played: Some((PlayRef(7), true)) });
        assert_eq!(out, music.encoded(Codec::Pcma)[160..320]);
        assert_eq!(player.fill(Codec::Pcma, 40, &mut out), Filled { audio: true, played: None });
        assert_eq!(out[..80], music.encoded(Codec::Pcma)[320..]);
        assert_eq!(out[80..], music.encoded(Codec::Pcma)[..80]);
    }
}
