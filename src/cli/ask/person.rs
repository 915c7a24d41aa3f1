//! A person's data, found and erased by his number.

use super::super::args::Erase;
use super::super::client::Client;
use super::super::table::harmless;
use super::super::{Exit, Trouble};
use super::Asked;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

/// How long a large store is read and written down anew.
const PATIENCE: Duration = Duration::from_secs(600);

impl Asked {
    pub(super) async fn find(self, number: &str) -> Result<Exit, Trouble> {
        let body = json!({ "number": number });
        let found = self.client.patient(PATIENCE).post("/people/find", Some(body), None).await?;
        show(self.json, &found, found_story)
    }

    pub(super) async fn erase(self, erase: &Erase) -> Result<Exit, Trouble> {
        let body = json!({ "number": erase.number, "confirm": erase.yes, "do_not_call": erase.do_not_call });
        let client: Client = self.client.patient(PATIENCE);
        let answer = client.post("/people/erase", Some(body), None).await?;
        show(self.json, &answer, erased_story)
    }
}

fn show(as_json: bool, answer: &Value, people: fn(&Value) -> String) -> Result<Exit, Trouble> {
    if as_json {
        super::super::print_json(answer)?;
    } else {
        super::super::print(&people(answer))?;
    }
    Ok(Exit::Done)
}

fn found_story(found: &Value) -> String {
    let mut out = String::new();
    for record in records(found) {
        let key = harmless(record["key"].as_str().unwrap_or_default());
        let _ = writeln!(out, "{key}\n  {}", harmless(&record["value"].to_string()));
    }
    for audio in found["audio"].as_array().into_iter().flatten() {
        let _ = writeln!(out, "{}", harmless(audio.as_str().unwrap_or_default()));
    }
    let number = harmless(found["number"].as_str().unwrap_or_default());
    let _ = writeln!(out, "{} records tell of {number}", records(found).count());
    out
}

fn erased_story(answer: &Value) -> String {
    let number = harmless(answer["number"].as_str().unwrap_or_default());
    let count = |name: &str| answer[name].as_u64().unwrap_or_default();
    let (erased, stripped, left) = (count("erased"), count("stripped"), count("left"));
    let audio = answer["audio"].as_array().map_or(0, Vec::len);
    let mut out = String::new();
    if answer["done"] == true {
        let _ =
            writeln!(out, "{number} is erased: {erased} records, {audio} recordings; {stripped} entries name nobody");
    } else if answer["going_on"] == true {
        let _ = writeln!(out, "{number} is being erased, which takes its time: ask again to hear that it is done.");
    } else {
        let mut kinds: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for record in records(answer) {
            let kind = record["key"].as_str().and_then(|key| key.split('/').next()).unwrap_or_default();
            *kinds.entry((record["fate"].as_str().unwrap_or_default(), kind)).or_default() += 1;
        }
        for ((fate, kind), count) in kinds {
            let _ = writeln!(out, "would be {fate}: {count} × {kind}");
        }
        let _ = writeln!(out, "Nothing was erased: say --yes to erase {number} for good.");
        if answer["on_the_phone"] == true {
            let _ = writeln!(out, "A call of this person runs: it has to end first.");
        }
    }
    if left > 0 {
        let _ = writeln!(out, "{left} objects of the site name {number} and stay: change them yourself.");
    }
    out
}

fn records(answer: &Value) -> impl Iterator<Item = &Value> {
    answer["records"].as_array().into_iter().flatten()
}
