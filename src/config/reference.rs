//! The reference of the file, from the tables the reader itself reads by.

use super::schema::{Absent, Field, Honoured, Kind};
use super::tables::TABLES;
use super::value::wanted;
use std::fmt::Write;

/// The reference as Markdown.
pub fn reference() -> String {
    let mut out = String::from(
        "# Configuration reference\n\nDurations accept `30`, `\"30s\"`, `\"15m\"`, `\"2h\"`, `\"1d\"`. Unknown keys \
         are errors. `\"none\"` stands for no limit where it is named.\n",
    );
    for table in TABLES {
        let header = table.header();
        let _ = write!(out, "\n## `{header}`\n\n{}", table.doc);
        out.push_str(if table.honoured { "\n" } else { " Not honoured yet.\n" });
        rows(&mut out, "", table.fields);
    }
    out
}

fn rows(out: &mut String, prefix: &str, fields: &[Field]) {
    if prefix.is_empty() {
        out.push_str("\n| key | takes | default | about |\n| --- | --- | --- | --- |\n");
    }
    for field in fields {
        let default = match field.absent {
            Absent::Required => "required".to_owned(),
            Absent::Unset => "unset".to_owned(),
            Absent::Default(default) => format!("`{default}`"),
        };
        let none = if field.or_none { ", or `\"none\"`" } else { "" };
        let honoured = match field.honoured {
            Honoured::Yes => String::new(),
            Honoured::NotYet => " Not honoured yet.".to_owned(),
            Honoured::Only(values) => format!(" Honoured only as `{}` yet.", values.join("` or `")),
        };
        let takes = wanted(&field.kind).replace('|', "\\|");
        let name = field.name;
        let _ = writeln!(out, "| `{prefix}{name}` | {takes}{none} | {default} | {}{honoured} |", field.doc);
        let inner = match field.kind {
            Kind::Table(inner) | Kind::Notice(inner) => Some(inner),
            Kind::List(Kind::Table(inner), ..) => Some(*inner),
            _ => None, // no fields inside
        };
        if let Some(inner) = inner {
            rows(out, &format!("{prefix}{name}."), inner);
        }
    }
}
