//! The view as the writer has it: it follows the journal, or is being made beside it, or has failed.

use super::journal::Journal;
use super::journal::frame::{self, Mark, Op};
use super::view::View;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Octets of commits that are remembered for a view that is being made.
const MISSED: usize = 64 * 1024 * 1024;

/// Where it can be looked up what the journal says.
pub(super) enum Shown {
    /// In the view.
    In(View),
    /// In one that is being made, and will take these in.
    Later(Missed),
    /// It has failed. The journal has everything, and the next start makes it anew.
    Nowhere,
}

impl Shown {
    /// The view follows. Whatever becomes of it, the commits are on the disk.
    pub fn take_in(&mut self, journal: &Journal, commits: &[&[Op]]) {
        let view = match self {
            Shown::In(view) => view,
            Shown::Later(missed) => {
                missed.octets += commits.iter().map(|ops| frame::size(ops)).sum::<usize>();
                missed.ops.extend(commits.iter().flat_map(|ops| ops.iter().cloned()));
                if missed.octets > MISSED {
                    *self = Shown::Nowhere;
                }
                return;
            }
            Shown::Nowhere => return,
        };
        let why = match catch_unwind(AssertUnwindSafe(|| view.apply(journal.id, journal.mark, commits.iter().copied())))
        {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_panic) => "sled panicked".to_owned(),
        };
        tracing::error!(why, "the view of the journal has failed and is made anew at the next start; nothing is lost");
        journal.health.note(|troubles| troubles.view = Some(why));
        drop(self.close());
    }

    /// Hands the view out, for whoever has the time to close it.
    pub fn close(&mut self) -> Purged {
        match std::mem::replace(self, Shown::Nowhere) {
            Shown::In(view) => Purged(Some(view)),
            Shown::Later(_) | Shown::Nowhere => Purged(None),
        }
    }

    /// A view of the state at `from` is being made, if there is none.
    pub fn remember(&mut self, from: Mark) {
        if !matches!(self, Shown::In(_)) {
            *self = Shown::Later(Missed { from, ops: Vec::new(), octets: 0 });
        }
    }

    /// That one has been made, and takes in what has been committed since, up to `mark`.
    pub fn follow(&mut self, journal: &Journal, mut view: View) -> io::Result<()> {
        let Shown::Later(Missed { from, ops, .. }) = std::mem::replace(self, Shown::Nowhere) else {
            return Err(io::Error::other("too much was committed while it was made"));
        };
        if view.applied.map(|applied| applied.mark()) != Some(from) {
            return Err(io::Error::other("it is not the state from which it was to follow"));
        }
        let followed =
            catch_unwind(AssertUnwindSafe(|| view.apply(journal.id, journal.mark, std::iter::once(ops.as_slice()))));
        followed.unwrap_or_else(|_panic| Err(io::Error::other("sled panicked")))?;
        *self = Shown::In(view);
        journal.health.note(|troubles| troubles.view = None);
        Ok(())
    }
}

/// What has been committed since a view's making was begun.
pub(super) struct Missed {
    from: Mark,
    ops: Vec<Op>,
    octets: usize,
}

/// The view of a state that is gone.
pub(super) struct Purged(Option<View>);

impl Drop for Purged {
    fn drop(&mut self) {
        let view = self.0.take();
        if catch_unwind(AssertUnwindSafe(|| drop(view))).is_err() {
            tracing::warn!("the view could not be closed");
        }
    }
}
