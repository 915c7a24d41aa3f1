//! The reference, and the examples that people copy.

use super::{parse, shown};
use ringback::config::schema::{Field, Honoured, Kind};
use ringback::config::tables::TABLES;
use ringback::config::{reference, reference_json, reference_of, unit};

#[test]
fn the_reference_names_every_field() {
    let reference = reference();

    for table in TABLES {
        assert!(reference.contains(&table.header()), "{}", table.name);
        for field in table.fields {
            assert!(reference.contains(&format!("| `{}` |", field.name)), "{}.{}", table.name, field.name);
        }
    }
    assert!(reference.contains("| `callback_rule.request_digit` | `\"3\"` | |"), "PortSIP's key is not the default");
    assert!(!reference.contains("| `callback_rule.request_digit` | `\"1\"` |"), "what is the default is no difference");
    assert!(reference.contains("| `callback_profile.intervals_secs` | | limits `[60, 3600]` |"));
}

/// A field and those inside it, each with its path.
fn all(path: &str, fields: &'static [Field]) -> Vec<(String, &'static Field)> {
    let below = |field: &'static Field| {
        let path = format!("{path}.{}", field.name);
        let inner = match field.kind {
            Kind::Table(inner) | Kind::Notice(inner) => inner,
            Kind::List(Kind::Table(inner), ..) => inner,
            _ => &[], // no fields inside
        };
        std::iter::once((path.clone(), field)).chain(all(&path, inner)).collect::<Vec<_>>()
    };
    fields.iter().flat_map(below).collect()
}

#[test]
fn every_field_has_a_sentence_and_every_number_its_unit() {
    let mut poor = Vec::new();
    for (path, field) in TABLES.iter().flat_map(|table| all(table.name, table.fields)) {
        let is_sentence = field.doc.ends_with('.') && field.doc.split(' ').count() >= 3;
        let seconds = matches!(field.kind, Kind::Secs(..) | Kind::List(Kind::Secs(..), ..));
        let in_name = field.name.ends_with("_secs") || field.name == "interval";
        let number = matches!(field.kind, Kind::Integer(..) | Kind::Secs(..));
        if !is_sentence || seconds != in_name || number && unit(field).is_empty() {
            poor.push(path);
        }
    }
    assert_eq!(poor, Vec::<String>::new());
}

#[test]
fn programs_get_the_same_reference() {
    let json = reference_json();

    let tables = json["tables"].as_array().unwrap();
    assert_eq!(tables.len(), TABLES.len());
    let profile = tables.iter().find(|table| table["name"] == "callback_profile").unwrap();
    let ring = profile["fields"].as_array().unwrap().iter().find(|field| field["key"] == "ring_timeout_secs").unwrap();
    assert_eq!((&ring["unit"], &ring["default"]), (&"seconds".into(), &"30".into()));
    assert_eq!(ring["takes"], "a duration from 1 to 120 seconds");
    assert_eq!(json["presets"].as_array().unwrap().len(), 5);
    assert!(reference_of("queue").unwrap().starts_with("## `[[queue]]`"));
    assert!(reference_of("presets").unwrap().contains("### `fonolo`"));
    assert_eq!(reference_of("qeue"), None);
}

#[test]
fn the_examples_of_the_readme_are_right() {
    let readme = include_str!("../../README.md");
    let examples: Vec<&str> = readme.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();

    // The second goes below the first, as its text says.
    let [first, second] = examples[..] else { panic!("{} examples", examples.len()) };
    for example in [first.to_owned(), format!("{first}{second}")] {
        let told = parse(&example).map_or_else(|problems| shown(&problems), |config| shown(&config.warnings));
        assert_eq!(told, "", "{example}");
    }
    assert!(readme.lines().count() <= 220, "a page to read, not a book");
}

#[test]
fn the_readme_names_every_field_that_this_version_does_not_honour_and_no_other() {
    let readme = include_str!("../../README.md");
    let (_, section) = readme.split_once("## What it does not do yet").expect("its heading");
    let (section, _) = section.split_once("\n## ").expect("the next one");
    let named = |name: &str| section.contains(&format!("`{name}`")) || section.contains(&format!("`{name} = "));
    let refused = ["sip_tcp", "sip_tls", "transport", "srtp", "codecs"]; // Some values of them (src/config/check.rs).

    for (path, field) in TABLES.iter().flat_map(|table| all(table.name, table.fields)) {
        let is_honoured = matches!(field.honoured, Honoured::Yes) && !refused.contains(&field.name);
        assert_eq!(named(field.name), !is_honoured, "{path}");
    }
}
