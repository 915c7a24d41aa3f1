//! What follows an attempt, and what the planner holds: intervals to the second, limits, the end of the day, a freeze.

use crate::drive::{ANNA, BEN, CARL};
use crate::products::{fonolo, mikopbx, ring2all, voximplant};
use crate::site::secs;
use crate::world::{TRUNK, World};
use chrono::{TimeZone, Weekday};
use ringback::callback::task::{Attempt, CloseReason, Outcome, Task, TaskState};
use ringback::demo::endpoint::Event as Heard;
use ringback::demo::person::Reaction;
use ringback::settings::*;
use ringback::switch::command::Command;
use ringback::switch::event::Event;
use ringback::time::{DateTime, Utc};
use std::time::Duration;

/// A commit takes the disk so long, and people act in steps; no interval is later than this.
const AT_ONCE: Duration = Duration::from_millis(100);

fn reacts(world: &mut World, customer: usize, reactions: impl IntoIterator<Item = Reaction>) {
    world.stations[TRUNK].people[customer].reactions = reactions.into_iter().collect();
}

/// A phone whose agent takes every call after a second.
fn works(world: &mut World, phone: usize) {
    world.stations[phone].people[0].reactions = [Reaction::Answer { after: secs(1), early: false }].into();
    world.register(&[phone]);
}

/// Fonolo's profile, but the agents' phones start the calls by themselves, and nobody asks the client.
fn by_itself(site: &mut Settings) {
    fonolo(site);
    site.profiles[0].agent_accept = AgentAccept::Auto;
    site.profiles[0].client_reschedule = None;
}

fn outcomes(world: &World) -> Vec<Outcome> {
    world.attempts().into_iter().filter_map(|attempt| attempt.outcome).collect()
}

fn only(world: &World) -> Task {
    let tasks = world.tasks();
    assert_eq!(tasks.len(), 1, "one callback");
    tasks.into_iter().next().expect("one")
}

fn is_closed(world: &World) -> bool {
    world.tasks().iter().all(|task| task.state.is_final())
}

fn close_to(at: DateTime<Utc>, wanted: DateTime<Utc>) -> bool {
    at >= wanted && at <= wanted + AT_ONCE
}

/// From the request, and then from the end of each attempt, to the beginning of the next.
fn pauses(world: &World) -> Vec<Duration> {
    let attempts: Vec<Attempt> = world.attempts();
    let ends = attempts.iter().filter_map(|attempt| attempt.ended_at);
    let begins = [only(world).created_at].into_iter().chain(ends);
    let pauses = begins.zip(&attempts).map(|(from, attempt)| attempt.loaded_at.signed_duration_since(from));
    pauses.map(|pause| pause.to_std().expect("forward in time")).collect()
}

fn exactly(pauses: &[Duration], wanted: &[u64]) {
    assert_eq!(pauses.len(), wanted.len(), "{pauses:?}");
    for (pause, wanted) in pauses.iter().zip(wanted) {
        assert!(*pause >= secs(*wanted) && *pause <= secs(*wanted) + AT_ONCE, "{pauses:?}");
    }
}

fn invites(world: &World, customer: &str) -> usize {
    world.ladder.count("ringback", customer, "INVITE")
}

const BUSY: Reaction = Reaction::Refuse { after: secs(1), status: 486 };

/// New York's office hours on working days.
fn office(site: &mut Settings, start: u32, end: u32) {
    let time = |hour| chrono::NaiveTime::from_hms_opt(hour, 0, 0).expect("an hour");
    let days = vec![Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri];
    site.schedules.push(Schedule {
        name: "office".into(),
        tz: chrono_tz::America::New_York,
        weekly: vec![Weekly { days, hours: Hours { start: time(start), end: time(end) } }],
        exceptions: Vec::new(),
    });
    site.profiles[0].schedule = Some("office".into());
    site.rules[0].close_guard = Duration::ZERO;
}

fn new_york(local: &str) -> DateTime<Utc> {
    let local = local.parse().expect("a local time");
    chrono_tz::America::New_York.from_local_datetime(&local).earliest().expect("it exists").to_utc()
}

fn until(world: &mut World, local: &str) {
    let ahead = new_york(local).signed_duration_since(world.clock().utc).to_std().expect("it lies ahead");
    world.run_for(ahead);
}

// --- How often, and when ---

// S1.10: delay 1 min and an idle agent: requested at t, the agent rings at t+60 s.
#[test]
fn the_first_attempt_waits_for_the_delay() {
    let mut world = World::with(1, |site| {
        ring2all(site);
        site.profiles[0].intervals = vec![secs(60)];
    });
    world.promised("alice", super::ALICE);
    world.register(&[ANNA]);

    world.rings(ANNA, secs(70));
    let asked = only(&world).created_at;
    let rung = world.clock().utc.signed_duration_since(asked).to_std().expect("later");
    assert!(rung >= secs(60) && rung <= secs(61), "rang after {rung:?}");
}

// S1.11, S3.9, S1.12, S3.8: 3 attempts and a customer who never answers: 3 customer INVITEs, 900 s apart, then failed.
#[test]
fn three_attempts_are_three_dials_with_the_interval_between() {
    let mut world = World::with(1, |site| {
        ring2all(site);
        site.profiles[0].intervals = vec![Duration::ZERO, secs(900)];
    });
    let alice = world.promised("alice", super::ALICE);
    reacts(&mut world, alice, [Reaction::Ring { early: false }]);
    works(&mut world, ANNA);

    world.run_until("it is given up", secs(3_600), is_closed);
    exactly(&pauses(&world)[1..], &[900, 900]);
    world.run_for(secs(3 * 3_600));
    assert_eq!(invites(&world, "alice"), 3);
    assert_eq!(outcomes(&world), [Outcome::NoAnswer; 3]);
    let task = only(&world);
    assert_eq!((task.state, task.close_reason), (TaskState::Failed, Some(CloseReason::MaxAttempts)));
    assert_eq!((task.attempts_used, task.reschedules.auto), (3, 2));
    world.assert_rest();
}

// S5.16, S5.2, S5.8: [1, 5, 60] minutes: the first from the request, each next from the previous unsuccessful attempt.
#[test]
fn the_list_of_intervals_is_kept_to_the_second() {
    let mut world = World::with(1, voximplant);
    let alice = world.missed("alice", super::ALICE);
    works(&mut world, ANNA);
    reacts(&mut world, alice, [BUSY, BUSY, Reaction::Answer { after: secs(2), early: false }]);
    world.stations[TRUNK].people[alice].talk = Some(secs(20));

    world.run_until("it is kept", secs(6_000), is_closed);
    exactly(&pauses(&world), &[60, 300, 3_600]);
    assert_eq!(outcomes(&world), [Outcome::Busy, Outcome::Busy, Outcome::Success]);
    world.run_for(secs(8_000));
    assert_eq!(invites(&world, "alice"), 3, "success stops it");
}

// S5.17, S5.3: 4 intervals: at most 4 attempts.
#[test]
fn as_many_intervals_as_attempts() {
    let mut world = World::with(1, |site| {
        site.profiles[0].intervals = vec![secs(0), secs(60), secs(120), secs(180)];
        site.profiles[0].attempts_max = 4;
    });
    let alice = world.promised("alice", super::ALICE);
    reacts(&mut world, alice, [BUSY]);
    works(&mut world, ANNA);

    world.run_until("it is given up", secs(3_600), is_closed);
    exactly(&pauses(&world)[1..], &[60, 120, 180]);
    assert_eq!(invites(&world, "alice"), 4);
}

// S1.14: `Retry`: no answer, waiting for a retry; `Fail`: failed after one attempt; `Notify`: failed, and people know.
#[test]
fn no_answer_may_be_retried_failed_or_told() {
    let after_one = |action| {
        let mut world = World::with(1, |site| site.profiles[0].no_answer_action = action);
        let alice = world.promised("alice", super::ALICE);
        reacts(&mut world, alice, [Reaction::Ring { early: false }]);
        works(&mut world, ANNA);
        world.run_until("it is known", secs(60), |world| !outcomes(world).is_empty());
        world.run_for(secs(1));
        let told = world.published.iter().filter(|(_, event)| matches!(event, Event::CallbackUnreached { .. })).count();
        let task = only(&world);
        (task.state, task.close_reason, told)
    };
    assert_eq!(after_one(NoAnswerAction::Retry), (TaskState::WaitingRetry, None, 0));
    let given_up = Some(CloseReason::NoAnswerAction);
    assert_eq!(after_one(NoAnswerAction::Fail), (TaskState::Failed, given_up, 0));
    assert_eq!(after_one(NoAnswerAction::Notify), (TaskState::Failed, given_up, 1));
}

// S4.4: auto rescheduling off: a failure is the end.
#[test]
fn without_auto_rescheduling_a_failure_is_the_end() {
    let mut world = World::with(1, |site| {
        site.profiles[0].auto_reschedule = false;
        site.profiles[0].agent_reschedule = None;
    });
    let alice = world.promised("alice", super::ALICE);
    reacts(&mut world, alice, [BUSY]);
    works(&mut world, ANNA);

    world.run_until("it is over", secs(60), is_closed);
    world.run_for(secs(2_000));
    let task = only(&world);
    assert_eq!((task.state, task.close_reason), (TaskState::Failed, Some(CloseReason::NotRescheduled)));
    assert_eq!(invites(&world, "alice"), 1);
    world.assert_rest();
}

// S4.12: the callback enters the queue after the delay, not before, and at its old place.
#[test]
fn a_rescheduled_callback_returns_to_its_place_after_the_delay() {
    let mut world = World::with(1, |site| {
        by_itself(site);
        site.profiles[0].intervals = vec![secs(0), secs(300)];
    });
    let alice = world.promised("alice", super::ALICE);
    reacts(&mut world, alice, [BUSY, Reaction::Answer { after: secs(2), early: false }]);
    works(&mut world, ANNA);
    world.run_until("it has failed", secs(60), |world| !outcomes(world).is_empty());
    let failed = world.attempts()[0].ended_at.expect("it has ended");

    let until = |world: &mut World, at: Duration| {
        world.run_for((failed + at).signed_duration_since(world.clock().utc).to_std().expect("it lies ahead"));
    };
    until(&mut world, Duration::from_millis(299_000));
    assert_eq!(invites(&world, "alice"), 1, "anna is idle, and it is not dialled before its time");
    assert_eq!(only(&world).state, TaskState::WaitingRetry, "nor is it in the queue");
    assert_eq!(world.callbacks()[0].next_at, Some(failed + secs(300)));
    until(&mut world, Duration::from_millis(300_050));
    assert_eq!(world.attempts().len(), 2, "anna is called for it at its instant");
}

// S4.12: when its time has come it has the place it had, before whoever has asked since.
#[test]
fn a_rescheduled_callback_returns_to_its_old_place() {
    let mut world = World::with(1, |site| {
        by_itself(site);
        site.profiles[0].intervals = vec![secs(0), secs(300)];
    });
    let alice = world.promised("alice", super::ALICE);
    reacts(&mut world, alice, [BUSY, Reaction::Answer { after: secs(2), early: false }]);
    works(&mut world, ANNA);
    world.run_until("it has failed", secs(60), |world| !outcomes(world).is_empty());
    world.ask(Command::PauseAgent { agent: "anna".to_owned(), reason: None });
    world.run_for(secs(280));
    world.promised("bob", super::BOB);
    world.run_for(secs(30));
    let line: Vec<String> = world.line().into_iter().map(|it| it.number).collect();
    assert_eq!(line, [super::ALICE, super::BOB]);
    world.ask(Command::ResumeAgent("anna".to_owned()));
    world.run_until("she is called first", secs(30), |world| invites(world, "alice") == 2);
    assert_eq!(invites(&world, "bob"), 0);
}

// S4.13: hours to 17:00, cut-off 30 min: failure at 16:20 with a delay of 15 min is not today, but next opening; or
// left over, or failed.
#[test]
fn no_reschedule_falls_too_close_to_the_end_of_the_day() {
    let after_late_failure = |action| {
        let mut world = World::starting(1, &new_york("2026-03-02T16:18:00").to_rfc3339(), |site| {
            by_itself(site);
            office(site, 9, 17);
            let profile = &mut site.profiles[0];
            assert_eq!((profile.cutoff, profile.after_cutoff), (secs(1_800), AfterCutoff::NextOpen), "Fonolo's");
            profile.after_cutoff = action;
            profile.intervals = vec![secs(0), secs(900)];
        });
        let alice = world.promised("alice", super::ALICE);
        reacts(&mut world, alice, [BUSY]);
        until(&mut world, "2026-03-02T16:20:00");
        works(&mut world, ANNA);
        world.run_until("it is known", secs(60), |world| !outcomes(world).is_empty());
        world.run_for(secs(1));
        until(&mut world, "2026-03-03T08:59:59");
        assert_eq!(invites(&world, "alice"), 1, "not today");
        world
    };

    let mut world = after_late_failure(AfterCutoff::NextOpen);
    assert_eq!(only(&world).state, TaskState::WaitingRetry);
    world.run_for(secs(2));
    assert_eq!(world.attempts()[1].loaded_at.timestamp(), new_york("2026-03-03T09:00:00").timestamp());

    let mut world = after_late_failure(AfterCutoff::Overflow);
    world.run_for(secs(3_600));
    assert_eq!((only(&world).state, invites(&world, "alice")), (TaskState::Overflow, 1));

    let world = after_late_failure(AfterCutoff::Fail);
    assert_eq!(only(&world).close_reason, Some(CloseReason::Cutoff));
}

// --- How long ---

// S3.10: N=300, wall clock: a task of 301 s is expired and not dialled. (At start-up: see the calls lost by us.)
#[test]
fn a_task_older_than_its_life_is_expired_and_not_dialled() {
    let mut world = World::with(1, mikopbx);
    world.promised("alice", super::ALICE);
    let made = only(&world).created_at;

    world.run_until("its life is almost over", secs(300), |world| world.clock().utc >= made + secs(299));
    assert_eq!(only(&world).state, TaskState::Pending);
    world.run_for(secs(2));
    let task = only(&world);
    assert_eq!((task.state, task.close_reason), (TaskState::Expired, Some(CloseReason::Expired)));
    assert!(close_to(task.closed_at.expect("closed"), made + secs(300)));
    works(&mut world, ANNA);
    world.run_for(secs(60));
    assert_eq!((world.attempts().len(), invites(&world, "alice")), (0, 0));
    world.assert_rest();
}

// S1.B5: a life of 3600 s of open time: requested half an hour before closing on Friday, half of it is left for Monday.
#[test]
fn an_open_clock_counts_open_time_only() {
    let mut world = World::starting(1, &new_york("2026-03-06T16:29:00").to_rfc3339(), |site| {
        office(site, 9, 17);
        site.profiles[0].expires_after = Some(secs(3_600));
    });
    world.promised("alice", super::ALICE);
    let left = new_york("2026-03-06T17:00:00").signed_duration_since(only(&world).created_at);
    let monday = new_york("2026-03-09T10:00:00") - left;

    until(&mut world, "2026-03-09T08:00:00");
    assert_eq!(world.callbacks()[0].task.state, TaskState::Deferred, "the weekend does not count");
    world.run_until("it expires", secs(3 * 3_600), is_closed);
    assert_eq!(only(&world).state, TaskState::Expired);
    assert!(close_to(only(&world).closed_at.expect("closed"), monday));
}

// --- What holds it ---

// S1.15: profile disabled: nothing is dialled, and the task says so.
#[test]
fn a_disabled_profile_dials_nothing_and_says_so() {
    let mut world = World::with(1, |site| site.profiles[0].enabled = false);
    world.promised("alice", super::ALICE);
    works(&mut world, ANNA);
    world.run_for(secs(120));

    assert!(world.attempts().is_empty());
    assert_eq!(world.callbacks()[0].held_by.as_deref(), Some("profile disabled: standard"));
}

// S2.5: no outbound route: blocked, "no_route", and no agent is rung.
#[test]
fn without_a_route_no_agent_is_rung() {
    let mut world = World::with(1, |site| site.outbound_routes.clear());
    world.promised("alice", super::ALICE);
    works(&mut world, ANNA);
    world.run_for(secs(120));

    let shown = world.callbacks().remove(0);
    assert_eq!(shown.task.state, TaskState::Blocked);
    assert!(shown.held_by.as_deref().is_some_and(|why| why.contains("no_route")), "{:?}", shown.held_by);
    assert!(world.heard(ANNA, |event| matches!(event, Heard::Incoming(..))).is_none());
    assert!(world.attempts().is_empty());
}

fn three_promised(cap: Option<u32>) -> World {
    let mut world = World::with(1, |site| {
        site.queues[0].max_callbacks = cap;
        site.rules[0].max_pending = None;
    });
    for (name, number) in [("alice", super::ALICE), ("bob", super::BOB), ("carol", super::CAROL)] {
        world.promised(name, number);
    }
    world.register(&[ANNA, BEN, CARL]);
    world
}

fn open_attempts(world: &World) -> usize {
    world.attempts().iter().filter(|attempt| attempt.outcome.is_none()).count()
}

// S4.B1: cap 2: the third is accepted and waits, and begins as soon as one has ended; cap 0 blocks all.
#[test]
fn a_queue_with_two_callbacks_at_once_makes_two() {
    let mut world = three_promised(Some(2));
    world.run_for(secs(5));
    assert_eq!(open_attempts(&world), 2);
    let shown = world.callbacks().into_iter().find(|it| it.task.number.as_str() == super::CAROL).expect("hers");
    assert_eq!(shown.held_by.as_deref(), Some("2 callbacks of the queue support are under way (max_callbacks)"));
    let first = world.tasks()[0].id;
    world.ask(Command::CancelCallback(first));
    world.run_for(secs(1));
    let open: Vec<Attempt> = world.attempts().into_iter().filter(|attempt| attempt.outcome.is_none()).collect();
    assert_eq!(open.len(), 2);
    assert!(open.iter().any(|attempt| attempt.number.as_str() == super::CAROL));

    let mut world = three_promised(Some(0));
    world.run_for(secs(120));
    assert!(world.attempts().is_empty());
    assert!(world.heard(ANNA, |event| matches!(event, Heard::Incoming(..))).is_none());
}

// S5.13: twenty due and twenty agents: fifteen in flight, never more; the sixteenth begins when one has ended.
#[test]
fn no_more_callbacks_than_fifteen_lines() {
    let mut world = World::with(1, |site| {
        let more = (2_001..=2_020).map(|extension: u32| {
            let (name, extension) = (format!("agent {extension}"), extension.to_string());
            Agent { max_no_answer: 0, ..Agent::named(&name, &extension, &crate::site::secret(&extension)) }
        });
        site.agents.extend(more);
        site.queues[0].members = site.agents[4..].iter().map(|agent| Member::of(&agent.name)).collect();
        (site.trunks[0].max_calls, site.trunks[0].max_cps) = (100, 100);
    });
    let answers = Reaction::Answer { after: secs(1), early: false };
    for n in 0..20 {
        // Of four blocks: ten numbers alike are as many as are dialled in an hour.
        let number = format!("+1{}5550{}", ["202", "212", "312", "415"][n % 4], 130 + n);
        let customer = world.promised(&format!("customer {n}"), &number);
        let person = &mut world.stations[TRUNK].people[customer];
        (person.reactions, person.talk) = ([answers.clone()].into(), Some(secs(if n == 0 { 120 } else { 600 })));
    }
    let agents = world.settings.agents[4..].to_vec();
    let phones = world.more_phones(&agents);
    for phone in &phones {
        world.stations[*phone].people[0].reactions = [answers.clone()].into();
    }
    world.register(&phones);
    let open = |world: &World| world.disk.attempts.values().filter(|attempt| attempt.outcome.is_none()).count();

    let mut most = 0;
    for _ in 0..600 {
        world.run_for(Duration::from_millis(100));
        most = most.max(open(&world));
    }
    assert_eq!((most, open(&world), world.attempts().len()), (15, 15, 15));
    let busy = phones.iter().filter(|phone| world.is_busy(**phone, 0)).count();
    assert_eq!(busy, 15, "five agents are free, and stay so");
    let held = world.callbacks().into_iter().filter_map(|it| it.held_by);
    let said = "all 15 callback lines are in use (system.max_callback_lines)";
    assert_eq!(held.filter(|why| why == said).count(), 5);

    world.run_until("the first has ended", secs(120), |world| {
        world.disk.attempts.values().any(|attempt| attempt.outcome.is_some())
    });
    world.run_until("the next begins", secs(2), |world| world.disk.attempts.len() == 16);
    assert_eq!(open(&world), 15);
}

// T36: an agent who hangs up while the customer hears the notice does not want this call now, and the customer, who has
// answered, is told; he has been called in vain, and is left alone for five minutes.
#[test]
fn a_customer_whose_agent_leaves_during_the_notice_is_told_and_left_alone() {
    let mut world = World::with(1, |site| {
        site.profiles[0].record = true;
        site.profiles[0].intervals = vec![Duration::ZERO];
    });
    let alice = world.promised("alice", super::ALICE);
    world.register(&[ANNA, BEN]);
    world.run_until("somebody's phone rings", secs(5), |world| world.is_busy(ANNA, 0) || world.is_busy(BEN, 0));
    let phone = if world.is_busy(ANNA, 0) { ANNA } else { BEN };
    let agent = world.at(phone);
    world.answer(phone, agent);
    let call = world.rings_at(alice, secs(20));
    world.answer(TRUNK, call);
    let leg = world.leg_of(TRUNK, call).expect("hers");
    assert_eq!(world.spoken(leg), ["recorded_notice"]);
    world.hang_up(phone, agent);
    let left = world.now;

    assert_eq!(outcomes(&world), [Outcome::AgentLeftEarly]);
    assert_eq!(world.spoken(leg).last().map(String::as_str), Some("customer_sorry"));
    world.run_for(secs(1));
    assert!(world.is_up(TRUNK, call), "she hears it to its end");
    world.run_until("she is let go", secs(6), |world| !world.is_up(TRUNK, call));
    assert!(world.shard.tapes.is_empty(), "nothing is recorded");
    assert_eq!(only(&world).attempts_used, 0);
    world.run_until("somebody is rung for her", secs(400), |world| world.attempts().len() == 2);
    assert!(world.now.since(left) >= secs(299), "{:?}", world.now.since(left));
    world.assert_ladder("agent_leaves_during_the_notice");
}
