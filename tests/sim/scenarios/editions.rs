//! Another edition of the site, or a freeze, at the worst moment: while something of the old one is on its way to the
//! disk, or while a customer whom we have called is on the line.

use super::{ALICE, BOB};
use crate::disk::Mood;
use crate::drive::{ANNA, BEN, configure};
use crate::site::secs;
use crate::world::{TRUNK, World};
use ringback::callback::task::{CloseReason, Outcome, TaskState};
use ringback::demo::endpoint::CallId;
use ringback::demo::person::Person;
use ringback::settings::*;
use ringback::switch::command::{Command, Reply};
use std::time::Duration;

fn missed(site: &mut Settings) {
    let rule = CallbackRule { source: RuleSource::MissedQueue, ..CallbackRule::named("missed", "standard") };
    site.rules.push(rule);
}

fn ends(world: &World) -> Vec<(TaskState, Option<CloseReason>)> {
    world.tasks().into_iter().map(|task| (task.state, task.close_reason)).collect()
}

/// Alice is lost in line while another edition is on its way to the disk; what has become of her callback.
fn lost_during(edition: impl FnOnce(&mut Settings)) -> World {
    let mut world = World::with(1, missed);
    let alice = world.customer(Person::new("alice", ALICE));
    let call = world.joins(alice);
    world.run_for(secs(5));
    let mut settings = world.settings.clone();
    edition(&mut settings);
    world.disk.mood = Mood::Holding;
    world.tell(Command::Configure(Box::new(configure(&settings))));
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));
    world.settings = settings;
    world.release_disk();
    world.run_for(secs(1));
    world
}

// S5.9, S5.11: a missed call whose rule is disabled, or whose queue is deleted, while its callback is being stored, is
// not called back.
#[test]
fn a_missed_call_that_is_stored_too_late_ends_with_its_rule_or_its_queue() {
    let disabled = lost_during(|site| site.rules[1].enabled = false);
    assert_eq!(ends(&disabled), [(TaskState::Cancelled, Some(CloseReason::RuleDisabled))]);
    let deleted = lost_during(|site| {
        let members = vec![Member::of("anna")];
        site.queues = vec![Queue { members, ..Queue::named("sales", "5001") }];
        site.inbound_routes.clear();
    });
    assert_eq!(ends(&deleted), [(TaskState::Cancelled, Some(CloseReason::SourceDeleted))]);
    let kept = lost_during(|site| site.rules[0].enabled = false);
    assert!(matches!(ends(&kept)[..], [(state, None)] if !state.is_final()), "another rule is not hers");
}

// S5.12: a rule that comes with a reload while the site is frozen rests like all others, until somebody activates it.
#[test]
fn a_rule_that_is_new_in_a_frozen_site_rests_too() {
    let mut world = World::new(1);
    world.ask(Command::Freeze);
    world.configure(|site| {
        site.rules.push(CallbackRule { request_digit: '2', ..CallbackRule::named("second", "standard") });
        site.queues[0].rules.push("second".into());
    });
    let resting = |reply: Reply| match reply {
        Reply::Status(status) => status.resting_rules.iter().map(ToString::to_string).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(resting(world.ask(Command::Unfreeze)), ["second", "support-key"]);
    assert_eq!(world.disk.system.resting.len(), 2, "the next life knows");

    let bob = world.customer(Person::new("bob", BOB));
    let call = world.joins(bob);
    world.press(TRUNK, call, "2#");
    world.run_for(secs(20));
    assert!(world.is_up(TRUNK, call) && world.tasks().is_empty(), "the key does nothing yet");
    assert_eq!(resting(world.ask(Command::ActivateRule("second".to_owned()))), ["support-key"]);
    world.press(TRUNK, call, "2#");
    world.run_until("he is sent home", secs(20), |world| !world.is_busy(TRUNK, bob));
    assert_eq!(world.tasks().len(), 1);
}

fn nearly_due(world: &World) -> bool {
    world.tasks()[0].not_before - world.clock().utc < chrono::TimeDelta::seconds(1)
}

/// Anna is reserved for alice's callback, whose attempt is on its way to a disk that is slow.
fn reserved() -> World {
    let mut world = World::with(1, |site| {
        let members = vec![Member::of("anna")];
        site.queues.push(Queue { members, ..Queue::named("sales", "5001") });
        site.profiles[0].intervals = vec![secs(60)];
    });
    world.promised("alice", ALICE);
    world.register(&[ANNA]);
    world.run_until("it is nearly due", secs(60), nearly_due);
    world.disk.mood = Mood::Holding;
    world.run_for(secs(2));
    assert_eq!(world.agent("anna").state, "reserved");
    world
}

// S2.B5: between the planner's choice and the ring an agent leaves the queue, or pauses in it: her phone stays still
// (law 5), though she takes the calls of another one, until she is back.
#[test]
fn an_agent_who_leaves_the_queue_while_she_is_reserved_is_not_rung_for_it() {
    for (away, back) in [("*395000", "*385000"), ("*375000", "*365000")] {
        let mut world = reserved();
        world.dial(ANNA, away);
        world.run_for(Duration::from_millis(500));
        assert!(world.is_up_with_switch(ANNA));
        world.release_disk();
        world.run_until("she has heard it", secs(10), |world| !world.is_busy(ANNA, 0));
        world.run_for(secs(30));

        assert!(world.invites(ANNA).is_empty(), "{away}");
        assert!(world.attempts().iter().all(|attempt| attempt.agent_legs.is_empty()), "{away}");
        assert_eq!(world.tasks()[0].attempts_used, 0, "{away}");
        world.register(&[BEN]);
        let other = world.rings(BEN, secs(5));
        world.refuse(BEN, other, 486);
        world.dial(ANNA, back);
        world.run_until("she has heard it", secs(10), |world| !world.is_up_with_switch(ANNA));
        world.rings(ANNA, secs(5));
    }
}

// S1.B10, law 5: an agent with two lines whose other call ends while she is reserved rests first.
#[test]
fn an_agent_who_begins_to_rest_while_she_is_reserved_is_rung_after_her_rest() {
    let mut world = World::with(1, |site| {
        site.agents[0].max_calls = 2;
        site.profiles[0].intervals = vec![secs(60)];
    });
    world.promised("alice", ALICE);
    world.register(&[ANNA]);
    let bob = world.customer(Person::new("bob", BOB));
    let call = world.joins(bob);
    let agent = world.rings(ANNA, secs(5));
    world.answer(ANNA, agent);
    world.run_until("it is nearly due", secs(60), nearly_due);
    world.disk.mood = Mood::Holding;
    world.run_for(secs(2));
    assert_eq!(world.agent("anna").state, "reserved");

    let ended = world.now;
    world.hang_up(TRUNK, call);
    world.run_for(Duration::from_millis(400));
    world.release_disk();
    world.rings(ANNA, secs(30));

    let rested = world.now.since(ended);
    assert!(rested >= secs(10) && rested < secs(12), "{rested:?}");
}

/// Alice is called first, has answered, and waits for anna, whose phone rings.
fn holds(change: impl FnOnce(&mut Settings)) -> (World, CallId, CallId) {
    let mut world = World::with(1, |site| {
        site.profiles[0].first_party = FirstParty::Customer;
        change(site);
    });
    let alice = world.promised("alice", ALICE);
    world.register(&[ANNA]);
    let call = world.rings_at(alice, secs(5));
    world.answer(TRUNK, call);
    let agent = world.rings(ANNA, secs(2));
    (world, agent, call)
}

/// Anna has answered, and alice is asked whether she wants the call.
fn is_asked(change: impl FnOnce(&mut Settings)) -> (World, CallId, CallId) {
    let mut world = World::with(1, |site| {
        site.number_policies =
            vec![NumberPolicy { confirm_by_key: ConfirmByKey::Always, ..NumberPolicy::named("own") }];
        site.rules[0].number_policy = Some("own".into());
        change(site);
    });
    let alice = world.promised("alice", ALICE);
    world.register(&[ANNA]);
    let (agent, call) = world.called_back(alice);
    world.answer(TRUNK, call);
    world.run_for(secs(1));
    (world, agent, call)
}

fn cancel(world: &mut World) {
    let task = world.tasks()[0].id;
    world.ask(Command::CancelCallback(task));
}

// S5.9, S5.12: whoever has answered our call is served, whatever is frozen, disabled or deleted meanwhile; only what
// would come after it does not come.
#[test]
fn a_customer_who_has_answered_is_served_although_the_site_changes() {
    let changes: [fn(&mut World); 3] = [
        |world| drop(world.ask(Command::Freeze)),
        |world| world.configure(|site| site.rules[0].enabled = false),
        |world| world.configure(|site| site.rules.clear()),
    ];
    for change in changes {
        let (mut world, agent, call) = holds(|_| {});
        change(&mut world);
        world.answer(ANNA, agent);
        world.run_for(secs(10));
        assert!(world.is_up(ANNA, agent) && world.is_up(TRUNK, call));
        world.hang_up(TRUNK, call);
        world.run_for(secs(2));
        assert_eq!(ends(&world), [(TaskState::Completed, Some(CloseReason::Success))]);

        let (mut world, agent, call) = is_asked(|_| {});
        change(&mut world);
        world.press(TRUNK, call, "1");
        world.run_for(secs(3));
        assert!(world.is_up(ANNA, agent) && world.is_up(TRUNK, call));
        world.hang_up(TRUNK, call);
        world.run_for(secs(2));
        assert_eq!(world.attempts()[0].outcome, Some(Outcome::ShortTalk));
        assert!(world.tasks()[0].state == TaskState::Cancelled, "there is no second attempt");
        world.assert_rest();
    }
}

// S5.12, T36: a customer who was called first, and whose callback is cancelled while he waits for the agent, is told
// and not just cut off, in the language of his queue.
#[test]
fn a_customer_whose_callback_is_cancelled_while_he_waits_is_told() {
    let (mut world, _, call) = holds(|site| site.queues[0].language = "de".to_owned());
    let leg = world.leg_of(TRUNK, call).expect("hers");

    cancel(&mut world);

    assert_eq!(world.spoken(leg).last().map(String::as_str), Some("de/customer_sorry"));
    world.run_for(secs(1));
    assert!(world.is_up(TRUNK, call) && !world.is_busy(ANNA, 0));
    world.run_for(secs(6));
    assert!(!world.is_up(TRUNK, call));
    assert_eq!(ends(&world), [(TaskState::Cancelled, Some(CloseReason::ByAdmin))]);
    assert_eq!(world.attempts()[0].outcome, Some(Outcome::Superseded));
    world.assert_ladder("cancelled_while_he_holds");
    world.assert_rest();
}

// T36: the same while he is asked: the agent is let go, he hears why. When the agent hangs up on him, he hears it too.
#[test]
fn a_customer_who_is_being_asked_is_not_left_in_silence() {
    for agent_leaves in [false, true] {
        let (mut world, agent, call) = is_asked(|_| {});
        let leg = world.leg_of(TRUNK, call).expect("hers");
        if agent_leaves {
            world.hang_up(ANNA, agent);
        } else {
            cancel(&mut world);
        }
        world.run_for(secs(1));

        assert_eq!(world.spoken(leg).last().map(String::as_str), Some("customer_sorry"));
        assert!(world.is_up(TRUNK, call) && !world.is_busy(ANNA, 0));
        let expected = if agent_leaves { Outcome::AgentLeftEarly } else { Outcome::Superseded };
        assert_eq!(world.attempts()[0].outcome, Some(expected));
        world.run_for(secs(6));
        assert!(!world.is_up(TRUNK, call));
    }
}

// T33, T36: who wants no more calls hears goodbye to its end, whether the agent stays to hear why or hangs up.
#[test]
fn a_customer_who_declines_hears_goodbye_whatever_the_agent_does() {
    for agent_leaves in [false, true] {
        let (mut world, agent, call) = is_asked(|_| {});
        let leg = world.leg_of(TRUNK, call).expect("hers");
        world.press_one(TRUNK, call, '2');
        let hears = |world: &World| world.spoken(leg).last().is_some_and(|words| words == "goodbye");
        world.run_until("she hears it", secs(2), hears);
        let began = world.now;
        if agent_leaves {
            world.hang_up(ANNA, agent);
        }
        world.run_until("she is let go", secs(5), |world| !world.is_up(TRUNK, call));

        assert_eq!(world.spoken(leg).last().map(String::as_str), Some("goodbye"));
        assert_eq!(world.now.since(began).as_secs(), 2);
        assert_eq!(ends(&world), [(TaskState::Cancelled, Some(CloseReason::Dnc))]);
        world.assert_rest();
    }
}

// At the end of a drain there is no time for last words.
#[test]
fn the_end_of_a_drain_waits_for_no_last_words() {
    let (mut world, _, call) = holds(|_| {});
    let Reply::Status(status) = world.ask(Command::EndCalls) else { panic!("no status") };
    assert_eq!(status.calls, 0);
    world.run_for(secs(1));
    assert!(!world.is_up(TRUNK, call));
}

// An agent who is renamed is somebody else, but his phone is registered: it logs him in as it would after a restart.
#[test]
fn an_agent_who_is_renamed_is_logged_in_by_his_phone() {
    let mut world = World::new(1);
    world.register(&[ANNA]);
    world.configure(|site| {
        site.agents[0].name = "annabel".into();
        site.queues[0].members = ["annabel", "ben", "carl"].map(Member::of).to_vec();
    });
    assert_eq!(world.agent("annabel").state, "ready");
    let stored = world.disk.agents.get("annabel").expect("the next life knows");
    assert!(stored.logged_in);

    let alice = world.customer(Person::new("alice", ALICE));
    world.call_in(alice);
    world.rings(ANNA, secs(3));
}

// Who talks while he is renamed is not free: his calls are those of the agent who has his extension now.
#[test]
fn an_agent_who_is_renamed_while_he_talks_is_not_rung() {
    let mut world = World::new(1);
    world.register(&[ANNA]);
    let alice = world.customer(Person::new("alice", ALICE));
    let call = world.call_in(alice);
    let agent = world.rings(ANNA, secs(3));
    world.answer(ANNA, agent);
    world.run_for(secs(3));
    world.configure(|site| {
        site.agents[0].name = "annabel".into();
        site.queues[0].members = ["annabel", "ben", "carl"].map(Member::of).to_vec();
    });
    assert_eq!(world.agent("annabel").state, "queue_call");
    world.hang_up(TRUNK, call);
    assert_eq!(world.agent("annabel").state, "wrap_up");
    world.run_for(secs(11));
    assert_eq!(world.agent("annabel").state, "ready");
}
