//! Calls from INVITE to BYE, with and without loss (RFC 3261 §13, §15; RFC 3665 §3.1, §3.2).

use crate::network::{ANSWER, OFFER, World, address, field, reply};
use bytes::Bytes;

#[test]
fn a_call_is_rung_answered_and_hung_up() {
    let mut world = World::new();
    let a = world.invite();
    world.run(20);
    let b = world.invited(1);
    world.with(1, |bob, now| bob.ring(now, b, None));
    world.run(20);
    world.with(1, |bob, now| bob.answer(now, b, Bytes::from(ANSWER)));
    world.run(60);
    world.with(0, |alice, now| alice.hang_up(now, a, None));
    world.run(60);

    assert_eq!(
        world.ladder(),
        ["alice INVITE", "bob 100 INVITE", "bob 180 INVITE", "bob 200 INVITE", "alice ACK", "alice BYE", "bob 200 BYE"]
    );
    assert_eq!(world.events(0), ["Progress 180 -", "Answered answer"]);
    assert_eq!(world.events(1), ["Invited", "Confirmed -", "Ended Bye"]);
    assert_eq!(
        world.sides[0].traces,
        [
            "-> INVITE",
            "<- 100 Trying (INVITE)",
            "<- 180 Ringing (INVITE)",
            "<- 200 OK (INVITE)",
            "-> ACK",
            "-> BYE",
            "<- 200 OK (BYE)"
        ]
    );
    world.settle();
}

#[test]
fn the_called_side_hangs_up() {
    let mut world = World::new();
    let (_, b) = world.established();
    world.with(1, |bob, now| bob.hang_up(now, b, Some("Q.850;cause=16")));
    world.run(60);

    assert_eq!(world.ladder(), ["bob BYE", "alice 200 BYE"]);
    assert_eq!(field(world.last("BYE"), "Reason"), "Q.850;cause=16");
    assert_eq!(world.events(0), ["Ended Bye"]);
    assert!(world.events(1).is_empty());
    world.settle();
}

#[test]
fn a_lost_invite_is_sent_again_and_its_copy_is_answered_from_the_transaction() {
    let mut world = World::new();
    world.lose(|_, what, n| n == 1 && (what == "INVITE" || what == "100 INVITE"));
    world.invite();
    world.run(2_000);

    assert_eq!(
        world.ladder(),
        ["alice INVITE (lost)", "alice INVITE", "bob 100 INVITE (lost)", "alice INVITE", "bob 100 INVITE"]
    );
    assert_eq!(world.events(1), ["Invited"]);
    assert_eq!(world.sides[1].traces.last().map(String::as_str), Some("-> 100 Trying (INVITE) (again)"));
}

#[test]
fn a_lost_ack_brings_the_200_again_and_each_copy_is_acked() {
    let mut world = World::new();
    world.lose(|_, what, n| what == "ACK" && n <= 2);
    world.invite();
    world.run(20);
    let b = world.invited(1);
    world.with(1, |bob, now| bob.answer(now, b, Bytes::from(ANSWER)));
    world.run(5_000);

    assert_eq!(
        world.ladder(),
        [
            "alice INVITE",
            "bob 100 INVITE",
            "bob 200 INVITE",
            "alice ACK (lost)",
            "bob 200 INVITE",
            "alice ACK (lost)",
            "bob 200 INVITE",
            "alice ACK"
        ]
    );
    assert_eq!(world.events(0), ["Answered answer"]);
    assert_eq!(world.events(1), ["Invited", "Confirmed -"]);
}

#[test]
fn a_200_that_is_never_acked_ends_in_bye() {
    let mut world = World::new();
    world.lose(|_, what, _| what == "ACK");
    world.invite();
    world.run(20);
    let b = world.invited(1);
    world.with(1, |bob, now| bob.answer(now, b, Bytes::from(ANSWER)));
    world.run(31_800);
    let copies = world.ladder().iter().filter(|line| *line == "bob 200 INVITE").count();
    world.run(2_000);

    assert_eq!(copies, 11); // At 0, 0.5, 1.5, 3.5, 7.5, then every 4 s.
    assert_eq!(world.ladder(), ["bob BYE", "alice 200 BYE"]);
    assert_eq!(world.events(1), ["Invited", "Ended NoAck"]);
    assert_eq!(world.events(0), ["Answered answer", "Ended Bye"]);
    world.settle();
}

#[test]
fn hanging_up_before_the_ack_waits_for_it() {
    let mut world = World::new();
    world.invite();
    world.run(20);
    let b = world.invited(1);
    world.with(1, |bob, now| {
        bob.answer(now, b, Bytes::from(ANSWER));
        bob.hang_up(now, b, None);
    });
    world.run(100);

    let ladder = world.ladder();
    assert_eq!(ladder[2..], ["bob 200 INVITE", "alice ACK", "bob BYE", "alice 200 BYE"]);
    assert_eq!(world.events(1), ["Invited"]);
    world.settle();
}

#[test]
fn a_refused_call_is_acked_by_the_transaction() {
    let mut world = World::new();
    world.lose(|_, what, n| what == "ACK" && n == 1);
    world.invite();
    world.run(20);
    let b = world.invited(1);
    world.with(1, |bob, now| bob.refuse(now, b, 486, Vec::new()));
    world.run(1_000);

    assert_eq!(
        world.ladder(),
        ["alice INVITE", "bob 100 INVITE", "bob 486 INVITE", "alice ACK (lost)", "bob 486 INVITE", "alice ACK"]
    );
    assert_eq!(world.events(0), ["Refused 486"]);
    world.settle();
}

#[test]
fn an_offer_in_the_200_is_answered_in_the_ack() {
    let mut world = World::new();
    let invite = "INVITE sip:bob@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKd1;rport\r\n\
         From: <sip:carol@192.0.2.9>;tag=c\r\nTo: <sip:bob@192.0.2.2>\r\nCall-ID: late\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:carol@192.0.2.9>\r\nContent-Length: 0\r\n\r\n";
    world.inject(address(9), address(2), invite);
    world.run(20);
    let b = world.invited(1);
    world.with(1, |bob, now| bob.answer(now, b, Bytes::from(OFFER)));
    world.run(20);
    let to = field(world.last("200 INVITE"), "To").to_owned();
    let ack = format!(
        "ACK sip:bob@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKd2;rport\r\n\
         From: <sip:carol@192.0.2.9>;tag=c\r\nTo: {to}\r\nCall-ID: late\r\nCSeq: 1 ACK\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{ANSWER}",
        ANSWER.len()
    );
    world.inject(address(9), address(2), &ack);
    world.run(20);

    assert_eq!(world.events(1), ["Invited", "Confirmed answer"]);
}

#[test]
fn a_second_forks_200_is_acked_and_ended() {
    let mut world = World::new();
    let invite = world.invite_to(&[address(9)]);
    world.send_invite(invite);
    world.run(20);
    let request = world.last("INVITE").to_owned();
    let contact = |user: &str| format!("Contact: <sip:{user}@192.0.2.9>\r\n");
    for (status, tag, body) in [("180 Ringing", "one", ""), ("200 OK", "two", ANSWER), ("200 OK", "one", ANSWER)] {
        world.inject(address(9), address(1), &reply(&request, status, tag, &contact(tag), body));
        world.run(20);
    }

    assert_eq!(
        world.ladder(),
        [
            "alice INVITE",
            "192.0.2.9 180 INVITE",
            "192.0.2.9 200 INVITE",
            "alice ACK",
            "192.0.2.9 200 INVITE",
            "alice ACK",
            "alice BYE"
        ]
    );
    assert!(world.last("BYE").starts_with("BYE sip:one@192.0.2.9 "), "the fork that came second is ended");
    assert_eq!(world.events(0), ["Progress 180 -", "Answered answer"]);
    let bye = world.last("BYE").to_owned();
    world.inject(address(9), address(1), &reply(&bye, "200 OK", "", "", ""));
    world.run(60);
    assert_eq!(world.alice().counts().legs, 1);
}

#[test]
fn an_early_description_serves_when_the_200_has_none() {
    let mut world = World::new();
    let invite = world.invite_to(&[address(9)]);
    world.send_invite(invite);
    world.run(20);
    let request = world.last("INVITE").to_owned();
    world.inject(address(9), address(1), &reply(&request, "183 Session Progress", "x", "", ANSWER));
    world.run(20);
    world.inject(address(9), address(1), &reply(&request, "200 OK", "x", "Contact: <sip:x@192.0.2.9>\r\n", ""));
    world.run(20);

    assert_eq!(world.events(0), ["Progress 183 answer", "Answered answer"]);
}

#[test]
fn a_call_lives_through_one_loss_in_four() {
    for seed in 0..40 {
        let mut world = World::new();
        let mut dice = ringback::entropy::Entropy::from_seed(seed);
        world.lose(move |_, _, _| dice.below(4) == 0);
        let a = world.invite();
        world.run(40_000);
        let refused = world.events(0).contains(&"Refused 408 local".to_owned());
        if refused {
            continue; // All seven copies were lost.
        }
        let b = world.invited(1);
        world.with(1, |bob, now| bob.answer(now, b, Bytes::from(ANSWER)));
        world.run(20_000);
        assert_eq!(world.events(0), ["Answered answer"], "seed {seed}");
        world.with(0, |alice, now| alice.hang_up(now, a, None));
        world.settle();
    }
}
