//! One story each, with its ladder.

mod agents;
mod announce;
mod attempt;
mod by_hand;
mod calls;
mod candidates;
mod caps;
mod client_offer;
mod clock;
mod crashes;
mod desk;
mod dialling;
mod editions;
mod faults;
mod forget;
mod fraud;
mod holds;
mod hours;
mod inbound;
mod keys;
mod leave;
mod levers;
mod line;
mod lists;
mod menus;
mod missed;
mod offer;
mod order;
mod our_fault;
mod owners;
mod pending;
mod phones;
#[cfg(feature = "shell")]
mod presets;
mod races;
mod recording;
mod registration;
mod reload;
mod request;
mod restart;
mod retries;
mod revive;
mod revive_line;
mod sounds;
mod space;
mod stolen;
mod stored;
mod strategies;
mod torn;
mod traps;
mod trunk;
mod verdicts;

/// Customers with numbers that exist in films only.
pub const ALICE: &str = "+12025550123";
pub const BOB: &str = "+12025550124";
pub const CAROL: &str = "+12025550125";
