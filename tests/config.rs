//! The configuration file: what it takes, what it refuses, and in which words.

#![cfg(feature = "shell")]

#[path = "config/accepted.rs"]
mod accepted;
#[path = "config/hours.rs"]
mod hours;
#[path = "config/limits.rs"]
mod limits;
#[path = "config/presets.rs"]
mod presets;
#[path = "config/reference.rs"]
mod reference;
#[path = "config/refused.rs"]
mod refused;
#[path = "config/stored.rs"]
mod stored;

use ringback::config::{self, Config, Files, Problem};
use ringback::settings::Tz;
use std::io;
use std::path::{Path, PathBuf};

/// A disk with three files, in Berlin.
struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<String> {
        match path.to_str() {
            Some("anna.secret") => Ok("from-a-file\n".into()),
            Some("empty.secret") => Ok("\n".into()),
            _ => Err(io::Error::new(io::ErrorKind::NotFound, "no such file")),
        }
    }

    fn exists(&self, path: &Path) -> bool {
        path == Path::new("hello.wav")
    }

    fn resolve(&self, path: &Path) -> PathBuf {
        Path::new("site").join(path)
    }

    fn host_zone(&self) -> Tz {
        Tz::Europe__Berlin
    }
}

fn parse(text: &str) -> Result<Config, Vec<Problem>> {
    config::parse(text, &Disk)
}

/// Problems as people read them, one a line.
fn shown(problems: &[Problem]) -> String {
    problems.iter().map(|problem| problem.show("ringback.toml") + "\n").collect()
}

#[test]
fn no_text_makes_the_parser_panic() {
    bolero::check!().with_type::<Vec<u8>>().for_each(|bytes| {
        let _ = parse(&String::from_utf8_lossy(bytes));
    });
}

/// Damage done to a good file reaches deeper than noise.
#[test]
fn no_damage_to_a_good_file_makes_the_parser_panic() {
    let good = include_str!("config/every_field.toml");
    bolero::check!().with_type::<(u16, u16, Vec<u8>)>().for_each(|(at, length, bytes)| {
        let mut text = good.as_bytes().to_vec();
        let at = usize::from(*at) % text.len();
        let end = (at + usize::from(*length) % 64).min(text.len());
        text.splice(at..end, bytes.iter().copied());
        let _ = parse(&String::from_utf8_lossy(&text));
    });
}
