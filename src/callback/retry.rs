//! What follows an attempt: done, given up, or once more, and when.
//!
//! The customer's attempts are counted; what an agent or a restart did to an attempt is not (law 6). A failure of
//! the network is forgiven twice. Agent-side failures put the task back at once, but each further one in a row waits
//! longer, so that one agent who always declines does not spin the switch.

use super::task::{Attempt, AttemptKind, CloseReason, Outcome, Task};
use super::window::{Whom, Window};
use crate::settings::{AfterCutoff, CallbackProfile, NoAnswerAction, OnOutcome, Settings};
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
    /// Everything is used, and the customer himself is asked, not before this instant: `client_offer` (S4.5). The
    /// planner names such tasks by `next_offer`; `client_asks` judges his answer.
    ClientOffer(DateTime<Utc>),
    /// Left over at the end of the day (S4.B3).
    Overflow,
    /// Given up.
    Fail(CloseReason),
    /// Given up, and people are told to take it up: `callback.unreached`.
    Unreached,
    /// Not wanted any more.
    Cancel(CloseReason),
    /// Cannot be dialled as things are.
    Blocked,
    /// He had answered, and nobody knows how it went on: people say what becomes of it.
    Lost,
    /// Closed by what superseded it; nothing follows here.
    Superseded,
}

/// Who asked for another try (S4.3); each failure is rescheduled once, by one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The profile, by itself.
    Auto,
    /// The agent's key.
    Agent,
    /// The customer's key.
    Client,
}

/// The verdict on an attempt that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it counts: `attempts_used` is to be raised by one.
    pub counted: bool,
    /// What follows.
    pub next: Next,
    /// Whose reschedule it is, when one was spent: `reschedules` is to be raised by one.
    pub by: Option<By>,
}

impl Verdict {
    /// One that costs the customer nothing.
    pub const fn uncounted(next: Next) -> Verdict {
        Verdict { counted: false, next, by: None }
    }
}

/// What the customer said to the automated offer of another try (S4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAnswer {
    /// The key: try again.
    Again,
    /// 9: stop calling me.
    Never,
    /// No key, not answered, or no way to ask.
    Nothing,
}

/// Customer dials that a task may have in all (law 6): each accepted offer to the customer adds one, and so does each
/// that people have granted.
pub fn attempts_allowed(profile: &CallbackProfile, task: &Task) -> u32 {
    let granted = task.reschedules.client.saturating_add(task.reschedules.admin);
    profile.attempts_max.saturating_add(granted)
}

/// Whether it has had them all.
pub fn is_used_up(profile: &CallbackProfile, task: &Task) -> bool {
    task.attempts_used >= attempts_allowed(profile, task)
}

/// What is left for one that is used up: to ask the customer, if the profile lets him decide (S4.5, S4.11).
pub fn when_used_up(profile: &CallbackProfile, task: &Task, at: DateTime<Utc>) -> Next {
    let accepted = task.reschedules.client;
    match profile.client_reschedule {
        Some(client) if client.max.is_none_or(|max| accepted < max) => Next::ClientOffer(at),
        Some(_) | None => Next::Fail(CloseReason::MaxAttempts),
    }
}

/// Judges the attempt that ended with `outcome` at `now`; `task` is as it was before (not yet raised).
pub fn after(
    settings: &Settings,
    profile: &CallbackProfile,
    task: &Task,
    history: History,
    outcome: Outcome,
    now: DateTime<Utc>,
) -> Verdict {
    Failure { settings, profile, task, history, outcome, now }.judged(false)
}

/// The same, when the agent has asked for another try with the key (S4.6, S4.6b): what would be rescheduled anyway
/// is rescheduled once, and is the agent's.
pub fn agent_asks(
    settings: &Settings,
    profile: &CallbackProfile,
    task: &Task,
    history: History,
    outcome: Outcome,
    now: DateTime<Utc>,
) -> Verdict {
    Failure { settings, profile, task, history, outcome, now }.judged(profile.agent_reschedule.is_some())
}

/// What follows the automated call that offered the customer another try.
pub fn client_asks(task: &Task, answer: ClientAnswer, now: DateTime<Utc>) -> Verdict {
    match answer {
        // A new attempt, agent first, at the task's old place.
        ClientAnswer::Again => Verdict { counted: false, next: Next::Again(now), by: Some(By::Client) },
        ClientAnswer::Never => Verdict::uncounted(Next::Cancel(CloseReason::Dnc)),
        ClientAnswer::Nothing if task.attempts_used == 0 => Verdict::uncounted(Next::Fail(CloseReason::NotRescheduled)),
        ClientAnswer::Nothing => Verdict::uncounted(Next::Fail(CloseReason::MaxAttempts)),
    }
}

/// An attempt that has ended, and what it is judged by.
struct Failure<'a> {
    settings: &'a Settings,
    profile: &'a CallbackProfile,
    task: &'a Task,
    history: History,
    outcome: Outcome,
    now: DateTime<Utc>,
}

impl Failure<'_> {
    fn judged(&self, asked_by_agent: bool) -> Verdict {
        let rule = match self.outcome {
            Outcome::Success => return Verdict { counted: true, next: Next::Done, by: None },
            Outcome::AgentNoAnswer | Outcome::AgentNoAccept | Outcome::AgentDeclined | Outcome::AgentLeftEarly => {
                return Verdict::uncounted(Next::Again(self.now + agent_pause(self.history.agent_failures)));
            }
            Outcome::SystemRestart => {
                return Verdict::uncounted(Next::Again(after_restart(self.profile.ring_timeout, self.now)));
            }
            Outcome::Blocked => return Verdict::uncounted(Next::Blocked),
            Outcome::Superseded => return Verdict::uncounted(Next::Superseded),
            Outcome::NetworkError if self.history.network_errors < NETWORK_FORGIVEN => {
                let pause = self.profile.on.network.and_then(|on| on.interval).unwrap_or(NETWORK_PAUSE);
                return Verdict::uncounted(Next::Retry(self.now + pause));
            }
            Outcome::ShortTalk
            | Outcome::NoAnswer
            | Outcome::Busy
            | Outcome::Rejected
            | Outcome::InvalidNumber
            | Outcome::NetworkError
            | Outcome::CallerIdRefused
            | Outcome::NotConfirmed
            | Outcome::VoicemailAgent
            | Outcome::CustomerLeftBeforeBridge => self.rule(),
        };
        let (next, by) = self.rescheduled(rule, asked_by_agent);
        Verdict { counted: true, next, by }
    }

    /// What the profile says of this kind of failure.
    fn rule(&self) -> OnOutcome {
        let on = &self.profile.on;
        let said = |action| OnOutcome { action, interval: None };
        match self.outcome {
            Outcome::Busy => on.busy.unwrap_or(said(NoAnswerAction::Retry)),
            Outcome::NoAnswer => on.no_answer.unwrap_or(said(self.profile.no_answer_action)),
            Outcome::Rejected => on.rejected.unwrap_or(said(NoAnswerAction::Retry)),
            Outcome::VoicemailAgent => on.voicemail.unwrap_or(said(NoAnswerAction::Retry)),
            Outcome::InvalidNumber => on.invalid.unwrap_or(said(NoAnswerAction::Fail)),
            Outcome::NetworkError => {
                on.network.unwrap_or(OnOutcome { action: NoAnswerAction::Retry, interval: Some(NETWORK_PAUSE) })
            }
            // Answered but not reached, or a caller ID that another trunk may carry: by the intervals.
            Outcome::ShortTalk
            | Outcome::NotConfirmed
            | Outcome::CustomerLeftBeforeBridge
            | Outcome::CallerIdRefused => said(NoAnswerAction::Retry),
            // `judged` has decided on these already: no rule of the profile is about them.
            Outcome::Success
            | Outcome::AgentNoAnswer
            | Outcome::AgentDeclined
            | Outcome::AgentLeftEarly
            | Outcome::AgentNoAccept
            | Outcome::Blocked
            | Outcome::SystemRestart
            | Outcome::Superseded => said(NoAnswerAction::Retry),
        }
    }

    fn rescheduled(&self, rule: OnOutcome, asked_by_agent: bool) -> (Next, Option<By>) {
        let used = self.task.attempts_used + 1;
        let at = self.now + rule.interval.unwrap_or_else(|| interval(self.profile, used));
        let by = match (asked_by_agent, rule.action, self.profile.auto_reschedule) {
            (true, _, _) => By::Agent,
            (false, NoAnswerAction::Retry, true) => By::Auto,
            (false, NoAnswerAction::Retry, false) => return (self.client_or(at, CloseReason::NotRescheduled), None),
            (false, NoAnswerAction::Fail, _) if self.outcome == Outcome::InvalidNumber => {
                return (Next::Fail(CloseReason::Invalid), None);
            }
            (false, NoAnswerAction::Fail, _) => return (Next::Fail(CloseReason::NoAnswerAction), None),
            (false, NoAnswerAction::Notify, _) => return (Next::Unreached, None),
        };
        if used >= attempts_allowed(self.profile, self.task) {
            return (self.client_or(at, CloseReason::MaxAttempts), None);
        }
        match self.before_cutoff(at) {
            next @ (Next::Overflow | Next::Fail(_)) => (next, None),
            next => (next, Some(by)),
        }
    }

    /// All that the site would do is done: the customer is asked, or it has failed for this reason.
    fn client_or(&self, at: DateTime<Utc>, reason: CloseReason) -> Next {
        match when_used_up(self.profile, self.task, at) {
            Next::ClientOffer(at) => match self.before_cutoff(at) {
                Next::Retry(at) => Next::ClientOffer(at),
                next => next,
            },
            _ => Next::Fail(reason), // Nobody may be asked.
        }
    }

    /// S4.13, C13: a reschedule does not fall within `cutoff` of the end of the target's day.
    fn before_cutoff(&self, at: DateTime<Utc>) -> Next {
        let window = Window::of(self.settings, &Whom::of(self.profile, self.task), self.now);
        let Some(late) = window.cut_off(at, self.profile.cutoff) else { return Next::Retry(at) };
        match self.profile.after_cutoff {
            // Outside hours it waits for them anyway, and for other hours, should the site have them by then.
            AfterCutoff::NextOpen if !window.is_open(at) => Next::Retry(at),
            AfterCutoff::NextOpen => Next::Retry(late.next.unwrap_or(at)),
            AfterCutoff::Overflow => Next::Overflow,
            AfterCutoff::Fail => Next::Fail(CloseReason::Cutoff),
        }
    }
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

/// What becomes of an attempt that a restart found open and cannot take up again (durability.md §2.8): once more after
/// `again`, for nothing that is known has reached the customer; kept, when they had talked long enough; or, when he had
/// answered and no more is known, for people to decide. Who has been reached is not rung again by us.
pub fn interrupted(attempt: &Attempt, again: DateTime<Utc>) -> (Outcome, Verdict) {
    let answered = attempt.customer_leg.as_ref().is_some_and(|leg| leg.answered_at.is_some());
    match (attempt.kept_at, answered, attempt.kind) {
        (Some(_), _, AttemptKind::Agent) => (Outcome::Success, Verdict { counted: true, next: Next::Done, by: None }),
        (_, true, _) => (Outcome::SystemRestart, Verdict::uncounted(Next::Lost)),
        (_, false, AttemptKind::ClientOffer) => {
            // Everything else is used: it is the customer who is asked again.
            (Outcome::SystemRestart, Verdict::uncounted(Next::ClientOffer(again)))
        }
        (None, false, AttemptKind::Agent) => (Outcome::SystemRestart, Verdict::uncounted(Next::Again(again))),
    }
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
