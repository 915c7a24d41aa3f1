//! CANCEL and its races (RFC 3261 §9, RFC 5407 §3.1).

use crate::network::{ANSWER, World, address, field, reply};
use bytes::Bytes;

#[test]
fn a_ringing_call_is_cancelled() {
    let mut world = World::new();
    let a = world.invite();
    world.run(20);
    let b = world.invited(1);
    world.with(1, |bob, now| bob.ring(now, b, None));
    world.run(20);
    world.with(0, |alice, now| alice.hang_up(now, a, Some("SIP;cause=200;text=\"Call completed elsewhere\"")));
    world.run(60);

    assert_eq!(world.ladder()[3..], ["alice CANCEL", "bob 200 CANCEL", "bob 487 INVITE", "alice ACK"]);
    let (invite, cancel) = (world.last("INVITE").to_owned(), world.last("CANCEL").to_owned());
    assert_eq!(field(&invite, "Via"), field(&cancel, "Via"));
    assert_eq!(field(&cancel, "CSeq"), "1 CANCEL");
    assert_eq!(field(&cancel, "Reason"), "SIP;cause=200;text=\"Call completed elsewhere\"");
    assert_eq!(world.events(0), ["Progress 180 -", "Refused 487"]);
    assert_eq!(world.events(1), ["Invited", "Ended Cancel"]);
    world.settle();
}

#[test]
fn a_cancel_waits_for_a_provisional() {
    let mut world = World::new();
    let invite = world.invite_to(&[address(9)]);
    let a = world.send_invite(invite);
    world.with(0, |alice, now| alice.hang_up(now, a, None));
    world.run(100);
    assert_eq!(world.ladder(), ["alice INVITE"]);

    let request = world.last("INVITE").to_owned();
    world.inject(address(9), address(1), &reply(&request, "100 Trying", "", "", ""));
    world.run(20);
    world.inject(address(9), address(1), &reply(&request, "487 Request Terminated", "x", "", ""));
    world.run(20);

    assert_eq!(world.ladder(), ["192.0.2.9 100 INVITE", "alice CANCEL", "192.0.2.9 487 INVITE", "alice ACK"]);
    assert_eq!(world.events(0), ["Refused 487"]);
}

#[test]
fn a_200_that_crosses_the_cancel_is_acked_and_ended() {
    let mut world = World::new();
    let a = world.invite();
    world.run(20);
    let b = world.invited(1);
    world.with(1, |bob, now| bob.answer(now, b, Bytes::from(ANSWER)));
    world.with(0, |alice, now| alice.hang_up(now, a, None));
    world.run(100);

    assert_eq!(
        world.ladder()[2..],
        ["bob 200 INVITE", "alice CANCEL", "alice ACK", "alice BYE", "bob 200 CANCEL", "bob 200 BYE"]
    );
    assert_eq!(world.events(0), ["Refused 487"]);
    assert_eq!(world.events(1), ["Invited", "Confirmed -", "Ended Bye"]);
    world.settle();
}

#[test]
fn a_cancel_that_nobody_heeds_ends_after_64_t1() {
    let mut world = World::new();
    let invite = world.invite_to(&[address(9)]);
    let a = world.send_invite(invite);
    let request = world.last("INVITE").to_owned();
    world.inject(address(9), address(1), &reply(&request, "180 Ringing", "x", "", ""));
    world.run(20);
    world.with(0, |alice, now| alice.hang_up(now, a, None));
    world.run(31_000);
    assert_eq!(world.events(0), ["Progress 180 -"]);
    world.run(1_100);

    assert_eq!(world.events(0), ["Refused 487 local"]);
    world.settle();
}

#[test]
fn a_cancel_from_another_address_finds_no_call() {
    let mut world = World::new();
    world.invite();
    world.run(20);
    let invite = world.last("INVITE").to_owned();
    let cancel = invite.replacen("INVITE", "CANCEL", 1).replace("1 INVITE", "1 CANCEL");
    let cancel = format!("{}\r\nContent-Length: 0\r\n\r\n", cancel.split("\r\nContent").next().unwrap());
    world.ladder();
    world.inject(address(66), address(2), &cancel);
    world.run(100);

    assert_eq!(world.ladder(), ["192.0.2.66 CANCEL", "bob 481 CANCEL"]);
    assert_eq!(world.events(1), ["Invited"]);
}

#[test]
fn hanging_up_an_unanswered_call_refuses_it() {
    let mut world = World::new();
    world.invite();
    world.run(20);
    let b = world.invited(1);
    world.with(1, |bob, now| bob.hang_up(now, b, None));
    world.run(60);

    assert_eq!(world.ladder()[2..], ["bob 480 INVITE", "alice ACK"]);
    assert_eq!(world.events(0), ["Refused 480"]);
    assert_eq!(world.events(1), ["Invited"]);
    world.settle();
}

#[test]
fn an_earlier_lifes_invite_is_cancelled_and_ended_from_its_record() {
    let mut world = World::new();
    world.invite();
    world.run(20);
    let b = world.invited(1);
    world.with(1, |bob, now| bob.ring(now, b, None));
    world.run(20);
    let record = world.alice().dialog_record(ringback::id::LegRef(1)).unwrap();
    world.sides[0].agent = World::new().sides.remove(0).agent;
    world.ladder();
    world.with(0, |alice, now| alice.abandon(now, "sip:bob@192.0.2.2:5060", &record));
    world.run(100);

    let ladder = world.ladder();
    assert_eq!(ladder[..2], ["alice CANCEL", "alice CANCEL"]);
    assert!(ladder.contains(&"bob 200 CANCEL".to_owned()) && ladder.contains(&"bob 487 INVITE".to_owned()));
    assert_eq!(world.events(1), ["Invited", "Ended Cancel"]);
    world.settle();
}
