//! Agents at work: their choices, and the facts that their legs and bindings say. The state itself is derived in
//! `agent`, so it heals: an agent rings only as long as a leg rings.

use super::arrive::Arrival;
use super::call::{Kind, Role, Story};
use super::durable::Pending;
use super::legs::{Phase, Who};
use super::{AgentRecord, Change, Switch, event};
use crate::agent::places::Places;
use crate::agent::{Chosen, Facts, FeatureCode};
use crate::id::Name;
use crate::time::{Now, Tick};
use std::collections::BTreeMap;

impl AgentRecord {
    /// What the agent had chosen, and where its phones have been.
    pub(super) fn apart(self) -> (Chosen, Places) {
        let chosen = Chosen {
            logged_in: self.logged_in,
            paused: self.paused.map(Into::into),
            not_in: self.not_in.into_iter().collect(),
            not_ready_in: self.not_ready_in.into_iter().collect(),
        };
        (chosen, self.places)
    }
}

/// What an agent chooses, by key or by API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    Pause(Option<String>),
    PauseIn(Name),
    Resume,
    ResumeIn(Name),
    LogIn(Option<Name>),
    LogOut(Option<Name>),
}

impl Choice {
    /// The clip that confirms it.
    fn clip(&self) -> &'static str {
        match self {
            Choice::Pause(_) | Choice::PauseIn(_) => "paused",
            Choice::Resume | Choice::ResumeIn(_) => "resumed",
            Choice::LogIn(_) => "logged_in",
            Choice::LogOut(_) => "logged_out",
        }
    }
}

impl Switch {
    /// `*46` and its like: the choice is stored, then confirmed by voice.
    pub(super) fn on_feature_code(&mut self, now: Now, arrival: Arrival, agent: &Name, code: &FeatureCode) {
        let Some(choice) = self.meant_by(agent, code) else {
            self.ua.refuse(now.tick, arrival.leg, 404, Vec::new());
            return;
        };
        let Some(call) = self.take_in(now, &arrival, Kind::Service) else { return };
        let clip = choice.clip();
        self.choose(now, agent, choice, Pending::Told);
        self.announce_and_end(now, call, arrival.leg, vec![clip.into()]);
    }

    /// What a code means to this agent: digits after it are the number of one of his queues, or else, where a pause
    /// begins, its reason. `None`: of no queue of his.
    fn meant_by(&self, agent: &Name, code: &FeatureCode) -> Option<Choice> {
        let desk = self.agents.get(agent)?;
        let by_number = |digits: &String| self.settings.queues.iter().find(|queue| *queue.number == **digits);
        let own = |digits: &String| {
            let queue = by_number(digits)?;
            queue.members.iter().any(|member| member.agent == *agent).then(|| queue.name.clone())
        };
        let (FeatureCode::TogglePause(digits)
        | FeatureCode::NotReady(digits)
        | FeatureCode::Ready(digits)
        | FeatureCode::ToggleLogin(digits)
        | FeatureCode::LogIn(digits)
        | FeatureCode::LogOut(digits)) = code;
        let queue = digits.as_ref().and_then(own);
        let is_a_reason = digits.as_ref().is_some_and(|digits| by_number(digits).is_none());
        if digits.is_some() && queue.is_none() {
            let is_paused = desk.chosen().paused.is_some();
            return match code {
                FeatureCode::TogglePause(_) if is_a_reason && is_paused => Some(Choice::Resume),
                FeatureCode::TogglePause(_) | FeatureCode::NotReady(_) if is_a_reason => {
                    Some(Choice::Pause(digits.clone()))
                }
                _ => None, // Everything else speaks of a queue, and this is none of his.
            };
        }
        let is_paused = match &queue {
            Some(queue) => desk.is_paused_in(queue),
            None => desk.chosen().paused.is_some(),
        };
        let is_in = queue.as_ref().map_or(desk.chosen().logged_in, |queue| desk.is_in(queue));
        Some(match (code, queue) {
            (FeatureCode::Ready(_), None) => Choice::Resume,
            (FeatureCode::Ready(_), Some(queue)) => Choice::ResumeIn(queue),
            (FeatureCode::TogglePause(_), None) if is_paused => Choice::Resume,
            (FeatureCode::TogglePause(_), Some(queue)) if is_paused => Choice::ResumeIn(queue),
            (FeatureCode::TogglePause(_) | FeatureCode::NotReady(_), None) => Choice::Pause(None),
            (FeatureCode::TogglePause(_) | FeatureCode::NotReady(_), Some(queue)) => Choice::PauseIn(queue),
            (FeatureCode::LogIn(_), queue) => Choice::LogIn(queue),
            (FeatureCode::LogOut(_), queue) => Choice::LogOut(queue),
            (FeatureCode::ToggleLogin(_), queue) if is_in => Choice::LogOut(queue),
            (FeatureCode::ToggleLogin(_), queue) => Choice::LogIn(queue),
        })
    }

    /// An agent chooses: stored, published, and perhaps somebody can be served now. `pending` goes on when the disk
    /// knows.
    pub(super) fn choose(&mut self, now: Now, agent: &Name, choice: Choice, pending: Pending) {
        let Some(desk) = self.agents.get_mut(agent) else { return };
        let before = desk.chosen().clone();
        match choice {
            Choice::Pause(reason) => desk.pause(now, reason.as_deref()),
            Choice::PauseIn(queue) => desk.pause_in(now, &queue),
            Choice::Resume => desk.resume(now),
            Choice::ResumeIn(queue) => desk.resume_in(now, &queue),
            Choice::LogIn(queue) => desk.log_in(now, queue.as_ref()),
            Choice::LogOut(queue) => desk.log_out(now, queue.as_ref()),
        }
        self.chosen(agent, &before, pending);
        self.serve_wanted = true;
    }

    /// What an agent has chosen may not be what it was: stored, and a pause that began or ended is told. Whoever waits
    /// for the disk has it stored in any case: an earlier choice of the same may not be there yet.
    fn chosen(&mut self, agent: &Name, before: &Chosen, pending: Pending) {
        let Some(after) = self.agents.get(agent).map(|desk| desk.chosen().clone()) else { return };
        if after == *before && pending.asked_by().is_none() {
            return;
        }
        match (&before.paused, after.paused) {
            (before, Some(reason)) if before.as_ref() != Some(&reason) => {
                self.publish(event::Event::AgentPaused { agent: agent.clone(), reason: reason.to_string() });
            }
            (Some(_), None) => self.publish(event::Event::AgentResumed { agent: agent.clone() }),
            (_, Some(_)) | (None, None) => {}
        }
        if let Some(record) = self.choice_of(agent) {
            self.commit(vec![Change::PutAgent(record)], pending);
        }
    }

    /// A phone that was not there before has registered.
    pub(super) fn phone_appeared(&mut self, now: Now, agent: &Name) {
        let Some(desk) = self.agents.get_mut(agent) else { return };
        let before = desk.chosen().clone();
        desk.registered(now);
        self.chosen(agent, &before, Pending::Told);
    }

    /// Whether the phones of an agent who is reserved may ring for this queue: below `max_calls`, and still willing to
    /// take its calls (law 5).
    pub(super) fn may_ring(&self, now: Now, agent: &Name, queue: Option<&Name>) -> bool {
        let queue = queue.map(|queue| &**queue);
        self.agents.get(agent).is_some_and(|desk| desk.is_willing(queue, now.tick)) && self.has_a_free_line(agent)
    }

    /// Whether an agent has fewer calls than `max_calls`.
    pub(super) fn has_a_free_line(&self, agent: &Name) -> bool {
        let most = self.settings.agent(agent).map_or(1, |agent| usize::from(agent.max_calls));
        self.legs.values().filter(|leg| matches!(&leg.who, Who::Agent(name) if name == agent)).count() < most
    }

    /// Nobody picked up at this agent's phones.
    pub(super) fn agent_let_ring(&mut self, now: Now, agent: &Name) {
        let Some(desk) = self.agents.get_mut(agent) else { return };
        let before = desk.chosen().clone();
        desk.let_ring(now);
        self.chosen(agent, &before, Pending::Told);
    }

    /// What an agent has chosen, as the disk knows it.
    pub(super) fn choice_of(&self, agent: &Name) -> Option<AgentRecord> {
        let desk = self.agents.get(agent)?;
        let chosen = desk.chosen();
        Some(AgentRecord {
            agent: agent.clone(),
            logged_in: chosen.logged_in,
            paused: chosen.paused.as_deref().map(str::to_owned),
            not_in: chosen.not_in.iter().cloned().collect(),
            not_ready_in: chosen.not_ready_in.iter().cloned().collect(),
            places: desk.places().clone(),
        })
    }

    /// Tells every agent's desk what its legs and bindings say now.
    pub(super) fn refresh_desks(&mut self, now: Now) {
        let mut facts: BTreeMap<Name, Facts> = BTreeMap::new();
        for (id, leg) in &self.legs {
            let Who::Agent(agent) = &leg.who else { continue };
            let facts = facts.entry(agent.clone()).or_default();
            let serves = self.calls.get(&leg.call).is_some_and(|call| match call.role(*id) {
                Some(Role::RungAgent | Role::AttemptAgent) => true,
                Some(_) | None => {
                    matches!(call.kind, Kind::Inbound | Kind::Callback) && call.agent.as_ref() == Some(agent)
                }
            });
            match (serves, leg.phase) {
                (true, Phase::Inviting) => facts.ringing = true,
                (true, Phase::Up | Phase::Arriving) => facts.queue_calls = facts.queue_calls.saturating_add(1),
                (false, _) => facts.other_calls = facts.other_calls.saturating_add(1),
            }
        }
        for call in self.calls.values() {
            if let Story::Attempt(attempt) = &call.story {
                for agent in attempt.reserves() {
                    facts.entry(agent.clone()).or_default().reserved = true;
                }
            }
        }
        for (name, desk) in &mut self.agents {
            let mut facts = facts.remove(name).unwrap_or_default();
            facts.reachable = self.registrar.bindings(desk.extension()).next().is_some();
            desk.set_facts(now, facts);
        }
    }

    /// A served call is over: the agent rests, unless the rest is zero.
    pub(super) fn agent_rests(&mut self, now: Now, agent: &Name, queue: Option<&Name>) {
        let own = self.settings.agent(agent).and_then(|agent| agent.wrap_up);
        let of_queue = queue.and_then(|queue| self.settings.queue(queue)).map(|queue| queue.wrap_up);
        let rest = own.or(of_queue).unwrap_or_default();
        if let Some(desk) = self.agents.get_mut(agent) {
            desk.wrap_up(now, rest);
        }
        self.serve_wanted = true;
    }

    /// Rest and cool-down end, and gates open: when the next one does.
    pub(super) fn next_desk_wake(&self) -> Option<Tick> {
        let desks = self.agents.values().filter_map(crate::agent::Agent::next_wake);
        desks.chain(self.service.look).min()
    }

    /// Rest and cool-down that are over.
    pub(super) fn wake_desks(&mut self, now: Now) {
        if self.service.look.take_if(|look| *look <= now.tick).is_some() {
            self.serve_wanted = true;
        }
        for desk in self.agents.values_mut() {
            if desk.on_time(now) {
                self.serve_wanted = true;
            }
        }
    }
}
