//! An attempt to keep a promise, agent first:
//!
//! `Reserving → AgentRinging → AgentReady → CustomerRinging → (Talking) → closed`, or `Telling` when there is
//! something the agent should hear. The attempt is on the disk before the agent's phone rings, and the customer's
//! dialog is on the disk before his does (durability.md §2.8). An agent who does not answer costs the customer
//! nothing; a customer is never on the line without an answered agent (law 3).

use super::call::{Call, Kind, NewCall, Story};
use super::durable::Pending;
use super::end::EndCause;
use super::outcome::Refusal;
use super::ring::{ELSEWHERE, NOT_THERE, NoAnswer, Ring, Shown, only};
use super::talk::{Purpose, Stage as TalkStage, Talk};
use super::{CallTimer, Change, Switch, Timer, event, say};
use crate::callback::retry;
use crate::callback::task::{Attempt, AttemptKind, LegRecord, Outcome, Task, TaskState};
use crate::id::DialogRecord;
use crate::id::{AttemptId, CallRef, LegRef, Name, PlayRef, TaskId, Ticket};
use crate::media::Play;
use crate::number::Party;
use crate::settings::{CallbackProfile, CallerIdMode};
use crate::time::Now;
use bytes::Bytes;
use chrono::TimeDelta;
use std::time::Duration;

/// An agent who declined a callback is not offered the same one again for so long.
const DECLINED: Duration = Duration::from_secs(60);
/// After a commit that failed, the task rests for so long.
const DISK_PAUSE: TimeDelta = TimeDelta::seconds(5);

/// An attempt under way, until agent and customer talk.
#[derive(Debug)]
pub(super) struct Attempting {
    pub(super) task: TaskId,
    /// Who is reserved; later the one who has answered.
    pub(super) agents: Vec<Name>,
    pub(super) stage: Stage,
}

/// How far it is.
#[derive(Debug)]
pub(super) enum Stage {
    /// The agent is reserved; the attempt is on its way to the disk.
    Reserving,
    /// The agent's phones ring.
    AgentRinging(Ring),
    /// The agent has answered and hears for whom; meanwhile the customer's dialog goes to the disk.
    AgentReady {
        agent: LegRef,
        /// The prompt, until it has been heard.
        play: Option<PlayRef>,
        /// How the customer will be dialled; `None` for an extension.
        dialog: Option<DialogRecord>,
        /// The disk has it.
        stored: bool,
    },
    /// The customer's phone (or phones, for an extension) rings.
    CustomerRinging { agent: LegRef, customers: Vec<LegRef>, status: u16 },
    /// It is over for the customer; the agent hears why.
    Telling { agent: LegRef, play: Option<PlayRef> },
}

impl Attempting {
    pub(super) fn is_agent(&self, leg: LegRef) -> bool {
        match &self.stage {
            Stage::Reserving => false,
            Stage::AgentRinging(ring) => ring.has(leg),
            Stage::AgentReady { agent, .. } | Stage::CustomerRinging { agent, .. } | Stage::Telling { agent, .. } => {
                *agent == leg
            }
        }
    }

    pub(super) fn is_customer(&self, leg: LegRef) -> bool {
        matches!(&self.stage, Stage::CustomerRinging { customers, .. } if customers.contains(&leg))
    }

    pub(super) fn is_reserving(&self) -> bool {
        matches!(self.stage, Stage::Reserving)
    }

    pub(super) fn word(&self) -> &'static str {
        match self.stage {
            Stage::Reserving => "reserving",
            Stage::AgentRinging(_) => "agent_ringing",
            Stage::AgentReady { .. } => "agent_ready",
            Stage::CustomerRinging { .. } => "customer_ringing",
            Stage::Telling { .. } => "announcement",
        }
    }
}

// --- The agent's side ---
impl Switch {
    /// An agent is free and a promise is due: the attempt goes to the disk first.
    pub(super) fn begin_attempt(&mut self, now: Now, id: TaskId, queue: &Name, ticket: Ticket, agents: &[Name]) {
        let settings = self.settings.clone();
        let Ok(task) = self.planner.begin(now.utc, &settings, id) else { return };
        let Some(profile) = settings.profile(&task.profile) else { return };
        let attempt_id = AttemptId(self.entropy.ulid(now.utc));
        let attempt = Attempt::new(attempt_id, &task, AttemptKind::Agent, profile.ring_timeout.as_secs(), now.utc);
        if let Some(line) = self.lines.get_mut(queue) {
            line.set_standing(ticket, crate::queue::line::Standing::Offered);
        }
        let new = NewCall {
            kind: Kind::Callback,
            from: only(agents).unwrap_or_else(|| queue.clone()).to_string(),
            to: task.number.to_string(),
            customer: Some(task.number.clone()),
        };
        let call = self.begin_call(now, new);
        if let Some(call) = self.calls.get_mut(&call) {
            call.queue = Some(queue.clone());
            call.agent = only(agents);
            call.task = Some(id);
            call.story =
                Story::Attempt(Box::new(Attempting { task: id, agents: agents.to_vec(), stage: Stage::Reserving }));
        }
        self.attempt_calls.insert(id, call);
        self.attempts.entry(id).or_default().push(attempt.clone());
        let changes = vec![Change::PutTask(Box::new(task)), Change::PutAttempt(Box::new(attempt))];
        self.commit(changes, Pending::Attempt { call, task: id });
    }

    /// The attempt is on the disk: now the agent's phones may ring.
    pub(super) fn attempt_committed(&mut self, now: Now, id: CallRef, task: TaskId, stored: bool) {
        let Some(attempt) = self.attempting(id).filter(|attempt| attempt.is_reserving()) else { return };
        let agents = attempt.agents.clone();
        if !stored {
            self.forget_attempt(now, id, task);
            return;
        }
        // An agent may have dialled out, paused or logged out meanwhile: never rung then (law 5).
        let agents: Vec<Name> = agents.into_iter().filter(|agent| self.may_ring(agent)).collect();
        let Some(party) = self.planner.get(task).map(|task| task.number.clone()).filter(|_| !agents.is_empty()) else {
            self.finish_attempt(now, id, Outcome::AgentLeftEarly, Duration::ZERO);
            return;
        };
        let shown = Shown { display: format!("Callback {party}"), user: party.to_string() };
        let mut ring = Ring::default();
        for agent in &agents {
            match self.ring_phones(now, id, agent, &shown, None) {
                Some(phones) => ring.join(phones),
                None => self.pass_over(id, agent, now.tick + NOT_THERE),
            }
        }
        if ring.is_over() {
            self.finish_attempt(now, id, Outcome::AgentNoAnswer, Duration::ZERO);
            return;
        }
        let ring_for = self.queue_of(id).map_or(Duration::from_secs(20), |queue| queue.ring);
        self.set_stage(id, Stage::AgentRinging(ring));
        self.timers.set(Timer::Call(id, CallTimer::Ring), now.tick + ring_for);
        self.advance(now, task, TaskState::AgentRinging);
        let n = self.open_attempt(task).map_or(0, |attempt| {
            attempt.agent_legs.extend(agents.iter().map(|agent| LegRecord {
                peer: agent.to_string(),
                invite_at: Some(now.utc),
                ..LegRecord::default()
            }));
            attempt.n
        });
        let agent = agents.into_iter().next().expect("somebody rings");
        self.publish(event::Event::AttemptStarted { task, n, agent });
    }

    /// The disk refused the attempt: it never was.
    fn forget_attempt(&mut self, now: Now, id: CallRef, task: TaskId) {
        let settings = self.settings.clone();
        if let Some(attempts) = self.attempts.get_mut(&task) {
            attempts.pop();
        }
        let again = retry::Verdict::uncounted(retry::Next::Again(now.utc + DISK_PAUSE));
        if let Some(task) = self.planner.conclude(now.utc, &settings, task, again) {
            self.reopen_place(&task);
        }
        self.attempt_calls.remove(&task);
        self.end_call(now, id, EndCause::Failed);
    }

    /// One of the agent's phones rings.
    pub(super) fn attempt_agent_rings(&mut self, id: CallRef, leg: LegRef) {
        if let Some(Stage::AgentRinging(ring)) = self.attempting(id).map(|attempt| &mut attempt.stage) {
            ring.rings(leg);
        }
    }

    /// One of the agent's phones has refused, or (`leg` unset) the ring time is over.
    pub(super) fn attempt_agent_refused(&mut self, now: Now, id: CallRef, leg: Option<LegRef>, refusal: Refusal) {
        let Some(Stage::AgentRinging(ring)) = self.attempting(id).map(|attempt| &mut attempt.stage) else { return };
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

    /// The agent has answered: he hears for whom, and the customer's dialog goes to the disk.
    pub(super) fn attempt_agent_answered(&mut self, now: Now, id: CallRef, leg: LegRef) {
        let settings = self.settings.clone();
        let Some(attempt) = self.attempting(id) else { return };
        let Stage::AgentRinging(ring) = std::mem::replace(&mut attempt.stage, Stage::Reserving) else { return };
        let Some(winner) = ring.agent_of(leg).cloned() else { return };
        attempt.agents = vec![winner.clone()];
        let task_id = attempt.task;
        if let Some(call) = self.calls.get_mut(&id) {
            call.agent = Some(winner.clone());
        }
        self.stop_ring(now, ring, Some(leg), Some(ELSEWHERE));
        self.timers.cancel(&Timer::Call(id, CallTimer::Ring));
        // Held in this stage from here on, so that the agent's leg is never without a role.
        self.set_stage(id, Stage::AgentReady { agent: leg, play: None, dialog: None, stored: false });
        let planned = self.planner.get(task_id).cloned().and_then(|task| {
            let profile = settings.profile(&task.profile)?;
            Some((task, profile))
        });
        let Some((task, profile)) = planned else {
            self.finish_attempt(now, id, Outcome::Blocked, Duration::ZERO);
            return;
        };
        let Some((peer, uri, dialog)) = self.plan_dial(&task, profile) else {
            self.finish_attempt(now, id, Outcome::NetworkError, Duration::ZERO);
            return;
        };
        let prompt = say::agent_prompt(profile, &task.number);
        let play = if prompt.is_empty() { None } else { self.play(leg, Play::Clips { clips: prompt, then: None }) };
        self.set_stage(id, Stage::AgentReady { agent: leg, play, dialog: dialog.clone(), stored: false });
        self.advance(now, task_id, TaskState::AgentReady);
        let answered = self.ua.dialog_record(leg);
        let Some(attempt) = self.open_attempt(task_id) else { return };
        if let Some(record) = attempt.agent_legs.iter_mut().rev().find(|record| record.peer == *winner) {
            record.answered_at = Some(now.utc);
            record.uri = answered.as_ref().and_then(|dialog| dialog.remote_target.clone()).unwrap_or_default();
            record.dialog = answered;
        }
        attempt.customer_leg = Some(LegRecord { peer, uri, dialog, ..LegRecord::default() });
        let change = Change::PutAttempt(Box::new(attempt.clone()));
        self.commit(vec![change], Pending::Dial { call: id });
    }

    /// Who carries the call, whom it asks for, and under which name it will be known there.
    fn plan_dial(&mut self, task: &Task, profile: &CallbackProfile) -> Option<(String, String, Option<DialogRecord>)> {
        match &task.number {
            Party::Extension(extension) => Some((extension.to_string(), format!("sip:{extension}"), None)),
            Party::Number(_) => {
                let way = self.way_out(&task.number, &profile.dial_prefix, &profile.trunks)?;
                let flow = *self.trunks.dialable(&way.trunk).ok()?.first()?;
                let uri = self.trunks.dialled_uri(&way.trunk, &way.user);
                Some((way.trunk.to_string(), uri, Some(self.ua.new_identity(flow))))
            }
        }
    }

    /// The customer's dialog is on the disk.
    pub(super) fn dial_committed(&mut self, now: Now, id: CallRef, is_stored: bool) {
        if !is_stored {
            if let Some(Stage::AgentReady { .. }) = self.attempting(id).map(|attempt| &attempt.stage) {
                // Nothing is dialled that is not on the disk first.
                self.finish_attempt(now, id, Outcome::Blocked, Duration::ZERO);
            }
            return;
        }
        if let Some(Stage::AgentReady { stored, .. }) = self.attempting(id).map(|attempt| &mut attempt.stage) {
            *stored = true;
        }
        self.dial_when_ready(now, id);
    }

    /// A prompt has been heard to its end: the agent's, or the word that it failed.
    pub(super) fn attempt_played(&mut self, now: Now, id: CallRef, played: PlayRef) {
        let told = match self.attempting(id).map(|attempt| &mut attempt.stage) {
            Some(Stage::AgentReady { play, .. }) if *play == Some(played) => {
                *play = None;
                None
            }
            Some(Stage::Telling { play, agent }) if *play == Some(played) => Some(*agent),
            Some(_) | None => return,
        };
        match told {
            Some(agent) => {
                self.hang_up(now, agent, None);
                self.end_call(now, id, EndCause::AttemptOver);
            }
            None => self.dial_when_ready(now, id),
        }
    }
}

// --- The customer's side ---
impl Switch {
    fn dial_when_ready(&mut self, now: Now, id: CallRef) {
        let settings = self.settings.clone();
        let Some(attempt) = self.attempting(id) else { return };
        let Stage::AgentReady { agent, play: None, dialog, stored: true } = &attempt.stage else { return };
        let (agent, dialog, task_id) = (*agent, dialog.clone(), attempt.task);
        let Some(task) = self.planner.get(task_id).cloned() else { return };
        let Some(profile) = settings.profile(&task.profile) else { return };
        // Law 2, at the last moment: a customer who is on the line is not rung, and no agent waits for it.
        if self.on_line.has(&task.number) {
            self.finish_attempt(now, id, Outcome::Blocked, Duration::ZERO);
            return;
        }
        let customers = self.dial_customer(now, id, &task, profile, dialog);
        if customers.is_empty() {
            self.finish_attempt(now, id, Outcome::NetworkError, Duration::ZERO);
            return;
        }
        self.play_ringback(agent);
        self.set_stage(id, Stage::CustomerRinging { agent, customers, status: 480 });
        self.timers.set(Timer::Call(id, CallTimer::Ring), now.tick + profile.ring_timeout);
        self.advance(now, task_id, TaskState::CustomerRinging);
        self.on_customer_leg(task_id, |leg| leg.invite_at = Some(now.utc));
        self.count_dial(now, &task);
    }

    fn dial_customer(
        &mut self,
        now: Now,
        id: CallRef,
        task: &Task,
        profile: &CallbackProfile,
        dialog: Option<DialogRecord>,
    ) -> Vec<LegRef> {
        let shown = self.shown_to_customer(task, profile);
        match &task.number {
            Party::Extension(extension) => {
                let settings = self.settings.clone();
                let called = settings.agents.iter().find(|agent| *agent.extension == **extension);
                called
                    .and_then(|called| self.ring_phones(now, id, &called.name, &shown, Some(&task.number)))
                    .map_or_else(Vec::new, |ring| ring.legs())
            }
            Party::Number(_) => self
                .way_out(&task.number, &profile.dial_prefix, &profile.trunks)
                .and_then(|way| self.invite_outside(now, id, &way, &shown, &task.number, dialog))
                .into_iter()
                .collect(),
        }
    }

    /// Which number the customer sees (C14): the one he had called when it is ours, else the profile's.
    fn shown_to_customer(&self, task: &Task, profile: &CallbackProfile) -> Shown {
        let fixed = profile
            .caller_id
            .as_ref()
            .and_then(|label| self.settings.caller_ids.iter().find(|caller_id| caller_id.label == *label))
            .or_else(|| self.settings.caller_ids.first());
        let dialled = task
            .dnis
            .clone()
            .filter(|_| profile.caller_id_mode == CallerIdMode::DnisElseFixed && task.in_trunk.is_some());
        let queue = self.settings.queue(&task.queue).map(|queue| queue.number.to_string());
        let company = self.settings.system.company_name.clone();
        let display = if company.is_empty() {
            fixed.map_or_else(|| "Callback".to_owned(), |fixed| fixed.label.to_string())
        } else {
            company
        };
        let user = match &task.number {
            Party::Number(_) => dialled.or_else(|| fixed.map(|fixed| fixed.number.clone())),
            Party::Extension(_) => queue.clone(),
        };
        Shown { display, user: user.or(queue).unwrap_or_else(|| "anonymous".to_owned()) }
    }

    /// 18x from the customer's side: its own sound takes the place of our ringback.
    pub(super) fn attempt_progress(&mut self, now: Now, id: CallRef, leg: LegRef, early: Option<&Bytes>) {
        let Some(attempt) = self.attempting(id) else { return };
        let Stage::CustomerRinging { agent, customers, .. } = &attempt.stage else { return };
        let (agent, alone, task) = (*agent, customers.len() == 1, attempt.task);
        self.on_customer_leg(task, |leg| leg.ringing_at = leg.ringing_at.or(Some(now.utc)));
        if let Some(early) = early.filter(|early| alone && !early.is_empty())
            && self.settle_answer(leg, early)
        {
            self.listen(leg, agent);
        }
    }

    /// The customer has answered: greeting and notice first, then the two are joined.
    pub(super) fn attempt_customer_answered(&mut self, now: Now, id: CallRef, leg: LegRef) {
        let settings = self.settings.clone();
        let Some(attempt) = self.attempting(id) else { return };
        let Stage::CustomerRinging { agent, customers, .. } = &mut attempt.stage else { return };
        let (agent, task_id, others) = (*agent, attempt.task, std::mem::take(customers));
        for other in others.into_iter().filter(|other| *other != leg) {
            self.hang_up(now, other, Some(ELSEWHERE));
        }
        self.cancel_call_timers(id);
        let answered = self.ua.dialog_record(leg);
        self.on_customer_leg(task_id, |record| {
            record.answered_at = Some(now.utc);
            record.dialog = answered.or(record.dialog.take());
        });
        if let Some(attempt) = self.open_attempt(task_id).map(|attempt| attempt.clone()) {
            // That he answered is known to the next life, should this one end in the middle.
            self.commit(vec![Change::PutAttempt(Box::new(attempt))], Pending::Told);
        }
        self.advance(now, task_id, TaskState::Talking);
        let profile = self.planner.get(task_id).and_then(|task| settings.profile(&task.profile));
        let (greeting, record) = profile.map_or((Vec::new(), None), |profile| {
            let record = profile.record.then(|| super::Consent::by(&say::notice_of(profile)));
            (say::customer_greeting(profile), record)
        });
        let talk =
            Talk { a: agent, b: leg, purpose: Purpose::Callback, stage: TalkStage::Notice(None), record, star: None };
        self.begin_talk(now, id, talk, greeting);
    }

    /// The customer's phone has refused, or (`leg` unset) has rung as long as the profile says.
    pub(super) fn attempt_customer_refused(&mut self, now: Now, id: CallRef, leg: Option<LegRef>, refusal: Refusal) {
        let Some(attempt) = self.attempting(id) else { return };
        let Stage::CustomerRinging { customers, status, .. } = &mut attempt.stage else { return };
        if let Some(leg) = leg {
            customers.retain(|other| *other != leg);
            *status = refusal.status;
            if !customers.is_empty() {
                return;
            }
        }
        let task = attempt.task;
        self.on_customer_leg(task, |leg| leg.sip_status = Some(refusal.status));
        self.finish_attempt(now, id, refusal.outcome(), Duration::ZERO);
    }

    /// The agent hangs up before the customer has answered: the customer's phone stops at once.
    pub(super) fn attempt_agent_left(&mut self, now: Now, id: CallRef, leg: LegRef) {
        let Some(attempt) = self.attempting(id) else { return };
        match &attempt.stage {
            Stage::Telling { .. } => {
                self.let_go(leg, false);
                self.end_call(now, id, EndCause::AttemptOver);
            }
            Stage::Reserving | Stage::AgentRinging(_) | Stage::AgentReady { .. } | Stage::CustomerRinging { .. } => {
                let agent = attempt.agents.first().cloned();
                self.let_go(leg, false);
                // Whoever hangs up on a callback does not want it now. Rung again at once, the agent would hang up
                // again, and the customer's phone would ring and ring, with nothing to count it.
                if let Some(agent) = agent {
                    if let Some(desk) = self.agents.get_mut(&agent) {
                        desk.declined(now);
                    }
                    self.pass_over(id, &agent, now.tick + DECLINED);
                }
                self.finish_attempt(now, id, Outcome::AgentLeftEarly, Duration::ZERO);
            }
        }
    }

    /// Agent and customer are joined: the promise's wait is over.
    pub(super) fn attempt_joined(&mut self, now: Now, id: CallRef) {
        let Some(call) = self.calls.get(&id) else { return };
        let (agent, queue) = (call.agent.clone(), call.queue.clone());
        let wait = call.task.and_then(|task| self.planner.get(task)).map_or(0, |task| {
            u64::try_from(now.utc.signed_duration_since(task.virtual_start).num_seconds()).unwrap_or(0)
        });
        if let Some(pace) = queue.and_then(|queue| self.paces.get_mut(&queue)) {
            pace.served(now.tick);
        }
        if let Some(agent) = agent {
            self.publish(event::Event::CallAnswered { call: id, agent, wait_secs: wait });
        }
    }

    /// The conversation (or the greeting before it) is over: success is a matter of talk time (C7).
    pub(super) fn attempt_talk_over(&mut self, now: Now, id: CallRef, talked: Duration, joined: bool, by_agent: bool) {
        let settings = self.settings.clone();
        let Some(task) = self.calls.get(&id).and_then(|call| call.task) else { return };
        let profile = self.planner.get(task).and_then(|task| settings.profile(&task.profile));
        let least = profile.map_or(Duration::ZERO, |profile| profile.success_min_talk);
        let outcome = match (joined, by_agent) {
            // Zero asks for no more than the answer (S2.20).
            (_, _) if least.is_zero() => Outcome::Success,
            (true, _) if talked > least => Outcome::Success,
            (true, _) => Outcome::ShortTalk,
            (false, true) => Outcome::AgentLeftEarly,
            (false, false) => Outcome::CustomerLeftBeforeBridge,
        };
        self.conclude(now, id, task, outcome, talked);
    }
}

// --- Where it is ---
impl Switch {
    pub(super) fn advance(&mut self, now: Now, task: TaskId, state: TaskState) {
        let settings = self.settings.clone();
        // Not stored: a restart closes an open attempt wherever it was.
        let _ = self.planner.advance(now.utc, &settings, task, state);
    }

    pub(super) fn attempting(&mut self, id: CallRef) -> Option<&mut Attempting> {
        match &mut self.calls.get_mut(&id)?.story {
            Story::Attempt(attempt) => Some(attempt),
            Story::Waiting(_)
            | Story::Menu(_)
            | Story::Direct(_)
            | Story::Talking(_)
            | Story::Announcing { .. }
            | Story::Over => None,
        }
    }

    pub(super) fn set_stage(&mut self, id: CallRef, stage: Stage) {
        if let Some(attempt) = self.attempting(id) {
            attempt.stage = stage;
        }
    }

    pub(super) fn open_attempt(&mut self, task: TaskId) -> Option<&mut Attempt> {
        self.attempts.get_mut(&task)?.last_mut().filter(|attempt| attempt.outcome.is_none())
    }

    /// The ring time of the customer is over. A trunk that has not even said that it rings has failed us: nobody had a
    /// chance to answer.
    pub(super) fn attempt_rung_out(&mut self, now: Now, id: CallRef) {
        let Some(task) = self.attempting(id).map(|attempt| attempt.task) else { return };
        let record = self.open_attempt(task).and_then(|attempt| attempt.customer_leg.as_ref());
        let has_rung = record.is_none_or(|leg| leg.ringing_at.is_some());
        self.attempt_customer_refused(now, id, None, Refusal { status: 408, local: !has_rung });
    }

    pub(super) fn on_customer_leg(&mut self, task: TaskId, change: impl FnOnce(&mut LegRecord)) {
        if let Some(leg) = self.open_attempt(task).and_then(|attempt| attempt.customer_leg.as_mut()) {
            change(leg);
        }
    }

    pub(super) fn queue_of(&self, id: CallRef) -> Option<&crate::settings::Queue> {
        self.calls.get(&id).and_then(|call: &Call| self.settings.queue(call.queue.as_ref()?))
    }
}
