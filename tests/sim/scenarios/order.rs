//! The order of service (model.md): who is served next, by whom, and who has to wait for whom.

use crate::drive::{ANNA, BEN, CARL, DORA};
use crate::site::{DID, secs};
use crate::world::{TRUNK, World};
use chrono::TimeDelta;
use ringback::callback::task::{Source, TaskState};
use ringback::demo::endpoint::CallId;
use ringback::demo::person::Person;
use ringback::settings::*;
use ringback::switch::command::{Command, NewCallback, Reply};
use ringback::switch::view;
use std::time::Duration;

const DAVE: &str = "+12025550126";

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
fn shown(world: &World, phone: usize) -> String {
    let call = world.at(phone);
    world.stations[phone].endpoint.call(call).expect("a call").number.clone()
}

/// Agents take what rings and hang up soon, until nothing has rung for a while; for whom it rang, in order.
fn served(world: &mut World, phones: &[usize]) -> Vec<String> {
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

fn queue(world: &mut World, name: &str) -> view::Queue {
    match world.ask(Command::ShowQueue(name.to_owned())) {
        Reply::Queue(queue) => *queue,
        other => panic!("{other:?}"),
    }
}

fn vip(number: &str) -> NumberEntry {
    NumberEntry {
        kind: ListKind::Vip,
        pattern: DidPattern::Exact(number.to_owned()),
        label: "somebody".to_owned(),
        valid_from: None,
        valid_until: None,
    }
}

/// A missed call of `number` that is due, found on the disk.
fn missed(world: &mut World, number: &str, change: impl FnOnce(&mut ringback::callback::task::Task)) {
    use ringback::callback::task::Task;
    let now = world.clock().utc;
    let id = ringback::id::TaskId(world.entropy.ulid(now));
    let party = ringback::number::Party::Number(number.into());
    let mut task = Task::new(id, Source::MissedQueue, "standard".into(), "support".into(), party, now);
    change(&mut task);
    world.run_for(secs(1));
    world.crash();
    world.disk.tasks.insert(id, task);
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

/// A second queue of dora alone.
fn with_dora(site: &mut Settings) {
    site.queues.push(Queue { members: vec![Member::of("dora")], ..Queue::named("back-office", "5009") });
}

// S3.6: both kinds of destination: another queue, or one employee, who need not be a member of any.
#[test]
fn a_callback_is_served_by_another_queue_or_by_one_employee() {
    for destination in [ServedBy::Queue("back-office".into()), ServedBy::Agent("dora".into())] {
        let mut world = World::with(1, |site| {
            if let ServedBy::Queue(_) = destination {
                with_dora(site);
            }
            site.profiles[0].destination = destination.clone();
        });
        world.promised("alice", super::ALICE);
        world.register(&[ANNA, BEN]);
        world.run_for(secs(30));
        assert!(!world.is_busy(ANNA, 0) && !world.is_busy(BEN, 0), "{destination:?}");

        world.register(&[DORA]);
        world.rings(DORA, secs(1));

        assert_eq!(shown(&world, DORA), super::ALICE, "{destination:?}");
        let call = world.at(DORA);
        world.refuse(DORA, call, 486);
        world.assert_rest_soon();
    }
}

// S5.6: one live caller, one missed call and one agent: the caller first; nobody in line: the missed one.
#[test]
fn a_missed_call_waits_until_no_live_caller_does() {
    let mut world = World::new(1);
    missed(&mut world, super::BOB, |task| task.virtual_start -= TimeDelta::minutes(5));
    let bob = world.customer(Person::new("bob", super::BOB));
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);

    world.register(&[ANNA]);
    let taken = world.rings(ANNA, secs(1));
    assert_eq!(shown(&world, ANNA), super::ALICE, "though the other has the older place");
    let held = world.callbacks()[0].held_by.clone().unwrap_or_default();
    assert!(held.starts_with("callers on the phone come first until"), "{held}");
    world.answer(ANNA, taken);
    world.run_for(secs(5));
    world.hang_up(TRUNK, call);
    let taken = world.rings(ANNA, secs(12));
    assert_eq!(shown(&world, ANNA), super::BOB);
    world.answer(ANNA, taken);
    let called = world.rings_at(bob, secs(20));

    world.answer(TRUNK, called);
    world.run_for(secs(8));
    world.hang_up(ANNA, taken);
    world.run_for(secs(1));
    assert_eq!(world.tasks()[0].state, TaskState::Completed);
    world.assert_rest();
}

// S5.6, C11: after yield_max a missed call is served by its age; a request never yields, a profile may say otherwise.
#[test]
fn a_missed_call_yields_no_longer_than_it_must_and_a_request_not_at_all() {
    let table: [(Source, Option<bool>, u64, &str); 4] = [
        (Source::MissedQueue, None, 60, super::BOB),
        (Source::MissedQueue, Some(false), 1_800, super::BOB),
        (Source::QueueRequest, None, 1_800, super::BOB),
        (Source::QueueRequest, Some(true), 1_800, super::ALICE),
    ];
    for (source, yields, most, expected) in table {
        let mut world = World::with(1, |site| {
            site.profiles[0].yield_to_live = yields;
            site.profiles[0].yield_max = secs(most);
        });
        missed(&mut world, super::BOB, |task| {
            task.source = source;
            task.virtual_start -= TimeDelta::minutes(5);
        });
        world.run_for(secs(70));
        let alice = world.customer(Person::new("alice", super::ALICE));
        let call = world.joins(alice);

        world.register(&[ANNA]);
        world.rings(ANNA, secs(1));

        assert_eq!(shown(&world, ANNA), expected, "{source:?} {yields:?} {most}");
        let ringing = world.at(ANNA);
        world.refuse(ANNA, ringing, 486);
        world.hang_up(TRUNK, call);
        world.assert_rest_soon();
    }
}

// C11: a missed call that has yielded long enough is served in that moment, without anything else happening.
#[test]
fn a_missed_call_is_served_in_the_moment_it_has_yielded_enough() {
    let mut world = World::with(1, |site| site.profiles[0].yield_max = secs(120));
    world.register(&[ANNA]);
    world.ask(Command::PauseAgent { agent: "anna".to_owned(), reason: None });
    missed(&mut world, super::BOB, |_| {});
    let due = world.now;
    // Anna has declined alice's call, so that it waits on; ready, she would be rung for nobody.
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    world.ask(Command::ResumeAgent("anna".to_owned()));
    let declined = world.rings(ANNA, secs(1));
    assert_eq!(shown(&world, ANNA), super::ALICE);
    world.refuse(ANNA, declined, 486);

    world.rings(ANNA, secs(130));

    let after = world.now.since(due);
    assert!(after > secs(117) && after < secs(122), "served after {after:?}");
    assert_eq!(shown(&world, ANNA), super::BOB);
    let ringing = world.at(ANNA);
    world.refuse(ANNA, ringing, 486);
    world.hang_up(TRUNK, call);
    world.assert_rest_soon();
}

/// What customers dial for carl himself.
const CARLS: &str = "+12025550103";

// S5.22, C17: a call that carl missed is carl's to return; after owner_wait anybody of the queue does.
#[test]
fn a_missed_call_is_returned_by_who_missed_it_and_later_by_anybody() {
    for carl_is_there in [true, false] {
        let mut world = World::with(1, |site| {
            let to = Destination::Agent("carl".into());
            site.inbound_routes.push(InboundRoute::of("carrier", DidPattern::Exact(CARLS.to_owned()), to));
            let source = RuleSource::MissedAgent;
            site.rules.push(CallbackRule { source, ..CallbackRule::named("missed", "standard") });
            site.profiles[0].destination = ServedBy::MissedBy;
            site.profiles[0].owner_wait = secs(120);
        });
        world.register(&[ANNA, CARL]);
        let alice = world.customer(Person::new("alice", super::ALICE));
        let now = world.now;
        let call = world.stations[TRUNK].dial(now, alice, CARLS);
        world.rings(CARL, secs(2));
        world.run_for(secs(8));
        if !carl_is_there {
            world.ask(Command::PauseAgent { agent: "carl".to_owned(), reason: None });
        }
        world.hang_up(TRUNK, call);
        let missed = world.now;
        if !carl_is_there {
            world.run_for(secs(10));
            let held = world.callbacks()[0].held_by.clone().unwrap_or_default();
            assert!(held.starts_with("kept for carl until"), "{held}");
        }

        let (phone, limit) = if carl_is_there { (CARL, secs(2)) } else { (ANNA, secs(130)) };
        world.rings(phone, limit);

        let after = world.now.since(missed);
        assert!(carl_is_there || (after > secs(119) && after < secs(122)), "anna rings after {after:?}");
        assert_eq!(shown(&world, phone), super::ALICE);
        let ringing = world.at(phone);
        world.refuse(phone, ringing, 486);
        world.assert_rest_soon();
    }
}

// S3.B5: while the customer is on the line with us, in or out, he is not dialled; then he is.
#[test]
fn a_customer_on_the_line_is_not_called_back() {
    let mut world = World::with(1, |site| {
        with_dora(site);
        let to = Destination::Queue("back-office".into());
        site.inbound_routes.push(InboundRoute::of("carrier", DidPattern::Exact(CARLS.to_owned()), to));
    });
    world.register(&[DORA, BEN]);
    world.ask(Command::PauseAgent { agent: "ben".to_owned(), reason: None });
    missed(&mut world, super::ALICE, |_| {});
    // Dora dials her by herself; her phone rings.
    let alice = world.customer(Person::new("alice", super::ALICE));
    let own = world.dial(DORA, super::ALICE);
    world.rings_at(alice, secs(5));
    world.ask(Command::ResumeAgent("ben".to_owned()));
    world.run_for(secs(20));
    assert!(!world.is_busy(BEN, 0), "she is being rung already");

    world.hang_up(DORA, own);
    world.rings(BEN, secs(2));

    assert_eq!(shown(&world, BEN), super::ALICE);
    let ringing = world.at(BEN);
    world.refuse(BEN, ringing, 486);
    world.assert_rest_soon();
}

/// What customers of the second queue dial.
const SALES: &str = "+12025550101";

fn with_sales(weight: u8) -> impl FnOnce(&mut Settings) {
    move |site| {
        site.queues.push(Queue { weight, members: vec![Member::of("anna")], ..Queue::named("sales", "5001") });
        let to = Destination::Queue("sales".into());
        site.inbound_routes.push(InboundRoute::of("carrier", DidPattern::Exact(SALES.to_owned()), to));
    }
}

// S2.B2, S5.B2: an agent of two queues serves the heavier one first, and with equal weight who came first.
#[test]
fn the_heavier_queue_of_an_agent_is_served_first() {
    for (weight, expected) in [(10, [super::BOB, super::ALICE]), (0, [super::ALICE, super::BOB])] {
        let mut world = World::with(1, with_sales(weight));
        let calls: Vec<CallId> = [("alice", super::ALICE, DID), ("bob", super::BOB, SALES)]
            .map(|(name, number, dialled)| {
                let customer = world.customer(Person::new(name, number));
                let now = world.now;
                let call = world.stations[TRUNK].dial(now, customer, dialled);
                world.run_for(secs(2));
                call
            })
            .to_vec();
        world.register(&[ANNA]);

        assert_eq!(served(&mut world, &[ANNA]), expected, "weight {weight}");
        calls.into_iter().for_each(|call| world.hang_up(TRUNK, call));
        world.assert_rest();
    }
}

// S2.B7: the agent of last time is asked first, also after a restart, and no longer when it was too long ago.
#[test]
fn the_agent_of_last_time_serves_again() {
    let mut world = World::with(1, |site| site.queues[0].sticky_days = 1);
    let alice = world.promised("alice", super::ALICE);
    world.register(&[ANNA]);
    let (agent, call) = world.called_back(alice);
    world.answer(TRUNK, call);
    world.run_for(secs(8));
    world.hang_up(ANNA, agent);
    world.run_for(secs(11));
    world.register(&[BEN]);
    let idle = world.rings_for(alice, &[ANNA, BEN]);
    assert_eq!(idle, ANNA, "she has served alice; and has been idle longer");
    // A rest for anna: ben has been idle longer now.
    let idle = world.rings_for(alice, &[ANNA, BEN]);
    assert_eq!(idle, ANNA, "she has served alice");

    world.crash();
    world.start();
    let idle = world.rings_for(alice, &[ANNA, BEN]);
    assert_eq!(idle, ANNA, "the attempts on the disk say so");
    world.register(&[ANNA, BEN]);
    world.run_for(Duration::from_secs(25 * 3_600));
    world.register(&[BEN]);
    world.run_for(secs(5));
    world.register(&[ANNA]);
    let idle = world.rings_for(alice, &[ANNA, BEN]);
    assert_eq!(idle, BEN, "yesterday is too long ago");
    world.assert_rest();
}

impl World {
    /// A customer calls, and whoever of these is rung talks with him for a moment; who that was.
    fn rings_for(&mut self, customer: usize, phones: &[usize]) -> usize {
        let call = self.joins(customer);
        self.run_for(secs(1));
        let rung: Vec<usize> = phones.iter().copied().filter(|phone| self.is_busy(*phone, 0)).collect();
        let [phone] = rung[..] else { panic!("one phone rings, not {rung:?}") };
        let taken = self.at(phone);
        self.answer(phone, taken);
        self.run_for(secs(3));
        self.hang_up(TRUNK, call);
        self.run_for(secs(12));
        phone
    }

    /// At rest, once every promise that is left has been taken back.
    fn assert_rest_soon(&mut self) {
        for task in self.tasks().into_iter().filter(|task| !task.state.is_final()) {
            self.ask(Command::CancelCallback(task.id));
        }
        self.assert_rest();
    }
}

// S2.B7: a number with agents of its own is served by them alone, members of the queue or not.
#[test]
fn an_exclusive_customer_is_served_by_his_agents_alone() {
    let mut world = World::with(1, |site| {
        site.number_lists.push(NumberEntry { kind: ListKind::Exclusive(vec!["dora".into()]), ..vip(super::ALICE) });
    });
    world.register(&[ANNA]);
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    world.run_for(secs(30));
    assert!(!world.is_busy(ANNA, 0));

    world.register(&[DORA]);
    world.rings(DORA, secs(1));

    assert_eq!(shown(&world, DORA), super::ALICE);
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));
    world.assert_rest();
}

// S1.B18: who was answered within the service level, later, or not at all, is counted by queue.
#[test]
fn the_service_level_counts_who_was_answered_in_time() {
    let mut world = World::with(1, |site| site.queues[0].sla = Some(secs(20)));
    world.register(&[ANNA]);
    let wait = |world: &mut World, name: &str, number: &str, secs_until: u64| {
        let customer = world.customer(Person::new(name, number));
        let call = world.joins(customer);
        let taken = world.rings(ANNA, secs(1));
        world.run_for(secs(secs_until));
        world.answer(ANNA, taken);
        world.run_for(secs(2));
        world.hang_up(TRUNK, call);
        world.run_for(secs(12));
    };
    wait(&mut world, "alice", super::ALICE, 5);
    world.ask(Command::PauseAgent { agent: "anna".to_owned(), reason: None });
    let bob = world.customer(Person::new("bob", super::BOB));
    let late = world.joins(bob);
    world.run_for(secs(25));
    world.ask(Command::ResumeAgent("anna".to_owned()));
    let taken = world.rings(ANNA, secs(1));
    world.answer(ANNA, taken);
    world.run_for(secs(2));
    world.hang_up(TRUNK, late);
    let carol = world.customer(Person::new("carol", super::CAROL));
    let gone = world.joins(carol);
    world.hang_up(TRUNK, gone);
    world.run_for(secs(1));

    let level = queue(&mut world, "support").service_level;
    assert_eq!((level.sla_secs, level.answered, level.in_time, level.abandoned), (Some(20), 2, 1, 1));
    world.assert_rest();
}

// S1.B7: the expected wait is nothing while an agent is free for the caller, and the recent pace otherwise.
#[test]
fn the_expected_wait_counts_the_agents_who_are_free() {
    let mut world = World::new(1);
    let pace =
        |world: &mut World| -> Vec<Option<u64>> { world.line().into_iter().map(|it| it.expected_wait_secs).collect() };
    world.register(&[ANNA]);
    for (name, number) in [("alice", super::ALICE), ("bob", super::BOB)] {
        let customer = world.customer(Person::new(name, number));
        let call = world.joins(customer);
        let taken = world.rings(ANNA, secs(1));
        world.answer(ANNA, taken);
        world.run_for(secs(50));
        world.hang_up(TRUNK, call);
        world.run_for(secs(12));
    }
    world.ask(Command::PauseAgent { agent: "anna".to_owned(), reason: None });
    let carol = world.customer(Person::new("carol", super::CAROL));
    let dave = world.customer(Person::new("dave", DAVE));
    let calls = [world.joins(carol), world.joins(dave)];
    let expected = pace(&mut world);
    let first = expected[0].expect("two have been served");
    assert!((60..140).contains(&first), "{expected:?}");
    let second = expected[1].expect("his place has an estimate, too");
    assert!(second.abs_diff(first * 2) <= 1, "{expected:?}");
    calls.into_iter().for_each(|call| world.hang_up(TRUNK, call));
    world.run_for(secs(1));
    world.assert_rest();
}
