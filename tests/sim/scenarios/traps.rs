//! Traps that other switches have fallen into (model.md, interop traps).

use crate::drive::{ANNA, BEN, DORA};
use crate::site::{at, secs};
use crate::world::{TRUNK, World};
use ringback::callback::task::{Outcome, TaskState};
use ringback::demo::endpoint::Event;
use ringback::demo::person::{Person, Reaction};
use ringback::demo::session::Direction;
use ringback::media::Play;
use std::time::Duration;

// S2.B12: a trunk's ACK that comes late, or not at all, does not keep the callback from being offered.
#[test]
fn a_late_ack_does_not_delay_the_offer() {
    let mut world = World::new(1);
    world.stations[TRUNK].endpoint.quirks.acks_lost = 3;
    let alice = world.customer(Person::new("alice", super::ALICE));

    let call = world.call_in(alice);
    world.run_for(Duration::from_millis(600));
    world.press(TRUNK, call, "1");

    assert!(world.ladder.noted("confirm_number").is_some());
    world.press(TRUNK, call, "#");
    world.run_until("she is sent home", secs(20), |world| !world.is_busy(TRUNK, alice));
    assert_eq!(world.tasks().len(), 1);
    world.run_for(secs(1));
    world.assert_rest();
}

#[test]
fn a_refresh_by_the_carrier_leaves_the_waiting_caller_his_music_and_his_place() {
    let mut world = World::new(1);
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);

    for _ in 0..3 {
        let now = world.now;
        world.stations[TRUNK].endpoint.change(now, call, Direction::SendRecv);
        world.run_for(secs(60));
    }

    assert!(world.heard(TRUNK, |event| matches!(event, Event::ChangeAnswered(_, 200))).is_some());
    let leg = world.leg_of(TRUNK, call).expect("her leg");
    assert!(matches!(world.shard.legs[&leg].play, Some((_, Play::Hold(_)))));
    assert_eq!(world.line().len(), 1);
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));
    world.assert_rest();
}

#[test]
fn a_refused_caller_id_is_told_apart() {
    let mut world = World::new(1);
    let alice = world.promised("alice", super::ALICE);
    let refused = Reaction::Refuse { after: Duration::ZERO, status: 403 };
    world.stations[TRUNK].people[alice].reactions = [refused].into();
    world.register(&[ANNA]);

    let agent = world.rings(ANNA, secs(5));
    world.answer(ANNA, agent);
    world.run_until("anna is free", secs(60), |world| !world.is_busy(ANNA, 0));
    world.run_for(secs(1));

    assert_eq!(world.attempts()[0].outcome, Some(Outcome::CallerIdRefused));
    world.assert_rest();
}

#[test]
fn a_route_strips_and_prepends() {
    let mut world = World::with(1, |site| {
        site.outbound_routes[0].prefix = "+1".to_owned();
        site.outbound_routes[0].strip = 1;
        site.outbound_routes[0].prepend = "00".to_owned();
    });
    let soon = Reaction::Answer { after: secs(2), early: false };
    let alice = world.customer(Person::new("alice", "0012025550123").reacting([soon]));
    world.register(&[DORA]);

    let call = world.dial(DORA, "2025550123");
    world.run_until("they talk", secs(10), |world| world.is_up(DORA, call) && world.is_busy(TRUNK, alice));
    world.run_for(secs(6));
    world.hang_up(DORA, call);
    world.run_for(secs(1));
    world.assert_rest();
}

#[test]
fn a_phone_that_moves_while_it_is_rung_keeps_its_agent() {
    let mut world = World::new(1);
    world.register(&[ANNA]);
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    let ringing = world.rings(ANNA, secs(2));
    let mobile = world.second_phone(ANNA);

    let now = world.now;
    world.stations[mobile].endpoint.register(now, 3_600);
    world.run_for(secs(1));
    world.answer(ANNA, ringing);
    world.run_for(secs(5));

    assert!(world.is_up(TRUNK, call) && world.is_up(ANNA, ringing));
    assert!(!world.is_busy(mobile, 0));
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));
    world.assert_rest();
}

#[test]
fn a_customer_is_called_back_although_the_first_agents_phone_is_dead() {
    let mut world = World::new(1);
    let alice = world.promised("alice", super::ALICE);
    world.register(&[ANNA]);
    world.stations[ANNA].endpoint.quirks.dead = true;
    world.run_for(secs(2));
    world.register(&[BEN]);

    let agent = world.rings(BEN, secs(60));
    world.answer(BEN, agent);
    let call = world.rings_at(alice, secs(20));
    world.answer(TRUNK, call);
    world.run_for(secs(8));
    world.hang_up(BEN, agent);
    world.run_for(secs(2));

    assert_eq!(world.tasks()[0].state, TaskState::Completed);
    assert_eq!(world.tasks()[0].attempts_used, 1);
    world.stations[ANNA].endpoint.quirks.dead = false;
}

#[test]
fn a_stranger_with_the_right_tags_ends_nobodys_call() {
    let mut world = World::new(1);
    world.register(&[ANNA]);
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    let ringing = world.rings(ANNA, secs(2));
    world.answer(ANNA, ringing);
    world.run_for(secs(5));

    // The carrier's own BYE, word for word, from an address that is not the carrier's (security.md T18).
    world.net.translate(crate::site::CARRIER.ip(), at([203, 0, 113, 66], 0).ip());
    let now = world.now;
    world.stations[TRUNK].endpoint.hang_up(now, call);
    world.run_for(secs(3));

    assert!(world.is_up(ANNA, ringing));
    world.hang_up(ANNA, ringing);
    world.run_for(secs(40));
    assert!(!world.is_busy(ANNA, 0));
}

#[test]
fn bad_weather_changes_no_story() {
    for seed in 1..6 {
        let mut world = World::new(seed);
        world.net.weather.loss = 150;
        world.net.weather.duplicates = 100;
        world.net.weather.jitter = Duration::from_millis(40);
        let soon = Reaction::Answer { after: secs(3), early: false };
        let alice = world.customer(Person::new("alice", super::ALICE).reacting([soon.clone()]));
        world.stations[ANNA].people[0].reactions = [soon].into();
        world.stations[ANNA].people[0].talk = Some(secs(8));
        let call = world.call_in(alice);
        world.run_until("she waits", secs(30), |world| world.is_up(TRUNK, call));
        world.run_for(secs(2));
        world.press(TRUNK, call, "1#");
        world.run_until("she is sent home", secs(60), |world| !world.is_busy(TRUNK, alice));

        let now = world.now;
        world.stations[ANNA].endpoint.register(now, 3_600);
        world.run_until("the promise is kept", secs(120), |world| world.tasks()[0].state == TaskState::Completed);

        assert_eq!(world.attempts().len(), 1, "seed {seed}");
        world.run_for(secs(60));
        world.assert_rest();
    }
}
