//! Players: pace, numbers, seams, ends.

use crate::world::*;
use ringback::audio::{Library, g711, tone};
use ringback::id::{LegRef, PlayRef};
use ringback::media::{Command, Direction, Event, Format, Play};
use ringback::settings::Codec;
use ringback::time::Tick;
use std::time::Duration;

fn music() -> Library {
    // A ramp: every sample tells its place. Its length is no multiple of a frame.
    let ramp = (0..1_000).map(|n| n * 30).collect();
    Library::from([
        ("ramp".into(), clip(ramp)),
        ("tone".into(), clip(tone::sine(1_000.0, 0.5, 3_000))),
        ("word".into(), clip(vec![8_000; 450])),
    ])
}

/// Law 8: sequence numbers rise by one, timestamps by the frame, packets leave 20 ms apart.
fn assert_steady(packets: &[&Left], frame: u32) {
    assert!(packets.len() > 1);
    assert!(packets[0].packet().marker, "the first packet begins the stream");
    for pair in packets.windows(2) {
        let (one, next) = (pair[0].packet(), pair[1].packet());
        assert_eq!(next.sequence, one.sequence.wrapping_add(1));
        assert_eq!(next.timestamp, one.timestamp.wrapping_add(frame));
        assert_eq!(next.ssrc, one.ssrc);
        assert_eq!(pair[1].at.since(pair[0].at), Duration::from_millis(u64::from(frame) / 8));
        assert!(!next.marker);
    }
}

#[test]
fn hold_music_leaves_every_20_ms_and_its_loop_has_no_seam() {
    let mut world = World::with(music());
    world.leg(A, Codec::Pcma);
    world.hold(A, "ramp");
    world.run_ms(1_000);

    let sent = world.sent(A);
    assert_eq!(sent.len(), 51);
    assert_steady(&sent, 160);
    let heard: Vec<i16> = sent
        .iter()
        .flat_map(|left| left.packet().payload.to_vec())
        .map(|octet| g711::decode(Codec::Pcma, octet))
        .collect();
    let ramp: Vec<i16> = (0..1_000).map(|n| g711::decode(Codec::Pcma, g711::encode(Codec::Pcma, n * 30))).collect();
    for (at, sample) in heard.iter().enumerate() {
        assert_eq!(*sample, ramp[at % 1_000], "sample {at}");
    }
}

#[test]
fn everybody_on_hold_hears_the_same_moment_of_the_music() {
    let mut world = World::with(music());
    world.leg(A, Codec::Pcmu);
    world.hold(A, "ramp");
    world.run_ms(3_333);
    world.leg(B, Codec::Pcmu);
    world.hold(B, "ramp");
    world.run_ms(1_000);

    let position = |left: &Left| {
        let first = left.packet().payload[0];
        let clip = music();
        clip["ramp"].encoded(Codec::Pcmu).iter().position(|&octet| octet == first).unwrap() as u64
    };
    let (one, other) = (world.sent(A), world.sent(B));
    let (one, other) = (one.last().unwrap(), other.last().unwrap());
    let apart = (other.at.as_millis() as i64 - one.at.as_millis() as i64) * 8;
    let between = (position(other) as i64 - position(one) as i64 - apart).rem_euclid(1_000);
    assert!(!(20..=980).contains(&between), "{between} samples apart");
}

#[test]
fn legs_are_spread_over_the_20_ms() {
    let mut world = World::with(music());
    for n in 1..=200 {
        world.leg(LegRef(n), Codec::Pcmu);
        world.hold(LegRef(n), "tone");
    }
    world.run_ms(1_000);

    let mut by_millisecond = [0; 20];
    for left in world.out.left.iter().filter(|left| !left.rtcp && left.at >= Tick::from_millis(980)) {
        by_millisecond[left.at.as_millis() as usize % 20] += 1;
    }
    assert!(by_millisecond.iter().all(|&legs| (10..=20).contains(&legs)), "{by_millisecond:?}");
}

#[test]
fn clips_play_to_the_last_sample_and_then_the_loop_follows_without_a_gap() {
    let mut world = World::with(music());
    world.leg(A, Codec::Pcmu);
    world.play(A, 9, &["word", "missing", "word"], Some("tone"));
    world.run_ms(1_000);

    let sent = world.sent(A);
    assert_steady(&sent, 160);
    let played = (Tick::from_millis(100), Event::Played { leg: A, play: PlayRef(9), whole: false });
    assert_eq!(world.out.events, [played], "900 samples end in the sixth frame");
    let word = g711::encode(Codec::Pcmu, 8_000);
    let octets: Vec<u8> = sent.iter().flat_map(|left| left.packet().payload.to_vec()).collect();
    assert!(octets[..900].iter().all(|&octet| octet == word));
    let after: Vec<i16> = octets[900..2_500].iter().map(|&octet| g711::decode(Codec::Pcmu, octet)).collect();
    assert!(tone::share(&after, 1_000.0) > 0.99);
    assert_eq!(world.engine.counters().unknown_clips, 1);
}

#[test]
fn a_clip_of_another_language_is_played_and_without_one_the_english() {
    let mut library = music();
    library.insert("de/word".into(), clip(vec![-8_000; 160]));
    let mut world = World::with(library);
    world.leg(A, Codec::Pcmu);
    world.play(A, 9, &["de/word", "fr/word"], None);
    world.run_ms(1_000);

    let octets: Vec<u8> = world.sent(A).iter().flat_map(|left| left.packet().payload.to_vec()).collect();
    let [german, english] = [-8_000, 8_000].map(|sample| g711::encode(Codec::Pcmu, sample));
    assert!(octets[..160].iter().all(|&octet| octet == german));
    assert!(octets[160..610].iter().all(|&octet| octet == english));
    assert_eq!(world.engine.counters().unknown_clips, 0);
}

#[test]
fn clips_without_a_loop_are_followed_by_nothing() {
    let mut world = World::with(music());
    world.leg(A, Codec::Pcmu);
    world.play(A, 9, &["word"], None);
    world.run_ms(1_000);

    assert_eq!(world.sent(A).len(), 3);
}

#[test]
fn another_player_takes_over_with_the_numbers_of_the_first() {
    let mut world = World::with(music());
    world.leg(A, Codec::Pcmu);
    world.hold(A, "tone");
    world.run_ms(200);
    world.play(A, 3, &["word"], Some("ramp"));
    world.run_ms(400);

    assert_steady(&world.sent(A), 160);
}

#[test]
fn a_pause_moves_the_timestamps_by_whole_frames_and_sets_the_marker() {
    let mut world = World::with(music());
    world.leg(A, Codec::Pcmu);
    world.play(A, 1, &["word"], None);
    world.run_ms(500);
    world.play(A, 2, &["word"], None);
    world.run_ms(500);

    let sent = world.sent(A);
    let (before, after) = (sent[2].packet(), sent[3].packet());
    assert_eq!(after.sequence, before.sequence.wrapping_add(1));
    let frames = sent[3].at.since(sent[2].at).as_millis() as u32 / 20;
    assert_eq!(after.timestamp, before.timestamp.wrapping_add(frames * 160));
    assert!(after.marker && frames > 20);
}

#[test]
fn other_packet_times_are_kept() {
    for frame in [80u16, 240, 320, 480] {
        let mut world = World::with(music());
        world.open(A);
        let format = Format { frame_samples: frame, ..format(Codec::Pcmu) };
        world.update_with(A, format, remote(phone(1)), Direction::SendRecv);
        world.hold(A, "ramp");
        world.run_ms(1_000);

        let sent = world.sent(A);
        assert!(sent.iter().all(|left| left.packet().payload.len() == usize::from(frame)));
        assert_steady(&sent, frame.into());
    }
}

#[test]
fn ringback_is_the_american_tone_unless_the_library_has_another() {
    let ringing = |library: Library| {
        let mut world = World::with(library);
        world.leg(A, Codec::Pcmu);
        world.command(Command::Play { leg: A, play: PlayRef(1), what: Play::Ringback });
        world.run_ms(1_000);
        let sent = world.sent(A);
        sent.iter()
            .flat_map(|left| left.packet().payload.to_vec())
            .map(|octet| g711::decode(Codec::Pcmu, octet))
            .collect::<Vec<i16>>()
    };

    assert!(tone::share(&ringing(Library::default()), 480.0) > 0.4);
    let german = Library::from([(ringback::audio::clip::RINGBACK.into(), tone::ringback("DE").into())]);
    assert!(tone::share(&ringing(german), 425.0) > 0.9);
}

#[test]
fn a_prompt_ends_though_its_hearer_has_put_us_on_hold() {
    let mut world = World::with(music());
    world.open(A);
    world.update_with(A, format(Codec::Pcmu), remote(phone(1)), Direction::RecvOnly);
    world.play(A, 5, &["word"], None);
    world.run_ms(1_000);

    assert!(world.sent(A).is_empty());
    assert_eq!(world.events(), [Event::Played { leg: A, play: PlayRef(5), whole: true }]);
}

#[test]
fn nothing_is_sent_before_update_and_after_stop_and_close() {
    let mut world = World::with(music());
    world.open(A);
    world.hold(A, "tone");
    world.run_ms(500);
    assert!(world.out.left.is_empty());

    world.update(A, Codec::Pcmu, remote(phone(1)));
    world.run_ms(100);
    world.command(Command::Stop { leg: A });
    let before = world.sent(A).len();
    world.run_ms(500);
    assert_eq!(world.sent(A).len(), before);

    world.hold(A, "tone");
    world.run_ms(100);
    let stats = world.close(A);
    let before = world.sent(A).len();
    world.run_ms(500);
    assert_eq!((world.sent(A).len(), stats.sent), (before, before as u64));
    assert_eq!(world.engine.poll_timeout(), None, "at rest nothing is due");
}

#[test]
fn a_late_shard_catches_up_a_little_skips_the_rest_and_keeps_the_pace() {
    let mut world = World::with(music());
    world.leg(A, Codec::Pcmu);
    world.hold(A, "tone");
    world.run_ms(100);
    let before = world.sent(A).len();

    world.out.now += Duration::from_millis(1_000);
    world.engine.tick(world.out.now, &mut world.out);
    let burst = world.sent(A).len() - before;
    world.run_ms(100);

    assert!((5..=6).contains(&burst), "{burst} frames at once");
    let counters = world.engine.counters();
    assert!(counters.late_ticks > 0 && counters.skipped_frames >= 40, "{counters:?}");
    let sent = world.sent(A);
    for pair in sent.windows(2) {
        let (one, next) = (pair[0].packet(), pair[1].packet());
        assert_eq!(next.sequence, one.sequence.wrapping_add(1));
        assert_eq!(next.timestamp.wrapping_sub(one.timestamp) % 160, 0);
    }
    let whole = sent.last().unwrap().packet().timestamp.wrapping_sub(sent[0].packet().timestamp);
    assert_eq!(u64::from(whole) / 8, sent.last().unwrap().at.since(sent[0].at).as_millis() as u64);
}

#[test]
fn keys_are_heard_while_a_prompt_plays() {
    let mut world = World::with(music());
    let mut caller = world.leg(A, Codec::Pcmu);
    world.hold(A, "tone");
    for key in "1#*".chars() {
        caller.press(&mut world, key);
    }

    assert_eq!(world.digits(A), "1#*");
    assert_steady(&world.sent(A), 160);
}

#[test]
fn a_run_that_lacks_a_clip_says_that_it_was_not_whole() {
    let mut world = World::with(Library::from([("tone".into(), clip(vec![1_000; 160]))]));
    world.leg(A, Codec::Pcmu);

    for (clips, whole) in [(vec!["tone"], true), (vec!["tone", "no such clip"], false)] {
        let clips = clips.into_iter().map(Into::into).collect();
        world.command(Command::Play { leg: A, play: PlayRef(5), what: Play::Clips { clips, then: None } });
        world.run_ms(100);

        assert_eq!(world.events().last(), Some(&Event::Played { leg: A, play: PlayRef(5), whole }));
    }
}
