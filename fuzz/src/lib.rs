//! What must hold for any octets. The same functions run under libFuzzer (`fuzz_targets/`) and, bounded, in every
//! `cargo test` (`tests/fuzz_targets.rs`). On the stable toolchain, from the directory above:
//! `RUSTC_BOOTSTRAP=1 cargo +stable fuzz run --sanitizer none sip_message`.

mod media;
mod sip;
#[cfg(feature = "shell")]
mod store;

pub use media::{dtmf, rtp, sdp};
pub use sip::{digest, sip_message, sip_stream};
#[cfg(feature = "shell")]
pub use store::store_frame;
