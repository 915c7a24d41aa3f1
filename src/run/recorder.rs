//! The recorder: a thread that writes two-channel WAV files (left the agent, right the other party), and one that puts
//! finished tapes away, so that a slow disk's sync at one tape's end does not cut the others.
//!
//! A tape is `recordings/YYYY/MM/DD/ID.wav.part` while it grows; each second its header is made true, so that what is
//! there can be played whatever happens next. At its end it is synced and renamed, and a small JSON lies beside it.
//! The date is that of the recording's id. A `.part` file found at start is what a crash left: `repair` makes it whole.

use crate::id::RecordingId;
use crate::limits::{TAPE_FRAMES, TAPES_ENDED};
use crate::switch::{Recorded, RecordedFile, RecordingFailed};
use crate::telemetry;
use chrono::DateTime;
use std::collections::{HashMap, VecDeque};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

/// Samples a second of every tape.
pub const SAMPLE_RATE: u32 = 8_000;
/// Octets before the first sample: a canonical PCM header.
pub const HEADER_BYTES: u64 = 44;
/// Octets of one sample of both channels.
pub const SAMPLE_BYTES: u64 = 4;
const FRAME_SAMPLES: usize = 160;
/// Frames between two flushes: a second.
const FLUSH_FRAMES: u64 = 50;

// Frames are all but a few of the letters, and boxing them would allocate fifty times a second for each call.
#[allow(clippy::large_enum_variant)]
enum Letter {
    Frame { id: RecordingId, missed: u32, left: [i16; FRAME_SAMPLES], right: [i16; FRAME_SAMPLES] },
    End { id: RecordingId, missed: u32 },
}

/// One shard's way to the recorder. It never waits: frames that do not fit become silence of the same length.
pub struct TapeFeed {
    letters: SyncSender<Letter>,
    missed: HashMap<RecordingId, u32>,
    ended: VecDeque<RecordingId>,
}

impl TapeFeed {
    /// 20 ms of a tape.
    pub fn frame(&mut self, id: RecordingId, left: &[i16; FRAME_SAMPLES], right: &[i16; FRAME_SAMPLES]) {
        let missed = self.missed.get(&id).copied().unwrap_or(0);
        match self.letters.try_send(Letter::Frame { id, missed, left: *left, right: *right }) {
            Ok(()) if missed > 0 => {
                self.missed.remove(&id);
            }
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                telemetry::TAPE_LOST.add(1);
                *self.missed.entry(id).or_default() += 1;
            }
        }
    }

    /// The tape is over.
    pub fn end(&mut self, id: RecordingId) {
        self.ended.push_back(id);
        self.retry();
    }

    /// Whether an end is still to be told.
    pub fn is_behind(&self) -> bool {
        !self.ended.is_empty()
    }

    /// Tells the ends that did not fit before.
    pub fn retry(&mut self) {
        while let Some(id) = self.ended.front().copied() {
            let missed = self.missed.get(&id).copied().unwrap_or(0);
            match self.letters.try_send(Letter::End { id, missed }) {
                Ok(()) | Err(TrySendError::Disconnected(_)) => {
                    self.missed.remove(&id);
                    self.ended.pop_front();
                }
                Err(TrySendError::Full(_)) => return,
            }
        }
    }
}

/// The recorder's threads. They end when the last feed is gone; tapes open then stay `.part` for the next start.
pub struct Recorder {
    letters: SyncSender<Letter>,
    thread: JoinHandle<()>,
}

impl Recorder {
    /// Starts it on the data directory; `done` is told of each finished tape from a thread of its own.
    pub fn start(data: PathBuf, done: impl FnMut(Recorded) + Send + 'static) -> io::Result<Recorder> {
        let (letters, waiting) = sync_channel(TAPE_FRAMES);
        let (ended, to_file) = sync_channel(TAPES_ENDED);
        let place = data.clone();
        let filing =
            std::thread::Builder::new().name("recorder-end".into()).spawn(move || file_all(&place, &to_file, done))?;
        let thread = std::thread::Builder::new().name("recorder".into()).spawn(move || {
            Desk { data, tapes: HashMap::new(), ended }.work(&waiting);
            if filing.join().is_err() {
                tracing::error!("the recorder's second thread had ended by itself");
            }
        })?;
        Ok(Recorder { letters, thread })
    }

    /// A way to it for one shard.
    pub fn feed(&self) -> TapeFeed {
        TapeFeed { letters: self.letters.clone(), missed: HashMap::new(), ended: VecDeque::new() }
    }

    /// Waits until everything told has been written; the feeds must be gone.
    pub fn finish(self) {
        drop(self.letters);
        if self.thread.join().is_err() {
            tracing::error!("the recorder's thread had ended by itself");
        }
    }
}

struct Desk {
    data: PathBuf,
    tapes: HashMap<RecordingId, Tape>,
    /// Tapes that are over, to be put away.
    ended: SyncSender<(RecordingId, Tape)>,
}

/// A tape that runs, or one that has failed and whose frames are dropped until it ends.
enum Tape {
    Running(Box<Running>),
    Failed,
}

struct Running {
    wav: hound::WavWriter<BufWriter<File>>,
    frames: u64,
}

impl Desk {
    fn work(mut self, waiting: &Receiver<Letter>) {
        while let Ok(letter) = waiting.recv() {
            match letter {
                Letter::Frame { id, missed, left, right } => self.frame(id, missed, &left, &right),
                Letter::End { id, missed } => self.end(id, missed),
            }
        }
        for tape in self.tapes.into_values() {
            if let Tape::Running(mut running) = tape {
                running.wav.flush().unwrap_or_else(|error| tracing::error!(%error, "a tape was not flushed"));
            }
        }
    }

    fn frame(&mut self, id: RecordingId, missed: u32, left: &[i16; FRAME_SAMPLES], right: &[i16; FRAME_SAMPLES]) {
        let data = &self.data;
        let tape = self.tapes.entry(id).or_insert_with(|| Tape::begin(data, id));
        tape.write(id, missed, Some((left, right)));
    }

    fn end(&mut self, id: RecordingId, missed: u32) {
        // A call that ended before its first frame has an empty tape, which is a file all the same.
        let mut tape = self.tapes.remove(&id).unwrap_or_else(|| Tape::begin(&self.data, id));
        tape.write(id, missed, None);
        if self.ended.send((id, tape)).is_err() {
            tracing::error!(recording = %id, "a tape stays unfinished until the next start");
        }
    }
}

/// Puts tapes away one after the other, each as slowly as the disk wants.
fn file_all(data: &Path, ended: &Receiver<(RecordingId, Tape)>, mut done: impl FnMut(Recorded)) {
    while let Ok((id, tape)) = ended.recv() {
        let file = match tape {
            Tape::Running(running) => finish(data, id, *running).map_err(|error| {
                tracing::error!(%error, recording = %id, "a tape could not be finished");
                RecordingFailed
            }),
            Tape::Failed => Err(RecordingFailed),
        };
        done(Recorded { id, file });
    }
}

impl Tape {
    fn begin(data: &Path, id: RecordingId) -> Tape {
        match Running::begin(data, id) {
            Ok(running) => Tape::Running(Box::new(running)),
            Err(error) => {
                tracing::error!(%error, recording = %id, "a tape could not be begun");
                Tape::Failed
            }
        }
    }

    fn write(&mut self, id: RecordingId, missed: u32, frame: Option<(&[i16; 160], &[i16; 160])>) {
        let Tape::Running(running) = self else { return };
        let silence = [0; FRAME_SAMPLES];
        let gap = std::iter::repeat_n((&silence, &silence), usize::try_from(missed).unwrap_or(0));
        for (left, right) in gap.chain(frame) {
            if let Err(error) = running.frame(left, right) {
                tracing::error!(%error, recording = %id, "a tape could not be written");
                *self = Tape::Failed;
                return;
            }
        }
    }
}

impl Running {
    fn begin(data: &Path, id: RecordingId) -> io::Result<Running> {
        let part = data.join(part_of(&relative_path(id)));
        let directory = part.parent().expect("a tape lies four directories deep");
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
        let spec = hound::WavSpec {
            channels: 2,
            sample_rate: SAMPLE_RATE,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut wav = hound::WavWriter::new(BufWriter::new(file), spec).map_err(io_error)?;
        wav.flush().map_err(io_error)?; // A whole header from the first octet on.
        Ok(Running { wav, frames: 0 })
    }

    fn frame(&mut self, left: &[i16; FRAME_SAMPLES], right: &[i16; FRAME_SAMPLES]) -> io::Result<()> {
        let mut writer = self.wav.get_i16_writer(2 * FRAME_SAMPLES as u32);
        for (left, right) in left.iter().zip(right) {
            writer.write_sample(*left);
            writer.write_sample(*right);
        }
        writer.flush().map_err(io_error)?;
        self.frames += 1;
        if self.frames.is_multiple_of(FLUSH_FRAMES) {
            self.wav.flush().map_err(io_error)?;
        }
        Ok(())
    }
}

fn finish(data: &Path, id: RecordingId, running: Running) -> io::Result<RecordedFile> {
    let samples = running.frames * FRAME_SAMPLES as u64;
    running.wav.finalize().map_err(io_error)?; // An error here would be lost if the writer were only dropped.
    settle(data, id, samples)
}

/// Deletes what there is of a recording: audio, its JSON, a tape that was never finished. Gone already is gone.
pub fn erase(data: &Path, id: RecordingId) -> io::Result<()> {
    let path = relative_path(id);
    let whole = data.join(&path);
    for file in [whole.clone(), whole.with_extension("json"), data.join(part_of(&path))] {
        match fs::remove_file(&file) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    match File::open(whole.parent().expect("a tape lies four directories deep")) {
        Ok(directory) => directory.sync_all(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Syncs a whole `.part` file, writes the JSON beside it, and gives it its name.
pub(super) fn settle(data: &Path, id: RecordingId, samples: u64) -> io::Result<RecordedFile> {
    let path = relative_path(id);
    let (part, whole) = (data.join(part_of(&path)), data.join(&path));
    let file = OpenOptions::new().write(true).open(&part)?;
    file.sync_all()?;
    let bytes = file.metadata()?.len();
    write_sidecar(&whole.with_extension("json"), id, samples)?;
    fs::rename(&part, &whole)?;
    File::open(whole.parent().expect("a tape lies four directories deep"))?.sync_all()?;
    Ok(RecordedFile { path, samples, bytes })
}

fn write_sidecar(path: &Path, id: RecordingId, samples: u64) -> io::Result<()> {
    let text = serde_json::json!({
        "id": id,
        "started_at": begun_at(id).to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        "sample_rate": SAMPLE_RATE,
        "channels": ["agent", "customer"],
        "samples": samples,
    });
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    io::Write::write_all(&mut file, format!("{text}\n").as_bytes())?;
    file.sync_all()
}

fn begun_at(id: RecordingId) -> DateTime<chrono::Utc> {
    i64::try_from(id.0.timestamp_ms()).ok().and_then(DateTime::from_timestamp_millis).unwrap_or_default()
}

/// `recordings/YYYY/MM/DD/ID.wav`, by the instant in the id.
pub fn relative_path(id: RecordingId) -> String {
    format!("recordings/{}/{id}.wav", begun_at(id).format("%Y/%m/%d"))
}

fn part_of(path: &str) -> String {
    format!("{path}.part")
}

fn io_error(error: hound::Error) -> io::Error {
    match error {
        hound::Error::IoError(error) => error,
        other => io::Error::other(other),
    }
}
