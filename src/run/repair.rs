//! What a crash left of a recording: a `.part` file whose header may say less than it holds. Its two length fields are
//! made true from the file's size, and it becomes a recording like any other.

use super::recorder::{self, HEADER_BYTES, SAMPLE_BYTES};
use crate::id::RecordingId;
use crate::switch::{Recorded, RecordingFailed};
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Makes every `.part` file under the data directory whole.
pub fn repair(data: &Path) -> Vec<Recorded> {
    let mut parts = Vec::new();
    // year/month/day below `recordings`.
    collect(&data.join("recordings"), 3, &mut parts);
    parts.into_iter().filter_map(|part| adopt(data, &part)).collect()
}

fn collect(directory: &Path, deeper: u32, parts: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        match (kind.is_dir(), deeper) {
            (true, 1..) => collect(&entry.path(), deeper - 1, parts),
            (false, 0) if entry.file_name().to_string_lossy().ends_with(".wav.part") => parts.push(entry.path()),
            (true, 0) | (false, _) => {} // Nothing of ours.
        }
    }
}

fn adopt(data: &Path, part: &Path) -> Option<Recorded> {
    let name = part.file_name()?.to_str()?;
    let id: RecordingId = name.strip_suffix(".wav.part")?.parse().ok()?;
    if data.join(format!("{}.part", recorder::relative_path(id))) != part {
        tracing::warn!(file = %part.display(), "an unfinished recording lies where none of ours would");
        return None;
    }
    let file = mend(part).and_then(|samples| recorder::settle(data, id, samples)).map_err(|error| {
        tracing::error!(%error, recording = %id, "an interrupted recording could not be repaired");
        RecordingFailed
    });
    if let Ok(file) = &file {
        tracing::info!(recording = %id, samples = file.samples, "repaired an interrupted recording");
    }
    Some(Recorded { id, file })
}

/// Cuts a half-written sample off and makes the lengths at offsets 4 and 40 true. Samples per channel.
fn mend(part: &Path) -> io::Result<u64> {
    let file = OpenOptions::new().read(true).write(true).open(part)?;
    let length = file.metadata()?.len();
    let mut head = [0; 4];
    if length < HEADER_BYTES || file.read_exact_at(&mut head, 0).is_err() || &head != b"RIFF" {
        // No sample was ever written, or it is no tape; out of the way of the next start, but not thrown away.
        fs::rename(part, part.with_extension("broken"))?;
        return Err(io::ErrorKind::InvalidData.into());
    }
    let samples = (length - HEADER_BYTES) / SAMPLE_BYTES;
    let data = u32::try_from(samples * SAMPLE_BYTES).map_err(|_| io::ErrorKind::InvalidData)?;
    let riff = data.checked_add(HEADER_BYTES as u32 - 8).ok_or(io::ErrorKind::InvalidData)?;
    file.set_len(HEADER_BYTES + u64::from(data))?;
    file.write_all_at(&riff.to_le_bytes(), 4)?;
    file.write_all_at(&data.to_le_bytes(), 40)?;
    Ok(samples)
}
