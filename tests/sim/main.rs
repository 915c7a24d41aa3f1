//! The simulator: a switch, its media, its disk, a network, phones, a carrier and people, in virtual time.

mod alike;
mod broken;
mod day;
mod disk;
mod drive;
mod fired;
mod flight;
mod ladder;
mod lawful;
mod laws;
mod media;
mod net;
mod order;
mod packets;
mod passed;
mod people;
mod products;
mod scenarios;
mod shrink;
mod site;
mod stumble;
mod tries;
mod world;
