//! An attempt to keep a promise. Agent first, as a rule:
//!
//! `Reserving → AgentRinging → Dialling → CustomerRinging → (Talking) → closed`, or `Telling` when there is something
//! the agent should hear. `first_party = customer` begins with `Dialling`, and he `Holds` until the agent is there; the
//! offer of another try (S4.5) has no agent at all. `Asking` is a question that the customer answers with a key; an
//! offer ends with it.
//!
//! The attempt is on the disk before the first phone rings, and each INVITE to the customer before it leaves
//! (durability.md §2.8). An agent who does not answer costs the customer nothing. Everything here is done as the
//! profile said when the attempt was loaded (C16): the call holds that copy, and the next attempt reads anew.

mod agent_side;
mod customer_side;
mod dialling;
mod ending;
mod keys;
mod offer;

pub(super) use dialling::Dial;

use super::Switch;
use super::call::{Call, Story};
use super::outcome::Ended;
use super::ring::Ring;
use crate::callback::retry::ClientAnswer;
use crate::callback::task::{Attempt, CloseReason, LegRecord, Task, TaskState};
use crate::id::{CallRef, DialogRecord, LegRef, Name, PlayRef, TaskId};
use crate::settings::CallbackProfile;
use crate::time::{Now, Tick};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// An agent who declined a callback is not offered the same one again for so long.
const DECLINED: Duration = Duration::from_secs(60);

/// What an attempt brings with it, from its loading to the end of its talk.
#[derive(Clone, Debug)]
pub(super) struct Loaded {
    /// Its settings as they were then (C16, S5.10).
    pub(super) profile: Arc<CallbackProfile>,
    /// What was said with keys about what follows.
    pub(super) said: Said,
}

/// What agent or customer say about what follows an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Nothing.
    Nothing,
    /// The agent has asked for another try (S4.6).
    AgentAsks,
    /// The customer has answered the offer of another try (S4.5).
    Client(ClientAnswer),
    /// The callback is not wanted any more, whatever came of this attempt.
    Withdrawn(CloseReason),
}

/// An attempt under way, until agent and customer talk.
#[derive(Debug)]
pub(super) struct Attempting {
    pub(super) task: TaskId,
    /// Who is reserved, later the one who has answered; nobody in the offer of another try.
    pub(super) agents: Vec<Name>,
    form: Form,
    /// How the customer may be dialled, the way that is being tried first.
    ways: VecDeque<Dial>,
    /// INVITEs that have left for the customer.
    invites: u32,
    pub(super) stage: Stage,
}

/// Who is called first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    AgentFirst,
    CustomerFirst,
    /// Nobody but the customer: he is offered another try.
    ClientOffer,
}

/// How far it is.
#[derive(Debug)]
pub(super) enum Stage {
    /// The agent is reserved; the attempt is on its way to the disk.
    Reserving,
    /// The agent's phones ring.
    AgentRinging(Ring),
    /// The agent has answered and hears for whom; meanwhile the customer's dialog goes to the disk. Again so when one
    /// way to the customer has failed and the next is tried.
    Dialling {
        /// `None`: the customer is called first.
        agent: Option<LegRef>,
        /// The prompt, until it has been heard.
        play: Option<PlayRef>,
        accept: Accept,
        /// How the customer will be dialled; `None` for an extension.
        dialog: Option<DialogRecord>,
        /// The disk has it.
        stored: bool,
    },
    /// The customer's phone (or phones, for an extension) rings.
    CustomerRinging {
        agent: Option<LegRef>,
        /// A prompt that the agent still hears (`agent_prompt_overlap`).
        play: Option<PlayRef>,
        customers: Vec<LegRef>,
        /// The far end sends its own tone.
        early: bool,
        status: u16,
    },
    /// The customer has answered and is asked whether he wants the call.
    Asking { agent: Option<LegRef>, customer: LegRef, play: Option<PlayRef> },
    /// The customer was called first, and waits for the agent.
    Holds { customer: LegRef, agent: Coming },
    /// It is over for the customer; the agent hears why.
    Telling {
        agent: LegRef,
        play: Option<PlayRef>,
        /// He is kept so long, and may ask for another try.
        until: Tick,
        /// Not judged yet: it depends on him.
        open: Option<Ended>,
        /// A customer who had answered, and what he is told before he is let go.
        customer: Option<(LegRef, PlayRef)>,
    },
}

/// Whether the agent wants the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accept {
    /// He does; having answered may be enough.
    Given,
    /// He has to press a key (S4.7).
    Awaited,
}

/// An agent for whom a customer waits.
#[derive(Debug)]
pub(super) enum Coming {
    /// His phones ring.
    Rings(Ring),
    /// He has answered and has to press a key.
    Accepts { agent: LegRef, play: Option<PlayRef> },
}

impl Attempting {
    pub(super) fn is_agent(&self, leg: LegRef) -> bool {
        match &self.stage {
            Stage::Reserving => false,
            Stage::AgentRinging(ring) | Stage::Holds { agent: Coming::Rings(ring), .. } => ring.has(leg),
            Stage::Dialling { agent, .. } | Stage::CustomerRinging { agent, .. } | Stage::Asking { agent, .. } => {
                *agent == Some(leg)
            }
            Stage::Telling { agent, .. } | Stage::Holds { agent: Coming::Accepts { agent, .. }, .. } => *agent == leg,
        }
    }

    pub(super) fn is_customer(&self, leg: LegRef) -> bool {
        match &self.stage {
            Stage::CustomerRinging { customers, .. } => customers.contains(&leg),
            Stage::Asking { customer, .. } | Stage::Holds { customer, .. } => *customer == leg,
            Stage::Telling { customer, .. } => customer.is_some_and(|(customer, _)| customer == leg),
            Stage::Reserving | Stage::AgentRinging(_) | Stage::Dialling { .. } => false,
        }
    }

    /// Whether the customer has answered, and is on the line for it.
    fn has_customer(&self) -> bool {
        match &self.stage {
            Stage::Asking { .. } | Stage::Holds { .. } => true,
            Stage::Reserving
            | Stage::AgentRinging(_)
            | Stage::Dialling { .. }
            | Stage::CustomerRinging { .. }
            | Stage::Telling { .. } => false,
        }
    }

    /// The agents who are kept free for it while no phone of theirs rings.
    pub(super) fn reserves(&self) -> &[Name] {
        let is_waiting = match &self.stage {
            Stage::Reserving => true,
            Stage::Dialling { agent, .. } | Stage::CustomerRinging { agent, .. } | Stage::Asking { agent, .. } => {
                agent.is_none()
            }
            Stage::AgentRinging(_) | Stage::Holds { .. } | Stage::Telling { .. } => false,
        };
        if is_waiting { &self.agents } else { &[] }
    }

    pub(super) fn word(&self) -> &'static str {
        match self.stage {
            Stage::Reserving | Stage::Dialling { agent: None, .. } => "reserving",
            Stage::AgentRinging(_) | Stage::Holds { .. } => "agent_ringing",
            Stage::Dialling { .. } => "agent_ready",
            Stage::CustomerRinging { .. } => "customer_ringing",
            Stage::Asking { .. } => "confirming",
            Stage::Telling { .. } => "announcement",
        }
    }
}

// --- Where it is ---
impl Switch {
    pub(super) fn advance(&mut self, now: Now, task: TaskId, state: TaskState) {
        let settings = self.settings.clone();
        // Not stored: a restart closes an open attempt wherever it was.
        let _ = self.planner.advance(now.utc, &settings, task, state);
    }

    pub(super) fn attempting(&mut self, id: CallRef) -> Option<&mut Attempting> {
        match &mut self.calls.get_mut(&id)?.story {
            Story::Attempt(attempt) => Some(attempt),
            Story::Waiting(_)
            | Story::Menu(_)
            | Story::Direct(_)
            | Story::Talking(_)
            | Story::Announcing { .. }
            | Story::Over => None,
        }
    }

    /// Whether the customer of this task has answered and is being served: neither a freeze nor another edition of the
    /// site takes that from him (S5.9, S5.12); both hold for what comes after.
    pub(super) fn is_being_kept(&self, task: &Task) -> bool {
        let call = self.attempt_calls.get(&task.id).and_then(|call| self.calls.get(call));
        task.state == TaskState::Talking
            || call.is_some_and(|call| matches!(&call.story, Story::Attempt(attempt) if attempt.has_customer()))
    }

    pub(super) fn set_stage(&mut self, id: CallRef, stage: Stage) {
        if let Some(attempt) = self.attempting(id) {
            attempt.stage = stage;
        }
    }

    pub(super) fn open_attempt(&mut self, task: TaskId) -> Option<&mut Attempt> {
        self.attempts.get_mut(&task)?.last_mut().filter(|attempt| attempt.outcome.is_none())
    }

    pub(super) fn on_customer_leg(&mut self, task: TaskId, change: impl FnOnce(&mut LegRecord)) {
        if let Some(leg) = self.open_attempt(task).and_then(|attempt| attempt.customer_leg.as_mut()) {
            change(leg);
        }
    }

    /// What was said with keys in this call.
    pub(super) fn said(&self, id: CallRef) -> Said {
        self.calls.get(&id).and_then(|call| call.loaded.as_ref()).map_or(Said::Nothing, |loaded| loaded.said)
    }

    /// Says what follows the attempt of this call.
    pub(super) fn say_of(&mut self, id: CallRef, said: Said) {
        if let Some(loaded) = self.calls.get_mut(&id).and_then(|call| call.loaded.as_mut()) {
            loaded.said = said;
        }
    }

    /// The profile as it was when the call's attempt was loaded.
    pub(super) fn loaded(&self, id: CallRef) -> Option<Arc<CallbackProfile>> {
        self.calls.get(&id)?.loaded.as_ref().map(|loaded| loaded.profile.clone())
    }

    pub(super) fn queue_of(&self, id: CallRef) -> Option<&crate::settings::Queue> {
        self.calls.get(&id).and_then(|call: &Call| self.settings.queue(call.queue.as_ref()?))
    }
}
