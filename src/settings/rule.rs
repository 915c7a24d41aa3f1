//! When a callback is offered or made (model.md: callback_rule).

use super::{DidPattern, Sound};
use crate::id::Name;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What makes a callback possible while one waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// The request key, at any time.
    Key,
    /// An offer after `offer_after`.
    AfterWait,
    /// An announcement, repeated.
    Announced,
    /// An offer as soon as the expected wait is above `min_ewt`.
    Ewt,
}

/// How the number is found out (C2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NumberCapture {
    /// The calling number, at once; a dialogue only when it is withheld.
    AniOnly,
    /// The dialogue of S2.7–S2.11.
    ConfirmOrEnter,
}

/// What happens to an open task of a customer who rings in (interface.md, Settled 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnCallIn {
    /// Closed `customer_called`; the call takes its place in line.
    Cancel,
    /// He is asked: keep it, stay on the line at the same place, change the number, cancel it.
    Menu,
}

/// What creates the tasks of a rule (model.md, callback_rule.source).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleSource {
    /// The key, while waiting.
    QueueRequest,
    /// Lost in a queue (S3.1, S1.B1).
    MissedQueue,
    /// Lost in a menu (S5.5).
    MissedIvr,
    /// Lost at an agent's or a group's phones (S5.4).
    MissedAgent,
    /// By API or CLI.
    Api,
}

/// Where a rule for missed calls holds. All empty: wherever its source is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// These queues, besides those whose `rules` name the rule.
    pub queues: Vec<Name>,
    /// Calls to these numbers.
    pub dids: Vec<DidPattern>,
    /// These menus.
    pub ivrs: Vec<Name>,
    /// These agents.
    pub agents: Vec<Name>,
    /// These groups.
    pub groups: Vec<Name>,
}

/// A second request of one customer (model.md, dedupe).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Dedupe {
    /// The new one takes the earliest place; the older is closed `merged`.
    Merge,
    /// The new one is not taken: there is a promise already.
    Reject,
    /// Both.
    Allow,
}

/// One number in what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DedupeScope {
    /// Anywhere.
    Number,
    /// In the same queue.
    NumberQueue,
}

/// `[[callback_rule]]`: when.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CallbackRule {
    /// Its name.
    pub name: Name,
    /// Off: offers nothing, and its open tasks are cancelled.
    pub enabled: bool,
    /// Takes new requests.
    pub accept: bool,
    /// Dials.
    pub process: bool,
    /// What creates its tasks.
    pub source: RuleSource,
    /// Where it holds, for missed calls.
    pub scope: Scope,
    /// What makes the offer.
    pub triggers: Vec<Trigger>,
    /// The request key.
    pub request_digit: char,
    /// First offer after this wait.
    pub offer_after: Duration,
    /// Then again this often.
    pub offer_repeat: Option<Duration>,
    /// Announce only while no agent is free.
    pub only_when_all_busy: bool,
    /// Announce only with so many ahead.
    pub min_ahead: u32,
    /// Announce only with so long to wait.
    pub min_ewt: Duration,
    /// No offer with longer to wait; `None`: no limit.
    pub max_ewt: Option<Duration>,
    /// Open tasks of this rule at once.
    pub max_pending: Option<u32>,
    /// No request this close before the schedule closes.
    pub close_guard: Duration,
    /// How the number is found out.
    pub number_capture: NumberCapture,
    /// Shortest typed number.
    pub min_digits: u8,
    /// Longest typed number.
    pub max_digits: u8,
    /// Pause between keys that ends an entry.
    pub interdigit: Duration,
    /// The whole dialogue.
    pub entry_total: Duration,
    /// Bad tries before going back to hold.
    pub entry_tries: u8,
    /// Ends an entry; alone: the calling number.
    pub confirm_key: char,
    /// Back to hold.
    pub cancel_key: char,
    /// Typed digits are read back.
    pub read_back: bool,
    /// Missed calls that waited less are misdials.
    pub min_wait: Duration,
    /// Missed calls older than this are let be (S3.10); `None`: the profile's expiry.
    pub max_age: Option<Duration>,
    /// A second request.
    pub dedupe: Dedupe,
    /// Of one number in what.
    pub dedupe_scope: DedupeScope,
    /// Which numbers may be called, by name; `None`: the defaults of the model.
    pub number_policy: Option<Name>,
    /// The profile, by name.
    pub profile: Name,
    /// 1 (first) to 9.
    pub priority: u8,
    /// What the offer says.
    pub prompt_offer: Sound,
    /// What asks for the number.
    pub prompt_confirm: Sound,
    /// The promise.
    pub prompt_accepted: Sound,
    /// After it.
    pub prompt_goodbye: Sound,
    /// The apology.
    pub prompt_unavailable: Sound,
    /// A customer with an open task rings in.
    pub on_call_in: OnCallIn,
}

impl CallbackRule {
    /// A rule on the request key, with the defaults of the model.
    pub fn named(name: &str, profile: &str) -> CallbackRule {
        CallbackRule {
            name: name.into(),
            enabled: true,
            accept: true,
            process: true,
            source: RuleSource::QueueRequest,
            scope: Scope::default(),
            triggers: vec![Trigger::Key],
            request_digit: '1',
            offer_after: Duration::from_secs(600),
            offer_repeat: None,
            only_when_all_busy: true,
            min_ahead: 0,
            min_ewt: Duration::ZERO,
            max_ewt: None,
            max_pending: None,
            close_guard: Duration::from_secs(120),
            number_capture: NumberCapture::ConfirmOrEnter,
            min_digits: 7,
            max_digits: 15,
            interdigit: Duration::from_secs(5),
            entry_total: Duration::from_secs(40),
            entry_tries: 3,
            confirm_key: '#',
            cancel_key: '*',
            read_back: true,
            min_wait: Duration::from_secs(3),
            max_age: None,
            dedupe: Dedupe::Merge,
            dedupe_scope: DedupeScope::NumberQueue,
            number_policy: None,
            profile: profile.into(),
            priority: 5,
            prompt_offer: Sound::BuiltIn,
            prompt_confirm: Sound::BuiltIn,
            prompt_accepted: Sound::BuiltIn,
            prompt_goodbye: Sound::BuiltIn,
            prompt_unavailable: Sound::BuiltIn,
            on_call_in: OnCallIn::Cancel,
        }
    }
}
