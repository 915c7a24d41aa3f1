//! Many days, one after the other on every core: as many as were asked for, or as many as fit into a time.

use super::size::{Day, Keep, Size, Trait};
use super::tally::Tally;
use super::{Breach, Lived, live, smaller};
use crate::shrink::Budget;
use std::collections::BTreeMap;
use std::env::var;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// In so many days everything comes about that can be drawn; and so many fit into the time that a run has, at least.
const MANY: usize = 200;
/// So many of the days that break a law are made smaller, each for so long at most.
const MADE_SMALLER: usize = 3;
const SMALLER_FOR: Duration = Duration::from_secs(60);

#[test]
fn days_from_seeds_keep_the_laws() {
    let asked = Asked::of_environment();

    let (sum, broken) = asked.live();

    println!("{}\n{sum}", sum.tally);
    assert!(broken.is_empty(), "these days broke a law, each as told above: {broken:?}");
    assert!(asked.time.is_none() || sum.days() >= MANY, "only {} days were lived", sum.days());
    let holes = sum.tally.holes();
    assert!(sum.days() < MANY || holes.is_empty(), "no day has had any of {holes:?}");
}

/// Which days somebody wants.
struct Asked {
    seeds: RangeInclusive<u64>,
    /// Days begin until then.
    time: Option<Duration>,
    size: Option<Size>,
    keep: Option<Vec<Trait>>,
    cores: usize,
}

impl Asked {
    fn of_environment() -> Asked {
        let time = var("RINGBACK_SECS").ok().map(|text| Duration::from_secs(text.parse().expect("seconds")));
        let many = if time.is_some() { 1..=u64::MAX } else { 1..=10 };
        let many = var("RINGBACK_SEEDS").map_or(many, |text| days(&text).expect("a number, or two"));
        let one = var("RINGBACK_SEED").ok().map(|text| text.parse().expect("a number"));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Asked {
            seeds: one.map_or(many, |seed| seed..=seed),
            time,
            size: var("RINGBACK_SIZE").ok().map(|word| Size::parse(&word).expect("short, packets or whole")),
            keep: var("RINGBACK_KEEP").ok().map(|text| Keep::parse(&text)),
            cores: var("RINGBACK_CORES").map_or(cores, |text| text.parse().expect("a number")),
        }
    }

    fn day(&self, seed: u64) -> Day {
        let day = Day::of(seed);
        let day = Day { size: self.size.unwrap_or(day.size), ..day };
        self.keep.as_ref().map_or(day.clone(), |kept| day.keeping(kept.iter().cloned()))
    }

    /// Lives them; what they brought, and the seeds of those that broke a law.
    fn live(&self) -> (Sum, Vec<u64>) {
        let next = AtomicU64::new(*self.seeds.start());
        let begun = Instant::now();
        let all = Mutex::new((Sum::default(), Vec::new()));
        let work = || {
            while self.time.is_none_or(|time| begun.elapsed() < time) {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if !self.seeds.contains(&seed) {
                    break;
                }
                let day = self.day(seed);
                let since = core_time();
                let lived = live(&day);
                let took = core_time().saturating_sub(since);
                let nth = match &lived {
                    Ok(lived) => {
                        all.lock().expect("nobody panics with it").0.add(&day, lived, took);
                        continue;
                    }
                    Err(_) => {
                        let broken = &mut all.lock().expect("nobody panics with it").1;
                        broken.push(seed);
                        broken.len()
                    }
                };
                if let Err(breach) = lived {
                    self.tell(&day, *breach, nth);
                }
            }
        };
        std::thread::scope(|scope| {
            (0..self.cores).for_each(|_| drop(scope.spawn(work)));
        });
        let (mut sum, broken) = all.into_inner().expect("nobody panicked with it");
        sum.elapsed = begun.elapsed();
        (sum, broken)
    }

    fn tell(&self, day: &Day, breach: Breach, nth: usize) {
        let is_whole_story = self.keep.is_some();
        if is_whole_story || nth > MADE_SMALLER {
            let steps = if is_whole_story { breach.world.last_steps() } else { String::new() };
            return eprintln!("{day} broke a law at {:?}: {}\n{steps}", breach.world.now, breach.broken.message);
        }
        let mut budget = Budget { runs: 1_000, until: Some(Instant::now() + SMALLER_FOR) };
        eprintln!("{}", smaller::smaller(day, breach, &|_| (), &mut budget));
    }
}

/// How long this thread has had a core, where the system says so: other programs do not slow days down.
fn core_time() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|text| text.split_whitespace().next()?.parse().ok());
    nanos.map_or_else(|| BEGUN.with(Instant::elapsed), Duration::from_nanos)
}

thread_local! {
    static BEGUN: Instant = Instant::now();
}

/// `300` are the first so many days, `301..900` are those.
pub fn days(text: &str) -> Option<RangeInclusive<u64>> {
    match text.split_once("..") {
        Some((first, last)) => Some(first.parse().ok()?..=last.parse().ok()?),
        None => Some(1..=text.parse().ok()?),
    }
}

/// What days brought.
#[derive(Default)]
struct Sum {
    tally: Tally,
    promises: usize,
    kills: usize,
    of: BTreeMap<&'static str, OfSize>,
    elapsed: Duration,
}

/// Of one size.
#[derive(Default)]
struct OfSize {
    days: usize,
    calls: usize,
    /// By the core that lived them.
    took: Duration,
}

impl Sum {
    fn add(&mut self, day: &Day, lived: &Lived, took: Duration) {
        let of = self.of.entry(day.size.word()).or_default();
        of.days += 1;
        of.calls += lived.calls;
        of.took += took;
        self.promises += lived.promises;
        self.kills += lived.kills;
        self.tally.and(&lived.tally);
    }

    fn days(&self) -> usize {
        self.of.values().map(|of| of.days).sum()
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls: usize = self.of.values().map(|of| of.calls).sum();
        let packets = self.of.get(Size::Packets.word()).map_or(0, |of| of.days);
        writeln!(
            f,
            "{} days, {} promises, {} kills, {calls} calls, {packets} days with packets, {:.1} s",
            self.days(),
            self.promises,
            self.kills,
            self.elapsed.as_secs_f64()
        )?;
        for (word, of) in &self.of {
            let (each, took) = (of.calls as f64 / of.days as f64, of.took.as_secs_f64());
            let hourly = of.days as f64 * 3_600.0 / took;
            writeln!(f, "{word:>8}: {} days of {each:.0} calls, {took:.1} s: {hourly:.0} an hour and core", of.days)?;
        }
        Ok(())
    }
}
