//! Objects of the site, from the tables that the file is read by.

use crate::config::schema::{Absent, Field, Keys, Kind, NONE, Table};
use crate::config::tables::TABLES;
use crate::config::{is_secret, takes};
use serde_json::{Map, Value, json};

/// A schema for each table, one for any of them, and the words by which they are asked for.
pub(super) fn all() -> Map<String, Value> {
    let tables: Vec<&Table> = TABLES.iter().filter(|table| table.many).collect();
    let mut schemas: Map<String, Value> = tables.iter().map(|table| (table.name.to_owned(), of_table(table))).collect();
    let any: Vec<Value> = tables.iter().map(|table| super::reference(table.name)).collect();
    let words: Vec<&str> = tables.iter().map(|table| table.name).collect();
    schemas.insert("Object".to_owned(), json!({ "description": "An object of its kind.", "anyOf": any }));
    schemas.insert("Kind".to_owned(), json!({ "type": "string", "enum": words }));
    schemas
}

fn of_table(table: &Table) -> Value {
    let mut schema = of_fields(table.fields);
    let about = |text: &str, kind: &str| json!({ "type": kind, "readOnly": true, "description": text });
    schema["properties"]["of_file"] = about("It stands in the file, and is changed there.", "boolean");
    if table.key != Some("name") && schema["properties"].get("name").is_none() {
        schema["properties"]["name"] = about("What its path calls it.", "string");
    }
    schema["description"] = table.doc.into();
    schema
}

fn of_fields(fields: &[Field]) -> Value {
    let properties: Map<String, Value> = fields.iter().map(|field| (field.name.to_owned(), of_field(field))).collect();
    let required = fields.iter().filter(|field| field.absent == Absent::Required && !is_secret(field.name));
    let required: Vec<&str> = required.map(|field| field.name).collect();
    json!({ "type": "object", "additionalProperties": false, "required": required, "properties": properties })
}

fn of_field(field: &Field) -> Value {
    let kind = of_kind(&field.kind);
    // `null` is how an answer says that there is no limit, and that a field is not set.
    let or_none = field.or_none || field.absent == Absent::Default(NONE);
    let mut schema = match (or_none, field.absent) {
        (true, _) => json!({ "anyOf": [kind, { "type": "null" }, { "const": "none" }] }),
        (false, Absent::Unset) => json!({ "anyOf": [kind, { "type": "null" }] }),
        (false, Absent::Required | Absent::Default(_)) => kind,
    };
    schema["description"] = format!("{} Takes {}.", field.doc, takes(field)).into();
    if is_secret(field.name) {
        schema["writeOnly"] = true.into();
    }
    schema
}

fn of_kind(kind: &Kind) -> Value {
    match kind {
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Integer(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::Secs(least, most) => json!({ "anyOf": [
            { "type": "integer", "minimum": least, "maximum": most },
            { "type": "string", "pattern": "^([0-9]+[smhd]?)+$" },
        ] }),
        Kind::Text(least, most) => json!({ "type": "string", "minLength": least, "maxLength": most }),
        Kind::Digits(least, most) => {
            json!({ "type": "string", "pattern": format!("^[0-9]{{{least},{most}}}$") })
        }
        Kind::OneOf(words) => json!({ "type": "string", "enum": words }),
        Kind::List(each, least, most) => {
            json!({ "type": "array", "items": of_kind(each), "minItems": least, "maxItems": most })
        }
        Kind::Table(fields) => of_fields(fields),
        Kind::Notice(fields) => json!({ "anyOf": [{ "type": "string" }, of_fields(fields)] }),
        Kind::Map(Keys::Names, each) => json!({ "type": "object", "additionalProperties": of_kind(each) }),
        Kind::Map(Keys::Telephone, each) => json!({
            "type": "object",
            "propertyNames": { "pattern": "^[0-9*#]$" },
            "additionalProperties": of_kind(each),
        }),
        Kind::Date => json!({ "type": "string", "format": "date" }),
        Kind::Instant => json!({ "type": "string", "format": "date-time" }),
        // Words whose grammar the description names.
        Kind::Dialled
        | Kind::Key(_)
        | Kind::Ref(_)
        | Kind::Sound
        | Kind::Destination
        | Kind::ServedBy
        | Kind::Country
        | Kind::Zone
        | Kind::Number
        | Kind::Pattern
        | Kind::Ip
        | Kind::Socket
        | Kind::Ports
        | Kind::Host
        | Kind::HostPort
        | Kind::Cidr
        | Kind::Path
        | Kind::Time(_)
        | Kind::Days => json!({ "type": "string" }),
    }
}
