//! Reading all records: from key and value to what the switch starts with.

use super::keys;
use super::record::{self, Damage};
use super::state::Digest;
use crate::callback::task::Task;
use crate::id::TaskId;
use crate::limits::REMEMBERED;
use crate::switch::Restored;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;

/// A record that cannot be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    /// Where it lies.
    pub key: String,
    /// What lies there.
    pub value: Vec<u8>,
    /// What is wrong with it.
    pub damage: Damage,
}

/// What all records together say.
#[derive(Default)]
pub struct Reading {
    /// For the switch.
    pub restored: Restored,
    /// The numbers that open attempts are calling.
    pub open: HashMap<String, keys::Active>,
    /// Keys of marks that no open attempt owns: they would keep a number from being called for ever.
    pub stale: Vec<String>,
    /// Not believed, and left out.
    pub bad: Vec<Bad>,
    /// Of all records, bad ones included.
    pub digest: Digest,
    marks: Vec<(String, keys::Active)>,
    system: Vec<crate::switch::SystemRecord>,
}

impl Reading {
    /// Reads every record once.
    pub fn of(records: impl Iterator<Item = io::Result<(String, Vec<u8>)>>) -> io::Result<Reading> {
        let mut reading = Reading::default();
        for record in records {
            let (key, value) = record?;
            reading.digest.add(&key, &value);
            reading.take(key, value);
        }
        reading.finish();
        Ok(reading)
    }

    fn take(&mut self, key: String, value: Vec<u8>) {
        let kind = key.split_inclusive('/').next().unwrap_or_default();
        let restored = &mut self.restored;
        let taken = match kind {
            keys::TASK => read(&key, &value, &mut restored.tasks),
            keys::ATTEMPT => read(&key, &value, &mut restored.attempts),
            keys::BINDING => read(&key, &value, &mut restored.bindings),
            keys::AGENT => read(&key, &value, &mut restored.agents),
            keys::RECORDING => read(&key, &value, &mut restored.recordings),
            keys::DO_NOT_CALL => read(&key, &value, &mut restored.do_not_call),
            keys::ENTRY => read(&key, &value, &mut restored.entries),
            keys::OBJECT => read(&key, &value, &mut restored.objects),
            keys::AUDIT => read(&key, &value, &mut restored.audit),
            keys::TALK => read(&key, &value, &mut restored.talks),
            keys::PULSES => record::decode(key.as_bytes(), &value).map(|at| restored.pulse = Some(at)),
            keys::CLOCKS => record::decode(key.as_bytes(), &value).map(|said| restored.doubt = said),
            keys::SYSTEMS => read(&key, &value, &mut self.system),
            keys::ACTIVE => record::decode(key.as_bytes(), &value).map(|mark| self.marks.push((key.clone(), mark))),
            _ => Ok(()), // A kind of a newer version: it stays where it is.
        };
        if let Err(damage) = taken {
            self.bad.push(Bad { key, value, damage });
        }
    }

    fn finish(&mut self) {
        let restored = &mut self.restored;
        restored.system = self.system.pop().unwrap_or_default();
        restored.audit = last(std::mem::take(&mut restored.audit), REMEMBERED);
        restored.tasks = forget_old(std::mem::take(&mut restored.tasks));
        let kept: HashSet<TaskId> = restored.tasks.iter().map(|task| task.id).collect();
        // An open attempt is handed back even when its task cannot be read: its customer may be ringing.
        restored.attempts.retain(|attempt| kept.contains(&attempt.task) || attempt.outcome.is_none());
        let open = restored.attempts.iter().filter(|attempt| attempt.outcome.is_none());
        let owned: HashMap<String, keys::Active> =
            open.map(|attempt| (keys::active(&attempt.number), keys::Active::of(attempt))).collect();
        for (key, mark) in std::mem::take(&mut self.marks) {
            if owned.get(&key) == Some(&mark) {
                self.open.insert(key, mark);
            } else {
                self.stale.push(key);
            }
        }
    }

    /// How many records were believed.
    pub fn believed(&self) -> usize {
        self.digest.count as usize - self.bad.len()
    }
}

fn read<T: DeserializeOwned>(key: &str, value: &[u8], into: &mut Vec<T>) -> Result<(), Damage> {
    into.push(record::decode(key.as_bytes(), value)?);
    Ok(())
}

/// The last so many of a list.
fn last<T>(mut all: Vec<T>, most: usize) -> Vec<T> {
    all.split_off(all.len().saturating_sub(most))
}

/// Closed tasks are kept for people to look at; the newest are enough for that.
fn forget_old(tasks: Vec<Task>) -> Vec<Task> {
    let closed = tasks.iter().filter(|task| task.state.is_final());
    let mut ages: BTreeMap<_, _> = closed.map(|task| ((task.closed_at, task.id), ())).collect();
    while ages.len() > REMEMBERED {
        ages.pop_first();
    }
    tasks.into_iter().filter(|task| !task.state.is_final() || ages.contains_key(&(task.closed_at, task.id))).collect()
}
