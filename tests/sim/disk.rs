//! The disk: commits take their time, can be held back or refused, and a crash may take what was not acknowledged.

use super::fired::Fired;
use ringback::callback::task::{Attempt, Task, TaskState};
use ringback::entropy::Secret;
use ringback::id::{AttemptId, CallRef, CommitRef, Name, RecordingId, TaskId};
use ringback::number::Party;
use ringback::registrar::Binding;
use ringback::switch::{
    AgentRecord, AuditRecord, Books, Change, DoNotCall, DoubtRecord, NotStored, ObjectRecord, QueueEntry,
    RecordingRecord, Restored, SystemRecord, TalkRecord,
};
use ringback::time::{DateTime, Tick, Utc};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// An attempt waits for it a little longer than so long.
const HANGS: Duration = Duration::from_millis(2_900);

/// How the disk behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Commits are durable after `delay`.
    Working,
    /// Nothing is acknowledged until it works again.
    Holding,
    /// Everything is refused.
    Failing(NotStored),
}

/// See the module.
pub struct Disk {
    pub mood: Mood,
    pub delay: Duration,
    /// Commits on their way, in order.
    pub pending: VecDeque<(CommitRef, Vec<Change>)>,
    /// Since when each of them waits.
    waits: VecDeque<Tick>,
    pub now: Tick,
    /// What it has done to whom.
    pub fired: Fired,
    /// It has refused something today.
    pub has_refused: bool,
    /// It has let something wait for three seconds today.
    has_hung: bool,
    pub revision: u64,
    /// What has become of all callbacks that are on it.
    pub books: Books,
    pub tasks: BTreeMap<TaskId, Task>,
    pub attempts: BTreeMap<AttemptId, Attempt>,
    bindings: BTreeMap<(Name, String), Binding>,
    pub agents: BTreeMap<Name, AgentRecord>,
    pub recordings: BTreeMap<RecordingId, RecordingRecord>,
    pub system: SystemRecord,
    pub do_not_call: BTreeMap<Party, DoNotCall>,
    pub entries: BTreeMap<CallRef, QueueEntry>,
    pub objects: BTreeMap<(String, String), ObjectRecord>,
    pub audit: Vec<AuditRecord>,
    pub talks: BTreeMap<CallRef, TalkRecord>,
    pub pulse: Option<DateTime<Utc>>,
    pub doubt: DoubtRecord,
    /// Records in the largest commit that came.
    pub most_at_once: usize,
    /// What the wall clock showed at the last write, when a scenario wants it to be known.
    pub shown: Option<DateTime<Utc>>,
}

impl Disk {
    pub fn new() -> Disk {
        Disk {
            mood: Mood::Working,
            delay: Duration::from_millis(2),
            pending: VecDeque::new(),
            waits: VecDeque::new(),
            now: Tick::ZERO,
            fired: Fired::default(),
            has_refused: false,
            has_hung: false,
            revision: 0,
            books: Books::default(),
            tasks: BTreeMap::new(),
            attempts: BTreeMap::new(),
            bindings: BTreeMap::new(),
            agents: BTreeMap::new(),
            recordings: BTreeMap::new(),
            system: SystemRecord::default(),
            do_not_call: BTreeMap::new(),
            entries: BTreeMap::new(),
            objects: BTreeMap::new(),
            audit: Vec::new(),
            talks: BTreeMap::new(),
            pulse: None,
            doubt: DoubtRecord::default(),
            shown: None,
            most_at_once: 0,
        }
    }

    /// A commit is on its way.
    pub fn take(&mut self, now: Tick, commit: CommitRef, changes: Vec<Change>) {
        self.most_at_once = self.most_at_once.max(changes.len());
        self.pending.push_back((commit, changes));
        self.waits.push_back(now);
    }

    /// Whether it hangs, or has today: no attempt begins then, and callers are served meanwhile.
    pub fn hangs(&self) -> bool {
        self.has_hung || self.waits.front().is_some_and(|since| self.now.since(*since) >= HANGS)
    }

    /// The oldest pending commit is refused.
    pub fn refuse_next(&mut self, why: NotStored) -> Option<CommitRef> {
        self.waits.pop_front();
        self.has_refused = true;
        self.fired.add(match why {
            NotStored::Full => "a full disk refused",
            NotStored::Failed => "a failing disk refused",
            NotStored::Reserve => "a disk kept its reserve",
        });
        self.pending.pop_front().map(|(commit, _)| commit)
    }

    /// The callbacks that the oldest pending commit writes, as they stand before it.
    pub fn before_next(&self) -> BTreeMap<TaskId, Task> {
        let changes = self.pending.front().into_iter().flat_map(|(_, changes)| changes);
        let written = changes.filter_map(|change| match change {
            Change::PutTask(task) => self.tasks.get(&task.id),
            _ => None, // No callback.
        });
        written.map(|task| (task.id, task.clone())).collect()
    }

    /// Makes the oldest pending commit durable.
    pub fn write_next(&mut self) -> Option<(CommitRef, Vec<Change>)> {
        let waited = self.waits.pop_front().map_or(Duration::ZERO, |since| self.now.since(since));
        self.has_hung |= waited >= HANGS;
        match waited.as_secs() {
            0 => {}
            1..3 => self.fired.add("a write took more than 1 s"),
            3..30 => self.fired.add("a write took more than 3 s"),
            _ => self.fired.add("a write took more than 30 s"),
        }
        let (commit, changes) = self.pending.pop_front()?;
        self.revision += 1;
        changes.iter().cloned().for_each(|change| self.apply(change));
        Some((commit, changes))
    }

    /// A callback is on it, as it is now.
    pub fn put_task(&mut self, task: Task) {
        let state = task.state;
        let before = self.tasks.insert(task.id, task).map(|before| before.state);
        self.books.made += u64::from(before.is_none());
        if let Some(before) = before {
            *self.book(before) -= 1;
        }
        *self.book(state) += 1;
    }

    fn book(&mut self, state: TaskState) -> &mut u64 {
        match state {
            TaskState::Completed => &mut self.books.completed,
            TaskState::Failed => &mut self.books.failed,
            TaskState::Expired => &mut self.books.expired,
            TaskState::Cancelled => &mut self.books.cancelled,
            _ => &mut self.books.open,
        }
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::PutTask(task) => self.put_task(*task),
            Change::PutAttempt(attempt) => drop(self.attempts.insert(attempt.id, *attempt)),
            Change::PutBinding(binding) => {
                self.bindings.insert((binding.extension.clone(), binding.contact.clone()), binding);
            }
            Change::RemoveBinding { extension, contact } => drop(self.bindings.remove(&(extension, contact))),
            Change::PutAgent(agent) => drop(self.agents.insert(agent.agent.clone(), agent)),
            Change::PutSystem(system) => self.system = system,
            Change::PutRecording(recording) => drop(self.recordings.insert(recording.id, *recording)),
            Change::PutObject(object) => {
                self.objects.insert((object.kind.clone(), object.name.clone()), *object);
            }
            Change::RemoveObject { kind, name } => drop(self.objects.remove(&(kind, name))),
            Change::PutAudit(entry) => self.audit.push(*entry),
            Change::PutDoNotCall(said) => drop(self.do_not_call.insert(said.number.clone(), said)),
            Change::RemoveDoNotCall(number) => drop(self.do_not_call.remove(&number)),
            Change::PutEntry(entry) => drop(self.entries.insert(entry.call, *entry)),
            Change::RemoveEntry(call) => drop(self.entries.remove(&call)),
            Change::PutTalk(talk) => drop(self.talks.insert(talk.call, *talk)),
            Change::RemoveTalk(call) => drop(self.talks.remove(&call)),
            Change::PutPulse(at) => self.pulse = Some(at),
            // What lies beside it is of another doubt until the next write, which a power cut may take.
            Change::PutDoubt(doubt) => (self.doubt, self.shown) = (doubt, None),
        }
    }

    /// The power fails: the first `survivors` of the pending commits have made it, the others are gone.
    pub fn crash(&mut self, survivors: usize) {
        for _ in 0..survivors.min(self.pending.len()) {
            self.fired.add("a kill came between a write and its acknowledgement");
            self.write_next();
        }
        self.fired.times("a kill took an unacknowledged write", self.pending.len());
        self.pending.clear();
        self.waits.clear();
    }

    /// The process died before what agents had chosen was written.
    pub fn forget_agents(&mut self) {
        self.agents.clear();
    }

    /// What a new life finds.
    pub fn restored(&self) -> Restored {
        let mut attempts: Vec<Attempt> = self.attempts.values().cloned().collect();
        attempts.sort_by_key(|attempt| (attempt.task, attempt.n)); // As the store does, whatever the clock showed.
        Restored {
            tasks: self.tasks.values().cloned().collect(),
            attempts,
            bindings: self.bindings.values().cloned().collect(),
            agents: self.agents.values().cloned().collect(),
            recordings: self.recordings.values().cloned().collect(),
            system: self.system.clone(),
            do_not_call: self.do_not_call.values().cloned().collect(),
            entries: self.entries.values().cloned().collect(),
            objects: self.objects.values().cloned().collect(),
            audit: self.audit.clone(),
            secret: Secret::new([7; 32]),
            talks: self.talks.values().cloned().collect(),
            pulse: self.pulse,
            doubt: self.doubt,
            shown: self.shown,
        }
    }
}
