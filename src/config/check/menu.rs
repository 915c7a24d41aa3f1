//! What menus say together: a caller must not be led in a circle, nor into a menu that leads nowhere.

use super::super::read::{Object, Objects};
use super::super::report::{Report, quote};
use super::super::value::{Target, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Checks them.
pub(super) fn check(objects: &Objects, report: &mut Report) {
    let closed: BTreeMap<&str, &str> =
        objects["ivr"].iter().filter_map(|menu| Some((menu.text("name")?, leads_to(menu, "closed_dest")?))).collect();
    for menu in &objects["ivr"] {
        let Some(name) = menu.text("name") else { continue };
        if leads_to(menu, "timeout_dest") == Some(name) {
            let message = "ivr.timeout_dest leads back to this menu; `tries` says how often its prompt is said";
            report.error(menu.at("timeout_dest"), message);
        }
        if let Some(way) = circle(name, &closed) {
            report.error(menu.at("closed_dest"), format!("ivr.closed_dest leads in a circle: {way}"));
        }
        if leads_nowhere(menu) {
            let message = format!("ivr {} has neither keys nor timeout_dest: every caller hears goodbye", quote(name));
            report.warn(menu.at, message);
        }
    }
}

/// The menu to which a field of a menu leads.
fn leads_to<'a>(menu: &'a Object, field: &str) -> Option<&'a str> {
    match menu.get(field).map(|read| &read.value) {
        Some(Value::Destination(Target::Object("ivr", name))) => Some(name),
        Some(_) | None => None,
    }
}

/// The way from a menu back to it, when all on it are closed.
fn circle(from: &str, closed: &BTreeMap<&str, &str>) -> Option<String> {
    let mut seen = BTreeSet::new();
    let mut way = quote(from).to_string();
    let mut at = from;
    while seen.insert(at) {
        at = closed.get(at)?;
        way.push_str(&format!(" -> {}", quote(at)));
        if at == from {
            return Some(way);
        }
    }
    None // Into a circle of others, which is told of them.
}

fn leads_nowhere(menu: &Object) -> bool {
    let is_keyless = matches!(menu.get("keys").map(|read| &read.value), Some(Value::Map(keys)) if keys.is_empty());
    is_keyless && menu.get("timeout_dest").is_none()
}
