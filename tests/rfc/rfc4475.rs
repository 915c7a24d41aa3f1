//! RFC 4475: what the reader says to each torture message. What the switch answers to the well-formed ones is asserted
//! where the switch is tested; `corpus::Case::allows` knows the index for both.

use crate::corpus::{self, Case};
use bytes::Bytes;
use ringback::sip::header::contact::Contacts;
use ringback::sip::message::{HeaderName, Message, Method, Request};
use ringback::sip::uri::Scheme;

fn parse(octets: &[u8]) -> Result<Message, Option<u16>> {
    Message::parse(&Bytes::copy_from_slice(octets)).map_err(|malformed| malformed.status)
}

fn case(name: &str) -> Case {
    corpus::rfc4475().into_iter().find(|case| case.name == name).unwrap_or_else(|| panic!("{name}"))
}

fn request(name: &str) -> Request {
    match parse(&case(name).octets) {
        Ok(Message::Request(request)) => request,
        other => panic!("{name}: {other:?}"),
    }
}

const WELL_FORMED: [&str; 28] = [
    "wsinv",
    "intmeth",
    "esc01",
    "escnull",
    "esc02",
    "lwsdisp",
    "longreq",
    "dblreq",
    "semiuri",
    "transports",
    "mpart01",
    "unreason",
    "noreason",
    "baddate",
    "badbranch",
    "unkscm",
    "novelsc",
    "unksm2",
    "bext01",
    "invut",
    "regaut01",
    "bcast",
    "zeromf",
    "cparam01",
    "cparam02",
    "regescrt",
    "sdp01",
    "inv2543",
];

const REFUSED: [(&str, u16); 19] = [
    ("badinv01", 400),
    ("clerr", 400),
    ("ncl", 400),
    ("scalar02", 400),
    ("quotbal", 400),
    ("ltgtruri", 400),
    ("lwsruri", 400),
    ("lwsstart", 400),
    ("trws", 400),
    ("escruri", 400),
    ("regbadct", 400),
    ("badaspec", 400),
    ("baddn", 400),
    ("badvers", 505),
    ("mismatch01", 400),
    ("mismatch02", 400),
    ("insuf", 400),
    ("multi01", 400),
    ("mcl01", 400),
];

/// Responses are never answered; `test` has no Via to answer by.
const SILENT: [&str; 3] = ["scalarlg", "bigcode", "test"];

#[test]
fn every_message_gets_the_readers_verdict() {
    let cases = corpus::rfc4475();
    assert_eq!(cases.len(), WELL_FORMED.len() + REFUSED.len() + SILENT.len());
    for case in cases {
        let name = case.name.as_str();
        match parse(&case.octets) {
            Ok(_) => assert!(WELL_FORMED.contains(&name), "{name} was read"),
            Err(Some(status)) => {
                assert!(REFUSED.contains(&(name, status)), "{name}: {status}");
                assert!(case.allows(Some(status)), "{name}: {status} against {}", case.expected);
            }
            Err(None) => {
                assert!(SILENT.contains(&name), "{name} got silence");
                assert!(case.allows(None), "{name} against {}", case.expected);
            }
        }
    }
}

#[test]
fn what_was_read_is_printed_and_read_again_the_same() {
    for name in WELL_FORMED {
        let read = parse(&case(name).octets).unwrap_or_else(|status| panic!("{name}: {status:?}"));
        assert_eq!(Message::parse(&read.to_bytes()).as_ref(), Ok(&read), "{name}");
    }
}

#[test]
fn display_names_are_judged_even_with_the_empty_line_that_the_archive_lacks() {
    assert_eq!(parse(&corpus::octets("rfc4475/wire/baddn.dat")), Err(Some(400)));
}

#[test]
fn wsinv_is_folded_compact_and_spaced_in_every_way() {
    let read = request("wsinv");
    let headers = &read.headers;

    assert_eq!(headers.vias().len(), 3);
    assert_eq!(headers.vias()[1].branch(), Some("z9hG4bK9ikj8"));
    assert_eq!(headers.vias()[2].to_string(), "SIP/2.0/UDP 192.168.255.111;branch=z9hG4bK30239");
    assert_eq!((headers.to().tag(), headers.from().tag()), (Some("1918181833n"), Some("98asjd8")));
    assert_eq!(headers.from().display(), "J Rosenberg \\\"");
    assert_eq!((headers.max_forwards(), headers.cseq().number), (68, 9));
    assert_eq!(
        headers.get(HeaderName::from("NewFangledHeader")).unwrap(),
        "newfangled value continued newfangled value"
    );
    assert_eq!(headers.routes()[0].uri.params().get("unknownwith"), Some("value"));
    let contacts = headers.contacts();
    let contact = contacts.first().unwrap();
    assert_eq!((contact.display().as_str(), contact.q()), ("Quoted string \"\"", 330));
    assert_eq!(contact.params.get("newparam"), Some("newvalue"));
    assert_eq!(read.body.len(), 150);
}

#[test]
fn intmeth_keeps_its_method_and_its_control_characters_in_quotes() {
    let read = request("intmeth");

    assert_eq!(read.method.as_str(), "!interesting-Method0123456789_*+`.%indeed'~");
    assert_eq!(read.headers.to().display(), "BEL:\u{7} NUL:\0 DEL:\u{7f}");
    assert_eq!(read.uri.user(), Some("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"));
    assert_eq!(read.headers.max_forwards(), 255);
}

#[test]
fn escapes_are_decoded_once_and_never_in_methods_or_names() {
    let esc01 = request("esc01");
    assert_eq!(esc01.uri.user_decoded().as_deref(), Some("sips:user@example.com"));
    assert_eq!(esc01.uri.host().unwrap().to_string(), "example.net");

    let escnull = request("escnull");
    assert_eq!(escnull.headers.to().uri.user_decoded().as_deref(), Some("null-\0-null"));
    let Contacts::List(contacts) = escnull.headers.contacts() else { panic!("two contacts") };
    assert!(contacts.len() == 2 && !contacts[0].uri.equivalent(&contacts[1].uri));

    let esc02 = request("esc02");
    assert_eq!(esc02.method.as_str(), "RE%47IST%45R");
    assert!(esc02.method != Method::REGISTER);
    let Contacts::List(contacts) = esc02.headers.contacts() else { panic!("two contacts") };
    assert_eq!((contacts.len(), contacts[0].uri.user()), (2, Some("alias1")));
}

#[test]
fn longreq_keeps_all_its_vias_in_order() {
    let read = request("longreq");

    assert_eq!(read.headers.vias().len(), 34);
    assert_eq!(read.headers.via_top().host.to_string(), "sip33.example.com");
}

#[test]
fn dblreq_ends_at_its_content_length() {
    let read = request("dblreq");

    assert_eq!((read.method.clone(), read.body.len()), (Method::REGISTER, 0));
}

#[test]
fn semicolons_belong_to_the_user_or_to_the_uri_or_to_the_header() {
    assert_eq!(request("semiuri").uri.user(), Some("user;par=u%40example.net"));
    let inside = request("cparam02").headers.contacts().first().unwrap().clone();
    assert!(inside.uri.params().has("unknownparam") && !inside.params.has("unknownparam"));
    let outside = request("cparam01").headers.contacts().first().unwrap().clone();
    assert!(outside.params.has("unknownparam") && !outside.uri.params().has("unknownparam"));
    let escaped = request("regescrt").headers.contacts().first().unwrap().clone();
    assert_eq!(escaped.uri.headers(), Some("Route=%3Csip:sip.example.com%3E"));
}

#[test]
fn a_binary_body_comes_through_octet_by_octet() {
    let read = request("mpart01");

    assert_eq!(read.body.len(), 553);
    assert!(read.to_bytes().ends_with(&read.body));
    assert_eq!(read.headers.content_type().unwrap().unwrap().essence, "multipart/mixed");
}

#[test]
fn reasons_are_kept_unusual_or_empty() {
    let reason = |name: &str| match parse(&case(name).octets) {
        Ok(Message::Response(response)) => (response.code(), response.reason),
        other => panic!("{name}: {other:?}"),
    };

    let unusual = "= 2**3 * 5**2 но сто девяносто девять - простое";
    assert_eq!(reason("unreason"), (200, unusual.into()));
    assert_eq!(reason("noreason"), (100, "".into()));
}

#[test]
fn schemes_we_do_not_know_are_well_formed() {
    for (name, scheme) in [("unkscm", "nobodyKnowsThisScheme"), ("novelsc", "soap.beep")] {
        let read = request(name);
        assert_eq!((read.uri.scheme(), read.uri.scheme_name()), (Scheme::Other, scheme));
    }
    assert_eq!(request("unksm2").headers.to().uri.scheme_name(), "isbn");
}

#[test]
fn tokens_of_extensions_are_listed() {
    let read = request("bext01");

    let required: Vec<&str> = read.headers.tokens(HeaderName::Require).collect();

    assert_eq!(required, ["nothingSupportsThis", "nothingSupportsThisEither"]);
    assert!(request("regaut01").headers.credentials(HeaderName::Authorization).next().is_none());
}

#[test]
fn an_rfc_2543_invite_is_read() {
    let read = request("inv2543");

    assert_eq!((read.headers.via_top().branch(), read.headers.from().tag()), (None, None));
    assert_eq!(read.headers.max_forwards(), 70);
    assert!(read.body.starts_with(b"v=0") && read.body.ends_with(b"\r\n"));
}

#[test]
fn a_refusal_carries_what_came_and_nothing_else() {
    let answer = |name: &str| {
        let malformed = Message::parse(&case(name).octets.into()).unwrap_err();
        String::from_utf8(malformed.answer.unwrap().to_vec()).unwrap()
    };

    let insuf = answer("insuf");
    assert!(insuf.starts_with("SIP/2.0 400 Bad Request\r\nVia: SIP/2.0/UDP 192.0.2.95;branch=z9hG4bKkdj.insuf\r\n"));
    assert!(!insuf.contains("Call-ID") && !insuf.contains("From") && !insuf.contains("\r\nTo"));
    let badvers = answer("badvers");
    assert!(badvers.starts_with("SIP/2.0 505 Version Not Supported\r\n"));
    assert!(badvers.contains("\r\nTo: T. Watson <sip:t.watson@example.org>;tag="));
    let quotbal = answer("quotbal");
    assert!(quotbal.contains("\r\nTo: \"Mr. J. User <sip:j.user@example.com>\r\n"));
    assert!(quotbal.ends_with("\r\nContent-Length: 0\r\n\r\n"));
}
