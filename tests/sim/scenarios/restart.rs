//! `kill -9`, and what the next life makes of it.

use crate::drive::{ANNA, DORA};
use crate::site::secs;
use crate::world::{TRUNK, World};
use ringback::callback::task::{Outcome, TaskState};
use ringback::demo::endpoint::{EndedBy, Event};
use ringback::demo::person::Person;

#[test]
fn a_promise_survives_and_is_kept_by_the_next_life() {
    let mut world = World::new(1);
    let alice = world.promised("alice", super::ALICE);

    world.crash();
    world.run_for(secs(2));
    world.start();
    world.ladder.clear();
    world.register(&[ANNA]);
    let (agent, call) = world.called_back(alice);
    world.answer(TRUNK, call);
    world.run_for(secs(10));
    world.hang_up(ANNA, agent);
    world.run_for(secs(2));

    assert_eq!(world.tasks()[0].state, TaskState::Completed);
    world.assert_rest();
}

#[test]
fn an_attempt_found_open_is_closed_and_its_number_left_alone_for_a_while() {
    let mut world = World::new(1);
    let alice = world.promised("alice", super::ALICE);
    world.register(&[ANNA]);
    world.called_back(alice);
    world.run_for(secs(3));

    world.crash();
    world.run_for(secs(2));
    world.start();
    let restarted = world.now;
    world.run_for(secs(5));

    assert_eq!(world.attempts()[0].outcome, Some(Outcome::SystemRestart));
    assert_eq!(world.tasks()[0].attempts_used, 0);
    assert!(!world.is_busy(TRUNK, alice), "the customer's phone has stopped ringing");
    assert!(!world.is_busy(ANNA, 0), "the agent's phone has been told that its call is over");
    let again = world.rings(ANNA, secs(120));
    let quiet = world.now.since(restarted);
    assert!(quiet >= secs(40), "rung again after {quiet:?}");
    let refusals = world.ladder.count("alice", "ringback", "487 Request Terminated");
    assert_eq!(refusals, 1, "it is acknowledged, though its INVITE was of another life");
    world.answer(ANNA, again);
    let call = world.rings_at(alice, secs(20));
    world.answer(TRUNK, call);
    world.run_for(secs(10));
    world.hang_up(TRUNK, call);
    world.run_for(secs(2));
    assert_eq!(world.tasks()[0].state, TaskState::Completed);
    world.assert_ladder("restart_with_open_attempt");
    world.assert_rest();
}

#[test]
fn a_kill_before_the_promise_is_stored_promises_nothing_to_nobody() {
    for seed in 0..20 {
        let mut world = World::new(seed);
        let alice = world.customer(Person::new("alice", super::ALICE));
        let call = world.joins(alice);
        world.run_for(secs(1));
        world.disk.mood = crate::disk::Mood::Holding;
        world.press(TRUNK, call, "1#");
        world.run_for(secs(1));

        world.crash();
        world.disk.mood = crate::disk::Mood::Working;
        world.start();
        world.run_for(secs(1));

        let spoken = world.ladder.noted("accepted").is_some();
        assert!(!spoken, "law 1");
        assert!(world.tasks().len() <= 1);
    }
}

/// RFC 3261 §13.3.1.4: without its ACK a phone sits in a call with nobody for 32 s.
#[test]
fn who_answers_a_switch_that_is_gone_is_let_go_by_the_next() {
    let mut world = World::new(1);
    let alice = world.promised("alice", super::ALICE);
    world.register(&[ANNA]);
    let (_, call) = world.called_back(alice);
    world.crash();
    world.ladder.clear();
    world.answer(TRUNK, call);
    world.run_for(secs(2));
    world.start();
    world.run_for(secs(3));

    let told = world.heard(TRUNK, |event| matches!(event, Event::Ended(it, EndedBy::Bye) if *it == call));
    assert!(told.is_some(), "she is told that nobody is there");
    assert_eq!(world.ladder.count("ringback", "alice", "ACK"), 1);
    assert_eq!(world.ladder.count("ringback", "alice", "BYE"), 1);
    world.assert_ladder("restart_answered_meanwhile");
}

/// Whose customer is a phone of ours: it rings when the process is killed, and the next life stops it.
#[test]
fn a_phone_that_is_called_back_is_told_to_stop() {
    let mut world = World::new(1);
    world.register(&[DORA]);
    let call = world.dial(DORA, "5000");
    world.run_until("she is in line", secs(5), |world| world.is_up(DORA, call));
    world.run_for(secs(2));
    world.press(DORA, call, "1#");
    world.run_until("she is sent home", secs(20), |world| !world.is_busy(DORA, 0));
    world.register(&[ANNA]);
    let agent = world.rings(ANNA, secs(10));
    world.answer(ANNA, agent);
    world.rings(DORA, secs(20));

    world.crash();
    world.run_for(secs(1));
    world.start();
    world.run_for(secs(1));

    assert!(!world.is_busy(DORA, 0), "it rings on for nobody");
    assert_eq!(world.attempts()[0].outcome, Some(Outcome::SystemRestart));
    let again = world.rings(ANNA, secs(120));
    world.answer(ANNA, again);
    let called = world.rings(DORA, secs(20));
    world.answer(DORA, called);
    world.run_for(secs(10));
    world.hang_up(DORA, called);
    world.run_for(secs(2));
    assert_eq!(world.tasks()[0].state, TaskState::Completed);
    world.assert_rest();
}
