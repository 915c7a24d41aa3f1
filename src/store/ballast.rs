//! Ballast: room on the disk that is held by a file of nothing, and given back when a write finds none (durability.md
//! §2.12). What is written then is the end of what has begun, no new promise: a call that is over must not be open on
//! the disk, or the next life would repeat it.

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where it lies in the store.
pub const BALLAST: &str = "ballast";
/// Octets of a sector, in which the system counts what a file takes.
const SECTOR: u64 = 512;

/// Whether there is any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// None was made yet.
    Wanted,
    /// It lies there.
    There,
    /// The last writes have it.
    Given,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    octets: u64,
    state: Mutex<State>,
}

/// The file; copies are the same one.
#[derive(Clone, Debug)]
pub struct Ballast(Arc<Inner>);

impl Ballast {
    /// That of the store in this folder, as an earlier life may have left it.
    pub fn of(store: &Path, octets: u64) -> Ballast {
        let path = store.join(BALLAST);
        let state = if takes(&path, octets) { State::There } else { State::Wanted };
        Ballast(Arc::new(Inner { path, octets, state: Mutex::new(state) }))
    }

    /// How large it is meant to be.
    pub fn octets(&self) -> u64 {
        self.0.octets
    }

    /// Whether it lies there.
    pub fn is_there(&self) -> bool {
        *self.state() == State::There
    }

    /// Whether the last writes have it: until it lies there again, nothing is promised.
    pub fn is_given(&self) -> bool {
        *self.state() == State::Given
    }

    /// Gives its room back. Whether there was any.
    pub fn give(&self) -> bool {
        let mut state = self.state();
        if *state != State::There {
            return false;
        }
        match fs::remove_file(&self.0.path) {
            Ok(()) => {
                *state = State::Given;
                true
            }
            Err(error) => {
                tracing::error!(%error, "the ballast could not be given up");
                false
            }
        }
    }

    /// Makes it, of blocks that the disk has really set aside.
    pub fn make(&self) -> io::Result<()> {
        let mut state = self.state();
        if *state == State::There {
            return Ok(());
        }
        let made = self.write();
        match made {
            Ok(()) => *state = State::There,
            Err(_) => drop(fs::remove_file(&self.0.path)), // Half of it would be room that nobody has.
        }
        made
    }

    fn write(&self) -> io::Result<()> {
        let Inner { path, octets, .. } = &*self.0;
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        match fallocate(&file, FallocateFlags::empty(), 0, *octets) {
            Ok(()) => {}
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => write_noise(&mut file, *octets)?,
            Err(errno) => return Err(errno.into()),
        }
        file.sync_all()?;
        match takes(path, *octets) {
            true => Ok(()),
            false => Err(io::Error::other("the disk has set no blocks aside for it")),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a file of this length is there, and has blocks for all of it.
fn takes(path: &Path, octets: u64) -> bool {
    fs::symlink_metadata(path).is_ok_and(|it| it.is_file() && it.len() == octets && it.blocks() * SECTOR >= octets)
}

/// Noise, since a file system that packs would give zeros no room.
fn write_noise(file: &mut File, octets: u64) -> io::Result<()> {
    let mut block = vec![0; 64 * 1024];
    let mut left = octets;
    while left > 0 {
        getrandom::fill(&mut block).map_err(io::Error::other)?;
        let part = usize::try_from(left).unwrap_or(block.len()).min(block.len());
        file.write_all(&block[..part])?;
        left -= part as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("ringback-ballast-{name}-{}", std::process::id()));
            drop(fs::remove_dir_all(&path));
            fs::create_dir_all(&path).unwrap();
            Folder(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    #[test]
    fn it_takes_its_room_and_gives_it_back_once() {
        let folder = Folder::new("once");
        let ballast = Ballast::of(&folder.0, MIB);
        assert!(!ballast.is_there() && !ballast.give());
        assert!(!ballast.is_given(), "what was never there is not given");

        ballast.make().unwrap();
        let file = fs::metadata(folder.0.join(BALLAST)).unwrap();
        assert!(file.len() == MIB && file.blocks() * SECTOR >= MIB, "{} blocks", file.blocks());
        assert!(Ballast::of(&folder.0, MIB).is_there(), "the next life finds it");

        assert!(ballast.give());
        assert!(!folder.0.join(BALLAST).exists() && ballast.is_given());
        assert!(!ballast.give());

        ballast.make().unwrap();
        assert!(ballast.is_there() && !ballast.is_given());
    }

    #[test]
    fn a_file_with_holes_is_none_and_one_that_cannot_be_made_leaves_nothing() {
        let folder = Folder::new("holes");
        File::create(folder.0.join(BALLAST)).unwrap().set_len(MIB).unwrap();
        let ballast = Ballast::of(&folder.0, MIB);
        assert!(!ballast.is_there());
        ballast.make().unwrap();
        assert!(ballast.is_there());

        let never = Ballast::of(&folder.0.join("nowhere"), MIB);
        assert!(never.make().is_err() && !never.is_there());
        let endless = Ballast::of(&folder.0, 1 << 60);
        assert!(endless.make().is_err());
        assert!(!folder.0.join(BALLAST).exists());
    }

    #[test]
    fn noise_fills_a_file_where_the_disk_sets_nothing_aside_by_itself() {
        let folder = Folder::new("noise");
        let path = folder.0.join(BALLAST);

        write_noise(&mut File::create(&path).unwrap(), MIB + 7).unwrap();

        assert!(takes(&path, MIB + 7));
    }
}
