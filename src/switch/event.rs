//! What happened, in the past tense: for logs, metrics and event streams (interface.md, Events).

use super::Space;
use crate::callback::task::{CloseReason, MissedBy, Outcome};
use crate::id::{CallRef, Name, RecordingId, TaskId};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // The words are the interface's; their fields name themselves.
pub enum Event {
    CallArrived {
        call: CallRef,
        from: String,
        to: String,
    },
    CallQueued {
        call: CallRef,
        queue: Name,
        position: usize,
        /// 0 before 1 before 9.
        priority: u8,
    },
    CallAbandoned {
        call: CallRef,
        queue: Name,
        wait_secs: u64,
    },
    CallAnswered {
        call: CallRef,
        agent: Name,
        wait_secs: u64,
    },
    /// It ended before an agent had spoken with the caller.
    CallMissed {
        call: CallRef,
        by: MissedBy,
    },
    /// A rule has made a callback of it.
    MissedCallStored {
        call: CallRef,
        task: TaskId,
        queue: Name,
        number: String,
    },
    /// Its callback could not be stored: the disk is full, or failing.
    MissedNotStored {
        call: CallRef,
    },
    /// A rule covers it, but takes no further callback now.
    MissedNotTaken {
        call: CallRef,
        why: NotTaken,
    },
    /// Both sides of a talk go on after a restart.
    CallTakenUp {
        call: CallRef,
    },
    CallEnded {
        call: CallRef,
        cause: &'static str,
    },
    CallbackRequested {
        task: TaskId,
        queue: Name,
        number: String,
    },
    AttemptStarted {
        task: TaskId,
        n: u32,
        agent: Name,
    },
    AttemptEnded {
        task: TaskId,
        n: u32,
        outcome: Outcome,
    },
    CallbackCompleted {
        task: TaskId,
        wait_secs: u64,
    },
    CallbackFailed {
        task: TaskId,
        reason: CloseReason,
    },
    /// Given up, and people are asked to take it up (`no_answer_action = notify`).
    CallbackUnreached {
        task: TaskId,
        queue: Name,
        number: String,
    },
    /// He had answered when the process ended, and nobody knows how it went on: people are asked to decide.
    CallbackLost {
        task: TaskId,
        queue: Name,
        number: String,
    },
    CallbackExpired {
        task: TaskId,
    },
    CallbackCancelled {
        task: TaskId,
        reason: CloseReason,
    },
    /// So many callbacks have slipped away; below zero: were counted twice. Anything but 0 is a fault of ours.
    BooksDiffer {
        missing: i64,
    },
    /// Automatic dialling has stopped, and a person is asked to look.
    BreakerOpened {
        why: &'static str,
    },
    BreakerClosed,
    /// The wall clock was set by so much, and is believed.
    ClockJumped {
        by_secs: i64,
    },
    /// The wall clock was set by so much that nothing is dialled before somebody says that it is right.
    ClockDoubted {
        by_secs: i64,
    },
    /// It is right, or has returned: dialling goes on.
    ClockTrusted,
    /// Rules rest and nothing is dialled (S5.12).
    SiteFrozen,
    /// Dialling is possible again; rules rest until somebody activates them.
    SiteUnfrozen,
    /// A rule that a freeze had disabled works again.
    RuleActivated {
        rule: Name,
    },
    AgentRegistered {
        agent: Name,
        contact: String,
    },
    AgentUnregistered {
        agent: Name,
        contact: String,
    },
    AgentPaused {
        agent: Name,
        reason: String,
    },
    AgentResumed {
        agent: Name,
    },
    /// The secret of an agent's phone is used from a place where none of its phones has been: it may be stolen.
    AgentElsewhere {
        agent: Name,
        address: String,
    },
    /// Calls to the outside from new places are refused, and a person is asked.
    AgentBlocked {
        agent: Name,
        address: String,
    },
    /// A person has said that they are all right.
    AgentTrusted {
        agent: Name,
    },
    /// Another edition of the site holds.
    ConfigChanged,
    RecordingStored {
        recording: RecordingId,
    },
    /// It ended before its call: the disk is nearly full.
    RecordingStopped {
        recording: RecordingId,
    },
    RecordingFailed {
        recording: RecordingId,
    },
    RecordingDeleted {
        recording: RecordingId,
    },
    RecordingNotDeleted {
        recording: RecordingId,
    },
    /// The notice could not be played to its end, so the call is not recorded.
    NoticeFailed {
        call: CallRef,
    },
    /// The call should be recorded and is not, in one word of `view::NotRecorded`.
    NotRecorded {
        call: CallRef,
        why: &'static str,
    },
    /// The disk has more or less room than before.
    DiskSpace {
        space: Space,
    },
    TrunkUp {
        trunk: Name,
    },
    TrunkDown {
        trunk: Name,
        reason: String,
    },
    /// A fault of ours: it has cost this call, or none, and nothing else.
    SwitchFault {
        call: Option<CallRef>,
    },
    /// A SIP message came or left: counted only.
    SipMessage {
        outgoing: bool,
        kind: &'static str,
    },
    /// A message was refused or dropped before it became anything.
    SipRefused {
        why: &'static str,
    },
}

/// Why a missed call that a rule covers is not called back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// `max_pending` callbacks of the rule are open.
    RuleFull,
    /// As many callbacks are open as the whole site may have.
    SiteFull,
}

impl NotTaken {
    /// The word of it in the interface, logs and metrics.
    pub const fn word(self) -> &'static str {
        match self {
            NotTaken::RuleFull => "rule_full",
            NotTaken::SiteFull => "site_full",
        }
    }
}
