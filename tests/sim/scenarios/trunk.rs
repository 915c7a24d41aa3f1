//! The trunk: registered or known by its address, and what becomes of it when the carrier is out of sorts.

use crate::drive::{ANNA, DORA};
use crate::site::secs;
use crate::world::{TRUNK, World};
use ringback::demo::endpoint::Event;
use ringback::demo::person::{Person, Reaction};
use ringback::demo::station::Mood;
use ringback::settings::{Credentials, TrunkMode};
use std::time::Duration;

pub fn registering(moods: &[Mood]) -> World {
    let moods = moods.to_vec();
    let mut world = World::with(1, |site| {
        site.trunks[0].mode = TrunkMode::Register {
            username: "site7".to_owned(),
            auth_user: "site7".to_owned(),
            password: "trunk-secret".to_owned(),
            realm: None,
            expires: secs(600),
        };
    });
    let carrier = world.stations[TRUNK].carrier.as_mut().expect("a carrier");
    carrier.registrar = Some(("site7".to_owned(), "trunk-secret".to_owned()));
    carrier.moods = moods.into();
    world
}

#[test]
fn a_trunk_registers_and_refreshes_before_it_expires() {
    let mut world = registering(&[]);

    world.run_for(secs(5));
    assert_eq!(world.trunk().state, "registered");
    let first = world.ladder.first("carrier", "ringback", "200 OK").expect("granted");
    let drawn = world.drawing();
    world.ladder.clear();
    world.run_for(secs(590));

    let refresh = world.ladder.first("ringback", "carrier", "REGISTER").expect("a refresh");
    let after = refresh.since(first);
    assert!(after >= secs(600 * 80 / 100) && after <= secs(600 * 90 / 100), "refreshed after {after:?}");
    assert_eq!(world.trunk().state, "registered");
    crate::ladder::assert_golden("trunk_register", &drawn);
}

#[test]
fn a_trunk_asks_for_as_long_as_423_wants() {
    let mut world = registering(&[Mood::Normal, Mood::TooBrief(900)]);

    world.run_for(secs(5));

    assert_eq!(world.trunk().state, "registered");
    world.assert_ladder("trunk_register_423");
}

#[test]
fn a_trunk_that_is_refused_says_why_and_tries_again() {
    let mut world = registering(&[Mood::Refuse(503)]);

    world.run_for(secs(5));
    let down = world.trunk();
    world.run_for(secs(400));

    assert_eq!(down.state, "down");
    assert!(down.reason.is_some_and(|reason| reason.contains("503")));
    assert_eq!(world.trunk().state, "registered");
    world.assert_ladder("trunk_register_503");
}

#[test]
fn a_trunk_that_hears_nothing_says_so_and_tries_again() {
    let mut world = registering(&[Mood::Silence, Mood::Silence]);

    world.run_for(secs(40));
    let down = world.trunk();
    world.run_for(secs(600));

    assert_eq!(down.state, "down");
    assert!(down.reason.is_some());
    assert_eq!(world.trunk().state, "registered");
}

#[test]
fn a_peer_that_does_not_answer_options_is_down_until_it_does() {
    let mut world = World::with(1, |site| site.trunks[0].options_ping = Some(secs(30)));
    world.run_for(secs(70));
    assert_eq!(world.trunk().state, "up");

    world.stations[TRUNK].endpoint.quirks.dead = true;
    world.run_for(secs(120));
    assert_eq!(world.trunk().state, "down");
    world.stations[TRUNK].endpoint.quirks.dead = false;
    world.run_for(secs(120));

    assert_eq!(world.trunk().state, "up");
}

#[test]
fn an_outgoing_call_answers_the_carriers_challenge() {
    let mut world = World::with(1, |site| {
        site.trunks[0].credentials =
            Some(Credentials { username: "site7".to_owned(), password: "trunk-secret".to_owned(), realm: None });
    });
    world.stations[TRUNK].carrier.as_mut().expect("a carrier").asks_invites =
        Some(("site7".to_owned(), "trunk-secret".to_owned()));
    let soon = Reaction::Answer { after: secs(2), early: false };
    let alice = world.customer(Person::new("alice", super::ALICE).reacting([soon]));
    world.register(&[DORA]);

    let call = world.dial(DORA, super::ALICE);
    world.run_until("they talk", secs(10), |world| world.is_up(DORA, call) && world.is_busy(TRUNK, alice));
    world.run_for(secs(6));
    world.hang_up(DORA, call);
    world.run_for(secs(1));

    world.assert_ladder("phone_calls_out_407");
    world.assert_rest();
}

#[test]
fn a_stranger_who_calls_the_did_reaches_nobody() {
    let mut world = World::with(1, |site| {
        site.trunks[0].host = "198.51.100.77".to_owned();
        site.trunks[0].acl.clear();
    });
    world.register(&[ANNA]);
    let alice = world.customer(Person::new("alice", super::ALICE));

    world.call_in(alice);
    world.run_for(Duration::from_secs(40));

    assert!(world.heard(TRUNK, |event| matches!(event, Event::Answered(_))).is_none());
    assert!(world.heard(ANNA, |event| matches!(event, Event::Incoming(..))).is_none());
    world.assert_rest();
}

// Restarting is no reason to refuse a carrier whose name DNS has not answered for yet.
#[test]
fn a_call_that_comes_before_the_trunk_is_found_is_taken_as_soon_as_it_is() {
    let mut world = World::with(1, |site| {
        site.trunks[0].host = "carrier.example".to_owned();
        site.trunks[0].acl.clear();
    });
    let alice = world.customer(Person::new("alice", super::ALICE));
    world.crash();
    world.net.lookup = Duration::from_millis(1_200);
    world.start();

    let call = world.call_in(alice);
    world.run_for(secs(1));
    assert_eq!(world.ladder.count("ringback", "alice", "401 Unauthorized"), 0, "to her carrier it is a refusal");
    assert!(!world.is_up(TRUNK, call), "nobody knows yet who she is");
    world.run_for(secs(1));

    assert!(world.is_up(TRUNK, call), "her carrier has sent it again");
    world.hang_up(TRUNK, call);
    world.run_for(secs(20));
    world.assert_rest();
}
