//! Which key a record lies under. Keys of one kind share a prefix and sort in the order they are read back.

use crate::callback::task::Attempt;
use crate::id::{AuditId, CallRef, RecordingId, TaskId};
use crate::number::Party;
use crate::registrar::Binding;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Prefix of `Task`s.
pub const TASK: &str = "task/";
/// Prefix of `Attempt`s.
pub const ATTEMPT: &str = "attempt/";
/// Prefix of `Active`s.
pub const ACTIVE: &str = "active/";
/// Prefix of `Binding`s.
pub const BINDING: &str = "binding/";
/// Prefix of `AgentRecord`s.
pub const AGENT: &str = "agent/";
/// Prefix of `RecordingRecord`s.
pub const RECORDING: &str = "recording/";
/// Prefix of the only `SystemRecord`.
pub const SYSTEMS: &str = "system/";
/// The only `SystemRecord`.
pub const SYSTEM: &str = "system/site";
/// Prefix of `DoNotCall`s.
pub const DO_NOT_CALL: &str = "do_not_call/";
/// Prefix of `QueueEntry`s.
pub const ENTRY: &str = "entry/";
/// Prefix of `ObjectRecord`s.
pub const OBJECT: &str = "object/";
/// Prefix of `AuditRecord`s.
pub const AUDIT: &str = "audit/";
/// Prefix of `TalkRecord`s.
pub const TALK: &str = "talk/";
/// Prefix of the only pulse.
pub const PULSES: &str = "pulse/";
/// When the process was last known to live while somebody talked.
pub const PULSE: &str = "pulse/site";
/// Prefix of the only doubt of the clock.
pub const CLOCKS: &str = "clock/";
/// By how much the wall clock is ahead of what is believed.
pub const CLOCK: &str = "clock/site";
/// Prefix of what the view says of itself.
pub const META: &str = "meta/";
/// Up to where the view has followed the journal.
pub const APPLIED: &str = "meta/applied";
/// The number of the last commit, in a store of the time before the journal.
pub const REVISION: &str = "meta/revision";

/// Who is calling this number right now (law 2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Active {
    /// The task.
    pub task: TaskId,
    /// Its attempt.
    pub n: u32,
}

impl Active {
    /// The mark this attempt leaves while it is open.
    pub fn of(attempt: &Attempt) -> Active {
        Active { task: attempt.task, n: attempt.n }
    }
}

/// `task/ID`
pub fn task(id: TaskId) -> String {
    format!("{TASK}{id}")
}

/// `attempt/TASK/N`, with N padded so that the tenth follows the ninth.
pub fn attempt(task: TaskId, n: u32) -> String {
    format!("{ATTEMPT}{task}/{n:010}")
}

/// `active/NUMBER`
pub fn active(number: &Party) -> String {
    format!("{ACTIVE}{number}")
}

/// `binding/EXT/HASH`: the contact is the phone's own text and may be long, so its hash stands for it.
pub fn binding(extension: &str, contact: &str) -> String {
    let hash = Sha256::digest(contact.as_bytes());
    let short = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("{BINDING}{extension}/{short}")
}

/// The key of this binding.
pub fn binding_of(binding: &Binding) -> String {
    self::binding(&binding.extension, &binding.contact)
}

/// `agent/NAME`
pub fn agent(name: &str) -> String {
    format!("{AGENT}{name}")
}

/// `entry/CALL`
pub fn entry(call: CallRef) -> String {
    format!("{ENTRY}{call}")
}

/// `talk/CALL`
pub fn talk(call: CallRef) -> String {
    format!("{TALK}{call}")
}

/// `recording/ID`
pub fn recording(id: RecordingId) -> String {
    format!("{RECORDING}{id}")
}

/// `do_not_call/NUMBER`
pub fn do_not_call(number: &Party) -> String {
    format!("{DO_NOT_CALL}{number}")
}

/// `object/KIND/NAME`
pub fn object(kind: &str, name: &str) -> String {
    format!("{OBJECT}{kind}/{name}")
}

/// `audit/ID`
pub fn audit(id: AuditId) -> String {
    format!("{AUDIT}{id}")
}
