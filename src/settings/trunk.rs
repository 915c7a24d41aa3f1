//! Where calls come from and go to, and the identities shown there (model.md: trunk, caller_id).

use crate::id::Name;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::time::Duration;

/// How a trunk is reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum TrunkMode {
    /// Known by its source address.
    Peer,
    /// We register there (RFC 3261 §10.2).
    Register {
        /// The user part of our address of record.
        username: String,
        /// Digest user, often the same.
        auth_user: String,
        /// Digest secret.
        password: String,
        /// The only realm we answer; `None`: the first one its own addresses name.
        realm: Option<String>,
        /// What we ask for.
        expires: Duration,
    },
}

/// The format in which a trunk wants numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NumberFormat {
    /// `+12025550123`
    E164Plus,
    /// `12025550123`
    E164,
    /// As dialled inside the country.
    National,
}

/// Which header carries our identity to a trunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IdentityHeader {
    /// From only.
    From,
    /// From and P-Asserted-Identity (RFC 3325 §9.1).
    Pai,
    /// From and Remote-Party-ID.
    Rpid,
}

/// `[[trunk]]`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Trunk {
    /// Its name.
    pub name: Name,
    /// Peer or register.
    pub mode: TrunkMode,
    /// Host name or address of the provider.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Outbound proxy `host[:port]`, when not `host:port` itself.
    pub proxy: Option<String>,
    /// Credentials for challenges in peer mode, too.
    pub credentials: Option<Credentials>,
    /// Who may send us calls as this trunk; always includes the resolved `host`.
    pub acl: Vec<Cidr>,
    /// OPTIONS this often (RFC 3261 §11); `None`: never.
    pub options_ping: Option<Duration>,
    /// How long after a failure the next try is made.
    pub retry: Duration,
    /// Calls at once.
    pub max_calls: u32,
    /// New calls a second.
    pub max_cps: u32,
    /// Codecs offered, in order.
    pub codecs: Vec<Codec>,
    /// How it wants numbers.
    pub number_format: NumberFormat,
    /// Digits removed from the front of a dialled number.
    pub strip_digits: u8,
    /// Then put in front.
    pub prefix: String,
    /// Where our identity goes.
    pub identity_header: IdentityHeader,
    /// It is asked to withhold our number from those we call (RFC 3323).
    pub privacy: bool,
    /// Whether its identity headers are believed (T20).
    pub trusted: bool,
    /// Whether its verdict on caller identities (`verstat`) is read.
    pub read_verstat: bool,
    /// Used when this one fails.
    pub failover: Option<Name>,
}

/// A digest user and secret of ours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Credentials {
    /// Digest user.
    pub username: String,
    /// Digest secret.
    pub password: String,
    /// The only realm answered, when set (T12).
    pub realm: Option<String>,
}

/// An address block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cidr {
    /// First address.
    pub address: IpAddr,
    /// Leading bits that count.
    pub bits: u8,
}

impl Cidr {
    /// Whether `address` lies inside.
    pub fn contains(&self, address: IpAddr) -> bool {
        fn prefix_equal(a: u128, b: u128, bits: u32, width: u32) -> bool {
            bits == 0 || (a ^ b) >> (width - bits.min(width)) == 0
        }
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                prefix_equal(u32::from(a).into(), u32::from(b).into(), self.bits.into(), 32)
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => prefix_equal(a.into(), b.into(), self.bits.into(), 128),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

/// An audio codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Codec {
    /// G.711 µ-law, payload type 0 (RFC 3551 §6).
    #[serde(rename = "PCMU")]
    Pcmu,
    /// G.711 A-law, payload type 8.
    #[serde(rename = "PCMA")]
    Pcma,
}

/// `[[caller_id]]`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CallerId {
    /// Its name, and the display name shown.
    pub label: Name,
    /// E.164 with `+`.
    pub number: String,
    /// The trunk that owns it.
    pub trunk: Option<Name>,
    /// Off: never shown.
    pub enabled: bool,
}

impl Trunk {
    /// Whether it is reached in the same way, so that what is known of its state still holds.
    pub fn is_same_peer(&self, other: &Trunk) -> bool {
        let peer = |trunk: &Trunk| {
            let Trunk { mode, host, port, proxy, credentials, options_ping, retry, .. } = trunk.clone();
            (mode, host, port, proxy, credentials, options_ping, retry)
        };
        peer(self) == peer(other)
    }

    /// A peer at `host`, with the defaults of the model.
    pub fn peer(name: &str, host: &str) -> Trunk {
        Trunk {
            name: name.into(),
            mode: TrunkMode::Peer,
            host: host.to_owned(),
            port: 5060,
            proxy: None,
            credentials: None,
            acl: Vec::new(),
            options_ping: Some(Duration::from_secs(30)),
            retry: Duration::from_secs(60),
            max_calls: 30,
            max_cps: 5,
            codecs: vec![Codec::Pcmu, Codec::Pcma],
            number_format: NumberFormat::E164Plus,
            strip_digits: 0,
            prefix: String::new(),
            identity_header: IdentityHeader::Pai,
            privacy: false,
            trusted: false,
            read_verstat: false,
            failover: None,
        }
    }
}

impl CallerId {
    /// An identity of no trunk in particular.
    pub fn named(label: &str, number: &str) -> CallerId {
        CallerId { label: label.into(), number: number.to_owned(), trunk: None, enabled: true }
    }
}
