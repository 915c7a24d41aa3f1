//! What every leg works with: our identity on a flow, entropy, the transactions, and what leaves. A leg's state is
//! moved through it by value; the core never holds a leg.

use super::challenge::{Authorizer, Secret};
use super::flow::Flow;
use super::header::via::Via;
use super::message::{HeaderName, Method, Request, Response};
use super::outbox::{Outbox, What};
use super::stray::branch_of;
use super::text::Text;
use super::transaction::table::{ClientRef, Table};
use super::transaction::timers::Timers;
use super::uri::{Host, Uri};
use super::user_agent::{Field, Identity, OutgoingRequest, Reach};
use crate::entropy::Entropy;
use crate::id::{Counter, LegRef, RequestRef, TransactionRef};
use crate::time::Tick;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The methods we take, in a dialog or outside.
pub(super) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, UPDATE, INFO";
/// The extensions we speak (RFC 4028).
pub(super) const SUPPORTED: &str = "timer";
pub(super) const SDP: &str = "application/sdp";

/// An answer to an unproven source is no longer than this or the request (security.md T8).
const UNPROVEN_BYTES: usize = 640;

/// What a request of ours is for.
#[derive(Debug)]
pub(super) enum Purpose {
    /// An INVITE, first or again.
    Invite(Box<Inviting>),
    /// A CANCEL, or a request whose answer has been taken: what else comes changes nothing.
    Nothing,
    /// A BYE: nobody waits for its answer, but a challenge is answered.
    Bye(Box<Authorizer>),
    /// An UPDATE that refreshes a session.
    Update(LegRef),
    /// A request outside dialogs.
    Request(Box<Asking>),
}

/// An INVITE on its way. It outlives its leg, since every 2xx needs an ACK (RFC 3261 §13.2.2.4).
#[derive(Debug)]
pub(super) struct Inviting {
    pub leg: LegRef,
    pub kind: InviteKind,
    /// The ACK of each 2xx by its To tag, to be sent again when the 2xx comes again.
    pub acks: Vec<(Option<Text>, Flow, Bytes)>,
}

#[derive(Debug)]
pub(super) enum InviteKind {
    /// Makes a dialog, or several.
    First { reach: Reach, contact_user: String, secret: Option<Secret> },
    /// In a dialog.
    Again,
}

/// A request outside dialogs on its way, and how it may be tried again.
#[derive(Debug)]
pub(super) struct Asking {
    pub reference: RequestRef,
    pub wanted: OutgoingRequest,
    /// Index of the flow in use.
    pub at: usize,
    pub authorizer: Authorizer,
}

#[derive(Debug)]
pub(super) struct Core {
    pub identity: Identity,
    pub entropy: Entropy,
    secret: [u8; 32],
    pub table: Table<Purpose>,
    pub out: Outbox,
    pub timers: Timers<LegRef>,
    legs: Counter,
    requests: Counter,
}

impl Core {
    pub fn new(identity: Identity, mut entropy: Entropy) -> Core {
        let secret = entropy.bytes();
        Core {
            identity,
            entropy,
            secret,
            table: Table::default(),
            out: Outbox::default(),
            timers: Timers::default(),
            legs: Counter::default(),
            requests: Counter::default(),
        }
    }

    pub fn next_leg(&mut self) -> LegRef {
        LegRef(self.legs.take())
    }

    pub fn next_request(&mut self) -> RequestRef {
        RequestRef(self.requests.take())
    }

    /// A branch nobody can guess: it is all that ties a response to its request over UDP. The next life knows it.
    pub fn branch(&mut self) -> String {
        branch_of(&self.identity.secret, &self.entropy.token())
    }

    pub fn host(&self, flow: Flow) -> Host {
        Host::from(self.identity.public_address.unwrap_or(flow.local.ip()))
    }

    pub fn via(&self, flow: Flow, branch: &str) -> Via {
        Via::udp(self.host(flow), flow.local.port(), branch)
    }

    pub fn contact(&self, flow: Flow, user: &str) -> String {
        format!("<{}>", Uri::sip(user, &self.host(flow), Some(flow.local.port())))
    }

    /// Puts the ACK of a 2xx on its way and keeps it for the copies of that 2xx.
    pub fn acknowledge(&mut self, invite: ClientRef, tag: Option<Text>, flow: Flow, ack: &Request) {
        let bytes = ack.to_bytes();
        let mut leg = None;
        if let Some(client) = self.table.client_mut(invite) {
            leg = client.leg;
            if let Purpose::Invite(inviting) = &mut client.purpose {
                inviting.acks.push((tag, flow, bytes.clone()));
            }
        }
        self.out.send(flow, bytes, leg, What::Request("ACK"), false);
    }

    /// The same request again, with the next sequence number and a branch of its own (RFC 3261 §22.2).
    pub fn again(&mut self, request: &Request, flow: Flow, authorizer: &mut Authorizer) -> Request {
        let mut again = request.clone();
        again.headers.cseq_mut().number += 1;
        let branch = self.branch();
        *again.headers.via_top_mut() = self.via(flow, &branch);
        authorizer.authorize(&mut again, &mut self.entropy);
        again
    }

    /// Sends a BYE and cares only for its challenge.
    pub fn bye(&mut self, now: Tick, flow: Flow, mut bye: Request, leg: Option<LegRef>, goodbye: Goodbye<'_>) {
        if let Some(reason) = goodbye.reason {
            bye.headers.push(HeaderName::Reason, reason);
        }
        let authorizer = Authorizer::new(goodbye.secret.cloned());
        // A full table only costs the repetitions: the far end's own timers end the call.
        let _ = self.table.begin(now, flow, bye, leg, Purpose::Bye(Box::new(authorizer)), &mut self.out);
    }

    /// Answers a transaction. The To tag of an answer outside dialogs is derived from the request.
    pub fn answer(&mut self, now: Tick, id: TransactionRef, status: u16, complete: impl FnOnce(&mut Response)) {
        let Some(server) = self.table.server(id) else { return };
        let mut response = self.response(&server.request, status);
        complete(&mut response);
        if status > 100 {
            let tag = self.derived_tag(&server.request);
            response = response.with_to_tag(&tag);
        }
        self.table.respond(now, id, &response, &mut self.out);
    }

    /// One answer without state (RFC 3261 §8.2.7).
    pub fn answer_statelessly(&mut self, flow: Flow, request: &Request, status: u16, fields: Vec<Field>) {
        if request.method == Method::ACK {
            return; // RFC 3261 §17: nothing answers an ACK.
        }
        let tag = self.derived_tag(request);
        let mut response = self.response(request, status).with_to_tag(&tag);
        push_fields(&mut response, fields);
        let mut bytes = response.to_bytes();
        // security.md T8: nobody's address is flooded by way of us.
        let budget = request.to_bytes().len().max(UNPROVEN_BYTES);
        if bytes.len() > budget {
            response.headers.remove(HeaderName::Server);
            bytes = response.to_bytes();
        }
        if bytes.len() <= budget {
            self.out.send(flow, bytes, None, What::Response(status, request.method.as_str()), false);
        }
    }

    fn response(&self, request: &Request, status: u16) -> Response {
        let mut response = Response::to(request, status);
        response.headers.push(HeaderName::Server, self.identity.product.as_str());
        response
    }

    /// A tag that a copy of the request gets again, and that nobody else can compute.
    fn derived_tag(&self, request: &Request) -> String {
        let headers = &request.headers;
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("HMAC takes a key of any length");
        for part in
            [headers.call_id().as_str(), headers.from().tag().unwrap_or(""), headers.via_top().branch().unwrap_or("")]
        {
            mac.update(part.as_bytes());
            mac.update(b"\n");
        }
        let digest = mac.finalize().into_bytes();
        digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// What a BYE carries beside its dialog.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Goodbye<'a> {
    pub reason: Option<&'static str>,
    pub secret: Option<&'a Secret>,
}

pub(super) fn push_fields(response: &mut Response, fields: Vec<Field>) {
    for (name, value) in fields {
        response.headers.push(name, value);
    }
}

/// Marks where a request really came from (RFC 3261 §18.2.1, RFC 3581 §4).
pub(super) fn stamp_source(request: &mut Request, flow: Flow) {
    let remote = flow.remote;
    let via = request.headers.via_top_mut();
    let wants_rport = via.wants_rport();
    if wants_rport {
        via.params.set("rport", Some(&remote.port().to_string()));
    }
    if wants_rport || via.host.ip() != Some(remote.ip()) {
        via.params.set("received", Some(&remote.ip().to_string()));
    }
}
