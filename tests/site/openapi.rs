//! `/openapi.json` says what the API does: every path that is served, and answers as they are.

use crate::{LOOKER, World};
use ringback::config::{Files, parse};
use ringback::settings::Tz;
use ringback::web;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// What of `value` this schema does not allow: a sentence for each.
fn wrong(document: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let pointer = reference.strip_prefix('#').expect("a reference into this document");
        let target = document.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere"));
        return wrong(document, target, value, at);
    }
    let mut out = Vec::new();
    for word in ["anyOf", "oneOf"] {
        if let Some(any) = schema[word].as_array()
            && !any.iter().any(|one| wrong(document, one, value, at).is_empty())
        {
            out.push(format!("{at}: {value} is none of {word}"));
        }
    }
    let is = match schema["type"].as_str() {
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        Some(other) => panic!("{other} is no type"),
        None => true,
    };
    if !is {
        return vec![format!("{at}: {value} is no {}", schema["type"])];
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        out.push(format!("{at}: {value} is none of {words:?}"));
    }
    if schema.get("const").is_some_and(|only| only != value) {
        out.push(format!("{at}: {value} is not {}", schema["const"]));
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        out.extend(wrong(document, &schema["items"], item, &format!("{at}[{index}]")));
    }
    let Some(fields) = value.as_object().filter(|_| schema["type"] == "object") else { return out };
    for required in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !fields.contains_key(required) {
            out.push(format!("{at}: {required} is missing"));
        }
    }
    for (name, value) in fields {
        let at = format!("{at}.{name}");
        match (&schema["properties"][name], &schema["additionalProperties"]) {
            (Value::Null, Value::Bool(false)) => out.push(format!("{at} is not described")),
            (Value::Null, Value::Null | Value::Bool(true)) => {}
            (Value::Null, each) => out.extend(wrong(document, each, value, &at)),
            (described, _) => out.extend(wrong(document, described, value, &at)),
        }
    }
    out
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

/// Every path with its methods.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    let each = paths.flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap().iter();
        methods.map(move |(method, operation)| (method.to_uppercase(), path.clone(), operation.clone()))
    });
    each.collect()
}

#[test]
fn the_description_is_whole() {
    let document = web::document();

    assert_eq!((&document["openapi"], &document["info"]["title"]), (&json!("3.1.0"), &json!("ringback")));
    assert!(document["info"]["version"].is_string());
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for reference in &found {
        assert!(document.pointer(&reference[1..]).is_some(), "{reference} leads nowhere");
    }
    for schema in document["components"]["schemas"].as_object().unwrap().keys() {
        let is_named = found.contains(&format!("#/components/schemas/{schema}"));
        assert!(is_named, "{schema} is described and nothing uses it");
    }
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{method} {path}");
        assert!(operation["summary"].as_str().is_some_and(|told| !told.is_empty()), "{method} {path}");
        assert!(operation["responses"]["default"].is_object(), "{method} {path}");
        assert_eq!(operation["responses"].as_object().unwrap().len(), 2, "{method} {path}");
        let named: Vec<&str> = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        let said = operation["parameters"].as_array().unwrap().iter().filter(|parameter| parameter["in"] == "path");
        assert_eq!(said.map(|parameter| parameter["name"].as_str().unwrap()).collect::<Vec<_>>(), named, "{path}");
    }
}

/// What the contract names, however the code is written.
const PROMISED: &[&str] = &[
    "GET /api/v1/callbacks",
    "POST /api/v1/callbacks",
    "GET /api/v1/callbacks/{id}",
    "POST /api/v1/callbacks/{id}/now",
    "POST /api/v1/callbacks/{id}/postpone",
    "POST /api/v1/callbacks/{id}/cancel",
    "POST /api/v1/store/backup",
    "GET /api/v1/status",
    "GET /api/v1/queues",
    "GET /api/v1/queues/{name}",
    "GET /api/v1/agents",
    "POST /api/v1/agents/{name}/pause",
    "POST /api/v1/agents/{name}/resume",
    "POST /api/v1/agents/{name}/logout",
    "GET /api/v1/calls",
    "GET /api/v1/calls/{id}",
    "POST /api/v1/calls/{id}/hangup",
    "GET /api/v1/trunks",
    "POST /api/v1/trunks/{name}/test",
    "GET /api/v1/recordings",
    "GET /api/v1/recordings/{id}/audio",
    "GET /api/v1/config/{kind}",
    "POST /api/v1/config/{kind}",
    "GET /api/v1/config/{kind}/{name}",
    "PUT /api/v1/config/{kind}/{name}",
    "DELETE /api/v1/config/{kind}/{name}",
    "POST /api/v1/system/freeze",
    "POST /api/v1/system/unfreeze",
    "POST /api/v1/site/apply",
    "GET /api/v1/site",
    "GET /api/v1/audit",
    "GET /api/v1/prompts",
    "GET /api/v1/events",
    "GET /healthz",
    "GET /readyz",
    "GET /metrics",
    "GET /openapi.json",
];

// Every path that is described is served, with its method and no other; and the contract's are among them.
#[test]
fn what_is_described_is_served() {
    let world = World::new("described");
    let document = world.send("GET", "/openapi.json", &[("Authorization", &format!("Bearer {LOOKER}"))], "").json();
    assert_eq!(document, web::document());
    assert_eq!(world.send("GET", "/openapi.json", &[], "").status, 401);

    let operations = operations(&document);
    let described: BTreeSet<String> = operations.iter().map(|(method, path, _)| format!("{method} {path}")).collect();
    for promised in PROMISED {
        assert!(described.contains(*promised), "{promised}");
    }
    let paths: BTreeSet<&String> = operations.iter().map(|(_, path, _)| path).collect();
    for path in paths {
        let real = path.replace("{kind}", "queue").replace("{id}", "01JD0000000000000000000000");
        let real = real.replace("{name}", "nobody").replace("{number}", "1");
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
            if format!("{method} {path}") == "POST /api/v1/system/drain" {
                continue; // Nothing is served after it.
            }
            if format!("{method} {path}") == "GET /api/v1/events" {
                continue; // It has no end.
            }
            let bearer = format!("Bearer {}", world.token);
            let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
            let answer = world.send(method, &real, &headers, "");
            let is_served = answer.status != 405 && !answer.body.contains("there is nothing at this path");
            assert_eq!(is_served, described.contains(&format!("{method} {path}")), "{method} {path}: {}", answer.body);
        }
    }
}

// Answers are as they are described, field by field, and so are problems.
#[test]
fn answers_are_as_described() {
    let world = World::new("answers");
    let document = web::document();
    let judge = |method: &str, path: &str, real: &str, body: Value| {
        let answer = world.api(method, real, body);
        let operation = &document["paths"][format!("/api/v1{path}")][method.to_lowercase()];
        let said = &operation["responses"][answer.status.to_string()];
        let content = if said.is_null() {
            &document["components"]["responses"]["Problem"]["content"]["application/problem+json"]
        } else {
            &said["content"]["application/json"]
        };
        let wrong = wrong(&document, &content["schema"], &answer.json(), "answer");
        assert!(wrong.is_empty(), "{method} {real}: {wrong:#?}");
        assert!(content["schema"].is_object(), "{method} {real} is not described");
        answer
    };
    let see = |path: &str| judge("GET", path, path, Value::Null);

    let wanted = json!({ "number": "1001", "profile": "standard", "not_before": "2031-01-01T00:00:00Z", "data": [1] });
    let made = judge("POST", "/callbacks", "/callbacks", wanted);
    assert_eq!(made.status, 201, "{}", made.body);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    judge("GET", "/callbacks/{id}", &format!("/callbacks/{id}"), Value::Null);
    judge("GET", "/callbacks/{id}", "/callbacks/nobody", Value::Null);
    judge("POST", "/callbacks/{id}/cancel", &format!("/callbacks/{id}/cancel"), Value::Null);
    judge("POST", "/do-not-call", "/do-not-call", json!({ "number": "+12025550123", "note": "wrote" }));
    for list in ["/callbacks", "/do-not-call", "/queues", "/agents", "/trunks", "/calls", "/recordings", "/prompts"] {
        assert!(see(list).json()["items"].is_array());
    }
    judge("GET", "/queues/{name}", "/queues/support", Value::Null);
    judge("POST", "/agents/{name}/pause", "/agents/anna/pause", json!({ "reason": "lunch" }));
    judge("POST", "/system/freeze", "/system/freeze", Value::Null);
    judge("POST", "/system/unfreeze", "/system/unfreeze", Value::Null);
    judge("POST", "/config/{kind}", "/config/queue", json!({ "name": "sales", "number": "50" }));
    see("/status");
    see("/audit");
}

/// A disk with every file.
struct AllFiles;

impl Files for AllFiles {
    fn read(&self, _: &Path) -> io::Result<String> {
        Ok("from-a-file".to_owned())
    }

    fn exists(&self, _: &Path) -> bool {
        true
    }

    fn resolve(&self, path: &Path) -> PathBuf {
        path.to_owned()
    }

    fn host_zone(&self) -> Tz {
        Tz::UTC
    }
}

// Objects of the site are described by the tables they are read by: every field, as it is said and as it is shown.
#[test]
fn objects_are_as_described() {
    let document = web::document();
    let schemas = &document["components"]["schemas"];
    let site = parse(include_str!("../config/every_field.toml"), &AllFiles).unwrap_or_else(|wrong| panic!("{wrong:?}"));
    let mut kinds = BTreeSet::new();

    for object in site.objects.iter().filter(|object| !["server", "system"].contains(&object.kind)) {
        kinds.insert(object.kind);
        let object = object.clone();
        let as_said = wrong(&document, &schemas[object.kind], &Value::Object(object.given.clone()), object.kind);
        assert!(as_said.is_empty(), "{as_said:#?}");
        let kind = object.kind;
        let as_shown = wrong(&document, &schemas[kind], &Value::Object(object.redacted().fields), kind);
        assert!(as_shown.is_empty(), "{as_shown:#?}");
    }

    let named = schemas["Kind"]["enum"].as_array().unwrap().iter().filter_map(Value::as_str);
    assert_eq!(named.collect::<BTreeSet<_>>(), kinds);
}
