//! The site as the switch sees it: already parsed, already true. `config.rs` builds it from TOML and refuses
//! everything that is outside its limits; the switch never validates again. Field names and defaults are those of
//! `model.md`; durations are `Duration`; references are names, checked to exist.

use crate::id::Name;
use chrono::{NaiveDate, NaiveTime, Weekday};
pub use chrono_tz::{TZ_VARIANTS, Tz};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

/// Everything a site consists of.
#[derive(Clone, Debug)]
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
    /// When a callback is offered or made.
    pub rules: Vec<CallbackRule>,
}

/// `[server]`, as far as the planes need it.
#[derive(Clone, Debug)]
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
#[derive(Clone, Debug)]
pub struct System {
    /// ISO 3166 alpha-2; `None` until an admin sets it: only extensions can be called then.
    pub default_country: Option<String>,
    /// Display, and schedules without a zone.
    pub default_timezone: Tz,
    /// Shown to customers as display name.
    pub company_name: String,
    /// Callback attempts in flight, all together (1–1000).
    pub max_callback_lines: u32,
    /// INVITEs of automatic callbacks a minute (0–6000).
    pub max_originates_per_min: u32,
}

/// How a trunk is reached.
#[derive(Clone, Debug, PartialEq)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberFormat {
    /// `+12025550123`
    E164Plus,
    /// `12025550123`
    E164,
    /// As dialled inside the country.
    National,
}

/// Which header carries our identity to a trunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityHeader {
    /// From only.
    From,
    /// From and P-Asserted-Identity (RFC 3325 §9.1).
    Pai,
    /// From and Remote-Party-ID.
    Rpid,
}

/// `[[trunk]]`
#[derive(Clone, Debug)]
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
    /// Whether its identity headers are believed (T20).
    pub trusted: bool,
}

/// A digest user and secret of ours.
#[derive(Clone, Debug, PartialEq)]
pub struct Credentials {
    /// Digest user.
    pub username: String,
    /// Digest secret.
    pub password: String,
    /// The only realm answered, when set (T12).
    pub realm: Option<String>,
}

/// An address block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug)]
pub struct CallerId {
    /// Its name, and the display name shown.
    pub label: Name,
    /// E.164 with `+`.
    pub number: String,
    /// The trunk that owns it.
    pub trunk: Option<Name>,
}

/// `[[agent]]`
#[derive(Clone, Debug)]
pub struct Agent {
    /// Its name.
    pub name: Name,
    /// 3–64 digits; also the user part of the address of record.
    pub extension: Name,
    /// Digest secret.
    pub secret: String,
    /// Calls at once (1–4).
    pub max_calls: u8,
    /// `None`: the queue's.
    pub wrap_up: Option<Duration>,
    /// Ready as soon as registered.
    pub auto_ready: bool,
    /// So many calls unanswered in a row pause the agent (0–20); 0: never.
    pub max_no_answer: u8,
    /// Nothing is offered for so long after the agent has declined a call.
    pub decline_cooldown: Duration,
}

/// How a queue picks among ready agents. Only `LongestIdle` is honoured yet; config warns about the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// The one that has been idle longest.
    LongestIdle,
}

/// `[[queue]]`
#[derive(Clone, Debug)]
pub struct Queue {
    /// Its name.
    pub name: Name,
    /// What phones dial.
    pub number: Name,
    /// How agents are picked.
    pub strategy: Strategy,
    /// How long one agent rings (5–120 s).
    pub ring: Duration,
    /// Rest after a call.
    pub wrap_up: Duration,
    /// Agents, by name, in order.
    pub members: Vec<Name>,
    /// Live callers at once; `None`: the table's limit.
    pub max_callers: Option<u32>,
    /// How long a caller may wait; `None`: no limit.
    pub max_wait: Option<Duration>,
    /// Hold music: a prompt's name; `None`: the built-in loop.
    pub moh: Option<Name>,
    /// Callback rules, by name, in order.
    pub rules: Vec<Name>,
    /// Record its live calls.
    pub record: bool,
    /// What is played before a live call is recorded.
    pub record_notice: Sound,
}

/// One range of opening hours; the start belongs to it, the end does not. An end at or before the start lies on the
/// next day; `24:00` is stored as midnight of the next day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    /// Opens.
    pub start: NaiveTime,
    /// Closes.
    pub end: NaiveTime,
}

/// One line of `weekly`.
#[derive(Clone, Debug, PartialEq)]
pub struct Weekly {
    /// On these days (the day on which the range starts).
    pub days: Vec<Weekday>,
    /// Open then.
    pub hours: Hours,
}

/// One line of `exceptions`: it replaces the weekly hours of its date.
#[derive(Clone, Debug, PartialEq)]
pub struct Exception {
    /// The date in the schedule's zone.
    pub date: NaiveDate,
    /// Empty: closed all day.
    pub ranges: Vec<Hours>,
    /// What people call it.
    pub name: String,
}

/// `[[schedule]]`
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Its name.
    pub name: Name,
    /// Its zone.
    pub tz: Tz,
    /// Weekly hours; several ranges a day are several lines.
    pub weekly: Vec<Weekly>,
    /// Dates that differ.
    pub exceptions: Vec<Exception>,
}

/// Where a call goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Into a queue's line.
    Queue(Name),
    /// To an agent's phone.
    Agent(Name),
    /// Refused with this status.
    Hangup(u16),
}

/// `[[inbound_route]]`
#[derive(Clone, Debug)]
pub struct InboundRoute {
    /// Calls of this trunk.
    pub trunk: Name,
    /// Exact number, or a prefix.
    pub did: DidPattern,
    /// Where they go.
    pub to: Destination,
}

/// What a dialled number is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DidPattern {
    /// Equal, `+` and formatting aside.
    Exact(String),
    /// Begins so (`*` at the end in the file).
    Prefix(String),
}

/// `[[outbound_route]]`
#[derive(Clone, Debug)]
pub struct OutboundRoute {
    /// What `dial_prefix` + number begins with.
    pub prefix: String,
    /// Characters removed from the front.
    pub strip: u8,
    /// Then put in front.
    pub prepend: String,
    /// In order of preference.
    pub trunks: Vec<Name>,
}

/// A prompt someone may replace or silence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Sound {
    /// Unset in the file: what ships with us.
    #[default]
    BuiltIn,
    /// `""` in the file: nothing.
    Silent,
    /// A `[[prompt]]`.
    Prompt(Name),
}

/// What makes a callback possible while one waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// The request key, at any time.
    Key,
    /// An offer after `offer_after`.
    AfterWait,
    /// An announcement, repeated.
    Announced,
}

/// How the number is found out (C2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberCapture {
    /// The calling number, at once; a dialogue only when it is withheld.
    AniOnly,
    /// The dialogue of S2.7–S2.11.
    ConfirmOrEnter,
}

/// What happens to an open task of a customer who rings in (interface.md, Settled 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnCallIn {
    /// Closed `customer_called`; the call takes its place in line.
    Cancel,
}

/// `[[callback_rule]]`: when.
#[derive(Clone, Debug)]
pub struct CallbackRule {
    /// Its name.
    pub name: Name,
    /// Off: offers nothing, and its open tasks are cancelled.
    pub enabled: bool,
    /// Takes new requests.
    pub accept: bool,
    /// Dials.
    pub process: bool,
    /// What makes the offer.
    pub triggers: Vec<Trigger>,
    /// The request key.
    pub request_digit: char,
    /// First offer after this wait.
    pub offer_after: Duration,
    /// Then again this often.
    pub offer_repeat: Option<Duration>,
    /// Announce only while no agent is free.
    pub only_when_all_busy: bool,
    /// Announce only with so many ahead.
    pub min_ahead: u32,
    /// Open tasks of this rule at once.
    pub max_pending: Option<u32>,
    /// No request this close before the schedule closes.
    pub close_guard: Duration,
    /// How the number is found out.
    pub number_capture: NumberCapture,
    /// Shortest typed number.
    pub min_digits: u8,
    /// Longest typed number.
    pub max_digits: u8,
    /// Pause between keys that ends an entry.
    pub interdigit: Duration,
    /// The whole dialogue.
    pub entry_total: Duration,
    /// Bad tries before going back to hold.
    pub entry_tries: u8,
    /// Ends an entry; alone: the calling number.
    pub confirm_key: char,
    /// Back to hold.
    pub cancel_key: char,
    /// Typed digits are read back.
    pub read_back: bool,
    /// The profile, by name.
    pub profile: Name,
    /// 1 (first) to 9.
    pub priority: u8,
    /// What the offer says.
    pub prompt_offer: Sound,
    /// What asks for the number.
    pub prompt_confirm: Sound,
    /// The promise.
    pub prompt_accepted: Sound,
    /// After it.
    pub prompt_goodbye: Sound,
    /// The apology.
    pub prompt_unavailable: Sound,
    /// A customer with an open task rings in.
    pub on_call_in: OnCallIn,
}

/// What follows an attempt that found nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAnswerAction {
    /// By `intervals`.
    Retry,
    /// The task fails.
    Fail,
}

/// Which number is shown to the customer (C14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallerIdMode {
    /// The number the customer had called, when it is ours.
    DnisElseFixed,
    /// Always `caller_id`.
    Fixed,
}

/// Who serves the callback (C17).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServedBy {
    /// The queue of the request.
    Same,
    /// This queue.
    Queue(Name),
    /// This agent.
    Agent(Name),
}

/// How long a promise lives, and by which clock (C12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiryClock {
    /// Only while the schedule is open.
    Open,
    /// Always.
    Wall,
}

/// `[[callback_profile]]`: how.
#[derive(Clone, Debug)]
pub struct CallbackProfile {
    /// Its name.
    pub name: Name,
    /// Off: nothing is dialled, tasks show why.
    pub enabled: bool,
    /// Who serves.
    pub destination: ServedBy,
    /// Which number is shown.
    pub caller_id_mode: CallerIdMode,
    /// The fixed one, by label.
    pub caller_id: Option<Name>,
    /// Put in front of the number before the outbound routes are asked.
    pub dial_prefix: String,
    /// Trunks in order, instead of the route's.
    pub trunks: Vec<Name>,
    /// Customer dials in all (1–20).
    pub attempts_max: u32,
    /// `[0]` before the first, `[i]` after attempt i; the last repeats.
    pub intervals: Vec<Duration>,
    /// How long the customer rings (1–120 s).
    pub ring_timeout: Duration,
    /// After no answer.
    pub no_answer_action: NoAnswerAction,
    /// What the agent hears first.
    pub agent_prompt: Sound,
    /// What the customer hears on answering.
    pub customer_prompt: Sound,
    /// Bridged talk longer than this is success; zero: the answer itself.
    pub success_min_talk: Duration,
    /// Life of a task; `None`: no limit.
    pub expires_after: Option<Duration>,
    /// By which clock.
    pub expiry_clock: ExpiryClock,
    /// When it may dial; `None`: always.
    pub schedule: Option<Name>,
    /// Attempts of this profile at once.
    pub max_lines: Option<u32>,
    /// Before everybody else.
    pub priority_boost: bool,
    /// Record the call.
    pub record: bool,
    /// What the customer hears before it is recorded.
    pub record_notice: Sound,
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
    /// Prompts to load: name and audio file.
    pub prompts: Vec<(Name, std::path::PathBuf)>,
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
    queue in queues: Queue,
    schedule in schedules: Schedule,
    profile in profiles: CallbackProfile,
    rule in rules: CallbackRule,
}
