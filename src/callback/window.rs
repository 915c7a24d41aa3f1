//! When a callback may be dialled: while its business hours are open, those of its profile and of its queue (S4.14),
//! and the legal window is, in every zone in which the customer's number may be.
//!
//! The customer's zones are those of the number's prefix, or the profile's `tz_default`; when there are none, nothing
//! is dialled (S5.28). A prefix of a whole continent may span so much that no hour is lawful everywhere: then the
//! selected zone decides, too. An extension is inside: it has no zone and no legal window.

use super::hours::{Calendar, Span};
use super::task::{Source, Task};
use crate::id::Name;
use crate::number::{Party, zones};
use crate::settings::{
    CallbackProfile, ExpiryClock, Hours, LegalWindowApplies, Schedule, Settings, Tz, TzMode, TzUnknown,
};
use crate::time::{DateTime, Utc};
use crate::zone::Zones;
use chrono::TimeDelta;
use std::time::Duration;

/// So many openings of one schedule are tried for an opening of the other: a year's and more.
const OPENINGS_MAX: usize = 1_500;
/// The same for schedules and the legal window, which repeats by the day, and the customer may have forty zones to
/// ask: a month's and more.
const LEGAL_OPENINGS_MAX: usize = 300;
/// Stretches of open time that are added up for an expiry.
const STRETCHES_MAX: usize = 2_000;

/// Whose callback it is, as far as hours depend on it.
#[derive(Clone, Copy, Debug)]
pub struct Whom<'a> {
    /// How it is made.
    pub profile: &'a CallbackProfile,
    /// Whose line it stands in.
    pub queue: &'a str,
    /// Whom it calls.
    pub number: &'a Party,
    /// What created it: the legal window may hold for missed calls only.
    pub source: Source,
}

impl<'a> Whom<'a> {
    /// The customer of a task.
    pub fn of(profile: &'a CallbackProfile, task: &'a Task) -> Whom<'a> {
        Whom { profile, queue: &task.queue, number: &task.number, source: task.source }
    }

    /// Whether the legal window holds for it.
    fn is_protected(&self) -> bool {
        let applies = match self.profile.legal_window_applies {
            LegalWindowApplies::All => true,
            LegalWindowApplies::Missed => self.source.is_missed(),
            LegalWindowApplies::None => false,
        };
        applies && matches!(self.number, Party::Number(_))
    }
}

/// The customer's side.
#[derive(Clone, Copy, Debug)]
enum Legal<'a> {
    /// No law asks.
    Free,
    /// Open when these hours are in all of these zones.
    In(&'a Hours, &'a [Tz]),
    /// Nobody knows where the customer is: shut.
    Unknown,
}

/// The hours in which a callback may be dialled; always open without any.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    zones: &'a Zones,
    /// Of the profile, and of the queue.
    schedules: [Option<&'a Schedule>; 2],
    legal: Legal<'a>,
}

/// Why a window never opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shut<'a> {
    /// The customer's zone is neither detected nor selected (S5.28).
    ZoneUnknown,
    /// The schedule has no open time.
    Never(&'a Name),
    /// The schedules of profile and queue, or they and the customer's legal hours, have no time in common.
    NeverMeet {
        /// The business's.
        schedules: Vec<&'a Name>,
        /// The customer's.
        zones: &'a [Tz],
    },
}

impl<'a> Window<'a> {
    /// The hours of one schedule.
    pub fn new(zones: &'a Zones, schedule: Option<&'a Schedule>) -> Window<'a> {
        Window { zones, schedules: [schedule, None], legal: Legal::Free }
    }

    /// The business hours of a profile, and of a queue.
    pub fn business(settings: &'a Settings, profile: &CallbackProfile, queue: Option<&str>) -> Window<'a> {
        let named = |name: Option<&str>| name.and_then(|name| settings.schedule(name));
        let of_profile = named(profile.schedule.as_deref());
        let of_queue = named(queue.and_then(|queue| settings.queue(queue)).and_then(|queue| queue.schedule.as_deref()));
        // The same one twice is one.
        let of_queue = of_queue.filter(|queue| of_profile.is_none_or(|profile| profile.name != queue.name));
        Window { zones: &settings.zones, schedules: [of_profile, of_queue], legal: Legal::Free }
    }

    /// The hours in which a customer may be called back, as things are at `at`.
    pub fn of(settings: &'a Settings, whom: &Whom<'a>, at: DateTime<Utc>) -> Window<'a> {
        let business = Window::business(settings, whom.profile, Some(whom.queue));
        if !whom.is_protected() {
            return business;
        }
        let profile = whom.profile;
        let within = |zones: &'a [Tz]| Window { legal: Legal::In(&profile.legal_window, zones), ..business };
        let selected = profile.tz_default.as_ref().map(std::slice::from_ref);
        let detected = match profile.tz_mode {
            TzMode::NumberThenDefault => zones::of(whom.number),
            TzMode::DefaultOnly => &[],
        };
        if !detected.is_empty() {
            let wide = within(detected);
            let is_lost = || is_spread(&settings.zones, detected, at) && wide.opens(at).is_none();
            return selected.filter(|_| is_lost()).map_or(wide, within);
        }
        match (selected, profile.tz_unknown) {
            (Some(selected), _) => within(selected),
            (None, TzUnknown::UseDefault) => within(std::slice::from_ref(&settings.system.default_timezone)),
            (None, TzUnknown::Block) => Window { legal: Legal::Unknown, ..business },
        }
    }

    /// Whether it is open at `at`.
    pub fn is_open(&self, at: DateTime<Utc>) -> bool {
        !self.is_unknown() && self.calendars().all(|calendar| calendar.open_at(at).is_some())
    }

    /// The first instant from `at` on at which it is open: `at` itself when it is, `None` when it never opens.
    pub fn opens(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.stretch_from(at).map(|span| span.start)
    }

    /// When it closes, if it is open at `at`; `None` when it is not, or does not close within a week.
    pub fn closes(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if !self.is_open(at) {
            return None;
        }
        let mut end = at;
        // Ranges that touch or overlap are one opening.
        while self.is_open(end) {
            end = self.calendars().filter_map(|calendar| calendar.open_at(end)).map(|span| span.end).min()?;
            if end - at > TimeDelta::days(7) {
                return None;
            }
        }
        Some(end)
    }

    /// The instant at which `open` of open time has passed since `from`; `None` when there is not so much of it
    /// within two years.
    pub fn after_open(&self, from: DateTime<Utc>, open: Duration) -> Option<DateTime<Utc>> {
        let mut left = TimeDelta::from_std(open).ok()?;
        let mut at = from;
        for _ in 0..STRETCHES_MAX {
            let span = self.stretch_from(at)?;
            if span.end - span.start >= left {
                return Some(span.start + left);
            }
            left -= span.end - span.start;
            at = span.end;
        }
        None
    }

    /// Whether `at` falls after the cut-off of a business day (S4.13): less than `cutoff` before the end of the
    /// target's day, or after it. The target's hours are the queue's, or else the profile's. Without a cut-off, or
    /// where the day has no end, nothing does.
    pub fn cut_off(&self, at: DateTime<Utc>, cutoff: Duration) -> Option<CutOff> {
        let [of_profile, of_queue] = self.schedules;
        let target = of_queue.or(of_profile).filter(|_| !cutoff.is_zero())?;
        let ends = self.calendar(target).day_ends(at)?;
        let last = ends.checked_sub_signed(TimeDelta::from_std(cutoff).ok()?)?;
        // S4.13: 16:30 is within, 16:35 is not.
        (at > last).then(|| CutOff { next: self.opens(ends.max(at)) })
    }

    /// The reason of one that never opens from `at` on (`opens` has said so).
    pub fn shut(&self, at: DateTime<Utc>) -> Shut<'a> {
        let schedules = self.schedules.into_iter().flatten();
        let zones = match self.legal {
            Legal::Unknown => return Shut::ZoneUnknown,
            // The law is not to blame when the schedules alone never meet.
            Legal::In(_, zones) if (Window { legal: Legal::Free, ..*self }).opens(at).is_some() => zones,
            Legal::In(..) | Legal::Free => &[],
        };
        match schedules.clone().find(|schedule| self.calendar(schedule).stretch_from(at).is_none()) {
            Some(never) => Shut::Never(&never.name),
            None => Shut::NeverMeet { schedules: schedules.map(|schedule| &schedule.name).collect(), zones },
        }
    }

    /// The open time from `at` on, at the least to the first end of any of its hours. Whoever is shut names the
    /// instant at which he opens, until nobody is.
    fn stretch_from(&self, at: DateTime<Utc>) -> Option<Span> {
        if self.is_unknown() {
            return None;
        }
        let tries = if let Legal::Free = self.legal { OPENINGS_MAX } else { LEGAL_OPENINGS_MAX };
        let mut start = at;
        for _ in 0..tries {
            let mut span = Span { start, end: DateTime::<Utc>::MAX_UTC };
            for calendar in self.calendars() {
                let theirs = calendar.stretch_from(start)?;
                if theirs.start > start {
                    span.start = theirs.start;
                    break;
                }
                span.end = span.end.min(theirs.end);
            }
            if span.start == start {
                return Some(span);
            }
            start = span.start;
        }
        None
    }

    fn is_unknown(&self) -> bool {
        matches!(self.legal, Legal::Unknown)
    }

    fn calendar(&self, schedule: &'a Schedule) -> Calendar<'a> {
        Calendar::schedule(schedule, self.zones.zone(schedule.tz))
    }

    fn calendars(&self) -> impl Iterator<Item = Calendar<'a>> + use<'a> {
        let window = *self;
        let (hours, zones) = match self.legal {
            Legal::In(hours, zones) => (Some(hours), zones),
            Legal::Free | Legal::Unknown => (None, &[][..]),
        };
        let legal = hours
            .into_iter()
            .flat_map(move |hours| zones.iter().map(move |tz| Calendar::daily(hours, window.zones.zone(*tz))));
        self.schedules.into_iter().flatten().map(move |schedule| window.calendar(schedule)).chain(legal)
    }
}

/// Whether clocks differ among them; where they do not, they are one.
fn is_spread(zones: &Zones, among: &[Tz], at: DateTime<Utc>) -> bool {
    let mut offsets = among.iter().map(|tz| zones.zone(*tz).offset(at));
    let first = offsets.next();
    offsets.any(|offset| Some(offset) != first)
}

/// A reschedule that falls after the cut-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CutOff {
    /// When the window opens next after that day; `None`: never.
    pub next: Option<DateTime<Utc>>,
}

/// When a task made at `from` is given up; `None`: never. Open time is time in which it could be dialled, or, when
/// that cannot be told, business hours.
pub fn expires_at(settings: &Settings, whom: &Whom<'_>, from: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let life = whom.profile.expires_after?;
    match whom.profile.expiry_clock {
        ExpiryClock::Wall => TimeDelta::from_std(life).ok().and_then(|life| from.checked_add_signed(life)),
        ExpiryClock::Open => Window::of(settings, whom, from)
            .after_open(from, life)
            .or_else(|| Window::business(settings, whom.profile, Some(whom.queue)).after_open(from, life)),
    }
}
