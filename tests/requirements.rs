//! Every requirement has its test. `tests/requirements.txt` lists what is asked; a test names what it proves in the
//! comment directly above its `#[test]`, or the first one in its body: `// S4.7: …`, several with commas, a run as
//! `S2.7–S2.11`.
//!
//! `cargo test --test requirements -- --nocapture` prints each id with its tests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A requirement's mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Source,
    Implied,
    Beyond,
}

struct Requirement {
    id: String,
    mark: Mark,
    text: String,
}

fn requirements() -> Vec<Requirement> {
    let lines = include_str!("requirements.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let mut parts = line.splitn(3, ' ');
            let mut next = || parts.next().unwrap_or_else(|| panic!("id, mark and text: {line}")).to_owned();
            let (id, mark, text) = (next(), next(), next());
            let mark = match mark.as_str() {
                "source" => Mark::Source,
                "implied" => Mark::Implied,
                "beyond" => Mark::Beyond,
                other => panic!("{id}: no mark is called {other}"),
            };
            Requirement { id, mark, text }
        })
        .collect()
}

fn rust_files(under: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(under).expect("the tree is readable") {
        let path = entry.expect("the tree is readable").path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// The ids a comment names, runs spelled out.
fn ids(comment: &str) -> Vec<String> {
    let words = comment.split(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | '–' | '-')));
    let mut ids = Vec::new();
    for word in words {
        let word = word.trim_end_matches(['.', '-', '–']);
        match word.split_once(['–', '-']) {
            Some((from, to)) if is_id(from) && is_id(to) => ids.extend(run(from, to)),
            Some(_) => {}
            None if is_id(word) => ids.push(word.to_owned()),
            None => {}
        }
    }
    ids
}

fn is_id(word: &str) -> bool {
    let Some((document, number)) = word.split_once('.') else { return false };
    let document = document.strip_prefix('S').is_some_and(|n| n.len() == 1 && n.bytes().all(|b| b.is_ascii_digit()));
    let number = number.strip_prefix('B').unwrap_or(number);
    let number = number.strip_suffix('b').unwrap_or(number);
    document && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
}

fn run(from: &str, to: &str) -> Vec<String> {
    let at = from.rfind(|c: char| !c.is_ascii_digit()).expect("an id has a full stop") + 1;
    let (head, first) = from.split_at(at);
    let last = to.strip_prefix(head).unwrap_or_else(|| panic!("{from} to {to} is no run"));
    let number = |text: &str| text.parse::<u32>().unwrap_or_else(|_| panic!("{from} to {to} is no run"));
    (number(first)..=number(last)).map(|n| format!("{head}{n}")).collect()
}

/// Which tests name which id: id, `file::function`.
fn cited() -> BTreeMap<String, BTreeSet<String>> {
    let mut files = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    ["src", "tests"].iter().for_each(|under| rust_files(&root.join(under), &mut files));
    let mut cited: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("sources are UTF-8");
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (at, _) in lines.iter().enumerate().filter(|(_, line)| **line == "#[test]" || **line == "#[tokio::test]") {
            let above = lines[..at].iter().rev().take_while(|line| line.starts_with("//") || line.starts_with("#["));
            let comment: Vec<&str> = above.copied().filter(|line| line.starts_with("//")).collect();
            let begin = at + lines[at..].iter().position(|line| line.contains("fn ")).unwrap_or(0);
            let name = lines[begin].split_once("fn ").map_or("", |(_, rest)| rest);
            let name = name.split('(').next().unwrap_or_default();
            let body = lines[begin + 1..].iter().take_while(|line| line.starts_with("//"));
            let comment = comment.iter().chain(body);
            let file = file.strip_prefix(root).unwrap_or(&file).display().to_string();
            for id in comment.flat_map(|line| ids(line)) {
                cited.entry(id).or_default().insert(format!("{file} {name}"));
            }
        }
    }
    cited
}

#[test]
fn every_requirement_that_the_documents_make_has_a_test_that_names_it() {
    let (requirements, cited) = (requirements(), cited());

    let mut missing = Vec::new();
    for Requirement { id, mark, text } in &requirements {
        let tests = cited.get(id);
        println!("{id} {mark:?} {text}");
        tests.into_iter().flatten().for_each(|test| println!("    {test}"));
        if tests.is_none() && *mark != Mark::Beyond {
            missing.push(format!("{id} {text}"));
        }
    }

    assert!(missing.is_empty(), "{} requirements without a test:\n{}", missing.len(), missing.join("\n"));
}

#[test]
fn no_test_names_a_requirement_that_is_not_there() {
    let known: BTreeSet<String> = requirements().into_iter().map(|requirement| requirement.id).collect();

    let unknown: Vec<_> = cited().into_iter().filter(|(id, _)| !known.contains(id)).collect();

    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn ids_are_read_from_comments_with_runs_and_lists() {
    assert_eq!(ids("// S4.7: the agent starts it."), ["S4.7"]);
    assert_eq!(ids("// S1.5b, S1.B12 (T31): both."), ["S1.5b", "S1.B12"]);
    assert_eq!(ids("// S2.9–S2.11: the dialogue."), ["S2.9", "S2.10", "S2.11"]);
    assert!(ids("// See §2.7 and RFC 3261 §8.1.").is_empty());
}
