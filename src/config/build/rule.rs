//! Rules: when.

use super::{Builder, KIND, Object, as_object, as_text, list, patterns};
use crate::settings::*;

impl Builder<'_> {
    pub(super) fn rule(&self, rule: &Object) -> CallbackRule {
        let prompts = rule.get("prompts").and_then(as_object).expect(KIND);
        CallbackRule {
            name: rule.name("name"),
            enabled: rule.yes("enabled"),
            accept: rule.yes("accept"),
            process: rule.yes("process"),
            source: source(rule.text("source").expect(KIND)),
            scope: scope(rule.get("scope").and_then(as_object).expect(KIND)),
            triggers: list(rule, "triggers").into_iter().filter_map(as_text).map(trigger).collect(),
            request_digit: rule.key("request_digit"),
            offer_after: rule.secs("offer_after_secs"),
            offer_repeat: rule.maybe_secs("offer_repeat_secs"),
            only_when_all_busy: rule.yes("only_when_all_busy"),
            min_ahead: rule.number("min_ahead"),
            min_ewt: rule.secs("min_ewt_secs"),
            max_ewt: rule.maybe_secs("max_ewt_secs"),
            max_pending: rule.maybe_number("max_pending"),
            close_guard: rule.secs("close_guard_secs"),
            number_capture: match rule.text("number_capture") {
                Some("ani_only") => NumberCapture::AniOnly,
                _ => NumberCapture::ConfirmOrEnter, // the other word of the schema
            },
            min_digits: rule.number("min_digits"),
            max_digits: rule.number("max_digits"),
            interdigit: rule.secs("interdigit_secs"),
            entry_total: rule.secs("entry_total_secs"),
            entry_tries: rule.number("entry_tries"),
            confirm_key: rule.key("confirm_key"),
            cancel_key: rule.key("cancel_key"),
            read_back: rule.yes("read_back"),
            min_wait: rule.secs("min_wait_secs"),
            max_age: rule.maybe_secs("max_age_secs"),
            dedupe: match rule.text("dedupe") {
                Some("reject") => Dedupe::Reject,
                Some("allow") => Dedupe::Allow,
                _ => Dedupe::Merge, // the third word of the schema
            },
            dedupe_scope: match rule.text("dedupe_scope") {
                Some("number") => DedupeScope::Number,
                _ => DedupeScope::NumberQueue, // the other word of the schema
            },
            number_policy: rule.maybe_name("number_policy"),
            profile: rule.name("profile"),
            priority: rule.number("priority"),
            prompt_offer: self.sound(prompts, "offer"),
            prompt_confirm: self.sound(prompts, "confirm"),
            prompt_accepted: self.sound(prompts, "accepted"),
            prompt_goodbye: self.sound(prompts, "goodbye"),
            prompt_unavailable: self.sound(prompts, "unavailable"),
            on_call_in: match rule.text("on_call_in") {
                Some("menu") => OnCallIn::Menu,
                _ => OnCallIn::Cancel, // the other word of the schema
            },
        }
    }
}

fn scope(scope: &Object) -> Scope {
    Scope {
        queues: scope.names("queues"),
        dids: patterns(scope, "dids"),
        ivrs: scope.names("ivrs"),
        agents: scope.names("agents"),
        groups: scope.names("groups"),
    }
}

fn source(word: &str) -> RuleSource {
    match word {
        "missed_queue" => RuleSource::MissedQueue,
        "missed_ivr" => RuleSource::MissedIvr,
        "missed_agent" => RuleSource::MissedAgent,
        "api" => RuleSource::Api,
        _ => RuleSource::QueueRequest, // the fifth word of the schema
    }
}

fn trigger(name: &str) -> Trigger {
    match name {
        "after_wait" => Trigger::AfterWait,
        "announced" => Trigger::Announced,
        "ewt" => Trigger::Ewt,
        _ => Trigger::Key, // the fourth word of the schema
    }
}
