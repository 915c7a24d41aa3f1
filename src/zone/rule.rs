//! The rule in a TZif footer: a POSIX TZ string (RFC 9636 §3.3.1), such as `EST5EDT,M3.2.0,M11.1.0`. Its offsets
//! count westward; its hours may lie outside the day, since some clocks change on the Saturday before a Sunday.

use chrono::{Datelike, NaiveDate};

/// Seconds of an hour.
const HOUR: i32 = 3_600;

/// What clocks do for ever after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    standard: i32,
    summer: Option<Summer>,
}

/// Daylight saving time; in the south it ends before it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Summer {
    offset: i32,
    starts: When,
    ends: When,
}

/// A local time in any year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct When {
    day: Day,
    secs: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Day {
    /// `Jn`: 1–365, 29 February is never counted.
    Julian(u32),
    /// `n`: 0–365, 29 February is counted.
    Ordinal(u32),
    /// `Mm.w.d`: week 5 is the last, day 0 is Sunday.
    Week { month: u32, week: u32, day: u32 },
}

impl Rule {
    pub(super) fn parse(text: &str) -> Option<Rule> {
        let mut text = Text(text);
        text.name()?;
        let standard = -text.offset()?;
        if text.0.is_empty() {
            return Some(Rule { standard, summer: None });
        }
        text.name()?;
        let offset = if text.0.starts_with(',') { standard + HOUR } else { -text.offset()? };
        let (starts, ends) = (text.when()?, text.when()?);
        text.0.is_empty().then_some(Rule { standard, summer: Some(Summer { offset, starts, ends }) })
    }

    /// The changes of a year in their order: the Unix time, and the distance from UTC from then on.
    pub(super) fn changes(&self, year: i32) -> Option<[(i64, i32); 2]> {
        let summer = self.summer?;
        let starts = (summer.starts.local(year)? - i64::from(self.standard), summer.offset);
        let ends = (summer.ends.local(year)? - i64::from(summer.offset), self.standard);
        Some(if starts.0 <= ends.0 { [starts, ends] } else { [ends, starts] })
    }
}

impl When {
    /// As if local time were UTC.
    fn local(self, year: i32) -> Option<i64> {
        let date = match self.day {
            Day::Julian(day) => {
                let after_february = u32::from(NaiveDate::from_ymd_opt(year, 1, 1)?.leap_year() && day > 59);
                NaiveDate::from_yo_opt(year, day + after_february)?
            }
            Day::Ordinal(day) => NaiveDate::from_yo_opt(year, 1)?.checked_add_days(chrono::Days::new(day.into()))?,
            Day::Week { month, week, day } => {
                let first = NaiveDate::from_ymd_opt(year, month, 1)?;
                let to_day = (day + 7 - first.weekday().num_days_from_sunday()) % 7;
                let date = |week: u32| NaiveDate::from_ymd_opt(year, month, 1 + to_day + 7 * (week - 1));
                date(week).or_else(|| date(4))?
            }
        };
        Some(date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp() + i64::from(self.secs))
    }
}

/// What is left to read.
struct Text<'a>(&'a str);

impl Text<'_> {
    fn take(&mut self, c: char) -> bool {
        let rest = self.0.strip_prefix(c);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// Three letters or more, or anything in angle brackets.
    fn name(&mut self) -> Option<()> {
        if self.take('<') {
            self.0 = self.0.split_once('>')?.1;
            return Some(());
        }
        let end = self.0.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(self.0.len());
        self.0 = self.0.get(end..).filter(|_| end >= 3)?;
        Some(())
    }

    fn number(&mut self, most: u32) -> Option<u32> {
        let end = self.0.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.0.len());
        let number = self.0.get(..end)?.parse().ok().filter(|number| *number <= most)?;
        self.0 = self.0.get(end..)?;
        Some(number)
    }

    /// `[+-]hh[:mm[:ss]]` in seconds; version 3 allows a week of hours.
    fn offset(&mut self) -> Option<i32> {
        let negative = self.take('-');
        if !negative {
            self.take('+');
        }
        let mut secs = i32::try_from(self.number(167)?).ok()? * HOUR;
        for unit in [60, 1] {
            if self.take(':') {
                secs += i32::try_from(self.number(59)?).ok()? * unit;
            }
        }
        Some(if negative { -secs } else { secs })
    }

    /// `,date[/time]`; the time is two o'clock unless told.
    fn when(&mut self) -> Option<When> {
        self.take(',').then_some(())?;
        let day = if self.take('M') {
            let month = self.number(12)?;
            let week = self.take('.').then(|| self.number(5))??;
            let day = self.take('.').then(|| self.number(6))??;
            if month == 0 || week == 0 {
                return None;
            }
            Day::Week { month, week, day }
        } else if self.take('J') {
            Day::Julian(self.number(365).filter(|day| *day > 0)?)
        } else {
            Day::Ordinal(self.number(365)?)
        };
        let secs = if self.take('/') { self.offset()? } else { 2 * HOUR };
        Some(When { day, secs })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(rule: &str, year: i32) -> Vec<String> {
        let changes = Rule::parse(rule).and_then(|rule| rule.changes(year)).expect("a rule with summer");
        changes
            .iter()
            .map(|(at, offset)| {
                format!("{} {offset}", chrono::DateTime::from_timestamp(*at, 0).expect("an instant").to_rfc3339())
            })
            .collect()
    }

    #[test]
    fn a_rule_names_both_changes_of_a_year() {
        let table: [(&str, i32, [&str; 2]); 6] = [
            ("EST5EDT,M3.2.0,M11.1.0", 2037, ["2037-03-08T07:00:00+00:00 -14400", "2037-11-01T06:00:00+00:00 -18000"]),
            ("CET-1CEST,M3.5.0,M10.5.0/3", 2040, ["2040-03-25T01:00:00+00:00 7200", "2040-10-28T01:00:00+00:00 3600"]),
            // The south: summer ends first. Half an hour on Lord Howe.
            (
                "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
                2050,
                ["2050-04-02T15:00:00+00:00 37800", "2050-10-01T15:30:00+00:00 39600"],
            ),
            // Hours before and after the day, as in Nuuk and Gaza.
            (
                "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
                2038,
                ["2038-03-28T01:00:00+00:00 -3600", "2038-10-31T01:00:00+00:00 -7200"],
            ),
            (
                "EET-2EEST,M3.4.4/50,M10.4.4/50",
                2031,
                ["2031-03-29T00:00:00+00:00 10800", "2031-10-24T23:00:00+00:00 7200"],
            ),
            // By the day of the year: J60 is 1 March in every year, 59 only when it has no 29 February.
            ("AAA0BBB,J60/0,59/0", 2032, ["2032-02-28T23:00:00+00:00 0", "2032-03-01T00:00:00+00:00 3600"]),
        ];
        for (rule, year, expected) in table {
            assert_eq!(changes(rule, year), expected, "{rule}");
        }
    }

    #[test]
    fn a_rule_without_summer_changes_nothing() {
        assert_eq!(Rule::parse("<+0545>-5:45").map(|rule| (rule.standard, rule.changes(2030))), Some((20_700, None)));
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for wrong in [
            "",
            "E5",
            "EST",
            "EST5EDT",
            "EST5EDT,M3.2.0",
            "EST5EDT,M13.2.0,M11.1.0",
            "EST5EDT,M3.0.0,M11.1.0",
            "EST5EDT,M3.2.7,M11.1.0",
            "EST5EDT,J0,J9",
            "EST5EDT,366,9",
            "EST5EDT,M3.2.0,M11.1.0x",
            "<EST5",
            "EST168",
            "EST5EDT,M3.2.0/,M11.1.0",
            "ESTé5",
        ] {
            assert_eq!(Rule::parse(wrong), None, "{wrong}");
        }
    }
}
