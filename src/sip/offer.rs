//! Our offers in an established session: re-INVITEs the switch asks for (RFC 3261 §14.1), refreshes the session timer
//! asks for (RFC 4028 §7.4), and what becomes of both. One is on its way at a time; the next waits in `wanted`.

use super::body::session_description;
use super::challenge::Authorizer;
use super::core::{ALLOW, Core, InviteKind, Inviting, Purpose, SDP, SUPPORTED};
use super::flow::Flow;
use super::leg::Leg;
use super::message::{HeaderName, Method, Request, Response};
use super::refresh::{MIN_SE, SessionTimer};
use super::session::{Ack, Session, Theirs};
use super::text::Text;
use super::transaction::Class;
use super::transaction::table::ClientRef;
use super::user_agent::{EndedBy, Event};
use crate::id::LegRef;
use crate::time::Tick;
use bytes::Bytes;
use std::time::Duration;

/// Tries of one offer against 491 and 500.
const OFFER_TRIES: u32 = 5;

/// A request of ours that waits for its response.
#[derive(Debug)]
pub(super) enum Ours {
    None,
    Invite { client: ClientRef, change: Change, authorizer: Authorizer },
    Update { client: ClientRef, authorizer: Authorizer },
}

#[derive(Debug)]
pub(super) struct Wanted {
    pub not_before: Tick,
    pub change: Change,
}

#[derive(Clone, Debug)]
pub(super) struct Change {
    offer: Bytes,
    /// Nobody asked for it but the session timer.
    refresh: bool,
    tries: u32,
}

impl Session {
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
        match ours {
            Ours::None => {}
            Ours::Invite { client, change, mut authorizer } => {
                if authorizer.takes(source, response) {
                    self.again(core, now, leg, client, authorizer, Some(change));
                } else {
                    self.on_offer_refused(core, now, leg, change, response);
                }
            }
            Ours::Update { client, mut authorizer } => {
                if authorizer.takes(source, response) {
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

    pub fn may_offer(&self) -> bool {
        matches!((&self.ack, &self.theirs, &self.ours), (Ack::Received, Theirs::None, Ours::None))
    }

    /// Sends what waits, when nothing is in its way.
    pub fn proceed(&mut self, core: &mut Core, now: Tick, leg: LegRef) {
        if !self.may_offer() || self.wanted.as_ref().is_none_or(|wanted| now < wanted.not_before) {
            return;
        }
        let Some(Wanted { change, .. }) = self.wanted.take() else { return };
        let (flow, mut request) = self.dialog.request(core, Method::INVITE);
        self.complete(core, &mut request);
        request.set_body(SDP, change.offer.clone());
        let authorizer = Authorizer::new(self.secret.clone());
        self.send(core, now, leg, (flow, request), authorizer, Some(change));
    }

    /// RFC 4028 §7.4: by UPDATE where the peer takes it, since it needs no offer.
    pub fn refresh(&mut self, core: &mut Core, now: Tick, leg: LegRef) {
        if !self.may_offer() || self.wanted.is_some() {
            return; // What is under way refreshes as well, or the timer asks again.
        }
        if self.peer_updates {
            let (flow, mut request) = self.dialog.request(core, Method::UPDATE);
            self.complete(core, &mut request);
            let authorizer = Authorizer::new(self.secret.clone());
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
}
