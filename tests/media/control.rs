//! RTCP, silence, limits and counters.

use crate::world::*;
use ringback::audio::{Library, tone};
use ringback::id::LegRef;
use ringback::limits::SHARD_LEGS;
use ringback::media::{Command, Event};
use ringback::rtp::rtcp;
use ringback::settings::Codec;
use ringback::time::Tick;

fn reports(world: &World, leg: LegRef) -> Vec<&Left> {
    world.out.left.iter().filter(|left| left.leg == leg && left.rtcp).collect()
}

/// An empty receiver report.
const REPORT: [u8; 8] = [0x80, 201, 0, 1, 0, 0, 0, 9];

#[test]
fn silence_is_said_once_and_again_only_after_packets_came_back() {
    let mut world = World::new();
    let mut phone = world.leg(A, Codec::Pcmu);
    phone.talk(&mut world, 1_000);
    world.run_ms(60_000);
    let silent = |world: &World| world.events().iter().filter(|event| **event == Event::Silent { leg: A }).count();
    assert_eq!(silent(&world), 1);
    let (at, _) = world.out.events.iter().find(|(_, event)| *event == Event::Silent { leg: A }).unwrap();
    assert_eq!(at.as_millis().div_ceil(20), (20_980u64).div_ceil(20), "20 s after the last packet");

    phone.talk(&mut world, 100);
    world.run_ms(60_000);

    assert_eq!(silent(&world), 2);
    let heard = world.events().iter().filter(|event| **event == Event::Heard { leg: A }).count();
    assert_eq!(heard, 1, "the first packet is the first only once");
}

#[test]
fn a_peer_that_never_sends_is_silent_too_but_rtcp_keeps_it_alive() {
    let mut world = World::new();
    world.leg(A, Codec::Pcmu);
    world.leg(B, Codec::Pcmu);
    for _ in 0..10 {
        world.engine.receive(world.out.now, B, phone(2), true, &REPORT, &mut world.out);
        world.run_ms(5_000);
    }

    assert_eq!(world.events(), [Event::Silent { leg: A }]);
}

#[test]
fn rtcp_from_strangers_and_junk_keep_nothing_alive() {
    let mut world = World::new();
    let mut peer = world.leg(A, Codec::Pcmu);
    peer.send(&mut world);
    for _ in 0..10 {
        world.engine.receive(world.out.now, A, phone(66), true, &REPORT, &mut world.out);
        world.engine.receive(world.out.now, A, phone(1), true, &REPORT[..7], &mut world.out);
        world.run_ms(5_000);
    }

    assert_eq!(world.events(), [Event::Heard { leg: A }, Event::Silent { leg: A }]);
    assert_eq!(world.close(A).refused, 20);
}

#[test]
fn reports_leave_every_five_seconds_from_the_port_after_and_the_last_says_goodbye() {
    let mut world = World::with(Library::from([("tone".into(), clip(tone::sine(1_000.0, 0.5, 3_000)))]));
    let mut peer = world.leg(A, Codec::Pcmu);
    world.hold(A, "tone");
    peer.talk(&mut world, 30_000);
    world.close(A);

    let reports = reports(&world, A);
    assert!((6..=7).contains(&(reports.len() - 1)), "{} reports in 30 s", reports.len() - 1);
    for (at, report) in reports.iter().enumerate() {
        assert_eq!(report.to, "198.51.100.1:4001".parse().unwrap());
        let seen = rtcp::read(&report.octets).expect("a whole compound packet");
        assert_eq!(seen.bye, at == reports.len() - 1);
        assert_eq!(seen.sender.map(|(ssrc, _)| ssrc), Some(world.sent(A)[0].packet().ssrc));
    }
    let octets = &reports[5].octets;
    let packets = u32::from_be_bytes(octets[20..24].try_into().unwrap());
    let sent = world.sent(A).iter().filter(|left| left.at <= reports[5].at).count();
    assert_eq!(packets as usize, sent, "the report counts what was sent");
}

#[test]
fn reports_follow_the_peers_rtcp_and_give_its_time_back() {
    let mut world = World::new();
    let mut peer = world.leg(A, Codec::Pcmu);
    let mut theirs = vec![0x80, 200, 0, 6];
    theirs.extend([0, 0, 0, 9, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88]);
    theirs.extend([0; 12]);
    peer.talk(&mut world, 10_000);
    assert!(reports(&world, A).iter().all(|report| report.to.port() == 4_001));
    world.engine.receive(world.out.now, A, "198.51.100.1:9001".parse().unwrap(), true, &theirs, &mut world.out);
    let now = world.now();
    peer.talk(&mut world, 6_000);

    let last = world.out.left.iter().rfind(|left| left.rtcp).unwrap();
    assert_eq!(last.to.port(), 9_001);
    let block = &last.octets[8..32];
    assert_eq!(block[..4], peer.ssrc.to_be_bytes());
    assert_eq!(block[16..20], [0x33, 0x44, 0x55, 0x66]);
    let delay = u32::from_be_bytes(block[20..24].try_into().unwrap());
    assert_eq!((u64::from(delay) * 1_000).div_ceil(65_536), last.at.since(now).as_millis() as u64);
}

#[test]
fn a_full_shard_and_a_used_reference_are_refused() {
    let mut world = World::new();
    for n in 0..SHARD_LEGS as u64 {
        world.open(LegRef(n));
    }
    assert!(world.events().is_empty());

    world.open(LegRef(1 << 40));
    world.open(LegRef(7));

    let refused = [LegRef(1 << 40), LegRef(7)].map(|leg| Event::OpenFailed { leg });
    assert_eq!(world.events(), refused);
    world.close(LegRef(7));
    world.open(LegRef(1 << 40));
    assert_eq!(world.out.events.len(), 3, "a place that came free is given out");
}

#[test]
fn commands_for_legs_that_are_gone_do_nothing() {
    let mut world = World::new();
    world.command(Command::Close { leg: A });
    world.hold(A, "x");
    world.command(Command::Bridge { a: A, b: B });
    world.command(Command::Listen { from: A, to: A });
    world.command(Command::SendDigits { leg: A, digits: "1".into() });
    world.update(A, Codec::Pcmu, remote(phone(1)));
    world.run_ms(1_000);

    assert!(world.out.events.is_empty() && world.out.left.is_empty());
}

#[test]
fn statistics_count_loss_jitter_and_digits() {
    let mut world = World::new();
    let mut peer = world.leg(A, Codec::Pcmu);
    for n in 0..200 {
        let octets = peer.audio(&[0; 160]);
        if n % 10 != 3 {
            world.receive(A, peer.from, &octets);
        }
        world.run_ms(if n % 2 == 0 { 10 } else { 30 }); // 10 ms of jitter either way.
    }
    peer.press(&mut world, '5');

    let stats = world.close(A);

    assert_eq!((stats.received, stats.lost, stats.digits), (180 + 8 + 2, 20, 1));
    assert!((60..=90).contains(&stats.jitter), "jitter {}", stats.jitter);
}

#[test]
fn the_same_inputs_give_the_same_outputs() {
    let day = || {
        let mut world = World::with(Library::from([("tone".into(), clip(tone::sine(1_000.0, 0.5, 3_000)))]));
        let (mut a, mut b) = (world.leg(A, Codec::Pcmu), world.leg(B, Codec::Pcma));
        world.hold(A, "tone");
        a.talk(&mut world, 500);
        world.command(Command::Bridge { a: A, b: B });
        b.press(&mut world, '4');
        world.run_ms(12_345);
        world.close(A);
        world.out.left.into_iter().map(|left| (left.at, left.to, left.octets)).collect::<Vec<_>>()
    };

    let first = day();

    assert_eq!(first, day());
    assert!(first.len() > 20 && first.last().unwrap().0 > Tick::from_millis(10_000));
}
