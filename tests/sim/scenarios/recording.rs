//! Recordings: who is told, what is taped, and how long it is kept.

use crate::drive::ANNA;
use crate::media::length_of;
use crate::products::voximplant;
use crate::site::secs;
use crate::world::{TRUNK, World};
use ringback::id::RecordingId;
use ringback::media::Play;
use ringback::settings::{Settings, Sound};
use ringback::switch::command::{Command, Refused, Reply};
use ringback::switch::{RecordingFailed, RecordingRecord, event};
use std::time::Duration;

pub(super) const DAY: Duration = secs(86_400);

/// alice was missed in Voximplant's queue, was called back and talks to anna; both calls.
pub(super) fn talking(
    change: impl FnOnce(&mut Settings),
) -> (World, ringback::demo::endpoint::CallId, ringback::demo::endpoint::CallId) {
    let mut world = World::with(1, |site| {
        voximplant(site);
        change(site);
    });
    let alice = world.missed("alice", super::ALICE);
    world.register(&[ANNA]);
    let (agent, customer) = world.called_back_after(alice, secs(61));
    world.answer(TRUNK, customer);
    world.run_for(secs(8));
    (world, agent, customer)
}

pub(super) fn recordings(world: &mut World) -> Vec<RecordingRecord> {
    match world.ask(Command::ListRecordings(Default::default())) {
        Reply::Recordings(page) => page.items,
        other => panic!("{other:?}"),
    }
}

pub(super) fn recorded(change: impl FnOnce(&mut Settings)) -> (World, RecordingId) {
    let (mut world, agent, _) = talking(change);
    world.run_for(secs(10));
    world.hang_up(ANNA, agent);
    world.run_for(secs(2));
    let id = recordings(&mut world)[0].id;
    (world, id)
}

// S5.24: a recording exists exactly when the switch is on.
#[test]
fn a_callback_is_recorded_when_its_profile_says_so_and_not_otherwise() {
    for record in [true, false] {
        let (mut world, agent, _) = talking(|site| site.profiles[0].record = record);
        assert_eq!(world.shard.tapes.len(), usize::from(record));
        world.hang_up(ANNA, agent);
        world.run_for(secs(1));

        assert_eq!(recordings(&mut world).len(), usize::from(record));
    }
}

// S5.26, S5.27: the notice is heard to its end before the two are joined, and the consent says which and when.
#[test]
fn the_consent_names_the_notice_that_was_heard_before_the_first_sample() {
    let (mut world, _, _) = talking(|_| {});

    let record = recordings(&mut world).remove(0);

    assert_eq!(record.consent.prompt.as_deref(), Some("recorded_notice"));
    assert!(record.consent.complete && record.notice_played);
    assert!(record.consent.played_at.is_some_and(|played| played < record.started_at));
}

/// The prompt that a spoken notice of the profile `standard` is made into.
const SPOKEN: &str = "record_notice\ncallback_profile\nstandard";

// S5.26, S5.27: a notice of our own, or one made of a text, is heard to its end instead of the built-in one, and the
// consent names it.
#[test]
fn the_customer_hears_the_notice_of_the_profile_before_the_first_sample() {
    for notice in ["our notice", SPOKEN] {
        let (mut world, _, customer) = talking(|site| site.profiles[0].record_notice = Sound::Prompt(notice.into()));
        let leg = world.leg_of(TRUNK, customer).expect("a leg");

        let said: Vec<_> = world.shard.heard.iter().filter(|(_, to, _)| *to == leg).collect();
        let [(began, _, Play::Clips { clips, .. })] = said[..] else { panic!("{said:?}") };
        assert_eq!(clips.last().map(|clip| &**clip), Some(notice), "{clips:?}");
        assert!(!clips.contains(&"recorded_notice".into()));
        let lasts: Duration = clips.iter().map(|clip| length_of(clip)).sum();
        let [tape] = world.shard.tapes.values().collect::<Vec<_>>()[..] else { panic!("one tape") };
        assert!(tape.since >= *began + lasts, "taped from {:?} on, told from {began:?} for {lasts:?}", tape.since);

        let record = recordings(&mut world).remove(0);
        assert_eq!(record.consent.prompt.as_deref(), Some(notice));
        assert!(record.consent.complete && record.notice_played);
        assert!(record.consent.played_at.is_some_and(|played| played < record.started_at));
    }
}

// S5.27: without a notice, which the file must acknowledge, the consent says that nobody was told.
#[test]
fn without_a_notice_the_consent_is_empty() {
    let (mut world, _, _) = talking(|site| {
        site.profiles[0].record_notice = Sound::Silent;
        site.profiles[0].customer_prompt = Sound::Silent;
    });

    let record = recordings(&mut world).remove(0);

    assert_eq!((record.consent.prompt.as_deref(), record.notice_played), (None, false));
}

// S5.27: fail closed.
#[test]
fn a_notice_that_cannot_be_played_means_no_recording_and_the_two_still_talk() {
    let mut world = World::with(1, voximplant);
    world.shard.missing.insert("recorded_notice".to_owned());
    let alice = world.missed("alice", super::ALICE);
    world.register(&[ANNA]);
    let (agent, customer) = world.called_back_after(alice, secs(61));
    world.answer(TRUNK, customer);
    world.run_for(secs(8));

    assert!(world.is_up(ANNA, agent) && world.is_up(TRUNK, customer));
    assert!(world.shard.tapes.is_empty() && recordings(&mut world).is_empty());
    assert!(world.published.iter().any(|(_, event)| matches!(event, event::Event::NoticeFailed { .. })));
}

#[test]
fn the_agent_pauses_the_tape_with_star_one_and_lets_it_go_on_with_star_two() {
    let (mut world, agent, customer) = talking(|_| {});

    world.press(TRUNK, customer, "*1");
    assert!(world.shard.paused_tapes.is_empty(), "the customer's keys are his own");
    world.press(ANNA, agent, "*1");
    assert_eq!(world.shard.paused_tapes.len(), 1);
    world.run_for(secs(20));
    world.press(ANNA, agent, "2");
    assert_eq!(world.shard.paused_tapes.len(), 1, "2 alone is no command");
    world.press(ANNA, agent, "*2");
    assert!(world.shard.paused_tapes.is_empty());

    let pauses = recordings(&mut world).remove(0).pauses;
    let [pause] = pauses[..] else { panic!("{pauses:?}") };
    let lasted = pause.until.expect("it has ended") - pause.from;
    assert!((21..=23).contains(&lasted.num_seconds()), "{lasted}");
}

// S5.25, S1.B15: past the storage period the audio is gone from disk, and the record says so.
#[test]
fn a_recording_is_deleted_when_its_time_is_over_and_not_a_second_before() {
    let (mut world, id) = recorded(|site| site.profiles[0].retention = 2 * DAY);
    let began = recordings(&mut world)[0].started_at;

    let left = began + 2 * DAY - world.clock().utc;
    world.run_for(left.to_std().expect("ahead") - secs(1));
    assert!(world.erased.is_empty());
    world.run_for(secs(2));

    assert_eq!(world.erased, [id]);
    let record = recordings(&mut world).remove(0);
    assert!(record.deleted_at.is_some() && record.path.is_none());
    world.run_for(5 * DAY);
    assert_eq!(world.erased, [id], "once");
}

// S5.10, S5.25: the storage period is that of the settings the attempt was loaded with, not of an edit during it.
#[test]
fn an_edit_during_the_attempt_does_not_change_how_long_its_recording_is_kept() {
    let mut world = World::with(1, |site| {
        site.profiles[0].record = true;
        site.profiles[0].retention = 2 * DAY;
    });
    let alice = world.promised("alice", super::ALICE);
    world.register(&[ANNA]);
    let (_, customer) = world.called_back(alice);
    world.configure(|site| site.profiles[0].retention = 30 * DAY);

    world.answer(TRUNK, customer);
    world.run_for(secs(8));

    let record = recordings(&mut world).remove(0);
    assert_eq!(record.retain_until, Some(record.started_at + 2 * DAY));
}

// S5.25: nothing is forgotten because a disk stumbled.
#[test]
fn what_the_disk_cannot_delete_is_tried_again_each_hour() {
    let (mut world, id) = recorded(|site| site.profiles[0].retention = 2 * DAY);
    world.erases = Err(RecordingFailed);
    world.run_for(2 * DAY);
    let tries = world.erased.len();
    assert!(tries >= 1 && recordings(&mut world)[0].deleted_at.is_none());

    world.run_for(secs(3_600));
    assert_eq!(world.erased.len(), tries + 1);
    world.erases = Ok(());
    world.run_for(secs(3_600));

    assert!(recordings(&mut world)[0].deleted_at.is_some());
    assert!(world.erased.iter().all(|erased| *erased == id));
}

#[test]
fn legal_hold_keeps_a_recording_whatever_its_age_until_it_is_released() {
    let (mut world, id) = recorded(|site| site.profiles[0].retention = 2 * DAY);
    world.ask(Command::HoldRecording { id, legal_hold: true });
    world.run_for(4 * DAY);
    assert!(world.erased.is_empty());
    assert!(matches!(world.ask(Command::DeleteRecording(id)), Reply::Refused(Refused::Conflict { .. })));

    world.ask(Command::HoldRecording { id, legal_hold: false });
    world.run_for(secs(2));

    assert_eq!(world.erased, [id]);
}

#[test]
fn a_person_deletes_a_recording_once_it_has_ended() {
    let (mut world, agent, _) = talking(|_| {});
    let id = recordings(&mut world)[0].id;
    assert!(matches!(world.ask(Command::DeleteRecording(id)), Reply::Refused(Refused::Conflict { .. })));
    world.hang_up(ANNA, agent);
    world.run_for(secs(2));

    assert!(matches!(world.ask(Command::DeleteRecording(id)), Reply::Recording(_)));
    world.run_for(secs(1));

    assert_eq!(world.erased, [id]);
    assert!(matches!(world.ask(Command::DeleteRecording(id)), Reply::Refused(Refused::NotFound { .. })));
}

#[test]
fn a_restart_knows_what_is_to_be_deleted() {
    let (mut world, id) = recorded(|site| site.profiles[0].retention = 2 * DAY);
    world.crash();
    world.run_for(secs(2));
    world.start();
    world.run_for(3 * DAY);

    assert_eq!(world.erased, [id]);
}
