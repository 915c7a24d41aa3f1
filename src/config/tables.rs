//! Every table and field of the file: `[server]` and `[system]` of the process, and the site's entities. Names,
//! limits and defaults are those of the model; what this version does not do yet says so here and nowhere else.

use super::schema::{Absent, End, Field, Keys, Kind, NONE, Table, field, optional, required};
use Kind::{
    Bool, Cidr, Country, Date, Days, Destination, Dialled, Digits, Host, HostPort, Instant, Integer, Ip, Key, List,
    Map, Notice, Number, OneOf, Path, Pattern, Ports, Ref, Secs, ServedBy, Socket, Sound, Text, Time, Zone,
};

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
    Table { honoured: false, ..named("number_policy", "name", "Which numbers may be called back.", NUMBER_POLICY) },
    named("ivr", "name", "A menu of keys.", IVR),
    named("prompt", "name", "A sound of your own.", PROMPT),
    Table {
        honoured: false,
        ..named("api_key", "name", "Who may use the API besides the holder of the administrator's token.", API_KEY)
    },
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
    optional("tls_cert", Path, "Certificate chain, PEM.").not_yet(),
    optional("tls_key", Path, "Its key, PEM.").not_yet(),
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
    field("status", OneOf(&["active", "frozen"]), "\"active\"", "Frozen: rules rest.").only(&["\"active\""]),
    optional("default_timezone", Zone, "Display, and schedules without `tz`; unset: the zone of the host."),
    optional("default_country", Country, "How national numbers are read; unset: only extensions can be called."),
    field("max_callback_lines", Integer(1, 1000), "15", "Callback attempts in flight, all together."),
    field("max_originates_per_min", Integer(0, 6000), "60", "Automatic calls a minute; 0: none."),
    field("company_name", Text(0, 64), "\"\"", "Shown to customers as display name."),
];

const TRUNK: &[Field] = &[
    required("name", NAME, "Its name."),
    required("mode", OneOf(&["register", "peer"]), "peer: known by source address; register: we register there."),
    required("host", Host, "Host name or address of the provider."),
    field("port", Integer(1, 65_535), "5060", "Its port."),
    field("transport", OneOf(&["udp", "tcp", "tls"]), "\"udp\"", "Only udp in this version; others are refused."),
    optional("username", Text(1, 128), "User part of our address of record; required when mode is register."),
    optional("auth_user", Text(1, 128), "Digest user; unset: username."),
    optional("password", Text(1, 256), "Digest secret; required when mode is register."),
    optional("password_file", Path, "A file that holds the password instead."),
    optional("realm", Text(1, 128), "The only realm answered; unset: the first one its own addresses name."),
    optional("proxy", HostPort, "Outbound proxy, `host` or `host:port`."),
    field("register_expires_secs", Secs(60, 7200), "3600", "The registration asked for."),
    field("options_ping_secs", Secs(0, 600), "30", "OPTIONS this often; 0: never."),
    field("retry_secs", Secs(1, 86_400), "60", "Pause after a failure."),
    field("max_calls", Integer(0, 10_000), "30", "Calls at once; 0: none."),
    field("max_cps", Integer(0, 1000), "5", "New calls a second."),
    field(
        "codecs",
        List(&OneOf(&["PCMU", "PCMA", "G722"]), 1, 3),
        "[\"PCMU\", \"PCMA\", \"G722\"]",
        "Codecs offered, in order; G722 is left out in this version.",
    ),
    field("dtmf", OneOf(&["rfc4733", "info"]), "\"rfc4733\"", "How keys are sent.").only(&["\"rfc4733\""]),
    field("number_format", OneOf(&["e164_plus", "e164", "national"]), "\"e164_plus\"", "How it wants numbers."),
    field("strip_digits", Integer(0, 15), "0", "Digits removed from the front of a dialled number."),
    field("prefix", Dialled, "\"\"", "Then put in front."),
    field("identity_header", OneOf(&["from", "pai", "rpid"]), "\"pai\"", "Which header carries our identity."),
    field("privacy", Bool, "false", "Ask it to withhold our number."),
    field("trusted", Bool, "false", "Whether its identity headers are believed."),
    field("read_verstat", Bool, "false", "Read its verdict on caller identities.").only(&["false"]),
    field(
        "srtp",
        OneOf(&["off", "optional", "required"]),
        "\"off\"",
        "Encrypted media; only off in this version, required is refused.",
    ),
    field("session_expires_secs", Secs(90, 86_400), "1800", "Session timer.").not_yet(),
    field("acl", List(&Cidr, 0, 256), "[]", "Who may send calls as this trunk, besides `host`."),
    optional("failover_trunk", Ref("trunk"), "Used when this one fails."),
];

const CALLER_ID: &[Field] = &[
    required("label", NAME, "Its name, and the display name shown."),
    required("number", Number, "E.164 with `+`."),
    optional("trunk", Ref("trunk"), "The trunk that owns it."),
    field("expected_attestation", OneOf(&["A", "B", "C", "unknown"]), "\"unknown\"", "STIR attestation.").not_yet(),
    field("enabled", Bool, "true", "Off: never shown."),
];

const AGENT: &[Field] = &[
    required("name", NAME, "The agent's name."),
    required("extension", Digits(3, 64), "What phones dial, and the user the phone registers as."),
    optional("secret", Text(1, 256), "The phone's password; this or secret_file."),
    optional("secret_file", Path, "A file that holds it."),
    field("max_calls", Integer(1, 4), "1", "Calls at once."),
    optional("wrap_up_secs", Secs(0, 3600), "Rest after a call; unset: the queue's."),
    field("auto_ready", Bool, "true", "Ready as soon as the phone registers."),
    field("max_no_answer", Integer(0, 20), "3", "Paused after so many unanswered calls; 0: never."),
    field("decline_cooldown_secs", Secs(0, 3600), "60", "Not rung again this long after a decline."),
    field("skills", Map(Keys::Names, &Integer(1, 10)), "{}", "Skill and level."),
    field("answer_mode", OneOf(&["normal", "auto_answer"]), "\"normal\"", "How the phone is asked to answer."),
    field("contact", OneOf(&["registered", "external"]), "\"registered\"", "Where the agent is rung.")
        .only(&["\"registered\""]),
];

const GROUP: &[Field] =
    &[required("name", NAME, "Its name."), required("agents", List(&Ref("agent"), 1, 1000), "Who belongs to it.")];

const MEMBER: &[Field] = &[
    required("agent", Ref("agent"), "Who."),
    field("tier", Integer(1, 100), "1", "Lower tiers are rung first."),
    field("level", Integer(1, 10), "1", "Skill level."),
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
    required("name", NAME, "Its name."),
    PRESET,
    required("number", Digits(3, 64), "What phones dial."),
    field("strategy", OneOf(STRATEGIES), "\"longest_idle\"", "How agents are picked."),
    field("ring_secs", Secs(5, 120), "20", "How long one agent rings."),
    field("wrap_up_secs", Secs(0, 3600), "10", "Rest after a call."),
    field("members", List(&Kind::Table(MEMBER), 0, 1000), "[]", "Who serves it, in order."),
    field("max_callers", Integer(0, 10_000), NONE, "Live callers at once."),
    field("max_wait_secs", Secs(15, 65_535), "300", "How long a caller may wait.").or_none(),
    optional(
        "overflow_dest",
        Destination,
        "Where he goes then, and when it is full or closed; unset: he hears why, and goodbye.",
    ),
    field("no_agents", OneOf(&["wait", "overflow"]), "\"wait\"", "When no agent is logged in."),
    field("no_agents_wait_secs", Secs(0, 65_535), "300", "How long one waits for that."),
    optional("moh", Sound, "Hold music; unset: the built-in loop."),
    optional("welcome", Sound, "Played on joining."),
    field("announce_position", OneOf(&["off", "periodic", "on_join"]), "\"off\"", "Say the place in line."),
    field("announce_interval_secs", Secs(10, 1800), "30", "How often."),
    field("announce_ewt", Bool, "false", "Say the expected wait."),
    field("ewt_round_secs", Secs(1, 3600), "60", "Rounded to this."),
    optional("periodic_prompt", Sound, "Played now and then."),
    field("interval_secs", Secs(10, 1800), "60", "How often."),
    field("periodic_only_when_all_busy", Bool, "true", "Only while no agent is free."),
    optional("exit_key", Key(KEYS), "Leaves the queue."),
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
    field("max_callbacks", Integer(0, 10_000), NONE, "Callback attempts at once.").only(&[NONE]),
    optional(
        "schedule",
        Ref("schedule"),
        "When it is open, for callers and (beside the profile's) for callbacks; unset: always.",
    ),
    field("rules", List(&Ref("callback_rule"), 0, 100), "[]", "Callback rules, in order."),
    field("record", Bool, "false", "Record its live calls; needs a notice or record_ack_no_notice."),
    optional("record_notice", Notice(NOTICE), "What is said before."),
    field("record_ack_no_notice", Bool, "false", "Recording without a notice is lawful here."),
];

const RANGE: &[Field] =
    &[required("start", Time(End::No), "Opens; belongs to it."), required("end", Time(End::Yes), "Closes.")];

const WEEKLY: &[Field] = &[
    required("days", Days, "`mon-fri`, `sat`, `mon,wed`."),
    required("start", Time(End::No), "Opens; belongs to it."),
    required("end", Time(End::Yes), "Closes; at or before start: on the next day."),
];

const EXCEPTION: &[Field] = &[
    required("date", Date, "The date in the zone of the schedule."),
    field("closed", Bool, "false", "Closed all day."),
    field("ranges", List(&Kind::Table(RANGE), 0, 20), "[]", "Open then instead."),
    field("name", Text(0, 64), "\"\"", "What people call it."),
];

const SCHEDULE: &[Field] = &[
    required("name", NAME, "Its name."),
    optional("tz", Zone, "IANA zone; unset: `system.default_timezone`."),
    field("weekly", List(&Kind::Table(WEEKLY), 0, 100), "[]", "Weekly hours."),
    field("exceptions", List(&Kind::Table(EXCEPTION), 0, 1000), "[]", "Dates that differ."),
];

const INBOUND_ROUTE: &[Field] = &[
    required("trunk", Ref("trunk"), "Calls of this trunk."),
    required("did", Pattern, "The dialled number, or its beginning with `*`."),
    required("to", Destination, "`queue:NAME`, `agent:NAME`, `group:NAME`, `ivr:NAME`, `hangup:STATUS`."),
    optional("schedule", Ref("schedule"), "When it leads there; unset: always."),
    optional("closed_to", Destination, "Where it leads otherwise; unset: \"we are closed\", and goodbye."),
    field("priority", Integer(0, 1000), "100", "Lower first."),
];

const OUTBOUND_ROUTE: &[Field] = &[
    required("prefix", Dialled, "What `dial_prefix` and number begin with."),
    field("strip", Integer(0, 32), "0", "Characters removed from the front."),
    field("prepend", Dialled, "\"\"", "Then put in front."),
    required("trunks", List(&Ref("trunk"), 1, 20), "In order of preference."),
    field("priority", Integer(0, 1000), "100", "Lower first."),
];

const NOTICE: &[Field] = &[
    field("mode", OneOf(&["none", "audio", "tts"]), "\"audio\"", "none: nothing is said; tts: `text` is spoken."),
    optional("prompt", Ref("prompt"), "Unset: the built-in one."),
    optional("text", Text(0, 1000), "What tts says."),
    optional("lang", Text(2, 35), "Its language, BCP 47; unset: en."),
    optional("voice", Text(1, 64), "A voice of the engine; unset: the one for the language."),
];

const OUTCOME_ACTION: &[Field] = &[
    required("action", OneOf(&["retry", "fail", "notify"]), "What follows."),
    optional("interval", Secs(0, 259_200), "After how long."),
];

const ON: &[Field] = &[
    optional("busy", Kind::Table(OUTCOME_ACTION), "Busy."),
    optional("no_answer", Kind::Table(OUTCOME_ACTION), "No answer."),
    optional("rejected", Kind::Table(OUTCOME_ACTION), "Rejected."),
    optional("voicemail", Kind::Table(OUTCOME_ACTION), "A machine."),
    optional("network", Kind::Table(OUTCOME_ACTION), "The trunk failed."),
    optional("invalid", Kind::Table(OUTCOME_ACTION), "No such number."),
];

const LEGAL_WINDOW: &[Field] = &[
    field("start", Time(End::No), "\"08:00\"", "Not before."),
    field("end", Time(End::Yes), "\"21:00\"", "Not after."),
];

const CALLBACK_PROFILE: &[Field] = &[
    required("name", NAME, "Its name."),
    PRESET,
    field("enabled", Bool, "true", "Off: nothing is dialled, and tasks say why."),
    field("first_party", OneOf(&["agent", "customer"]), "\"agent\"", "Who is called first."),
    field("destination", ServedBy, "\"same\"", "Who serves: same, `queue:NAME`, `agent:NAME`, missed_by."),
    field("owner_wait_secs", Secs(0, 86_400), "300", "How long one waits for missed_by."),
    field("caller_id_mode", OneOf(&["dnis_else_fixed", "fixed"]), "\"dnis_else_fixed\"", "Which number is shown."),
    optional("caller_id", Ref("caller_id"), "The fixed one, by label."),
    field("dial_prefix", Dialled, "\"\"", "Put in front of the number before routes are asked."),
    field("trunks", List(&Ref("trunk"), 0, 20), "[]", "In order, instead of those of the route."),
    field("attempts_max", Integer(1, 20), "3", "Customer dials in all; a longer intervals_secs raises it."),
    field(
        "intervals_secs",
        List(&Secs(0, 259_200), 1, 20),
        "[0, 900]",
        "[0] before the first, [i] after attempt i; the last repeats.",
    ),
    field("ring_timeout_secs", Secs(1, 120), "30", "How long the customer rings."),
    field("no_answer_action", OneOf(&["retry", "fail", "notify"]), "\"retry\"", "After no answer.")
        .only(&["\"retry\"", "\"fail\""]),
    field("on", Kind::Table(ON), "{}", "What follows each outcome.").only(&["{}"]),
    field("auto_reschedule", Bool, "true", "Try again when nobody answered.").only(&["true"]),
    field("agent_reschedule", Bool, "true", "The agent may ask for another try."),
    field("agent_reschedule_key", Key(KEYS), "\"9\"", "With this key."),
    field("after_fail_secs", Secs(0, 120), "8", "So long the agent may press it after the customer was not reached.")
        .not_yet(),
    field("client_reschedule", Bool, "false", "The customer may."),
    field("client_reschedule_key", Key(KEYS), "\"1\"", "With this key."),
    field("client_reschedule_max", Integer(0, 20), "1", "So often.").or_none(),
    field("agent_accept", OneOf(&["auto", "key"]), "\"auto\"", "Whether the agent presses a key first."),
    field("agent_accept_key", Key(KEYS), "\"1\"", "This key."),
    field("agent_accept_secs", Secs(1, 120), "10", "Within this."),
    optional("agent_prompt", Sound, "What the agent hears first."),
    field("agent_prompt_overlap", Bool, "false", "Dial during the prompt."),
    optional("customer_prompt", Sound, "What the customer hears on answering."),
    field("success_min_talk_secs", Secs(0, 99), "5", "Talk longer than this is success; 0: the answer itself."),
    field("expires_after_secs", Secs(1, YEAR), "86400", "Life of a callback.").or_none(),
    field("expiry_clock", OneOf(&["open", "wall"]), "\"open\"", "open: only while the schedule is open."),
    optional("schedule", Ref("schedule"), "When it may dial; unset: always."),
    field("cutoff_secs", Secs(0, 86_400), "0", "No reschedule this close to closing.").only(&["0"]),
    field("after_cutoff", OneOf(&["next_open", "overflow", "fail"]), "\"next_open\"", "Then.").only(&["\"next_open\""]),
    field("legal_window", Kind::Table(LEGAL_WINDOW), "{}", "Hours in which customers may be called, in their zone."),
    field("legal_window_applies", OneOf(&["missed", "all", "none"]), "\"missed\"", "Whose callbacks they hold for."),
    field(
        "tz_mode",
        OneOf(&["number_then_default", "default_only"]),
        "\"number_then_default\"",
        "The customer's zone: by the number, else `tz_default`; or `tz_default`.",
    ),
    field("tz_default", Zone, NONE, "The zone of customers whose number tells none."),
    field(
        "tz_unknown",
        OneOf(&["block", "use_default"]),
        "\"block\"",
        "Neither: nothing is dialled, or `system.default_timezone` is used.",
    ),
    optional("yield_to_live", Bool, "Live callers first; unset: so for missed calls, not for requests."),
    field("yield_max_secs", Secs(0, YEAR), "1800", "No longer than this."),
    field("max_lines", Integer(0, 1000), NONE, "Attempts of this profile at once."),
    field("priority_boost", Bool, "false", "Before everybody else."),
    field("record", Bool, "false", "Record the call; needs a notice or record_ack_no_notice."),
    optional("record_notice", Notice(NOTICE), "What the customer hears before."),
    field("record_ack_no_notice", Bool, "false", "Recording without a notice is lawful here."),
    field("retention_days", Integer(1, 3650), "90", "How long recordings are kept.").not_yet(),
];

const SCOPE: &[Field] = &[
    field("queues", List(&Ref("queue"), 0, 1000), "[]", "These queues have the rule, besides those that name it."),
    field("dids", List(&Pattern, 0, 1000), "[]", "Missed calls to these numbers only."),
    field("ivrs", List(&Ref("ivr"), 0, 1000), "[]", "Lost in these menus."),
    field("agents", List(&Ref("agent"), 0, 1000), "[]", "Lost at these agents."),
    field("groups", List(&Ref("group"), 0, 1000), "[]", "Lost at these groups."),
];

const PROMPTS: &[Field] = &[
    optional("offer", Sound, "The offer."),
    optional("confirm", Sound, "What asks for the number."),
    optional("accepted", Sound, "The promise."),
    optional("goodbye", Sound, "After it."),
    optional("unavailable", Sound, "The apology."),
];

const CALLBACK_RULE: &[Field] = &[
    required("name", NAME, "Its name."),
    PRESET,
    field("enabled", Bool, "true", "Off: offers nothing, and its open callbacks are cancelled."),
    field("accept", Bool, "true", "Takes new requests."),
    field("process", Bool, "true", "Dials."),
    required(
        "source",
        OneOf(&["queue_request", "missed_queue", "missed_ivr", "missed_agent", "api"]),
        "What makes the callback: a request in line, a call lost in line, in a menu, or at an agent's or group's phones; the API.",
    ),
    field("scope", Kind::Table(SCOPE), "{}", "Where it holds."),
    field(
        "triggers",
        List(&OneOf(&["key", "after_wait", "announced", "ewt"]), 1, 4),
        "[\"key\"]",
        "What makes the offer; ewt is not honoured yet.",
    ),
    field("request_digit", Key(KEYS), "\"1\"", "The request key."),
    field("offer_after_secs", Secs(0, 65_535), "600", "First offer after this wait."),
    field("offer_repeat_secs", Secs(10, 1800), NONE, "Then again this often."),
    field("only_when_all_busy", Bool, "true", "Announce only while no agent is free."),
    field("min_ahead", Integer(0, 10_000), "0", "Announce only with so many ahead."),
    field("min_ewt_secs", Secs(0, 86_400), "0", "Announce only with so long to wait.").only(&["0"]),
    field("max_pending", Integer(0, 1_000_000), NONE, "Open callbacks of this rule at once."),
    field("max_ewt_secs", Secs(0, YEAR), NONE, "No offer with longer to wait.").only(&[NONE]),
    field("close_guard_secs", Secs(0, 86_400), "120", "No request this close before closing."),
    field(
        "number_capture",
        OneOf(&["ani_only", "confirm_or_enter"]),
        "\"confirm_or_enter\"",
        "How the number is found.",
    ),
    field("min_digits", Integer(3, 15), "7", "Shortest typed number."),
    field("max_digits", Integer(3, 15), "15", "Longest typed number."),
    field("interdigit_secs", Secs(1, 60), "5", "Pause between keys that ends an entry."),
    field("entry_total_secs", Secs(5, 600), "40", "The whole dialogue."),
    field("entry_tries", Integer(1, 10), "3", "Bad tries before going back to hold."),
    field("confirm_key", Key("*#"), "\"#\"", "Ends an entry; alone: the calling number."),
    field("cancel_key", Key("*#"), "\"*\"", "Back to hold."),
    field("read_back", Bool, "true", "Typed digits are read back."),
    field("record_reason_secs", Secs(0, 30), "0", "Record why.").only(&["0"]),
    field("min_wait_secs", Secs(0, 86_400), "3", "Missed calls: who hung up sooner had misdialled."),
    optional("max_age_secs", Secs(1, YEAR), "Missed calls: older ones are let be; unset: expiry of the profile."),
    field("dedupe", OneOf(&["merge", "reject", "allow"]), "\"merge\"", "A second request of one number.")
        .only(&["\"merge\""]),
    field("dedupe_scope", OneOf(&["number", "number_queue"]), "\"number_queue\"", "One number in what.")
        .only(&["\"number_queue\""]),
    optional("number_policy", Ref("number_policy"), "Which numbers may be called.").not_yet(),
    required("profile", Ref("callback_profile"), "How it is made."),
    field("priority", Integer(1, 9), "5", "1 is served first."),
    field("prompts", Kind::Table(PROMPTS), "{}", "Sounds of your own."),
    field("on_call_in", OneOf(&["cancel", "menu"]), "\"cancel\"", "The customer rings in meanwhile."),
    field("order", Integer(0, 1000), "0", "Lower first; the first rule that matches wins."),
];

const NUMBER_LIST: &[Field] = &[
    optional("name", NAME, "Its name."),
    required("kind", OneOf(&["vip", "deny", "allow", "exclusive"]), "What it means."),
    required("pattern", Pattern, "Exact, or `+1555*`."),
    field("label", Text(0, 64), "\"\"", "What people call it."),
    optional("valid_from", Instant, "From."),
    optional("valid_until", Instant, "Until."),
    optional("action", OneOf(&["reject", "busy", "message"]), "How a denied caller is refused; unset: reject."),
    field("agents", List(&Ref("agent"), 0, 1000), "[]", "Only these agents."),
];

const DENY_TYPES: &[&str] = &["premium", "shared_cost", "satellite", "voicemail_access", "short", "emergency"];

const NUMBER_POLICY: &[Field] = &[
    required("name", NAME, "Its name."),
    PRESET,
    field("countries", List(&Country, 0, 300), "[]", "Only these; empty: the site's own."),
    field(
        "deny_types",
        List(&OneOf(DENY_TYPES), 0, 6),
        "[\"premium\", \"shared_cost\", \"satellite\", \"voicemail_access\", \"short\", \"emergency\"]",
        "Never these.",
    ),
    field("deny_patterns", List(&Pattern, 0, 1000), "[]", "Never these."),
    field("own_dids_denied", Bool, "true", "Never our own numbers."),
    field("pending_per_number", Integer(1, 100), "1", "Open callbacks of one number."),
    field("daily_max", Integer(0, 1000), "6", "Dials of one number a day."),
    field("daily_cost_cap", Integer(0, 1_000_000), NONE, "Cost a day."),
    field("anonymous", OneOf(&["ask_number", "refuse"]), "\"ask_number\"", "A withheld number."),
    field("verstat_min", OneOf(&["none", "not_failed", "passed"]), "\"none\"", "Identity verified."),
    field("confirm_by_key", OneOf(&["never", "untrusted", "always"]), "\"untrusted\"", "The customer presses a key."),
];

const IVR: &[Field] = &[
    required("name", NAME, "Its name."),
    optional("number", Digits(3, 64), "What phones dial."),
    optional("prompt", Sound, "What is said."),
    field("timeout_secs", Secs(1, 120), "10", "How long a key is waited for."),
    field("tries", Integer(1, 10), "3", "How often."),
    field("keys", Map(Keys::Telephone, &Destination), "{}", "Key and destination."),
    optional("timeout_dest", Destination, "Without a key."),
    optional("schedule", Ref("schedule"), "When it is open."),
    optional("closed_dest", Destination, "Otherwise."),
];

const PROMPT: &[Field] = &[
    required("name", NAME, "Its name."),
    field("lang", Text(2, 35), "\"en\"", "BCP 47."),
    optional("file", Path, "WAV, FLAC, MP3 or OGG; this or text."),
    optional("text", Text(1, 1000), "Spoken by `server.speech_command`, espeak-ng or flite."),
    optional("voice", Text(1, 64), "Its voice."),
];

const API_KEY: &[Field] = &[
    required("name", NAME, "Its name, which the audit log shows."),
    optional("secret", Text(16, 256), "The bearer token; this or secret_file."),
    optional("secret_file", Path, "A file that holds it."),
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
