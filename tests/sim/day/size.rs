//! Which day it is: its seed, how large it is, and how much of what was drawn for it comes about.

use super::{DAY, Dice, SHORT_DAY};
use crate::site::secs;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

/// One day that can be lived, again and again.
#[derive(Clone, Debug)]
pub struct Day {
    pub seed: u64,
    pub size: Size,
    pub keep: Keep,
}

/// How large a day is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Three agents and a dozen callers, for twenty minutes.
    Short,
    /// The same in four minutes with every packet of RTP.
    Packets,
    /// A call centre from before it opens until after it has closed: ten agents, two carriers, three lines, about 500
    /// calls.
    Whole,
}

/// What is left of a day when it is made smaller: of its traits by name, of its plans by number.
#[derive(Clone, Debug, Default)]
pub struct Keep {
    /// Unset: everything.
    only: Option<BTreeSet<Trait>>,
    /// What somebody wanted to know of: all that could be left out.
    asked: RefCell<BTreeSet<Trait>>,
}

/// Something of a day that can be left out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trait {
    Word(String),
    /// Which of the plans, in their order.
    Plan(usize),
}

/// How long a whole day is: from ten minutes before nine to ten minutes after six.
const WHOLE_DAY: Duration = secs(33_600);

impl Day {
    /// The day of this seed in a run over many seeds: every tenth is a whole one, every fiftieth has packets.
    pub fn of(seed: u64) -> Day {
        let size = match seed {
            _ if seed.is_multiple_of(50) => Size::Packets,
            _ if seed % 10 == 5 => Size::Whole,
            _ => Size::Short,
        };
        Day { seed, size, keep: Keep::default() }
    }

    /// The same with less.
    pub fn keeping(&self, kept: impl IntoIterator<Item = Trait>) -> Day {
        Day { keep: Keep::only(kept), ..*self }
    }
}

impl fmt::Display for Day {
    /// What makes this day be lived again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RINGBACK_SEED={}", self.seed)?;
        if self.size != Day::of(self.seed).size {
            write!(f, " RINGBACK_SIZE={}", self.size.word())?;
        }
        match &self.keep.only {
            None => Ok(()),
            Some(_) => write!(f, " RINGBACK_KEEP={}", self.keep),
        }
    }
}

impl Size {
    pub fn word(self) -> &'static str {
        match self {
            Size::Short => "short",
            Size::Packets => "packets",
            Size::Whole => "whole",
        }
    }

    pub fn parse(word: &str) -> Option<Size> {
        [Size::Short, Size::Packets, Size::Whole].into_iter().find(|size| size.word() == word)
    }

    /// How long people call and agents have moods; afterwards everybody is kind.
    pub fn length(self) -> Duration {
        match self {
            Size::Short => DAY,
            Size::Packets => SHORT_DAY,
            Size::Whole => WHOLE_DAY,
        }
    }

    /// How many people call.
    pub fn customers(self, dice: &mut Dice) -> u64 {
        match self {
            Size::Short => dice.between(5, 14),
            Size::Packets => 4,
            Size::Whole => dice.between(360, 400),
        }
    }

    /// How many times what a short day draws once is drawn.
    pub fn times(self) -> u64 {
        match self {
            Size::Short | Size::Packets => 1,
            Size::Whole => 5,
        }
    }

    /// When somebody calls for the first time: on a whole day around half past ten and three, mostly.
    pub fn calls_at(self, dice: &mut Dice) -> Duration {
        let whole = u64::try_from(self.length().as_millis()).expect("a day");
        if self != Size::Whole {
            return dice.millis(0, whole * 2 / 3);
        }
        let around = |dice: &mut Dice, middle: u64| {
            let spread = whole / 5;
            let sum = dice.between(0, spread) + dice.between(0, spread) + dice.between(0, spread);
            Duration::from_millis((whole * middle / 100 + sum).saturating_sub(spread * 3 / 2))
        };
        match dice.between(0, 9) {
            0..=3 => around(dice, 18),
            4..=6 => around(dice, 66),
            _ => dice.millis(0, whole),
        }
    }
}

impl Keep {
    /// Only these come about.
    pub fn only(kept: impl IntoIterator<Item = Trait>) -> Keep {
        Keep { only: Some(kept.into_iter().collect()), asked: RefCell::default() }
    }

    /// Whether a trait of this name comes about.
    pub fn has(&self, word: &str) -> bool {
        self.holds(Trait::Word(word.to_owned()))
    }

    /// Whether something of the day comes about.
    pub fn holds(&self, it: Trait) -> bool {
        let is_kept = self.only.as_ref().is_none_or(|kept| kept.contains(&it));
        self.asked.borrow_mut().insert(it);
        is_kept
    }

    /// Everything that somebody wanted to know of.
    pub fn asked(&self) -> Vec<Trait> {
        self.asked.borrow().iter().cloned().collect()
    }

    /// `weather,3,17-20`; `nothing` is no trait and no plan.
    pub fn parse(text: &str) -> Vec<Trait> {
        let words = text.split(',').filter(|word| !word.is_empty() && *word != NOTHING);
        words
            .flat_map(|word| run(word).map_or(vec![Trait::Word(word.to_owned())], |run| run.map(Trait::Plan).collect()))
            .collect()
    }
}

/// `3`, or `17-20`.
fn run(word: &str) -> Option<RangeInclusive<usize>> {
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    Some(first.parse().ok()?..=last.parse().ok()?)
}

const NOTHING: &str = "nothing";
/// The trait of a day that lasts as long as it is, also when nothing is to happen any more.
pub const LENGTH: &str = "length";

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words: Vec<String> = Vec::new();
        let mut run: Option<(usize, usize)> = None;
        let ended = |(first, last): (usize, usize)| match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        };
        for it in self.only.iter().flatten() {
            match (it, run) {
                (Trait::Word(word), _) => words.push(word.clone()),
                (Trait::Plan(nth), Some((first, last))) if last + 1 == *nth => run = Some((first, *nth)),
                (Trait::Plan(nth), before) => {
                    words.extend(before.map(ended));
                    run = Some((*nth, *nth));
                }
            }
        }
        words.extend(run.map(ended));
        f.write_str(if words.is_empty() { NOTHING } else { "" })?;
        f.write_str(&words.join(","))
    }
}

#[test]
fn what_is_kept_is_written_and_read() {
    let word = |word: &str| Trait::Word(word.to_owned());
    let cases = [
        (vec![], "nothing"),
        (vec![word("slow-disk"), Trait::Plan(3)], "slow-disk,3"),
        ([1, 2, 3, 7, 9, 10].map(Trait::Plan).to_vec(), "1-3,7,9-10"),
    ];
    for (kept, text) in cases {
        assert_eq!(Keep::only(kept.clone()).to_string(), text);
        assert_eq!(Keep::parse(text), kept);
    }
}
