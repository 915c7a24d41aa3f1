//! `ringback serve`: the configuration and what the command line says on top of it, then the switch.

use super::args::{Global, Serve};
use super::start::{Started, text};
use super::{Exit, Trouble, client, print};
use crate::config::embedded::{self, Secrets};
use crate::config::{self, Config, Refused, host};
use crate::entropy::Entropy;
use crate::run::{self, Parts, Source};
use crate::telemetry::{self, LogFormat};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Runs the switch until a signal or a drain ends it.
pub(super) fn serve(global: &Global, args: &Serve) -> Result<Exit, Trouble> {
    telemetry::init(if global.json { LogFormat::Json } else { LogFormat::Text });
    let (mut config, new_secrets) = site(global, args)?;
    overrule(&mut config, args).map_err(|sentence| Trouble::new(Exit::Usage, sentence))?;
    let text_of_site = source_text(global, args, new_secrets.as_ref())?;
    let Config { settings, shell, warnings, .. } = config;
    let source = Some(Source { text: text_of_site, file: args.config.clone() });
    let parts = Parts { settings: settings.clone(), shell, data: global.data.clone(), source };
    let mut noted = false;
    let served = run::serve(parts, |running| {
        noted = true;
        note_address(&global.data, running.http);
        if let Some(Err(error)) = new_secrets.as_ref().map(|secrets| secrets.keep(&global.data)) {
            tracing::error!(%error, "the passwords below hold until the next start only");
        }
        let started = text(&Started {
            settings: &settings,
            config: args.config.as_deref(),
            sip: running.sip,
            http: running.http,
            reachable: reachable(),
            data: &global.data,
            new_secrets: new_secrets.as_ref(),
            warnings: &warnings,
        });
        let _ = print(&started); // a closed standard output is no reason to take no calls
    });
    if noted {
        forget_address(&global.data); // Not when another process holds the directory: then the note is its own.
    }
    served.map(|()| Exit::Done).map_err(Trouble::failed)
}

/// The configuration: the file, or the embedded site with its secrets when they are new.
pub(super) fn site(global: &Global, args: &Serve) -> Result<(Config, Option<Secrets>), Trouble> {
    let Some(file) = &args.config else {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|_| Trouble::failed("the system gives no random numbers for secrets"))?;
        return embedded::load(&global.data, host::zone(), &mut Entropy::from_secret(seed)).map_err(Trouble::failed);
    };
    match config::load(file) {
        Ok(config) => Ok((config, None)),
        Err(refused @ Refused::Unreadable(..)) => Err(Trouble::new(Exit::Config, refused)),
        Err(refused @ Refused::Wrong(..)) => {
            eprintln!("{refused}");
            let file = file.display();
            Err(Trouble::new(Exit::Config, format!("{file} is wrong: mend what is named above and start again")))
        }
    }
}

/// What the switch reads its site from while it runs.
fn source_text(global: &Global, args: &Serve, new: Option<&Secrets>) -> Result<String, Trouble> {
    if let Some(file) = &args.config {
        let read = std::fs::read_to_string(file);
        return read.map_err(|error| Trouble::new(Exit::Config, format!("{}: {error}", file.display())));
    }
    let kept = Secrets::kept(&global.data).map_err(Trouble::failed)?;
    let secrets = new.or(kept.as_ref()).ok_or_else(|| Trouble::failed("the secrets of the embedded site are gone"))?;
    Ok(embedded::text(secrets, host::zone()))
}

/// The command line and its environment have the last word; what they say must fit the rest as a file must.
pub(super) fn overrule(config: &mut Config, args: &Serve) -> Result<(), String> {
    if let Some(address) = args.sip_udp {
        config.shell.sip_udp = address;
    }
    if let Some(address) = args.http {
        config.shell.http = address;
        if !address.ip().is_loopback() {
            tracing::warn!(%address, "tokens and recordings cross the network unencrypted: let a proxy speak TLS");
        }
    }
    if let Some(address) = args.public_address {
        config.settings.server.public_address = Some(address);
    }
    if let Some(ports) = &args.media_ports {
        config.settings.server.media_ports = ports.clone();
    }
    if let Some(address) = args.public_address.filter(|address| address.is_unspecified() || address.is_multicast()) {
        return Err(format!("--public-address {address} is what no phone can send to; name a real address"));
    }
    let (media, sip) = (&config.settings.server.media_ports, config.shell.sip_udp.port());
    if media.contains(&sip) {
        let (low, high) = (media.start(), media.end());
        return Err(format!(
            "the media ports {low}-{high} contain {sip}, the port of SIP: choose others with --media-ports or --sip-udp"
        ));
    }
    Ok(())
}

/// The address from which this machine would talk to others. Connecting a UDP socket sends nothing; the target is a
/// documentation address (RFC 5737).
pub(super) fn reachable() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|address| !address.is_unspecified())
}

/// Where the commands of this data directory find the API. Without the note they ask the default address.
fn note_address(data: &Path, http: SocketAddr) {
    let host = match http.ip() {
        IpAddr::V4(address) if address.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(address) if address.is_unspecified() => IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
        address => address,
    };
    let url = format!("http://{}\n", SocketAddr::new(host, http.port()));
    let mut open = std::fs::OpenOptions::new();
    let file = open.write(true).create(true).truncate(true).mode(0o600).open(data.join(client::ADDRESS));
    if let Err(error) = file.and_then(|mut file| std::io::Write::write_all(&mut file, url.as_bytes())) {
        tracing::warn!(%error, "the address of the API could not be noted in the data directory");
    }
}

/// The next program on that port must not be given our token.
fn forget_address(data: &Path) {
    let _ = std::fs::remove_file(data.join(client::ADDRESS)); // it may never have been written
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Disk;

    #[test]
    fn the_command_line_has_the_last_word() {
        let mut config = config::parse("[server]\nsip_udp = \"127.0.0.1:5060\"\n", &Disk::new(Path::new("."))).unwrap();
        let args = Serve {
            sip_udp: Some("127.0.0.1:5070".parse().unwrap()),
            media_ports: Some(30_000..=30_099),
            ..Serve::default()
        };

        overrule(&mut config, &args).unwrap();

        assert_eq!(config.shell.sip_udp.port(), 5070);
        assert_eq!(config.settings.server.media_ports, 30_000..=30_099);
        assert_eq!(config.shell.http.port(), 8080);
    }

    #[test]
    fn what_the_command_line_says_must_fit_the_rest() {
        let refused = |args: Serve| {
            let text = "[server]\nsip_udp = \"127.0.0.1:5060\"\n";
            let mut config = config::parse(text, &Disk::new(Path::new("."))).unwrap();
            overrule(&mut config, &args).unwrap_err()
        };

        let media = refused(Serve { media_ports: Some(5_000..=5_099), ..Serve::default() });
        let sip = refused(Serve { sip_udp: Some("127.0.0.1:20500".parse().unwrap()), ..Serve::default() });
        let public = refused(Serve { public_address: Some("0.0.0.0".parse().unwrap()), ..Serve::default() });

        assert!(media.contains("5000-5099 contain 5060") && sip.contains("contain 20500"), "{media}\n{sip}");
        assert!(public.contains("--public-address 0.0.0.0"), "{public}");
    }
}
