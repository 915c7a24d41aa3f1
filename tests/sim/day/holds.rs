//! What holds promises on a day: what follows each failure, second requests, caps, and hours that end in the middle of
//! it. Drawn from the seed of the day, beside everything else.

use crate::site::secs;
use ringback::entropy::Entropy;
use ringback::settings::*;
use std::time::Duration;

/// Draws the profile's and the rule's answers, and the caps.
pub fn draw(seed: u64, site: &mut Settings) {
    let mut entropy = Entropy::from_seed(seed ^ 0x0040_1D50);
    let mut one_of = |n: u64| entropy.below(n);
    if one_of(3) == 0 {
        return; // As the model has it.
    }
    let mut on = || {
        let action = [NoAnswerAction::Retry, NoAnswerAction::Retry, NoAnswerAction::Fail, NoAnswerAction::Notify];
        let action = action[usize::try_from(one_of(4)).expect("few")];
        let interval = (one_of(2) == 0).then(|| secs(20 + one_of(60)));
        (one_of(3) == 0).then_some(OnOutcome { action, interval })
    };
    let on = On { busy: on(), no_answer: on(), rejected: on(), voicemail: on(), network: on(), invalid: on() };
    let rule = &mut site.rules[0];
    rule.dedupe = [Dedupe::Merge, Dedupe::Reject, Dedupe::Allow][usize::try_from(one_of(3)).expect("few")];
    rule.dedupe_scope = if one_of(2) == 0 { DedupeScope::Number } else { DedupeScope::NumberQueue };
    site.queues[0].max_callbacks = (one_of(3) == 0).then(|| 1 + u32::try_from(one_of(2)).expect("few"));
    site.system.max_callback_lines = if one_of(3) == 0 { 2 } else { 15 };
    let profile = &mut site.profiles[0];
    profile.on = on;
    profile.expiry_clock = if one_of(2) == 0 { ExpiryClock::Wall } else { ExpiryClock::Open };
    profile.yield_to_live = [None, Some(true), Some(false)][usize::try_from(one_of(3)).expect("few")];
    profile.yield_max = secs(30 + one_of(300));
    if one_of(2) == 0 {
        close_at_noon(site, one_of(3));
    }
}

/// The day begins at 15:00; from 15:12 to 15:16 nobody is called.
fn close_at_noon(site: &mut Settings, after: u64) {
    use chrono::Weekday::{Fri, Mon, Sat, Sun, Thu, Tue, Wed};
    let time = |hour, minute| chrono::NaiveTime::from_hms_opt(hour, minute, 0).expect("a time");
    let days = vec![Mon, Tue, Wed, Thu, Fri, Sat, Sun];
    let hours = [Hours { start: time(0, 0), end: time(15, 12) }, Hours { start: time(15, 16), end: time(0, 0) }];
    let weekly = hours.map(|hours| Weekly { days: days.clone(), hours });
    let zone = chrono_tz::UTC;
    site.schedules.push(Schedule { name: "noon".into(), tz: zone, weekly: weekly.to_vec(), exceptions: Vec::new() });
    site.rules[0].close_guard = Duration::ZERO;
    let profile = &mut site.profiles[0];
    profile.schedule = Some("noon".into());
    profile.cutoff = secs(60);
    profile.after_cutoff = [AfterCutoff::NextOpen, AfterCutoff::Overflow, AfterCutoff::Fail][after as usize];
}
