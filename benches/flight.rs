//! The flight recorder: what one input costs the switch's thread beside being handled, and what a chunk costs the
//! recorder's own.

#![allow(missing_docs)] // Of what `criterion_group!` makes.

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ringback::entropy::Entropy;
use ringback::flight::record::Recorder;
use ringback::flight::reel::Section;
use ringback::id::{CommitRef, LegRef, PlayRef, Shard};
use ringback::media;
use ringback::settings::Settings;
use ringback::sip::flow::{Flow, Received, Transport};
use ringback::switch::{Input, Output, Restored, Revision, Switch};
use ringback::time::{Now, Tick};
use std::hint::black_box;
use std::net::SocketAddr;

const INVITE: &str = "INVITE sip:+12025550100@198.51.100.1 SIP/2.0\r\n\
    Via: SIP/2.0/UDP 203.0.113.5:5060;branch=z9hG4bK2d4790.1;rport\r\n\
    Max-Forwards: 69\r\n\
    From: \"Alice\" <sip:+12025550123@203.0.113.5>;tag=9fxced76sl\r\n\
    To: <sip:+12025550100@198.51.100.1>\r\n\
    Call-ID: 3848276298220188511@203.0.113.5\r\n\
    CSeq: 1 INVITE\r\n\
    Contact: <sip:203.0.113.5:5060>\r\n\
    Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO\r\n\
    P-Asserted-Identity: <sip:+12025550123@203.0.113.5>\r\n\
    Content-Type: application/sdp\r\n\
    Content-Length: 189\r\n\r\n\
    v=0\r\no=- 3928402 3928402 IN IP4 203.0.113.5\r\ns=-\r\nc=IN IP4 203.0.113.5\r\nt=0 0\r\n\
    m=audio 40000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\n";

fn now() -> Now {
    Now { tick: Tick::from_millis(1_000), utc: "2026-11-02T17:00:00Z".parse().expect("an instant") }
}

fn inputs() -> Vec<(&'static str, Input)> {
    let at = |address: [u8; 4]| SocketAddr::from((address, 5060));
    let flow = Flow { transport: Transport::Udp, local: at([198, 51, 100, 1]), remote: at([203, 0, 113, 5]) };
    let played = media::Event::Played { leg: LegRef(7), play: PlayRef(9), whole: true };
    vec![
        ("an INVITE", Input::Sip(Box::new(Received::read(flow, Bytes::from_static(INVITE.as_bytes()))))),
        ("an answer of the disk", Input::Committed(CommitRef(5), Ok(Revision(6)))),
        ("an event of the media", Input::Media(Shard(0), played)),
        ("a deadline", Input::Timeout),
    ]
}

fn flight(criterion: &mut Criterion) {
    let switch = Switch::new(now(), Settings::empty(chrono_tz::UTC), Restored::default(), Entropy::from_seed(1));
    let output = Output::Commit(CommitRef(5), Vec::new());
    let mut chunk = Vec::new();
    for (what, input) in inputs() {
        let mut recorder = Recorder::default();
        criterion.bench_function(&format!("flight/{what} and what is asked for"), |b| {
            b.iter(|| {
                // A chunk that is full is given away.
                if let Some(full) = recorder.input(now(), black_box(&input), &switch) {
                    chunk = full;
                }
                recorder.output(black_box(&output));
            });
        });
    }
    let mut packing = criterion.benchmark_group("flight/the recorder packs");
    packing.throughput(Throughput::Bytes(chunk.len() as u64));
    packing.bench_function("a chunk", |b| b.iter(|| Section::of(black_box(&chunk)).packed.len()));
}

criterion_group!(benches, flight);
criterion_main!(benches);
