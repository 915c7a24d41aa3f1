//! What the days have drawn and brought: each thing with the number of days that had it. A thing that no day of many
//! has had is a hole in what the days prove.

use super::aim::{self, Hit, Moment};
use super::presets;
use crate::world::World;
use ringback::callback::task::{CloseReason, Outcome, TaskState};
use ringback::settings::*;
use ringback::switch::event::Event;
use std::collections::BTreeMap;

/// See the module.
#[derive(Default)]
pub struct Tally(BTreeMap<String, u32>);

type Has = fn(&Settings) -> bool;

/// What a site may ask for, and how one sees that it does.
const CUSTOMS: &[(&str, Has)] = &[
    ("request key 3", |it| it.rules[0].request_digit == '3'),
    ("offer after a wait", |it| triggers(it, Trigger::AfterWait)),
    ("offer announced", |it| triggers(it, Trigger::Announced)),
    ("offer by expected wait", |it| triggers(it, Trigger::Ewt)),
    ("missed in queues", |it| misses(it, RuleSource::MissedQueue)),
    ("missed in menus", |it| misses(it, RuleSource::MissedIvr)),
    ("missed by agents", |it| misses(it, RuleSource::MissedAgent)),
    ("scope of numbers", |it| it.rules.iter().any(|rule| !rule.scope.dids.is_empty())),
    ("scope of agents", |it| it.rules.iter().any(|rule| !rule.scope.agents.is_empty())),
    ("scope of menus", |it| it.rules.iter().any(|rule| !rule.scope.ivrs.is_empty())),
    ("number at once", |it| it.rules[0].number_capture == NumberCapture::AniOnly),
    ("second request rejected", |it| it.rules.iter().any(|rule| rule.dedupe == Dedupe::Reject)),
    ("second request allowed", |it| it.rules.iter().any(|rule| rule.dedupe == Dedupe::Allow)),
    ("menu on calling in", |it| it.rules[0].on_call_in == OnCallIn::Menu),
    ("cap of open callbacks", |it| it.rules[0].max_pending.is_some()),
    ("customer first", |it| has(it, |of| of.first_party == FirstParty::Customer)),
    ("agent accepts by key", |it| has(it, |of| matches!(of.agent_accept, AgentAccept::Key { .. }))),
    ("no key 9", |it| has(it, |of| of.agent_reschedule.is_none())),
    ("client offer", |it| has(it, |of| of.client_reschedule.is_some())),
    ("no auto reschedule", |it| has(it, |of| !of.auto_reschedule)),
    ("overlap", |it| has(it, |of| of.agent_prompt_overlap)),
    ("served by who missed", |it| has(it, |of| of.destination == ServedBy::MissedBy)),
    ("served by a queue", |it| has(it, |of| matches!(of.destination, ServedBy::Queue(_)))),
    ("served by an agent", |it| has(it, |of| matches!(of.destination, ServedBy::Agent(_)))),
    ("fixed caller id", |it| has(it, |of| of.caller_id_mode == CallerIdMode::Fixed)),
    ("answer is success", |it| has(it, |of| of.success_min_talk.is_zero())),
    ("expiry by the wall", |it| has(it, |of| of.expiry_clock == ExpiryClock::Wall)),
    ("cut-off to the overflow", |it| cuts(it, AfterCutoff::Overflow)),
    ("cut-off fails", |it| cuts(it, AfterCutoff::Fail)),
    ("cut-off to the next opening", |it| cuts(it, AfterCutoff::NextOpen)),
    ("hours of a profile", |it| has(it, |of| of.schedule.is_some())),
    ("hours of a queue", |it| it.queues[0].schedule.is_some()),
    ("hours of a route", |it| it.inbound_routes[0].schedule.is_some()),
    ("hours of a menu", |it| it.ivrs.iter().any(|ivr| ivr.schedule.is_some())),
    ("holiday", |it| it.schedules.iter().any(|of| !of.exceptions.is_empty())),
    ("no answer fails", |it| has(it, |of| of.no_answer_action == NoAnswerAction::Fail)),
    ("no answer notifies", |it| has(it, |of| of.no_answer_action == NoAnswerAction::Notify)),
    ("busy apart", |it| has(it, |of| of.on.busy.is_some())),
    ("rejected apart", |it| has(it, |of| of.on.rejected.is_some())),
    ("voicemail apart", |it| has(it, |of| of.on.voicemail.is_some())),
    ("network apart", |it| has(it, |of| of.on.network.is_some())),
    ("recorded", |it| has(it, |of| of.record)),
    ("cap of lines", |it| has(it, |of| of.max_lines.is_some())),
    ("cap of callbacks", |it| it.queues[0].max_callbacks.is_some()),
    ("priority boost", |it| has(it, |of| of.priority_boost)),
    ("ring all", |it| it.queues[0].strategy.pick == Pick::RingAll),
    ("linear", |it| it.queues[0].strategy.pick == Pick::Linear),
    ("by skill", |it| it.queues[0].strategy.by_skill),
    ("tiers", |it| it.queues[0].members.iter().any(|member| member.tier > 1)),
    ("weights", |it| it.queues[0].weight > 0),
    ("agent of two queues", |it| it.queue("night").is_some_and(|of| of.members.len() > 1)),
    ("calls go to a menu", |it| matches!(it.inbound_routes[0].to, Destination::Ivr(_))),
    ("calls go to a group", |it| matches!(it.inbound_routes[0].to, Destination::Group(_))),
    ("agent of two calls", |it| it.agents.iter().any(|agent| agent.max_calls > 1)),
    ("list of important numbers", |it| lists(it, |kind| *kind == ListKind::Vip)),
    ("list of denied numbers", |it| lists(it, |kind| matches!(kind, ListKind::Deny(_)))),
    ("list of exclusive agents", |it| lists(it, |kind| matches!(kind, ListKind::Exclusive(_)))),
    ("policy of the house", |it| it.number_policies.iter().any(|of| &*of.name == "house")),
    ("always confirmed by key", |it| it.number_policies.iter().any(|of| of.confirm_by_key == ConfirmByKey::Always)),
];

/// What must have come about in many days, besides all that sites ask for.
const DEEDS: &[&str] = &[
    "Kill",
    "DiskStumbles",
    "CarrierRefuses",
    "Code",
    "Freeze",
    "Attack",
    "Reload",
    "ReloadAtWorst",
    "CallAgain",
    "DialOut",
    "Hold",
    "DoraComes",
    "CallWithheld",
    "AskLater",
    "AskByBen",
    "AskForDora",
    "Postpone",
    "Never",
    "Lift",
    "LogOut",
    "Drain",
    "SiteFrozen",
    "RuleActivated",
    "BreakerOpened",
    "CallbackUnreached",
    "MissedCallStored",
    "TrunkDown",
    "TrunkUp",
];

/// What must truly have gone wrong in many days (`crate::fired`).
const FAULTS: &[&str] = &[
    "a BYE of ours gets 481",
    "a caller cancels",
    "a carrier never answered",
    "a phone never answered",
    "a phone has lost power",
    "a datagram was lost",
    "a message came twice",
    "a message overtook another",
    "a message was lost in a cut between the switch and a peer",
    "a host said that nobody listens",
    "a disk kept its reserve",
    "a failing disk refused",
    "a full disk refused",
    "a write took more than 1 s",
    "a write took more than 3 s",
    "a write took more than 30 s",
    "a kill came between a write and its acknowledgement",
    "a kill took an unacknowledged write",
    "BYE and re-INVITE cross",
    "both sides hang up at once",
    "re-INVITEs cross: 491",
    "RTP of one side goes silent",
    "two phones of one agent ring",
    "carrier: 183, then 180",
    "carrier: forked ringing",
    "carrier: forked answer",
    "carrier: 200 after CANCEL",
    "carrier: 404",
    "carrier: 407",
    "carrier: 407 with a stale nonce",
    "carrier: 486",
    "carrier: 503",
    "carrier: 603",
    "carrier: answered and gone within a second",
    "carrier: our re-INVITE is refused",
    "phone: 200 after CANCEL",
    "phone: 486",
    "phone: 603",
    "phone: answered and gone within a second",
    "the clock jumped ahead",
    "the clock jumped back",
    "a trunk has all the calls that it may have",
    "a full trunk is gone round",
    "all callbacks of a minute have begun",
    "a callback waits for the next minute",
    "a drain refuses a call",
    "a drain ends with the last call",
    "a drain comes to its limit",
    "room on the disk: low",
    "room on the disk: scarce",
    "room on the disk: spent",
    "a recording ends for want of room",
    "a key is pressed twice",
    "a key comes when its pause is over",
    "a key comes when its call is over",
    "somebody hangs up amid a talk",
    "somebody hangs up amid our words",
    "somebody hangs up amid music",
    "somebody hangs up while another rings",
    "killed after a request",
    "killed after a response",
    "killed after a timer",
    "killed after a key",
    "killed after a clip",
    "killed after news of media",
    "killed after an acknowledged write",
    "killed after a command",
    "killed before an INVITE left",
    "killed before a BYE or CANCEL left",
    "killed before an answer left",
    "killed before another request left",
    "killed before a write",
    "killed before a media command",
    "killed before a reply",
    "killed before an event",
];

/// Ends of attempts and callbacks that many days must bring; the rarest of all are not among them.
const OUTCOMES: &[Outcome] = &[
    Outcome::Success,
    Outcome::ShortTalk,
    Outcome::NoAnswer,
    Outcome::Busy,
    Outcome::Rejected,
    Outcome::InvalidNumber,
    Outcome::NetworkError,
    Outcome::AgentNoAnswer,
    Outcome::AgentDeclined,
    Outcome::AgentNoAccept,
    Outcome::NotConfirmed,
    Outcome::VoicemailAgent,
    Outcome::SystemRestart,
    Outcome::Superseded,
];
const REASONS: &[CloseReason] = &[
    CloseReason::Success,
    CloseReason::MaxAttempts,
    CloseReason::Invalid,
    CloseReason::NoAnswerAction,
    CloseReason::NotRescheduled,
    CloseReason::Expired,
    CloseReason::CustomerCalled,
    CloseReason::AgentDialled,
    CloseReason::ByAdmin,
    CloseReason::SourceDeleted,
    CloseReason::Merged,
];

fn triggers(site: &Settings, trigger: Trigger) -> bool {
    site.rules[0].triggers.contains(&trigger)
}

fn misses(site: &Settings, source: RuleSource) -> bool {
    site.rules.iter().any(|rule| rule.source == source)
}

fn has(site: &Settings, so: impl Fn(&CallbackProfile) -> bool) -> bool {
    site.profiles.iter().any(so)
}

fn cuts(site: &Settings, after: AfterCutoff) -> bool {
    has(site, |of| !of.cutoff.is_zero() && of.after_cutoff == after)
}

fn lists(site: &Settings, so: impl Fn(&ListKind) -> bool) -> bool {
    site.number_lists.iter().any(|entry| so(&entry.kind))
}

fn drawn(preset: &str) -> String {
    format!("preset: {preset}")
}

/// Somebody was called back on such a day.
fn kept(preset: &str) -> String {
    format!("preset: {preset}, called back")
}

impl Tally {
    pub fn add(&mut self, what: String) {
        *self.0.entry(what).or_default() += 1;
    }

    /// What the site of a day asks for, and whose preset it has.
    pub fn site(&mut self, site: &Settings, preset: Option<&str>) {
        preset.into_iter().for_each(|name| self.add(drawn(name)));
        CUSTOMS.iter().filter(|(_, has)| has(site)).for_each(|(what, _)| self.add((*what).to_owned()));
    }

    /// Something is done to the site, or by its people.
    pub fn deed(&mut self, plan: &impl std::fmt::Debug) {
        let word = format!("{plan:?}");
        self.add(word.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default().to_owned());
    }

    /// What came about, under which preset.
    pub fn day(&mut self, world: &World, preset: Option<&str>) {
        let is_kept = world.disk.tasks.values().any(|task| task.close_reason == Some(CloseReason::Success));
        preset.filter(|_| is_kept).into_iter().for_each(|name| self.add(kept(name)));
        for outcome in world.disk.attempts.values().filter_map(|attempt| attempt.outcome) {
            self.add(format!("attempt: {}", outcome.word()));
        }
        for reason in world.disk.tasks.values().filter_map(|task| task.close_reason) {
            self.add(format!("callback: {reason:?}"));
        }
        let stored = world.ladder.notes().filter_map(|note| note.strip_prefix("store callback ")?.split_once(": "));
        let words = stored.map(|(_, word)| word.chars().take_while(char::is_ascii_lowercase).collect::<String>());
        words.for_each(|word| self.add(format!("stored: {word}")));
        let told = world.published.iter().filter(|(_, event)| !matches!(event, Event::SipMessage { .. }));
        let told: Vec<&Event> = told.map(|(_, event)| event).collect();
        for event in told {
            self.deed(event);
            if let Event::CallEnded { cause, .. } = event {
                self.add(format!("call: {cause}"));
            }
        }
        for fired in [&world.laws.fired, &world.net.fired, &world.disk.fired] {
            fired.all().for_each(|what| self.add(format!("fault: {what}")));
        }
    }

    /// A callback was seen in this state.
    pub fn state(&mut self, state: TaskState) {
        self.add(format!("state: {}", state.word()));
    }

    /// Takes the counts of another day along.
    pub fn and(&mut self, other: &Tally) {
        other.0.iter().for_each(|(what, times)| *self.0.entry(what.clone()).or_default() += times);
    }

    /// Whatever is to be drawn and never was.
    pub fn holes(&self) -> Vec<String> {
        let customs = CUSTOMS.iter().map(|(what, _)| (*what).to_owned());
        let deeds = DEEDS.iter().map(|what| (*what).to_owned());
        let outcomes = OUTCOMES.iter().map(|outcome| format!("attempt: {}", outcome.word()));
        let reasons = REASONS.iter().map(|reason| format!("callback: {reason:?}"));
        let states =
            ["stored: waitingretry", "stored: clientoffer", "stored: overflow", "state: deferred", "state: blocked"];
        let states = states.into_iter().map(str::to_owned);
        let products = presets::names().flat_map(|name| [drawn(name), kept(name)]);
        let faults = FAULTS.iter().map(|what| format!("fault: {what}"));
        let hits = Hit::words().into_iter().map(|word| format!("aimed: {word}"));
        let moments = Moment::ALL.iter().map(|moment| format!("aimed at: {moment:?}"));
        let all = customs.chain(products).chain(deeds).chain(outcomes).chain(reasons).chain(states);
        let worst = aim::WORST.iter().map(|(hit, moment)| aim::told(*hit, *moment));
        let all = all.chain(faults).chain(hits).chain(moments).chain(worst);
        all.filter(|what| !self.0.contains_key(what)).collect()
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|(what, times)| writeln!(f, "{times:>7}  {what}"))
    }
}
