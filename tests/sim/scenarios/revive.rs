//! Talks that outlive the process: `kill -9`, and both go on talking (durability.md P8).

use crate::drive::{ANNA, BEN, DORA};
use crate::site::secs;
use crate::world::{TRUNK, World};
use ringback::callback::task::{HoldReason, Outcome, TaskState};
use ringback::demo::codec::Message;
use ringback::demo::endpoint::{CallId, Endpoint, Event};
use ringback::demo::person::Person;
use ringback::demo::session::Direction;
use ringback::id::LegRef;
use ringback::switch::command::{Command, PageOf, Reply};
use ringback::switch::view;
use ringback::time::Tick;
use std::time::Duration;

/// Alice has rung in and talks with anna: her call, and anna's.
fn talking(world: &mut World) -> (CallId, CallId) {
    world.register(&[ANNA]);
    let alice = world.customer(Person::new("alice", super::ALICE));
    let caller = world.joins(alice);
    let agent = world.rings(ANNA, secs(5));
    world.answer(ANNA, agent);
    world.run_for(secs(3));
    (caller, agent)
}

/// Anna calls alice back, and they talk: alice's call, and anna's.
fn called_back(world: &mut World) -> (CallId, CallId) {
    let alice = world.promised("alice", super::ALICE);
    world.register(&[ANNA]);
    let (agent, customer) = world.called_back(alice);
    world.answer(TRUNK, customer);
    world.run_for(secs(3));
    (customer, agent)
}

/// `kill -9`, and a supervisor that needs `away`.
fn killed(world: &mut World, away: Duration) {
    assert!(world.disk.pending.is_empty(), "everything is on the disk");
    world.crash();
    world.run_for(away);
    world.start();
}

/// What is at this station forgets its calls.
fn reboots(world: &mut World, station: usize) {
    let entropy = world.entropy.fork();
    let endpoint = &mut world.stations[station].endpoint;
    let quirks = endpoint.quirks.clone();
    *endpoint = Endpoint::new(endpoint.config.clone(), entropy);
    endpoint.quirks = quirks;
}

fn legs(world: &World, a: CallId, b: CallId) -> Option<(LegRef, LegRef)> {
    Some((world.leg_of(TRUNK, a)?, world.leg_of(ANNA, b)?))
}

/// Whether the two hear each other, as the shard knows it.
fn joined(world: &World, a: CallId, b: CallId) -> bool {
    legs(world, a, b).is_some_and(|(a, b)| world.shard.legs[&a].bridged == Some(b))
}

fn ports(world: &World, a: CallId, b: CallId) -> (u16, u16) {
    let (a, b) = legs(world, a, b).expect("both have a leg");
    (world.shard.legs[&a].port, world.shard.legs[&b].port)
}

fn calls(world: &mut World) -> Vec<view::Call> {
    match world.ask(Command::ListCalls(PageOf::default())) {
        Reply::Calls(page) => page.items,
        other => panic!("{other:?}"),
    }
}

fn was_told(world: &World, station: usize, wanted: impl Fn(&Event) -> bool) -> Option<Tick> {
    world.heard(station, wanted)
}

#[test]
fn a_caller_and_an_agent_go_on_talking_after_a_kill() {
    let mut world = World::new(1);
    let (caller, agent) = talking(&mut world);
    let before = ports(&world, caller, agent);
    let [call] = &calls(&mut world)[..] else { panic!("one call") };
    let (id, answered_at) = (call.id, call.answered_at);
    world.run_for(secs(1));

    killed(&mut world, secs(2));

    assert!(joined(&world, caller, agent), "they hear each other before anybody has answered");
    assert_eq!(ports(&world, caller, agent), before);
    world.run_for(Duration::from_millis(100));
    let [call] = &calls(&mut world)[..] else { panic!("one call") };
    assert_eq!((call.id, call.state, call.answered_at), (id, "talking", answered_at));
    assert_eq!(call.agent.as_deref(), Some("anna"));
    assert_eq!(world.agent("anna").state, "queue_call");
    world.run_for(secs(30));
    assert!(joined(&world, caller, agent));
    world.hang_up(TRUNK, caller);
    world.run_for(secs(1));
    assert!(!world.is_busy(ANNA, 0), "law 3");
    assert_eq!(world.agent("anna").state, "wrap_up");
    assert!(world.disk.talks.is_empty());
    world.assert_ladder("revive_caller");
    world.assert_rest();
}

#[test]
fn a_callback_goes_on_as_the_same_attempt() {
    let mut world = World::with(1, |site| {
        site.profiles[0].record = true;
        site.profiles[0].success_min_talk = secs(20);
    });
    let (customer, agent) = called_back(&mut world);
    world.run_for(secs(10));
    let [attempt] = &world.attempts()[..] else { panic!("one attempt") };
    let (attempt, first) = (attempt.id, world.disk.recordings.keys().next().copied().expect("a tape"));
    world.press(ANNA, agent, "*1"); // A card number is about to be said.
    world.run_for(secs(1));

    killed(&mut world, secs(2));

    assert!(joined(&world, customer, agent));
    let second = world.shard.tapes.keys().next().copied().expect("a tape runs");
    assert!(world.shard.paused_tapes.contains(&second), "it is still being said");
    world.run_for(secs(8));
    assert_eq!(world.tasks()[0].state, TaskState::Reserving, "under way, as it was stored");
    assert_eq!(world.callbacks()[0].task.state, TaskState::Talking);
    world.press(ANNA, agent, "*2");
    world.hang_up(TRUNK, customer);
    world.run_for(secs(2));

    let [closed] = &world.attempts()[..] else { panic!("still one attempt") };
    assert_eq!((closed.id, closed.outcome), (attempt, Some(Outcome::Success)), "the talk before the kill counts");
    assert!(closed.talk_secs >= 20, "{}", closed.talk_secs);
    assert_eq!(world.tasks()[0].state, TaskState::Completed);
    assert_ne!(first, second);
    let tapes: Vec<_> = world.disk.recordings.values().map(|tape| (tape.call, tape.task)).collect();
    assert_eq!(tapes.len(), 2);
    assert_eq!(tapes[0], tapes[1], "both parts belong to one call and one callback");
    assert_eq!(closed.recording, Some(second));
    world.assert_ladder("revive_callback");
    world.assert_rest();
}

#[test]
fn a_caller_whose_agent_is_gone_waits_again_at_his_old_place() {
    let mut world = World::new(1);
    let (caller, _) = talking(&mut world);
    let bob = world.customer(Person::new("bob", super::BOB));
    world.joins(bob);
    world.run_for(secs(5));
    world.crash();
    reboots(&mut world, ANNA);
    world.run_for(secs(1));
    world.start();
    world.run_for(secs(1));

    let line: Vec<String> = world.line().into_iter().map(|waiting| waiting.number).collect();
    assert_eq!(line, [super::ALICE, super::BOB]);
    assert!(world.is_up(TRUNK, caller));
    world.register(&[BEN]);
    let other = world.rings(BEN, secs(5));
    world.answer(BEN, other);
    world.run_for(secs(2));
    assert_eq!(calls(&mut world).iter().filter(|call| call.agent.as_deref() == Some("ben")).count(), 1);
    world.hang_up(BEN, other);
    world.run_for(secs(1));
    assert!(!world.is_up(TRUNK, caller));
}

#[test]
fn an_agent_whose_customer_is_gone_is_let_go() {
    let mut world = World::new(1);
    let (_, agent) = called_back(&mut world);
    world.crash();
    reboots(&mut world, TRUNK);
    world.run_for(secs(1));
    world.start();
    world.run_for(secs(1));

    assert!(!world.is_up(ANNA, agent), "law 3");
    let [attempt] = &world.attempts()[..] else { panic!("one attempt") };
    assert_eq!(attempt.outcome, Some(Outcome::SystemRestart), "nobody knows what they have said");
    let task = &world.tasks()[0];
    assert_eq!((task.state, task.hold_reason), (TaskState::Blocked, Some(HoldReason::LostAfterAnswer)));
    world.assert_ladder("revive_customer_gone");
    world.assert_rest();
}

#[test]
fn of_whom_nothing_is_heard_for_a_while_is_gone() {
    let mut world = World::new(1);
    let (caller, agent) = talking(&mut world);
    world.crash();
    world.cut(TRUNK);
    world.stations[TRUNK].endpoint.quirks.dead = true;
    world.start();
    let begun = world.now;
    world.run_for(secs(10));

    let told = was_told(&world, ANNA, |event| matches!(event, Event::Ended(it, _) if *it == agent)).expect("a BYE");
    assert_eq!(told.since(begun), Duration::from_millis(4_510));
    world.stations[TRUNK].endpoint.quirks.dead = false;
    world.hang_up(TRUNK, caller);
    world.assert_rest();
}

#[test]
fn a_change_that_crosses_ours_is_tried_again_and_both_go_on() {
    let mut world = World::new(1);
    let (caller, agent) = talking(&mut world);
    world.crash();
    world.start();
    // Both re-INVITEs are under way at once: each side answers 491 (RFC 3261 §14.1).
    let now = world.now;
    world.stations[TRUNK].endpoint.change(now, caller, Direction::SendRecv);
    world.run_for(secs(6));

    assert!(was_told(&world, TRUNK, |event| matches!(event, Event::ChangeAnswered(_, 491))).is_some());
    assert!(joined(&world, caller, agent) && world.is_up(TRUNK, caller) && world.is_up(ANNA, agent));
    world.hang_up(ANNA, agent);
    world.run_for(secs(1));
    world.assert_ladder("revive_glare");
    world.assert_rest();
}

#[test]
fn lost_requests_are_repeated_until_both_have_answered() {
    let mut world = World::new(1);
    let (caller, agent) = talking(&mut world);
    world.crash();
    world.net.lose_next("INVITE", 4); // Both, twice.
    world.start();
    world.run_for(Duration::from_millis(1_550));

    assert_eq!(world.ladder.count("ringback", "alice", "INVITE"), 3);
    let both = |world: &World| joined(world, caller, agent) && world.is_up(TRUNK, caller) && world.is_up(ANNA, agent);
    assert!(both(&world));
    world.run_for(secs(40));
    assert!(both(&world));
    world.hang_up(ANNA, agent);
    world.assert_rest();
}

#[test]
fn killed_again_and_again_they_still_talk() {
    for pause in [0, 5, 30, 2_000] {
        let mut world = World::new(pause);
        let (customer, agent) = called_back(&mut world);
        for _ in 0..3 {
            world.crash();
            world.run_for(Duration::from_millis(300));
            world.start();
            world.run_for(Duration::from_millis(pause));
        }
        world.run_for(secs(40));

        assert!(joined(&world, customer, agent), "killed every {pause} ms");
        world.hang_up(TRUNK, customer);
        world.run_for(secs(2));
        let [attempt] = &world.attempts()[..] else { panic!("one attempt") };
        assert_eq!(attempt.outcome, Some(Outcome::Success), "killed every {pause} ms");
        let rung = world.told.iter().filter(|(_, at, told)| *at == TRUNK && matches!(told.event, Event::Incoming(..)));
        assert_eq!(rung.count(), 1, "she is rung once");
        world.assert_rest();
    }
}

#[test]
fn after_a_minute_nobody_is_there_any_more() {
    for (away, goes_on) in [(secs(48), true), (secs(62), false)] {
        let mut world = World::new(1);
        let (caller, agent) = talking(&mut world);
        world.run_for(secs(600)); // What counts is the last sign of life, not when they were joined.

        killed(&mut world, away);
        world.run_for(secs(1));

        assert_eq!(joined(&world, caller, agent), goes_on, "away for {away:?}");
        assert_eq!((world.is_up(TRUNK, caller), world.is_up(ANNA, agent)), (goes_on, goes_on));
        assert_eq!(world.disk.talks.is_empty(), !goes_on);
        if goes_on {
            world.hang_up(TRUNK, caller);
        }
        world.assert_rest();
    }
}

#[test]
fn who_was_held_is_still_held() {
    let mut world = World::new(1);
    let (caller, agent) = talking(&mut world);
    let now = world.now;
    world.stations[ANNA].endpoint.change(now, agent, Direction::SendOnly);
    world.run_for(secs(1));

    killed(&mut world, secs(1));
    world.run_for(secs(1));

    let (a, _) = legs(&world, caller, agent).expect("both have a leg");
    assert!(world.shard.legs[&a].play.is_some(), "she hears music");
    assert_eq!(world.shard.legs[&a].bridged, None);
    let now = world.now;
    world.stations[ANNA].endpoint.change(now, agent, Direction::SendRecv);
    world.run_for(secs(1));
    assert!(joined(&world, caller, agent));
    world.hang_up(TRUNK, caller);
    world.assert_rest();
}

#[test]
fn a_bye_that_comes_meanwhile_finds_its_talk() {
    let mut world = World::new(1);
    let (caller, agent) = talking(&mut world);
    world.crash();
    world.run_for(secs(1));
    world.net.lose_next("481 Call/Transaction Does Not Exist", 1);
    world.start();
    world.hang_up(TRUNK, caller);
    world.run_for(secs(2));

    assert!(!world.is_up(ANNA, agent));
    assert_eq!(world.agent("anna").state, "wrap_up");
    let [call] = &calls(&mut world)[..] else { panic!("one call") };
    assert_eq!(call.end_cause, Some("caller_hung_up"));
    world.assert_rest();
}

#[test]
fn two_phones_of_ours_go_on_talking() {
    let mut world = World::new(1);
    world.register(&[ANNA, DORA]);
    let from = world.dial(DORA, "1001");
    let to = world.rings(ANNA, secs(5));
    world.answer(ANNA, to);
    world.run_for(secs(3));

    killed(&mut world, secs(1));
    world.run_for(secs(5));

    assert!(world.is_up(DORA, from) && world.is_up(ANNA, to));
    let leg = world.leg_of(ANNA, to).expect("a leg");
    assert_eq!(world.shard.legs[&leg].bridged, world.leg_of(DORA, from));
    world.hang_up(DORA, from);
    world.assert_rest();
}

#[test]
fn phones_stay_bound_and_nothing_is_asked_of_them() {
    let mut world = World::new(1);
    world.register(&[ANNA, BEN, DORA]);
    let before = world.ladder.count("ringback", "anna", "OPTIONS");

    killed(&mut world, secs(1));
    world.ladder.clear();
    world.run_for(secs(5));

    for phone in ["anna", "ben", "dora"] {
        assert_eq!(world.agent(phone).state, "ready", "{phone}");
        assert_eq!(world.ladder.count("ringback", phone, "OPTIONS"), before);
    }
}

/// The next life has asked, and dies before it hears the answer: without its ACK (RFC 3261 §14.2) the far end ends the
/// session after 32 s.
#[test]
fn an_answer_to_the_last_life_is_acknowledged_by_the_next() {
    let mut world = World::new(1);
    let (caller, agent) = talking(&mut world);
    killed(&mut world, secs(1));
    world.run_for(Duration::from_millis(15));
    world.crash();
    world.ladder.clear();
    world.start();
    world.run_for(secs(40));

    for peer in ["alice", "anna"] {
        assert_eq!(world.ladder.count(peer, "ringback", "200 OK"), 1, "{peer} repeats nothing");
        assert_eq!(world.ladder.count("ringback", peer, "ACK"), 2, "{peer}");
    }
    assert!(joined(&world, caller, agent) && world.is_up(TRUNK, caller) && world.is_up(ANNA, agent));
    world.hang_up(TRUNK, caller);
    world.assert_rest();
}

/// RFC 3264 §8, RFC 3261 §12.2.2: a peer does not heed a description whose version it has seen, nor a request whose
/// number is not above the last; whatever a clock says, and however short a life was.
#[test]
fn every_life_goes_on_with_higher_numbers() {
    for (lives, clock) in [(secs(1), -20), (Duration::from_millis(1), 0), (secs(1), 3_600)] {
        let mut world = World::new(1);
        let (caller, agent) = talking(&mut world);
        world.ladder.clear();
        for _ in 0..3 {
            world.crash_keeping(0);
            world.run_for(Duration::from_millis(40));
            world.start();
            world.set_clock(chrono::TimeDelta::seconds(clock.min(0)));
            world.run_for(lives);
        }
        world.run_for(secs(5));

        for peer in ["alice", "anna"] {
            let asked = world.ladder.all("ringback", peer, "INVITE");
            let mut numbers: Vec<(u32, u64)> = asked.iter().map(|it| (it.cseq().0, version(it))).collect();
            numbers.dedup();
            assert!(numbers.len() >= 3, "{peer} {numbers:?}");
            let rises = |pair: &[(u32, u64)]| pair[0].0 < pair[1].0 && pair[0].1 < pair[1].1;
            assert!(numbers.windows(2).all(rises), "{peer} {lives:?} {clock} {numbers:?}");
        }
        world.hang_up(TRUNK, caller);
        world.hang_up(ANNA, agent);
        world.assert_rest();
    }
}

/// The version of what a message describes.
fn version(message: &Message) -> u64 {
    let body = String::from_utf8(message.body.clone()).expect("text");
    let origin = body.lines().find_map(|line| line.strip_prefix("o=")).expect("an origin");
    origin.split(' ').nth(2).expect("a version").parse().expect("a number")
}

/// What the disk has kept of a talk, changed by hand.
fn tamper(world: &mut World, change: impl Fn(&mut serde_json::Value)) {
    for talk in world.disk.talks.values_mut() {
        let mut text = serde_json::to_value(&*talk).expect("JSON");
        change(&mut text);
        *talk = serde_json::from_value(text).expect("a talk");
    }
}

/// The disk refused to forget a talk; its callback is in another attempt when the process dies. She who is being rung
/// does not talk.
#[test]
fn a_talk_of_an_attempt_that_is_over_is_not_taken_up() {
    let mut world = World::with(1, |site| {
        site.profiles[0].success_min_talk = secs(20);
        site.profiles[0].intervals = vec![Duration::ZERO, secs(30)];
    });
    let alice = world.promised("alice", super::ALICE);
    world.register(&[ANNA]);
    let (_, first) = world.called_back(alice);
    world.answer(TRUNK, first);
    world.run_for(secs(3));
    let stale = world.disk.talks.clone();
    assert_eq!(stale.len(), 1);
    world.hang_up(TRUNK, first);
    world.called_back_after(alice, secs(120));
    world.crash();
    world.disk.talks = stale;
    world.start();
    world.run_for(secs(1));

    let outcomes: Vec<_> = world.attempts().iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [Some(Outcome::ShortTalk), Some(Outcome::SystemRestart)]);
    assert!(!world.is_busy(TRUNK, alice) && !world.is_busy(ANNA, 0), "both have been told");
    assert!(world.disk.talks.is_empty());
}

/// Whatever is wrong with what was stored: one BYE for each dialog that can be ended, and no talk of one.
#[test]
fn a_talk_that_cannot_be_taken_up_is_ended_once_on_each_side() {
    let same_port = |talk: &mut serde_json::Value| talk["legs"][1]["port"] = talk["legs"][0]["port"].clone();
    let unreadable = |talk: &mut serde_json::Value| talk["legs"][1]["session"]["remote"] = "nobody".into();
    for (is_callback, damage, byes) in [
        (false, &same_port as &dyn Fn(&mut serde_json::Value), [1, 1]),
        (false, &unreadable, [1, 0]),
        (true, &same_port, [1, 1]),
        (true, &unreadable, [1, 1]), // Its attempt knows both.
    ] {
        let mut world = World::new(1);
        let (_, agent) = if is_callback { called_back(&mut world) } else { talking(&mut world) };
        world.crash();
        tamper(&mut world, damage);
        world.ladder.clear();
        world.start();
        world.run_for(secs(40));

        let sent = ["anna", "alice"].map(|peer| world.ladder.count("ringback", peer, "BYE"));
        assert_eq!(sent, byes, "callback: {is_callback}");
        assert!(!world.is_up(ANNA, agent));
        assert!(world.disk.talks.is_empty());
    }
}
