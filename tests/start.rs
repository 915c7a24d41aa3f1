//! Starting the real shell: what stands in its way is said in one sentence with the way out.

#![cfg(feature = "shell")]

use ringback::config;
use ringback::entropy::Entropy;
use ringback::run::{Parts, StartError, start};
use ringback::store::{Limits, Opened};
use std::net::{TcpListener, UdpSocket};
use std::path::PathBuf;

struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let path = std::env::temp_dir().join(format!("ringback-start-{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        Place(path)
    }

    /// The embedded site on free ports of loopback.
    fn parts(&self) -> Parts {
        let secrets = config::embedded::Secrets::generate(&mut Entropy::from_seed(1));
        let text = config::embedded::text(&secrets, chrono_tz::Tz::UTC);
        let mut config = config::parse(&text, &config::Disk::new(&self.0)).unwrap();
        config.shell.sip_udp = "127.0.0.1:0".parse().unwrap();
        config.shell.http = "127.0.0.1:0".parse().unwrap();
        config.shell.media_address = "127.0.0.1".parse().unwrap();
        Parts { settings: config.settings, shell: config.shell, data: self.0.clone() }
    }

    fn refused(&self, parts: Parts) -> (StartError, String) {
        let error = start(parts).err().expect("something stands in the way");
        let sentence = error.to_string();
        assert!(!sentence.contains('\n'), "{sentence}");
        (error, sentence)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

#[test]
fn a_taken_sip_port_is_named_with_the_setting_that_changes_it() {
    let place = Place::new("sip");
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut parts = place.parts();
    parts.shell.sip_udp = taken.local_addr().unwrap();

    let (error, sentence) = place.refused(parts);

    assert!(matches!(error, StartError::Sip(..)));
    let port = taken.local_addr().unwrap().port().to_string();
    for word in [&port, "UDP", "server.sip_udp", "--sip-udp"] {
        assert!(sentence.contains(word), "{sentence}");
    }
    assert!(!place.0.exists(), "nothing has been touched");
}

#[test]
fn a_taken_http_port_is_named_with_the_setting_that_changes_it() {
    let place = Place::new("http");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut parts = place.parts();
    parts.shell.http = taken.local_addr().unwrap();

    let (_, sentence) = place.refused(parts);

    assert!(sentence.contains("server.http") && sentence.contains("--http"), "{sentence}");
}

#[test]
fn an_address_of_another_machine_is_named() {
    let place = Place::new("address");
    let mut parts = place.parts();
    parts.shell.sip_udp = "192.0.2.77:5060".parse().unwrap();

    let (_, sentence) = place.refused(parts);

    assert!(sentence.contains("192.0.2.77 is not an address of this machine"), "{sentence}");
}

#[test]
fn a_data_directory_in_use_is_named_with_the_pid_of_its_user() {
    let place = Place::new("locked");
    let holder = Opened::open(&place.0, Limits::default()).unwrap();

    let (_, sentence) = place.refused(place.parts());
    drop(holder);

    assert!(sentence.contains(&format!("in use by process {}", std::process::id())), "{sentence}");
    assert!(sentence.contains("--data"), "{sentence}");
}

#[test]
fn a_data_directory_that_cannot_be_is_named() {
    let place = Place::new("directory");
    std::fs::write(&place.0, b"a file").unwrap();
    let mut parts = place.parts();
    parts.data = place.0.join("below");

    let (_, sentence) = place.refused(parts);
    std::fs::remove_file(&place.0).unwrap();

    assert!(sentence.contains("cannot be written") && sentence.contains("--data"), "{sentence}");
}

#[test]
fn a_prompt_without_a_file_is_named() {
    let place = Place::new("prompt");
    let mut parts = place.parts();
    parts.shell.prompts.push(("greeting".into(), "/nowhere/greeting.ogg".into()));

    let (_, sentence) = place.refused(parts);

    assert!(sentence.contains("\"greeting\"") && sentence.contains("/nowhere/greeting.ogg"), "{sentence}");
}

#[test]
fn an_emptied_token_lets_nobody_in() {
    let place = Place::new("token");
    std::fs::create_dir_all(&place.0).unwrap();
    std::fs::write(place.0.join("admin.token"), b"\n").unwrap();

    let (_, sentence) = place.refused(place.parts());

    assert!(sentence.contains("admin.token"), "{sentence}");
}
