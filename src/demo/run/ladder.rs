//! A ladder: messages as arrows between columns, as RFC 3665 draws them, with what the switch did in brackets.

use super::timeline::{Paint, Role};
use crate::switch::view::LadderStep;
use crate::time::{DateTime, Utc};

/// Characters between two columns.
const GAP: usize = 25;
/// Characters before the first column.
const MARGIN: usize = 14;
/// What the ladder of the switch calls the switch.
const SWITCH: &str = "ringback";

/// The steps between these columns, from left to right; times are seconds since `zero`.
pub fn draw(columns: &[&str], titles: &[&str], steps: &[LadderStep], zero: DateTime<Utc>, paint: Paint) -> String {
    let mut out = head(titles, paint);
    for step in steps {
        let seconds = step.at.signed_duration_since(zero).num_milliseconds() as f64 / 1_000.0;
        let at = |name: &str| columns.iter().position(|column| *column == name);
        let row = match (at(&step.from), at(&step.to)) {
            (Some(from), Some(to)) if from != to => arrow(columns.len(), from, to, &label(&step.what), paint),
            (_, _) if step.from == SWITCH && step.to == SWITCH => said(columns, &plain(&step.what), paint),
            (_, _) => continue, // A peer that has no column: not part of this story.
        };
        out.push_str(&format!("  {}  {}\n", paint.dim(&format!("{seconds:>8.3}")), row.trim_end()));
    }
    out
}

fn head(titles: &[&str], paint: Paint) -> String {
    let mut head = String::new();
    for (at, title) in titles.iter().enumerate() {
        let (written, centre) = (head.chars().count(), MARGIN + at * (GAP + 1));
        let begin = centre.saturating_sub(title.chars().count() / 2).max(written + 1);
        head.push_str(&" ".repeat(begin - written));
        head.push_str(title);
    }
    format!("{}\n", paint.bold(head.trim_end()))
}

/// `|<------ 200 OK ------|`
fn arrow(columns: usize, from: usize, to: usize, what: &str, paint: Paint) -> String {
    let (left, right) = (from.min(to), from.max(to));
    let width = (right - left) * (GAP + 1) - 1;
    let what: String = what.chars().take(width.saturating_sub(6)).collect();
    let dashes = width - what.chars().count() - 3;
    let (before, after) = ("─".repeat(dashes.div_ceil(2)), "─".repeat(dashes / 2));
    let shaft = if from < to { format!("{before} {what} {after}►") } else { format!("◄{before} {what} {after}") };
    let shaft = paint.role(if from < to { Role::Customer } else { Role::Agent }, &shaft);
    let mut row = "  ".to_owned();
    for column in 0..columns {
        row.push('│');
        match column {
            _ if column == left => row.push_str(&shaft),
            _ if column > left && column < right => {
                row.pop(); // The arrow runs through.
            }
            _ if column + 1 < columns => row.push_str(&" ".repeat(GAP)),
            _ => {}
        }
    }
    row
}

/// `[joined]`, under the switch.
fn said(columns: &[&str], what: &str, paint: Paint) -> String {
    let own = columns.iter().position(|column| *column == SWITCH).unwrap_or(0);
    let what: String = format!("[{what}]").chars().take(2 * GAP).collect();
    let length = what.chars().count();
    let centre = 2 + own * (GAP + 1);
    let begin = centre.saturating_sub(length / 2);
    let mut row: Vec<char> = vec![' '; 3 + (columns.len() - 1) * (GAP + 1)];
    for column in 0..columns.len() {
        row[2 + column * (GAP + 1)] = '│';
    }
    let needed = begin + length;
    if row.len() < needed {
        row.resize(needed, ' ');
    }
    let before: String = row[..begin].iter().collect();
    let after: String = row[needed..].iter().collect();
    format!("{before}{}{after}", paint.bold(&what))
}

/// A response says what it answers only where that is not the INVITE.
fn label(what: &str) -> String {
    plain(what.strip_suffix(" (INVITE)").unwrap_or(what))
}

/// Text from the wire, without what could move the cursor.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_run_between_their_columns_and_notes_stand_under_the_switch() {
        let zero = DateTime::<Utc>::from_timestamp(1_000, 0).unwrap();
        let step = |millis, from: &str, to: &str, what: &str| LadderStep {
            at: zero + chrono::TimeDelta::milliseconds(millis),
            from: from.into(),
            to: to.into(),
            what: what.into(),
        };
        let steps = [
            step(0, "ringback", "anna", "INVITE"),
            step(12, "anna", "ringback", "200 OK (INVITE)"),
            step(20, "ringback", "ringback", "joined"),
            step(1_020, "ringback", "carrier", "BYE\u{1b}"),
            step(1_030, "ringback", "192.0.2.9:5060", "500"),
        ];

        let columns = ["carrier", "ringback", "anna"];
        let drawn = draw(&columns, &["Alice", "ringback", "anna"], &steps, zero, Paint { colour: false });

        let expected = "            Alice                   ringback                    anna
     0.000    │                         │──────── INVITE ────────►│
     0.012    │                         │◄──────── 200 OK ────────│
     0.020    │                     [joined]                      │
     1.020    │◄───────── BYE\u{fffd} ─────────│                         │
";
        assert_eq!(drawn, expected, "\n{drawn}");
    }
}
