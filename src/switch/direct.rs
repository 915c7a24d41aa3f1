//! Direct calls: phone to phone, a number to an agent, a phone to the world. Not queued, not promised; but they know
//! the laws: a customer whom an agent dials has his callback cancelled once he answers, and nobody is rung twice.

use super::arrive::Arrival;
use super::call::{Kind, Story};
use super::end::EndCause;
use super::legs::{NewLeg, Phase, Who};
use super::ring::{ELSEWHERE, Shown};
use super::talk::{Purpose, Stage, Talk};
use super::{CallTimer, Switch, Timer};
use crate::agent::State;
use crate::callback::task::CloseReason;
use crate::id::{CallRef, LegRef, Name};
use crate::media::Play;
use crate::number::Party;
use crate::route;
use crate::sip::user_agent::{Invite, Reach};
use crate::time::Now;
use std::time::Duration;

/// How long a phone rings before the caller is told that nobody answers.
const RING: Duration = Duration::from_secs(60);

/// A call that has not been answered yet.
#[derive(Debug)]
pub(super) struct Direct {
    pub(super) caller: LegRef,
    /// Phones that ring, or the one leg outside.
    pub(super) callees: Vec<LegRef>,
    /// What the caller is told when all have refused.
    pub(super) status: u16,
}

/// One way out: trunk, flows and what is dialled.
pub(super) struct WayOut {
    pub(super) trunk: Name,
    pub(super) user: String,
}

impl Switch {
    /// Rings an agent's phones for somebody who dialled them, or was sent there. Who calls from outside finds only an
    /// agent who is ready (law 5); a colleague may disturb.
    pub(super) fn call_agent(&mut self, now: Now, id: CallRef, leg: LegRef, agent: &Name) {
        let is_own = self.legs.get(&leg).is_some_and(|leg| leg.who == Who::Agent(agent.clone()));
        let is_free = !is_own && self.has_a_free_line(agent);
        let from_outside = self.calls.get(&id).is_some_and(|call| call.kind == Kind::Inbound);
        let rung = if is_free && (!from_outside || self.is_ready(now, agent)) { vec![agent.clone()] } else { vec![] };
        let (status, cause) = if is_free { (480, EndCause::NotReachable) } else { (486, EndCause::NotReachable) };
        self.call_people(now, id, leg, &rung, (status, cause));
    }

    /// Rings all agents of a group who are ready; the first to answer wins.
    pub(super) fn call_group(&mut self, now: Now, id: CallRef, leg: LegRef, group: &Name) {
        let settings = self.settings.clone();
        let members = settings.group(group).map_or(&[][..], |group| &group.agents);
        let ready: Vec<Name> = members.iter().filter(|agent| self.is_ready(now, agent)).cloned().collect();
        self.call_people(now, id, leg, &ready, (480, EndCause::NotReachable));
    }

    /// Whether an agent would be offered a call now: there, willing, idle and rested.
    fn is_ready(&mut self, now: Now, agent: &Name) -> bool {
        self.refresh_desks(now);
        self.agents.get(agent).is_some_and(|desk| *desk.state() == State::Ready)
    }

    fn call_people(&mut self, now: Now, id: CallRef, caller: LegRef, agents: &[Name], nobody: (u16, EndCause)) {
        let Some(shown) = self.calls.get(&id).map(|call| call.from.clone()) else { return };
        let shown = Shown { display: shown.clone(), user: shown };
        let mut callees = Vec::new();
        for agent in agents {
            let party = self.settings.agent(agent).map(|agent| Party::Extension((&*agent.extension).into()));
            if let Some(ring) = self.ring_phones(now, id, agent, &shown, party.as_ref(), &[]) {
                callees.extend(ring.legs());
            }
        }
        if callees.is_empty() {
            let (status, cause) = nobody;
            self.turn_away(now, id, caller, status, vec!["call_later".into()], cause);
            return;
        }
        if self.is_answered(caller) {
            self.play_ringback(caller);
        } else {
            self.ring_back(now, caller, false);
        }
        self.begin_direct(now, id, Direct { caller, callees, status: 480 });
    }

    /// Dials outside for an agent's phone.
    pub(super) fn call_outside(&mut self, now: Now, arrival: Arrival, agent: &Name) {
        let country = self.settings.system.default_country.as_deref();
        let Ok(party) = crate::number::read(&arrival.dialled, country) else {
            self.ua.refuse(now.tick, arrival.leg, 404, Vec::new());
            return;
        };
        if self.policy.judge(&party, None, now.utc).is_err() {
            self.ua.refuse(now.tick, arrival.leg, 403, Vec::new());
            return;
        }
        // Law 2: a customer who is on the line with us, or is being rung, is not rung a second time.
        if self.on_line.has(&party) {
            self.ua.refuse(now.tick, arrival.leg, 486, Vec::new());
            return;
        }
        let Some(way) = self.way_out(&party, "", &[]) else {
            self.ua.refuse(now.tick, arrival.leg, 404, Vec::new());
            return;
        };
        if !self.may_call_outside(now, agent, arrival.flow.remote.ip()) {
            self.ua.refuse(now.tick, arrival.leg, 403, Vec::new());
            return;
        }
        let shown = self.shown_outside(&way.trunk);
        let caller = arrival.leg;
        let Some(call) = self.take_in(now, &arrival, Kind::Outbound) else { return };
        if let Some(call) = self.calls.get_mut(&call) {
            call.customer = Some(party.clone());
            call.agent = Some(agent.clone());
        }
        match self.invite_outside(now, call, &way, &shown, &party, None) {
            Some(callee) => {
                self.ring_back(now, caller, false);
                self.begin_direct(now, call, Direct { caller, callees: vec![callee], status: 480 });
            }
            None => self.refuse_call(now, call, caller, 503, EndCause::Failed),
        }
    }

    /// The first trunk on the way to a number that can be dialled now.
    pub(super) fn way_out(&self, party: &Party, dial_prefix: &str, trunks: &[Name]) -> Option<WayOut> {
        let ways = route::outbound(&self.settings, party.as_str(), dial_prefix, trunks).ok()?;
        ways.into_iter()
            .find(|way| self.trunk_is_free(&way.trunk))
            .map(|way| WayOut { user: way.user, trunk: way.trunk })
    }

    /// Whether a trunk is up and has room.
    pub(super) fn trunk_is_free(&self, trunk: &Name) -> bool {
        self.trunk_has_room(trunk) && self.trunks.dialable(trunk).is_ok()
    }

    /// Whether a trunk is below its `max_calls`; one that takes no new calls at all (`max_cps` 0) never is.
    pub(super) fn trunk_has_room(&self, trunk: &Name) -> bool {
        let trunk_of = self.settings.trunk(trunk).filter(|trunk| trunk.max_cps > 0);
        let most = trunk_of.map_or(0, |trunk| trunk.max_calls as usize);
        self.trunk_load.get(trunk).copied().unwrap_or(0) < most
    }

    /// What a trunk shows of us when an agent dials: its own caller ID, else one of no trunk, else any. A disabled one
    /// is never among them.
    fn shown_outside(&self, trunk: &Name) -> Shown {
        let mut enabled = self.settings.caller_ids.iter().filter(|id| id.enabled);
        let own = enabled.clone().find(|id| id.trunk.as_ref() == Some(trunk));
        let nobodys = || enabled.clone().find(|id| id.trunk.is_none());
        let caller_id = own.or_else(nobodys).or_else(|| enabled.next());
        Shown {
            display: self.settings.system.company_name.clone(),
            user: caller_id.map_or_else(|| "anonymous".to_owned(), |id| id.number.clone()),
        }
    }

    /// Sends an INVITE through a trunk. `identity` is given when it was stored beforehand.
    pub(super) fn invite_outside(
        &mut self,
        now: Now,
        call: CallRef,
        way: &WayOut,
        shown: &Shown,
        party: &Party,
        identity: Option<crate::id::DialogRecord>,
    ) -> Option<LegRef> {
        let settings = self.settings.clone();
        let trunk = settings.trunk(&way.trunk)?;
        let flows = self.trunks.dialable(&way.trunk).ok()?.to_vec();
        let flow = *flows.first()?;
        let mut seat = self.take_seat(now, flow)?;
        let codecs = trunk.codecs.clone();
        let (from, fields) = self.trunks.identity_fields(&way.trunk, &shown.user, &shown.display, flow);
        let uri = self.trunks.dialled_uri(&way.trunk, &way.user);
        let identity = match identity {
            Some(identity) => identity,
            None => self.ua.new_identity(flow),
        };
        let invite = Invite {
            flows,
            uri,
            to: None,
            from,
            contact_user: self.trunks.contact_user(&way.trunk),
            fields,
            offer: Switch::offer_from(&mut seat, &codecs),
            credentials: self.trunks.credentials(&way.trunk),
            reach: Reach::Contact,
            identity,
        };
        let leg = self.ua.invite(now.tick, invite);
        self.trunk_starts_call(&way.trunk, now.tick);
        let who = Who::Trunk(way.trunk.clone());
        let customer = Some(party.clone());
        self.seat(leg, seat, NewLeg { call, who, customer, flow, phase: Phase::Inviting, codecs });
        Some(leg)
    }

    fn begin_direct(&mut self, now: Now, id: CallRef, direct: Direct) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.story = Story::Direct(direct);
        }
        self.timers.set(Timer::Call(id, CallTimer::Ring), now.tick + RING);
    }

    /// 18x from a callee: the caller hears the far end's own sound, if it sends one.
    pub(super) fn direct_progress(&mut self, now: Now, id: CallRef, callee: LegRef, early: Option<&bytes::Bytes>) {
        let Some(Story::Direct(direct)) = self.calls.get(&id).map(|call| &call.story) else { return };
        let (caller, alone) = (direct.caller, direct.callees.len() == 1);
        let Some(early) = early.filter(|early| alone && !early.is_empty()) else { return };
        if self.settle_answer(callee, early) {
            if !self.is_answered(caller) {
                self.ring_back(now, caller, true);
            }
            self.listen(callee, caller);
        }
    }

    /// A callee has answered: the others stop, the two talk.
    pub(super) fn direct_answered(&mut self, now: Now, id: CallRef, callee: LegRef) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let (kind, customer) = (call.kind, call.customer.clone());
        let Story::Direct(direct) = std::mem::replace(&mut call.story, Story::Over) else { return };
        self.cancel_call_timers(id);
        for other in direct.callees.into_iter().filter(|other| *other != callee) {
            self.hang_up(now, other, Some(ELSEWHERE));
        }
        // He is served: by whom he dialled, or by who has dialled him.
        let reason = match kind {
            Kind::Outbound => Some(CloseReason::AgentDialled),
            Kind::Inbound => Some(CloseReason::CustomerCalled),
            Kind::Callback | Kind::Internal | Kind::Service => None,
        };
        if let (Some(reason), Some(customer)) = (reason, customer) {
            self.close_open_tasks(now, &customer, reason);
        }
        self.answer_once(now, direct.caller);
        // Who calls from outside is the customer of this talk, whoever answers its agent.
        let (a, b) = if kind == Kind::Inbound { (callee, direct.caller) } else { (direct.caller, callee) };
        if let (Kind::Inbound, Some(Who::Agent(agent))) = (kind, self.legs.get(&callee).map(|leg| leg.who.clone()))
            && let Some(call) = self.calls.get_mut(&id)
        {
            call.agent = Some(agent);
        }
        let talk = Talk { a, b, purpose: Purpose::Direct, stage: Stage::Notice(None), record: None, star: None };
        self.begin_talk(now, id, talk, Vec::new());
    }

    /// A callee has refused (or the ring time is over: 408); the last one decides what the caller is told.
    pub(super) fn direct_refused(&mut self, now: Now, id: CallRef, callee: Option<LegRef>, status: u16) {
        let Some(Story::Direct(direct)) = self.calls.get_mut(&id).map(|call| &mut call.story) else { return };
        match callee {
            Some(callee) => {
                direct.callees.retain(|other| *other != callee);
                direct.status = status;
            }
            None => direct.status = 480,
        }
        let (caller, told) = (direct.caller, direct.status);
        if callee.is_some() && !direct.callees.is_empty() {
            return;
        }
        let left = std::mem::take(&mut direct.callees);
        for callee in left {
            self.hang_up(now, callee, None);
        }
        let (told, cause) = match told {
            486 | 600 => (486, EndCause::Busy),
            603 => (603, EndCause::Declined),
            404 | 410 | 484 | 604 => (404, EndCause::NotReachable),
            408 | 480 | 487 => (480, EndCause::NoAnswer),
            503 => (503, EndCause::Failed),
            // Whatever a far end invents: the caller only needs to know that it failed.
            _ => (480, EndCause::NotReachable),
        };
        self.turn_away(now, id, caller, told, vec!["call_later".into()], cause);
    }

    /// The caller gives up while it rings.
    pub(super) fn direct_caller_left(&mut self, now: Now, id: CallRef) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Story::Direct(direct) = std::mem::replace(&mut call.story, Story::Over) else { return };
        self.let_go(direct.caller, false);
        for callee in direct.callees {
            self.hang_up(now, callee, None);
        }
        self.end_call(now, id, EndCause::GaveUp);
    }

    /// The tone that a party hears while the other rings and sends nothing.
    pub(super) fn play_ringback(&mut self, leg: LegRef) {
        self.play(leg, Play::Ringback);
    }
}
