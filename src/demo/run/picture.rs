//! The whole story in one picture: a row for everybody, a column for every second.

use super::cast::{BILLING, CUSTOMERS};
use super::story::{Guest, Serve, Story};
use super::timeline::{Paint, Role};
use crate::time::Tick;
use std::time::Duration;

/// Columns at most; a longer story has more seconds in each.
const COLUMNS: u64 = 60;
/// Characters before the first column.
const MARGIN: usize = 10;

/// What somebody does in a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    /// Has not called yet, or is served.
    Nothing,
    /// Is on the line, and hears music or prompts.
    OnLine,
    /// Has hung up and keeps the place.
    Away,
    /// An agent's phone rings for him, then his own.
    Ringing,
    /// Is busy, or a machine speaks in his place.
    Missed,
    /// Talks with an agent.
    Talking,
}

impl Doing {
    fn drawn(self) -> (char, Option<Role>) {
        match self {
            Doing::Nothing => (' ', None),
            Doing::OnLine => ('♪', Some(Role::Customer)),
            Doing::Away => ('·', Some(Role::Aside)),
            Doing::Ringing => ('░', Some(Role::Agent)),
            Doing::Missed => ('x', Some(Role::Bad)),
            Doing::Talking => ('█', Some(Role::Good)),
        }
    }
}

/// The picture of a story that took until `end`, in which the office opened at `opens`.
pub fn draw(story: &Story, opens: Tick, end: Tick, paint: Paint) -> String {
    let scale = end.as_millis().div_ceil(1_000).div_ceil(COLUMNS).max(1);
    let columns = end.as_millis().div_ceil(1_000).div_ceil(scale);
    let mut out = ruler(columns, scale, paint);
    let opening = usize::try_from(opens.as_millis() / 1_000 / scale).unwrap_or(usize::MAX);
    for (customer, (guest, cast)) in story.guests.iter().zip(&CUSTOMERS).enumerate() {
        let serves: Vec<&Serve> = story.serves.iter().filter(|serve| serve.customer == customer).collect();
        let middle = |column| Tick::from_millis((2 * column + 1) * scale * 500);
        let row: Vec<Doing> = (0..columns).map(|column| doing(guest, &serves, middle(column))).collect();
        let mut text = format!("  {:<width$}", cast.name, width = MARGIN - 2);
        for (column, doing) in row.iter().enumerate() {
            let (glyph, role) = doing.drawn();
            let is_opening = cast.line() == BILLING && column == opening;
            text.push_str(&match (is_opening, role) {
                (true, _) => paint.role(Role::Both, "▼"),
                (false, Some(role)) => paint.role(role, &glyph.to_string()),
                (false, None) => glyph.to_string(),
            });
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
    let legend = "♪ on the line   · hung up, place kept   ░ phones ring   x busy, or a machine   █ talks";
    out.push_str(&format!("{}{}\n", " ".repeat(MARGIN), paint.dim(legend)));
    out.push_str(&format!("{}{}\n", " ".repeat(MARGIN), paint.dim(&format!("▼ {} opens", BILLING.queue))));
    out
}

/// `0         10        20`
fn ruler(columns: u64, scale: u64, paint: Paint) -> String {
    let mut ruler = " ".repeat(MARGIN);
    for tenth in 0..columns.div_ceil(10) {
        ruler.push_str(&format!("{:<10}", tenth * 10 * scale));
    }
    format!("{}\n", paint.dim(ruler.trim_end()))
}

fn doing(guest: &Guest, serves: &[&Serve], at: Tick) -> Doing {
    let has = |tick: Option<Tick>| tick.is_some_and(|tick| tick <= at);
    if let Some(serve) = serves.iter().find(|serve| serve.began <= at && !has(serve.over)) {
        return if has(serve.joined) {
            Doing::Talking
        } else if serve.failed && has(serve.customer_answered.or(last_second(serve))) {
            Doing::Missed
        } else {
            Doing::Ringing
        };
    }
    match guest.visit {
        Some(_) if at < guest.dialled => Doing::Nothing,
        Some(_) if !has(guest.left) => Doing::OnLine,
        Some(_) if guest.task.is_some() && !has(guest.closed) => Doing::Away,
        Some(_) | None => Doing::Nothing,
    }
}

/// Of a call that nobody has answered.
fn last_second(serve: &Serve) -> Option<Tick> {
    let over = serve.over?;
    Some(Tick::ZERO + over.since(Tick::ZERO).saturating_sub(Duration::from_secs(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::endpoint::CallId;

    fn at(second: u64) -> Option<Tick> {
        Some(Tick::from_millis(second * 1_000))
    }

    fn serve(customer: usize, began: u64, joined: Option<u64>, over: u64) -> Serve {
        Serve {
            customer,
            agent: 0,
            agent_call: CallId(1),
            began: Tick::from_millis(began * 1_000),
            agent_answered: None,
            customer_call: None,
            customer_rang: None,
            customer_answered: None,
            machine: false,
            machine_heard: None,
            keys: String::new(),
            joined: joined.and_then(at),
            failed: joined.is_none(),
            over: at(over),
        }
    }

    #[test]
    fn a_row_shows_waiting_ringing_failing_and_talking_second_by_second() {
        let mut story = Story::new(Duration::ZERO);
        for (customer, dialled) in [(1, 2), (3, 1)] {
            let guest = &mut story.guests[customer];
            guest.visit = Some(CallId(customer as u64));
            (guest.dialled, guest.left, guest.closed) = (Tick::from_millis(dialled * 1_000), at(5), at(20));
            guest.task = Some("01JD0000000000000000000001".parse().unwrap());
        }
        story.serves = vec![serve(1, 13, Some(15), 20), serve(3, 6, None, 10), serve(3, 14, Some(17), 20)];

        let drawn = draw(&story, Tick::from_millis(12_000), Tick::from_millis(20_400), Paint { colour: false });

        let expected = "          0         10        20
  Alice
  Bob       ♪♪♪·······▼░░█████
  Carol
  Dave     ♪♪♪♪·░░░x····░░░███
  Erin
  Frank
  Grace
          ♪ on the line   · hung up, place kept   ░ phones ring   x busy, or a machine   █ talks
          ▼ billing opens
";
        assert_eq!(drawn, expected, "\n{drawn}");
    }

    #[test]
    fn a_long_story_has_more_seconds_in_a_column() {
        let story = Story::new(Duration::ZERO);

        let drawn = draw(&story, Tick::ZERO, Tick::from_millis(100_000), Paint { colour: false });

        assert!(drawn.starts_with("          0         20        40        60        80\n"), "{drawn}");
    }
}
