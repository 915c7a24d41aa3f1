//! The end of an attempt in which nobody talked: phones stop, and whoever is left hears why: the agent, and a customer
//! who has answered. An agent whose key would make a difference is given a moment to press it before the attempt is
//! judged (S4.6b).

use super::super::call::Story;
use super::super::end::EndCause;
use super::super::outcome::Ended;
use super::super::{CallTimer, Switch, Timer, say};
use super::{Coming, Said, Stage};
use crate::callback::retry::By;
use crate::callback::task::Outcome;
use crate::id::{CallRef, LegRef, PlayRef, TaskId};
use crate::media::Play;
use crate::time::Now;
use std::time::Duration;

impl Switch {
    /// An attempt ends before anybody talked: phones stop, the agent is told when he is there to hear it.
    pub(in crate::switch) fn finish_attempt(&mut self, now: Now, id: CallRef, outcome: Outcome, talked: Duration) {
        let Some(attempt) = self.attempting(id) else { return };
        let task = attempt.task;
        if let Stage::Telling { agent, .. } = attempt.stage {
            // Its outcome stands, and the task may be in another attempt by now: only this call is left to end.
            self.told(now, id, agent);
            return;
        }
        let stage = std::mem::replace(&mut attempt.stage, Stage::Reserving);
        self.cancel_call_timers(id);
        let (agent, customer) = self.stop_phones(now, stage);
        if let Some(agent) = agent {
            self.tell_agent(now, id, task, (agent, customer), Ended { outcome, talked, at: now.utc });
            return;
        }
        self.conclude(now, id, task, outcome, talked);
        let customer = self.tell_customer(now, id, customer, outcome);
        self.end_after(now, id, customer);
    }

    /// Tells a customer who has answered why nobody talks to him: nobody is let go in silence (security.md T36).
    /// `None`: there is nothing to say, or nobody to hear it.
    pub(super) fn tell_customer(
        &mut self,
        now: Now,
        id: CallRef,
        customer: Option<LegRef>,
        outcome: Outcome,
    ) -> Option<(LegRef, PlayRef)> {
        let customer = customer?;
        let clips = self.in_language_of(id, say::to_customer(outcome));
        let play = if clips.is_empty() { None } else { self.play(customer, Play::Clips { clips, then: None }) };
        if play.is_none() {
            self.hang_up(now, customer, None);
        }
        play.map(|play| (customer, play))
    }

    /// The call is over as soon as the customer has heard his last words.
    pub(super) fn end_after(&mut self, now: Now, id: CallRef, customer: Option<(LegRef, PlayRef)>) {
        match (customer.filter(|(leg, _)| self.legs.contains_key(leg)), self.calls.get_mut(&id)) {
            (Some((leg, play)), Some(call)) => {
                call.story = Story::Announcing { leg, play: Some(play), cause: EndCause::AttemptOver };
            }
            (Some(_), None) | (None, _) => self.end_call(now, id, EndCause::AttemptOver),
        }
    }

    /// Stops whatever rings. Who is still on the line: the agent, and a customer who has answered.
    fn stop_phones(&mut self, now: Now, stage: Stage) -> (Option<LegRef>, Option<LegRef>) {
        let (agent, customer) = match stage {
            Stage::Reserving => (None, None),
            Stage::AgentRinging(ring) => {
                self.stop_ring(now, ring, None, None);
                (None, None)
            }
            Stage::Dialling { agent, .. } => (agent, None),
            Stage::Telling { agent, customer, .. } => (Some(agent), customer.map(|(customer, _)| customer)),
            Stage::CustomerRinging { agent, customers, .. } => {
                for customer in customers {
                    self.hang_up(now, customer, None);
                }
                (agent, None)
            }
            Stage::Asking { agent, customer, .. } => (agent, Some(customer)),
            Stage::Holds { customer, agent } => {
                match agent {
                    Coming::Rings(ring) => self.stop_ring(now, ring, None, None),
                    Coming::Accepts { agent, .. } => self.hang_up(now, agent, None),
                }
                (None, Some(customer))
            }
        };
        let is_there = |leg: &LegRef| self.legs.contains_key(leg);
        (agent.filter(is_there), customer.filter(is_there))
    }

    fn tell_agent(
        &mut self,
        now: Now,
        id: CallRef,
        task: TaskId,
        (agent, customer): (LegRef, Option<LegRef>),
        ended: Ended,
    ) {
        let mut clips = say::failed_attempt(ended.outcome);
        if clips.is_empty() {
            self.conclude_as_of(now, id, task, ended);
            self.hang_up(now, agent, None);
            let customer = self.tell_customer(now, id, customer, ended.outcome);
            self.end_after(now, id, customer);
            return;
        }
        let again = self.loaded(id).and_then(|profile| profile.agent_reschedule);
        let again = again.filter(|_| self.his_key_counts(id, task, ended));
        let (mut open, mut until) = (None, now.tick);
        match again {
            Some(again) => {
                clips.extend(say::reschedule(again.key));
                open = Some(ended);
                until = now.tick + again.after_fail;
                self.timers.set(Timer::Call(id, CallTimer::Key), until);
            }
            None => self.conclude_as_of(now, id, task, ended),
        }
        let customer = self.tell_customer(now, id, customer, ended.outcome);
        let play = self.play(agent, Play::Clips { clips, then: None });
        self.set_stage(id, Stage::Telling { agent, play, until, open, customer });
    }

    /// Whether the task goes on only if the agent asks for it. One failure is rescheduled once, by whomever; and nobody
    /// asks for a number that does not exist.
    fn his_key_counts(&self, id: CallRef, task: TaskId, ended: Ended) -> bool {
        if ended.outcome == Outcome::InvalidNumber {
            return false;
        }
        let by = |said| self.verdict(id, task, ended.outcome, ended.at, said).and_then(|verdict| verdict.by);
        self.said(id) == Said::Nothing && by(Said::Nothing).is_none() && by(Said::AgentAsks) == Some(By::Agent)
    }

    /// The agent has heard how it ended, and has had his moment to ask for another try.
    pub(super) fn told_unless_waiting(&mut self, now: Now, id: CallRef) {
        if let Some(Stage::Telling { agent, play: None, until, .. }) = self.attempting(id).map(|attempt| &attempt.stage)
            && *until <= now.tick
        {
            let agent = *agent;
            self.told(now, id, agent);
        }
    }

    /// The agent is let go, or has gone.
    pub(super) fn told(&mut self, now: Now, id: CallRef, agent: LegRef) {
        self.settle_telling(now, id);
        self.hang_up(now, agent, None);
        let customer = match self.attempting(id).map(|attempt| &attempt.stage) {
            Some(Stage::Telling { customer, .. }) => *customer,
            Some(_) | None => None,
        };
        self.end_after(now, id, customer);
    }

    /// Judges an attempt whose agent was waited for.
    pub(super) fn settle_telling(&mut self, now: Now, id: CallRef) {
        let Some(attempt) = self.attempting(id) else { return };
        let task = attempt.task;
        if let Stage::Telling { open, .. } = &mut attempt.stage
            && let Some(ended) = open.take()
        {
            self.conclude_as_of(now, id, task, ended);
        }
    }
}
