//! A backup: the newest checkpoint and the segments since, as one encrypted file (durability.md §2.7).
//!
//! Inside is a tar file whose last entry, `manifest.json`, has the SHA-256 of every other. Outside it is cut into
//! pieces of 64 KiB, each sealed with XChaCha20-Poly1305 so that none can be changed, moved or left out (the STREAM
//! construction). Numbers and names of people are in it, so it is never written in clear. The key is 32 octets in a
//! file of hex digits, which has to be kept apart from the backup and from the machine.

use super::journal::{Journal, kept};
use super::lock::{Lock, LockError};
use super::open::{BACKUP, JOURNAL, make_private_dir};
use super::verify::Verified;
use super::{Snapshots, erase, erased};
use chacha20poly1305::aead::stream::{DecryptorBE32, EncryptorBE32};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use rustix::fs::{CWD, RenameFlags};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

const MAGIC: &[u8; 8] = b"RINGBKUP";
const FORMAT: u32 = 1;
const PIECE: usize = 64 * 1024;
/// What a piece grows by when it is sealed.
const TAG: usize = 16;
const NONCE: usize = 19;
/// A process that is just going is waited for.
const LOCK_WAIT: Duration = Duration::from_millis(500);
const MANIFEST: &str = "manifest.json";
/// The key's file in the data directory.
pub const KEY_FILE: &str = "backup.key";

/// What opens a backup.
pub struct Key([u8; 32]);

impl Key {
    /// Reads the key of a file of 64 hex digits.
    pub fn read(path: &Path) -> io::Result<Key> {
        let text = fs::read_to_string(path)?;
        Key::parse(text.trim()).ok_or_else(|| wrong("it holds no key: 64 hex digits"))
    }

    /// The key in this file, or a new one, which then stands there for its owner only.
    pub fn read_or_make(path: &Path) -> io::Result<Key> {
        match Key::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Key::make(path),
            read => read,
        }
    }

    fn make(path: &Path) -> io::Result<Key> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(io::Error::other)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        writeln!(file, "{}", hex(&key))?;
        file.sync_all()?;
        sync_folder_of(path)?;
        Ok(Key(key))
    }

    fn parse(text: &str) -> Option<Key> {
        let mut key = [0; 32];
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        for (octet, digits) in key.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *octet = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        Some(Key(key))
    }
}

/// What is in a backup.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// File names and the SHA-256 of what they hold, in hex.
    pub files: BTreeMap<String, String>,
    /// The last commit.
    pub last: u64,
    /// Records of the state.
    pub records: u64,
    /// What they add up to.
    pub sum: u64,
}

/// Why a backup cannot be used.
#[derive(Debug)]
pub enum RestoreError {
    /// Reading or writing failed.
    Disk(io::Error),
    /// It is none, is damaged, or the key is another's.
    Unreadable(String),
    /// There is a store already.
    NotEmpty,
    /// A process works in the data directory.
    InUse(Option<u32>),
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RestoreError::Disk(error) => error.fmt(f),
            RestoreError::Unreadable(why) => f.write_str(why),
            RestoreError::NotEmpty => f.write_str(
                "there is a store in this data directory already: name another with --data, or put the backup in \
                 its place with --replace",
            ),
            RestoreError::InUse(Some(pid)) => write!(f, "process {pid} works in this data directory: stop it first"),
            RestoreError::InUse(None) => f.write_str("a process works in this data directory: stop it first"),
        }
    }
}

impl std::error::Error for RestoreError {}

impl From<io::Error> for RestoreError {
    fn from(error: io::Error) -> RestoreError {
        match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => RestoreError::Unreadable(error.to_string()),
            _ => RestoreError::Disk(error),
        }
    }
}

/// A backup that has been written, and is nobody's yet: what it makes needless stays until it is received.
#[derive(Debug)]
#[must_use = "nothing that was kept for a backup goes before this one is received"]
pub struct Made {
    manifest: Manifest,
    needless: Vec<PathBuf>,
}

impl Made {
    /// It is where it is to lie: the segments that were kept for it go.
    pub fn received(self) -> io::Result<Manifest> {
        kept::remove(&self.needless)?;
        Ok(self.manifest)
    }
}

/// Writes a backup of a running store; all that has been acknowledged is in it.
pub fn back_up(store: &Path, snapshots: &Snapshots, key: &Key, sink: impl Write) -> io::Result<Made> {
    let folder = Passing::new(store.join(BACKUP))?;
    let needless = kept::list(&store.join(JOURNAL))?;
    snapshots.take(&folder.path)?;
    Ok(Made { manifest: write(&folder.path, key, sink)?, needless })
}

/// Writes a backup of a store that nobody works in.
pub fn back_up_at_rest(data: &Path, key: &Key, sink: impl Write) -> io::Result<Made> {
    let store = data.join("store");
    let _lock = Lock::take(data, LOCK_WAIT).map_err(|_| io::Error::other("it is in use"))?;
    let folder = Passing::new(store.join(BACKUP))?;
    let (mut journal, _) = Journal::look(&store.join(JOURNAL))?;
    if journal.is_new() {
        return Err(wrong("there is no store with a journal in this data directory"));
    }
    let _damage = journal.replay(journal.mark.sequence, |_| {})?;
    journal.snapshot(&folder.path)?;
    let needless = kept::list(&store.join(JOURNAL))?;
    Ok(Made { manifest: write(&folder.path, key, sink)?, needless })
}

/// A folder that is gone afterwards.
struct Passing {
    path: PathBuf,
    kept: bool,
}

impl Passing {
    fn new(path: PathBuf) -> io::Result<Passing> {
        if path.exists() {
            fs::remove_dir_all(&path)?; // Of a process that was killed.
        }
        make_private_dir(&path)?;
        Ok(Passing { path, kept: false })
    }

    /// With a name that nobody can guess, in a place that is not ours alone.
    fn among_others(place: &Path) -> io::Result<Passing> {
        let mut drawn = [0; 16];
        getrandom::fill(&mut drawn).map_err(io::Error::other)?;
        let path = place.join(format!("ringback-{}", hex(&drawn)));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Passing { path, kept: false })
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(%error, folder = %self.path.display(), "this folder is not needed any more and still there");
        }
    }
}

/// The file's entry must survive as well as what is in it.
pub fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

fn write(folder: &Path, key: &Key, sink: impl Write) -> io::Result<Manifest> {
    let verified = Verified::of_journal(folder)?;
    let state = match &verified.state {
        Ok(state) if verified.is_well() => *state,
        Ok(_) => return Err(wrong("the journal is damaged; `ringback store verify` says where")),
        Err(why) => return Err(wrong(why)),
    };
    let mut manifest = Manifest { last: verified.last, records: state.count, sum: state.sum, ..Manifest::default() };
    let mut sealed = Sealed::new(sink, key)?;
    {
        let mut tar = tar::Builder::new(&mut sealed);
        tar.mode(tar::HeaderMode::Deterministic);
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            manifest.files.insert(name.clone(), sha256_of(File::open(&path)?)?);
            tar.append_path_with_name(&path, name)?;
        }
        let text = serde_json::to_vec_pretty(&manifest)?;
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o600);
        header.set_cksum();
        tar.append_data(&mut header, MANIFEST, text.as_slice())?;
        tar.finish()?;
    }
    sealed.finish()?.flush()?;
    Ok(manifest)
}

/// Reads a whole backup, and whether it would come back as what it was. `place` has room for it.
pub fn verify(source: impl Read, key: &Key, place: &Path) -> Result<Manifest, RestoreError> {
    let folder = Passing::among_others(place)?;
    unpack(source, key, &folder.path)
}

/// Makes a backup the store of `data`, without what was erased there since. With `replace` an older store is moved
/// aside, to the folder that is handed back.
pub fn restore(
    source: impl Read,
    key: &Key,
    data: &Path,
    replace: bool,
) -> Result<(Manifest, Option<PathBuf>), RestoreError> {
    make_private_dir(data)?;
    let _lock = Lock::take(data, LOCK_WAIT).map_err(|error| match error {
        LockError::Held(pid) => RestoreError::InUse(pid),
        LockError::Io(error) => RestoreError::Disk(error),
    })?;
    let store = data.join("store");
    if store.exists() && !replace {
        return Err(RestoreError::NotEmpty);
    }
    let mut fresh = Passing::new(data.join("store.restoring"))?;
    make_private_dir(&fresh.path.join(JOURNAL))?;
    let mut manifest = unpack(source, key, &fresh.path.join(JOURNAL))?;
    manifest.records = erased::leave_out(data, &fresh.path.join(JOURNAL))?.unwrap_or(manifest.records);
    if erase::is_due(&store) {
        // What is moved aside has what was to go, and the next start still has to see to it.
        erase::mark(&fresh.path)?;
    }
    File::open(&fresh.path)?.sync_all()?;
    let aside = if store.exists() {
        let aside = free_name(data)?;
        // At every instant there is one whole store or the other.
        rustix::fs::renameat_with(CWD, &fresh.path, CWD, &store, RenameFlags::EXCHANGE).map_err(io::Error::from)?;
        fresh.kept = true;
        fs::rename(&fresh.path, &aside)?;
        Some(aside)
    } else {
        fs::rename(&fresh.path, &store)?;
        fresh.kept = true;
        None
    };
    File::open(data)?.sync_all()?;
    Ok((manifest, aside))
}

fn free_name(data: &Path) -> io::Result<PathBuf> {
    let names = (1..1_000).map(|n| data.join(format!("store.before-restore-{n}")));
    names.into_iter().find(|name| !name.exists()).ok_or_else(|| io::Error::other("too many older stores are kept"))
}

fn unpack(source: impl Read, key: &Key, folder: &Path) -> Result<Manifest, RestoreError> {
    let mut tar = tar::Archive::new(Unsealed::new(source, key)?);
    let (mut found, mut manifest) = (BTreeMap::new(), None);
    for entry in tar.entries()? {
        let mut entry = entry?;
        let name = entry.path()?.to_string_lossy().into_owned();
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.') && !name.starts_with('.');
        if !plain || manifest.is_some() {
            return Err(RestoreError::Unreadable(format!("{name:?} is nothing that a backup holds")));
        }
        if name == MANIFEST {
            let read: Manifest = serde_json::from_reader(&mut entry).map_err(|error| wrong(&error.to_string()))?;
            manifest = Some(read);
            continue;
        }
        let path = folder.join(&name);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        io::copy(&mut entry, &mut file)?;
        file.sync_all()?;
        found.insert(name, sha256_of(File::open(&path)?)?);
    }
    let mut rest = tar.into_inner();
    io::copy(&mut rest, &mut io::sink())?; // Whether the last piece is there.
    let manifest = manifest.ok_or_else(|| wrong("it has no manifest"))?;
    if manifest.files != found {
        return Err(RestoreError::Unreadable("its files are not those of its manifest".into()));
    }
    let verified = Verified::of_journal(folder)?;
    let state = verified.state.as_ref().map_err(|why| RestoreError::Unreadable(why.clone()))?;
    if !verified.is_well() || (verified.last, state.count, state.sum) != (manifest.last, manifest.records, manifest.sum)
    {
        return Err(RestoreError::Unreadable("its records do not add up to what its manifest says".into()));
    }
    File::open(folder)?.sync_all()?;
    Ok(manifest)
}

/// Seals what is written, piece by piece.
struct Sealed<W> {
    sink: W,
    cipher: EncryptorBE32<XChaCha20Poly1305>,
    waiting: Vec<u8>,
}

impl<W: Write> Sealed<W> {
    fn new(mut sink: W, key: &Key) -> io::Result<Sealed<W>> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(io::Error::other)?;
        sink.write_all(MAGIC)?;
        sink.write_all(&FORMAT.to_le_bytes())?;
        sink.write_all(&nonce)?;
        let cipher = XChaCha20Poly1305::new(&key.0.into());
        let cipher = EncryptorBE32::from_aead(cipher, &nonce.into());
        Ok(Sealed { sink, cipher, waiting: Vec::with_capacity(PIECE) })
    }

    fn finish(self) -> io::Result<W> {
        let Sealed { mut sink, cipher, waiting } = self;
        let sealed = cipher.encrypt_last(waiting.as_slice()).map_err(|_| wrong("it is too long to be sealed"))?;
        sink.write_all(&sealed)?;
        Ok(sink)
    }
}

impl<W: Write> Write for Sealed<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        // The last piece is sealed otherwise than those before, so a full one waits for what follows it.
        if self.waiting.len() == PIECE {
            let sealed = self.cipher.encrypt_next(self.waiting.as_slice());
            self.sink.write_all(&sealed.map_err(|_| wrong("it is too long to be sealed"))?)?;
            self.waiting.clear();
        }
        let taken = octets.len().min(PIECE - self.waiting.len());
        self.waiting.extend_from_slice(&octets[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Opens what was sealed.
struct Unsealed<R> {
    source: R,
    cipher: Option<DecryptorBE32<XChaCha20Poly1305>>,
    sealed: Vec<u8>,
    clear: Vec<u8>,
    at: usize,
}

impl<R: Read> Unsealed<R> {
    fn new(mut source: R, key: &Key) -> io::Result<Unsealed<R>> {
        let mut head = [0; 12 + NONCE];
        source.read_exact(&mut head).map_err(|_| wrong("it is no backup of ringback"))?;
        if head[..8] != *MAGIC {
            return Err(wrong("it is no backup of ringback"));
        }
        if head[8..12] != FORMAT.to_le_bytes() {
            return Err(wrong("it was written by a version that this one does not know"));
        }
        let nonce: [u8; NONCE] = head[12..].try_into().expect("cut so long");
        let cipher = DecryptorBE32::from_aead(XChaCha20Poly1305::new(&key.0.into()), &nonce.into());
        Ok(Unsealed { source, cipher: Some(cipher), sealed: Vec::new(), clear: Vec::new(), at: 0 })
    }

    /// Opens the next piece. One that is followed by nothing is the last.
    fn next(&mut self) -> io::Result<()> {
        let Some(cipher) = &mut self.cipher else { return Ok(()) };
        let whole = PIECE + TAG;
        let missing = (whole + 1).saturating_sub(self.sealed.len());
        (&mut self.source).take(missing as u64).read_to_end(&mut self.sealed)?;
        let opened = if self.sealed.len() > whole {
            let opened = cipher.decrypt_next(&self.sealed[..whole]);
            self.sealed.drain(..whole);
            opened
        } else {
            let last = std::mem::take(&mut self.sealed);
            match self.cipher.take() {
                Some(cipher) => cipher.decrypt_last(last.as_slice()),
                None => return Ok(()),
            }
        };
        self.clear = opened.map_err(|_| wrong("it is damaged, or was made with another key"))?;
        self.at = 0;
        Ok(())
    }
}

impl<R: Read> Read for Unsealed<R> {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        while self.at == self.clear.len() && self.cipher.is_some() {
            self.next()?;
        }
        let taken = octets.len().min(self.clear.len() - self.at);
        octets[..taken].copy_from_slice(&self.clear[self.at..self.at + taken]);
        self.at += taken;
        Ok(taken)
    }
}

fn sha256_of(mut source: impl Read) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut piece = vec![0; PIECE];
    loop {
        match source.read(&mut piece)? {
            0 => return Ok(hex(&hash.finalize())),
            length => hash.update(&piece[..length]),
        }
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn wrong(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
