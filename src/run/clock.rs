//! The two clocks, read in one place: monotonic time since the process began, sleep of the machine included (Linux's
//! boot clock), and the wall clock, which may be set to an hour of its own: the demo's office opens while people watch.

use crate::time::{Now, Tick};
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// Reads both clocks; copies agree.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// On the boot clock.
    began: Duration,
    /// The wall clock shows so much more than the machine's.
    ahead: TimeDelta,
}

impl Clock {
    /// Time begins now.
    #[allow(clippy::new_without_default)] // A default that differs at every call would surprise.
    pub fn new() -> Clock {
        Clock { began: boot(), ahead: TimeDelta::zero() }
    }

    /// Time begins now, and the wall clock shows `at`.
    pub fn showing(at: DateTime<Utc>) -> Clock {
        Clock { began: boot(), ahead: at.signed_duration_since(Utc::now()) }
    }

    /// The monotonic clock.
    pub fn tick(&self) -> Tick {
        Tick::from_nanos(u64::try_from(boot().saturating_sub(self.began).as_nanos()).unwrap_or(u64::MAX))
    }

    /// Both clocks; the wall clock in whole milliseconds, as it is stored and shown.
    pub fn now(&self) -> Now {
        Now { tick: self.tick(), utc: (Utc::now() + self.ahead).trunc_subsecs(3) }
    }

    /// What it showed when the machine's clock showed this.
    pub fn at(&self, machine: DateTime<Utc>) -> DateTime<Utc> {
        machine.checked_add_signed(self.ahead).unwrap_or(machine)
    }

    /// `tick` as the runtime's timers know it, whose clock stands still while the machine sleeps; one that has passed
    /// is now.
    pub fn instant(&self, tick: Tick) -> Instant {
        Instant::now() + tick.since(self.tick())
    }
}

/// The boot clock: monotonic, and going on in a machine that sleeps.
fn boot() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    let (secs, nanos) = (u64::try_from(now.tv_sec), u32::try_from(now.tv_nsec));
    Duration::new(secs.unwrap_or(0), nanos.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_goes_on_from_there() {
        let nine: DateTime<Utc> = "2026-11-20T14:00:00Z".parse().unwrap();

        let clock = Clock::showing(nine);
        let later = clock.now();

        let passed = later.utc.signed_duration_since(nine);
        assert!((-1..60_000).contains(&passed.num_milliseconds()), "{passed}");
    }
}
