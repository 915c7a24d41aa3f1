//! How a callback is made (model.md: callback_profile).

use super::{Hours, Sound, Tz};
use crate::id::Name;
use chrono::NaiveTime;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What follows an attempt that found nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoAnswerAction {
    /// By `intervals`.
    Retry,
    /// The task fails.
    Fail,
    /// The task fails, and people are told to take it up (`callback.unreached`).
    Notify,
}

/// What `on` says of one kind of failure, instead of the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnOutcome {
    /// What follows.
    pub action: NoAnswerAction,
    /// After how long; `None`: by `intervals`.
    pub interval: Option<Duration>,
}

/// `on`: what follows each kind of failure; `None`: the default of the model (busy and no answer as
/// `no_answer_action` and `intervals` say, invalid fails, rejected retries, network retries after 60 s and is not
/// counted twice).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct On {
    /// 486, 600.
    pub busy: Option<OnOutcome>,
    /// Rang out.
    pub no_answer: Option<OnOutcome>,
    /// 603 and its like.
    pub rejected: Option<OnOutcome>,
    /// A machine, says the agent.
    pub voicemail: Option<OnOutcome>,
    /// The trunk failed.
    pub network: Option<OnOutcome>,
    /// No such number.
    pub invalid: Option<OnOutcome>,
}

/// Who is called first (C8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FirstParty {
    /// The agent.
    Agent,
    /// The customer.
    Customer,
}

/// Whether the agent presses a key before the customer is dialled (C9, S4.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AgentAccept {
    /// No: answering is enough.
    Auto,
    /// Yes.
    Key {
        /// This one.
        key: char,
        /// Within this of having heard what the call is.
        within: Duration,
    },
}

/// The agent asks for another try (S4.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentReschedule {
    /// With this key.
    pub key: char,
    /// So long the agent is kept after the customer could not be reached, and may press it.
    pub after_fail: Duration,
}

/// The automated call that offers a customer another try (S4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientReschedule {
    /// With this key; 9 means never again.
    pub key: char,
    /// So often; `None`: as often as he likes (S4.11).
    pub max: Option<u32>,
}

/// To whose callbacks the legal window applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LegalWindowApplies {
    /// Those who did not ask for it.
    Missed,
    /// Everybody's.
    All,
    /// Nobody's.
    None,
}

/// Whose zone the legal window is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TzMode {
    /// The number's zones, else `tz_default`.
    NumberThenDefault,
    /// `tz_default`.
    DefaultOnly,
}

/// When there is no zone (S5.28).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TzUnknown {
    /// Nothing is dialled.
    Block,
    /// `system.default_timezone` is used.
    UseDefault,
}

/// A reschedule that would fall too close to closing (C13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AfterCutoff {
    /// Waits for the next opening.
    NextOpen,
    /// Goes to the daily overflow (S4.B3).
    Overflow,
    /// Fails.
    Fail,
}

/// Which number is shown to the customer (C14).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallerIdMode {
    /// The number the customer had called, when it is ours.
    DnisElseFixed,
    /// Always `caller_id`.
    Fixed,
}

/// Who serves the callback (C17).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServedBy {
    /// The queue of the request.
    Same,
    /// This queue.
    Queue(Name),
    /// This agent.
    Agent(Name),
    /// The agent, queue or group that missed the call; after `owner_wait` anybody of the queue.
    MissedBy,
}

/// How long a promise lives, and by which clock (C12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExpiryClock {
    /// Only while the schedule is open.
    Open,
    /// Always.
    Wall,
}

/// `[[callback_profile]]`: how.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CallbackProfile {
    /// Its name.
    pub name: Name,
    /// Off: nothing is dialled, tasks show why.
    pub enabled: bool,
    /// Who is called first.
    pub first_party: FirstParty,
    /// Who serves.
    pub destination: ServedBy,
    /// How long one waits for the agent who missed it.
    pub owner_wait: Duration,
    /// Which number is shown.
    pub caller_id_mode: CallerIdMode,
    /// The fixed one, by label.
    pub caller_id: Option<Name>,
    /// Put in front of the number before the outbound routes are asked.
    pub dial_prefix: String,
    /// Trunks in order, instead of the route's.
    pub trunks: Vec<Name>,
    /// Customer dials in all (1–20).
    pub attempts_max: u32,
    /// `[0]` before the first, `[i]` after attempt i; the last repeats.
    pub intervals: Vec<Duration>,
    /// How long the customer rings (1–120 s).
    pub ring_timeout: Duration,
    /// After no answer.
    pub no_answer_action: NoAnswerAction,
    /// What follows each kind of failure.
    pub on: On,
    /// Another try is scheduled by itself after a failure (S4.4).
    pub auto_reschedule: bool,
    /// The agent may ask for another try; `None`: not.
    pub agent_reschedule: Option<AgentReschedule>,
    /// The customer may, when all else is used; `None`: not.
    pub client_reschedule: Option<ClientReschedule>,
    /// Whether the agent presses a key first.
    pub agent_accept: AgentAccept,
    /// What the agent hears first.
    pub agent_prompt: Sound,
    /// The customer is dialled during that prompt.
    pub agent_prompt_overlap: bool,
    /// What the customer hears on answering.
    pub customer_prompt: Sound,
    /// Bridged talk longer than this is success; zero: the answer itself.
    pub success_min_talk: Duration,
    /// Life of a task; `None`: no limit.
    pub expires_after: Option<Duration>,
    /// By which clock.
    pub expiry_clock: ExpiryClock,
    /// When it may dial; `None`: always.
    pub schedule: Option<Name>,
    /// No reschedule this close to the end of the target's day.
    pub cutoff: Duration,
    /// What happens to one that would.
    pub after_cutoff: AfterCutoff,
    /// Hours of the customer's day in which he may be called.
    pub legal_window: Hours,
    /// Whose callbacks it holds for.
    pub legal_window_applies: LegalWindowApplies,
    /// Whose zone it is in.
    pub tz_mode: TzMode,
    /// The selected zone, when the number tells none.
    #[serde(with = "crate::zone::maybe_named")]
    pub tz_default: Option<Tz>,
    /// Neither selected nor detected.
    pub tz_unknown: TzUnknown,
    /// Live callers of its queues first; `None`: so for missed calls and not for requests.
    pub yield_to_live: Option<bool>,
    /// No longer than this.
    pub yield_max: Duration,
    /// Attempts of this profile at once.
    pub max_lines: Option<u32>,
    /// Before everybody else.
    pub priority_boost: bool,
    /// Record the call.
    pub record: bool,
    /// Recorded also when the disk is so full that others are not (durability.md §2.12).
    pub record_required: bool,
    /// What the customer hears before it is recorded.
    pub record_notice: Sound,
    /// Its recordings are kept so long.
    pub retention: Duration,
}

impl CallbackProfile {
    /// A profile with the defaults of the model.
    pub fn named(name: &str) -> CallbackProfile {
        let hour = |hour| NaiveTime::from_hms_opt(hour, 0, 0).expect("8 and 21 are hours");
        CallbackProfile {
            name: name.into(),
            enabled: true,
            first_party: FirstParty::Agent,
            destination: ServedBy::Same,
            owner_wait: Duration::from_secs(300),
            caller_id_mode: CallerIdMode::DnisElseFixed,
            caller_id: None,
            dial_prefix: String::new(),
            trunks: Vec::new(),
            attempts_max: 3,
            intervals: vec![Duration::ZERO, Duration::from_secs(900)],
            ring_timeout: Duration::from_secs(30),
            no_answer_action: NoAnswerAction::Retry,
            on: On::default(),
            auto_reschedule: true,
            agent_reschedule: Some(AgentReschedule { key: '9', after_fail: Duration::from_secs(8) }),
            client_reschedule: None,
            agent_accept: AgentAccept::Auto,
            agent_prompt: Sound::BuiltIn,
            agent_prompt_overlap: false,
            customer_prompt: Sound::BuiltIn,
            success_min_talk: Duration::from_secs(5),
            expires_after: Some(Duration::from_secs(86_400)),
            expiry_clock: ExpiryClock::Open,
            schedule: None,
            cutoff: Duration::ZERO,
            after_cutoff: AfterCutoff::NextOpen,
            legal_window: Hours { start: hour(8), end: hour(21) },
            legal_window_applies: LegalWindowApplies::Missed,
            tz_mode: TzMode::NumberThenDefault,
            tz_default: None,
            tz_unknown: TzUnknown::Block,
            yield_to_live: None,
            yield_max: Duration::from_secs(1_800),
            max_lines: None,
            priority_boost: false,
            record: false,
            record_required: false,
            record_notice: Sound::BuiltIn,
            retention: Duration::from_secs(90 * 86_400),
        }
    }
}
