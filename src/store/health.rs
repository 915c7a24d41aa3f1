//! Whether the disk takes what it is given.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// A write or sync that has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Illness {
    /// When it began.
    pub since: SystemTime,
    /// What the disk said last.
    pub why: String,
    /// When the store worked again; `None`: it does not yet.
    pub until: Option<SystemTime>,
}

/// What has gone wrong in this life beside the commits. Nothing is lost by it yet, and somebody should know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Troubles {
    /// Old segments of the journal that had to go before a backup held them.
    pub unsaved: u64,
    /// Since when no checkpoint could be written, and what the last try ended with.
    pub no_checkpoint: Option<(SystemTime, String)>,
    /// Checkpoints that could not be read any more when the next one was to be made of them.
    pub bad_checkpoints: u64,
    /// Why the view of the journal does not follow it any more.
    pub view: Option<String>,
}

/// Whether commits are still acknowledged, and what else is wrong. Copies know the same.
#[derive(Clone, Debug, Default)]
pub struct Health {
    illness: Arc<Mutex<Option<Illness>>>,
    troubles: Arc<Mutex<Troubles>>,
}

impl Health {
    /// A write or sync has failed, and nothing has been stored since.
    pub fn is_poisoned(&self) -> bool {
        self.illness().is_some_and(|illness| illness.until.is_none())
    }

    /// The last failure, if there was one.
    pub fn illness(&self) -> Option<Illness> {
        self.illness.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is wrong beside the commits.
    pub fn troubles(&self) -> Troubles {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn fell_ill(&self, why: &str) {
        let mut illness = self.illness.lock().unwrap_or_else(PoisonError::into_inner);
        let since = illness.as_ref().filter(|illness| illness.until.is_none()).map(|illness| illness.since);
        let since = since.unwrap_or_else(SystemTime::now);
        *illness = Some(Illness { since, why: why.to_owned(), until: None });
    }

    pub(super) fn is_well_again(&self) {
        if let Some(illness) = &mut *self.illness.lock().unwrap_or_else(PoisonError::into_inner) {
            illness.until = Some(SystemTime::now());
        }
    }

    pub(super) fn note(&self, change: impl FnOnce(&mut Troubles)) {
        change(&mut self.troubles.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
