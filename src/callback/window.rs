//! Calling hours: whether a schedule is open, when it opens and closes, and how long a promise lives in open time.
//!
//! Hours are wall-clock hours of the schedule's zone, the start inclusive, the end exclusive. A local time that a
//! change of clocks skips stands for the next one that exists; one that comes twice stands for its first. A range
//! belongs to the date it starts on and may run past midnight, except into a date with an exception of its own: an
//! exception owns its whole date, or a holiday would be rung out of bed by the evening before.
//!
//! Zone transitions come through `Zone` alone, so that newer tables than the ones built in can be put under it.

use crate::settings::{CallbackProfile, ExpiryClock, Hours, Schedule, Settings};
use crate::time::{DateTime, Utc};
use chrono::{Datelike, Days, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone};
use chrono_tz::Tz;
use std::time::Duration;

/// How far ahead an opening is looked for: two years, so that a yearly exception is found in any year.
const DAYS_AHEAD: u64 = 2 * 366;
/// Stretches of open time that are added up for an expiry.
const STRETCHES_MAX: usize = 2_000;

/// The transitions of a zone.
#[derive(Clone, Copy, Debug)]
pub struct Zone(Tz);

impl Zone {
    /// The zone of this name and its tables.
    pub fn new(tz: Tz) -> Zone {
        Zone(tz)
    }

    /// What clocks in the zone show at `at`.
    pub fn local(self, at: DateTime<Utc>) -> NaiveDateTime {
        at.with_timezone(&self.0).naive_local()
    }

    /// When clocks in the zone show `local`: the first time if they do so twice, the next time they show at all if
    /// they skip it.
    pub fn instant(self, local: NaiveDateTime) -> DateTime<Utc> {
        match self.0.from_local_datetime(&local) {
            LocalResult::Single(at) => at.to_utc(),
            LocalResult::Ambiguous(first, _) => first.to_utc(),
            LocalResult::None => self.after_gap(local),
        }
    }

    /// The end of the gap `local` falls into: the first instant whose wall time is past it. Gaps are at most a day
    /// long (islands that changed sides of the date line).
    fn after_gap(self, local: NaiveDateTime) -> DateTime<Utc> {
        let guess = local.and_utc();
        let (mut before, mut after) = (guess - TimeDelta::hours(38), guess + TimeDelta::hours(38));
        while after - before > TimeDelta::seconds(1) {
            let middle = before + (after - before) / 2;
            if self.local(middle) > local { after = middle } else { before = middle }
        }
        // Transitions happen on whole seconds; the search ends within one of it.
        DateTime::from_timestamp(after.timestamp(), 0).unwrap_or(after)
    }
}

/// A stretch of open time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: DateTime<Utc>,
    end: DateTime<Utc>,
}

/// The calling hours of a profile; always open without a schedule.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a>(Option<&'a Schedule>);

impl<'a> Window<'a> {
    /// The hours of a schedule.
    pub fn new(schedule: Option<&'a Schedule>) -> Window<'a> {
        Window(schedule)
    }

    /// The hours in which a profile may dial.
    pub fn of(settings: &'a Settings, profile: &CallbackProfile) -> Window<'a> {
        Window(profile.schedule.as_deref().and_then(|name| settings.schedule(name)))
    }

    /// Whether it is open at `at`.
    pub fn is_open(&self, at: DateTime<Utc>) -> bool {
        match self.0 {
            None => true,
            Some(schedule) => open_at(schedule, at).is_some(),
        }
    }

    /// The first instant from `at` on at which it is open: `at` itself when it is, `None` when it never opens.
    pub fn opens(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.0.map_or(Some(at), |schedule| stretch_from(schedule, at).map(|span| span.start))
    }

    /// When it closes, if it is open at `at`; `None` when it is not, or does not close within a week.
    pub fn closes(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let schedule = self.0?;
        let mut end = open_at(schedule, at)?.end;
        // Ranges that touch or overlap are one opening.
        while let Some(next) = open_at(schedule, end) {
            end = next.end;
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
        let Some(schedule) = self.0 else { return from.checked_add_signed(left) };
        let mut at = from;
        for _ in 0..STRETCHES_MAX {
            let span = stretch_from(schedule, at)?;
            if span.end - span.start >= left {
                return Some(span.start + left);
            }
            left -= span.end - span.start;
            at = span.end;
        }
        None
    }
}

/// When a task made at `from` is given up; `None`: never.
pub fn expires_at(settings: &Settings, profile: &CallbackProfile, from: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let life = profile.expires_after?;
    match profile.expiry_clock {
        ExpiryClock::Wall => TimeDelta::from_std(life).ok().and_then(|life| from.checked_add_signed(life)),
        ExpiryClock::Open => Window::of(settings, profile).after_open(from, life),
    }
}

/// The open span around `at` that ends last.
fn open_at(schedule: &Schedule, at: DateTime<Utc>) -> Option<Span> {
    let today = Zone::new(schedule.tz).local(at).date();
    // Yesterday's range may run past midnight.
    [today.pred_opt(), Some(today)]
        .into_iter()
        .flatten()
        .flat_map(|date| spans(schedule, date))
        .filter(|span| span.start <= at && at < span.end)
        .max_by_key(|span| span.end)
}

/// The open time from `at` on: what is left of the span around it, or the next one.
fn stretch_from(schedule: &Schedule, at: DateTime<Utc>) -> Option<Span> {
    if let Some(span) = open_at(schedule, at) {
        return Some(Span { start: at, end: span.end });
    }
    let today = Zone::new(schedule.tz).local(at).date();
    (0..=DAYS_AHEAD).map_while(|days| today.checked_add_days(Days::new(days))).find_map(|date| {
        let later = spans(schedule, date).filter(|span| span.start > at);
        later.min_by_key(|span| span.start)
    })
}

/// The ranges that start on `date`, as instants; empty ones (swallowed by a gap) are left out.
fn spans(schedule: &Schedule, date: NaiveDate) -> impl Iterator<Item = Span> + '_ {
    let zone = Zone::new(schedule.tz);
    let exception = schedule.exceptions.iter().find(|exception| exception.date == date);
    let exceptional = exception.into_iter().flat_map(|exception| exception.ranges.iter());
    let weekly = schedule.weekly.iter().filter(move |line| exception.is_none() && line.days.contains(&date.weekday()));
    exceptional.chain(weekly.map(|line| &line.hours)).filter_map(move |hours| {
        let span =
            Span { start: zone.instant(date.and_time(hours.start)), end: zone.instant(end_of(schedule, date, hours)?) };
        (span.start < span.end).then_some(span)
    })
}

fn end_of(schedule: &Schedule, date: NaiveDate, hours: &Hours) -> Option<NaiveDateTime> {
    if hours.end > hours.start {
        return Some(date.and_time(hours.end));
    }
    let next = date.succ_opt()?;
    let owned = schedule.exceptions.iter().any(|exception| exception.date == next);
    Some(next.and_time(if owned { NaiveTime::MIN } else { hours.end }))
}
