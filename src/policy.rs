//! Which numbers may be called back: checked where a number enters (typed, signalled, API) and again when it is
//! dialled, since settings change in between.
//!
//! Refused unless shown harmless (security.md T30): a number must be valid, a fixed, mobile or VoIP line, and of the
//! site's own country, which on shared calling codes is decided by area code: +1 876 is Jamaica, not the US. Without
//! a country only extensions can be called. Our own numbers are refused, or we would ring ourselves. A
//! `[[number_policy]]` that a rule names says otherwise for its callbacks: more countries, other types, patterns. A
//! denied number (`[[number_list]]`) is refused whatever a policy says, an allowed one is taken although its country
//! or type is not.

use crate::number::{self, Kind, NumberError, Party};
use crate::settings::{DenyType, DidPattern, ListKind, NumberEntry, NumberPolicy, Refuse, Settings};
use crate::time::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Why a party is not called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Not a number at all.
    Unreadable(NumberError),
    /// `system.default_country` is not set.
    NoCountry,
    /// Another country's.
    Foreign,
    /// Premium rate.
    Premium,
    /// Shared cost.
    SharedCost,
    /// Satellite or global service.
    Satellite,
    /// Not a line a person has: toll-free, pager, personal, company-wide, voicemail access.
    NotAPersonsLine,
    /// On a deny list, of a denied pattern, or its customer wants no more callbacks.
    Denied,
    /// One of our own numbers.
    Own,
    /// No agent has this extension.
    NoSuchExtension,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::Unreadable(error) => return error.fmt(f),
            Refusal::NoCountry => "only extensions can be called until system.default_country is set",
            Refusal::Foreign => "numbers of other countries are not called",
            Refusal::Premium => "premium-rate numbers are not called",
            Refusal::SharedCost => "shared-cost numbers are not called",
            Refusal::Satellite => "satellite and global-service numbers are not called",
            Refusal::NotAPersonsLine => "only fixed, mobile and VoIP lines are called",
            Refusal::Denied => "it is on a deny list",
            Refusal::Own => "it is one of our own numbers",
            Refusal::NoSuchExtension => "no agent has this extension",
        })
    }
}

impl std::error::Error for Refusal {}

/// The pattern of callers who withhold their number.
const WITHHELD: &str = "*";

/// What the site allows.
#[derive(Clone, Debug)]
pub struct Policy {
    country: Option<[u8; 2]>,
    extensions: BTreeSet<Box<str>>,
    own: BTreeSet<Box<str>>,
    own_prefixes: Vec<Box<str>>,
    usual: NumberPolicy,
    named: BTreeMap<Box<str>, NumberPolicy>,
    lists: Vec<NumberEntry>,
    /// When entries of lists come into force, or end, in order.
    turns: Vec<DateTime<Utc>>,
    /// Customers who want no more callbacks.
    never: BTreeSet<Box<str>>,
}

impl Policy {
    /// The policy of a site. Its own numbers are its caller IDs and the DIDs of its inbound routes.
    pub fn new(settings: &Settings) -> Policy {
        let country = settings.system.default_country.as_deref();
        number::warm_up();
        let listed = |entry: &&NumberEntry| matches!(entry.kind, ListKind::Deny(_) | ListKind::Allow);
        let mut policy = Policy {
            country: country.and_then(|code| code.to_ascii_uppercase().as_bytes().try_into().ok()),
            extensions: settings.agents.iter().map(|agent| Box::from(&*agent.extension)).collect(),
            own: BTreeSet::new(),
            own_prefixes: Vec::new(),
            usual: NumberPolicy::named("default"),
            named: settings.number_policies.iter().map(|named| (Box::from(&*named.name), named.clone())).collect(),
            lists: settings.number_lists.iter().filter(listed).cloned().collect(),
            turns: settings.number_lists.iter().flat_map(|it| [it.valid_from, it.valid_until]).flatten().collect(),
            never: BTreeSet::new(),
        };
        policy.turns.sort_unstable();
        let dids = settings.inbound_routes.iter().map(|route| &route.did);
        let exact = dids.clone().filter_map(|did| match did {
            DidPattern::Exact(number) => Some(number),
            DidPattern::Prefix(_) => None,
        });
        for own in exact.chain(settings.caller_ids.iter().map(|caller_id| &caller_id.number)) {
            if let Ok(Party::Number(own)) = number::read(own, country) {
                policy.own.insert(own);
            }
        }
        for did in dids {
            // A prefix is a block of ours only when it says which country's; "*" alone is a catch-all, not a block.
            if let DidPattern::Prefix(prefix) = did
                && prefix.len() > 4
                && prefix.starts_with('+')
            {
                policy.own_prefixes.push(prefix.as_str().into());
            }
        }
        policy
    }

    /// This customer wants no more callbacks; an allow list says otherwise.
    pub fn never_again(&mut self, party: &Party) {
        if let Party::Number(number) = party {
            self.never.insert(number.clone());
        }
    }

    /// Whether this customer has said so, and no allow list says otherwise.
    pub fn wants_none(&self, party: &Party, at: DateTime<Utc>) -> bool {
        let said = |number: &str| self.never.contains(number);
        said(party.as_str()) && !matches!(self.listed(party.as_str(), at), Some(ListKind::Allow))
    }

    /// When a list says something else for the first time after this instant.
    pub fn next_turn(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.turns.get(self.turns.partition_point(|turn| *turn <= after)).copied()
    }

    /// He may be called again: a person has lifted it.
    pub fn call_again(&mut self, party: &Party) {
        self.never.remove(party.as_str());
    }

    /// The `[[number_policy]]` of this name; what holds for rules that name none.
    pub fn under(&self, name: Option<&str>) -> &NumberPolicy {
        name.and_then(|name| self.named.get(name)).unwrap_or(&self.usual)
    }

    /// Reads what was typed or signalled: an agent's extension first, then a number.
    pub fn read(&self, input: &str) -> Result<Party, NumberError> {
        if self.extensions.contains(input.trim()) {
            return Ok(Party::Extension(input.trim().into()));
        }
        let country = self.country.as_ref().and_then(|code| std::str::from_utf8(code).ok());
        number::read(input, country)
    }

    /// Reads and judges: the one door for numbers that come from outside.
    pub fn admit(&self, input: &str, under: Option<&str>, at: DateTime<Utc>) -> Result<Party, Refusal> {
        let party = self.read(input).map_err(Refusal::Unreadable)?;
        self.judge(&party, under, at)?;
        Ok(party)
    }

    /// Whether this party may be called at `at` under the policy of this name.
    pub fn judge(&self, party: &Party, under: Option<&str>, at: DateTime<Utc>) -> Result<(), Refusal> {
        let number = match party {
            Party::Extension(extension) => {
                return if self.extensions.contains(extension) { Ok(()) } else { Err(Refusal::NoSuchExtension) };
            }
            Party::Number(number) => number,
        };
        let policy = self.under(under);
        let facts = number::facts(number).ok_or(Refusal::Unreadable(NumberError::NotANumber))?;
        let is_own = self.own.contains(number) || self.own_prefixes.iter().any(|own| number.starts_with(&**own));
        if is_own && policy.own_dids_denied {
            return Err(Refusal::Own);
        }
        match self.listed(number, at) {
            Some(ListKind::Deny(_)) => return Err(Refusal::Denied),
            Some(ListKind::Allow) => return Ok(()),
            Some(ListKind::Vip | ListKind::Exclusive(_)) | None => {}
        }
        if self.never.contains(number) || policy.deny_patterns.iter().any(|pattern| matches(pattern, number)) {
            return Err(Refusal::Denied);
        }
        of_a_kind(policy, facts.kind)?;
        let home = self.country.ok_or(Refusal::NoCountry)?;
        let is_home = if policy.countries.is_empty() {
            facts.country == Some(home)
        } else {
            policy.countries.iter().any(|country| facts.country.is_some_and(|of| country.as_bytes() == of))
        };
        if is_home { Ok(()) } else { Err(Refusal::Foreign) }
    }

    /// How a caller is turned away whom a list denies (S1.B12); withheld numbers are those that `*` names.
    pub fn denied(&self, caller: Option<&Party>, at: DateTime<Utc>) -> Option<Refuse> {
        let number = caller.map_or(WITHHELD, Party::as_str);
        match self.listed(number, at)? {
            ListKind::Deny(how) => Some(*how),
            ListKind::Allow | ListKind::Vip | ListKind::Exclusive(_) => None,
        }
    }

    /// What a list that is in force says of this number; the first entry wins.
    fn listed(&self, number: &str, at: DateTime<Utc>) -> Option<&ListKind> {
        let entry = self.lists.iter().find(|entry| is_valid(entry, at) && matches(&entry.pattern, number))?;
        Some(&entry.kind)
    }
}

/// Whether a list entry is in force.
pub fn is_valid(entry: &NumberEntry, at: DateTime<Utc>) -> bool {
    entry.valid_from.is_none_or(|from| from <= at) && entry.valid_until.is_none_or(|until| at < until)
}

/// Whether `number` (E.164 with `+`) is what a pattern names.
pub fn matches(pattern: &DidPattern, number: &str) -> bool {
    match pattern {
        DidPattern::Exact(exact) => exact == number,
        DidPattern::Prefix(prefix) => number.starts_with(prefix.as_str()),
    }
}

fn of_a_kind(policy: &NumberPolicy, kind: Kind) -> Result<(), Refusal> {
    let (named, refusal) = match kind {
        Kind::FixedOrMobile | Kind::Voip => return Ok(()),
        Kind::Premium => (DenyType::Premium, Refusal::Premium),
        Kind::SharedCost => (DenyType::SharedCost, Refusal::SharedCost),
        Kind::Global => (DenyType::Satellite, Refusal::Satellite),
        Kind::Voicemail => (DenyType::VoicemailAccess, Refusal::NotAPersonsLine),
        // No policy can allow them: nobody answers there who asked to be called.
        Kind::TollFree | Kind::Other => return Err(Refusal::NotAPersonsLine),
    };
    if policy.deny_types.contains(&named) { Err(refusal) } else { Ok(()) }
}
