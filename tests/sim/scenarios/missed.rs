//! Missed calls: who is lost where is called back by the rule of that place, and nobody else is.

use crate::disk::Mood;
use crate::drive::{ANNA, BEN};
use crate::products::{mikopbx, voximplant};
use crate::site::{DID, secs};
use crate::world::{TRUNK, World};
use ringback::callback::task::{CloseReason, MissedBy, Source, Task, TaskState};
use ringback::demo::person::{Person, Reaction};
use ringback::settings::*;
use ringback::switch::NotStored;
use ringback::switch::event::{Event, NotTaken};
use std::time::Duration;

fn rule(name: &str, source: RuleSource) -> CallbackRule {
    CallbackRule { source, ..CallbackRule::named(name, "standard") }
}

/// Who is lost in the line of support is called back.
pub(super) fn covered(site: &mut Settings) {
    site.rules.push(rule("missed", RuleSource::MissedQueue));
}

fn world(change: impl FnOnce(&mut Settings)) -> World {
    World::with(1, |site| {
        covered(site);
        change(site);
    })
}

/// Alice joins the line, waits and hangs up.
fn gives_up_after(world: &mut World, wait: Duration) -> usize {
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    world.run_for(wait);
    world.hang_up(TRUNK, call);
    alice
}

fn only_task(world: &World) -> Task {
    let mut tasks = world.tasks();
    assert_eq!(tasks.len(), 1, "{tasks:?}");
    tasks.remove(0)
}

// S3.1, S3.3, S3.B2, S1.B1: who was answered by music only and hangs up is missed; the task is there within a second.
#[test]
fn a_caller_who_gives_up_in_line_is_called_back() {
    let mut world = world(|_| {});
    let joined = world.clock().utc;
    let alice = gives_up_after(&mut world, secs(8));
    world.run_for(secs(1));

    let task = only_task(&world);
    assert_eq!(task.source, Source::MissedQueue);
    assert_eq!(task.missed_by, Some(MissedBy::Queue("support".into())));
    assert_eq!((task.number.as_str(), &*task.queue), (super::ALICE, "support"));
    assert_eq!(task.rule.as_deref(), Some("missed"));
    assert!(task.virtual_start - joined < chrono::TimeDelta::seconds(1), "his place is when he joined");
    assert!(task.origin_call.is_some() && task.dnis.as_deref() == Some(DID));
    assert!(world.ladder.noted("accepted").is_none(), "nobody was promised anything");

    world.register(&[ANNA]);
    let (agent, call) = world.called_back(alice);
    world.answer(TRUNK, call);
    world.run_for(secs(10));
    world.hang_up(ANNA, agent);
    world.run_for(secs(2));
    assert_eq!(only_task(&world).state, TaskState::Completed);
    world.assert_ladder("missed_in_queue");
    world.assert_rest();
}

// S3.2: a call that loses its media is missed as well.
#[test]
fn a_caller_whose_media_and_signalling_die_is_called_back() {
    let mut world = world(|_| {});
    let alice = world.customer(Person::new("alice", super::ALICE));
    world.joins(alice);

    world.cut(TRUNK);
    world.stations[TRUNK].endpoint.quirks.dead = true;
    world.run_for(secs(40));

    assert_eq!(only_task(&world).source, Source::MissedQueue);
}

// S3.2: so is one that the queue hangs up on.
#[test]
fn a_caller_who_has_waited_as_long_as_the_queue_allows_is_called_back() {
    let mut world = world(|site| site.queues[0].max_wait = Some(secs(20)));
    let alice = world.customer(Person::new("alice", super::ALICE));
    world.joins(alice);

    world.run_until("he is sent away", secs(40), |world| !world.is_busy(TRUNK, alice));
    world.run_for(secs(1));

    assert_eq!(only_task(&world).missed_by, Some(MissedBy::Queue("support".into())));
    world.assert_rest();
}

// S2.21: hanging up inside the number dialogue leaves no request; a missed call it is where a rule covers the queue.
#[test]
fn a_caller_who_hangs_up_while_he_types_has_asked_for_nothing() {
    for is_covered in [false, true] {
        let mut world = World::with(1, |site| {
            if is_covered {
                covered(site)
            }
        });
        let alice = world.customer(Person::new("alice", super::ALICE));
        let call = world.joins(alice);
        world.run_for(secs(3));
        world.press(TRUNK, call, "1202555");
        world.hang_up(TRUNK, call);
        world.run_for(secs(1));

        let sources: Vec<Source> = world.tasks().iter().map(|task| task.source).collect();
        assert_eq!(sources, if is_covered { vec![Source::MissedQueue] } else { vec![] });
        world.assert_rest();
    }
}

#[test]
fn a_misdial_is_nobodys_missed_call() {
    // C18: `min_wait`, and one ring whatever the rule says.
    for (min_wait, wait, missed) in [(3, 1, 0), (3, 3, 1), (0, 1, 0), (0, 2, 1), (10, 8, 0)] {
        let mut world = world(|site| site.rules[1].min_wait = secs(min_wait));
        gives_up_after(&mut world, secs(wait));
        world.run_for(secs(1));
        assert_eq!(world.tasks().len(), missed, "min_wait {min_wait}, waited {wait}");
    }
}

// S5.14: a rule that is off makes no task, nor one that takes nothing new.
#[test]
fn a_rule_that_is_off_calls_nobody_back() {
    let changes: [fn(&mut CallbackRule); 3] =
        [|rule| rule.enabled = false, |rule| rule.accept = false, |rule| rule.source = RuleSource::MissedIvr];
    for change in changes {
        let mut world = world(|site| change(&mut site.rules[1]));
        gives_up_after(&mut world, secs(8));
        world.run_for(secs(1));
        assert_eq!(world.tasks(), []);
    }
}

// S3.B3: phones of ours are not called back; who was served meanwhile is not either.
#[test]
fn an_internal_caller_is_not_missed() {
    let mut world = world(|_| {});
    world.register(&[BEN]);
    let call = world.dial(BEN, "5000");
    world.run_for(secs(8));
    world.hang_up(BEN, call);
    world.run_for(secs(1));

    assert_eq!(world.tasks(), []);
    world.assert_rest();
}

// S5.7, S3.B3: a customer who calls again takes his place back; the callback is cancelled, and says why.
#[test]
fn who_calls_again_is_not_called_back() {
    let mut world = World::with(1, voximplant);
    let alice = gives_up_after(&mut world, secs(8));
    world.run_for(secs(5));
    let place = only_task(&world).virtual_start;

    let call = world.joins(alice);
    let task = only_task(&world);
    assert_eq!((task.state, task.close_reason), (TaskState::Cancelled, Some(CloseReason::CustomerCalled)));
    let waits = world.line()[0].wait_secs;
    assert!(waits >= 14, "he has waited since {place}: {waits}");

    world.register(&[ANNA]);
    let agent = world.rings(ANNA, secs(3));
    world.answer(ANNA, agent);
    world.run_for(secs(10));
    world.hang_up(TRUNK, call);
    world.run_for(secs(120));
    assert_eq!(world.tasks().len(), 1, "served, and so not missed");
    assert!(!world.is_busy(ANNA, 0));
    world.assert_rest();
}

// S5.7, S3.B6: an agent who dials the customer himself closes the callback, even between two attempts.
#[test]
fn who_is_dialled_by_an_agent_is_not_called_back() {
    let mut world = World::with(1, voximplant);
    let alice = gives_up_after(&mut world, secs(8));
    let busy = Reaction::Refuse { after: secs(1), status: 486 };
    let soon = Reaction::Answer { after: secs(2), early: false };
    world.stations[TRUNK].people[alice].reactions = [busy, soon].into();
    world.register(&[ANNA]);
    let ringing = world.rings(ANNA, secs(61));
    world.answer(ANNA, ringing);
    world.run_until("the first attempt is over", secs(60), |world| !world.is_busy(ANNA, 0));
    assert_eq!(only_task(&world).state, TaskState::WaitingRetry);

    let call = world.dial(ANNA, super::ALICE);
    world.run_until("they talk", secs(10), |world| world.is_up(ANNA, call));
    world.run_for(secs(20));
    world.hang_up(ANNA, call);
    world.run_for(secs(2));

    let task = only_task(&world);
    assert_eq!((task.state, task.close_reason), (TaskState::Cancelled, Some(CloseReason::AgentDialled)));
    world.run_for(secs(1_000));
    assert_eq!(world.attempts().len(), 1, "no further attempt");
    world.assert_rest();
}

// S3.B5: nobody is called back while he is on the line with us.
#[test]
fn who_talks_with_us_is_not_called_back_meanwhile() {
    let mut world = world(|site| {
        site.inbound_routes.insert(
            0,
            InboundRoute::of("carrier", DidPattern::Exact("+12025550101".into()), Destination::Ivr("info".into())),
        );
        site.ivrs.push(Ivr { prompt: Sound::Prompt("info".into()), timeout: secs(60), ..Ivr::named("info") });
    });
    let alice = gives_up_after(&mut world, secs(8));
    let now = world.now;
    let listening = world.stations[TRUNK].dial(now, alice, "+12025550101");
    world.run_for(secs(1));
    world.register(&[ANNA]);

    world.run_for(secs(20));
    assert!(!world.is_busy(ANNA, 0), "he listens to our announcements");
    assert_eq!(world.callbacks()[0].held_by.as_deref(), Some("the customer is in a call with us"));
    world.hang_up(TRUNK, listening);
    world.rings(ANNA, secs(1));
}

// S3.B4: one open task per number; a second miss keeps the first place.
#[test]
fn two_misses_of_one_number_are_one_callback() {
    let mut world = world(|site| {
        site.ivrs.push(Ivr { prompt: Sound::Prompt("menu".into()), ..Ivr::named("main") });
        site.inbound_routes.insert(
            0,
            InboundRoute::of("carrier", DidPattern::Exact("+12025550101".into()), Destination::Ivr("main".into())),
        );
        site.rules.push(rule("missed-menu", RuleSource::MissedIvr));
        site.profiles[0].destination = ServedBy::Queue("support".into());
        site.profiles[0].intervals = vec![secs(600)];
    });
    let alice = gives_up_after(&mut world, secs(8));
    world.run_for(secs(1));
    let first = only_task(&world);

    let now = world.now;
    let call = world.stations[TRUNK].dial(now, alice, "+12025550101");
    world.run_for(secs(6));
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));

    let (open, closed): (Vec<Task>, Vec<Task>) = world.tasks().into_iter().partition(|task| !task.state.is_final());
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].virtual_start, first.virtual_start);
    assert_eq!(closed[0].close_reason, Some(CloseReason::Merged));
}

#[test]
fn a_promise_is_not_lost_to_a_missed_call() {
    let mut world = world(|site| {
        site.ivrs.push(Ivr { prompt: Sound::Prompt("menu".into()), ..Ivr::named("main") });
        site.inbound_routes.insert(
            0,
            InboundRoute::of("carrier", DidPattern::Exact("+12025550101".into()), Destination::Ivr("main".into())),
        );
        site.rules.push(rule("missed-menu", RuleSource::MissedIvr));
        site.profiles[0].destination = ServedBy::Queue("support".into());
    });
    let alice = world.promised("alice", super::ALICE);
    assert_eq!(only_task(&world).source, Source::QueueRequest);

    let now = world.now;
    let call = world.stations[TRUNK].dial(now, alice, "+12025550101");
    world.run_for(secs(6));
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));

    let task = only_task(&world);
    assert_eq!((task.source, task.state.is_final()), (Source::QueueRequest, false));
}

// S5.11: the task knows by name who has missed the call, and that he is gone from the site cancels it.
#[test]
fn a_missed_call_of_a_queue_that_is_gone_is_not_called_back() {
    let mut world = world(|_| {});
    gives_up_after(&mut world, secs(8));
    world.run_for(secs(1));
    assert_eq!(only_task(&world).missed_by, Some(MissedBy::Queue("support".into())));

    world.crash();
    world.settings.queues[0].name = "sales".into();
    world.settings.inbound_routes[0].to = Destination::Queue("sales".into());
    world.start();
    world.run_for(secs(1));

    let task = only_task(&world);
    assert_eq!((task.state, task.close_reason), (TaskState::Cancelled, Some(CloseReason::SourceDeleted)));
}

// S3.2: callers whom our own end tears out of the line are missed, each once.
#[test]
fn callers_in_line_when_the_process_dies_wait_on_or_are_called_back_by_the_next_life() {
    for seed in 0..20 {
        let mut world = World::with(seed, covered);
        let people = [("alice", super::ALICE), ("bob", super::BOB), ("carol", super::CAROL)];
        for (name, number) in people {
            let customer = world.customer(Person::new(name, number));
            world.joins(customer);
        }
        world.run_for(secs(5));
        // Bob hangs up at the last moment: whichever of the two the disk has seen, he is missed once.
        let bob = world.of(1);
        let now = world.now;
        world.stations[TRUNK].endpoint.hang_up(now, bob);
        world.run_for(Duration::from_millis(10 + seed % 4));

        world.crash();
        world.run_for(secs(1));
        world.start();
        world.run_for(secs(1));
        world.crash();
        world.start();
        world.run_for(secs(1));

        let numbers: Vec<String> = world.tasks().iter().map(|task| task.number.to_string()).collect();
        assert_eq!(numbers, [super::BOB], "seed {seed}");
        let waiting: Vec<String> =
            world.line().into_iter().filter(|it| it.kind == "live").map(|it| it.number).collect();
        assert_eq!(waiting, [super::ALICE, super::CAROL], "seed {seed}");
        assert_eq!(world.disk.entries.len(), 2);
    }
}

// S3.10: a missed call found at start that is older than the lookback creates nothing.
#[test]
fn an_old_missed_call_found_at_start_creates_nothing() {
    for (away, found) in [(290, 1), (301, 0)] {
        let mut world = World::with(1, |site| {
            mikopbx(site);
            covered(site);
        });
        let alice = world.customer(Person::new("alice", super::ALICE));
        world.joins(alice);
        world.crash();
        world.run_for(secs(away));
        world.start();
        world.run_for(secs(1));

        assert_eq!(world.tasks().len(), found, "{away} s old");
        assert!(world.disk.entries.is_empty(), "looked at once");
    }
}

// S3.10: a task of a missed call that is older than the lookback is expired and not dialled.
#[test]
fn an_old_task_of_a_missed_call_expires_instead_of_being_dialled() {
    let mut world = World::with(1, |site| {
        mikopbx(site);
        covered(site);
    });
    gives_up_after(&mut world, secs(8));
    world.run_for(secs(1));
    let stored = only_task(&world).created_at;
    world.run_for(secs(298));
    assert!(!only_task(&world).state.is_final(), "a second before");
    world.run_for(secs(2));

    let task = only_task(&world);
    assert_eq!(task.state, TaskState::Expired);
    assert_eq!((task.closed_at.expect("closed") - stored).num_milliseconds(), 300_000);
    world.register(&[ANNA]);
    world.run_for(secs(10));
    assert!(!world.is_busy(ANNA, 0));
    world.assert_rest();
}

#[test]
fn who_was_promised_or_served_is_not_found_as_missed() {
    let mut world = world(|_| {});
    world.promised("alice", super::ALICE);
    world.register(&[ANNA]);
    let agent = world.rings(ANNA, secs(5));
    world.refuse(ANNA, agent, 486);
    let bob = world.customer(Person::new("bob", super::BOB));
    world.register(&[BEN]);
    let call = world.joins(bob);
    assert!(world.is_up(TRUNK, call));

    world.crash();
    world.start();
    world.run_for(secs(1));

    let promised = world.tasks().iter().filter(|task| task.number.as_str() == super::ALICE).count();
    assert_eq!(promised, 1);
}

// Law 1: who asked to be called at another number is not found as missed at his own when the promise was his last word.
#[test]
fn who_dies_with_us_while_the_promise_is_spoken_has_one_callback() {
    let mut world = world(|_| {});
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    world.run_for(secs(2));
    world.press(TRUNK, call, "1");
    world.press(TRUNK, call, "12025550124#");
    world.run_for(secs(12));
    world.press(TRUNK, call, "1");
    world.run_until("it is promised", secs(5), |world| world.ladder.noted("accepted").is_some());
    world.run_for(Duration::from_millis(20));
    assert_eq!(world.disk.entries.len(), 1, "he is on the line still");

    world.crash();
    world.start();
    world.run_for(secs(1));

    let task = only_task(&world);
    assert_eq!((task.source, task.number.as_str()), (Source::QueueRequest, super::BOB));
    assert!(world.disk.entries.is_empty());
}

// Nobody was promised anything, so a full disk loses a missed call, and says so.
#[test]
fn a_full_disk_drops_a_missed_call_and_counts_it() {
    let mut world = world(|_| {});
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    world.run_for(secs(5));
    world.disk.mood = Mood::Failing(NotStored::Full);
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));
    world.disk.mood = Mood::Working;
    world.run_for(secs(10));

    assert_eq!(world.tasks(), []);
    assert!(world.disk.entries.is_empty(), "told again that he has left");
    assert_eq!(world.published.iter().filter(|(_, event)| matches!(event, Event::MissedNotStored { .. })).count(), 1);
    world.assert_rest();
}

// C18: what a full rule does not take is told; who has his callback already makes room for himself.
#[test]
fn a_full_rule_drops_a_missed_call_and_says_so() {
    let mut world = World::with(1, |site| {
        voximplant(site);
        site.ivrs.push(Ivr { prompt: Sound::Prompt("menu".into()), ..Ivr::named("main") });
        site.inbound_routes[0].to = Destination::Ivr("main".into());
        site.rules[0] = CallbackRule { max_pending: Some(1), ..rule("missed", RuleSource::MissedIvr) };
        site.profiles[0].destination = ServedBy::Queue("support".into());
    });
    let mut gives_up = |name, number| {
        let caller = world.customer(Person::new(name, number));
        let call = world.call_in(caller);
        world.run_for(secs(6));
        world.hang_up(TRUNK, call);
        world.run_for(secs(1));
        let dropped = world.published.iter().filter_map(|(_, event)| match event {
            Event::MissedNotTaken { why, .. } => Some(*why),
            _ => None, // not what this is about
        });
        let dropped: Vec<NotTaken> = dropped.collect();
        let open = world.tasks().into_iter().filter(|task| !task.state.is_final());
        (dropped, open.map(|task| task.number.to_string()).collect::<Vec<_>>())
    };

    assert_eq!(gives_up("alice", super::ALICE), (vec![], vec![super::ALICE.to_owned()]));
    assert_eq!(gives_up("alice", super::ALICE), (vec![], vec![super::ALICE.to_owned()]), "hers, merged");
    assert_eq!(gives_up("bob", super::BOB), (vec![NotTaken::RuleFull], vec![super::ALICE.to_owned()]));
    let merged = world.tasks().into_iter().filter(|task| task.close_reason == Some(CloseReason::Merged)).count();
    assert_eq!(merged, 1);
}

// A one-ring campaign with numbers that cost makes nobody dial (security.md T32).
#[test]
fn ten_thousand_single_rings_with_costly_numbers_make_no_callback() {
    let costly = ["+19005550100", "+18765550100", "+882131234567", "+8811234567", "+15005550100", "+4490912345678"];
    for day in 0..100 {
        let mut world = world(|site| site.rules[1].min_wait = Duration::ZERO);
        let caller = world.customer(Person::new("wangiri", costly[0]));
        for n in 0..100 {
            world.stations[TRUNK].people[caller].number = costly[(day + n) % costly.len()].to_owned();
            let call = world.call_in(caller);
            // Most hang up at once, some wait for long enough.
            world.run_for(if n == 7 { secs(4) } else { Duration::from_millis(300) });
            world.hang_up(TRUNK, call);
        }
        assert_eq!(world.tasks(), []);
        assert!(!world.published.iter().any(|(_, event)| matches!(event, Event::MissedCallStored { .. })));
    }
}
