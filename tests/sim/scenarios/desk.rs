//! What people ask by command, callbacks between extensions, and calls that go straight to an agent.

use crate::drive::{ANNA, DORA};
use crate::site::{DID, secs};
use crate::world::{TRUNK, World};
use ringback::callback::task::{CloseReason, Outcome, TaskState};
use ringback::demo::endpoint::{EndedBy, Event};
use ringback::demo::person::{Person, Reaction};
use ringback::number::Party;
use ringback::settings::Destination;
use ringback::switch::command::{Command, NewCallback, PageOf, Refused, Reply};

fn asked(number: &str) -> NewCallback {
    NewCallback {
        number: number.to_owned(),
        queue: None,
        not_before: None,
        profile: None,
        agent: None,
        data: None,
        idempotency_key: None,
    }
}

#[test]
fn two_phones_are_enough_to_be_called_back() {
    let mut world = World::with(1, |site| {
        site.trunks.clear();
        site.inbound_routes.clear();
        site.outbound_routes.clear();
        site.caller_ids.clear();
        site.system.default_country = None;
        site.profiles[0].caller_id = None;
    });
    world.register(&[ANNA, DORA]);
    world.dial(ANNA, "*46");
    world.run_until("anna has paused", secs(10), |world| !world.is_busy(ANNA, 0));

    let call = world.dial(DORA, "5000");
    world.run_until("she waits", secs(5), |world| world.is_up(DORA, call));
    world.run_for(secs(1));
    world.press(DORA, call, "1#");
    world.run_until("she is sent home", secs(15), |world| !world.is_busy(DORA, 0));
    world.dial(ANNA, "*46");
    world.run_until("anna is free", secs(10), |world| !world.is_up_with_switch(ANNA));
    let agent = world.rings(ANNA, secs(5));
    world.answer(ANNA, agent);
    let back = world.rings(DORA, secs(20));
    world.answer(DORA, back);
    world.run_for(secs(8));
    world.hang_up(DORA, back);
    world.run_for(secs(2));

    let task = world.tasks().remove(0);
    assert_eq!(task.number, Party::Extension("1004".into()));
    assert_eq!(task.state, TaskState::Completed);
    world.assert_ladder("two_phones");
    world.assert_rest();
}

#[test]
fn a_callback_asked_for_by_command_is_kept_once() {
    let mut world = World::new(1);
    let alice = world.customer(Person::new("alice", super::ALICE));
    let mut wish = asked("(202) 555-0123");
    wish.idempotency_key = Some("order-7".to_owned());

    let first = world.ask(Command::AddCallback(Box::new(wish.clone())));
    let again = world.ask(Command::AddCallback(Box::new(wish)));
    let (Reply::Callback(first), Reply::Callback(again)) = (first, again) else { panic!("both are answered with it") };
    assert_eq!(first.task.id, again.task.id);
    assert_eq!(first.task.number, Party::Number(super::ALICE.into()));
    world.register(&[ANNA]);
    let (agent, call) = world.called_back(alice);
    world.answer(TRUNK, call);
    world.press(TRUNK, call, "1"); // Nobody knows that the number is hers: she is asked first.
    world.run_for(secs(8));
    world.hang_up(ANNA, agent);
    world.run_for(secs(2));

    assert_eq!(world.tasks().len(), 1);
    assert_eq!(world.tasks()[0].state, TaskState::Completed);
    world.assert_rest();
}

#[test]
fn a_number_we_must_not_call_is_refused_by_command_too() {
    let mut world = World::new(1);

    for number in ["+19005550123", "911", "+870123456789", "hello"] {
        let refused = world.ask(Command::AddCallback(Box::new(asked(number))));
        assert!(matches!(refused, Reply::Refused(Refused::Invalid { field: "number", .. })), "{number}: {refused:?}");
    }
    assert!(world.tasks().is_empty());
}

#[test]
fn a_callback_cancelled_while_the_customer_rings_stops_both_phones() {
    let mut world = World::new(1);
    let alice = world.promised("alice", super::ALICE);
    world.register(&[ANNA]);
    world.called_back(alice);
    world.run_for(secs(2));
    let task = world.tasks()[0].id;

    let reply = world.ask(Command::CancelCallback(task));
    world.run_for(secs(5));

    assert!(matches!(reply, Reply::Callback(_)), "{reply:?}");
    assert!(!world.is_busy(TRUNK, alice) && !world.is_busy(ANNA, 0));
    assert_eq!(world.tasks()[0].close_reason, Some(CloseReason::ByAdmin));
    world.assert_ladder("callback_cancelled");
    world.assert_rest();
}

#[test]
fn now_overtakes_the_interval() {
    let mut world = World::new(1);
    let alice = world.promised("alice", super::ALICE);
    let moods = [Reaction::Refuse { after: secs(1), status: 486 }, Reaction::Ring { early: false }];
    world.stations[TRUNK].people[alice].reactions = moods.into();
    world.register(&[ANNA]);
    let agent = world.rings(ANNA, secs(5));
    world.answer(ANNA, agent);
    world.run_until("anna is free", secs(40), |world| !world.is_busy(ANNA, 0));
    world.run_for(secs(5));
    let task = world.tasks()[0].id;

    world.ask(Command::CallbackNow(task));
    let (agent, call) = world.called_back(alice);
    world.answer(TRUNK, call);
    world.run_for(secs(8));
    world.hang_up(ANNA, agent);
    world.run_for(secs(2));

    assert_eq!(world.tasks()[0].state, TaskState::Completed);
    world.assert_rest();
}

#[test]
fn a_call_is_hung_up_by_command() {
    let mut world = World::new(1);
    world.register(&[ANNA]);
    let alice = world.customer(Person::new("alice", super::ALICE));
    world.joins(alice);
    let ringing = world.rings(ANNA, secs(2));
    world.answer(ANNA, ringing);
    world.run_for(secs(3));
    let Reply::Calls(calls) = world.ask(Command::ListCalls(PageOf::default())) else { panic!("a list") };

    world.ask(Command::HangUpCall(calls.items[0].id));
    world.run_for(secs(1));

    assert!(!world.is_busy(ANNA, 0) && !world.is_busy(TRUNK, alice));
    world.assert_rest();
}

#[test]
fn a_did_may_lead_straight_to_an_agent() {
    let mut world = World::with(1, |site| site.inbound_routes[0].to = Destination::Agent("dora".into()));
    world.register(&[DORA]);
    let alice = world.customer(Person::new("alice", super::ALICE));

    let call = world.call_in(alice);
    let ringing = world.rings(DORA, secs(2));
    world.run_for(secs(2));
    world.answer(DORA, ringing);
    world.run_for(secs(5));
    assert!(world.is_up(TRUNK, call));
    world.hang_up(DORA, ringing);
    world.run_for(secs(1));

    world.assert_ladder("did_to_agent");
    world.assert_rest();
}

#[test]
fn a_did_that_leads_nowhere_is_refused() {
    let mut world = World::with(1, |site| site.inbound_routes.clear());
    let alice = world.customer(Person::new("alice", super::ALICE));

    let call = world.call_in(alice);
    world.run_for(secs(1));

    assert!(world.heard(TRUNK, |event| matches!(event, Event::Refused(it, 404) if *it == call)).is_some());
    world.assert_rest();
}

#[test]
fn a_full_queue_is_busy() {
    let mut world = World::with(1, |site| site.queues[0].max_callers = Some(1));
    let alice = world.customer(Person::new("alice", super::ALICE));
    let bob = world.customer(Person::new("bob", super::BOB));
    let first = world.joins(alice);

    let second = world.call_in(bob);
    world.run_for(secs(1));

    assert!(world.heard(TRUNK, |event| matches!(event, Event::Refused(it, 486) if *it == second)).is_some());
    world.hang_up(TRUNK, first);
    world.run_for(secs(1));
    world.assert_rest();
}

#[test]
fn a_caller_without_a_common_codec_gets_488() {
    let mut world = World::new(1);
    world.stations[TRUNK].endpoint.config.codecs.clear();
    let alice = world.customer(Person::new("alice", super::ALICE));

    let call = world.call_in(alice);
    world.run_for(secs(1));

    assert!(world.heard(TRUNK, |event| matches!(event, Event::Refused(it, 488) if *it == call)).is_some());
    world.assert_rest();
}

#[test]
fn a_customer_who_leaves_during_the_notice_was_not_talked_to() {
    let mut world = World::with(1, |site| site.profiles[0].record = true);
    let alice = world.promised("alice", super::ALICE);
    world.register(&[ANNA]);

    let (_, call) = world.called_back(alice);
    world.answer(TRUNK, call);
    world.run_for(secs(1));
    world.hang_up(TRUNK, call);
    world.run_until("anna is free", secs(20), |world| !world.is_busy(ANNA, 0));
    world.run_for(secs(1));

    let outcomes: Vec<_> = world.attempts().into_iter().filter_map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [Outcome::CustomerLeftBeforeBridge]);
    assert!(world.disk.recordings.is_empty());
    world.assert_ladder("customer_leaves_during_notice");
    world.assert_rest();
}

#[test]
fn a_caller_who_waits_longer_than_the_queue_allows_is_let_go() {
    let mut world = World::with(1, |site| site.queues[0].max_wait = Some(secs(30)));
    let alice = world.customer(Person::new("alice", super::ALICE));
    world.joins(alice);

    world.run_until("she is let go", secs(60), |world| !world.is_busy(TRUNK, alice));

    assert!(world.heard(TRUNK, |event| matches!(event, Event::Ended(_, EndedBy::Bye))).is_some());
    assert!(world.line().is_empty());
    world.run_for(secs(1));
    world.assert_rest();
}

#[test]
fn an_agents_phone_that_is_not_registered_is_unavailable() {
    let mut world = World::new(1);
    world.register(&[DORA]);

    let call = world.dial(DORA, "1001");
    world.run_for(secs(2));

    assert!(world.heard(DORA, |event| matches!(event, Event::Refused(it, 480) if *it == call)).is_some());
    world.assert_rest();
}

#[test]
fn a_caller_hears_the_offer_when_the_rule_announces_it() {
    let mut world = World::with(1, |site| {
        site.rules[0].triggers = vec![ringback::settings::Trigger::AfterWait];
        site.rules[0].offer_after = secs(20);
    });
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);

    world.press(TRUNK, call, "1");
    world.run_for(secs(5));
    assert!(world.ladder.noted("confirm_number").is_none(), "the key works from the first offer on (S2.15)");
    world.run_for(secs(17));
    let offer = world.ladder.noted("\"offer").expect("an offer");
    assert!(offer.as_millis().abs_diff(20_000) < 1_000, "offered at {offer:?}");
    world.press(TRUNK, call, "1#");
    world.run_until("she is sent home", secs(15), |world| !world.is_busy(TRUNK, alice));

    assert_eq!(world.tasks().len(), 1);
    assert_eq!(world.tasks()[0].dnis.as_deref(), Some(DID));
    world.run_for(secs(1));
    world.assert_rest();
}
