//! Prompts and music: what ships with us is embedded, what the site brings is decoded here, once, at start.
//!
//! Every clip becomes 8 kHz mono, whatever it was (WAV, FLAC, MP3, Ogg Vorbis). A file may lie about its length, so
//! decoding stops at a limit. A site's prompt of a built-in name takes its place.

use super::speech::Voice;
use crate::audio::clip::{Clip, Library, RINGBACK};
use crate::audio::resample::{self, Resampler};
use crate::audio::{SAMPLE_RATE, tone};
use crate::id::Name;
use crate::limits::CLIP_SAMPLES;
use crate::settings::PromptSource;
use crate::switch::say::PAUSE;
use std::fs::File;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use symphonia::core::codecs::audio::AudioDecoder;
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatReader, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream};

/// Samples a second that a file of sound has; a header that says otherwise lies, and would cost us dearly.
const RATES: std::ops::RangeInclusive<u32> = 4_000..=384_000;

/// The built-in hold music.
pub const HOLD: &str = "hold";

/// The silence between two digits that are read aloud: 60 ms.
const PAUSE_SAMPLES: usize = 480;

macro_rules! built_in {
    ($($name:literal),* $(,)?) => {
        /// Name and WAV file of every built-in clip.
        const BUILT_IN: &[(&str, &[u8])] = &[
            (HOLD, include_bytes!("../../media/hold/hold.wav")),
            $(($name, include_bytes!(concat!("../../media/prompts/en/", $name, ".wav"))),)*
        ];
    };
}

built_in! {
    "accepted", "agent_accept", "agent_available", "agent_busy", "agent_callback", "agent_connecting", "agent_failed",
    "agent_left", "agent_no_answer", "agent_reschedule", "agent_reschedule_before", "all_busy", "attempt",
    "back_to_hold", "call_later", "caller_refused", "closed", "confirm_call", "confirm_number", "customer_never",
    "customer_reschedule", "customer_reschedule_before", "customer_sorry", "digit_0", "digit_1", "digit_2", "digit_3",
    "digit_4", "digit_5", "digit_6", "digit_7", "digit_8", "digit_9", "enter_number", "expected_wait", "goodbye",
    "hundred", "invalid", "logged_in", "logged_out", "minute", "minutes", "not_allowed", "not_in_service", "number_10",
    "number_11", "number_12", "number_13", "number_14", "number_15", "number_16", "number_17", "number_18",
    "number_19", "number_20", "number_30", "number_40", "number_50", "number_60", "number_70", "number_80",
    "number_90", "offer", "offer_before", "paused", "pending_cancelled", "pending_changed", "pending_kept",
    "pending_menu", "plus", "position", "pound", "press", "read_back", "read_back_choice", "recorded_notice",
    "resumed", "sorry", "star", "waited", "welcome", "welcome_callback",
}

/// Why a site's prompt cannot be used.
#[derive(Debug)]
pub struct ClipError {
    /// The prompt's name.
    pub name: Name,
    /// Its file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: Unusable,
}

/// What is wrong with an audio file.
#[derive(Debug)]
pub enum Unusable {
    /// It cannot be read.
    Io(std::io::Error),
    /// It is no WAV, FLAC, MP3 or Ogg Vorbis.
    Format,
    /// It holds no sound.
    Empty,
    /// It is longer than a clip may be.
    TooLong,
}

impl std::fmt::Display for ClipError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the prompt {:?} cannot be used: {} {}", self.name, self.path.display(), self.why)
    }
}

impl std::fmt::Display for Unusable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unusable::Io(error) => write!(f, "cannot be read ({error})"),
            Unusable::Format => f.write_str("is not a WAV, FLAC, MP3 or Ogg Vorbis file we can decode"),
            Unusable::Empty => f.write_str("holds no sound"),
            Unusable::TooLong => f.write_str("is longer than 30 minutes"),
        }
    }
}

impl std::error::Error for ClipError {}

/// Everything that can be played on this site. A prompt of a forgiven name that cannot be used is left out.
pub fn load(
    prompts: &[(Name, PromptSource)],
    country: Option<&str>,
    voice: &Voice,
    forgiven: &dyn Fn(&str) -> bool,
) -> Result<Library, ClipError> {
    let mut library = Library::new();
    for (name, wav) in BUILT_IN {
        let samples = decode(Box::new(Cursor::new(*wav)), Hint::new()).expect("the tests decode every built-in clip");
        library.insert((*name).into(), Arc::new(Clip::new(samples)));
    }
    library.insert(PAUSE.into(), Arc::new(Clip::new(vec![0; PAUSE_SAMPLES])));
    library.insert(RINGBACK.into(), Arc::new(tone::ringback(country.unwrap_or("US"))));
    for (name, source) in prompts {
        match own(name, source, voice) {
            Ok(clip) => clip.into_iter().for_each(|clip| drop(library.insert(name.clone(), Arc::new(clip)))),
            Err(error) if forgiven(name) => tracing::error!(%error, "the prompt is silent"),
            Err(error) => return Err(error),
        }
    }
    Ok(library)
}

/// A prompt of the site. One that cannot be spoken is left out, and says so: what it would have said is not heard,
/// and where a recording depends on it nothing is recorded.
pub fn own(name: &Name, source: &PromptSource, voice: &Voice) -> Result<Option<Clip>, ClipError> {
    let path = match source {
        PromptSource::File(path) => path.clone(),
        PromptSource::Speech(speech) => match voice.speak(speech) {
            Ok(path) => path,
            Err(mute) => {
                tracing::warn!(prompt = ?name, why = %mute, "a text cannot be spoken, its prompt is silent");
                return Ok(None);
            }
        },
    };
    match decode_file(&path) {
        Ok(samples) => Ok(Some(Clip::new(samples))),
        // An upload that is gone: the telephone does not stop for one sound.
        Err(Unusable::Io(error)) if error.kind() == std::io::ErrorKind::NotFound && voice.keeps(&path) => {
            tracing::warn!(prompt = ?name, path = %path.display(), "an uploaded sound is gone, its prompt is silent");
            Ok(None)
        }
        Err(why) => Err(ClipError { name: name.clone(), path, why }),
    }
}

/// A file's sound as 8 kHz mono.
pub fn decode_file(path: &Path) -> Result<Vec<i16>, Unusable> {
    let file = File::open(path).map_err(Unusable::Io)?;
    let mut hint = Hint::new();
    if let Some(extension) = path.extension().and_then(|extension| extension.to_str()) {
        hint.with_extension(extension);
    }
    decode(Box::new(file), hint)
}

/// The same of what came over the network.
pub fn decode_octets(octets: Vec<u8>) -> Result<Vec<i16>, Unusable> {
    decode(Box::new(Cursor::new(octets)), Hint::new())
}

fn decode(source: Box<dyn MediaSource>, hint: Hint) -> Result<Vec<i16>, Unusable> {
    decode_up_to(CLIP_SAMPLES, source, hint)
}

fn decode_up_to(limit: usize, source: Box<dyn MediaSource>, hint: Hint) -> Result<Vec<i16>, Unusable> {
    let stream = MediaSourceStream::new(source, Default::default());
    let mut format = symphonia::default::get_probe()
        .probe(&hint, stream, Default::default(), Default::default())
        .map_err(unusable)?;
    let track = format.default_track(TrackType::Audio).ok_or(Unusable::Format)?;
    let params = track.codec_params.as_ref().and_then(|params| params.audio()).ok_or(Unusable::Format)?;
    let mut decoder =
        symphonia::default::get_codecs().make_audio_decoder(params, &Default::default()).map_err(unusable)?;
    let id = track.id;
    if params.sample_rate.is_some_and(|rate| !RATES.contains(&rate)) {
        return Err(Unusable::Format);
    }
    let samples = mix_down(&mut *format, &mut *decoder, id, limit)?;
    match samples.len() {
        0 => Err(Unusable::Empty),
        more if more > limit => Err(Unusable::TooLong),
        _ => Ok(samples), // From one to the limit.
    }
}

/// All channels of a track as one, at the rate of clips. It is made while it is read: a few octets may stand for half
/// an hour at any rate, and only what is kept of it takes memory.
fn mix_down(
    format: &mut dyn FormatReader,
    decoder: &mut dyn AudioDecoder,
    track: u32,
    limit: usize,
) -> Result<Vec<i16>, Unusable> {
    let (mut samples, mut frame, mut mono) = (Vec::new(), Vec::new(), Vec::new());
    let mut resampler: Option<(u32, Resampler)> = None;
    // A stream that ends early, or begins anew with other parameters, ends here: what came before is good.
    while let Ok(Some(packet)) = format.next_packet() {
        if packet.track_id != track {
            continue;
        }
        let sound = match decoder.decode(&packet) {
            Ok(sound) => sound,
            Err(Error::DecodeError(_)) => continue, // One damaged packet is a click, not a broken file.
            Err(_) => break,
        };
        let (rate, channels) = (sound.spec().rate(), sound.spec().channels().count().max(1));
        if !RATES.contains(&rate) {
            return Err(Unusable::Format);
        }
        let (of, resampler) = resampler.get_or_insert_with(|| (rate, Resampler::new(rate, SAMPLE_RATE)));
        if *of != rate {
            break;
        }
        frame.resize(sound.samples_interleaved(), 0.0f32);
        sound.copy_to_slice_interleaved(&mut frame);
        mono.clear();
        mono.extend(frame.chunks_exact(channels).map(|all| all.iter().sum::<f32>() / channels as f32));
        samples.append(&mut resample::to_i16(&resampler.push(&mono)));
        if samples.len() > limit {
            return Err(Unusable::TooLong);
        }
    }
    let rest = resampler.map(|(_, mut resampler)| resampler.finish()).unwrap_or_default();
    samples.append(&mut resample::to_i16(&rest));
    Ok(samples)
}

fn unusable(error: Error) -> Unusable {
    match error {
        // The end of the file in the middle of its head: the file's fault, not the disk's.
        Error::IoError(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => Unusable::Io(error),
        _ => Unusable::Format,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mute() -> Voice {
        Voice { command: None, kept: std::env::temp_dir().join("ringback-nobody").join("speech") }
    }

    // S3.B9: the stock prompts (order accepted; all busy, press one) are there in the language that ships.
    #[test]
    fn every_built_in_clip_decodes_and_none_is_missing() {
        let library = load(&[], Some("GB"), &mute(), &|_| false).unwrap();

        let texts = include_str!("../../media/prompts/en.tsv");
        for name in texts.lines().filter_map(|line| line.split('\t').next()).filter(|name| !name.is_empty()) {
            assert!(library.contains_key(name), "{name} has a text and no sound");
        }
        assert_eq!(library[HOLD].len(), 72 * 8_000);
        assert!(library.contains_key(RINGBACK));
        assert!(library[PAUSE].samples().iter().all(|sample| *sample == 0) && !library[PAUSE].is_empty());
    }

    #[test]
    fn a_prompt_that_is_no_audio_names_itself_and_its_file() {
        let path = std::env::temp_dir().join(format!("ringback-no-audio-{}.wav", std::process::id()));
        std::fs::write(&path, b"not a sound").unwrap();

        let of = |path: PathBuf| [("greeting".into(), PromptSource::File(path))];
        let error = load(&of(path.clone()), None, &mute(), &|_| false).unwrap_err().to_string();
        let missing = load(&of("/nowhere/at/all.wav".into()), None, &mute(), &|_| false).unwrap_err().to_string();
        let forgiven = load(&of(path.clone()), None, &mute(), &|name| name == "greeting").unwrap();
        std::fs::remove_file(&path).unwrap();

        assert!(error.contains("\"greeting\"") && error.contains(&path.display().to_string()), "{error}");
        assert!(missing.contains("cannot be read"), "{missing}");
        assert!(!forgiven.contains_key("greeting") && forgiven.contains_key(HOLD));
    }

    // S5.32: FLAC, Ogg Vorbis and MP3 become 8 kHz mono: half a second of 440 Hz at half amplitude.
    #[test]
    fn every_format_of_sound_that_a_site_may_bring_is_heard_as_it_was_made() {
        let directory = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/audio"));
        // MP3 comes in blocks of its own: it begins late and ends late by some of them.
        for (file, more_ms) in [("tone.flac", 0), ("tone.ogg", 0), ("tone.mp3", 130)] {
            let path = directory.join(file);
            let by_file = decode_file(&path).unwrap_or_else(|error| panic!("{file}: {error:?}"));
            let octets = std::fs::read(&path).unwrap();
            assert_eq!(decode_octets(octets).unwrap(), by_file, "{file}: without its name");

            let length = by_file.len();
            assert!((3_960..=4_040 + 8 * more_ms).contains(&length), "{file}: {length} samples");
            let middle = &by_file[1_600..3_200];
            let rises = middle.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count();
            assert!((87..=89).contains(&rises), "{file}: {rises} waves in 200 ms");
            let loudest = middle.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
            assert!((15_500..=17_500).contains(&loudest), "{file}: {loudest}");
        }
    }

    /// A WAV file of silence that says it has this rate.
    fn silence(rate: u32, samples: u32) -> Vec<u8> {
        let mut wav = Vec::new();
        wav.extend_from_slice(b"RIFF");
        wav.extend_from_slice(&(36 + samples).to_le_bytes());
        wav.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
        wav.extend_from_slice(&rate.to_le_bytes());
        wav.extend_from_slice(&rate.to_le_bytes());
        wav.extend_from_slice(b"\x01\0\x08\0data");
        wav.extend_from_slice(&samples.to_le_bytes());
        wav.resize(wav.len() + samples as usize, 128);
        wav
    }

    #[test]
    fn a_rate_that_no_sound_has_is_refused_however_much_follows() {
        for rate in [1, 3_999, 384_001, u32::MAX] {
            assert!(matches!(decode_octets(silence(rate, 20_000)), Err(Unusable::Format)), "{rate} Hz");
        }
        assert_eq!(decode_octets(silence(4_000, 4_000)).unwrap().len(), 8_000);
        assert_eq!(decode_octets(silence(384_000, 384_000)).unwrap().len(), 8_000);
    }

    #[test]
    fn a_sound_of_more_than_the_limit_is_refused_wherever_it_passes_it() {
        let decoded = |samples: u32| {
            decode_up_to(8_000, Box::new(Cursor::new(silence(4_000, samples))), Hint::new()).map(|sound| sound.len())
        };

        assert_eq!(decoded(4_000).unwrap(), 8_000);
        for too_many in [4_001, 4_100, 40_000] {
            assert!(matches!(decoded(too_many), Err(Unusable::TooLong)), "{too_many} samples");
        }
    }
}
