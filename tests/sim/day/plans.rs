//! What happens on a day, and when: calls, keys and choices of people, what people at screens ask for, and what the
//! world does to the switch.

use super::aim::{self, Aim, Aims};
use super::beside;
use super::centre::{calls, carriers, is_engaged};
use super::faults::{self, Fault};
use super::levers::{self, Lever};
use super::size::{Day, LENGTH, Size};
use super::tally::Tally;
use super::{Dice, agents, forms, hang_up_dead_calls, presses};
use crate::disk::Mood;
use crate::drive::configure;
use crate::site::secs;
use crate::world::{TRUNK, World};
use ringback::demo::person::Reaction;
use ringback::demo::session::Direction;
use ringback::entropy::Entropy;
use ringback::settings::{Destination, Member, Queue, Settings};
use ringback::switch::NotStored;
use ringback::switch::command::{Command, NewCallback, PageOf, Reply};
use ringback::time::Tick;
use std::collections::BTreeMap;
use std::time::Duration;

/// What is going to happen, and when.
#[derive(Clone, Copy, Debug)]
pub enum Plan {
    Register(usize),
    CallIn(usize),
    /// While he is promised a call, perhaps: the question that he may be asked then gets this answer.
    CallAgain(usize, &'static str),
    Pause(usize),
    /// A feature code.
    Code(usize, &'static str),
    DialOut(usize, usize),
    Hold(usize, Direction),
    Cancel(usize),
    Ask(Wish),
    Pull(Lever),
    /// Whoever is on the phone may press something.
    Keys(u64),
    /// Another edition of the site, in the instant in which something happens.
    ReloadAtWorst(u64),
    /// Somebody has callbacks made to people who do not want them.
    Attack,
    Kill,
    Restart,
    DeadAir,
    DiskStumbles(Mood),
    DiskRecovers,
    CarrierRefuses,
    CarrierRecovers,
    Fault(Fault),
    /// Something for the next moment of this kind.
    Aim(Aim),
    /// Whatever was disabled in a bad moment works again.
    RuleEnabled,
    /// The process is told to end, and takes so long at most.
    Leave(Duration),
    /// It ends at the latest then.
    Leaving(Tick),
}

/// What is still to come, and what has come up meanwhile.
#[derive(Default)]
pub struct Agenda {
    plans: BTreeMap<(Tick, usize), Plan>,
    put: usize,
}

impl Agenda {
    pub fn put(&mut self, at: Tick, plan: Plan) {
        self.put += 1;
        self.plans.insert((at, self.put), plan);
    }

    fn next(&self) -> Option<(Tick, usize)> {
        self.plans.keys().next().copied()
    }

    /// A switch that is dead is begun again, sooner or later. Whether it had to be put on the agenda.
    pub fn revive(&mut self, world: &World) -> bool {
        let is_seen_to = || self.plans.values().any(|plan| matches!(plan, Plan::Restart));
        if world.switch.is_some() || is_seen_to() {
            return false;
        }
        let rest = Duration::from_millis(500 + world.now.as_millis() % 7 * 1_000);
        self.put(world.now + rest, Plan::Restart);
        self.put(world.now + rest + secs(15), Plan::DeadAir);
        true
    }
}

/// What a person at a screen wants.
#[derive(Clone, Copy, Debug)]
pub enum Wish {
    CallBack(usize),
    CancelFirst,
    NowFirst,
    HangUpFirst,
    Pause,
    Resume,
    Freeze,
    Unfreeze,
    Activate,
    KeepFirst,
    ResumeDialling,
    /// Another edition of the site.
    Reload(u64),
}

pub fn plans(world: &mut World, dice: &mut Dice, day: &Day) -> Vec<(Tick, Plan)> {
    let (length, packets) = (day.size.length(), day.size == Size::Packets);
    let whole = u64::try_from(length.as_millis()).expect("a day");
    let mut plans: Vec<(Duration, Plan)> = Vec::new();
    for agent in agents(world) {
        at_phone(dice, whole, day.size.times(), agent, &mut plans);
    }
    let customers = day.size.customers(dice);
    outside(world, dice, day, customers, &mut plans);
    for _ in 0..day.size.times() {
        screens(dice, whole, customers, packets, &mut plans);
    }
    plans.push((length, Plan::Ask(Wish::Resume)));
    keys(dice, length, &mut plans);
    for nth in 0..day.size.times() {
        weather(dice, (whole / day.size.times() * nth, whole / day.size.times()), &mut plans);
    }
    let levers = (0..day.size.times()).flat_map(|_| levers::levers(dice, whole, customers)).collect::<Vec<_>>();
    plans.extend(levers.into_iter().map(|(at, lever)| (at, Plan::Pull(lever))));
    if !plans.iter().any(|(_, plan)| matches!(plan, Plan::Kill)) && dice.chance(10) {
        // Stopped in order, and begun again.
        let (at, rest) = (dice.millis(whole / 8, whole), dice.millis(1_000, 40_000));
        plans.extend([(at, Plan::Pull(Lever::Drain)), (at + rest, Plan::Kill), (at + rest + secs(1), Plan::Restart)]);
        plans.push((at + rest + secs(15), Plan::DeadAir));
    }
    let mut dice = Dice(Entropy::from_seed(day.seed ^ 0x000F_A175));
    plans.extend(faults::plans(world, &mut dice, day));
    plans.push(aim::worst(day.seed, whole));
    for _ in 0..day.size.times() {
        plans.extend(aim::draw(&mut dice, whole));
    }
    plans.extend(beside::plans(day.seed, whole, day.size.times()));
    plans.sort_by_key(|(at, _)| *at);
    plans.into_iter().map(|(at, plan)| (Tick::ZERO + at, plan)).collect()
}

/// What an agent does at his phone.
fn at_phone(dice: &mut Dice, whole: u64, times: u64, agent: usize, plans: &mut Vec<(Duration, Plan)>) {
    plans.push((dice.millis(0, whole / 4 / times / times), Plan::Register(agent)));
    for _ in 0..dice.between(0, 4 * times) {
        let at = dice.millis(0, whole);
        plans.push((at, Plan::Hold(agent, Direction::SendOnly)));
        plans.push((at + dice.millis(200, 6_000), Plan::Hold(agent, Direction::SendRecv)));
    }
    for _ in 0..times {
        if dice.chance(30) {
            let at = dice.millis(whole / 4, whole / 2);
            plans.extend([(at, Plan::Pause(agent)), (at + dice.millis(20_000, 90_000), Plan::Pause(agent))]);
        }
        if dice.chance(25) {
            let (out, back) =
                [("*37", "*36"), ("*39", "*38"), ("*45", "*45"), ("*375000", "*365000"), ("*395000", "*385000")]
                    [usize::try_from(dice.between(0, 4)).expect("few")];
            let at = dice.millis(whole / 4, whole * 3 / 4);
            plans.extend([(at, Plan::Code(agent, out)), (at + dice.millis(20_000, 200_000), Plan::Code(agent, back))]);
        }
    }
}

/// Who calls, and whom agents call themselves.
fn outside(world: &mut World, dice: &mut Dice, day: &Day, customers: u64, plans: &mut Vec<(Duration, Plan)>) {
    let whole = u64::try_from(day.size.length().as_millis()).expect("a day");
    let digit = world.settings.rules[0].request_digit;
    let mut phones = agents(world);
    phones.truncate(if day.size == Size::Whole { 10 } else { 3 });
    for n in 0..usize::try_from(customers).expect("few") {
        let person = super::customer(dice, n + 10, digit, day);
        carriers(world).into_iter().for_each(|carrier| world.stations[carrier].people.push(person.clone()));
        let person = world.stations[TRUNK].people.len() - 1;
        let at = day.size.calls_at(dice);
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
            let agent = phones[usize::try_from(dice.between(0, phones.len() as u64 - 1)).expect("few")];
            let at = dice.millis(whole / 4, whole);
            plans.push((at, Plan::DialOut(agent, person)));
            if dice.chance(50) {
                plans.push((at + dice.millis(100, 9_000), Plan::Cancel(agent)));
            }
        }
    }
}

/// What people at screens ask for.
fn screens(dice: &mut Dice, whole: u64, customers: u64, packets: bool, plans: &mut Vec<(Duration, Plan)>) {
    for _ in 0..dice.between(0, 3) {
        let person = usize::try_from(dice.between(0, customers - 1)).expect("few");
        let wishes = [
            Wish::CallBack(person),
            Wish::CancelFirst,
            Wish::NowFirst,
            Wish::HangUpFirst,
            Wish::Pause,
            Wish::KeepFirst,
        ];
        let wish = wishes[usize::try_from(dice.between(0, 5)).expect("few")];
        // Logging in, which the first registration does, ends a pause.
        plans.push((dice.millis(whole / 3, whole), Plan::Ask(wish)));
    }
    if dice.chance(40) {
        for _ in 0..dice.between(1, 4) {
            let (at, edition) = (dice.millis(0, whole), dice.between(0, 119));
            let worst = dice.chance(50);
            plans.push((at, if worst { Plan::ReloadAtWorst(edition) } else { Plan::Ask(Wish::Reload(edition)) }));
        }
    }
    if dice.chance(12) {
        let at = dice.millis(whole / 8, whole * 3 / 4);
        let back = at + dice.millis(5_000, 90_000);
        plans.extend([(at, Plan::Ask(Wish::Freeze)), (back, Plan::Ask(Wish::Unfreeze))]);
        if dice.chance(70) {
            plans.push((back + dice.millis(1_000, 60_000), Plan::Ask(Wish::Activate)));
        }
    }
    if dice.chance(12) && !packets {
        plans.push((dice.millis(whole / 8, whole / 3), Plan::Attack));
        if dice.chance(50) {
            plans.push((Duration::from_millis(whole * 3 / 4), Plan::Ask(Wish::ResumeDialling)));
        }
    }
}

/// Keys on the phone.
fn keys(dice: &mut Dice, length: Duration, plans: &mut Vec<(Duration, Plan)>) {
    if dice.chance(50) {
        let mut at = Duration::ZERO;
        while at < length {
            at += forms::EVERY;
            plans.push((at, Plan::Keys(dice.0.next_u64())));
        }
    }
}

/// What the world does to the switch within a part of the day, which begins then and is so long.
fn weather(dice: &mut Dice, (from, long): (u64, u64), plans: &mut Vec<(Duration, Plan)>) {
    let within = |dice: &mut Dice, least: u64| dice.millis(from + least, from + long);
    if dice.chance(40) {
        let at = within(dice, long / 8);
        let back = at + dice.millis(500, 8_000);
        plans.extend([(at, Plan::Kill), (back, Plan::Restart), (back + secs(15), Plan::DeadAir)]);
    }
    if dice.chance(30) {
        let moods = [Mood::Holding, Mood::Failing(NotStored::Failed), Mood::Failing(NotStored::Reserve)];
        let mood = moods[usize::try_from(dice.between(0, 2)).expect("few")];
        let at = within(dice, 0);
        plans.extend([(at, Plan::DiskStumbles(mood)), (at + dice.millis(500, 20_000), Plan::DiskRecovers)]);
    }
    if dice.chance(20) {
        let at = within(dice, 0);
        plans.extend([(at, Plan::CarrierRefuses), (at + dice.millis(5_000, 60_000), Plan::CarrierRecovers)]);
    }
}

pub fn through(world: &mut World, plans: impl Iterator<Item = (Tick, Plan)>, day: &Day, tally: &mut Tally) {
    let (mut agenda, mut aims) = (Agenda::default(), Aims::default());
    plans.for_each(|(at, plan)| agenda.put(at, plan));
    while let Some(next) = agenda.next() {
        if !aims.pass(world, next.0, &mut agenda, tally) {
            continue;
        }
        let plan = agenda.plans.remove(&next).expect("it is the first");
        tally.deed(&plan);
        match plan {
            Plan::Ask(wish) => tally.deed(&wish),
            Plan::Pull(lever) => tally.deed(&lever),
            Plan::Aim(aim) => aims.arm(aim),
            Plan::Leave(limit) => beside::leave(world, &mut agenda, limit),
            Plan::Leaving(until) => beside::leaving(world, &mut agenda, until),
            _ => {} // It has a name of its own.
        }
        come_about(world, plan);
    }
    world.doom = None;
    if world.switch.is_none() {
        world.start();
    }
    if day.keep.has(LENGTH) {
        world.run_for(day.size.length().saturating_sub(world.now.since(Tick::ZERO)));
    }
}

fn come_about(world: &mut World, plan: Plan) {
    let now = world.now;
    match plan {
        Plan::Register(agent) => world.stations[agent].endpoint.register(now, 1_800),
        Plan::CallIn(person) if !is_engaged(world, person) => drop(calls(world, person)),
        Plan::CallAgain(person, answer) if !is_engaged(world, person) => {
            for carrier in carriers(world) {
                world.stations[carrier].people[person].visit.keys = presses(answer, secs(3), || secs(1));
            }
            calls(world, person);
        }
        Plan::Pause(agent) if !world.is_busy(agent, 0) => drop(world.dial(agent, "*46")),
        Plan::Code(agent, code) if !world.is_busy(agent, 0) => drop(world.dial(agent, code)),
        Plan::DialOut(agent, person) if !world.is_busy(agent, 0) && !is_engaged(world, person) => {
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
        Plan::Pull(lever) => levers::pull(world, lever),
        Plan::Keys(seed) => forms::press(world, &mut Entropy::from_seed(seed)),
        // The phone is in use.
        Plan::CallIn(_) | Plan::CallAgain(..) | Plan::Pause(_) | Plan::Code(..) | Plan::DialOut(..) => {}
        Plan::ReloadAtWorst(edition) => {
            let (told, limit) = (world.published.len(), now + secs(30));
            while world.published.len() == told && world.step(limit) {}
            ask(world, Wish::Reload(edition));
        }
        Plan::Attack => attack(world),
        Plan::Kill if world.switch.is_some() => world.crash(),
        Plan::Restart if world.switch.is_none() => world.start(),
        Plan::Kill | Plan::Restart | Plan::Aim(_) | Plan::Leave(_) | Plan::Leaving(_) => {}
        Plan::DeadAir => hang_up_dead_calls(world),
        Plan::DiskStumbles(mood) => world.disk.mood = mood,
        Plan::DiskRecovers => world.release_disk(),
        Plan::CarrierRefuses => world.stations[TRUNK].endpoint.quirks.dead = true,
        Plan::CarrierRecovers => world.stations[TRUNK].endpoint.quirks.dead = false,
        Plan::Fault(fault) => fault.strike(world),
        Plan::RuleEnabled => aim::enable(world),
    }
}

fn ask(world: &mut World, wish: Wish) {
    if world.switch.is_none() {
        return;
    }
    let open = world.disk.tasks.values().find(|task| !task.state.is_final()).map(|task| task.id);
    let command = match (wish, open) {
        (Wish::CallBack(person), _) => Command::AddCallback(Box::new(NewCallback {
            number: world.stations[TRUNK].people[person].number.clone(),
            queue: Some(world.settings.queues[0].name.to_string()),
            not_before: None,
            profile: None,
            agent: None,
            data: None,
            idempotency_key: None,
        })),
        (Wish::CancelFirst, Some(task)) => Command::CancelCallback(task),
        (Wish::NowFirst, Some(task)) => Command::CallbackNow(task),
        (Wish::HangUpFirst, _) => {
            let doom = world.doom.take();
            let calls = world.ask(Command::ListCalls(PageOf::default()));
            world.doom = doom;
            match calls {
                Reply::Calls(calls) if !calls.items.is_empty() => Command::HangUpCall(calls.items[0].id),
                _ => return, // Nobody is on the phone.
            }
        }
        (Wish::Freeze, _) => Command::Freeze,
        (Wish::Unfreeze, _) => Command::Unfreeze,
        (Wish::Activate, _) => return activate(world),
        (Wish::KeepFirst, Some(task)) => Command::KeepCallback(task),
        (Wish::ResumeDialling, _) => Command::ResumeDialling,
        (Wish::Reload(edition), _) => return reload(world, edition),
        (Wish::Pause, _) => Command::PauseAgent { agent: "ben".to_owned(), reason: Some("lunch".to_owned()) },
        (Wish::Resume, _) => Command::ResumeAgent("ben".to_owned()),
        (Wish::CancelFirst | Wish::NowFirst | Wish::KeepFirst, None) => return,
    };
    world.tell(command);
}

/// Every rule that a freeze has disabled works again.
pub fn activate(world: &mut World) {
    let rules: Vec<String> = world.settings.rules.iter().map(|rule| rule.name.to_string()).collect();
    for rule in rules {
        world.tell(Command::ActivateRule(rule));
    }
}

/// Somebody who has got hold of the API has people rung up who have asked for nothing, and do not answer.
fn attack(world: &mut World) {
    for n in 60..75 {
        let mut victim = ringback::demo::person::Person::new(&format!("v{n}"), &format!("+120255501{n}"));
        let status = if n % 2 == 0 { 603 } else { 486 };
        victim.reactions = [Reaction::Refuse { after: secs(2), status }].into();
        victim.visit.patience = Some(secs(300)); // Should he ring in himself, and every agent decline him.
        carriers(world).into_iter().for_each(|carrier| world.stations[carrier].people.push(victim.clone()));
        let person = world.stations[TRUNK].people.len() - 1;
        ask(world, Wish::CallBack(person));
    }
}

/// The names of a customers' line: a site may give it another one.
const LINE: [&str; 2] = ["support", "service"];

/// Carl comes and goes, rules rest, wake and are deleted, profiles are edited, lines close and open; the laws hold all
/// the same.
pub fn reload(world: &mut World, edition: u64) {
    let site = &mut world.settings;
    match edition % 12 {
        0 => site.rules[0].enabled = !site.rules[0].enabled,
        1 => site.rules[0].process = !site.rules[0].process,
        2 if site.agent("carl").is_some() && is_spare(site) => {
            site.agents.retain(|agent| &*agent.name != "carl");
            site.queues.iter_mut().for_each(|queue| queue.members.retain(|member| &*member.agent != "carl"));
        }
        2 => bring_carl(site),
        3 => site.profiles[0].intervals.reverse(),
        4 => site.trunks[0].max_calls = 3 + u32::try_from(edition % 20).expect("small"),
        5 if site.queue("sales").is_some() => site.queues.retain(|queue| &*queue.name != "sales"),
        5 => site.queues.push(Queue::named("sales", "5001")),
        6 => site.profiles[0].enabled = !site.profiles[0].enabled,
        7 => site.rules[0].accept = !site.rules[0].accept,
        8 if site.rules.len() > 1 => drop(site.rules.pop()),
        8 | 9 => {
            let profile = &mut site.profiles[0];
            profile.ring_timeout = secs(10 + edition % 20);
            profile.record = !profile.record;
        }
        10 => site.queues[0].max_callers = site.queues[0].max_callers.xor(Some(3)),
        _ => rename(site, LINE[usize::from(&*site.queues[0].name == LINE[0])]),
    }
    let command = configure(&world.settings);
    world.tell(Command::Configure(Box::new(command)));
}

/// Whether nothing of the site names carl but the first line.
fn is_spare(site: &Settings) -> bool {
    site.ivrs.is_empty()
}

/// Carl is with us again.
pub fn bring_carl(site: &mut Settings) {
    if site.agent("carl").is_none() {
        site.agents.push(crate::site::site().agents.remove(2));
        site.queues[0].members.push(Member::of("carl"));
    }
}

/// The first line is gone, and another one is where it was: what was promised there was promised by nobody now.
pub fn rename(site: &mut Settings, name: &str) {
    let old = std::mem::replace(&mut site.queues[0].name, name.into());
    let change = |to: &mut Destination| {
        if *to == Destination::Queue(old.clone()) {
            *to = Destination::Queue(name.into());
        }
    };
    for route in &mut site.inbound_routes {
        change(&mut route.to);
        route.closed_to.iter_mut().for_each(change);
    }
    for ivr in &mut site.ivrs {
        ivr.keys.values_mut().chain(&mut ivr.timeout_dest).chain(&mut ivr.closed_dest).for_each(change);
    }
    for rule in &mut site.rules {
        rule.scope.queues.iter_mut().filter(|queue| **queue == old).for_each(|queue| *queue = name.into());
    }
}
