//! The breaker: dials are counted where they happen, and automatic dialling stops when the ledger says that somebody
//! abuses us (security.md T31). It asks a person: an event, a word on every held callback; `resume` is his answer.
//! After a restart the dials are found in the attempts again, his last answer in the system's record, and a breaker
//! that is still open says so once more.

use super::{Switch, event};
use crate::callback::ledger::{Tripped, Wanted};
use crate::callback::task::{Attempt, Outcome, Task, TaskState};
use crate::id::TaskId;
use crate::number::Party;
use crate::time::{DateTime, Now, Utc};

/// What the ledger was told in the last life.
enum Told {
    Dialled(TaskId),
    Ended(Party, Outcome),
    Resumed,
}

/// Whether an attempt that ended so reached somebody who wanted the call.
fn wanted(outcome: Outcome) -> Wanted {
    match outcome {
        Outcome::Success => Wanted::Yes,
        Outcome::CustomerLeftBeforeBridge | Outcome::NotConfirmed => Wanted::Refused,
        Outcome::ShortTalk
        | Outcome::NoAnswer
        | Outcome::Busy
        | Outcome::Rejected
        | Outcome::InvalidNumber
        | Outcome::VoicemailAgent => Wanted::No,
        Outcome::NetworkError
        | Outcome::CallerIdRefused
        | Outcome::AgentNoAnswer
        | Outcome::AgentDeclined
        | Outcome::AgentLeftEarly
        | Outcome::AgentNoAccept
        | Outcome::Blocked
        | Outcome::SystemRestart
        | Outcome::Superseded => Wanted::Unknown,
    }
}

impl Switch {
    /// The customer of `task` is being dialled.
    pub(super) fn count_dial(&mut self, now: Now, task: &Task) {
        let tripped = self.planner.ledger_mut().dialled(now.utc, task);
        self.breaker_opens(tripped);
    }

    /// An attempt has ended in which the customer was dialled.
    pub(super) fn count_end(&mut self, now: Now, number: &Party, outcome: Outcome) {
        let tripped = self.planner.ledger_mut().ended(now.utc, number, wanted(outcome));
        self.breaker_opens(tripped);
    }

    fn breaker_opens(&mut self, tripped: Option<Tripped>) {
        if let Some(why) = tripped {
            self.publish(event::Event::BreakerOpened { why: why.word() });
        }
    }

    /// A person has looked: dialling goes on.
    pub(super) fn resumed(&mut self, at: DateTime<Utc>) {
        let was_open = self.planner.ledger().tripped().is_some();
        self.planner.ledger_mut().resume(at);
        if was_open {
            self.publish(event::Event::BreakerClosed);
        }
        self.serve_wanted = true;
    }

    /// What was dialled before the restart, and what a person has said about it, in the order in which it happened.
    pub(super) fn recount(&mut self) {
        let mut told: Vec<(DateTime<Utc>, Told)> = Vec::new();
        let dials = self.attempts.values().flatten().filter_map(|attempt: &Attempt| {
            let dialled = attempt.customer_leg.as_ref()?.invite_at?;
            Some((dialled, attempt))
        });
        for (dialled, attempt) in dials {
            told.push((dialled, Told::Dialled(attempt.task)));
            if let Some((at, outcome)) = attempt.ended_at.zip(attempt.outcome) {
                told.push((at, Told::Ended(attempt.number.clone(), outcome)));
            }
        }
        told.extend(self.system.resumed_at.map(|at| (at, Told::Resumed)));
        told.sort_by_key(|(at, _)| *at); // Stable: who is dialled and refused in one instant is dialled first.
        for (at, told) in told {
            match told {
                Told::Dialled(id) => {
                    let Some(task) = self.planner.get(id).or_else(|| self.closed.get(&id)).cloned() else { continue };
                    self.planner.ledger_mut().dialled(at, &task);
                }
                Told::Ended(number, outcome) => {
                    self.planner.ledger_mut().ended(at, &number, wanted(outcome));
                }
                Told::Resumed => self.planner.ledger_mut().resume(at),
            }
        }
        self.breaker_opens(self.planner.ledger().tripped());
        for task in self.closed.values().filter(|task| matches!(task.state, TaskState::Failed | TaskState::Expired)) {
            self.planner.ledger_mut().given_up(task.closed_at.unwrap_or(task.created_at), task);
        }
    }
}
