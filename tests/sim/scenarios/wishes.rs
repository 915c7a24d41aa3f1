//! Wishes on their way to the disk while something else is: what the customer is told is what the disk says last.

use super::pending::{menu, rings_in};
use crate::disk::Mood;
use crate::site::secs;
use crate::world::{TRUNK, World};
use ringback::callback::task::{CloseReason, Task, TaskState};
use ringback::demo::endpoint::CallId;
use ringback::demo::person::Person;
use ringback::id::LegRef;
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
