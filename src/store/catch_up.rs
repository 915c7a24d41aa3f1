//! The view takes in what the journal has and it has not.

use super::journal::frame::{self, Frame, Mark};
use super::journal::segment::StoreId;
use super::recovery::{Trouble, doubt, guarded};
use super::view::View;

/// Octets of commits that the view takes in at once while it catches up.
const BATCH: usize = 1024 * 1024;

/// A view on its way to where the journal stands.
pub(super) struct CatchingUp<'a> {
    view: &'a mut View,
    store: StoreId,
    from: Mark,
    /// The journal has the commit at which the view stands.
    pub agreed: bool,
    /// Commits that are missing are passed over.
    pub may_skip: bool,
    has_skipped: bool,
    next: u64,
    waiting: Vec<Frame>,
    octets: usize,
    taken: u64,
    failed: Option<Trouble>,
}

impl CatchingUp<'_> {
    pub fn new(view: &mut View, store: StoreId, from: Mark) -> CatchingUp<'_> {
        let (agreed, may_skip, has_skipped, next) = (false, false, false, from.sequence + 1);
        let (waiting, octets, taken, failed) = (Vec::new(), 0, 0, None);
        CatchingUp { view, store, from, agreed, may_skip, has_skipped, next, waiting, octets, taken, failed }
    }

    pub fn take(&mut self, frame: Frame) {
        if frame.mark.sequence <= self.from.sequence {
            self.agreed |= frame.mark == self.from;
            return;
        }
        let follows = frame.mark.sequence == self.next;
        // The frame at which the view stands may be the one that is damaged: the next one knows its sum.
        self.agreed |= follows && self.next == self.from.sequence + 1 && frame.previous == self.from.sum;
        if self.failed.is_some() || !self.agreed || !(follows || self.may_skip) {
            let why =
                if self.agreed { "commits that it needs are missing" } else { "its history is not the journal's" };
            self.failed.get_or_insert_with(|| Trouble::Doubt(why.into()));
            return;
        }
        self.has_skipped |= !follows;
        self.next = frame.mark.sequence + 1;
        self.octets += frame::size(&frame.ops);
        self.waiting.push(frame);
        if self.octets >= BATCH {
            self.apply();
        }
    }

    fn apply(&mut self) {
        let Some(last) = self.waiting.last().map(|frame| frame.mark) else { return };
        let ops = self.waiting.iter().map(|frame| frame.ops.as_slice());
        match guarded(|| self.view.apply(self.store, last, ops)) {
            Ok(()) => self.taken += self.waiting.len() as u64,
            Err(trouble) => self.failed = Some(trouble),
        }
        self.waiting.clear();
        self.octets = 0;
    }

    /// Whether every commit up to `end` was there.
    pub fn is_whole(&self, end: Mark) -> bool {
        !self.has_skipped && self.next == end.sequence + 1
    }

    /// How many were taken; `end` is where the journal stands.
    pub fn finish(mut self, end: Mark) -> Result<u64, Trouble> {
        if self.failed.is_none() {
            self.apply();
        }
        if self.failed.is_none() && !self.agreed && self.from != end && self.from.sequence <= end.sequence {
            return doubt("its history is not the journal's");
        }
        self.failed.map_or(Ok(self.taken), Err)
    }
}
