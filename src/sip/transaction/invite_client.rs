//! INVITE client transaction: RFC 3261 §17.1.1, figure 5, as RFC 6026 §7.2 corrects it.
//!
//! `Calling → Proceeding → Completed` (3xx–6xx, ACKed here) or `Accepted` (2xx, ACKed by the core) `→ Terminated`.
//! In Accepted every copy of a 2xx, and every other fork's 2xx, is passed up: the core owes each of them an ACK.
//! A surprise: nothing limits Proceeding but a CANCEL (§9.1); ringing ends when the caller says so.

use super::timers::{GIVE_UP, Resend, TIMER_D};
use super::{Action, Actions, Class, earliest};
use crate::time::Tick;

/// Where it is, with the deadlines of that state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing has come.
    Calling {
        /// Timer A.
        resend: Resend,
        /// Timer B.
        give_up: Tick,
    },
    /// A provisional has come.
    Proceeding {
        /// §9.1: 64·T1 after a CANCEL an old server may still owe the final response; then it is given up.
        give_up: Option<Tick>,
    },
    /// 300–699 has come.
    Completed {
        /// Timer D.
        until: Tick,
    },
    /// 2xx has come.
    Accepted {
        /// Timer M.
        until: Tick,
    },
    /// To be removed.
    Terminated,
}

/// The machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InviteClient {
    state: State,
}

impl InviteClient {
    /// The INVITE leaves.
    pub fn new(now: Tick, out: &mut Actions) -> InviteClient {
        out.push(Action::Send);
        InviteClient { state: State::Calling { resend: Resend::first(now), give_up: now + GIVE_UP } }
    }

    /// The core has given up. A far end that was only slow may answer yet: as long as it can, its 2xx is passed up and
    /// gets its ACK and BYE, so that nobody picks up to silence.
    pub fn given_up(now: Tick) -> InviteClient {
        InviteClient { state: State::Accepted { until: now + GIVE_UP } }
    }

    /// In this state, to show what follows from it.
    pub const fn in_state(state: State) -> InviteClient {
        InviteClient { state }
    }

    /// Where it is.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// When `on_timeout` is wanted.
    pub fn deadline(&self) -> Option<Tick> {
        match self.state {
            State::Calling { resend, give_up } => Some(resend.at.min(give_up)),
            State::Proceeding { give_up } => give_up,
            State::Completed { until } | State::Accepted { until } => Some(until),
            State::Terminated => None,
        }
    }

    /// A response that matches has arrived.
    pub fn on_response(&mut self, now: Tick, class: Class, out: &mut Actions) {
        match (self.state, class) {
            (State::Calling { .. }, Class::Provisional) => {
                self.state = State::Proceeding { give_up: None };
                out.push(Action::PassUp);
            }
            (State::Proceeding { .. }, Class::Provisional) => out.push(Action::PassUp),
            (State::Calling { .. } | State::Proceeding { .. }, Class::Success) => {
                self.state = State::Accepted { until: now + GIVE_UP };
                out.push(Action::PassUp);
            }
            (State::Calling { .. } | State::Proceeding { .. }, Class::Failure) => {
                // RFC 3261 §17.1.1.2: 300–699 is ACKed by the transaction.
                self.state = State::Completed { until: now + TIMER_D };
                out.push(Action::Acknowledge);
                out.push(Action::PassUp);
            }
            // A copy: our ACK was lost.
            (State::Completed { .. }, Class::Failure) => out.push(Action::Acknowledge),
            (State::Completed { .. }, Class::Provisional | Class::Success) => {}
            // RFC 6026 §7.2: a copy or another fork, the core tells which.
            (State::Accepted { .. }, Class::Success) => out.push(Action::PassUp),
            (State::Accepted { .. }, Class::Provisional | Class::Failure) => {}
            (State::Terminated, Class::Provisional | Class::Success | Class::Failure) => {}
        }
    }

    /// The core has sent a CANCEL: a server that never answers must not hold us for ever (§9.1).
    pub fn on_cancel_sent(&mut self, now: Tick) {
        match self.state {
            State::Proceeding { give_up } => {
                self.state = State::Proceeding { give_up: earliest(give_up, Some(now + GIVE_UP)) };
            }
            // A CANCEL waits for a provisional; and after a final response it is without effect.
            State::Calling { .. } | State::Completed { .. } | State::Accepted { .. } | State::Terminated => {}
        }
    }

    /// The deadline has come.
    pub fn on_timeout(&mut self, now: Tick, out: &mut Actions) {
        match self.state {
            State::Calling { give_up, .. } if now >= give_up => {
                self.state = State::Terminated;
                out.push(Action::TimedOut);
            }
            State::Calling { resend, give_up } if now >= resend.at => {
                self.state = State::Calling { resend: resend.doubled(now), give_up };
                out.push(Action::Send);
            }
            State::Proceeding { give_up: Some(give_up) } if now >= give_up => {
                self.state = State::Terminated;
                out.push(Action::TimedOut);
            }
            State::Completed { until } | State::Accepted { until } if now >= until => self.state = State::Terminated,
            State::Calling { .. }
            | State::Proceeding { .. }
            | State::Completed { .. }
            | State::Accepted { .. }
            | State::Terminated => {} // Too early: nothing is due.
        }
    }

    /// The request, or its ACK, could not be sent.
    pub fn on_transport_error(&mut self, out: &mut Actions) {
        match self.state {
            State::Calling { .. } | State::Completed { .. } => {
                self.state = State::Terminated;
                out.push(Action::TransportFailed);
            }
            // Nothing of ours is on its way: the far end has the request, its answer may still come.
            State::Proceeding { .. } | State::Accepted { .. } | State::Terminated => {}
        }
    }
}
