//! The site as the switch sees it: already parsed, already true. `config.rs` builds it from TOML and refuses
//! everything that is outside its limits; the switch never validates again. Field names and defaults are those of
//! `model.md`; durations are `Duration`; references are names, checked to exist.

mod hours;
mod numbers;
mod people;
mod profile;
mod route;
mod rule;
mod trunk;

pub use hours::*;
pub use numbers::*;
pub use people::*;
pub use profile::*;
pub use route::*;
pub use rule::*;
pub use trunk::*;

use crate::id::Name;
use crate::zone::Zones;
pub use chrono_tz::{TZ_VARIANTS, Tz};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

/// Everything a site consists of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// What the process itself is told: addresses, realm, algorithms.
    pub server: Server,
    /// What holds for the whole site.
    pub system: System,
    /// Where calls come from and go to.
    pub trunks: Vec<Trunk>,
    /// Identities we show.
    pub caller_ids: Vec<CallerId>,
    /// People with phones.
    pub agents: Vec<Agent>,
    /// Agents called together.
    pub groups: Vec<Group>,
    /// Lines people wait in.
    pub queues: Vec<Queue>,
    /// Calling hours.
    pub schedules: Vec<Schedule>,
    /// Which dialled number leads where; first match in order.
    pub inbound_routes: Vec<InboundRoute>,
    /// Which prefix leaves by which trunks; longest prefix, then order.
    pub outbound_routes: Vec<OutboundRoute>,
    /// How calls are placed back.
    pub profiles: Vec<CallbackProfile>,
    /// When a callback is offered or made, in order: the first that matches wins.
    pub rules: Vec<CallbackRule>,
    /// Menus.
    pub ivrs: Vec<Ivr>,
    /// Numbers treated apart, in order.
    pub number_lists: Vec<NumberEntry>,
    /// Which numbers may be called back.
    pub number_policies: Vec<NumberPolicy>,
    /// What clocks show in every zone of the world.
    pub zones: Zones,
}

/// `[server]`, as far as the planes need it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Server {
    /// What SDP and Contact carry; `None`: the local address that routes to the peer.
    pub public_address: Option<IpAddr>,
    /// Ports lent to legs; RTP takes the even ones (RFC 3550 §11).
    pub media_ports: RangeInclusive<u16>,
    /// Algorithms offered in challenges, in this order, to everybody (RFC 8760 §2.4).
    pub digest_algorithms: Vec<DigestAlgorithm>,
    /// The realm of our challenges.
    pub realm: String,
    /// The smallest registration we grant; below it 423 (RFC 3261 §10.3).
    pub register_min: Duration,
    /// The longest registration we grant.
    pub register_max: Duration,
    /// How long a drain waits for running calls.
    pub drain: Duration,
    /// Media shards, at least 1.
    pub shards: u16,
}

/// A digest algorithm (RFC 7616 §3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DigestAlgorithm {
    /// MD5, what desk phones speak.
    #[serde(rename = "MD5")]
    Md5,
    /// SHA-256.
    #[serde(rename = "SHA-256")]
    Sha256,
}

/// `[system]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct System {
    /// ISO 3166 alpha-2; `None` until an admin sets it: only extensions can be called then.
    pub default_country: Option<String>,
    /// Display, and schedules without a zone.
    #[serde(with = "crate::zone::named")]
    pub default_timezone: Tz,
    /// Shown to customers as display name.
    pub company_name: String,
    /// Callback attempts in flight, all together (1–1000).
    pub max_callback_lines: u32,
    /// INVITEs of automatic callbacks a minute (0–6000).
    pub max_originates_per_min: u32,
    /// Calls to the outside that an agent's phones may make from new addresses until a person has looked (security.md
    /// T35); `None`: no limit.
    pub new_address_calls: Option<u32>,
    /// Frozen (S5.12): rules rest, nothing is dialled.
    pub frozen: bool,
}

/// A prompt someone may replace or silence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sound {
    /// Unset in the file: what ships with us.
    #[default]
    BuiltIn,
    /// `""` in the file: nothing.
    Silent,
    /// A `[[prompt]]`.
    Prompt(Name),
}

/// What the shell alone needs from the file.
#[derive(Clone, Debug)]
pub struct ShellSettings {
    /// Where SIP over UDP listens.
    pub sip_udp: SocketAddr,
    /// Where RTP sockets are bound.
    pub media_address: IpAddr,
    /// Where HTTP listens.
    pub http: SocketAddr,
    /// Prompts to load or to speak, notices of recordings that are spoken among them.
    pub prompts: Vec<(Name, PromptSource)>,
    /// What speaks a text: a program and its arguments, which reads the text and writes a WAV file; `None`:
    /// espeak-ng or flite, when one of them is installed.
    pub speech_command: Option<Vec<String>>,
    /// Who may use the API besides the holder of the administrator's token.
    pub api_keys: Vec<ApiKey>,
}

/// Where the sound of a prompt comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PromptSource {
    /// An audio file.
    File(std::path::PathBuf),
    /// A text that is spoken.
    Speech(Speech),
}

/// A text to be spoken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Speech {
    /// What is said.
    pub text: String,
    /// BCP 47.
    pub lang: String,
    /// The engine's voice; `None`: the one it has for the language.
    pub voice: Option<String>,
}

/// `[[api_key]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its name, which the audit log shows.
    pub name: Name,
    /// What is sent as bearer token.
    pub secret: String,
    /// What it may do.
    pub role: Role,
    /// Not taken from then on; `None`: it lasts.
    pub expires: Option<crate::time::DateTime<crate::time::Utc>>,
}

/// What a holder of an API key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Read everything, change nothing.
    Auditor,
    /// Also act on calls, agents and callbacks.
    Supervisor,
    /// Also change the site.
    Admin,
}

impl Settings {
    /// A site without anything on it, with the defaults of the model.
    pub fn empty(zone: Tz) -> Settings {
        Settings {
            server: Server::default(),
            system: System {
                default_country: None,
                default_timezone: zone,
                company_name: String::new(),
                max_callback_lines: 15,
                max_originates_per_min: 60,
                new_address_calls: Some(3),
                frozen: false,
            },
            trunks: Vec::new(),
            caller_ids: Vec::new(),
            agents: Vec::new(),
            groups: Vec::new(),
            queues: Vec::new(),
            schedules: Vec::new(),
            inbound_routes: Vec::new(),
            outbound_routes: Vec::new(),
            profiles: Vec::new(),
            rules: Vec::new(),
            ivrs: Vec::new(),
            number_lists: Vec::new(),
            number_policies: Vec::new(),
            zones: Zones::bundled(),
        }
    }
}

impl Settings {
    /// The number policy that the rule of this name sets for its callbacks.
    pub fn policy_of_rule(&self, rule: Option<&str>) -> Option<&NumberPolicy> {
        self.number_policy(self.rule(rule?)?.number_policy.as_deref()?)
    }
}

impl Default for Server {
    fn default() -> Server {
        Server {
            public_address: None,
            media_ports: 20_000..=20_999,
            digest_algorithms: vec![DigestAlgorithm::Md5],
            realm: "ringback".to_owned(),
            register_min: Duration::from_secs(60),
            register_max: Duration::from_secs(3_600),
            drain: Duration::from_secs(300),
            shards: 1,
        }
    }
}

macro_rules! find_by_name {
    ($($find:ident in $list:ident: $type:ty),* $(,)?) => {
        impl Settings {$(
            /// The object of this name.
            pub fn $find(&self, name: &str) -> Option<&$type> {
                self.$list.iter().find(|object| &*object.name == name)
            }
        )*}
    };
}

find_by_name! {
    trunk in trunks: Trunk,
    agent in agents: Agent,
    group in groups: Group,
    queue in queues: Queue,
    schedule in schedules: Schedule,
    profile in profiles: CallbackProfile,
    rule in rules: CallbackRule,
    ivr in ivrs: Ivr,
    number_policy in number_policies: NumberPolicy,
}
