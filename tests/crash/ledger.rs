//! What the world outside knows of each number: that a callback was asked for, that it was promised, and when its
//! phone rang. What the switch says of itself after a crash is held against it.

use chrono::{DateTime, Utc};
use ringback::callback::task::TaskState;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    customers: BTreeMap<String, Customer>,
    /// Lives that have been killed.
    pub kills: usize,
    /// When the current life was started: what it says of earlier instants comes from the disk.
    pub born: DateTime<Utc>,
    /// Callers who have pressed the key and heard nothing yet.
    pub promising: usize,
    /// Phones of agents that are in a call.
    pub attempting: usize,
    /// How many promises were learnt of in each way.
    pub told: BTreeMap<Word, u64>,
    /// Callers who heard the apology.
    pub apologies: u64,
    /// What is heard in calls between agents and callers.
    pub line: Line,
    /// What must not be, as it happened.
    wrong: Vec<String>,
}

/// The audio of calls that last, at both ends.
#[derive(Clone, Copy, Debug, Default)]
pub struct Line {
    /// Calls that callers are in.
    pub calls: usize,
    /// Ends at which something was heard.
    pub ends: usize,
    /// Packets that came.
    pub packets: u64,
    /// The longest time without one, at any end, and at which: station and port.
    pub longest_gap: Duration,
    pub worst: (usize, u16),
}

/// How somebody outside has learnt that his callback is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Word {
    /// 201 of the API.
    Answered,
    /// `callback.requested` among the events.
    Event,
    /// The caller heard the prompt.
    Heard,
}

#[derive(Clone, Debug, Default)]
struct Customer {
    acknowledged: BTreeSet<Word>,
    /// It was when the switch was asked for what it knows.
    due: bool,
    /// Known from the API and from events.
    id: Option<String>,
    rung: Vec<Rung>,
    /// The disk has said that he was reached, or that all is over.
    succeeded: bool,
    closed: Option<String>,
    attempts: usize,
}

#[derive(Clone, Debug)]
struct Rung {
    call_id: String,
    at: DateTime<Utc>,
}

impl Line {
    /// Nothing was heard for so long at this end.
    pub fn gap(&mut self, gap: Duration, end: (usize, u16)) {
        if gap > self.longest_gap {
            (self.longest_gap, self.worst) = (gap, end);
        }
    }
}

impl Ledger {
    /// The same book, when so many more lives have been killed.
    pub fn after_kills(&self, kills: usize) -> Ledger {
        Ledger { kills: self.kills + kills, ..self.clone() }
    }

    /// Somebody is about to ask for this number, whatever becomes of it.
    pub fn asks(&mut self, number: &str) {
        self.customers.entry(number.to_owned()).or_default();
    }

    /// The promise is made: from now on it must be kept.
    pub fn promised(&mut self, number: &str, id: Option<&str>, word: Word) {
        let customer = self.customers.entry(number.to_owned()).or_default();
        if customer.acknowledged.insert(word) {
            *self.told.entry(word).or_default() += 1;
        }
        if let Some(id) = id {
            let known = customer.id.get_or_insert_with(|| id.to_owned());
            if known != id {
                self.wrong.push(format!("{number} is promised as {known} and as {id}"));
            }
        }
    }

    /// A phone rings. `live`: other calls of ours at it that have not ended.
    pub fn rings(&mut self, number: &str, call_id: &str, live: usize) {
        let Some(customer) = self.customers.get_mut(number) else {
            return self.wrong.push(format!("{number} rings, and nobody has asked for it"));
        };
        if live > 0 {
            self.wrong.push(format!("{number} is rung {} times at once", live + 1));
        }
        if customer.succeeded {
            self.wrong.push(format!("{number} is rung again after a success: {:?}", customer.rung));
        }
        if !customer.rung.iter().any(|rung| rung.call_id == call_id) {
            customer.rung.push(Rung { call_id: call_id.to_owned(), at: Utc::now() });
        }
    }

    /// How many promises somebody knows of.
    pub fn promises(&self) -> usize {
        self.customers.values().filter(|customer| !customer.acknowledged.is_empty()).count()
    }

    /// How many phones were rung.
    pub fn rung(&self) -> usize {
        self.customers.values().map(|customer| customer.rung.len()).sum()
    }

    /// How many callbacks the disk calls reached.
    pub fn succeeded(&self) -> usize {
        self.customers.values().filter(|customer| customer.succeeded).count()
    }

    /// The switch is about to be asked for what it knows: whatever is promised from now on may miss in its answer.
    pub fn close(&mut self) {
        self.customers.values_mut().for_each(|customer| customer.due = !customer.acknowledged.is_empty());
    }

    /// Holds every callback that a switch knew when the book was closed against what was told and seen outside.
    pub fn check(&mut self, all: &[Value]) -> Result<(), String> {
        if let Some(wrong) = self.wrong.first() {
            return Err(wrong.clone());
        }
        let mut found: BTreeMap<&str, &Value> = BTreeMap::new();
        let mut states: BTreeMap<&str, usize> = BTreeMap::new();
        for task in all {
            let number = task["number"].as_str().unwrap_or_default();
            if found.insert(number, task).is_some() {
                return Err(format!("{number} is there twice"));
            }
            *states.entry(task["state"].as_str().unwrap_or_default()).or_default() += 1;
        }
        // made = completed + failed + expired + cancelled + open: no other state, and nothing nobody asked for.
        if let Some(state) = states.keys().find(|state| !TaskState::WORDS.contains(state)) {
            return Err(format!("{state:?} is no state"));
        }
        let strangers: BTreeSet<_> = found.keys().filter(|number| !self.customers.contains_key(**number)).collect();
        if !strangers.is_empty() {
            return Err(format!("nobody has asked for {strangers:?}"));
        }
        let (kills, born) = (self.kills, self.born);
        for (number, customer) in &mut self.customers {
            match found.get(number.as_str()) {
                Some(task) => {
                    customer.check(task, kills, born).map_err(|wrong| format!("{number}: {wrong}: {task}"))?
                }
                None if customer.due => {
                    return Err(format!("{number} was promised and is gone: {customer:?}"));
                }
                None if !customer.rung.is_empty() => {
                    return Err(format!("{number} was rung for nothing that is known"));
                }
                None => {} // It was asked for, and the process died before it was promised.
            }
        }
        Ok(())
    }
}

impl Customer {
    fn check(&mut self, task: &Value, kills: usize, born: DateTime<Utc>) -> Result<(), &'static str> {
        let id = task["id"].as_str().unwrap_or_default();
        if self.id.get_or_insert_with(|| id.to_owned()) != id {
            return Err("it is another callback than was promised");
        }
        let state = TaskState::ALL.into_iter().find(|it| task["state"] == it.word());
        if state.is_some_and(TaskState::is_final) == task["close_reason"].is_null() {
            return Err("its state and its end do not agree");
        }
        let attempts = task["attempts"].as_array().map(Vec::as_slice).unwrap_or_default();
        if attempts.iter().zip(1u64..).any(|(attempt, n)| attempt["n"] != n) {
            return Err("its attempts are not numbered one by one");
        }
        let open = attempts.iter().filter(|attempt| attempt["outcome"].is_null()).count();
        if open > 1 || open == 1 && attempts.last().is_some_and(|attempt| !attempt["outcome"].is_null()) {
            return Err("more than its last attempt is open");
        }
        if attempts.iter().filter(|attempt| attempt["outcome"] == "system_restart").count() > kills {
            return Err("a kill has cost it more than one attempt");
        }
        self.check_rings(attempts, born)?;
        self.check_time(task, attempts, born)
    }

    /// Before a phone rings the attempt is on the disk, and one attempt is one call at most (one trunk, one caller ID).
    fn check_rings(&self, attempts: &[Value], born: DateTime<Utc>) -> Result<(), &'static str> {
        let known: Vec<&str> =
            attempts.iter().filter_map(|attempt| attempt["customer_leg"]["dialog"]["call_id"].as_str()).collect();
        let before = self.rung.iter().filter(|rung| rung.at < born);
        if before.clone().any(|rung| !known.contains(&rung.call_id.as_str())) {
            return Err("a phone was rung in an attempt that is not on the disk");
        }
        if before.count() > attempts.len() {
            return Err("it was rung more often than it was tried");
        }
        Ok(())
    }

    /// What the disk has said once it says again.
    fn check_time(&mut self, task: &Value, attempts: &[Value], born: DateTime<Utc>) -> Result<(), &'static str> {
        let state = task["state"].as_str().unwrap_or_default();
        if self.closed.as_deref().is_some_and(|closed| closed != state) {
            return Err("it was closed otherwise before");
        }
        if attempts.len() < self.attempts {
            return Err("an attempt is gone");
        }
        let is_old = |at: &Value| {
            let at = at.as_str().and_then(|text| text.parse::<DateTime<Utc>>().ok());
            at.is_some_and(|at| at < born)
        };
        self.attempts = attempts.iter().filter(|attempt| is_old(&attempt["loaded_at"])).count();
        if is_old(&task["closed_at"]) {
            self.closed = Some(state.to_owned());
        }
        let reached = |attempt: &Value| attempt["outcome"] == "success" && is_old(&attempt["ended_at"]);
        self.succeeded |= attempts.iter().any(reached) || self.closed.is_some();
        Ok(())
    }
}
