//! Who is served next, by whom ("Order of service" in model.md).
//!
//! All lines are walked together in order of service: by priority class, then the heavier queue, then who came
//! earlier. The first entry whose gates pass and for which a ready agent is left gets whom its queue's strategy picks.
//! An entry that cannot be served now (held, its number busy, its agents busy) is passed over and keeps its place. The
//! same lines, agents and gates give the same pick, always.

use super::line::{Entry, Key, Kind, Line, Standing};
use super::strategy::{Idle, Turn};
use crate::id::{Name, Ticket};
use crate::time::Tick;
use std::cmp::Reverse;
use std::iter::Peekable;

/// A line and the agents of its queue that are ready, in any order.
#[derive(Clone, Debug)]
pub struct Served<'a> {
    /// The line.
    pub line: &'a Line,
    /// Members of its queue that may be offered a call now.
    pub ready: Vec<Idle>,
    /// How the queue picks among them.
    pub turn: Turn,
    /// `queue.weight`: within a priority class the heavier queue is served first.
    pub weight: u8,
    /// Whether any promise may be served at all: what shuts them all is asked once, not of each.
    pub promises: bool,
}

/// What only the switch knows.
pub trait Gates {
    /// Whether the entry may be served at all now: a promise is due, below its caps, its number in no call.
    fn open(&self, queue: &Name, entry: &Entry) -> bool;

    /// Whether this agent suits this entry: nobody is called back to his own extension, some numbers are served by
    /// some agents only, and some callbacks yield to whoever waits for this agent on the phone.
    fn suits(&self, entry: &Entry, agent: &Name) -> bool;

    /// Who alone may serve it now, as far as they are ready, members of the queue or not; `None`: the members.
    fn owners(&self, queue: &Name, entry: &Entry) -> Option<Vec<Idle>>;

    /// Who is asked first: the agent of last time.
    fn preferred(&self, queue: &Name, entry: &Entry) -> Option<Name>;

    /// An agent who is ready may be offered an entry then that he is not offered now: worth another look.
    fn look_again(&self, at: Tick);
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
    /// Who is rung, at once; the first to answer serves. Never empty.
    pub agents: Vec<Name>,
}

/// The next match, or none. Ask again after each one until there is none: a pick does not reserve.
pub fn next(lines: &[Served<'_>], now: Tick, gates: &impl Gates) -> Option<Pick> {
    let mut walks: Vec<Walk<'_, _>> = lines
        .iter()
        .map(|served| {
            let mut ready = served.ready.clone();
            served.turn.sort(&mut ready);
            let line = served.line;
            // One of the two is empty.
            let everybody = line.candidates().take(if served.promises { usize::MAX } else { 0 });
            let callers = line.callers().take(if served.promises { 0 } else { usize::MAX });
            Walk { served, ready, entries: everybody.chain(callers).peekable() }
        })
        .collect();
    while let Some((served, members, entry)) = first(&mut walks) {
        let queue = served.line.queue();
        if entry.standing != Standing::Open || !gates.open(queue, entry) {
            continue;
        }
        let owners = gates.owners(queue, entry).map(|mut owners| {
            served.turn.sort(&mut owners);
            owners
        });
        let ready = owners.as_deref().unwrap_or(members);
        let suits = |idle: &&Idle| {
            if let Some(at) = entry.next_admission(&idle.agent, now) {
                gates.look_again(at);
            }
            entry.admits(&idle.agent, now) && gates.suits(entry, &idle.agent)
        };
        let ready: Vec<&Idle> = ready.iter().filter(suits).collect();
        let agents = served.turn.choose(entry, &ready, gates.preferred(queue, entry).as_ref());
        if !agents.is_empty() {
            return Some(Pick { queue: queue.clone(), ticket: entry.ticket, kind: entry.kind, agents });
        }
    }
    None
}

/// Priority class, the heavier queue, the place.
type Place = (u8, Reverse<u8>, Key);

struct Walk<'a, I: Iterator<Item = &'a Entry>> {
    served: &'a Served<'a>,
    ready: Vec<Idle>,
    entries: Peekable<I>,
}

/// The entry with the first place of all walks, taken from its walk.
fn first<'w, 'a, I: Iterator<Item = &'a Entry>>(
    walks: &'w mut [Walk<'a, I>],
) -> Option<(&'a Served<'a>, &'w [Idle], &'a Entry)> {
    let mut best: Option<(Place, usize)> = None;
    for (at, walk) in walks.iter_mut().enumerate() {
        if let Some(entry) = walk.entries.peek() {
            let place = (entry.key.priority, Reverse(walk.served.weight), entry.key);
            if best.is_none_or(|(before, _)| place < before) {
                best = Some((place, at));
            }
        }
    }
    let walk = &mut walks[best?.1];
    let entry = walk.entries.next().expect("it was peeked at");
    Some((walk.served, &walk.ready, entry))
}
