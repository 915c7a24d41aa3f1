//! Those who have no part in a dialog (security.md T3, T8, T18): forged, stray and out-of-order messages.

use crate::network::{World, address, field};
use crate::offers::in_dialog;
use ringback::sip::message::Message;

#[test]
fn a_bye_from_a_wrong_source_finds_no_dialog() {
    let mut world = World::new();
    world.established();
    let bye = in_dialog(&world, "BYE", 2, "z9hG4bKf", "");
    world.inject(address(66), address(2), &bye);
    world.run(50);

    assert_eq!(world.ladder(), ["192.0.2.66 BYE", "bob 481 BYE"]);
    assert_eq!(world.bob().counts().legs, 1);
    world.inject(address(1), address(2), &bye.replace("z9hG4bKf", "z9hG4bKg"));
    world.run(50);
    assert_eq!(world.events(1), ["Ended Bye"]);
}

#[test]
fn a_request_out_of_order_gets_500() {
    let mut world = World::new();
    world.established();
    for (number, branch) in [(9, "z9hG4bK1"), (8, "z9hG4bK2"), (9, "z9hG4bK3")] {
        let options = in_dialog(&world, "OPTIONS", number, branch, "");
        world.inject(address(1), address(2), &options);
        world.run(15);
    }

    assert_eq!(
        world.ladder(),
        ["alice OPTIONS", "bob 200 OPTIONS", "alice OPTIONS", "bob 500 OPTIONS", "alice OPTIONS", "bob 500 OPTIONS"]
    );
}

#[test]
fn a_copy_of_a_bye_gets_the_same_answer() {
    let mut world = World::new();
    world.established();
    let bye = in_dialog(&world, "BYE", 2, "z9hG4bKb", "");
    world.inject(address(1), address(2), &bye);
    world.run(15);
    world.inject(address(1), address(2), &bye);
    world.run(15);

    assert_eq!(world.ladder(), ["alice BYE", "bob 200 BYE", "alice BYE", "bob 200 BYE"]);
    assert_eq!(world.events(1), ["Ended Bye"]);
}

#[test]
fn a_stray_ack_and_a_stray_200_get_nothing() {
    let mut world = World::new();
    world.established();
    let ack = in_dialog(&world, "ACK", 7, "z9hG4bKs", "");
    let ok = world.last("200 INVITE").replace("z9hG4bK", "z9hG4bKx");
    world.inject(address(1), address(2), &ack);
    world.inject(address(66), address(2), &ack);
    world.inject(address(2), address(1), &ok);
    world.run(50);

    assert_eq!(world.ladder(), ["alice ACK", "192.0.2.66 ACK", "bob 200 INVITE"]);
    assert!(world.events(0).is_empty() && world.events(1).is_empty());
}

#[test]
fn the_same_request_by_another_way_is_merged() {
    let mut world = World::new();
    world.invite();
    world.run(15);
    let copy = world.last("INVITE").replacen("branch=z9hG4bK", "branch=z9hG4bKother", 1);
    world.ladder();
    world.inject(address(1), address(2), &copy);
    world.run(15);

    assert_eq!(world.ladder(), ["alice INVITE", "bob 482 INVITE"]);
    assert_eq!(world.events(1), ["Invited"]);
}

#[test]
fn an_rfc_2543_invite_is_known_again_and_its_ack_absorbed() {
    let mut world = World::new();
    let invite = "INVITE sip:bob@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5060\r\nFrom: <sip:old@192.0.2.9>\r\n\
                  To: <sip:bob@192.0.2.2>\r\nCall-ID: old\r\nCSeq: 1 INVITE\r\nContact: <sip:old@192.0.2.9>\r\n\
                  Content-Length: 0\r\n\r\n";
    world.inject(address(9), address(2), invite);
    world.inject(address(9), address(2), invite);
    world.run(15);
    let b = world.invited(1);
    world.with(1, |bob, now| bob.refuse(now, b, 486, Vec::new()));
    let to = field(world.last("486 INVITE"), "To").to_owned();
    let ack = invite.replace("INVITE", "ACK").replace("To: <sip:bob@192.0.2.2>", &format!("To: {to}"));
    world.inject(address(9), address(2), &ack);
    world.run(10_000);

    assert_eq!(
        world.ladder(),
        ["192.0.2.9 INVITE", "192.0.2.9 INVITE", "bob 100 INVITE", "bob 100 INVITE", "bob 486 INVITE", "192.0.2.9 ACK"]
    );
    assert_eq!(world.events(1), ["Invited"]);
}

#[test]
fn a_stateless_refusal_has_the_same_tag_for_every_copy_and_leaves_nothing() {
    let mut world = World::new();
    world.invite();
    let invite = world.last("INVITE").to_owned();
    let Ok(Message::Request(request)) = Message::parse(&invite.into_bytes().into()) else { panic!("it parses") };
    let flow = crate::network::flow(address(2), address(1));
    assert!(!world.bob().knows(flow, &request));
    let mut tags = Vec::new();
    for _ in 0..2 {
        world.with(1, |bob, _| bob.reply_statelessly(flow, &request, 403, Vec::new()));
        tags.push(field(world.last("403 INVITE"), "To").to_owned());
    }

    assert_eq!(tags[0], tags[1]);
    assert!(tags[0].contains(";tag="));
    assert!(world.bob().at_rest());
}
