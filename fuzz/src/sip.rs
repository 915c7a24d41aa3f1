//! The SIP wire layer: no panic, what is printed is read again the same, and nothing that is put into a value becomes a
//! line.

use bytes::Bytes;
use ringback::entropy::Entropy;
use ringback::sip::digest::{Client, Server, Verdict};
use ringback::sip::framing::{Frame, Framer};
use ringback::sip::header::auth::{Algorithm, Challenge, Credentials};
use ringback::sip::header::cseq::CSeq;
use ringback::sip::header::media_type::MediaType;
use ringback::sip::header::name_addr::NameAddr;
use ringback::sip::header::session::SessionExpires;
use ringback::sip::header::via::Via;
use ringback::sip::lexer;
use ringback::sip::message::{HeaderName, Headers, Malformed, Message, Method, Request, Response};
use ringback::sip::text::Text;
use ringback::sip::uri::{Host, Uri};
use ringback::time::Tick;
use std::net::{IpAddr, Ipv4Addr};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// One datagram.
pub fn sip_message(octets: &[u8]) {
    match Message::parse(&Bytes::copy_from_slice(octets)) {
        Ok(read) => {
            ask_everything(read.headers());
            let printed = read.to_bytes();
            assert_eq!(lines(&printed), fields(read.headers()) + 2, "a start line, the fields and a Content-Length");
            // Names grow from compact to long, so that what is near a limit may pass it.
            if octets.len() <= 4096 {
                assert_eq!(Message::parse(&printed).as_ref(), Ok(&read));
            }
            if let Message::Request(request) = &read {
                answer_is_readable(request);
            }
        }
        Err(malformed) => refusal_is_sound(octets, &malformed),
    }
    values_read_what_they_print(octets);
    nothing_is_smuggled(octets);
}

fn ask_everything(headers: &Headers) {
    headers.contacts();
    headers.routes();
    headers.record_routes();
    headers.p_asserted_identities();
    headers.max_forwards();
    headers.expires();
    headers.min_expires();
    headers.retry_after();
    headers.min_se();
    headers.session_expires();
    headers.content_type();
    headers.tokens(HeaderName::Require).count();
    headers.credentials(HeaderName::Authorization).count();
    headers.challenges(HeaderName::WwwAuthenticate).count();
    for via in headers.vias() {
        assert!(via.rport().is_none() || via.wants_rport());
        via.received();
    }
    headers.from().uri.user_decoded();
    assert!(headers.to().uri.equivalent(&headers.to().uri));
}

fn fields(headers: &Headers) -> usize {
    headers.vias().len() + 4 + headers.iter().count()
}

/// Lines before the empty line.
fn lines(message: &[u8]) -> usize {
    let text = String::from_utf8_lossy(message);
    let head = text.split("\r\n\r\n").next().unwrap_or("");
    assert_eq!(head.matches('\n').count(), head.matches("\r\n").count(), "no line ends in a bare line feed");
    head.split("\r\n").count()
}

fn answer_is_readable(request: &Request) {
    let response = Response::to(request, 200).with_to_tag("t");
    let printed = response.to_bytes();
    match Message::parse(&printed) {
        Ok(Message::Response(read)) => assert_eq!(read, response),
        other => assert!(printed.len() > 4096, "{other:?}"),
    }
}

fn refusal_is_sound(octets: &[u8], malformed: &Malformed) {
    assert_eq!(malformed.status.is_some(), malformed.answer.is_some());
    let Some(answer) = &malformed.answer else { return };
    assert!(answer.len() <= octets.len().max(640));
    let text = std::str::from_utf8(answer).expect("an answer is text");
    let (head, body) = text.split_once("\r\n\r\n").expect("an answer has an end");
    assert!(body.is_empty() && head.starts_with("SIP/2.0 "));
    let names = ["Via: ", "From: ", "To: ", "Call-ID: ", "CSeq: ", "Content-Length: 0"];
    for line in head.split("\r\n").skip(1) {
        assert!(!line.contains(['\r', '\n']) && names.iter().any(|name| line.starts_with(name)), "{line:?}");
    }
}

/// A value as the reader of a message hands it on: on one line.
fn value(octets: &[u8]) -> Option<&str> {
    std::str::from_utf8(octets).ok().filter(|value| lexer::is_sound(value))
}

/// Single values, which random octets reach sooner than through a whole message.
fn values_read_what_they_print(octets: &[u8]) {
    let Some(value) = value(octets) else { return };
    let text = Text::from(value);
    if let Ok(uri) = Uri::parse(&text) {
        assert_eq!(uri.to_string(), value);
        assert!(uri.equivalent(&uri));
    }
    if let Ok(via) = Via::parse(&text) {
        assert_eq!(Via::parse(&Text::from(via.to_string())), Ok(via));
    }
    if let Ok(address) = NameAddr::parse(&text) {
        assert_eq!(NameAddr::parse(&Text::from(address.to_string())), Ok(address));
    }
    if let Ok(cseq) = CSeq::parse(&text) {
        assert_eq!(CSeq::parse(&Text::from(cseq.to_string())), Ok(cseq));
    }
    if let Ok(expires) = SessionExpires::parse(&text) {
        assert_eq!(SessionExpires::parse(&Text::from(expires.to_string())), Ok(expires));
    }
    drop(MediaType::parse(&text));
}

/// Whatever is put into a display name, a tag, a Call-ID, a name, a value, a user or a reason: the message has the
/// fields that were put in, and no more.
fn nothing_is_smuggled(octets: &[u8]) {
    let hostile = String::from_utf8_lossy(&octets[..octets.len().min(1024)]).into_owned();
    let uri = Uri::sip(&hostile, &Host::from(HERE), Some(5060));
    let from = NameAddr::new(&hostile, uri.clone()).with_tag(&hostile);
    let via = Via::udp(Host::from(HERE), 5060, &hostile);
    let mut request = Request::new(Method::INVITE, uri.clone(), via, from, NameAddr::new("", uri), &hostile, 1);
    request.headers.push("Subject", hostile.as_str());
    request.headers.push(hostile.as_str(), "value");
    let wanted = fields(&request.headers) + 2;
    assert_eq!(lines(&request.to_bytes()), wanted);
    let mut response = Response::to(&request, 486);
    response.reason = hostile.into();
    assert_eq!(lines(&response.to_bytes()), fields(&response.headers) + 2);
}

/// A stream: however it is cut, the same frames and the same end come out.
pub fn sip_stream(octets: &[u8]) {
    let Some((size, stream)) = octets.split_first() else { return };
    let whole = frames(stream, stream.len().max(1));
    assert_eq!(frames(stream, usize::from(*size).max(1)), whole);
    assert_eq!(frames(stream, 1), whole);
    for frame in &whole.0 {
        if let Frame::Message(message) = frame {
            assert!(message.len() <= stream.len());
            drop(Message::parse(message));
        }
    }
}

fn frames(stream: &[u8], size: usize) -> (Vec<Frame>, Option<Malformed>) {
    let (mut framer, mut frames) = (Framer::default(), Vec::new());
    for piece in stream.chunks(size) {
        framer.push(piece);
        loop {
            match framer.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(malformed) => return (frames, Some(malformed)),
            }
        }
    }
    (frames, None)
}

/// Challenges and credentials: nobody is let in by octets, and what we answer to any challenge can be read.
pub fn digest(octets: &[u8]) {
    let Some(value) = value(octets) else { return };
    let text = Text::from(value);
    let mut server = Server::new("r".into(), vec![Algorithm::Md5, Algorithm::Sha256], Entropy::from_seed(1));
    if let Ok(Some(read)) = Credentials::parse(&text) {
        assert_eq!(Credentials::parse(&Text::from(read.to_string())), Ok(Some(read.clone())));
        for secret in [Some("a secret"), None] {
            let verdict = server.verify(Tick::ZERO, HERE, &Method::REGISTER, "sip:h", &read, secret);
            assert_eq!(verdict, Verdict::Denied);
        }
    }
    if let Ok(Some(read)) = Challenge::parse(&text) {
        assert_eq!(Challenge::parse(&Text::from(read.to_string())), Ok(Some(read.clone())));
        let client = Client { username: "u".into(), password: "p".into() };
        let answer = client.answer(&read, &Method::REGISTER, "sip:h", 1, &mut Entropy::from_seed(2));
        if let Some(answer) = answer {
            assert_eq!(Credentials::parse(&Text::from(answer.to_string())), Ok(Some(answer)));
        }
    }
}
