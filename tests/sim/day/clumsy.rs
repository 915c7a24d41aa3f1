//! Days on which the switch stumbles now and then, anywhere in the middle of an input: each fault costs its call, and
//! every law holds all the same.

use super::size::{Day, Size};
use super::{live_with, many};
use crate::stumble::CAN_STUMBLE;
use crate::world::World;
use ringback::entropy::Entropy;

/// The world in the evening of a day that keeps the laws.
pub fn world_after(day: &Day, prepare: impl FnOnce(&mut World)) -> World {
    match live_with(day, prepare) {
        Ok(lived) => lived.world,
        Err(breach) => panic!("{day}: {}\n{}", breach.broken.message, breach.world.last_steps()),
    }
}

/// One input in so many.
const ONE_IN: u64 = 40;

#[test]
fn days_on_which_the_switch_stumbles_keep_the_laws() {
    if !CAN_STUMBLE {
        return; // A build for production has no switch that can be made to.
    }
    let seeds: Vec<u64> = match std::env::var("RINGBACK_CLUMSY") {
        Ok(text) => many::days(&text).expect("a number, or two").collect(),
        Err(_) => (1..=40).collect(),
    };
    let (mut faults, mut calls, mut broken) = (0, 0, Vec::new());
    for seed in &seeds {
        let day = Day { size: Size::Short, ..Day::of(*seed) };
        let clumsy = (ONE_IN, Entropy::from_seed(seed ^ 0xFA11));
        match live_with(&day, |world| world.stumbles.now_and_then = Some(clumsy)) {
            Ok(lived) => {
                let stumbles = &lived.world.stumbles.faults;
                faults += stumbles.len();
                calls += stumbles.iter().filter(|(_, call)| call.is_some()).count();
            }
            Err(breach) => {
                eprintln!("seed {seed}: {}\n{}", breach.broken.message, breach.world.last_steps());
                broken.push(*seed);
            }
        }
    }

    println!("{} days, {faults} faults, {calls} of them in calls", seeds.len());
    assert!(broken.is_empty(), "with faults of ours these days broke a law: {broken:?}");
    assert!(faults >= 2 * seeds.len() && calls * 3 >= seeds.len(), "{faults} faults, {calls} in calls");
}
