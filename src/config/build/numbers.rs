//! Numbers treated apart, and which may be called back.

use super::super::value::Value;
use super::{KIND, Object, as_text, list, pattern, patterns};
use crate::settings::*;
use crate::time::{DateTime, Utc};

pub(super) fn entry(entry: &Object) -> NumberEntry {
    NumberEntry {
        kind: match entry.text("kind") {
            Some("deny") => ListKind::Deny(match entry.text("action") {
                Some("busy") => Refuse::Busy,
                Some("message") => Refuse::Message,
                _ => Refuse::Reject, // unset, or the word itself
            }),
            Some("allow") => ListKind::Allow,
            Some("exclusive") => ListKind::Exclusive(entry.names("agents")),
            _ => ListKind::Vip, // the fourth word of the schema
        },
        pattern: match entry.text("pattern").expect(KIND) {
            "*" => DidPattern::Exact("*".to_owned()), // S1.B12: a withheld number, not any
            text => pattern(text),
        },
        label: entry.string("label"),
        valid_from: instant(entry, "valid_from"),
        valid_until: instant(entry, "valid_until"),
    }
}

pub(super) fn instant(object: &Object, name: &str) -> Option<DateTime<Utc>> {
    if let Some(Value::Instant(at)) = object.get(name).map(|read| &read.value) { Some(*at) } else { None }
}

pub(super) fn policy(policy: &Object) -> NumberPolicy {
    NumberPolicy {
        name: policy.name("name"),
        countries: policy.strings("countries"),
        deny_types: list(policy, "deny_types").into_iter().filter_map(as_text).map(deny_type).collect(),
        deny_patterns: patterns(policy, "deny_patterns"),
        own_dids_denied: policy.yes("own_dids_denied"),
        pending_per_number: policy.number("pending_per_number"),
        daily_max: policy.number("daily_max"),
        anonymous: match policy.text("anonymous") {
            Some("refuse") => Anonymous::Refuse,
            _ => Anonymous::AskNumber, // the other word of the schema
        },
        verstat_min: match policy.text("verstat_min") {
            Some("not_failed") => Verstat::NotFailed,
            Some("passed") => Verstat::Passed,
            _ => Verstat::None, // the third word of the schema
        },
        confirm_by_key: match policy.text("confirm_by_key") {
            Some("never") => ConfirmByKey::Never,
            Some("always") => ConfirmByKey::Always,
            _ => ConfirmByKey::Untrusted, // the third word of the schema
        },
    }
}

fn deny_type(word: &str) -> DenyType {
    match word {
        "premium" => DenyType::Premium,
        "shared_cost" => DenyType::SharedCost,
        "satellite" => DenyType::Satellite,
        "voicemail_access" => DenyType::VoicemailAccess,
        "short" => DenyType::Short,
        _ => DenyType::Emergency, // the sixth word of the schema
    }
}
