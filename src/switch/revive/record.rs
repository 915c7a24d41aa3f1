//! A talk as it lies on disk: who talks with whom, what follows when they part, and both legs.

use super::super::call::Kind;
use super::super::legs::KeptLeg;
use super::super::talk::Purpose;
use crate::id::{AttemptId, CallRef, Name, RecordingId, TaskId};
use crate::number::Party;
use crate::time::{DateTime, Utc, shifted};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

/// Two parties who talk. Written when they are joined and when something lasting changes, never for a packet or a
/// message; what is missing of it, the next life makes up for by margins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TalkRecord {
    /// Their call.
    pub call: CallRef,
    /// The callback that is being kept.
    pub task: Option<TaskId>,
    /// By which attempt; of another one of the same task it says nothing. `None`: written by an older version.
    #[serde(default)]
    pub attempt: Option<AttemptId>,
    /// How it is kept.
    pub(super) profile: Option<Name>,
    pub(super) kind: Kind,
    pub(super) purpose: Purpose,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) customer: Option<Party>,
    pub(super) ani: String,
    pub(super) in_trunk: Option<Name>,
    pub(super) queue: Option<Name>,
    pub(super) agent: Option<Name>,
    pub(super) origin: Option<CallRef>,
    pub(super) started_at: DateTime<Utc>,
    pub(super) answered_at: Option<DateTime<Utc>>,
    pub(super) joined_at: DateTime<Utc>,
    /// The tape that runs.
    pub(super) recording: Option<RecordingId>,
    /// The agent has asked for another try (S4.6).
    pub(super) agent_asks: bool,
    /// Written then; sequence numbers go on from here.
    pub(super) saved_at: DateTime<Utc>,
    /// `a` and `b` of the talk.
    pub(super) legs: [KeptLeg; 2],
}

impl TalkRecord {
    /// The wall clock was set: what was so long ago still is.
    pub(super) fn shift(&mut self, by: TimeDelta) {
        self.started_at = shifted(self.started_at, by);
        self.answered_at = self.answered_at.map(|at| shifted(at, by));
        self.joined_at = shifted(self.joined_at, by);
        self.saved_at = shifted(self.saved_at, by);
    }

    /// The same with all that every message changes left out: when nothing else differs, it need not be written again.
    pub(super) fn lasting(&self) -> TalkRecord {
        let [a, b] = &self.legs;
        TalkRecord { saved_at: self.joined_at, legs: [a.lasting(), b.lasting()], ..self.clone() }
    }
}
