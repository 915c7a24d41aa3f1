//! Plain calls: phone to phone, phone to the world, and SIP's odd moments.

use crate::drive::{ANNA, BEN, DORA};
use crate::site::secs;
use crate::world::{TRUNK, World};
use ringback::demo::endpoint::{EndedBy, Event};
use ringback::demo::person::{Person, Reaction};
use ringback::demo::session::Direction;
use ringback::settings::CallerId;
use ringback::switch::command::Command;

#[test]
fn a_phone_calls_another_phone() {
    let mut world = World::new(1);
    world.register(&[ANNA, DORA]);

    let call = world.dial(DORA, "1001");
    let ringing = world.rings(ANNA, secs(2));
    world.run_for(secs(3));
    world.answer(ANNA, ringing);
    world.run_for(secs(10));
    assert!(world.is_up(DORA, call) && world.is_up(ANNA, ringing));
    world.hang_up(ANNA, ringing);
    world.run_for(secs(1));

    world.assert_ladder("phone_calls_phone");
    world.assert_rest();
}

#[test]
fn a_phone_calls_out_through_a_route_and_shows_our_number() {
    let mut world = World::new(1);
    let soon = Reaction::Answer { after: secs(4), early: false };
    world.customer(Person::new("alice", super::ALICE).reacting([soon]));
    world.register(&[DORA]);

    let call = world.dial(DORA, super::ALICE);
    world.run_until("she answers", secs(10), |world| world.is_up(DORA, call));
    world.run_for(secs(10));
    world.hang_up(DORA, call);
    world.run_for(secs(1));

    world.assert_ladder("phone_calls_out");
    world.assert_rest();
}

// S1.9, C14: an identity that is disabled is shown to nobody, whoever dials: the next one of the trunk is, then one
// that is of no trunk.
#[test]
fn a_phone_that_calls_out_never_shows_a_disabled_number() {
    let shown = |enabled: [bool; 3]| {
        let mut world = World::with(1, |site| {
            let ids = [("Main", "+12025550100", Some("carrier")), ("Sales", "+12025550101", Some("carrier"))];
            let ids = ids.into_iter().chain([("Any", "+12025550102", None)]).zip(enabled);
            site.caller_ids = ids
                .map(|((label, number, trunk), enabled)| CallerId {
                    trunk: trunk.map(Into::into),
                    enabled,
                    ..CallerId::named(label, number)
                })
                .collect();
        });
        world.customer(Person::new("alice", super::ALICE));
        world.register(&[DORA]);
        world.dial(DORA, super::ALICE);
        world.run_for(secs(2));
        let (_, invite) = world.invites(TRUNK).remove(0);
        ringback::demo::endpoint::number_of(invite.header("From").expect("a From")).to_owned()
    };

    assert_eq!(shown([true, true, true]), "+12025550100");
    assert_eq!(shown([false, true, true]), "+12025550101");
    assert_eq!(shown([false, false, true]), "+12025550102");
    assert_eq!(shown([false, false, false]), "anonymous");
}

#[test]
fn a_number_that_does_not_exist_is_said_so() {
    let mut world = World::new(1);
    world.register(&[DORA]);

    let call = world.dial(DORA, "7777");
    world.run_for(secs(2));

    assert!(world.heard(DORA, |event| matches!(event, Event::Refused(it, 404) if *it == call)).is_some());
    world.assert_ladder("phone_calls_nobody");
    world.assert_rest();
}

#[test]
fn a_phone_that_is_busy_or_declines_is_said_so() {
    let mut world = World::new(1);
    world.register(&[ANNA, DORA]);

    let call = world.dial(DORA, "1001");
    let ringing = world.rings(ANNA, secs(2));
    world.refuse(ANNA, ringing, 486);
    world.run_for(secs(1));

    assert!(world.heard(DORA, |event| matches!(event, Event::Refused(it, 486) if *it == call)).is_some());
    world.assert_ladder("phone_busy");
    world.assert_rest();
}

#[test]
fn a_phone_that_gives_up_stops_the_other_from_ringing() {
    let mut world = World::new(1);
    world.register(&[ANNA, DORA]);

    let call = world.dial(DORA, "1001");
    world.rings(ANNA, secs(2));
    world.run_for(secs(3));
    world.hang_up(DORA, call);
    world.run_for(secs(1));

    assert!(world.heard(ANNA, |event| matches!(event, Event::Ended(_, EndedBy::Cancel))).is_some());
    world.assert_ladder("phone_gives_up");
    world.assert_rest();
}

#[test]
fn a_phone_holds_and_resumes() {
    let mut world = World::new(1);
    world.register(&[ANNA, DORA]);
    let call = world.dial(DORA, "1001");
    let ringing = world.rings(ANNA, secs(2));
    world.answer(ANNA, ringing);
    world.run_for(secs(5));

    let now = world.now;
    world.stations[ANNA].endpoint.change(now, ringing, Direction::SendOnly);
    world.run_for(secs(5));
    let now = world.now;
    world.stations[ANNA].endpoint.change(now, ringing, Direction::SendRecv);
    world.run_for(secs(5));

    assert!(world.heard(ANNA, |event| matches!(event, Event::ChangeAnswered(_, 200))).is_some());
    assert!(world.is_up(DORA, call) && world.is_up(ANNA, ringing));
    world.hang_up(DORA, call);
    world.run_for(secs(1));
    world.assert_ladder("hold_and_resume");
    world.assert_rest();
}

#[test]
fn a_retransmitted_invite_is_one_call() {
    let mut world = World::new(1);
    world.net.lose_next("100 Trying", 1);
    world.net.lose_next("200 OK", 1);
    let alice = world.customer(Person::new("alice", super::ALICE));

    let call = world.joins(alice);
    world.run_for(secs(3));

    assert_eq!(world.line().len(), 1);
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));
    world.assert_ladder("retransmitted_invite");
    world.assert_rest();
}

#[test]
fn a_200_is_repeated_until_its_ack() {
    let mut world = World::new(1);
    world.stations[TRUNK].endpoint.quirks.acks_lost = 2;
    let alice = world.customer(Person::new("alice", super::ALICE));

    let call = world.joins(alice);
    world.run_for(secs(5));

    assert_eq!(world.ladder.count("ringback", "alice", "200 OK"), 3);
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));
    world.assert_ladder("lost_ack");
    world.assert_rest();
}

#[test]
fn a_caller_who_never_acknowledges_is_let_go() {
    let mut world = World::new(1);
    world.stations[TRUNK].endpoint.quirks.acks_lost = 100;
    let alice = world.customer(Person::new("alice", super::ALICE));

    world.call_in(alice);
    world.run_for(secs(40));

    assert!(world.ladder.first("ringback", "alice", "BYE").is_some());
    world.assert_rest();
}

#[test]
fn options_is_answered() {
    let mut world = World::new(1);

    let now = world.now;
    world.stations[TRUNK].endpoint.ping(now);
    world.run_for(secs(1));

    assert_eq!(world.ladder.count("ringback", "carrier", "200 OK"), 1);
}

#[test]
fn a_draining_switch_refuses_new_calls_and_keeps_the_old() {
    let mut world = World::new(1);
    world.register(&[ANNA, BEN]);
    let (alice, bob) =
        (world.customer(Person::new("alice", super::ALICE)), world.customer(Person::new("bob", super::BOB)));
    let first = world.joins(alice);
    let ringing = world.rings(ANNA, secs(2));
    world.answer(ANNA, ringing);

    world.ask(Command::Drain);
    let second = world.call_in(bob);
    world.run_for(secs(5));

    assert!(world.heard(TRUNK, |event| matches!(event, Event::Refused(it, 503) if *it == second)).is_some());
    assert!(world.is_up(TRUNK, first));
    world.hang_up(TRUNK, first);
    world.run_for(secs(1));
    world.assert_ladder("drain");
    world.assert_rest();
}
