//! `ringback cert`: a development CA and a certificate of the server. The CA is made once and kept, so that phones
//! told to trust it still do when the server's names change.

use super::args::{Cert, Global};
use super::{Exit, Trouble, print, print_json};
use chrono::{DateTime, Datelike, Duration, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use serde_json::json;
use std::fmt;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Days the CA holds.
const CA_DAYS: u32 = 3650;

/// Why there are no certificates.
#[derive(Debug)]
pub enum NoCert {
    /// A file cannot be read or written.
    Disk(PathBuf, io::Error),
    /// A file that is there is no key.
    NotAKey(PathBuf),
    /// A name is neither host nor address.
    Name(String),
    /// The library refuses.
    Library(rcgen::Error),
}

impl fmt::Display for NoCert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoCert::Disk(path, error) => {
                write!(f, "{} cannot be used: {error}; choose another place with --out", path.display())
            }
            NoCert::NotAKey(path) => write!(f, "{} is no key of ours; move it away", path.display()),
            NoCert::Name(name) => write!(f, "{name:?} is neither a host name nor an address"),
            NoCert::Library(error) => write!(f, "no certificate can be made: {error}"),
        }
    }
}

/// What was made, and what was kept.
#[derive(Debug, PartialEq, Eq, serde::Serialize)]
pub struct Made {
    /// Certificate of the CA.
    pub ca: PathBuf,
    /// Certificate of the server.
    pub server: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The CA is new.
    pub new_ca: bool,
    /// The certificate of the server is new.
    pub new_server: bool,
}

pub(super) fn cert(global: &Global, args: &Cert) -> Result<Exit, Trouble> {
    let made = make(&args.out, &args.name, args.days, args.renew, Utc::now()).map_err(Trouble::failed)?;
    if global.json {
        print_json(&json!(made))?;
        return Ok(Exit::Done);
    }
    let state = |new: bool| if new { "made" } else { "kept" };
    print(&format!(
        "CA      {}  {}\nserver  {}  {}\nkey     {}\n",
        made.ca.display(),
        state(made.new_ca),
        made.server.display(),
        state(made.new_server),
        made.key.display(),
    ))?;
    let next = if made.new_server {
        "Tell phones and browsers to trust the CA; it is for development only.\n"
    } else {
        "Everything was there; --renew makes a new server certificate.\n"
    };
    print(next)?;
    Ok(Exit::Done)
}

/// Makes what is missing in `out`; with `renew` the server's certificate anew.
pub fn make(out: &Path, names: &[String], days: u32, renew: bool, now: DateTime<Utc>) -> Result<Made, NoCert> {
    if let Some(wrong) = names.iter().find(|name| !is_name(name)) {
        return Err(NoCert::Name(wrong.clone()));
    }
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(out)
        .map_err(|error| NoCert::Disk(out.to_owned(), error))?;
    let [ca, ca_key, server, key] = ["ca.pem", "ca.key", "server.pem", "server.key"].map(|file| out.join(file));
    let mut params = CertificateParams::default();
    params.distinguished_name = name("ringback development CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    lifetime(&mut params, now, CA_DAYS);
    // The issuer is its name and its key; both are the same every time, so the kept certificate stays valid.
    let new_ca = !ca_key.exists() || !ca.exists();
    let signer = if ca_key.exists() { read_key(&ca_key)? } else { new_key(&ca_key)? };
    if new_ca {
        let certificate = params.self_signed(&signer).map_err(NoCert::Library)?;
        write(&ca, &certificate.pem(), 0o644)?;
    }
    let new_server = renew || new_ca || !server.exists() || !key.exists();
    if new_server {
        let mut leaf = CertificateParams::new(names).map_err(|_| NoCert::Name(names.join(", ")))?;
        leaf.distinguished_name = name(names.first().map_or("ringback", String::as_str));
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        leaf.use_authority_key_identifier_extension = true;
        lifetime(&mut leaf, now, days);
        let pair = new_key(&key)?;
        let issuer = Issuer::from_params(&params, &signer);
        let certificate = leaf.signed_by(&pair, &issuer).map_err(NoCert::Library)?;
        write(&server, &certificate.pem(), 0o644)?;
    }
    Ok(Made { ca, server, key, new_ca, new_server })
}

fn is_name(name: &str) -> bool {
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || b"-.*_".contains(&byte);
    name.parse::<std::net::IpAddr>().is_ok() || (!name.is_empty() && name.len() <= 253 && name.bytes().all(letters))
}

fn name(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common);
    name
}

/// From yesterday, for clocks that are late.
fn lifetime(params: &mut CertificateParams, now: DateTime<Utc>, days: u32) {
    let day = |at: DateTime<Utc>| {
        let (month, day) = (at.month() as u8, at.day() as u8); // 1–12 and 1–31
        date_time_ymd(at.year(), month, day)
    };
    params.not_before = day(now - Duration::days(1));
    params.not_after = day(now + Duration::days(i64::from(days)));
}

fn new_key(path: &Path) -> Result<KeyPair, NoCert> {
    let pair = KeyPair::generate().map_err(NoCert::Library)?;
    write(path, &pair.serialize_pem(), 0o600)?;
    Ok(pair)
}

fn read_key(path: &Path) -> Result<KeyPair, NoCert> {
    let text = std::fs::read_to_string(path).map_err(|error| NoCert::Disk(path.to_owned(), error))?;
    KeyPair::from_pem(&text).map_err(|_| NoCert::NotAKey(path.to_owned()))
}

/// Whole or not at all: a half-written key would be taken for a damaged one. The part is made anew, because an old
/// one could have another mode.
fn write(path: &Path, text: &str, mode: u32) -> Result<(), NoCert> {
    let part = path.with_extension("part");
    let write = || {
        if part.exists() {
            std::fs::remove_file(&part)?;
        }
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&part)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&part, path)
    };
    write().map_err(|error| NoCert::Disk(path.to_owned(), error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_ca_is_kept_and_keys_are_for_their_owner_alone() {
        let out = std::env::temp_dir().join(format!("ringback-cert-{}", std::process::id()));
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let read = |file: &str| std::fs::read_to_string(out.join(file)).unwrap();

        let first = make(&out, &names, 365, false, Utc::now()).unwrap();
        let (ca, server) = (read("ca.pem"), read("server.pem"));
        let again = make(&out, &names, 365, false, Utc::now()).unwrap();
        let renewed = make(&out, &names, 365, true, Utc::now()).unwrap();
        let mode = |file: &str| std::fs::metadata(out.join(file)).unwrap().permissions().mode() & 0o777;
        let (ca_mode, key_mode) = (mode("ca.key"), mode("server.key"));
        let (ca_after, server_after) = (read("ca.pem"), read("server.pem"));
        std::fs::remove_dir_all(&out).unwrap();

        assert!(first.new_ca && first.new_server);
        assert!(!again.new_ca && !again.new_server);
        assert!(!renewed.new_ca && renewed.new_server);
        assert_eq!(ca, ca_after);
        assert_ne!(server, server_after);
        assert_eq!((ca_mode, key_mode), (0o600, 0o600));
    }

    #[test]
    fn a_name_that_is_none_is_refused() {
        assert!(!is_name("a b") && !is_name("") && is_name("pbx.example.com") && is_name("::1"));
    }
}
