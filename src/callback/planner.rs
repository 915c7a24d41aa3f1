//! The planner: every open task, which of them are due, and what holds the others.
//!
//! Each task that is not under way has one instant at which it deserves a look: its time comes, its window opens or
//! closes, it expires. `wake` looks at those whose instant has come and moves them between `pending`, `deferred`,
//! `blocked` and `due`, in the order of checks of model.md C12: expired, blocked, deferred, due. `begin` alone starts
//! an attempt, and holds law 2: one live attempt per number, within window and caps.

mod gates;
mod look;
mod people;

pub use gates::yields_to_live;
pub use people::{NotKept, promised};

use super::hold::{Hold, Undialable};
use super::ledger::Ledger;
use super::retry::{By, Next, Verdict};
use super::task::{AttemptKind, CloseReason, HoldReason, Task, TaskState};
use super::window::{Shut, Whom, Window};
use crate::id::{Name, TaskId};
use crate::number::Party;
use crate::settings::Settings;
use crate::time::{DateTime, Utc, shifted};
use chrono::TimeDelta;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use ulid::Ulid;

/// Tasks one `wake` looks at: when 100 000 come due at nine o'clock, calls go on in between.
const LOOKS_AT_ONCE: usize = 500;
/// How long a task rests whose attempt could not dial although nothing seems to forbid it.
const BLOCKED_PAUSE: TimeDelta = TimeDelta::minutes(1);
/// What `max_originates_per_min` counts over.
const MINUTE: TimeDelta = TimeDelta::minutes(1);
/// By how much the wall clock may be set without anybody noticing (durability.md §2.10).
const UNNOTICED: TimeDelta = TimeDelta::seconds(2);

/// What a look has changed.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The task is in another state now, or is due still and has perhaps ceased to yield; nothing a restart could not
    /// find out again.
    Moved(TaskId, TaskState),
    /// It has expired and is no longer held here: to be stored, and out of its line.
    Expired(Box<Task>),
    /// Its day has ended and people decide (S4.B3): to be stored, and out of its line.
    LeftOver(Box<Task>),
    /// An edit of its profile leaves no attempt to it: closed and no longer held here, or the customer is asked. To be
    /// stored, and out of its line.
    UsedUp(Box<Task>),
}

/// Who could serve a task, as far as `held_by` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agents {
    /// Nobody is logged in and reachable.
    NobodyLoggedIn,
    /// All are busy.
    AllBusy,
    /// One is free.
    Free,
}

/// What only the switch knows about a task's surroundings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Around {
    /// The customer is in any call with us.
    pub customer_in_call: bool,
    /// The agents of its queue, or its owner.
    pub agents: Agents,
    /// Entries that are served before it.
    pub ahead: usize,
}

#[derive(Clone, Debug)]
struct Planned {
    task: Task,
    look_at: Option<DateTime<Utc>>,
    undialable: Option<Box<Undialable>>,
}

/// All open tasks.
#[derive(Clone, Debug, Default)]
pub struct Planner {
    /// Boxed: the nodes of the tree are half empty, and a task is large.
    tasks: BTreeMap<TaskId, Box<Planned>>,
    looks: BTreeSet<(DateTime<Utc>, TaskId)>,
    numbers: BTreeSet<(Party, TaskId)>,
    active: BTreeMap<Party, TaskId>,
    quarantine: BTreeMap<Party, DateTime<Utc>>,
    idempotency_keys: BTreeMap<String, TaskId>,
    states: BTreeMap<(Name, TaskState), usize>,
    rules: BTreeMap<Name, usize>,
    live: usize,
    live_of: BTreeMap<Name, usize>,
    live_in: BTreeMap<Name, usize>,
    starts: VecDeque<DateTime<Utc>>,
    ledger: Ledger,
    /// Automated offers to customers that may be made now, by the time they waited for.
    offers: BTreeSet<(DateTime<Utc>, TaskId)>,
    /// The wall clock may be wrong.
    clock_doubted: bool,
}

// --- What is held ---
impl Planner {
    /// Holds a task as it is now, new or changed. A closed one is forgotten.
    ///
    /// # Panics
    /// When it is under way while another task of the same number is (law 2).
    pub fn put(&mut self, now: DateTime<Utc>, settings: &Settings, task: Task) {
        let before = self.forget(task.id);
        let undialable = before.and_then(|before| before.undialable).filter(|_| task.state == TaskState::Blocked);
        self.insert(now, settings, task, undialable);
    }

    fn insert(&mut self, now: DateTime<Utc>, settings: &Settings, task: Task, undialable: Option<Box<Undialable>>) {
        if task.state.is_final() {
            return;
        }
        self.numbers.insert((task.number.clone(), task.id));
        if let Some(key) = &task.idempotency_key {
            self.idempotency_keys.insert(key.clone(), task.id);
        }
        if let Some(rule) = &task.rule {
            *self.rules.entry(rule.clone()).or_default() += 1;
        }
        *self.states.entry((task.queue.clone(), task.state)).or_default() += 1;
        if task.state.is_live() {
            let other = self.active.insert(task.number.clone(), task.id);
            assert!(other.is_none(), "one live attempt per number (law 2)");
            self.live += 1;
            *self.live_of.entry(task.profile.clone()).or_default() += 1;
            *self.live_in.entry(task.queue.clone()).or_default() += 1;
        }
        if task.state == TaskState::ClientOffer && undialable.is_none() && task.not_before <= now {
            let is_open = window_of(settings, &task, now).is_some_and(|window| window.is_open(now));
            if is_open {
                self.offers.insert((task.not_before, task.id));
            }
        }
        let look_at = self.next_look(now, settings, &task, undialable.is_some());
        if let Some(at) = look_at {
            self.looks.insert((at, task.id));
        }
        self.tasks.insert(task.id, Box::new(Planned { task, look_at, undialable }));
    }

    /// An open task.
    pub fn get(&self, id: TaskId) -> Option<&Task> {
        self.tasks.get(&id).map(|planned| &planned.task)
    }

    /// All open tasks, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Task> {
        self.tasks.values().map(|planned| &planned.task)
    }

    /// Those behind this one, or all.
    pub fn iter_after(&self, after: Option<TaskId>) -> impl Iterator<Item = &Task> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.tasks.range((from, Bound::Unbounded)).map(|(_, planned)| &planned.task)
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// None is open.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// What was dialled lately.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The same, to write into.
    pub fn ledger_mut(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    /// Attempts under way.
    pub fn live(&self) -> usize {
        self.live
    }

    /// The open tasks of a number: a customer rings in, an agent dials the customer.
    pub fn of_number(&self, number: &Party) -> impl Iterator<Item = &Task> {
        self.ids_of(number).filter_map(|id| self.get(id))
    }

    fn ids_of(&self, number: &Party) -> impl Iterator<Item = TaskId> {
        let (number, from) = (number.clone(), (number.clone(), TaskId(Ulid::nil())));
        self.numbers.range(from..).take_while(move |(other, _)| *other == number).map(|(_, id)| *id)
    }

    /// The task whose attempt is under way for this number.
    pub fn active(&self, number: &Party) -> Option<TaskId> {
        self.active.get(number).copied()
    }

    /// The open task created with this `Idempotency-Key`.
    pub fn by_idempotency_key(&self, key: &str) -> Option<TaskId> {
        self.idempotency_keys.get(key).copied()
    }

    /// Open tasks of a rule: its `max_pending`.
    pub fn pending_of(&self, rule: &str) -> usize {
        self.rules.get(rule).copied().unwrap_or(0)
    }

    /// How many tasks of each queue are in each state: queue, state, tasks.
    pub fn states(&self) -> impl Iterator<Item = (&Name, TaskState, usize)> {
        self.states.iter().map(|((queue, state), count)| (queue, *state, *count))
    }

    /// Leaves a number alone until then, whichever task wants it (interface.md, Settled 7).
    pub fn quarantine(&mut self, number: Party, until: DateTime<Utc>) {
        for id in self.ids_of(&number).collect::<Vec<_>>() {
            self.look_by(id, until);
        }
        let end = self.quarantine.entry(number).or_insert(until);
        *end = until.max(*end);
    }

    /// A look at `at` at the latest.
    fn look_by(&mut self, id: TaskId, at: DateTime<Utc>) {
        let Some(planned) = self.tasks.get_mut(&id) else { return };
        if planned.task.state.is_live() || planned.look_at.is_some_and(|before| before <= at) {
            return;
        }
        if let Some(before) = planned.look_at.replace(at) {
            self.looks.remove(&(before, id));
        }
        self.looks.insert((at, id));
    }

    /// Takes a task and all traces of it out.
    fn forget(&mut self, id: TaskId) -> Option<Planned> {
        let planned = *self.tasks.remove(&id)?;
        let task = &planned.task;
        if let Some(at) = planned.look_at {
            self.looks.remove(&(at, id));
        }
        self.offers.remove(&(task.not_before, id));
        self.numbers.remove(&(task.number.clone(), id));
        if let Some(key) = &task.idempotency_key {
            self.idempotency_keys.remove(key);
        }
        if let Some(rule) = &task.rule {
            less(&mut self.rules, rule);
        }
        less(&mut self.states, &(task.queue.clone(), task.state));
        if task.state.is_live() {
            self.active.remove(&task.number);
            self.live -= 1;
            less(&mut self.live_of, &task.profile);
            less(&mut self.live_in, &task.queue);
        }
        Some(planned)
    }
}

// --- When something is to be done ---
impl Planner {
    /// When `wake` is wanted; an instant in the past means at once.
    pub fn next_wake(&self, settings: &Settings) -> Option<DateTime<Utc>> {
        let look = self.looks.first().map(|(at, _)| *at);
        let max = settings.system.max_originates_per_min as usize;
        // A due task held by the rate alone is distributed again when the oldest start leaves the minute.
        let held = max > 0 && self.starts.len() >= max;
        let slot = self.starts.front().filter(|_| held).map(|oldest| *oldest + MINUTE);
        [look, slot, self.ledger.next_release()].into_iter().flatten().min()
    }

    /// Looks at the tasks whose instant has come, a bounded number of them (`next_wake` stays in the past when there
    /// are more). `undialable` asks policy and routes.
    pub fn wake(
        &mut self,
        now: DateTime<Utc>,
        settings: &Settings,
        mut undialable: impl FnMut(&Task) -> Option<Undialable>,
    ) -> Vec<Step> {
        self.starts_until(now);
        self.ledger.release(now);
        self.quarantine.retain(|_, until| *until > now);
        let mut steps = Vec::new();
        for _ in 0..LOOKS_AT_ONCE {
            let Some((_, id)) = self.looks.first().filter(|(at, _)| *at <= now).copied() else { break };
            let planned = self.forget(id).expect("every look names a task");
            steps.extend(self.look(now, settings, planned, &mut undialable));
        }
        steps
    }

    /// The wall clock was set by `by` and shows `now`. How long ago something was, and how long somebody is left alone,
    /// stays what it is; an instant that was promised stays, too. Returns the tasks, as they are to be stored.
    pub fn shift(&mut self, now: DateTime<Utc>, settings: &Settings, by: TimeDelta) -> Vec<Task> {
        self.starts.iter_mut().for_each(|at| *at = shifted(*at, by));
        self.quarantine.values_mut().for_each(|until| *until = shifted(*until, by));
        self.ledger.shift(by);
        let mut moved = Vec::new();
        for id in self.tasks.keys().copied().collect::<Vec<_>>() {
            let Some(Planned { mut task, undialable, .. }) = self.forget(id) else { continue };
            task.shift(by);
            moved.push(task.clone());
            self.insert(now, settings, task, undialable);
        }
        moved
    }

    /// Nobody knows what time it is: nothing is dialled, whatever else is due.
    pub fn hold_for_clock(&mut self, held: bool) {
        self.clock_doubted = held;
    }

    /// The site has changed: every task that is not under way is looked at again (S5.10; `blocked` may be free).
    pub fn review(&mut self, now: DateTime<Utc>) {
        for id in self.tasks.keys().copied().collect::<Vec<_>>() {
            self.look_by(id, now);
        }
    }
}

// --- Attempts ---
impl Planner {
    /// Whether an attempt may begin now, and which gate forbids it.
    pub fn may_begin(&self, now: DateTime<Utc>, settings: &Settings, id: TaskId) -> Result<(), Hold> {
        // The site's caps first: they hold all tasks alike and cost nothing to ask.
        self.site_caps(now, settings)?;
        let planned = self.tasks.get(&id).ok_or(Hold::Closed(TaskState::Cancelled))?;
        self.own_gates(now, settings, planned, AttemptKind::Agent)
    }

    /// The next customer who is to be asked whether he wants another try (S4.5), if one may be called now.
    /// `reachable` says whether he can be dialled this moment.
    pub fn next_offer(
        &self,
        now: DateTime<Utc>,
        settings: &Settings,
        reachable: impl Fn(&Task) -> bool,
    ) -> Option<TaskId> {
        self.site_caps(now, settings).ok()?;
        let mut ready = self.offers.iter().filter_map(|(_, id)| self.tasks.get(id));
        ready
            .find(|planned| {
                self.own_gates(now, settings, planned, AttemptKind::ClientOffer).is_ok() && reachable(&planned.task)
            })
            .map(|planned| planned.task.id)
    }

    /// Begins the automated call to a customer of `next_offer`, as `begin` does an agent's attempt.
    pub fn begin_offer(&mut self, now: DateTime<Utc>, settings: &Settings, id: TaskId) -> Result<Task, Hold> {
        self.begin_as(now, settings, id, AttemptKind::ClientOffer)
    }

    /// Begins an attempt: the task is `reserving`, its number active, the attempt's number is `attempts_made`.
    /// Returns the task as it is to be stored.
    pub fn begin(&mut self, now: DateTime<Utc>, settings: &Settings, id: TaskId) -> Result<Task, Hold> {
        self.begin_as(now, settings, id, AttemptKind::Agent)
    }

    fn begin_as(
        &mut self,
        now: DateTime<Utc>,
        settings: &Settings,
        id: TaskId,
        kind: AttemptKind,
    ) -> Result<Task, Hold> {
        self.starts_until(now);
        self.site_caps(now, settings)?;
        let planned = self.tasks.get(&id).ok_or(Hold::Closed(TaskState::Cancelled))?;
        self.own_gates(now, settings, planned, kind)?;
        let mut task = planned.task.clone();
        task.state = TaskState::Reserving;
        task.attempts_made += 1;
        self.starts.push_back(now);
        self.put(now, settings, task.clone());
        Ok(task)
    }

    /// The attempt goes on: `agent_ringing`, `customer_ringing`, `talking`. Returns the task as it is to be stored.
    pub fn advance(&mut self, now: DateTime<Utc>, settings: &Settings, id: TaskId, state: TaskState) -> Option<Task> {
        let mut task = self.get(id).filter(|task| task.state.is_live() && state.is_live())?.clone();
        task.state = state;
        self.put(now, settings, task.clone());
        Some(task)
    }

    /// The attempt has ended, `retry` has judged. Returns the task as it is to be stored; closed ones are no longer
    /// held. `None` when the task is not open any more, as when what superseded the attempt closed it.
    pub fn conclude(&mut self, now: DateTime<Utc>, settings: &Settings, id: TaskId, verdict: Verdict) -> Option<Task> {
        let mut task = self.get(id)?.clone();
        conclude(&mut task, verdict, now);
        self.put(now, settings, task.clone());
        if verdict.next == Next::Blocked {
            self.look_by(id, now);
        }
        Some(task)
    }

    /// Closes a task: cancelled by whom. Returns it as it is to be stored; it is no longer held. An attempt under
    /// way is the caller's to end.
    pub fn close(&mut self, now: DateTime<Utc>, id: TaskId, state: TaskState, reason: CloseReason) -> Option<Task> {
        let Planned { mut task, .. } = self.forget(id)?;
        closed(&mut task, state, reason, now);
        Some(task)
    }

    fn starts_until(&mut self, now: DateTime<Utc>) {
        self.starts.retain(|start| is_recent(*start, now));
    }

    /// Attempts of a former life began then: a restart opens no minute of its own (law 10).
    pub fn resume_rate(&mut self, now: DateTime<Utc>, begun: impl Iterator<Item = DateTime<Utc>>) {
        self.starts.extend(begun.filter(|start| is_recent(*start, now)));
        self.starts.make_contiguous().sort_unstable();
    }
}

/// Whether a start counts for `max_originates_per_min`. A clock that was set back by a moment, which nobody notices,
/// forgets none; one that was set back further must not hold the rate for longer than a minute.
fn is_recent(start: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    start <= now + UNNOTICED && start + MINUTE > now
}

/// What an attempt's end makes of its task, as `retry` has judged it.
pub fn conclude(task: &mut Task, verdict: Verdict, now: DateTime<Utc>) {
    task.promised = None; // Its hour has come.
    task.attempts_used += u32::from(verdict.counted);
    match verdict.by {
        Some(By::Auto) => task.reschedules.auto += 1,
        Some(By::Agent) => task.reschedules.agent += 1,
        Some(By::Client) => task.reschedules.client += 1,
        None => {}
    }
    match verdict.next {
        Next::Done => closed(task, TaskState::Completed, CloseReason::Success, now),
        Next::Fail(reason) => closed(task, TaskState::Failed, reason, now),
        Next::Unreached => closed(task, TaskState::Failed, CloseReason::NoAnswerAction, now),
        Next::Cancel(reason) => closed(task, TaskState::Cancelled, reason, now),
        Next::ClientOffer(not_before) => {
            task.state = TaskState::ClientOffer;
            task.not_before = not_before;
            task.due_since = None;
        }
        Next::Overflow => {
            task.state = TaskState::Overflow;
            task.due_since = None;
        }
        Next::Lost => {
            task.state = TaskState::Blocked;
            task.hold_reason = Some(HoldReason::LostAfterAnswer);
            task.due_since = None;
        }
        Next::Retry(not_before) => {
            task.state = TaskState::WaitingRetry;
            task.not_before = not_before;
            task.due_since = None;
        }
        Next::Again(not_before) => {
            task.state = TaskState::Pending;
            task.not_before = not_before;
        }
        // Looked at again at once, which finds the reason and keeps it; if it has gone, a pause keeps this from
        // going round and round.
        Next::Blocked | Next::Superseded => {
            task.state = TaskState::Pending;
            task.not_before = now + BLOCKED_PAUSE;
        }
    }
}

/// One fewer; none is no entry.
fn less<K: Ord>(counts: &mut BTreeMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

fn closed(task: &mut Task, state: TaskState, reason: CloseReason, now: DateTime<Utc>) {
    task.state = state;
    task.close_reason = Some(reason);
    task.closed_at = Some(now);
}

fn window_of<'a>(settings: &'a Settings, task: &'a Task, now: DateTime<Utc>) -> Option<Window<'a>> {
    settings.profile(&task.profile).map(|profile| Window::of(settings, &Whom::of(profile, task), now))
}

/// Why it never opens.
fn shut(window: &Window<'_>, now: DateTime<Utc>) -> Hold {
    match window.shut(now) {
        Shut::ZoneUnknown => Hold::ZoneUnknown,
        Shut::Never(schedule) => Hold::NeverOpen(schedule.clone()),
        Shut::NeverMeet { schedules, zones } => {
            Hold::NeverMeet(schedules.into_iter().cloned().collect(), zones.to_vec())
        }
    }
}
