//! Kills while the switch recovers, again while it recovers from that, and a third time; from files that a kill, or a
//! worse accident, has left.

use crate::calls::lived_in;
use crate::folder;
use crate::trace::{self, Point};
use crate::world::World;
use chrono::Utc;
use ringback::entropy::Entropy;
use std::fs;
use std::path::Path;
use std::time::Instant;

/// How often recovery is killed before it may end.
const DEPTH: u32 = 3;

/// What has become of a data directory: a name, and how.
type Accident = (&'static str, fn(&Path));

const ACCIDENTS: [Accident; 7] = [
    ("as the kill left it", |_| {}),
    ("a torn tail", torn_tail),
    ("no view", |data| fs::remove_dir_all(data.join("store/view")).unwrap()),
    ("a damaged view", damaged_view),
    ("half a checkpoint", half_checkpoint),
    ("half a snapshot of sled's", half_snapshot),
    ("all of it", |data| {
        torn_tail(data);
        half_checkpoint(data);
        half_snapshot(data);
        damaged_view(data);
    }),
];

/// A commit that was not written to its end.
fn torn_tail(data: &Path) {
    let last = folder::journal(data, "seg").pop().expect("there are segments");
    let mut bytes = fs::read(&last).unwrap();
    let end = folder::used(&bytes);
    let torn: Vec<u8> = bytes[64..].iter().copied().take(40).collect();
    bytes.resize(bytes.len().max(end + 128), 0);
    bytes[end + 3..end + 3 + torn.len()].copy_from_slice(&torn);
    folder::write(&last, &bytes);
}

fn damaged_view(data: &Path) {
    let view = data.join("store/view/db");
    let mut bytes = fs::read(&view).unwrap();
    let end = bytes.len().min(9_000);
    bytes[..end].fill(0xA5);
    fs::write(&view, bytes).unwrap();
}

fn half_checkpoint(data: &Path) {
    let whole = folder::journal(data, "ckp").pop().expect("there are checkpoints");
    let bytes = fs::read(&whole).unwrap();
    fs::write(whole.with_extension("tmp"), &bytes[..bytes.len() / 2]).unwrap();
}

fn half_snapshot(data: &Path) {
    fs::write(data.join("store/view/snap.00000000000000FF.generating"), b"half a snapshot").unwrap();
}

#[test]
fn everything_is_there_after_three_kills_in_the_recovery_of_a_recovery() {
    let rounds: u32 = std::env::var("RINGBACK_ROUNDS").map_or(1, |text| text.parse().expect("a number of rounds"));
    let seed: u64 = std::env::var("RINGBACK_SEED").map_or(4, |text| text.parse().expect("a seed"));
    let (begun, mut entropy) = (Instant::now(), Entropy::from_seed(seed));
    let world = lived_in("deep", 8);
    let kept = world.folder.join("kept");
    folder::copy(&world.data(), &kept);
    let promised = world.ledger().clone();
    let (mut kills, mut in_recovery) = (0, 0);
    for (name, harm) in ACCIDENTS {
        let begin = || {
            folder::copy(&kept, &world.data());
            harm(&world.data());
        };
        begin();
        let points = recovery(&world);
        assert!(points.len() > 10, "{name}: only {points:?}");
        for round in 0..rounds {
            begin();
            *world.ledger() = promised.after_kills(DEPTH as usize);
            let mut met = Vec::new();
            for _ in 0..DEPTH {
                let point = &points[entropy.below(points.len() as u64) as usize];
                let before = trace::killing(point);
                let words: Vec<&str> = before.iter().map(String::as_str).collect();
                match world.start(&words) {
                    // This recovery had fewer such calls: it is over, and is killed after it.
                    Some(switch) => switch.kill(),
                    None => in_recovery += 1,
                }
                kills += 1;
                met.push(point);
            }
            let what = format!("{name}, round {round}, killed at {met:?}");
            world.ledger().born = Utc::now();
            world.check_and_verify(&what);
        }
    }
    println!(
        "{kills} kills, {in_recovery} of them in a recovery, {DEPTH} deep from each of {} accidents, in {:.0} s: {} \
         promises, all there",
        ACCIDENTS.len(),
        begun.elapsed().as_secs_f64(),
        promised.promises()
    );
    assert!(in_recovery * 2 > kills, "only {in_recovery} of {kills} kills hit a recovery");
    assert!(promised.promises() > 40);
}

/// The calls of an opening that is let be.
fn recovery(world: &World) -> Vec<Point> {
    let noted = world.folder.join("calls");
    let before = trace::noting(&noted);
    let words: Vec<&str> = before.iter().map(String::as_str).collect();
    let switch = world.start(&words).unwrap_or_else(|| panic!("it does not open: {}", world.log()));
    switch.kill();
    trace::points(&noted, &world.data()).into_iter().collect()
}
