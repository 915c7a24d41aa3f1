//! `POST /store/backup`: everything acknowledged so far as one encrypted file (`store::archive`).

use super::audio::FileBody;
use super::{Problem, Shared};
use crate::run::standing::note_backup;
use crate::store::Snapshots;
use crate::store::archive::{self, KEY_FILE, Key};
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// Makes backups, one at a time.
#[derive(Clone, Debug, Default)]
pub struct Backups {
    snapshots: Snapshots,
    at_work: Arc<Mutex<()>>,
}

impl Backups {
    /// Of this store.
    pub fn new(snapshots: Snapshots) -> Backups {
        Backups { snapshots, at_work: Arc::default() }
    }

    /// What they are made of. While it is used for something else no backup is made.
    pub(super) fn store(&self) -> Option<(Snapshots, OwnedMutexGuard<()>)> {
        let at_work = self.at_work.clone().try_lock_owned().ok()?;
        Some((self.snapshots.clone(), at_work))
    }
}

pub(super) async fn make(State(site): Shared) -> Result<Response, Problem> {
    let busy = |_| Problem::new(StatusCode::CONFLICT, "a backup is being made; ask again when it is done");
    let at_work = site.backups.at_work.clone().try_lock_owned().map_err(busy)?;
    let (data, snapshots) = (site.data.clone(), site.backups.snapshots.clone());
    let made = tokio::task::spawn_blocking(move || {
        let made = write(&data, &snapshots);
        drop(at_work);
        made
    });
    let (file, length) = made.await.unwrap_or_else(|_| Err(io::Error::other("it panicked"))).map_err(|error| {
        tracing::error!(%error, "no backup was made");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, format!("no backup was made: {error}"))
    })?;
    let body = Body::new(FileBody::new(tokio::fs::File::from_std(file), length));
    let kind = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"ringback.backup\""),
    ];
    Ok((kind, body).into_response())
}

/// The backup as a file without a name, which is gone with whoever reads it.
fn write(data: &Path, snapshots: &Snapshots) -> io::Result<(File, u64)> {
    let key = Key::read_or_make(&data.join(KEY_FILE))?;
    let path = data.join("store").join("backup.unfinished");
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)?;
    let mut out = BufWriter::new(&mut file);
    archive::back_up(&data.join("store"), snapshots, &key, &mut out)?;
    out.flush()?;
    drop(out);
    note_backup(data);
    let length = file.stream_position()?;
    file.rewind()?;
    Ok((file, length))
}
