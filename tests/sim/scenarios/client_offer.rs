//! The customer himself is offered another try when everything else is used (S4.5).

use crate::disk::Mood;
use crate::drive::ANNA;
use crate::products::fonolo;
use crate::site::secs;
use crate::world::{TRUNK, World};
use ringback::callback::task::{AttemptKind, CloseReason, Outcome, TaskState};
use ringback::demo::person::Reaction;
use ringback::settings::{AgentAccept, ClientReschedule, Hours, NumberPolicy, Schedule, Settings, Weekly};
use std::time::Duration;

const BUSY: Reaction = Reaction::Refuse { after: Duration::from_secs(1), status: 486 };

pub(super) fn offering(max: Option<u32>) -> impl FnOnce(&mut Settings) {
    move |site| {
        site.profiles[0].attempts_max = 1;
        site.profiles[0].intervals = vec![Duration::ZERO, secs(60)];
        site.profiles[0].client_reschedule = Some(ClientReschedule { key: '1', max });
        site.profiles[0].agent_reschedule = None;
        site.number_policies = vec![NumberPolicy { daily_max: 20, ..NumberPolicy::named("own") }];
        site.rules[0].number_policy = Some("own".into());
    }
}

/// The only attempt has failed: the customer was busy.
pub(super) fn exhausted(change: impl FnOnce(&mut Settings)) -> (World, usize) {
    let mut world = World::with(1, change);
    let alice = world.promised("alice", super::ALICE);
    world.register(&[ANNA]);
    fails(&mut world, alice);
    (world, alice)
}

/// anna takes a callback whose customer is busy.
fn fails(world: &mut World, alice: usize) {
    world.stations[TRUNK].people[alice].reactions = [BUSY].into();
    let agent = world.rings(ANNA, secs(5));
    world.answer(ANNA, agent);
    world.run_until("it is known", secs(20), |world| world.attempts().iter().all(|attempt| attempt.outcome.is_some()));
    world.run_until("anna is free", secs(20), |world| !world.is_busy(ANNA, 0));
    world.stations[TRUNK].people[alice].reactions = [Reaction::Ring { early: false }].into();
}

fn kinds(world: &World) -> Vec<(AttemptKind, Option<Outcome>)> {
    world.attempts().into_iter().map(|attempt| (attempt.kind, attempt.outcome)).collect()
}

// S4.5: after failure and with all reschedules used, one automated call; key 1 makes a new attempt, agent first.
#[test]
fn the_customer_is_called_by_nobody_else_and_asks_for_another_try() {
    let (mut world, alice) = exhausted(offering(Some(1)));
    assert_eq!(world.tasks()[0].state, TaskState::ClientOffer);
    let failed = world.attempts()[0].ended_at.expect("an end");

    let call = world.rings_at(alice, secs(70));
    let offered = world.attempts().remove(1);
    assert_eq!((offered.loaded_at - failed).num_seconds(), 60, "after the interval");
    assert!(!world.is_busy(ANNA, 0), "no agent is rung for it");
    world.answer(TRUNK, call);
    world.run_for(secs(3));
    world.press(TRUNK, call, "1");
    let agent = world.rings(ANNA, secs(10));
    assert_eq!(world.tasks()[0].reschedules.client, 1);
    world.answer(ANNA, agent);
    let call = world.rings_at(alice, secs(20));
    world.answer(TRUNK, call);
    world.run_for(secs(10));
    world.hang_up(TRUNK, call);
    world.run_for(secs(2));

    let expected = [
        (AttemptKind::Agent, Some(Outcome::Busy)),
        (AttemptKind::ClientOffer, Some(Outcome::Success)),
        (AttemptKind::Agent, Some(Outcome::Success)),
    ];
    assert_eq!(kinds(&world), expected);
    assert_eq!(world.tasks()[0].state, TaskState::Completed);
    world.assert_ladder("client_offer");
    world.assert_rest();
}

// S4.5: without a key, and without an answer, the callback has failed.
#[test]
fn a_customer_who_says_nothing_is_not_called_again() {
    for answers in [true, false] {
        let (mut world, alice) = exhausted(offering(Some(1)));

        let call = world.rings_at(alice, secs(70));
        if answers {
            world.answer(TRUNK, call);
        }
        world.run_until("he is let go", secs(40), |world| !world.is_busy(TRUNK, alice));
        world.run_for(secs(1_000));

        let outcome = if answers { Outcome::NotConfirmed } else { Outcome::NoAnswer };
        assert_eq!(kinds(&world)[1..], [(AttemptKind::ClientOffer, Some(outcome))]);
        let task = &world.tasks()[0];
        assert_eq!((task.state, task.close_reason), (TaskState::Failed, Some(CloseReason::MaxAttempts)));
        world.assert_rest();
    }
}

// S4.11: as often as they like: five times although the profile allows no reschedule at all.
#[test]
fn customers_may_ask_for_another_try_as_often_as_they_like() {
    let (mut world, alice) = exhausted(|site| {
        fonolo(site);
        site.profiles[0].agent_accept = AgentAccept::Auto;
        site.profiles[0].attempts_max = 1;
        site.profiles[0].intervals = vec![Duration::ZERO, secs(1_200)];
    });

    for n in 1..=5 {
        let call = world.rings_at(alice, secs(1_300));
        world.answer(TRUNK, call);
        world.press(TRUNK, call, "1");
        assert_eq!(world.tasks()[0].reschedules.client, n);
        world.run_until("he is let go", secs(10), |world| !world.is_busy(TRUNK, alice));
        fails(&mut world, alice);
    }

    assert_eq!(world.tasks()[0].state, TaskState::ClientOffer);
    assert_eq!(world.tasks()[0].attempts_used, 6);
}

// S4.11: with a limit, no more often than that.
#[test]
fn a_limit_of_customers_tries_is_kept() {
    let (mut world, alice) = exhausted(offering(Some(1)));
    let call = world.rings_at(alice, secs(70));
    world.answer(TRUNK, call);
    world.press(TRUNK, call, "1");
    world.run_until("he is let go", secs(10), |world| !world.is_busy(TRUNK, alice));

    fails(&mut world, alice);

    let task = &world.tasks()[0];
    assert_eq!((task.state, task.close_reason), (TaskState::Failed, Some(CloseReason::MaxAttempts)));
}

// S4.5: 9 stops the calls for good.
#[test]
fn a_customer_who_presses_nine_is_never_called_again() {
    let (mut world, alice) = exhausted(offering(None));
    let call = world.rings_at(alice, secs(70));
    world.answer(TRUNK, call);
    world.press(TRUNK, call, "9");
    world.run_until("he is let go", secs(10), |world| !world.is_busy(TRUNK, alice));
    world.run_for(secs(1));

    let task = &world.tasks()[0];
    assert_eq!((task.state, task.close_reason), (TaskState::Cancelled, Some(CloseReason::Dnc)));
    assert_eq!(world.disk.do_not_call.len(), 1);
    world.assert_ladder("client_offer_never");
    world.assert_rest();
}

#[test]
fn nobody_is_called_before_the_offer_is_on_the_disk() {
    let (mut world, alice) = exhausted(offering(None));
    world.disk.mood = Mood::Holding;

    world.run_for(secs(70));
    assert!(!world.is_busy(TRUNK, alice));
    world.release_disk();
    world.rings_at(alice, secs(1));
}

// S4.13: the offer keeps to calling hours like every other attempt.
#[test]
fn an_offer_waits_for_calling_hours() {
    let (mut world, alice) = exhausted(|site| {
        offering(None)(site);
        let time = |text: &str| text.parse().expect("a time");
        // It is ten o'clock, a Monday: a minute later the day is over.
        site.schedules.push(Schedule {
            name: "office".into(),
            tz: chrono_tz::America::New_York,
            weekly: vec![Weekly {
                days: vec![chrono::Weekday::Mon, chrono::Weekday::Tue],
                hours: Hours { start: time("09:00:00"), end: time("10:01:00") },
            }],
            exceptions: Vec::new(),
        });
        site.profiles[0].schedule = Some("office".into());
        site.rules[0].close_guard = Duration::ZERO;
    });

    world.run_for(secs(3_600));
    assert!(!world.is_busy(TRUNK, alice));
    assert_eq!(world.tasks()[0].state, TaskState::ClientOffer);
    world.rings_at(alice, secs(24 * 3_600));

    let local = world.clock().utc.with_timezone(&chrono_tz::America::New_York);
    assert_eq!(local.format("%a %H:%M").to_string(), "Tue 09:00");
}

#[test]
fn an_offer_that_a_crash_interrupts_is_made_again() {
    let (mut world, alice) = exhausted(offering(None));
    world.rings_at(alice, secs(70));

    world.crash();
    world.start();
    world.run_for(secs(5));
    assert_eq!(world.tasks()[0].state, TaskState::ClientOffer);
    world.run_until("it has stopped ringing", secs(20), |world| !world.is_busy(TRUNK, alice));
    let call = world.rings_at(alice, secs(120));
    world.answer(TRUNK, call);
    world.press(TRUNK, call, "1");
    assert_eq!(world.tasks()[0].reschedules.client, 1);
}

// S5.7: a customer who rings in meanwhile is served, and not called any more.
#[test]
fn a_customer_who_calls_in_while_he_is_offered_another_try_is_served_once() {
    let (mut world, alice) = exhausted(offering(None));
    world.register(&[ANNA]);
    world.rings_at(alice, secs(70));

    world.call_in(alice);
    world.run_for(secs(5));

    let task = &world.tasks()[0];
    assert_eq!((task.state, task.close_reason), (TaskState::Cancelled, Some(CloseReason::CustomerCalled)));
    assert!(world.ladder.first("ringback", "alice", "CANCEL").is_some());
}
