//! Dialogs (RFC 3261 §12): what both sides remember between INVITE and BYE, and how requests inside are made.
//!
//! Where a request goes is decided by `Reach`, not by the Request-URI alone: a phone behind NAT puts an address into
//! its Contact that leads nowhere, and a stranger may put one there that leads where we must not go (security.md T9).
//! The same addresses are those from which requests inside the dialog are taken (T18).

use super::core::Core;
use super::flow::Flow;
use super::header::name_addr::NameAddr;
use super::message::{HeaderName, Method, Request, Response};
use super::stored::SessionRecord;
use super::text::Text;
use super::uri::{Host, Uri};
use super::user_agent::Reach;
use std::net::{IpAddr, SocketAddr};

/// Names a dialog (RFC 3261 §12).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct DialogId {
    call_id: Text,
    local_tag: Text,
    remote_tag: Text,
}

impl DialogId {
    /// Of the dialog this request belongs to, were it ours; `None` without To tag.
    pub fn of_incoming(request: &Request) -> Option<DialogId> {
        let headers = &request.headers;
        Some(DialogId {
            call_id: headers.call_id().clone(),
            local_tag: Text::from(headers.to().tag()?),
            remote_tag: Text::from(headers.from().tag().unwrap_or("")), // RFC 3261 §12.1.1: null from RFC 2543.
        })
    }

    /// Of the dialog that this 2xx makes, or belongs to; `None` when it does not repeat our tag.
    pub fn of_answer(response: &Response) -> Option<DialogId> {
        let headers = &response.headers;
        Some(DialogId {
            call_id: headers.call_id().clone(),
            local_tag: Text::from(headers.from().tag()?),
            remote_tag: Text::from(headers.to().tag().unwrap_or("")),
        })
    }
}

/// One side of a dialog.
#[derive(Clone, Debug)]
pub(super) struct Dialog {
    call_id: Text,
    local: NameAddr,
    remote: NameAddr,
    local_seq: u32,
    remote_seq: Option<u32>,
    target: Uri,
    routes: Vec<NameAddr>,
    contact_user: String,
    pub flow: Flow,
    pub reach: Reach,
}

impl Dialog {
    /// The peer's tag; empty from RFC 2543.
    pub fn remote_tag(&self) -> &str {
        self.remote.tag().unwrap_or("")
    }

    /// The peer's Contact as it last said.
    pub fn target(&self) -> &Uri {
        &self.target
    }

    /// As UAS (RFC 3261 §12.1.1). Without Contact (RFC 2543) the peer is reached by its From.
    pub fn of_uas(request: &Request, flow: Flow, local_tag: &str) -> Dialog {
        let headers = &request.headers;
        let target = headers.contacts().first().map_or(&headers.from().uri, |contact| &contact.uri).clone();
        Dialog {
            call_id: headers.call_id().clone(),
            local: headers.to().clone().with_tag(local_tag),
            remote: headers.from().clone(),
            local_seq: 0,
            remote_seq: Some(headers.cseq().number),
            target,
            routes: headers.record_routes(),
            contact_user: request.uri.user().unwrap_or("").to_owned(),
            flow,
            reach: Reach::Flow,
        }
    }

    /// As UAC (RFC 3261 §12.1.2); the route set is the Record-Route of the response in reverse.
    pub fn of_uac(request: &Request, response: &Response, flow: Flow, reach: Reach, contact_user: &str) -> Dialog {
        let headers = &response.headers;
        let mut routes = headers.record_routes();
        routes.reverse();
        Dialog {
            call_id: request.headers.call_id().clone(),
            local: request.headers.from().clone(),
            remote: headers.to().clone(),
            local_seq: request.headers.cseq().number,
            remote_seq: None,
            target: headers.contacts().first().map_or(&request.uri, |contact| &contact.uri).clone(),
            routes,
            contact_user: contact_user.to_owned(),
            flow,
            reach,
        }
    }

    /// What a 2xx makes of an INVITE of which nothing else is known; `local_seq` is below the number to come.
    pub fn of_stray(response: &Response, flow: Flow, local_seq: u32) -> Dialog {
        let headers = &response.headers;
        let mut routes = headers.record_routes();
        routes.reverse();
        Dialog {
            call_id: headers.call_id().clone(),
            local: headers.from().clone(),
            remote: headers.to().clone(),
            local_seq,
            remote_seq: None,
            target: headers.contacts().first().map_or(&headers.to().uri, |contact| &contact.uri).clone(),
            routes,
            contact_user: String::new(),
            flow,
            reach: Reach::Flow,
        }
    }

    /// What of it is kept on disk.
    pub fn record(&self) -> SessionRecord {
        SessionRecord {
            call_id: self.call_id.to_string(),
            local: self.local.to_string(),
            remote: self.remote.to_string(),
            local_seq: self.local_seq,
            remote_seq: self.remote_seq,
            target: self.target.to_string(),
            routes: self.routes.iter().map(ToString::to_string).collect(),
            contact_user: self.contact_user.clone(),
            flow: self.flow.to_string(),
            reach: self.reach,
            owns_call_id: false,
            peer_updates: false,
            timer: None,
        }
    }

    /// As it was kept; `None`: it cannot be read.
    pub fn of_record(record: &SessionRecord) -> Option<Dialog> {
        let address = |text: &String| NameAddr::parse(&Text::from(text.as_str())).ok();
        let local = address(&record.local).filter(|local| local.tag().is_some())?;
        Some(Dialog {
            call_id: Text::from(record.call_id.as_str()),
            local,
            remote: address(&record.remote)?,
            local_seq: record.local_seq,
            remote_seq: record.remote_seq,
            target: record.target.parse().ok()?,
            routes: record.routes.iter().map(address).collect::<Option<_>>()?,
            contact_user: record.contact_user.clone(),
            flow: record.flow.parse().ok()?,
            reach: record.reach,
        })
    }

    pub fn id(&self) -> DialogId {
        DialogId {
            call_id: self.call_id.clone(),
            local_tag: Text::from(self.local_tag()),
            remote_tag: Text::from(self.remote.tag().unwrap_or("")),
        }
    }

    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    pub fn local_tag(&self) -> &str {
        self.local.tag().expect("our side of a dialog has a tag")
    }

    /// A response that makes an early dialog certain renews its route set and target (RFC 3261 §13.2.2.4).
    pub fn confirm(&mut self, response: &Response) {
        self.routes = response.headers.record_routes();
        self.routes.reverse();
        self.refresh_target(&response.headers);
    }

    /// A target refresh (RFC 3261 §12.2.1.2, §12.2.2).
    pub fn refresh_target(&mut self, headers: &super::message::Headers) {
        if let Some(contact) = headers.contacts().first() {
            self.target = contact.uri.clone();
        }
    }

    /// Whether a request with this sequence number comes in order (RFC 3261 §12.2.2); then it counts.
    pub fn takes_sequence(&mut self, number: u32) -> bool {
        let in_order = self.remote_seq.is_none_or(|last| number > last);
        if in_order {
            self.remote_seq = Some(number);
        }
        in_order
    }

    /// Whether a request from `source` may belong to this dialog (security.md T18).
    pub fn accepts_from(&self, source: IpAddr) -> bool {
        let same = |ip: IpAddr| ip.to_canonical() == source.to_canonical();
        if same(self.flow.remote.ip()) {
            return true;
        }
        match self.reach {
            Reach::Flow => false,
            Reach::Contact => {
                let uris = self.routes.iter().map(|route| &route.uri).chain([&self.target]);
                uris.filter_map(|uri| uri.host().and_then(Host::ip)).any(same)
            }
        }
    }

    pub fn contact(&self, core: &Core) -> String {
        core.contact(self.flow, &self.contact_user)
    }

    /// The next request of ours.
    pub fn request(&mut self, core: &mut Core, method: Method) -> (Flow, Request) {
        self.local_seq += 1;
        self.build(core, method, self.local_seq)
    }

    /// The ACK of a 2xx to the INVITE of this number.
    pub fn acknowledge(&self, core: &mut Core, number: u32) -> (Flow, Request) {
        self.build(core, Method::ACK, number)
    }

    /// The ACK of a 2xx to `invite` (RFC 3261 §13.2.2.4): its sequence number and its credentials.
    pub fn ack(&self, core: &mut Core, invite: &Request) -> (Flow, Request) {
        let (flow, mut ack) = self.acknowledge(core, invite.headers.cseq().number);
        for name in [HeaderName::Authorization, HeaderName::ProxyAuthorization] {
            for value in invite.headers.get_all(name.clone()) {
                ack.headers.push(name.clone(), value.clone());
            }
        }
        (flow, ack)
    }

    /// The same request again with credentials took the next number.
    pub fn took_sequence(&mut self, number: u32) {
        self.local_seq = self.local_seq.max(number);
    }

    fn build(&self, core: &mut Core, method: Method, number: u32) -> (Flow, Request) {
        let flow = self.next_hop();
        let branch = core.branch();
        let via = core.via(flow, &branch);
        let target = NameAddr::new("", self.target.clone());
        // RFC 3261 §12.2.1.1: a strict router wants itself in the Request-URI and the target at the end of the route.
        let (uri, routes): (&Uri, Vec<&NameAddr>) = match self.routes.split_first() {
            Some((first, rest)) if !first.uri.is_loose_router() => (&first.uri, rest.iter().chain([&target]).collect()),
            Some(_) | None => (&self.target, self.routes.iter().collect()),
        };
        let (from, to) = (self.local.clone(), self.remote.clone());
        let mut request = Request::new(method, uri.clone(), via, from, to, &self.call_id, number);
        for route in routes {
            request.headers.push(HeaderName::Route, route.to_string());
        }
        request.headers.push(HeaderName::UserAgent, core.identity.product.as_str());
        (flow, request)
    }

    fn next_hop(&self) -> Flow {
        let hop = self.routes.first().map_or(&self.target, |route| &route.uri);
        match (self.reach, hop.host().and_then(Host::ip)) {
            (Reach::Contact, Some(ip)) if may_be_sent_to(ip) && ip.is_ipv4() == self.flow.local.is_ipv4() => {
                Flow { remote: SocketAddr::new(ip, hop.port().unwrap_or(5060)), ..self.flow }
            }
            // A name needs a lookup, which a dialog does not wait for; the flow has worked so far.
            (Reach::Contact | Reach::Flow, _) => self.flow,
        }
    }
}

fn may_be_sent_to(ip: IpAddr) -> bool {
    let broadcast = match ip {
        IpAddr::V4(ip) => ip.is_broadcast() || ip.is_link_local(),
        IpAddr::V6(_) => false,
    };
    !(broadcast || ip.is_unspecified() || ip.is_multicast())
}
