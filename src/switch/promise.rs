//! Promises: made when the disk says so, and taken back when the customer is served otherwise (laws 1 and 2).

use super::call::Story;
use super::durable::{Owed, Pending};
use super::offer::{Offer, Step, Wish};
use super::{Change, NotStored, Switch, event};
use crate::callback::hold::Undialable;
use crate::callback::planner::{self, Step as Look};
use crate::callback::retry;
use crate::callback::task::{CloseReason, NumberOrigin, Source, Task, TaskState};
use crate::callback::window::{Whom, expires_at};
use crate::id::{CallRef, Name, TaskId, Ticket};
use crate::limits;
use crate::number::Party;
use crate::policy::Policy;
use crate::queue::line::Kind as EntryKind;
use crate::route;
use crate::settings::{CallbackProfile, Dedupe, DedupeScope, ServedBy, Settings};
use crate::time::{DateTime, Now, Utc};

/// Open callbacks of one number, where no policy says otherwise (model.md, number_policy).
const PENDING_PER_NUMBER: usize = 1;

/// A promise on its way to the disk.
#[derive(Debug)]
pub(super) struct Promise {
    pub(super) call: CallRef,
    pub(super) queue: Name,
    pub(super) ticket: Ticket,
    pub(super) task: Box<Task>,
    /// It is open already, was this when the promise was sent, and gets another number.
    pub(super) change_of: Option<Box<Task>>,
    /// Older open tasks of the same number in the same queue that this one takes the place of (S3.B4).
    pub(super) older: Vec<TaskId>,
}

/// What a task begins with, whoever asked for it.
pub(super) struct NewTask {
    pub(super) source: Source,
    pub(super) rule: Option<Name>,
    pub(super) queue: Name,
    pub(super) party: Party,
    pub(super) raw: String,
    pub(super) virtual_start: DateTime<Utc>,
    pub(super) priority: u8,
    pub(super) not_before: Option<DateTime<Utc>>,
}

impl Switch {
    /// The caller wants to be called back: onto the disk with it. Nothing is said before it is there.
    pub(super) fn store_promise(&mut self, now: Now, id: CallRef, wish: Wish) {
        let settings = self.settings.clone();
        let Some(Story::Waiting(waiting)) = self.calls.get(&id).map(|call| &call.story) else { return };
        let rule = waiting.rule.as_deref().and_then(|rule| settings.rule(rule));
        let Some((rule, profile)) = rule.and_then(|rule| Some((rule, settings.profile(&rule.profile)?))) else {
            return;
        };
        let new = NewTask {
            source: Source::QueueRequest,
            rule: Some(rule.name.clone()),
            queue: waiting.queue.clone(),
            party: wish.party,
            raw: wish.raw,
            virtual_start: waiting.virtual_start,
            priority: if profile.priority_boost { 0 } else { rule.priority.min(waiting.priority) },
            not_before: None,
        };
        let (queue, ticket, ani, dnis, caller) =
            (waiting.queue.clone(), waiting.ticket, waiting.ani.clone(), waiting.dnis.clone(), waiting.caller);
        let mut task = self.new_task(now, &settings, profile, new);
        task.ani = Some(ani).filter(|ani| !ani.is_empty());
        task.dnis = Some(dnis);
        task.in_trunk = self.legs.get(&caller).and_then(|leg| match &leg.who {
            super::legs::Who::Trunk(trunk) => Some(trunk.clone()),
            super::legs::Who::Agent(_) => None,
        });
        task.origin_call = Some(id);
        task.requested_by = task.ani.clone();
        if self.may_promise(&task).is_err() {
            self.promised_already(now, id);
            return;
        }
        self.settle_origin(now, id, &mut task);
        let older = self.merge(&mut task);
        self.keep_standing(id);
        let full = self.planner.len() >= limits::OPEN_TASKS || !self.may_promise_more();
        if full {
            // An earlier wish may be on its way still: it is not what is told, and does not hold instead of this one.
            self.step_stored(now, id, false);
            self.keep_standing(id);
            return;
        }
        let change = Change::PutTask(Box::new(task.clone()));
        let promise = Promise { call: id, queue, ticket, task: Box::new(task), older, change_of: None };
        self.commit(vec![change], Pending::Promise(Box::new(promise)));
    }

    /// A second request that is not taken: the caller hears that the first one stands, and waits on.
    pub(super) fn promised_already(&mut self, now: Now, id: CallRef) {
        let Some(waiting) = self.waiting_mut(id) else { return };
        let step = waiting.offer.already();
        self.keep_standing(id);
        self.take_step(now, id, step);
    }

    /// Says how the number of a task is known; one that was typed is counted to who has typed it.
    pub(super) fn settle_origin(&mut self, now: Now, id: CallRef, task: &mut Task) {
        task.number_origin = self.origin_of(id, &task.number, task.in_trunk.as_deref());
        if task.number_origin == NumberOrigin::Typed {
            // Withheld callers are many people: what they name is confirmed by key, not counted.
            if let Some(source) = self.calls.get(&id).and_then(|call| call.customer.as_ref()) {
                self.planner.ledger_mut().named(now.utc, source.as_str());
            }
        }
    }

    /// How the number of a wish is known: the caller's own, or one that he typed (security.md T33).
    fn origin_of(&self, call: CallRef, number: &Party, trunk: Option<&str>) -> NumberOrigin {
        let is_own = self.calls.get(&call).is_some_and(|call| call.customer.as_ref() == Some(number));
        let is_trusted = trunk.is_none_or(|trunk| self.settings.trunk(trunk).is_some_and(|trunk| trunk.trusted));
        match (is_own, is_trusted) {
            (true, true) => NumberOrigin::Trusted,
            (true, false) => NumberOrigin::Signalled,
            (false, _) => NumberOrigin::Typed,
        }
    }

    /// Whether a customer may be promised this beside what he was promised before (model.md, dedupe and
    /// `pending_per_number`); else the task that stands in the way. An attempt under way is being kept, not pending.
    pub(super) fn may_promise(&self, task: &Task) -> Result<(), TaskId> {
        let (dedupe, scope) = self.dedupe_of(task);
        let others: Vec<&Task> = self.planner.of_number(&task.number).filter(|other| other.id != task.id).collect();
        let mut alike = others.iter().filter(|other| is_alike(scope, task, other));
        let most = match (&task.number, self.settings.policy_of_rule(task.rule.as_deref())) {
            (Party::Extension(_), _) => usize::MAX,
            (Party::Number(_), Some(policy)) => policy.pending_per_number as usize,
            (Party::Number(_), None) => PENDING_PER_NUMBER,
        };
        let left: Vec<&&Task> = match dedupe {
            Dedupe::Reject => match alike.next() {
                Some(first) => return Err(first.id),
                None => others.iter().collect(),
            },
            Dedupe::Merge => others.iter().filter(|other| !is_alike(scope, task, other)).collect(),
            Dedupe::Allow => others.iter().collect(),
        };
        let mut pending = left.into_iter().filter(|other| !other.state.is_live());
        let first = pending.next().map(|other| other.id);
        match first {
            Some(first) if 1 + pending.count() >= most => Err(first),
            Some(_) | None => Ok(()),
        }
    }

    /// One open task per number and queue, unless its rule says otherwise (model.md, dedupe): the new one takes the
    /// earliest place. The older ones are closed once it holds, not in its own commit: a caller who hears the apology
    /// keeps what was promised before, and nothing that was final opens again. A crash in between leaves both, and the
    /// next life merges them. An attempt under way is left as it is.
    pub(super) fn merge(&self, task: &mut Task) -> Vec<TaskId> {
        let (dedupe, scope) = self.dedupe_of(task);
        if dedupe != Dedupe::Merge {
            return Vec::new();
        }
        let older = self.planner.of_number(&task.number);
        let older: Vec<&Task> = older
            .filter(|older| older.id != task.id && is_alike(scope, task, older) && !older.state.is_live())
            .collect();
        for older in &older {
            task.virtual_start = task.virtual_start.min(older.virtual_start);
            task.priority = task.priority.min(older.priority);
        }
        older.into_iter().map(|older| older.id).collect()
    }

    /// What the task's rule says of a second request; without a rule, the model's default.
    fn dedupe_of(&self, task: &Task) -> (Dedupe, DedupeScope) {
        task.rule
            .as_deref()
            .and_then(|rule| self.settings.rule(rule))
            .map_or((Dedupe::Merge, DedupeScope::NumberQueue), |rule| (rule.dedupe, rule.dedupe_scope))
    }

    /// The new task holds: the older ones make room. One whose attempt has begun meanwhile goes on.
    pub(super) fn close_merged(&mut self, now: Now, older: &[TaskId]) {
        for id in older {
            if self.planner.get(*id).is_some_and(|task| !task.state.is_live()) {
                self.cancel_task(now, *id, CloseReason::Merged, Pending::Told);
            }
        }
    }

    /// A task with everything that its profile decides.
    pub(super) fn new_task(&mut self, now: Now, settings: &Settings, profile: &CallbackProfile, new: NewTask) -> Task {
        let queue = match &profile.destination {
            ServedBy::Same | ServedBy::Agent(_) | ServedBy::MissedBy => new.queue,
            ServedBy::Queue(queue) => queue.clone(),
        };
        let id = TaskId(self.entropy.ulid(now.utc));
        let whom = Whom { profile, queue: &queue, number: &new.party, source: new.source };
        let expires_at = expires_at(settings, &whom, now.utc);
        let task = Task {
            rule: new.rule,
            agent: match &profile.destination {
                ServedBy::Agent(agent) => Some(agent.clone()),
                ServedBy::Same | ServedBy::Queue(_) | ServedBy::MissedBy => None,
            },
            number_raw: new.raw,
            virtual_start: new.virtual_start,
            priority: self.class_of(&new.party, new.priority, now.utc),
            not_before: retry::first_try(profile, now.utc, new.not_before),
            expires_at,
            ..Task::new(id, new.source, profile.name.clone(), queue, new.party, now.utc)
        };
        let promised = new.not_before.filter(|wish| *wish == task.not_before);
        let promised = promised.map(|wish| Box::new(planner::promised(settings, &task, wish)));
        Task { promised, ..task }
    }

    /// The disk has answered a promise. It holds when its caller is still being told, or has hung up on it; not when he
    /// has heard the apology meanwhile, talks to an agent, or has rung in anew.
    pub(super) fn promise_committed(&mut self, now: Now, promise: Promise, stored: Result<(), NotStored>) {
        if self.is_overtaken(promise.call) {
            if stored.is_ok() {
                self.take_back(now, promise.task);
            }
            return;
        }
        let is_waiting =
            self.waiting_mut(promise.call).is_some_and(|waiting| matches!(waiting.offer, Offer::Promising { .. }));
        let has_left = self.left_promising.remove(&promise.call);
        if promise.change_of.is_some() && self.planner.get(promise.task.id).is_none() {
            self.change_is_void(now, &promise, has_left);
            return;
        }
        let is_here_otherwise = self
            .on_line
            .has_other(&promise.task.number, |leg| self.legs.get(&leg).is_some_and(|leg| leg.call == promise.call));
        match stored {
            Ok(()) if (is_waiting || has_left) && !is_here_otherwise && self.lost(&promise.task).is_none() => {
                if let Some(promise) = self.up_to_date(now, promise, has_left) {
                    self.hold_or_decline(now, promise, has_left);
                }
            }
            Ok(()) => {
                self.withdraw_promise(now, promise, has_left);
            }
            Err(_) => {
                if has_left {
                    self.give_up_place(&promise);
                }
                self.step_stored(now, promise.call, false);
                self.keep_standing(promise.call);
            }
        }
    }

    /// The disk has it, and nothing speaks against the promise, unless another one of the same number came before it.
    fn hold_or_decline(&mut self, now: Now, mut promise: Promise, has_left: bool) {
        match self.find_room(&mut promise.task) {
            Ok(older) => {
                promise.older.extend(older);
                self.hold_promise(now, &promise);
                self.step_stored(now, promise.call, true);
            }
            Err(_) => {
                if has_left {
                    self.give_up_place(&promise);
                }
                self.take_back(now, promise.task);
                self.promised_already(now, promise.call);
            }
        }
    }

    /// Looks once more at what else its number is promised, now that the disk has it: two requests of one number may
    /// have been on their way at once, and neither could see the other. What it takes the place of, with the earliest
    /// place; or what stands in its way.
    pub(super) fn find_room(&mut self, task: &mut Task) -> Result<Vec<TaskId>, TaskId> {
        self.may_promise(task)?;
        let stored = (task.virtual_start, task.priority);
        let older = self.merge(task);
        if stored != (task.virtual_start, task.priority) {
            self.commit(vec![Change::PutTask(Box::new(task.clone()))], Pending::Told);
        }
        Ok(older)
    }

    /// What was to change was closed meanwhile, and that is what the disk was told last.
    fn change_is_void(&mut self, now: Now, promise: &Promise, has_left: bool) {
        if has_left && let Some(line) = self.lines.get_mut(&promise.queue) {
            line.leave(promise.ticket);
        }
        self.step_stored(now, promise.call, false);
    }

    /// A promise that may hold as it was stored. One that changes a callback of which something else was stored
    /// meanwhile, or follows it there, goes to the disk once more, as a change of what it is by now: that is told last,
    /// and says the old number. `None`: it does not hold, or not yet.
    fn up_to_date(&mut self, now: Now, promise: Promise, has_left: bool) -> Option<Promise> {
        let Some(before) = &promise.change_of else { return Some(promise) };
        if self.planner.get(promise.task.id).is_some_and(|held| self.is_being_kept(held)) {
            self.withdraw_promise(now, promise, has_left);
            return None;
        }
        // An attempt that has begun is for the old number. Nobody was rung for it yet: it is on its way to the disk,
        // behind the change.
        self.supersede(now, promise.task.id);
        let Some(held) = self.planner.get(promise.task.id) else {
            self.change_is_void(now, &promise, has_left);
            return None;
        };
        if held == &**before && !self.is_told_behind(promise.task.id) {
            return Some(promise);
        }
        let change_of = Some(Box::new(held.clone()));
        let (stored, held) = (promise.task, held.clone());
        let task = Box::new(Task {
            number: stored.number,
            number_raw: stored.number_raw,
            number_origin: stored.number_origin,
            virtual_start: held.virtual_start.min(stored.virtual_start),
            priority: held.priority.min(stored.priority),
            ..held
        });
        if has_left {
            self.left_promising.insert(promise.call);
        }
        let change = Change::PutTask(task.clone());
        self.commit(vec![change], Pending::Promise(Box::new(Promise { task, change_of, ..promise })));
        None
    }

    /// Whether the disk is about to be told anew what a callback is in memory: it would have the last word. Wishes on
    /// their way are looked at themselves when they are stored.
    fn is_told_behind(&self, task: TaskId) -> bool {
        let mut told = self.commits.values().filter(|(pending, _)| !matches!(pending, Pending::Promise(_)));
        told.any(|(_, owed)| owed.contains(&Owed::Task(task)))
    }

    /// It came to the disk although it is not promised: taken back there.
    fn withdraw_promise(&mut self, now: Now, promise: Promise, has_left: bool) {
        if has_left {
            self.give_up_place(&promise);
        }
        self.take_back(now, promise.task);
        self.step_stored(now, promise.call, false);
        self.keep_standing(promise.call);
    }

    /// After the apology the caller has asked again: what counts is the wish that went to the disk last.
    pub(super) fn is_overtaken(&self, call: CallRef) -> bool {
        self.commits.values().any(|(pending, _)| match pending {
            Pending::Promise(later) => later.call == call,
            Pending::Told
            | Pending::Site { .. }
            | Pending::System(_)
            | Pending::Never(_)
            | Pending::Agent { .. }
            | Pending::Hold(_)
            | Pending::Missed(_)
            | Pending::Withdrawal { .. }
            | Pending::Attempt { .. }
            | Pending::Dial { .. }
            | Pending::Bindings { .. }
            | Pending::Reply { .. } => false,
        })
    }

    /// Its caller has gone, and it does not hold: the place is nobody's, or that of the promise that was to change.
    fn give_up_place(&mut self, promise: &Promise) {
        if let Some(line) = self.lines.get_mut(&promise.queue) {
            line.leave(promise.ticket);
        }
        if let Some(task) = self.planner.get(promise.task.id).cloned() {
            self.line_up(&task);
        }
    }

    /// What is on the disk and does not hold is cancelled there; one that was to change is what it was.
    pub(super) fn take_back(&mut self, now: Now, task: Box<Task>) {
        if let Some(before) = self.planner.get(task.id) {
            let before = Box::new(before.clone());
            self.commit(vec![Change::PutTask(before)], Pending::Told);
            return;
        }
        self.close_unheld(now, *task, CloseReason::NotPromised);
    }

    /// A callback that is on the disk, or may be, and was never held: it is closed there, too.
    pub(super) fn close_unheld(&mut self, now: Now, mut task: Task, why: CloseReason) {
        task.state = TaskState::Cancelled;
        task.close_reason = Some(why);
        task.closed_at = Some(now.utc);
        self.commit(vec![Change::PutTask(Box::new(task.clone()))], Pending::Told);
        self.books.made += 1;
        self.remember(task);
    }

    pub(super) fn step_stored(&mut self, now: Now, call: CallRef, ok: bool) {
        let Some(waiting) = self.waiting_mut(call) else { return };
        let step = waiting.offer.stored(ok);
        if step != Step::Nothing {
            self.take_step(now, call, step);
        }
    }

    /// The ticket stays in the line, now held by the promise (S2.3).
    fn hold_promise(&mut self, now: Now, promise: &Promise) {
        let settings = self.settings.clone();
        let task = &promise.task;
        self.planner.put(now.utc, &settings, (**task).clone());
        self.books.made += u64::from(promise.change_of.is_none());
        if let Some(call) = self.calls.get_mut(&promise.call) {
            call.task = Some(task.id);
        }
        self.close_merged(now, &promise.older);
        if let Some(line) = self.lines.get_mut(&promise.queue) {
            // The ticket is handed on when nothing else changes; another queue, owner or priority is another place, and
            // who waits for the customer's word, or stands there already, needs none.
            let needs_one = !task.rests() && line.ticket_of(task.id).is_none();
            let is_same = needs_one
                && line.entry(promise.ticket).is_some_and(|entry| {
                    task.queue == promise.queue
                        && entry.agent == task.agent
                        && entry.key.priority == task.priority
                        && entry.key.virtual_start == task.virtual_start
                });
            if is_same {
                line.turn_into(promise.ticket, EntryKind::Promise(task.id));
            } else {
                line.leave(promise.ticket);
            }
        }
        self.line_up(task);
        if promise.change_of.is_none() {
            self.publish(event::Event::CallbackRequested {
                task: task.id,
                queue: task.queue.clone(),
                number: task.number.to_string(),
            });
        }
        self.serve_wanted = true;
    }

    /// A task is closed: out of the line, into memory, onto the disk.
    pub(super) fn task_closed(&mut self, task: Task) {
        self.out_of_line(&task);
        let reason = task.close_reason.unwrap_or(CloseReason::ByAdmin);
        let wait = task.closed_at.unwrap_or(task.created_at).signed_duration_since(task.virtual_start);
        let wait_secs = u64::try_from(wait.num_seconds()).unwrap_or(0);
        if matches!(task.state, TaskState::Failed | TaskState::Expired) {
            let at = task.closed_at.unwrap_or(task.created_at);
            self.planner.ledger_mut().given_up(at, &task);
        }
        match task.state {
            TaskState::Completed => self.publish(event::Event::CallbackCompleted { task: task.id, wait_secs }),
            TaskState::Failed => self.publish(event::Event::CallbackFailed { task: task.id, reason }),
            TaskState::Expired => self.publish(event::Event::CallbackExpired { task: task.id }),
            TaskState::Cancelled => self.publish(event::Event::CallbackCancelled { task: task.id, reason }),
            open => unreachable!("a closed task is not {open:?}"),
        }
        self.remember(task);
        self.serve_wanted = true;
    }

    /// Keeps a closed task for the API, as long as there is room.
    pub(super) fn remember(&mut self, task: Task) {
        self.books.closed(task.state);
        self.closed_order.push_back(task.id);
        self.closed.insert(task.id, task);
        if self.closed_order.len() > limits::REMEMBERED
            && let Some(oldest) = self.closed_order.pop_front()
        {
            self.closed.remove(&oldest);
            self.attempts.remove(&oldest);
        }
    }

    /// The place that a customer who rings in takes over: that of his earliest open task in `queue` (interface.md,
    /// Settled 8).
    pub(super) fn heir_of(&self, party: &Party, queue: &Name) -> Option<(DateTime<Utc>, u8)> {
        self.planner
            .of_number(party)
            .filter(|task| task.queue == *queue && task.state != TaskState::Talking)
            .map(|task| (task.virtual_start, task.priority))
            .min()
    }

    /// Cancels the open tasks of a customer, and an attempt that is only ringing. A conversation goes on.
    pub(super) fn close_open_tasks(&mut self, now: Now, party: &Party, reason: CloseReason) {
        let open: Vec<TaskId> =
            self.planner.of_number(party).filter(|task| task.state != TaskState::Talking).map(|task| task.id).collect();
        for task in open {
            self.cancel_task(now, task, reason, Pending::Told);
        }
    }

    /// Cancels one task; an attempt under way is given up first. `pending` goes on when the disk knows.
    pub(super) fn cancel_task(&mut self, now: Now, id: TaskId, reason: CloseReason, pending: Pending) -> bool {
        if self.planner.get(id).is_none() {
            return false;
        }
        self.withdraw_attempt(now, id, reason);
        match self.planner.close(now.utc, id, TaskState::Cancelled, reason) {
            Some(task) => {
                self.commit(vec![Change::PutTask(Box::new(task.clone()))], pending);
                self.task_closed(task);
            }
            // The end of its attempt has closed it, and has told the disk.
            None if matches!(pending, Pending::Told) => {}
            None => {
                let closed = self.closed.get(&id).cloned();
                let changes = closed.map(|task| Change::PutTask(Box::new(task)));
                self.commit(changes.into_iter().collect(), pending);
            }
        }
        true
    }

    /// The planner looks at what has come due, opened, closed or expired.
    pub(super) fn look_at_tasks(&mut self, now: Now) {
        let settings = self.settings.clone();
        let policy = &self.policy;
        let looks = self.planner.wake(now.utc, &settings, |task| undialable(&settings, policy, task, now.utc));
        self.looks.extend(looks);
        self.take_looks();
    }

    /// What the planner has seen is told one by one: it has let go of those that it has closed, and a fault at one of
    /// them must not lose the others.
    pub(super) fn take_looks(&mut self) {
        while let Some(step) = self.looks.pop_front() {
            self.take_look(step);
        }
    }

    fn take_look(&mut self, step: Look) {
        match step {
            Look::Moved(task, _) => {
                self.claim_anew(task);
                self.serve_wanted = true;
            }
            Look::LeftOver(task) | Look::UsedUp(task) | Look::Expired(task) => {
                self.commit(vec![Change::PutTask(task.clone())], Pending::Told);
                if task.state.is_final() {
                    self.task_closed(*task);
                } else {
                    self.out_of_line(&task);
                    self.serve_wanted = true;
                }
            }
        }
    }

    /// Whether a callback may not be tried this moment after all, of which it is told. Lists come into force by
    /// themselves, and with many tasks the last look is a while ago.
    pub(super) fn is_forbidden(&mut self, now: Now, id: TaskId) -> bool {
        self.close_if_lost(now, id);
        let Some(why) = self.planner.get(id).and_then(|task| self.why_forbidden(now, task)) else {
            return self.planner.get(id).is_none();
        };
        let settings = self.settings.clone();
        if let Some(step) = self.planner.forbid(now.utc, &settings, id, why) {
            self.take_look(step);
        }
        true
    }

    /// Why policy or routes forbid a callback now.
    pub(super) fn why_forbidden(&self, now: Now, task: &Task) -> Option<Undialable> {
        undialable(&self.settings, &self.policy, task, now.utc)
    }
}

fn undialable(settings: &Settings, policy: &Policy, task: &Task, at: DateTime<Utc>) -> Option<Undialable> {
    let rule = task.rule.as_deref().and_then(|rule| settings.rule(rule));
    let under = rule.and_then(|rule| rule.number_policy.as_deref());
    policy.judge(&task.number, under, at).err().map(|refusal| refusal.to_string()).or_else(|| {
        let profile = settings.profile(&task.profile)?;
        route::outbound_to(settings, &task.number, &profile.dial_prefix, &profile.trunks)
            .err()
            .map(|no_route| no_route.to_string())
    })
}

/// Whether two tasks of one number are one request made twice.
fn is_alike(scope: DedupeScope, one: &Task, other: &Task) -> bool {
    match scope {
        DedupeScope::Number => true,
        DedupeScope::NumberQueue => one.queue == other.queue,
    }
}
