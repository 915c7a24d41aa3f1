//! The switch as people and programs see it: callbacks, queues, agents, trunks, calls, and the numbers of `/metrics`.

use super::not_found;
use crate::agent::State;
use crate::callback::hold::Hold;
use crate::callback::ledger::Tripped;
use crate::callback::planner::{Agents, Around};
use crate::callback::task::{Task, TaskState};
use crate::id::{Name, TaskId};
use crate::number::{Party, zones};
use crate::queue::line::{Entry, Kind as EntryKind, Line};
use crate::settings::Member;
use crate::switch::call::Call;
use crate::switch::command::{PageOf, Refused, Reply};
use crate::switch::{AuditRecord, RecordingRecord, Switch, legs, view};
use crate::time::Now;
use std::collections::BTreeMap;
use std::iter;
use std::ops::Bound;

/// Objects of a page, unless asked otherwise.
const PAGE: usize = 100;
/// And at most.
const PAGE_MAX: usize = 500;

impl Switch {
    pub(super) fn callbacks(
        &self,
        now: Now,
        states: &[TaskState],
        queue: Option<&str>,
        page: &PageOf,
    ) -> view::Page<view::Callback> {
        // A cursor of ours is an id as it is written. Whatever else may stand there is compared with all of them.
        let text = page.after.as_deref().unwrap_or_default();
        let after = text.parse::<TaskId>().ok().filter(|id| id.to_string() == text);
        let wanted = self.tasks_after(after).filter(|task| {
            (states.is_empty() || states.contains(&task.state)) && queue.is_none_or(|queue| *task.queue == *queue)
        });
        let page = paged(wanted, page, |task| task.id.to_string());
        view::Page {
            items: page.items.into_iter().map(|task| self.callback_view(now, task)).collect(),
            next: page.next,
        }
    }

    /// Open and closed callbacks behind this one, or all, in the order of their ids. Only as far as somebody walks:
    /// there may be a million of them, and calls wait meanwhile.
    fn tasks_after(&self, after: Option<TaskId>) -> impl Iterator<Item = &Task> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut open = self.planner.iter_after(after).peekable();
        let mut closed = self.closed.range((from, Bound::Unbounded)).map(|(_, task)| task).peekable();
        iter::from_fn(move || match (open.peek(), closed.peek()) {
            (Some(first), Some(other)) if other.id < first.id => closed.next(),
            (None, Some(_)) => closed.next(),
            (Some(first), Some(other)) if other.id == first.id => {
                closed.next(); // It counts as what it is, and not as what it was.
                open.next()
            }
            (Some(_), Some(_)) | (_, None) => open.next(),
        })
    }

    pub(super) fn show_callback(&self, now: Now, id: TaskId) -> Result<Reply, Refused> {
        let task = self.planner.get(id).or_else(|| self.closed.get(&id)).ok_or_else(|| not_found("callback", id))?;
        Ok(Reply::Callback(Box::new(self.callback_view(now, task))))
    }

    pub(super) fn callback_view(&self, now: Now, task: &Task) -> view::Callback {
        let line = self.lines.get(&task.queue);
        let position = line.and_then(|line| line.position(line.ticket_of(task.id)?));
        let is_own =
            |agent: &Name| self.settings.agent(agent).is_some_and(|agent| *agent.extension == *task.number.as_str());
        let servers: Vec<&Name> = self.servers_of(task, now).into_iter().filter(|agent| !is_own(agent)).collect();
        let is_free = |agent: &&Name| self.agents.get(*agent).is_some_and(|desk| desk.takes(&task.queue, now.tick));
        let agents = if servers.iter().any(is_free) {
            Agents::Free
        } else if servers.iter().any(|agent| self.is_there(agent, &task.queue)) {
            Agents::AllBusy
        } else {
            Agents::NobodyLoggedIn
        };
        let around =
            Around { customer_in_call: self.on_line.has(&task.number), agents, ahead: position.unwrap_or(1) - 1 };
        let held_by = (!task.state.is_final())
            .then(|| self.planner.held_by(now.utc, &self.settings, task, around))
            .flatten()
            .map(|hold| match hold {
                // What lies in the way of dialling comes before who could dial.
                Hold::NobodyLoggedIn(_) | Hold::AgentsBusy(_) | Hold::Behind(_) => {
                    self.in_the_way_of(task, now).unwrap_or_else(|| hold.to_string())
                }
                own => own.to_string(),
            })
            .or_else(|| (!task.state.is_final()).then(|| self.in_the_way_of(task, now)).flatten());
        view::Callback {
            attempts: self.attempts.get(&task.id).cloned().unwrap_or_default(),
            held_by,
            next_at: self.planner.next_at(&self.settings, task, now.utc),
            position,
            zones: zones::of(&task.number).iter().map(|tz| tz.name()).collect(),
            task: task.clone(),
        }
    }

    /// What keeps a due task from being dialled this moment, apart from agents.
    pub(super) fn in_the_way_of(&self, task: &Task, now: Now) -> Option<String> {
        if self.draining {
            return Some("the switch is draining".to_owned());
        }
        if task.state.is_live() {
            return None;
        }
        if self.can_reach(task) {
            return self.waits_for(task, now);
        }
        Some(match &task.number {
            Party::Extension(extension) => format!("the phone {extension} is not registered"),
            Party::Number(_) => "no trunk of its route is up and has a free line".to_owned(),
        })
    }

    pub(in crate::switch) fn is_there(&self, agent: &Name, queue: &str) -> bool {
        self.agents.get(agent).is_some_and(|desk| desk.is_in(queue) && desk.facts().reachable)
    }

    pub(super) fn queues(&self, now: Now) -> view::Page<view::Queue> {
        let items = self.settings.queues.iter().filter_map(|queue| self.queue_view(now, &queue.name, false)).collect();
        view::Page { items, next: None }
    }

    pub(super) fn show_queue(&self, now: Now, name: &str) -> Result<Reply, Refused> {
        self.queue_view(now, name, true)
            .map(|view| Reply::Queue(Box::new(view)))
            .ok_or_else(|| not_found("queue", name))
    }

    pub(super) fn queue_view(&self, now: Now, name: &str, with_waiting: bool) -> Option<view::Queue> {
        let queue = self.settings.queue(name)?;
        let line = self.lines.get(name)?;
        let since = |entry: &Entry| {
            u64::try_from(now.utc.signed_duration_since(entry.key.virtual_start).num_seconds()).unwrap_or(0)
        };
        Some(view::Queue {
            name: queue.name.clone(),
            number: queue.number.clone(),
            waiting_count: line.waiting(),
            live_count: line.live(),
            longest_wait_secs: line.callers().map(since).max().unwrap_or(0),
            service_level: self.service.level(queue),
            agents: queue
                .members
                .iter()
                .filter_map(|Member { agent, .. }| {
                    Some(view::Member { name: agent.clone(), state: self.agents.get(agent)?.state().word() })
                })
                .collect(),
            waiting: with_waiting.then(|| self.waiting_views(now, line)),
        })
    }

    /// Who waits in a line, in order of service: callers, and promises that are due.
    fn waiting_views(&self, now: Now, line: &Line) -> Vec<view::Waiting> {
        let mut waiting: Vec<view::Waiting> = line
            .candidates()
            .filter_map(|entry| {
                let wait = now.utc.signed_duration_since(entry.key.virtual_start).num_seconds();
                let (number, kind, callback, call) = match entry.kind {
                    EntryKind::Live(call) => {
                        (self.calls.get(&call).map(|call| call.from.clone()), "live", None, Some(call))
                    }
                    EntryKind::Promise(task) => {
                        (self.planner.get(task).map(|task| task.number.to_string()), "callback", Some(task), None)
                    }
                };
                let position = line.position(entry.ticket)?;
                Some(view::Waiting {
                    expected_wait_secs: self.expected_wait(line.queue(), position, now).map(|wait| wait.as_secs()),
                    position,
                    number: number.unwrap_or_default(),
                    kind,
                    wait_secs: u64::try_from(wait).unwrap_or(0),
                    callback,
                    call,
                })
            })
            .collect();
        waiting.sort_by_key(|waiting| waiting.position);
        waiting
    }

    pub(super) fn agent_views(&self) -> view::Page<view::Agent> {
        let items = self.settings.agents.iter().filter_map(|agent| self.agent_view(&agent.name)).collect();
        view::Page { items, next: None }
    }

    pub(super) fn agent_view(&self, name: &str) -> Option<view::Agent> {
        let desk = self.agents.get(name)?;
        let contacts = self.registrar.bindings(desk.extension()).map(|binding| view::Contact {
            uri: binding.contact.clone(),
            flow: binding.flow.to_string(),
            expires_at: binding.expires_at,
            user_agent: binding.user_agent.clone(),
        });
        let queues =
            self.settings.queues.iter().filter(|queue| queue.members.iter().any(|member| member.agent == *desk.name()));
        Some(view::Agent {
            name: desk.name().clone(),
            extension: desk.extension().clone(),
            state: desk.state().word(),
            reason: match desk.state() {
                State::NotReady(reason) => Some(reason.to_string()),
                State::LoggedOut
                | State::Ready
                | State::Reserved
                | State::Ringing
                | State::QueueCall
                | State::OtherCall
                | State::WrapUp
                | State::Unreachable => None,
            },
            since: desk.since(),
            queues: queues.map(|queue| queue.name.clone()).collect(),
            not_in: desk.chosen().not_in.iter().cloned().collect(),
            not_ready_in: desk.chosen().not_ready_in.iter().cloned().collect(),
            contacts: contacts.collect(),
            new_addresses: desk.places().new_ones().iter().map(ToString::to_string).collect(),
            blocked: desk.places().is_blocked(),
        })
    }

    pub(super) fn trunk_views(&self, now: Now) -> view::Page<view::Trunk> {
        let items = self.settings.trunks.iter().filter_map(|trunk| {
            let state = self.trunks.state(&trunk.name)?;
            let carried = |leg: &&legs::Leg| leg.who == legs::Who::Trunk(trunk.name.clone());
            Some(view::Trunk {
                name: trunk.name.clone(),
                mode: match trunk.mode {
                    crate::settings::TrunkMode::Peer => "peer",
                    crate::settings::TrunkMode::Register { .. } => "register",
                },
                state: state.word,
                reason: state.reason,
                calls: self.legs.values().filter(carried).count(),
                next_at: state.next.map(|at| now.utc + at.since(now.tick)),
            })
        });
        view::Page { items: items.collect(), next: None }
    }

    pub(super) fn find_call(&self, wanted: impl Fn(&Call) -> bool) -> Option<&Call> {
        self.calls.values().chain(self.past.iter().rev()).find(|call| wanted(call))
    }

    pub(super) fn call_views(&self, page: &PageOf) -> view::Page<view::Call> {
        let mut all: Vec<&Call> = self.past.iter().chain(self.calls.values()).collect();
        all.sort_by_key(|call| call.id);
        let page = paged(all.into_iter(), page, |call| call.id.to_string());
        view::Page { items: page.items.into_iter().map(|call| call.view(false)).collect(), next: page.next }
    }

    pub(super) fn recording_views(&self, page: &PageOf) -> view::Page<RecordingRecord> {
        let page = paged(self.tapes.iter(), page, |record| record.id.to_string());
        view::Page { items: page.items.into_iter().cloned().collect(), next: page.next }
    }

    /// The newest come first; `after` is the id of the last one of the page before.
    pub(super) fn audit_page(&self, page: &PageOf) -> view::Page<AuditRecord> {
        let limit = page.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
        let is_older = |entry: &&AuditRecord| page.after.as_ref().is_none_or(|after| entry.id.to_string() < *after);
        let mut items: Vec<AuditRecord> = self.audit.iter().rev().filter(is_older).take(limit + 1).cloned().collect();
        let has_more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| has_more).map(|entry| entry.id.to_string());
        view::Page { items, next }
    }

    pub(in crate::switch) fn status(&self) -> view::Status {
        let breaker = self.planner.ledger().tripped().map(Tripped::word);
        view::Status {
            draining: self.draining,
            calls: self.calls.len(),
            store_ok: self.store_ok,
            space: self.space,
            breaker,
            frozen: self.settings.system.frozen,
            resting_rules: self.system.resting.iter().cloned().collect(),
            clock_doubted_secs: self.doubted_secs(),
            time_zones: format!("{} ({})", self.settings.zones.version(), self.settings.zones.origin()),
        }
    }

    pub(super) fn gauges(&self, now: Now) -> view::Gauges {
        let queues: Vec<view::Queue> =
            self.settings.queues.iter().filter_map(|queue| self.queue_view(now, &queue.name, false)).collect();
        let mut agents: BTreeMap<(Name, &'static str), usize> = BTreeMap::new();
        for queue in &self.settings.queues {
            for desk in queue.members.iter().filter_map(|member| self.agents.get(&member.agent)) {
                *agents.entry((queue.name.clone(), desk.state().word())).or_default() += 1;
            }
        }
        let mut calls: BTreeMap<&'static str, usize> = BTreeMap::new();
        for call in self.calls.values() {
            *calls.entry(call.kind.word()).or_default() += 1;
        }
        view::Gauges {
            books: self.books(),
            levels: queues.iter().map(|queue| (queue.name.clone(), queue.service_level)).collect(),
            queues: queues
                .into_iter()
                .map(|queue| (queue.name, queue.waiting_count, queue.longest_wait_secs))
                .collect(),
            agents: agents.into_iter().map(|((queue, state), count)| (queue, state, count)).collect(),
            callbacks: self
                .planner
                .states()
                .map(|(queue, state, count)| (queue.clone(), state.word(), count))
                .collect(),
            calls: calls.into_iter().collect(),
            trunks: self
                .settings
                .trunks
                .iter()
                .map(|trunk| (trunk.name.clone(), self.trunks.dialable(&trunk.name).is_ok()))
                .collect(),
        }
    }
}

/// One page of objects in the order of their keys, and the cursor of the next.
pub(in crate::switch) fn paged<T>(
    all: impl Iterator<Item = T>,
    page: &PageOf,
    key: impl Fn(&T) -> String,
) -> view::Page<T> {
    let limit = page.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let after = page.after.as_deref().unwrap_or_default();
    let mut items: Vec<T> = all.filter(|object| key(object).as_str() > after).take(limit + 1).collect();
    let next = if items.len() > limit {
        items.truncate(limit);
        items.last().map(&key)
    } else {
        None
    };
    view::Page { items, next }
}
