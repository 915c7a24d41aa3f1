//! What was erased, for backups, which cannot be reached: its names are listed, as salted hashes, in `erased` in the
//! data directory, and `restore` leaves those records out. The list goes where the backup's key goes.
//!
//! Nobody can tell from it who that was. So no name has a number in it: a do-not-call entry goes by the instant at
//! which it was made. Where a backup has several of one instant (a list that was read in at once) none of them goes,
//! for then somebody might be called who is never to be called; they stay without who said so and why.
//!
//! The calls of a backup's instant are over. None of them comes back where anybody was erased: a caller who waited then
//! was on no list yet, and would be called back for it.

use super::checkpoint::{Checkpoint, Pair};
use super::journal::Journal;
use super::person::Fate;
use super::{keys, record};
use crate::number::trace::GONE;
use crate::switch::{AuditRecord, DoNotCall};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The list's name in the data directory.
pub const LIST: &str = "erased";

/// Under what name a record goes on the list when this becomes of it; `None`: its key has a number, and names a mark
/// that goes with its callback, or it stays as it is.
pub fn name_of(key: &str, value: &Value, fate: Fate) -> Option<String> {
    if fate == Fate::Left || key.starts_with(keys::ACTIVE) {
        return None;
    }
    let name = match key.starts_with(keys::DO_NOT_CALL) {
        true => format!("{}{}", keys::DO_NOT_CALL, value.get("at")?.as_str()?),
        false => key.to_owned(),
    };
    Some(if fate == Fate::Stripped { format!("stripped {name}") } else { name })
}

/// What was erased: nobody can tell from it what that was, but whoever has a record's key can tell that it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    salt: String,
    hashes: BTreeSet<String>,
}

impl List {
    /// The list of a data directory; empty when nothing was ever erased.
    pub fn of(data: &Path) -> io::Result<List> {
        let text = match fs::read_to_string(data.join(LIST)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(List::default()),
            read => read?,
        };
        let mut lines = text.lines().map(str::to_owned);
        Ok(List { salt: lines.next().unwrap_or_default(), hashes: lines.collect() })
    }

    /// Whether the record of this key was erased.
    pub fn has(&self, key: &str) -> bool {
        !self.hashes.is_empty() && self.hashes.contains(&self.hash(key))
    }

    /// What becomes of a record of a backup.
    fn fate(&self, key: &str, value: &[u8]) -> Fate {
        if self.hashes.is_empty() {
            return Fate::Left;
        }
        if [keys::ENTRY, keys::TALK, keys::PULSES].iter().any(|kind| key.starts_with(kind)) {
            return Fate::Erased;
        }
        let is_called = key.starts_with(keys::ACTIVE)
            && record::decode::<keys::Active>(key.as_bytes(), value).is_ok_and(|mark| self.has(&keys::task(mark.task)));
        let said = match key.starts_with(keys::DO_NOT_CALL) {
            true => record::decode(key.as_bytes(), value).unwrap_or_default(),
            false => Value::Null,
        };
        let has = |fate| name_of(key, &said, fate).is_some_and(|name| self.has(&name));
        if is_called || has(Fate::Erased) {
            return Fate::Erased;
        }
        // He may have been told of where another number was kept from being called.
        let task = said.get("task").and_then(Value::as_str);
        let is_his = task.is_some_and(|task| self.has(&format!("{}{task}", keys::TASK)));
        if is_his || has(Fate::Stripped) { Fate::Stripped } else { Fate::Left }
    }

    /// What is left of it. `many`: keys of entries that only go by a name which others have.
    fn left(&self, (key, value): Pair, many: &BTreeSet<String>) -> Option<Pair> {
        match self.fate(&key, &value) {
            Fate::Left => Some((key, value)),
            Fate::Erased if !many.contains(&key) => None,
            Fate::Erased | Fate::Stripped => {
                let value = stripped(&key, &value).unwrap_or(value);
                Some((key, value))
            }
        }
    }

    fn hash(&self, key: &str) -> String {
        hex(&Sha256::new().chain_update(&self.salt).chain_update(key).finalize()[..16])
    }

    /// Writes the list with these as well: whole, or as it was.
    pub(super) fn add(mut self, data: &Path, names: &[String]) -> io::Result<()> {
        if self.salt.is_empty() {
            let mut drawn = [0; 16];
            getrandom::fill(&mut drawn).map_err(io::Error::other)?;
            self.salt = hex(&drawn);
        }
        let more: Vec<String> = names.iter().map(|name| self.hash(name)).collect();
        self.hashes.extend(more);
        let unfinished = data.join("erased.tmp");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        let lines = std::iter::once(&self.salt).chain(&self.hashes).map(|line| format!("{line}\n"));
        file.write_all(lines.collect::<String>().as_bytes())?;
        file.sync_data()?;
        fs::rename(&unfinished, data.join(LIST))?;
        File::open(data)?.sync_all()
    }
}

/// Takes what was erased in this data directory out of a folder of checkpoints and segments; how many records are left,
/// when there were some to take out.
pub(super) fn leave_out(data: &Path, folder: &Path) -> io::Result<Option<u64>> {
    let list = List::of(data)?;
    if list.hashes.is_empty() {
        return Ok(None);
    }
    let (journal, _) = Journal::look(folder)?;
    let (mark, state) = journal.state()?;
    let (mut found, mut entries) = (0, Vec::new());
    for pair in state {
        let (key, value) = pair?;
        let fate = list.fate(&key, &value);
        found += u64::from(fate != Fate::Left);
        if fate == Fate::Erased && key.starts_with(keys::DO_NOT_CALL) {
            let said: Value = record::decode(key.as_bytes(), &value).unwrap_or_default();
            entries.push((name_of(&key, &said, fate), key));
        }
    }
    if found == 0 {
        return Ok(None);
    }
    let is_one_of_many = |name| entries.iter().filter(|(other, _)| other == name).count() > 1;
    let many = entries.iter().filter(|(name, _)| is_one_of_many(name)).map(|(_, key)| key.clone()).collect();
    let kept = journal.state()?.1.filter_map(|pair| match pair {
        Ok(pair) => list.left(pair, &many).map(Ok),
        Err(error) => Some(Err(error)),
    });
    let (checkpoint, digest) = Checkpoint::write(folder, journal.id, mark, kept)?;
    let others: Vec<PathBuf> = fs::read_dir(folder)?.map(|it| it.map(|it| it.path())).collect::<io::Result<_>>()?;
    for other in others.into_iter().filter(|other| *other != checkpoint.path) {
        fs::remove_file(other)?;
    }
    File::open(folder)?.sync_all()?;
    Ok(Some(digest.count))
}

/// The record without what may tell of somebody. It was written before he was erased, and his number is not known.
fn stripped(key: &str, value: &[u8]) -> Option<Vec<u8>> {
    if key.starts_with(keys::AUDIT) {
        let entry: AuditRecord = record::decode(key.as_bytes(), value).ok()?;
        let gone = |text: Option<String>| text.map(|_| GONE.to_owned());
        let entry = AuditRecord { object: gone(entry.object), detail: gone(entry.detail), ..entry };
        return Some(record::encode(key.as_bytes(), &entry));
    }
    let said: DoNotCall = record::decode(key.as_bytes(), value).ok()?;
    Some(record::encode(key.as_bytes(), &DoNotCall { task: None, who: None, note: None, ..said }))
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::Party;

    const AT: &str = "2026-11-20T09:00:00Z";

    fn said(number: &str, at: &str) -> Pair {
        let said = DoNotCall {
            number: Party::Number(number.into()),
            at: at.parse().unwrap(),
            task: None,
            who: Some("admin".into()),
            note: Some("angry".into()),
        };
        let key = keys::do_not_call(&said.number);
        let value = record::encode(key.as_bytes(), &said);
        (key, value)
    }

    /// What is left of these, when the first was erased, or stripped.
    fn left(fate: Fate, entries: &[Pair]) -> Vec<(String, Option<String>)> {
        let data = std::env::temp_dir().join(format!("ringback-erased-{fate:?}-{}", std::process::id()));
        let folder = data.join("journal");
        drop(fs::remove_dir_all(&data));
        fs::create_dir_all(&folder).unwrap();
        let (key, value) = &entries[0];
        let name = name_of(key, &record::decode(key.as_bytes(), value).unwrap(), fate).unwrap();
        List::default().add(&data, &[name]).unwrap();
        assert!(!fs::read_to_string(data.join(LIST)).unwrap().contains("5550123"));
        let (mut journal, _) = Journal::open(&folder, [7; 16], 10).unwrap();
        journal.checkpoint(entries.iter().cloned().map(Ok)).unwrap();

        leave_out(&data, &folder).unwrap().expect("one of them is listed");

        let (journal, _) = Journal::look(&folder).unwrap();
        let left = journal.state().unwrap().1.map(|pair| {
            let (key, value) = pair.unwrap();
            let said: DoNotCall = record::decode(key.as_bytes(), &value).unwrap();
            (said.number.to_string(), said.note)
        });
        let left = left.collect();
        fs::remove_dir_all(&data).unwrap();
        left
    }

    #[test]
    fn an_entry_goes_that_is_alone_with_its_instant_and_no_other_is_ever_called_for_it() {
        let (his, other) = (said("+12025550123", AT), said("+12025550124", "2026-11-20T09:00:01Z"));
        let kept = || ("+12025550124".to_owned(), Some("angry".to_owned()));

        assert_eq!(left(Fate::Erased, &[his.clone(), other.clone()]), [kept()]);
        assert_eq!(left(Fate::Stripped, &[his.clone(), other]), [("+12025550123".to_owned(), None), kept()]);
        let read_in = left(Fate::Erased, &[his, said("+12025550124", AT)]);
        assert_eq!(read_in, [("+12025550123".to_owned(), None), ("+12025550124".to_owned(), None)]);
    }
}
