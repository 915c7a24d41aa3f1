//! Commits beside held calls: what the disk costs the callers, and what the callers cost the disk (durability.md §2.2:
//! at most 20 ms for 99 of 100 commits beside 500 calls; P13: the audio thread never waits for a disk).
//!
//! Programs ask for callbacks, 20 a second, while all callers talk and listen: while the whole state is written down in
//! a checkpoint, on the disk as it is, while one backup after the other is made, and then, under `strace`, on a disk
//! whose every sync takes 200 ms more. Late media ticks are the switch's own count. What the disk does must not change
//! them; what other programs do with the processor does, and a backup is such a program.

use super::{Load, machine};
use ringback::callback::task::{Source, Task};
use ringback::entropy::Entropy;
use ringback::id::{CommitRef, TaskId};
use ringback::limits::CHECKPOINT_COMMITS;
use ringback::number::Party;
use ringback::store::{Limits, Opened};
use ringback::switch::Change;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Callbacks that are asked for in a second.
const RATE: u32 = 20;
/// Programs that ask: enough that a slow answer holds no other question back.
const ASKERS: usize = 16;
/// Callbacks of the store before the first call, which each checkpoint writes down.
const OPEN: u64 = 100_000;
const SLOW: [&str; 9] = [
    "strace",
    "-f",
    "--seccomp-bpf", // Nothing but syncs is stopped: media must not feel that somebody looks.
    "-qq",
    "-o/dev/null",
    "-e",
    "trace=fdatasync,fsync",
    "-e",
    "inject=fdatasync,fsync:delay_enter=200000",
];

/// `cargo bench --bench load -- commits [CALLS [SECONDS]]`
pub fn run(arguments: &[String]) {
    let number = |at: usize, unset: u64| arguments.get(at).and_then(|word| word.parse().ok()).unwrap_or(unset);
    let (calls, secs) = (number(0, 500), number(1, 30));
    println!("{}; {calls} held calls, {secs} s a row, {OPEN} open callbacks", machine());
    println!(
        "| | commits | median | 99 of 100 | within 20 ms | slowest answer over HTTP | checkpoints | late media ticks | \
         packets come | later than 40 ms |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let mut place = Place { load: Load::begin(&[], |data| fill(data, calls)), secs };
    place.calls(calls);
    place.row("nothing is asked", Asked { promises: false, backups: false });
    place.row("20 promises a second, and a checkpoint", Asked { promises: true, backups: false });
    place.row("20 promises a second", Asked { promises: true, backups: false });
    place.row("20 promises a second, and backups", Asked { promises: true, backups: true });
    drop(place);
    if std::process::Command::new("strace").arg("-V").output().is_err() {
        return println!("There is no strace, so the slow disk is left out.");
    }
    let mut place = Place { load: Load::begin(&SLOW, |_| {}), secs };
    place.calls(calls);
    place.row("slow disk, nothing is asked", Asked { promises: false, backups: false });
    place.row("slow disk, 20 promises a second", Asked { promises: true, backups: false });
}

/// What happens beside the calls.
#[derive(Clone, Copy)]
struct Asked {
    promises: bool,
    backups: bool,
}

struct Place {
    load: Load,
    secs: u64,
}

impl Place {
    fn calls(&mut self, calls: u64) {
        for _ in 0..calls {
            self.load.call();
            self.load.talk(Duration::from_millis(2));
        }
        self.load.talk(Duration::from_secs(3));
    }

    fn row(&mut self, what: &str, asked: Asked) {
        self.load.talk(Duration::from_millis(200)); // What has come since the last row is not of this one.
        for caller in &mut self.load.callers {
            (caller.received, caller.late) = (0, 0);
        }
        let door = self.load.door();
        let (before, old, begun) = (Numbers::of(&door), self.load.checkpoints(), Instant::now());
        let crowd = Crowd::begin(&door, asked);
        let mut checkpoints = old.clone();
        for _ in 0..self.secs {
            self.load.talk(Duration::from_secs(1));
            checkpoints.extend(self.load.checkpoints());
        }
        let secs = begun.elapsed().as_secs_f64();
        let slowest = crowd.end();
        let after = Numbers::of(&door);
        let commits = after.commits.since(&before.commits);
        #[allow(clippy::cast_precision_loss)] // Packets of a minute.
        let (received, late) = self.load.callers.iter().fold((0.0, 0.0), |(received, late), caller| {
            (received + caller.received as f64, late + caller.late as f64)
        });
        let due = self.load.callers.len() as f64 * secs / super::FRAME.as_secs_f64();
        let ms = |at: Option<f64>| at.map_or("–".to_owned(), |secs| format!("{:.1} ms", secs * 1e3));
        println!(
            "| {what} | {} | {} | {} | {} | {} | {} | {} | {:.2} % | {:.2} % |",
            commits.count,
            ms(commits.at(0.5)),
            ms(commits.at(0.99)),
            commits.within(0.02).map_or("–".to_owned(), |share| format!("{:.2} %", share * 100.0)),
            slowest.map_or("–".to_owned(), |slowest| format!("{} ms", slowest.as_millis())),
            checkpoints.len() - old.len(),
            after.late_ticks - before.late_ticks,
            100.0 * received / due.max(1.0),
            100.0 * late / received.max(1.0),
        );
    }
}

/// Callbacks for a far day, so that nobody is dialled; in so many commits that a checkpoint is due soon after the calls
/// have come.
fn fill(data: &Path, calls: u64) {
    let limits = Limits { reserve_bytes: 0, reserve_percent: 0, ..Limits::default() };
    let (answers, answered) = mpsc::channel();
    let store = Opened::open(data, limits)
        .expect("a new store")
        .start(move |_, result| answers.send(result).expect("it waits"));
    let later = chrono::Utc::now() + chrono::TimeDelta::days(300);
    let single = CHECKPOINT_COMMITS - calls - 200;
    let many = (single..OPEN).step_by(1_000).map(|first| first..(first + 1_000).min(OPEN));
    for range in (0..single).map(|n| n..n + 1).chain(many) {
        let first = range.start;
        let tasks = range.map(|n| {
            let id = TaskId(Entropy::from_seed(n).ulid(later));
            let number = Party::Number(format!("+1202{:07}", 2_000_000 + n).into());
            let mut task = Task::new(id, Source::Api, "standard".into(), "support".into(), number, chrono::Utc::now());
            task.not_before = later;
            Change::PutTask(Box::new(task))
        });
        store.commit(CommitRef(first), tasks.collect()).expect("one after the other");
        answered.recv().expect("every commit is answered").expect("the disk takes it");
    }
}

impl Load {
    /// The way to the API.
    fn door(&self) -> Door {
        let token = fs::read_to_string(self.folder.join("data/admin.token")).expect("it was made at the start");
        Door { port: self.http, token: token.trim().to_owned() }
    }

    /// The names of its checkpoints, of which few are kept at a time.
    fn checkpoints(&self) -> BTreeSet<OsString> {
        let files = fs::read_dir(self.folder.join("data/store/journal")).expect("a store").flatten();
        files.map(|file| file.file_name()).filter(|name| name.to_string_lossy().ends_with(".ckp")).collect()
    }
}

#[derive(Clone)]
struct Door {
    port: u16,
    token: String,
}

impl Door {
    fn ask(&self, method: &str, path: &str, body: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\
             \r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.token,
            body.len()
        )
        .ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        Some(String::from_utf8_lossy(&answer).into_owned())
    }
}

/// What `/metrics` says.
struct Numbers {
    commits: Histogram,
    late_ticks: u64,
}

impl Numbers {
    fn of(door: &Door) -> Numbers {
        let text = door.ask("GET", "/metrics", "").expect("the switch answers");
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("a metric of ours");
            line.trim().parse().expect("a number")
        };
        let bucket = |line: &str| {
            let rest = line.strip_prefix("ringback_store_commit_seconds_bucket{le=\"")?;
            let (bound, count) = rest.split_once("\"} ")?;
            Some((bound.parse().unwrap_or(f64::INFINITY), count.trim().parse().ok()?))
        };
        let commits = Histogram {
            buckets: text.lines().filter_map(bucket).collect(),
            count: value("ringback_store_commit_seconds_count "),
        };
        Numbers { commits, late_ticks: value("ringback_media_late_ticks_total ") }
    }
}

/// Cumulative counts by upper bound, as Prometheus has them.
struct Histogram {
    buckets: Vec<(f64, u64)>,
    count: u64,
}

impl Histogram {
    fn since(&self, before: &Histogram) -> Histogram {
        let buckets = self.buckets.iter().zip(&before.buckets);
        Histogram {
            buckets: buckets.map(|((bound, now), (_, then))| (*bound, now - then)).collect(),
            count: self.count - before.count,
        }
    }

    #[allow(clippy::cast_precision_loss)] // Commits of a minute.
    fn within(&self, wanted: f64) -> Option<f64> {
        let (_, count) = self.buckets.iter().find(|(bound, _)| *bound >= wanted)?;
        (self.count > 0).then(|| *count as f64 / self.count as f64)
    }

    /// The quantile, taken to lie evenly within its bucket.
    #[allow(clippy::cast_precision_loss)]
    fn at(&self, share: f64) -> Option<f64> {
        let wanted = share * self.count as f64;
        let (mut low, mut below) = (0.0, 0.0);
        for (bound, count) in self.buckets.iter().filter(|_| self.count > 0) {
            let count = *count as f64;
            if count >= wanted {
                let part = if count > below { (wanted - below) / (count - below) } else { 1.0 };
                return Some(if bound.is_finite() { low + (bound - low) * part } else { low });
            }
            (low, below) = (*bound, count);
        }
        None
    }
}

/// Those who ask, on threads of their own.
struct Crowd {
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    slowest: Arc<Mutex<Option<Duration>>>,
}

/// Numbers that nobody has asked for yet.
static NEXT: AtomicU64 = AtomicU64::new(0);

impl Crowd {
    fn begin(door: &Door, asked: Asked) -> Crowd {
        let over = Arc::new(AtomicBool::new(false));
        let slowest = Arc::new(Mutex::new(None));
        let mut threads = Vec::new();
        if asked.promises {
            let (begun, turn) = (Instant::now(), Arc::new(AtomicU64::new(0)));
            threads.extend((0..ASKERS).map(|_| {
                let (door, over, slowest, turn) = (door.clone(), over.clone(), slowest.clone(), turn.clone());
                std::thread::spawn(move || promise(&door, &over, &slowest, begun, &turn))
            }));
        }
        if asked.backups {
            let (door, over) = (door.clone(), over.clone());
            threads.push(std::thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    drop(door.ask("POST", "/api/v1/store/backup", ""));
                }
            }));
        }
        Crowd { over, threads, slowest }
    }

    fn end(self) -> Option<Duration> {
        self.over.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|thread| drop(thread.join()));
        let slowest = self.slowest.lock().expect("nobody panicked");
        *slowest
    }
}

/// Asks in turn with the others, each question at its instant.
fn promise(door: &Door, over: &AtomicBool, slowest: &Mutex<Option<Duration>>, begun: Instant, turn: &AtomicU64) {
    while !over.load(Ordering::Relaxed) {
        let at = u32::try_from(turn.fetch_add(1, Ordering::Relaxed)).expect("a minute's questions");
        std::thread::sleep((begun + Duration::from_secs(1) / RATE * at).saturating_duration_since(Instant::now()));
        let number = 2_000_000 + NEXT.fetch_add(1, Ordering::Relaxed);
        let body = format!(
            "{{\"number\":\"+1303{number}\",\"queue\":\"support\",\"profile\":\"standard\",\
             \"not_before\":\"{}\"}}",
            (chrono::Utc::now() + chrono::TimeDelta::days(300)).to_rfc3339()
        );
        let asked = Instant::now();
        let answer = door.ask("POST", "/api/v1/callbacks", &body).unwrap_or_default();
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
        let took = asked.elapsed();
        let mut slowest = slowest.lock().expect("nobody panicked");
        *slowest = (*slowest).max(Some(took));
    }
}
