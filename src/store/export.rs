//! The records of a store as lines of JSON, to look at with other tools, or to move to another store.
//!
//! The first line names the format, the last says how many records came before it and what they add up to; each line
//! between them is one record: `{"key":"task/…","value":{…}}`.

use super::checkpoint::Checkpoint;
use super::journal::Journal;
use super::journal::frame::Mark;
use super::lock::{Lock, LockError};
use super::open::{JOURNAL, make_private_dir, new_id};
use super::reading::Reading;
use super::state::Digest;
use super::{keys, record};
use crate::limits::JOURNAL_BODY;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead, Write};
use std::path::Path;
use std::time::Duration;

const FORMAT: &str = "ringback-store";
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct First {
    format: String,
    version: u32,
}

#[derive(Serialize, Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow)]
    value: &'a RawValue,
}

#[derive(Serialize, Deserialize)]
struct Last {
    records: u64,
    sum: u64,
}

/// Why lines are no store.
#[derive(Debug)]
pub enum ImportError {
    /// This line cannot be understood.
    Line(usize, String),
    /// The file ends before its last line, or says something else than its lines.
    Incomplete(String),
    /// The data directory has a store already.
    NotEmpty,
    /// A process works in the data directory.
    InUse,
    /// This record is not what its key says.
    Record(String),
    /// Reading or writing failed.
    Disk(io::Error),
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImportError::Line(number, why) => write!(f, "line {number}: {why}"),
            ImportError::Incomplete(why) => write!(f, "the file is not whole: {why}"),
            ImportError::NotEmpty => {
                f.write_str("there is a store in this data directory already: name an empty one with --data")
            }
            ImportError::InUse => f.write_str("a process works in this data directory: stop it first"),
            ImportError::Record(why) => f.write_str(why),
            ImportError::Disk(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ImportError {}

impl From<io::Error> for ImportError {
    fn from(error: io::Error) -> ImportError {
        ImportError::Disk(error)
    }
}

/// Writes every record of the store in `data`; `progress` hears how many there are so far.
pub fn export(data: &Path, out: &mut impl Write, mut progress: impl FnMut(u64)) -> io::Result<Digest> {
    let (journal, _) = Journal::look(&data.join("store").join(JOURNAL))?;
    let (_, pairs) = journal.state()?;
    let mut digest = Digest::default();
    write_line(out, &First { format: FORMAT.into(), version: VERSION })?;
    for pair in pairs {
        let (key, value) = pair?;
        let broken = |why: &dyn fmt::Display| io::Error::new(io::ErrorKind::InvalidData, format!("{key}: {why}"));
        let body = record::body(key.as_bytes(), &value).map_err(|damage| broken(&damage))?;
        let body = std::str::from_utf8(body).map_err(|error| broken(&error))?;
        let value: &RawValue = serde_json::from_str(body).map_err(|error| broken(&error))?;
        write_line(out, &Line { key: Cow::Borrowed(&key), value })?;
        digest.add(&key, &record::encode_body(key.as_bytes(), body.as_bytes()));
        progress(digest.count);
    }
    write_line(out, &Last { records: digest.count, sum: digest.sum })?;
    out.flush()?;
    Ok(digest)
}

fn write_line(out: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

/// Makes a store in `data`, which has none, from such lines; nothing is left of it when they are wrong.
pub fn import(data: &Path, input: impl BufRead, progress: impl FnMut(u64)) -> Result<Digest, ImportError> {
    make_private_dir(data)?;
    let _lock = Lock::take(data, Duration::ZERO).map_err(|error| match error {
        LockError::Held(_) => ImportError::InUse,
        LockError::Io(error) => ImportError::Disk(error),
    })?;
    let store = data.join("store");
    if store.exists() {
        return Err(ImportError::NotEmpty);
    }
    let made = (|| {
        make_private_dir(&store.join(JOURNAL))?;
        fill(&store.join(JOURNAL), input, progress)
    })();
    if made.is_err() {
        fs::remove_dir_all(&store)?;
    }
    File::open(data)?.sync_all()?;
    made
}

fn fill(folder: &Path, input: impl BufRead, progress: impl FnMut(u64)) -> Result<Digest, ImportError> {
    let (text, key) = (String::new(), String::new());
    let mut lines = Lines { input, number: 0, text, key, digest: Digest::default(), progress, wrong: None };
    lines.first()?;
    // What was read is the state after a first commit.
    let mark = Mark { sequence: 1, sum: 0 };
    let (checkpoint, digest) = Checkpoint::write(folder, new_id()?, mark, &mut lines)
        .map_err(|error| lines.wrong.take().unwrap_or(ImportError::Disk(error)))?;
    match Reading::of(checkpoint.records()?)?.bad.first() {
        Some(bad) => Err(ImportError::Record(format!("{}: {}", bad.key, bad.damage))),
        None => Ok(digest),
    }
}

struct Lines<R, P> {
    input: R,
    number: usize,
    text: String,
    key: String,
    digest: Digest,
    progress: P,
    wrong: Option<ImportError>,
}

impl<R: BufRead, P: FnMut(u64)> Lines<R, P> {
    fn read(&mut self) -> Result<(), ImportError> {
        self.text.clear();
        self.number += 1;
        match self.input.read_line(&mut self.text) {
            Ok(0) => Err(ImportError::Incomplete(format!("it ends at line {}", self.number - 1))),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Err(ImportError::Line(self.number, "it is no text".into()))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn first(&mut self) -> Result<(), ImportError> {
        self.read()?;
        match serde_json::from_str::<First>(&self.text) {
            Ok(first) if first.format == FORMAT && first.version == VERSION => Ok(()),
            Ok(first) => {
                let why = format!("{} {} is nothing that this version reads", first.format, first.version);
                Err(ImportError::Line(1, why))
            }
            Err(_) => Err(ImportError::Line(1, "this is no export of `ringback store export`".into())),
        }
    }

    /// `Ok(None)`: that was the last line, and all is well.
    fn record(&mut self) -> Result<Option<(String, Vec<u8>)>, ImportError> {
        self.read()?;
        let wrong = |error: serde_json::Error| ImportError::Line(self.number, error.to_string());
        if self.text.starts_with("{\"key\"") {
            let line: Line = serde_json::from_str(&self.text).map_err(wrong)?;
            let says = |why: &str| Err(ImportError::Line(self.number, why.into()));
            if line.key.len() >= usize::from(u16::MAX) || self.text.len() > JOURNAL_BODY {
                return says("it is longer than any record");
            }
            if *line.key <= *self.key || line.key.starts_with(keys::META) {
                return says("its key is none that may come here");
            }
            let value = record::encode_body(line.key.as_bytes(), line.value.get().as_bytes());
            self.key = line.key.into_owned();
            self.digest.add(&self.key, &value);
            (self.progress)(self.digest.count);
            return Ok(Some((self.key.clone(), value)));
        }
        let last: Last = serde_json::from_str(&self.text).map_err(wrong)?;
        let read = Last { records: self.digest.count, sum: self.digest.sum };
        if (last.records, last.sum) != (read.records, read.sum) {
            let why = format!(
                "its last line speaks of {} records, or of others than the {} read",
                last.records, read.records
            );
            return Err(ImportError::Incomplete(why));
        }
        Ok(None)
    }
}

impl<R: BufRead, P: FnMut(u64)> Iterator for &mut Lines<R, P> {
    type Item = io::Result<(String, Vec<u8>)>;

    fn next(&mut self) -> Option<io::Result<(String, Vec<u8>)>> {
        match self.record() {
            Ok(pair) => pair.map(Ok),
            Err(wrong) => {
                self.wrong = Some(wrong);
                Some(Err(io::Error::other("the lines are wrong")))
            }
        }
    }
}
