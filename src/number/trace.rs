//! Whether a text tells of a number: in whatever form it was typed or signalled, alone or among other words.
//!
//! Digits belong together when nothing is between them but what people write inside a number: `-`, `.`, `(`, `)`
//! (RFC 3966 §5.1.1), `/` and single spaces, or other hyphens and spaces that look like these. What belongs together is
//! a run. A number is in it when groups of its digits, whole ones and side by side, read as that number: an `order 12`
//! before it, or another number behind it, parted by no more than a space, does not hide it. What follows a `+` is a
//! number from there on, so that its national part is not taken for somebody else. A date is no number.

use super::{E164_DIGITS_MAX, Party, read};
use std::ops::Range;

/// Written where a number was.
pub const GONE: &str = "(erased)";
/// The last digits, which every form of a number has.
const END: usize = 6;
/// Digits of the shortest number of the world behind its `+`, with its country code, but one.
const LEAST: usize = 6;
/// Digits of the longest one behind an international prefix, and the `+`.
const MOST: usize = E164_DIGITS_MAX + 5;

/// A number that is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    number: Party,
    /// As in E.164, without the `+`.
    digits: String,
    country: Option<String>,
}

impl Trace {
    /// Of `number`; national forms are those of `country`.
    pub fn of(number: &Party, country: Option<&str>) -> Trace {
        let digits = digits_of(number.as_str().as_bytes());
        Trace { number: number.clone(), digits, country: country.map(str::to_owned) }
    }

    /// Whose trace.
    pub fn number(&self) -> &Party {
        &self.number
    }

    /// Whether octets, read as text, can tell of it at all: cheap, and true of some that do not.
    pub fn may_be_in(&self, octets: &[u8]) -> bool {
        let end = &self.digits.as_bytes()[self.digits.len().saturating_sub(END)..];
        let mut latest = Vec::with_capacity(END);
        octets.iter().filter(|octet| octet.is_ascii_digit()).any(|digit| {
            if latest.len() == end.len() {
                latest.remove(0);
            }
            latest.push(*digit);
            latest == end
        })
    }

    /// Whether this text tells of it.
    pub fn is_in(&self, text: &str) -> bool {
        self.may_be_in(text.as_bytes()) && !self.places(text).is_empty()
    }

    /// The text without it; `None`: it does not tell of it.
    pub fn taken_out(&self, text: &str) -> Option<String> {
        let places = self.places(text);
        if places.is_empty() {
            return None;
        }
        let (mut left, mut from) = (String::with_capacity(text.len()), 0);
        for place in places {
            left.push_str(&text[from..place.start]);
            left.push_str(GONE);
            from = place.end;
        }
        left.push_str(&text[from..]);
        Some(left)
    }

    /// Where it stands, from left to right.
    fn places(&self, text: &str) -> Vec<Range<usize>> {
        runs(text).iter().flat_map(|run| self.places_in(text, run)).collect()
    }

    fn places_in(&self, text: &str, run: &Run) -> Vec<Range<usize>> {
        let (mut places, mut next) = (Vec::new(), 0);
        while next < run.groups.len() {
            let ends = (next + 1..=run.groups.len()).filter(|end| run.digits(next..*end) <= MOST);
            // The longest first: what is around the number goes with it only when it is a part of it.
            let found = ends.rev().find(|end| run.may_begin(next) && self.is(text, &run.place(next..*end)));
            match found {
                Some(end) => {
                    places.push(around(text, run.place(next..end)));
                    next = end;
                }
                None => next += 1,
            }
        }
        places
    }

    fn is(&self, text: &str, place: &Range<usize>) -> bool {
        let run: String = text[place.clone()].chars().map(plain).collect();
        if !self.may_be_in(run.as_bytes()) || is_date(&run) {
            return false;
        }
        let is_whole = !self.digits.is_empty() && digits_of(run.as_bytes()) == self.digits;
        is_whole || read(&run, self.country.as_deref()).as_ref() == Ok(&self.number)
    }
}

/// Digits that belong together.
#[derive(Debug, Default)]
struct Run {
    /// It begins with a `+`.
    is_global: bool,
    /// Digits without anything between them; a `+` belongs to the first.
    groups: Vec<Range<usize>>,
}

impl Run {
    fn place(&self, groups: Range<usize>) -> Range<usize> {
        self.groups[groups.start].start..self.groups[groups.end - 1].end
    }

    fn digits(&self, groups: Range<usize>) -> usize {
        self.groups[groups].iter().map(Range::len).sum()
    }

    /// Whether a number may begin with this group: behind a `+` only where one may have ended before.
    fn may_begin(&self, group: usize) -> bool {
        !self.is_global || group == 0 || self.digits(0..group) > LEAST
    }
}

fn runs(text: &str) -> Vec<Run> {
    let octets = text.as_bytes();
    let (mut runs, mut run, mut at) = (Vec::new(), Run::default(), 0);
    while at < octets.len() {
        let is_plus = octets[at] == b'+' && octets.get(at + 1).is_some_and(|next| b"0123456789(".contains(next));
        if !is_plus && !octets[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let length = octets[at + 1..].iter().take_while(|octet| octet.is_ascii_digit()).count();
        let group = at..at + 1 + length;
        let is_joined = run.groups.last().is_some_and(|last: &Range<usize>| joins(&text[last.end..at]));
        if is_plus || !is_joined {
            runs.push(std::mem::take(&mut run));
            run.is_global = is_plus;
        }
        at = group.end;
        run.groups.push(group);
    }
    runs.push(run);
    runs
}

/// Whether people write this between two digits of a number.
fn joins(between: &str) -> bool {
    let (mut all, mut before) = (between.chars().map(plain), None);
    all.all(|c| " -.()/".contains(c) && before.replace(c).is_none_or(|before| (before, c) != (' ', ' ')))
}

/// What word processors, web pages and tables write for a space or a hyphen between digits.
fn plain(c: char) -> char {
    match c {
        '\t' | '\u{A0}' | '\u{2007}' | '\u{2009}' | '\u{202F}' => ' ',
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        _ => c,
    }
}

/// An area code is written in brackets.
fn around(text: &str, place: Range<usize>) -> Range<usize> {
    let opens = text[..place.start].ends_with('(') && text[place.clone()].contains(')');
    place.start - usize::from(opens)..place.end
}

/// `2026-11-20`, as instants begin.
fn is_date(run: &str) -> bool {
    ["%Y-%m-%d", "%Y/%m/%d"].iter().any(|form| chrono::NaiveDate::parse_from_str(run, form).is_ok())
}

fn digits_of(octets: &[u8]) -> String {
    octets.iter().filter(|octet| octet.is_ascii_digit()).map(|digit| char::from(*digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alice() -> Trace {
        Trace::of(&Party::Number("+12025550123".into()), Some("US"))
    }

    #[test]
    fn a_number_is_found_in_every_form_and_no_other_is() {
        let trace = alice();
        for text in [
            "+12025550123",
            "12025550123",
            "+1 (202) 555-0123",
            "+(1) 202.555.0123",
            "(202) 555-0123",
            "202 - 555 - 0123",
            "202/5550123",
            "2025550123",
            "call +1 202 555-0123 after six",
            "wrote from (202) 555-0123, twice",
            "sip:12025550123@192.0.2.1:5060",
            "tel:+1-202-555-0123;phone-context=example",
            "cell2025550123",
            "order 12 202 555 0123",
            "2025550123 2025550199",
            "+1 202 555 0199 202 555 0123",
            "2026-11-20 2025550123",
            "202\u{A0}555\u{A0}0123",
            "+1\u{202F}202\u{202F}555\u{202F}0123",
            "(202)\t555\u{2011}0123",
            "202\u{2010}555 \u{2013} 0123",
            "202\u{2012}555\u{2014}0123, or 202\u{2015}555\u{2212}0123",
        ] {
            assert!(trace.is_in(text) && trace.may_be_in(text.as_bytes()), "{text}");
        }
        for text in [
            "+12025550124",
            "+442025550123",
            "+44 2025550123",
            "+44 20 2555 0123",
            "do_not_call/+442025550123",
            "5550123",
            "order 7",
            "",
            // Digits of what does not belong together.
            "12025 and 550123",
            "12025, 550123",
            "12025  550123",
            "12025 \u{A0}550123",
            "12025\t\t550123",
            "12025\u{2026}550123",
            "12025:550123",
            "2025-55 of 0123",
            "at 12:02:55.50123",
            "7120255501234",
            "99120255501230",
        ] {
            assert!(!trace.is_in(text) && trace.taken_out(text).is_none(), "{text}");
        }
        assert!(!Trace::of(&Party::Number("+12025550123".into()), None).is_in("2025550123"));
    }

    #[test]
    fn an_instant_is_no_number_also_among_other_words() {
        // A Danish number, which has eight digits as a date has.
        let trace = Trace::of(&Party::Number("+4520261120".into()), Some("DK"));
        for text in ["20 26 11 20", "20261120", "+45 20 26 11 20"] {
            assert!(trace.is_in(text), "{text}");
        }
        for text in [
            "2026-11-20",
            "2026\u{2011}11\u{2011}20",
            "2026-11-20T09:00:00Z",
            "from 2026-11-20 09:00 on",
            "2026/11/20/",
            "store-2026-11-20.tar",
        ] {
            assert!(!trace.is_in(text), "{text}");
        }
    }

    #[test]
    fn what_is_taken_out_is_the_number_and_nothing_else() {
        for (text, left) in [
            ("do_not_call/+12025550123", "do_not_call/(erased)"),
            ("ask at (202) 555-0123 or +1 202 555 0123", "ask at (erased) or (erased)"),
            ("order 12 202 555 0123 3 times", "order 12 (erased) 3 times"),
            ("(202) 555-0123 2025550199", "(erased) 2025550199"),
            ("from 2025550123.", "from (erased)."),
            ("\u{2013}202\u{A0}555\u{2011}0123\u{A0}\u{20AC}", "\u{2013}(erased)\u{A0}\u{20AC}"),
        ] {
            assert_eq!(alice().taken_out(text).as_deref(), Some(left));
        }
        assert_eq!(alice().taken_out("ask anna"), None);
    }
}
