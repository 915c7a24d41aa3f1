//! Whose packets a leg takes: security.md T22 and T23.

use crate::world::*;
use ringback::audio::{Library, tone};
use ringback::entropy::Entropy;
use ringback::id::LegRef;
use ringback::media::{Command, Event, Remote};
use ringback::settings::Codec;
use std::net::SocketAddr;
use std::time::Duration;

const SPRAYER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 66)), 6_666);

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn behind_nat() -> Remote {
    Remote { signalled: Some(address("192.168.1.5:4000")), signalling_ip: address("198.51.100.1:0").ip() }
}

/// A stranger whose packets look as right as they can.
fn sprayer(leg: LegRef) -> Phone {
    Phone { from: SPRAYER, ssrc: 666, ..Phone::new(leg, Codec::Pcmu) }
}

fn music() -> World {
    World::with(Library::from([("tone".into(), clip(tone::sine(1_000.0, 0.5, 3_000)))]))
}

#[test]
fn nothing_is_taken_before_offer_and_answer_have_settled() {
    let mut world = World::new();
    world.open(A);

    Phone::new(A, Codec::Pcmu).send(&mut world);

    assert!(world.events().is_empty());
    assert_eq!(world.close(A).refused, 1);
}

#[test]
fn a_spray_never_reaches_a_call_whose_peer_is_where_it_said() {
    let mut world = music();
    let mut entropy = Entropy::from_seed(7);
    for n in 1..=1_000u64 {
        let leg = LegRef(n);
        world.open(leg);
        let mut stranger = sprayer(leg);
        stranger.send(&mut world);
        let at = SocketAddr::from(([198, 51, (n >> 8) as u8, n as u8], 4_000));
        world.update(leg, Codec::Pcmu, remote(at));
        world.hold(leg, "tone");
        let mut peer = Phone { from: at, ..Phone::new(leg, Codec::Pcmu) };
        let begins = entropy.below(40);
        for packet in 0..60 {
            stranger.send(&mut world);
            let timestamp = stranger.timestamp;
            let press = stranger.event(timestamp, '1', 160, true);
            world.receive(leg, SPRAYER, &press);
            if packet >= begins {
                peer.send(&mut world);
            }
            world.run(Duration::from_micros(500));
        }
    }

    assert!(world.out.left.iter().all(|left| left.to.ip() != SPRAYER.ip()), "nothing goes to the sprayer");
    let (heard, rest): (Vec<_>, Vec<_>) =
        world.events().into_iter().partition(|event| matches!(event, Event::Heard { .. }));
    assert_eq!(heard.len(), 1_000);
    assert!(rest.iter().all(|event| matches!(event, Event::Silent { .. })), "and no digit is heard");
}

#[test]
fn a_sprayer_on_the_peers_own_host_does_not_win_against_the_signalled_port() {
    let mut world = music();
    let mut peer = world.leg(A, Codec::Pcmu);
    world.hold(A, "tone");
    let mut neighbour = Phone { from: SocketAddr::new(peer.from.ip(), 9_999), ssrc: 9, ..peer.clone() };

    for _ in 0..3 {
        neighbour.send(&mut world);
        world.run_ms(20);
    }
    peer.talk(&mut world, 100);
    neighbour.talk(&mut world, 1_000);
    let timestamp = neighbour.timestamp;
    let press = neighbour.event(timestamp, '9', 160, true);
    world.receive(A, neighbour.from, &press);

    assert!(world.out.left.iter().all(|left| left.to == peer.from || left.rtcp));
    assert_eq!(world.digits(A), "");
    assert_eq!(world.close(A).received, 5);
}

#[test]
fn a_phone_behind_nat_is_learnt_from_the_address_of_its_signalling() {
    let mut world = music();
    world.open(A);
    world.update(A, Codec::Pcmu, behind_nat());
    world.hold(A, "tone");
    world.run_ms(100);
    assert!(world.out.left.is_empty(), "a private address behind a public one is not sent to");

    let mut caller = Phone { from: address("198.51.100.1:61000"), ..Phone::new(A, Codec::Pcmu) };
    caller.talk(&mut world, 200);

    assert!(!world.sent(A).is_empty());
    assert!(world.out.left.iter().all(|left| left.to.ip() == caller.from.ip()));
    assert!(world.sent(A).iter().all(|left| left.to == caller.from));
    assert_eq!(world.close(A).received, 9, "the first packet only begins the run");
}

#[test]
fn a_mute_phone_behind_nat_is_still_learnt_after_the_window() {
    let mut world = music();
    world.open(A);
    world.update(A, Codec::Pcmu, behind_nat());
    world.hold(A, "tone");
    world.run_ms(15_000);
    sprayer(A).talk(&mut world, 1_000);
    assert!(world.out.left.is_empty());

    let mut caller = Phone { from: address("198.51.100.1:61000"), ..Phone::new(A, Codec::Pcmu) };
    caller.talk(&mut world, 100);

    assert!(world.sent(A).iter().all(|left| left.to == caller.from));
    assert!(!world.sent(A).is_empty());
}

#[test]
fn a_stranger_is_learnt_only_for_an_unreachable_peer_in_the_window_and_after_a_long_run() {
    let mut world = music();
    world.open(A);
    world.update(A, Codec::Pcmu, behind_nat());
    let mut relay = sprayer(A);
    for n in 0..40 {
        relay.sequence = relay.sequence.wrapping_add(u16::from(n % 10 == 0)); // Its run breaks every 200 ms.
        relay.send(&mut world);
        world.run_ms(20);
    }
    assert!(world.events().is_empty());

    relay.talk(&mut world, 400);

    assert_eq!(world.events(), [Event::Heard { leg: A }]);
}

#[test]
fn the_phone_wins_against_a_stranger_who_began_first() {
    let mut world = music();
    world.open(A);
    world.update(A, Codec::Pcmu, behind_nat());
    world.hold(A, "tone");
    let mut stranger = sprayer(A);
    let mut caller = Phone { from: address("198.51.100.1:61000"), ..Phone::new(A, Codec::Pcmu) };
    for n in 0..50 {
        stranger.send(&mut world);
        if n > 12 {
            caller.send(&mut world);
        }
        world.run_ms(20);
    }

    assert!(world.sent(A).iter().all(|left| left.to == caller.from));
    assert!(!world.sent(A).is_empty());
}

#[test]
fn a_locked_leg_takes_no_other_address_however_right_its_packets_look() {
    let mut world = music();
    let mut peer = world.leg(A, Codec::Pcmu);
    peer.talk(&mut world, 100);
    world.hold(A, "tone");

    let mut twin = Phone { from: SPRAYER, ..peer.clone() };
    for _ in 0..500 {
        twin.send(&mut world);
        peer.send(&mut world);
        world.run_ms(20);
    }
    let timestamp = twin.timestamp;
    let press = twin.event(timestamp, '5', 160, true);
    world.receive(A, SPRAYER, &press);

    assert!(world.sent(A).iter().all(|left| left.to == peer.from));
    assert_eq!(world.digits(A), "");
    let stats = world.close(A);
    assert_eq!((stats.received, stats.refused, stats.digits), (505, 501, 0));
}

#[test]
fn a_silent_peer_is_followed_to_another_port_of_its_host_but_not_to_another_host() {
    let mut world = music();
    let mut peer = world.leg(A, Codec::Pcmu);
    peer.talk(&mut world, 100);
    world.run_ms(4_000);
    sprayer(A).talk(&mut world, 1_000);
    assert_eq!(world.engine.counters().refused, 50);

    peer.from.set_port(50_000);
    peer.talk(&mut world, 200);
    world.hold(A, "tone");
    world.run_ms(100);

    assert!(world.sent(A).iter().all(|left| left.to == peer.from));
    assert!(!world.sent(A).is_empty());
}

#[test]
fn new_signalling_moves_the_leg_and_the_old_address_is_a_stranger() {
    let mut world = music();
    let mut peer = world.leg(A, Codec::Pcmu);
    peer.talk(&mut world, 100);
    let mut old = peer.clone();
    world.update(A, Codec::Pcmu, remote(address("198.51.100.99:7000")));
    world.hold(A, "tone");

    old.send(&mut world);
    world.run_ms(60);
    peer.from = address("198.51.100.99:7000");
    peer.talk(&mut world, 60);

    assert!(world.sent(A).iter().all(|left| left.to == peer.from));
    assert_eq!(world.close(A).refused, 1);
}

#[test]
fn the_same_signalling_again_keeps_the_lock() {
    let mut world = music();
    world.open(A);
    world.update(A, Codec::Pcmu, behind_nat());
    let mut caller = Phone { from: address("198.51.100.1:61000"), ..Phone::new(A, Codec::Pcmu) };
    caller.talk(&mut world, 100);

    world.update(A, Codec::Pcmu, behind_nat());
    world.hold(A, "tone");
    world.run_ms(40);

    assert!(world.sent(A).iter().all(|left| left.to == caller.from));
    assert_eq!(world.sent(A).len(), 2);
}

#[test]
fn malformed_packets_and_unknown_types_latch_nothing() {
    let mut world = music();
    let mut peer = world.leg(A, Codec::Pcmu);
    let unknown = peer.packet(18, 0, &[0; 20]);

    for octets in [&[][..], &[0x80], &[0u8; 200], &[0x80; 11], &[0xff; 1_600], &unknown] {
        world.receive(A, peer.from, octets);
    }

    assert!(world.events().is_empty());
    world.command(Command::Close { leg: A });
    assert_eq!(world.engine.counters().refused, 6);
}
