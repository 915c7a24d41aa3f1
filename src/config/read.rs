//! From TOML to objects whose every field is of its kind and within its limits. Nothing here knows what a field
//! means; that is `check.rs` and `build.rs`.

use super::preset::{self, Preset};
use super::report::{Report, quote, start, suggestion};
use super::schema::{Absent, Field, Honoured, Keys, Kind, NONE, Table, find_field};
use super::tables::TABLES;
use super::value::{self, Value, wanted};
use crate::limits;
use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Read {
    pub value: Value,
    /// Byte offset; of the object itself when the value is a default.
    pub at: usize,
    /// It is in the file.
    pub given: bool,
}

impl Read {
    fn shift(&mut self, by: usize) {
        self.at += by;
        match &mut self.value {
            Value::List(list) => list.iter_mut().for_each(|read| read.shift(by)),
            Value::Map(map) => map.iter_mut().for_each(|(_, read)| read.shift(by)),
            Value::Object(object) => object.shift(by),
            _ => {} // values without places in them
        }
    }
}

/// A table of the file, defaults filled in.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Object {
    /// Byte offset of its header.
    pub at: usize,
    pub values: BTreeMap<&'static str, Read>,
}

impl Object {
    pub(super) fn get(&self, name: &str) -> Option<&Read> {
        self.values.get(name).filter(|read| read.value != Value::None)
    }

    /// Where a field stands, or the object when it does not.
    pub(super) fn at(&self, name: &str) -> usize {
        self.values.get(name).map_or(self.at, |read| read.at)
    }

    /// Moves it and all in it.
    fn shift(&mut self, by: usize) {
        self.at += by;
        self.values.values_mut().for_each(|read| read.shift(by));
    }

    pub(super) fn given(&self, name: &str) -> bool {
        self.values.get(name).is_some_and(|read| read.given)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match &self.get(name)?.value {
            Value::Text(text) => Some(text),
            _ => None, // another kind, which the schema rules out for every name asked here
        }
    }
}

/// All objects of a file, by table, in the order of the file.
pub(super) type Objects = BTreeMap<&'static str, Vec<Object>>;

/// Reads the whole file, and objects of the store as if they stood `base` octets further on.
pub(super) fn read(text: &str, stored: &str, base: usize, report: &mut Report) -> Objects {
    let mut objects = read_tables(text, report);
    let mut found = Report::default();
    for (table, mut more) in read_tables(stored, &mut found) {
        more.iter_mut().for_each(|object| object.shift(base));
        objects.entry(table).or_default().append(&mut more);
    }
    report.absorb(found, base);
    for table in TABLES {
        let empty = if table.many { Vec::new() } else { vec![defaults(table)] };
        objects.entry(table.name).or_insert(empty);
    }
    objects
}

fn read_tables(text: &str, report: &mut Report) -> Objects {
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        report.error(error.span().map_or(0, |span| span.start), one_line(error.message()));
    }
    let mut objects = Objects::new();
    for (key, value) in root.get_ref() {
        let name: &str = key.get_ref();
        let Some(table) = TABLES.iter().find(|table| table.name == name) else {
            let known = suggestion(name, TABLES.iter().map(|table| table.name));
            report.error(start(&key.span()), format!("unknown table {}{known}", quote(name)));
            continue;
        };
        let found = read_table(table, start(&key.span()), value, report);
        if !table.honoured
            && let Some(first) = found.first()
        {
            report.warn(first.at, format!("{} is not honoured yet: nothing in it has an effect", table.header()));
        }
        objects.insert(table.name, found);
    }
    objects
}

fn defaults(table: &'static Table) -> Object {
    let mut ignored = Report::default();
    read_fields(table.name, table.fields, &DeTable::new(), 0, &mut ignored)
}

fn one_line(message: &str) -> String {
    message.lines().map(str::trim).collect::<Vec<_>>().join("; ")
}

fn read_table(table: &'static Table, at: usize, value: &Spanned<DeValue<'_>>, report: &mut Report) -> Vec<Object> {
    match (value.get_ref(), table.many) {
        (DeValue::Table(fields), false) => vec![read_fields(table.name, table.fields, fields, at, report)],
        (DeValue::Array(list), true) => {
            let mut objects = Vec::new();
            if list.len() > limits::CONFIG_OBJECTS {
                let (header, found) = (table.header(), list.len());
                report.error(at, format!("there are {found} {header}, their limit is {}", limits::CONFIG_OBJECTS));
                return objects;
            }
            for item in list.iter() {
                let at = start(&item.span());
                match item.get_ref() {
                    DeValue::Table(fields) => {
                        objects.push(read_fields(table.name, table.fields, fields, at, report));
                    }
                    other => {
                        report.error(at, format!("{} is made of tables, not of {}", table.header(), kind_of(other)))
                    }
                }
            }
            objects
        }
        (other, _) => {
            let found = kind_of(other);
            let once = if table.many { ", once for each" } else { "" };
            report.error(at, format!("{} is {found} here: write it as {}{once}", table.name, table.header()));
            Vec::new()
        }
    }
}

/// The preset that a table of the file names.
fn preset_of(fields: &'static [Field], table: &DeTable<'_>) -> Option<&'static Preset> {
    match table.get("preset").map(Spanned::get_ref) {
        Some(DeValue::String(name)) if find_field(fields, "preset").is_some() => preset::find(name),
        Some(_) | None => None, // none, or a wrong one, which is told like every wrong value
    }
}

/// Reads the fields of a table named `place`; presets and defaults come in, unknown keys and missing fields are told.
pub(super) fn read_fields(
    place: &str,
    fields: &'static [Field],
    table: &DeTable<'_>,
    at: usize,
    report: &mut Report,
) -> Object {
    let preset = preset_of(fields, table);
    let mut object = Object { at, values: BTreeMap::new() };
    for (key, item) in table {
        let name: &str = key.get_ref();
        let Some(field) = fields.iter().find(|field| field.name == name) else {
            let known = suggestion(name, fields.iter().map(|field| field.name));
            report.error(start(&key.span()), format!("unknown key {} in {place}{known}", quote(name)));
            continue;
        };
        let path = format!("{place}.{name}");
        let at = start(&item.span());
        // A value that is wrong has been told; it counts as absent, so that the rest of the file is still checked.
        let Some(mut value) = read_field(&path, field, item, report) else {
            object.values.insert(field.name, Read { value: Value::Wrong, at, given: true });
            continue;
        };
        if let Some(complaint) = preset.and_then(|preset| preset.complaint(place, name, &value)) {
            report.error(at, format!("{path} {complaint}"));
            value = Value::Wrong;
        }
        warn_unless_honoured(&path, field, &value, start(&key.span()), report);
        object.values.insert(field.name, Read { value, at, given: true });
    }
    for field in fields {
        if object.values.contains_key(field.name) {
            continue;
        }
        if let Some(preset) = preset
            && let Some(item) = preset.value(place, field.name)
        {
            let value = forget_places(read_own(field, item));
            let at = object.at("preset");
            let path = format!("{place}.{} of preset {}", field.name, quote(preset.name));
            warn_unless_honoured(&path, field, &value, at, report);
            object.values.insert(field.name, Read { value, at, given: false });
            continue;
        }
        match field.absent {
            Absent::Required => {
                report.error(at, format!("{place} lacks {}: it takes {}", quote(field.name), wanted(&field.kind)));
            }
            Absent::Unset => {}
            Absent::Default(default) => {
                let value = literal(field, default);
                object.values.insert(field.name, Read { value, at, given: false });
            }
        }
    }
    object
}

fn warn_unless_honoured(path: &str, field: &Field, value: &Value, at: usize, report: &mut Report) {
    match field.honoured {
        Honoured::Yes => {}
        Honoured::NotYet => report.warn(at, format!("{path} is not honoured yet: it has no effect")),
        Honoured::Only(literals) => {
            if !literals.iter().any(|text| same(value, &literal(field, text))) {
                let used = literals[0];
                if matches!(used, "{}" | "[]") {
                    report.warn(at, format!("{path} is not honoured yet: it has no effect"));
                    return;
                }
                report.warn(at, format!("{path} is honoured only as {} yet; {used} is used", literals.join(" or ")));
            }
        }
    }
}

/// Equal, wherever their parts stand.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(&a.value, &b.value))
        }
        (Value::Map(a), Value::Map(b)) => a.is_empty() && b.is_empty(),
        (Value::Object(a), Value::Object(b)) => {
            a.values.len() == b.values.len()
                && a.values.iter().zip(&b.values).all(|((m, a), (n, b))| m == n && same(&a.value, &b.value))
        }
        (a, b) => a == b,
    }
}

/// A value of the schema itself.
fn literal(field: &Field, text: &str) -> Value {
    let item = DeValue::parse(text).expect("the schema's values are TOML, which the tests read one by one");
    forget_places(read_own(field, &item))
}

/// A value that ships with us.
fn read_own(field: &Field, item: &Spanned<DeValue<'_>>) -> Value {
    let mut none = Report::default();
    let value = read_field(field.name, field, item, &mut none);
    value.expect("values of schema and presets keep the schema's limits, which the tests read one by one")
}

fn forget_places(value: Value) -> Value {
    match value {
        Value::List(list) => {
            Value::List(list.into_iter().map(|r| Read { value: forget_places(r.value), at: 0, given: false }).collect())
        }
        Value::Object(object) => Value::Object(Object {
            at: 0,
            values: object
                .values
                .into_iter()
                .map(|(name, read)| (name, Read { value: forget_places(read.value), at: 0, given: false }))
                .collect(),
        }),
        other => other,
    }
}

pub(super) fn read_field(path: &str, field: &Field, item: &Spanned<DeValue<'_>>, report: &mut Report) -> Option<Value> {
    let is_none = matches!(item.get_ref(), DeValue::String(text) if text == "none");
    if is_none && (field.or_none || field.absent == Absent::Default(NONE)) {
        return Some(Value::None);
    }
    read_value(path, &field.kind, item, report)
}

/// Reads one value of `kind`; what is wrong is told and becomes `None`.
pub(super) fn read_value(path: &str, kind: &Kind, item: &Spanned<DeValue<'_>>, report: &mut Report) -> Option<Value> {
    let at = start(&item.span());
    match (kind, item.get_ref()) {
        (Kind::List(each, least, most), DeValue::Array(list)) => {
            if list.len() < *least || list.len() > *most {
                let found = list.len();
                report.error(at, format!("{path} has {found} values, its limits are {least} to {most}"));
                return None;
            }
            read_list(path, each, list.iter(), report)
        }
        (Kind::Table(fields) | Kind::Notice(fields), DeValue::Table(table)) => {
            Some(Value::Object(read_fields(path, fields, table, at, report)))
        }
        (Kind::Map(keys, each), DeValue::Table(table)) => read_map(path, *keys, each, table, report),
        (kind, scalar) => match value::scalar(kind, scalar) {
            Ok(value) => Some(value),
            Err(wrong) => {
                report.error(at, format!("{path} {wrong}"));
                None
            }
        },
    }
}

fn read_list<'a, 'i: 'a>(
    path: &str,
    each: &Kind,
    list: impl Iterator<Item = &'a Spanned<DeValue<'i>>>,
    report: &mut Report,
) -> Option<Value> {
    let mut values: Vec<Read> = Vec::new();
    let mut whole = true;
    for item in list {
        let at = start(&item.span());
        let Some(value) = read_value(path, each, item, report) else {
            whole = false;
            continue;
        };
        let is_set = matches!(each, Kind::OneOf(_) | Kind::Ref(_) | Kind::Country);
        if is_set && values.iter().any(|read| read.value == value) {
            report.error(at, format!("{path} names {} twice", value.show()));
            whole = false;
        }
        values.push(Read { value, at, given: true });
    }
    whole.then_some(Value::List(values))
}

fn read_map(path: &str, keys: Keys, each: &Kind, table: &DeTable<'_>, report: &mut Report) -> Option<Value> {
    let mut map = Vec::new();
    let mut whole = true;
    for (key, item) in table {
        let name: &str = key.get_ref();
        let at = start(&key.span());
        let fits = match keys {
            Keys::Names => (1..=64).contains(&name.chars().count()) && !name.chars().any(char::is_control),
            Keys::Telephone => name.len() == 1 && name.chars().all(|key| "0123456789*#".contains(key)),
        };
        if !fits {
            let wanted = if keys == Keys::Names { "names of 1 to 64 characters" } else { "the keys 0-9, * and #" };
            report.error(at, format!("{path} has the key {}, it takes {wanted}", quote(name)));
            whole = false;
            continue;
        }
        match read_value(&format!("{path}.{name}"), each, item, report) {
            Some(value) => map.push((name.to_owned(), Read { value, at: start(&item.span()), given: true })),
            None => whole = false,
        }
    }
    whole.then_some(Value::Map(map))
}

/// What a TOML value is, in words.
pub(super) fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
