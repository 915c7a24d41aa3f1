//! The style rules that a machine can check: imports go down only, files and functions stay readable, and nobody
//! below the shell reads a clock, opens a socket or rolls dice.

use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a file.
const FILE_LINES: usize = 600;
/// Lines of a function.
const FUNCTION_LINES: usize = 70;
/// Columns of a line.
const COLUMNS: usize = 120;

/// Modules by layer, as `src/lib.rs` lists them.
const LAYERS: [&[&str]; 5] = [
    &["entropy", "id", "limits", "number", "settings", "time", "zone"],
    &["audio", "rtp", "sdp", "sip"],
    &["agent", "callback", "policy", "queue", "registrar", "route", "trunk"],
    &["media", "switch"],
    &["cli", "config", "demo", "flight", "net", "run", "store", "telemetry", "web", "main"],
];

/// What a module must not know even though it lies lower.
const BLIND: [(&str, &[&str]); 6] = [
    ("queue", &["sip", "sdp", "rtp", "audio", "callback", "agent", "policy", "route", "registrar", "trunk"]),
    ("callback", &["sip", "sdp", "rtp", "audio", "queue", "agent", "registrar", "trunk"]),
    ("agent", &["sip", "sdp", "rtp", "audio", "queue", "callback", "registrar", "trunk"]),
    ("media", &["sip", "switch"]),
    ("rtp", &["sip"]),
    ("sip", &["rtp", "audio", "sdp"]),
];

/// Words that only the shell may use, as code.
const SHELL_ONLY: [&str; 12] = [
    "Instant::now",
    "SystemTime",
    "Utc::now",
    "std::thread",
    "std::net::UdpSocket",
    "std::fs",
    "std::env",
    "tokio::",
    "getrandom::",
    "thread_rng",
    "async fn",
    "std::sync::Mutex",
];

/// File names that say nothing.
const EMPTY_NAMES: [&str; 6] = ["util", "utils", "helper", "helpers", "common", "misc"];

struct Source {
    path: PathBuf,
    text: String,
}

fn rust_files(under: &str) -> Vec<Source> {
    fn walk(dir: &Path, found: &mut Vec<Source>) {
        for entry in fs::read_dir(dir).expect("a folder of the crate").map(|entry| entry.expect("an entry")) {
            let path = entry.path();
            if path.is_dir() {
                if !path.ends_with("target") {
                    walk(&path, found);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("Rust source is UTF-8");
                found.push(Source { path, text });
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join(under), &mut found);
    assert!(!found.is_empty(), "{under} has Rust files");
    found
}

/// The top module a file of `src` belongs to.
fn module(path: &Path) -> String {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let first = path.strip_prefix(src).expect("under src").components().next().expect("a name");
    first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

/// Code without comments and without tests: those at the end, and files that are nothing else.
fn code(source: &Source) -> impl Iterator<Item = (usize, &str)> {
    let text = if source.path.ends_with("tests.rs") { "" } else { source.text.as_str() };
    text.lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"))
        .enumerate()
        .map(|(number, line)| (number + 1, line.split("//").next().unwrap_or_default()))
}

#[test]
fn imports_go_down_only() {
    let mut wrong = Vec::new();
    for source in rust_files("src") {
        let from = module(&source.path);
        if from == "lib" {
            continue;
        }
        let own = layer(&from).unwrap_or_else(|| panic!("{from} belongs to no layer; add it to the list"));
        let blind = BLIND.iter().find(|(module, _)| *module == from).map_or(&[][..], |(_, blind)| *blind);
        for (number, line) in code(&source) {
            for used in line.split("crate::").skip(1) {
                let used: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                let Some(theirs) = layer(&used) else { continue };
                let is_own = used == from;
                let is_sibling = theirs == own && own == 4;
                if !is_own && (theirs > own || blind.contains(&used.as_str())) && !is_sibling {
                    wrong.push(format!("{}:{number}: {from} imports {used}", source.path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "imports go down only:\n{}", wrong.join("\n"));
}

#[test]
fn nothing_below_the_shell_touches_the_world() {
    let mut wrong = Vec::new();
    for source in rust_files("src") {
        if layer(&module(&source.path)).is_none_or(|layer| layer == 4) {
            continue;
        }
        for (number, line) in code(&source) {
            for word in SHELL_ONLY.iter().filter(|word| line.contains(**word)) {
                wrong.push(format!("{}:{number}: {word}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "clocks, sockets, files, threads and randomness are arguments:\n{}", wrong.join("\n"));
}

#[test]
fn files_functions_and_lines_stay_readable() {
    let mut wrong = Vec::new();
    for source in ["src", "tests", "benches", "fuzz/src", "fuzz/fuzz_targets"].into_iter().flat_map(rust_files) {
        let path = source.path.display();
        let lines = source.text.lines().count();
        if lines > FILE_LINES {
            wrong.push(format!("{path}: {lines} lines"));
        }
        for (number, line) in source.text.lines().enumerate() {
            if line.chars().count() > COLUMNS && !line.contains("http") {
                wrong.push(format!("{path}:{}: longer than {COLUMNS} columns", number + 1));
            }
        }
        wrong.extend(
            long_functions(&source.text)
                .into_iter()
                .map(|(number, length)| format!("{path}:{number}: a function of {length} lines")),
        );
    }
    assert!(wrong.is_empty(), "too long to read:\n{}", wrong.join("\n"));
}

/// First line and length of each function that does not fit a screen; a function ends at the brace of its own indent.
fn long_functions(text: &str) -> Vec<(usize, usize)> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut found = Vec::new();
    let mut open: Option<(usize, usize)> = None;
    for (number, line) in text.lines().enumerate() {
        let words = line.trim_start();
        if is_function(words) && !words.ends_with('}') && !words.ends_with(';') {
            open = Some((number, indent(line)));
        } else if let Some((start, depth)) = open
            && indent(line) == depth
            && words.starts_with('}')
        {
            let length = number - start + 1;
            if length > FUNCTION_LINES {
                found.push((start + 1, length));
            }
            open = None;
        }
    }
    found
}

/// Whether a line begins a function, whoever may call it and however.
fn is_function(line: &str) -> bool {
    let mut rest = line;
    if let Some(visible) = rest.strip_prefix("pub(") {
        rest = visible.split_once(") ").map_or("", |(_, rest)| rest);
    }
    for word in ["pub ", "default ", "const ", "async ", "unsafe ", "extern \"C\" "] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    rest.starts_with("fn ")
}

#[test]
fn long_functions_are_found_whoever_may_call_them() {
    let heads = ["fn a()", "pub const fn a()", "pub(in crate::sip) fn a()", "pub(crate) async fn a()", "const fn a()"];
    for head in heads {
        let text = format!("{head} {{\n{}}}\n", "    x();\n".repeat(FUNCTION_LINES));
        assert_eq!(long_functions(&text), [(1, FUNCTION_LINES + 2)], "{head}");
    }
    assert!(!is_function("pub const FN: u8 = 1;") && !is_function("pub(crate) struct A {"));
}

#[test]
fn the_readme_is_filled_in() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("a README");
    let open = readme
        .split('@')
        .skip(1)
        .find(|word| !word.is_empty() && word.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_'));
    assert_eq!(open, None, "left open");
}

#[test]
fn nothing_is_left_undone_or_hidden() {
    let words = ["todo!(", "unimplemented!(", concat!("TO", "DO"), concat!("FIX", "ME"), "#[ignore", "dbg!("];
    let mut wrong = Vec::new();
    for source in ["src", "tests", "benches", "fuzz/src", "fuzz/fuzz_targets"].into_iter().flat_map(rust_files) {
        if source.path.ends_with("tests/tidy.rs") {
            continue;
        }
        for (number, line) in source.text.lines().enumerate() {
            wrong.extend(
                words
                    .iter()
                    .filter(|word| line.contains(**word))
                    .map(|word| format!("{}:{}: {word}", source.path.display(), number + 1)),
            );
        }
    }
    assert!(wrong.is_empty(), "left undone:\n{}", wrong.join("\n"));
}

#[test]
fn only_tests_unwrap() {
    let mut wrong = Vec::new();
    for source in rust_files("src") {
        for (number, line) in code(&source).filter(|(_, line)| line.contains(".unwrap()")) {
            wrong.push(format!("{}:{number}: {}", source.path.display(), line.trim()));
        }
    }
    assert!(wrong.is_empty(), "say with expect why it cannot fail:\n{}", wrong.join("\n"));
}

#[test]
fn names_say_something() {
    for source in ["src", "tests"].into_iter().flat_map(rust_files) {
        let stem = source.path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        assert!(!EMPTY_NAMES.contains(&stem.as_str()), "{}: a name that says nothing", source.path.display());
        let first = source.text.lines().next().unwrap_or_default();
        assert!(first.starts_with("//!"), "{}: begins with an essay", source.path.display());
    }
}
