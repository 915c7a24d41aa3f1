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
/// Its name while it is made. A kill leaves room there that nobody has.
const UNFINISHED: &str = "ballast.tmp";
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
    /// It is being written, for the first time or after it was given.
    Making {
        /// The last writes have had it.
        again: bool,
    },
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
    /// That of the store in this folder, as an earlier life may have left it. What is no whole ballast gives its room
    /// back.
    pub fn of(store: &Path, octets: u64) -> Ballast {
        let path = store.join(BALLAST);
        let state = if takes(&path, octets) { State::There } else { State::Wanted };
        let half = Some(path.as_path()).filter(|_| state == State::Wanted);
        for gone in half.into_iter().chain([store.join(UNFINISHED).as_path()]) {
            match fs::remove_file(gone) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(%error, file = %gone.display(), "half a ballast takes room for nothing");
                }
                Ok(()) | Err(_) => {}
            }
        }
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
        matches!(*self.state(), State::Given | State::Making { again: true })
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

    /// Makes it, of blocks that the disk has really set aside. Commits ask for it meanwhile, and do not wait.
    pub fn make(&self) -> io::Result<()> {
        let again = match &mut *self.state() {
            State::There | State::Making { .. } => return Ok(()),
            state => {
                let again = *state == State::Given;
                *state = State::Making { again };
                again
            }
        };
        let unfinished = self.0.path.with_file_name(UNFINISHED);
        let made = write(&unfinished, self.0.octets).and_then(|()| fs::rename(&unfinished, &self.0.path));
        if made.is_err() {
            drop(fs::remove_file(&unfinished)); // Half of it would be room that nobody has.
        }
        *self.state() = match (&made, again) {
            (Ok(()), _) => State::There,
            (Err(_), true) => State::Given,
            (Err(_), false) => State::Wanted,
        };
        made
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write(path: &Path, octets: u64) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    match fallocate(&file, FallocateFlags::empty(), 0, octets) {
        Ok(()) => {}
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => write_noise(&mut file, octets)?,
        Err(errno) => return Err(errno.into()),
    }
    file.sync_all()?;
    match takes(path, octets) {
        true => Ok(()),
        false => Err(io::Error::other("the disk has set no blocks aside for it")),
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
    fn what_a_kill_has_left_of_it_gives_its_room_back() {
        let folder = Folder::new("half");
        File::create(folder.0.join(BALLAST)).unwrap().write_all(&[7; 4_096]).unwrap();
        File::create(folder.0.join(UNFINISHED)).unwrap().write_all(&[7; 4_096]).unwrap();

        let ballast = Ballast::of(&folder.0, MIB);

        assert!(!ballast.is_there() && fs::read_dir(&folder.0).unwrap().next().is_none());
    }

    #[test]
    fn whoever_commits_does_not_wait_while_it_is_made() {
        let folder = Folder::new("making");
        let ballast = Ballast::of(&folder.0, MIB);
        ballast.make().unwrap();
        assert!(ballast.give());
        // A pipe is opened to be written only when somebody reads it: so long it is being made.
        let pipe = folder.0.join(UNFINISHED);
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();

        let making = std::thread::spawn({
            let ballast = ballast.clone();
            move || ballast.make()
        });
        let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
        let is_making = |state: MutexGuard<'_, State>| *state == State::Making { again: true };
        while !ballast.0.state.try_lock().is_ok_and(is_making) {
            assert!(std::time::Instant::now() < until, "its lock is held");
            std::thread::yield_now();
        }

        assert!(ballast.is_given() && !ballast.is_there() && !ballast.give(), "nothing is promised until it is there");
        ballast.make().expect("one is enough");
        drop(File::open(&pipe).unwrap());
        assert!(making.join().unwrap().is_err(), "a pipe has no blocks");
        assert!(ballast.is_given() && !pipe.exists());
    }

    #[test]
    fn noise_fills_a_file_where_the_disk_sets_nothing_aside_by_itself() {
        let folder = Folder::new("noise");
        let path = folder.0.join(BALLAST);

        write_noise(&mut File::create(&path).unwrap(), MIB + 7).unwrap();

        assert!(takes(&path, MIB + 7));
    }
}
