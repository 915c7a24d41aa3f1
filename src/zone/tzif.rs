//! TZif, the compiled form of a zone (RFC 9636): a header, the transitions once in 32 bits, once more in 64, and a
//! footer with the rule that holds after the last of them. Only the 64-bit block and the footer are read; the rule is
//! written out until `RULE_UNTIL`, so that one search answers every question.

use super::rule::Rule;
use chrono::{DateTime, Datelike};
use std::fmt;

/// The last year for which changes by rule are known.
const RULE_UNTIL: i32 = 2100;
/// The first year for which changes by rule are written out when a table has no transition of its own.
const RULE_FROM: i32 = 1970;
const HEADER: usize = 44;
/// More transitions than any zone will have.
const TRANSITIONS_MAX: usize = 10_000;
/// RFC 9636 §3.2: offsets are between -25 and 26 hours.
const OFFSETS: std::ops::RangeInclusive<i32> = -89_999..=93_599;

/// Why something is no zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TzifError {
    /// It does not begin as a TZif file does.
    NotTzif,
    /// Version 1: without the 64-bit block.
    TooOld,
    /// It ends in the middle.
    Truncated,
    /// Counts, types, offsets or the order of transitions contradict RFC 9636.
    Malformed,
    /// It counts leap seconds, which UTC of this machine does not.
    LeapSeconds,
    /// Its footer is no rule.
    BadRule,
}

impl fmt::Display for TzifError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TzifError::NotTzif => "it is no TZif file",
            TzifError::TooOld => "it is a TZif file of version 1, which ends in 2037",
            TzifError::Truncated => "it ends in the middle",
            TzifError::Malformed => "its transitions contradict RFC 9636",
            TzifError::LeapSeconds => "it counts leap seconds",
            TzifError::BadRule => "the rule in its footer cannot be read",
        })
    }
}

impl std::error::Error for TzifError {}

/// A time in which clocks keep their distance from UTC; seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// `None`: since ever.
    pub(super) begin: Option<i64>,
    /// `None`: for ever.
    pub(super) end: Option<i64>,
    pub(super) offset: i64,
}

/// A zone: how far it is from UTC at first, and from each transition on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Transitions {
    first: i32,
    rest: Vec<(i64, i32)>,
}

impl Transitions {
    /// The span around a Unix time.
    pub(super) fn span(&self, at: i64) -> Span {
        let after = self.rest.partition_point(|(begin, _)| *begin <= at);
        let begun = after.checked_sub(1).and_then(|index| self.rest.get(index));
        Span {
            begin: begun.map(|(begin, _)| *begin),
            end: self.rest.get(after).map(|(end, _)| *end),
            offset: i64::from(begun.map_or(self.first, |(_, offset)| *offset)),
        }
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Transitions, TzifError> {
        let old = Header::read(bytes)?;
        if old.version < b'2' {
            return Err(TzifError::TooOld);
        }
        let bytes = bytes.get(HEADER + old.block(4)..).ok_or(TzifError::Truncated)?;
        let header = Header::read(bytes)?;
        let block = bytes.get(HEADER..HEADER + header.block(8)).ok_or(TzifError::Truncated)?;
        let mut transitions = header.transitions(block)?;
        let footer = bytes.get(HEADER + header.block(8)..).ok_or(TzifError::Truncated)?;
        let rule = footer.strip_prefix(b"\n").and_then(|footer| footer.strip_suffix(b"\n"));
        let rule = std::str::from_utf8(rule.ok_or(TzifError::Truncated)?).map_err(|_| TzifError::BadRule)?;
        // RFC 9636 §3.3: an empty footer says nothing about the time after the last transition.
        if !rule.is_empty() {
            transitions.go_on(&Rule::parse(rule).ok_or(TzifError::BadRule)?);
        }
        Ok(transitions)
    }

    /// Writes out the changes that the rule makes after the last transition.
    fn go_on(&mut self, rule: &Rule) {
        let last = self.rest.last().map(|(at, _)| *at);
        let from = last.and_then(|at| DateTime::from_timestamp(at, 0)).map_or(RULE_FROM, |at| at.year());
        for year in from..=RULE_UNTIL {
            for (at, offset) in rule.changes(year).into_iter().flatten() {
                if last.is_none_or(|last| at > last) {
                    self.push(at, offset);
                }
            }
        }
    }

    /// A change that changes nothing, or is undone at the same instant, is none.
    fn push(&mut self, at: i64, offset: i32) {
        while self.rest.last().is_some_and(|(before, _)| *before >= at) {
            self.rest.pop();
        }
        if self.rest.last().map_or(self.first, |(_, before)| *before) != offset {
            self.rest.push((at, offset));
        }
    }
}

/// RFC 9636 §3.1.
struct Header {
    version: u8,
    isutcnt: usize,
    isstdcnt: usize,
    leapcnt: usize,
    timecnt: usize,
    typecnt: usize,
    charcnt: usize,
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Header, TzifError> {
        let header: &[u8; HEADER] = bytes.first_chunk().ok_or(TzifError::NotTzif)?;
        if !header.starts_with(b"TZif") {
            return Err(TzifError::NotTzif);
        }
        let mut counts = header[20..].chunks_exact(4).map(|count| {
            count.try_into().map(u32::from_be_bytes).ok().and_then(|count| usize::try_from(count).ok()).unwrap_or(0)
        });
        let mut count = || counts.next().filter(|count| *count <= TRANSITIONS_MAX).ok_or(TzifError::Malformed);
        Ok(Header {
            version: header[4],
            isutcnt: count()?,
            isstdcnt: count()?,
            leapcnt: count()?,
            timecnt: count()?,
            typecnt: count()?,
            charcnt: count()?,
        })
    }

    /// The length of the data block after it, with times of so many bytes.
    fn block(&self, time: usize) -> usize {
        self.timecnt * (time + 1)
            + self.typecnt * 6
            + self.charcnt
            + self.leapcnt * (time + 4)
            + self.isstdcnt
            + self.isutcnt
    }

    /// RFC 9636 §3.2: times, the type of each, the types.
    fn transitions(&self, block: &[u8]) -> Result<Transitions, TzifError> {
        if self.leapcnt > 0 {
            return Err(TzifError::LeapSeconds);
        }
        let (times, rest) = block.split_at_checked(self.timecnt * 8).ok_or(TzifError::Truncated)?;
        let (kinds, rest) = rest.split_at_checked(self.timecnt).ok_or(TzifError::Truncated)?;
        let types = rest.get(..self.typecnt * 6).ok_or(TzifError::Truncated)?;
        let offsets: Vec<i32> =
            types.chunks_exact(6).filter_map(|kind| kind.first_chunk().copied().map(i32::from_be_bytes)).collect();
        if !offsets.iter().all(|offset| OFFSETS.contains(offset)) {
            return Err(TzifError::Malformed);
        }
        let first = *offsets.first().ok_or(TzifError::Malformed)?;
        let mut transitions = Transitions { first, rest: Vec::with_capacity(self.timecnt) };
        let mut before = None;
        for (time, kind) in times.chunks_exact(8).zip(kinds) {
            let at = time.try_into().map(i64::from_be_bytes).map_err(|_| TzifError::Truncated)?;
            let offset = *offsets.get(usize::from(*kind)).ok_or(TzifError::Malformed)?;
            if before.is_some_and(|before| before >= at) {
                return Err(TzifError::Malformed);
            }
            before = Some(at);
            transitions.push(at, offset);
        }
        Ok(transitions)
    }
}
