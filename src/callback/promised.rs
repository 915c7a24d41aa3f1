//! Hours that were promised (durability.md §2.10): the instant, the zone, and what clocks there were to show.

use crate::id::Name;
use crate::settings::Tz;
use crate::time::{DateTime, Utc};
use crate::zone::Zones;
use chrono::NaiveDateTime;
use serde::{Deserialize, Serialize};

/// An hour that was promised, as it was said: clocks there are to show it, whatever governments do to them meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promised {
    /// The instant, as the clocks of the zone are set today.
    pub at: DateTime<Utc>,
    /// The zone (IANA).
    pub zone: Name,
    /// What clocks there show.
    pub local: NaiveDateTime,
}

impl Promised {
    /// `at`, promised to somebody in this zone.
    pub fn new(zones: &Zones, tz: Tz, at: DateTime<Utc>) -> Promised {
        Promised { at, zone: tz.name().into(), local: zones.zone(tz).local(at) }
    }

    /// Other tables of the clocks are in force: the instant at which they will show what was said, when it is another.
    pub fn anew(&self, zones: &Zones) -> Option<DateTime<Utc>> {
        let tz: Tz = self.zone.parse().ok()?;
        Some(zones.zone(tz).instant(self.local)).filter(|at| *at != self.at)
    }
}
