//! Lists of numbers that come into force, and end, while callbacks wait: each attempt is judged by what holds then.

use super::client_offer::{exhausted, offering};
use super::verdicts::{asked, attempts};
use crate::drive::ANNA;
use crate::site::secs;
use crate::world::{TRUNK, World};
use ringback::callback::task::{AttemptKind, Outcome, TaskState};
use ringback::demo::person::Person;
use ringback::settings::*;
use ringback::switch::command::{Command, NewCallback, PageOf, Reply};

fn deny(at: &str) -> NumberEntry {
    NumberEntry {
        kind: ListKind::Deny(Refuse::Reject),
        pattern: DidPattern::Exact(super::ALICE.to_owned()),
        label: "no more".to_owned(),
        valid_from: Some(at.parse().expect("an instant")),
        valid_until: None,
    }
}

/// A callback by API, not before that instant, by this agent alone.
fn ask_for(world: &mut World, number: &str, not_before: &str, agent: &str) {
    let Command::AddCallback(new) = asked(number) else { panic!("it is one") };
    let (not_before, agent) = (Some(not_before.parse().expect("an instant")), Some(agent.to_owned()));
    world.ask(Command::AddCallback(Box::new(NewCallback { not_before, agent, ..*new })));
}

// S1.B12: a list comes into force, and ends, by itself: what waits is held by it, and is due again.
#[test]
fn a_list_holds_what_waits_from_its_first_instant_to_its_last() {
    let mut world = World::with(1, |site| {
        let until = Some("2026-03-02T15:10:00Z".parse().expect("an instant"));
        site.number_lists.push(NumberEntry { valid_until: until, ..deny("2026-03-02T15:05:00Z") });
    });
    let alice = world.promised("alice", super::ALICE);
    let at = |world: &mut World, time: &str| {
        let wanted: chrono::DateTime<chrono::Utc> = format!("2026-03-02T{time}Z").parse().expect("an instant");
        world.run_for((wanted - world.clock().utc).to_std().expect("it is to come"));
        let shown = world.callbacks().remove(0);
        (shown.task.state, shown.held_by)
    };
    let denied = Some("it is on a deny list".to_owned());

    assert_eq!(at(&mut world, "15:04:59.900").0, TaskState::Due);
    assert_eq!(at(&mut world, "15:05:00.100"), (TaskState::Blocked, denied.clone()));
    world.register(&[ANNA]);
    assert_eq!(at(&mut world, "15:09:59.900"), (TaskState::Blocked, denied));
    assert!(world.attempts().is_empty());
    assert_eq!(at(&mut world, "15:10:00.100").0, TaskState::AgentRinging);
    world.called_back(alice);
}

// Between two looks it is judged again before anybody is rung: with hundreds to look at, one has to wait for its own.
#[test]
fn a_number_that_is_denied_by_the_time_its_turn_comes_is_not_tried() {
    let noon = "2026-03-02T17:00:00Z";
    let mut world = World::with(1, |site| site.number_lists.push(deny(noon)));
    world.customer(Person::new("alice", super::ALICE));
    for other in 0..500 {
        ask_for(&mut world, &format!("+1212555{:04}", 100 + other), noon, "ben");
    }
    ask_for(&mut world, super::ALICE, noon, "anna"); // The last to be looked at, and the first who can be served.
    world.register(&[ANNA]);
    world.run_for(secs(2 * 3_600 + 60));

    let blocked = Command::ListCallbacks { states: vec![TaskState::Blocked], queue: None, page: PageOf::default() };
    let Reply::Callbacks(page) = world.ask(blocked) else { panic!("callbacks were asked for") };
    let shown: Vec<_> = page.items.iter().map(|it| (it.task.number.to_string(), it.held_by.as_deref())).collect();
    assert_eq!(shown, [(super::ALICE.to_owned(), Some("it is on a deny list"))]);
    assert!(world.attempts().is_empty());
}

// The same between the agent's answer and the dial.
#[test]
fn a_number_that_is_denied_while_the_agent_rings_is_not_dialled() {
    let mut world = World::with(1, |site| site.number_lists.push(deny("2026-03-02T15:01:00Z")));
    let alice = world.promised("alice", super::ALICE);
    world.register(&[ANNA]);
    let agent = world.rings(ANNA, secs(5));
    world.configure(|site| site.number_lists[0].valid_from = None);

    world.answer(ANNA, agent);
    world.run_for(secs(30));

    assert!(world.ladder.first("ringback", "alice", "INVITE").is_none());
    assert!(!world.is_busy(TRUNK, alice));
    assert_eq!(attempts(&world), [(AttemptKind::Agent, Some(Outcome::Blocked))]);
    assert_eq!(world.callbacks()[0].task.state, TaskState::Blocked);
    assert_eq!(world.tasks()[0].attempts_used, 0);
}

// And the offer of another try, which waits for a line.
#[test]
fn a_number_that_is_denied_is_not_offered_another_try() {
    let (mut world, alice) = exhausted(|site| {
        offering(None)(site);
        site.trunks[0].max_calls = 1;
        site.number_lists.push(deny("2026-03-02T15:02:00Z"));
    });
    world.ask(Command::PauseAgent { agent: "anna".to_owned(), reason: None });
    let bob = world.customer(Person::new("bob", super::BOB));
    let call = world.joins(bob);
    world.run_for(secs(120));

    world.hang_up(TRUNK, call);
    world.run_for(secs(200));

    assert!(!world.is_busy(TRUNK, alice));
    assert_eq!(attempts(&world), [(AttemptKind::Agent, Some(Outcome::Busy))]);
    assert_eq!(world.tasks()[0].state, TaskState::ClientOffer);
}
