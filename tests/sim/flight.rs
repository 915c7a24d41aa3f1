//! The flight recorder under random days: each life of the switch is recorded as the shell does it, masked, written,
//! read and replayed, and the replay asks for the same things, one for one.

use super::day::{Day, Size, days, world_after};
use super::stumble::CAN_STUMBLE;
use ringback::entropy::Entropy;
use ringback::flight::file::{self, Contents};
use ringback::flight::record::{Beginning, Recorder, keep};
use ringback::flight::reel::Reel;
use ringback::flight::replay::Replay;
use ringback::switch::{Fault, Input, Output, Restored, Switch};
use ringback::time::Now;

/// A recorder, and what the switch asked for meanwhile.
pub struct Tape {
    recorder: Recorder,
    lives: Vec<Life>,
}

/// From the beginning of a switch to its end.
struct Life {
    reel: Reel,
    asked: Vec<String>,
    faults: Vec<String>,
}

impl Tape {
    pub fn new() -> Tape {
        Tape { recorder: Recorder::default(), lives: Vec::new() }
    }

    pub fn begin(&mut self, beginning: &Beginning) {
        self.end();
        self.recorder = Recorder::default();
        let mut reel = Reel::new(64 << 20);
        let (mut beginning, now) = (beginning.clone(), beginning.now);
        beginning.write(|| now, |piece| reel.begin(&piece));
        self.lives.push(Life { reel, asked: Vec::new(), faults: Vec::new() });
    }

    fn end(&mut self) {
        let rest = self.recorder.take();
        if let Some(life) = self.lives.last_mut() {
            life.reel.push(&rest);
        }
    }

    pub fn input(&mut self, now: Now, input: &Input, switch: &Switch) {
        let Some(life) = self.lives.last_mut() else { return };
        if let Some(chunk) = self.recorder.input(now, input, switch) {
            life.reel.push(&chunk);
        }
    }

    pub fn output(&mut self, output: &Output) {
        self.recorder.output(output);
        if let Some(life) = self.lives.last_mut() {
            life.asked.push(without_numbers(output));
        }
    }

    pub fn fault(&mut self, now: Now, fault: &Fault) {
        self.recorder.fault(now, fault, None);
        if let Some(life) = self.lives.last_mut() {
            life.faults.push(format!("{fault:?}"));
        }
    }
}

/// An output as text, without what masking changes: digits of numbers, digests, what people have written.
fn without_numbers(output: &Output) -> String {
    let text = match output {
        Output::Send(flow, octets) => {
            let text = String::from_utf8_lossy(octets);
            // Display names that the disk had kept are blotted out there.
            let shown = |line: &str| match line.split_once(": \"").filter(|(name, _)| matches!(*name, "From" | "To")) {
                Some((name, rest)) => format!("{name}: {}\n", rest.split_once('"').map_or("", |(_, rest)| rest)),
                None => format!("{line}\n"),
            };
            format!("{flow} {}", text.lines().map(shown).collect::<String>())
        }
        Output::Reply(to, _) => format!("reply to {to:?}"),
        other => without_names(&format!("{other:?}")),
    };
    let mut blank = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let length = rest[at..].bytes().take_while(u8::is_ascii_digit).count();
        let is_number = length >= 7 || rest[..at].ends_with("digit_");
        blank.push_str(&rest[..at]);
        blank.push_str(&if is_number { "#".repeat(length) } else { rest[at..at + length].to_owned() });
        rest = &rest[at + length..];
    }
    blank.push_str(rest);
    let blank = blank.replace("says no", "xxxx xx"); // What a person on such a day writes.
    match blank.split_once("response=\"") {
        Some((before, after)) => format!("{before}{}", &after[after.find('"').unwrap_or(0)..]),
        None => blank,
    }
}

/// Display names in the addresses of a stored session are blotted out, too.
fn without_names(text: &str) -> String {
    let mut pieces = text.split(": \"\\\"");
    let first = pieces.next().unwrap_or("").to_owned();
    pieces.fold(first, |text, piece| text + ": \"" + piece.split_once("\\\"").map_or(piece, |(_, address)| address))
}

/// The masked file of a life.
fn saved(life: &Life, key: u8) -> Vec<u8> {
    let contents = Contents {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        saved_at: "2026-03-02T15:00:00Z".parse().expect("an instant"),
        zones: String::new(),
        fault: None,
        has_gap: false,
    };
    let pieces = file::pieces(&life.reel, &contents, [key; 32]).expect("a recording of ours");
    pieces.collect::<Result<Vec<_>, _>>().expect("a recording of ours").concat()
}

fn assert_repeats(life: &Life, file: &[u8], what: &str) -> u64 {
    let mut replay = Replay::of(file).expect("a file of ours");
    let (mut asked, mut faults, mut steps) = (Vec::new(), Vec::new(), 0);
    while let Some(step) = replay.step() {
        let step = step.expect("a record of ours");
        if asked.len() <= life.asked.len() {
            asked.extend(step.outputs.iter().map(without_numbers));
        }
        faults.extend(step.fault.map(|fault| format!("{fault:?}")));
        steps = step.n;
    }
    for (n, (then, now)) in life.asked.iter().zip(&asked).enumerate() {
        assert!(then == now, "{what}: output {n} was\n{then}\nand is\n{now}");
    }
    assert!(asked.len() >= life.asked.len(), "{what}: {} outputs of {}", asked.len(), life.asked.len());
    assert_eq!(replay.departed(), None, "{what}: it departs");
    assert_eq!(faults, life.faults, "{what}: the same faults at the same inputs");
    steps
}

/// Everything in a file, unpacked.
fn plain(file: &[u8]) -> String {
    let mut reading = file::Reading::of(file).expect("a file of ours");
    let mut text = String::new();
    while let Some(record) = reading.take() {
        text.push_str(&String::from_utf8_lossy(&record.expect("a record of ours").payload));
        text.push('\n');
    }
    text
}

fn lives_of(seed: u64, clumsy: bool) -> Vec<Life> {
    let day = Day { size: Size::Short, ..Day::of(seed) };
    let mut world = world_after(&day, |world| {
        world.stumbles.tape = Some(Tape::new());
        if clumsy {
            world.stumbles.now_and_then = Some((40, Entropy::from_seed(seed ^ 0xFA11)));
        }
        // Begun anew, so that everything is on the tape.
        world.crash();
        world.start();
    });
    let mut tape = world.stumbles.tape.take().expect("it was put there");
    tape.end();
    tape.lives
}

#[test]
fn masked_recordings_of_random_days_make_the_switch_do_the_same() {
    let seeds = match std::env::var("RINGBACK_FLIGHTS") {
        Ok(text) => days(&text).expect("a number, or two"),
        Err(_) => 1..=24,
    };
    let (mut lives, mut steps, mut faults, mut octets) = (0, 0, 0, 0);
    for seed in seeds {
        for life in lives_of(seed, CAN_STUMBLE && seed % 2 == 0) {
            let file = saved(&life, 7);
            steps += assert_repeats(&life, &file, &format!("seed {seed}, life {lives}"));
            faults += life.faults.len();
            octets += file.len();
            lives += 1;
            let text = plain(&file);
            for secret in ["secret-of-", "trunk-secret"] {
                assert!(!text.contains(secret), "seed {seed}: a secret is in the file");
            }
            let (begin, whole) = ("+1202555", 12);
            let numbers = text.match_indices(begin).filter_map(|(at, _)| text.get(at..at + whole));
            let own = numbers.filter(|number| number[8..].starts_with("01")).count();
            assert_eq!(own, 0, "seed {seed}: numbers of customers are in the file");
        }
    }

    println!("{lives} lives, {steps} inputs, {faults} faults, {octets} octets of files");
    assert!(lives > 0 && steps > 10_000, "{lives} lives, {steps} inputs");
    assert!(faults > 0 || !CAN_STUMBLE);
}

#[test]
fn a_damaged_cut_or_foreign_file_is_known_for_what_it_is() {
    use ringback::flight::file::Wrong;
    let life = lives_of(1, false).remove(0);
    let file = saved(&life, 7);
    let outcome = |file: &[u8]| {
        let mut replay = match Replay::of(file) {
            Ok(replay) => replay,
            Err(wrong) => return Err(wrong),
        };
        while let Some(step) = replay.step() {
            step?;
        }
        Ok(())
    };

    assert_eq!(outcome(&file), Ok(()));
    assert_eq!(outcome(b"RIFF....WAVEfmt \n"), Err(Wrong::Foreign));
    assert_eq!(outcome(b""), Err(Wrong::Foreign));
    assert_eq!(outcome(b"ringback flight recording 9\n{}\n"), Err(Wrong::Newer(9)));
    assert_eq!(outcome(b"ringback flight recording 1\n{}\n"), Err(Wrong::Older(1)));
    for cut in [40, file.len() / 2, file.len() - 1] {
        assert_eq!(outcome(&file[..cut]), Err(Wrong::Cut), "cut at {cut}");
    }
    let mut flipped = file.clone();
    let middle = file.len() / 2;
    flipped[middle] ^= 4;
    assert_eq!(outcome(&flipped), Err(Wrong::Damaged));
}

// A hostile file must not take the reader down.
#[test]
fn any_octets_are_read_without_a_panic() {
    let mut entropy = Entropy::from_seed(5);
    let life = lives_of(1, false).remove(0);
    let file = saved(&life, 7);
    let head = file.iter().enumerate().filter(|(_, octet)| **octet == b'\n').nth(1).expect("two lines").0 + 1;
    for round in 0..400 {
        let mut octets = file.clone();
        let from = if round % 2 == 0 { 0 } else { head };
        for _ in 0..=entropy.below(8) {
            let at = from + usize::try_from(entropy.below((octets.len() - from) as u64)).expect("an index");
            octets[at] = entropy.next_u64().to_le_bytes()[0];
        }
        octets.truncate(usize::try_from(entropy.below(octets.len() as u64)).expect("an index").max(head));
        if let Ok(mut reading) = file::Reading::of(&octets) {
            while let Some(Ok(record)) = reading.take() {
                drop((
                    record.input(),
                    record.fault(),
                    keep(&mut Restored::default(), &record),
                    Beginning::read(&record, Restored::default()).is_ok(),
                ));
            }
        }
    }
}
