//! Nobody is tried who wants no more callbacks; and law 2, the hours: no attempt begins outside its calling hours or
//! the customer's. Told from the settings alone, in another way than the switch does: by what clocks show at that
//! instant, one after the other.

use super::disk::Disk;
use chrono::{Datelike, NaiveTime, TimeDelta};
use ringback::callback::task::Attempt;
use ringback::id::{AttemptId, TaskId};
use ringback::number::{Party, zones};
use ringback::settings::*;
use ringback::switch::Change;
use ringback::time::{DateTime, Utc};
use std::collections::BTreeMap;

/// An attempt is on its way to the disk.
pub fn assert_lawful(settings: &Settings, disk: &Disk, attempt: &Attempt) {
    let task = disk.tasks.get(&attempt.task);
    let Some((task, profile)) = task.and_then(|task| Some((task, settings.profile(&task.profile)?))) else { return };
    if attempt.outcome.is_some() {
        return; // It began long ago, by the settings of then.
    }
    let is_new = !disk.attempts.contains_key(&attempt.id);
    if is_new && !disk.has_refused {
        assert_below_caps(settings, disk, attempt);
    }
    let is_allowed = settings.number_lists.iter().any(|entry| entry.kind == ListKind::Allow);
    let wants_none = disk.do_not_call.contains_key(&attempt.number) && matches!(attempt.number, Party::Number(_));
    assert!(!wants_none || !is_new || is_allowed, "{} has said never again, and is tried", attempt.number);
    let at = attempt.loaded_at;
    let of_queue = settings.queue(&task.queue).and_then(|queue| queue.schedule.as_ref());
    for schedule in [profile.schedule.as_ref(), of_queue].into_iter().flatten().filter_map(|it| settings.schedule(it)) {
        assert!(is_open(schedule, at), "law 2: an attempt begins at {at}, when {} is closed", schedule.name);
    }
    let applies = match profile.legal_window_applies {
        LegalWindowApplies::All => true,
        LegalWindowApplies::Missed => task.source.is_missed(),
        LegalWindowApplies::None => false,
    };
    if !applies || matches!(task.number, Party::Extension(_)) {
        return;
    }
    let lawful = |tz: Tz| is_within(&profile.legal_window, at.with_timezone(&tz).time());
    let detected = if profile.tz_mode == TzMode::DefaultOnly { &[] } else { zones::of(&task.number) };
    let everywhere = !detected.is_empty() && detected.iter().all(|tz| lawful(*tz));
    let selected = profile.tz_default.is_some_and(lawful) && detected.len() != 1;
    let unknown = detected.is_empty() && profile.tz_default.is_none();
    let default = unknown && profile.tz_unknown == TzUnknown::UseDefault && lawful(settings.system.default_timezone);
    assert!(everywhere || selected || default, "law 2: {} may not be called at {at}", task.number);
}

/// Law 2: no attempt begins above the caps of the site, its profile and its queue.
fn assert_below_caps(settings: &Settings, disk: &Disk, attempt: &Attempt) {
    let mut open: BTreeMap<AttemptId, TaskId> = BTreeMap::new();
    let stored = disk.attempts.values().filter(|it| it.outcome.is_none());
    open.extend(stored.map(|it| (it.id, it.task)));
    for change in disk.pending.iter().flat_map(|(_, changes)| changes) {
        match change {
            Change::PutAttempt(it) if it.outcome.is_some() => drop(open.remove(&it.id)),
            Change::PutAttempt(it) => drop(open.insert(it.id, it.task)),
            _ => {} // No attempt.
        }
    }
    open.remove(&attempt.id);
    let tasks = || open.values().filter_map(|task| disk.tasks.get(task));
    let Some(task) = disk.tasks.get(&attempt.task) else { return };
    let beside = open.len();
    let most = settings.system.max_callback_lines as usize;
    assert!(beside < most, "law 2: {} is tried beside {beside} others, above {most} lines", attempt.number);
    let of_profile = tasks().filter(|other| other.profile == task.profile).count();
    let most = settings.profile(&task.profile).and_then(|profile| profile.max_lines);
    let is_below = most.is_none_or(|most| of_profile < most as usize);
    assert!(is_below, "law 2: {} is tried beside {of_profile} others of {}", attempt.number, task.profile);
    let of_queue = tasks().filter(|other| other.queue == task.queue).count();
    let most = settings.queue(&task.queue).and_then(|queue| queue.max_callbacks);
    let is_below = most.is_none_or(|most| of_queue < most as usize);
    assert!(is_below, "law 2: {} is tried beside {of_queue} others in {}", attempt.number, task.queue);
}

fn is_within(hours: &Hours, time: NaiveTime) -> bool {
    if hours.start < hours.end {
        hours.start <= time && time < hours.end
    } else {
        time >= hours.start || time < hours.end
    }
}

fn is_open(schedule: &Schedule, at: DateTime<Utc>) -> bool {
    let local = at.with_timezone(&schedule.tz).naive_local();
    [TimeDelta::zero(), TimeDelta::days(1)].into_iter().any(|back| {
        let date = (local - back).date();
        let exception = schedule.exceptions.iter().find(|exception| exception.date == date);
        let ranges: Vec<Hours> = match exception {
            Some(exception) => exception.ranges.clone(),
            None => {
                let lines = schedule.weekly.iter().filter(|line| line.days.contains(&date.weekday()));
                lines.map(|line| line.hours).collect()
            }
        };
        let owned = |date| schedule.exceptions.iter().any(|exception| exception.date == date);
        ranges.into_iter().any(|range| {
            let end = match range.end > range.start {
                true => date.and_time(range.end),
                false if owned(date + chrono::Days::new(1)) => (date + chrono::Days::new(1)).and_time(NaiveTime::MIN),
                false => (date + chrono::Days::new(1)).and_time(range.end),
            };
            date.and_time(range.start) <= local && local < end
        })
    })
}
