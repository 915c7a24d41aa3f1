//! What is wrong with a file, and where: every problem carries line and column, and all of them are told at once.

use crate::limits;
use std::fmt;
use std::ops::Range;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The file is not taken.
    Error,
    /// The file is taken; this is what it will not do.
    Warning,
}

/// One sentence about one place of the file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// Error or warning.
    pub severity: Severity,
    /// From 1; 0 when it is not of the file.
    pub line: usize,
    /// In characters, from 1; 0 when it is not of the file.
    pub column: usize,
    /// Where, when it is not of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// The sentence.
    pub message: String,
}

/// A field of an object that is not of the file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Place {
    /// The object's table.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The field; `None`: the object itself.
    pub field: Option<String>,
}

impl Problem {
    /// `file:line:column: message`, as editors jump to, or `kind/name.field: message`.
    pub fn show(&self, file: &str) -> String {
        if self.place.is_some() { self.to_string() } else { format!("{file}:{self}") }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let warning = if self.severity == Severity::Warning { "warning: " } else { "" };
        match &self.place {
            Some(place) => write!(f, "{place}: {warning}{}", self.message),
            None => write!(f, "{}:{}: {warning}{}", self.line, self.column, self.message),
        }
    }
}

/// Collects problems by byte offset; those beyond `limits::CONFIG_PROBLEMS` are only counted.
#[derive(Debug, Default)]
pub(super) struct Report {
    found: Vec<(usize, Severity, String)>,
    untold: usize,
    has_errors: bool,
}

impl Report {
    pub(super) fn error(&mut self, at: usize, message: impl Into<String>) {
        self.push(at, Severity::Error, message.into());
    }

    pub(super) fn warn(&mut self, at: usize, message: impl Into<String>) {
        self.push(at, Severity::Warning, message.into());
    }

    fn push(&mut self, at: usize, severity: Severity, message: String) {
        self.has_errors |= severity == Severity::Error;
        match self.is_full() {
            false => self.found.push((at, severity, message)),
            true => self.untold += 1,
        }
    }

    /// Nothing more is told, so no more need be worked out.
    pub(super) fn is_full(&self) -> bool {
        self.found.len() >= limits::CONFIG_PROBLEMS
    }

    pub(super) fn has_errors(&self) -> bool {
        self.has_errors
    }

    /// Takes over what another has found `by` octets further on.
    pub(super) fn absorb(&mut self, other: Report, by: usize) {
        self.untold += other.untold;
        self.has_errors |= other.has_errors;
        other.found.into_iter().for_each(|(at, severity, message)| self.push(at + by, severity, message));
    }

    /// In the order of the file.
    pub(super) fn into_problems(self, text: &str) -> Vec<Problem> {
        self.into_problems_of(text, &[])
    }

    /// In the order of the file and of the stored objects behind it.
    pub(super) fn into_problems_of(mut self, text: &str, stored: &[(Range<usize>, Place)]) -> Vec<Problem> {
        self.found.sort_by_key(|(at, ..)| *at);
        if self.untold > 0 {
            let message = format!("{} more problems are not told; mend these first", self.untold);
            let severity = if self.has_errors { Severity::Error } else { Severity::Warning };
            self.found.push((text.len(), severity, message));
        }
        let mut lines = vec![0];
        lines.extend(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1));
        let place = |at: usize| {
            let line = lines.partition_point(|start| *start <= at);
            let start = lines[line - 1];
            let mut end = at.min(text.len());
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            (line, text[start.min(end)..end].chars().count() + 1)
        };
        self.found
            .into_iter()
            .map(|(at, severity, message)| {
                let next = stored.partition_point(|(range, _)| range.start <= at);
                if let Some((_, place)) = next.checked_sub(1).and_then(|last| stored.get(last)) {
                    return Problem { severity, line: 0, column: 0, place: Some(place.clone()), message };
                }
                let (line, column) = place(at);
                Problem { severity, line, column, place: None, message }
            })
            .collect()
    }
}

/// The start of a span, where people look.
pub(super) fn start(span: &Range<usize>) -> usize {
    span.start
}

/// A value of the file as people wrote it, cut short and harmless on a terminal.
pub(super) fn quote(text: &str) -> String {
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("\"{}\"", short.escape_debug())
}

/// So many known names are looked at for the nearest; a site with more still hears that the name is unknown.
const CANDIDATES: usize = 1_000;

/// The nearest of `known` to `word`, by edits (Damerau-Levenshtein, adjacent swaps count one).
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<(&'a str, usize)> {
    let word: Vec<char> = word.chars().take(80).collect();
    known
        .into_iter()
        .take(CANDIDATES)
        .map(|candidate| (candidate, edits(&word, candidate)))
        .min_by_key(|(_, edits)| *edits)
}

/// `; did you mean "x"?` when something known is near, else what the nearest is.
pub(super) fn suggestion<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    match nearest(word, known) {
        Some((candidate, edits)) if is_near(word, edits) => format!("; did you mean {}?", quote(candidate)),
        Some((candidate, _)) => format!("; the nearest known one is {}", quote(candidate)),
        None => String::new(),
    }
}

/// The same where the reader has been shown all of `known` already: nothing when none is near.
pub(super) fn slip<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    match nearest(word, known) {
        Some((candidate, edits)) if is_near(word, edits) => format!("; did you mean {}?", quote(candidate)),
        Some(_) | None => String::new(),
    }
}

/// One slip in three letters.
fn is_near(word: &str, edits: usize) -> bool {
    edits <= (word.chars().count() / 3).max(1)
}

fn edits(a: &[char], b: &str) -> usize {
    let b: Vec<char> = b.chars().take(80).collect();
    let mut before = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut row = vec![i + 1; b.len() + 1];
        for (j, to) in b.iter().enumerate() {
            let replaced = above[j] + usize::from(from != to);
            row[j + 1] = replaced.min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *from == b[j - 1] && a[i - 1] == *to {
                row[j + 1] = row[j + 1].min(before[j - 1] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swap_of_neighbours_is_one_edit() {
        assert_eq!(nearest("ring_sces", ["wrap_up_secs", "ring_secs"]), Some(("ring_secs", 1)));
    }

    #[test]
    fn columns_count_characters_and_lines_begin_at_one() {
        let text = "a = 1\nüü = 2\n";
        let mut report = Report::default();
        report.error(11, "there");
        report.warn(0, "here");

        let problems = report.into_problems(text);

        assert_eq!(problems[0].show("f"), "f:1:1: warning: here");
        assert_eq!(problems[1].show("f"), "f:2:4: there");
    }
}
