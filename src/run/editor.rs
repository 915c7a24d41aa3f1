//! The site as people edit it: the file's text, and objects of the store beside it. Every change is a new edition of
//! the whole: read and checked together, stored, and only then in force. What is wrong anywhere changes nothing
//! (S5.31).
//!
//! An object of the file is changed in the file; what was made by API or page lies in the store. Edits come one after
//! the other, so that nobody's is lost by another's. Whoever asks may go away at any moment: until the switch is told
//! nothing has changed, and from then on a task of its own sees the change through.

use super::admitted;
use super::commands::{Commands, NoAnswer};
use super::edition::{Edition, Kept, Seal};
use super::prompts::{NotImported, Prompts};
use crate::audio::clip::Library;
use crate::config::schema::Table;
use crate::config::{KEPT, Problem, Severity, SiteObject, find_table, is_secret};
use crate::net::admission::Trusted;
use crate::settings::{ApiKey, PromptSource, Settings, ShellSettings};
use crate::switch::ObjectRecord;
use crate::switch::command::{Command, Configure, Done, Refused, Reply};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::{Mutex, OwnedMutexGuard};

pub use super::edition::Source;

/// Fields of an object, as in the file.
pub type Fields = Map<String, Value>;

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
    /// What changes whenever the object does, and with every start.
    pub tag: String,
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

/// See the module.
#[derive(Clone, Debug)]
pub struct Editor {
    edition: Arc<RwLock<Arc<Edition>>>,
    turn: Arc<Mutex<()>>,
    commands: Commands,
    prompts: Prompts,
    trusted: Trusted,
}

/// What the switch is told of a change.
#[derive(Debug, Default)]
struct Change {
    put: Vec<ObjectRecord>,
    removed: Vec<(String, String)>,
    /// A file may hold another sound than before, though it is called the same.
    has_sound: bool,
}

/// An edition that is right, and what it takes to have it in force.
struct Ready {
    edition: Edition,
    edited: Edited,
    library: Option<Arc<Library>>,
}

impl Editor {
    /// An editor of the site that a source and the store's objects make together. `key` is a random one; `trusted`
    /// hears which trunks there are. Whatever does not fit the file is set aside.
    pub fn new(
        source: Source,
        stored: &[ObjectRecord],
        key: [u8; 32],
        (commands, prompts, trusted): (Commands, Prompts, Trusted),
    ) -> Result<Editor, Vec<Problem>> {
        let edition = Edition::first(source, super::edition::keyed(stored), Seal::new(key))?;
        let edition = Arc::new(RwLock::new(Arc::new(edition)));
        Ok(Editor { edition, turn: Arc::default(), commands, prompts, trusted })
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

    /// Who may ask besides the administrator.
    pub fn api_keys(&self) -> Vec<ApiKey> {
        self.edition().config.shell.api_keys.clone()
    }

    /// What the switch takes from it.
    pub fn settings(&self) -> Settings {
        self.edition().config.settings.clone()
    }

    /// Objects of the store that are not in force, each in a sentence with the way out.
    pub fn set_aside(&self) -> Vec<String> {
        self.edition().set_aside()
    }

    /// All objects of a table, in order.
    pub fn objects(&self, kind: &str) -> Vec<Object> {
        self.edition().objects(kind)
    }

    /// One of them.
    pub fn object(&self, kind: &str, name: &str) -> Option<Object> {
        self.edition().object(kind, name)
    }

    /// The whole site as one file. In the place of secrets stands `config::KEPT`, which `apply` understands.
    pub fn export(&self) -> String {
        self.edition().export()
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
        let turn = self.turn.clone().lock_owned().await;
        self.put_in_turn(turn, kind, name, fields, seen, done).await
    }

    async fn put_in_turn(
        &self,
        turn: OwnedMutexGuard<()>,
        kind: &'static Table,
        name: &str,
        fields: Fields,
        seen: Seen<'_>,
        done: Done,
    ) -> Result<Edited, NotEdited> {
        let before = self.edition();
        let key = (kind.name.to_owned(), name.to_owned());
        let old = before.object(kind.name, name);
        let waits = before.aside.contains_key(&key);
        match (&old, seen) {
            (None, Seen::Nothing) | (Some(_), Seen::Anything) => {}
            (None, Seen::Anything) if waits => {}
            (None, Seen::Tag(_)) if waits => return Err(NotEdited::Changed),
            (Some(_), Seen::Nothing) => return Err(NotEdited::Taken),
            (Some(old), _) if old.site.of_file => return Err(NotEdited::OfFile),
            (Some(old), Seen::Tag(tag)) if old.tag == tag => {}
            (Some(_), Seen::Tag(_)) => return Err(NotEdited::Changed),
            (None, Seen::Tag(_) | Seen::Anything) => return Err(NotEdited::NotFound),
        }
        if old.as_ref().is_some_and(|old| old.site.of_file) {
            return Err(NotEdited::OfFile);
        }
        let kept = old.as_ref().map(|old| &old.site.given).or(before.stored.get(&key));
        let fields = with_secrets(fields, kept);
        let put = vec![ObjectRecord { kind: key.0.clone(), name: key.1.clone(), fields: fields.clone() }];
        let next = move |before: &Edition| {
            let mut stored = before.stored.clone();
            stored.insert(key.clone(), fields);
            before.with(stored, &key).map_err(NotEdited::Wrong)
        };
        self.adopt(turn, next, Change { has_sound: kind.name == "prompt", put, ..Change::default() }, Some(done)).await
    }

    /// Takes an object away, unless somebody refers to it.
    pub async fn delete(&self, kind: &str, name: &str, seen: Seen<'_>, done: Done) -> Result<Edited, NotEdited> {
        let turn = self.turn.clone().lock_owned().await;
        let before = self.edition();
        let key = (kind.to_owned(), name.to_owned());
        let old = before.object(kind, name).filter(|old| !(old.site.of_file && before.aside.contains_key(&key)));
        match (&old, before.aside.contains_key(&key)) {
            (Some(old), _) if old.site.of_file => return Err(NotEdited::OfFile),
            (Some(_), _) | (None, true) => {}
            (None, false) => return Err(NotEdited::NotFound),
        }
        if matches!(seen, Seen::Tag(tag) if old.is_none_or(|old| tag != old.tag)) {
            return Err(NotEdited::Changed);
        }
        let removed = vec![key.clone()];
        let next = move |before: &Edition| {
            let mut stored = before.stored.clone();
            stored.remove(&key);
            // What is right with it and wrong without it refers to it; anything else is told as it is.
            before.with(stored, &key).map_err(|problems| match before.wrong_already() {
                Some(problems) => NotEdited::Wrong(problems),
                None => NotEdited::InUse(who_refers(&problems)),
            })
        };
        self.adopt(turn, next, Change { removed, ..Change::default() }, Some(done)).await
    }

    /// Another text of the file. With `done` unset nothing changes: what would change is told.
    pub async fn apply(&self, text: String, done: Option<Done>) -> Result<Edited, NotEdited> {
        let turn = self.turn.clone().lock_owned().await;
        let file = self.file();
        let is_of_file = match &file {
            Some(file) => tokio::fs::read_to_string(file).await.is_ok_and(|of_file| of_file == text),
            None => false,
        };
        let next = move |before: &Edition| before.with_text(&text).map_err(NotEdited::Wrong);
        let is_dry = done.is_none();
        let mut edited = self.adopt(turn, next, Change::default(), done).await?;
        if !is_of_file && !is_dry {
            edited.warnings.push(match file {
                Some(file) => format!(
                    "it holds until the next start or SIGHUP, which read {}: write it there too",
                    file.display()
                ),
                None => "it holds until the next start: give it to `serve --config`".to_owned(),
            });
        }
        Ok(edited)
    }

    /// Reads the file again.
    pub async fn reload(&self, done: Done) -> Result<Edited, NotEdited> {
        let Some(file) = self.file() else {
            return Err(NotEdited::Unreadable("this switch was started without a file".to_owned()));
        };
        let text = tokio::fs::read_to_string(&file).await;
        let text = text.map_err(|error| NotEdited::Unreadable(format!("{}: {error}", file.display())))?;
        self.apply(text, Some(done)).await
    }

    /// Makes `next` of the edition in force, and puts it into force when `done` says by whom.
    async fn adopt(
        &self,
        turn: OwnedMutexGuard<()>,
        next: impl FnOnce(&Edition) -> Result<Edition, NotEdited> + Send + 'static,
        change: Change,
        done: Option<Done>,
    ) -> Result<Edited, NotEdited> {
        let (editor, has_sound) = (self.clone(), change.has_sound);
        // Reading a large site takes a processor for a while, and calls share it with HTTP.
        let ready = tokio::task::spawn_blocking(move || editor.prepare(next, has_sound)).await;
        let ready = ready.map_err(|_| NotEdited::NoAnswer)??; // It has ended by a fault of ours.
        let Some(done) = done else { return Ok(ready.edited) };
        let editor = self.clone();
        let adopting = tokio::spawn(async move {
            let _turn = turn;
            editor.enforce(ready, change, done).await
        });
        adopting.await.unwrap_or(Err(NotEdited::NoAnswer))
    }

    /// Work of a blocking thread. A sound that cannot be used keeps the whole edition back, in a dry run too.
    fn prepare(
        &self,
        next: impl FnOnce(&Edition) -> Result<Edition, NotEdited>,
        has_sound: bool,
    ) -> Result<Ready, NotEdited> {
        let before = self.edition();
        let edition = next(&before)?;
        let edited = edition.compared(&before);
        let (old, wanted) = (&before.config.shell.prompts, &edition.config.shell.prompts);
        if old == wanted && !has_sound {
            return Ok(Ready { edition, edited, library: None });
        }
        // One that was broken before is no reason to refuse another.
        let forgiven = |name: &str| old.iter().any(|prompt| *prompt.0 == *name && wanted.contains(prompt));
        let library = self.prompts.load(wanted, &forgiven).map_err(|why| NotEdited::Unplayable(why.to_string()))?;
        Ok(Ready { edition, edited, library: Some(library) })
    }

    /// From the first word to the switch to the last consequence. Never to be abandoned in the middle: store, switch
    /// and editor would hold three editions.
    async fn enforce(&self, ready: Ready, change: Change, done: Done) -> Result<Edited, NotEdited> {
        let Ready { edition, edited, library } = ready;
        let settings = Arc::new(edition.config.settings.clone());
        let trusted = admitted(&settings);
        let configure = Configure { settings, put: change.put, removed: change.removed, done: vec![done] };
        match self.commands.ask_to_the_end(Command::Configure(Box::new(configure))).await {
            Ok(Reply::Stored) => {}
            Ok(Reply::Refused(refused)) => return Err(NotEdited::Refused(refused)),
            Ok(_) | Err(NoAnswer) => return Err(NotEdited::NoAnswer),
        }
        let before = self.edition();
        // Only what was uploaded: a file of the site may say a sound that this text of it does not.
        let still = sounds(&edition);
        let unused: Vec<PathBuf> = stored_sounds(&before.stored).filter(|file| !still.contains(file)).collect();
        *self.edition.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(edition);
        self.trusted.put(trusted);
        if let Some(library) = library {
            self.prompts.adopt(library).await;
        }
        self.prompts.forget(unused).await;
        Ok(edited)
    }

    /// An uploaded sound under a name, new or in the place of the one before; whether it is new.
    pub async fn import(&self, name: &str, audio: Vec<u8>, done: Done) -> Result<bool, NotTaken> {
        let wav = self.prompts.decode(audio).await.map_err(NotTaken::Sound)?;
        // Whoever else edits meanwhile finds the file there and named, or not at all.
        let turn = self.turn.clone().lock_owned().await;
        let before = self.edition();
        let old = before.object("prompt", name);
        let file = self.prompts.keep(wav).await.map_err(NotTaken::Sound)?;
        let mut fields = old.as_ref().map(|object| object.site.given.clone()).unwrap_or_default();
        fields.insert("name".to_owned(), name.into());
        fields.insert("file".to_owned(), file.display().to_string().into());
        // A sound takes the place of a text.
        ["text", "voice"].iter().for_each(|field| drop(fields.remove(*field)));
        let seen = old.as_ref().map_or(Seen::Nothing, |old| Seen::Tag(&old.tag));
        let table = find_table("prompt").expect("prompts are objects of the site");
        let put = self.put_in_turn(turn, table, name, fields, seen, done).await;
        if let Err(why) = put {
            let _turn = self.turn.lock().await; // The same sound may just have been taken under another name.
            if !sounds(&self.edition()).contains(&file) {
                self.prompts.forget(vec![file]).await;
            }
            return Err(NotTaken::Site(why));
        }
        Ok(old.is_none())
    }
}

/// Why an upload was not taken. Nothing has changed.
#[derive(Debug)]
pub enum NotTaken {
    /// The sound itself.
    Sound(NotImported),
    /// What the site says to it.
    Site(NotEdited),
}

/// The files of sounds that an edition plays, and of the objects that wait.
fn sounds(edition: &Edition) -> HashSet<PathBuf> {
    let played = edition.config.shell.prompts.iter().filter_map(|(_, source)| match source {
        PromptSource::File(file) => Some(file.clone()),
        PromptSource::Speech(_) => None,
    });
    played.chain(stored_sounds(&edition.stored)).collect()
}

fn stored_sounds(stored: &Kept) -> impl Iterator<Item = PathBuf> {
    let prompts = stored.iter().filter(|((kind, _), _)| kind == "prompt");
    prompts.filter_map(|(_, fields)| Some(PathBuf::from(fields.get("file")?.as_str()?)))
}

/// A secret that is not said again stays what it was.
fn with_secrets(mut fields: Fields, kept: Option<&Fields>) -> Fields {
    for (field, secret) in kept.into_iter().flatten().filter(|(field, _)| is_secret(field)) {
        let is_said = fields.get(field).is_some_and(|said| said != KEPT);
        if !is_said && !fields.contains_key(&format!("{field}_file")) {
            fields.insert(field.clone(), secret.clone());
        }
    }
    fields
}

fn who_refers(problems: &[Problem]) -> String {
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error);
    errors.map(|problem| problem.show("the file")).collect::<Vec<_>>().join(", ")
}

/// A table whose objects may be made and changed while the switch runs.
pub fn editable(kind: &str) -> Option<&'static Table> {
    find_table(kind).filter(|table| table.many)
}
