//! An INVITE of ours without final response (RFC 3261 §13.2): forks and their early dialogs, challenges, the next flow
//! when one is silent (RFC 3263 §4.3), and CANCEL, which is held back until a provisional shows that there is something
//! to cancel (§9.1).
//!
//! The nth INVITE of a leg has sequence number n and the branch that was stored before it left, with `-n` from the
//! second on: after a restart its CANCEL can be made from what was stored.

use super::body::session_description;
use super::challenge::{Authorizer, Secret};
use super::core::{ALLOW, Core, Goodbye, InviteKind, Inviting, Purpose, SDP, SUPPORTED};
use super::dialog::Dialog;
use super::flow::Flow;
use super::header::name_addr::NameAddr;
use super::leg::Leg;
use super::message::{HeaderName, Method, Request, Response};
use super::refresh::{MIN_SE, SessionTimer, wish};
use super::session::Session;
use super::text::Text;
use super::transaction::Class;
use super::transaction::table::{ClientRef, follow_up};
use super::uri::Uri;
use super::user_agent::{Event, Invite};
use crate::id::DialogRecord;
use crate::id::LegRef;
use crate::limits;
use crate::time::Tick;
use bytes::Bytes;

#[derive(Debug)]
pub(super) struct Calling {
    plan: Plan,
    pub client: ClientRef,
    stage: Stage,
    pub early: Vec<Early>,
}

/// What every try of the INVITE has in common.
#[derive(Debug)]
struct Plan {
    invite: Invite,
    uri: Uri,
    from: NameAddr,
    to: NameAddr,
    /// Index of the flow in use.
    at: usize,
    number: u32,
    authorizer: Authorizer,
    min_se: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing has come from this flow.
    Unheard,
    /// A provisional has.
    Proceeding,
    /// Hung up before a provisional: the CANCEL waits for one.
    CancelHeld(Option<&'static str>),
    /// The CANCEL has been sent.
    Cancelled,
}

/// A fork that has answered provisionally.
#[derive(Debug)]
pub(super) struct Early {
    pub dialog: Dialog,
    body: Option<Bytes>,
}

impl Calling {
    /// Sends the first INVITE; when it cannot be sent the leg is refused at once.
    pub fn begin(core: &mut Core, now: Tick, leg: LegRef, invite: Invite) -> Option<Leg> {
        let to = invite.to.as_deref().unwrap_or(&invite.uri);
        let uris = (invite.uri.parse::<Uri>(), invite.from.1.parse::<Uri>(), to.parse::<Uri>());
        let (Ok(uri), Ok(from), Ok(to)) = uris else { return refused(core, leg, 484, true) };
        if invite.flows.is_empty() {
            return refused(core, leg, 503, true);
        }
        let from = NameAddr::new(&invite.from.0, from).with_tag(&invite.identity.local_tag);
        let authorizer = Authorizer::new(Secret::of(invite.credentials.as_ref(), &invite.flows));
        let to = NameAddr::new("", to);
        Plan { invite, uri, from, to, at: 0, number: 1, authorizer, min_se: MIN_SE }.send(core, now, leg)
    }

    pub fn record(&self) -> DialogRecord {
        DialogRecord {
            branch: self.plan.branch(),
            flow: self.plan.flow().to_string(),
            ..self.plan.invite.identity.clone()
        }
    }

    pub fn on_response(
        mut self: Box<Self>,
        core: &mut Core,
        now: Tick,
        leg: LegRef,
        (flow, response): (Flow, &Response),
    ) -> Option<Leg> {
        match Class::of(response.code()) {
            Class::Provisional => {
                self.on_provisional(core, now, leg, response);
                Some(Leg::Calling(self))
            }
            Class::Success => self.on_success(core, now, leg, response),
            Class::Failure => self.on_failure(core, now, leg, flow, response),
        }
    }

    fn on_provisional(&mut self, core: &mut Core, now: Tick, leg: LegRef, response: &Response) {
        match self.stage {
            Stage::Unheard => self.stage = Stage::Proceeding,
            Stage::CancelHeld(reason) => self.send_cancel(core, now, leg, reason),
            Stage::Proceeding => {}
            Stage::Cancelled => return,
        }
        let status = response.code();
        if status == 100 || self.stage == Stage::Cancelled {
            return;
        }
        let body = session_description(&response.headers, &response.body).unwrap_or(None);
        if response.headers.to().tag().is_some() {
            self.note_fork(core, response, body.clone());
        }
        core.out.tell(Event::Progress { leg, status, body });
    }

    fn note_fork(&mut self, core: &Core, response: &Response, body: Option<Bytes>) {
        let Some(client) = core.table.client(self.client) else { return };
        let dialog = self.plan.dialog(client.flow, &client.request, response);
        let id = dialog.id();
        match self.early.iter().position(|early| early.dialog.id() == id) {
            Some(at) => {
                let early = &mut self.early[at];
                early.body = body.or(early.body.take());
            }
            None if self.early.len() < limits::FORKS => self.early.push(Early { dialog, body }),
            None => {} // Still answered if it is the one that says 200; only requests of an early dialog get a 481.
        }
    }

    fn on_success(mut self: Box<Self>, core: &mut Core, now: Tick, leg: LegRef, response: &Response) -> Option<Leg> {
        let client = core.table.client(self.client).expect("its response has just been passed up");
        let (flow, request) = (client.flow, client.request.clone());
        let mut dialog = self.plan.dialog(flow, &request, response);
        let id = dialog.id();
        let mut early_body = None;
        if let Some(at) = self.early.iter().position(|early| early.dialog.id() == id) {
            let early = self.early.swap_remove(at);
            early_body = early.body;
            dialog = early.dialog;
            dialog.confirm(response);
        }
        let (ack_flow, ack) = dialog.ack(core, &request);
        core.acknowledge(self.client, response.headers.to().tag().map(Text::from), ack_flow, &ack);
        match self.stage {
            Stage::Unheard | Stage::Proceeding => {
                let timer = SessionTimer::of_answer(now, &response.headers);
                // Some far ends describe the session in their 183 only.
                let body = session_description(&response.headers, &response.body).unwrap_or(None).or(early_body);
                core.out.tell(Event::Answered { leg, body: body.unwrap_or_default() });
                let peer_updates = response.headers.lists(HeaderName::Allow, "UPDATE");
                let record = self.record();
                let Plan { invite: Invite { offer, .. }, authorizer, .. } = self.plan;
                let session =
                    Session::of_uac(dialog, timer, peer_updates, (authorizer.secret().cloned(), offer, record));
                Some(Leg::Session(Box::new(session)))
            }
            // The 200 has crossed our CANCEL: the call is over before it began (§9.1, §13.2.2.4).
            Stage::CancelHeld(_) | Stage::Cancelled => {
                let (flow, bye) = dialog.request(core, Method::BYE);
                let goodbye = Goodbye { reason: None, secret: self.plan.authorizer.secret() };
                core.bye(now, flow, bye, Some(leg), goodbye);
                refused(core, leg, 487, false)
            }
        }
    }

    fn on_failure(
        mut self: Box<Self>,
        core: &mut Core,
        now: Tick,
        leg: LegRef,
        source: Flow,
        response: &Response,
    ) -> Option<Leg> {
        let status = response.code();
        let unheard = match self.stage {
            Stage::Unheard => true,
            Stage::Proceeding => false,
            Stage::CancelHeld(_) | Stage::Cancelled => return refused(core, leg, status, false),
        };
        if self.plan.authorizer.takes(source, response) {
            return self.plan.next_try(core, now, leg);
        }
        // RFC 4028 §7.3: once more, with what they can bear.
        let min_se = response.headers.min_se().unwrap_or(0);
        if status == 422 && min_se > self.plan.min_se {
            self.plan.min_se = min_se;
            return self.plan.next_try(core, now, leg);
        }
        if status == 503 && unheard && self.plan.has_other_flow() {
            return self.plan.next_flow(core, now, leg);
        }
        refused(core, leg, status, false)
    }

    /// Its transaction has ended without a final response.
    pub fn on_unanswered(self: Box<Self>, core: &mut Core, now: Tick, leg: LegRef, transport: bool) -> Option<Leg> {
        match self.stage {
            Stage::Unheard if self.plan.has_other_flow() => self.plan.next_flow(core, now, leg),
            Stage::Unheard | Stage::Proceeding => refused(core, leg, if transport { 503 } else { 408 }, true),
            Stage::CancelHeld(_) | Stage::Cancelled => refused(core, leg, 487, true),
        }
    }

    /// Hangs up: CANCEL now, or as soon as there is a provisional.
    pub fn cancel(
        mut self: Box<Self>,
        core: &mut Core,
        now: Tick,
        leg: LegRef,
        reason: Option<&'static str>,
    ) -> Box<Calling> {
        match self.stage {
            Stage::Unheard => self.stage = Stage::CancelHeld(reason),
            Stage::Proceeding => self.send_cancel(core, now, leg, reason),
            Stage::CancelHeld(_) | Stage::Cancelled => {}
        }
        self
    }

    fn send_cancel(&mut self, core: &mut Core, now: Tick, leg: LegRef, reason: Option<&'static str>) {
        self.stage = Stage::Cancelled;
        let client = core.table.client(self.client).expect("an INVITE without final response has its transaction");
        let (flow, mut cancel) = (client.flow, follow_up(&client.request, Method::CANCEL, None));
        if let Some(reason) = reason {
            cancel.headers.push(HeaderName::Reason, reason);
        }
        // A full table only costs the repetitions of the CANCEL.
        let _ = core.table.begin(now, flow, cancel, Some(leg), Purpose::Nothing, &mut core.out);
        core.table.cancel_sent(now, self.client);
    }
}

impl Plan {
    fn flow(&self) -> Flow {
        self.invite.flows[self.at]
    }

    fn branch(&self) -> String {
        retry_branch(&self.invite.identity.branch, self.number)
    }

    fn has_other_flow(&self) -> bool {
        self.at + 1 < self.invite.flows.len()
    }

    fn next_flow(mut self, core: &mut Core, now: Tick, leg: LegRef) -> Option<Leg> {
        self.at += 1;
        self.next_try(core, now, leg)
    }

    fn next_try(mut self, core: &mut Core, now: Tick, leg: LegRef) -> Option<Leg> {
        self.number += 1;
        self.send(core, now, leg)
    }

    fn send(mut self, core: &mut Core, now: Tick, leg: LegRef) -> Option<Leg> {
        let flow = self.flow();
        let request = self.request(core, flow);
        let kind = InviteKind::First {
            reach: self.invite.reach,
            contact_user: self.invite.contact_user.clone(),
            secret: self.authorizer.secret().cloned(),
        };
        let purpose = Purpose::Invite(Box::new(Inviting { leg, kind, acks: Vec::new() }));
        match core.table.begin(now, flow, request, Some(leg), purpose, &mut core.out) {
            Ok(client) => {
                Some(Leg::Calling(Box::new(Calling { plan: self, client, stage: Stage::Unheard, early: Vec::new() })))
            }
            Err(_) => refused(core, leg, 503, true),
        }
    }

    fn request(&mut self, core: &mut Core, flow: Flow) -> Request {
        let via = core.via(flow, &self.branch());
        let (from, to) = (self.from.clone(), self.to.clone());
        let call_id = &self.invite.identity.call_id;
        let mut request = Request::new(Method::INVITE, self.uri.clone(), via, from, to, call_id, self.number);
        let secs = u32::try_from(core.identity.session_expires.as_secs()).unwrap_or(u32::MAX);
        let headers = &mut request.headers;
        headers.push(HeaderName::Contact, core.contact(flow, &self.invite.contact_user));
        headers.push(HeaderName::Allow, ALLOW);
        headers.push(HeaderName::Supported, SUPPORTED);
        for (name, value) in wish(secs, self.min_se) {
            headers.push(name, value);
        }
        headers.push(HeaderName::UserAgent, core.identity.product.as_str());
        for (name, value) in &self.invite.fields {
            headers.push(*name, value.as_str());
        }
        request.set_body(SDP, self.invite.offer.clone());
        self.authorizer.authorize(&mut request, &mut core.entropy);
        request
    }

    fn dialog(&self, flow: Flow, request: &Request, response: &Response) -> Dialog {
        Dialog::of_uac(request, response, flow, self.invite.reach, &self.invite.contact_user)
    }
}

/// The branch of the nth try.
pub(super) fn retry_branch(first: &str, number: u32) -> String {
    match number {
        1 => first.to_owned(),
        n => format!("{first}-{n}"),
    }
}

fn refused(core: &mut Core, leg: LegRef, status: u16, local: bool) -> Option<Leg> {
    core.out.tell(Event::Refused { leg, status, local });
    None
}
