//! The planner with 100 000 open tasks: what one event costs (goal: at most 20 µs), and what a number costs.

#![allow(missing_docs)] // criterion's macro makes a public function without one.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use ringback::callback::Planner;
use ringback::callback::retry::{Next, Verdict};
use ringback::callback::task::{CloseReason, Source, Task, TaskState};
use ringback::callback::window::{Whom, Window};
use ringback::id::Name;
use ringback::number::{self, Party};
use ringback::settings::{
    CallbackProfile, CallerIdMode, ExpiryClock, Hours, LegalWindowApplies, NoAnswerAction, Schedule, ServedBy, Server,
    Settings, Sound, System, Weekly,
};
use ringback::time::{DateTime, Utc};
use ringback::zone::Zones;
use std::hint::black_box;
use std::time::Duration;

const TASKS: u32 = 100_000;

fn noon() -> DateTime<Utc> {
    "2026-11-02T17:00:00Z".parse().expect("an instant")
}

fn office() -> Schedule {
    let time = |text: &str| text.parse().expect("a time");
    let days = (0..5u8).map(|day| day.try_into().expect("a weekday")).collect();
    Schedule {
        name: "office".into(),
        tz: chrono_tz::America::New_York,
        weekly: vec![Weekly { days, hours: Hours { start: time("09:00:00"), end: time("17:00:00") } }],
        exceptions: Vec::new(),
    }
}

fn profile() -> CallbackProfile {
    CallbackProfile {
        name: "standard".into(),
        enabled: true,
        destination: ServedBy::Same,
        caller_id_mode: CallerIdMode::Fixed,
        caller_id: None,
        dial_prefix: String::new(),
        trunks: Vec::new(),
        attempts_max: 3,
        intervals: vec![Duration::ZERO, Duration::from_secs(900)],
        ring_timeout: Duration::from_secs(30),
        no_answer_action: NoAnswerAction::Retry,
        agent_prompt: Sound::Silent,
        customer_prompt: Sound::Silent,
        success_min_talk: Duration::from_secs(5),
        expires_after: None,
        expiry_clock: ExpiryClock::Open,
        schedule: Some("office".into()),
        max_lines: None,
        priority_boost: false,
        record: false,
        record_notice: Sound::Silent,
        ..CallbackProfile::named("")
    }
}

fn site() -> Settings {
    Settings {
        server: Server {
            public_address: None,
            media_ports: 20_000..=20_999,
            digest_algorithms: Vec::new(),
            realm: "ringback".into(),
            register_min: Duration::from_secs(60),
            register_max: Duration::from_secs(3_600),
            drain: Duration::from_secs(300),
            shards: 1,
        },
        system: System {
            default_country: Some("US".into()),
            default_timezone: chrono_tz::America::New_York,
            company_name: String::new(),
            max_callback_lines: 1_000,
            max_originates_per_min: 6_000,
            ..Settings::empty(chrono_tz::UTC).system
        },
        trunks: Vec::new(),
        caller_ids: Vec::new(),
        agents: Vec::new(),
        queues: Vec::new(),
        schedules: vec![office()],
        inbound_routes: Vec::new(),
        outbound_routes: Vec::new(),
        profiles: vec![profile()],
        rules: Vec::new(),
        ..Settings::empty(chrono_tz::UTC)
    }
}

/// Task `n` of queue `n` mod 50; half of them are due at noon, the others over the next day.
fn task(n: u32) -> Task {
    let later = if n.is_multiple_of(2) { 0 } else { u64::from(n) % 86_400 + 60 };
    let start = noon() - Duration::from_secs(u64::from(n) % 3_600);
    let id = format!("{n:026}").parse().expect("26 digits are a ULID");
    let queue = Name::from(format!("queue-{}", n % 50));
    let number = Party::Number(format!("+1202{:07}", 2_000_000 + n).into());
    Task {
        rule: Some("key".into()),
        number_raw: String::new(),
        not_before: noon() + Duration::from_secs(later),
        expires_at: Some(noon() + Duration::from_secs(90_000)),
        ..Task::new(id, Source::QueueRequest, "standard".into(), queue, number, start)
    }
}

fn planned(site: &Settings) -> Planner {
    let mut planner = Planner::default();
    for n in 0..TASKS {
        planner.put(noon(), site, task(n));
    }
    while planner.next_wake(site).is_some_and(|at| at <= noon()) {
        planner.wake(noon(), site, |_| None);
    }
    planner
}

/// Figures without their machine say nothing.
fn machine() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':')).map(|(_, model)| model);
    let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    format!("{count} × {}", model.unwrap_or("unknown").trim())
}

fn schedule(c: &mut Criterion) {
    println!("machine: {}", machine());
    let site = site();
    let mut planner = planned(&site);
    let now = noon();
    let (due, waiting) = (task(50_000), task(50_001));

    c.bench_function("planner/next wake of 100 000 tasks", |b| b.iter(|| black_box(&planner).next_wake(&site)));
    c.bench_function("planner/look up a number", |b| b.iter(|| planner.of_number(black_box(&due.number)).count()));
    c.bench_function("planner/may this task begin", |b| b.iter(|| planner.may_begin(now, &site, black_box(due.id))));
    c.bench_function("planner/add and close a task", |b| {
        b.iter(|| {
            planner.put(now, &site, task(TASKS));
            planner.close(now, task(TASKS).id, TaskState::Cancelled, CloseReason::ByAdmin)
        });
    });
    c.bench_function("planner/a task comes due", |b| {
        b.iter(|| {
            planner.put(now, &site, Task { not_before: now, ..waiting.clone() });
            planner.wake(now, &site, |_| None)
        });
    });
    c.bench_function("planner/an attempt begins, fails and is planned again", |b| {
        let verdict = Verdict::uncounted(Next::Again(now));
        b.iter_batched(
            || now,
            |now| {
                let begun = planner.begin(now, &site, due.id);
                planner.conclude(now, &site, due.id, verdict);
                planner.wake(now + Duration::from_secs(61), &site, |_| None);
                begun.is_ok()
            },
            BatchSize::SmallInput,
        );
    });
}

fn window(c: &mut Criterion) {
    let office = office();
    let zones = Zones::bundled();
    let window = Window::new(&zones, Some(&office));
    let friday: DateTime<Utc> = "2026-11-06T22:05:00Z".parse().expect("an instant");
    c.bench_function("window/is it open", |b| b.iter(|| window.is_open(black_box(noon()))));
    c.bench_function("window/next opening after a Friday", |b| b.iter(|| window.opens(black_box(friday))));
    let mut site = site();
    site.schedules = vec![office.clone()];
    site.profiles[0].schedule = Some(office.name.clone());
    site.profiles[0].legal_window_applies = LegalWindowApplies::All;
    let seattle = Party::Number("+12065550123".into());
    let whom = Whom { profile: &site.profiles[0], queue: "support", number: &seattle, source: Source::MissedQueue };
    c.bench_function("window/next opening for a customer in another zone", |b| {
        b.iter(|| Window::of(&site, black_box(&whom), friday).opens(friday))
    });
    let day = Duration::from_secs(86_400);
    c.bench_function("window/expiry after a day of open time", |b| {
        b.iter(|| window.after_open(black_box(noon()), day))
    });
}

fn numbers(c: &mut Criterion) {
    number::warm_up();
    c.bench_function("number/read a national number", |b| {
        b.iter(|| number::read(black_box("(202) 555-0123"), Some("US")));
    });
    let seattle = Party::Number("+12065550123".into());
    c.bench_function("number/its zones", |b| b.iter(|| number::zones::of(black_box(&seattle))));
    c.bench_function("number/facts of a number", |b| b.iter(|| number::facts(black_box("+12025550123"))));
}

criterion_group!(benches, schedule, window, numbers);
criterion_main!(benches);
