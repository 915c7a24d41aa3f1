//! Running the planes: the switch's thread, the shards, the recorder, start and drain.
