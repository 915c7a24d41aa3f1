//! Tables for people: aligned columns, and nothing from the network that could move the cursor.

use std::io::IsTerminal;

/// Rows under a header.
#[derive(Debug)]
pub(super) struct Table {
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    bold: bool,
}

impl Table {
    pub(super) fn new(header: &[&'static str]) -> Table {
        Table { header: header.to_vec(), rows: Vec::new(), bold: in_colour() }
    }

    pub(super) fn row<const N: usize>(&mut self, cells: [String; N]) {
        debug_assert_eq!(N, self.header.len());
        self.rows.push(cells.iter().map(|cell| harmless(cell)).collect());
    }

    /// The rows, or `nothing` when there are none.
    pub(super) fn show(&self, nothing: &str) -> String {
        if self.rows.is_empty() {
            return format!("{nothing}\n");
        }
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells.chain([self.header[column].len()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.header.len()).map(width).collect();
        let line = |cells: &[String]| {
            let padded: Vec<String> =
                cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            padded.join("  ").trim_end().to_owned()
        };
        let header = line(&self.header.iter().map(|cell| cell.to_uppercase()).collect::<Vec<_>>());
        let mut out = if self.bold { format!("\x1b[1m{header}\x1b[0m\n") } else { format!("{header}\n") };
        for row in &self.rows {
            out.push_str(&line(row));
            out.push('\n');
        }
        out
    }
}

/// Escape sequences only for a terminal, and not when `NO_COLOR` is set to anything (no-color.org).
pub(super) fn in_colour() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !refused && std::io::stdout().is_terminal()
}

/// Text from phones and carriers, without control characters and without those that turn the line around.
pub(super) fn harmless(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if c.is_control() || turns(c) { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_hostile_text_is_harmless() {
        let mut table = Table { header: vec!["name", "state"], rows: Vec::new(), bold: false };
        table.row(["anna".into(), "ready".into()]);
        table.row(["b\x1b[2Jo\u{202e}b the long".into(), "".into()]);

        let shown = table.show("no agents");

        assert_eq!(shown, "NAME               STATE\nanna               ready\nb\u{fffd}[2Jo\u{fffd}b the long\n");
    }

    #[test]
    fn an_empty_table_says_so_in_words() {
        assert_eq!(Table::new(&["name"]).show("no calls"), "no calls\n");
    }
}
