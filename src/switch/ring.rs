//! Ringing a person, or several: every phone that is registered for an agent rings, the first to answer wins, the
//! others stop. Nobody is blamed for a call that somebody else took.

use super::Switch;
use super::legs::{NewLeg, Phase, Who};
use super::outcome::Refusal;
use crate::callback::task::LegRecord;
use crate::id::{CallRef, LegRef, Name};
use crate::number::Party;
use crate::settings::{AnswerMode, Codec};
use crate::sip::user_agent::{Field, Invite, Reach, UserAgent};
use crate::time::Now;
use std::collections::BTreeMap;
use std::time::Duration;

/// What phones take.
pub(super) const PHONE_CODECS: [Codec; 2] = [Codec::Pcmu, Codec::Pcma];

/// What phones that lost the race are told (RFC 3326).
pub(super) const ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";

/// An agent whose phones could not be reached is not asked again for so long.
pub(super) const NOT_THERE: Duration = Duration::from_secs(10);

/// The phones of one agent, or of several at once (`ring_all`), ringing.
#[derive(Debug, Default)]
pub(super) struct Ring {
    phones: Vec<Phone>,
    /// What the phones that stopped amount to, by agent.
    answers: BTreeMap<Name, NoAnswer>,
}

#[derive(Debug)]
struct Phone {
    leg: LegRef,
    agent: Name,
    /// It has said so.
    rings: bool,
}

/// How an agent did not answer. A person's no outweighs a phone that rang, and that one a phone that was not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum NoAnswer {
    /// No phone rang: unreachable, broken, or it wants no such call. Nobody's fault, and nothing is counted.
    #[default]
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
        self.agent_of(leg).is_some()
    }

    /// Whose phone this is.
    pub(super) fn agent_of(&self, leg: LegRef) -> Option<&Name> {
        self.phones.iter().find(|phone| phone.leg == leg).map(|phone| &phone.agent)
    }

    /// Its legs.
    pub(super) fn legs(&self) -> Vec<LegRef> {
        self.phones.iter().map(|phone| phone.leg).collect()
    }

    /// Nothing rings any more.
    pub(super) fn is_over(&self) -> bool {
        self.phones.is_empty()
    }

    /// These phones ring as well.
    pub(super) fn join(&mut self, other: Ring) {
        self.phones.extend(other.phones);
        self.answers.extend(other.answers);
    }

    /// A phone says that it rings.
    pub(super) fn rings(&mut self, leg: LegRef) {
        if let Some(phone) = self.phones.iter_mut().find(|phone| phone.leg == leg) {
            phone.rings = true;
        }
    }

    /// One phone has refused: its agent, and what it comes to, when it was the last of his.
    pub(super) fn refused(&mut self, leg: LegRef, refusal: Refusal) -> Option<(Name, NoAnswer)> {
        let at = self.phones.iter().position(|phone| phone.leg == leg)?;
        let agent = self.phones.swap_remove(at).agent;
        let answer = self.answers.entry(agent.clone()).or_default();
        *answer = (*answer).max(NoAnswer::of(refusal));
        let answer = *answer;
        let has_another = self.phones.iter().any(|phone| phone.agent == agent);
        (!has_another).then_some((agent, answer))
    }

    /// It has rung long enough: who is left, and what it comes to. Only a phone that rings lets anybody know that
    /// nobody comes.
    pub(super) fn give_up(&mut self) -> Vec<(Name, NoAnswer)> {
        let mut left: BTreeMap<Name, NoAnswer> = BTreeMap::new();
        for phone in &self.phones {
            let before = self.answers.get(&phone.agent).copied().unwrap_or_default();
            let now = if phone.rings { NoAnswer::LetRing } else { NoAnswer::NotThere };
            let answer = left.entry(phone.agent.clone()).or_default();
            *answer = (*answer).max(before).max(now);
        }
        self.answers.extend(left.clone());
        left.into_iter().collect()
    }

    /// What it comes to when nobody answered.
    pub(super) fn outcome(&self) -> NoAnswer {
        self.answers.values().copied().max().unwrap_or_default()
    }
}

/// The agent of a call for which only one is rung.
pub(super) fn only(agents: &[Name]) -> Option<Name> {
    match agents {
        [agent] => Some(agent.clone()),
        [] | [_, _, ..] => None,
    }
}

/// What a phone shows: display name and number.
pub(super) struct Shown {
    pub(super) display: String,
    pub(super) user: String,
}

/// Asks a phone to pick up by itself. There is no standard: these two are what phones understand (Alert-Info of
/// RFC 3261 §20.4, Call-Info of §20.9).
fn auto_answer(host: &str) -> Vec<Field> {
    vec![
        ("Alert-Info", format!("<http://{host}>;info=alert-autoanswer")),
        ("Call-Info", format!("<sip:{host}>;answer-after=0")),
    ]
}

impl Switch {
    /// Rings all phones of `agent` for `call`, each by the identity that is stored for it, if there is one; `None` when
    /// none is registered or no port is free.
    pub(super) fn ring_phones(
        &mut self,
        now: Now,
        call: CallRef,
        agent: &Name,
        shown: &Shown,
        customer: Option<&Party>,
        stored: &[LegRecord],
    ) -> Option<Ring> {
        let settings = self.settings.clone();
        let settings = settings.agent(agent)?;
        let extension = settings.extension.clone();
        // A call from another phone, or to a customer of ours, is never opened without its owner's doing.
        let opens = customer.is_none() && settings.answer_mode == AnswerMode::AutoAnswer;
        let phones: Vec<_> =
            self.registrar.bindings(&extension).map(|binding| (binding.contact.clone(), binding.flow)).collect();
        let mut ring = Ring::default();
        for (contact, flow) in phones {
            let Some(mut seat) = self.take_seat(now, flow) else { continue };
            let identity = stored.iter().find(|leg| leg.peer == **agent && leg.uri == contact);
            let identity = identity.and_then(|leg| leg.dialog.clone()).unwrap_or_else(|| self.ua.new_identity(flow));
            let host = super::peers::host_of(self.settings.server.public_address.unwrap_or_else(|| flow.local.ip()));
            let invite = Invite {
                flows: vec![flow],
                uri: contact,
                to: Some(format!("sip:{extension}@{host}")),
                from: (shown.display.clone(), format!("sip:{}@{host}", shown.user)),
                contact_user: "ringback".to_owned(),
                fields: if opens { auto_answer(&host) } else { Vec::new() },
                offer: Switch::offer_from(&mut seat, &PHONE_CODECS),
                credentials: None,
                reach: Reach::Flow,
                identity,
            };
            let leg = self.ua.invite(now.tick, invite);
            let who = Who::Agent(agent.clone());
            let codecs = PHONE_CODECS.to_vec();
            let customer = customer.cloned();
            self.seat(leg, seat, NewLeg { call, who, customer, flow, phase: Phase::Inviting, codecs });
            ring.phones.push(Phone { leg, agent: agent.clone(), rings: false });
        }
        (!ring.is_over()).then_some(ring)
    }

    /// The phones of an agent as they would ring, each known by the name of its contact.
    pub(super) fn phones_of(&self, agent: &Name, name: impl Fn(&str) -> String) -> Vec<LegRecord> {
        let Some(extension) = self.settings.agent(agent).map(|agent| &agent.extension) else { return Vec::new() };
        let bindings = self.registrar.bindings(extension);
        let leg = bindings.map(|binding| {
            let dialog = UserAgent::derived_identity(&self.secret, &name(&binding.contact), binding.flow);
            let (peer, uri) = (agent.to_string(), binding.contact.clone());
            LegRecord { peer, uri, dialog: Some(dialog), ..LegRecord::default() }
        });
        leg.collect()
    }

    /// Stops all phones of a ring but the one that won.
    pub(super) fn stop_ring(&mut self, now: Now, ring: Ring, winner: Option<LegRef>, reason: Option<&'static str>) {
        for leg in ring.legs().into_iter().filter(|leg| Some(*leg) != winner) {
            self.hang_up(now, leg, reason);
        }
    }
}
