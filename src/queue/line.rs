//! The line of one queue: everybody who waits, live callers and promises alike, in order of service.
//!
//! The order is (priority, `virtual_start`, ticket): nobody overtakes within a priority (law 4). A caller who takes
//! a callback leaves the phone, not the line: the entry turns from live into a promise under the same ticket and key,
//! and may turn back when the customer rings in. Lines are restored from the open tasks at start.

use crate::id::{CallRef, Counter, Name, TaskId, Ticket};
use crate::limits::QUEUE_ENTRIES;
use crate::time::{DateTime, Tick, Utc};
use std::collections::BTreeMap;

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

    /// When the first exclusion that ends by itself ends: distribution is worth another look then.
    pub fn next_admission(&self, now: Tick) -> Option<Tick> {
        self.excluded.values().flatten().copied().filter(|until| *until > now).min()
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
    live: usize,
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
            live: 0,
        }
    }

    /// The queue's name.
    pub fn queue(&self) -> &Name {
        &self.queue
    }

    /// Joins; tickets of all lines come from one counter, so that a ticket names one place of the site. The limit is for
    /// callers, and callers alone count: a promise is always taken, for it was made and must be kept (law 1), and
    /// however many there are, they refuse nobody the phone.
    pub fn join(&mut self, tickets: &mut Counter, joining: Joining) -> Result<Ticket, Full> {
        match joining.kind {
            Kind::Live(_) if self.live >= self.limit => return Err(Full),
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
        self.count(joining.kind, ticket);
        let entry = Entry {
            ticket,
            kind: joining.kind,
            key,
            standing: Standing::Open,
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
        self.uncount(entry.kind);
        Some(*entry)
    }

    /// The caller hangs up on our promise (or rings in again): another kind of presence, the same place. What agents
    /// declined was that call, so it is forgotten.
    pub fn turn_into(&mut self, ticket: Ticket, kind: Kind) -> bool {
        let Some(entry) = self.entry_mut(ticket) else { return false };
        let before = std::mem::replace(&mut entry.kind, kind);
        entry.standing = Standing::Open;
        entry.excluded.clear();
        entry.tries.clear();
        self.uncount(before);
        self.count(kind, ticket);
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

    /// The place among everybody, from 1.
    pub fn position(&self, ticket: Ticket) -> Option<usize> {
        let key = self.tickets.get(&ticket)?;
        Some(self.entries.range(..=*key).count())
    }

    /// Everybody, in order of service.
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

    /// Callers on the phone.
    pub fn live(&self) -> usize {
        self.live
    }

    /// When the first of the exclusions that end by themselves ends.
    pub fn next_admission(&self, now: Tick) -> Option<Tick> {
        self.entries.values().filter_map(|entry| entry.next_admission(now)).min()
    }

    fn entry_mut(&mut self, ticket: Ticket) -> Option<&mut Entry> {
        self.entries.get_mut(self.tickets.get(&ticket)?).map(Box::as_mut)
    }

    fn count(&mut self, kind: Kind, ticket: Ticket) {
        match kind {
            Kind::Live(_) => self.live += 1,
            Kind::Promise(task) => {
                self.promises.insert(task, ticket);
            }
        }
    }

    fn uncount(&mut self, kind: Kind) {
        match kind {
            Kind::Live(_) => self.live -= 1,
            Kind::Promise(task) => {
                self.promises.remove(&task);
            }
        }
    }
}
