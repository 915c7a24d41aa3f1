//! What people and programs see of the switch: plain values that serialise to the API's JSON (interface.md).

use super::{Books, Space};
use crate::callback::task::{Attempt, Task};
use crate::id::{CallRef, Name, RecordingId, TaskId};
use crate::time::{DateTime, Utc};
use serde::Serialize;

/// A list as the API shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Page<T> {
    /// The objects.
    pub items: Vec<T>,
    /// Cursor of the next page; `null` on the last.
    pub next: Option<String>,
}

/// A callback with its attempts.
#[derive(Clone, Debug, Serialize)]
pub struct Callback {
    /// The task's own fields.
    #[serde(flatten)]
    pub task: Task,
    /// Its attempts, in order.
    pub attempts: Vec<Attempt>,
    /// The gate that holds it right now, in one sentence; `null` when nothing does.
    pub held_by: Option<String>,
    /// When it may be tried next.
    pub next_at: Option<DateTime<Utc>>,
    /// Its place among everybody who waits in its queue, from 1.
    pub position: Option<usize>,
    /// The time zones in which the number may be, by its prefix.
    pub zones: Vec<&'static str>,
}

/// A queue.
#[derive(Clone, Debug, Serialize)]
pub struct Queue {
    /// Its name.
    pub name: Name,
    /// What phones dial.
    pub number: Name,
    /// Callers, and promises that are due.
    pub waiting_count: usize,
    /// Live callers among them.
    pub live_count: usize,
    /// Longest wait of a live caller.
    pub longest_wait_secs: u64,
    /// How soon callers were answered, since the process began.
    pub service_level: ServiceLevel,
    /// Its agents.
    pub agents: Vec<Member>,
    /// Who waits, in order of service; only in `GET /queues/{name}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Vec<Waiting>>,
}

/// How soon callers of a queue were answered, since the process began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ServiceLevel {
    /// The goal in seconds; `null`: there is none, and `in_time` stays zero.
    pub sla_secs: Option<u64>,
    /// Answered by an agent.
    pub answered: u64,
    /// Of these, within the goal.
    pub in_time: u64,
    /// Hung up, or waited as long as they may.
    pub abandoned: u64,
}

/// An agent of a queue.
#[derive(Clone, Debug, Serialize)]
pub struct Member {
    /// Who.
    pub name: Name,
    /// As in `Agent`.
    pub state: &'static str,
}

/// One in line: a caller, or a promise that is due. Promises whose time has not come, or which are being kept, are
/// before nobody and not among these; their places show in no position until they are due (`GET /callbacks`).
#[derive(Clone, Debug, Serialize)]
pub struct Waiting {
    /// From 1.
    pub position: usize,
    /// Who.
    pub number: String,
    /// `live` or `callback`.
    pub kind: &'static str,
    /// Since when, across the hang-up.
    pub wait_secs: u64,
    /// How long it will still take at the recent pace of the queue; `null` while nobody was served lately.
    pub expected_wait_secs: Option<u64>,
    /// The promise, when it is one.
    pub callback: Option<TaskId>,
    /// The call, when it is one.
    pub call: Option<CallRef>,
}

/// An agent.
#[derive(Clone, Debug, Serialize)]
pub struct Agent {
    /// Who.
    pub name: Name,
    /// What phones dial.
    pub extension: Name,
    /// logged_out, not_ready, ready, reserved, ringing, queue_call, other_call, wrap_up, unreachable.
    pub state: &'static str,
    /// Pause reason.
    pub reason: Option<String>,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Queues.
    pub queues: Vec<Name>,
    /// Those of them it has logged out of, while it is logged in.
    pub not_in: Vec<Name>,
    /// Those of them it takes no calls of for now; a pause of all is `reason`.
    pub not_ready_in: Vec<Name>,
    /// Phones: contact, where it is reached, until when.
    pub contacts: Vec<Contact>,
    /// Networks from which the secret of its phones was used and that nobody has trusted yet.
    pub new_addresses: Vec<String>,
    /// Whether calls to the outside from there are refused until somebody does.
    pub blocked: bool,
}

/// A phone's binding.
#[derive(Clone, Debug, Serialize)]
pub struct Contact {
    /// Contact URI.
    pub uri: String,
    /// Where it is reached.
    pub flow: String,
    /// Until when.
    pub expires_at: DateTime<Utc>,
    /// What it calls itself.
    pub user_agent: Option<String>,
}

/// A trunk.
#[derive(Clone, Debug, Serialize)]
pub struct Trunk {
    /// Its name.
    pub name: Name,
    /// peer or register.
    pub mode: &'static str,
    /// registered, up or down.
    pub state: &'static str,
    /// Why it is down, in one sentence.
    pub reason: Option<String>,
    /// Calls now.
    pub calls: usize,
    /// When it registers or pings next.
    pub next_at: Option<DateTime<Utc>>,
}

/// How a trunk has answered OPTIONS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TrunkTest {
    /// Its name.
    pub name: Name,
    /// Whether anybody did: every status is a sign of life.
    pub answered: bool,
    /// The final status.
    pub status: Option<u16>,
    /// The same in words.
    pub told: String,
    /// How long it took.
    pub took_ms: u64,
}

/// A call.
#[derive(Clone, Debug, Serialize)]
pub struct Call {
    /// Its id.
    pub id: CallRef,
    /// inbound, callback, internal, outbound.
    pub kind: &'static str,
    /// The customer, or the calling agent.
    pub from: String,
    /// What was dialled.
    pub to: String,
    /// In one word: ringing, waiting, talking, ended…
    pub state: &'static str,
    /// Queue.
    pub queue: Option<Name>,
    /// Agent who talks or talked.
    pub agent: Option<Name>,
    /// The callback it belongs to, or that was made of it.
    pub callback: Option<TaskId>,
    /// The call that it returns: the request, or the missed call.
    pub origin_call: Option<CallRef>,
    /// Arrived or dialled.
    pub started_at: DateTime<Utc>,
    /// Answered by a person.
    pub answered_at: Option<DateTime<Utc>>,
    /// Over.
    pub ended_at: Option<DateTime<Utc>>,
    /// Why, one word of `EndCause`.
    pub end_cause: Option<&'static str>,
    /// Its recording.
    pub recording: Option<RecordingId>,
    /// Why there is none, although there should be.
    pub not_recorded: Option<NotRecorded>,
    /// Messages, one line each; only in `GET /calls/{id}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ladder: Option<Vec<LadderStep>>,
}

/// Why a call that should be recorded is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NotRecorded {
    /// The disk is nearly full (durability.md §2.12).
    DiskSpace,
    /// The notice could not be played to its end (S5.27).
    NoticeFailed,
}

impl NotRecorded {
    /// The word of it in the interface.
    pub const fn word(self) -> &'static str {
        match self {
            NotRecorded::DiskSpace => "disk_space",
            NotRecorded::NoticeFailed => "notice_failed",
        }
    }

    /// The same for people.
    pub(super) const fn told(self) -> &'static str {
        match self {
            NotRecorded::DiskSpace => "the disk is nearly full",
            NotRecorded::NoticeFailed => "the notice could not be played",
        }
    }
}

/// One arrow of a ladder.
#[derive(Clone, Debug, Serialize)]
pub struct LadderStep {
    /// When.
    pub at: DateTime<Utc>,
    /// `caller`, `anna`, `ringback`, `carrier`…
    pub from: String,
    /// The other end.
    pub to: String,
    /// `INVITE (SDP)`, `200 OK`, or what the switch did.
    pub what: String,
}

/// Whether calls are taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// SIGTERM or `drain` was given.
    pub draining: bool,
    /// Calls now.
    pub calls: usize,
    /// The last commit reached the disk.
    pub store_ok: bool,
    /// How much room the disk has.
    pub space: Space,
    /// Why automatic dialling has stopped and waits for a person; `null` when it has not.
    pub breaker: Option<&'static str>,
    /// Nothing is offered or dialled (S5.12).
    pub frozen: bool,
    /// Rules that a freeze has disabled; each is to be activated by hand.
    pub resting_rules: Vec<Name>,
    /// The tz database in force: `2026e (built in)`.
    pub time_zones: String,
    /// By how much the wall clock is ahead of what is believed, while nothing is dialled for it; `null` when it is
    /// right.
    pub clock_doubted_secs: Option<i64>,
}

/// Numbers for `/metrics`.
#[derive(Clone, Debug, Default)]
pub struct Gauges {
    /// What has become of all callbacks.
    pub books: Books,
    /// queue, waiting, longest wait in seconds.
    pub queues: Vec<(Name, usize, u64)>,
    /// queue, service level.
    pub levels: Vec<(Name, ServiceLevel)>,
    /// queue, state, agents.
    pub agents: Vec<(Name, &'static str, usize)>,
    /// queue, state, callbacks.
    pub callbacks: Vec<(Name, &'static str, usize)>,
    /// kind, calls.
    pub calls: Vec<(&'static str, usize)>,
    /// trunk, up.
    pub trunks: Vec<(Name, bool)>,
}

/// A method's name as metrics carry it: the known ones, and one word for all others.
pub(super) fn method_word(method: &crate::sip::message::Method) -> &'static str {
    use rsip::Method as M;
    match method {
        crate::sip::message::Method::Known(known) => match known {
            M::Ack => "ACK",
            M::Bye => "BYE",
            M::Cancel => "CANCEL",
            M::Info => "INFO",
            M::Invite => "INVITE",
            M::Message => "MESSAGE",
            M::Notify => "NOTIFY",
            M::Options => "OPTIONS",
            M::PRack => "PRACK",
            M::Publish => "PUBLISH",
            M::Refer => "REFER",
            M::Register => "REGISTER",
            M::Subscribe => "SUBSCRIBE",
            M::Update => "UPDATE",
        },
        crate::sip::message::Method::Other(_) => "other",
    }
}
