//! In which time zones a number may be, by its prefix: libphonenumber's table (SOURCES.md beside it). The answer is a
//! set, since a prefix may span a country with several zones; a mobile is where its area code is at home, wherever it
//! is carried to, and a ported number keeps its prefix. It is a guess, and the best there is.

use super::Party;
use chrono_tz::Tz;
use std::sync::LazyLock;

/// The longest prefix of the table.
const DIGITS_MAX: usize = 9;

static TABLE: LazyLock<Table> = LazyLock::new(Table::load);

/// The zones of `party`, none when its prefix is unknown; an extension has none.
pub fn of(party: &Party) -> &'static [Tz] {
    match party {
        Party::Number(number) => TABLE.zones(number.strip_prefix('+').unwrap_or(number)),
        Party::Extension(_) => &[],
    }
}

/// All zones of numbers that begin with these digits.
pub fn under(digits: &str) -> Vec<Tz> {
    let first = TABLE.prefixes.partition_point(|(prefix, _)| *prefix < digits);
    let within = TABLE.prefixes[first..].iter().take_while(|(prefix, _)| prefix.starts_with(digits));
    let mut zones: Vec<Tz> = within.filter_map(|(_, set)| TABLE.sets.get(*set)).flatten().copied().collect();
    zones.sort_unstable_by_key(|zone| zone.name());
    zones.dedup();
    zones
}

struct Table {
    /// Sorted: each prefix and the set it has.
    prefixes: Vec<(&'static str, usize)>,
    sets: Vec<Box<[Tz]>>,
}

impl Table {
    fn load() -> Table {
        let (mut prefixes, mut sets) = (Vec::new(), Vec::new());
        for line in include_str!("zones.txt").lines() {
            let mut words = line.split(' ');
            let zones = words.next().into_iter().flat_map(|zones| zones.split('&'));
            let zones = zones.map(|name| name.parse().expect("a test knows every zone of the table"));
            prefixes.extend(words.map(|prefix| (prefix, sets.len())));
            sets.push(zones.collect());
        }
        prefixes.sort_unstable();
        Table { prefixes, sets }
    }

    /// Longest prefix first.
    fn zones(&self, digits: &str) -> &[Tz] {
        (1..=DIGITS_MAX.min(digits.len()))
            .rev()
            .filter_map(|length| digits.get(..length))
            .find_map(|start| {
                let found = self.prefixes.binary_search_by_key(&start, |(prefix, _)| prefix).ok()?;
                self.sets.get(self.prefixes.get(found)?.1)
            })
            .map_or(&[], |set| set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_has_the_zones_of_all_its_numbers() {
        assert_eq!(under("49"), [Tz::Europe__Berlin]);
        assert!(under("1").contains(&Tz::America__Los_Angeles) && !under("1").contains(&Tz::Europe__Moscow));
        assert!(under("7").contains(&Tz::Asia__Vladivostok));
        assert_eq!(under("999"), []);
    }

    #[test]
    fn the_table_is_whole() {
        assert_eq!(TABLE.prefixes.len(), 3_240);
        assert_eq!(TABLE.sets.len(), 315);
        assert!(TABLE.prefixes.iter().all(|(prefix, _)| prefix.len() <= DIGITS_MAX));
        assert!(TABLE.prefixes.windows(2).all(|pair| pair[0].0 < pair[1].0), "no prefix twice");
    }
}
