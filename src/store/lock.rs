//! One process per data directory: `flock` on `LOCK`, which carries the holder's pid for whoever comes second.
//!
//! The kernel gives the lock back when the holder dies, however it dies, so the file itself is never removed.

use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// The directory is ours for as long as this lives.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Why it is not.
#[derive(Debug)]
pub enum LockError {
    /// Another process has it; its pid, when it wrote one.
    Held(Option<u32>),
    /// The file cannot be made or locked.
    Io(std::io::Error),
}

impl Lock {
    /// Takes the lock of `directory`, waiting up to `wait` for a holder that is just going.
    pub fn take(directory: &Path, wait: Duration) -> Result<Lock, LockError> {
        let path = directory.join("LOCK");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(LockError::Io)?;
        let until = Instant::now() + wait;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(25));
                }
                Err(rustix::io::Errno::WOULDBLOCK) => return Err(LockError::Held(pid_in(&mut file))),
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(LockError::Io(errno.into())),
            }
        }
        file.set_len(0).map_err(LockError::Io)?;
        file.seek(SeekFrom::Start(0)).map_err(LockError::Io)?;
        writeln!(file, "{}", std::process::id()).map_err(LockError::Io)?;
        Ok(Lock { _file: file })
    }
}

fn pid_in(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
