//! A leg: one party's stream, and the table of all legs of the shard.

use super::player::Player;
use super::{Direction, Format, LegStats};
use crate::entropy::Entropy;
use crate::id::LegRef;
use crate::limits::SHARD_LEGS;
use crate::rtp::rtcp::{Cname, LastReport};
use crate::rtp::source::Source;
use crate::rtp::stream::{Incoming, Outgoing};
use crate::rtp::{dtmf, rtcp};
use crate::settings::Codec;
use crate::time::Tick;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::net::SocketAddr;
use std::time::Duration;

/// A place in the table of legs.
pub(super) type Slot = u32;

/// The payload type of comfort noise (RFC 3389 §4).
const COMFORT_NOISE: u8 = 13;

/// One party's stream.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) id: LegRef,
    /// Set by the first `Update`; nothing is taken or sent before.
    pub(super) session: Option<Session>,
    pub(super) source: Source,
    pub(super) incoming: Incoming,
    pub(super) outgoing: Outgoing,
    pub(super) keys_in: dtmf::Receiver,
    pub(super) keys_out: dtmf::Sender,
    /// The timestamp of the press that is being sent.
    pub(super) key_timestamp: u32,
    pub(super) player: Player,
    /// The player gives way to the first packet of the leg that is listened to.
    pub(super) player_yields: bool,
    /// Who hears this leg.
    pub(super) heard_by: Option<Slot>,
    /// Whom this leg hears.
    pub(super) hears: Option<Slot>,
    pub(super) tape: Option<(usize, Side)>,
    /// Where the leg's frames fall within 20 ms.
    pub(super) phase: usize,
    pub(super) due_ms: u64,
    pub(super) liveness: Liveness,
    pub(super) control: Control,
    pub(super) refused: u64,
    pub(super) digits: u32,
}

/// What offer and answer have settled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    pub(super) format: Format,
    pub(super) direction: Direction,
    pub(super) silence: Option<Duration>,
}

/// Which channel of a tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left = 0,
    Right = 1,
}

/// Whether the far end lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Liveness {
    /// Nothing has come yet; counted from here.
    Unheard { since: Tick },
    /// The last packet came then.
    Heard { last: Tick },
    /// `Silent` was said. `heard`: whether anything ever came before.
    Silent { heard: bool },
}

/// RTCP of the leg.
#[derive(Debug)]
pub(super) struct Control {
    pub(super) cname: Cname,
    pub(super) due: Tick,
    /// Where the peer's RTCP came from last.
    pub(super) from: Option<SocketAddr>,
    /// The peer's last sender report.
    pub(super) report: Option<(u32, Tick)>,
}

/// What a payload type is on a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Audio(Codec),
    Key,
    ComfortNoise,
    Unknown,
}

impl Leg {
    pub(super) fn new(id: LegRef, phase: usize, now: Tick, entropy: &mut Entropy) -> Leg {
        let random = entropy.next_u64();
        let mut cname = Cname::default();
        for (at, byte) in entropy.bytes::<12>().into_iter().enumerate() {
            cname[2 * at] = b"0123456789abcdef"[usize::from(byte >> 4)];
            cname[2 * at + 1] = b"0123456789abcdef"[usize::from(byte & 15)];
        }
        // The first report comes at a random time, so that legs do not report in step (RFC 3550 §6.3.1).
        let due = now + Duration::from_millis(entropy.below(rtcp::INTERVAL.as_millis() as u64));
        Leg {
            id,
            session: None,
            source: Source::default(),
            incoming: Incoming::default(),
            outgoing: Outgoing::new((random >> 32) as u32, (random >> 16) as u16, entropy.next_u64() as u32),
            keys_in: dtmf::Receiver::default(),
            keys_out: dtmf::Sender::default(),
            key_timestamp: 0,
            player: Player::Idle,
            player_yields: false,
            heard_by: None,
            hears: None,
            tape: None,
            phase,
            due_ms: 0,
            liveness: Liveness::Unheard { since: now },
            control: Control { cname, due, from: None, report: None },
            refused: 0,
            digits: 0,
        }
    }

    /// Format and destination, if packets may leave now.
    pub(super) fn may_send(&self) -> Option<(Format, SocketAddr)> {
        let session = self.session.filter(|session| session.direction.sends())?;
        Some((session.format, self.source.destination()?))
    }

    pub(super) fn stats(&self) -> LegStats {
        LegStats {
            received: self.incoming.received,
            sent: self.outgoing.packets,
            lost: self.incoming.lost(),
            refused: self.refused,
            jitter: self.incoming.jitter(),
            digits: self.digits,
        }
    }

    /// Where RTCP goes: where the peer's comes from, else the port after its RTP (RFC 3550 §11).
    pub(super) fn control_destination(&self) -> Option<SocketAddr> {
        let rtp = self.source.destination()?;
        let next = SocketAddr::new(rtp.ip(), rtp.port().checked_add(1)?);
        Some(self.control.from.filter(|from| from.ip() == rtp.ip()).unwrap_or(next))
    }

    /// The peer's last sender report as a report block gives it back.
    pub(super) fn last_report(&self, now: Tick) -> LastReport {
        self.control.report.map_or(LastReport::default(), |(ntp_middle, at)| LastReport {
            ntp_middle,
            delay: (now.since(at).as_millis() as u64 * 65_536 / 1_000) as u32,
        })
    }
}

impl Session {
    /// What a payload type is. Besides the agreed ones, G.711 is known by its static numbers: a peer whose answer
    /// named both may change between them at any packet.
    pub(super) fn kind(&self, payload_type: u8) -> Kind {
        let format = &self.format;
        match payload_type {
            number if Some(number) == format.dtmf_receive => Kind::Key,
            number if number == format.payload_type => Kind::Audio(format.codec),
            0 => Kind::Audio(Codec::Pcmu),
            8 => Kind::Audio(Codec::Pcma),
            COMFORT_NOISE => Kind::ComfortNoise,
            _ => Kind::Unknown,
        }
    }
}

/// All legs of the shard.
#[derive(Debug, Default)]
pub(super) struct Legs {
    slots: Vec<Option<Leg>>,
    free: Vec<Slot>,
    index: HashMap<LegRef, Slot, BuildHasherDefault<Spread>>,
}

impl Legs {
    /// Puts a leg in; `None` when the shard is full.
    pub(super) fn insert(&mut self, leg: Leg) -> Option<Slot> {
        if self.index.len() >= SHARD_LEGS {
            return None;
        }
        let id = leg.id;
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.slots.push(None);
                self.slots.len() as Slot - 1
            }
        };
        self.slots[slot as usize] = Some(leg);
        self.index.insert(id, slot);
        Some(slot)
    }

    pub(super) fn remove(&mut self, slot: Slot) -> Option<Leg> {
        let leg = self.slots.get_mut(slot as usize)?.take()?;
        self.index.remove(&leg.id);
        self.free.push(slot);
        Some(leg)
    }

    #[inline]
    pub(super) fn slot(&self, id: LegRef) -> Option<Slot> {
        self.index.get(&id).copied()
    }

    #[inline]
    pub(super) fn get(&mut self, slot: Slot) -> Option<&mut Leg> {
        self.slots.get_mut(slot as usize)?.as_mut()
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }
}

/// Leg references are numbers we hand out in order, so a multiplication spreads them well enough.
#[derive(Debug, Default)]
pub(crate) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(self.0 ^ u64::from(byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(26);
    }
}
