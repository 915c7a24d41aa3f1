//! `POST /store/backup`: everything acknowledged so far as one encrypted file (`store::archive`).
//!
//! It counts as made, and what was kept for it goes, when its last octet has been handed out: whoever breaks off before
//! has none. A large store takes longer than any other answer, and the request has no limit of its own.

use super::audio::FileBody;
use super::{Problem, Shared};
use crate::run::standing::note_backup;
use crate::store::Snapshots;
use crate::store::archive::{self, KEY_FILE, Key, Made};
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::body::{Frame, SizeHint};
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
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
    let (file, length, made) =
        made.await.unwrap_or_else(|_| Err(io::Error::other("it panicked"))).map_err(|error| {
            tracing::error!(%error, "no backup was made");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, format!("no backup was made: {error}"))
        })?;
    let file = FileBody::new(tokio::fs::File::from_std(file), length);
    let body = Body::new(Sent { file, made: Some(made), data: site.data.clone() });
    let kind = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"ringback.backup\""),
    ];
    Ok((kind, body).into_response())
}

/// The backup as a file without a name, which is gone with whoever reads it.
fn write(data: &Path, snapshots: &Snapshots) -> io::Result<(File, u64, Made)> {
    let key = Key::read_or_make(&data.join(KEY_FILE))?;
    let path = data.join("store").join("backup.unfinished");
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)?;
    let mut out = BufWriter::new(&mut file);
    let made = archive::back_up(&data.join("store"), snapshots, &key, &mut out)?;
    out.flush()?;
    drop(out);
    let length = file.stream_position()?;
    file.rewind()?;
    Ok((file, length, made))
}

/// A backup on its way to whoever has asked for it.
struct Sent {
    file: FileBody,
    /// Until the last octet has been handed out.
    made: Option<Made>,
    data: PathBuf,
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Sent { file, made, data } = self.get_mut();
        let frame = ready!(Pin::new(&mut *file).poll_frame(cx));
        // With its length known it is not asked again after the last octet.
        if file.is_handed_out()
            && let Some(made) = made.take()
        {
            let data = data.clone();
            tokio::task::spawn_blocking(move || received(&data, made));
        }
        Poll::Ready(frame)
    }

    fn size_hint(&self) -> SizeHint {
        self.file.size_hint()
    }
}

fn received(data: &Path, made: Made) {
    note_backup(data);
    if let Err(error) = made.received() {
        tracing::warn!(%error, "segments that the backup makes needless are still there; the next one removes them");
    }
}
