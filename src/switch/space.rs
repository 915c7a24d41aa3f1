//! Room on the disk, and what is still done with it (durability.md §2.12): recordings stop first, then promises.
//!
//! The shell measures and says how the disk stands; what follows from that is decided here. A level is entered at once
//! and left a point later, so that a disk at a threshold does not switch recordings on and off with every look.

use super::call::Story;
use super::command::Refused;
use super::talk::Purpose;
use super::{Stopped, Switch, event};
use crate::id::{CallRef, RecordingId};
use crate::limits;
use crate::time::Now;
use serde::{Deserialize, Serialize};

/// How much room the disk of the data directory has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Space {
    /// Enough.
    #[default]
    Ample,
    /// Below 10 %: somebody should make room.
    Low,
    /// Below 5 %: no recordings, but those that are required.
    Scarce,
    /// Below 2 %, or 32 MiB: no recordings and no promises. What was promised is still kept.
    Spent,
}

/// Each level, the share of the disk below which it holds, in per cent, and so many octets whatever their share is.
const LEVELS: [(Space, u64, u64); 3] = [(Space::Spent, 2, 32 << 20), (Space::Scarce, 5, 0), (Space::Low, 10, 0)];
/// A level is left only this much above where it was entered, in per cent of the disk.
const SLACK: u64 = 1;

impl Space {
    /// The level after another look: `free` octets of `whole`.
    pub fn after(self, free: u64, whole: u64) -> Space {
        let below = |percent: u64| u128::from(free) * 100 < u128::from(whole) * u128::from(percent);
        let level = |slack: u64| {
            let holds = |(_, percent, least): &&(Space, u64, u64)| {
                below(percent + slack) || free < least + least / 2 * slack.min(1)
            };
            LEVELS.iter().find(holds).map_or(Space::Ample, |(space, ..)| *space)
        };
        if level(0) >= self { level(0) } else { level(SLACK).min(self) }
    }

    /// The word of it in logs, metrics and the interface.
    pub const fn word(self) -> &'static str {
        match self {
            Space::Ample => "ample",
            Space::Low => "low",
            Space::Scarce => "scarce",
            Space::Spent => "spent",
        }
    }
}

impl Switch {
    /// The shell has looked at the disk.
    pub(super) fn on_space(&mut self, now: Now, space: Space) {
        if space == self.space {
            return;
        }
        self.space = space;
        self.publish(event::Event::DiskSpace { space });
        let running = self.calls.values().filter_map(|call| Some((call.id, call.recording?)));
        let stopping: Vec<(CallRef, RecordingId)> =
            running.filter(|(call, _)| !self.may_record(self.must_record(*call))).collect();
        for (call, recording) in stopping {
            self.stop_tape(now, call, recording, Stopped::DiskSpace);
        }
    }

    /// Whether there is room for a tape.
    pub(super) fn may_record(&self, required: bool) -> bool {
        match self.space {
            Space::Ample | Space::Low => true,
            Space::Scarce => required,
            Space::Spent => false, // What is left is for keeping the promises that were made.
        }
    }

    /// Whether there is room for a promise.
    pub(super) fn may_promise_more(&self) -> bool {
        self.space < Space::Spent
    }

    /// Whether a program may ask for one more.
    pub(super) fn room_for_another(&self) -> Result<(), Refused> {
        if self.planner.len() >= limits::OPEN_TASKS {
            return Err(Refused::Conflict { detail: "as many callbacks as the site can hold are open".to_owned() });
        }
        if self.may_promise_more() { Ok(()) } else { Err(Refused::NotStored) }
    }

    /// Whether whoever talks in this call has to be recorded.
    pub(super) fn must_record(&self, id: CallRef) -> bool {
        let Some(call) = self.calls.get(&id) else { return false };
        match &call.story {
            Story::Talking(talk) if talk.purpose == Purpose::Callback => {
                self.loaded(id).is_some_and(|profile| profile.record_required)
            }
            // Only those who talk are recorded.
            _ => call
                .queue
                .as_ref()
                .and_then(|queue| self.settings.queue(queue))
                .is_some_and(|queue| queue.record_required),
        }
    }
}
