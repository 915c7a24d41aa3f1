//! The recording as it is kept while the switch runs: the beginning, and as many of the last inputs as fit, compressed.

use super::record::{Beginning, HEAD};
use miniz_oxide::deflate::compress_to_vec_zlib;
use std::collections::VecDeque;

/// A little of what could be saved for a fraction of the time.
const EFFORT: u8 = 4;

/// Records, compressed.
#[derive(Clone, Debug)]
pub struct Section {
    /// zlib (RFC 1950): it carries a checksum.
    pub packed: Vec<u8>,
    /// Octets before.
    pub whole: usize,
}

impl Section {
    /// Compresses records.
    pub fn of(records: &[u8]) -> Section {
        Section { packed: compress_to_vec_zlib(records, EFFORT), whole: records.len() }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Reel {
    beginning: Option<Section>,
    sections: VecDeque<Section>,
    octets: usize,
    octets_max: usize,
    dropped: u64,
}

impl Reel {
    /// An empty reel that holds at most so many octets beside the beginning.
    pub fn new(octets_max: usize) -> Reel {
        Reel { beginning: None, sections: VecDeque::new(), octets: 0, octets_max, dropped: 0 }
    }

    /// What everything began with.
    pub fn begin(&mut self, beginning: &Beginning) {
        let mut records = Vec::with_capacity(HEAD);
        beginning.record().write(&mut records);
        self.beginning = Some(Section::of(&records));
    }

    /// Records that have just been written. The oldest make room.
    pub fn push(&mut self, records: &[u8]) {
        if records.is_empty() {
            return;
        }
        let section = Section::of(records);
        self.octets += section.packed.len();
        self.sections.push_back(section);
        while self.octets > self.octets_max
            && let Some(oldest) = self.sections.pop_front()
        {
            self.octets -= oldest.packed.len();
            self.dropped += 1;
        }
    }

    /// Records are missing here: what was before them is of no use to what follows.
    pub fn gap(&mut self) {
        self.sections.clear();
        self.octets = 0;
        self.dropped += 1;
    }

    /// Everything that is left, in order: without what has fallen out nothing after it can be repeated, and without a
    /// beginning nothing at all.
    pub fn sections(&self) -> impl Iterator<Item = &Section> {
        self.beginning.iter().chain(&self.sections)
    }

    /// Whether inputs have fallen out between the beginning and the rest.
    pub fn has_gap(&self) -> bool {
        self.dropped > 0
    }

    /// Octets in memory.
    pub fn octets(&self) -> usize {
        self.octets + self.beginning.as_ref().map_or(0, |section| section.packed.len())
    }
}
