//! The number dialogue (S2.7–S2.11): the key, the number, the promise; and the ways back to hold.

use crate::drive::ANNA;
use crate::site::secs;
use crate::world::{TRUNK, World};
use ringback::callback::task::TaskState;
use ringback::demo::endpoint::{EndedBy, Event};
use ringback::demo::person::Person;
use ringback::media::Play;
use ringback::number::Party;

fn waiting(world: &mut World) -> (usize, ringback::demo::endpoint::CallId) {
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    world.run_for(secs(3));
    (alice, call)
}

fn number(world: &World) -> String {
    let tasks = world.tasks();
    assert_eq!(tasks.len(), 1);
    tasks[0].number.to_string()
}

fn hears_music(world: &World, call: ringback::demo::endpoint::CallId) -> bool {
    let leg = world.leg_of(TRUNK, call).expect("a leg");
    match &world.shard.legs[&leg].play {
        Some((_, Play::Hold(_))) => true,
        Some((_, Play::Clips { then, .. })) => then.is_some(),
        Some((_, Play::Ringback)) | None => false,
    }
}

#[test]
fn the_key_and_pound_promise_a_call_to_the_calling_number() {
    let mut world = World::new(1);
    let (alice, call) = waiting(&mut world);

    world.press(TRUNK, call, "1");
    world.run_for(secs(1));
    world.press(TRUNK, call, "#");
    world.run_until("she is sent home", secs(15), |world| !world.is_busy(TRUNK, alice));
    world.run_for(secs(1));

    assert!(world.heard(TRUNK, |event| matches!(event, Event::Ended(_, EndedBy::Bye))).is_some());
    assert_eq!(number(&world), super::ALICE);
    assert!(matches!(world.tasks()[0].state, TaskState::Pending | TaskState::Due));
    world.assert_ladder("offer_pound");
    world.assert_rest();
}

#[test]
fn typed_digits_are_read_back_and_confirmed() {
    let mut world = World::new(1);
    let (alice, call) = waiting(&mut world);

    world.press(TRUNK, call, "1");
    world.run_for(secs(1));
    world.press(TRUNK, call, "2025550199#");
    world.run_for(secs(8));
    world.press(TRUNK, call, "1");
    world.run_until("she is sent home", secs(15), |world| !world.is_busy(TRUNK, alice));
    world.run_for(secs(1));

    assert_eq!(world.tasks()[0].number, Party::Number("+12025550199".into()));
    assert_eq!(world.tasks()[0].ani.as_deref(), Some(super::ALICE));
    world.assert_ladder("offer_digits");
    world.assert_rest();
}

#[test]
fn a_number_read_back_wrong_is_entered_again() {
    let mut world = World::new(1);
    let (alice, call) = waiting(&mut world);

    world.press(TRUNK, call, "12025550188#");
    world.run_for(secs(8));
    world.press(TRUNK, call, "2");
    world.run_for(secs(3));
    world.press(TRUNK, call, "2025550199#");
    world.run_for(secs(8));
    world.press(TRUNK, call, "1");
    world.run_until("she is sent home", secs(15), |world| !world.is_busy(TRUNK, alice));
    world.run_for(secs(1));

    assert_eq!(number(&world), "+12025550199");
    world.assert_rest();
}

#[test]
fn star_goes_back_to_hold_and_keeps_the_place() {
    let mut world = World::new(1);
    let (_, call) = waiting(&mut world);
    let bob = world.customer(Person::new("bob", super::BOB));
    let second = world.joins(bob);

    world.press(TRUNK, call, "1");
    world.run_for(secs(2));
    world.press(TRUNK, call, "*");
    world.run_for(secs(5));

    assert!(world.tasks().is_empty());
    assert!(hears_music(&world, call));
    let line: Vec<String> = world.line().into_iter().map(|it| it.number).collect();
    assert_eq!(line, [super::ALICE, super::BOB]);
    world.hang_up(TRUNK, call);
    world.hang_up(TRUNK, second);
    world.run_for(secs(1));
    world.assert_ladder("offer_star");
    world.assert_rest();
}

#[test]
fn three_bad_tries_go_back_to_hold() {
    let mut world = World::new(1);
    let (alice, call) = waiting(&mut world);

    world.press(TRUNK, call, "1");
    for _ in 0..3 {
        world.run_for(secs(1));
        world.press(TRUNK, call, "12#");
        world.run_for(secs(4));
    }
    world.run_for(secs(6));

    assert!(world.tasks().is_empty());
    assert!(world.is_busy(TRUNK, alice));
    assert!(hears_music(&world, call));
    assert_eq!(world.line().len(), 1);
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));
    world.assert_ladder("offer_three_bad_tries");
    world.assert_rest();
}

#[test]
fn a_caller_who_falls_silent_in_the_dialogue_goes_back_to_hold() {
    let mut world = World::new(1);
    let (_, call) = waiting(&mut world);

    world.press(TRUNK, call, "1");
    world.run_for(secs(90));

    assert!(world.tasks().is_empty());
    assert!(hears_music(&world, call));
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));
    world.assert_rest();
}

#[test]
fn a_withheld_number_must_be_typed() {
    let mut world = World::new(1);
    let alice = world.customer(Person::new("alice", super::ALICE));
    let now = world.now;
    let call = world.stations[TRUNK].dial_withheld(now, alice, crate::site::DID);
    world.run_for(secs(4));

    world.press(TRUNK, call, "1");
    world.run_for(secs(1));
    world.press(TRUNK, call, "#");
    world.run_for(secs(5));
    assert!(world.tasks().is_empty());
    world.press(TRUNK, call, "2025550123#");
    world.run_for(secs(8));
    world.press(TRUNK, call, "1");
    world.run_until("she is sent home", secs(15), |world| !world.is_busy(TRUNK, alice));
    world.run_for(secs(1));

    assert_eq!(number(&world), super::ALICE);
    assert_eq!(world.tasks()[0].ani, None);
    world.assert_ladder("offer_withheld");
    world.assert_rest();
}

#[test]
fn a_number_we_must_not_call_is_refused() {
    let mut world = World::new(1);
    let (_, call) = waiting(&mut world);

    world.press(TRUNK, call, "1");
    world.run_for(secs(1));
    world.press(TRUNK, call, "9005550123#");
    world.run_for(secs(8));
    world.press(TRUNK, call, "1");
    world.run_for(secs(8));

    assert!(world.tasks().is_empty(), "{:?}", world.tasks());
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));
    world.assert_rest();
}

#[test]
fn hanging_up_in_the_dialogue_promises_nothing() {
    let mut world = World::new(1);
    let (_, call) = waiting(&mut world);

    world.press(TRUNK, call, "12025");
    world.hang_up(TRUNK, call);
    world.run_for(secs(2));

    assert!(world.tasks().is_empty());
    assert!(world.line().is_empty());
    world.assert_rest();
}

// S2.3: A, B and C join in this order and B takes a callback: served are A, B by callback, and C.
#[test]
fn a_promise_keeps_its_place_among_live_callers() {
    let mut world = World::new(1);
    let names = [("alice", super::ALICE), ("bob", super::BOB), ("carol", super::CAROL)];
    let [alice, bob, carol] = names.map(|(name, number)| world.customer(Person::new(name, number)));
    world.joins(alice);
    world.run_for(secs(2));
    let second = world.joins(bob);
    world.run_for(secs(2));
    world.joins(carol);
    world.press(TRUNK, second, "1#");
    world.run_until("bob is sent home", secs(15), |world| !world.is_busy(TRUNK, bob));
    let line: Vec<(String, &str)> = world.line().into_iter().map(|it| (it.number, it.kind)).collect();
    let wanted = [(super::ALICE, "live"), (super::BOB, "callback"), (super::CAROL, "live")];
    assert_eq!(line, wanted.map(|(number, kind)| (number.to_owned(), kind)));

    world.register(&[ANNA]);
    let first = world.rings(ANNA, secs(2));
    world.answer(ANNA, first);
    world.run_for(secs(5));
    world.hang_up(ANNA, first);
    assert!(!world.is_busy(TRUNK, alice));
    let (agent, called) = world.called_back_after(bob, secs(15));
    world.answer(TRUNK, called);
    world.run_for(secs(8));
    world.hang_up(ANNA, agent);
    assert!(world.is_busy(TRUNK, carol));
    let third = world.rings(ANNA, secs(15));
    world.answer(ANNA, third);
    world.run_for(secs(5));
    world.hang_up(ANNA, third);
    world.run_for(secs(1));

    assert!(!world.is_busy(TRUNK, carol));
    world.assert_ladder("place_kept");
    world.assert_rest();
}

#[test]
fn an_agent_who_is_free_ends_the_dialogue_of_the_caller_who_is_first() {
    let mut world = World::new(1);
    let (_, call) = waiting(&mut world);

    world.press(TRUNK, call, "1");
    world.register(&[ANNA]);
    world.run_for(secs(1));
    let served = world.is_busy(ANNA, 0);
    if !served {
        world.press(TRUNK, call, "*");
    }
    let ringing = world.rings(ANNA, secs(3));
    world.answer(ANNA, ringing);
    world.run_for(secs(3));
    let leg = world.leg_of(TRUNK, call).expect("her leg");
    assert!(world.shard.legs[&leg].bridged.is_some());
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));
    world.assert_rest();
}
