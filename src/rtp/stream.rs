//! The two directions of a leg's stream: what we number, and what the peer's numbers say (RFC 3550 §5.1, §6.4, A.1,
//! A.8).
//!
//! Outgoing packets are our own (players, key presses) or relayed from the other leg of a bridge. Both share one SSRC
//! and one numbering: sequence numbers rise by one, timestamps by whole frames, also from one source to the next.
//! Within a run of relayed packets the peer's gaps and order are kept, so the receiver can conceal what was lost
//! before it came to us.

use super::clock;
use super::packet::Packet;
use crate::time::Tick;

/// A jump of more sequence numbers than this is a new run (RFC 3550 A.1 MAX_DROPOUT, scaled to telephony).
const DROPOUT: i16 = 500;
/// A packet further behind than this is not late but of another run.
const MISORDER: i16 = 100;
/// Timestamps that run away from the clock by more than this (2 s) begin a new run.
const DRIFT: i64 = 16_000;

/// Header fields of a packet about to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Sequence number.
    pub sequence: u16,
    /// Timestamp.
    pub timestamp: u32,
    /// Whether it begins something new.
    pub marker: bool,
}

/// What we send.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Our SSRC.
    pub ssrc: u32,
    /// Packets sent.
    pub packets: u64,
    /// Payload octets sent.
    pub octets: u64,
    sequence: u16,
    clock: SendClock,
    run: Option<Run>,
}

/// The relation of our timestamps to time.
#[derive(Clone, Copy, Debug)]
enum SendClock {
    /// Nothing sent: the first timestamp will be this.
    Fresh(u32),
    /// The newest frame of audio, and when.
    Running { timestamp: u32, at: Tick },
}

/// A run of relayed packets of one SSRC: fixed differences between their numbers and ours.
#[derive(Clone, Copy, Debug)]
struct Run {
    ssrc: u32,
    sequence_offset: u16,
    timestamp_offset: u32,
    first: u16,
    newest: u16,
    audio_timestamp: u32,
    audio_at: Tick,
}

impl Outgoing {
    /// A stream that begins with random numbers (RFC 3550 §5.1).
    pub fn new(ssrc: u32, sequence: u16, timestamp: u32) -> Outgoing {
        let clock = SendClock::Fresh(timestamp);
        Outgoing { ssrc, packets: 0, octets: 0, sequence, clock, run: None }
    }

    /// The next packet of our own, due at `at`, worth `frame` samples.
    pub fn own(&mut self, at: Tick, frame: u32) -> Stamp {
        self.run = None;
        let (timestamp, marker) = match self.clock {
            SendClock::Fresh(timestamp) => (timestamp, true),
            SendClock::Running { timestamp, at: last } => {
                let elapsed = clock(at).saturating_sub(clock(last)) as u32;
                let frames = ((elapsed + frame / 2) / frame).max(1);
                (timestamp.wrapping_add(frames * frame), frames > 1)
            }
        };
        self.clock = SendClock::Running { timestamp, at };
        self.sequence = self.sequence.wrapping_add(1);
        Stamp { sequence: self.sequence, timestamp, marker }
    }

    /// One more packet at a timestamp already used: the later packets of a key press (RFC 4733 §2.5.1.2).
    pub fn again(&mut self, timestamp: u32) -> Stamp {
        self.run = None;
        self.sequence = self.sequence.wrapping_add(1);
        Stamp { sequence: self.sequence, timestamp, marker: false }
    }

    /// The numbers for a packet relayed at `at`; `None` for a copy, or one from before the run.
    pub fn relayed(&mut self, at: Tick, packet: &Packet<'_>, frame: u32, event: bool) -> Option<Stamp> {
        let Some(run) = self.run.as_mut().filter(|run| run.continues(at, packet, event)) else {
            let stamp = self.own(at, frame);
            self.run = Some(Run {
                ssrc: packet.ssrc,
                sequence_offset: stamp.sequence.wrapping_sub(packet.sequence),
                timestamp_offset: stamp.timestamp.wrapping_sub(packet.timestamp),
                first: packet.sequence,
                newest: packet.sequence,
                audio_timestamp: packet.timestamp,
                audio_at: at,
            });
            return Some(Stamp { marker: stamp.marker || packet.marker, ..stamp });
        };
        let stamp = Stamp {
            sequence: packet.sequence.wrapping_add(run.sequence_offset),
            timestamp: packet.timestamp.wrapping_add(run.timestamp_offset),
            marker: packet.marker,
        };
        let ahead = packet.sequence.wrapping_sub(run.newest) as i16;
        if ahead == 0 || (packet.sequence.wrapping_sub(run.first) as i16) < 0 {
            return None;
        }
        if ahead > 0 {
            run.newest = packet.sequence;
            self.sequence = stamp.sequence;
            if !event {
                run.audio_timestamp = packet.timestamp;
                run.audio_at = at;
                self.clock = SendClock::Running { timestamp: stamp.timestamp, at };
            }
        }
        Some(stamp)
    }

    /// The next relayed packet begins a run, also when the stream it belongs to was relayed before: its numbers follow
    /// ours.
    pub fn begin_run(&mut self) {
        self.run = None;
    }

    /// A packet of the run is not passed on: the numbers close up behind it.
    pub fn withheld(&mut self, packet: &Packet<'_>) {
        if let Some(run) = self.run.as_mut().filter(|run| run.ssrc == packet.ssrc) {
            let ahead = packet.sequence.wrapping_sub(run.newest) as i16;
            if (1..=DROPOUT).contains(&ahead) {
                run.newest = packet.sequence;
                run.sequence_offset = run.sequence_offset.wrapping_sub(1);
            }
        }
    }

    /// A packet has left.
    pub fn sent(&mut self, octets: usize) {
        self.packets += 1;
        self.octets += octets as u64;
    }

    /// The timestamp that belongs to `at` (RFC 3550 §6.4.1); `None` while nothing was sent.
    pub fn timestamp_at(&self, at: Tick) -> Option<u32> {
        match self.clock {
            SendClock::Fresh(_) => None,
            SendClock::Running { timestamp, at: last } => {
                Some(timestamp.wrapping_add(clock(at).saturating_sub(clock(last)) as u32))
            }
        }
    }
}

impl Run {
    fn continues(&self, at: Tick, packet: &Packet<'_>, event: bool) -> bool {
        let ahead = packet.sequence.wrapping_sub(self.newest) as i16;
        if self.ssrc != packet.ssrc || !(-MISORDER..=DROPOUT).contains(&ahead) {
            return false;
        }
        // The timestamp of a key press is frozen at its start, so it says nothing about the clock.
        let moved = i64::from(packet.timestamp.wrapping_sub(self.audio_timestamp) as i32);
        let elapsed = clock(at).saturating_sub(clock(self.audio_at)) as i64;
        event || (moved - elapsed).abs() <= DRIFT
    }
}

/// How a packet stands to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The newest so far.
    Newest,
    /// Overtaken by others.
    Late,
    /// Seen before.
    Copy,
}

/// What we receive: the statistics of one leg over all SSRCs it used.
#[derive(Clone, Debug, Default)]
pub struct Incoming {
    current: Option<Reception>,
    /// Packets taken, copies excluded.
    pub received: u64,
    lost_before: u64,
}

/// One SSRC's reception (RFC 3550 A.1).
#[derive(Clone, Copy, Debug)]
struct Reception {
    ssrc: u32,
    base: u32,
    /// Extended by the number of wraps in the upper half.
    highest: u32,
    received: u64,
    /// Which of the 64 numbers up to `highest` have come: bit 0 is `highest`.
    seen: u64,
    transit: Option<u32>,
    /// Scaled by 16 (A.8).
    jitter: u32,
    expected_prior: u64,
    received_prior: u64,
}

impl Incoming {
    /// Counts an accepted packet. `timed`: its timestamp is that of its first sample, so that it tells jitter.
    pub fn take(&mut self, at: Tick, packet: &Packet<'_>, timed: bool) -> Arrival {
        let jumped = |held: &Reception| {
            let ahead = packet.sequence.wrapping_sub(held.highest as u16) as i16;
            held.ssrc != packet.ssrc || !(-MISORDER..=DROPOUT).contains(&ahead)
        };
        if self.current.as_ref().is_none_or(jumped) {
            self.lost_before = self.lost();
            self.current = Some(Reception::begin(packet));
        }
        let Some(held) = &mut self.current else { return Arrival::Newest };
        let arrival = held.place(packet.sequence);
        if arrival != Arrival::Copy {
            self.received += 1;
            held.received += 1;
            if timed {
                held.time(at, packet.timestamp);
            }
        }
        arrival
    }

    /// Packets missing by sequence number.
    pub fn lost(&self) -> u64 {
        self.lost_before + self.current.map_or(0, |held| held.expected().saturating_sub(held.received))
    }

    /// Interarrival jitter in timestamp units.
    pub fn jitter(&self) -> u32 {
        self.current.map_or(0, |held| held.jitter >> 4)
    }

    /// The numbers of a reception report since the last one (RFC 3550 §6.4.1, A.3).
    pub fn report(&mut self) -> Option<Report> {
        let held = self.current.as_mut()?;
        let expected = held.expected();
        let expected_now = expected - held.expected_prior;
        let received_now = held.received - held.received_prior;
        held.expected_prior = expected;
        held.received_prior = held.received;
        let lost_now = expected_now.saturating_sub(received_now);
        let fraction = (lost_now << 8).checked_div(expected_now).unwrap_or(0); // Nothing expected: nothing lost.
        Some(Report {
            ssrc: held.ssrc,
            fraction: fraction.min(255) as u8,
            lost: expected.saturating_sub(held.received).min(0x7f_ffff) as u32,
            highest: held.highest,
            jitter: held.jitter >> 4,
        })
    }
}

impl Reception {
    fn begin(packet: &Packet<'_>) -> Reception {
        let first = u32::from(packet.sequence);
        Reception {
            ssrc: packet.ssrc,
            base: first,
            highest: first,
            received: 0,
            seen: 0,
            transit: None,
            jitter: 0,
            expected_prior: 0,
            received_prior: 0,
        }
    }

    fn expected(&self) -> u64 {
        u64::from(self.highest.wrapping_sub(self.base)) + 1
    }

    fn place(&mut self, sequence: u16) -> Arrival {
        let ahead = sequence.wrapping_sub(self.highest as u16) as i16;
        if ahead > 0 || self.seen == 0 {
            let ahead = ahead.max(0) as u32;
            self.highest = self.highest.wrapping_add(ahead);
            self.seen = self.seen.checked_shl(ahead).unwrap_or(0) | 1;
            return Arrival::Newest;
        }
        let Some(bit) = 1u64.checked_shl(u32::from(ahead.unsigned_abs())) else { return Arrival::Late };
        if self.seen & bit != 0 {
            return Arrival::Copy;
        }
        self.seen |= bit;
        Arrival::Late
    }

    /// RFC 3550 A.8, with its integer arithmetic.
    fn time(&mut self, at: Tick, timestamp: u32) {
        let transit = (clock(at) as u32).wrapping_sub(timestamp);
        if let Some(last) = self.transit.replace(transit) {
            let difference = (transit.wrapping_sub(last) as i32).unsigned_abs().min(1 << 20);
            self.jitter = self.jitter + difference - ((self.jitter + 8) >> 4);
        }
    }
}

/// The numbers of a reception report block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Whose packets.
    pub ssrc: u32,
    /// Share lost since the last report, in 1/256.
    pub fraction: u8,
    /// Packets lost in all.
    pub lost: u32,
    /// Extended highest sequence number.
    pub highest: u32,
    /// Interarrival jitter.
    pub jitter: u32,
}
