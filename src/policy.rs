//! Which numbers may be called at all.
