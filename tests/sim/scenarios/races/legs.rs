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
use ringback::switch::command::Command;
use std::time::Duration;

/// The port of a leg could not be bound.
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

    // Everything is back: there is room for a promise, its keeping, and all of them again.
    world.run_for(secs(15));
    world.ask(Command::PauseAgent { agent: "anna".to_owned(), reason: None });
    let zoe = world.promised("zoe", super::super::BOB);
    world.ask(Command::ResumeAgent("anna".to_owned()));
    served(&mut world, ANNA, zoe);
    assert_eq!(ends(&world), [(TaskState::Completed, Some(CloseReason::Success))]);
    world.assert_rest();
}

#[test]
fn a_port_that_another_program_has_costs_one_call_and_not_the_next_ones() {
    let mut world = World::with(1, |site| {
        site.server.media_ports = 20_000..=20_015;
        super::super::missed::covered(site);
    });
    let alice = world.customer(Person::new("alice", super::super::ALICE));
    let call = world.call_in(alice);
    world.run_for(secs(1));
    let leg = newest_leg(&world);
    let taken = world.shard.legs[&leg].port;

    port_is_taken(&mut world, leg);
    assert!(!world.is_up(TRUNK, call), "nobody would hear her");
    assert_eq!(world.tasks().len(), 1, "she is called back");

    let tries = |world: &mut World, name: &str, times: u32| {
        (0..times).any(|n| {
            let caller = world.customer(Person::new(name, &format!("+1202555{n:04}")));
            let call = world.call_in(caller);
            world.run_for(secs(1));
            assert!(world.is_up(TRUNK, call), "{name} {n} is taken");
            let has_it = world.shard.legs[&newest_leg(world)].port == taken;
            world.hang_up(TRUNK, call);
            world.run_for(secs(1));
            has_it
        })
    };
    assert!(!tries(&mut world, "bob", 60), "it is left alone");
    world.run_for(secs(300));
    assert!(tries(&mut world, "carl", 60), "it may be free again");
}

#[test]
fn an_agent_for_whom_no_port_was_left_is_rung_a_moment_later() {
    // Seven callers leave one of eight ports, and three agents' phones want one each.
    let mut world = World::with(1, |site| {
        site.server.media_ports = 20_000..=20_015;
        site.queues[0].wrap_up = Duration::ZERO;
    });
    let mut calls = Vec::new();
    for at in 0..7 {
        let customer = world.customer(Person::new(&format!("caller{at}"), &format!("+1202555016{at}")));
        calls.push(world.call_in(customer));
    }
    world.run_for(secs(1));
    assert!(calls.iter().all(|call| world.is_up(TRUNK, *call)));
    world.register(&[ANNA, BEN, CARL]);

    for _ in 0..calls.len() {
        let phones = [ANNA, BEN, CARL];
        world.run_until("a phone rings", secs(25), |world| phones.iter().any(|phone| world.is_busy(*phone, 0)));
        let phone = phones.into_iter().find(|phone| world.is_busy(*phone, 0)).expect("one rings");
        let ringing = world.at(phone);
        world.answer(phone, ringing);
        world.run_for(secs(1));
        world.hang_up(phone, ringing);
    }

    assert!(calls.iter().all(|call| !world.is_up(TRUNK, *call)), "all were served");
    assert!(["anna", "ben", "carl"].iter().all(|agent| world.agent(agent).state == "ready"));
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
        site.profiles[0].intervals = vec![Duration::ZERO, secs(30)];
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
    world.run_until("her rest is over and the pause too", secs(120), |world| world.is_busy(ANNA, 0));
    served(&mut world, ANNA, alice);
    assert_eq!(ends(&world), [(TaskState::Completed, Some(CloseReason::Success))]);
    world.assert_rest();
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
