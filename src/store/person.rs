//! All that the store holds of a person, found by his number (GDPR 15; security.md). It is read from second names of
//! the journal's files, beside the writer.

use super::journal::Journal;
use super::journal::frame::Op;
use super::open::{BACKUP, make_private_dir};
use super::{Snapshots, erase, erased, keys, record};
use crate::callback::task::{Attempt, Task};
use crate::id::{RecordingId, TaskId};
use crate::number::trace::Trace;
use crate::switch::{AuditRecord, DoNotCall, RecordingRecord};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What becomes of a record when its person is erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It goes.
    Erased,
    /// It stays without what tells of him: that something was done, not with whom; that a number is never called, not
    /// who said so and why.
    Stripped,
    /// It is the site's own, and its people's to change.
    Left,
}

/// A record that tells of him.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// Where it lies.
    pub key: String,
    /// What becomes of it when he is erased.
    pub fate: Fate,
    /// What it says.
    pub value: Value,
}

/// All that tells of a person.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Dossier {
    /// In the order of their keys.
    pub records: Vec<Found>,
}

impl Dossier {
    /// Reads all records of a running store; `spare` also keeps the number on the do-not-call list.
    pub fn of(store: &Path, snapshots: &Snapshots, trace: &Trace, spare: bool) -> io::Result<Dossier> {
        let folder = store.join("looking");
        clear(&folder)?;
        make_private_dir(&folder)?;
        let found = snapshots.take(&folder).and_then(|()| Dossier::of_journal(&folder, trace, spare));
        clear(&folder)?;
        found
    }

    /// Reads all records of a folder of checkpoints and segments.
    pub fn of_journal(folder: &Path, trace: &Trace, spare: bool) -> io::Result<Dossier> {
        let (journal, _) = Journal::look(folder)?;
        let (mut records, mut tasks) = (Vec::new(), BTreeSet::new());
        for pair in journal.state()?.1 {
            let (key, value) = pair?;
            if !trace.may_be_in(&value) && !trace.may_be_in(key.as_bytes()) {
                continue;
            }
            let Ok(said) = record::decode::<Value>(key.as_bytes(), &value) else { continue };
            if trace.is_in(&key) || tells(&said, trace) {
                tasks.extend(task_of(&key, &value));
                records.push((key, said));
            }
        }
        let known: BTreeSet<String> = records.iter().map(|(key, _)| key.clone()).collect();
        // What belongs to his callbacks is his, whatever number it names.
        for pair in if tasks.is_empty() { None } else { Some(journal.state()?.1) }.into_iter().flatten() {
            let (key, value) = pair?;
            if !known.contains(&key)
                && (is_of(&key, &value, &tasks))
                && let Ok(said) = record::decode(key.as_bytes(), &value)
            {
                records.push((key, said));
            }
        }
        records.sort_by(|(one, _), (other, _)| one.cmp(other));
        let of = |(key, value): (String, Value)| Found { fate: fate(&key, spare), key, value };
        Ok(Dossier { records: records.into_iter().map(of).collect() })
    }

    /// His callbacks.
    pub fn tasks(&self) -> Vec<TaskId> {
        self.erased(keys::TASK).filter_map(|key| key.parse().ok()).collect()
    }

    /// His recordings.
    pub fn recordings(&self) -> Vec<RecordingId> {
        self.erased(keys::RECORDING).filter_map(|key| key.parse().ok()).collect()
    }

    /// How many records have this fate.
    pub fn count(&self, fate: Fate) -> usize {
        self.records.iter().filter(|found| found.fate == fate).count()
    }

    fn erased<'a>(&'a self, kind: &'static str) -> impl Iterator<Item = &'a str> {
        let erased = self.records.iter().filter(|found| found.fate == Fate::Erased);
        erased.filter_map(move |found| found.key.strip_prefix(kind))
    }

    /// What has to be written so that none of it tells of him any more, and remembered so that no backup does.
    pub fn erasure(&self, trace: &Trace) -> Erasure {
        let names =
            self.records.iter().filter_map(|found| erased::name_of(&found.key, &found.value, found.fate)).collect();
        Erasure { ops: self.ops(trace), names }
    }

    fn ops(&self, trace: &Trace) -> Vec<Op> {
        let ops = self.records.iter().filter_map(|Found { key, fate, value }| match fate {
            Fate::Erased => Some(Op::Remove { key: key.clone() }),
            Fate::Stripped => {
                let value = stripped(key, value, trace);
                let value = record::encode(key.as_bytes(), &value);
                Some(Op::Put { key: key.clone(), value })
            }
            Fate::Left => None,
        });
        ops.collect()
    }
}

/// How a person is erased.
#[derive(Clone, Debug, PartialEq)]
pub struct Erasure {
    /// What is written.
    pub ops: Vec<Op>,
    /// What goes on the list, hashed.
    pub names: Vec<String>,
}

/// Gone already is gone.
pub(super) fn clear(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn fate(key: &str, spare: bool) -> Fate {
    match key.split_inclusive('/').next().unwrap_or_default() {
        keys::TASK | keys::ATTEMPT | keys::ACTIVE | keys::RECORDING | keys::ENTRY => Fate::Erased,
        keys::DO_NOT_CALL if !spare => Fate::Erased,
        keys::DO_NOT_CALL | keys::AUDIT => Fate::Stripped,
        keys::BINDING | keys::AGENT | keys::OBJECT | keys::SYSTEMS => Fate::Left,
        _ => Fate::Erased, // Of calls under way, as a later life would take them up.
    }
}

fn tells(value: &Value, trace: &Trace) -> bool {
    match value {
        // The digits of an instant are no number, though they may look like one.
        Value::String(text) => chrono::DateTime::parse_from_rfc3339(text).is_err() && trace.is_in(text),
        Value::Array(items) => items.iter().any(|item| tells(item, trace)),
        Value::Object(fields) => fields.iter().any(|(name, field)| trace.is_in(name) || tells(field, trace)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false, // Telephone numbers are texts.
    }
}

/// The callback that a record is, or is an attempt of.
fn task_of(key: &str, value: &[u8]) -> Option<TaskId> {
    if key.starts_with(keys::TASK) {
        return record::decode::<Task>(key.as_bytes(), value).ok().map(|task| task.id);
    }
    if key.starts_with(keys::ATTEMPT) {
        return record::decode::<Attempt>(key.as_bytes(), value).ok().map(|attempt| attempt.task);
    }
    None
}

fn is_of(key: &str, value: &[u8], tasks: &BTreeSet<TaskId>) -> bool {
    let id = |rest: &str| rest.split('/').next().and_then(|id| id.parse().ok());
    if let Some(rest) = key.strip_prefix(keys::TASK).or_else(|| key.strip_prefix(keys::ATTEMPT)) {
        return id(rest).is_some_and(|id: TaskId| tasks.contains(&id));
    }
    let task = match key.split_inclusive('/').next() {
        Some(keys::RECORDING) => record::decode::<RecordingRecord>(key.as_bytes(), value).ok().and_then(|it| it.task),
        Some(keys::ACTIVE) => record::decode::<keys::Active>(key.as_bytes(), value).ok().map(|mark| mark.task),
        Some(_) | None => None,
    };
    task.is_some_and(|task| tasks.contains(&task))
}

fn stripped(key: &str, value: &Value, trace: &Trace) -> Value {
    let written = "a record that was read can be written";
    if let (true, Ok(mut entry)) = (key.starts_with(keys::AUDIT), AuditRecord::deserialize(value)) {
        entry.forget(trace);
        return serde_json::to_value(entry).expect(written);
    }
    match DoNotCall::deserialize(value) {
        Ok(said) => serde_json::to_value(DoNotCall { task: None, who: None, note: None, ..said }).expect(written),
        Err(_) => value.clone(),
    }
}

/// Second names of the journal's files, for as long as they are read, and what is made of them; and what is on its way
/// out.
pub(super) fn passing(store: &Path) -> [PathBuf; 5] {
    [BACKUP, "looking", erase::BASE, erase::FRESH, erase::GONE].map(|name| store.join(name))
}
