//! The expected wait: place in line times the recent time between two services. It promises nothing it has not seen:
//! with fewer than two services in the last half hour there is no estimate.

use crate::time::Tick;
use std::collections::VecDeque;
use std::time::Duration;

/// Services that are remembered.
const SERVICES: usize = 20;
/// How far back they count.
const WINDOW: Duration = Duration::from_secs(30 * 60);

/// The recent pace of one queue.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    served: VecDeque<Tick>,
}

impl Pace {
    /// Somebody was served: a caller answered by an agent, or a customer called back.
    pub fn served(&mut self, now: Tick) {
        if self.served.len() == SERVICES {
            self.served.pop_front();
        }
        self.served.push_back(now);
    }

    /// How long the one at `position` (from 1) will still wait. The time since the last service counts as well, so
    /// the estimate grows while nothing moves.
    pub fn expected_wait(&self, position: usize, now: Tick) -> Option<Duration> {
        let recent: Vec<Tick> = self.served.iter().copied().filter(|at| now.since(*at) <= WINDOW).collect();
        let first = *recent.first()?;
        let services = u32::try_from(recent.len() - 1).ok().filter(|services| *services > 0)?;
        let between = now.since(first) / services;
        Some(between.saturating_mul(u32::try_from(position).unwrap_or(u32::MAX)))
    }
}
