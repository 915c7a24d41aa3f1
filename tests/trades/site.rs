//! A small site to test with: one queue, two agents, a trunk, a rule on key 1 and the profile `standard`.

use chrono::{NaiveDate, NaiveTime, TimeZone, Weekday};
use ringback::callback::task::{Source, Task};
use ringback::id::{Name, TaskId};
use ringback::number::Party;
use ringback::settings::*;
use ringback::time::{DateTime, Now, Tick, Utc};
use std::time::Duration;

pub const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub fn name(text: &str) -> Name {
    Name::from(text)
}

pub fn utc(text: &str) -> DateTime<Utc> {
    text.parse().expect("an RFC 3339 instant")
}

/// An instant written as New York clocks show it.
pub fn new_york(text: &str) -> DateTime<Utc> {
    let local = text.parse().expect("a local time");
    chrono_tz::America::New_York.from_local_datetime(&local).earliest().expect("it exists").to_utc()
}

pub fn at(tick_secs: u64) -> Now {
    Now {
        tick: Tick::from_millis(tick_secs * 1_000),
        utc: utc("2026-11-02T14:00:00Z") + Duration::from_secs(tick_secs),
    }
}

pub fn time(text: &str) -> NaiveTime {
    text.parse().expect("a time of day")
}

pub fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

pub fn hours(start: &str, end: &str) -> Hours {
    Hours { start: time(start), end: time(end) }
}

pub const WORKDAYS: [Weekday; 5] = [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri];

pub fn office(start: &str, end: &str) -> Schedule {
    Schedule {
        name: name("office"),
        tz: chrono_tz::America::New_York,
        weekly: vec![Weekly { days: WORKDAYS.to_vec(), hours: hours(start, end) }],
        exceptions: Vec::new(),
    }
}

pub fn agent(agent: &str, extension: &str) -> Agent {
    Agent {
        name: name(agent),
        extension: name(extension),
        secret: "s".into(),
        max_calls: 1,
        wrap_up: None,
        auto_ready: true,
        max_no_answer: 3,
        decline_cooldown: secs(60),
        ..Agent::named("", "", "")
    }
}

pub fn trunk(trunk: &str) -> Trunk {
    Trunk {
        name: name(trunk),
        mode: TrunkMode::Peer,
        host: "203.0.113.5".into(),
        port: 5060,
        proxy: None,
        credentials: None,
        acl: Vec::new(),
        options_ping: None,
        retry: secs(60),
        max_calls: 30,
        codecs: vec![Codec::Pcmu],
        number_format: NumberFormat::E164Plus,
        strip_digits: 0,
        prefix: String::new(),
        identity_header: IdentityHeader::Pai,
        trusted: false,
        ..Trunk::peer("", "")
    }
}

pub fn profile() -> CallbackProfile {
    CallbackProfile {
        name: name("standard"),
        enabled: true,
        destination: ServedBy::Same,
        caller_id_mode: CallerIdMode::DnisElseFixed,
        caller_id: None,
        dial_prefix: String::new(),
        trunks: Vec::new(),
        attempts_max: 3,
        intervals: vec![secs(0), secs(900)],
        ring_timeout: secs(30),
        no_answer_action: NoAnswerAction::Retry,
        agent_prompt: Sound::BuiltIn,
        customer_prompt: Sound::BuiltIn,
        success_min_talk: secs(5),
        expires_after: Some(secs(86_400)),
        expiry_clock: ExpiryClock::Open,
        schedule: None,
        max_lines: None,
        priority_boost: false,
        record: false,
        record_notice: Sound::Silent,
        ..CallbackProfile::named("")
    }
}

pub fn rule() -> CallbackRule {
    CallbackRule {
        name: name("support-key"),
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
        profile: name("standard"),
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

pub fn site() -> Settings {
    Settings {
        server: Server {
            public_address: None,
            media_ports: 20_000..=20_999,
            digest_algorithms: vec![DigestAlgorithm::Md5],
            realm: "ringback".into(),
            register_min: secs(60),
            register_max: secs(3_600),
            drain: secs(300),
            shards: 1,
        },
        system: System {
            default_country: Some("US".into()),
            default_timezone: chrono_tz::America::New_York,
            company_name: "Example Ltd".into(),
            max_callback_lines: 15,
            max_originates_per_min: 60,
            ..Settings::empty(chrono_tz::UTC).system
        },
        trunks: vec![trunk("carrier"), trunk("spare")],
        caller_ids: vec![CallerId::named("Main Line", "+12025550100")],
        agents: vec![agent("anna", "1001"), agent("ben", "1002")],
        queues: vec![Queue {
            name: name("support"),
            number: name("5000"),
            strategy: Pick::LongestIdle.into(),
            ring: secs(20),
            wrap_up: secs(10),
            members: vec![Member::of("anna"), Member::of("ben")],
            max_callers: None,
            max_wait: None,
            moh: None,
            rules: vec![name("support-key")],
            record: false,
            record_notice: Sound::Silent,
            ..Queue::named("", "")
        }],
        schedules: vec![office("09:00:00", "17:00:00")],
        inbound_routes: vec![InboundRoute {
            trunk: name("carrier"),
            did: DidPattern::Exact("+12025550100".into()),
            to: Destination::Queue(name("support")),
            ..InboundRoute::of("", DidPattern::Prefix(String::new()), Destination::Hangup(404))
        }],
        outbound_routes: vec![OutboundRoute {
            prefix: "+".into(),
            strip: 0,
            prepend: String::new(),
            trunks: vec![name("carrier")],
        }],
        profiles: vec![profile()],
        rules: vec![rule()],
        ..Settings::empty(chrono_tz::UTC)
    }
}

pub fn task_id(n: u128) -> TaskId {
    format!("{n:026}").parse().expect("26 digits are a ULID")
}

/// A task for the `n`th number of a block of possible ones, requested at `start`.
pub fn task(n: u32, start: DateTime<Utc>) -> Task {
    let number = Party::Number(format!("+1202{:07}", 2_000_000 + n).into());
    Task {
        rule: Some(name("support-key")),
        number_raw: String::new(),
        ..Task::new(task_id(u128::from(n)), Source::QueueRequest, name("standard"), name("support"), number, start)
    }
}
