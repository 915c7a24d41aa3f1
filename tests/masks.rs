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
