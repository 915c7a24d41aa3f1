//! Phones that have vanished, and calls to one agent.

use super::ends;
use crate::drive::{ANNA, BEN, DORA};
use crate::site::secs;
use crate::world::{TRUNK, World};
use ringback::demo::endpoint::Event;
use ringback::demo::person::{Person, Reaction};
use ringback::settings::{Destination, DidPattern, InboundRoute};
use std::time::Duration;

/// Rings anna.
const ANNAS_DID: &str = "+12025550199";

fn with_did(site: &mut ringback::settings::Settings) {
    site.inbound_routes.push(InboundRoute::of(
        "carrier",
        DidPattern::Exact(ANNAS_DID.to_owned()),
        Destination::Agent("anna".into()),
    ));
}

/// anna's phone is bound, and does this with an INVITE; whether she serves a caller or a promise, ben does.
fn vanished(vanish: impl Fn(&mut World), with_promise: bool) {
    let mut world = World::with(1, |site| site.agents[0].max_no_answer = 1);
    world.register(&[ANNA]);
    world.run_for(secs(1));
    world.register(&[BEN]);
    vanish(&mut world);
    let alice = world.customer(Person::new("alice", super::super::ALICE));
    if with_promise {
        for agent in ["anna", "ben"] {
            world.ask(ringback::switch::command::Command::PauseAgent { agent: agent.to_owned(), reason: None });
        }
        world.promised_again(alice);
        for agent in ["anna", "ben"] {
            world.ask(ringback::switch::command::Command::ResumeAgent(agent.to_owned()));
        }
    } else {
        world.joins(alice);
    }

    let ringing = world.rings(BEN, secs(45));
    assert_ne!(world.agent("anna").state, "not_ready", "she is blamed");
    world.answer(BEN, ringing);
    if with_promise {
        let call = world.rings_at(alice, secs(20));
        world.answer(TRUNK, call);
    }
    world.run_for(secs(10));
    world.hang_up(BEN, ringing);
    world.run_for(secs(1));

    let invites = world.ladder.count("ringback", "anna", "INVITE");
    assert!((1..=14).contains(&invites), "anna's phone got {invites} INVITEs");
    assert!(ends(&world).iter().all(|(state, _)| state.is_final()));
    world.stations[ANNA].endpoint.quirks.dead = false;
    world.assert_rest();
}

#[test]
fn a_phone_that_has_vanished_is_passed_over_and_nobody_is_blamed() {
    for with_promise in [false, true] {
        vanished(|world| world.stations[ANNA].endpoint.quirks.dead = true, with_promise);
    }
}

#[test]
fn a_phone_that_is_out_of_order_is_passed_over_and_nobody_is_blamed() {
    for status in [404, 488, 503] {
        for with_promise in [false, true] {
            let refuses = Reaction::Refuse { after: Duration::ZERO, status };
            vanished(|world| world.stations[ANNA].people[0].reactions = [refuses.clone()].into(), with_promise);
        }
    }
}

#[test]
fn a_phone_that_is_out_of_order_and_alone_is_not_rung_in_a_loop() {
    let mut world = World::with(1, |site| site.agents[0].max_no_answer = 1);
    let alice = world.promised("alice", super::super::ALICE);
    let refuses = Reaction::Refuse { after: Duration::ZERO, status: 503 };
    world.stations[ANNA].people[0].reactions = [refuses].into();
    world.register(&[ANNA]);

    world.run_for(secs(100));

    let invites = world.ladder.count("ringback", "anna", "INVITE");
    assert!((2..=12).contains(&invites), "anna's phone got {invites} INVITEs");
    assert_eq!(world.tasks()[0].attempts_used, 0);
    world.stations[ANNA].people[0].reactions = [Reaction::Ring { early: false }].into();
    let agent = world.rings(ANNA, secs(65));
    world.answer(ANNA, agent);
    let call = world.rings_at(alice, secs(20));
    world.answer(TRUNK, call);
    world.run_for(secs(10));
    world.hang_up(ANNA, agent);
    world.run_for(secs(2));
    assert!(ends(&world)[0].0.is_final());
    world.assert_rest();
}

#[test]
fn an_agent_in_a_call_is_busy_to_who_dials_him_directly() {
    let mut world = World::with(1, with_did);
    world.register(&[ANNA, DORA]);
    let call = world.dial(DORA, "1001");
    let ringing = world.rings(ANNA, secs(2));
    world.answer(ANNA, ringing);
    let alice = world.customer(Person::new("alice", super::super::ALICE));

    let now = world.now;
    let direct = world.stations[TRUNK].dial(now, alice, ANNAS_DID);
    world.run_for(secs(2));

    assert!(world.heard(TRUNK, |event| matches!(event, Event::Refused(it, 486) if *it == direct)).is_some());
    assert_eq!(world.ladder.count("ringback", "anna", "INVITE"), 1);
    world.hang_up(DORA, call);
    world.run_for(secs(1));
    world.assert_rest();
}

#[test]
fn a_customer_who_dials_an_agent_who_is_not_there_keeps_the_promise() {
    let mut world = World::with(1, with_did);
    let alice = world.promised("alice", super::super::ALICE);

    let now = world.now;
    let direct = world.stations[TRUNK].dial(now, alice, ANNAS_DID);
    world.run_for(secs(2));

    assert!(world.heard(TRUNK, |event| matches!(event, Event::Refused(it, 480) if *it == direct)).is_some());
    assert!(!world.tasks()[0].state.is_final());
    assert_eq!(world.line()[0].kind, "callback");
    world.register(&[ANNA]);
    super::served(&mut world, ANNA, alice);
    world.assert_rest();
}
