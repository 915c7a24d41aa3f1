//! Attempts that were under way when the process ended (durability.md §2.8). What may still ring or talk is told to
//! stop, the number is left alone for a while, and what is on the disk decides: a customer who had not answered is
//! called once more, one with whom an agent had talked long enough is done, and about one who had answered, and of whom
//! no more is known, people decide. Nobody who was reached is rung by us again.

use super::durable::Pending;
use super::{Change, Switch, event};
use crate::callback::planner;
use crate::callback::retry::{self, Next, Verdict};
use crate::callback::task::{Attempt, Task};
use crate::id::TaskId;
use crate::time::{DateTime, Now, Utc};
use std::time::Duration;

impl Switch {
    /// Settles the attempt of a task that comes from the disk, if it was under way: task and attempt as they are to be
    /// stored. The task is not held yet.
    pub(super) fn settle_restored(&mut self, now: Now, task: &mut Task) -> Option<Change> {
        let open = self.open_attempt(task.id)?.clone();
        let until = self.stop_interrupted(now, &open);
        let (verdict, attempt) = self.close_interrupted(now, task.id, until)?;
        planner::conclude(task, verdict, now.utc);
        self.tell_lost(task, verdict);
        Some(Change::PutAttempt(Box::new(attempt)))
    }

    /// Ends an attempt of an earlier life whose talk cannot be taken up after all: its task is under way still, and
    /// ends or waits from here on. What is left of the legs is the caller's to end.
    pub(super) fn lose_attempt(&mut self, now: Now, id: TaskId) {
        let Some(open) = self.open_attempt(id).cloned() else { return };
        let until = self.leave_for_now(now, &open);
        let Some((verdict, attempt)) = self.close_interrupted(now, id, until) else { return };
        self.attempt_calls.remove(&id);
        let (n, outcome) = (attempt.n, attempt.outcome);
        let mut changes = vec![Change::PutAttempt(Box::new(attempt))];
        if let Some(outcome) = outcome {
            self.publish(event::Event::AttemptEnded { task: id, n, outcome });
        }
        let settings = self.settings.clone();
        if let Some(task) = self.planner.conclude(now.utc, &settings, id, verdict) {
            changes.push(Change::PutTask(Box::new(task.clone())));
            self.tell_lost(&task, verdict);
            self.reopen_place(&task);
            if task.state.is_final() {
                self.task_closed(task);
            }
        }
        self.commit(changes, Pending::Told);
        self.close_if_lost(now, id);
    }

    /// Attempts whose task could not be read, or is closed: they are settled like every other one.
    pub(super) fn settle_orphans(&mut self, now: Now) {
        let open: Vec<Attempt> = self
            .attempts
            .values()
            .filter_map(|attempts| attempts.last())
            .filter(|attempt| attempt.outcome.is_none() && !self.attempt_calls.contains_key(&attempt.task))
            .cloned()
            .collect();
        for attempt in open {
            let until = self.stop_interrupted(now, &attempt);
            if let Some((_, attempt)) = self.close_interrupted(now, attempt.task, until) {
                self.commit(vec![Change::PutAttempt(Box::new(attempt))], Pending::Told);
            }
        }
    }

    /// Stops whatever may still ring or talk, and says until when its number is left alone (interface.md, Settled 7).
    fn stop_interrupted(&mut self, now: Now, attempt: &Attempt) -> DateTime<Utc> {
        let until = self.leave_for_now(now, attempt);
        for leg in attempt.agent_legs.iter().chain(&attempt.customer_leg).chain(&attempt.customer_phones) {
            if let Some(dialog) = &leg.dialog {
                self.ua.abandon(now.tick, &leg.uri, dialog);
            }
        }
        until
    }

    fn leave_for_now(&mut self, now: Now, attempt: &Attempt) -> DateTime<Utc> {
        let until = retry::after_restart(Duration::from_secs(attempt.ring_timeout_secs), now.utc);
        self.planner.quarantine(attempt.number.clone(), until);
        until
    }

    fn close_interrupted(&mut self, now: Now, task: TaskId, until: DateTime<Utc>) -> Option<(Verdict, Attempt)> {
        let attempt = self.open_attempt(task)?;
        let (outcome, verdict) = retry::interrupted(attempt, until);
        attempt.outcome = Some(outcome);
        attempt.ended_at = Some(now.utc);
        Some((verdict, attempt.clone()))
    }

    /// People are told that they are to decide.
    pub(super) fn tell_lost(&mut self, task: &Task, verdict: Verdict) {
        if verdict.next == Next::Lost {
            let (queue, number) = (task.queue.clone(), task.number.to_string());
            self.publish(event::Event::CallbackLost { task: task.id, queue, number });
        }
    }
}
