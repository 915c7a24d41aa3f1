//! Caps that hold at every instant, whatever comes in between: calls of a trunk, callbacks of a minute.

use super::{ALICE, BOB};
use crate::drive::{ANNA, BEN};
use crate::site::secs;
use crate::world::{TRUNK, World};
use ringback::callback::task::{Outcome, TaskState};
use ringback::demo::person::{Person, Reaction};
use ringback::settings::Trunk;
use ringback::switch::event::Event;
use ringback::time::Tick;

fn starts(world: &World) -> Vec<Tick> {
    let started = world.published.iter().filter(|(_, event)| matches!(event, Event::AttemptStarted { .. }));
    started.map(|(at, _)| *at).collect()
}

// Law 10 with law 2: what has begun in the last minute counts, whoever began it.
#[test]
fn a_restart_opens_no_minute_of_its_own() {
    let mut world = World::with(1, |site| site.system.max_originates_per_min = 1);
    world.promised("alice", ALICE);
    world.promised("bob", BOB);
    world.register(&[ANNA, BEN]);
    world.run_for(secs(4));
    world.crash();
    world.run_for(secs(1));
    world.start();
    world.run_for(secs(120));

    let [first, second, ..] = starts(&world)[..] else { panic!("{:?}", starts(&world)) };
    let later = second.since(first);
    assert!(later >= secs(60) && later < secs(61), "{later:?}");
}

/// Alice is promised a call; anna takes it, and while she is told what it is bob takes the only line to the carrier.
fn line_is_taken(world: &mut World) {
    let alice = world.promised("alice", ALICE);
    world.stations[TRUNK].people[alice].reactions = [Reaction::Answer { after: secs(2), early: false }].into();
    let bob = world.customer(Person::new("bob", BOB));
    world.register(&[ANNA]);
    let ring = world.rings(ANNA, secs(5));
    world.answer(ANNA, ring);
    world.call_in(bob);
    world.run_for(secs(14));
}

#[test]
fn a_trunk_that_has_filled_while_the_agent_was_rung_is_not_dialled() {
    let mut world = World::with(1, |site| site.trunks[0].max_calls = 1);

    line_is_taken(&mut world);

    assert_eq!(world.attempts()[0].outcome, Some(Outcome::Blocked));
    assert_eq!((world.tasks()[0].state, world.tasks()[0].attempts_used), (TaskState::Pending, 0));
    assert!(world.invites(TRUNK).is_empty(), "the carrier is asked for nothing");
}

#[test]
fn where_another_trunk_leads_there_it_is_dialled_instead() {
    let mut world = World::with(1, |site| {
        let spare = crate::site::SPARE.ip().to_string();
        let caller_ids = site.caller_ids[0].clone();
        site.trunks[0].max_calls = 1;
        site.trunks.push(Trunk { name: "spare".into(), host: spare, ..site.trunks[0].clone() });
        site.outbound_routes[0].trunks.push("spare".into());
        site.caller_ids = vec![ringback::settings::CallerId { trunk: None, ..caller_ids }];
    });
    let spare = world.spare_carrier(Person::new("alice", ALICE));

    line_is_taken(&mut world);

    assert!(world.invites(TRUNK).is_empty(), "the first is full");
    assert_eq!(world.invites(spare).len(), 1);
    assert_eq!(world.attempts().len(), 1);
}
