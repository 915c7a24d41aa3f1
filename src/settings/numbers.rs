//! Which numbers are treated apart, and which may be called back (model.md: number_list, number_policy).

use super::DidPattern;
use crate::id::Name;
use crate::time::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What a list entry means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ListKind {
    /// Served first (S1.B11, S2.B7).
    Vip,
    /// Refused, in and out (S1.B12).
    Deny(Refuse),
    /// Allowed although a rule of the policy's types or countries refuses it.
    Allow,
    /// Only these agents serve it.
    Exclusive(Vec<Name>),
}

/// How a denied caller is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refuse {
    /// 603 Decline.
    Reject,
    /// 486 Busy Here.
    Busy,
    /// Answered, told that calls from this number are not taken, hung up.
    Message,
}

/// `[[number_list]]`: one entry.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NumberEntry {
    /// What it means.
    pub kind: ListKind,
    /// Exact, or a prefix; `Exact("*")` is a withheld number.
    pub pattern: DidPattern,
    /// What people call it.
    pub label: String,
    /// From.
    pub valid_from: Option<DateTime<Utc>>,
    /// Until, exclusive.
    pub valid_until: Option<DateTime<Utc>>,
}

/// What a number may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DenyType {
    /// Premium rate.
    Premium,
    /// Shared cost.
    SharedCost,
    /// Satellite and global services.
    Satellite,
    /// Voicemail access.
    VoicemailAccess,
    /// Short codes.
    Short,
    /// Emergency.
    Emergency,
}

/// A withheld caller who asks for a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Anonymous {
    /// Is asked for a number.
    AskNumber,
    /// Is refused.
    Refuse,
}

/// How far the caller's identity must be verified (STIR, `verstat`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Verstat {
    /// Not at all.
    None,
    /// Not failed.
    NotFailed,
    /// Passed.
    Passed,
}

/// When the customer presses a key before an agent is joined (security.md T33).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConfirmByKey {
    /// Never.
    Never,
    /// When the number is not the trusted caller's own: API, withheld, typed.
    Untrusted,
    /// Always.
    Always,
}

/// `[[number_policy]]`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NumberPolicy {
    /// Its name.
    pub name: Name,
    /// ISO 3166 alpha-2; empty: the site's own.
    pub countries: Vec<String>,
    /// Never these. What is no person's line (pager, toll-free …) is never called.
    pub deny_types: Vec<DenyType>,
    /// Never these.
    pub deny_patterns: Vec<DidPattern>,
    /// Never our own numbers.
    pub own_dids_denied: bool,
    /// Open callbacks of one number (1–100).
    pub pending_per_number: u32,
    /// Dials of one number in 24 hours.
    pub daily_max: u32,
    /// A withheld number.
    pub anonymous: Anonymous,
    /// Identity verified so far.
    pub verstat_min: Verstat,
    /// The customer presses a key.
    pub confirm_by_key: ConfirmByKey,
}

impl NumberPolicy {
    /// The defaults of the model; also what holds for rules that name none.
    pub fn named(name: &str) -> NumberPolicy {
        NumberPolicy {
            name: name.into(),
            countries: Vec::new(),
            deny_types: vec![
                DenyType::Premium,
                DenyType::SharedCost,
                DenyType::Satellite,
                DenyType::VoicemailAccess,
                DenyType::Short,
                DenyType::Emergency,
            ],
            deny_patterns: Vec::new(),
            own_dids_denied: true,
            pending_per_number: 1,
            daily_max: 6,
            anonymous: Anonymous::AskNumber,
            verstat_min: Verstat::None,
            confirm_by_key: ConfirmByKey::Untrusted,
        }
    }
}
