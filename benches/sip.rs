//! Reading and writing of the messages a call centre sees most. Goal: at most 5 µs to read an INVITE with SDP.

#![allow(missing_docs)] // Of what `criterion_group!` makes.

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ringback::sip::message::{Message, Response};
use std::hint::black_box;

const INVITE: &str = "INVITE sip:+4930123456@203.0.113.10:5060;user=phone SIP/2.0\r\n\
    Via: SIP/2.0/UDP 198.51.100.20:5060;branch=z9hG4bK2d4790.1;rport\r\n\
    Via: SIP/2.0/UDP 10.1.2.3:5060;received=198.51.100.21;branch=z9hG4bK776asdhds\r\n\
    Record-Route: <sip:198.51.100.20;lr;ftag=9fxced76sl>\r\n\
    Max-Forwards: 69\r\n\
    From: \"Erika Mustermann\" <sip:+49301111111@carrier.example.net;user=phone>;tag=9fxced76sl\r\n\
    To: <sip:+4930123456@203.0.113.10;user=phone>\r\n\
    Call-ID: 3848276298220188511@10.1.2.3\r\n\
    CSeq: 1 INVITE\r\n\
    Contact: <sip:+49301111111@10.1.2.3:5060;transport=udp>\r\n\
    User-Agent: Carrier SBC 7.2\r\n\
    Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO\r\n\
    Supported: timer, 100rel, replaces\r\n\
    Session-Expires: 1800\r\n\
    P-Asserted-Identity: <sip:+49301111111@carrier.example.net>\r\n\
    Content-Type: application/sdp\r\n\
    Content-Length: 241\r\n\r\n";

const SDP: &str = "v=0\r\no=- 3928402 3928402 IN IP4 198.51.100.30\r\ns=-\r\nc=IN IP4 198.51.100.30\r\nt=0 0\r\n\
    m=audio 40000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\n\
    a=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";

const REGISTER: &str = "REGISTER sip:pbx.example.com SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.168.1.20:5060;branch=z9hG4bKnashd92;rport\r\n\
    Max-Forwards: 70\r\n\
    From: \"Agent 100\" <sip:100@pbx.example.com>;tag=ja743ks76zlflH\r\n\
    To: \"Agent 100\" <sip:100@pbx.example.com>\r\n\
    Call-ID: 1j9FpLxk3uxtm8tn@192.168.1.20\r\n\
    CSeq: 2 REGISTER\r\n\
    Contact: <sip:100@192.168.1.20:5060>;+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-000A95A0E128>\";\
    expires=300\r\n\
    Authorization: Digest username=\"100\", realm=\"ringback\", nonce=\"0000018f0001a2b3c4d5e6f7\", \
    uri=\"sip:pbx.example.com\", \
    response=\"6629fae49393a05397450978507c4ef1\", algorithm=MD5, cnonce=\"0a4f113b\", qop=auth, nc=00000001\r\n\
    User-Agent: Deskphone 1.2.3\r\n\
    Content-Length: 0\r\n\r\n";

fn messages() -> Vec<(&'static str, Bytes)> {
    let invite = Bytes::from(format!("{}{SDP}", INVITE.replace("241", &SDP.len().to_string())));
    let Ok(Message::Request(request)) = Message::parse(&invite) else { panic!("the INVITE is well formed") };
    let mut answer = Response::to(&request, 200).with_to_tag("8321234356");
    answer.headers.push("Contact", "<sip:203.0.113.10:5060>");
    answer.headers.push("Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO");
    answer.set_body("application/sdp", Bytes::from_static(SDP.as_bytes()));
    vec![("INVITE", invite), ("200", answer.to_bytes()), ("REGISTER", Bytes::from_static(REGISTER.as_bytes()))]
}

fn sip(criterion: &mut Criterion) {
    for (name, octets) in messages() {
        let read = Message::parse(&octets).expect("the messages are well formed");
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(octets.len() as u64));
        group.bench_function("parse", |bencher| bencher.iter(|| Message::parse(black_box(&octets))));
        group.bench_function("serialise", |bencher| bencher.iter(|| black_box(&read).to_bytes()));
        group.finish();
    }
}

criterion_group!(benches, sip);
criterion_main!(benches);
