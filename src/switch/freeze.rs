//! Freezing the site (S5.12): rules rest and nothing is dialled; after unfreezing, each rule is activated by hand.
//!
//! The site's own settings stay what they are. What a freeze has done lies over them, on the disk as well, so that
//! neither a restart nor another edition of the settings wakes a rule that nobody has activated.

use super::command::{Refused, Reply};
use super::durable::Pending;
use super::{Change, NotStored, Output, Switch, SystemRecord, event};
use crate::callback::task::CloseReason;
use crate::id::{Name, ReplyTo, TaskId};
use crate::settings::Settings;
use crate::time::Now;
use std::sync::Arc;

impl SystemRecord {
    /// Frozen: all rules that work now rest from now on.
    fn freeze(&mut self, settings: &Settings) {
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
    pub(super) fn freeze(&mut self, now: Now, to: ReplyTo) {
        let settings = self.settings.clone();
        self.system.freeze(&settings);
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
        self.keep_system(to);
    }

    /// Dialling is possible again; the rules rest on.
    pub(super) fn unfreeze(&mut self, now: Now, to: ReplyTo) {
        self.system.frozen = false;
        self.apply_system();
        self.planner.review(now.utc);
        self.publish(event::Event::SiteUnfrozen);
        self.keep_system(to);
    }

    /// A rule that a freeze has disabled works again as the settings say.
    pub(super) fn activate_rule(&mut self, rule: &str, to: ReplyTo) -> Result<(), Refused> {
        if self.settings.rule(rule).is_none() {
            return Err(Refused::NotFound { kind: "rule", name: rule.to_owned() });
        }
        if self.system.frozen {
            return Err(Refused::Conflict { detail: "the site is frozen; unfreeze it first".to_owned() });
        }
        if !self.system.resting.remove(rule) {
            return Err(Refused::Conflict { detail: format!("no freeze has disabled the rule {rule}") });
        }
        self.apply_system();
        self.publish(event::Event::RuleActivated { rule: Name::from(rule) });
        self.keep_system(to);
        Ok(())
    }

    /// What lies over the settings has changed.
    fn apply_system(&mut self) {
        let mut configured = Settings::clone(&self.configured);
        // The file's own word was heard at the start; since then people decide.
        configured.system.frozen = false;
        self.settings = Arc::new(self.system.over(configured));
        self.serve_wanted = true;
    }

    fn keep_system(&mut self, to: ReplyTo) {
        self.commit(vec![Change::PutSystem(self.system.clone())], Pending::System(to));
    }

    /// The disk has answered.
    pub(super) fn system_committed(&mut self, to: ReplyTo, stored: Result<(), NotStored>) {
        let reply = match stored {
            Ok(()) => Reply::Status(self.status()),
            Err(_) => Reply::Refused(Refused::NotStored),
        };
        self.out.push_back(Output::Reply(to, reply));
    }
}
