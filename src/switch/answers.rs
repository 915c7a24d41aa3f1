//! Answers to people and programs: commands carried out, and the switch shown as views.

use super::call::Call;
use super::command::{Command, NewCallback, PageOf, Refused, Reply};
use super::desk::Choice;
use super::durable::Pending;
use super::end::EndCause;
use super::promise::NewTask;
use super::{AuditRecord, Change, NotStored, Output, RecordingRecord, Switch, event, view};
use crate::agent::State;
use crate::callback::hold::Hold;
use crate::callback::ledger::Tripped;
use crate::callback::planner::{Agents, Around};
use crate::callback::rule;
use crate::callback::task::{CloseReason, NumberOrigin, Source, Task, TaskState};
use crate::id::{Name, ReplyTo, TaskId};
use crate::limits;
use crate::number::{Party, zones};
use crate::queue::line::Kind as EntryKind;
use crate::settings::Member;
use crate::time::Now;
use std::collections::BTreeMap;

/// Objects of a page, unless asked otherwise.
const PAGE: usize = 100;
/// And at most.
const PAGE_MAX: usize = 500;

impl Switch {
    /// Carries out a command. Its reply may have to wait for the disk.
    pub(super) fn on_command(&mut self, now: Now, command: Command, to: ReplyTo) {
        self.refresh_desks(now);
        let reply = match command {
            Command::ListCallbacks { states, queue, page } => {
                Ok(Reply::Callbacks(self.callbacks(now, &states, queue.as_deref(), &page)))
            }
            Command::ShowCallback(id) => self.show_callback(now, id),
            Command::AddCallback(new) => match self.add_callback(now, *new, to) {
                Ok(None) => return,
                Ok(Some(reply)) => Ok(reply),
                Err(refused) => Err(refused),
            },
            Command::CancelCallback(id) => match self.cancel_callback(now, id, to) {
                Ok(()) => return,
                Err(refused) => Err(refused),
            },
            Command::CallbackNow(id) => match self.callback_now(now, id, to) {
                Ok(()) => return,
                Err(refused) => Err(refused),
            },
            Command::KeepCallback(id) => match self.keep_callback(now, id, to) {
                Ok(()) => return,
                Err(refused) => Err(refused),
            },
            Command::Freeze => return self.freeze(now, to),
            Command::Unfreeze => return self.unfreeze(now, to),
            Command::ActivateRule(rule) => match self.activate_rule(&rule, to) {
                Ok(()) => return,
                Err(refused) => Err(refused),
            },
            Command::Configure(configure) => return self.configure(now, *configure, to),
            Command::Note(done) => {
                self.note_done(now, vec![*done]);
                Ok(Reply::Stored)
            }
            Command::ListAudit(page) => Ok(Reply::Audit(self.audit_page(&page))),
            Command::ListQueues => Ok(Reply::Queues(self.queues(now))),
            Command::ShowQueue(name) => self.show_queue(now, &name),
            Command::ListAgents => Ok(Reply::Agents(self.agent_views())),
            Command::PauseAgent { agent, reason } => self.choose_for(now, &agent, Choice::Pause(reason)),
            Command::ResumeAgent(agent) => self.choose_for(now, &agent, Choice::Resume),
            Command::ListTrunks => Ok(Reply::Trunks(self.trunk_views(now))),
            Command::ListCalls(page) => Ok(Reply::Calls(self.call_views(&page))),
            Command::ShowCall(id) => self
                .find_call(|call| call.id == id)
                .map(|call| Reply::Call(Box::new(call.view(true))))
                .ok_or_else(|| not_found("call", id)),
            Command::HangUpCall(id) => self.hang_up_call(now, id),
            Command::ListRecordings(page) => Ok(Reply::Recordings(self.recording_views(&page))),
            Command::ShowRecording(id) => self
                .recordings
                .get(&id)
                .map(|record| Reply::Recording(Box::new(record.clone())))
                .ok_or_else(|| not_found("recording", id)),
            Command::DeleteRecording(id) => self.delete_recording(id),
            Command::HoldRecording { id, legal_hold } => self.hold_recording(id, legal_hold),
            Command::Status => Ok(Reply::Status(self.status())),
            Command::ResumeDialling => {
                self.resume_dialling(now);
                Ok(Reply::Status(self.status()))
            }
            Command::Drain => {
                self.draining = true;
                Ok(Reply::Status(self.status()))
            }
            Command::EndCalls => {
                self.draining = true;
                let calls: Vec<_> = self.calls.keys().copied().collect();
                for call in calls {
                    self.end_any_call(now, call, EndCause::ByAdmin);
                }
                Ok(Reply::Status(self.status()))
            }
            Command::Gauges => Ok(Reply::Gauges(Box::new(self.gauges(now)))),
        };
        self.out.push_back(Output::Reply(to, reply.unwrap_or_else(Reply::Refused)));
    }

    /// The disk has answered a command's commit.
    pub(super) fn reply_committed(
        &mut self,
        now: Now,
        to: ReplyTo,
        task: Task,
        new: Option<Vec<TaskId>>,
        stored: Result<(), NotStored>,
    ) {
        let settings = self.settings.clone();
        if let (Ok(()), Some(older)) = (stored, new) {
            self.planner.put(now.utc, &settings, task.clone());
            self.close_merged(now, &older);
            self.line_up(&task);
            self.publish(event::Event::CallbackRequested {
                task: task.id,
                queue: task.queue.clone(),
                number: task.number.to_string(),
            });
            self.close_if_lost(now, task.id);
            self.serve_wanted = true;
        }
        let reply = match stored {
            Ok(()) => self.show_callback(now, task.id).unwrap_or_else(Reply::Refused),
            Err(_) => Reply::Refused(Refused::NotStored),
        };
        self.out.push_back(Output::Reply(to, reply));
    }
}

// --- Commands ---
impl Switch {
    fn add_callback(&mut self, now: Now, new: NewCallback, to: ReplyTo) -> Result<Option<Reply>, Refused> {
        let settings = self.settings.clone();
        if self.draining {
            return Err(Refused::Draining);
        }
        if let Some(known) = new.idempotency_key.as_deref().and_then(|key| self.by_idempotency_key(key)) {
            return self.show_callback(now, known).map(Some);
        }
        if self.is_being_stored(new.idempotency_key.as_deref()) {
            return Err(Refused::Conflict { detail: "a request with this Idempotency-Key is being stored".to_owned() });
        }
        let under = new
            .queue
            .as_deref()
            .and_then(|queue| settings.queue(queue))
            .and_then(|queue| rule::rules_of(&settings, queue).find(|rule| rule.enabled)?.number_policy.as_deref());
        let party =
            self.policy.admit(&new.number, under, now.utc).map_err(|refusal| invalid("number", refusal.to_string()))?;
        let queue = match (&new.queue, &settings.queues[..]) {
            (Some(name), _) => {
                settings.queue(name).ok_or_else(|| invalid("queue", format!("there is no queue named {name}")))?
            }
            (None, [only]) => only,
            (None, _) => return Err(invalid("queue", "say which queue; the site has several".to_owned())),
        };
        let rule = rule::rules_of(&settings, queue).find(|rule| rule.enabled);
        let profile = match (&new.profile, rule) {
            (Some(name), _) => {
                settings.profile(name).ok_or_else(|| invalid("profile", format!("there is no profile named {name}")))?
            }
            (None, Some(rule)) => settings
                .profile(&rule.profile)
                .ok_or_else(|| invalid("profile", "the queue's rule names no profile".to_owned()))?,
            (None, None) => {
                return Err(invalid("profile", "say which profile; the queue has no callback rule".to_owned()));
            }
        };
        if let Some(agent) = &new.agent
            && !queue.members.iter().any(|member| *member.agent == **agent)
        {
            return Err(invalid("agent", format!("the queue {} has no agent named {agent}", queue.name)));
        }
        if self.planner.len() >= limits::OPEN_TASKS {
            return Err(Refused::Conflict { detail: "as many callbacks as the site can hold are open".to_owned() });
        }
        let wanted = NewTask {
            source: Source::Api,
            rule: None,
            queue: queue.name.clone(),
            party,
            raw: new.number,
            virtual_start: new.not_before.unwrap_or(now.utc).max(now.utc),
            priority: if profile.priority_boost { 0 } else { 5 },
            not_before: new.not_before,
        };
        let mut task = self.new_task(now, &settings, profile, wanted);
        task.agent = new.agent.map(Name::from).or(task.agent);
        task.data = new.data.map(Box::new);
        task.number_origin = NumberOrigin::Given;
        task.idempotency_key = new.idempotency_key;
        if let Err(other) = self.may_promise(&task) {
            return Err(Refused::Conflict { detail: format!("this number has a callback already: {other}") });
        }
        let older = self.merge(&mut task);
        let change = Change::PutTask(Box::new(task.clone()));
        self.commit(vec![change], Pending::Reply { to, task: Box::new(task), is_new: true, older });
        Ok(None)
    }

    fn is_being_stored(&self, key: Option<&str>) -> bool {
        key.is_some()
            && self.commits.values().any(|(pending, _)| match pending {
                Pending::Reply { task, is_new: true, .. } => task.idempotency_key.as_deref() == key,
                Pending::Reply { .. }
                | Pending::Told
                | Pending::Site { .. }
                | Pending::System(_)
                | Pending::Promise(_)
                | Pending::Missed(_)
                | Pending::Attempt { .. }
                | Pending::Dial { .. }
                | Pending::Bindings { .. } => false,
            })
    }

    fn by_idempotency_key(&self, key: &str) -> Option<TaskId> {
        self.planner.by_idempotency_key(key).or_else(|| {
            self.closed.values().find(|task| task.idempotency_key.as_deref() == Some(key)).map(|task| task.id)
        })
    }

    fn cancel_callback(&mut self, now: Now, id: TaskId, to: ReplyTo) -> Result<(), Refused> {
        if let Some(closed) = self.closed.get(&id) {
            return Err(Refused::Conflict { detail: format!("the callback is {} already", closed.state.word()) });
        }
        if self.planner.get(id).is_some_and(|task| task.state == TaskState::Talking) {
            return Err(Refused::Conflict { detail: "the customer is being talked to; hang up the call".to_owned() });
        }
        let Some(task) = self.planner.get(id).cloned() else { return Err(not_found("callback", id)) };
        let pending = Pending::Reply { to, task: Box::new(task), is_new: false, older: Vec::new() };
        self.cancel_task(now, id, CloseReason::ByAdmin, pending);
        Ok(())
    }

    fn callback_now(&mut self, now: Now, id: TaskId, to: ReplyTo) -> Result<(), Refused> {
        let settings = self.settings.clone();
        if let Some(closed) = self.closed.get(&id) {
            return Err(Refused::Conflict { detail: format!("the callback is {} already", closed.state.word()) });
        }
        if self.planner.get(id).is_none() {
            return Err(not_found("callback", id));
        }
        let task = self
            .planner
            .hasten(now.utc, &settings, id)
            .ok_or_else(|| Refused::Conflict { detail: "an attempt is under way".to_owned() })?;
        self.line_up(&task); // It may have been left over.
        self.serve_wanted = true;
        let change = Change::PutTask(Box::new(task.clone()));
        self.commit(vec![change], Pending::Reply { to, task: Box::new(task), is_new: false, older: Vec::new() });
        Ok(())
    }

    /// A callback left over at the end of its day waits again (S4.B3).
    fn keep_callback(&mut self, now: Now, id: TaskId, to: ReplyTo) -> Result<(), Refused> {
        let settings = self.settings.clone();
        if self.planner.get(id).is_none() {
            return Err(not_found("callback", id));
        }
        let Some(task) = self.planner.keep(now.utc, &settings, id) else {
            return Err(Refused::Conflict { detail: "the callback is not left over".to_owned() });
        };
        self.line_up(&task);
        self.serve_wanted = true;
        let change = Change::PutTask(Box::new(task.clone()));
        self.commit(vec![change], Pending::Reply { to, task: Box::new(task), is_new: false, older: Vec::new() });
        Ok(())
    }

    fn choose_for(&mut self, now: Now, agent: &str, choice: Choice) -> Result<Reply, Refused> {
        let Some(name) = self.settings.agent(agent).map(|agent| agent.name.clone()) else {
            return Err(not_found("agent", agent));
        };
        self.choose(now, &name, choice);
        self.agent_view(&name).map(|view| Reply::Agent(Box::new(view))).ok_or_else(|| not_found("agent", agent))
    }

    fn hang_up_call(&mut self, now: Now, id: crate::id::CallRef) -> Result<Reply, Refused> {
        if !self.calls.contains_key(&id) {
            return Err(match self.past.iter().any(|call| call.id == id) {
                true => Refused::Conflict { detail: "the call has ended already".to_owned() },
                false => not_found("call", id),
            });
        }
        self.end_any_call(now, id, EndCause::ByAdmin);
        self.find_call(|call| call.id == id)
            .map(|call| Reply::Call(Box::new(call.view(false))))
            .ok_or_else(|| not_found("call", id))
    }
}

// --- Views ---
impl Switch {
    fn callbacks(
        &self,
        now: Now,
        states: &[TaskState],
        queue: Option<&str>,
        page: &PageOf,
    ) -> view::Page<view::Callback> {
        let mut all: BTreeMap<TaskId, &Task> = self.closed.iter().map(|(id, task)| (*id, task)).collect();
        all.extend(self.planner.iter().map(|task| (task.id, task)));
        let wanted = all.into_values().filter(|task| {
            (states.is_empty() || states.contains(&task.state)) && queue.is_none_or(|queue| *task.queue == *queue)
        });
        let page = paged(wanted, page, |task| task.id.to_string());
        view::Page {
            items: page.items.into_iter().map(|task| self.callback_view(now, task)).collect(),
            next: page.next,
        }
    }

    fn show_callback(&self, now: Now, id: TaskId) -> Result<Reply, Refused> {
        let task = self.planner.get(id).or_else(|| self.closed.get(&id)).ok_or_else(|| not_found("callback", id))?;
        Ok(Reply::Callback(Box::new(self.callback_view(now, task))))
    }

    fn callback_view(&self, now: Now, task: &Task) -> view::Callback {
        let line = self.lines.get(&task.queue);
        let position = line.and_then(|line| line.position(line.ticket_of(task.id)?));
        let members = self.settings.queue(&task.queue).map_or(&[][..], |queue| &queue.members);
        let may_serve = |agent: &Name| {
            let is_own = self.settings.agent(agent).is_some_and(|agent| *agent.extension == *task.number.as_str());
            task.agent.as_ref().is_none_or(|owner| owner == agent) && !is_own
        };
        let agents = if self.ready_in(&task.queue, members, now).iter().any(|idle| may_serve(&idle.agent)) {
            Agents::Free
        } else if members.iter().any(|member| may_serve(&member.agent) && self.is_there(&member.agent, &task.queue)) {
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
                    self.in_the_way_of(task).unwrap_or_else(|| hold.to_string())
                }
                own => own.to_string(),
            })
            .or_else(|| (!task.state.is_final()).then(|| self.in_the_way_of(task)).flatten());
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
    fn in_the_way_of(&self, task: &Task) -> Option<String> {
        if self.draining {
            return Some("the switch is draining".to_owned());
        }
        if task.state.is_live() || self.can_reach(task) {
            return None;
        }
        Some(match &task.number {
            Party::Extension(extension) => format!("the phone {extension} is not registered"),
            Party::Number(_) => "no trunk of its route is up and has a free line".to_owned(),
        })
    }

    fn is_there(&self, agent: &Name, queue: &str) -> bool {
        self.agents.get(agent).is_some_and(|desk| desk.is_in(queue) && desk.facts().reachable)
    }

    fn queues(&self, now: Now) -> view::Page<view::Queue> {
        let items = self.settings.queues.iter().filter_map(|queue| self.queue_view(now, &queue.name, false)).collect();
        view::Page { items, next: None }
    }

    fn show_queue(&self, now: Now, name: &str) -> Result<Reply, Refused> {
        self.queue_view(now, name, true)
            .map(|view| Reply::Queue(Box::new(view)))
            .ok_or_else(|| not_found("queue", name))
    }

    fn queue_view(&self, now: Now, name: &str, with_waiting: bool) -> Option<view::Queue> {
        let queue = self.settings.queue(name)?;
        let line = self.lines.get(name)?;
        let waiting: Vec<view::Waiting> = line
            .iter()
            .enumerate()
            .map(|(ahead, entry)| {
                let wait = now.utc.signed_duration_since(entry.key.virtual_start).num_seconds();
                let (number, kind, callback, call) = match entry.kind {
                    EntryKind::Live(call) => {
                        (self.calls.get(&call).map(|call| call.from.clone()), "live", None, Some(call))
                    }
                    EntryKind::Promise(task) => {
                        (self.planner.get(task).map(|task| task.number.to_string()), "callback", Some(task), None)
                    }
                };
                let expected = self.expected_wait(&queue.name, ahead + 1, now);
                view::Waiting {
                    expected_wait_secs: expected.map(|wait| wait.as_secs()),
                    position: ahead + 1,
                    number: number.unwrap_or_default(),
                    kind,
                    wait_secs: u64::try_from(wait).unwrap_or(0),
                    callback,
                    call,
                }
            })
            .collect();
        Some(view::Queue {
            name: queue.name.clone(),
            number: queue.number.clone(),
            waiting_count: line.len(),
            live_count: line.live(),
            longest_wait_secs: waiting
                .iter()
                .filter(|waiting| waiting.kind == "live")
                .map(|waiting| waiting.wait_secs)
                .max()
                .unwrap_or(0),
            service_level: self.service.level(queue),
            agents: queue
                .members
                .iter()
                .filter_map(|Member { agent, .. }| {
                    Some(view::Member { name: agent.clone(), state: self.agents.get(agent)?.state().word() })
                })
                .collect(),
            waiting: with_waiting.then_some(waiting),
        })
    }

    fn agent_views(&self) -> view::Page<view::Agent> {
        let items = self.settings.agents.iter().filter_map(|agent| self.agent_view(&agent.name)).collect();
        view::Page { items, next: None }
    }

    fn agent_view(&self, name: &str) -> Option<view::Agent> {
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
        })
    }

    fn trunk_views(&self, now: Now) -> view::Page<view::Trunk> {
        let items = self.settings.trunks.iter().filter_map(|trunk| {
            let state = self.trunks.state(&trunk.name)?;
            let carried = |leg: &&super::legs::Leg| leg.who == super::legs::Who::Trunk(trunk.name.clone());
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

    fn find_call(&self, wanted: impl Fn(&Call) -> bool) -> Option<&Call> {
        self.calls.values().chain(self.past.iter().rev()).find(|call| wanted(call))
    }

    fn call_views(&self, page: &PageOf) -> view::Page<view::Call> {
        let mut all: Vec<&Call> = self.past.iter().chain(self.calls.values()).collect();
        all.sort_by_key(|call| call.id);
        let page = paged(all.into_iter(), page, |call| call.id.to_string());
        view::Page { items: page.items.into_iter().map(|call| call.view(false)).collect(), next: page.next }
    }

    fn recording_views(&self, page: &PageOf) -> view::Page<RecordingRecord> {
        let page = paged(self.recordings.values(), page, |record| record.id.to_string());
        view::Page { items: page.items.into_iter().cloned().collect(), next: page.next }
    }

    /// The newest come first; `after` is the id of the last one of the page before.
    fn audit_page(&self, page: &PageOf) -> view::Page<AuditRecord> {
        let limit = page.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
        let is_older = |entry: &&AuditRecord| page.after.as_ref().is_none_or(|after| entry.id.to_string() < *after);
        let mut items: Vec<AuditRecord> = self.audit.iter().rev().filter(is_older).take(limit + 1).cloned().collect();
        let has_more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| has_more).map(|entry| entry.id.to_string());
        view::Page { items, next }
    }

    pub(super) fn status(&self) -> view::Status {
        let breaker = self.planner.ledger().tripped().map(Tripped::word);
        view::Status {
            draining: self.draining,
            calls: self.calls.len(),
            store_ok: self.store_ok,
            breaker,
            frozen: self.settings.system.frozen,
            resting_rules: self.system.resting.iter().cloned().collect(),
            time_zones: format!("{} ({})", self.settings.zones.version(), self.settings.zones.origin()),
        }
    }

    fn gauges(&self, now: Now) -> view::Gauges {
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
fn paged<T>(all: impl Iterator<Item = T>, page: &PageOf, key: impl Fn(&T) -> String) -> view::Page<T> {
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

fn not_found(kind: &'static str, name: impl ToString) -> Refused {
    Refused::NotFound { kind, name: name.to_string() }
}

fn invalid(field: &'static str, detail: String) -> Refused {
    Refused::Invalid { field, detail }
}
