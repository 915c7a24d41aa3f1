//! Non-INVITE client transaction: RFC 3261 §17.1.2, figure 6.
//!
//! `Trying → Proceeding → Completed → Terminated`. Unlike an INVITE it is repeated even after a provisional (timer E
//! at T2), and timer F runs from its beginning to its final response.

use super::timers::{GIVE_UP, LINGER, Resend, T2};
use super::{Action, Actions, Class};
use crate::time::Tick;

/// Where it is, with the deadlines of that state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing has come.
    Trying {
        /// Timer E.
        resend: Resend,
        /// Timer F.
        give_up: Tick,
    },
    /// A provisional has come.
    Proceeding {
        /// Timer E, at T2.
        resend: Resend,
        /// Timer F.
        give_up: Tick,
    },
    /// A final response has come.
    Completed {
        /// Timer K.
        until: Tick,
    },
    /// To be removed.
    Terminated,
}

/// The machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NonInviteClient {
    state: State,
}

impl NonInviteClient {
    /// The request leaves.
    pub fn new(now: Tick, out: &mut Actions) -> NonInviteClient {
        out.push(Action::Send);
        NonInviteClient { state: State::Trying { resend: Resend::first(now), give_up: now + GIVE_UP } }
    }

    /// In this state, to show what follows from it.
    pub const fn in_state(state: State) -> NonInviteClient {
        NonInviteClient { state }
    }

    /// Where it is.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// When `on_timeout` is wanted.
    pub fn deadline(&self) -> Option<Tick> {
        match self.state {
            State::Trying { resend, give_up } | State::Proceeding { resend, give_up } => Some(resend.at.min(give_up)),
            State::Completed { until } => Some(until),
            State::Terminated => None,
        }
    }

    /// A response that matches has arrived.
    pub fn on_response(&mut self, now: Tick, class: Class, out: &mut Actions) {
        match (self.state, class) {
            (State::Trying { give_up, .. }, Class::Provisional) => {
                // Timer F keeps running; E slows to T2.
                self.state = State::Proceeding { resend: Resend::every(now, T2), give_up };
                out.push(Action::PassUp);
            }
            (State::Proceeding { .. }, Class::Provisional) => out.push(Action::PassUp),
            (State::Trying { .. } | State::Proceeding { .. }, Class::Success | Class::Failure) => {
                self.state = State::Completed { until: now + LINGER };
                out.push(Action::PassUp);
            }
            // A copy: absorbed, which is what K is for.
            (State::Completed { .. } | State::Terminated, Class::Provisional | Class::Success | Class::Failure) => {}
        }
    }

    /// The deadline has come.
    pub fn on_timeout(&mut self, now: Tick, out: &mut Actions) {
        match self.state {
            State::Trying { give_up, .. } | State::Proceeding { give_up, .. } if now >= give_up => {
                self.state = State::Terminated;
                out.push(Action::TimedOut);
            }
            State::Trying { resend, give_up } if now >= resend.at => {
                self.state = State::Trying { resend: resend.doubled_to_t2(now), give_up };
                out.push(Action::Send);
            }
            State::Proceeding { resend, give_up } if now >= resend.at => {
                self.state = State::Proceeding { resend: Resend::every(now, T2), give_up };
                out.push(Action::Send);
            }
            State::Completed { until } if now >= until => self.state = State::Terminated,
            State::Trying { .. } | State::Proceeding { .. } | State::Completed { .. } | State::Terminated => {}
        }
    }

    /// The request could not be sent.
    pub fn on_transport_error(&mut self, out: &mut Actions) {
        match self.state {
            State::Trying { .. } | State::Proceeding { .. } => {
                self.state = State::Terminated;
                out.push(Action::TransportFailed);
            }
            State::Completed { .. } | State::Terminated => {}
        }
    }
}
