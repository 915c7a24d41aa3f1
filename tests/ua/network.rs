//! The network of the scenarios: one heap of (instant, message), a rule that loses messages, and the log.

use bytes::Bytes;
use ringback::entropy::{Entropy, Secret};
use ringback::id::{LegRef, TransactionRef};
use ringback::settings::Credentials;
use ringback::sip::flow::{Flow, Received, Transport};
use ringback::sip::message::Request;
use ringback::sip::user_agent::{Event, Identity, Invite, OutgoingRequest, Reach, UserAgent};
use ringback::time::Tick;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

pub const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\n";
pub const ANSWER: &str = "v=0\r\no=- 2 1 IN IP4 192.0.2.2\r\ns=-\r\n";

/// A user agent, its address, and what the switch would have heard (without traces).
pub struct Side {
    pub name: &'static str,
    pub address: SocketAddr,
    pub agent: UserAgent,
    pub events: Vec<Event>,
    pub traces: Vec<String>,
}

/// Whether the nth message of that name is lost: `(sender, first line's name, how often it was sent)`.
type Loss = Box<dyn FnMut(&str, &str, usize) -> bool>;

pub struct World {
    pub now: Tick,
    pub sides: Vec<Side>,
    pub log: Vec<String>,
    /// What arrived at addresses where no user agent is.
    pub mail: Vec<(SocketAddr, String)>,
    pub sent: Vec<(SocketAddr, SocketAddr, String)>,
    flying: BTreeMap<(Tick, u64), (SocketAddr, SocketAddr, Bytes)>,
    counter: u64,
    pub delay: Duration,
    loss: Loss,
    counts: BTreeMap<(String, String), usize>,
    /// Sources are rewritten: from the inner to the outer address.
    pub nat: BTreeMap<SocketAddr, SocketAddr>,
}

pub fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 5060))
}

impl World {
    /// `alice` at 192.0.2.1 and `bob` at 192.0.2.2; whatever lives elsewhere is scripted.
    pub fn new() -> World {
        World {
            now: Tick::from_millis(1_000),
            sides: vec![side("alice", 1, 11), side("bob", 2, 22)],
            log: Vec::new(),
            mail: Vec::new(),
            sent: Vec::new(),
            flying: BTreeMap::new(),
            counter: 0,
            delay: Duration::from_millis(10),
            loss: Box::new(|_, _, _| false),
            counts: BTreeMap::new(),
            nat: BTreeMap::new(),
        }
    }

    pub fn lose(&mut self, loss: impl FnMut(&str, &str, usize) -> bool + 'static) {
        self.loss = Box::new(loss);
    }

    pub fn alice(&mut self) -> &mut UserAgent {
        &mut self.sides[0].agent
    }

    pub fn bob(&mut self) -> &mut UserAgent {
        &mut self.sides[1].agent
    }

    /// Alice invites Bob.
    pub fn invite(&mut self) -> LegRef {
        let invite = self.invite_to(&[address(2)]);
        self.send_invite(invite)
    }

    pub fn invite_to(&mut self, to: &[SocketAddr]) -> Invite {
        let flows: Vec<Flow> = to.iter().map(|&remote| flow(address(1), remote)).collect();
        let identity = self.alice().new_identity(flows[0]);
        Invite {
            uri: format!("sip:bob@{}", to[0]),
            to: None,
            flows,
            from: ("Alice".into(), "sip:alice@example.com".into()),
            contact_user: "alice".into(),
            fields: Vec::new(),
            offer: Bytes::from(OFFER),
            credentials: None,
            reach: Reach::Flow,
            identity,
        }
    }

    pub fn send_invite(&mut self, invite: Invite) -> LegRef {
        let now = self.now;
        let leg = self.alice().invite(now, invite);
        self.collect();
        leg
    }

    /// Does something with a side at this instant and sends what comes of it.
    pub fn with<T>(&mut self, side: usize, act: impl FnOnce(&mut UserAgent, Tick) -> T) -> T {
        let now = self.now;
        let result = act(&mut self.sides[side].agent, now);
        self.collect();
        result
    }

    /// A call that stands: `(alice's leg, bob's leg)`, with the log emptied.
    pub fn established(&mut self) -> (LegRef, LegRef) {
        let a = self.invite();
        self.run(50);
        let b = self.invited(1);
        self.with(1, |bob, now| bob.answer(now, b, Bytes::from(ANSWER)));
        self.run(50);
        self.log.clear();
        self.sides.iter_mut().for_each(|side| side.events.clear());
        (a, b)
    }

    /// The leg of the last `Invited` of a side.
    pub fn invited(&self, side: usize) -> LegRef {
        let legs = self.sides[side].events.iter().rev().filter_map(|event| match event {
            Event::Invited { leg, .. } => Some(*leg),
            _ => None,
        });
        legs.into_iter().next().expect("somebody was invited")
    }

    /// The transaction of the last `Asked` of a side.
    pub fn asked(&self, side: usize) -> (TransactionRef, Request) {
        let asked = self.sides[side].events.iter().rev().filter_map(|event| match event {
            Event::Asked { transaction, request, .. } => Some((*transaction, (**request).clone())),
            _ => None,
        });
        asked.into_iter().next().expect("somebody was asked")
    }

    /// A message from an address where no user agent is.
    pub fn inject(&mut self, from: SocketAddr, to: SocketAddr, text: &str) {
        self.post(from, to, Bytes::from(text.to_owned()));
    }

    /// Lets `millis` pass.
    pub fn run(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        loop {
            let arrival = self.flying.keys().next().map(|&(at, _)| at);
            let timer = self.sides.iter().filter_map(|side| side.agent.poll_timeout()).min();
            let next = [arrival, timer].into_iter().flatten().min().filter(|&at| at <= end);
            let Some(next) = next else { break };
            self.now = self.now.max(next);
            if arrival == Some(next) {
                let ((_, _), (from, to, bytes)) = self.flying.pop_first().expect("peeked");
                self.deliver(from, to, &bytes);
            } else {
                let now = self.now;
                self.sides.iter_mut().for_each(|side| side.agent.on_timeout(now));
            }
            self.collect();
        }
        self.now = end;
    }

    /// Lets all timers run out and sees that nothing is left (law 7).
    pub fn settle(&mut self) {
        self.run(200_000);
        for side in &self.sides {
            assert!(side.agent.at_rest(), "{} holds {:?}", side.name, side.agent.counts());
        }
    }

    fn deliver(&mut self, from: SocketAddr, to: SocketAddr, bytes: &Bytes) {
        let inner = self.nat.iter().find(|(_, outer)| **outer == to).map_or(to, |(inner, _)| *inner);
        let Some(side) = self.sides.iter_mut().find(|side| side.address == inner) else {
            self.mail.push((to, String::from_utf8_lossy(bytes).into_owned()));
            return;
        };
        let received = Received::read(flow(inner, from), bytes.clone());
        side.agent.receive(self.now, received);
    }

    fn collect(&mut self) {
        for index in 0..self.sides.len() {
            while let Some((flow, bytes)) = self.sides[index].agent.poll_transmit() {
                let from = self.nat.get(&flow.local).copied().unwrap_or(flow.local);
                self.post(from, flow.remote, bytes);
            }
            while let Some(event) = self.sides[index].agent.poll_event() {
                match event {
                    Event::Trace { outgoing, what, .. } => {
                        self.sides[index].traces.push(format!("{} {what}", if outgoing { "->" } else { "<-" }));
                    }
                    event => self.sides[index].events.push(event),
                }
            }
        }
    }

    fn post(&mut self, from: SocketAddr, to: SocketAddr, bytes: Bytes) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let sender = self.name_of(from);
        let what = summary(&text);
        let count = self.counts.entry((sender.clone(), what.clone())).or_default();
        *count += 1;
        let lost = (self.loss)(&sender, &what, *count);
        self.log.push(format!("{sender} {what}{}", if lost { " (lost)" } else { "" }));
        self.sent.push((from, to, text));
        if !lost {
            self.counter += 1;
            self.flying.insert((self.now + self.delay, self.counter), (from, to, bytes));
        }
    }

    fn name_of(&self, at: SocketAddr) -> String {
        let inner = self.nat.iter().find(|(_, outer)| **outer == at).map_or(at, |(inner, _)| *inner);
        let known = self.sides.iter().find(|side| side.address == inner);
        known.map_or_else(|| at.ip().to_string(), |side| side.name.to_owned())
    }

    /// The log since it was last taken.
    pub fn ladder(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }

    /// The last message with this summary.
    pub fn last(&self, what: &str) -> &str {
        let found = self.sent.iter().rev().find(|(_, _, text)| summary(text) == what);
        &found.unwrap_or_else(|| panic!("no {what} was sent")).2
    }
}

fn side(name: &'static str, last: u8, seed: u64) -> Side {
    let identity = Identity {
        public_address: None,
        product: "ringback".into(),
        session_expires: Duration::from_secs(1800),
        secret: Secret::default(),
    };
    let agent = UserAgent::new(identity, Entropy::from_seed(seed));
    Side { name, address: address(last), agent, events: Vec::new(), traces: Vec::new() }
}

pub fn flow(local: SocketAddr, remote: SocketAddr) -> Flow {
    Flow { transport: Transport::Udp, local, remote }
}

pub fn credentials() -> Option<Credentials> {
    Some(Credentials { username: "alice".into(), password: "secret".into(), realm: Some("trunk".into()) })
}

pub fn options(to: SocketAddr) -> OutgoingRequest {
    OutgoingRequest {
        method: rsip::Method::Options,
        flows: vec![flow(address(1), to)],
        uri: format!("sip:{to}"),
        to: format!("sip:{to}"),
        from: (String::new(), "sip:alice@example.com".into()),
        contact_user: None,
        fields: Vec::new(),
        credentials: None,
        sequence: None,
    }
}

/// `INVITE`, or `200 INVITE` with the method of CSeq.
fn summary(text: &str) -> String {
    let first = text.lines().next().unwrap_or("");
    match first.strip_prefix("SIP/2.0 ") {
        Some(rest) => format!("{} {}", &rest[..3], field(text, "CSeq").split(' ').nth(1).unwrap_or("")),
        None => first.split(' ').next().unwrap_or("").to_owned(),
    }
}

/// The value of the first field of that name.
pub fn field<'a>(text: &'a str, name: &str) -> &'a str {
    let lines = text.lines().take_while(|line| !line.is_empty());
    let mut values = lines.filter_map(|line| line.split_once(':')).filter(|(it, _)| it.eq_ignore_ascii_case(name));
    values.next().map_or("", |(_, value)| value.trim())
}

/// A response of a scripted peer: Via, From, Call-ID and CSeq of the request, To with this tag.
pub fn reply(request: &str, status: &str, tag: &str, more: &str, body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    let to = field(request, "To");
    let to = if to.contains(";tag=") || tag.is_empty() { to.to_owned() } else { format!("{to};tag={tag}") };
    format!(
        "SIP/2.0 {status}\r\nVia: {}\r\nFrom: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {}\r\n{more}{kind}\
         Content-Length: {}\r\n\r\n{body}",
        field(request, "Via"),
        field(request, "From"),
        field(request, "Call-ID"),
        field(request, "CSeq"),
        body.len()
    )
}

/// An event without what tests do not compare.
pub fn brief(events: &[Event]) -> Vec<String> {
    let text = |body: &Option<Bytes>| body.as_ref().map_or("-", |it| if it == OFFER { "offer" } else { "answer" });
    let lines = events.iter().map(|event| match event {
        Event::Invited { .. } => "Invited".to_owned(),
        Event::Asked { request, .. } => format!("Asked {}", request.method),
        Event::Progress { status, body, .. } => format!("Progress {status} {}", text(body)),
        Event::Answered { body, .. } => format!("Answered {}", if body.is_empty() { "-" } else { "answer" }),
        Event::Refused { status, local, .. } => format!("Refused {status}{}", if *local { " local" } else { "" }),
        Event::Confirmed { body, .. } => format!("Confirmed {}", text(body)),
        Event::Offered { body, .. } => format!("Offered {}", text(body)),
        Event::OfferRefused { status, .. } => format!("OfferRefused {status}"),
        Event::InfoDigit { digit, .. } => format!("InfoDigit {digit}"),
        Event::Ended { by, .. } => format!("Ended {by:?}"),
        Event::Response { response, .. } => {
            format!("Response {}", response.as_ref().map_or("none".to_owned(), |it| it.code().to_string()))
        }
        Event::Trace { what, .. } => format!("Trace {what}"),
    });
    lines.collect()
}

impl World {
    pub fn events(&mut self, side: usize) -> Vec<String> {
        brief(&std::mem::take(&mut self.sides[side].events))
    }
}

pub fn is_asked(event: &Event) -> bool {
    matches!(event, Event::Asked { .. })
}

pub fn is_asked_as(event: &Event, wanted: TransactionRef) -> bool {
    matches!(event, Event::Asked { transaction, .. } if *transaction == wanted)
}
