//! A disk that hangs: agents are free for whoever is on the phone, and nobody is left in silence.

use super::{ALICE, BOB};
use crate::disk::Mood;
use crate::drive::ANNA;
use crate::site::secs;
use crate::world::{TRUNK, World};
use ringback::callback::task::{Outcome, TaskState};
use ringback::demo::person::Person;
use std::time::Duration;

fn outcomes(world: &World) -> Vec<Option<Outcome>> {
    world.attempts().into_iter().map(|attempt| attempt.outcome).collect()
}

/// anna is there, and alice's callback will be due within a minute.
fn soon_due() -> (World, usize) {
    let mut world = World::with(1, |site| site.profiles[0].intervals = vec![secs(60)]);
    let alice = world.promised("alice", ALICE);
    world.register(&[ANNA]);
    (world, alice)
}

// P13: an agent is reserved for a callback whose attempt the disk does not take for three seconds and no longer; then a
// caller gets her at once, and no other attempt begins until the disk answers.
#[test]
fn an_agent_is_not_reserved_for_longer_than_a_disk_may_take() {
    let (mut world, alice) = soon_due();
    world.disk.mood = Mood::Holding;
    world.run_until("the callback is due", secs(60), |world| !world.disk.pending.is_empty());
    world.run_for(Duration::from_millis(2_900));
    assert_eq!(world.agent("anna").state, "reserved");
    world.run_for(Duration::from_millis(200));
    assert_eq!(world.agent("anna").state, "ready");
    world.run_for(secs(120));
    assert_eq!(world.agent("anna").state, "ready", "no other attempt begins");

    let bob = world.customer(Person::new("bob", BOB));
    let call = world.call_in(bob);
    let agent = world.rings(ANNA, secs(5));
    world.answer(ANNA, agent);
    world.run_for(secs(5));
    assert!(world.is_up(TRUNK, call));
    world.release_disk();
    world.run_for(secs(1));
    assert_eq!(outcomes(&world), [Some(Outcome::Blocked)], "closed on the disk, too");
    assert_eq!(world.tasks()[0].attempts_used, 0);
    world.hang_up(TRUNK, call);

    world.called_back_after(alice, secs(90));
    assert_eq!(outcomes(&world), [Some(Outcome::Blocked), None]);
}

// P13: an agent who has answered, and for whom the customer may not be dialled yet, hears that it came to nothing.
#[test]
fn an_agent_who_has_answered_is_told_when_the_disk_takes_too_long() {
    let (mut world, alice) = soon_due();
    let agent = world.rings(ANNA, secs(70));
    world.disk.mood = Mood::Holding;
    world.answer(ANNA, agent);
    let answered = world.now;
    world.run_until("she is told", secs(5), |world| world.ladder.noted("\"agent_failed\" to anna").is_some());
    let after = world.now.since(answered);
    assert!(after > Duration::from_millis(2_800) && after <= secs(3), "{after:?}");
    world.run_until("she is let go", secs(10), |world| !world.is_busy(ANNA, 0));
    assert!(world.invites(TRUNK).is_empty(), "nobody was dialled");

    world.release_disk();
    world.run_for(secs(1));
    assert_eq!(outcomes(&world), [Some(Outcome::Blocked)]);
    assert_eq!(world.tasks()[0].state, TaskState::Pending);
    world.called_back_after(alice, secs(90));
    assert_eq!(world.invites(TRUNK).len(), 1);
}
