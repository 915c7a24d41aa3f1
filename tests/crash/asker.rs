//! A program that asks for callbacks over the API.

use crate::ledger::Word;
use crate::process::Switch;
use crate::world::World;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Numbers that were asked for, of all worlds: each is asked for once.
static ASKED: AtomicU64 = AtomicU64::new(0);

/// Asks for callbacks until one is not answered, or so many were; how many were refused. Every eighth is for agents.
pub fn ask(world: &World, switch: &Switch, most: u64, pause: Duration) -> u64 {
    let (mut refused, mut api) = (0, switch.api());
    for _ in 0..most {
        let n = ASKED.fetch_add(1, Ordering::Relaxed);
        let number = format!("+1415{:07}", 2_000_000 + n % 7_990_000);
        let (queue, profile) = if n.is_multiple_of(8) { ("support", "standard") } else { ("later", "later") };
        let body = format!(r#"{{"number":"{number}","queue":"{queue}","profile":"{profile}"}}"#);
        world.ledger().asks(&number);
        match api.json("POST", "/callbacks", &body) {
            Some((201, task)) => world.ledger().promised(&number, task["id"].as_str(), Word::Answered),
            Some((503, _)) => refused += 1,
            Some((status, answer)) => panic!("{number}: {status} {answer}"),
            None => break,
        }
        std::thread::sleep(pause);
    }
    refused
}

/// Hears of promises among the events, until the process is gone.
pub fn listen(world: &World, switch: &Switch) {
    switch.api().listen(|kind, data| {
        if kind == "callback.requested"
            && let Some(number) = data["number"].as_str()
        {
            world.ledger().promised(number, data["callback"].as_str(), Word::Event);
        }
    });
}
