//! An INVITE we have been sent and not answered yet (RFC 3261 §13.3): provisionals, the final response, CANCEL.

use super::core::{ALLOW, Core, SDP, SUPPORTED, push_fields};
use super::dialog::Dialog;
use super::flow::Flow;
use super::inspect::Refusal;
use super::leg::Leg;
use super::message::{HeaderName, Request};
use super::refresh::Agreed;
use super::session::Session;
use super::user_agent::{EndedBy, Event, Field};
use crate::id::{LegRef, TransactionRef};
use crate::time::Tick;
use bytes::Bytes;
use std::time::Duration;

/// RFC 3261 §13.3.1.1: a provisional every minute keeps proxies from giving up.
const RENEW: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Called {
    pub transaction: TransactionRef,
    pub dialog: Dialog,
    number: u32,
    agreed: Agreed,
    offered: bool,
    peer_updates: bool,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// 100 has been sent.
    Trying,
    /// 180 or 183 has been sent, and is sent again at `renew`.
    Ringing { early: Option<Bytes>, renew: Tick },
}

impl Called {
    /// Judges the wish for a session timer; otherwise the INVITE has passed all inspection.
    pub fn new(
        core: &mut Core,
        flow: Flow,
        request: &Request,
        leg: LegRef,
        offered: bool,
    ) -> Result<Option<Called>, Refusal> {
        let secs = u32::try_from(core.identity.session_expires.as_secs()).unwrap_or(u32::MAX);
        let agreed = Agreed::with(request, secs)?;
        let tag = core.entropy.token();
        let dialog = Dialog::of_uas(request, flow, &tag);
        let Some(transaction) = core.table.open(flow, request, Some(leg)) else { return Ok(None) };
        let peer_updates = request.headers.lists(HeaderName::Allow, "UPDATE");
        let number = request.headers.cseq().number;
        Ok(Some(Called { transaction, dialog, number, agreed, offered, peer_updates, stage: Stage::Trying }))
    }

    pub fn deadline(&self) -> Option<Tick> {
        match self.stage {
            Stage::Trying => None,
            Stage::Ringing { renew, .. } => Some(renew),
        }
    }

    pub fn on_timeout(mut self: Box<Self>, core: &mut Core, now: Tick) -> Box<Called> {
        if let Stage::Ringing { early, renew } = &mut self.stage
            && now >= *renew
        {
            let early = early.take();
            self.ring(core, now, early);
        }
        self
    }

    pub fn ring(&mut self, core: &mut Core, now: Tick, early: Option<Bytes>) {
        let (contact, tag) = (self.dialog.contact(core), self.dialog.local_tag().to_owned());
        let status = if early.is_some() { 183 } else { 180 };
        core.answer(now, self.transaction, status, |response| {
            response.headers.to_mut().params.set("tag", Some(&tag));
            response.headers.push(HeaderName::Contact, contact);
            if let Some(body) = &early {
                response.set_body(SDP, body.clone());
            }
        });
        self.stage = Stage::Ringing { early, renew: now + RENEW };
    }

    pub fn answer(self: Box<Self>, core: &mut Core, now: Tick, body: Bytes) -> Leg {
        let (contact, tag) = (self.dialog.contact(core), self.dialog.local_tag().to_owned());
        core.answer(now, self.transaction, 200, |response| {
            response.headers.to_mut().params.set("tag", Some(&tag));
            response.headers.push(HeaderName::Contact, contact);
            response.headers.push(HeaderName::Allow, ALLOW);
            response.headers.push(HeaderName::Supported, SUPPORTED);
            self.agreed.write(response);
            response.set_body(SDP, body.clone());
        });
        let timer = self.agreed.start(now);
        let asked = !self.offered;
        let Called { transaction, dialog, number, peer_updates, .. } = *self;
        Leg::Session(Box::new(Session::of_uas(now, dialog, (transaction, number, asked), timer, peer_updates, body)))
    }

    pub fn refuse(&self, core: &mut Core, now: Tick, status: u16, fields: Vec<Field>) {
        let tag = self.dialog.local_tag().to_owned();
        core.answer(now, self.transaction, status, |response| {
            response.headers.to_mut().params.set("tag", Some(&tag));
            push_fields(response, fields);
        });
    }

    /// RFC 3261 §9.2: the INVITE gets its 487.
    pub fn on_cancel(&self, core: &mut Core, now: Tick, leg: LegRef) {
        self.refuse(core, now, 487, Vec::new());
        core.out.tell(Event::Ended { leg, by: EndedBy::Cancel });
    }

    /// RFC 3261 §15.1.2: a BYE in the early dialog; the INVITE gets its 487, too.
    pub fn on_bye(&self, core: &mut Core, now: Tick, leg: LegRef) {
        self.refuse(core, now, 487, Vec::new());
        core.out.tell(Event::Ended { leg, by: EndedBy::Bye });
    }
}
