//! Who is whose: callbacks with an owner, those that yield, customers with agents of their own, queues with a weight.

use super::order::{DAVE, missed, queue, served, shown, vip};
use crate::drive::{ANNA, BEN, CARL, DORA};
use crate::products::voximplant;
use crate::site::{DID, secs};
use crate::world::{TRUNK, World};
use chrono::TimeDelta;
use ringback::callback::task::{Source, TaskState};
use ringback::demo::endpoint::CallId;
use ringback::demo::person::Person;
use ringback::settings::*;
use ringback::switch::command::Command;
use std::time::Duration;

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
    let mut world = World::with(1, voximplant);
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
    world.run_for(secs(12)); // He hears first that the call is recorded.
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
            voximplant(site);
            site.rules[0].source = RuleSource::MissedAgent;
            site.profiles[0].intervals[0] = Duration::ZERO;
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
    pub fn assert_rest_soon(&mut self) {
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
