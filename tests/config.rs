//! The configuration file: what it takes, what it refuses, and in which words.

#![cfg(feature = "shell")]

use ringback::config::{self, Config, Files, Problem};
use ringback::settings::Tz;
use std::io;
use std::path::{Path, PathBuf};

/// A disk with two files.
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

#[test]
fn the_example_of_the_interface_is_taken() {
    let config = parse(include_str!("config/interface.toml")).unwrap();
    eprintln!("{:#?}", config.warnings);
}
