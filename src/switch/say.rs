//! What is said: names of clips in order. The words are in `media/prompts`; a site may replace or silence each.

use super::offer::BadTry;
use crate::callback::task::{Outcome, Task};
use crate::id::Name;
use crate::number::Party;
use crate::settings::{AgentAccept, CallbackProfile, CallbackRule, Ivr, Queue, Sound};
use crate::time::Now;
use std::time::Duration;

/// The clip of the built-in hold music.
pub const HOLD: &str = "hold";
/// A short silence between digits, so that they are heard as digits.
pub const PAUSE: &str = "pause";
/// An agent has answered in the middle of a question.
pub(super) const AGENT_AVAILABLE: &str = "agent_available";
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

/// The first words to a caller in line.
pub(super) fn welcome(queue: &Queue) -> Vec<Name> {
    sound(&queue.welcome, &["welcome"])
}

/// A comforting word between the music.
pub(super) fn comfort(queue: &Queue) -> Vec<Name> {
    sound(&queue.periodic_prompt, &["all_busy"])
}

/// "Your place in line is", and which, from 1.
pub(super) fn position(position: usize) -> Vec<Name> {
    let mut clips = vec![Name::from("position"), Name::from(PAUSE)];
    clips.extend(number(position));
    clips
}

/// "The expected wait is about", and how many minutes, rounded up to `round` first.
pub(super) fn expected_wait(expected: Duration, round: Duration) -> Vec<Name> {
    let round = round.as_secs().max(1);
    let minutes = (expected.as_secs().div_ceil(round) * round).div_ceil(60).max(1);
    let mut clips = vec![Name::from("expected_wait"), Name::from(PAUSE)];
    clips.extend(number(usize::try_from(minutes).unwrap_or(usize::MAX)));
    clips.push(minutes_of(minutes));
    clips
}

/// The noun after a count of minutes.
fn minutes_of(count: u64) -> Name {
    if count == 1 { "minute".into() } else { "minutes".into() }
}

/// A cardinal as it is spoken, "two hundred forty five"; from 1000 on digit by digit.
pub(super) fn number(n: usize) -> Vec<Name> {
    let clip = |n: usize| match n {
        0..=9 => Name::from(format!("digit_{n}")),
        _ => Name::from(format!("number_{n}")),
    };
    if n >= 1000 {
        let digits = n.to_string();
        return digits.chars().flat_map(|digit| [format!("digit_{digit}").into(), PAUSE.into()]).collect();
    }
    let mut clips = Vec::new();
    if n >= 100 {
        clips.extend([clip(n / 100), "hundred".into()]);
    }
    match n % 100 {
        0 if n > 0 => {}
        rest @ 0..=19 => clips.push(clip(rest)),
        rest => {
            clips.push(clip(rest / 10 * 10));
            if rest % 10 > 0 {
                clips.push(clip(rest % 10));
            }
        }
    }
    clips
}

/// The clips in a queue's own language: `de/offer` instead of `offer`. Where a site has none, the media plane plays
/// the English one.
pub(super) fn in_language(language: &str, clips: Vec<Name>) -> Vec<Name> {
    let primary = language.split('-').next().unwrap_or(language);
    if primary.eq_ignore_ascii_case("en") {
        return clips;
    }
    clips.into_iter().map(|clip| if &*clip == PAUSE { clip } else { format!("{language}/{clip}").into() }).collect()
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

/// What was promised before stands, and goodbye. Nothing is promised by it.
pub(super) fn pending_kept(rule: &CallbackRule) -> Vec<Name> {
    let mut clips = vec![Name::from("pending_kept")];
    clips.extend(sound(&rule.prompt_goodbye, &["goodbye"]));
    clips
}

/// The number of a promise is another now, and goodbye.
pub(super) fn pending_changed(rule: &CallbackRule) -> Vec<Name> {
    let mut clips = vec![Name::from("pending_changed")];
    clips.extend(sound(&rule.prompt_goodbye, &["goodbye"]));
    clips
}

/// The apology: the place is kept.
pub(super) fn apology(rule: &CallbackRule) -> Vec<Name> {
    sound(&rule.prompt_unavailable, &["sorry"])
}

/// What the agent hears before the customer is dialled: "callback for", and for whom; which attempt it is when it is
/// not the first, and how long he has waited when it is more than a moment; then the key that takes it.
pub(super) fn agent_prompt(now: Now, profile: &CallbackProfile, task: &Task) -> Vec<Name> {
    let mut clips = match &profile.agent_prompt {
        Sound::BuiltIn => {
            let mut clips = vec![Name::from("agent_callback"), Name::from(PAUSE)];
            clips.extend(digits(task.number.spoken()));
            clips
        }
        Sound::Silent | Sound::Prompt(_) => sound(&profile.agent_prompt, &[]),
    };
    if profile.agent_prompt == Sound::BuiltIn {
        let waited = now.utc.signed_duration_since(task.virtual_start).num_minutes();
        if task.attempts_used > 0 {
            clips.push("attempt".into());
            clips.extend(number(usize::try_from(task.attempts_used).unwrap_or(usize::MAX).saturating_add(1)));
        }
        if waited > 0 {
            clips.push("waited".into());
            clips.extend(number(usize::try_from(waited).unwrap_or(usize::MAX)));
            clips.push(minutes_of(u64::try_from(waited).unwrap_or(u64::MAX)));
        }
    }
    if profile.agent_accept != AgentAccept::Auto {
        clips.extend(agent_accept());
    }
    clips
}

/// The key that takes the call.
pub(super) fn agent_accept() -> Vec<Name> {
    vec!["agent_accept".into()]
}

/// Who calls, and whether that is wanted (security.md T33).
pub(super) fn confirm_call() -> Vec<Name> {
    vec!["confirm_call".into()]
}

/// What says that a callback is recorded; nothing when it is not, or when none is due.
pub(super) fn notice_of(profile: &CallbackProfile) -> Vec<Name> {
    if profile.record { sound(&profile.record_notice, &["recorded_notice"]) } else { Vec::new() }
}

/// The choice of a menu; without a prompt of its own it only listens.
pub(super) fn menu(ivr: &Ivr) -> Vec<Name> {
    sound(&ivr.prompt, &[])
}

/// The offer of another try, with the keys that take it and stop it for good.
pub(super) fn client_offer(profile: &CallbackProfile) -> Vec<Name> {
    let key = profile.client_reschedule.map_or('1', |again| again.key);
    let mut clips = said_with_key("customer_reschedule", key, '1');
    clips.push("customer_never".into());
    clips
}

/// That the agent may ask for another try, and how.
pub(super) fn reschedule(key: char) -> Vec<Name> {
    said_with_key("agent_reschedule", key, '9')
}

/// A clip that names the `usual` key, or one that ends where the key's name follows.
fn said_with_key(clip: &str, key: char, usual: char) -> Vec<Name> {
    if key == usual {
        return vec![clip.into()];
    }
    let key = match key {
        '*' => "star".into(),
        '#' => "pound".into(),
        digit => Name::from(format!("digit_{digit}")),
    };
    vec![Name::from(format!("{clip}_before")), key]
}

/// Who calls.
pub(super) fn customer_hello(profile: &CallbackProfile) -> Vec<Name> {
    sound(&profile.customer_prompt, &["welcome_callback"])
}

/// What a customer hears who has answered when there is nobody to talk to him.
pub(super) fn to_customer(outcome: Outcome) -> Vec<Name> {
    match outcome {
        Outcome::AgentNoAnswer
        | Outcome::AgentDeclined
        | Outcome::AgentNoAccept
        | Outcome::AgentLeftEarly
        | Outcome::Blocked
        | Outcome::Superseded => vec!["customer_sorry".into()],
        // He has answered the offer of another try, or has not; or does not want the call.
        Outcome::Success | Outcome::NotConfirmed => vec!["goodbye".into()],
        // He has not answered, or has gone, or a machine has answered for him.
        Outcome::ShortTalk
        | Outcome::NoAnswer
        | Outcome::Busy
        | Outcome::Rejected
        | Outcome::InvalidNumber
        | Outcome::NetworkError
        | Outcome::CallerIdRefused
        | Outcome::VoicemailAgent
        | Outcome::CustomerLeftBeforeBridge
        | Outcome::SystemRestart => Vec::new(),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn spoken(clips: Vec<Name>) -> String {
        clips.iter().filter(|clip| &***clip != PAUSE).map(|clip| &**clip).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn numbers_are_spoken_as_people_say_them() {
        for (n, clips) in [
            (0, "digit_0"),
            (3, "digit_3"),
            (10, "number_10"),
            (19, "number_19"),
            (20, "number_20"),
            (42, "number_40 digit_2"),
            (100, "digit_1 hundred"),
            (107, "digit_1 hundred digit_7"),
            (999, "digit_9 hundred number_90 digit_9"),
            (1204, "digit_1 digit_2 digit_0 digit_4"),
        ] {
            assert_eq!(spoken(number(n)), clips);
        }
    }

    #[test]
    fn the_expected_wait_is_rounded_up_and_said_in_minutes() {
        for (secs, round, clips) in [
            (0, 60, "digit_1 minute"),
            (60, 60, "digit_1 minute"),
            (61, 60, "digit_2 minutes"),
            (200, 300, "digit_5 minutes"),
            (301, 300, "number_10 minutes"),
        ] {
            let said = expected_wait(Duration::from_secs(secs), Duration::from_secs(round));
            assert_eq!(spoken(said), format!("expected_wait {clips}"));
        }
    }

    #[test]
    fn another_language_is_asked_for_by_name_and_silence_has_none() {
        let clips = || vec![Name::from("offer"), Name::from(PAUSE)];

        assert_eq!(in_language("en", clips()), clips());
        assert_eq!(in_language("en-GB", clips()), clips());
        assert_eq!(in_language("de", clips()), [Name::from("de/offer"), PAUSE.into()]);
    }
}
