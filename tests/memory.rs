//! What a million promises take, in the line and on the flight recorder: counted by an allocator of its own, in tests
//! that run one after the other.

use ringback::callback::Planner;
use ringback::callback::task::{NumberOrigin, Source, Task};
use ringback::entropy::Entropy;
use ringback::flight::file::{self, Contents, Reading};
use ringback::flight::record::{Beginning, Kind as RecordKind, keep};
use ringback::flight::reel::Reel;
use ringback::flight::replay::Replay;
use ringback::id::CallRef;
use ringback::number::Party;
use ringback::queue::line::{Joining, Kind, Line};
use ringback::settings::{CallbackProfile, CallbackRule, Queue, Settings, Trunk};
use ringback::switch::Restored;
use ringback::time::{DateTime, Now, Tick, Utc};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;
/// The allocator counts for the whole process.
static ALONE: Mutex<()> = Mutex::new(());

/// Counted with fewer: what one takes does not depend on how many there are.
const TASKS: u32 = 50_000;
/// A GiB for a million.
const MOST: usize = (1 << 30) / 1_000_000;

fn noon() -> DateTime<Utc> {
    "2026-11-02T17:00:00Z".parse().expect("an instant")
}

/// As they come from the disk: with all that a request of a caller leaves in them.
fn stored(n: u32) -> String {
    let number = format!("+1202{:07}", 2_000_000 + n);
    let id = format!("{n:026}").parse().expect("26 digits are a ULID");
    let task = Task {
        rule: Some("support-key".into()),
        number_raw: number.clone(),
        ani: Some(number.clone()),
        dnis: Some("+12025550100".into()),
        in_trunk: Some("carrier".into()),
        requested_by: Some(number.clone()),
        number_origin: NumberOrigin::Trusted,
        origin_call: Some(CallRef(format!("{n:026}").parse().expect("26 digits are a ULID"))),
        not_before: noon() + Duration::from_secs(u64::from(n)),
        expires_at: Some(noon() + Duration::from_secs(90_000)),
        ..Task::new(id, Source::QueueRequest, "standard".into(), "support".into(), Party::Number(number.into()), noon())
    };
    serde_json::to_string(&task).expect("a task is JSON")
}

fn site() -> Settings {
    Settings {
        queues: vec![Queue::named("support", "5000")],
        rules: vec![CallbackRule::named("support-key", "standard")],
        trunks: vec![Trunk::peer("carrier", "203.0.113.5")],
        profiles: vec![CallbackProfile::named("standard")],
        ..Settings::empty(chrono_tz::UTC)
    }
}

/// Octets that are held now and were not when the region began. What a reallocation adds or gives back is among them.
fn held(region: &Region<'_, System>) -> isize {
    let used = region.change();
    used.bytes_allocated as isize - used.bytes_deallocated as isize
}

#[test]
fn a_million_open_callbacks_take_a_gibibyte_at_most() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let site = site();
    let on_disk: Vec<String> = (0..TASKS).map(stored).collect();
    let mut tickets = ringback::id::Counter::default();

    let region = Region::new(ALLOCATOR);
    let mut planner = Planner::default();
    let mut line = Line::new("support".into());
    for text in &on_disk {
        let mut task: Task = serde_json::from_str(text).expect("it was written by us");
        task.share_names(&site);
        let (kind, virtual_start) = (Kind::Promise(task.id), task.virtual_start);
        let joining = Joining { kind, priority: task.priority, virtual_start, agent: None };
        line.join(&mut tickets, joining).expect("a promise is always taken");
        planner.put(noon(), &site, task);
    }
    let each = usize::try_from(held(&region)).expect("it holds something") / TASKS as usize;

    println!("{each} bytes each; a Task is {} bytes", size_of::<Task>());
    assert!(each <= MOST, "{each} bytes for one callback and its place in line; {MOST} are allowed");
    assert_eq!((planner.len(), line.len()), (TASKS as usize, TASKS as usize));
}

/// What a store of many promises begins with.
fn beginning(tasks: u32) -> Beginning {
    let tasks = (0..tasks).map(|n| serde_json::from_str(&stored(n)).expect("it was written by us")).collect();
    Beginning {
        now: Now { tick: Tick::ZERO, utc: noon() },
        seed: Entropy::from_seed(3).bytes(),
        settings: site(),
        restored: Restored { tasks, ..Restored::default() },
    }
}

/// The tasks in a file, as a replay reads them.
fn tasks_in(file: &[u8]) -> Vec<Task> {
    let (mut reading, mut restored) = (Reading::of(file).expect("a file of ours"), Restored::default());
    while let Some(record) = reading.take() {
        let record = record.expect("a record of ours");
        if record.kind == RecordKind::Kept {
            keep(&mut restored, &record).expect("rows of ours");
        }
    }
    restored.tasks
}

// However much the store had kept, it is in memory once: as it is kept, compressed.
#[test]
fn the_flight_recorder_takes_what_a_large_store_begins_with_piece_by_piece() {
    const MIB: isize = 1 << 20;
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut beginning = beginning(20_000);
    let now = beginning.now;
    let mut reel = Reel::new(1 << 20);

    let region = Region::new(ALLOCATOR);
    let (mut peak, mut begun) = (0, std::time::Instant::now());
    let give = |piece: Vec<u8>| {
        reel.begin(&piece);
        peak = peak.max(held(&region));
    };
    beginning.write(|| now, give);
    let (took, all) = (begun.elapsed(), region.change().bytes_allocated);
    let (sections, packed) = (reel.sections().count(), reel.octets());
    let whole: usize = reel.sections().map(|section| section.whole).sum();
    println!("{whole} octets, {packed} packed, {sections} sections; {peak} held at most, {all} in all; {took:?}");
    assert!(sections > 8, "{sections} sections");
    assert!(reel.sections().all(|section| section.whole < 2 << 20), "each is small");
    assert!(peak < packed as isize + 4 * MIB, "{peak} octets were held for {packed}");
    assert!(all < 5 * whole, "{all} octets in all for {whole}");

    begun = std::time::Instant::now();
    let contents = Contents {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        saved_at: noon(),
        zones: String::new(),
        fault: None,
        has_gap: false,
    };
    let region = Region::new(ALLOCATOR);
    let (mut file, mut peak) = (Vec::with_capacity(2 * packed), 0);
    for piece in file::pieces(&reel, &contents, [7; 32]).expect("a recording of ours") {
        file.extend(piece.expect("a recording of ours"));
        peak = peak.max(held(&region));
    }
    println!("{} octets of file; {peak} held at most; {:?}", file.len(), begun.elapsed());
    // Beside the file and what each number becomes, which both grow with what was kept.
    assert!(peak < 2 * packed as isize + 4 * MIB, "{peak} octets were held for {packed}");

    begun = std::time::Instant::now();
    let (then, now) = (&beginning.restored.tasks, tasks_in(&file));
    assert_eq!(now.len(), then.len());
    for (then, now) in then.iter().zip(&now) {
        assert_eq!((now.id, now.not_before, &now.queue), (then.id, then.not_before, &then.queue), "in order");
        assert_ne!(now.number_raw, then.number_raw);
    }
    let mut replay = Replay::of(&file).expect("a file of ours");
    let first = replay.step().expect("the beginning").expect("a record of ours");
    assert_eq!((first.n, first.given.as_str()), (0, "the switch begins"));
    assert!(replay.switch().is_some() && replay.step().is_none() && replay.departed().is_none());
    println!("replayed in {:?}", begun.elapsed());
}
