//! Numbers that are never called (security.md T33): a customer has said so by key, or somebody has for him. Kept on
//! disk beside the site, over every edition of it, until a person lifts the entry and says why.

use super::command::{Done, NeverCall, PageOf, Refused, Reply};
use super::durable::Pending;
use super::{AuditRecord, Change, DoNotCall, NotStored, Switch, view};
use crate::callback::task::{CloseReason, TaskState};
use crate::id::{ReplyTo, TaskId};
use crate::number::Party;
use crate::time::Now;

/// Characters of a note.
const NOTE_MAX: usize = 200;

/// An entry on its way to the disk, or off it.
#[derive(Clone, Debug)]
pub(super) struct Edit {
    pub(super) to: ReplyTo,
    entry: DoNotCall,
    lifts: bool,
    audit: Vec<AuditRecord>,
}

impl Switch {
    /// The customer wants no more callbacks: known from here on, and to every later life. Whatever else his number was
    /// promised is closed with it; the attempt he says it in has its own end.
    pub(super) fn never_again(&mut self, now: Now, task: TaskId) {
        let Some(number) = self.open_attempt(task).map(|attempt| attempt.number.clone()) else { return };
        let others = self.planner.of_number(&number).filter(|other| !other.state.is_live());
        let others: Vec<TaskId> = others.map(|other| other.id).collect();
        let said = DoNotCall { number, at: now.utc, task: Some(task), who: None, note: None };
        let mut changes = vec![Change::PutDoNotCall(said.clone())];
        self.remember_never(said);
        for other in others {
            if let Some(closed) = self.planner.close(now.utc, other, TaskState::Cancelled, CloseReason::Dnc) {
                changes.push(Change::PutTask(Box::new(closed.clone())));
                self.task_closed(closed);
            }
        }
        self.commit(changes, Pending::Told);
    }

    /// What has been said once holds.
    pub(super) fn remember_never(&mut self, said: DoNotCall) {
        self.policy.never_again(&said.number);
        self.do_not_call.insert(said.number.clone(), said);
    }

    pub(super) fn do_not_call_page(&self, page: &PageOf) -> view::Page<DoNotCall> {
        let page = super::answers::paged(self.do_not_call.values(), page, |entry| entry.number.to_string());
        view::Page { items: page.items.into_iter().cloned().collect(), next: page.next }
    }

    /// Somebody puts a number on the list.
    pub(super) fn add_do_not_call(&mut self, now: Now, never: NeverCall, to: ReplyTo) -> Result<(), Refused> {
        let NeverCall { number, note, done } = never;
        let note = noted(note)?;
        let number = self.policy.read(&number).map_err(|error| invalid("number", error.to_string()))?;
        if let Party::Extension(extension) = &number {
            return Err(invalid("number", format!("{extension} is one of our own phones, and no customer's number")));
        }
        if self.do_not_call.contains_key(&number) {
            return Err(Refused::Conflict { detail: format!("{number} is on the list already") });
        }
        let entry = DoNotCall { number, at: now.utc, task: None, who: Some(done.who.clone()), note };
        let audit = self.entry_of(now, &entry, entry.note.clone(), done);
        let changes = vec![Change::PutDoNotCall(entry.clone()), Change::PutAudit(Box::new(audit.clone()))];
        self.commit(changes, Pending::Never(Box::new(Edit { to, entry, lifts: false, audit: vec![audit] })));
        Ok(())
    }

    /// Somebody takes a number off the list, and says why: it may have been the customer's own word.
    pub(super) fn lift_do_not_call(&mut self, now: Now, never: NeverCall, to: ReplyTo) -> Result<(), Refused> {
        let NeverCall { number, note, done } = never;
        let read = self.policy.read(&number).ok();
        let Some(entry) = read.and_then(|read| self.do_not_call.get(&read)).cloned() else {
            return Err(Refused::NotFound { kind: "do-not-call entry", name: number });
        };
        let Some(note) = noted(note)? else {
            return Err(invalid("note", "say why this number may be called again".to_owned()));
        };
        let audit = self.entry_of(now, &entry, Some(note), done);
        let changes = vec![Change::RemoveDoNotCall(entry.number.clone()), Change::PutAudit(Box::new(audit.clone()))];
        self.commit(changes, Pending::Never(Box::new(Edit { to, entry, lifts: true, audit: vec![audit] })));
        Ok(())
    }

    /// The disk has answered. After a fault in the middle it is done once more.
    pub(super) fn never_committed(&mut self, now: Now, edit: Edit, stored: Result<(), NotStored>) {
        let Edit { to, entry, lifts, audit } = edit;
        let reply = match (stored, lifts) {
            (Err(_), _) => Reply::Refused(Refused::NotStored),
            (Ok(()), false) => {
                self.remember_never(entry.clone());
                self.cancel_unwanted(now, &entry.number);
                self.remember_done(audit);
                Reply::Never(Box::new(entry))
            }
            (Ok(()), true) => {
                self.forget_never(now, &entry);
                self.remember_done(audit);
                Reply::Stored
            }
        };
        self.reply(to, reply);
    }

    /// Only what was lifted: the customer may have said it again meanwhile.
    fn forget_never(&mut self, now: Now, entry: &DoNotCall) {
        if self.do_not_call.get(&entry.number) == Some(entry) {
            self.do_not_call.remove(&entry.number);
            self.policy.call_again(&entry.number);
            self.planner.review(now.utc);
        }
    }

    /// Callbacks of a number that is on the list now. Who talks, talks on.
    fn cancel_unwanted(&mut self, now: Now, number: &Party) {
        let theirs = self.planner.of_number(number).filter(|task| task.state != TaskState::Talking);
        for task in theirs.map(|task| task.id).collect::<Vec<_>>() {
            self.cancel_task(now, task, CloseReason::Dnc, Pending::Told);
        }
    }

    fn entry_of(&mut self, now: Now, entry: &DoNotCall, detail: Option<String>, done: Done) -> AuditRecord {
        let object = Some(format!("do_not_call/{}", entry.number));
        let mut entries = self.entries(now, vec![Done { object, detail, ..done }]);
        entries.pop().expect("one deed makes one entry")
    }
}

/// A note without what surrounds it; an empty one says nothing.
fn noted(note: Option<String>) -> Result<Option<String>, Refused> {
    let note = note.map(|note| note.trim().to_owned()).filter(|note| !note.is_empty());
    match note {
        Some(note) if note.chars().count() > NOTE_MAX => {
            Err(invalid("note", format!("a note has at most {NOTE_MAX} characters")))
        }
        note => Ok(note),
    }
}

fn invalid(field: &'static str, detail: String) -> Refused {
    Refused::Invalid { field, detail }
}
