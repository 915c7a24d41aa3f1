//! The seam between the switch and whatever runs it: the shell, a test, a replay. Inputs and outputs are values.

use super::clock::DoubtRecord;
use super::{KeptCaller, Space, TalkRecord, command, event};
use crate::agent::places::Places;
use crate::callback::task::{Attempt, LegRecord, Task};
use crate::entropy::Secret;
use crate::id::{AuditId, CallRef, CommitRef, LookupRef, Name, RecordingId, ReplyTo, Shard, TaskId};
use crate::media;
use crate::number::Party;
use crate::registrar::Binding;
use crate::sip::flow::{Flow, Received};
use crate::time::{DateTime, Utc};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What reaches the switch.
#[derive(Debug)]
pub enum Input {
    /// The instant of `poll_timeout` has come.
    Timeout,
    /// A SIP message, parsed off this thread; or why it could not be.
    Sip(Box<Received>),
    /// A flow cannot be written to any more (ICMP, TCP reset).
    FlowLost(Flow),
    /// A lookup is done: flows to try, in order; empty when the name leads nowhere.
    Located(LookupRef, Vec<Flow>),
    /// From a media shard.
    Media(Shard, media::Event),
    /// A commit is on the disk, or is not.
    Committed(CommitRef, Result<Revision, NotStored>),
    /// A recording's file is closed, or is not.
    Recorded(Recorded),
    /// A recording's files are gone, or could not be deleted.
    Erased(RecordingId, Result<(), RecordingFailed>),
    /// The disk of the data directory was looked at.
    Space(Space),
    /// A person or a program asks.
    Command(command::Command, ReplyTo),
}

/// What the switch asks for.
#[derive(Debug)]
pub enum Output {
    /// A SIP message leaves.
    Send(Flow, Bytes),
    /// Where is this host? Answered by `Input::Located`.
    Locate(LookupRef, Wanted),
    /// To a media shard.
    Media(Shard, media::Command),
    /// All or nothing, and on the disk before it is answered.
    Commit(CommitRef, Vec<Change>),
    /// A recording's files are to be deleted: its time is over, or a person says so.
    Erase(RecordingId),
    /// To whoever gave the command.
    Reply(ReplyTo, command::Reply),
    /// Something happened: logs, metrics, event streams.
    Publish(event::Event),
}

/// A host to be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// The store's state after a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Revision(pub u64);

/// Why a commit did not reach the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NotStored {
    /// No room.
    Full,
    /// A write or sync failed, or took too long.
    Failed,
    /// Less than the reserve is free (interface.md, Settled 13): no new promises.
    Reserve,
}

/// One typed change; the store maps it to keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Change {
    /// A task as it is now.
    PutTask(Box<Task>),
    /// An attempt as it is now; while it is open its number is `active`.
    PutAttempt(Box<Attempt>),
    /// A phone is reachable here.
    PutBinding(Binding),
    /// No longer.
    RemoveBinding {
        /// Of this extension.
        extension: Name,
        /// This contact.
        contact: String,
    },
    /// An agent's own choices.
    PutAgent(AgentRecord),
    /// A recording and its consent.
    PutRecording(Box<RecordingRecord>),
    /// A customer wants no more callbacks.
    PutDoNotCall(DoNotCall),
    /// A person has lifted it.
    RemoveDoNotCall(Party),
    /// What lies over the site's settings.
    PutSystem(SystemRecord),
    /// A caller waits in line.
    PutEntry(Box<QueueEntry>),
    /// No longer.
    RemoveEntry(CallRef),
    /// An object of the site as it is now.
    PutObject(Box<ObjectRecord>),
    /// It is gone.
    RemoveObject {
        /// Its table.
        kind: String,
        /// Its name.
        name: String,
    },
    /// What somebody has done.
    PutAudit(Box<AuditRecord>),
    /// Two parties talk, and how the next life could go on with them.
    PutTalk(Box<TalkRecord>),
    /// They do not any more.
    RemoveTalk(CallRef),
    /// Somebody talks, and this life saw to it then.
    PutPulse(DateTime<Utc>),
    /// By how much the wall clock is doubted.
    PutDoubt(DoubtRecord),
}

impl Change {
    /// What it is about, in a word.
    pub const fn word(&self) -> &'static str {
        match self {
            Change::PutTask(_) => "callback",
            Change::PutAttempt(_) => "attempt",
            Change::PutBinding(_) => "binding",
            Change::RemoveBinding { .. } => "no binding",
            Change::PutAgent(_) => "agent",
            Change::PutRecording(_) => "recording",
            Change::PutDoNotCall(_) => "do not call",
            Change::RemoveDoNotCall(_) => "call again",
            Change::PutSystem(_) => "system",
            Change::PutEntry(_) => "caller in line",
            Change::RemoveEntry(_) => "caller out of line",
            Change::PutObject(_) => "object",
            Change::RemoveObject { .. } => "no object",
            Change::PutAudit(_) => "audit",
            Change::PutTalk(_) => "talk",
            Change::RemoveTalk(_) => "no talk",
            Change::PutPulse(_) => "pulse",
            Change::PutDoubt(_) => "doubt of the clock",
        }
    }
}

/// An object of the site that is not of its file: made by API or page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObjectRecord {
    /// Its table: `queue`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What was said of it, secrets included.
    pub fields: serde_json::Map<String, serde_json::Value>,
}

/// Who has done what, when, and from where (security.md, audit log).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// Its own, by time.
    pub id: AuditId,
    /// When.
    pub at: DateTime<Utc>,
    /// Who: the name of an API key, or `admin`.
    pub who: String,
    /// From which address.
    pub from: Option<String>,
    /// What: `put`, `delete`, `apply`, `freeze`, `listen`.
    pub what: String,
    /// With what: `queue/support`.
    pub object: Option<String>,
    /// In a sentence; never a secret.
    pub detail: Option<String>,
}

/// What operators have switched, over the site's settings, and a restart must not forget (S5.12).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemRecord {
    /// Nothing is offered or dialled.
    pub frozen: bool,
    /// Rules that a freeze has disabled and nobody has activated since.
    pub resting: BTreeSet<Name>,
    /// When a person last let dialling go on after the breaker had stopped it; what was dialled before is not held
    /// against anybody again.
    #[serde(default)]
    pub resumed_at: Option<DateTime<Utc>>,
    /// The version of the tz database by which promised hours were last made instants.
    #[serde(default)]
    pub zones: String,
}

/// What an agent has chosen and a restart must not forget.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentRecord {
    /// Who.
    pub agent: Name,
    /// Takes queue calls when reachable.
    pub logged_in: bool,
    /// Does not for now, with reason.
    pub paused: Option<String>,
    /// Queues logged out of, while calls of others are taken.
    #[serde(default)]
    pub not_in: Vec<Name>,
    /// Queues of which no calls are taken for now.
    #[serde(default)]
    pub not_ready_in: Vec<Name>,
    /// Where its phones have been.
    #[serde(default)]
    pub places: Places,
}

/// This number is never to be called again: its customer has said so (S4.5, security.md T33), or a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DoNotCall {
    /// Which number.
    pub number: Party,
    /// When it was said.
    pub at: DateTime<Utc>,
    /// By the customer, in a call for this callback.
    pub task: Option<TaskId>,
    /// By this person or program: the name of an API key, or `admin`.
    #[serde(default)]
    pub who: Option<String>,
    /// Why.
    #[serde(default)]
    pub note: Option<String>,
}

/// A caller in line, stored on joining: one found at start was lost by us and is a missed call (S3.2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueueEntry {
    /// His call.
    pub call: CallRef,
    /// Whom to call back.
    pub number: Party,
    /// As signalled.
    pub ani: String,
    /// What he dialled.
    pub dnis: String,
    /// The trunk he came by.
    pub in_trunk: Name,
    /// Whose line.
    pub queue: Name,
    /// When his call began.
    pub arrived_at: DateTime<Utc>,
    /// The place in line, which may be older than the call.
    pub virtual_start: DateTime<Utc>,
    /// 1 (first) to 9.
    pub priority: u8,
    /// Phones of agents that were rung for him last.
    #[serde(default)]
    pub ringing: Vec<LegRecord>,
    /// His leg, once he has acknowledged our answer: the next life can go on with him.
    #[serde(default)]
    pub caller: Option<KeptCaller>,
}

/// A recording on disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordingRecord {
    /// Its id and file stem.
    pub id: RecordingId,
    /// The call's.
    pub call: CallRef,
    /// The callback it belongs to.
    pub task: Option<TaskId>,
    /// Agent, on the left.
    pub agent: Option<Name>,
    /// The other party, on the right.
    pub number: String,
    /// First sample.
    pub started_at: DateTime<Utc>,
    /// Last sample.
    pub ended_at: Option<DateTime<Utc>>,
    /// Samples per channel at 8 kHz.
    pub samples: u64,
    /// Whether the notice was played to its end before the first sample.
    pub notice_played: bool,
    /// How the other party was told that it is recorded.
    #[serde(default)]
    pub consent: Consent,
    /// Stretches in which silence was taped.
    #[serde(default)]
    pub pauses: Vec<Pause>,
    /// Deleted then; `None`: never (older records, until they are looked at).
    #[serde(default)]
    pub retain_until: Option<DateTime<Utc>>,
    /// Kept whatever its age.
    #[serde(default)]
    pub legal_hold: bool,
    /// When the audio was deleted; the record stays.
    #[serde(default)]
    pub deleted_at: Option<DateTime<Utc>>,
    /// Why it ended before its call.
    #[serde(default)]
    pub stopped: Option<Stopped>,
    /// Relative to the data directory; `None` while it is being written or when it failed.
    pub path: Option<String>,
    /// Octets of the file.
    pub bytes: u64,
}

/// Why a recording ended before its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stopped {
    /// The disk was nearly full.
    DiskSpace,
}

/// How somebody was told that the call is recorded (model.md, recording.consent).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// The prompt that said so; `None`: the admin has acknowledged that none is due.
    pub prompt: Option<String>,
    /// When it began.
    pub played_at: Option<DateTime<Utc>>,
    /// Whether it was played to its end.
    pub complete: bool,
}

impl Consent {
    /// What these clips, if any, will have said.
    pub(super) fn by(notice: &[Name]) -> Consent {
        Consent { prompt: notice.last().map(ToString::to_string), ..Consent::default() }
    }
}

/// A stretch of a recording that is silent because the agent wanted it so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Since.
    pub from: DateTime<Utc>,
    /// Until; `None`: to the end.
    pub until: Option<DateTime<Utc>>,
}

/// A recording's file is closed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// Which.
    pub id: RecordingId,
    /// Path relative to the data directory, samples per channel and octets; `Err` when it could not be written.
    pub file: Result<RecordedFile, RecordingFailed>,
}

/// The finished file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordedFile {
    /// `recordings/YYYY/MM/DD/ID.wav`
    pub path: String,
    /// Samples per channel.
    pub samples: u64,
    /// Octets.
    pub bytes: u64,
}

/// The recorder could not write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingFailed;

/// What the store hands back at start.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Restored {
    /// Open tasks, and the remembered closed ones.
    pub tasks: Vec<Task>,
    /// Their attempts, in order.
    pub attempts: Vec<Attempt>,
    /// Phones that had registered.
    pub bindings: Vec<Binding>,
    /// Choices of agents.
    pub agents: Vec<AgentRecord>,
    /// Recordings.
    pub recordings: Vec<RecordingRecord>,
    /// What lies over the settings.
    pub system: SystemRecord,
    /// Numbers that are never called.
    pub do_not_call: Vec<DoNotCall>,
    /// Callers who were in line when the process ended.
    pub entries: Vec<QueueEntry>,
    /// Objects of the site that are not of its file. The shell has read them into the settings.
    pub objects: Vec<ObjectRecord>,
    /// What has been done lately.
    pub audit: Vec<AuditRecord>,
    /// What the SIP identities of attempts are derived from: the data directory's own.
    #[serde(default)]
    pub secret: Secret,
    /// Who talked when the process ended.
    #[serde(default)]
    pub talks: Vec<TalkRecord>,
    /// When it was last known to live while somebody talked.
    #[serde(default)]
    pub pulse: Option<DateTime<Utc>>,
    /// By how much the wall clock was doubted.
    #[serde(default)]
    pub doubt: DoubtRecord,
    /// What the wall clock showed, believed or not, when the last commit had been written; `None`: nothing says so that
    /// is as old as the doubt.
    #[serde(default)]
    pub shown: Option<DateTime<Utc>>,
}

/// Why `poll_timeout` wants to be called back: for logs and for the simulator's heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A SIP timer.
    Sip,
    /// A registration or a trunk.
    Registration,
    /// A call's own timer: ring, wrap-up, dialogue.
    Call,
    /// A callback becomes due, expires, or its window opens.
    Callback,
    /// A recording's time is over.
    Retention,
}
