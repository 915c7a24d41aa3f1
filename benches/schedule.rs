//! The planner and the whole switch with 100 000 open tasks: what one event costs (goal: at most 20 µs), and what a
//! number costs.

#![allow(missing_docs)] // criterion's macro makes a public function without one.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use ringback::callback::Planner;
use ringback::callback::retry::{Next, Verdict};
use ringback::callback::task::{CloseReason, Source, Task, TaskState};
use ringback::callback::window::{Whom, Window};
use ringback::entropy::Entropy;
use ringback::id::{Name, ReplyTo};
use ringback::number::{self, Party};
use ringback::registrar::Binding;
use ringback::settings::{
    Agent, CallbackProfile, CallerId, CallerIdMode, ExpiryClock, Hours, LegalWindowApplies, Member, NoAnswerAction,
    OutboundRoute, Queue, Schedule, ServedBy, Server, Settings, Sound, System, Trunk, Weekly,
};
use ringback::sip::flow::{Flow, Transport};
use ringback::switch::command::{Command, Reply};
use ringback::switch::{Input, Output, Restored, Revision, Switch};
use ringback::time::{DateTime, Now, Tick, Utc};
use ringback::zone::Zones;
use std::hint::black_box;
use std::net::SocketAddr;
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

/// A switch in which 100 000 callbacks are due, anna is being rung for one, and ben is ready: whatever happens, he
/// might be given somebody.
struct Busy {
    switch: Switch,
    now: Now,
}

impl Busy {
    /// With so many callback lines, and the line that ben is a member of.
    fn new(lines: u32, bens: &str) -> Busy {
        let queue = |name: &str, number| {
            let members = ["anna", "ben"].into_iter().filter(|agent| *agent == "anna" || name == bens);
            Queue { members: members.map(Member::of).collect(), ..Queue::named(name, number) }
        };
        let mut site = Settings {
            trunks: vec![Trunk::peer("carrier", "203.0.113.5")],
            agents: ["anna", "ben"].map(|agent| Agent::named(agent, extension(agent), "secret")).to_vec(),
            queues: vec![queue("support", "5000"), queue("sales", "5001")],
            caller_ids: vec![CallerId::named("Main Line", "+12025550100")],
            outbound_routes: vec![OutboundRoute {
                prefix: "+".to_owned(),
                strip: 0,
                prepend: String::new(),
                trunks: vec!["carrier".into()],
            }],
            ..site()
        };
        site.system.max_callback_lines = lines;
        let due = |n| Task { queue: "support".into(), not_before: noon(), rule: None, ..task(n) };
        let bindings = ["anna", "ben"].map(binding).to_vec();
        let restored = Restored { tasks: (0..TASKS).map(due).collect(), bindings, ..Restored::default() };
        let now = Now { tick: Tick::from_millis(1_000), utc: noon() };
        let mut busy = Busy { switch: Switch::new(now, site, restored, Entropy::from_seed(1)), now };
        busy.drain();
        // A bounded number of tasks is looked at each time.
        (0..TASKS / 100).for_each(|_| busy.take(Input::Timeout));
        busy
    }

    /// One input, and whatever the disk says to it.
    fn take(&mut self, input: Input) {
        self.switch.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.switch.poll_output() {
            match output {
                Output::Commit(commit, _) => self.switch.handle(self.now, Input::Committed(commit, Ok(Revision(1)))),
                Output::Locate(lookup, wanted) => {
                    let remote = SocketAddr::new(wanted.host.parse().expect("an address"), wanted.port);
                    self.switch.handle(self.now, Input::Located(lookup, vec![flow_to(remote)]));
                }
                _ => {} // Nobody is there to hear it.
            }
        }
    }

    /// Ben is ready, and says so: nothing is stored, and somebody is looked for.
    fn ask_for_work(&mut self) {
        self.take(Input::Command(Command::ResumeAgent("ben".to_owned()), ReplyTo(1)));
    }

    fn agent_state(&mut self) -> String {
        self.switch.handle(self.now, Input::Command(Command::ResumeAgent("ben".to_owned()), ReplyTo(1)));
        match self.switch.poll_output() {
            Some(Output::Reply(_, Reply::Agent(ben))) => ben.state.to_owned(),
            other => panic!("{other:?}"),
        }
    }

    fn waiting(&mut self) -> usize {
        self.switch.handle(self.now, Input::Command(Command::ListQueues, ReplyTo(2)));
        match self.switch.poll_output() {
            Some(Output::Reply(_, Reply::Queues(page))) => page.items[0].waiting_count,
            other => panic!("{other:?}"),
        }
    }
}

fn extension(agent: &str) -> &'static str {
    if agent == "anna" { "1001" } else { "1002" }
}

fn flow_to(remote: SocketAddr) -> Flow {
    Flow { transport: Transport::Udp, local: SocketAddr::from(([198, 51, 100, 1], 5060)), remote }
}

fn binding(agent: &str) -> Binding {
    let remote = SocketAddr::from(([192, 0, 2, if agent == "anna" { 1 } else { 2 }], 5060));
    Binding {
        extension: extension(agent).into(),
        contact: format!("sip:{}@{remote}", extension(agent)),
        flow: flow_to(remote),
        call_id: agent.to_owned(),
        cseq: 1,
        q: 1_000,
        instance: None,
        user_agent: None,
        expires_at: noon() + Duration::from_secs(86_400),
    }
}

fn service(c: &mut Criterion) {
    for (what, lines, bens) in [
        ("the only callback line in use, an agent ready", 1, "support"),
        ("their agent busy, one of another queue ready", 1_000, "sales"),
    ] {
        let mut busy = Busy::new(lines, bens);
        assert_eq!(busy.waiting() + 1, TASKS as usize, "one is being kept, and everybody else is due");
        assert_eq!(busy.agent_state(), "ready");
        c.bench_function(&format!("switch/an event, 100 000 due, {what}"), |b| b.iter(|| busy.ask_for_work()));
    }
}

criterion_group!(benches, schedule, window, numbers, service);
criterion_main!(benches);
