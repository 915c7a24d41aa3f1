//! What holds a task: lines, queues, live callers, the end of the day, the customer's own word, a freeze.

use crate::planner::{dialable, held, noon, planner_of, state, with_hours};
use crate::site::{name, new_york, secs, site, task, task_id};
use ringback::callback::Hold;
use ringback::callback::planner::{NotKept, Planner, Step, yields_to_live};
use ringback::callback::retry::{Next, Verdict};
use ringback::callback::task::{CloseReason, Source, Task, TaskState};
use ringback::settings::{AfterCutoff, CallbackProfile, ClientReschedule, Settings};

/// Office hours, and whoever is left over at their end goes to people.
fn with_overflow() -> Settings {
    let mut site = with_hours();
    site.profiles[0].after_cutoff = AfterCutoff::Overflow;
    site
}

// S4.B3: at close, what is due or would be tried again after closing is left over; people keep it or remove it.
#[test]
fn what_the_day_did_not_finish_is_left_over_and_waits_for_people() {
    let mut site = with_overflow();
    site.profiles[0].expires_after = Some(secs(4 * 3_600));
    let mut retried = task(2, noon());
    (retried.state, retried.not_before) = (TaskState::WaitingRetry, new_york("2026-11-02T17:10:00"));
    let mut tomorrow = task(3, noon());
    tomorrow.not_before = new_york("2026-11-03T15:00:00");
    let mut planner = planner_of(&site, noon(), [task(1, noon()), retried, tomorrow]);
    planner.wake(noon(), &site, dialable);

    let closing = new_york("2026-11-02T17:00:00");
    let steps = planner.wake(closing, &site, dialable);
    let [Step::LeftOver(left)] = &steps[..] else { panic!("{steps:?}") };
    assert_eq!((left.id, left.state, left.due_since), (task_id(1), TaskState::Overflow, None));
    planner.wake(new_york("2026-11-02T17:10:00"), &site, dialable);
    assert_eq!([1, 2, 3].map(|n| state(&planner, n)), [TaskState::Overflow, TaskState::Overflow, TaskState::Pending]);
    assert_eq!(
        held(&planner, &site, closing, 1).as_deref(),
        Some("left over at the end of the day: keep it or remove it")
    );

    // Days pass, and nobody dials it; nor is it lost.
    let friday = new_york("2026-11-06T10:00:00");
    planner.wake(friday, &site, dialable);
    assert_eq!(state(&planner, 1), TaskState::Overflow);
    assert!(matches!(planner.begin(friday, &site, task_id(1)), Err(Hold::Overflow)));
    let kept = planner.keep(friday, &site, task_id(1)).expect("it is left over");
    assert_eq!((kept.state, kept.expires_at), (TaskState::Pending, Some(new_york("2026-11-06T14:00:00"))));
    planner.wake(friday, &site, dialable);
    assert_eq!(state(&planner, 1), TaskState::Due);
    assert_eq!(planner.keep(friday, &site, task_id(1)), Err(NotKept::NotLeftOver), "it is not left over any more");
}

// S1.19: what was asked for after hours has missed no day: it waits for the morning, whatever `after_cutoff` says.
#[test]
fn a_request_after_hours_is_not_left_over() {
    let site = with_overflow();
    let evening = new_york("2026-11-02T17:05:00");
    let mut planner = planner_of(&site, evening, [task(1, evening)]);
    planner.wake(evening, &site, dialable);
    assert_eq!(state(&planner, 1), TaskState::Deferred);
}

// Law 9: what is asked once for a whole line is what every task of it would say, and nothing is shut that is not.
#[test]
fn what_shuts_a_line_as_a_whole_shuts_each_of_its_tasks() {
    type Edit = fn(&mut Settings);
    let table: [(Edit, Result<(), Hold>); 6] = [
        (|_| {}, Ok(())),
        (|site| site.system.max_callback_lines = 1, Err(Hold::Lines(1))),
        (|site| site.system.max_originates_per_min = 1, Err(Hold::Rate(1))),
        (|site| site.system.frozen = true, Err(Hold::Frozen)),
        (|site| site.queues[0].max_callbacks = Some(1), Err(Hold::QueueLines(name("support"), 1))),
        (|site| site.profiles[0].max_lines = Some(1), Err(Hold::ProfileLines(name("standard"), 1))),
    ];
    for (edit, expected) in table {
        let mut site = site();
        let mut planner = planner_of(&site, noon(), [task(1, noon()), task(2, noon())]);
        planner.wake(noon(), &site, dialable);
        planner.begin(noon(), &site, task_id(1)).expect("nothing is shut");
        edit(&mut site);

        assert_eq!(planner.shut_for_all(noon(), &site, "support"), expected);
        assert_eq!(planner.may_begin(noon(), &site, task_id(2)), expected);
        if let Err(Hold::ProfileLines(..)) = expected {
            site.profiles.push(CallbackProfile::named("other"));
            assert_eq!(planner.shut_for_all(noon(), &site, "support"), Ok(()), "another profile has a line");
        }
    }
}

// S5.13: 20 due, and as many agents as one likes: 15 in flight.
#[test]
fn fifteen_lines_are_fifteen() {
    let mut site = site();
    site.system.max_originates_per_min = 6_000;
    let mut planner = planner_of(&site, noon(), (1..=20).map(|n| task(n, noon())));
    planner.wake(noon(), &site, dialable);

    let begun = (1..=20).filter(|n| planner.begin(noon(), &site, task_id(*n)).is_ok()).count();
    assert_eq!((begun, planner.live()), (15, 15));
    assert_eq!(planner.may_begin(noon(), &site, task_id(16)), Err(Hold::Lines(15)));
    planner.close(noon(), task_id(1), TaskState::Cancelled, CloseReason::ByAdmin);
    assert_eq!(planner.may_begin(noon(), &site, task_id(16)), Ok(()));
}

// S4.B1: cap 2: the third waits; cap 0 blocks all; `null` is no limit.
#[test]
fn a_queue_makes_as_many_callbacks_at_once_as_it_may() {
    for (cap, most) in [(Some(2), 2), (Some(0), 0), (None, 3)] {
        let mut site = site();
        site.queues[0].max_callbacks = cap;
        let mut planner = planner_of(&site, noon(), (1..=3).map(|n| task(n, noon())));
        planner.wake(noon(), &site, dialable);
        let begun = (1..=3).filter(|n| planner.begin(noon(), &site, task_id(*n)).is_ok()).count();
        assert_eq!(begun, most);
        if let Some(max) = cap {
            let held = planner.may_begin(noon(), &site, task_id(3));
            assert_eq!(held, Err(Hold::QueueLines(name("support"), max)));
        }
    }
}

// S5.6: a missed call yields to live callers for `yield_max`, a request does not, and a profile may say otherwise.
#[test]
fn who_yields_to_live_callers_does_so_for_half_an_hour() {
    let mut site = site();
    let mut missed = task(1, noon());
    missed.source = Source::MissedQueue;
    let mut planner = planner_of(&site, noon(), [missed, task(2, noon())]);
    planner.wake(noon() + secs(60), &site, dialable);
    let yields = |planner: &Planner, site: &Settings, n, at| {
        yields_to_live(&site.profiles[0], planner.get(task_id(n)).expect("it is open"), at)
    };

    assert_eq!(planner.get(task_id(1)).and_then(|task| task.due_since), Some(noon() + secs(60)));
    assert!(yields(&planner, &site, 1, noon() + secs(60)) && !yields(&planner, &site, 2, noon() + secs(60)));
    assert!(yields(&planner, &site, 1, noon() + secs(60 + 1_799)));
    assert!(!yields(&planner, &site, 1, noon() + secs(60 + 1_800)), "it has yielded long enough");
    site.profiles[0].yield_to_live = Some(false);
    assert!(!yields(&planner, &site, 1, noon() + secs(60)));
    site.profiles[0].yield_to_live = Some(true);
    assert!(yields(&planner, &site, 2, noon() + secs(60)));

    // An agent's failure does not begin it anew; a retry does.
    let late = noon() + secs(100);
    planner.begin(late, &site, task_id(1)).expect("nothing holds it");
    planner.conclude(late, &site, task_id(1), Verdict::uncounted(Next::Again(late + secs(5))));
    planner.wake(late + secs(5), &site, dialable);
    assert_eq!(planner.get(task_id(1)).and_then(|task| task.due_since), Some(noon() + secs(60)));
    planner.begin(late + secs(5), &site, task_id(1)).expect("nothing holds it");
    planner.conclude(late, &site, task_id(1), Verdict::uncounted(Next::Retry(late + secs(500))));
    planner.wake(late + secs(500), &site, dialable);
    assert_eq!(planner.get(task_id(1)).and_then(|task| task.due_since), Some(late + secs(500)));
}

// S4.5: the customer is asked when the time has come and hours allow it, by no agent, and once at a time.
#[test]
fn a_client_offer_waits_for_its_time_and_for_hours_and_for_no_agent() {
    let site = with_hours();
    let mut used = task(1, noon());
    (used.state, used.not_before) = (TaskState::ClientOffer, new_york("2026-11-02T17:10:00"));
    let mut planner = planner_of(&site, noon(), [used]);

    let evening = new_york("2026-11-02T17:10:00");
    planner.wake(evening, &site, dialable);
    assert_eq!(planner.next_offer(evening, &site, |_| true), None);
    let morning = new_york("2026-11-03T09:00:00");
    assert_eq!(planner.next_wake(&site), Some(morning));
    planner.wake(morning, &site, dialable);
    assert_eq!(planner.begin(morning, &site, task_id(1)), Err(Hold::ClientOffer));
    assert_eq!(planner.next_offer(morning, &site, |_| true), Some(task_id(1)));
    let begun = planner.begin_offer(morning, &site, task_id(1)).expect("nothing holds it");
    assert_eq!((begun.state, begun.attempts_made, begun.attempts_used), (TaskState::Reserving, 1, 0));
    assert_eq!(planner.next_offer(morning, &site, |_| true), None);
}

// S5.12: nothing is dialled while the site is frozen.
#[test]
fn a_frozen_site_dials_nothing() {
    let mut site = site();
    let mut planner = planner_of(&site, noon(), [task(1, noon())]);
    planner.wake(noon(), &site, dialable);
    site.system.frozen = true;
    assert_eq!(planner.begin(noon(), &site, task_id(1)), Err(Hold::Frozen));
    site.system.frozen = false;
    assert!(planner.begin(noon(), &site, task_id(1)).is_ok());
}

/// A task that has had all its attempts, whatever else became of it.
fn used_up(state: TaskState, used: u32) -> Task {
    let mut task = task(1, noon());
    (task.state, task.attempts_used, task.attempts_made) = (state, used, used);
    task
}

// Law 6: no agent's attempt begins that the profile does not allow, whoever put the task where it is.
#[test]
fn a_task_that_is_used_up_does_not_begin() {
    let site = site();
    let planner = planner_of(&site, noon(), [used_up(TaskState::Due, 3)]);
    assert_eq!(planner.may_begin(noon(), &site, task_id(1)), Err(Hold::UsedUp(3)));
    assert_eq!(held(&planner, &site, noon(), 1).as_deref(), Some("all 3 attempts are used up"));

    for (client, admin) in [(1, 0), (0, 1)] {
        let mut granted = used_up(TaskState::Due, 3);
        (granted.reschedules.client, granted.reschedules.admin) = (client, admin);
        let planner = planner_of(&site, noon(), [granted]);
        assert_eq!(planner.may_begin(noon(), &site, task_id(1)), Ok(()));
    }
}

// S5.10: an edit of the profile leaves it no attempt: it has failed, unless the customer may be asked.
#[test]
fn a_task_that_an_edit_has_used_up_is_closed_or_its_customer_is_asked() {
    let mut site = site();
    let mut planner = planner_of(&site, noon(), [used_up(TaskState::WaitingRetry, 2)]);
    planner.wake(noon(), &site, dialable);
    site.profiles[0].attempts_max = 2;
    planner.review(noon());
    let steps = planner.wake(noon(), &site, dialable);
    let [Step::UsedUp(task)] = &steps[..] else { panic!("{steps:?}") };
    assert_eq!((task.state, task.close_reason), (TaskState::Failed, Some(CloseReason::MaxAttempts)));
    assert!(planner.is_empty());

    site.profiles[0].client_reschedule = Some(ClientReschedule { key: '1', max: Some(1) });
    let mut planner = planner_of(&site, noon(), [used_up(TaskState::WaitingRetry, 2)]);
    let steps = planner.wake(noon(), &site, dialable);
    let [Step::UsedUp(task)] = &steps[..] else { panic!("{steps:?}") };
    assert_eq!((task.state, task.close_reason), (TaskState::ClientOffer, None));
    assert_eq!(planner.next_offer(noon(), &site, |_| true), Some(task_id(1)));
}

// `now` of people grants one attempt to what is used up, and no more than that; what is not used up is only hurried.
#[test]
fn people_grant_what_is_missing_and_no_more() {
    let site = site();
    for (used, granted) in [(0, 0), (2, 0), (3, 1), (5, 3)] {
        let mut planner = planner_of(&site, noon(), [used_up(TaskState::Overflow, used)]);
        for _ in 0..2 {
            let task = planner.hasten(noon(), &site, task_id(1)).expect("it is open");
            assert_eq!((task.state, task.reschedules.admin), (TaskState::Pending, granted), "after {used}");
        }
        planner.wake(noon(), &site, dialable);
        assert_eq!(planner.may_begin(noon(), &site, task_id(1)), Ok(()));
    }
    let mut planner = planner_of(&site, noon(), [used_up(TaskState::ClientOffer, 3)]);
    let asked = planner.hasten(noon(), &site, task_id(1)).expect("it is open");
    assert_eq!((asked.state, asked.reschedules.admin), (TaskState::ClientOffer, 0), "the customer is asked now");
}
