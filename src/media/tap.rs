//! Tapes: what two legs say, side by side, in frames of 20 ms.
//!
//! Each side is a short ring of samples laid out by time. A packet's place follows from its timestamp, so loss is
//! silence of the right length and reordering does no harm; the first packet of a stream, and any that time disproves,
//! is placed by its arrival. Frames leave [`DELAY`] behind the present, and at the end all that are due: a tape is as
//! long as its time, within one frame (law 8).

use super::leg::Side;
use crate::audio::{FRAME, g711};
use crate::id::{LegRef, RecordingId};
use crate::rtp::clock;
use crate::rtp::packet::Packet;
use crate::rtp::stream::Arrival;
use crate::settings::Codec;
use crate::time::Tick;

/// Samples of the ring: 512 ms.
const RING: usize = 4_096;
/// How long a frame waits for late packets, in samples: 120 ms.
const DELAY: i64 = 960;
/// How far ahead of its arrival a packet may be placed, in samples: 200 ms.
const AHEAD: i64 = 1_600;
/// The frame's length in milliseconds.
const FRAME_MS: u64 = 20;

/// One recording in progress.
#[derive(Debug)]
pub(super) struct Tape {
    pub(super) recording: RecordingId,
    /// Left and right; `None` once a leg is over.
    pub(super) legs: [Option<LegRef>; 2],
    started: Tick,
    frames: u64,
    sides: [Channel; 2],
    heard: Heard,
}

/// What of the two reaches the tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    /// What lies at this sample or later.
    From(i64),
    /// Nothing.
    Paused,
}

#[derive(Debug)]
struct Channel {
    ring: Box<[i16]>,
    place: Option<Place>,
}

/// Where a stream's timestamps lie on the tape.
#[derive(Clone, Copy, Debug)]
struct Place {
    ssrc: u32,
    timestamp: u32,
    position: i64,
}

impl Tape {
    pub(super) fn new(recording: RecordingId, left: Option<LegRef>, right: Option<LegRef>, now: Tick) -> Tape {
        let channel = || Channel { ring: vec![0; RING].into(), place: None };
        Tape {
            recording,
            legs: [left, right],
            started: now,
            frames: 0,
            sides: [channel(), channel()],
            heard: Heard::From(0),
        }
    }

    /// When the next frame is to leave, in milliseconds of the shard's clock.
    pub(super) fn due_ms(&self) -> u64 {
        self.started.as_millis() + (self.frames + 1) * FRAME_MS + DELAY as u64 / 8
    }

    /// Lays a packet on its side.
    pub(super) fn put(&mut self, side: Side, now: Tick, packet: &Packet<'_>, codec: Codec, arrival: Arrival) {
        let left = (self.frames * FRAME as u64) as i64;
        let present = self.present(now);
        // A packet of the pause that comes late is not laid on the tape afterwards.
        let Heard::From(earliest) = self.heard else { return };
        self.sides[side as usize].put(left, present, packet, codec, arrival, earliest);
    }

    /// Takes silence from now on, or the two again.
    pub(super) fn pause(&mut self, now: Tick, paused: bool) {
        self.heard = match (self.heard, paused) {
            (Heard::From(_), true) => {
                let present = self.present(now);
                self.sides.iter_mut().for_each(|side| side.cut(present));
                Heard::Paused
            }
            (Heard::Paused, false) => Heard::From(self.present(now)),
            (unchanged, _) => unchanged,
        };
    }

    fn present(&self, now: Tick) -> i64 {
        clock(now).saturating_sub(clock(self.started)) as i64
    }

    /// The next frame; it is emptied.
    pub(super) fn next(&mut self) -> [[i16; FRAME]; 2] {
        let at = (self.frames * FRAME as u64) as usize;
        self.frames += 1;
        let [left, right] = &mut self.sides;
        [left.take(at), right.take(at)]
    }

    /// Frames still to leave when the tape ends now.
    pub(super) fn remaining(&self, now: Tick) -> u64 {
        let whole = (clock(now).saturating_sub(clock(self.started)) + FRAME as u64 / 2) / FRAME as u64;
        whole.saturating_sub(self.frames)
    }
}

impl Channel {
    fn put(&mut self, left: i64, present: i64, packet: &Packet<'_>, codec: Codec, arrival: Arrival, earliest: i64) {
        let by_timestamp = self
            .place
            .filter(|place| place.ssrc == packet.ssrc)
            .map(|place| place.position + i64::from(packet.timestamp.wrapping_sub(place.timestamp) as i32));
        let position = match by_timestamp {
            Some(position) if position >= left && position <= present + AHEAD => position,
            Some(_) if arrival != Arrival::Newest => return, // Its frame has left the tape.
            Some(_) | None => present,
        };
        if arrival == Arrival::Newest {
            self.place = Some(Place { ssrc: packet.ssrc, timestamp: packet.timestamp, position });
        }
        for (at, &octet) in (position..left + RING as i64).zip(packet.payload).filter(|(at, _)| *at >= earliest) {
            self.ring[at as usize % RING] = g711::decode(codec, octet);
        }
    }

    /// What was placed ahead of `present` is taken off again.
    fn cut(&mut self, present: i64) {
        for at in present..present + AHEAD + FRAME as i64 {
            self.ring[at as usize % RING] = 0;
        }
    }

    fn take(&mut self, at: usize) -> [i16; FRAME] {
        std::array::from_fn(|n| std::mem::take(&mut self.ring[(at + n) % RING]))
    }
}
