//! The five products for scenarios: the queue, the rule and the profile of the site as their presets make them, by the
//! names that all scenarios know. The reader of files is no part of the planes, so what it makes is written down here
//! once more; `scenarios/presets.rs` checks that both say the same.

use super::site::secs;
use ringback::settings::*;
use std::time::Duration;

/// Puts a product's objects in the place of the site's.
fn become_of(site: &mut Settings, queue: Queue, rule: CallbackRule, profile: CallbackProfile, policy: NumberPolicy) {
    let (members, rules) = (site.queues[0].members.clone(), vec!["support-key".into()]);
    site.queues[0] = Queue { members, rules, ..queue };
    site.rules[0] = CallbackRule { number_policy: Some("customers".into()), ..rule };
    site.profiles[0] = CallbackProfile { caller_id: Some("Main Line".into()), ..profile };
    site.number_policies = vec![NumberPolicy { confirm_by_key: ConfirmByKey::Never, ..policy }];
}

fn queue() -> Queue {
    Queue::named("support", "5000")
}

fn rule() -> CallbackRule {
    CallbackRule::named("support-key", "standard")
}

fn profile() -> CallbackProfile {
    CallbackProfile { agent_reschedule: None, ..CallbackProfile::named("standard") }
}

fn policy() -> NumberPolicy {
    NumberPolicy::named("customers")
}

/// Key 1, three attempts five minutes apart, one hour of open time.
pub fn ring2all(site: &mut Settings) {
    let queue = Queue { resume_within: Duration::ZERO, ..queue() };
    let profile = CallbackProfile {
        caller_id_mode: CallerIdMode::Fixed,
        intervals: vec![Duration::ZERO, secs(300)],
        expires_after: Some(secs(3_600)),
        ..profile()
    };
    become_of(site, queue, rule(), profile, policy());
}

/// Key 3, the number is confirmed or entered and not read back, one attempt that is kept once the caller answers.
pub fn portsip(site: &mut Settings) {
    let queue = Queue { announce_interval: secs(10), ..queue() };
    let rule = CallbackRule { request_digit: '3', read_back: false, ..rule() };
    let profile = CallbackProfile {
        attempts_max: 1,
        intervals: vec![Duration::ZERO],
        auto_reschedule: false,
        success_min_talk: Duration::ZERO,
        ..profile()
    };
    become_of(site, queue, rule, profile, policy());
}

/// One key and done, announced while all are busy; five attempts, five minutes by the clock on the wall.
pub fn mikopbx(site: &mut Settings) {
    let rule = CallbackRule {
        triggers: vec![Trigger::Key, Trigger::Announced],
        number_capture: NumberCapture::AniOnly,
        offer_after: secs(30),
        offer_repeat: Some(secs(60)),
        dedupe_scope: DedupeScope::Number,
        ..rule()
    };
    let profile = CallbackProfile {
        attempts_max: 5,
        intervals: vec![Duration::ZERO, secs(30)],
        expires_after: Some(secs(300)),
        expiry_clock: ExpiryClock::Wall,
        ..profile()
    };
    become_of(site, queue(), rule, profile, policy());
}

/// The agent starts each call with 1 and reschedules with 9, the client as often as he likes.
pub fn fonolo(site: &mut Settings) {
    let profile = CallbackProfile {
        agent_reschedule: CallbackProfile::named("").agent_reschedule,
        client_reschedule: Some(ClientReschedule { key: '1', max: None }),
        agent_accept: AgentAccept::Key { key: '1', within: secs(10) },
        cutoff: secs(1_800),
        ..profile()
    };
    become_of(site, queue(), rule(), profile, NumberPolicy { daily_max: 20, ..policy() });
}

/// One attempt an interval, live callers first, recorded with a notice; calls missed in the queue.
pub fn voximplant(site: &mut Settings) {
    let rule = CallbackRule { source: RuleSource::MissedQueue, dedupe_scope: DedupeScope::Number, ..rule() };
    let profile = CallbackProfile {
        destination: ServedBy::MissedBy,
        attempts_max: 3,
        intervals: vec![secs(60), secs(300), secs(3_600)],
        yield_to_live: Some(true),
        max_lines: Some(15),
        record: true,
        ..profile()
    };
    become_of(site, queue(), rule, profile, policy());
}
