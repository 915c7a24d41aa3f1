//! What follows each outcome of an attempt.

use crate::site::{new_york, office, profile, secs, site, task, utc};
use chrono::TimeDelta;
use ringback::callback::planner::Planner;
use ringback::callback::retry::{
    By, ClientAnswer, History, Next, Verdict, after, after_restart, agent_asks, client_asks, first_try,
};
use ringback::callback::task::{Attempt, AttemptKind, CloseReason, Outcome, TaskState};
use ringback::number::Party;
use ringback::settings::{AfterCutoff, CallbackProfile, ClientReschedule, NoAnswerAction, OnOutcome, Settings};
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

// S1.2, S1.10, S1.3: the delay counts from the request, and the wish of its creator is not undercut.
#[test]
fn the_first_try_waits_for_the_delay_and_for_the_wish() {
    let mut profile = profile();
    assert_eq!(first_try(&profile, now(), None), now());
    profile.intervals = vec![secs(60)];
    assert_eq!(first_try(&profile, now(), None), now() + secs(60));
    assert_eq!(first_try(&profile, now(), Some(now() + secs(3_600))), now() + secs(3_600));
    assert_eq!(first_try(&profile, now(), Some(now() - secs(3_600))), now() + secs(60));
    profile.intervals.clear();
    assert_eq!(first_try(&profile, now(), None), now());
}

// S1.11, S1.12, S3.8, S3.9: three attempts in all, 900 s between them.
#[test]
fn three_attempts_are_three_and_the_interval_lies_between_them() {
    assert_eq!(plain(0, Outcome::NoAnswer), again(retry_in(900)));
    assert_eq!(plain(1, Outcome::NoAnswer).next, retry_in(900));
    assert_eq!(plain(2, Outcome::NoAnswer).next, Next::Fail(CloseReason::MaxAttempts));
}

// S5.16, S5.2, S5.3: one interval per attempt, each from the one before (model.md C5).
#[test]
fn each_interval_of_the_list_follows_its_attempt_and_the_last_repeats() {
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

// S1.14: `fail` ends it after one attempt, `retry` does not.
#[test]
fn no_answer_may_be_the_end() {
    let mut profile = profile();
    profile.no_answer_action = NoAnswerAction::Fail;
    let verdict = judge(&profile, 0, History::default(), Outcome::NoAnswer);
    assert_eq!(verdict, ends(Next::Fail(CloseReason::NoAnswerAction)));
    assert_eq!(judge(&profile, 0, History::default(), Outcome::Busy).next, retry_in(900));
}

// S3.7, S5.8: what was not a success is tried again, as model.md `on{…}` says.
#[test]
fn every_outcome_has_its_consequence() {
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
        customer_phones: Vec::new(),
        outcome,
        ended_at: None,
        talk_secs: 0,
        kept_at: None,
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

fn asked_by_agent(profile: &CallbackProfile, used: u32, outcome: Outcome) -> Verdict {
    let mut task = task(1, now());
    task.attempts_used = used;
    agent_asks(&site(), profile, &task, History::default(), outcome, now())
}

fn on(action: NoAnswerAction, interval: Option<u64>) -> Option<OnOutcome> {
    Some(OnOutcome { action, interval: interval.map(secs) })
}

#[test]
fn each_kind_of_failure_may_have_its_own_consequence() {
    let mut profile = profile();
    profile.on.busy = on(NoAnswerAction::Retry, Some(120));
    profile.on.no_answer = on(NoAnswerAction::Notify, None);
    profile.on.rejected = on(NoAnswerAction::Fail, None);
    profile.on.voicemail = on(NoAnswerAction::Retry, Some(3_600));
    profile.on.network = on(NoAnswerAction::Retry, Some(30));
    profile.on.invalid = on(NoAnswerAction::Retry, None);
    let judge = |outcome| judge(&profile, 0, History::default(), outcome);

    assert_eq!(judge(Outcome::Busy), again(retry_in(120)));
    assert_eq!(judge(Outcome::NoAnswer), ends(Next::Unreached));
    assert_eq!(judge(Outcome::Rejected), ends(Next::Fail(CloseReason::NoAnswerAction)));
    assert_eq!(judge(Outcome::VoicemailAgent), again(retry_in(3_600)));
    assert_eq!(judge(Outcome::NetworkError), Verdict::uncounted(retry_in(30)));
    assert_eq!(judge(Outcome::InvalidNumber), again(retry_in(900)));
    // `on` says more than `no_answer_action`.
    profile.no_answer_action = NoAnswerAction::Fail;
    assert_eq!(crate::retries::judge(&profile, 0, History::default(), Outcome::NoAnswer), ends(Next::Unreached));
}

// S4.3: three independent switches, eight combinations; each failure is rescheduled by one of them at most.
#[test]
fn three_may_ask_for_another_try() {
    let auto_agent_client = |auto: bool, agent: bool, client: bool| {
        let mut profile = CallbackProfile { auto_reschedule: auto, ..profile() };
        if !agent {
            profile.agent_reschedule = None;
        }
        profile.client_reschedule = client.then_some(ClientReschedule { key: '1', max: None });
        let alone = judge(&profile, 0, History::default(), Outcome::Busy);
        (alone, asked_by_agent(&profile, 0, Outcome::Busy))
    };
    let retry = |by| Verdict { counted: true, next: retry_in(900), by: Some(by) };
    let (gone, offer) = (ends(Next::Fail(CloseReason::NotRescheduled)), ends(Next::ClientOffer(now() + secs(900))));

    assert_eq!(auto_agent_client(true, true, true), (retry(By::Auto), retry(By::Agent)));
    assert_eq!(auto_agent_client(true, true, false), (retry(By::Auto), retry(By::Agent)));
    assert_eq!(auto_agent_client(true, false, true), (retry(By::Auto), retry(By::Auto)));
    assert_eq!(auto_agent_client(true, false, false), (retry(By::Auto), retry(By::Auto)));
    assert_eq!(auto_agent_client(false, true, true), (offer, retry(By::Agent)));
    assert_eq!(auto_agent_client(false, true, false), (gone, retry(By::Agent)));
    assert_eq!(auto_agent_client(false, false, true), (offer, offer));
    assert_eq!(auto_agent_client(false, false, false), (gone, gone));
}

/// One failed attempt of the only task of a planner, as the switch would conclude it.
fn fails(
    planner: &mut Planner,
    site: &Settings,
    at: DateTime<Utc>,
    by_agent: bool,
) -> (TaskState, Option<CloseReason>) {
    planner.wake(at, site, |_| None);
    let task = planner.iter().next().expect("it is open").clone();
    let begun = planner.begin(at, site, task.id).expect("nothing holds it");
    let judge = if by_agent { agent_asks } else { after };
    let verdict = judge(site, &site.profiles[0], &begun, History::default(), Outcome::Busy, at);
    let task = planner.conclude(at, site, task.id, verdict).expect("it was open");
    (task.state, task.close_reason)
}

// S4.10: max 2 reschedules, one automatic and one by the agent: a third is refused.
#[test]
fn automatic_and_agent_reschedules_share_one_limit() {
    for first_by_agent in [false, true] {
        let site = site();
        let mut planner = Planner::default();
        planner.put(now(), &site, task(1, now()));
        let at = |n: i64| now() + TimeDelta::seconds(n * 900);

        assert_eq!(fails(&mut planner, &site, at(0), first_by_agent).0, TaskState::WaitingRetry);
        assert_eq!(fails(&mut planner, &site, at(1), !first_by_agent).0, TaskState::WaitingRetry);
        let used = planner.iter().next().expect("it is open");
        assert_eq!((used.reschedules.auto, used.reschedules.agent, used.reschedules.client), (1, 1, 0));
        let refused = fails(&mut planner, &site, at(2), true);
        assert_eq!(refused, (TaskState::Failed, Some(CloseReason::MaxAttempts)));
    }
}

// S4.11: five reschedules by the client although the profile allows none of the others: all honoured.
#[test]
fn a_client_may_ask_as_often_as_he_likes() {
    let mut site = site();
    site.profiles[0].attempts_max = 1;
    site.profiles[0].client_reschedule = Some(ClientReschedule { key: '1', max: None });
    let mut planner = Planner::default();
    planner.put(now(), &site, task(1, now()));
    let mut at = now();

    for round in 1..=5 {
        assert_eq!(fails(&mut planner, &site, at, false).0, TaskState::ClientOffer, "round {round}");
        at += TimeDelta::seconds(900);
        planner.wake(at, &site, |_| None);
        let asked = planner.next_offer(at, &site, |_| true).expect("the customer may be asked");
        planner.begin_offer(at, &site, asked).expect("nothing holds it");
        let held = planner.get(asked).expect("it is open").clone();
        let task = planner.conclude(at, &site, asked, client_asks(&held, ClientAnswer::Again, at)).expect("it is open");
        assert_eq!((task.state, task.reschedules.client, task.attempts_used), (TaskState::Pending, round, round));
    }
    // With a limit the last is not asked again.
    site.profiles[0].client_reschedule = Some(ClientReschedule { key: '1', max: Some(5) });
    assert_eq!(fails(&mut planner, &site, at, false), (TaskState::Failed, Some(CloseReason::MaxAttempts)));
}

// S4.5: no key: failed; 9: never again.
#[test]
fn what_the_customer_says_to_the_offer_decides() {
    let mut held = task(1, now());
    held.attempts_used = 3;
    let said = |answer| client_asks(&held, answer, now());
    assert_eq!(said(ClientAnswer::Again), Verdict { counted: false, next: Next::Again(now()), by: Some(By::Client) });
    assert_eq!(said(ClientAnswer::Nothing), Verdict::uncounted(Next::Fail(CloseReason::MaxAttempts)));
    assert_eq!(said(ClientAnswer::Never), Verdict::uncounted(Next::Cancel(CloseReason::Dnc)));
}

// S4.13: hours to 17:00, cut-off 30 min: failed at 16:20, delay 15 min: 16:35 is too late, so it is not today.
#[test]
fn a_reschedule_does_not_fall_too_close_to_closing() {
    let mut site = site();
    site.schedules = vec![office("09:00", "17:00")];
    let mut profile = profile();
    profile.schedule = Some("office".into());
    profile.intervals = vec![secs(0), secs(900)];
    profile.cutoff = secs(1_800);
    let next = |profile: &CallbackProfile, failed: &str| {
        let at = new_york(failed);
        after(&site, profile, &task(1, at), History::default(), Outcome::Busy, at).next
    };

    let morning = new_york("2026-11-03T09:00:00");
    assert_eq!(next(&profile, "2026-11-02T16:20:00"), Next::Retry(morning));
    assert_eq!(next(&profile, "2026-11-02T16:15:00"), Next::Retry(new_york("2026-11-02T16:30:00")), "16:30 is within");
    profile.after_cutoff = AfterCutoff::Overflow;
    assert_eq!(next(&profile, "2026-11-02T16:20:00"), Next::Overflow);
    profile.after_cutoff = AfterCutoff::Fail;
    assert_eq!(next(&profile, "2026-11-02T16:20:00"), Next::Fail(CloseReason::Cutoff));
    profile.cutoff = secs(0);
    assert_eq!(next(&profile, "2026-11-02T16:20:00"), Next::Retry(new_york("2026-11-02T16:35:00")));
}
