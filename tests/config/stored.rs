//! Objects that are not of the file: read like it, checked with it, and written as it would have them.

use super::{Disk, shown};
use ringback::config::{self, Config, Problem, Stored, object_to_toml};
use serde_json::{Map, Value, json};

const FILE: &str = r#"
[[agent]]
name = "anna"
extension = "1001"
secret = "long-random"

[[callback_profile]]
name = "standard"
"#;

fn fields(value: Value) -> Map<String, Value> {
    let Value::Object(fields) = value else { panic!("an object") };
    fields
}

fn parse(objects: &[(&str, &str, Value)]) -> Result<Config, Vec<Problem>> {
    let fields: Vec<_> = objects.iter().map(|(_, _, value)| fields(value.clone())).collect();
    let stored: Vec<_> =
        objects.iter().zip(&fields).map(|((kind, name, _), fields)| Stored { kind, name, fields }).collect();
    config::parse_site(FILE, &stored, &Disk)
}

#[test]
fn a_stored_object_may_name_one_of_the_file_and_the_file_is_told_from_it() {
    let queue = json!({ "number": "5000", "members": [{ "agent": "anna", "level": 3 }], "max_callbacks": null });
    let rule = json!({ "source": "queue_request", "profile": "standard", "scope": { "queues": ["support"] } });

    let config = parse(&[("queue", "support", queue), ("callback_rule", "key", rule)])
        .unwrap_or_else(|problems| panic!("{}", shown(&problems)));

    assert_eq!(config.settings.queues[0].members[0].level, 3);
    assert_eq!(config.settings.queues[0].rules, ["key".into()]);
    let of = |kind: &str| config.objects.iter().find(|object| object.kind == kind).unwrap();
    assert!(of("agent").of_file && !of("queue").of_file);
    assert_eq!(of("queue").given["name"], "support");
    assert_eq!((&of("queue").fields["ring_secs"], of("queue").given.get("ring_secs")), (&json!(20), None));
    assert!(!of("agent").clone().redacted().fields.contains_key("secret"));
}

// S1.7: a name that is empty or taken is an error of its field, and nothing of the site is taken.
#[test]
fn what_is_wrong_with_a_stored_object_names_the_object_and_the_field() {
    let problems = parse(&[
        ("callback_profile", "", json!({ "name": "" })),
        ("callback_profile", "standard", json!({ "ring_timeout_secs": 121, "attempts": 3 })),
        ("queue", "support", json!({ "number": "12", "members": [{ "agent": "bob" }] })),
        ("qeue", "x\ny", json!({})),
    ])
    .unwrap_err();

    let told: Vec<String> = shown(&problems).lines().map(str::to_owned).collect();
    assert_eq!(
        told,
        [
            "callback_profile/.name: callback_profile.name is \"\", it takes a text of 1 to 64 characters",
            "callback_profile/standard.name: callback_profile \"standard\" is there twice: a name is unique",
            "callback_profile/standard.ring_timeout_secs: callback_profile.ring_timeout_secs is 121, its limits are \
             1 to 120 seconds",
            "callback_profile/standard.attempts: unknown key \"attempts\" in callback_profile; the nearest \
             known one is \"attempts_max\"",
            "queue/support.number: queue.number is \"12\", it takes a text of 3 to 64 digits",
            "queue/support.members: no agent is named \"bob\"; the nearest known one is \"anna\"",
            "qeue/x\\ny: unknown table \"qeue\"; did you mean \"queue\"?",
        ]
    );
    assert_eq!(problems[2].place.as_ref().unwrap().field.as_deref(), Some("ring_timeout_secs"));
}

#[test]
fn every_object_of_a_site_is_written_so_that_it_is_read_as_the_same() {
    let config = super::parse(include_str!("every_field.toml")).unwrap();
    let text: String = config.objects.iter().map(|object| object.to_toml() + "\n").collect();

    let again = super::parse(&text).unwrap_or_else(|problems| panic!("{}\n{text}", shown(&problems)));

    assert_eq!(again.objects, config.objects);
    assert_eq!(format!("{:?}", again.settings), format!("{:?}", config.settings));
}

#[test]
fn any_text_survives_being_written() {
    bolero::check!().with_type::<(String, String)>().for_each(|(key, text)| {
        let fields = Map::from_iter([("label".to_owned(), json!(text)), (key.clone(), json!([{ key: text }]))]);

        let table: toml::Table = object_to_toml("number_list", &fields).parse().expect("it is TOML");

        let read = table["number_list"].as_array().unwrap()[0].as_table().unwrap();
        assert!(key == "label" || read["label"].as_str() == Some(text));
        assert_eq!(read[key].as_array().unwrap()[0][key].as_str(), Some(text.as_str()));
    });
}
