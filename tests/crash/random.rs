//! Kills at random instants of a switch under load.

use crate::asker;
use crate::people::People;
use crate::world::World;
use chrono::Utc;
use ringback::entropy::Entropy;
use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Kills of one world; the next one begins with nothing.
const OF_ONE_WORLD: u64 = 40;
/// Worlds side by side.
const WORKERS: u64 = 2;

/// What was done, so that it is known to have been done.
#[derive(Debug, Default)]
struct Tally {
    kills: u64,
    /// Before it was ready.
    opening: u64,
    /// While a caller had pressed the key and heard nothing yet.
    promising: u64,
    /// While an agent's phone was in a call.
    attempting: u64,
    promises: usize,
    rung: usize,
    reached: usize,
    told: BTreeMap<crate::ledger::Word, u64>,
}

impl Tally {
    fn add(&mut self, other: Tally) {
        self.kills += other.kills;
        self.opening += other.opening;
        self.promising += other.promising;
        self.attempting += other.attempting;
        self.promises += other.promises;
        self.rung += other.rung;
        self.reached += other.reached;
        other.told.into_iter().for_each(|(word, count)| *self.told.entry(word).or_default() += count);
    }
}

#[test]
fn nothing_acknowledged_is_lost_or_doubled_by_kills_at_random_instants() {
    let kills: u64 = std::env::var("RINGBACK_KILLS").map_or(60, |text| text.parse().expect("a number of kills"));
    let seed: u64 = std::env::var("RINGBACK_SEED").map_or(4, |text| text.parse().expect("a seed"));
    let begun = Instant::now();
    let mut tally = Tally::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| {
                let share = kills / WORKERS + u64::from(worker < kills % WORKERS);
                scope.spawn(move || killed(worker, share, Entropy::from_seed(seed * WORKERS + worker)))
            })
            .collect();
        workers.into_iter().for_each(|worker| tally.add(worker.join().expect("nothing was wrong")));
    });
    println!("{kills} kills in {:.0} s, nothing lost, nothing doubled: {tally:?}", begun.elapsed().as_secs_f64());
    assert_eq!(tally.kills, kills);
    assert!(tally.promises as u64 > kills && tally.rung as u64 > kills / 2 && tally.reached as u64 > kills / 8);
    let hit = [tally.opening, tally.promising, tally.attempting];
    assert!(hit.iter().all(|hit| *hit >= kills / 12), "too few kills hit something under way");
    assert!(tally.told.len() == 3, "nobody learnt of his promise in one of the ways");
}

fn killed(worker: u64, kills: u64, mut entropy: Entropy) -> Tally {
    let mut tally = Tally::default();
    for first in (0..kills).step_by(OF_ONE_WORLD as usize) {
        let world = World::new(&format!("random-{worker}-{first}"));
        let people = People::arrive(&world, entropy.next_u64());
        let mut opens = Duration::from_millis(50);
        for kill in first..kills.min(first + OF_ONE_WORLD) {
            let what = format!("worker {worker}, kill {kill}");
            match kill % 4 {
                3 => tally.opening += u64::from(kill_opening(&world, &mut entropy, opens)),
                _ => opens = kill_serving(&world, &people, &mut entropy, &what, &mut tally),
            }
            world.ledger().kills += 1;
            tally.kills += 1;
        }
        people.rest();
        world.ledger().born = Utc::now();
        world.check_and_verify(&format!("worker {worker}, after kill {first} and those that followed"));
        let ledger = world.ledger();
        tally.add(Tally {
            promises: ledger.promises(),
            rung: ledger.rung(),
            reached: ledger.succeeded(),
            told: ledger.told.clone(),
            ..Tally::default()
        });
    }
    tally
}

/// Whether it died before it could say that it was ready.
fn kill_opening(world: &World, entropy: &mut Entropy, opens: Duration) -> bool {
    let mut child = world.command(&[]).stdout(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_micros(entropy.below(opens.as_micros() as u64)));
    child.kill().unwrap();
    child.wait().unwrap();
    !world.data().join("admin.address").exists()
}

/// How long it took to be ready.
fn kill_serving(world: &World, people: &People, entropy: &mut Entropy, what: &str, tally: &mut Tally) -> Duration {
    let begun = Instant::now();
    world.ledger().born = Utc::now();
    let switch = world.open(what);
    let opened = begun.elapsed();
    world.check(&switch, what);
    people.call();
    let wait = Duration::from_micros(entropy.below(450_000));
    std::thread::scope(|scope| {
        scope.spawn(|| asker::ask(world, &switch, u64::MAX, Duration::from_millis(8)));
        scope.spawn(|| asker::listen(world, &switch));
        if entropy.below(4) == 0 {
            // The segment of the journal is closed, and perhaps a checkpoint begun.
            scope.spawn(|| switch.api().request("POST", "/store/backup", ""));
        }
        std::thread::sleep(wait);
        {
            let ledger = world.ledger();
            tally.promising += u64::from(ledger.promising > 0);
            tally.attempting += u64::from(ledger.attempting > 0);
        }
        people.rest();
        switch.signal("KILL");
    });
    switch.kill();
    opened
}
