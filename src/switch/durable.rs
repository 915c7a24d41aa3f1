//! Commits on their way to the disk, and what waits for each. Persist before you promise; record the attempt before
//! you dial: what follows a commit happens here, and nowhere else.

use super::missed::Missed;
use super::never::Edit;
use super::promise::Promise;
use super::record::Hold;
use super::{AuditRecord, Change, CommitRef, NotStored, Output, Switch, SystemRecord, Timer};
use crate::id::{AttemptId, CallRef, Name, RecordingId, ReplyTo, TaskId, Ticket, TransactionRef};
use crate::number::Party;
use crate::registrar::BindingChange;
use crate::settings::Settings;
use crate::sip::user_agent::Field;
use crate::time::Now;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use ulid::Ulid;

/// What waits for a commit.
#[derive(Debug)]
pub(super) enum Pending {
    /// Nobody: the disk is told, and nothing was promised yet that depends on it.
    Told,
    /// A caller who wants to be called back.
    Promise(Box<Promise>),
    /// The callback of a missed call: nobody was promised anything.
    Missed(Box<Missed>),
    /// A caller who has cancelled his callback, and hears that it is so; his place in line.
    Withdrawal { call: CallRef, queue: Name, ticket: Ticket },
    /// An agent's phone may ring once the attempt is stored.
    Attempt { call: CallRef, task: TaskId },
    /// The customer may be dialled once the dialog is stored.
    Dial { call: CallRef },
    /// Another edition of the site holds once it is stored.
    Site { to: ReplyTo, settings: Arc<Settings>, audit: Vec<AuditRecord> },
    /// A lever has moved once this is stored.
    System(Box<SystemRecord>),
    /// Whoever has put a number on the do-not-call list, or taken it off.
    Never(Box<Edit>),
    /// What an agent has chosen holds already; whoever chose it for him hears that every later life knows it.
    Agent { to: ReplyTo, agent: Name },
    /// A recording is held, or held no longer, once this is stored.
    Hold(Box<Hold>),
    /// The 200 of a REGISTER.
    Bindings { transaction: TransactionRef, status: u16, fields: Vec<Field>, changes: Vec<BindingChange> },
    /// The reply to a command that made or changed a task.
    Reply {
        to: ReplyTo,
        task: Box<crate::callback::task::Task>,
        /// It is new, and is held from now on.
        is_new: bool,
        /// Older ones that it takes the place of.
        older: Vec<TaskId>,
    },
}

/// A change of bindings as the store knows it.
pub(super) fn binding_change(change: &BindingChange) -> Change {
    match change {
        BindingChange::Put(binding) => Change::PutBinding(binding.clone()),
        BindingChange::Remove { extension, contact } => {
            Change::RemoveBinding { extension: extension.clone(), contact: contact.clone() }
        }
    }
}

/// After a commit that failed, what the disk does not know is told again this much later.
const TELL_AGAIN: Duration = Duration::from_secs(5);
/// Records in one commit, when there are many: the largest that an API request can make fit into a frame of the journal
/// (`limits::JOURNAL_BODY`).
pub(super) const AT_ONCE: usize = 200;
/// So far apart, so that what is asked for meanwhile is stored in between.
const APART: Duration = Duration::from_millis(50);

/// Something whose present state the disk may not know, because a commit failed. What is told again is not the change
/// of that time but what has become of it since.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owed {
    Task(TaskId),
    Attempt(TaskId, AttemptId),
    Recording(RecordingId),
    Agent(Name),
    System,
    DoNotCall(Party),
    Entry(CallRef),
    Talk(CallRef),
    Doubt,
}

impl Owed {
    fn of(change: &Change) -> Option<Owed> {
        match change {
            Change::PutTask(task) => Some(Owed::Task(task.id)),
            Change::PutAttempt(attempt) => Some(Owed::Attempt(attempt.task, attempt.id)),
            Change::PutRecording(recording) => Some(Owed::Recording(recording.id)),
            Change::PutAgent(record) => Some(Owed::Agent(record.agent.clone())),
            Change::PutSystem(_) => Some(Owed::System),
            Change::PutDoNotCall(said) => Some(Owed::DoNotCall(said.number.clone())),
            // Whoever changes the site is told that it did not happen; what is done is done, whether it is noted or
            // not.
            Change::PutObject(_) | Change::RemoveObject { .. } | Change::RemoveDoNotCall(_) | Change::PutAudit(_) => {
                None
            }
            // A phone whose binding is not stored was told 503; one that is not removed has expired.
            Change::PutBinding(_) | Change::RemoveBinding { .. } => None,
            Change::PutEntry(entry) => Some(Owed::Entry(entry.call)),
            Change::RemoveEntry(call) => Some(Owed::Entry(*call)),
            Change::PutTalk(talk) => Some(Owed::Talk(talk.call)),
            Change::RemoveTalk(call) => Some(Owed::Talk(*call)),
            Change::PutPulse(_) => None, // The next one follows soon.
            Change::PutDoubt(_) => Some(Owed::Doubt),
        }
    }
}

impl Pending {
    /// Who waits for an answer of ours until the disk has given its own.
    pub(super) fn asked_by(&self) -> Option<ReplyTo> {
        match self {
            Pending::Site { to, .. } | Pending::Reply { to, .. } | Pending::Agent { to, .. } => Some(*to),
            Pending::Never(edit) => Some(edit.to),
            Pending::Hold(hold) => Some(hold.to),
            Pending::System(_) => None, // Its lever knows.
            Pending::Told
            | Pending::Promise(_)
            | Pending::Missed(_)
            | Pending::Withdrawal { .. }
            | Pending::Attempt { .. }
            | Pending::Dial { .. }
            | Pending::Bindings { .. } => None,
        }
    }
}

impl Switch {
    /// Sends changes to the disk; `pending` goes on when it answers.
    pub(super) fn commit(&mut self, changes: Vec<Change>, pending: Pending) {
        let commit = CommitRef(self.commits_made.take());
        self.commits.insert(commit, (pending, changes.iter().filter_map(Owed::of).collect()));
        self.out.push_back(Output::Commit(commit, changes));
        self.trap.step();
    }

    /// The disk has answered.
    pub(super) fn on_committed(&mut self, now: Now, commit: CommitRef, stored: Result<(), NotStored>) {
        let Some((pending, owed)) = self.commits.remove(&commit) else { return };
        if stored != Err(NotStored::Reserve) {
            self.store_ok = stored.is_ok();
        }
        if stored.is_err() {
            self.owed.extend(owed);
            self.timers.set(Timer::TellAgain, now.tick + TELL_AGAIN);
        }
        self.suspect_commit(&pending, stored);
        self.trap.step();
        match pending {
            Pending::Told => {}
            Pending::Site { to, settings, audit } => self.site_committed(now, to, &settings, audit, stored),
            Pending::System(moved) => self.system_committed(now, *moved, stored),
            Pending::Never(edit) => self.never_committed(now, *edit, stored),
            Pending::Agent { to, agent } => self.agent_committed(to, &agent, stored),
            Pending::Hold(hold) => self.hold_committed(*hold, stored),
            Pending::Promise(promise) => self.promise_committed(now, *promise, stored),
            Pending::Missed(missed) => self.missed_committed(now, *missed, stored),
            Pending::Withdrawal { call, queue, ticket } => {
                self.withdrawal_committed(now, call, &queue, ticket, stored.is_ok());
            }
            Pending::Attempt { call, task } => self.attempt_committed(now, call, task, stored.is_ok()),
            Pending::Dial { call } => self.dial_committed(now, call, stored.is_ok()),
            Pending::Bindings { transaction, status, fields, changes } => match stored {
                Ok(()) => {
                    self.apply_bindings(now, &changes);
                    self.ua.respond(now.tick, transaction, status, fields);
                }
                Err(_) => self.ua.respond(now.tick, transaction, 503, vec![("Retry-After", "30".to_owned())]),
            },
            Pending::Reply { to, task, is_new, older } => {
                self.reply_committed(now, to, *task, is_new.then_some(older), stored);
            }
        }
    }

    /// Tells the disk again what it refused: a call that is over must not be open on the disk, or the next life would
    /// repeat it. What was never held (a promise that was not made, an attempt that never was) is not there to tell.
    pub(super) fn tell_again(&mut self, now: Now) {
        let mut changes = Vec::new();
        while changes.len() < AT_ONCE
            && let Some(owed) = self.owed.pop_first()
        {
            changes.extend(self.as_it_is(&owed));
            // An attempt ends together with what becomes of its callback.
            if let Owed::Task(task) = owed {
                let first = Owed::Attempt(task, AttemptId(Ulid::nil()));
                let is_of_it = |owed: &Owed| matches!(owed, Owed::Attempt(of, _) if *of == task);
                let ends = self.owed.range(first..).take_while(|owed| is_of_it(owed)).cloned().collect::<Vec<_>>();
                for end in ends {
                    self.owed.remove(&end);
                    changes.extend(self.as_it_is(&end));
                }
            }
        }
        if !self.owed.is_empty() {
            self.timers.set(Timer::TellAgain, now.tick + APART);
        }
        if !changes.is_empty() {
            self.commit(changes, Pending::Told);
        }
    }

    /// Ended attempts to reach a number, and the callbacks that they were of, of which the disk does not know yet that
    /// they have ended: a commit on its way may still be refused while a later one is not. Told without its callback an
    /// end would leave that one under way for the next life, which would try it again; `own` is told anyway.
    pub(super) fn owed_ends(&self, number: &Party, own: TaskId) -> Vec<Change> {
        let told = self.commits.values().flat_map(|(_, owed)| owed);
        let wanted: BTreeSet<&Owed> =
            self.owed.iter().chain(told).filter(|owed| matches!(owed, Owed::Attempt(..))).collect();
        let mut changes = Vec::new();
        for change in wanted.into_iter().filter_map(|owed| self.as_it_is(owed)) {
            let Change::PutAttempt(attempt) = &change else { continue };
            if attempt.outcome.is_some() && attempt.number == *number {
                let of_another = Some(attempt.task).filter(|task| *task != own);
                let callback = of_another.and_then(|task| self.as_it_is(&Owed::Task(task)));
                changes.push(change);
                changes.extend(callback);
            }
        }
        changes
    }

    fn as_it_is(&self, owed: &Owed) -> Option<Change> {
        match owed {
            Owed::Task(id) => {
                let task = self.planner.get(*id).or_else(|| self.closed.get(id))?;
                Some(Change::PutTask(Box::new(task.clone())))
            }
            Owed::Attempt(task, id) => {
                let attempt = self.attempts.get(task)?.iter().find(|attempt| attempt.id == *id)?;
                Some(Change::PutAttempt(Box::new(attempt.clone())))
            }
            Owed::Recording(id) => Some(Change::PutRecording(Box::new(self.tapes.get(*id)?.clone()))),
            Owed::System => Some(Change::PutSystem(self.system.clone())),
            Owed::Doubt => Some(self.doubt_change()),
            Owed::Entry(call) => Some(match self.entries.get(call) {
                Some(entry) => Change::PutEntry(Box::new(entry.clone())),
                None => Change::RemoveEntry(*call),
            }),
            Owed::Talk(call) => Some(match self.talks.kept.get(call) {
                Some(talk) => Change::PutTalk(Box::new(talk.clone())),
                None => Change::RemoveTalk(*call),
            }),
            Owed::Agent(agent) => self.choice_of(agent).map(Change::PutAgent),
            Owed::DoNotCall(number) => self.do_not_call.get(number).cloned().map(Change::PutDoNotCall),
        }
    }
}
