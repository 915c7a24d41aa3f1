//! Why a switch could not be started, each in one sentence with the way out.

use super::clips::ClipError;
use crate::config::Problem;
use crate::store::OpenError;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a switch could not be started.
#[derive(Debug)]
pub enum StartError {
    /// `server.sip_udp` cannot be bound.
    Sip(SocketAddr, io::Error),
    /// `server.http` cannot be bound.
    Http(SocketAddr, io::Error),
    /// A prompt cannot be used.
    Clip(ClipError),
    /// The store cannot be opened.
    Store(OpenError),
    /// The file has become wrong while it was read.
    Site(Vec<Problem>),
    /// `admin.token` cannot be read or made.
    Token(PathBuf, io::Error),
    /// The system gives no threads or timers.
    Thread(io::Error),
    /// The system gives no randomness.
    Randomness,
}

impl From<ClipError> for StartError {
    fn from(error: ClipError) -> StartError {
        StartError::Clip(error)
    }
}

impl From<OpenError> for StartError {
    fn from(error: OpenError) -> StartError {
        StartError::Store(error)
    }
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StartError::Sip(address, error) => port(f, "UDP", *address, error, "sip_udp", "--sip-udp"),
            StartError::Http(address, error) => port(f, "TCP", *address, error, "http", "--http"),
            StartError::Clip(error) => write!(f, "{error}: name another file in [[prompt]]"),
            StartError::Store(error) => error.fmt(f),
            StartError::Site(problems) => {
                let told: Vec<String> = problems.iter().map(|problem| problem.show("the file")).collect();
                write!(f, "{}\nthe file has just become wrong: mend it and start again", told.join("\n"))
            }
            StartError::Token(file, error) => write!(
                f,
                "{} cannot be read or written ({error}): make it a file of yours, or remove it for a new one",
                file.display()
            ),
            StartError::Thread(error) => {
                write!(f, "the system gives no more threads ({error}): raise the limit of processes or memory")
            }
            StartError::Randomness => {
                f.write_str("the system gives no random numbers, which secrets need: look at /dev/urandom")
            }
        }
    }
}

impl std::error::Error for StartError {}

fn port(
    f: &mut std::fmt::Formatter<'_>,
    transport: &str,
    address: SocketAddr,
    error: &io::Error,
    key: &str,
    option: &str,
) -> std::fmt::Result {
    let number = address.port();
    let way_out = format!("set server.{key} in the config, or {option}");
    match error.kind() {
        io::ErrorKind::AddrInUse => write!(
            f,
            "{transport} port {number} ({address}) is taken by another program: stop that one, or {way_out}, \
             to another port"
        ),
        io::ErrorKind::AddrNotAvailable => {
            write!(f, "{} is not an address of this machine: {way_out}, to one that is", address.ip())
        }
        io::ErrorKind::PermissionDenied => {
            write!(f, "{transport} port {number} may not be used by this user: {way_out}, to a port above 1023")
        }
        _ => write!(f, "{transport} {address} cannot be used ({error}): {way_out}, to another address or port"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_names_the_setting_that_changes_it() {
        let error = StartError::Sip("0.0.0.0:5060".parse().unwrap(), io::ErrorKind::AddrInUse.into()).to_string();

        assert!(error.contains("5060") && error.contains("server.sip_udp") && error.contains("--sip-udp"), "{error}");
        assert!(!error.contains('\n'));
    }
}
