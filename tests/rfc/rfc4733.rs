//! RFC 4733: a key press is heard once, whatever happens to its packets (law 8).

use ringback::limits::{KEY_PRESS, KEYS_PER_SECOND};
use ringback::rtp::dtmf::{Event, Heard, Receiver, Sender, Turn, code_of};
use ringback::rtp::packet::Packet;
use ringback::time::Tick;

const SSRC: u32 = 0x1234_5678;

/// One packet of a press: what the receiver reads of it.
#[derive(Clone, Copy, Debug)]
struct Sent {
    ssrc: u32,
    timestamp: u32,
    event: Event,
}

/// A press of `updates` packets and three ends, 20 ms apart (§2.5.1.2).
fn press(key: char, timestamp: u32, updates: u16) -> Vec<Sent> {
    let code = code_of(key).expect("the tests press keys");
    let event = |duration, end| Sent { ssrc: SSRC, timestamp, event: Event { code, end, volume: 10, duration } };
    let ends = std::iter::repeat_n(event(updates * 160, true), 3);
    (1..=updates).map(|n| event(n * 160, false)).chain(ends).collect()
}

/// What is heard when these packets arrive 20 ms apart, from `start_ms` on.
fn heard_from(receiver: &mut Receiver, start_ms: u64, packets: impl IntoIterator<Item = Sent>) -> String {
    let mut keys = String::new();
    for (at, sent) in packets.into_iter().enumerate() {
        let payload = sent.event.octets();
        let packet = Packet {
            marker: false,
            payload_type: 101,
            sequence: at as u16,
            timestamp: sent.timestamp,
            ssrc: sent.ssrc,
            payload: &payload,
        };
        if let Heard::Pressed(key) = receiver.receive(Tick::from_millis(start_ms + 20 * at as u64), &packet) {
            keys.push(key);
        }
    }
    keys
}

fn heard(packets: impl IntoIterator<Item = Sent>) -> String {
    heard_from(&mut Receiver::default(), 0, packets)
}

/// The packets whose bit is set in `mask`.
fn survivors(packets: &[Sent], mask: u32) -> Vec<Sent> {
    packets.iter().enumerate().filter(|(at, _)| mask & (1 << at) != 0).map(|(_, &sent)| sent).collect()
}

/// Every order of the items (Heap's algorithm, by index).
fn permutations(items: &[Sent]) -> Vec<Vec<Sent>> {
    if items.len() <= 1 {
        return vec![items.to_vec()];
    }
    let mut all = Vec::new();
    for at in 0..items.len() {
        let mut rest = items.to_vec();
        let first = rest.remove(at);
        for mut order in permutations(&rest) {
            order.insert(0, first);
            all.push(order);
        }
    }
    all
}

#[test]
fn any_surviving_part_of_a_press_is_one_digit() {
    let packets = press('5', 1_000, 5);

    for mask in 1..1u32 << packets.len() {
        assert_eq!(heard(survivors(&packets, mask)), "5", "survivors {mask:#010b}");
    }
}

#[test]
fn doubled_packets_of_any_surviving_part_are_one_digit() {
    let packets = press('#', 1_000, 5);

    for mask in 1..1u32 << packets.len() {
        let doubled = survivors(&packets, mask).into_iter().flat_map(|sent| [sent, sent]);
        assert_eq!(heard(doubled), "#", "survivors {mask:#010b}");
    }
}

#[test]
fn packets_of_a_press_in_any_order_and_with_any_loss_are_one_digit() {
    let packets = press('*', 1_000, 3);

    for mask in 1..1u32 << packets.len() {
        for order in permutations(&survivors(&packets, mask)) {
            assert_eq!(heard(order), "*", "survivors {mask:#08b}");
        }
    }
}

#[test]
fn the_same_key_twice_is_two_digits_whatever_is_lost_of_each() {
    let first = press('7', 1_000, 5);
    let second = press('7', 1_000 + 1_600, 5);

    for lost_of_first in 1..1u32 << first.len() {
        for lost_of_second in 1..1u32 << second.len() {
            let packets = survivors(&first, lost_of_first).into_iter().chain(survivors(&second, lost_of_second));
            assert_eq!(heard(packets), "77", "survivors {lost_of_first:#010b} {lost_of_second:#010b}");
        }
    }
}

#[test]
fn late_packets_of_a_press_after_the_next_one_began_are_not_heard_again() {
    let first = press('1', 1_000, 5);
    let second = press('2', 2_600, 5);

    for overtaken in 1..first.len() {
        let mut packets = first.clone();
        let late = packets.split_off(overtaken);
        let (start, rest) = second.split_at(2);
        packets.extend(start.iter().chain(&late).chain(rest));
        assert_eq!(heard(packets), "12", "{overtaken} packets came before the next press");
    }
}

#[test]
fn a_press_longer_than_its_duration_field_is_one_digit_whatever_is_lost_around_the_seam() {
    // §2.5.1.3: the first segment ends at the longest duration without an end, the next begins where it stopped.
    let update = |timestamp: u32, duration: u16, end: bool| Sent {
        ssrc: SSRC,
        timestamp,
        event: Event { code: 9, end, volume: 10, duration },
    };
    let seam = [
        update(5_000, 160, false),
        update(5_000, 65_440, false),
        update(5_000, 65_535, false),
        update(5_000 + 65_535, 160, false),
        update(5_000 + 65_535, 320, false),
        update(5_000 + 65_535, 480, true),
        update(5_000 + 65_535, 480, true),
    ];

    for mask in 1..1u32 << seam.len() {
        assert_eq!(heard(survivors(&seam, mask)), "9", "survivors {mask:#09b}");
    }
}

#[test]
fn a_stuck_key_is_one_digit_and_the_next_press_is_heard() {
    let segments = KEY_PRESS.as_secs() as u32; // Far more than the longest believable press.
    let stuck = (0..segments).map(|n| Sent {
        ssrc: SSRC,
        timestamp: 5_000 + n * 65_535,
        event: Event { code: 4, end: n == segments - 1, volume: 10, duration: 65_535 },
    });
    let after = press('8', 5_000 + segments * 65_535 + 8_000, 5);

    assert_eq!(heard(stuck.chain(after)), "48");
}

#[test]
fn the_same_press_from_another_source_is_another_press() {
    let ours = press('3', 1_000, 5);
    let theirs = ours.iter().map(|&sent| Sent { ssrc: SSRC + 1, ..sent });

    assert_eq!(heard(ours.iter().copied().chain(theirs)), "33");
}

#[test]
fn every_key_has_its_code_and_other_events_are_no_keys() {
    let keys = "0123456789*#ABCD";

    for (code, key) in keys.chars().enumerate() {
        assert_eq!(code_of(key), Some(code as u8));
        assert_eq!(heard(press(key, 1_000, 2)), key.to_string());
    }
    let flash = Sent { ssrc: SSRC, timestamp: 1, event: Event { code: 16, end: false, volume: 10, duration: 160 } };
    assert_eq!(heard([flash]), "");
    assert_eq!(code_of('E'), None);
}

#[test]
fn a_storm_of_presses_is_no_more_digits_a_second_than_a_person_makes() {
    let storm = (0..1_000).map(|n| Sent {
        ssrc: SSRC,
        timestamp: n * 80,
        event: Event { code: (n % 10) as u8, end: true, volume: 10, duration: 80 },
    });

    let heard = heard(storm); // 20 s at 50 packets a second.

    assert!(heard.len() <= 20 * KEYS_PER_SECOND as usize, "{} digits", heard.len());
    assert!(heard.len() >= 19 * KEYS_PER_SECOND as usize, "{} digits", heard.len());
}

#[test]
fn what_we_send_is_heard_as_it_was_typed() {
    for frame in [80, 160, 240, 320, 480] {
        let mut sender = Sender::default();
        sender.push("4711#4455*");
        let (mut receiver, mut keys) = (Receiver::default(), String::new());
        let mut timestamp = 0;
        let mut now = Tick::ZERO;

        for at in 0..2_000u32 {
            now = Tick::from_millis(u64::from(at) * u64::from(frame) / 8);
            let Turn::Event { first, payload } = sender.turn(frame) else { continue };
            timestamp = if first { at * u32::from(frame) } else { timestamp };
            let packet = Packet {
                marker: first,
                payload_type: 101,
                sequence: at as u16,
                timestamp,
                ssrc: SSRC,
                payload: &payload,
            };
            if let Heard::Pressed(key) = receiver.receive(now, &packet) {
                keys.push(key);
            }
        }

        assert_eq!(keys, "4711#4455*", "with frames of {frame} samples, until {now:?}");
        assert!(!sender.is_busy());
    }
}
