//! Which rule answers a key, what forbids a request, and when the offer is announced.

use crate::site::{name, new_york, office, profile, rule, secs, site};
use ringback::callback::rule::{
    Announcement, Crowd, Lost, Moment, NotTaken, announcement, announcing, by_key, for_missed, takes,
};
use ringback::settings::{CallbackRule, DidPattern, Queue, RuleSource, Schedule, Scope, ServedBy, Settings, Trigger};

const BUSY: Crowd = Crowd { agent_free: false, ahead: 0, ewt: None };

fn moment() -> Moment<'static> {
    Moment { queue: "support", utc: new_york("2026-11-02T12:00:00"), offered: false, pending: 0 }
}

fn with(change: impl FnOnce(&mut CallbackRule)) -> CallbackRule {
    let mut rule = rule();
    change(&mut rule);
    rule
}

fn key_rule(site: &Settings, key: char) -> Option<&str> {
    by_key(site, &site.queues[0], key).map(|rule| &*rule.name)
}

// S3.13, S1.26, S1.B3
#[test]
fn the_key_belongs_to_the_queues_own_rules() {
    let mut site = site();
    assert_eq!(key_rule(&site, '1'), Some("support-key"));
    assert_eq!(key_rule(&site, '3'), None);

    site.queues[0].rules.clear();
    assert_eq!(key_rule(&site, '1'), None, "detached");
}

#[test]
fn the_first_enabled_rule_answers_the_key() {
    let mut site = site();
    site.rules.push(with(|rule| rule.name = name("second")));
    site.queues[0].rules.push(name("second"));
    assert_eq!(key_rule(&site, '1'), Some("support-key"));
    site.rules[0].enabled = false;
    assert_eq!(key_rule(&site, '1'), Some("second"));
}

// S2.6: the gates of the announcement do not gate the key (interface.md, Settled 5).
#[test]
fn a_request_is_taken_at_any_second_of_the_wait() {
    let rule = with(|rule| rule.min_ahead = 9);
    assert_eq!(takes(&site(), &rule, moment()), Ok(()));
}

// S2.15
#[test]
fn without_the_key_trigger_the_key_works_from_the_first_offer_on() {
    let rule = with(|rule| rule.triggers = vec![Trigger::AfterWait]);
    assert_eq!(takes(&site(), &rule, moment()), Err(NotTaken::NotOfferedYet));
    assert_eq!(takes(&site(), &rule, Moment { offered: true, ..moment() }), Ok(()));
    let both = with(|rule| rule.triggers = vec![Trigger::AfterWait, Trigger::Key]);
    assert_eq!(takes(&site(), &both, moment()), Ok(()));
}

#[test]
fn a_rule_that_is_off_full_or_without_profile_takes_nothing() {
    // model.md C15, C21
    let site = site();
    assert_eq!(takes(&site, &with(|rule| rule.enabled = false), moment()), Err(NotTaken::Disabled));
    assert_eq!(takes(&site, &with(|rule| rule.accept = false), moment()), Err(NotTaken::NotAccepting));
    assert_eq!(takes(&site, &with(|rule| rule.profile = name("gone")), moment()), Err(NotTaken::NoProfile));
    let two = with(|rule| rule.max_pending = Some(2));
    assert_eq!(takes(&site, &two, Moment { pending: 1, ..moment() }), Ok(()));
    assert_eq!(takes(&site, &two, Moment { pending: 2, ..moment() }), Err(NotTaken::MaxPending));
    let none = with(|rule| rule.max_pending = Some(0));
    assert_eq!(takes(&site, &none, moment()), Err(NotTaken::MaxPending));
}

// S1.19
#[test]
fn shortly_before_closing_nothing_is_promised_but_after_hours_it_is_kept_for_tomorrow() {
    let mut site = site();
    let mut standard = profile();
    standard.schedule = Some(name("office"));
    site.profiles = vec![standard];
    let at = |local: &str| takes(&site, &rule(), Moment { utc: new_york(local), ..moment() });

    assert_eq!(at("2026-11-02T16:57:59"), Ok(()));
    assert_eq!(at("2026-11-02T16:58:00"), Ok(()), "exactly the guard is enough");
    assert_eq!(at("2026-11-02T16:58:01"), Err(NotTaken::ClosingSoon));
    assert_eq!(at("2026-11-02T17:05:00"), Ok(()));

    // S4.14: the target's hours end as well, here those of another queue than he waits in.
    site.schedules.push(Schedule { name: name("short"), ..office("09:00:00", "15:00:00") });
    site.queues.push(Queue { schedule: Some(name("short")), ..Queue::named("sales", "5001") });
    site.profiles[0].destination = ServedBy::Queue(name("sales"));
    let at = |local: &str| takes(&site, &rule(), Moment { utc: new_york(local), ..moment() });
    assert_eq!(at("2026-11-02T14:58:01"), Err(NotTaken::ClosingSoon));
    assert_eq!(at("2026-11-02T16:58:01"), Ok(()));
}

// S2.12
#[test]
fn the_offer_comes_after_the_wait_once() {
    let rule = with(|rule| rule.triggers = vec![Trigger::AfterWait]);
    assert_eq!(announcement(&rule, secs(0), None, BUSY), Announcement::At(secs(600)));
    assert_eq!(announcement(&rule, secs(600), None, BUSY), Announcement::Now);
    assert_eq!(announcement(&rule, secs(601), Some(secs(600)), BUSY), Announcement::Never);
}

// S3.14, S3.15
#[test]
fn an_announcement_repeats_and_only_while_all_are_busy() {
    let rule = with(|rule| {
        rule.triggers = vec![Trigger::Announced];
        rule.offer_after = secs(30);
        rule.offer_repeat = Some(secs(60));
        rule.min_ahead = 1;
    });
    let crowd = Crowd { agent_free: false, ahead: 1, ewt: None };
    assert_eq!(announcement(&rule, secs(30), None, crowd), Announcement::Now);
    assert_eq!(announcement(&rule, secs(31), Some(secs(30)), crowd), Announcement::At(secs(90)));
    assert_eq!(announcement(&rule, secs(90), Some(secs(30)), crowd), Announcement::Now);

    let free = Crowd { agent_free: true, ..crowd };
    assert_eq!(announcement(&rule, secs(90), Some(secs(30)), free), Announcement::At(secs(95)));
    assert_eq!(announcement(&rule, secs(30), None, BUSY), Announcement::At(secs(35)), "nobody is ahead");
}

#[test]
fn the_key_alone_announces_nothing() {
    assert_eq!(announcement(&rule(), secs(10_000), None, BUSY), Announcement::Never);
    let site = site();
    assert!(announcing(&site, &site.queues[0]).is_none());
}

// The offer by expected wait comes as soon as the wait is long, and never while it is too long.
#[test]
fn a_long_expected_wait_makes_the_offer_at_once() {
    let rule = with(|rule| {
        rule.triggers = vec![Trigger::Ewt];
        rule.min_ewt = secs(120);
        rule.max_ewt = Some(secs(1_800));
    });
    let ewt = |ewt: u64| Crowd { ewt: Some(secs(ewt)), ..BUSY };
    assert_eq!(announcement(&rule, secs(2), None, ewt(120)), Announcement::Now);
    assert_eq!(announcement(&rule, secs(2), None, ewt(119)), Announcement::At(secs(7)));
    assert_eq!(announcement(&rule, secs(2), None, BUSY), Announcement::At(secs(7)), "nobody can tell");
    assert_eq!(announcement(&rule, secs(2), None, ewt(1_801)), Announcement::At(secs(7)), "too long to promise");
    assert_eq!(announcement(&rule, secs(7), Some(secs(2)), ewt(120)), Announcement::Never);

    // As a gate of a timed offer.
    let timed = with(|rule| {
        rule.triggers = vec![Trigger::AfterWait];
        rule.min_ewt = secs(120);
    });
    assert_eq!(announcement(&timed, secs(600), None, ewt(119)), Announcement::At(secs(605)));
    assert_eq!(announcement(&timed, secs(600), None, ewt(120)), Announcement::Now);
    // Both: whichever comes first.
    let both = with(|rule| {
        rule.triggers = vec![Trigger::AfterWait, Trigger::Ewt];
        rule.min_ewt = secs(0);
    });
    assert_eq!(announcement(&both, secs(2), None, BUSY), Announcement::At(secs(7)));
    assert_eq!(announcement(&both, secs(598), None, BUSY), Announcement::At(secs(600)));
    assert_eq!(announcement(&both, secs(600), None, BUSY), Announcement::Now);
}

fn missed(name: &str, source: RuleSource, scope: Scope) -> CallbackRule {
    CallbackRule { source, scope, ..CallbackRule::named(name, "standard") }
}

fn found<'a>(site: &'a Settings, source: RuleSource, lost: &Lost<'_>) -> Option<&'a str> {
    for_missed(site, source, lost).map(|rule| &*rule.name)
}

const WAITED: std::time::Duration = secs(10);

// S5.4, S5.5, S3.1: each place where a call was lost has its own rule; the first that matches wins.
#[test]
fn a_lost_call_finds_the_rule_of_the_place_where_it_was_lost() {
    let mut site = site();
    let queues = Scope { queues: vec![name("sales")], ..Scope::default() };
    let dids = Scope { dids: vec![DidPattern::Prefix("+1202555".into())], ..Scope::default() };
    let agents = Scope { agents: vec![name("anna")], groups: vec![name("night")], ..Scope::default() };
    site.rules = vec![
        missed("sales", RuleSource::MissedQueue, queues),
        missed("menu", RuleSource::MissedIvr, dids),
        missed("people", RuleSource::MissedAgent, agents),
        missed("any-queue", RuleSource::MissedQueue, Scope::default()),
        missed("never", RuleSource::MissedQueue, Scope::default()),
    ];
    let queue = |queue| Lost { queue: Some(queue), did: "+12025550100", waited: WAITED, ..Lost::default() };
    let menu = |did| Lost { ivr: Some("main"), did, waited: WAITED, ..Lost::default() };
    let agent = |agent, group| Lost { agent, group, waited: WAITED, ..Lost::default() };

    assert_eq!(found(&site, RuleSource::MissedQueue, &queue("sales")), Some("sales"));
    assert_eq!(found(&site, RuleSource::MissedQueue, &queue("support")), Some("any-queue"));
    assert_eq!(found(&site, RuleSource::MissedIvr, &menu("+1 202 555 0100")), Some("menu"));
    assert_eq!(found(&site, RuleSource::MissedIvr, &menu("+13035550100")), None);
    assert_eq!(found(&site, RuleSource::MissedAgent, &agent(Some("anna"), None)), Some("people"));
    assert_eq!(found(&site, RuleSource::MissedAgent, &agent(Some("ben"), None)), None);
    assert_eq!(found(&site, RuleSource::MissedAgent, &agent(Some("ben"), Some("night"))), Some("people"));
    // A rule that a queue names in its own list holds there and nowhere else.
    site.queues[0].rules = vec![name("any-queue")];
    assert_eq!(found(&site, RuleSource::MissedQueue, &queue("support")), Some("any-queue"));
    assert_eq!(found(&site, RuleSource::MissedQueue, &queue("other")), Some("never"));
}

// S5.14, S3.10: off, not accepting, a misdial and an old call make nothing; nor does the next rule instead.
#[test]
fn a_rule_for_lost_calls_has_its_gates() {
    let mut site = site();
    site.rules = vec![missed("lost", RuleSource::MissedIvr, Scope::default())];
    let lost = |waited, age| Lost { ivr: Some("main"), waited: secs(waited), age: secs(age), ..Lost::default() };
    let of = |site: &Settings, lost: Lost<'_>| found(site, RuleSource::MissedIvr, &lost).is_some();

    assert!(of(&site, lost(3, 0)) && !of(&site, lost(2, 0)));
    assert!(of(&site, lost(3, 86_400)) && !of(&site, lost(3, 86_401)), "the profile's expiry");
    site.rules[0].max_age = Some(secs(300));
    assert!(of(&site, lost(3, 300)) && !of(&site, lost(3, 301)));
    site.rules[0].accept = false;
    assert!(!of(&site, lost(3, 0)));
    site.rules[0].accept = true;
    site.rules[0].enabled = false;
    assert!(!of(&site, lost(3, 0)));
}
