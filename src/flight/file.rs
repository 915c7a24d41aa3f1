//! A recording as a file: a line that says what it is, a line of JSON that says what is in it, sections of records,
//! and an end, by whose absence a file that was cut short is known.

use super::mask::Mask;
use super::record::{Noted, Record, Unreadable};
use super::reel::{Reel, Section};
use crate::time::{DateTime, Utc};
use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;
use serde::{Deserialize, Serialize};
use std::fmt;

const MAGIC: &str = "ringback flight recording ";
/// What this version writes, and reads.
const FORMAT: u32 = 2;
/// No section of ours is larger when it is unpacked.
const SECTION_MAX: usize = 1 << 30;
const LINE_MAX: usize = 64 * 1024;

/// What is in a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contents {
    /// The ringback that has written it.
    pub version: String,
    /// When it was written.
    pub saved_at: DateTime<Utc>,
    /// The time-zone tables of the site.
    pub zones: String,
    /// Why it was written; `None`: somebody asked for it.
    pub fault: Option<Noted>,
    /// Inputs have fallen out of the recorder between the beginning and the rest.
    pub has_gap: bool,
}

/// Contents, for whoever looks into a file.
#[derive(Serialize)]
struct Described<'a> {
    #[serde(flatten)]
    contents: &'a Contents,
    masked: &'a str,
}

/// Why a file is none that can be replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Something else.
    Foreign,
    /// Of a later version.
    Newer(u32),
    /// Of an earlier one.
    Older(u32),
    /// Its end is missing.
    Cut,
    /// It has been damaged since.
    Damaged,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wrong::Foreign => f.write_str("this is not a flight recording of ringback"),
            Wrong::Newer(format) => {
                write!(f, "it has format {format}, which a newer ringback has written; this one reads format {FORMAT}")
            }
            Wrong::Older(format) => {
                write!(
                    f,
                    "it has format {format}; this ringback reads format {FORMAT}: replay it with the one that wrote it"
                )
            }
            Wrong::Cut => f.write_str("its end is missing: it was cut short on the way; copy it again"),
            Wrong::Damaged => f.write_str("it is damaged: its checksum does not match; copy it again"),
        }
    }
}

impl std::error::Error for Wrong {}

impl From<Unreadable> for Wrong {
    fn from(_: Unreadable) -> Wrong {
        Wrong::Damaged
    }
}

fn unpacked(section: &Section) -> Result<Vec<u8>, Wrong> {
    let records = decompress_to_vec_zlib_with_limit(&section.packed, section.whole.min(SECTION_MAX));
    records.ok().filter(|records| records.len() == section.whole).ok_or(Wrong::Damaged)
}

/// The file of a recording, masked with this key, in pieces: a long one need not be in memory as a whole. Nothing of
/// the key is in it.
pub fn pieces(
    reel: &Reel,
    contents: &Contents,
    key: [u8; 32],
) -> Result<impl Iterator<Item = Result<Vec<u8>, Wrong>>, Wrong> {
    let mut mask = Mask::new(key);
    for section in reel.inputs() {
        each(&unpacked(section)?, |record| mask.look(&record))?;
    }
    let mut head = format!("{MAGIC}{FORMAT}\n").into_bytes();
    let described = Described { contents, masked: super::MASKED };
    let contents = serde_json::to_vec(&described).expect("contents are text, numbers and an instant");
    head.extend(mask.json(&contents)?); // A panic may have told a number.
    head.push(b'\n');
    let sections = reel.sections().map(move |section| masked(&mut mask, section));
    Ok(std::iter::once(Ok(head)).chain(sections).chain(std::iter::once(Ok(vec![0; 8]))))
}

fn masked(mask: &mut Mask, section: &Section) -> Result<Vec<u8>, Wrong> {
    let mut masked = Vec::with_capacity(section.whole);
    each(&unpacked(section)?, |record| {
        mask.record(record)?.write(&mut masked);
        Ok(())
    })?;
    let section = Section::of(&masked);
    let number = |octets: usize| u32::try_from(octets).map(u32::to_le_bytes).map_err(|_| Wrong::Damaged);
    Ok([number(section.packed.len())?.as_slice(), &number(section.whole)?, &section.packed].concat())
}

fn each(records: &[u8], mut take: impl FnMut(Record) -> Result<(), Unreadable>) -> Result<(), Unreadable> {
    let mut rest = records;
    while let Some(record) = Record::take(&mut rest) {
        take(record?)?;
    }
    Ok(())
}

/// A file that is being read: its contents are known, its records come one by one.
#[derive(Debug)]
pub struct Reading<'a> {
    /// What is in it.
    pub contents: Contents,
    rest: &'a [u8],
    section: Vec<u8>,
    at: usize,
}

impl<'a> Reading<'a> {
    /// Reads the two lines.
    pub fn of(file: &'a [u8]) -> Result<Reading<'a>, Wrong> {
        let (first, rest) = line(file).ok_or(Wrong::Foreign)?;
        let format = first.strip_prefix(MAGIC).ok_or(Wrong::Foreign)?;
        let format: u32 = format.parse().map_err(|_| Wrong::Foreign)?;
        if format > FORMAT {
            return Err(Wrong::Newer(format));
        }
        if format < FORMAT {
            return Err(Wrong::Older(format));
        }
        let (second, rest) = line(rest).ok_or(Wrong::Cut)?;
        let contents = serde_json::from_str(second).map_err(|_| Wrong::Damaged)?;
        Ok(Reading { contents, rest, section: Vec::new(), at: 0 })
    }

    /// The next record; `None` at the end.
    pub fn take(&mut self) -> Option<Result<Record, Wrong>> {
        while self.at == self.section.len() {
            match self.next_section() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(wrong) => return Some(Err(wrong)),
            }
        }
        let mut rest = &self.section[self.at..];
        let record = Record::take(&mut rest)?;
        self.at = self.section.len() - rest.len();
        if record.is_err() {
            self.at = self.section.len(); // Nothing after it can be told apart.
        }
        Some(record.map_err(Wrong::from))
    }

    fn next_section(&mut self) -> Result<bool, Wrong> {
        let (head, rest) = self.rest.split_first_chunk::<8>().ok_or(Wrong::Cut)?;
        let number = |octets: &[u8]| octets.first_chunk().map(|octets| u32::from_le_bytes(*octets) as usize);
        let (packed, whole) = number(head).zip(number(&head[4..])).ok_or(Wrong::Cut)?;
        if packed == 0 {
            self.rest = &[0; 8];
            return Ok(false);
        }
        let section = rest.get(..packed).ok_or(Wrong::Cut)?.to_vec();
        self.section = unpacked(&Section { packed: section, whole })?;
        (self.at, self.rest) = (0, &rest[packed..]);
        Ok(true)
    }
}

fn line(octets: &[u8]) -> Option<(&str, &[u8])> {
    let end = octets.iter().take(LINE_MAX).position(|octet| *octet == b'\n')?;
    Some((std::str::from_utf8(&octets[..end]).ok()?, &octets[end + 1..]))
}
