//! Whether the disk takes what it is given.

use std::sync::atomic::{AtomicU64, Ordering};
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

/// Whether commits are still acknowledged.
#[derive(Clone, Debug, Default)]
pub struct Health {
    illness: Arc<Mutex<Option<Illness>>>,
    unsaved: Arc<AtomicU64>,
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

    /// Old segments of the journal that had to go in this life before a backup held them.
    pub fn went_unsaved(&self) -> u64 {
        self.unsaved.load(Ordering::Relaxed)
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

    pub(super) fn let_go_unsaved(&self, segments: u64) {
        self.unsaved.store(segments, Ordering::Relaxed);
    }
}
