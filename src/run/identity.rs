//! `<data>/identity.key`: the secret from which the SIP identities of attempts are derived, the same in every life of
//! the switch, readable by its owner only. Without its old one a switch makes other identities; those of attempts that
//! were under way are stored with them.

use crate::entropy::Secret;
use crate::web::token;
use sha2::{Digest, Sha256};
use std::io;
use std::path::Path;

/// Where it lies in the data directory.
pub(super) const FILE: &str = "identity.key";

/// The secret of this data directory; a new one when there is none.
pub(super) fn load_or_create(data: &Path) -> io::Result<Secret> {
    token::secret_in(data, FILE).map(|text| Secret::new(Sha256::digest(text.as_bytes()).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_directory_has_one_secret_and_keeps_it() {
        let data = std::env::temp_dir().join(format!("ringback-identity-{}", std::process::id()));
        std::fs::create_dir_all(data.join("other")).expect("room");

        let (first, again) = (load_or_create(&data).expect("made"), load_or_create(&data).expect("read"));
        let other = load_or_create(&data.join("other")).expect("made");

        assert!(first == again && first != other);
        std::fs::remove_dir_all(data).expect("it is there");
    }
}
