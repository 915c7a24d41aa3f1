//! Ways to the customer: the trunks in their order, each followed by its failovers, and on each the identities it may
//! show (C14). One that fails for a reason of its own is followed by the next within the same attempt; each further
//! INVITE is on the disk before it leaves, like the first.

use super::super::direct::WayOut;
use super::super::durable::Pending;
use super::super::ring::Shown;
use super::super::{CallTimer, Change, Switch, Timer};
use super::{Accept, Stage};
use crate::callback::task::{Attempt, LegRecord, Outcome, Side, Task, TaskState};
use crate::callback::window::{Whom, Window};
use crate::id::{CallRef, DialogRecord, LegRef, Name, TaskId};
use crate::limits;
use crate::number::{self, Party};
use crate::route;
use crate::settings::{CallbackProfile, CallerId, CallerIdMode, DidPattern, Settings};
use crate::sip::user_agent::UserAgent;
use crate::time::{Now, Tick};
use std::collections::VecDeque;
use std::time::Duration;

/// One way to dial the customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::switch) struct Dial {
    trunk: Name,
    /// The user part of the Request-URI there.
    user: String,
    /// What is shown to him.
    display: String,
    number: String,
}

impl Switch {
    /// All ways to the customer of a task, in the order in which they are tried; none for an extension, which is rung
    /// at its bindings.
    pub(super) fn ways_to(&self, task: &Task, profile: &CallbackProfile) -> VecDeque<Dial> {
        let Party::Number(number) = &task.number else { return VecDeque::new() };
        let ways = route::outbound(&self.settings, number, &profile.dial_prefix, &profile.trunks).unwrap_or_default();
        ways.iter()
            .flat_map(|way| {
                self.shown_to_customer(task, profile, &way.trunk).into_iter().map(|shown| Dial {
                    trunk: way.trunk.clone(),
                    user: way.user.clone(),
                    display: shown.display,
                    number: shown.user,
                })
            })
            .take(limits::INVITES_PER_ATTEMPT)
            .collect()
    }

    /// What the customer may be shown on this trunk, in order (C14): the number he had called when it is ours, the
    /// profile's, then others of the trunk. A disabled caller ID is never among them.
    fn shown_to_customer(&self, task: &Task, profile: &CallbackProfile, trunk: &Name) -> Vec<Shown> {
        let settings = &self.settings;
        let enabled = || settings.caller_ids.iter().filter(|id| id.enabled);
        let fixed = profile.caller_id.as_ref().and_then(|label| enabled().find(|id| id.label == *label));
        let its_own = enabled().filter(|id| id.trunk.as_ref() == Some(trunk));
        let nobodys = enabled().filter(|id| id.trunk.is_none());
        let all = fixed.into_iter().chain(its_own).chain(nobodys).chain(enabled());
        let label = fixed.or_else(|| all.clone().next()).map_or("Callback", |id| &id.label);
        let mut shown: Vec<Shown> = Vec::new();
        let numbers = self.dialled_of_ours(task, profile).into_iter().map(|number| (number, label));
        for (user, label) in numbers.chain(all.map(|id| (id.number.clone(), &*id.label))) {
            if shown.len() < limits::IDENTITIES_PER_TRUNK && shown.iter().all(|shown| shown.user != user) {
                shown.push(Shown { display: self.display_name(label), user });
            }
        }
        if shown.is_empty() {
            let queue = settings.queue(&task.queue).map(|queue| queue.number.to_string());
            let user = queue.unwrap_or_else(|| "anonymous".to_owned());
            shown.push(Shown { display: self.display_name("Callback"), user });
        }
        shown
    }

    /// The company, when it has a name (S2.B10).
    fn display_name(&self, label: &str) -> String {
        let company = &self.settings.system.company_name;
        if company.is_empty() { label.to_owned() } else { company.clone() }
    }

    /// The number the customer had called, when it is to be shown and is ours: a route of his trunk leads from it
    /// (S5.18).
    fn dialled_of_ours(&self, task: &Task, profile: &CallbackProfile) -> Option<String> {
        if profile.caller_id_mode == CallerIdMode::Fixed {
            return None;
        }
        let (dialled, trunk) = (task.dnis.as_deref()?, task.in_trunk.as_deref()?);
        let route = route::inbound(&self.settings, trunk, dialled)?;
        let country = self.settings.system.default_country.as_deref();
        let number = number::read(dialled, country).map_or_else(|_| dialled.to_owned(), |party| party.to_string());
        // A route that takes whatever comes makes nothing of it ours.
        let is_ours = match &route.did {
            DidPattern::Exact(_) => true,
            DidPattern::Prefix(block) => {
                block.len() > 4 || self.settings.caller_ids.iter().any(|id| id.number == number)
            }
        };
        let is_off = |id: &CallerId| !id.enabled && id.number == number;
        (is_ours && !self.settings.caller_ids.iter().any(is_off)).then_some(number)
    }

    /// Who carries the next INVITE of an attempt when so many have gone, whom it asks for, and under which name it will
    /// be known there; ways that cannot be gone now are left out.
    pub(super) fn next_way(
        &self,
        (attempt, gone): (&Attempt, u32),
        task: &Task,
        ways: &mut VecDeque<Dial>,
    ) -> Option<LegRecord> {
        if let Party::Extension(extension) = &task.number {
            let (peer, uri) = (extension.to_string(), format!("sip:{extension}"));
            return Some(LegRecord { peer, uri, ..LegRecord::default() });
        }
        while let Some(dial) = ways.front() {
            let flow = self.trunks.dialable(&dial.trunk).ok().and_then(|flows| flows.first().copied());
            if let Some(flow) = flow.filter(|_| self.trunk_is_free(&dial.trunk)) {
                let (peer, uri) = (dial.trunk.to_string(), self.trunks.dialled_uri(&dial.trunk, &dial.user));
                let name = attempt.leg_name(Side::Customer(gone));
                let dialog = Some(UserAgent::derived_identity(&self.secret, &name, flow));
                return Some(LegRecord { peer, uri, dialog, ..LegRecord::default() });
            }
            ways.pop_front();
        }
        None
    }

    /// The phones of a customer who is an extension of ours, as they would ring for this attempt.
    pub(super) fn phones_of_customer(&self, attempt: &Attempt) -> Vec<LegRecord> {
        let Party::Extension(extension) = &attempt.number else { return Vec::new() };
        let agent = self.settings.agents.iter().find(|agent| *agent.extension == **extension);
        let name = |contact: &str| attempt.leg_name(Side::CustomerPhone(contact));
        agent.map_or_else(Vec::new, |agent| self.phones_of(&agent.name, name))
    }

    /// A phone of the customer has come to another place since it was stored: that goes to the disk, too, before it
    /// rings. False when all are where they were.
    fn store_moved_phones(&mut self, now: Now, id: CallRef, task: TaskId) -> bool {
        let Some(mut attempt) = self.open_attempt(task).cloned() else { return false };
        let phones = self.phones_of_customer(&attempt);
        if phones.iter().all(|phone| attempt.customer_phones.contains(phone)) {
            return false;
        }
        attempt.customer_phones = phones;
        if let Some(open) = self.open_attempt(task) {
            *open = attempt.clone();
        }
        if let Some(Stage::Dialling { stored, .. }) = self.attempting(id).map(|attempt| &mut attempt.stage) {
            *stored = false;
        }
        self.commit(vec![Change::PutAttempt(Box::new(attempt))], Pending::Dial { call: id });
        self.await_disk(now, id);
        true
    }

    /// The next way to the customer goes to the disk; false when there is none.
    pub(super) fn store_next_way(&mut self, now: Now, id: CallRef) -> bool {
        let Some(attempt) = self.attempting(id) else { return false };
        let (task_id, gone, mut ways) = (attempt.task, attempt.invites, std::mem::take(&mut attempt.ways));
        let Some(task) = self.planner.get(task_id).cloned() else { return false };
        let open = self.open_attempt(task_id).cloned();
        let next = open.and_then(|open| self.next_way((&open, gone), &task, &mut ways));
        let Some(attempt) = self.attempting(id) else { return false };
        attempt.ways = ways;
        let (Some(next), Stage::Dialling { dialog, .. }) = (next, &mut attempt.stage) else { return false };
        *dialog = next.dialog.clone();
        let phones = self.open_attempt(task_id).cloned().map(|open| self.phones_of_customer(&open));
        let Some(attempt) = self.open_attempt(task_id) else { return false };
        attempt.customer_phones = phones.unwrap_or_default();
        if let Some(before) = &attempt.customer_leg {
            let why = match (before.sip_status, before.invite_at) {
                (Some(status), _) => status.to_string(),
                (None, Some(_)) => "no answer".to_owned(),
                (None, None) => "no room".to_owned(),
            };
            let (from, to) = (before.peer.clone(), next.peer.clone());
            attempt.customer_leg = Some(next);
            self.note(now, id, format!("{from}: {why}; now by {to}"));
        } else {
            attempt.customer_leg = Some(next);
        }
        let Some(stored) = self.open_attempt(task_id).cloned() else { return false };
        self.commit(vec![Change::PutAttempt(Box::new(stored))], Pending::Dial { call: id });
        self.await_disk(now, id);
        true
    }

    /// The customer's dialog is on the disk.
    pub(in crate::switch) fn dial_committed(&mut self, now: Now, id: CallRef, is_stored: bool) {
        let Some(Stage::Dialling { stored, .. }) = self.attempting(id).map(|attempt| &mut attempt.stage) else {
            return;
        };
        *stored = is_stored;
        self.timers.cancel(&Timer::Call(id, CallTimer::Dialogue));
        if !is_stored {
            // Nothing is dialled that is not on the disk first.
            self.finish_attempt(now, id, Outcome::Blocked, Duration::ZERO);
            return;
        }
        self.dial_when_ready(now, id);
    }

    /// Dials the customer as soon as nothing speaks against it: the disk has it, the agent has heard his prompt and
    /// wants the call, nothing rings there any more, and the trunk takes another call.
    pub(in crate::switch) fn dial_when_ready(&mut self, now: Now, id: CallRef) {
        let Some(profile) = self.loaded(id) else { return };
        let Some(attempt) = self.attempting(id) else { return };
        let Stage::Dialling { agent, play, accept: Accept::Given, dialog, stored: true } = &attempt.stage else {
            return;
        };
        // C22: the customer's INVITE leaves at the end of the prompt, unless it may begin in the middle of it.
        if play.is_some() && !profile.agent_prompt_overlap {
            return;
        }
        let (agent, play, dialog, task_id) = (*agent, *play, dialog.clone(), attempt.task);
        let is_first = attempt.invites == 0;
        let dial = attempt.ways.front().cloned();
        let Some(task) = self.planner.get(task_id).cloned() else { return };
        // Law 2, at the last moment: a customer who is on the line is not rung, and no agent waits for it. What rings
        // there on the way that has failed is waited for.
        if self.on_line.has(&task.number) {
            if !self.ringing_on.values().any(|party| *party == task.number) {
                self.finish_attempt(now, id, Outcome::Blocked, Duration::ZERO);
            }
            return;
        }
        // So are lists and policies judged, which may have changed since the agent was rung.
        // And the hours, which may have ended while the agent took his time; another way is part of the same dial.
        let is_open = !is_first || is_within_hours(&self.settings, &profile, &task, now);
        if !is_open || self.why_forbidden(now, &task).is_some() {
            self.finish_attempt(now, id, Outcome::Blocked, Duration::ZERO);
            return;
        }
        if dial.as_ref().is_some_and(|dial| !self.trunk_has_room(&dial.trunk)) {
            return self.dial_another_way(now, id);
        }
        if let Some(at) = dial.as_ref().and_then(|dial| self.trunk_rests_until(&dial.trunk, now.tick)) {
            self.timers.set(Timer::Call(id, CallTimer::Dial), at);
            return;
        }
        if self.store_moved_phones(now, id, task_id) {
            return;
        }
        let customers = self.invite_customer(now, id, &task, dial, dialog);
        if customers.is_empty() {
            self.finish_attempt(now, id, Outcome::NetworkError, Duration::ZERO);
            return;
        }
        if let Some(agent) = agent.filter(|_| play.is_none()) {
            self.play_ringback(agent);
        }
        self.set_stage(id, Stage::CustomerRinging { agent, play, customers, early: false, status: 480 });
        self.timers.set(Timer::Call(id, CallTimer::Ring), now.tick + profile.ring_timeout);
        self.advance(now, task_id, TaskState::CustomerRinging);
        self.on_customer_leg(task_id, |leg| leg.invite_at = Some(now.utc));
        // Another way to the same customer is not another dial: caps count what he hears of.
        let Some(attempt) = self.attempting(id) else { return };
        attempt.invites += 1;
        if attempt.invites == 1 {
            self.count_dial(now, &task);
        }
    }

    /// The trunk that was free when the customer's dialog went to the disk is full now: another one, or none.
    fn dial_another_way(&mut self, now: Now, id: CallRef) {
        if let Some(Stage::Dialling { stored, .. }) = self.attempting(id).map(|attempt| &mut attempt.stage) {
            *stored = false;
        }
        if !self.store_next_way(now, id) {
            self.finish_attempt(now, id, Outcome::Blocked, Duration::ZERO);
        }
    }

    fn invite_customer(
        &mut self,
        now: Now,
        id: CallRef,
        task: &Task,
        dial: Option<Dial>,
        dialog: Option<DialogRecord>,
    ) -> Vec<LegRef> {
        match &task.number {
            Party::Extension(extension) => {
                let settings = self.settings.clone();
                let queue = settings.queue(&task.queue).map(|queue| queue.number.to_string());
                let user = queue.unwrap_or_else(|| "anonymous".to_owned());
                let shown = Shown { display: self.display_name("Callback"), user };
                let called = settings.agents.iter().find(|agent| *agent.extension == **extension);
                let phones = self.open_attempt(task.id).map_or_else(Vec::new, |open| open.customer_phones.clone());
                called
                    .and_then(|called| self.ring_phones(now, id, &called.name, &shown, Some(&task.number), &phones))
                    .map_or_else(Vec::new, |ring| ring.legs())
            }
            Party::Number(_) => {
                let Some(dial) = dial else { return Vec::new() };
                let (way, shown) =
                    (WayOut { trunk: dial.trunk, user: dial.user }, Shown { display: dial.display, user: dial.number });
                self.invite_outside(now, id, &way, &shown, &task.number, dialog).into_iter().collect()
            }
        }
    }

    /// One way has failed for a reason of its own: the next is tried in the same attempt. A refused identity is
    /// followed by the next one, a trunk that fails by the next trunk (interop trap; S1.B16). False when none is left.
    /// Only for a phone that has not rung.
    pub(super) fn try_next_way(&mut self, now: Now, id: CallRef, outcome: Outcome) -> bool {
        let Some(attempt) = self.attempting(id) else { return false };
        let Stage::CustomerRinging { agent, customers, .. } = &mut attempt.stage else { return false };
        let (agent, ringing) = (*agent, std::mem::take(customers));
        let failed = attempt.ways.pop_front();
        match outcome {
            Outcome::CallerIdRefused => {}
            Outcome::NetworkError => {
                attempt.ways.retain(|way| failed.as_ref().is_none_or(|failed| way.trunk != failed.trunk));
            }
            _ => attempt.ways.clear(), // The customer himself, or his network, has said no.
        }
        attempt.stage = Stage::Dialling { agent, play: None, accept: Accept::Given, dialog: None, stored: false };
        let is_left = !attempt.ways.is_empty();
        self.cancel_call_timers(id);
        for customer in ringing {
            self.hang_up(now, customer, None);
        }
        is_left && self.store_next_way(now, id)
    }

    /// What still rang at a customer's has stopped: his attempt may go on by another way.
    pub(in crate::switch) fn customer_is_quiet(&mut self, now: Now, party: &Party) {
        let attempt = self.planner.active(party).and_then(|task| self.attempt_calls.get(&task).copied());
        if let Some(call) = attempt {
            self.dial_when_ready(now, call);
        }
    }

    /// Until when a trunk takes no further call, when it has taken `max_cps` within the last second.
    pub(in crate::switch) fn trunk_rests_until(&self, trunk: &Name, now: Tick) -> Option<Tick> {
        let most = self.settings.trunk(trunk)?.max_cps as usize;
        let starts = self.trunk_starts.get(trunk)?;
        let full = starts.len().checked_sub(most)?;
        starts.get(full).map(|start| *start + Duration::from_secs(1)).filter(|until| *until > now)
    }

    /// A call begins on a trunk: `max_cps`.
    pub(in crate::switch) fn trunk_starts_call(&mut self, trunk: &Name, now: Tick) {
        let starts = self.trunk_starts.entry(trunk.clone()).or_default();
        while starts.front().is_some_and(|start| *start + Duration::from_secs(1) <= now) {
            starts.pop_front();
        }
        starts.push_back(now);
    }
}

/// Whether the customer may be dialled at this hour (model.md I7).
fn is_within_hours(settings: &Settings, profile: &CallbackProfile, task: &Task, now: Now) -> bool {
    Window::of(settings, &Whom::of(profile, task), now.utc).is_open(now.utc)
}
