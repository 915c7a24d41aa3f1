//! The recording as it is kept while the switch runs: the beginning, and as many of the last inputs as fit, compressed.

use miniz_oxide::deflate::compress_to_vec_zlib;
use std::collections::VecDeque;

/// A little of what could be saved for a fraction of the time.
const EFFORT: u8 = 4;
/// For a beginning: the start waits for it. It takes a third of the time and a fifth more room.
const QUICK: u8 = 1;

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
        Section::with(records, EFFORT)
    }

    fn with(records: &[u8], effort: u8) -> Section {
        let mut packed = compress_to_vec_zlib(records, effort);
        packed.shrink_to_fit(); // It was made half as long as the records, and is kept.
        Section { packed, whole: records.len() }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Reel {
    beginning: Vec<Section>,
    sections: VecDeque<Section>,
    octets: usize,
    octets_max: usize,
    dropped: u64,
}

impl Reel {
    /// An empty reel that holds at most so many octets beside the beginning.
    pub fn new(octets_max: usize) -> Reel {
        Reel { beginning: Vec::new(), sections: VecDeque::new(), octets: 0, octets_max, dropped: 0 }
    }

    /// A piece of what everything began with. It stays: without it nothing can be repeated.
    pub fn begin(&mut self, piece: &[u8]) {
        self.beginning.push(Section::with(piece, QUICK));
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
        self.beginning.iter().chain(self.inputs())
    }

    /// Those of them that are not of the beginning.
    pub fn inputs(&self) -> impl Iterator<Item = &Section> {
        self.sections.iter()
    }

    /// Whether inputs have fallen out between the beginning and the rest.
    pub fn has_gap(&self) -> bool {
        self.dropped > 0
    }

    /// Octets in memory.
    pub fn octets(&self) -> usize {
        self.octets + self.beginning.iter().map(|section| section.packed.len()).sum::<usize>()
    }
}
