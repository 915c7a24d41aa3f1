//! A brake on guessing tokens (security.md T44): after a few wrong ones an address waits, longer each time, before
//! another is looked at, right or wrong. Who has signed in already is not concerned.
//!
//! The table is bounded: beyond its limit whoever has not tried for longest is forgotten. A customer's whole IPv6 /64
//! counts as one address.

use crate::limits::{HTTP_GUESSERS, HTTP_GUESSES, REFUSALS_NOTED};
use crate::net::admission::block_of;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The first wait; each one is twice the one before.
const FIRST: Duration = Duration::from_secs(1);
/// The longest: a whole office may stand behind one address.
const LONGEST: Duration = Duration::from_secs(60);
/// After this long without a wrong one, nothing is held against an address.
const FORGIVEN: Duration = Duration::from_secs(15 * 60);
const MINUTE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug)]
struct Tries {
    wrong: u32,
    last: Instant,
    until: Instant,
}

/// How many refusals may still be noted in this minute.
#[derive(Clone, Copy, Debug)]
struct Notes {
    since: Instant,
    left: u32,
    untold: u64,
}

#[derive(Debug, Default)]
struct Seen {
    tries: HashMap<IpAddr, Tries>,
    notes: Option<Notes>,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Brake(Arc<Mutex<Seen>>);

impl Brake {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long this address has to wait; `None`: its token is looked at.
    pub(super) fn held(&self, now: Instant, from: Option<IpAddr>) -> Option<Duration> {
        let until = self.seen().tries.get(&address(from))?.until;
        (until > now).then(|| until - now)
    }

    /// A token was wrong.
    pub(super) fn wrong(&self, now: Instant, from: Option<IpAddr>) {
        let (from, tries) = (address(from), &mut self.seen().tries);
        if !tries.contains_key(&from)
            && tries.len() >= HTTP_GUESSERS
            && let Some(oldest) = tries.iter().min_by_key(|(_, tries)| tries.last).map(|(from, _)| *from)
        {
            tries.remove(&oldest);
        }
        let tries = tries.entry(from).or_insert(Tries { wrong: 0, last: now, until: now });
        if now.duration_since(tries.last) >= FORGIVEN {
            tries.wrong = 0;
        }
        tries.wrong = tries.wrong.saturating_add(1);
        tries.last = now;
        if let Some(times) = tries.wrong.checked_sub(HTTP_GUESSES) {
            tries.until = now + FIRST.saturating_mul(1 << times.min(16)).min(LONGEST);
        }
    }

    /// Whether one more refusal is noted, so that strangers cannot fill the log; and how many were not before it.
    pub(super) fn notes(&self, now: Instant) -> Option<u64> {
        let mut seen = self.seen();
        let notes = seen.notes.get_or_insert(Notes { since: now, left: REFUSALS_NOTED, untold: 0 });
        if now.duration_since(notes.since) >= MINUTE {
            (notes.since, notes.left) = (now, REFUSALS_NOTED);
        }
        if notes.left == 0 {
            notes.untold += 1;
            return None;
        }
        notes.left -= 1;
        Some(std::mem::take(&mut notes.untold))
    }
}

fn address(from: Option<IpAddr>) -> IpAddr {
    block_of(from.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    // S1.B18: whoever guesses waits, twice as long each time and a minute at most; nobody else does.
    #[test]
    fn guesses_are_slowed_and_forgiven() {
        let (brake, start) = (Brake::default(), Instant::now());
        let after = |secs| start + Duration::from_secs(secs);
        let guesser = ip("203.0.113.9");

        let mut now = start;
        let mut waits = Vec::new();
        for _ in 0..13 {
            brake.wrong(now, guesser);
            let wait = brake.held(now, guesser).unwrap_or_default();
            waits.push(wait.as_secs());
            now += wait;
        }

        assert_eq!(waits, [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(brake.held(now, guesser), None, "the wait itself is enough");
        assert_eq!(brake.held(now - Duration::from_secs(1), ip("203.0.113.8")), None);
        brake.wrong(after(243 + 15 * 60), guesser);
        assert_eq!(brake.held(after(243 + 15 * 60), guesser), None, "and is forgotten in the end");
    }

    #[test]
    fn a_whole_network_is_one_guesser_and_the_table_is_bounded() {
        let (brake, now) = (Brake::default(), Instant::now());

        (0..HTTP_GUESSES).for_each(|n| brake.wrong(now, ip(&format!("2001:db8::{:x}", n + 1))));
        assert!(brake.held(now, ip("2001:db8::ffff")).is_some());
        for n in 0..HTTP_GUESSERS as u32 {
            brake.wrong(now + Duration::from_secs(1), Some(IpAddr::V4(Ipv4Addr::from(n + 1))));
        }

        assert_eq!(brake.seen().tries.len(), HTTP_GUESSERS);
        assert!(brake.held(now, ip("2001:db8::1")).is_none(), "the oldest has made room");
    }

    #[test]
    fn refusals_are_noted_up_to_a_limit_and_the_rest_is_counted() {
        let (brake, now) = (Brake::default(), Instant::now());

        let noted = (0..100).filter(|_| brake.notes(now).is_some()).count();

        assert_eq!(noted, REFUSALS_NOTED as usize);
        assert_eq!(brake.notes(now + MINUTE), Some(100 - u64::from(REFUSALS_NOTED)));
        assert_eq!(brake.notes(now + MINUTE), Some(0));
    }
}
