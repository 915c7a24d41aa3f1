//! A small call-centre day from a seed: agents with moods, customers with and without patience, a network with
//! weather, a disk that stumbles, a carrier that refuses, and sometimes a `kill -9`. The laws are watched after every
//! event; in the evening every promise has come to an end and nothing is left.
//!
//! `RINGBACK_SEED=7` lives one day again; `RINGBACK_SEEDS=300` lives so many.

use crate::disk::Mood;
use crate::drive::{ANNA, BEN, CARL, DORA};
use crate::forms;
use crate::holds;
use crate::net::Weather;
use crate::site::secs;
use crate::world::{TRUNK, World};
use ringback::demo::person::{Person, Reaction, Visit};
use ringback::demo::session::Direction;
use ringback::demo::station::Mood as Registers;
use ringback::entropy::Entropy;
use ringback::settings::{Credentials, Member, Queue, TrunkMode};
use ringback::switch::NotStored;
use ringback::switch::command::{Command, NewCallback, PageOf, Reply};
use ringback::time::Tick;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

/// What is going to happen, and when.
#[derive(Clone, Copy, Debug)]
enum Plan {
    Register(usize),
    CallIn(usize),
    /// While he is promised a call, perhaps: the question that he may be asked then gets this answer.
    CallAgain(usize, &'static str),
    Pause(usize),
    DialOut(usize, usize),
    Hold(usize, Direction),
    Cancel(usize),
    Ask(Wish),
    /// Whoever is on the phone may press something.
    Keys(u64),
    Kill,
    Restart,
    DeadAir,
    DiskStumbles(Mood),
    DiskRecovers,
    CarrierRefuses,
    CarrierRecovers,
}

/// What a person at a screen wants.
#[derive(Clone, Copy, Debug)]
enum Wish {
    CallBack(usize),
    CancelFirst,
    NowFirst,
    HangUpFirst,
    Pause,
    Resume,
    /// Another edition of the site.
    Reload(u64),
    Freeze,
    /// Everything works again, rule by rule.
    Thaw,
}

struct Dice(Entropy);

impl Dice {
    fn chance(&mut self, percent: u64) -> bool {
        self.0.below(100) < percent
    }

    fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.0.below(to - from + 1)
    }

    fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(self.between(from, to))
    }
}

/// How long people call and agents have moods; afterwards everybody is kind.
const DAY: Duration = secs(1_200);
const SHORT_DAY: Duration = secs(240);
/// How long the evening may take until every promise has ended.
const EVENING: Duration = secs(5_400);

#[test]
fn days_from_seeds_keep_the_laws() {
    let one = std::env::var("RINGBACK_SEED").ok().map(|text| text.parse::<u64>().expect("a number"));
    let many = std::env::var("RINGBACK_SEEDS").ok().map_or(10, |text| text.parse::<u64>().expect("a number"));
    let seeds: Vec<u64> = one.map_or((1..=many).collect(), |seed| vec![seed]);
    let (mut promises, mut kills, mut packets) = (0, 0, 0);

    for seed in &seeds {
        let with_packets = seed % 50 == 0;
        let lived = live(*seed, with_packets);
        promises += lived.promises;
        kills += lived.kills;
        packets += u32::from(with_packets);
    }

    println!("{} days, {promises} promises, {kills} kills, {packets} days with packets", seeds.len());
}

#[test]
fn a_seed_repeats_its_day_to_the_last_message() {
    for seed in [3, 7] {
        let [first, second] = [live(seed, false), live(seed, false)].map(|lived| lived.drawing);

        assert!(first == second, "seed {seed} lived two days:\n{first}\n{second}");
    }
}

struct Lived {
    promises: usize,
    kills: usize,
    drawing: String,
}

fn live(seed: u64, packets: bool) -> Lived {
    let mut dice = Dice(Entropy::from_seed(seed ^ 0x0DA7));
    let mut world = morning(seed, packets, &mut dice);
    let day = if packets { SHORT_DAY } else { DAY };
    let mut plans = plans(&mut world, &mut dice, day, packets);
    if let Some((freeze, thaw)) = holds::freeze(seed, day) {
        plans.extend([(freeze, Wish::Freeze), (thaw, Wish::Thaw)].map(|(at, wish)| (Tick::ZERO + at, Plan::Ask(wish))));
        plans.sort_by_key(|(at, _)| *at);
    }
    let kills = plans.iter().filter(|(_, plan)| matches!(plan, Plan::Kill)).count();
    let lived = catch_unwind(AssertUnwindSafe(|| {
        through(&mut world, plans, day);
        evening(&mut world);
    }));
    if let Err(broken) = lived {
        eprintln!("RINGBACK_SEED={seed} broke a law at {:?}; the last steps follow", world.now);
        resume_unwind(broken);
    }
    Lived { promises: world.disk.tasks.len(), kills, drawing: world.drawing() }
}

fn morning(seed: u64, packets: bool, dice: &mut Dice) -> World {
    let attempts_max = u32::try_from(dice.between(1, 3)).expect("small");
    let first_wait = dice.between(0, 20);
    let record = dice.chance(50);
    let registers = dice.chance(25);
    let challenges = dice.chance(25);
    let mut world = World::with(seed, |site| {
        let secret = "trunk-secret".to_owned();
        if registers {
            site.trunks[0].mode = TrunkMode::Register {
                username: "site7".to_owned(),
                auth_user: "site7".to_owned(),
                password: secret.clone(),
                realm: None,
                expires: secs(300),
            };
        }
        site.trunks[0].credentials = Some(Credentials { username: "site7".to_owned(), password: secret, realm: None });
        site.queues[0].ring = secs(12);
        site.queues[0].wrap_up = secs(5);
        site.profiles[0].attempts_max = attempts_max;
        site.profiles[0].intervals = vec![secs(first_wait), secs(60), secs(90)];
        site.profiles[0].ring_timeout = secs(20);
        site.profiles[0].expires_after = Some(secs(3_600));
        site.profiles[0].record = record;
        site.agents.iter_mut().for_each(|agent| agent.decline_cooldown = secs(20));
        forms::draw(seed, site);
        crate::habits::draw(seed, site);
        crate::habits::draw_losses(seed, site);
        holds::draw(seed, site);
        crate::habits::draw_service(seed, site);
    });
    world.ladder.hides_registrations = true;
    let quirks = &mut world.stations[TRUNK].endpoint.quirks;
    quirks.forks_answers = dice.chance(15);
    quirks.answers_cancel_with_200 = dice.chance(15);
    quirks.acks_lost = if dice.chance(20) { 2 } else { 0 };
    let carrier = world.stations[TRUNK].carrier.as_mut().expect("a carrier");
    let known = ("site7".to_owned(), "trunk-secret".to_owned());
    carrier.asks_invites = challenges.then(|| known.clone());
    carrier.registrar = registers.then_some(known);
    if dice.chance(30) {
        carrier.moods = [Registers::Refuse(503), Registers::Silence].into();
    }
    if packets {
        world = world.with_packets();
    }
    let rough = dice.chance(50);
    if rough {
        world.net.weather = Weather {
            delay: dice.millis(1, 60),
            jitter: dice.millis(0, 80),
            loss: dice.between(0, 50),
            duplicates: dice.between(0, 30),
        };
        world.net.rtp_weather = world.net.weather;
    }
    world.disk.delay = dice.millis(1, 150);
    if dice.chance(30) {
        world.second_phone(ANNA);
    }
    wake_agents(&mut world, dice);
    world
}

fn wake_agents(world: &mut World, dice: &mut Dice) {
    for agent in agents(world) {
        let moods = (0..12).map(|_| agent_mood(dice)).collect::<Vec<_>>();
        let (talk, silence) = (dice.millis(4_000, 40_000), secs(dice.between(60, 120)));
        let person = &mut world.stations[agent].people[0];
        person.reactions = moods.into();
        person.reactions.push_back(Reaction::Answer { after: secs(2), early: false });
        (person.talk, person.bears_silence) = (Some(talk), Some(silence));
    }
}

/// The phones of the queue's agents.
fn agents(world: &World) -> Vec<usize> {
    (1..world.stations.len()).filter(|phone| *phone != DORA).collect()
}

fn agent_mood(dice: &mut Dice) -> Reaction {
    match dice.between(0, 99) {
        0..=69 => Reaction::Answer { after: dice.millis(500, 11_500), early: false },
        70..=79 => Reaction::Refuse { after: dice.millis(500, 5_000), status: 603 },
        80..=87 => Reaction::Refuse { after: Duration::ZERO, status: 486 },
        _ => Reaction::Ring { early: false },
    }
}

fn customer_mood(dice: &mut Dice) -> Reaction {
    match dice.between(0, 99) {
        0..=54 => Reaction::Answer { after: dice.millis(500, 19_500), early: dice.chance(30) },
        55..=64 => Reaction::Refuse { after: dice.millis(0, 4_000), status: 486 },
        65..=72 => Reaction::Refuse { after: dice.millis(1, 9_000), status: 603 },
        73..=76 => Reaction::Refuse { after: Duration::ZERO, status: 503 },
        77..=78 => Reaction::Refuse { after: Duration::ZERO, status: 404 },
        79..=81 => Reaction::Silence,
        _ => Reaction::Ring { early: dice.chance(30) },
    }
}

fn customer(dice: &mut Dice, n: usize) -> Person {
    let mut person = Person::new(&format!("c{n}"), &format!("+120255501{n:02}"));
    person.reactions = (0..2).map(|_| customer_mood(dice)).collect();
    person.reactions.push_back(Reaction::Answer { after: secs(3), early: false });
    person.talk = Some(dice.millis(1_000, 40_000));
    person.bears_silence = Some(secs(dice.between(8, 30)));
    let begins = dice.millis(1_500, 25_000);
    let typed = match dice.between(0, 99) {
        0..=54 => "1#".to_owned(),
        55..=69 => format!("120255501{n:02}#_1"),
        70..=77 => "1*".to_owned(),
        78..=84 => "112#99#1*".to_owned(),
        _ => String::new(),
    };
    let keys = presses(&typed, begins, || dice.millis(400, 1_800));
    person.visit = Visit { keys, patience: Some(dice.millis(5_000, 150_000)) };
    person
}

/// When which key is pressed.
fn presses(typed: &str, begins: Duration, mut pause: impl FnMut() -> Duration) -> Vec<(Duration, char)> {
    let (mut at, mut keys) = (begins, Vec::new());
    for key in typed.chars() {
        at += pause();
        match key {
            '_' => at += secs(9), // The number is being read back.
            key => keys.push((at, key)),
        }
    }
    keys
}

/// When a customer calls, and an agent calls him by hand.
fn calls_of(person: usize, dice: &mut Dice, whole: u64) -> Vec<(Duration, Plan)> {
    let mut plans = Vec::new();
    let at = dice.millis(0, whole * 2 / 3);
    plans.push((at, Plan::CallIn(person)));
    if dice.chance(40) {
        let answers = ["1", "2", "3#", "32025550199#_1", "9", "", "5", "3*"];
        let answer = answers[usize::try_from(dice.between(0, 7)).expect("few")];
        plans.push((at + dice.millis(8_000, 60_000), Plan::CallAgain(person, answer)));
    }
    if dice.chance(25) {
        plans.push((dice.millis(whole / 3, whole), Plan::CallIn(person)));
    }
    if dice.chance(35) {
        let agent = [ANNA, BEN, CARL][usize::try_from(dice.between(0, 2)).expect("few")];
        let at = dice.millis(whole / 4, whole);
        plans.push((at, Plan::DialOut(agent, person)));
        if dice.chance(50) {
            plans.push((at + dice.millis(100, 9_000), Plan::Cancel(agent)));
        }
    }
    plans
}

fn plans(world: &mut World, dice: &mut Dice, day: Duration, packets: bool) -> Vec<(Tick, Plan)> {
    let whole = u64::try_from(day.as_millis()).expect("a day");
    let mut plans: Vec<(Duration, Plan)> = Vec::new();
    for agent in agents(world) {
        plans.push((dice.millis(0, whole / 4), Plan::Register(agent)));
        for _ in 0..dice.between(0, 4) {
            let at = dice.millis(0, whole);
            plans.push((at, Plan::Hold(agent, Direction::SendOnly)));
            plans.push((at + dice.millis(200, 6_000), Plan::Hold(agent, Direction::SendRecv)));
        }
        if dice.chance(30) {
            let at = dice.millis(whole / 4, whole / 2);
            plans.extend([(at, Plan::Pause(agent)), (at + dice.millis(20_000, 90_000), Plan::Pause(agent))]);
        }
    }
    let customers = if packets { 4 } else { dice.between(5, 14) };
    for n in 0..usize::try_from(customers).expect("few") {
        let person = world.customer(customer(dice, n + 10));
        plans.extend(calls_of(person, dice, whole));
    }
    for _ in 0..dice.between(0, 3) {
        let person = usize::try_from(dice.between(0, customers - 1)).expect("few");
        let wishes = [Wish::CallBack(person), Wish::CancelFirst, Wish::NowFirst, Wish::HangUpFirst, Wish::Pause];
        let wish = wishes[usize::try_from(dice.between(0, 4)).expect("few")];
        // Logging in, which the first registration does, ends a pause.
        plans.push((dice.millis(whole / 3, whole), Plan::Ask(wish)));
    }
    plans.extend(editions(dice, whole).into_iter().chain([(day, Plan::Ask(Wish::Resume))]));
    plans.extend(stray_keys(dice, day));
    if dice.chance(40) {
        let at = dice.millis(whole / 8, whole);
        let back = at + dice.millis(500, 8_000);
        plans.extend([(at, Plan::Kill), (back, Plan::Restart), (back + secs(15), Plan::DeadAir)]);
    }
    if dice.chance(30) {
        let moods = [Mood::Holding, Mood::Failing(NotStored::Failed), Mood::Failing(NotStored::Reserve)];
        let mood = moods[usize::try_from(dice.between(0, 2)).expect("few")];
        let at = dice.millis(0, whole);
        plans.extend([(at, Plan::DiskStumbles(mood)), (at + dice.millis(500, 20_000), Plan::DiskRecovers)]);
    }
    if dice.chance(20) {
        let at = dice.millis(0, whole);
        plans.extend([(at, Plan::CarrierRefuses), (at + dice.millis(5_000, 60_000), Plan::CarrierRecovers)]);
    }
    plans.sort_by_key(|(at, _)| *at);
    plans.into_iter().map(|(at, plan)| (Tick::ZERO + at, plan)).collect()
}

/// The site is changed now and then.
fn editions(dice: &mut Dice, whole: u64) -> Vec<(Duration, Plan)> {
    let many = if dice.chance(40) { dice.between(1, 4) } else { 0 };
    (0..many).map(|_| (dice.millis(0, whole), Plan::Ask(Wish::Reload(dice.between(0, 119))))).collect()
}

/// On every other day people press keys when they talk or are asked something.
fn stray_keys(dice: &mut Dice, day: Duration) -> Vec<(Duration, Plan)> {
    let mut presses = Vec::new();
    let mut at = if dice.chance(50) { Duration::ZERO } else { day };
    while at < day {
        at += forms::EVERY;
        presses.push((at, Plan::Keys(dice.0.next_u64())));
    }
    presses
}

fn through(world: &mut World, plans: Vec<(Tick, Plan)>, day: Duration) {
    for (at, plan) in plans {
        while world.step(at) {}
        let now = world.now;
        match plan {
            Plan::Register(agent) => world.stations[agent].endpoint.register(now, 1_800),
            Plan::CallIn(person) if !world.is_busy(TRUNK, person) => drop(world.call_in(person)),
            Plan::CallAgain(person, answer) if !world.is_busy(TRUNK, person) => {
                world.stations[TRUNK].people[person].visit.keys = presses(answer, secs(3), || secs(1));
                world.call_in(person);
            }
            Plan::Pause(agent) if !world.is_busy(agent, 0) => drop(world.dial(agent, "*46")),
            Plan::DialOut(agent, person) if !world.is_busy(agent, 0) && !world.is_busy(TRUNK, person) => {
                let number = world.stations[TRUNK].people[person].number.clone();
                world.dial(agent, &number);
            }
            Plan::Hold(agent, direction) => {
                let up = world.stations[agent].call_of(0).filter(|call| world.is_up(agent, *call));
                if let Some(call) = up {
                    world.stations[agent].endpoint.change(now, call, direction);
                }
            }
            Plan::Cancel(agent) => {
                if let Some(call) = world.stations[agent].call_of(0) {
                    world.stations[agent].endpoint.hang_up(now, call);
                }
            }
            Plan::Ask(wish) => ask(world, wish),
            Plan::Keys(seed) => forms::press(world, &mut Entropy::from_seed(seed)),
            Plan::CallIn(_) | Plan::CallAgain(..) | Plan::Pause(_) | Plan::DialOut(..) => {} // The phone is in use.
            Plan::Kill => world.crash(),
            Plan::Restart => world.start(),
            Plan::DeadAir => hang_up_dead_calls(world),
            Plan::DiskStumbles(mood) => world.disk.mood = mood,
            Plan::DiskRecovers => world.release_disk(),
            Plan::CarrierRefuses => world.stations[TRUNK].endpoint.quirks.dead = true,
            Plan::CarrierRecovers => world.stations[TRUNK].endpoint.quirks.dead = false,
        }
    }
    world.run_for(day.saturating_sub(world.now.since(Tick::ZERO)));
}

fn ask(world: &mut World, wish: Wish) {
    if world.switch.is_none() {
        return;
    }
    let open = world.disk.tasks.values().find(|task| !task.state.is_final()).map(|task| task.id);
    let command = match (wish, open) {
        (Wish::CallBack(person), _) => Command::AddCallback(Box::new(NewCallback {
            number: world.stations[TRUNK].people[person].number.clone(),
            queue: None,
            not_before: None,
            profile: None,
            agent: None,
            data: None,
            idempotency_key: None,
        })),
        (Wish::CancelFirst, Some(task)) => Command::CancelCallback(task),
        (Wish::NowFirst, Some(task)) => Command::CallbackNow(task),
        (Wish::HangUpFirst, _) => match world.ask(Command::ListCalls(PageOf::default())) {
            Reply::Calls(calls) if !calls.items.is_empty() => Command::HangUpCall(calls.items[0].id),
            _ => return, // Nobody is on the phone.
        },
        (Wish::Reload(edition), _) => return reload(world, edition),
        (Wish::Freeze, _) => Command::Freeze,
        (Wish::Thaw, _) => {
            world.tell(Command::Unfreeze);
            for rule in 0..world.settings.rules.len() {
                let rule = world.settings.rules[rule].name.to_string();
                world.tell(Command::ActivateRule(rule));
            }
            return;
        }
        (Wish::Pause, _) => Command::PauseAgent { agent: "ben".to_owned(), reason: Some("lunch".to_owned()) },
        (Wish::Resume, _) => Command::ResumeAgent("ben".to_owned()),
        (Wish::CancelFirst | Wish::NowFirst, None) => return,
    };
    world.tell(command);
}

/// Carl comes and goes, rules rest and wake, another queue opens and closes; the laws hold all the same.
fn reload(world: &mut World, edition: u64) {
    let site = &mut world.settings;
    match edition % 6 {
        0 => site.rules[0].enabled = !site.rules[0].enabled,
        1 => site.rules[0].process = !site.rules[0].process,
        2 if site.agent("carl").is_some() => {
            site.agents.retain(|agent| &*agent.name != "carl");
            site.queues[0].members.retain(|member| &*member.agent != "carl");
        }
        2 => {
            site.agents.push(super::site::site().agents.remove(2));
            site.queues[0].members.push(Member::of("carl"));
        }
        3 => site.profiles[0].intervals.reverse(),
        4 => site.trunks[0].max_calls = 3 + u32::try_from(edition % 20).expect("small"),
        _ if site.queue("sales").is_some() => site.queues.retain(|queue| &*queue.name != "sales"),
        _ => site.queues.push(Queue::named("sales", "5001")),
    }
    let command = super::drive::configure(&world.settings);
    world.tell(Command::Configure(Box::new(command)));
}

/// After a kill nobody hears anything any more: people hang up.
fn hang_up_dead_calls(world: &mut World) {
    let now = world.now;
    for station in 0..world.stations.len() {
        let calls: Vec<_> = world.stations[station].endpoint.calls().map(|(id, _)| id).collect();
        for call in calls {
            let is_alive = world.leg_of(station, call).is_some();
            if !is_alive {
                world.stations[station].endpoint.hang_up(now, call);
            }
        }
    }
}

/// Everybody is kind: agents take every call, customers are at home, the network and the disk work.
fn evening(world: &mut World) {
    world.net.weather = Weather { delay: Duration::from_millis(10), jitter: Duration::ZERO, loss: 0, duplicates: 0 };
    let quirks = &mut world.stations[TRUNK].endpoint.quirks;
    (quirks.forks_answers, quirks.answers_cancel_with_200, quirks.acks_lost) = (false, false, 0);
    world.release_disk();
    world.run_for(secs(2));
    world.configure(|site| {
        (site.rules[0].enabled, site.rules[0].process, site.trunks[0].max_calls) = (true, true, 30);
        holds::open(site);
        if site.agent("carl").is_none() {
            site.agents.push(super::site::site().agents.remove(2));
            site.queues[0].members.push(Member::of("carl"));
        }
    });
    holds::wake(world);
    let kind = Reaction::Answer { after: secs(2), early: false };
    for station in 0..world.stations.len() {
        for person in &mut world.stations[station].people {
            person.reactions = [kind.clone()].into();
            person.talk = Some(secs(10));
        }
    }
    for agent in agents(world) {
        let now = world.now;
        world.stations[agent].endpoint.register(now, 1_800);
    }
    world.run_for(secs(150));
    hang_up_dead_calls(world);
    world.run_for(secs(5));
    for (agent, name) in [(ANNA, "anna"), (BEN, "ben"), (CARL, "carl")] {
        if world.agent(name).state == "not_ready" && !world.is_busy(agent, 0) {
            world.dial(agent, "*46");
            world.run_for(secs(15));
        }
    }
    let limit = world.now + EVENING;
    while world.disk.tasks.values().any(|task| !task.state.is_final()) {
        assert!(world.step(limit), "law 1: a promise has no end: {:?}", open_tasks(world));
    }
    world.run_for(secs(60));
    world.assert_rest();
}

fn open_tasks(world: &World) -> Vec<String> {
    let open = world.disk.tasks.values().filter(|task| !task.state.is_final());
    open.map(|task| format!("{} {:?} until {:?}", task.number, task.state, task.expires_at)).collect()
}
