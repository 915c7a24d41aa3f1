//! Who stands before whom: callers and due promises do, what is promised for later does not (model.md, Order of
//! service); and the wait that is said, shown and decided by.

use super::order::{DAVE, missed, queue, vip};
use crate::drive::{ANNA, BEN};
use crate::site::secs;
use crate::world::{TRUNK, World};
use chrono::TimeDelta;
use ringback::callback::task::{Source, TaskState};
use ringback::demo::person::Person;
use ringback::settings::*;

const OTHERS: [&str; 5] = ["+12025550171", "+12025550172", "+12025550173", "+12025550174", "+12025550175"];

/// A promise on the disk that is tried again in an hour; its customer has waited for a day.
fn tried_again_later(world: &mut World, number: &str) {
    missed(world, number, |task| {
        task.source = Source::QueueRequest;
        task.state = TaskState::WaitingRetry;
        task.virtual_start -= TimeDelta::days(1);
        task.not_before += TimeDelta::hours(1);
    });
}

fn places(world: &mut World) -> Vec<(usize, String)> {
    world.line().into_iter().map(|waiting| (waiting.position, waiting.number)).collect()
}

// S1.B7, S2.3: five retries in an hour and one caller: his place is the first; when they are due, theirs are.
#[test]
fn what_is_promised_for_later_stands_before_nobody_and_keeps_its_place() {
    let mut world = World::with(1, |site| {
        site.queues[0].announce_position = AnnouncePosition::OnJoin;
        site.rules[0].triggers = vec![Trigger::Key, Trigger::AfterWait];
        site.rules[0].offer_after = secs(60);
        site.rules[0].min_ahead = 1;
    });
    OTHERS.into_iter().for_each(|number| tried_again_later(&mut world, number));

    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    let leg = world.leg_of(TRUNK, call).expect("a leg");
    world.run_for(secs(70));

    assert_eq!(world.spoken(leg), ["position digit_1"], "and nobody is ahead, so nothing is offered");
    assert_eq!(places(&mut world), [(1, super::ALICE.to_owned())]);
    let line = queue(&mut world, "support");
    assert_eq!((line.waiting_count, line.live_count), (1, 1));
    assert!(world.callbacks().iter().all(|it| it.position.is_none()), "their turn has not come");

    world.run_for(secs(3_600));
    let numbers = OTHERS.into_iter().chain([super::ALICE]).map(str::to_owned);
    assert_eq!(places(&mut world), (1..).zip(numbers).collect::<Vec<_>>(), "law 4: at their old places");
    assert_eq!(world.callbacks()[4].position, Some(5));
    assert_eq!(queue(&mut world, "support").waiting_count, 6);
    world.hang_up(TRUNK, call);
    world.assert_rest_soon();
}

// S5.6, S1.B7: a missed call lets a caller go first, and stands behind him; after yield_max it stands where it came.
#[test]
fn a_missed_call_stands_behind_the_last_caller_until_it_yields_no_more() {
    let mut world = World::with(1, |site| site.profiles[0].yield_max = secs(300));
    missed(&mut world, super::BOB, |task| task.virtual_start -= TimeDelta::minutes(5));
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);

    let bob = || super::BOB.to_owned();
    assert_eq!(places(&mut world), [(1, super::ALICE.to_owned()), (2, bob())]);
    world.run_for(secs(300));
    assert_eq!(places(&mut world), [(1, bob()), (2, super::ALICE.to_owned())], "it has yielded long enough");

    world.hang_up(TRUNK, call);
    world.run_for(secs(1));
    assert_eq!(places(&mut world), [(1, bob())]);
    world.assert_rest_soon();
}

// S1.17: a rule that does not dial holds up nobody, and whoever is being called back waits no more.
#[test]
fn only_what_may_be_served_counts() {
    let mut world = World::new(1);
    let bob = world.promised("bob", super::BOB);
    world.run_for(secs(1));
    assert_eq!(places(&mut world), [(1, super::BOB.to_owned())]);

    world.configure(|site| site.rules[0].process = false);
    world.run_for(secs(1));
    assert_eq!(places(&mut world), []);
    world.configure(|site| site.rules[0].process = true);
    world.run_for(secs(1));
    assert_eq!(places(&mut world), [(1, super::BOB.to_owned())]);

    world.register(&[ANNA]);
    let taken = world.rings(ANNA, secs(1));
    assert_eq!(places(&mut world), [], "he is being served");
    world.refuse(ANNA, taken, 486);
    world.run_for(secs(1));
    assert_eq!(places(&mut world), [(1, super::BOB.to_owned())], "and stands where he stood");
    let _ = bob;
    world.assert_rest_soon();
}

// S1.B7, S2.12: what a caller is told of his wait is what people are shown of it, an agent who is free counted in.
#[test]
fn the_wait_that_is_said_is_the_wait_that_is_shown() {
    let mut world = World::with(1, |site| {
        site.queues[0].announce_ewt = true;
        site.queues[0].announce_position = AnnouncePosition::Periodic;
        site.queues[0].announce_interval = secs(30);
        site.queues[0].ewt_round = secs(60);
        // Ben is free, and not for these two.
        let only = |number| NumberEntry { kind: ListKind::Exclusive(vec!["dora".into()]), ..vip(number) };
        site.number_lists.extend([only(super::CAROL), only(DAVE)]);
    });
    world.register(&[BEN]);
    for (name, number) in [("alice", super::ALICE), ("bob", super::BOB)] {
        let customer = world.customer(Person::new(name, number));
        let call = world.joins(customer);
        let taken = world.rings(BEN, secs(1));
        world.answer(BEN, taken);
        world.run_for(secs(50));
        world.hang_up(TRUNK, call);
        world.run_for(secs(12));
    }

    let [first, second] = [("carol", super::CAROL), ("dave", DAVE)].map(|(name, number)| {
        let customer = world.customer(Person::new(name, number));
        let call = world.joins(customer);
        (call, world.leg_of(TRUNK, call).expect("a leg"))
    });
    world.run_until("his place is said", secs(40), |world| !world.spoken(second.1).is_empty());

    let shown: Vec<Option<u64>> = world.line().into_iter().map(|waiting| waiting.expected_wait_secs).collect();
    let [Some(0), Some(wait)] = shown[..] else { panic!("{shown:?}") };
    assert!((61..=180).contains(&wait), "{wait}");
    let minutes = wait.div_ceil(60);
    let said = format!("position digit_2 expected_wait digit_{minutes} minutes");
    assert_eq!(world.spoken(second.1).last(), Some(&said), "{wait}");
    assert_eq!(world.spoken(first.1).last().map(String::as_str), Some("position digit_1"), "an agent is free for him");
    [first.0, second.0].into_iter().for_each(|call| world.hang_up(TRUNK, call));
    world.run_for(secs(1));
    world.assert_rest();
}

// S5.6: an agent of two queues is kept for a caller of the other one, and that is what is said to hold the missed call.
#[test]
fn callers_of_the_agents_other_queue_come_first_and_are_named() {
    let mut world = World::with(1, |site| {
        site.queues[0].members = vec![Member::of("anna")];
        site.queues.push(Queue { members: vec![Member::of("anna")], max_wait: None, ..Queue::named("sales", "5009") });
        site.inbound_routes[0].to = Destination::Queue("sales".into());
        // She is free, and not for this caller.
        site.number_lists.push(NumberEntry { kind: ListKind::Exclusive(vec!["dora".into()]), ..vip(super::ALICE) });
    });
    missed(&mut world, super::BOB, |_| {});
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    world.register(&[ANNA]);
    world.run_for(secs(1));

    let held = world.callbacks()[0].held_by.clone().unwrap_or_default();
    assert!(held.starts_with("callers on the phone come first until"), "{held}");
    assert!(!world.is_busy(ANNA, 0), "it is held");

    world.hang_up(TRUNK, call);
    let taken = world.rings(ANNA, secs(1));
    world.refuse(ANNA, taken, 486);
    world.assert_rest_soon();
}
