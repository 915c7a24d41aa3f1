//! A leg as it lies on disk, and the leg made of it in the next life: the same session, the same port, the same codec
//! and the same address of the peer, so that sound flows again before anybody has answered.

use super::{Leg, NewLeg, Phase, Seat, Who, offer};
use crate::id::{CallRef, LegRef};
use crate::media::{Direction, Format};
use crate::number::Party;
use crate::sdp::answer::Session;
use crate::settings::Codec;
use crate::sip::flow::Flow;
use crate::sip::stored::SessionRecord;
use crate::switch::Switch;
use crate::time::Now;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::time::Duration;

/// Above every version of a description that a life makes after it has stored one (RFC 3264 §8).
const MARGIN: u64 = 1_000;

/// What is kept of an answered leg.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::switch) struct KeptLeg {
    who: Who,
    customer: Option<Party>,
    session: SessionRecord,
    port: u16,
    codecs: Vec<Codec>,
    described: Session,
    format: Format,
    direction: Direction,
    remote: Option<SocketAddr>,
}

impl KeptLeg {
    /// The same with all that every message changes left out.
    pub(in crate::switch) fn lasting(&self) -> KeptLeg {
        let described = Session { version: 0, ..self.described };
        KeptLeg { session: self.session.lasting(), described, ..self.clone() }
    }
}

impl Switch {
    /// What is to be kept of a leg; `None`: it is not answered, or offer and answer have not settled.
    pub(in crate::switch) fn kept_leg(&self, leg: LegRef) -> Option<KeptLeg> {
        let Leg { who, customer, media, .. } = self.legs.get(&leg).filter(|entry| entry.phase == Phase::Up)?;
        let (format, direction) = media.settled?;
        Some(KeptLeg {
            who: who.clone(),
            customer: customer.clone(),
            session: self.ua.session_record(leg)?,
            port: media.port,
            codecs: media.codecs.clone(),
            described: media.session,
            format,
            direction,
            remote: media.remote,
        })
    }

    /// Whether the port of a leg is free, as it is at the start unless the site has changed.
    pub(in crate::switch) fn has_port_of(&self, kept: &KeptLeg) -> bool {
        self.ports.free.contains(&kept.port)
    }

    /// Goes on with a leg that was stored so long `ago`, for a call that is there. `None`: it cannot be read, or there
    /// is no room.
    pub(in crate::switch) fn take_up_leg(
        &mut self,
        now: Now,
        call: CallRef,
        kept: &KeptLeg,
        ago: Duration,
    ) -> Option<LegRef> {
        let flow: Flow = kept.session.flow.parse().ok()?;
        let at = self.ports.free.iter().position(|port| *port == kept.port)?;
        let address = self.settings.server.public_address.unwrap_or_else(|| flow.local.ip());
        let session = Session { id: kept.described.id, version: kept.described.version.saturating_add(MARGIN) };
        let described = offer(address, kept.port, &kept.codecs, session);
        let credentials = match &kept.who {
            Who::Trunk(trunk) => self.trunks.credentials(trunk),
            Who::Agent(_) => None, // Phones know us by our address.
        };
        let offered = described.clone();
        let leg = self.ua.revive(now.tick, (&kept.session, ago), credentials.as_ref(), described)?;
        self.ports.free.swap_remove(at);
        let seat = Seat { port: kept.port, address, session, offered };
        let (who, customer, codecs) = (kept.who.clone(), kept.customer.clone(), kept.codecs.clone());
        self.seat(leg, seat, NewLeg { call, who, customer, flow, phase: Phase::Up, codecs });
        if let Some(entry) = self.legs.get_mut(&leg) {
            entry.media.settled = Some((kept.format, kept.direction));
            entry.media.remote = kept.remote;
        }
        self.tell_media(leg);
        Some(leg)
    }

    /// Asks the peer to go on as before, by a re-INVITE with what we describe (RFC 3261 §14.1).
    pub(in crate::switch) fn ask_leg(&mut self, now: Now, leg: LegRef) {
        if let Some(entry) = self.legs.get_mut(&leg) {
            let offer = entry.media.offer();
            self.ua.reoffer(now.tick, leg, offer);
        }
    }

    /// Ends a session of an earlier life with which nobody goes on.
    pub(in crate::switch) fn end_kept(&mut self, now: Now, kept: &KeptLeg, ago: Duration) {
        let credentials = match &kept.who {
            Who::Trunk(trunk) => self.trunks.credentials(trunk),
            Who::Agent(_) => None,
        };
        if let Some(leg) = self.ua.revive(now.tick, (&kept.session, ago), credentials.as_ref(), bytes::Bytes::new()) {
            self.ua.hang_up(now.tick, leg, None);
        }
    }
}
