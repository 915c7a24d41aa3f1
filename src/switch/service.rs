//! What service remembers: whose turn it is, who served whom last, how soon callers were answered, and when somebody
//! may be served who cannot be yet.

use super::Switch;
use super::call::Kind;
use super::event::Event;
use super::view::ServiceLevel;
use crate::id::Name;
use crate::limits::KNOWN_CUSTOMERS;
use crate::number::Party;
use crate::settings::Queue;
use crate::time::{DateTime, Tick, Utc};
use chrono::TimeDelta;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Service {
    /// Whom each queue has offered a call last (`round_robin`).
    pub(super) offered: BTreeMap<Name, Name>,
    served: BTreeMap<Party, (DateTime<Utc>, Name)>,
    oldest: BTreeSet<(DateTime<Utc>, Party)>,
    levels: BTreeMap<Name, ServiceLevel>,
    /// A gate opens by itself then: an owner's time is over, one has yielded long enough, or an agent who is ready is
    /// not excluded any more.
    pub(super) look: Option<Tick>,
    /// The disk has let an attempt wait for too long, and has answered nothing since.
    pub(super) disk_hangs: bool,
}

impl Service {
    /// An agent has served a customer. Who was served longest ago is forgotten when there are too many.
    pub(super) fn remember(&mut self, party: &Party, agent: &Name, at: DateTime<Utc>) {
        if let Some((before, _)) = self.served.get(party).cloned() {
            if before > at {
                return;
            }
            self.oldest.remove(&(before, party.clone()));
        }
        self.served.insert(party.clone(), (at, agent.clone()));
        self.oldest.insert((at, party.clone()));
        if self.oldest.len() > KNOWN_CUSTOMERS
            && let Some((_, forgotten)) = self.oldest.pop_first()
        {
            self.served.remove(&forgotten);
        }
    }

    /// Nothing is known of this customer any more.
    pub(super) fn forget(&mut self, party: &Party) {
        if let Some((at, _)) = self.served.remove(party) {
            self.oldest.remove(&(at, party.clone()));
        }
    }

    /// Who served this customer last, when that is not longer ago than so many days.
    pub(super) fn knows(&self, party: &Party, now: DateTime<Utc>, days: u16) -> Option<&Name> {
        let (at, agent) = self.served.get(party)?;
        (now.signed_duration_since(*at) < TimeDelta::days(days.into())).then_some(agent)
    }

    /// The service level of a queue so far.
    pub(super) fn level(&self, queue: &Queue) -> ServiceLevel {
        let counted = self.levels.get(&queue.name).copied().unwrap_or_default();
        ServiceLevel { sla_secs: queue.sla.map(|goal| goal.as_secs()), ..counted }
    }
}

impl Switch {
    /// Something happened that service remembers.
    pub(super) fn heed(&mut self, event: &Event) {
        match event {
            Event::CallAnswered { call, agent, wait_secs } => {
                let Some(call) = self.calls.get(call) else { return };
                if let Some(party) = &call.customer {
                    self.service.remember(party, agent, self.seen.utc);
                }
                if let (Kind::Inbound, Some(queue)) = (call.kind, &call.queue) {
                    let goal = self.settings.queue(queue).and_then(|queue| queue.sla);
                    let level = self.service.levels.entry(queue.clone()).or_default();
                    level.answered += 1;
                    level.in_time += u64::from(goal.is_some_and(|goal| Duration::from_secs(*wait_secs) <= goal));
                }
            }
            Event::CallAbandoned { queue, .. } => {
                self.service.levels.entry(queue.clone()).or_default().abandoned += 1;
            }
            _ => {} // What else happens is no service.
        }
    }
}
