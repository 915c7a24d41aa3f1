//! Non-INVITE server transaction: RFC 3261 §17.2.2, figure 8.
//!
//! `Trying → Proceeding → Completed → Terminated`. It sends nothing by itself but what a copy of the request asks
//! for: the client's timers do the work. Until the core has answered, copies get nothing.

use super::timers::GIVE_UP;
use super::{Action, Actions, Class};
use crate::time::Tick;

/// Where it is, with the deadlines of that state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No response yet.
    Trying,
    /// A provisional has been sent.
    Proceeding,
    /// A final response has been sent.
    Completed {
        /// Timer J.
        until: Tick,
    },
    /// To be removed.
    Terminated,
}

/// The machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NonInviteServer {
    state: State,
}

impl NonInviteServer {
    /// A request has come.
    pub const fn new() -> NonInviteServer {
        NonInviteServer { state: State::Trying }
    }

    /// In this state, to show what follows from it.
    pub const fn in_state(state: State) -> NonInviteServer {
        NonInviteServer { state }
    }

    /// Where it is.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// When `on_timeout` is wanted.
    pub fn deadline(&self) -> Option<Tick> {
        match self.state {
            State::Completed { until } => Some(until),
            State::Trying | State::Proceeding | State::Terminated => None,
        }
    }

    /// A copy of the request.
    pub fn on_request(&mut self, out: &mut Actions) {
        match self.state {
            State::Proceeding | State::Completed { .. } => out.push(Action::Send),
            State::Trying | State::Terminated => {}
        }
    }

    /// The core answers.
    pub fn on_answer(&mut self, now: Tick, class: Class, out: &mut Actions) {
        match (self.state, class) {
            (State::Trying | State::Proceeding, Class::Provisional) => {
                self.state = State::Proceeding;
                out.push(Action::Send);
            }
            (State::Trying | State::Proceeding, Class::Success | Class::Failure) => {
                self.state = State::Completed { until: now + GIVE_UP };
                out.push(Action::Send);
            }
            // §17.2.2: any other final response is discarded.
            (State::Completed { .. } | State::Terminated, Class::Provisional | Class::Success | Class::Failure) => {}
        }
    }

    /// The deadline has come.
    pub fn on_timeout(&mut self, now: Tick) {
        match self.state {
            State::Completed { until } if now >= until => self.state = State::Terminated,
            State::Trying | State::Proceeding | State::Completed { .. } | State::Terminated => {}
        }
    }
}

impl Default for NonInviteServer {
    fn default() -> Self {
        NonInviteServer::new()
    }
}
