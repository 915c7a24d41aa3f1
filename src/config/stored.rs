//! Objects of the site as values: those that come from elsewhere than the file (made by API or page, kept by the
//! store) go through the same reader and the same checks as the file, and every object of a good site can be had as
//! JSON or TOML again.
//!
//! Such an object is written as TOML, one field a line, and read back like the file: so there is one parser, one set
//! of limits, and one sentence for each mistake. Only its place is told otherwise: `queue/support.ring_secs`.

use super::read::{Object, Objects, Read};
use super::report::{Place, quote};
use super::schema::{Field, Kind, NONE, Table};
use super::tables::{TABLES, find_table};
use super::value::Value;
use serde_json::{Map, Value as Json};
use std::fmt::Write;
use std::ops::Range;

/// An object that is not in the file.
#[derive(Clone, Copy, Debug)]
pub struct Stored<'a> {
    /// Its table: `queue`.
    pub kind: &'a str,
    /// Its name, also for tables whose objects have none in the file.
    pub name: &'a str,
    /// Its fields, as in the file; `null` is `"none"`, and durations may be seconds.
    pub fields: &'a Map<String, Json>,
}

/// An object of a good site.
#[derive(Clone, Debug, PartialEq)]
pub struct SiteObject {
    /// Its table.
    pub kind: &'static str,
    /// Its name; of a table without names, the place among its like, from 1.
    pub name: String,
    /// It stands in the file, and is changed there.
    pub of_file: bool,
    /// What was said of it.
    pub given: Map<String, Json>,
    /// All its fields: what was said, and the defaults.
    pub fields: Map<String, Json>,
}

impl SiteObject {
    /// Without its secrets.
    pub fn redacted(mut self) -> SiteObject {
        self.given.retain(|field, _| !is_secret(field));
        self.fields.retain(|field, _| !is_secret(field));
        self
    }

    /// As it would stand in a file.
    pub fn to_toml(&self) -> String {
        object_to_toml(self.kind, &self.given)
    }
}

/// Whether a field is shown to nobody.
pub fn is_secret(field: &str) -> bool {
    matches!(field, "secret" | "password")
}

/// An object as it would stand in a file: its header and its fields in the order of the reference; those that the
/// table does not know come last.
pub fn object_to_toml(kind: &str, fields: &Map<String, Json>) -> String {
    let mut out = String::new();
    write_object(kind, fields, &mut out, &mut |_, _| {});
    out
}

/// Objects of the store as TOML, and which line is what.
#[derive(Debug, Default)]
pub(super) struct Rendered {
    pub text: String,
    pub places: Vec<(Range<usize>, Place)>,
}

/// Writes objects of the store as one file.
pub(super) fn render(stored: &[Stored<'_>]) -> Rendered {
    let mut rendered = Rendered::default();
    for object in stored {
        let key = find_table(object.kind).and_then(|table| table.key);
        let mut fields = object.fields.clone();
        if let Some(key) = key {
            fields.entry(key).or_insert_with(|| object.name.into());
        }
        let place = |field: Option<&str>| Place {
            kind: object.kind.to_owned(),
            name: object.name.to_owned(),
            field: field.map(str::to_owned),
        };
        let start = rendered.text.len();
        let mut lines = Vec::new();
        write_object(object.kind, &fields, &mut rendered.text, &mut |range, field| {
            lines.push((range, field.to_owned()))
        });
        let header = lines.first().map_or(rendered.text.len(), |(range, _)| range.start);
        rendered.places.push((start..header, place(None)));
        rendered.places.extend(lines.into_iter().map(|(range, field)| (range, place(Some(&field)))));
    }
    rendered
}

fn write_object(kind: &str, fields: &Map<String, Json>, out: &mut String, each: &mut dyn FnMut(Range<usize>, &str)) {
    let table = find_table(kind);
    let header = if table.is_none_or(|table| table.many) { ("[[", "]]") } else { ("[", "]") };
    let _ = writeln!(out, "{}{}{}", header.0, key(kind), header.1);
    let known = table.map_or(&[][..], |table| table.fields);
    let ordered = known.iter().filter(|field| fields.contains_key(field.name)).map(|field| field.name);
    let unknown = fields.keys().map(String::as_str).filter(|name| !known.iter().any(|field| field.name == *name));
    for name in ordered.chain(unknown) {
        let Some(value) = written(known.iter().find(|field| field.name == name), &fields[name]) else { continue };
        let start = out.len();
        let _ = writeln!(out, "{} = {value}", key(name));
        each(start..out.len(), name);
    }
}

/// A value as TOML on one line; `None`: `null` where there is nothing to say so.
fn written(field: Option<&Field>, value: &Json) -> Option<String> {
    match (value, field) {
        (Json::Null, Some(field)) if field.or_none || field.absent == super::schema::Absent::Default(NONE) => {
            Some(NONE.to_owned())
        }
        (Json::Null, _) => None,
        (value, field) => Some(inline(field.map(|field| &field.kind), value)),
    }
}

fn inline(kind: Option<&Kind>, value: &Json) -> String {
    match value {
        Json::Null => NONE.to_owned(),
        Json::Bool(yes) => yes.to_string(),
        Json::Number(number) => number.to_string(),
        Json::String(text) => text_of(text),
        Json::Array(list) => {
            let each = if let Some(Kind::List(each, ..)) = kind { Some(*each) } else { None };
            let items: Vec<String> = list.iter().map(|item| inline(each, item)).collect();
            format!("[{}]", items.join(", "))
        }
        Json::Object(fields) => {
            let known = match kind {
                Some(Kind::Table(known) | Kind::Notice(known)) => known,
                Some(_) | None => &[][..],
            };
            let pairs: Vec<String> = fields
                .iter()
                .filter_map(|(name, value)| {
                    let field = known.iter().find(|field| field.name == name);
                    written(field, value).map(|value| format!("{} = {value}", key(name)))
                })
                .collect();
            if pairs.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", pairs.join(", ")) }
        }
    }
}

fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if bare { name.to_owned() } else { text_of(name) }
}

/// A basic string of TOML.
pub(super) fn text_of(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            control if control.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(control));
            }
            plain => out.push(plain),
        }
    }
    out.push('"');
    out
}

/// All objects of a good site; those from `base` on are not of the file.
pub(super) fn site_objects(objects: &Objects, base: usize) -> Vec<SiteObject> {
    let of = |table: &'static Table| {
        objects[table.name].iter().enumerate().map(move |(index, object)| SiteObject {
            kind: table.name,
            name: match (table.many, table.key.and_then(|key| object.text(key))) {
                (true, Some(name)) => name.to_owned(),
                (true, None) => (index + 1).to_string(),
                (false, _) => String::new(),
            },
            of_file: object.at < base,
            given: fields(object, true),
            fields: fields(object, false),
        })
    };
    TABLES.iter().flat_map(of).collect()
}

fn fields(object: &Object, given_only: bool) -> Map<String, Json> {
    let wanted = |read: &&Read| read.given || !given_only;
    let pair = |(name, read): (&&str, &Read)| Some(((*name).to_owned(), json(Some(read).filter(wanted)?, given_only)));
    object.values.iter().filter_map(pair).collect()
}

fn json(read: &Read, given_only: bool) -> Json {
    match &read.value {
        Value::Wrong | Value::None => Json::Null,
        Value::Bool(yes) => (*yes).into(),
        Value::Integer(number) => (*number).into(),
        Value::Secs(secs) => secs.as_secs().into(),
        Value::List(list) => list.iter().map(|read| json(read, given_only)).collect(),
        Value::Map(map) => Json::Object(map.iter().map(|(key, read)| (key.clone(), json(read, given_only))).collect()),
        Value::Object(object) => Json::Object(fields(object, given_only)),
        other => other.to_text().into(),
    }
}

/// The fields of a stored object as the reader has them, whatever it would say of them: durations in seconds, numbers
/// in E.164.
pub fn normal_fields(kind: &str, name: &str, fields: &Map<String, Json>) -> Map<String, Json> {
    let rendered = render(&[Stored { kind, name, fields }]);
    let objects = super::read::read(&rendered.text, "", rendered.text.len(), &mut super::report::Report::default());
    let read = find_table(kind).and_then(|table| objects[table.name].first());
    read.map(|object| self::fields(object, true)).unwrap_or_default()
}

/// Why a set of stored objects is not even looked at.
pub(super) fn too_much(file: &str, stored: &Rendered) -> Option<String> {
    let limit = crate::limits::CONFIG_BYTES;
    let found = file.len().saturating_add(stored.text.len());
    (found > limit).then(|| format!("the site has {found} bytes, its limit is {limit}"))
}

/// `queue/support.ring_secs`
impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = quote(&self.name);
        write!(f, "{}/{}", self.kind.escape_debug(), &name[1..name.len() - 1])?;
        match &self.field {
            Some(field) => write!(f, ".{}", field.escape_debug()),
            None => Ok(()),
        }
    }
}
