//! Media as events: what the switch asks of a shard is taken note of and answered in time, without a packet. A clip
//! lasts as long as it is told to.

use ringback::id::{LegRef, PlayRef, RecordingId};
use ringback::media::{Command, Event, LegStats, Play, Remote};
use ringback::time::Tick;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// A leg as a shard knows it.
#[derive(Clone, Debug)]
pub struct Leg {
    /// Our port.
    pub port: u16,
    /// Where the peer is.
    pub remote: Option<SocketAddr>,
    /// What runs.
    pub play: Option<(PlayRef, Play)>,
    /// Who hears it and is heard.
    pub bridged: Option<LegRef>,
    /// What it was told of silence, and since when.
    pub silence: Option<(Duration, Tick)>,
    heard: bool,
}

/// A tape that runs.
#[derive(Clone, Copy, Debug)]
pub struct Tape {
    pub since: Tick,
    pub left: LegRef,
    pub right: LegRef,
}

/// See the module.
#[derive(Default)]
pub struct Shard {
    pub legs: BTreeMap<LegRef, Leg>,
    pub tapes: BTreeMap<RecordingId, Tape>,
    /// Tapes that were ended, and how many samples they have.
    pub ended_tapes: Vec<(RecordingId, u64)>,
    /// Everything that was ever played, to whom and when.
    pub heard: Vec<(Tick, LegRef, Play)>,
    /// Legs opened and closed so far.
    pub opened: u64,
    pub closed: u64,
    /// Clips that the library lacks.
    pub missing: std::collections::BTreeSet<String>,
    /// Tapes that take silence.
    pub paused_tapes: std::collections::BTreeSet<RecordingId>,
}

/// What a clip takes.
pub fn length_of(clip: &str) -> Duration {
    match clip {
        "pause" => Duration::from_millis(100),
        "attempt" | "waited" | "minute" | "minutes" => Duration::from_millis(400),
        _ if clip.starts_with("digit_") || clip == "plus" => Duration::from_millis(400),
        _ => Duration::from_secs(2),
    }
}

impl Shard {
    /// Takes a command; what comes of it, after a while, is pushed to `out`.
    pub fn command(&mut self, now: Tick, command: &Command, out: &mut Vec<(Duration, Event)>) {
        match command {
            Command::Open { leg, port } => {
                self.opened += 1;
                let fresh = Leg { port: *port, remote: None, play: None, bridged: None, silence: None, heard: false };
                assert!(self.legs.values().all(|other| other.port != *port), "port {port} is lent twice");
                assert!(self.legs.insert(*leg, fresh).is_none(), "{leg:?} is opened twice");
            }
            Command::Update { leg, remote, silence, .. } => {
                let Some(it) = self.legs.get_mut(leg) else { return };
                it.remote = reachable(remote);
                it.silence = silence.map(|after| (after, now));
                if it.remote.is_some() && !std::mem::replace(&mut it.heard, true) {
                    out.push((Duration::from_millis(30), Event::Heard { leg: *leg }));
                }
            }
            Command::Play { leg, play, what } => {
                let Some(it) = self.legs.get_mut(leg) else { return };
                it.play = Some((*play, what.clone()));
                self.heard.push((now, *leg, what.clone()));
                if let Play::Clips { clips, .. } = what {
                    let length = clips.iter().map(|clip| length_of(clip)).sum();
                    out.push((
                        length,
                        Event::Played {
                            leg: *leg,
                            play: *play,
                            whole: !clips.iter().any(|clip| self.missing.contains(&**clip)),
                        },
                    ));
                }
            }
            Command::Stop { leg } => {
                if let Some(it) = self.legs.get_mut(leg) {
                    it.play = None;
                }
            }
            Command::Bridge { a, b } => {
                for (one, other) in [(a, b), (b, a)] {
                    if let Some(it) = self.legs.get_mut(one) {
                        (it.play, it.bridged) = (None, Some(*other));
                    }
                }
            }
            Command::Unbridge { leg } => {
                let other = self.legs.get_mut(leg).and_then(|it| it.bridged.take());
                if let Some(it) = other.and_then(|other| self.legs.get_mut(&other)) {
                    it.bridged = None;
                }
            }
            Command::Record { recording, left, right } => {
                self.tapes.insert(*recording, Tape { since: now, left: *left, right: *right });
            }
            Command::PauseRecord { recording, paused: true } => {
                self.paused_tapes.insert(*recording);
            }
            Command::PauseRecord { recording, paused: false } => {
                self.paused_tapes.remove(recording);
            }
            Command::StopRecord { recording } => self.end_tape(now, *recording),
            Command::Close { leg } => self.close(now, *leg, out),
            Command::Learn(_) | Command::Listen { .. } | Command::SendDigits { .. } => {}
        }
    }

    fn close(&mut self, now: Tick, leg: LegRef, out: &mut Vec<(Duration, Event)>) {
        if self.legs.remove(&leg).is_none() {
            return;
        }
        self.closed += 1;
        self.legs.values_mut().filter(|it| it.bridged == Some(leg)).for_each(|it| it.bridged = None);
        let ended = self.tapes.iter().filter(|(_, tape)| tape.left == leg || tape.right == leg);
        let ended: Vec<RecordingId> = ended.map(|(id, _)| *id).collect();
        ended.into_iter().for_each(|id| self.end_tape(now, id));
        out.push((Duration::from_millis(1), Event::Closed { leg, stats: LegStats::default() }));
    }

    fn end_tape(&mut self, now: Tick, recording: RecordingId) {
        if let Some(tape) = self.tapes.remove(&recording) {
            let samples = u64::try_from((now - tape.since).as_millis()).expect("a call is shorter") * 8;
            self.ended_tapes.push((recording, samples));
        }
    }

    /// Whether this run still plays: a run that was replaced is not reported.
    pub fn plays(&self, leg: LegRef, play: PlayRef) -> bool {
        self.legs.get(&leg).and_then(|it| it.play.as_ref()).is_some_and(|(running, _)| *running == play)
    }
}

fn reachable(remote: &Remote) -> Option<SocketAddr> {
    remote.signalled.filter(|address| address.port() != 0)
}
