//! What requests and answers look like that are no objects of the site, in few words: `text`, `ulid`, `instant`,
//! `count`, `signed`, `real`, `truth`, `anything`; `[X]` is a list, `X|null` may be nothing, and every other word is
//! the name of another schema. A field whose name ends in `?` may be left out.

use crate::callback::task::TaskState;
use serde_json::{Map, Value, json};

type Fields = &'static [(&'static str, &'static str)];

/// The schema of these words.
pub(super) fn of(words: &str) -> Value {
    if let Some(or_null) = words.strip_suffix("|null") {
        return json!({ "anyOf": [of(or_null), { "type": "null" }] });
    }
    if let Some(each) = words.strip_prefix('[').and_then(|words| words.strip_suffix(']')) {
        return json!({ "type": "array", "items": of(each) });
    }
    match words {
        "text" => json!({ "type": "string" }),
        "ulid" => json!({ "type": "string", "pattern": "^[0-9A-HJKMNP-TV-Z]{26}$" }),
        "instant" => json!({ "type": "string", "format": "date-time" }),
        "count" => json!({ "type": "integer", "minimum": 0 }),
        "signed" => json!({ "type": "integer" }),
        "real" => json!({ "type": "number", "minimum": 0 }),
        "truth" => json!({ "type": "boolean" }),
        "anything" => json!({}),
        named => super::reference(named),
    }
}

/// All of them by name.
pub(super) fn all() -> Map<String, Value> {
    let mut schemas = Map::new();
    for (name, about, fields) in OBJECTS {
        let mut schema = object(fields);
        schema["description"] = (*about).into();
        schemas.insert((*name).to_owned(), schema);
    }
    for (page, of_what) in PAGES {
        schemas.insert((*page).to_owned(), object(&[("items", of_what), ("next", "text|null")]));
    }
    for (name, words) in WORDS {
        schemas.insert((*name).to_owned(), json!({ "type": "string", "enum": words }));
    }
    // The callback flattens its task; `data` and problems may say more than is written here.
    schemas.insert("Problem".to_owned(), problem());
    schemas.insert("PageSize".to_owned(), json!({ "type": "integer", "minimum": 1, "maximum": 500 }));
    let by = json!({ "type": "object", "additionalProperties": of("[text]") });
    schemas["Edited"]["properties"]["changed"] = by;
    let mut standing = object(&[STATUS, STANDING].concat());
    standing["description"] = schemas["Standing"]["description"].take();
    schemas["Standing"] = standing;
    schemas.insert("Anything".to_owned(), json!({ "type": "object" }));
    schemas.insert("MissedBy".to_owned(), missed_by());
    schemas
}

fn object(fields: &[(&str, &str)]) -> Value {
    let properties: Map<String, Value> =
        fields.iter().map(|(name, words)| (name.trim_end_matches('?').to_owned(), of(words))).collect();
    let required: Vec<&str> = fields.iter().map(|(name, _)| *name).filter(|name| !name.ends_with('?')).collect();
    json!({ "type": "object", "additionalProperties": false, "required": required, "properties": properties })
}

fn problem() -> Value {
    let mut schema = object(&[
        ("type", "text"),
        ("title", "text"),
        ("status", "count"),
        ("detail", "text"),
        ("field?", "text"),
        ("problems?", "anything"),
    ]);
    schema["additionalProperties"] = true.into();
    schema["description"] = "What went wrong (RFC 9457), and the field it is about.".into();
    schema
}

/// One of four, by its word.
fn missed_by() -> Value {
    let words = ["queue", "agent", "group", "ivr"];
    json!({ "oneOf": words.map(|word| object(&[(word, "text")])) })
}

const PAGES: &[(&str, &str)] = &[
    ("CallbackPage", "[Callback]"),
    ("DoNotCallPage", "[DoNotCall]"),
    ("QueuePage", "[Queue]"),
    ("AgentPage", "[Agent]"),
    ("TrunkPage", "[Trunk]"),
    ("CallPage", "[Call]"),
    ("RecordingPage", "[Recording]"),
    ("PromptPage", "[Prompt]"),
    ("ObjectPage", "[Object]"),
    ("AuditPage", "[AuditEntry]"),
];

const WORDS: &[(&str, &[&str])] = &[
    ("CallbackState", &TaskState::WORDS),
    (
        "CloseReason",
        &[
            "success",
            "max_attempts",
            "invalid",
            "no_answer_action",
            "not_rescheduled",
            "cutoff",
            "dnc",
            "frozen",
            "expired",
            "customer_called",
            "agent_dialled",
            "by_caller",
            "by_admin",
            "rule_disabled",
            "source_deleted",
            "merged",
            "not_promised",
        ],
    ),
    (
        "Outcome",
        &[
            "success",
            "short_talk",
            "no_answer",
            "busy",
            "rejected",
            "invalid_number",
            "network_error",
            "caller_id_refused",
            "agent_no_answer",
            "agent_declined",
            "agent_left_early",
            "agent_no_accept",
            "customer_left_before_bridge",
            "not_confirmed",
            "voicemail_agent",
            "blocked",
            "system_restart",
            "superseded",
        ],
    ),
    ("Space", &["ample", "low", "scarce", "spent"]),
    ("Source", &["queue_request", "missed_queue", "missed_ivr", "missed_agent", "api"]),
    ("Fate", &["erased", "stripped", "left"]),
    ("NumberOrigin", &["trusted", "signalled", "typed", "given"]),
    ("AttemptKind", &["agent", "client_offer"]),
    ("HoldReason", &["lost_after_answer"]),
    (
        "AgentState",
        &[
            "logged_out",
            "not_ready",
            "ready",
            "reserved",
            "ringing",
            "queue_call",
            "other_call",
            "wrap_up",
            "unreachable",
        ],
    ),
];

const OBJECTS: &[(&str, &str, Fields)] = &[
    ("NewCallback", "A callback to be promised.", NEW_CALLBACK),
    ("Postpone", "When it may be tried again: within a year.", &[("not_before", "instant")]),
    ("Callback", "A promise, its attempts, and the gate that holds it.", CALLBACK),
    (
        "Reschedules",
        "Reschedules used so far.",
        &[("auto", "count"), ("agent", "count"), ("client", "count"), ("admin", "count")],
    ),
    (
        "Promised",
        "An hour that was promised, and what clocks show then.",
        &[("at", "instant"), ("zone", "text"), ("local", "text")],
    ),
    ("Attempt", "One attempt to keep a promise.", ATTEMPT),
    ("Leg", "One leg of an attempt.", LEG),
    ("Dialog", "Its SIP dialog.", DIALOG),
    ("NewDoNotCall", "A number that is never to be called.", &[("number", "text"), ("note?", "text|null")]),
    ("LiftDoNotCall", "Why it may be called again; needed.", &[("note?", "text|null")]),
    ("DoNotCall", "A number that is never called.", DO_NOT_CALL),
    ("FindPerson", "Whose data are asked for.", &[("number", "text")]),
    ("ErasePerson", "Who is to be erased; without `confirm` nothing is.", ERASE_PERSON),
    ("Person", "What is stored of a person, and what becomes, or became, of it.", PERSON),
    ("PersonRecord", "A record that tells of him.", &[("key", "text"), ("fate", "Fate"), ("value", "Anything")]),
    ("Queue", "A queue; `waiting` only when it is asked for by name.", QUEUE),
    ("ServiceLevel", "How soon callers were answered, since the process began.", SERVICE_LEVEL),
    ("Member", "An agent of a queue.", &[("name", "text"), ("state", "AgentState")]),
    ("Waiting", "One in line.", WAITING),
    ("PauseAgent", "Why.", &[("reason?", "text|null")]),
    ("Agent", "An agent and the phones.", AGENT),
    ("Contact", "A phone's binding.", CONTACT),
    ("Trunk", "A trunk; `state` is registered, up or down.", TRUNK),
    ("TrunkTest", "How a trunk has answered.", TRUNK_TEST),
    ("Call", "A call; `ladder` only when it is asked for by id.", CALL),
    ("Step", "One arrow of a ladder.", &[("at", "instant"), ("from", "text"), ("to", "text"), ("what", "text")]),
    ("Recording", "A recording; what is known of it outlives its audio.", RECORDING),
    ("Consent", "How the other party was told.", CONSENT),
    ("Pause", "Silence that the agent wanted.", &[("from", "instant"), ("until", "instant|null")]),
    ("Prompt", "A sound that can be played.", &[("name", "text"), ("seconds", "real"), ("own", "truth")]),
    ("Spoken", "A text to be spoken.", &[("text", "text"), ("lang?", "text|null"), ("voice?", "text|null")]),
    ("Imported", "A sound of the site now.", &[("name", "text"), ("seconds", "real")]),
    ("Edited", "What another edition of the site has changed, or would.", EDITED),
    ("AuditEntry", "What somebody has done.", AUDIT),
    ("Status", "Whether calls and promises are taken.", STATUS),
    ("Standing", "How the switch, its store and its disk are.", STANDING),
    ("StoreStanding", "How the store is.", STORE_STANDING),
    ("DiskStanding", "How much room the disk has.", DISK_STANDING),
    ("Healthy", "It answers.", &[("status", "text")]),
];

const NEW_CALLBACK: Fields = &[
    ("number", "text"),
    ("queue?", "text|null"),
    ("not_before?", "instant|null"),
    ("profile?", "text|null"),
    ("agent?", "text|null"),
    ("data?", "anything"),
];

const CALLBACK: Fields = &[
    ("id", "ulid"),
    ("source", "Source"),
    ("rule", "text|null"),
    ("profile", "text"),
    ("queue", "text"),
    ("agent", "text|null"),
    ("number", "text"),
    ("number_raw", "text"),
    ("ani", "text|null"),
    ("dnis", "text|null"),
    ("in_trunk", "text|null"),
    ("data", "anything"),
    ("virtual_start", "instant"),
    ("priority", "count"),
    ("missed_by", "MissedBy|null"),
    ("number_origin", "NumberOrigin"),
    ("requested_by", "text|null"),
    ("reschedules", "Reschedules"),
    ("due_since", "instant|null"),
    ("created_at", "instant"),
    ("not_before", "instant"),
    ("promised", "Promised|null"),
    ("expires_at", "instant|null"),
    ("state", "CallbackState"),
    ("hold_reason", "HoldReason|null"),
    ("attempts_used", "count"),
    ("attempts_made", "count"),
    ("origin_call", "ulid|null"),
    ("closed_at", "instant|null"),
    ("close_reason", "CloseReason|null"),
    ("idempotency_key", "text|null"),
    ("attempts", "[Attempt]"),
    ("held_by", "text|null"),
    ("next_at", "instant|null"),
    ("position", "count|null"),
    ("zones", "[text]"),
];

const ATTEMPT: Fields = &[
    ("id", "ulid"),
    ("task", "ulid"),
    ("n", "count"),
    ("kind", "AttemptKind"),
    ("number", "text"),
    ("loaded_at", "instant"),
    ("ring_timeout_secs", "count"),
    ("agent_legs", "[Leg]"),
    ("customer_leg", "Leg|null"),
    ("customer_phones", "[Leg]"),
    ("outcome", "Outcome|null"),
    ("ended_at", "instant|null"),
    ("talk_secs", "count"),
    ("kept_at", "instant|null"),
    ("recording", "ulid|null"),
];

const LEG: Fields = &[
    ("peer", "text"),
    ("uri", "text"),
    ("dialog", "Dialog|null"),
    ("invite_at", "instant|null"),
    ("ringing_at", "instant|null"),
    ("answered_at", "instant|null"),
    ("ended_at", "instant|null"),
    ("sip_status", "count|null"),
];

const DIALOG: Fields = &[
    ("call_id", "text"),
    ("local_tag", "text"),
    ("branch", "text"),
    ("flow", "text"),
    ("remote_tag", "text|null"),
    ("remote_target", "text|null"),
];

const DO_NOT_CALL: Fields =
    &[("number", "text"), ("at", "instant"), ("task", "ulid|null"), ("who", "text|null"), ("note", "text|null")];

const ERASE_PERSON: Fields = &[("number", "text"), ("confirm?", "truth"), ("do_not_call?", "truth")];

const PERSON: Fields = &[
    ("number", "text"),
    ("on_the_phone", "truth"),
    ("done", "truth"),
    ("going_on", "truth"),
    ("erased", "count"),
    ("stripped", "count"),
    ("left", "count"),
    ("audio", "[text]"),
    ("records", "[PersonRecord]"),
];

const QUEUE: Fields = &[
    ("name", "text"),
    ("number", "text"),
    ("waiting_count", "count"),
    ("live_count", "count"),
    ("longest_wait_secs", "count"),
    ("service_level", "ServiceLevel"),
    ("agents", "[Member]"),
    ("waiting?", "[Waiting]"),
];

const SERVICE_LEVEL: Fields =
    &[("sla_secs", "count|null"), ("answered", "count"), ("in_time", "count"), ("abandoned", "count")];

const WAITING: Fields = &[
    ("position", "count"),
    ("number", "text"),
    ("kind", "text"),
    ("wait_secs", "count"),
    ("expected_wait_secs", "count|null"),
    ("callback", "ulid|null"),
    ("call", "ulid|null"),
];

const AGENT: Fields = &[
    ("name", "text"),
    ("extension", "text"),
    ("state", "AgentState"),
    ("reason", "text|null"),
    ("since", "instant"),
    ("queues", "[text]"),
    ("not_in", "[text]"),
    ("not_ready_in", "[text]"),
    ("contacts", "[Contact]"),
    ("new_addresses", "[text]"),
    ("blocked", "truth"),
];

const CONTACT: Fields = &[("uri", "text"), ("flow", "text"), ("expires_at", "instant"), ("user_agent", "text|null")];

const TRUNK: Fields = &[
    ("name", "text"),
    ("mode", "text"),
    ("state", "text"),
    ("reason", "text|null"),
    ("calls", "count"),
    ("next_at", "instant|null"),
];

const TRUNK_TEST: Fields =
    &[("name", "text"), ("answered", "truth"), ("status", "count|null"), ("told", "text"), ("took_ms", "count")];

const CALL: Fields = &[
    ("id", "ulid"),
    ("kind", "text"),
    ("from", "text"),
    ("to", "text"),
    ("state", "text"),
    ("queue", "text|null"),
    ("agent", "text|null"),
    ("callback", "ulid|null"),
    ("origin_call", "ulid|null"),
    ("started_at", "instant"),
    ("answered_at", "instant|null"),
    ("ended_at", "instant|null"),
    ("end_cause", "text|null"),
    ("recording", "ulid|null"),
    ("not_recorded", "text|null"),
    ("ladder?", "[Step]"),
];

const RECORDING: Fields = &[
    ("id", "ulid"),
    ("call", "ulid"),
    ("task", "ulid|null"),
    ("agent", "text|null"),
    ("number", "text"),
    ("started_at", "instant"),
    ("ended_at", "instant|null"),
    ("samples", "count"),
    ("notice_played", "truth"),
    ("consent", "Consent"),
    ("pauses", "[Pause]"),
    ("retain_until", "instant|null"),
    ("legal_hold", "truth"),
    ("deleted_at", "instant|null"),
    ("stopped", "text|null"),
    ("path", "text|null"),
    ("bytes", "count"),
];

const CONSENT: Fields = &[("prompt", "text|null"), ("played_at", "instant|null"), ("complete", "truth")];

const EDITED: Fields = &[
    ("added", "[text]"),
    ("changed", "anything"),
    ("removed", "[text]"),
    ("warnings", "[text]"),
    ("dry_run", "truth"),
];

const AUDIT: Fields = &[
    ("id", "ulid"),
    ("at", "instant"),
    ("who", "text"),
    ("from", "text|null"),
    ("what", "text"),
    ("object", "text|null"),
    ("detail", "text|null"),
];

const STATUS: Fields = &[
    ("draining", "truth"),
    ("calls", "count"),
    ("store_ok", "truth"),
    ("space", "Space"),
    ("breaker", "text|null"),
    ("frozen", "truth"),
    ("resting_rules", "[text]"),
    ("time_zones", "text"),
    ("clock_doubted_secs", "signed|null"),
];

/// Beside the fields of `STATUS`.
const STANDING: Fields =
    &[("ready", "truth"), ("store", "StoreStanding"), ("disk", "DiskStanding"), ("warnings", "[text]")];

const STORE_STANDING: Fields = &[
    ("well", "truth"),
    ("damage", "[text]"),
    ("found_at", "instant|null"),
    ("failing", "truth"),
    ("failed_at", "instant|null"),
    ("failure", "text|null"),
    ("mended_at", "instant|null"),
    ("checkpoint_at", "instant|null"),
    ("backup_at", "instant|null"),
];

const DISK_STANDING: Fields = &[
    ("space", "Space"),
    ("since", "instant"),
    ("free_bytes", "count|null"),
    ("whole_bytes", "count|null"),
    ("ballast", "truth"),
];
