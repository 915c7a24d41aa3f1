//! The messages of `tests/corpus` with what their index says must happen.

use memchr::memmem;
use std::path::PathBuf;

/// One message and its verdict.
pub struct Case {
    /// Its name in the index.
    pub name: String,
    /// Its octets.
    pub octets: Vec<u8>,
    /// What the index expects of a user agent server or registrar.
    pub expected: String,
}

/// Answers that policy may give to a message that is well formed.
const BY_POLICY: [u16; 14] = [100, 180, 200, 401, 403, 404, 405, 407, 480, 481, 486, 487, 488, 501];

impl Case {
    /// Whether the index allows this final answer to the message over UDP; `None` is silence.
    pub fn allows(&self, answer: Option<u16>) -> bool {
        let expected = self.expected.strip_prefix("UDP: ").unwrap_or(&self.expected);
        let rule = expected.split(';').next().unwrap_or("");
        let statuses: Vec<u16> = rule
            .split(|character: char| !character.is_ascii_digit())
            .filter(|digits| digits.len() == 3)
            .filter_map(|digits| digits.parse().ok())
            .collect();
        match answer {
            None => rule.contains("no answer") || rule.contains("drop") || rule.contains("ignored"),
            Some(status) if statuses.contains(&status) => true,
            Some(status) => {
                let leaves_choice = rule.contains("policy") || rule.contains("any but");
                leaves_choice && BY_POLICY.contains(&status)
            }
        }
    }
}

fn path(relative: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(relative)
}

/// The octets of a file of the corpus.
pub fn octets(relative: &str) -> Vec<u8> {
    std::fs::read(path(relative)).unwrap_or_else(|error| panic!("{relative}: {error}"))
}

fn cases(folder: &str, name: &str, file: &str, expected: &str) -> Vec<Case> {
    let index = String::from_utf8(octets(&format!("{folder}/index.tsv"))).expect("indices are UTF-8");
    let mut rows = index.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let titles = rows.next().expect("an index begins with titles");
    let column = |title: &str| titles.iter().position(|own| *own == title).expect("a title of the index");
    let (name, file, expected) = (column(name), column(file), column(expected));
    rows.map(|row| Case {
        name: row[name].to_owned(),
        octets: octets(&format!("{folder}/{}", row[file].trim_start_matches("wire/"))),
        expected: row[expected].to_owned(),
    })
    .collect()
}

/// The 49 messages of RFC 4475 and `test.dat`.
pub fn rfc4475() -> Vec<Case> {
    cases("rfc4475", "name", "file", "uas_expect")
}

/// The 12 messages of RFC 5118.
pub fn rfc5118() -> Vec<Case> {
    cases("rfc5118", "name", "wire_file", "uas_expect")
}

/// The attacks, filled in; streams (`.tcp`) and datagrams (`.sip`).
pub fn attacks() -> Vec<Case> {
    let mut cases = cases("attacks", "file", "file", "expect");
    for (number, case) in cases.iter_mut().enumerate() {
        case.octets = filled(&case.octets, number);
    }
    cases
}

/// One of them.
pub fn attack(name: &str) -> Case {
    let case = cases("attacks", "file", "file", "expect").into_iter().find(|case| case.name == name);
    let case = case.unwrap_or_else(|| panic!("{name} is not in the index"));
    Case { octets: filled(&case.octets, 0), ..case }
}

fn filled(template: &[u8], number: usize) -> Vec<u8> {
    let token = format!("t{number}");
    let mut octets = template.to_vec();
    for (mark, value) in [
        ("@@USER@@", "100"),
        ("@@OTHER@@", "101"),
        ("@@HOST@@", "192.0.2.1"),
        ("@@HOSTIP@@", "192.0.2.1"),
        ("@@VICTIM@@", "192.0.2.66"),
        ("@@ME@@", "192.0.2.9"),
        ("@@MEPORT@@", "5060"),
        ("@@REALM@@", "ringback"),
        ("@@NONCE@@", "00112233"),
        ("@@TOK@@", token.as_str()),
    ] {
        octets = replaced(&octets, mark, value);
    }
    let body = memmem::find(&octets, b"\r\n\r\n").map_or(0, |end| octets.len() - end - 4);
    replaced(&octets, "@@CL@@", &body.to_string())
}

fn replaced(octets: &[u8], mark: &str, value: &str) -> Vec<u8> {
    let (mut rest, mut out) = (octets, Vec::with_capacity(octets.len()));
    while let Some(at) = memmem::find(rest, mark.as_bytes()) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(value.as_bytes());
        rest = &rest[at + mark.len()..];
    }
    out.extend_from_slice(rest);
    out
}
