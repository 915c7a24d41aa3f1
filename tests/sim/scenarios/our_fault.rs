//! Faults of the switch's own (security.md T1 in spirit): a panic costs the call it belonged to and nothing else. Its
//! parties are told, its promise is kept another time, its agent is free; the others talk on, and their tapes are
//! whole.

use crate::drive::{ANNA, BEN, CARL};
use crate::site::secs;
use crate::stumble::CAN_STUMBLE;
use crate::world::{TRUNK, World};
use ringback::callback::task::{HoldReason, Outcome, TaskState};
use ringback::demo::endpoint::{CallId, CallState};
use ringback::demo::person::Person;
use ringback::id::CallRef;
use ringback::media;
use ringback::switch::Input;
use ringback::switch::command::{Command, PageOf, Reply};
use ringback::switch::event::Event;
use std::time::Duration;

/// Two who talk, and are recorded.
struct Talk {
    agent: CallId,
    customer: CallId,
    began: ringback::time::Tick,
}

/// A site whose calls are recorded, and ben who talks with a customer.
fn others_talk(seed: u64) -> (World, Talk) {
    let mut world = World::with(seed, |site| site.queues[0].record = true);
    world.register(&[BEN]);
    let other = world.customer(Person::new("other", "+12025550190"));
    let customer = world.joins(other);
    let agent = world.rings(BEN, secs(5));
    world.answer(BEN, agent);
    world.run_for(secs(10));
    let began = world.now;
    assert!(world.is_up(BEN, agent) && world.is_up(TRUNK, customer));
    (world, Talk { agent, customer, began })
}

/// The fault has been and nothing of the others' talk has changed; in the end nothing is left of anything.
fn assert_others_talk(mut world: World, talk: &Talk, faults: usize) {
    assert_eq!(world.stumbles.faults.len(), faults);
    world.run_for(secs(30));
    assert!(world.is_up(BEN, talk.agent) && world.is_up(TRUNK, talk.customer), "the others talk on");
    world.hang_up(BEN, talk.agent);
    world.run_for(secs(2));
    let tape = world.disk.recordings.values().find(|it| it.number == "+12025550190").expect("their recording");
    let talked = u64::try_from((world.now - talk.began).as_millis()).expect("short");
    assert!(tape.path.is_some() && tape.samples >= (talked - 3_000) * 8, "{} samples of {talked} ms", tape.samples);
    for phone in [ANNA, CARL] {
        let now = world.now;
        world.stations[phone].endpoint.register(now, 0);
    }
    world.run_for(secs(1));
    hang_up_all(&mut world);
    world.assert_rest();
}

fn a_call_comes(input: &Input) -> bool {
    matches!(input, Input::Sip(received) if received.wire.starts_with(b"INVITE "))
}

fn a_key(input: &Input) -> bool {
    matches!(input, Input::Media(_, media::Event::Digit { .. }))
}

fn a_commit(input: &Input) -> bool {
    matches!(input, Input::Committed(..))
}

fn an_answer(input: &Input) -> bool {
    matches!(input, Input::Sip(received) if received.wire.starts_with(b"SIP/2.0 200"))
}

fn a_command(input: &Input) -> bool {
    matches!(input, Input::Command(..))
}

fn hang_up_all(world: &mut World) {
    let now = world.now;
    for station in &mut world.stations {
        let calls: Vec<CallId> = station.endpoint.calls().map(|(id, _)| id).collect();
        calls.into_iter().for_each(|call| station.endpoint.hang_up(now, call));
    }
}

/// Whose call a fault has cost.
fn cost(world: &World) -> Option<CallRef> {
    world.stumbles.faults.last().expect("a fault").1
}

fn cause_of(world: &mut World, call: CallRef) -> Option<&'static str> {
    match world.ask(Command::ListCalls(PageOf::default())) {
        Reply::Calls(page) => page.items.into_iter().find(|it| it.id == call).expect("a call").end_cause,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_fault_as_a_call_arrives_ends_that_call_only() {
    for steps in 1..9 {
        let (mut world, talk) = others_talk(1);
        let third = world.customer(Person::new("third", "+12025550101"));
        world.run_for(secs(1));
        let call = world.call_in(third);
        world.serve_people();
        world.fault_at(a_call_comes, steps);

        world.run_for(secs(3));

        let told = world.stations[TRUNK].endpoint.call(call).is_none_or(|call| call.state != CallState::Up);
        assert!(!CAN_STUMBLE || told || steps > 7, "{steps} steps: he is told");
        let faults = world.stumbles.faults.len();
        assert_others_talk(world, &talk, faults.max(usize::from(CAN_STUMBLE && steps < 7)));
    }
}

#[test]
fn a_fault_in_line_makes_a_missed_call_of_the_caller_and_the_event_names_it() {
    if !CAN_STUMBLE {
        return;
    }
    let (mut world, talk) = others_talk(2);
    let third = world.customer(Person::new("third", "+12025550102"));
    let call = world.joins(third);
    world.fault_at(a_key, 0);

    world.press_one(TRUNK, call, '5');
    world.run_for(secs(2));

    let lost = cost(&world).expect("his call");
    assert!(!world.is_up(TRUNK, call), "he gets a BYE");
    assert_eq!(cause_of(&mut world, lost), Some("fault"));
    let events: Vec<&Event> = world.published.iter().map(|(_, event)| event).collect();
    assert!(events.contains(&&Event::SwitchFault { call: Some(lost) }));
    assert!(events.iter().any(|event| matches!(event, Event::CallMissed { call, .. } if *call == lost)));
    assert_others_talk(world, &talk, 1);
}

// Law 1: what is on the disk is a promise, whether its caller has heard so or not.
#[test]
fn a_promise_that_was_just_stored_when_the_fault_came_is_kept() {
    if !CAN_STUMBLE {
        return;
    }
    for steps in 0..6 {
        let (mut world, talk) = others_talk(3);
        let third = world.customer(Person::new("third", "+12025550103"));
        let call = world.joins(third);
        world.run_for(secs(2));
        world.press(TRUNK, call, "1");
        world.disk.delay = secs(1);
        world.press_one(TRUNK, call, '#');
        world.run_for(Duration::from_millis(900));
        world.fault_at(a_commit, steps);

        world.run_for(secs(5));

        let [task] = &world.tasks()[..] else { panic!("one callback: {:?}", world.tasks()) };
        assert!(!task.state.is_final(), "{steps} steps: {task:?}");
        world.disk.delay = Duration::from_millis(2);
        world.register(&[ANNA]);
        let (agent, customer) = world.called_back(third);
        world.answer(TRUNK, customer);
        world.run_for(secs(8));
        world.hang_up(ANNA, agent);
        world.run_for(secs(1));
        assert_eq!(world.tasks()[0].state, TaskState::Completed, "{steps} steps");
        let faults = world.stumbles.faults.len();
        assert!(faults == 1, "{steps} steps: {faults} faults");
        assert_others_talk(world, &talk, 1);
    }
}

#[test]
fn a_fault_while_the_agent_rings_for_a_promise_costs_the_customer_nothing() {
    if !CAN_STUMBLE {
        return;
    }
    // As his answer is taken out of the user agent, and as far as it leads from there.
    (5..8).for_each(agent_lost_at);
}

fn agent_lost_at(steps: u32) {
    let (mut world, talk) = others_talk(4);
    let third = world.promised("third", "+12025550104");
    world.register(&[ANNA]);
    world.rings(ANNA, secs(5));
    let ringing = world.now;
    world.fault_at(an_answer, steps);

    let agent = world.at(ANNA);
    world.answer(ANNA, agent);
    world.run_for(secs(2));

    assert!(!world.is_up(ANNA, agent), "{steps} steps: the agent gets a BYE");
    let attempt = world.attempts().remove(0);
    assert_eq!((attempt.outcome, attempt.n), (Some(Outcome::SystemRestart), 1));
    let task = world.tasks().remove(0);
    assert_eq!((task.state, task.attempts_used), (TaskState::Pending, 0));
    assert_eq!(world.agent("anna").state, "ready");
    // Like after a restart: the number is left alone for its ring time and ten seconds, then called again.
    let (agent, customer) = world.called_back_after(third, secs(60));
    assert!(world.now.since(ringing) >= secs(40), "called again after {:?}", world.now.since(ringing));
    world.answer(TRUNK, customer);
    world.run_for(secs(8));
    world.hang_up(ANNA, agent);
    world.run_for(secs(1));
    let task = world.tasks().remove(0);
    assert_eq!((task.state, task.attempts_used), (TaskState::Completed, 1));
    assert_others_talk(world, &talk, 1);
}

#[test]
fn a_fault_in_a_talk_ends_it_and_who_has_answered_is_not_rung_by_itself_again() {
    if !CAN_STUMBLE {
        return;
    }
    for (talked, outcome, state) in
        [(2, Outcome::SystemRestart, TaskState::Blocked), (8, Outcome::Success, TaskState::Completed)]
    {
        let (mut world, talk) = others_talk(5);
        let third = world.promised("third", "+12025550105");
        world.register(&[ANNA]);
        let (agent, customer) = world.called_back(third);
        world.answer(TRUNK, customer);
        world.run_for(secs(talked));
        world.fault_at(a_key, 0);

        world.press_one(TRUNK, customer, '5');
        world.run_for(secs(2));

        assert!(!world.is_up(ANNA, agent) && !world.is_up(TRUNK, customer), "both get a BYE");
        assert_eq!((world.attempts()[0].outcome, world.tasks()[0].state), (Some(outcome), state));
        assert_eq!(world.agent("anna").state, "wrap_up");
        let lost = (state == TaskState::Blocked).then_some(HoldReason::LostAfterAnswer);
        assert_eq!(world.tasks()[0].hold_reason, lost, "people decide about who had answered (durability.md §2.8)");
        world.run_for(secs(120));
        assert_eq!(world.attempts().len(), 1);
        let task = world.tasks()[0].id;
        world.ask(Command::CancelCallback(task));
        assert_others_talk(world, &talk, 1);
    }
}

#[test]
fn a_command_that_a_fault_interrupts_is_answered() {
    if !CAN_STUMBLE {
        return;
    }
    let (mut world, talk) = others_talk(6);
    world.fault_at(a_command, 0);

    let reply = world.ask(Command::ListQueues);

    assert!(matches!(reply, Reply::Queues(_)), "it was answered before: {reply:?}");
    world.fault_at(a_command, 0);
    let reply = world.ask(Command::PauseAgent { agent: "anna".to_owned(), reason: None });
    assert!(matches!(reply, Reply::Refused(ringback::switch::command::Refused::Fault)), "{reply:?}");
    assert_eq!(cost(&world), None, "it belonged to no call");
    assert_others_talk(world, &talk, 2);
}
