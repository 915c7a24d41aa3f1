//! The tables of callbacks: how, when, and which numbers.

use super::{KEYS, NAME, NOTICE, PRESET, YEAR};
use crate::config::schema::{End, Field, Kind, NONE, field, optional, required};
use Kind::{
    Bool, Country, Dialled, Instant, Integer, Key, List, Notice, OneOf, Pattern, Ref, Secs, ServedBy, Sound, Text,
    Time, Zone,
};

const OUTCOME_ACTION: &[Field] = &[
    required(
        "action",
        OneOf(&["retry", "fail", "notify"]),
        "What follows: another try, the end, or the end and a word to people.",
    ),
    optional("interval", Secs(0, 259_200), "Pause before the next try; unset: by `intervals_secs`."),
];

const ON: &[Field] = &[
    optional("busy", Kind::Table(OUTCOME_ACTION), "The customer is busy (486, 600)."),
    optional("no_answer", Kind::Table(OUTCOME_ACTION), "The customer does not answer."),
    optional("rejected", Kind::Table(OUTCOME_ACTION), "The call is rejected (603, 607, 608)."),
    optional("voicemail", Kind::Table(OUTCOME_ACTION), "A machine answers, says the agent."),
    optional("network", Kind::Table(OUTCOME_ACTION), "The trunk fails (5xx, no answer at all)."),
    optional("invalid", Kind::Table(OUTCOME_ACTION), "There is no such number (404, 410, 484, 604)."),
];

const LEGAL_WINDOW: &[Field] = &[
    field("start", Time(End::No), "\"08:00\"", "No call before this time of the customer's day."),
    field("end", Time(End::Yes), "\"21:00\"", "No call from this time of the customer's day on."),
];

pub(super) const CALLBACK_PROFILE: &[Field] = &[
    required("name", NAME, "What other objects call the profile."),
    PRESET,
    field("enabled", Bool, "true", "Off: nothing is dialled, and its callbacks say why."),
    field("first_party", OneOf(&["agent", "customer"]), "\"agent\"", "Who is called first, and hears the other ring."),
    field("destination", ServedBy, "\"same\"", "Who serves: same, `queue:NAME`, `agent:NAME`, missed_by."),
    field(
        "owner_wait_secs",
        Secs(0, 86_400),
        "300",
        "How long a callback waits for whoever missed the call, before anybody of the queue serves it.",
    ),
    field(
        "caller_id_mode",
        OneOf(&["dnis_else_fixed", "fixed"]),
        "\"dnis_else_fixed\"",
        "Which number is shown: the one the customer had called, else the fixed one; or always the fixed one.",
    ),
    optional("caller_id", Ref("caller_id"), "The caller ID that is shown, by label."),
    field("dial_prefix", Dialled, "\"\"", "Put in front of the number before routes are asked."),
    field(
        "trunks",
        List(&Ref("trunk"), 0, 20),
        "[]",
        "The trunks to dial by, in order, instead of those of the route.",
    ),
    field("attempts_max", Integer(1, 20), "3", "Customer dials in all; a longer intervals_secs raises it."),
    field(
        "intervals_secs",
        List(&Secs(0, 259_200), 1, 20),
        "[0, 900]",
        "[0] before the first, [i] after attempt i; the last repeats.",
    ),
    field("ring_timeout_secs", Secs(1, 120), "30", "How long the customer rings."),
    field(
        "no_answer_action",
        OneOf(&["retry", "fail", "notify"]),
        "\"retry\"",
        "What follows when the customer does not answer; notify: the callback fails and people are told.",
    ),
    field("on", Kind::Table(ON), "{}", "What follows each outcome."),
    field("auto_reschedule", Bool, "true", "Try again when nobody answered."),
    field("agent_reschedule", Bool, "true", "The agent may ask for another try."),
    field("agent_reschedule_key", Key(KEYS), "\"9\"", "The key by which the agent asks for it."),
    field("after_fail_secs", Secs(0, 120), "8", "So long the agent may press it after the customer was not reached."),
    field(
        "client_reschedule",
        Bool,
        "false",
        "When all else is used, the customer is called and may ask for another try.",
    ),
    field(
        "client_reschedule_key",
        Key(KEYS),
        "\"1\"",
        "The key by which the customer asks for it; 9 means never again.",
    ),
    field("client_reschedule_max", Integer(0, 20), "1", "How often one customer may ask.").or_none(),
    field(
        "agent_accept",
        OneOf(&["auto", "key"]),
        "\"auto\"",
        "Whether the agent presses a key before the customer is dialled.",
    ),
    field("agent_accept_key", Key(KEYS), "\"1\"", "The key by which the agent starts the call."),
    field("agent_accept_secs", Secs(1, 120), "10", "How long that key is waited for; then another agent is rung."),
    optional("agent_prompt", Sound, "What the agent hears first; the customer is dialled after it."),
    field("agent_prompt_overlap", Bool, "false", "Dial the customer during that prompt."),
    optional("customer_prompt", Sound, "What the customer hears on answering."),
    field("success_min_talk_secs", Secs(0, 99), "5", "Talk longer than this is success; 0: the answer itself."),
    field("expires_after_secs", Secs(1, YEAR), "86400", "How long a callback lives.").or_none(),
    field("expiry_clock", OneOf(&["open", "wall"]), "\"open\"", "open: only while the schedule is open."),
    optional("schedule", Ref("schedule"), "The hours in which it may dial; unset: always."),
    field("cutoff_secs", Secs(0, 86_400), "0", "No rescheduled attempt this close to closing."),
    field(
        "after_cutoff",
        OneOf(&["next_open", "overflow", "fail"]),
        "\"next_open\"",
        "What becomes of an attempt that would be too close.",
    ),
    field("legal_window", Kind::Table(LEGAL_WINDOW), "{}", "Hours in which customers may be called, in their zone."),
    field(
        "legal_window_applies",
        OneOf(&["missed", "all", "none"]),
        "\"missed\"",
        "Whose callbacks keep to the legal window.",
    ),
    field(
        "tz_mode",
        OneOf(&["number_then_default", "default_only"]),
        "\"number_then_default\"",
        "Whose zone the legal window is in.",
    ),
    field("tz_default", Zone, NONE, "The zone of numbers that tell none; none: not selected."),
    field(
        "tz_unknown",
        OneOf(&["block", "use_default"]),
        "\"block\"",
        "What happens without any zone: nothing is dialled, or the system zone is used.",
    ),
    optional("yield_to_live", Bool, "Live callers first; unset: so for missed calls, not for requests."),
    field("yield_max_secs", Secs(0, YEAR), "1800", "How long a callback yields to live callers at most."),
    field("max_lines", Integer(0, 1000), NONE, "Callback attempts of this profile at once."),
    field("priority_boost", Bool, "false", "Served before everybody else, as VIPs are."),
    field("record", Bool, "false", "Record the call; needs a notice or record_ack_no_notice."),
    field(
        "record_required",
        Bool,
        "false",
        "Recorded also when less than 5 % of the disk is free, when others are not.",
    ),
    optional("record_notice", Notice(NOTICE), "What the customer hears before the recording."),
    field("record_ack_no_notice", Bool, "false", "Recording without a notice is lawful here."),
    field("retention_days", Integer(1, 3650), "90", "How long recordings of its calls are kept."),
];

const SCOPE: &[Field] = &[
    field("queues", List(&Ref("queue"), 0, 1000), "[]", "These queues have the rule, besides those that name it."),
    field("dids", List(&Pattern, 0, 1000), "[]", "Only calls to these numbers; none: all."),
    field("ivrs", List(&Ref("ivr"), 0, 1000), "[]", "Only calls lost in these menus; none: all."),
    field("agents", List(&Ref("agent"), 0, 1000), "[]", "Only calls missed by these agents; none: all."),
    field("groups", List(&Ref("group"), 0, 1000), "[]", "Only calls missed by these groups; none: all."),
];

const PROMPTS: &[Field] = &[
    optional("offer", Sound, "What offers the callback."),
    optional("confirm", Sound, "What asks for the number."),
    optional("accepted", Sound, "What promises the callback."),
    optional("goodbye", Sound, "What is said after the promise."),
    optional("unavailable", Sound, "What is said when no promise can be made."),
];

pub(super) const CALLBACK_RULE: &[Field] = &[
    required("name", NAME, "What other objects call the rule."),
    PRESET,
    field("enabled", Bool, "true", "Off: offers nothing, and its open callbacks are cancelled."),
    field("accept", Bool, "true", "Whether new requests are taken."),
    field("process", Bool, "true", "Whether its callbacks are dialled; off: they wait."),
    required(
        "source",
        OneOf(&["queue_request", "missed_queue", "missed_ivr", "missed_agent", "api"]),
        "What makes it: asked for in line; lost in line, in a menu, or at an agent's or a group's phones; the API.",
    ),
    field("scope", Kind::Table(SCOPE), "{}", "Where the rule holds."),
    field(
        "triggers",
        List(&OneOf(&["key", "after_wait", "announced", "ewt"]), 1, 4),
        "[\"key\"]",
        "What makes the offer; ewt: an expected wait of min_ewt_secs.",
    ),
    field("request_digit", Key(KEYS), "\"1\"", "The key by which a caller asks."),
    field("offer_after_secs", Secs(0, 65_535), "600", "First offer after this wait."),
    field("offer_repeat_secs", Secs(10, 1800), NONE, "Pause between offers after the first."),
    field("only_when_all_busy", Bool, "true", "Announce only while no agent is free."),
    field("min_ahead", Integer(0, 10_000), "0", "Announce only with so many callers ahead."),
    field("min_ewt_secs", Secs(0, 86_400), "0", "Announce only with so long an expected wait."),
    field("max_pending", Integer(0, 1_000_000), NONE, "Open callbacks of this rule at once."),
    field("max_ewt_secs", Secs(0, YEAR), NONE, "No offer with a longer expected wait."),
    field("close_guard_secs", Secs(0, 86_400), "120", "No request this close before closing."),
    field(
        "number_capture",
        OneOf(&["ani_only", "confirm_or_enter"]),
        "\"confirm_or_enter\"",
        "How the number is found.",
    ),
    field("min_digits", Integer(3, 15), "7", "Digits of the shortest typed number."),
    field("max_digits", Integer(3, 15), "15", "Digits of the longest typed number."),
    field("interdigit_secs", Secs(1, 60), "5", "Pause between keys that ends an entry."),
    field("entry_total_secs", Secs(5, 600), "40", "How long the whole dialogue may take."),
    field("entry_tries", Integer(1, 10), "3", "Bad tries before going back to hold."),
    field("confirm_key", Key("*#"), "\"#\"", "Ends an entry; alone it means the calling number."),
    field("cancel_key", Key("*#"), "\"*\"", "Leads back to hold with the place kept."),
    field("read_back", Bool, "true", "Typed digits are read back."),
    field("record_reason_secs", Secs(0, 30), "0", "How long the caller may say why; 0: not asked.").only(&["0"]),
    field("min_wait_secs", Secs(0, 86_400), "3", "Missed calls that waited less are misdials and make no callback."),
    optional("max_age_secs", Secs(1, YEAR), "Missed calls: older ones are let be; unset: expiry of the profile."),
    field(
        "dedupe",
        OneOf(&["merge", "reject", "allow"]),
        "\"merge\"",
        "What a second request of one number becomes: one with the first, refused, or another.",
    ),
    field(
        "dedupe_scope",
        OneOf(&["number", "number_queue"]),
        "\"number_queue\"",
        "Whether the same number counts everywhere or in one queue.",
    ),
    optional(
        "number_policy",
        Ref("number_policy"),
        "Which numbers may be called; unset: the defaults of `[[number_policy]]`.",
    ),
    required("profile", Ref("callback_profile"), "The profile by which it is made."),
    field("priority", Integer(1, 9), "5", "Served first with 1, last with 9."),
    field("prompts", Kind::Table(PROMPTS), "{}", "Sounds of your own."),
    field(
        "on_call_in",
        OneOf(&["cancel", "menu"]),
        "\"cancel\"",
        "What happens when the customer rings in meanwhile: closed, or asked.",
    ),
    field("order", Integer(0, 1000), "0", "Lower first; the first rule that matches wins."),
];

pub(super) const NUMBER_LIST: &[Field] = &[
    optional("name", NAME, "What people call the entry."),
    required(
        "kind",
        OneOf(&["vip", "deny", "allow", "exclusive"]),
        "What the entry means: served first, refused, allowed, or served by certain agents only.",
    ),
    required("pattern", Pattern, "The number, its beginning as `+1555*`, or `*` for a withheld one."),
    field("label", Text(0, 64), "\"\"", "A note for people."),
    optional("valid_from", Instant, "The entry holds from this instant on."),
    optional("valid_until", Instant, "The entry holds until this instant."),
    optional("action", OneOf(&["reject", "busy", "message"]), "How a denied caller is refused; unset: reject."),
    field("agents", List(&Ref("agent"), 0, 1000), "[]", "The agents who serve an exclusive number."),
];

const DENY_TYPES: &[&str] = &["premium", "shared_cost", "satellite", "voicemail_access", "short", "emergency"];

pub(super) const NUMBER_POLICY: &[Field] = &[
    required("name", NAME, "What other objects call the policy."),
    PRESET,
    field("countries", List(&Country, 0, 300), "[]", "Only numbers of these countries; empty: the site's own."),
    field(
        "deny_types",
        List(&OneOf(DENY_TYPES), 0, 6),
        "[\"premium\", \"shared_cost\", \"satellite\", \"voicemail_access\", \"short\", \"emergency\"]",
        "Never numbers of these types.",
    ),
    field("deny_patterns", List(&Pattern, 0, 1000), "[]", "Never numbers that match these."),
    field("own_dids_denied", Bool, "true", "Never numbers of our own."),
    field("pending_per_number", Integer(1, 100), "1", "Open callbacks of one number."),
    field("daily_max", Integer(0, 1000), "6", "Dials of one number in 24 hours."),
    field("daily_cost_cap", Integer(0, 1_000_000), NONE, "Cost of dials in 24 hours.").only(&[NONE]),
    field(
        "anonymous",
        OneOf(&["ask_number", "refuse"]),
        "\"ask_number\"",
        "What a withheld caller gets: asked for a number, or refused.",
    ),
    field(
        "verstat_min",
        OneOf(&["none", "not_failed", "passed"]),
        "\"none\"",
        "How far the caller's identity must be verified.",
    )
    .only(&["\"none\""]),
    field(
        "confirm_by_key",
        OneOf(&["never", "untrusted", "always"]),
        "\"untrusted\"",
        "When the customer must press a key before an agent is joined.",
    ),
];
