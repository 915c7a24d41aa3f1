//! Texts that are spoken (S5.26): a program reads the text on its standard input and writes a WAV file to its standard
//! output. `server.speech_command` names it, `{lang}` and `{voice}` in its arguments are filled in; without it
//! espeak-ng or flite is used, whichever is installed. No shell sees the text. What was spoken once is kept in the data
//! directory under a hash of everything that made it, so that a start needs no engine as long as no text changes.

use super::clips;
use crate::settings::Speech;
use sha2::{Digest, Sha256};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long an engine may take for one text.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is looked whether it has finished.
const LOOK: Duration = Duration::from_millis(10);

/// Why a text was not spoken.
#[derive(Debug)]
pub enum Mute {
    /// No engine is installed that speaks this language.
    NoEngine,
    /// The engine could not be started, or its output not be kept.
    Io(String, io::Error),
    /// It ended with a failure, or took too long.
    Failed(String),
    /// What it wrote is no audio we can decode.
    NoAudio(String),
}

impl std::fmt::Display for Mute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Mute::NoEngine => f.write_str("install espeak-ng (or flite, for English), or set server.speech_command"),
            Mute::Io(program, error) => write!(f, "{program}: {error}"),
            Mute::Failed(program) => write!(f, "{program} failed or took longer than {} s", PATIENCE.as_secs()),
            Mute::NoAudio(program) => write!(f, "{program} wrote no audio that can be decoded"),
        }
    }
}

impl std::error::Error for Mute {}

/// What speaks, and where it is kept.
#[derive(Clone, Debug)]
pub struct Voice {
    /// `server.speech_command`
    pub command: Option<Vec<String>>,
    /// The folder of what was spoken; made when it is not there.
    pub kept: PathBuf,
}

impl Voice {
    /// Whether this is one of the sounds that the data directory keeps.
    pub fn keeps(&self, path: &Path) -> bool {
        self.kept.parent().is_some_and(|folder| path.starts_with(folder))
    }

    /// The spoken text as an audio file.
    pub fn speak(&self, speech: &Speech) -> Result<PathBuf, Mute> {
        let file = self.kept.join(format!("{}.wav", self.key(speech)));
        if file.is_file() {
            return Ok(file);
        }
        let mut last = Mute::NoEngine;
        for engine in self.engines(speech) {
            match self.run(&engine, speech, &file) {
                Ok(()) => return Ok(file),
                // Not installed: perhaps the next one is.
                Err(Mute::Io(_, error)) if error.kind() == io::ErrorKind::NotFound && self.command.is_none() => {}
                Err(mute) => last = mute,
            }
        }
        Err(last)
    }

    /// Program and arguments, in order of preference.
    fn engines(&self, speech: &Speech) -> Vec<Vec<String>> {
        let voice = speech.voice.as_deref();
        if let Some(command) = &self.command {
            let fill =
                |part: &String| part.replace("{lang}", &speech.lang).replace("{voice}", voice.unwrap_or_default());
            return vec![command.iter().map(fill).collect()];
        }
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let mut engines = vec![words(&["espeak-ng", "--stdin", "--stdout", "-v", voice.unwrap_or(&speech.lang)])];
        if speech.lang.to_ascii_lowercase().starts_with("en") {
            let voice = voice.unwrap_or("slt");
            engines.push(words(&["flite", "-f", "/dev/stdin", "-o", "/dev/stdout", "-voice", voice]));
        }
        engines
    }

    fn run(&self, engine: &[String], speech: &Speech, file: &Path) -> Result<(), Mute> {
        let (program, arguments) = engine.split_first().ok_or(Mute::NoEngine)?;
        let io = |error| Mute::Io(program.clone(), error);
        DirBuilder::new().recursive(true).mode(0o700).create(&self.kept).map_err(io)?;
        let part = file.with_extension("part");
        // A file and not a pipe: flite writes its header last.
        let out = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part).map_err(io)?;
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(out)
            .stderr(Stdio::null())
            .spawn()
            .map_err(io)?;
        let spoken = finish(child, &speech.text).map_err(io)?;
        let decoded = spoken && clips::decode_file(&part).is_ok();
        if !decoded {
            drop(fs::remove_file(&part)); // Nobody would look for it.
            return Err(if spoken { Mute::NoAudio(program.clone()) } else { Mute::Failed(program.clone()) });
        }
        File::open(&part).and_then(|file| file.sync_all()).map_err(io)?;
        fs::rename(&part, file).map_err(io)
    }

    fn key(&self, speech: &Speech) -> String {
        let mut hash = Sha256::new();
        let command = self.command.iter().flatten().map(String::as_str);
        let rest = [speech.text.as_str(), &speech.lang, speech.voice.as_deref().unwrap_or_default()];
        for part in command.chain(rest) {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Gives the text and waits; whether it ended well in time.
fn finish(mut child: Child, text: &str) -> io::Result<bool> {
    let given = child.stdin.take().map_or(Ok(()), |mut input| input.write_all(text.as_bytes()));
    // A program that has all it wants may close its input early; what counts is what it writes.
    let _ = given;
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        if begun.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            return Ok(false);
        }
        std::thread::sleep(LOOK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voice(name: &str, command: &[&str]) -> Voice {
        let kept = std::env::temp_dir().join(format!("ringback-speech-{name}-{}", std::process::id()));
        Voice { command: Some(command.iter().map(|part| (*part).to_owned()).collect()), kept }
    }

    fn text(text: &str) -> Speech {
        Speech { text: text.to_owned(), lang: "en".to_owned(), voice: None }
    }

    // S5.26: the notice as text; the engine is a configured command, and its output is kept.
    #[test]
    fn a_text_is_spoken_once_by_the_configured_command_and_then_found() {
        let clip = concat!(env!("CARGO_MANIFEST_DIR"), "/media/prompts/en/offer.wav");
        let voice = voice("once", &["cat", clip]);

        let first = voice.speak(&text("This call is recorded.")).expect("cat writes the clip");
        fs::write(&first, b"kept").expect("writable");
        let second = voice.speak(&text("This call is recorded.")).expect("it is there");
        let other = voice.speak(&text("Something else.")).expect("cat writes the clip");
        let kept = fs::read(&second).expect("readable");
        fs::remove_dir_all(&voice.kept).expect("removable");

        assert_eq!((first.clone(), kept), (second, b"kept".to_vec()), "the engine is not asked twice");
        assert_ne!(first, other);
    }

    #[test]
    fn a_command_that_is_not_there_fails_or_writes_no_audio_says_which() {
        let spoken = |command: &[&str]| {
            let voice = voice(command[0].trim_start_matches('/'), command);
            let spoken = voice.speak(&text("Hello.")).expect_err("no audio").to_string();
            drop(fs::remove_dir_all(&voice.kept));
            spoken
        };

        assert!(spoken(&["no-such-engine"]).starts_with("no-such-engine: "));
        assert!(spoken(&["false"]).starts_with("false failed"));
        assert!(spoken(&["cat"]).contains("no audio"), "the text itself is no WAV file");
    }

    #[test]
    fn language_and_voice_are_filled_into_the_arguments() {
        let voice = voice("arguments", &["speak", "--lang={lang}", "{voice}"]);
        let speech = Speech { voice: Some("anna; rm".to_owned()), lang: "de".to_owned(), ..text("") };

        assert_eq!(voice.engines(&speech), [["speak", "--lang=de", "anna; rm"]]);
    }
}
