//! What one field cannot tell alone: names that lead nowhere or mean two things, keys that contradict each other,
//! recording without a word said, and features this version refuses.

mod callback;
mod menu;

use super::Files;
use super::kept::KEPT;
use super::read::{Object, Objects, Read};
use super::report::{Report, quote, suggestion};
use super::schema::{Field, Kind, Table};
use super::tables::TABLES;
use super::value::{Server, Target, Value};
use chrono::Timelike;
use std::collections::BTreeMap;
use std::path::Path;

/// Checks the whole file.
pub(super) fn check(objects: &Objects, base: usize, files: &dyn Files, report: &mut Report) {
    let names = names(objects, report);
    for table in TABLES {
        for object in &objects[table.name] {
            fields(table.fields, object, &names, report);
        }
    }
    extensions(objects, report);
    server(&objects["server"][..], report);
    if !objects["trunk"].is_empty() {
        system(&objects["system"][..], report);
    }
    for trunk in &objects["trunk"] {
        self::trunk(trunk, files, report);
    }
    for agent in &objects["agent"] {
        let said = secret(agent, "secret", "secret_file", true, "agent", files, report);
        guessable(agent, said, report);
    }
    for key in &objects["api_key"] {
        let said = secret(key, "secret", "secret_file", true, "api_key", files, report);
        if said.is_some_and(|said| said.chars().count() < TOKEN_LETTERS) {
            let message = format!("api_key.secret_file: the secret has fewer than {TOKEN_LETTERS} characters");
            report.error(key.at("secret_file"), message);
        }
    }
    for schedule in &objects["schedule"] {
        self::schedule(schedule, report);
    }
    for queue in &objects["queue"] {
        self::queue(queue, report);
    }
    for profile in &objects["callback_profile"] {
        self::profile(profile, report);
    }
    for rule in &objects["callback_rule"] {
        self::rule(rule, report);
    }
    for prompt in &objects["prompt"] {
        self::prompt(prompt, prompt.at < base, files, report);
    }
    callback::check(objects, report);
    menu::check(objects, report);
}

type Names<'a> = BTreeMap<&'static str, Vec<&'a str>>;

fn names<'a>(objects: &'a Objects, report: &mut Report) -> Names<'a> {
    let mut names = Names::new();
    for table in TABLES {
        let Table { name: kind, key: Some(key), .. } = table else { continue };
        let list = names.entry(kind).or_default();
        for object in &objects[kind] {
            let Some(name) = object.text(key) else { continue };
            if list.contains(&name) {
                report.error(object.at(key), format!("{kind} {} is there twice: a {key} is unique", quote(name)));
            }
            list.push(name);
        }
    }
    names
}

fn fields(fields: &'static [Field], object: &Object, names: &Names<'_>, report: &mut Report) {
    for field in fields {
        if let Some(read) = object.get(field.name) {
            references(&field.kind, read, names, report);
        }
    }
}

fn references(kind: &Kind, read: &Read, names: &Names<'_>, report: &mut Report) {
    match (kind, &read.value) {
        (Kind::Ref(table), Value::Text(name)) => refer(table, name, read.at, names, report),
        (Kind::Sound | Kind::Notice(_), Value::Text(name)) if !name.is_empty() => {
            refer("prompt", name, read.at, names, report);
        }
        (_, Value::Destination(Target::Object(table, name)) | Value::ServedBy(Server::Object(table, name))) => {
            refer(table, name, read.at, names, report);
        }
        (Kind::List(each, ..), Value::List(list)) => {
            list.iter().for_each(|read| references(each, read, names, report));
        }
        (Kind::Map(_, each), Value::Map(map)) => {
            map.iter().for_each(|(_, read)| references(each, read, names, report));
        }
        (Kind::Table(inner) | Kind::Notice(inner), Value::Object(object)) => fields(inner, object, names, report),
        (_, _) => {} // values without names in them
    }
}

fn refer(table: &'static str, name: &str, at: usize, names: &Names<'_>, report: &mut Report) {
    let known = names.get(table).map_or(&[][..], Vec::as_slice);
    if !report.is_full() && !known.contains(&name) {
        let near = suggestion(name, known.iter().copied());
        let near = if near.is_empty() { format!("; there is no [[{table}]]") } else { near };
        report.error(at, format!("no {table} is named {}{near}", quote(name)));
    }
}

fn extensions(objects: &Objects, report: &mut Report) {
    let mut taken: BTreeMap<&str, String> = BTreeMap::new();
    for (table, field) in [("agent", "extension"), ("queue", "number"), ("ivr", "number")] {
        for object in &objects[table] {
            let Some(number) = object.text(field) else { continue };
            let owner = format!("{table} {}", quote(object.text("name").unwrap_or_default()));
            if let Some(first) = taken.get(number) {
                let at = object.at(field);
                report.error(at, format!("{table}.{field} {} is taken by {first}", quote(number)));
            } else {
                taken.insert(number, owner);
            }
        }
    }
}

fn server(servers: &[Object], report: &mut Report) {
    for server in servers {
        for (key, feature) in [("sip_tcp", "SIP over TCP"), ("sip_tls", "SIP over TLS")] {
            if server.given(key) {
                let message = format!("server.{key}: {feature} is not in this version; use sip_udp");
                report.error(server.at(key), message);
            }
        }
        if let Some(Value::Socket(http)) = server.get("http").map(|read| &read.value)
            && !http.ip().is_loopback()
        {
            let message = "server.http is no loopback address: tokens and recordings cross the network unencrypted. \
                           Bind it to 127.0.0.1 and let a proxy speak TLS in front of it";
            report.warn(server.at("http"), message);
        }
        if let Some(Value::Ip(address)) = server.get("public_address").map(|read| &read.value)
            && (address.is_unspecified() || address.is_multicast())
        {
            let message =
                format!("server.public_address is {address}, which no phone can send to; name a real address");
            report.error(server.at("public_address"), message);
        }
        if let (Some(Value::Socket(sip)), Some(Value::Ports(low, high))) =
            (server.get("sip_udp").map(|read| &read.value), server.get("media_ports").map(|read| &read.value))
            && (*low..=*high).contains(&sip.port())
        {
            let at = latest_given(server, &["sip_udp", "media_ports"]);
            let port = sip.port();
            report.error(at, format!("server.media_ports {low}-{high} contain {port}, the port of sip_udp"));
        }
        if let (Some(Value::Secs(min)), Some(Value::Secs(max))) = (
            server.get("register_min_secs").map(|read| &read.value),
            server.get("register_max_secs").map(|read| &read.value),
        ) && min > max
        {
            let (min, max) = (min.as_secs(), max.as_secs());
            let at = latest_given(server, &["register_min_secs", "register_max_secs"]);
            report.error(at, format!("server.register_min_secs ({min}) is above register_max_secs ({max})"));
        }
    }
}

fn system(systems: &[Object], report: &mut Report) {
    for system in systems {
        if system.get("default_country").is_none() && !system.given("default_country") {
            let message = "system.default_country is not set: only extensions can be called";
            report.warn(system.at, message);
        }
    }
}

fn trunk(trunk: &Object, files: &dyn Files, report: &mut Report) {
    match trunk.text("transport") {
        Some("tcp") => report.error(trunk.at("transport"), refused("trunk.transport", "SIP over TCP", "\"udp\"")),
        Some("tls") => report.error(trunk.at("transport"), refused("trunk.transport", "SIP over TLS", "\"udp\"")),
        Some(_) | None => {}
    }
    match trunk.text("srtp") {
        Some("required") => report.error(trunk.at("srtp"), refused("trunk.srtp", "SRTP", "\"off\"")),
        Some("optional") => {
            report.warn(trunk.at("srtp"), "trunk.srtp is not honoured yet: calls go without encryption")
        }
        Some(_) | None => {}
    }
    let codecs = list(trunk, "codecs");
    if let Some(read) = codecs.iter().find(|read| as_text(read) == Some("G722")).filter(|_| trunk.given("codecs")) {
        match codecs.len() {
            1 => report.error(read.at, "trunk.codecs: G722 is not in this version; add \"PCMU\" or \"PCMA\""),
            _ => report.warn(read.at, "trunk.codecs: \"G722\" is not honoured yet: it is left out"),
        }
    }
    let registers = trunk.text("mode") == Some("register");
    if registers && !trunk.values.contains_key("username") {
        report.error(trunk.at, "trunk lacks \"username\": mode \"register\" needs it");
    }
    let needed = registers || trunk.given("username") || trunk.given("auth_user");
    secret(trunk, "password", "password_file", needed, "trunk", files, report);
    if !registers && trunk.given("password") && !trunk.given("username") && !trunk.given("auth_user") {
        report.error(trunk.at("password"), "trunk.password is set without username");
    }
}

fn refused(path: &str, feature: &str, way_out: &str) -> String {
    format!("{path}: {feature} is not in this version; use {way_out}")
}

/// A secret stands in the file or in a file of its own, not in both. The secret.
fn secret(
    object: &Object,
    field: &str,
    file: &str,
    needed: bool,
    table: &str,
    files: &dyn Files,
    report: &mut Report,
) -> Option<String> {
    match (object.given(field), object.given(file)) {
        (true, true) => {
            report.error(object.at(file), format!("{table} has {field} and {file}: keep one of them"));
        }
        (false, false) if needed => report.error(object.at, format!("{table} lacks \"{field}\" or \"{file}\"")),
        (true, false) if object.text(field) == Some(KEPT) => {
            let message = format!(
                "{table}.{field} stands for one that `export` has left out, and only a running server that has it can \
                 fill it in (`apply`): write the secret itself, or {file}"
            );
            report.error(object.at(field), message);
        }
        (false, false) => {}
        (true, false) => return object.text(field).map(str::to_owned),
        (false, true) => {
            let path = object.text(file)?;
            match files.read(Path::new(path)) {
                Ok(secret) if secret.trim().is_empty() => {
                    report.error(object.at(file), format!("{table}.{file}: {} is empty", quote(path)));
                }
                Ok(secret) => return Some(secret.trim().to_owned()),
                Err(error) => {
                    let message = format!("{table}.{file}: {} cannot be read: {error}", quote(path));
                    report.error(object.at(file), message);
                }
            }
        }
    }
    None
}

/// Letters of a bearer token at least, as `tables.rs` has it for those that stand in the file.
const TOKEN_LETTERS: usize = 16;
/// Letters of a phone's password at least; scanners try the shorter ones, and extensions first (security.md T15).
const PASSWORD_LETTERS: usize = 10;

fn guessable(agent: &Object, said: Option<String>, report: &mut Report) {
    let is_name = |said: &str| ["name", "extension"].iter().any(|field| agent.text(field) == Some(said));
    if said.is_some_and(|said| said.chars().count() < PASSWORD_LETTERS || is_name(&said)) {
        let at = if agent.given("secret") { agent.at("secret") } else { agent.at("secret_file") };
        let message = format!("agent.secret can be guessed: take {PASSWORD_LETTERS} characters and more, at random");
        report.warn(at, message);
    }
}

fn schedule(schedule: &Object, report: &mut Report) {
    let objects = |name: &str| list(schedule, name).into_iter().filter_map(as_object);
    for range in objects("weekly") {
        hours(range, "schedule.weekly", report);
    }
    overlaps(&objects("weekly").collect::<Vec<_>>(), "schedule.weekly", report);
    let mut dates = Vec::new();
    for exception in objects("exceptions") {
        if let Some(Value::Date(date)) = exception.get("date").map(|read| &read.value) {
            if dates.contains(date) {
                let message = format!("schedule.exceptions names {date} twice; keep one, with all its ranges");
                report.error(exception.at("date"), message);
            }
            dates.push(*date);
        }
        let ranges = list(exception, "ranges");
        let closed = exception.get("closed").is_some_and(|read| read.value == Value::Bool(true));
        if closed && !ranges.is_empty() {
            report.error(exception.at("ranges"), "schedule.exceptions is closed and has ranges: keep one of them");
        }
        if !closed && ranges.is_empty() && !exception.given("ranges") && !exception.given("closed") {
            report.error(exception.at, "schedule.exceptions says neither closed = true nor ranges");
        }
        let ranges: Vec<&Object> = ranges.into_iter().filter_map(as_object).collect();
        for range in &ranges {
            hours(range, "schedule.exceptions.ranges", report);
        }
        overlaps(&ranges, "schedule.exceptions.ranges", report);
    }
}

/// Minutes of a week, Monday first; of a date's ranges, of a day that stands for it.
fn minutes(range: &Object) -> Vec<std::ops::Range<u32>> {
    const DAY: u32 = 24 * 60;
    let minute = |name: &str| match range.get(name).map(|read| &read.value) {
        Some(Value::Time(time, _)) => Some(time.hour() * 60 + time.minute()),
        Some(_) | None => None,
    };
    let (Some(start), Some(end)) = (minute("start"), minute("end")) else { return Vec::new() };
    let end = if end <= start { end + DAY } else { end };
    let days = match range.get("days").map(|read| &read.value) {
        Some(Value::Days(days)) => days.iter().map(|day| day.num_days_from_monday()).collect(),
        Some(_) | None => vec![0],
    };
    days.into_iter().map(|day| day * DAY + start..day * DAY + end).collect()
}

/// Two ranges of one time are one too many: which of them is meant to be changed later?
fn overlaps(ranges: &[&Object], path: &str, report: &mut Report) {
    const WEEK: u32 = 7 * 24 * 60;
    let mut seen: Vec<std::ops::Range<u32>> = Vec::new();
    for range in ranges {
        let own = minutes(range);
        // A Sunday night that ends on Monday is also the Monday before Monday.
        let again: Vec<_> =
            own.iter().filter(|own| own.end > WEEK).map(|own| 0..own.end - WEEK).chain(own.iter().cloned()).collect();
        if again.iter().any(|own| seen.iter().any(|seen| own.start < seen.end && seen.start < own.end)) {
            report.error(range.at("start"), format!("{path} overlaps another range of the same hours; make them one"));
        }
        seen.extend(again);
    }
}

fn hours(range: &Object, path: &str, report: &mut Report) {
    let value = |name: &str| range.get(name).map(|read| &read.value);
    if let (Some(start @ Value::Time(..)), Some(end @ Value::Time(..))) = (value("start"), value("end"))
        && start == end
    {
        let message = format!("{path}: start and end are the same; write 00:00 to 24:00 for the whole day");
        report.error(range.at("end"), message);
    }
}

fn queue(queue: &Object, report: &mut Report) {
    recording(queue, "queue", report);
    let mut seen = Vec::new();
    for member in list(queue, "members").into_iter().filter_map(as_object) {
        let Some(agent) = member.text("agent") else { continue };
        if seen.contains(&agent) {
            report.error(member.at("agent"), format!("queue.members names {} twice", quote(agent)));
        }
        seen.push(agent);
    }
}

fn profile(profile: &Object, report: &mut Report) {
    recording(profile, "callback_profile", report);
    if let Some(window) = profile.get("legal_window").and_then(as_object) {
        hours(window, "callback_profile.legal_window", report);
    }
    if let Some(Value::Secs(ring)) = profile.get("ring_timeout_secs").map(|read| &read.value)
        && ring.as_secs() < 15
    {
        let message = format!(
            "callback_profile.ring_timeout_secs is {}: too short for a person to answer (15 and more is usual)",
            ring.as_secs()
        );
        report.warn(profile.at("ring_timeout_secs"), message);
    }
    let fixed = profile.text("caller_id_mode") == Some("fixed") && profile.given("caller_id_mode");
    if fixed && !profile.values.contains_key("caller_id") {
        let message = "callback_profile.caller_id_mode is \"fixed\" and caller_id is not set";
        report.error(profile.at("caller_id_mode"), message);
    }
    if profile.get("client_reschedule").is_some_and(|read| read.value == Value::Bool(true))
        && profile.text("client_reschedule_key") == Some("9")
    {
        let message = "callback_profile.client_reschedule_key is \"9\", which says stop calling me";
        report.error(profile.at("client_reschedule_key"), message);
    }
}

/// What is spoken is text; what is played is a prompt.
fn notice(object: &Object, table: &str, report: &mut Report) {
    let Some(notice) = object.get("record_notice").and_then(as_object) else { return };
    match (notice.text("mode"), notice.given("text"), notice.given("prompt")) {
        (Some("tts"), false, _) => {
            report.error(notice.at, format!("{table}.record_notice has mode \"tts\" and lacks \"text\""))
        }
        (Some("tts"), true, true) => {
            let message = format!("{table}.record_notice has mode \"tts\" and a prompt: keep the text or the prompt");
            report.error(notice.at("prompt"), message);
        }
        (Some(mode), true, _) if mode != "tts" => {
            let message = format!("{table}.record_notice has a text, which mode {} does not speak", quote(mode));
            report.error(notice.at("text"), message);
        }
        (Some(_) | None, _, _) => {}
    }
}

/// Recording needs a word said, or the admin's word that none is due (interface.md, Settled 14).
fn recording(object: &Object, table: &str, report: &mut Report) {
    notice(object, table, report);
    let is = |name: &str| object.get(name).is_some_and(|read| read.value == Value::Bool(true));
    if !is("record") || is("record_ack_no_notice") {
        return;
    }
    let said = match object.values.get("record_notice").map(|read| &read.value) {
        Some(Value::Text(prompt)) => !prompt.is_empty(),
        Some(Value::Object(notice)) => notice.text("mode") != Some("none"),
        Some(Value::Wrong) => true, // told already
        Some(_) | None => false,
    };
    if !said {
        let message = format!(
            "{table}.record is on without a notice: set record_notice = {{ mode = \"audio\" }}, or \
             record_ack_no_notice = true where that is lawful"
        );
        report.error(object.at("record"), message);
    }
}

fn rule(rule: &Object, report: &mut Report) {
    for (a, b) in [("request_digit", "confirm_key"), ("request_digit", "cancel_key"), ("confirm_key", "cancel_key")] {
        if let (Some(one), Some(other)) = (rule.text(a), rule.text(b))
            && one == other
        {
            let message = format!("callback_rule.{a} and {b} are both {}: they must differ", quote(one));
            report.error(latest_given(rule, &[a, b]), message);
        }
    }
    if let (Some(Value::Integer(min)), Some(Value::Integer(max))) =
        (rule.get("min_digits").map(|read| &read.value), rule.get("max_digits").map(|read| &read.value))
        && min > max
    {
        let at = latest_given(rule, &["min_digits", "max_digits"]);
        report.error(at, format!("callback_rule.min_digits ({min}) is above max_digits ({max})"));
    }
}

/// A sound that has vanished is an error where it is written; for one that was uploaded, nothing else is to stop.
fn prompt(prompt: &Object, is_of_file: bool, files: &dyn Files, report: &mut Report) {
    match (prompt.text("file"), prompt.given("text")) {
        (Some(_), true) => report.error(prompt.at("text"), "prompt has file and text: keep one of them"),
        (Some(path), false) => {
            if !files.exists(Path::new(path)) {
                let message = format!("prompt.file: there is no file {}", quote(path));
                match is_of_file {
                    true => report.error(prompt.at("file"), message),
                    false => report.warn(prompt.at("file"), format!("{message}; this prompt is silent")),
                }
            }
        }
        (None, false) if !prompt.given("file") => report.error(prompt.at, "prompt lacks \"file\" or \"text\""),
        (None, _) => {}
    }
}

/// The later of these fields in the file, or the object.
fn latest_given(object: &Object, names: &[&str]) -> usize {
    names.iter().filter(|name| object.given(name)).map(|name| object.at(name)).max().unwrap_or(object.at)
}

pub(super) fn list<'a>(object: &'a Object, name: &str) -> Vec<&'a Read> {
    match object.get(name).map(|read| &read.value) {
        Some(Value::List(list)) => list.iter().collect(),
        Some(_) | None => Vec::new(), // unset, or told already
    }
}

pub(super) fn as_object(read: &Read) -> Option<&Object> {
    if let Value::Object(object) = &read.value { Some(object) } else { None }
}

pub(super) fn as_text(read: &Read) -> Option<&str> {
    if let Value::Text(text) = &read.value { Some(text) } else { None }
}
