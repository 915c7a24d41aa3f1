//! What operators switch for the whole site is in effect when the disk has it, and not before.

use super::{ALICE, BOB};
use crate::disk::Mood;
use crate::drive::{ANNA, configure};
use crate::site::secs;
use crate::world::World;
use ringback::callback::task::TaskState;
use ringback::settings::CallbackRule;
use ringback::switch::command::{Command, Refused, Reply};
use ringback::switch::event::Event;
use ringback::switch::{NotStored, SystemRecord};
use ringback::zone::Zones;
use std::collections::BTreeSet;

/// Whether the site is frozen, and how many rules rest.
fn status(world: &mut World) -> (bool, usize) {
    match world.ask(Command::Status) {
        Reply::Status(status) => (status.frozen, status.resting_rules.len()),
        other => panic!("{other:?}"),
    }
}

fn is_refused(reply: &Reply) -> bool {
    matches!(reply, Reply::Refused(Refused::NotStored))
}

fn published(world: &World, event: &Event) -> usize {
    world.published.iter().filter(|(_, it)| it == event).count()
}

fn activate(rule: &str) -> Command {
    Command::ActivateRule(rule.to_owned())
}

/// The disk refuses what is asked, and works again.
fn refused(world: &mut World, command: Command) -> bool {
    world.disk.mood = Mood::Failing(NotStored::Failed);
    let reply = world.ask(command);
    world.disk.mood = Mood::Working;
    world.run_for(secs(10));
    is_refused(&reply)
}

/// What lies on the disk when nobody has pulled anything.
fn untouched() -> SystemRecord {
    SystemRecord { zones: Zones::bundled().version().to_owned(), ..SystemRecord::default() }
}

// S5.12: a freeze, its end, or a rule's activation that the disk refuses has not happened: neither now nor after a
// restart.
#[test]
fn what_the_disk_refuses_has_not_been_switched() {
    let mut world = World::new(1);
    world.promised("alice", ALICE);

    assert!(refused(&mut world, Command::Freeze));
    assert_eq!(status(&mut world), (false, 0));
    assert_eq!(published(&world, &Event::SiteFrozen), 0);
    assert_eq!(world.disk.system, untouched());
    assert_eq!(world.tasks()[0].state, TaskState::Pending, "nothing was cancelled for it");
    world.promised("bob", BOB);
    assert_eq!(world.tasks().len(), 2, "and the rule goes on offering");

    world.ask(Command::Freeze);
    assert!(refused(&mut world, Command::Unfreeze));
    assert_eq!(status(&mut world), (true, 1));
    assert_eq!(published(&world, &Event::SiteUnfrozen), 0);
    assert!(world.disk.system.frozen);

    world.ask(Command::Unfreeze);
    assert!(refused(&mut world, activate("support-key")));
    assert_eq!(status(&mut world), (false, 1));
    assert_eq!(world.disk.system.resting.len(), 1);
    world.crash();
    world.start();
    assert_eq!(status(&mut world), (false, 1));
}

// S5.12: while it is on its way to the disk nothing of it is in effect; then all of it is, with its answer.
#[test]
fn a_freeze_holds_from_the_moment_it_is_on_the_disk() {
    let mut world = World::new(1);
    world.promised("alice", ALICE);
    world.disk.mood = Mood::Holding;
    let to = world.tell(Command::Freeze);
    world.run_for(secs(3));

    assert!(!world.replies.contains_key(&to));
    assert_eq!(status(&mut world), (false, 0));
    world.release_disk();
    world.run_for(secs(1));

    assert!(matches!(world.replies.get(&to), Some(Reply::Status(status)) if status.frozen));
    assert_eq!(world.tasks()[0].state, TaskState::Cancelled);
    assert_eq!(published(&world, &Event::SiteFrozen), 1);
}

// S5.12: what is pulled in one breath is done in order, each as things stand when its turn comes.
#[test]
fn levers_are_pulled_one_after_the_other() {
    let mut world = World::new(1);
    let asked = [activate("support-key"), Command::Freeze, activate("support-key"), Command::Unfreeze];
    let mut asked: Vec<_> = asked.into_iter().map(|command| world.tell(command)).collect();
    asked.push(world.tell(activate("support-key")));
    asked.push(world.tell(activate("nothing")));
    world.run_for(secs(1));

    let told: Vec<&str> = asked
        .iter()
        .map(|to| match world.replies.get(to) {
            Some(Reply::Status(_)) => "done",
            Some(Reply::Refused(Refused::Conflict { .. })) => "conflict",
            Some(Reply::Refused(Refused::NotFound { .. })) => "not found",
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(told, ["conflict", "done", "conflict", "done", "done", "not found"]);
    assert_eq!(status(&mut world), (false, 0));
    assert_eq!(world.disk.system, untouched());
}

// S5.12, S5.10: an edition of the site that comes in between is not overwritten, nor is the freeze by it.
#[test]
fn a_freeze_and_an_edition_that_meet_on_the_way_to_the_disk_both_hold() {
    for freezes_first in [true, false] {
        let mut world = World::new(1);
        let mut settings = world.settings.clone();
        settings.rules.push(CallbackRule::named("second", "standard"));
        world.disk.mood = Mood::Holding;
        let edition = Command::Configure(Box::new(configure(&settings)));
        let both = if freezes_first { [Command::Freeze, edition] } else { [edition, Command::Freeze] };
        for command in both {
            world.tell(command);
        }
        world.settings = settings;
        world.release_disk();
        world.run_for(secs(1));

        let resting: BTreeSet<_> = ["second", "support-key"].map(Into::into).into();
        assert_eq!(status(&mut world), (true, 2), "{freezes_first}");
        assert_eq!((world.disk.system.frozen, &world.disk.system.resting), (true, &resting), "{freezes_first}");
    }
}

// S5.12: an edition that freezes is in force, but not on the disk yet, when an operator's word to the contrary is: the
// operator has spoken last, and it is his word that stays there.
#[test]
fn the_last_word_on_the_disk_is_the_one_that_is_in_effect() {
    let mut world = World::new(1);
    world.ask(Command::Freeze);
    world.ask(Command::Unfreeze);
    let mut settings = world.settings.clone();
    settings.system.frozen = true;
    world.disk.mood = Mood::Holding;
    world.tell(Command::Configure(Box::new(configure(&settings))));
    let to = world.tell(Command::Unfreeze);
    world.settings = settings;
    world.release_disk();
    world.run_for(secs(1));

    assert!(matches!(world.replies.get(&to), Some(Reply::Status(status)) if !status.frozen));
    assert_eq!(published(&world, &Event::SiteUnfrozen), 2);
    assert_eq!(status(&mut world), (false, 1));
    assert!(!world.disk.system.frozen, "the next life finds what this one says");
}

// S5.12: the file thaws the site while an operator does: both are on the disk in the end, and say the same.
#[test]
fn an_edition_that_thaws_the_site_and_an_operator_who_does_agree() {
    let mut world = World::new(1);
    world.configure(|site| site.system.frozen = true);
    let mut settings = world.settings.clone();
    settings.system.frozen = false;
    world.disk.mood = Mood::Holding;
    world.tell(Command::Configure(Box::new(configure(&settings))));
    let to = world.tell(Command::Unfreeze);
    let then = world.tell(activate("support-key"));
    world.settings = settings;
    world.release_disk();
    world.run_for(secs(1));

    for reply in [to, then] {
        assert!(matches!(world.replies.get(&reply), Some(Reply::Status(_))), "{:?}", world.replies.get(&reply));
    }
    assert_eq!(status(&mut world), (false, 0));
    assert_eq!(world.disk.system, untouched());
    world.promised("alice", ALICE);
    world.register(&[ANNA]);
    world.rings(ANNA, secs(5));
}

// Records of earlier versions are read for ever: one that knows nothing of the breaker says that nobody resumed.
#[test]
fn a_system_record_of_before_the_breaker_was_remembered_is_read() {
    let old = r#"{"frozen":true,"resting":["support-key"]}"#;

    let read: SystemRecord = serde_json::from_str(old).expect("it is read");

    let resting = ["support-key".into()].into();
    assert_eq!(read, SystemRecord { frozen: true, resting, ..SystemRecord::default() });
    let new = SystemRecord { resumed_at: Some(World::new(1).began), ..read };
    let text = serde_json::to_string(&new).expect("it is written");
    assert_eq!(serde_json::from_str::<SystemRecord>(&text).expect("it is read again"), new);
}
