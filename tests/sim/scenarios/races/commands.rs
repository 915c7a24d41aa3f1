//! Commands that meet an attempt, and restarts that meet half a log-in.

use super::{ends, line, register_paused, resume, served};
use crate::disk::Mood;
use crate::drive::{ANNA, BEN};
use crate::site::secs;
use crate::world::{TRUNK, World};
use ringback::callback::task::{CloseReason, TaskState};
use ringback::demo::person::Reaction;
use ringback::id::{ReplyTo, TaskId};
use ringback::switch::command::{Command, NewCallback, PageOf, Refused, Reply};
use ringback::switch::{Input, NotStored, view};
use std::time::Duration;

fn only_task(world: &World) -> TaskId {
    world.tasks()[0].id
}

fn wanted(key: &str) -> Command {
    Command::AddCallback(Box::new(NewCallback {
        number: super::super::ALICE.to_owned(),
        queue: None,
        not_before: None,
        profile: None,
        agent: None,
        data: None,
        idempotency_key: Some(key.to_owned()),
    }))
}

fn live_calls(world: &mut World) -> Vec<view::Call> {
    match world.ask(Command::ListCalls(PageOf::default())) {
        Reply::Calls(page) => page.items.into_iter().filter(|call| call.ended_at.is_none()).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_callback_is_cancelled_at_every_stage_but_the_talk() {
    for stage in ["pending", "agent_ringing", "agent_ready", "customer_ringing", "talking"] {
        let mut world = World::new(1);
        let alice = world.promised("alice", super::super::ALICE);
        let task = only_task(&world);
        if stage != "pending" {
            world.register(&[ANNA]);
            let agent = world.rings(ANNA, secs(5));
            if stage != "agent_ringing" {
                world.answer(ANNA, agent);
            }
        }
        if matches!(stage, "customer_ringing" | "talking") {
            let call = world.rings_at(alice, secs(20));
            if stage == "talking" {
                world.answer(TRUNK, call);
                world.run_for(secs(6));
            }
        }

        let state = world.callbacks()[0].task.state;
        assert!(state.word() == stage || (stage == "pending" && state == TaskState::Due), "{state:?}");
        let reply = world.ask(Command::CancelCallback(task));
        if stage == "talking" {
            assert!(matches!(reply, Reply::Refused(Refused::Conflict { .. })), "{reply:?}");
            let agent = world.at(ANNA);
            world.hang_up(ANNA, agent);
            world.run_for(secs(1));
            assert_eq!(ends(&world), [(TaskState::Completed, Some(CloseReason::Success))]);
        } else {
            assert!(matches!(&reply, Reply::Callback(it) if it.task.state == TaskState::Cancelled), "{reply:?}");
            assert_eq!(ends(&world), [(TaskState::Cancelled, Some(CloseReason::ByAdmin))], "answered too early");
            world.run_for(secs(10));
            assert!(!world.is_busy(ANNA, 0) && !world.is_busy(TRUNK, alice), "{stage}");
        }
        assert!(world.line().is_empty());
        world.assert_rest();
    }
}

#[test]
fn a_cancelled_callback_is_said_to_be_so_when_the_disk_knows() {
    let mut world = World::new(1);
    world.promised("alice", super::super::ALICE);
    let (task, to) = (only_task(&world), ReplyTo(1_000));

    world.disk.mood = Mood::Holding;
    world.handle(Input::Command(Command::CancelCallback(task), to));
    world.run_for(secs(2));
    assert!(!world.replies.contains_key(&to));
    world.release_disk();
    world.run_for(secs(1));

    assert!(matches!(world.replies.remove(&to), Some(Reply::Callback(it)) if it.task.state == TaskState::Cancelled));
    world.assert_rest();
}

#[test]
fn a_callback_cancelled_while_its_attempt_is_being_stored_rings_nobody() {
    let mut world = World::new(1);
    register_paused(&mut world);
    let alice = world.promised("alice", super::super::ALICE);
    let task = only_task(&world);

    world.disk.mood = Mood::Holding;
    resume(&mut world);
    world.run_for(secs(1));
    assert_eq!(world.callbacks()[0].task.state, TaskState::Reserving);
    world.handle(Input::Command(Command::CancelCallback(task), ReplyTo(1_000)));
    world.run_for(secs(1));
    world.release_disk();
    world.run_for(secs(60));

    assert_eq!(ends(&world), [(TaskState::Cancelled, Some(CloseReason::ByAdmin))]);
    assert!(world.attempts().iter().all(|attempt| attempt.outcome.is_some()));
    assert!(world.ladder.first("ringback", "anna", "INVITE").is_none() && !world.is_busy(TRUNK, alice));
    assert_eq!(world.agent("anna").state, "ready");
    world.assert_rest();
}

#[test]
fn a_cancel_that_crosses_the_customers_answer_ends_the_call_and_frees_the_number() {
    for crosses in [1, 5, 9, 10, 11] {
        let mut world = World::new(1);
        let alice = world.promised("alice", super::super::ALICE);
        let task = only_task(&world);
        world.register(&[ANNA]);
        let (_, call) = world.called_back(alice);
        world.run_for(secs(1));

        let now = world.now;
        world.stations[TRUNK].endpoint.answer(now, call);
        world.run_for(Duration::from_millis(crosses));
        let reply = world.ask(Command::CancelCallback(task));
        world.run_for(secs(2));

        if matches!(reply, Reply::Refused(_)) {
            let agent = world.at(ANNA);
            world.hang_up(ANNA, agent);
        } else {
            assert_eq!(ends(&world), [(TaskState::Cancelled, Some(CloseReason::ByAdmin))]);
        }
        world.run_for(secs(10));
        assert!(!world.is_busy(TRUNK, alice) && !world.is_busy(ANNA, 0), "after {crosses} ms");
        let again = world.joins(alice);
        let ringing = world.rings(ANNA, secs(15));
        world.answer(ANNA, ringing);
        world.run_for(secs(5));
        world.hang_up(TRUNK, again);
        world.assert_rest();
    }
}

#[test]
fn a_request_that_was_not_stored_may_be_made_again() {
    let mut world = World::new(1);

    world.disk.mood = Mood::Failing(NotStored::Failed);
    assert!(matches!(world.ask(wanted("key")), Reply::Refused(Refused::NotStored)));
    world.disk.mood = Mood::Working;
    let Reply::Callback(made) = world.ask(wanted("key")) else { panic!("not made") };

    assert_eq!((world.tasks().len(), world.line().len()), (1, 1));
    world.ask(Command::CancelCallback(made.task.id));
    world.assert_rest();
}

#[test]
fn a_request_by_program_takes_over_the_place_of_the_promise() {
    let mut world = World::new(1);
    world.promised("alice", super::super::ALICE);

    let Reply::Callback(made) = world.ask(wanted("key")) else { panic!("not made") };
    world.run_for(secs(1));

    assert_eq!(ends(&world)[0], (TaskState::Cancelled, Some(CloseReason::Merged)));
    assert_eq!(world.tasks()[0].virtual_start, made.task.virtual_start);
    assert_eq!(line(&mut world), [(super::super::ALICE.to_owned(), "callback")]);
    world.ask(Command::CancelCallback(made.task.id));
    world.assert_rest();
}

#[test]
fn a_request_is_not_made_twice_while_it_is_being_stored() {
    let mut world = World::new(1);
    let (first, second) = (ReplyTo(1_000), ReplyTo(1_001));

    world.handle(Input::Command(wanted("key"), first));
    world.handle(Input::Command(wanted("key"), second));
    world.run_for(secs(1));

    let Some(Reply::Callback(made)) = world.replies.remove(&first) else { panic!("not made") };
    assert!(matches!(world.replies.remove(&second), Some(Reply::Refused(Refused::Conflict { .. }))));
    assert!(matches!(world.ask(wanted("key")), Reply::Callback(again) if again.task.id == made.task.id));
    assert_eq!((world.tasks().len(), world.line().len()), (1, 1));
    world.ask(Command::CancelCallback(made.task.id));
    world.assert_rest();
}

#[test]
fn the_next_attempt_begins_while_the_agent_of_the_last_hears_why_it_failed() {
    let mut world = World::new(1);
    let alice = world.promised("alice", super::super::ALICE);
    let busy = Reaction::Refuse { after: secs(1), status: 486 };
    world.stations[TRUNK].people[alice].reactions = [busy, Reaction::Ring { early: false }].into();
    let task = only_task(&world);
    world.register(&[ANNA]);
    let agent = world.rings(ANNA, secs(5));
    world.answer(ANNA, agent);
    let first = live_calls(&mut world)[0].id;
    world.register(&[BEN]);
    world.run_until("she is busy", secs(10), |world| world.attempts().iter().any(|it| it.outcome.is_some()));
    assert!(world.is_up(ANNA, agent), "she hears why");

    world.ask(Command::CallbackNow(task));
    let second = world.rings(BEN, secs(1));
    assert!(world.is_up(ANNA, agent), "she still hears why");
    world.ask(Command::HangUpCall(first));
    world.run_for(secs(1));

    assert!(!world.is_busy(ANNA, 0));
    assert_eq!(world.callbacks()[0].task.state, TaskState::AgentRinging);
    world.answer(BEN, second);
    let call = world.rings_at(alice, secs(20));
    world.answer(TRUNK, call);
    world.run_for(secs(10));
    world.hang_up(BEN, second);
    world.run_for(secs(2));
    assert_eq!(ends(&world), [(TaskState::Completed, Some(CloseReason::Success))]);
    assert_eq!(world.attempts().len(), 2);
    world.assert_rest();
}

#[test]
fn an_agent_whose_phone_is_bound_is_ready_though_the_log_in_was_not_stored() {
    let mut world = World::new(1);
    let alice = world.promised("alice", super::super::ALICE);
    register_paused(&mut world);
    resume(&mut world);

    world.run_for(Duration::from_millis(1));
    world.crash();
    world.disk.forget_agents();
    world.start();

    assert!(!ends(&world)[0].0.is_final());
    assert_ne!(world.agent("anna").state, "logged_out");
    let dead = world.stations[ANNA].call_of(0);
    dead.into_iter().for_each(|call| world.hang_up(ANNA, call));
    world.run_for(secs(60));
    served(&mut world, ANNA, alice);
    assert_eq!(ends(&world), [(TaskState::Completed, Some(CloseReason::Success))]);
    world.assert_rest();
}
