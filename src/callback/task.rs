//! The callback task and its attempts: the promise as it lies on disk. Fields and words are those of `model.md`
//! (callback_task, callback_attempt) and `interface.md` (task states).

pub use super::hold::HoldReason;

use super::promised::Promised;
use crate::id::{AttemptId, CallRef, DialogRecord, Name, RecordingId, TaskId};
use crate::number::Party;
use crate::settings::Settings;
use crate::time::{DateTime, Utc, shifted};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

/// Where a task is on its way. Final states are `Completed`, `Failed`, `Expired` and `Cancelled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Stored; its time has not come.
    Pending,
    /// May be served as soon as an agent is free.
    Due,
    /// An agent is reserved and the attempt is on its way to the disk.
    Reserving,
    /// The agent's phone rings.
    AgentRinging,
    /// The agent has answered (and hears the prompt).
    AgentReady,
    /// The customer's phone rings.
    CustomerRinging,
    /// Bridged.
    Talking,
    /// Its time has come, but outside calling hours.
    Deferred,
    /// Between two attempts.
    WaitingRetry,
    /// Cannot be dialled as things are (route, policy); looked at again when the site changes.
    Blocked,
    /// Waits for the automated offer to a customer who could not be reached (S4.5). During that call it is
    /// `customer_ringing` and `talking` like any other.
    ClientOffer,
    /// Left over at the end of the day (S4.B3).
    Overflow,
    /// Kept.
    Completed,
    /// Given up; `close_reason` says why.
    Failed,
    /// Too old.
    Expired,
    /// Not wanted any more; `close_reason` says by whom.
    Cancelled,
}

impl TaskState {
    /// Every state.
    pub const ALL: [TaskState; 16] = [
        TaskState::Pending,
        TaskState::Due,
        TaskState::Reserving,
        TaskState::AgentRinging,
        TaskState::AgentReady,
        TaskState::CustomerRinging,
        TaskState::Talking,
        TaskState::Deferred,
        TaskState::WaitingRetry,
        TaskState::Blocked,
        TaskState::ClientOffer,
        TaskState::Overflow,
        TaskState::Completed,
        TaskState::Failed,
        TaskState::Expired,
        TaskState::Cancelled,
    ];

    /// Their words.
    pub const WORDS: [&'static str; TaskState::ALL.len()] = {
        let mut words = [""; TaskState::ALL.len()];
        let mut n = 0;
        while n < words.len() {
            words[n] = TaskState::ALL[n].word();
            n += 1;
        }
        words
    };

    /// Whether nothing follows this state.
    pub const fn is_final(self) -> bool {
        matches!(self, TaskState::Completed | TaskState::Failed | TaskState::Expired | TaskState::Cancelled)
    }

    /// The word of `interface.md`.
    pub const fn word(self) -> &'static str {
        match self {
            TaskState::Pending => "pending",
            TaskState::Due => "due",
            TaskState::Reserving => "reserving",
            TaskState::AgentRinging => "agent_ringing",
            TaskState::AgentReady => "agent_ready",
            TaskState::CustomerRinging => "customer_ringing",
            TaskState::Talking => "talking",
            TaskState::Deferred => "deferred",
            TaskState::WaitingRetry => "waiting_retry",
            TaskState::Blocked => "blocked",
            TaskState::ClientOffer => "client_offer",
            TaskState::Overflow => "overflow",
            TaskState::Completed => "completed",
            TaskState::Failed => "failed",
            TaskState::Expired => "expired",
            TaskState::Cancelled => "cancelled",
        }
    }

    /// Whether no agent can give what it waits for.
    const fn rests(self) -> bool {
        matches!(self, TaskState::ClientOffer | TaskState::Overflow)
    }

    /// Whether an attempt is under way.
    pub const fn is_live(self) -> bool {
        matches!(
            self,
            TaskState::Reserving
                | TaskState::AgentRinging
                | TaskState::AgentReady
                | TaskState::CustomerRinging
                | TaskState::Talking
        )
    }
}

/// Why a task is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseReason {
    /// Reached, and talked long enough.
    Success,
    /// `attempts_max` used.
    MaxAttempts,
    /// The number does not exist.
    Invalid,
    /// `no_answer_action`, or `on`, says so.
    NoAnswerAction,
    /// `auto_reschedule` is off, and nobody asked for another try.
    NotRescheduled,
    /// Another try would fall past the cut-off (`after_cutoff = fail`).
    Cutoff,
    /// The customer does not want to be called.
    Dnc,
    /// The site was frozen.
    Frozen,
    /// Older than `expires_after`.
    Expired,
    /// The customer rang us.
    CustomerCalled,
    /// An agent dialled the customer.
    AgentDialled,
    /// By the customer.
    ByCaller,
    /// By API or CLI.
    ByAdmin,
    /// Its rule was disabled.
    RuleDisabled,
    /// Its queue, agent or rule is gone.
    SourceDeleted,
    /// Another task of the same customer took its place.
    Merged,
    /// It came to the disk after the caller had heard that we cannot.
    NotPromised,
}

/// How an attempt ended (model.md; outcomes marked `*` there are not counted).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Talked longer than `success_min_talk`.
    Success,
    /// Answered, but too short.
    ShortTalk,
    /// 480, 408, or our ring timeout.
    NoAnswer,
    /// 486, 600.
    Busy,
    /// 603, 607, 608.
    Rejected,
    /// 404, 410, 484, 604.
    InvalidNumber,
    /// 5xx, no response.
    NetworkError,
    /// 403.
    CallerIdRefused,
    /// Nobody picked up the agent's phone.
    AgentNoAnswer,
    /// The agent declined.
    AgentDeclined,
    /// The agent hung up before the customer answered.
    AgentLeftEarly,
    /// The agent did not press the accept key.
    AgentNoAccept,
    /// The customer answered and was gone before the bridge stood.
    CustomerLeftBeforeBridge,
    /// The customer answered and did not confirm that he wants the call.
    NotConfirmed,
    /// Answered by a machine, says the agent, who pressed the reschedule key.
    VoicemailAgent,
    /// No way to dial.
    Blocked,
    /// We were restarted in the middle.
    SystemRestart,
    /// The customer rang in, or an admin cancelled, while we dialled.
    Superseded,
}

impl Outcome {
    /// The word of the API, of metrics and of logs.
    pub const fn word(self) -> &'static str {
        match self {
            Outcome::Success => "success",
            Outcome::ShortTalk => "short_talk",
            Outcome::NoAnswer => "no_answer",
            Outcome::Busy => "busy",
            Outcome::Rejected => "rejected",
            Outcome::InvalidNumber => "invalid_number",
            Outcome::NetworkError => "network_error",
            Outcome::CallerIdRefused => "caller_id_refused",
            Outcome::AgentNoAnswer => "agent_no_answer",
            Outcome::AgentDeclined => "agent_declined",
            Outcome::AgentLeftEarly => "agent_left_early",
            Outcome::AgentNoAccept => "agent_no_accept",
            Outcome::CustomerLeftBeforeBridge => "customer_left_before_bridge",
            Outcome::NotConfirmed => "not_confirmed",
            Outcome::VoicemailAgent => "voicemail_agent",
            Outcome::Blocked => "blocked",
            Outcome::SystemRestart => "system_restart",
            Outcome::Superseded => "superseded",
        }
    }

    /// Whether attempts that end so may count against `attempts_max` (law 6). Those that do not, never do; whether a
    /// failure of the network does is `retry`'s to say, which forgives the first ones.
    pub const fn may_count(self) -> bool {
        match self {
            Outcome::Success
            | Outcome::ShortTalk
            | Outcome::NoAnswer
            | Outcome::Busy
            | Outcome::Rejected
            | Outcome::InvalidNumber
            | Outcome::NetworkError
            | Outcome::CallerIdRefused
            | Outcome::CustomerLeftBeforeBridge
            | Outcome::NotConfirmed
            | Outcome::VoicemailAgent => true,
            Outcome::AgentNoAnswer
            | Outcome::AgentNoAccept
            | Outcome::AgentDeclined
            | Outcome::AgentLeftEarly
            | Outcome::Blocked
            | Outcome::SystemRestart
            | Outcome::Superseded => false,
        }
    }
}

/// What created the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The key, while waiting.
    QueueRequest,
    /// Lost in a queue.
    MissedQueue,
    /// Lost in a menu.
    MissedIvr,
    /// Lost at an agent's or a group's phones.
    MissedAgent,
    /// The API or the CLI.
    Api,
}

impl Source {
    /// Whether nobody asked for it: a missed call.
    pub const fn is_missed(self) -> bool {
        match self {
            Source::MissedQueue | Source::MissedIvr | Source::MissedAgent => true,
            Source::QueueRequest | Source::Api => false,
        }
    }
}

/// Who missed the call (S5.22).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissedBy {
    /// Its line was not served in time.
    Queue(Name),
    /// Did not answer.
    Agent(Name),
    /// Nobody of it answered.
    Group(Name),
    /// Hung up in it.
    Ivr(Name),
}

/// How we know the number (security.md T33).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumberOrigin {
    /// A trusted trunk, or a phone of ours, signalled it: the caller's own.
    #[default]
    Trusted,
    /// Signalled by a trunk that is not trusted.
    Signalled,
    /// Typed: perhaps somebody else's.
    Typed,
    /// Given by API or CLI.
    Given,
}

/// Reschedules used so far (S4.10, S4.11).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reschedules {
    /// By itself.
    pub auto: u32,
    /// By the agent's key.
    pub agent: u32,
    /// By the customer's key.
    pub client: u32,
    /// By people, who wanted it now although every attempt was used up.
    pub admin: u32,
}

/// A promise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// What created it.
    pub source: Source,
    /// The rule it was requested under; `None` when made by API without one.
    pub rule: Option<Name>,
    /// How it is called back.
    pub profile: Name,
    /// Whose line it stands in.
    pub queue: Name,
    /// Only this agent may serve it.
    pub agent: Option<Name>,
    /// Whom to call.
    pub number: Party,
    /// As typed or signalled.
    pub number_raw: String,
    /// The calling number of the request.
    pub ani: Option<String>,
    /// The number the customer had dialled.
    pub dnis: Option<String>,
    /// The trunk the request came by.
    pub in_trunk: Option<Name>,
    /// Free text of the creator (API `data`).
    pub data: Option<Box<serde_json::Value>>,
    /// The place in line: when the caller joined.
    pub virtual_start: DateTime<Utc>,
    /// 1 (first) to 9.
    pub priority: u8,
    /// Who missed the call, when nobody asked for it.
    #[serde(default)]
    pub missed_by: Option<MissedBy>,
    /// How we know the number.
    #[serde(default)]
    pub number_origin: NumberOrigin,
    /// Whom caps per source count: the calling number, or the API key's name.
    #[serde(default)]
    pub requested_by: Option<String>,
    /// Reschedules used.
    #[serde(default)]
    pub reschedules: Reschedules,
    /// Due since: how long it has yielded to live callers.
    #[serde(default)]
    pub due_since: Option<DateTime<Utc>>,
    /// When it was stored.
    pub created_at: DateTime<Utc>,
    /// Not tried before this instant.
    pub not_before: DateTime<Utc>,
    /// The hour that was promised, when it was one.
    #[serde(default)]
    pub promised: Option<Box<Promised>>,
    /// Given up at this instant (for `expiry_clock = open`: computed from the schedule).
    pub expires_at: Option<DateTime<Utc>>,
    /// Where it is.
    pub state: TaskState,
    /// `blocked` for people, and why.
    #[serde(default)]
    pub hold_reason: Option<HoldReason>,
    /// Attempts that count.
    pub attempts_used: u32,
    /// Attempts in all, counted or not: the number of the last one.
    pub attempts_made: u32,
    /// The call it was requested in.
    pub origin_call: Option<CallRef>,
    /// When it ended.
    pub closed_at: Option<DateTime<Utc>>,
    /// Why it ended.
    pub close_reason: Option<CloseReason>,
    /// The `Idempotency-Key` it was created with.
    pub idempotency_key: Option<String>,
}

impl Task {
    /// A task with nothing but what every one has; it may be tried at once.
    pub fn new(id: TaskId, source: Source, profile: Name, queue: Name, number: Party, at: DateTime<Utc>) -> Task {
        Task {
            id,
            source,
            rule: None,
            profile,
            queue,
            agent: None,
            number_raw: number.to_string(),
            number,
            ani: None,
            dnis: None,
            in_trunk: None,
            data: None,
            virtual_start: at,
            priority: 5,
            missed_by: None,
            number_origin: NumberOrigin::default(),
            requested_by: None,
            reschedules: Reschedules::default(),
            due_since: None,
            created_at: at,
            not_before: at,
            promised: None,
            expires_at: None,
            state: TaskState::Pending,
            hold_reason: None,
            attempts_used: 0,
            attempts_made: 0,
            origin_call: None,
            closed_at: None,
            close_reason: None,
            idempotency_key: None,
        }
    }
}

impl Task {
    /// Whether it waits for something that no agent can give: for the customer's own word, or for people.
    pub const fn rests(&self) -> bool {
        self.state.rests() || self.hold_reason.is_some()
    }

    /// Whether only people go on with it.
    pub const fn is_for_people(&self) -> bool {
        matches!(self.state, TaskState::Overflow) || self.hold_reason.is_some()
    }

    /// The wall clock was set by `by`: it has waited as long as it has, and waits as long as it was to; but what was
    /// promised for an hour stays at that hour.
    pub fn shift(&mut self, by: TimeDelta) {
        self.virtual_start = shifted(self.virtual_start, by);
        self.due_since = self.due_since.map(|at| shifted(at, by));
        if self.promised.is_none() {
            self.not_before = shifted(self.not_before, by);
            self.expires_at = self.expires_at.map(|at| shifted(at, by)); // Else it goes by the hour that was promised.
        }
    }

    /// Names of the site instead of copies of its own, as they come from the disk: there may be a million tasks.
    pub fn share_names(&mut self, settings: &Settings) {
        fn share<'a>(name: &mut Name, of: impl FnOnce(&str) -> Option<&'a Name>) {
            if let Some(shared) = of(name).cloned() {
                *name = shared;
            }
        }
        share(&mut self.queue, |name| settings.queue(name).map(|queue| &queue.name));
        share(&mut self.profile, |name| settings.profile(name).map(|profile| &profile.name));
        if let Some(rule) = &mut self.rule {
            share(rule, |name| settings.rule(name).map(|rule| &rule.name));
        }
        if let Some(trunk) = &mut self.in_trunk {
            share(trunk, |name| settings.trunk(name).map(|trunk| &trunk.name));
        }
        if let Some(agent) = &mut self.agent {
            share(agent, |name| settings.agent(name).map(|agent| &agent.name));
        }
    }
}

/// What is kept of one leg of an attempt.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LegRecord {
    /// Agent or trunk.
    pub peer: String,
    /// Request-URI.
    pub uri: String,
    /// The SIP Call-ID, local and remote tag and branch: enough to CANCEL or BYE it after a restart.
    pub dialog: Option<DialogRecord>,
    /// INVITE sent.
    pub invite_at: Option<DateTime<Utc>>,
    /// First 18x.
    pub ringing_at: Option<DateTime<Utc>>,
    /// 200.
    pub answered_at: Option<DateTime<Utc>>,
    /// Over.
    pub ended_at: Option<DateTime<Utc>>,
    /// Final SIP status, when there was one.
    pub sip_status: Option<u16>,
}

/// What an attempt is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptKind {
    /// An agent first, then the customer.
    #[default]
    Agent,
    /// The automated offer of another try to the customer (S4.5).
    ClientOffer,
}

/// One attempt to keep a promise. Stored before the first INVITE leaves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its id.
    pub id: AttemptId,
    /// Of this task.
    pub task: TaskId,
    /// 1 for the first.
    pub n: u32,
    /// What it is.
    #[serde(default)]
    pub kind: AttemptKind,
    /// The number that is being called: key of `active`.
    pub number: Party,
    /// When the agent was reserved.
    pub loaded_at: DateTime<Utc>,
    /// `ring_timeout` in force, for the quarantine after a restart.
    pub ring_timeout_secs: u64,
    /// The agents' phones, in order: those that are to ring, and those that have.
    pub agent_legs: Vec<LegRecord>,
    /// The customer's.
    pub customer_leg: Option<LegRecord>,
    /// His phones, when he is an extension of ours: those that are to ring for him, each by an INVITE of its own.
    #[serde(default)]
    pub customer_phones: Vec<LegRecord>,
    /// `None` while it is open.
    pub outcome: Option<Outcome>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Bridged talk.
    pub talk_secs: u64,
    /// Since when they have talked longer than `success_min_talk`: stored then, so that a crash does not undo it.
    #[serde(default)]
    pub kept_at: Option<DateTime<Utc>>,
    /// Its recording.
    pub recording: Option<RecordingId>,
}

/// One side of an attempt, as far as the SIP identity of its INVITE is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side<'a> {
    /// The customer, after so many INVITEs by other ways.
    Customer(u32),
    /// A phone of a customer who is an extension of ours.
    CustomerPhone(&'a str),
    /// A phone of an agent.
    Agent(&'a str, &'a str),
}

impl Attempt {
    /// The name from which the SIP identity of one of its legs is derived: another for each leg of each attempt.
    pub fn leg_name(&self, side: Side<'_>) -> String {
        let (task, n) = (self.task, self.n);
        match side {
            Side::Customer(way) => format!("{task} {n} customer {way}"),
            Side::CustomerPhone(contact) => format!("{task} {n} customer phone {contact}"),
            Side::Agent(agent, contact) => format!("{task} {n} agent {agent} {contact}"),
        }
    }

    /// An attempt of `task` that begins, under the number that the task has counted up to.
    pub fn new(id: AttemptId, task: &Task, kind: AttemptKind, ring_timeout_secs: u64, at: DateTime<Utc>) -> Attempt {
        Attempt {
            id,
            task: task.id,
            n: task.attempts_made,
            kind,
            number: task.number.clone(),
            loaded_at: at,
            ring_timeout_secs,
            agent_legs: Vec::new(),
            customer_leg: None,
            customer_phones: Vec::new(),
            outcome: None,
            ended_at: None,
            talk_secs: 0,
            kept_at: None,
            recording: None,
        }
    }
}
