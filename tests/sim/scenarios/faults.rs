//! The disk is slow, refuses, or is full.

use crate::disk::Mood;
use crate::drive::ANNA;
use crate::site::secs;
use crate::world::{TRUNK, World};
use ringback::callback::task::{Outcome, TaskState};
use ringback::demo::endpoint::Event;
use ringback::demo::person::{Person, Reaction};
use ringback::settings::{Dedupe, NumberPolicy};
use ringback::switch::NotStored;

#[test]
fn the_promise_is_spoken_when_the_disk_says_so_and_not_before() {
    let mut world = World::new(1);
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    world.run_for(secs(2));
    world.press(TRUNK, call, "1");
    world.run_for(secs(1));

    world.disk.mood = Mood::Holding;
    world.press(TRUNK, call, "#");
    world.run_for(secs(2));
    assert!(world.ladder.noted("accepted").is_none());
    assert!(world.ladder.first("ringback", "alice", "BYE").is_none());
    world.release_disk();
    world.run_until("she is sent home", secs(15), |world| !world.is_busy(TRUNK, alice));
    world.run_for(secs(1));

    assert!(world.ladder.noted("accepted").is_some());
    world.assert_ladder("disk_is_slow");
    world.assert_rest();
}

#[test]
fn a_disk_that_holds_back_for_five_seconds_costs_the_promise_but_not_the_place() {
    let mut world = World::new(1);
    world.register(&[ANNA]);
    world.dial(ANNA, "*46");
    world.run_for(secs(10));
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    world.run_for(secs(2));
    world.press(TRUNK, call, "1");
    world.ladder.clear();

    world.disk.mood = Mood::Holding;
    world.press(TRUNK, call, "#");
    world.run_for(secs(5));
    assert!(world.ladder.noted("accepted").is_none());
    assert!(world.ladder.first("ringback", "alice", "BYE").is_none());
    assert!(world.ladder.first("ringback", "anna", "INVITE").is_none());
    assert!(world.ladder.noted("sorry").is_some());
    world.release_disk();
    world.run_for(secs(5));

    assert!(world.is_up(TRUNK, call));
    assert!(world.ladder.noted("accepted").is_none());
    assert!(world.tasks().iter().all(|task| task.state == TaskState::Cancelled));
    let line: Vec<&str> = world.line().into_iter().map(|it| it.kind).collect();
    assert_eq!(line, ["live"]);
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));
    world.assert_ladder("disk_holds_back_five_seconds");
    world.assert_rest();
}

#[test]
fn while_the_disk_holds_back_the_attempt_no_phone_rings() {
    let mut world = World::new(1);
    let alice = world.promised("alice", super::ALICE);
    world.register(&[]);

    let now = world.now;
    world.stations[ANNA].endpoint.register(now, 3_600);
    world.run_until("anna's binding is stored", secs(2), |world| {
        world.heard(ANNA, |event| matches!(event, Event::Registered(_))).is_some()
    });
    world.disk.mood = Mood::Holding;
    world.run_for(secs(5));
    let rang_early = world.ladder.first("ringback", "anna", "INVITE").is_some();
    let attempt_stored = !world.disk.attempts.is_empty();
    assert!(!rang_early || attempt_stored);
    world.release_disk();

    let agent = world.rings(ANNA, secs(5));
    world.answer(ANNA, agent);
    world.rings_at(alice, secs(20));
}

#[test]
fn a_disk_that_refuses_means_an_apology_and_the_place_is_kept() {
    for why in [NotStored::Failed, NotStored::Full, NotStored::Reserve] {
        let mut world = World::new(1);
        let alice = world.customer(Person::new("alice", super::ALICE));
        let call = world.joins(alice);
        world.run_for(secs(2));

        world.disk.mood = Mood::Failing(why);
        world.press(TRUNK, call, "1#");
        world.run_for(secs(10));

        assert!(world.ladder.noted("sorry").is_some());
        assert!(world.ladder.noted("accepted").is_none());
        assert!(world.is_up(TRUNK, call));
        assert_eq!(world.line().len(), 1);
        assert_eq!(world.line()[0].kind, "live");
        if why == NotStored::Failed {
            world.assert_ladder("disk_refuses_the_promise");
        }

        world.disk.mood = Mood::Working;
        world.register(&[ANNA]);
        let ringing = world.rings(ANNA, secs(5));
        world.answer(ANNA, ringing);
        world.run_for(secs(5));
        world.hang_up(TRUNK, call);
        world.run_for(secs(1));
        world.assert_rest();
    }
}

#[test]
fn a_disk_that_refuses_an_attempt_rings_nobody_until_it_works() {
    let mut world = World::new(1);
    let alice = world.promised("alice", super::ALICE);
    world.disk.mood = Mood::Failing(NotStored::Failed);
    let now = world.now;
    world.stations[ANNA].endpoint.register(now, 3_600);
    world.run_for(secs(5));
    let told = world.is_busy(ANNA, 0);
    assert!(!told);

    world.disk.mood = Mood::Working;
    world.register(&[ANNA]);
    let agent = world.rings(ANNA, secs(120));
    world.answer(ANNA, agent);
    let call = world.rings_at(alice, secs(20));
    world.answer(TRUNK, call);
    world.run_for(secs(10));
    world.hang_up(TRUNK, call);
    world.run_for(secs(2));
    world.assert_rest();
}

// Law 2 (seed 5648): the end of an attempt is refused by the disk, and the customer's other callback is due at once.
#[test]
fn a_refused_end_goes_along_with_the_next_attempt_to_the_same_number() {
    let mut world = World::with(1, |site| {
        site.rules[0].dedupe = Dedupe::Allow;
        site.rules[0].number_policy = Some("several".into());
        let policy = NumberPolicy { pending_per_number: 2, ..NumberPolicy::named("several") };
        site.number_policies.push(NumberPolicy { countries: vec!["US".into()], ..policy });
        site.profiles[0].attempts_max = 1;
        site.queues[0].wrap_up = secs(1);
    });
    let alice = world.promised("alice", super::ALICE);
    let carol = world.customer(Person::new("carol", super::CAROL));
    let call = world.joins(carol);
    world.press(TRUNK, call, "12025550123#");
    world.run_for(secs(8));
    world.press(TRUNK, call, "1");
    world.run_until("she is sent home", secs(30), |world| !world.is_busy(TRUNK, carol));
    world.stations[TRUNK].people[alice].reactions = [Reaction::Refuse { after: secs(2), status: 603 }].into();
    world.stations[ANNA].people[0].reactions = [Reaction::Answer { after: secs(1), early: false }].into();
    world.register(&[ANNA]);
    world.run_until("her phone has rung", secs(60), |world| world.is_busy(TRUNK, alice));
    world.disk.mood = Mood::Failing(NotStored::Failed);
    world.run_until("the disk refuses", secs(10), |world| world.ladder.noted("the disk refuses").is_some());
    world.disk.mood = Mood::Working;
    let first = world.attempts()[0].id;
    assert!(world.disk.attempts[&first].outcome.is_none(), "the disk does not know that it is over");

    world.run_until("the other one is tried", secs(4), |world| world.disk.attempts.len() == 2);

    assert_eq!(world.disk.attempts[&first].outcome, Some(Outcome::Rejected));
    // The callback goes along with its attempt: a switch that dies now does not call for it again.
    world.crash();
    let of_first = world.disk.attempts[&first].task;
    assert_eq!(world.disk.tasks[&of_first].state, TaskState::Failed);
    world.start();
    world.register(&[ANNA]);
    world.run_for(secs(180));
    let tries = |task| world.disk.attempts.values().filter(|attempt| attempt.task == task).count();
    assert_eq!(tries(of_first), 1);
    let states: Vec<TaskState> = world.disk.tasks.values().map(|task| task.state).collect();
    assert_eq!(states, [TaskState::Failed, TaskState::Failed]);
    world.assert_rest();
}
