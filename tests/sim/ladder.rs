//! Ladders as telephone engineers read them (RFC 3665): who sent what to whom, with the facts of each message below.

use bytes::Bytes;
use ringback::demo::codec::{self, Message};
use ringback::demo::session::Session;
use ringback::time::Tick;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::rc::Rc;

/// What happened, in order.
#[derive(Default)]
pub struct Ladder {
    lines: Vec<Line>,
    /// Registrations are another story.
    pub hides_registrations: bool,
}

enum Line {
    Arrow { at: Tick, from: Rc<str>, to: Rc<str>, sent: Bytes, lost: bool },
    Note { at: Tick, text: String },
}

const WIDTH: usize = 24;

impl Line {
    /// Who sent what to whom; `None` for a note.
    fn arrow(&self) -> Option<(&str, &str, Message)> {
        match self {
            Line::Arrow { from, to, sent, .. } => Some((from, to, Message::parse(sent).expect("it was one"))),
            Line::Note { .. } => None,
        }
    }
}

impl Ladder {
    /// A message has been sent: these bytes.
    pub fn arrow(&mut self, at: Tick, from: Rc<str>, to: Rc<str>, message: &Message, sent: Bytes, lost: bool) {
        if self.hides_registrations && message.cseq().1 == "REGISTER" {
            return;
        }
        self.lines.push(Line::Arrow { at, from, to, sent, lost });
    }

    /// The switch has done something else that matters.
    pub fn note(&mut self, at: Tick, text: String) {
        self.lines.push(Line::Note { at, text });
    }

    /// Forgets what has been so far.
    pub fn clear(&mut self) {
        self.lines.clear();
    }

    /// How many arrows of this label went from one to the other.
    pub fn count(&self, from: &str, to: &str, what: &str) -> usize {
        let matches =
            |line: &&Line| line.arrow().is_some_and(|(f, t, message)| f == from && t == to && label(&message) == what);
        self.lines.iter().filter(matches).count()
    }

    /// The messages of this label that went from one to the other, in order.
    pub fn all(&self, from: &str, to: &str, what: &str) -> Vec<Message> {
        let arrows = self.lines.iter().filter_map(Line::arrow);
        let theirs = arrows.filter(|(f, t, message)| *f == from && *t == to && label(message) == what);
        theirs.map(|(_, _, message)| message).collect()
    }

    /// When the first arrow of this label went from one to the other.
    pub fn first(&self, from: &str, to: &str, what: &str) -> Option<Tick> {
        let is_it =
            |line: &Line| line.arrow().is_some_and(|(f, t, message)| f == from && t == to && label(&message) == what);
        self.lines.iter().find(|line| is_it(line)).map(Line::at)
    }

    /// When the first note that contains `text` was made.
    pub fn noted(&self, text: &str) -> Option<Tick> {
        self.lines.iter().find_map(|line| match line {
            Line::Note { at, text: note } if note.contains(text) => Some(*at),
            Line::Arrow { .. } | Line::Note { .. } => None,
        })
    }

    /// When each of the notes that contain `text` was made.
    pub fn all_noted(&self, text: &str) -> Vec<Tick> {
        let notes = self.lines.iter().filter_map(|line| match line {
            Line::Note { at, text: note } if note.contains(text) => Some(*at),
            Line::Arrow { .. } | Line::Note { .. } => None,
        });
        notes.collect()
    }

    /// What was noted, in order.
    pub fn notes(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().filter_map(|line| match line {
            Line::Note { text, .. } => Some(text.as_str()),
            Line::Arrow { .. } => None,
        })
    }

    /// The drawing; `order` says which columns come first.
    pub fn draw(&self, order: &[String]) -> String {
        let columns: Vec<&String> = order.iter().filter(|name| self.mentions(name)).collect();
        let lifelines = |marks: &[(usize, char)]| {
            let mut row = vec![' '; WIDTH * columns.len()];
            (0..columns.len()).for_each(|at| row[WIDTH * at + WIDTH / 2] = '|');
            marks.iter().for_each(|(at, mark)| row[*at] = *mark);
            row
        };
        let mut text = String::new();
        let mut put = |row: Vec<char>| {
            text.push_str(row.into_iter().collect::<String>().trim_end());
            text.push('\n');
        };
        put(columns.iter().flat_map(|name| format!("{name:^WIDTH$}").chars().collect::<Vec<_>>()).collect());
        let (mut number, mut facts_below) = (0, String::new());
        for line in &self.lines {
            match line {
                Line::Note { text, .. } => {
                    let mut row = lifelines(&[]);
                    let switch = columns.iter().position(|name| *name == "ringback").unwrap_or(0);
                    let words: Vec<char> = format!("[{text}]").chars().collect();
                    let start = (WIDTH * switch + WIDTH / 2).saturating_sub(words.len() / 2);
                    words.iter().enumerate().for_each(|(at, letter)| match row.get_mut(start + at) {
                        Some(place) => *place = *letter,
                        None => row.push(*letter),
                    });
                    put(row);
                }
                Line::Arrow { at, from, to, sent, lost } => {
                    number += 1;
                    let message = Message::parse(sent).expect("it was one");
                    let (label, facts) = (label(&message), facts(&message));
                    let place = |who: &str| columns.iter().position(|name| *name == who).unwrap_or(0);
                    let (a, b) = (WIDTH * place(from) + WIDTH / 2, WIDTH * place(to) + WIDTH / 2);
                    let (left, right) = (a.min(b), a.max(b));
                    let words: Vec<char> = format!("{label} F{number}").chars().collect();
                    let start = (left + (right - left) / 2 + 1).saturating_sub(words.len() / 2);
                    let marks: Vec<(usize, char)> =
                        words.iter().enumerate().map(|(at, letter)| (start + at, *letter)).collect();
                    put(lifelines(&marks));
                    let mut marks: Vec<(usize, char)> = (left + 1..right).map(|at| (at, '-')).collect();
                    if b > a {
                        marks.push((right - 1, '>'))
                    } else {
                        marks.push((left + 1, '<'))
                    }
                    if *lost {
                        marks.push((left + (right - left) / 2, 'x'));
                    }
                    put(lifelines(&marks));
                    let seconds = at.as_millis() as f64 / 1_000.0;
                    facts_below.push_str(&format!("F{number:<3} {seconds:>8.3}  {from} -> {to}  {facts}\n"));
                }
            }
        }
        text.push('\n');
        text + &facts_below
    }

    fn mentions(&self, name: &str) -> bool {
        self.lines.iter().any(|line| match line {
            Line::Arrow { from, to, .. } => **from == *name || **to == *name,
            Line::Note { .. } => false,
        })
    }

    /// The calls that one of these people takes part in, and what was noted of them: one row for each, the last `rows`
    /// at most. Of everybody when nobody is named.
    pub fn brief(&self, numbers: &BTreeSet<String>, names: &BTreeSet<String>, rows: usize) -> String {
        let lines = self.concerning(numbers, names);
        let lines = &lines[lines.len().saturating_sub(rows)..];
        let mut columns: Vec<&str> = Vec::new();
        for who in lines.iter().flat_map(|line| line.ends()) {
            if !columns.contains(&who) {
                columns.push(who);
            }
        }
        columns.sort_by_key(|who| (!names.contains(*who), *who != "ringback"));
        let mut text: String = format!("{:11}", "");
        columns.iter().for_each(|name| text.push_str(&format!("{name:^WIDTH$}")));
        for line in lines {
            text = text.trim_end().to_owned() + "\n" + &line.row(&columns);
        }
        text.trim_end().to_owned() + "\n"
    }

    fn concerning(&self, numbers: &BTreeSet<String>, names: &BTreeSet<String>) -> Vec<&Line> {
        let of = |message: &Message, header: &str| {
            codec::user(codec::address(message.header(header).unwrap_or(""))).to_owned()
        };
        let theirs = |message: &Message| ["From", "To"].iter().any(|header| numbers.contains(&of(message, header)));
        let arrows = self.lines.iter().filter_map(Line::arrow);
        let calls: BTreeSet<String> = arrows
            .filter(|(from, to, message)| theirs(message) || names.contains(*from) || names.contains(*to))
            .map(|(_, _, message)| message.call_id().to_owned())
            .collect();
        let is_theirs = |line: &&Line| match line {
            Line::Note { text, .. } => {
                let words = |word: &str| text.split([' ', ':', ',']).any(|it| it == word);
                numbers.iter().chain(names).any(|word| words(word)) || text.starts_with(OF_ALL)
            }
            line => line.arrow().is_some_and(|(_, _, message)| calls.contains(message.call_id())),
        };
        self.lines.iter().filter(|line| numbers.is_empty() && names.is_empty() || is_theirs(line)).collect()
    }
}

/// How a note begins that concerns everybody.
const OF_ALL: &str = "kill";

impl Line {
    fn at(&self) -> Tick {
        match self {
            Line::Arrow { at, .. } | Line::Note { at, .. } => *at,
        }
    }

    /// Who takes part in it, one after the other.
    fn ends(&self) -> Vec<&str> {
        match self {
            Line::Arrow { from, to, .. } => vec![from, to],
            Line::Note { .. } => Vec::new(),
        }
    }

    /// `   12.340         |---- INVITE ---->|`
    fn row(&self, columns: &[&str]) -> String {
        let mut row = vec![' '; WIDTH * columns.len()];
        (0..columns.len()).for_each(|at| row[WIDTH * at + WIDTH / 2] = '|');
        let mut write = |start: usize, words: &str| {
            for (at, letter) in words.chars().enumerate() {
                match row.get_mut(start + at) {
                    Some(place) => *place = letter,
                    None => row.push(letter),
                }
            }
        };
        let place = |who: &str| WIDTH * columns.iter().position(|name| *name == who).unwrap_or(0) + WIDTH / 2;
        match self {
            Line::Note { text, .. } => write(0, &format!("  [{text}]")),
            Line::Arrow { from, to, sent, lost, .. } => {
                let label = label(&Message::parse(sent).expect("it was one"));
                let (a, b) = (place(from), place(to));
                let (left, right) = (a.min(b), a.max(b));
                write(left + 1, &"-".repeat(right.saturating_sub(left + 1)));
                if b > a {
                    write(right - 1, ">")
                } else {
                    write(left + 1, "<")
                }
                let words = format!(" {label}{} ", if *lost { ", lost" } else { "" });
                write((left + (right - left) / 2 + 1).saturating_sub(words.len() / 2), &words);
            }
        }
        let seconds = self.at().as_millis() as f64 / 1_000.0;
        format!("{seconds:>10.3} ") + &row.into_iter().collect::<String>()
    }
}

/// `INVITE`, `180 Ringing`.
pub fn label(message: &Message) -> String {
    match &message.start {
        codec::Start::Request { method, .. } => method.clone(),
        codec::Start::Response { status, .. } => format!("{status} {}", codec::reason(*status)),
    }
}

fn facts(message: &Message) -> String {
    let mut words = vec![match &message.start {
        codec::Start::Request { method, uri } => format!("{method} {}", person(uri)),
        codec::Start::Response { status, .. } => {
            format!("{status} ({} {})", message.cseq().0, message.cseq().1)
        }
    }];
    if matches!(message.start, codec::Start::Request { .. }) && message.to_tag().is_none() {
        let from = message.header("From").unwrap_or("");
        words.push(format!("from {}", person(codec::address(from))));
    }
    for name in
        ["P-Asserted-Identity", "Contact", "Expires", "Min-Expires", "Reason", "Retry-After", "Alert-Info", "Call-Info"]
    {
        let wanted = name != "Contact" || message.method() == "REGISTER";
        if let (Some(value), true) = (message.header(name), wanted) {
            let expires = codec::param(value, "expires").map(|it| format!(";expires={it}")).unwrap_or_default();
            let shown = if value.contains("sip:") && !name.ends_with("-Info") {
                person(codec::address(value)) + &expires
            } else {
                value.to_owned()
            };
            words.push(format!("{name}: {shown}"));
        }
    }
    for name in ["Authorization", "Proxy-Authorization", "WWW-Authenticate", "Proxy-Authenticate"] {
        if message.header(name).is_some() {
            words.push(format!("{name}: Digest"));
        }
    }
    if let Some(session) = Session::parse(&message.body) {
        words.push(format!("SDP {}", session.summary()));
    }
    words.join(" · ")
}

fn person(uri: &str) -> String {
    let user = codec::user(uri);
    if user.is_empty() { uri.split(';').next().unwrap_or("").to_owned() } else { user.to_owned() }
}

/// Compares a drawing with the reviewed one. `RINGBACK_BLESS=1` writes it instead; then it wants reviewing.
pub fn assert_golden(name: &str, drawn: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.ladder"));
    if std::env::var("RINGBACK_BLESS").is_ok_and(|it| it == "1") {
        std::fs::write(&path, drawn).expect("the ladder can be written");
        return;
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == drawn, "ladder {name} differs.\n--- reviewed\n{golden}\n--- now\n{drawn}");
}

/// Clips as people read them: a number is a number.
pub fn spoken(clips: &[ringback::id::Name]) -> String {
    let mut text = String::new();
    for clip in clips {
        match (&**clip, clip.strip_prefix("digit_")) {
            ("pause", _) => {}
            ("plus", _) => text.push_str(" +"),
            (_, Some(digit)) if text.ends_with(|last: char| last == '+' || last.is_ascii_digit()) => {
                text.push_str(digit)
            }
            (_, Some(digit)) => text.push_str(&format!(" {digit}")),
            (word, None) => text.push_str(&format!(" {word}")),
        }
    }
    text.trim().to_owned()
}
