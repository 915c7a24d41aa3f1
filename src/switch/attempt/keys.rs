//! Keys of an attempt: the agent takes the call with one (S4.7) and asks for another try with another (S4.6); the
//! customer says whether he wants it (security.md T33).

use super::super::call::Story;
use super::super::talk::{Purpose, Talk};
use super::super::{CallTimer, Switch, Timer};
use super::{Accept, Coming, DECLINED, Form, Said, Stage};
use crate::callback::task::{CloseReason, Outcome};
use crate::id::{CallRef, LegRef};
use crate::settings::AgentAccept;
use crate::time::Now;
use std::time::Duration;

/// So long after the question the customer may answer it.
const ANSWER: Duration = Duration::from_secs(10);
/// "Yes, connect me."
const YES: char = '1';
/// "Never again."
const NEVER: char = '2';

impl Switch {
    /// A key of the agent, before the two talk.
    pub(in crate::switch) fn attempt_agent_key(&mut self, now: Now, id: CallRef, digit: char) {
        let Some(profile) = self.loaded(id) else { return };
        let Some(attempt) = self.attempting(id) else { return };
        let accepts = matches!(profile.agent_accept, AgentAccept::Key { key, .. } if key == digit);
        match &mut attempt.stage {
            Stage::Dialling { agent, play, accept: accept @ Accept::Awaited, .. } if accepts => {
                *accept = Accept::Given;
                let heard = agent.filter(|_| play.take().is_some());
                self.timers.cancel(&Timer::Call(id, CallTimer::Key));
                if let Some(agent) = heard {
                    self.hush(agent); // He need not be told any more.
                }
                self.dial_when_ready(now, id);
            }
            Stage::Holds { customer, agent: Coming::Accepts { agent, .. } } if accepts => {
                let (customer, agent) = (*customer, *agent);
                self.hush(agent);
                self.join_holder(now, id, customer, agent);
            }
            // C10: the customer has been dialled, however that came about.
            Stage::CustomerRinging { .. } | Stage::Asking { .. } => self.asks_again(now, id, digit),
            Stage::Telling { .. } => {
                self.asks_again(now, id, digit);
                if self.has_asked(id) {
                    self.settle_telling(now, id);
                }
            }
            Stage::Reserving | Stage::AgentRinging(_) | Stage::Dialling { .. } | Stage::Holds { .. } => {}
        }
    }

    /// A key of one who talks: the agent of a callback may ask for another try; everything else is for the other one.
    pub(in crate::switch) fn talk_key(&mut self, now: Now, id: CallRef, leg: LegRef, digit: char) {
        if let Some(Story::Talking(Talk { a, purpose: Purpose::Callback, .. })) =
            self.calls.get(&id).map(|call| &call.story)
            && *a == leg
        {
            self.asks_again(now, id, digit);
        }
    }

    /// The agent presses the reschedule key: remembered until his leg ends (S4.9). Twice is once.
    fn asks_again(&mut self, now: Now, id: CallRef, digit: char) {
        let Some(loaded) = self.calls.get_mut(&id).and_then(|call| call.loaded.as_mut()) else { return };
        let is_it = loaded.profile.agent_reschedule.is_some_and(|again| again.key == digit);
        if is_it && loaded.said == Said::Nothing {
            loaded.said = Said::AgentAsks;
            self.note(now, id, "the agent asks for another try");
            self.attempt_not_kept(id);
        }
    }

    /// Whether the agent has asked for another try.
    pub(super) fn has_asked(&self, id: CallRef) -> bool {
        self.said(id) == Said::AgentAsks
    }

    /// The agent has heard what he is asked; from now on he has so long to press the key (S4.8).
    pub(super) fn await_accept(&mut self, now: Now, id: CallRef) {
        let Some(profile) = self.loaded(id) else { return };
        let AgentAccept::Key { within, .. } = profile.agent_accept else { return };
        let is_awaited = self.attempting(id).is_some_and(|attempt| {
            matches!(
                attempt.stage,
                Stage::Dialling { accept: Accept::Awaited, .. } | Stage::Holds { agent: Coming::Accepts { .. }, .. }
            )
        });
        if is_awaited {
            self.timers.set(Timer::Call(id, CallTimer::Key), now.tick + within);
        }
    }

    /// A key of the customer, before the two talk.
    pub(in crate::switch) fn attempt_customer_key(&mut self, now: Now, id: CallRef, digit: char) {
        let Some(attempt) = self.attempting(id) else { return };
        let Stage::Asking { agent, customer, .. } = &attempt.stage else { return };
        let (agent, customer, task) = (*agent, *customer, attempt.task);
        if attempt.form == Form::ClientOffer {
            self.offer_answered(now, id, task, digit);
            return;
        }
        match digit {
            YES => {
                self.timers.cancel(&Timer::Call(id, CallTimer::Key));
                self.hush(customer);
                self.serve_customer(now, id, agent, customer);
            }
            NEVER => {
                self.never_again(now, task);
                self.say_of(id, Said::Withdrawn(CloseReason::Dnc));
                self.finish_attempt(now, id, Outcome::NotConfirmed, Duration::ZERO);
            }
            _ => {} // Anything else is no answer.
        }
    }

    /// The question has been asked; from now on the customer has so long to answer.
    pub(super) fn await_answer(&mut self, now: Now, id: CallRef) {
        self.timers.set(Timer::Call(id, CallTimer::Key), now.tick + ANSWER);
    }

    /// No key came in time.
    pub(in crate::switch) fn attempt_key_missing(&mut self, now: Now, id: CallRef) {
        let Some(attempt) = self.attempting(id) else { return };
        let agent = attempt.agents.first().cloned();
        match &attempt.stage {
            Stage::Dialling { .. } | Stage::Holds { .. } => {
                // Perhaps it was the agent's voicemail: it counts like a phone that nobody picks up.
                if let Some(agent) = agent {
                    self.agent_let_ring(now, &agent);
                    self.pass_over(id, &agent, now.tick + DECLINED);
                }
                self.finish_attempt(now, id, Outcome::AgentNoAccept, Duration::ZERO);
            }
            Stage::Asking { .. } => self.finish_attempt(now, id, Outcome::NotConfirmed, Duration::ZERO),
            Stage::Telling { .. } => self.told_unless_waiting(now, id),
            Stage::Reserving | Stage::AgentRinging(_) | Stage::CustomerRinging { .. } => {}
        }
    }
}
