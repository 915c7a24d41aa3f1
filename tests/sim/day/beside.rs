//! What some days have beside everything else, from a stream of their own: narrow caps, an orderly end of the process,
//! a disk that fills, and a kill at a step of a certain kind.

use super::Dice;
use super::aim::{Aim, Hit, Moment};
use super::faults::Fault;
use super::plans::{Agenda, Plan};
use crate::disk::Mood;
use crate::fired::STEPS;
use crate::site::secs;
use crate::world::World;
use ringback::entropy::Entropy;
use ringback::settings::Settings;
use ringback::switch::Space;
use ringback::switch::command::{Command, Reply};
use ringback::time::Tick;
use std::time::Duration;

/// A site with so many agents is a call centre.
const MANY: usize = 6;
/// How often a process that drains looks whether it may end.
const LOOK: Duration = secs(1);
/// What is still on its way to the disk has so long.
const FLUSH: Duration = secs(10);

fn dice(seed: u64) -> Dice {
    Dice(Entropy::from_seed(seed ^ 0x0BE5_1DE5))
}

/// How many callbacks begin in a minute, and how many calls the first trunk carries.
pub fn draw(seed: u64, site: &mut Settings) {
    let mut dice = dice(seed);
    if dice.chance(12) {
        let most = if site.agents.len() > MANY { dice.between(2, 5) } else { dice.between(1, 2) };
        site.system.max_originates_per_min = u32::try_from(most).expect("few");
    }
    if dice.chance(10) {
        let most = if site.agents.len() > MANY { dice.between(6, 9) } else { dice.between(1, 3) };
        site.trunks[0].max_calls = u32::try_from(most).expect("few");
    }
}

/// What happens when.
pub fn plans(seed: u64, whole: u64, times: u64) -> Vec<(Duration, Plan)> {
    let mut dice = dice(seed.wrapping_add(1 << 40));
    let mut plans = Vec::new();
    if dice.chance(9) {
        let limit = [secs(3), secs(20), secs(300), secs(300)][usize::try_from(dice.between(0, 3)).expect("few")];
        plans.push((dice.millis(whole / 8, whole * 7 / 8), Plan::Leave(limit)));
    }
    if dice.chance(9) {
        let space = [Space::Low, Space::Scarce, Space::Spent][usize::try_from(dice.between(0, 2)).expect("few")];
        let (at, long) = (dice.millis(0, whole * 3 / 4), dice.millis(20_000, 120_000));
        plans.extend([(at, Plan::Fault(Fault::Space(space))), (at + long, Plan::Fault(Fault::Space(Space::Ample)))]);
    }
    if dice.chance(10) {
        let space = if dice.chance(60) { Space::Scarce } else { Space::Spent };
        let aim = Aim { moment: Moment::Talking, hit: Hit::Fills(space), after: dice.millis(0, 2_000) };
        plans.push((dice.millis(0, whole / 2), Plan::Aim(aim)));
    }
    if seed % 4 == 2 {
        let step = STEPS[usize::try_from(seed / 4).unwrap_or_default() % STEPS.len()];
        (0..times).for_each(|_| plans.push((dice.millis(whole / 20, whole / 2), Plan::Fault(Fault::DoomAt(step)))));
    }
    plans
}

/// SIGTERM: the process ends with its last call, or when so much time is over.
pub fn leave(world: &mut World, agenda: &mut Agenda, limit: Duration) {
    if world.switch.is_some() {
        world.tell(Command::Drain);
        agenda.put(world.now + LOOK, Plan::Leaving(world.now + limit));
    }
}

/// It looks whether it may end, as `ringback serve` does.
pub fn leaving(world: &mut World, agenda: &mut Agenda, until: Tick) {
    if world.switch.is_none() || !world.watch.drains.is_on() {
        return; // It was killed meanwhile.
    }
    let doom = world.doom.take();
    let mut calls = calls(world);
    if calls > 0 && world.now >= until {
        world.laws.fired.add("a drain comes to its limit");
        world.tell(Command::EndCalls);
        calls = self::calls(world);
        assert_eq!(calls, 0, "P16: the time for draining is over, and there are calls");
    }
    let has_told = world.disk.pending.is_empty() || world.now >= until + FLUSH || world.disk.mood != Mood::Working;
    if calls > 0 || !has_told {
        world.doom = doom;
        return agenda.put(world.now + LOOK, Plan::Leaving(until));
    }
    if world.now < until {
        world.laws.fired.add("a drain ends with the last call");
    }
    world.ends();
    agenda.put(world.now + secs(3), Plan::Restart);
    agenda.put(world.now + secs(18), Plan::DeadAir);
}

fn calls(world: &mut World) -> usize {
    match world.ask(Command::Status) {
        Reply::Status(status) => status.calls,
        other => panic!("{other:?}"),
    }
}
