//! An established session: from the 2xx of its INVITE to BYE (RFC 3261 §§13.3.1.4, 14, 15; RFC 3311).
//!
//! At most one offer is open at a time: theirs (`Theirs`, until the switch has answered), ours (`Ours`), or the one our
//! 200 carried (`Ack`, until its ACK). What comes while one is open gets 491 or 500 and is tried again; an offer of ours
//! that must wait is kept in `wanted`, where a newer one replaces it.

use super::body::{Unsupported, session_description};
use super::challenge::Authorizer;
use super::core::{ALLOW, Core, Goodbye, InviteKind, Inviting, Purpose, SDP, SUPPORTED};
use super::dialog::Dialog;
use super::flow::Flow;
use super::inspect::{Refusal, inspect_session};
use super::leg::{Leg, overlapping, refuse};
use super::message::{HeaderName, Method, Request, Response};
use super::refresh::{Agreed, Due, MIN_SE, SessionTimer};
use super::text::Text;
use super::transaction::table::ClientRef;
use super::transaction::timers::{GIVE_UP, Resend};
use super::transaction::{Class, earliest};
use super::user_agent::{EndedBy, Event, Reach};
use crate::id::DialogRecord;
use crate::id::{LegRef, TransactionRef};
use crate::settings::Credentials;
use crate::time::Tick;
use bytes::Bytes;
use std::time::Duration;

/// Tries of one offer against 491 and 500.
const OFFER_TRIES: u32 = 5;

#[derive(Debug)]
pub(super) struct Session {
    pub dialog: Dialog,
    /// RFC 3261 §14.1: whoever made the Call-ID waits longer after a 491.
    owns_call_id: bool,
    record: Option<DialogRecord>,
    ack: Ack,
    theirs: Theirs,
    ours: Ours,
    wanted: Option<Wanted>,
    timer: SessionTimer,
    credentials: Option<Credentials>,
    /// What we have last described: a refresh by re-INVITE repeats it.
    local_sdp: Bytes,
    peer_updates: bool,
}

/// The ACK of our last 200.
#[derive(Debug)]
enum Ack {
    Received,
    Awaited { transaction: TransactionRef, number: u32, resend: Resend, give_up: Tick, asked: bool, then: Then },
}

/// What follows the ACK.
#[derive(Clone, Copy, Debug)]
enum Then {
    /// The session begins.
    Begin,
    /// The session goes on as changed.
    GoOn,
    /// BYE: RFC 3261 §15 lets the callee hang up only when its 200 has been ACKed.
    Leave(Option<&'static str>),
}

/// A request of theirs that waits for the switch.
#[derive(Debug)]
enum Theirs {
    None,
    Invite { transaction: TransactionRef, number: u32, offered: bool, agreed: Agreed },
    Update { transaction: TransactionRef, agreed: Agreed },
}

/// A request of ours that waits for its response.
#[derive(Debug)]
enum Ours {
    None,
    Invite { client: ClientRef, change: Change, authorizer: Authorizer },
    Update { client: ClientRef, authorizer: Authorizer },
}

#[derive(Debug)]
struct Wanted {
    not_before: Tick,
    change: Change,
}

#[derive(Clone, Debug)]
struct Change {
    offer: Bytes,
    /// Nobody asked for it but the session timer.
    refresh: bool,
    tries: u32,
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
            credentials: None,
            local_sdp,
            peer_updates,
        }
    }

    /// Their 200 has come and been ACKed.
    pub fn of_uac(
        dialog: Dialog,
        timer: SessionTimer,
        peer_updates: bool,
        (credentials, local_sdp, record): (Option<Credentials>, Bytes, DialogRecord),
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
            credentials,
            local_sdp,
            peer_updates,
        }
    }

    pub fn record(&self) -> DialogRecord {
        self.record.clone().unwrap_or_else(|| DialogRecord {
            call_id: self.dialog.call_id().to_owned(),
            local_tag: self.dialog.local_tag().to_owned(),
            branch: String::new(),
            flow: self.dialog.flow.to_string(),
        })
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

    /// An offer of ours, now or as soon as none is open.
    pub fn reoffer(&mut self, core: &mut Core, now: Tick, leg: LegRef, offer: Bytes) {
        let not_before = self.wanted.as_ref().map_or(now, |wanted| wanted.not_before);
        self.wanted = Some(Wanted { not_before, change: Change { offer, refresh: false, tries: 0 } });
        self.proceed(core, now, leg);
    }

    /// Whether this re-INVITE of ours is without final response.
    pub fn waits_for(&self, reference: ClientRef) -> bool {
        matches!(&self.ours, Ours::Invite { client, .. } if *client == reference)
    }

    /// The response to a re-INVITE or UPDATE of ours.
    pub fn on_response(
        mut self: Box<Self>,
        core: &mut Core,
        now: Tick,
        leg: LegRef,
        reference: ClientRef,
        (source, response): (Flow, &Response),
    ) -> Option<Leg> {
        let class = Class::of(response.code());
        let current = match &self.ours {
            Ours::None => false,
            Ours::Invite { client, .. } | Ours::Update { client, .. } => *client == reference,
        };
        if class == Class::Provisional || !current {
            return Some(Leg::Session(self));
        }
        match (std::mem::replace(&mut self.ours, Ours::None), class) {
            (Ours::Invite { client, change, .. }, Class::Success) => {
                self.on_reinvite_accepted(core, now, leg, client, change, response);
            }
            (Ours::Update { .. }, Class::Success) => {
                self.dialog.refresh_target(&response.headers);
                self.timer = SessionTimer::of_answer(now, &response.headers);
            }
            (ours, _) => return self.on_refused(core, now, leg, ours, (source, response)),
        }
        self.proceed(core, now, leg);
        Some(Leg::Session(self))
    }

    /// A request of ours in the dialog got no response at all (RFC 3261 §12.2.1.2: like 408).
    pub fn on_unanswered(
        self: Box<Self>,
        core: &mut Core,
        now: Tick,
        leg: LegRef,
        reference: ClientRef,
    ) -> Option<Leg> {
        match &self.ours {
            Ours::Invite { client, .. } | Ours::Update { client, .. } if *client == reference => {
                self.lose(core, now, leg, EndedBy::Lost)
            }
            Ours::None | Ours::Invite { .. } | Ours::Update { .. } => Some(Leg::Session(self)),
        }
    }

    fn on_reinvite_accepted(
        &mut self,
        core: &mut Core,
        now: Tick,
        leg: LegRef,
        client: ClientRef,
        change: Change,
        response: &Response,
    ) {
        let request = core.table.client(client).expect("its response has just been passed up").request.clone();
        self.dialog.refresh_target(&response.headers);
        let (flow, ack) = self.dialog.ack(core, &request);
        core.acknowledge(client, response.headers.to().tag().map(Text::from), flow, &ack);
        self.timer = SessionTimer::of_answer(now, &response.headers);
        self.local_sdp = change.offer;
        let body = session_description(&response.headers, &response.body).unwrap_or(None);
        if body.is_some() || !change.refresh {
            core.out.tell(Event::Confirmed { leg, body });
        }
    }

    fn on_refused(
        mut self: Box<Self>,
        core: &mut Core,
        now: Tick,
        leg: LegRef,
        ours: Ours,
        (source, response): (Flow, &Response),
    ) -> Option<Leg> {
        let status = response.code();
        // RFC 3261 §12.2.1.2, RFC 5057 §5.1: the dialog is gone at the other end.
        if status == 481 || status == 408 {
            return self.lose(core, now, leg, EndedBy::Lost);
        }
        let asked = self.dialog.flow.remote.ip();
        match ours {
            Ours::None => {}
            Ours::Invite { client, change, mut authorizer } => {
                if authorizer.takes(asked, source.remote.ip(), response) {
                    self.again(core, now, leg, client, authorizer, Some(change));
                } else {
                    self.on_offer_refused(core, now, leg, change, response);
                }
            }
            Ours::Update { client, mut authorizer } => {
                if authorizer.takes(asked, source.remote.ip(), response) {
                    self.again(core, now, leg, client, authorizer, None);
                } else if status == 405 || status == 501 {
                    self.peer_updates = false; // It had said otherwise; a re-INVITE refreshes as well.
                    self.refresh(core, now, leg);
                }
            }
        }
        self.proceed(core, now, leg);
        Some(Leg::Session(self))
    }

    fn on_offer_refused(&mut self, core: &mut Core, now: Tick, leg: LegRef, mut change: Change, response: &Response) {
        let status = response.code();
        let retry_after = response.headers.retry_after().filter(|&secs| secs <= 10).map(u64::from);
        let wait = match (status, retry_after) {
            (491, _) => Some(self.glare_wait(core)),
            (500 | 503, Some(secs)) => Some(Duration::from_secs(secs)),
            _ => None, // Any other refusal is an answer.
        };
        change.tries += 1;
        match wait {
            // A newer offer has taken its place, but waits as long.
            Some(wait) if change.tries < OFFER_TRIES => {
                let change = self.wanted.take().map_or(change, |newer| newer.change);
                self.wanted = Some(Wanted { not_before: now + wait, change });
            }
            Some(_) | None if change.refresh => {} // The session timer will ask again.
            Some(_) | None => core.out.tell(Event::OfferRefused { leg, status }),
        }
    }

    /// RFC 3261 §14.1, in steps of 10 ms.
    fn glare_wait(&self, core: &mut Core) -> Duration {
        let millis = match self.owns_call_id {
            true => 2_100 + 10 * core.entropy.below(191),
            false => 10 * core.entropy.below(201),
        };
        Duration::from_millis(millis)
    }

    fn again(
        &mut self,
        core: &mut Core,
        now: Tick,
        leg: LegRef,
        client: ClientRef,
        mut authorizer: Authorizer,
        change: Option<Change>,
    ) {
        let Some(before) = core.table.client(client) else { return };
        let (flow, request) = (before.flow, before.request.clone());
        let request = core.again(&request, flow, &mut authorizer);
        self.dialog.took_sequence(request.headers.cseq().number);
        self.send(core, now, leg, (flow, request), authorizer, change);
    }

    fn may_offer(&self) -> bool {
        matches!((&self.ack, &self.theirs, &self.ours), (Ack::Received, Theirs::None, Ours::None))
    }

    /// Sends what waits, when nothing is in its way.
    fn proceed(&mut self, core: &mut Core, now: Tick, leg: LegRef) {
        if !self.may_offer() || self.wanted.as_ref().is_none_or(|wanted| now < wanted.not_before) {
            return;
        }
        let Some(Wanted { change, .. }) = self.wanted.take() else { return };
        let (flow, mut request) = self.dialog.request(core, Method::INVITE);
        self.complete(core, &mut request);
        request.set_body(SDP, change.offer.clone());
        let authorizer = Authorizer::new(self.credentials.clone());
        self.send(core, now, leg, (flow, request), authorizer, Some(change));
    }

    /// RFC 4028 §7.4: by UPDATE where the peer takes it, since it needs no offer.
    fn refresh(&mut self, core: &mut Core, now: Tick, leg: LegRef) {
        if !self.may_offer() || self.wanted.is_some() {
            return; // What is under way refreshes as well, or the timer asks again.
        }
        if self.peer_updates {
            let (flow, mut request) = self.dialog.request(core, Method::UPDATE);
            self.complete(core, &mut request);
            let authorizer = Authorizer::new(self.credentials.clone());
            self.send(core, now, leg, (flow, request), authorizer, None);
        } else {
            let change = Change { offer: self.local_sdp.clone(), refresh: true, tries: 0 };
            self.wanted = Some(Wanted { not_before: now, change });
            self.proceed(core, now, leg);
        }
    }

    fn complete(&self, core: &Core, request: &mut Request) {
        let headers = &mut request.headers;
        headers.push(HeaderName::Contact, self.dialog.contact(core));
        headers.push(HeaderName::Allow, ALLOW);
        headers.push(HeaderName::Supported, SUPPORTED);
        if let Some(agreed) = self.timer.field() {
            headers.push(HeaderName::SessionExpires, agreed);
            headers.push(HeaderName::MinSe, MIN_SE.to_string());
        }
    }

    fn send(
        &mut self,
        core: &mut Core,
        now: Tick,
        leg: LegRef,
        (flow, request): (Flow, Request),
        authorizer: Authorizer,
        change: Option<Change>,
    ) {
        let purpose = match change {
            Some(_) => Purpose::Invite(Box::new(Inviting { leg, kind: InviteKind::Again, acks: Vec::new() })),
            None => Purpose::Update(leg),
        };
        // A full table: the session timer asks again, or ends the session.
        let Ok(client) = core.table.begin(now, flow, request, Some(leg), purpose, &mut core.out) else { return };
        self.ours = match change {
            Some(change) => Ours::Invite { client, change, authorizer },
            None => Ours::Update { client, authorizer },
        };
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
        core.bye(now, flow, bye, Some(leg), Goodbye { reason, credentials: self.credentials.as_ref() });
        None
    }

    fn lose(self: Box<Self>, core: &mut Core, now: Tick, leg: LegRef, by: EndedBy) -> Option<Leg> {
        core.out.tell(Event::Ended { leg, by });
        self.leave(core, now, leg, None)
    }
}

impl Ack {
    fn awaited(now: Tick, transaction: TransactionRef, number: u32, asked: bool, then: Then) -> Ack {
        Ack::Awaited { transaction, number, resend: Resend::first(now), give_up: now + GIVE_UP, asked, then }
    }
}
