//! Commits on their way to the disk, and what waits for each. Persist before you promise; record the attempt before
//! you dial: what follows a commit happens here, and nowhere else.

use super::promise::Promise;
use super::{Change, CommitRef, NotStored, Output, Switch};
use crate::id::{CallRef, ReplyTo, TaskId, TransactionRef};
use crate::registrar::BindingChange;
use crate::sip::user_agent::Field;
use crate::time::Now;

/// What waits for a commit.
#[derive(Debug)]
pub(super) enum Pending {
    /// Nobody: the disk is told, and nothing was promised yet that depends on it.
    Told,
    /// A caller who wants to be called back.
    Promise(Box<Promise>),
    /// An agent's phone may ring once the attempt is stored.
    Attempt { call: CallRef, task: TaskId },
    /// The customer may be dialled once the dialog is stored.
    Dial { call: CallRef },
    /// The 200 of a REGISTER.
    Bindings { transaction: TransactionRef, status: u16, fields: Vec<Field>, changes: Vec<BindingChange> },
    /// The reply to a command that made or changed a task.
    Reply {
        to: ReplyTo,
        task: Box<crate::callback::task::Task>,
        /// It is new, and is held from now on.
        is_new: bool,
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

impl Switch {
    /// Sends changes to the disk; `pending` goes on when it answers.
    pub(super) fn commit(&mut self, changes: Vec<Change>, pending: Pending) {
        let commit = CommitRef(self.commits_made.take());
        self.commits.insert(commit, pending);
        self.out.push_back(Output::Commit(commit, changes));
    }

    /// The disk has answered.
    pub(super) fn on_committed(&mut self, now: Now, commit: CommitRef, stored: Result<(), NotStored>) {
        let Some(pending) = self.commits.remove(&commit) else { return };
        if stored != Err(NotStored::Reserve) {
            self.store_ok = stored.is_ok();
        }
        match pending {
            Pending::Told => {}
            Pending::Promise(promise) => self.promise_committed(now, *promise, stored),
            Pending::Attempt { call, task } => self.attempt_committed(now, call, task, stored.is_ok()),
            Pending::Dial { call } => self.dial_committed(now, call, stored.is_ok()),
            Pending::Bindings { transaction, status, fields, changes } => match stored {
                Ok(()) => {
                    self.apply_bindings(now, &changes);
                    self.ua.respond(now.tick, transaction, status, fields);
                }
                Err(_) => self.ua.respond(now.tick, transaction, 503, vec![("Retry-After", "30".to_owned())]),
            },
            Pending::Reply { to, task, is_new } => self.reply_committed(now, to, *task, is_new, stored),
        }
    }
}
