//! Keys of an attempt: the agent takes a callback with one and asks for another try with another; the customer says
//! whether he wants to be called at all.

use crate::drive::{ANNA, BEN};
use crate::products::fonolo;
use crate::site::secs;
use crate::world::{TRUNK, World};
use ringback::callback::task::{CloseReason, Outcome, Reschedules, Task, TaskState};
use ringback::demo::endpoint::{CallId, EndedBy, Event};
use ringback::demo::person::{Person, Reaction};
use ringback::settings::{
    AgentAccept, AgentReschedule, CallbackProfile, ClientReschedule, ConfirmByKey, NumberPolicy, Settings, Sound,
};
use ringback::switch::command::{Command, NewCallback};
use std::time::Duration;

const BUSY: Reaction = Reaction::Refuse { after: Duration::from_secs(1), status: 486 };
const NINE: AgentReschedule = AgentReschedule { key: '9', after_fail: Duration::from_secs(8) };

/// Fonolo's keys, without words to anybody that are not about them.
fn by_key(site: &mut Settings) {
    fonolo(site);
    (site.profiles[0].agent_prompt, site.profiles[0].customer_prompt) = (Sound::Silent, Sound::Silent);
}

/// anna takes the callback, and starts it with 1 where she has to.
fn started(world: &mut World, alice: usize, limit: Duration) -> (CallId, CallId) {
    let agent = world.rings(ANNA, limit);
    world.answer(ANNA, agent);
    if world.settings.profiles[0].agent_accept != AgentAccept::Auto {
        world.press(ANNA, agent, "1");
    }
    (agent, world.rings_at(alice, secs(20)))
}

fn outcomes(world: &World) -> Vec<Outcome> {
    world.attempts().into_iter().filter_map(|attempt| attempt.outcome).collect()
}

fn task(world: &World) -> Task {
    world.tasks().remove(0)
}

fn reacts(world: &mut World, customer: usize, reaction: Reaction) {
    world.stations[TRUNK].people[customer].reactions = [reaction].into();
}

/// The customer has answered, and the two talk.
fn talking(world: &mut World, alice: usize) -> (CallId, CallId) {
    let (agent, call) = started(world, alice, secs(5));
    world.answer(TRUNK, call);
    world.run_for(secs(1));
    (agent, call)
}

// S4.7: the agent starts the callback with 1, and only then 9 counts.
#[test]
fn the_agent_starts_the_callback_with_one_key_and_only_then_the_other_counts() {
    for nine_after in [false, true] {
        let mut world = World::with(1, by_key);
        let alice = world.promised("alice", super::ALICE);
        world.register(&[ANNA]);

        let agent = world.rings(ANNA, secs(5));
        world.answer(ANNA, agent);
        world.run_for(secs(3));
        world.press(ANNA, agent, "9");
        assert!(world.ladder.first("ringback", "alice", "INVITE").is_none(), "nobody is dialled without the key");
        let pressed = world.now;
        world.press(ANNA, agent, "1");
        let call = world.rings_at(alice, secs(2));
        let dialled = world.ladder.first("ringback", "alice", "INVITE").expect("she is dialled");
        assert!(dialled.since(pressed) < Duration::from_millis(100), "at the key: {:?}", dialled.since(pressed));
        world.answer(TRUNK, call);
        world.run_for(secs(10));
        if nine_after {
            world.press(ANNA, agent, "9");
        }
        world.hang_up(ANNA, agent);
        world.run_for(secs(2));

        let expected = if nine_after { Outcome::VoicemailAgent } else { Outcome::Success };
        assert_eq!(outcomes(&world), [expected]);
        if nine_after {
            world.assert_ladder("agent_accept");
        }
    }
}

#[test]
fn a_key_pressed_while_the_prompt_plays_ends_it() {
    let mut world = World::with(1, |site| {
        by_key(site);
        site.profiles[0].agent_prompt = Sound::BuiltIn;
    });
    let alice = world.promised("alice", super::ALICE);
    world.register(&[ANNA]);

    let agent = world.rings(ANNA, secs(5));
    world.answer(ANNA, agent);
    world.run_for(secs(1));
    world.press_one(ANNA, agent, '1');
    world.rings_at(alice, Duration::from_millis(200));
}

// S4.8: without the key the agent is let go after ten seconds, the next one rings, and nothing is burnt.
#[test]
fn an_agent_who_does_not_press_the_key_is_let_go_and_the_next_one_rings() {
    let mut world = World::with(1, by_key);
    let alice = world.promised("alice", super::ALICE);
    world.register(&[ANNA]);

    let agent = world.rings(ANNA, secs(5));
    world.register(&[BEN]);
    world.answer(ANNA, agent);
    let asked = world.ladder.noted("agent_accept").expect("she is asked");
    world.run_until("anna is let go", secs(20), |world| !world.is_busy(ANNA, 0));
    // Two seconds of asking, ten of waiting, two of goodbye.
    let let_go = world.ladder.first("ringback", "anna", "BYE").expect("she is let go").since(asked);
    assert_eq!(let_go.as_secs(), 12, "{let_go:?}");

    let second = world.rings(BEN, secs(1));
    assert_eq!(outcomes(&world), [Outcome::AgentNoAccept]);
    assert_eq!(task(&world).attempts_used, 0);
    assert!(!world.is_busy(TRUNK, alice), "and nobody was dialled");
    world.answer(BEN, second);
    world.run_for(secs(3));
    world.press(BEN, second, "1");
    world.rings_at(alice, secs(1));
    world.assert_ladder("agent_no_accept");
}

// S4.6, S4.15: 9 and hanging up: it was a machine, and another attempt is scheduled, however long they were joined.
#[test]
fn the_agent_says_that_it_was_a_machine_and_another_attempt_is_scheduled() {
    let mut world = World::with(1, |site| {
        by_key(site);
        site.profiles[0].intervals = vec![Duration::ZERO, secs(60)];
    });
    let alice = world.promised("alice", super::ALICE);
    world.register(&[ANNA]);

    let (agent, _) = talking(&mut world, alice);
    world.run_for(secs(20));
    world.press(ANNA, agent, "9");
    assert_eq!(world.callbacks()[0].task.state, TaskState::Talking, "nothing ends before she hangs up");
    let ended = world.now;
    world.hang_up(ANNA, agent);
    world.run_for(secs(1));

    assert_eq!(outcomes(&world), [Outcome::VoicemailAgent]);
    assert_eq!(task(&world).state, TaskState::WaitingRetry);
    assert_eq!(task(&world).reschedules, Reschedules { auto: 0, agent: 1, client: 0, admin: 0 });
    world.rings(ANNA, secs(70));
    assert_eq!(world.now.since(ended).as_secs(), 60);
    world.assert_ladder("agent_reschedules");
}

// S4.9: 9 without hanging up counts when the agent's leg ends; twice is once; off, it is ignored.
#[test]
fn the_key_counts_when_the_leg_ends_once_and_only_where_it_is_on() {
    for (keys, on, outcome, asked) in [
        ("9", true, Outcome::VoicemailAgent, 1),
        ("99", true, Outcome::VoicemailAgent, 1),
        ("9", false, Outcome::Success, 0),
        ("8", true, Outcome::Success, 0),
    ] {
        let mut world = World::with(1, |site| {
            by_key(site);
            site.profiles[0].agent_reschedule = on.then_some(NINE);
        });
        let alice = world.promised("alice", super::ALICE);
        world.register(&[ANNA]);

        let (_, call) = talking(&mut world, alice);
        world.press(ANNA, world.at(ANNA), keys);
        world.run_for(secs(20));
        assert_eq!(world.callbacks()[0].task.state, TaskState::Talking);
        world.hang_up(TRUNK, call);
        world.run_for(secs(1));

        assert_eq!(outcomes(&world), [outcome], "{keys} {on}");
        assert_eq!(task(&world).reschedules.agent, asked);
        assert_eq!(task(&world).attempts_used, 1);
    }
}

// C10: the key counts from the INVITE on: a machine may be heard before anybody answers.
#[test]
fn the_key_counts_while_the_customer_rings() {
    let mut world = World::new(1);
    let alice = world.promised("alice", super::ALICE);
    world.register(&[ANNA]);

    let (agent, _) = world.called_back(alice);
    world.press(ANNA, agent, "9");
    world.hang_up(ANNA, agent);
    world.run_for(secs(1));

    assert_eq!(outcomes(&world), [Outcome::VoicemailAgent]);
    assert_eq!((task(&world).state, task(&world).attempts_used), (TaskState::WaitingRetry, 1));
    assert!(world.heard(TRUNK, |event| matches!(event, Event::Ended(_, EndedBy::Cancel))).is_some());
}

/// A busy customer; whether the agent presses 9 when she hears of it.
fn busy(change: impl FnOnce(&mut CallbackProfile), nine: bool) -> World {
    let mut world = World::with(1, |site| {
        by_key(site);
        site.profiles[0].client_reschedule = None;
        change(&mut site.profiles[0]);
    });
    let alice = world.promised("alice", super::ALICE);
    reacts(&mut world, alice, BUSY);
    world.register(&[ANNA]);
    let agent = world.rings(ANNA, secs(5));
    world.answer(ANNA, agent);
    world.press(ANNA, agent, "1");
    world.run_until("she hears of it", secs(30), |world| world.ladder.noted("agent_busy").is_some());
    world.run_for(secs(1));
    if nine {
        world.press(ANNA, agent, "9");
    }
    world.run_until("anna is free", secs(30), |world| !world.is_busy(ANNA, 0));
    world.run_for(secs(1));
    world
}

// S4.6b: after a failed customer leg the agent stays for eight seconds and may press 9; an automatic and an agent's
// reschedule of one failure count once.
#[test]
fn after_a_failure_the_agent_may_ask_for_another_try() {
    for (auto, nine, state, reschedules) in [
        (true, true, TaskState::WaitingRetry, Reschedules { auto: 1, agent: 0, client: 0, admin: 0 }),
        (true, false, TaskState::WaitingRetry, Reschedules { auto: 1, agent: 0, client: 0, admin: 0 }),
        (false, true, TaskState::WaitingRetry, Reschedules { auto: 0, agent: 1, client: 0, admin: 0 }),
        (false, false, TaskState::Failed, Reschedules::default()),
    ] {
        let world = busy(|profile| profile.auto_reschedule = auto, nine);

        assert_eq!(outcomes(&world), [Outcome::Busy]);
        let task = task(&world);
        assert_eq!((task.state, task.reschedules, task.attempts_used), (state, reschedules, 1), "{auto} {nine}");
        if !auto {
            let heard = world.ladder.noted("agent_busy").expect("she hears why");
            let stayed = world.ladder.first("ringback", "anna", "BYE").expect("she is let go").since(heard);
            assert_eq!(stayed.as_secs(), 8);
            let ended = world.attempts()[0].ended_at.expect("an end");
            let dialled = world.attempts()[0].customer_leg.as_ref().and_then(|leg| leg.invite_at).expect("a dial");
            assert_eq!((ended - dialled).num_seconds(), 1, "it ended when the customer was busy");
        }
        if (auto, nine) == (false, true) {
            world.assert_ladder("agent_asks_after_failure");
        }
    }
}

// S4.3, S4.4: three independent switches: by itself, by the agent, by the customer.
#[test]
fn three_ways_to_another_try_are_independent() {
    for bits in 0..8 {
        let (auto, agent, client) = (bits & 1 > 0, bits & 2 > 0, bits & 4 > 0);
        let world = busy(
            |profile| {
                profile.auto_reschedule = auto;
                profile.agent_reschedule = agent.then_some(NINE);
                profile.client_reschedule = client.then_some(ClientReschedule { key: '1', max: None });
            },
            true,
        );

        let expected = match (auto, agent, client) {
            (true, _, _) | (_, true, _) => TaskState::WaitingRetry,
            (false, false, true) => TaskState::ClientOffer,
            (false, false, false) => TaskState::Failed,
        };
        assert_eq!(task(&world).state, expected, "auto {auto}, agent {agent}, client {client}");
    }
}

// S4.10: one by itself and one by the agent use up two reschedules together; the third is refused.
#[test]
fn automatic_and_agent_reschedules_are_limited_together() {
    let mut world = World::with(1, |site| {
        by_key(site);
        site.profiles[0].intervals = vec![Duration::ZERO, secs(30)];
        site.profiles[0].client_reschedule = None;
    });
    let alice = world.promised("alice", super::ALICE);
    reacts(&mut world, alice, BUSY);
    world.register(&[ANNA]);
    let agent = world.rings(ANNA, secs(5));
    world.answer(ANNA, agent);
    world.press(ANNA, agent, "1");
    world.run_until("it is known", secs(20), |world| outcomes(world) == [Outcome::Busy]);
    reacts(&mut world, alice, Reaction::Ring { early: false });
    world.run_until("anna is free", secs(20), |world| !world.is_busy(ANNA, 0));
    let (agent, call) = started(&mut world, alice, secs(60));
    world.answer(TRUNK, call);
    world.run_for(secs(1));
    world.press(ANNA, agent, "9");
    world.hang_up(ANNA, agent);
    world.run_for(secs(1));
    assert_eq!(task(&world).reschedules, Reschedules { auto: 1, agent: 1, client: 0, admin: 0 });

    let (agent, call) = started(&mut world, alice, secs(60));
    world.answer(TRUNK, call);
    world.run_for(secs(1));
    world.press(ANNA, agent, "9");
    world.hang_up(ANNA, agent);
    world.run_for(secs(1));

    assert_eq!(outcomes(&world), [Outcome::Busy, Outcome::VoicemailAgent, Outcome::VoicemailAgent]);
    assert_eq!((task(&world).state, task(&world).close_reason), (TaskState::Failed, Some(CloseReason::MaxAttempts)));
    assert_eq!(task(&world).reschedules, Reschedules { auto: 1, agent: 1, client: 0, admin: 0 });
    world.assert_rest();
}

/// A callback that a program asked for: nobody knows that the number is the customer's own.
fn given(change: impl FnOnce(&mut Settings)) -> (World, usize) {
    let mut world = World::with(1, change);
    let alice = world.customer(Person::new("alice", super::ALICE));
    world.ask(Command::AddCallback(Box::new(NewCallback {
        number: super::ALICE.to_owned(),
        queue: None,
        not_before: None,
        profile: None,
        agent: None,
        data: None,
        idempotency_key: None,
    })));
    world.register(&[ANNA]);
    (world, alice)
}

#[test]
fn a_customer_nobody_vouches_for_is_asked_first_and_joined_on_his_key() {
    let (mut world, alice) = given(|_| {});

    let (agent, call) = world.called_back(alice);
    world.answer(TRUNK, call);
    world.run_for(secs(5));
    assert!(world.ladder.noted("talk").is_none(), "no agent is joined without the key");
    world.press(TRUNK, call, "7");
    assert!(world.ladder.noted("talk").is_none());
    world.press(TRUNK, call, "1");
    assert!(world.ladder.noted("talk").is_some());
    world.run_for(secs(8));
    world.hang_up(ANNA, agent);
    world.run_for(secs(2));

    assert_eq!(outcomes(&world), [Outcome::Success]);
    world.assert_ladder("confirm_by_key");
    world.assert_rest();
}

#[test]
fn a_customer_who_says_never_again_is_never_called_again() {
    let (mut world, alice) = given(|_| {});

    let (_, call) = world.called_back(alice);
    world.answer(TRUNK, call);
    world.press(TRUNK, call, "2");
    world.run_until("both are let go", secs(10), |world| !world.is_busy(ANNA, 0) && !world.is_busy(TRUNK, alice));
    world.run_for(secs(1));

    assert_eq!(outcomes(&world), [Outcome::NotConfirmed]);
    assert_eq!((task(&world).state, task(&world).close_reason), (TaskState::Cancelled, Some(CloseReason::Dnc)));
    assert_eq!(world.disk.do_not_call.keys().map(ToString::to_string).collect::<Vec<_>>(), [super::ALICE]);
    world.assert_ladder("confirm_never");

    let again = NewCallback {
        number: super::ALICE.to_owned(),
        queue: None,
        not_before: None,
        profile: None,
        agent: None,
        data: None,
        idempotency_key: None,
    };
    let refused = |world: &mut World| {
        let reply = world.ask(Command::AddCallback(Box::new(again.clone())));
        format!("{reply:?}").contains("deny list")
    };
    assert!(refused(&mut world));
    world.configure(|site| site.system.company_name = "Another Ltd".to_owned());
    assert!(refused(&mut world), "another edition of the site changes nothing");
    world.crash();
    world.start();
    assert!(refused(&mut world), "nor does another life");
}

#[test]
fn a_customer_who_presses_nothing_has_not_confirmed() {
    let (mut world, alice) = given(|_| {});

    let (_, call) = world.called_back(alice);
    world.answer(TRUNK, call);
    let asked = world.ladder.noted("confirm_call").expect("he is asked");
    world.run_until("he is let go", secs(20), |world| !world.is_busy(TRUNK, alice));

    // Two seconds of asking, ten of waiting.
    let ended = world.ladder.first("ringback", "alice", "BYE").expect("he is let go").since(asked);
    assert_eq!(ended.as_secs(), 14, "{ended:?}");
    world.run_for(secs(5));
    assert_eq!(outcomes(&world), [Outcome::NotConfirmed]);
    assert_eq!(task(&world).attempts_used, 1);
}

#[test]
fn a_policy_says_who_is_asked() {
    for (confirm, asked) in [(ConfirmByKey::Never, false), (ConfirmByKey::Always, true)] {
        let mut world = World::with(1, |site| {
            site.number_policies = vec![NumberPolicy { confirm_by_key: confirm, ..NumberPolicy::named("own") }];
            site.rules[0].number_policy = Some("own".into());
        });
        let alice = world.promised("alice", super::ALICE);
        world.register(&[ANNA]);

        talking(&mut world, alice);

        assert_eq!(world.ladder.noted("confirm_call").is_some(), asked, "{confirm:?}");
        assert_eq!(world.ladder.noted("talk").is_some(), !asked);
    }
}
