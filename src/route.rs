//! Which dialled number leads where, and by which trunk a number leaves.
