//! Profiles: how.

use super::super::value::{Server, Value};
use super::{Builder, Object, as_object, hours, list};
use crate::settings::*;
use std::time::Duration;

impl Builder<'_> {
    pub(super) fn profile(&self, profile: &Object) -> CallbackProfile {
        let intervals: Vec<Duration> = list(profile, "intervals_secs")
            .into_iter()
            .filter_map(|read| if let Value::Secs(secs) = read.value { Some(secs) } else { None })
            .collect();
        let listed = u32::try_from(intervals.len()).unwrap_or(u32::MAX);
        CallbackProfile {
            name: profile.name("name"),
            enabled: profile.yes("enabled"),
            first_party: match profile.text("first_party") {
                Some("customer") => FirstParty::Customer,
                _ => FirstParty::Agent, // the other word of the schema
            },
            destination: served_by(profile),
            owner_wait: profile.secs("owner_wait_secs"),
            caller_id_mode: match profile.text("caller_id_mode") {
                Some("fixed") => CallerIdMode::Fixed,
                _ => CallerIdMode::DnisElseFixed, // the other word of the schema
            },
            caller_id: profile.maybe_name("caller_id"),
            dial_prefix: profile.string("dial_prefix"),
            trunks: profile.names("trunks"),
            // C6: a longer list of intervals is the count of attempts.
            attempts_max: profile.number::<u32>("attempts_max").max(listed),
            intervals,
            ring_timeout: profile.secs("ring_timeout_secs"),
            no_answer_action: action(profile.text("no_answer_action")),
            on: profile.get("on").and_then(as_object).map(on).unwrap_or_default(),
            auto_reschedule: profile.yes("auto_reschedule"),
            agent_reschedule: profile.yes("agent_reschedule").then(|| AgentReschedule {
                key: profile.key("agent_reschedule_key"),
                after_fail: profile.secs("after_fail_secs"),
            }),
            client_reschedule: profile.yes("client_reschedule").then(|| ClientReschedule {
                key: profile.key("client_reschedule_key"),
                max: profile.maybe_number("client_reschedule_max"),
            }),
            agent_accept: match profile.text("agent_accept") {
                Some("key") => {
                    AgentAccept::Key { key: profile.key("agent_accept_key"), within: profile.secs("agent_accept_secs") }
                }
                _ => AgentAccept::Auto, // the other word of the schema
            },
            agent_prompt: self.sound(profile, "agent_prompt"),
            agent_prompt_overlap: profile.yes("agent_prompt_overlap"),
            customer_prompt: self.sound(profile, "customer_prompt"),
            success_min_talk: profile.secs("success_min_talk_secs"),
            yield_to_live: profile.get("yield_to_live").map(|_| profile.yes("yield_to_live")),
            yield_max: profile.secs("yield_max_secs"),
            max_lines: profile.maybe_number("max_lines"),
            priority_boost: profile.yes("priority_boost"),
            record: profile.yes("record"),
            record_required: profile.yes("record_required"),
            record_notice: self.notice("callback_profile", profile),
            retention: Duration::from_secs(profile.number::<u64>("retention_days") * 86_400),
            ..calendar(profile)
        }
    }
}

/// What a profile says of times and zones; the rest of it is as in a new one.
fn calendar(profile: &Object) -> CallbackProfile {
    CallbackProfile {
        expires_after: profile.maybe_secs("expires_after_secs"),
        expiry_clock: match profile.text("expiry_clock") {
            Some("wall") => ExpiryClock::Wall,
            _ => ExpiryClock::Open, // the other word of the schema
        },
        schedule: profile.maybe_name("schedule"),
        cutoff: profile.secs("cutoff_secs"),
        after_cutoff: match profile.text("after_cutoff") {
            Some("overflow") => AfterCutoff::Overflow,
            Some("fail") => AfterCutoff::Fail,
            _ => AfterCutoff::NextOpen, // the third word of the schema
        },
        legal_window: hours(profile.get("legal_window").and_then(as_object).expect(super::KIND)),
        legal_window_applies: match profile.text("legal_window_applies") {
            Some("all") => LegalWindowApplies::All,
            Some("none") => LegalWindowApplies::None,
            _ => LegalWindowApplies::Missed, // the third word of the schema
        },
        tz_mode: match profile.text("tz_mode") {
            Some("default_only") => TzMode::DefaultOnly,
            _ => TzMode::NumberThenDefault, // the other word of the schema
        },
        tz_default: profile.zone("tz_default"),
        tz_unknown: match profile.text("tz_unknown") {
            Some("use_default") => TzUnknown::UseDefault,
            _ => TzUnknown::Block, // the other word of the schema
        },
        ..CallbackProfile::named("")
    }
}

fn served_by(profile: &Object) -> ServedBy {
    match profile.get("destination").map(|read| &read.value) {
        Some(Value::ServedBy(Server::Object("queue", name))) => ServedBy::Queue(name.as_str().into()),
        Some(Value::ServedBy(Server::Object(_, name))) => ServedBy::Agent(name.as_str().into()),
        Some(Value::ServedBy(Server::MissedBy)) => ServedBy::MissedBy,
        Some(_) | None => ServedBy::Same,
    }
}

fn action(word: Option<&str>) -> NoAnswerAction {
    match word {
        Some("fail") => NoAnswerAction::Fail,
        Some("notify") => NoAnswerAction::Notify,
        _ => NoAnswerAction::Retry, // the third word of the schema
    }
}

fn on(on: &Object) -> On {
    let outcome = |name: &str| {
        let outcome = on.get(name).and_then(as_object)?;
        Some(OnOutcome { action: action(outcome.text("action")), interval: outcome.maybe_secs("interval") })
    };
    On {
        busy: outcome("busy"),
        no_answer: outcome("no_answer"),
        rejected: outcome("rejected"),
        voicemail: outcome("voicemail"),
        network: outcome("network"),
        invalid: outcome("invalid"),
    }
}
