//! Calling hours around midnight, holidays and the nights in which clocks change.

use crate::site::{WORKDAYS, date, hours, name, new_york, office, profile, secs, site, utc};
use chrono::{TimeDelta, TimeZone, Weekday};
use chrono_tz::{America, Europe, Pacific};
use proptest::prelude::*;
use ringback::callback::task::Source;
use ringback::callback::window::{Whom, Window, expires_at};
use ringback::number::Party;
use ringback::settings::{CallbackProfile, Exception, ExpiryClock, Schedule, Settings, Weekly};
use ringback::time::{DateTime, Utc};
use ringback::zone::{Zone, Zones};
use std::sync::LazyLock;

static ZONES: LazyLock<Zones> = LazyLock::new(Zones::bundled);

fn hours_of(schedule: &Schedule) -> Window<'_> {
    Window::new(&ZONES, Some(schedule))
}

fn zone(tz: chrono_tz::Tz) -> Zone<'static> {
    ZONES.zone(tz)
}

fn schedule(weekly: &[(&[Weekday], &str, &str)]) -> Schedule {
    let line = |(days, start, end): &(&[Weekday], &str, &str)| Weekly { days: days.to_vec(), hours: hours(start, end) };
    Schedule { weekly: weekly.iter().map(line).collect(), ..office("09:00:00", "17:00:00") }
}

/// The expiry of a request of an extension in the queue `support`.
fn expires(site: &Settings, profile: &CallbackProfile, from: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let number = Party::Extension("1002".into());
    expires_at(site, &Whom { profile, queue: "support", number: &number, source: Source::QueueRequest }, from)
}

fn exception(day: &str, ranges: &[(&str, &str)]) -> Exception {
    let ranges = ranges.iter().map(|(start, end)| hours(start, end)).collect();
    Exception { date: date(day), ranges, name: "special".into() }
}

fn in_zone(tz: chrono_tz::Tz, local: &str) -> DateTime<Utc> {
    tz.from_local_datetime(&local.parse().expect("a local time")).earliest().expect("it exists").to_utc()
}

// S1.16, S1.4: hours begin with their first second and end before their last.
#[test]
fn the_start_belongs_to_the_hours_and_the_end_does_not() {
    let office = office("09:00:00", "18:00:00");
    let window = hours_of(&office);

    assert!(!window.is_open(new_york("2026-11-02T08:59:59")));
    assert!(window.is_open(new_york("2026-11-02T09:00:00")));
    assert!(window.is_open(new_york("2026-11-02T17:59:59")));
    assert!(!window.is_open(new_york("2026-11-02T18:00:00")));
    assert_eq!(window.closes(new_york("2026-11-02T12:00:00")), Some(new_york("2026-11-02T18:00:00")));
    assert_eq!(window.closes(new_york("2026-11-02T18:00:00")), None);
}

// S1.17, S1.19: days without hours are passed over.
#[test]
fn what_comes_on_friday_evening_or_on_saturday_waits_for_monday() {
    let office = office("09:00:00", "17:00:00");
    let window = hours_of(&office);
    let monday = Some(new_york("2026-11-09T09:00:00"));

    assert_eq!(window.opens(new_york("2026-11-06T17:05:00")), monday);
    assert_eq!(window.opens(new_york("2026-11-07T10:00:00")), monday);
    let within = new_york("2026-11-06T16:59:59");
    assert_eq!(window.opens(within), Some(within));
}

// S5.30, S3.B12: Saturday has hours of its own.
#[test]
fn several_ranges_a_day_and_other_hours_on_saturday_are_kept_apart() {
    let schedule = schedule(&[
        (&WORKDAYS, "09:00:00", "12:00:00"),
        (&WORKDAYS, "13:00:00", "17:00:00"),
        (&[Weekday::Sat], "10:00:00", "14:00:00"),
    ]);
    let window = hours_of(&schedule);

    assert_eq!(window.opens(new_york("2026-11-02T12:00:00")), Some(new_york("2026-11-02T13:00:00")));
    assert_eq!(window.opens(new_york("2026-11-06T17:00:00")), Some(new_york("2026-11-07T10:00:00")));
    assert_eq!(window.closes(new_york("2026-11-02T11:00:00")), Some(new_york("2026-11-02T12:00:00")));
}

#[test]
fn ranges_that_touch_or_overlap_are_one_opening() {
    let schedule = schedule(&[
        (&WORKDAYS, "09:00:00", "12:00:00"),
        (&WORKDAYS, "12:00:00", "15:00:00"),
        (&WORKDAYS, "14:00:00", "17:00:00"),
    ]);
    let window = hours_of(&schedule);
    assert_eq!(window.closes(new_york("2026-11-02T09:00:00")), Some(new_york("2026-11-02T17:00:00")));
    // Overlapping time is not counted twice.
    let four_hours = window.after_open(new_york("2026-11-02T13:00:00"), secs(4 * 3_600));
    assert_eq!(four_hours, Some(new_york("2026-11-02T17:00:00")));
}

#[test]
fn hours_may_run_past_midnight_and_24_00_is_the_end_of_the_day() {
    let schedule = schedule(&[(&[Weekday::Fri], "22:00:00", "02:00:00"), (&[Weekday::Sun], "12:00:00", "00:00:00")]);
    let window = hours_of(&schedule);

    assert!(window.is_open(new_york("2026-11-07T01:59:59")));
    assert!(!window.is_open(new_york("2026-11-07T02:00:00")));
    assert!(!window.is_open(new_york("2026-11-06T01:00:00")), "Thursday has no evening hours");
    assert_eq!(window.closes(new_york("2026-11-06T23:00:00")), Some(new_york("2026-11-07T02:00:00")));
    assert_eq!(window.closes(new_york("2026-11-08T13:00:00")), Some(new_york("2026-11-09T00:00:00")));
}

#[test]
fn a_day_without_end_does_not_close() {
    let every = [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];
    let schedule = schedule(&[(&every, "00:00:00", "00:00:00")]);
    let window = hours_of(&schedule);
    assert_eq!(window.closes(new_york("2026-11-06T23:00:00")), None);
    assert!(window.is_open(new_york("2026-11-01T01:30:00")), "also in the night the clocks change");
    assert_eq!(Window::new(&ZONES, None).closes(utc("2026-11-06T23:00:00Z")), None);
}

// S1.B13: 25 December is deferred to the 26th, here to Monday, since the 26th is a Saturday.
#[test]
fn a_holiday_is_closed_and_other_dates_have_hours_of_their_own() {
    let mut office = office("09:00:00", "17:00:00");
    office.exceptions = vec![exception("2026-12-25", &[]), exception("2026-12-24", &[("09:00:00", "12:00:00")])];
    let window = hours_of(&office);

    assert_eq!(window.opens(new_york("2026-12-24T12:00:00")), Some(new_york("2026-12-28T09:00:00")));
    assert_eq!(window.closes(new_york("2026-12-24T10:00:00")), Some(new_york("2026-12-24T12:00:00")));
    office.exceptions.push(exception("2026-12-26", &[("10:00:00", "11:00:00")]));
    let window = hours_of(&office);
    assert_eq!(window.opens(new_york("2026-12-25T09:30:00")), Some(new_york("2026-12-26T10:00:00")));
}

#[test]
fn the_evening_before_does_not_run_into_a_holiday() {
    let mut schedule = schedule(&[(&[Weekday::Thu], "20:00:00", "06:00:00")]);
    schedule.exceptions = vec![exception("2026-12-25", &[])];
    let window = hours_of(&schedule);
    assert_eq!(window.closes(new_york("2026-12-24T23:00:00")), Some(new_york("2026-12-25T00:00:00")));
    assert!(!window.is_open(new_york("2026-12-25T05:00:00")));
}

#[test]
fn a_local_time_that_is_skipped_is_the_next_one_and_a_double_one_the_first() {
    let berlin = |local: &str| zone(Europe::Berlin).instant(local.parse().expect("a local time"));
    assert_eq!(berlin("2026-03-29T02:30:00"), utc("2026-03-29T01:00:00Z"));
    assert_eq!(berlin("2026-03-29T02:00:00"), utc("2026-03-29T01:00:00Z"));
    assert_eq!(berlin("2026-03-29T03:00:00"), utc("2026-03-29T01:00:00Z"));
    assert_eq!(berlin("2026-10-25T02:30:00"), utc("2026-10-25T00:30:00Z"));
    // Samoa had no 30 December 2011; Lord Howe moves its clocks by half an hour.
    let apia = zone(Pacific::Apia).instant("2011-12-30T12:00:00".parse().expect("a local time"));
    assert_eq!(apia, in_zone(Pacific::Apia, "2011-12-31T00:00:00"));
    let howe = zone(chrono_tz::Australia::Lord_Howe);
    assert_eq!(howe.instant("2026-10-04T02:15:00".parse().expect("a local time")), utc("2026-10-03T15:30:00Z"));
}

// S1.24: hours are wall-clock hours of the zone.
#[test]
fn nine_in_the_morning_stays_nine_in_the_morning_across_the_change() {
    let office = office("09:00:00", "17:00:00");
    let window = hours_of(&office);
    assert_eq!(window.opens(utc("2026-03-06T23:00:00Z")), Some(utc("2026-03-09T13:00:00Z")));
    assert_eq!(window.opens(utc("2026-10-30T23:00:00Z")), Some(utc("2026-11-02T14:00:00Z")));
}

#[test]
fn a_range_inside_the_skipped_hour_is_no_opening() {
    let mut sunday = schedule(&[(&[Weekday::Sun], "02:10:00", "02:50:00")]);
    sunday.tz = Europe::Berlin;
    let window = hours_of(&sunday);
    let opens = window.opens(in_zone(Europe::Berlin, "2026-03-28T12:00:00"));
    assert_eq!(opens, Some(in_zone(Europe::Berlin, "2026-04-05T02:10:00")));
}

#[test]
fn a_schedule_that_never_opens_says_so() {
    let never = schedule(&[]);
    let window = hours_of(&never);
    assert_eq!(window.opens(utc("2026-11-02T14:00:00Z")), None);
    assert_eq!(window.after_open(utc("2026-11-02T14:00:00Z"), secs(1)), None);
}

// S1.B5, S3.10: a promise lives in open time, or by the wall.
#[test]
fn a_promise_expires_by_open_time_or_by_the_wall() {
    let mut site = site();
    let mut standard = profile();
    standard.schedule = Some(name("office"));
    standard.expires_after = Some(secs(3_600));
    let asked = new_york("2026-11-06T16:45:00");

    assert_eq!(expires(&site, &standard, asked), Some(new_york("2026-11-09T09:45:00")));
    standard.expiry_clock = ExpiryClock::Wall;
    assert_eq!(expires(&site, &standard, asked), Some(new_york("2026-11-06T17:45:00")));
    standard.expires_after = None;
    assert_eq!(expires(&site, &standard, asked), None);
    // The default day of open time is three working days of eight hours.
    standard.expires_after = Some(secs(86_400));
    standard.expiry_clock = ExpiryClock::Open;
    site.schedules = vec![office("09:00:00", "17:00:00")];
    let asked = new_york("2026-11-02T09:00:00");
    assert_eq!(expires(&site, &standard, asked), Some(new_york("2026-11-04T17:00:00")));
}

/// Weekly lines of up to four ranges, and up to two exceptions, in three zones.
fn schedules() -> impl Strategy<Value = Schedule> {
    let minute = || (0..24u32, 0..4u32).prop_map(|(hour, quarter)| format!("{hour:02}:{:02}:00", quarter * 15));
    let range = || (minute(), minute());
    let weekly = proptest::collection::vec((0..7u8, range()), 0..5);
    let exceptions = proptest::collection::vec((0..20u32, proptest::collection::vec(range(), 0..3)), 0..3);
    let zones = prop_oneof![Just(America::New_York), Just(Europe::Berlin), Just(chrono_tz::Australia::Lord_Howe)];
    (weekly, exceptions, zones).prop_map(|(weekly, exceptions, tz)| {
        let mut schedule = office("09:00:00", "17:00:00");
        schedule.tz = tz;
        schedule.weekly = weekly
            .iter()
            .map(|(day, (start, end))| Weekly {
                days: vec![Weekday::try_from(*day).expect("below 7")],
                hours: hours(start, end),
            })
            .collect();
        schedule.exceptions = exceptions
            .iter()
            .map(|(day, ranges)| Exception {
                date: date("2026-10-20") + chrono::Days::new(u64::from(*day)),
                ranges: ranges.iter().map(|(start, end)| hours(start, end)).collect(),
                name: String::new(),
            })
            .collect();
        schedule
    })
}

proptest! {
    /// Openings and closings agree with `is_open`, also around the nights in which clocks change.
    #[test]
    fn it_is_shut_until_it_opens_and_open_until_it_closes(schedule in schedules(), minutes in 0..40_000i64) {
        let window = hours_of(&schedule);
        let from = utc("2026-10-18T00:00:00Z") + TimeDelta::minutes(minutes);
        let Some(opens) = window.opens(from) else { return Ok(()) };

        prop_assert!(window.is_open(opens));
        prop_assert_eq!(opens == from, window.is_open(from));
        for step in 1..20 {
            let between = from + (opens - from) * step / 20;
            prop_assert_eq!(window.is_open(between), between >= opens);
        }
        if let Some(closes) = window.closes(opens) {
            prop_assert!(closes > opens);
            prop_assert!(window.is_open(closes - TimeDelta::seconds(1)));
            prop_assert!(!window.is_open(closes));
            for step in 0..20 {
                prop_assert!(window.is_open(opens + (closes - opens) * step / 20));
            }
        }
    }

    /// Open time adds up: a part and the rest lead to the same instant, and no time passes outside hours.
    #[test]
    fn open_time_adds_up(schedule in schedules(), minutes in 0..20_000i64, a in 1..50_000u64, b in 1..50_000u64) {
        let window = hours_of(&schedule);
        let from = utc("2026-10-18T00:00:00Z") + TimeDelta::minutes(minutes);
        let whole = window.after_open(from, secs(a + b));
        let parts = window.after_open(from, secs(a)).and_then(|middle| window.after_open(middle, secs(b)));
        prop_assert_eq!(whole, parts);
        if let Some(end) = whole {
            prop_assert!(end - from >= TimeDelta::seconds((a + b) as i64));
            prop_assert!(window.is_open(end - TimeDelta::milliseconds(1)));
        }
    }
}
