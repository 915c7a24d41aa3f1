//! The words of the interface for what happens, and the data that goes with each.

use crate::switch::event::Event;
use serde_json::{Value, json};

/// Type and data; `None`: it is counted, not told.
pub(super) fn told(event: &Event) -> Option<(&'static str, Value)> {
    of_calls(event).or_else(|| of_callbacks(event)).or_else(|| of_the_site(event))
}

fn of_calls(event: &Event) -> Option<(&'static str, Value)> {
    Some(match event {
        Event::CallArrived { call, from, to } => ("call.arrived", json!({ "call": call, "from": from, "to": to })),
        Event::CallQueued { call, queue, position, priority } => {
            let data = json!({ "call": call, "queue": queue, "position": position, "priority": priority });
            ("call.queued", data)
        }
        Event::CallAbandoned { call, queue, wait_secs } => {
            ("call.abandoned", json!({ "call": call, "queue": queue, "wait_secs": wait_secs }))
        }
        Event::CallAnswered { call, agent, wait_secs } => {
            ("call.answered", json!({ "call": call, "agent": agent, "wait_secs": wait_secs }))
        }
        Event::CallMissed { call, by } => ("call.missed", json!({ "call": call, "by": by })),
        Event::MissedNotStored { call } => ("callback.not_stored", json!({ "call": call })),
        Event::MissedNotTaken { call, why } => ("callback.not_taken", json!({ "call": call, "why": why.word() })),
        Event::NoticeFailed { call } => ("recording.notice_failed", json!({ "call": call })),
        Event::CallTakenUp { call } => ("call.taken_up", json!({ "call": call })),
        Event::CallEnded { call, cause } => ("call.ended", json!({ "call": call, "cause": cause })),
        Event::RecordingStored { recording } => ("recording.stored", json!({ "recording": recording })),
        Event::NotRecorded { call, why } => ("recording.not_begun", json!({ "call": call, "why": why })),
        Event::RecordingStopped { recording } => ("recording.stopped", json!({ "recording": recording })),
        Event::RecordingFailed { recording } => ("recording.failed", json!({ "recording": recording })),
        Event::RecordingDeleted { recording } => ("recording.deleted", json!({ "recording": recording })),
        Event::RecordingNotDeleted { recording } => ("recording.not_deleted", json!({ "recording": recording })),
        _ => return None, // Told below, or only counted.
    })
}

fn of_callbacks(event: &Event) -> Option<(&'static str, Value)> {
    Some(match event {
        Event::CallbackRequested { task, queue, number } => {
            ("callback.requested", json!({ "callback": task, "queue": queue, "number": number }))
        }
        Event::MissedCallStored { call, task, queue, number } => {
            let data = json!({ "callback": task, "queue": queue, "number": number, "call": call });
            ("callback.requested", data)
        }
        Event::AttemptStarted { task, n, agent } => {
            ("callback.attempt.started", json!({ "callback": task, "n": n, "agent": agent }))
        }
        Event::AttemptEnded { task, n, outcome } => {
            ("callback.attempt.ended", json!({ "callback": task, "n": n, "outcome": outcome }))
        }
        Event::CallbackCompleted { task, wait_secs } => {
            ("callback.completed", json!({ "callback": task, "wait_secs": wait_secs }))
        }
        Event::CallbackFailed { task, reason } => ("callback.failed", json!({ "callback": task, "reason": reason })),
        Event::CallbackUnreached { task, queue, number } => {
            ("callback.unreached", json!({ "callback": task, "queue": queue, "number": number }))
        }
        Event::CallbackLost { task, queue, number } => {
            ("callback.lost_after_answer", json!({ "callback": task, "queue": queue, "number": number }))
        }
        Event::CallbackExpired { task } => ("callback.expired", json!({ "callback": task })),
        Event::CallbackCancelled { task, reason } => {
            ("callback.cancelled", json!({ "callback": task, "reason": reason }))
        }
        _ => return None, // Told elsewhere, or only counted.
    })
}

fn of_the_site(event: &Event) -> Option<(&'static str, Value)> {
    Some(match event {
        Event::AgentRegistered { agent, contact } => {
            ("agent.registered", json!({ "agent": agent, "contact": contact }))
        }
        Event::AgentUnregistered { agent, contact } => {
            ("agent.unregistered", json!({ "agent": agent, "contact": contact }))
        }
        Event::AgentPaused { agent, reason } => ("agent.paused", json!({ "agent": agent, "reason": reason })),
        Event::AgentResumed { agent } => ("agent.resumed", json!({ "agent": agent })),
        Event::AgentElsewhere { agent, address } => ("agent.elsewhere", json!({ "agent": agent, "address": address })),
        Event::AgentBlocked { agent, address } => ("agent.blocked", json!({ "agent": agent, "address": address })),
        Event::AgentTrusted { agent } => ("agent.trusted", json!({ "agent": agent })),
        Event::DiskSpace { space } => ("disk.space", json!({ "level": space })),
        Event::TrunkUp { trunk } => ("trunk.up", json!({ "trunk": trunk })),
        Event::TrunkDown { trunk, reason } => ("trunk.down", json!({ "trunk": trunk, "reason": reason })),
        Event::ConfigChanged => ("config.changed", json!({})),
        Event::SiteFrozen => ("site.frozen", json!({})),
        Event::SiteUnfrozen => ("site.unfrozen", json!({})),
        Event::RuleActivated { rule } => ("rule.activated", json!({ "rule": rule })),
        Event::BreakerOpened { why } => ("breaker.opened", json!({ "why": why })),
        Event::SwitchFault { call } => ("switch.fault", json!({ "call": call })),
        Event::ClockJumped { by_secs } => ("clock.jumped", json!({ "by_secs": by_secs })),
        Event::ClockDoubted { by_secs } => ("clock.doubted", json!({ "by_secs": by_secs })),
        Event::ClockTrusted => ("clock.trusted", json!({})),
        Event::BreakerClosed => ("breaker.closed", json!({})),
        Event::BooksDiffer { missing } => ("books.differ", json!({ "missing": missing })),
        _ => return None, // Messages of SIP, so many a second, are counted only.
    })
}
