//! Hours that can never be: told at check time, since a callback that waits for them waits for ever. What depends on
//! dates alone is left alone; weekly hours that meet in no week meet never.

use super::read::Objects;
use super::report::{Report, quote};
use crate::callback::task::Source;
use crate::callback::window::{Whom, Window};
use crate::id::Name;
use crate::number::{self, Party, zones};
use crate::settings::{CallbackProfile, LegalWindowApplies, Schedule, Settings, Tz, TzMode, TzUnknown};
use crate::time::{DateTime, Utc};

/// Weekly hours repeat: any week of any year tells. This one is the beginning of 2026.
fn any_week() -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600, 0).expect("an instant")
}

/// Names the windows that never open.
pub(super) fn check(objects: &Objects, settings: &Settings, report: &mut Report) {
    for (object, schedule) in objects["schedule"].iter().zip(&settings.schedules) {
        if !has_hours(schedule) {
            let name = quote(&schedule.name);
            report.warn(
                object.at,
                format!("schedule {name} never opens: it has no weekly hours and no exception with any"),
            );
        }
    }
    for (object, profile) in objects["callback_profile"].iter().zip(&settings.profiles) {
        for queue in settings.queues.iter().filter(|queue| dials(settings, profile, &queue.rules)) {
            if let [Some(own), Some(theirs)] = [&profile.schedule, &queue.schedule]
                && [own, theirs].into_iter().all(|name| settings.schedule(name).is_some_and(is_weekly))
                && never(&Window::business(settings, profile, Some(&queue.name)))
            {
                let (own, theirs, queue) = (quote(own), quote(theirs), quote(&queue.name));
                let message = format!(
                    "callback_profile.schedule {own} and the schedule {theirs} of the queue {queue} have no time in \
                     common"
                );
                report.warn(object.at("schedule"), message);
            }
        }
        legal(object.at, settings, profile, report);
    }
}

/// The customer's side, as far as it is told by the profile alone.
fn legal(at: usize, settings: &Settings, profile: &CallbackProfile, report: &mut Report) {
    if profile.legal_window_applies == LegalWindowApplies::None || profile.tz_unknown == TzUnknown::UseDefault {
        return;
    }
    let Some(zone) = profile.tz_default else {
        if profile.tz_mode == TzMode::DefaultOnly {
            let message = "callback_profile.tz_mode is \"default_only\" and there is no tz_default: whatever \
                           legal_window holds for is blocked";
            report.warn(at, message);
        } else if let Some(country) = &settings.system.default_country {
            let all = number::country_code(country).map(|code| zones::under(&code)).unwrap_or_default();
            if !all.is_empty() && all.iter().all(|zone| never_lawful(settings, profile, *zone)) {
                let message = format!(
                    "callback_profile.schedule and legal_window have no time in common in any zone of numbers in {}",
                    quote(country)
                );
                report.warn(at, message);
            }
        }
        return;
    };
    if never_lawful(settings, profile, zone) {
        let message = format!("callback_profile.schedule and legal_window in {zone} have no time in common");
        report.warn(at, message);
    }
}

/// Whether hours that repeat by the week never meet the legal window of customers in this zone.
fn never_lawful(settings: &Settings, profile: &CallbackProfile, zone: Tz) -> bool {
    let own = profile.schedule.as_deref().and_then(|name| settings.schedule(name));
    if !own.is_some_and(is_weekly) || never(&Window::business(settings, profile, None)) {
        return false;
    }
    let nowhere = Party::Number("+".into()); // A number without a zone has the selected one.
    let there = CallbackProfile { tz_default: Some(zone), ..profile.clone() };
    let whom = Whom { profile: &there, queue: "", number: &nowhere, source: Source::MissedQueue };
    never(&Window::of(settings, &whom, any_week()))
}

fn has_hours(schedule: &Schedule) -> bool {
    !schedule.weekly.is_empty() || schedule.exceptions.iter().any(|exception| !exception.ranges.is_empty())
}

/// Whether callbacks of the profile may stand in the line of a queue that has these rules.
fn dials(settings: &Settings, profile: &CallbackProfile, rules: &[Name]) -> bool {
    rules.iter().filter_map(|rule| settings.rule(rule)).any(|rule| rule.profile == profile.name)
}

/// Whether its hours repeat by the week, so that any week tells.
fn is_weekly(schedule: &Schedule) -> bool {
    !schedule.weekly.is_empty() && schedule.exceptions.iter().all(|exception| exception.ranges.is_empty())
}

fn never(window: &Window<'_>) -> bool {
    window.opens(any_week()).is_none()
}
