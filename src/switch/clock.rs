//! The wall clock, watched against the monotonic one (durability.md §2.10).
//!
//! It may be wrong, and be set while we run. A step of a second or two is nothing. A greater one is taken at once: what
//! hangs on how long ago something was (places in line, pauses, caps, expiries, registrations) moves along, what hangs
//! on the hour (calling hours, an instant that was promised) does not, and everything is looked at again. One of more
//! than ten minutes is doubted: everything goes on by the clock as it was, so that nothing expires and nothing is
//! deleted by mistake, but nobody is dialled, since nobody knows what hour it is. The doubt ends when the clock
//! returns, when a person lets dialling go on, or, for less than a day (a machine that stood still), when the clock has
//! gone on steadily for ten minutes.
//!
//! A doubt is stored, and a start looks for evidence in what the clock showed when the disk was last written. A clock
//! that still shows what was doubted is doubted further, and one that was set right meanwhile is believed. One that
//! shows less than was believed before is doubted (a machine that has forgotten the hour begins in 1970) until it has
//! caught up, by however much, since nobody knows how long we were away. That a clock was set ahead while we were away
//! cannot be told from having been away.
//!
//! What it showed at the last write is beside the journal and may be older or newer than the doubt, after a power cut;
//! then it says nothing, and what it showed when the doubt began or ended does, which is stored in one with it.

use super::durable::{Owed, Pending};
use super::{Change, Restored, Switch, durable, event};
use crate::time::{DateTime, Now, Tick, Utc};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A smaller step is no jump.
const STEP: TimeDelta = TimeDelta::seconds(2);
/// A greater jump is doubted.
const DOUBTED: TimeDelta = TimeDelta::minutes(10);
/// A jump of less than this is believed when the clock has been steady for `STEADY`.
const BELIEVED: TimeDelta = TimeDelta::days(1);
const STEADY: Duration = Duration::from_secs(600);

/// What is stored of a doubt, when it begins, changes and ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct DoubtRecord {
    /// The wall clock shows so many seconds more than is believed; 0: it is believed.
    pub secs: i64,
    /// What it showed then; older versions did not say.
    pub shown: Option<DateTime<Utc>>,
}

/// As it lies on the disk.
#[derive(Deserialize)]
#[serde(untagged)]
enum Stored {
    /// By an older version.
    Secs(i64),
    Full {
        secs: i64,
        shown: Option<DateTime<Utc>>,
    },
}

impl From<Stored> for DoubtRecord {
    fn from(stored: Stored) -> DoubtRecord {
        match stored {
            Stored::Secs(secs) => DoubtRecord { secs, shown: None },
            Stored::Full { secs, shown } => DoubtRecord { secs, shown },
        }
    }
}

/// A clock that nobody believes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doubt {
    /// It shows so much more than is believed.
    ahead: TimeDelta,
    /// Believed then, if it goes on steadily.
    until: Option<Tick>,
    /// What is believed is only what it was at least: it is what the last life saw.
    is_floor: bool,
}

/// What is to be known of a wall clock that has jumped.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// It may be wrong.
    doubt: Option<Doubt>,
    /// It was set, and not everything that hangs on it has moved along.
    moving: Option<Moving>,
}

/// A clock that was set, and what moves along with it step by step.
#[derive(Clone, Copy, Debug)]
struct Moving {
    by: TimeDelta,
    /// So many of `MOVES` have begun.
    begun: usize,
}

/// What moves when the clock was set.
const MOVES: [fn(&mut Switch, Now, TimeDelta); 6] = [
    Switch::move_tasks,
    Switch::move_bindings,
    Switch::move_places,
    Switch::move_entries,
    Switch::move_talks,
    Switch::look_at_clock,
];

impl Doubt {
    fn of(ahead: TimeDelta, now: Tick) -> Doubt {
        Doubt { ahead, until: (ahead.abs() <= BELIEVED).then(|| now + STEADY), is_floor: false }
    }

    /// What time it is when a life begins, and whether that is to be doubted.
    pub(super) fn at_start(shown: Now, restored: &Restored) -> (Now, Option<Doubt>) {
        let ahead = TimeDelta::try_seconds(restored.doubt.secs).unwrap_or_default();
        let last = restored.shown.or(restored.doubt.shown);
        let last = last.map(|last| last.checked_sub_signed(ahead).unwrap_or(last));
        let since = last.map(|last| shown.utc.signed_duration_since(last));
        if let (Some(last), Some(since)) = (last, since)
            && since < -DOUBTED
        {
            return (Now { utc: last, ..shown }, Some(Doubt { is_floor: true, ..Doubt::of(since, shown.tick) }));
        }
        // Away for longer than it was ahead looks the same; then a person says so, or it is believed when steady. So
        // does an old doubt without evidence; of a clock that was behind, it would have us believe what may be to come.
        let is_as_it_was = ahead > DOUBTED && since.is_none_or(|since| since >= ahead - DOUBTED);
        match shown.utc.checked_sub_signed(ahead) {
            Some(utc) if is_as_it_was => (Now { utc, ..shown }, Some(Doubt::of(ahead, shown.tick))),
            Some(_) | None => (shown, None),
        }
    }
}

impl Switch {
    /// Before anything is dialled.
    pub(super) fn begin_with(&mut self, doubt: Option<Doubt>) {
        self.clock.doubt = doubt;
        self.planner.hold_for_clock(doubt.is_some());
    }

    /// What the last life has stored of it may have changed. Before anything else is committed: what the clock shows
    /// is noted at every write, and would be believed if it stood there without its doubt.
    pub(super) fn tell_doubt(&mut self, stored: i64) {
        if let Some(by_secs) = self.doubted_secs() {
            self.publish(event::Event::ClockDoubted { by_secs });
        }
        if self.doubted_secs().unwrap_or(0) != stored {
            self.store_doubt();
        }
    }

    fn store_doubt(&mut self) {
        self.commit(vec![self.doubt_change()], Pending::Told);
    }

    /// What is to be stored of the doubt, as it is.
    pub(super) fn doubt_change(&self) -> Change {
        let ahead = self.clock.doubt.map_or(TimeDelta::zero(), |doubt| doubt.ahead);
        Change::PutDoubt(DoubtRecord { secs: ahead.num_seconds(), shown: self.seen.utc.checked_add_signed(ahead) })
    }

    /// What time it is, when the clocks show `shown`.
    pub(super) fn believed(&mut self, shown: Now) -> Now {
        let since = TimeDelta::from_std(shown.tick.since(self.seen.tick)).unwrap_or(TimeDelta::MAX);
        let expected = self.seen.utc.checked_add_signed(since).unwrap_or(shown.utc);
        let ahead = shown.utc.signed_duration_since(expected);
        let goes_on = Now { tick: shown.tick, utc: expected };
        match self.clock.doubt {
            None if ahead.abs() <= STEP => {
                self.seen = shown;
            }
            None if ahead.abs() <= DOUBTED => self.take_jump(goes_on, ahead),
            None => {
                self.seen = goes_on;
                self.clock.doubt = Some(Doubt::of(ahead, shown.tick));
                self.planner.hold_for_clock(true);
                self.publish(event::Event::ClockDoubted { by_secs: ahead.num_seconds() });
                self.store_doubt();
            }
            // It has returned, or nearly; or caught up.
            Some(doubt) if ahead.abs() <= DOUBTED || doubt.is_floor && ahead > TimeDelta::zero() => {
                self.trust_clock(shown);
                if ahead.abs() <= STEP {
                    self.seen = shown;
                } else {
                    self.take_jump(goes_on, ahead);
                }
            }
            Some(doubt) if (ahead - doubt.ahead).abs() > STEP => {
                self.seen = goes_on;
                // Set once more.
                self.clock.doubt = Some(Doubt { is_floor: doubt.is_floor, ..Doubt::of(ahead, shown.tick) });
                self.store_doubt();
            }
            Some(Doubt { until: Some(until), .. }) if until <= shown.tick => {
                self.trust_clock(shown);
                self.take_jump(goes_on, ahead);
            }
            Some(_) => self.seen = goes_on,
        }
        self.seen
    }

    /// When a doubted clock may be believed.
    pub(super) fn next_trust(&self) -> Option<Tick> {
        self.clock.doubt.and_then(|doubt| doubt.until)
    }

    /// By how many seconds the clock is ahead of what is believed.
    pub(super) fn doubted_secs(&self) -> Option<i64> {
        self.clock.doubt.map(|doubt| doubt.ahead.num_seconds())
    }

    /// A person says that the clock is right.
    pub(super) fn confirm_clock(&mut self) {
        if let Some(doubt) = self.clock.doubt {
            let was = self.seen;
            self.trust_clock(moved(was, doubt.ahead));
            self.take_jump(was, doubt.ahead);
        }
    }

    fn trust_clock(&mut self, shown: Now) {
        self.seen = shown;
        self.clock.doubt = None;
        self.planner.hold_for_clock(false);
        self.serve_wanted = true; // Whoever was held may be due.
        self.publish(event::Event::ClockTrusted);
        self.store_doubt();
    }

    /// The clock was set by `by`, and it is right now: what hangs on how long ago something was moves along.
    fn take_jump(&mut self, was: Now, by: TimeDelta) {
        self.seen = moved(was, by);
        self.clock.moving = Some(Moving { by, begun: 0 });
        self.move_along();
    }

    /// Step by step, so that after a fault in the middle nothing moves twice, and nothing stays behind.
    pub(super) fn move_along(&mut self) {
        while let Some(Moving { by, begun }) = self.clock.moving {
            let Some(step) = MOVES.get(begun) else {
                self.clock.moving = None;
                return;
            };
            self.clock.moving = Some(Moving { by, begun: begun + 1 });
            step(self, self.seen, by);
        }
    }

    fn move_tasks(&mut self, now: Now, by: TimeDelta) {
        let settings = self.settings.clone();
        let moved = self.planner.shift(now.utc, &settings, by);
        // Owed until they are told: a fault may come in between.
        self.owed.extend(moved.iter().map(|task| Owed::Task(task.id)));
        for moved in moved.chunks(durable::AT_ONCE) {
            let changes = moved.iter().map(|task| Change::PutTask(Box::new(task.clone()))).collect();
            self.commit(changes, Pending::Told);
            for task in moved {
                self.owed.remove(&Owed::Task(task.id));
            }
        }
    }

    fn move_bindings(&mut self, _: Now, by: TimeDelta) {
        let bindings = self.registrar.shift(by);
        if !bindings.is_empty() {
            self.commit(bindings.iter().map(durable::binding_change).collect(), Pending::Told);
        }
    }

    fn move_places(&mut self, _: Now, by: TimeDelta) {
        self.lines.values_mut().for_each(|line| line.shift(by));
        self.left_places.shift(by);
        self.calls.values_mut().for_each(|call| call.shift(by));
    }

    /// Callers have waited as long as they have.
    fn move_entries(&mut self, _: Now, by: TimeDelta) {
        for entry in self.entries.values_mut() {
            entry.arrived_at = crate::time::shifted(entry.arrived_at, by);
            entry.virtual_start = crate::time::shifted(entry.virtual_start, by);
            if let Some(caller) = &mut entry.caller {
                caller.shift(by);
            }
        }
        let entries: Vec<Change> =
            self.entries.values().map(|entry| Change::PutEntry(Box::new(entry.clone()))).collect();
        if !entries.is_empty() {
            self.commit(entries, Pending::Told);
        }
    }

    /// What goes by the hour is looked at again.
    fn look_at_clock(&mut self, now: Now, by: TimeDelta) {
        self.planner.review(now.utc);
        self.lists_heeded = now.utc;
        self.plan_retention();
        self.pulse_if_kept(now);
        self.serve_wanted = true;
        self.publish(event::Event::ClockJumped { by_secs: by.num_seconds() });
    }
}

fn moved(was: Now, by: TimeDelta) -> Now {
    Now { tick: was.tick, utc: was.utc.checked_add_signed(by).unwrap_or(was.utc) }
}
