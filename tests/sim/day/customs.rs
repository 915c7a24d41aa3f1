//! What a day's site asks of its switch beside the habits of its line and the forms of its attempts: rules, profiles,
//! calendars, strategies, lists and policies. Drawn from the seed of the day.

use crate::site::{DID, secs};
use chrono::NaiveTime;
use ringback::entropy::Entropy;
use ringback::settings::*;
use std::time::Duration;

/// When days begin: an ordinary morning, shortly before people close, shortly before customers go to bed, and in the
/// night in which clocks skip an hour.
const BEGINNINGS: [&str; 4] =
    ["2026-03-02T15:00:00Z", "2026-03-02T22:45:00Z", "2026-03-03T01:48:00Z", "2026-03-08T06:40:00Z"];

/// The instant at which the day of this seed begins.
pub fn begins(seed: u64) -> &'static str {
    match Entropy::from_seed(seed ^ 0xBE61).below(10) {
        0..=5 => BEGINNINGS[0],
        6..=7 => BEGINNINGS[1],
        8 => BEGINNINGS[2],
        _ => BEGINNINGS[3],
    }
}

/// Draws everything of the site that neither habits nor forms draw; they have drawn before.
pub fn draw(seed: u64, site: &mut Settings) {
    let mut draw = Draw(Entropy::from_seed(seed ^ 0xC057_0135));
    if draw.chance(15) {
        return; // A site as it comes.
    }
    if site.queue("night").is_none() {
        let members = vec![Member::of("ben")];
        let (ring, wrap_up) = (site.queues[0].ring, site.queues[0].wrap_up);
        site.queues.push(Queue { members, ring, wrap_up, ..Queue::named("night", "5009") });
    }
    draw.calendar(seed, site);
    draw.queues(site);
    draw.rules(site);
    let others = CallbackProfile { name: "others".into(), ..site.profiles[0].clone() };
    site.profiles.push(others);
    for profile in &mut site.profiles {
        draw.service(profile);
        draw.endings(profile);
        draw.retries(profile);
    }
    draw.numbers(site);
    draw.agents(site);
}

struct Draw(Entropy);

impl Draw {
    fn chance(&mut self, percent: u64) -> bool {
        self.0.below(100) < percent
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.0.below(of.len() as u64)).expect("few")].clone()
    }

    fn secs(&mut self, from: u64, to: u64) -> Duration {
        secs(from + self.0.below(to - from + 1))
    }

    /// Hours of the queue and of the profile; the gap of a holiday, which closes and opens during the day.
    fn calendar(&mut self, seed: u64, site: &mut Settings) {
        let at = |h, m| NaiveTime::from_hms_opt(h, m, 0).expect("a time of day");
        let hours = |from, to| Hours { start: from, end: to };
        let days = || {
            use chrono::Weekday::*;
            vec![Mon, Tue, Wed, Thu, Fri, Sat, Sun]
        };
        let weekly = |ranges: Vec<Hours>| ranges.into_iter().map(|hours| Weekly { days: days(), hours }).collect();
        let gap = u32::try_from(self.0.below(10)).expect("few");
        let ranges = match begins(seed) {
            it if it == BEGINNINGS[1] => vec![hours(at(9, 0), at(17, 50)), hours(at(18, 5), at(18, 20))],
            it if it == BEGINNINGS[2] => vec![hours(at(20, 0), at(2, 0))],
            // 02:30 does not exist on that day: it opens at 03:00.
            it if it == BEGINNINGS[3] => vec![hours(at(0, 0), at(1, 50)), hours(at(2, 30), at(9, 0))],
            _ => vec![hours(at(9, 0), at(10, 4 + gap)), hours(at(10, 12 + gap), at(18, 0))],
        };
        let exceptions = match (self.chance(50), begins(seed) == BEGINNINGS[0]) {
            (true, true) => vec![Exception {
                date: "2026-03-02".parse().expect("a date"),
                ranges: vec![hours(at(9, 0), at(10, 2 + gap)), hours(at(10, 5 + gap), at(10, 25))],
                name: "short day".to_owned(),
            }],
            _ => Vec::new(),
        };
        let tz = chrono_tz::America::New_York;
        site.schedules.push(Schedule { name: "office".into(), tz, weekly: weekly(ranges), exceptions });
        if self.chance(35) {
            site.profiles[0].schedule = Some("office".into());
        }
        if self.chance(20) {
            site.queues[0].schedule = Some("office".into());
        }
        if self.chance(15) {
            site.inbound_routes[0].schedule = Some("office".into());
            site.inbound_routes[0].closed_to = self.chance(50).then(|| Destination::Queue("night".into()));
        }
        if let (true, Some(menu)) = (self.chance(40), site.ivrs.first_mut()) {
            menu.schedule = Some("office".into());
        }
    }

    fn queues(&mut self, site: &mut Settings) {
        let both = self.chance(40);
        let queue = &mut site.queues[0];
        queue.record = self.chance(20);
        queue.sticky_days = self.one(&[0, 30]);
        if both && let Some(night) = site.queues.iter_mut().find(|queue| &*queue.name == "night") {
            // One agent, two queues.
            night.members.push(Member::of("anna"));
        }
    }

    fn rules(&mut self, site: &mut Settings) {
        let rule = &mut site.rules[0];
        rule.request_digit = self.one(&['1', '1', '3']);
        rule.number_capture =
            self.one(&[NumberCapture::ConfirmOrEnter, NumberCapture::ConfirmOrEnter, NumberCapture::AniOnly]);
        rule.read_back = self.chance(70);
        rule.only_when_all_busy = self.chance(70);
        rule.min_ahead = self.one(&[0, 0, 0, 1]);
        rule.max_pending = self.chance(10).then_some(2);
        rule.max_ewt = self.chance(10).then_some(secs(600));
        rule.close_guard = self.one(&[Duration::ZERO, secs(120), secs(120)]);
        rule.priority = self.one(&[5, 5, 3]);
        if self.chance(12) {
            rule.triggers = vec![Trigger::Key, Trigger::Ewt];
            rule.min_ewt = secs(5);
        }
        for rule in site.rules.iter_mut().skip(1) {
            rule.dedupe = self.one(&[Dedupe::Merge, Dedupe::Merge, Dedupe::Reject, Dedupe::Allow]);
            rule.dedupe_scope = self.one(&[DedupeScope::NumberQueue, DedupeScope::Number]);
        }
        for rule in site.rules.iter_mut().filter(|rule| rule.source != RuleSource::QueueRequest) {
            rule.max_age = self.chance(20).then(|| secs(120));
            if self.chance(50) {
                rule.profile = "others".into();
            }
            if self.chance(15) {
                rule.scope.dids = vec![DidPattern::Exact(DID.to_owned())];
            }
            match rule.source {
                RuleSource::MissedIvr if self.chance(40) => rule.scope.ivrs = vec!["main".into()],
                RuleSource::MissedAgent if self.chance(40) => {
                    rule.scope.agents = vec!["carl".into()];
                    rule.scope.groups = vec!["desk".into()];
                }
                _ => {} // Its scope stays what the habits say.
            }
        }
    }

    /// Who serves, whom the customer sees, and how many at once.
    fn service(&mut self, profile: &mut CallbackProfile) {
        profile.destination = match self.0.below(10) {
            0..=4 => ServedBy::Same,
            5 | 6 => ServedBy::MissedBy,
            7 | 8 => ServedBy::Queue("night".into()),
            _ => ServedBy::Agent("ben".into()),
        };
        profile.owner_wait = secs(40);
        profile.caller_id_mode = self.one(&[CallerIdMode::DnisElseFixed, CallerIdMode::Fixed]);
        profile.max_lines = self.chance(15).then_some(1);
        profile.priority_boost = self.chance(10);
        profile.record = self.chance(40);
        profile.customer_prompt = if self.chance(30) { Sound::BuiltIn } else { Sound::Silent };
    }

    /// When it is done, given up, or over for today.
    fn endings(&mut self, profile: &mut CallbackProfile) {
        profile.success_min_talk = self.one(&[Duration::ZERO, secs(5), secs(5), secs(15)]);
        profile.expires_after = Some(self.one(&[secs(3_600), secs(3_600), secs(300)]));
        if self.chance(30) {
            profile.cutoff = secs(180);
        }
        profile.after_cutoff = self.one(&[AfterCutoff::NextOpen, AfterCutoff::Overflow, AfterCutoff::Fail]);
        profile.legal_window_applies =
            self.one(&[LegalWindowApplies::Missed, LegalWindowApplies::All, LegalWindowApplies::None]);
        profile.tz_mode = self.one(&[TzMode::NumberThenDefault, TzMode::NumberThenDefault, TzMode::DefaultOnly]);
        profile.tz_default = self.chance(50).then_some(chrono_tz::America::New_York);
        profile.tz_unknown = self.one(&[TzUnknown::Block, TzUnknown::UseDefault]);
    }

    fn retries(&mut self, profile: &mut CallbackProfile) {
        use NoAnswerAction::{Fail, Notify, Retry};
        profile.no_answer_action = self.one(&[Retry, Retry, Retry, Fail, Notify]);
        let reschedule = AgentReschedule { key: '9', after_fail: self.secs(2, 8) };
        profile.agent_reschedule = self.chance(85).then_some(reschedule);
    }

    /// Lists of the first customers, and which numbers may be called at all.
    fn numbers(&mut self, site: &mut Settings) {
        let number = |n: u32| DidPattern::Exact(format!("+120255501{n}"));
        let refuse = self.one(&[Refuse::Reject, Refuse::Busy, Refuse::Message]);
        let kinds = [(20, 11, ListKind::Deny(refuse)), (10, 10, ListKind::Allow)];
        for (percent, n, kind) in kinds {
            if self.chance(percent) {
                let label = format!("list of {n}");
                let (valid_from, valid_until) = (None, None);
                site.number_lists.push(NumberEntry { kind, pattern: number(n), label, valid_from, valid_until });
            }
        }
        if self.chance(40) {
            site.number_policies.push(NumberPolicy {
                daily_max: self.one(&[2, 6, 20]),
                pending_per_number: self.one(&[1, 3]),
                anonymous: self.one(&[Anonymous::AskNumber, Anonymous::Refuse]),
                confirm_by_key: self.one(&[ConfirmByKey::Never, ConfirmByKey::Untrusted, ConfirmByKey::Always]),
                deny_patterns: vec![number(14)],
                ..NumberPolicy::named("house")
            });
            site.rules.iter_mut().for_each(|rule| rule.number_policy = Some("house".into()));
        }
    }

    fn agents(&mut self, site: &mut Settings) {
        for agent in &mut site.agents {
            agent.skills = [("billing".into(), self.one(&[1, 5, 9]))].into();
            agent.max_calls = self.one(&[1, 1, 1, 1, 1, 2]);
        }
    }
}
