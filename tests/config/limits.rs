//! Every number of the file at its limits and one beyond, from the tables themselves; and the checks that
//! requirements ask for by name.

use super::{parse, shown};
use ringback::config::schema::{Field, Kind};
use ringback::config::tables::TABLES;
use ringback::settings::*;
use std::time::Duration;

/// A value of a field and whether it is within its limits.
type Tried = (String, bool);

/// The values at and beyond the limits of a kind, as TOML.
fn edges(kind: &Kind) -> Vec<Tried> {
    let pair = |least: i128, most: i128, show: &dyn Fn(i128) -> String| {
        vec![(show(least - 1), false), (show(least), true), (show(most), true), (show(most + 1), false)]
    };
    let text = |letter: &str, length: i128| match usize::try_from(length) {
        Ok(length) => format!("\"{}\"", letter.repeat(length)),
        Err(_) => "1".to_owned(), // shorter than no text: no text at all
    };
    match kind {
        Kind::Integer(least, most) => pair((*least).into(), (*most).into(), &|number| number.to_string()),
        Kind::Secs(least, most) => pair((*least).into(), (*most).into(), &|number| number.to_string()),
        Kind::Text(least, most) => pair(*least as i128, *most as i128, &|length| text("x", length)),
        Kind::Digits(least, most) => pair(*least as i128, *most as i128, &|length| text("1", length)),
        Kind::List(each, ..) => edges(each).into_iter().map(|(value, good)| (format!("[{value}]"), good)).collect(),
        Kind::Map(_, each) => {
            edges(each).into_iter().map(|(value, good)| (format!("{{ \"1\" = {value} }}"), good)).collect()
        }
        Kind::Table(fields) | Kind::Notice(fields) => inner(fields, |inner| format!("{{ {inner} }}")),
        _ => Vec::new(), // nothing with limits of its own
    }
}

fn inner(fields: &[Field], wrap: impl Fn(String) -> String) -> Vec<Tried> {
    fields
        .iter()
        .flat_map(|field| {
            edges(&field.kind).into_iter().map(|(value, good)| (format!("{} = {value}", field.name), good))
        })
        .map(|(inner, good)| (wrap(inner), good))
        .collect()
}

#[test]
fn every_number_and_text_is_taken_at_its_limits_and_refused_beyond_by_name_and_limit() {
    let mut tried = 0;
    for table in TABLES {
        for field in table.fields {
            for (value, good) in edges(&field.kind) {
                let text = format!("{}\n{} = {value}\n", table.header(), field.name);
                let told = parse(&text).map_or_else(|problems| shown(&problems), |config| shown(&config.warnings));
                let path = format!("{}.{}", table.name, field.name);
                let refused = told.lines().any(|line| {
                    let about = line.contains(&format!(": {path}"));
                    about
                        && !line.contains("warning")
                        && !line.contains(" lacks ")
                        && (line.contains("limits are") || line.contains("it takes"))
                });
                assert_eq!(!refused, good, "{path} = {value}:\n{told}");
                tried += 1;
            }
        }
    }
    assert!(tried > 400, "{tried} values tried");
}

/// A site with a trunk, a caller ID of it, an agent, a queue, a rule and a profile with `more`.
fn with(more: &str) -> String {
    format!(
        r#"
[system]
default_country = "US"
[[trunk]]
name = "carrier"
mode = "peer"
host = "203.0.113.5"
[[trunk]]
name = "backup"
mode = "peer"
host = "203.0.113.6"
[[caller_id]]
label = "Main Line"
number = "+12025550100"
trunk = "carrier"
[[caller_id]]
label = "Spare Line"
number = "+12025550101"
[[outbound_route]]
prefix = "+"
trunks = ["carrier"]
[[queue]]
name = "support"
number = "5000"
rules = ["key"]
[[callback_rule]]
name = "key"
source = "queue_request"
profile = "standard"
[[callback_profile]]
name = "standard"
agent_reschedule = false
{more}
"#
    )
}

/// What is told of a profile with these lines, marks aside.
fn told(more: &str) -> Vec<String> {
    let problems = match parse(&with(more)) {
        Ok(config) => config.warnings,
        Err(problems) => problems,
    };
    problems.into_iter().map(|problem| problem.message).filter(|message| !message.contains("honoured")).collect()
}

// S1.7: an empty or a second name is an error of the field, and nothing of the file is taken.
#[test]
fn a_profile_has_a_name_of_its_own() {
    let empty = parse("[[callback_profile]]\nname = \"\"\n").unwrap_err();
    let twice =
        parse("[[callback_profile]]\nname = \"Standard\"\n[[callback_profile]]\nname = \"Standard\"\n").unwrap_err();

    assert_eq!(
        shown(&empty),
        "ringback.toml:2:8: callback_profile.name is \"\", it takes a text of 1 to 64 characters\n"
    );
    assert_eq!(shown(&twice), "ringback.toml:4:8: callback_profile \"Standard\" is there twice: a name is unique\n");
}

// S1.9: caller IDs are identities defined beforehand; a profile that names another is refused.
#[test]
fn a_profile_with_an_unknown_caller_id_is_refused() {
    assert!(parse(&with("caller_id = \"Main Line\"")).is_ok());
    assert!(parse(&with("caller_id = \"Main Lime\"")).is_err());
    assert_eq!(told("caller_id = \"Main Lime\""), ["no caller_id is named \"Main Lime\"; did you mean \"Main Line\"?"]);
    assert!(parse(&with("caller_id = \"+12025550100\"")).is_err(), "a number is no name");
}

// S1.23: no caller ID, or one that the trunk does not own, is worth a warning, and no more.
#[test]
fn a_profile_without_a_caller_id_of_the_trunk_is_warned_about() {
    assert_eq!(told("caller_id = \"Main Line\""), [""; 0]);
    assert_eq!(told(""), ["callback_profile.caller_id is not set: customers see a number that they may not know"]);
    assert_eq!(
        told("caller_id = \"Spare Line\""),
        ["callback_profile.caller_id \"Spare Line\" is owned by no trunk, which may refuse it"]
    );
    assert_eq!(
        told("caller_id = \"Main Line\"\ntrunks = [\"backup\"]"),
        ["callback_profile.caller_id \"Main Line\" is owned by trunk \"carrier\", by which this profile does not dial"]
    );
    assert!(parse(&with("")).is_ok() && parse(&with("caller_id = \"Spare Line\"")).is_ok());
}

// S2.4: a prefix that no outbound route begins with is told before anybody is promised a call by it.
#[test]
fn a_prefix_without_a_route_is_warned_about() {
    let line = "caller_id = \"Main Line\"\n";
    assert_eq!(
        told(&format!("{line}dial_prefix = \"003\"")),
        ["callback_profile.dial_prefix: no outbound_route has a prefix for numbers that begin with \"003\"; \
          callbacks of \
          this profile are blocked"]
    );
}

// S5.19: a rule for calls missed in the scenario has exactly one queue: with none or two it is refused.
#[test]
fn a_scenario_rule_has_exactly_one_queue() {
    let rule = |destination: &str| {
        let text = format!(
            "[[queue]]\nname = \"a\"\nnumber = \"5000\"\n[[queue]]\nname = \"b\"\nnumber = \"5001\"\n\
             [[callback_profile]]\nname = \"p\"\n{destination}\n\
             [[callback_rule]]\nname = \"r\"\nsource = \"missed_ivr\"\nprofile = \"p\"\n"
        );
        parse(&text)
    };

    assert_eq!(
        rule("destination = \"queue:a\"").unwrap().settings.profiles[0].destination,
        ServedBy::Queue("a".into())
    );
    for none in ["", "destination = \"same\"", "destination = \"missed_by\""] {
        assert!(shown(&rule(none).unwrap_err()).contains("needs exactly one queue"), "{none}");
    }
    let two = shown(&rule("destination = [\"queue:a\", \"queue:b\"]").unwrap_err());
    assert!(two.contains("callback_profile.destination is a list, it takes \"same\", \"queue:NAME\""), "{two}");
}

// S5.27: recording without a word said needs the admin's word that the law allows it.
#[test]
fn recording_without_notice_needs_an_acknowledgement() {
    let line = "caller_id = \"Main Line\"\nrecord = true\n";
    let refusal = "callback_profile.record is on without a notice: set record_notice = { mode = \"audio\" }, or \
                   record_ack_no_notice = true where that is lawful";
    assert_eq!(told(line), [refusal]);
    assert_eq!(told(&format!("{line}record_notice = {{ mode = \"none\" }}")), [refusal]);
    assert!(parse(&with(&format!("{line}record_notice = {{ mode = \"none\" }}"))).is_err());

    for said in ["record_notice = { mode = \"none\" }\nrecord_ack_no_notice = true", "record_ack_no_notice = true"] {
        let site = parse(&with(&format!("{line}{said}"))).unwrap().settings;
        assert_eq!((site.profiles[0].record, &site.profiles[0].record_notice), (true, &Sound::Silent), "{said}");
    }
    assert!(parse(&with(&format!("{line}record_notice = {{ mode = \"audio\" }}"))).is_ok());
}

// S2.B2: a queue's values at their documented boundaries.
#[test]
fn a_queues_boundaries_are_those_documented() {
    let queue = |line: &str| {
        parse(&format!("[[queue]]\nname = \"q\"\nnumber = \"5000\"\n{line}\n"))
            .map(|config| config.settings.queues[0].clone())
    };
    let number = |number: &str| parse(&format!("[[queue]]\nname = \"q\"\nnumber = \"{number}\"\n")).is_ok();

    assert!(!number("12") && number("123") && number(&"1".repeat(64)) && !number(&"1".repeat(65)));
    assert!(queue("max_wait_secs = 14").is_err() && queue("max_wait_secs = 65536").is_err());
    assert_eq!(queue("max_wait_secs = 65535").unwrap().max_wait, Some(Duration::from_secs(65_535)));
    assert!(queue("announce_interval_secs = 9").is_err() && queue("announce_interval_secs = 1801").is_err());
    assert!(queue("announce_interval_secs = 10").is_ok() && queue("announce_interval_secs = 1800").is_ok());
    assert!(queue("sticky_days = 366").is_err() && queue("sticky_days = 365").is_ok());
    assert!(queue("max_callers = -1").is_err() && queue("max_callers = 0").is_ok());
}

// S4.B1: a cap of 0 blocks all, and is warned about.
#[test]
fn a_cap_of_nothing_is_warned_about() {
    let warned = told("caller_id = \"Main Line\"\nmax_lines = 0");

    assert_eq!(warned, ["callback_profile.max_lines is 0: none at all"]);
    assert_eq!(parse(&with("max_lines = 0")).unwrap().settings.profiles[0].max_lines, Some(0));
}

#[test]
fn a_customer_who_rings_less_than_fifteen_seconds_is_warned_about() {
    let line = "caller_id = \"Main Line\"\n";
    assert_eq!(told(&format!("{line}ring_timeout_secs = 15")), [""; 0]);
    assert_eq!(
        told(&format!("{line}ring_timeout_secs = 14")),
        ["callback_profile.ring_timeout_secs is 14: too short for a person to answer (15 and more is usual)"]
    );
}
