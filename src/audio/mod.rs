//! Audio without calls: G.711, resampling, clips, tones.
