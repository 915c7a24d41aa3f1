//! What people ask of a task: that it is tried now, that it is kept although its day has ended.

use super::Planner;
use crate::callback::promised::Promised;
use crate::callback::retry::{self, Next};
use crate::callback::task::{Task, TaskState};
use crate::callback::window::{Whom, expires_at};
use crate::id::TaskId;
use crate::number::zones;
use crate::settings::Settings;
use crate::time::{DateTime, Utc};

/// Why a task is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotKept {
    /// It does not wait for people.
    NotLeftOver,
    /// An attempt is being made.
    UnderWay,
    /// Every attempt is used up, and the customer may not be asked: whoever wants one more says so (`hasten`).
    UsedUp,
}

impl Planner {
    /// Now rather than later (`callback now`): calling hours and caps still hold. When every attempt is used up, people
    /// grant one more by it, and that is written down (law 6); where the customer is to be asked, he is asked now.
    /// Returns the task as it is to be stored.
    pub fn hasten(&mut self, now: DateTime<Utc>, settings: &Settings, id: TaskId) -> Option<Task> {
        let mut task = self.get(id).filter(|task| !task.state.is_live())?.clone();
        (task.not_before, task.promised) = (now, None);
        if task.is_for_people() {
            begin_anew(now, settings, &mut task);
        }
        task.hold_reason = None;
        task.state = match task.state {
            TaskState::Due => TaskState::Due,
            TaskState::ClientOffer => TaskState::ClientOffer,
            _ => TaskState::Pending, // Whatever else it waits for.
        };
        if let Some(profile) = settings.profile(&task.profile).filter(|_| task.state != TaskState::ClientOffer) {
            let wanted = task.attempts_used.saturating_add(1);
            task.reschedules.admin += wanted.saturating_sub(retry::attempts_allowed(profile, &task));
        }
        self.put(now, settings, task.clone());
        Some(task)
    }

    /// A task left over at the end of its day (S4.B3), or cut by a restart, is wanted after all: it waits for what it
    /// waited for, an attempt or the customer's own word, and its life begins anew. Returns the task as it is to be
    /// stored.
    pub fn keep(&mut self, now: DateTime<Utc>, settings: &Settings, id: TaskId) -> Result<Task, NotKept> {
        let left_over = self.get(id).filter(|task| task.is_for_people());
        let mut task = left_over.ok_or(NotKept::NotLeftOver)?.clone();
        task.state = waiting(now, settings, &task)?;
        task.hold_reason = None;
        (task.not_before, task.promised) = (now, None);
        begin_anew(now, settings, &mut task);
        self.put(now, settings, task.clone());
        Ok(task)
    }

    /// A person wants it tried later: as if it had been promised for then, at the same place in line. Returns the task
    /// as it is to be stored.
    pub fn postpone(
        &mut self,
        now: DateTime<Utc>,
        settings: &Settings,
        id: TaskId,
        until: DateTime<Utc>,
    ) -> Result<Task, NotKept> {
        let mut task = self.get(id).filter(|task| !task.state.is_live()).ok_or(NotKept::UnderWay)?.clone();
        task.state = match task.state {
            TaskState::ClientOffer => TaskState::ClientOffer,
            _ if task.is_for_people() => waiting(now, settings, &task)?,
            _ => TaskState::Pending, // Whatever else it waits for.
        };
        task.hold_reason = None;
        task.promised = Some(Box::new(promised(settings, &task, until)));
        task.not_before = until;
        task.due_since = None;
        begin_anew(until, settings, &mut task);
        self.put(now, settings, task.clone());
        Ok(task)
    }
}

/// What a task that people have kept waits for: an attempt, or the customer's own word.
fn waiting(now: DateTime<Utc>, settings: &Settings, task: &Task) -> Result<TaskState, NotKept> {
    let used_up = settings.profile(&task.profile).filter(|profile| retry::is_used_up(profile, task));
    match used_up.map(|profile| retry::when_used_up(profile, task, now)) {
        None => Ok(TaskState::Pending),
        Some(Next::ClientOffer(_)) => Ok(TaskState::ClientOffer),
        Some(_) => Err(NotKept::UsedUp), // Nobody may be asked.
    }
}

/// An instant that is promised to the customer of `task`, as the clocks where he is show it.
pub fn promised(settings: &Settings, task: &Task, at: DateTime<Utc>) -> Promised {
    let of_profile = settings.profile(&task.profile).and_then(|profile| profile.tz_default);
    let tz = match zones::of(&task.number) {
        [tz] => *tz,
        [] | [_, ..] => of_profile.unwrap_or(settings.system.default_timezone),
    };
    Promised::new(&settings.zones, tz, at)
}

fn begin_anew(at: DateTime<Utc>, settings: &Settings, task: &mut Task) {
    if let Some(profile) = settings.profile(&task.profile) {
        task.expires_at = expires_at(settings, &Whom::of(profile, task), at);
    }
}
