//! What people and programs ask of a running switch, and what they are told. `web/` and `cli/` speak only this.

use super::{ObjectRecord, view};
use crate::id::{CallRef, RecordingId, TaskId};
use crate::number::Party;
use crate::settings::Settings;
use crate::time::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// `POST /callbacks`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewCallback {
    /// As typed; read with the site's country.
    pub number: String,
    /// Whose line it joins; the only queue when omitted.
    pub queue: Option<String>,
    /// Not before this instant.
    pub not_before: Option<DateTime<Utc>>,
    /// How; the queue's first rule's profile when omitted.
    pub profile: Option<String>,
    /// Only this agent.
    pub agent: Option<String>,
    /// Anything, handed back.
    pub data: Option<serde_json::Value>,
    /// From the `Idempotency-Key` header.
    #[serde(skip)]
    pub idempotency_key: Option<String>,
}

/// A number goes onto the do-not-call list, or off it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeverCall {
    /// As typed; read with the site's country.
    pub number: String,
    /// Why, for the audit log; needed to take it off.
    pub note: Option<String>,
    /// Who does it.
    pub done: Done,
}

/// A person is to be forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forget {
    /// His number.
    pub number: Party,
    /// His callbacks, as the disk knows them.
    pub tasks: Vec<TaskId>,
    /// His recordings.
    pub recordings: Vec<RecordingId>,
    /// Whether he may be called again: his entry on the do-not-call list goes as well.
    pub do_not_call: bool,
}

/// One page of a list: at most `limit`, after `after`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PageOf {
    /// The `next` of the page before.
    pub after: Option<String>,
    /// 1–500; 100 when omitted.
    pub limit: Option<usize>,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// `GET /callbacks`, filtered by state and queue.
    ListCallbacks {
        /// Only these states.
        states: Vec<crate::callback::task::TaskState>,
        /// Only this queue.
        queue: Option<String>,
        /// Which page.
        page: PageOf,
    },
    /// `GET /callbacks/{id}`
    ShowCallback(TaskId),
    /// `POST /callbacks`
    AddCallback(Box<NewCallback>),
    /// `POST /callbacks/{id}/cancel`
    CancelCallback(TaskId),
    /// `POST /callbacks/{id}/now`
    CallbackNow(TaskId),
    /// `POST /callbacks/{id}/keep`: one that is left over, or that a restart has cut, waits again.
    KeepCallback(TaskId),
    /// `POST /callbacks/{id}/postpone`: not before this instant, whatever was planned.
    PostponeCallback(TaskId, DateTime<Utc>),
    /// `GET /do-not-call`
    ListDoNotCall(PageOf),
    /// `POST /do-not-call`: this number is never called again.
    AddDoNotCall(Box<NeverCall>),
    /// `DELETE /do-not-call/{number}`: it may be called again.
    LiftDoNotCall(Box<NeverCall>),
    /// `POST /people/find`: who is meant by this number?
    ShowPerson(String),
    /// `POST /people/erase`: what the switch knows of him goes; his open callbacks are cancelled.
    ForgetPerson(Box<Forget>),
    /// `POST /system/freeze`: rules rest and nothing is dialled.
    Freeze,
    /// `POST /system/unfreeze`: dialling is possible again; the rules rest on.
    Unfreeze,
    /// `POST /rules/{name}/activate`: a rule that a freeze has disabled works again.
    ActivateRule(String),
    /// Another edition of the site: what the store keeps of it changes, then it holds, at once and as a whole.
    Configure(Box<Configure>),
    /// Somebody has done something that is to be remembered.
    Note(Box<Done>),
    /// `GET /audit`, newest first.
    ListAudit(PageOf),
    /// `GET /queues`
    ListQueues,
    /// `GET /queues/{name}`
    ShowQueue(String),
    /// `GET /agents`
    ListAgents,
    /// `POST /agents/{name}/pause`
    PauseAgent {
        /// Who.
        agent: String,
        /// Why.
        reason: Option<String>,
    },
    /// `POST /agents/{name}/resume`
    ResumeAgent(String),
    /// `POST /agents/{name}/logout`: no calls until a phone registers anew, or the agent logs in.
    LogOutAgent(String),
    /// `POST /agents/{name}/trust`: the new addresses of its phones are all right.
    TrustAgent(String),
    /// `GET /trunks`
    ListTrunks,
    /// `POST /trunks/{name}/test`: is it there?
    TestTrunk(String),
    /// `GET /calls`
    ListCalls(PageOf),
    /// `GET /calls/{id}`, with ladder.
    ShowCall(CallRef),
    /// `POST /calls/{id}/hangup`
    HangUpCall(CallRef),
    /// `GET /recordings`
    ListRecordings(PageOf),
    /// `GET /recordings/{id}`
    ShowRecording(RecordingId),
    /// `DELETE /recordings/{id}`
    DeleteRecording(RecordingId),
    /// `POST /recordings/{id}/hold|release`
    HoldRecording {
        /// Which.
        id: RecordingId,
        /// Kept whatever its age, or no longer.
        legal_hold: bool,
    },
    /// Whether new calls are taken and how many run: `/readyz`, and the shell's drain.
    Status,
    /// The breaker was looked at, dialling goes on: `POST /system/breaker/resume`
    ResumeDialling,
    /// Stop taking calls: SIGTERM, `ringback drain`.
    Drain,
    /// The time for draining is over: every call ends, and both its ends are told.
    EndCalls,
    /// Numbers for `/metrics`.
    Gauges,
    /// In builds for tests only: the switch stumbles over its own feet after so many steps of what comes next.
    #[cfg(any(debug_assertions, feature = "interop"))]
    Stumble(u32),
}

/// Another edition of the site.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Configure {
    /// The whole site.
    pub settings: Arc<Settings>,
    /// Objects that are not of the file: new or changed.
    pub put: Vec<ObjectRecord>,
    /// Objects that are not of the file and are gone: table and name.
    pub removed: Vec<(String, String)>,
    /// Who did it, and what.
    pub done: Vec<Done>,
}

impl PartialEq for Configure {
    fn eq(&self, other: &Configure) -> bool {
        Arc::ptr_eq(&self.settings, &other.settings)
            && self.put == other.put
            && self.removed == other.removed
            && self.done == other.done
    }
}

/// What somebody has done; the switch says when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
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

/// What is told.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A page of callbacks.
    Callbacks(view::Page<view::Callback>),
    /// One.
    Callback(Box<view::Callback>),
    /// The site holds, or what was done is noted.
    Stored,
    /// A page of the audit log.
    Audit(view::Page<super::AuditRecord>),
    /// A page of the do-not-call list.
    DoNotCall(view::Page<super::DoNotCall>),
    /// A number that is on it now.
    Never(Box<super::DoNotCall>),
    /// Who is meant by a number.
    Person(Box<super::Person>),
    /// All queues.
    Queues(view::Page<view::Queue>),
    /// One, with who waits.
    Queue(Box<view::Queue>),
    /// All agents.
    Agents(view::Page<view::Agent>),
    /// One.
    Agent(Box<view::Agent>),
    /// All trunks.
    Trunks(view::Page<view::Trunk>),
    /// How a trunk has answered.
    TrunkTest(view::TrunkTest),
    /// A page of calls.
    Calls(view::Page<view::Call>),
    /// One, with ladder.
    Call(Box<view::Call>),
    /// A page of recordings.
    Recordings(view::Page<super::RecordingRecord>),
    /// One.
    Recording(Box<super::RecordingRecord>),
    /// See `Command::Status`.
    Status(view::Status),
    /// See `Command::Gauges`.
    Gauges(Box<view::Gauges>),
    /// It cannot be, and why.
    Refused(Refused),
}

/// Why a command was refused; `web` makes an RFC 9457 problem of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Refused {
    /// No such object: 404.
    NotFound {
        /// "callback", "queue"…
        kind: &'static str,
        /// As asked.
        name: String,
    },
    /// A field is wrong: 422.
    Invalid {
        /// Which.
        field: &'static str,
        /// What about it, in one sentence.
        detail: String,
    },
    /// Not in this state: 409.
    Conflict {
        /// Why, in one sentence.
        detail: String,
    },
    /// The disk did not take it: 503.
    NotStored,
    /// It is in effect, but a restart would undo it until the disk has taken it: 503.
    NotStoredYet,
    /// A fault of ours came in between; whether it was done is to be looked at: 500.
    Fault,
    /// Draining: 503.
    Draining,
}
