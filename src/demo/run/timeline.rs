//! The timeline as people read it: seconds since the start, who, what. Colours only where they are wanted.

use crate::time::Tick;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When.
    pub at: Tick,
    /// What kind of line it is.
    pub role: Role,
    /// Who.
    pub who: String,
    /// What he does.
    pub what: String,
}

/// Who speaks in a line; each has a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A customer.
    Customer,
    /// An agent.
    Agent,
    /// An agent and a customer together.
    Both,
    /// Who waits: said aside.
    Aside,
    /// A promise is kept.
    Good,
    /// Something went wrong.
    Bad,
}

/// Colours, or none.
#[derive(Clone, Copy, Debug)]
pub struct Paint {
    /// Whether escape sequences may be written.
    pub colour: bool,
}

impl Paint {
    /// `text` in the colour of `role`.
    pub fn role(self, role: Role, text: &str) -> String {
        self.sgr(
            match role {
                Role::Customer => "36",
                Role::Agent => "33",
                Role::Both => "1;35",
                Role::Aside => "2",
                Role::Good => "1;32",
                Role::Bad => "1;31",
            },
            text,
        )
    }

    /// `text` in the background.
    pub fn dim(self, text: &str) -> String {
        self.sgr("2", text)
    }

    /// `text` that stands out.
    pub fn bold(self, text: &str) -> String {
        self.sgr("1", text)
    }

    fn sgr(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// A line of the timeline.
    pub fn line(self, line: &Line) -> String {
        let seconds = self.dim(&format!("{:>6.1}", line.at.as_millis() as f64 / 1_000.0));
        let who = format!("{:<8}", line.who);
        let what = &line.what;
        match line.role {
            Role::Customer | Role::Agent => format!("{seconds}  {}  {what}\n", self.role(line.role, &who)),
            Role::Aside => format!("{seconds}  {}\n", self.dim(&format!("{who}  {what}"))),
            Role::Both | Role::Bad => format!("{seconds}  {}\n", self.role(line.role, &format!("{who}  {what}"))),
            Role::Good => format!("{seconds}  {}\n", self.role(line.role, &format!("{who}  ✓ {what}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(role: Role) -> Line {
        Line { at: Tick::from_millis(2_340), role, who: "Alice".into(), what: "rings".into() }
    }

    #[test]
    fn a_line_says_when_who_and_what() {
        let plain = Paint { colour: false };

        assert_eq!(plain.line(&line(Role::Customer)), "   2.3  Alice     rings\n");
        assert_eq!(plain.line(&line(Role::Aside)), "   2.3  Alice     rings\n");
        assert_eq!(plain.line(&line(Role::Good)), "   2.3  Alice     ✓ rings\n");
    }

    #[test]
    fn colours_are_closed_again() {
        let shown = Paint { colour: true }.line(&line(Role::Agent));

        assert_eq!(shown.matches("\x1b[0m").count(), shown.matches("\x1b[").count() / 2);
        assert!(shown.ends_with("rings\n"));
    }
}
