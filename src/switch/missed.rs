//! Missed calls (C18): a call from outside that ended before an agent had spoken with the caller, wherever that was: in
//! line, in a menu, at an agent's or a group's phones. The rule of that place (S5.4) makes a callback of it.
//!
//! Every call ends in one place, and there it is judged. Nobody was promised anything, so the task is an ordinary
//! commit: on a full disk, and when too many are open already, it is dropped and counted. Who waits in line lies on the
//! disk as a `QueueEntry`; the entry leaves it in the commit that stores the task, so that a crash leaves one of the
//! two, and the next life finds whom it has lost (S3.2).
//!
//! Not missed: what was promised a callback, phones of ours, withheld and refused numbers, misdials (`min_wait`, and
//! one ring whatever the rule says, security.md T32).

use super::call::{Call, Kind};
use super::durable::Pending;
use super::end::EndCause;
use super::event::NotTaken;
use super::promise::NewTask;
use super::revive::is_back_in_time;
use super::{Change, NotStored, QueueEntry, Switch, event};
use crate::callback::rule;
use crate::callback::task::{CloseReason, LegRecord, MissedBy, NumberOrigin, Source, Task};
use crate::id::{CallRef, LegRef, Name, TaskId};
use crate::limits;
use crate::number::Party;
use crate::settings::{CallbackProfile, CallbackRule, Dedupe, DedupeScope, RuleSource, ServedBy, Settings};
use crate::time::{DateTime, Now, Utc};
use std::collections::BTreeSet;
use std::time::Duration;

/// Whoever hangs up sooner has rung once: nobody is called back for that (security.md T32).
const ONE_RING: Duration = Duration::from_secs(2);

/// A call that was lost.
#[derive(Debug)]
pub(super) struct Lost {
    call: CallRef,
    by: MissedBy,
    number: Party,
    ani: String,
    dnis: String,
    in_trunk: Name,
    /// The place in line that its callback takes.
    virtual_start: DateTime<Utc>,
    priority: u8,
    /// From its arrival until the caller hung up; `None` when it was not he who did.
    gave_up_after: Option<Duration>,
    /// Lost so long ago.
    age: Duration,
}

impl Lost {
    /// What a call that ends has lost; `None` when it was served, or is nobody's to call back.
    pub(super) fn of(call: &Call, entry: Option<&QueueEntry>, cause: EndCause, at: DateTime<Utc>) -> Option<Lost> {
        let is_missed = call.kind == Kind::Inbound && call.answered_at.is_none() && call.task.is_none();
        if !is_missed || cause == EndCause::CallbackPromised {
            return None;
        }
        let gave_up = match cause {
            EndCause::Abandoned | EndCause::GaveUp | EndCause::Announced | EndCause::LeftByKey => true,
            EndCause::CallerHungUp
            | EndCause::AgentHungUp
            | EndCause::CallbackPromised
            | EndCause::AttemptOver
            | EndCause::NoAnswer
            | EndCause::Busy
            | EndCause::Declined
            | EndCause::WaitedTooLong
            | EndCause::NotReachable
            | EndCause::Refused
            | EndCause::MediaLost
            | EndCause::SignallingLost
            | EndCause::ByAdmin
            | EndCause::Failed
            | EndCause::Fault => false,
        };
        let waited = at.signed_duration_since(call.started_at).to_std().unwrap_or_default();
        Some(Lost {
            call: call.id,
            by: call.place.clone()?,
            number: call.customer.clone()?,
            ani: call.ani.clone(),
            dnis: call.to.clone(),
            in_trunk: call.in_trunk.clone()?,
            virtual_start: entry.map_or(call.started_at, |entry| entry.virtual_start),
            priority: entry.map_or(5, |entry| entry.priority),
            gave_up_after: gave_up.then_some(waited),
            age: Duration::ZERO,
        })
    }

    /// What an entry that no life has taken off the disk says.
    fn found(entry: &QueueEntry, at: DateTime<Utc>) -> Lost {
        Lost {
            call: entry.call,
            by: MissedBy::Queue(entry.queue.clone()),
            number: entry.number.clone(),
            ani: entry.ani.clone(),
            dnis: entry.dnis.clone(),
            in_trunk: entry.in_trunk.clone(),
            virtual_start: entry.virtual_start,
            priority: entry.priority,
            gave_up_after: None,
            age: at.signed_duration_since(entry.arrived_at).to_std().unwrap_or_default(),
        }
    }
}

/// The task of a missed call on its way to the disk.
#[derive(Debug)]
pub(super) struct Missed {
    task: Task,
    /// Older ones of the same number that it takes the place of.
    older: Vec<TaskId>,
}

impl Missed {
    pub(super) fn task(&self) -> &Task {
        &self.task
    }
}

// --- Callers in line, on the disk ---
impl Switch {
    /// A caller has joined a line: from now on a crash does not lose him.
    pub(super) fn store_entry(&mut self, now: Now, id: CallRef, virtual_start: DateTime<Utc>, priority: u8) {
        let Some(call) = self.calls.get(&id) else { return };
        let (Some(in_trunk), Some(queue)) = (call.in_trunk.clone(), call.queue.clone()) else { return };
        let Some(number) = call.customer.clone() else { return };
        let (ani, dnis, arrived_at) = (call.ani.clone(), call.to.clone(), call.started_at);
        let entry = QueueEntry {
            call: id,
            number,
            ani,
            dnis,
            in_trunk,
            queue,
            arrived_at,
            virtual_start,
            priority,
            ringing: Vec::new(),
            caller: self.kept_caller(now, id),
        };
        if entry.caller.is_some() {
            self.begin_pulse(now);
        }
        self.entries.insert(id, entry.clone());
        self.commit(vec![Change::PutEntry(Box::new(entry))], Pending::Told);
    }

    /// Phones ring for a caller in line: should this life end now, the next one stops them. Not waited for.
    pub(super) fn store_ringing(&mut self, id: CallRef, phones: Vec<LegRecord>) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.ringing = phones;
        let entry = entry.clone();
        self.commit(vec![Change::PutEntry(Box::new(entry))], Pending::Told);
    }

    /// An agent has answered a caller in line, who may hear a notice first: should this life end now, the next one has
    /// to hang up the agent's phone; a CANCEL would find nothing to stop (RFC 3261 §9.1). Not waited for.
    pub(super) fn store_answered(&mut self, now: Now, id: CallRef, leg: LegRef) {
        let (Some(entry), Some(dialog)) = (self.entries.get(&id), self.ua.dialog_record(leg)) else { return };
        let its = |phone: &&LegRecord| phone.dialog.as_ref().is_some_and(|it| it.call_id == dialog.call_id);
        let Some(phone) = entry.ringing.iter().find(its).cloned() else { return };
        self.store_ringing(id, vec![LegRecord { answered_at: Some(now.utc), dialog: Some(dialog), ..phone }]);
    }

    /// He is out of the line, and not lost.
    pub(super) fn forget_entry(&mut self, id: CallRef) {
        if self.entries.remove(&id).is_some() {
            self.rest_pulse();
            self.commit(vec![Change::RemoveEntry(id)], Pending::Told);
        }
    }

    /// Callers whom the last life had in line: they are there again, or it has lost them.
    pub(super) fn restore_entries(&mut self, now: Now, entries: Vec<QueueEntry>, pulse: Option<DateTime<Utc>>) {
        if entries.is_empty() {
            return;
        }
        let signs = entries.iter().filter_map(|entry| Some(entry.caller.as_ref()?.saved_at()));
        let is_back_in_time = is_back_in_time(now, signs.chain(pulse));
        let promised = self.promised_calls();
        let mut lost = Vec::new();
        for entry in entries {
            if self.calls.contains_key(&entry.call) {
                self.commit(vec![Change::RemoveEntry(entry.call)], Pending::Told); // He had been joined.
                continue;
            }
            let may_go_on = is_back_in_time && !promised.contains(&entry.call);
            if may_go_on && self.take_up_caller(now, &entry) {
                self.stop_ringing(now, &entry);
            } else {
                self.end_caller(now, &entry);
                lost.push(entry);
            }
        }
        self.lose_entries(now, lost);
    }

    /// Callers in line whose call has gone: we have lost them, unless they were promised a call.
    pub(super) fn lose_entries(&mut self, now: Now, entries: Vec<QueueEntry>) {
        if entries.is_empty() {
            return;
        }
        let promised = self.promised_calls();
        for entry in entries {
            self.stop_ringing(now, &entry);
            let is_lost = !promised.contains(&entry.call);
            self.judge_lost(now, is_lost.then(|| Lost::found(&entry, now.utc)), Some(entry.call));
        }
        self.rest_pulse();
    }

    fn promised_calls(&self) -> BTreeSet<CallRef> {
        let tasks = self.planner.iter().chain(self.closed.values());
        let promised = tasks.filter(|task| task.close_reason != Some(CloseReason::NotPromised));
        promised.filter_map(|task| task.origin_call).collect()
    }

    fn stop_ringing(&mut self, now: Now, entry: &QueueEntry) {
        for (phone, dialog) in entry.ringing.iter().filter_map(|phone| Some((phone, phone.dialog.as_ref()?))) {
            self.ua.abandon(now.tick, &phone.uri, dialog);
        }
    }
}

// --- Calls that end ---
impl Switch {
    /// A call has ended: if it was missed, its callback goes to the disk together with its leaving of the line.
    pub(super) fn call_is_over(&mut self, now: Now, call: &Call, cause: EndCause) {
        let entry = self.entries.remove(&call.id);
        self.rest_pulse();
        let is_promised = self.left_promising.contains(&call.id);
        let lost = Lost::of(call, entry.as_ref(), cause, now.utc).filter(|_| !is_promised);
        self.judge_lost(now, lost, entry.map(|entry| entry.call));
    }

    fn judge_lost(&mut self, now: Now, lost: Option<Lost>, entry: Option<CallRef>) {
        let mut changes: Vec<Change> = entry.map(Change::RemoveEntry).into_iter().collect();
        if let Some(lost) = &lost {
            self.publish(event::Event::CallMissed { call: lost.call, by: lost.by.clone() });
        }
        let mut missed = lost.and_then(|lost| self.missed(now, &lost));
        if let Some(unstored) = missed.take_if(|_| !self.may_promise_more()) {
            let call = unstored.task.origin_call.expect("every missed call has one");
            self.publish(event::Event::MissedNotStored { call });
        }
        if let Some(missed) = &missed {
            changes.push(Change::PutTask(Box::new(missed.task.clone())));
        }
        if !changes.is_empty() {
            self.commit(changes, missed.map_or(Pending::Told, |missed| Pending::Missed(Box::new(missed))));
        }
    }

    /// The callback that a rule makes of a lost call.
    fn missed(&mut self, now: Now, lost: &Lost) -> Option<Missed> {
        let settings = self.settings.clone();
        if lost.gave_up_after.is_some_and(|waited| waited < ONE_RING) {
            return None;
        }
        let (source, of_rule) = sources(&lost.by);
        let rule = rule::for_missed(&settings, of_rule, &as_rules_see(lost))?;
        let profile = settings.profile(&rule.profile)?;
        // The same door as for numbers that are typed: nothing costly, nothing of our own, nothing denied (T32).
        self.policy.judge(&lost.number, rule.number_policy.as_deref(), now.utc).ok()?;
        let queue = queue_of(&settings, rule, profile, &lost.by)?;
        let is_trusted = settings.trunk(&lost.in_trunk).is_some_and(|trunk| trunk.trusted);
        let new = NewTask {
            source,
            rule: Some(rule.name.clone()),
            queue,
            party: lost.number.clone(),
            raw: lost.ani.clone(),
            virtual_start: lost.virtual_start,
            priority: if profile.priority_boost { 0 } else { rule.priority.min(lost.priority) },
            not_before: None,
        };
        let mut task = self.new_task(now, &settings, profile, new);
        task.missed_by = Some(lost.by.clone());
        task.ani = Some(lost.ani.clone());
        task.dnis = Some(lost.dnis.clone());
        task.in_trunk = Some(lost.in_trunk.clone());
        task.origin_call = Some(lost.call);
        task.number_origin = if is_trusted { NumberOrigin::Trusted } else { NumberOrigin::Signalled };
        task.requested_by = task.ani.clone();
        let older = self.make_room(rule, &mut task)?;
        if let Some(why) = self.no_room(rule, &older) {
            self.publish(event::Event::MissedNotTaken { call: lost.call, why });
            return None;
        }
        Some(Missed { task, older })
    }

    /// The open missed calls of the same number that a new one takes the place of; `None` when there is something
    /// better already: a callback that was asked for, or one that is under way.
    fn make_room(&self, rule: &CallbackRule, task: &mut Task) -> Option<Vec<TaskId>> {
        let in_scope = |older: &&Task| rule.dedupe_scope == DedupeScope::Number || older.queue == task.queue;
        let older: Vec<&Task> = self.planner.of_number(&task.number).filter(in_scope).collect();
        if older.iter().any(|older| !older.source.is_missed() || older.state.is_live()) {
            return None;
        }
        match rule.dedupe {
            Dedupe::Allow => Some(Vec::new()),
            Dedupe::Reject => older.is_empty().then(Vec::new),
            Dedupe::Merge => {
                let first = older.iter().map(|older| older.virtual_start).min();
                let ids = older.iter().map(|older| older.id).collect();
                task.virtual_start = first.map_or(task.virtual_start, |first| first.min(task.virtual_start));
                Some(ids)
            }
        }
    }

    /// Why one more callback of this rule is too many; those that it takes the place of make room for it.
    fn no_room(&self, rule: &CallbackRule, older: &[TaskId]) -> Option<NotTaken> {
        let of_rule = |id: &&TaskId| self.planner.get(**id).is_some_and(|task| task.rule.as_ref() == Some(&rule.name));
        let pending = self.planner.pending_of(&rule.name) - older.iter().filter(of_rule).count();
        if rule.max_pending.is_some_and(|most| pending >= most as usize) {
            return Some(NotTaken::RuleFull);
        }
        (self.planner.len() - older.len() >= limits::OPEN_TASKS).then_some(NotTaken::SiteFull)
    }

    /// The disk has answered.
    pub(super) fn missed_committed(&mut self, now: Now, missed: Missed, stored: Result<(), NotStored>) {
        let Missed { mut task, mut older } = missed;
        let call = task.origin_call.expect("every missed call has one");
        if stored.is_err() {
            self.publish(event::Event::MissedNotStored { call });
            return;
        }
        let rings_in = |call: &Call| call.kind == Kind::Inbound && call.customer.as_ref() == Some(&task.number);
        if self.on_line.has(&task.number) && self.calls.values().any(rings_in) {
            // He has rung in meanwhile (S5.7).
            self.close_unheld(now, task, CloseReason::CustomerCalled);
            return;
        }
        let settings = self.settings.clone();
        if let Some(rule) = task.rule.as_deref().and_then(|rule| settings.rule(rule)) {
            // Something else may have been on its way to the disk for this number, too.
            let stored = task.virtual_start;
            let Some(found) = self.make_room(rule, &mut task) else {
                self.close_unheld(now, task, CloseReason::Merged);
                return;
            };
            older.extend(found);
            if task.virtual_start != stored {
                self.commit(vec![Change::PutTask(Box::new(task.clone()))], Pending::Told);
            }
        }
        if let Some(past) = self.past.iter_mut().rev().find(|past| past.id == call) {
            past.task = Some(task.id);
        }
        self.planner.put(now.utc, &settings, task.clone());
        self.books.made += 1;
        self.close_merged(now, &older);
        self.line_up(&task);
        let (queue, number) = (task.queue.clone(), task.number.to_string());
        self.publish(event::Event::MissedCallStored { call, task: task.id, queue, number });
        self.close_if_lost(now, task.id);
        self.serve_wanted = true;
    }
}

const fn sources(by: &MissedBy) -> (Source, RuleSource) {
    match by {
        MissedBy::Queue(_) => (Source::MissedQueue, RuleSource::MissedQueue),
        MissedBy::Ivr(_) => (Source::MissedIvr, RuleSource::MissedIvr),
        MissedBy::Agent(_) | MissedBy::Group(_) => (Source::MissedAgent, RuleSource::MissedAgent),
    }
}

fn as_rules_see(lost: &Lost) -> rule::Lost<'_> {
    // `min_wait` is for callers who hang up; whom we send away had wanted us.
    let waited = lost.gave_up_after.unwrap_or(Duration::MAX);
    let place = rule::Lost { did: &lost.dnis, waited, age: lost.age, ..rule::Lost::default() };
    match &lost.by {
        MissedBy::Queue(queue) => rule::Lost { queue: Some(queue), ..place },
        MissedBy::Ivr(ivr) => rule::Lost { ivr: Some(ivr), ..place },
        MissedBy::Agent(agent) => rule::Lost { agent: Some(agent), ..place },
        MissedBy::Group(group) => rule::Lost { group: Some(group), ..place },
    }
}

/// Whose line the callback stands in: the profile's, the one that missed the call, the rule's, or the first of the
/// agent who serves it or has missed it. `None`: nobody says, which the configuration check refuses.
fn queue_of(settings: &Settings, rule: &CallbackRule, profile: &CallbackProfile, by: &MissedBy) -> Option<Name> {
    let named = || rule.scope.queues.first().cloned();
    let of_agent = |agent: &Name| {
        let queue = settings.queues.iter().find(|queue| queue.members.iter().any(|member| member.agent == *agent))?;
        Some(queue.name.clone())
    };
    match (&profile.destination, by) {
        (ServedBy::Queue(queue), _) => Some(queue.clone()),
        (ServedBy::Agent(agent), _) => named().or_else(|| of_agent(agent)),
        (ServedBy::Same | ServedBy::MissedBy, MissedBy::Queue(queue)) => Some(queue.clone()),
        (ServedBy::Same | ServedBy::MissedBy, MissedBy::Agent(agent)) => named().or_else(|| of_agent(agent)),
        (ServedBy::Same | ServedBy::MissedBy, MissedBy::Group(group)) => {
            named().or_else(|| settings.group(group)?.agents.iter().find_map(of_agent))
        }
        (ServedBy::Same | ServedBy::MissedBy, MissedBy::Ivr(_)) => named(),
    }
}
