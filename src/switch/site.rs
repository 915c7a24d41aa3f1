//! Another edition of the site, while calls go on: stored first, then in force at once and as a whole.
//!
//! What talks, talks on. What only rings for something that is gone, or disabled, stops. A task whose rule was disabled
//! is cancelled `rule_disabled` (S5.9); one whose rule, queue, agent, group or menu is gone, `source_deleted` (S5.11).
//! An attempt that is loaded goes on as it was loaded, and the next one reads the new settings (S5.10, C16). What the
//! process was started with (`[server]`) waits for its next start.

use super::call::Story;
use super::command::{Configure, Done, Refused, Reply};
use super::durable::{Pending, binding_change};
use super::end::EndCause;
use super::legs::{Phase, Who};
use super::offer::Offer;
use super::{AgentRecord, AuditRecord, CallTimer, Change, NotStored, Switch, SystemRecord, Timer, event, say};
use crate::agent::Agent;
use crate::agent::places::Places;
use crate::callback::task::{CloseReason, MissedBy, Task};
use crate::id::{AuditId, CallRef, LegRef, Name, ReplyTo, TaskId};
use crate::limits;
use crate::media::Play;
use crate::policy::Policy;
use crate::queue::line::{Kind as EntryKind, Line};
use crate::settings::{self, Destination, Settings};
use crate::time::Now;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// What holds, and from what it follows.
#[derive(Debug)]
pub(super) struct Edition {
    configured: Arc<Settings>,
    settings: Arc<Settings>,
    system: SystemRecord,
}

impl Switch {
    /// Somebody has changed the site: onto the disk with it, all or nothing (S5.31).
    pub(super) fn configure(&mut self, now: Now, configure: Configure, to: ReplyTo) {
        let Configure { settings, put, removed, done } = configure;
        let audit = self.entries(now, done);
        let put = put.into_iter().map(|object| Change::PutObject(Box::new(object)));
        let removed = removed.into_iter().map(|(kind, name)| Change::RemoveObject { kind, name });
        let noted = audit.iter().cloned().map(|entry| Change::PutAudit(Box::new(entry)));
        let changes = put.chain(removed).chain(noted).collect();
        self.commit(changes, Pending::Site { to, settings, audit });
    }

    /// The disk has answered.
    pub(super) fn site_committed(
        &mut self,
        now: Now,
        to: ReplyTo,
        settings: &Settings,
        audit: Vec<AuditRecord>,
        stored: Result<(), NotStored>,
    ) {
        let reply = match stored {
            Ok(()) => {
                self.adopt(now, settings.clone());
                self.remember_done(audit);
                Reply::Stored
            }
            Err(_) => Reply::Refused(Refused::NotStored),
        };
        self.reply(to, reply);
    }

    /// What holds, before another edition is adopted.
    pub(super) fn edition(&self) -> Edition {
        let (configured, settings) = (self.configured.clone(), self.settings.clone());
        Edition { configured, settings, system: self.system.clone() }
    }

    /// After a fault: what held is what held before, so that an edition that was torn off can be adopted anew. What was
    /// done of it already will be found done.
    pub(super) fn back_to(&mut self, before: Edition) {
        (self.configured, self.settings, self.system) = (before.configured, before.settings, before.system);
    }

    /// Another edition holds from now on.
    fn adopt(&mut self, now: Now, mut new: Settings) {
        let old = self.settings.clone();
        new.server = old.server.clone();
        let was_frozen = self.configured.system.frozen;
        let (froze, thawed) = (new.system.frozen && !was_frozen, !new.system.frozen && was_frozen);
        self.configured = Arc::new(new.clone());
        let before = self.system.clone();
        self.system.frozen &= !thawed;
        new.system.frozen = froze;
        let settings = Arc::new(self.system.over(new));
        self.settings = settings.clone();
        if self.system != before {
            self.commit(vec![Change::PutSystem(self.system.clone())], Pending::Told);
        }
        self.policy = Policy::new(&settings);
        self.lists_heeded = now.utc;
        // What customers have said outlives every edition.
        self.do_not_call.keys().for_each(|number| self.policy.never_again(number));
        self.adopt_trunks(now, &settings);
        self.adopt_agents(now, &settings, &old);
        for queue in &settings.queues {
            self.lines.entry(queue.name.clone()).or_insert_with(|| Line::new(queue.name.clone()));
            self.paces.entry(queue.name.clone()).or_default();
        }
        self.clear_removed_queues(now, &old);
        self.close_lost_tasks(now, froze);
        self.lines.retain(|queue, _| settings.queue(queue).is_some());
        self.paces.retain(|queue, _| settings.queue(queue).is_some());
        self.unstaffed.retain(|queue| settings.queue(queue).is_some());
        self.end_lost_dialogues(now);
        self.planner.review(now.utc);
        self.publish(event::Event::ConfigChanged);
        self.serve_wanted = true;
    }

    fn adopt_trunks(&mut self, now: Now, settings: &Settings) {
        let begun = self.trunks.resettle(settings, now);
        // What was asked on behalf of a trunk as it used to be is nobody's answer now.
        self.lookups.retain(|_, trunk| !begun.contains(trunk));
        self.requests.retain(|_, (trunk, _)| !begun.contains(trunk));
    }

    /// Agents who are gone get no new calls; those they have go on.
    fn adopt_agents(&mut self, now: Now, settings: &Settings, old: &Settings) {
        let gone = self.registrar.resettle(settings);
        if !gone.is_empty() {
            self.commit(gone.iter().map(binding_change).collect(), Pending::Told);
            for change in &gone {
                self.registrar.apply(change);
            }
        }
        let gone: Vec<Name> = self.agents.keys().filter(|name| settings.agent(name).is_none()).cloned().collect();
        for agent in gone {
            self.agents.remove(&agent);
            // Should one of this name come again, it is somebody else.
            let (logged_in, paused, places) = (false, None, Places::default());
            let (not_in, not_ready_in) = (Vec::new(), Vec::new());
            let blank = AgentRecord { agent, logged_in, paused, not_in, not_ready_in, places };
            self.commit(vec![Change::PutAgent(blank)], Pending::Told);
        }
        for agent in &settings.agents {
            if old.agent(&agent.name).is_some_and(|before| before.secret != agent.secret) {
                self.with_places(&agent.name, Places::forget_new);
            }
            match self.agents.get_mut(&agent.name) {
                Some(desk) => desk.resettle(agent, settings, now),
                None => self.hire(now, agent, settings),
            }
        }
        self.hand_over_calls(settings, old);
        let of_nobody = |who: &Who| matches!(who, Who::Agent(name) if settings.agent(name).is_none());
        let rings = self.legs.iter().filter(|(_, leg)| leg.phase == Phase::Inviting && of_nobody(&leg.who));
        let rings: Vec<LegRef> = rings.map(|(id, _)| *id).collect();
        for leg in rings {
            self.end_leg(now, leg, EndCause::Failed);
        }
    }

    /// Somebody new, whose phone may be here already: of one who has another name now. It logs him in, as it would
    /// after a restart.
    fn hire(&mut self, now: Now, agent: &settings::Agent, settings: &Settings) {
        self.agents.insert(agent.name.clone(), Agent::new(agent, settings, now));
        let bindings = self.registrar.bindings(&agent.extension);
        let addresses: Vec<IpAddr> = bindings.map(|binding| binding.flow.remote.ip()).collect();
        if !addresses.is_empty() {
            self.phone_appeared(now, &agent.name);
        }
        for address in addresses {
            self.seen_at(&agent.name, address);
        }
    }

    /// Who talks at an extension that is somebody else's now, with the secret that it had, is that one: he has only
    /// another name.
    fn hand_over_calls(&mut self, settings: &Settings, old: &Settings) {
        let gone = old.agents.iter().filter(|before| settings.agent(&before.name).is_none());
        let renamed: BTreeMap<&Name, &Name> = gone
            .filter_map(|before| {
                let is_it = |now: &&settings::Agent| now.extension == before.extension && now.secret == before.secret;
                Some((&before.name, &settings.agents.iter().find(is_it)?.name))
            })
            .collect();
        let mut calls = BTreeSet::new();
        for leg in self.legs.values_mut().filter(|leg| leg.phase != Phase::Inviting) {
            if let Who::Agent(name) = &leg.who
                && let Some(new) = renamed.get(name)
            {
                leg.who = Who::Agent(Name::clone(new));
                calls.insert(leg.call);
            }
        }
        for call in calls {
            if let Some(call) = self.calls.get_mut(&call)
                && let Some(new) = call.agent.as_ref().and_then(|name| renamed.get(name))
            {
                call.agent = Some(Name::clone(new));
            }
        }
    }

    /// Whoever waits in a line that is no more goes where its overflow leads, if that is still there, or hears that he
    /// should call later.
    fn clear_removed_queues(&mut self, now: Now, old: &Settings) {
        let settings = self.settings.clone();
        for queue in old.queues.iter().filter(|queue| settings.queue(&queue.name).is_none()) {
            let entries = self.lines.get(&queue.name).into_iter().flat_map(Line::callers);
            let callers: Vec<CallRef> = entries
                .filter_map(|entry| match entry.kind {
                    EntryKind::Live(call) => Some(call),
                    EntryKind::Promise(_) => None,
                })
                .collect();
            let overflow = queue.overflow.as_ref().filter(|to| leads_somewhere(&settings, to));
            for call in callers {
                if let Some((caller, _)) = self.leave_line(now, call) {
                    self.go_or_say(now, call, caller, overflow, &["call_later"], EndCause::WaitedTooLong);
                }
            }
        }
    }

    /// Open tasks whose rule rests, or whose source is gone. A conversation goes on (S5.9), and so does one that the
    /// customer has answered already.
    fn close_lost_tasks(&mut self, now: Now, froze: bool) {
        let quiet = self.planner.iter().filter(|task| !self.is_being_kept(task));
        let all: Vec<(TaskId, Option<CloseReason>)> = quiet.map(|task| (task.id, self.lost(task))).collect();
        for (task, lost) in all {
            match lost {
                Some(reason) => drop(self.cancel_task(now, task, reason, Pending::Told)),
                None if froze => self.supersede(now, task),
                None => {}
            }
        }
    }

    /// Why a task has no reason to be kept any more; `None`: it has one.
    pub(super) fn lost(&self, task: &Task) -> Option<CloseReason> {
        let settings = &self.settings;
        if self.policy.wants_none(&task.number, self.seen.utc) {
            return Some(CloseReason::Dnc);
        }
        let rule = task.rule.as_deref().map(|rule| settings.rule(rule));
        let is_there = match &task.missed_by {
            None => true,
            Some(MissedBy::Queue(queue)) => settings.queue(queue).is_some(),
            Some(MissedBy::Agent(agent)) => settings.agent(agent).is_some(),
            Some(MissedBy::Group(group)) => settings.group(group).is_some(),
            Some(MissedBy::Ivr(ivr)) => settings.ivr(ivr).is_some(),
        };
        let served = settings.queue(&task.queue).is_some()
            && settings.profile(&task.profile).is_some()
            && task.agent.as_ref().is_none_or(|agent| settings.agent(agent).is_some());
        match rule {
            Some(None) => Some(CloseReason::SourceDeleted),
            Some(Some(_)) | None if !is_there || !served => Some(CloseReason::SourceDeleted),
            Some(Some(rule)) if !rule.enabled && self.system.resting.contains(&rule.name) => Some(CloseReason::Frozen),
            Some(Some(rule)) if !rule.enabled => Some(CloseReason::RuleDisabled),
            Some(Some(_)) | None => None,
        }
    }

    /// A task that waits again after its site has changed: is it still wanted?
    pub(super) fn close_if_lost(&mut self, now: Now, id: TaskId) {
        if let Some(reason) = self.planner.get(id).and_then(|task| self.lost(task)) {
            self.cancel_task(now, id, reason, Pending::Told);
        }
    }

    /// Callers in a dialogue under a rule that offers nothing any more hear music again; those in a menu that is gone
    /// are sent home.
    fn end_lost_dialogues(&mut self, now: Now) {
        let settings = self.settings.clone();
        let rests = |rule: &Name| settings.rule(rule).is_none_or(|rule| !rule.enabled);
        let mut to_hold = Vec::new();
        let mut home = Vec::new();
        for call in self.calls.values() {
            match &call.story {
                Story::Waiting(waiting) if !matches!(waiting.offer, Offer::Closed | Offer::Made) => {
                    if waiting.rule.as_ref().is_some_and(rests) {
                        to_hold.push(call.id);
                    }
                }
                Story::Menu(menu) if settings.ivr(menu.ivr()).is_none() => home.push((call.id, menu.caller)),
                Story::Waiting(_)
                | Story::Menu(_)
                | Story::Direct(_)
                | Story::Attempt(_)
                | Story::Talking(_)
                | Story::Announcing { .. }
                | Story::Over => {}
            }
        }
        to_hold.into_iter().for_each(|call| self.back_to_music(now, call));
        for (call, caller) in home {
            self.menu_is_gone(now, call, caller);
        }
    }

    fn back_to_music(&mut self, now: Now, id: CallRef) {
        let settings = self.settings.clone();
        let Some(waiting) = self.waiting_mut(id) else { return };
        let Some(queue) = settings.queue(&waiting.queue) else { return };
        let caller = waiting.caller;
        (waiting.offer, waiting.rule) = (Offer::Closed, None);
        self.timers.cancel(&Timer::Call(id, CallTimer::Dialogue));
        let clips = say::in_language(&queue.language, vec!["back_to_hold".into()]);
        let play = self.play(caller, Play::Clips { clips, then: Some(say::hold(queue)) });
        if let Some(waiting) = self.waiting_mut(id) {
            waiting.play = play;
        }
        self.keep_standing(id);
        self.note(now, id, "the offer is withdrawn");
    }
}

fn leads_somewhere(settings: &Settings, to: &Destination) -> bool {
    match to {
        Destination::Queue(name) => settings.queue(name).is_some(),
        Destination::Agent(name) => settings.agent(name).is_some(),
        Destination::Group(name) => settings.group(name).is_some(),
        Destination::Ivr(name) => settings.ivr(name).is_some(),
        Destination::Hangup(_) => true,
    }
}

// --- Who has done what ---
impl Switch {
    pub(super) fn entries(&mut self, now: Now, done: Vec<Done>) -> Vec<AuditRecord> {
        let entry = |done: Done| AuditRecord {
            id: AuditId(self.entropy.ulid(now.utc)),
            at: now.utc,
            who: done.who,
            from: done.from,
            what: done.what,
            object: done.object,
            detail: done.detail,
        };
        done.into_iter().map(entry).collect()
    }

    /// Notes what somebody has done.
    pub(super) fn note_done(&mut self, now: Now, done: Vec<Done>) {
        let entries = self.entries(now, done);
        let changes = entries.iter().cloned().map(|entry| Change::PutAudit(Box::new(entry))).collect();
        self.remember_done(entries);
        self.commit(changes, Pending::Told);
    }

    pub(super) fn remember_done(&mut self, entries: Vec<AuditRecord>) {
        self.audit.extend(entries);
        while self.audit.len() > limits::REMEMBERED {
            self.audit.pop_front();
        }
    }
}
