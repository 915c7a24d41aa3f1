//! `ringback reference [TABLE]`

use super::args::{Global, Reference};
use super::{Exit, Trouble, print, print_json};
use crate::config;

/// Prints the reference of the configuration file, or of one table of it.
pub(super) fn reference(global: &Global, args: &Reference) -> Result<Exit, Trouble> {
    let text = match &args.table {
        Some(table) => config::reference_of(table),
        None => Some(config::reference()),
    };
    let Some(text) = text else {
        let table = args.table.as_deref().unwrap_or_default();
        let known: Vec<&str> = config::tables::TABLES.iter().map(|table| table.name).collect();
        let known = known.join(", ");
        return Err(Trouble::new(
            Exit::Usage,
            format!("there is no table {table:?}; write presets, or one of {known}"),
        ));
    };
    if global.json {
        print_json(&selected(args.table.as_deref()))?;
    } else {
        print(&text)?;
    }
    Ok(Exit::Done)
}

/// The reference for programs, or the part of it that is asked for.
fn selected(table: Option<&str>) -> serde_json::Value {
    let whole = config::reference_json();
    match table {
        None => whole,
        Some("presets") => whole["presets"].clone(),
        Some(name) => {
            let found = whole["tables"].as_array().into_iter().flatten().find(|table| table["name"] == name);
            found.cloned().unwrap_or_default()
        }
    }
}
