//! Service: whenever somebody waits and somebody is free, the two find each other ("Order of service" in model.md).
//! The order is the line's and the choice `distribute`'s; here are the gates that only the switch can see.

use super::Switch;
use super::call::Story;
use super::legs::Who;
use crate::agent::{Agent, State};
use crate::callback::task::Task;
use crate::id::{CallRef, Name};
use crate::number::Party;
use crate::queue::distribute::{self, Gates, Served};
use crate::queue::line::{Entry, Kind};
use crate::queue::{Idle, Turn};
use crate::settings::{Member, Pick, Queue};
use crate::time::Now;
use std::collections::BTreeMap;

/// What service remembers.
#[derive(Debug, Default)]
pub(super) struct Service {
    /// Whom each queue has offered a call last (`round_robin`).
    offered: BTreeMap<Name, Name>,
}

struct SwitchGates<'a> {
    switch: &'a Switch,
    now: Now,
}

impl Gates for SwitchGates<'_> {
    fn open(&self, _queue: &Name, entry: &Entry) -> bool {
        match entry.kind {
            Kind::Live(call) => self.switch.calls.get(&call).is_some_and(|call| match &call.story {
                Story::Waiting(waiting) => waiting.ring.is_none() && !waiting.offer.is_confirmed(),
                Story::Menu(_)
                | Story::Direct(_)
                | Story::Attempt(_)
                | Story::Talking(_)
                | Story::Announcing { .. }
                | Story::Over => false,
            }),
            Kind::Promise(task) => {
                let settings = &self.switch.settings;
                !self.switch.draining
                    && self.switch.planner.may_begin(self.now.utc, settings, task).is_ok()
                    && self.switch.planner.get(task).is_some_and(|task| self.switch.can_reach(task))
            }
        }
    }

    fn owners(&self, _queue: &Name, _entry: &Entry) -> Option<Vec<Idle>> {
        None
    }

    fn preferred(&self, _queue: &Name, _entry: &Entry) -> Option<Name> {
        None
    }

    fn suits(&self, entry: &Entry, agent: &Name) -> bool {
        match entry.kind {
            Kind::Live(call) => {
                let caller = self.switch.calls.get(&call).and_then(|call| match &call.story {
                    Story::Waiting(waiting) => self.switch.legs.get(&waiting.caller),
                    Story::Menu(_)
                    | Story::Direct(_)
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
            if !self.agents.values().any(|desk| *desk.state() == State::Ready) {
                break;
            }
            let chance = self.chance();
            let served: Vec<Served<'_>> =
                self.settings.queues.iter().filter_map(|queue| self.served(queue, chance, now)).collect();
            let gates = SwitchGates { switch: self, now };
            let Some(pick) = distribute::next(&served, now.tick, &gates) else { break };
            if let [agent] = pick.agents.as_slice() {
                self.service.offered.insert(pick.queue.clone(), agent.clone());
            }
            match pick.kind {
                Kind::Live(call) => self.ring_for_caller(now, call, &pick.agents),
                Kind::Promise(task) => self.begin_attempt(now, task, &pick.queue, pick.ticket, &pick.agents),
            }
        }
    }

    fn served(&self, queue: &Queue, chance: u64, now: Now) -> Option<Served<'_>> {
        let line = self.lines.get(&queue.name).filter(|line| !line.is_empty())?;
        let last = self.service.offered.get(&queue.name);
        let turn = Turn {
            strategy: queue.strategy,
            last: last.and_then(|last| queue.members.iter().position(|member| member.agent == *last)),
            chance,
        };
        Some(Served { line, ready: self.ready_in(&queue.name, &queue.members, now), turn, weight: queue.weight })
    }

    /// Drawn only where a queue leaves its choice to chance.
    fn chance(&mut self) -> u64 {
        let is_wanted = self.settings.queues.iter().any(|queue| queue.strategy.pick == Pick::Random);
        if is_wanted { self.entropy.next_u64() } else { 0 }
    }

    /// Members of a queue that may be offered a call now.
    pub(super) fn ready_in(&self, queue: &Name, members: &[Member], now: Now) -> Vec<Idle> {
        members
            .iter()
            .enumerate()
            .filter_map(|(place, member)| {
                let desk = self.agents.get(&member.agent).filter(|desk| desk.takes(queue, now.tick))?;
                Some(Idle { tier: member.tier, level: self.level_of(member), ..idle(desk, place, now) })
            })
            .collect()
    }

    /// How well a member is suited to its queue: by the skill that the queue names, else by its level there.
    fn level_of(&self, member: &Member) -> u8 {
        match &member.skill {
            Some(skill) => {
                let agent = self.settings.agent(&member.agent);
                agent.and_then(|agent| agent.skills.get(skill)).copied().unwrap_or(0)
            }
            None => member.level,
        }
    }

    /// An agent has let this call ring: others are asked before it is asked again.
    pub(super) fn tried(&mut self, id: CallRef, agent: &Name) {
        let Some(call) = self.calls.get(&id) else { return };
        let Some(line) = call.queue.as_ref().and_then(|queue| self.lines.get_mut(queue)) else { return };
        let ticket = match (&call.story, call.task) {
            (Story::Waiting(waiting), _) => Some(waiting.ticket),
            (_, Some(task)) => line.ticket_of(task), // Every other story of a queue is that of a callback.
            (_, None) => None,
        };
        if let Some(ticket) = ticket {
            line.tried(ticket, agent);
        }
    }
}

fn idle(desk: &Agent, place: usize, now: Now) -> Idle {
    Idle {
        last_call: desk.last_call(),
        calls_today: desk.calls_today(now),
        ..Idle::of(desk.name(), place, desk.idle_since())
    }
}
