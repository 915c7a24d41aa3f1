//! What has to be known of the records without asking the view: which numbers are called (law 2), and which tasks are
//! open.

use super::keys;
use crate::callback::task::Task;
use crate::id::TaskId;
use std::collections::{HashMap, HashSet};

/// What has to be known of the records without asking the view.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The numbers that open attempts are calling (law 2), by key.
    pub calling: HashMap<String, keys::Active>,
    /// Open tasks.
    pub tasks: HashSet<TaskId>,
}

/// What a commit has made of it, to take back when the commit does not reach the disk.
#[derive(Debug, Default)]
pub struct Undo {
    /// Marks as they were.
    pub calling: Vec<(String, Option<keys::Active>)>,
    /// Whether tasks were open.
    pub tasks: Vec<(TaskId, bool)>,
}

impl Known {
    /// A number is called, or no longer.
    pub fn call(&mut self, key: String, mark: Option<keys::Active>, undo: &mut Undo) {
        let before = match mark {
            Some(mark) => self.calling.insert(key.clone(), mark),
            None => self.calling.remove(&key),
        };
        undo.calling.push((key, before));
    }

    /// A task is as this says.
    pub fn task(&mut self, task: &Task, undo: &mut Undo) {
        let was_open = match task.state.is_final() {
            true => self.tasks.remove(&task.id),
            false => !self.tasks.insert(task.id),
        };
        undo.tasks.push((task.id, was_open));
    }

    /// As if that commit had not been.
    pub fn take_back(&mut self, undo: Undo) {
        for (key, before) in undo.calling.into_iter().rev() {
            match before {
                Some(mark) => self.calling.insert(key, mark),
                None => self.calling.remove(&key),
            };
        }
        for (task, was_open) in undo.tasks.into_iter().rev() {
            match was_open {
                true => self.tasks.insert(task),
                false => self.tasks.remove(&task),
            };
        }
    }
}
