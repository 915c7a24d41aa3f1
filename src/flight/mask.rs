//! Masking: a recording leaves the machine without numbers, secrets and names of customers, and the switch does the
//! same with it.
//!
//! The last four digits of a number become four others, by a key that is thrown away: one number becomes the same
//! other one wherever and in whatever spelling it comes, country, area and block stay, and so does every length.
//! Numbers that were typed are found by what the switch was doing when the keys came. Secrets become others, and the
//! digest responses that were right are right again. Whatever the switch does not read is blotted out.

use super::mask_sip;
use super::record::{Kind, Pressed, Record, Unreadable, split_sip};
use crate::id::LegRef;
use crate::switch::Key;
use crate::time::{DateTime, Utc};
use chrono::NaiveDate;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

/// Fewer digits are an extension or a service.
pub const NUMBER_DIGITS: usize = 7;
/// So many are replaced.
const MASKED: usize = 4;
/// More are no telephone number (E.164 §6), but two, or an id.
const NUMBER_DIGITS_MAX: usize = 15;
/// So many letters and digits without anything between them are an id of ours (ULID), or more of something random.
const ID_LENGTH: usize = 26;
const RANDOM_LENGTH: usize = 20;
/// What people put between the digits of a number.
const SEPARATORS: &[u8] = b" -.()/";
/// A prefix of so many digits names somebody.
const PREFIX_DIGITS: usize = 11;

/// Texts under these names are no numbers, whatever they look like.
const NO_NUMBERS: [&str; 14] = [
    "call_id",
    "realm",
    "local_tag",
    "remote_tag",
    "branch",
    "instance",
    "id",
    "flow",
    "path",
    "user_agent",
    "seed",
    "host",
    "proxy",
    "address",
];
/// Texts under these names are secrets.
const SECRETS: [&str; 3] = ["secret", "password", "token"];
/// The table of numbers that are treated apart: its rows name people.
const NUMBER_LIST: &str = "number_list";
/// What people have written, or programs have given us to keep.
const FREE_TEXT: [&str; 3] = ["data", "note", "detail"];

/// See the module.
pub struct Mask {
    key: [u8; 32],
    /// Last seven digits and what the last four of them become.
    known: HashMap<[u8; NUMBER_DIGITS], [u8; MASKED]>,
    /// Secrets of phones, by user, as they are and as they become.
    pub(super) secrets: BTreeMap<String, (String, String)>,
    /// Keys of numbers that are being typed: by leg, the places of the digits and the digits.
    typing: BTreeMap<LegRef, Vec<(u64, u8)>>,
    /// The last INFO of each leg: a copy of it is no second key.
    infos: BTreeMap<LegRef, (u64, Vec<u8>)>,
    copies: BTreeMap<u64, u64>,
    /// Keys to be replaced, by record.
    typed: BTreeMap<u64, u8>,
    looked: u64,
    masked: u64,
}

impl Mask {
    /// A mask by this key.
    pub fn new(key: [u8; 32]) -> Mask {
        Mask {
            key,
            known: HashMap::new(),
            secrets: BTreeMap::new(),
            typing: BTreeMap::new(),
            infos: BTreeMap::new(),
            copies: BTreeMap::new(),
            typed: BTreeMap::new(),
            looked: 0,
            masked: 0,
        }
    }

    /// Looks at a record before any is masked: only what follows a key tells which digits were the last of a number.
    /// Nobody types in a beginning: its records are not looked at.
    pub fn look(&mut self, record: &Record) -> Result<(), Unreadable> {
        if is_of_beginning(record) {
            return Ok(());
        }
        let at = self.looked;
        self.looked += 1;
        if !matches!(record.kind, Kind::MediaKey | Kind::SipKey) {
            return Ok(());
        }
        let (pressed, rest) = Pressed::read(&record.payload)?;
        let digit = match record.kind {
            Kind::MediaKey => media_digit(rest),
            _ => split_sip(rest).and_then(|(_, wire)| mask_sip::info_digit(wire)),
        };
        let Some(digit) = digit.filter(u8::is_ascii_digit) else { return Ok(()) };
        if record.kind == Kind::SipKey {
            if let Some((first, _)) = self.infos.get(&pressed.leg).filter(|(_, info)| info == rest) {
                self.copies.insert(at, *first);
                return Ok(());
            }
            self.infos.insert(pressed.leg, (at, rest.to_vec()));
        }
        match pressed.key {
            Key::Typed(place) => {
                let typing = self.typing.entry(pressed.leg).or_default();
                let before = if place == 0 { std::mem::take(typing) } else { Vec::new() };
                typing.push((at, digit));
                self.settle(&before);
            }
            Key::Through | Key::Plain => drop(self.typed.insert(at, b'0')),
        }
        Ok(())
    }

    /// The last digits of a number that was typed get others.
    fn settle(&mut self, typed: &[(u64, u8)]) {
        let Some(from) = typed.len().checked_sub(NUMBER_DIGITS) else { return };
        let last: Vec<u8> = typed[from..].iter().map(|(_, digit)| *digit).collect();
        let others = self.others(last.as_slice().try_into().expect("it was cut to that length"));
        for ((at, _), other) in typed[typed.len() - MASKED..].iter().zip(others) {
            self.typed.insert(*at, other);
        }
    }

    /// What four digits become after these three.
    fn others(&mut self, last: [u8; NUMBER_DIGITS]) -> [u8; MASKED] {
        if let Some(known) = self.known.get(&last) {
            return *known;
        }
        let others = std::array::from_fn(|at| {
            let before = NUMBER_DIGITS - MASKED + at;
            // Numbers that begin alike still do: blocks and prefixes stay what they are.
            let shift = self.mac(&[b"digit", &last[..before]])[0] % 10;
            b'0' + (last[before] - b'0' + shift) % 10
        });
        self.known.insert(last, others);
        others
    }

    fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }

    /// Another secret of the same length.
    fn other_secret(&self, secret: &str) -> String {
        let words = (0u8..).flat_map(|part| self.mac(&[b"secret", &[part], secret.as_bytes()]));
        words.map(|octet| char::from(b"abcdefghijklmnop"[usize::from(octet & 15)])).take(secret.len()).collect()
    }

    /// Replaces the last four digits of the digits in `text`, if they are enough for a number. What is between them
    /// stays.
    pub(super) fn digits(&mut self, text: &mut [u8]) {
        let places: Vec<usize> = (0..text.len()).filter(|at| text[*at].is_ascii_digit()).collect();
        let Some(from) = places.len().checked_sub(NUMBER_DIGITS) else { return };
        let last: Vec<u8> = places[from..].iter().map(|at| text[*at]).collect();
        let others = self.others(last.as_slice().try_into().expect("it was cut to that length"));
        for (at, other) in places[places.len() - MASKED..].iter().zip(others) {
            text[*at] = other;
        }
    }

    /// The same for each run of digits in `text`, which separators of telephone numbers do not end.
    pub(super) fn runs(&mut self, text: &mut [u8], separators: &[u8]) {
        let mut begin = 0;
        while begin < text.len() {
            if text[begin] == b'%' {
                begin += 3; // An escaped octet is no digit.
                continue;
            }
            let is_part = |octet: &u8| octet.is_ascii_digit() || separators.contains(octet);
            let length = text[begin..].iter().take_while(|octet| is_part(octet)).count();
            if length == 0 {
                begin += 1;
                continue;
            }
            self.digits(&mut text[begin..begin + length]);
            begin += length;
        }
    }

    /// A record without anything that is nobody's business.
    pub fn record(&mut self, record: Record) -> Result<Record, Unreadable> {
        if is_of_beginning(&record) {
            return Ok(Record { payload: self.lines(&record.payload)?, ..record });
        }
        let at = self.masked;
        self.masked += 1;
        if at == 0 {
            let typing = std::mem::take(&mut self.typing);
            typing.values().for_each(|typed| self.settle(typed));
        }
        let digit = self.typed.get(self.copies.get(&at).unwrap_or(&at)).copied();
        let payload = match record.kind {
            Kind::Timeout | Kind::FlowLost | Kind::Located | Kind::Media | Kind::Space => record.payload,
            Kind::Committed | Kind::Erased | Kind::Beginning | Kind::Kept => record.payload,
            Kind::Recorded | Kind::Command | Kind::AddCallback | Kind::Fault => self.json(&record.payload)?,
            Kind::Sip => self.sip(&record.payload, None)?,
            Kind::SipKey => {
                let (_, rest) = Pressed::read(&record.payload)?;
                let front = record.payload.len() - rest.len();
                [record.payload[..front].to_vec(), self.sip(rest, digit)?].concat()
            }
            Kind::MediaKey => {
                let mut payload = record.payload;
                if let (Some(digit), Some(place)) = (digit, media_digit_at(&payload)) {
                    payload[place] = digit;
                }
                payload
            }
        };
        Ok(Record { payload, ..record })
    }

    fn sip(&mut self, payload: &[u8], digit: Option<u8>) -> Result<Vec<u8>, Unreadable> {
        let (flow, wire) = split_sip(payload).ok_or(Unreadable)?;
        Ok([flow, b"\n", &mask_sip::message(self, wire, digit)].concat())
    }

    fn lines(&mut self, payload: &[u8]) -> Result<Vec<u8>, Unreadable> {
        let mut masked = Vec::with_capacity(payload.len());
        for (n, line) in payload.split(|octet| *octet == b'\n').enumerate() {
            if n > 0 {
                masked.push(b'\n');
            }
            if !line.is_empty() {
                masked.extend(self.json(line)?);
            }
        }
        Ok(masked)
    }

    /// JSON, masked by the names of its fields.
    pub fn json(&mut self, text: &[u8]) -> Result<Vec<u8>, Unreadable> {
        let mut value: Value = serde_json::from_slice(text).map_err(|_| Unreadable)?;
        self.learn(&value);
        self.value("", &mut value);
        serde_json::to_vec(&value).map_err(|_| Unreadable)
    }

    /// Remembers the secrets of phones: their digests are to be right again.
    fn learn(&mut self, value: &Value) {
        match value {
            Value::Object(fields) => {
                let text = |name: &str| fields.get(name).and_then(Value::as_str);
                if let (Some(user), Some(secret)) = (text("extension"), text("secret")) {
                    let other = self.other_secret(secret);
                    self.secrets.insert(user.to_owned(), (secret.to_owned(), other));
                }
                fields.values().for_each(|value| self.learn(value));
            }
            Value::Array(rows) => rows.iter().for_each(|row| self.learn(row)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn value(&mut self, name: &str, value: &mut Value) {
        match value {
            _ if FREE_TEXT.contains(&name) => blot(value),
            Value::Object(fields) => {
                let is_list_entry = fields.get("kind").and_then(Value::as_str) == Some(NUMBER_LIST);
                for (name, value) in fields {
                    match (name.as_str(), value) {
                        // Who is treated apart, in somebody's words: in the site, and as page or API have made it.
                        ("number_lists", Value::Array(rows)) => rows.iter_mut().for_each(|row| self.list_row(row)),
                        ("name", name) if is_list_entry => blot(name),
                        ("fields", row) if is_list_entry => self.list_row(row),
                        (name, value) => self.value(name, value),
                    }
                }
            }
            Value::Array(pair) if pair.len() == 2 && pair[0] == NUMBER_LIST => blot(&mut pair[1]),
            Value::Array(rows) => rows.iter_mut().for_each(|row| self.value(name, row)),
            Value::String(text) => *text = self.text(name, text),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn list_row(&mut self, row: &mut Value) {
        for name in ["label", "name"] {
            if let Some(words) = row.get_mut(name) {
                blot(words);
            }
        }
        self.value("", row);
    }

    fn text(&mut self, name: &str, text: &str) -> String {
        if SECRETS.contains(&name) {
            return self.other_secret(text);
        }
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        let is_short = name.eq_ignore_ascii_case("prefix") && digits < PREFIX_DIGITS;
        let mut octets = text.as_bytes().to_vec();
        let lower = text.to_ascii_lowercase();
        let has_address = ["sip:", "sips:", "tel:"].iter().any(|scheme| lower.contains(scheme));
        if name == "message" {
            self.runs(&mut octets, b""); // What a panic has said, of whatever shape; nothing is compared with it.
            self.numbers(&mut octets);
            return String::from_utf8(octets).unwrap_or_default();
        }
        if NO_NUMBERS.contains(&name) || is_short || digits < NUMBER_DIGITS && !has_address {
            return self.object(name, text);
        }
        if ["sip:", "sips:", "tel:"].iter().any(|scheme| lower.starts_with(scheme)) {
            mask_sip::uri(self, &mut octets);
        } else if has_address {
            mask_sip::address(self, &mut octets);
        } else if text.parse::<DateTime<Utc>>().is_err() && text.parse::<IpAddr>().is_err() {
            self.numbers(&mut octets);
        }
        let text = String::from_utf8(octets).unwrap_or_default();
        self.object(name, &text)
    }

    /// What something was done with: an entry of the number lists may be called as somebody is.
    fn object(&self, name: &str, text: &str) -> String {
        match text.split_once('/').filter(|(table, _)| name == "object" && *table == NUMBER_LIST) {
            Some((table, entry)) => format!("{table}/{}", blotted(entry)),
            None => text.to_owned(),
        }
    }

    /// Every number in a text, whatever is around it.
    fn numbers(&mut self, text: &mut [u8]) {
        let is_part = |octet: &u8| octet.is_ascii_digit() || SEPARATORS.contains(octet);
        let mut begin = 0;
        while begin < text.len() {
            let length = text[begin..].iter().take_while(|octet| is_part(octet)).count();
            let end = begin + length;
            if count(&text[begin..end]) > NUMBER_DIGITS_MAX {
                // Several of them.
                let mut word = begin;
                while word < end {
                    let space = text[word..end].iter().position(|octet| *octet == b' ').map_or(end, |at| word + at);
                    self.number(text, word, space);
                    word = space + 1;
                }
            } else {
                self.number(text, begin, end);
            }
            begin = end + 1;
        }
    }

    /// Digits and separators from `begin` to `end`, unless they are something else than a number.
    fn number(&mut self, text: &mut [u8], begin: usize, end: usize) {
        let run = &text[begin..end];
        let first = run.iter().position(u8::is_ascii_digit);
        let last = run.iter().rposition(u8::is_ascii_digit);
        let Some((first, last)) = first.zip(last).filter(|_| count(run) >= NUMBER_DIGITS) else { return };
        let (first, last) = (begin + first, begin + last);
        if !is_date_or_address(&text[first..=last]) && !is_in_id(text, first) && !is_in_id(text, last) {
            self.digits(&mut text[begin..end]);
        }
    }
}

fn count(text: &[u8]) -> usize {
    text.iter().filter(|octet| octet.is_ascii_digit()).count()
}

/// Whether the digit there is part of something that is only told apart by it.
fn is_in_id(text: &[u8], at: usize) -> bool {
    let before = text[..at].iter().rev().take_while(|octet| octet.is_ascii_alphanumeric()).count();
    let after = text[at..].iter().take_while(|octet| octet.is_ascii_alphanumeric()).count();
    let word = &text[at - before..at + after];
    word.len() == ID_LENGTH || word.len() >= RANDOM_LENGTH && word.iter().any(u8::is_ascii_alphabetic)
}

/// Whether digits with separators begin with a day, or are an address or a network.
fn is_date_or_address(run: &[u8]) -> bool {
    const DAY: usize = "2026-11-02".len();
    let text = std::str::from_utf8(run).unwrap_or_default();
    let address = text.split('/').next().unwrap_or_default();
    text.get(..DAY).is_some_and(|day| day.parse::<NaiveDate>().is_ok()) || address.parse::<IpAddr>().is_ok()
}

/// Whether a record was there before the first input.
fn is_of_beginning(record: &Record) -> bool {
    matches!(record.kind, Kind::Beginning | Kind::Kept)
}

/// Every letter and digit of every text in it.
fn blot(value: &mut Value) {
    match value {
        Value::String(text) => *text = blotted(text),
        Value::Array(rows) => rows.iter_mut().for_each(blot),
        Value::Object(fields) => fields.values_mut().for_each(blot),
        Value::Number(number) => *number = 0.into(),
        Value::Null | Value::Bool(_) => {}
    }
}

fn blotted(text: &str) -> String {
    text.chars().map(|c| if c.is_alphanumeric() { 'x' } else { c }).collect()
}

/// The digit in the JSON of a media event.
fn media_digit(json: &[u8]) -> Option<u8> {
    media_digit_at(json).map(|at| json[at])
}

fn media_digit_at(json: &[u8]) -> Option<usize> {
    const FIELD: &[u8] = b"\"digit\":\"";
    let at = json.windows(FIELD.len()).rposition(|window| window == FIELD)?;
    Some(at + FIELD.len()).filter(|at| *at < json.len())
}
