//! From checked objects to the settings of the switch and of the shell. Every `expect` here rests on the same two
//! facts: the reader filled in defaults and refused what is missing, and `check.rs` followed every name.

mod numbers;
mod people;
mod profile;
mod route;
mod rule;

use super::Files;
use super::check::{as_object, as_text, list};
use super::read::{Object, Objects};
use super::value::{Target, Value};
use crate::id::Name;
use crate::settings::{self, *};
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
        self.maybe_key(name).expect(KIND)
    }

    fn maybe_key(&self, name: &str) -> Option<char> {
        self.text(name).and_then(|text| text.chars().next())
    }

    fn destination(&self, name: &str) -> Option<Destination> {
        if let Some(Value::Destination(target)) = self.get(name).map(|read| &read.value) {
            Some(destination(target))
        } else {
            None
        }
    }

    /// The objects of a list of tables.
    fn objects(&self, name: &str) -> impl Iterator<Item = &Object> {
        list(self, name).into_iter().filter_map(as_object)
    }

    fn strings(&self, name: &str) -> Vec<String> {
        list(self, name).into_iter().filter_map(as_text).map(str::to_owned).collect()
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
pub(super) fn build(objects: &Objects, files: &dyn Files) -> (Settings, ShellSettings) {
    let server = &objects["server"][0];
    let system = system(&objects["system"][0], files.host_zone());
    let prompts = prompts(objects, files);
    let builder = Builder { zone: system.default_timezone, prompts: &prompts, files };
    // The first match wins: by `order`, then as the file has them (the sort is stable).
    let mut rules: Vec<&Object> = objects["callback_rule"].iter().collect();
    rules.sort_by_key(|rule| rule.number::<i64>("order"));
    let by_queue = people::RulesOfQueues::new(&rules);
    let settings = Settings {
        server: self::server(server),
        system,
        trunks: objects["trunk"].iter().map(|object| builder.trunk(object)).collect(),
        caller_ids: objects["caller_id"].iter().map(route::caller_id).collect(),
        agents: objects["agent"].iter().map(|object| builder.agent(object)).collect(),
        groups: objects["group"].iter().map(people::group).collect(),
        queues: objects["queue"].iter().map(|object| builder.queue(object, &by_queue)).collect(),
        schedules: objects["schedule"].iter().map(|object| builder.schedule(object)).collect(),
        inbound_routes: by_priority(&objects["inbound_route"]).into_iter().map(route::inbound).collect(),
        outbound_routes: by_priority(&objects["outbound_route"]).into_iter().map(route::outbound).collect(),
        profiles: objects["callback_profile"].iter().map(|object| builder.profile(object)).collect(),
        rules: rules.iter().map(|object| builder.rule(object)).collect(),
        ivrs: objects["ivr"].iter().map(|object| builder.ivr(object)).collect(),
        number_lists: objects["number_list"].iter().map(numbers::entry).collect(),
        number_policies: objects["number_policy"].iter().map(numbers::policy).collect(),
        zones: files.zones(),
    };
    let shell = ShellSettings {
        sip_udp: server.socket("sip_udp"),
        media_address: server.ip("media_address").expect(KIND),
        http: server.socket("http"),
        speech_command: server.get("speech_command").map(|_| server.strings("speech_command")),
        api_keys: objects["api_key"].iter().map(|key| builder.api_key(key)).collect(),
        prompts,
    };
    (settings, shell)
}

/// Every sound of the site's own: its prompts, and the notices that are spoken.
fn prompts(objects: &Objects, files: &dyn Files) -> Vec<(Name, PromptSource)> {
    let prompt = |prompt: &Object| {
        let source = match prompt.text("file") {
            Some(path) => PromptSource::File(files.resolve(Path::new(path))),
            None => PromptSource::Speech(speech(prompt)?),
        };
        Some((prompt.name("name"), source))
    };
    let notice = |(table, object): (&str, &Object)| {
        let notice = object.get("record_notice").and_then(as_object)?;
        let spoken = notice.text("mode") == Some("tts");
        spoken.then(|| Some((notice_name(table, object), PromptSource::Speech(speech(notice)?)))).flatten()
    };
    let of = |table: &'static str| objects[table].iter().map(move |object| (table, object));
    let notices = of("queue").chain(of("callback_profile")).filter_map(notice);
    objects["prompt"].iter().filter_map(prompt).chain(notices).collect()
}

fn speech(object: &Object) -> Option<Speech> {
    Some(Speech {
        text: object.text("text")?.to_owned(),
        lang: object.text("lang").unwrap_or("en").to_owned(),
        voice: object.text("voice").map(str::to_owned),
    })
}

/// The prompt that is made of a spoken notice. No name in a file is as long as this prefix and a name, nor has a
/// line feed in it.
fn notice_name(table: &str, object: &Object) -> Name {
    format!("record_notice\n{table}\n{}", object.text("name").expect(KIND)).into()
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
        new_address_calls: system.maybe_number("new_address_calls"),
        frozen: system.text("status") == Some("frozen"),
    }
}

fn destination(target: &Target) -> Destination {
    match target {
        Target::Object("agent", name) => Destination::Agent(name.as_str().into()),
        Target::Object("group", name) => Destination::Group(name.as_str().into()),
        Target::Object("ivr", name) => Destination::Ivr(name.as_str().into()),
        Target::Object(_, name) => Destination::Queue(name.as_str().into()), // the fourth word that value.rs knows
        Target::Hangup(status) => Destination::Hangup(*status),
    }
}

fn pattern(text: &str) -> DidPattern {
    match text.strip_suffix('*') {
        Some(prefix) => DidPattern::Prefix(prefix.to_owned()),
        None => DidPattern::Exact(text.to_owned()),
    }
}

fn patterns(object: &Object, name: &str) -> Vec<DidPattern> {
    list(object, name).into_iter().filter_map(as_text).map(pattern).collect()
}

/// What the making of one object needs besides it.
struct Builder<'a> {
    zone: Tz,
    prompts: &'a [(Name, PromptSource)],
    files: &'a dyn Files,
}

impl Builder<'_> {
    fn secret(&self, object: &Object, field: &str, file: &str) -> Option<String> {
        object.text(field).map(str::to_owned).or_else(|| {
            let secret = self.files.read(Path::new(object.text(file)?)).ok()?;
            Some(secret.trim().to_owned())
        })
    }

    fn api_key(&self, key: &Object) -> ApiKey {
        ApiKey {
            name: key.name("name"),
            secret: self.secret(key, "secret", "secret_file").unwrap_or_default(),
            role: match key.text("role") {
                Some("admin") => Role::Admin,
                Some("supervisor") => Role::Supervisor,
                _ => Role::Auditor, // the third word of the schema
            },
            expires: numbers::instant(key, "expires"),
        }
    }

    fn sound(&self, object: &Object, name: &str) -> Sound {
        match object.text(name) {
            None => Sound::BuiltIn,
            Some("") => Sound::Silent,
            Some(prompt) => self.prompt(prompt),
        }
    }

    fn prompt(&self, name: &str) -> Sound {
        let known = self.prompts.iter().find(|(prompt, _)| &**prompt == name);
        known.map_or(Sound::BuiltIn, |(name, _)| Sound::Prompt(name.clone()))
    }

    /// The same where nothing ships with us: unset is silence.
    fn own_sound(&self, object: &Object, name: &str) -> Sound {
        match self.sound(object, name) {
            Sound::BuiltIn => Sound::Silent,
            sound => sound,
        }
    }

    /// What is said before a recording of this queue or profile.
    fn notice(&self, table: &str, object: &Object) -> Sound {
        let acknowledged = object.yes("record_ack_no_notice");
        match object.get("record_notice").map(|read| &read.value) {
            Some(Value::Object(notice)) => match notice.text("mode") {
                Some("none") => Sound::Silent,
                Some("tts") => self.prompt(&notice_name(table, object)),
                Some(_) | None => self.sound(notice, "prompt"),
            },
            Some(_) => self.sound(object, "record_notice"),
            None if acknowledged => Sound::Silent,
            None => Sound::BuiltIn,
        }
    }

    fn schedule(&self, schedule: &Object) -> Schedule {
        Schedule {
            name: schedule.name("name"),
            tz: schedule.zone("tz").unwrap_or(self.zone),
            weekly: schedule.objects("weekly").map(|line| Weekly { days: days(line), hours: hours(line) }).collect(),
            exceptions: schedule
                .objects("exceptions")
                .map(|line| Exception {
                    date: match line.get("date").map(|read| &read.value) {
                        Some(Value::Date(date)) => *date,
                        other => unreachable!("{KIND}: {other:?}"),
                    },
                    ranges: line.objects("ranges").map(hours).collect(),
                    name: line.string("name"),
                })
                .collect(),
        }
    }
}

fn days(line: &Object) -> Vec<chrono::Weekday> {
    match line.get("days").map(|read| &read.value) {
        Some(Value::Days(days)) => days.clone(),
        other => unreachable!("{KIND}: {other:?}"),
    }
}

pub(super) fn hours(range: &Object) -> Hours {
    let time = |name: &str| match range.get(name).map(|read| &read.value) {
        Some(Value::Time(time, _)) => *time,
        other => unreachable!("{KIND}: {other:?}"),
    };
    Hours { start: time("start"), end: time("end") }
}
