//! The disk watch (durability.md §2.12): how much room the data directory has, looked at every other second, off every
//! thread that serves calls. The switch is told when the level changes, and decides what follows.
//!
//! Here the ballast is made as soon as there is room for it, and a store that could not write is asked to look again:
//! while nothing is promised nobody may commit anything, and it would stay as it is.

use super::standing::Standing;
use crate::store::ballast::Ballast;
use crate::store::{Health, Snapshots};
use crate::switch::{Input, Space};
use chrono::{DateTime, Utc};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

/// How often the disk is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// What a disk says of itself, in octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Free for us.
    pub free: u64,
    /// All of it.
    pub whole: u64,
}

/// Asks the disk on which a directory lies; `None`: it does not say.
pub type Measure = Arc<dyn Fn(&Path) -> Option<Room> + Send + Sync>;

/// The real one.
pub fn measure() -> Measure {
    Arc::new(|path| {
        let space = rustix::fs::statvfs(path).ok()?;
        let octets = |blocks: u64| blocks.saturating_mul(space.f_frsize);
        Some(Room { free: octets(space.f_bavail), whole: octets(space.f_blocks) })
    })
}

/// What was seen last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The level.
    pub space: Space,
    /// Since when.
    pub since: DateTime<Utc>,
    /// `None`: the disk does not say.
    pub room: Option<Room>,
}

/// The last look, for whoever asks; copies show the same.
#[derive(Clone, Debug)]
pub struct LastLook(Arc<Mutex<Seen>>);

impl Default for LastLook {
    fn default() -> LastLook {
        LastLook(Arc::new(Mutex::new(Seen { space: Space::default(), since: Utc::now(), room: None })))
    }
}

impl LastLook {
    /// What was seen.
    pub fn seen(&self) -> Seen {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes another look; the level, if it is another one now.
    fn take(&self, room: Option<Room>) -> Option<Space> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.room = room;
        // A disk that does not say how full it is fails at writing, which is decided there.
        let space = room.map_or(Space::Ample, |room| seen.space.after(room.free, room.whole));
        if space == seen.space {
            return None;
        }
        (seen.space, seen.since) = (space, Utc::now());
        Some(space)
    }
}

/// What the watch looks at and whom it tells.
pub(super) struct Watch {
    pub data: PathBuf,
    pub measure: Measure,
    pub standing: Standing,
    pub store: Snapshots,
    pub health: Health,
    pub ballast: Ballast,
    pub news: mpsc::Sender<Input>,
}

impl Watch {
    /// Looks until the switch has ended.
    pub(super) async fn run(self) {
        let watch = Arc::new(self);
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            let at_work = watch.clone();
            // A disk may take its time even to say how full it is.
            let looked = tokio::task::spawn_blocking(move || at_work.look()).await;
            let Ok(change) = looked else { return tracing::error!("the disk watch has ended by a fault of its own") };
            if let Some(space) = change
                && watch.news.send(Input::Space(space)).await.is_err()
            {
                return; // The switch has ended.
            }
        }
    }

    fn look(&self) -> Option<Space> {
        if self.health.is_poisoned() {
            self.store.mend();
        }
        let change = self.standing.disk.take((self.measure)(&self.data));
        self.keep_ballast();
        self.standing.look();
        change
    }

    /// Makes the ballast when recordings will still have room beside it.
    fn keep_ballast(&self) {
        let Some(Room { free, whole }) = self.standing.disk.seen().room else { return };
        let left = free.checked_sub(self.ballast.octets());
        if self.ballast.is_there() || left.is_none_or(|left| Space::Scarce.after(left, whole) >= Space::Scarce) {
            return;
        }
        match self.ballast.make() {
            Ok(()) => tracing::debug!(octets = self.ballast.octets(), "room is held for the last writes"),
            Err(error) => tracing::warn!(%error, "no room could be held for the last writes on a full disk"),
        }
    }
}
