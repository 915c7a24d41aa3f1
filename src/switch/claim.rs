//! The place of a promise in its line, and when it claims its turn: every open one has a place, but only those that are
//! due are before anybody (model.md, Order of service). Whatever changes a task says so here.

use super::Switch;
use crate::callback::planner::yields_to_live;
use crate::callback::task::{Task, TaskState};
use crate::id::TaskId;
use crate::queue::line::{Claim, Joining, Kind};

impl Switch {
    /// Takes a task out of its queue's line: it is closed, or waits for something that no agent can give.
    pub(super) fn out_of_line(&mut self, task: &Task) {
        if let Some(line) = self.lines.get_mut(&task.queue)
            && let Some(ticket) = line.ticket_of(task.id)
        {
            line.leave(ticket);
        }
    }

    /// Gives a task its place in its queue's line, if it has none yet.
    pub(super) fn line_up(&mut self, task: &Task) {
        if task.rests() {
            return;
        }
        let claim = self.claim_of(task);
        let Some(line) = self.lines.get_mut(&task.queue) else { return };
        let joining = Joining {
            kind: Kind::Promise(task.id),
            priority: task.priority,
            virtual_start: task.virtual_start,
            agent: task.agent.clone(),
        };
        // A promise is always taken, whatever the line's length (law 1).
        if let Ok(ticket) = line.join(&mut self.tickets, joining) {
            line.set_claim(ticket, claim);
        }
    }

    /// The state of a task is another: whether its turn may come now.
    pub(super) fn claim_anew(&mut self, id: TaskId) {
        let Some(task) = self.planner.get(id) else { return };
        let claim = self.claim_of(task);
        if let Some(line) = self.lines.get_mut(&task.queue)
            && let Some(ticket) = line.ticket_of(id)
        {
            line.set_claim(ticket, claim);
        }
    }

    /// What a task asks of its line: those that are due are candidates (model.md, Order of service), unless its rule or
    /// profile dials none. One under way is being kept already, and nobody waits for that.
    fn claim_of(&self, task: &Task) -> Claim {
        let rests = task.rule.as_deref().and_then(|rule| self.settings.rule(rule)).is_some_and(|rule| !rule.process);
        let profile = self.settings.profile(&task.profile).filter(|profile| profile.enabled && !rests);
        match (task.state, profile) {
            (TaskState::Due, Some(profile)) if yields_to_live(profile, task, self.seen.utc) => Claim::Yields,
            (TaskState::Due, Some(_)) => Claim::Now,
            (TaskState::Due, None)
            | (
                TaskState::Pending
                | TaskState::Deferred
                | TaskState::WaitingRetry
                | TaskState::Blocked
                | TaskState::ClientOffer
                | TaskState::Overflow
                | TaskState::Reserving
                | TaskState::AgentRinging
                | TaskState::AgentReady
                | TaskState::CustomerRinging
                | TaskState::Talking
                | TaskState::Completed
                | TaskState::Failed
                | TaskState::Expired
                | TaskState::Cancelled,
                _,
            ) => Claim::Later,
        }
    }
}
