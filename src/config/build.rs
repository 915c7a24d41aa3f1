//! From checked objects to the settings of the switch and of the shell. Every `expect` here rests on the same two
//! facts: the reader filled in defaults and refused what is missing, and `check.rs` followed every name.

use super::Files;
use super::check::{as_object, as_text, list};
use super::read::{Object, Objects};
use super::report::Report;
use super::value::{Server, Target, Value};
use crate::id::Name;
use crate::settings::{self, *};
use crate::zone::Zones;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

const KIND: &str = "the schema gives this field one kind, and the reader kept to it";

impl Object {
    fn name(&self, name: &str) -> Name {
        self.maybe_name(name).expect(KIND)
    }

    fn maybe_name(&self, name: &str) -> Option<Name> {
        self.text(name).map(Name::from)
    }

    fn string(&self, name: &str) -> String {
        self.text(name).expect(KIND).to_owned()
    }

    fn yes(&self, name: &str) -> bool {
        match self.get(name).map(|read| &read.value) {
            Some(Value::Bool(yes)) => *yes,
            other => unreachable!("{KIND}: {name} is {other:?}"),
        }
    }

    fn number<T: TryFrom<i64>>(&self, name: &str) -> T {
        self.maybe_number(name).expect(KIND)
    }

    fn maybe_number<T: TryFrom<i64>>(&self, name: &str) -> Option<T> {
        match self.get(name).map(|read| &read.value) {
            Some(Value::Integer(number)) => T::try_from(*number).ok(),
            Some(_) | None => None,
        }
    }

    fn secs(&self, name: &str) -> Duration {
        self.maybe_secs(name).expect(KIND)
    }

    fn maybe_secs(&self, name: &str) -> Option<Duration> {
        match self.get(name).map(|read| &read.value) {
            Some(Value::Secs(secs)) => Some(*secs),
            Some(_) | None => None,
        }
    }

    fn key(&self, name: &str) -> char {
        self.text(name).and_then(|text| text.chars().next()).expect(KIND)
    }

    fn names(&self, name: &str) -> Vec<Name> {
        list(self, name).into_iter().filter_map(as_text).map(Name::from).collect()
    }

    fn ip(&self, name: &str) -> Option<IpAddr> {
        if let Some(Value::Ip(address)) = self.get(name).map(|read| &read.value) { Some(*address) } else { None }
    }

    fn socket(&self, name: &str) -> SocketAddr {
        match self.get(name).map(|read| &read.value) {
            Some(Value::Socket(address)) => *address,
            other => unreachable!("{KIND}: {name} is {other:?}"),
        }
    }

    fn zone(&self, name: &str) -> Option<Tz> {
        if let Some(Value::Zone(zone)) = self.get(name).map(|read| &read.value) { Some(*zone) } else { None }
    }
}

/// Builds both halves.
pub(super) fn build(objects: &Objects, files: &dyn Files, report: &mut Report) -> (Settings, ShellSettings) {
    let server = &objects["server"][0];
    let system = system(&objects["system"][0], files.host_zone());
    let prompts: Vec<(Name, std::path::PathBuf)> = objects["prompt"]
        .iter()
        .filter_map(|prompt| Some((prompt.name("name"), files.resolve(Path::new(prompt.text("file")?)))))
        .collect();
    let builder = Builder { zone: system.default_timezone, prompts: &prompts, files };
    let rules: Vec<&Object> = objects["callback_rule"]
        .iter()
        .filter(|rule| rule.text("source") == Some("queue_request")) // others have been warned about
        .collect();
    let by_queue = Rules::new(&rules);
    let settings = Settings {
        server: self::server(server),
        system,
        trunks: objects["trunk"].iter().map(|object| builder.trunk(object)).collect(),
        caller_ids: objects["caller_id"].iter().map(caller_id).collect(),
        agents: objects["agent"].iter().map(|object| builder.agent(object)).collect(),
        queues: objects["queue"].iter().map(|object| builder.queue(object, &by_queue)).collect(),
        schedules: objects["schedule"].iter().map(|object| builder.schedule(object)).collect(),
        inbound_routes: by_priority(&objects["inbound_route"])
            .into_iter()
            .map(|object| inbound_route(object, report))
            .collect(),
        outbound_routes: by_priority(&objects["outbound_route"]).into_iter().map(outbound_route).collect(),
        profiles: objects["callback_profile"].iter().map(|object| builder.profile(object, report)).collect(),
        rules: rules.iter().map(|object| builder.rule(object)).collect(),
        groups: Vec::new(),
        ivrs: Vec::new(),
        number_lists: Vec::new(),
        number_policies: Vec::new(),
        zones: Zones::bundled(),
    };
    let shell = ShellSettings {
        sip_udp: server.socket("sip_udp"),
        media_address: server.ip("media_address").expect(KIND),
        http: server.socket("http"),
        prompts,
    };
    (settings, shell)
}

fn by_priority(objects: &[Object]) -> Vec<&Object> {
    let mut sorted: Vec<&Object> = objects.iter().collect();
    sorted.sort_by_key(|object| object.number::<i64>("priority")); // stable: the file's order among equals
    sorted
}

fn server(server: &Object) -> settings::Server {
    let Some(Value::Ports(low, high)) = server.get("media_ports").map(|read| &read.value) else {
        unreachable!("{KIND}");
    };
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(256));
    settings::Server {
        public_address: server.ip("public_address"),
        media_ports: *low..=*high,
        digest_algorithms: list(server, "digest_algorithms")
            .into_iter()
            .map(|read| if as_text(read) == Some("MD5") { DigestAlgorithm::Md5 } else { DigestAlgorithm::Sha256 })
            .collect(),
        realm: server.string("realm"),
        register_min: server.secs("register_min_secs"),
        register_max: server.secs("register_max_secs"),
        drain: server.secs("drain_secs"),
        shards: server.maybe_number("media_shards").unwrap_or(u16::try_from(cores).unwrap_or(1)),
    }
}

fn system(system: &Object, host_zone: Tz) -> System {
    System {
        default_country: system.text("default_country").map(str::to_owned),
        default_timezone: system.zone("default_timezone").unwrap_or(host_zone),
        company_name: system.string("company_name"),
        max_callback_lines: system.number("max_callback_lines"),
        max_originates_per_min: system.number("max_originates_per_min"),
        frozen: false,
    }
}

fn caller_id(object: &Object) -> CallerId {
    CallerId {
        label: object.name("label"),
        number: object.string("number"),
        trunk: object.maybe_name("trunk"),
        enabled: true,
    }
}

fn inbound_route(route: &Object, report: &mut Report) -> InboundRoute {
    let did = route.text("did").expect(KIND);
    let did = match did.strip_suffix('*') {
        Some(prefix) => DidPattern::Prefix(prefix.to_owned()),
        None => DidPattern::Exact(did.to_owned()),
    };
    let to = match route.get("to").map(|read| &read.value) {
        Some(Value::Destination(Target::Object("queue", name))) => Destination::Queue(name.as_str().into()),
        Some(Value::Destination(Target::Object("agent", name))) => Destination::Agent(name.as_str().into()),
        Some(Value::Destination(Target::Hangup(status))) => Destination::Hangup(*status),
        Some(Value::Destination(Target::Object(kind, _))) => {
            // RFC 3261 §21.4.18: 480 says that nobody can be reached here now.
            let message = format!("inbound_route.to: {kind} is not honoured yet; these calls are refused with 480");
            report.warn(route.at("to"), message);
            Destination::Hangup(480)
        }
        other => unreachable!("{KIND}: {other:?}"),
    };
    InboundRoute { trunk: route.name("trunk"), did, to, schedule: None, closed_to: None }
}

fn outbound_route(route: &Object) -> OutboundRoute {
    OutboundRoute {
        prefix: route.string("prefix"),
        strip: route.number("strip"),
        prepend: route.string("prepend"),
        trunks: route.names("trunks"),
    }
}

/// The rules that act, and those that name their queues themselves.
struct Rules {
    known: BTreeSet<Name>,
    of_queue: BTreeMap<Name, Vec<Name>>,
}

impl Rules {
    fn new(rules: &[&Object]) -> Rules {
        let known = rules.iter().map(|rule| rule.name("name")).collect();
        let mut of_queue: BTreeMap<Name, Vec<Name>> = BTreeMap::new();
        for rule in rules {
            let scope = rule.get("scope").and_then(as_object);
            for queue in scope.map(|scope| scope.names("queues")).unwrap_or_default() {
                of_queue.entry(queue).or_default().push(rule.name("name"));
            }
        }
        Rules { known, of_queue }
    }
}

struct Builder<'a> {
    zone: Tz,
    prompts: &'a [(Name, std::path::PathBuf)],
    files: &'a dyn Files,
}

impl Builder<'_> {
    fn secret(&self, object: &Object, field: &str, file: &str) -> Option<String> {
        object.text(field).map(str::to_owned).or_else(|| {
            let secret = self.files.read(Path::new(object.text(file)?)).ok()?;
            Some(secret.trim().to_owned())
        })
    }

    fn trunk(&self, trunk: &Object) -> Trunk {
        let secret = || self.secret(trunk, "password", "password_file").unwrap_or_default();
        let user = trunk.text("auth_user").or(trunk.text("username")).map(str::to_owned);
        let realm = trunk.text("realm").map(str::to_owned);
        let registers = trunk.text("mode") == Some("register");
        let mode = match (registers, &user) {
            (true, Some(auth_user)) => TrunkMode::Register {
                username: trunk.string("username"),
                auth_user: auth_user.clone(),
                password: secret(),
                realm: realm.clone(),
                expires: trunk.secs("register_expires_secs"),
            },
            (true, None) | (false, _) => TrunkMode::Peer,
        };
        Trunk {
            name: trunk.name("name"),
            mode,
            host: trunk.string("host"),
            port: trunk.number("port"),
            proxy: trunk.text("proxy").map(str::to_owned),
            credentials: user.map(|username| Credentials { username, password: secret(), realm }),
            acl: list(trunk, "acl")
                .into_iter()
                .filter_map(|read| if let Value::Cidr(block) = read.value { Some(block) } else { None })
                .collect(),
            options_ping: trunk.maybe_secs("options_ping_secs").filter(|every| !every.is_zero()),
            retry: trunk.secs("retry_secs"),
            max_calls: trunk.number("max_calls"),
            codecs: list(trunk, "codecs").into_iter().filter_map(as_text).filter_map(codec).collect(),
            number_format: match trunk.text("number_format") {
                Some("e164") => NumberFormat::E164,
                Some("national") => NumberFormat::National,
                _ => NumberFormat::E164Plus, // the third word of the schema
            },
            strip_digits: trunk.number("strip_digits"),
            prefix: trunk.string("prefix"),
            identity_header: match trunk.text("identity_header") {
                Some("from") => IdentityHeader::From,
                Some("rpid") => IdentityHeader::Rpid,
                _ => IdentityHeader::Pai, // the third word of the schema
            },
            trusted: trunk.yes("trusted"),
            max_cps: trunk.number("max_cps"),
            read_verstat: trunk.yes("read_verstat"),
            failover: trunk.maybe_name("failover_trunk"),
        }
    }

    fn agent(&self, agent: &Object) -> Agent {
        Agent {
            name: agent.name("name"),
            extension: agent.name("extension"),
            secret: self.secret(agent, "secret", "secret_file").unwrap_or_default(),
            max_calls: agent.number("max_calls"),
            wrap_up: agent.maybe_secs("wrap_up_secs"),
            auto_ready: agent.yes("auto_ready"),
            max_no_answer: agent.number("max_no_answer"),
            decline_cooldown: agent.secs("decline_cooldown_secs"),
            ..Agent::named("", "", "")
        }
    }

    fn queue(&self, queue: &Object, rules: &Rules) -> Queue {
        let name = queue.name("name");
        let mut names: Vec<Name> = queue.names("rules").into_iter().filter(|rule| rules.known.contains(rule)).collect();
        for rule in rules.of_queue.get(&name).into_iter().flatten() {
            if !names.contains(rule) {
                names.push(rule.clone());
            }
        }
        let members = list(queue, "members").into_iter().filter_map(as_object);
        Queue {
            number: queue.name("number"),
            ring: queue.secs("ring_secs"),
            wrap_up: queue.secs("wrap_up_secs"),
            members: members.map(|member| Member::of(member.text("agent").expect(KIND))).collect(),
            max_callers: queue.maybe_number("max_callers"),
            // Nobody is dropped by a default: without `overflow_dest` a caller waits, unless the file says how long.
            max_wait: queue.given("max_wait_secs").then(|| queue.maybe_secs("max_wait_secs")).flatten(),
            moh: match self.sound(queue, "moh") {
                Sound::Prompt(name) => Some(name),
                Sound::BuiltIn | Sound::Silent => None,
            },
            rules: names,
            record: queue.yes("record"),
            record_notice: self.notice(queue),
            name,
            ..Queue::named("", "")
        }
    }

    fn schedule(&self, schedule: &Object) -> Schedule {
        let objects = |name: &str| list(schedule, name).into_iter().filter_map(as_object);
        Schedule {
            name: schedule.name("name"),
            tz: schedule.zone("tz").unwrap_or(self.zone),
            weekly: objects("weekly").map(|line| Weekly { days: days(line), hours: hours(line) }).collect(),
            exceptions: objects("exceptions")
                .map(|line| Exception {
                    date: match line.get("date").map(|read| &read.value) {
                        Some(Value::Date(date)) => *date,
                        other => unreachable!("{KIND}: {other:?}"),
                    },
                    ranges: list(line, "ranges").into_iter().filter_map(as_object).map(hours).collect(),
                    name: line.string("name"),
                })
                .collect(),
        }
    }

    fn profile(&self, profile: &Object, report: &mut Report) -> CallbackProfile {
        let intervals: Vec<Duration> = list(profile, "intervals_secs")
            .into_iter()
            .filter_map(|read| if let Value::Secs(secs) = read.value { Some(secs) } else { None })
            .collect();
        let listed = u32::try_from(intervals.len()).unwrap_or(u32::MAX);
        // C6: a longer list of intervals is the count of attempts, unless the file names a count itself.
        let attempts: u32 = profile.number("attempts_max");
        CallbackProfile {
            name: profile.name("name"),
            enabled: profile.yes("enabled"),
            destination: destination(profile, report),
            caller_id_mode: match profile.text("caller_id_mode") {
                Some("fixed") => CallerIdMode::Fixed,
                _ => CallerIdMode::DnisElseFixed, // the other word of the schema
            },
            caller_id: profile.maybe_name("caller_id"),
            dial_prefix: profile.string("dial_prefix"),
            trunks: profile.names("trunks"),
            attempts_max: attempts.max(listed),
            intervals,
            ring_timeout: profile.secs("ring_timeout_secs"),
            no_answer_action: match profile.text("no_answer_action") {
                Some("fail") => NoAnswerAction::Fail,
                _ => NoAnswerAction::Retry, // notify has been warned about
            },
            agent_prompt: self.sound(profile, "agent_prompt"),
            customer_prompt: self.sound(profile, "customer_prompt"),
            success_min_talk: profile.secs("success_min_talk_secs"),
            expires_after: profile.maybe_secs("expires_after_secs"),
            expiry_clock: match profile.text("expiry_clock") {
                Some("wall") => ExpiryClock::Wall,
                _ => ExpiryClock::Open, // the other word of the schema
            },
            schedule: profile.maybe_name("schedule"),
            max_lines: profile.maybe_number("max_lines"),
            priority_boost: profile.yes("priority_boost"),
            record: profile.yes("record"),
            record_notice: self.notice(profile),
            ..CallbackProfile::named("")
        }
    }

    fn rule(&self, rule: &Object) -> CallbackRule {
        let prompts = rule.get("prompts").and_then(as_object).expect(KIND);
        CallbackRule {
            name: rule.name("name"),
            enabled: rule.yes("enabled"),
            accept: rule.yes("accept"),
            process: rule.yes("process"),
            triggers: list(rule, "triggers").into_iter().filter_map(as_text).filter_map(trigger).collect(),
            request_digit: rule.key("request_digit"),
            offer_after: rule.secs("offer_after_secs"),
            offer_repeat: rule.maybe_secs("offer_repeat_secs"),
            only_when_all_busy: rule.yes("only_when_all_busy"),
            min_ahead: rule.number("min_ahead"),
            max_pending: rule.maybe_number("max_pending"),
            close_guard: rule.secs("close_guard_secs"),
            number_capture: match rule.text("number_capture") {
                Some("ani_only") => NumberCapture::AniOnly,
                _ => NumberCapture::ConfirmOrEnter, // the other word of the schema
            },
            min_digits: rule.number("min_digits"),
            max_digits: rule.number("max_digits"),
            interdigit: rule.secs("interdigit_secs"),
            entry_total: rule.secs("entry_total_secs"),
            entry_tries: rule.number("entry_tries"),
            confirm_key: rule.key("confirm_key"),
            cancel_key: rule.key("cancel_key"),
            read_back: rule.yes("read_back"),
            profile: rule.name("profile"),
            priority: rule.number("priority"),
            prompt_offer: self.sound(prompts, "offer"),
            prompt_confirm: self.sound(prompts, "confirm"),
            prompt_accepted: self.sound(prompts, "accepted"),
            prompt_goodbye: self.sound(prompts, "goodbye"),
            prompt_unavailable: self.sound(prompts, "unavailable"),
            on_call_in: OnCallIn::Cancel,
            ..CallbackRule::named("", "")
        }
    }

    /// A prompt that is text alone is spoken by the built-in sound until there is speech synthesis.
    fn sound(&self, object: &Object, name: &str) -> Sound {
        match object.text(name) {
            None => Sound::BuiltIn,
            Some("") => Sound::Silent,
            Some(prompt) if self.prompts.iter().any(|(name, _)| &**name == prompt) => Sound::Prompt(prompt.into()),
            Some(_) => Sound::BuiltIn,
        }
    }

    fn notice(&self, object: &Object) -> Sound {
        let acknowledged = object.yes("record_ack_no_notice");
        match object.get("record_notice").map(|read| &read.value) {
            Some(Value::Object(notice)) => match notice.text("mode") {
                Some("none") => Sound::Silent,
                Some(_) | None => self.sound(notice, "prompt"),
            },
            Some(_) => self.sound(object, "record_notice"),
            None if acknowledged => Sound::Silent,
            None => Sound::BuiltIn,
        }
    }
}

fn codec(name: &str) -> Option<Codec> {
    match name {
        "PCMU" => Some(Codec::Pcmu),
        "PCMA" => Some(Codec::Pcma),
        _ => None, // G722, left out in this version
    }
}

fn trigger(name: &str) -> Option<Trigger> {
    match name {
        "key" => Some(Trigger::Key),
        "after_wait" => Some(Trigger::AfterWait),
        "announced" => Some(Trigger::Announced),
        _ => None, // ewt, which has been warned about
    }
}

fn destination(profile: &Object, report: &mut Report) -> ServedBy {
    match profile.get("destination").map(|read| &read.value) {
        Some(Value::ServedBy(Server::Object("queue", name))) => ServedBy::Queue(name.as_str().into()),
        Some(Value::ServedBy(Server::Object(_, name))) => ServedBy::Agent(name.as_str().into()),
        Some(Value::ServedBy(Server::MissedBy)) => {
            let message = "callback_profile.destination: missed_by is not honoured yet; \"same\" is used";
            report.warn(profile.at("destination"), message);
            ServedBy::Same
        }
        Some(_) | None => ServedBy::Same,
    }
}

fn days(line: &Object) -> Vec<chrono::Weekday> {
    match line.get("days").map(|read| &read.value) {
        Some(Value::Days(days)) => days.clone(),
        other => unreachable!("{KIND}: {other:?}"),
    }
}

fn hours(range: &Object) -> Hours {
    let time = |name: &str| match range.get(name).map(|read| &read.value) {
        Some(Value::Time(time, _)) => *time,
        other => unreachable!("{KIND}: {other:?}"),
    };
    Hours { start: time("start"), end: time("end") }
}
