//! Service: whenever somebody waits and somebody is free, the two find each other ("Order of service" in model.md).
//! The order is the line's and the choice `distribute`'s; here are the gates that only the switch can see.

use super::Switch;
use super::call::Story;
use super::legs::Who;
use crate::agent::{Agent, State};
use crate::callback::planner;
use crate::callback::task::{MissedBy, Task, TaskState};
use crate::id::{CallRef, Name};
use crate::number::Party;
use crate::policy;
use crate::queue::distribute::{self, Gates, Served};
use crate::queue::line::{Entry, Kind, Line};
use crate::queue::{Idle, Turn};
use crate::settings::{CallbackProfile, ListKind, Member, Pick, Queue, ServedBy};
use crate::time::{DateTime, Now, Tick, Utc};
use chrono::SecondsFormat;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::Duration;

/// The priority class of a VIP; only `priority_boost` comes before it.
const VIP: u8 = 1;

struct SwitchGates<'a> {
    switch: &'a Switch,
    now: Now,
    /// Agents for whom somebody waits on the phone, in a queue of theirs.
    wanted: BTreeSet<&'a Name>,
    /// When the first of the gates that were shut opens by itself, or the first exclusion ends.
    look: Cell<Option<Tick>>,
}

impl<'a> SwitchGates<'a> {
    fn new(switch: &'a Switch, now: Now) -> SwitchGates<'a> {
        SwitchGates { switch, now, wanted: switch.wanted(), look: Cell::new(None) }
    }

    fn task(&self, entry: &Entry) -> Option<(&'a Task, &'a CallbackProfile)> {
        let Kind::Promise(task) = entry.kind else { return None };
        let task = self.switch.planner.get(task)?;
        Some((task, self.switch.settings.profile(&task.profile)?))
    }

    fn party(&self, entry: &Entry) -> Option<&'a Party> {
        match entry.kind {
            Kind::Live(call) => self.switch.calls.get(&call)?.customer.as_ref(),
            Kind::Promise(task) => self.switch.planner.get(task).map(|task| &task.number),
        }
    }

    /// Whether this instant is still to come; if so, it is worth another look then.
    fn is_before(&self, until: DateTime<Utc>) -> bool {
        let is_before = self.now.utc < until;
        if is_before {
            self.look_again(self.switch.tick_of(until));
        }
        is_before
    }

    /// Agents of these, in this order, who may be offered a call now, whatever queues they are members of.
    fn ready_of<'n>(&self, queue: &Name, agents: impl IntoIterator<Item = &'n Name>) -> Vec<Idle> {
        let desks = agents.into_iter().filter_map(|agent| self.switch.agents.get(agent)).enumerate();
        let ready = desks.filter(|(_, desk)| desk.takes(queue, self.now.tick));
        ready.map(|(place, desk)| idle(desk, place, self.now)).collect()
    }
}

impl Gates for SwitchGates<'_> {
    fn open(&self, _queue: &Name, entry: &Entry) -> bool {
        match entry.kind {
            Kind::Live(call) => {
                self.switch.waiting(call).is_some_and(|it| it.ring.is_none() && !it.offer.is_confirmed())
            }
            Kind::Promise(task) => {
                let settings = &self.switch.settings;
                self.switch.planner.may_begin(self.now.utc, settings, task).is_ok()
                    && self.switch.planner.get(task).is_some_and(|task| self.switch.can_reach(task))
            }
        }
    }

    fn owners(&self, queue: &Name, entry: &Entry) -> Option<Vec<Idle>> {
        if let Some((task, profile)) = self.task(entry) {
            if let Some(agent) = &task.agent {
                return Some(self.ready_of(queue, [agent]));
            }
            if let Some(owners) = self.switch.missed_by(task, profile)
                && self.is_before(due_since(task) + profile.owner_wait)
            {
                return Some(self.ready_of(queue, owners));
            }
        }
        let only = self.switch.only_for(self.party(entry)?, self.now.utc)?;
        Some(self.ready_of(queue, only))
    }

    fn preferred(&self, queue: &Name, entry: &Entry) -> Option<Name> {
        let days = self.switch.settings.queue(queue)?.sticky_days;
        self.switch.service.knows(self.party(entry)?, self.now.utc, days).cloned()
    }

    fn look_again(&self, at: Tick) {
        self.look.set(Some(self.look.get().map_or(at, |before| before.min(at))));
    }

    fn suits(&self, entry: &Entry, agent: &Name) -> bool {
        if let Kind::Live(call) = entry.kind {
            let caller = self.switch.waiting(call).and_then(|waiting| self.switch.legs.get(&waiting.caller));
            return caller.is_some_and(|leg| leg.who != Who::Agent(agent.clone()));
        }
        let Some((task, profile)) = self.task(entry) else { return false };
        // S5.6: whoever waits on the phone for this agent comes first, though not for ever.
        if self.wanted.contains(agent) && planner::yields_to_live(profile, task, self.now.utc) {
            self.is_before(due_since(task) + profile.yield_max);
            return false;
        }
        match &task.number {
            Party::Number(_) => true,
            // Nobody is called back to his own extension (interface.md).
            Party::Extension(extension) => {
                self.switch.settings.agent(agent).is_none_or(|agent| *agent.extension != **extension)
            }
        }
    }
}

/// Since when a task could have been served.
fn due_since(task: &Task) -> DateTime<Utc> {
    task.due_since.unwrap_or(task.not_before)
}

impl Switch {
    /// Agents for whom somebody waits on the phone, in a queue of theirs.
    fn wanted(&self) -> BTreeSet<&Name> {
        let waits = |queue: &&Queue| self.lines.get(&queue.name).is_some_and(Line::has_waiting);
        let queues = self.settings.queues.iter().filter(waits);
        let wanted = queues.flat_map(|queue| {
            let members = queue.members.iter().map(|member| &member.agent);
            members.filter(|agent| self.agents.get(*agent).is_some_and(|desk| desk.is_in(&queue.name)))
        });
        wanted.collect()
    }

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

    /// Who missed the call of this task and is to make good for it: an agent, or the agents of a group (S5.22).
    pub(super) fn missed_by(&self, task: &Task, profile: &CallbackProfile) -> Option<&[Name]> {
        match (&profile.destination, task.missed_by.as_ref()?) {
            (ServedBy::MissedBy, MissedBy::Agent(agent)) => {
                self.settings.agent(agent).map(|agent| std::slice::from_ref(&agent.name))
            }
            (ServedBy::MissedBy, MissedBy::Group(group)) => {
                self.settings.group(group).map(|group| group.agents.as_slice())
            }
            // The line itself is the destination.
            (ServedBy::MissedBy, MissedBy::Queue(_) | MissedBy::Ivr(_)) => None,
            (ServedBy::Same | ServedBy::Queue(_) | ServedBy::Agent(_), _) => None,
        }
    }

    /// Who may serve a task now, whatever they do: its owner, who missed it, who alone serves its number, or the
    /// members of its queue.
    pub(super) fn servers_of(&self, task: &Task, now: Now) -> Vec<&Name> {
        if let Some(agent) = &task.agent {
            return self.settings.agent(agent).map(|agent| &agent.name).into_iter().collect();
        }
        let profile = self.settings.profile(&task.profile);
        let owners = profile.filter(|profile| now.utc < due_since(task) + profile.owner_wait);
        let owners = owners.and_then(|profile| self.missed_by(task, profile));
        if let Some(owners) = owners.or_else(|| self.only_for(&task.number, now.utc)) {
            return owners.iter().collect();
        }
        let queue = self.settings.queue(&task.queue);
        queue.into_iter().flat_map(|queue| queue.members.iter().map(|member| &member.agent)).collect()
    }

    /// For whom a due task waits although nothing else holds it: live callers, or the agent who missed the call.
    pub(super) fn waits_for(&self, task: &Task, now: Now) -> Option<String> {
        let profile = self.settings.profile(&task.profile).filter(|_| task.state == TaskState::Due)?;
        let until = |wait: Duration| (due_since(task) + wait).to_rfc3339_opts(SecondsFormat::Secs, true);
        if planner::yields_to_live(profile, task, now.utc) && self.callers_come_first(task, now) {
            return Some(format!("callers on the phone come first until {}", until(profile.yield_max)));
        }
        let owners = self.missed_by(task, profile).filter(|_| now.utc < due_since(task) + profile.owner_wait)?;
        let names: Vec<&str> = owners.iter().map(|agent| &**agent).collect();
        Some(format!("kept for {} until {}", names.join(", "), until(profile.owner_wait)))
    }

    /// Whether each agent who could take this task now is wanted by somebody on the phone, in any queue of his; when
    /// all are busy, whether each of them who is there is.
    fn callers_come_first(&self, task: &Task, now: Now) -> bool {
        let wanted = self.wanted();
        let takes = |agent: &Name| self.agents.get(agent).is_some_and(|desk| desk.takes(&task.queue, now.tick));
        let (free, others): (Vec<&Name>, Vec<&Name>) = self.servers_of(task, now).into_iter().partition(|it| takes(it));
        let busy = others.into_iter().filter(|agent| self.is_there(agent, &task.queue));
        let asked: Vec<&Name> = if free.is_empty() { busy.collect() } else { free };
        !asked.is_empty() && asked.into_iter().all(|agent| wanted.contains(agent))
    }

    /// The agents who alone serve this number (S2.B7), if a list says so.
    fn only_for(&self, party: &Party, at: DateTime<Utc>) -> Option<&[Name]> {
        let Party::Number(number) = party else { return None };
        self.settings.number_lists.iter().find_map(|entry| match &entry.kind {
            ListKind::Exclusive(agents) if policy::is_valid(entry, at) && policy::matches(&entry.pattern, number) => {
                Some(agents.as_slice())
            }
            ListKind::Exclusive(_) | ListKind::Vip | ListKind::Deny(_) | ListKind::Allow => None,
        })
    }

    /// The priority class of this party, when it has `usual` by itself: a VIP comes first (S1.5b, S2.B7).
    pub(super) fn class_of(&self, party: &Party, usual: u8, at: DateTime<Utc>) -> u8 {
        let Party::Number(number) = party else { return usual };
        let mut entries = self.settings.number_lists.iter();
        let is_vip = entries.any(|entry| {
            entry.kind == ListKind::Vip && policy::is_valid(entry, at) && policy::matches(&entry.pattern, number)
        });
        if is_vip { usual.min(VIP) } else { usual }
    }

    /// How long the one at `position` of a queue (from 1) will still wait: not at all while an agent is free for him,
    /// else at the recent pace.
    pub(super) fn expected_wait(&self, queue: &Name, position: usize, now: Now) -> Option<Duration> {
        let members = self.settings.queue(queue).map_or(&[][..], |queue| &queue.members);
        let free = self.ready_in(queue, members, now).len();
        if position <= free {
            return Some(Duration::ZERO);
        }
        self.paces.get(queue)?.expected_wait(position - free, now.tick)
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
            let gates = SwitchGates::new(self, now);
            let pick = distribute::next(&served, now.tick, &gates);
            let look = gates.look.get();
            let Some(pick) = pick else {
                self.service.look = look;
                break;
            };
            if let [agent] = pick.agents.as_slice() {
                self.service.offered.insert(pick.queue.clone(), agent.clone());
            }
            self.suspect_nobody();
            if let Kind::Live(call) = pick.kind {
                self.suspect_call(call);
            }
            match pick.kind {
                Kind::Live(call) => self.ring_for_caller(now, call, &pick.agents),
                Kind::Promise(task) => self.begin_attempt(now, task, &pick.queue, pick.ticket, &pick.agents),
            }
        }
        self.offer_tries(now);
    }

    fn served(&self, queue: &Queue, chance: u64, now: Now) -> Option<Served<'_>> {
        let line = self.lines.get(&queue.name).filter(|line| line.waiting() > 0)?;
        let last = self.service.offered.get(&queue.name);
        let turn = Turn {
            strategy: queue.strategy,
            last: last.and_then(|last| queue.members.iter().position(|member| member.agent == *last)),
            chance,
        };
        let ready = self.ready_in(&queue.name, &queue.members, now);
        // Nobody in this line can be served by somebody who is not there.
        if ready.is_empty() && !line.has_owned() && !self.serves_elsewhere() {
            return None;
        }
        let is_shut = self.draining
            || self.service.disk_hangs
            || self.planner.shut_for_all(now.utc, &self.settings, &queue.name).is_err();
        Some(Served { line, ready, turn, weight: queue.weight, promises: !is_shut })
    }

    /// Whether agents may serve lines that they are not members of: those who missed a call, and those who alone serve
    /// some numbers.
    fn serves_elsewhere(&self) -> bool {
        let by_who_missed = |profile: &CallbackProfile| profile.destination == ServedBy::MissedBy;
        self.settings.profiles.iter().any(by_who_missed)
            || self.settings.number_lists.iter().any(|entry| matches!(entry.kind, ListKind::Exclusive(_)))
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
