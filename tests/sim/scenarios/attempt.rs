//! A promise being kept: agent first, then the customer; and everything that may come of it.

use crate::drive::{ANNA, BEN, DORA};
use crate::site::secs;
use crate::world::{TRUNK, World};
use ringback::callback::task::{CloseReason, Outcome, TaskState};
use ringback::demo::endpoint::{EndedBy, Event};
use ringback::demo::person::Reaction;
use ringback::settings::{Hours, Schedule, Weekly};
use std::time::Duration;

fn outcomes(world: &World) -> Vec<Outcome> {
    world.attempts().into_iter().filter_map(|attempt| attempt.outcome).collect()
}

fn reacts(world: &mut World, customer: usize, reaction: Reaction) {
    world.stations[TRUNK].people[customer].reactions = [reaction].into();
}

#[test]
fn the_agent_is_rung_first_then_the_customer_and_they_talk() {
    let mut world = World::new(1);
    let alice = world.promised("alice", super::ALICE);
    world.register(&[ANNA]);

    let (agent, call) = world.called_back(alice);
    world.run_for(secs(4));
    world.answer(TRUNK, call);
    world.run_for(secs(20));
    world.hang_up(TRUNK, call);
    world.run_for(secs(2));

    assert!(world.stations[ANNA].endpoint.call(agent).is_none());
    assert_eq!(outcomes(&world), [Outcome::Success]);
    let task = &world.tasks()[0];
    assert_eq!((task.state, task.close_reason), (TaskState::Completed, Some(CloseReason::Success)));
    assert_eq!(task.attempts_used, 1);
    world.assert_ladder("callback");
    world.assert_rest();
}

#[test]
fn an_agent_who_does_not_answer_costs_the_customer_nothing() {
    let mut world = World::new(1);
    let alice = world.promised("alice", super::ALICE);
    world.register(&[ANNA]);

    world.rings(ANNA, secs(5));
    world.register(&[BEN]);
    let second = world.rings(BEN, secs(25));
    assert!(world.heard(TRUNK, |event| matches!(event, Event::Incoming(..))).is_none());
    world.answer(BEN, second);
    let call = world.rings_at(alice, secs(20));
    world.answer(TRUNK, call);
    world.run_for(secs(10));
    world.hang_up(TRUNK, call);
    world.run_for(secs(2));

    assert_eq!(world.tasks()[0].state, TaskState::Completed);
    assert_eq!(world.tasks()[0].attempts_used, 1);
    world.assert_ladder("callback_agent_does_not_answer");
    world.assert_rest();
}

#[test]
fn an_agent_who_leaves_before_the_customer_answers_stops_the_ringing_at_once() {
    let mut world = World::new(1);
    let alice = world.promised("alice", super::ALICE);
    world.register(&[ANNA]);

    let (agent, _) = world.called_back(alice);
    world.run_for(secs(4));
    let now = world.now;
    world.stations[ANNA].endpoint.hang_up(now, agent);
    world.run_for(Duration::from_millis(200));

    assert!(world.heard(TRUNK, |event| matches!(event, Event::Ended(_, EndedBy::Cancel))).is_some());
    world.run_for(secs(2));
    assert_eq!(outcomes(&world), [Outcome::AgentLeftEarly]);
    assert_eq!(world.tasks()[0].attempts_used, 0);
    world.assert_ladder("callback_agent_leaves");
    world.run_for(secs(50));
    assert!(!world.is_busy(ANNA, 0), "she is left in peace for a while");
    world.rings(ANNA, secs(15));
}

#[test]
fn a_busy_customer_is_tried_again_after_the_interval() {
    let mut world = World::with(1, |site| site.profiles[0].intervals = vec![Duration::ZERO, secs(60)]);
    let alice = world.promised("alice", super::ALICE);
    reacts(&mut world, alice, Reaction::Refuse { after: secs(1), status: 486 });
    world.register(&[ANNA]);

    world.called_back(alice);
    world.run_until("it is known", secs(5), |world| !outcomes(world).is_empty());
    let failed = world.now;
    reacts(&mut world, alice, Reaction::Answer { after: secs(3), early: false });
    world.run_until("anna is free", secs(30), |world| !world.is_busy(ANNA, 0));
    assert_eq!(world.tasks()[0].state, TaskState::WaitingRetry);
    let again = world.rings(ANNA, secs(70));
    let pause = world.now.since(failed);
    world.answer(ANNA, again);
    world.run_for(secs(20));
    world.hang_up(ANNA, again);
    world.run_for(secs(2));

    assert!(pause >= secs(59) && pause <= secs(71), "again after {pause:?}");
    assert_eq!(outcomes(&world), [Outcome::Busy, Outcome::Success]);
    assert_eq!(world.tasks()[0].state, TaskState::Completed);
    world.assert_ladder("callback_busy_then_success");
    world.assert_rest();
}

/// One attempt that fails so: its outcome, its state afterwards.
fn one_attempt(reaction: Reaction, golden: &str) -> (Outcome, TaskState, World) {
    let mut world = World::new(1);
    let alice = world.promised("alice", super::ALICE);
    world.stations[TRUNK].endpoint.quirks.dead = reaction == Reaction::Silence;
    reacts(&mut world, alice, reaction);
    world.register(&[ANNA]);

    let agent = world.rings(ANNA, secs(5));
    world.answer(ANNA, agent);
    world.run_until("it is known", secs(60), |world| !outcomes(world).is_empty());
    world.run_until("anna is free", secs(30), |world| !world.is_busy(ANNA, 0));
    world.run_for(secs(2));

    world.assert_ladder(golden);
    world.assert_rest();
    (outcomes(&world)[0], world.tasks()[0].state, world)
}

#[test]
fn a_customer_who_does_not_answer_is_rung_for_the_ring_timeout_and_no_longer() {
    let (outcome, state, world) = one_attempt(Reaction::Ring { early: false }, "callback_no_answer");

    let rang = world.ladder.first("ringback", "alice", "INVITE").expect("it rang");
    let cancelled = world.ladder.first("ringback", "alice", "CANCEL").expect("it stopped");
    let after = cancelled.since(rang);
    assert!(after > secs(29) && after < secs(32), "cancelled after {after:?}");
    assert_eq!((outcome, state), (Outcome::NoAnswer, TaskState::WaitingRetry));
    assert_eq!(world.tasks()[0].attempts_used, 1);
}

#[test]
fn a_customer_who_rejects_is_told_apart() {
    let (outcome, state, _) = one_attempt(Reaction::Refuse { after: secs(3), status: 603 }, "callback_rejected");

    assert_eq!((outcome, state), (Outcome::Rejected, TaskState::WaitingRetry));
}

#[test]
fn a_trunk_that_refuses_is_told_apart() {
    let refused = Reaction::Refuse { after: Duration::ZERO, status: 503 };
    let (outcome, state, _) = one_attempt(refused, "callback_trunk_refuses");

    assert_eq!((outcome, state), (Outcome::NetworkError, TaskState::WaitingRetry));
}

#[test]
fn a_trunk_that_says_nothing_is_told_apart() {
    let (outcome, state, _) = one_attempt(Reaction::Silence, "callback_trunk_silent");

    assert_eq!((outcome, state), (Outcome::NetworkError, TaskState::WaitingRetry));
}

#[test]
fn a_number_that_does_not_exist_fails_for_good() {
    let gone = Reaction::Refuse { after: Duration::ZERO, status: 404 };
    let (outcome, state, world) = one_attempt(gone, "callback_invalid");

    assert_eq!((outcome, state), (Outcome::InvalidNumber, TaskState::Failed));
    assert_eq!(world.tasks()[0].close_reason, Some(CloseReason::Invalid));
}

#[test]
fn a_talk_shorter_than_the_rule_is_no_success() {
    for (talk, outcome, state) in
        [(secs(4), Outcome::ShortTalk, TaskState::WaitingRetry), (secs(6), Outcome::Success, TaskState::Completed)]
    {
        let mut world = World::new(1);
        let alice = world.promised("alice", super::ALICE);
        world.register(&[ANNA]);

        let (_, call) = world.called_back(alice);
        world.answer(TRUNK, call);
        world.run_until("they talk", secs(10), |world| {
            world.leg_of(TRUNK, call).is_some_and(|leg| world.shard.legs[&leg].bridged.is_some())
        });
        world.run_for(talk);
        world.hang_up(TRUNK, call);
        world.run_for(secs(2));

        assert_eq!(outcomes(&world), [outcome]);
        assert_eq!(world.tasks()[0].state, state);
    }
}

#[test]
fn attempts_end_when_they_are_used_up() {
    let mut world = World::with(1, |site| {
        site.profiles[0].intervals = vec![Duration::ZERO, secs(30)];
        site.profiles[0].attempts_max = 2;
    });
    let alice = world.promised("alice", super::ALICE);
    reacts(&mut world, alice, Reaction::Refuse { after: secs(1), status: 486 });
    world.register(&[ANNA]);

    for _ in 0..2 {
        let agent = world.rings(ANNA, secs(60));
        world.answer(ANNA, agent);
        world.run_until("anna is free", secs(40), |world| !world.is_busy(ANNA, 0));
    }
    world.run_for(secs(300));

    assert_eq!(outcomes(&world), [Outcome::Busy, Outcome::Busy]);
    assert_eq!(world.tasks()[0].close_reason, Some(CloseReason::MaxAttempts));
    world.assert_rest();
}

#[test]
fn a_promise_nobody_could_keep_expires() {
    let mut world = World::with(1, |site| site.profiles[0].expires_after = Some(secs(600)));
    world.promised("alice", super::ALICE);

    world.run_for(secs(620));
    world.register(&[ANNA]);
    world.run_for(secs(30));

    assert_eq!(world.tasks()[0].state, TaskState::Expired);
    assert!(world.heard(ANNA, |event| matches!(event, Event::Incoming(..))).is_none());
    assert!(world.line().is_empty());
    world.assert_rest();
}

#[test]
fn a_customer_who_calls_in_takes_the_place_of_the_promise() {
    let mut world = World::new(1);
    let alice = world.promised("alice", super::ALICE);
    let bob = world.customer(ringback::demo::person::Person::new("bob", super::BOB));
    let second = world.joins(bob);

    let call = world.joins(alice);
    world.run_for(secs(1));

    let task = &world.tasks()[0];
    assert_eq!((task.state, task.close_reason), (TaskState::Cancelled, Some(CloseReason::CustomerCalled)));
    let line: Vec<(String, &str)> = world.line().into_iter().map(|it| (it.number, it.kind)).collect();
    assert_eq!(line, [(super::ALICE.to_owned(), "live"), (super::BOB.to_owned(), "live")]);
    world.hang_up(TRUNK, call);
    world.hang_up(TRUNK, second);
    world.run_for(secs(1));
    world.assert_ladder("customer_calls_in");
    world.assert_rest();
}

#[test]
fn a_customer_who_calls_in_while_rung_is_served_once() {
    let mut world = World::new(1);
    let alice = world.promised("alice", super::ALICE);
    world.register(&[ANNA]);
    world.called_back(alice);
    world.run_for(secs(2));

    let call = world.call_in(alice);
    world.run_for(secs(4));

    assert!(world.ladder.first("ringback", "alice", "CANCEL").is_some(), "we ring her no more");
    assert!(world.is_up(TRUNK, call), "she is in line");
    world.run_for(secs(10));
    let agent = world.at(ANNA);
    world.answer(ANNA, agent);
    world.run_for(secs(2));
    let leg = world.leg_of(TRUNK, call).expect("her leg");
    assert!(world.shard.legs[&leg].bridged.is_some(), "anna has her call");
    world.hang_up(TRUNK, call);
    world.run_for(secs(15));
    assert!(!world.is_busy(ANNA, 0));
    assert_eq!(world.tasks()[0].close_reason, Some(CloseReason::CustomerCalled));
    world.assert_ladder("glare");
    world.assert_rest();
}

#[test]
fn an_agent_who_dials_the_customer_keeps_the_promise_himself() {
    let mut world = World::new(1);
    let alice = world.promised("alice", super::ALICE);
    reacts(&mut world, alice, Reaction::Answer { after: secs(3), early: false });
    world.register(&[DORA]);

    let call = world.dial(DORA, super::ALICE);
    world.run_until("they talk", secs(10), |world| world.is_up(DORA, call));
    world.run_for(secs(1));
    let task = &world.tasks()[0];
    assert_eq!((task.state, task.close_reason), (TaskState::Cancelled, Some(CloseReason::AgentDialled)));
    world.run_for(secs(10));
    world.hang_up(DORA, call);
    world.run_for(secs(1));

    world.assert_ladder("agent_dials_customer");
    world.assert_rest();
}

#[test]
fn a_customer_on_the_phone_with_an_agent_is_not_called_back_meanwhile() {
    let mut world = World::new(1);
    let alice = world.promised("alice", super::ALICE);
    reacts(&mut world, alice, Reaction::Ring { early: false });
    world.register(&[DORA]);

    let call = world.dial(DORA, super::ALICE);
    world.rings_at(alice, secs(3));
    world.register(&[ANNA]);
    world.run_for(secs(10));

    assert!(!world.is_busy(ANNA, 0));
    world.hang_up(DORA, call);
    world.rings(ANNA, secs(5));
}

#[test]
fn the_agent_hears_the_far_ends_own_tone() {
    let mut world = World::new(1);
    let alice = world.promised("alice", super::ALICE);
    reacts(&mut world, alice, Reaction::Answer { after: secs(5), early: true });
    world.register(&[ANNA]);

    let agent = world.rings(ANNA, secs(5));
    world.answer(ANNA, agent);
    world.run_until("they talk", secs(20), |world| world.ladder.noted("talk").is_some());
    world.run_for(secs(8));
    world.hang_up(ANNA, agent);
    world.run_for(secs(2));

    assert!(world.ladder.noted("anna hears alice").is_some());
    world.assert_ladder("callback_early_media");
    world.assert_rest();
}

#[test]
fn an_answer_that_crosses_our_cancel_is_acknowledged_and_ended() {
    let mut world = World::new(1);
    let alice = world.promised("alice", super::ALICE);
    world.stations[TRUNK].endpoint.quirks.answers_cancel_with_200 = true;
    world.register(&[ANNA]);

    world.called_back(alice);
    world.run_until("it is known", secs(40), |world| !outcomes(world).is_empty());
    world.run_until("anna is free", secs(30), |world| !world.is_busy(ANNA, 0));
    world.run_for(secs(2));

    assert!(!world.is_busy(TRUNK, alice));
    assert!(world.ladder.first("ringback", "alice", "BYE").is_some());
    world.assert_ladder("callback_late_answer");
    world.assert_rest();
}

#[test]
fn the_second_of_two_answers_is_ended() {
    let mut world = World::new(1);
    let alice = world.promised("alice", super::ALICE);
    world.stations[TRUNK].endpoint.quirks.forks_answers = true;
    reacts(&mut world, alice, Reaction::Answer { after: secs(3), early: false });
    world.register(&[ANNA]);

    let agent = world.rings(ANNA, secs(5));
    world.answer(ANNA, agent);
    world.run_until("they talk", secs(20), |world| world.ladder.noted("talk").is_some());
    world.run_for(secs(8));
    world.hang_up(ANNA, agent);
    world.run_for(secs(2));

    assert_eq!(outcomes(&world), [Outcome::Success]);
    world.assert_ladder("callback_forked_answer");
    world.assert_rest();
}

#[test]
fn a_prefix_goes_in_front_of_the_number() {
    let mut world = World::with(1, |site| {
        site.profiles[0].dial_prefix = "003".to_owned();
        site.outbound_routes[0].prefix = "003".to_owned();
    });
    let alice = world.promised("alice", super::ALICE);
    world.stations[TRUNK].people[alice].number = "00312025550123".to_owned();
    world.register(&[ANNA]);

    let (agent, call) = world.called_back(alice);
    world.answer(TRUNK, call);
    world.run_for(secs(10));
    world.hang_up(ANNA, agent);
    world.run_for(secs(2));

    assert_eq!(world.tasks()[0].state, TaskState::Completed);
    world.assert_ladder("callback_prefix");
    world.assert_rest();
}

#[test]
fn without_a_route_no_agent_is_rung() {
    let mut world = World::with(1, |site| site.outbound_routes[0].prefix = "+49".to_owned());
    world.promised("alice", super::ALICE);

    world.register(&[ANNA]);
    world.run_for(secs(10));

    assert!(world.heard(ANNA, |event| matches!(event, Event::Incoming(..))).is_none());
    let held = world.callbacks().remove(0);
    assert_eq!(held.task.state, TaskState::Blocked);
    assert!(held.held_by.is_some_and(|gate| gate.contains("route")));
}

#[test]
fn outside_calling_hours_the_promise_waits_for_the_opening() {
    let mut world = World::with(1, |site| {
        let time = |hour| chrono::NaiveTime::from_hms_opt(hour, 0, 0).expect("an hour");
        let days = vec![chrono::Weekday::Mon, chrono::Weekday::Tue];
        site.schedules.push(Schedule {
            name: "office".into(),
            tz: chrono_tz::America::New_York,
            weekly: vec![Weekly { days, hours: Hours { start: time(9), end: time(11) } }],
            exceptions: Vec::new(),
        });
        site.profiles[0].schedule = Some("office".into());
    });
    // It is Monday, ten o'clock in New York.
    let alice = world.promised("alice", super::ALICE);
    world.run_for(secs(3_600));
    world.register(&[ANNA]);
    world.run_for(secs(600));
    assert!(world.heard(ANNA, |event| matches!(event, Event::Incoming(..))).is_none());

    world.run_until("it is Tuesday, nine", secs(24 * 3_600), |world| world.is_busy(ANNA, 0));

    let local = world.clock().utc.with_timezone(&chrono_tz::America::New_York);
    assert_eq!(local.format("%a %H:%M").to_string(), "Tue 09:00");
    assert!(!world.is_busy(TRUNK, alice));
}

#[test]
fn a_recorded_call_says_so_first_and_leaves_a_tape_as_long_as_the_talk() {
    let mut world = World::with(1, |site| site.profiles[0].record = true);
    let alice = world.promised("alice", super::ALICE);
    world.register(&[ANNA]);

    let (agent, call) = world.called_back(alice);
    world.answer(TRUNK, call);
    world.run_until("they talk", secs(10), |world| world.ladder.noted("talk").is_some());
    world.run_for(secs(30));
    world.hang_up(ANNA, agent);
    world.run_for(secs(2));

    let notice = world.ladder.noted("recorded_notice").expect("a notice");
    let tape = world.ladder.noted("tape runs").expect("a tape");
    assert!(tape.since(notice) >= secs(2), "the notice is heard to its end first");
    let recording = world.disk.recordings.values().next().expect("a recording");
    assert!(recording.notice_played);
    let seconds = recording.samples / 8_000;
    let talked = world.attempts()[0].talk_secs;
    assert!(seconds.abs_diff(talked) <= 1, "{seconds} s of tape for {talked} s of talk");
    assert!(recording.path.is_some());
    assert_eq!(world.attempts()[0].recording, Some(recording.id));
    world.assert_ladder("callback_recorded");
    world.assert_rest();
}

// S3.7: strictly more than the threshold: five seconds are no success where five are asked for, a moment more is.
#[test]
fn a_talk_of_exactly_the_threshold_is_no_success() {
    for (more, outcome) in [(Duration::ZERO, Outcome::ShortTalk), (Duration::from_millis(1), Outcome::Success)] {
        let mut world = World::new(1);
        let alice = world.promised("alice", super::ALICE);
        world.register(&[ANNA]);
        let (_, call) = world.called_back(alice);
        world.answer(TRUNK, call);
        world.run_until("they talk", secs(10), |world| world.ladder.noted("talk").is_some());
        let joined = world.ladder.noted("talk").expect("they talk");

        // The BYE is 10 ms on its way.
        let hang_up = joined + secs(5) + more;
        world.run_for(hang_up.since(world.now) - Duration::from_millis(10));
        world.hang_up(TRUNK, call);
        world.run_for(secs(1));

        assert_eq!(world.attempts()[0].outcome, Some(outcome), "{more:?} more than five seconds");
    }
}
