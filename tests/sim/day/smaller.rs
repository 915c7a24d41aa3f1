//! A day that breaks a law made small enough to be read: it is lived again and again with less of what was drawn for
//! it, as long as the same law breaks in the same way.

use super::plans::Plan;
use super::size::{Day, LENGTH, Trait};
use super::{Breach, live_with};
use crate::shrink::{Broken, Budget, smallest};
use crate::world::World;
use ringback::time::Tick;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The rows that a ladder has at most.
const ROWS: usize = 36;

/// More people than these are not what a law is about.
const NAMED: usize = 4;

/// See the module.
pub struct Smaller {
    pub day: Day,
    pub broken: Broken,
    at: Tick,
    /// What is left of the plans.
    pub plans: Vec<(usize, Tick, Plan)>,
    pub ladder: String,
    drawn: usize,
    runs: usize,
}

/// Leaves out what the breach does not need.
pub fn smaller(day: &Day, breach: Breach, prepare: &dyn Fn(&mut World), budget: &mut Budget) -> Smaller {
    let runs = budget.runs;
    let first = breach.broken.clone();
    let mut best: Option<Box<Breach>> = None;
    let mut breaks = |kept: &[Trait]| match live_with(&day.keeping(kept.iter().cloned()), prepare) {
        Err(breach) if breach.broken.is_like(&first) => {
            best = Some(breach);
            true
        }
        Ok(_) | Err(_) => false,
    };
    // Whether it lasts to its end is asked late, and matters all the same.
    let end = Trait::Word(LENGTH.to_owned());
    let all: Vec<Trait> = day.keep.asked().into_iter().filter(|it| *it != end).collect();
    let drawn = all.len() + 1;
    let with_end = |kept: &[Trait]| kept.iter().chain([&end]).cloned().collect::<Vec<_>>();
    // What comes after the breach is not needed.
    let due: BTreeSet<usize> =
        breach.plans.iter().filter(|(_, at, _)| *at <= breach.world.now).map(|(nth, ..)| *nth).collect();
    let is_due = |it: &Trait| !matches!(it, Trait::Plan(nth) if !due.contains(nth));
    let until: Vec<Trait> = all.iter().filter(|it| is_due(it)).cloned().collect();
    let left = if budget.take() && breaks(&with_end(&until)) { until } else { all };
    let kinds: BTreeMap<usize, String> =
        breach.plans.iter().map(|(nth, _, plan)| (*nth, word(&format!("{plan:?}")))).collect();
    let kind = |it: &Trait| match it {
        Trait::Word(word) => word.clone(),
        Trait::Plan(nth) => kinds.get(nth).cloned().unwrap_or_default(),
    };
    let mut names: Vec<String> = left.iter().map(kind).collect::<BTreeSet<_>>().into_iter().collect();
    let of = |names: &[String]| left.iter().filter(|it| names.contains(&kind(it))).cloned().collect::<Vec<_>>();
    names = smallest(names, budget, |names| breaks(&with_end(&of(names))));
    let left = smallest(of(&names), budget, |kept| breaks(&with_end(kept)));
    let left = if budget.take() && breaks(&left) { left } else { with_end(&left) };
    let last = *best.unwrap_or(Box::new(breach));
    let ladder = ladder(&last.broken, &last.world);
    let runs = runs - budget.runs;
    let day = day.keeping(left);
    Smaller { day, at: last.world.now, ladder, broken: last.broken, plans: last.plans, drawn, runs }
}

fn word(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_alphanumeric()).collect()
}

/// The calls of those whom the broken law names; of everybody when it names nobody, or all.
fn ladder(broken: &Broken, world: &World) -> String {
    let words: BTreeSet<&str> =
        broken.message.split(|letter: char| !letter.is_alphanumeric() && letter != '+').collect();
    let people = world.stations.iter().flat_map(|station| &station.people);
    let named = people.filter(|it| words.contains(&*it.number) || words.contains(&*it.name));
    let named: BTreeMap<&str, &str> = named.map(|person| (&*person.number, &*person.name)).collect();
    let named = if named.len() > NAMED { BTreeMap::new() } else { named };
    let numbers = named.keys().map(|number| (*number).to_owned()).collect();
    let names = named.values().map(|name| (*name).to_owned()).collect();
    world.ladder.brief(&numbers, &names, ROWS)
}

impl fmt::Display for Smaller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |at: Tick| at.as_millis() as f64 / 1_000.0;
        writeln!(f, "seed {} broke a law: {}", self.day.seed, self.broken.message)?;
        writeln!(f, "  asserted at {}, {:.3} s into the day", self.broken.place, seconds(self.at))?;
        let traits = self.day.keep.to_string();
        writeln!(f, "of {} plans and traits it needs, after {} runs: {traits}", self.drawn, self.runs)?;
        for (nth, at, plan) in &self.plans {
            writeln!(f, "{:>10.3}  {nth}: {plan:?}", seconds(*at))?;
        }
        writeln!(f, "{}\nonce more: {} cargo test --test sim days_from_seeds", self.ladder, self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::super::size::{Keep, Size};
    use super::*;
    use ringback::callback::task::Outcome;
    use ringback::switch::event::Event;

    fn nobody_is_busy(world: &World, event: &Event) -> Option<String> {
        let Event::AttemptEnded { task, outcome: Outcome::Busy, .. } = event else { return None };
        let number = &world.disk.tasks.get(task)?.number;
        Some(format!("law 0: nobody is busy, and {number} was"))
    }

    fn watch(world: &mut World) {
        world.taboo = Some(nobody_is_busy);
    }

    /// A day with dozens of plans that breaks this law before its evening.
    fn breach() -> (Day, Breach) {
        let days = (1..).map(Day::of).filter(|day| day.size == Size::Short);
        let mut broken = days.filter_map(|day| live_with(&day, watch).err().map(|breach| (day, *breach)));
        let has_dozens = |(day, breach): &(Day, Breach)| {
            breach.plans.len() >= 48 && breach.world.now.since(Tick::ZERO) < day.size.length()
        };
        broken.find(has_dozens).expect("some day has it")
    }

    #[test]
    fn a_day_that_breaks_a_law_is_made_small_and_lived_again() {
        let (day, breach) = breach();
        let message = breach.broken.message.clone();

        let small = smaller(&day, breach, &watch, &mut Budget { runs: 80, until: None });

        assert!(small.plans.len() <= 3, "{small}");
        assert!(small.ladder.lines().count() <= 40 && small.ladder.contains(" 486 Busy Here "), "{small}");
        assert_eq!(small.broken.message.split(" +").next(), message.split(" +").next());
        let again = small.day.keeping(Keep::parse(&small.day.keep.to_string()));
        let again = live_with(&again, watch).err().expect("it breaks once more");
        assert_eq!(again.broken, small.broken);
        println!("{small}");
    }
}
