//! The audio library (S5.32): what people upload becomes 8 kHz mono under `prompts/` in the data directory, and every
//! change of the site's prompts reaches the shards while they run.

use super::clips::{self, ClipError, Unusable};
use super::speech::{Mute, Voice};
use crate::audio::SAMPLE_RATE;
use crate::audio::clip::Library;
use crate::id::Name;
use crate::media::Command;
use crate::settings::{PromptSource, Speech};
use sha2::{Digest, Sha256};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use tokio::sync::{Mutex, mpsc};

/// The folder of uploaded sounds in the data directory.
const FOLDER: &str = "prompts";

/// What can be played, and who has to know.
#[derive(Clone, Debug)]
pub struct Prompts {
    folder: PathBuf,
    voice: Voice,
    country: Option<String>,
    library: Arc<RwLock<Arc<Library>>>,
    decoding: Arc<Mutex<()>>,
    /// Weak: a shard ends when the switch lets go of it.
    shards: Arc<OnceLock<Vec<mpsc::WeakSender<Command>>>>,
}

/// Why an upload was not taken.
#[derive(Debug)]
pub enum NotImported {
    /// It is no sound we can use.
    Unusable(Unusable),
    /// The disk did not take it.
    Io(io::Error),
}

impl std::fmt::Display for NotImported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NotImported::Unusable(why) => write!(f, "the audio {why}"),
            NotImported::Io(error) => write!(f, "the audio could not be kept: {error}"),
        }
    }
}

impl std::error::Error for NotImported {}

impl Prompts {
    /// A library without sounds, for a data directory and the country of its ringback tone.
    pub fn new(data: &Path, speech_command: Option<Vec<String>>, country: Option<String>) -> Prompts {
        // What the site says of its files is read relative to the site's own folder.
        let folder = std::path::absolute(data).unwrap_or_else(|_| data.to_owned()).join(FOLDER);
        let voice = Voice { command: speech_command, kept: folder.join("spoken") };
        Prompts { folder, voice, country, library: Arc::default(), decoding: Arc::default(), shards: Arc::default() }
    }

    /// The shards run, and are told of every later library.
    pub fn reach(&self, shards: &[mpsc::Sender<Command>]) {
        let shards = shards.iter().map(mpsc::Sender::downgrade).collect();
        drop(self.shards.set(shards)); // They are started once.
    }

    /// What can be played now.
    pub fn library(&self) -> Arc<Library> {
        self.library.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Decodes an upload (WAV, FLAC, MP3, Ogg Vorbis): what it becomes as a file. One at a time, since a small file may
    /// hold half an hour of sound.
    pub async fn decode(&self, audio: Vec<u8>) -> Result<Vec<u8>, NotImported> {
        let _turn = self.decoding.lock().await;
        let decoded = blocking(move || clips::decode_octets(audio).map_err(NotImported::Unusable)).await?;
        Ok(wav(&decoded))
    }

    /// Writes a sound to the folder, under a name made from what it holds; the file.
    pub async fn keep(&self, wav: Vec<u8>) -> Result<PathBuf, NotImported> {
        let hash: String = Sha256::digest(&wav).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let (folder, file) = (self.folder.clone(), self.folder.join(format!("{hash}.wav")));
        let kept = file.clone();
        blocking(move || write(&folder, &file, &wav).map_err(NotImported::Io)).await?;
        Ok(kept)
    }

    /// Deletes the sounds of these that were uploaded: nobody plays them any more.
    pub async fn forget(&self, files: Vec<PathBuf>) {
        let folder = self.folder.clone();
        let ours = move |file: &PathBuf| file.parent() == Some(&folder);
        let files: Vec<PathBuf> = files.into_iter().filter(ours).collect();
        let forgotten = blocking(move || {
            for file in files {
                if let Err(error) = fs::remove_file(&file) {
                    tracing::warn!(file = %file.display(), %error, "a sound that nobody plays could not be deleted");
                }
            }
            Ok(())
        });
        drop(forgotten.await); // It has been told.
    }

    /// Loads what the prompts of an edition of the site are. Work of a blocking thread. One of the forgiven ones that
    /// cannot be used is left out, and says so.
    pub fn load(
        &self,
        prompts: &[(Name, PromptSource)],
        forgiven: &dyn Fn(&str) -> bool,
    ) -> Result<Arc<Library>, ClipError> {
        clips::load(prompts, self.country.as_deref(), &self.voice, forgiven).map(Arc::new)
    }

    /// Has a text spoken and kept, so that the site can be read with it. Work of a blocking thread.
    pub fn speak(&self, speech: &Speech) -> Result<(), Mute> {
        self.voice.speak(speech).map(drop)
    }

    /// This is what can be played from now on.
    pub async fn adopt(&self, library: Arc<Library>) {
        *self.library.write().unwrap_or_else(PoisonError::into_inner) = library.clone();
        for shard in self.shards.get().into_iter().flatten().filter_map(mpsc::WeakSender::upgrade) {
            drop(shard.send(Command::Learn(library.clone())).await); // A shard that has ended plays nothing.
        }
    }
}

/// Off the threads that serve HTTP.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, NotImported> + Send + 'static,
) -> Result<T, NotImported> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(NotImported::Io(io::Error::other("the work has ended by a fault of ours"))))
}

/// The file appears whole or not at all, also when two uploads are the same sound.
fn write(folder: &Path, file: &Path, wav: &[u8]) -> io::Result<()> {
    static UPLOADS: AtomicU64 = AtomicU64::new(0);
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let part = file.with_extension(format!("{}.part", UPLOADS.fetch_add(1, Ordering::Relaxed)));
    let mut opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    let written = opened.write_all(wav).and_then(|()| opened.sync_all()).and_then(|()| fs::rename(&part, file));
    if written.is_err() {
        drop(fs::remove_file(&part)); // A full disk is told by the error itself.
    }
    written?;
    File::open(folder)?.sync_all()
}

/// 16 bit PCM, mono, 8 kHz, with its canonical head of 44 octets.
pub fn wav(samples: &[i16]) -> Vec<u8> {
    let octets = u32::try_from(samples.len() * 2).expect("a clip is limited to half an hour");
    let mut wav = Vec::with_capacity(44 + samples.len() * 2);
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&(36 + octets).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend_from_slice(&SAMPLE_RATE.to_le_bytes());
    wav.extend_from_slice(&(2 * SAMPLE_RATE).to_le_bytes());
    wav.extend_from_slice(b"\x02\0\x10\0data");
    wav.extend_from_slice(&octets.to_le_bytes());
    wav.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    wav
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompts(name: &str) -> (Prompts, mpsc::Sender<Command>, mpsc::Receiver<Command>) {
        let data = std::env::temp_dir().join(format!("ringback-prompts-{name}-{}", std::process::id()));
        let (shard, told) = mpsc::channel(8);
        let prompts = Prompts::new(&data, None, None);
        prompts.reach(std::slice::from_ref(&shard));
        (prompts, shard, told)
    }

    // S5.32: uploaded, its format checked, playable at 8 kHz, and picked by its name without a restart.
    #[test]
    fn an_upload_becomes_8_khz_mono_and_the_shards_learn_it_under_its_name() {
        let (prompts, _shard, mut told) = prompts("upload");
        let offer = include_bytes!("../../media/prompts/en/offer.wav");

        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let wav = runtime.block_on(prompts.decode(offer.to_vec())).expect("a WAV file");
        let file = runtime.block_on(prompts.keep(wav)).expect("room on the disk");
        let named = [("greeting".into(), PromptSource::File(file.clone()))];
        let library = prompts.load(&named, &|_| false).expect("it is there");
        runtime.block_on(prompts.adopt(library));
        let Some(Command::Learn(library)) = told.blocking_recv() else { panic!("the shard is told") };
        let head = fs::read(&file).expect("readable");
        fs::remove_dir_all(prompts.folder.parent().expect("the data directory")).expect("removable");

        assert_eq!(library["greeting"].samples(), library["offer"].samples());
        assert_eq!((&head[..4], u32::from_le_bytes([head[24], head[25], head[26], head[27]])), (&b"RIFF"[..], 8_000));
    }

    #[test]
    fn an_upload_that_is_no_sound_is_refused_and_leaves_nothing() {
        let (prompts, _shard, _told) = prompts("refused");

        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let refused = runtime.block_on(prompts.decode(b"<html>".to_vec())).expect_err("no sound").to_string();

        assert_eq!(refused, "the audio is not a WAV, FLAC, MP3 or Ogg Vorbis file we can decode");
        assert!(!prompts.folder.exists());
    }
}
