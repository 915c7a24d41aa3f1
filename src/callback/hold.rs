//! Why a callback is not being dialled: the exact gate, in one sentence (`held_by`).

use super::ledger::Cap;
use super::task::TaskState;
use crate::id::Name;
use crate::settings::Tz;
use crate::time::{DateTime, Utc};
use chrono::SecondsFormat;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why nothing can be dialled as the site is now: `blocked`, until the site changes. The text comes from the trade
/// that refused (policy, route).
pub type Undialable = String;

/// Why a task is `blocked` until people say what becomes of it: nothing else moves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldReason {
    /// The customer had answered when the process ended, and nobody knows whether they have talked (durability.md
    /// §2.8): he is not rung by himself again.
    LostAfterAnswer,
}

/// The gate that holds a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It is closed.
    Closed(TaskState),
    /// An attempt is under way.
    UnderWay(TaskState),
    /// It is too old and will be closed.
    Expired,
    /// Policy or route.
    Undialable(Undialable),
    /// The profile is disabled, or gone.
    ProfileDisabled(Name),
    /// The rule is disabled, and the task about to be cancelled (S5.9).
    RuleDisabled(Name),
    /// The rule does not dial (`process = false`).
    RuleNotProcessing(Name),
    /// So many attempts were made, and there are no more (law 6).
    UsedUp(u32),
    /// Its time has not come.
    NotBefore(DateTime<Utc>),
    /// Between two attempts.
    Retry(DateTime<Utc>),
    /// Outside calling hours; they begin then.
    OutsideHours(DateTime<Utc>),
    /// The schedule never opens.
    NeverOpen(Name),
    /// These schedules, and the legal window in these zones, have no time in common.
    NeverMeet(Vec<Name>, Vec<Tz>),
    /// Nobody knows what time it is where the customer is (S5.28).
    ZoneUnknown,
    /// The number is left alone after a restart.
    Quarantined(DateTime<Utc>),
    /// Another attempt for the same number is under way (law 2).
    NumberBusy,
    /// The customer is in a call with us.
    CustomerInCall,
    /// `system.max_callback_lines`.
    Lines(u32),
    /// The profile's `max_lines`.
    ProfileLines(Name, u32),
    /// The queue's `max_callbacks`.
    QueueLines(Name, u32),
    /// `system.max_originates_per_min`.
    Rate(u32),
    /// A cap against abuse of the number.
    Capped(Cap),
    /// Nobody is logged in who could serve it.
    NobodyLoggedIn(Name),
    /// Everybody who could serve it is busy.
    AgentsBusy(Name),
    /// Others are ahead.
    Behind(usize),
    /// Left over at the end of the day; people decide (S4.B3).
    Overflow,
    /// He had answered when a restart cut the call; people decide (durability.md §2.8).
    LostAfterAnswer,
    /// The wall clock has jumped: nobody is dialled before the time is confirmed (durability.md §2.10).
    ClockDoubted,
    /// No agent is wanted: the customer is asked first whether he wants another try (S4.5).
    ClientOffer,
    /// The site is frozen (S5.12).
    Frozen,
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |at: &DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        match self {
            Hold::Closed(state) => write!(f, "the callback is {}", state.word()),
            Hold::UnderWay(state) => write!(f, "an attempt is under way ({})", state.word()),
            Hold::Expired => f.write_str("the callback has expired"),
            Hold::Undialable(why) => f.write_str(why),
            Hold::ProfileDisabled(profile) => write!(f, "profile disabled: {profile}"),
            Hold::RuleDisabled(rule) => write!(f, "the rule {rule} is disabled"),
            Hold::RuleNotProcessing(rule) => write!(f, "the rule {rule} does not dial (process = false)"),
            Hold::UsedUp(used) => write!(f, "all {used} attempts are used up"),
            Hold::NotBefore(when) => write!(f, "not to be tried before {}", at(when)),
            Hold::Retry(when) => write!(f, "the next attempt is at {}", at(when)),
            Hold::OutsideHours(when) => write!(f, "outside calling hours until {}", at(when)),
            Hold::NeverOpen(schedule) => write!(f, "the schedule {schedule} never opens"),
            Hold::NeverMeet(schedules, zones) => never_meet(f, schedules, zones),
            Hold::ZoneUnknown => {
                f.write_str("tz_unknown: the number tells no time zone, and the profile has no tz_default")
            }
            Hold::Quarantined(when) => write!(f, "the number is left alone until {} after a restart", at(when)),
            Hold::NumberBusy => f.write_str("another attempt for this number is under way"),
            Hold::CustomerInCall => f.write_str("the customer is in a call with us"),
            Hold::Lines(max) => write!(f, "all {max} callback lines are in use (system.max_callback_lines)"),
            Hold::ProfileLines(profile, max) => write!(f, "all {max} lines of the profile {profile} are in use"),
            Hold::QueueLines(queue, 0) => write!(f, "the queue {queue} makes no callbacks (max_callbacks = 0)"),
            Hold::QueueLines(queue, max) => {
                write!(f, "{max} callbacks of the queue {queue} are under way (max_callbacks)")
            }
            Hold::Rate(max) => write!(f, "{max} callbacks a minute are reached (system.max_originates_per_min)"),
            Hold::Capped(Cap::Daily(max, until)) => {
                write!(f, "the number was dialled {max} times in a day (daily_max); again at {}", at(until))
            }
            Hold::Capped(Cap::Unconfirmed(until)) => {
                write!(f, "nobody has confirmed that this number wants the call: tried again at {}", at(until))
            }
            Hold::Capped(Cap::Block(until)) => {
                write!(f, "numbers like this one were dialled often in the last hour; again at {}", at(until))
            }
            Hold::Capped(Cap::Breaker(why)) => write!(f, "the breaker is open: {why}"),
            Hold::NobodyLoggedIn(queue) => write!(f, "no agent of the queue {queue} is logged in and reachable"),
            Hold::AgentsBusy(queue) => write!(f, "no agent of the queue {queue} is free"),
            Hold::Behind(ahead) => write!(f, "{ahead} ahead in line"),
            Hold::Overflow => f.write_str("left over at the end of the day: keep it or remove it"),
            Hold::LostAfterAnswer => f.write_str(
                "lost_after_answer: the customer had answered when the switch was restarted: keep it or remove it",
            ),
            Hold::ClockDoubted => f.write_str(
                "the clock has jumped: nothing is dialled until it has been steady for a while, or a person resumes",
            ),
            Hold::ClientOffer => f.write_str("the customer is asked first whether he wants another try"),
            Hold::Frozen => f.write_str("the site is frozen"),
        }
    }
}

/// Two zones are named, of a continent the rest are counted.
fn never_meet(f: &mut fmt::Formatter<'_>, schedules: &[Name], zones: &[Tz]) -> fmt::Result {
    let mut parts: Vec<String> = schedules.iter().map(|schedule| format!("the schedule {schedule}")).collect();
    let named: Vec<&str> = zones.iter().take(2).map(|zone| zone.name()).collect();
    match zones.len() {
        0 => {}
        1 | 2 => parts.push(format!("the legal window in {}", named.join(" and "))),
        more => parts.push(format!("the legal window in {} and {} more zones", named.join(", "), more - 2)),
    }
    write!(f, "{} have no time in common", parts.join(" and "))
}
