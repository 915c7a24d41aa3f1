//! What leaves the user agent: messages for the shell, events for the switch, in the order they came about.

use super::flow::Flow;
use super::message::reason_phrase;
use super::user_agent::Event;
use crate::id::LegRef;
use bytes::Bytes;
use std::collections::VecDeque;

/// Messages and events on their way out.
#[derive(Debug, Default)]
pub struct Outbox {
    pub(super) transmits: VecDeque<(Flow, Bytes)>,
    pub(super) events: VecDeque<Event>,
}

/// A message as a ladder names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What<'a> {
    /// A request, by its method.
    Request(&'a str),
    /// A response, by its status and the method of its CSeq.
    Response(u16, &'a str),
}

impl Outbox {
    pub(super) fn tell(&mut self, event: Event) {
        self.events.push_back(event);
    }

    pub(super) fn send(&mut self, flow: Flow, bytes: Bytes, leg: Option<LegRef>, what: What<'_>, again: bool) {
        self.trace(leg, true, flow, what, again);
        self.transmits.push_back((flow, bytes));
    }

    pub(super) fn heard(&mut self, flow: Flow, leg: Option<LegRef>, what: What<'_>, again: bool) {
        self.trace(leg, false, flow, what, again);
    }

    fn trace(&mut self, leg: Option<LegRef>, outgoing: bool, flow: Flow, what: What<'_>, again: bool) {
        let Some(leg) = leg else { return };
        let again = if again { " (again)" } else { "" };
        let what = match what {
            What::Request(method) => format!("{method}{again}"),
            What::Response(status, method) => format!("{status} {} ({method}){again}", reason_phrase(status)),
        };
        self.events.push_back(Event::Trace { leg, outgoing, flow, what: what.into_boxed_str() });
    }
}
