//! What goes wrong on a day by itself: carriers that ask, fork, forget and vanish, phones that lose power, wires that
//! are
//! cut, a disk that is slow, a clock that jumps, and a `kill -9` at any step of the switch. Drawn from the seed of the
//! day, beside everything else; what has truly come about is counted in `crate::fired`.

use super::plans::Plan;
use super::size::{Day, Size};
use super::{Dice, agents, centre};
use crate::disk::Mood;
use crate::fired::Doom;
use crate::site::{DID, SPARE, secs};
use crate::world::{TRUNK, World};
use ringback::demo::endpoint::Quirks;
use ringback::entropy::Entropy;
use ringback::settings::*;
use ringback::switch::{Input, NotStored, Space};
use std::net::SocketAddr;
use std::time::Duration;

/// See the module. Stations by their number.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    CarrierGone(usize),
    CarrierBack(usize),
    /// Without a word; it comes back as it was.
    PhoneVanishes(usize),
    PhoneReturns(usize),
    /// It comes back at another port, and knows of nothing.
    PhoneReboots(usize),
    /// Nothing comes through in between; with `true`, what the switch says still does.
    CutOff(usize, bool),
    Mended(usize),
    /// Its RTP does not come through.
    Muted(usize),
    Unmuted(usize),
    SlowDisk(Duration),
    /// Milliseconds.
    ClockJumps(i64),
    /// Killed after so many more steps.
    Doom(u64),
    /// Killed at the next step of this kind (`crate::fired`).
    DoomAt(&'static str),
    /// What the shell says of the room on the disk.
    Space(Space),
}

/// Steps of a switch on a short day, roughly.
const STEPS: u64 = 3_500;

/// What the site is like on such days: signs of life, a second carrier, narrow trunks.
pub fn draw(seed: u64, site: &mut Settings) {
    let mut dice = Dice(Entropy::from_seed(seed ^ 0x0FA0_17D5));
    let ping = dice.chance(40).then(|| secs(dice.between(10, 30)));
    if dice.chance(35) && site.trunk("spare").is_none() {
        site.trunks.push(Trunk {
            name: "spare".into(),
            host: SPARE.ip().to_string(),
            acl: vec![Cidr { address: SPARE.ip(), bits: 32 }],
            mode: TrunkMode::Peer,
            ..site.trunks[0].clone()
        });
        site.inbound_routes.push(InboundRoute {
            trunk: "spare".into(),
            did: DidPattern::Exact(DID.to_owned()),
            ..site.inbound_routes[0].clone()
        });
        match dice.chance(50) {
            true => site.trunks[0].failover = Some("spare".into()),
            false => site.outbound_routes.iter_mut().for_each(|route| route.trunks.push("spare".into())),
        }
    }
    let narrow = dice.chance(20).then(|| u32::try_from(dice.between(2, 4)).expect("few"));
    for trunk in &mut site.trunks {
        trunk.options_ping = trunk.options_ping.or(ping);
        trunk.retry = secs(20);
    }
    if let Some(most) = narrow.filter(|_| site.trunks.len() > 1) {
        site.trunks[0].max_calls = most;
    }
}

/// What the peers are like, once they are there.
pub fn befall(world: &mut World, day: &Day) {
    let mut dice = Dice(Entropy::from_seed(day.seed ^ 0x0BEF_A110));
    if world.settings.trunk("spare").is_some() && centre::carriers(world).len() < 2 {
        let spare = world.second_carrier();
        world.stations[spare].endpoint.config.packets = day.size == Size::Packets;
    }
    if !day.keep.has("faults") {
        return;
    }
    for carrier in centre::carriers(world) {
        let quirks = &mut world.stations[carrier].endpoint.quirks;
        quirks.plays_before_ringing = dice.chance(20);
        quirks.forks_ringing = dice.chance(15);
        quirks.forks_answers |= dice.chance(5);
        let statuses = [481, 488, 491, 500, 408];
        quirks.refuses_changes = dice.chance(20).then(|| statuses[usize::try_from(dice.between(0, 4)).expect("few")]);
        let timers = ["90;refresher=uas", "90;refresher=uas", "90;refresher=uas", "90;refresher=uac"];
        quirks.session_timer = dice.chance(25).then(|| timers[usize::try_from(dice.between(0, 3)).expect("few")]);
        let stale = if dice.chance(40) { 3 } else { 0 };
        world.stations[carrier].carrier.as_mut().expect("a carrier").stale_nonces = stale;
    }
    for phone in agents(world) {
        if dice.chance(8) {
            world.stations[phone].endpoint.quirks.refuses_changes = Some(488);
        }
    }
    world.net.tells_nobody_home = dice.chance(30);
}

/// Draws what happens when.
pub fn plans(world: &World, dice: &mut Dice, day: &Day) -> Vec<(Duration, Plan)> {
    let whole = u64::try_from(day.size.length().as_millis()).expect("a day");
    let mut plans = Vec::new();
    let (phones, carriers) = (agents(world), centre::carriers(world));
    for _ in 0..day.size.times() {
        let mut pair = |dice: &mut Dice, percent: u64, long: (u64, u64), faults: [Fault; 2]| {
            if dice.chance(percent) {
                let at = dice.millis(0, whole);
                let back = at + dice.millis(long.0, long.1);
                plans.extend([(at, Plan::Fault(faults[0])), (back, Plan::Fault(faults[1]))]);
            }
        };
        let phone = phones[usize::try_from(dice.between(0, phones.len() as u64 - 1)).expect("few")];
        let carrier = carriers[usize::try_from(dice.between(0, carriers.len() as u64 - 1)).expect("few")];
        pair(dice, 15, (20_000, 400_000), [Fault::PhoneVanishes(phone), Fault::PhoneReturns(phone)]);
        pair(dice, 15, (1_000, 2_000), [Fault::PhoneReboots(phone), Fault::PhoneReturns(phone)]);
        pair(dice, 20, (20_000, 300_000), [Fault::CarrierGone(carrier), Fault::CarrierBack(carrier)]);
        let one_way = dice.chance(50);
        pair(dice, 10, (1_000, 40_000), [Fault::CutOff(carrier, one_way), Fault::Mended(carrier)]);
        pair(dice, 10, (1_000, 40_000), [Fault::CutOff(phone, one_way), Fault::Mended(phone)]);
        pair(dice, 10, (30_000, 200_000), [Fault::Muted(phone), Fault::Unmuted(phone)]);
        pair(dice, 6, (30_000, 150_000), [Fault::Muted(carrier), Fault::Unmuted(carrier)]);
        let slow = Fault::SlowDisk(dice.millis(800, 4_500));
        pair(dice, 8, (5_000, 60_000), [slow, Fault::SlowDisk(Duration::from_millis(5))]);
    }
    for _ in 0..day.size.times() {
        disk(dice, whole, &mut plans);
        if dice.chance(12) {
            let by = jump(dice);
            plans.push((dice.millis(0, whole), Plan::Fault(Fault::ClockJumps(by))));
        }
        if dice.chance(60) {
            plans.push((Duration::ZERO, Plan::Fault(Fault::Doom(dice.between(1, STEPS * day.size.times())))));
        }
    }
    plans
}

/// A disk that stands still for a while, or is full.
fn disk(dice: &mut Dice, whole: u64, plans: &mut Vec<(Duration, Plan)>) {
    if dice.chance(25) {
        let (mood, long) = match dice.between(0, 3) {
            0 => (Mood::Holding, dice.millis(3_100, 20_000)),
            1 => (Mood::Holding, dice.millis(45_000, 90_000)),
            2 => (Mood::Failing(NotStored::Full), dice.millis(2_000, 30_000)),
            _ => (Mood::Failing(NotStored::Failed), dice.millis(2_000, 30_000)),
        };
        let at = dice.millis(0, whole);
        plans.extend([(at, Plan::DiskStumbles(mood)), (at + long, Plan::DiskRecovers)]);
    }
}

/// By how much a wall clock jumps, in milliseconds.
pub fn jump(dice: &mut Dice) -> i64 {
    let sizes = [1_500, 4_000, 60_000, 240_000, 540_000];
    let by = sizes[usize::try_from(dice.between(0, 4)).expect("few")];
    if dice.chance(50) { by } else { -by }
}

impl Fault {
    /// It happens.
    pub fn strike(self, world: &mut World) {
        let now = world.now;
        match self {
            Fault::CarrierGone(at) | Fault::PhoneVanishes(at) => world.stations[at].endpoint.quirks.dead = true,
            Fault::CarrierBack(at) => world.stations[at].endpoint.quirks.dead = false,
            Fault::PhoneReturns(at) => {
                world.stations[at].endpoint.quirks.dead = false;
                world.stations[at].endpoint.register(now, 300);
            }
            Fault::PhoneReboots(at) => {
                world.cut(at); // Whoever still speaks to it hears nothing from now on.
                world.mend(at);
                let local = world.stations[at].endpoint.config.local;
                world.stations[at].reboot(SocketAddr::new(local.ip(), local.port() + 7));
                world.laws.fired.add("a phone has lost power");
            }
            Fault::CutOff(at, one_way) => {
                let ip = world.stations[at].endpoint.config.local.ip();
                world.net.cut_off.push((ip, one_way));
            }
            Fault::Mended(at) => {
                let ip = world.stations[at].endpoint.config.local.ip();
                world.net.cut_off.retain(|(it, _)| *it != ip);
            }
            Fault::Muted(at) => world.cut(at),
            Fault::Unmuted(at) => world.mend(at),
            Fault::SlowDisk(delay) => world.disk.delay = delay,
            Fault::ClockJumps(by) => {
                world.set_clock(chrono::TimeDelta::milliseconds(by));
                world.laws.fired.add(if by > 0 { "the clock jumped ahead" } else { "the clock jumped back" });
            }
            Fault::Doom(steps) => world.doom = Some(Doom::After(steps)),
            Fault::DoomAt(step) => world.doom = Some(Doom::At(step)),
            Fault::Space(space) => {
                if world.switch.is_some() {
                    world.handle(Input::Space(space));
                }
            }
        }
    }
}

/// Nothing is wrong with anybody any more.
pub fn heal(world: &mut World) {
    world.doom = None;
    world.net.cut_off.clear();
    world.net.tells_nobody_home = false;
    world.disk.delay = Duration::from_millis(5);
    if world.switch.is_some() && world.watch.is_short {
        world.handle(Input::Space(Space::Ample));
    }
    for at in 0..world.stations.len() {
        world.mend(at);
        let quirks = &mut world.stations[at].endpoint.quirks;
        *quirks = Quirks { passes_requests_up: quirks.passes_requests_up, ..Quirks::default() };
        if let Some(carrier) = &mut world.stations[at].carrier {
            carrier.stale_nonces = 0;
        }
    }
    debug_assert!(world.stations[TRUNK].carrier.is_some());
}
