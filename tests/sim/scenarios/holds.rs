//! What is held for people, by rules and by a freeze; and what a second request of the same customer is.

use crate::drive::{ANNA, BEN, DORA};
use crate::products::voximplant;
use crate::site::secs;
use crate::world::{TRUNK, World};
use chrono::{TimeZone, Weekday};
use ringback::callback::task::{CloseReason, Task, TaskState};
use ringback::demo::endpoint::Event as Heard;
use ringback::demo::person::{Person, Reaction};
use ringback::settings::*;
use ringback::switch::command::{Command, NewCallback, Refused, Reply};
use ringback::switch::view;
use ringback::time::{DateTime, Utc};
use std::time::Duration;

fn add(world: &mut World, number: &str, queue: &str, not_before: Option<DateTime<Utc>>) -> Reply {
    world.ask(Command::AddCallback(Box::new(NewCallback {
        number: number.to_owned(),
        queue: Some(queue.to_owned()),
        not_before,
        profile: Some("standard".to_owned()),
        agent: None,
        data: None,
        idempotency_key: None,
    })))
}

fn status(world: &mut World) -> view::Status {
    match world.ask(Command::Status) {
        Reply::Status(status) => status,
        other => panic!("{other:?}"),
    }
}

fn open(world: &World) -> Vec<Task> {
    world.tasks().into_iter().filter(|task| !task.state.is_final()).collect()
}

fn invites(world: &World, to: &str) -> usize {
    world.ladder.count("ringback", to, "INVITE")
}

fn new_york(local: &str) -> DateTime<Utc> {
    let local = local.parse().expect("a local time");
    chrono_tz::America::New_York.from_local_datetime(&local).earliest().expect("it exists").to_utc()
}

fn until(world: &mut World, local: &str) {
    let ahead = new_york(local).signed_duration_since(world.clock().utc).to_std().expect("it lies ahead");
    world.run_for(ahead);
}

// --- A freeze ---

// S5.12: frozen, the rules are disabled and dialling stops; after unfreezing, still disabled, until activated by hand.
#[test]
fn a_frozen_site_rests_and_wakes_rule_by_rule() {
    let mut world = World::new(1);
    let alice = world.promised("alice", super::ALICE);
    assert!(matches!(add(&mut world, super::CAROL, "support", None), Reply::Callback(_)));
    let bob = world.customer(Person::new("bob", super::BOB));

    let Reply::Status(frozen) = world.ask(Command::Freeze) else { panic!("no status") };
    assert!(frozen.frozen);
    assert_eq!(frozen.resting_rules, ["support-key".into()]);
    world.run_for(secs(1));
    let closed = world.tasks().into_iter().find(|task| task.number.as_str() == super::ALICE).expect("hers");
    assert_eq!((closed.state, closed.close_reason), (TaskState::Cancelled, Some(CloseReason::Frozen)));
    world.register(&[ANNA]);
    world.run_for(secs(60));
    assert!(world.heard(ANNA, |event| matches!(event, Heard::Incoming(..))).is_none(), "dialling stops");
    let held = world.callbacks().into_iter().find(|it| it.task.number.as_str() == super::CAROL).expect("hers");
    assert_eq!(held.held_by.as_deref(), Some("the site is frozen"));

    // A restart forgets nothing of it.
    world.crash();
    world.run_for(secs(1));
    world.start();
    world.register(&[DORA]);
    assert!(status(&mut world).frozen);
    let refused = world.ask(Command::ActivateRule("support-key".to_owned()));
    assert!(matches!(refused, Reply::Refused(Refused::Conflict { .. })), "{refused:?}");
    let thawed = world.ask(Command::Unfreeze);
    assert!(matches!(&thawed, Reply::Status(it) if !it.frozen && it.resting_rules.len() == 1), "{thawed:?}");
    world.rings(ANNA, secs(60));

    // What was asked for without a rule is dialled again; but nothing is offered.
    world.ask(Command::PauseAgent { agent: "anna".to_owned(), reason: None });
    let call = world.joins(bob);
    world.press(TRUNK, call, "1#");
    world.run_for(secs(20));
    assert!(world.is_up(TRUNK, call), "the key does nothing");
    assert_eq!(open(&world).iter().filter(|task| task.number.as_str() == super::BOB).count(), 0);
    world.hang_up(TRUNK, call);

    let active = world.ask(Command::ActivateRule("support-key".to_owned()));
    assert!(matches!(&active, Reply::Status(it) if it.resting_rules.is_empty()), "{active:?}");
    world.promised_again(bob);
    assert_eq!(open(&world).iter().filter(|task| task.number.as_str() == super::BOB).count(), 1);
    assert!(!world.is_busy(TRUNK, alice));
}

// S5.12: so it is with missed calls: their rule rests until somebody activates it, and makes nothing meanwhile.
#[test]
fn a_rule_for_missed_calls_rests_after_a_freeze() {
    let mut world = World::with(1, voximplant);
    world.missed("alice", super::ALICE);
    world.ask(Command::Freeze);
    world.run_for(secs(1));
    let ends: Vec<_> = world.tasks().iter().map(|task| (task.state, task.close_reason)).collect();
    assert_eq!(ends, [(TaskState::Cancelled, Some(CloseReason::Frozen))]);

    world.ask(Command::Unfreeze);
    assert_eq!(status(&mut world).resting_rules, ["support-key".into()], "still disabled");
    world.missed("bob", super::BOB);
    world.register(&[ANNA]);
    world.run_for(secs(120));
    assert_eq!(open(&world), []);
    assert!(world.heard(ANNA, |event| matches!(event, Heard::Incoming(..))).is_none());

    world.ask(Command::PauseAgent { agent: "anna".to_owned(), reason: None });
    world.ask(Command::ActivateRule("support-key".to_owned()));
    world.missed("carol", super::CAROL);
    world.ask(Command::ResumeAgent("anna".to_owned()));
    let carol: Vec<String> = open(&world).iter().map(|task| task.number.to_string()).collect();
    assert_eq!(carol, [super::CAROL]);
    world.rings(ANNA, secs(61));
}

// S5.12: each rule is activated by itself; the others go on resting.
#[test]
fn activating_one_rule_wakes_no_other() {
    let mut world = World::with(1, |site| site.rules.push(CallbackRule::named("other", "standard")));
    world.ask(Command::Freeze);
    world.ask(Command::Unfreeze);

    let active = world.ask(Command::ActivateRule("other".to_owned()));

    assert!(matches!(&active, Reply::Status(it) if it.resting_rules == ["support-key".into()]), "{active:?}");
}

// S5.12: a conversation goes on, whatever only rings stops.
#[test]
fn a_freeze_stops_what_rings_and_leaves_who_talks() {
    let mut world = World::new(1);
    let alice = world.promised("alice", super::ALICE);
    world.register(&[ANNA]);
    let (agent, call) = world.called_back(alice);
    world.answer(TRUNK, call);
    world.run_for(secs(2));
    world.promised("bob", super::BOB);
    world.register(&[BEN]);
    world.rings(BEN, secs(5));

    world.ask(Command::Freeze);
    world.run_for(secs(1));
    assert!(world.is_up(ANNA, agent) && world.is_up(TRUNK, call));
    assert!(!world.is_busy(BEN, 0));
    world.run_for(secs(10));
    world.hang_up(TRUNK, call);
    world.run_for(secs(2));
    let states: Vec<TaskState> = world.tasks().iter().map(|task| task.state).collect();
    assert_eq!(states, [TaskState::Completed, TaskState::Cancelled]);
    world.assert_rest();
}

// --- The end of the day ---

// S4.B3: at close, pending tasks move to overflow; there they are kept, or removed, and survive a restart.
#[test]
fn what_the_day_did_not_finish_waits_for_people() {
    let mut world = World::starting(1, &new_york("2026-03-02T16:50:00").to_rfc3339(), |site| {
        let time = |hour| chrono::NaiveTime::from_hms_opt(hour, 0, 0).expect("an hour");
        let days = vec![Weekday::Mon, Weekday::Tue];
        site.schedules.push(Schedule {
            name: "office".into(),
            tz: chrono_tz::America::New_York,
            weekly: vec![Weekly { days, hours: Hours { start: time(9), end: time(17) } }],
            exceptions: Vec::new(),
        });
        let profile = &mut site.profiles[0];
        (profile.schedule, profile.after_cutoff) = (Some("office".into()), AfterCutoff::Overflow);
        site.rules[0].close_guard = Duration::ZERO;
    });
    world.promised("alice", super::ALICE);
    world.promised("bob", super::BOB);
    until(&mut world, "2026-03-02T16:59:59");
    assert!(world.callbacks().iter().all(|it| it.task.state == TaskState::Due));
    world.run_for(secs(2));
    assert!(world.tasks().iter().all(|task| task.state == TaskState::Overflow), "and on the disk");
    assert!(world.line().is_empty());

    world.crash();
    world.start();
    until(&mut world, "2026-03-03T09:00:01");
    world.stations[ANNA].people[0].reactions = [Reaction::Answer { after: secs(1), early: false }].into();
    world.register(&[ANNA]);
    world.run_for(secs(60));
    assert!(world.attempts().is_empty(), "people decide");
    let left = Command::ListCallbacks {
        states: vec![TaskState::Overflow],
        queue: None,
        page: ringback::switch::command::PageOf::default(),
    };
    let Reply::Callbacks(page) = world.ask(left) else { panic!("no list") };
    assert_eq!(page.items.len(), 2);

    let [alice, bob] = [0, 1].map(|at| page.items[at].task.id);
    world.ask(Command::CancelCallback(bob));
    let Reply::Callback(kept) = world.ask(Command::KeepCallback(alice)) else { panic!("not kept") };
    assert!(!kept.task.state.is_final() && kept.task.state != TaskState::Overflow);
    world.run_until("she is called", secs(30), |world| invites(world, "alice") == 1);
    assert_eq!(invites(&world, "bob"), 0);
    let again = world.ask(Command::KeepCallback(bob));
    assert!(matches!(again, Reply::Refused(Refused::NotFound { .. } | Refused::Conflict { .. })), "{again:?}");
}

// --- Twice ---

// S3.B4: press in two calls: one task; the second takes the first one's place.
#[test]
fn two_requests_of_one_customer_are_one_callback() {
    let mut world = World::with(1, |site| site.rules[0].on_call_in = OnCallIn::Cancel);
    world.promised("alice", super::ALICE);
    let first = open(&world).remove(0);
    world.promised("bob", super::BOB);
    // From another phone, for the same number.
    let carol = world.customer(Person::new("carol", super::CAROL));
    let call = world.joins(carol);
    world.press(TRUNK, call, "12025550123#");
    world.run_for(secs(8));
    world.press(TRUNK, call, "1");
    world.run_until("she is sent home", secs(30), |world| !world.is_busy(TRUNK, carol));

    let tasks = open(&world);
    let alices: Vec<&Task> = tasks.iter().filter(|task| task.number.as_str() == super::ALICE).collect();
    assert_eq!(alices.len(), 1);
    assert_ne!(alices[0].id, first.id);
    assert_eq!(alices[0].virtual_start, first.virtual_start, "the place of the first");
    let merged = world.tasks().into_iter().find(|task| task.id == first.id).expect("it is kept");
    assert_eq!(merged.close_reason, Some(CloseReason::Merged));
}

/// What carol hears and leaves behind when she asks for alice, who has a promise: by this rule.
fn second_request(change: impl FnOnce(&mut Settings)) -> (usize, bool) {
    let mut world = World::with(1, change);
    world.promised("alice", super::ALICE);
    let carol = world.customer(Person::new("carol", super::CAROL));
    let call = world.joins(carol);
    world.press(TRUNK, call, "12025550123#");
    world.run_for(secs(8));
    world.press(TRUNK, call, "1");
    world.run_for(secs(3));
    let told = world.ladder.noted("\"pending_kept back_to_hold\" to carol").is_some();
    if told {
        world.run_for(secs(20));
        assert!(world.is_up(TRUNK, call), "she waits on");
        assert_eq!(world.line().len(), 2);
    }
    (open(&world).len(), told)
}

// S3.B4: a rule may refuse the second request instead, and then it is said that the first stands; or take both, as far
// as `pending_per_number` allows.
#[test]
fn a_second_request_is_refused_or_taken_as_the_rule_says() {
    assert_eq!(second_request(|_| {}), (1, false));
    assert_eq!(second_request(|site| site.rules[0].dedupe = Dedupe::Reject), (1, true));
    let both = |most| {
        move |site: &mut Settings| {
            site.rules[0].dedupe = Dedupe::Allow;
            site.rules[0].number_policy = Some("several".into());
            let policy = NumberPolicy { pending_per_number: most, ..NumberPolicy::named("several") };
            site.number_policies.push(NumberPolicy { countries: vec!["US".into()], ..policy });
        }
    };
    assert_eq!(second_request(both(2)), (2, false));
    assert_eq!(second_request(both(1)), (1, true));
}

// S3.B4: one number in two queues: two promises are one too many for a number, unless its policy allows two.
#[test]
fn a_number_has_one_promise_wherever_it_asks() {
    let mut world = World::with(1, |site| {
        site.queues.push(Queue { members: vec![Member::of("anna")], ..Queue::named("sales", "5001") });
    });
    world.promised("alice", super::ALICE);
    let refused = add(&mut world, super::ALICE, "sales", None);
    assert!(matches!(refused, Reply::Refused(Refused::Conflict { .. })), "{refused:?}");
    assert!(matches!(add(&mut world, super::BOB, "sales", None), Reply::Callback(_)));
    // In the same queue it is the same request.
    assert!(matches!(add(&mut world, super::ALICE, "support", None), Reply::Callback(_)));
    world.run_for(secs(1));
    assert_eq!(open(&world).len(), 2);
}

// --- One profile, several rules ---

// S1.1, S1.25: two rules with different keys use one profile: when its ring timeout changes, the next attempt of both
// uses it.
#[test]
fn a_profile_serves_several_rules_and_its_edit_serves_their_next_attempts() {
    let mut world = World::with(1, |site| {
        site.profiles[0].intervals = vec![Duration::ZERO, secs(120)];
        site.rules.push(CallbackRule { name: "other-key".into(), request_digit: '2', ..site.rules[0].clone() });
        site.queues[0].rules.push("other-key".into());
    });
    let alice = world.promised("alice", super::ALICE);
    let bob = world.customer(Person::new("bob", super::BOB));
    let call = world.joins(bob);
    world.press(TRUNK, call, "2#");
    world.run_until("he is sent home", secs(20), |world| !world.is_busy(TRUNK, bob));
    let rules: Vec<Option<String>> =
        world.tasks().iter().map(|task| task.rule.as_ref().map(ToString::to_string)).collect();
    assert_eq!(rules, [Some("support-key".to_owned()), Some("other-key".to_owned())]);
    for customer in [alice, bob] {
        world.stations[TRUNK].people[customer].reactions = [Reaction::Ring { early: false }].into();
    }
    world.stations[ANNA].people[0].reactions = [Reaction::Answer { after: secs(1), early: false }].into();
    world.register(&[ANNA]);
    let ended = |world: &World| world.attempts().iter().filter(|attempt| attempt.outcome.is_some()).count();
    world.run_until("both have rung out", secs(300), |world| ended(world) == 2);

    world.crash();
    world.settings.profiles[0].ring_timeout = secs(20);
    world.start();
    world.run_until("both have rung out again", secs(600), |world| ended(world) == 4);
    let rang: Vec<i64> = world
        .attempts()
        .iter()
        .filter_map(|attempt| attempt.customer_leg.as_ref())
        .filter_map(|leg| Some(leg.ended_at?.signed_duration_since(leg.invite_at?).num_seconds()))
        .collect();
    assert_eq!(rang, [30, 30, 20, 20]);
}

// S1.26: a rule attached to the queue is offered to the next caller, a detached one is not.
#[test]
fn a_queue_offers_what_is_attached_to_it() {
    let press = |attached: bool| {
        let mut world = World::with(1, |site| {
            if !attached {
                site.queues[0].rules.clear();
            }
        });
        let alice = world.customer(Person::new("alice", super::ALICE));
        let call = world.joins(alice);
        world.press(TRUNK, call, "1");
        world.run_for(secs(1));
        world.ladder.noted("\"confirm_number\" to alice").is_some()
    };
    assert!(press(true));
    assert!(!press(false));
}

// S1.3: a task with start 15:00 and idle agents: no INVITE at 14:59:59, and the agent rings at 15:00:00.
#[test]
fn a_scheduled_callback_rings_at_its_minute() {
    let mut world = World::starting(1, &new_york("2026-03-02T14:30:00").to_rfc3339(), |_| {});
    let made = add(&mut world, super::ALICE, "support", Some(new_york("2026-03-02T15:00:00")));
    assert!(matches!(made, Reply::Callback(_)), "{made:?}");
    world.register(&[ANNA]);
    until(&mut world, "2026-03-02T14:59:59");
    assert!(world.heard(ANNA, |event| matches!(event, Heard::Incoming(..))).is_none());
    world.rings(ANNA, secs(2));
    let rang = world.clock().utc.signed_duration_since(new_york("2026-03-02T15:00:00"));
    assert!(rang.num_milliseconds() >= 0 && rang.num_milliseconds() <= 1_000, "{rang}");
}

// --- The offer by expected wait ---

/// A queue whose last two callers were served two minutes apart, and alice, who joins while anna talks: when she hears
/// the offer, after so long of waiting; `None`: not within two minutes.
fn offered_after(change: impl FnOnce(&mut CallbackRule)) -> Option<Duration> {
    let mut world = World::with(1, |site| {
        site.rules[0].triggers = vec![Trigger::Ewt];
        change(&mut site.rules[0]);
    });
    world.register(&[ANNA]);
    let bob = world.customer(Person::new("bob", super::BOB));
    for _ in 0..2 {
        let call = world.joins(bob);
        let agent = world.rings(ANNA, secs(30));
        world.answer(ANNA, agent);
        world.run_for(secs(100));
        world.hang_up(TRUNK, call);
        world.run_for(secs(20));
    }
    let carol = world.customer(Person::new("carol", super::CAROL));
    world.joins(carol);
    let agent = world.rings(ANNA, secs(30));
    world.answer(ANNA, agent);
    world.run_for(secs(2));

    let alice = world.customer(Person::new("alice", super::ALICE));
    world.joins(alice);
    let joined = world.now;
    world.run_for(secs(120));
    world.ladder.noted("\"offer\" to alice").map(|at| at.since(joined))
}

// A long expected wait makes the offer at once; a short one, and one that is too long, do not.
#[test]
fn a_caller_who_will_wait_long_is_offered_a_callback_at_once() {
    let soon = offered_after(|rule| rule.min_ewt = secs(60)).expect("about two minutes each are long");
    assert!(soon <= secs(6), "offered after {soon:?}");
    assert_eq!(offered_after(|rule| rule.min_ewt = secs(3_600)), None);
    assert_eq!(offered_after(|rule| rule.max_ewt = Some(secs(10))), None);
}
