//! The gates an attempt passes, and which of them holds a task (`held_by`).

use super::{Agents, Around, Planned, Planner, is_recent, shut, window_of};
use crate::callback::hold::{Hold, Undialable};
use crate::callback::ledger::{Cap, Tripped};
use crate::callback::retry;
use crate::callback::task::{AttemptKind, HoldReason, Task, TaskState};
use crate::callback::window::{Whom, Window};
use crate::number::Party;
use crate::settings::{CallbackProfile, Settings};
use crate::time::{DateTime, Utc};

impl Planner {
    /// The gate that holds a task, by the order of C12; `None` when it is being served next.
    pub fn held_by(&self, now: DateTime<Utc>, settings: &Settings, task: &Task, around: Around) -> Option<Hold> {
        let Some(planned) = self.tasks.get(&task.id) else { return Some(Hold::Closed(task.state)) };
        if let Err(hold) = self.own_gates(now, settings, planned, AttemptKind::Agent) {
            return Some(hold);
        }
        if around.customer_in_call {
            return Some(Hold::CustomerInCall);
        }
        if let Err(hold) = self.site_caps(now, settings) {
            return Some(hold);
        }
        match around.agents {
            Agents::NobodyLoggedIn => Some(Hold::NobodyLoggedIn(task.queue.clone())),
            Agents::AllBusy => Some(Hold::AgentsBusy(task.queue.clone())),
            Agents::Free => (around.ahead > 0).then_some(Hold::Behind(around.ahead)),
        }
    }

    /// When a task may be tried next (`next_at`): not before its time, nor outside calling hours.
    pub fn next_at(&self, settings: &Settings, task: &Task, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if task.state.is_final() || task.state.is_live() || task.state == TaskState::Blocked {
            return None;
        }
        let quarantined = self.quarantine.get(&task.number).copied();
        let earliest = task.not_before.max(now).max(quarantined.unwrap_or(now));
        window_of(settings, task, now)?.opens(earliest)
    }

    /// What shuts every task of a queue alike, whichever it is: worth asking once before any of many is asked.
    pub fn shut_for_all(&self, now: DateTime<Utc>, settings: &Settings, queue: &str) -> Result<(), Hold> {
        self.site_caps(now, settings)?;
        if settings.system.frozen {
            return Err(Hold::Frozen);
        }
        // Extensions are ours: the breaker is not about them.
        if self.ledger.tripped() == Some(Tripped::Surge) && !self.has_extensions() {
            return Err(Hold::Capped(Cap::Breaker(Tripped::Surge)));
        }
        self.queue_cap(settings, queue)?;
        // Each profile has a cap of its own: together they shut everything only when all are reached.
        let mut caps = settings.profiles.iter().map(|profile| self.profile_cap(profile));
        match caps.next() {
            Some(Err(hold)) if caps.all(|cap| cap.is_err()) => Err(hold),
            Some(_) | None => Ok(()),
        }
    }

    fn profile_cap(&self, profile: &CallbackProfile) -> Result<(), Hold> {
        match profile.max_lines {
            Some(max) if self.live_of.get(&profile.name).copied().unwrap_or(0) >= max as usize => {
                Err(Hold::ProfileLines(profile.name.clone(), max))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn has_extensions(&self) -> bool {
        matches!(self.numbers.last(), Some((Party::Extension(_), _))) // They come last.
    }

    fn queue_cap(&self, settings: &Settings, queue: &str) -> Result<(), Hold> {
        match settings.queue(queue).and_then(|queue| Some((queue, queue.max_callbacks?))) {
            Some((queue, max)) if self.live_in.get(queue.name.as_ref()).copied().unwrap_or(0) >= max as usize => {
                Err(Hold::QueueLines(queue.name.clone(), max))
            }
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn site_caps(&self, now: DateTime<Utc>, settings: &Settings) -> Result<(), Hold> {
        if self.clock_doubted {
            return Err(Hold::ClockDoubted);
        }
        let (lines, rate) = (settings.system.max_callback_lines, settings.system.max_originates_per_min);
        if self.live >= lines as usize {
            return Err(Hold::Lines(lines));
        }
        if self.starts.len() < rate as usize {
            return Ok(());
        }
        let recent = self.starts.iter().filter(|start| is_recent(**start, now)).count();
        if recent >= rate as usize {
            return Err(Hold::Rate(rate));
        }
        Ok(())
    }

    pub(super) fn own_gates(
        &self,
        now: DateTime<Utc>,
        settings: &Settings,
        planned: &Planned,
        kind: AttemptKind,
    ) -> Result<(), Hold> {
        let task = &planned.task;
        if task.state.is_live() {
            return Err(Hold::UnderWay(task.state));
        }
        if self.clock_doubted {
            return Err(Hold::ClockDoubted);
        }
        match task.hold_reason {
            Some(HoldReason::LostAfterAnswer) => return Err(Hold::LostAfterAnswer),
            None if task.state == TaskState::Overflow => return Err(Hold::Overflow),
            None => {}
        }
        if (task.state == TaskState::ClientOffer) != (kind == AttemptKind::ClientOffer) {
            return Err(Hold::ClientOffer);
        }
        if settings.system.frozen {
            return Err(Hold::Frozen);
        }
        if task.expires_at.is_some_and(|at| at <= now) {
            return Err(Hold::Expired);
        }
        if let Some(why) = &planned.undialable {
            return Err(Hold::Undialable(Undialable::clone(why)));
        }
        let profile = settings.profile(&task.profile).filter(|profile| profile.enabled);
        let profile = profile.ok_or_else(|| Hold::ProfileDisabled(task.profile.clone()))?;
        if kind == AttemptKind::Agent && retry::is_used_up(profile, task) {
            return Err(Hold::UsedUp(task.attempts_used));
        }
        match task.rule.as_deref().and_then(|rule| settings.rule(rule)) {
            Some(rule) if !rule.enabled => return Err(Hold::RuleDisabled(rule.name.clone())),
            Some(rule) if !rule.process => return Err(Hold::RuleNotProcessing(rule.name.clone())),
            Some(_) | None => {}
        }
        self.time_gates(now, settings, task, profile)?;
        if self.active.contains_key(&task.number) {
            return Err(Hold::NumberBusy);
        }
        let policy = settings.policy_of_rule(task.rule.as_deref());
        self.ledger.allows(now, policy, task).map_err(Hold::Capped)?;
        self.queue_cap(settings, &task.queue)?;
        self.profile_cap(profile)
    }

    fn time_gates(
        &self,
        now: DateTime<Utc>,
        settings: &Settings,
        task: &Task,
        profile: &CallbackProfile,
    ) -> Result<(), Hold> {
        let window = Window::of(settings, &Whom::of(profile, task), now);
        if task.not_before > now {
            let until = task.not_before;
            return Err(match task.state {
                TaskState::WaitingRetry => Hold::Retry(until),
                _ => Hold::NotBefore(until), // Whatever else waits, waits for its wish.
            });
        }
        if let Some(until) = self.quarantine.get(&task.number).filter(|until| **until > now) {
            return Err(Hold::Quarantined(*until));
        }
        match window.opens(now) {
            Some(opens) if opens <= now => Ok(()),
            Some(opens) => Err(Hold::OutsideHours(opens)),
            None => Err(shut(&window, now)),
        }
    }
}

/// Whether a task waits until no live caller of its queue does (S5.6, C11): nobody asked for it, or its profile says
/// so; and not for longer than `yield_max`.
pub fn yields_to_live(profile: &CallbackProfile, task: &Task, now: DateTime<Utc>) -> bool {
    yields(profile, task) && yields_until(profile, task).is_none_or(|until| now < until)
}

/// Until when a due task that yields does so.
pub(super) fn yields_until(profile: &CallbackProfile, task: &Task) -> Option<DateTime<Utc>> {
    task.due_since.filter(|_| yields(profile, task)).map(|since| since + profile.yield_max)
}

fn yields(profile: &CallbackProfile, task: &Task) -> bool {
    profile.yield_to_live.unwrap_or(task.source.is_missed())
}
