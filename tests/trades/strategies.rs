//! Whom a queue rings: every strategy on the same four agents, tiers, levels, and who has let it ring already.

use crate::site::{name, task_id, utc};
use ringback::id::{CallRef, Counter};
use ringback::queue::distribute::Served;
use ringback::queue::{Entry, Gates, Idle, Joining, Kind, Line, Turn, distribute};
use ringback::settings::{Pick, Strategy};
use ringback::time::Tick;
use std::collections::BTreeSet;

const NOW: Tick = Tick::from_millis(1_000_000);

struct Everybody;

impl Gates for Everybody {
    fn open(&self, _: &ringback::id::Name, _: &Entry) -> bool {
        true
    }

    fn suits(&self, _: &Entry, _: &ringback::id::Name) -> bool {
        true
    }

    fn owners(&self, _: &ringback::id::Name, _: &Entry) -> Option<Vec<Idle>> {
        None
    }

    fn preferred(&self, _: &ringback::id::Name, _: &Entry) -> Option<ringback::id::Name> {
        None
    }

    fn look_again(&self, _: Tick) {}
}

/// anna has been idle longest, ben's last call is the oldest, carl has had the fewest, dora is the most skilled.
fn four() -> Vec<Idle> {
    let agent = |who: &str, place: usize, since: u64, last_call: u64, calls_today: u32, level: u8| Idle {
        last_call: Some(Tick::from_millis(last_call)),
        calls_today,
        level,
        ..Idle::of(who, place, Tick::from_millis(since))
    };
    vec![
        agent("dora", 0, 400, 350, 4, 9),
        agent("carl", 1, 300, 250, 1, 2),
        agent("ben", 2, 200, 50, 3, 5),
        agent("anna", 3, 100, 90, 2, 5),
    ]
}

fn line() -> Line {
    let mut line = Line::new(name("support"));
    let virtual_start = utc("2026-11-02T14:00:00Z");
    let kind = Kind::Live(CallRef(task_id(1).0));
    line.join(&mut Counter::default(), Joining { kind, priority: 5, virtual_start, agent: None }).expect("room");
    line
}

fn rung(line: &Line, turn: Turn, ready: Vec<Idle>) -> Vec<String> {
    let served = [Served { line, ready, turn, weight: 0, promises: true }];
    let pick = distribute::next(&served, NOW, &Everybody).expect("somebody is ready");
    pick.agents.iter().map(ToString::to_string).collect()
}

// S1.B6, S2.B3, S3.B10: each strategy picks the documented agent of the same four.
#[test]
fn each_strategy_picks_the_agent_it_names() {
    let line = line();
    let turn = |pick| Turn::of(pick);
    let table: [(Turn, &[&str]); 8] = [
        (turn(Pick::LongestIdle), &["anna"]),
        (turn(Pick::RingAll), &["anna", "ben", "carl", "dora"]),
        (turn(Pick::LeastRecent), &["ben"]),
        (turn(Pick::FewestCalls), &["carl"]),
        (turn(Pick::Linear), &["dora"]),
        (turn(Pick::RoundRobin), &["dora"]),
        (Turn { last: Some(1), ..turn(Pick::RoundRobin) }, &["ben"]),
        (Turn { last: Some(3), ..turn(Pick::RoundRobin) }, &["dora"]),
    ];
    for (turn, expected) in table {
        assert_eq!(rung(&line, turn, four()), expected, "{turn:?}");
    }
}

// S2.B3, S5.B2: with skills the most skilled comes first, and the strategy decides among equals.
#[test]
fn the_most_skilled_come_first() {
    let line = line();
    let by_skill = |pick| Turn::of(Strategy { pick, by_skill: true });
    let without = |who: &str| four().into_iter().filter(|idle| *idle.agent != *who).collect::<Vec<_>>();

    assert_eq!(rung(&line, by_skill(Pick::LongestIdle), four()), ["dora"]);
    assert_eq!(rung(&line, by_skill(Pick::LongestIdle), without("dora")), ["anna"]);
    assert_eq!(rung(&line, by_skill(Pick::LeastRecent), without("dora")), ["ben"]);
    assert_eq!(rung(&line, by_skill(Pick::RingAll), without("dora")), ["anna", "ben"], "carl has less of it");
}

// S1.B6, S3.B10: chance is an argument; the same chance rings the same agent, and all have theirs.
#[test]
fn chance_rings_everybody_some_time_and_the_same_for_the_same_number() {
    let line = line();
    let by = |chance| rung(&line, Turn { chance, ..Turn::of(Pick::Random) }, four());

    assert_eq!(by(7), by(7));
    let met: BTreeSet<String> = (0..64).flat_map(by).collect();
    assert_eq!(met.len(), 4);
}

// S1.B10: tier 2 rings only when tier 1 is exhausted: nobody of it is ready, or all of it have let this call ring.
#[test]
fn the_second_tier_rings_when_the_first_is_exhausted() {
    let mut line = line();
    let ticket = line.iter().next().expect("an entry").ticket;
    let tiers = || {
        let mut ready = four();
        ready.iter_mut().filter(|idle| matches!(&*idle.agent, "anna" | "ben")).for_each(|idle| idle.tier = 2);
        ready
    };
    let next = |line: &Line| rung(line, Turn::of(Pick::LongestIdle), tiers());

    let mut order = Vec::new();
    for _ in 0..6 {
        let agent = next(&line).remove(0);
        line.tried(ticket, &name(&agent));
        order.push(agent);
    }

    assert_eq!(order, ["carl", "dora", "anna", "ben", "carl", "dora"]);
    assert_eq!(rung(&line, Turn::of(Pick::RingAll), tiers()), ["anna", "ben"], "the others have rung once more");
    let second: Vec<Idle> = tiers().into_iter().filter(|idle| idle.tier == 2).collect();
    assert_eq!(rung(&line, Turn::of(Pick::Linear), second), ["ben"], "nobody of the first tier is ready");
}
