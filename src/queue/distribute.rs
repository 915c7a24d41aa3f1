//! Who is served next, by whom ("Order of service" in model.md).
//!
//! All lines are walked together in order of service. The first entry whose gates pass and for which a ready agent
//! of its queue is left gets the longest-idle one. An entry that cannot be served now (not due, held, its agents
//! busy) is passed over and keeps its place. The same lines, agents and gates give the same pick, always.

use super::line::{Entry, Key, Kind, Line, Standing};
use crate::id::{Name, Ticket};
use crate::time::Tick;
use std::iter::Peekable;

/// A ready agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idle {
    /// Who.
    pub agent: Name,
    /// Since when (`agent::Agent::idle_since`).
    pub since: Tick,
}

/// A line and the agents of its queue that are ready, in any order.
#[derive(Clone, Debug)]
pub struct Served<'a> {
    /// The line.
    pub line: &'a Line,
    /// Members of its queue that may be offered a call now.
    pub ready: Vec<Idle>,
}

/// What only the switch knows.
pub trait Gates {
    /// Whether the entry may be served at all now: a promise is due, below its caps, its number in no call.
    fn open(&self, queue: &Name, entry: &Entry) -> bool;

    /// Whether this agent suits this entry: nobody is called back to his own extension.
    fn suits(&self, entry: &Entry, agent: &Name) -> bool;
}

/// One match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pick {
    /// The queue.
    pub queue: Name,
    /// The place in line.
    pub ticket: Ticket,
    /// Caller or promise.
    pub kind: Kind,
    /// Who serves.
    pub agent: Name,
}

/// The next match, or none. Ask again after each one until there is none: a pick does not reserve.
pub fn next(lines: &[Served<'_>], now: Tick, gates: &impl Gates) -> Option<Pick> {
    // Sorted once: longest idle first, by name when two became idle in one event.
    let mut walks: Vec<Walk<'_, _>> = lines
        .iter()
        .filter(|served| !served.ready.is_empty())
        .map(|served| {
            let mut ready = served.ready.clone();
            ready.sort_by(|a, b| a.since.cmp(&b.since).then_with(|| a.agent.cmp(&b.agent)));
            Walk { queue: served.line.queue(), ready, entries: served.line.iter().peekable() }
        })
        .collect();
    while let Some((queue, ready, entry)) = first(&mut walks) {
        if entry.standing != Standing::Open || !gates.open(queue, entry) {
            continue;
        }
        let suits = |idle: &&Idle| entry.admits(&idle.agent, now) && gates.suits(entry, &idle.agent);
        if let Some(idle) = ready.iter().find(suits) {
            return Some(Pick {
                queue: queue.clone(),
                ticket: entry.ticket,
                kind: entry.kind,
                agent: idle.agent.clone(),
            });
        }
    }
    None
}

struct Walk<'a, I: Iterator<Item = &'a Entry>> {
    queue: &'a Name,
    ready: Vec<Idle>,
    entries: Peekable<I>,
}

/// The entry with the smallest key of all walks, taken from its walk.
fn first<'w, 'a, I: Iterator<Item = &'a Entry>>(
    walks: &'w mut [Walk<'a, I>],
) -> Option<(&'a Name, &'w [Idle], &'a Entry)> {
    let mut best: Option<(Key, usize)> = None;
    for (at, walk) in walks.iter_mut().enumerate() {
        if let Some(entry) = walk.entries.peek()
            && best.is_none_or(|(key, _)| entry.key < key)
        {
            best = Some((entry.key, at));
        }
    }
    let walk = &mut walks[best?.1];
    let entry = walk.entries.next().expect("it was peeked at");
    Some((walk.queue, &walk.ready, entry))
}
