//! Timer values of RFC 3261 §17.1.1.1 and Table 4 with RFC 6026 §8, for unreliable transport, and the one queue in
//! which deadlines wait. A machine keeps its deadlines in its state; the queue only knows when to look at whom.

use crate::time::Tick;
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::time::Duration;

/// Round-trip estimate.
pub const T1: Duration = Duration::from_millis(500);
/// The longest wait between retransmissions of non-INVITE requests and INVITE responses.
pub const T2: Duration = Duration::from_secs(4);
/// How long a message stays in the network.
pub const T4: Duration = Duration::from_secs(5);
/// 64·T1: timers B, F, H, J, L and M, and the UAS core's patience for an ACK (RFC 3261 §13.3.1.4).
pub const GIVE_UP: Duration = Duration::from_secs(32);
/// Timer D: longer than 32 s on UDP.
pub const TIMER_D: Duration = Duration::from_secs(33);
/// Timers I and K.
pub const LINGER: Duration = T4;

/// The next retransmission, and how long after it the one that follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resend {
    /// When.
    pub at: Tick,
    /// The interval that led to `at`.
    pub every: Duration,
}

impl Resend {
    /// First after T1.
    pub fn first(now: Tick) -> Resend {
        Resend { at: now + T1, every: T1 }
    }

    /// Twice the interval, without bound: timer A.
    #[must_use]
    pub fn doubled(self, now: Tick) -> Resend {
        let every = self.every * 2;
        Resend { at: now + every, every }
    }

    /// Twice the interval up to T2: timers E and G.
    #[must_use]
    pub fn doubled_to_t2(self, now: Tick) -> Resend {
        Resend::every(now, (self.every * 2).min(T2))
    }

    /// After a fixed interval: timer E in Proceeding.
    pub fn every(now: Tick, every: Duration) -> Resend {
        Resend { at: now + every, every }
    }
}

/// Deadlines of many owners in one ordered set; each owner has at most one.
#[derive(Debug)]
pub struct Timers<Id> {
    queue: BTreeSet<(Tick, Id)>,
    at: HashMap<Id, Tick>,
}

impl<Id> Default for Timers<Id> {
    fn default() -> Self {
        Timers { queue: BTreeSet::new(), at: HashMap::new() }
    }
}

impl<Id: Copy + Ord + Hash> Timers<Id> {
    /// Sets, moves or removes the deadline of `id`.
    pub fn set(&mut self, id: Id, at: Option<Tick>) {
        let before = match at {
            Some(at) => self.at.insert(id, at),
            None => self.at.remove(&id),
        };
        if before == at {
            return;
        }
        if let Some(before) = before {
            self.queue.remove(&(before, id));
        }
        if let Some(at) = at {
            self.queue.insert((at, id));
        }
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<Tick> {
        self.queue.first().map(|&(at, _)| at)
    }

    /// Takes the owner of the earliest deadline that `now` has reached; equal deadlines in the order of their owners.
    pub fn take_due(&mut self, now: Tick) -> Option<Id> {
        let &(at, id) = self.queue.first()?;
        if at > now {
            return None;
        }
        self.queue.remove(&(at, id));
        self.at.remove(&id);
        Some(id)
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_has_one_deadline_and_the_earliest_comes_first() {
        let mut timers = Timers::default();
        timers.set(1, Some(Tick::from_millis(30)));
        timers.set(2, Some(Tick::from_millis(20)));
        timers.set(1, Some(Tick::from_millis(10)));

        assert_eq!(timers.len(), 2);
        assert_eq!(timers.next(), Some(Tick::from_millis(10)));
        assert_eq!(timers.take_due(Tick::from_millis(9)), None);
        assert_eq!(timers.take_due(Tick::from_millis(25)), Some(1));
        assert_eq!(timers.take_due(Tick::from_millis(25)), Some(2));
        assert!(timers.is_empty());
    }

    #[test]
    fn a_removed_deadline_does_not_fire() {
        let mut timers = Timers::default();
        timers.set(1, Some(Tick::from_millis(10)));
        timers.set(1, None);

        assert_eq!(timers.take_due(Tick::from_millis(99)), None);
    }
}
