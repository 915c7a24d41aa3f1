//! INVITE server transaction: RFC 3261 §17.2.1, figure 7, as RFC 6026 §7.1 corrects it.
//!
//! `Proceeding → Completed → Confirmed` (3xx–6xx, repeated until its ACK) or `Accepted` (2xx, repeated by the core)
//! `→ Terminated`. Accepted lives 64·T1 so that a late copy of the INVITE is not taken for a new call; the ACK of a
//! 2xx is a transaction of its own and goes to the core. A response that could not be sent changes nothing
//! (RFC 6026 §7.1): the client repeats its request, or timer H ends it.

use super::timers::{GIVE_UP, LINGER, Resend};
use super::{Action, Actions, Class};
use crate::time::Tick;

/// Where it is, with the deadlines of that state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No final response yet.
    Proceeding,
    /// 300–699 has been sent.
    Completed {
        /// Timer G.
        resend: Resend,
        /// Timer H.
        give_up: Tick,
    },
    /// The ACK has come.
    Confirmed {
        /// Timer I.
        until: Tick,
    },
    /// 2xx has been sent.
    Accepted {
        /// Timer L.
        until: Tick,
    },
    /// To be removed.
    Terminated,
}

/// The machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InviteServer {
    state: State,
}

impl InviteServer {
    /// An INVITE has come. The core sends its 100 at once (§17.2.1 allows 200 ms).
    pub const fn new() -> InviteServer {
        InviteServer { state: State::Proceeding }
    }

    /// In this state, to show what follows from it.
    pub const fn in_state(state: State) -> InviteServer {
        InviteServer { state }
    }

    /// Where it is.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// When `on_timeout` is wanted.
    pub fn deadline(&self) -> Option<Tick> {
        match self.state {
            State::Proceeding | State::Terminated => None,
            State::Completed { resend, give_up } => Some(resend.at.min(give_up)),
            State::Confirmed { until } | State::Accepted { until } => Some(until),
        }
    }

    /// A copy of the INVITE.
    pub fn on_request(&mut self, out: &mut Actions) {
        match self.state {
            State::Proceeding | State::Completed { .. } => out.push(Action::Send),
            // The core repeats its 2xx by its own clock; after the ACK there is nothing to say.
            State::Accepted { .. } | State::Confirmed { .. } | State::Terminated => {}
        }
    }

    /// The ACK: of a 3xx–6xx by its branch; of a 2xx when the core finds it belongs here.
    pub fn on_ack(&mut self, now: Tick, out: &mut Actions) {
        match self.state {
            State::Completed { .. } => self.state = State::Confirmed { until: now + LINGER },
            State::Accepted { .. } => out.push(Action::PassUp),
            State::Proceeding | State::Confirmed { .. } | State::Terminated => {} // Stray, or a copy.
        }
    }

    /// The core answers.
    pub fn on_answer(&mut self, now: Tick, class: Class, out: &mut Actions) {
        match (self.state, class) {
            (State::Proceeding, Class::Provisional) => out.push(Action::Send),
            (State::Proceeding, Class::Success) => {
                self.state = State::Accepted { until: now + GIVE_UP };
                out.push(Action::Send);
            }
            (State::Proceeding, Class::Failure) => {
                self.state = State::Completed { resend: Resend::first(now), give_up: now + GIVE_UP };
                out.push(Action::Send);
            }
            (State::Accepted { .. }, Class::Success) => out.push(Action::Send), // The core repeats its 2xx.
            // One final response per INVITE (law 7): what comes later is not sent.
            (State::Accepted { .. }, Class::Provisional | Class::Failure) => {}
            (
                State::Completed { .. } | State::Confirmed { .. } | State::Terminated,
                Class::Provisional | Class::Success | Class::Failure,
            ) => {}
        }
    }

    /// The deadline has come.
    pub fn on_timeout(&mut self, now: Tick, out: &mut Actions) {
        match self.state {
            State::Completed { give_up, .. } if now >= give_up => {
                self.state = State::Terminated;
                out.push(Action::TimedOut);
            }
            State::Completed { resend, give_up } if now >= resend.at => {
                self.state = State::Completed { resend: resend.doubled_to_t2(now), give_up };
                out.push(Action::Send);
            }
            State::Confirmed { until } | State::Accepted { until } if now >= until => self.state = State::Terminated,
            State::Proceeding
            | State::Completed { .. }
            | State::Confirmed { .. }
            | State::Accepted { .. }
            | State::Terminated => {} // Too early: nothing is due.
        }
    }
}

impl Default for InviteServer {
    fn default() -> Self {
        InviteServer::new()
    }
}
