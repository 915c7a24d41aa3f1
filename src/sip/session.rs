//! An established session: from the 2xx of its INVITE to BYE (RFC 3261 §§13.3.1.4, 14, 15; RFC 3311).
//!
//! At most one offer is open at a time: theirs (`Theirs`, until the switch has answered), ours (`Ours`), or the one
//! our 200 carried (`Ack`, until its ACK). What comes while one is open gets 491 or 500 and is tried again; an offer
//! of ours that must wait is kept in `wanted`, where a newer one replaces it.

use super::body::{Unsupported, session_description};
use super::challenge::Secret;
use super::core::{ALLOW, Core, Goodbye, SDP, SUPPORTED};
use super::dialog::Dialog;
use super::flow::Flow;
use super::inspect::{Refusal, inspect_session};
use super::leg::{Leg, overlapping, refuse};
use super::message::{HeaderName, Method, Request};
use super::offer::{Ours, Wanted};
use super::refresh::{Agreed, Due, SessionTimer};
use super::transaction::earliest;
use super::transaction::timers::{GIVE_UP, Resend};
use super::user_agent::{EndedBy, Event, Reach};
use crate::id::DialogRecord;
use crate::id::{LegRef, TransactionRef};
use crate::time::Tick;
use bytes::Bytes;

#[derive(Debug)]
pub(super) struct Session {
    pub dialog: Dialog,
    /// RFC 3261 §14.1: whoever made the Call-ID waits longer after a 491.
    pub owns_call_id: bool,
    record: Option<DialogRecord>,
    pub ack: Ack,
    pub theirs: Theirs,
    pub ours: Ours,
    pub wanted: Option<Wanted>,
    pub timer: SessionTimer,
    pub secret: Option<Secret>,
    /// What we have last described: a refresh by re-INVITE repeats it.
    pub local_sdp: Bytes,
    pub peer_updates: bool,
}

/// The ACK of our last 200.
#[derive(Debug)]
pub(super) enum Ack {
    Received,
    Awaited { transaction: TransactionRef, number: u32, resend: Resend, give_up: Tick, asked: bool, then: Then },
}

/// What follows the ACK.
#[derive(Clone, Copy, Debug)]
pub(super) enum Then {
    /// The session begins.
    Begin,
    /// The session goes on as changed.
    GoOn,
    /// BYE: RFC 3261 §15 lets the callee hang up only when its 200 has been ACKed.
    Leave(Option<&'static str>),
}

/// A request of theirs that waits for the switch.
#[derive(Debug)]
pub(super) enum Theirs {
    None,
    Invite { transaction: TransactionRef, number: u32, offered: bool, agreed: Agreed },
    Update { transaction: TransactionRef, agreed: Agreed },
}

impl Session {
    /// Our 200 has left: `(transaction, sequence number, whether it carried the offer)`.
    pub fn of_uas(
        now: Tick,
        dialog: Dialog,
        (transaction, number, asked): (TransactionRef, u32, bool),
        timer: SessionTimer,
        peer_updates: bool,
        local_sdp: Bytes,
    ) -> Session {
        let ack = Ack::awaited(now, transaction, number, asked, Then::Begin);
        Session {
            dialog,
            owns_call_id: false,
            record: None,
            ack,
            theirs: Theirs::None,
            ours: Ours::None,
            wanted: None,
            timer,
            secret: None,
            local_sdp,
            peer_updates,
        }
    }

    /// Their 200 has come and been ACKed.
    pub fn of_uac(
        dialog: Dialog,
        timer: SessionTimer,
        peer_updates: bool,
        (secret, local_sdp, record): (Option<Secret>, Bytes, DialogRecord),
    ) -> Session {
        Session {
            dialog,
            owns_call_id: true,
            record: Some(record),
            ack: Ack::Received,
            theirs: Theirs::None,
            ours: Ours::None,
            wanted: None,
            timer,
            secret,
            local_sdp,
            peer_updates,
        }
    }

    /// Of an earlier life: nothing is open but what the peer will send again by itself.
    pub fn of_earlier_life(dialog: Dialog, timer: SessionTimer, owns_call_id: bool, peer_updates: bool) -> Session {
        Session {
            dialog,
            owns_call_id,
            record: None,
            ack: Ack::Received,
            theirs: Theirs::None,
            ours: Ours::None,
            wanted: None,
            timer,
            secret: None,
            local_sdp: Bytes::new(),
            peer_updates,
        }
    }

    pub fn record(&self) -> DialogRecord {
        let identity = self.record.clone().unwrap_or_else(|| DialogRecord {
            call_id: self.dialog.call_id().to_owned(),
            local_tag: self.dialog.local_tag().to_owned(),
            flow: self.dialog.flow.to_string(),
            ..DialogRecord::default()
        });
        DialogRecord {
            remote_tag: Some(self.dialog.remote_tag().to_owned()),
            remote_target: Some(self.dialog.target().to_string()),
            ..identity
        }
    }

    pub fn deadline(&self) -> Option<Tick> {
        let ack = match &self.ack {
            Ack::Received => None,
            Ack::Awaited { resend, give_up, .. } => Some(resend.at.min(*give_up)),
        };
        let wanted = self.wanted.as_ref().filter(|_| self.may_offer()).map(|wanted| wanted.not_before);
        earliest(earliest(ack, wanted), self.timer.deadline())
    }

    pub fn on_timeout(mut self: Box<Self>, core: &mut Core, now: Tick, leg: LegRef) -> Option<Leg> {
        if let Ack::Awaited { transaction, resend, give_up, then, .. } = &mut self.ack {
            if now >= *give_up {
                // RFC 3261 §13.3.1.4: the session is ended by BYE.
                let then = *then;
                return match then {
                    Then::Begin | Then::GoOn => self.lose(core, now, leg, EndedBy::NoAck),
                    Then::Leave(reason) => self.leave(core, now, leg, reason),
                };
            }
            if now >= resend.at {
                core.table.repeat(now, *transaction, &mut core.out);
                *resend = resend.doubled_to_t2(now);
            }
        }
        match self.timer.on_timeout(now) {
            Some(Due::Lost) => return self.lose(core, now, leg, EndedBy::Lost),
            Some(Due::Refresh) => self.refresh(core, now, leg),
            None => {}
        }
        self.proceed(core, now, leg);
        Some(Leg::Session(self))
    }

    pub fn hang_up(
        mut self: Box<Self>,
        core: &mut Core,
        now: Tick,
        leg: LegRef,
        reason: Option<&'static str>,
    ) -> Option<Leg> {
        match &mut self.ack {
            Ack::Received => self.leave(core, now, leg, reason),
            Ack::Awaited { then, .. } => {
                *then = Then::Leave(reason);
                self.wanted = None;
                self.timer = SessionTimer::Off;
                Some(Leg::Session(self))
            }
        }
    }

    pub fn on_ack(mut self: Box<Self>, core: &mut Core, now: Tick, leg: LegRef, request: &Request) -> Option<Leg> {
        let Ack::Awaited { number, asked, then, .. } = self.ack else { return Some(Leg::Session(self)) };
        if number != request.headers.cseq().number {
            return Some(Leg::Session(self)); // Of an earlier 200.
        }
        self.ack = Ack::Received;
        let body = session_description(&request.headers, &request.body).unwrap_or(None).filter(|_| asked);
        match then {
            Then::Begin => core.out.tell(Event::Confirmed { leg, body }),
            Then::GoOn if asked => core.out.tell(Event::Confirmed { leg, body }),
            Then::GoOn => {}
            Then::Leave(reason) => return self.leave(core, now, leg, reason),
        }
        self.proceed(core, now, leg);
        Some(Leg::Session(self))
    }

    /// The BYE has been answered; what else is open gets its 487 (RFC 3261 §15.1.2).
    pub fn on_bye(self: Box<Self>, core: &mut Core, now: Tick, leg: LegRef) {
        self.refuse_theirs(core, now, 487);
        let told = matches!(self.ack, Ack::Awaited { then: Then::Leave(_), .. });
        if !told {
            core.out.tell(Event::Ended { leg, by: EndedBy::Bye });
        }
    }

    /// A CANCEL of their re-INVITE (RFC 3261 §9.2): the session goes on as it was.
    pub fn on_cancel(&mut self, core: &mut Core, now: Tick, cancelled: TransactionRef) {
        if matches!(self.theirs, Theirs::Invite { transaction, .. } if transaction == cancelled) {
            self.refuse_theirs(core, now, 487);
            self.theirs = Theirs::None;
        }
    }

    /// A re-INVITE (RFC 3261 §14.2).
    pub fn on_invite(
        mut self: Box<Self>,
        core: &mut Core,
        now: Tick,
        leg: LegRef,
        flow: Flow,
        (id, request): (TransactionRef, &Request),
    ) -> Option<Leg> {
        match self.judge(core, now, id, request) {
            Some(agreed) => {
                if let Ack::Awaited { then: Then::Begin, .. } = self.ack {
                    core.out.tell(Event::Confirmed { leg, body: None }); // The peer has our 200: its ACK was lost.
                }
                self.ack = Ack::Received;
                self.renew_target(flow, request);
                let body = session_description(&request.headers, &request.body).unwrap_or(None);
                let (number, offered) = (request.headers.cseq().number, body.is_some());
                self.theirs = Theirs::Invite { transaction: id, number, offered, agreed };
                core.answer(now, id, 100, |_| ()); // RFC 3261 §17.2.1: the switch may need more than 200 ms.
                core.out.tell(Event::Offered { leg, body });
                Some(Leg::Session(self))
            }
            None => Some(Leg::Session(self)),
        }
    }

    /// UPDATE (RFC 3311 §5.2): with an offer it waits for the switch, without it only refreshes.
    pub fn on_update(
        mut self: Box<Self>,
        core: &mut Core,
        now: Tick,
        leg: LegRef,
        flow: Flow,
        (id, request): (TransactionRef, &Request),
    ) -> Option<Leg> {
        if request.body.is_empty() {
            match Agreed::with(request, self.wish_secs(core)) {
                Ok(agreed) => {
                    self.renew_target(flow, request);
                    self.agree(core, now, id, agreed, None);
                }
                Err(refusal) => refuse(core, now, id, refusal),
            }
        } else if let Some(agreed) = self.judge(core, now, id, request) {
            self.renew_target(flow, request);
            self.theirs = Theirs::Update { transaction: id, agreed };
            let body = session_description(&request.headers, &request.body).unwrap_or(None);
            core.out.tell(Event::Offered { leg, body });
        }
        Some(Leg::Session(self))
    }

    /// 200 to their offer.
    pub fn accept(&mut self, core: &mut Core, now: Tick, leg: LegRef, body: Bytes) {
        match std::mem::replace(&mut self.theirs, Theirs::None) {
            Theirs::None => {} // Cancelled meanwhile.
            Theirs::Invite { transaction, number, offered, agreed } => {
                self.agree(core, now, transaction, agreed, Some(body));
                self.ack = Ack::awaited(now, transaction, number, !offered, Then::GoOn);
            }
            Theirs::Update { transaction, agreed } => {
                self.agree(core, now, transaction, agreed, Some(body));
                self.proceed(core, now, leg);
            }
        }
    }

    /// Their offer is refused: the session goes on as it was.
    pub fn refuse_offer(&mut self, core: &mut Core, now: Tick, leg: LegRef, status: u16) {
        self.refuse_theirs(core, now, status);
        self.theirs = Theirs::None;
        self.proceed(core, now, leg);
    }

    /// Whether an offer of theirs may be passed up; otherwise it has been answered.
    fn judge(&self, core: &mut Core, now: Tick, id: TransactionRef, request: &Request) -> Option<Agreed> {
        match (&self.ack, &self.theirs, &self.ours) {
            (_, Theirs::Invite { .. } | Theirs::Update { .. }, _) => {
                overlapping(core, now, id);
                return None;
            }
            // RFC 3261 §14.2, RFC 3311 §5.2: glare; or an offer of ours that lacks its answer, or a session we leave.
            (_, _, Ours::Invite { .. })
            | (Ack::Awaited { asked: true, .. } | Ack::Awaited { then: Then::Leave(_), .. }, _, _) => {
                core.answer(now, id, 491, |_| ());
                return None;
            }
            (Ack::Received | Ack::Awaited { .. }, Theirs::None, Ours::None | Ours::Update { .. }) => {}
        }
        let unreadable = session_description(&request.headers, &request.body) == Err(Unsupported);
        let judged = if unreadable { Err(Refusal::with(415, "Accept", SDP)) } else { inspect_session(request) };
        match judged.and_then(|()| Agreed::with(request, self.wish_secs(core))) {
            Ok(agreed) => Some(agreed),
            Err(refusal) => {
                refuse(core, now, id, refusal);
                None
            }
        }
    }

    fn wish_secs(&self, core: &Core) -> u32 {
        u32::try_from(core.identity.session_expires.as_secs()).unwrap_or(u32::MAX)
    }

    /// A target refresh; behind NAT the address it comes from is the one that leads back.
    fn renew_target(&mut self, flow: Flow, request: &Request) {
        self.dialog.refresh_target(&request.headers);
        if self.dialog.reach == Reach::Flow {
            self.dialog.flow = flow;
        }
    }

    /// 200 with what was agreed.
    fn agree(&mut self, core: &mut Core, now: Tick, id: TransactionRef, agreed: Agreed, body: Option<Bytes>) {
        let contact = self.dialog.contact(core);
        core.answer(now, id, 200, |response| {
            response.headers.push(HeaderName::Contact, contact);
            response.headers.push(HeaderName::Allow, ALLOW);
            response.headers.push(HeaderName::Supported, SUPPORTED);
            agreed.write(response);
            if let Some(body) = &body {
                response.set_body(SDP, body.clone());
            }
        });
        self.timer = agreed.start(now);
        if let Some(body) = body {
            self.local_sdp = body;
        }
    }

    fn refuse_theirs(&self, core: &mut Core, now: Tick, status: u16) {
        match self.theirs {
            Theirs::None => {}
            Theirs::Invite { transaction, .. } | Theirs::Update { transaction, .. } => {
                core.answer(now, transaction, status, |_| ());
            }
        }
    }

    fn leave(
        mut self: Box<Self>,
        core: &mut Core,
        now: Tick,
        leg: LegRef,
        reason: Option<&'static str>,
    ) -> Option<Leg> {
        self.refuse_theirs(core, now, 487);
        let (flow, bye) = self.dialog.request(core, Method::BYE);
        core.bye(now, flow, bye, Some(leg), Goodbye { reason, secret: self.secret.as_ref() });
        None
    }

    pub fn lose(self: Box<Self>, core: &mut Core, now: Tick, leg: LegRef, by: EndedBy) -> Option<Leg> {
        core.out.tell(Event::Ended { leg, by });
        self.leave(core, now, leg, None)
    }
}

impl Ack {
    fn awaited(now: Tick, transaction: TransactionRef, number: u32, asked: bool, then: Then) -> Ack {
        Ack::Awaited { transaction, number, resend: Resend::first(now), give_up: now + GIVE_UP, asked, then }
    }
}
