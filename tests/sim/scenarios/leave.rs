//! Leaving a line unserved, not getting into it, and coming back to one's place.

use crate::drive::{ANNA, BEN, DORA};
use crate::site::secs;
use crate::world::{TRUNK, World};
use chrono::Weekday;
use ringback::demo::endpoint::{CallId, EndedBy, Event};
use ringback::demo::person::Person;
use ringback::id::LegRef;
use ringback::settings::*;
use std::time::Duration;

/// A second queue, served by dora alone.
fn with_sales(site: &mut Settings) {
    site.queues.push(Queue { members: vec![Member::of("dora")], ..Queue::named("sales", "5001") });
    site.queues[0].overflow = Some(Destination::Queue("sales".into()));
}

fn joins(world: &mut World, name: &str, number: &str) -> (CallId, LegRef) {
    let customer = world.customer(Person::new(name, number));
    let call = world.joins(customer);
    (call, world.leg_of(TRUNK, call).expect("a leg"))
}

fn callers(world: &mut World) -> Vec<String> {
    world.line().into_iter().map(|it| it.number).collect()
}

/// When a call was ended by our BYE.
fn sent_away(world: &mut World, call: CallId, limit: Duration) -> Duration {
    world.run_until("the caller is sent away", limit, |world| !world.is_up(TRUNK, call));
    let bye = world.heard(TRUNK, |event| matches!(event, Event::Ended(_, EndedBy::Bye))).expect("a BYE");
    bye.since(ringback::time::Tick::ZERO)
}

/// Dora serves the line that callers overflow into.
fn served_by_dora(world: &mut World, leg: LegRef, limit: Duration) {
    let ringing = world.rings(DORA, limit);
    world.answer(DORA, ringing);
    assert!(world.shard.legs[&leg].bridged.is_some());
    world.hang_up(DORA, ringing);
    world.run_for(secs(30));
    world.assert_rest();
}

// S1.B8: an agent who does not answer for 15 s is followed by the next agent.
#[test]
fn after_fifteen_seconds_the_next_agent_rings() {
    let mut world = World::with(1, |site| site.queues[0].ring = secs(15));
    world.register(&[ANNA]);
    world.run_for(secs(2));
    world.register(&[BEN]);
    let (call, _) = joins(&mut world, "alice", super::ALICE);
    world.run_for(secs(14));
    assert!(world.is_busy(ANNA, 0) && !world.is_busy(BEN, 0));
    world.run_for(secs(1));
    assert!(!world.is_busy(ANNA, 0) && world.is_busy(BEN, 0));
    world.hang_up(TRUNK, call);
    world.assert_rest();
}

// S1.B8: max wait leads to its destination, and there the caller is one like any other.
#[test]
fn whoever_has_waited_as_long_as_he_may_goes_where_the_site_says() {
    let mut world = World::with(1, |site| {
        with_sales(site);
        site.queues[0].max_wait = Some(secs(120));
    });
    let (_, alice) = joins(&mut world, "alice", super::ALICE);
    world.run_for(Duration::from_millis(119_400));
    assert_eq!(callers(&mut world), [super::ALICE]);
    world.run_for(Duration::from_millis(200));
    assert!(callers(&mut world).is_empty());
    world.register(&[DORA]);
    world.assert_ladder("overflow_to_queue");
    served_by_dora(&mut world, alice, secs(2));
}

// S1.B8: without a destination the caller hears why, and goodbye.
#[test]
fn without_a_destination_the_caller_hears_why() {
    let mut world = World::with(1, |site| site.queues[0].max_wait = Some(secs(60)));
    let (call, alice) = joins(&mut world, "alice", super::ALICE);

    let ended = sent_away(&mut world, call, secs(70));

    assert_eq!(world.words(alice), [(60.0, "call_later goodbye".to_owned())]);
    assert_eq!(ended, Duration::from_millis(64_020), "the wire, a minute, and four seconds of words");
    world.run_for(secs(1));
    world.assert_ladder("waited_too_long");
    world.assert_rest();
}

// S1.B8: nobody is logged in for 300 s: to the destination; somebody who comes and goes begins that anew.
#[test]
fn with_nobody_there_callers_go_where_the_site_says() {
    let mut world = World::with(1, |site| {
        with_sales(site);
        site.queues[0].no_agents = NoAgents::Overflow(secs(300));
        site.queues[0].ring = secs(5);
    });
    let (_, alice) = joins(&mut world, "alice", super::ALICE);
    world.run_for(secs(200));
    world.register(&[ANNA]);
    world.dial(ANNA, "*46");
    world.run_for(secs(200));
    assert_eq!(callers(&mut world), [super::ALICE], "a paused agent is there all the same");

    world.dial(ANNA, "*45");
    world.run_until("she is logged out", secs(5), |world| {
        world.published.iter().any(|(_, event)| format!("{event:?}").contains("AgentLoggedOut"))
            || !world.is_busy(ANNA, 0)
    });
    let out = world.now;
    world.run_until("alice goes", secs(301), |world| {
        world.published.iter().any(|(_, event)| format!("{event:?}").starts_with("CallAbandoned"))
    });

    let after = world.now.since(out);
    assert!(after > secs(297) && after <= secs(300), "{after:?}");
    world.register(&[DORA]);
    served_by_dora(&mut world, alice, secs(2));
}

// What the site says now counts, not what it said when the caller came.
#[test]
fn a_caller_whose_queue_lets_him_wait_longer_waits_longer() {
    let mut world = World::with(1, |site| {
        with_sales(site);
        site.queues[0].max_wait = Some(secs(60));
        site.queues[0].no_agents = NoAgents::Overflow(secs(30));
    });
    let (call, _) = joins(&mut world, "alice", super::ALICE);
    world.run_for(secs(20));
    world.configure(|site| {
        site.queues[0].max_wait = Some(secs(90));
        site.queues[0].no_agents = NoAgents::Wait;
    });
    world.run_for(secs(69));
    assert_eq!(callers(&mut world), [super::ALICE]);
    world.run_for(secs(1));
    assert!(callers(&mut world).is_empty());
    world.hang_up(TRUNK, call);
    world.assert_rest();
}

// interface.md, Settled 5: `no_agents = overflow` without a destination is waiting.
#[test]
fn with_nobody_there_and_nowhere_to_go_callers_wait() {
    let mut world = World::with(1, |site| site.queues[0].no_agents = NoAgents::Overflow(secs(30)));
    let (call, _) = joins(&mut world, "alice", super::ALICE);
    world.run_for(secs(3_600));
    assert_eq!(callers(&mut world), [super::ALICE]);
    world.hang_up(TRUNK, call);
    world.assert_rest();
}

// S1.B6, S3.B10: a full queue refuses as busy, or sends on.
#[test]
fn a_full_line_takes_nobody() {
    for overflows in [false, true] {
        let mut world = World::with(1, |site| {
            with_sales(site);
            site.queues[0].max_callers = Some(1);
            if !overflows {
                site.queues[0].overflow = None;
            }
        });
        let (first, _) = joins(&mut world, "alice", super::ALICE);
        let bob = world.customer(Person::new("bob", super::BOB));
        let second = world.call_in(bob);
        world.run_for(secs(2));

        assert_eq!(callers(&mut world), [super::ALICE]);
        let busy = world.heard(TRUNK, |event| matches!(event, Event::Refused(call, 486) if *call == second)).is_some();
        assert_eq!((busy, world.is_up(TRUNK, second)), (!overflows, overflows));
        world.hang_up(TRUNK, first);
        world.run_for(secs(1));
        if overflows {
            world.hang_up(TRUNK, second);
        }
        world.assert_rest();
    }
}

// Two full lines that name each other end somewhere (law 9).
#[test]
fn lines_that_overflow_into_each_other_end() {
    let mut world = World::with(1, |site| {
        with_sales(site);
        site.queues[0].max_callers = Some(0);
        site.queues[1].max_callers = Some(0);
        site.queues[1].overflow = Some(Destination::Queue("support".into()));
    });
    let alice = world.customer(Person::new("alice", super::ALICE));
    world.call_in(alice);
    world.run_for(secs(2));

    assert!(world.heard(TRUNK, |event| matches!(event, Event::Refused(_, 480))).is_some());
    world.assert_rest();
}

pub(super) fn office(site: &mut Settings) {
    let hour = |hour| chrono::NaiveTime::from_hms_opt(hour, 0, 0).expect("an hour");
    site.schedules.push(Schedule {
        name: "office".into(),
        tz: chrono_tz::America::New_York,
        weekly: vec![Weekly { days: vec![Weekday::Mon], hours: Hours { start: hour(9), end: hour(17) } }],
        exceptions: Vec::new(),
    });
    site.queues[0].schedule = Some("office".into());
}

// S4.14, S1.B8: a queue has hours: before them its callers hear that it is closed, or go elsewhere; in them they wait.
#[test]
fn a_closed_line_takes_nobody() {
    let nine = "2026-03-02T14:00:00Z";
    for (began, overflows, said) in [
        ("2026-03-02T13:59:59Z", false, Some("closed goodbye")),
        ("2026-03-02T13:59:59Z", true, None),
        (nine, false, None),
        ("2026-03-02T21:59:59Z", false, None),
        ("2026-03-02T22:00:00Z", false, Some("closed goodbye")),
    ] {
        let mut world = World::starting(1, began, |site| {
            with_sales(site);
            office(site);
            if !overflows {
                site.queues[0].overflow = None;
            }
        });
        let (call, alice) = joins(&mut world, "alice", super::ALICE);

        assert_eq!(world.spoken(alice).first().map(String::as_str), said, "{began}");
        assert_eq!(callers(&mut world).is_empty(), said.is_some() || overflows, "{began}");
        match said {
            Some(_) => drop(sent_away(&mut world, call, secs(10))),
            None => world.hang_up(TRUNK, call),
        }
        world.run_for(secs(1));
        world.assert_rest();
    }
}

// S2.B6: key 8 leaves to its destination, also while something is said; inside the number dialogue it is a digit.
#[test]
fn the_exit_key_leaves_the_line() {
    let mut world = World::with(1, |site| {
        with_sales(site);
        site.queues[0].exit_key = Some('8');
        site.queues[0].exit = Some(Destination::Agent("dora".into()));
        site.queues[0].welcome = Sound::Prompt("greeting".into());
    });
    world.register(&[DORA]);
    let (call, alice) = joins(&mut world, "alice", super::ALICE);
    world.run_for(secs(3));
    world.press(TRUNK, call, "1888");
    assert_eq!(callers(&mut world), [super::ALICE]);
    world.press(TRUNK, call, "*");
    world.press(TRUNK, call, "8");

    assert!(callers(&mut world).is_empty());
    world.assert_ladder("exit_key");
    served_by_dora(&mut world, alice, secs(2));
}

// S2.B6: without a destination the key is goodbye; in a queue without an exit key it is nothing.
#[test]
fn the_exit_key_without_a_destination_says_goodbye() {
    let mut world = World::with(1, |site| site.queues[0].exit_key = Some('8'));
    let (call, alice) = joins(&mut world, "alice", super::ALICE);
    world.press(TRUNK, call, "7");
    assert!(world.spoken(alice).is_empty());
    world.press(TRUNK, call, "8");

    sent_away(&mut world, call, secs(5));
    assert_eq!(world.spoken(alice), ["goodbye"]);
    world.run_for(secs(1));
    world.assert_rest();
}

#[test]
fn the_exit_key_stops_the_agents_phone() {
    let mut world = World::with(1, |site| {
        site.queues[0].exit_key = Some('8');
        site.queues[0].exit = Some(Destination::Hangup(486));
    });
    world.register(&[ANNA]);
    let (call, _) = joins(&mut world, "alice", super::ALICE);
    world.rings(ANNA, secs(1));
    world.press(TRUNK, call, "8");

    assert!(world.heard(ANNA, |event| matches!(event, Event::Ended(_, EndedBy::Cancel))).is_some());
    assert_eq!(world.agent("anna").state, "ready");
    world.run_for(secs(5));
    world.assert_rest();
}

// S1.B9: a caller who drops and returns within 60 s gets the old position; later he is the last.
#[test]
fn who_drops_and_returns_in_time_has_his_place_back() {
    for (away, order) in [(59, [super::ALICE, super::BOB]), (61, [super::BOB, super::ALICE])] {
        let mut world = World::with(1, |site| site.queues[0].resume_within = secs(60));
        let alice = world.customer(Person::new("alice", super::ALICE));
        let dropped = world.joins(alice);
        world.run_for(secs(10));
        let (other, _) = joins(&mut world, "bob", super::BOB);
        world.run_for(secs(10));
        world.hang_up(TRUNK, dropped);
        assert_eq!(callers(&mut world), [super::BOB]);

        world.run_for(secs(away));
        let back = world.joins(alice);

        assert_eq!(callers(&mut world), order, "after {away} s");
        world.register(&[ANNA]);
        let ringing = world.rings(ANNA, secs(1));
        world.answer(ANNA, ringing);
        let (first, second) = if away < 60 { (back, other) } else { (other, back) };
        let leg = |world: &World, call| world.leg_of(TRUNK, call).expect("a leg");
        assert!(world.shard.legs[&leg(&world, first)].bridged.is_some());
        assert!(world.shard.legs[&leg(&world, second)].bridged.is_none());
        world.hang_up(TRUNK, first);
        world.hang_up(TRUNK, second);
        world.run_for(secs(1));
        world.assert_rest();
    }
}

// S1.B9: resuming is off at 0; a place is for its own number and its own queue; and it is regained once.
#[test]
fn a_place_is_regained_by_its_owner_once() {
    let mut world = World::with(1, |site| site.queues[0].resume_within = secs(0));
    let alice = world.customer(Person::new("alice", super::ALICE));
    let dropped = world.joins(alice);
    let (other, _) = joins(&mut world, "bob", super::BOB);
    world.hang_up(TRUNK, dropped);
    let back = world.joins(alice);
    assert_eq!(callers(&mut world), [super::BOB, super::ALICE]);
    world.hang_up(TRUNK, back);
    world.hang_up(TRUNK, other);
    world.assert_rest();

    let mut world = World::new(1);
    let (first, _) = joins(&mut world, "bob", super::BOB);
    world.run_for(secs(5));
    let (second, _) = joins(&mut world, "carol", super::CAROL);
    world.hang_up(TRUNK, first);
    let alice = world.customer(Person::new("alice", super::ALICE));
    let stranger = world.joins(alice);
    assert_eq!(callers(&mut world), [super::CAROL, super::ALICE], "it is not the first comer's");
    world.hang_up(TRUNK, stranger);
    world.hang_up(TRUNK, second);
    world.assert_rest();
}
