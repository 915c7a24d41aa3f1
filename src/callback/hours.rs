//! Hours in one zone: a schedule, or the same range every day (the legal window).
//!
//! They are wall-clock hours, the start inclusive, the end exclusive. A range belongs to the date it starts on and may
//! run past midnight, except into a date with an exception of its own: an exception owns its whole date, or a holiday
//! would be rung out of bed by the evening before.

use crate::settings::{Hours, Schedule};
use crate::time::{DateTime, Utc};
use crate::zone::Zone;
use chrono::{Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime};

/// How far ahead an opening is looked for: two years, so that a yearly exception is found in any year.
const DAYS_AHEAD: u64 = 2 * 366;
/// How far back the day that was open last is looked for.
const DAYS_BACK: u64 = 366;

/// A stretch of open time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: DateTime<Utc>,
    pub(super) end: DateTime<Utc>,
}

#[derive(Clone, Copy, Debug)]
enum Pattern<'a> {
    Schedule(&'a Schedule),
    Daily(&'a Hours),
}

/// Hours, and the zone whose clocks they are of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Calendar<'a> {
    zone: Zone<'a>,
    pattern: Pattern<'a>,
}

impl<'a> Calendar<'a> {
    pub(super) fn schedule(schedule: &'a Schedule, zone: Zone<'a>) -> Calendar<'a> {
        Calendar { zone, pattern: Pattern::Schedule(schedule) }
    }

    pub(super) fn daily(hours: &'a Hours, zone: Zone<'a>) -> Calendar<'a> {
        Calendar { zone, pattern: Pattern::Daily(hours) }
    }

    /// The open span around `at` that ends last.
    pub(super) fn open_at(self, at: DateTime<Utc>) -> Option<Span> {
        let today = self.zone.local(at).date();
        // Yesterday's range may run past midnight.
        [today.pred_opt(), Some(today)]
            .into_iter()
            .flatten()
            .flat_map(|date| self.spans(date))
            .filter(|span| span.start <= at && at < span.end)
            .max_by_key(|span| span.end)
    }

    /// The open time from `at` on: what is left of the span around it, or the next one.
    pub(super) fn stretch_from(self, at: DateTime<Utc>) -> Option<Span> {
        if let Some(span) = self.open_at(at) {
            return Some(Span { start: at, end: span.end });
        }
        let today = self.zone.local(at).date();
        (0..=DAYS_AHEAD).map_while(|days| today.checked_add_days(Days::new(days))).find_map(|date| {
            let later = self.spans(date).filter(|span| span.start > at);
            later.min_by_key(|span| span.start)
        })
    }

    /// When the day ends that had begun last at `at`; `None` before the first of all days, and where one day runs
    /// into the next.
    pub(super) fn day_ends(self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let today = self.zone.local(at).date();
        let days = (0..=DAYS_BACK).map_while(|days| today.checked_sub_days(Days::new(days)));
        let mut begun = days.filter(|date| self.spans(*date).any(|span| span.start <= at));
        let end = self.spans(begun.next()?).map(|span| span.end).max()?;
        self.open_at(end).is_none().then_some(end)
    }

    /// The ranges that start on `date`, as instants; empty ones (swallowed by a gap) are left out.
    fn spans(self, date: NaiveDate) -> impl Iterator<Item = Span> + 'a {
        let (schedule, daily) = match self.pattern {
            Pattern::Schedule(schedule) => (Some(schedule), None),
            Pattern::Daily(hours) => (None, Some(hours)),
        };
        let exception =
            schedule.and_then(|schedule| schedule.exceptions.iter().find(|exception| exception.date == date));
        let exceptional = exception.into_iter().flat_map(|exception| exception.ranges.iter());
        let weekly = schedule.filter(|_| exception.is_none()).into_iter().flat_map(|schedule| schedule.weekly.iter());
        let weekly = weekly.filter(move |line| line.days.contains(&date.weekday())).map(|line| &line.hours);
        daily.into_iter().chain(exceptional).chain(weekly).filter_map(move |hours| {
            let (start, end) = (date.and_time(hours.start), end_of(schedule, date, hours)?);
            let span = Span { start: self.zone.instant(start), end: self.zone.instant(end) };
            (span.start < span.end).then_some(span)
        })
    }
}

fn end_of(schedule: Option<&Schedule>, date: NaiveDate, hours: &Hours) -> Option<NaiveDateTime> {
    if hours.end > hours.start {
        return Some(date.and_time(hours.end));
    }
    let next = date.succ_opt()?;
    let owned = schedule.is_some_and(|schedule| schedule.exceptions.iter().any(|exception| exception.date == next));
    Some(next.and_time(if owned { NaiveTime::MIN } else { hours.end }))
}
