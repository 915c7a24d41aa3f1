//! RFC 5118: IPv6 in every place of a message.

use crate::corpus;
use bytes::Bytes;
use ringback::sip::message::{Message, Request};

fn request(name: &str) -> Request {
    let case = corpus::rfc5118().into_iter().find(|case| case.name == name).unwrap_or_else(|| panic!("{name}"));
    match Message::parse(&Bytes::from(case.octets)) {
        Ok(Message::Request(request)) => request,
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn only_the_address_without_brackets_is_refused() {
    for case in corpus::rfc5118() {
        match Message::parse(&Bytes::from(case.octets.clone())) {
            Ok(read) => {
                assert_ne!(case.name, "ipv6-bad");
                assert_eq!(Message::parse(&read.to_bytes()).as_ref(), Ok(&read), "{}", case.name);
            }
            Err(malformed) => {
                assert_eq!((case.name.as_str(), malformed.status), ("ipv6-bad", Some(400)));
                assert!(case.allows(Some(400)));
            }
        }
    }
}

#[test]
fn a_port_is_only_what_stands_outside_the_brackets() {
    let ambiguous = request("port-ambiguous").uri;
    assert_eq!((ambiguous.host().unwrap().to_string().as_str(), ambiguous.port()), ("[2001:db8::10:5070]", None));
    let unambiguous = request("port-unambiguous").uri;
    assert_eq!((unambiguous.host().unwrap().to_string().as_str(), unambiguous.port()), ("[2001:db8::10]", Some(5070)));
}

#[test]
fn received_is_read_with_and_without_brackets() {
    for name in ["via-received-param-with-delim", "via-received-param-no-delim"] {
        assert_eq!(request(name).headers.via_top().received(), "2001:db8::9:255".parse().ok(), "{name}");
    }
}

#[test]
fn mapped_addresses_and_three_colons_are_addresses() {
    let mapped = request("ipv4-mapped-ipv6");
    assert_eq!(mapped.headers.via_top().host.ip(), "::ffff:192.0.2.10".parse().ok());
    assert_eq!(mapped.headers.via_top().port, Some(19823));
    let three = request("ipv6-bug-abnf-3-colons").uri;
    assert_eq!(three.host().unwrap().ip(), "2001:db8::192.0.2.1".parse().ok());
    assert!(three.as_str().contains(":::"), "a URI is kept as it came");
}

#[test]
fn both_families_may_stand_in_one_message() {
    let read = request("mult-ip-in-header");

    let families: Vec<bool> = read.headers.vias().iter().map(|via| via.host.ip().unwrap().is_ipv6()).collect();
    assert_eq!(families, [true, false, true]);
    assert_eq!(read.headers.vias()[2].received(), "192.0.2.200".parse().ok());
}
