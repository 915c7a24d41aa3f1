//! The disk fills: recordings stop first, then promises; both come back by themselves (durability.md §2.12, P13).

use crate::drive::ANNA;
use crate::products::voximplant;
use crate::site::secs;
use crate::world::{TRUNK, World};
use ringback::callback::task::TaskState;
use ringback::demo::endpoint::CallId;
use ringback::demo::person::Person;
use ringback::media::Play;
use ringback::settings::{Settings, Trigger};
use ringback::switch::command::{Command, NewCallback, Refused, Reply};
use ringback::switch::{Input, RecordingRecord, Space, Stopped, event, view};

fn look(world: &mut World, space: Space) {
    world.handle(Input::Space(space));
    world.run_for(secs(1));
}

/// alice is missed in Voximplant's queue, is called back, and has answered.
fn called_back(
    change: impl FnOnce(&mut Settings),
    before_the_answer: impl FnOnce(&mut World),
) -> (World, CallId, CallId) {
    let mut world = World::with(1, |site| {
        voximplant(site);
        change(site);
    });
    let alice = world.missed("alice", super::ALICE);
    world.register(&[ANNA]);
    let (agent, customer) = world.called_back_after(alice, secs(61));
    before_the_answer(&mut world);
    world.answer(TRUNK, customer);
    (world, agent, customer)
}

fn recordings(world: &mut World) -> Vec<RecordingRecord> {
    match world.ask(Command::ListRecordings(Default::default())) {
        Reply::Recordings(page) => page.items,
        other => panic!("{other:?}"),
    }
}

/// The call that talks.
fn call(world: &mut World) -> view::Call {
    match world.ask(Command::ListCalls(Default::default())) {
        Reply::Calls(page) => {
            page.items.into_iter().find(|call| call.state == "talking").expect("a call in which two talk")
        }
        other => panic!("{other:?}"),
    }
}

fn status(world: &mut World) -> view::Status {
    match world.ask(Command::Status) {
        Reply::Status(status) => status,
        other => panic!("{other:?}"),
    }
}

fn count(world: &World, what: impl Fn(&event::Event) -> bool) -> usize {
    world.published.iter().filter(|(_, event)| what(event)).count()
}

fn clips(world: &World, customer: CallId) -> Vec<String> {
    let leg = world.leg_of(TRUNK, customer).expect("a leg");
    let said = world.shard.heard.iter().filter(|(_, to, _)| *to == leg);
    said.flat_map(|(_, _, play)| match play {
        Play::Clips { clips, .. } => clips.iter().map(ToString::to_string).collect(),
        _ => Vec::new(), // Music.
    })
    .collect()
}

// P13: below 5 % a call is not recorded, and nobody is told that he is.
#[test]
fn a_scarce_disk_means_no_recording_no_notice_and_a_talk_like_any_other() {
    for space in [Space::Ample, Space::Low, Space::Scarce, Space::Spent] {
        let (mut world, agent, customer) = called_back(|_| {}, |world| look(world, space));
        world.run_for(secs(20));

        let is_recorded = space <= Space::Low;
        assert_eq!(world.shard.tapes.len(), usize::from(is_recorded), "{space:?}");
        assert_eq!(recordings(&mut world).len(), usize::from(is_recorded));
        let notice = clips(&world, customer).contains(&"recorded_notice".to_owned());
        assert_eq!(notice, is_recorded, "{space:?}");
        let why = (!is_recorded).then_some(view::NotRecorded::DiskSpace);
        assert_eq!(call(&mut world).not_recorded, why);
        let told = |event: &event::Event| matches!(event, event::Event::NotRecorded { why: "disk_space", .. });
        assert_eq!(count(&world, told), usize::from(!is_recorded));
        assert!(world.is_up(ANNA, agent) && world.is_up(TRUNK, customer));
        world.hang_up(ANNA, agent);
        world.run_for(secs(2));
        assert_eq!(world.tasks()[0].state, TaskState::Completed);
    }
}

// P13: a recording that runs is ended whole, its record says why, and the talk goes on.
#[test]
fn a_recording_that_runs_ends_when_the_disk_is_scarce_and_the_two_talk_on() {
    let (mut world, agent, customer) = called_back(|_| {}, |_| {});
    world.run_for(secs(12));
    assert_eq!(world.shard.tapes.len(), 1);
    look(&mut world, Space::Low);
    assert_eq!(world.shard.tapes.len(), 1);

    look(&mut world, Space::Scarce);

    assert!(world.shard.tapes.is_empty());
    let [record] = &recordings(&mut world)[..] else { panic!("one recording") };
    assert_eq!(record.stopped, Some(Stopped::DiskSpace));
    let (ended, samples) = (record.ended_at.expect("its file is closed"), record.samples);
    assert!(samples > 0 && record.path.is_some());
    let lasted = (ended - record.started_at).num_milliseconds();
    assert!((lasted - i64::try_from(samples / 8).unwrap()).abs() <= 25, "{lasted} ms, {samples} samples");
    assert_eq!(count(&world, |event| matches!(event, event::Event::RecordingStopped { .. })), 1);
    assert_eq!(count(&world, |event| matches!(event, event::Event::RecordingStored { .. })), 1);
    assert!(world.is_up(ANNA, agent) && world.is_up(TRUNK, customer));

    // Its keys and its end find no tape; room that comes back begins none in the middle of a talk.
    world.press(ANNA, agent, "*1");
    look(&mut world, Space::Ample);
    world.run_for(secs(10));
    world.hang_up(ANNA, agent);
    world.run_for(secs(2));
    let after = recordings(&mut world);
    assert_eq!((after.len(), after[0].samples, after[0].ended_at), (1, samples, Some(ended)));
    assert!(after[0].pauses.is_empty());
}

// A queue or profile whose calls must be recorded has the room between 5 % and 2 %.
#[test]
fn what_must_be_recorded_is_recorded_until_the_disk_is_spent() {
    let required = |site: &mut Settings| site.profiles[0].record_required = true;
    let (mut world, ..) = called_back(required, |world| look(world, Space::Scarce));
    world.run_for(secs(8));
    assert_eq!(world.shard.tapes.len(), 1);

    look(&mut world, Space::Ample);
    look(&mut world, Space::Scarce);
    assert_eq!(world.shard.tapes.len(), 1);
    look(&mut world, Space::Spent);

    assert!(world.shard.tapes.is_empty());
    assert_eq!(recordings(&mut world)[0].stopped, Some(Stopped::DiskSpace));
}

// The same for a queue's live calls; and what begins after the space has come back is recorded again.
#[test]
fn live_calls_are_recorded_again_when_there_is_room_again() {
    for (required, space, is_recorded) in [
        (false, Space::Scarce, false),
        (true, Space::Scarce, true),
        (true, Space::Spent, false),
        (false, Space::Ample, true),
    ] {
        let mut world = World::with(1, |site| {
            site.queues[0].record = true;
            site.queues[0].record_required = required;
        });
        world.register(&[ANNA]);
        let alice = world.customer(Person::new("alice", super::ALICE));
        look(&mut world, Space::Scarce);
        look(&mut world, space);
        let call = world.joins(alice);
        let ringing = world.rings(ANNA, secs(5));
        world.answer(ANNA, ringing);
        world.run_for(secs(10));

        assert_eq!(world.shard.tapes.len(), usize::from(is_recorded), "{required} {space:?}");
        let notice = clips(&world, call).contains(&"recorded_notice".to_owned());
        assert_eq!(notice, is_recorded);
        world.hang_up(TRUNK, call);
        world.run_for(secs(2));
        world.assert_rest();
    }
}

// The disk fills while the notice is heard: it was true when it began, and the recording does not begin.
#[test]
fn a_disk_that_fills_during_the_notice_begins_no_recording() {
    let (mut world, agent, customer) = called_back(|_| {}, |_| {});
    world.run_until("the notice begins", secs(5), |world| {
        clips(world, customer).contains(&"recorded_notice".to_owned())
    });
    assert!(world.shard.tapes.is_empty());

    look(&mut world, Space::Scarce);
    world.run_for(secs(10));

    assert!(world.shard.tapes.is_empty() && recordings(&mut world).is_empty());
    assert_eq!(call(&mut world).not_recorded, Some(view::NotRecorded::DiskSpace));
    assert!(world.is_up(ANNA, agent));
}

// Interface, Settled 13: no promise below 2 %. The switch does not even ask the disk; the apology, the place, and the
// promise as soon as there is room.
#[test]
fn a_spent_disk_makes_no_promise_and_the_next_look_gives_it_back() {
    let mut world = World::new(1);
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    look(&mut world, Space::Spent);
    assert_eq!(status(&mut world).space, Space::Spent);

    world.press(TRUNK, call, "1#");
    world.run_for(secs(10));
    assert!(world.ladder.noted("sorry").is_some());
    assert!(world.ladder.noted("accepted").is_none());
    assert!(world.disk.tasks.is_empty());
    assert_eq!(world.line().into_iter().map(|it| it.kind).collect::<Vec<_>>(), ["live"]);

    look(&mut world, Space::Scarce);
    world.press(TRUNK, call, "1#");
    world.run_until("she is promised a call", secs(15), |world| world.ladder.noted("accepted").is_some());
    assert_eq!(world.tasks().iter().filter(|task| !task.state.is_final()).count(), 1);
}

// The same for programs that ask, and for missed calls, of which people are told.
#[test]
fn a_spent_disk_takes_no_callback_by_api_and_tells_of_a_missed_call() {
    let mut world = World::with(1, voximplant);
    world.customer(Person::new("alice", super::ALICE));
    look(&mut world, Space::Spent);
    let new = || NewCallback {
        number: super::BOB.to_owned(),
        queue: None,
        not_before: None,
        profile: Some("standard".to_owned()),
        agent: None,
        data: None,
        idempotency_key: None,
    };
    assert!(matches!(world.ask(Command::AddCallback(Box::new(new()))), Reply::Refused(Refused::NotStored)));
    world.missed("carol", super::CAROL);
    world.run_for(secs(5));
    assert!(world.tasks().is_empty());
    assert_eq!(count(&world, |event| matches!(event, event::Event::MissedNotStored { .. })), 1);

    look(&mut world, Space::Ample);
    assert!(matches!(world.ask(Command::AddCallback(Box::new(new()))), Reply::Callback(_)));
}

// What would be refused is not offered; it is when there is room again.
#[test]
fn a_spent_disk_offers_nothing() {
    for (space, offers) in [(Space::Scarce, true), (Space::Spent, false)] {
        let mut world = World::with(1, |site| {
            site.rules[0].triggers = vec![Trigger::AfterWait];
            site.rules[0].offer_after = secs(20);
        });
        let alice = world.customer(Person::new("alice", super::ALICE));
        look(&mut world, space);
        let call = world.joins(alice);
        world.run_for(secs(25));
        assert_eq!(clips(&world, call).iter().any(|clip| clip.starts_with("offer")), offers, "{space:?}");

        look(&mut world, Space::Ample);
        world.run_for(secs(10));
        assert!(clips(&world, call).iter().any(|clip| clip.starts_with("offer")), "{:?}", clips(&world, call));
    }
}

// P13: what was promised is kept whatever room there is.
#[test]
fn a_promise_is_kept_on_a_spent_disk() {
    let mut world = World::new(1);
    let alice = world.promised("alice", super::ALICE);
    look(&mut world, Space::Spent);

    world.register(&[ANNA]);
    let (_, customer) = world.called_back(alice);
    world.answer(TRUNK, customer);
    world.run_for(secs(10));
    world.hang_up(TRUNK, customer);
    world.run_for(secs(2));

    assert_eq!(world.tasks()[0].state, TaskState::Completed);
}

// Each change is told once, however often the shell looks.
#[test]
fn a_level_is_told_once() {
    let mut world = World::new(1);
    for space in [Space::Ample, Space::Low, Space::Low, Space::Spent, Space::Spent, Space::Low, Space::Ample] {
        look(&mut world, space);
    }

    let told: Vec<Space> = world
        .published
        .iter()
        .filter_map(|(_, event)| match event {
            event::Event::DiskSpace { space } => Some(*space),
            _ => None, // Something else.
        })
        .collect();
    assert_eq!(told, [Space::Low, Space::Spent, Space::Low, Space::Ample]);
}
