//! The two clocks, read in one place: monotonic time since the process began, and the wall clock.

use crate::time::{Now, Tick};
use chrono::{SubsecRound, Utc};
use std::time::Instant;

/// Reads both clocks; copies agree.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    began: Instant,
}

impl Clock {
    /// Time begins now.
    #[allow(clippy::new_without_default)] // A default that differs at every call would surprise.
    pub fn new() -> Clock {
        Clock { began: Instant::now() }
    }

    /// The monotonic clock.
    pub fn tick(&self) -> Tick {
        Tick::from_nanos(u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// Both clocks; the wall clock in whole milliseconds, as it is stored and shown.
    pub fn now(&self) -> Now {
        Now { tick: self.tick(), utc: Utc::now().trunc_subsecs(3) }
    }

    /// `tick` as the runtime's timers know it.
    pub fn instant(&self, tick: Tick) -> Instant {
        self.began + tick.since(Tick::ZERO)
    }
}
