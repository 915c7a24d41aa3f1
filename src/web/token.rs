//! The admin's bearer token: `<data>/admin.token`, made on first start, readable by its owner only.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use subtle::ConstantTimeEq;

/// The token of this data directory; a new one of 256 bits when there is none.
pub fn load_or_create(data: &Path) -> io::Result<String> {
    let path = data.join("admin.token");
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
        Ok(mut file) => {
            let mut secret = [0; 32];
            getrandom::fill(&mut secret).map_err(io::Error::other)?;
            let token = secret.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            writeln!(file, "{token}")?;
            file.sync_all()?;
            Ok(token)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let mut text = String::new();
            OpenOptions::new().read(true).open(&path)?.read_to_string(&mut text)?;
            let token = text.trim();
            // An empty file would let everybody in who sends nothing.
            if token.len() < 32 { Err(io::ErrorKind::InvalidData.into()) } else { Ok(token.to_owned()) }
        }
        Err(error) => Err(error),
    }
}

/// Whether the value of an `Authorization` header carries `token`; takes the same time for every wrong one.
pub fn matches(token: &str, authorization: Option<&str>) -> bool {
    let given = authorization.and_then(|value| {
        let (scheme, rest) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| rest.trim())
    });
    given.is_some_and(|given| given.as_bytes().ct_eq(token.as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_token_is_made_once_and_belongs_to_its_owner() {
        let data = std::env::temp_dir().join(format!("ringback-token-{}", std::process::id()));
        std::fs::create_dir_all(&data).unwrap();

        let first = load_or_create(&data).unwrap();
        let second = load_or_create(&data).unwrap();
        let mode = std::fs::metadata(data.join("admin.token")).unwrap().permissions().mode();
        std::fs::remove_dir_all(&data).unwrap();

        assert_eq!(first, second);
        assert_eq!((first.len(), mode & 0o777), (64, 0o600));
    }

    #[test]
    fn only_the_whole_token_opens() {
        assert!(matches("secret", Some("Bearer secret")));
        assert!(matches("secret", Some("bearer secret")));
        for wrong in [None, Some("secret"), Some("Bearer "), Some("Bearer secre"), Some("Basic secret")] {
            assert!(!matches("secret", wrong), "{wrong:?}");
        }
    }
}
