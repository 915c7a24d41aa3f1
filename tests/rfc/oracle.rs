//! rsip as an oracle: on ordinary messages without its known faults (dots in users, IPv6, compact names, lists), it and
//! our reader must see the same, and it must be able to read what we print.

use bytes::Bytes;
use ringback::sip::message::{Message, Request, Response};
use rsip::prelude::{HasHeaders, HeadersExt, ToTypedHeader, UntypedHeader};

const INVITE: &str = "INVITE sip:bob@biloxi.example.com SIP/2.0\r\n\
    Via: SIP/2.0/UDP client.atlanta.example.com:5060;branch=z9hG4bK74bf9\r\n\
    Max-Forwards: 70\r\n\
    From: Alice <sip:alice@atlanta.example.com>;tag=9fxced76sl\r\n\
    To: Bob <sip:bob@biloxi.example.com>\r\n\
    Call-ID: 3848276298220188511@atlanta.example.com\r\n\
    CSeq: 1 INVITE\r\n\
    Contact: <sip:alice@client.atlanta.example.com>\r\n\
    Content-Type: application/sdp\r\n\
    Content-Length: 14\r\n\r\nv=0\r\ns=-\r\nt=0 ";

const RINGING: &str = "SIP/2.0 180 Ringing\r\n\
    Via: SIP/2.0/UDP client.atlanta.example.com:5060;branch=z9hG4bK74bf9;received=192.0.2.101\r\n\
    From: Alice <sip:alice@atlanta.example.com>;tag=9fxced76sl\r\n\
    To: Bob <sip:bob@biloxi.example.com>;tag=8321234356\r\n\
    Call-ID: 3848276298220188511@atlanta.example.com\r\n\
    CSeq: 1 INVITE\r\n\
    Contact: <sip:bob@client.biloxi.example.com>\r\n\
    Content-Length: 0\r\n\r\n";

const REGISTER: &str = "REGISTER sip:biloxi.example.com SIP/2.0\r\n\
    Via: SIP/2.0/UDP client.biloxi.example.com:5061;branch=z9hG4bKnashd92\r\n\
    Max-Forwards: 70\r\n\
    From: Bob <sip:bob@biloxi.example.com>;tag=ja743ks76zlflH\r\n\
    To: Bob <sip:bob@biloxi.example.com>\r\n\
    Call-ID: 1j9FpLxk3uxtm8tn@biloxi.example.com\r\n\
    CSeq: 2 REGISTER\r\n\
    Contact: <sip:bob@client.biloxi.example.com>\r\n\
    Expires: 3600\r\n\
    Content-Length: 0\r\n\r\n";

fn ours(text: &str) -> Message {
    Message::parse(&Bytes::copy_from_slice(text.as_bytes())).expect("an ordinary message")
}

fn theirs(octets: &[u8]) -> rsip::SipMessage {
    rsip::SipMessage::try_from(octets).expect("an ordinary message")
}

fn assert_same(ours: &Message, theirs: &rsip::SipMessage) {
    match (ours, theirs) {
        (Message::Request(Request { method, uri, .. }), rsip::SipMessage::Request(request)) => {
            assert_eq!(method.as_str(), request.method.to_string());
            assert_eq!(uri.to_string(), request.uri.to_string());
        }
        (Message::Response(Response { status, .. }), rsip::SipMessage::Response(response)) => {
            assert_eq!(*status, response.status_code);
        }
        other => panic!("{other:?}"),
    }
    let headers = ours.headers();
    assert_eq!(headers.call_id().as_str(), theirs.call_id_header().unwrap().value());
    let cseq = theirs.cseq_header().unwrap().typed().unwrap();
    assert_eq!((headers.cseq().number, headers.cseq().method.as_str()), (cseq.seq, cseq.method.to_string().as_str()));
    let via = theirs.via_header().unwrap().typed().unwrap();
    assert_eq!(headers.via_top().branch(), via.branch().map(|branch| branch.value()));
    assert_eq!(headers.via_top().received(), via.received().unwrap());
    assert_eq!(headers.via_top().port, via.uri.host_with_port.port.as_ref().map(|port| *port.value()));
    let (from, to) = (theirs.from_header().unwrap().typed().unwrap(), theirs.to_header().unwrap().typed().unwrap());
    assert_eq!(headers.from().display(), from.display_name.clone().unwrap_or_default());
    assert_eq!(headers.from().uri.to_string(), from.uri.to_string());
    assert_eq!(headers.from().tag(), from.tag().map(|tag| tag.value()));
    assert_eq!(headers.to().tag(), to.tag().map(|tag| tag.value()));
    let contact = theirs.contact_header().unwrap().typed().unwrap();
    assert_eq!(headers.contacts().first().unwrap().uri.to_string(), contact.uri.to_string());
}

#[test]
fn ordinary_messages_say_the_same_to_both_readers() {
    for text in [INVITE, RINGING, REGISTER] {
        assert_same(&ours(text), &theirs(text.as_bytes()));
    }
}

#[test]
fn what_we_print_says_the_same_to_both_readers() {
    for text in [INVITE, RINGING, REGISTER] {
        let read = ours(text);
        let printed = read.to_bytes();
        assert_same(&read, &theirs(&printed));
        assert_eq!(theirs(&printed).headers().iter().count(), theirs(text.as_bytes()).headers().iter().count());
    }
}

#[test]
fn reason_phrases_of_statuses_both_know_are_the_rfcs_words() {
    for status in [100, 180, 200, 401, 404, 408, 487, 600] {
        let theirs = rsip::StatusCode::from(status).to_string();
        let ours = ringback::sip::message::reason_phrase(status).replace(' ', "");
        assert_eq!(theirs, format!("{status} {ours}"), "rsip prints the words without blanks");
    }
}
