//! The user agent: transactions, dialogs and INVITE sessions behind one value (RFC 3261 §§8–17). The switch speaks
//! to it in legs and hears events; it never sees a branch, a retransmission or an ACK.

use super::abandon;
use super::ask;
use super::core::{Core, Purpose, push_fields, stamp_source};
use super::dialog::DialogId;
use super::flow::{Flow, Received};
use super::inspect::info_key;
use super::leg::{Leg, describe};
use super::message::{Message, Method, Request, Response};
use super::stray::branch_of;
use super::transaction::{Class, earliest};
use super::uac::Calling;
use crate::entropy::{Entropy, Secret};
use crate::id::DialogRecord;
use crate::id::{LegRef, RequestRef, TransactionRef};
use crate::settings::Credentials;
use crate::time::Tick;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::Duration;

/// A header field to add: name and value, checked against CR, LF and NUL by the serialiser.
pub type Field = (&'static str, String);

/// How requests inside a dialog find the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reach {
    /// Where it came from, whatever its Contact says: phones behind NAT, and strangers (security.md T9).
    Flow,
    /// By Route and Contact as RFC 3261 §12.2.1.1 says, where they are addresses; trusted trunks only.
    Contact,
}

/// An INVITE of ours.
#[derive(Clone, Debug)]
pub struct Invite {
    /// Where to, in order; the next is tried on no answer, transport failure or 503 before any provisional (RFC 3263
    /// §4.3).
    pub flows: Vec<Flow>,
    /// Request-URI, also the URI of To unless `to` says otherwise.
    pub uri: String,
    /// URI of To.
    pub to: Option<String>,
    /// Display name and URI of From, without tag.
    pub from: (String, String),
    /// User part of our Contact.
    pub contact_user: String,
    /// P-Asserted-Identity, Alert-Info and the like.
    pub fields: Vec<Field>,
    /// Our offer.
    pub offer: Bytes,
    /// What answers a 401 or 407.
    pub credentials: Option<Credentials>,
    /// In-dialog routing.
    pub reach: Reach,
    /// Identity fixed by the caller, so that it could be stored before it is sent: Call-ID, From tag, branch.
    pub identity: DialogRecord,
}

/// A non-INVITE request of ours outside dialogs.
#[derive(Clone, Debug)]
pub struct OutgoingRequest {
    /// REGISTER or OPTIONS.
    pub method: rsip::Method,
    /// Where to, in order.
    pub flows: Vec<Flow>,
    /// Request-URI.
    pub uri: String,
    /// URI of To.
    pub to: String,
    /// Display name and URI of From, without tag.
    pub from: (String, String),
    /// User part of our Contact, when the method has one; how long it holds goes into `fields` as Expires.
    pub contact_user: Option<String>,
    /// Expires and the like.
    pub fields: Vec<Field>,
    /// What answers a 401 or 407.
    pub credentials: Option<Credentials>,
    /// Call-ID and CSeq to continue (RFC 3261 §10.2.4: REGISTERs of one binding share them); `None`: new ones.
    pub sequence: Option<(String, u32)>,
}

/// Why a leg ended, seen from SIP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// BYE from the peer.
    Bye,
    /// CANCEL from the peer before our final response (487 has been sent).
    Cancel,
    /// Our 200 was never ACKed (RFC 3261 §13.3.1.4); BYE has been sent.
    NoAck,
    /// Session timer ran out (RFC 4028), or a request in the dialog found nobody (408, 481).
    Lost,
}

/// What the switch hears.
#[derive(Debug)]
pub enum Event {
    /// An INVITE outside any dialog, already admitted; 100 has been sent. Answer with `ring`, `answer` or `refuse`.
    Invited {
        /// Its leg.
        leg: LegRef,
        /// Where it came from.
        flow: Flow,
        /// All of it.
        request: Box<Request>,
    },
    /// A non-INVITE request outside dialogs, already admitted (REGISTER, OPTIONS). Answer with `respond`.
    Asked {
        /// Its transaction.
        transaction: TransactionRef,
        /// Where it came from.
        flow: Flow,
        /// All of it.
        request: Box<Request>,
    },
    /// 101–199 to our INVITE.
    Progress {
        /// Which.
        leg: LegRef,
        /// 180, 183…
        status: u16,
        /// Session description, when it carried one: early media.
        body: Option<Bytes>,
    },
    /// The first 2xx to our INVITE; ACK has been sent. Later forks are ACKed and BYEd unseen (RFC 3261 §13.2.2.4).
    Answered {
        /// Which.
        leg: LegRef,
        /// Session description.
        body: Bytes,
    },
    /// Our INVITE has failed: 3xx–6xx, or 408 when nothing came, or 503 when nothing could be sent. After a `hang_up`
    /// that crossed a 2xx, the 2xx has been ACKed and BYEd and this says 487.
    Refused {
        /// Which.
        leg: LegRef,
        /// Final status.
        status: u16,
        /// Whether the network, not the far end, said so (timeout, transport).
        local: bool,
    },
    /// The ACK of our first 200 has come; or an answer to an offer of ours has: to a `reoffer`, or in the ACK of a
    /// re-INVITE that had asked for an offer.
    Confirmed {
        /// Which.
        leg: LegRef,
        /// The answer, when our 200 carried the offer (RFC 3261 §13.2.1), or to a `reoffer`.
        body: Option<Bytes>,
    },
    /// A re-INVITE or UPDATE with an offer (or, re-INVITE only, without: then we must offer). Answer with
    /// `accept_offer` or `refuse_offer`. Refreshes without a change are passed up, too: media decides.
    Offered {
        /// Which.
        leg: LegRef,
        /// The offer; `None`: we are asked for one.
        body: Option<Bytes>,
    },
    /// Our `reoffer` was refused (488 and the like): the session goes on as it was.
    OfferRefused {
        /// Which.
        leg: LegRef,
        /// Final status.
        status: u16,
    },
    /// DTMF by INFO of an old phone: `Signal=` of application/dtmf-relay or the body of application/dtmf. Answered 200.
    InfoDigit {
        /// Which.
        leg: LegRef,
        /// 0–9 * # A–D.
        digit: char,
    },
    /// The leg is over by the peer's doing.
    Ended {
        /// Which.
        leg: LegRef,
        /// How.
        by: EndedBy,
    },
    /// The final response to a `request` of ours; a 408 of our own making when none came.
    Response {
        /// Which.
        request: RequestRef,
        /// All of it; `None`: nobody answered.
        response: Option<Box<Response>>,
    },
    /// Every message, in and out, for ladders. Only those that belong to a leg.
    Trace {
        /// Whose.
        leg: LegRef,
        /// We sent it.
        outgoing: bool,
        /// Where to or from.
        flow: Flow,
        /// `INVITE`, `200 OK (INVITE)`; a retransmission ends in ` (again)`.
        what: Box<str>,
    },
}

/// What the user agent is told once.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Host of Via and Contact; `None`: the flow's local address.
    pub public_address: Option<IpAddr>,
    /// User-Agent and Server.
    pub product: String,
    /// Session-Expires that we ask for and the smallest we take (RFC 4028).
    pub session_expires: Duration,
    /// What the branches of every life are marked with.
    pub secret: Secret,
}

/// How much is alive in a user agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// INVITE sessions, from INVITE to BYE.
    pub legs: usize,
    /// Client transactions.
    pub clients: usize,
    /// Server transactions.
    pub servers: usize,
}

/// See the module.
#[derive(Debug)]
pub struct UserAgent {
    pub(super) core: Core,
    pub(super) legs: HashMap<LegRef, Leg>,
    /// Which leg a request in a dialog belongs to: made of the legs' own dialogs, after each step.
    pub(super) dialogs: HashMap<DialogId, LegRef>,
}

impl UserAgent {
    /// A user agent that knows nobody. Tags, branches and Call-IDs come from `entropy`.
    pub fn new(identity: Identity, entropy: Entropy) -> UserAgent {
        UserAgent { core: Core::new(identity, entropy), legs: HashMap::new(), dialogs: HashMap::new() }
    }

    /// Whether a transaction or a dialog of ours knows this request; if not, the caller judges the peer first and
    /// then either calls `receive` or answers with `reply_statelessly`. A stray ACK or unmatched CANCEL/in-dialog
    /// request is "known": the user agent absorbs it or answers 481 itself.
    pub fn knows(&self, _flow: Flow, request: &Request) -> bool {
        let apart = request.method == Method::ACK || request.method == Method::CANCEL;
        apart || request.headers.to().tag().is_some() || self.core.table.knows(request)
    }

    /// A message that was admitted.
    pub fn receive(&mut self, now: Tick, received: Received) {
        let Received { flow, message, wire: _ } = received;
        match message {
            Ok(Message::Request(mut request)) => {
                stamp_source(&mut request, flow);
                self.on_request(now, flow, request);
            }
            Ok(Message::Response(response)) => self.on_response(now, flow, &response),
            Err(malformed) => {
                if let Some(answer) = malformed.answer {
                    self.core.out.transmits.push_back((flow, answer));
                }
            }
        }
    }

    /// One answer without state (security.md T8): challenges and refusals to strangers. Its To tag is derived from the
    /// request, so that the ACK is known and a copy gets the same answer.
    pub fn reply_statelessly(&mut self, flow: Flow, request: &Request, status: u16, fields: Vec<Field>) {
        let mut request = request.clone();
        stamp_source(&mut request, flow);
        self.core.answer_statelessly(flow, &request, status, fields);
    }

    /// The instant of `poll_timeout` has come.
    pub fn on_timeout(&mut self, now: Tick) {
        while let Some(unanswered) = self.core.table.on_timeout(now, &mut self.core.out) {
            self.on_unanswered(now, unanswered);
        }
        while let Some(leg) = self.core.timers.take_due(now) {
            self.step(leg, |core, state| state.on_timeout(core, now, leg));
        }
    }

    /// When `on_timeout` is wanted.
    pub fn poll_timeout(&self) -> Option<Tick> {
        earliest(self.core.table.next_deadline(), self.core.timers.next())
    }

    /// What leaves.
    pub fn poll_transmit(&mut self) -> Option<(Flow, Bytes)> {
        self.core.out.transmits.pop_front()
    }

    /// What happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.core.out.events.pop_front()
    }

    /// The flow is dead: client transactions on it fail at once (RFC 3261 §8.1.3.1), legs on it go on until their
    /// timers say otherwise.
    pub fn flow_lost(&mut self, now: Tick, flow: Flow) {
        for unanswered in self.core.table.on_flow_lost(flow) {
            self.on_unanswered(now, unanswered);
        }
    }

    /// A fresh identity for an INVITE that is about to be stored and then sent on `flow`.
    pub fn new_identity(&mut self, flow: Flow) -> DialogRecord {
        let (call_id, local_tag) = (self.core.entropy.token(), self.core.entropy.token());
        let (branch, flow) = (self.core.branch(), flow.to_string());
        DialogRecord { call_id, local_tag, branch, flow, ..DialogRecord::default() }
    }

    /// The identity of an INVITE that is known by this name: whoever asks again, in this life or the next, gets the
    /// same, so that a repetition is a retransmission for the far end and not a second call (durability.md §2.8).
    pub fn derived_identity(secret: &Secret, name: &str, flow: Flow) -> DialogRecord {
        let token = |what: &str| secret.token(&format!("{what} {name}"));
        let (call_id, local_tag, branch) = (token("call-id"), token("tag"), branch_of(secret, &token("branch")));
        DialogRecord { call_id, local_tag, branch, flow: flow.to_string(), ..DialogRecord::default() }
    }

    /// Sends an INVITE.
    pub fn invite(&mut self, now: Tick, invite: Invite) -> LegRef {
        let leg = self.core.next_leg();
        let state = Calling::begin(&mut self.core, now, leg, invite);
        self.settle(leg, &[], state);
        leg
    }

    /// Sends a request.
    pub fn request(&mut self, now: Tick, request: OutgoingRequest) -> RequestRef {
        ask::begin(&mut self.core, now, request)
    }

    /// Answers an `Asked`.
    pub fn respond(&mut self, now: Tick, transaction: TransactionRef, status: u16, fields: Vec<Field>) {
        let options = self.core.table.server(transaction).is_some_and(|it| it.request.method == Method::OPTIONS);
        self.core.answer(now, transaction, status, |response| {
            if options && Class::of(status) == Class::Success {
                describe(response);
            }
            push_fields(response, fields);
        });
    }

    /// 180, or 183 with early media.
    pub fn ring(&mut self, now: Tick, leg: LegRef, early: Option<Bytes>) {
        self.step(leg, |core, mut state| {
            if let Leg::Called(called) = &mut state {
                called.ring(core, now, early);
            }
            Some(state)
        });
    }

    /// 200 with our answer (or our offer, when the INVITE had none), retransmitted until its ACK.
    pub fn answer(&mut self, now: Tick, leg: LegRef, body: Bytes) {
        self.step(leg, |core, state| match state {
            Leg::Called(called) => Some(called.answer(core, now, body)),
            Leg::Calling(_) | Leg::Session(_) => Some(state), // Answered already.
        });
    }

    /// 300–699.
    pub fn refuse(&mut self, now: Tick, leg: LegRef, status: u16, fields: Vec<Field>) {
        self.step(leg, |core, state| match state {
            Leg::Called(called) => {
                called.refuse(core, now, status, fields);
                None
            }
            Leg::Calling(_) | Leg::Session(_) => Some(state), // Answered already.
        });
    }

    /// 200 to a re-INVITE or UPDATE.
    pub fn accept_offer(&mut self, now: Tick, leg: LegRef, body: Bytes) {
        self.in_session(leg, |core, session| session.accept(core, now, leg, body));
    }

    /// 488 to a re-INVITE or UPDATE: the session goes on as it was.
    pub fn refuse_offer(&mut self, now: Tick, leg: LegRef, status: u16) {
        self.in_session(leg, |core, session| session.refuse_offer(core, now, leg, status));
    }

    /// Sends a re-INVITE with a new offer; its answer comes as `Event::Confirmed`. 491 is retried after the RFC's wait.
    pub fn reoffer(&mut self, now: Tick, leg: LegRef, offer: Bytes) {
        self.in_session(leg, |core, session| session.reoffer(core, now, leg, offer));
    }

    /// Ends a leg as its state demands: CANCEL (held back until a provisional, RFC 3261 §9.1), BYE, or a 480 refusal of
    /// an INVITE we have not answered. No event follows but, for an INVITE of ours without final response, `Refused`.
    /// `reason` becomes a Reason header (RFC 3326) when set: `SIP;cause=200;text="Call completed elsewhere"`.
    pub fn hang_up(&mut self, now: Tick, leg: LegRef, reason: Option<&'static str>) {
        self.step(leg, |core, state| state.hang_up(core, now, leg, reason));
    }

    /// CANCEL and BYE for an INVITE that an earlier life of this process had sent (durability.md §2.8 Restart): both,
    /// since it is not known which one fits; nothing is reported.
    pub fn abandon(&mut self, now: Tick, uri: &str, dialog: &DialogRecord) {
        abandon::abandon(&mut self.core, now, uri, dialog);
    }

    /// What a CANCEL or BYE after a restart needs of this leg.
    pub fn dialog_record(&self, leg: LegRef) -> Option<DialogRecord> {
        match self.legs.get(&leg)? {
            Leg::Calling(calling) => Some(calling.record()),
            Leg::Called(_) => None, // The peer ends what it began.
            Leg::Session(session) => Some(session.record()),
        }
    }

    /// How a leg that was invited finds its peer from now on; it begins with `Reach::Flow`. For trunks whose requests
    /// come from several addresses.
    pub fn set_reach(&mut self, leg: LegRef, reach: Reach) {
        self.step(leg, |_, mut state| {
            match &mut state {
                Leg::Called(called) => called.dialog.reach = reach,
                Leg::Session(session) => session.dialog.reach = reach,
                Leg::Calling(_) => {} // Its INVITE has said so.
            }
            Some(state)
        });
    }

    /// The key that an INFO brings, and to which leg; `None` for everything else.
    pub fn info_key(&self, request: &Request) -> Option<(LegRef, char)> {
        let key = info_key(request)?;
        let leg = self.dialogs.get(&DialogId::of_incoming(request)?)?;
        Some((*leg, key))
    }

    /// Requests outside dialogs whose answer is still to come, or to be polled.
    pub fn requests(&self) -> BTreeSet<RequestRef> {
        let asking = self.core.table.purposes().filter_map(|purpose| match purpose {
            Purpose::Request(asking) => Some(asking.reference),
            Purpose::Invite(_) | Purpose::Nothing | Purpose::Bye(_) | Purpose::Update(_) => None,
        });
        let told = self.core.out.events.iter().filter_map(|event| match event {
            Event::Response { request, .. } => Some(*request),
            _ => None, // It answers nothing of this kind.
        });
        asking.chain(told).collect()
    }

    /// All legs, in the order in which they began.
    pub fn legs(&self) -> Vec<LegRef> {
        let mut legs: Vec<LegRef> = self.legs.keys().copied().collect();
        legs.sort_unstable();
        legs
    }

    /// Whether an INVITE of ours still waits for its final response.
    pub fn rings(&self, leg: LegRef) -> bool {
        matches!(self.legs.get(&leg), Some(Leg::Calling(_)))
    }

    /// Whether nothing is left: no transaction, no dialog, no leg (law 7).
    pub fn at_rest(&self) -> bool {
        self.core.table.is_empty() && self.legs.is_empty() && self.dialogs.is_empty() && self.core.timers.is_empty()
    }

    /// What is alive.
    pub fn counts(&self) -> Counts {
        let (clients, servers) = self.core.table.len();
        Counts { legs: self.legs.len(), clients, servers }
    }
}
