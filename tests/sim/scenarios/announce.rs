//! Between the music: the welcome, the place in line, the expected wait, a comforting word, and the offer.

use crate::drive::ANNA;
use crate::media::length_of;
use crate::products::{mikopbx, portsip};
use crate::site::secs;
use crate::world::{TRUNK, World};
use ringback::demo::endpoint::CallId;
use ringback::demo::person::{Person, Reaction};
use ringback::id::LegRef;
use ringback::media::Play;
use ringback::settings::*;
use std::time::Duration;

/// Somebody in line, and his leg.
fn joins(world: &mut World, name: &str, number: &str) -> (CallId, LegRef) {
    let customer = world.customer(Person::new(name, number));
    let call = world.joins(customer);
    (call, world.leg_of(TRUNK, call).expect("a leg"))
}

/// Lets time pass until the leg has been heard something for so long.
fn until(world: &mut World, leg: LegRef, waited: u64) {
    let first = world.shard.heard.iter().find(|(_, to, _)| *to == leg).expect("something to hear").0;
    let left = (first + secs(waited)).since(world.now);
    world.run_for(left);
}

fn words(said: &[(f64, &str)]) -> Vec<(f64, String)> {
    said.iter().map(|(at, words)| (*at, (*words).to_owned())).collect()
}

/// One voice at a time: nothing begins before what was said last is over, and after each word there is music.
fn assert_one_voice(world: &World, leg: LegRef) {
    let runs: Vec<_> = world.shard.heard.iter().filter(|(_, to, _)| *to == leg).collect();
    for pair in runs.windows(2) {
        let (Play::Clips { clips, then }, at) = (&pair[0].2, pair[0].0) else { continue };
        let length: Duration = clips.iter().map(|clip| length_of(clip)).sum();
        assert!(pair[1].0 >= at + length, "{:?} cuts {:?} off", pair[1].2, pair[0].2);
        assert!(then.is_some(), "no music after {clips:?}");
    }
}

fn end(world: &mut World, calls: &[CallId]) {
    calls.iter().for_each(|call| world.hang_up(TRUNK, *call));
    world.run_for(secs(1));
    world.assert_rest();
}

fn spoken_by(world: &World, clip: &str) -> usize {
    let says = |play: &Play| matches!(play, Play::Clips { clips, .. } if clips.iter().any(|it| &**it == clip));
    world.shard.heard.iter().filter(|(_, _, play)| says(play)).count()
}

// S1.B7: the welcome and the place are heard on joining, by the caller who joins and by nobody else.
#[test]
fn a_caller_is_welcomed_and_told_his_place() {
    let mut world = World::with(1, |site| {
        site.queues[0].welcome = Sound::Prompt("greeting".into());
        site.queues[0].announce_position = AnnouncePosition::OnJoin;
    });
    let (first, alice) = joins(&mut world, "alice", super::ALICE);
    until(&mut world, alice, 10);
    let (second, bob) = joins(&mut world, "bob", super::BOB);
    until(&mut world, bob, 60);

    assert_eq!(world.words(alice), words(&[(0.0, "greeting position digit_1")]));
    assert_eq!(world.words(bob), words(&[(0.0, "greeting position digit_2")]));
    assert_one_voice(&world, bob);

    world.register(&[ANNA]);
    let agent = world.rings(ANNA, secs(1));
    world.answer(ANNA, agent);
    assert_eq!(spoken_by(&world, "greeting"), 2, "the agent hears none of it");
    world.assert_ladder("welcome");
    world.hang_up(ANNA, agent);
    end(&mut world, &[second]);
    let _ = first;
}

// S1.B7: position every 30 s: to the second, and it counts down when the line moves.
#[test]
fn the_place_is_said_every_thirty_seconds() {
    let mut world = World::with(1, |site| site.queues[0].announce_position = AnnouncePosition::Periodic);
    let (first, _) = joins(&mut world, "alice", super::ALICE);
    let (second, bob) = joins(&mut world, "bob", super::BOB);

    until(&mut world, bob, 70);
    world.hang_up(TRUNK, first);
    until(&mut world, bob, 100);

    let place = [(30.0, "position digit_2"), (60.0, "position digit_2"), (90.0, "position digit_1")];
    assert_eq!(world.words(bob), words(&place));
    assert_one_voice(&world, bob);
    end(&mut world, &[second]);
}

// S1.B7: estimated wait yes: nothing is said while it is not known, then minutes, rounded up.
#[test]
fn the_expected_wait_is_said_once_it_is_known() {
    let mut world = World::with(1, |site| {
        site.queues[0].announce_ewt = true;
        site.queues[0].ewt_round = secs(60);
        site.queues[0].wrap_up = secs(1);
    });
    let (_, carol) = joins(&mut world, "carol", super::CAROL);
    world.register(&[ANNA]);
    let agent = world.rings(ANNA, secs(1));
    world.answer(ANNA, agent);
    let (second, bob) = joins(&mut world, "bob", super::BOB);
    let (third, alice) = joins(&mut world, "alice", super::ALICE);
    until(&mut world, alice, 59);
    assert!(world.spoken(bob).is_empty() && world.spoken(carol).is_empty(), "one service says nothing about the next");

    // The second service begins a minute after the first: the next is expected within one and a half.
    world.hang_up(ANNA, agent);
    let agent = world.rings(ANNA, secs(5));
    world.answer(ANNA, agent);
    until(&mut world, alice, 95);

    assert_eq!(world.words(alice), words(&[(90.0, "expected_wait digit_2 minutes")]));
    world.hang_up(ANNA, agent);
    let agent = world.rings(ANNA, secs(5));
    world.answer(ANNA, agent);
    end(&mut world, &[third]);
    let _ = second;
}

// S3.14: individual queues have their own prompt and interval.
#[test]
fn each_queue_has_a_comforting_word_of_its_own() {
    let mut world = World::with(1, |site| {
        site.queues[0].periodic_prompt = Sound::Prompt("patience".into());
        site.queues[0].periodic_interval = secs(45);
        let sales = Queue {
            periodic_prompt: Sound::Prompt("offers".into()),
            periodic_interval: secs(20),
            ..Queue::named("sales", "5001")
        };
        site.queues.push(sales);
        let route = InboundRoute {
            did: DidPattern::Exact("+12025550101".to_owned()),
            to: Destination::Queue("sales".into()),
            ..site.inbound_routes[0].clone()
        };
        site.inbound_routes.push(route);
    });
    let (first, alice) = joins(&mut world, "alice", super::ALICE);
    let bob = world.customer(Person::new("bob", super::BOB));
    let now = world.now;
    let second = world.stations[TRUNK].dial(now, bob, "+12025550101");
    world.run_for(secs(1));
    let bob = world.leg_of(TRUNK, second).expect("a leg");

    until(&mut world, alice, 100);

    assert_eq!(world.words(alice), words(&[(45.0, "patience"), (90.0, "patience")]));
    assert_eq!(world.words(bob)[..3], words(&[(20.0, "offers"), (40.0, "offers"), (60.0, "offers")]));
    end(&mut world, &[first, second]);
}

/// A caller whom the only agent has declined: she is idle, and still he waits.
fn declined(world: &mut World) -> (CallId, LegRef) {
    world.register(&[ANNA]);
    let (call, leg) = joins(world, "alice", super::ALICE);
    let ringing = world.rings(ANNA, secs(1));
    world.refuse(ANNA, ringing, 603);
    assert_eq!(world.agent("anna").state, "ready");
    (call, leg)
}

fn announcing(site: &mut Settings) {
    mikopbx(site);
    site.queues[0].periodic_prompt = Sound::BuiltIn;
    site.queues[0].periodic_interval = secs(30);
    site.rules[0].triggers = vec![Trigger::Announced];
    site.rules[0].offer_after = secs(20);
    site.rules[0].offer_repeat = Some(secs(60));
    site.agents[0].decline_cooldown = secs(0);
}

// S3.15: the notification is played only when all employees are busy: with one idle agent it never is.
#[test]
fn nothing_is_offered_while_an_agent_is_free() {
    let mut world = World::with(1, announcing);
    let (call, alice) = declined(&mut world);

    until(&mut world, alice, 200);
    assert_eq!(world.spoken(alice), [""; 0]);

    // She is not free any more: seen within five seconds.
    world.dial(ANNA, "*46");
    world.run_for(secs(8));
    assert_eq!(world.spoken(alice)[0], "offer");
    end(&mut world, &[call]);
}

// S2.12, S2.14: the offer begins 600 s after joining, what else is said makes room; ignoring it costs nothing.
#[test]
fn the_offer_is_made_to_the_second() {
    let mut world = World::with(1, |site| {
        portsip(site);
        site.rules[0].triggers = vec![Trigger::AfterWait];
        site.queues[0].announce_interval = secs(30);
        site.queues[0].announce_position = AnnouncePosition::Periodic;
        site.queues[0].periodic_prompt = Sound::BuiltIn;
        site.queues[0].periodic_interval = secs(59);
    });
    let (first, alice) = joins(&mut world, "alice", super::ALICE);
    let (second, _) = joins(&mut world, "bob", super::BOB);

    until(&mut world, alice, 640);
    let said: Vec<(f64, String)> = world.words(alice).into_iter().filter(|(at, _)| *at > 589.0).collect();
    assert_eq!(said[0], (600.0, "offer_before digit_3".to_owned()));
    assert_eq!(said[1].1, "position digit_1", "due at 590, it has made room");
    assert_one_voice(&world, alice);

    // S2.14: no key for a minute: still first, and the offer is not made again.
    until(&mut world, alice, 700);
    let line: Vec<String> = world.line().into_iter().map(|it| it.number).collect();
    assert_eq!(line, [super::ALICE, super::BOB]);
    assert_eq!(spoken_by(&world, "offer_before"), 2, "to each of the two once");
    assert!(world.tasks().is_empty());
    end(&mut world, &[first, second]);
}

// S2.13, S2.15: before the offer key 3 does nothing; after it, it leads to the confirm prompt as in S2.7.
#[test]
fn after_the_offer_the_key_asks_for_the_number_and_before_it_does_nothing() {
    let mut world = World::with(1, |site| {
        portsip(site);
        site.rules[0].triggers = vec![Trigger::AfterWait];
        site.rules[0].offer_after = secs(60);
    });
    let (call, alice) = joins(&mut world, "alice", super::ALICE);
    until(&mut world, alice, 10);
    world.press(TRUNK, call, "3");
    until(&mut world, alice, 59);
    assert_eq!(world.spoken(alice), [""; 0]);

    until(&mut world, alice, 70);
    world.press(TRUNK, call, "3");
    assert_eq!(world.spoken(alice), ["offer_before digit_3", "confirm_number"]);
    world.press(TRUNK, call, "#");
    world.run_until("she is sent home", secs(20), |world| world.tasks().len() == 1 && !world.is_up(TRUNK, call));
    assert_eq!(world.tasks()[0].number.to_string(), super::ALICE);
    world.run_for(secs(1));
    world.assert_ladder("offer_after_wait");
    world.assert_rest();
}

// S3.16: pressing the key while the phrase that invites to it is still being said works.
#[test]
fn the_key_works_during_the_phrase() {
    let mut world = World::with(1, |site| {
        announcing(site);
        site.rules[0].number_capture = NumberCapture::ConfirmOrEnter;
    });
    let (call, alice) = joins(&mut world, "alice", super::ALICE);

    until(&mut world, alice, 21);
    assert_eq!(world.words(alice), words(&[(20.0, "offer")]), "a phrase of two seconds, half of it said");
    world.press(TRUNK, call, "1");
    assert_eq!(world.spoken(alice), ["offer", "confirm_number"]);
    world.press(TRUNK, call, "*");
    until(&mut world, alice, 90);

    // Back on hold the music goes on, and what is due is said again.
    let said = world.words(alice);
    assert_eq!(said[2].1, "back_to_hold");
    assert!(said.iter().any(|(at, words)| *at == 80.0 && words == "offer"), "{said:?}");
    end(&mut world, &[call]);
}

// S3.16, S3.11: where one key is enough, it is in the middle of the phrase as well.
#[test]
fn one_key_during_the_phrase_is_enough() {
    let mut world = World::with(1, announcing);
    let (call, alice) = joins(&mut world, "alice", super::ALICE);

    until(&mut world, alice, 21);
    world.press(TRUNK, call, "1");

    assert_eq!(world.words(alice)[0], (20.0, "offer".to_owned()));
    assert_eq!(world.words(alice)[1].1, "accepted goodbye");
    assert!(world.words(alice)[1].0 < 22.0, "it has cut the phrase short: {:?}", world.words(alice));
    world.run_until("she is sent home", secs(10), |world| !world.is_up(TRUNK, call));
    assert_eq!(world.tasks().len(), 1);
    world.assert_rest();
}

#[test]
fn nothing_is_said_over_the_dialogue_or_while_an_agent_rings() {
    let mut world = World::with(1, |site| {
        site.queues[0].announce_position = AnnouncePosition::Periodic;
        site.queues[0].announce_interval = secs(10);
    });
    let (call, alice) = joins(&mut world, "alice", super::ALICE);
    until(&mut world, alice, 9);
    world.press(TRUNK, call, "1");
    until(&mut world, alice, 15);
    world.press(TRUNK, call, "*");
    until(&mut world, alice, 23);
    world.register(&[ANNA]);
    world.rings(ANNA, secs(1));
    until(&mut world, alice, 37);

    let said: Vec<String> = world.spoken(alice);
    assert_eq!(said, ["confirm_number", "back_to_hold", "position digit_1"]);
    assert!(world.words(alice)[2].0 < 23.0, "between the two");
    end(&mut world, &[call]);
}

#[test]
fn an_agent_who_answers_breaks_into_whatever_is_said() {
    let mut world = World::with(1, |site| {
        site.queues[0].announce_position = AnnouncePosition::Periodic;
        site.queues[0].announce_interval = secs(10);
    });
    let (call, alice) = joins(&mut world, "alice", super::ALICE);
    until(&mut world, alice, 9);
    world.run_for(Duration::from_millis(980));
    world.register(&[ANNA]);
    let agent = world.at(ANNA);
    assert_eq!(world.words(alice), words(&[(10.0, "position digit_1")]), "it has just begun");
    world.answer(ANNA, agent);
    assert!(world.shard.legs[&alice].bridged.is_some());
    world.run_for(secs(60));
    assert_eq!(world.spoken(alice).len(), 1, "and nothing is said into the talk");
    end(&mut world, &[call]);
}

// C3: an offer because of a long expected wait, as soon as that is known; not before, and not for a short one.
#[test]
fn a_long_expected_wait_makes_the_offer() {
    for (min_ewt, offered) in [(50, true), (7_200, false)] {
        let mut world = World::with(1, |site| {
            site.rules[0].triggers = vec![Trigger::Ewt];
            site.rules[0].min_ewt = secs(min_ewt);
            site.queues[0].wrap_up = secs(1);
        });
        let (_, _) = joins(&mut world, "carol", super::CAROL);
        world.register(&[ANNA]);
        let agent = world.rings(ANNA, secs(1));
        world.answer(ANNA, agent);
        let (_, bob) = joins(&mut world, "bob", super::BOB);
        world.run_for(secs(40));
        let (call, alice) = joins(&mut world, "alice", super::ALICE);
        until(&mut world, alice, 30);
        assert!(world.spoken(bob).is_empty() && world.spoken(alice).is_empty(), "nobody knows how long");

        world.hang_up(ANNA, agent);
        let agent = world.rings(ANNA, secs(5));
        world.answer(ANNA, agent);
        world.run_for(secs(6));

        assert_eq!(world.spoken(alice), if offered { vec!["offer"] } else { vec![] });
        world.press(TRUNK, call, "1");
        assert_eq!(world.spoken(alice).len(), if offered { 2 } else { 0 }, "the key works from the offer on");
        world.hang_up(TRUNK, call);
        world.hang_up(ANNA, agent);
        world.run_for(secs(5));
        world.assert_rest();
    }
}

// S1.B7: language: the clips of the queue's language are asked for.
#[test]
fn a_queue_speaks_its_language() {
    let mut world = World::with(1, |site| {
        site.queues[0].language = "de".to_owned();
        site.profiles[0].customer_prompt = Sound::BuiltIn;
        site.profiles[0].record = true;
        site.queues[0].announce_position = AnnouncePosition::OnJoin;
    });
    let (call, alice) = joins(&mut world, "alice", super::ALICE);
    until(&mut world, alice, 5);
    world.press(TRUNK, call, "1#");
    world.run_for(secs(2));

    let said = world.spoken(alice);
    assert_eq!(said, ["de/position de/digit_1", "de/confirm_number", "de/accepted de/goodbye"]);
    world.run_for(secs(5));

    // To the end of what he asked for; the agent is spoken to in ours.
    world.stations[TRUNK].people[0].reactions = [Reaction::Ring { early: false }].into();
    world.register(&[ANNA]);
    let (agent, called) = world.called_back(0);
    world.answer(TRUNK, called);
    let called = world.leg_of(TRUNK, called).expect("a leg");
    assert_eq!(world.spoken(called), ["de/welcome_callback de/recorded_notice"]);
    assert!(spoken_by(&world, "agent_callback") == 1, "anna's prompt");
    world.run_for(secs(10));
    world.hang_up(ANNA, agent);
    world.run_for(secs(1));
    world.assert_rest();
}
