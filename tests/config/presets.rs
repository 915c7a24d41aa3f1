//! The presets: each product's documents, against what its preset and its fixture make of the settings.

use super::{parse, shown};
use ringback::route;
use ringback::settings::*;
use std::time::Duration;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn site(preset: &str) -> Settings {
    let text = std::fs::read_to_string(format!("{}/tests/fixtures/{preset}.toml", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let config = parse(&text).unwrap_or_else(|problems| panic!("{preset}: {}", shown(&problems)));
    assert_eq!(shown(&config.warnings), "", "{preset}");
    config.settings
}

/// A rule and a profile that say nothing but their preset.
fn bare(preset: &str) -> (CallbackRule, CallbackProfile) {
    let text = format!(
        "[[callback_profile]]\nname = \"p\"\npreset = \"{preset}\"\n\
         [[callback_rule]]\nname = \"r\"\nsource = \"queue_request\"\nprofile = \"p\"\npreset = \"{preset}\"\n"
    );
    let mut site = parse(&text).unwrap_or_else(|problems| panic!("{preset}: {}", shown(&problems))).settings;
    (site.rules.remove(0), site.profiles.remove(0))
}

// S1.18: the worked example "Business Hours", every stored value.
#[test]
fn the_worked_example_of_ring2all_is_stored_as_it_stands() {
    let site = site("ring2all");

    let profile = site.profile("Business Hours").unwrap();
    assert_eq!(profile.caller_id.as_deref(), Some("Support Line"));
    assert_eq!(site.caller_ids.iter().find(|id| &*id.label == "Support Line").unwrap().number, "+12025550101");
    assert_eq!((profile.attempts_max, &profile.intervals[..]), (3, &[secs(0), secs(1800)][..]));
    let schedule = site.schedule(profile.schedule.as_deref().unwrap()).unwrap();
    assert_eq!(schedule.tz.name(), "America/New_York");
    let days = ["Mon", "Tue", "Wed", "Thu", "Fri"].map(|day| day.parse().unwrap());
    let [weekly] = &schedule.weekly[..] else { panic!("one line") };
    assert_eq!(weekly.days, days);
    assert_eq!((weekly.hours.start.to_string(), weekly.hours.end.to_string()), ("09:00:00".into(), "17:00:00".into()));
    assert!(schedule.exceptions.is_empty() && profile.enabled);
    assert_eq!((profile.no_answer_action, profile.ring_timeout), (NoAnswerAction::Retry, secs(30)));
}

// S1.B4: the form's defaults, and the fields of the text.
#[test]
fn ring2all_has_the_defaults_of_its_form() {
    let (rule, profile) = bare("ring2all");

    assert_eq!(profile.destination, ServedBy::Same);
    assert_eq!((rule.request_digit, &rule.triggers[..]), ('1', &[Trigger::Key][..]));
    assert_eq!((profile.attempts_max, profile.intervals.last()), (3, Some(&secs(300))));
    assert_eq!((profile.expires_after, profile.expiry_clock), (Some(secs(3600)), ExpiryClock::Open));
    assert!(profile.enabled && rule.enabled);
    assert_eq!((profile.caller_id_mode, profile.ring_timeout), (CallerIdMode::Fixed, secs(30)));
    assert_eq!(profile.no_answer_action, NoAnswerAction::Retry);
}

#[test]
fn ring2alls_four_use_cases_are_four_profiles() {
    let site = site("ring2all");

    let names: Vec<&str> = site.profiles.iter().map(|profile| &*profile.name).collect();
    assert_eq!(names, ["Standard", "Scheduled", "Business Hours", "Priority"]);
    let standard = site.profile("Standard").unwrap();
    assert_eq!((standard.attempts_max, &standard.intervals[..]), (3, &[secs(60), secs(900)][..]));
    assert_eq!(standard.caller_id.as_deref(), Some("Main Line"));
    let hours = &site.schedule(standard.schedule.as_deref().unwrap()).unwrap().weekly[0].hours;
    assert_eq!((hours.start.to_string(), hours.end.to_string()), ("09:00:00".into(), "18:00:00".into()));
    let boosted: Vec<bool> = site.profiles.iter().map(|profile| profile.priority_boost).collect();
    assert_eq!(boosted, [false, false, false, true]);
}

// S2.B1: callback_mode ACTIVE, callback_timeout 600, key 3; the prefix is a text of its own.
#[test]
fn portsip_has_its_documented_defaults() {
    let (rule, profile) = bare("portsip");

    assert_eq!((rule.request_digit, &rule.triggers[..]), ('3', &[Trigger::Key][..]));
    assert_eq!((rule.offer_after, rule.number_capture), (secs(600), NumberCapture::ConfirmOrEnter));
    assert_eq!((rule.confirm_key, rule.cancel_key, rule.read_back), ('#', '*', false));
    assert_eq!((profile.attempts_max, &profile.intervals[..]), (1, &[secs(0)][..]));
    assert_eq!((profile.success_min_talk, &*profile.dial_prefix), (Duration::ZERO, ""));
    assert!(!profile.auto_reschedule && profile.agent_reschedule.is_none() && profile.client_reschedule.is_none());

    let site = site("portsip");
    assert_eq!(site.profiles[0].dial_prefix, "003");
    assert_eq!(site.rule("offered").unwrap().triggers, [Trigger::AfterWait]);
    assert_eq!(site.rule("offered").unwrap().request_digit, '3');
}

// S2.B2: the defaults of a queue that are PortSIP's.
#[test]
fn a_portsip_queue_has_its_documented_defaults() {
    let queue = site("portsip").queues.remove(0);

    assert_eq!((queue.ring, queue.announce_interval, queue.sticky_days), (secs(20), secs(10), 30));
    assert_eq!((queue.announce_position, queue.max_callers), (AnnouncePosition::Off, None));
}

// S3.B1: success above 5 s, 5 attempts, 30 s apart, 300 s of history; each with its digits.
#[test]
fn mikopbx_has_its_documented_defaults_and_limits() {
    let (rule, profile) = bare("mikopbx");

    assert_eq!((profile.success_min_talk, profile.attempts_max), (secs(5), 5));
    assert_eq!(profile.intervals, [secs(0), secs(30)]);
    assert_eq!((profile.expires_after, profile.expiry_clock), (Some(secs(300)), ExpiryClock::Wall));
    assert_eq!((rule.request_digit, rule.number_capture), ('1', NumberCapture::AniOnly));
    assert!(rule.only_when_all_busy && rule.triggers.contains(&Trigger::Announced));
    assert_eq!((rule.dedupe, rule.dedupe_scope), (Dedupe::Merge, DedupeScope::Number));
    assert_eq!(profile.agent_prompt, Sound::BuiltIn);
    for (field, wrong) in [("intervals_secs", "[1000]"), ("expires_after_secs", "100000")] {
        refused("mikopbx", field, wrong);
    }
}

#[test]
fn fonolo_starts_with_1_and_reschedules_with_9_and_lets_the_client_do_so_as_often_as_he_likes() {
    let (_, profile) = bare("fonolo");

    let AgentAccept::Key { key, .. } = profile.agent_accept else { panic!("a key") };
    assert_eq!((key, profile.agent_reschedule.map(|reschedule| reschedule.key)), ('1', Some('9')));
    assert_eq!(profile.client_reschedule, Some(ClientReschedule { key: '1', max: None }));
    assert_eq!((profile.auto_reschedule, profile.attempts_max), (true, 3));
    assert_eq!((profile.cutoff, profile.after_cutoff), (secs(1800), AfterCutoff::NextOpen));
    assert_eq!(site("fonolo").number_policies[0].daily_max, 20);
}

#[test]
fn voximplant_calls_back_what_was_missed_behind_live_callers_and_says_that_it_records() {
    let (_, profile) = bare("voximplant");

    assert_eq!((&profile.destination, profile.caller_id_mode), (&ServedBy::MissedBy, CallerIdMode::DnisElseFixed));
    assert_eq!((profile.yield_to_live, profile.max_lines), (Some(true), Some(15)));
    assert_eq!((profile.record, &profile.record_notice), (true, &Sound::BuiltIn));
    assert_eq!((profile.tz_unknown, profile.tz_default), (TzUnknown::Block, None));

    let site = site("voximplant");
    let sources: Vec<RuleSource> = site.rules.iter().map(|rule| rule.source).collect();
    assert_eq!(sources, [RuleSource::MissedIvr, RuleSource::MissedQueue, RuleSource::MissedAgent]);
    assert_eq!(site.profiles[0].destination, ServedBy::Queue("support".into()));
}

// S5.16: one interval an attempt, from 1 to 60 minutes: 0 and 61 are refused in the preset.
#[test]
fn voximplants_intervals_are_one_minute_to_an_hour() {
    for wrong in ["[0]", "[59]", "[\"61m\"]", "[60, 3601]"] {
        refused("voximplant", "intervals_secs", wrong);
    }
    let site = site("voximplant");
    assert_eq!(site.profile("scenario").unwrap().intervals, [secs(60), secs(300), secs(3600)]);
}

// S5.17: the number of intervals is the number of attempts.
#[test]
fn a_voximplant_profile_has_as_many_attempts_as_intervals() {
    let site = site("voximplant");

    assert_eq!(site.profile("scenario").unwrap().attempts_max, 3);
    assert_eq!(site.profile("contact center").unwrap().attempts_max, 2);
}

// S5.21: two rules with their own intervals, response wait and switch.
#[test]
fn the_rules_of_scenario_and_contact_center_are_independent() {
    let site = site("voximplant");

    let (scenario, center) = (site.profile("scenario").unwrap(), site.profile("contact center").unwrap());
    assert_eq!((scenario.ring_timeout, center.ring_timeout), (secs(30), secs(45)));
    assert_ne!(scenario.intervals, center.intervals);
}

// S5.15: the region is a trunk here: one choice, and the callbacks of both rules leave by it.
#[test]
fn both_rules_leave_by_the_chosen_trunk() {
    let path = format!("{}/tests/fixtures/voximplant.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap().replace(
        "preset = \"voximplant\"\ndestination = \"queue:support\"",
        "preset = \"voximplant\"\ndestination = \"queue:support\"\ntrunks = [\"west\"]",
    );
    let text = text.replace("profile = \"contact center\"", "profile = \"scenario\"")
        + "[[trunk]]\nname = \"west\"\nmode = \"peer\"\nhost = \"203.0.113.7\"\n";
    let site = parse(&text).unwrap_or_else(|problems| panic!("{}", shown(&problems))).settings;

    for rule in &site.rules {
        let profile = site.profile(&rule.profile).unwrap();
        let ways = route::outbound(&site, "+12025550123", &profile.dial_prefix, &profile.trunks).unwrap();
        let trunks: Vec<&str> = ways.iter().map(|way| &*way.trunk).collect();
        assert_eq!(trunks, ["west"], "{}", rule.name);
    }
}

#[test]
fn every_preset_of_the_model_is_there_and_none_asks_customers_for_a_key() {
    let names: Vec<&str> = ringback::config::preset::all().iter().map(|preset| preset.name).collect();

    assert_eq!(names, ["ring2all", "portsip", "mikopbx", "fonolo", "voximplant"]);
    for name in names {
        let policies = site(name).number_policies;
        assert_eq!(policies[0].confirm_by_key, ConfirmByKey::Never, "{name}");
    }
}

/// A profile of this preset with this field is told the field and the limits of the preset.
#[track_caller]
fn refused(preset: &str, field: &str, value: &str) {
    let text = format!("[[callback_profile]]\nname = \"p\"\npreset = \"{preset}\"\n{field} = {value}\n");
    let told = shown(&parse(&text).expect_err("it is outside the limits"));
    let named = format!("callback_profile.{field} is");
    assert!(told.contains(&named) && told.contains(&format!("in preset \"{preset}\" are")), "{told}");
}
