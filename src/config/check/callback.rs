//! What rules, profiles and the objects they lean on say together: keys that mean two things, callbacks that nobody
//! would serve or that could not be dialled, limits that leave nothing.

use super::super::read::{Object, Objects};
use super::super::report::{Report, quote};
use super::super::value::{Server, Target, Value};
use super::{as_object, as_text, latest_given, list};

/// Checks them.
pub(super) fn check(objects: &Objects, report: &mut Report) {
    for queue in &objects["queue"] {
        keys_of_queue(queue, objects, report);
        circles(queue, report);
    }
    for profile in &objects["callback_profile"] {
        keys_of_profile(profile, report);
        if !objects["trunk"].is_empty() {
            identity(profile, objects, report);
            way_out(profile, objects, report);
        }
    }
    for rule in &objects["callback_rule"] {
        served(rule, objects, report);
    }
    for entry in &objects["number_list"] {
        number_entry(entry, report);
    }
    caps(objects, report);
}

fn yes(object: &Object, name: &str) -> bool {
    object.get(name).is_some_and(|read| read.value == Value::Bool(true))
}

fn names<'a>(object: &'a Object, name: &str) -> Vec<&'a str> {
    list(object, name).into_iter().filter_map(as_text).collect()
}

fn named<'a>(objects: &'a Objects, table: &str, name: &str) -> Option<&'a Object> {
    objects[table].iter().find(|object| object.text("name") == Some(name))
}

fn scope<'a>(rule: &'a Object, name: &str) -> Vec<&'a str> {
    rule.get("scope").and_then(as_object).map(|scope| names(scope, name)).unwrap_or_default()
}

/// The rules by which people in this queue ask for a callback, in the order in which they are asked.
fn requests<'a>(queue: &Object, objects: &'a Objects) -> Vec<&'a Object> {
    let own = names(queue, "rules");
    let by_scope = |rule: &&Object| {
        rule.text("name").is_some_and(|name| !own.contains(&name))
            && queue.text("name").is_some_and(|queue| scope(rule, "queues").contains(&queue))
    };
    let mut rules: Vec<&Object> = own.iter().filter_map(|rule| named(objects, "callback_rule", rule)).collect();
    rules.extend(objects["callback_rule"].iter().filter(by_scope));
    rules.retain(|rule| rule.text("source") == Some("queue_request"));
    rules.sort_by_key(|rule| match rule.get("order").map(|read| &read.value) {
        Some(Value::Integer(order)) => *order,
        Some(_) | None => 0,
    });
    rules
}

/// One key means one thing to a caller who waits (model.md: DTMF map).
fn keys_of_queue(queue: &Object, objects: &Objects, report: &mut Report) {
    let mut taken: Vec<(&str, &str)> = Vec::new();
    for rule in requests(queue, objects) {
        let (Some(name), Some(digit)) = (rule.text("name"), rule.text("request_digit")) else { continue };
        let (shown, key) = (quote(name), quote(digit));
        if queue.text("exit_key") == Some(digit) {
            let message = format!("queue.exit_key {key} is also request_digit of callback_rule {shown}");
            report.error(queue.at("exit_key"), message);
        }
        match taken.iter().find(|(taken, _)| *taken == digit) {
            Some((_, first)) => {
                let (first, queue) = (quote(first), quote(queue.text("name").unwrap_or_default()));
                let message = format!(
                    "callback_rule.request_digit {key} is also that of {first}, which answers it in queue {queue}"
                );
                report.warn(latest_given(rule, &["request_digit"]), message);
            }
            None => taken.push((digit, name)),
        }
    }
}

/// A way out that leads back in is none.
fn circles(queue: &Object, report: &mut Report) {
    for field in ["overflow_dest", "exit_dest"] {
        if let Some(Value::Destination(Target::Object("queue", to))) = queue.get(field).map(|read| &read.value)
            && queue.text("name") == Some(to)
        {
            report.error(queue.at(field), format!("queue.{field} leads back to queue {} itself", quote(to)));
        }
    }
}

fn keys_of_profile(profile: &Object, report: &mut Report) {
    let (accept, again) = (profile.text("agent_accept_key"), profile.text("agent_reschedule_key"));
    let both = profile.text("agent_accept") == Some("key") && yes(profile, "agent_reschedule");
    if let (true, Some(accept), Some(again)) = (both, accept, again)
        && accept == again
    {
        let message = format!(
            "callback_profile.agent_accept_key and agent_reschedule_key are both {}: they must differ",
            quote(accept)
        );
        report.error(latest_given(profile, &["agent_accept_key", "agent_reschedule_key"]), message);
    }
    if yes(profile, "record") && yes(profile, "agent_reschedule") && again == Some("*") {
        let message = "callback_profile.agent_reschedule_key is \"*\", with which an agent pauses the recording (*1)";
        report.error(latest_given(profile, &["agent_reschedule_key"]), message);
    }
}

/// S1.23: customers pick up when they know the number, and a trunk may refuse one that is not its own.
fn identity(profile: &Object, objects: &Objects, report: &mut Report) {
    let Some(label) = profile.text("caller_id") else {
        let message = "callback_profile.caller_id is not set: customers see a number that they may not know";
        return report.warn(profile.at, message);
    };
    let Some(caller_id) = objects["caller_id"].iter().find(|object| object.text("label") == Some(label)) else {
        return; // told already
    };
    let trunks = names(profile, "trunks");
    let shown = quote(label);
    match caller_id.text("trunk") {
        None => {
            let message = format!("callback_profile.caller_id {shown} is owned by no trunk, which may refuse it");
            report.warn(profile.at("caller_id"), message);
        }
        Some(owner) if !trunks.is_empty() && !trunks.contains(&owner) => {
            let owner = quote(owner);
            let message = format!(
                "callback_profile.caller_id {shown} is owned by trunk {owner}, by which this profile does not dial"
            );
            report.warn(profile.at("caller_id"), message);
        }
        Some(_) => {}
    }
}

/// S2.4: prefix and number must match an outbound route.
fn way_out(profile: &Object, objects: &Objects, report: &mut Report) {
    // interface.md, Settled 6: the number keeps its `+` only while there is no prefix.
    let begins = profile.text("dial_prefix").filter(|prefix| !prefix.is_empty()).unwrap_or("+");
    let mut prefixes = objects["outbound_route"].iter().filter_map(|route| route.text("prefix")).peekable();
    if prefixes.peek().is_some() && !prefixes.any(|prefix| prefix.starts_with(begins) || begins.starts_with(prefix)) {
        let message = format!(
            "callback_profile.dial_prefix: no outbound_route has a prefix for numbers that begin with {}; callbacks \
             of this profile are blocked",
            quote(begins)
        );
        report.warn(profile.at("dial_prefix"), message);
    }
}

/// Every callback has a queue: it is asked for in one, or the rule says which.
fn served(rule: &Object, objects: &Objects, report: &mut Report) {
    let (Some(name), Some(source)) = (rule.text("name"), rule.text("source")) else { return };
    let has_it = |queue: &Object| {
        let queue_name = queue.text("name").unwrap_or_default();
        names(queue, "rules").contains(&name) || scope(rule, "queues").contains(&queue_name)
    };
    if source == "queue_request" && !objects["queue"].is_empty() && !objects["queue"].iter().any(has_it) {
        let message = format!("callback_rule {} is in no queue's rules: it offers nothing", quote(name));
        return report.warn(rule.at, message);
    }
    let Some(profile) = rule.text("profile").and_then(|profile| named(objects, "callback_profile", profile)) else {
        return; // told already
    };
    let chosen = matches!(
        profile.get("destination").map(|read| &read.value),
        Some(Value::ServedBy(Server::Object("queue", _)) | Value::Wrong)
    );
    let queues = scope(rule, "queues").len();
    let shown = quote(profile.text("name").unwrap_or_default());
    let fix = format!("set destination = \"queue:NAME\" in callback_profile {shown}");
    if source == "missed_ivr" && !chosen && queues != 1 {
        let message =
            format!("callback_rule.source \"missed_ivr\" needs exactly one queue to serve its callbacks: {fix}");
        report.error(rule.at("source"), message);
    }
    if source == "missed_agent" && !chosen && queues == 0 && !all_in_queues(rule, objects) {
        let message = format!(
            "callback_rule.source \"missed_agent\" has agents who are in no queue, which their callbacks need: {fix}, \
             or name a queue in scope.queues"
        );
        report.error(rule.at("source"), message);
    }
}

/// Whether everybody whose missed calls a rule takes is a member of some queue.
fn all_in_queues(rule: &Object, objects: &Objects) -> bool {
    let members: Vec<&str> = objects["queue"]
        .iter()
        .flat_map(|queue| list(queue, "members"))
        .filter_map(as_object)
        .filter_map(|member| member.text("agent"))
        .collect();
    let mut agents = scope(rule, "agents");
    for group in scope(rule, "groups") {
        agents.extend(named(objects, "group", group).map(|group| names(group, "agents")).unwrap_or_default());
    }
    if agents.is_empty() {
        agents = objects["agent"].iter().filter_map(|agent| agent.text("name")).collect();
    }
    agents.iter().all(|agent| members.contains(agent))
}

fn number_entry(entry: &Object, report: &mut Report) {
    let Some(kind) = entry.text("kind") else { return };
    let shown = quote(kind);
    if entry.given("action") && kind != "deny" {
        report.error(
            entry.at("action"),
            format!("number_list.action is how a denied caller is refused, not for {shown}"),
        );
    }
    match (kind == "exclusive", list(entry, "agents").is_empty()) {
        (true, true) => report.error(entry.at("kind"), "number_list.kind \"exclusive\" needs agents"),
        (false, false) => {
            report.error(entry.at("agents"), format!("number_list.agents are for \"exclusive\", not for {shown}"));
        }
        (true, false) | (false, true) => {}
    }
    let instant = |name: &str| match entry.get(name).map(|read| &read.value) {
        Some(Value::Instant(at)) => Some(*at),
        Some(_) | None => None,
    };
    if let (Some(from), Some(until)) = (instant("valid_from"), instant("valid_until"))
        && from >= until
    {
        let at = latest_given(entry, &["valid_from", "valid_until"]);
        report.error(at, "number_list.valid_until is not after valid_from: the entry never holds");
    }
}

/// S4.B1: 0 is none, and `"none"` is no limit; whoever writes 0 may have meant the other.
fn caps(objects: &Objects, report: &mut Report) {
    let caps = [
        ("system", "max_originates_per_min"),
        ("system", "new_address_calls"),
        ("trunk", "max_calls"),
        ("trunk", "max_cps"),
        ("queue", "max_callers"),
        ("queue", "max_callbacks"),
        ("callback_profile", "max_lines"),
        ("callback_rule", "max_pending"),
        ("number_policy", "daily_max"),
    ];
    for (table, field) in caps {
        for object in &objects[table] {
            if object.given(field) && object.get(field).is_some_and(|read| read.value == Value::Integer(0)) {
                report.warn(object.at(field), format!("{table}.{field} is 0: none at all"));
            }
        }
    }
}
