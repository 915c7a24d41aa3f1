//! A small call-centre day from a seed: agents with moods, customers with and without patience, a network with
//! weather, a disk that stumbles, a carrier that refuses, and sometimes a `kill -9`. The laws are watched after every
//! event; in the evening every promise has come to an end and nothing is left.
//!
//! `RINGBACK_SEED=7` lives one day again; `RINGBACK_SEEDS=300` lives so many, `RINGBACK_SEEDS=301..900` others.
//! `RINGBACK_SIZE=whole` makes them whole days of a call centre; `RINGBACK_KEEP` leaves most of a day out (`size`).

mod aim;
mod beside;
mod centre;
mod clumsy;
mod customs;
mod faults;
mod forms;
mod habits;
mod holds;
mod levers;
mod many;
mod plans;
mod presets;
mod size;
mod smaller;
mod tally;

use crate::drive::{ANNA, DORA};
use crate::net::Weather;
use crate::shrink::{self, Broken};
use crate::site::secs;
use crate::world::{TRUNK, World};
pub use clumsy::world_after;
pub use many::days;
pub use plans::rename;
use plans::{Plan, through};
use ringback::demo::person::{Person, Reaction, Visit};
use ringback::demo::station::Mood as Registers;
use ringback::entropy::Entropy;
use ringback::id::Shard;
use ringback::media::Event;
use ringback::settings::{AgentAccept, Credentials, Settings, TrunkMode};
use ringback::switch::command::{Command, Reply};
use ringback::switch::{Input, event};
use ringback::time::Tick;
use size::Trait;
pub use size::{Day, Size};
use std::time::Duration;
use tally::Tally;

pub struct Dice(Entropy);

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
const EVENING: Duration = secs(40 * 3_600);
/// Nobody talks for longer.
const LONGEST_TALK: Duration = secs(1_260);
/// So often somebody looks at what is left over or held.
const ROUND: Duration = secs(60);

/// A day that nobody's law broke.
struct Lived {
    calls: usize,
    promises: usize,
    kills: usize,
    tally: Tally,
    world: World,
}

/// A day that broke a law.
struct Breach {
    broken: Broken,
    /// What was to happen on it, by number.
    plans: Vec<(usize, Tick, Plan)>,
    world: World,
}

fn live(day: &Day) -> Result<Box<Lived>, Box<Breach>> {
    live_with(day, |_| ())
}

/// The same in a world that somebody has prepared.
fn live_with(day: &Day, prepare: impl FnOnce(&mut World)) -> Result<Box<Lived>, Box<Breach>> {
    let mut dice = Dice(Entropy::from_seed(day.seed ^ 0x0DA7));
    let mut world = morning(day, &mut dice);
    prepare(&mut world);
    let drawn = plans::plans(&mut world, &mut dice, day).into_iter().enumerate();
    let kept = drawn.map(|(nth, (at, plan))| (nth, at, plan)).filter(|(nth, ..)| day.keep.holds(Trait::Plan(*nth)));
    let plans: Vec<_> = kept.collect();
    let mut tally = Tally::default();
    tally.site(&world.settings, presets::of(day.seed));
    let lived = shrink::watch(|| {
        through(&mut world, plans.iter().map(|(_, at, plan)| (*at, *plan)), day, &mut tally);
        world.stumbles.now_and_then = None;
        evening(&mut world, &mut tally);
        world.laws.count_silent(world.now);
    });
    if let Err(broken) = lived {
        return Err(Box::new(Breach { broken, plans, world }));
    }
    tally.day(&world, presets::of(day.seed));
    let from_outside = |event: &event::Event| match event {
        event::Event::CallArrived { from, .. } => !world.settings.agents.iter().any(|agent| *agent.extension == **from),
        _ => false, // No call.
    };
    let calls = world.published.iter().filter(|(_, event)| from_outside(event)).count();
    let (promises, kills) = (world.disk.tasks.len(), world.laws.kills);
    Ok(Box::new(Lived { calls, promises, kills, tally, world }))
}

#[test]
fn a_seed_repeats_its_day_to_the_last_message() {
    for seed in [3, 7] {
        let drawing = || live(&Day::of(seed)).map(|lived| lived.world.drawing()).map_err(|breach| breach.broken);
        let [first, second] = [drawing(), drawing()].map(|drawn| drawn.expect("no law is broken"));

        assert!(first == second, "seed {seed} lived two days:\n{first}\n{second}");
    }
}

/// Something that is drawn of a site from the day's seed, by name.
type Layer = (&'static str, fn(u64, &mut Settings));

/// What is drawn of a site, one layer upon the other; each can be left out.
const LAYERS: [Layer; 9] = [
    ("forms", forms::draw),
    ("habits", habits::draw),
    ("losses", habits::draw_losses),
    ("holds", holds::draw),
    ("service", habits::draw_service),
    ("customs", customs::draw),
    ("preset", presets::draw),
    ("trunks", faults::draw),
    ("caps", beside::draw),
];

fn morning(day: &Day, dice: &mut Dice) -> World {
    let attempts_max = u32::try_from(dice.between(1, 3)).expect("small");
    let first_wait = dice.between(0, 20);
    let record = dice.chance(50);
    let registers = dice.chance(25) && day.keep.has("registers");
    let challenges = dice.chance(25) && day.keep.has("challenges");
    let is_whole = day.size == Size::Whole;
    let begins = if is_whole { centre::BEGINS } else { customs::begins(day.seed) };
    let mut world = World::starting(day.seed, begins, |site| {
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
        if is_whole {
            centre::build(site);
        }
        let layers = LAYERS.iter().filter(|(name, _)| day.keep.has(name));
        layers.for_each(|(_, draw)| draw(day.seed, site));
        if is_whole {
            centre::settle(site);
        }
    });
    world.ladder.hides_registrations = true;
    if is_whole {
        centre::furnish(&mut world);
    }
    let odd = day.keep.has("quirks");
    let quirks = &mut world.stations[TRUNK].endpoint.quirks;
    quirks.forks_answers = dice.chance(15) && odd;
    quirks.answers_cancel_with_200 = dice.chance(15) && odd;
    quirks.acks_lost = if dice.chance(20) && odd { 2 } else { 0 };
    let carrier = world.stations[TRUNK].carrier.as_mut().expect("a carrier");
    let known = ("site7".to_owned(), "trunk-secret".to_owned());
    carrier.asks_invites = challenges.then(|| known.clone());
    carrier.registrar = registers.then_some(known);
    if dice.chance(30) && day.keep.has("moods") {
        carrier.moods = [Registers::Refuse(503), Registers::Silence].into();
    }
    if day.size == Size::Packets {
        world = world.with_packets();
    }
    weather(&mut world, day, dice);
    if dice.chance(30) && day.keep.has("second-phone") {
        world.second_phone(ANNA);
    }
    faults::befall(&mut world, day);
    wake_agents(&mut world, day, dice);
    world
}

/// The network, and how slow the disk is.
fn weather(world: &mut World, day: &Day, dice: &mut Dice) {
    let rough = dice.chance(50);
    if rough {
        let weather = Weather {
            delay: dice.millis(1, 60),
            jitter: dice.millis(0, 80),
            loss: dice.between(0, 50),
            duplicates: dice.between(0, 30),
        };
        if day.keep.has("weather") {
            (world.net.weather, world.net.rtp_weather) = (weather, weather);
        }
    }
    let delay = dice.millis(1, 150);
    if day.keep.has("slow-disk") {
        world.disk.delay = delay;
    }
}

fn wake_agents(world: &mut World, day: &Day, dice: &mut Dice) {
    for agent in agents(world) {
        let moods = (0..12 * day.size.times()).map(|_| agent_mood(dice)).collect::<Vec<_>>();
        let (talk, silence) = (dice.millis(4_000, 40_000), secs(dice.between(60, 120)));
        let talk = if day.size == Size::Whole { talk * 30 } else { talk };
        let person = &mut world.stations[agent].people[0];
        person.reactions = if day.keep.has("agents") { moods.into() } else { Default::default() };
        person.reactions.push_back(Reaction::Answer { after: secs(2), early: false });
        (person.talk, person.bears_silence) = (Some(talk), Some(silence));
    }
}

/// The phones of the queue's agents.
fn agents(world: &World) -> Vec<usize> {
    (0..world.stations.len()).filter(|at| *at != DORA && world.stations[*at].carrier.is_none()).collect()
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

/// The last digits of a customer's number; attackers have theirs for themselves.
fn last_digits(n: usize) -> usize {
    if n < 50 { 100 + n } else { 150 + n }
}

fn customer(dice: &mut Dice, n: usize, digit: char, day: &Day) -> Person {
    let number = format!("1202555{:04}", last_digits(n));
    let mut person = Person::new(&format!("c{n}"), &format!("+{number}"));
    person.reactions = (0..2).map(|_| customer_mood(dice)).collect();
    if !day.keep.has("customers") {
        person.reactions.clear();
    }
    person.reactions.push_back(Reaction::Answer { after: secs(3), early: false });
    person.talk = Some(dice.millis(1_000, 40_000));
    person.bears_silence = Some(secs(dice.between(8, 30)));
    if n.is_multiple_of(9) {
        person.bears_silence = Some(Duration::from_millis(300)); // He has better things to do.
    }
    let begins = dice.millis(1_500, 25_000);
    let typed = match dice.between(0, 99) {
        0..=49 => format!("{digit}#"),
        50..=61 => format!("{digit}{number}#_1"),
        62..=67 => format!("{digit}*"),
        68..=73 => format!("{digit}12#99#{digit}*"),
        74..=77 => format!("{digit}{digit}#"),
        78..=82 => format!("1_{digit}#"),
        83..=85 => format!("2_{digit}#"),
        86..=87 => format!("{digit}{number}#_2#"),
        88..=89 => "9".to_owned(),
        _ => String::new(),
    };
    let keys = presses(&typed, begins, || dice.millis(400, 1_800));
    person.visit = Visit { keys, patience: Some(dice.millis(5_000, 150_000)) };
    if day.size == Size::Whole {
        let (talk, patience) = centre::pace(dice);
        (person.talk, person.visit.patience) = (Some(talk), Some(patience));
    }
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

/// Who hung up while the carrier was dead was not heard; that nothing is spoken there any more is.
fn notice_silence(world: &mut World) {
    let legs: Vec<_> = world.shard.legs.keys().copied().collect();
    for leg in legs {
        if world.who(leg).is_none() {
            world.handle(Input::Media(Shard(0), Event::Silent { leg }));
        }
    }
}

/// Everybody is kind: agents take every call, customers are at home, the network and the disk work.
fn evening(world: &mut World, tally: &mut Tally) {
    world.net.weather = Weather { delay: Duration::from_millis(10), jitter: Duration::ZERO, loss: 0, duplicates: 0 };
    faults::heal(world);
    world.release_disk();
    world.run_for(secs(2));
    world.configure(|site| {
        for rule in &mut site.rules {
            (rule.enabled, rule.process) = (true, true);
        }
        for profile in &mut site.profiles {
            // Nobody presses keys in the evening.
            (profile.enabled, profile.agent_accept) = (true, AgentAccept::Auto);
        }
        site.trunks.iter_mut().for_each(|trunk| trunk.max_calls = 30);
        site.system.max_originates_per_min = 60;
        plans::bring_carl(site);
    });
    world.ask(Command::Unfreeze);
    plans::activate(world);
    let kind = Reaction::Answer { after: secs(2), early: false };
    for station in 0..world.stations.len() {
        for person in &mut world.stations[station].people {
            person.reactions = [kind.clone()].into();
            person.talk = Some(secs(20));
        }
    }
    register(world);
    world.run_for(secs(150));
    hang_up_dead_calls(world);
    notice_silence(world);
    world.run_for(secs(5));
    for (agent, _) in workers(world) {
        for code in ["*38", "*36", "*385000", "*365000"] {
            // He may be called back to work by the code before.
            if !world.is_busy(agent, 0) {
                world.dial(agent, code);
                world.run_for(secs(8));
            }
        }
    }
    let (limit, mut rounds) = (world.now + EVENING, 0);
    while world.disk.tasks.values().any(|task| !task.state.is_final()) {
        assert!(world.now < limit, "law 1: a promise has no end: {}", world.state());
        look_after(world, rounds, tally);
        rounds += 1;
    }
    world.run_for(secs(60));
    let limit = world.now + LONGEST_TALK;
    while world.now < limit && world.stations.iter().any(|station| station.endpoint.calls().next().is_some()) {
        world.run_for(secs(60));
    }
    world.assert_rest();
}

/// The phones of those who work for a line, and their names.
fn workers(world: &World) -> Vec<(usize, String)> {
    let named = agents(world).into_iter().map(|phone| (phone, world.stations[phone].people[0].name.clone()));
    named.filter(|(_, name)| world.settings.agents.iter().any(|agent| *agent.name == **name)).collect()
}

fn register(world: &mut World) {
    for agent in agents(world) {
        let now = world.now;
        world.stations[agent].endpoint.register(now, 1_800);
    }
}

/// Phones stay registered, whoever has chosen to rest is called back, what is left over is kept, and the breaker is
/// looked at.
fn look_after(world: &mut World, round: u32, tally: &mut Tally) {
    world.run_for(ROUND);
    world.callbacks().iter().for_each(|shown| tally.state(shown.task.state));
    if round % 20 == 19 {
        register(world);
        for (agent, name) in workers(world) {
            let state = world.agent(&name).state;
            if matches!(state, "not_ready" | "logged_out") && !world.is_busy(agent, 0) {
                world.dial(agent, if state == "not_ready" { "*36" } else { "*38" });
            }
        }
    }
    if let Reply::Gauges(gauges) = world.ask(Command::Gauges) {
        let shown: usize = gauges.callbacks.iter().map(|(_, _, callbacks)| callbacks).sum();
        assert_eq!(shown as u64, gauges.books.open, "P4: what is shown by queue and state is not what is open");
    }
    let open: Vec<_> = world.disk.tasks.values().filter(|task| !task.state.is_final()).collect();
    let left_over: Vec<_> = open.iter().filter(|task| task.is_for_people()).map(|task| task.id).collect();
    for task in left_over {
        world.tell(if round < 5 { Command::KeepCallback(task) } else { Command::CancelCallback(task) });
    }
    world.tell(Command::ResumeDialling);
}
