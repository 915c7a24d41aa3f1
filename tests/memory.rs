//! What a million promises take: counted by an allocator of its own, in a test that runs alone.

use ringback::callback::Planner;
use ringback::callback::task::{NumberOrigin, Source, Task};
use ringback::id::CallRef;
use ringback::number::Party;
use ringback::queue::line::{Joining, Kind, Line};
use ringback::settings::{CallbackProfile, CallbackRule, Queue, Settings, Trunk};
use ringback::time::{DateTime, Utc};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

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

#[test]
fn a_million_open_callbacks_take_a_gibibyte_at_most() {
    let site = Settings {
        queues: vec![Queue::named("support", "5000")],
        rules: vec![CallbackRule::named("support-key", "standard")],
        trunks: vec![Trunk::peer("carrier", "203.0.113.5")],
        profiles: vec![CallbackProfile::named("standard")],
        ..Settings::empty(chrono_tz::UTC)
    };
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
    let used = region.change();
    let held = (used.bytes_allocated - used.bytes_deallocated) as isize + used.bytes_reallocated;
    let each = usize::try_from(held).expect("it holds something") / TASKS as usize;

    println!("{each} bytes each; a Task is {} bytes", size_of::<Task>());
    assert!(each <= MOST, "{each} bytes for one callback and its place in line; {MOST} are allowed");
    assert_eq!((planner.len(), line.len()), (TASKS as usize, TASKS as usize));
}
