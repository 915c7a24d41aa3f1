//! When a callback is offered: which rule of a queue answers a key, what still forbids a request, and when the next
//! announcement is due (interface.md, Settled 5: `only_when_all_busy` and `min_ahead` gate the announcement, never
//! the key).

use super::window::Window;
use crate::id::Name;
use crate::settings::{CallbackRule, Queue, RuleSource, ServedBy, Settings, Trigger};
use crate::time::{DateTime, Utc};
use std::fmt;
use std::time::Duration;

/// An announcement whose gates are shut is looked at again after so long.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Why a request is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// `enabled = false`.
    Disabled,
    /// `accept = false`.
    NotAccepting,
    /// Without the `key` trigger the key works from the first offer on (S2.15).
    NotOfferedYet,
    /// `max_pending` open tasks already.
    MaxPending,
    /// The schedule closes within `close_guard`.
    ClosingSoon,
    /// Its profile is gone.
    NoProfile,
}

impl fmt::Display for NotTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NotTaken::Disabled => "the callback rule is disabled",
            NotTaken::NotAccepting => "the callback rule takes no new requests",
            NotTaken::NotOfferedYet => "no callback has been offered yet",
            NotTaken::MaxPending => "as many callbacks as the rule allows are pending",
            NotTaken::ClosingSoon => "calling hours end too soon",
            NotTaken::NoProfile => "the callback profile does not exist",
        })
    }
}

/// What a request is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// Where he waits.
    pub queue: &'a str,
    /// Now.
    pub utc: DateTime<Utc>,
    /// Whether this caller has heard an offer.
    pub offered: bool,
    /// Open tasks of the rule (`Planner::pending_of`).
    pub pending: usize,
}

/// The rules of a queue, in order, that exist.
pub fn rules_of<'a>(settings: &'a Settings, queue: &'a Queue) -> impl Iterator<Item = &'a CallbackRule> {
    queue.rules.iter().filter_map(|name| settings.rule(name))
}

/// Those of them that people ask by, while they wait.
fn requests<'a>(settings: &'a Settings, queue: &'a Queue) -> impl Iterator<Item = &'a CallbackRule> {
    rules_of(settings, queue).filter(|rule| rule.source == RuleSource::QueueRequest)
}

/// The rule that answers `key` in `queue`: the first whose request key it is and that is enabled.
pub fn by_key<'a>(settings: &'a Settings, queue: &'a Queue, key: char) -> Option<&'a CallbackRule> {
    requests(settings, queue).find(|rule| rule.enabled && rule.request_digit == key)
}

/// The rule that makes announcements in `queue`: the first enabled one with a trigger that does.
pub fn announcing<'a>(settings: &'a Settings, queue: &'a Queue) -> Option<&'a CallbackRule> {
    requests(settings, queue).find(|rule| rule.enabled && rule.accept && announces(rule))
}

/// Whether a waiting caller's request is taken.
pub fn takes(settings: &Settings, rule: &CallbackRule, moment: Moment<'_>) -> Result<(), NotTaken> {
    if !rule.enabled {
        return Err(NotTaken::Disabled);
    }
    if !rule.accept {
        return Err(NotTaken::NotAccepting);
    }
    let profile = settings.profile(&rule.profile).ok_or(NotTaken::NoProfile)?;
    if !rule.triggers.contains(&Trigger::Key) && !moment.offered {
        return Err(NotTaken::NotOfferedYet);
    }
    if rule.max_pending.is_some_and(|max| moment.pending >= max as usize) {
        return Err(NotTaken::MaxPending);
    }
    let target = if let ServedBy::Queue(other) = &profile.destination { other } else { moment.queue };
    let closes = Window::business(settings, profile, Some(target)).closes(moment.utc);
    if closes.is_some_and(|closes| closes < moment.utc + rule.close_guard) {
        return Err(NotTaken::ClosingSoon);
    }
    Ok(())
}

/// Who else is there, for the announcement's gates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crowd {
    /// An agent of the queue is ready. No agent logged in counts as all busy.
    pub agent_free: bool,
    /// How many are ahead of this caller.
    pub ahead: usize,
    /// How long this caller will still wait; `None`: nothing to estimate it by.
    pub ewt: Option<Duration>,
}

/// When the offer is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announcement {
    /// At this moment.
    Now,
    /// Look again when the caller has waited so long.
    At(Duration),
    /// Not again.
    Never,
}

/// The next announcement for a caller who has `waited`, and heard the last one after `last` of waiting.
pub fn announcement(rule: &CallbackRule, waited: Duration, last: Option<Duration>, crowd: Crowd) -> Announcement {
    if !rule.enabled || !rule.accept || !announces(rule) {
        return Announcement::Never;
    }
    let has = |trigger| rule.triggers.contains(&trigger);
    let is_timed = has(Trigger::AfterWait) || has(Trigger::Announced);
    // A long expected wait makes the first offer at once; the later ones follow like any other's.
    let by_ewt = has(Trigger::Ewt) && last.is_none() && crowd.ewt.is_some_and(|ewt| ewt >= rule.min_ewt);
    let due = match (last, rule.offer_repeat) {
        (None, _) if by_ewt => Duration::ZERO,
        (None, _) if is_timed => rule.offer_after,
        (None, _) => waited + LOOK_AGAIN,
        (Some(last), Some(repeat)) => last + repeat,
        (Some(_), None) => return Announcement::Never,
    };
    if waited < due {
        let look = if has(Trigger::Ewt) && last.is_none() { due.min(waited + LOOK_AGAIN) } else { due };
        return Announcement::At(look);
    }
    if gates(rule, crowd) { Announcement::Now } else { Announcement::At(waited + LOOK_AGAIN) }
}

/// The gates of an announcement. An expected wait that nobody can tell is not a long one, and not too long.
fn gates(rule: &CallbackRule, crowd: Crowd) -> bool {
    let is_busy = !rule.only_when_all_busy || !crowd.agent_free;
    let is_long = rule.min_ewt.is_zero() || crowd.ewt.is_some_and(|ewt| ewt >= rule.min_ewt);
    let is_too_long = rule.max_ewt.is_some_and(|max| crowd.ewt.is_some_and(|ewt| ewt > max));
    is_busy && crowd.ahead >= rule.min_ahead as usize && is_long && !is_too_long
}

fn announces(rule: &CallbackRule) -> bool {
    rule.triggers.iter().any(|trigger| match trigger {
        Trigger::AfterWait | Trigger::Announced | Trigger::Ewt => true,
        Trigger::Key => false,
    })
}

/// A call that was lost, and where (C18).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost<'a> {
    /// In the line of this queue.
    pub queue: Option<&'a str>,
    /// In this menu.
    pub ivr: Option<&'a str>,
    /// At this agent's phones.
    pub agent: Option<&'a str>,
    /// At the phones of this group.
    pub group: Option<&'a str>,
    /// The number that was dialled.
    pub did: &'a str,
    /// From its arrival until it was lost.
    pub waited: Duration,
    /// Lost so long ago.
    pub age: Duration,
}

/// The rule that makes a callback of a lost call: the first enabled one of its source and scope (S5.4). `None` as
/// well when that rule takes no new calls, the call was a misdial (`min_wait`), or it is too old (`max_age`, S3.10).
pub fn for_missed<'a>(settings: &'a Settings, source: RuleSource, lost: &Lost<'_>) -> Option<&'a CallbackRule> {
    let mut rules = settings.rules.iter().filter(|rule| rule.enabled && rule.source == source);
    let rule = rules.find(|rule| covers(settings, rule, lost))?;
    let oldest = rule.max_age.or_else(|| settings.profile(&rule.profile)?.expires_after);
    let is_young = oldest.is_none_or(|oldest| lost.age <= oldest);
    Some(rule).filter(|rule| rule.accept && lost.waited >= rule.min_wait && is_young)
}

/// Whether a rule for missed calls holds where this one was lost. What a scope does not name, it does not ask for.
fn covers(settings: &Settings, rule: &CallbackRule, lost: &Lost<'_>) -> bool {
    let scope = &rule.scope;
    let named = |names: &[Name], name: Option<&str>| name.is_some_and(|name| names.iter().any(|own| **own == *name));
    let attached: Vec<Name> = settings
        .queues
        .iter()
        .filter(|queue| queue.rules.contains(&rule.name))
        .map(|queue| queue.name.clone())
        .collect();
    // Of calls that no queue has lost, the queues of a rule say who serves, not where it holds.
    let (queues, attached) = if rule.source == RuleSource::MissedQueue {
        (scope.queues.as_slice(), attached.as_slice())
    } else {
        (&[][..], &[][..])
    };
    let places = [queues, attached, &scope.ivrs, &scope.agents, &scope.groups];
    let is_there = places.iter().all(|names| names.is_empty())
        || named(queues, lost.queue)
        || named(attached, lost.queue)
        || named(&scope.ivrs, lost.ivr)
        || named(&scope.agents, lost.agent)
        || named(&scope.groups, lost.group);
    is_there && (scope.dids.is_empty() || scope.dids.iter().any(|did| did.matches(lost.did)))
}
