//! When the disk counts as low, scarce or spent, and when no longer.

use ringback::switch::Space;
use ringback::switch::Space::{Ample, Low, Scarce, Spent};

const GIB: u64 = 1 << 30;
/// A disk large enough that only shares count.
const WHOLE: u64 = 1_000 * GIB;

fn at(before: Space, per_mille: u64) -> Space {
    before.after(WHOLE / 1_000 * per_mille, WHOLE)
}

#[test]
fn a_level_is_entered_below_its_share() {
    for (per_mille, level) in
        [(1_000, Ample), (100, Ample), (99, Low), (50, Low), (49, Scarce), (20, Scarce), (19, Spent), (0, Spent)]
    {
        assert_eq!(at(Ample, per_mille), level, "{per_mille} of 1000");
    }
}

#[test]
fn a_level_is_left_one_point_above_where_it_was_entered() {
    for (before, per_mille, level) in [
        (Low, 100, Low),
        (Low, 109, Low),
        (Low, 110, Ample),
        (Scarce, 59, Scarce),
        (Scarce, 60, Low),
        (Scarce, 109, Low),
        (Scarce, 110, Ample),
        (Spent, 29, Spent),
        (Spent, 30, Scarce),
        (Spent, 59, Scarce),
        (Spent, 60, Low),
        (Spent, 500, Ample),
    ] {
        assert_eq!(at(before, per_mille), level, "{before:?} at {per_mille} of 1000");
    }
}

#[test]
fn it_gets_worse_at_once() {
    for before in [Ample, Low, Scarce, Spent] {
        assert_eq!(at(before, 19), Spent);
    }
    assert_eq!(at(Low, 49), Scarce);
}

// Interface, Settled 13: 2 % of a small disk would be too little.
#[test]
fn a_small_disk_is_spent_below_32_mib() {
    let whole = 200 << 20;
    let look = |before: Space, mib: u64| before.after(mib << 20, whole);

    assert_eq!(look(Ample, 32), Ample);
    assert_eq!(look(Ample, 31), Spent);
    assert_eq!(look(Spent, 47), Spent);
    assert_eq!(look(Spent, 48), Ample);
    assert_eq!(Ample.after(0, 0), Spent, "a disk without any room");
}
