//! Recordings on a real disk: whole ones, ones with gaps, and ones that a crash has cut.

#![cfg(feature = "shell")]

use chrono::{TimeZone, Utc};
use ringback::entropy::Entropy;
use ringback::id::RecordingId;
use ringback::limits::TAPE_FRAMES;
use ringback::run::recorder::{Recorder, TapeFeed, erase, relative_path};
use ringback::run::repair::repair;
use ringback::switch::{Recorded, RecordingFailed};
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let path = std::env::temp_dir().join(format!("ringback-recorder-{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        std::fs::create_dir_all(&path).unwrap();
        Place(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn id(n: u64) -> RecordingId {
    RecordingId(Entropy::from_seed(n).ulid(Utc.with_ymd_and_hms(2026, 3, 9, 23, 59, 59).unwrap()))
}

fn start(place: &Place) -> (Recorder, TapeFeed, mpsc::Receiver<Recorded>) {
    let (told, done) = mpsc::channel();
    let recorder = Recorder::start(place.0.clone(), move |recorded| told.send(recorded).unwrap()).unwrap();
    let feed = recorder.feed();
    (recorder, feed, done)
}

fn next(done: &mpsc::Receiver<Recorded>) -> Recorded {
    done.recv_timeout(Duration::from_secs(10)).unwrap()
}

#[test]
fn a_tape_becomes_a_file_with_the_agent_on_the_left_and_its_story_beside_it() {
    let place = Place::new("whole");
    let (recorder, mut feed, done) = start(&place);

    for n in 0..60 {
        feed.frame(id(1), &[n; 160], &[-n; 160]);
    }
    feed.end(id(1));
    let recorded = next(&done);
    drop(feed);
    recorder.finish();

    let file = recorded.file.unwrap();
    assert_eq!(file.path, format!("recordings/2026/03/09/{}.wav", id(1)));
    assert_eq!((file.samples, file.bytes), (9_600, 44 + 9_600 * 4));
    let mut wav = hound::WavReader::open(place.0.join(&file.path)).unwrap();
    assert_eq!((wav.spec().channels, wav.spec().sample_rate, wav.duration()), (2, 8_000, 9_600));
    let samples: Vec<i16> = wav.samples().map(Result::unwrap).collect();
    assert_eq!(samples[2 * 160 * 59..][..2], [59, -59]);
    let story = std::fs::read_to_string(place.0.join(&file.path).with_extension("json")).unwrap();
    let story: serde_json::Value = serde_json::from_str(&story).unwrap();
    assert_eq!(story["samples"], 9_600);
    assert_eq!(story["started_at"], "2026-03-09T23:59:59.000Z");
    assert!(!place.0.join(format!("{}.part", file.path)).exists());
}

// S5.25, S1.B15: of a recording whose time is over nothing is left on the disk: no audio, no story, no unfinished tape;
// another's are untouched, and what is gone already is no error.
#[test]
fn an_erased_recording_leaves_nothing_behind() {
    let place = Place::new("erase");
    let (recorder, mut feed, done) = start(&place);
    for n in 1..=2 {
        feed.frame(id(n), &[7; 160], &[8; 160]);
        feed.end(id(n));
        next(&done).file.unwrap();
    }
    feed.frame(id(3), &[7; 160], &[8; 160]);
    drop(feed);
    recorder.finish(); // The third tape has no end, as after a crash.
    let files = || {
        let day = place.0.join(relative_path(id(1))).parent().unwrap().to_owned();
        let names = std::fs::read_dir(day).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        names.collect::<std::collections::BTreeSet<String>>()
    };
    let of = |n: u64, kinds: &[&str]| kinds.iter().map(|kind| format!("{}.{kind}", id(n))).collect::<Vec<_>>();
    let expected = |parts: &[Vec<String>]| parts.concat().into_iter().collect::<std::collections::BTreeSet<String>>();
    assert_eq!(files(), expected(&[of(1, &["wav", "json"]), of(2, &["wav", "json"]), of(3, &["wav.part"])]));

    erase(&place.0, id(1)).unwrap();
    assert_eq!(files(), expected(&[of(2, &["wav", "json"]), of(3, &["wav.part"])]));
    erase(&place.0, id(3)).unwrap();
    assert_eq!(files(), expected(&[of(2, &["wav", "json"])]));

    erase(&place.0, id(1)).unwrap();
    std::fs::remove_dir_all(place.0.join("recordings")).unwrap();
    erase(&place.0, id(2)).unwrap();
}

// S5.25: a disk that does not delete says so, and is asked again by the switch.
#[test]
fn what_cannot_be_deleted_is_an_error() {
    let place = Place::new("stubborn");
    std::fs::create_dir_all(place.0.join(relative_path(id(1)))).unwrap(); // A directory where the file should be.

    assert!(erase(&place.0, id(1)).is_err());
}

#[test]
fn a_tape_that_is_slow_to_be_put_away_cuts_no_other() {
    let place = Place::new("slow-end");
    let (told, done) = mpsc::channel();
    let (go_on, gate) = mpsc::channel::<()>();
    let recorder = Recorder::start(place.0.clone(), move |recorded| {
        gate.recv().unwrap(); // As long as a slow disk would sync.
        told.send(recorded).unwrap();
    })
    .unwrap();
    let mut feed = recorder.feed();

    feed.end(id(1));
    for _ in 0..50 {
        feed.frame(id(2), &[1; 160], &[2; 160]);
    }
    let part = place.0.join(format!("{}.part", relative_path(id(2))));
    let mut tries = 0;
    while std::fs::metadata(&part).map_or(0, |part| part.len()) < 44 + 50 * 640 {
        tries += 1;
        assert!(tries < 10_000, "the second tape is not written");
        std::thread::sleep(Duration::from_millis(1));
    }
    feed.end(id(2));
    go_on.send(()).unwrap();
    go_on.send(()).unwrap();
    let both = [next(&done), next(&done)];
    drop(feed);
    recorder.finish();

    assert_eq!(both.map(|recorded| recorded.id), [id(1), id(2)]);
}

#[test]
fn a_tape_without_a_single_frame_is_an_empty_file() {
    let place = Place::new("empty");
    let (_recorder, mut feed, done) = start(&place);

    feed.end(id(1));

    assert_eq!(next(&done).file.unwrap().bytes, 44);
}

#[test]
fn a_recorder_that_cannot_keep_up_loses_no_time_and_no_end() {
    let place = Place::new("slow");
    let (told, done) = mpsc::channel();
    let (hold, go) = mpsc::channel::<()>();
    let recorder = Recorder::start(place.0.clone(), move |recorded| {
        go.recv().unwrap_err(); // The disk stands still after the first tape.
        told.send(recorded).unwrap();
    });
    let recorder = recorder.unwrap();
    let mut feed = recorder.feed();
    feed.end(id(1));

    let frames = TAPE_FRAMES + 500;
    for _ in 0..frames {
        feed.frame(id(2), &[1; 160], &[2; 160]);
    }
    feed.end(id(2));
    drop(hold);
    next(&done);
    let mut tries = 0;
    while feed.is_behind() {
        feed.retry();
        tries += 1;
        assert!(tries < 10_000);
        std::thread::sleep(Duration::from_millis(1));
    }

    let file = next(&done).file.unwrap();
    assert_eq!(file.samples, frames as u64 * 160);
}

#[test]
fn a_tape_cut_by_a_crash_is_made_whole_at_the_next_start_and_only_once() {
    let place = Place::new("crash");
    let (recorder, mut feed, done) = start(&place);
    for _ in 0..75 {
        feed.frame(id(1), &[5; 160], &[6; 160]);
    }
    drop(feed);
    recorder.finish(); // Without an end: as a crash leaves it, but for what the last flush had not covered.
    let path = relative_path(id(1));
    let part = place.0.join(format!("{path}.part"));
    let mut bytes = std::fs::read(&part).unwrap();
    bytes[4..8].fill(0);
    bytes[40..44].fill(0);
    bytes.extend([5, 0, 6]); // Three quarters of a sample.
    std::fs::write(&part, bytes).unwrap();

    let repaired = repair(&place.0);

    assert_eq!(done.try_recv().ok(), None);
    let [Recorded { id: found, file: Ok(file) }] = &repaired[..] else { panic!("{repaired:?}") };
    assert_eq!((found, &file.path, file.samples, file.bytes), (&id(1), &path, 12_000, 44 + 48_000));
    assert_eq!(hound::WavReader::open(place.0.join(&path)).unwrap().duration(), 12_000);
    assert!(repair(&place.0).is_empty());
}

#[test]
fn a_scrap_without_a_header_is_reported_once_and_kept_out_of_the_way() {
    let place = Place::new("scrap");
    let part = place.0.join(format!("{}.part", relative_path(id(1))));
    std::fs::create_dir_all(part.parent().unwrap()).unwrap();
    std::fs::write(&part, b"RIFF").unwrap();
    std::fs::write(part.with_file_name("notes.wav.part"), b"not ours").unwrap();

    assert_eq!(repair(&place.0), [Recorded { id: id(1), file: Err(RecordingFailed) }]);
    assert_eq!(repair(&place.0), []);
    assert!(part.with_file_name("notes.wav.part").exists());
}

#[test]
fn a_disk_that_refuses_fails_the_tape_and_nothing_else() {
    let place = Place::new("refused");
    std::fs::write(place.0.join("recordings"), b"a file where a directory should be").unwrap();
    let (_recorder, mut feed, done) = start(&place);

    feed.frame(id(1), &[0; 160], &[0; 160]);
    feed.end(id(1));
    assert_eq!(next(&done), Recorded { id: id(1), file: Err(RecordingFailed) });

    std::fs::remove_file(place.0.join("recordings")).unwrap();
    feed.frame(id(2), &[0; 160], &[0; 160]);
    feed.end(id(2));
    assert!(next(&done).file.is_ok());
}

// --- P17: kill -9 while many calls are recorded ---

/// Calls that are recorded at once.
const TAPES: u64 = 200;
/// Names the data directory to the process that is killed.
const RECORDS_INTO: &str = "RINGBACK_TEST_RECORDS_INTO";

/// What frame `n` of a tape holds: who it is, and where in it we are.
fn sample(tape: u64, n: u64) -> (i16, i16) {
    (i16::try_from(tape).unwrap(), i16::try_from(n).unwrap())
}

/// Not a test by itself: the process that the next one kills. It records in real time and says how far it has come.
#[test]
fn a_process_that_records_until_it_is_killed() {
    use std::io::Write;
    let Some(place) = std::env::var_os(RECORDS_INTO) else { return };
    let recorder = Recorder::start(place.into(), |_| {}).unwrap();
    let (mut feed, begun) = (recorder.feed(), std::time::Instant::now());
    for n in 0.. {
        std::thread::sleep(
            (begun + Duration::from_millis(20) * n).saturating_duration_since(std::time::Instant::now()),
        );
        for tape in 0..TAPES {
            let (left, right) = sample(tape, u64::from(n));
            feed.frame(id(tape), &[left; 160], &[right; 160]);
        }
        let mut out = std::io::stdout();
        writeln!(out, "\nfed {n}").and_then(|()| out.flush()).unwrap();
    }
}

// P17: every file plays, has what was said and not more, and at most the last second is missing.
#[test]
fn a_kill_while_200_calls_are_recorded_costs_each_at_most_a_second() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    for kill_at in [30_u64, 75, 128] {
        let place = Place::new(&format!("killed-{kill_at}"));
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_process_that_records_until_it_is_killed", "--nocapture"])
            .env(RECORDS_INTO, &place.0)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let fed = lines.filter_map(|line| line.strip_prefix("fed ")?.parse::<u64>().ok()).find(|fed| *fed >= kill_at);
        child.kill().unwrap();
        child.wait().unwrap();
        let fed = fed.expect("it records") + 1;

        let repaired = repair(&place.0);

        assert_eq!(repaired.len() as u64, TAPES);
        for Recorded { id: tape, file } in repaired {
            let n = (0..TAPES).find(|n| id(*n) == tape).expect("one of ours");
            let file = file.unwrap();
            let wav = hound::WavReader::open(place.0.join(&file.path)).unwrap();
            assert_eq!((wav.spec().channels, u64::from(wav.duration())), (2, file.samples));
            assert!(file.samples / 160 + 50 >= fed, "{} frames of {fed} of tape {n}", file.samples / 160);
            let samples: Vec<i16> = wav.into_samples().map(Result::unwrap).collect();
            for (at, pair) in (0_u64..).zip(samples.chunks(2)) {
                assert_eq!((pair[0], pair[1]), sample(n, at / 160), "sample {at} of tape {n}");
            }
        }
    }
}

// P17: wherever the end of the file is torn, all whole samples before it are kept.
#[test]
fn a_tape_that_is_torn_anywhere_keeps_every_whole_sample() {
    let place = Place::new("torn");
    let (recorder, mut feed, _done) = start(&place);
    for n in 0..60 {
        feed.frame(id(1), &[n; 160], &[-n; 160]);
    }
    drop(feed);
    recorder.finish();
    let path = relative_path(id(1));
    let (whole, part) = (place.0.join(&path), place.0.join(format!("{path}.part")));
    let bytes = std::fs::read(&part).unwrap();
    assert_eq!(bytes.len(), 44 + 60 * 640);

    for length in (44..bytes.len()).step_by(641).chain(bytes.len() - 9..=bytes.len()) {
        std::fs::write(&part, &bytes[..length]).unwrap();

        let repaired = repair(&place.0);

        let [Recorded { file: Ok(file), .. }] = &repaired[..] else { panic!("{length}: {repaired:?}") };
        assert_eq!(file.samples as usize, (length - 44) / 4, "{length}");
        let mut wav = hound::WavReader::open(&whole).unwrap();
        assert_eq!(u64::from(wav.duration()), file.samples);
        let left: Vec<i16> = wav.samples().step_by(2).map(Result::unwrap).collect();
        assert!(left.iter().zip(0..).all(|(sample, at)| *sample == at / 160), "{length}");
        std::fs::remove_file(&whole).unwrap();
    }
}
