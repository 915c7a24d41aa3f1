//! Which dialled number leads where (inbound), and which trunk reaches a number (outbound).
//!
//! Inbound: exact routes before prefix routes, each in the order of the file; `+` and formatting do not count.
//! Outbound (interface.md, Settled 6): routes match `dial_prefix` + number, E.164 keeps its `+` only while
//! `dial_prefix` is empty; the longest prefix wins, then the order of the file. What a route has made of a number is
//! final; only a number that still carries its `+` is put into the trunk's own format.

use crate::id::Name;
use crate::number::{self, Party};
use crate::settings::{DidPattern, InboundRoute, OutboundRoute, Settings};

/// One way out: what is dialled, on which trunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// The trunk.
    pub trunk: Name,
    /// The user part of the Request-URI.
    pub user: String,
}

/// No route matches, or its trunks are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoute;

impl std::fmt::Display for NoRoute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no outbound route matches (no_route)")
    }
}

/// The route of a call of `trunk` to `did`; `None` when none names it.
pub fn inbound<'a>(settings: &'a Settings, trunk: &str, did: &str) -> Option<&'a InboundRoute> {
    let routes = || settings.inbound_routes.iter().filter(|route| &*route.trunk == trunk);
    let dialled = digits(did);
    let exact = |dialled: &str| {
        routes().find(|route| matches!(&route.did, DidPattern::Exact(number) if digits(number) == dialled))
    };
    let prefix = |dialled: &str| {
        routes().find(|route| matches!(&route.did, DidPattern::Prefix(number) if dialled.starts_with(&digits(number))))
    };
    // A trunk that signals our number in national form still means it: compared as E.164 when nothing else is equal.
    let country = settings.system.default_country.as_deref();
    let read = || number::read(did, country).ok().map(|party| digits(party.as_str()));
    exact(&dialled).or_else(|| exact(&read()?)).or_else(|| prefix(&dialled)).or_else(|| prefix(&read()?))
}

/// The ways to `number` (E.164 with `+`), in order of preference. `trunks` (a profile's own list), when not empty,
/// takes the place of the route's.
pub fn outbound(settings: &Settings, number: &str, dial_prefix: &str, trunks: &[Name]) -> Result<Vec<Way>, NoRoute> {
    let wanted = dialled(number, dial_prefix);
    let route = longest(settings, &wanted).ok_or(NoRoute)?;
    let user = format!("{}{}", route.prepend, wanted.chars().skip(route.strip.into()).collect::<String>());
    let trunks = with_failovers(settings, if trunks.is_empty() { &route.trunks } else { trunks });
    let ways: Vec<Way> = trunks.into_iter().filter_map(|trunk| way(settings, trunk, &user)).collect();
    if ways.is_empty() { Err(NoRoute) } else { Ok(ways) }
}

/// The trunks in their order, each followed by the one that is used when it fails, and by that one's; each once.
fn with_failovers<'a>(settings: &'a Settings, trunks: &'a [Name]) -> Vec<&'a Name> {
    let mut all: Vec<&Name> = Vec::new();
    for first in trunks {
        let mut next = Some(first);
        while let Some(trunk) = next.filter(|trunk| !all.contains(trunk)) {
            all.push(trunk);
            next = settings.trunk(trunk).and_then(|trunk| trunk.failover.as_ref());
        }
    }
    all
}

/// The ways to a party: none are needed for an extension, which is rung at its bindings.
pub fn outbound_to(
    settings: &Settings,
    party: &Party,
    dial_prefix: &str,
    trunks: &[Name],
) -> Result<Vec<Way>, NoRoute> {
    match party {
        Party::Extension(_) => Ok(Vec::new()),
        Party::Number(number) => outbound(settings, number, dial_prefix, trunks),
    }
}

/// `dial_prefix` + number, as routes see it.
pub fn dialled(number: &str, dial_prefix: &str) -> String {
    if dial_prefix.is_empty() {
        number.to_owned()
    } else {
        format!("{dial_prefix}{}", number.strip_prefix('+').unwrap_or(number))
    }
}

fn longest<'a>(settings: &'a Settings, wanted: &str) -> Option<&'a OutboundRoute> {
    let mut best: Option<&OutboundRoute> = None;
    for route in &settings.outbound_routes {
        let longer = best.is_none_or(|best| route.prefix.len() > best.prefix.len());
        if longer && wanted.starts_with(&route.prefix) {
            best = Some(route);
        }
    }
    best
}

fn way(settings: &Settings, trunk: &Name, user: &str) -> Option<Way> {
    let trunk = settings.trunk(trunk)?;
    let formatted = if user.starts_with('+') {
        number::written(user, trunk.number_format, settings.system.default_country.as_deref())
    } else {
        user.to_owned()
    };
    let stripped: String = formatted.chars().skip(trunk.strip_digits.into()).collect();
    Some(Way { trunk: trunk.name.clone(), user: format!("{}{stripped}", trunk.prefix) })
}

/// What counts in a comparison: no `+`, no separators; parameters of the user part end it.
fn digits(number: &str) -> String {
    let number = number.split(';').next().unwrap_or_default();
    number.chars().filter(|c| !matches!(c, '+' | ' ' | '-' | '.' | '(' | ')' | '/')).collect()
}
