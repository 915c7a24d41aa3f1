//! Which day it is: its seed, how large it is, and how much of what was drawn for it comes about.

use super::{DAY, Dice, SHORT_DAY};
use crate::site::secs;
use std::collections::BTreeSet;
use std::fmt;
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    #[default]
    All,
    Some(BTreeSet<Trait>),
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
            _ if seed % 50 == 0 => Size::Packets,
            _ if seed % 10 == 5 => Size::Whole,
            _ => Size::Short,
        };
        Day { seed, size, keep: Keep::All }
    }
}

impl fmt::Display for Day {
    /// What makes this day be lived again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RINGBACK_SEED={}", self.seed)?;
        if self.size != Day::of(self.seed).size {
            write!(f, " RINGBACK_SIZE={}", self.size.word())?;
        }
        match &self.keep {
            Keep::All => Ok(()),
            Keep::Some(_) => write!(f, " RINGBACK_KEEP={}", self.keep),
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
            Size::Whole => dice.between(290, 330),
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
    /// Whether a trait of this name comes about.
    pub fn has(&self, word: &str) -> bool {
        self.holds(&Trait::Word(word.to_owned()))
    }

    /// Whether something of the day comes about.
    pub fn holds(&self, it: &Trait) -> bool {
        match self {
            Keep::All => true,
            Keep::Some(kept) => kept.contains(it),
        }
    }

    /// `weather,3,17`; `nothing` is no trait and no plan.
    pub fn parse(text: &str) -> Keep {
        let words = text.split(',').filter(|word| !word.is_empty() && *word != NOTHING);
        Keep::Some(words.map(|word| word.parse().map_or(Trait::Word(word.to_owned()), Trait::Plan)).collect())
    }
}

const NOTHING: &str = "nothing";

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Keep::Some(kept) = self else { return f.write_str("everything") };
        let words: Vec<String> = kept
            .iter()
            .map(|it| match it {
                Trait::Word(word) => word.clone(),
                Trait::Plan(at) => at.to_string(),
            })
            .collect();
        f.write_str(if words.is_empty() { NOTHING } else { "" })?;
        f.write_str(&words.join(","))
    }
}
