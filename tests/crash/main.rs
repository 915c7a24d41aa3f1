//! The real binary under `kill -9` and failing storage, while people call, are called back, and programs ask for
//! callbacks: whatever was acknowledged is there in the next life, once, and nobody is rung twice.
//!
//! The process is killed at a random instant (`random`), at one chosen system call of its storage (`calls`), again and
//! again while it recovers (`deep`); the kernel tells it that a write or a sync has failed, or takes its time (`disk`);
//! its files are cut and their bits flipped (`damage`). `RINGBACK_KILLS`, `RINGBACK_POINTS` and `RINGBACK_FLIPS` say
//! how often. What was acknowledged is kept by the world outside (`ledger`), whose people live in `people`.

mod asker;
mod calls;
mod damage;
mod deep;
mod disk;
mod folder;
mod ledger;
mod people;
mod process;
mod random;
mod trace;
mod world;
