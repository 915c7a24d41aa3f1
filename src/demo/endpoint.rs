//! A SIP user agent for the demo's people: calls in and out, registration, digest, media (RFC 3261 §§8–17).
//!
//! Sans-IO, like the switch: bytes and time go in, bytes and events come out. It keeps to the RFC unless it is told to
//! misbehave (`Quirks`), for a switch is proven by peers that do.

use super::codec::{self, Message, Start};
use super::digest::Challenge;
use super::session::{Direction, Session};
use super::transaction::{Client, Repeat, Server};
use super::voice::Voice;
use crate::entropy::Entropy;
use crate::time::Tick;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

mod inbound;
mod outbound;

/// The tone of a far end that rings, as most of the world hears it.
const RINGING_PITCH: u32 = 425;

/// One call of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// Who an endpoint is.
#[derive(Clone, Debug)]
pub struct Config {
    /// User part of From and Contact.
    pub user: String,
    /// Display name of From.
    pub display: Option<String>,
    /// Where it sends from, as it believes itself: behind NAT that is not where it is seen.
    pub local: SocketAddr,
    /// Where its requests go.
    pub server: SocketAddr,
    /// Host of From and To.
    pub domain: String,
    /// Digest user and secret.
    pub credentials: Option<(String, String)>,
    /// Payload types it takes, in order.
    pub codecs: Vec<u8>,
    /// First of its RTP ports.
    pub rtp_port: u16,
    /// How many it has: calls take them in turn.
    pub rtp_ports: u16,
    /// Pitch of its voice in Hz.
    pub pitch: u32,
    /// Pitches its ears know.
    pub pitches: Vec<u32>,
    /// Whether it speaks RTP at all: without, the world tells of sounds and keys as events.
    pub packets: bool,
}

/// How an endpoint breaks the rules, to order.
#[derive(Clone, Debug, Default)]
pub struct Quirks {
    /// How many ACKs to a 2xx it forgets to send.
    pub acks_lost: u32,
    /// A CANCEL comes too late: its INVITE is answered 200 all the same.
    pub answers_cancel_with_200: bool,
    /// Its answer is given by two phones at once (RFC 3261 §13.2.2.4).
    pub forks_answers: bool,
    /// Its INVITEs carry no description: it waits for an offer, and answers in the ACK (RFC 3261 §13.2.1).
    pub invites_without_offer: bool,
    /// And forgets that answer.
    pub forgets_late_answer: bool,
    /// It hears and says nothing.
    pub dead: bool,
    /// Before it rings, its network has something to play: 183, then 180.
    pub plays_before_ringing: bool,
    /// Its calls ring at two phones, each with a tag of its own (RFC 3261 §12.1).
    pub forks_ringing: bool,
    /// A new description inside a call, or a refresh of it, is answered so.
    pub refuses_changes: Option<u16>,
    /// Its INVITEs ask for a session timer, and leave the refreshing to whom this says (RFC 4028).
    pub session_timer: Option<&'static str>,
    /// It answers OPTIONS with this.
    pub options_status: Option<u16>,
    /// Requests other than INVITE, ACK, BYE, CANCEL, OPTIONS are passed up to be answered with `respond`.
    pub passes_requests_up: bool,
}

/// A call as the endpoint sees it.
#[derive(Clone, Debug)]
pub struct Call {
    /// Call-ID.
    pub call_id: String,
    /// Whom or from whom, as a number.
    pub number: String,
    /// Where it stands.
    pub state: CallState,
    /// What we said of our audio.
    pub local: Session,
    /// What the other side said of its.
    pub remote: Option<Session>,
    local_tag: String,
    remote_tag: Option<String>,
    local_uri: String,
    remote_uri: String,
    target: String,
    routes: Vec<String>,
    peer: SocketAddr,
    cseq: u32,
    version: u32,
    challenges: u32,
    extra: Vec<(String, String)>,
    invite_branch: String,
}

/// Where a call stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallState {
    /// Our INVITE is out; `cancelled` when we do not want it any more.
    Dialling {
        /// CANCEL is sent, or waits for a provisional (RFC 3261 §9.1).
        cancelled: bool,
    },
    /// An INVITE waits for our answer.
    Ringing,
    /// Our 200 waits for its ACK.
    Answering,
    /// Both sides have agreed.
    Up,
}

/// What an endpoint tells its person.
#[derive(Clone, Debug)]
pub enum Event {
    /// REGISTER was granted for so many seconds; 0 when it took a binding away.
    Registered(u32),
    /// REGISTER was refused for good; 408 when nobody answered.
    RegisterFailed(u16),
    /// Somebody calls.
    Incoming(CallId, Box<Message>),
    /// A provisional response.
    Progress(CallId, u16),
    /// The other side has taken our call.
    Answered(CallId),
    /// Our 200 was acknowledged.
    Confirmed(CallId),
    /// Our call was not taken.
    Refused(CallId, u16),
    /// The other side's description has changed: hold, resume, move.
    Changed(CallId, Direction),
    /// Our re-INVITE was answered so.
    ChangeAnswered(CallId, u16),
    /// The call is over by the other side: its BYE or CANCEL, or no ACK.
    Ended(CallId, EndedBy),
    /// A request that is ours to answer (`Quirks::passes_requests_up`).
    Asked(Box<Message>, SocketAddr),
}

/// How the other side ended a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// It was up.
    Bye,
    /// It rang.
    Cancel,
    /// Our 200 was never acknowledged.
    NoAck,
}

/// A SIP datagram to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub to: SocketAddr,
    /// What.
    pub bytes: Vec<u8>,
}

/// An RTP datagram to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtpTransmit {
    /// Our port.
    pub port: u16,
    /// Where to.
    pub to: SocketAddr,
    /// What.
    pub bytes: Vec<u8>,
}

/// See the module.
#[derive(Debug)]
pub struct Endpoint {
    /// Who it is.
    pub config: Config,
    /// How it misbehaves.
    pub quirks: Quirks,
    entropy: Entropy,
    clients: Vec<Client>,
    servers: Vec<Server>,
    answers: BTreeMap<CallId, (Repeat, u32)>,
    acks: Vec<(String, SocketAddr, Vec<u8>)>,
    calls: BTreeMap<CallId, Call>,
    voices: BTreeMap<CallId, Voice>,
    tuned: BTreeMap<CallId, u32>,
    next_call: u64,
    register: Registration,
    out: VecDeque<Transmit>,
    rtp_out: VecDeque<RtpTransmit>,
    events: VecDeque<Event>,
}

#[derive(Debug, Default)]
struct Registration {
    call_id: Option<String>,
    cseq: u32,
    expires: u32,
    challenges: u32,
    refresh: Option<Tick>,
    nonce: Option<(Challenge, &'static str, u32)>,
}

impl Endpoint {
    /// An endpoint that knows nobody yet.
    pub fn new(config: Config, entropy: Entropy) -> Endpoint {
        Endpoint {
            config,
            quirks: Quirks::default(),
            entropy,
            clients: Vec::new(),
            servers: Vec::new(),
            answers: BTreeMap::new(),
            acks: Vec::new(),
            calls: BTreeMap::new(),
            voices: BTreeMap::new(),
            tuned: BTreeMap::new(),
            next_call: 0,
            register: Registration::default(),
            out: VecDeque::new(),
            rtp_out: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Loses power and begins anew at `local`: it knows of no call, no transaction and no binding.
    pub fn reboot(&mut self, local: SocketAddr) {
        let quirks = Quirks { dead: false, ..self.quirks.clone() };
        let fresh = Endpoint::new(Config { local, ..self.config.clone() }, self.entropy.fork());
        *self = Endpoint { quirks, next_call: self.next_call, ..fresh };
    }

    /// The next SIP datagram that leaves.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.out.pop_front()
    }

    /// The next RTP datagram that leaves.
    pub fn poll_rtp(&mut self) -> Option<RtpTransmit> {
        self.rtp_out.pop_front()
    }

    /// What happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When `on_timeout` is wanted.
    pub fn poll_timeout(&self) -> Option<Tick> {
        let clients = self.clients.iter().map(|client| client.repeat.poll_timeout());
        let repeats = self.servers.iter().filter_map(|server| server.repeat.as_ref()).map(Repeat::poll_timeout);
        let servers = self.servers.iter().filter_map(|server| server.until);
        let answers = self.answers.values().map(|(repeat, _)| repeat.poll_timeout());
        let voices = self.voices.values().map(Voice::poll_timeout);
        clients.chain(repeats).chain(servers).chain(answers).chain(voices).chain(self.register.refresh).min()
    }

    /// The instant of `poll_timeout` has come.
    pub fn on_timeout(&mut self, now: Tick) {
        self.clients_on_timeout(now);
        self.servers_on_timeout(now);
        if self.register.refresh.is_some_and(|at| at <= now) {
            self.register.refresh = None;
            let expires = self.register.expires;
            self.register(now, expires);
        }
        for (call, voice) in &mut self.voices {
            let mut packets = Vec::new();
            voice.on_timeout(now, &mut packets);
            let port = self.calls.get(call).map_or(0, |call| call.local.rtp.port());
            self.rtp_out.extend(packets.into_iter().map(|(to, bytes)| RtpTransmit { port, to, bytes }));
        }
    }

    /// A SIP datagram has come.
    pub fn receive(&mut self, now: Tick, from: SocketAddr, bytes: &[u8]) {
        if self.quirks.dead {
            return;
        }
        let Some(message) = Message::parse(bytes) else { return };
        match message.start {
            Start::Request { .. } => self.on_request(now, from, message),
            Start::Response { status, .. } => self.on_response(now, from, status, message),
        }
    }

    /// An RTP datagram has come to one of our ports.
    pub fn receive_rtp(&mut self, port: u16, bytes: &[u8]) {
        let owner = self.calls.iter().find(|(_, call)| call.local.rtp.port() == port).map(|(id, _)| *id);
        if let Some(voice) = owner.and_then(|call| self.voices.get_mut(&call)) {
            voice.hear(bytes, &self.config.pitches);
        }
    }

    /// The calls there are.
    pub fn calls(&self) -> impl Iterator<Item = (CallId, &Call)> {
        self.calls.iter().map(|(id, call)| (*id, call))
    }

    /// One of them.
    pub fn call(&self, call: CallId) -> Option<&Call> {
        self.calls.get(&call)
    }

    /// The media of a call: mouth, ear and finger.
    pub fn voice(&mut self, call: CallId) -> Option<&mut Voice> {
        self.voices.get_mut(&call)
    }

    /// In this call the mouth will have a pitch of its own, in place of the endpoint's.
    pub fn tune(&mut self, call: CallId, pitch: u32) {
        self.tuned.insert(call, pitch);
    }

    /// The media of the call at one of our RTP ports.
    pub fn voice_at(&self, port: u16) -> Option<&Voice> {
        let owner = self.calls.iter().find(|(_, call)| call.local.rtp.port() == port).map(|(id, _)| *id);
        owner.and_then(|call| self.voices.get(&call))
    }

    /// Whether nothing is under way: no call, no transaction that still repeats itself.
    pub fn is_quiet(&self) -> bool {
        self.calls.is_empty() && self.clients.is_empty() && self.answers.is_empty()
    }

    /// Whether any final response of ours still waits for its ACK, or a request for its answer.
    pub fn is_waiting(&self) -> bool {
        !self.answers.is_empty() || self.clients.iter().any(|client| client.repeat.again.is_some())
    }

    fn send(&mut self, to: SocketAddr, bytes: Vec<u8>) {
        if !self.quirks.dead {
            self.out.push_back(Transmit { to, bytes });
        }
    }

    fn next_id(&mut self) -> CallId {
        self.next_call += 1;
        CallId(self.next_call)
    }

    fn via(&mut self) -> (String, String) {
        let branch = format!("z9hG4bK{}", &self.entropy.token()[..16]);
        (format!("SIP/2.0/UDP {};rport;branch={branch}", self.config.local), branch)
    }

    fn contact(&self) -> String {
        format!("<sip:{}@{}>", self.config.user, self.config.local)
    }

    fn own_session(&self, call: CallId) -> Session {
        let turn = u16::try_from((call.0 - 1) % u64::from(self.config.rtp_ports)).expect("below a u16");
        let rtp = SocketAddr::new(self.config.local.ip(), self.config.rtp_port + 2 * turn);
        Session { rtp, codecs: self.config.codecs.clone(), dtmf: Some(101), direction: Direction::SendRecv }
    }

    /// Both descriptions are known: the mouth opens, or turns to where it is wanted.
    fn settle(&mut self, now: Tick, id: CallId) {
        if !self.config.packets {
            return;
        }
        let Some(call) = self.calls.get(&id) else { return };
        let Some(remote) = &call.remote else { return };
        let shared = remote.codecs.iter().chain(&call.local.codecs).copied();
        let codec = shared.into_iter().find(|codec| self.config.codecs.contains(codec)).unwrap_or(0);
        let quiet = matches!(call.local.direction, Direction::RecvOnly | Direction::Inactive) || remote.rtp.port() == 0;
        let ssrc = self.entropy.next_u64() as u32;
        let pitch = match self.tuned.get(&id) {
            // Early media is what the network plays, not yet a person.
            Some(_) if call.state == CallState::Ringing => RINGING_PITCH,
            Some(tuned) => *tuned,
            None => self.config.pitch,
        };
        let voice = self.voices.entry(id).or_insert_with(|| Voice::new(now, remote, codec, pitch, ssrc));
        voice.redirect(remote, codec);
        voice.tune(pitch);
        voice.mute(quiet);
    }

    fn forget(&mut self, id: CallId) -> Option<Call> {
        self.voices.remove(&id);
        self.tuned.remove(&id);
        self.answers.remove(&id);
        self.calls.remove(&id)
    }

    fn call_of(&self, message: &Message, local_tag: Option<&str>) -> Option<CallId> {
        let found = self
            .calls
            .iter()
            .find(|(_, call)| call.call_id == message.call_id() && local_tag.is_none_or(|tag| tag == call.local_tag));
        found.map(|(id, _)| *id)
    }

    /// A request inside a call's dialog (RFC 3261 §12.2.1.1).
    fn in_dialog(&mut self, id: CallId, method: &str, cseq: Option<u32>) -> Option<(Message, SocketAddr, String)> {
        let (via, branch) = self.via();
        let contact = self.contact();
        let call = self.calls.get_mut(&id)?;
        let number = cseq.unwrap_or_else(|| {
            call.cseq += 1;
            call.cseq
        });
        let mut request = Message::request(method, &call.target);
        request.push("Via", via);
        request.push("Max-Forwards", "70");
        call.routes.iter().for_each(|route| request.push("Route", route.clone()));
        request.push("From", format!("<{}>;tag={}", call.local_uri, call.local_tag));
        let tag = call.remote_tag.as_ref().map(|tag| format!(";tag={tag}")).unwrap_or_default();
        request.push("To", format!("<{}>{tag}", call.remote_uri));
        request.push("Call-ID", call.call_id.clone());
        request.push("CSeq", format!("{number} {method}"));
        request.push("Contact", contact);
        Some((request, call.peer, branch))
    }
}

/// The number in a URI, as people read it.
pub fn number_of(value: &str) -> String {
    codec::user(codec::address(value)).split(';').next().unwrap_or("").to_owned()
}

/// Seconds as a `Duration`.
pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
