//! A look at one task: what has become of it, and when it deserves the next one.

use super::gates::yields_until;
use super::{Planned, Planner, Step, closed, shut, window_of};
use crate::callback::hold::Undialable;
use crate::callback::retry::{self, Next};
use crate::callback::task::{CloseReason, Task, TaskState};
use crate::callback::window::Window;
use crate::id::TaskId;
use crate::settings::{AfterCutoff, CallbackProfile, Settings};
use crate::time::{DateTime, Utc};

impl Planner {
    /// model.md C12: expired, then blocked, then deferred, then due.
    pub(super) fn look(
        &mut self,
        now: DateTime<Utc>,
        settings: &Settings,
        planned: Planned,
        undialable: &mut impl FnMut(&Task) -> Option<Undialable>,
    ) -> Option<Step> {
        let Planned { mut task, .. } = planned;
        let (before, rests) = (task.state, task.rests());
        if !task.is_for_people() && task.expires_at.is_some_and(|at| at <= now) {
            closed(&mut task, TaskState::Expired, CloseReason::Expired, now);
            return Some(Step::Expired(Box::new(task)));
        }
        let profile = settings.profile(&task.profile);
        if let Some(profile) = profile.filter(|profile| !rests && retry::is_used_up(profile, &task)) {
            return Some(self.no_more_attempts(now, settings, profile, task));
        }
        let window = window_of(settings, &task, now);
        let opens = window.as_ref().map(|window| window.opens(now).ok_or_else(|| shut(window, now)));
        let blocked = undialable(&task).or_else(|| Some(opens.as_ref()?.as_ref().err()?.to_string())).map(Box::new);
        task.state = if rests {
            before
        } else if blocked.is_some() {
            TaskState::Blocked
        } else if task.not_before > now {
            waiting(before)
        } else {
            // Without a profile nothing is dialled either: `begin` says why. `not_before` stays what it was, so that
            // other hours apply as soon as the site has them.
            match opens {
                Some(Ok(opens)) if opens > now && is_left_over(settings, &task, now) => TaskState::Overflow,
                Some(Ok(opens)) if opens > now => TaskState::Deferred,
                Some(_) | None => TaskState::Due,
            }
        };
        task.due_since = match task.state {
            TaskState::Due => task.due_since.or(Some(now)),
            // An agent's failure puts it back for a moment; it goes on having waited.
            TaskState::Pending => task.due_since,
            _ => None, // It waits for something else than its turn.
        };
        let (id, state) = (task.id, task.state);
        let left_over = (state == TaskState::Overflow && before != state).then(|| Box::new(task.clone()));
        self.insert(now, settings, task, blocked);
        match left_over {
            Some(task) => Some(Step::LeftOver(task)),
            None => (state != before || state == TaskState::Due).then_some(Step::Moved(id, state)),
        }
    }

    /// It was tried as often as its profile allows by now.
    fn no_more_attempts(
        &mut self,
        now: DateTime<Utc>,
        settings: &Settings,
        profile: &CallbackProfile,
        mut task: Task,
    ) -> Step {
        match retry::when_used_up(profile, &task, now) {
            Next::ClientOffer(at) => {
                task.state = TaskState::ClientOffer;
                task.not_before = task.not_before.max(at);
                task.due_since = None;
                self.insert(now, settings, task.clone(), None);
            }
            _ => closed(&mut task, TaskState::Failed, CloseReason::MaxAttempts, now), // Nobody may be asked.
        }
        Step::UsedUp(Box::new(task))
    }

    /// Looks at one task at once, for `why` it cannot be dialled although the last look found nothing.
    pub fn forbid(&mut self, now: DateTime<Utc>, settings: &Settings, id: TaskId, why: Undialable) -> Option<Step> {
        self.get(id).filter(|task| !task.state.is_live())?;
        let planned = self.forget(id)?;
        self.look(now, settings, planned, &mut |_| Some(why.clone()))
    }

    /// The next instant at which a task deserves a look; none while it is under way (S1.21: what rings or talks is
    /// not cut when hours end).
    pub(super) fn next_look(
        &self,
        now: DateTime<Utc>,
        settings: &Settings,
        task: &Task,
        reason_known: bool,
    ) -> Option<DateTime<Utc>> {
        if task.is_for_people() {
            return None; // They decide, however long it takes.
        }
        let changes = match task.state {
            TaskState::Pending | TaskState::WaitingRetry => Some(task.not_before),
            TaskState::Deferred => {
                let earliest = task.not_before.max(now);
                window_of(settings, task, now)
                    .map_or(Some(earliest), |window| window.opens(earliest))
                    .or(Some(earliest))
            }
            TaskState::Due => {
                let ends = window_of(settings, task, now)
                    .and_then(|window| if window.is_open(now) { window.closes(now) } else { Some(now) });
                let yielded = settings.profile(&task.profile).and_then(|profile| yields_until(profile, task));
                let yielded = yielded.filter(|until| *until > now);
                [ends, yielded, self.quarantine.get(&task.number).copied()].into_iter().flatten().min()
            }
            // One that comes from the disk has lost the reason: found again at once.
            TaskState::Blocked => (!reason_known).then_some(now),
            TaskState::ClientOffer if reason_known => None,
            TaskState::ClientOffer => {
                let earliest = task.not_before.max(now);
                let window = window_of(settings, task, now);
                match window.and_then(|window| window.opens(earliest)) {
                    // Ready: looked at again when hours end.
                    Some(at) if at <= now => window.and_then(|window| window.closes(now)),
                    at => at,
                }
            }
            TaskState::Overflow
            | TaskState::Reserving
            | TaskState::AgentRinging
            | TaskState::AgentReady
            | TaskState::CustomerRinging
            | TaskState::Talking
            | TaskState::Completed
            | TaskState::Failed
            | TaskState::Expired
            | TaskState::Cancelled => return None,
        };
        [changes, task.expires_at].into_iter().flatten().min()
    }
}

/// Whether the day of a task that is not open now has ended without it: it was due, or its next try falls after
/// closing, and its profile hands such tasks to people. What was asked for after hours waits for the morning (S1.19).
fn is_left_over(settings: &Settings, task: &Task, now: DateTime<Utc>) -> bool {
    let was_of_today = matches!(task.state, TaskState::Due | TaskState::WaitingRetry);
    settings.profile(&task.profile).is_some_and(|profile| {
        was_of_today
            && profile.after_cutoff == AfterCutoff::Overflow
            && !Window::business(settings, profile, Some(&task.queue)).is_open(now)
    })
}

/// The state in which a task waits for `not_before`.
fn waiting(state: TaskState) -> TaskState {
    match state {
        TaskState::WaitingRetry => state,
        _ => TaskState::Pending, // Deferred, due or blocked before, and its time was moved.
    }
}
