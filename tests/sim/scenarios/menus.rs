//! Menus: what is said, what a key means, and where patience ends.

use crate::drive::{ANNA, BEN, DORA};
use crate::site::secs;
use crate::world::{TRUNK, World};
use ringback::callback::task::{MissedBy, Source};
use ringback::demo::endpoint::{CallId, Event};
use ringback::demo::person::Person;
use ringback::settings::*;
use ringback::switch::command::{Command, PageOf, Reply};
use ringback::time::Tick;
use std::collections::BTreeMap;
use std::time::Duration;

/// Two menus: `main` leads to support, to anna, to the others together, to `more`, and away.
fn menus(site: &mut Settings) {
    let main = BTreeMap::from([
        ('1', Destination::Queue("support".into())),
        ('2', Destination::Agent("anna".into())),
        ('3', Destination::Group("others".into())),
        ('4', Destination::Ivr("more".into())),
        ('9', Destination::Hangup(480)),
    ]);
    let more = BTreeMap::from([('1', Destination::Ivr("main".into())), ('*', Destination::Queue("support".into()))]);
    let ivr = |name: &str, keys| Ivr {
        number: Some(format!("60{}0", name.len()).into()),
        prompt: Sound::Prompt(format!("menu_{name}").into()),
        keys,
        ..Ivr::named(name)
    };
    site.ivrs = vec![ivr("main", main), ivr("more", more)];
    site.groups = vec![Group { name: "others".into(), agents: vec!["ben".into(), "dora".into()] }];
    site.inbound_routes[0].to = Destination::Ivr("main".into());
    let rule = |name: &str, source| CallbackRule { source, ..CallbackRule::named(name, "standard") };
    site.rules.push(rule("missed-menu", RuleSource::MissedIvr));
    site.rules.push(rule("missed-phone", RuleSource::MissedAgent));
    site.profiles[0].destination = ServedBy::Queue("support".into());
}

fn world(change: impl FnOnce(&mut Settings)) -> World {
    World::with(1, |site| {
        menus(site);
        change(site);
    })
}

fn alice(world: &mut World) -> (usize, CallId) {
    let alice = world.customer(Person::new("alice", super::ALICE));
    (alice, world.joins(alice))
}

fn state(world: &mut World) -> String {
    match world.ask(Command::ListCalls(PageOf::default())) {
        Reply::Calls(page) => page.items.last().map_or("none", |call| call.state).to_owned(),
        other => panic!("{other:?}"),
    }
}

/// When the menu was said, as ladders note it.
fn said(world: &World, clips: &str) -> Vec<Tick> {
    world.ladder.all_noted(clips)
}

#[test]
fn a_key_leads_to_the_queue_while_the_menu_is_still_being_said() {
    let mut world = world(|_| {});
    let (_, call) = alice(&mut world);
    assert_eq!(state(&mut world), "in_menu");

    world.press(TRUNK, call, "1");

    assert_eq!(state(&mut world), "waiting");
    assert_eq!(world.line().len(), 1);
    world.register(&[ANNA]);
    let agent = world.rings(ANNA, secs(2));
    world.answer(ANNA, agent);
    world.run_for(secs(5));
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));
    world.assert_ladder("menu_to_queue");
    assert_eq!(world.tasks(), [], "he was served");
    world.assert_rest();
}

#[test]
fn a_wrong_key_has_the_menu_said_again_at_once() {
    let mut world = world(|_| {});
    let (_, call) = alice(&mut world);
    world.run_for(secs(3));

    world.press(TRUNK, call, "7");

    let times = said(&world, "menu_main");
    assert_eq!(times.len(), 2);
    assert!(times[1].since(times[0]) < secs(5), "not after the timeout");
    world.press(TRUNK, call, "1");
    assert_eq!(state(&mut world), "waiting");
}

#[test]
fn a_menu_without_a_key_is_said_as_often_as_it_says_and_then_leads_on() {
    for tries in [1, 2, 3] {
        let mut world = world(|site| {
            site.ivrs[0].tries = tries;
            site.ivrs[0].timeout = secs(7);
            site.ivrs[0].timeout_dest = Some(Destination::Queue("support".into()));
        });
        let (_, _) = alice(&mut world);
        world.run_until("he is in line", secs(60), |world| world.ladder.noted("music to").is_some());

        let times = said(&world, "menu_main");
        assert_eq!(times.len(), usize::from(tries));
        // Two seconds of prompt, seven of patience.
        let spent = world.now.since(times[0]);
        assert!(spent >= secs(9) * u32::from(tries) && spent < secs(9) * u32::from(tries) + secs(1), "{spent:?}");
    }
}

// S5.5, S3.2: who is sent away by a menu, or hangs up in it, is called back by the menu's rule.
#[test]
fn who_is_lost_in_a_menu_is_called_back() {
    for hangs_up in [true, false] {
        let mut world = world(|_| {});
        let (customer, call) = alice(&mut world);
        if hangs_up {
            world.run_for(secs(4));
            world.hang_up(TRUNK, call);
        } else {
            world.run_until("he hears goodbye", secs(60), |world| world.ladder.noted("goodbye").is_some());
            world.run_until("he is sent away", secs(5), |world| !world.is_busy(TRUNK, customer));
        }
        world.run_for(secs(1));

        let task = world.tasks().remove(0);
        assert_eq!((task.source, task.missed_by), (Source::MissedIvr, Some(MissedBy::Ivr("main".into()))));
        assert_eq!((task.rule.as_deref(), &*task.queue), (Some("missed-menu"), "support"));
        if hangs_up {
            world.assert_ladder("missed_in_menu");
        }
        world.assert_rest();
    }
}

// S5.14: with the rule for menus off, losses there make no task; nor does a rule for other menus.
#[test]
fn a_menu_no_rule_covers_calls_nobody_back() {
    let changes: [fn(&mut CallbackRule); 2] =
        [|rule| rule.enabled = false, |rule| rule.scope.ivrs = vec!["more".into()]];
    for change in changes {
        let mut world = world(|site| change(&mut site.rules[1]));
        let (_, call) = alice(&mut world);
        world.run_for(secs(6));
        world.hang_up(TRUNK, call);
        world.run_for(secs(1));
        assert_eq!(world.tasks(), []);
    }
}

#[test]
fn a_closed_menu_leads_elsewhere_or_says_so() {
    let night = |site: &mut Settings| {
        site.schedules.push(Schedule {
            name: "never".into(),
            tz: chrono_tz::UTC,
            weekly: Vec::new(),
            exceptions: Vec::new(),
        });
        site.ivrs[0].schedule = Some("never".into());
    };
    let mut elsewhere = world(|site| {
        night(site);
        site.ivrs[0].closed_dest = Some(Destination::Ivr("more".into()));
    });
    alice(&mut elsewhere);
    assert_eq!((said(&elsewhere, "menu_main").len(), said(&elsewhere, "menu_more").len()), (0, 1));

    let mut closed = world(night);
    let (customer, _) = alice(&mut closed);
    closed.run_until("he is told", secs(5), |world| world.ladder.noted("\"closed goodbye\" to alice").is_some());
    closed.run_until("he is sent away", secs(5), |world| !world.is_busy(TRUNK, customer));
    closed.run_for(secs(1));
    closed.assert_rest();
}

#[test]
fn menus_that_lead_to_each_other_for_ever_end() {
    let mut world = world(|site| {
        site.schedules.push(Schedule {
            name: "never".into(),
            tz: chrono_tz::UTC,
            weekly: Vec::new(),
            exceptions: Vec::new(),
        });
        for (ivr, other) in [(0, "more"), (1, "main")] {
            site.ivrs[ivr].schedule = Some("never".into());
            site.ivrs[ivr].closed_dest = Some(Destination::Ivr(other.into()));
        }
    });
    let customer = world.customer(Person::new("alice", super::ALICE));
    let call = world.call_in(customer);
    world.run_for(secs(2));

    assert!(world.heard(TRUNK, |event| matches!(event, Event::Refused(it, 480) if *it == call)).is_some());
    world.assert_rest();
}

#[test]
fn a_caller_who_walks_in_circles_hears_goodbye_in_the_end() {
    let mut world = world(|_| {});
    let (customer, call) = alice(&mut world);

    for _ in 0..20 {
        world.press(TRUNK, call, "41");
    }
    world.run_until("he is sent away", secs(5), |world| !world.is_busy(TRUNK, customer));

    assert_eq!(said(&world, "goodbye").len(), 1);
    world.run_for(secs(1));
    world.assert_rest();
}

#[test]
fn a_phone_reaches_a_menu_by_its_number_and_is_never_missed_there() {
    let mut world = world(|_| {});
    world.register(&[BEN]);

    let call = world.dial(BEN, "6040");
    world.run_until("the menu is said", secs(3), |world| world.ladder.noted("menu_main").is_some());
    world.run_for(secs(5));
    world.hang_up(BEN, call);
    world.run_for(secs(1));

    assert_eq!(world.tasks(), []);
    world.assert_rest();
}

#[test]
fn a_menu_puts_a_caller_through_to_an_agent() {
    let mut world = world(|_| {});
    world.register(&[ANNA]);
    let (_, call) = alice(&mut world);

    world.press(TRUNK, call, "2");
    let ringing = world.rings(ANNA, secs(2));
    assert!(world.ladder.noted("ringback to alice").is_some());
    world.run_for(secs(2));
    world.answer(ANNA, ringing);
    world.run_for(secs(5));
    assert_eq!(world.agent("anna").state, "queue_call");
    world.hang_up(ANNA, ringing);
    world.run_for(secs(1));

    assert_eq!(world.agent("anna").state, "wrap_up", "she has served a customer");
    world.assert_ladder("menu_to_agent");
    assert_eq!(world.tasks(), []);
    world.assert_rest();
}

// S5.4: lost behind the menu, at a phone, he is the phone's missed call and not the menu's.
#[test]
fn a_caller_nobody_takes_behind_a_menu_hears_so_and_was_missed_there() {
    let mut world = world(|_| {});
    world.register(&[BEN, DORA]);
    let (customer, call) = alice(&mut world);

    world.press(TRUNK, call, "3");
    world.rings(BEN, secs(2));
    assert!(world.is_busy(DORA, 0), "all of the group ring");
    world.run_until("he is sent away", secs(70), |world| !world.is_busy(TRUNK, customer));
    world.run_for(secs(1));

    assert!(world.ladder.noted("\"call_later goodbye\" to alice").is_some());
    let task = world.tasks().remove(0);
    assert_eq!((task.source, task.missed_by), (Source::MissedAgent, Some(MissedBy::Group("others".into()))));
    assert_eq!(task.rule.as_deref(), Some("missed-phone"));
}

#[test]
fn a_caller_who_chooses_to_leave_hears_goodbye() {
    let mut world = world(|site| site.rules.truncate(1));
    let (customer, call) = alice(&mut world);

    world.press(TRUNK, call, "9");
    world.press(TRUNK, call, "1");
    world.run_until("he is sent away", secs(5), |world| !world.is_busy(TRUNK, customer));

    assert!(world.ladder.noted("\"goodbye\" to alice").is_some());
    assert!(world.ladder.noted("music").is_none(), "a key after the end means nothing");
    world.run_for(secs(1));
    world.assert_rest();
}

#[test]
fn a_caller_in_a_menu_can_be_cut_off_and_outlives_nothing() {
    let mut world = world(|_| {});
    let (_, _) = alice(&mut world);
    world.run_for(secs(1));

    let calls = match world.ask(Command::ListCalls(PageOf::default())) {
        Reply::Calls(page) => page.items,
        other => panic!("{other:?}"),
    };
    world.ask(Command::HangUpCall(calls[0].id));
    world.run_for(Duration::from_millis(500));

    assert_eq!(world.tasks().len(), 1, "we have cut him off: he is missed");
    world.assert_rest();
}
