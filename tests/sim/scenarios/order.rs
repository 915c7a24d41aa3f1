//! The order of service (model.md): who is served next, by whom, and who has to wait for whom.

use crate::drive::{ANNA, BEN};
use crate::site::secs;
use crate::world::{TRUNK, World};
use ringback::callback::task::{Source, TaskState};
use ringback::demo::endpoint::CallId;
use ringback::demo::person::Person;
use ringback::settings::*;
use ringback::switch::command::{Command, NewCallback, Reply};
use ringback::switch::view;

pub(super) const DAVE: &str = "+12025550126";

/// A callback by API; who wants it is not asked to press a key.
fn asked(world: &mut World, number: &str, profile: &str) -> Reply {
    world.ask(Command::AddCallback(Box::new(NewCallback {
        number: number.to_owned(),
        queue: Some("support".to_owned()),
        not_before: None,
        profile: Some(profile.to_owned()),
        agent: None,
        data: None,
        idempotency_key: None,
    })))
}

/// For whom a phone rings.
pub(super) fn shown(world: &World, phone: usize) -> String {
    let call = world.at(phone);
    world.stations[phone].endpoint.call(call).expect("a call").number.clone()
}

/// Agents take what rings and hang up soon, until nothing has rung for a while; for whom it rang, in order.
pub(super) fn served(world: &mut World, phones: &[usize]) -> Vec<String> {
    let mut order = Vec::new();
    let mut quiet = 0;
    while quiet < 30 {
        quiet += 1;
        for phone in phones {
            if world.is_busy(*phone, 0) {
                quiet = 0;
                order.push(shown(world, *phone));
                let call = world.at(*phone);
                world.answer(*phone, call);
                world.run_for(secs(9));
                let ringing = (0..world.stations[TRUNK].people.len()).filter_map(|person| {
                    world.stations[TRUNK].call_of(person).filter(|call| !world.is_up(TRUNK, *call))
                });
                let ringing: Vec<CallId> = ringing.collect();
                ringing.into_iter().for_each(|call| world.answer(TRUNK, call));
                world.run_for(secs(8));
                if world.is_busy(*phone, 0) {
                    let call = world.at(*phone);
                    world.hang_up(*phone, call);
                }
            }
        }
        world.run_for(secs(1));
    }
    order
}

pub(super) fn queue(world: &mut World, name: &str) -> view::Queue {
    match world.ask(Command::ShowQueue(name.to_owned())) {
        Reply::Queue(queue) => *queue,
        other => panic!("{other:?}"),
    }
}

pub(super) fn vip(number: &str) -> NumberEntry {
    NumberEntry {
        kind: ListKind::Vip,
        pattern: DidPattern::Exact(number.to_owned()),
        label: "somebody".to_owned(),
        valid_from: None,
        valid_until: None,
    }
}

/// A missed call of `number` that is due, found on the disk.
pub(super) fn missed(world: &mut World, number: &str, change: impl FnOnce(&mut ringback::callback::task::Task)) {
    use ringback::callback::task::Task;
    let now = world.clock().utc;
    let id = ringback::id::TaskId(world.entropy.ulid(now));
    let party = ringback::number::Party::Number(number.into());
    let mut task = Task::new(id, Source::MissedQueue, "standard".into(), "support".into(), party, now);
    change(&mut task);
    world.run_for(secs(1));
    world.crash();
    world.disk.put_task(task);
    world.start();
    world.run_for(secs(1));
}

// S1.2: a task without delay, and an agent who is ready: the phone rings within a second.
#[test]
fn a_callback_without_delay_rings_a_ready_agent_at_once() {
    let mut world = World::new(1);
    world.register(&[ANNA]);

    let asked_at = world.now;
    assert!(matches!(asked(&mut world, super::ALICE, "standard"), Reply::Callback(_)));
    world.rings(ANNA, secs(1));

    assert!(world.now.since(asked_at) < secs(1));
    let call = world.at(ANNA);
    world.refuse(ANNA, call, 486);
    world.assert_rest_soon();
}

// S1.5, S1.5b: a profile with priority_boost is dialled before three older requests.
#[test]
fn a_boosted_profile_is_dialled_before_older_requests() {
    let mut world = World::with(1, |site| {
        site.profiles.push(CallbackProfile {
            priority_boost: true,
            caller_id: Some("Main Line".into()),
            ..CallbackProfile::named("priority")
        });
    });
    for (name, number) in [("alice", super::ALICE), ("bob", super::BOB), ("carol", super::CAROL)] {
        world.promised(name, number);
    }
    world.customer(Person::new("dave", DAVE));
    asked(&mut world, DAVE, "priority");
    assert_eq!(world.line()[0].number, DAVE);

    world.register(&[ANNA]);
    world.rings(ANNA, secs(1));

    assert_eq!(shown(&world, ANNA), DAVE);
    let call = world.at(ANNA);
    world.refuse(ANNA, call, 486);
    world.assert_rest_soon();
}

// S1.5, S1.5b, S2.B7: a number on a VIP list is dialled before three older requests; an entry that has run out is not.
#[test]
fn a_vip_is_dialled_before_older_requests_as_long_as_he_is_one() {
    for (until, expected) in [(None, DAVE), (Some("2026-03-02T15:00:10Z"), super::ALICE)] {
        let mut world = World::with(1, |site| {
            let valid_until = until.map(|until| until.parse().expect("an instant"));
            site.number_lists.push(NumberEntry { valid_until, ..vip(DAVE) });
        });
        for (name, number) in [("alice", super::ALICE), ("bob", super::BOB), ("carol", super::CAROL), ("dave", DAVE)] {
            world.promised(name, number);
        }

        world.register(&[ANNA]);
        world.rings(ANNA, secs(1));

        assert_eq!(shown(&world, ANNA), expected);
        let call = world.at(ANNA);
        world.refuse(ANNA, call, 486);
        world.assert_rest_soon();
    }
}

// S1.5b, S2.B7: a VIP who waits on the phone is served before who has waited longer.
#[test]
fn a_vip_on_the_phone_goes_to_the_front_of_the_line() {
    let mut world = World::with(1, |site| site.number_lists.push(vip(super::BOB)));
    let callers = [("alice", super::ALICE), ("bob", super::BOB)];
    let calls = callers.map(|(name, number)| {
        let customer = world.customer(Person::new(name, number));
        world.joins(customer)
    });

    world.register(&[ANNA]);
    world.rings(ANNA, secs(1));

    assert_eq!(shown(&world, ANNA), super::BOB);
    calls.into_iter().for_each(|call| world.hang_up(TRUNK, call));
    world.assert_rest();
}

// S2.3: A, B and C join, B takes a callback; an agent who frees twice serves A, then B by callback, then C.
#[test]
fn a_callback_is_served_at_the_place_of_its_caller() {
    let mut world = World::new(1);
    let alice = world.customer(Person::new("alice", super::ALICE));
    world.joins(alice);
    world.promised("bob", super::BOB);
    let carol = world.customer(Person::new("carol", super::CAROL));
    world.joins(carol);
    let line: Vec<_> = world.line().into_iter().map(|it| (it.number, it.kind)).collect();
    let expected = [(super::ALICE, "live"), (super::BOB, "callback"), (super::CAROL, "live")];
    assert_eq!(line, expected.map(|(number, kind)| (number.to_owned(), kind)));

    world.register(&[ANNA]);
    assert_eq!(served(&mut world, &[ANNA]), [super::ALICE, super::BOB, super::CAROL]);

    assert_eq!(world.tasks()[0].state, TaskState::Completed);
    world.assert_rest();
}

// S2.17, S2.18, S5.1: no customer INVITE before an agent's 200 OK and our ACK to it.
#[test]
fn the_customer_is_dialled_only_after_an_agent_has_answered() {
    let mut world = World::new(1);
    let alice = world.promised("alice", super::ALICE);
    world.ladder.clear();
    world.register(&[ANNA]);

    let agent = world.rings(ANNA, secs(5));
    world.run_for(secs(15));
    assert_eq!(world.ladder.count("ringback", "alice", "INVITE"), 0, "the agent has not answered");
    world.answer(ANNA, agent);
    let call = world.rings_at(alice, secs(20));

    let when = |from: &str, to: &str, what: &str| world.ladder.first(from, to, what).expect(what);
    let (answered, dialled) = (when("anna", "ringback", "200 OK"), when("ringback", "alice", "INVITE"));
    assert!(answered < when("ringback", "anna", "ACK") && when("ringback", "anna", "ACK") < dialled);
    world.answer(TRUNK, call);
    world.run_for(secs(8));
    world.hang_up(ANNA, agent);
    world.assert_rest();
}

// S2.19: agent 1 says 486, agent 2 is rung within a second, and the callback is still at the front of the line.
#[test]
fn a_declined_callback_goes_to_the_next_agent_at_once_and_keeps_its_place() {
    let mut world = World::new(1);
    world.promised("alice", super::ALICE);
    world.promised("bob", super::BOB);
    world.register(&[ANNA]);
    let declined = world.rings(ANNA, secs(5));
    assert_eq!(shown(&world, ANNA), super::ALICE);
    let line = world.line().into_iter().map(|it| it.number).collect::<Vec<_>>();
    // Ben's phone is there, but he pauses until anna's rings.
    world.ask(Command::PauseAgent { agent: "ben".to_owned(), reason: None });
    world.register(&[BEN]);
    world.refuse(ANNA, declined, 486);
    world.run_for(secs(1));
    let refused = world.now;
    world.ask(Command::ResumeAgent("ben".to_owned()));
    world.rings(BEN, secs(1));

    assert!(world.now.since(refused) < secs(1));
    assert_eq!(shown(&world, BEN), super::ALICE, "still the first");
    assert_eq!(world.line().into_iter().map(|it| it.number).collect::<Vec<_>>(), line);
    let call = world.at(BEN);
    world.refuse(BEN, call, 486);
    world.assert_rest_soon();
}

// S2.22: the agent frees while the first caller types a number: he is rung for him, and his answer ends the dialogue.
#[test]
fn an_agent_who_frees_during_the_dialogue_is_given_to_who_is_first() {
    let mut world = World::new(1);
    let alice = world.customer(Person::new("alice", super::ALICE));
    let bob = world.customer(Person::new("bob", super::BOB));
    let call = world.joins(alice);
    let other = world.joins(bob);
    world.press(TRUNK, call, "1202");

    world.register(&[ANNA]);
    let taken = world.rings(ANNA, secs(1));
    assert_eq!(shown(&world, ANNA), super::ALICE);
    world.answer(ANNA, taken);
    world.run_for(secs(5));

    assert!(world.ladder.noted("\"agent_available\" to alice").is_some(), "she hears why she is asked no more");
    let leg = world.leg_of(TRUNK, call).expect("alice's leg");
    assert!(world.shard.legs[&leg].bridged.is_some(), "they talk");
    assert!(world.tasks().is_empty(), "and nothing was promised");
    world.hang_up(TRUNK, call);
    world.hang_up(TRUNK, other);
    world.run_for(secs(1));
    world.assert_ladder("agent_frees_during_dialogue");
    world.assert_rest();
}

// S2.22: once the request is confirmed, the next in line is served and the place is kept.
#[test]
fn an_agent_who_frees_after_the_confirmation_goes_to_the_next() {
    let mut world = World::new(1);
    world.disk.delay = secs(2);
    let alice = world.customer(Person::new("alice", super::ALICE));
    let bob = world.customer(Person::new("bob", super::BOB));
    let call = world.joins(alice);
    let other = world.joins(bob);
    world.ask(Command::PauseAgent { agent: "anna".to_owned(), reason: None });
    world.register(&[ANNA]);
    world.run_for(secs(5));
    world.press(TRUNK, call, "1#");

    world.ask(Command::ResumeAgent("anna".to_owned()));
    world.rings(ANNA, secs(1));

    assert_eq!(shown(&world, ANNA), super::BOB);
    assert_eq!(world.line()[0].number, super::ALICE, "the place is kept");
    world.hang_up(TRUNK, other);
    world.run_for(secs(20));
    world.assert_rest_soon();
}

// S3.4: all are busy; one hangs up, and when his rest is over his phone rings for the callback.
#[test]
fn the_first_employee_to_become_free_is_rung() {
    let mut world = World::new(1);
    world.register(&[ANNA, BEN]);
    let callers = [("bob", super::BOB), ("carol", super::CAROL)];
    for ((name, number), phone) in callers.into_iter().zip([ANNA, BEN]) {
        let customer = world.customer(Person::new(name, number));
        world.joins(customer);
        let taken = world.rings(phone, secs(1));
        world.answer(phone, taken);
    }
    world.promised("alice", super::ALICE);
    world.run_for(secs(30));
    assert_eq!(world.ladder.count("ringback", "ben", "INVITE"), 1);

    let call = world.at(BEN);
    world.hang_up(BEN, call);
    let hung_up = world.now;
    world.rings(BEN, secs(15));

    assert_eq!(shown(&world, BEN), super::ALICE);
    let rested = world.now.since(hung_up);
    assert!(rested > secs(9) && rested < secs(11), "rung after {rested:?}; the rest is ten seconds");
    for phone in [BEN, ANNA] {
        let call = world.at(phone);
        world.hang_up(phone, call);
    }
    world.assert_rest_soon();
}
