//! Law 4: among those who may be served, who came earlier is served earlier. Watched at the instant a phone of an agent
//! begins to ring, with what the switch has said of who waits.

use super::disk::Disk;
use ringback::id::{CallRef, TaskId};
use ringback::switch::Change;
use ringback::switch::event::Event;
use ringback::time::Tick;
use std::collections::{BTreeMap, BTreeSet};

/// Who waits since when.
#[derive(Default)]
pub struct Order {
    /// The site has more than one priority class; order holds within each of them, which is not told apart here.
    has_classes: bool,
    callers: BTreeMap<CallRef, String>,
    waiting: BTreeMap<CallRef, Tick>,
    /// The place of those who were promised a call, and keep it.
    promised: BTreeMap<String, Tick>,
    tasks: BTreeMap<TaskId, String>,
    /// Agents who have let this caller ring or declined: the next one is asked.
    refused: BTreeSet<(String, String)>,
}

impl Order {
    pub fn new(has_classes: bool) -> Order {
        Order { has_classes, ..Order::default() }
    }

    /// Nobody waits any more; promises keep their places.
    pub fn on_crash(&mut self) {
        self.waiting.clear();
    }

    /// Somebody joins or leaves the line.
    pub fn on_event(&mut self, now: Tick, event: &Event) {
        match event {
            Event::CallArrived { call, from, .. } => drop(self.callers.insert(*call, from.clone())),
            Event::CallQueued { call, .. } => drop(self.waiting.insert(*call, now)),
            Event::CallAnswered { call, .. } | Event::CallAbandoned { call, .. } | Event::CallEnded { call, .. } => {
                self.waiting.remove(call);
            }
            Event::CallbackRequested { task, number, .. } => {
                self.tasks.insert(*task, number.clone());
                let asked = self.waiting.iter().find(|(call, _)| self.callers.get(call) == Some(number));
                if let Some((call, since)) = asked.map(|(call, since)| (*call, *since)) {
                    self.waiting.remove(&call);
                    self.promised.entry(number.clone()).or_insert(since);
                }
            }
            // A cancelled one may have given its place to a call of the same customer.
            Event::CallbackCompleted { task, .. }
            | Event::CallbackFailed { task, .. }
            | Event::CallbackExpired { task } => {
                if let Some(number) = self.tasks.remove(task) {
                    self.promised.remove(&number);
                }
            }
            _ => {} // Nothing to do with the line.
        }
    }

    /// An agent did not take this caller.
    pub fn on_refused(&mut self, extension: &str, number: &str) {
        self.refused.insert((extension.to_owned(), number.to_owned()));
    }

    /// `extension` is about to ring for `number`; for `rung` some phone rings already.
    pub fn before_agent(&self, extension: &str, number: &str, rung: &BTreeSet<&str>, disk: &Disk) {
        let of = |call: &CallRef| self.callers.get(call).map_or("", String::as_str);
        let live = self.waiting.iter().filter(|(call, _)| of(call) == number).map(|(_, since)| *since);
        let Some(place) = live.chain(self.promised.get(number).copied()).min() else { return };
        let deciding: BTreeSet<CallRef> = disk
            .pending
            .iter()
            .flat_map(|(_, changes)| changes)
            .filter_map(|change| match change {
                Change::PutTask(task) => task.origin_call,
                _ => None, // Only a task is a promise on its way.
            })
            .collect();
        let earlier = self.waiting.iter().find(|(call, since)| {
            let who = of(call);
            **since < place
                && who != number
                && !rung.contains(who)
                && !deciding.contains(call)
                && !self.refused.contains(&(extension.to_owned(), who.to_owned()))
        });
        let earlier = earlier.map(|(call, since)| (of(call), since));
        assert!(
            earlier.is_none() || self.has_classes,
            "law 4: {extension} rings for {number} ({place:?}) before {earlier:?}"
        );
    }
}
