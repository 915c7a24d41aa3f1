//! Calling hours in the file: the worked example of the first product, and hours that can never be.

use super::{parse, shown};
use chrono::{NaiveTime, Weekday};
use ringback::settings::*;
use std::time::Duration;

/// The worked example "Business Hours" of the ring2all documentation, in our words.
const BUSINESS_HOURS: &str = r#"
[system]
default_country = "US"
default_timezone = "America/New_York"

[[trunk]]
name = "carrier"
mode = "peer"
host = "203.0.113.5"

[[caller_id]]
label = "Support Line"
number = "+12025550100"
trunk = "carrier"

[[schedule]]
name = "Business Hours"
weekly = [{ days = "mon-fri", start = "09:00", end = "17:00" }]

[[callback_profile]]
name = "Business Hours"
caller_id_mode = "fixed"
caller_id = "Support Line"
attempts_max = 3
intervals_secs = [0, "30m"]
schedule = "Business Hours"
"#;

const WORKDAYS: [Weekday; 5] = [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri];

fn hour(hour: u32) -> NaiveTime {
    NaiveTime::from_hms_opt(hour, 0, 0).expect("an hour")
}

// S1.18: the worked example: Support Line, 3 attempts, 30 min retry, 9-5, Monday-Friday.
#[test]
fn the_worked_example_of_business_hours_is_stored_as_it_says() {
    let config = parse(BUSINESS_HOURS).unwrap_or_else(|problems| panic!("{}", shown(&problems)));

    let site = &config.settings;
    assert_eq!(shown(&config.warnings), "");
    let profile = site.profile("Business Hours").expect("it is there");
    assert!(profile.enabled);
    assert_eq!((profile.caller_id_mode, profile.caller_id.as_deref()), (CallerIdMode::Fixed, Some("Support Line")));
    assert_eq!((&*site.caller_ids[0].label, &*site.caller_ids[0].number), ("Support Line", "+12025550100"));
    assert_eq!(profile.attempts_max, 3);
    assert_eq!(profile.intervals, [Duration::ZERO, Duration::from_secs(1_800)]);
    assert_eq!(profile.schedule.as_deref(), Some("Business Hours"));
    let schedule = site.schedule("Business Hours").expect("it is there");
    assert_eq!(schedule.tz, Tz::America__New_York);
    assert_eq!(schedule.weekly, [Weekly { days: WORKDAYS.to_vec(), hours: Hours { start: hour(9), end: hour(17) } }]);
    assert!(schedule.exceptions.is_empty());
}

#[test]
fn the_customers_day_is_stored_as_it_says() {
    let more = "legal_window = { start = \"09:00\", end = \"20:00\" }\nlegal_window_applies = \"all\"\n\
                tz_mode = \"default_only\"\ntz_default = \"Europe/Berlin\"\ntz_unknown = \"use_default\"\n";
    let config = parse(&format!("{BUSINESS_HOURS}{more}")).unwrap_or_else(|problems| panic!("{}", shown(&problems)));

    assert_eq!(shown(&config.warnings), "");
    let profile = config.settings.profile("Business Hours").expect("it is there");
    assert_eq!(profile.legal_window, Hours { start: hour(9), end: hour(20) });
    assert_eq!(profile.legal_window_applies, LegalWindowApplies::All);
    assert_eq!((profile.tz_mode, profile.tz_default), (TzMode::DefaultOnly, Some(Tz::Europe__Berlin)));
    assert_eq!(profile.tz_unknown, TzUnknown::UseDefault);
}

#[test]
fn hours_that_can_never_be_are_named() {
    let site = r#"
[[schedule]]
name = "nothing"
exceptions = [{ date = "2026-12-25", closed = true }]

[[schedule]]
name = "day"
tz = "Europe/Berlin"
weekly = [{ days = "mon-fri", start = "09:00", end = "17:00" }]

[[schedule]]
name = "weekend"
tz = "Europe/Berlin"
weekly = [{ days = "sat,sun", start = "09:00", end = "17:00" }]

[[schedule]]
name = "new year"
tz = "Europe/Berlin"
exceptions = [{ date = "2031-01-01", ranges = [{ start = "10:00", end = "11:00" }] }]

[[queue]]
name = "support"
number = "5000"
schedule = "weekend"
rules = ["key"]

[[callback_rule]]
name = "key"
source = "queue_request"
profile = "standard"

[[callback_profile]]
name = "standard"
schedule = "day"
tz_mode = "default_only"

[[callback_profile]]
name = "far"
schedule = "day"
tz_default = "Pacific/Honolulu"
tz_mode = "default_only"

[[callback_profile]]
name = "dates only"
schedule = "new year"
tz_default = "Pacific/Honolulu"
"#;
    let config = parse(site).unwrap_or_else(|problems| panic!("{}", shown(&problems)));

    let hours: Vec<String> = shown(&config.warnings)
        .lines()
        .filter(|line| ["never", "no time in common", "tz_default"].iter().any(|word| line.contains(word)))
        .map(str::to_owned)
        .collect();
    assert_eq!(
        hours,
        [
            "ringback.toml:2:1: warning: schedule \"nothing\" never opens: it has no weekly hours and no \
             exception with any",
            "ringback.toml:32:1: warning: callback_profile.tz_mode is \"default_only\" and there is no tz_default: \
             whatever legal_window holds for is blocked",
            "ringback.toml:34:12: warning: callback_profile.schedule \"day\" and the schedule \"weekend\" of the queue \
             \"support\" have no time in common",
            "ringback.toml:37:1: warning: callback_profile.schedule and legal_window in Pacific/Honolulu have no \
             time in common",
        ]
    );
}

// model.md, legal_window: hours that no customer of the country may lawfully be called in, when no zone is selected.
#[test]
fn hours_that_are_lawful_nowhere_in_the_country_are_named() {
    let told = |country: &str, hours: &str, more: &str| {
        let site = format!(
            "[system]\ndefault_country = \"{country}\"\n\
             [[schedule]]\nname = \"office\"\ntz = \"America/New_York\"\nweekly = [{{ days = \"mon-fri\", {hours} }}]\n\
             [[callback_profile]]\nname = \"standard\"\nschedule = \"office\"\n{more}"
        );
        let config = parse(&site).unwrap_or_else(|problems| panic!("{}", shown(&problems)));
        shown(&config.warnings).lines().filter(|line| line.contains("in common")).map(str::to_owned).collect::<Vec<_>>()
    };
    let (office, night) = ("start = \"09:00\", end = \"12:00\"", "start = \"00:30\", end = \"01:30\"");

    let warning =
        "warning: callback_profile.schedule and legal_window have no time in common in any zone of numbers in";
    assert_eq!(told("NZ", office, ""), [format!("ringback.toml:7:1: {warning} \"NZ\"")]);
    assert_eq!(told("DE", night, "legal_window_applies = \"all\"\n"), [format!("ringback.toml:7:1: {warning} \"DE\"")]);
    assert_eq!(told("DE", office, ""), [""; 0], "nine in New York is three in Berlin");
    assert_eq!(told("US", night, ""), [""; 0], "half past midnight is the evening before in Guam or Hawaii");
    assert_eq!(told("NZ", office, "legal_window_applies = \"none\"\n"), [""; 0]);
    assert_eq!(told("NZ", office, "tz_unknown = \"use_default\"\n"), [""; 0]);
}
