//! How a queue picks among agents who are ready (S1.B6, S2.B3, S3.B10): the lower tier before the higher, with
//! `skill_…` the higher level before the lower, and then as the strategy says.
//!
//! Whoever has rung for a caller already comes after all who have not, whatever tier they are of: that is what
//! "tier 2 rings when tier 1 is exhausted" and "no answer, then the next agent" mean together (S1.B8, S1.B10).

use super::line::Entry;
use crate::id::Name;
use crate::limits::RUNG_AT_ONCE;
use crate::settings::{Pick, Strategy};
use crate::time::Tick;
use std::cmp::Reverse;

/// A ready agent, and what strategies look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idle {
    /// Who.
    pub agent: Name,
    /// Since when (`agent::Agent::idle_since`).
    pub since: Tick,
    /// Its place among the members, in the order of the file.
    pub place: usize,
    /// Lower tiers are rung first.
    pub tier: u8,
    /// How well it is suited to this queue: 10 is best.
    pub level: u8,
    /// When its last call of a queue began; `None`: it has had none.
    pub last_call: Option<Tick>,
    /// Its calls of queues today.
    pub calls_today: u32,
}

impl Idle {
    /// A member of the first tier and level that has had no call.
    pub fn of(agent: &str, place: usize, since: Tick) -> Idle {
        Idle { agent: agent.into(), since, place, tier: 1, level: 1, last_call: None, calls_today: 0 }
    }
}

/// How one queue picks this time.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// Its strategy.
    pub strategy: Strategy,
    /// The place of the member that was offered a call last (`round_robin`).
    pub last: Option<usize>,
    /// What chance says (`random`).
    pub chance: u64,
}

impl Turn {
    /// The first turn of a queue, without chance.
    pub fn of(strategy: impl Into<Strategy>) -> Turn {
        Turn { strategy: strategy.into(), last: None, chance: 0 }
    }

    /// Puts agents in the order in which they are rung.
    pub fn sort(&self, ready: &mut [Idle]) {
        ready.sort_by_cached_key(|idle| (self.group(idle), self.rank(idle), idle.since, idle.agent.clone()));
    }

    /// Those who are rung for `entry`, of agents in order who may all serve it: one, or with `ring_all` everybody of
    /// the first tier (and level). `preferred` goes first, if it is there: the agent of last time.
    pub fn choose(&self, entry: &Entry, ready: &[&Idle], preferred: Option<&Name>) -> Vec<Name> {
        let fewest = ready.iter().map(|idle| entry.tries(&idle.agent)).min().unwrap_or(0);
        let fresh: Vec<&&Idle> = ready.iter().filter(|idle| entry.tries(&idle.agent) == fewest).collect();
        let Some(first) = fresh.first() else { return Vec::new() };
        match self.strategy.pick {
            Pick::RingAll => fresh
                .iter()
                .filter(|idle| self.group(idle) == self.group(first))
                .take(RUNG_AT_ONCE)
                .map(|idle| idle.agent.clone())
                .collect(),
            Pick::LongestIdle
            | Pick::RoundRobin
            | Pick::LeastRecent
            | Pick::FewestCalls
            | Pick::Random
            | Pick::Linear => {
                let known = fresh.iter().find(|idle| Some(&idle.agent) == preferred);
                vec![known.unwrap_or(first).agent.clone()]
            }
        }
    }

    /// Whom nobody of a later group is asked before.
    fn group(&self, idle: &Idle) -> (u8, Reverse<u8>) {
        (idle.tier, Reverse(if self.strategy.by_skill { idle.level } else { 0 }))
    }

    fn rank(&self, idle: &Idle) -> (bool, u64) {
        let place = idle.place as u64;
        match self.strategy.pick {
            Pick::LongestIdle | Pick::RingAll => (false, 0),
            Pick::RoundRobin => (self.last.is_some_and(|last| idle.place <= last), place),
            Pick::LeastRecent => (idle.last_call.is_some(), idle.last_call.unwrap_or_default().as_nanos()),
            Pick::FewestCalls => (false, idle.calls_today.into()),
            Pick::Random => (false, shuffled(self.chance, place)),
            Pick::Linear => (false, place),
        }
    }
}

/// Another number for each `place`, without order, and others for another `chance`. (The finalizer of splitmix64.)
fn shuffled(chance: u64, place: u64) -> u64 {
    let mut bits = chance ^ (place + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
