//! The reference of the file, from the tables the reader itself reads by: Markdown for people, JSON for programs.

use super::preset::{self, Preset};
use super::schema::{Absent, Field, Honoured, Kind, Table};
use super::tables::{TABLES, find_table};
use super::value::wanted;
use serde_json::{Value as Json, json};
use std::fmt::Write;

const BEGIN: &str = "# Configuration reference\n\nDurations accept `30`, `\"30s\"`, `\"15m\"`, `\"2h\"`, `\"1d\"`. \
    Unknown keys are errors. `\"none\"` stands for no limit where it is named; 0 is none at all.\n";

/// The word by which the presets are asked for, beside the names of tables.
pub const PRESETS: &str = "presets";

/// The whole reference as Markdown.
pub fn reference() -> String {
    let mut out = String::from(BEGIN);
    TABLES.iter().for_each(|table| one(table, &mut out));
    presets(&mut out);
    out
}

/// The reference of one table, or of the presets; `None`: there is no such table.
pub fn reference_of(name: &str) -> Option<String> {
    let mut out = String::new();
    match find_table(name) {
        Some(table) => one(table, &mut out),
        None if name == PRESETS => presets(&mut out),
        None => return None,
    }
    Some(out.trim_start().to_owned())
}

/// The same for programs: `{"tables": […], "presets": […]}`.
pub fn reference_json() -> Json {
    let tables: Vec<Json> = TABLES
        .iter()
        .map(|table| {
            json!({
                "name": table.name,
                "header": table.header(),
                "many": table.many,
                "key": table.key,
                "honoured": table.honoured,
                "about": table.doc,
                "fields": fields_json(table.fields),
            })
        })
        .collect();
    let presets: Vec<Json> = preset::all()
        .iter()
        .map(|preset| {
            let said = |said: Said| -> Vec<Json> {
                said.into_iter().map(|(key, value)| json!({ "key": key, "value": value })).collect()
            };
            json!({
                "name": preset.name,
                "about": preset.about(),
                "values": said(values(preset)),
                "limits": said(limits(preset)),
            })
        })
        .collect();
    json!({ "tables": tables, "presets": presets })
}

fn fields_json(fields: &[Field]) -> Vec<Json> {
    fields
        .iter()
        .map(|field| {
            let (honoured, only) = match field.honoured {
                Honoured::Yes => (true, Json::Null),
                Honoured::NotYet => (false, Json::Null),
                Honoured::Only(values) => (false, json!(values)),
            };
            json!({
                "key": field.name,
                "takes": wanted(&field.kind),
                "unit": unit(field),
                "required": field.absent == Absent::Required,
                "default": if let Absent::Default(default) = field.absent { json!(default) } else { Json::Null },
                "none": or_none(field),
                "honoured": honoured,
                "honoured_only": only,
                "about": field.doc,
                "fields": fields_json(inside(field)),
            })
        })
        .collect()
}

fn or_none(field: &Field) -> bool {
    field.or_none || field.absent == Absent::Default(super::schema::NONE)
}

/// What a number counts; nothing where the value is no number.
pub fn unit(field: &Field) -> &'static str {
    fn of(kind: &Kind, name: &str) -> &'static str {
        match kind {
            Kind::Secs(..) => "seconds",
            Kind::List(each, ..) | Kind::Map(_, each) => of(each, name),
            Kind::Integer(..) if name.ends_with("_days") => "days",
            Kind::Integer(..) if name.ends_with("_digits") => "digits",
            Kind::Integer(..) if name.ends_with("_per_min") => "calls a minute",
            Kind::Integer(..) if name.ends_with("_cps") => "calls a second",
            Kind::Integer(..) if ["priority", "order", "weight", "tier", "level", "skills"].contains(&name) => "rank",
            Kind::Integer(..) if name == "port" => "port",
            Kind::Integer(..) => "count",
            Kind::Ports => "ports",
            Kind::Text(..) => "characters",
            Kind::Digits(..) => "digits",
            _ => "", // no number
        }
    }
    of(&field.kind, field.name)
}

fn inside(field: &Field) -> &'static [Field] {
    match field.kind {
        Kind::Table(inner) | Kind::Notice(inner) => inner,
        Kind::List(Kind::Table(inner), ..) => inner,
        _ => &[], // no fields inside
    }
}

fn one(table: &Table, out: &mut String) {
    let header = table.header();
    let _ = write!(out, "\n## `{header}`\n\n{}", table.doc);
    out.push_str(if table.honoured { "\n" } else { " Not honoured yet.\n" });
    out.push_str("\n| key | takes | unit | default | about |\n| --- | --- | --- | --- | --- |\n");
    rows(out, "", table.fields);
}

fn rows(out: &mut String, prefix: &str, fields: &[Field]) {
    for field in fields {
        let default = match field.absent {
            Absent::Required => "required".to_owned(),
            Absent::Unset => "unset".to_owned(),
            Absent::Default(default) => format!("`{default}`"),
        };
        let none = if or_none(field) { ", or `\"none\"`" } else { "" };
        let honoured = match field.honoured {
            Honoured::Yes => String::new(),
            Honoured::NotYet => " Not honoured yet.".to_owned(),
            Honoured::Only(values) => format!(" Honoured only as `{}` yet.", values.join("` or `")),
        };
        let takes = wanted(&field.kind).replace('|', "\\|");
        let (name, unit) = (field.name, unit(field));
        let _ = writeln!(out, "| `{prefix}{name}` | {takes}{none} | {unit} | {default} | {}{honoured} |", field.doc);
        rows(out, &format!("{prefix}{name}."), inside(field));
    }
}

/// Keys with their table, and values or limits as TOML.
type Said = Vec<(String, &'static str)>;

fn of_tables<'a>(each: impl Fn(&'static str) -> Vec<(&'a str, &'static str)>) -> Said {
    let of = |table: &'static Table| {
        each(table.name).into_iter().map(|(field, text)| (format!("{}.{field}", table.name), text))
    };
    TABLES.iter().flat_map(of).collect()
}

/// What a preset says otherwise than the defaults.
fn values(preset: &'static Preset) -> Said {
    let default = |key: &str| {
        let (table, field) = key.split_once('.')?;
        let field = super::schema::find_field(find_table(table)?.fields, field)?;
        if let Absent::Default(default) = field.absent { Some(default) } else { None }
    };
    let mut said = of_tables(|table| preset.values(table));
    said.retain(|(key, value)| default(key) != Some(value));
    said
}

fn limits(preset: &'static Preset) -> Said {
    of_tables(|table| preset.limits(table))
}

fn presets(out: &mut String) {
    out.push_str(
        "\n## Presets\n\n`preset = \"NAME\"` in a `[[callback_profile]]`, `[[callback_rule]]`, `[[queue]]` or \
         `[[number_policy]]` makes a product's values the defaults of that object; what the object says itself wins. \
         Limits of a preset hold besides those of the field.\n",
    );
    for preset in preset::all() {
        let _ =
            writeln!(out, "\n### `{}`\n\n{}.\n\n| key | differs | |\n| --- | --- | --- |", preset.name, preset.about());
        for (key, value) in values(preset) {
            let _ = writeln!(out, "| `{key}` | `{value}` | |");
        }
        for (key, pair) in limits(preset) {
            let _ = writeln!(out, "| `{key}` | | limits `{pair}` |");
        }
    }
}
