//! The line: who waits, who is rung, who talks.

use crate::drive::{ANNA, BEN, CARL};
use crate::site::secs;
use crate::world::{TRUNK, World};
use ringback::demo::endpoint::{EndedBy, Event};
use ringback::demo::person::Person;

#[test]
fn a_caller_waits_with_music_until_the_only_agent_takes_the_call() {
    let mut world = World::new(1);
    world.register(&[ANNA]);
    let alice = world.customer(Person::new("alice", super::ALICE));

    let call = world.joins(alice);
    let ringing = world.rings(ANNA, secs(1));
    world.run_for(secs(3));
    world.answer(ANNA, ringing);
    world.run_for(secs(20));
    assert!(world.ladder.noted("alice and anna talk").or(world.ladder.noted("anna and alice talk")).is_some());
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));

    assert!(world.heard(ANNA, |event| matches!(event, Event::Ended(_, EndedBy::Bye))).is_some());
    world.assert_ladder("queue_call_ended_by_caller");
    world.assert_rest();
}

#[test]
fn an_agent_ends_the_call_and_rests_before_the_next() {
    let mut world = World::new(1);
    world.register(&[ANNA]);
    let alice = world.customer(Person::new("alice", super::ALICE));
    let bob = world.customer(Person::new("bob", super::BOB));
    world.joins(alice);
    let ringing = world.rings(ANNA, secs(1));
    world.answer(ANNA, ringing);
    world.joins(bob);
    world.run_for(secs(10));

    world.hang_up(ANNA, ringing);
    let hung_up = world.now;
    assert_eq!(world.agent("anna").state, "wrap_up");
    let next = world.rings(ANNA, secs(15));

    let rest = world.now.since(hung_up);
    assert!(rest > secs(9) && rest < secs(11), "anna rested {rest:?}");
    world.answer(ANNA, next);
    world.run_for(secs(10));
    world.hang_up(ANNA, next);
    world.run_for(secs(1));
    assert!(!world.is_busy(TRUNK, bob) && !world.is_busy(TRUNK, alice));
    world.assert_ladder("wrap_up");
    world.assert_rest();
}

// S5.10 (seed 6385): the queue got another name while they talked.
#[test]
fn an_agent_rests_after_a_call_whose_queue_is_gone() {
    let mut world = World::new(1);
    world.register(&[ANNA]);
    let alice = world.customer(Person::new("alice", super::ALICE));
    world.joins(alice);
    let ringing = world.rings(ANNA, secs(1));
    world.answer(ANNA, ringing);
    world.run_for(secs(10));
    world.configure(|site| crate::day::rename(site, "service"));

    world.hang_up(ANNA, ringing);

    assert_eq!(world.agent("anna").state, "wrap_up");
    world.run_for(secs(9));
    assert_eq!(world.agent("anna").state, "wrap_up");
    world.run_for(secs(2));
    assert_eq!(world.agent("anna").state, "ready");
    world.assert_rest();
}

#[test]
fn an_agent_who_declines_is_followed_by_the_next() {
    let mut world = World::new(1);
    world.register(&[ANNA]);
    world.run_for(secs(5));
    world.register(&[BEN]);
    let alice = world.customer(Person::new("alice", super::ALICE));

    let call = world.joins(alice);
    let ringing = world.rings(ANNA, secs(1));
    world.refuse(ANNA, ringing, 603);
    let second = world.rings(BEN, secs(1));
    world.answer(BEN, second);
    world.run_for(secs(10));
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));

    world.assert_ladder("agent_declines");
    world.assert_rest();
}

#[test]
fn an_agent_who_does_not_answer_is_followed_by_the_next() {
    let mut world = World::new(1);
    world.register(&[ANNA]);
    world.run_for(secs(5));
    world.register(&[BEN]);
    let alice = world.customer(Person::new("alice", super::ALICE));

    let call = world.joins(alice);
    world.rings(ANNA, secs(1));
    let rang = world.now;
    let second = world.rings(BEN, secs(25));
    let after = world.now.since(rang);
    world.answer(BEN, second);
    world.run_for(secs(10));
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));

    assert!(after >= secs(19) && after < secs(21), "ben rang after {after:?}");
    world.assert_ladder("agent_does_not_answer");
    world.assert_rest();
}

#[test]
fn a_caller_who_hangs_up_stops_the_agents_phone() {
    let mut world = World::new(1);
    world.register(&[ANNA]);
    let alice = world.customer(Person::new("alice", super::ALICE));

    let call = world.joins(alice);
    world.rings(ANNA, secs(1));
    world.run_for(secs(4));
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));

    assert!(world.heard(ANNA, |event| matches!(event, Event::Ended(_, EndedBy::Cancel))).is_some());
    assert_eq!(world.agent("anna").state, "ready");
    world.assert_ladder("caller_hangs_up_while_agent_rings");
    world.assert_rest();
}

#[test]
fn an_agent_who_answers_as_the_caller_hangs_up_is_let_go() {
    let mut world = World::new(1);
    world.register(&[ANNA]);
    let alice = world.customer(Person::new("alice", super::ALICE));

    let call = world.joins(alice);
    let ringing = world.rings(ANNA, secs(1));
    world.run_for(secs(4));
    let now = world.now;
    world.stations[TRUNK].endpoint.hang_up(now, call);
    world.run_for(std::time::Duration::from_millis(11));
    let now = world.now;
    world.stations[ANNA].endpoint.answer(now, ringing);
    world.run_for(secs(2));

    assert!(!world.is_busy(ANNA, 0));
    world.assert_ladder("cancel_crosses_answer");
    world.assert_rest();
}

#[test]
fn the_agent_who_has_been_idle_longest_is_rung() {
    let mut world = World::new(1);
    for phone in [BEN, CARL, ANNA] {
        world.register(&[phone]);
        world.run_for(secs(3));
    }

    for (name, expected) in [("alice", BEN), ("bob", CARL), ("carol", ANNA)] {
        let customer = world.customer(Person::new(name, &format!("+1202555018{}", name.len())));
        let call = world.joins(customer);
        let ringing = world.rings(expected, secs(1));
        world.answer(expected, ringing);
        world.run_for(secs(5));
        world.hang_up(TRUNK, call);
        world.run_for(secs(1));
    }
    world.assert_rest();
}

#[test]
fn a_paused_agent_is_not_rung_and_a_resumed_one_is() {
    let mut world = World::new(1);
    world.register(&[ANNA]);

    world.dial(ANNA, "*46");
    world.run_until("the phone is free", secs(15), |world| !world.is_busy(ANNA, 0));
    world.run_for(secs(1));
    assert_eq!(world.agent("anna").state, "not_ready");
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    world.run_for(secs(5));
    assert!(!world.is_busy(ANNA, 0));
    world.dial(ANNA, "*46");
    world.run_until("the phone is free", secs(15), |world| !world.is_busy(ANNA, 0));
    let ringing = world.rings(ANNA, secs(15));
    world.answer(ANNA, ringing);
    world.run_for(secs(10));
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));

    world.assert_ladder("pause");
    world.assert_rest();
}

#[test]
fn an_agent_logs_out_and_in_from_the_phone() {
    let mut world = World::new(1);
    world.register(&[ANNA]);

    world.dial(ANNA, "*45");
    world.run_until("the phone is free", secs(15), |world| !world.is_busy(ANNA, 0));
    let out = world.agent("anna").state;
    world.dial(ANNA, "*45");
    world.run_until("the phone is free", secs(15), |world| !world.is_busy(ANNA, 0));
    world.run_for(secs(1));

    assert_eq!((out, world.agent("anna").state), ("logged_out", "ready"));
    world.assert_ladder("login");
    world.assert_rest();
}

#[test]
fn a_caller_whose_wire_is_cut_is_asked_once_more_and_let_go() {
    let mut world = World::new(1);
    world.register(&[ANNA]);
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    let ringing = world.rings(ANNA, secs(1));
    world.answer(ANNA, ringing);
    world.run_for(secs(10));

    world.cut(TRUNK);
    world.stations[TRUNK].endpoint.quirks.dead = true;
    world.run_for(secs(40));

    assert!(!world.is_busy(ANNA, 0));
    world.assert_ladder("rtp_timeout");
    world.stations[TRUNK].endpoint.quirks.dead = false;
    world.hang_up(TRUNK, call);
    world.run_for(secs(40));
    world.assert_rest();
}

#[test]
fn a_caller_who_is_silent_but_answers_the_probe_stays() {
    let mut world = World::new(1);
    world.register(&[ANNA]);
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    let ringing = world.rings(ANNA, secs(1));
    world.answer(ANNA, ringing);
    world.run_for(secs(10));

    world.cut(TRUNK);
    world.run_for(secs(100));

    assert!(world.is_up(TRUNK, call) && world.is_up(ANNA, ringing));
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));
    world.assert_ladder("rtp_probe_answered");
    world.assert_rest();
}

#[test]
fn callers_are_served_in_the_order_they_came() {
    let mut world = World::new(1);
    let names = [("alice", super::ALICE), ("bob", super::BOB), ("carol", super::CAROL)];
    let customers = names.map(|(name, number)| world.customer(Person::new(name, number)));
    for customer in customers {
        world.joins(customer);
        world.run_for(secs(2));
    }
    let line: Vec<String> = world.line().into_iter().map(|it| it.number).collect();
    assert_eq!(line, [super::ALICE, super::BOB, super::CAROL]);

    world.register(&[ANNA]);
    for customer in customers {
        let ringing = world.rings(ANNA, secs(15));
        world.answer(ANNA, ringing);
        world.run_for(secs(5));
        let call = world.of(customer);
        assert!(world.leg_of(TRUNK, call).is_some_and(|leg| world.shard.legs[&leg].bridged.is_some()));
        world.hang_up(TRUNK, call);
    }

    world.run_for(secs(1));
    world.assert_ladder("three_callers");
    world.assert_rest();
}

#[test]
fn a_phone_calls_the_queue_like_anybody() {
    let mut world = World::new(1);
    world.register(&[ANNA, crate::drive::DORA]);

    let call = world.dial(crate::drive::DORA, "5000");
    let ringing = world.rings(ANNA, secs(2));
    world.answer(ANNA, ringing);
    world.run_for(secs(5));
    world.hang_up(crate::drive::DORA, call);
    world.run_for(secs(1));

    world.assert_ladder("phone_calls_queue");
    world.assert_rest();
}
