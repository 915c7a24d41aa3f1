//! What one phone heard in one call, tenth of a second by tenth of a second.

use crate::demo::voice::Ear;
use crate::time::Tick;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Hearing {
    windows: Vec<(Tick, Sound)>,
    loud: u32,
    all: u32,
    pitches: Vec<(u32, u32)>,
}

/// What a tenth of a second sounded like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sound {
    Silence,
    /// Music, speech, a tone nobody has for a voice.
    Some,
    /// The voice of this pitch.
    Voice(u32),
}

impl Hearing {
    /// Of somebody who has heard nothing.
    pub const fn deaf() -> Hearing {
        Hearing { windows: Vec::new(), loud: 0, all: 0, pitches: Vec::new() }
    }

    /// The ear has come so far.
    pub fn listen(&mut self, now: Tick, ear: &Ear) {
        let before = |pitch: u32| self.pitches.iter().find(|(known, _)| *known == pitch).map_or(0, |(_, times)| *times);
        let voice = ear.heard.iter().find(|(pitch, times)| **times > before(**pitch)).map(|(pitch, _)| *pitch);
        let sound = match voice {
            Some(pitch) => Sound::Voice(pitch),
            None if ear.loud > self.loud => Sound::Some,
            None => Sound::Silence,
        };
        for _ in self.all..ear.windows {
            self.windows.push((now, sound));
        }
        (self.all, self.loud) = (ear.windows, ear.loud);
        self.pitches = ear.heard.iter().map(|(pitch, times)| (*pitch, *times)).collect();
    }

    /// For how many tenths of a second this voice was heard.
    pub fn of_pitch(&self, pitch: u32) -> usize {
        self.windows.iter().filter(|(_, sound)| *sound == Sound::Voice(pitch)).count()
    }

    /// For how many tenths of a second anything but voices was heard in this time.
    pub fn between(&self, from: Tick, to: Tick) -> usize {
        self.windows.iter().filter(|(at, sound)| from < *at && *at <= to && *sound == Sound::Some).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn music_and_voices_are_told_apart_in_time() {
        let mut hearing = Hearing::default();
        let mut ear = Ear::default();
        for tenth in 1..=30 {
            ear.windows += 1;
            ear.loud += u32::from(tenth <= 25);
            if (11..=25).contains(&tenth) {
                *ear.heard.entry(770).or_default() += 1;
            }
            hearing.listen(Tick::from_millis(100 * tenth), &ear);
        }

        assert_eq!(hearing.of_pitch(770), 15);
        assert_eq!(hearing.of_pitch(890), 0);
        assert_eq!(hearing.between(Tick::ZERO, Tick::from_millis(500)), 5);
        assert_eq!(hearing.between(Tick::ZERO, Tick::from_millis(3_000)), 10);
    }
}
