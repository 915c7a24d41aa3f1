//! Which rule answers a key, what forbids a request, and when the offer is announced.

use crate::site::{name, new_york, office, profile, rule, secs, site};
use ringback::callback::rule::{Announcement, Crowd, Moment, NotTaken, announcement, announcing, by_key, takes};
use ringback::settings::{CallbackRule, Queue, Schedule, ServedBy, Settings, Trigger};

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

#[test]
fn the_key_belongs_to_the_queues_own_rules() {
    // S3.13, S1.26, S1.B3
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

#[test]
fn a_request_is_taken_at_any_second_of_the_wait() {
    // S2.6, S3.15: the gates of the announcement do not gate the key (interface.md, Settled 5).
    let rule = with(|rule| rule.min_ahead = 9);
    assert_eq!(takes(&site(), &rule, moment()), Ok(()));
}

#[test]
fn without_the_key_trigger_the_key_works_from_the_first_offer_on() {
    // S2.15
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

#[test]
fn shortly_before_closing_nothing_is_promised_but_after_hours_it_is_kept_for_tomorrow() {
    // S1.19
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

#[test]
fn the_offer_comes_after_the_wait_once() {
    // S2.12
    let rule = with(|rule| rule.triggers = vec![Trigger::AfterWait]);
    assert_eq!(announcement(&rule, secs(0), None, BUSY), Announcement::At(secs(600)));
    assert_eq!(announcement(&rule, secs(600), None, BUSY), Announcement::Now);
    assert_eq!(announcement(&rule, secs(601), Some(secs(600)), BUSY), Announcement::Never);
}

#[test]
fn an_announcement_repeats_and_only_while_all_are_busy() {
    // S3.14, S3.15
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
