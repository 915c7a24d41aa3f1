//! What broke made small: delta debugging (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input",
//! IEEE TSE 28/2, 2002) over whatever can be left out, and panics that are caught with their words and shown to nobody.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Once;
use std::time::Instant;

/// How something broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// File and line of the assertion.
    pub place: String,
    /// All of its words.
    pub message: String,
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<Broken>> = const { RefCell::new(None) };
}

/// Whether a panic of this thread is only taken note of.
pub fn is_quiet() -> bool {
    QUIET.get()
}

/// Does something; a panic is told and not shown.
pub fn watch<T>(what: impl FnOnce() -> T) -> Result<T, Broken> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| match is_quiet() {
            true => LAST.set(Some(Broken::of(info))),
            false => usual(info),
        }));
    });
    let before = QUIET.replace(true);
    let done = catch_unwind(AssertUnwindSafe(what));
    QUIET.set(before);
    done.map_err(|_| LAST.take().expect("the hook has taken note of it, whoever caught it in between"))
}

impl Broken {
    fn of(info: &PanicHookInfo<'_>) -> Broken {
        let place = info.location().map_or_else(String::new, |at| format!("{}:{}", at.file(), at.line()));
        Broken { place, message: info.payload_as_str().unwrap_or("it panicked").to_owned() }
    }

    /// Whether it is the same assertion: the same words up to the first that differs from case to case.
    pub fn is_like(&self, other: &Broken) -> bool {
        self.place == other.place && self.head() == other.head()
    }

    fn head(&self) -> Vec<&str> {
        let mut words = self.message.split_whitespace();
        let law = words.clone().next().filter(|word| *word == "law").map_or(0, |_| 2);
        let mut head: Vec<&str> = words.by_ref().take(law).collect();
        head.extend(words.take_while(|word| word.chars().all(|letter| letter.is_alphabetic() || letter == ',')));
        head
    }
}

/// How much may be tried.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    pub runs: usize,
    pub until: Option<Instant>,
}

impl Budget {
    /// Takes one run; `false`: there is none left.
    pub fn take(&mut self) -> bool {
        let is_left = self.runs > 0 && self.until.is_none_or(|until| Instant::now() < until);
        self.runs = self.runs.saturating_sub(1);
        is_left
    }
}

/// The smallest part of `all` that still fails, as far as the budget goes: halves are left out, then quarters, at last
/// one at a time until none can be spared. `fails` is told what is tried; that all of it fails is known.
pub fn smallest<T: Clone>(all: Vec<T>, budget: &mut Budget, mut fails: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut left = all;
    let mut size = left.len().div_ceil(2);
    while size > 0 && !left.is_empty() {
        let before = left.len();
        // The last are left out first: what comes late hangs on what came early.
        let mut end = left.len();
        while end > 0 {
            let start = end.saturating_sub(size);
            let without: Vec<T> = left[..start].iter().chain(&left[end..]).cloned().collect();
            if !budget.take() {
                return left;
            }
            if fails(&without) {
                left = without;
            }
            end = start;
        }
        let is_done = size == 1 && left.len() == before;
        size = if is_done { 0 } else { size.min(left.len()).div_ceil(2).max(1) };
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLENTY: Budget = Budget { runs: 10_000, until: None };

    #[test]
    fn what_is_needed_is_found_wherever_it_stands() {
        let cases: [&[u32]; 6] = [&[], &[0], &[999], &[0, 999], &[3, 4, 5], &[100, 500, 501, 900]];
        for needed in cases {
            let mut budget = PLENTY;
            let found = smallest((0..1_000).collect(), &mut budget, |kept| needed.iter().all(|it| kept.contains(it)));

            assert_eq!(found, needed);
            assert!(PLENTY.runs - budget.runs < 250, "{} runs for {needed:?}", PLENTY.runs - budget.runs);
        }
    }

    #[test]
    fn one_of_two_is_enough_when_either_is() {
        let found = smallest((0..100).collect(), &mut { PLENTY }, |kept| kept.contains(&7) || kept.contains(&70));

        assert_eq!(found.len(), 1);
    }

    #[test]
    fn a_budget_that_ends_leaves_what_was_proven() {
        let mut runs = 0;
        let found = smallest((0..100).collect(), &mut Budget { runs: 3, until: None }, |kept| {
            runs += 1;
            kept.contains(&7)
        });

        assert_eq!(runs, 3);
        assert!(found.contains(&7) && found.len() < 100, "{found:?}");
    }

    #[test]
    fn a_caught_panic_has_its_words_and_its_place() {
        let broken = |number: u32| watch(|| assert!(number < 1, "law 2: {number} is rung")).expect_err("it panics");
        let (first, second) = (broken(3), broken(4));

        assert_eq!(first.message, "law 2: 3 is rung");
        assert!(first.place.contains("shrink.rs"), "{}", first.place);
        assert!(first.is_like(&second));
        assert!(!first.is_like(&watch(|| panic!("law 2: 3 is rung")).expect_err("elsewhere")));
        assert_eq!(watch(|| 5), Ok(5));
    }
}
