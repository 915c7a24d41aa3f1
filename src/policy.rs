//! Which numbers may be called back: checked where a number enters (typed, signalled, API) and again when it is
//! dialled, since settings change in between.
//!
//! Refused unless shown harmless (security.md T30): a number must be valid, a fixed, mobile or VoIP line, and of the
//! site's own country, which on shared calling codes is decided by area code: +1 876 is Jamaica, not the US. Without
//! a country only extensions can be called. Our own numbers are refused, or we would ring ourselves.

use crate::number::{self, Kind, NumberError, Party};
use crate::settings::{DidPattern, Settings};
use std::collections::BTreeSet;
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
            Refusal::Own => "it is one of our own numbers",
            Refusal::NoSuchExtension => "no agent has this extension",
        })
    }
}

impl std::error::Error for Refusal {}

/// What the site allows.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    country: Option<[u8; 2]>,
    extensions: BTreeSet<Box<str>>,
    own: BTreeSet<Box<str>>,
    own_prefixes: Vec<Box<str>>,
}

impl Policy {
    /// The policy of a site. Its own numbers are its caller IDs and the DIDs of its inbound routes.
    pub fn new(settings: &Settings) -> Policy {
        let country = settings.system.default_country.as_deref();
        number::warm_up();
        let mut policy = Policy {
            country: country.and_then(|code| code.to_ascii_uppercase().as_bytes().try_into().ok()),
            extensions: settings.agents.iter().map(|agent| Box::from(&*agent.extension)).collect(),
            ..Policy::default()
        };
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

    /// Reads what was typed or signalled: an agent's extension first, then a number.
    pub fn read(&self, input: &str) -> Result<Party, NumberError> {
        if self.extensions.contains(input.trim()) {
            return Ok(Party::Extension(input.trim().into()));
        }
        let country = self.country.as_ref().and_then(|code| std::str::from_utf8(code).ok());
        number::read(input, country)
    }

    /// Reads and judges: the one door for numbers that come from outside.
    pub fn admit(&self, input: &str) -> Result<Party, Refusal> {
        let party = self.read(input).map_err(Refusal::Unreadable)?;
        self.judge(&party)?;
        Ok(party)
    }

    /// Whether this party may be called.
    pub fn judge(&self, party: &Party) -> Result<(), Refusal> {
        let number = match party {
            Party::Extension(extension) => {
                return if self.extensions.contains(extension) { Ok(()) } else { Err(Refusal::NoSuchExtension) };
            }
            Party::Number(number) => number,
        };
        let facts = number::facts(number).ok_or(Refusal::Unreadable(NumberError::NotANumber))?;
        match facts.kind {
            Kind::FixedOrMobile | Kind::Voip => {}
            Kind::Premium => return Err(Refusal::Premium),
            Kind::SharedCost => return Err(Refusal::SharedCost),
            Kind::Global => return Err(Refusal::Satellite),
            Kind::TollFree | Kind::Other => return Err(Refusal::NotAPersonsLine),
        }
        let home = self.country.ok_or(Refusal::NoCountry)?;
        if facts.country != Some(home) {
            return Err(Refusal::Foreign);
        }
        let in_own_block = self.own_prefixes.iter().any(|prefix| number.starts_with(&**prefix));
        if in_own_block || self.own.contains(number) {
            return Err(Refusal::Own);
        }
        Ok(())
    }
}
