//! Files that are refused, each with everything that is wrong with it. `refused.txt` holds them: a name, the file,
//! and after `---` the messages.

use super::{parse, shown};

// S2.B6: an exit key that is also a request key is refused, among the others.
#[test]
fn every_wrong_file_is_told_all_of_its_errors_at_their_places() {
    let mut wrong = String::new();
    for case in include_str!("refused.txt").split("=== ").skip(1) {
        let (name, rest) = case.split_once('\n').unwrap();
        let (text, expected) = rest.split_once("\n---").unwrap();
        let told = parse(&format!("{text}\n")).map_or_else(|problems| shown(&problems), |_| "taken\n".to_owned());
        // Which fields are not honoured yet is no matter of these files.
        let lines = |text: &str| -> Vec<String> {
            let unmarked = |line: &&str| !line.contains("not honoured yet") && !line.contains("is honoured only as");
            text.trim().lines().filter(unmarked).map(str::to_owned).collect()
        };
        let told = lines(&told).join("\n") + "\n";
        if told.trim() != lines(expected).join("\n") {
            wrong.push_str(&format!("=== {name}\n{text}\n---\n{told}"));
        }
    }

    assert!(wrong.is_empty(), "these are told otherwise:\n{wrong}");
}

#[test]
fn a_file_of_nothing_but_errors_is_told_to_a_limit_and_quickly() {
    let many = "[[agent]]\nname = 1\n".repeat(9_000);
    let lost = "[[agent]]\n".repeat(ringback::limits::CONFIG_OBJECTS + 1);
    let one_line = format!("x = [{}]", "= ".repeat(100_000));

    let (many, lost, one_line) = (parse(&many).unwrap_err(), parse(&lost).unwrap_err(), parse(&one_line).unwrap_err());

    assert_eq!(many.len(), ringback::limits::CONFIG_PROBLEMS + 1);
    assert!(many.last().unwrap().message.ends_with("more problems are not told; mend these first"));
    assert_eq!(shown(&lost), "ringback.toml:1:3: there are 10001 [[agent]], their limit is 10000\n");
    assert!(one_line.len() <= ringback::limits::CONFIG_PROBLEMS + 1);
}

#[test]
fn a_huge_file_is_refused_unread() {
    let text = "#".repeat(ringback::limits::CONFIG_BYTES + 1);

    assert_eq!(
        shown(&parse(&text).unwrap_err()),
        "ringback.toml:1:1: the file has 4194305 bytes, its limit is 4194304\n"
    );
}
