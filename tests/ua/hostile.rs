//! Nonsense from every side: requests and responses that fit in some parts and not in others, at any time, between
//! actions of the switch in any order. Nothing may panic, and in the end nothing may be left (law 7).

use crate::network::{ANSWER, OFFER, World, address, credentials, field, flow, is_asked, is_asked_as, options, reply};
use bytes::Bytes;
use ringback::entropy::Entropy;
use ringback::id::LegRef;
use ringback::sip::user_agent::Reach;

const METHODS: [&str; 9] = ["INVITE", "ACK", "CANCEL", "BYE", "UPDATE", "INFO", "OPTIONS", "REGISTER", "REFER"];
const STATUSES: [u16; 16] = [100, 180, 183, 200, 202, 301, 401, 407, 408, 422, 481, 487, 491, 500, 503, 603];

#[test]
fn nonsense_neither_panics_nor_stays() {
    for seed in 0..60 {
        let mut dice = Entropy::from_seed(seed);
        let mut world = World::new();
        let mut losses = dice.fork();
        world.lose(move |_, _, _| losses.below(10) == 0);
        for _ in 0..dice.below(120) {
            step(&mut world, &mut dice);
        }
        world.lose(|_, _, _| false);
        for _ in 0..3 {
            end_everything(&mut world);
            world.run(40_000); // What was still on its way arrives.
        }
        world.settle();
    }
}

fn end_everything(world: &mut World) {
    for leg in 0..200 {
        world.with(0, |alice, now| alice.hang_up(now, LegRef(leg), None));
        world.with(1, |bob, now| bob.hang_up(now, LegRef(leg), None));
    }
    for side in 0..2 {
        while world.sides[side].events.iter().any(is_asked) {
            let (transaction, _) = world.asked(side);
            world.sides[side].events.retain(|event| !is_asked_as(event, transaction));
            world.with(side, |agent, now| agent.respond(now, transaction, 200, Vec::new()));
        }
    }
}

fn step(world: &mut World, dice: &mut Entropy) {
    let side = usize::try_from(dice.below(2)).expect("0 or 1");
    let leg = LegRef(1 + dice.below(6));
    match dice.below(16) {
        0 => {
            let mut invite = world.invite_to(&[address(2), address(9)]);
            invite.credentials = credentials();
            invite.reach = if dice.below(2) == 0 { Reach::Flow } else { Reach::Contact };
            world.send_invite(invite);
        }
        1 => {
            world.with(0, |alice, now| alice.request(now, options(address(2))));
        }
        2 => world.with(side, |agent, now| agent.ring(now, leg, Some(Bytes::from(ANSWER)))),
        3 => world.with(side, |agent, now| agent.answer(now, leg, Bytes::from(ANSWER))),
        4 => world.with(side, |agent, now| agent.accept_offer(now, leg, Bytes::from(ANSWER))),
        5 => world.with(side, |agent, now| agent.refuse_offer(now, leg, 488)),
        6 => world.with(side, |agent, now| agent.reoffer(now, leg, Bytes::from(OFFER))),
        7 if dice.below(3) == 0 => world.with(side, |agent, now| agent.hang_up(now, leg, None)),
        8 if dice.below(3) == 0 => world.with(side, |agent, now| agent.refuse(now, leg, 486, Vec::new())),
        9 => {
            let flow = flow(address(1), address([2, 9][side]));
            world.with(0, |alice, now| alice.flow_lost(now, flow));
        }
        10..=12 => forge_request(world, dice, side),
        13 | 14 => forge_response(world, dice),
        _ => world.run([1, 30, 700, 5_000, 40_000, 1_000_000][usize::try_from(dice.below(6)).expect("below 6")]),
    }
}

/// A request made of pieces of what was sent before.
fn forge_request(world: &mut World, dice: &mut Entropy, side: usize) {
    let Some(old) = pick(world, dice) else { return };
    let method = METHODS[usize::try_from(dice.below(9)).expect("below 9")];
    let branch = if dice.below(3) == 0 { field(&old, "Via").to_owned() } else { new_via(dice) };
    let (one, other) = if dice.below(2) == 0 { ("From", "To") } else { ("To", "From") };
    let body = [OFFER, "", "Signal=1\r\n"][usize::try_from(dice.below(3)).expect("below 3")];
    let kind = ["application/sdp", "application/dtmf-relay", "text/plain"][usize::try_from(dice.below(3)).expect("3")];
    let text = format!(
        "{method} sip:bob@192.0.2.2 SIP/2.0\r\nVia: {branch}\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\n\
         CSeq: {} {method}\r\nContact: <sip:x@192.0.2.9>\r\nSupported: timer\r\nSession-Expires: {}\r\n\
         Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
        field(&old, one),
        field(&old, other),
        field(&old, "Call-ID"),
        dice.below(5),
        [60, 90, 1800][usize::try_from(dice.below(3)).expect("below 3")],
        body.len()
    );
    let from = [address(1), address(2), address(9)][usize::try_from(dice.below(3)).expect("below 3")];
    world.inject(from, address([1, 2][side]), &text);
}

/// A response to something that was sent.
fn forge_response(world: &mut World, dice: &mut Entropy) {
    let Some(old) = pick(world, dice) else { return };
    let status = STATUSES[usize::try_from(dice.below(16)).expect("below 16")];
    let tag = ["a", "b", "c", ""][usize::try_from(dice.below(4)).expect("below 4")];
    let more = [
        "",
        "Contact: <sip:x@192.0.2.9>\r\n",
        "Contact: <sip:x@192.0.2.9>\r\nSession-Expires: 90;refresher=uac\r\nRecord-Route: <sip:192.0.2.9>\r\n",
        "WWW-Authenticate: Digest realm=\"trunk\", nonce=\"n\", qop=\"auth\", stale=true\r\nMin-SE: 2000\r\n",
    ][usize::try_from(dice.below(4)).expect("below 4")];
    let body = if dice.below(2) == 0 { ANSWER } else { "" };
    world.inject(address(9), address(1), &reply(&old, &format!("{status} Forged"), tag, more, body));
}

fn pick(world: &World, dice: &mut Entropy) -> Option<String> {
    let count = u64::try_from(world.sent.len()).expect("few");
    let at = usize::try_from(dice.below(count.max(1))).expect("few");
    world.sent.get(at).map(|(_, _, text)| text.clone())
}

fn new_via(dice: &mut Entropy) -> String {
    format!("SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK{};rport", dice.below(1_000))
}
