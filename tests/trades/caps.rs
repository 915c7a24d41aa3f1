//! Caps and the breaker against abuse of callbacks (security.md T30, T31, T33): what the ledger allows, and when.

use crate::site::task;
use chrono::TimeDelta;
use ringback::callback::ledger::{Cap, Ledger, SOURCE_DAILY, Tripped, Wanted};
use ringback::callback::task::{NumberOrigin, Task, TaskState};
use ringback::number::Party;
use ringback::settings::{ConfirmByKey, NumberPolicy};
use ringback::time::{DateTime, Utc};

fn noon() -> DateTime<Utc> {
    "2026-11-20T12:00:00Z".parse().expect("an instant")
}

fn at(minutes: i64) -> DateTime<Utc> {
    noon() + TimeDelta::minutes(minutes)
}

fn of(origin: NumberOrigin, n: u32) -> Task {
    Task { number_origin: origin, ..task(n, noon()) }
}

/// Numbers far apart: one in each block.
fn apart(origin: NumberOrigin, n: u32) -> Task {
    Task { number: Party::Number(format!("+1202{:03}0123", 200 + n).into()), ..of(origin, n) }
}

#[test]
fn a_number_is_dialled_daily_max_times_in_24_hours() {
    let mut ledger = Ledger::default();
    let task = of(NumberOrigin::Trusted, 1);

    for n in 0..6 {
        assert_eq!(ledger.allows(at(n * 10), None, &task), Ok(()), "dial {n}");
        ledger.dialled(at(n * 10), &task);
        ledger.ended(at(n * 10 + 1), &task.number, Wanted::No);
    }

    assert_eq!(ledger.allows(at(60), None, &task), Err(Cap::Daily(6, at(24 * 60))));
    assert_eq!(ledger.next_release(), Some(at(24 * 60)), "somebody looks again then");
    assert_eq!(ledger.allows(at(24 * 60 - 1), None, &task), Err(Cap::Daily(6, at(24 * 60))));
    assert_eq!(ledger.allows(at(24 * 60), None, &task), Ok(()));
    let other = NumberPolicy { daily_max: 20, ..NumberPolicy::named("busy") };
    assert_eq!(ledger.allows(at(60), Some(&other), &task), Ok(()), "the rule's own policy counts");
}

#[test]
fn zero_dials_a_day_are_none() {
    let none = NumberPolicy { daily_max: 0, ..NumberPolicy::named("none") };

    let refused = Ledger::default().allows(noon(), Some(&none), &of(NumberOrigin::Trusted, 1));

    assert!(matches!(refused, Err(Cap::Daily(0, _))));
}

#[test]
fn a_block_of_numbers_is_dialled_ten_times_an_hour_unless_a_trusted_trunk_has_signalled_them() {
    let mut ledger = Ledger::default();
    for n in 0..10 {
        let typed = of(NumberOrigin::Typed, n);
        assert_eq!(ledger.allows(at(i64::from(n)), None, &typed), Ok(()));
        ledger.dialled(at(i64::from(n)), &typed);
    }

    assert_eq!(ledger.allows(at(10), None, &of(NumberOrigin::Signalled, 11)), Err(Cap::Block(at(60))));
    assert_eq!(ledger.allows(at(10), None, &of(NumberOrigin::Trusted, 11)), Ok(()));
    assert_eq!(ledger.allows(at(10), None, &apart(NumberOrigin::Signalled, 11)), Ok(()));
    assert_eq!(ledger.allows(at(60), None, &of(NumberOrigin::Signalled, 11)), Ok(()));
}

#[test]
fn an_answer_without_a_one_leaves_the_number_alone_for_a_day() {
    let mut ledger = Ledger::default();
    let given = of(NumberOrigin::Given, 1);
    ledger.dialled(noon(), &given);
    ledger.ended(at(1), &given.number, Wanted::Refused);

    assert_eq!(ledger.allows(at(2), None, &given), Err(Cap::Unconfirmed(at(24 * 60 + 1))));
    let never = NumberPolicy { confirm_by_key: ConfirmByKey::Never, ..NumberPolicy::named("website") };
    assert_eq!(ledger.allows(at(2), Some(&never), &given), Ok(()), "the admin answers for the numbers");
    assert_eq!(ledger.allows(at(2), None, &of(NumberOrigin::Trusted, 1)), Ok(()), "he rings us himself");
    assert_eq!(ledger.allows(at(24 * 60 + 1), None, &given), Ok(()));
}

#[test]
fn a_request_that_found_nobody_makes_the_next_one_wait_a_day_and_a_confirmed_number_does_not() {
    let failed = |n| Task { attempts_used: 3, state: TaskState::Failed, ..of(NumberOrigin::Typed, n) };
    let mut ledger = Ledger::default();
    ledger.given_up(noon(), &failed(1));
    ledger.dialled(at(-60), &of(NumberOrigin::Typed, 2));
    ledger.ended(at(-59), &failed(2).number, Wanted::Yes);
    ledger.given_up(noon(), &failed(2));

    assert_eq!(ledger.allows(at(1), None, &of(NumberOrigin::Typed, 1)), Err(Cap::Unconfirmed(at(24 * 60))));
    assert_eq!(ledger.allows(at(1), None, &of(NumberOrigin::Typed, 2)), Ok(()));
}

#[test]
fn a_caller_names_three_numbers_a_day_that_are_not_his_own() {
    let mut ledger = Ledger::default();
    for n in 0..SOURCE_DAILY as i64 {
        assert!(ledger.may_name(at(n), "+12025550123"));
        ledger.named(at(n), "+12025550123");
    }

    assert!(!ledger.may_name(at(3), "+12025550123"));
    assert!(ledger.may_name(at(3), "+12025550124"));
    assert!(ledger.may_name(at(24 * 60), "+12025550123"), "the first is a day old");
}

#[test]
fn the_breaker_opens_when_numbers_that_others_named_hardly_ever_want_the_call() {
    let mut ledger = Ledger::default();
    let mut dials = 0;
    for n in 0..50 {
        let typed = apart(NumberOrigin::Typed, n);
        if ledger.allows(at(i64::from(n) * 300), None, &typed).is_err() {
            break;
        }
        dials += 1;
        ledger.dialled(at(i64::from(n) * 300), &typed);
        ledger.ended(at(i64::from(n) * 300 + 1), &typed.number, Wanted::No);
    }

    assert_eq!((dials, ledger.tripped()), (8, Some(Tripped::Unwanted)));
    let later = at(8 * 300);
    assert_eq!(ledger.allows(later, None, &apart(NumberOrigin::Typed, 60)), Err(Cap::Breaker(Tripped::Unwanted)));
    assert_eq!(ledger.allows(later, None, &apart(NumberOrigin::Trusted, 60)), Ok(()), "those who ring us are not held");
    ledger.resume(later);
    assert_eq!(ledger.allows(later, None, &apart(NumberOrigin::Typed, 60)), Ok(()));
}

#[test]
fn the_breaker_does_not_wait_for_calls_that_are_all_on_the_way_at_once() {
    let mut ledger = Ledger::default();
    let opened = (0..20).find_map(|n| ledger.dialled(noon(), &apart(NumberOrigin::Given, n)).map(|why| (n + 1, why)));

    assert_eq!(opened, Some((10, Tripped::Unwanted)));
}

#[test]
fn wanted_calls_and_failures_of_the_network_do_not_open_the_breaker() {
    let mut ledger = Ledger::default();
    for n in 0..60 {
        let given = apart(NumberOrigin::Given, n);
        ledger.dialled(at(i64::from(n)), &given);
        let wanted = match n % 3 {
            0 => Wanted::Yes,
            1 => Wanted::No,
            _ => Wanted::Unknown,
        };
        assert_eq!(ledger.ended(at(i64::from(n)), &given.number, wanted), None);
    }
    for n in 0..60 {
        let given = apart(NumberOrigin::Given, 100 + n);
        ledger.dialled(at(100), &given);
        assert_eq!(ledger.ended(at(100), &given.number, Wanted::Unknown), None, "a trunk is down");
    }
}

#[test]
fn an_hour_with_twice_the_usual_dials_stops_everything_once_a_usual_hour_is_known() {
    let mut ledger = Ledger::default();
    let dial = |ledger: &mut Ledger, minute: i64, n: u32| ledger.dialled(at(minute), &apart(NumberOrigin::Trusted, n));
    for n in 0..500 {
        assert_eq!(dial(&mut ledger, 0, n % 500), None, "nothing is usual on the first day");
    }
    ledger.resume(noon());
    for hour in 1..=30 {
        for n in 0..100 {
            assert_eq!(dial(&mut ledger, hour * 60, n), None);
        }
    }

    let opened = (0..500).find_map(|n| dial(&mut ledger, 31 * 60, n).map(|why| (n + 1, why)));

    assert_eq!(opened, Some((201, Tripped::Surge)));
    let trusted = apart(NumberOrigin::Trusted, 400);
    assert_eq!(ledger.allows(at(31 * 60), None, &trusted), Err(Cap::Breaker(Tripped::Surge)));
    ledger.resume(at(31 * 60));
    assert_eq!(ledger.allows(at(31 * 60), None, &trusted), Ok(()));
}

#[test]
fn a_block_of_signalled_numbers_that_want_no_call_is_left_alone_and_no_other() {
    let mut ledger = Ledger::default();
    let opened = (0..10).find_map(|n| {
        let signalled = of(NumberOrigin::Signalled, n);
        ledger.dialled(at(i64::from(n) * 30), &signalled);
        ledger.ended(at(i64::from(n) * 30 + 1), &signalled.number, Wanted::No).map(|why| (n + 1, why))
    });

    assert_eq!(opened, Some((8, Tripped::Block)));
    let later = at(400);
    assert_eq!(ledger.tripped(), Some(Tripped::Block), "a person is asked");
    assert_eq!(ledger.allows(later, None, &of(NumberOrigin::Signalled, 20)), Err(Cap::Breaker(Tripped::Block)));
    assert_eq!(ledger.allows(later, None, &apart(NumberOrigin::Signalled, 20)), Ok(()));
    assert_eq!(ledger.allows(later, None, &of(NumberOrigin::Trusted, 20)), Ok(()));
    ledger.resume(later);
    assert_eq!(ledger.allows(later, None, &of(NumberOrigin::Signalled, 20)), Ok(()));
}
