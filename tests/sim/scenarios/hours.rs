//! Calling hours and the customer's day: a promise waits for the opening, and is kept on the minute.

use crate::drive::{ANNA, BEN};
use crate::products::voximplant;
use crate::site::secs;
use crate::world::{TRUNK, World};
use chrono::{TimeZone, Weekday};
use ringback::callback::task::{Outcome, TaskState};
use ringback::demo::endpoint::Event;
use ringback::demo::person::Reaction;
use ringback::number::Party;
use ringback::settings::*;
use ringback::switch::command::{Command, NewCallback, Reply};
use ringback::time::{DateTime, Utc};
use std::time::Duration;

const DAY: Duration = secs(24 * 3_600);
const WORKDAYS: [Weekday; 5] = [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri];
const SEATTLE: &str = "+12065550123";
const MOSCOW: &str = "+74951234567";

fn hours(start: u32, end: u32) -> Hours {
    let time = |hour| chrono::NaiveTime::from_hms_opt(hour, 0, 0).expect("an hour");
    Hours { start: time(start), end: time(end) }
}

fn office(start: u32, end: u32) -> Schedule {
    Schedule {
        name: "office".into(),
        tz: chrono_tz::America::New_York,
        weekly: vec![Weekly { days: WORKDAYS.to_vec(), hours: hours(start, end) }],
        exceptions: Vec::new(),
    }
}

/// An instant as clocks in New York show it.
fn new_york(local: &str) -> DateTime<Utc> {
    let local = local.parse().expect("a local time");
    chrono_tz::America::New_York.from_local_datetime(&local).earliest().expect("it exists").to_utc()
}

/// A world that begins then, with an office from Monday to Friday; requests are taken until it closes.
fn world(began: &str, (start, end): (u32, u32), change: impl FnOnce(&mut Settings)) -> World {
    World::starting(1, &new_york(began).to_rfc3339(), |site| {
        site.schedules.push(office(start, end));
        site.profiles[0].schedule = Some("office".into());
        site.rules[0].close_guard = secs(0);
        change(site);
    })
}

/// What clocks in New York show.
fn clock(world: &World) -> String {
    world.clock().utc.with_timezone(&chrono_tz::America::New_York).format("%a %H:%M:%S").to_string()
}

/// Lets time pass until clocks in New York show this.
fn until(world: &mut World, local: &str) {
    let at = new_york(local);
    let ahead = at.signed_duration_since(world.clock().utc).to_std().expect("it lies ahead");
    world.run_for(ahead);
}

/// When anna's phone rings next.
fn next_ring(world: &mut World, within: Duration) -> String {
    world.rings(ANNA, within);
    clock(world)
}

fn state(world: &mut World) -> TaskState {
    world.callbacks()[0].task.state
}

fn next_at(world: &mut World) -> Option<DateTime<Utc>> {
    world.callbacks()[0].next_at
}

fn has_rung(world: &World) -> bool {
    world.heard(ANNA, |event| matches!(event, Event::Incoming(..))).is_some()
}

/// A callback by API, not before then.
fn asked(world: &mut World, number: &str, not_before: Option<&str>) {
    let new = NewCallback {
        number: number.into(),
        queue: None,
        not_before: not_before.map(new_york),
        profile: None,
        agent: None,
        data: None,
        idempotency_key: None,
    };
    let reply = world.ask(Command::AddCallback(Box::new(new)));
    assert!(matches!(reply, Reply::Callback(_)), "{reply:?}");
}

// S1.4: with hours 09–17, a task due 17:01 has no leg until the next opening.
#[test]
fn what_comes_due_after_hours_waits_for_the_next_opening() {
    let mut world = world("2026-03-02T16:50:00", (9, 17), |_| {});
    asked(&mut world, super::ALICE, Some("2026-03-02T17:01:00"));
    world.register(&[ANNA]);

    until(&mut world, "2026-03-02T17:02:00");
    assert_eq!(state(&mut world), TaskState::Deferred);
    assert_eq!(next_at(&mut world), Some(new_york("2026-03-03T09:00:00")));
    assert_eq!(next_ring(&mut world, DAY), "Tue 09:00:00");
}

// S1.16: at 08:59:59 not dialled, at 09:00:00 dialled, at 18:00:00 not started.
#[test]
fn hours_begin_and_end_on_the_second() {
    let mut world = world("2026-03-02T08:50:00", (9, 18), |site| site.profiles[0].intervals = vec![secs(0)]);
    asked(&mut world, super::ALICE, None);
    world.register(&[ANNA]);
    until(&mut world, "2026-03-02T08:59:59");
    assert!(!has_rung(&world));
    assert_eq!(state(&mut world), TaskState::Deferred);
    assert_eq!(next_ring(&mut world, secs(2)), "Mon 09:00:00");

    let mut evening = self::world("2026-03-02T17:50:00", (9, 18), |_| {});
    asked(&mut evening, super::ALICE, Some("2026-03-02T18:00:00"));
    asked(&mut evening, super::BOB, Some("2026-03-02T17:59:59"));
    evening.register(&[ANNA, BEN]);
    until(&mut evening, "2026-03-02T18:30:00");
    let tried: Vec<(Party, u32)> =
        evening.tasks().into_iter().map(|task| (task.number, task.attempts_made.min(1))).collect();
    assert!(tried.contains(&(Party::Number(super::BOB.into()), 1)), "{tried:?}");
    assert!(tried.contains(&(Party::Number(super::ALICE.into()), 0)), "{tried:?}");
}

// S1.17: a task due Saturday 10:00 is first dialled Monday 09:00.
#[test]
fn saturday_waits_for_monday() {
    let mut world = world("2026-03-07T09:50:00", (9, 17), |_| {});
    asked(&mut world, super::ALICE, Some("2026-03-07T10:00:00"));
    until(&mut world, "2026-03-09T08:55:00");
    world.register(&[ANNA]);

    // The clocks are put forward that Sunday: nine is nine all the same.
    assert_eq!(next_ring(&mut world, DAY), "Mon 09:00:00");
    assert_eq!(world.clock().utc.to_rfc3339()[..19], *"2026-03-09T13:00:00");
}

// S1.19: a request on Friday 17:05 is kept: deferred until Monday 09:00 in the schedule's zone, and dialled then.
#[test]
fn a_request_after_hours_waits_until_nine_on_the_next_business_day() {
    let mut world = world("2026-03-06T17:05:00", (9, 17), |_| {});
    let alice = world.promised("alice", super::ALICE);

    assert_eq!(state(&mut world), TaskState::Deferred);
    assert_eq!(next_at(&mut world), Some(new_york("2026-03-09T09:00:00")));
    assert_eq!(world.callbacks()[0].held_by.as_deref(), Some("outside calling hours until 2026-03-09T13:00:00Z"));
    until(&mut world, "2026-03-09T08:50:00");
    world.register(&[ANNA]);
    assert_eq!(next_ring(&mut world, DAY), "Mon 09:00:00");
    let agent = world.at(ANNA);
    world.answer(ANNA, agent);
    let call = world.rings_at(alice, secs(20));
    world.answer(TRUNK, call);
    world.run_for(secs(10));
    world.hang_up(TRUNK, call);
    world.run_for(secs(2));
    world.assert_ladder("deferred_to_monday");
    world.assert_rest();
}

// S1.19: the wall clock decides: put forward or back while a promise waits, it is kept at nine by it, and once.
#[test]
fn a_clock_that_is_set_while_a_promise_waits_moves_it_along() {
    let mut world = world("2026-03-02T07:00:00", (9, 17), |_| {});
    let alice = world.promised("alice", super::ALICE);
    world.register(&[ANNA]);
    world.set_clock(chrono::TimeDelta::minutes(70));
    assert_eq!(next_at(&mut world), Some(new_york("2026-03-02T09:00:00")));
    until(&mut world, "2026-03-02T08:40:00");
    world.set_clock(-chrono::TimeDelta::minutes(30));
    until(&mut world, "2026-03-02T08:59:59");
    assert!(!has_rung(&world));
    assert_eq!(next_ring(&mut world, secs(2)), "Mon 09:00:00");

    // Set back behind the opening while the customer's phone rings: nothing is cut, and nothing is dialled twice.
    let agent = world.at(ANNA);
    world.answer(ANNA, agent);
    let call = world.rings_at(alice, secs(20));
    world.set_clock(-chrono::TimeDelta::hours(1));
    world.answer(TRUNK, call);
    world.run_for(secs(20));
    world.hang_up(TRUNK, call);
    world.run_for(secs(2));
    assert_eq!(world.tasks()[0].state, TaskState::Completed);
    assert_eq!(world.attempts().len(), 1);
}

// S1.20: attempt 1 at 16:45 fails, interval 30 min: attempt 2 is the next day at 09:00, and waiting used none.
#[test]
fn a_retry_after_hours_is_deferred_and_uses_no_attempt() {
    let mut world = world("2026-03-02T16:44:00", (9, 17), |site| {
        site.profiles[0].intervals = vec![Duration::ZERO, secs(1_800)];
    });
    let alice = world.promised("alice", super::ALICE);
    until(&mut world, "2026-03-02T16:44:58");
    world.stations[TRUNK].people[alice].reactions = [Reaction::Refuse { after: secs(1), status: 486 }].into();
    world.register(&[ANNA]);
    world.called_back(alice);
    assert_eq!(&clock(&world)[..9], "Mon 16:45");

    until(&mut world, "2026-03-02T17:30:00");
    assert_eq!(state(&mut world), TaskState::Deferred);
    assert_eq!(next_at(&mut world), Some(new_york("2026-03-03T09:00:00")));
    assert_eq!(world.tasks()[0].attempts_used, 1);
    assert_eq!(next_ring(&mut world, DAY), "Tue 09:00:00");
    assert_eq!(world.tasks()[0].attempts_used, 1);
    let outcomes: Vec<Option<Outcome>> = world.attempts().iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [Some(Outcome::Busy), None]);
}

// S1.21: a customer who answered 16:59:50 is still bridged at 17:00:10.
#[test]
fn a_call_that_talks_when_hours_end_is_not_cut() {
    let mut world = world("2026-03-02T16:50:00", (9, 17), |_| {});
    let alice = world.promised("alice", super::ALICE);
    until(&mut world, "2026-03-02T16:59:30");
    world.register(&[ANNA]);
    let (agent, call) = world.called_back(alice);
    until(&mut world, "2026-03-02T16:59:50");
    world.answer(TRUNK, call);

    until(&mut world, "2026-03-02T17:00:10");
    assert_eq!(state(&mut world), TaskState::Talking);
    assert!(world.is_up(TRUNK, call) && world.is_up(ANNA, agent));
    until(&mut world, "2026-03-02T17:10:00");
    assert!(world.is_up(TRUNK, call) && world.is_up(ANNA, agent));
    world.hang_up(TRUNK, call);
    world.run_for(secs(2));
    assert_eq!(world.tasks()[0].state, TaskState::Completed);
    world.assert_rest();
}

// S1.22: twenty deferred tasks and two agents: never more than two in flight, in the order of requests.
#[test]
fn deferred_tasks_that_open_together_are_paced_by_agents_and_keep_their_order() {
    let mut world = world("2026-03-02T08:00:00", (9, 17), |_| {});
    let answers = Reaction::Answer { after: secs(2), early: false };
    let customers: Vec<usize> = (0..20)
        .map(|n| {
            // Of two blocks: ten numbers alike are as many as are dialled in an hour.
            let number = format!("+1{}5550{}", if n % 2 == 0 { "202" } else { "212" }, 130 + n);
            let customer = world.promised(&format!("customer {n}"), &number);
            let person = &mut world.stations[TRUNK].people[customer];
            (person.reactions, person.talk) = ([answers.clone()].into(), Some(secs(15)));
            customer
        })
        .collect();
    assert!(world.callbacks().iter().all(|callback| callback.task.state == TaskState::Deferred));
    until(&mut world, "2026-03-02T08:59:00");
    for phone in [ANNA, BEN] {
        world.stations[phone].people[0].reactions = [answers.clone()].into();
    }
    world.register(&[ANNA, BEN]);

    let (mut order, mut most) = (Vec::new(), 0);
    world.run_until("all are called", secs(3_600), |world| {
        let open: Vec<_> = world.disk.attempts.values().filter(|attempt| attempt.outcome.is_none()).collect();
        most = most.max(open.len());
        for attempt in open {
            if !order.contains(&attempt.number) {
                order.push(attempt.number.clone());
            }
        }
        order.len() == 20
    });

    let expected: Vec<Party> = customers
        .iter()
        .map(|customer| Party::Number(world.stations[TRUNK].people[*customer].number.as_str().into()))
        .collect();
    assert_eq!(order, expected);
    assert_eq!(most, 2);
}

// S1.24: customer in UTC−8, business in UTC−5: not at 09:00 here, which is 06:00 there; at 11:00.
#[test]
fn a_customer_is_not_rung_before_eight_where_he_is() {
    let mut world = world("2026-03-02T08:50:00", (9, 17), |site| {
        site.profiles[0].legal_window_applies = LegalWindowApplies::All;
    });
    world.promised("alice", SEATTLE);
    world.register(&[ANNA]);

    until(&mut world, "2026-03-02T10:59:59");
    assert!(!has_rung(&world));
    assert_eq!(state(&mut world), TaskState::Deferred);
    assert_eq!(next_ring(&mut world, secs(2)), "Mon 11:00:00");
}

// S1.B13: 25 December is listed: deferred to the 26th.
#[test]
fn a_holiday_is_passed_over() {
    let mut world = world("2026-12-25T09:50:00", (9, 17), |site| {
        site.schedules[0].weekly[0].days = vec![Weekday::Fri, Weekday::Sat];
        let christmas = "2026-12-25".parse().expect("a date");
        site.schedules[0].exceptions =
            vec![Exception { date: christmas, ranges: Vec::new(), name: "Christmas".to_owned() }];
    });
    world.promised("alice", super::ALICE);
    world.register(&[ANNA]);

    assert_eq!(next_at(&mut world), Some(new_york("2026-12-26T09:00:00")));
    assert_eq!(next_ring(&mut world, DAY), "Sat 09:00:00");
}

// S5.28: neither selected nor detected: blocked, visible, not dialled; a selected zone frees it.
#[test]
fn without_a_zone_nothing_is_dialled_and_the_reason_is_seen() {
    let mut world = World::with(1, |site| {
        voximplant(site);
        site.profiles[0].tz_mode = TzMode::DefaultOnly;
    });
    world.missed("alice", super::ALICE);
    world.register(&[ANNA]);
    world.run_for(secs(3_600));

    assert_eq!(state(&mut world), TaskState::Blocked);
    let callback = &world.callbacks()[0];
    let why = callback.held_by.clone().expect("something holds it");
    assert!(why.starts_with("tz_unknown: "), "{why}");
    assert_eq!(callback.next_at, None);
    assert!(!has_rung(&world));
    assert!(world.attempts().is_empty());

    world.crash();
    world.settings.profiles[0].tz_default = Some(chrono_tz::America::Denver);
    world.start();
    world.register(&[ANNA]);
    world.rings(ANNA, secs(60));
}

// S5.29: the zone is detected from the number: nine in New York is six in Seattle, whatever the default says.
#[test]
fn the_zone_of_the_number_counts_before_the_selected_one() {
    let mut world = world("2026-03-02T09:00:00", (9, 17), |site| {
        voximplant(site);
        site.profiles[0].schedule = Some("office".into());
        site.profiles[0].tz_default = Some(chrono_tz::America::New_York);
        site.number_policies[0].countries = vec!["US".into(), "RU".into()];
    });
    world.missed("alice", SEATTLE);
    world.run_for(secs(60));
    world.register(&[ANNA]);
    assert_eq!(next_at(&mut world), Some(new_york("2026-03-02T11:00:00")));
    assert!(!has_rung(&world));
    assert_eq!(world.callbacks()[0].zones, ["America/Los_Angeles"]);

    world.missed("ivan", MOSCOW);
    let ivan = world.callbacks().into_iter().find(|it| it.task.number.as_str() == MOSCOW).expect("his");
    assert_eq!(ivan.zones, ["Europe/Moscow"]);
}

// S5.30: Saturday has hours of its own.
#[test]
fn weekends_have_hours_of_their_own() {
    let with_saturday = |site: &mut Settings| {
        voximplant(site);
        site.profiles[0].schedule = Some("office".into());
        site.schedules[0].weekly.push(Weekly { days: vec![Weekday::Sat], hours: hours(10, 14) });
    };
    let mut world = world("2026-03-06T17:30:00", (9, 17), with_saturday);
    world.missed("alice", super::ALICE);
    world.register(&[ANNA]);
    assert_eq!(next_ring(&mut world, DAY), "Sat 10:00:00");

    let mut afternoon = self::world("2026-03-07T14:00:00", (9, 17), with_saturday);
    afternoon.missed("alice", super::ALICE);
    assert_eq!(next_at(&mut afternoon), Some(new_york("2026-03-09T09:00:00")));
}

// S4.14: the target has hours: a callback of a queue that is closed waits for the queue.
#[test]
fn a_queue_has_hours_of_its_own() {
    let mut world = world("2026-03-02T10:00:00", (9, 17), |site| {
        site.schedules.push(Schedule { name: "late".into(), ..office(13, 20) });
        site.queues[0].schedule = Some("late".into());
    });
    asked(&mut world, super::ALICE, None);
    world.register(&[ANNA]);
    assert_eq!(next_ring(&mut world, DAY), "Mon 13:00:00");
}
