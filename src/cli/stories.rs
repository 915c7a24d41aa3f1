//! One object of the API, told to people.

use super::lists::{clock, local, members, plain, text, waiting};
use super::table::{Table, harmless};
use serde_json::Value;
use std::fmt::Write;

/// `name  value` lines, those with a value.
fn facts(object: &Value, names: &[(&str, &str)]) -> String {
    let width = names.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
    let mut out = String::new();
    for (label, name) in names {
        let value = if name.ends_with("_at") || *name == "not_before" || *name == "since" {
            local(object, name)
        } else {
            text(object, name)
        };
        if !value.is_empty() {
            let _ = writeln!(out, "{label:<width$}  {}", harmless(&value));
        }
    }
    out
}

pub(super) fn callback(task: &Value) -> String {
    let mut out = facts(
        task,
        &[
            ("callback", "id"),
            ("number", "number"),
            ("queue", "queue"),
            ("agent", "agent"),
            ("profile", "profile"),
            ("state", "state"),
            ("held by", "held_by"),
            ("place in line", "position"),
            ("next try", "next_at"),
            ("promised", "created_at"),
            ("expires", "expires_at"),
            ("tries counted", "attempts_used"),
            ("closed", "closed_at"),
            ("because", "close_reason"),
        ],
    );
    let attempts = task.get("attempts").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if !attempts.is_empty() {
        let mut table = Table::new(&["try", "started", "agent", "customer", "outcome", "talk"]);
        for attempt in attempts {
            let legs = attempt.get("agent_legs").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            let agents: Vec<String> = legs.iter().map(|leg| text(leg, "peer")).collect();
            table.row([
                text(attempt, "n"),
                local(attempt, "loaded_at"),
                agents.join(", "),
                attempt.get("customer_leg").map(|leg| local(leg, "answered_at")).unwrap_or_default(),
                text(attempt, "outcome"),
                attempt.get("talk_secs").and_then(Value::as_u64).map(clock).unwrap_or_default(),
            ]);
        }
        out.push('\n');
        out.push_str(&table.show(""));
    }
    out
}

pub(super) fn queue(queue: &Value) -> String {
    let mut out = facts(queue, &[("queue", "name"), ("number", "number")]);
    let agents = members(queue);
    if !agents.is_empty() {
        let _ = writeln!(out, "agents  {}", harmless(&agents));
    }
    out.push('\n');
    out + &waiting(queue.get("waiting").and_then(Value::as_array).map_or(&[], Vec::as_slice))
}

/// How a server is.
pub(super) fn status(status: &Value) -> String {
    let of = |part: &str| status.get(part).cloned().unwrap_or_default();
    let mut out =
        facts(status, &[("ready", "ready"), ("draining", "draining"), ("calls", "calls"), ("breaker", "breaker")]);
    if let Some(secs) = status.get("clock_doubted_secs").and_then(Value::as_i64) {
        let _ = writeln!(out, "clock  set by {secs} s: nothing is dialled before it is confirmed");
    }
    let mebibytes = |name: &str| of("disk").get(name).and_then(Value::as_u64).map(|octets| octets >> 20);
    let room = mebibytes("free_bytes").zip(mebibytes("whole_bytes"));
    let room = room.map_or_else(String::new, |(free, whole)| format!(" ({free} of {whole} MiB free)"));
    let _ = writeln!(out, "disk  {}{room}", harmless(&text(&of("disk"), "space")));
    let said = |name: &str| Some(local(&of("store"), name)).filter(|at| !at.is_empty());
    let never = |at: Option<String>| harmless(&at.unwrap_or_else(|| "never".to_owned()));
    let _ = writeln!(out, "checkpoint  {}", never(said("checkpoint_at")));
    let _ = writeln!(out, "backup  {}", never(said("backup_at")));
    if let (Some(failed), Some(mended)) = (said("failed_at"), said("mended_at")) {
        let why = text(&of("store"), "failure");
        let _ = writeln!(out, "store  failed {} ({}), works again since {}", failed, harmless(&why), mended);
    }
    for warning in of("warnings").as_array().into_iter().flatten().filter_map(Value::as_str) {
        let _ = writeln!(out, "WARNING  {}", harmless(warning));
    }
    out
}

pub(super) fn agent(agent: &Value) -> String {
    let named = [("agent", "name"), ("state", "state"), ("reason", "reason"), ("since", "since")];
    facts(agent, &[&named[..], &[("new addresses", "new_addresses")]].concat())
}

pub(super) fn call(call: &Value) -> String {
    let mut out = facts(
        call,
        &[
            ("call", "id"),
            ("kind", "kind"),
            ("from", "from"),
            ("to", "to"),
            ("state", "state"),
            ("queue", "queue"),
            ("agent", "agent"),
            ("callback", "callback"),
            ("returns", "origin_call"),
            ("started", "started_at"),
            ("answered", "answered_at"),
            ("ended", "ended_at"),
            ("end", "end_cause"),
            ("recording", "recording"),
        ],
    );
    if let Some(Value::Array(steps)) = call.get("ladder") {
        out.push('\n');
        out.push_str(&ladder(steps));
    }
    out
}

fn ladder(steps: &[Value]) -> String {
    let mut out = String::new();
    let width = |name: &str| steps.iter().map(|step| plain(&step[name]).chars().count()).max().unwrap_or(0);
    let (from, to) = (width("from"), width("to"));
    for step in steps {
        let at = text(step, "at");
        let time = chrono::DateTime::parse_from_rfc3339(&at)
            .map(|at| at.with_timezone(&crate::config::host::zone()).format("%H:%M:%S%.3f").to_string())
            .unwrap_or(at);
        let [sender, receiver, what] = ["from", "to", "what"].map(|name| harmless(&text(step, name)));
        let _ = writeln!(out, "{time}  {sender:>from$} -> {receiver:<to$}  {what}");
    }
    if out.is_empty() { "no messages\n".to_owned() } else { out }
}

pub(super) fn never(entry: &Value) -> String {
    format!("{} is never called again\n", harmless(&text(entry, "number")))
}

pub(super) fn tested(test: &Value) -> String {
    let [name, told, took] = ["name", "told", "took_ms"].map(|field| harmless(&text(test, field)));
    format!("{name}: {told} after {took} ms\n")
}

pub(super) fn prompt(prompt: &Value) -> String {
    format!("{}: {} s\n", harmless(&text(prompt, "name")), text(prompt, "seconds"))
}

pub(super) fn resumed(_: &Value) -> String {
    "Automatic dialling goes on.\n".to_owned()
}

/// Whether the site is frozen, and which rules rest.
pub(super) fn frozen(status: &Value) -> String {
    let rules = status.get("resting_rules").and_then(Value::as_array);
    let rules: Vec<&str> = rules.into_iter().flatten().filter_map(Value::as_str).collect();
    let resting = match &rules[..] {
        [] => "No rule rests.\n".to_owned(),
        rules => format!("Resting until activated: {}\n", super::table::harmless(&rules.join(" "))),
    };
    let is_frozen = status.get("frozen").and_then(Value::as_bool) == Some(true);
    let state = if is_frozen { "Frozen: nothing is offered or dialled." } else { "Active: callbacks are dialled." };
    format!("{state}\n{resting}")
}

pub(super) fn drain(status: &Value) -> String {
    match status.get("calls").and_then(Value::as_u64) {
        Some(0) => "Draining: no calls are running, the server ends now.\n".to_owned(),
        Some(1) => "Draining: new calls are refused; 1 call is still running.\n".to_owned(),
        Some(calls) => format!("Draining: new calls are refused; {calls} calls are still running.\n"),
        None => "Draining: new calls are refused, running ones end by themselves.\n".to_owned(),
    }
}

/// What an edition of the site has changed, or would.
pub(super) fn edited(edited: &Value) -> String {
    let mut out = String::new();
    let texts = |name: &str| edited.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    for (sign, name) in [("+", "added"), ("-", "removed")] {
        for place in texts(name) {
            let _ = writeln!(out, "{sign} {}", plain(&place));
        }
    }
    for (place, fields) in edited.get("changed").and_then(Value::as_object).into_iter().flatten() {
        let fields: Vec<String> = fields.as_array().into_iter().flatten().map(plain).collect();
        let _ = writeln!(out, "~ {}: {}", super::table::harmless(place), fields.join(", "));
    }
    if out.is_empty() {
        out.push_str("nothing changes\n");
    }
    for warning in texts("warnings") {
        let _ = writeln!(out, "warning: {}", plain(&warning));
    }
    if edited.get("dry_run") == Some(&Value::Bool(true)) {
        out.push_str("(nothing was changed)\n");
    }
    out
}

/// `file:line:column: message`
pub(super) fn problem(file: &str, problem: &Value) -> String {
    let part = |name: &str| problem.get(name).map(plain).unwrap_or_default();
    format!("{file}:{}:{}: {}\n", part("line"), part("column"), part("message"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_callback_is_told_with_what_holds_it_and_its_tries() {
        let task = json!({
            "id": "01JD", "number": { "number": "+12025550123" }, "state": "waiting_retry",
            "held_by": "the pause after the last try is not over", "closed_at": null, "close_reason": null,
            "attempts": [{ "n": 1, "agent_legs": [{ "peer": "anna" }], "customer_leg": null, "outcome": "busy" }],
        });

        let told = callback(&task);

        assert!(told.contains("held by        the pause after the last try is not over\n"), "{told}");
        assert!(told.contains("anna") && told.contains("busy"), "{told}");
        assert!(!told.contains("because"), "{told}");
    }

    #[test]
    fn a_ladder_is_one_arrow_a_line() {
        let call = json!({ "id": "01JD", "ladder": [
            { "at": "x", "from": "caller", "to": "ringback", "what": "INVITE (SDP)\u{1b}[2J" },
        ] });

        assert_eq!(super::call(&call), "call       01JD\n\nx  caller -> ringback  INVITE (SDP)\u{fffd}[2J\n");
    }
}
