//! Asking for a callback by key, as the five products want it: which key, when, with or without a dialogue.

use crate::disk::Mood;
use crate::drive::ANNA;
use crate::products::{mikopbx, portsip};
use crate::site::secs;
use crate::world::{TRUNK, World};
use ringback::callback::task::{CloseReason, Outcome, Source, TaskState};
use ringback::demo::endpoint::{CallId, EndedBy, Event};
use ringback::demo::person::Person;
use ringback::id::LegRef;
use ringback::media::Play;
use ringback::settings::*;
use std::time::Duration;

fn joins(world: &mut World, name: &str, number: &str) -> (CallId, LegRef) {
    let customer = world.customer(Person::new(name, number));
    let call = world.joins(customer);
    (call, world.leg_of(TRUNK, call).expect("a leg"))
}

/// PortSIP's dialogue, and what was typed is said again: 1 confirms it.
fn with_read_back(site: &mut Settings) {
    portsip(site);
    site.rules[0].read_back = true;
}

fn hears_music(world: &World, leg: LegRef) -> bool {
    let last = world.shard.heard.iter().rfind(|(_, to, _)| *to == leg);
    match last {
        Some((_, _, Play::Hold(_))) => true,
        Some((_, _, Play::Clips { then, .. })) => then.is_some(),
        Some((_, _, Play::Ringback)) | None => false,
    }
}

fn sent_home(world: &mut World, call: CallId) {
    world.run_until("the caller is sent home", secs(30), |world| !world.is_up(TRUNK, call));
    world.run_for(secs(1));
}

/// How long after the last run of clips but one the last one began.
fn between(world: &World, leg: LegRef) -> f64 {
    let words = world.words(leg);
    words[words.len() - 1].0 - words[words.len() - 2].0
}

// S1.B3, S2.1: with all agents busy key 1 creates one task, and it is there after the caller has hung up.
#[test]
fn a_caller_whom_nobody_can_take_asks_to_be_called() {
    let mut world = World::new(1);
    world.register(&[ANNA]);
    world.dial(ANNA, "*46");
    world.run_for(secs(5));
    let (call, _) = joins(&mut world, "alice", super::ALICE);

    world.press(TRUNK, call, "1#");
    sent_home(&mut world, call);
    world.run_for(secs(600));

    assert_eq!(world.tasks().len(), 1);
    assert_eq!(world.callbacks()[0].task.state, TaskState::Due);
    assert_eq!(world.tasks()[0].number.to_string(), super::ALICE);
    world.assert_rest();
}

// S2.6: requested by the caller: the key works at any second of the wait.
#[test]
fn the_key_works_at_any_second() {
    for after in [0, 1, 599, 3_000] {
        let mut world = World::with(1, portsip);
        let (call, alice) = joins(&mut world, "alice", super::ALICE);
        world.run_for(secs(after));

        world.press(TRUNK, call, "3");

        assert_eq!(world.spoken(alice), ["confirm_number"], "after {after} s");
        world.press(TRUNK, call, "#");
        sent_home(&mut world, call);
        assert_eq!(world.tasks().len(), 1);
    }
}

// S2.7: pressing 3 stops the music and starts the confirm prompt within 500 ms.
#[test]
fn the_confirm_prompt_begins_at_once() {
    let mut world = World::with(1, portsip);
    let (call, alice) = joins(&mut world, "alice", super::ALICE);
    world.run_for(secs(7));
    assert!(hears_music(&world, alice));

    let pressed = world.now;
    world.press(TRUNK, call, "3");

    let (at, _, play) = world.shard.heard.last().expect("a prompt").clone();
    assert_eq!(play, Play::Clips { clips: vec!["confirm_number".into()], then: None });
    assert!(at.since(pressed) <= Duration::from_millis(500), "{:?}", at.since(pressed));
    world.hang_up(TRUNK, call);
    world.assert_rest();
}

// S2.8, S2.9: a number and `#`, read back and confirmed by 1; `#` alone is the calling number.
#[test]
fn the_number_is_typed_or_the_callers_own() {
    for (keys, confirmed, number) in [("2025550199#", true, "+12025550199"), ("#", false, super::ALICE)] {
        let mut world = World::with(1, with_read_back);
        let (call, alice) = joins(&mut world, "alice", super::ALICE);

        world.press(TRUNK, call, "3");
        world.press(TRUNK, call, keys);
        if confirmed {
            let digits: Vec<String> = number[2..].chars().map(|digit| format!("digit_{digit}")).collect();
            let read_back = world.spoken(alice).remove(1);
            assert!(read_back.ends_with(&format!("{} read_back_choice", digits.join(" "))), "{read_back}");
            assert!(world.tasks().is_empty(), "not before it is confirmed");
            world.press(TRUNK, call, "1");
        }
        sent_home(&mut world, call);

        let tasks = world.tasks();
        assert_eq!(tasks.iter().map(|task| task.number.to_string()).collect::<Vec<_>>(), [number]);
    }
}

// S2.8: PortSIP reads nothing back: digits and `#`, and that number is promised a call at once.
#[test]
fn a_number_that_is_not_read_back_is_stored_with_the_pound_key() {
    let mut world = World::with(1, portsip);
    let (call, alice) = joins(&mut world, "alice", super::ALICE);

    world.press(TRUNK, call, "3202555019");
    assert!(world.tasks().is_empty());
    world.press(TRUNK, call, "9");
    assert!(world.tasks().is_empty(), "not before the number is ended");
    let ended = world.now;
    world.press_one(TRUNK, call, '#');
    world.run_until("it is stored", Duration::from_millis(300), |world| world.tasks().len() == 1);

    assert_eq!(world.tasks()[0].number.to_string(), "+12025550199");
    assert!(world.now.since(ended) < Duration::from_millis(100), "{:?}", world.now.since(ended));
    sent_home(&mut world, call);
    assert_eq!(world.spoken(alice), ["confirm_number", "accepted goodbye"]);
    world.assert_rest();
}

// S2.10: `*` goes on holding: music resumes, position and join time unchanged, no task.
#[test]
fn star_changes_nothing() {
    let mut world = World::with(1, portsip);
    let (first, alice) = joins(&mut world, "alice", super::ALICE);
    world.run_for(secs(30));
    let (second, _) = joins(&mut world, "bob", super::BOB);

    world.press(TRUNK, first, "32025*");
    world.run_for(secs(9));

    assert!(hears_music(&world, alice));
    assert!(world.tasks().is_empty());
    let line: Vec<(String, u64)> = world.line().into_iter().map(|it| (it.number, it.wait_secs)).collect();
    assert_eq!(line[0].0, super::ALICE);
    assert!((42..=45).contains(&line[0].1), "{line:?}");
    world.hang_up(TRUNK, first);
    world.hang_up(TRUNK, second);
    world.assert_rest();
}

// S2.11: a wrong, a short and a forbidden number, silence, and a withheld number with `#` alone: asked again, at the
// third time back to hold with the place kept; never dropped, never silent.
#[test]
fn every_bad_try_is_answered_and_the_third_goes_back_to_hold() {
    let long = "20255501990000000#";
    for (keys, word) in [("12#", "invalid "), (long, "invalid "), ("9005550123#", "not_allowed "), ("", "")] {
        let mut world = World::with(1, portsip);
        let (call, alice) = joins(&mut world, "alice", super::ALICE);

        world.press(TRUNK, call, "3");
        for tried in 1..=3 {
            match keys {
                "" => world.run_for(secs(if tried == 1 { 7 } else { 8 })),
                keys => world.press(TRUNK, call, keys),
            }
            let said = world.spoken(alice);
            let expected = if tried < 3 { format!("{word}confirm_number") } else { "back_to_hold".to_owned() };
            assert_eq!(said[tried..], [expected], "try {tried} of {keys:?}: {:?}", world.words(alice));
            assert!(world.is_up(TRUNK, call));
        }
        world.run_for(secs(3));

        assert!(hears_music(&world, alice), "{keys:?}");
        assert_eq!(world.line().len(), 1);
        assert!(world.tasks().is_empty());
        // And asking again works as before.
        world.press(TRUNK, call, "3#");
        sent_home(&mut world, call);
        assert_eq!(world.tasks().len(), 1);
    }
}

// S2.11: a number that is begun and not ended within the pause is asked for again; what was typed is forgotten.
#[test]
fn a_pause_among_the_digits_asks_again() {
    let mut world = World::with(1, portsip);
    let (call, alice) = joins(&mut world, "alice", super::ALICE);
    world.press(TRUNK, call, "3202555");
    world.run_for(Duration::from_millis(4_600));
    assert_eq!(world.spoken(alice), ["confirm_number", "confirm_number"], "five seconds after the last key");
    world.run_for(secs(1));
    world.press(TRUNK, call, "2025550199#");
    sent_home(&mut world, call);
    assert_eq!(world.tasks()[0].number.to_string(), "+12025550199");
}

// S2.11: a withheld number: the prompt does not offer `#` alone, and `#` alone is asked again.
#[test]
fn a_caller_without_a_number_is_asked_for_one() {
    let mut world = World::with(1, portsip);
    let alice = world.customer(Person::new("alice", super::ALICE));
    let now = world.now;
    let call = world.stations[TRUNK].dial_withheld(now, alice, crate::site::DID);
    world.run_for(secs(1));
    let leg = world.leg_of(TRUNK, call).expect("a leg");

    world.press(TRUNK, call, "3###");

    assert_eq!(world.spoken(leg), ["enter_number", "invalid enter_number", "invalid enter_number", "back_to_hold"]);
    world.run_for(secs(3));
    assert!(hears_music(&world, leg) && world.tasks().is_empty());
    world.hang_up(TRUNK, call);
    world.assert_rest();
}

// model.md, number_policy: `anonymous = refuse`: who withholds his number is offered nothing, and the key apologises.
#[test]
fn a_withheld_number_may_be_refused() {
    let mut world = World::with(1, |site| {
        site.number_policies = vec![NumberPolicy { anonymous: Anonymous::Refuse, ..NumberPolicy::named("known") }];
        site.rules[0].number_policy = Some("known".into());
        site.rules[0].triggers = vec![Trigger::Key, Trigger::Announced];
        site.rules[0].offer_after = secs(10);
    });
    let alice = world.customer(Person::new("alice", super::ALICE));
    let now = world.now;
    let call = world.stations[TRUNK].dial_withheld(now, alice, crate::site::DID);
    world.run_for(secs(1));
    let (known, bob) = joins(&mut world, "bob", super::BOB);
    let leg = world.leg_of(TRUNK, call).expect("a leg");

    world.run_for(secs(20));
    world.press(TRUNK, call, "1");

    assert_eq!(world.spoken(leg), ["sorry"]);
    assert_eq!(world.spoken(bob), ["offer"]);
    assert!(hears_music(&world, leg));
    world.hang_up(TRUNK, call);
    world.hang_up(TRUNK, known);
    world.assert_rest();
}

// S2.16: our BYE comes after the goodbye, and the task was committed before it: kill -9 in between leaves it.
#[test]
fn the_promise_outlives_a_crash_before_the_goodbye() {
    let mut world = World::with(1, portsip);
    let (call, alice) = joins(&mut world, "alice", super::ALICE);
    world.press(TRUNK, call, "3");
    world.disk.mood = Mood::Holding;
    world.press(TRUNK, call, "#");
    assert_eq!(world.spoken(alice), ["confirm_number"], "nothing is promised before it is on the disk");
    world.release_disk();
    world.run_for(secs(1));
    assert_eq!(world.spoken(alice)[1], "accepted goodbye");
    assert!(world.is_up(TRUNK, call), "the goodbye is being said");

    world.crash();
    world.start();

    assert_eq!(world.tasks().len(), 1);
    assert_eq!(world.callbacks()[0].task.number.to_string(), super::ALICE);
    world.hang_up(TRUNK, call);
}

// S2.16: nobody has to hang up: BYE comes from us right after the last word.
#[test]
fn the_call_ends_by_itself_after_the_goodbye() {
    let mut world = World::with(1, portsip);
    let (call, alice) = joins(&mut world, "alice", super::ALICE);
    world.press(TRUNK, call, "3#");
    sent_home(&mut world, call);

    assert_eq!(world.spoken(alice)[1], "accepted goodbye");
    let begins = world.shard.heard.last().expect("the goodbye").0;
    let bye = world.heard(TRUNK, |event| matches!(event, Event::Ended(_, EndedBy::Bye))).expect("a BYE");
    assert_eq!(bye.since(begins), Duration::from_millis(4_010), "two clips of two seconds, and the wire");
    world.assert_rest();
}

// S2.20: the callback is complete once the caller answers (talk of no length is enough).
#[test]
fn the_answer_alone_completes_the_callback() {
    let mut world = World::with(1, |site| {
        portsip(site);
        site.profiles[0].customer_prompt = Sound::Silent;
    });
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    world.press(TRUNK, call, "3#");
    sent_home(&mut world, call);
    world.register(&[ANNA]);
    let (_, called) = world.called_back(alice);
    world.answer(TRUNK, called);
    world.run_for(Duration::from_millis(300));
    world.hang_up(TRUNK, called);
    world.run_for(secs(1));

    assert_eq!(world.attempts()[0].outcome, Some(Outcome::Success));
    assert_eq!(
        (world.tasks()[0].state, world.tasks()[0].close_reason),
        (TaskState::Completed, Some(CloseReason::Success))
    );
    world.run_for(secs(30));
    world.assert_rest();
}

// S2.21: hanging up inside the dialogue leaves no requested callback; a missed one iff a rule for missed calls covers
// the queue.
#[test]
fn hanging_up_among_the_digits_requests_nothing() {
    for covered in [false, true] {
        let mut world = World::with(1, |site| {
            portsip(site);
            if covered {
                let source = RuleSource::MissedQueue;
                site.rules.push(CallbackRule { source, ..CallbackRule::named("missed", "standard") });
                site.queues[0].rules.push("missed".into());
            }
        });
        let (call, _) = joins(&mut world, "alice", super::ALICE);

        world.press(TRUNK, call, "320255501");
        world.hang_up(TRUNK, call);
        world.run_for(secs(30));

        let sources: Vec<Source> = world.tasks().iter().map(|task| task.source).collect();
        assert_eq!(sources, if covered { vec![Source::MissedQueue] } else { vec![] });
        assert!(world.line().iter().all(|it| it.kind == "callback"));
        let abandoned = world.published.iter().any(|(_, event)| format!("{event:?}").starts_with("CallAbandoned"));
        assert!(abandoned);
        world.assert_rest();
    }
}

// S2.22: an agent frees during the dialogue: the caller who is first is connected in the middle of the prompt; one who
// has confirmed is not, and the next in line is.
#[test]
fn an_agent_who_frees_during_the_dialogue_is_not_lost() {
    let mut world = World::with(1, portsip);
    let (first, alice) = joins(&mut world, "alice", super::ALICE);
    let (second, bob) = joins(&mut world, "bob", super::BOB);
    world.register(&[ANNA]);
    let agent = world.rings(ANNA, secs(1));
    world.press(TRUNK, first, "3202");
    world.answer(ANNA, agent);
    world.run_for(secs(3));
    assert!(world.shard.legs[&alice].bridged.is_some(), "an agent's answer ends the dialogue");
    world.run_for(secs(27));
    assert_eq!(world.spoken(alice), ["confirm_number", "agent_available"], "and no pause of it is counted any more");

    let (third, carol) = joins(&mut world, "carol", super::CAROL);
    world.hang_up(TRUNK, first);
    world.run_for(Duration::from_millis(8_700));
    world.disk.mood = Mood::Holding;
    world.press(TRUNK, second, "3#");
    let agent = world.rings(ANNA, secs(1));
    world.answer(ANNA, agent);
    assert!(world.shard.legs[&carol].bridged.is_some() && world.shard.legs[&bob].bridged.is_none());
    world.release_disk();
    sent_home(&mut world, second);
    assert_eq!(world.tasks().len(), 1);
    world.hang_up(TRUNK, third);
    world.run_for(secs(1));
}

// S3.11, S3.12: one key, the confirmation, then the system hangs up; the task's number is the caller's.
#[test]
fn one_key_is_enough() {
    let mut world = World::with(1, mikopbx);
    let (call, alice) = joins(&mut world, "alice", super::ALICE);
    world.run_for(secs(5));

    world.press(TRUNK, call, "1");
    sent_home(&mut world, call);

    assert_eq!(world.spoken(alice), ["accepted goodbye"]);
    assert_eq!(world.tasks()[0].number.to_string(), super::ALICE);
    assert!(world.heard(TRUNK, |event| matches!(event, Event::Ended(_, EndedBy::Bye))).is_some());
    world.assert_ladder("one_key");
    world.assert_rest();
}

// S1.26: a rule is attached to a queue, and detached: the offer appears, and disappears, for the next caller.
#[test]
fn a_rule_holds_for_the_next_caller_once_it_is_attached() {
    let mut world = World::with(1, |site| {
        site.rules[0].triggers = vec![Trigger::Key, Trigger::Announced];
        site.rules[0].offer_after = secs(10);
        site.queues[0].rules = Vec::new();
    });
    for (attached, said) in [(false, &[][..]), (true, &["offer", "confirm_number", "back_to_hold"]), (false, &[])] {
        world.configure(|site| {
            site.queues[0].rules = if attached { vec!["support-key".into()] } else { Vec::new() };
        });
        let (call, leg) = joins(&mut world, "alice", super::ALICE);
        world.run_for(secs(15));
        world.press(TRUNK, call, "1*");
        assert_eq!(world.spoken(leg), said, "attached: {attached}");
        world.hang_up(TRUNK, call);
        world.run_for(secs(1));
    }
    world.assert_rest();
}

// S3.13: the key works only in queues that have the rule.
#[test]
fn without_a_rule_the_key_does_nothing() {
    let mut world = World::with(1, |site| {
        mikopbx(site);
        site.rules[0].triggers = vec![Trigger::Key, Trigger::Announced];
        site.rules[0].offer_after = secs(10);
        site.queues[0].rules = Vec::new();
        site.queues.push(Queue { rules: vec!["support-key".into()], ..Queue::named("sales", "5001") });
        let route = InboundRoute {
            did: DidPattern::Exact("+12025550101".to_owned()),
            to: Destination::Queue("sales".into()),
            ..site.inbound_routes[0].clone()
        };
        site.inbound_routes.push(route);
    });
    let (call, alice) = joins(&mut world, "alice", super::ALICE);
    let bob = world.customer(Person::new("bob", super::BOB));
    let now = world.now;
    let other = world.stations[TRUNK].dial(now, bob, "+12025550101");
    world.run_for(secs(1));
    let listed = world.leg_of(TRUNK, other).expect("a leg");
    world.run_for(secs(30));

    world.press(TRUNK, call, "1");
    world.press(TRUNK, other, "1");
    sent_home(&mut world, other);

    assert_eq!(world.spoken(alice), [""; 0]);
    assert!(hears_music(&world, alice) && world.is_up(TRUNK, call));
    assert_eq!(world.spoken(listed), ["offer", "accepted goodbye"]);
    assert_eq!(world.tasks().len(), 1);
    world.hang_up(TRUNK, call);
    world.assert_rest();
}

// model.md, DTMF map: a key pressed at most 300 ms before a change belongs to the old state.
#[test]
fn a_key_that_comes_just_after_a_pause_belongs_to_what_was_before() {
    for (late, said) in [(100, "read_back"), (350, "invalid")] {
        let mut world = World::with(1, with_read_back);
        let (call, alice) = joins(&mut world, "alice", super::ALICE);
        world.press(TRUNK, call, "3202555019");
        world.press_one(TRUNK, call, '9');
        // The pause ends 5 s after the key was heard, which takes 60 ms as any key does.
        world.run_for(secs(5) + Duration::from_millis(late));
        assert_eq!(world.spoken(alice), ["confirm_number", "confirm_number"]);
        world.press(TRUNK, call, "#");

        let last = world.spoken(alice).pop().expect("words");
        match said {
            "read_back" => assert!(last.starts_with("read_back"), "{last}"),
            _ => assert_eq!(world.tasks().len(), 1, "`#` alone, in an entry of its own"),
        }
        world.hang_up(TRUNK, call);
    }
}

#[test]
fn a_prompt_is_followed_by_the_next_without_a_pause_when_the_key_says_so() {
    let mut world = World::with(1, portsip);
    let (call, alice) = joins(&mut world, "alice", super::ALICE);
    world.press(TRUNK, call, "3");
    world.press(TRUNK, call, "*");
    assert!(between(&world, alice) < 0.6, "keys count while a prompt plays");
    world.hang_up(TRUNK, call);
    world.assert_rest();
}
