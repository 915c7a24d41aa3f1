//! Offers and refreshes in an established session (RFC 3261 §14, RFC 3311, RFC 4028).

use crate::network::{ANSWER, OFFER, World, address, field, reply};
use bytes::Bytes;
use ringback::id::LegRef;

#[test]
fn a_reinvite_is_offered_and_answered() {
    let mut world = World::new();
    let (a, b) = world.established();
    world.with(0, |alice, now| alice.reoffer(now, a, Bytes::from(OFFER)));
    world.run(50);
    world.with(1, |bob, now| bob.accept_offer(now, b, Bytes::from(ANSWER)));
    world.run(50);

    assert_eq!(world.ladder(), ["alice INVITE", "bob 100 INVITE", "bob 200 INVITE", "alice ACK"]);
    assert_eq!(world.events(1), ["Offered offer"]);
    assert_eq!(world.events(0), ["Confirmed answer"]);
    assert_eq!(field(world.last("INVITE"), "CSeq"), "2 INVITE");
}

#[test]
fn a_refused_reinvite_leaves_the_session_as_it_was() {
    let mut world = World::new();
    let (a, b) = world.established();
    world.with(1, |bob, now| bob.reoffer(now, b, Bytes::from(OFFER)));
    world.run(50);
    world.with(0, |alice, now| alice.refuse_offer(now, a, 488));
    world.run(50);

    assert_eq!(world.ladder(), ["bob INVITE", "alice 100 INVITE", "alice 488 INVITE", "bob ACK"]);
    assert_eq!(world.events(1), ["OfferRefused 488"]);
    world.with(0, |alice, now| alice.hang_up(now, a, None));
    world.settle();
}

#[test]
fn glare_is_settled_by_the_owner_of_the_call_id_waiting_longer() {
    let mut world = World::new();
    let (a, b) = world.established();
    world.with(0, |alice, now| alice.reoffer(now, a, Bytes::from(OFFER)));
    world.with(1, |bob, now| bob.reoffer(now, b, Bytes::from(OFFER)));
    world.run(50);
    assert_eq!(
        world.ladder(),
        ["alice INVITE", "bob INVITE", "bob 491 INVITE", "alice 491 INVITE", "alice ACK", "bob ACK"]
    );

    world.run(2_000);
    assert_eq!(world.ladder(), ["bob INVITE", "alice 100 INVITE"]);
    assert_eq!(world.events(0), ["Offered offer"]);
    world.with(0, |alice, now| alice.accept_offer(now, a, Bytes::from(ANSWER)));
    world.run(2_100);
    world.with(1, |bob, now| bob.accept_offer(now, b, Bytes::from(ANSWER)));
    world.run(50);

    let ladder = world.ladder();
    assert_eq!(
        ladder,
        ["alice 200 INVITE", "bob ACK", "alice INVITE", "bob 100 INVITE", "bob 200 INVITE", "alice ACK"]
    );
    assert_eq!(world.events(0), ["Confirmed answer"]);
    assert_eq!(world.events(1), ["Confirmed answer", "Offered offer"]);
}

#[test]
fn an_overlapping_reinvite_gets_500_with_retry_after() {
    let mut world = World::new();
    world.established();
    let invite = in_dialog(&world, "INVITE", 2, "z9hG4bKo1", OFFER);
    let second = in_dialog(&world, "INVITE", 3, "z9hG4bKo2", OFFER);
    world.inject(address(1), address(2), &invite);
    world.inject(address(1), address(2), &second);
    world.run(15);

    assert_eq!(world.ladder(), ["alice INVITE", "alice INVITE", "bob 100 INVITE", "bob 500 INVITE"]);
    let wait: u32 = field(world.last("500 INVITE"), "Retry-After").parse().unwrap();
    assert!(wait <= 10);
}

#[test]
fn a_cancelled_reinvite_gets_487_and_the_session_goes_on() {
    let mut world = World::new();
    let (_, b) = world.established();
    let invite = in_dialog(&world, "INVITE", 2, "z9hG4bKc", OFFER);
    let cancel = in_dialog(&world, "CANCEL", 2, "z9hG4bKc", "");
    world.inject(address(1), address(2), &invite);
    world.run(15);
    world.inject(address(1), address(2), &cancel);
    world.run(15);
    world.with(1, |bob, now| bob.accept_offer(now, b, Bytes::from(ANSWER)));

    assert_eq!(world.ladder(), ["alice INVITE", "bob 100 INVITE", "alice CANCEL", "bob 200 CANCEL", "bob 487 INVITE"]);
    assert_eq!(world.bob().counts().legs, 1);
}

#[test]
fn a_reinvite_without_offer_is_answered_with_ours() {
    let mut world = World::new();
    let (_, b) = world.established();
    let invite = in_dialog(&world, "INVITE", 2, "z9hG4bKn", "");
    world.inject(address(1), address(2), &invite);
    world.run(15);
    world.with(1, |bob, now| bob.accept_offer(now, b, Bytes::from(OFFER)));
    world.run(15);
    let ack = in_dialog(&world, "ACK", 2, "z9hG4bKn2", ANSWER);
    world.inject(address(1), address(2), &ack);
    world.run(15);

    assert_eq!(world.ladder(), ["alice INVITE", "bob 100 INVITE", "bob 200 INVITE", "alice ACK"]);
    assert_eq!(world.events(1), ["Offered -", "Confirmed answer"]);
}

#[test]
fn an_update_refreshes_and_may_carry_an_offer() {
    let mut world = World::new();
    let (_, b) = world.established();
    let plain = in_dialog(&world, "UPDATE", 2, "z9hG4bKu1", "");
    let offer = in_dialog(&world, "UPDATE", 3, "z9hG4bKu2", OFFER);
    world.inject(address(1), address(2), &plain);
    world.run(15);
    assert_eq!(world.ladder(), ["alice UPDATE", "bob 200 UPDATE"]);
    assert!(world.events(1).is_empty());

    world.inject(address(1), address(2), &offer);
    world.run(15);
    assert_eq!(world.events(1), ["Offered offer"]);
    world.with(1, |bob, now| bob.accept_offer(now, b, Bytes::from(ANSWER)));
    assert_eq!(world.ladder(), ["alice UPDATE", "bob 200 UPDATE"]);
    assert!(world.last("200 UPDATE").ends_with(ANSWER));
}

#[test]
fn the_session_is_refreshed_at_half_its_interval() {
    let mut world = World::new();
    world.established();
    let ok = world.last("200 INVITE").to_owned();
    assert_eq!(field(&ok, "Session-Expires"), "1800;refresher=uac");
    assert_eq!(field(&ok, "Require"), "timer");
    world.run(3 * 900_000 + 1_000);

    assert_eq!(world.ladder(), ["alice UPDATE", "bob 200 UPDATE"].repeat(3));
    assert_eq!(field(world.last("UPDATE"), "Session-Expires"), "1800;refresher=uac");
    assert!(world.events(0).is_empty() && world.events(1).is_empty());
}

#[test]
fn a_session_whose_refresher_is_silent_is_ended() {
    let mut world = World::new();
    world.established();
    world.lose(|who, _, _| who == "alice");
    world.run(1_900_000);

    assert_eq!(world.events(0), ["Ended Lost"]);
    assert_eq!(world.events(1), ["Ended Lost"]);
    world.settle();
}

#[test]
fn a_peer_without_update_is_refreshed_by_a_reinvite() {
    let mut world = World::new();
    let invite = world.invite_to(&[address(9)]);
    world.send_invite(invite);
    let request = world.last("INVITE").to_owned();
    let more = "Contact: <sip:x@192.0.2.9>\r\nSession-Expires: 90;refresher=uac\r\nRequire: timer\r\nAllow: INVITE\r\n";
    world.inject(address(9), address(1), &reply(&request, "200 OK", "x", more, ANSWER));
    world.run(46_000);
    let again = world.last("INVITE").to_owned();
    world.inject(address(9), address(1), &reply(&again, "200 OK", "x", more, ANSWER));
    world.run(20);

    assert!(again.ends_with(OFFER), "the refresh repeats our description");
    let ladder = world.ladder();
    assert_eq!(
        ladder,
        [
            "alice INVITE",
            "192.0.2.9 200 INVITE",
            "alice ACK",
            "alice INVITE",
            "alice INVITE",
            "192.0.2.9 200 INVITE",
            "alice ACK"
        ]
    );
}

#[test]
fn an_interval_that_is_too_small_is_refused_and_ours_is_raised() {
    let mut world = World::new();
    let invite = world.invite_to(&[address(9)]);
    world.send_invite(invite);
    let request = world.last("INVITE").to_owned();
    world.inject(address(9), address(1), &reply(&request, "422 Small", "x", "Min-SE: 3600\r\n", ""));
    world.run(20);
    let again = world.last("INVITE").to_owned();
    assert_eq!((field(&again, "Session-Expires"), field(&again, "Min-SE")), ("3600", "3600"));
    assert_eq!(field(&again, "CSeq"), "2 INVITE");

    let small =
        request.replacen("Session-Expires: 1800", "Session-Expires: 60", 1).replace("192.0.2.1:5060;b", "192.0.2.9;b");
    world.inject(address(9), address(2), &small);
    world.run(20);
    assert_eq!(field(world.last("422 INVITE"), "Min-SE"), "90");
}

#[test]
fn a_bye_while_an_offer_is_open_answers_both() {
    let mut world = World::new();
    let (a, b) = world.established();
    world.with(0, |alice, now| alice.reoffer(now, a, Bytes::from(OFFER)));
    world.run(15);
    world.with(1, |bob, now| bob.hang_up(now, b, None));
    world.run(50);

    assert_eq!(
        world.ladder(),
        ["alice INVITE", "bob 100 INVITE", "bob 487 INVITE", "bob BYE", "alice ACK", "alice 200 BYE"]
    );
    assert_eq!(world.events(0), ["OfferRefused 487", "Ended Bye"]);
    world.settle();
}

#[test]
fn an_info_is_a_digit_and_an_options_is_answered() {
    let mut world = World::new();
    world.established();
    let info = in_dialog(&world, "INFO", 2, "z9hG4bKi", "Signal=5\r\nDuration=160\r\n");
    let info = info.replace("application/sdp", "application/dtmf-relay");
    let options = in_dialog(&world, "OPTIONS", 3, "z9hG4bKj", "");
    world.inject(address(1), address(2), &info);
    world.inject(address(1), address(2), &options);
    world.run(15);

    assert_eq!(world.ladder(), ["alice INFO", "alice OPTIONS", "bob 200 INFO", "bob 200 OPTIONS"]);
    assert_eq!(world.events(1), ["InfoDigit 5"]);
}

/// A request of Alice inside the standing call, written by hand.
pub fn in_dialog(world: &World, method: &str, number: u32, branch: &str, body: &str) -> String {
    let ok = world.last("200 INVITE");
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "{method} sip:bob@192.0.2.2:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch={branch};rport\r\n\
         From: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {number} {method}\r\nContact: <sip:alice@192.0.2.1:5060>\r\n\
         Supported: timer\r\n{kind}Content-Length: {}\r\n\r\n{body}",
        field(ok, "From"),
        field(ok, "To"),
        field(ok, "Call-ID"),
        body.len()
    )
}

#[test]
fn an_offer_waits_until_the_ack_has_come() {
    let mut world = World::new();
    world.invite();
    world.run(20);
    let b: LegRef = world.invited(1);
    world.with(1, |bob, now| {
        bob.answer(now, b, Bytes::from(ANSWER));
        bob.reoffer(now, b, Bytes::from(OFFER));
    });
    world.run(50);

    assert_eq!(world.ladder()[2..], ["bob 200 INVITE", "alice ACK", "bob INVITE", "alice 100 INVITE"]);
}
