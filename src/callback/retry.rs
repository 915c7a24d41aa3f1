//! What follows an attempt: done, given up, or once more, and when.
//!
//! The customer's attempts are counted; what an agent or a restart did to an attempt is not (law 6). A failure of
//! the network is forgiven twice. Agent-side failures put the task back at once, but each further one in a row waits
//! longer, so that one agent who always declines does not spin the switch.

use super::task::{Attempt, CloseReason, Outcome, Task};
use crate::settings::{CallbackProfile, NoAnswerAction};
use crate::time::{DateTime, Utc};
use chrono::TimeDelta;
use std::time::Duration;

/// After a failure of the network, the same customer is left alone for so long.
pub const NETWORK_PAUSE: Duration = Duration::from_secs(60);
/// So many failures of the network are not counted.
pub const NETWORK_FORGIVEN: u32 = 2;
/// Beyond `ring_timeout`, a number is left alone after a restart: the far end may still be ringing.
pub const RESTART_MARGIN: Duration = Duration::from_secs(10);
/// So many agent-side failures in a row are followed by another try at once.
const AGENT_TRIES_AT_ONCE: u32 = 3;
/// The longest wait between agent-side failures.
const AGENT_PAUSE_MAX: Duration = Duration::from_secs(60);

/// What earlier attempts of a task tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Failures of the network, all together.
    pub network_errors: u32,
    /// Agent-side failures since the last one that reached the customer's side.
    pub agent_failures: u32,
}

impl History {
    /// Of ended attempts, in order; the one that just ended is not among them.
    pub fn of<'a>(attempts: impl IntoIterator<Item = &'a Attempt>) -> History {
        let mut history = History::default();
        for outcome in attempts.into_iter().filter_map(|attempt| attempt.outcome) {
            match outcome {
                Outcome::NetworkError => history.network_errors += 1,
                Outcome::AgentNoAnswer | Outcome::AgentNoAccept | Outcome::AgentDeclined | Outcome::AgentLeftEarly => {
                    history.agent_failures += 1;
                    continue;
                }
                Outcome::Success
                | Outcome::ShortTalk
                | Outcome::NoAnswer
                | Outcome::Busy
                | Outcome::Rejected
                | Outcome::InvalidNumber
                | Outcome::CallerIdRefused
                | Outcome::CustomerLeftBeforeBridge
                | Outcome::NotConfirmed
                | Outcome::VoicemailAgent
                | Outcome::Blocked
                | Outcome::SystemRestart
                | Outcome::Superseded => {}
            }
            history.agent_failures = 0;
        }
        history
    }
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Kept.
    Done,
    /// Another attempt, not before this instant: `waiting_retry`.
    Retry(DateTime<Utc>),
    /// The agent's side failed: back to its place, not before this instant (often now): `due` or `pending`.
    Again(DateTime<Utc>),
    /// Given up.
    Fail(CloseReason),
    /// Cannot be dialled as things are.
    Blocked,
    /// Closed by what superseded it; nothing follows here.
    Superseded,
}

/// The verdict on an attempt that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it counts: `attempts_used` is to be raised by one.
    pub counted: bool,
    /// What follows.
    pub next: Next,
}

/// Judges the attempt that ended with `outcome` at `now`; `task` is as it was before (not yet raised).
pub fn after(
    profile: &CallbackProfile,
    task: &Task,
    history: History,
    outcome: Outcome,
    now: DateTime<Utc>,
) -> Verdict {
    let forgiven = outcome == Outcome::NetworkError && history.network_errors < NETWORK_FORGIVEN;
    let counted = outcome.is_counted() && !forgiven;
    let used = task.attempts_used + u32::from(counted);
    let by_interval = || {
        if used >= profile.attempts_max {
            Next::Fail(CloseReason::MaxAttempts)
        } else {
            Next::Retry(now + interval(profile, used))
        }
    };
    let next = match outcome {
        Outcome::Success => Next::Done,
        Outcome::InvalidNumber => Next::Fail(CloseReason::Invalid),
        Outcome::NoAnswer => match profile.no_answer_action {
            NoAnswerAction::Retry => by_interval(),
            NoAnswerAction::Fail | NoAnswerAction::Notify => Next::Fail(CloseReason::NoAnswerAction),
        },
        Outcome::NetworkError if forgiven || used < profile.attempts_max => Next::Retry(now + NETWORK_PAUSE),
        Outcome::NetworkError => Next::Fail(CloseReason::MaxAttempts),
        Outcome::ShortTalk
        | Outcome::Busy
        | Outcome::Rejected
        | Outcome::CallerIdRefused
        | Outcome::NotConfirmed
        | Outcome::VoicemailAgent
        | Outcome::CustomerLeftBeforeBridge => by_interval(),
        Outcome::AgentNoAnswer | Outcome::AgentNoAccept | Outcome::AgentDeclined | Outcome::AgentLeftEarly => {
            Next::Again(now + agent_pause(history.agent_failures))
        }
        Outcome::SystemRestart => Next::Again(after_restart(profile.ring_timeout, now)),
        Outcome::Blocked => Next::Blocked,
        Outcome::Superseded => Next::Superseded,
    };
    Verdict { counted, next }
}

/// When a new task may first be tried: `intervals[0]` after the request, and not before the wish of its creator.
pub fn first_try(profile: &CallbackProfile, requested_at: DateTime<Utc>, wish: Option<DateTime<Utc>>) -> DateTime<Utc> {
    let delay = profile.intervals.first().copied().unwrap_or_default();
    let earliest = requested_at + TimeDelta::from_std(delay).unwrap_or_default();
    wish.map_or(earliest, |wish| wish.max(earliest))
}

/// How long a number is left alone after a restart found an attempt open (interface.md, Settled 7).
pub fn after_restart(ring_timeout: Duration, restarted_at: DateTime<Utc>) -> DateTime<Utc> {
    restarted_at + ring_timeout + RESTART_MARGIN
}

/// `intervals[used]`; the last repeats.
fn interval(profile: &CallbackProfile, used: u32) -> Duration {
    let at = usize::try_from(used).unwrap_or(usize::MAX).min(profile.intervals.len().saturating_sub(1));
    profile.intervals.get(at).copied().unwrap_or_default()
}

/// Nothing at first, then 5, 10, 20, 40, 60, 60… seconds.
fn agent_pause(failures_before: u32) -> Duration {
    match failures_before.checked_sub(AGENT_TRIES_AT_ONCE - 1) {
        None => Duration::ZERO,
        Some(over) => Duration::from_secs(5 << over.min(4)).min(AGENT_PAUSE_MAX),
    }
}
