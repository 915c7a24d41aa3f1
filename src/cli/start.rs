//! What people read when the switch has started: where everything is, and what to do next.

use crate::config::Problem;
use crate::config::embedded::Secrets;
use crate::settings::Settings;
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

/// What the start text tells.
#[derive(Clone, Copy, Debug)]
pub struct Started<'a> {
    /// The site that runs.
    pub settings: &'a Settings,
    /// Its file; `None`: the embedded default site.
    pub config: Option<&'a Path>,
    /// Where SIP is bound.
    pub sip: SocketAddr,
    /// Where the API is bound.
    pub http: SocketAddr,
    /// An address of this machine that phones can reach.
    pub reachable: Option<IpAddr>,
    /// The data directory.
    pub data: &'a Path,
    /// Secrets made just now: shown once.
    pub new_secrets: Option<&'a Secrets>,
    /// What the file asks for and does not get.
    pub warnings: &'a [Problem],
}

/// The text of a start.
pub fn text(started: &Started<'_>) -> String {
    let mut out = String::new();
    if let Some(file) = started.config {
        let file = file.display().to_string();
        for warning in started.warnings {
            let _ = writeln!(out, "{}", warning.show(&file));
        }
    }
    let settings = started.settings;
    let registrar = registrar(started);
    let ports = &settings.server.media_ports;
    let config = started.config.map_or("embedded default site".to_owned(), |file| file.display().to_string());
    let data = started.data.display();
    let token = started.data.join("admin.token");
    let _ = write!(
        out,
        "ringback {} is ready.\n\n  \
           phones register at  {registrar} (UDP)\n  \
           API                 http://{}/api/v1 (token in {})\n  \
           pages               http://{}/ (sign in with that token)\n  \
           configuration       {config}\n  \
           data                {data}\n  \
           media ports         {}-{} (UDP)\n  \
           time zones          tz database {} ({})\n",
        env!("CARGO_PKG_VERSION"),
        started.http,
        token.display(),
        started.http,
        ports.start(),
        ports.end(),
        settings.zones.version(),
        settings.zones.origin(),
    );
    if let Some(secrets) = started.new_secrets {
        out.push_str("\nPasswords of the phones, made now and shown this once:\n\n");
        for (agent, secret) in secrets.iter() {
            let _ = writeln!(out, "  {agent}  {secret}");
        }
    }
    out.push('\n');
    match started.config {
        None => out.push_str(&two_phones(&registrar, started)),
        Some(_) => out.push_str(&configured(started)),
    }
    if settings.trunks.is_empty() {
        out.push_str("There is no trunk yet: calls go between extensions only.\n");
    }
    out.push_str("Ctrl-C ends it once running calls are over; a second Ctrl-C at once.\n");
    out
}

/// `host:port` as phones are told it; the port only where it is not 5060.
fn registrar(started: &Started<'_>) -> String {
    let bound = started.sip.ip();
    let address = match started.settings.server.public_address {
        Some(public) => public,
        None if bound.is_unspecified() => started.reachable.unwrap_or(bound),
        None => bound,
    };
    SocketAddr::new(address, started.sip.port()).to_string()
}

/// The recipe of interface.md: two phones are enough to see a callback.
fn two_phones(registrar: &str, started: &Started<'_>) -> String {
    let queue = started.settings.queues.first().map_or("5000", |queue| &queue.number);
    let passwords = if started.new_secrets.is_some() {
        "with the passwords above"
    } else {
        "with their passwords (`ringback agent secret 1001` shows one)"
    };
    format!(
        "Two softphones are enough to see a callback:\n\n  \
           1. Register 1001 and 1002 at {registrar} over UDP, {passwords}.\n  \
           2. On 1002 dial *46: it is paused, so nobody is free.\n  \
           3. On 1001 call {queue}, press 1 and #, and hang up.\n  \
           4. On 1002 dial *46 again: it rings, and 1001 is called back.\n\n\
         `ringback callback list` shows the promise, `ringback --help` the rest.\n"
    )
}

fn configured(started: &Started<'_>) -> String {
    let settings = started.settings;
    let mut next = String::new();
    for queue in &settings.queues {
        let _ = writeln!(next, "Queue {} is {}: {} agents.", queue.name, queue.number, queue.members.len());
    }
    next.push_str("`ringback agent list` shows who has registered, `ringback queue show` who waits.\n");
    next
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Disk, embedded, parse};
    use crate::entropy::Entropy;
    use crate::settings::Tz;

    fn site(secrets: &Secrets) -> Settings {
        parse(&embedded::text(secrets, Tz::UTC), &Disk::new(Path::new("."))).unwrap().settings
    }

    fn started<'a>(settings: &'a Settings, new_secrets: Option<&'a Secrets>) -> Started<'a> {
        Started {
            settings,
            config: None,
            sip: "0.0.0.0:5070".parse().unwrap(),
            http: "127.0.0.1:8080".parse().unwrap(),
            reachable: Some("192.0.2.7".parse().unwrap()),
            data: Path::new("ringback-data"),
            new_secrets,
            warnings: &[],
        }
    }

    #[test]
    fn the_first_start_tells_the_secrets_and_the_two_phone_recipe() {
        let secrets = Secrets::generate(&mut Entropy::from_seed(1));
        let settings = site(&secrets);

        let text = text(&started(&settings, Some(&secrets)));

        for told in [
            "192.0.2.7:5070",
            "http://127.0.0.1:8080/api/v1",
            "ringback-data/admin.token",
            "20000-20999",
            "tz database 20",
            "*46",
            "call 5000, press 1 and #",
            secrets.of("1001").unwrap(),
            secrets.of("1002").unwrap(),
        ] {
            assert!(text.contains(told), "{told} is missing in:\n{text}");
        }
    }

    #[test]
    fn later_starts_keep_the_secrets_to_themselves() {
        let secrets = Secrets::generate(&mut Entropy::from_seed(1));
        let settings = site(&secrets);

        let text = text(&started(&settings, None));

        assert!(!text.contains(secrets.of("1001").unwrap()), "{text}");
        assert!(text.contains("ringback agent secret 1001"), "{text}");
    }

    #[test]
    fn a_start_from_a_file_tells_its_warnings_and_its_queues() {
        let secrets = Secrets::generate(&mut Entropy::from_seed(1));
        let settings = site(&secrets);
        let config = parse("[server]\nhttps = \"127.0.0.1:8443\"\n", &Disk::new(Path::new("."))).unwrap();
        let file = Some(Path::new("site.toml"));

        let text = text(&Started { config: file, warnings: &config.warnings, ..started(&settings, None) });

        assert!(text.contains("site.toml:2:1: warning: server.https is not honoured yet"), "{text}");
        assert!(text.contains("Queue support is 5000: 2 agents."), "{text}");
        assert!(!text.contains("*46"), "{text}");
    }
}
