//! Trunks: registration, reachability, numbers as the provider wants them.
