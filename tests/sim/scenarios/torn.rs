//! Faults of the switch's own in the middle of what belongs to no call: a lever that moves, an edition that comes into
//! force, a clock that was set, talks of the last life that are asked, a trunk that answers. Whatever step is torn off,
//! everything goes on: what the disk has is in force, whoever has asked is answered, and nothing is left waiting.

use super::{ALICE, BOB};
use crate::disk::Mood;
use crate::drive::{ANNA, BEN, CARL, configure};
use crate::site::secs;
use crate::stumble::CAN_STUMBLE;
use crate::world::{TRUNK, World};
use chrono::TimeDelta;
use ringback::callback::task::{CloseReason, TaskState};
use ringback::demo::endpoint::CallId;
use ringback::demo::person::Person;
use ringback::settings::*;
use ringback::switch::Input;
use ringback::switch::command::{Command, Done, NeverCall, Refused, Reply};
use ringback::switch::event::Event;
use std::time::Duration;

/// More steps than any input has that is torn here.
const STEPS: u32 = 60;

fn a_commit(input: &Input) -> bool {
    matches!(input, Input::Committed(..))
}

fn a_200(input: &Input) -> bool {
    matches!(input, Input::Sip(received) if received.wire.starts_with(b"SIP/2.0 200"))
}

/// Tears `what` off at every step that it has, each in a world of its own; how often.
fn torn_everywhere(mut what: impl FnMut(u32) -> World) -> usize {
    if !CAN_STUMBLE {
        return usize::MAX;
    }
    let torn = |steps: &u32| {
        let mut world = what(*steps);
        world.stumbles.at = None;
        !world.stumbles.faults.is_empty()
    };
    (0..STEPS).take_while(torn).count()
}

fn status(world: &mut World) -> (bool, usize) {
    match world.ask(Command::Status) {
        Reply::Status(status) => (status.frozen, status.resting_rules.len()),
        other => panic!("{other:?}"),
    }
}

fn ends(world: &World) -> Vec<(TaskState, Option<CloseReason>)> {
    world.tasks().into_iter().map(|task| (task.state, task.close_reason)).collect()
}

// S5.12: the freeze that is on the disk is in force, and the next lever moves.
#[test]
fn a_lever_that_was_torn_off_moves_all_the_same_and_so_does_the_next() {
    let torn = torn_everywhere(|steps| {
        let mut world = World::new(1);
        world.promised("alice", ALICE);
        world.run_for(secs(1));
        world.fault_at(a_commit, steps);
        let freeze = world.tell(Command::Freeze);
        let unfreeze = world.tell(Command::Unfreeze);
        world.run_for(secs(1));

        for to in [freeze, unfreeze] {
            let reply = world.replies.remove(&to).expect("an answer");
            assert!(matches!(reply, Reply::Status(_)), "{steps} steps: {reply:?}");
        }
        assert_eq!(status(&mut world), (false, 1), "{steps} steps: the freeze has moved, and then its end");
        assert_eq!(ends(&world), [(TaskState::Cancelled, Some(CloseReason::Frozen))], "{steps} steps");
        assert!(matches!(world.ask(Command::ActivateRule("support-key".to_owned())), Reply::Status(_)));
        assert_eq!(status(&mut world), (false, 0));
        assert_eq!((world.disk.system.frozen, world.disk.system.resting.len()), (false, 0));
        world.run_for(secs(6));
        world.assert_rest();
        world
    });
    assert!(torn >= 5, "torn off at {torn} steps");
}

// S5.11, S5.31: an edition that is on the disk is in force as a whole. Whoever waited in a line that is gone is told.
#[test]
fn an_edition_that_was_torn_off_comes_into_force_as_a_whole() {
    let torn = torn_everywhere(|steps| {
        let mut world = World::new(1);
        world.promised("alice", ALICE);
        let bob = world.customer(Person::new("bob", BOB));
        let waits = world.joins(bob);
        world.run_for(secs(1));
        let mut settings = world.settings.clone();
        settings.queues = vec![Queue { members: vec![Member::of("ben")], ..Queue::named("sales", "5001") }];
        settings.inbound_routes.clear();
        settings.agents.retain(|agent| &*agent.name != "carl");
        world.fault_at(a_commit, steps);

        let reply = world.ask(Command::Configure(Box::new(configure(&settings))));

        assert!(matches!(reply, Reply::Stored), "{steps} steps: {reply:?}");
        world.settings = settings;
        world.run_for(secs(30));
        assert_eq!(ends(&world), [(TaskState::Cancelled, Some(CloseReason::SourceDeleted))], "{steps} steps");
        assert!(!world.is_up(TRUNK, waits), "{steps} steps: bob is told and let go");
        let Reply::Queues(queues) = world.ask(Command::ListQueues) else { panic!("queues") };
        assert_eq!(queues.items.iter().map(|queue| &*queue.name).collect::<Vec<_>>(), ["sales"], "{steps} steps");
        let Reply::Agents(agents) = world.ask(Command::ListAgents) else { panic!("agents") };
        assert!(agents.items.iter().all(|agent| &*agent.name != "carl"), "{steps} steps");
        world.assert_rest();
        world
    });
    assert!(torn >= 5, "torn off at {torn} steps");
}

// T33: who is on the disk's list is never called, whatever was torn off.
#[test]
fn a_number_on_the_disks_list_is_never_called_whatever_was_torn_off() {
    let torn = torn_everywhere(|steps| {
        let mut world = World::new(1);
        world.promised("alice", ALICE);
        world.run_for(secs(1));
        world.fault_at(a_commit, steps);
        let done = Done { who: "admin".to_owned(), ..Done::default() };
        let never = NeverCall { number: ALICE.to_owned(), note: None, done };

        let reply = world.ask(Command::AddDoNotCall(Box::new(never)));

        assert!(matches!(reply, Reply::Never(_)), "{steps} steps: {reply:?}");
        world.run_for(secs(1));
        assert_eq!(ends(&world), [(TaskState::Cancelled, Some(CloseReason::Dnc))], "{steps} steps");
        world.register(&[ANNA]);
        world.run_for(secs(60));
        assert_eq!(world.attempts().len(), 0, "{steps} steps");
        world.assert_rest();
        world
    });
    assert!(torn >= 3, "torn off at {torn} steps");
}

// A command that waits for the disk is answered, and what it has made is there once.
#[test]
fn whoever_asks_for_a_callback_is_answered_whatever_was_torn_off() {
    let torn = torn_everywhere(|steps| {
        let mut world = World::new(1);
        let new = ringback::switch::command::NewCallback {
            number: ALICE.into(),
            queue: None,
            not_before: None,
            profile: None,
            agent: None,
            data: None,
            idempotency_key: Some("one".to_owned()),
        };
        world.run_for(secs(1));
        world.fault_at(a_commit, steps);

        let first = world.ask(Command::AddCallback(Box::new(new.clone())));
        let second = world.ask(Command::AddCallback(Box::new(new)));

        assert!(matches!(first, Reply::Callback(_) | Reply::Refused(Refused::Fault)), "{steps} steps: {first:?}");
        assert!(matches!(second, Reply::Callback(_)), "{steps} steps: {second:?}");
        assert_eq!(world.tasks().len(), 1, "{steps} steps");
        world
    });
    assert!(torn >= 3, "torn off at {torn} steps");
}

/// Alice waits to be called, bob in line, and anna talks with carol, when the clock is set by five minutes.
fn set_by_five_minutes(steps: Option<u32>) -> World {
    let mut world = World::new(1);
    world.promised("alice", ALICE);
    let carol = world.customer(Person::new("carol", super::CAROL));
    let call = world.joins(carol);
    world.register(&[BEN]);
    let agent = world.rings(BEN, secs(5));
    world.answer(BEN, agent);
    let bob = world.customer(Person::new("bob", BOB));
    world.joins(bob);
    world.run_for(secs(3));
    assert!(world.is_up(TRUNK, call));
    if let Some(steps) = steps {
        world.fault_next(steps);
    }
    world.set_clock(TimeDelta::minutes(5));
    world.run_for(secs(7));
    world
}

/// What the disk knows that goes by how long ago something was, and whether everything lies there.
fn moved(world: &World) -> (String, bool) {
    let tasks = world.disk.tasks.values().map(|task| (task.id, task.virtual_start, task.not_before, task.expires_at));
    let entries = world.disk.entries.values().map(|entry| (entry.call, entry.arrived_at, entry.virtual_start));
    let bindings = world.disk.restored().bindings;
    let talks = world.disk.talks.values().map(|talk| serde_json::to_value(talk).expect("a talk")["joined_at"].clone());
    let (tasks, entries, talks) = (Vec::from_iter(tasks), Vec::from_iter(entries), Vec::from_iter(talks));
    let text = format!("{tasks:?}\n{entries:?}\n{bindings:?}\n{talks:?}");
    (text, world.switch.as_ref().is_some_and(ringback::switch::Switch::has_told_all))
}

// durability.md §2.10: nothing that moves with the clock moves twice, and nothing stays behind.
#[test]
fn a_clock_that_was_set_moves_everything_once_whatever_was_torn_off() {
    let whole = moved(&set_by_five_minutes(None));
    let torn = torn_everywhere(|steps| {
        let world = set_by_five_minutes(Some(steps));
        if world.stumbles.faults.iter().all(|(_, call)| call.is_none()) {
            assert_eq!(moved(&world), whole, "{steps} steps"); // Else it cost the call that came next.
        }
        world
    });
    assert!(torn >= 5, "torn off at {torn} steps");
}

/// Three talks: the calls of their agents, and of their callers.
fn three_talks(world: &mut World) -> Vec<(usize, CallId, CallId)> {
    let mut talks = Vec::new();
    for phone in [ANNA, BEN, CARL] {
        world.register(&[phone]);
        let customer = world.customer(Person::new(&format!("caller {phone}"), &format!("+1202555014{phone}")));
        let call = world.joins(customer);
        let agent = world.rings(phone, secs(10));
        world.answer(phone, agent);
        world.run_for(secs(2));
        talks.push((phone, agent, call));
    }
    talks
}

// durability.md P8: of the talks that a restart takes up, a fault costs at most the one that it belonged to.
#[test]
fn talks_that_are_asked_after_a_restart_go_on_whatever_was_torn_off() {
    let mut lost = 0;
    let torn = torn_everywhere(|steps| {
        let mut world = World::new(1);
        let talks = three_talks(&mut world);
        world.crash();
        world.run_for(secs(1));
        world.start();
        world.run_for(Duration::from_millis(5)); // Two are asked at once, the third ten milliseconds later.
        world.fault_next(steps);
        world.run_for(secs(8));

        let up = talks.iter().filter(|(phone, agent, call)| world.is_up(*phone, *agent) && world.is_up(TRUNK, *call));
        let up = up.count();
        assert!(up >= 2, "{steps} steps: {up} of three go on");
        lost += 3 - up;
        let asked = world.published.iter().filter(|(_, event)| matches!(event, Event::CallTakenUp { .. })).count();
        assert_eq!(asked, up, "{steps} steps: who goes on was asked, and has said so");
        for (phone, agent, _) in talks {
            world.hang_up(phone, agent);
        }
        world.run_for(secs(40));
        world.assert_rest();
        world
    });
    assert!(torn >= 3, "torn off at {torn} steps");
    assert!(lost <= torn);
}

// A registration whose answer was lost in a fault is asked for anew: without it no call would come or go any more.
#[test]
fn a_trunk_whose_answer_was_torn_off_registers_all_the_same() {
    let torn = torn_everywhere(|steps| {
        let mut world = super::trunk::registering(&[]);
        world.fault_at(a_200, steps);
        world.run_for(secs(5));
        assert_eq!(world.trunk().state, "registered", "{steps} steps");
        world
    });
    assert!(torn >= 3, "torn off at {torn} steps");
}

// Whoever has cancelled, and is being told so, is sent home whatever goes wrong; nobody calls him.
#[test]
fn a_caller_whose_cancellation_was_torn_is_not_left_in_silence() {
    let torn = torn_everywhere(|steps| {
        let mut world = World::with(1, super::pending::menu);
        let (_, call, _) = super::pending::rings_in(&mut world);
        world.disk.mood = Mood::Holding;
        world.press(TRUNK, call, "9");
        world.fault_at(a_commit, steps);
        world.release_disk();
        world.run_for(secs(60));

        assert!(!world.is_up(TRUNK, call), "{steps} steps: he is on the line still");
        assert_eq!(ends(&world), [(TaskState::Cancelled, Some(CloseReason::ByCaller))], "{steps} steps");
        world
    });
    assert!(torn > 3, "{torn} steps");
}
