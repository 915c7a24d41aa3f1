//! Hostile input at the real sockets: after each message the switch is alive and answers the next OPTIONS.

use crate::free_port;
use crate::switch::{Site, Switch};
use std::net::UdpSocket;
use std::path::Path;
use std::time::{Duration, Instant};

#[test]
fn every_attack_message_leaves_the_switch_alive_and_answers_are_small() {
    let site = Site { carrier_port: free_port(), agents: &[("anna", "1001")], profile: "", queue: "" };
    let switch = Switch::start("hostile", &site);
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(("127.0.0.1", switch.sip_port)).expect("loopback");
    socket.set_read_timeout(Some(Duration::from_millis(300))).expect("a timeout");
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut sent = 0;

    for folder in ["attacks", "rfc4475"] {
        let mut files: Vec<_> = std::fs::read_dir(corpus.join(folder))
            .expect("the corpus")
            .map(|file| file.expect("a file").path())
            .collect();
        files.sort();
        for file in files.iter().filter(|file| file.extension().is_some_and(|kind| kind == "sip" || kind == "dat")) {
            let message = filled(&std::fs::read(file).expect("a message"), &switch, &socket);
            if message.len() > 65_000 || socket.send(&message).is_err() {
                continue;
            }
            sent += 1;
            let begun = Instant::now();
            let answers = answers_until_alive(&socket, sent);
            assert!(begun.elapsed() < Duration::from_secs(2), "{}: the switch was busy", file.display());
            let most = message.len().max(640);
            for answer in answers {
                assert!(answer.len() <= most, "{}: {} octets answer {}", file.display(), answer.len(), message.len());
                let status = String::from_utf8_lossy(&answer[..answer.len().min(11)]).into_owned();
                let is_known = ["501", "503", "505", "513"].iter().any(|known| status.ends_with(known));
                assert!(is_known || !status.starts_with("SIP/2.0 5"), "{}: {status}", file.display());
            }
        }
    }
    assert!(sent > 100, "the corpus was sent: {sent}");
    assert!(switch.api.items("/callbacks").is_empty() && switch.api.items("/calls").is_empty(), "nothing came of it");
    // What the log says of a panic wherever it happened, and of one in the parser.
    for fault in ["a fault of ours", "the parser gave up", "by a fault of its own"] {
        assert!(!switch.log().contains(fault), "{}", switch.log());
    }
    let (status, metrics) = switch.api.request("GET", "/metrics", "").expect("the API answers");
    let metrics = String::from_utf8(metrics).expect("text");
    assert_eq!(status, 200);
    assert!(metrics.lines().any(|line| line == "ringback_parser_panics_total 0"), "{metrics}");
}

/// The placeholders of the corpus, filled in as its README says.
fn filled(message: &[u8], switch: &Switch, socket: &UdpSocket) -> Vec<u8> {
    let own = socket.local_addr().expect("bound");
    let host = format!("127.0.0.1:{}", switch.sip_port);
    let mut message = message.to_vec();
    for (from, to) in [
        ("@@USER@@", "1001"),
        ("@@OTHER@@", "1002"),
        ("@@HOST@@", host.as_str()),
        ("@@HOSTIP@@", "127.0.0.1"),
        ("@@VICTIM@@", "127.0.0.9"),
        ("@@ME@@", "127.0.0.1"),
        ("@@MEPORT@@", &own.port().to_string()),
        ("@@REALM@@", "ringback"),
        ("@@NONCE@@", "0123456789abcdef"),
        ("@@TOK@@", "f00d"),
    ] {
        message = replace(&message, from.as_bytes(), to.as_bytes());
    }
    let body = message.windows(4).position(|four| four == b"\r\n\r\n").map_or(0, |end| message.len() - end - 4);
    replace(&message, b"@@CL@@", body.to_string().as_bytes())
}

fn replace(message: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len());
    let mut rest = message;
    while let Some(at) = rest.windows(from.len()).position(|window| window == from) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    out.extend_from_slice(rest);
    out
}

/// Sends OPTIONS and collects what else comes until it is answered.
fn answers_until_alive(socket: &UdpSocket, n: usize) -> Vec<Vec<u8>> {
    let port = socket.local_addr().expect("bound").port();
    let call_id = format!("alive-{n}");
    let options = format!(
        "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};rport;branch=z9hG4bKalive{n}\r\n\
         From: <sip:test@127.0.0.1>;tag=t{n}\r\nTo: <sip:127.0.0.1>\r\nCall-ID: {call_id}\r\nCSeq: 1 OPTIONS\r\n\
         Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    );
    let mut answers = Vec::new();
    for _ in 0..5 {
        socket.send(options.as_bytes()).expect("loopback");
        let mut buffer = vec![0; 65_536];
        while let Ok(length) = socket.recv(&mut buffer) {
            let answer = buffer[..length].to_vec();
            if String::from_utf8_lossy(&answer).contains(&call_id) {
                return answers;
            }
            answers.push(answer);
        }
    }
    panic!("no answer to OPTIONS after message {n}");
}
