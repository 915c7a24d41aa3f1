//! The configuration file: TOML in, settings out, or everything that is wrong with it at once, each with line and
//! column and the nearest name that exists.
//!
//! `tables.rs` says what the file may hold, in the words of `schema.rs`. `read.rs` turns TOML into objects whose
//! fields are of their kind and within their limits (`value.rs`), defaults included. `check.rs` looks at what one
//! field cannot tell alone. `build.rs` makes the settings, and `hours.rs` looks
//! whether anything can ever be open. A field this version does not honour yet is accepted and
//! warned about, never ignored in silence.
//!
//! The text is not trusted: it may come over the network one day. Nothing here panics on any text, and one of more
//! than `limits::CONFIG_BYTES` is refused unread.

mod build;
mod check;
pub mod embedded;
pub mod host;
mod hours;
mod kept;
pub mod preset;
mod read;
mod reference;
mod report;
pub mod schema;
mod stored;
pub mod tables;
mod value;

use crate::limits;
use crate::settings::{Settings, ShellSettings, Tz};
use crate::zone::Zones;
pub use reference::{reference, reference_json, reference_of, unit};
use report::Report;
pub use report::{Place, Problem, Severity};
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
pub use tables::find_table;
pub(crate) use value::duration;

pub use kept::{KEPT, fill_secrets};
pub use stored::{SiteObject, Stored, is_secret, normal_fields, object_to_toml};

/// A file that was right.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the switch needs.
    pub settings: Settings,
    /// What the shell needs besides.
    pub shell: ShellSettings,
    /// Every object as values: what `export` writes and the API shows.
    pub objects: Vec<SiteObject>,
    /// What the file asks for and does not get yet.
    pub warnings: Vec<Problem>,
}

/// The world beside the file: files it names, and the zone of the host.
pub trait Files {
    /// The text of a file the configuration names.
    fn read(&self, path: &Path) -> io::Result<String>;
    /// Whether there is such a file.
    fn exists(&self, path: &Path) -> bool;
    /// Its path from where the process runs.
    fn resolve(&self, path: &Path) -> PathBuf;
    /// The zone in force where the file names none.
    fn host_zone(&self) -> Tz;
    /// The newest tables of time zones there are.
    fn zones(&self) -> Zones {
        Zones::bundled()
    }
}

/// Files on the disk, relative to the directory of the configuration.
#[derive(Clone, Debug)]
pub struct Disk {
    base: PathBuf,
    zone: Tz,
}

impl Disk {
    /// Relative to `base`.
    pub fn new(base: &Path) -> Disk {
        Disk { base: base.to_owned(), zone: host::zone() }
    }
}

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<String> {
        let path = self.resolve(path);
        let refused = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, why.to_owned());
        // A device or a pipe would never end; what is looked for is a secret of one line.
        if !path.metadata()?.is_file() {
            return Err(refused("it is no file"));
        }
        let mut text = String::new();
        std::fs::File::open(path)?.take(limits::SECRET_BYTES + 1).read_to_string(&mut text)?;
        if text.len() as u64 > limits::SECRET_BYTES { Err(refused("it is far too long")) } else { Ok(text) }
    }

    fn exists(&self, path: &Path) -> bool {
        self.resolve(path).is_file()
    }

    fn resolve(&self, path: &Path) -> PathBuf {
        self.base.join(path)
    }

    fn host_zone(&self) -> Tz {
        self.zone
    }

    fn zones(&self) -> Zones {
        host::zones()
    }
}

/// Why a file was not taken.
#[derive(Debug)]
pub enum Refused {
    /// It cannot be read.
    Unreadable(PathBuf, io::Error),
    /// It is wrong: errors and warnings, in the order of the file.
    Wrong(PathBuf, Vec<Problem>),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Unreadable(path, error) => {
                let path = path.display();
                write!(f, "{path} cannot be read: {error}; name the file with --config, or leave it out")
            }
            Refused::Wrong(path, problems) => {
                let file = path.display().to_string();
                let lines: Vec<String> = problems.iter().map(|problem| problem.show(&file)).collect();
                f.write_str(&lines.join("\n"))
            }
        }
    }
}

/// Reads the file at `path`.
pub fn load(path: &Path) -> Result<Config, Refused> {
    let bytes = std::fs::read(path).map_err(|error| Refused::Unreadable(path.to_owned(), error))?;
    let base = path.parent().unwrap_or(Path::new(""));
    let parsed = match std::str::from_utf8(&bytes) {
        Ok(text) => parse(text, &Disk::new(base)),
        Err(error) => Err(not_utf8(&bytes[..error.valid_up_to()])),
    };
    parsed.map_err(|problems| Refused::Wrong(path.to_owned(), problems))
}

/// The text is good so far, and then it is not.
fn not_utf8(good: &[u8]) -> Vec<Problem> {
    let mut report = Report::default();
    report.error(good.len(), "here is an octet that is not UTF-8, which TOML is written in");
    report.into_problems(&String::from_utf8_lossy(good))
}

/// Reads a configuration; on failure all errors and warnings, in the order of the text.
pub fn parse(text: &str, files: &dyn Files) -> Result<Config, Vec<Problem>> {
    parse_site(text, &[], files)
}

/// Reads a site: a file, and objects of the store besides. They are checked together, so that a reference may lead
/// from one to the other and a name is unique among both; what is wrong with a stored object carries its `place`.
pub fn parse_site(text: &str, stored: &[Stored<'_>], files: &dyn Files) -> Result<Config, Vec<Problem>> {
    let mut report = Report::default();
    if text.len() > limits::CONFIG_BYTES {
        report.error(0, format!("the file has {} bytes, its limit is {}", text.len(), limits::CONFIG_BYTES));
        return Err(report.into_problems(""));
    }
    let mut rendered = stored::render(stored);
    if let Some(message) = stored::too_much(text, &rendered) {
        report.error(0, message);
        return Err(report.into_problems(""));
    }
    let base = text.len() + 1;
    for (range, _) in &mut rendered.places {
        *range = range.start + base..range.end + base;
    }
    let objects = read::read(text, &rendered.text, base, &mut report);
    check::check(&objects, base, files, &mut report);
    if report.has_errors() {
        return Err(report.into_problems_of(text, &rendered.places));
    }
    let (settings, shell) = build::build(&objects, files);
    hours::check(&objects, &settings, &mut report);
    let objects = stored::site_objects(&objects, base);
    Ok(Config { settings, shell, objects, warnings: report.into_problems_of(text, &rendered.places) })
}

/// What a field takes, in words: its kind and its limits.
pub fn takes(field: &schema::Field) -> String {
    value::wanted(&field.kind)
}
