//! The agent's side of an attempt: he is reserved, rung, told for whom, and asked whether he wants the call.

use super::super::call::{Kind, NewCall, Story};
use super::super::durable::Pending;
use super::super::end::EndCause;
use super::super::offer::PROMISE_WAIT;
use super::super::outcome::Refusal;
use super::super::ring::{ELSEWHERE, NOT_THERE, NoAnswer, Ring, Shown, only};
use super::super::{CallTimer, Change, Switch, Timer, event, say};
use super::{Accept, Attempting, Coming, DECLINED, Form, Loaded, Said, Stage};
use crate::callback::retry;
use crate::callback::task::{Attempt, AttemptKind, LegRecord, Outcome, Side, Task, TaskState};
use crate::id::{AttemptId, CallRef, DialogRecord, LegRef, Name, PlayRef, TaskId, Ticket};
use crate::media::Play;
use crate::settings::{AgentAccept, CallbackProfile, FirstParty};
use crate::time::Now;
use chrono::TimeDelta;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// After a commit that failed, the task rests for so long.
const DISK_PAUSE: TimeDelta = TimeDelta::seconds(5);

impl Switch {
    /// An agent is free and a promise is due: the attempt goes to the disk first.
    pub(in crate::switch) fn begin_attempt(
        &mut self,
        now: Now,
        id: TaskId,
        queue: &Name,
        ticket: Ticket,
        agents: &[Name],
    ) {
        if self.is_forbidden(now, id) {
            return;
        }
        let settings = self.settings.clone();
        let Ok(task) = self.planner.begin(now.utc, &settings, id) else { return };
        let Some(profile) = settings.profile(&task.profile) else { return };
        if let Some(line) = self.lines.get_mut(queue) {
            line.set_standing(ticket, crate::queue::line::Standing::Offered);
        }
        self.claim_anew(id);
        let form = match profile.first_party {
            FirstParty::Agent => Form::AgentFirst,
            FirstParty::Customer => Form::CustomerFirst,
        };
        self.load_attempt(now, task, profile, form, Some(queue), agents);
    }

    /// An attempt begins, with its settings as they are now.
    pub(super) fn load_attempt(
        &mut self,
        now: Now,
        task: Task,
        profile: &CallbackProfile,
        form: Form,
        queue: Option<&Name>,
        agents: &[Name],
    ) {
        let attempt_id = AttemptId(self.entropy.ulid(now.utc));
        let kind = match form {
            Form::AgentFirst | Form::CustomerFirst => AttemptKind::Agent,
            Form::ClientOffer => AttemptKind::ClientOffer,
        };
        let mut attempt = Attempt::new(attempt_id, &task, kind, profile.ring_timeout.as_secs(), now.utc);
        let mut ways = VecDeque::new();
        if form != Form::AgentFirst {
            ways = self.ways_to(&task, profile);
            attempt.customer_leg = self.next_way((&attempt, 0), &task, &mut ways);
            attempt.customer_phones = self.phones_of_customer(&attempt);
        }
        attempt.agent_legs = agents.iter().flat_map(|agent| self.phones_for(&attempt, agent)).collect();
        let from =
            only(agents).or_else(|| queue.cloned()).map_or_else(|| "ringback".to_owned(), |name| name.to_string());
        let (to, customer) = (task.number.to_string(), Some(task.number.clone()));
        let call = self.begin_call(now, NewCall { kind: Kind::Callback, from, to, customer });
        if let Some(call) = self.calls.get_mut(&call) {
            call.queue = queue.cloned();
            call.agent = only(agents);
            call.task = Some(task.id);
            call.origin = task.origin_call;
            call.loaded = Some(Loaded { profile: Arc::new(profile.clone()), said: Said::Nothing });
            let begun =
                Attempting { task: task.id, agents: agents.to_vec(), form, ways, invites: 0, stage: Stage::Reserving };
            call.story = Story::Attempt(Box::new(begun));
        }
        self.attempt_calls.insert(task.id, call);
        self.attempts.entry(task.id).or_default().push(attempt.clone());
        let id = task.id;
        // An end that the disk has refused, or may yet, goes along, or one number would have two open attempts there.
        let mut changes = self.owed_ends(&attempt.number, id);
        changes.extend([Change::PutTask(Box::new(task)), Change::PutAttempt(Box::new(attempt))]);
        self.commit(changes, Pending::Attempt { call, task: id });
        self.await_disk(now, call);
    }

    /// The disk has so long to take what the attempt waits for.
    pub(super) fn await_disk(&mut self, now: Now, id: CallRef) {
        self.timers.set(Timer::Call(id, CallTimer::Dialogue), now.tick + PROMISE_WAIT);
    }

    /// The disk hangs. An agent is free for whoever is on the phone (P13), and one who has answered is not left in
    /// silence. What comes to the disk late is closed there by what follows it; no other attempt begins until it
    /// answers.
    pub(in crate::switch) fn attempt_not_stored_yet(&mut self, now: Now, id: CallRef) {
        let Some(attempt) = self.attempting(id) else { return };
        let has_agent = !attempt.agents.is_empty(); // An offer keeps nobody from anything.
        if has_agent && matches!(attempt.stage, Stage::Reserving | Stage::Dialling { stored: false, .. }) {
            self.service.disk_hangs = true;
            self.finish_attempt(now, id, Outcome::Blocked, Duration::ZERO);
        }
    }

    /// The attempt is on the disk: now the first phone may ring.
    pub(in crate::switch) fn attempt_committed(&mut self, now: Now, id: CallRef, task: TaskId, stored: bool) {
        let Some(attempt) = self.attempting(id).filter(|attempt| matches!(attempt.stage, Stage::Reserving)) else {
            return;
        };
        let form = attempt.form;
        self.timers.cancel(&Timer::Call(id, CallTimer::Dialogue));
        if !stored {
            self.forget_attempt(now, id, task);
            return;
        }
        // An agent may have dialled out, paused or logged out meanwhile: never rung then (law 5).
        let has_agent = form == Form::ClientOffer || !self.willing(now, id).is_empty();
        if self.planner.get(task).is_none() || !has_agent {
            self.finish_attempt(now, id, Outcome::AgentLeftEarly, Duration::ZERO);
            return;
        }
        match form {
            Form::AgentFirst => {
                if let Some(ring) = self.ring_agents(now, id) {
                    self.set_stage(id, Stage::AgentRinging(ring));
                }
            }
            Form::CustomerFirst | Form::ClientOffer => {
                let dialog = self.open_attempt(task).and_then(|attempt| attempt.customer_leg.as_ref()?.dialog.clone());
                let accept = Accept::Given;
                self.set_stage(id, Stage::Dialling { agent: None, play: None, accept, dialog, stored: true });
                self.dial_when_ready(now, id);
            }
        }
    }

    /// Who of the reserved ones may be rung now, for the queue whose callback it is.
    fn willing(&self, now: Now, id: CallRef) -> Vec<Name> {
        let Some(call) = self.calls.get(&id) else { return Vec::new() };
        let reserved: &[Name] = match &call.story {
            Story::Attempt(attempt) => &attempt.agents,
            Story::Waiting(_)
            | Story::Menu(_)
            | Story::Direct(_)
            | Story::Talking(_)
            | Story::Announcing { .. }
            | Story::Over => &[],
        };
        reserved.iter().filter(|agent| self.may_ring(now, agent, call.queue.as_ref())).cloned().collect()
    }

    /// The phones of the reserved agents ring. When they cannot, the attempt is over.
    pub(super) fn ring_agents(&mut self, now: Now, id: CallRef) -> Option<Ring> {
        let agents = self.willing(now, id);
        let task_id = self.attempting(id)?.task;
        let (task, profile) = (self.planner.get(task_id)?, self.loaded(id)?);
        let shown = Shown { display: display(now, task, &profile), user: task.number.to_string() };
        let stored = self.open_attempt(task_id)?.clone();
        let phones: Vec<LegRecord> = agents.iter().flat_map(|agent| self.phones_for(&stored, agent)).collect();
        let mut ring = Ring::default();
        for agent in &agents {
            match self.ring_phones(now, id, agent, &shown, None, &phones) {
                Some(phones) => ring.join(phones),
                None => self.pass_over(id, agent, now.tick + NOT_THERE),
            }
        }
        let agent = agents.first().cloned().filter(|_| !ring.is_over());
        let Some(agent) = agent else {
            self.finish_attempt(now, id, Outcome::AgentNoAnswer, Duration::ZERO);
            return None;
        };
        let ring_for = self.queue_of(id).map_or(Duration::from_secs(20), |queue| queue.ring);
        self.timers.set(Timer::Call(id, CallTimer::Ring), now.tick + ring_for);
        self.advance(now, task_id, TaskState::AgentRinging);
        let has_moved = phones.iter().any(|phone| !stored.agent_legs.contains(phone));
        let attempt = self.open_attempt(task_id)?;
        attempt.agent_legs = phones.into_iter().map(|phone| LegRecord { invite_at: Some(now.utc), ..phone }).collect();
        let (n, moved) = (attempt.n, has_moved.then(|| attempt.clone()));
        if let Some(attempt) = moved {
            // One has registered from another place meanwhile. The attempt is on the disk; where it rings follows.
            self.commit(vec![Change::PutAttempt(Box::new(attempt))], Pending::Told);
        }
        self.publish(event::Event::AttemptStarted { task: task_id, n, agent });
        Some(ring)
    }

    /// The phones of an agent as they would ring for this attempt.
    fn phones_for(&self, attempt: &Attempt, agent: &Name) -> Vec<LegRecord> {
        self.phones_of(agent, |contact| attempt.leg_name(Side::Agent(agent, contact)))
    }

    /// The disk refused the attempt: it never was.
    fn forget_attempt(&mut self, now: Now, id: CallRef, task: TaskId) {
        let settings = self.settings.clone();
        if let Some(attempts) = self.attempts.get_mut(&task) {
            attempts.pop();
        }
        let at = now.utc + DISK_PAUSE;
        let form = self.attempting(id).map(|attempt| attempt.form);
        let next = if form == Some(Form::ClientOffer) { retry::Next::ClientOffer(at) } else { retry::Next::Again(at) };
        let again = retry::Verdict::uncounted(next);
        if let Some(task) = self.planner.conclude(now.utc, &settings, task, again) {
            self.reopen_place(&task);
        }
        self.attempt_calls.remove(&task);
        self.end_call(now, id, EndCause::Failed);
    }

    fn agents_ring(&mut self, id: CallRef) -> Option<&mut Ring> {
        match &mut self.attempting(id)?.stage {
            Stage::AgentRinging(ring) | Stage::Holds { agent: Coming::Rings(ring), .. } => Some(ring),
            Stage::Reserving
            | Stage::Dialling { .. }
            | Stage::CustomerRinging { .. }
            | Stage::Asking { .. }
            | Stage::Holds { .. }
            | Stage::Telling { .. } => None,
        }
    }

    /// One of the agent's phones rings.
    pub(in crate::switch) fn attempt_agent_rings(&mut self, id: CallRef, leg: LegRef) {
        if let Some(ring) = self.agents_ring(id) {
            ring.rings(leg);
        }
    }

    /// One of the agent's phones has refused, or (`leg` unset) the ring time is over.
    pub(in crate::switch) fn attempt_agent_refused(
        &mut self,
        now: Now,
        id: CallRef,
        leg: Option<LegRef>,
        refusal: Refusal,
    ) {
        let Some(ring) = self.agents_ring(id) else { return };
        let gone = match leg {
            Some(leg) => Vec::from_iter(ring.refused(leg, refusal)),
            None => ring.give_up(),
        };
        let outcome = match ring.outcome() {
            NoAnswer::Declined => Outcome::AgentDeclined,
            NoAnswer::LetRing | NoAnswer::NotThere => Outcome::AgentNoAnswer,
        };
        let is_over = leg.is_none() || ring.is_over();
        for (agent, answer) in gone {
            match answer {
                NoAnswer::Declined => {
                    if let Some(desk) = self.agents.get_mut(&agent) {
                        desk.declined(now);
                    }
                    self.pass_over(id, &agent, now.tick + DECLINED);
                }
                NoAnswer::LetRing => {
                    self.agent_let_ring(now, &agent);
                    self.tried(id, &agent);
                }
                NoAnswer::NotThere => self.pass_over(id, &agent, now.tick + NOT_THERE),
            }
        }
        if is_over {
            self.finish_attempt(now, id, outcome, Duration::ZERO);
        }
    }

    /// The agent has answered: he hears for whom, and the customer's dialog goes to the disk; or the customer is there
    /// already, and they are joined.
    pub(in crate::switch) fn attempt_agent_answered(&mut self, now: Now, id: CallRef, leg: LegRef) {
        let Some(attempt) = self.attempting(id) else { return };
        let task = attempt.task;
        match std::mem::replace(&mut attempt.stage, Stage::Reserving) {
            Stage::AgentRinging(ring) => {
                // Held in this stage from here on, so that the agent's leg is never without a role.
                let accept = Accept::Given;
                attempt.stage = Stage::Dialling { agent: Some(leg), play: None, accept, dialog: None, stored: false };
                self.agent_is_there(now, id, task, ring, leg);
                self.prepare_dial(now, id, leg);
            }
            Stage::Holds { customer, agent: Coming::Rings(ring) } => {
                attempt.stage = Stage::Holds { customer, agent: Coming::Accepts { agent: leg, play: None } };
                self.agent_is_there(now, id, task, ring, leg);
                if let Some(attempt) = self.open_attempt(task).cloned() {
                    // Both dialogs are known to the next life.
                    self.commit(vec![Change::PutAttempt(Box::new(attempt))], Pending::Told);
                }
                self.agent_for_holder(now, id, customer, leg);
            }
            stage => attempt.stage = stage, // Nothing of his rang.
        }
    }

    fn agent_is_there(&mut self, now: Now, id: CallRef, task: TaskId, ring: Ring, leg: LegRef) {
        let Some(winner) = ring.agent_of(leg).cloned() else { return };
        if let Some(attempt) = self.attempting(id) {
            attempt.agents = vec![winner.clone()];
        }
        if let Some(call) = self.calls.get_mut(&id) {
            call.agent = Some(winner.clone());
        }
        self.stop_ring(now, ring, Some(leg), Some(ELSEWHERE));
        self.timers.cancel(&Timer::Call(id, CallTimer::Ring));
        let answered = self.ua.dialog_record(leg);
        let Some(attempt) = self.open_attempt(task) else { return };
        let call_id = |dialog: Option<&DialogRecord>| dialog.map(|dialog| dialog.call_id.clone());
        let its = |record: &&mut LegRecord| call_id(record.dialog.as_ref()) == call_id(answered.as_ref());
        let Some(record) = attempt.agent_legs.iter_mut().find(its) else { return };
        record.answered_at = Some(now.utc);
        record.uri = answered.as_ref().and_then(|dialog| dialog.remote_target.clone()).unwrap_or_default();
        record.dialog = answered;
    }

    fn prepare_dial(&mut self, now: Now, id: CallRef, leg: LegRef) {
        let Some(task_id) = self.attempting(id).map(|attempt| attempt.task) else { return };
        let Some((task, profile)) = self.planner.get(task_id).cloned().zip(self.loaded(id)) else {
            self.finish_attempt(now, id, Outcome::Blocked, Duration::ZERO);
            return;
        };
        let ways = self.ways_to(&task, &profile);
        if let Some(attempt) = self.attempting(id) {
            attempt.ways = ways;
        }
        let prompt = say::agent_prompt(now, &profile, &task);
        let prompted = if prompt.is_empty() { None } else { self.play(leg, Play::Clips { clips: prompt, then: None }) };
        if let Some(Stage::Dialling { play, accept, .. }) = self.attempting(id).map(|attempt| &mut attempt.stage) {
            *play = prompted;
            *accept = accepting(&profile);
        }
        if prompted.is_none() {
            self.await_accept(now, id);
        }
        self.advance(now, task_id, TaskState::AgentReady);
        if !self.store_next_way(now, id) {
            self.finish_attempt(now, id, Outcome::NetworkError, Duration::ZERO);
        }
    }

    /// The agent for whom a customer waits has answered.
    fn agent_for_holder(&mut self, now: Now, id: CallRef, customer: LegRef, leg: LegRef) {
        let Some(profile) = self.loaded(id) else { return };
        match accepting(&profile) {
            Accept::Given => self.join_holder(now, id, customer, leg),
            Accept::Awaited => {
                let prompted = self.play(leg, Play::Clips { clips: say::agent_accept(), then: None });
                let agent = Coming::Accepts { agent: leg, play: prompted };
                self.set_stage(id, Stage::Holds { customer, agent });
            }
        }
    }

    /// A prompt has been heard to its end: the agent's, the customer's, or the word that it failed.
    pub(in crate::switch) fn attempt_played(&mut self, now: Now, id: CallRef, played: PlayRef) {
        let Some(attempt) = self.attempting(id) else { return };
        match &mut attempt.stage {
            Stage::Dialling { play, .. } if *play == Some(played) => {
                *play = None;
                self.await_accept(now, id);
                self.dial_when_ready(now, id);
            }
            Stage::Holds { agent: Coming::Accepts { play, .. }, .. } if *play == Some(played) => {
                *play = None;
                self.await_accept(now, id);
            }
            Stage::CustomerRinging { agent: Some(agent), play, customers, early, .. } if *play == Some(played) => {
                *play = None;
                let (agent, sounding) = (*agent, customers.first().copied().filter(|_| *early));
                match sounding {
                    Some(customer) => self.listen(customer, agent),
                    None => self.play_ringback(agent),
                }
            }
            Stage::Asking { play, .. } if *play == Some(played) => {
                *play = None;
                self.await_answer(now, id);
            }
            Stage::Telling { play, .. } if *play == Some(played) => {
                *play = None;
                self.told_unless_waiting(now, id);
            }
            Stage::Telling { customer, .. } => {
                if let Some((customer, _)) = customer.take_if(|(_, last)| *last == played) {
                    self.hang_up(now, customer, None);
                }
            }
            _ => {} // Of a stage that has been left.
        }
    }

    /// Whoever hangs up on a callback does not want it now. Rung again at once, the agent would hang up again, and the
    /// customer's phone would ring and ring, with nothing to count it.
    pub(super) fn wants_it_not_now(&mut self, now: Now, id: CallRef, agent: &Name) {
        if let Some(desk) = self.agents.get_mut(agent) {
            desk.declined(now);
        }
        self.pass_over(id, agent, now.tick + DECLINED);
    }

    /// The agent hangs up before the customer has answered: the customer's phone stops at once.
    pub(in crate::switch) fn attempt_agent_left(&mut self, now: Now, id: CallRef, leg: LegRef) {
        let Some(attempt) = self.attempting(id) else { return };
        let agent = attempt.agents.first().cloned();
        let was_dialled = matches!(attempt.stage, Stage::CustomerRinging { .. } | Stage::Asking { .. });
        if let Stage::Telling { .. } = attempt.stage {
            self.let_go(leg, false);
            self.told(now, id, leg);
            return;
        }
        self.let_go(leg, false);
        if was_dialled && self.has_asked(id) {
            // What he heard of the far end was a machine (S4.6).
            self.finish_attempt(now, id, Outcome::VoicemailAgent, Duration::ZERO);
            return;
        }
        if let Some(agent) = agent {
            self.wants_it_not_now(now, id, &agent);
        }
        self.finish_attempt(now, id, Outcome::AgentLeftEarly, Duration::ZERO);
    }
}

fn accepting(profile: &CallbackProfile) -> Accept {
    match profile.agent_accept {
        AgentAccept::Auto => Accept::Given,
        AgentAccept::Key { .. } => Accept::Awaited,
    }
}

/// What the agent's phone shows: which callback, which attempt, and how long he has waited.
fn display(now: Now, task: &Task, profile: &CallbackProfile) -> String {
    let n = task.attempts_used + 1;
    let minutes = now.utc.signed_duration_since(task.virtual_start).num_minutes().max(0);
    let all = retry::attempts_allowed(profile, task);
    format!("Callback {n}/{all} {} waited {minutes} min", task.number)
}
