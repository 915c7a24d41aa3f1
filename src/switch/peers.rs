//! Peers: who is speaking, before anything is done for him (security.md T6–T8, T16).
//!
//! A request outside our transactions and dialogs is judged here first. A trunk is known by its address. Everybody
//! else proves to be a phone of ours by digest; whoever cannot, gets one stateless answer and costs no memory.

use super::{Switch, event};
use crate::id::Name;
use crate::sip::flow::Flow;
use crate::sip::message::{HeaderName, Method, Request};
use crate::time::Now;
use std::net::IpAddr;

/// Somebody whose request is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// A provider, by address.
    Trunk(Name),
    /// A phone, by digest: its extension.
    Phone(Name),
    /// A phone of ours that has proven nothing by this request.
    Stranger,
}

/// An address as a URI's host (RFC 3261 §25.1: IPv6 in brackets).
pub(super) fn host_of(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

/// Whether it answers a challenge, as phones do.
fn is_proving(request: &Request) -> bool {
    let carried = |name| request.headers.get(name).is_some();
    carried(HeaderName::Authorization) || carried(HeaderName::ProxyAuthorization)
}

impl Switch {
    /// Who asks; `None` when the stateless answer has been given already.
    pub(super) fn admit(&mut self, now: Now, flow: Flow, request: &Request) -> Option<Peer> {
        let trunk = self.trunks.by_source(flow.remote.ip(), flow.remote.port()).cloned();
        match &request.method {
            Method::Known(rsip::Method::Register) => self.challenge(now, flow, request),
            Method::Known(rsip::Method::Options) if trunk.is_none() && self.registrar.whose(flow).is_none() => {
                // One small answer and no state: a stranger learns that we exist and no more (T8).
                let status = if self.draining { 503 } else { 200 };
                self.ua.reply_statelessly(flow, request, status, Vec::new());
                None
            }
            _ if trunk.is_some() => trunk.map(Peer::Trunk),
            // A carrier whose address is still being looked up would take a challenge for a refusal, and the call would
            // be lost. It sends its request again (RFC 3261 §17.1.1.2), and so does a phone that is new to us.
            _ if self.trunks.is_one_sought() && self.registrar.whose(flow).is_none() && !is_proving(request) => None,
            Method::Known(rsip::Method::Invite) => self.challenge(now, flow, request),
            // Everything else from strangers (T16): unknown methods 501, known ones 405, by the user agent's table.
            Method::Known(_) | Method::Other(_) => {
                if self.registrar.whose(flow).is_some() {
                    return Some(Peer::Stranger);
                }
                self.publish(event::Event::SipRefused { why: "method_from_stranger" });
                self.ua.reply_statelessly(flow, request, 403, Vec::new());
                None
            }
        }
    }

    fn challenge(&mut self, now: Now, flow: Flow, request: &Request) -> Option<Peer> {
        match self.registrar.authenticate(now, flow, request) {
            Ok(extension) => Some(Peer::Phone(extension)),
            Err(denial) => {
                self.publish(event::Event::SipRefused { why: "challenged" });
                self.ua.reply_statelessly(flow, request, denial.status, denial.fields);
                None
            }
        }
    }
}
