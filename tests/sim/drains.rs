//! P16: once a switch drains it takes nothing new, by INVITE or of its own; it cuts nobody who is there; and its
//! process may end when nobody is.

use super::fired::Fired;
use super::laws::{Dialog, Stage};
use ringback::callback::task::Attempt;
use ringback::demo::codec::Message;
use ringback::switch::command::Command;
use ringback::switch::event::Event;
use ringback::time::Tick;
use std::collections::{BTreeMap, BTreeSet};

/// See the module.
#[derive(Default)]
pub struct Drains {
    since: Option<Tick>,
    /// The command itself is being carried out.
    is_told: bool,
    /// Calls that came since.
    late: BTreeSet<String>,
}

impl Drains {
    /// Whether the switch takes nothing new.
    pub fn is_on(&self) -> bool {
        self.since.is_some()
    }

    /// A command is given, or (`None`) has been carried out.
    pub fn on_command(&mut self, now: Tick, command: Option<&Command>) {
        self.is_told = matches!(command, Some(Command::Drain));
        if self.is_told || matches!(command, Some(Command::EndCalls)) {
            self.since = self.since.or(Some(now));
        }
    }

    /// Another life takes calls again.
    pub fn on_start(&mut self) {
        *self = Drains::default();
    }

    /// A SIP message left the switch (`outgoing`) or reached it, whose dialogs were these before.
    pub fn on_sip(
        &mut self,
        outgoing: bool,
        is_carrier: bool,
        message: &Message,
        before: &BTreeMap<String, Dialog>,
        fired: &mut Fired,
    ) {
        if !self.is_on() {
            return;
        }
        let (call_id, method) = (message.call_id(), message.cseq().1);
        match (message.status(), method) {
            (None, "INVITE") if !outgoing && message.to_tag().is_none() && !before.contains_key(call_id) => {
                self.late.insert(call_id.to_owned());
            }
            (Some(status @ 101..), "INVITE") if outgoing && self.late.contains(call_id) => {
                // Phones are asked who they are before they are told anything.
                let is_asked = !is_carrier && matches!(status, 401 | 403 | 407);
                let is_told = status == 503 && message.header("Retry-After").is_some();
                assert!(is_asked || is_told, "P16: a call that comes in a drain gets {status}");
                if is_told {
                    fired.add("a drain refuses a call");
                }
            }
            (None, "BYE" | "CANCEL") if outgoing => {
                assert!(!self.is_told, "P16: the drain itself ends a call: {method}");
            }
            _ => {} // Of a call that was there.
        }
    }

    /// An attempt begins.
    pub fn on_attempt(&self, attempt: &Attempt) {
        assert!(!self.is_on(), "P16: {} is tried in a drain", attempt.number);
    }

    /// The switch says what happened.
    pub fn on_event(&self, event: &Event) {
        if let Event::CallArrived { from, .. } = event {
            assert!(!self.is_on(), "P16: {from} is let in in a drain");
        }
    }

    /// It says that its last call has ended: nobody talks any more.
    pub fn on_drained<'d>(&self, dialogs: impl Iterator<Item = (&'d String, &'d Dialog)>) {
        let talks = |it: &Dialog| it.state == Stage::Up && it.cancelled.is_none();
        let left: Vec<_> = dialogs.filter(|(_, it)| talks(it)).collect();
        assert!(left.is_empty(), "P16: the process ends, and cuts {left:?}");
    }
}
