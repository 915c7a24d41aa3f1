//! Key presses as telephone-events (RFC 4733).
//!
//! Receiving: a press is one (SSRC, timestamp); the first of its packets to arrive reports it, whichever that is, and
//! all others belong to it. So a press is heard once though its start, its end or all but one packet are lost, doubled
//! or out of order. A press longer than a timestamp's duration field goes on in segments with new timestamps
//! (§2.5.1.3), which are recognised by the distance. Sending: §2.5.1.2, a start with the marker, an update every
//! frame, three ends; the timestamp stands still, the sequence numbers do not.

use super::packet::Packet;
use crate::limits::{KEY_PRESS, KEYS_PER_SECOND};
use crate::time::Tick;
use std::collections::VecDeque;
use std::time::Duration;

/// Octets of one event.
pub const EVENT: usize = 4;
/// The keys by event code (§3.2, table 3).
const KEYS: &[u8; 16] = b"0123456789*#ABCD";
/// Presses remembered against packets that come late.
const REMEMBERED: usize = 8;
/// How far before the longest duration a sender may begin the next segment: 120 ms.
const SEGMENT_EARLY: u32 = 960;

/// One event as it stands in a payload (§2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// 0–255; 0–15 are keys.
    pub code: u8,
    /// The press is over.
    pub end: bool,
    /// 0–63 dB below 0 dBm0.
    pub volume: u8,
    /// In samples, since the timestamp.
    pub duration: u16,
}

impl Event {
    /// Reads the first event of a payload; `None` when it is too short.
    pub fn parse(payload: &[u8]) -> Option<Event> {
        let &[code, flags, high, low] = payload.first_chunk()?;
        let duration = u16::from_be_bytes([high, low]);
        Some(Event { code, end: flags & 0x80 != 0, volume: flags & 0x3f, duration })
    }

    /// Its octets.
    pub fn octets(&self) -> [u8; EVENT] {
        let [high, low] = self.duration.to_be_bytes();
        [self.code, (u8::from(self.end) << 7) | (self.volume & 0x3f), high, low]
    }

    /// The key, if it is one.
    pub fn key(&self) -> Option<char> {
        KEYS.get(usize::from(self.code)).map(|&key| char::from(key))
    }
}

/// The event code of a key.
pub fn code_of(key: char) -> Option<u8> {
    let key = u8::try_from(key.to_ascii_uppercase()).ok()?;
    KEYS.iter().position(|&known| known == key).map(|code| code as u8)
}

/// What a telephone-event packet means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A key was pressed.
    Pressed(char),
    /// It belongs to a press that was reported.
    Known,
    /// Not a key, or more or longer presses than a person makes.
    Ignored,
}

/// Presses heard from one source.
#[derive(Clone, Debug, Default)]
pub struct Receiver {
    presses: [Option<Press>; REMEMBERED],
    newest: usize,
    /// When the last reports were made: the oldest limits the next (`KEYS_PER_SECOND`).
    reported: [Option<Tick>; KEYS_PER_SECOND as usize],
    oldest: usize,
}

#[derive(Clone, Copy, Debug)]
struct Press {
    ssrc: u32,
    timestamp: u32,
    code: u8,
    ended: bool,
    believed: bool,
    /// Samples of the segments before this one.
    before: u64,
}

impl Receiver {
    /// Takes a telephone-event packet of the locked source.
    pub fn receive(&mut self, now: Tick, packet: &Packet<'_>) -> Heard {
        let Some(event) = Event::parse(packet.payload) else { return Heard::Ignored };
        let Some(key) = event.key() else { return Heard::Ignored };
        let same = |press: &&mut Press| press.ssrc == packet.ssrc && press.timestamp == packet.timestamp;
        if let Some(press) = self.presses.iter_mut().flatten().find(same) {
            press.ended |= event.end;
            return if press.believed { Heard::Known } else { Heard::Ignored };
        }
        let mut press = Press {
            ssrc: packet.ssrc,
            timestamp: packet.timestamp,
            code: event.code,
            ended: event.end,
            believed: false,
            before: 0,
        };
        let heard = match self.segment_of(&press) {
            Some((before, believed)) => {
                press.before = before;
                press.believed = believed && before + u64::from(event.duration) <= samples(KEY_PRESS);
                if press.believed { Heard::Known } else { Heard::Ignored }
            }
            None => {
                press.believed = self.within_rate(now);
                if press.believed { Heard::Pressed(key) } else { Heard::Ignored }
            }
        };
        self.newest = (self.newest + 1) % REMEMBERED;
        self.presses[self.newest] = Some(press);
        heard
    }

    /// §2.5.1.3: whether this is the next segment of the newest press; then the samples before it, and whether they
    /// were believed.
    fn segment_of(&self, next: &Press) -> Option<(u64, bool)> {
        let last = self.presses[self.newest]?;
        let distance = next.timestamp.wrapping_sub(last.timestamp);
        let longest = u32::from(u16::MAX);
        let joined = !last.ended
            && (last.ssrc, last.code) == (next.ssrc, next.code)
            && (longest - SEGMENT_EARLY..=longest).contains(&distance);
        joined.then_some((last.before + u64::from(distance), last.believed))
    }

    fn within_rate(&mut self, now: Tick) -> bool {
        if self.reported[self.oldest].is_some_and(|then| now.since(then) < Duration::from_secs(1)) {
            return false;
        }
        self.reported[self.oldest] = Some(now);
        self.oldest = (self.oldest + 1) % self.reported.len();
        true
    }
}

fn samples(duration: Duration) -> u64 {
    duration.as_millis() as u64 * 8
}

/// How long we hold a key, in samples: 100 ms.
const PRESS: u16 = 800;
/// How long we let go between two keys, in samples: 60 ms.
const PAUSE: u16 = 480;
/// Copies of the end (§2.5.1.4).
const ENDS: u8 = 3;
/// Level of our keys: −10 dBm0.
const VOLUME: u8 = 10;
/// Keys that may wait to be sent.
const WAITING: usize = 64;

/// Presses to be sent to one peer.
#[derive(Clone, Debug, Default)]
pub struct Sender {
    waiting: VecDeque<u8>,
    state: Sending,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sending {
    #[default]
    Idle,
    Pressing {
        code: u8,
        duration: u16,
    },
    Ending {
        code: u8,
        duration: u16,
        left: u8,
    },
    Pausing {
        left: u16,
    },
}

/// What the sender wants of the frame that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing: audio may go.
    Audio,
    /// An event instead of audio.
    Event {
        /// Whether it begins a press: marker bit and a new timestamp.
        first: bool,
        /// Its payload.
        payload: [u8; EVENT],
    },
}

impl Sender {
    /// Queues keys; what is no key is left out, and what exceeds the queue is dropped.
    pub fn push(&mut self, keys: &str) {
        let room = WAITING.saturating_sub(self.waiting.len());
        self.waiting.extend(keys.chars().filter_map(code_of).take(room));
    }

    /// Forgets what waits and what is being sent.
    pub fn clear(&mut self) {
        self.waiting.clear();
        self.state = Sending::Idle;
    }

    /// Whether a press is being sent, or waits.
    pub fn is_busy(&self) -> bool {
        !self.waiting.is_empty() || matches!(self.state, Sending::Pressing { .. } | Sending::Ending { .. })
    }

    /// Takes the frame of `frame` samples that is due.
    pub fn turn(&mut self, frame: u16) -> Turn {
        if let Sending::Pausing { left } = self.state {
            self.state = match left.saturating_sub(frame) {
                0 => Sending::Idle,
                left => Sending::Pausing { left },
            };
            return Turn::Audio;
        }
        let (event, first) = match self.state {
            Sending::Idle | Sending::Pausing { .. } => match self.waiting.pop_front() {
                Some(code) => (Event { code, end: false, volume: VOLUME, duration: frame }, true),
                None => return Turn::Audio,
            },
            Sending::Pressing { code, duration } if duration < PRESS => {
                (Event { code, end: false, volume: VOLUME, duration: duration + frame }, false)
            }
            Sending::Pressing { code, duration } | Sending::Ending { code, duration, .. } => {
                (Event { code, end: true, volume: VOLUME, duration }, false)
            }
        };
        let Event { code, duration, .. } = event;
        self.state = match self.state {
            Sending::Ending { left: 1, .. } => Sending::Pausing { left: PAUSE },
            Sending::Ending { left, .. } => Sending::Ending { code, duration, left: left - 1 },
            _ if event.end => Sending::Ending { code, duration, left: ENDS - 1 }, // The first of the ends.
            _ => Sending::Pressing { code, duration },                            // A start or an update.
        };
        Turn::Event { first, payload: event.octets() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_of_an_event_are_read_back() {
        let event = Event { code: 11, end: true, volume: 10, duration: 800 };

        assert_eq!(event.octets(), [11, 0x8a, 3, 0x20]);
        assert_eq!(Event::parse(&event.octets()), Some(event));
        assert_eq!(event.key(), Some('#'));
        assert_eq!(Event::parse(&[1, 2, 3]), None);
    }

    #[test]
    fn a_sent_key_starts_updates_every_frame_and_ends_three_times() {
        let mut sender = Sender::default();
        sender.push("5x#");

        let mut turns = Vec::new();
        while sender.is_busy() && turns.len() < 100 {
            turns.push(sender.turn(160));
        }

        let events: Vec<(bool, Event)> = turns
            .iter()
            .filter_map(|turn| match turn {
                Turn::Audio => None,
                Turn::Event { first, payload } => Some((*first, Event::parse(payload).unwrap())),
            })
            .collect();
        let durations: Vec<u16> = events.iter().map(|(_, event)| event.duration).collect();
        assert_eq!(durations[..8], [160, 320, 480, 640, 800, 800, 800, 800]);
        let (five, hash) = events.split_at(8);
        for (press, code) in [(five, 5), (hash, 11)] {
            assert!(
                press.iter().enumerate().all(|(at, (first, event))| {
                    *first == (at == 0) && event.end == (at >= 5) && event.code == code
                })
            );
        }
        assert_eq!(turns.iter().filter(|turn| **turn == Turn::Audio).count(), 3, "60 ms between the keys");
    }
}
