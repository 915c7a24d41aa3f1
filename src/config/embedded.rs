//! The site without a file. Its secrets are made on the first start and kept in the data directory, so that a phone
//! set up today still registers tomorrow.

use super::{Config, Disk, Problem};
use crate::entropy::Entropy;
use crate::settings::Tz;
use std::fmt;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const TEXT: &str = include_str!("default.toml");
/// The agents of the embedded site.
pub const AGENTS: [&str; 2] = ["1001", "1002"];
/// Where its secrets are kept, in the data directory.
pub const SECRETS: &str = "default-secrets";

/// The secrets of the embedded site, by agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secrets(Vec<(&'static str, String)>);

/// Why the embedded site could not be had.
#[derive(Debug)]
pub enum NoSite {
    /// The data directory or the file of secrets cannot be used.
    Disk(PathBuf, std::io::Error),
    /// The file of secrets does not hold what we wrote.
    Spoilt(PathBuf),
}

impl fmt::Display for NoSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoSite::Disk(path, error) => {
                write!(f, "{} cannot be used: {error}; choose another place with --data", path.display())
            }
            NoSite::Spoilt(path) => {
                write!(f, "{} is damaged; delete it, and new secrets are made", path.display())
            }
        }
    }
}

impl Secrets {
    /// New ones: 20 characters of 32, that is 100 bits each, without letters that are mistaken for digits.
    pub fn generate(entropy: &mut Entropy) -> Secrets {
        const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
        let mut secret =
            || entropy.bytes::<20>().iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect();
        Secrets(AGENTS.into_iter().map(|agent| (agent, secret())).collect())
    }

    /// The secret of an agent.
    pub fn of(&self, agent: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| *name == agent).map(|(_, secret)| secret.as_str())
    }

    /// The same with a new one for this agent; `None`: there is no such agent.
    pub fn renewed(mut self, agent: &str, entropy: &mut Entropy) -> Option<Secrets> {
        let fresh = Secrets::generate(entropy);
        let (_, secret) = self.0.iter_mut().find(|(name, _)| *name == agent)?;
        secret.clone_from(&fresh.0.iter().find(|(name, _)| *name == agent)?.1);
        Some(self)
    }

    /// Agents and secrets.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(agent, secret)| (*agent, secret.as_str()))
    }

    /// Those kept in `data`; `None` before the first start.
    pub fn kept(data: &Path) -> Result<Option<Secrets>, NoSite> {
        let path = data.join(SECRETS);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(NoSite::Disk(path, error)),
        };
        let secret = |agent: &str| {
            let line = text.lines().find_map(|line| line.split_once(' ').filter(|(name, _)| *name == agent))?;
            let good = line.1.len() >= 16 && line.1.bytes().all(|byte| byte.is_ascii_alphanumeric());
            good.then(|| line.1.to_owned())
        };
        let all: Option<Vec<_>> = AGENTS.into_iter().map(|agent| Some((agent, secret(agent)?))).collect();
        all.map(|all| Some(Secrets(all))).ok_or(NoSite::Spoilt(path))
    }

    /// Keeps them in `data`, readable by us alone.
    pub fn keep(&self, data: &Path) -> Result<(), NoSite> {
        let path = data.join(SECRETS);
        let part = data.join(format!("{SECRETS}.part"));
        let write = || {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data)?;
            let mut file =
                std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
            for (agent, secret) in self.iter() {
                writeln!(file, "{agent} {secret}")?;
            }
            file.sync_all()?;
            std::fs::rename(&part, &path)
        };
        write().map_err(|error| NoSite::Disk(path.clone(), error))
    }
}

/// The embedded site as TOML.
pub fn text(secrets: &Secrets, zone: Tz) -> String {
    let mut text = TEXT.replace("@zone@", zone.name());
    for (agent, secret) in secrets.iter() {
        text = text.replace(&format!("@secret-{agent}@"), secret);
    }
    text
}

/// The embedded site of a data directory, and its secrets when they were made just now. Who starts it keeps them
/// and shows them once, both only when the start has succeeded: a start that failed has told them to nobody.
pub fn load(data: &Path, zone: Tz, entropy: &mut Entropy) -> Result<(Config, Option<Secrets>), NoSite> {
    match Secrets::kept(data)? {
        Some(secrets) => Ok((parse(&secrets, zone), None)),
        None => {
            let secrets = Secrets::generate(entropy);
            Ok((parse(&secrets, zone), Some(secrets)))
        }
    }
}

fn parse(secrets: &Secrets, zone: Tz) -> Config {
    super::parse(&text(secrets, zone), &Disk::new(Path::new("."))).unwrap_or_else(|problems| {
        let first = problems.first().map(Problem::to_string);
        unreachable!("the embedded site is ours and tested: {first:?}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_site_is_right_and_holds_its_secrets() {
        let secrets = Secrets::generate(&mut Entropy::from_seed(1));

        let config = parse(&secrets, Tz::Europe__Berlin);

        assert_eq!(config.settings.agents[0].secret, secrets.of("1001").unwrap());
        assert_ne!(secrets.of("1001"), secrets.of("1002"));
        assert_eq!(config.settings.system.default_timezone, Tz::Europe__Berlin);
        assert_eq!(config.settings.system.default_country, None);
        assert!(config.settings.profiles[0].record);
    }

    #[test]
    fn secrets_are_made_once_and_kept_for_us_alone() {
        use std::os::unix::fs::PermissionsExt;
        let data = std::env::temp_dir().join(format!("ringback-secrets-{}", std::process::id()));

        let (_, made) = load(&data, Tz::UTC, &mut Entropy::from_seed(1)).unwrap();
        made.as_ref().unwrap().keep(&data).unwrap();
        let (config, again) = load(&data, Tz::UTC, &mut Entropy::from_seed(2)).unwrap();

        let mode = std::fs::metadata(data.join(SECRETS)).unwrap().permissions().mode();
        std::fs::remove_dir_all(&data).unwrap();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(again, None);
        assert_eq!(config.settings.agents[1].secret, made.unwrap().of("1002").unwrap());
    }
}
