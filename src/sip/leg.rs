//! A leg: one INVITE session with one party, from INVITE to BYE. Its state is moved by value through what happens to
//! it; a leg that is over is gone.
//!
//! `Calling` (we have sent an INVITE) or `Called` (we have been sent one) `→ Session →` gone.

use super::core::{ALLOW, Core, SDP, SUPPORTED};
use super::dialog::{Dialog, DialogId};
use super::flow::Flow;
use super::inspect::{Refusal, info_digit, inspect_extensions, inspect_method};
use super::message::{HeaderName, Method, Request, Response};
use super::outbox::What;
use super::session::Session;
use super::uac::Calling;
use super::uas::Called;
use super::user_agent::Event;
use crate::id::{LegRef, TransactionRef};
use crate::time::Tick;

#[derive(Debug)]
pub(super) enum Leg {
    Calling(Box<Calling>),
    Called(Box<Called>),
    Session(Box<Session>),
}

impl Leg {
    pub fn deadline(&self) -> Option<Tick> {
        match self {
            Leg::Calling(_) => None, // Its transaction has the timers.
            Leg::Called(called) => called.deadline(),
            Leg::Session(session) => session.deadline(),
        }
    }

    /// The dialogs by which requests find this leg.
    pub fn dialogs(&self) -> Vec<DialogId> {
        match self {
            Leg::Calling(calling) => calling.early.iter().map(|early| early.dialog.id()).collect(),
            Leg::Called(called) => vec![called.dialog.id()],
            Leg::Session(session) => vec![session.dialog.id()],
        }
    }

    pub fn dialog_mut(&mut self, id: &DialogId) -> Option<&mut Dialog> {
        let dialog = match self {
            Leg::Calling(calling) => calling.early.iter_mut().map(|early| &mut early.dialog).find(|it| it.id() == *id),
            Leg::Called(called) => Some(&mut called.dialog),
            Leg::Session(session) => Some(&mut session.dialog),
        };
        dialog.filter(|dialog| dialog.id() == *id)
    }

    pub fn on_timeout(self, core: &mut Core, now: Tick, leg: LegRef) -> Option<Leg> {
        match self {
            Leg::Calling(_) => Some(self),
            Leg::Called(called) => Some(Leg::Called(called.on_timeout(core, now))),
            Leg::Session(session) => session.on_timeout(core, now, leg),
        }
    }

    pub fn hang_up(self, core: &mut Core, now: Tick, leg: LegRef, reason: Option<&'static str>) -> Option<Leg> {
        match self {
            Leg::Calling(calling) => Some(Leg::Calling(calling.cancel(core, now, leg, reason))),
            Leg::Called(called) => {
                called.refuse(core, now, 480, Vec::new());
                None
            }
            Leg::Session(session) => session.hang_up(core, now, leg, reason),
        }
    }

    /// A request inside a dialog of this leg, from an address that may speak for it.
    pub fn on_request(mut self, core: &mut Core, now: Tick, leg: LegRef, incoming: Incoming<'_>) -> Option<Leg> {
        let Incoming { flow, request, dialog } = incoming;
        core.out.heard(flow, Some(leg), What::Request(request.method.as_str()), false);
        if request.method == Method::ACK {
            return match self {
                Leg::Session(session) => session.on_ack(core, now, leg, request),
                Leg::Calling(_) | Leg::Called(_) => Some(self), // Stray.
            };
        }
        let Some(id) = core.table.open(flow, request, Some(leg)) else { return Some(self) };
        let dialog = self.dialog_mut(dialog).expect("the index is made of the legs' own dialogs");
        if !dialog.takes_sequence(request.headers.cseq().number) {
            core.answer(now, id, 500, |_| ()); // RFC 3261 §12.2.2: out of order.
            return Some(self);
        }
        if let Err(refusal) = inspect_method(request).and_then(|()| inspect_extensions(request)) {
            refuse(core, now, id, refusal);
            return Some(self);
        }
        match request.method {
            Method::INFO => on_info(core, now, leg, id, request),
            Method::OPTIONS => core.answer(now, id, 200, describe),
            Method::BYE => return self.on_bye(core, now, leg, id),
            Method::INVITE => return self.on_invite(core, now, leg, flow, (id, request)),
            Method::UPDATE => return self.on_update(core, now, leg, flow, (id, request)),
            // REGISTER has no place in a dialog; the others did not pass the inspection.
            _ => refuse(core, now, id, Refusal::with(405, "Allow", ALLOW)),
        }
        Some(self)
    }

    fn on_bye(self, core: &mut Core, now: Tick, leg: LegRef, id: TransactionRef) -> Option<Leg> {
        match self {
            Leg::Session(session) => {
                core.answer(now, id, 200, |_| ());
                session.on_bye(core, now, leg);
                None
            }
            Leg::Called(called) => {
                core.answer(now, id, 200, |_| ());
                called.on_bye(core, now, leg);
                None
            }
            Leg::Calling(_) => {
                core.answer(now, id, 481, |_| ()); // RFC 3261 §15: the callee has no BYE in an early dialog.
                Some(self)
            }
        }
    }

    fn on_invite(
        self,
        core: &mut Core,
        now: Tick,
        leg: LegRef,
        flow: Flow,
        (id, request): (TransactionRef, &Request),
    ) -> Option<Leg> {
        match self {
            Leg::Session(session) => session.on_invite(core, now, leg, flow, (id, request)),
            Leg::Called(_) | Leg::Calling(_) => {
                overlapping(core, now, id);
                Some(self)
            }
        }
    }

    fn on_update(
        self,
        core: &mut Core,
        now: Tick,
        leg: LegRef,
        flow: Flow,
        (id, request): (TransactionRef, &Request),
    ) -> Option<Leg> {
        match self {
            Leg::Session(session) => session.on_update(core, now, leg, flow, (id, request)),
            Leg::Called(_) | Leg::Calling(_) if request.body.is_empty() => {
                core.answer(now, id, 200, |_| ());
                Some(self)
            }
            Leg::Called(_) => {
                overlapping(core, now, id); // RFC 3311 §5.2: the offer of the INVITE has no answer yet.
                Some(self)
            }
            Leg::Calling(_) => {
                core.answer(now, id, 491, |_| ()); // RFC 3311 §5.2: our own offer has no answer yet.
                Some(self)
            }
        }
    }
}

/// A request in a dialog that has been found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Incoming<'a> {
    pub flow: Flow,
    pub request: &'a Request,
    pub dialog: &'a DialogId,
}

fn on_info(core: &mut Core, now: Tick, leg: LegRef, id: TransactionRef, request: &Request) {
    match info_digit(request) {
        Ok(digit) => {
            core.answer(now, id, 200, |_| ());
            if let Some(digit) = digit {
                core.out.tell(Event::InfoDigit { leg, digit });
            }
        }
        Err(refusal) => refuse(core, now, id, refusal),
    }
}

pub(super) fn refuse(core: &mut Core, now: Tick, id: TransactionRef, refusal: Refusal) {
    let Refusal { status, fields } = refusal;
    core.answer(now, id, status, |response| super::core::push_fields(response, fields));
}

/// RFC 3261 §14.2: an earlier one of theirs is not answered yet; 500 with Retry-After of 0–10 s.
pub(super) fn overlapping(core: &mut Core, now: Tick, id: TransactionRef) {
    let wait = core.entropy.below(11).to_string();
    core.answer(now, id, 500, |response| response.headers.push(HeaderName::RetryAfter, wait));
}

/// What we can do (RFC 3261 §11.2, §13.3.1.4).
pub(super) fn describe(response: &mut Response) {
    response.headers.push(HeaderName::Allow, ALLOW);
    response.headers.push(HeaderName::Accept, SDP);
    response.headers.push(HeaderName::Supported, SUPPORTED);
}
