//! Whoever is promised a call, and rings in before it has come; and agents who call him by hand.

use crate::disk::Mood;
use crate::drive::{ANNA, BEN};
use crate::site::secs;
use crate::world::{TRUNK, World};
use ringback::callback::task::{CloseReason, Outcome, TaskState};
use ringback::demo::endpoint::{CallId, EndedBy, Event};
use ringback::demo::person::{Person, Reaction};
use ringback::id::LegRef;
use ringback::settings::*;
use std::time::Duration;

/// The customer is asked what shall become of the promise.
pub(super) fn menu(site: &mut Settings) {
    site.rules[0].on_call_in = OnCallIn::Menu;
}

/// Alice is promised a call, bob waits behind her, and she rings in again.
pub(super) fn rings_in(world: &mut World) -> (usize, CallId, LegRef) {
    let alice = world.customer(Person::new("alice", super::ALICE));
    world.promised_again(alice);
    world.run_for(secs(20));
    let bob = world.customer(Person::new("bob", super::BOB));
    world.joins(bob);
    world.run_for(secs(20));
    let call = world.joins(alice);
    let leg = world.leg_of(TRUNK, call).expect("a leg");
    (alice, call, leg)
}

fn line(world: &mut World) -> Vec<(String, &'static str)> {
    world.line().into_iter().map(|it| (it.number, it.kind)).collect()
}

fn promise_first() -> Vec<(String, &'static str)> {
    vec![(super::ALICE.to_owned(), "callback"), (super::BOB.to_owned(), "live")]
}

fn caller_first() -> Vec<(String, &'static str)> {
    vec![(super::ALICE.to_owned(), "live"), (super::BOB.to_owned(), "live")]
}

fn sent_home(world: &mut World, call: CallId) {
    world.run_until("she is sent home", secs(30), |world| !world.is_up(TRUNK, call));
    world.run_for(secs(1));
}

fn ends(world: &World) -> Vec<(TaskState, Option<CloseReason>)> {
    let state = |state| if state == TaskState::Due { TaskState::Pending } else { state };
    world.tasks().iter().map(|task| (state(task.state), task.close_reason)).collect()
}

const OPEN: (TaskState, Option<CloseReason>) = (TaskState::Pending, None);

/// Bob hangs up; nothing is left of anything.
fn rest(mut world: World) {
    let bob = world.of(1);
    world.hang_up(TRUNK, bob);
    world.run_for(secs(1));
    world.assert_rest();
}

// interface.md, Settled 8; DTMF map: 1 keeps the callback: goodbye, and it stands where it stood.
#[test]
fn one_keeps_the_callback() {
    let mut world = World::with(1, menu);
    let (_, call, leg) = rings_in(&mut world);
    assert_eq!(line(&mut world), caller_first());
    assert_eq!(world.spoken(leg), ["pending_menu"]);

    world.press(TRUNK, call, "1");
    sent_home(&mut world, call);

    assert_eq!(world.spoken(leg), ["pending_menu", "pending_kept goodbye"]);
    assert_eq!(ends(&world), [OPEN]);
    assert_eq!(line(&mut world), promise_first());
    world.assert_ladder("pending_keep");
    rest(world);
}

// DTMF map: 2 stays on the line, at the same place; no key is the same; and the promise waits for him there.
#[test]
fn two_stays_on_the_line_at_the_same_place() {
    for key in ["2", ""] {
        let mut world = World::with(1, menu);
        let (_, call, leg) = rings_in(&mut world);

        world.press(TRUNK, call, key);
        world.run_for(secs(8));

        let words = world.words(leg);
        assert_eq!(words[1].1, "back_to_hold");
        if key.is_empty() {
            assert_eq!(words[1].0, 7.0, "the question of two seconds, and the pause");
        }
        assert_eq!(line(&mut world), caller_first());
        world.register(&[ANNA]);
        let ringing = world.rings(ANNA, secs(1));
        world.answer(ANNA, ringing);
        assert!(world.shard.legs[&leg].bridged.is_some());
        world.run_for(secs(1));
        assert_eq!(ends(&world), [(TaskState::Cancelled, Some(CloseReason::CustomerCalled))]);
        world.hang_up(TRUNK, call);
        rest(world);
    }
}

// DTMF map: 3 changes the number: the dialogue, and the same task at the same place.
#[test]
fn three_changes_the_number() {
    let mut world = World::with(1, menu);
    let (_, call, leg) = rings_in(&mut world);
    let before = world.tasks().remove(0);

    world.press(TRUNK, call, "3");
    world.run_for(secs(2));
    world.press(TRUNK, call, "2025550199#");
    world.run_for(secs(8));
    world.press(TRUNK, call, "1");
    sent_home(&mut world, call);

    assert_eq!(world.spoken(leg)[1], "confirm_number");
    assert_eq!(world.spoken(leg).last().map(String::as_str), Some("pending_changed goodbye"));
    let after = world.tasks().remove(0);
    assert_eq!((after.id, after.virtual_start), (before.id, before.virtual_start));
    assert_eq!(ends(&world), [OPEN]);
    assert_eq!(after.number.to_string(), "+12025550199");
    assert_eq!(world.tasks().len(), 1);
    assert_eq!(line(&mut world)[0], ("+12025550199".to_owned(), "callback"));
    world.assert_ladder("pending_change");
    rest(world);
}

// DTMF map: 9 cancels the callback.
#[test]
fn nine_cancels_the_callback() {
    let mut world = World::with(1, menu);
    let (_, call, leg) = rings_in(&mut world);

    world.press(TRUNK, call, "9");
    sent_home(&mut world, call);

    assert_eq!(world.spoken(leg), ["pending_menu", "pending_cancelled goodbye"]);
    assert_eq!(ends(&world), [(TaskState::Cancelled, Some(CloseReason::ByCaller))]);
    assert_eq!(line(&mut world), [(super::BOB.to_owned(), "live")]);
    rest(world);
}

#[test]
fn other_keys_are_not_answered_and_the_question_goes_on() {
    let mut world = World::with(1, menu);
    let (_, call, leg) = rings_in(&mut world);
    world.press(TRUNK, call, "5#");
    assert_eq!(world.spoken(leg), ["pending_menu"]);
    world.press(TRUNK, call, "1");
    sent_home(&mut world, call);
    assert_eq!(ends(&world), [OPEN]);
    rest(world);
}

// Whatever he does but being served or saying no, the promise stands: hanging up in the menu, in line, in the dialogue.
#[test]
fn who_hangs_up_keeps_the_callback() {
    for keys in ["", "2", "3", "320255"] {
        let mut world = World::with(1, menu);
        let (_, call, _) = rings_in(&mut world);
        world.press(TRUNK, call, keys);
        world.run_for(secs(1));

        world.hang_up(TRUNK, call);
        world.run_for(secs(1));

        assert_eq!(ends(&world), [OPEN], "after {keys:?}");
        assert_eq!(line(&mut world), promise_first(), "after {keys:?}");
        rest(world);
    }
}

// Order of service: the agent's answer ends the question; he is served in person and not called any more.
#[test]
fn an_agent_who_answers_ends_the_question() {
    let mut world = World::with(1, menu);
    let (_, call, leg) = rings_in(&mut world);
    world.register(&[ANNA]);
    let ringing = world.rings(ANNA, secs(1));
    assert_eq!(ends(&world), [OPEN], "nobody has answered yet");
    world.answer(ANNA, ringing);
    world.run_for(secs(30));

    assert!(world.shard.legs[&leg].bridged.is_some());
    assert_eq!(ends(&world), [(TaskState::Cancelled, Some(CloseReason::CustomerCalled))]);
    world.hang_up(TRUNK, call);
    world.assert_ladder("pending_answered");
    rest(world);
}

// Law 1: the new number is promised only once it is on the disk; until then, and when it fails, the old one stands.
#[test]
fn a_change_that_is_not_stored_leaves_the_number_as_it_was() {
    for hangs_up in [false, true] {
        let mut world = World::with(1, menu);
        let (_, call, leg) = rings_in(&mut world);
        world.press(TRUNK, call, "3");
        world.press(TRUNK, call, "2025550199#");
        world.run_for(secs(8));
        world.disk.mood = Mood::Failing(ringback::switch::NotStored::Reserve);
        if hangs_up {
            world.press_one(TRUNK, call, '1');
            world.run_for(Duration::from_millis(61));
            world.hang_up(TRUNK, call);
        } else {
            world.press(TRUNK, call, "1");
            assert_eq!(world.spoken(leg).last().map(String::as_str), Some("sorry"));
            assert_eq!(line(&mut world), caller_first());
        }
        world.run_for(secs(2));
        world.release_disk();
        if !hangs_up {
            world.hang_up(TRUNK, call);
        }
        world.run_for(secs(90));

        assert_eq!(world.tasks()[0].number.to_string(), super::ALICE, "hangs up: {hangs_up}");
        assert_eq!(world.callbacks()[0].task.number.to_string(), super::ALICE);
        assert_eq!(ends(&world), [OPEN]);
        assert_eq!(line(&mut world), promise_first());
        rest(world);
    }
}

// A change that comes to the disk after the apology is taken back there.
#[test]
fn a_change_that_is_stored_too_late_leaves_the_number_as_it_was() {
    let mut world = World::with(1, menu);
    let (_, call, leg) = rings_in(&mut world);
    world.press(TRUNK, call, "3");
    world.press(TRUNK, call, "2025550199#");
    world.run_for(secs(8));
    world.disk.mood = Mood::Holding;
    world.press(TRUNK, call, "1");
    world.run_for(secs(4));
    assert_eq!(world.spoken(leg).last().map(String::as_str), Some("sorry"));
    world.release_disk();
    world.run_for(secs(2));

    assert_eq!(world.tasks()[0].number.to_string(), super::ALICE);
    assert_eq!(ends(&world), [OPEN]);
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));
    assert_eq!(line(&mut world), promise_first());
    rest(world);
}

// A caller who hangs up on a change that is on its way to the disk has made it.
#[test]
fn a_change_outlives_its_call() {
    let mut world = World::with(1, menu);
    let (_, call, _) = rings_in(&mut world);
    world.press(TRUNK, call, "3");
    world.press(TRUNK, call, "2025550199#");
    world.run_for(secs(8));
    world.disk.mood = Mood::Holding;
    world.press(TRUNK, call, "1");
    world.hang_up(TRUNK, call);
    world.release_disk();
    world.run_for(secs(2));

    assert_eq!(world.callbacks()[0].task.number.to_string(), "+12025550199");
    assert_eq!(line(&mut world)[0], ("+12025550199".to_owned(), "callback"));
    rest(world);
}

// A callback that is cancelled while its number is being changed stays cancelled.
#[test]
fn a_change_of_what_is_cancelled_meanwhile_comes_to_nothing() {
    let mut world = World::with(1, menu);
    let (_, call, leg) = rings_in(&mut world);
    let task = world.tasks()[0].id;
    world.press(TRUNK, call, "3");
    world.press(TRUNK, call, "2025550199#");
    world.run_for(secs(8));
    world.disk.mood = Mood::Holding;
    world.press(TRUNK, call, "1");
    let asked = ringback::switch::command::Command::CancelCallback(task);
    world.tell(asked);
    world.release_disk();
    world.run_for(secs(2));

    assert_eq!(ends(&world), [(TaskState::Cancelled, Some(CloseReason::ByAdmin))]);
    assert_eq!(world.spoken(leg).last().map(String::as_str), Some("sorry"));
    assert_eq!(line(&mut world), caller_first(), "he waits on, in person");
    world.hang_up(TRUNK, call);
    rest(world);
}

// Law 10: kill -9 while he is asked: the promise is where it was.
#[test]
fn a_crash_during_the_question_keeps_the_callback() {
    let mut world = World::with(1, menu);
    let (_, call, _) = rings_in(&mut world);
    world.crash();
    world.start();
    world.run_for(std::time::Duration::from_millis(1));
    let (alice, bob) = (super::ALICE.to_owned(), super::BOB.to_owned());
    assert_eq!(line(&mut world), [(alice.clone(), "live"), (bob, "live")], "both are in line again");
    let second = world.of(1);
    world.hang_up(TRUNK, second);
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));
    assert_eq!(line(&mut world), [(alice, "callback")]);
    world.run_for(secs(60));
}

// S5.7: the customer calls back: his task is cancelled with that reason, even between two attempts.
#[test]
fn a_customer_who_calls_back_is_not_called_any_more() {
    let mut world = World::new(1);
    let alice = world.promised("alice", super::ALICE);
    world.stations[TRUNK].people[alice].reactions = [Reaction::Refuse { after: secs(1), status: 486 }].into();
    world.register(&[ANNA]);
    let agent = world.rings(ANNA, secs(5));
    world.answer(ANNA, agent);
    world.run_for(secs(30));
    assert_eq!(world.tasks()[0].state, TaskState::WaitingRetry);

    let call = world.joins(alice);
    assert_eq!(ends(&world), [(TaskState::Cancelled, Some(CloseReason::CustomerCalled))]);
    let ringing = world.rings(ANNA, secs(15));
    world.answer(ANNA, ringing);
    world.run_for(secs(5));
    world.hang_up(TRUNK, call);
    world.run_for(secs(2_000));

    assert_eq!(world.attempts().len(), 1, "nobody dials her again");
    world.assert_rest();
}

// S5.7: an agent dials the customer by hand: cancelled with that reason once the customer has answered.
#[test]
fn a_customer_whom_an_agent_calls_by_hand_is_not_called_any_more() {
    let mut world = World::new(1);
    let alice = world.promised("alice", super::ALICE);
    world.stations[TRUNK].people[alice].reactions = [Reaction::Refuse { after: secs(1), status: 486 }].into();
    world.register(&[ANNA]);
    let agent = world.rings(ANNA, secs(5));
    world.answer(ANNA, agent);
    world.run_for(secs(30));
    assert_eq!(world.tasks()[0].state, TaskState::WaitingRetry);

    let by_hand = world.dial(ANNA, super::ALICE);
    let called = world.rings_at(alice, secs(5));
    assert_eq!(world.tasks()[0].state, TaskState::WaitingRetry, "ringing is not yet reaching");
    world.answer(TRUNK, called);
    world.run_for(secs(20));
    world.hang_up(ANNA, by_hand);
    world.run_for(secs(2_000));

    assert_eq!(ends(&world), [(TaskState::Cancelled, Some(CloseReason::AgentDialled))]);
    assert_eq!(world.attempts().len(), 1, "nobody dials her again");
    world.assert_rest();
}

// Interop trap, glare: the customer calls in while we dial out: the dial is cancelled, and he is served at the same
// place, whatever the rule says about asking him.
#[test]
fn a_customer_who_calls_in_while_we_dial_is_served_at_his_place() {
    for ask in [OnCallIn::Cancel, OnCallIn::Menu] {
        let mut world = World::with(1, |site| site.rules[0].on_call_in = ask);
        let alice = world.promised("alice", super::ALICE);
        let bob = world.customer(Person::new("bob", super::BOB));
        world.joins(bob);
        world.register(&[ANNA]);
        let (agent, _) = world.called_back(alice);
        world.run_for(secs(2));

        let call = world.joins(alice);
        let leg = world.leg_of(TRUNK, call).expect("a leg");
        world.run_for(secs(1));

        assert!(world.heard(TRUNK, |event| matches!(event, Event::Ended(_, EndedBy::Cancel))).is_some());
        assert_eq!(world.attempts()[0].outcome, Some(Outcome::Superseded));
        assert_eq!(ends(&world), [(TaskState::Cancelled, Some(CloseReason::CustomerCalled))]);
        assert!(!world.spoken(leg).contains(&"pending_menu".to_owned()));
        assert_eq!(line(&mut world), caller_first());
        if world.is_busy(ANNA, 0) && world.at(ANNA) == agent {
            world.hang_up(ANNA, agent);
        }
        let ringing = world.rings(ANNA, secs(15));
        world.answer(ANNA, ringing);
        assert!(world.shard.legs[&leg].bridged.is_some());
        world.hang_up(TRUNK, call);
        rest(world);
    }
}

// S5.7: who was missed is not asked about a callback he knows nothing of: it is cancelled, he stands in its place.
#[test]
fn nobody_is_asked_about_a_callback_he_has_not_asked_for() {
    let mut world = World::with(1, |site| {
        let missed = CallbackRule {
            source: RuleSource::MissedQueue,
            on_call_in: OnCallIn::Menu,
            ..CallbackRule::named("missed", "standard")
        };
        site.rules.push(missed);
        site.queues[0].rules.push("missed".into());
    });
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    world.run_for(secs(20));
    world.hang_up(TRUNK, call);
    world.run_for(secs(300));
    assert_eq!(ends(&world), [OPEN]);

    let call = world.joins(alice);
    let leg = world.leg_of(TRUNK, call).expect("a leg");
    assert_eq!(ends(&world), [(TaskState::Cancelled, Some(CloseReason::CustomerCalled))]);
    assert!(world.spoken(leg).is_empty());
    world.register(&[ANNA]);
    let ringing = world.rings(ANNA, secs(1));
    world.answer(ANNA, ringing);
    world.run_for(secs(5));
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));
    assert_eq!(world.tasks().len(), 1, "served: nothing is missed");
    world.assert_rest();
}

#[test]
fn a_menu_of_another_queue_is_not_asked_and_nothing_is_lost() {
    let mut world = World::with(1, |site| {
        menu(site);
        site.queues.push(Queue { members: vec![Member::of("ben")], ..Queue::named("sales", "5001") });
        let route = InboundRoute {
            did: DidPattern::Exact("+12025550101".to_owned()),
            to: Destination::Queue("sales".into()),
            ..site.inbound_routes[0].clone()
        };
        site.inbound_routes.push(route);
    });
    let alice = world.promised("alice", super::ALICE);
    let now = world.now;
    let call = world.stations[TRUNK].dial(now, alice, "+12025550101");
    world.run_for(secs(5));
    assert_eq!(line(&mut world), [(super::ALICE.to_owned(), "callback")]);
    assert_eq!(ends(&world), [OPEN]);

    world.register(&[BEN]);
    let ringing = world.rings(BEN, secs(1));
    world.answer(BEN, ringing);
    world.run_for(secs(1));
    assert_eq!(ends(&world), [(TaskState::Cancelled, Some(CloseReason::CustomerCalled))], "served after all");
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));
    world.assert_rest();
}
