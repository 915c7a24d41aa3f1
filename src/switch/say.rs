//! What is said: names of clips in order. The words are in `media/prompts`; a site may replace or silence each.

use super::offer::BadTry;
use crate::callback::task::Outcome;
use crate::id::Name;
use crate::number::Party;
use crate::settings::{CallbackProfile, CallbackRule, Ivr, Queue, Sound};

/// The clip of the built-in hold music.
pub const HOLD: &str = "hold";
/// A short silence between digits, so that they are heard as digits.
pub const PAUSE: &str = "pause";
/// The promise. No other clip says that we will call.
pub const ACCEPTED: &str = "accepted";

fn sound(sound: &Sound, built_in: &[&str]) -> Vec<Name> {
    match sound {
        Sound::BuiltIn => built_in.iter().map(|clip| Name::from(*clip)).collect(),
        Sound::Silent => Vec::new(),
        Sound::Prompt(name) => vec![name.clone()],
    }
}

fn digits(text: impl Iterator<Item = &'static str>) -> impl Iterator<Item = Name> {
    text.flat_map(|digit| [Name::from(digit), Name::from(PAUSE)])
}

/// The hold music of a queue.
pub(super) fn hold(queue: &Queue) -> Name {
    queue.moh.clone().unwrap_or_else(|| HOLD.into())
}

/// The offer, with the key that takes it.
pub(super) fn offer(rule: &CallbackRule) -> Vec<Name> {
    match (&rule.prompt_offer, rule.request_digit) {
        (Sound::BuiltIn, '1') => vec!["offer".into()],
        (Sound::BuiltIn, key) => {
            let key = match key {
                '*' => "star".into(),
                '#' => "pound".into(),
                digit => Name::from(format!("digit_{digit}")),
            };
            vec!["offer_before".into(), key]
        }
        (Sound::Silent | Sound::Prompt(_), _) => sound(&rule.prompt_offer, &[]),
    }
}

/// Asks for a number; without a `known` one `#` alone cannot do.
pub(super) fn ask_number(rule: &CallbackRule, known: bool) -> Vec<Name> {
    sound(&rule.prompt_confirm, &[if known { "confirm_number" } else { "enter_number" }])
}

/// What was wrong with a try; a pause needs no word.
pub(super) fn bad_try(why: BadTry) -> Vec<Name> {
    match why {
        BadTry::NotANumber => vec!["invalid".into()],
        BadTry::NotAllowed => vec!["not_allowed".into()],
        BadTry::Pause => Vec::new(),
    }
}

/// Reads a number back and asks whether it is right.
pub(super) fn read_back(party: &Party) -> Vec<Name> {
    let mut clips = vec![Name::from("read_back"), Name::from(PAUSE)];
    clips.extend(digits(party.spoken()));
    clips.push("read_back_choice".into());
    clips
}

/// The promise, and goodbye.
pub(super) fn promise(rule: &CallbackRule) -> Vec<Name> {
    let mut clips = sound(&rule.prompt_accepted, &[ACCEPTED]);
    clips.extend(sound(&rule.prompt_goodbye, &["goodbye"]));
    clips
}

/// The apology: the place is kept.
pub(super) fn apology(rule: &CallbackRule) -> Vec<Name> {
    sound(&rule.prompt_unavailable, &["sorry"])
}

/// What the agent hears before the customer is dialled: "callback for", and for whom.
pub(super) fn agent_prompt(profile: &CallbackProfile, party: &Party) -> Vec<Name> {
    match &profile.agent_prompt {
        Sound::BuiltIn => {
            let mut clips = vec![Name::from("agent_callback"), Name::from(PAUSE)];
            clips.extend(digits(party.spoken()));
            clips
        }
        Sound::Silent | Sound::Prompt(_) => sound(&profile.agent_prompt, &[]),
    }
}

/// What the customer of a callback hears on answering: who calls, and that it is recorded.
pub(super) fn customer_greeting(profile: &CallbackProfile) -> Vec<Name> {
    let mut clips = sound(&profile.customer_prompt, &["welcome_callback"]);
    if profile.record {
        clips.extend(sound(&profile.record_notice, &["recorded_notice"]));
    }
    clips
}

/// The choice of a menu; without a prompt of its own it only listens.
pub(super) fn menu(ivr: &Ivr) -> Vec<Name> {
    sound(&ivr.prompt, &[])
}

/// What a waiting caller hears before a recorded conversation.
pub(super) fn queue_notice(queue: &Queue) -> Vec<Name> {
    if queue.record { sound(&queue.record_notice, &["recorded_notice"]) } else { Vec::new() }
}

/// What the agent hears when the customer could not be reached.
pub(super) fn failed_attempt(outcome: Outcome) -> Vec<Name> {
    match outcome {
        Outcome::Busy => vec!["agent_busy".into()],
        Outcome::NoAnswer => vec!["agent_no_answer".into()],
        Outcome::CustomerLeftBeforeBridge | Outcome::NotConfirmed => vec!["agent_left".into()],
        Outcome::Rejected
        | Outcome::InvalidNumber
        | Outcome::NetworkError
        | Outcome::CallerIdRefused
        | Outcome::Blocked => vec!["agent_failed".into()],
        // Talked, or the agent is not there to hear it, or is wanted for that very customer, who has just rung in.
        Outcome::Superseded
        | Outcome::Success
        | Outcome::ShortTalk
        | Outcome::AgentNoAnswer
        | Outcome::AgentDeclined
        | Outcome::AgentNoAccept
        | Outcome::VoicemailAgent
        | Outcome::AgentLeftEarly
        | Outcome::SystemRestart => Vec::new(),
    }
}
