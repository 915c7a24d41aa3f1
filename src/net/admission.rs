//! How much one source may send (security.md T6): a token bucket per address in a table that never grows.
//!
//! Trunks, and our own machine, are not counted. The limit is generous: it is there so that one stranger's flood is
//! dropped before it is parsed, not to shape anybody's ordinary traffic. Two addresses that fall on one slot share its
//! allowance; a secret hash decides which do.

use crate::limits::{SOURCE_BURST, SOURCE_RATE, WATCHED_SOURCES};
use crate::settings::Cidr;
use crate::time::Tick;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, PoisonError, RwLock};

/// Where the names of trunks have led: as trusted as an address in the configuration. One entry for each name, so it
/// does not grow.
#[derive(Clone, Debug, Default)]
pub struct Found(Arc<RwLock<HashMap<String, Vec<IpAddr>>>>);

impl Found {
    /// The name leads there now.
    pub fn put(&self, name: &str, addresses: Vec<IpAddr>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), addresses);
    }

    fn contains(&self, source: IpAddr) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().flatten().any(|address| *address == source)
    }
}

/// Address blocks and addresses that are never limited, as the edition in force has them.
#[derive(Clone, Debug, Default)]
pub struct Trusted(Arc<RwLock<Vec<Cidr>>>);

impl Trusted {
    /// These, and no others, from now on.
    pub fn put(&self, blocks: Vec<Cidr>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = blocks;
    }

    fn contains(&self, source: IpAddr) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).iter().any(|block| block.contains(source))
    }
}

impl From<Vec<Cidr>> for Trusted {
    fn from(blocks: Vec<Cidr>) -> Trusted {
        Trusted(Arc::new(RwLock::new(blocks)))
    }
}

/// The buckets of all sources.
#[derive(Debug)]
pub struct Admission {
    trusted: Trusted,
    found: Found,
    slots: Vec<Slot>,
    hasher: RandomState,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    /// Thousandths of a message.
    tokens: u64,
    at: Tick,
}

const ONE: u64 = 1_000;
const FULL: u64 = SOURCE_BURST as u64 * ONE;

impl Admission {
    /// With the address blocks and addresses that are never limited.
    pub fn new(trusted: impl Into<Trusted>, found: Found) -> Admission {
        let empty = Slot { tokens: FULL, at: Tick::ZERO };
        Admission { trusted: trusted.into(), found, slots: vec![empty; WATCHED_SOURCES], hasher: RandomState::new() }
    }

    /// Whether one more message of `source` is taken now.
    pub fn admits(&mut self, now: Tick, source: IpAddr) -> bool {
        if source.is_loopback() || self.trusted.contains(source) {
            return true;
        }
        let at = usize::try_from(self.hasher.hash_one(block_of(source))).unwrap_or(0) % WATCHED_SOURCES;
        let slot = &mut self.slots[at];
        let gained = now.since(slot.at).as_millis().saturating_mul(u128::from(SOURCE_RATE));
        slot.tokens = slot.tokens.saturating_add(u64::try_from(gained).unwrap_or(FULL)).min(FULL);
        slot.at = now;
        if slot.tokens < ONE {
            return self.found.contains(source); // Asked only here: strangers' messages are many.
        }
        slot.tokens -= ONE;
        true
    }
}

/// One customer of a provider holds a whole IPv6 /64.
pub(crate) fn block_of(source: IpAddr) -> IpAddr {
    match source {
        IpAddr::V4(_) => source,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6) & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_flood_is_cut_to_burst_and_rate_and_recovers() {
        let mut admission = Admission::new(Vec::new(), Found::default());
        let flood = |admission: &mut Admission, at: Tick| {
            (0..5_000).filter(|_| admission.admits(at, ip("198.51.100.7"))).count()
        };

        assert_eq!(flood(&mut admission, Tick::ZERO), SOURCE_BURST as usize);
        assert_eq!(flood(&mut admission, Tick::ZERO + Duration::from_secs(1)), SOURCE_RATE as usize);
        assert_eq!(flood(&mut admission, Tick::ZERO + Duration::from_secs(100)), SOURCE_BURST as usize);
    }

    #[test]
    fn trunks_and_our_own_machine_are_never_limited() {
        let trunk = Cidr { address: ip("203.0.113.0"), bits: 24 };
        let mut admission = Admission::new(vec![trunk], Found::default());

        assert!((0..5_000).all(|_| admission.admits(Tick::ZERO, ip("203.0.113.9"))));
        assert!((0..5_000).all(|_| admission.admits(Tick::ZERO, ip("127.0.0.1"))));
    }

    #[test]
    fn an_address_that_a_trunks_name_led_to_is_not_limited_until_it_leads_elsewhere() {
        let found = Found::default();
        let mut admission = Admission::new(Vec::new(), found.clone());
        let taken =
            |admission: &mut Admission| (0..5_000).filter(|_| admission.admits(Tick::ZERO, ip("203.0.113.9"))).count();

        found.put("sip.example.com", vec![ip("203.0.113.9")]);
        let before = taken(&mut admission);
        found.put("sip.example.com", vec![ip("203.0.113.10")]);

        assert_eq!((before, taken(&mut admission)), (5_000, 0));
    }

    #[test]
    fn a_whole_ipv6_network_is_one_source() {
        let mut admission = Admission::new(Vec::new(), Found::default());

        let taken =
            (0..5_000u64).filter(|n| admission.admits(Tick::ZERO, ip(&format!("2001:db8::{:x}", n + 1)))).count();

        assert_eq!(taken, SOURCE_BURST as usize);
    }
}
