//! The customer's side of an attempt: his phone rings, he answers, is perhaps asked whether he wants the call, and is
//! joined with the agent.

use super::super::durable::Pending;
use super::super::outcome::Refusal;
use super::super::ring::ELSEWHERE;
use super::super::talk::{Purpose, Stage as TalkStage, Talk};
use super::super::{CallTimer, Change, Switch, Timer, event, say};
use super::{Coming, Form, Stage};
use crate::callback::ledger;
use crate::callback::task::{LegRecord, Outcome, Task, TaskState};
use crate::id::{CallRef, LegRef, Name, TaskId};
use crate::media::Play;
use crate::time::{Now, Tick};
use bytes::Bytes;
use std::time::Duration;

/// A success has talked longer than `success_min_talk`, not just as long.
const JUST_LONGER: Duration = Duration::from_millis(1);

impl Switch {
    /// 18x from the customer's side: its own sound takes the place of our ringback.
    pub(in crate::switch) fn attempt_progress(&mut self, now: Now, id: CallRef, leg: LegRef, sound: Option<&Bytes>) {
        let Some(attempt) = self.attempting(id) else { return };
        let Stage::CustomerRinging { agent, play, customers, .. } = &attempt.stage else { return };
        let (agent, is_prompted, alone, task) = (*agent, play.is_some(), customers.len() == 1, attempt.task);
        self.on_customer_leg(task, |leg| leg.ringing_at = leg.ringing_at.or(Some(now.utc)));
        if let Some(sound) = sound.filter(|sound| alone && !sound.is_empty())
            && self.settle_answer(leg, sound)
        {
            if let Some(Stage::CustomerRinging { early, .. }) = self.attempting(id).map(|attempt| &mut attempt.stage) {
                *early = true;
            }
            if let Some(agent) = agent.filter(|_| !is_prompted) {
                self.listen(leg, agent);
            }
        }
    }

    /// The customer has answered.
    pub(in crate::switch) fn attempt_customer_answered(&mut self, now: Now, id: CallRef, leg: LegRef) {
        let Some(attempt) = self.attempting(id) else { return };
        let Stage::CustomerRinging { agent, customers, .. } = &mut attempt.stage else { return };
        let (agent, task_id, others) = (*agent, attempt.task, std::mem::take(customers));
        for other in others.into_iter().filter(|other| *other != leg) {
            self.hang_up(now, other, Some(ELSEWHERE));
        }
        self.cancel_call_timers(id);
        let answered = self.ua.dialog_record(leg);
        if let (Some(answered), Some(attempt)) = (&answered, self.open_attempt(task_id)) {
            let is_it = |phone: &LegRecord| phone.dialog.as_ref().is_some_and(|it| it.call_id == answered.call_id);
            attempt.customer_phones.retain(|phone| !is_it(phone)); // It rings no more: the customer's leg is his.
        }
        self.on_customer_leg(task_id, |record| {
            record.answered_at = Some(now.utc);
            record.dialog = answered.or(record.dialog.take());
        });
        if let Some(attempt) = self.open_attempt(task_id).map(|attempt| attempt.clone()) {
            // That he answered is known to the next life, should this one end in the middle.
            self.commit(vec![Change::PutAttempt(Box::new(attempt))], Pending::Told);
        }
        let Some(profile) = self.loaded(id) else { return };
        let must_confirm = self.planner.get(task_id).is_some_and(|task| self.needs_confirmation(task));
        let question = match self.attempting(id).map(|attempt| attempt.form) {
            Some(Form::ClientOffer) => say::client_offer(&profile),
            Some(Form::AgentFirst | Form::CustomerFirst) if must_confirm => say::confirm_call(),
            Some(Form::AgentFirst | Form::CustomerFirst) | None => {
                self.serve_customer(now, id, agent, leg);
                return;
            }
        };
        if let Some(agent) = agent {
            // Early media has let him hear the customer: not before the customer wants it.
            self.unbridge(agent);
            self.play_ringback(agent);
        }
        let question = self.in_language_of(id, question);
        let play = self.play(leg, Play::Clips { clips: question, then: None });
        self.set_stage(id, Stage::Asking { agent, customer: leg, play });
    }

    /// Whether the customer presses a key before an agent is joined (security.md T33): when we do not know that the
    /// number is his who asked for the call.
    pub(in crate::switch) fn needs_confirmation(&self, task: &Task) -> bool {
        let rule = task.rule.as_deref().and_then(|rule| self.settings.rule(rule));
        ledger::needs_confirmation(self.policy.under(rule.and_then(|rule| rule.number_policy.as_deref())), task)
    }

    /// The customer is there and wants the call: greeting and notice first, then the two are joined. Called first, he
    /// hears the greeting and music while the agent's phone rings.
    pub(super) fn serve_customer(&mut self, now: Now, id: CallRef, agent: Option<LegRef>, customer: LegRef) {
        let Some(profile) = self.loaded(id) else { return };
        let Some(agent) = agent else {
            let music = self.queue_of(id).map_or_else(|| say::HOLD.into(), say::hold);
            let clips = self.in_language_of(id, say::customer_hello(&profile));
            let first = if clips.is_empty() { Play::Hold(music) } else { Play::Clips { clips, then: Some(music) } };
            self.play(customer, first);
            // Whoever rings from here on has a customer who waits for him.
            let Some(ring) = self.ring_agent_for(now, id, customer) else { return };
            self.set_stage(id, Stage::Holds { customer, agent: Coming::Rings(ring) });
            return;
        };
        self.talk(now, id, agent, customer, say::customer_hello(&profile));
    }

    fn ring_agent_for(&mut self, now: Now, id: CallRef, customer: LegRef) -> Option<super::super::ring::Ring> {
        // Held in a stage that knows him, whatever becomes of the agent's phones.
        self.set_stage(id, Stage::Asking { agent: None, customer, play: None });
        self.ring_agents(now, id)
    }

    /// The agent whom the customer has waited for is there.
    pub(super) fn join_holder(&mut self, now: Now, id: CallRef, customer: LegRef, agent: LegRef) {
        self.cancel_call_timers(id);
        self.hush(customer);
        self.talk(now, id, agent, customer, Vec::new());
    }

    /// The customer hears `hello`, and that he is recorded when he is.
    fn talk(&mut self, now: Now, id: CallRef, agent: LegRef, customer: LegRef, mut hello: Vec<Name>) {
        let (Some(profile), Some(task)) = (self.loaded(id), self.calls.get(&id).and_then(|call| call.task)) else {
            return;
        };
        self.advance(now, task, TaskState::Talking);
        let (purpose, stage) = (Purpose::Callback, TalkStage::Notice(None));
        let mut record = None;
        if profile.record {
            let (notice, consent) =
                self.record_if_there_is_room(now, id, say::notice_of(&profile), profile.record_required);
            (record, hello) = (consent, [hello, notice].concat());
        }
        let talk = Talk { a: agent, b: customer, purpose, stage, record, star: None };
        if profile.success_min_talk.is_zero() {
            self.attempt_kept(now, id); // Zero asks for no more than the answer (S2.20).
        }
        self.begin_talk(now, id, talk, hello);
    }

    /// The customer's phone has refused, or (`leg` unset) has rung as long as the profile says; or he has hung up
    /// before he was joined.
    pub(in crate::switch) fn attempt_customer_refused(
        &mut self,
        now: Now,
        id: CallRef,
        leg: Option<LegRef>,
        refusal: Refusal,
    ) {
        let Some(attempt) = self.attempting(id) else { return };
        match &mut attempt.stage {
            Stage::CustomerRinging { customers, status, .. } => {
                if let Some(leg) = leg {
                    customers.retain(|other| *other != leg);
                    *status = refusal.status;
                    if !customers.is_empty() {
                        return;
                    }
                }
            }
            Stage::Asking { .. } => {
                self.finish_attempt(now, id, Outcome::NotConfirmed, Duration::ZERO);
                return;
            }
            Stage::Holds { .. } => {
                self.finish_attempt(now, id, Outcome::CustomerLeftBeforeBridge, Duration::ZERO);
                return;
            }
            Stage::Reserving | Stage::AgentRinging(_) | Stage::Dialling { .. } | Stage::Telling { .. } => return,
        }
        let task = attempt.task;
        let mut has_rung = false;
        self.on_customer_leg(task, |leg| {
            leg.sip_status = Some(refusal.status);
            has_rung = leg.ringing_at.is_some();
        });
        // Whoever has heard his phone once is not rung again in the same attempt, whatever the trunk says now
        // (durability.md §2.9).
        if has_rung || !self.try_next_way(now, id, refusal.outcome()) {
            self.finish_attempt(now, id, refusal.outcome(), Duration::ZERO);
        }
    }

    /// The ring time of the customer is over. A trunk that has not even said that it rings has failed us: nobody had a
    /// chance to answer.
    pub(in crate::switch) fn attempt_rung_out(&mut self, now: Now, id: CallRef) {
        let Some(task) = self.attempting(id).map(|attempt| attempt.task) else { return };
        let record = self.open_attempt(task).and_then(|attempt| attempt.customer_leg.as_ref());
        let has_rung = record.is_none_or(|leg| leg.ringing_at.is_some());
        self.attempt_customer_refused(now, id, None, Refusal { status: 408, local: !has_rung });
    }

    /// Agent and customer are joined: the promise's wait is over.
    pub(in crate::switch) fn attempt_joined(&mut self, now: Now, id: CallRef) {
        self.await_kept(id, now.tick, Duration::ZERO);
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

    /// They talk since then, and have talked so long before: when it will have been long enough, it is stored.
    pub(in crate::switch) fn await_kept(&mut self, id: CallRef, since: Tick, before: Duration) {
        let least = self.loaded(id).map_or(Duration::ZERO, |profile| profile.success_min_talk);
        if !least.is_zero() {
            let rest = (least + JUST_LONGER).saturating_sub(before);
            self.timers.set(Timer::Call(id, CallTimer::Kept), since + rest);
        }
    }

    /// They have talked as long as a success needs: the next life knows it, should this one end in the middle. Not
    /// once the agent has said that it was a machine.
    pub(in crate::switch) fn attempt_kept(&mut self, now: Now, id: CallRef) {
        let Some(task) = self.calls.get(&id).and_then(|call| call.task).filter(|_| !self.has_asked(id)) else { return };
        let least = self.loaded(id).map_or(Duration::ZERO, |profile| profile.success_min_talk);
        let Some(attempt) = self.open_attempt(task) else { return };
        attempt.kept_at = Some(now.utc);
        attempt.talk_secs = least.as_secs();
        let kept = Change::PutAttempt(Box::new(attempt.clone()));
        self.commit(vec![kept], Pending::Told);
    }

    /// The agent has said that it was a machine: the next life is not to take it for a success.
    pub(super) fn attempt_not_kept(&mut self, id: CallRef) {
        let Some(task) = self.calls.get(&id).and_then(|call| call.task) else { return };
        if let Some(attempt) = self.open_attempt(task).filter(|attempt| attempt.kept_at.is_some()) {
            attempt.kept_at = None;
            let again = Change::PutAttempt(Box::new(attempt.clone()));
            self.commit(vec![again], Pending::Told);
        }
    }

    /// The conversation (or the greeting before it) is over: success is a matter of talk time (C7), and of what the
    /// agent says about it (S4.15).
    pub(in crate::switch) fn attempt_talk_over(
        &mut self,
        now: Now,
        id: CallRef,
        talked: Duration,
        joined: bool,
        by_agent: bool,
    ) {
        if let Some((task, outcome)) = self.outcome_of_talk(id, talked, joined, by_agent) {
            self.conclude(now, id, task, outcome, talked);
        }
    }

    /// The agent hangs up while the customer hears the notice: he does not want this call now, and the customer is not
    /// let go in silence (security.md T36).
    pub(in crate::switch) fn attempt_agent_left_notice(&mut self, now: Now, id: CallRef, customer: LegRef) {
        let (talked, agent) = (Duration::ZERO, self.calls.get(&id).and_then(|call| call.agent.clone()));
        let Some((task, outcome)) = self.outcome_of_talk(id, talked, false, true) else { return };
        if let Some(agent) = agent.filter(|_| outcome == Outcome::AgentLeftEarly) {
            self.wants_it_not_now(now, id, &agent);
        }
        self.conclude(now, id, task, outcome, talked);
        self.rest_after(now, id, Purpose::Callback);
        let customer = self.tell_customer(now, id, Some(customer), outcome);
        self.end_after(now, id, customer);
    }

    fn outcome_of_talk(
        &self,
        id: CallRef,
        talked: Duration,
        joined: bool,
        by_agent: bool,
    ) -> Option<(TaskId, Outcome)> {
        let task = self.calls.get(&id)?.task?;
        let least = self.loaded(id).map_or(Duration::ZERO, |profile| profile.success_min_talk);
        let outcome = match (joined, by_agent) {
            _ if self.has_asked(id) => Outcome::VoicemailAgent,
            // Zero asks for no more than the answer (S2.20).
            (_, _) if least.is_zero() => Outcome::Success,
            (true, _) if talked > least => Outcome::Success,
            (true, _) => Outcome::ShortTalk,
            (false, true) => Outcome::AgentLeftEarly,
            (false, false) => Outcome::CustomerLeftBeforeBridge,
        };
        Some((task, outcome))
    }
}
