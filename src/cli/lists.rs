//! Lists of the API as tables.

use super::table::Table;
use crate::config::host;
use chrono::DateTime;
use serde_json::Value;

/// The items of a list.
pub(super) fn items(list: &Value) -> &[Value] {
    list.get("items").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A field as text; nothing for `null`.
pub(super) fn text(object: &Value, name: &str) -> String {
    object.get(name).map(plain).unwrap_or_default()
}

/// A value as people read it: a number of a callback may come wrapped in its kind.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Object(fields) if fields.len() == 1 => fields.values().map(plain).collect(),
        other => other.to_string(),
    }
}

/// An instant in the zone of whoever reads it.
pub(super) fn local(object: &Value, name: &str) -> String {
    let written = text(object, name);
    match DateTime::parse_from_rfc3339(&written) {
        Ok(at) => at.with_timezone(&host::zone()).format("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => written,
    }
}

/// Seconds as `1:05:09` or `5:09`.
pub(super) fn clock(secs: u64) -> String {
    let (hours, minutes, secs) = (secs / 3600, secs / 60 % 60, secs % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{secs:02}") } else { format!("{minutes}:{secs:02}") }
}

fn wait(object: &Value, name: &str) -> String {
    object.get(name).and_then(Value::as_u64).map(clock).unwrap_or_default()
}

fn more(list: &Value) -> &'static str {
    if list.get("next").is_some_and(Value::is_string) { "There are more; raise --limit.\n" } else { "" }
}

pub(super) fn callbacks(list: &Value) -> String {
    let mut table = Table::new(&["id", "number", "queue", "state", "place", "tries", "next try", "held by"]);
    for task in items(list) {
        let why = if task["closed_at"].is_null() { "held_by" } else { "close_reason" };
        table.row([
            text(task, "id"),
            text(task, "number"),
            text(task, "queue"),
            text(task, "state"),
            text(task, "position"),
            text(task, "attempts_used"),
            local(task, "next_at"),
            text(task, why),
        ]);
    }
    table.show("no callbacks") + more(list)
}

pub(super) fn queues(list: &Value) -> String {
    let mut table = Table::new(&["name", "number", "waiting", "on the line", "longest wait", "agents"]);
    for queue in items(list) {
        table.row([
            text(queue, "name"),
            text(queue, "number"),
            text(queue, "waiting_count"),
            text(queue, "live_count"),
            wait(queue, "longest_wait_secs"),
            members(queue),
        ]);
    }
    table.show("no queues")
}

/// `anna ready, ben talking`: agents with their state, pairs or objects.
pub(super) fn members(queue: &Value) -> String {
    let agents = queue.get("agents").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let one = |agent: &Value| match agent {
        Value::Array(pair) => pair.iter().map(plain).collect::<Vec<_>>().join(" "),
        Value::Object(_) => format!("{} {}", text(agent, "name"), text(agent, "state")),
        other => plain(other),
    };
    agents.iter().map(one).collect::<Vec<_>>().join(", ")
}

pub(super) fn waiting(list: &[Value]) -> String {
    let mut table = Table::new(&["place", "number", "kind", "wait", "callback or call"]);
    for entry in list {
        let id = if entry["callback"].is_null() { "call" } else { "callback" };
        table.row([
            text(entry, "position"),
            text(entry, "number"),
            text(entry, "kind"),
            wait(entry, "wait_secs"),
            text(entry, id),
        ]);
    }
    table.show("nobody waits")
}

pub(super) fn agents(list: &Value) -> String {
    let mut table = Table::new(&["name", "extension", "state", "reason", "since", "queues", "phone"]);
    for agent in items(list) {
        let contacts = agent.get("contacts").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let phones: Vec<String> = contacts.iter().map(|contact| text(contact, "flow")).collect();
        table.row([
            text(agent, "name"),
            text(agent, "extension"),
            text(agent, "state"),
            text(agent, "reason"),
            local(agent, "since"),
            text(agent, "queues"),
            phones.join(", "),
        ]);
    }
    table.show("no agents")
}

pub(super) fn trunks(list: &Value) -> String {
    let mut table = Table::new(&["name", "mode", "state", "calls", "next", "reason"]);
    for trunk in items(list) {
        table.row([
            text(trunk, "name"),
            text(trunk, "mode"),
            text(trunk, "state"),
            text(trunk, "calls"),
            local(trunk, "next_at"),
            text(trunk, "reason"),
        ]);
    }
    table.show("no trunks: calls go between extensions only")
}

pub(super) fn calls(list: &Value) -> String {
    let mut table = Table::new(&["id", "kind", "from", "to", "state", "agent", "started", "ended", "end"]);
    for call in items(list) {
        table.row([
            text(call, "id"),
            text(call, "kind"),
            text(call, "from"),
            text(call, "to"),
            text(call, "state"),
            text(call, "agent"),
            local(call, "started_at"),
            local(call, "ended_at"),
            text(call, "end_cause"),
        ]);
    }
    table.show("no calls") + more(list)
}

pub(super) fn recordings(list: &Value) -> String {
    let mut table = Table::new(&["id", "agent", "number", "started", "length", "bytes"]);
    for recording in items(list) {
        let samples = recording.get("samples").and_then(Value::as_u64).unwrap_or(0);
        table.row([
            text(recording, "id"),
            text(recording, "agent"),
            text(recording, "number"),
            local(recording, "started_at"),
            clock(samples / 8_000),
            text(recording, "bytes"),
        ]);
    }
    table.show("no recordings") + more(list)
}

pub(super) fn do_not_call(list: &Value) -> String {
    let mut table = Table::new(&["number", "since", "said by", "why"]);
    for entry in items(list) {
        let who = if entry["who"].is_null() { "the customer".to_owned() } else { text(entry, "who") };
        table.row([text(entry, "number"), local(entry, "at"), who, text(entry, "note")]);
    }
    table.show("every number may be called") + more(list)
}

pub(super) fn prompts(list: &Value) -> String {
    let mut table = Table::new(&["name", "seconds", "from"]);
    for prompt in items(list) {
        let own = prompt.get("own").and_then(Value::as_bool) == Some(true);
        table.row([
            text(prompt, "name"),
            text(prompt, "seconds"),
            if own { "the site" } else { "ringback" }.to_owned(),
        ]);
    }
    table.show("no prompts") + more(list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_number_is_shown_bare_however_it_is_wrapped() {
        assert_eq!(plain(&json!({ "number": "+12025550123" })), "+12025550123");
        assert_eq!(plain(&json!("+12025550123")), "+12025550123");
    }

    #[test]
    fn a_list_cut_short_says_that_there_is_more() {
        assert!(callbacks(&json!({ "items": [{ "id": "1" }], "next": "x" })).ends_with("raise --limit.\n"));
        assert_eq!(callbacks(&json!({ "items": [], "next": null })), "no callbacks\n");
    }

    #[test]
    fn agents_of_a_queue_are_read_as_pairs() {
        assert_eq!(members(&json!({ "agents": [["anna", "ready"], ["ben", "paused"]] })), "anna ready, ben paused");
    }
}
