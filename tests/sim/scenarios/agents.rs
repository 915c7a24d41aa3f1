//! Agents at their phones: feature codes, pauses, penalties, rest, several lines.

use crate::drive::{ANNA, BEN};
use crate::site::{DID, secs};
use crate::world::{TRUNK, World};
use ringback::callback::task::Outcome;
use ringback::demo::endpoint::{CallId, EndedBy, Event};
use ringback::demo::person::Person;
use ringback::settings::{AnswerMode, DidPattern, InboundRoute, Member, Queue, Settings};
use std::time::Duration;

/// What customers of the second queue dial.
const SALES: &str = "+12025550101";

/// A second queue, `sales` (5001), of anna and ben.
fn with_sales(site: &mut Settings) {
    let sales =
        Queue { members: ["anna", "ben"].map(Member::of).to_vec(), max_wait: None, ..Queue::named("sales", "5001") };
    site.queues.push(sales);
    let to = ringback::settings::Destination::Queue("sales".into());
    site.inbound_routes.push(InboundRoute::of("carrier", DidPattern::Exact(SALES.to_owned()), to));
}

/// Dials a feature code and waits until the phone is free again.
fn code(world: &mut World, phone: usize, code: &str) {
    world.dial(phone, code);
    world.run_until("the phone is free", secs(15), |world| !world.is_busy(phone, 0));
    world.run_for(secs(1));
}

fn calls(world: &mut World, customer: usize, number: &str) -> CallId {
    let now = world.now;
    let call = world.stations[TRUNK].dial(now, customer, number);
    world.run_until("the caller is in line", secs(5), |world| world.is_up(TRUNK, call));
    world.run_for(secs(2));
    call
}

fn names(names: &[&str]) -> Vec<ringback::id::Name> {
    names.iter().map(|name| (*name).into()).collect()
}

// S2.B5, S3.B11: each code, dialled from a registered phone, with a queue, with a reason and without.
#[test]
fn every_feature_code_does_what_it_says_for_one_queue_or_for_all() {
    let mut world = World::with(1, with_sales);
    world.register(&[ANNA]);
    // State, reason, logged out of, not ready in.
    type Row = (&'static str, &'static str, Option<&'static str>, &'static [&'static str], &'static [&'static str]);
    let table: [Row; 16] = [
        ("*395000", "ready", None, &["support"], &[]),
        ("*385000", "ready", None, &[], &[]),
        ("*455001", "ready", None, &["sales"], &[]),
        ("*455001", "ready", None, &[], &[]),
        ("*39", "logged_out", None, &[], &[]),
        ("*385001", "ready", None, &["support"], &[]),
        ("*38", "ready", None, &[], &[]),
        ("*375000", "ready", None, &[], &["support"]),
        ("*365000", "ready", None, &[], &[]),
        ("*465001", "ready", None, &[], &["sales"]),
        ("*465000", "not_ready", Some("not_ready"), &[], &[]),
        ("*365000", "ready", None, &[], &["sales"]),
        ("*36", "ready", None, &[], &[]),
        ("*3712", "not_ready", Some("12"), &[], &[]),
        ("*46", "ready", None, &[], &[]),
        ("*37", "not_ready", Some("not_ready"), &[], &[]),
    ];

    for (dialled, state, reason, not_in, not_ready_in) in table {
        code(&mut world, ANNA, dialled);
        let anna = world.agent("anna");
        assert_eq!((anna.state, anna.reason.as_deref()), (state, reason), "after {dialled}");
        assert_eq!((anna.not_in, anna.not_ready_in), (names(not_in), names(not_ready_in)), "after {dialled}");
    }
    assert_eq!(world.agent("anna").queues, names(&["support", "sales"]));
    world.assert_rest();
}

// S2.B5: a code for a queue that is not there, or not his, is refused, and changes nothing.
#[test]
fn a_code_for_a_queue_of_somebody_else_is_refused() {
    let mut world = World::with(1, |site| {
        with_sales(site);
        site.queues[1].members = vec![Member::of("ben")];
    });
    world.register(&[ANNA]);

    for dialled in ["*395001", "*389999", "*365001", "*375001"] {
        let call = world.dial(ANNA, dialled);
        world.run_for(secs(1));
        assert!(world.heard(ANNA, |it| matches!(it, Event::Refused(at, 404) if *at == call)).is_some(), "{dialled}");
    }

    assert_eq!(world.agent("anna").state, "ready");
    world.assert_rest();
}

// S2.B5: who has left one queue is still out of it after a restart, and serves the other.
#[test]
fn leaving_one_queue_survives_a_restart() {
    let mut world = World::with(1, with_sales);
    world.register(&[ANNA]);
    code(&mut world, ANNA, "*395000");
    code(&mut world, ANNA, "*375001");
    assert_eq!(world.agent("anna").state, "ready");

    world.crash();
    world.start();
    world.run_for(secs(1));

    let anna = world.agent("anna");
    assert_eq!((anna.not_in, anna.not_ready_in), (names(&["support"]), names(&["sales"])));
    code(&mut world, ANNA, "*365001");
    let alice = world.customer(Person::new("alice", super::ALICE));
    let bob = world.customer(Person::new("bob", super::BOB));
    let waits = calls(&mut world, alice, DID);
    assert!(!world.is_busy(ANNA, 0), "she has left support");
    let sold = calls(&mut world, bob, SALES);
    let ringing = world.rings(ANNA, secs(1));
    world.answer(ANNA, ringing);
    world.run_for(secs(5));
    world.hang_up(TRUNK, sold);
    world.hang_up(TRUNK, waits);
    world.run_for(secs(1));
    world.assert_rest();
}

// S1.B10, S2.B4: a pause that was chosen while logged out is not undone by the next registration.
#[test]
fn a_pause_chosen_while_logged_out_outlives_the_next_registration() {
    let mut world = World::new(1);
    world.register(&[ANNA]);
    code(&mut world, ANNA, "*39");
    world.ask(ringback::switch::command::Command::PauseAgent {
        agent: "anna".to_owned(),
        reason: Some("ill".to_owned()),
    });
    assert_eq!(world.agent("anna").state, "logged_out");

    let mobile = world.second_phone(ANNA);
    world.register(&[mobile]);

    let anna = world.agent("anna");
    assert_eq!((anna.state, anna.reason.as_deref()), ("not_ready", Some("ill")));
    code(&mut world, ANNA, "*36");
    assert_eq!(world.agent("anna").state, "ready");
    world.assert_rest();
}

// S2.B4: an agent who is logged out by a supervisor talks on, and is rung no more until he logs in again.
#[test]
fn a_supervisor_logs_an_agent_out() {
    use ringback::switch::command::Command;
    let mut world = World::new(1);
    world.register(&[ANNA]);
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    let ringing = world.rings(ANNA, secs(1));
    world.answer(ANNA, ringing);
    world.ask(Command::LogOutAgent("anna".to_owned()));
    world.run_for(secs(5));
    assert_eq!(world.agent("anna").state, "queue_call");
    world.hang_up(TRUNK, call);
    world.run_for(secs(12));
    assert_eq!(world.agent("anna").state, "logged_out");

    let bob = world.customer(Person::new("bob", super::BOB));
    let waits = world.joins(bob);
    world.run_for(secs(10));
    assert!(!world.is_busy(ANNA, 0));
    code(&mut world, ANNA, "*38");
    world.rings(ANNA, secs(1));
    world.hang_up(TRUNK, waits);
    world.run_for(secs(1));
    world.assert_rest();
}

// S2.B2: `answer_mode = auto_answer` asks the phone to pick up by itself, for calls of a queue and for callbacks.
#[test]
fn a_phone_is_asked_to_pick_up_by_itself() {
    let mut world = World::with(1, |site| site.agents[0].answer_mode = AnswerMode::AutoAnswer);
    world.register(&[ANNA]);
    let alice = world.customer(Person::new("alice", super::ALICE));

    let call = world.joins(alice);
    let ringing = world.rings(ANNA, secs(1));
    world.answer(ANNA, ringing);
    world.run_for(secs(5));
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));

    world.assert_ladder("auto_answer");
    world.assert_rest();
}

// S1.B8: no answer within 15 s, then the next agent.
#[test]
fn the_next_agent_rings_when_the_first_has_let_it_ring_for_fifteen_seconds() {
    let mut world = World::with(1, |site| site.queues[0].ring = secs(15));
    world.register(&[ANNA]);
    world.run_for(secs(5));
    world.register(&[BEN]);
    let alice = world.customer(Person::new("alice", super::ALICE));

    let call = world.joins(alice);
    world.rings(ANNA, secs(1));
    let invited = world.ladder.first("ringback", "anna", "INVITE").expect("anna's INVITE");
    let second = world.rings(BEN, secs(20));
    let next = world.ladder.first("ringback", "ben", "INVITE").expect("ben's INVITE");
    assert_eq!(next.since(invited), secs(15));
    world.answer(BEN, second);
    world.run_for(secs(2));
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));
    world.assert_rest();
}

// S1.B9, S1.B10: an agent who has let three calls ring is paused, and says so.
#[test]
fn an_agent_who_lets_three_calls_ring_is_paused() {
    let mut world = World::with(1, |site| site.agents[0].max_no_answer = 3);
    world.register(&[ANNA]);
    let alice = world.customer(Person::new("alice", super::ALICE));

    let call = world.joins(alice);
    world.run_for(secs(59));
    assert_eq!(world.agent("anna").state, "ringing");
    world.run_for(secs(3));

    let anna = world.agent("anna");
    assert_eq!((anna.state, anna.reason.as_deref()), ("not_ready", Some("no_answer")));
    assert_eq!(world.ladder.count("ringback", "anna", "INVITE"), 3);
    world.run_for(secs(60));
    assert_eq!(world.ladder.count("ringback", "anna", "INVITE"), 3, "not rung while paused");
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));
    world.assert_rest();
}

// S2.B11: an agent who declines is not offered the same call again in that session, but the next one.
#[test]
fn a_declined_call_is_not_offered_to_that_agent_again() {
    let mut world = World::with(1, |site| site.agents[0].decline_cooldown = secs(5));
    world.register(&[ANNA]);
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    let ringing = world.rings(ANNA, secs(1));
    world.refuse(ANNA, ringing, 486);

    world.run_for(secs(120));
    assert!(!world.is_busy(ANNA, 0) && world.agent("anna").state == "ready");
    let bob = world.customer(Person::new("bob", super::BOB));
    let other = world.joins(bob);
    let ringing = world.rings(ANNA, secs(1));
    world.answer(ANNA, ringing);
    world.run_for(secs(5));

    assert_eq!(world.ladder.count("ringback", "anna", "INVITE"), 2);
    world.hang_up(TRUNK, other);
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));
    world.assert_rest();
}

// S2.B12: an agent who declines a queue callback is ready again when the cool-down is over, not stuck Not Ready.
#[test]
fn declining_a_callback_leaves_nobody_not_ready() {
    let mut world = World::new(1);
    let alice = world.promised("alice", super::ALICE);
    world.register(&[ANNA]);

    let ringing = world.rings(ANNA, secs(5));
    world.refuse(ANNA, ringing, 486);
    let declined = world.now;
    assert_eq!(world.agent("anna").state, "ready");
    let again = world.rings(ANNA, secs(65));

    let rested = world.now.since(declined);
    assert!(rested > secs(59) && rested < secs(61), "rung again after {rested:?}");
    world.answer(ANNA, again);
    let call = world.rings_at(alice, secs(20));
    world.answer(TRUNK, call);
    world.run_for(secs(10));
    world.hang_up(ANNA, again);
    let outcomes: Vec<_> = world.attempts().into_iter().filter_map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [Outcome::AgentDeclined, Outcome::Success]);
    world.assert_rest();
}

// S2.B12: when the caller's time is over his phone and the agent's each get their end, and the agent is free.
#[test]
fn no_agent_is_stuck_on_a_call_whose_caller_has_timed_out() {
    let mut world = World::with(1, |site| site.queues[0].max_wait = Some(secs(30)));
    world.register(&[ANNA]);
    let alice = world.customer(Person::new("alice", super::ALICE));

    world.joins(alice);
    world.rings(ANNA, secs(1));
    world.run_until("she is let go", secs(120), |world| !world.is_busy(TRUNK, alice));
    world.run_for(secs(1));

    assert!(world.heard(TRUNK, |event| matches!(event, Event::Ended(_, EndedBy::Bye))).is_some());
    assert!(!world.is_busy(ANNA, 0), "her phone is quiet");
    assert_eq!(world.agent("anna").state, "ready");
    world.assert_rest();
}

// S2.B12: a phone that refuses with 488 is asked once in ten seconds and not in a flood, and nobody is blamed.
#[test]
fn a_phone_that_answers_488_does_not_flood_the_records() {
    let mut world = World::with(1, |site| site.agents[0].max_no_answer = 3);
    world.register(&[ANNA]);
    world.stations[ANNA].people[0] = Person::new("anna", "1001")
        .reacting([ringback::demo::person::Reaction::Refuse { after: Duration::ZERO, status: 488 }]);
    let alice = world.customer(Person::new("alice", super::ALICE));

    let call = world.joins(alice);
    world.run_for(secs(61));

    let asked = world.ladder.count("ringback", "anna", "INVITE");
    assert!((6..=7).contains(&asked), "asked {asked} times in a minute");
    assert_eq!(world.agent("anna").state, "ready");
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));
    world.assert_rest();
}

// S3.B7: an agent who is registered but busy is never rung.
#[test]
fn an_agent_on_a_call_of_his_own_is_not_rung() {
    let mut world = World::new(1);
    world.register(&[ANNA, BEN]);
    code(&mut world, BEN, "*37");
    let own = world.dial(ANNA, "1002");
    world.run_for(secs(1));
    let ringing = world.rings(BEN, secs(1));
    world.answer(BEN, ringing);
    assert_eq!(world.agent("anna").state, "other_call");
    let alice = world.customer(Person::new("alice", super::ALICE));

    let call = world.joins(alice);
    world.run_for(secs(60));
    assert_eq!(world.ladder.count("ringback", "anna", "INVITE"), 0);
    world.hang_up(ANNA, own);
    let ringing = world.rings(ANNA, secs(1));

    world.answer(ANNA, ringing);
    world.run_for(secs(2));
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));
    world.assert_rest();
}

// S1.B6: max_calls 2 gives an agent a second call while he talks, and not a third.
#[test]
fn an_agent_with_two_lines_gets_two_calls_and_not_three() {
    let mut world = World::with(1, |site| site.agents[0].max_calls = 2);
    world.register(&[ANNA]);
    let callers: Vec<usize> = [("alice", super::ALICE), ("bob", super::BOB), ("carol", super::CAROL)]
        .map(|(name, number)| world.customer(Person::new(name, number)))
        .to_vec();

    let mut calls = Vec::new();
    for caller in &callers {
        calls.push(world.joins(*caller));
        world.run_for(secs(1));
        if calls.len() < 3 {
            let ringing = world.rings(ANNA, secs(1));
            world.answer(ANNA, ringing);
        }
    }
    world.run_for(secs(30));

    assert_eq!(world.ladder.count("ringback", "anna", "INVITE"), 2);
    assert_eq!(world.agent("anna").state, "queue_call");
    assert_eq!(world.line().len(), 1);
    calls.into_iter().for_each(|call| world.hang_up(TRUNK, call));
    world.run_for(secs(1));
    world.assert_rest();
}
