//! `ringback doctor`: what a switch needs of this machine and of the network, looked at one by one. Each line says that
//! it is well, or what is wrong and how it is mended. Nothing is changed; a switch that runs is asked, not disturbed.

use super::args::{Global, Serve};
use super::client::Client;
use super::table::{Table, harmless};
use super::{Exit, Trouble, print, print_json, serve};
use crate::config::Config;
use crate::run::space;
use crate::settings::TrunkMode;
use crate::switch::Space;
use serde_json::{Value, json};
use std::net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

/// How long a name may take to be found.
const LOOKUP: Duration = Duration::from_secs(5);
/// How far ahead of our clock a file may have been written: file systems round.
const SKEW: Duration = Duration::from_secs(2);

/// What was looked at.
struct Finding {
    what: String,
    told: String,
    /// How it is mended; `None`: it is well.
    mend: Option<String>,
}

fn well(what: &str, told: impl Into<String>) -> Finding {
    Finding { what: what.to_owned(), told: told.into(), mend: None }
}

fn wrong(what: &str, told: impl Into<String>, mend: impl Into<String>) -> Finding {
    Finding { what: what.to_owned(), told: told.into(), mend: Some(mend.into()) }
}

/// Looks at everything that `serve` with these options would need.
pub(super) fn doctor(global: &Global, args: &Serve) -> Result<Exit, Trouble> {
    let (mut config, _) = serve::site(global, args)?;
    serve::overrule(&mut config, args).map_err(|sentence| Trouble::new(Exit::Usage, sentence))?;
    let running = running(global);
    let mut findings = vec![well("site", site(&config)), disk(&global.data), clock(&global.data)];
    match &running {
        Some(_) => findings.push(well("ports", "a switch runs with this data directory and holds them")),
        None => findings.extend(ports(&config)),
    }
    findings.extend([numbers(&config), address(&config), privacy(&config)]);
    findings.extend(config.settings.trunks.iter().map(|trunk| name(&trunk.name, &trunk.host, trunk.port)));
    findings.extend(running.iter().flat_map(|(_, status)| status).map(store));
    findings.extend(running.iter().flat_map(|(trunks, _)| trunks).map(trunk));
    let is_well = findings.iter().all(|finding| finding.mend.is_none());
    if global.json {
        let told: Vec<Value> = findings
            .iter()
            .map(|of| json!({ "what": of.what, "ok": of.mend.is_none(), "told": of.told, "mend": of.mend }))
            .collect();
        print_json(&json!({ "ok": is_well, "findings": told }))?;
    } else {
        let mut table = Table::new(&["", "what", "finding"]);
        for Finding { what, told, mend } in &findings {
            let told = mend.as_ref().map_or(told.clone(), |mend| format!("{told}: {mend}"));
            table.row([if mend.is_none() { "ok" } else { "wrong" }.to_owned(), what.clone(), told]);
        }
        print(&table.show(""))?;
    }
    Ok(if is_well { Exit::Done } else { Exit::Failed })
}

fn site(config: &Config) -> String {
    let site = &config.settings;
    format!("{} agents, {} queues, {} trunks", site.agents.len(), site.queues.len(), site.trunks.len())
}

/// Trunks of the switch that runs with this data directory, and how it is; `None`: none does.
fn running(global: &Global) -> Option<(Vec<Value>, Option<Value>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let client = Client::new(global).ok()?;
    let mut trunks = runtime.block_on(client.list("/trunks", &[], usize::MAX)).ok()?;
    // One of an older version does not say.
    let status = runtime.block_on(client.get("/status")).ok();
    Some((trunks["items"].as_array_mut().map(std::mem::take)?, status))
}

/// Room for promises, in a directory that can be written.
fn disk(data: &Path) -> Finding {
    const WHAT: &str = "disk";
    let shown = data.display();
    // Before the first start the directory is not there: what counts is where it will be.
    let whole = std::path::absolute(data).unwrap_or_else(|_| data.to_owned());
    let there: Option<&Path> = whole.ancestors().find(|path| path.is_dir());
    let Some(there) = there else { return wrong(WHAT, format!("{shown} is nowhere"), "choose another with --data") };
    if rustix::fs::access(there, rustix::fs::Access::WRITE_OK).is_err() {
        let mend = "run this as the user the switch runs as, or choose another with --data";
        return wrong(WHAT, format!("{} cannot be written", there.display()), mend);
    }
    let Some(space::Room { free, whole }) = space::measure()(there) else {
        return well(WHAT, format!("{shown} does not say how full it is"));
    };
    let told = format!("{shown} has {} of {} MiB free", free >> 20, whole >> 20);
    match Space::default().after(free, whole) {
        Space::Ample => well(WHAT, told),
        Space::Low => well(WHAT, format!("{told}: less than 10 %, make room soon")),
        Space::Scarce => wrong(WHAT, told, "below 5 % calls are not recorded; make room"),
        Space::Spent => wrong(WHAT, told, "no promise is made; make room"),
    }
}

/// A clock that was set back would keep promises late. What was written last is the witness.
fn clock(data: &Path) -> Finding {
    const WHAT: &str = "clock";
    let now = SystemTime::now();
    let files = ["store", "admin.token", "store/db"].map(|name| data.join(name));
    let written = |path: &PathBuf| path.metadata().ok()?.modified().ok();
    match files.iter().filter_map(written).max().filter(|written| *written > now + SKEW) {
        Some(later) => {
            let secs = later.duration_since(now).unwrap_or_default().as_secs();
            wrong(WHAT, format!("it is {secs} s behind what was written last"), "set it, and keep it by NTP")
        }
        None => well(WHAT, chrono::DateTime::<chrono::Utc>::from(now).format("%Y-%m-%d %H:%M:%S UTC").to_string()),
    }
}

/// What `serve` would bind.
fn ports(config: &Config) -> Vec<Finding> {
    let taken = |what: &str, address: SocketAddr, error: std::io::Error, setting: &str| {
        wrong(what, format!("{address} cannot be had ({error})"), format!("choose another with {setting}"))
    };
    let (sip, http) = (config.shell.sip_udp, config.shell.http);
    let mut findings = vec![match UdpSocket::bind(sip) {
        Ok(_) => well("sip", format!("{sip} is free")),
        Err(error) => taken("sip", sip, error, "--sip-udp (server.sip_udp)"),
    }];
    findings.push(match TcpListener::bind(http) {
        Ok(_) => well("http", format!("{http} is free")),
        Err(error) => taken("http", http, error, "--http (server.http)"),
    });
    let range = &config.settings.server.media_ports;
    let address = config.shell.media_address;
    let busy = range.clone().filter(|port| UdpSocket::bind((address, *port)).is_err()).count();
    let all = range.clone().count();
    let told = format!("{address}:{}-{}", range.start(), range.end());
    findings.push(match busy * 2 > all {
        true => {
            let mend = "choose others with --media-ports (server.media_ports)";
            wrong("media", format!("{busy} of the {all} ports {told} are taken"), mend)
        }
        false => well("media", format!("{} of the {all} ports {told} are free", all - busy)),
    });
    findings
}

fn numbers(config: &Config) -> Finding {
    match (&config.settings.system.default_country, config.settings.trunks.is_empty()) {
        (Some(country), _) => well("numbers", format!("those of {country} may be called")),
        (None, true) => well("numbers", "only extensions can be called, and there is no trunk"),
        (None, false) => wrong("numbers", "only extensions can be called", "set system.default_country"),
    }
}

/// What phones and carriers are told to send to.
fn address(config: &Config) -> Finding {
    const WHAT: &str = "address";
    let here = serve::reachable();
    match (config.settings.server.public_address, here) {
        (Some(public), _) => well(WHAT, format!("{public} is told to phones and carriers")),
        (None, Some(here)) if is_private(here) && config.settings.trunks.iter().any(lies_outside) => {
            let mend = "set server.public_address (--public-address) to the one that carriers reach";
            wrong(WHAT, format!("{here} is private, and a trunk lies outside"), mend)
        }
        (None, Some(here)) => well(WHAT, format!("{here}, or whichever routes to the other side, is told to it")),
        (None, None) => wrong(WHAT, "this machine has no route to others", "connect it, or set server.public_address"),
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || address.is_loopback() || address.is_link_local(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
    }
}

/// Known by an address of the world, or by a name, which providers have.
fn lies_outside(trunk: &crate::settings::Trunk) -> bool {
    trunk.host.parse().map_or(matches!(trunk.mode, TrunkMode::Register { .. }), |address| !is_private(address))
}

/// The administrator's token in clear over a network.
fn privacy(config: &Config) -> Finding {
    let http = config.shell.http;
    match http.ip().is_loopback() {
        true => well("tls", "the API and the pages are on loopback only"),
        false => {
            let mend = "keep server.http on loopback, and put a proxy with TLS before it";
            wrong("tls", format!("tokens travel to {http} in clear"), mend)
        }
    }
}

/// Whether the name of a trunk leads anywhere.
fn name(trunk: &str, host: &str, port: u16) -> Finding {
    let what = format!("dns {trunk}");
    let (found, lookup) = mpsc::channel();
    let wanted = (host.to_owned(), port);
    // A resolver that hangs is left behind: the process ends soon.
    std::thread::spawn(move || drop(found.send(wanted.to_socket_addrs().map(Iterator::collect::<Vec<_>>))));
    let mend = "correct the trunk's host, or this machine's DNS";
    match lookup.recv_timeout(LOOKUP) {
        Ok(Ok(addresses)) if !addresses.is_empty() => {
            let addresses: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
            well(&what, format!("{host} is {}", addresses.join(", ")))
        }
        Ok(Ok(_)) => wrong(&what, format!("{host} leads nowhere"), mend),
        Ok(Err(error)) => wrong(&what, format!("{host} is not found ({error})"), mend),
        Err(_) => wrong(&what, format!("{host} is not found within {} s", LOOKUP.as_secs()), mend),
    }
}

/// The store of the switch that runs.
fn store(status: &Value) -> Finding {
    let warnings = status["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let warnings: Vec<String> = warnings.map(harmless).collect();
    match warnings.is_empty() {
        true => well("store", "it takes what is written"),
        false => wrong("store", warnings.join(" "), "see `ringback status`"),
    }
}

/// A trunk of the switch that runs.
fn trunk(trunk: &Value) -> Finding {
    let text = |name: &str| trunk[name].as_str().map(harmless).unwrap_or_default();
    let what = format!("trunk {}", text("name"));
    match &*text("state") {
        "down" => wrong(&what, format!("down ({})", text("reason")), "see `ringback trunk list`, and ask the provider"),
        state => well(&what, state),
    }
}
