//! Answers to people and programs: commands carried out here, and the switch shown as `views`.

mod views;

pub(super) use views::paged;

use super::command::{Command, NewCallback, Refused, Reply};
use super::desk::Choice;
use super::durable::Pending;
use super::end::EndCause;
use super::lever::Lever;
use super::probe::Probe;
use super::promise::NewTask;
use super::{Change, NotStored, Output, Switch, event};
use crate::callback::planner::NotKept;
use crate::callback::rule;
use crate::callback::task::{CloseReason, NumberOrigin, Source, Task, TaskState};
use crate::id::{Name, ReplyTo, RequestRef, TaskId};
use crate::time::{DateTime, Now, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How far away a callback may be put off.
const POSTPONED_MOST: Duration = Duration::from_secs(366 * 86_400);

/// Whoever has asked for something.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// They wait for their answers.
    pub(super) waiting: BTreeSet<ReplyTo>,
    /// Trunks that somebody wants to know of now.
    pub(super) probes: BTreeMap<RequestRef, Probe>,
}

impl Switch {
    /// Carries out a command. Its reply may have to wait for the disk.
    pub(super) fn on_command(&mut self, now: Now, command: Command, to: ReplyTo) {
        self.suspect_command(&command);
        self.refresh_desks(now);
        let begun = match command {
            Command::CancelCallback(id) => self.cancel_callback(now, id, to),
            Command::CallbackNow(id) => self.callback_now(now, id, to),
            Command::KeepCallback(id) => self.keep_callback(now, id, to),
            Command::PostponeCallback(id, until) => self.postpone_callback(now, id, until, to),
            Command::AddDoNotCall(never) => self.add_do_not_call(now, *never, to),
            Command::LiftDoNotCall(never) => self.lift_do_not_call(now, *never, to),
            Command::Freeze => return self.pull(Lever::Freeze, to),
            Command::Unfreeze => return self.pull(Lever::Unfreeze, to),
            Command::ActivateRule(rule) => return self.pull(Lever::Activate(rule.into()), to),
            Command::ResumeDialling => return self.pull(Lever::Resume(now.utc), to),
            Command::PauseAgent { agent, reason } => self.choose_for(now, &agent, Choice::Pause(reason), to),
            Command::ResumeAgent(agent) => self.choose_for(now, &agent, Choice::Resume, to),
            Command::LogOutAgent(agent) => self.choose_for(now, &agent, Choice::LogOut(None), to),
            Command::TrustAgent(agent) => self.trust_agent(&agent, to),
            Command::HoldRecording { id, legal_hold } => self.hold_recording(id, legal_hold, to),
            Command::TestTrunk(trunk) => self.test_trunk(now, &trunk, to),
            Command::Configure(configure) => return self.configure(now, *configure, to),
            Command::AddCallback(new) => match self.add_callback(now, *new, to) {
                Ok(None) => Ok(()),
                Ok(Some(reply)) => return self.reply(to, reply),
                Err(refused) => Err(refused),
            },
            at_once => {
                let reply = self.answer(now, at_once).unwrap_or_else(Reply::Refused);
                return self.reply(to, reply);
            }
        };
        if let Err(refused) = begun {
            self.reply(to, Reply::Refused(refused));
        }
    }

    /// Whoever has asked has his answer.
    pub(super) fn reply(&mut self, to: ReplyTo, reply: Reply) {
        self.asked.waiting.remove(&to);
        self.out.push_back(Output::Reply(to, reply));
        self.trap.step();
    }

    /// Carries out a command that needs no disk.
    fn answer(&mut self, now: Now, command: Command) -> Result<Reply, Refused> {
        match command {
            Command::ListCallbacks { states, queue, page } => {
                Ok(Reply::Callbacks(self.callbacks(now, &states, queue.as_deref(), &page)))
            }
            Command::ShowCallback(id) => self.show_callback(now, id),
            Command::ListDoNotCall(page) => Ok(Reply::DoNotCall(self.do_not_call_page(&page))),
            Command::Note(done) => {
                self.note_done(now, vec![*done]);
                Ok(Reply::Stored)
            }
            Command::ListAudit(page) => Ok(Reply::Audit(self.audit_page(&page))),
            Command::ListQueues => Ok(Reply::Queues(self.queues(now))),
            Command::ShowQueue(name) => self.show_queue(now, &name),
            Command::ListAgents => Ok(Reply::Agents(self.agent_views())),
            Command::ShowPerson(number) => self.show_person(&number),
            Command::ForgetPerson(forget) => self.forget_person(now, *forget),
            Command::ListTrunks => Ok(Reply::Trunks(self.trunk_views(now))),
            Command::ListCalls(page) => Ok(Reply::Calls(self.call_views(&page))),
            Command::ShowCall(id) => self.show_call(id),
            Command::HangUpCall(id) => self.hang_up_call(now, id),
            Command::ListRecordings(page) => Ok(Reply::Recordings(self.recording_views(&page))),
            Command::ShowRecording(id) => self.show_recording(id),
            Command::DeleteRecording(id) => self.delete_recording(id),
            Command::Status => Ok(Reply::Status(self.status())),
            Command::Drain => {
                self.draining = true;
                Ok(Reply::Status(self.status()))
            }
            Command::EndCalls => {
                self.end_calls(now);
                Ok(Reply::Status(self.status()))
            }
            Command::Gauges => Ok(Reply::Gauges(Box::new(self.gauges(now)))),
            #[cfg(any(debug_assertions, feature = "interop"))]
            Command::Stumble(steps) => {
                self.trap.set(steps);
                Ok(Reply::Stored)
            }
            Command::CancelCallback(_)
            | Command::CallbackNow(_)
            | Command::KeepCallback(_)
            | Command::PostponeCallback(..)
            | Command::AddDoNotCall(_)
            | Command::LiftDoNotCall(_)
            | Command::ActivateRule(_)
            | Command::Freeze
            | Command::Unfreeze
            | Command::ResumeDialling
            | Command::PauseAgent { .. }
            | Command::ResumeAgent(_)
            | Command::LogOutAgent(_)
            | Command::TrustAgent(_)
            | Command::HoldRecording { .. }
            | Command::TestTrunk(_)
            | Command::Configure(_)
            | Command::AddCallback(_) => {
                unreachable!("these wait for the disk or a peer, and `on_command` keeps them from here")
            }
        }
    }

    /// The disk has answered a command's commit.
    pub(super) fn reply_committed(
        &mut self,
        now: Now,
        to: ReplyTo,
        mut task: Task,
        new: Option<Vec<TaskId>>,
        stored: Result<(), NotStored>,
    ) {
        let settings = self.settings.clone();
        if let (Ok(()), Some(mut older)) = (stored, new) {
            match self.find_room(&mut task) {
                Ok(found) => older.extend(found),
                Err(other) => {
                    task.idempotency_key = None; // Whoever asks again is answered anew.
                    self.take_back(now, Box::new(task));
                    return self.reply(to, Reply::Refused(has_one(other)));
                }
            }
            self.planner.put(now.utc, &settings, task.clone());
            self.books.made += 1;
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
        self.reply(to, reply);
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
        self.room_for_another()?;
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
            return Err(has_one(other));
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
                | Pending::Never(_)
                | Pending::Agent { .. }
                | Pending::Hold(_)
                | Pending::Promise(_)
                | Pending::Missed(_)
                | Pending::Withdrawal { .. }
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

    /// Somebody wants it tried later: the customer has asked for it, or a person knows better.
    fn postpone_callback(&mut self, now: Now, id: TaskId, until: DateTime<Utc>, to: ReplyTo) -> Result<(), Refused> {
        let settings = self.settings.clone();
        if until <= now.utc || until > now.utc + POSTPONED_MOST {
            let most = POSTPONED_MOST.as_secs() / 86_400;
            return Err(invalid("not_before", format!("name an instant to come, within {most} days")));
        }
        if let Some(closed) = self.closed.get(&id) {
            return Err(Refused::Conflict { detail: format!("the callback is {} already", closed.state.word()) });
        }
        if self.planner.get(id).is_none() {
            return Err(not_found("callback", id));
        }
        let task = self.planner.postpone(now.utc, &settings, id, until).map_err(not_kept)?;
        self.line_up(&task); // It may have been left over.
        let change = Change::PutTask(Box::new(task.clone()));
        self.commit(vec![change], Pending::Reply { to, task: Box::new(task), is_new: false, older: Vec::new() });
        Ok(())
    }

    /// A callback left over at the end of its day (S4.B3), or cut by a restart, waits again.
    fn keep_callback(&mut self, now: Now, id: TaskId, to: ReplyTo) -> Result<(), Refused> {
        let settings = self.settings.clone();
        if self.planner.get(id).is_none() {
            return Err(not_found("callback", id));
        }
        let task = self.planner.keep(now.utc, &settings, id).map_err(not_kept)?;
        self.line_up(&task);
        self.serve_wanted = true;
        let change = Change::PutTask(Box::new(task.clone()));
        self.commit(vec![change], Pending::Reply { to, task: Box::new(task), is_new: false, older: Vec::new() });
        Ok(())
    }

    /// Somebody chooses for an agent. It holds at once, or the phone of one who has just gone would ring; that it holds
    /// is said when the disk has it.
    fn choose_for(&mut self, now: Now, agent: &str, choice: Choice, to: ReplyTo) -> Result<(), Refused> {
        let agent = self.agent_named(agent)?;
        self.choose(now, &agent, choice, Pending::Agent { to, agent: agent.clone() });
        Ok(())
    }

    fn trust_agent(&mut self, agent: &str, to: ReplyTo) -> Result<(), Refused> {
        let agent = self.agent_named(agent)?;
        self.trust(&agent, Pending::Agent { to, agent: agent.clone() });
        Ok(())
    }

    fn agent_named(&self, agent: &str) -> Result<Name, Refused> {
        let agent_there = self.settings.agent(agent).filter(|agent| self.agents.contains_key(&agent.name));
        agent_there.map(|agent| agent.name.clone()).ok_or_else(|| not_found("agent", agent))
    }

    /// The disk has answered to what was chosen for an agent. What it refuses is told to it again.
    pub(super) fn agent_committed(&mut self, to: ReplyTo, agent: &Name, stored: Result<(), NotStored>) {
        let reply = match (stored, self.agent_view(agent)) {
            (Ok(()), Some(view)) => Reply::Agent(Box::new(view)),
            (Err(_), Some(_)) => Reply::Refused(Refused::NotStoredYet),
            (_, None) => Reply::Refused(not_found("agent", agent)), // An edition of the site has come in between.
        };
        self.reply(to, reply);
    }

    fn end_calls(&mut self, now: Now) {
        self.draining = true;
        for call in self.calls.keys().copied().collect::<Vec<_>>() {
            self.end_any_call(now, call, EndCause::ByAdmin);
            // There is no time for last words any more.
            self.end_any_call(now, call, EndCause::ByAdmin);
        }
    }

    fn show_call(&self, id: crate::id::CallRef) -> Result<Reply, Refused> {
        let call = self.find_call(|call| call.id == id).ok_or_else(|| not_found("call", id))?;
        Ok(Reply::Call(Box::new(call.view(true))))
    }

    fn show_recording(&self, id: crate::id::RecordingId) -> Result<Reply, Refused> {
        let record = self.tapes.get(id).ok_or_else(|| not_found("recording", id))?;
        Ok(Reply::Recording(Box::new(record.clone())))
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

fn not_kept(why: NotKept) -> Refused {
    let detail = match why {
        NotKept::NotLeftOver => "the callback does not wait for people: it is tried by itself",
        NotKept::UnderWay => "an attempt is under way",
        NotKept::UsedUp => "every attempt is used up; `now` grants one more",
    };
    Refused::Conflict { detail: detail.to_owned() }
}

fn has_one(other: TaskId) -> Refused {
    Refused::Conflict { detail: format!("this number has a callback already: {other}") }
}

fn not_found(kind: &'static str, name: impl ToString) -> Refused {
    Refused::NotFound { kind, name: name.to_string() }
}

fn invalid(field: &'static str, detail: String) -> Refused {
    Refused::Invalid { field, detail }
}
