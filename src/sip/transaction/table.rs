//! The table of transactions: finds the machine a message belongs to (RFC 3261 §§17.1.3, 17.2.3), keeps its bytes and
//! its deadline, and does what it wants done. The core above sees each request once and each final response once,
//! but for the 2xx of an INVITE, of which it sees every copy.
//!
//! Server transactions are found by branch, sent-by and method; those of RFC 2543 clients, whose branch lacks the
//! cookie, by Request-URI, From tag, Call-ID, CSeq and the whole topmost Via.

use super::invite_client::{self, InviteClient};
use super::invite_server::{self, InviteServer};
use super::non_invite_client::{self, NonInviteClient};
use super::non_invite_server::{self, NonInviteServer};
use super::timers::Timers;
use super::{Action, Actions, Class};
use crate::id::{Counter, LegRef, TransactionRef};
use crate::limits;
use crate::sip::flow::Flow;
use crate::sip::message::{HeaderName, Method, Request, Response};
use crate::sip::outbox::{Outbox, What};
use crate::sip::text::Text;
use crate::sip::uri::{Host, Uri};
use crate::time::Tick;
use bytes::Bytes;
use std::collections::HashMap;

/// One request of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientRef(pub u64);

/// All transactions. `P` is what the core wants to remember of a request of ours.
#[derive(Debug)]
pub struct Table<P> {
    counter: Counter,
    clients: HashMap<ClientRef, Client<P>>,
    by_branch: HashMap<(Text, Method), ClientRef>,
    servers: HashMap<TransactionRef, Server>,
    by_key: HashMap<ServerKey, TransactionRef>,
    unmerged: HashMap<MergeKey, TransactionRef>,
    timers: Timers<Owner>,
}

/// A request of ours and the machine that carries it.
#[derive(Debug)]
pub struct Client<P> {
    machine: ClientMachine,
    bytes: Bytes,
    ack: Option<Bytes>,
    answered_by: Option<Option<Text>>,
    /// Where it went.
    pub flow: Flow,
    /// All of it.
    pub request: Request,
    /// Whose ladder it belongs to.
    pub leg: Option<LegRef>,
    /// What it is for.
    pub purpose: P,
}

/// A request of a peer and the machine that answers it.
#[derive(Debug)]
pub struct Server {
    machine: ServerMachine,
    last: Option<(u16, Bytes)>,
    key: ServerKey,
    /// Where it came from, and where its answers go.
    pub flow: Flow,
    /// All of it but the body.
    pub request: Request,
    /// Whose ladder it belongs to.
    pub leg: Option<LegRef>,
}

/// What a request from a peer is to the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// Nothing the table knows.
    New,
    /// A copy, or the ACK of a 300–699: it has been dealt with.
    Absorbed,
    /// An ACK that carries the branch of its INVITE though that was answered 2xx: the core's.
    Ack,
    /// The same request by another way (RFC 3261 §8.2.2.2): 482.
    Merged,
}

/// A request of ours that will get no response any more.
#[derive(Debug)]
pub struct Unanswered<P> {
    /// Which.
    pub reference: ClientRef,
    /// What it was; `None` for an INVITE that is kept in case a 2xx still comes: the core owes it an ACK.
    pub client: Option<Client<P>>,
    /// The transport failed, not the far end.
    pub transport: bool,
}

#[derive(Debug)]
enum ClientMachine {
    Invite(InviteClient),
    NonInvite(NonInviteClient),
}

#[derive(Debug)]
enum ServerMachine {
    Invite(InviteServer),
    NonInvite(NonInviteServer),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Owner {
    Client(ClientRef),
    Server(TransactionRef),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum ServerKey {
    Branch { branch: Text, host: Host, port: u16, method: Method },
    Rfc2543 { uri: Box<Uri>, from_tag: Option<Text>, call_id: Text, number: u32, via: Text, method: Method },
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct MergeKey {
    from_tag: Option<Text>,
    call_id: Text,
    number: u32,
    method: Method,
}

/// Branches of RFC 3261 begin with it (§8.1.1.7).
pub const COOKIE: &str = "z9hG4bK";

impl<P> Default for Table<P> {
    fn default() -> Self {
        Table {
            counter: Counter::default(),
            clients: HashMap::new(),
            by_branch: HashMap::new(),
            servers: HashMap::new(),
            by_key: HashMap::new(),
            unmerged: HashMap::new(),
            timers: Timers::default(),
        }
    }
}

impl<P> Table<P> {
    /// Sends a request of ours; its topmost Via carries a branch of its own. Gives `purpose` back when the table is
    /// full.
    pub fn begin(
        &mut self,
        now: Tick,
        flow: Flow,
        request: Request,
        leg: Option<LegRef>,
        purpose: P,
        out: &mut Outbox,
    ) -> Result<ClientRef, P> {
        if self.clients.len() >= limits::CLIENT_TRANSACTIONS {
            return Err(purpose);
        }
        let reference = ClientRef(self.counter.take());
        let mut actions = Actions::default();
        let machine = if request.method == Method::INVITE {
            ClientMachine::Invite(InviteClient::new(now, &mut actions))
        } else {
            ClientMachine::NonInvite(NonInviteClient::new(now, &mut actions))
        };
        let bytes = request.to_bytes();
        debug_assert!(actions.contains(Action::Send), "a client transaction begins with its request");
        out.send(flow, bytes.clone(), leg, What::Request(request.method.as_str()), false);
        self.by_branch.insert(client_key(&request), reference);
        let client = Client { machine, bytes, ack: None, answered_by: None, flow, request, leg, purpose };
        self.timers.set(Owner::Client(reference), client.machine.deadline());
        self.clients.insert(reference, client);
        Ok(reference)
    }

    /// A response. Gives the transaction when the core must hear it; any other is absorbed, or nobody's and dropped
    /// (RFC 6026 §7.2: a 2xx that matches nothing, too).
    pub fn on_response(&mut self, now: Tick, flow: Flow, response: &Response, out: &mut Outbox) -> Option<ClientRef> {
        let headers = &response.headers;
        if headers.vias().len() != 1 {
            return None; // RFC 3261 §8.1.3.3: it was meant for somebody on the way.
        }
        let key = (Text::from(headers.via_top().branch()?), headers.cseq().method.clone());
        let reference = *self.by_branch.get(&key)?;
        let client = self.clients.get_mut(&reference).expect("an indexed transaction is alive");
        let class = Class::of(response.code());
        let by = headers.to().tag().map(Text::from);
        let again = client.answered_by.as_ref().is_some_and(|first| *first == by);
        out.heard(flow, client.leg, What::Response(response.code(), key.1.as_str()), again);
        let mut actions = Actions::default();
        match &mut client.machine {
            ClientMachine::Invite(machine) => machine.on_response(now, class, &mut actions),
            ClientMachine::NonInvite(machine) => machine.on_response(now, class, &mut actions),
        }
        if class != Class::Provisional && client.answered_by.is_none() {
            client.answered_by = Some(by);
        }
        if actions.contains(Action::Acknowledge) {
            client.acknowledge(response, out);
        }
        self.timers.set(Owner::Client(reference), client.machine.deadline());
        actions.contains(Action::PassUp).then_some(reference)
    }

    /// Whether a transaction has this response, to hear it or to absorb it.
    pub fn has(&self, response: &Response) -> bool {
        let (via, cseq) = (response.headers.via_top(), response.headers.cseq());
        via.branch().is_some_and(|branch| self.by_branch.contains_key(&(Text::from(branch), cseq.method.clone())))
    }

    /// Whether this request of ours is on its way already.
    pub fn is_under_way(&self, request: &Request) -> bool {
        self.by_branch.contains_key(&client_key(request))
    }

    /// A CANCEL is on its way for this INVITE.
    pub fn cancel_sent(&mut self, now: Tick, reference: ClientRef) {
        if let Some(client) = self.clients.get_mut(&reference) {
            if let ClientMachine::Invite(machine) = &mut client.machine {
                machine.on_cancel_sent(now);
            }
            self.timers.set(Owner::Client(reference), client.machine.deadline());
        }
    }

    /// A request of ours that is still known.
    pub fn client(&self, reference: ClientRef) -> Option<&Client<P>> {
        self.clients.get(&reference)
    }

    /// The same, to change what it is for.
    pub fn client_mut(&mut self, reference: ClientRef) -> Option<&mut Client<P>> {
        self.clients.get_mut(&reference)
    }

    /// A request of a peer that is still known.
    pub fn server(&self, reference: TransactionRef) -> Option<&Server> {
        self.servers.get(&reference)
    }

    /// Whether `request` belongs to a transaction.
    pub fn knows(&self, request: &Request) -> bool {
        self.by_key.contains_key(&ServerKey::of(request))
    }

    /// The INVITE that this CANCEL is for (RFC 3261 §9.2).
    pub fn cancelled_by(&self, cancel: &Request) -> Option<TransactionRef> {
        self.by_key.get(&ServerKey::with_method(cancel, Method::INVITE)).copied()
    }

    /// A request of a peer, before the core looks at it.
    pub fn on_request(&mut self, now: Tick, flow: Flow, request: &Request, out: &mut Outbox) -> Match {
        let Some(&reference) = self.by_key.get(&ServerKey::of(request)) else {
            let merged = request.method != Method::ACK
                && request.method != Method::CANCEL
                && request.headers.to().tag().is_none()
                && self.unmerged.contains_key(&MergeKey::of(request));
            return if merged { Match::Merged } else { Match::New };
        };
        let server = self.servers.get_mut(&reference).expect("an indexed transaction is alive");
        let mut actions = Actions::default();
        let ack = request.method == Method::ACK;
        match &mut server.machine {
            ServerMachine::Invite(machine) if ack => machine.on_ack(now, &mut actions),
            ServerMachine::Invite(machine) => machine.on_request(&mut actions),
            ServerMachine::NonInvite(machine) => machine.on_request(&mut actions),
        }
        if actions.contains(Action::PassUp) {
            return Match::Ack;
        }
        out.heard(flow, server.leg, What::Request(request.method.as_str()), !ack);
        if actions.contains(Action::Send) {
            server.repeat(out);
        }
        self.timers.set(Owner::Server(reference), server.machine.deadline());
        Match::Absorbed
    }

    /// Opens a transaction for a request that `on_request` called new; `None` when the table is full.
    pub fn open(&mut self, flow: Flow, request: &Request, leg: Option<LegRef>) -> Option<TransactionRef> {
        if self.servers.len() >= limits::SERVER_TRANSACTIONS {
            return None;
        }
        let reference = TransactionRef(self.counter.take());
        let machine = if request.method == Method::INVITE {
            ServerMachine::Invite(InviteServer::new())
        } else {
            ServerMachine::NonInvite(NonInviteServer::new())
        };
        let key = ServerKey::of(request);
        self.by_key.insert(key.clone(), reference);
        self.unmerged.insert(MergeKey::of(request), reference);
        let request = Request { body: Bytes::new(), ..request.clone() };
        self.servers.insert(reference, Server { machine, last: None, key, flow, request, leg });
        Some(reference)
    }

    /// Answers; without effect after a final response (law 7) and when the transaction is over.
    pub fn respond(&mut self, now: Tick, reference: TransactionRef, response: &Response, out: &mut Outbox) {
        let Some(server) = self.servers.get_mut(&reference) else { return };
        let class = Class::of(response.code());
        let mut actions = Actions::default();
        match &mut server.machine {
            ServerMachine::Invite(machine) => machine.on_answer(now, class, &mut actions),
            ServerMachine::NonInvite(machine) => machine.on_answer(now, class, &mut actions),
        }
        if actions.contains(Action::Send) {
            let bytes = response.to_bytes();
            let what = What::Response(response.code(), server.request.method.as_str());
            out.send(server.flow, bytes.clone(), server.leg, what, false);
            server.last = Some((response.code(), bytes));
        }
        self.timers.set(Owner::Server(reference), server.machine.deadline());
    }

    /// Sends the 2xx of an INVITE again, by the core's clock (RFC 3261 §13.3.1.4).
    pub fn repeat(&mut self, now: Tick, reference: TransactionRef, out: &mut Outbox) {
        let Some(server) = self.servers.get_mut(&reference) else { return };
        if let ServerMachine::Invite(machine) = &mut server.machine {
            let mut actions = Actions::default();
            machine.on_answer(now, Class::Success, &mut actions);
            if actions.contains(Action::Send) {
                server.repeat(out);
            }
        }
    }

    /// When `on_timeout` is wanted.
    pub fn next_deadline(&self) -> Option<Tick> {
        self.timers.next()
    }

    /// Does what is due; gives the next request of ours that timed out, `None` when nothing is due any more.
    pub fn on_timeout(&mut self, now: Tick, out: &mut Outbox) -> Option<Unanswered<P>> {
        while let Some(owner) = self.timers.take_due(now) {
            match owner {
                Owner::Client(reference) => {
                    if let Some(unanswered) = self.client_timeout(now, reference, out) {
                        return Some(unanswered);
                    }
                }
                Owner::Server(reference) => self.server_timeout(now, reference, out),
            }
        }
        None
    }

    /// The flow is dead: what waits for an answer on it fails (RFC 3261 §17.1.4), in the order it was sent.
    pub fn on_flow_lost(&mut self, flow: Flow) -> Vec<Unanswered<P>> {
        let mut lost: Vec<ClientRef> =
            self.clients.iter().filter(|(_, client)| client.flow == flow).map(|(&reference, _)| reference).collect();
        lost.sort_unstable();
        lost.retain(|reference| {
            let client = self.clients.get_mut(reference).expect("just found");
            let mut actions = Actions::default();
            match &mut client.machine {
                ClientMachine::Invite(machine) => machine.on_transport_error(&mut actions),
                ClientMachine::NonInvite(machine) => machine.on_transport_error(&mut actions),
            }
            actions.contains(Action::TransportFailed)
        });
        lost.into_iter()
            .map(|reference| {
                self.timers.set(Owner::Client(reference), None);
                Unanswered { reference, client: Some(self.remove_client(reference)), transport: true }
            })
            .collect()
    }

    /// What the requests of ours that are alive are for.
    pub fn purposes(&self) -> impl Iterator<Item = &P> {
        self.clients.values().map(|client| &client.purpose)
    }

    /// Client and server transactions alive.
    pub fn len(&self) -> (usize, usize) {
        (self.clients.len(), self.servers.len())
    }

    /// Whether none is alive.
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty() && self.servers.is_empty()
    }

    fn client_timeout(&mut self, now: Tick, reference: ClientRef, out: &mut Outbox) -> Option<Unanswered<P>> {
        let client = self.clients.get_mut(&reference).expect("a timer's owner is alive");
        let mut actions = Actions::default();
        match &mut client.machine {
            ClientMachine::Invite(machine) => machine.on_timeout(now, &mut actions),
            ClientMachine::NonInvite(machine) => machine.on_timeout(now, &mut actions),
        }
        if actions.contains(Action::Send) {
            let what = What::Request(client.request.method.as_str());
            out.send(client.flow, client.bytes.clone(), client.leg, what, true);
        }
        if !client.machine.is_terminated() {
            self.timers.set(Owner::Client(reference), client.machine.deadline());
            return None;
        }
        let timed_out = actions.contains(Action::TimedOut);
        if timed_out && let ClientMachine::Invite(machine) = &mut client.machine {
            *machine = InviteClient::given_up(now);
            self.timers.set(Owner::Client(reference), machine.deadline());
            return Some(Unanswered { reference, client: None, transport: false });
        }
        let client = Some(self.remove_client(reference));
        timed_out.then_some(Unanswered { reference, client, transport: false })
    }

    fn server_timeout(&mut self, now: Tick, reference: TransactionRef, out: &mut Outbox) {
        let server = self.servers.get_mut(&reference).expect("a timer's owner is alive");
        let mut actions = Actions::default();
        match &mut server.machine {
            ServerMachine::Invite(machine) => machine.on_timeout(now, &mut actions),
            ServerMachine::NonInvite(machine) => machine.on_timeout(now),
        }
        if actions.contains(Action::Send) {
            server.repeat(out);
        }
        if !server.machine.is_terminated() {
            self.timers.set(Owner::Server(reference), server.machine.deadline());
            return;
        }
        let server = self.servers.remove(&reference).expect("looked up above");
        self.by_key.remove(&server.key);
        let merge = MergeKey::of(&server.request);
        if self.unmerged.get(&merge) == Some(&reference) {
            self.unmerged.remove(&merge);
        }
    }

    fn remove_client(&mut self, reference: ClientRef) -> Client<P> {
        let client = self.clients.remove(&reference).expect("the caller looked it up");
        self.by_branch.remove(&client_key(&client.request));
        client
    }
}

impl<P> Client<P> {
    /// RFC 3261 §17.1.1.3: Request-URI, Via, From, Call-ID and Route of the INVITE, To of the response.
    fn acknowledge(&mut self, response: &Response, out: &mut Outbox) {
        let again = self.ack.is_some();
        let bytes = self.ack.get_or_insert_with(|| follow_up(&self.request, Method::ACK, Some(response)).to_bytes());
        out.send(self.flow, bytes.clone(), self.leg, What::Request("ACK"), again);
    }
}

/// The ACK of a 300–699, or the CANCEL (RFC 3261 §9.1), of an INVITE: the same transaction in other words.
pub fn follow_up(invite: &Request, method: Method, response: Option<&Response>) -> Request {
    let headers = &invite.headers;
    let to = response.map_or(headers.to(), |response| response.headers.to()).clone();
    let via = headers.via_top().clone();
    let number = headers.cseq().number;
    let mut request =
        Request::new(method, invite.uri.clone(), via, headers.from().clone(), to, headers.call_id(), number);
    for route in headers.get_all(HeaderName::Route) {
        request.headers.push(HeaderName::Route, route.clone());
    }
    request
}

impl Server {
    fn repeat(&self, out: &mut Outbox) {
        if let Some((status, bytes)) = &self.last {
            let what = What::Response(*status, self.request.method.as_str());
            out.send(self.flow, bytes.clone(), self.leg, what, true);
        }
    }

    /// Whether no final response has been sent.
    pub fn is_pending(&self) -> bool {
        match &self.machine {
            ServerMachine::Invite(machine) => *machine.state() == invite_server::State::Proceeding,
            ServerMachine::NonInvite(machine) => match machine.state() {
                non_invite_server::State::Trying | non_invite_server::State::Proceeding => true,
                non_invite_server::State::Completed { .. } | non_invite_server::State::Terminated => false,
            },
        }
    }
}

impl ClientMachine {
    fn deadline(&self) -> Option<Tick> {
        match self {
            ClientMachine::Invite(machine) => machine.deadline(),
            ClientMachine::NonInvite(machine) => machine.deadline(),
        }
    }

    fn is_terminated(&self) -> bool {
        match self {
            ClientMachine::Invite(machine) => *machine.state() == invite_client::State::Terminated,
            ClientMachine::NonInvite(machine) => *machine.state() == non_invite_client::State::Terminated,
        }
    }
}

impl ServerMachine {
    fn deadline(&self) -> Option<Tick> {
        match self {
            ServerMachine::Invite(machine) => machine.deadline(),
            ServerMachine::NonInvite(machine) => machine.deadline(),
        }
    }

    fn is_terminated(&self) -> bool {
        match self {
            ServerMachine::Invite(machine) => *machine.state() == invite_server::State::Terminated,
            ServerMachine::NonInvite(machine) => *machine.state() == non_invite_server::State::Terminated,
        }
    }
}

impl ServerKey {
    fn of(request: &Request) -> ServerKey {
        // RFC 3261 §17.2.3: the ACK of a 300–699 belongs to its INVITE.
        let method = if request.method == Method::ACK { Method::INVITE } else { request.method.clone() };
        ServerKey::with_method(request, method)
    }

    fn with_method(request: &Request, method: Method) -> ServerKey {
        let headers = &request.headers;
        let via = headers.via_top();
        match via.branch() {
            // A bare cookie (RFC 4475 §3.2.1) tells no two requests apart.
            Some(branch) if branch.len() > COOKIE.len() && branch.starts_with(COOKIE) => ServerKey::Branch {
                branch: Text::from(branch),
                host: via.host.clone(),
                port: via.port.unwrap_or(5060),
                method,
            },
            Some(_) | None => {
                let mut via = via.clone();
                via.params.remove("received"); // Ours, not the sender's.
                via.params.remove("rport");
                ServerKey::Rfc2543 {
                    uri: Box::new(request.uri.clone()),
                    from_tag: headers.from().tag().map(Text::from),
                    call_id: headers.call_id().clone(),
                    number: headers.cseq().number,
                    via: Text::from(via.to_string()),
                    method,
                }
            }
        }
    }
}

impl MergeKey {
    fn of(request: &Request) -> MergeKey {
        let headers = &request.headers;
        MergeKey {
            from_tag: headers.from().tag().map(Text::from),
            call_id: headers.call_id().clone(),
            number: headers.cseq().number,
            method: request.method.clone(),
        }
    }
}

fn client_key(request: &Request) -> (Text, Method) {
    let branch = request.headers.via_top().branch().expect("every request of ours has a branch");
    (Text::from(branch), request.method.clone())
}
