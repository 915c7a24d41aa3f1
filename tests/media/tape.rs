//! Tapes: two sides, aligned, as long as the talk (law 8).

use crate::world::*;
use ringback::audio::{Library, tone};
use ringback::id::RecordingId;
use ringback::media::Command;
use ringback::settings::Codec;
use ringback::time::Tick;

fn recording(n: u64) -> RecordingId {
    RecordingId(format!("{n:026}").parse().unwrap())
}

fn start(world: &mut World) {
    world.command(Command::Record { recording: recording(1), left: A, right: B });
}

fn stop(world: &mut World) -> [Vec<i16>; 2] {
    world.command(Command::StopRecord { recording: recording(1) });
    assert_eq!(world.out.ended, [recording(1)]);
    assert!(world.engine.poll_timeout().is_some() && world.engine.counters().tapes == 0);
    world.out.taped.pop().map_or_else(Default::default, |(_, sides)| sides)
}

fn talking(a: Codec, b: Codec) -> (World, Phone, Phone) {
    let mut world = World::with(Library::from([("tone".into(), clip(tone::sine(2_000.0, 0.5, 3_000)))]));
    let phones = (world.leg(A, a), world.leg(B, b));
    world.command(Command::Bridge { a: A, b: B });
    (world, phones.0, phones.1)
}

#[test]
fn a_tape_is_as_long_as_its_time_within_a_frame() {
    for millis in [0, 7, 20, 119, 140, 1_000, 4_711, 60_013] {
        let (mut world, mut a, mut b) = talking(Codec::Pcmu, Codec::Pcma);
        world.run_ms(333);
        start(&mut world);
        for _ in 0..millis / 20 {
            a.send(&mut world);
            b.send(&mut world);
            world.run_ms(20);
        }
        world.run_ms(millis % 20);

        let [left, right] = stop(&mut world);

        assert_eq!(left.len(), right.len());
        let frames = left.len() as i64 / 160;
        assert!((frames * 20 - millis as i64).abs() <= 20, "{frames} frames for {millis} ms");
    }
}

#[test]
fn each_side_holds_its_own_party_and_nothing_else() {
    let (mut world, mut a, mut b) = talking(Codec::Pcmu, Codec::Pcma);
    start(&mut world);
    let (low, high) = (tone::sine(500.0, 0.3, 2_000), tone::sine(1_500.0, 0.3, 2_000));
    for at in 0..100 {
        a.say(&mut world, &low[at * 160..][..160]);
        b.say(&mut world, &high[at * 160..][..160]);
        world.run_ms(20);
    }

    let [left, right] = stop(&mut world);

    assert!(tone::share(&left, 500.0) > 0.97 && tone::share(&left, 1_500.0) < 0.01);
    assert!(tone::share(&right, 1_500.0) > 0.97 && tone::share(&right, 500.0) < 0.01);
}

#[test]
fn a_loss_is_silence_of_its_own_length_and_what_follows_keeps_its_place() {
    let (mut world, mut a, _) = talking(Codec::Pcmu, Codec::Pcmu);
    start(&mut world);
    for frame in 0..50 {
        let octets = a.audio(&[1_000; 160]);
        if !(10..15).contains(&frame) && frame != 30 {
            world.receive(A, a.from, &octets);
        }
        world.run_ms(20);
    }

    let [left, right] = stop(&mut world);

    for (frame, samples) in left.chunks(160).enumerate() {
        let lost = (10..15).contains(&frame) || frame == 30;
        assert!(samples.iter().all(|&sample| (sample == 0) == lost), "frame {frame}");
    }
    assert!(right.iter().all(|&sample| sample == 0));
}

#[test]
fn overtaken_doubled_and_delayed_packets_land_where_they_belong() {
    let (mut world, mut a, _) = talking(Codec::Pcmu, Codec::Pcmu);
    start(&mut world);
    let packets: Vec<Vec<u8>> = (0..40).map(|n| a.audio(&[(n + 1) * 500; 160])).collect();
    for at in 0..40usize {
        // Pairs change places; every fifth comes twice; a burst after 60 ms of nothing.
        let which = if (10..20).contains(&at) { at ^ 1 } else { at };
        match at {
            25..=27 => {}
            28 => (25..=28).for_each(|late| world.receive(A, a.from, &packets[late])),
            _ => world.receive(A, a.from, &packets[which]),
        }
        if at % 5 == 0 {
            world.receive(A, a.from, &packets[which]);
        }
        world.run_ms(20);
    }

    let [left, _] = stop(&mut world);

    for (frame, samples) in left.chunks(160).enumerate() {
        let expected = (frame as i32 + 1) * 500;
        assert!(samples.iter().all(|&sample| (i32::from(sample) - expected).abs() <= expected / 16), "frame {frame}");
    }
}

#[test]
fn the_sides_stay_aligned_in_time() {
    let (mut world, mut a, mut b) = talking(Codec::Pcmu, Codec::Pcmu);
    start(&mut world);
    for at in 0..100 {
        let samples = [if at % 10 == 0 { 9_000 } else { 0 }; 160];
        a.say(&mut world, &samples);
        if at >= 33 {
            b.say(&mut world, &samples);
        }
        world.run_ms(20);
    }

    let [left, right] = stop(&mut world);

    for at in 33 * 160..left.len() {
        assert_eq!(left[at] == 0, right[at] == 0, "sample {at}");
    }
}

#[test]
fn a_phone_with_a_wrong_clock_is_taped_to_the_end() {
    let (mut world, mut a, _) = talking(Codec::Pcmu, Codec::Pcmu);
    start(&mut world);
    for at in 0..3_000u32 {
        a.say(&mut world, &[1_000; 160]);
        world.run_ms(20);
        if at % 50 == 0 {
            a.timestamp = a.timestamp.wrapping_add(8); // 1 000 ppm fast.
        }
    }

    let [left, _] = stop(&mut world);

    let silent = left.iter().filter(|&&sample| sample == 0).count();
    assert_eq!(left.len(), 60 * 8_000);
    assert!(silent < 4_000, "{silent} silent samples of a minute");
    assert!(left[left.len() - 1_600..].iter().filter(|&&sample| sample == 0).count() < 200);
}

#[test]
fn a_tape_runs_before_the_bridge_and_does_not_hear_prompts() {
    let mut world = World::with(Library::from([("tone".into(), clip(tone::sine(2_000.0, 0.5, 3_000)))]));
    let mut a = world.leg(A, Codec::Pcmu);
    world.leg(B, Codec::Pcmu);
    world.hold(A, "tone");
    start(&mut world);
    for _ in 0..50 {
        a.say(&mut world, &[700; 160]);
        world.run_ms(20);
    }

    let [left, right] = stop(&mut world);

    assert!(left.iter().all(|&sample| (600..800).contains(&sample)));
    assert!(right.iter().all(|&sample| sample == 0));
}

#[test]
fn a_tape_ends_with_the_last_of_its_legs() {
    let (mut world, mut a, mut b) = talking(Codec::Pcmu, Codec::Pcmu);
    start(&mut world);
    a.talk(&mut world, 200);
    world.close(A);
    b.talk(&mut world, 200);
    assert!(world.out.ended.is_empty());
    world.close(B);

    assert_eq!(world.out.ended, [recording(1)]);
    assert_eq!(world.out.taped[0].1[0].len(), 400 * 8);
    world.command(Command::StopRecord { recording: recording(1) });
    world.run_ms(1_000);
    assert_eq!(world.out.ended.len(), 1, "an ended tape stays ended");
    assert_eq!(world.engine.poll_timeout(), None);
}

#[test]
fn another_tape_of_the_same_legs_ends_the_first() {
    let (mut world, mut a, _) = talking(Codec::Pcmu, Codec::Pcmu);
    start(&mut world);
    a.talk(&mut world, 200);
    world.command(Command::Record { recording: recording(2), left: A, right: B });
    a.talk(&mut world, 200);
    world.command(Command::StopRecord { recording: recording(2) });

    assert_eq!(world.out.ended, [recording(1), recording(2)]);
    assert!(world.out.taped.iter().all(|(_, [left, _])| left.len() == 200 * 8));
}

#[test]
fn frames_leave_with_time_and_not_all_at_the_end() {
    let (mut world, mut a, _) = talking(Codec::Pcmu, Codec::Pcmu);
    start(&mut world);
    a.talk(&mut world, 1_000);

    let taped = world.out.taped[0].1[0].len();

    assert_eq!(world.now(), Tick::from_millis(1_000));
    assert!((850 * 8..=900 * 8).contains(&taped), "{taped} samples after a second");
}

#[test]
fn a_pause_is_silence_of_its_own_length_and_what_comes_late_of_it_stays_off_the_tape() {
    let (mut world, mut a, _) = talking(Codec::Pcmu, Codec::Pcmu);
    start(&mut world);
    let pause = |paused| Command::PauseRecord { recording: recording(1), paused };
    let mut late = Vec::new();
    for frame in 0..60 {
        match frame {
            20 => world.command(pause(true)),
            40 => world.command(pause(false)),
            _ => {}
        }
        let octets = a.audio(&[1_000; 160]);
        match frame {
            // Said in the pause, and heard by us after it.
            39 => late = octets,
            _ => world.receive(A, a.from, &octets),
        }
        if frame == 41 {
            world.receive(A, a.from, &late);
        }
        world.run_ms(20);
    }

    let [left, _] = stop(&mut world);

    assert_eq!(left.len(), 60 * 160);
    for (frame, samples) in left.chunks(160).enumerate() {
        let paused = (20..40).contains(&frame);
        assert!(samples.iter().all(|&sample| (sample == 0) == paused), "frame {frame}");
    }
}
