//! Transactions (RFC 3261 §17, RFC 6026): four pure machines over (state, now, input) → actions, and the table that
//! finds the machine a message belongs to. A machine knows status classes and instants, never a message: the table
//! holds the bytes.

pub mod invite_client;
pub mod invite_server;
pub mod non_invite_client;
pub mod non_invite_server;
pub mod table;
pub mod timers;

use crate::time::Tick;

/// What a machine tells two responses apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// 100–199
    Provisional,
    /// 200–299
    Success,
    /// 300–699
    Failure,
}

impl Class {
    /// Of a status code. Codes outside 100–699 do not pass the parser.
    pub const fn of(status: u16) -> Class {
        match status {
            0..=199 => Class::Provisional,
            200..=299 => Class::Success,
            300.. => Class::Failure,
        }
    }
}

/// What a machine wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A client sends its request, a server its last response; again or for the first time.
    Send,
    /// The ACK of a 300–699 (RFC 3261 §17.1.1.3).
    Acknowledge,
    /// The message goes to the core.
    PassUp,
    /// The core learns that nothing came in time: a client's final response, a server's ACK.
    TimedOut,
    /// The core learns that the transport failed.
    TransportFailed,
}

/// Actions in the order they are to be done. A machine never wants more than two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Actions([Option<Action>; 2]);

impl Actions {
    pub(crate) fn push(&mut self, action: Action) {
        let free = self.0.iter_mut().find(|slot| slot.is_none()).expect("no transition has three actions");
        *free = Some(action);
    }

    /// Whether `action` is wanted.
    pub fn contains(&self, action: Action) -> bool {
        self.0.contains(&Some(action))
    }

    /// In order.
    pub fn iter(&self) -> impl Iterator<Item = Action> {
        self.0.into_iter().flatten()
    }
}

/// The earlier of two deadlines.
pub(super) fn earliest(a: Option<Tick>, b: Option<Tick>) -> Option<Tick> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
