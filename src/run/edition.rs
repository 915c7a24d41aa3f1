//! One edition of the site: the file's text and the store's objects, read and checked together.
//!
//! The file has the last word. An object of the store that stands in its way – the file has one of that name, or no
//! longer has what it refers to – is set aside: it stays in the store, is named with what to do, and is back in force
//! with the first edition it fits. So neither a start nor a reload fails because of what the store holds.

use super::editor::{Edited, Fields, Object};
use crate::config::schema::Table;
use crate::config::{
    Config, Disk, Files, KEPT, Problem, Severity, SiteObject, Stored, fill_secrets, find_table, is_secret,
    normal_fields, parse_site,
};
use crate::switch::ObjectRecord;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// What the site is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The text of the file, or of the embedded site.
    pub text: String,
    /// The file; `None`: there is none to read again.
    pub file: Option<PathBuf>,
}

/// Table and name of an object of the store.
pub(super) type Key = (String, String);

/// Objects of the store.
pub(super) type Kept = BTreeMap<Key, Fields>;

/// What the tags of objects are made with. They are made of secrets too, and shown to everybody who may look: without
/// a key a short secret could be guessed from one. It lives as long as the process, and so do tags.
#[derive(Clone)]
pub(super) struct Seal(Arc<[u8; 32]>);

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

impl Seal {
    pub(super) fn new(key: [u8; 32]) -> Seal {
        Seal(Arc::new(key))
    }

    fn tag(&self, object: &SiteObject) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&*self.0).expect("HMAC takes keys of every length");
        mac.update(Value::Object(object.given.clone()).to_string().as_bytes());
        mac.finalize().into_bytes().iter().take(12).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Edition {
    pub source: Source,
    /// All that the store holds of the site.
    pub stored: Kept,
    /// Objects of the store that are not in force, and why.
    pub aside: BTreeMap<Key, String>,
    pub config: Config,
    seal: Seal,
}

/// The objects of a store by their keys.
pub(super) fn keyed(stored: &[ObjectRecord]) -> Kept {
    stored.iter().map(|object| ((object.kind.clone(), object.name.clone()), object.fields.clone())).collect()
}

fn parse(source: &Source, stored: &Kept, aside: &BTreeMap<Key, String>) -> Result<Config, Vec<Problem>> {
    let stored = stored.iter().filter(|(key, _)| !aside.contains_key(*key));
    let stored: Vec<Stored<'_>> = stored.map(|((kind, name), fields)| Stored { kind, name, fields }).collect();
    parse_site(&source.text, &stored, &disk(source))
}

fn disk(source: &Source) -> impl Files + use<> {
    Disk::new(source.file.as_deref().and_then(std::path::Path::parent).unwrap_or(std::path::Path::new("")))
}

impl Edition {
    /// At the start: whatever does not fit is set aside. It fails only when the file is wrong by itself.
    pub(super) fn first(source: Source, stored: Kept, seal: Seal) -> Result<Edition, Vec<Problem>> {
        let file = parse(&source, &Kept::new(), &BTreeMap::new())?;
        let aside = in_the_way(&file, &stored);
        let all = stored.keys().cloned().collect();
        Edition::settle(source, stored, aside, &all, seal)
    }

    /// The next one, with another object of the store. What has been set aside is tried again; this one is either
    /// right or refused.
    pub(super) fn with(&self, stored: Kept, edited: &Key) -> Result<Edition, Vec<Problem>> {
        let mut aside = in_the_way(&self.config, &stored);
        aside.retain(|key, _| key != edited && self.aside.contains_key(key));
        self.next(self.source.clone(), stored, aside, edited)
    }

    /// The next one, with another text. What the text takes from objects that are in force is a mistake of the text.
    pub(super) fn with_text(&self, text: &str) -> Result<Edition, Vec<Problem>> {
        let text = fill_secrets(text, &|kind, name, field| self.secret(kind, name, field));
        let source = Source { text, file: self.source.file.clone() };
        // A file is right by itself: the next start reads it before it knows the store.
        let file = parse(&source, &Kept::new(), &BTreeMap::new())?;
        let aside = in_the_way(&file, &self.stored);
        self.next(source, self.stored.clone(), aside, &Key::default())
    }

    fn next(
        &self,
        source: Source,
        stored: Kept,
        mut aside: BTreeMap<Key, String>,
        edited: &Key,
    ) -> Result<Edition, Vec<Problem>> {
        let still = self.aside.iter().filter(|(key, _)| *key != edited && stored.contains_key(*key));
        let still: BTreeMap<Key, String> = still.map(|(key, why)| (key.clone(), why.clone())).collect();
        let may_wait = still.keys().cloned().collect();
        let tried = Edition::settle(source.clone(), stored.clone(), aside.clone(), &may_wait, self.seal.clone());
        tried.or_else(|_| {
            // They may be wrong in a way that names none of them. No edit is refused for what it did not bring.
            aside.extend(still);
            Edition::settle(source, stored, aside, &BTreeSet::new(), self.seal.clone())
        })
    }

    fn settle(
        source: Source,
        stored: Kept,
        mut aside: BTreeMap<Key, String>,
        may_wait: &BTreeSet<Key>,
        seal: Seal,
    ) -> Result<Edition, Vec<Problem>> {
        // Every round sets at least one object aside, so that there is a last one.
        loop {
            let problems = match parse(&source, &stored, &aside) {
                Ok(config) => return Ok(Edition { source, stored, aside, config, seal }),
                Err(problems) => problems,
            };
            let errors = || problems.iter().filter(|problem| problem.severity == Severity::Error);
            let named: BTreeMap<Key, String> = errors()
                .filter_map(|problem| {
                    let place = problem.place.as_ref()?;
                    let key = (place.kind.clone(), place.name.clone());
                    (may_wait.contains(&key) && !aside.contains_key(&key)).then(|| (key, problem.message.clone()))
                })
                .collect();
            if !named.is_empty() {
                aside.extend(named);
                continue;
            }
            // What nobody in particular is to blame for, such as the size of the whole.
            let rest = stored.keys().filter(|key| !aside.contains_key(*key));
            if rest.clone().count() == 0 || rest.clone().any(|key| !may_wait.contains(key)) {
                return Err(problems);
            }
            let why = errors().next().map_or_else(String::new, |problem| problem.message.clone());
            let rest: Vec<(Key, String)> = rest.map(|key| (key.clone(), why.clone())).collect();
            aside.extend(rest);
        }
    }

    /// The secret that is kept, when the text of a file says so.
    fn secret(&self, kind: &str, name: &str, field: &str) -> Option<String> {
        let object = self.config.objects.iter().find(|object| object.kind == kind && object.name == name)?;
        object.given.get(field)?.as_str().map(str::to_owned)
    }

    /// What is wrong with the site even without a change: it may be so since a file it names is gone.
    pub(super) fn wrong_already(&self) -> Option<Vec<Problem>> {
        parse(&self.source, &self.stored, &self.aside).err()
    }

    pub(super) fn object(&self, kind: &str, name: &str) -> Option<Object> {
        self.sites(kind).find(|site| site.name == name).map(|site| self.sealed(site))
    }

    pub(super) fn objects(&self, kind: &str) -> Vec<Object> {
        self.sites(kind).map(|site| self.sealed(site)).collect()
    }

    fn sealed(&self, site: SiteObject) -> Object {
        Object { tag: self.seal.tag(&site), site }
    }

    fn sites(&self, kind: &str) -> impl Iterator<Item = SiteObject> {
        // Objects of tables without names are called by what the store calls them; they keep its order.
        let in_force = self.stored.keys().filter(|key| !self.aside.contains_key(*key));
        let mut names = in_force.filter(move |(of, _)| of == kind).map(|(_, name)| name);
        let of_kind = self.config.objects.iter().filter(move |object| object.kind == kind);
        of_kind.map(move |object| {
            let mut site = object.clone();
            if !site.of_file
                && let Some(name) = names.next()
            {
                site.name.clone_from(name);
            }
            site
        })
    }

    fn all(&self) -> BTreeMap<String, Fields> {
        let kinds: BTreeSet<&str> = self.config.objects.iter().map(|object| object.kind).collect();
        kinds.into_iter().flat_map(|kind| self.sites(kind)).map(|site| (place(&site), site.fields)).collect()
    }

    /// The whole as one file. Secrets are left out, and taken again from the site that the file is applied to.
    pub(super) fn export(&self) -> String {
        let objects = self.config.objects.iter().filter(|object| !object.given.is_empty());
        let texts = objects.map(|object| {
            let mut object = object.clone();
            object.given.iter_mut().filter(|(field, _)| is_secret(field)).for_each(|(_, secret)| *secret = KEPT.into());
            object.to_toml()
        });
        texts.collect::<Vec<_>>().join("\n")
    }

    /// What is not in force of the store, each with the way out.
    pub(super) fn set_aside(&self) -> Vec<String> {
        let told = self.aside.iter().map(|((kind, name), why)| {
            format!(
                "{kind}/{name} was made by API or page and is not in force: {why}. It stays in the store: mend the \
                 file, or change it there (PUT /api/v1/config/{kind}/{name}) or take it away (DELETE)"
            )
        });
        told.collect()
    }

    /// What this edition changes of the one before, and what is to be known of it.
    pub(super) fn compared(&self, before: &Edition) -> Edited {
        let (old, new) = (before.all(), self.all());
        let changed = new.iter().filter_map(|(place, fields)| {
            let old = old.get(place)?;
            let other = |field: &&String| old.get(*field) != fields.get(*field);
            let fields: BTreeSet<&String> = old.keys().chain(fields.keys()).filter(other).collect();
            (!fields.is_empty()).then(|| (place.clone(), fields.into_iter().cloned().collect()))
        });
        let gone = |place: &&String| !new.contains_key(*place);
        let mut removed: Vec<String> = old.keys().filter(gone).cloned().collect();
        let mut added: Vec<String> = new.keys().filter(|place| !old.contains_key(*place)).cloned().collect();
        // A nameless object that the file has taken over word for word is called otherwise and is the same.
        added.retain(|place| {
            let nameless =
                place.split_once('/').filter(|(kind, _)| find_table(kind).is_some_and(|it| it.key.is_none()));
            let Some((kind, _)) = nameless else { return true };
            let same = |was: &String| was.split_once('/').is_some_and(|(of, _)| of == kind) && old[was] == new[place];
            let was = removed.iter().position(same);
            was.map(|was| removed.remove(was)).is_none()
        });
        Edited { added, changed: changed.collect(), removed, warnings: self.warnings(before) }
    }

    fn warnings(&self, before: &Edition) -> Vec<String> {
        let mut told: Vec<String> = self.config.warnings.iter().map(ToString::to_string).collect();
        told.extend(self.set_aside());
        if before.sites("server").ne(self.sites("server")) {
            told.push("[server] holds from the next start on".to_owned());
        }
        told
    }
}

/// What a switch that starts with this source and these objects would not have in force, each with the way out.
pub fn set_aside(source: Source, stored: &[ObjectRecord]) -> Result<Vec<String>, Vec<Problem>> {
    let seal = Seal::new([0; 32]); // Nobody sees a tag.
    Edition::first(source, keyed(stored), seal).map(|edition| edition.set_aside())
}

fn is_taken(file: &Config, (kind, name): &Key) -> bool {
    let named = find_table(kind).is_some_and(|table| table.key.is_some());
    named && file.objects.iter().any(|object| object.of_file && object.kind == kind && object.name == *name)
}

/// The stored objects that the file has itself: by name, or word for word where there are no names.
fn in_the_way(file: &Config, stored: &Kept) -> BTreeMap<Key, String> {
    let why = |key: &Key, fields: &Fields| -> Option<String> {
        let table: &Table = find_table(&key.0)?;
        match table.key {
            Some(_) => {
                is_taken(file, key).then(|| "the file has one of this name, and the file has the last word".to_owned())
            }
            None => {
                let fields = normal_fields(&key.0, &key.1, fields);
                let mut of_file = file.objects.iter().filter(|object| object.of_file && object.kind == table.name);
                let same = of_file.any(|object| object.given == fields);
                same.then(|| "the file has the same, word for word".to_owned())
            }
        }
    };
    stored.iter().filter_map(|(key, fields)| Some((key.clone(), why(key, fields)?))).collect()
}

fn place(object: &SiteObject) -> String {
    if object.name.is_empty() { object.kind.to_owned() } else { format!("{}/{}", object.kind, object.name) }
}
