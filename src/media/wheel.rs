//! When things are due, to the millisecond: a ring of 64 slots, each with what is due then.
//!
//! Legs and tapes come round every 10 to 60 ms, so the ring never needs a second turn; an item wanted further ahead
//! wakes early, and its owner puts it back. Slots keep their capacity: after the first seconds nothing allocates.

const SLOTS: u64 = 64;

/// The ring.
#[derive(Debug)]
pub(super) struct Wheel<T> {
    slots: Box<[Vec<T>]>,
    /// Bit n: slot n is not empty.
    occupied: u64,
    /// The first millisecond that has not been served to its end.
    cursor: u64,
}

impl<T> Wheel<T> {
    pub(super) fn new() -> Wheel<T> {
        Wheel { slots: (0..SLOTS).map(|_| Vec::new()).collect(), occupied: 0, cursor: 0 }
    }

    /// An idle ring follows time, so that what is put in next lies within its reach.
    pub(super) fn advance(&mut self, now_ms: u64) {
        if self.occupied == 0 {
            self.cursor = self.cursor.max(now_ms);
        }
    }

    /// Wakes `item` at `due_ms`; at once when that has passed, early when it lies beyond the ring.
    pub(super) fn insert(&mut self, due_ms: u64, item: T) {
        let due = due_ms.clamp(self.cursor, self.cursor + SLOTS - 1);
        self.slots[(due % SLOTS) as usize].push(item);
        self.occupied |= 1 << (due % SLOTS);
    }

    /// The next item due by `now_ms`.
    pub(super) fn pop(&mut self, now_ms: u64) -> Option<T> {
        loop {
            let Some(next) = self.next_due().filter(|&due| due <= now_ms) else {
                self.cursor = self.cursor.max(now_ms); // Everything up to now has been served.
                return None;
            };
            self.cursor = next;
            let slot = &mut self.slots[(next % SLOTS) as usize];
            if let Some(item) = slot.pop() {
                if slot.is_empty() {
                    self.occupied &= !(1 << (next % SLOTS));
                }
                return Some(item);
            }
            self.occupied &= !(1 << (next % SLOTS));
        }
    }

    /// When the next item is due.
    pub(super) fn next_due(&self) -> Option<u64> {
        let ahead = self.occupied.rotate_right((self.cursor % SLOTS) as u32);
        (ahead != 0).then(|| self.cursor + u64::from(ahead.trailing_zeros()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_out_when_they_are_due_and_in_the_order_of_time() {
        let mut wheel = Wheel::new();
        wheel.advance(1_000_000);
        for due in [1_000_020, 1_000_003, 1_000_063, 1_000_003] {
            wheel.insert(due, due);
        }

        assert_eq!(wheel.next_due(), Some(1_000_003));
        assert_eq!(wheel.pop(1_000_002), None);
        assert_eq!(wheel.pop(1_000_003), Some(1_000_003));
        let late: Vec<u64> = std::iter::from_fn(|| wheel.pop(2_000_000)).collect();
        assert_eq!(late, [1_000_003, 1_000_020, 1_000_063]);
        assert_eq!(wheel.next_due(), None);
    }

    #[test]
    fn what_lies_beyond_the_ring_wakes_early_and_what_has_passed_wakes_at_once() {
        let mut wheel = Wheel::new();
        wheel.advance(500);
        wheel.insert(10_000, "far");
        wheel.insert(3, "passed");

        assert_eq!(wheel.pop(500), Some("passed"));
        assert_eq!(wheel.next_due(), Some(563));
    }
}
