//! Logs and numbers: every event of the switch is one log line and, where interface.md names one, one counter.
//!
//! Text that a peer chose is logged quoted and escaped (security.md T41), and telephone numbers lose their last four
//! digits. Counters are the process's; the gauges of `/metrics` are asked of the switch when somebody looks.

use crate::run::standing::Told;
use crate::switch::Space;
use crate::switch::event::Event;
use crate::switch::view::{Gauges, ServiceLevel};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `by`.
    pub fn add(&self, by: u64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    /// What it has come to.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counters under labels that the code, never a peer, names.
#[derive(Debug)]
struct Labelled(Mutex<BTreeMap<[&'static str; 2], u64>>);

impl Labelled {
    const fn new() -> Labelled {
        Labelled(Mutex::new(BTreeMap::new()))
    }

    fn add(&self, labels: [&'static str; 2]) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(labels).or_default() += 1;
    }

    fn rows(&self) -> Vec<([&'static str; 2], u64)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|(labels, value)| (*labels, *value)).collect()
    }
}

/// A histogram with the bounds of its metric.
#[derive(Debug)]
struct Histogram<const N: usize> {
    bounds: [f64; N],
    buckets: [Counter; N],
    count: Counter,
    micros: Counter,
}

impl<const N: usize> Histogram<N> {
    const fn new(bounds: [f64; N]) -> Histogram<N> {
        Histogram {
            bounds,
            buckets: [const { Counter(AtomicU64::new(0)) }; N],
            count: Counter(AtomicU64::new(0)),
            micros: Counter(AtomicU64::new(0)),
        }
    }

    fn observe(&self, value: Duration) {
        let secs = value.as_secs_f64();
        for (bound, bucket) in self.bounds.iter().zip(&self.buckets) {
            bucket.add(u64::from(secs <= *bound));
        }
        self.count.add(1);
        self.micros.add(u64::try_from(value.as_micros()).unwrap_or(u64::MAX));
    }

    fn write(&self, out: &mut Exposition, name: &str, help: &str) {
        out.head(name, "histogram", help);
        for (bound, bucket) in self.bounds.iter().zip(&self.buckets) {
            out.row(&format!("{name}_bucket"), &[("le", &bound.to_string())], bucket.get());
        }
        out.row(&format!("{name}_bucket"), &[("le", "+Inf")], self.count.get());
        out.row(&format!("{name}_sum"), &[], self.micros.get() as f64 / 1e6);
        out.row(&format!("{name}_count"), &[], self.count.get());
    }
}

/// RTP packets taken from the network.
pub static RTP_IN: Counter = Counter(AtomicU64::new(0));
/// RTP packets given to the network.
pub static RTP_OUT: Counter = Counter(AtomicU64::new(0));
/// Media ticks that came more than 10 ms late.
pub static LATE_TICKS: Counter = Counter(AtomicU64::new(0));
/// SIP messages dropped because the switch's inbox was full.
pub static INBOX_FULL: Counter = Counter(AtomicU64::new(0));
/// SIP messages dropped because their source sent too many.
pub static SOURCE_LIMITED: Counter = Counter(AtomicU64::new(0));
/// Messages that could not be sent.
pub static SEND_FAILED: Counter = Counter(AtomicU64::new(0));
/// Times the SIP parser panicked; anything but 0 is a fault of ours.
pub static PARSER_PANICS: Counter = Counter(AtomicU64::new(0));
/// Frames of tape that the recorder could not take in time.
pub static TAPE_LOST: Counter = Counter(AtomicU64::new(0));

/// Faults of the switch; anything but 0 is a fault of ours.
pub static FAULTS: Counter = Counter(AtomicU64::new(0));

static SIP_MESSAGES: Labelled = Labelled::new();
static SIP_REFUSED: Labelled = Labelled::new();
static ATTEMPTS: Labelled = Labelled::new();
static MISSED_DROPPED: Labelled = Labelled::new();
static COMMITS_FAILED: Counter = Counter(AtomicU64::new(0));
static COMMIT_SECS: Histogram<12> =
    Histogram::new([0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 0.5, 1.0, 3.0]);
static CALLBACK_WAIT_SECS: Histogram<8> =
    Histogram::new([60.0, 300.0, 600.0, 1_800.0, 3_600.0, 7_200.0, 28_800.0, 86_400.0]);

/// How logs look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Begins logging to standard error at the level of `RINGBACK_LOG` (`info` when unset). Later calls change nothing.
pub fn init(format: LogFormat) {
    let filter = EnvFilter::try_from_env("RINGBACK_LOG").unwrap_or_else(|_| EnvFilter::new("info,sled=error"));
    // Colours are for terminals, and for those who have not refused them (no-color.org).
    let colours = std::env::var_os("NO_COLOR").is_none_or(|refused| refused.is_empty());
    let colours = colours && std::io::IsTerminal::is_terminal(&std::io::stderr());
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    let begun = match format {
        LogFormat::Text => lines.with_target(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    if begun.is_err() {
        tracing::debug!("logging had been set up before");
    }
}

/// A commit has been answered.
pub fn committed(took: Duration, stored: bool) {
    COMMIT_SECS.observe(took);
    COMMITS_FAILED.add(u64::from(!stored));
    if took > Duration::from_secs(1) {
        tracing::warn!(millis = took.as_millis(), "the disk was slow to take a commit");
    }
}

/// `number` without its last four digits: enough to tell calls apart, too little to call somebody.
pub fn masked(number: &str) -> String {
    let digits = number.chars().filter(char::is_ascii_digit).count();
    if digits < 7 {
        return number.to_owned(); // An extension.
    }
    let mut seen = 0;
    number
        .chars()
        .map(|c| {
            seen += usize::from(c.is_ascii_digit());
            if c.is_ascii_digit() && seen + 4 > digits { 'x' } else { c }
        })
        .collect()
}

/// Counts and logs one event.
pub fn observe(event: &Event) {
    count(event);
    match event {
        Event::SipMessage { .. } => {} // Counted only: there are thousands a second.
        Event::SipRefused { why } => tracing::debug!(why, "sip.refused"),
        Event::CallArrived { .. }
        | Event::CallQueued { .. }
        | Event::CallAbandoned { .. }
        | Event::CallAnswered { .. }
        | Event::CallMissed { .. }
        | Event::MissedNotStored { .. }
        | Event::MissedNotTaken { .. }
        | Event::CallTakenUp { .. }
        | Event::CallEnded { .. } => log_call(event),
        Event::CallbackRequested { .. }
        | Event::MissedCallStored { .. }
        | Event::AttemptStarted { .. }
        | Event::AttemptEnded { .. }
        | Event::CallbackCompleted { .. }
        | Event::CallbackFailed { .. }
        | Event::CallbackUnreached { .. }
        | Event::CallbackLost { .. }
        | Event::CallbackExpired { .. }
        | Event::CallbackCancelled { .. } => log_callback(event),
        Event::SiteFrozen
        | Event::SiteUnfrozen
        | Event::RuleActivated { .. }
        | Event::BreakerOpened { .. }
        | Event::BreakerClosed
        | Event::SwitchFault { .. }
        | Event::ClockJumped { .. }
        | Event::ClockDoubted { .. }
        | Event::ClockTrusted
        | Event::AgentRegistered { .. }
        | Event::AgentUnregistered { .. }
        | Event::AgentPaused { .. }
        | Event::AgentResumed { .. }
        | Event::AgentElsewhere { .. }
        | Event::AgentBlocked { .. }
        | Event::AgentTrusted { .. }
        | Event::ConfigChanged
        | Event::BooksDiffer { .. }
        | Event::RecordingStored { .. }
        | Event::RecordingFailed { .. }
        | Event::RecordingDeleted { .. }
        | Event::RecordingNotDeleted { .. }
        | Event::NoticeFailed { .. }
        | Event::NotRecorded { .. }
        | Event::RecordingStopped { .. }
        | Event::DiskSpace { .. }
        | Event::TrunkUp { .. }
        | Event::TrunkDown { .. } => log_site(event),
    }
}

fn count(event: &Event) {
    match event {
        Event::SipMessage { outgoing, kind } => SIP_MESSAGES.add([if *outgoing { "out" } else { "in" }, kind]),
        Event::SipRefused { why } => SIP_REFUSED.add([why, ""]),
        Event::AttemptEnded { outcome, .. } => ATTEMPTS.add([outcome.word(), ""]),
        Event::MissedNotStored { .. } => MISSED_DROPPED.add(["not_stored", ""]),
        Event::MissedNotTaken { why, .. } => MISSED_DROPPED.add([why.word(), ""]),
        Event::SwitchFault { .. } => FAULTS.add(1),
        Event::CallbackCompleted { wait_secs, .. } => CALLBACK_WAIT_SECS.observe(Duration::from_secs(*wait_secs)),
        _ => {} // Everything else is a gauge, which the switch is asked for, or only a line in the log.
    }
}

fn log_call(event: &Event) {
    match event {
        Event::CallArrived { call, from, to } => {
            tracing::info!(%call, from = ?masked(from), to = ?masked(to), "call.arrived");
        }
        Event::CallQueued { call, queue, position, priority: _ } => {
            tracing::info!(%call, %queue, position, "call.queued");
        }
        Event::CallAbandoned { call, queue, wait_secs } => {
            tracing::info!(%call, %queue, wait_secs, "call.abandoned");
        }
        Event::CallAnswered { call, agent, wait_secs } => {
            tracing::info!(%call, %agent, wait_secs, "call.answered");
        }
        Event::CallMissed { call, by } => tracing::info!(%call, ?by, "call.missed"),
        Event::MissedNotStored { call } => {
            tracing::error!(%call, "call.missed.not_stored: no room on the disk, nobody calls back");
        }
        Event::MissedNotTaken { call, why } => {
            tracing::warn!(%call, why = why.word(), "call.missed.not_taken: too many callbacks are open");
        }
        Event::CallTakenUp { call } => tracing::info!(%call, "call.taken_up"),
        Event::CallEnded { call, cause } => tracing::info!(%call, cause, "call.ended"),
        _ => {} // `observe` sends only calls here.
    }
}

fn log_callback(event: &Event) {
    match event {
        Event::CallbackRequested { task, queue, number } => {
            tracing::info!(%task, %queue, number = ?masked(number), "callback.requested");
        }
        Event::MissedCallStored { call, task, queue, number } => {
            tracing::info!(%call, %task, %queue, number = ?masked(number), "callback.of_missed_call");
        }
        Event::AttemptStarted { task, n, agent } => tracing::info!(%task, n, %agent, "callback.attempt.started"),
        Event::AttemptEnded { task, n, outcome } => {
            tracing::info!(%task, n, outcome = outcome.word(), "callback.attempt.ended");
        }
        Event::CallbackCompleted { task, wait_secs } => tracing::info!(%task, wait_secs, "callback.completed"),
        Event::CallbackFailed { task, reason } => tracing::info!(%task, ?reason, "callback.failed"),
        Event::CallbackLost { task, queue, number } => tracing::warn!(
            %task, %queue, number = ?masked(number),
            "callback.lost_after_answer: the restart cut a call that the customer had answered; keep it or remove it"
        ),
        Event::CallbackUnreached { task, queue, number } => {
            tracing::warn!(%task, %queue, number = ?masked(number), "callback.unreached: somebody should take it up");
        }
        Event::CallbackExpired { task } => tracing::info!(%task, "callback.expired"),
        Event::CallbackCancelled { task, reason } => tracing::info!(%task, ?reason, "callback.cancelled"),
        _ => {} // `observe` sends only callbacks here.
    }
}

fn log_site(event: &Event) {
    match event {
        Event::SiteFrozen => tracing::warn!("site.frozen: no callback is offered or dialled"),
        Event::SiteUnfrozen => tracing::warn!("site.unfrozen: each rule is to be activated by hand"),
        Event::RuleActivated { rule } => tracing::info!(%rule, "rule.activated"),
        Event::BreakerOpened { why } => {
            tracing::error!(
                why,
                "breaker.opened: automatic dialling has stopped; look, then `ringback resume-dialling`"
            );
        }
        Event::BreakerClosed => tracing::warn!("breaker.closed"),
        Event::SwitchFault { call: Some(call) } => tracing::error!(%call, "switch.fault: this call was ended by it"),
        Event::SwitchFault { call: None } => tracing::error!("switch.fault: no call was ended by it"),
        Event::BooksDiffer { missing } => {
            tracing::error!(missing, "books.differ: callbacks made and callbacks accounted for; please report this");
        }
        Event::ClockJumped { by_secs } => tracing::warn!(by_secs, "clock.jumped: everything that waits moves along"),
        Event::ClockDoubted { by_secs } => tracing::error!(
            by_secs,
            "clock.doubted: nothing is dialled; set the clock right, or say that it is by `ringback resume-dialling`"
        ),
        Event::ClockTrusted => tracing::warn!("clock.trusted: dialling goes on"),
        Event::AgentRegistered { agent, contact } => tracing::info!(%agent, ?contact, "agent.registered"),
        Event::AgentUnregistered { agent, contact } => tracing::info!(%agent, ?contact, "agent.unregistered"),
        Event::AgentPaused { agent, reason } => tracing::info!(%agent, ?reason, "agent.paused"),
        Event::ConfigChanged => tracing::info!("config.changed"),
        Event::AgentResumed { agent } => tracing::info!(%agent, "agent.resumed"),
        Event::AgentElsewhere { .. } | Event::AgentBlocked { .. } | Event::AgentTrusted { .. } => log_places(event),
        Event::RecordingStored { recording } => tracing::info!(%recording, "recording.stored"),
        Event::RecordingFailed { recording } => tracing::error!(%recording, "recording.failed"),
        Event::RecordingDeleted { recording } => tracing::info!(%recording, "recording.deleted"),
        Event::RecordingNotDeleted { recording } => {
            tracing::error!(%recording, "recording.not_deleted: its time is over and its file is still there");
        }
        Event::NoticeFailed { call } => {
            tracing::error!(%call, "notice.failed: the recording notice could not be played, the call is not recorded");
        }
        Event::NotRecorded { call, why } => tracing::warn!(%call, why, "recording.not_begun"),
        Event::RecordingStopped { recording } => {
            tracing::warn!(%recording, "recording.stopped: the disk is nearly full");
        }
        Event::DiskSpace { space } => log_space(*space),
        Event::TrunkUp { trunk } => tracing::info!(%trunk, "trunk.up"),
        Event::TrunkDown { trunk, reason } => tracing::warn!(%trunk, ?reason, "trunk.down"),
        _ => {} // `observe` sends only the site's events here.
    }
}

/// One line for each change, with what it means and what to do.
fn log_space(space: Space) {
    let level = space.word();
    match space {
        Space::Ample => tracing::warn!(level, "disk.space: there is room again"),
        Space::Low => tracing::warn!(level, "disk.space: less than 10 % of the disk is free; make room"),
        Space::Scarce => {
            tracing::error!(level, "disk.space: less than 5 % of the disk is free, calls are not recorded; make room");
        }
        Space::Spent => {
            tracing::error!(level, "disk.space: the disk is nearly full, no promise is made; make room at once");
        }
    }
}

fn log_places(event: &Event) {
    match event {
        Event::AgentElsewhere { agent, address } => {
            tracing::warn!(%agent, address, "agent.new_address: the secret of a phone is used from somewhere else");
        }
        Event::AgentBlocked { agent, address } => {
            tracing::error!(
                %agent,
                address,
                "agent.blocked: calls to the outside from new addresses are refused; look, then `ringback agent trust`"
            );
        }
        Event::AgentTrusted { agent } => tracing::warn!(%agent, "agent.trusted"),
        _ => {} // `log_site` sends only places here.
    }
}

/// `/metrics` in the Prometheus text format 0.0.4.
pub fn metrics(gauges: &Gauges, standing: &Told) -> String {
    let mut out = Exposition(String::new());
    write_gauges(&mut out, gauges);
    write_standing(&mut out, standing);
    write_counters(&mut out);
    out.0
}

fn write_gauges(out: &mut Exposition, gauges: &Gauges) {
    out.head("ringback_queue_waiting", "gauge", "Callers, and promises that are due, in line.");
    for (queue, waiting, _) in &gauges.queues {
        out.row("ringback_queue_waiting", &[("queue", queue)], waiting);
    }
    out.head("ringback_queue_longest_wait_seconds", "gauge", "Longest wait of a live caller.");
    for (queue, _, secs) in &gauges.queues {
        out.row("ringback_queue_longest_wait_seconds", &[("queue", queue)], secs);
    }
    type Count = fn(&ServiceLevel) -> u64;
    let counts: [(&str, &str, Count); 3] = [
        ("ringback_queue_answered_total", "Callers answered by an agent.", |level| level.answered),
        ("ringback_queue_answered_in_time_total", "Callers answered within the service level.", |level| level.in_time),
        ("ringback_queue_abandoned_total", "Callers who were gone before.", |level| level.abandoned),
    ];
    for (name, help, count) in counts {
        out.head(name, "counter", help);
        for (queue, level) in &gauges.levels {
            out.row(name, &[("queue", queue)], count(level));
        }
    }
    out.head("ringback_agents", "gauge", "Agents by queue and state.");
    for (queue, state, agents) in &gauges.agents {
        out.row("ringback_agents", &[("queue", queue), ("state", state)], agents);
    }
    out.head("ringback_callbacks", "gauge", "Callbacks by queue and state.");
    for (queue, state, callbacks) in &gauges.callbacks {
        out.row("ringback_callbacks", &[("queue", queue), ("state", state)], callbacks);
    }
    let books = gauges.books;
    out.head("ringback_callbacks_made", "gauge", "Callbacks ever made, as far as the store remembers.");
    out.row("ringback_callbacks_made", &[], books.made);
    out.head("ringback_callbacks_ended", "gauge", "What has become of them.");
    let ended = [
        ("completed", books.completed),
        ("failed", books.failed),
        ("expired", books.expired),
        ("cancelled", books.cancelled),
    ];
    for (state, callbacks) in ended {
        out.row("ringback_callbacks_ended", &[("state", state)], callbacks);
    }
    out.head("ringback_callbacks_open", "gauge", "Callbacks that have not ended, left over ones among them.");
    out.row("ringback_callbacks_open", &[], books.open);
    out.head("ringback_callbacks_missing", "gauge", "Made, but neither ended nor open: anything but 0 is a fault.");
    out.row("ringback_callbacks_missing", &[], books.missing());
    out.head("ringback_calls", "gauge", "Calls now.");
    for (kind, calls) in &gauges.calls {
        out.row("ringback_calls", &[("kind", kind)], calls);
    }
    out.head("ringback_trunk_up", "gauge", "Whether the trunk takes calls.");
    for (trunk, up) in &gauges.trunks {
        out.row("ringback_trunk_up", &[("trunk", trunk)], u8::from(*up));
    }
    out.head("ringback_build_info", "gauge", "The version that runs.");
    out.row("ringback_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
}

fn write_standing(out: &mut Exposition, Told { store, disk, .. }: &Told) {
    let mut gauge = |name: &str, help: &str, value: Option<i128>| {
        out.head(name, "gauge", help);
        if let Some(value) = value {
            out.row(name, &[], value);
        }
    };
    let instant = |at: Option<chrono::DateTime<chrono::Utc>>| at.map(|at| i128::from(at.timestamp()));
    gauge("ringback_disk_free_bytes", "Free on the disk of the data directory.", disk.free_bytes.map(i128::from));
    gauge("ringback_disk_level", "0 ample, 1 low, 2 no recordings, 3 no promises.", Some(disk.space as i128));
    gauge("ringback_disk_ballast", "Whether room is held for the last writes.", Some(i128::from(disk.ballast)));
    gauge("ringback_store_well", "Whether the start found all that was acknowledged.", Some(i128::from(store.well)));
    gauge("ringback_store_failing", "Whether no write reaches the disk.", Some(i128::from(store.failing)));
    let help = "When the whole state was written down last.";
    gauge("ringback_store_checkpoint_timestamp_seconds", help, instant(store.checkpoint_at));
    gauge("ringback_store_backup_timestamp_seconds", "When the last backup was made.", instant(store.backup_at));
}

fn write_counters(out: &mut Exposition) {
    out.head("ringback_callback_attempts_total", "counter", "Attempts that ended, by outcome.");
    for ([outcome, _], count) in ATTEMPTS.rows() {
        out.row("ringback_callback_attempts_total", &[("outcome", outcome)], count);
    }
    out.head("ringback_missed_dropped_total", "counter", "Missed calls that nobody calls back, by reason.");
    for ([why, _], count) in MISSED_DROPPED.rows() {
        out.row("ringback_missed_dropped_total", &[("why", why)], count);
    }
    CALLBACK_WAIT_SECS.write(out, "ringback_callback_wait_seconds", "The customer's whole wait, across the hang-up.");
    out.head("ringback_sip_messages_total", "counter", "SIP messages by direction and kind.");
    for ([direction, kind], count) in SIP_MESSAGES.rows() {
        out.row("ringback_sip_messages_total", &[("direction", direction), ("kind", kind)], count);
    }
    out.head("ringback_sip_refused_total", "counter", "SIP messages that became nothing, by reason.");
    for ([why, _], count) in SIP_REFUSED.rows() {
        out.row("ringback_sip_refused_total", &[("why", why)], count);
    }
    let dropped = [("inbox_full", &INBOX_FULL), ("source_limited", &SOURCE_LIMITED), ("send_failed", &SEND_FAILED)];
    out.head("ringback_sip_dropped_total", "counter", "SIP messages dropped at the door, by reason.");
    for (why, counter) in dropped {
        out.row("ringback_sip_dropped_total", &[("why", why)], counter.get());
    }
    out.head("ringback_rtp_packets_total", "counter", "RTP and RTCP packets by direction.");
    out.row("ringback_rtp_packets_total", &[("direction", "in")], RTP_IN.get());
    out.row("ringback_rtp_packets_total", &[("direction", "out")], RTP_OUT.get());
    out.single("ringback_media_late_ticks_total", "Media ticks that came more than 10 ms late.", &LATE_TICKS);
    out.single("ringback_parser_panics_total", "Faults of the SIP parser; must stay 0.", &PARSER_PANICS);
    out.single("ringback_faults_total", "Faults of the switch, each of which costs a call; must stay 0.", &FAULTS);
    out.single("ringback_tape_frames_lost_total", "Frames of recordings replaced by silence.", &TAPE_LOST);
    COMMIT_SECS.write(out, "ringback_store_commit_seconds", "From a commit's arrival to its answer.");
    out.single("ringback_store_commits_failed_total", "Commits that did not reach the disk.", &COMMITS_FAILED);
}

/// The text being written.
struct Exposition(String);

impl Exposition {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}").expect("a string takes everything");
    }

    fn row(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.0.push_str(name);
        for (at, (label, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            write!(self.0, "{}{label}=\"{text}\"", if at == 0 { '{' } else { ',' }).expect("a string takes everything");
        }
        let close = if labels.is_empty() { "" } else { "}" };
        writeln!(self.0, "{close} {value}").expect("a string takes everything");
    }

    fn single(&mut self, name: &str, help: &str, counter: &Counter) {
        self.head(name, "counter", help);
        self.row(name, &[], counter.get());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_loses_its_last_four_digits_and_an_extension_none() {
        assert_eq!(masked("+12025550123"), "+1202555xxxx");
        assert_eq!(masked("+1 (202) 555-0123"), "+1 (202) 555-xxxx");
        assert_eq!(masked("1001"), "1001");
    }

    #[test]
    fn labels_are_escaped_and_every_metric_has_a_type() {
        let gauges = Gauges { queues: vec![("sup\"port\n".into(), 2, 30)], ..Gauges::default() };

        let text = metrics(&gauges, &crate::run::standing::Standing::default().told());

        assert!(text.contains("ringback_queue_waiting{queue=\"sup\\\"port\\n\"} 2\n"), "{text}");
        assert!(text.contains("# TYPE ringback_store_commit_seconds histogram\n"));
        assert!(text.lines().all(|line| line.starts_with("# ") || line.starts_with("ringback_")));
    }
}
