//! How often somebody has guessed wrong (security.md T15). Two counts, both in tables of a fixed size: per source and
//! user, with a delay that grows; and per user over all sources, so that a thousand addresses do not have a thousand
//! times the guesses. What is counted is what was claimed, so known and unknown users are treated alike.
//!
//! Whoever is tired out gets the same challenge as everybody, but his answers are not looked at.

use crate::entropy::Entropy;
use crate::limits;
use crate::time::Tick;
use std::hash::{DefaultHasher, Hasher};
use std::net::IpAddr;
use std::time::Duration;

/// Failures count together when no more than this lies between the first and the last.
const WINDOW: Duration = Duration::from_secs(60);
/// The first pause; every further failure doubles it.
const PAUSE: Duration = Duration::from_secs(60);
/// The longest pause: a person who has corrected the secret does not wait longer.
const PAUSE_MAX: Duration = Duration::from_secs(300);
/// Neighbours among which the oldest makes room: collisions of the hash are not enough to be forgotten.
const WAYS: usize = 4;

/// One source that has failed as one user.
#[derive(Clone, Copy, Debug)]
struct Failing {
    /// Who and where from, hashed.
    who: u64,
    /// Begin of the window, or of the pause.
    since: Tick,
    patience: Patience,
}

#[derive(Clone, Copy, Debug)]
enum Patience {
    /// So many failures since `since`.
    Counting(u32),
    /// Not listened to for so long; then one try at a time.
    Pausing(Duration),
}

/// Failures of one user, all sources together, since an instant.
#[derive(Clone, Copy, Debug)]
struct Crowd {
    since: Tick,
    failures: u32,
}

/// What a wrong answer is to whoever reads the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The first of its source as this user for a while: told, since it is a phone that was set up wrongly, as a rule.
    First,
    /// One of many.
    Another,
    /// The one that begins a pause.
    Pause,
}

/// See the module.
pub(super) struct Guesses {
    /// Keys the hash, so that nobody can choose his neighbours.
    key: [u8; 16],
    sources: Vec<[Option<Failing>; WAYS]>,
    users: Vec<Crowd>,
    /// What was told of lately, so that a flood of sources does not fill the log.
    told: Crowd,
}

impl Guesses {
    pub(super) fn new(entropy: &mut Entropy) -> Guesses {
        Guesses {
            key: entropy.bytes(),
            sources: vec![[None; WAYS]; limits::GUESSING_SOURCES / WAYS],
            users: vec![Crowd { since: Tick::ZERO, failures: 0 }; limits::GUESSED_USERS],
            told: Crowd { since: Tick::ZERO, failures: 0 },
        }
    }

    /// Whether this source has used up its guesses as this user, or the whole world has. A source where the user's
    /// phone `is_at_home` only answers for itself: a crowd elsewhere cannot lock it out.
    pub(super) fn exhausted(&self, now: Tick, source: IpAddr, user: &str, is_at_home: bool) -> bool {
        let (who, set) = self.place(source, user);
        let pausing = self.sources[set].iter().flatten().find(|failing| failing.who == who).is_some_and(
            |failing| matches!(failing.patience, Patience::Pausing(pause) if now.since(failing.since) < pause),
        );
        let crowd = &self.users[self.crowd(user)];
        pausing || (!is_at_home && crowd.failures >= limits::GUESSES_PER_USER && now.since(crowd.since) < WINDOW)
    }

    /// Another wrong answer.
    pub(super) fn failed(&mut self, now: Tick, source: IpAddr, user: &str) -> Failure {
        let index = self.crowd(user);
        self.users[index].count(now);

        let (who, set) = self.place(source, user);
        let ways = &mut self.sources[set];
        let way = match ways.iter().position(|way| way.is_some_and(|failing| failing.who == who)) {
            Some(own) => own,
            // An empty place, or else the one nobody has been seen at for longest.
            None => (0..WAYS).min_by_key(|&way| ways[way].map(|failing| failing.since)).expect("WAYS is not zero"),
        };
        let next = match ways[way].filter(|failing| failing.who == who) {
            None => Failing { who, since: now, patience: Patience::Counting(1) },
            Some(failing) => failing.after_another(now),
        };
        ways[way] = Some(next);
        match next.patience {
            Patience::Pausing(_) => Failure::Pause,
            Patience::Counting(1) if self.told.count(now) <= limits::REFUSALS_NOTED => Failure::First,
            Patience::Counting(_) => Failure::Another,
        }
    }

    /// A right answer: the source is forgiven as this user.
    pub(super) fn succeeded(&mut self, source: IpAddr, user: &str) {
        let (who, set) = self.place(source, user);
        for way in &mut self.sources[set] {
            *way = way.filter(|failing| failing.who != who);
        }
    }

    fn place(&self, source: IpAddr, user: &str) -> (u64, usize) {
        let mut hasher = DefaultHasher::new();
        hasher.write(&self.key);
        hasher.write(&block(source));
        hasher.write(user.as_bytes());
        let who = hasher.finish();
        (who, (who % self.sources.len() as u64) as usize)
    }

    fn crowd(&self, user: &str) -> usize {
        let mut hasher = DefaultHasher::new();
        hasher.write(&self.key);
        hasher.write(user.as_bytes());
        (hasher.finish() % self.users.len() as u64) as usize
    }
}

impl Crowd {
    /// One more within the window; how many that makes.
    fn count(&mut self, now: Tick) -> u32 {
        if now.since(self.since) >= WINDOW {
            *self = Crowd { since: now, failures: 0 };
        }
        self.failures += 1;
        self.failures
    }
}

impl Failing {
    fn after_another(self, now: Tick) -> Failing {
        let (since, patience) = match self.patience {
            Patience::Counting(_) if now.since(self.since) >= WINDOW => (now, Patience::Counting(1)),
            Patience::Counting(failures) if failures + 1 < limits::GUESSES_PER_SOURCE => {
                (self.since, Patience::Counting(failures + 1))
            }
            Patience::Counting(_) => (now, Patience::Pausing(PAUSE)),
            // A day's rest after the pause is a new beginning; an earlier try costs twice as much.
            Patience::Pausing(_) if now.since(self.since) >= Duration::from_secs(86_400) => {
                (now, Patience::Counting(1))
            }
            Patience::Pausing(pause) => (now, Patience::Pausing((pause * 2).min(PAUSE_MAX))),
        };
        Failing { who: self.who, since, patience }
    }
}

/// The block of addresses one site holds: an IPv4 address, or an IPv6 /64 (RFC 4291 §2.5.4).
fn block(source: IpAddr) -> [u8; 8] {
    match source.to_canonical() {
        IpAddr::V4(v4) => u64::from(u32::from(v4)).to_be_bytes(),
        IpAddr::V6(v6) => {
            let mut block = [0; 8];
            block.copy_from_slice(&v6.octets()[..8]);
            block
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn at(secs: u64) -> Tick {
        Tick::from_millis(secs * 1000)
    }

    fn elsewhere(n: u32) -> IpAddr {
        IpAddr::V4(std::net::Ipv4Addr::from(0x0a00_0000 + n))
    }

    #[test]
    fn five_wrong_answers_in_a_minute_begin_a_pause_that_grows_and_ends() {
        let mut guesses = Guesses::new(&mut Entropy::from_seed(1));

        for n in 0..4 {
            let told = if n == 0 { Failure::First } else { Failure::Another };
            assert_eq!(guesses.failed(at(n), HERE, "1001"), told, "{n}");
        }
        assert!(!guesses.exhausted(at(4), HERE, "1001", false));
        assert_eq!(guesses.failed(at(4), HERE, "1001"), Failure::Pause);

        assert!(guesses.exhausted(at(5), HERE, "1001", true));
        assert!(!guesses.exhausted(at(5), HERE, "1002", false), "another user at the same place is not meant");
        assert!(!guesses.exhausted(at(64), HERE, "1001", false));
        guesses.failed(at(64), HERE, "1001");
        assert!(guesses.exhausted(at(64 + 119), HERE, "1001", false));
        assert!(!guesses.exhausted(at(64 + 120), HERE, "1001", false));
    }

    // A phone with a wrong secret is told of, once a minute; a thousand sources are not told of one by one.
    #[test]
    fn a_wrong_secret_is_told_of_and_a_flood_of_them_is_not() {
        let mut guesses = Guesses::new(&mut Entropy::from_seed(1));

        let told = |guesses: &mut Guesses, secs: u64, sources: u32| {
            (0..sources).filter(|n| guesses.failed(at(secs), elsewhere(*n), "1001") == Failure::First).count()
        };
        assert_eq!(told(&mut guesses, 0, 1), 1);
        assert_eq!(told(&mut guesses, 1, 1), 0, "the same again");
        assert_eq!(told(&mut guesses, 59, 1_000), 19, "20 a minute in all");
        assert_eq!(told(&mut guesses, 60, 1), 1, "another minute");
    }

    #[test]
    fn slow_mistakes_and_forgiven_ones_do_not_add_up() {
        let mut guesses = Guesses::new(&mut Entropy::from_seed(1));

        for n in 0..20 {
            guesses.failed(at(n * 30), HERE, "1001");
            assert!(!guesses.exhausted(at(n * 30), HERE, "1001", false));
            if n % 3 == 2 {
                guesses.succeeded(HERE, "1001");
            }
        }
    }

    #[test]
    fn a_thousand_addresses_get_fewer_than_6000_guesses_an_hour_and_the_phone_at_home_none_less() {
        let mut guesses = Guesses::new(&mut Entropy::from_seed(1));
        let mut looked_at = 0;

        for secs in 0..3600 {
            for n in 0..280 {
                let source = elsewhere((secs * 280 + n) as u32 % 1000);
                if !guesses.exhausted(at(secs), source, "1001", false) {
                    looked_at += 1;
                    guesses.failed(at(secs), source, "1001");
                }
            }
            assert!(!guesses.exhausted(at(secs), HERE, "1001", true));
        }

        assert!(looked_at < 6000, "{looked_at} guesses were looked at");
    }
}
