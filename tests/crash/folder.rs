//! Copies of data directories.

use std::path::{Path, PathBuf};

/// Copies everything under `from` to `to`, which is made anew. The zeros at a file's end take no room, and the ballast,
/// which is nothing but zeros, is left out.
pub fn copy(from: &Path, to: &Path) {
    drop(std::fs::remove_dir_all(to));
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_name() == ringback::store::ballast::BALLAST {
            continue;
        }
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => write(&target, &std::fs::read(entry.path()).unwrap()),
        }
    }
}

/// Writes a file; the zeros at its end take no room.
pub fn write(path: &Path, bytes: &[u8]) {
    std::fs::write(path, &bytes[..used(bytes)]).unwrap();
    std::fs::File::options().write(true).open(path).unwrap().set_len(bytes.len() as u64).unwrap();
}

/// Where the zeros at the end begin.
pub fn used(bytes: &[u8]) -> usize {
    // By pages, since a segment of the journal is mostly zeros.
    let page = bytes.rchunks(4_096).position(|page| page.iter().any(|octet| *octet != 0));
    let Some(page) = page else { return 0 };
    let end = bytes.len() - page * 4_096;
    bytes[..end].iter().rposition(|octet| *octet != 0).map_or(0, |last| last + 1)
}

/// Every file under a folder, sorted.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => all.extend(files(&entry.path())),
            false => all.push(entry.path()),
        }
    }
    all.sort();
    all
}

/// The files of the journal with this extension, oldest first.
pub fn journal(data: &Path, extension: &str) -> Vec<PathBuf> {
    let mut all = files(&data.join("store").join("journal"));
    all.retain(|path| path.extension().is_some_and(|it| it == extension));
    all
}
