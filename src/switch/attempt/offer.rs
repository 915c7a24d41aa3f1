//! The offer of another try (S4.5): when everything else is used, the customer is called by nobody but us, and says
//! with a key whether he wants to be called again, or never again. It is an attempt like every other: within calling
//! hours and caps, on the disk before its INVITE, and never beside another leg of the same customer (laws 1 and 2).

use super::super::Switch;
use super::{Form, Said};
use crate::callback::retry::ClientAnswer;
use crate::callback::task::Outcome;
use crate::id::{CallRef, TaskId};
use crate::time::Now;
use std::time::Duration;

/// "Stop calling me" (model.md, DTMF map).
const NEVER: char = '9';

impl Switch {
    /// Calls every customer who is to be asked now.
    pub(in crate::switch) fn offer_tries(&mut self, now: Now) {
        if self.draining || self.service.disk_hangs {
            return;
        }
        let settings = self.settings.clone();
        while let Some(id) = self.planner.next_offer(now.utc, &settings, |task| self.can_reach(task)) {
            if self.is_forbidden(now, id) {
                continue;
            }
            let Ok(task) = self.planner.begin_offer(now.utc, &settings, id) else { return };
            let Some(profile) = settings.profile(&task.profile) else { return };
            let queue = task.queue.clone();
            self.load_attempt(now, task, profile, Form::ClientOffer, Some(&queue), &[]);
        }
    }

    /// A key of a customer who was offered another try.
    pub(super) fn offer_answered(&mut self, now: Now, id: CallRef, task: TaskId, digit: char) {
        let again = self.loaded(id).and_then(|profile| profile.client_reschedule);
        let is_yes = again.is_some_and(|again| again.key == digit);
        let (answer, outcome) = match digit {
            _ if is_yes => (ClientAnswer::Again, Outcome::Success),
            NEVER => (ClientAnswer::Never, Outcome::NotConfirmed),
            _ => return, // No answer.
        };
        self.say_of(id, Said::Client(answer));
        if answer == ClientAnswer::Never {
            self.never_again(now, task);
        }
        self.finish_attempt(now, id, outcome, Duration::ZERO);
    }
}
