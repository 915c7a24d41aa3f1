//! A store of the time before the journal: sled's files lay in the store's own folder. They are copied, and then become
//! the view from which a journal is begun (durability.md P19).

use super::open::{VIEW, make_private_dir};
use std::fs::{self, File};
use std::io;
use std::path::Path;

/// What such a store was, as it was left.
pub const BEFORE: &str = "before-journal";

/// Makes such a store one of today's layout; any other is left alone.
pub fn take_up(store: &Path) -> io::Result<()> {
    let unfinished = store.join("view.moving");
    let is_moving = store.join("db").exists() || unfinished.join("db").exists();
    if store.join(VIEW).exists() || !is_moving {
        return Ok(());
    }
    if !unfinished.exists() {
        copy_old_layout(store)?;
    }
    make_private_dir(&unfinished)?;
    // `db` goes last. A process that was killed in between goes on with what is left.
    let names = fs::read_dir(store)?.map(|it| it.map(|it| it.file_name())).collect::<io::Result<Vec<_>>>()?;
    let theirs = names.iter().filter(|name| *name != "db" && is_of_sled(&name.to_string_lossy()));
    for name in theirs.map(|name| name.as_os_str()).chain([std::ffi::OsStr::new("db")]) {
        match fs::rename(store.join(name), unfinished.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && name == "db" => {} // It was moved before.
            moved => moved?,
        }
    }
    File::open(&unfinished)?.sync_all()?;
    fs::rename(&unfinished, store.join(VIEW))?;
    File::open(store)?.sync_all()
}

/// For whoever has to go back to the older version.
fn copy_old_layout(store: &Path) -> io::Result<()> {
    let (copy, unfinished) = (store.join(BEFORE), store.join("before-journal.tmp"));
    if copy.exists() {
        return Ok(());
    }
    make_private_dir(&unfinished)?;
    copy_files(store, &unfinished, is_of_sled)?;
    fs::rename(&unfinished, &copy)?;
    File::open(store)?.sync_all()
}

fn copy_files(from: &Path, to: &Path, wanted: fn(&str) -> bool) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (name, target) = (entry.file_name(), to.join(entry.file_name()));
        if !wanted(&name.to_string_lossy()) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            make_private_dir(&target)?;
            copy_files(&entry.path(), &target, |_| true)?;
        } else {
            fs::copy(entry.path(), &target)?;
            File::open(&target)?.sync_all()?;
        }
    }
    File::open(to)?.sync_all()
}

fn is_of_sled(name: &str) -> bool {
    matches!(name, "conf" | "db" | "blobs") || name.starts_with("snap.")
}
