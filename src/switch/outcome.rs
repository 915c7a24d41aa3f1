//! How an attempt ends: what a refusal means, what the agent hears of it, and what follows for the task. Each attempt
//! gets exactly one outcome, here.

use super::attempt::{Coming, Stage};
use super::durable::Pending;
use super::end::EndCause;
use super::{Change, Switch, Timer, event, say};
use crate::callback::retry::{self, History, Next};
use crate::callback::task::{Outcome, Task, TaskState};
use crate::id::{CallRef, Name, TaskId};
use crate::media::Play;
use crate::time::{Now, Tick};
use std::time::Duration;

/// How a customer's phone refused.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    /// Nobody said so: no answer at all, or the network's.
    pub(super) local: bool,
}

impl Refusal {
    /// The SIP map of model.md.
    pub(super) fn outcome(self) -> Outcome {
        match (self.status, self.local) {
            (408 | 503, true) => Outcome::NetworkError,
            (486 | 600, _) => Outcome::Busy,
            (480 | 408 | 487, _) => Outcome::NoAnswer,
            (603 | 607 | 608, _) => Outcome::Rejected,
            (404 | 410 | 484 | 604, _) => Outcome::InvalidNumber,
            (403, _) => Outcome::CallerIdRefused,
            (500..600, _) => Outcome::NetworkError,
            // 3xx (never followed, T19), other 4xx and 6xx: the far end does not want this call.
            _ => Outcome::Rejected,
        }
    }
}

impl Switch {
    /// An attempt ends before anybody talked: phones stop, the agent is told when he is there to hear it.
    pub(super) fn finish_attempt(&mut self, now: Now, id: CallRef, outcome: Outcome, talked: Duration) {
        let Some(attempt) = self.attempting(id) else { return };
        let task = attempt.task;
        if let Stage::Telling { agent, .. } = attempt.stage {
            // Concluded already, and the task may be in another attempt by now: only this call is left to end.
            self.hang_up(now, agent, None);
            self.end_call(now, id, EndCause::AttemptOver);
            return;
        }
        let stage = std::mem::replace(&mut attempt.stage, Stage::Reserving);
        self.cancel_call_timers(id);
        let mut left = None;
        let agent = match stage {
            Stage::Reserving => None,
            Stage::AgentRinging(ring) => {
                self.stop_ring(now, ring, None, None);
                None
            }
            Stage::Dialling { agent, .. } => agent,
            Stage::Telling { agent, .. } => Some(agent),
            Stage::CustomerRinging { agent, customers, .. } => {
                for customer in customers {
                    self.hang_up(now, customer, None);
                }
                agent
            }
            Stage::Asking { agent, customer, .. } => {
                // An agent who has hung up leaves nobody behind (law 3).
                if agent.is_some() {
                    self.hang_up(now, customer, None);
                } else {
                    left = Some(customer);
                }
                agent
            }
            Stage::Holds { customer, agent } => {
                left = Some(customer);
                match agent {
                    Coming::Rings(ring) => self.stop_ring(now, ring, None, None),
                    Coming::Accepts { agent, .. } => self.hang_up(now, agent, None),
                }
                None
            }
        };
        self.conclude(now, id, task, outcome, talked);
        let agent = agent.filter(|agent| self.legs.contains_key(agent));
        if let Some(customer) = left.filter(|customer| self.legs.contains_key(customer)) {
            let clips = say::to_customer(outcome);
            if !clips.is_empty() {
                // Nobody is left in silence (security.md T36).
                self.say_and_end(id, customer, clips, EndCause::AttemptOver);
                return;
            }
            self.hang_up(now, customer, None);
        }
        let clips = say::failed_attempt(outcome);
        match agent {
            Some(agent) if !clips.is_empty() => {
                let play = self.play(agent, Play::Clips { clips, then: None });
                self.set_stage(id, Stage::Telling { agent, play });
            }
            Some(agent) => {
                self.hang_up(now, agent, None);
                self.end_call(now, id, EndCause::AttemptOver);
            }
            None => self.end_call(now, id, EndCause::AttemptOver),
        }
    }

    /// Judges an attempt, stores it with its task, and gives the task its next place or its end.
    pub(super) fn conclude(&mut self, now: Now, id: CallRef, task: TaskId, outcome: Outcome, talked: Duration) {
        let settings = self.settings.clone();
        self.attempt_calls.remove(&task);
        let recording = self.calls.get(&id).and_then(|call| call.recording);
        let Some(attempt) = self.open_attempt(task) else { return };
        attempt.outcome = Some(outcome);
        attempt.ended_at = Some(now.utc);
        attempt.talk_secs = talked.as_secs();
        attempt.recording = recording;
        if let Some(leg) = attempt.customer_leg.as_mut().filter(|leg| leg.invite_at.is_some()) {
            leg.ended_at = Some(now.utc);
        }
        let was_dialled = attempt.customer_leg.as_ref().is_some_and(|leg| leg.invite_at.is_some());
        let number = attempt.number.clone();
        let (n, ended) = (attempt.n, Change::PutAttempt(Box::new(attempt.clone())));
        if was_dialled {
            self.count_end(now, &number, outcome);
        }
        self.publish(event::Event::AttemptEnded { task, n, outcome });
        let mut changes = vec![ended];
        if let Some((held, profile)) =
            self.planner.get(task).and_then(|held| Some((held.clone(), settings.profile(&held.profile)?)))
        {
            let history = self.attempts.get(&task).map_or(&[][..], Vec::as_slice);
            let before = history.len().saturating_sub(1);
            let history = History::of(&history[..before]);
            let verdict = retry::after(&settings, profile, &held, history, outcome, now.utc);
            if let Some(task) = self.planner.conclude(now.utc, &settings, task, verdict) {
                if verdict.next == Next::Unreached {
                    let (queue, number) = (task.queue.clone(), task.number.to_string());
                    self.publish(event::Event::CallbackUnreached { task: task.id, queue, number });
                }
                changes.push(Change::PutTask(Box::new(task.clone())));
                self.reopen_place(&task);
                if task.state.is_final() {
                    self.task_closed(task);
                }
            }
        }
        self.commit(changes, Pending::Told);
    }

    /// The task waits again, at its old place; or for something else than its turn, and then not in line.
    pub(super) fn reopen_place(&mut self, task: &Task) {
        if let TaskState::Overflow | TaskState::ClientOffer = task.state {
            self.out_of_line(task);
        } else if !task.state.is_final() {
            self.line_up(task);
        }
        if let Some(line) = self.lines.get_mut(&task.queue)
            && let Some(ticket) = line.ticket_of(task.id)
        {
            line.set_standing(ticket, crate::queue::line::Standing::Open);
        }
        self.serve_wanted = true;
    }

    /// This agent is not offered this promise again until then.
    pub(super) fn pass_over(&mut self, id: CallRef, agent: &Name, until: Tick) {
        let Some((task, queue)) = self.calls.get(&id).and_then(|call| Some((call.task?, call.queue.clone()?))) else {
            return;
        };
        if let Some(line) = self.lines.get_mut(&queue)
            && let Some(ticket) = line.ticket_of(task)
        {
            line.exclude(ticket, agent, Some(until));
            self.look_at(until);
        }
    }

    /// Somebody may be served then who cannot be before.
    pub(super) fn look_at(&mut self, at: Tick) {
        self.timers.set_earliest(Timer::Look, at);
    }

    /// An attempt is given up because its task is served otherwise. A conversation is not: it is what was promised.
    pub(super) fn supersede(&mut self, now: Now, task: TaskId) {
        let Some(id) = self.attempt_calls.get(&task).copied() else { return };
        if self.attempting(id).is_some() {
            self.finish_attempt(now, id, Outcome::Superseded, Duration::ZERO);
        }
    }
}
