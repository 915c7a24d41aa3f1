//! Files that are refused, each with everything that is wrong with it. `refused.txt` holds them: a name, the file,
//! and after `---` the messages.

use super::{parse, shown};

#[test]
fn every_wrong_file_is_told_all_of_its_errors_at_their_places() {
    let mut wrong = String::new();
    for case in include_str!("refused.txt").split("=== ").skip(1) {
        let (name, rest) = case.split_once('\n').unwrap();
        let (text, expected) = rest.split_once("\n---").unwrap();
        let told = parse(&format!("{text}\n")).map_or_else(|problems| shown(&problems), |_| "taken\n".to_owned());
        if told.trim() != expected.trim() {
            wrong.push_str(&format!("=== {name}\n{text}\n---\n{told}"));
        }
    }

    assert!(wrong.is_empty(), "these are told otherwise:\n{wrong}");
}

#[test]
fn a_huge_file_is_refused_unread() {
    let text = "#".repeat(ringback::limits::CONFIG_BYTES + 1);

    assert_eq!(
        shown(&parse(&text).unwrap_err()),
        "ringback.toml:1:1: the file has 4194305 bytes, its limit is 4194304\n"
    );
}
