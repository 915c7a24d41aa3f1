//! How an attempt ends: what a refusal means, and what follows for the task. Each attempt
//! gets exactly one outcome, here.

use super::attempt::Said;
use super::durable::Pending;
use super::{Change, Switch, event};
use crate::callback::retry::{self, ClientAnswer, History, Next, Verdict};
use crate::callback::task::{AttemptKind, CloseReason, Outcome, Task};
use crate::id::{CallRef, Name, TaskId};
use crate::time::{DateTime, Now, Tick, Utc};
use std::time::Duration;

/// A customer who has been called in vain is left alone for so long.
const VAIN: Duration = Duration::from_secs(300);

/// How an attempt has ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    pub(super) outcome: Outcome,
    pub(super) talked: Duration,
    pub(super) at: DateTime<Utc>,
}

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
    /// Judges an attempt, stores it with its task, and gives the task its next place or its end.
    pub(super) fn conclude(&mut self, now: Now, id: CallRef, task: TaskId, outcome: Outcome, talked: Duration) {
        self.conclude_as_of(now, id, task, Ended { outcome, talked, at: now.utc });
    }

    /// The same for an attempt that ended a while ago, and whose agent was given time to say something about it.
    pub(super) fn conclude_as_of(&mut self, now: Now, id: CallRef, task: TaskId, ended: Ended) {
        let settings = self.settings.clone();
        let Ended { outcome, talked, at } = ended;
        let verdict = self.verdict(id, task, outcome, at, self.said(id));
        self.attempt_calls.remove(&task);
        let recording = self.calls.get(&id).and_then(|call| call.recording);
        let Some(attempt) = self.open_attempt(task) else { return };
        attempt.outcome = Some(outcome);
        attempt.ended_at = Some(at);
        attempt.talk_secs = talked.as_secs();
        attempt.recording = recording;
        // Phones that were not rung after all are no legs; what has stopped ringing needs no CANCEL any more.
        attempt.agent_legs.retain(|leg| leg.invite_at.is_some());
        attempt.agent_legs.iter_mut().filter(|leg| leg.answered_at.is_none()).for_each(|leg| leg.dialog = None);
        attempt.customer_phones.clear();
        if let Some(leg) = attempt.customer_leg.as_mut().filter(|leg| leg.invite_at.is_some()) {
            leg.ended_at = Some(at);
        }
        let was_dialled = attempt.customer_leg.as_ref().is_some_and(|leg| leg.invite_at.is_some());
        let number = attempt.number.clone();
        let (n, change) = (attempt.n, Change::PutAttempt(Box::new(attempt.clone())));
        if was_dialled {
            self.count_end(now, &number, outcome);
        }
        self.publish(event::Event::AttemptEnded { task, n, outcome });
        let mut changes = vec![change];
        let concluded =
            verdict.and_then(|verdict| Some((verdict, self.planner.conclude(now.utc, &settings, task, verdict)?)));
        changes.extend(concluded.iter().map(|(_, task)| Change::PutTask(Box::new(task.clone()))));
        // The planner has let go of it if this was its end: the disk is told before anything else can go wrong.
        self.commit(changes, Pending::Told);
        if let Some((verdict, task)) = concluded {
            if verdict.next == Next::Unreached {
                let (queue, number) = (task.queue.clone(), task.number.to_string());
                self.publish(event::Event::CallbackUnreached { task: task.id, queue, number });
            }
            self.tell_lost(&task, verdict);
            self.reopen_place(&task);
            if task.state.is_final() {
                self.task_closed(task);
            }
        }
        self.close_if_lost(now, task);
    }

    /// What follows the attempt that ends so at `at`, when `said` is all that was said about it. What comes next is the
    /// next attempt's, and goes by the settings as they are now (S5.10).
    pub(super) fn verdict(
        &self,
        id: CallRef,
        task: TaskId,
        outcome: Outcome,
        at: DateTime<Utc>,
        said: Said,
    ) -> Option<Verdict> {
        let held = self.planner.get(task)?;
        let loaded = self.loaded(id);
        let profile = self.settings.profile(&held.profile).or(loaded.as_deref())?;
        let (attempt, before) = self.attempts.get(&task)?.split_last()?;
        let history = History::of(before);
        let judged = |asked: bool| {
            let judge = if asked { retry::agent_asks } else { retry::after };
            judge(&self.settings, profile, held, history, outcome, at)
        };
        if outcome == Outcome::SystemRestart && said == Said::Nothing {
            // A fault of ours costs what a restart does (durability.md §2.8): who had answered is not rung again.
            let again = retry::after_restart(Duration::from_secs(attempt.ring_timeout_secs), at);
            return Some(retry::interrupted(attempt, again).1);
        }
        Some(match (attempt.kind, said, outcome) {
            (AttemptKind::Agent, Said::Withdrawn(reason), _) => {
                Verdict { next: Next::Cancel(reason), by: None, ..judged(false) }
            }
            (AttemptKind::ClientOffer, Said::Withdrawn(reason), _) => Verdict::uncounted(Next::Cancel(reason)),
            (AttemptKind::Agent, said, _) => {
                let was_there = attempt.customer_leg.as_ref().is_some_and(|leg| leg.answered_at.is_some());
                let verdict = judged(said == Said::AgentAsks);
                match verdict.next {
                    // He has answered in vain: he is not rung again at once.
                    Next::Again(again) if was_there => Verdict { next: Next::Again(again.max(at + VAIN)), ..verdict },
                    _ => verdict,
                }
            }
            // He was not asked: he is, later. An agent's attempt would be one that nobody has granted (law 6).
            (AttemptKind::ClientOffer, _, Outcome::Superseded | Outcome::Blocked) => {
                Verdict::uncounted(Next::ClientOffer(at + VAIN))
            }
            (AttemptKind::ClientOffer, Said::Client(answer), _) => retry::client_asks(held, answer, at),
            (AttemptKind::ClientOffer, _, _) => retry::client_asks(held, ClientAnswer::Nothing, at),
        })
    }

    /// The task waits again, at its old place; or for something else than its turn, and then not in line.
    pub(super) fn reopen_place(&mut self, task: &Task) {
        if task.rests() {
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
        }
    }

    /// An attempt is given up because its task is not wanted any more. What came of it is kept, but is not what closes
    /// the task.
    pub(super) fn withdraw_attempt(&mut self, now: Now, task: TaskId, reason: CloseReason) {
        if let Some(id) = self.attempt_calls.get(&task).copied().filter(|id| self.attempting(*id).is_some()) {
            self.say_of(id, Said::Withdrawn(reason));
            self.finish_attempt(now, id, Outcome::Superseded, Duration::ZERO);
        }
    }

    /// An attempt is given up because its task is served otherwise. A conversation is not: it is what was promised.
    pub(super) fn supersede(&mut self, now: Now, task: TaskId) {
        let Some(id) = self.attempt_calls.get(&task).copied() else { return };
        if self.attempting(id).is_some() {
            self.finish_attempt(now, id, Outcome::Superseded, Duration::ZERO);
        }
    }
}
