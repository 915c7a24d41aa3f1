//! Commits, and opening again, of a store with many open callbacks (durability.md §2: at most 20 ms for 99 of 100
//! commits; 100 000 tasks opened in 1 s, 1 000 000 in 10 s and 1 GiB), and of finding and erasing one person in it
//! (security.md: at most 60 s for 1 000 000 calls).
//!
//! `cargo bench --bench store [-- TASKS…]`: each count is filled in and opened in a process of its own, so that the
//! memory shown is its own.

use chrono::{TimeZone, Utc};
use ringback::callback::task::{Source, Task};
use ringback::entropy::Entropy;
use ringback::id::{CommitRef, TaskId};
use ringback::number::Party;
use ringback::number::trace::Trace;
use ringback::store::erase;
use ringback::store::person::Dossier;
use ringback::store::{Limits, Opened};
use ringback::switch::Change;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Tasks of one commit while the store is filled.
const AT_ONCE: u64 = 500;
/// Commits whose latency is measured, one after the other.
const COMMITS: u64 = 1_000;
/// What the processes below are for.
const ROLE: &str = "RINGBACK_BENCH_STORE";

fn main() {
    if let Ok(role) = std::env::var(ROLE) {
        return play(&role);
    }
    let mut counts: Vec<u64> = std::env::args().skip(1).filter_map(|count| count.parse().ok()).collect();
    if counts.is_empty() {
        counts = vec![1_000, 100_000];
    }
    for count in counts {
        let folder = std::env::temp_dir().join(format!("ringback-bench-store-{count}-{}", std::process::id()));
        for role in ["fill", "open", "rebuild", "erase"] {
            let own = std::env::current_exe().expect("a running program has a file");
            let role = format!("{role} {count} {}", folder.display());
            let status = Command::new(own).env(ROLE, role).status().expect("it ran a moment ago");
            assert!(status.success());
        }
        drop(std::fs::remove_dir_all(folder));
    }
}

fn play(role: &str) {
    let mut words = role.split(' ');
    let (role, count) = (words.next().unwrap(), words.next().unwrap().parse().unwrap());
    let folder = PathBuf::from(words.next().unwrap());
    match role {
        "fill" => fill(&folder, count),
        "open" => reopen(&folder, count, "opened"),
        "erase" => erase_one(&folder, count),
        _ => {
            std::fs::remove_dir_all(folder.join("store/view")).unwrap();
            reopen(&folder, count, "made its view anew");
        }
    }
}

fn limits() -> Limits {
    Limits { reserve_bytes: 0, reserve_percent: 0, ..Limits::default() }
}

fn fill(folder: &Path, count: u64) {
    let (answers, answered) = mpsc::channel();
    let store = Opened::open(folder, limits()).unwrap().start(move |_, result| answers.send(result).unwrap());
    let begun = Instant::now();
    for first in (0..count).step_by(AT_ONCE as usize) {
        let tasks = (first..(first + AT_ONCE).min(count)).map(|n| Change::PutTask(Box::new(task(n))));
        store.commit(CommitRef(first), tasks.collect()).unwrap();
        answered.recv().unwrap().unwrap();
    }
    println!("{count} tasks: filled in {:.2} s", begun.elapsed().as_secs_f64());
    let mut waits: Vec<Duration> = (0..COMMITS)
        .map(|n| {
            let begun = Instant::now();
            store.commit(CommitRef(n), vec![Change::PutTask(Box::new(task(n * 7 % count)))]).unwrap();
            answered.recv().unwrap().unwrap();
            begun.elapsed()
        })
        .collect();
    waits.sort();
    let at = |share: f64| waits[(share * (waits.len() - 1) as f64) as usize].as_secs_f64() * 1e3;
    println!(
        "{count} tasks: a commit takes {:.2} ms (median), {:.2} (99 of 100), {:.2} (all)",
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

fn reopen(folder: &Path, count: u64, what: &str) {
    let begun = Instant::now();
    let opened = Opened::open(folder, limits()).unwrap();
    let took = begun.elapsed();
    assert_eq!(opened.restored.tasks.len() as u64, count);
    println!("{count} tasks: {what} in {:.2} s, {} MiB at most", took.as_secs_f64(), peak_mib());
}

/// One person is found, and erased while others' promises go on being stored.
fn erase_one(folder: &Path, count: u64) {
    let (answers, answered) = mpsc::channel();
    let store = Opened::open(folder, limits()).unwrap().start(move |_, result| answers.send(result).unwrap());
    let (snapshots, trace) = (store.snapshots(), Trace::of(&task(7).number, Some("US")));
    let begun = Instant::now();
    let dossier = Dossier::of(&folder.join("store"), &snapshots, &trace, true).unwrap();
    assert_eq!(dossier.records.len(), 1);
    let found = begun.elapsed();
    let (own, ops) = (folder.to_owned(), dossier.erasure(&trace));
    let erasing = std::thread::spawn(move || erase::erase(&own, &snapshots, ops).unwrap());
    let mut longest = Duration::ZERO;
    for n in 0.. {
        let begun = Instant::now();
        store.commit(CommitRef(n), vec![Change::PutTask(Box::new(task(8)))]).unwrap();
        answered.recv().unwrap().unwrap();
        longest = longest.max(begun.elapsed());
        if erasing.is_finished() {
            break;
        }
    }
    erasing.join().unwrap();
    println!(
        "{count} tasks: a person is found in {:.2} s, erased in {:.2} s; a commit beside it takes {:.0} ms at most",
        found.as_secs_f64(),
        (begun.elapsed() - found).as_secs_f64(),
        longest.as_secs_f64() * 1e3
    );
}

/// The most memory this process ever held, as the kernel says.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn task(n: u64) -> Task {
    let now = Utc.with_ymd_and_hms(2026, 11, 20, 9, 0, 0).unwrap();
    let number = Party::Number(format!("+1202{n:07}").into());
    let id = TaskId(Entropy::from_seed(n).ulid(now));
    Task::new(id, Source::QueueRequest, "standard".into(), "support".into(), number, now)
}
