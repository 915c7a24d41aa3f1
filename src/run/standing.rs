//! How store and disk stand, for people and programs: `/readyz`, `GET /status`, `/metrics`, the first page, `ringback
//! status` and `ringback doctor` all say the same.

use super::space::LastLook;
use crate::store::ballast::Ballast;
use crate::store::{Health, Report, Troubles, erase};
use crate::switch::Space;
use chrono::{DateTime, SubsecRound, Utc};
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// The file whose age is that of the last backup.
const BACKED_UP: &str = "backed-up";

/// A backup has been made of the store in this data directory.
pub fn note_backup(data: &Path) {
    if let Err(error) = fs::write(data.join("store").join(BACKED_UP), "") {
        tracing::warn!(%error, "when the last backup was made could not be noted");
    }
}

/// What is known of store and disk; copies know the same.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// The disk.
    pub disk: LastLook,
    health: Health,
    found: Option<Arc<Found>>,
    ages: Arc<Mutex<Ages>>,
}

/// What the start has found.
#[derive(Debug)]
struct Found {
    store: PathBuf,
    at: DateTime<Utc>,
    losses: Vec<String>,
    /// Why the start could not finish an erasure.
    unerased: Option<String>,
    ballast: Ballast,
}

#[derive(Clone, Copy, Debug, Default)]
struct Ages {
    checkpoint_at: Option<DateTime<Utc>>,
    backup_at: Option<DateTime<Utc>>,
}

/// All of it, as it is told.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Told {
    /// The store.
    pub store: StoreTold,
    /// The disk it lies on.
    pub disk: DiskTold,
    /// What somebody should do something about, a sentence each.
    pub warnings: Vec<String>,
}

/// The store.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoreTold {
    /// Nothing that was acknowledged was missing or doubtful at the start.
    pub well: bool,
    /// What was.
    pub damage: Vec<String>,
    /// When it was found.
    pub found_at: Option<DateTime<Utc>>,
    /// No write reaches the disk; a new segment is tried every few seconds.
    pub failing: bool,
    /// When writes failed last.
    pub failed_at: Option<DateTime<Utc>>,
    /// What the disk said then.
    pub failure: Option<String>,
    /// When it worked again.
    pub mended_at: Option<DateTime<Utc>>,
    /// When the whole state was written down last.
    pub checkpoint_at: Option<DateTime<Utc>>,
    /// When the last backup was made.
    pub backup_at: Option<DateTime<Utc>>,
}

/// The disk.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DiskTold {
    /// The level.
    pub space: Space,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Octets free; `None`: the disk does not say.
    pub free_bytes: Option<u64>,
    /// Octets in all.
    pub whole_bytes: Option<u64>,
    /// Room is held for the last writes.
    pub ballast: bool,
}

impl Standing {
    /// Of a store that was opened with this report.
    pub fn new(data: &Path, report: &Report, health: Health, ballast: Ballast) -> Standing {
        let (store, at) = (data.join("store"), Utc::now().trunc_subsecs(3));
        let (losses, unerased) = (report.losses(), report.unerased.clone());
        let found = Found { store, at, losses, unerased, ballast };
        let standing = Standing { health, found: Some(Arc::new(found)), ..Standing::default() };
        standing.look();
        standing
    }

    /// Looks how old checkpoint and backup are.
    pub(super) fn look(&self) {
        let Some(found) = &self.found else { return };
        let journal = fs::read_dir(found.store.join(crate::store::JOURNAL));
        let files = journal.into_iter().flatten().flatten().map(|file| file.path());
        let checkpoints = files.filter(|path| path.extension().is_some_and(|extension| extension == "ckp"));
        let ages = Ages {
            checkpoint_at: checkpoints.filter_map(|path| written(&path)).max(),
            backup_at: written(&found.store.join(BACKED_UP)),
        };
        *self.ages.lock().unwrap_or_else(PoisonError::into_inner) = ages;
    }

    /// Whether commits reach the disk.
    pub fn is_storing(&self) -> bool {
        !self.health.is_poisoned()
    }

    /// Everything.
    pub fn told(&self) -> Told {
        let Ages { checkpoint_at, backup_at } = *self.ages.lock().unwrap_or_else(PoisonError::into_inner);
        let (seen, illness, found) = (self.disk.seen(), self.health.illness(), self.found.as_deref());
        let damage = found.map(|found| found.losses.clone()).unwrap_or_default();
        let store = StoreTold {
            well: damage.is_empty(),
            found_at: found.filter(|_| !damage.is_empty()).map(|found| found.at),
            damage,
            failing: illness.as_ref().is_some_and(|illness| illness.until.is_none()),
            failed_at: illness.as_ref().map(|illness| instant(illness.since)),
            failure: illness.as_ref().map(|illness| illness.why.clone()),
            mended_at: illness.and_then(|illness| illness.until).map(instant),
            checkpoint_at,
            backup_at,
        };
        let disk = DiskTold {
            space: seen.space,
            since: seen.since.trunc_subsecs(3),
            free_bytes: seen.room.map(|room| room.free),
            whole_bytes: seen.room.map(|room| room.whole),
            ballast: found.is_some_and(|found| found.ballast.is_there()),
        };
        let mut warnings = warnings(&store, &disk);
        let unerased = found.filter(|found| erase::is_due(&found.store)).and_then(|found| found.unerased.as_ref());
        warnings.extend(unerased.map(|why| {
            format!(
                "Records that were erased are still on the disk ({why}). Mend that and restart: the start finishes it."
            )
        }));
        warnings.extend(troubled(&self.health.troubles()));
        Told { store, disk, warnings }
    }
}

/// What is wrong, since when, and what to do.
fn warnings(store: &StoreTold, disk: &DiskTold) -> Vec<String> {
    let mut out = Vec::new();
    let at =
        |at: Option<DateTime<Utc>>| at.map(|at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string()).unwrap_or_default();
    if store.failing {
        let why = store.failure.as_deref().unwrap_or("no reason is known");
        out.push(format!(
            "The store has not been written since {} ({why}): no promise is made, calls go on. Look at the disk; it is \
             tried again every few seconds.",
            at(store.failed_at)
        ));
    }
    if !store.well {
        out.push(format!(
            "Not all is well with the store, as the start at {} has found: {}. Keep a copy of the data directory \
             before anything else, look with `ringback store verify`, and compare with the last backup.",
            at(store.found_at),
            store.damage.join("; ")
        ));
    }
    let free = disk.free_bytes.map_or_else(String::new, |free| format!(" ({} MiB)", free >> 20));
    let since = at(Some(disk.since));
    match disk.space {
        Space::Ample => {}
        Space::Low => out.push(format!("Less than 10 % of the disk is free{free}, since {since}. Make room.")),
        Space::Scarce => out.push(format!(
            "Less than 5 % of the disk is free{free}, since {since}: calls are not recorded. Make room."
        )),
        Space::Spent => out.push(format!(
            "The disk is nearly full{free}, since {since}: no promise is made and no call recorded. Make room."
        )),
    }
    out
}

/// The same for what has gone wrong since, beside the commits.
fn troubled(Troubles { unsaved, no_checkpoint, bad_checkpoints, view }: &Troubles) -> Vec<String> {
    let unsaved = (*unsaved > 0).then(|| {
        format!("{unsaved} old segments of the journal went before a backup held them: make backups more often")
    });
    let no_checkpoint = no_checkpoint.as_ref().map(|(since, why)| {
        let since = instant(*since).format("%Y-%m-%d %H:%M:%S UTC");
        format!(
            "No checkpoint could be written since {since} ({why}). Nothing is lost, but the journal takes more and \
             more room, and the next start longer. It is tried again every minute."
        )
    });
    let bad_checkpoints = (*bad_checkpoints > 0).then(|| {
        format!(
            "{bad_checkpoints} older checkpoints could not be read back. Nothing is lost, but the disk forgets: make a \
             backup and look at the disk."
        )
    });
    let view = view.as_ref().map(|why| {
        format!("The view of the journal has failed ({why}). Nothing is lost: the next start makes it anew.")
    });
    [unsaved, no_checkpoint, bad_checkpoints, view].into_iter().flatten().collect()
}

fn instant(at: SystemTime) -> DateTime<Utc> {
    DateTime::<Utc>::from(at).trunc_subsecs(3)
}

fn written(path: &Path) -> Option<DateTime<Utc>> {
    path.metadata().ok()?.modified().ok().map(instant)
}
