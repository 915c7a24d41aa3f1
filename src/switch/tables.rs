//! How full the switch is (law 9): every table that may grow, with what bounds it. Most limits are those of
//! `limits.rs`; the others follow from what the table is about, so that an entry which nothing takes away is found out.

use super::Switch;
use crate::limits;

/// A table: its name, how many entries it has, and how many it may have.
pub type Table = (&'static str, usize, usize);

/// Deadlines that one call may have at once.
const TIMERS_PER_CALL: usize = 7;

impl Switch {
    /// Every table as it is now.
    pub fn tables(&self) -> [Table; 21] {
        let sip = self.ua.counts();
        let (calls, legs) = (self.calls.len(), self.legs.len());
        let trunks = self.settings.trunks.len();
        let cps: usize = self.settings.trunks.iter().map(|trunk| trunk.max_cps as usize).sum();
        let tasks = self.planner.len() + self.closed.len();
        [
            ("legs", legs, limits::LEGS),
            ("calls", calls, limits::LEGS),
            ("legs of the user agent", sip.legs, limits::LEGS),
            ("client transactions", sip.clients, limits::CLIENT_TRANSACTIONS),
            ("server transactions", sip.servers, limits::SERVER_TRANSACTIONS),
            ("ports lent", self.ports.lent(), self.settings.server.media_ports.clone().count()),
            ("phones that ring on", self.ringing_on.len(), limits::LEGS),
            ("late ladders", self.late_ladders.len(), limits::LATE_LADDERS),
            ("open callbacks", self.planner.len(), limits::OPEN_TASKS),
            ("closed callbacks", self.closed.len(), limits::REMEMBERED),
            ("the order of closed callbacks", self.closed_order.len(), limits::REMEMBERED),
            ("callbacks with attempts", self.attempts.len(), tasks),
            ("calls of attempts", self.attempt_calls.len(), calls),
            ("ended calls", self.past.len(), limits::REMEMBERED),
            ("callers in line on the disk", self.entries.len(), calls),
            ("promises whose callers have gone", self.left_promising.len(), self.commits.len()),
            ("new places", self.elsewhere.len(), limits::ELSEWHERE_HOURLY),
            ("calls begun within a second", self.trunk_starts.values().map(|starts| starts.len()).sum(), cps),
            ("requests of trunks", self.requests.len(), 3 * trunks + self.asked.probes.len()),
            ("lookups", self.lookups.len(), 2 * trunks),
            ("timers", self.timers.len(), TIMERS_PER_CALL * calls + legs + 2),
        ]
    }
}
