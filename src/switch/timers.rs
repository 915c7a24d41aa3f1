//! Timers of the switch: one deadline per key, the earliest first. Setting a key again moves it, so that a timer
//! can never fire for a state that has been left.

use crate::time::Tick;
use std::collections::{BTreeMap, BTreeSet};

/// Deadlines by key.
#[derive(Debug)]
pub(super) struct Timers<K: Ord + Clone> {
    by_key: BTreeMap<K, Tick>,
    by_tick: BTreeSet<(Tick, K)>,
}

impl<K: Ord + Clone> Default for Timers<K> {
    fn default() -> Self {
        Timers { by_key: BTreeMap::new(), by_tick: BTreeSet::new() }
    }
}

impl<K: Ord + Clone> Timers<K> {
    /// Sets or moves the deadline of `key`.
    pub(super) fn set(&mut self, key: K, at: Tick) {
        if let Some(before) = self.by_key.insert(key.clone(), at) {
            self.by_tick.remove(&(before, key.clone()));
        }
        self.by_tick.insert((at, key));
    }

    /// Sets the deadline of `key`, unless it has an earlier one.
    pub(super) fn set_earliest(&mut self, key: K, at: Tick) {
        if self.by_key.get(&key).is_none_or(|before| *before > at) {
            self.set(key, at);
        }
    }

    /// Takes the deadline of `key` away.
    pub(super) fn cancel(&mut self, key: &K) {
        if let Some(before) = self.by_key.remove(key) {
            self.by_tick.remove(&(before, key.clone()));
        }
    }

    /// Takes away the deadlines of all but these.
    pub(super) fn retain(&mut self, is_kept: impl Fn(&K) -> bool) {
        self.by_key.retain(|key, _| is_kept(key));
        self.by_tick.retain(|(_, key)| is_kept(key));
    }

    /// The next key whose deadline has come; it is taken away.
    pub(super) fn pop_due(&mut self, now: Tick) -> Option<K> {
        let (at, _) = self.by_tick.first()?;
        if *at > now {
            return None;
        }
        let (_, key) = self.by_tick.pop_first()?;
        self.by_key.remove(&key);
        Some(key)
    }

    /// The earliest deadline.
    pub(super) fn next(&self) -> Option<Tick> {
        self.by_tick.first().map(|(at, _)| *at)
    }

    /// How many are set.
    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether nothing is set.
    pub(super) fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }
}
