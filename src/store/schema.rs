//! Which schema a store is written in, said in a file of its own, so that a version that does not know it finds out
//! before it has touched anything (durability.md P19).
//!
//! The line carries its checksum: a flipped bit must not make a good store look like one of a newer version. A line
//! that says nothing is written anew, for whoever writes here leaves no record that is newer than itself.

use super::journal::segment::newer;
use super::record::SCHEMA;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The file's name in the store.
pub const FILE: &str = "schema";

/// `Err`: a newer version has written here, and this one must not.
pub fn check(store: &Path) -> io::Result<()> {
    match said(store)? {
        Some(schema) if schema > SCHEMA => Err(newer()),
        Some(_) | None => Ok(()),
    }
}

/// Says that what is written from here on is of this version's schema.
pub fn note(store: &Path) -> io::Result<()> {
    if said(store)? == Some(SCHEMA) {
        return Ok(());
    }
    let (path, unfinished) = (store.join(FILE), store.join("schema.tmp"));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    file.write_all(line(SCHEMA).as_bytes())?;
    file.sync_data()?;
    fs::rename(unfinished, path)?;
    File::open(store)?.sync_all()
}

/// What the file says; `None`: nothing that can be believed, as in a store of the time before there was such a file.
fn said(store: &Path) -> io::Result<Option<u8>> {
    match fs::read_to_string(store.join(FILE)) {
        Ok(text) => {
            let schema = text.split(' ').nth(1).and_then(|word| word.parse().ok());
            Ok(schema.filter(|schema| line(*schema) == text))
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The line of a store in this schema.
pub fn line(schema: u8) -> String {
    let said = format!("schema {schema}");
    format!("{said} {:08x}\n", crc32c::crc32c(said.as_bytes()))
}
