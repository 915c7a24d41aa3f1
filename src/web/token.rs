//! The admin's bearer token: `<data>/admin.token`, made on first start, readable by its owner only.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The token of this data directory; a new one of 256 bits when there is none.
pub fn load_or_create(data: &Path) -> io::Result<String> {
    secret_in(data, "admin.token")
}

/// The secret that this file of a data directory holds; a new one of 256 bits, in hex, when there is none.
pub(crate) fn secret_in(data: &Path, file: &str) -> io::Result<String> {
    let path = data.join(file);
    match fs::read_to_string(&path) {
        Ok(text) => match text.trim() {
            // A full disk, or a crash of an earlier version: nobody can know this token.
            "" => create(data, &path, file),
            // Somebody's own, and too easily guessed.
            short if short.len() < 32 => Err(io::ErrorKind::InvalidData.into()),
            token => Ok(token.to_owned()),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => create(data, &path, file),
        Err(error) => Err(error),
    }
}

/// The file appears whole or not at all. Nobody else makes one meanwhile: the data directory is locked.
fn create(data: &Path, path: &Path, name: &str) -> io::Result<String> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(io::Error::other)?;
    let token = secret.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let part = data.join(format!("{name}.part"));
    if let Err(error) = fs::remove_file(&part)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
    writeln!(file, "{token}")?;
    file.sync_all()?;
    fs::rename(&part, path)?;
    File::open(data)?.sync_all()?;
    Ok(token)
}

/// The bearer token of an `Authorization` header.
pub(super) fn given(authorization: Option<&str>) -> Option<&str> {
    let (scheme, rest) = authorization?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| rest.trim()).filter(|token| !token.is_empty())
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
    fn an_empty_token_is_replaced_and_a_short_one_refused() {
        let data = std::env::temp_dir().join(format!("ringback-no-token-{}", std::process::id()));
        std::fs::create_dir_all(&data).unwrap();
        std::fs::write(data.join("admin.token"), "\n").unwrap();
        std::fs::write(data.join("admin.token.part"), "half").unwrap();

        let made = load_or_create(&data).unwrap();
        let again = load_or_create(&data).unwrap();
        std::fs::write(data.join("admin.token"), "letmein\n").unwrap();
        let short = load_or_create(&data).map_err(|error| error.kind());
        std::fs::remove_dir_all(&data).unwrap();

        assert_eq!((made.len(), &made), (64, &again));
        assert_eq!(short, Err(io::ErrorKind::InvalidData));
    }

    #[test]
    fn only_a_bearer_token_is_one() {
        assert_eq!(given(Some("Bearer secret")), Some("secret"));
        assert_eq!(given(Some("bearer secret ")), Some("secret"));
        for wrong in [None, Some("secret"), Some("Bearer "), Some("Basic secret")] {
            assert_eq!(given(wrong), None, "{wrong:?}");
        }
    }
}
