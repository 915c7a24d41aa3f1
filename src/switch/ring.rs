//! Ringing a person: every phone that is registered for an agent rings, the first to answer wins, the others stop.

use super::Switch;
use super::legs::{NewLeg, Phase, Who};
use super::outcome::Refusal;
use crate::id::{CallRef, LegRef, Name};
use crate::number::Party;
use crate::settings::Codec;
use crate::sip::user_agent::{Invite, Reach};
use crate::time::Now;
use std::time::Duration;

/// What phones take.
pub(super) const PHONE_CODECS: [Codec; 2] = [Codec::Pcmu, Codec::Pcma];

/// What phones that lost the race are told (RFC 3326).
pub(super) const ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";

/// An agent whose phones could not be reached is not asked again for so long.
pub(super) const NOT_THERE: Duration = Duration::from_secs(10);

/// The phones of one agent, ringing.
#[derive(Debug)]
pub(super) struct Ring {
    pub(super) agent: Name,
    pub(super) legs: Vec<LegRef>,
    /// Those of them that have said so.
    ringing: Vec<LegRef>,
    /// What the phones that stopped amount to.
    answer: NoAnswer,
}

/// How an agent did not answer. A person's no outweighs a phone that rang, and that one a phone that was not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum NoAnswer {
    /// No phone rang: unreachable, broken, or it wants no such call. Nobody's fault, and nothing is counted.
    NotThere,
    /// It rang and nobody came.
    LetRing,
    /// A person said no.
    Declined,
}

impl NoAnswer {
    fn of(refusal: Refusal) -> NoAnswer {
        match (refusal.status, refusal.local) {
            (486 | 600 | 603, _) => NoAnswer::Declined,
            (408 | 480 | 487, false) => NoAnswer::LetRing,
            // 404, 488, 5xx and whatever the network says: no person was asked.
            _ => NoAnswer::NotThere,
        }
    }
}

impl Ring {
    pub(super) fn has(&self, leg: LegRef) -> bool {
        self.legs.contains(&leg)
    }

    /// A phone says that it rings.
    pub(super) fn rings(&mut self, leg: LegRef) {
        if self.has(leg) && !self.ringing.contains(&leg) {
            self.ringing.push(leg);
        }
    }

    /// What it comes to, should it end now: only a phone that rings lets anybody know that nobody comes.
    pub(super) fn answer(&self) -> NoAnswer {
        if self.ringing.is_empty() { self.answer } else { self.answer.max(NoAnswer::LetRing) }
    }

    /// One phone has refused; true when none is left.
    pub(super) fn refused(&mut self, leg: LegRef, refusal: Refusal) -> bool {
        self.legs.retain(|rung| *rung != leg);
        self.ringing.retain(|rung| *rung != leg);
        self.answer = self.answer.max(NoAnswer::of(refusal));
        self.legs.is_empty()
    }
}

/// What a phone shows: display name and number.
pub(super) struct Shown {
    pub(super) display: String,
    pub(super) user: String,
}

impl Switch {
    /// Rings all phones of `agent` for `call`; `None` when none is registered or no port is free.
    pub(super) fn ring_phones(
        &mut self,
        now: Now,
        call: CallRef,
        agent: &Name,
        shown: &Shown,
        customer: Option<&Party>,
    ) -> Option<Ring> {
        let extension = self.settings.agent(agent)?.extension.clone();
        let phones: Vec<_> =
            self.registrar.bindings(&extension).map(|binding| (binding.contact.clone(), binding.flow)).collect();
        let mut ring = Ring { agent: agent.clone(), legs: Vec::new(), ringing: Vec::new(), answer: NoAnswer::NotThere };
        for (contact, flow) in phones {
            let Some(mut seat) = self.take_seat(flow) else { continue };
            let host = super::peers::host_of(self.settings.server.public_address.unwrap_or_else(|| flow.local.ip()));
            let invite = Invite {
                flows: vec![flow],
                uri: contact,
                to: Some(format!("sip:{extension}@{host}")),
                from: (shown.display.clone(), format!("sip:{}@{host}", shown.user)),
                contact_user: "ringback".to_owned(),
                fields: Vec::new(),
                offer: Switch::offer_from(&mut seat, &PHONE_CODECS),
                credentials: None,
                reach: Reach::Flow,
                identity: self.ua.new_identity(flow),
            };
            let leg = self.ua.invite(now.tick, invite);
            let who = Who::Agent(agent.clone());
            let codecs = PHONE_CODECS.to_vec();
            let customer = customer.cloned();
            self.seat(leg, seat, NewLeg { call, who, customer, flow, phase: Phase::Inviting, codecs });
            ring.legs.push(leg);
        }
        (!ring.legs.is_empty()).then_some(ring)
    }

    /// Stops all phones of a ring but the one that won.
    pub(super) fn stop_ring(&mut self, now: Now, ring: Ring, winner: Option<LegRef>, reason: Option<&'static str>) {
        for leg in ring.legs.into_iter().filter(|leg| Some(*leg) != winner) {
            self.hang_up(now, leg, reason);
        }
    }
}
