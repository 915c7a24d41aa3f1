//! Wishes on their way to the disk while something else is: what the customer is told is what the disk says last.

use super::pending::{menu, rings_in};
use super::verdicts::asked;
use crate::disk::Mood;
use crate::products::voximplant;
use crate::site::secs;
use crate::world::{TRUNK, World};
use ringback::callback::task::{CloseReason, Source, Task, TaskState};
use ringback::demo::endpoint::CallId;
use ringback::demo::person::Person;
use ringback::id::LegRef;
use ringback::settings::Dedupe;
use ringback::switch::command::Reply;
use ringback::switch::{Input, NotStored, Space};
use std::time::Duration;

const SECOND: &str = "+12025550199";
const THIRD: &str = "+12025550177";

/// Presses keys as fast as a telephone sends them.
fn press_fast(world: &mut World, call: CallId, keys: &str) {
    for key in keys.chars() {
        world.press_one(TRUNK, call, key);
        world.run_for(Duration::from_millis(120));
    }
}

fn last_words(world: &World, leg: LegRef) -> String {
    world.spoken(leg).pop().unwrap_or_default()
}

fn open(world: &World) -> Vec<Task> {
    world.tasks().into_iter().filter(|task| !task.state.is_final()).collect()
}

fn ends(world: &World) -> Vec<(TaskState, Option<CloseReason>)> {
    world.tasks().iter().map(|task| (task.state, task.close_reason)).collect()
}

fn open_numbers(world: &World) -> Vec<String> {
    open(world).iter().map(|task| task.number.to_string()).collect()
}

/// The process is killed, and what was acknowledged is all there is.
fn in_the_next_life(world: &mut World) -> Vec<String> {
    world.crash_keeping(0);
    world.start();
    let open = world.callbacks().into_iter().filter(|it| !it.task.state.is_final());
    open.map(|it| it.task.number.to_string()).collect()
}

// Laws 1 and 10: a number that the customer was told is changed is the number that the next life calls; the first wish,
// which came to nothing, is taken back on the disk behind the second one.
#[test]
fn a_second_change_holds_over_the_first_that_came_late() {
    let mut world = World::with(1, menu);
    let (_, call, leg) = rings_in(&mut world);
    press_fast(&mut world, call, "32025550199#");
    world.disk.mood = Mood::Holding;
    press_fast(&mut world, call, "1");
    world.run_for(secs(4));
    assert_eq!(last_words(&world, leg), "sorry");
    press_fast(&mut world, call, "12025550177#1");

    world.release_disk();
    world.run_until("she is told", secs(2), |world| last_words(world, leg) == "pending_changed goodbye");
    assert_eq!(open_numbers(&world), [THIRD], "by the time she is told");
    world.run_for(secs(1));

    assert_eq!(open_numbers(&world), [THIRD]);
    assert_eq!(world.callbacks()[0].task.number.to_string(), THIRD);
    assert_eq!(in_the_next_life(&mut world), [THIRD]);
}

// The same when the first wish was refused, and what holds is told again just before the second one is stored.
#[test]
fn a_second_change_holds_over_what_is_told_again() {
    let mut world = World::with(1, menu);
    let (_, call, leg) = rings_in(&mut world);
    press_fast(&mut world, call, "32025550199#");
    world.disk.mood = Mood::Failing(NotStored::Failed);
    press_fast(&mut world, call, "1");
    assert_eq!(last_words(&world, leg), "sorry");
    world.disk.mood = Mood::Holding;
    world.run_for(secs(2));
    press_fast(&mut world, call, "12025550177#1");
    world.run_for(Duration::from_millis(1_500));
    assert_eq!(world.disk.pending.len(), 2, "the second wish, and what holds behind it");

    world.release_disk();
    world.run_until("she is told", secs(2), |world| last_words(world, leg) == "pending_changed goodbye");

    assert_eq!(open_numbers(&world), [THIRD], "by the time she is told");
    world.run_for(secs(1));
    assert_eq!(in_the_next_life(&mut world), [THIRD]);
}

// Law 1, S5.7: "cancelled" is said when the disk has it, and not before.
#[test]
fn cancelled_is_said_when_it_is_stored() {
    let mut world = World::with(1, menu);
    let (_, call, leg) = rings_in(&mut world);
    world.disk.mood = Mood::Holding;
    world.press(TRUNK, call, "9");
    assert_eq!(world.spoken(leg), ["pending_menu"], "nothing is said yet");

    world.release_disk();
    world.run_until("she is sent home", secs(30), |world| !world.is_up(TRUNK, call));

    assert_eq!(world.spoken(leg), ["pending_menu", "pending_cancelled goodbye"]);
    assert_eq!(ends(&world), [(TaskState::Cancelled, Some(CloseReason::ByCaller))]);
    assert!(in_the_next_life(&mut world).is_empty());
}

// The disk refuses, or takes too long: she hears the apology, waits on in person, and is not called all the same.
#[test]
fn a_cancellation_that_is_not_stored_is_not_confirmed() {
    for mood in [Mood::Holding, Mood::Failing(NotStored::Failed)] {
        let mut world = World::with(1, menu);
        let (_, call, leg) = rings_in(&mut world);
        world.disk.mood = mood;
        world.press(TRUNK, call, "9");
        world.run_for(secs(4));
        assert_eq!(world.spoken(leg), ["pending_menu", "sorry"], "{mood:?}");

        world.release_disk();
        world.run_for(secs(6));

        assert_eq!(world.spoken(leg), ["pending_menu", "sorry"], "{mood:?}");
        assert_eq!(ends(&world), [(TaskState::Cancelled, Some(CloseReason::ByCaller))], "{mood:?}");
        let line: Vec<_> = world.line().into_iter().map(|it| (it.number, it.kind)).collect();
        assert_eq!(line, [(super::ALICE.to_owned(), "live"), (super::BOB.to_owned(), "live")], "{mood:?}");
    }
}

// Who cancels and hangs up before the disk has answered leaves no place in line behind.
#[test]
fn who_cancels_and_hangs_up_leaves_nothing_behind() {
    for mood in [Mood::Holding, Mood::Failing(NotStored::Failed)] {
        let mut world = World::with(1, menu);
        let (_, call, _) = rings_in(&mut world);
        world.disk.mood = mood;
        world.press_one(TRUNK, call, '9');
        world.run_for(Duration::from_millis(61));
        world.hang_up(TRUNK, call);
        world.release_disk();
        world.run_for(secs(6));

        assert_eq!(ends(&world), [(TaskState::Cancelled, Some(CloseReason::ByCaller))], "{mood:?}");
        let line: Vec<_> = world.line().into_iter().map(|it| it.number).collect();
        assert_eq!(line, [super::BOB], "{mood:?}");
        let bob = world.of(1);
        world.hang_up(TRUNK, bob);
        world.run_for(secs(1));
        world.assert_rest();
    }
}

// Law 1: a wish for which there is no room does not let the one before it be promised in its stead.
#[test]
fn a_wish_without_room_is_not_answered_by_the_one_before_it() {
    let mut world = World::new(1);
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    let leg = world.leg_of(TRUNK, call).expect("a leg");
    world.run_for(secs(2));
    press_fast(&mut world, call, "12025550199#");
    world.disk.mood = Mood::Holding;
    press_fast(&mut world, call, "1");
    world.run_for(secs(4));
    assert_eq!(last_words(&world, leg), "sorry");
    world.handle(Input::Space(Space::Spent));
    press_fast(&mut world, call, "12025550177#1");
    assert_eq!(last_words(&world, leg), "sorry", "at once");

    world.release_disk();
    world.run_for(secs(2));

    assert_eq!(last_words(&world, leg), "sorry");
    let tasks = world.tasks();
    let ends: Vec<_> = tasks.iter().map(|task| (task.number.as_str(), task.state, task.close_reason)).collect();
    assert_eq!(ends, [(SECOND, TaskState::Cancelled, Some(CloseReason::NotPromised))]);
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));
    world.assert_rest();
}

// C8, model.md (dedupe): two requests of one number that come within one write are one callback, and both answers true.
#[test]
fn two_requests_in_one_write_are_one_callback() {
    let mut world = World::new(1);
    world.disk.mood = Mood::Holding;
    let first = world.tell(asked(super::ALICE));
    world.run_for(Duration::from_millis(20));
    let second = world.tell(asked(super::ALICE));
    world.release_disk();
    world.run_for(secs(1));

    let mut shown = |to| match world.replies.remove(&to) {
        Some(Reply::Callback(shown)) => shown.task.clone(),
        other => panic!("{other:?}"),
    };
    let (first, second) = (shown(first), shown(second));
    assert_eq!(world.disk.tasks[&first.id].close_reason, Some(CloseReason::Merged));
    let open = open(&world);
    assert_eq!(open.iter().map(|task| task.id).collect::<Vec<_>>(), [second.id]);
    assert_eq!(open[0].virtual_start, first.virtual_start, "at the earlier place");
    assert_eq!(in_the_next_life(&mut world), [super::ALICE]);
}

// Two callers type one number within one write: one callback, or the second hears that there is one.
#[test]
fn two_callers_who_name_one_number_in_one_write_have_one_callback() {
    for (dedupe, heard) in [(Dedupe::Merge, "accepted goodbye"), (Dedupe::Reject, "pending_kept back_to_hold")] {
        let mut world = World::with(1, |site| site.rules[0].dedupe = dedupe);
        let mut calls = Vec::new();
        for (name, number) in [("alice", super::ALICE), ("bob", super::BOB)] {
            let customer = world.customer(Person::new(name, number));
            let call = world.joins(customer);
            calls.push((call, world.leg_of(TRUNK, call).expect("a leg")));
        }
        world.run_for(secs(2));
        for (call, _) in &calls {
            press_fast(&mut world, *call, "12025550199#");
        }
        world.disk.mood = Mood::Holding;
        for (call, _) in &calls {
            press_fast(&mut world, *call, "1");
        }
        world.release_disk();
        world.run_for(secs(1));

        assert_eq!(last_words(&world, calls[0].1), "accepted goodbye", "{dedupe:?}");
        assert_eq!(last_words(&world, calls[1].1), heard, "{dedupe:?}");
        assert_eq!(world.tasks().len(), 2, "{dedupe:?}");
        assert_eq!(open_numbers(&world), [SECOND], "{dedupe:?}");
    }
}

// The same with a missed call: what was asked for stands, whichever of them was stored first.
#[test]
fn a_missed_call_and_a_request_in_one_write_are_one_callback() {
    for missed_first in [false, true] {
        let mut world = World::with(1, voximplant);
        let alice = world.customer(Person::new("alice", super::ALICE));
        let call = world.joins(alice);
        world.run_for(secs(8));
        world.disk.mood = Mood::Holding;
        if missed_first {
            world.hang_up(TRUNK, call);
            world.tell(asked(super::ALICE));
        } else {
            world.tell(asked(super::ALICE));
            world.hang_up(TRUNK, call);
        }
        world.release_disk();
        world.run_for(secs(1));

        assert_eq!(world.tasks().len(), 2, "missed first: {missed_first}");
        let open: Vec<Source> = open(&world).iter().map(|task| task.source).collect();
        assert_eq!(open, [Source::Api], "missed first: {missed_first}");
        assert_eq!(in_the_next_life(&mut world), [super::ALICE]);
    }
}
