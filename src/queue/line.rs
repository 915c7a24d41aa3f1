//! The line of one queue: everybody who waits, live callers and promises alike, in order of service.
//!
//! The order is (priority, `virtual_start`, ticket): nobody overtakes within a priority (law 4). A caller who takes
//! a callback leaves the phone, not the line: the entry turns from live into a promise under the same ticket and key,
//! and may turn back when the customer rings in. Lines are restored from the open tasks at start.
//!
//! Every open promise stands here, so that it finds its old place when its time comes; but only those that are due
//! are before anybody ("candidates" in model.md). Positions count callers and due promises, and who is served is
//! looked for among them.

use super::ranks::Ranks;
use crate::id::{CallRef, Counter, Name, TaskId, Ticket};
use crate::limits::QUEUE_ENTRIES;
use crate::time::{DateTime, Tick, Utc, shifted};
use chrono::TimeDelta;
use std::collections::{BTreeMap, BTreeSet};

/// Who stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A caller on the phone.
    Live(CallRef),
    /// A promise to call back.
    Promise(TaskId),
}

/// Whether an entry may be served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// Yes, when its gates pass. A caller inside the request dialogue who has not confirmed is open, too: an
    /// agent's answer ends the prompt.
    #[default]
    Open,
    /// Keeps the place but is passed over: the request is confirmed and on its way to the disk.
    Held,
    /// An agent is reserved for it or rings.
    Offered,
}

/// What an entry asks of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Nothing: a promise whose time has not come, or which is being kept this moment. Its place is kept, and nobody
    /// waits for it.
    Later,
    /// To be served when nobody waits on the phone: a due promise that lets callers go first (S5.6).
    Yields,
    /// To be served: a caller, or a due promise.
    Now,
}

/// What joining takes.
#[derive(Clone, Debug)]
pub struct Joining {
    /// Caller or promise.
    pub kind: Kind,
    /// 1 (first) to 9; 0 with `priority_boost` (S1.5b).
    pub priority: u8,
    /// The place: when the customer first joined.
    pub virtual_start: DateTime<Utc>,
    /// Only this agent may serve it (S3.6).
    pub agent: Option<Name>,
}

/// The order of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// 0 before 1 before 9.
    pub priority: u8,
    /// Earlier before later.
    pub virtual_start: DateTime<Utc>,
    /// As they came, when everything else is equal.
    pub ticket: Ticket,
}

/// One place in line.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name; it stays when a caller becomes a promise.
    pub ticket: Ticket,
    /// Caller or promise.
    pub kind: Kind,
    /// Its place.
    pub key: Key,
    /// Whether it may be served.
    pub standing: Standing,
    /// Whether its turn may come.
    pub claim: Claim,
    /// Only this agent.
    pub agent: Option<Name>,
    excluded: BTreeMap<Name, Option<Tick>>,
    tries: BTreeMap<Name, u32>,
}

impl Entry {
    /// Whether `agent` may be offered this entry: the owner if it has one, and not an agent that declined it.
    pub fn admits(&self, agent: &Name, now: Tick) -> bool {
        let owner = self.agent.as_ref().is_none_or(|owner| owner == agent);
        let declined = self.excluded.get(agent).is_some_and(|until| until.is_none_or(|until| until > now));
        owner && !declined
    }

    /// How often this agent has let it ring.
    pub fn tries(&self, agent: &Name) -> u32 {
        self.tries.get(agent).copied().unwrap_or(0)
    }

    /// When the exclusion of this agent ends by itself: distribution is worth another look then.
    pub fn next_admission(&self, agent: &Name, now: Tick) -> Option<Tick> {
        (*self.excluded.get(agent)?).filter(|until| *until > now)
    }
}

/// As many callers are in line as may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// The line of one queue.
#[derive(Clone, Debug)]
pub struct Line {
    queue: Name,
    limit: usize,
    /// Boxed: the nodes of the tree are half empty, and there may be a million promises.
    entries: BTreeMap<Key, Box<Entry>>,
    tickets: BTreeMap<Ticket, Key>,
    promises: BTreeMap<TaskId, Ticket>,
    callers: BTreeSet<Key>,
    /// Callers, and due promises that yield to none.
    firm: Ranks,
    /// Due promises that yield.
    yielding: Ranks,
    /// Entries that one agent alone may serve.
    owned: usize,
}

impl Line {
    /// An empty line.
    pub fn new(queue: Name) -> Line {
        Line {
            queue,
            limit: QUEUE_ENTRIES,
            entries: BTreeMap::new(),
            tickets: BTreeMap::new(),
            promises: BTreeMap::new(),
            callers: BTreeSet::new(),
            firm: Ranks::default(),
            yielding: Ranks::default(),
            owned: 0,
        }
    }

    /// The queue's name.
    pub fn queue(&self) -> &Name {
        &self.queue
    }

    /// Joins; tickets of all lines come from one counter, so that a ticket names one place of the site. The limit is
    /// for callers, and callers alone count: a promise is always taken, for it was made and must be kept (law 1),
    /// and however many there are, they refuse nobody the phone. It claims nothing yet: `set_claim`.
    pub fn join(&mut self, tickets: &mut Counter, joining: Joining) -> Result<Ticket, Full> {
        match joining.kind {
            Kind::Live(_) if self.callers.len() >= self.limit => return Err(Full),
            Kind::Live(_) => {}
            Kind::Promise(task) => {
                if let Some(ticket) = self.promises.get(&task) {
                    return Ok(*ticket);
                }
            }
        }
        let ticket = Ticket(tickets.take());
        let key = Key { priority: joining.priority, virtual_start: joining.virtual_start, ticket };
        self.tickets.insert(ticket, key);
        let claim = self.count(joining.kind, key);
        self.owned += usize::from(joining.agent.is_some());
        let entry = Entry {
            ticket,
            kind: joining.kind,
            key,
            standing: Standing::Open,
            claim,
            agent: joining.agent,
            excluded: BTreeMap::new(),
            tries: BTreeMap::new(),
        };
        self.entries.insert(key, Box::new(entry));
        Ok(ticket)
    }

    /// Leaves the line for good.
    pub fn leave(&mut self, ticket: Ticket) -> Option<Entry> {
        let key = self.tickets.remove(&ticket)?;
        let entry = self.entries.remove(&key).expect("every ticket names an entry");
        self.uncount(entry.kind, entry.claim, key);
        self.owned -= usize::from(entry.agent.is_some());
        Some(*entry)
    }

    /// The caller hangs up on our promise (or rings in again): another kind of presence, the same place. What agents
    /// declined was that call, so it is forgotten. A promise claims nothing yet: `set_claim`.
    pub fn turn_into(&mut self, ticket: Ticket, kind: Kind) -> bool {
        let Some(entry) = self.entry(ticket) else { return false };
        let (key, before, claimed) = (entry.key, entry.kind, entry.claim);
        self.uncount(before, claimed, key);
        let claim = self.count(kind, key);
        if let Some(entry) = self.entry_mut(ticket) {
            entry.kind = kind;
            entry.claim = claim;
            entry.standing = Standing::Open;
            entry.excluded.clear();
            entry.tries.clear();
        }
        true
    }

    /// The time of a promise has come, or is another; callers claim their turn as long as they are here. False when it
    /// is gone.
    pub fn set_claim(&mut self, ticket: Ticket, claim: Claim) -> bool {
        let Some(entry) = self.entry_mut(ticket) else { return false };
        if matches!(entry.kind, Kind::Promise(_)) && entry.claim != claim {
            let (before, key) = (std::mem::replace(&mut entry.claim, claim), entry.key);
            if let Some(ranks) = self.ranks_of(before) {
                ranks.remove(&key);
            }
            if let Some(ranks) = self.ranks_of(claim) {
                ranks.insert(key);
            }
        }
        true
    }

    /// Whether an entry may be served. False when it is gone.
    pub fn set_standing(&mut self, ticket: Ticket, standing: Standing) -> bool {
        self.entry_mut(ticket).map(|entry| entry.standing = standing).is_some()
    }

    /// The agent declined this entry: not offered again to it, for good (`None`, live calls: S2.B11) or until then
    /// (promises: the customer is called although its only agent declined once).
    pub fn exclude(&mut self, ticket: Ticket, agent: &Name, until: Option<Tick>) -> bool {
        self.entry_mut(ticket).map(|entry| entry.excluded.insert(agent.clone(), until)).is_some()
    }

    /// The agent let it ring: others are asked before it is asked again.
    pub fn tried(&mut self, ticket: Ticket, agent: &Name) {
        if let Some(entry) = self.entry_mut(ticket) {
            *entry.tries.entry(agent.clone()).or_default() += 1;
        }
    }

    /// The entry of a ticket.
    pub fn entry(&self, ticket: Ticket) -> Option<&Entry> {
        self.entries.get(self.tickets.get(&ticket)?).map(Box::as_ref)
    }

    /// The ticket a promise stands under.
    pub fn ticket_of(&self, task: TaskId) -> Option<Ticket> {
        self.promises.get(&task).copied()
    }

    /// The place among those whose turn may come, from 1; none for a promise that claims nothing. One that yields
    /// stands behind the last caller, until he is served.
    pub fn position(&self, ticket: Ticket) -> Option<usize> {
        let entry = self.entry(ticket)?;
        let last = self.last_waiting();
        match entry.claim {
            Claim::Later => None,
            Claim::Yields => {
                let behind = last.map_or(entry.key, |last| last.max(entry.key));
                Some(self.firm.up_to(&behind) + self.yielding.up_to(&entry.key))
            }
            Claim::Now if last.is_some_and(|last| entry.key <= last) => Some(self.firm.up_to(&entry.key)),
            Claim::Now => Some(self.firm.up_to(&entry.key) + self.yielding.up_to(&entry.key)),
        }
    }

    /// The last caller to whom somebody might yield: not one who has just asked to be called back.
    fn last_waiting(&self) -> Option<Key> {
        let keys = self.callers.iter().rev().copied();
        keys.into_iter().find(|key| self.entries.get(key).is_some_and(|entry| entry.standing != Standing::Held))
    }

    /// Whether somebody waits on the phone who has not just asked to be called back.
    pub fn has_waiting(&self) -> bool {
        self.last_waiting().is_some()
    }

    /// Callers, in order of service.
    pub fn callers(&self) -> impl Iterator<Item = &Entry> {
        self.callers.iter().filter_map(|key| self.entries.get(key)).map(Box::as_ref)
    }

    /// Everybody whose turn may come, by age: callers, and promises that are due.
    pub fn candidates(&self) -> impl Iterator<Item = &Entry> {
        let (mut firm, mut yielding) = (self.firm.iter().peekable(), self.yielding.iter().peekable());
        let keys = std::iter::from_fn(move || match (firm.peek(), yielding.peek()) {
            (Some(one), Some(other)) if other < one => yielding.next(),
            (None, _) => yielding.next(),
            (Some(_), _) => firm.next(),
        });
        keys.filter_map(|key| self.entries.get(key)).map(Box::as_ref)
    }

    /// How many those are.
    pub fn waiting(&self) -> usize {
        self.firm.len() + self.yielding.len()
    }

    /// Everybody, in order of service; promises whose time has not come are among them.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().map(Box::as_ref)
    }

    /// Callers and promises.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Nobody waits and nothing is promised.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether an entry waits for one agent alone, who need not be of this queue.
    pub fn has_owned(&self) -> bool {
        self.owned > 0
    }

    /// Callers on the phone.
    pub fn live(&self) -> usize {
        self.callers.len()
    }

    /// The wall clock was set: everybody has waited as long as he has, and nobody overtakes.
    pub fn shift(&mut self, by: TimeDelta) {
        let moved = |key: &Key| Key { virtual_start: shifted(key.virtual_start, by), ..*key };
        self.callers = self.callers.iter().map(moved).collect();
        self.tickets.values_mut().for_each(|key| *key = moved(key));
        for ranks in [&mut self.firm, &mut self.yielding] {
            let keys: Vec<Key> = std::mem::take(ranks).iter().map(moved).collect();
            keys.into_iter().for_each(|key| ranks.insert(key));
        }
        let entries = std::mem::take(&mut self.entries).into_values();
        self.entries = entries
            .map(|mut entry| {
                entry.key = moved(&entry.key);
                (entry.key, entry)
            })
            .collect();
    }

    fn entry_mut(&mut self, ticket: Ticket) -> Option<&mut Entry> {
        self.entries.get_mut(self.tickets.get(&ticket)?).map(Box::as_mut)
    }

    /// Counts an entry in, by what it claims at first.
    fn count(&mut self, kind: Kind, key: Key) -> Claim {
        match kind {
            Kind::Live(_) => {
                self.callers.insert(key);
                self.firm.insert(key);
                Claim::Now
            }
            Kind::Promise(task) => {
                self.promises.insert(task, key.ticket);
                Claim::Later
            }
        }
    }

    fn uncount(&mut self, kind: Kind, claim: Claim, key: Key) {
        if let Some(ranks) = self.ranks_of(claim) {
            ranks.remove(&key);
        }
        match kind {
            Kind::Live(_) => {
                self.callers.remove(&key);
            }
            Kind::Promise(task) => {
                self.promises.remove(&task);
            }
        }
    }

    fn ranks_of(&mut self, claim: Claim) -> Option<&mut Ranks> {
        match claim {
            Claim::Later => None,
            Claim::Yields => Some(&mut self.yielding),
            Claim::Now => Some(&mut self.firm),
        }
    }
}
