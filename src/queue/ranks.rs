//! Keys in order of service, and the rank of each. With a hundred thousand callbacks due, everybody who hears his place
//! in line would otherwise count them. The keys lie in short sorted runs: a rank is the lengths of the runs before,
//! and one search.

use super::line::Key;

/// A run that grows longer is split in two, and one that two neighbours fit into half of is joined.
const RUN: usize = 512;

/// A sorted set of keys that knows their ranks.
#[derive(Clone, Debug, Default)]
pub(super) struct Ranks {
    /// None is empty; every key of one is before every key of the next.
    runs: Vec<Vec<Key>>,
}

impl Ranks {
    /// Adds a key that is not here yet.
    pub(super) fn insert(&mut self, key: Key) {
        let at = self.run_of(&key).min(self.runs.len().saturating_sub(1));
        let Some(run) = self.runs.get_mut(at) else {
            self.runs.push(vec![key]);
            return;
        };
        if let Err(place) = run.binary_search(&key) {
            run.insert(place, key);
        }
        if run.len() > RUN {
            let later = run.split_off(RUN / 2);
            self.runs.insert(at + 1, later);
        }
    }

    /// Takes a key out, if it is here.
    pub(super) fn remove(&mut self, key: &Key) {
        let at = self.run_of(key);
        let Some(run) = self.runs.get_mut(at) else { return };
        if let Ok(place) = run.binary_search(key) {
            run.remove(place);
        }
        if run.is_empty() {
            self.runs.remove(at);
        } else if self.runs.get(at + 1).is_some_and(|next| next.len() + self.runs[at].len() < RUN / 2) {
            let next = self.runs.remove(at + 1);
            self.runs[at].extend(next);
        }
    }

    /// How many keys are not after this one.
    pub(super) fn up_to(&self, key: &Key) -> usize {
        let at = self.run_of(key);
        let before: usize = self.runs[..at].iter().map(Vec::len).sum();
        before + self.runs.get(at).map_or(0, |run| run.partition_point(|other| other <= key))
    }

    /// How many keys there are.
    pub(super) fn len(&self) -> usize {
        self.runs.iter().map(Vec::len).sum()
    }

    /// All keys in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Key> {
        self.runs.iter().flatten()
    }

    /// The first run whose last key is not before this one.
    fn run_of(&self, key: &Key) -> usize {
        self.runs.partition_point(|run| run.last().is_some_and(|last| last < key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Ticket;
    use crate::time::DateTime;
    use std::collections::BTreeSet;

    fn key(n: u64) -> Key {
        Key { priority: 5, virtual_start: DateTime::UNIX_EPOCH, ticket: Ticket(n) }
    }

    #[test]
    fn ranks_are_those_of_a_sorted_set_however_it_came_about() {
        let (mut ranks, mut plain) = (Ranks::default(), BTreeSet::new());
        // Every number below 4 096 once, in no order; then two of three go again.
        let shuffled = || (0..4_096u64).map(|n| n * 2_741 % 4_096);
        for n in shuffled() {
            ranks.insert(key(n));
            plain.insert(n);
        }
        for n in shuffled().filter(|n| n % 3 > 0) {
            ranks.remove(&key(n));
            plain.remove(&n);
        }
        ranks.insert(key(0));
        ranks.remove(&key(1));

        assert!(ranks.iter().eq(plain.iter().map(|n| key(*n)).collect::<Vec<_>>().iter()));
        assert_eq!(ranks.len(), plain.len());
        for n in [0, 1, 2, 3, 2_000, 4_094, 4_095, 9_999] {
            assert_eq!(ranks.up_to(&key(n)), plain.range(..=n).count(), "{n}");
        }
        assert!(ranks.runs.iter().all(|run| !run.is_empty() && run.len() <= RUN) && ranks.runs.len() < 20);
    }
}
