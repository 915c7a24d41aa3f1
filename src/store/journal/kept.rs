//! Segments that every checkpoint holds and no backup does yet, in the folder `kept` beside the journal: the last
//! backup with these and the journal behind it leads to today, even if no checkpoint could be read (durability.md
//! §2.6).
//!
//! The next backup makes them needless. Where none is ever made they must not fill the disk: beyond
//! `limits::KEPT_OCTETS` or `limits::KEPT_DAYS` the oldest go, and that is told.

use crate::limits::{KEPT_DAYS, KEPT_OCTETS};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Where the segments of this journal are kept.
pub fn folder(journal: &Path) -> PathBuf {
    journal.with_file_name("kept")
}

/// All of them, oldest first.
pub fn list(journal: &Path) -> io::Result<Vec<PathBuf>> {
    match super::files(&folder(journal)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        listed => listed,
    }
}

/// Takes segments out of the journal, and thins out what is kept; says how many went that no backup holds.
pub fn keep(journal: &Path, segments: &[PathBuf], now: SystemTime) -> io::Result<usize> {
    let kept = folder(journal);
    if !segments.is_empty() && !kept.exists() {
        crate::store::open::make_private_dir(&kept)?;
    }
    for segment in segments {
        fs::rename(segment, kept.join(segment.file_name().expect("a file of ours has a name")))?;
    }
    if !segments.is_empty() {
        File::open(&kept)?.sync_all()?;
    }
    let gone = surplus(list(journal)?.into_iter().rev(), now)?;
    remove(&gone)?;
    Ok(gone.len())
}

/// Moves all of them, in their folder.
pub fn move_to(journal: &Path, gone: &Path) -> io::Result<()> {
    match fs::rename(folder(journal), gone.join("kept")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A backup holds these.
pub fn remove(segments: &[PathBuf]) -> io::Result<()> {
    for segment in segments {
        match fs::remove_file(segment) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    match segments.first().and_then(|first| first.parent()) {
        Some(kept) if kept.exists() => File::open(kept)?.sync_all(),
        Some(_) | None => Ok(()),
    }
}

/// Those, newest first, that are too old, or too much.
fn surplus(newest_first: impl Iterator<Item = PathBuf>, now: SystemTime) -> io::Result<Vec<PathBuf>> {
    let most = Duration::from_secs(u64::from(KEPT_DAYS) * 86_400);
    let (mut octets, mut gone) = (0, Vec::new());
    for path in newest_first {
        let about = fs::metadata(&path)?;
        octets += about.len();
        // A clock that was set back makes nothing old.
        let age = now.duration_since(about.modified()?).unwrap_or_default();
        if octets > KEPT_OCTETS || age > most {
            gone.push(path);
        }
    }
    Ok(gone)
}
