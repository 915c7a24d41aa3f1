//! The corpora against the whole user agent, with the least switch behind it that could be: OPTIONS get 200, REGISTER
//! 401, calls 404. What the user agent refuses by itself (RFC 3261 §8.2) must be what the indices allow.

use crate::corpus::{Case, attacks, rfc4475, rfc5118};
use ringback::entropy::{Entropy, Secret};
use ringback::sip::flow::{Flow, Received, Transport};
use ringback::sip::message::Method;
use ringback::sip::user_agent::{Event, Identity, UserAgent};
use ringback::time::Tick;
use std::net::SocketAddr;
use std::time::Duration;

/// Feeds one datagram and returns every status that leaves, in order, and the octets of all answers.
fn answers(octets: &[u8]) -> (Vec<u16>, usize) {
    let identity = Identity {
        public_address: None,
        product: "ringback".into(),
        session_expires: Duration::from_secs(1800),
        secret: Secret::default(),
    };
    let mut agent = UserAgent::new(identity, Entropy::from_seed(4475));
    let now = Tick::from_millis(1);
    let flow = Flow {
        transport: Transport::Udp,
        local: SocketAddr::from(([192, 0, 2, 2], 5060)),
        remote: SocketAddr::from(([192, 0, 2, 9], 5060)),
    };
    agent.receive(now, Received::read(flow, octets.to_vec().into()));
    while let Some(event) = agent.poll_event() {
        match event {
            Event::Invited { leg, .. } => agent.refuse(now, leg, 404, Vec::new()),
            Event::Asked { transaction, request, .. } => {
                let status = if request.method == Method::REGISTER { 401 } else { 200 };
                agent.respond(now, transaction, status, Vec::new());
            }
            _ => {} // Traces.
        }
    }
    let (mut statuses, mut octets) = (Vec::new(), 0);
    while let Some((to, bytes)) = agent.poll_transmit() {
        assert_eq!(to, flow, "an answer goes to where the request came from, whatever its Via says");
        octets += bytes.len();
        let line = std::str::from_utf8(&bytes[..11]).expect("a status line is ASCII");
        statuses.push(line.strip_prefix("SIP/2.0 ").expect("only answers leave").parse().expect("a status"));
    }
    (statuses, octets)
}

fn verdict(case: &Case) {
    let (statuses, _) = answers(&case.octets);
    let finals: Vec<u16> = statuses.into_iter().filter(|status| *status >= 200).collect();
    assert!(finals.len() <= 1, "{}: {finals:?}", case.name);
    assert!(case.allows(finals.first().copied()), "{}: {finals:?}, but {}", case.name, case.expected);
}

#[test]
fn every_rfc_4475_message_gets_an_answer_its_index_allows() {
    rfc4475().iter().for_each(verdict);
}

#[test]
fn every_rfc_5118_message_gets_an_answer_its_index_allows() {
    rfc5118().iter().for_each(verdict);
}

#[test]
fn refusals_say_what_would_have_been_right() {
    let line = |name: &str| {
        let case = rfc4475().into_iter().find(|case| case.name == name).expect("in the index");
        answers(&case.octets).0
    };
    assert_eq!(line("intmeth"), [501]);
    assert_eq!(line("bext01"), [420]);
    assert_eq!(line("invut"), [415]);
    assert_eq!(line("sdp01"), [406]);
    assert_eq!(line("unkscm"), [416]);
    assert_eq!(line("unksm2"), [400]);
    assert_eq!(line("wsinv"), [481]);
    assert_eq!(line("inv2543"), [100, 404]);
    assert_eq!(line("mpart01"), [405]);
}

#[test]
fn no_attack_gets_more_than_one_final_answer_or_makes_us_an_amplifier() {
    for case in attacks() {
        let (statuses, octets) = answers(&case.octets);
        assert!(statuses.iter().filter(|status| **status >= 200).count() <= 1, "{}: {statuses:?}", case.name);
        if !statuses.contains(&100) {
            assert!(octets <= case.octets.len().max(640), "{}: {octets} for {}", case.name, case.octets.len());
        }
    }
}
