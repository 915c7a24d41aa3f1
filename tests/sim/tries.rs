//! Law 6: no callback has more attempts than its profile allows. An attempt that has begun goes on, whatever an edition
//! says of it then; so what was allowed when it began is remembered.

use ringback::callback::task::{Attempt, AttemptKind, Task};
use ringback::id::{AttemptId, Name, TaskId};
use ringback::settings::Settings;
use std::collections::{BTreeMap, BTreeSet};

/// What is allowed, and was.
pub struct Tries {
    /// Of each profile, in this edition and in the one before: an attempt may be on its way to the disk by that.
    most: [BTreeMap<Name, u32>; 2],
    begun: BTreeSet<AttemptId>,
    /// When the last attempt began.
    allowed: BTreeMap<TaskId, u32>,
}

impl Tries {
    pub fn of(settings: &Settings) -> Tries {
        let most = [most_of(settings), most_of(settings)];
        Tries { most, begun: BTreeSet::new(), allowed: BTreeMap::new() }
    }

    pub fn on_edition(&mut self, settings: &Settings) {
        let [now, before] = &mut self.most;
        *before = std::mem::replace(now, most_of(settings));
    }

    /// A callback is on the disk as it is now.
    pub fn on_task(&self, before: Option<&Task>, task: &Task) {
        let has_more = before.is_none_or(|old| old.attempts_used < task.attempts_used);
        let most = self.most(task).max(self.allowed.get(&task.id).copied().unwrap_or_default());
        assert!(!has_more || task.attempts_used <= most, "law 6: {} attempts of {most}", task.attempts_used);
    }

    /// An attempt is on the disk, and so is its callback.
    pub fn on_attempt(&mut self, attempt: &Attempt, task: Option<&Task>) {
        let is_new = attempt.outcome.is_none() && self.begun.insert(attempt.id);
        let Some(task) = task.filter(|_| is_new && attempt.kind == AttemptKind::Agent) else { return };
        let (used, most) = (task.attempts_used, self.most(task));
        assert!(used < most, "law 6: {} is tried once more after {used} of {most}", task.number);
        self.allowed.insert(task.id, most);
    }

    /// A profile that came later may have the most that any other has.
    fn most(&self, task: &Task) -> u32 {
        let of = |edition: &BTreeMap<Name, u32>| {
            edition.get(&task.profile).or_else(|| edition.values().max()).copied().unwrap_or_default()
        };
        let granted = task.reschedules.client + task.reschedules.admin;
        self.most.iter().map(of).max().unwrap_or_default() + granted
    }
}

fn most_of(settings: &Settings) -> BTreeMap<Name, u32> {
    settings.profiles.iter().map(|it| (it.name.clone(), it.attempts_max)).collect()
}
