//! When a callback may be dialled: business hours of profile and queue, the legal window where the customer is, and
//! the cut-off before the end of the target's day.

use crate::site::{hours, name, new_york, office, secs, site, utc};
use chrono::{Days, TimeDelta};
use chrono_tz::{America, Asia, Europe, Pacific};
use proptest::prelude::*;
use ringback::callback::task::Source;
use ringback::callback::window::{CutOff, Shut, Whom, Window, expires_at};
use ringback::number::Party;
use ringback::settings::*;
use ringback::time::{DateTime, Utc};

/// A site in New York, nine to five, whose customers are protected.
fn protected() -> Settings {
    let mut site = site();
    site.schedules = vec![office("09:00:00", "17:00:00")];
    let standard = site.profiles.iter_mut().find(|profile| &*profile.name == "standard").expect("it is there");
    standard.schedule = Some(name("office"));
    standard.legal_window_applies = LegalWindowApplies::All;
    site
}

fn standard(site: &mut Settings) -> &mut CallbackProfile {
    site.profiles.iter_mut().find(|profile| &*profile.name == "standard").expect("it is there")
}

fn number(text: &str) -> Party {
    Party::from(text.to_owned())
}

/// When `customer` may be called first, from `at` on.
fn opens(site: &Settings, customer: &str, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let number = number(customer);
    window(site, &number, Source::MissedQueue, at).opens(at)
}

fn window<'a>(site: &'a Settings, number: &'a Party, source: Source, at: DateTime<Utc>) -> Window<'a> {
    let profile = site.profile("standard").expect("it is there");
    Window::of(site, &Whom { profile, queue: "support", number, source }, at)
}

const SEATTLE: &str = "+12065550123";
const NEW_YORK: &str = "+12125550123";

// S1.24: business in UTC-5, customer in UTC-8: not at nine there, when it is six here; at eleven.
#[test]
fn a_customer_out_west_is_called_when_it_is_eight_there() {
    let site = protected();

    assert_eq!(opens(&site, SEATTLE, new_york("2026-11-02T09:00:00")), Some(new_york("2026-11-02T11:00:00")));
    assert_eq!(opens(&site, NEW_YORK, new_york("2026-11-02T09:00:00")), Some(new_york("2026-11-02T09:00:00")));
    // Friday evening over there is Friday evening here: business hours hold as well.
    assert_eq!(opens(&site, SEATTLE, new_york("2026-11-06T17:00:00")), Some(new_york("2026-11-09T11:00:00")));
}

#[test]
fn a_window_closes_with_the_first_of_its_hours() {
    let mut site = protected();
    site.schedules = vec![office("09:00:00", "23:00:00")];
    let (seattle, here) = (number(SEATTLE), number(NEW_YORK));
    let noon = new_york("2026-11-02T12:00:00");

    assert_eq!(window(&site, &here, Source::Api, noon).closes(noon), Some(new_york("2026-11-02T21:00:00")));
    assert_eq!(window(&site, &seattle, Source::Api, noon).closes(noon), Some(new_york("2026-11-02T23:00:00")));
    let early = new_york("2026-11-02T10:00:00");
    assert_eq!(window(&site, &seattle, Source::Api, early).closes(early), None, "it is seven there");
    assert!(!window(&site, &seattle, Source::Api, early).is_open(early));
}

#[test]
fn the_law_asks_for_missed_calls_unless_told_otherwise() {
    let mut site = protected();
    let seattle = number(SEATTLE);
    let nine = new_york("2026-11-02T09:00:00");
    let table = [
        (LegalWindowApplies::Missed, Source::MissedIvr, false),
        (LegalWindowApplies::Missed, Source::QueueRequest, true),
        (LegalWindowApplies::Missed, Source::Api, true),
        (LegalWindowApplies::All, Source::QueueRequest, false),
        (LegalWindowApplies::None, Source::MissedAgent, true),
    ];
    for (applies, source, expected) in table {
        standard(&mut site).legal_window_applies = applies;
        assert_eq!(window(&site, &seattle, source, nine).is_open(nine), expected, "{applies:?} {source:?}");
    }
    // An extension is inside: nobody's law.
    standard(&mut site).legal_window_applies = LegalWindowApplies::All;
    assert!(window(&site, &number("1002"), Source::MissedQueue, nine).is_open(nine));
}

// S5.28: the selected zone is used if none is detected; with neither, nothing is dialled.
#[test]
fn without_a_zone_detected_or_selected_it_never_opens() {
    let mut site = protected();
    let (nowhere, seattle) = (number("+999123456789"), number(SEATTLE));
    let nine = new_york("2026-11-02T09:00:00");

    assert_eq!(window(&site, &nowhere, Source::Api, nine).opens(nine), None);
    assert_eq!(window(&site, &nowhere, Source::Api, nine).shut(nine), Shut::ZoneUnknown);
    assert!(!window(&site, &nowhere, Source::Api, nine).is_open(nine));

    standard(&mut site).tz_default = Some(America::Denver);
    assert_eq!(opens(&site, "+999123456789", nine), Some(new_york("2026-11-02T10:00:00")));
    assert_eq!(opens(&site, SEATTLE, nine), Some(new_york("2026-11-02T11:00:00")), "a detected one counts first");
    standard(&mut site).tz_mode = TzMode::DefaultOnly;
    assert_eq!(opens(&site, SEATTLE, nine), Some(new_york("2026-11-02T10:00:00")));

    standard(&mut site).tz_default = None;
    assert_eq!(window(&site, &seattle, Source::Api, nine).shut(nine), Shut::ZoneUnknown);
    // Whoever wants it so takes the site's.
    standard(&mut site).tz_unknown = TzUnknown::UseDefault;
    assert_eq!(opens(&site, SEATTLE, nine), Some(nine));
}

#[test]
fn a_number_of_several_zones_is_called_when_it_is_lawful_in_all() {
    let mut site = protected();
    site.schedules = vec![Schedule { tz: Europe::Lisbon, ..office("07:00:00", "23:00:00") }];
    // Portugal and the Azores, an hour behind.
    let day = utc("2026-11-02T00:00:00Z");
    let portugal = number("+351912345678");
    let window = window(&site, &portugal, Source::Api, day);
    assert_eq!(window.opens(day), Some(utc("2026-11-02T09:00:00Z")), "eight on the Azores");
    assert_eq!(window.closes(utc("2026-11-02T12:00:00Z")), Some(utc("2026-11-02T21:00:00Z")), "nine in Lisbon");
}

#[test]
fn a_continent_is_too_wide_and_the_selected_zone_decides() {
    let mut site = protected();
    let nine = new_york("2026-11-02T09:00:00");
    let anywhere = number("+18005550123");
    // From Guam to Samoa it is lawful together from 17:00 to 19:30 in New York: after business hours.
    let shut = window(&site, &anywhere, Source::Api, nine).shut(nine);
    let Shut::NeverMeet { schedules, zones } = shut else { panic!("{shut:?}") };
    assert_eq!((schedules, zones.len()), (vec![&name("office")], 42));
    assert_eq!(opens(&site, "+18005550123", nine), None);

    standard(&mut site).tz_default = Some(America::Los_Angeles);
    assert_eq!(opens(&site, "+18005550123", nine), Some(new_york("2026-11-02T11:00:00")));
    // One zone in which business hours are never lawful is no continent: the selected zone does not overrule it.
    site.schedules = vec![Schedule { tz: Pacific::Auckland, ..office("09:00:00", "11:00:00") }];
    assert_eq!(opens(&site, "+919812345678", nine), None, "it is two at night in India");
}

// S4.14: the target has hours of its own.
#[test]
fn the_queues_schedule_counts_beside_the_profiles() {
    let mut site = protected();
    site.schedules.push(Schedule { name: name("late"), ..office("12:00:00", "20:00:00") });
    site.queues.iter_mut().for_each(|queue| queue.schedule = Some(name("late")));
    let nine = new_york("2026-11-02T09:00:00");
    let here = number(NEW_YORK);
    let window_then = window(&site, &here, Source::Api, nine);

    assert_eq!(window_then.opens(nine), Some(new_york("2026-11-02T12:00:00")));
    assert_eq!(window_then.closes(new_york("2026-11-02T12:00:00")), Some(new_york("2026-11-02T17:00:00")));
    standard(&mut site).schedule = None;
    let window_then = window(&site, &here, Source::QueueRequest, nine);
    assert_eq!(window_then.closes(new_york("2026-11-02T12:00:00")), Some(new_york("2026-11-02T20:00:00")));

    // Hours that never meet are named.
    site.schedules.push(Schedule { name: name("night"), ..office("22:00:00", "06:00:00") });
    standard(&mut site).schedule = Some(name("night"));
    let shut = window(&site, &here, Source::QueueRequest, nine).shut(nine);
    assert_eq!(shut, Shut::NeverMeet { schedules: vec![&name("night"), &name("late")], zones: &[] });
}

// S4.13: hours to 17:00, cut-off 30 min: 16:20 and 15 min is 16:35, which is after 16:30 and so not today.
#[test]
fn after_the_cut_off_it_is_the_next_opening() {
    let site = protected();
    let here = number(NEW_YORK);
    let window = window(&site, &here, Source::QueueRequest, new_york("2026-11-02T16:20:00"));
    let cut_off = |at: &str| window.cut_off(new_york(at), secs(1_800));
    let tuesday = Some(CutOff { next: Some(new_york("2026-11-03T09:00:00")) });

    assert_eq!(cut_off("2026-11-02T16:35:00"), tuesday);
    assert_eq!(cut_off("2026-11-02T16:30:01"), tuesday);
    assert_eq!(cut_off("2026-11-02T16:30:00"), None);
    assert_eq!(cut_off("2026-11-02T17:10:00"), tuesday, "after the end is after the cut-off");
    assert_eq!(cut_off("2026-11-03T08:59:59"), tuesday);
    assert_eq!(cut_off("2026-11-03T09:00:00"), None);
    let monday = Some(CutOff { next: Some(new_york("2026-11-09T09:00:00")) });
    assert_eq!(cut_off("2026-11-06T16:45:00"), monday, "a Friday");
    assert_eq!(window.cut_off(new_york("2026-11-02T16:59:59"), secs(0)), None, "no cut-off");
}

#[test]
fn the_cut_off_is_before_the_end_of_the_targets_day() {
    let mut site = protected();
    let mut late = office("09:00:00", "12:00:00");
    late.name = name("late");
    late.weekly.push(Weekly { hours: hours("13:00:00", "19:00:00"), ..late.weekly[0].clone() });
    site.schedules.push(late);
    site.queues.iter_mut().for_each(|queue| queue.schedule = Some(name("late")));
    let here = number(NEW_YORK);
    let at = new_york("2026-11-02T11:50:00");
    let business = window(&site, &here, Source::QueueRequest, at);
    assert_eq!(business.cut_off(at, secs(1_800)), None, "lunch is not the end of the day");
    assert_eq!(business.cut_off(new_york("2026-11-02T16:50:00"), secs(1_800)), None, "the target's day ends at 19:00");
    let tuesday = CutOff { next: Some(new_york("2026-11-03T09:00:00")) };
    assert_eq!(business.cut_off(new_york("2026-11-02T18:50:00"), secs(1_800)), Some(tuesday));

    // Round the clock no day ends, and without hours there is none.
    let mut always = office("00:00:00", "00:00:00");
    always.name = name("late");
    always.weekly[0].days = (0..7).filter_map(|day| chrono::Weekday::try_from(day).ok()).collect();
    site.schedules[1] = always;
    let business = window(&site, &here, Source::QueueRequest, at);
    assert_eq!(business.cut_off(new_york("2026-11-02T23:50:00"), secs(1_800)), None);
    standard(&mut site).schedule = None;
    site.queues.iter_mut().for_each(|queue| queue.schedule = None);
    let business = window(&site, &here, Source::QueueRequest, at);
    assert_eq!(business.cut_off(new_york("2026-11-02T23:50:00"), secs(1_800)), None);
}

#[test]
fn open_time_is_time_in_which_the_customer_can_be_called() {
    let mut site = protected();
    standard(&mut site).expires_after = Some(secs(3_600));
    let asked = new_york("2026-11-02T09:00:00");
    let expires = |site: &Settings, customer: &str| {
        let (profile, number) = (site.profile("standard").expect("it is there"), number(customer));
        let whom = Whom { profile, queue: "support", number: &number, source: Source::MissedQueue };
        expires_at(site, &whom, asked)
    };
    assert_eq!(expires(&site, NEW_YORK), Some(new_york("2026-11-02T10:00:00")));
    assert_eq!(expires(&site, SEATTLE), Some(new_york("2026-11-02T12:00:00")));
    // Nobody knows when he can be called: business hours are counted, or it would never end.
    assert_eq!(expires(&site, "+999123456789"), Some(new_york("2026-11-02T10:00:00")));
    standard(&mut site).expiry_clock = ExpiryClock::Wall;
    assert_eq!(expires(&site, SEATTLE), Some(new_york("2026-11-02T10:00:00")));
}

proptest! {
    /// A window is open exactly when each of its hours is, and its openings and closings say the same.
    #[test]
    fn a_window_is_what_its_hours_have_in_common(
        (business, queue, legal) in (0..24u32, 0..24u32, 0..24u32),
        (business_hours, queue_hours, legal_hours) in (1..24u32, 1..24u32, 1..24u32),
        zone in prop_oneof![Just(Asia::Tokyo), Just(Europe::Berlin), Just(America::New_York), Just(Pacific::Apia)],
        minutes in 0..20_000i64,
    ) {
        let range = |start: u32, long: u32| {
            hours(&format!("{start:02}:00:00"), &format!("{:02}:00:00", (start + long) % 24))
        };
        let daily = |called: &str, tz: Tz, range: Hours| {
            let days = (0..7).filter_map(|day| chrono::Weekday::try_from(day).ok()).collect();
            Schedule { name: name(called), tz, weekly: vec![Weekly { days, hours: range }], exceptions: Vec::new() }
        };
        let mut site = protected();
        site.schedules = vec![
            daily("office", America::New_York, range(business, business_hours)),
            daily("queue", Europe::London, range(queue, queue_hours)),
            daily("legal", zone, range(legal, legal_hours)),
        ];
        site.queues.iter_mut().for_each(|of| of.schedule = Some(name("queue")));
        let profile = standard(&mut site);
        (profile.tz_mode, profile.tz_default) = (TzMode::DefaultOnly, Some(zone));
        profile.legal_window = range(legal, legal_hours);
        let here = number(NEW_YORK);
        let from = utc("2026-10-18T00:00:00Z") + TimeDelta::minutes(minutes);
        let whole = window(&site, &here, Source::Api, from);
        let parts: Vec<Window<'_>> =
            site.schedules.iter().map(|schedule| Window::new(&site.zones, Some(schedule))).collect();
        let expected = |at| parts.iter().all(|part| part.is_open(at));

        for quarter in 0..4 * 24 {
            let at = from + TimeDelta::minutes(15 * quarter);
            prop_assert_eq!(whole.is_open(at), expected(at));
        }
        match whole.opens(from) {
            Some(opens) => {
                prop_assert!(expected(opens));
                for step in 0..20 {
                    let between = from + (opens - from) * step / 20;
                    prop_assert_eq!(expected(between), between >= opens);
                }
                if let Some(closes) = whole.closes(opens) {
                    prop_assert!(!expected(closes) && expected(closes - TimeDelta::seconds(1)));
                }
            }
            None => {
                for quarter in 0..4 * 24 * 30 {
                    prop_assert!(!expected(from + Days::new(1) + TimeDelta::minutes(15 * quarter)));
                }
            }
        }
    }
}
