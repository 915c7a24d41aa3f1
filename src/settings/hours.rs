//! When: opening hours, days and dates (model.md: schedule).

use super::Tz;
use crate::id::Name;
use chrono::{NaiveDate, NaiveTime, Weekday};
use serde::{Deserialize, Serialize};

/// One range of opening hours; the start belongs to it, the end does not. An end at or before the start lies on the
/// next day; `24:00` is stored as midnight of the next day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours {
    /// Opens.
    pub start: NaiveTime,
    /// Closes.
    pub end: NaiveTime,
}

/// One line of `weekly`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Weekly {
    /// On these days (the day on which the range starts).
    pub days: Vec<Weekday>,
    /// Open then.
    pub hours: Hours,
}

/// One line of `exceptions`: it replaces the weekly hours of its date.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exception {
    /// The date in the schedule's zone.
    pub date: NaiveDate,
    /// Empty: closed all day.
    pub ranges: Vec<Hours>,
    /// What people call it.
    pub name: String,
}

/// `[[schedule]]`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Schedule {
    /// Its name.
    pub name: Name,
    /// Its zone.
    #[serde(with = "crate::zone::named")]
    pub tz: Tz,
    /// Weekly hours; several ranges a day are several lines.
    pub weekly: Vec<Weekly>,
    /// Dates that differ.
    pub exceptions: Vec<Exception>,
}
