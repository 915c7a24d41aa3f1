//! Law 4 for promises: when nothing at all holds one back, no caller who came later is served before it. What may hold
//! one back is much; here it is enough that something may, and the promise is let be.

use super::disk::Disk;
use chrono::TimeDelta;
use ringback::callback::task::{NumberOrigin, Task, TaskState};
use ringback::id::Name;
use ringback::settings::*;
use ringback::switch::Change;
use ringback::switch::event::Event;
use ringback::time::{DateTime, Tick, Utc};
use std::time::Duration;

/// What is known of gates.
#[derive(Default)]
pub struct Gates {
    settings: Option<Box<Settings>>,
    /// Since when nothing has changed that opens or shuts many of them at once.
    quiet_since: Tick,
    now: Tick,
    /// Dialling is stopped, or was.
    stopped: bool,
}

/// After an edition, a start or a freeze things need a moment to be as they will be; after a start numbers are left
/// alone for the ring time and more.
const MOMENT: Duration = Duration::from_secs(90);

impl Gates {
    pub fn on_edition(&mut self, settings: &Settings) {
        self.settings = Some(Box::new(settings.clone()));
        self.quiet_since = self.now;
    }

    pub fn on_crash(&mut self) {
        self.quiet_since = self.now + Duration::from_secs(15);
    }

    pub fn on_event(&mut self, now: Tick, event: &Event) {
        self.now = now;
        match event {
            Event::SiteFrozen | Event::BreakerOpened { .. } => self.stopped = true,
            Event::SiteUnfrozen | Event::BreakerClosed | Event::RuleActivated { .. } => {
                (self.stopped, self.quiet_since) = (false, now);
            }
            Event::TrunkDown { .. } | Event::TrunkUp { .. } => self.quiet_since = now,
            _ => {} // Opens and shuts nothing.
        }
    }

    /// Whether every trunk surely has a line to spare while so many people are on one, or being rung.
    pub fn has_lines(&self, engaged: usize) -> bool {
        self.settings.as_ref().is_some_and(|it| it.trunks.iter().all(|trunk| engaged + 2 < trunk.max_calls as usize))
    }

    /// Whether the promise to this number in this queue was surely free to be kept when that was decided.
    pub fn let_through(&self, decided: Tick, utc: DateTime<Utc>, number: &str, queue: &Name, disk: &Disk) -> bool {
        let Some(settings) = &self.settings else { return false };
        let open = || disk.tasks.values().filter(|task| !task.state.is_final() && task.number.as_str() == number);
        let (Some(task), 1) = (open().next(), open().count()) else { return false };
        let is_quiet = !self.stopped && decided.since(self.quiet_since) > MOMENT && decided > self.quiet_since;
        is_quiet && *task.queue == **queue && is_free(task, utc, disk) && nothing_holds(settings, task, disk)
    }
}

/// It waits for nothing of its own, and the disk knows all there is to know of it.
fn is_free(task: &Task, utc: DateTime<Utc>, disk: &Disk) -> bool {
    let second = TimeDelta::seconds(1);
    let is_told = |change: &Change| match change {
        Change::PutTask(other) => other.number != task.number,
        Change::PutAttempt(attempt) => attempt.number != task.number,
        _ => true, // No callback.
    };
    let last = disk.attempts.values().filter(|attempt| attempt.number == task.number);
    let rests = last.into_iter().any(|attempt| attempt.ended_at.is_none_or(|at| utc - at < TimeDelta::seconds(90)));
    matches!(task.state, TaskState::Pending | TaskState::Due | TaskState::WaitingRetry)
        && task.agent.is_none()
        && task.number_origin == NumberOrigin::Trusted
        && task.not_before + second < utc
        && task.created_at + second < utc
        && task.expires_at.is_none_or(|at| utc + second < at)
        && !rests
        && !disk.has_refused
        && !disk.hangs()
        && disk.pending.iter().flat_map(|(_, changes)| changes).all(is_told)
}

/// No hours, no caps, no lists, no policy, no wish of the profile to wait.
fn nothing_holds(settings: &Settings, task: &Task, disk: &Disk) -> bool {
    let (Some(queue), Some(profile)) = (settings.queue(&task.queue), settings.profile(&task.profile)) else {
        return false;
    };
    let Some(rule) = task.rule.as_deref().and_then(|rule| settings.rule(rule)) else { return false };
    let live = disk.attempts.values().filter(|attempt| attempt.outcome.is_none()).count();
    let is_plain = !queue.strategy.by_skill && queue.members.iter().all(|member| member.tier == 1);
    let today = disk.attempts.values().filter(|attempt| attempt.number == task.number).count();
    is_plain
        && today < 2
        && queue.schedule.is_none()
        && queue.max_callbacks.is_none()
        && (profile.enabled, rule.enabled, rule.process) == (true, true, true)
        && profile.schedule.is_none()
        && profile.max_lines.is_none()
        && profile.cutoff.is_zero()
        && profile.legal_window_applies != LegalWindowApplies::All
        && profile.yield_to_live != Some(true)
        && profile.destination == ServedBy::Same
        && rule.number_policy.is_none()
        && settings.number_policies.is_empty()
        && settings.number_lists.is_empty()
        && !settings.system.frozen
        && live + 1 < settings.system.max_callback_lines as usize
        && disk.do_not_call.is_empty()
}
