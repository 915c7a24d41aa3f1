//! What follows each outcome of an attempt.

use crate::site::{profile, secs, site, task, utc};
use ringback::callback::retry::{By, History, Next, Verdict, after, after_restart, first_try};
use ringback::callback::task::{Attempt, AttemptKind, CloseReason, Outcome};
use ringback::number::Party;
use ringback::settings::{CallbackProfile, NoAnswerAction};
use ringback::time::{DateTime, Utc};

fn now() -> DateTime<Utc> {
    utc("2026-11-02T14:00:00Z")
}

fn judge(profile: &CallbackProfile, used: u32, history: History, outcome: Outcome) -> Verdict {
    let mut task = task(1, now());
    task.attempts_used = used;
    after(&site(), profile, &task, history, outcome, now())
}

/// A failure that counts and is rescheduled by itself.
fn again(next: Next) -> Verdict {
    Verdict { counted: true, next, by: Some(By::Auto) }
}

/// One that counts, and the end.
fn ends(next: Next) -> Verdict {
    Verdict { counted: true, next, by: None }
}

fn plain(used: u32, outcome: Outcome) -> Verdict {
    judge(&profile(), used, History::default(), outcome)
}

fn retry_in(seconds: u64) -> Next {
    Next::Retry(now() + secs(seconds))
}

#[test]
fn the_first_try_waits_for_the_delay_and_for_the_wish() {
    // S1.2, S1.3, S1.10
    let mut profile = profile();
    assert_eq!(first_try(&profile, now(), None), now());
    profile.intervals = vec![secs(60)];
    assert_eq!(first_try(&profile, now(), None), now() + secs(60));
    assert_eq!(first_try(&profile, now(), Some(now() + secs(3_600))), now() + secs(3_600));
    assert_eq!(first_try(&profile, now(), Some(now() - secs(3_600))), now() + secs(60));
    profile.intervals.clear();
    assert_eq!(first_try(&profile, now(), None), now());
}

#[test]
fn three_attempts_are_three_and_the_interval_lies_between_them() {
    // S1.11, S1.12, S3.8, S3.9
    assert_eq!(plain(0, Outcome::NoAnswer), again(retry_in(900)));
    assert_eq!(plain(1, Outcome::NoAnswer).next, retry_in(900));
    assert_eq!(plain(2, Outcome::NoAnswer).next, Next::Fail(CloseReason::MaxAttempts));
}

#[test]
fn each_interval_of_the_list_follows_its_attempt_and_the_last_repeats() {
    // S5.16, model.md C5
    let mut profile = profile();
    profile.intervals = vec![secs(60), secs(300), secs(3_600)];
    profile.attempts_max = 5;
    let next = |used| judge(&profile, used, History::default(), Outcome::Busy).next;
    assert_eq!(
        [next(0), next(1), next(2), next(3)],
        [retry_in(300), retry_in(3_600), retry_in(3_600), retry_in(3_600)]
    );
    assert_eq!(next(4), Next::Fail(CloseReason::MaxAttempts));
}

#[test]
fn no_answer_may_be_the_end() {
    // S1.14
    let mut profile = profile();
    profile.no_answer_action = NoAnswerAction::Fail;
    let verdict = judge(&profile, 0, History::default(), Outcome::NoAnswer);
    assert_eq!(verdict, ends(Next::Fail(CloseReason::NoAnswerAction)));
    assert_eq!(judge(&profile, 0, History::default(), Outcome::Busy).next, retry_in(900));
}

#[test]
fn every_outcome_has_its_consequence() {
    // S3.7, model.md `on{…}`
    let free = Verdict::uncounted;
    let table = [
        (Outcome::Success, ends(Next::Done)),
        (Outcome::ShortTalk, again(retry_in(900))),
        (Outcome::NoAnswer, again(retry_in(900))),
        (Outcome::Busy, again(retry_in(900))),
        (Outcome::Rejected, again(retry_in(900))),
        (Outcome::InvalidNumber, ends(Next::Fail(CloseReason::Invalid))),
        (Outcome::NetworkError, free(retry_in(60))),
        (Outcome::CallerIdRefused, again(retry_in(900))),
        (Outcome::CustomerLeftBeforeBridge, again(retry_in(900))),
        (Outcome::AgentNoAnswer, free(Next::Again(now()))),
        (Outcome::AgentDeclined, free(Next::Again(now()))),
        (Outcome::AgentLeftEarly, free(Next::Again(now()))),
        (Outcome::Blocked, free(Next::Blocked)),
        (Outcome::SystemRestart, free(Next::Again(now() + secs(40)))),
        (Outcome::Superseded, free(Next::Superseded)),
    ];
    for (outcome, verdict) in table {
        assert_eq!(plain(0, outcome), verdict, "{outcome:?}");
    }
}

#[test]
fn the_network_is_forgiven_twice_and_then_counts() {
    let network = |used, network_errors| {
        judge(&profile(), used, History { network_errors, ..History::default() }, Outcome::NetworkError)
    };
    assert_eq!(network(0, 1), Verdict::uncounted(retry_in(60)));
    assert_eq!(network(0, 2), again(retry_in(60)));
    assert_eq!(network(1, 3), again(retry_in(60)));
    assert_eq!(network(2, 4), ends(Next::Fail(CloseReason::MaxAttempts)));
    // The last attempt is not lost to the first failure of the network.
    assert_eq!(network(2, 0), Verdict::uncounted(retry_in(60)));
}

#[test]
fn agents_cost_the_customer_nothing_but_do_not_spin_the_switch() {
    // S2.19, S4.8, law 6
    let pause = |agent_failures| {
        let history = History { agent_failures, ..History::default() };
        match judge(&profile(), 2, history, Outcome::AgentDeclined) {
            Verdict { counted: false, next: Next::Again(at), by: None } => (at - now()).num_seconds(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!([0, 1, 2, 3, 4, 5, 6, 7, 100].map(pause), [0, 0, 5, 10, 20, 40, 60, 60, 60]);
}

#[test]
fn history_counts_the_network_and_the_agents_last_row_of_failures() {
    let attempt = |outcome| Attempt {
        id: "00000000000000000000000001".parse().expect("a ULID"),
        task: task(1, now()).id,
        n: 1,
        kind: AttemptKind::Agent,
        number: Party::Number("+12025550123".into()),
        loaded_at: now(),
        ring_timeout_secs: 30,
        agent_legs: Vec::new(),
        customer_leg: None,
        outcome,
        ended_at: None,
        talk_secs: 0,
        recording: None,
    };
    use Outcome::*;
    let of = |outcomes: &[Outcome]| {
        let attempts: Vec<_> = outcomes.iter().map(|outcome| attempt(Some(*outcome))).chain([attempt(None)]).collect();
        History::of(&attempts)
    };
    assert_eq!(of(&[]), History::default());
    let mixed = of(&[AgentDeclined, NetworkError, AgentNoAnswer, AgentLeftEarly]);
    assert_eq!(mixed, History { network_errors: 1, agent_failures: 2 });
    assert_eq!(of(&[AgentDeclined, NoAnswer]), History::default());
}

#[test]
fn after_a_restart_a_number_is_left_alone_for_the_ring_and_ten_seconds() {
    // interface.md, Settled 7
    assert_eq!(after_restart(secs(30), now()), now() + secs(40));
}
