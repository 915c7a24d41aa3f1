//! A leg as it lies on disk, and the leg made of it in the next life: the same session, the same port, the same codec
//! and the same address of the peer, so that sound flows again before anybody has answered.

use super::{Leg, NewLeg, Phase, Seat, Who, offer};
use crate::id::{CallRef, LegRef};
use crate::media::{Direction, Format};
use crate::number::Party;
use crate::sdp::answer::Session;
use crate::settings::{Codec, Credentials};
use crate::sip::flow::Flow;
use crate::sip::stored::{Revivable, SessionRecord, since};
use crate::switch::Switch;
use crate::time::Now;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::time::Duration;

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

/// A stored leg that can be gone on with.
pub(in crate::switch) struct ReadLeg<'a> {
    kept: &'a KeptLeg,
    flow: Flow,
    session: Revivable,
    /// Stored so long ago.
    ago: Duration,
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

    /// Reads the legs of a talk like `read_leg`: both, or none.
    pub(in crate::switch) fn read_legs<'a>(&self, legs: &'a [KeptLeg; 2], ago: Duration) -> Option<[ReadLeg<'a>; 2]> {
        let [a, b] = legs;
        let has_room = a.port != b.port && self.ua.has_room_for(legs.len());
        has_room.then(|| Some([self.read_leg(a, ago)?, self.read_leg(b, ago)?])).flatten()
    }

    /// Reads a leg that was stored so long `ago`; nothing is taken yet. `None`: it cannot be read, there is no room, or
    /// its port is not free, as it is at the start unless the site has changed.
    pub(in crate::switch) fn read_leg<'a>(&self, kept: &'a KeptLeg, ago: Duration) -> Option<ReadLeg<'a>> {
        let has_room = self.ports.free.contains(&kept.port) && self.ua.has_room_for(1);
        let (flow, session) = (kept.session.flow.parse().ok()?, kept.session.read(ago)?);
        has_room.then_some(ReadLeg { kept, flow, session, ago })
    }

    /// Goes on with a leg, for a call that is there.
    pub(in crate::switch) fn take_up_leg(&mut self, now: Now, call: CallRef, leg: ReadLeg<'_>) -> LegRef {
        let ReadLeg { kept, flow, session: revivable, ago } = leg;
        let address = self.settings.server.public_address.unwrap_or_else(|| flow.local.ip());
        // RFC 3264 §8: no description that differs may go by a version that the last life has used.
        let session = Session { id: kept.described.id, version: since(kept.described.version, ago) };
        let described = offer(address, kept.port, &kept.codecs, session);
        let credentials = self.credentials_of(kept);
        let offered = described.clone();
        let leg = self.ua.revive(now.tick, revivable, credentials.as_ref(), described);
        self.ports.free.retain(|port| *port != kept.port);
        let seat = Seat { port: kept.port, address, session, offered };
        let (who, customer, codecs) = (kept.who.clone(), kept.customer.clone(), kept.codecs.clone());
        self.seat(leg, seat, NewLeg { call, who, customer, flow, phase: Phase::Up, codecs });
        if let Some(entry) = self.legs.get_mut(&leg) {
            entry.media.settled = Some((kept.format, kept.direction));
            entry.media.remote = kept.remote;
        }
        self.tell_media(leg);
        leg
    }

    fn credentials_of(&self, kept: &KeptLeg) -> Option<Credentials> {
        match &kept.who {
            Who::Trunk(trunk) => self.trunks.credentials(trunk),
            Who::Agent(_) => None, // Phones know us by our address.
        }
    }

    /// Asks the peer to go on as before, by a re-INVITE with what we describe (RFC 3261 §14.1).
    pub(in crate::switch) fn ask_leg(&mut self, now: Now, leg: LegRef) {
        self.trap.step();
        if let Some(entry) = self.legs.get_mut(&leg) {
            let offer = entry.media.offer();
            self.ua.reoffer(now.tick, leg, offer);
        }
    }

    /// Ends a session of an earlier life with which nobody goes on.
    pub(in crate::switch) fn end_kept(&mut self, now: Now, kept: &KeptLeg, ago: Duration) {
        let credentials = self.credentials_of(kept);
        if let Some(session) = kept.session.read(ago).filter(|_| self.ua.has_room_for(1)) {
            let leg = self.ua.revive(now.tick, session, credentials.as_ref(), bytes::Bytes::new());
            self.ua.hang_up(now.tick, leg, None);
        }
    }
}
