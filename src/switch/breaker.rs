//! The breaker: dials are counted where they happen, and automatic dialling stops when the ledger says that somebody
//! abuses us (security.md T31). It asks a person: an event, a metric, a word on every held callback; `resume` is his
//! answer. What was dialled is found in the attempts again after a restart.

use super::{Switch, event};
use crate::callback::ledger::{Tripped, Wanted};
use crate::callback::task::{Attempt, Outcome, Task, TaskState};
use crate::id::TaskId;
use crate::number::Party;
use crate::time::{DateTime, Now, Utc};

/// A dial of the past: when, for whom, and how it ended.
type Dial = (DateTime<Utc>, TaskId, Option<(DateTime<Utc>, Outcome)>);

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
    pub(super) fn resume_dialling(&mut self, now: Now) {
        if self.planner.ledger().tripped().is_some() {
            self.planner.ledger_mut().resume(now.utc);
            self.publish(event::Event::BreakerClosed);
            self.serve_wanted = true;
        }
    }

    /// What was dialled before the restart, in its order.
    pub(super) fn recount(&mut self) {
        let mut dials: Vec<Dial> = self
            .attempts
            .values()
            .flatten()
            .filter_map(|attempt: &Attempt| {
                let dialled = attempt.customer_leg.as_ref()?.invite_at?;
                Some((dialled, attempt.task, attempt.ended_at.zip(attempt.outcome)))
            })
            .collect();
        dials.sort_unstable_by_key(|(dialled, task, _)| (*dialled, *task));
        for (dialled, id, ended) in dials {
            let Some(task) = self.planner.get(id).or_else(|| self.closed.get(&id)).cloned() else { continue };
            self.planner.ledger_mut().dialled(dialled, &task);
            if let Some((at, outcome)) = ended {
                self.planner.ledger_mut().ended(at, &task.number, wanted(outcome));
            }
        }
        for task in self.closed.values().filter(|task| matches!(task.state, TaskState::Failed | TaskState::Expired)) {
            self.planner.ledger_mut().given_up(task.closed_at.unwrap_or(task.created_at), task);
        }
    }
}
