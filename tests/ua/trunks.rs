//! What trunks do: challenges, silence, 503, Record-Route (RFC 3261 §22, §12.2, RFC 3263 §4.3; security.md T12, T13).

use crate::network::{ANSWER, World, address, credentials, field, flow, options, reply};
use ringback::sip::user_agent::Reach;

const CHALLENGE: &str = "Digest realm=\"trunk\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"";

fn challenge(world: &World, status: &str, value: &str) -> String {
    let name = if status.starts_with("401") { "WWW-Authenticate" } else { "Proxy-Authenticate" };
    reply(world.last("INVITE"), status, "c", &format!("{name}: {value}\r\n"), "")
}

#[test]
fn a_challenge_is_answered_once() {
    let mut world = World::new();
    let mut invite = world.invite_to(&[address(9)]);
    invite.credentials = credentials();
    world.send_invite(invite);
    let first = world.last("INVITE").to_owned();
    let text = challenge(&world, "407 Proxy Authentication Required", CHALLENGE);
    world.inject(address(9), address(1), &text);
    world.run(20);

    let again = world.last("INVITE").to_owned();
    assert_eq!(world.ladder(), ["alice INVITE", "192.0.2.9 407 INVITE", "alice ACK", "alice INVITE"]);
    assert_eq!(field(&again, "CSeq"), "2 INVITE");
    assert_eq!(field(&again, "Call-ID"), field(&first, "Call-ID"));
    assert_eq!(field(&again, "From"), field(&first, "From"));
    assert_ne!(field(&again, "Via"), field(&first, "Via"));
    let answer = field(&again, "Proxy-Authorization");
    assert!(answer.contains("username=\"alice\"") && answer.contains("nc=00000001") && answer.contains("qop=auth"));

    // The same secret on a new nonce without `stale`: refused is refused.
    let text = challenge(&world, "407 Again", &CHALLENGE.replace("n1", "n2"));
    world.inject(address(9), address(1), &text);
    world.run(20);
    assert_eq!(world.events(0), ["Refused 407"]);
    world.settle();
}

#[test]
fn an_endless_challenger_hears_three_requests_at_most() {
    let mut world = World::new();
    let mut invite = world.invite_to(&[address(9)]);
    invite.credentials = credentials();
    world.send_invite(invite);
    for n in 0..9 {
        let text = challenge(&world, "401 No", &format!("{CHALLENGE}, stale=true").replace("n1", &format!("n{n}")));
        world.inject(address(9), address(1), &text);
        world.run(20);
    }

    let invites = world.ladder().iter().filter(|line| *line == "alice INVITE").count();
    assert_eq!(invites, 3);
    assert_eq!(world.events(0), ["Refused 401"]);
}

#[test]
fn a_challenge_of_another_realm_or_address_gets_nothing() {
    for (from, realm) in [(address(9), "elsewhere"), (address(66), "trunk")] {
        let mut world = World::new();
        let mut invite = world.invite_to(&[address(9)]);
        invite.credentials = credentials();
        world.send_invite(invite);
        let text = challenge(&world, "401 No", &CHALLENGE.replace("trunk", realm));
        world.inject(from, address(1), &text);
        world.run(100);

        assert!(world.sent.iter().all(|(_, _, text)| !text.contains("Authorization:")));
        assert_eq!(world.events(0), ["Refused 401"]);
    }
}

#[test]
fn a_call_without_credentials_answers_no_challenge_to_its_bye() {
    let mut world = World::new();
    let (_, b) = world.established();
    world.lose(|who, what, _| (who, what) == ("alice", "200 BYE"));
    world.with(1, |bob, now| bob.hang_up(now, b, None));
    let bye = world.last("BYE").to_owned();
    let text = reply(&bye, "407 No", "", &format!("Proxy-Authenticate: {CHALLENGE}\r\n"), "");
    world.inject(address(1), address(2), &text);
    world.run(1_000);

    assert!(world.sent.iter().all(|(_, _, text)| !text.contains("Authorization:")));
}

#[test]
fn a_challenged_bye_is_sent_again_with_credentials() {
    let mut world = World::new();
    let mut invite = world.invite_to(&[address(9)]);
    invite.credentials = credentials();
    let a = world.send_invite(invite);
    let request = world.last("INVITE").to_owned();
    world.inject(address(9), address(1), &reply(&request, "200 OK", "x", "Contact: <sip:x@192.0.2.9>\r\n", ANSWER));
    world.run(20);
    world.with(0, |alice, now| alice.hang_up(now, a, None));
    let bye = world.last("BYE").to_owned();
    let text = reply(&bye, "407 No", "", &format!("Proxy-Authenticate: {CHALLENGE}\r\n"), "");
    world.inject(address(9), address(1), &text);
    world.run(20);

    let again = world.last("BYE").to_owned();
    assert!(field(&again, "Proxy-Authorization").starts_with("Digest "));
    assert_eq!(field(&again, "CSeq"), "3 BYE");
}

#[test]
fn the_next_flow_is_tried_on_silence() {
    let mut world = World::new();
    let invite = world.invite_to(&[address(9), address(2)]);
    world.send_invite(invite);
    world.run(32_100);

    let ladder = world.ladder();
    assert_eq!(ladder.iter().filter(|line| *line == "alice INVITE").count(), 8);
    assert_eq!(ladder.last().map(String::as_str), Some("bob 100 INVITE"));
    assert_eq!(world.events(1), ["Invited"]);
    assert!(world.events(0).is_empty());
}

#[test]
fn the_next_flow_is_tried_on_503_but_not_after_a_provisional() {
    let mut world = World::new();
    let invite = world.invite_to(&[address(9), address(2)]);
    world.send_invite(invite);
    let request = world.last("INVITE").to_owned();
    world.inject(address(9), address(1), &reply(&request, "503 Busy", "x", "", ""));
    world.run(50);
    assert_eq!(world.ladder(), ["alice INVITE", "192.0.2.9 503 INVITE", "alice ACK", "alice INVITE", "bob 100 INVITE"]);

    let mut world = World::new();
    let invite = world.invite_to(&[address(9), address(2)]);
    world.send_invite(invite);
    let request = world.last("INVITE").to_owned();
    world.inject(address(9), address(1), &reply(&request, "100 Trying", "", "", ""));
    world.inject(address(9), address(1), &reply(&request, "503 Busy", "x", "", ""));
    world.run(50);
    assert_eq!(world.events(0), ["Refused 503"]);
}

#[test]
fn a_200_that_comes_after_we_have_gone_on_is_acked_and_ended() {
    let mut world = World::new();
    let invite = world.invite_to(&[address(9), address(2)]);
    world.send_invite(invite);
    let request = world.last("INVITE").to_owned();
    world.run(32_100);
    world.ladder();
    let late = reply(&request, "200 OK", "late", "Contact: <sip:late@192.0.2.9>\r\n", ANSWER);
    world.inject(address(9), address(1), &late);
    world.inject(address(9), address(1), &late);
    world.run(50);

    assert_eq!(world.ladder(), ["192.0.2.9 200 INVITE", "192.0.2.9 200 INVITE", "alice ACK", "alice BYE", "alice ACK"]);
    assert!(world.events(0).is_empty());
    assert_eq!(world.alice().counts().legs, 1);
}

#[test]
fn a_challenge_from_an_address_the_peer_has_named_gets_nothing() {
    let mut world = World::new();
    let mut invite = world.invite_to(&[address(9)]);
    (invite.credentials, invite.reach) = (credentials(), Reach::Contact);
    let a = world.send_invite(invite);
    let request = world.last("INVITE").to_owned();
    world.inject(address(9), address(1), &reply(&request, "200 OK", "x", "Contact: <sip:x@192.0.2.66>\r\n", ANSWER));
    world.run(20);
    world.with(0, |alice, now| alice.hang_up(now, a, None));
    let bye = world.last("BYE").to_owned();
    let text = reply(&bye, "407 No", "", &format!("Proxy-Authenticate: {CHALLENGE}\r\n"), "");
    world.inject(address(66), address(1), &text);
    world.run(100);

    assert!(world.sent.iter().all(|(_, _, text)| !text.contains("Authorization:")));
    assert_eq!(world.ladder().iter().filter(|line| *line == "alice BYE").count(), 1);
}

#[test]
fn a_dead_flow_is_left_at_once() {
    let mut world = World::new();
    let invite = world.invite_to(&[address(9), address(2)]);
    world.send_invite(invite);
    world.with(0, |alice, now| alice.flow_lost(now, flow(address(1), address(9))));
    world.run(50);
    assert_eq!(world.ladder(), ["alice INVITE", "alice INVITE", "bob 100 INVITE"]);

    world.with(0, |alice, now| alice.flow_lost(now, flow(address(1), address(2))));
    world.run(50);
    assert!(world.events(0).is_empty(), "the far end has the INVITE: its answer may still come");
}

#[test]
fn silence_everywhere_is_a_local_408() {
    let mut world = World::new();
    let invite = world.invite_to(&[address(9)]);
    world.send_invite(invite);
    world.run(33_000);

    assert_eq!(world.ladder(), vec!["alice INVITE"; 7]);
    assert_eq!(world.events(0), ["Refused 408 local"]);
    world.settle();
}

#[test]
fn the_record_route_is_followed_backwards() {
    let mut world = World::new();
    let mut invite = world.invite_to(&[address(9)]);
    invite.reach = Reach::Contact;
    let a = world.send_invite(invite);
    let request = world.last("INVITE").to_owned();
    let more = "Record-Route: <sip:192.0.2.31;lr>, <sip:192.0.2.30:5070;lr>\r\nContact: <sip:x@192.0.2.50:5090>\r\n";
    world.inject(address(9), address(1), &reply(&request, "200 OK", "x", more, ANSWER));
    world.run(20);
    world.with(0, |alice, now| alice.hang_up(now, a, None));

    let (_, to, bye) = world.sent.last().unwrap().clone();
    assert!(bye.starts_with("BYE sip:x@192.0.2.50:5090 SIP/2.0\r\n"));
    assert_eq!(to.to_string(), "192.0.2.30:5070");
    let routes: Vec<&str> = bye.lines().filter(|line| line.starts_with("Route:")).collect();
    assert_eq!(routes, ["Route: <sip:192.0.2.30:5070;lr>", "Route: <sip:192.0.2.31;lr>"]);
}

#[test]
fn a_strict_router_finds_itself_in_the_request_uri() {
    let mut world = World::new();
    let mut invite = world.invite_to(&[address(9)]);
    invite.reach = Reach::Contact;
    let a = world.send_invite(invite);
    let request = world.last("INVITE").to_owned();
    let more = "Record-Route: <sip:192.0.2.30>\r\nContact: <sip:x@192.0.2.50>\r\n";
    world.inject(address(9), address(1), &reply(&request, "200 OK", "x", more, ANSWER));
    world.run(20);
    world.with(0, |alice, now| alice.hang_up(now, a, None));

    let bye = world.last("BYE");
    assert!(bye.starts_with("BYE sip:192.0.2.30 SIP/2.0\r\n"));
    assert_eq!(field(bye, "Route"), "<sip:x@192.0.2.50>");
}

#[test]
fn a_peer_behind_nat_is_reached_where_it_comes_from() {
    let mut world = World::new();
    world.nat.insert(address(1), "198.51.100.7:40000".parse().unwrap());
    let (_, b) = world.established();
    let via = field(world.last("200 INVITE"), "Via").to_owned();
    assert!(via.contains("received=198.51.100.7") && via.contains("rport=40000"), "{via}");
    world.with(1, |bob, now| bob.hang_up(now, b, None));
    world.run(50);

    assert!(world.last("BYE").starts_with("BYE sip:alice@192.0.2.1:5060 "), "its Contact, though it leads nowhere");
    assert_eq!(world.ladder(), ["bob BYE", "alice 200 BYE"]);
    assert_eq!(world.events(0), ["Ended Bye"]);
}

#[test]
fn an_options_is_asked_and_answered() {
    let mut world = World::new();
    world.with(0, |alice, now| alice.request(now, options(address(2))));
    world.run(15);
    let (transaction, _) = world.asked(1);
    world.with(1, |bob, now| bob.respond(now, transaction, 200, vec![("X-Test", "1".into())]));
    world.run(15);

    assert_eq!(world.ladder(), ["alice OPTIONS", "bob 200 OPTIONS"]);
    assert!(field(world.last("200 OPTIONS"), "Allow").contains("UPDATE"));
    assert_eq!(world.events(0), ["Response 200"]);
    world.settle();
}

#[test]
fn a_request_nobody_answers_tries_every_flow() {
    let mut world = World::new();
    let mut request = options(address(9));
    request.flows.push(flow(address(1), address(10)));
    world.with(0, |alice, now| alice.request(now, request));
    world.run(70_000);

    assert_eq!(world.events(0), ["Response none"]);
    assert_eq!(world.mail.iter().filter(|(to, _)| *to == address(10)).count(), 11);
    world.settle();
}
