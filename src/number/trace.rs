//! Whether a text tells of a number: in whatever form it was typed or signalled, alone or among other words.

use super::{Party, read};

/// Written where a number was.
pub const GONE: &str = "(erased)";
/// The last digits, which every form of a number has.
const END: usize = 6;

/// A number that is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    number: Party,
    /// As in E.164, without the `+`.
    digits: String,
    country: Option<String>,
}

impl Trace {
    /// Of `number`; national forms are those of `country`.
    pub fn of(number: &Party, country: Option<&str>) -> Trace {
        let digits = digits_of(number.as_str().as_bytes());
        Trace { number: number.clone(), digits, country: country.map(str::to_owned) }
    }

    /// Whose trace.
    pub fn number(&self) -> &Party {
        &self.number
    }

    /// Whether octets, read as text, can tell of it at all: cheap, and true of some that do not.
    pub fn may_be_in(&self, octets: &[u8]) -> bool {
        let end = &self.digits.as_bytes()[self.digits.len().saturating_sub(END)..];
        let mut latest = Vec::with_capacity(END);
        octets.iter().filter(|octet| octet.is_ascii_digit()).any(|digit| {
            if latest.len() == end.len() {
                latest.remove(0);
            }
            latest.push(*digit);
            latest == end
        })
    }

    /// Whether this text tells of it.
    pub fn is_in(&self, text: &str) -> bool {
        let digits = digits_of(text.as_bytes());
        if !self.digits.is_empty() && digits.contains(&self.digits) {
            return true;
        }
        self.may_be_in(digits.as_bytes()) && self.runs(text).any(|run| self.is(run))
    }

    /// Stretches of a text that may be numbers.
    fn runs<'a>(&self, text: &'a str) -> impl Iterator<Item = &'a str> {
        let runs = text.split(|it: char| !it.is_ascii_digit() && !" +-().".contains(it));
        runs.map(|run| run.trim_matches([' ', '-', '.'])).filter(|run| !run.is_empty())
    }

    fn is(&self, run: &str) -> bool {
        self.may_be_in(run.as_bytes()) && read(run, self.country.as_deref()).as_ref() == Ok(&self.number)
    }

    /// The text without it; `None`: it does not tell of it.
    pub fn taken_out(&self, text: &str) -> Option<String> {
        if !self.is_in(text) {
            return None;
        }
        let left = text.replace(self.number.as_str(), GONE).replace(&self.digits, GONE);
        let national: Vec<String> = self.runs(&left).filter(|run| self.is(run)).map(str::to_owned).collect();
        let left = national.iter().fold(left, |left, run| left.replace(run, GONE));
        Some(if self.is_in(&left) { GONE.to_owned() } else { left })
    }
}

fn digits_of(octets: &[u8]) -> String {
    octets.iter().filter(|octet| octet.is_ascii_digit()).map(|digit| char::from(*digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_in_every_form_and_no_other_is() {
        let trace = Trace::of(&Party::Number("+12025550123".into()), Some("US"));

        for text in [
            "+12025550123",
            "12025550123",
            "(202) 555-0123",
            "2025550123",
            "call +1 202 555-0123 after six",
            "wrote from (202) 555-0123, twice",
        ] {
            assert!(trace.is_in(text) && trace.may_be_in(text.as_bytes()), "{text}");
        }
        for text in ["+12025550124", "+442025550123", "do_not_call/+442025550123", "5550123", "order 7", ""] {
            assert!(!trace.is_in(text), "{text}");
        }
        assert_eq!(trace.taken_out("do_not_call/+12025550123").as_deref(), Some("do_not_call/(erased)"));
        let left = trace.taken_out("ask at (202) 555-0123 or +1 202 555 0123");
        assert_eq!(left.as_deref(), Some("ask at (erased) or (erased)"));
        assert_eq!(trace.taken_out("ask anna"), None);
        assert!(!Trace::of(&Party::Number("+12025550123".into()), None).is_in("2025550123"));
    }
}
