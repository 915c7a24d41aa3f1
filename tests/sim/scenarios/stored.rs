//! Whoever is told that something is kept has it on the disk: a legal hold, what was chosen for an agent.

use super::recording::{DAY, recorded, recordings, talking};
use crate::disk::Mood;
use crate::drive::ANNA;
use crate::site::secs;
use crate::stumble::CAN_STUMBLE;
use crate::world::World;
use ringback::id::RecordingId;
use ringback::switch::command::{Command, Refused, Reply};
use ringback::switch::{Input, NotStored};

const FAILING: Mood = Mood::Failing(NotStored::Failed);

fn short_lived() -> (World, RecordingId) {
    recorded(|site| site.profiles[0].retention = 2 * DAY)
}

fn hold(id: RecordingId) -> Command {
    Command::HoldRecording { id, legal_hold: true }
}

fn release(id: RecordingId) -> Command {
    Command::HoldRecording { id, legal_hold: false }
}

/// Whether the only recording is held: as the switch shows it, and as the disk knows it.
fn is_held(world: &mut World) -> (bool, bool) {
    let on_disk = world.disk.recordings.values().map(|record| record.legal_hold).collect::<Vec<_>>();
    (recordings(world)[0].legal_hold, on_disk[0])
}

fn held_as(reply: &Reply) -> Option<bool> {
    match reply {
        Reply::Recording(record) => Some(record.legal_hold),
        _ => None, // It was refused.
    }
}

/// Killed, with nothing of what was on its way to the disk, and started again.
fn restarts(world: &mut World) {
    world.crash_keeping(0);
    world.run_for(secs(2));
    world.disk.mood = Mood::Working;
    world.start();
}

fn until_the_end_of_the_first(world: &mut World) {
    let end = recordings(world)[0].retain_until.expect("it has one");
    world.run_for((end - world.clock().utc).to_std().expect("ahead") - secs(1));
}

// Persist before you promise: a hold that was answered outlives the switch, one that the disk refused is none.
#[test]
fn a_legal_hold_is_answered_when_the_disk_has_it() {
    let (mut world, id) = short_lived();
    world.disk.mood = FAILING;
    assert!(matches!(world.ask(hold(id)), Reply::Refused(Refused::NotStored)));
    assert_eq!(is_held(&mut world), (false, false));

    world.disk.mood = Mood::Holding;
    let to = world.tell(hold(id));
    world.run_for(secs(3));
    assert!(!world.replies.contains_key(&to), "the disk has not taken it");
    assert_eq!(is_held(&mut world), (false, false));
    world.release_disk();
    world.run_for(secs(1));
    assert_eq!(held_as(&world.replies[&to]), Some(true));
    assert_eq!(is_held(&mut world), (true, true));

    restarts(&mut world);
    world.run_for(4 * DAY);
    assert!(world.erased.is_empty());
}

// A release that is not on the disk is none: neither for this life nor for the next.
#[test]
fn a_recording_is_let_go_when_the_disk_has_it() {
    let (mut world, id) = short_lived();
    assert_eq!(held_as(&world.ask(hold(id))), Some(true));
    world.run_for(3 * DAY);
    world.disk.mood = FAILING;
    assert!(matches!(world.ask(release(id)), Reply::Refused(Refused::NotStored)));
    world.disk.mood = Mood::Holding;
    let to = world.tell(release(id));
    world.run_for(secs(7_200));
    assert!(!world.replies.contains_key(&to) && world.erased.is_empty());
    restarts(&mut world);
    world.run_for(DAY);
    assert_eq!((is_held(&mut world), &world.erased[..]), ((true, true), &[][..]));

    assert_eq!(held_as(&world.ask(release(id))), Some(false));
    world.run_for(secs(1));

    assert_eq!(world.erased, [id]);
}

// Whoever asks in time is not told that it was too late, as long as the disk may still say yes.
#[test]
fn what_somebody_wants_to_hold_is_not_deleted_before_the_disk_has_answered_him() {
    for mood in [Mood::Working, FAILING] {
        let (mut world, id) = short_lived();
        until_the_end_of_the_first(&mut world);
        world.disk.mood = Mood::Holding;
        let to = world.tell(hold(id));
        world.run_for(secs(20));
        assert!(world.erased.is_empty());
        assert!(matches!(world.ask(hold(id)), Reply::Refused(Refused::Conflict { .. })), "one after the other");
        assert!(matches!(world.ask(Command::DeleteRecording(id)), Reply::Refused(Refused::Conflict { .. })));

        world.release_disk();
        world.disk.mood = mood;
        world.run_for(secs(1));

        let is_stored = mood == Mood::Working;
        assert_eq!(held_as(&world.replies[&to]), is_stored.then_some(true));
        assert_eq!(world.erased.len(), usize::from(!is_stored), "{mood:?}");
        world.disk.mood = Mood::Working;
        world.run_for(DAY);
        assert_eq!(world.erased.len(), usize::from(!is_stored), "{mood:?}");
    }
}

// What was written of the tape while the hold was on its way knew nothing of it.
#[test]
fn a_tape_that_goes_on_in_between_keeps_its_hold_and_its_pause() {
    let (mut world, agent, _) = talking(|_| {});
    let id = recordings(&mut world)[0].id;
    world.disk.mood = Mood::Holding;
    let to = world.tell(hold(id));
    world.press(ANNA, agent, "*1");
    world.release_disk();
    world.run_for(secs(1));

    assert_eq!(held_as(&world.replies[&to]), Some(true));
    let record = world.disk.recordings[&id].clone();
    assert_eq!((record.legal_hold, record.pauses.len()), (true, 1));
    assert_eq!(record, recordings(&mut world)[0]);
    world.hang_up(ANNA, agent);
    world.run_for(secs(1));
    assert_eq!(is_held(&mut world), (true, true));
    world.assert_rest();
}

#[test]
fn a_hold_that_was_torn_off_is_as_the_disk_has_it() {
    if !CAN_STUMBLE {
        return;
    }
    let mut torn = 0;
    for steps in 0..20 {
        for wanted in [true, false] {
            let (mut world, id) = short_lived();
            if !wanted {
                world.ask(hold(id));
            }
            world.fault_at(|input| matches!(input, Input::Committed(..)), steps);

            let reply = world.ask(Command::HoldRecording { id, legal_hold: wanted });

            torn += world.stumbles.faults.len();
            world.stumbles.at = None;
            assert_eq!(held_as(&reply), Some(wanted), "{steps} steps: {reply:?}");
            assert_eq!(is_held(&mut world), (wanted, wanted), "{steps} steps");
            world.run_for(secs(10));
            world.assert_rest();
        }
    }
    assert!(torn >= 2, "torn off {torn} times");
}

fn pause() -> Command {
    Command::PauseAgent { agent: "anna".to_owned(), reason: Some("lunch".to_owned()) }
}

fn resume() -> Command {
    Command::ResumeAgent("anna".to_owned())
}

fn log_out() -> Command {
    Command::LogOutAgent("anna".to_owned())
}

/// Why anna's phone does not ring: in this life, and in the next one if it began now.
fn chosen(world: &mut World) -> ((bool, bool), (bool, bool)) {
    let anna = world.agent("anna");
    let on_disk = world.disk.agents.get("anna").map(|record| (record.logged_in, record.paused.is_some()));
    ((anna.state != "logged_out", anna.state == "not_ready"), on_disk.unwrap_or((true, false)))
}

// An agent who goes is not rung from this moment on, whatever the disk does; that he will not be rung after a restart
// either is said when it is so.
#[test]
fn what_is_chosen_for_an_agent_holds_at_once_and_is_answered_when_the_disk_has_it() {
    let free = (true, false);
    for (command, now) in [(pause(), (true, true)), (log_out(), (false, false))] {
        let mut world = World::new(1);
        world.register(&[ANNA]);
        world.disk.mood = Mood::Holding;
        let to = world.tell(command.clone());
        world.run_for(secs(3));
        assert!(!world.replies.contains_key(&to), "{command:?}");
        assert_eq!(chosen(&mut world), (now, free), "{command:?}");

        world.release_disk();
        world.run_for(secs(1));

        assert!(matches!(world.replies[&to], Reply::Agent(_)), "{command:?}");
        assert_eq!(chosen(&mut world), (now, now), "{command:?}");
        restarts(&mut world);
        assert_eq!(chosen(&mut world).1, now, "{command:?}");
    }
}

#[test]
fn who_is_told_that_the_disk_has_not_taken_it_yet_is_told_so_again_until_it_has() {
    let (free, paused) = ((true, false), (true, true));
    let mut world = World::new(1);
    world.register(&[ANNA]);
    let not_yet = |reply: &Reply| matches!(reply, Reply::Refused(Refused::NotStoredYet));
    world.disk.mood = FAILING;
    for _ in 0..2 {
        let reply = world.ask(pause());
        assert!(not_yet(&reply), "{reply:?}");
        assert_eq!(chosen(&mut world), (paused, free));
    }
    world.disk.mood = Mood::Working;
    world.run_for(secs(6));
    assert_eq!(chosen(&mut world), (paused, paused), "it was owed");

    world.disk.mood = FAILING;
    assert!(not_yet(&world.ask(resume())));
    assert_eq!(chosen(&mut world), (free, paused));
    world.disk.mood = Mood::Working;
    assert!(matches!(world.ask(resume()), Reply::Agent(_)));
    assert_eq!(chosen(&mut world), (free, free), "although it was so already");

    world.disk.mood = FAILING;
    assert!(not_yet(&world.ask(Command::TrustAgent("anna".to_owned()))));
    world.disk.mood = Mood::Working;
    assert!(matches!(world.ask(Command::TrustAgent("anna".to_owned())), Reply::Agent(_)));
    assert!(matches!(world.ask(Command::ResumeAgent("nobody".to_owned())), Reply::Refused(Refused::NotFound { .. })));
    world.run_for(secs(6));
    world.assert_rest();
}

// By phone it is as it was: nobody is on the line to wait for a disk.
#[test]
fn a_code_is_confirmed_whatever_the_disk_does_and_told_to_it_again() {
    let mut world = World::new(1);
    world.register(&[ANNA]);
    world.disk.mood = FAILING;
    world.dial(ANNA, "*46");
    world.run_for(secs(3));
    assert!(world.shard.heard.iter().any(|(_, _, play)| format!("{play:?}").contains("paused")));
    assert_eq!(chosen(&mut world), ((true, true), (true, false)));

    world.disk.mood = Mood::Working;
    world.run_for(secs(10));

    assert_eq!(chosen(&mut world), ((true, true), (true, true)));
}
