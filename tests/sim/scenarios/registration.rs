//! Phones register (RFC 3261 §10, RFC 7616).

use crate::drive::{ANNA, BEN};
use crate::site::{PHONES, at, secret, secs};
use crate::world::World;
use ringback::demo::endpoint::Event;
use ringback::demo::person::Person;

fn register(world: &mut World, phone: usize, expires: u32) {
    let now = world.now;
    world.stations[phone].endpoint.register(now, expires);
    world.run_for(secs(2));
}

#[test]
fn a_phone_registers_with_digest_and_its_agent_is_ready() {
    let mut world = World::new(1);

    register(&mut world, ANNA, 3_600);

    assert!(world.heard(ANNA, |event| matches!(event, Event::Registered(3_600))).is_some());
    assert_eq!(world.agent("anna").state, "ready");
    assert_eq!(world.agent("ben").state, "logged_out");
    world.assert_ladder("register");
}

#[test]
fn a_wrong_secret_is_refused_as_if_the_user_were_unknown() {
    let mut world = World::new(1);
    world.stations[ANNA].endpoint.config.credentials = Some(("1001".to_owned(), "guess".to_owned()));
    world.stations[BEN].endpoint.config.user = "9999".to_owned();
    world.stations[BEN].endpoint.config.credentials = Some(("9999".to_owned(), "guess".to_owned()));

    register(&mut world, ANNA, 3_600);
    register(&mut world, BEN, 3_600);

    assert!(world.heard(ANNA, |event| matches!(event, Event::RegisterFailed(_))).is_some());
    assert!(world.heard(BEN, |event| matches!(event, Event::RegisterFailed(_))).is_some());
    assert_eq!(world.agent("anna").state, "logged_out");
    world.assert_ladder("register_wrong_secret");
}

#[test]
fn one_phone_cannot_bind_the_extension_of_another() {
    let mut world = World::new(1);
    world.stations[ANNA].endpoint.config.credentials = Some(("1002".to_owned(), secret("1002")));

    register(&mut world, ANNA, 3_600);

    assert!(world.heard(ANNA, |event| matches!(event, Event::RegisterFailed(_))).is_some());
    assert_eq!(world.agent("anna").state, "logged_out");
    assert_eq!(world.agent("ben").state, "logged_out");
}

#[test]
fn a_brief_registration_is_told_the_least_we_grant() {
    let mut world = World::new(1);

    register(&mut world, ANNA, 30);

    assert!(world.heard(ANNA, |event| matches!(event, Event::Registered(60))).is_some());
    world.assert_ladder("register_too_brief");
}

#[test]
fn a_phone_that_unregisters_is_not_rung_any_more() {
    let mut world = World::new(1);
    world.register(&[ANNA]);
    world.ladder.hides_registrations = false;

    register(&mut world, ANNA, 0);

    assert!(world.heard(ANNA, |event| matches!(event, Event::Registered(0))).is_some());
    assert_eq!(world.agent("anna").state, "unreachable");
    world.assert_ladder("unregister");
}

#[test]
fn a_registration_is_kept_by_refreshing_and_lost_by_silence() {
    let mut world = World::new(1);
    world.register(&[ANNA, BEN]);

    world.run_for(secs(3_000));
    world.stations[BEN].endpoint.quirks.dead = true;
    world.run_for(secs(4_000));

    assert_eq!(world.agent("anna").state, "ready");
    assert_eq!(world.agent("ben").state, "unreachable");
}

#[test]
fn bindings_survive_a_restart() {
    let mut world = World::new(1);
    world.register(&[ANNA]);

    world.crash();
    world.run_for(secs(1));
    world.start();
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    let ringing = world.rings(ANNA, secs(2));
    world.answer(ANNA, ringing);
    world.run_for(secs(10));
    world.hang_up(crate::world::TRUNK, call);

    world.assert_ladder("restart_keeps_bindings");
    world.assert_rest();
}

#[test]
fn a_phone_that_answers_the_challenge_of_an_earlier_life_is_asked_again_and_taken() {
    let mut world = World::new(1);
    register(&mut world, ANNA, 3_600);

    world.crash();
    world.start();
    world.ladder.clear();
    register(&mut world, ANNA, 3_600);

    let granted = world.told.iter().filter(|(_, _, told)| matches!(told.event, Event::Registered(3_600))).count();
    assert_eq!(granted, 2);
    world.assert_ladder("register_after_restart");
}

#[test]
fn a_phone_behind_nat_is_reached_where_it_came_from() {
    let mut world = World::new(1);
    world.net.translate(PHONES[0].2.ip(), at([203, 0, 113, 7], 0).ip());
    world.register(&[ANNA]);

    let alice = world.customer(Person::new("alice", super::ALICE));
    world.joins(alice);
    let ringing = world.rings(ANNA, secs(2));
    world.answer(ANNA, ringing);
    world.run_for(secs(10));
    world.hang_up(ANNA, ringing);
    world.run_for(secs(1));

    assert!(!world.is_busy(crate::world::TRUNK, alice));
    world.assert_ladder("nat");
    world.assert_rest();
}

#[test]
fn two_contacts_of_one_agent_ring_and_the_first_to_answer_has_the_call() {
    let mut world = World::new(1);
    let mobile = world.second_phone(ANNA);
    world.register(&[ANNA, mobile]);

    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    world.rings(ANNA, secs(2));
    let second = world.rings(mobile, secs(25));
    world.answer(mobile, second);
    world.run_for(secs(10));

    assert!(!world.is_busy(ANNA, 0), "the desk phone has stopped ringing");
    world.hang_up(crate::world::TRUNK, call);
    world.run_for(secs(1));
    world.assert_ladder("two_contacts");
    world.assert_rest();
}
