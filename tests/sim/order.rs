//! Law 4: among those who may be served, who came earlier is served earlier. Watched at the instant a phone of an agent
//! begins to ring, with what the switch has said of who waits.

use super::disk::Disk;
use super::passed::Gates;
use ringback::callback::task::{CloseReason, Task};
use ringback::id::{CallRef, Name, TaskId};
use ringback::settings::{DidPattern, ListKind, Queue, Settings};
use ringback::switch::event::Event;
use ringback::switch::{AgentRecord, Change};
use ringback::time::{DateTime, Tick, Utc};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Who waits since when.
#[derive(Default)]
pub struct Order {
    queues: BTreeMap<Name, Members>,
    callers: BTreeMap<CallRef, String>,
    waiting: BTreeMap<CallRef, Place>,
    /// The place of those who were promised a call, and keep it.
    promised: BTreeMap<String, Place>,
    tasks: BTreeMap<TaskId, String>,
    /// Who is out of a line in this instant: his place there, if it turns out that he has dropped.
    leaving: Option<(Tick, CallRef, Place)>,
    /// Since when those have waited who have dropped, and until when they may come back to their place.
    left: BTreeMap<(Name, String), (Tick, Tick)>,
    /// Since when calls wait, or when they began, and since when those have waited who were missed and are to be called
    /// back.
    begun: BTreeMap<CallRef, Tick>,
    /// Calls of an earlier life: who comes into line again has his old place.
    earlier: BTreeSet<CallRef>,
    /// Those of them who were in line, until they are heard again: nobody rings for them before.
    unheard: BTreeSet<CallRef>,
    missed: BTreeMap<(Name, String), Tick>,
    /// Agents who have let this caller ring or declined: the next one is asked.
    refused: BTreeSet<(String, String)>,
    /// Numbers that only these extensions serve.
    exclusive: Vec<(DidPattern, BTreeSet<String>)>,
    /// What holds promises back, for `passed`.
    pub gates: Gates,
}

#[derive(Default)]
struct Members {
    weight: u8,
    resume_within: Duration,
    /// Name and extension.
    agents: BTreeMap<Name, String>,
}

/// Where somebody stands: order holds within a class, and among the queues of one agent the heavier goes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    class: u8,
    weight: Reverse<u8>,
    since: Tick,
    queue: Name,
    /// When this call came into the line, whatever place it was given there.
    joined: Tick,
}

impl Order {
    pub fn new(settings: &Settings) -> Order {
        let mut order = Order::default();
        order.on_edition(settings);
        order
    }

    /// Lines and their agents are others now.
    pub fn on_edition(&mut self, settings: &Settings) {
        let extension = |agent: &Name| settings.agent(agent).map(|agent| agent.extension.to_string());
        let members = |queue: &Queue| Members {
            weight: queue.weight,
            resume_within: queue.resume_within,
            agents: queue
                .members
                .iter()
                .filter_map(|member| Some((member.agent.clone(), extension(&member.agent)?)))
                .collect(),
        };
        self.queues = settings.queues.iter().map(|queue| (queue.name.clone(), members(queue))).collect();
        let exclusive = settings.number_lists.iter().filter_map(|entry| match &entry.kind {
            ListKind::Exclusive(agents) => Some((entry.pattern.clone(), agents.iter().filter_map(extension).collect())),
            _ => None, // Other lists exclude nobody.
        });
        self.exclusive = exclusive.collect();
        self.gates.on_edition(settings);
    }

    /// Nobody waits until the next life says so; promises keep their places, those who have dropped do not.
    pub fn on_crash(&mut self) {
        self.earlier = self.begun.keys().copied().collect();
        self.unheard.extend(std::mem::take(&mut self.waiting).into_keys());
        self.left.clear();
        self.gates.on_crash();
    }

    /// Somebody joins or leaves the line.
    pub fn on_event(&mut self, now: Tick, event: &Event, disk: &Disk) {
        self.gates.on_event(now, event);
        match event {
            Event::CallArrived { call, from, .. } => {
                self.callers.insert(*call, from.clone());
                self.begun.insert(*call, now);
            }
            Event::CallQueued { call, queue, priority, .. } => {
                let weight = Reverse(self.queues.get(queue).map_or(0, |queue| queue.weight));
                let at = (queue.clone(), self.callers.get(call).cloned().unwrap_or_default());
                let left = self.left.remove(&at).filter(|(_, until)| now < *until).map(|(since, _)| since);
                let again = self.begun.get(call).copied().filter(|_| self.earlier.remove(call));
                let since = [left, again, self.missed.remove(&at)].into_iter().flatten().fold(now, Tick::min);
                self.begun.insert(*call, since);
                self.waiting
                    .insert(*call, Place { class: *priority, weight, since, queue: queue.clone(), joined: now });
            }
            Event::CallAbandoned { call, .. } => {
                self.leaving = self.waiting.remove(call).map(|place| (now, *call, place));
            }
            Event::MissedCallStored { call, task, queue, number } => {
                let since = self.begun.get(call).copied().unwrap_or(now);
                self.tasks.insert(*task, number.clone());
                let at = (queue.clone(), number.clone());
                self.missed.entry(at).and_modify(|before| *before = since.min(*before)).or_insert(since);
            }
            Event::CallbackCancelled { task, reason } => {
                // Whoever calls himself takes his place along.
                if !matches!(reason, CloseReason::CustomerCalled | CloseReason::Merged)
                    && let Some(number) = self.tasks.get(task)
                {
                    self.missed.retain(|(_, of), _| of != number);
                }
            }
            Event::CallTakenUp { call } => {
                self.unheard.remove(call);
                self.waiting.entry(*call).and_modify(|place| place.joined = now); // His turn may come from here on.
            }
            Event::CallAnswered { call, .. } => drop(self.waiting.remove(call)),
            Event::CallEnded { call, cause } => self.on_call_ended(now, call, cause),
            Event::CallbackRequested { task, queue, number } => {
                self.tasks.insert(*task, number.clone());
                // He may have named another number than his own.
                let asked = disk.tasks.get(task).and_then(|task| task.origin_call);
                if let Some(place) = asked.and_then(|call| self.waiting.remove(&call)) {
                    let class = disk.tasks.get(task).map_or(place.class, |task| task.priority);
                    // The profile may send him to another line.
                    let weight = Reverse(self.queues.get(queue).map_or(0, |queue| queue.weight));
                    let queue = queue.clone();
                    self.promised.entry(number.clone()).or_insert(Place { class, weight, queue, ..place });
                } else {
                    // A program has asked for it: his place begins now, or when it says.
                    let later = disk.tasks.get(task).map(|task| task.virtual_start - task.created_at);
                    let since = now + later.and_then(|later| later.to_std().ok()).unwrap_or_default();
                    self.missed.entry((queue.clone(), number.clone())).or_insert(since);
                }
            }
            // A cancelled one may have given its place to a call of the same customer.
            Event::CallbackCompleted { task, .. }
            | Event::CallbackFailed { task, .. }
            | Event::CallbackExpired { task } => {
                if let Some(number) = self.tasks.remove(task) {
                    self.promised.remove(&number);
                    self.missed.retain(|(_, of), _| *of != number);
                }
            }
            _ => {} // Nothing to do with the line.
        }
    }

    /// Whom we have sent on or away, or who has left by key, comes back to no place.
    fn on_call_ended(&mut self, now: Tick, call: &CallRef, cause: &str) {
        self.waiting.remove(call);
        let leaving = self.leaving.take().filter(|(at, who, _)| (*at, who) == (now, call));
        if let (Some((_, _, place)), "abandoned" | "signalling_lost") = (leaving, cause) {
            let within = self.queues.get(&place.queue).map_or(Duration::ZERO, |queue| queue.resume_within);
            let number = self.callers.get(call).cloned().unwrap_or_default();
            self.left.insert((place.queue, number), (place.since, now + within));
        }
    }

    /// Something is said to a caller. Who hears that his promise stands, with another number or as it was, has it
    /// instead of a place.
    pub fn on_said(&mut self, number: &str, clips: &[Name]) {
        let has = |word: &str| clips.iter().any(|clip| clip.ends_with(word));
        if has("pending_changed") || (has("pending_kept") && !has("back_to_hold")) {
            let callers = &self.callers;
            self.waiting.retain(|call, _| callers.get(call).is_none_or(|caller| caller != number));
        }
    }

    /// A promise has got another number.
    pub fn on_renumbered(&mut self, old: &str, task: &Task) {
        let number = task.number.to_string();
        if let Some(place) = self.promised.remove(old) {
            self.promised.insert(number.clone(), place);
        }
        self.tasks.insert(task.id, number);
    }

    /// An agent did not take this caller.
    pub fn on_refused(&mut self, extension: &str, number: &str) {
        self.refused.insert((extension.to_owned(), number.to_owned()));
    }

    /// `extension` is about to ring for `number`, which was `decided` then; for `rung` some phone rings already.
    pub fn before_agent(
        &self,
        (decided, utc): (Tick, DateTime<Utc>),
        extension: &str,
        number: &str,
        rung: &BTreeSet<&str>,
        disk: &Disk,
    ) {
        let of = |call: &CallRef| self.callers.get(call).map_or("", String::as_str);
        let mut live = self.waiting.iter().filter(|(call, _)| of(call) == number).map(|(_, place)| place).peekable();
        let is_theirs = live.peek().is_none() || self.may_have(extension, number);
        assert!(is_theirs, "{extension} rings for {number}, who is others' alone");
        let Some(mine) = live.chain(self.promised.get(number)).min() else { return };
        // A callback that his is now may stand in a better class than the one he had asked for.
        let his = disk.tasks.values().filter(|task| task.state.is_live() && task.number.as_str() == number);
        let class = his.map(|task| task.priority).fold(mine.class, u8::min);
        // A promise is on its way to the disk, or one that he has is written anew.
        let tasks = changes(disk).filter_map(|change| match change {
            Change::PutTask(task) => Some(task),
            _ => None, // Nobody's promise.
        });
        let tasks: Vec<_> = tasks.collect();
        let deciding = |call: &CallRef| {
            let is_his = |task: &Task| match disk.tasks.get(&task.id) {
                None => task.origin_call == Some(*call),
                Some(before) => before.number.as_str() == of(call) && !before.state.is_final(),
            };
            tasks.iter().any(|task| is_his(task))
        };
        let earlier = self.waiting.iter().find(|(call, place)| {
            let who = of(call);
            (place.class, place.weight, place.since) < (class, mine.weight, mine.since)
                && place.joined < decided // At the same instant he rang elsewhere already.
                && self.serves(extension, &place.queue, disk)
                && self.may_have(extension, who)
                && who != number
                && !rung.contains(who)
                && !deciding(call)
                && !self.unheard.contains(call)
                && !self.refused.contains(&(extension.to_owned(), who.to_owned()))
        });
        let earlier = earlier.map(|(call, place)| (of(call), place));
        assert!(earlier.is_none(), "law 4: {extension} rings for {number} ({mine:?}) before {earlier:?}");
        if self.waiting.values().any(|place| place == mine) {
            self.no_promise_is_passed((decided, utc), extension, number, mine, rung, disk);
        }
    }

    /// A caller who came later is served before no promise that nothing holds back.
    fn no_promise_is_passed(
        &self,
        (decided, utc): (Tick, DateTime<Utc>),
        extension: &str,
        number: &str,
        mine: &Place,
        rung: &BTreeSet<&str>,
        disk: &Disk,
    ) {
        let passed = self.promised.iter().find(|(who, place)| {
            (place.class, place.weight, place.since) < (mine.class, mine.weight, mine.since)
                && (&place.queue, *who != number) == (&mine.queue, true)
                && !rung.contains(who.as_str())
                && self.serves(extension, &place.queue, disk)
                && !self.refused.contains(&(extension.to_owned(), (*who).clone()))
                && self.gates.has_lines(rung.len())
                && self.gates.let_through(decided, utc, who, &place.queue, disk)
        });
        assert!(passed.is_none(), "law 4: {extension} rings for {number} ({mine:?}) before the promise {passed:?}");
    }

    fn may_have(&self, extension: &str, number: &str) -> bool {
        let agents = self.exclusive.iter().find(|(pattern, _)| ringback::policy::matches(pattern, number));
        agents.is_none_or(|(_, agents)| agents.contains(extension))
    }

    /// Whether an agent takes calls of this queue, as far as it has not chosen otherwise.
    fn serves(&self, extension: &str, queue: &Name, disk: &Disk) -> bool {
        let agents = self.queues.get(queue).map(|queue| &queue.agents);
        let Some((agent, _)) = agents.into_iter().flatten().find(|(_, at)| at.as_str() == extension) else {
            return false;
        };
        let out = |record: &AgentRecord| {
            record.agent == *agent && (record.not_in.contains(queue) || record.not_ready_in.contains(queue))
        };
        let chosen_now = changes(disk).any(|change| matches!(change, Change::PutAgent(record) if out(record)));
        !chosen_now && !disk.agents.get(agent).is_some_and(out)
    }
}

fn changes(disk: &Disk) -> impl Iterator<Item = &Change> {
    disk.pending.iter().flat_map(|(_, changes)| changes)
}
