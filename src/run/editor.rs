//! The site as people edit it: the file's text, and objects of the store beside it. Every change is a new edition of
//! the whole: read and checked together, stored, and only then in force. What is wrong anywhere changes nothing
//! (S5.31).
//!
//! An object of the file is changed in the file; what was made by API or page lies in the store. Edits come one after
//! the other, so that nobody's is lost by another's.

use super::commands::{Commands, NoAnswer};
use super::prompts::Prompts;
use crate::audio::clip::Library;
use crate::config::schema::Table;
use crate::config::{Config, Disk, Files, Problem, Severity, SiteObject, Stored, find_table, is_secret, parse_site};
use crate::settings::{Settings, ShellSettings};
use crate::switch::ObjectRecord;
use crate::switch::command::{Command, Configure, Done, Refused, Reply};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::Mutex;

/// Fields of an object, as in the file.
pub type Fields = Map<String, Value>;

/// What the site is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The text of the file, or of the embedded site.
    pub text: String,
    /// The file; `None`: there is none to read again.
    pub file: Option<PathBuf>,
}

/// Why an edit was not taken. Nothing has changed.
#[derive(Clone, Debug, PartialEq)]
pub enum NotEdited {
    /// There is no such object.
    NotFound,
    /// It stands in the file, and is changed there.
    OfFile,
    /// It is another one than the editor has seen.
    Changed,
    /// There is one of this name already.
    Taken,
    /// The site would be wrong so.
    Wrong(Vec<Problem>),
    /// A sound of it cannot be used: which, and why.
    Unplayable(String),
    /// Somebody refers to it: who.
    InUse(String),
    /// The file cannot be read.
    Unreadable(String),
    /// The switch has refused it.
    Refused(Refused),
    /// The switch does not answer.
    NoAnswer,
}

/// An edition that was taken, or would be.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Edited {
    /// Objects that are new: `queue/support`.
    pub added: Vec<String>,
    /// Objects whose fields are others now, and which.
    pub changed: BTreeMap<String, Vec<String>>,
    /// Objects that are gone.
    pub removed: Vec<String>,
    /// What the site asks for and does not get, or not before the next start.
    pub warnings: Vec<String>,
}

/// An object as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// As the site has it. Secrets are in it.
    pub site: SiteObject,
    /// What changes whenever the object does.
    pub tag: String,
}

type Key = (String, String);

#[derive(Clone, Debug)]
struct Edition {
    source: Source,
    stored: BTreeMap<Key, Fields>,
    config: Config,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Editor {
    edition: Arc<RwLock<Arc<Edition>>>,
    turn: Arc<Mutex<()>>,
    commands: Commands,
    prompts: Prompts,
}

/// Reads the site that a source and the store's objects make together.
pub fn read(source: &Source, stored: &[ObjectRecord]) -> Result<Config, Vec<Problem>> {
    parse(source, &keyed(stored))
}

fn keyed(stored: &[ObjectRecord]) -> BTreeMap<Key, Fields> {
    stored.iter().map(|object| ((object.kind.clone(), object.name.clone()), object.fields.clone())).collect()
}

fn parse(source: &Source, stored: &BTreeMap<Key, Fields>) -> Result<Config, Vec<Problem>> {
    let stored: Vec<Stored<'_>> = stored.iter().map(|((kind, name), fields)| Stored { kind, name, fields }).collect();
    parse_site(&source.text, &stored, &disk(source))
}

fn disk(source: &Source) -> impl Files + use<> {
    Disk::new(source.file.as_deref().and_then(std::path::Path::parent).unwrap_or(std::path::Path::new("")))
}

impl Editor {
    /// An editor of the site that runs.
    pub fn new(
        source: Source,
        stored: &[ObjectRecord],
        config: Config,
        commands: Commands,
        prompts: Prompts,
    ) -> Editor {
        let edition = Edition { source, stored: keyed(stored), config };
        Editor { edition: Arc::new(RwLock::new(Arc::new(edition))), turn: Arc::default(), commands, prompts }
    }

    fn edition(&self) -> Arc<Edition> {
        self.edition.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The file it is read from.
    pub fn file(&self) -> Option<PathBuf> {
        self.edition().source.file.clone()
    }

    /// What the shell takes from the edition in force.
    pub fn shell(&self) -> ShellSettings {
        self.edition().config.shell.clone()
    }

    /// What the switch takes from it.
    pub fn settings(&self) -> Settings {
        self.edition().config.settings.clone()
    }

    /// All objects of a table, in order.
    pub fn objects(&self, kind: &str) -> Vec<Object> {
        self.edition().objects(kind)
    }

    /// One of them.
    pub fn object(&self, kind: &str, name: &str) -> Option<Object> {
        self.objects(kind).into_iter().find(|object| object.site.name == name)
    }

    /// The whole site as one file, without secrets.
    pub fn export(&self) -> String {
        let edition = self.edition();
        let objects = edition.config.objects.iter().filter(|object| !object.given.is_empty());
        objects.map(|object| object.clone().redacted().to_toml()).collect::<Vec<_>>().join("\n")
    }

    /// Makes an object, or changes one. `seen` is its tag as the editor has seen it.
    pub async fn put(
        &self,
        kind: &'static Table,
        name: &str,
        fields: Fields,
        seen: Seen<'_>,
        done: Done,
    ) -> Result<Edited, NotEdited> {
        let _turn = self.turn.lock().await;
        let before = self.edition();
        let old = self.object(kind.name, name);
        match (&old, seen) {
            (None, Seen::Nothing) | (Some(_), Seen::Anything) => {}
            (Some(_), Seen::Nothing) => return Err(NotEdited::Taken),
            (Some(old), _) if old.site.of_file => return Err(NotEdited::OfFile),
            (Some(old), Seen::Tag(tag)) if old.tag == tag => {}
            (Some(_), Seen::Tag(_)) => return Err(NotEdited::Changed),
            (None, Seen::Tag(_) | Seen::Anything) => return Err(NotEdited::NotFound),
        }
        if old.as_ref().is_some_and(|old| old.site.of_file) {
            return Err(NotEdited::OfFile);
        }
        let fields = with_secrets(fields, old.as_ref());
        let mut edition = Edition::clone(&before);
        edition.stored.insert((kind.name.to_owned(), name.to_owned()), fields.clone());
        let put = vec![ObjectRecord { kind: kind.name.to_owned(), name: name.to_owned(), fields }];
        self.adopt(&before, edition, put, Vec::new(), Some(done)).await
    }

    /// Takes an object away, unless somebody refers to it.
    pub async fn delete(&self, kind: &str, name: &str, seen: Seen<'_>, done: Done) -> Result<Edited, NotEdited> {
        let _turn = self.turn.lock().await;
        let before = self.edition();
        let old = self.object(kind, name).ok_or(NotEdited::NotFound)?;
        if old.site.of_file {
            return Err(NotEdited::OfFile);
        }
        if matches!(seen, Seen::Tag(tag) if tag != old.tag) {
            return Err(NotEdited::Changed);
        }
        let mut edition = Edition::clone(&before);
        edition.stored.remove(&(kind.to_owned(), name.to_owned()));
        let removed = vec![(kind.to_owned(), name.to_owned())];
        match self.adopt(&before, edition, Vec::new(), removed, Some(done)).await {
            // The site was right with it, so what is wrong without it refers to it.
            Err(NotEdited::Wrong(problems)) => Err(NotEdited::InUse(who_refers(&problems))),
            other => other,
        }
    }

    /// Another text of the file. With `done` unset nothing changes: what would change is told.
    pub async fn apply(&self, text: String, done: Option<Done>) -> Result<Edited, NotEdited> {
        let _turn = self.turn.lock().await;
        let before = self.edition();
        let mut edition = Edition::clone(&before);
        edition.source.text = text;
        // A file is right by itself: the next start reads it before it knows the store.
        parse(&edition.source, &BTreeMap::new()).map_err(NotEdited::Wrong)?;
        self.adopt(&before, edition, Vec::new(), Vec::new(), done).await
    }

    /// Reads the file again.
    pub async fn reload(&self, done: Done) -> Result<Edited, NotEdited> {
        let edition = self.edition();
        let Some(file) = &edition.source.file else {
            return Err(NotEdited::Unreadable("this switch was started without a file".to_owned()));
        };
        let text = tokio::fs::read_to_string(file).await;
        let text = text.map_err(|error| NotEdited::Unreadable(format!("{}: {error}", file.display())))?;
        self.apply(text, Some(done)).await
    }

    async fn adopt(
        &self,
        before: &Edition,
        mut edition: Edition,
        put: Vec<ObjectRecord>,
        removed: Vec<(String, String)>,
        done: Option<Done>,
    ) -> Result<Edited, NotEdited> {
        edition.config = parse(&edition.source, &edition.stored).map_err(NotEdited::Wrong)?;
        let mut edited = compare(before, &edition);
        edited.warnings = warnings(before, &edition);
        let Some(done) = done else { return Ok(edited) };
        let library = self.library(before, &edition).await?;
        let settings = Arc::new(edition.config.settings.clone());
        let configure = Configure { settings, put, removed, done: vec![done] };
        match self.commands.ask(Command::Configure(Box::new(configure))).await {
            Ok(Reply::Stored) => {}
            Ok(Reply::Refused(refused)) => return Err(NotEdited::Refused(refused)),
            Ok(_) | Err(NoAnswer) => return Err(NotEdited::NoAnswer),
        }
        *self.edition.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(edition);
        if let Some(library) = library {
            self.prompts.adopt(library).await;
        }
        Ok(edited)
    }

    /// What can be played in an edition with other prompts; `None`: they are the same. A sound that cannot be used
    /// keeps the whole edition back.
    async fn library(&self, before: &Edition, edition: &Edition) -> Result<Option<Arc<Library>>, NotEdited> {
        let wanted = edition.config.shell.prompts.clone();
        if before.config.shell.prompts == wanted {
            return Ok(None);
        }
        let prompts = self.prompts.clone();
        match tokio::task::spawn_blocking(move || prompts.load(&wanted)).await {
            Ok(Ok(library)) => Ok(Some(library)),
            Ok(Err(why)) => Err(NotEdited::Unplayable(why.to_string())),
            Err(_) => Err(NotEdited::Unplayable("decoding a sound has ended by a fault of ours".to_owned())),
        }
    }
}

/// What the editor knows of the object it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen<'a> {
    /// That there is none.
    Nothing,
    /// That there is one.
    Anything,
    /// One with this tag.
    Tag(&'a str),
}

impl Edition {
    fn objects(&self, kind: &str) -> Vec<Object> {
        // Objects of tables without names are called by what the store calls them; they keep its order.
        let mut names = self.stored.keys().filter(|(of, _)| of == kind).map(|(_, name)| name);
        let of_kind = self.config.objects.iter().filter(|object| object.kind == kind);
        let named = of_kind.map(|object| {
            let mut site = object.clone();
            if !site.of_file
                && let Some(name) = names.next()
            {
                site.name.clone_from(name);
            }
            let tag = tag(&site);
            Object { site, tag }
        });
        named.collect()
    }

    fn all(&self) -> BTreeMap<String, Fields> {
        let kinds: std::collections::BTreeSet<&str> = self.config.objects.iter().map(|object| object.kind).collect();
        let objects = kinds.into_iter().flat_map(|kind| self.objects(kind));
        objects.map(|object| (place(&object.site), object.site.fields)).collect()
    }
}

fn place(object: &SiteObject) -> String {
    if object.name.is_empty() { object.kind.to_owned() } else { format!("{}/{}", object.kind, object.name) }
}

fn tag(object: &SiteObject) -> String {
    let said = Value::Object(object.given.clone()).to_string();
    Sha256::digest(said.as_bytes()).iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}

/// A secret that is not said again stays what it was.
fn with_secrets(mut fields: Fields, old: Option<&Object>) -> Fields {
    for (field, secret) in old.into_iter().flat_map(|old| &old.site.given).filter(|(field, _)| is_secret(field)) {
        if !fields.contains_key(&format!("{field}_file")) {
            fields.entry(field.clone()).or_insert_with(|| secret.clone());
        }
    }
    fields
}

fn who_refers(problems: &[Problem]) -> String {
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error);
    let who = errors.map(|problem| match &problem.place {
        Some(place) => place.to_string(),
        None => format!("line {} of the file", problem.line),
    });
    who.collect::<Vec<_>>().join(", ")
}

fn compare(before: &Edition, after: &Edition) -> Edited {
    let (old, new) = (before.all(), after.all());
    let changed = new.iter().filter_map(|(place, fields)| {
        let old = old.get(place)?;
        let other = |field: &&String| old.get(*field) != fields.get(*field);
        let fields: std::collections::BTreeSet<&String> = old.keys().chain(fields.keys()).filter(other).collect();
        (!fields.is_empty()).then(|| (place.clone(), fields.into_iter().cloned().collect()))
    });
    Edited {
        added: new.keys().filter(|place| !old.contains_key(*place)).cloned().collect(),
        changed: changed.collect(),
        removed: old.keys().filter(|place| !new.contains_key(*place)).cloned().collect(),
        warnings: Vec::new(),
    }
}

fn warnings(before: &Edition, after: &Edition) -> Vec<String> {
    let mut told: Vec<String> = after.config.warnings.iter().map(ToString::to_string).collect();
    if before.objects("server") != after.objects("server") {
        told.push("[server] holds from the next start on".to_owned());
    }
    told
}

/// A table whose objects may be made and changed while the switch runs.
pub fn editable(kind: &str) -> Option<&'static Table> {
    find_table(kind).filter(|table| table.many)
}
