//! What a day has beside the ordinary: callers who withhold their number or name an extension of ours, callbacks that
//! programs ask for in other words, numbers that are never to be called, agents who are logged out, and an orderly end
//! of the process before its restart.

use super::{Dice, presses};
use crate::drive::DORA;
use crate::site::{DID, secs};
use crate::world::{TRUNK, World};
use ringback::switch::command::{Command, Done, NeverCall, NewCallback};
use std::time::Duration;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub enum Lever {
    /// Dora's phone is there.
    DoraComes,
    /// He presses these keys.
    CallWithheld(usize, &'static str),
    AskLater(usize),
    AskByBen(usize),
    AskForDora,
    Postpone,
    Never(usize),
    Lift(usize),
    LogOut(&'static str),
    Drain,
}

/// Draws them, each with its instant; the last of all that is drawn for a day.
pub fn levers(dice: &mut Dice, whole: u64, customers: u64) -> Vec<(Duration, Lever)> {
    let mut levers = Vec::new();
    if dice.chance(50) {
        return levers;
    }
    let person = |dice: &mut Dice| usize::try_from(dice.between(0, customers - 1)).expect("few");
    if dice.chance(50) {
        levers.push((dice.millis(0, whole / 4), Lever::DoraComes));
    }
    for _ in 0..dice.between(1, 6) {
        let (at, who) = (dice.millis(0, whole), person(dice));
        let lever = match dice.between(0, 10) {
            0 => Lever::CallWithheld(who, "112025550177#_1"),
            1 => Lever::CallWithheld(who, "11004#_1"),
            2 => Lever::CallWithheld(who, "31004#_1"),
            3 => Lever::AskLater(who),
            4 => Lever::AskByBen(who),
            5 => Lever::AskForDora,
            6 => Lever::Postpone,
            7 => Lever::Never(who),
            8 => Lever::Lift(who),
            9 => Lever::LogOut("anna"),
            _ => Lever::LogOut("carl"),
        };
        levers.push((at, lever));
    }
    levers
}

/// One of them is pulled.
pub fn pull(world: &mut World, lever: Lever) {
    let now = world.now;
    let number = |world: &World, person: usize| world.stations[TRUNK].people[person].number.clone();
    match lever {
        Lever::DoraComes => world.stations[DORA].endpoint.register(now, 3_600),
        Lever::CallWithheld(person, keys) => {
            if !super::centre::is_engaged(world, person) {
                world.stations[TRUNK].people[person].visit.keys = presses(keys, secs(3), || secs(1));
                world.stations[TRUNK].dial_withheld(now, person, DID);
            }
        }
        Lever::AskLater(person) => {
            let not_before = Some(world.clock().utc + secs(200));
            let number = number(world, person);
            tell(world, Command::AddCallback(Box::new(NewCallback { not_before, ..wanted(number) })));
        }
        Lever::AskByBen(person) => {
            let (agent, number) = (Some("ben".to_owned()), number(world, person));
            tell(world, Command::AddCallback(Box::new(NewCallback { agent, ..wanted(number) })));
        }
        Lever::AskForDora => tell(world, Command::AddCallback(Box::new(wanted("1004".to_owned())))),
        Lever::Postpone => {
            let until = world.clock().utc + secs(300);
            let open = world.disk.tasks.values().find(|task| !task.state.is_final()).map(|task| task.id);
            if let Some(task) = open {
                tell(world, Command::PostponeCallback(task, until));
            }
        }
        Lever::Never(person) => {
            let never = never(number(world, person), "says no");
            tell(world, Command::AddDoNotCall(Box::new(never)));
        }
        Lever::Lift(person) => {
            let never = never(number(world, person), "has changed his mind");
            tell(world, Command::LiftDoNotCall(Box::new(never)));
        }
        Lever::LogOut(agent) => tell(world, Command::LogOutAgent(agent.to_owned())),
        Lever::Drain => tell(world, Command::Drain),
    }
}

fn tell(world: &mut World, command: Command) {
    if world.switch.is_some() {
        world.tell(command);
    }
}

fn wanted(number: String) -> NewCallback {
    NewCallback {
        number,
        queue: Some("support".to_owned()),
        not_before: None,
        profile: None,
        agent: None,
        data: None,
        idempotency_key: None,
    }
}

fn never(number: String, note: &str) -> NeverCall {
    let done =
        Done { who: "a person".to_owned(), from: None, what: "never call".to_owned(), object: None, detail: None };
    NeverCall { number, note: Some(note.to_owned()), done }
}
