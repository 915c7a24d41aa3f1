//! Bridges: passing through, transcoding, keys, early media.

use crate::world::*;
use ringback::audio::{Library, g711, tone};
use ringback::id::PlayRef;
use ringback::media::{Command, Direction, Event, Format, Play};
use ringback::settings::Codec;

fn bridged(a: Codec, b: Codec) -> (World, Phone, Phone) {
    let mut world = World::with(Library::from([("tone".into(), clip(tone::sine(1_000.0, 0.5, 3_000)))]));
    let phones = (world.leg(A, a), world.leg(B, b));
    world.command(Command::Bridge { a: A, b: B });
    (world, phones.0, phones.1)
}

#[test]
fn equal_codecs_pass_at_once_octet_by_octet() {
    let (mut world, mut a, mut b) = bridged(Codec::Pcma, Codec::Pcma);
    let octets: Vec<u8> = (0..160).map(|n| n as u8).collect();

    let packet = a.packet(8, 777, &octets);
    world.receive(A, a.from, &packet);
    b.send(&mut world);

    let (to_a, to_b) = (world.sent(A), world.sent(B));
    assert_eq!((to_a.len(), to_b.len()), (1, 1));
    assert_eq!((to_b[0].to, to_b[0].packet().payload), (phone(2), &octets[..]));
    assert_eq!(to_a[0].to, phone(1));
    assert_ne!(to_b[0].packet().ssrc, a.ssrc, "each leg has its own source");
}

#[test]
fn frames_of_any_length_pass_as_they_are() {
    let (mut world, mut a, _) = bridged(Codec::Pcmu, Codec::Pcmu);

    for samples in [80, 240, 160, 480] {
        a.say(&mut world, &vec![1_000; samples]);
        world.run_ms(samples as u64 / 8);
    }

    let lengths: Vec<usize> = world.sent(B).iter().map(|left| left.packet().payload.len()).collect();
    assert_eq!(lengths, [80, 240, 160, 480]);
    let stamps: Vec<u32> = world.sent(B).iter().map(|left| left.packet().timestamp).collect();
    let steps: Vec<u32> = stamps.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect();
    assert_eq!(steps, [80, 240, 160]);
}

#[test]
fn different_laws_are_translated_both_ways() {
    let (mut world, mut a, mut b) = bridged(Codec::Pcmu, Codec::Pcma);
    let tone = tone::sine(1_000.0, 0.5, 20);

    a.say(&mut world, &tone);
    b.say(&mut world, &tone);

    for (leg, codec, number) in [(A, Codec::Pcmu, 0), (B, Codec::Pcma, 8)] {
        let sent = world.sent(leg);
        assert_eq!(sent[0].packet().payload_type, number);
        for (&octet, &sample) in sent[0].packet().payload.iter().zip(&tone) {
            let error = i32::from(g711::decode(codec, octet)) - i32::from(sample);
            assert!(error.abs() <= i32::from(sample).abs() / 12 + 24, "{sample} came out {error} off");
        }
    }
}

#[test]
fn a_peer_that_changes_between_the_static_types_is_still_understood() {
    let (mut world, mut a, _) = bridged(Codec::Pcmu, Codec::Pcmu);

    a.codec = Codec::Pcma;
    a.say(&mut world, &[5_000; 160]);

    let sent = world.sent(B);
    assert_eq!(sent[0].packet().payload_type, 0);
    assert!((i32::from(g711::decode(Codec::Pcmu, sent[0].packet().payload[0])) - 5_000).abs() < 300);
}

#[test]
fn numbers_continue_from_hold_music_through_a_bridge_and_back() {
    let (mut world, mut a, _) = bridged(Codec::Pcmu, Codec::Pcmu);
    world.hold(B, "tone");
    world.run_ms(200);
    world.command(Command::Bridge { a: A, b: B });
    world.run_ms(7);
    a.talk(&mut world, 400);
    world.command(Command::Unbridge { leg: B });
    world.hold(B, "tone");
    world.run_ms(200);

    let sent = world.sent(B);
    assert!(sent.len() > 35);
    for pair in sent.windows(2) {
        let (one, next) = (pair[0].packet(), pair[1].packet());
        assert_eq!(next.ssrc, one.ssrc);
        assert_eq!(next.sequence, one.sequence.wrapping_add(1));
        let step = next.timestamp.wrapping_sub(one.timestamp);
        assert!(step == 160 || step == 320, "a step of {step}");
    }
}

#[test]
fn a_new_source_behind_the_bridge_is_not_seen_in_the_numbers() {
    let (mut world, mut a, _) = bridged(Codec::Pcmu, Codec::Pcmu);
    a.talk(&mut world, 100);
    (a.ssrc, a.sequence, a.timestamp) = (77, 1_000, 5);
    a.talk(&mut world, 100);
    a.timestamp = a.timestamp.wrapping_add(3_000_000_000); // Same source, but its clock jumps.
    a.talk(&mut world, 100);

    let sent = world.sent(B);
    assert_eq!(sent.len(), 15);
    for pair in sent.windows(2) {
        let (one, next) = (pair[0].packet(), pair[1].packet());
        assert_eq!((next.sequence, next.ssrc), (one.sequence.wrapping_add(1), one.ssrc));
        assert_eq!(next.timestamp.wrapping_sub(one.timestamp), 160);
    }
}

#[test]
fn gaps_and_order_of_the_sender_are_kept_and_copies_are_dropped() {
    let (mut world, mut a, _) = bridged(Codec::Pcmu, Codec::Pcmu);
    let packets: Vec<Vec<u8>> = (0..8).map(|n| a.audio(&[n * 1_000; 160])).collect();

    for at in [0, 1, 4, 3, 3, 4, 7] {
        world.receive(A, a.from, &packets[at]);
        world.run_ms(20);
    }

    let numbers: Vec<u16> = world.sent(B).iter().map(|left| left.packet().sequence).collect();
    let from_first: Vec<u16> = numbers.iter().map(|number| number.wrapping_sub(numbers[0])).collect();
    assert_eq!(from_first, [0, 1, 4, 3, 7]);
    assert_eq!(world.close(A).lost, 3);
}

#[test]
fn keys_cross_the_bridge_as_events_under_the_other_sides_number() {
    let (mut world, mut a, _) = bridged(Codec::Pcmu, Codec::Pcmu);
    let format = Format { dtmf_send: Some(96), dtmf_receive: Some(96), ..format(Codec::Pcmu) };
    world.update_with(B, format, remote(phone(2)), Direction::SendRecv);

    a.talk(&mut world, 60);
    a.press(&mut world, '7');

    assert_eq!(world.digits(A), "7");
    let sent = world.sent(B);
    let events: Vec<_> = sent.iter().filter(|left| left.packet().payload_type == 96).collect();
    assert_eq!(events.len(), 8);
    assert!(events.iter().all(|left| left.packet().timestamp == events[0].packet().timestamp));
    for pair in sent.windows(2) {
        assert_eq!(pair[1].packet().sequence, pair[0].packet().sequence.wrapping_add(1));
    }
}

#[test]
fn keys_stay_behind_where_the_other_side_takes_none_and_leave_no_gap() {
    let (mut world, mut a, _) = bridged(Codec::Pcmu, Codec::Pcmu);
    let format = Format { dtmf_send: None, ..format(Codec::Pcmu) };
    world.update_with(B, format, remote(phone(2)), Direction::SendRecv);

    a.talk(&mut world, 60);
    a.press(&mut world, '7');
    a.talk(&mut world, 60);

    assert_eq!(world.digits(A), "7");
    let sent = world.sent(B);
    assert_eq!(sent.len(), 8);
    for pair in sent.windows(2) {
        assert_eq!(pair[1].packet().sequence, pair[0].packet().sequence.wrapping_add(1));
    }
}

#[test]
fn digits_we_send_replace_the_audio_of_the_bridge() {
    let (mut world, mut a, _) = bridged(Codec::Pcmu, Codec::Pcmu);
    a.talk(&mut world, 100);
    world.command(Command::SendDigits { leg: B, digits: "42".into() });
    a.talk(&mut world, 600);

    let sent = world.sent(B);
    let mut keys = String::new();
    let mut receiver = ringback::rtp::dtmf::Receiver::default();
    for left in sent.iter().filter(|left| left.packet().payload_type == DTMF) {
        if let ringback::rtp::dtmf::Heard::Pressed(key) = receiver.receive(left.at, &left.packet()) {
            assert!(left.packet().marker, "a press begins with the marker");
            keys.push(key);
        }
    }
    assert_eq!(keys, "42");
    for pair in sent.windows(2) {
        assert_eq!(pair[1].packet().sequence, pair[0].packet().sequence.wrapping_add(1));
    }
    let kinds: Vec<u8> = sent.iter().map(|left| left.packet().payload_type).collect();
    let first = kinds.iter().position(|&kind| kind == DTMF).unwrap();
    assert_eq!(kinds[first..first + 8], [DTMF; 8], "no audio within a press");
    assert_eq!(kinds.last(), Some(&0), "the audio comes back");
}

#[test]
fn digits_for_a_peer_that_takes_none_do_not_stop_the_audio() {
    let (mut world, mut a, _) = bridged(Codec::Pcmu, Codec::Pcmu);
    let format = Format { dtmf_send: None, ..format(Codec::Pcmu) };
    world.update_with(B, format, remote(phone(2)), Direction::SendRecv);
    world.command(Command::SendDigits { leg: B, digits: "42".into() });
    world.run_ms(40);

    a.talk(&mut world, 100);

    assert_eq!(world.sent(B).len(), 5);
}

#[test]
fn ringback_yields_to_early_media_at_its_first_packet() {
    let mut world = World::new();
    let (_agent, mut customer) = (world.leg(A, Codec::Pcmu), world.leg(B, Codec::Pcmu));
    world.command(Command::Play { leg: A, play: PlayRef(1), what: Play::Ringback });
    world.run_ms(100);
    world.command(Command::Listen { from: B, to: A });
    world.run_ms(100);
    assert_eq!(world.sent(A).len(), 11, "ringback goes on while no early media comes");

    customer.say(&mut world, &[4_000; 160]);
    world.run_ms(60);

    let sent = world.sent(A);
    assert_eq!(sent.len(), 12);
    assert_eq!(sent[11].packet().payload[0], g711::encode(Codec::Pcmu, 4_000));
    assert!(world.sent(B).is_empty(), "listening is one way");
}

#[test]
fn a_prompt_in_a_bridge_is_heard_alone_and_the_bridge_goes_on_after_it() {
    let (mut world, mut a, _) = bridged(Codec::Pcmu, Codec::Pcmu);
    world.hold(B, "tone");
    a.talk(&mut world, 100);
    world.command(Command::Stop { leg: B });
    a.talk(&mut world, 100);

    let silent = g711::encode(Codec::Pcmu, 0);
    let passed = world.sent(B).iter().filter(|left| left.packet().payload.iter().all(|&octet| octet == silent)).count();
    assert_eq!((passed, world.sent(B).len()), (5, 10));
}

#[test]
fn leaving_the_bridge_and_closing_leave_nobody_behind() {
    let (mut world, mut a, mut b) = bridged(Codec::Pcmu, Codec::Pcmu);
    world.command(Command::Unbridge { leg: A });
    a.send(&mut world);
    b.send(&mut world);
    assert!(world.out.left.is_empty());

    world.command(Command::Bridge { a: A, b: B });
    world.close(B);
    a.send(&mut world);
    let mut other = world.leg(ringback::id::LegRef(3), Codec::Pcmu); // Takes the place of the closed one.
    a.send(&mut world);
    other.send(&mut world);

    assert!(world.out.left.iter().all(|left| left.rtcp), "nothing crosses to whoever took the place");
}

#[test]
fn held_directions_are_honoured_in_a_bridge() {
    let (mut world, mut a, mut b) = bridged(Codec::Pcmu, Codec::Pcmu);
    world.update_with(B, format(Codec::Pcmu), remote(phone(2)), Direction::RecvOnly);
    a.send(&mut world);
    b.send(&mut world);
    assert_eq!((world.sent(A).len(), world.sent(B).len()), (1, 0), "we only receive from B");

    world.update_with(B, format(Codec::Pcmu), remote(phone(2)), Direction::SendOnly);
    a.send(&mut world);
    b.send(&mut world);
    assert_eq!((world.sent(A).len(), world.sent(B).len()), (1, 1), "we only send to B");
}

#[test]
fn comfort_noise_and_unknown_types_do_not_cross() {
    let (mut world, mut a, _) = bridged(Codec::Pcmu, Codec::Pcmu);
    for (number, length) in [(0, 160), (13, 1), (0, 160), (18, 20), (0, 160)] {
        let stamp = a.timestamp;
        let packet = a.packet(number, stamp, &vec![0xff; length]);
        a.timestamp = a.timestamp.wrapping_add(160);
        world.receive(A, a.from, &packet);
        world.run_ms(20);
    }

    assert_eq!(world.sent(B).len(), 3);
    assert_eq!(world.close(A).refused, 1, "only what was never agreed is refused");
    assert!(world.events().contains(&Event::Heard { leg: A }));
}
