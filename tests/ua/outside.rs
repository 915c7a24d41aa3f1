//! Requests outside dialogs that deserve an answer other than service (RFC 3261 §8.2).

use crate::network::{OFFER, World, address, field};

fn request(line: &str, method: &str, more: &str, body: &str) -> String {
    format!(
        "{line} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKout;rport\r\nFrom: <sip:x@192.0.2.9>;tag=f\r\n\
         To: <sip:bob@192.0.2.2>\r\nCall-ID: out\r\nCSeq: 1 {method}\r\nContact: <sip:x@192.0.2.9>\r\n{more}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The summary of the answer, and the value of one of its fields.
fn answer(text: &str, name: &str) -> (String, String) {
    let mut world = World::new();
    world.inject(address(9), address(2), text);
    world.run(15);
    let ladder = world.ladder();
    assert_eq!(ladder.len(), 2, "{ladder:?}");
    let what = ladder[1].strip_prefix("bob ").unwrap().to_owned();
    let value = field(world.last(&what), name).to_owned();
    assert!(world.sides[1].agent.at_rest(), "a refusal leaves no state");
    (what, value)
}

const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, UPDATE, INFO";

#[test]
fn unknown_methods_get_501_and_known_ones_we_do_not_take_405() {
    let (dance, allow) = answer(&request("DANCE sip:bob@192.0.2.2", "DANCE", "", ""), "Allow");
    assert_eq!((dance.as_str(), allow.as_str()), ("501 DANCE", ALLOW));
    let (message, allow) = answer(&request("MESSAGE sip:bob@192.0.2.2", "MESSAGE", "", "x"), "Allow");
    assert_eq!((message.as_str(), allow.as_str()), ("405 MESSAGE", ALLOW));
}

#[test]
fn an_unknown_scheme_gets_416() {
    assert_eq!(answer(&request("OPTIONS nobody:x", "OPTIONS", "", ""), "To").0, "416 OPTIONS");
}

#[test]
fn an_unknown_extension_gets_420_by_name() {
    let text = request("INVITE sip:bob@192.0.2.2", "INVITE", "Require: 100rel, timer\r\n", "");
    assert_eq!(answer(&text, "Unsupported"), ("420 INVITE".into(), "100rel".into()));
}

#[test]
fn a_body_we_cannot_read_gets_415() {
    let text = request("INVITE sip:bob@192.0.2.2", "INVITE", "Content-Type: application/unknown\r\n", "<x>");
    assert_eq!(answer(&text, "Accept"), ("415 INVITE".into(), "application/sdp".into()));
}

#[test]
fn a_peer_that_takes_no_sdp_gets_406() {
    let more = "Accept: text/nobodyKnowsThis\r\n";
    assert_eq!(answer(&request("INVITE sip:bob@192.0.2.2", "INVITE", more, ""), "To").0, "406 INVITE");
}

#[test]
fn a_request_in_a_dialog_we_do_not_know_gets_481() {
    for method in ["INVITE", "BYE", "UPDATE", "INFO", "OPTIONS"] {
        let text = request(&format!("{method} sip:bob@192.0.2.2"), method, "", "");
        let text = text.replace("To: <sip:bob@192.0.2.2>", "To: <sip:bob@192.0.2.2>;tag=gone");
        assert_eq!(answer(&text, "To").0, format!("481 {method}"));
    }
    assert_eq!(answer(&request("BYE sip:bob@192.0.2.2", "BYE", "", ""), "To").0, "481 BYE");
    assert_eq!(answer(&request("CANCEL sip:bob@192.0.2.2", "CANCEL", "", ""), "To").0, "481 CANCEL");
}

#[test]
fn the_description_is_found_in_a_multipart_body() {
    let body = format!(
        "--b1\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b1\r\nContent-Type: application/sdp\r\n\r\n\
         {OFFER}\r\n--b1--\r\n"
    );
    let more = "Content-Type: multipart/mixed;boundary=b1\r\n";
    let mut world = World::new();
    world.inject(address(9), address(2), &request("INVITE sip:bob@192.0.2.2", "INVITE", more, &body));
    world.run(15);

    assert_eq!(world.ladder(), ["192.0.2.9 INVITE", "bob 100 INVITE"]);
    let Some(ringback::sip::user_agent::Event::Invited { request, .. }) = world.sides[1].events.first() else {
        panic!("invited")
    };
    assert_eq!(request.body, OFFER);
}
