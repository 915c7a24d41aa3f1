//! The store: sled behind typed changes, synced before it answers.
