//! The books of the promises (durability.md, P4): every callback that was ever made has either ended in one of four
//! ways or is open. Made is counted where a callback begins to hold, ended where it is closed, open by the planner,
//! so that one that slips from hand to hand is missed at once.

use super::{Switch, event};
use crate::callback::task::TaskState;

/// See the module. What was found on the disk at the start counts like the rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// Callbacks that came to the disk, promised or not.
    pub made: u64,
    /// Kept.
    pub completed: u64,
    /// Given up.
    pub failed: u64,
    /// Too old.
    pub expired: u64,
    /// Not wanted any more.
    pub cancelled: u64,
    /// Everything else, what is left over among it.
    pub open: u64,
}

impl Books {
    /// How many callbacks have slipped away; below zero: how many were counted twice.
    pub fn missing(&self) -> i64 {
        let told = self.completed + self.failed + self.expired + self.cancelled + self.open;
        self.made.cast_signed() - told.cast_signed()
    }

    pub(super) fn closed(&mut self, state: TaskState) {
        match state {
            TaskState::Completed => self.completed += 1,
            TaskState::Failed => self.failed += 1,
            TaskState::Expired => self.expired += 1,
            TaskState::Cancelled => self.cancelled += 1,
            open => unreachable!("a closed task is not {open:?}"),
        }
    }
}

impl Switch {
    /// The books as they are now.
    pub fn books(&self) -> Books {
        Books { open: self.planner.len() as u64, ..self.books }
    }

    /// Whether the disk knows all that the switch does: nothing is on its way there, and nothing was refused that is to
    /// be told again.
    pub fn has_told_all(&self) -> bool {
        self.commits.is_empty() && self.owed.is_empty()
    }

    /// Asked after every input: books that do not balance are told of, once for each difference.
    pub(super) fn balance(&mut self) {
        let missing = self.books().missing();
        if missing != self.books_told {
            self.books_told = missing;
            self.publish(event::Event::BooksDiffer { missing });
        }
    }
}
