//! The site that scenarios run: one queue with three agents, one carrier, one rule on key 1, one profile.

use ringback::demo::endpoint::Config;
use ringback::demo::person::Person;
use ringback::demo::station::Station;
use ringback::entropy::Entropy;
use ringback::settings::*;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// The switch.
pub const SWITCH: SocketAddr = at([10, 0, 0, 1], 5060);
/// The carrier's signalling address.
pub const CARRIER: SocketAddr = at([198, 51, 100, 5], 5060);
/// Another carrier.
pub const SPARE: SocketAddr = at([198, 51, 100, 6], 5060);
/// What customers dial.
pub const DID: &str = "+12025550100";
/// Extensions, names and addresses of the phones.
pub const PHONES: [(&str, &str, SocketAddr, u32); 4] = [
    ("anna", "1001", at([10, 0, 1, 1], 5060), 700),
    ("ben", "1002", at([10, 0, 1, 2], 5060), 900),
    ("carl", "1003", at([10, 0, 1, 3], 5060), 1100),
    ("dora", "1004", at([10, 0, 1, 4], 5060), 1300),
];

pub const fn at(ip: [u8; 4], port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(ip[0], ip[1], ip[2], ip[3])), port)
}

pub const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// The digest secret of an extension.
pub fn secret(extension: &str) -> String {
    format!("secret-of-{extension}")
}

/// The small site of a preset (`tests/fixtures`), as the reader of files makes it.
#[cfg(feature = "shell")]
pub fn preset(name: &str) -> Settings {
    use ringback::config::{self, Disk};
    let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let text = std::fs::read_to_string(fixtures.join(format!("{name}.toml"))).expect("a fixture");
    let config = config::parse(&text, &Disk::new(&fixtures)).unwrap_or_else(|problems| panic!("{problems:#?}"));
    Settings { server: site().server, ..config.settings }
}

/// See the module. Scenarios change what they are about.
pub fn site() -> Settings {
    Settings {
        server: Server {
            public_address: None,
            media_ports: 20_000..=20_199,
            digest_algorithms: vec![DigestAlgorithm::Md5],
            realm: "ringback".to_owned(),
            register_min: secs(60),
            register_max: secs(3_600),
            drain: secs(300),
            shards: 1,
        },
        system: System {
            default_country: Some("US".to_owned()),
            default_timezone: chrono_tz::America::New_York,
            company_name: "Example Ltd".to_owned(),
            max_callback_lines: 15,
            max_originates_per_min: 60,
            ..Settings::empty(chrono_tz::UTC).system
        },
        trunks: vec![trunk()],
        caller_ids: vec![CallerId { trunk: Some("carrier".into()), ..CallerId::named("Main Line", DID) }],
        agents: PHONES.iter().map(|(name, extension, ..)| agent(name, extension)).collect(),
        queues: vec![queue()],
        schedules: Vec::new(),
        inbound_routes: vec![InboundRoute {
            trunk: "carrier".into(),
            did: DidPattern::Exact(DID.to_owned()),
            to: Destination::Queue("support".into()),
            ..InboundRoute::of("", DidPattern::Prefix(String::new()), Destination::Hangup(404))
        }],
        outbound_routes: vec![OutboundRoute {
            prefix: "+".to_owned(),
            strip: 0,
            prepend: String::new(),
            trunks: vec!["carrier".into()],
        }],
        profiles: vec![profile()],
        rules: vec![rule()],
        ..Settings::empty(chrono_tz::UTC)
    }
}

fn agent(name: &str, extension: &str) -> Agent {
    Agent {
        name: name.into(),
        extension: extension.into(),
        secret: secret(extension),
        max_calls: 1,
        wrap_up: None,
        auto_ready: true,
        max_no_answer: 0,
        decline_cooldown: secs(60),
        ..Agent::named("", "", "")
    }
}

fn trunk() -> Trunk {
    Trunk {
        name: "carrier".into(),
        mode: TrunkMode::Peer,
        host: CARRIER.ip().to_string(),
        port: CARRIER.port(),
        proxy: None,
        credentials: None,
        acl: vec![Cidr { address: CARRIER.ip(), bits: 32 }],
        options_ping: None,
        retry: secs(60),
        max_calls: 30,
        codecs: vec![Codec::Pcmu, Codec::Pcma],
        number_format: NumberFormat::E164Plus,
        strip_digits: 0,
        prefix: String::new(),
        identity_header: IdentityHeader::Pai,
        trusted: true,
        ..Trunk::peer("", "")
    }
}

fn queue() -> Queue {
    Queue {
        name: "support".into(),
        number: "5000".into(),
        strategy: Pick::LongestIdle.into(),
        ring: secs(20),
        wrap_up: secs(10),
        members: ["anna", "ben", "carl"].map(Member::of).to_vec(),
        max_callers: None,
        max_wait: None,
        moh: None,
        rules: vec!["support-key".into()],
        record: false,
        record_notice: Sound::BuiltIn,
        ..Queue::named("", "")
    }
}

fn rule() -> CallbackRule {
    CallbackRule {
        name: "support-key".into(),
        enabled: true,
        accept: true,
        process: true,
        triggers: vec![Trigger::Key],
        request_digit: '1',
        offer_after: secs(600),
        offer_repeat: None,
        only_when_all_busy: true,
        min_ahead: 0,
        max_pending: None,
        close_guard: secs(120),
        number_capture: NumberCapture::ConfirmOrEnter,
        min_digits: 7,
        max_digits: 15,
        interdigit: secs(5),
        entry_total: secs(40),
        entry_tries: 3,
        confirm_key: '#',
        cancel_key: '*',
        read_back: true,
        profile: "standard".into(),
        priority: 5,
        prompt_offer: Sound::BuiltIn,
        prompt_confirm: Sound::BuiltIn,
        prompt_accepted: Sound::BuiltIn,
        prompt_goodbye: Sound::BuiltIn,
        prompt_unavailable: Sound::BuiltIn,
        on_call_in: OnCallIn::Cancel,
        ..CallbackRule::named("", "")
    }
}

fn profile() -> CallbackProfile {
    CallbackProfile {
        name: "standard".into(),
        enabled: true,
        destination: ServedBy::Same,
        caller_id_mode: CallerIdMode::DnisElseFixed,
        caller_id: Some("Main Line".into()),
        dial_prefix: String::new(),
        trunks: Vec::new(),
        attempts_max: 3,
        intervals: vec![Duration::ZERO, secs(900)],
        ring_timeout: secs(30),
        no_answer_action: NoAnswerAction::Retry,
        agent_prompt: Sound::BuiltIn,
        customer_prompt: Sound::Silent,
        success_min_talk: secs(5),
        expires_after: Some(secs(86_400)),
        expiry_clock: ExpiryClock::Open,
        schedule: None,
        max_lines: None,
        priority_boost: false,
        record: false,
        record_notice: Sound::BuiltIn,
        ..CallbackProfile::named("")
    }
}

/// The carrier and the phones, nobody registered.
pub fn people(entropy: &mut Entropy) -> Vec<Station> {
    let pitches: Vec<u32> = PHONES.iter().map(|(.., pitch)| *pitch).chain([500]).collect();
    let config = |user: &str, local: SocketAddr, rtp_ports: u16, pitch: u32| Config {
        user: user.to_owned(),
        display: None,
        local,
        server: SWITCH,
        domain: SWITCH.ip().to_string(),
        credentials: None,
        codecs: vec![0, 8],
        rtp_port: 4_000,
        rtp_ports,
        pitch,
        pitches: pitches.clone(),
        packets: false,
    };
    let mut carrier = config(DID, CARRIER, 200, 500);
    carrier.credentials = None;
    let mut stations = vec![Station::carrier("carrier", carrier, entropy.fork())];
    for (name, extension, address, pitch) in PHONES {
        let mut config = config(extension, address, 200, pitch);
        config.credentials = Some((extension.to_owned(), secret(extension)));
        stations.push(Station::phone(config, Person::new(name, extension), entropy.fork()));
    }
    stations
}
