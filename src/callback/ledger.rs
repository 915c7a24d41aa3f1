//! What was dialled lately, and what that forbids now: caps per number, block and source, and the breaker (security.md
//! T30, T31, T33).
//!
//! A fraudster who passes the checks of `policy` still needs volume, or one victim rung again and again. So each
//! number is dialled `daily_max` times a day; one that must be confirmed is left alone for a day once somebody has
//! answered without confirming, or a request for it has found nobody; each block of numbers (all but the last four
//! digits) that no trusted trunk has signalled is dialled ten times an hour; and one caller may name three numbers a
//! day that are not his own. When dials that somebody else asked for lead to nobody who wants them, or an hour has
//! twice the dials of a usual one, the breaker opens: automatic dialling stops until a person has looked.
//!
//! Extensions are ours and are not counted. Everything here follows from attempts, so a restart finds it out again.

use super::task::{NumberOrigin, Task};
use crate::limits;
use crate::number::Party;
use crate::settings::{ConfirmByKey, NumberPolicy};
use crate::time::{DateTime, Utc, shifted};
use chrono::TimeDelta;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

/// Dials of one block an hour.
pub const BLOCK_HOURLY: usize = 10;
/// Numbers of other people that one source may name a day.
pub const SOURCE_DAILY: usize = 3;
/// Dials on somebody else's word that are looked at for the breaker.
const WATCHED: usize = 10;
/// So many of them must be known before it judges.
const WATCHED_LEAST: usize = 8;
/// How far back they count.
const WATCHED_FOR: TimeDelta = TimeDelta::days(7);
/// Fewer wanted ones among a hundred are an attack.
const WANTED_LEAST_PERCENT: usize = 20;
/// Hours that make the usual one.
const USUAL_HOURS: usize = 7 * 24;
/// Before so many hours with dials are known, none is usual.
const USUAL_KNOWN: u32 = 24;
/// A site's usual hour is never taken for less.
const USUAL_LEAST: u32 = 60;
const DAY: TimeDelta = TimeDelta::days(1);
const HOUR: TimeDelta = TimeDelta::hours(1);

/// Why automatic dialling has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tripped {
    /// Calls to numbers that others named are not wanted by those who answer, or nobody answers.
    Unwanted,
    /// The same of a block of numbers that untrusted trunks signal; only that block is held.
    Block,
    /// Twice the dials of a usual hour.
    Surge,
}

impl Tripped {
    /// One word for records, metrics and pages.
    pub const fn word(self) -> &'static str {
        match self {
            Tripped::Unwanted => "unwanted",
            Tripped::Block => "block",
            Tripped::Surge => "surge",
        }
    }
}

impl fmt::Display for Tripped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Tripped::Unwanted => {
                "calls to numbers that somebody else named are hardly ever wanted; such numbers are not dialled until \
                 a person resumes"
            }
            Tripped::Block => {
                "calls to numbers like this one are hardly ever wanted; they are not dialled until a person resumes"
            }
            Tripped::Surge => {
                "this hour has twice the automatic calls of a usual one; nothing is dialled until a person resumes"
            }
        })
    }
}

/// What the ledger has against a dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cap {
    /// `daily_max` dials of this number in 24 hours; again then.
    Daily(u32, DateTime<Utc>),
    /// Nobody has confirmed this number, and it was tried already; again then.
    Unconfirmed(DateTime<Utc>),
    /// The block has had its dials for an hour; again then.
    Block(DateTime<Utc>),
    /// The breaker is open.
    Breaker(Tripped),
}

impl Cap {
    /// When it ends by itself.
    pub const fn until(self) -> Option<DateTime<Utc>> {
        match self {
            Cap::Daily(_, until) | Cap::Unconfirmed(until) | Cap::Block(until) => Some(until),
            Cap::Breaker(_) => None,
        }
    }
}

/// How a dial ended, as far as fraud is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Somebody answered and took the call.
    Yes,
    /// Somebody answered and did not take it.
    Refused,
    /// Nobody answered.
    No,
    /// The network, an agent or we ourselves ended it: it says nothing about the customer.
    Unknown,
}

#[derive(Clone, Debug)]
struct Watched {
    number: Box<str>,
    at: DateTime<Utc>,
    wanted: Option<Wanted>,
}

/// Dials of the last day.
#[derive(Clone, Debug)]
pub struct Ledger {
    usual: NumberPolicy,
    numbers: BTreeMap<Box<str>, VecDeque<DateTime<Utc>>>,
    blocks: BTreeMap<Box<str>, VecDeque<DateTime<Utc>>>,
    sources: BTreeMap<Box<str>, VecDeque<DateTime<Utc>>>,
    /// Numbers whose owner has said yes, and when last.
    confirmed: BTreeMap<Box<str>, DateTime<Utc>>,
    /// Numbers that were asked in vain whether they want the call, and until when they are left alone.
    doubted: BTreeMap<Box<str>, DateTime<Utc>>,
    watched: VecDeque<Watched>,
    /// The same for numbers that an untrusted trunk has signalled, block by block.
    watched_blocks: BTreeMap<Box<str>, VecDeque<Watched>>,
    /// Blocks that are not dialled until a person resumes.
    suspended: BTreeSet<Box<str>>,
    hours: VecDeque<(i64, u32)>,
    /// All dials in order, for forgetting.
    order: VecDeque<(DateTime<Utc>, Box<str>)>,
    tripped: Option<Tripped>,
    /// When a cap that is reached now will have room again.
    releases: BTreeSet<DateTime<Utc>>,
}

/// Whether the number is somebody's own word for somebody else (security.md T33).
pub fn is_untrusted(task: &Task) -> bool {
    match task.number_origin {
        NumberOrigin::Trusted | NumberOrigin::Signalled => false,
        NumberOrigin::Typed | NumberOrigin::Given => true,
    }
}

/// Whether the customer presses a key before an agent is joined.
pub fn needs_confirmation(policy: &NumberPolicy, task: &Task) -> bool {
    matches!(task.number, Party::Number(_))
        && match policy.confirm_by_key {
            ConfirmByKey::Never => false,
            ConfirmByKey::Untrusted => is_untrusted(task),
            ConfirmByKey::Always => true,
        }
}

impl Default for Ledger {
    fn default() -> Ledger {
        Ledger {
            usual: NumberPolicy::named("default"),
            numbers: BTreeMap::new(),
            blocks: BTreeMap::new(),
            sources: BTreeMap::new(),
            confirmed: BTreeMap::new(),
            doubted: BTreeMap::new(),
            watched: VecDeque::new(),
            watched_blocks: BTreeMap::new(),
            suspended: BTreeSet::new(),
            hours: VecDeque::new(),
            order: VecDeque::new(),
            tripped: None,
            releases: BTreeSet::new(),
        }
    }
}

impl Ledger {
    /// Whether `task` may be dialled now, under the policy that its rule names.
    pub fn allows(&self, now: DateTime<Utc>, policy: Option<&NumberPolicy>, task: &Task) -> Result<(), Cap> {
        let policy = policy.unwrap_or(&self.usual);
        let Party::Number(number) = &task.number else { return Ok(()) };
        match self.tripped {
            Some(Tripped::Surge) => return Err(Cap::Breaker(Tripped::Surge)),
            Some(Tripped::Unwanted) if is_untrusted(task) => return Err(Cap::Breaker(Tripped::Unwanted)),
            Some(Tripped::Unwanted | Tripped::Block) | None => {}
        }
        let most = policy.daily_max as usize;
        if most == 0 {
            return Err(Cap::Daily(0, now + DAY));
        }
        if let Some(until) = self.numbers.get(number).and_then(|dials| full(dials, now, DAY, most)) {
            return Err(Cap::Daily(policy.daily_max, until));
        }
        let doubted = self.doubted.get(number).copied().filter(|until| *until > now);
        if let Some(until) = doubted.filter(|_| needs_confirmation(policy, task)) {
            return Err(Cap::Unconfirmed(until));
        }
        if task.number_origin == NumberOrigin::Trusted {
            return Ok(());
        }
        if self.suspended.contains(block(number)) {
            return Err(Cap::Breaker(Tripped::Block));
        }
        match self.blocks.get(block(number)).and_then(|dials| full(dials, now, HOUR, BLOCK_HOURLY)) {
            Some(until) => Err(Cap::Block(until)),
            None => Ok(()),
        }
    }

    /// Whether `source` may name another number that is not his own today.
    pub fn may_name(&self, now: DateTime<Utc>, source: &str) -> bool {
        self.sources.get(source).is_none_or(|named| full(named, now, DAY, SOURCE_DAILY).is_none())
    }

    /// He has.
    pub fn named(&mut self, now: DateTime<Utc>, source: &str) {
        if self.sources.len() >= limits::LEDGER_SOURCES {
            self.sources.retain(|_, named| named.back().is_some_and(|last| *last + DAY > now));
        }
        if self.sources.len() < limits::LEDGER_SOURCES || self.sources.contains_key(source) {
            let named = self.sources.entry(source.into()).or_default();
            named.push_back(now);
            while named.len() > SOURCE_DAILY {
                named.pop_front();
            }
        }
    }

    /// The customer of `task` is dialled. Returns why the breaker opens, if it does.
    pub fn dialled(&mut self, now: DateTime<Utc>, task: &Task) -> Option<Tripped> {
        let Party::Number(number) = &task.number else { return None };
        self.forget(now);
        self.numbers.entry(number.clone()).or_default().push_back(now);
        let in_block = self.blocks.entry(block(number).into()).or_default();
        in_block.push_back(now);
        self.releases.insert(now + DAY);
        self.releases.extend(full(in_block, now, HOUR, BLOCK_HOURLY));
        self.order.push_back((now, number.clone()));
        let watched = Watched { number: number.clone(), at: now, wanted: None };
        match task.number_origin {
            NumberOrigin::Typed | NumberOrigin::Given => self.watched.push_back(watched),
            NumberOrigin::Signalled => {
                self.watched_blocks.entry(block(number).into()).or_default().push_back(watched);
            }
            NumberOrigin::Trusted => {}
        }
        let hour = now.timestamp().div_euclid(3_600);
        match self.hours.back_mut() {
            Some((last, count)) if *last == hour => *count += 1,
            Some(_) | None => self.hours.push_back((hour, 1)),
        }
        while self.hours.front().is_some_and(|(first, _)| *first + USUAL_HOURS as i64 <= hour) {
            self.hours.pop_front();
        }
        let this = self.hours.back().map_or(0, |(_, count)| *count);
        let is_surge = self.usual_hour(hour).is_some_and(|usual| this > 2 * usual);
        if is_surge { self.trip(Tripped::Surge) } else { self.judge(now, number) }
    }

    /// The dial of this number has ended. Returns why the breaker opens, if it does.
    pub fn ended(&mut self, now: DateTime<Utc>, number: &Party, wanted: Wanted) -> Option<Tripped> {
        let Party::Number(number) = number else { return None };
        match wanted {
            Wanted::Yes => {
                self.confirmed.insert(number.clone(), now);
                self.doubted.remove(number);
            }
            Wanted::Refused => self.doubt(now, number),
            Wanted::No | Wanted::Unknown => {}
        }
        settle(&mut self.watched, number, wanted);
        if let Some(watched) = self.watched_blocks.get_mut(block(number)) {
            settle(watched, number, wanted);
        }
        self.judge(now, number)
    }

    /// A task is closed without the customer having been reached: another request for him waits a day, unless he has
    /// ever confirmed one.
    pub fn given_up(&mut self, now: DateTime<Utc>, task: &Task) {
        if let Party::Number(number) = &task.number
            && is_untrusted(task)
            && task.attempts_used > 0
            && !self.confirmed.contains_key(number)
        {
            self.doubt(now, number);
        }
    }

    fn doubt(&mut self, now: DateTime<Utc>, number: &str) {
        if self.doubted.len() >= limits::LEDGER_DIALS {
            self.doubted.retain(|_, until| *until > now);
        }
        self.doubted.insert(number.into(), now + DAY);
        self.releases.insert(now + DAY);
    }

    /// The wall clock was set: what was dialled is as long ago as it is.
    pub fn shift(&mut self, by: TimeDelta) {
        let dials = self.numbers.values_mut().chain(self.blocks.values_mut()).chain(self.sources.values_mut());
        dials.flatten().for_each(|at| *at = shifted(*at, by));
        self.confirmed.values_mut().chain(self.doubted.values_mut()).for_each(|at| *at = shifted(*at, by));
        let watched = self.watched_blocks.values_mut().flatten().chain(&mut self.watched);
        watched.for_each(|dial| dial.at = shifted(dial.at, by));
        self.hours.iter_mut().for_each(|(hour, _)| *hour = hour.saturating_add(by.num_hours()));
        self.order.iter_mut().for_each(|(at, _)| *at = shifted(*at, by));
        self.releases = self.releases.iter().map(|at| shifted(*at, by)).collect();
    }

    /// When something may be dialled again that a cap holds.
    pub fn next_release(&self) -> Option<DateTime<Utc>> {
        self.releases.first().copied()
    }

    /// That instant has come.
    pub fn release(&mut self, now: DateTime<Utc>) {
        while self.releases.first().is_some_and(|at| *at <= now) {
            self.releases.pop_first();
        }
    }

    /// Why automatic dialling has stopped.
    pub fn tripped(&self) -> Option<Tripped> {
        self.tripped.or((!self.suspended.is_empty()).then_some(Tripped::Block))
    }

    /// A person has looked, and dialling goes on. What has been watched so far is not held against anybody again.
    pub fn resume(&mut self, now: DateTime<Utc>) {
        self.tripped = None;
        self.watched.clear();
        self.watched_blocks.clear();
        self.suspended.clear();
        let hour = now.timestamp().div_euclid(3_600);
        self.hours.retain(|(at, _)| *at != hour);
    }

    /// The dials of a usual hour: the mean of the hours of the last week in which anything was dialled.
    fn usual_hour(&self, now: i64) -> Option<u32> {
        let before = self.hours.iter().filter(|(hour, _)| *hour != now);
        let (hours, dials) = before.fold((0u32, 0u32), |(hours, dials), (_, count)| (hours + 1, dials + count));
        (hours >= USUAL_KNOWN).then(|| (dials / hours).max(USUAL_LEAST))
    }

    fn judge(&mut self, now: DateTime<Utc>, number: &str) -> Option<Tripped> {
        let block = block(number);
        if self.watched_blocks.get_mut(block).is_some_and(|watched| is_abuse(watched, now)) {
            return self.suspended.insert(block.into()).then_some(Tripped::Block);
        }
        if is_abuse(&mut self.watched, now) { self.trip(Tripped::Unwanted) } else { None }
    }

    fn trip(&mut self, why: Tripped) -> Option<Tripped> {
        let is_news = self.tripped != Some(why) && self.tripped != Some(Tripped::Surge);
        if is_news {
            self.tripped = Some(why);
        }
        is_news.then_some(why)
    }

    fn forget(&mut self, now: DateTime<Utc>) {
        while self.order.len() >= limits::LEDGER_DIALS || self.order.front().is_some_and(|(at, _)| *at + DAY <= now) {
            let Some((at, number)) = self.order.pop_front() else { break };
            drop_first(&mut self.numbers, &number, at);
            drop_first(&mut self.blocks, block(&number), at);
        }
        if self.order.is_empty() || self.watched_blocks.len() >= limits::LEDGER_SOURCES {
            let old = |watched: &VecDeque<Watched>| watched.back().is_none_or(|last| last.at + WATCHED_FOR <= now);
            self.watched_blocks.retain(|_, watched| !old(watched));
        }
        if self.confirmed.len() >= limits::LEDGER_DIALS
            && let Some(oldest) = self.confirmed.iter().min_by_key(|(_, at)| **at).map(|(number, _)| number.clone())
        {
            self.confirmed.remove(&oldest);
        }
    }
}

/// The dial of this number that is still open has ended.
fn settle(watched: &mut VecDeque<Watched>, number: &str, wanted: Wanted) {
    let open = watched.iter().rposition(|dial| *dial.number == *number && dial.wanted.is_none());
    match (open, wanted) {
        (Some(at), Wanted::Unknown) => {
            watched.remove(at);
        }
        (Some(at), Wanted::Yes | Wanted::Refused | Wanted::No) => watched[at].wanted = Some(wanted),
        (None, _) => {} // not one of those that are watched
    }
}

/// Whether the last dials tell of somebody who has others rung. What is too old or too many is forgotten.
fn is_abuse(watched: &mut VecDeque<Watched>, now: DateTime<Utc>) -> bool {
    while watched.len() > WATCHED || watched.front().is_some_and(|dial| dial.at + WATCHED_FOR <= now) {
        watched.pop_front();
    }
    let known = watched.iter().filter_map(|dial| dial.wanted);
    let (known, wanted) =
        known.fold((0, 0), |(known, wanted), was| (known + 1, wanted + usize::from(was == Wanted::Yes)));
    let unwanted = known >= WATCHED_LEAST && wanted * 100 < known * WANTED_LEAST_PERCENT;
    // Ten on the way at once, and none of them known to be wanted, is no better.
    unwanted || (watched.len() == WATCHED && wanted == 0)
}

/// When `dials` within `span` before `now` are fewer than `most` again; `None` when they are now.
fn full(dials: &VecDeque<DateTime<Utc>>, now: DateTime<Utc>, span: TimeDelta, most: usize) -> Option<DateTime<Utc>> {
    // The dial that has to grow old before another one fits.
    let decisive = *dials.iter().rev().nth(most.checked_sub(1)?)?;
    (decisive + span > now).then_some(decisive + span)
}

fn drop_first(dials: &mut BTreeMap<Box<str>, VecDeque<DateTime<Utc>>>, key: &str, at: DateTime<Utc>) {
    if let Some(of) = dials.get_mut(key) {
        if of.front() == Some(&at) {
            of.pop_front();
        }
        if of.is_empty() {
            dials.remove(key);
        }
    }
}

/// All but the last four digits: numbers that are let together, and abused together.
fn block(number: &str) -> &str {
    &number[..number.len().saturating_sub(4)]
}
