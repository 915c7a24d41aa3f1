//! The end of the hours in which customers may be called, while an attempt is under way.

use super::ALICE;
use crate::drive::ANNA;
use crate::site::secs;
use crate::world::{TRUNK, World};
use chrono::{NaiveTime, Weekday};
use ringback::callback::task::Outcome;
use ringback::demo::person::Reaction;
use ringback::settings::{FirstParty, Hours, Schedule, Settings, Weekly};
use ringback::time::Tick;
use std::time::Duration;

/// It is ten o'clock, a Monday: a minute later the day is over.
fn short_day(site: &mut Settings) {
    let time = |hour, minute| NaiveTime::from_hms_opt(hour, minute, 0).expect("a time");
    let hours = Hours { start: time(9, 0), end: time(10, 1) };
    site.schedules.push(Schedule {
        name: "office".into(),
        tz: chrono_tz::America::New_York,
        weekly: vec![Weekly { days: vec![Weekday::Mon, Weekday::Tue], hours }],
        exceptions: Vec::new(),
    });
    site.profiles[0].schedule = Some("office".into());
    site.rules[0].close_guard = Duration::ZERO;
}

/// Lets time pass until so long after ten o'clock.
fn until(world: &mut World, after: Duration) {
    world.run_for(after.saturating_sub(world.now.since(Tick::ZERO)));
}

fn outcomes(world: &World) -> Vec<Option<Outcome>> {
    world.attempts().into_iter().map(|attempt| attempt.outcome).collect()
}

// Model I7, T36: nobody is dialled outside the hours, although his attempt began within them: the agent took his time.
#[test]
fn a_customer_is_not_dialled_when_the_hours_have_ended_meanwhile() {
    let mut world = World::with(1, short_day);
    world.promised("alice", ALICE);
    until(&mut world, secs(50));
    world.register(&[ANNA]);
    let agent = world.rings(ANNA, secs(5));
    until(&mut world, secs(60));
    world.answer(ANNA, agent);
    world.run_for(secs(90));

    assert!(world.invites(TRUNK).is_empty(), "the day is over");
    assert_eq!(outcomes(&world), [Some(Outcome::Blocked)]);
    assert_eq!(world.tasks()[0].attempts_used, 0);
    assert!(world.ladder.noted("\"agent_failed\" to anna").is_some());
}

// A dial that began in time goes on, and so does what follows from it.
#[test]
fn a_dial_that_began_within_the_hours_goes_on() {
    let mut world = World::with(1, |site| {
        short_day(site);
        site.profiles[0].first_party = FirstParty::Customer;
    });
    let alice = world.promised("alice", ALICE);
    world.stations[TRUNK].people[alice].reactions = [Reaction::Answer { after: secs(20), early: false }].into();
    until(&mut world, secs(50));
    world.register(&[ANNA]);
    world.rings_at(alice, secs(5));
    world.rings(ANNA, secs(30));
    assert!(world.now.since(Tick::ZERO) > secs(60), "the day is over");
    assert_eq!(outcomes(&world), [None]);
}
