//! A person, by his number: whether he may be forgotten now, and forgetting him (GDPR 17; security.md). What the disk
//! holds of him is the shell's to find and to erase; here nothing may stay that would write it there again.

use super::command::{Forget, Refused, Reply};
use super::durable::Pending;
use super::{AuditRecord, Call, Switch};
use crate::callback::task::CloseReason;
use crate::id::{RecordingId, TaskId};
use crate::number::Party;
use crate::number::trace::Trace;
use crate::time::Now;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Who is meant by a number as it was typed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// His number.
    pub number: Party,
    /// Whose national forms are read.
    pub country: Option<String>,
    /// A call of his runs, or his phone rings.
    pub on_the_phone: bool,
}

impl Switch {
    pub(super) fn show_person(&self, number: &str) -> Result<Reply, Refused> {
        let invalid = |detail: String| Refused::Invalid { field: "number", detail };
        let number = self.policy.read(number).map_err(|error| invalid(error.to_string()))?;
        if let Party::Extension(extension) = &number {
            return Err(invalid(format!("{extension} is one of our own phones, and no customer's number")));
        }
        let trace = self.trace_of(&number);
        let on_the_phone = self.calls.values().any(|call| is_of(call, &trace, &BTreeSet::new()));
        let country = self.settings.system.default_country.clone();
        Ok(Reply::Person(Box::new(Person { number, country, on_the_phone })))
    }

    fn trace_of(&self, number: &Party) -> Trace {
        Trace::of(number, self.settings.system.default_country.as_deref())
    }

    /// Cancels what was promised to him, and forgets him. While he is on the phone all this would come back.
    pub(super) fn forget_person(&mut self, now: Now, forget: Forget) -> Result<Reply, Refused> {
        let trace = self.trace_of(&forget.number);
        let open = self.planner.iter().filter(|task| task.number == forget.number);
        let tasks: BTreeSet<TaskId> = open.map(|task| task.id).chain(forget.tasks).collect();
        if self.calls.values().any(|call| is_of(call, &trace, &tasks)) {
            let detail = "a call of this person runs: end it, or wait until it is over, and ask again".to_owned();
            return Err(Refused::Conflict { detail });
        }
        for task in &tasks {
            self.cancel_task(now, *task, CloseReason::ByAdmin, Pending::Told);
            self.closed.remove(task);
            self.attempts.remove(task);
        }
        self.closed_order.retain(|id| !tasks.contains(id));
        let theirs = self.tapes.iter().filter(|tape| tape.task.is_some_and(|task| tasks.contains(&task)));
        let tapes: Vec<RecordingId> = theirs.map(|tape| tape.id).chain(forget.recordings).collect();
        tapes.into_iter().for_each(|tape| self.tapes.forget(tape));
        self.plan_retention();
        self.past.retain(|call| !is_of(call, &trace, &tasks));
        self.service.forget(&forget.number);
        self.left_places.forget(&forget.number);
        self.audit.iter_mut().for_each(|entry| entry.forget(&trace));
        if forget.do_not_call {
            self.policy.call_again(&forget.number);
            self.do_not_call.remove(&forget.number);
        } else if let Some(said) = self.do_not_call.get_mut(&forget.number) {
            (said.task, said.who, said.note) = (None, None, None);
        }
        Ok(Reply::Stored)
    }
}

impl AuditRecord {
    /// What was done is kept, with whom it was done is not.
    pub fn forget(&mut self, trace: &Trace) {
        for text in [&mut self.object, &mut self.detail] {
            if let Some(left) = text.as_deref().and_then(|text| trace.taken_out(text)) {
                *text = Some(left);
            }
        }
    }
}

fn is_of(call: &Call, trace: &Trace, tasks: &BTreeSet<TaskId>) -> bool {
    call.customer.as_ref() == Some(trace.number())
        || call.task.is_some_and(|task| tasks.contains(&task))
        || [&call.from, &call.to, &call.ani].into_iter().any(|text| trace.is_in(text))
}
