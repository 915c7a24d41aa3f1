//! Who has the last word on a callback: the customer who wants no more of them, whoever cancels it, its attempts when
//! they are used up. And which word is kept when two come at once.

use super::client_offer::{exhausted, offering};
use crate::disk::Mood;
use crate::drive::ANNA;
use crate::site::secs;
use crate::world::{TRUNK, World};
use ringback::callback::task::{AttemptKind, CloseReason, Outcome, Task, TaskState};
use ringback::demo::person::{Person, Reaction};
use ringback::settings::*;
use ringback::switch::command::{Command, NewCallback, PageOf, Refused, Reply};
use ringback::switch::{Change, DoNotCall};
use std::time::Duration;

const BUSY: Reaction = Reaction::Refuse { after: Duration::from_secs(1), status: 486 };
/// Whom alice may name instead of herself.
const OTHER: &str = "+12025550199";

pub(super) fn asked(number: &str) -> Command {
    Command::AddCallback(Box::new(NewCallback {
        number: number.to_owned(),
        queue: None,
        not_before: None,
        profile: None,
        agent: None,
        data: None,
        idempotency_key: None,
    }))
}

/// A callback for alice that nobody vouches for: she is asked whether she wants it.
fn given(change: impl FnOnce(&mut Settings)) -> (World, usize) {
    let mut world = World::with(1, change);
    let alice = world.customer(Person::new("alice", super::ALICE));
    world.ask(asked(super::ALICE));
    world.register(&[ANNA]);
    (world, alice)
}

fn ends(world: &World) -> Vec<(TaskState, Option<CloseReason>)> {
    world.tasks().iter().map(|task| (task.state, task.close_reason)).collect()
}

pub(super) fn attempts(world: &World) -> Vec<(AttemptKind, Option<Outcome>)> {
    world.attempts().into_iter().map(|attempt| (attempt.kind, attempt.outcome)).collect()
}

const DNC: (TaskState, Option<CloseReason>) = (TaskState::Cancelled, Some(CloseReason::Dnc));

/// What the last batch that names the list says besides.
fn listed_with(world: &World) -> Vec<Task> {
    let batch = world
        .disk
        .pending
        .iter()
        .find(|(_, changes)| changes.iter().any(|change| matches!(change, Change::PutDoNotCall(_))));
    let (_, changes) = batch.expect("it is on its way to the disk");
    let tasks = changes.iter().filter_map(|change| match change {
        Change::PutTask(task) => Some((**task).clone()),
        _ => None, // Something else of the batch.
    });
    tasks.collect()
}

// T33: "never again" holds for everything that the number was promised besides, at once and in the same batch.
#[test]
fn never_again_closes_the_other_callbacks_of_the_number_at_once() {
    let (mut world, alice) = given(|_| {});
    let (_, call) = world.called_back(alice);
    world.ask(asked(super::ALICE));
    assert_eq!(world.tasks().len(), 2, "the first is under way, so that another one may be asked for");
    world.answer(TRUNK, call);
    world.run_for(secs(1));

    world.disk.mood = Mood::Holding;
    world.press_one(TRUNK, call, '2');
    world.run_until("it is on its way to the disk", secs(1), |world| !world.disk.pending.is_empty());
    let other = listed_with(&world);
    assert_eq!(other.iter().map(|task| (task.state, task.close_reason)).collect::<Vec<_>>(), [DNC]);
    world.release_disk();
    world.run_for(secs(200));

    assert_eq!(ends(&world), [DNC, DNC]);
    assert_eq!(attempts(&world), [(AttemptKind::Agent, Some(Outcome::NotConfirmed))], "nobody rings her again");
    world.assert_rest();
}

// S4.5: 9 in the offer of another try holds for the other callbacks of the number as well.
#[test]
fn a_customer_who_presses_nine_loses_the_other_callbacks_too() {
    let (mut world, alice) = exhausted(offering(None));
    let call = world.rings_at(alice, secs(70));
    world.stations[ANNA].endpoint.register(world.now, 0); // Nobody is there to serve the other one meanwhile.
    world.ask(asked(super::ALICE));
    world.answer(TRUNK, call);
    world.press(TRUNK, call, "9");
    world.run_until("she is let go", secs(10), |world| !world.is_busy(TRUNK, alice));
    world.run_for(secs(1));

    assert_eq!(ends(&world), [DNC, DNC]);
    world.register(&[ANNA]);
    world.run_for(secs(60));
    assert_eq!(world.attempts().len(), 2);
    world.assert_rest();
}

// A promise that is being stored while its number is listed is not made.
#[test]
fn what_was_being_stored_when_the_number_was_listed_is_closed_too() {
    let (mut world, alice) = given(|_| {});
    let (_, call) = world.called_back(alice);
    world.answer(TRUNK, call);
    world.run_for(secs(1));
    world.disk.mood = Mood::Holding;
    world.tell(asked(super::ALICE));

    world.press(TRUNK, call, "2");
    world.release_disk();
    world.run_for(secs(200));

    assert_eq!(ends(&world), [DNC, DNC]);
    assert_eq!(world.attempts().len(), 1);
    world.assert_rest();
}

// Law 10: kill -9 after the list and before the rest: the next life does the rest.
#[test]
fn a_callback_of_a_listed_number_is_closed_by_the_next_life() {
    let mut world = World::new(1);
    world.promised("alice", super::ALICE);
    let task = world.tasks().remove(0);
    let said =
        DoNotCall { number: task.number.clone(), at: world.clock().utc, task: Some(task.id), who: None, note: None };
    world.disk.do_not_call.insert(task.number, said);
    world.crash();
    world.start();
    world.run_for(secs(1));

    assert_eq!(ends(&world), [DNC]);
    world.register(&[ANNA]);
    world.run_for(secs(60));
    assert!(world.attempts().is_empty());
}

fn hang_up_by_admin(world: &mut World) {
    let Reply::Calls(calls) = world.ask(Command::ListCalls(PageOf::default())) else { panic!("calls were asked for") };
    let live = calls.items.iter().find(|it| it.ended_at.is_none()).expect("it is live").id;
    world.ask(Command::HangUpCall(live));
}

// Law 6: an offer that is given up is an offer still: no agent's attempt follows that nobody has asked for.
#[test]
fn an_offer_that_is_given_up_is_made_again_and_no_attempt() {
    let (mut world, alice) = exhausted(offering(Some(1)));
    world.rings_at(alice, secs(70));

    hang_up_by_admin(&mut world);
    world.run_until("she is let go", secs(10), |world| !world.is_busy(TRUNK, alice));
    assert_eq!(world.callbacks()[0].task.state, TaskState::ClientOffer);
    let given_up = world.attempts()[1].ended_at.expect("an end");
    let call = world.rings_at(alice, secs(400));

    let offers = [
        (AttemptKind::Agent, Some(Outcome::Busy)),
        (AttemptKind::ClientOffer, Some(Outcome::Superseded)),
        (AttemptKind::ClientOffer, None),
    ];
    assert_eq!(attempts(&world), offers);
    assert_eq!((world.attempts()[2].loaded_at - given_up).num_seconds(), 300);
    world.hang_up(TRUNK, call);
    world.run_for(secs(5));
    assert_eq!(world.tasks()[0].attempts_used, 1);
    world.assert_rest();
}

/// The only attempt has failed, and the next would fall past the cut-off: people decide.
fn left_over(change: impl FnOnce(&mut Settings)) -> (World, usize) {
    let (mut world, alice) = exhausted(|site| {
        offering(None)(site);
        let time = |text: &str| text.parse().expect("a time");
        site.schedules.push(Schedule {
            name: "office".into(),
            tz: chrono_tz::America::New_York,
            weekly: vec![Weekly {
                days: vec![chrono::Weekday::Mon],
                hours: Hours { start: time("09:00:00"), end: time("11:00:00") },
            }],
            exceptions: Vec::new(),
        });
        let profile = &mut site.profiles[0];
        profile.schedule = Some("office".into());
        (profile.cutoff, profile.after_cutoff) = (secs(3_600), AfterCutoff::Overflow);
        site.rules[0].on_call_in = OnCallIn::Menu;
        change(site);
    });
    let task = world.tasks().remove(0);
    assert_eq!((task.state, task.attempts_used), (TaskState::Overflow, 1));
    world.run_for(secs(15)); // anna has rested.
    (world, alice)
}

// S4.B3, law 6: what is kept waits for what it waited for: everything is used, so the customer is asked.
#[test]
fn what_is_left_over_without_an_attempt_is_kept_as_an_offer() {
    let (mut world, alice) = left_over(|_| {});
    let id = world.tasks()[0].id;

    world.ask(Command::KeepCallback(id));
    world.rings_at(alice, secs(5));

    assert_eq!(attempts(&world)[1..], [(AttemptKind::ClientOffer, None)]);
    assert!(!world.is_busy(ANNA, 0));
}

// Nobody may be asked: it is not kept, and whoever wants to is told why.
#[test]
fn what_is_left_over_without_an_attempt_is_not_kept_when_nobody_may_be_asked() {
    let (mut world, alice) = left_over(|_| {});
    world.configure(|site| site.profiles[0].client_reschedule = None);
    let id = world.tasks()[0].id;

    let Reply::Refused(Refused::Conflict { detail }) = world.ask(Command::KeepCallback(id)) else {
        panic!("it is not kept")
    };
    assert_eq!(detail, "every attempt is used up; `now` grants one more");
    world.run_for(secs(60));
    assert!(!world.is_busy(ANNA, 0) && !world.is_busy(TRUNK, alice));
    assert_eq!(world.tasks()[0].state, TaskState::Overflow);
}

// Who rings in has no attempt left that he could keep: he is not asked, and is served in person at its place.
#[test]
fn a_caller_whose_attempts_are_used_up_is_not_asked_whether_to_keep_them() {
    let (mut world, alice) = left_over(|_| {});
    let start = world.tasks()[0].virtual_start;
    world.ask(Command::PauseAgent { agent: "anna".to_owned(), reason: None });
    let call = world.joins(alice);
    let leg = world.leg_of(TRUNK, call).expect("a leg");
    world.run_for(secs(2));
    world.press(TRUNK, call, "5");

    assert!(world.spoken(leg).is_empty(), "{:?}", world.spoken(leg));
    assert_eq!(ends(&world), [(TaskState::Cancelled, Some(CloseReason::CustomerCalled))]);
    let since = (world.clock().utc - start).num_seconds();
    let waited = world.line()[0].wait_secs;
    assert_eq!(i64::try_from(waited), Ok(since), "she has waited since her first call");
    world.ask(Command::ResumeAgent("anna".to_owned()));
    let agent = world.rings(ANNA, secs(5));
    world.answer(ANNA, agent);
    world.run_for(secs(20));
    world.hang_up(TRUNK, call);
    world.run_for(secs(60));
    assert_eq!(attempts(&world), [(AttemptKind::Agent, Some(Outcome::Busy))]);
    world.assert_rest();
}

// One that may still be tried is asked about, and keeping it leaves it to people: nobody is dialled for it.
#[test]
fn a_caller_who_keeps_what_is_left_over_leaves_it_to_people() {
    let (mut world, alice) = left_over(|_| {});
    world.configure(|site| site.profiles[0].attempts_max = 2);
    world.ask(Command::PauseAgent { agent: "anna".to_owned(), reason: None });
    let call = world.joins(alice);
    let leg = world.leg_of(TRUNK, call).expect("a leg");
    world.run_for(secs(2));
    world.press(TRUNK, call, "1");
    world.run_until("she is sent home", secs(30), |world| !world.is_busy(TRUNK, alice));
    world.ask(Command::ResumeAgent("anna".to_owned()));
    world.run_for(secs(60));

    assert_eq!(world.spoken(leg), ["pending_menu", "pending_kept goodbye"]);
    assert_eq!(attempts(&world), [(AttemptKind::Agent, Some(Outcome::Busy))]);
    assert_eq!(world.tasks()[0].state, TaskState::Overflow);
}

// `now` of people is a word of its own: exactly one more attempt, and it is written down that they granted it.
#[test]
fn people_grant_one_more_attempt_with_now_and_each_is_recorded() {
    let (mut world, alice) = left_over(|_| {});
    let id = world.tasks()[0].id;
    for granted in 1..=2 {
        world.ask(Command::PauseAgent { agent: "anna".to_owned(), reason: None });
        world.ask(Command::CallbackNow(id));
        world.ask(Command::CallbackNow(id));
        assert_eq!(world.tasks()[0].reschedules.admin, granted, "hurried twice, granted once");
        world.ask(Command::ResumeAgent("anna".to_owned()));
        world.stations[TRUNK].people[alice].reactions = [BUSY].into();
        let agent = world.rings(ANNA, secs(5));
        world.answer(ANNA, agent);
        world.run_until("anna is free", secs(30), |world| !world.is_busy(ANNA, 0));
        world.run_for(secs(15));
        let task = world.tasks().remove(0);
        assert_eq!((task.attempts_used, task.reschedules.admin), (1 + granted, granted));
        assert_eq!(task.state, TaskState::Overflow, "and then it is left over again");
    }
    world.run_for(secs(60));
    assert_eq!(world.attempts().len(), 3);
}

// S5.10, law 6: whose profile allows fewer attempts than were made is not tried again.
#[test]
fn an_edition_that_allows_fewer_attempts_ends_what_has_used_them() {
    let mut world = World::new(1);
    let alice = world.promised("alice", super::ALICE);
    world.register(&[ANNA]);
    world.stations[TRUNK].people[alice].reactions = [BUSY].into();
    let agent = world.rings(ANNA, secs(5));
    world.answer(ANNA, agent);
    world.run_for(secs(30));
    assert_eq!(world.tasks()[0].state, TaskState::WaitingRetry);

    world.configure(|site| site.profiles[0].attempts_max = 1);

    assert_eq!(ends(&world), [(TaskState::Failed, Some(CloseReason::MaxAttempts))]);
    world.run_for(secs(1_000));
    assert_eq!(world.attempts().len(), 1);
    world.assert_rest();
}

/// Alice, whom we would offer another try, rings in and changes her number; the disk is slow, and she hangs up.
fn changes_number(world: &mut World, alice: usize) {
    let call = world.joins(alice);
    world.run_for(secs(2));
    world.press(TRUNK, call, "3");
    world.run_for(secs(2));
    world.press(TRUNK, call, "2025550199#");
    world.run_for(secs(8));
    world.disk.mood = Mood::Holding;
    world.press_one(TRUNK, call, '1');
    world.run_for(Duration::from_millis(61));
    world.hang_up(TRUNK, call);
}

// Laws 1 and 2: the offer goes live while the new number is on its way to the disk: it is the new one that is called.
#[test]
fn a_number_that_changes_while_its_offer_begins_is_the_one_that_is_called() {
    let (mut world, alice) = exhausted(|site| {
        offering(None)(site);
        site.rules[0].on_call_in = OnCallIn::Menu;
        site.profiles[0].intervals = vec![Duration::ZERO, secs(23)];
    });
    let other = world.customer(Person::new("other", OTHER));
    changes_number(&mut world, alice);
    world.run_until("the offer begins", secs(60), |world| {
        let puts = world.disk.pending.iter().flat_map(|(_, changes)| changes);
        puts.into_iter().any(|change| matches!(change, Change::PutAttempt(_)))
    });

    world.release_disk();
    world.run_for(secs(2));
    assert_eq!(world.callbacks()[0].task.number.to_string(), OTHER);
    assert_eq!(world.callbacks()[0].task.state, TaskState::ClientOffer);
    let call = world.rings_at(other, secs(400));

    let tasks = world.tasks();
    assert_eq!((tasks.len(), tasks[0].number.to_string()), (1, OTHER.to_owned()));
    assert_eq!(attempts(&world)[1], (AttemptKind::ClientOffer, Some(Outcome::Superseded)));
    assert!(!world.is_busy(TRUNK, alice), "the old number is left alone");
    assert_eq!(world.attempts()[2].number.to_string(), OTHER);
    world.answer(TRUNK, call);
    world.press(TRUNK, call, "9");
    world.run_until("she is let go", secs(10), |world| !world.is_busy(TRUNK, other));
    world.run_for(secs(1));
    assert_eq!(ends(&world), [DNC]);
    assert_eq!(world.disk.do_not_call.keys().map(ToString::to_string).collect::<Vec<_>>(), [OTHER]);
    world.assert_rest();
}

// Law 1: whatever else is stored of it meanwhile, the new number is what a later life finds.
#[test]
fn a_number_that_changes_while_the_callback_is_hurried_is_changed_on_the_disk() {
    let mut world = World::with(1, |site| site.rules[0].on_call_in = OnCallIn::Menu);
    let alice = world.promised("alice", super::ALICE);
    let id = world.tasks()[0].id;
    changes_number(&mut world, alice);
    world.tell(Command::CallbackNow(id));
    world.release_disk();
    world.run_for(secs(2));

    let tasks = world.tasks();
    assert_eq!((tasks.len(), tasks[0].number.to_string()), (1, OTHER.to_owned()));
    assert_eq!(world.line().len(), 1, "it stands in line once");
    world.crash();
    world.start();
    assert_eq!(world.callbacks()[0].task.number.to_string(), OTHER);
}

// The customer's word is the reason, though the attempt he says it in was the last one.
#[test]
fn never_again_is_the_reason_also_when_it_was_the_last_attempt() {
    for again in [None, Some(AgentReschedule { key: '9', after_fail: secs(8) })] {
        let (mut world, alice) = given(|site| {
            site.profiles[0].attempts_max = 1;
            site.profiles[0].agent_reschedule = again;
        });
        let (_, call) = world.called_back(alice);
        world.answer(TRUNK, call);
        world.press(TRUNK, call, "2");
        world.run_until("anna is free", secs(30), |world| !world.is_busy(ANNA, 0));
        world.run_for(secs(1));

        assert_eq!(ends(&world), [DNC]);
        assert_eq!(world.tasks()[0].attempts_used, 1);
        world.assert_rest();
    }
}

/// Everything would be over if anna did not press 9, and she has a moment for it.
fn told() -> (World, usize) {
    let mut world = World::with(1, |site| {
        site.profiles[0].auto_reschedule = false;
        site.profiles[0].agent_reschedule = Some(AgentReschedule { key: '9', after_fail: secs(8) });
    });
    let alice = world.promised("alice", super::ALICE);
    world.register(&[ANNA]);
    world.stations[TRUNK].people[alice].reactions = [BUSY].into();
    let agent = world.rings(ANNA, secs(5));
    world.answer(ANNA, agent);
    world.run_until("anna hears it", secs(30), |world| world.ladder.noted("agent_busy").is_some());
    assert!(!world.tasks()[0].state.is_final());
    (world, alice)
}

// Whoever cancels is answered, and is the reason, though the attempt is waiting for its verdict.
#[test]
fn a_callback_that_is_cancelled_while_the_agent_is_told_was_cancelled() {
    let (mut world, _) = told();
    let id = world.tasks()[0].id;

    let Reply::Callback(shown) = world.ask(Command::CancelCallback(id)) else { panic!("it is cancelled") };

    assert_eq!((shown.task.state, shown.task.close_reason), (TaskState::Cancelled, Some(CloseReason::ByAdmin)));
    assert_eq!(ends(&world), [(TaskState::Cancelled, Some(CloseReason::ByAdmin))]);
    assert_eq!(attempts(&world), [(AttemptKind::Agent, Some(Outcome::Busy))]);
    assert_eq!(world.tasks()[0].attempts_used, 1, "she was dialled all the same");
    world.assert_rest();
}

// S5.7: who rings in at that moment is the reason.
#[test]
fn a_customer_who_rings_in_while_the_agent_is_told_is_the_reason() {
    let (mut world, alice) = told();

    let call = world.joins(alice);

    assert_eq!(ends(&world), [(TaskState::Cancelled, Some(CloseReason::CustomerCalled))]);
    world.hang_up(TRUNK, call);
    world.assert_rest();
}

/// A menu that leads to the queue `sales`, which is gone by the time it is chosen.
fn menu_to_nowhere(site: &mut Settings) {
    let sales = Queue { number: "5100".into(), members: vec![Member::of("anna")], ..Queue::named("sales", "5100") };
    site.queues.push(sales);
    site.ivrs = vec![Ivr {
        prompt: Sound::Prompt("menu_main".into()),
        keys: [('1', Destination::Queue("sales".into()))].into(),
        ..Ivr::named("main")
    }];
    site.inbound_routes[0].to = Destination::Ivr("main".into());
}

// Nobody is left in silence: a queue that a reload removes while a caller is choosing it says so and lets him go.
#[test]
fn a_caller_who_chooses_a_queue_that_is_gone_hears_that_and_is_let_go() {
    let mut world = World::with(1, menu_to_nowhere);
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    let leg = world.leg_of(TRUNK, call).expect("a leg");
    world.configure(|site| drop(site.queues.pop()));

    world.press(TRUNK, call, "1");
    world.run_until("she is let go", secs(20), |world| !world.is_busy(TRUNK, alice));

    assert_eq!(world.spoken(leg), ["menu_main", "call_later goodbye"]);
    world.assert_rest();
}

// One that rings at that moment gets a final response.
#[test]
fn a_caller_whose_queue_is_gone_before_he_is_answered_is_refused() {
    let mut world = World::with(1, |site| site.inbound_routes[0].to = Destination::Queue("nowhere".into()));
    let alice = world.customer(Person::new("alice", super::ALICE));
    world.call_in(alice);
    world.run_until("she is refused", secs(5), |world| !world.is_busy(TRUNK, alice));

    assert!(world.ladder.first("ringback", "alice", "404 Not Found").is_some());
    world.assert_rest();
}

// A menu that a reload removes while it is being said.
#[test]
fn a_caller_whose_menu_is_gone_hears_that_and_is_let_go() {
    for after in [secs(0), secs(4)] {
        let mut world = World::with(1, menu_to_nowhere);
        let alice = world.customer(Person::new("alice", super::ALICE));
        let call = world.joins(alice);
        let leg = world.leg_of(TRUNK, call).expect("a leg");
        world.run_for(after);

        world.configure(|site| site.ivrs.clear());
        world.press(TRUNK, call, "1");
        world.run_until("she is let go", secs(20), |world| !world.is_busy(TRUNK, alice));

        assert_eq!(world.spoken(leg), ["menu_main", "call_later goodbye"]);
        world.assert_rest();
    }
}
