//! The dial protocol under `kill -9` (durability.md §2.8, P3): what the disk knows of an attempt decides what becomes
//! of it. At most one extra call for each crash, and none to a customer who is known to have answered.

use super::ALICE;
use crate::drive::ANNA;
use crate::site::{CARRIER, SWITCH, secs};
use crate::world::{TRUNK, World};
use ringback::callback::task::{Attempt, CloseReason, HoldReason, Outcome, Side, Task, TaskState};
use ringback::demo::endpoint::{EndedBy, Event};
use ringback::demo::person::{Person, Reaction};
use ringback::settings::{FirstParty, Settings};
use ringback::sip::flow::{Flow, Transport};
use ringback::sip::user_agent::UserAgent;
use ringback::switch::command::{Command, Reply};
use ringback::switch::event;
use std::collections::BTreeSet;
use std::time::Duration;

/// Alice was called back, and has talked for so long when the process is killed; its next life has begun.
/// Whoever talks with nobody for so long has hung up, and his talk is not taken up again.
const AWAY: Duration = secs(62);

fn killed_in_a_talk_of(talk: Duration, change: impl FnOnce(&mut Settings)) -> (World, usize) {
    let mut world = World::with(1, change);
    let alice = world.promised("alice", ALICE);
    world.register(&[ANNA]);
    let (_, call) = world.called_back(alice);
    world.answer(TRUNK, call);
    world.run_for(talk);
    world.crash();
    world.run_for(AWAY);
    world.start();
    world.run_for(secs(5));
    (world, alice)
}

fn rings(world: &World) -> usize {
    world.told.iter().filter(|(_, at, told)| *at == TRUNK && matches!(told.event, Event::Incoming(..))).count()
}

fn lost(world: &World) -> bool {
    world.published.iter().any(|(_, event)| matches!(event, event::Event::CallbackLost { .. }))
}

#[test]
fn who_had_answered_when_the_process_was_killed_is_called_again_by_people_only() {
    let (mut world, alice) = killed_in_a_talk_of(secs(3), |site| site.profiles[0].expires_after = Some(secs(600)));

    let task = world.tasks().remove(0);
    assert_eq!((task.state, task.hold_reason), (TaskState::Blocked, Some(HoldReason::LostAfterAnswer)));
    assert_eq!((world.attempts()[0].outcome, task.attempts_used), (Some(Outcome::SystemRestart), 0));
    assert!(lost(&world));
    assert!(!world.is_busy(TRUNK, alice) && !world.is_busy(ANNA, 0), "both were told that the call is over");
    let shown = world.callbacks().remove(0);
    let why = "lost_after_answer: the customer had answered when the switch was restarted: keep it or remove it";
    assert_eq!((shown.held_by.as_deref(), shown.next_at, shown.position), (Some(why), None, None));
    world.assert_ladder("lost_after_answer");

    // Neither its end, another edition of the site nor another restart moves it.
    world.run_for(secs(1_200));
    world.configure(|site| site.profiles[0].attempts_max = 5);
    world.crash();
    world.start();
    world.register(&[ANNA]);
    world.run_for(secs(600));
    assert_eq!((world.tasks().remove(0).hold_reason, rings(&world)), (Some(HoldReason::LostAfterAnswer), 1));

    let Reply::Callback(kept) = world.ask(Command::KeepCallback(task.id)) else { panic!("it is kept") };
    assert_eq!(kept.task.hold_reason, None);
    let (agent, call) = world.called_back(alice);
    world.answer(TRUNK, call);
    world.run_for(secs(10));
    world.hang_up(ANNA, agent);
    world.run_for(secs(2));
    assert_eq!(world.tasks()[0].state, TaskState::Completed);
    world.assert_rest();
}

#[test]
fn a_talk_that_was_long_enough_is_a_success_whatever_happens_later() {
    let (mut world, alice) = killed_in_a_talk_of(secs(8), |_| {});

    let (task, attempt) = (world.tasks().remove(0), world.attempts().remove(0));
    assert_eq!((task.state, task.close_reason), (TaskState::Completed, Some(CloseReason::Success)));
    assert_eq!((task.attempts_used, attempt.outcome, attempt.talk_secs), (1, Some(Outcome::Success), 5));
    world.run_for(secs(600));
    assert_eq!((rings(&world), world.is_busy(TRUNK, alice)), (1, false));
    world.assert_rest();
}

/// `success_min_talk = 5`: the mark is on the disk one millisecond later, and not before.
#[test]
fn the_mark_of_a_success_is_stored_when_the_talk_is_longer_than_it_must_be() {
    let mut world = World::new(1);
    let alice = world.promised("alice", ALICE);
    world.register(&[ANNA]);
    let (agent, call) = world.called_back(alice);
    let joined = |world: &World| world.ladder.noted("talk").is_some();
    let now = world.now;
    world.stations[TRUNK].endpoint.answer(now, call);
    world.run_until("they talk", secs(5), joined);

    world.run_for(Duration::from_millis(5_000));
    assert_eq!(world.attempts()[0].kept_at, None);
    world.run_for(Duration::from_millis(1) + world.disk.delay);
    assert!(world.attempts()[0].kept_at.is_some());

    // The agent knows better: it was a machine.
    world.press(ANNA, agent, "9");
    world.run_for(secs(1));
    assert_eq!(world.attempts()[0].kept_at, None);
    world.crash();
    world.run_for(AWAY);
    world.start();
    world.run_for(secs(1));
    assert_eq!(world.tasks()[0].hold_reason, Some(HoldReason::LostAfterAnswer));
}

#[test]
fn where_the_answer_alone_is_success_it_is_one_after_a_crash_too() {
    let (world, _) = killed_in_a_talk_of(secs(1), |site| site.profiles[0].success_min_talk = Duration::ZERO);
    assert_eq!(world.tasks()[0].state, TaskState::Completed);
    assert!(!lost(&world));
}

#[test]
fn people_may_remove_what_was_lost_and_a_customer_who_rings_in_needs_nobody_to_decide() {
    let (mut world, _) = killed_in_a_talk_of(secs(3), |_| {});
    let task = world.tasks()[0].id;
    assert!(matches!(world.ask(Command::CancelCallback(task)), Reply::Callback(_)));
    assert_eq!(world.tasks()[0].close_reason, Some(CloseReason::ByAdmin));

    let (mut world, alice) = killed_in_a_talk_of(secs(3), |_| {});
    world.joins(alice);
    world.run_for(secs(1));
    let task = world.tasks().remove(0);
    assert_eq!((task.state, task.close_reason), (TaskState::Cancelled, Some(CloseReason::CustomerCalled)));
    assert_eq!(world.ladder.noted("agent").is_some(), world.is_busy(ANNA, 0), "he is served at his old place");
}

/// What follows a crash, from nothing but what the disk knows.
#[derive(Debug, PartialEq)]
enum Follows {
    /// It was over.
    Nothing,
    /// The attempt is a success.
    Kept,
    /// People decide.
    Lost,
    /// Called again, once.
    Again,
    /// The two go on talking.
    GoesOn,
}

fn follows(task: &Task, attempt: Option<&Attempt>, talks: bool) -> Follows {
    let open = attempt.filter(|attempt| attempt.outcome.is_none());
    let answered = open.and_then(|attempt| attempt.customer_leg.as_ref()?.answered_at).is_some();
    match (task.state.is_final(), open.and_then(|attempt| attempt.kept_at), answered) {
        (true, _, _) => Follows::Nothing,
        (false, ..) if talks => Follows::GoesOn,
        (false, Some(_), _) => Follows::Kept,
        (false, None, true) => Follows::Lost,
        (false, None, false) => Follows::Again,
    }
}

/// What a form asks of the site.
type Change = fn(&mut Settings);

/// P3: killed at each step of the dial protocol, before and after each commit.
#[test]
fn after_a_kill_at_any_step_the_customer_is_called_once_more_at_most_and_never_after_an_answer() {
    let forms: [(&str, Change); 3] = [
        ("agent first", |_| {}),
        ("customer first", |site| site.profiles[0].first_party = FirstParty::Customer),
        ("answered is enough", |site| site.profiles[0].success_min_talk = Duration::ZERO),
    ];
    for (form, change) in forms {
        let mut seen = [0; 5];
        for survives in [false, true] {
            let mut steps = 0;
            while let Some(follows) = killed_after(form, steps, survives, change) {
                seen[follows as usize] += 1;
                steps += 1;
            }
            assert!(steps > 25, "a callback has more steps than {steps}");
        }
        // An answer that is success by itself is never lost but between two commits.
        assert!(seen[1..].iter().all(|times| *times > 0), "{form}: nothing, kept, lost, again, on came {seen:?} times");
    }
}

/// Lives a callback up to this step, dies, lives again. `None`: it was over before.
fn killed_after(form: &str, steps: u64, survives: bool, change: fn(&mut Settings)) -> Option<Follows> {
    let mut world = World::with(steps, change);
    let alice = world.promised("alice", ALICE);
    let soon = Reaction::Answer { after: secs(4), early: false };
    let person = &mut world.stations[TRUNK].people[alice];
    (person.reactions, person.bears_silence) = ([soon.clone()].into(), Some(secs(5)));
    let agent = &mut world.stations[ANNA].people[0];
    (agent.reactions, agent.talk, agent.bears_silence) = ([soon].into(), Some(secs(8)), Some(secs(60)));
    let now = world.now;
    world.stations[ANNA].endpoint.register(now, 3_600);
    let limit = world.now + secs(60);
    world.serve_people();
    let lived = (0..steps).all(|_| world.step(limit)) && !world.tasks()[0].state.is_final();

    world.crash_keeping(if survives { usize::MAX } else { 0 });
    let what = format!("{form}, killed after step {steps}, commits survive: {survives}");
    let talks = survives && !world.disk.talks.is_empty();
    let follows = follows(&world.tasks()[0], world.attempts().last(), talks);
    world.run_for(if survives { secs(3) } else { AWAY });
    world.start();
    world.run_for(secs(600));

    let (task, rung) = (world.tasks().remove(0), rings(&world));
    match follows {
        Follows::Nothing => assert_eq!(rung, 1, "{what}"),
        Follows::Kept => assert_eq!((task.state, rung), (TaskState::Completed, 1), "{what}"),
        Follows::Lost => assert_eq!((task.hold_reason, rung), (Some(HoldReason::LostAfterAnswer), 1), "{what}"),
        // Unless she had lost her patience meanwhile.
        Follows::GoesOn => assert!(rung == 1 && (task.state.is_final() || task.hold_reason.is_some()), "{what}"),
        Follows::Again => assert!(task.state.is_final() && rung <= 2, "{what}: rung {rung} times: {task:?}"),
    }
    let restarts = world.attempts().iter().filter(|it| it.outcome == Some(Outcome::SystemRestart)).count();
    assert!(restarts <= 1, "{what}");
    lived.then_some(follows)
}

/// B of the dial protocol: whoever computes an attempt's identities again gets the same, and no two legs share one.
#[test]
fn identities_are_derived_from_task_attempt_and_leg() {
    let mut world = World::new(1);
    let alice = world.promised("alice", ALICE);
    world.register(&[ANNA]);
    let agent = world.rings(ANNA, secs(5));
    world.answer(ANNA, agent);
    let flow = Flow { transport: Transport::Udp, local: SWITCH, remote: CARRIER };

    // The intent is on the disk, and the process dies before the INVITE leaves, which is after the agent's prompt.
    let intent = world.attempts().remove(0);
    assert!(!world.is_busy(TRUNK, alice));
    world.crash();
    world.start();
    let secret = world.disk.restored().secret;
    let again = UserAgent::derived_identity(&secret, &intent.leg_name(Side::Customer(0)), flow);
    assert_eq!(intent.customer_leg.expect("an intent").dialog, Some(again));

    let call = world.called_back_after(alice, secs(60)).1;
    world.answer(TRUNK, call);
    let mut seen = BTreeSet::new();
    for attempt in world.attempts() {
        for leg in attempt.agent_legs.iter().chain(&attempt.customer_leg) {
            let dialog = leg.dialog.clone().expect("each leg has one");
            assert!(seen.insert(dialog.call_id) && seen.insert(dialog.local_tag) && seen.insert(dialog.branch));
        }
    }
    assert_eq!(seen.len(), 12, "two legs of two attempts");
}

/// The agent's phone rings when the process is killed: the next life stops it, for a callback and for a caller in line.
#[test]
fn an_agents_phone_that_rings_at_a_kill_is_told_to_stop() {
    let mut world = World::new(1);
    let alice = world.promised("alice", ALICE);
    world.register(&[ANNA]);
    world.rings(ANNA, secs(5));
    world.crash();
    world.start();
    world.run_for(secs(1));
    assert!(!world.is_busy(ANNA, 0), "it rings on for a callback");
    assert!(!world.is_busy(TRUNK, alice));
    world.assert_ladder("agent_rings_at_a_kill");
    assert_eq!(world.attempts()[0].outcome, Some(Outcome::SystemRestart));
    world.run_for(secs(30)); // Within the quarantine.

    let bob = world.customer(Person::new("bob", super::BOB));
    world.joins(bob);
    let ringing = world.rings(ANNA, secs(5));
    world.crash();
    world.start();
    world.run_for(secs(1));
    let told = world.heard(ANNA, |event| matches!(event, Event::Ended(it, EndedBy::Cancel) if *it == ringing));
    assert!(told.is_some(), "it rings on for a caller");
    assert_ne!(world.rings(ANNA, secs(1)), ringing, "he is in line still");
}

/// A phone that has come to another place between the attempt's commit and its INVITE rings there, and is stopped
/// there.
#[test]
fn a_phone_that_has_moved_meanwhile_rings_where_it_is() {
    let mut world = World::new(1);
    world.promised("alice", ALICE);
    world.disk.delay = secs(1);
    let second = world.second_phone(ANNA);
    for phone in [ANNA, second] {
        let now = world.now;
        world.stations[phone].endpoint.register(now, 3_600);
        world.run_for(Duration::from_millis(500));
    }
    world.run_until("both ring", secs(5), |world| world.is_busy(ANNA, 0) && world.is_busy(second, 0));
    world.run_for(secs(2));
    world.crash();
    world.start();
    world.run_for(secs(2));
    assert!(!world.is_busy(ANNA, 0) && !world.is_busy(second, 0));
}
