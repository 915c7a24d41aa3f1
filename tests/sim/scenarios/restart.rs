//! `kill -9`, and what the next life makes of it.

use crate::drive::ANNA;
use crate::site::secs;
use crate::world::{TRUNK, World};
use ringback::callback::task::{Outcome, TaskState};
use ringback::demo::endpoint::Event;
use ringback::demo::person::{Person, Reaction};

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

#[test]
fn a_kill_after_any_step_of_a_callback_keeps_the_promise() {
    let mut steps = 0;
    while killed_after(steps) {
        steps += 1;
    }
    assert!(steps > 25, "a callback has more steps than {steps}");
}

/// Lives a callback up to this step, dies, lives again. `false`: it was over before.
fn killed_after(steps: u64) -> bool {
    let mut world = World::new(steps);
    let alice = world.promised("alice", super::ALICE);
    let soon = Reaction::Answer { after: secs(4), early: false };
    let person = &mut world.stations[TRUNK].people[alice];
    (person.reactions, person.bears_silence) = ([soon.clone()].into(), Some(secs(5)));
    let agent = &mut world.stations[ANNA].people[0];
    (agent.reactions, agent.talk, agent.bears_silence) = ([soon].into(), Some(secs(8)), Some(secs(60)));
    let now = world.now;
    world.stations[ANNA].endpoint.register(now, 3_600);

    let limit = world.now + secs(60);
    world.serve_people();
    let died = (0..steps).all(|_| world.step(limit)) && !world.tasks()[0].state.is_final();
    world.crash();
    world.run_for(secs(3));
    world.start();
    world.run_for(secs(600));

    let task = world.tasks().remove(0);
    assert!(task.state.is_final(), "killed after step {steps}: {task:?}");
    let rung = world.told.iter().filter(|(_, at, told)| *at == TRUNK && matches!(told.event, Event::Incoming(..)));
    let rung = rung.count();
    assert!(rung <= 2, "killed after step {steps}: her phone rang {rung} times");
    let restarts = world.attempts().iter().filter(|it| it.outcome == Some(Outcome::SystemRestart)).count();
    assert!(restarts <= 1);
    died
}
