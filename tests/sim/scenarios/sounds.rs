//! With packets: what people hear, and what keys they press, through a bad network.

use crate::drive::{ANNA, DORA};
use crate::net::Weather;
use crate::site::secs;
use crate::world::{TRUNK, World};
use ringback::callback::task::TaskState;
use ringback::demo::endpoint::CallId;
use ringback::demo::person::Person;
use std::time::Duration;

fn hears(world: &mut World, station: usize, call: CallId, pitch: u32) -> bool {
    let voice = world.stations[station].endpoint.voice(call).expect("a voice");
    voice.listen_anew();
    world.run_for(secs(2));
    world.stations[station].endpoint.voice(call).expect("a voice").ear().hears(pitch)
}

#[test]
fn both_sides_hear_each_other_whatever_codecs_they_speak() {
    for (phone, carrier) in [(vec![0], vec![0]), (vec![8], vec![8]), (vec![8], vec![0]), (vec![0], vec![8])] {
        let mut world = World::new(1).with_packets();
        world.stations[ANNA].endpoint.config.codecs = phone;
        world.stations[TRUNK].endpoint.config.codecs = carrier;
        world.register(&[ANNA]);
        let alice = world.customer(Person::new("alice", super::ALICE));

        let call = world.joins(alice);
        let ringing = world.rings(ANNA, secs(2));
        world.answer(ANNA, ringing);
        world.run_for(secs(1));

        assert!(hears(&mut world, TRUNK, call, 700), "the customer hears anna");
        assert!(hears(&mut world, ANNA, ringing, 500), "anna hears the customer");
        let gaps = world.stations[TRUNK].endpoint.voice(call).map(|voice| voice.ear().gaps);
        assert_eq!(gaps, Some(0), "law 8: numbers rise by one");
        world.hang_up(TRUNK, call);
        world.run_for(secs(1));
        world.assert_rest();
    }
}

#[test]
fn a_caller_on_hold_hears_music() {
    let mut world = World::new(1).with_packets();
    let alice = world.customer(Person::new("alice", super::ALICE));

    let call = world.joins(alice);
    world.run_for(secs(5));

    let ear = world.stations[TRUNK].endpoint.voice(call).expect("a voice").ear().clone();
    assert!(ear.loud * 10 >= ear.windows * 8, "{ear:?}");
    assert_eq!(ear.gaps, 0);
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));
    world.assert_rest();
}

#[test]
fn two_phones_hear_each_other_and_hold_is_silent() {
    let mut world = World::new(1).with_packets();
    world.register(&[ANNA, DORA]);
    let call = world.dial(DORA, "1001");
    let ringing = world.rings(ANNA, secs(2));
    world.answer(ANNA, ringing);
    world.run_for(secs(1));

    assert!(hears(&mut world, DORA, call, 700));
    assert!(hears(&mut world, ANNA, ringing, 1_300));
    let now = world.now;
    world.stations[ANNA].endpoint.change(now, ringing, ringback::demo::session::Direction::SendOnly);
    world.run_for(secs(1));
    assert!(!hears(&mut world, ANNA, ringing, 1_300), "anna holds");
    let now = world.now;
    world.stations[ANNA].endpoint.change(now, ringing, ringback::demo::session::Direction::SendRecv);
    world.run_for(secs(1));
    assert!(hears(&mut world, ANNA, ringing, 1_300));
    world.hang_up(DORA, call);
    world.run_for(secs(1));
    world.assert_rest();
}

#[test]
fn keys_are_heard_once_through_loss_while_a_prompt_plays() {
    for seed in 1..6 {
        let mut world = World::new(seed).with_packets();
        world.net.rtp_weather =
            Weather { delay: Duration::from_millis(20), jitter: Duration::from_millis(30), loss: 100, duplicates: 50 };
        let alice = world.customer(Person::new("alice", super::ALICE));
        let call = world.joins(alice);
        world.run_for(secs(2));

        for key in "1".chars().chain("2025550199#".chars()) {
            world.press_one(TRUNK, call, key);
            world.run_for(Duration::from_millis(600));
        }
        world.run_for(secs(12));
        world.press_one(TRUNK, call, '1');
        world.run_until("she is sent home", secs(20), |world| !world.is_busy(TRUNK, alice));

        let task = world.tasks().remove(0);
        assert_eq!(task.number.to_string(), "+12025550199", "seed {seed}");
        world.run_for(secs(1));
        world.assert_rest();
    }
}

#[test]
fn a_whole_callback_is_heard_and_taped() {
    let mut world = World::with(1, |site| site.profiles[0].record = true).with_packets();
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    world.run_for(secs(2));
    for key in "1#".chars() {
        world.press_one(TRUNK, call, key);
        world.run_for(secs(1));
    }
    world.run_until("she is sent home", secs(20), |world| !world.is_busy(TRUNK, alice));
    world.register(&[ANNA]);

    let (agent, called) = world.called_back(alice);
    world.answer(TRUNK, called);
    world.run_until("they talk", secs(20), |world| world.ladder.noted("talk").is_some());
    world.run_for(secs(1));
    assert!(hears(&mut world, TRUNK, called, 700));
    assert!(hears(&mut world, ANNA, agent, 500));
    world.run_for(secs(5));
    world.hang_up(ANNA, agent);
    world.run_for(secs(2));

    assert_eq!(world.tasks()[0].state, TaskState::Completed);
    let (left, right) = world.packets.as_ref().expect("packets").tapes.values().next().expect("a tape").clone();
    assert_eq!(left.len(), right.len());
    let talked = world.attempts()[0].talk_secs * 8_000;
    assert!((left.len() as u64).abs_diff(talked) <= 8_000, "law 8: {} samples for {talked}", left.len());
    let loud = |side: &[i16]| side.iter().filter(|sample| sample.unsigned_abs() > 2_000).count() > side.len() / 2;
    assert!(loud(&left) && loud(&right), "both channels carry a voice");
    world.assert_rest();
}
