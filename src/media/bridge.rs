//! Who hears whom, and the passing on of packets.
//!
//! A leg is heard by one other at most and hears one at most; a bridge is that in both directions, listening in one.
//! Packets pass at once, without a buffer: equal codecs as they are, G.711 laws through a table, key presses as
//! events under the other side's payload type. What goes to a leg that is being played something, or sent keys, is
//! withheld.

use super::Sink;
use super::leg::{Kind, Legs, Slot};
use super::player::Player;
use crate::audio::g711;
use crate::limits::RTP_PACKET_BYTES;
use crate::rtp::packet::{HEADER, Packet};
use crate::time::Tick;

impl Legs {
    /// `to` hears `from`, and both leave whatever they had in that direction.
    pub(super) fn link(&mut self, from: Slot, to: Slot) {
        self.unlink_heard_by(from);
        self.unlink_hears(to);
        if let Some(leg) = self.get(from) {
            leg.heard_by = Some(to);
        }
        if let Some(leg) = self.get(to) {
            leg.hears = Some(from);
            leg.outgoing.begin_run(); // What was said while they were apart is not a loss.
        }
    }

    /// Nobody hears the leg, and it hears nobody.
    pub(super) fn unlink(&mut self, slot: Slot) {
        self.unlink_heard_by(slot);
        self.unlink_hears(slot);
    }

    fn unlink_heard_by(&mut self, from: Slot) {
        let to = self.get(from).and_then(|leg| leg.heard_by.take());
        if let Some(leg) = to.and_then(|to| self.get(to)) {
            leg.hears = None;
        }
    }

    fn unlink_hears(&mut self, to: Slot) {
        let from = self.get(to).and_then(|leg| leg.hears.take());
        if let Some(leg) = from.and_then(|from| self.get(from)) {
            leg.heard_by = None;
        }
    }
}

/// Passes a packet on to the leg `to`; `None`: it stays behind.
pub(super) fn relay(
    legs: &mut Legs,
    to: Slot,
    now: Tick,
    packet: &Packet<'_>,
    kind: Kind,
    buffer: &mut [u8; RTP_PACKET_BYTES],
    sink: &mut impl Sink,
) -> Option<()> {
    let leg = legs.get(to)?;
    let Some((format, destination)) = leg.may_send() else {
        leg.outgoing.withheld(packet); // Held: when it is resumed, the numbers go on where they stopped.
        return None;
    };
    if leg.player_yields {
        leg.player = Player::Idle;
        leg.player_yields = false;
    }
    let payload_type = match kind {
        Kind::Audio(_) => Some(format.payload_type),
        Kind::Key => format.dtmf_send,
        Kind::ComfortNoise | Kind::Unknown => None, // Nothing the other side has agreed to.
    };
    let free = leg.player.is_idle() && !leg.keys_out.is_busy();
    let Some(payload_type) = payload_type.filter(|_| free) else {
        leg.outgoing.withheld(packet);
        return None;
    };
    let event = kind == Kind::Key;
    let stamp = leg.outgoing.relayed(now, packet, format.frame_samples.into(), event)?;
    let length = HEADER + packet.payload.len();
    let out = buffer.get_mut(..length)?;
    match kind {
        Kind::Audio(codec) => g711::transcode(codec, format.codec, packet.payload, &mut out[HEADER..]),
        Kind::Key | Kind::ComfortNoise | Kind::Unknown => out[HEADER..].copy_from_slice(packet.payload),
    }
    let header = Packet {
        marker: stamp.marker,
        payload_type,
        sequence: stamp.sequence,
        timestamp: stamp.timestamp,
        ssrc: leg.outgoing.ssrc,
        payload: &[],
    };
    header.write_header(out)?;
    leg.outgoing.sent(packet.payload.len());
    sink.send(leg.id, destination, false, out);
    Some(())
}
