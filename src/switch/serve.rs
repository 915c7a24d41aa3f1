//! Service: whenever somebody waits and somebody is free, the two find each other ("Order of service" in model.md).
//! The order is the line's and the choice `distribute`'s; here are the gates that only the switch can see.

use super::Switch;
use super::call::Story;
use super::legs::Who;
use crate::callback::task::Task;
use crate::id::Name;
use crate::number::Party;
use crate::queue::distribute::{self, Gates, Idle, Served};
use crate::queue::line::{Entry, Kind};
use crate::settings::Member;
use crate::time::Now;

struct SwitchGates<'a> {
    switch: &'a Switch,
    now: Now,
}

impl Gates for SwitchGates<'_> {
    fn open(&self, _queue: &Name, entry: &Entry) -> bool {
        match entry.kind {
            Kind::Live(call) => self.switch.calls.get(&call).is_some_and(|call| match &call.story {
                Story::Waiting(waiting) => waiting.ring.is_none() && !waiting.offer.is_confirmed(),
                Story::Direct(_) | Story::Attempt(_) | Story::Talking(_) | Story::Announcing { .. } | Story::Over => {
                    false
                }
            }),
            Kind::Promise(task) => {
                let settings = &self.switch.settings;
                !self.switch.draining
                    && self.switch.planner.may_begin(self.now.utc, settings, task).is_ok()
                    && self.switch.planner.get(task).is_some_and(|task| self.switch.can_reach(task))
            }
        }
    }

    fn suits(&self, entry: &Entry, agent: &Name) -> bool {
        match entry.kind {
            Kind::Live(call) => {
                let caller = self.switch.calls.get(&call).and_then(|call| match &call.story {
                    Story::Waiting(waiting) => self.switch.legs.get(&waiting.caller),
                    Story::Direct(_)
                    | Story::Attempt(_)
                    | Story::Talking(_)
                    | Story::Announcing { .. }
                    | Story::Over => None,
                });
                caller.is_some_and(|leg| leg.who != Who::Agent(agent.clone()))
            }
            // Nobody is called back to his own extension (interface.md).
            Kind::Promise(task) => self.switch.planner.get(task).is_some_and(|task| match &task.number {
                Party::Number(_) => true,
                Party::Extension(extension) => {
                    self.switch.settings.agent(agent).is_none_or(|agent| *agent.extension != **extension)
                }
            }),
        }
    }
}

impl Switch {
    /// Whether the customer can be dialled this moment: not on the line with us, and a way out that is up.
    pub(super) fn can_reach(&self, task: &Task) -> bool {
        if self.on_line.has(&task.number) {
            return false;
        }
        let Some(profile) = self.settings.profile(&task.profile) else { return false };
        match &task.number {
            Party::Number(_) => self.way_out(&task.number, &profile.dial_prefix, &profile.trunks).is_some(),
            Party::Extension(extension) => self.registrar.bindings(extension).next().is_some(),
        }
    }

    /// Serves until nobody can be served.
    pub(super) fn serve(&mut self, now: Now) {
        loop {
            self.refresh_desks(now);
            let served: Vec<Served<'_>> = self
                .settings
                .queues
                .iter()
                .filter_map(|queue| {
                    let line = self.lines.get(&queue.name).filter(|line| !line.is_empty())?;
                    Some(Served { line, ready: self.ready_in(&queue.name, &queue.members, now) })
                })
                .collect();
            let gates = SwitchGates { switch: self, now };
            let Some(pick) = distribute::next(&served, now.tick, &gates) else { break };
            match pick.kind {
                Kind::Live(call) => self.ring_for_caller(now, call, &pick.agent),
                Kind::Promise(task) => self.begin_attempt(now, task, &pick.queue, pick.ticket, &pick.agent),
            }
        }
    }

    /// Members of a queue that may be offered a call now.
    pub(super) fn ready_in(&self, queue: &Name, members: &[Member], now: Now) -> Vec<Idle> {
        members
            .iter()
            .filter_map(|member| self.agents.get(&member.agent))
            .filter(|desk| desk.takes(queue, now.tick))
            .map(|desk| Idle { agent: desk.name().clone(), since: desk.idle_since() })
            .collect()
    }
}
