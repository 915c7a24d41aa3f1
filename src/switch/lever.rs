//! Levers: what operators switch for the whole site. A freeze and its end, a rule that is activated (S5.12), dialling
//! that goes on after the breaker.
//!
//! Persist before you promise: a lever has moved when the disk has it, and not before; one that the disk refuses has
//! not moved at all. They go to the disk one after the other, in the order in which they were pulled, each judged when
//! its turn comes. What an edition of the site has changed meanwhile is not overwritten: the lever is stored anew on
//! top of it, and only the disk's last word takes effect.

use super::command::{Refused, Reply};
use super::durable::{Owed, Pending};
use super::{Change, NotStored, Switch, SystemRecord};
use crate::id::{Name, ReplyTo};
use crate::limits;
use crate::settings::Settings;
use crate::time::{DateTime, Now, Utc};

/// One of them that somebody has pulled.
#[derive(Clone, Debug)]
pub(super) struct Pulled {
    lever: Lever,
    to: ReplyTo,
    /// It may move, and is on its way to the disk.
    judged: bool,
}

/// One of them, as it is pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lever {
    /// Rules rest and nothing is dialled.
    Freeze,
    /// Dialling is possible again; the rules rest on.
    Unfreeze,
    /// A rule that a freeze has disabled works again.
    Activate(Name),
    /// A person has looked at what the breaker had stopped.
    Resume(DateTime<Utc>),
}

impl Pulled {
    /// Who waits for it.
    pub(super) fn to(&self) -> ReplyTo {
        self.to
    }
}

impl Lever {
    /// What lies over the settings once it has moved.
    fn moved(&self, system: &SystemRecord, settings: &Settings) -> SystemRecord {
        let mut system = system.clone();
        match self {
            Lever::Freeze => system.freeze(settings),
            Lever::Unfreeze => system.frozen = false,
            Lever::Activate(rule) => drop(system.resting.remove(rule)),
            Lever::Resume(at) => system.resumed_at = Some(*at),
        }
        system
    }
}

impl Switch {
    /// Somebody pulls a lever. Its answer comes with the disk's leave.
    pub(super) fn pull(&mut self, lever: Lever, to: ReplyTo) {
        if self.levers.len() >= limits::ASKED {
            let refused = Refused::Conflict { detail: "too much of this kind waits for the disk".to_owned() };
            return self.reply(to, Reply::Refused(refused));
        }
        self.levers.push_back(Pulled { lever, to, judged: false });
        if self.levers.len() == 1 {
            self.next_lever();
        }
    }

    /// The next one goes to the disk; those that cannot move are answered at once.
    fn next_lever(&mut self) {
        while let Some(Pulled { lever, to, .. }) = self.levers.front().cloned() {
            let answer = match self.may_move(&lever) {
                Ok(true) => return self.store_lever(&lever),
                Ok(false) => Reply::Status(self.status()),
                Err(refused) => Reply::Refused(refused),
            };
            self.levers.pop_front();
            self.reply(to, answer);
        }
    }

    /// After a fault: whether the first one has moved wholly nobody knows, so it is stored, and moves, once more.
    pub(super) fn mend_levers(&mut self) {
        if self.commits.values().any(|(pending, _)| matches!(pending, Pending::System(_))) {
            return;
        }
        match self.levers.front().cloned() {
            Some(Pulled { lever, judged: true, .. }) => self.store_lever(&lever),
            Some(Pulled { judged: false, .. }) => self.next_lever(),
            None => {}
        }
    }

    /// Whether a lever has anything to move now; or why it must not.
    fn may_move(&self, lever: &Lever) -> Result<bool, Refused> {
        match lever {
            Lever::Freeze | Lever::Unfreeze => Ok(true),
            Lever::Resume(_) => Ok(self.planner.ledger().tripped().is_some() || self.doubted_secs().is_some()),
            Lever::Activate(rule) if self.settings.rule(rule).is_none() => {
                Err(Refused::NotFound { kind: "rule", name: rule.to_string() })
            }
            Lever::Activate(_) if self.system.frozen => {
                Err(Refused::Conflict { detail: "the site is frozen; unfreeze it first".to_owned() })
            }
            Lever::Activate(rule) if !self.system.resting.contains(rule) => {
                Err(Refused::Conflict { detail: format!("no freeze has disabled the rule {rule}") })
            }
            Lever::Activate(_) => Ok(true),
        }
    }

    fn store_lever(&mut self, lever: &Lever) {
        if let Some(first) = self.levers.front_mut() {
            first.judged = true;
        }
        let moved = lever.moved(&self.system, &self.settings);
        self.commit(vec![Change::PutSystem(moved.clone())], Pending::System(Box::new(moved)));
    }

    /// The disk has answered.
    pub(super) fn system_committed(&mut self, now: Now, moved: SystemRecord, stored: Result<(), NotStored>) {
        let Some(Pulled { lever, to, .. }) = self.levers.front().cloned() else { return };
        let reply = match stored {
            Ok(()) => {
                let follows = self.commits.values().any(|(_, owed)| owed.contains(&Owed::System));
                if follows || lever.moved(&self.system, &self.settings) != moved {
                    return self.store_lever(&lever); // An edition of the site has come in between.
                }
                self.system = moved;
                self.has_moved(now, &lever);
                Reply::Status(self.status())
            }
            Err(_) => Reply::Refused(Refused::NotStored),
        };
        self.levers.pop_front();
        self.reply(to, reply);
        self.next_lever();
    }

    /// Nothing of it is done twice when it is done once more.
    fn has_moved(&mut self, now: Now, lever: &Lever) {
        match lever {
            Lever::Freeze => self.frozen(now),
            Lever::Unfreeze => self.unfrozen(now),
            Lever::Activate(rule) => self.activated(rule),
            Lever::Resume(at) => {
                self.confirm_clock();
                self.resumed(*at);
            }
        }
    }
}
