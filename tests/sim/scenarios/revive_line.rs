//! Callers in line who outlive the process: `kill -9`, and they go on waiting where they were (durability.md P8).

use crate::drive::ANNA;
use crate::site::secs;
use crate::world::{TRUNK, World};
use ringback::demo::endpoint::{CallId, Endpoint};
use ringback::demo::person::Person;
use ringback::switch::command::{Command, PageOf, Reply};
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
