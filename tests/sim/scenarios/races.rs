//! Things that happen in the same moment: a key and a ringing phone, an apology and the disk, two requests of one
//! customer, a command and an attempt.

mod commands;
mod legs;
mod phones;

use crate::disk::Mood;
use crate::drive::{ANNA, BEN};
use crate::site::secs;
use crate::world::{TRUNK, World};
use ringback::callback::task::{CloseReason, Outcome, TaskState};
use ringback::demo::endpoint::{CallId, EndedBy, Event};
use ringback::demo::person::{Person, Reaction};
use ringback::settings::ServedBy;
use ringback::switch::NotStored;
use ringback::switch::command::Command;
use std::time::Duration;

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn cancelled(event: &Event) -> bool {
    matches!(event, Event::Ended(_, EndedBy::Cancel))
}

/// anna sits at her desk, and is not asked until `resume`.
fn register_paused(world: &mut World) {
    world.register(&[ANNA]);
    world.ask(Command::PauseAgent { agent: "anna".to_owned(), reason: None });
}

fn resume(world: &mut World) {
    world.tell(Command::ResumeAgent("anna".to_owned())); // The disk may be held.
}

/// Who waits, as number and kind.
fn line(world: &mut World) -> Vec<(String, &'static str)> {
    world.line().into_iter().map(|it| (it.number, it.kind)).collect()
}

/// What has become of each callback, oldest first.
fn ends(world: &World) -> Vec<(TaskState, Option<CloseReason>)> {
    world.tasks().into_iter().map(|task| (task.state, task.close_reason)).collect()
}

/// The attempt under way is taken to its good end.
fn served(world: &mut World, phone: usize, customer: usize) {
    let agent = world.rings(phone, secs(30));
    world.answer(phone, agent);
    let call = world.rings_at(customer, secs(20));
    world.answer(TRUNK, call);
    world.press(TRUNK, call, "1"); // Who has typed the number of somebody else makes us ask him first.
    world.run_for(secs(10));
    world.hang_up(phone, agent);
    world.run_for(secs(2));
}

/// alice waits and has pressed the key; what she says next goes to a disk that holds back.
fn about_to_be_promised(world: &mut World) -> (usize, CallId) {
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    world.press(TRUNK, call, "1");
    world.disk.mood = Mood::Holding;
    (alice, call)
}

#[test]
fn a_promise_made_while_an_agent_rings_stops_the_phone_and_blames_nobody() {
    let mut world = World::with(1, |site| site.agents[0].max_no_answer = 1);
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    world.press(TRUNK, call, "1");
    world.register(&[ANNA]);
    world.rings(ANNA, secs(2));

    world.press_one(TRUNK, call, '#');
    world.run_for(millis(200));

    assert!(world.heard(ANNA, cancelled).is_some(), "her phone rings on");
    assert_eq!(world.agent("anna").state, "ready");
    assert_eq!(line(&mut world), [(super::ALICE.to_owned(), "callback")]);
    served(&mut world, ANNA, alice);
    assert!(world.ladder.noted("accepted").is_some());
    assert_eq!(ends(&world), [(TaskState::Completed, Some(CloseReason::Success))]);
    world.assert_rest();
}

#[test]
fn an_agent_who_answers_as_the_promise_is_made_is_let_go_and_keeps_it_later() {
    let mut world = World::new(1);
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    world.press(TRUNK, call, "1");
    world.register(&[ANNA]);
    let ringing = world.rings(ANNA, secs(2));

    // The key takes 60 ms to be heard, her answer 10 ms: it is on its way when the key is heard.
    world.press_one(TRUNK, call, '#');
    world.run_for(millis(55));
    world.answer(ANNA, ringing);
    world.run_for(secs(1));

    assert!(!world.is_up(ANNA, ringing));
    assert_eq!(line(&mut world), [(super::ALICE.to_owned(), "callback")]);
    served(&mut world, ANNA, alice);
    assert_eq!(ends(&world), [(TaskState::Completed, Some(CloseReason::Success))]);
    world.assert_rest();
}

#[test]
fn a_caller_who_is_answered_after_the_apology_is_not_called_back() {
    let mut world = World::new(1);
    register_paused(&mut world);
    let (alice, call) = about_to_be_promised(&mut world);

    world.press_one(TRUNK, call, '#');
    resume(&mut world);
    world.run_for(millis(2_900));
    assert!(!world.is_busy(ANNA, 0), "whose wish is being stored is not offered");
    world.run_for(secs(1));
    let agent = world.rings(ANNA, millis(200));
    world.answer(ANNA, agent);
    world.run_for(secs(1));
    world.release_disk();
    world.run_for(secs(5));

    assert!(world.ladder.noted("sorry").is_some() && world.ladder.noted("accepted").is_none());
    assert_eq!(ends(&world), [(TaskState::Cancelled, Some(CloseReason::NotPromised))]);
    assert!(world.is_up(TRUNK, call) && world.line().is_empty());
    world.hang_up(ANNA, agent);
    world.run_for(secs(60));
    assert!(!world.is_busy(ANNA, 0) && !world.is_busy(TRUNK, alice));
    world.assert_rest();
}

#[test]
fn a_caller_who_asks_again_after_the_apology_is_promised_what_he_asked_last() {
    for leaves in [false, true] {
        let mut world = World::new(1);
        let (alice, call) = about_to_be_promised(&mut world);
        world.press_one(TRUNK, call, '#');
        world.run_for(secs(4));

        world.press(TRUNK, call, "12025550124#1");
        if leaves {
            world.hang_up(TRUNK, call);
        }
        world.release_disk();
        world.run_for(secs(5));

        assert!(!world.is_busy(TRUNK, alice));
        assert_eq!(line(&mut world), [(super::BOB.to_owned(), "callback")]);
        assert_eq!(ends(&world)[0], (TaskState::Cancelled, Some(CloseReason::NotPromised)));
        assert!(world.tasks().len() == 2 && !world.tasks()[1].state.is_final());
        let bob = world.customer(Person::new("bob", super::BOB));
        world.register(&[ANNA]);
        served(&mut world, ANNA, bob);
        world.assert_rest();
    }
}

#[test]
fn a_caller_who_leaves_after_the_apology_is_not_called_back() {
    let mut world = World::new(1);
    register_paused(&mut world);
    let (alice, call) = about_to_be_promised(&mut world);

    world.press_one(TRUNK, call, '#');
    world.run_for(secs(4));
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));
    world.release_disk();
    world.run_for(secs(1));

    assert_eq!(ends(&world), [(TaskState::Cancelled, Some(CloseReason::NotPromised))]);
    assert!(world.line().is_empty());
    resume(&mut world);
    world.run_for(secs(60));
    assert!(!world.is_busy(ANNA, 0) && !world.is_busy(TRUNK, alice));
    world.assert_rest();
}

#[test]
fn a_caller_who_leaves_before_the_disk_has_answered_is_called_back() {
    let mut world = World::new(1);
    register_paused(&mut world);
    let (alice, call) = about_to_be_promised(&mut world);

    world.press_one(TRUNK, call, '#');
    world.run_for(secs(1));
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));
    world.release_disk();
    world.run_for(secs(1));

    assert_eq!(line(&mut world), [(super::ALICE.to_owned(), "callback")]);
    resume(&mut world);
    served(&mut world, ANNA, alice);
    assert_eq!(ends(&world), [(TaskState::Completed, Some(CloseReason::Success))]);
    world.assert_rest();
}

#[test]
fn a_caller_who_leaves_before_a_disk_that_refuses_has_no_place_left() {
    let mut world = World::new(1);
    let (_, call) = about_to_be_promised(&mut world);

    world.press_one(TRUNK, call, '#');
    world.run_for(secs(1));
    world.hang_up(TRUNK, call);
    world.release_disk();
    world.disk.mood = Mood::Failing(NotStored::Failed);
    world.run_for(secs(1));

    assert!(world.line().is_empty() && world.tasks().is_empty());
    world.disk.mood = Mood::Working;
    world.assert_rest();
}

#[test]
fn a_caller_who_leaves_and_rings_in_before_the_disk_has_answered_waits_once() {
    let mut world = World::new(1);
    register_paused(&mut world);
    let (alice, call) = about_to_be_promised(&mut world);

    world.press_one(TRUNK, call, '#');
    world.run_for(secs(1));
    world.hang_up(TRUNK, call);
    world.run_for(millis(200));
    let again = world.joins(alice);
    world.release_disk();
    world.run_for(secs(1));

    assert_eq!(line(&mut world), [(super::ALICE.to_owned(), "live")]);
    assert!(ends(&world).iter().all(|(state, _)| *state == TaskState::Cancelled));
    resume(&mut world);
    let agent = world.rings(ANNA, secs(2));
    world.answer(ANNA, agent);
    world.run_for(secs(5));
    world.hang_up(TRUNK, again);
    world.run_for(secs(60));
    assert!(!world.is_busy(ANNA, 0) && !world.is_busy(TRUNK, alice));
    world.assert_rest();
}

/// alice has a promise, carol waits behind it, and bob waits at another phone with alice's number typed and read back.
fn second_request(world: &mut World) -> [(usize, CallId); 2] {
    world.promised("alice", super::ALICE);
    let others = [("carol", super::CAROL), ("bob", super::BOB)].map(|(name, number)| {
        let customer = world.customer(Person::new(name, number));
        (customer, world.joins(customer))
    });
    let (_, call) = others[1];
    world.press(TRUNK, call, "1");
    world.press(TRUNK, call, "2025550123#");
    others
}

#[test]
fn a_second_request_for_a_number_takes_over_the_place_of_the_first() {
    let mut world = World::new(1);
    let [(_, carol), (bob, call)] = second_request(&mut world);

    world.press_one(TRUNK, call, '1');
    world.run_until("he is sent home", secs(20), |world| !world.is_busy(TRUNK, bob));

    let merged = (TaskState::Cancelled, Some(CloseReason::Merged));
    assert_eq!(ends(&world)[0], merged);
    assert!(world.tasks().len() == 2 && !world.tasks()[1].state.is_final());
    assert_eq!(world.tasks()[0].virtual_start, world.tasks()[1].virtual_start);
    let expected = [(super::ALICE.to_owned(), "callback"), (super::CAROL.to_owned(), "live")];
    assert_eq!(line(&mut world), expected);
    world.hang_up(TRUNK, carol);
    world.register(&[ANNA]);
    served(&mut world, ANNA, 0);
    assert_eq!(ends(&world), [merged, (TaskState::Completed, Some(CloseReason::Success))]);
    world.assert_rest();
}

#[test]
fn a_second_request_that_is_not_stored_leaves_the_first_where_it_was() {
    let mut world = World::new(1);
    let [(_, carol), (_, call)] = second_request(&mut world);

    world.disk.mood = Mood::Failing(NotStored::Failed);
    world.press_one(TRUNK, call, '1');
    world.run_for(secs(1));
    world.disk.mood = Mood::Working;
    world.run_for(secs(10));

    assert!(world.ladder.noted("sorry").is_some());
    let expected = [(super::ALICE, "callback"), (super::CAROL, "live"), (super::BOB, "live")];
    assert_eq!(line(&mut world), expected.map(|(number, kind)| (number.to_owned(), kind)));
    assert!(world.tasks().len() == 1 && !world.tasks()[0].state.is_final());
    [carol, call].into_iter().for_each(|call| world.hang_up(TRUNK, call));
    world.register(&[ANNA]);
    served(&mut world, ANNA, 0);
    assert_eq!(ends(&world), [(TaskState::Completed, Some(CloseReason::Success))]);
    world.assert_rest();
}

#[test]
fn a_second_request_that_is_stored_too_late_leaves_the_first_where_it_was() {
    let mut world = World::new(1);
    let [(_, carol), (_, call)] = second_request(&mut world);

    world.disk.mood = Mood::Holding;
    world.press_one(TRUNK, call, '1');
    world.run_for(secs(4));
    world.release_disk();
    world.run_for(secs(1));

    let expected = [(super::ALICE, "callback"), (super::CAROL, "live"), (super::BOB, "live")];
    assert_eq!(line(&mut world), expected.map(|(number, kind)| (number.to_owned(), kind)));
    assert!(!world.tasks()[0].state.is_final(), "the disk has the first one open again");
    assert_eq!(ends(&world)[1], (TaskState::Cancelled, Some(CloseReason::NotPromised)));
    [carol, call].into_iter().for_each(|call| world.hang_up(TRUNK, call));
    world.register(&[ANNA]);
    served(&mut world, ANNA, 0);
    assert_eq!(ends(&world)[0], (TaskState::Completed, Some(CloseReason::Success)));
    world.assert_rest();
}

#[test]
fn a_kill_between_two_requests_for_a_number_leaves_one() {
    for seed in 0..6 {
        let mut world = World::new(seed);
        let [_, (_, call)] = second_request(&mut world);
        world.disk.mood = Mood::Holding;
        world.press_one(TRUNK, call, '1');
        world.run_for(millis(200));

        world.crash();
        world.disk.mood = Mood::Working;
        let stored = world.tasks().len();
        world.start();
        world.run_for(secs(1));

        let open: Vec<_> = ends(&world).into_iter().filter(|(state, _)| !state.is_final()).collect();
        assert_eq!(open.len(), 1, "of {stored} on the disk");
        let mut line = line(&mut world);
        assert_eq!(line.remove(0), (super::ALICE.to_owned(), "callback"));
        assert!(line.iter().all(|(number, kind)| *kind == "live" && number != super::ALICE), "{line:?} waits on");
    }
}

#[test]
fn an_attempt_that_begins_while_a_second_request_is_being_stored_goes_on() {
    let mut world = World::new(1);
    register_paused(&mut world);
    let [(_, carol), (_, call)] = second_request(&mut world);
    world.hang_up(TRUNK, carol);

    world.disk.mood = Mood::Holding;
    world.press_one(TRUNK, call, '1');
    world.run_for(millis(200));
    resume(&mut world);
    world.run_for(millis(500));
    world.release_disk();
    served(&mut world, ANNA, 0);

    assert_eq!(ends(&world)[0], (TaskState::Completed, Some(CloseReason::Success)));
    let second = &world.tasks()[1];
    assert!(second.attempts_made == 0, "never two at once: {second:?}");
    if !second.state.is_final() {
        served(&mut world, ANNA, 0);
    }
    assert!(world.tasks().iter().all(|task| task.state.is_final()));
    world.assert_rest();
}

#[test]
fn a_promise_for_one_agent_is_served_by_that_agent() {
    let mut world = World::with(1, |site| site.profiles[0].destination = ServedBy::Agent("ben".into()));
    let alice = world.promised("alice", super::ALICE);

    world.register(&[ANNA]);
    world.run_for(secs(5));
    assert!(!world.is_busy(ANNA, 0));
    world.register(&[BEN]);
    served(&mut world, BEN, alice);

    assert_eq!(ends(&world), [(TaskState::Completed, Some(CloseReason::Success))]);
    world.assert_rest();
}

#[test]
fn a_boosted_promise_goes_before_those_who_came_earlier() {
    let mut world = World::with(1, |site| site.profiles[0].priority_boost = true);
    let bob = world.customer(Person::new("bob", super::BOB));
    let waiting = world.joins(bob);
    let alice = world.promised("alice", super::ALICE);

    let expected = [(super::ALICE.to_owned(), "callback"), (super::BOB.to_owned(), "live")];
    assert_eq!(line(&mut world), expected);
    world.register(&[ANNA]);
    served(&mut world, ANNA, alice);

    assert_eq!(ends(&world), [(TaskState::Completed, Some(CloseReason::Success))]);
    world.hang_up(TRUNK, waiting);
    world.assert_rest();
}

#[test]
fn an_answer_at_the_end_of_the_ring_time_leaves_the_number_free() {
    // Round the instant at which the ring time ends; an answer is 10 ms on its way.
    for before in [25, 20, 15, 11, 10, 9, 5, 1, 0] {
        let mut world = World::with(1, |site| site.profiles[0].intervals = vec![Duration::ZERO, secs(60)]);
        let alice = world.promised("alice", super::ALICE);
        world.register(&[ANNA]);
        let agent = world.rings(ANNA, secs(5));
        world.answer(ANNA, agent);
        world.run_until("she is dialled", secs(20), |world| world.ladder.noted("ringback to anna").is_some());
        let dialled = world.ladder.noted("ringback to anna").expect("she is dialled");
        let call = world.rings_at(alice, secs(1));

        let at = dialled + (secs(30) - millis(before));
        let wait = at.since(world.now);
        world.run_for(wait);
        world.answer(TRUNK, call);
        world.run_for(secs(2));
        let talks = world.is_up(TRUNK, call);
        if talks {
            world.hang_up(ANNA, agent);
        }
        world.run_until("anna is free", secs(20), |world| !world.is_busy(ANNA, 0));
        world.run_for(secs(1));
        let outcome = if talks { Outcome::ShortTalk } else { Outcome::NoAnswer };
        assert_eq!(world.attempts()[0].outcome, Some(outcome), "{before} ms before the end");
        world.stations[TRUNK].people[alice].reactions = [Reaction::Ring { early: false }].into();

        let again = world.rings(ANNA, secs(90));
        world.answer(ANNA, again);
        let call = world.rings_at(alice, secs(20));
        world.answer(TRUNK, call);
        world.run_for(secs(10));
        world.hang_up(ANNA, again);
        world.run_for(secs(2));
        assert_eq!(ends(&world), [(TaskState::Completed, Some(CloseReason::Success))]);
        world.assert_rest();
    }
}
