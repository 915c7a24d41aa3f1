//! Whom a queue rings, at real phones: one after the other, or all at once.

use crate::drive::{ANNA, BEN, CARL, DORA};
use crate::site::secs;
use crate::world::{TRUNK, World};
use ringback::callback::task::{Outcome, TaskState};
use ringback::demo::endpoint::{EndedBy, Event};
use ringback::demo::person::{Person, Reaction};
use ringback::settings::{Member, Pick, Settings, Strategy};
use std::time::Duration;

/// All four in the queue, in the order of the file: anna, ben, carl, dora.
fn by(pick: Pick) -> impl FnOnce(&mut Settings) {
    move |site| {
        site.queues[0].members = ["anna", "ben", "carl", "dora"].map(Member::of).to_vec();
        site.queues[0].strategy = pick.into();
        site.queues[0].wrap_up = Duration::ZERO;
    }
}

/// Dora has been idle longest, then carl, ben and anna.
fn registered(change: impl FnOnce(&mut Settings)) -> World {
    let mut world = World::with(1, change);
    for phone in [DORA, CARL, BEN, ANNA] {
        world.register(&[phone]);
        world.run_for(secs(2));
    }
    world
}

fn ringing(world: &World) -> Vec<usize> {
    [ANNA, BEN, CARL, DORA].into_iter().filter(|phone| world.is_busy(*phone, 0)).collect()
}

/// Customers call one after the other, each talks for a while; who has served them.
fn served_by(world: &mut World, customers: std::ops::Range<u32>) -> Vec<usize> {
    let mut served = Vec::new();
    for n in customers {
        let customer = world.customer(Person::new(&format!("customer {n}"), &format!("+120255501{n:02}")));
        let call = world.joins(customer);
        world.run_for(secs(1));
        let [phone] = ringing(world)[..] else { panic!("one phone rings, not {:?}", ringing(world)) };
        let taken = world.at(phone);
        world.answer(phone, taken);
        world.run_for(secs(u64::from(n)));
        world.hang_up(TRUNK, call);
        world.run_for(secs(2));
        served.push(phone);
    }
    served
}

// S1.B6, S2.B3, S3.B10: whoever each strategy names serves, call after call.
#[test]
fn each_strategy_serves_in_its_own_order() {
    let table = [
        (Pick::LongestIdle, vec![DORA, CARL, BEN, ANNA, DORA]),
        (Pick::RoundRobin, vec![ANNA, BEN, CARL, DORA, ANNA]),
        (Pick::LeastRecent, vec![DORA, CARL, BEN, ANNA, DORA]),
        (Pick::FewestCalls, vec![DORA, CARL, BEN, ANNA, DORA]),
        (Pick::Linear, vec![ANNA, ANNA, ANNA, ANNA, ANNA]),
    ];
    for (pick, expected) in table {
        let mut world = registered(by(pick));
        assert_eq!(served_by(&mut world, 10..15), expected, "{pick:?}");
        world.assert_rest();
    }
}

// S1.B6: chance comes from the seed, and reaches more than one agent.
#[test]
fn random_is_not_always_the_same_agent() {
    let mut world = registered(by(Pick::Random));
    let mut served = served_by(&mut world, 10..22);
    served.sort_unstable();
    served.dedup();
    assert!(served.len() > 2, "{served:?}");
    world.assert_rest();
}

// S2.B3, S5.B2: with skills the most skilled serves, though others have been idle longer; then the next best.
#[test]
fn the_most_skilled_agent_serves_first() {
    let mut world = registered(|site| {
        by(Pick::LongestIdle)(site);
        site.queues[0].strategy = Strategy { pick: Pick::LongestIdle, by_skill: true };
        site.queues[0].members.iter_mut().for_each(|member| member.skill = Some("french".into()));
        site.agents[0].skills = [("french".into(), 9)].into();
        site.agents[1].skills = [("french".into(), 9)].into();
        site.agents[2].skills = [("french".into(), 3)].into();
    });
    let callers = [("alice", super::ALICE), ("bob", super::BOB), ("carol", super::CAROL)];
    for ((name, number), expected) in callers.into_iter().zip([BEN, ANNA, CARL]) {
        let customer = world.customer(Person::new(name, number));
        world.joins(customer);
        let taken = world.rings(expected, secs(1));
        world.answer(expected, taken);
    }
    for phone in [ANNA, BEN, CARL] {
        let call = world.at(phone);
        world.hang_up(phone, call);
    }
    world.assert_rest();
}

// S1.B10: tier 2 rings only when tier 1 is exhausted: busy, or it has let this caller ring.
#[test]
fn the_second_tier_rings_only_when_the_first_is_exhausted() {
    let mut world = registered(|site| {
        by(Pick::LongestIdle)(site);
        site.queues[0].members.iter_mut().skip(2).for_each(|member| member.tier = 2);
    });
    let alice = world.customer(Person::new("alice", super::ALICE));
    let first = world.joins(alice);
    let taken = world.rings(BEN, secs(1));
    world.answer(BEN, taken);
    let bob = world.customer(Person::new("bob", super::BOB));
    let second = world.joins(bob);

    world.rings(ANNA, secs(1));
    let began = world.now;
    let taken = world.rings(DORA, secs(25));
    let after = world.now.since(began);
    assert!(after > secs(19) && after < secs(21), "dora rings when anna has let it ring: after {after:?}");
    world.answer(DORA, taken);
    assert_eq!(world.ladder.count("ringback", "carl", "INVITE"), 0);

    world.run_for(secs(2));
    world.hang_up(TRUNK, first);
    world.hang_up(TRUNK, second);
    world.run_for(secs(1));
    world.assert_rest();
}

// S1.B6, S2.B3: ring_all rings every ready agent at once; one answers, the others are told that, and none is blamed.
#[test]
fn all_phones_ring_for_a_caller_and_the_first_to_answer_has_him() {
    let mut world = registered(|site| {
        by(Pick::RingAll)(site);
        site.agents.iter_mut().for_each(|agent| agent.max_no_answer = 1);
    });
    world.dial(DORA, "*46");
    world.run_until("dora has paused", secs(15), |world| !world.is_busy(DORA, 0));
    world.run_for(secs(1));
    world.ladder.clear();
    let alice = world.customer(Person::new("alice", super::ALICE));

    let call = world.joins(alice);
    world.run_for(secs(3));
    assert_eq!(ringing(&world), [ANNA, BEN, CARL], "dora is paused");
    for name in ["anna", "ben", "carl"] {
        assert_eq!(world.agent(name).state, "ringing");
    }
    let taken = world.at(BEN);
    world.answer(BEN, taken);
    world.run_for(secs(5));

    assert_eq!(ringing(&world), [BEN]);
    for (name, phone) in [("anna", ANNA), ("carl", CARL)] {
        assert_eq!(world.agent(name).state, "ready", "{name} is not blamed");
        assert!(world.heard(phone, |event| matches!(event, Event::Ended(_, EndedBy::Cancel))).is_some());
    }
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));
    world.assert_ladder("ring_all_caller");
    world.assert_rest();
}

// S1.B6, S2.17: the same for a callback: the attempt is on the disk first, the first to answer calls the customer.
#[test]
fn all_phones_ring_for_a_callback_and_the_first_to_answer_makes_it() {
    let mut world = World::with(1, |site| {
        by(Pick::RingAll)(site);
        site.agents.iter_mut().for_each(|agent| agent.max_no_answer = 1);
        site.profiles[0].intervals = vec![secs(60)];
    });
    let alice = world.promised("alice", super::ALICE);
    world.register(&[ANNA, BEN, CARL]);
    world.ladder.clear();

    world.run_until("the phones ring", secs(60), |world| !ringing(world).is_empty());
    world.run_for(secs(3));
    assert_eq!(ringing(&world), [ANNA, BEN, CARL]);
    let taken = world.at(CARL);
    world.answer(CARL, taken);
    let call = world.rings_at(alice, secs(20));
    assert_eq!(ringing(&world), [CARL]);
    for name in ["anna", "ben"] {
        assert_eq!(world.agent(name).state, "ready", "{name} is not blamed");
    }
    world.answer(TRUNK, call);
    world.run_for(secs(8));
    world.hang_up(CARL, taken);
    world.run_for(secs(1));

    assert_eq!(world.tasks()[0].state, TaskState::Completed);
    let attempts = world.attempts();
    let outcomes: Vec<_> = attempts.iter().filter_map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [Outcome::Success], "one attempt, whoever answered");
    let legs = attempts[0].agent_legs.iter().map(|leg| (leg.peer.as_str(), leg.answered_at.is_some()));
    assert_eq!(legs.collect::<Vec<_>>(), [("anna", false), ("ben", false), ("carl", true)]);
    world.assert_ladder("ring_all_callback");
    world.assert_rest();
}

// S2.B11: who declines while all ring is not asked for this caller again; the others ring on.
#[test]
fn one_no_does_not_stop_the_phones_of_the_others() {
    let mut world = registered(|site| {
        by(Pick::RingAll)(site);
        site.queues[0].members.truncate(2);
        site.agents.iter_mut().for_each(|agent| agent.decline_cooldown = Duration::ZERO);
    });
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    world.run_for(secs(1));
    assert_eq!(ringing(&world), [ANNA, BEN]);

    let declined = world.at(ANNA);
    world.refuse(ANNA, declined, 603);
    assert_eq!((ringing(&world), world.agent("anna").state), (vec![BEN], "ready"));
    world.run_for(secs(25));

    assert_eq!(ringing(&world), [BEN], "ben rings again, anna does not");
    assert_eq!(world.ladder.count("ringback", "anna", "INVITE"), 1);
    assert_eq!(world.ladder.count("ringback", "ben", "INVITE"), 2);
    let taken = world.at(BEN);
    world.answer(BEN, taken);
    world.run_for(secs(2));
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));
    world.assert_rest();
}

// S1.B6: two pick up in the same moment: one has the caller, the other is let go at once, with no rest to take.
#[test]
fn of_two_who_answer_in_one_moment_one_has_the_caller_and_the_other_is_let_go() {
    let mut world = registered(|site| {
        by(Pick::RingAll)(site);
        site.queues[0].members.truncate(2);
        site.queues[0].wrap_up = secs(30);
    });
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    world.run_for(secs(2));
    let now = world.now;
    for phone in [BEN, ANNA] {
        let rung = world.at(phone);
        world.stations[phone].endpoint.answer(now, rung);
    }
    world.run_for(secs(2));

    let busy = ringing(&world);
    assert_eq!(busy.len(), 1, "{busy:?}");
    let (winner, other) = if busy == [ANNA] { ("anna", "ben") } else { ("ben", "anna") };
    assert_eq!((world.agent(winner).state, world.agent(other).state), ("queue_call", "ready"));
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));
    assert_eq!((world.agent(winner).state, world.agent(other).state), ("wrap_up", "ready"));
    world.assert_ladder("ring_all_both_answer");
    world.assert_rest();
}

/// anna's phone and then ben's answer 500 to the call of a customer who waits; anna goes before hers is over.
fn waits_for_ben(world: &mut World) -> Duration {
    for phone in [ANNA, BEN] {
        let fails = Reaction::Refuse { after: Duration::from_millis(50), status: 500 };
        world.stations[phone].people[0].reactions = [fails, Reaction::Ring { early: false }].into();
    }
    world.register(&[ANNA, BEN]);
    world.run_until("ben's phone has failed", secs(5), |world| !world.invites(BEN).is_empty());
    world.run_for(secs(5));
    world.stations[ANNA].endpoint.register(world.now, 0);
    world.run_until("ben is asked again", secs(30), |world| world.invites(BEN).len() == 2);
    world.invites(BEN)[1].0.since(world.invites(BEN)[0].0)
}

// An exclusion that ends is looked for, whoever else was excluded before: nobody waits beside a free agent.
#[test]
fn a_phone_that_has_failed_is_tried_again_when_its_own_pause_is_over() {
    let mut world = World::new(1);
    let alice = world.customer(Person::new("alice", "+12025550123"));
    world.joins(alice);
    let after = waits_for_ben(&mut world);
    assert!(after >= secs(10) && after < Duration::from_millis(10_200), "{after:?}");

    let mut world = World::new(1);
    world.promised("alice", "+12025550123");
    let after = waits_for_ben(&mut world);
    assert!(after >= secs(10) && after < Duration::from_millis(10_200), "{after:?}");
}
