//! The site is changed while calls go on.

use super::{ALICE, BOB, CAROL};
use crate::disk::Mood;
use crate::drive::{ANNA, BEN, configure};
use crate::products::voximplant;
use crate::site::secs;
use crate::world::{TRUNK, World};
use chrono::TimeDelta;
use ringback::callback::task::{CloseReason, MissedBy, Outcome, Source, Task, TaskState};
use ringback::demo::endpoint::Event;
use ringback::demo::person::{Person, Reaction};
use ringback::id::TaskId;
use ringback::media::Play;
use ringback::number::Party;
use ringback::settings::{CallbackProfile, CallbackRule, Destination, Group, Ivr, Member, Queue, RuleSource, Trunk};
use ringback::switch::command::{Command, Done, PageOf, Refused, Reply};
use ringback::switch::{AuditRecord, NotStored};
use std::time::Duration;

/// How each callback stands on the disk, by number.
fn ends(world: &World) -> Vec<(TaskState, Option<CloseReason>)> {
    let mut tasks = world.tasks();
    tasks.sort_by_key(|task| task.number_raw.clone());
    tasks.into_iter().map(|task| (task.state, task.close_reason)).collect()
}

fn open_rule(world: &mut World, enabled: bool) {
    world.configure(|site| site.rules[0].enabled = enabled);
}

const DISABLED: (TaskState, Option<CloseReason>) = (TaskState::Cancelled, Some(CloseReason::RuleDisabled));
const DELETED: (TaskState, Option<CloseReason>) = (TaskState::Cancelled, Some(CloseReason::SourceDeleted));

// S5.9: a rule that is disabled takes its five pending tasks with it; the one already talking goes on to its end.
#[test]
fn a_disabled_rule_cancels_what_is_pending_and_lets_the_talk_go_on() {
    let mut world = World::with(1, voximplant);
    let first = world.missed("first", "+12025550110");
    for n in 1..6 {
        world.missed(&format!("c{n}"), &format!("+1202555011{n}"));
    }
    world.register(&[ANNA]);
    let (agent, call) = world.called_back_after(first, secs(61));
    world.answer(TRUNK, call);
    world.run_for(secs(3));

    open_rule(&mut world, false);

    let ends_now = ends(&world);
    assert_eq!(ends_now[1..], [DISABLED; 5]);
    assert!(!ends_now[0].0.is_final());
    assert!(world.line().is_empty(), "who talks does not wait, and nobody else is left");
    world.run_for(secs(20));
    assert!(world.is_up(ANNA, agent) && world.is_up(TRUNK, call));
    world.hang_up(TRUNK, call);
    world.run_for(secs(60));
    assert_eq!(ends(&world)[0], (TaskState::Completed, Some(CloseReason::Success)));
    assert_eq!(world.attempts().len(), 1, "nobody else was rung");
    world.assert_rest();
}

// S5.9: an attempt that only rings is given up with its rule, and both phones are still.
#[test]
fn a_disabled_rule_stops_what_only_rings() {
    let mut world = World::new(1);
    let alice = world.promised("alice", ALICE);
    world.register(&[ANNA]);
    let (agent, call) = world.called_back(alice);

    open_rule(&mut world, false);
    world.run_for(secs(1));

    assert_eq!(ends(&world), [DISABLED]);
    assert!(!world.is_up(TRUNK, call) && !world.is_busy(TRUNK, alice));
    world.run_for(secs(10));
    assert!(world.stations[ANNA].endpoint.call(agent).is_none());
    assert_eq!(world.attempts()[0].outcome, Some(Outcome::Superseded));
    world.assert_ladder("rule_disabled");
    world.assert_rest();
}

// S5.9: a short talk whose rule was disabled meanwhile is not tried again.
#[test]
fn what_would_be_retried_ends_with_its_rule() {
    let mut world = World::new(1);
    let alice = world.promised("alice", ALICE);
    world.register(&[ANNA]);
    let (_, call) = world.called_back(alice);
    world.answer(TRUNK, call);
    world.run_for(secs(2));
    open_rule(&mut world, false);
    world.hang_up(TRUNK, call);
    world.run_for(secs(2));

    assert_eq!(world.attempts()[0].outcome, Some(Outcome::ShortTalk));
    assert_eq!(ends(&world), [DISABLED]);
    world.assert_rest();
}

fn does_not_answer(world: &mut World, customer: usize) {
    world.stations[TRUNK].people[customer].reactions = [Reaction::Ring { early: false }].into();
}

/// Lets anna take a callback that the customer lets ring, for so long as `ring` says; when it ended.
fn rings_in_vain(world: &mut World, customer: usize, limit: Duration, ring: Duration) -> chrono::DateTime<chrono::Utc> {
    let ended = |world: &World| world.attempts().into_iter().filter_map(|attempt| attempt.ended_at).collect::<Vec<_>>();
    let before = ended(world).len();
    let (_, _) = world.called_back_after(customer, limit);
    let began = world.now;
    world.run_until("the customer's phone is still", secs(60), |world| !world.is_busy(TRUNK, customer));
    let rang = world.now.since(began);
    assert!(rang + secs(1) > ring && rang < ring + secs(1), "rang for {rang:?}");
    world.run_until("the attempt is over", secs(60), |world| ended(world).len() > before);
    ended(world).into_iter().max().expect("it has ended")
}

// S5.10, S1.1: ring time and intervals are changed while attempt 2 is loaded: 2 rings as it was loaded, and 3 comes
// at the new interval and rings for the new time.
#[test]
fn a_loaded_attempt_keeps_its_settings_and_the_next_one_reads_anew() {
    let mut world = World::with(1, |site| {
        voximplant(site);
        site.profiles[0].attempts_max = 5;
        site.profiles[0].intervals = vec![Duration::ZERO, secs(60)];
        site.profiles[0].ring_timeout = secs(15);
        site.queues[0].wrap_up = secs(1);
    });
    let alice = world.missed("alice", ALICE);
    does_not_answer(&mut world, alice);
    world.register(&[ANNA]);
    rings_in_vain(&mut world, alice, secs(5), secs(15));

    let agent = world.rings(ANNA, secs(90));
    world.configure(|site| {
        site.profiles[0].intervals = vec![Duration::ZERO, secs(300)];
        site.profiles[0].ring_timeout = secs(25);
    });
    world.answer(ANNA, agent);
    world.rings_at(alice, secs(20));
    let began = world.now;
    world.run_until("his phone is still", secs(60), |world| !world.is_busy(TRUNK, alice));
    assert!(world.now.since(began) < secs(16), "the loaded attempt rings as it was loaded");
    world.run_until("2 is over", secs(60), |world| world.attempts()[1].ended_at.is_some());
    let after_two = world.attempts()[1].ended_at.expect("over");
    assert_eq!(world.tasks()[0].not_before, after_two + TimeDelta::seconds(300), "what comes next is of the next");

    let after_three = rings_in_vain(&mut world, alice, secs(320), secs(25));
    assert_eq!(world.attempts().len(), 3);
    assert_eq!(world.tasks()[0].not_before, after_three + TimeDelta::seconds(300), "new");
}

// S1.1: two rules share a profile; when its ring timeout changes, the next attempt of both rings so long.
#[test]
fn a_profile_is_shared_by_its_rules() {
    let mut world = World::with(1, |site| {
        site.rules.push(CallbackRule { request_digit: '2', ..CallbackRule::named("second", "standard") });
        site.queues[0].rules.push("second".into());
        site.queues[0].wrap_up = secs(1);
        site.profiles[0].no_answer_action = ringback::settings::NoAnswerAction::Fail;
    });
    let alice = world.promised("alice", ALICE);
    let bob = world.customer(Person::new("bob", BOB));
    let call = world.joins(bob);
    world.press(TRUNK, call, "2#");
    world.run_until("he is sent home", secs(20), |world| !world.is_busy(TRUNK, bob));
    let rules: Vec<_> = world.tasks().into_iter().filter_map(|task| task.rule).collect();
    assert_eq!(rules.iter().map(|rule| &**rule).collect::<Vec<_>>(), ["support-key", "second"]);
    [alice, bob].into_iter().for_each(|customer| does_not_answer(&mut world, customer));

    world.configure(|site| site.profiles[0].ring_timeout = secs(17));
    world.register(&[ANNA]);

    rings_in_vain(&mut world, alice, secs(5), secs(17));
    rings_in_vain(&mut world, bob, secs(20), secs(17));
}

// S1.26: a rule is attached to a queue and detached again; each next caller finds the offer, or does not.
#[test]
fn an_offer_comes_and_goes_with_its_rule() {
    let mut world = World::with(1, |site| site.queues[0].rules.clear());
    let press = |world: &mut World, name: &str, number: &str| {
        let customer = world.customer(Person::new(name, number));
        let call = world.joins(customer);
        world.press(TRUNK, call, "1#");
        world.run_for(secs(15));
        let is_sent_home = !world.is_busy(TRUNK, customer);
        if !is_sent_home {
            world.hang_up(TRUNK, call);
        }
        is_sent_home
    };

    assert!(!press(&mut world, "alice", ALICE));
    world.configure(|site| site.queues[0].rules = vec!["support-key".into()]);
    assert!(press(&mut world, "bob", BOB));
    world.configure(|site| site.queues[0].rules.clear());
    assert!(!press(&mut world, "carol", CAROL));

    let numbers: Vec<String> = world.tasks().iter().map(|task| task.number.to_string()).collect();
    assert_eq!(numbers, [BOB]);
}

/// A site on which calls were lost by an agent, a group, a queue and a menu.
fn lost_calls(seed: u64) -> World {
    let mut world = World::with(seed, |site| {
        voximplant(site);
        site.groups.push(Group { name: "desk".into(), agents: vec!["ben".into()] });
        site.ivrs.push(Ivr::named("menu"));
        let members = vec![Member::of("anna")];
        site.queues.push(Queue { members, ..Queue::named("sales", "5001") });
        let missed = CallbackRule { source: RuleSource::MissedAgent, ..CallbackRule::named("missed", "standard") };
        site.rules.push(missed);
    });
    let lost = [
        MissedBy::Agent("dora".into()),
        MissedBy::Group("desk".into()),
        MissedBy::Queue("sales".into()),
        MissedBy::Ivr("menu".into()),
        MissedBy::Agent("anna".into()),
    ];
    let at = world.clock().utc;
    world.crash();
    for (n, missed_by) in lost.into_iter().enumerate() {
        let id = TaskId(world.entropy.ulid(at));
        let number = Party::Number(format!("+1202555013{n}").as_str().into());
        let task = Task {
            rule: Some("missed".into()),
            missed_by: Some(missed_by),
            ..Task::new(id, Source::MissedAgent, "standard".into(), "support".into(), number, at)
        };
        world.disk.put_task(task);
    }
    world.start();
    world.run_for(secs(1));
    world
}

// S5.11: the user, the group, the queue or the menu that lost the call is deleted: its task does not start.
#[test]
fn a_task_whose_source_is_deleted_does_not_start() {
    let mut world = lost_calls(1);
    assert!(ends(&world).iter().all(|(state, _)| !state.is_final()), "{:?}", ends(&world));

    let mut gone = 0;
    let steps: [fn(&mut ringback::settings::Settings); 4] = [
        |site| site.agents.retain(|agent| &*agent.name != "dora"),
        |site| site.groups.clear(),
        |site| site.queues.retain(|queue| &*queue.name != "sales"),
        |site| site.ivrs.clear(),
    ];
    for step in steps {
        world.configure(step);
        gone += 1;
        let ends = ends(&world);
        assert_eq!(ends[..gone], vec![DELETED; gone]);
        assert!(ends[gone..].iter().all(|(state, _)| !state.is_final()), "{gone}: {ends:?}");
    }

    world.register(&[ANNA]);
    let agent = world.rings(ANNA, secs(5));
    world.answer(ANNA, agent);
    world.run_for(secs(5));
    assert_eq!(world.attempts().len(), 1);
    assert_eq!(world.attempts()[0].number.to_string(), "+12025550134", "only what anna has lost is called back");
}

// S5.11: with the rule itself gone, what it has made goes too, also when it went while the process was down.
#[test]
fn a_deleted_rule_takes_its_tasks_along_over_a_restart_too() {
    let mut world = World::new(1);
    world.promised("alice", ALICE);
    world.crash();
    world.settings.rules.clear();
    world.settings.queues[0].rules.clear();
    world.start();
    world.run_for(secs(1));

    assert_eq!(ends(&world), [DELETED]);
}

// S5.11: callers who wait in a queue that is deleted are told to call later, or go where its overflow leads; a
// conversation goes on, and the agent is free again afterwards.
#[test]
fn a_deleted_queue_leaves_nobody_in_silence() {
    let mut world = World::with(1, |site| {
        let members = vec![Member::of("dora")];
        site.queues.push(Queue { members, ..Queue::named("sales", "5001") });
    });
    world.register(&[ANNA]);
    let talks = world.customer(Person::new("talks", "+12025550140"));
    let talk = world.joins(talks);
    let agent = world.rings(ANNA, secs(5));
    world.answer(ANNA, agent);
    let alice = world.customer(Person::new("alice", ALICE));
    world.joins(alice);
    world.promised("bob", BOB);

    world.configure(|site| {
        site.queues.remove(0);
        site.inbound_routes[0].to = Destination::Queue("sales".into());
    });
    world.run_until("alice is sent home", secs(20), |world| !world.is_busy(TRUNK, alice));

    assert_eq!(ends(&world), [DELETED]);
    assert!(world.is_up(ANNA, agent) && world.is_up(TRUNK, talk));
    world.hang_up(TRUNK, talk);
    world.run_for(secs(15));
    assert_eq!(world.agent("anna").state, "ready");
    world.assert_ladder("queue_deleted");
    world.assert_rest();
}

// S5.10: an agent who is deleted gets no new call, keeps the one he has, and his phone is not registered any more.
#[test]
fn a_deleted_agent_finishes_his_call_and_gets_no_other() {
    let mut world = World::new(1);
    world.register(&[ANNA, BEN]);
    let alice = world.customer(Person::new("alice", ALICE));
    let call = world.joins(alice);
    let agent = world.rings(ANNA, secs(5));
    world.answer(ANNA, agent);
    let bob = world.customer(Person::new("bob", BOB));
    world.joins(bob);
    world.rings(BEN, secs(5));

    world.configure(|site| {
        site.agents.retain(|agent| !matches!(&*agent.name, "anna" | "ben"));
        site.queues[0].members = vec![Member::of("carl")];
    });
    world.run_for(secs(1));

    assert!(!world.is_busy(BEN, 0), "what only rang has stopped");
    assert!(world.is_up(ANNA, agent));
    world.run_for(secs(5));
    world.hang_up(TRUNK, call);
    world.run_for(secs(30));
    assert!(!world.is_busy(ANNA, 0));
    assert_eq!(world.line().len(), 1, "bob waits for carl");
    let (now, bobs) = (world.now, world.of(bob));
    world.stations[TRUNK].endpoint.hang_up(now, bobs);
    world.run_for(secs(40));
    world.assert_rest();
}

// C15: accept = false stops new requests, process = false stops dialling; the tasks are kept through both.
#[test]
fn a_rule_that_rests_keeps_its_tasks() {
    let mut world = World::new(1);
    world.promised("alice", ALICE);
    world.configure(|site| (site.rules[0].accept, site.rules[0].process) = (false, false));
    world.register(&[ANNA]);
    world.run_for(secs(30));

    assert!(world.heard(ANNA, |event| matches!(event, Event::Incoming(..))).is_none());
    assert_eq!(world.callbacks()[0].held_by.as_deref(), Some("the rule support-key does not dial (process = false)"));
    world.configure(|site| site.rules[0].process = true);
    world.rings(ANNA, secs(2));
}

// S5.31: what the disk refuses has not happened, not even in part; and it is not in the audit log.
#[test]
fn an_edition_that_is_not_stored_changes_nothing() {
    let mut world = World::new(1);
    world.promised("alice", ALICE);
    world.disk.mood = Mood::Failing(NotStored::Failed);
    let mut settings = world.settings.clone();
    settings.rules[0].enabled = false;
    settings.queues.clear();
    let mut command = configure(&settings);
    command.done = vec![Done { who: "admin".to_owned(), what: "apply".to_owned(), ..Done::default() }];

    let reply = world.ask(Command::Configure(Box::new(command.clone())));
    assert!(matches!(reply, Reply::Refused(Refused::NotStored)), "{reply:?}");
    world.release_disk();
    world.run_for(secs(10));

    assert!(!ends(&world)[0].0.is_final());
    assert_eq!(world.line().len(), 1);
    assert_eq!(audit(&mut world), []);
    command.settings = std::sync::Arc::new(world.settings.clone());
    world.ask(Command::Configure(Box::new(command)));
    let log = audit(&mut world);
    assert_eq!((log.len(), log[0].who.as_str(), log[0].what.as_str()), (1, "admin", "apply"));
    assert_eq!(world.disk.audit, log);
}

fn audit(world: &mut World) -> Vec<AuditRecord> {
    match world.ask(Command::ListAudit(PageOf::default())) {
        Reply::Audit(page) => page.items,
        other => panic!("{other:?}"),
    }
}

// S5.10: a caller inside the dialogue of a rule that is disabled hears music again; his digits make no promise.
#[test]
fn a_dialogue_ends_with_its_rule() {
    let mut world = World::new(1);
    let alice = world.customer(Person::new("alice", ALICE));
    let call = world.joins(alice);
    world.press(TRUNK, call, "1");
    world.run_for(secs(1));

    open_rule(&mut world, false);
    world.press(TRUNK, call, "#");
    world.run_for(secs(60));

    assert!(world.is_up(TRUNK, call));
    assert_eq!(world.tasks().len(), 0);
    let leg = world.leg_of(TRUNK, call).expect("his leg");
    let last = world.shard.heard.iter().rfind(|(_, heard, _)| *heard == leg).map(|(.., play)| play.clone());
    assert!(matches!(last, Some(Play::Clips { then: Some(_), .. })), "not silence: {last:?}");
    assert_eq!(world.line().len(), 1);
}

// S1.B16: a trunk that is not changed keeps its state through a reload; one that is new is found, a deleted one is
// left.
#[test]
fn trunks_come_and_go_while_the_others_stay_as_they_are() {
    let mut world = World::with(1, |site| {
        let mode = ringback::settings::TrunkMode::Register {
            username: "site7".to_owned(),
            auth_user: "site7".to_owned(),
            password: "trunk-secret".to_owned(),
            realm: None,
            expires: secs(300),
        };
        site.trunks[0].mode = mode;
    });
    let carrier = world.stations[TRUNK].carrier.as_mut().expect("a carrier");
    carrier.registrar = Some(("site7".to_owned(), "trunk-secret".to_owned()));
    world.run_for(secs(70));
    assert_eq!(world.trunk().state, "registered");

    world.configure(|site| {
        site.trunks[0].max_calls = 7;
        site.trunks.push(Trunk { options_ping: None, ..Trunk::peer("spare", "192.0.2.99") });
    });
    assert_eq!(world.trunk().state, "registered", "nothing was asked anew");
    world.run_for(secs(1));
    let states = |world: &mut World| match world.ask(Command::ListTrunks) {
        Reply::Trunks(page) => page.items.iter().map(|trunk| (trunk.name.to_string(), trunk.state)).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(states(&mut world), [("carrier".to_owned(), "registered"), ("spare".to_owned(), "up")]);

    world.ladder.hides_registrations = false;
    world.configure(|site| drop(site.trunks.remove(0)));
    world.run_for(secs(2));
    assert_eq!(states(&mut world), [("spare".to_owned(), "up")]);
    assert!(world.drawing().contains("REGISTER"), "we take our leave");
    world.assert_rest();
}

// S5.12: a file that says `frozen` is a freeze like any other; when it says `active` again, each rule waits for a hand.
#[test]
fn a_file_may_freeze_the_site_and_wakes_no_rule() {
    let mut world = World::new(1);
    world.promised("alice", ALICE);
    let status = |world: &mut World| match world.ask(Command::Status) {
        Reply::Status(status) => (status.frozen, status.resting_rules.len()),
        other => panic!("{other:?}"),
    };

    world.configure(|site| site.system.frozen = true);
    assert_eq!(ends(&world), [(TaskState::Cancelled, Some(CloseReason::Frozen))]);
    assert_eq!(status(&mut world), (true, 1));
    world.configure(|site| site.system.frozen = false);
    assert_eq!(status(&mut world), (false, 1), "still disabled");
    assert_eq!((world.disk.system.frozen, world.disk.system.resting.len()), (false, 1));
    world.configure(|site| site.queues[0].ring = secs(15));
    assert_eq!(status(&mut world), (false, 1), "another edition wakes nothing");
    world.ask(Command::ActivateRule("support-key".to_owned()));
    assert_eq!(status(&mut world), (false, 0));
    world.promised("bob", BOB);
    assert_eq!(world.tasks().len(), 2);
}

// S1.1: a profile that a rule names anew is the one its next task is made by.
#[test]
fn new_requests_follow_the_new_edition() {
    let mut world = World::new(1);
    world.promised("alice", ALICE);
    world.configure(|site| {
        site.profiles.push(CallbackProfile::named("patient"));
        site.rules[0].profile = "patient".into();
    });
    world.promised("bob", BOB);

    let profiles: Vec<String> = world.tasks().iter().map(|task| task.profile.to_string()).collect();
    assert_eq!(profiles, ["standard", "patient"]);
}
