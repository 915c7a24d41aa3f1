//! Phones that turn up elsewhere: a secret that is used from a new place may have been stolen. A person is told at
//! once; calls to the outside from there are few, and then none until he has answered (security.md T35). Who makes two
//! at once is a machine, and has none; and where all secrets are stolen, a few calls each would be too many.

use super::call::Kind;
use super::durable::Pending;
use super::{Change, Switch, event};
use crate::agent::places::{Places, Verdict};
use crate::id::Name;
use crate::limits;
use crate::time::Now;
use std::net::IpAddr;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);

impl Switch {
    /// Somebody has shown an agent's secret from this address.
    pub(super) fn seen_at(&mut self, agent: &Name, address: IpAddr) {
        if self.with_places(agent, |places| places.seen(address)) == Some(true) {
            self.publish(event::Event::AgentElsewhere { agent: agent.clone(), address: address.to_string() });
        }
    }

    /// Whether a phone of this agent may call the outside from this address now. Such a call is counted.
    pub(super) fn may_call_outside(&mut self, now: Now, agent: &Name, address: IpAddr) -> bool {
        self.seen_at(agent, address);
        let most = self.settings.system.new_address_calls;
        let mut calls = self.calls.values();
        let is_under_way = calls.any(|call| call.kind == Kind::Outbound && call.agent.as_ref() == Some(agent));
        self.elsewhere.retain(|call| *call + HOUR > now.tick);
        let is_suspicious = is_under_way || self.elsewhere.len() >= limits::ELSEWHERE_HOURLY;
        match self.with_places(agent, |places| places.calls_out(address, most, is_suspicious)) {
            Some(Verdict::Allowed) => return true,
            Some(Verdict::Counted) => {
                self.elsewhere.push(now.tick);
                return true;
            }
            Some(Verdict::Blocked) => {
                self.publish(event::Event::AgentBlocked { agent: agent.clone(), address: address.to_string() });
            }
            Some(Verdict::StillBlocked) | None => {}
        }
        self.publish(event::Event::SipRefused { why: "new_address" });
        false
    }

    /// A person says that the new places of an agent's phones are all right. `pending` goes on when the disk knows.
    pub(super) fn trust(&mut self, agent: &Name, pending: Pending) {
        let Some(desk) = self.agents.get_mut(agent) else { return };
        desk.places_mut().trust();
        let record = self.choice_of(agent);
        self.commit(record.into_iter().map(Change::PutAgent).collect(), pending);
        self.publish(event::Event::AgentTrusted { agent: agent.clone() });
    }

    /// Looks at an agent's places, and stores what has become of them.
    pub(super) fn with_places<T>(&mut self, agent: &Name, look: impl FnOnce(&mut Places) -> T) -> Option<T> {
        let places = self.agents.get_mut(agent)?.places_mut();
        let before = places.clone();
        let seen = look(places);
        if *places != before
            && let Some(record) = self.choice_of(agent)
        {
            self.commit(vec![Change::PutAgent(record)], Pending::Told);
        }
        Some(seen)
    }
}
