//! What a key means at the moment it is pressed: nothing that the switch does depends on this, but who keeps a record
//! of keys must know which of them are parts of a number.

use super::Switch;
use super::call::{Role, Story};
use crate::id::LegRef;
use crate::sip::message::{Malformed, Message};

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// It asks for something, or for nothing.
    Plain,
    /// The digit at this place of a number that is being typed, from 0.
    Typed(u16),
    /// It is for the other party of a talk: the switch does nothing by it.
    Through,
}

impl Switch {
    /// What this key of this leg would mean now.
    pub fn meaning_of(&self, leg: LegRef, key: char) -> Key {
        let Some((id, role)) = self.call_and_role(leg) else { return Key::Plain };
        match (role, self.calls.get(&id).map(|call| &call.story)) {
            (Role::WaitingCaller, Some(Story::Waiting(waiting))) if key.is_ascii_digit() => {
                waiting.offer.typed_so_far().and_then(|at| u16::try_from(at).ok()).map_or(Key::Plain, Key::Typed)
            }
            // The agent's keys may be commands.
            (Role::Talker, Some(Story::Talking(talk))) if talk.b == leg => Key::Through,
            _ => Key::Plain, // Everything else is one key that stands for itself.
        }
    }

    /// The same for a key that an INFO carries.
    pub fn info_key(&self, message: &Result<Message, Malformed>) -> Option<(LegRef, Key)> {
        let Ok(Message::Request(request)) = message else { return None };
        let (leg, key) = self.ua.info_key(request)?;
        Some((leg, self.meaning_of(leg, key)))
    }
}
