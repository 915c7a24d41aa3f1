//! What a flight recording says of people: numbers, names and words are found wherever they stand, and what is none of
//! them stays, since the switch goes by it.

use ringback::flight::mask::Mask;
use ringback::flight::record::{Kind, Record};
use ringback::time::{Now, Tick};
use serde_json::{Value, json};

fn masked_record(kind: Kind, payload: &str) -> String {
    let now = Now { tick: Tick::ZERO, utc: "2026-03-02T15:00:00Z".parse().expect("an instant") };
    let record = Record::new(kind, now, 0, payload.as_bytes().to_vec());
    let masked = Mask::new([7; 32]).record(record).expect("a record of ours");
    String::from_utf8(masked.payload).expect("text")
}

fn masked_json(value: &Value) -> Value {
    let masked = Mask::new([7; 32]).json(value.to_string().as_bytes()).expect("JSON");
    serde_json::from_slice(&masked).expect("JSON")
}

/// What becomes of a number as people dial it, alone in its field.
fn masked_text(text: &str) -> String {
    masked_json(&json!({ "number_raw": text }))["number_raw"].as_str().expect("a text").to_owned()
}

fn digits_of(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

// RFC 3325 §9.1, RFC 3261 §20.20: an addr-spec may stand without angle brackets, first or second, and the line folded.
#[test]
fn a_number_is_masked_in_every_shape_of_a_header() {
    let known = masked_text("+14085264000");
    assert!(known.starts_with("+1408526") && known != "+14085264000", "{known}");
    for line in [
        "P-Asserted-Identity: tel:+14085264000",
        "P-Asserted-Identity:tel:+14085264000",
        "P-Asserted-Identity:\t TEL:+1-408-526-4000;phone-context=example.com",
        "P-Asserted-Identity:\r\n tel:+14085264000",
        "P-Asserted-Identity: <sip:bob@example.com>, tel:+14085264000",
        "P-Asserted-Identity: \"A\" <sip:bob@example.com>,\r\n\ttel:+14085264000",
        "P-Asserted-Identity: tel:+1(408)526.4000 , <sip:bob@example.com>",
        "From: tel:+14085264000;tag=hyh8",
        "From:  sip:+14085264000@example.com;tag=hyh8",
        "Diversion: <tel:+14085264000>;reason=unconditional",
        "Diversion: < tel:+14085264000>;reason=unconditional",
    ] {
        let wire = format!("udp a b\nOPTIONS sip:example.com SIP/2.0\r\n{line}\r\nCSeq: 1 OPTIONS\r\n\r\n");
        let masked = masked_record(Kind::Sip, &wire);

        let others = line.replace("\"A\"", "\"x\"");
        let (from, to) = (digits_of("14085264000"), digits_of(&known));
        assert_eq!(masked.len(), wire.len());
        let shown = masked.split("SIP/2.0\r\n").nth(1).and_then(|rest| rest.split("\r\nCSeq").next()).expect("a line");
        assert_eq!(digits_of(shown), digits_of(&others).replace(&from, &to), "{line:?} became {shown:?}");
        let without = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "0");
        assert_eq!(without(shown), without(&others));
    }
}

#[test]
fn a_number_is_masked_whatever_is_around_it_and_what_is_none_stays() {
    let known = digits_of(&masked_text("+12025550123"));
    assert!(known.starts_with("1202555") && known != "12025550123", "{known}");
    for text in [
        "+1-202-555-0123;ext=5",
        "12025550123;ext=5",
        "+1 (202) 555-0123 ext. 5",
        "x12025550123",
        "+12025550123 or 12025550123",
        "1/202/555.0123#",
    ] {
        let masked = masked_text(text);
        assert_eq!(digits_of(&masked), digits_of(text).replace("12025550123", &known), "{text} became {masked}");
        assert_eq!(masked.len(), text.len());
    }
    for text in [
        "2026-11-02",
        "2026-11-02T17:00:00Z",
        "2026-11-02T17:00:00.123456789Z",
        "2026-11-02 17:00:00 UTC",
        "203.0.113.50",
        "203.0.113.50:5060",
        "203.0.113.0/24",
        "2001:db8:1234:5678::1",
        "01JDX4K2M8Q3W5E7R901234567",
        "00000000000000000000001234",
        "555012",
    ] {
        assert_eq!(masked_text(text), text);
    }
}

// What a panic says may show a number in any company.
#[test]
fn no_number_in_a_message_is_whole() {
    for message in [
        "byte index 5 is not a boundary of \"<sip:+12025550123@h>;x=+12025550199\"",
        "sip: nothing for 12025550123",
        "no leg for 12025550123 1001",
        "12025550123/12025550199",
    ] {
        let masked = masked_json(&json!({ "message": message }))["message"].as_str().expect("a text").to_owned();
        assert!(!masked.contains("5550123") && !masked.contains("5550199"), "{masked}");
        assert_eq!(masked.len(), message.len());
    }
}

// A phone proves itself for the realm as it is on the wire, where it stays.
#[test]
fn a_realm_is_no_number() {
    let value = json!({ "server": { "realm": "pbx-4930123456" } });
    assert_eq!(masked_json(&value), value);
}

// A request that comes again after a restart finds its task by that key.
#[test]
fn the_key_of_a_request_becomes_the_same_wherever_it_is() {
    for key in ["+1 202 555 0123", "2025550123-7", "a0b1c2d3-1234567"] {
        let task = masked_json(&json!(["tasks", { "idempotency_key": key }]));
        let new = json!([{ "number": "+12025550123" }, key, 7]).to_string();
        let new: Value = serde_json::from_str(&masked_record(Kind::AddCallback, &new)).expect("JSON");
        assert_eq!(new[1], task[1]["idempotency_key"]);
        assert_ne!(new[1], key);
    }
}

#[test]
fn what_people_call_a_number_that_is_treated_apart_is_blotted_out_everywhere() {
    let entry = json!({
        "kind": "number_list",
        "name": "mrs-smith",
        "fields": { "name": "mrs-smith", "label": "Mrs Smith", "kind": "vip", "pattern": "+12025550123" },
    });
    let value = json!({
        "settings": { "number_lists": [{ "kind": "Vip", "label": "Mrs Smith" }], "caller_ids": [{ "label": "main" }] },
        "objects": [entry, { "kind": "caller_id", "name": "main", "fields": { "label": "main" } }],
        "put": [entry],
        "removed": [["number_list", "mrs-smith"], ["queue", "support"]],
        "audit": [{ "object": "number_list/mrs-smith" }, { "object": "queue/support" }],
    });

    let masked = masked_json(&value);

    let text = masked.to_string();
    assert!(!text.to_lowercase().contains("smith") && !text.contains("0123"), "{text}");
    assert_eq!(text.len(), value.to_string().len());
    assert_eq!(masked["objects"][1], value["objects"][1], "the site's own names stay");
    assert_eq!(masked["removed"][1], value["removed"][1]);
    assert_eq!(masked["audit"][1], value["audit"][1]);
    assert_eq!(masked["put"][0]["fields"]["kind"], "vip");
}
