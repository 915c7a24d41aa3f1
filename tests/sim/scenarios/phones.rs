//! Phones and carriers with ways of their own: keys in INFO, forwarding, sessions that want refreshing (model.md,
//! interop traps).

use crate::drive::{ANNA, BEN};
use crate::products::fonolo;
use crate::site::{DID, secs};
use crate::world::{TRUNK, World};
use ringback::callback::task::{Outcome, TaskState};
use ringback::demo::endpoint::{CallId, EndedBy, Event};
use ringback::demo::person::Person;
use ringback::demo::session::Direction;
use ringback::media::Play;
use ringback::settings::Sound;
use std::time::Duration;

/// A key of an old phone.
fn inform(world: &mut World, station: usize, call: CallId, key: char) {
    let now = world.now;
    world.stations[station].endpoint.inform(now, call, key);
    world.run_for(Duration::from_millis(500));
}

// Interop trap: DTMF in SIP INFO. Whoever waits asks for a callback by it, and the agent starts it, and asks for
// another try (S2.9, S4.7, S4.6).
#[test]
fn keys_in_info_are_keys() {
    let mut world = World::with(1, |site| {
        fonolo(site);
        (site.profiles[0].agent_prompt, site.profiles[0].customer_prompt) = (Sound::Silent, Sound::Silent);
    });
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    inform(&mut world, TRUNK, call, '1');
    let leg = world.leg_of(TRUNK, call).expect("her leg");
    assert_eq!(world.spoken(leg), ["confirm_number"]);
    inform(&mut world, TRUNK, call, '#');
    world.run_until("she is sent home", secs(20), |world| !world.is_busy(TRUNK, alice));
    assert_eq!(world.tasks()[0].number.to_string(), super::ALICE);
    assert_eq!(world.ladder.count("ringback", "alice", "200 OK"), 3, "the call and two keys");

    world.register(&[ANNA]);
    let agent = world.rings(ANNA, secs(5));
    world.answer(ANNA, agent);
    world.run_for(secs(3));
    assert!(!world.is_busy(TRUNK, alice), "not before the key");
    inform(&mut world, ANNA, agent, '1');
    let call = world.rings_at(alice, secs(1));
    world.answer(TRUNK, call);
    world.run_for(secs(10));
    inform(&mut world, ANNA, agent, '9');
    world.hang_up(ANNA, agent);
    world.run_for(secs(1));

    assert_eq!(world.attempts()[0].outcome, Some(Outcome::VoicemailAgent));
    assert_eq!(world.tasks()[0].state, TaskState::WaitingRetry);
}

/// anna's phone forwards to ben's extension, or to the outside.
fn forwards(world: &mut World, call: CallId, to: &str) {
    let now = world.now;
    let contact = format!("<sip:{to}@10.0.0.1>");
    world.stations[ANNA].endpoint.refuse_with(now, call, 302, &[("Contact", contact)]);
}

// Interop trap: an agent's phone that forwards. 302 is an agent who is not there: where it leads nobody is rung, be it
// a voicemail or another phone; the callback stays unburnt and goes to the next agent (S2.19).
#[test]
fn a_forwarded_phone_is_an_agent_who_is_not_there() {
    for to in ["+12025550199", "1003"] {
        let mut world = World::new(1);
        world.customer(Person::new("voicemail", "+12025550199"));
        let alice = world.promised("alice", super::ALICE);
        world.register(&[ANNA]);
        let call = world.rings(ANNA, secs(5));
        world.register(&[BEN, crate::drive::CARL]);
        world.ask(ringback::switch::command::Command::PauseAgent { agent: "carl".to_owned(), reason: None });
        forwards(&mut world, call, to);

        let second = world.rings(BEN, secs(1));
        assert_eq!(world.attempts()[0].outcome, Some(Outcome::AgentNoAnswer));
        assert_eq!((world.tasks()[0].attempts_used, world.agent("anna").state), (0, "ready"));
        world.answer(BEN, second);
        let customer = world.rings_at(alice, secs(20));
        world.answer(TRUNK, customer);
        world.run_for(secs(20));
        world.hang_up(TRUNK, customer);
        world.run_for(secs(30));

        assert_eq!(world.tasks()[0].state, TaskState::Completed);
        assert_eq!(world.invites(TRUNK).len(), 1, "{to}: alice alone is dialled");
        assert!(world.invites(crate::drive::CARL).is_empty(), "{to}");
        world.assert_rest();
    }
}

// The same for a caller in line: he goes on hearing music, and the next agent is rung.
#[test]
fn a_caller_is_not_sent_where_a_phone_forwards_to() {
    let mut world = World::new(1);
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    world.register(&[ANNA]);
    let first = world.rings(ANNA, secs(5));
    world.register(&[BEN]);
    forwards(&mut world, first, "+12025550199");

    let second = world.rings(BEN, secs(1));
    assert!(world.invites(TRUNK).is_empty());
    world.answer(BEN, second);
    world.run_for(secs(5));
    assert!(world.is_up(TRUNK, call) && world.is_up(BEN, second));
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));
    world.assert_rest();
}

/// alice waits; her carrier speaks of session timers (RFC 4028).
fn timed(world: &mut World, refresher: &str) -> CallId {
    let alice = world.customer(Person::new("alice", super::ALICE));
    let now = world.now;
    let more = [
        ("P-Asserted-Identity", format!("<sip:{}@198.51.100.5>", super::ALICE)),
        ("Supported", "timer".to_owned()),
        ("Session-Expires", format!("1800;refresher={refresher}")),
    ];
    let call = world.stations[TRUNK].dial_saying(now, alice, DID, &more);
    world.run_until("she is in line", secs(5), |world| world.is_up(TRUNK, call));
    world.run_for(secs(1));
    call
}

fn still_waits(world: &mut World, call: CallId) {
    let leg = world.leg_of(TRUNK, call).expect("her leg");
    assert!(world.is_up(TRUNK, call) && world.heard(TRUNK, |event| matches!(event, Event::Ended(..))).is_none());
    assert!(matches!(world.shard.legs[&leg].play, Some((_, Play::Hold(_)))), "and hears music");
    let line = world.line();
    assert_eq!((line.len(), line[0].number.as_str()), (1, super::ALICE));
}

// Interop trap: session-timer refresh during a long wait. RFC 4028 §10: the carrier refreshes by UPDATE and re-INVITE,
// and the caller waits on at his place.
#[test]
fn a_refreshed_session_waits_on() {
    let mut world = World::new(1);
    let call = timed(&mut world, "uac");

    for n in 0..4 {
        world.run_for(secs(900));
        let now = world.now;
        match n % 2 {
            0 => world.stations[TRUNK].endpoint.refresh(now, call),
            _ => world.stations[TRUNK].endpoint.change(now, call, Direction::SendRecv),
        }
    }
    world.run_for(secs(1_700));

    assert_eq!(world.ladder.count("alice", "ringback", "UPDATE"), 2);
    assert_eq!(world.ladder.count("ringback", "alice", "200 OK"), 5, "the INVITE and each refresh");
    still_waits(&mut world, call);
    assert!(world.line()[0].wait_secs >= 5_300);
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));
    world.assert_rest();
}

// RFC 4028 §10: a carrier that was to refresh and does not is gone: BYE 32 s before the interval ends, and the place is
// free.
#[test]
fn a_session_that_is_not_refreshed_ends() {
    let mut world = World::new(1);
    let call = timed(&mut world, "uac");
    let answered = world.ladder.first("ringback", "alice", "200 OK").expect("it was answered");

    world.run_until("it ends", secs(1_800), |world| !world.is_up(TRUNK, call));

    assert!(world.heard(TRUNK, |event| matches!(event, Event::Ended(_, EndedBy::Bye))).is_some());
    let bye = world.ladder.first("ringback", "alice", "BYE").expect("we hang up");
    assert_eq!(bye.since(answered), secs(1_768));
    assert!(world.line().is_empty());
    world.assert_rest();
}

// RFC 4028 §7.2: where the refreshing is ours, it is done at half the interval, each time.
#[test]
fn we_refresh_where_we_are_to() {
    let mut world = World::new(1);
    let call = timed(&mut world, "uas");
    let answered = world.ladder.first("ringback", "alice", "200 OK").expect("it was answered");
    world.run_for(secs(898));
    let asked = |world: &World| {
        world.ladder.count("ringback", "alice", "UPDATE") + world.ladder.count("ringback", "alice", "INVITE")
    };
    assert_eq!(asked(&world), 0);
    world.run_until("it is refreshed", secs(5), |world| asked(world) == 1);
    assert_eq!(world.now.since(answered).as_secs(), 900);

    world.run_for(secs(2_701)); // Each interval begins with the answer to the refresh before.

    assert_eq!(asked(&world), 4);
    still_waits(&mut world, call);
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));
    world.assert_rest();
}
