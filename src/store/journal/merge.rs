//! The next checkpoint: the one before with the commits since, merged on a thread of its own from closed files only.

use super::frame::Mark;
use super::segment::{Segment, StoreId};
use crate::store::checkpoint::{self, Changes, Checkpoint, Merged};
use std::io;
use std::path::{Path, PathBuf};

/// A checkpoint that has been written, and older ones that turned out to be damaged.
#[derive(Debug)]
pub struct Merge {
    /// The new one.
    pub checkpoint: Checkpoint,
    /// Of the older ones.
    pub damaged: Vec<PathBuf>,
}

impl Merge {
    /// The checkpoint after commit `to`: the newest of `bases` that can be read, with the commits since.
    pub fn of(folder: &Path, id: StoreId, bases: &[Checkpoint], segments: &[Segment], to: Mark) -> io::Result<Merge> {
        let mut damaged = Vec::new();
        for base in bases {
            let changes = changes_since(base.mark, segments, to)?;
            match base.records().and_then(|old| Checkpoint::write(folder, id, to, Merged::new(old, changes))) {
                Ok((checkpoint, _)) => return Ok(Merge { checkpoint, damaged }),
                Err(error) if is_damage(&error) => {
                    tracing::error!(%error, file = %base.path.display(), "a checkpoint cannot be read");
                    damaged.push(base.path.clone());
                }
                Err(error) => return Err(error),
            }
        }
        let changes = changes_since(Mark::default(), segments, to)?;
        let (checkpoint, _) = Checkpoint::write(folder, id, to, Merged::new(std::iter::empty(), changes))?;
        Ok(Merge { checkpoint, damaged })
    }
}

/// Whether a file is wrong, rather than the disk.
pub fn is_damage(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}

/// What the commits after `from` up to `to` have changed; all of them, or an error.
pub fn changes_since(from: Mark, segments: &[Segment], to: Mark) -> io::Result<Changes> {
    let mut changes = Changes::new();
    let mut next = from.sequence + 1;
    for (n, segment) in segments.iter().enumerate() {
        let last = segments.get(n + 1).map_or(to.sequence, |next| next.head.after.sequence);
        if last <= from.sequence {
            continue;
        }
        segment.read(Some(last), |frame| {
            if frame.mark.sequence == next {
                next += 1;
                checkpoint::lay(&mut changes, frame.ops);
            }
        })?;
    }
    if next != to.sequence + 1 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("commit {next} cannot be read back")));
    }
    Ok(changes)
}
