//! Which task is due, what holds the others, and law 1, 2 and 6 over random days.

use crate::site::{name, new_york, office, profile, rule, secs, site, task, task_id};
use chrono::TimeDelta;
use proptest::prelude::*;
use ringback::callback::planner::{Agents, Around, Planner, Step};
use ringback::callback::retry::{self, History, Next, Verdict};
use ringback::callback::task::{CloseReason, Outcome, Task, TaskState};
use ringback::callback::{Hold, hold::Undialable};
use ringback::settings::Settings;
use ringback::time::{DateTime, Utc};
use std::collections::BTreeMap;

/// Monday noon in New York.
pub fn noon() -> DateTime<Utc> {
    new_york("2026-11-02T12:00:00")
}

const FREE: Around = Around { customer_in_call: false, agents: Agents::Free, ahead: 0 };

pub fn dialable(_: &Task) -> Option<Undialable> {
    None
}

/// With calling hours of 9 to 17 on working days.
pub fn with_hours() -> Settings {
    let mut site = site();
    let mut standard = profile();
    standard.schedule = Some(name("office"));
    site.profiles = vec![standard];
    site
}

pub fn planner_of(site: &Settings, now: DateTime<Utc>, tasks: impl IntoIterator<Item = Task>) -> Planner {
    let mut planner = Planner::default();
    for task in tasks {
        planner.put(now, site, task);
    }
    planner
}

pub fn state(planner: &Planner, n: u128) -> TaskState {
    planner.get(task_id(n)).expect("it is open").state
}

pub fn held(planner: &Planner, site: &Settings, now: DateTime<Utc>, n: u128) -> Option<String> {
    let task = planner.get(task_id(n)).expect("it is open");
    planner.held_by(now, site, task, FREE).map(|hold| hold.to_string())
}

// S1.3
#[test]
fn a_task_is_due_at_its_instant_and_not_before() {
    let site = site();
    let mut scheduled = task(1, noon());
    scheduled.not_before = noon() + secs(1_800);
    let mut planner = planner_of(&site, noon(), [scheduled]);

    assert_eq!(planner.next_wake(&site), Some(noon() + secs(1_800)));
    assert_eq!(planner.wake(noon() + secs(1_799), &site, dialable), []);
    assert_eq!(held(&planner, &site, noon(), 1).as_deref(), Some("not to be tried before 2026-11-02T17:30:00Z"));
    let moved = Step::Moved(task_id(1), TaskState::Due);
    assert_eq!(planner.wake(noon() + secs(1_800), &site, dialable), [moved]);
    assert_eq!(planner.next_wake(&site), None);
    assert_eq!(held(&planner, &site, noon() + secs(1_800), 1), None);
}

// S1.4, S1.17, S1.19
#[test]
fn a_request_after_hours_waits_for_the_next_opening_and_is_kept() {
    let site = with_hours();
    let friday = new_york("2026-11-06T17:05:00");
    let monday = new_york("2026-11-09T09:00:00");
    let mut planner = planner_of(&site, friday, [task(1, friday)]);

    planner.wake(friday, &site, dialable);

    assert_eq!(state(&planner, 1), TaskState::Deferred);
    assert_eq!(planner.next_at(&site, planner.get(task_id(1)).expect("open"), friday), Some(monday));
    assert_eq!(held(&planner, &site, friday, 1).as_deref(), Some("outside calling hours until 2026-11-09T14:00:00Z"));
    assert_eq!(planner.next_wake(&site), Some(monday));
    planner.wake(monday, &site, dialable);
    assert_eq!(state(&planner, 1), TaskState::Due);
}

// S1.16: at 18:00:00 not started.
#[test]
fn a_due_task_nobody_served_is_deferred_when_hours_end() {
    let site = with_hours();
    let mut planner = planner_of(&site, noon(), [task(1, noon())]);
    planner.wake(noon(), &site, dialable);
    let closing = new_york("2026-11-02T17:00:00");

    assert_eq!(planner.next_wake(&site), Some(closing));
    assert!(matches!(planner.may_begin(closing, &site, task_id(1)), Err(Hold::OutsideHours(_))));
    planner.wake(closing, &site, dialable);
    assert_eq!(state(&planner, 1), TaskState::Deferred);
    assert_eq!(planner.next_wake(&site), Some(new_york("2026-11-03T09:00:00")));
}

// S1.21
#[test]
fn an_attempt_under_way_is_not_cut_when_hours_end_or_it_expires() {
    let site = with_hours();
    let mut talking = task(1, noon());
    talking.expires_at = Some(noon() + secs(60));
    let mut planner = planner_of(&site, noon(), [talking]);
    planner.wake(noon(), &site, dialable);
    planner.begin(noon(), &site, task_id(1)).expect("nothing holds it");
    planner.advance(noon(), &site, task_id(1), TaskState::Talking);

    assert_eq!(planner.next_wake(&site), None);
    assert_eq!(planner.wake(new_york("2026-11-02T20:00:00"), &site, dialable), []);
    assert_eq!(state(&planner, 1), TaskState::Talking);
}

// S1.20: attempt 1 at 16:45 fails, interval 30 min: attempt 2 next day 09:00.
#[test]
fn a_retry_outside_hours_is_deferred_and_costs_no_attempt() {
    let mut site = with_hours();
    site.profiles[0].intervals = vec![secs(0), secs(1_800)];
    let late = new_york("2026-11-02T16:45:00");
    let mut planner = planner_of(&site, late, [task(1, late)]);
    planner.wake(late, &site, dialable);
    let begun = planner.begin(late, &site, task_id(1)).expect("nothing holds it");
    assert_eq!((begun.state, begun.attempts_made, begun.attempts_used), (TaskState::Reserving, 1, 0));

    let verdict = retry::after(&site, &site.profiles[0], &begun, History::default(), Outcome::NoAnswer, late);
    let waiting = planner.conclude(late, &site, task_id(1), verdict).expect("it is open");

    assert_eq!((waiting.state, waiting.attempts_used), (TaskState::WaitingRetry, 1));
    assert_eq!(held(&planner, &site, late, 1).as_deref(), Some("the next attempt is at 2026-11-02T22:15:00Z"));
    let morning = new_york("2026-11-03T09:00:00");
    assert_eq!(planner.next_at(&site, &waiting, late), Some(morning));
    planner.wake(late + secs(1_800), &site, dialable);
    assert_eq!(state(&planner, 1), TaskState::Deferred);
    planner.wake(morning, &site, dialable);
    let due = planner.get(task_id(1)).expect("it is open");
    assert_eq!((due.state, due.attempts_used), (TaskState::Due, 1));
}

#[test]
fn expired_comes_before_blocked_before_deferred_before_due() {
    // model.md C12
    let site = with_hours();
    let night = new_york("2026-11-02T22:00:00");
    let mut old = task(1, night);
    old.expires_at = Some(night);
    let mut planner = planner_of(&site, night, [old, task(2, night), task(3, night)]);

    let no_route = |task: &Task| (task.id != task_id(3)).then(|| "no_route".to_owned());
    let steps = planner.wake(night, &site, no_route);

    let Step::Expired(expired) = &steps[0] else { panic!("{steps:?}") };
    assert_eq!((expired.state, expired.close_reason), (TaskState::Expired, Some(CloseReason::Expired)));
    assert_eq!(expired.closed_at, Some(night));
    assert!(planner.get(task_id(1)).is_none());
    assert_eq!(steps[1], Step::Moved(task_id(2), TaskState::Blocked));
    assert_eq!(steps[2], Step::Moved(task_id(3), TaskState::Deferred));
    assert_eq!(planner.held_by(night, &site, expired, FREE), Some(Hold::Closed(TaskState::Expired)));
}

// S2.5, S5.28
#[test]
fn a_blocked_task_says_why_and_is_looked_at_again_when_the_site_changes() {
    let site = site();
    let mut planner = planner_of(&site, noon(), [task(1, noon())]);
    let no_route = |_: &Task| Some("no outbound route matches (no_route)".to_owned());
    planner.wake(noon(), &site, no_route);

    assert_eq!(held(&planner, &site, noon(), 1).as_deref(), Some("no outbound route matches (no_route)"));
    assert_eq!(planner.next_wake(&site), None, "nothing but a change of the site helps");
    assert!(matches!(planner.begin(noon(), &site, task_id(1)), Err(Hold::Undialable(_))));

    planner.review(noon());
    assert_eq!(planner.next_wake(&site), Some(noon()));
    planner.wake(noon(), &site, dialable);
    assert_eq!(held(&planner, &site, noon(), 1), None);
}

#[test]
fn what_a_restart_finds_due_or_blocked_is_looked_at_again() {
    // Law 10
    let site = with_hours();
    let night = new_york("2026-11-02T22:00:00");
    let found = [TaskState::Due, TaskState::Blocked, TaskState::Deferred, TaskState::Pending];
    let tasks = (1..).zip(found).map(|(n, state)| Task { state, ..task(n, noon()) });
    let mut planner = planner_of(&site, night, tasks);

    assert!(planner.next_wake(&site).is_some_and(|at| at <= night));
    planner.wake(night, &site, dialable);
    assert!(planner.iter().all(|task| task.state == TaskState::Deferred));
}

// S1.15: model.md C15.
#[test]
fn a_disabled_profile_or_process_false_dials_nothing_and_says_so() {
    let mut site = site();
    site.profiles[0].enabled = false;
    let mut planner = planner_of(&site, noon(), [task(1, noon())]);
    planner.wake(noon(), &site, dialable);
    assert_eq!(held(&planner, &site, noon(), 1).as_deref(), Some("profile disabled: standard"));
    assert!(planner.begin(noon(), &site, task_id(1)).is_err());

    site.profiles[0].enabled = true;
    site.rules[0].process = false;
    assert_eq!(planner.begin(noon(), &site, task_id(1)), Err(Hold::RuleNotProcessing(rule().name)));
    site.rules[0].process = true;
    site.rules[0].enabled = false;
    assert_eq!(planner.begin(noon(), &site, task_id(1)), Err(Hold::RuleDisabled(rule().name)));
    assert_eq!(held(&planner, &site, noon(), 1).as_deref(), Some("the rule support-key is disabled"));
    site.rules[0].enabled = true;
    assert!(planner.begin(noon(), &site, task_id(1)).is_ok());
}

#[test]
fn there_is_one_live_attempt_per_number_over_all_queues() {
    // Law 2, S3.B4
    let site = site();
    let mut other = task(2, noon());
    other.number = task(1, noon()).number;
    other.queue = name("sales");
    let mut planner = planner_of(&site, noon(), [task(1, noon()), other]);
    planner.wake(noon(), &site, dialable);
    let number = task(1, noon()).number;

    planner.begin(noon(), &site, task_id(1)).expect("nothing holds it");

    assert_eq!(planner.active(&number), Some(task_id(1)));
    assert_eq!(planner.begin(noon(), &site, task_id(2)), Err(Hold::NumberBusy));
    assert_eq!(planner.begin(noon(), &site, task_id(1)), Err(Hold::UnderWay(TaskState::Reserving)));
    planner.close(noon(), task_id(1), TaskState::Cancelled, CloseReason::ByAdmin);
    assert!(planner.begin(noon(), &site, task_id(2)).is_ok());
}

#[test]
#[should_panic(expected = "law 2")]
fn a_second_live_attempt_is_our_own_fault_and_stops_the_test() {
    let site = site();
    let live = |n| Task { state: TaskState::Talking, number: task(1, noon()).number, ..task(n, noon()) };
    planner_of(&site, noon(), [live(1), live(2)]);
}

// S5.13, S4.B1
#[test]
fn fifteen_lines_are_fifteen_attempts() {
    let mut site = site();
    site.system.max_originates_per_min = 6_000;
    let mut planner = planner_of(&site, noon(), (1..=20).map(|n| task(n, noon())));
    planner.wake(noon(), &site, dialable);
    let begun = (1..=20).filter(|n| planner.begin(noon(), &site, task_id(*n)).is_ok()).count();
    assert_eq!((begun, planner.live()), (15, 15));
    assert_eq!(
        held(&planner, &site, noon(), 16).as_deref(),
        Some("all 15 callback lines are in use (system.max_callback_lines)")
    );

    let done = Verdict { counted: true, next: Next::Done, by: None };
    planner.conclude(noon(), &site, task_id(1), done);
    assert!(planner.begin(noon(), &site, task_id(16)).is_ok());
}

#[test]
fn a_profile_may_have_fewer_lines_and_zero_is_none() {
    // model.md C21
    let mut site = site();
    site.profiles[0].max_lines = Some(1);
    let mut planner = planner_of(&site, noon(), [task(1, noon()), task(2, noon())]);
    planner.wake(noon(), &site, dialable);
    planner.begin(noon(), &site, task_id(1)).expect("one line is free");
    assert_eq!(planner.begin(noon(), &site, task_id(2)), Err(Hold::ProfileLines(name("standard"), 1)));
    site.profiles[0].max_lines = Some(0);
    planner.close(noon(), task_id(1), TaskState::Cancelled, CloseReason::ByAdmin);
    assert_eq!(planner.begin(noon(), &site, task_id(2)), Err(Hold::ProfileLines(name("standard"), 0)));
}

// S3.B12
#[test]
fn starts_a_minute_are_capped_and_the_next_slot_wakes() {
    let mut site = site();
    site.system.max_originates_per_min = 2;
    let mut planner = planner_of(&site, noon(), [task(1, noon()), task(2, noon()), task(3, noon())]);
    planner.wake(noon(), &site, dialable);
    planner.begin(noon(), &site, task_id(1)).expect("the first");
    planner.begin(noon() + secs(10), &site, task_id(2)).expect("the second");

    assert_eq!(planner.begin(noon() + secs(59), &site, task_id(3)), Err(Hold::Rate(2)));
    assert_eq!(planner.next_wake(&site), Some(noon() + secs(60)));
    planner.wake(noon() + secs(60), &site, dialable);
    assert!(planner.begin(noon() + secs(60), &site, task_id(3)).is_ok());
    // A clock that is set back holds nothing for longer than its own minute.
    planner.wake(noon() - secs(3_600), &site, dialable);
    assert_eq!(planner.next_wake(&site), None);
}

// Law 10: a restart opens no minute of its own; and a step of the clock that nobody notices forgets no start.
#[test]
fn starts_of_a_former_life_and_of_a_moment_ahead_count() {
    let mut site = site();
    site.system.max_originates_per_min = 2;
    // Seconds from noon on: when attempts have begun, when another is wanted, and whether it may begin.
    let cases: [(&[i64], i64, bool); 5] = [
        (&[-59, 2], 0, false),
        (&[-59, 2], 1, true),
        (&[-60, 2], 0, true),
        (&[-59, 3], 0, true),
        (&[2, -59], 0, false),
    ];
    for (begun, at, may) in cases {
        let mut planner = planner_of(&site, noon(), [task(1, noon())]);
        planner.wake(noon(), &site, dialable);
        planner.resume_rate(noon(), begun.iter().map(|at| noon() + TimeDelta::seconds(*at)));

        assert_eq!(planner.begin(noon() + TimeDelta::seconds(at), &site, task_id(1)).is_ok(), may, "{begun:?} {at}");
    }
}

#[test]
fn a_number_is_left_alone_after_a_restart() {
    // interface.md, Settled 7
    let site = site();
    let mut planner = planner_of(&site, noon(), [task(1, noon())]);
    planner.quarantine(task(1, noon()).number, noon() + secs(40));
    planner.wake(noon(), &site, dialable);

    assert_eq!(planner.begin(noon() + secs(39), &site, task_id(1)), Err(Hold::Quarantined(noon() + secs(40))));
    assert_eq!(planner.next_wake(&site), Some(noon() + secs(40)));
    planner.wake(noon() + secs(40), &site, dialable);
    assert_eq!(planner.next_wake(&site), None);
    assert!(planner.begin(noon() + secs(40), &site, task_id(1)).is_ok());
}

#[test]
fn held_by_names_agents_and_the_line_last() {
    let site = site();
    let mut planner = planner_of(&site, noon(), [task(1, noon())]);
    planner.wake(noon(), &site, dialable);
    let task = planner.get(task_id(1)).expect("it is open");
    let hold = |around| planner.held_by(noon(), &site, task, around);

    assert_eq!(hold(Around { customer_in_call: true, ..FREE }), Some(Hold::CustomerInCall));
    assert_eq!(
        hold(Around { agents: Agents::NobodyLoggedIn, ahead: 3, ..FREE }),
        Some(Hold::NobodyLoggedIn(name("support")))
    );
    assert_eq!(hold(Around { agents: Agents::AllBusy, ..FREE }), Some(Hold::AgentsBusy(name("support"))));
    assert_eq!(hold(Around { ahead: 2, ..FREE }), Some(Hold::Behind(2)));
    assert_eq!(hold(FREE), None);
}

#[test]
fn now_means_now_but_not_outside_hours() {
    let site = with_hours();
    let mut later = task(1, noon());
    later.not_before = noon() + secs(1_800);
    let mut planner = planner_of(&site, noon(), [later]);
    planner.hasten(noon(), &site, task_id(1));
    planner.wake(noon(), &site, dialable);
    assert_eq!(state(&planner, 1), TaskState::Due);

    let night = new_york("2026-11-02T22:00:00");
    planner.hasten(night, &site, task_id(1));
    planner.wake(night, &site, dialable);
    assert_eq!(state(&planner, 1), TaskState::Deferred);
}

// S5.10
#[test]
fn edited_settings_serve_the_next_attempt_of_every_task() {
    let mut site = with_hours();
    let night = new_york("2026-11-02T22:00:00");
    let mut planner = planner_of(&site, night, [task(1, night), task(2, night)]);
    planner.wake(night, &site, dialable);
    site.schedules = vec![office("09:00:00", "23:00:00")];
    // What was deferred to the old opening is looked at once the site has changed.
    planner.review(night);
    planner.wake(night, &site, dialable);
    assert_eq!(planner.iter().map(|task| task.state).collect::<Vec<_>>(), [TaskState::Due; 2]);
}

// law 9
#[test]
fn many_tasks_that_come_due_together_are_moved_in_portions() {
    let site = site();
    let mut planner = planner_of(&site, noon(), (1..=1_200).map(|n| task(n, noon())));
    let mut portions = Vec::new();
    while planner.next_wake(&site).is_some_and(|at| at <= noon()) {
        portions.push(planner.wake(noon(), &site, dialable).len());
    }
    assert_eq!(portions, [500, 500, 200]);
}

#[test]
fn an_attempt_that_could_not_dial_is_blocked_or_rests() {
    let site = site();
    let blocked = Verdict::uncounted(Next::Blocked);
    let mut planner = planner_of(&site, noon(), [task(1, noon())]);
    planner.wake(noon(), &site, dialable);
    planner.begin(noon(), &site, task_id(1)).expect("nothing holds it");
    planner.conclude(noon(), &site, task_id(1), blocked);
    assert_eq!(planner.next_wake(&site), Some(noon()));

    planner.wake(noon(), &site, |_| Some("the trunk is gone".to_owned()));
    assert_eq!(state(&planner, 1), TaskState::Blocked);
    planner.review(noon());
    planner.wake(noon(), &site, dialable);
    assert_eq!(state(&planner, 1), TaskState::Pending);
    assert_eq!(planner.next_wake(&site), Some(noon() + secs(60)));
}

#[test]
fn indexes_know_numbers_rules_states_and_keys() {
    let site = site();
    let mut keyed = task(1, noon());
    keyed.idempotency_key = Some("k".into());
    let mut planner = planner_of(&site, noon(), [keyed, task(2, noon())]);

    assert_eq!(planner.by_idempotency_key("k"), Some(task_id(1)));
    assert_eq!(planner.of_number(&task(2, noon()).number).count(), 1);
    assert_eq!(planner.pending_of("support-key"), 2);
    assert_eq!(planner.states().collect::<Vec<_>>(), [(&name("support"), TaskState::Pending, 2)]);
    planner.close(noon(), task_id(1), TaskState::Cancelled, CloseReason::CustomerCalled);
    planner.close(noon(), task_id(2), TaskState::Cancelled, CloseReason::CustomerCalled);
    assert!(planner.is_empty() && planner.states().next().is_none());
    assert_eq!((planner.by_idempotency_key("k"), planner.pending_of("support-key")), (None, 0));
    assert_eq!(planner.next_wake(&site), None, "at rest nothing is left (law 7)");
}

const OUTCOMES: [Outcome; 13] = [
    Outcome::Success,
    Outcome::ShortTalk,
    Outcome::NoAnswer,
    Outcome::Busy,
    Outcome::Rejected,
    Outcome::InvalidNumber,
    Outcome::NetworkError,
    Outcome::CallerIdRefused,
    Outcome::AgentNoAnswer,
    Outcome::AgentDeclined,
    Outcome::CustomerLeftBeforeBridge,
    Outcome::Blocked,
    Outcome::SystemRestart,
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Laws 1, 2 and 6 over random days: every task ends once, within its attempts, its hours and the caps, and the
    /// planner always knows when to wake next.
    #[test]
    fn every_task_ends_and_none_is_dialled_out_of_turn(
        starts in proptest::collection::vec((0..6u32, 0..200_000u64), 1..12),
        outcomes in proptest::collection::vec(0..OUTCOMES.len(), 1..40),
        lines in 1..4u32,
    ) {
        let mut site = with_hours();
        site.system.max_callback_lines = lines;
        let tasks = (1..).zip(&starts).map(|(n, (number, after))| {
            let from = noon() + secs(*after);
            let expires_at = Some(from + secs(86_400));
            Task { id: task_id(n), queue: name(&format!("q{n}")), expires_at, ..task(*number, from) }
        });
        let mut planner = planner_of(&site, noon(), tasks);
        let (mut now, mut script, mut ended) = (noon(), outcomes.iter().cycle(), BTreeMap::new());
        let mut histories: BTreeMap<_, Vec<Outcome>> = BTreeMap::new();
        for _ in 0..50_000 {
            let Some(next) = planner.next_wake(&site) else { break };
            now = now.max(next);
            for step in planner.wake(now, &site, dialable) {
                if let Step::Expired(task) = step {
                    prop_assert!(ended.insert(task.id, task.state).is_none());
                }
            }
            let due: Vec<_> = planner.iter().filter(|task| task.state == TaskState::Due).map(|task| task.id).collect();
            let begun: Vec<_> = due.into_iter().filter(|id| planner.begin(now, &site, *id).is_ok()).collect();
            prop_assert!(begun.len() <= lines as usize && planner.live() == begun.len());
            for id in begun {
                let task = planner.get(id).expect("it has begun").clone();
                prop_assert_eq!(planner.active(&task.number), Some(id));
                let outcome = OUTCOMES[*script.next().expect("it cycles")];
                let past = histories.entry(id).or_default();
                let count = |wanted: Outcome| past.iter().filter(|outcome| **outcome == wanted).count() as u32;
                let agent_failures = past.len() as u32;
                let history = History { network_errors: count(Outcome::NetworkError), agent_failures };
                past.push(outcome);
                let verdict = retry::after(&site, &site.profiles[0], &task, history, outcome, now);
                let after = planner.conclude(now, &site, id, verdict).expect("it was open");
                prop_assert!(after.attempts_used <= site.profiles[0].attempts_max);
                if after.state.is_final() {
                    prop_assert!(ended.insert(id, after.state).is_none());
                }
            }
            // A busy number or line is tried again when something ends: here, a second later.
            now += secs(1);
            if planner.iter().any(|task| task.state == TaskState::Due) {
                planner.review(now);
            }
        }
        prop_assert!(planner.is_empty(), "{:?}", planner.iter().next());
        prop_assert_eq!(ended.len(), starts.len());
    }
}
