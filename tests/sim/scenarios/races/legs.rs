//! Legs that are silent by right, ports that are short, offers that come late.

use super::{ends, served};
use crate::drive::{ANNA, BEN, CARL, DORA};
use crate::site::secs;
use crate::world::{TRUNK, World};
use ringback::callback::task::{CloseReason, Outcome, TaskState};
use ringback::demo::endpoint::{CallId, Event};
use ringback::demo::person::{Person, Reaction};
use ringback::demo::session::Direction;
use ringback::id::{LegRef, Shard};
use ringback::media;
use ringback::switch::Input;

/// The port of the newest leg of a party could not be bound.
fn port_is_taken(world: &mut World, leg: LegRef) {
    world.shard.legs.remove(&leg);
    world.shard.closed += 1;
    world.handle(Input::Media(Shard(0), media::Event::OpenFailed { leg }));
    world.run_for(secs(1));
}

/// The leg at the switch that was opened last.
fn newest_leg(world: &World) -> LegRef {
    *world.shard.legs.keys().next_back().expect("a leg")
}

#[test]
fn a_phone_that_rings_long_and_silently_is_not_cut() {
    let mut world = World::new(1).with_packets();
    world.register(&[ANNA, DORA]);

    let call = world.dial(DORA, "1001");
    let ringing = world.rings(ANNA, secs(2));
    world.run_for(secs(45));
    world.answer(ANNA, ringing);
    world.run_for(secs(30));

    assert!(world.is_up(DORA, call) && world.is_up(ANNA, ringing));
    assert_eq!(world.ladder.count("ringback", "dora", "INVITE"), 0, "nobody is probed");
    world.hang_up(DORA, call);
    world.run_for(secs(1));
    world.assert_rest();
}

#[test]
fn a_customer_with_early_media_that_never_comes_is_not_cut_while_ringing() {
    let mut world = World::with(1, |site| site.profiles[0].ring_timeout = secs(60));
    let alice = world.promised("alice", super::super::ALICE);
    world.stations[TRUNK].people[alice].reactions = [Reaction::Answer { after: secs(40), early: true }].into();
    world.register(&[ANNA]);
    world.cut(TRUNK);

    let agent = world.rings(ANNA, secs(5));
    world.answer(ANNA, agent);
    world.run_until("they talk", secs(50), |world| world.ladder.noted("talk").is_some());
    world.run_for(secs(10));
    world.hang_up(ANNA, agent);
    world.run_for(secs(2));

    assert_eq!(ends(&world), [(TaskState::Completed, Some(CloseReason::Success))]);
    assert_eq!(world.ladder.count("ringback", "alice", "INVITE"), 1);
    world.assert_rest();
}

#[test]
fn a_held_call_is_not_probed() {
    let mut world = World::new(1);
    world.register(&[ANNA, DORA]);
    let call = world.dial(DORA, "1001");
    let ringing = world.rings(ANNA, secs(2));
    world.answer(ANNA, ringing);
    world.run_for(secs(5));
    let invites = world.ladder.count("ringback", "anna", "INVITE");

    let now = world.now;
    world.stations[ANNA].endpoint.change(now, ringing, Direction::SendOnly);
    world.run_for(secs(1));
    world.cut(ANNA);
    world.run_for(secs(120));

    assert!(world.is_up(DORA, call) && world.is_up(ANNA, ringing));
    assert_eq!(world.ladder.count("ringback", "anna", "INVITE"), invites);
    let now = world.now;
    world.stations[ANNA].endpoint.change(now, ringing, Direction::SendRecv);
    world.run_for(secs(60));
    assert!(world.ladder.count("ringback", "anna", "INVITE") > invites, "whoever is to send is asked again");
    world.hang_up(DORA, call);
    world.run_for(secs(1));
    world.assert_rest();
}

#[test]
fn callers_who_take_all_ports_can_still_be_served() {
    let mut world = World::with(1, |site| site.server.media_ports = 20_000..=20_015);
    let mut waiting: Vec<CallId> = Vec::new();
    let refused = loop {
        let number = format!("+12025550{}", 150 + waiting.len());
        let customer = world.customer(Person::new(&format!("caller{}", waiting.len()), &number));
        let call = world.call_in(customer);
        world.run_for(secs(1));
        if !world.is_up(TRUNK, call) {
            break call;
        }
        waiting.push(call);
        assert!(waiting.len() < 20, "ports without end");
    };
    assert!(waiting.len() >= 4, "only {} ports", waiting.len());
    assert!(world.heard(TRUNK, |event| matches!(event, Event::Refused(it, 503) if *it == refused)).is_some());

    world.register(&[ANNA]);
    for call in &waiting {
        let ringing = world.rings(ANNA, secs(15));
        world.answer(ANNA, ringing);
        world.run_for(secs(2));
        world.hang_up(TRUNK, *call);
        world.run_for(secs(1));
    }

    world.run_for(secs(15));
    world.promised("zoe", super::super::BOB);
    let zoe = world.stations[TRUNK].people.len() - 1;
    if !world.is_busy(ANNA, 0) {
        world.run_for(secs(1));
    }
    served(&mut world, ANNA, zoe);
    assert_eq!(ends(&world), [(TaskState::Completed, Some(CloseReason::Success))]);
    world.assert_rest();
}

#[test]
fn agents_are_rung_after_ports_have_run_out_altogether() {
    // Both kept ports ring one agent's phones; the other agents are asked again a moment later.
    let mut world = World::with(1, |site| {
        site.server.media_ports = 20_000..=20_007;
        site.queues[0].ring = secs(5);
    });
    world.register(&[ANNA, BEN, CARL]);
    let mut calls = Vec::new();
    for at in 0..6 {
        let customer = world.customer(Person::new(&format!("caller{at}"), &format!("+1202555016{at}")));
        calls.push(world.call_in(customer));
    }
    world.run_for(secs(60));

    assert_ne!(world.agent("anna").state, "not_ready");
    calls.retain(|call| world.is_up(TRUNK, *call));
    assert!(!calls.is_empty());
    let mut served = 0;
    while served < calls.len() {
        let agent = [ANNA, BEN, CARL].into_iter().find(|phone| world.is_busy(*phone, 0));
        let Some(agent) = agent else {
            world.run_for(secs(1));
            assert!(world.now.since(ringback::time::Tick::ZERO) < secs(600), "nobody is rung");
            continue;
        };
        let ringing = world.at(agent);
        world.answer(agent, ringing);
        world.run_for(secs(1));
        if world.is_up(agent, ringing) {
            world.hang_up(agent, ringing);
            served += 1;
        }
    }
    world.assert_rest();
}

#[test]
fn an_agents_port_that_cannot_be_bound_is_nobodys_fault() {
    let mut world = World::with(1, |site| site.agents[0].max_no_answer = 1);
    let alice = world.customer(Person::new("alice", super::super::ALICE));
    let call = world.joins(alice);
    world.register(&[ANNA]);
    world.rings(ANNA, secs(1));

    let leg = newest_leg(&world);
    port_is_taken(&mut world, leg);

    assert!(!world.is_busy(ANNA, 0) && world.is_up(TRUNK, call));
    assert_eq!(world.agent("anna").state, "ready");
    let again = world.rings(ANNA, secs(15));
    world.answer(ANNA, again);
    world.run_for(secs(5));
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));
    world.assert_rest();
}

#[test]
fn a_customers_port_that_cannot_be_bound_is_an_error_of_the_network() {
    let mut world = World::with(1, |site| {
        site.agents[0].max_no_answer = 1;
        site.profiles[0].intervals = vec![std::time::Duration::ZERO, secs(30)];
    });
    let alice = world.promised("alice", super::super::ALICE);
    world.register(&[ANNA]);
    world.called_back(alice);

    let leg = newest_leg(&world);
    port_is_taken(&mut world, leg);
    world.run_until("anna is free", secs(15), |world| !world.is_busy(ANNA, 0));

    assert_eq!(world.attempts()[0].outcome, Some(Outcome::NetworkError));
    assert!(!world.is_busy(TRUNK, alice), "her phone rings on");
    assert_ne!(world.agent("anna").state, "not_ready");
    world.run_for(secs(10));
    served_again(&mut world, alice);
    world.assert_rest();
}

fn served_again(world: &mut World, alice: usize) {
    let agent = world.rings(ANNA, secs(120));
    world.answer(ANNA, agent);
    let call = world.rings_at(alice, secs(20));
    world.answer(TRUNK, call);
    world.run_for(secs(10));
    world.hang_up(ANNA, agent);
    world.run_for(secs(2));
    assert_eq!(ends(world), [(TaskState::Completed, Some(CloseReason::Success))]);
}

#[test]
fn a_callers_port_that_cannot_be_bound_ends_his_call() {
    let mut world = World::new(1);
    let alice = world.customer(Person::new("alice", super::super::ALICE));
    let call = world.joins(alice);

    let leg = newest_leg(&world);
    port_is_taken(&mut world, leg);

    assert!(!world.is_up(TRUNK, call) && world.line().is_empty());
    world.joins(alice);
    let call = world.of(alice);
    world.hang_up(TRUNK, call);
    world.assert_rest();
}

#[test]
fn an_offer_that_comes_late_is_answered_in_the_ack_or_the_call_ends() {
    for forgets in [false, true] {
        let mut world = World::new(1);
        world.stations[TRUNK].endpoint.quirks.invites_without_offer = true;
        world.stations[TRUNK].endpoint.quirks.forgets_late_answer = forgets;
        let alice = world.customer(Person::new("alice", super::super::ALICE));

        let call = world.call_in(alice);
        world.run_for(secs(2));

        assert_eq!(world.is_up(TRUNK, call), !forgets);
        assert_eq!(world.ladder.first("ringback", "alice", "BYE").is_some(), forgets);
        assert_eq!(world.line().len(), usize::from(!forgets));
        if !forgets {
            world.register(&[ANNA]);
            let ringing = world.rings(ANNA, secs(2));
            world.answer(ANNA, ringing);
            world.run_for(secs(5));
            assert!(world.leg_of(TRUNK, call).is_some_and(|leg| world.shard.legs[&leg].bridged.is_some()));
            world.hang_up(TRUNK, call);
            world.run_for(secs(1));
        }
        world.assert_rest();
    }
}
