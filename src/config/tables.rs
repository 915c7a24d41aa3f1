//! Every table and field of the file: `[server]` and `[system]` of the process, and the site's entities. Names,
//! limits and defaults are those of the model; what this version does not do yet says so here and nowhere else.

mod callback;

use super::schema::{Absent, End, Field, Keys, Kind, NONE, Table, field, optional, required};
use Kind::{
    Bool, Cidr, Country, Date, Days, Destination, Dialled, Digits, Host, HostPort, Instant, Integer, Ip, Key, List,
    Map, Notice, Number, OneOf, Path, Pattern, Ports, Ref, Secs, Socket, Sound, Text, Time, Zone,
};
use callback::{CALLBACK_PROFILE, CALLBACK_RULE, NUMBER_LIST, NUMBER_POLICY};

/// Telephone keys.
const KEYS: &str = "0123456789*#";
/// A name of ours.
const NAME: Kind = Text(1, 64);
/// The field of tables that presets say something of.
const PRESET: Field = optional("preset", OneOf(super::preset::NAMES), "A product whose defaults and limits hold here.");
/// One year, the longest duration where the model names none.
const YEAR: u64 = 365 * 86_400;

/// All tables, in the order of the reference.
pub const TABLES: &[Table] = &[
    table("server", "What the process is told: addresses, ports, realm.", SERVER),
    table("system", "What holds for the whole site.", SYSTEM),
    named("trunk", "name", "Where calls come from and go to.", TRUNK),
    named("caller_id", "label", "An identity shown to customers.", CALLER_ID),
    named("agent", "name", "A person with a phone.", AGENT),
    named("group", "name", "Agents called together.", GROUP),
    named("queue", "name", "A line people wait in.", QUEUE),
    named("schedule", "name", "Opening hours.", SCHEDULE),
    many("inbound_route", "Where a dialled number leads; the first match by priority, then order.", INBOUND_ROUTE),
    many(
        "outbound_route",
        "By which trunks a prefix leaves; longest prefix, then priority, then order.",
        OUTBOUND_ROUTE,
    ),
    named("callback_profile", "name", "How a callback is made.", CALLBACK_PROFILE),
    named("callback_rule", "name", "When a callback is offered.", CALLBACK_RULE),
    many("number_list", "Numbers treated apart.", NUMBER_LIST),
    named("number_policy", "name", "Which numbers may be called back.", NUMBER_POLICY),
    named("ivr", "name", "A menu of keys.", IVR),
    named("prompt", "name", "A sound of your own.", PROMPT),
    named("api_key", "name", "Who may use the API besides the holder of the administrator's token.", API_KEY),
];

const fn table(name: &'static str, doc: &'static str, fields: &'static [Field]) -> Table {
    Table { name, many: false, key: None, honoured: true, fields, doc }
}

const fn many(name: &'static str, doc: &'static str, fields: &'static [Field]) -> Table {
    Table { name, many: true, key: None, honoured: true, fields, doc }
}

const fn named(name: &'static str, key: &'static str, doc: &'static str, fields: &'static [Field]) -> Table {
    Table { name, many: true, key: Some(key), honoured: true, fields, doc }
}

/// A table by name.
pub fn find_table(name: &str) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.name == name)
}

const SERVER: &[Field] = &[
    optional("public_address", Ip, "What SDP and Contact carry; unset: per peer, the local address that routes to it."),
    field("sip_udp", Socket, "\"0.0.0.0:5060\"", "Where SIP over UDP listens."),
    optional("sip_tcp", Socket, "Where SIP over TCP listens; not in this version, and refused."),
    optional("sip_tls", Socket, "Where SIP over TLS listens; not in this version, and refused."),
    field("media_address", Ip, "\"0.0.0.0\"", "Where RTP sockets are bound."),
    field("media_ports", Ports, "\"20000-20999\"", "Ports for RTP and RTCP, two per leg."),
    field("http", Socket, "\"127.0.0.1:8080\"", "Where the API listens."),
    optional("https", Socket, "Where the API listens with TLS.").not_yet(),
    optional("tls_cert", Path, "Certificate chain of that listener, PEM.").not_yet(),
    optional("tls_key", Path, "Private key of that certificate, PEM.").not_yet(),
    field(
        "digest_algorithms",
        List(&OneOf(&["MD5", "SHA-256"]), 1, 2),
        "[\"MD5\"]",
        "Algorithms offered to every phone, in this order.",
    ),
    field("realm", Text(1, 64), "\"ringback\"", "The realm of digest challenges."),
    field("register_min_secs", Secs(1, 86_400), "60", "The smallest registration granted; below it 423."),
    field("register_max_secs", Secs(60, 86_400), "3600", "The longest registration granted."),
    field("drain_secs", Secs(0, 86_400), "300", "How long a drain waits for running calls."),
    optional("media_shards", Integer(1, 256), "Media threads; unset: one per core."),
    optional(
        "speech_command",
        List(&Text(1, 1000), 1, 32),
        "Program and arguments that turn text (stdin) into WAV (stdout); unset: espeak-ng or flite, if installed.",
    ),
];

const SYSTEM: &[Field] = &[
    field(
        "status",
        OneOf(&["active", "frozen"]),
        "\"active\"",
        "Frozen: no rule acts and nothing is dialled until an admin wakes them.",
    ),
    optional("default_timezone", Zone, "Display, and schedules without `tz`; unset: the zone of the host."),
    optional("default_country", Country, "How national numbers are read; unset: only extensions can be called."),
    field("max_callback_lines", Integer(1, 1000), "15", "Callback attempts in flight, all together."),
    field("max_originates_per_min", Integer(0, 6000), "60", "Automatic calls a minute; 0: none."),
    field(
        "new_address_calls",
        Integer(0, 1000),
        "3",
        "Calls to the outside that an agent's phones may make from new addresses until somebody trusts them.",
    )
    .or_none(),
    field("company_name", Text(0, 64), "\"\"", "Shown to customers as display name."),
];

const TRUNK: &[Field] = &[
    required("name", NAME, "What other objects call the trunk."),
    required("mode", OneOf(&["register", "peer"]), "peer: known by source address; register: we register there."),
    required("host", Host, "Host name or address of the provider."),
    field("port", Integer(1, 65_535), "5060", "The SIP port of the provider."),
    field("transport", OneOf(&["udp", "tcp", "tls"]), "\"udp\"", "Only udp in this version; others are refused."),
    optional("username", Text(1, 128), "User part of our address of record; required when mode is register."),
    optional("auth_user", Text(1, 128), "Digest user; unset: username."),
    optional("password", Text(1, 256), "Digest secret; required when mode is register."),
    optional("password_file", Path, "A file that holds the password instead."),
    optional("realm", Text(1, 128), "The only realm answered; unset: the first one its own addresses name."),
    optional("proxy", HostPort, "Outbound proxy, `host` or `host:port`."),
    field("register_expires_secs", Secs(60, 7200), "3600", "The registration asked for."),
    field("options_ping_secs", Secs(0, 600), "30", "OPTIONS this often; 0: never."),
    field("retry_secs", Secs(1, 86_400), "60", "Pause before a trunk that failed is tried again."),
    field("max_calls", Integer(0, 10_000), "30", "Calls at once; 0: none."),
    field("max_cps", Integer(0, 1000), "5", "New calls a second that are sent to the trunk."),
    field(
        "codecs",
        List(&OneOf(&["PCMU", "PCMA", "G722"]), 1, 3),
        "[\"PCMU\", \"PCMA\", \"G722\"]",
        "Codecs offered, in order; G722 is left out in this version.",
    ),
    field("dtmf", OneOf(&["rfc4733", "info"]), "\"rfc4733\"", "How keys are sent to the trunk.").only(&["\"rfc4733\""]),
    field(
        "number_format",
        OneOf(&["e164_plus", "e164", "national"]),
        "\"e164_plus\"",
        "The form in which the trunk wants numbers.",
    ),
    field("strip_digits", Integer(0, 15), "0", "Digits removed from the front of a dialled number."),
    field("prefix", Dialled, "\"\"", "Put in front of the number after that."),
    field("identity_header", OneOf(&["from", "pai", "rpid"]), "\"pai\"", "Which header carries our identity."),
    field("privacy", Bool, "false", "Ask the trunk to withhold our number."),
    field("trusted", Bool, "false", "Whether its identity headers are believed."),
    field("read_verstat", Bool, "false", "Read its verdict on caller identities.").only(&["false"]),
    field(
        "srtp",
        OneOf(&["off", "optional", "required"]),
        "\"off\"",
        "Encrypted media; only off in this version, required is refused.",
    ),
    field("session_expires_secs", Secs(90, 86_400), "1800", "How long a call may live without a session refresh.")
        .not_yet(),
    field("acl", List(&Cidr, 0, 256), "[]", "Who may send calls as this trunk, besides `host`."),
    optional("failover_trunk", Ref("trunk"), "The trunk that is used when this one fails."),
];

const CALLER_ID: &[Field] = &[
    required("label", NAME, "Its name, and the display name shown."),
    required("number", Number, "The number shown, E.164 with `+`."),
    optional("trunk", Ref("trunk"), "The trunk that owns the number."),
    field(
        "expected_attestation",
        OneOf(&["A", "B", "C", "unknown"]),
        "\"unknown\"",
        "STIR attestation that the trunk is expected to give.",
    )
    .not_yet(),
    field("enabled", Bool, "true", "Off: this identity is never shown."),
];

const AGENT: &[Field] = &[
    required("name", NAME, "What other objects call the agent."),
    required("extension", Digits(3, 64), "What phones dial, and the user the phone registers as."),
    optional("secret", Text(1, 256), "The phone's password; this or secret_file."),
    optional("secret_file", Path, "A file that holds the password."),
    field("max_calls", Integer(1, 4), "1", "Calls the agent takes at once."),
    optional("wrap_up_secs", Secs(0, 3600), "Rest after a call; unset: the queue's."),
    field("auto_ready", Bool, "true", "Ready as soon as the phone registers."),
    field("max_no_answer", Integer(0, 20), "3", "Paused after so many unanswered calls; 0: never."),
    field("decline_cooldown_secs", Secs(0, 3600), "60", "Not rung again this long after a decline."),
    field("skills", Map(Keys::Names, &Integer(1, 10)), "{}", "The skills of the agent and the level of each."),
    field("answer_mode", OneOf(&["normal", "auto_answer"]), "\"normal\"", "How the phone is asked to answer."),
    field("contact", OneOf(&["registered", "external"]), "\"registered\"", "Where the agent is rung.")
        .only(&["\"registered\""]),
];

const GROUP: &[Field] = &[
    required("name", NAME, "What other objects call the group."),
    required("agents", List(&Ref("agent"), 1, 1000), "The agents who belong to it."),
];

const MEMBER: &[Field] = &[
    required("agent", Ref("agent"), "The agent who serves the queue."),
    field("tier", Integer(1, 100), "1", "Lower tiers are rung first."),
    field("level", Integer(1, 10), "1", "Skill level in this queue, 10 is best."),
    optional(
        "skill",
        Text(1, 64),
        "The skill of the agent whose level counts instead; without it the agent comes last.",
    ),
];

const STRATEGIES: &[&str] = &[
    "longest_idle",
    "ring_all",
    "round_robin",
    "least_recent",
    "fewest_calls",
    "random",
    "linear",
    "skill_longest_idle",
    "skill_ring_all",
    "skill_round_robin",
    "skill_least_recent",
    "skill_fewest_calls",
    "skill_random",
    "skill_linear",
];

const QUEUE: &[Field] = &[
    required("name", NAME, "What other objects call the queue."),
    PRESET,
    required("number", Digits(3, 64), "What phones dial to reach it."),
    field("strategy", OneOf(STRATEGIES), "\"longest_idle\"", "How an agent is picked among those who are ready."),
    field("ring_secs", Secs(5, 120), "20", "How long one agent rings."),
    field("wrap_up_secs", Secs(0, 3600), "10", "Rest of an agent after a call."),
    field("members", List(&Kind::Table(MEMBER), 0, 1000), "[]", "Who serves it, in order."),
    field("max_callers", Integer(0, 10_000), NONE, "Live callers at once."),
    field(
        "max_wait_secs",
        Secs(15, 65_535),
        "300",
        "How long a caller may wait: 300 when overflow_dest is set, else without limit.",
    )
    .or_none(),
    optional(
        "overflow_dest",
        Destination,
        "Where he goes then, and when it is full or closed; unset: he hears why, and goodbye.",
    ),
    field("no_agents", OneOf(&["wait", "overflow"]), "\"wait\"", "When no agent is logged in."),
    field("no_agents_wait_secs", Secs(0, 65_535), "300", "How long one waits for that."),
    optional("moh", Sound, "Hold music; unset: the built-in loop."),
    optional("welcome", Sound, "What callers hear on joining."),
    field("announce_position", OneOf(&["off", "periodic", "on_join"]), "\"off\"", "Say the place in line."),
    field("announce_interval_secs", Secs(10, 1800), "30", "How often place and wait are said."),
    field("announce_ewt", Bool, "false", "Say the expected wait."),
    field("ewt_round_secs", Secs(1, 3600), "60", "The expected wait is rounded up to a multiple of this."),
    optional("periodic_prompt", Sound, "Played now and then."),
    field("interval_secs", Secs(10, 1800), "60", "How often the periodic prompt is played."),
    field("periodic_only_when_all_busy", Bool, "true", "Only while no agent is free."),
    optional("exit_key", Key(KEYS), "The key that leaves the queue."),
    optional("exit_dest", Destination, "Where that leads; unset: goodbye."),
    field(
        "language",
        Text(2, 35),
        "\"en\"",
        "BCP 47; a prompt named `de/offer` is heard instead of offer where it is de.",
    ),
    field("weight", Integer(0, 100), "0", "Among queues of one agent."),
    field("sla_secs", Secs(0, 86_400), "0", "Service level; 0: off."),
    field("sticky_days", Integer(0, 365), "30", "The agent of last time first."),
    field("resume_within_secs", Secs(0, 600), "60", "An abandoned caller regains his place."),
    field("max_callbacks", Integer(0, 10_000), NONE, "Callback attempts at once."),
    optional(
        "schedule",
        Ref("schedule"),
        "When it is open, for callers and (beside the profile's) for callbacks; unset: always.",
    ),
    field("rules", List(&Ref("callback_rule"), 0, 100), "[]", "Callback rules of the queue, in order."),
    field("record", Bool, "false", "Record its live calls; needs a notice or record_ack_no_notice."),
    field(
        "record_required",
        Bool,
        "false",
        "Recorded also when less than 5 % of the disk is free, when others are not.",
    ),
    optional("record_notice", Notice(NOTICE), "What is said before."),
    field("record_ack_no_notice", Bool, "false", "Recording without a notice is lawful here."),
];

const RANGE: &[Field] = &[
    required("start", Time(End::No), "When it opens; this minute belongs to it."),
    required("end", Time(End::Yes), "When it closes; this minute does not belong to it."),
];

const WEEKLY: &[Field] = &[
    required("days", Days, "The days on which it opens: `mon-fri`, `sat`, `mon,wed`."),
    required("start", Time(End::No), "When it opens; this minute belongs to it."),
    required("end", Time(End::Yes), "When it closes; at or before start: on the next day."),
];

const EXCEPTION: &[Field] = &[
    required("date", Date, "The date in the zone of the schedule."),
    field("closed", Bool, "false", "Closed all that day."),
    field("ranges", List(&Kind::Table(RANGE), 0, 20), "[]", "Open at these times instead of the weekly ones."),
    field("name", Text(0, 64), "\"\"", "What people call it."),
];

const SCHEDULE: &[Field] = &[
    required("name", NAME, "What other objects call the schedule."),
    optional("tz", Zone, "IANA zone; unset: `system.default_timezone`."),
    field("weekly", List(&Kind::Table(WEEKLY), 0, 100), "[]", "The hours of a usual week."),
    field("exceptions", List(&Kind::Table(EXCEPTION), 0, 1000), "[]", "Dates whose hours replace the weekly ones."),
];

const INBOUND_ROUTE: &[Field] = &[
    required("trunk", Ref("trunk"), "The trunk by which the calls come."),
    required("did", Pattern, "The dialled number, or its beginning with `*`."),
    required("to", Destination, "`queue:NAME`, `agent:NAME`, `group:NAME`, `ivr:NAME`, `hangup:STATUS`."),
    optional("schedule", Ref("schedule"), "When it leads there; unset: always."),
    optional("closed_to", Destination, "Where it leads otherwise; unset: \"we are closed\", and goodbye."),
    field("priority", Integer(0, 1000), "100", "Routes with lower numbers are asked first."),
];

const OUTBOUND_ROUTE: &[Field] = &[
    required("prefix", Dialled, "What `dial_prefix` and number begin with."),
    field("strip", Integer(0, 32), "0", "Characters removed from the front."),
    field("prepend", Dialled, "\"\"", "Put in front of what is left."),
    required("trunks", List(&Ref("trunk"), 1, 20), "The trunks to use, in order of preference."),
    field("priority", Integer(0, 1000), "100", "Routes with lower numbers are asked first."),
];

const NOTICE: &[Field] = &[
    field("mode", OneOf(&["none", "audio", "tts"]), "\"audio\"", "none: nothing is said; tts: `text` is spoken."),
    optional("prompt", Ref("prompt"), "The prompt to play; unset: the built-in one."),
    optional("text", Text(0, 1000), "What is spoken in mode tts."),
    optional("lang", Text(2, 35), "The language of the text, BCP 47; unset: `en`."),
    optional("voice", Text(1, 64), "The voice of the speech engine; unset: its own choice."),
];

const IVR: &[Field] = &[
    required("name", NAME, "What other objects call the menu."),
    optional("number", Digits(3, 64), "What phones dial to reach it."),
    optional("prompt", Sound, "What the menu says."),
    field("timeout_secs", Secs(1, 120), "10", "How long a key is waited for after the prompt."),
    field("tries", Integer(1, 10), "3", "How often the prompt is said."),
    field("keys", Map(Keys::Telephone, &Destination), "{}", "The keys and where each leads."),
    optional("timeout_dest", Destination, "Where calls without a key go; unset: goodbye."),
    optional("schedule", Ref("schedule"), "When the menu is open; unset: always."),
    optional("closed_dest", Destination, "Where calls go when it is closed."),
];

const PROMPT: &[Field] = &[
    required("name", NAME, "What other objects call the prompt."),
    field("lang", Text(2, 35), "\"en\"", "The language it speaks, BCP 47."),
    optional("file", Path, "WAV, FLAC, MP3 or OGG; this or text."),
    optional("text", Text(1, 1000), "Spoken by `server.speech_command`, espeak-ng or flite."),
    optional("voice", Text(1, 64), "The voice of the speech engine; unset: its own choice."),
];

const API_KEY: &[Field] = &[
    required("name", NAME, "What the audit log calls its holder."),
    optional("secret", Text(16, 256), "The bearer token; this or secret_file."),
    optional("secret_file", Path, "A file that holds the bearer token."),
    field(
        "role",
        OneOf(&["admin", "supervisor", "auditor"]),
        "\"auditor\"",
        "What it may do: all; not the site; look.",
    ),
    optional("expires", Instant, "Not taken from then on; unset: it lasts."),
];

/// Whether a field must be in the file.
pub fn is_required(field: &Field) -> bool {
    field.absent == Absent::Required
}
