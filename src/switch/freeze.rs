//! Freezing the site (S5.12): rules rest and nothing is dialled; after unfreezing, each rule is activated by hand.
//!
//! The site's own settings stay what they are. What a freeze has done lies over them, on the disk as well, so that
//! neither a restart nor another edition of the settings wakes a rule that nobody has activated.

use super::durable::Pending;
use super::{Switch, SystemRecord, event};
use crate::callback::task::CloseReason;
use crate::id::{Name, TaskId};
use crate::settings::Settings;
use crate::time::Now;
use std::sync::Arc;

impl SystemRecord {
    /// Frozen: all rules that work now rest from now on.
    pub(super) fn freeze(&mut self, settings: &Settings) {
        self.frozen = true;
        self.resting.extend(settings.rules.iter().filter(|rule| rule.enabled).map(|rule| rule.name.clone()));
    }

    /// The settings as they hold under it. A file that says `frozen` is a freeze like any other, and a rule that comes
    /// while the site is frozen rests like those that were there.
    pub(super) fn over(&mut self, mut settings: Settings) -> Settings {
        if self.frozen || settings.system.frozen {
            self.freeze(&settings);
        }
        settings.system.frozen = self.frozen;
        for rule in settings.rules.iter_mut().filter(|rule| self.resting.contains(&rule.name)) {
            rule.enabled = false;
        }
        settings
    }
}

impl Switch {
    /// Nothing is offered or dialled any more. Who talks, or has answered us, is served; whatever only rings, stops.
    pub(super) fn frozen(&mut self, now: Now) {
        self.apply_system();
        let open: Vec<(TaskId, bool)> = self
            .planner
            .iter()
            .filter(|task| !self.is_being_kept(task))
            .map(|task| (task.id, task.rule.as_ref().is_some_and(|rule| self.system.resting.contains(rule))))
            .collect();
        for (task, rests) in open {
            if rests {
                // S5.9: a rule that is disabled takes its open tasks with it.
                self.cancel_task(now, task, CloseReason::Frozen, Pending::Told);
            } else {
                self.supersede(now, task);
            }
        }
        self.publish(event::Event::SiteFrozen);
    }

    /// Dialling is possible again; the rules rest on.
    pub(super) fn unfrozen(&mut self, now: Now) {
        self.apply_system();
        self.planner.review(now.utc);
        self.publish(event::Event::SiteUnfrozen);
    }

    /// A rule that a freeze had disabled works again as the settings say.
    pub(super) fn activated(&mut self, rule: &Name) {
        self.apply_system();
        self.publish(event::Event::RuleActivated { rule: rule.clone() });
    }

    /// What lies over the settings has changed.
    fn apply_system(&mut self) {
        let mut configured = Settings::clone(&self.configured);
        // The file's own word was heard at the start; since then people decide.
        configured.system.frozen = false;
        self.settings = Arc::new(self.system.over(configured));
        self.serve_wanted = true;
    }
}
