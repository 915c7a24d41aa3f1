//! Callers in line who outlive the process: `kill -9`, and they go on waiting where they were (durability.md P8).

use crate::drive::ANNA;
use crate::site::secs;
use crate::stumble::CAN_STUMBLE;
use crate::world::{TRUNK, World};
use chrono::TimeDelta;
use ringback::demo::endpoint::{CallId, Endpoint};
use ringback::demo::person::Person;
use ringback::settings::Settings;
use ringback::switch::command::{Command, PageOf, Reply};
use ringback::switch::event::Event;
use std::time::Duration;

/// Alice and bob wait, she before him.
fn waiting(world: &mut World) -> (CallId, CallId) {
    let alice = world.customer(Person::new("alice", super::ALICE));
    let alice = world.joins(alice);
    world.run_for(secs(5));
    let bob = world.customer(Person::new("bob", super::BOB));
    let bob = world.joins(bob);
    world.run_for(secs(3));
    (alice, bob)
}

fn numbers(world: &mut World) -> Vec<String> {
    world.line().into_iter().map(|waiting| waiting.number).collect()
}

fn has_music(world: &World, call: CallId) -> bool {
    let leg = world.leg_of(TRUNK, call);
    leg.and_then(|leg| world.shard.legs.get(&leg)).is_some_and(|leg| leg.play.is_some())
}

/// Everybody behind the carrier has hung up, and it remembers nothing.
fn carrier_forgets(world: &mut World) {
    let entropy = world.entropy.fork();
    let endpoint = &mut world.stations[TRUNK].endpoint;
    let quirks = endpoint.quirks.clone();
    *endpoint = Endpoint::new(endpoint.config.clone(), entropy);
    endpoint.quirks = quirks;
}

#[test]
fn callers_in_line_go_on_waiting_where_they_were() {
    let mut world = World::with(1, super::missed::covered);
    let (alice, bob) = waiting(&mut world);
    for _ in 0..2 {
        world.crash();
        world.run_for(secs(2));
        world.start();
        assert!(has_music(&world, alice) && has_music(&world, bob), "before anybody has answered");
        world.run_for(Duration::from_millis(100));
        assert_eq!(numbers(&mut world), [super::ALICE, super::BOB]);
    }
    world.run_for(secs(20));
    assert!(world.is_up(TRUNK, alice) && world.is_up(TRUNK, bob));
    world.register(&[ANNA]);
    let agent = world.rings(ANNA, secs(5));
    world.answer(ANNA, agent);
    world.run_for(secs(3));
    let Reply::Calls(calls) = world.ask(Command::ListCalls(PageOf::default())) else { panic!("calls") };
    let served = calls.items.iter().find(|call| call.agent.as_deref() == Some("anna")).expect("a talk");
    assert_eq!(served.from, super::ALICE, "she was first");
    world.hang_up(TRUNK, alice);
    world.hang_up(TRUNK, bob);
    world.run_for(secs(2));
    let sources: Vec<_> = world.tasks().into_iter().map(|task| task.number.to_string()).collect();
    assert_eq!(sources, [super::BOB], "nobody is called back but he who has given up");
    assert!(world.disk.entries.is_empty());
    world.assert_ladder("revive_line");
}

#[test]
fn who_has_left_the_line_meanwhile_is_a_missed_call() {
    let mut world = World::with(1, super::missed::covered);
    waiting(&mut world);
    world.crash();
    carrier_forgets(&mut world);
    world.run_for(secs(1));
    world.start();
    world.run_for(secs(1));

    let mut lost: Vec<_> = world.tasks().into_iter().map(|task| task.number.to_string()).collect();
    lost.sort();
    let mut both = [super::ALICE, super::BOB];
    both.sort();
    assert_eq!(lost, both);
    assert!(world.disk.entries.is_empty());
}

/// Law 2 and law 5: no agent is rung for somebody who may not be there; and he is not forgotten.
#[test]
fn nobody_is_rung_for_a_caller_who_says_nothing() {
    let mut world = World::with(1, super::missed::covered);
    world.register(&[ANNA]);
    world.dial(ANNA, "*46");
    world.run_until("anna has paused", secs(10), |world| !world.is_busy(ANNA, 0));
    let alice = world.customer(Person::new("alice", super::ALICE));
    world.joins(alice);
    world.run_for(secs(3));
    world.crash();
    world.cut(TRUNK);
    world.stations[TRUNK].endpoint.quirks.dead = true;
    world.start();
    let begun = world.now;
    world.ask(Command::ResumeAgent("anna".to_owned()));
    world.run_for(Duration::from_millis(4_400));
    assert!(!world.is_busy(ANNA, 0));
    assert_eq!(numbers(&mut world), [super::ALICE], "she has her place");
    assert!(world.tasks().is_empty());
    world.run_until("she is a missed call", secs(1), |world| !world.disk.tasks.is_empty());
    assert_eq!(world.now.since(begun).as_millis() / 10, 450);
    assert!(world.disk.entries.is_empty());
}

#[test]
fn a_caller_whose_line_was_away_for_a_minute_is_told_and_called_back() {
    let mut world = World::with(1, super::missed::covered);
    let (alice, bob) = waiting(&mut world);
    world.run_for(secs(120)); // What counts is the last sign of life.
    world.crash();
    world.run_for(secs(62));
    world.start();
    world.run_for(secs(1));

    assert!(!world.is_up(TRUNK, alice) && !world.is_up(TRUNK, bob), "nobody hears silence");
    assert_eq!(world.tasks().len(), 2);
}

#[test]
fn who_was_promised_a_call_is_not_put_into_line_again() {
    let mut world = World::with(1, super::missed::covered);
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    world.run_for(secs(2));
    world.press(TRUNK, call, "1#");
    world.run_until("the promise is on the disk", secs(20), |world| !world.disk.tasks.is_empty());
    world.crash_keeping(0);
    world.start();
    world.run_for(secs(1));

    assert!(!world.is_up(TRUNK, call), "she is called back, and hears no silence until then");
    assert_eq!(world.tasks().len(), 1);
    assert_eq!(numbers(&mut world), [super::ALICE], "her promise holds her place");
}

/// Law 3: he had answered, but nobody had been joined with him, and to the disk he was a phone that rings.
#[test]
fn an_agent_who_had_answered_during_the_notice_is_let_go_and_rung_anew() {
    let mut world = World::with(1, |site| {
        super::missed::covered(site);
        site.queues[0].record = true;
    });
    world.register(&[ANNA]);
    let alice = world.customer(Person::new("alice", super::ALICE));
    let caller = world.joins(alice);
    let agent = world.rings(ANNA, secs(5));
    world.answer(ANNA, agent);
    world.run_for(Duration::from_millis(300));
    assert!(world.is_up(ANNA, agent) && world.shard.tapes.is_empty(), "the notice is heard");
    world.crash();
    world.run_for(secs(2));
    world.start();
    world.run_for(Duration::from_millis(100));

    assert!(!world.is_up(ANNA, agent), "nobody hears silence");
    let again = world.rings(ANNA, secs(5));
    world.answer(ANNA, again);
    world.run_for(secs(8));
    assert!(world.is_up(TRUNK, caller) && world.is_up(ANNA, again));
    assert_eq!(world.shard.tapes.len(), 1, "they talk");
    assert!(world.tasks().is_empty());
    world.hang_up(ANNA, again);
    world.run_for(secs(1));
    assert!(world.disk.entries.is_empty());
    world.assert_rest();
}

/// Whoever was let into a line has come in: only who comes anew finds it closed or full.
#[test]
fn a_line_that_has_closed_or_is_full_by_now_keeps_its_callers_over_a_restart() {
    let full = |site: &mut Settings| site.queues[0].max_callers = Some(1);
    for (change, is_full) in [(super::leave::office as fn(&mut Settings), false), (super::missed::covered, true)] {
        let mut world = World::starting(1, "2026-03-02T21:59:30Z", |site| {
            super::missed::covered(site);
            change(site);
        });
        let (alice, bob) = waiting(&mut world);
        if is_full {
            world.configure(full);
        }
        world.run_for(secs(60));
        world.crash();
        world.run_for(secs(2));
        world.start();
        world.run_for(secs(10));

        assert!(world.is_up(TRUNK, alice) && world.is_up(TRUNK, bob), "full: {is_full}");
        assert_eq!(numbers(&mut world), [super::ALICE, super::BOB], "full: {is_full}");
        assert!(has_music(&world, alice) && has_music(&world, bob), "full: {is_full}");
    }
}

/// Seconds that those have waited who are not in line any more.
fn waits(world: &World) -> Vec<u64> {
    let waits = world.published.iter().filter_map(|(_, event)| match event {
        Event::CallAbandoned { wait_secs, .. } => Some(*wait_secs),
        _ => None, // Not about somebody's leaving.
    });
    waits.collect()
}

/// Two restarts, and a clock that is set: a caller has waited as long as he has, and is sent on after `max_wait`.
#[test]
fn who_has_waited_as_long_as_he_may_has_done_so_over_any_number_of_restarts() {
    let mut world = World::with(1, |site| site.queues[0].max_wait = Some(secs(60)));
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    let joined = world.now;
    world.run_for(secs(20));
    world.crash();
    world.run_for(secs(2));
    world.start();
    world.run_for(secs(10));
    world.set_clock(TimeDelta::minutes(5));
    world.run_for(secs(8));
    world.crash();
    world.run_for(secs(5));
    world.start();
    world.run_until("she is sent on", secs(30), |world| !waits(world).is_empty());

    assert_eq!(waits(&world), [60]);
    let waited = world.now.since(joined);
    assert!(waited > secs(59) && waited < secs(61), "{waited:?}");
    world.run_until("she has heard why", secs(10), |world| !world.is_up(TRUNK, call));
}

/// Law 2: not even elsewhere is anybody rung for a caller who may not be there.
#[test]
fn who_has_not_been_heard_since_a_restart_is_not_sent_on() {
    let mut world = World::with(1, |site| {
        super::missed::covered(site);
        site.queues[0].max_wait = Some(secs(20));
    });
    let alice = world.customer(Person::new("alice", super::ALICE));
    world.joins(alice);
    world.run_for(secs(19));
    world.crash();
    world.cut(TRUNK);
    world.stations[TRUNK].endpoint.quirks.dead = true;
    world.run_for(secs(2));
    world.start();
    world.run_for(Duration::from_millis(4_400));
    assert!(waits(&world).is_empty() && world.tasks().is_empty(), "she is asked");
    assert_eq!(numbers(&mut world), [super::ALICE]);
    world.run_for(secs(1));
    assert_eq!(world.tasks().len(), 1);
}

/// Nobody talks, and the clock is set between two signs of life.
#[test]
fn callers_outlive_a_clock_that_is_set_just_before_the_kill() {
    for by in [TimeDelta::minutes(5), -TimeDelta::minutes(5)] {
        let mut world = World::with(1, super::missed::covered);
        let (alice, bob) = waiting(&mut world);
        world.run_for(secs(4));
        world.set_clock(by);
        world.run_for(secs(2));
        let shown = world.clock().utc;
        assert!(world.published.iter().any(|(_, event)| matches!(event, Event::ClockJumped { .. })), "{by}");
        let pulse = world.disk.pulse.expect("they are kept");
        assert!(shown.signed_duration_since(pulse).abs() < TimeDelta::seconds(10), "{by}: {pulse} at {shown}");
        world.crash();
        world.run_for(secs(1));
        world.start();
        world.run_for(secs(5));

        assert!(world.is_up(TRUNK, alice) && world.is_up(TRUNK, bob), "{by}");
        assert_eq!(numbers(&mut world), [super::ALICE, super::BOB], "{by}");
        // His leg moves along, too: by itself it says when he was heard last.
        world.disk.pulse = None;
        world.crash();
        world.start();
        world.run_for(secs(5));
        assert!(world.is_up(TRUNK, alice) && world.is_up(TRUNK, bob), "{by}");
    }
}

/// A fault while somebody is asked costs him his call, which is then known to be lost: he does not wait for ever.
#[test]
fn a_fault_while_a_caller_is_asked_leaves_nobody_unasked() {
    if !CAN_STUMBLE {
        return;
    }
    let mut lost = 0;
    for steps in 0..6 {
        let mut world = World::with(1, super::missed::covered);
        let (alice, bob) = waiting(&mut world);
        let carol = world.customer(Person::new("carol", super::CAROL));
        let carol = world.joins(carol); // The third is asked a moment later.
        world.run_for(secs(3));
        world.crash();
        world.run_for(secs(2));
        world.start();
        world.run_for(Duration::from_millis(9));
        world.fault_next(steps);
        world.run_for(secs(10));

        let up = [alice, bob, carol].into_iter().filter(|call| world.is_up(TRUNK, *call)).count();
        let heard = world.published.iter().filter(|(_, event)| matches!(event, Event::CallTakenUp { .. })).count();
        assert_eq!(up, heard, "{steps} steps: each has been asked");
        assert_eq!(world.tasks().len(), 3 - up, "{steps} steps: whoever is lost is called back");
        lost += 3 - up;
    }
    assert!(lost > 0, "a fault has met one who was asked");
}
