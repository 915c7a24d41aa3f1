//! Where calls from outside go: routes and their hours, agents, groups, lists of numbers; and how carriers write
//! numbers.

use crate::drive::{ANNA, BEN, CARL, DORA};
use crate::products::voximplant;
use crate::site::{DID, secs};
use crate::world::{TRUNK, World};
use ringback::callback::task::{MissedBy, Source, Task, TaskState};
use ringback::demo::endpoint::{CallId, Event};
use ringback::demo::person::{Person, Reaction};
use ringback::number::Party;
use ringback::settings::*;
use ringback::switch::command::{Command, PageOf, Reply};
use ringback::switch::{event, view};
use ringback::time::{DateTime, Utc};
use std::time::Duration;

const SALES: &str = "+12025550101";
const PHONES: &str = "+12025550102";

fn rule(name: &str, source: RuleSource) -> CallbackRule {
    CallbackRule { source, ..CallbackRule::named(name, "standard") }
}

fn route(did: &str, to: Destination) -> InboundRoute {
    InboundRoute::of("carrier", DidPattern::Exact(did.to_owned()), to)
}

/// A schedule that is open from nine to five in New York; the world begins at ten there.
fn office() -> Schedule {
    let at = |hour| chrono::NaiveTime::from_hms_opt(hour, 0, 0).expect("an hour");
    Schedule {
        name: "office".into(),
        tz: chrono_tz::America::New_York,
        weekly: vec![Weekly { days: vec![chrono::Weekday::Mon], hours: Hours { start: at(9), end: at(17) } }],
        exceptions: Vec::new(),
    }
}

fn refused(world: &World, call: CallId, status: u16) -> bool {
    world.heard(TRUNK, |event| matches!(event, Event::Refused(it, with) if *it == call && *with == status)).is_some()
}

fn only_task(world: &World) -> Task {
    let mut tasks = world.tasks();
    assert_eq!(tasks.len(), 1, "{tasks:?}");
    tasks.remove(0)
}

fn calls(world: &mut World) -> Vec<view::Call> {
    match world.ask(Command::ListCalls(PageOf::default())) {
        Reply::Calls(page) => page.items,
        other => panic!("{other:?}"),
    }
}

/// Somebody dials a number of ours.
fn dials(world: &mut World, customer: usize, number: &str) -> CallId {
    let now = world.now;
    let call = world.stations[TRUNK].dial(now, customer, number);
    world.run_for(Duration::from_millis(500));
    call
}

#[test]
fn a_route_that_is_closed_leads_elsewhere_or_says_so() {
    for (closed_to, noted) in [(Some(Destination::Agent("dora".into())), None), (None, Some("\"closed goodbye\" to"))] {
        let mut world = World::with(1, |site| {
            site.schedules.push(office());
            site.inbound_routes[0].schedule = Some("office".into());
            site.inbound_routes[0].closed_to = closed_to.clone();
        });
        world.register(&[DORA]);
        let alice = world.customer(Person::new("alice", super::ALICE));
        let open = world.joins(alice);
        assert_eq!(world.line().len(), 1, "at ten it is open");
        world.hang_up(TRUNK, open);
        // To the last instant before five, and to five.
        world.run_for(secs(7 * 3_600) - world.now.since(ringback::time::Tick::ZERO) - secs(1));
        let late = world.joins(alice);
        assert_eq!(world.line().len(), 1, "a second before five it is open");
        world.hang_up(TRUNK, late);
        world.run_for(secs(1));

        let closed = dials(&mut world, alice, DID);
        assert_eq!(world.line().len(), 0);
        match noted {
            None => drop(world.rings(DORA, secs(1))),
            Some(noted) => {
                assert!(world.is_up(TRUNK, closed) && world.ladder.noted(noted).is_some());
                world.run_until("he is sent away", secs(5), |world| !world.is_busy(TRUNK, alice));
            }
        }
    }
}

#[test]
fn a_group_rings_together_and_the_first_to_answer_wins() {
    let mut world = World::with(1, |site| {
        site.groups.push(Group { name: "all".into(), agents: ["anna", "ben", "carl", "dora"].map(Into::into).into() });
        site.inbound_routes[0].to = Destination::Group("all".into());
    });
    world.register(&[ANNA, BEN, CARL, DORA]);
    let busy = world.dial(CARL, "1004");
    let dora = world.rings(DORA, secs(1));
    world.answer(DORA, dora);
    world.ladder.clear();
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.call_in(alice);

    let anna = world.rings(ANNA, secs(2));
    let ben = world.rings(BEN, secs(1));
    world.run_for(secs(3));
    world.answer(BEN, ben);
    world.run_for(secs(5));

    assert!(world.is_up(TRUNK, call) && world.is_up(BEN, ben));
    assert!(world.stations[ANNA].endpoint.call(anna).is_none(), "her phone has stopped");
    assert_eq!(world.ladder.count("ringback", "carl", "INVITE"), 0, "who is on the phone is not rung");
    assert_eq!(calls(&mut world).pop().expect("her call").agent.as_deref(), Some("ben"));
    world.hang_up(TRUNK, call);
    world.run_for(secs(2));
    world.assert_ladder("did_to_group");
    world.hang_up(CARL, busy);
    world.assert_rest();
}

// S5.4, S5.22, C18: nobody of the group is free, nobody answers, the agent is busy: missed by the group, or the agent.
#[test]
fn a_call_that_no_phone_takes_was_missed_by_whom_it_was_for() {
    let group = || Destination::Group("both".into());
    let agent = || Destination::Agent("anna".into());
    for (to, registered, rings) in [
        (group(), &[][..], false),
        (group(), &[ANNA, BEN][..], true),
        (agent(), &[][..], false),
        (agent(), &[ANNA][..], true),
    ] {
        let mut world = World::with(1, |site| {
            site.groups.push(Group { name: "both".into(), agents: vec!["anna".into(), "ben".into()] });
            site.inbound_routes[0].to = to.clone();
            site.rules.push(rule("missed-phone", RuleSource::MissedAgent));
            site.rules.push(rule("missed-line", RuleSource::MissedQueue));
            site.profiles[0].destination = ServedBy::MissedBy;
        });
        world.register(registered);
        let alice = world.customer(Person::new("alice", super::ALICE));
        let call = world.call_in(alice);
        if rings {
            world.rings(ANNA, secs(2));
        }
        world.run_until("he is refused", secs(70), |world| refused(world, call, 480));
        world.run_for(secs(1));

        let task = only_task(&world);
        let missed_by = match to {
            Destination::Group(name) => MissedBy::Group(name),
            _ => MissedBy::Agent("anna".into()),
        };
        assert_eq!((task.source, task.missed_by), (Source::MissedAgent, Some(missed_by)));
        assert_eq!((task.rule.as_deref(), &*task.queue), (Some("missed-phone"), "support"));
    }
}

// S5.22: with "forward to queue" a chosen queue serves; without it who missed the call is rung.
#[test]
fn a_call_that_anna_missed_is_returned_by_anna_or_by_the_chosen_queue() {
    for (destination, served_by) in [(ServedBy::MissedBy, ANNA), (ServedBy::Queue("sales".into()), CARL)] {
        let mut world = World::with(1, |site| {
            site.inbound_routes[0].to = Destination::Agent("anna".into());
            site.queues.push(Queue { members: vec![Member::of("carl")], ..Queue::named("sales", "5001") });
            voximplant(site);
            site.rules[0].source = RuleSource::MissedAgent;
            site.profiles[0].destination = destination.clone();
        });
        world.register(&[ANNA, BEN, CARL]);
        let alice = world.customer(Person::new("alice", super::ALICE));
        let call = world.call_in(alice);
        world.rings(ANNA, secs(2));
        world.run_for(secs(8));
        world.hang_up(TRUNK, call);

        let ringing = world.rings(served_by, secs(61));
        let others: Vec<usize> = [ANNA, BEN, CARL].into_iter().filter(|it| *it != served_by).collect();
        assert!(others.iter().all(|phone| !world.is_busy(*phone, 0)), "{destination:?}");
        world.answer(served_by, ringing);
        let back = world.rings_at(alice, secs(20));
        world.answer(TRUNK, back);
        world.run_for(secs(10));
        world.hang_up(TRUNK, back);
        world.run_for(secs(1));
        assert_eq!(only_task(&world).state, TaskState::Completed);
    }
}

// S5.4, S5.5: one number lost in the menu, in line and at a phone: each place uses its own rule.
#[test]
fn each_place_that_loses_a_call_has_its_own_rule() {
    for (did, own, source) in [
        (DID, "of-line", Source::MissedQueue),
        (SALES, "of-menu", Source::MissedIvr),
        (PHONES, "of-phone", Source::MissedAgent),
    ] {
        let mut world = World::with(1, |site| {
            site.ivrs.push(Ivr { prompt: Sound::Prompt("menu".into()), ..Ivr::named("main") });
            site.inbound_routes.push(route(SALES, Destination::Ivr("main".into())));
            site.inbound_routes.push(route(PHONES, Destination::Agent("anna".into())));
            site.rules.push(rule("of-menu", RuleSource::MissedIvr));
            site.rules.push(rule("of-phone", RuleSource::MissedAgent));
            site.rules.push(rule("of-line", RuleSource::MissedQueue));
            site.profiles[0].destination = ServedBy::Queue("support".into());
        });
        let alice = world.customer(Person::new("alice", super::ALICE));
        let call = dials(&mut world, alice, did);
        if did != PHONES {
            world.run_for(secs(8));
            world.hang_up(TRUNK, call);
        }
        world.run_for(secs(1));

        let task = only_task(&world);
        assert_eq!((task.rule.as_deref(), task.source), (Some(own), source));
        assert_eq!(task.dnis.as_deref(), Some(did));
    }
}

// S1.B12: a denied number, by itself, by its beginning or withheld, gets neither a place in line nor a callback.
#[test]
fn a_denied_caller_is_turned_away_and_leaves_no_trace() {
    let patterns = [DidPattern::Exact(super::ALICE.into()), DidPattern::Prefix("+120255501".into())];
    for pattern in patterns {
        for (how, status) in [(Refuse::Reject, 603), (Refuse::Busy, 486), (Refuse::Message, 200)] {
            let mut world = World::with(1, |site| {
                site.rules.push(rule("missed", RuleSource::MissedQueue));
                site.number_lists.push(denied(pattern.clone(), how));
            });
            let alice = world.customer(Person::new("alice", super::ALICE));
            let call = dials(&mut world, alice, DID);
            match how {
                Refuse::Message => {
                    assert!(world.ladder.noted("\"caller_refused goodbye\" to alice").is_some());
                    world.run_until("he is sent away", secs(10), |world| !world.is_busy(TRUNK, alice));
                }
                Refuse::Reject | Refuse::Busy => assert!(refused(&world, call, status)),
            }
            world.run_for(secs(1));
            assert_eq!((world.line().len(), world.tasks().len(), world.disk.entries.len()), (0, 0, 0));
            let queued = world.published.iter().any(|(_, it)| matches!(it, event::Event::CallQueued { .. }));
            assert!(!queued);
            world.assert_rest();
        }
    }
}

fn denied(pattern: DidPattern, how: Refuse) -> NumberEntry {
    let (valid_from, valid_until) = (None, None);
    NumberEntry { kind: ListKind::Deny(how), pattern, label: String::new(), valid_from, valid_until }
}

#[test]
fn a_star_denies_who_withholds_his_number_and_nobody_else() {
    let mut world =
        World::with(1, |site| site.number_lists.push(denied(DidPattern::Exact("*".into()), Refuse::Reject)));
    let alice = world.customer(Person::new("alice", super::ALICE));
    let now = world.now;
    let withheld = world.stations[TRUNK].dial_withheld(now, alice, DID);
    world.run_for(secs(1));
    assert!(refused(&world, withheld, 603));

    world.joins(alice);
    assert_eq!(world.line().len(), 1);
}

#[test]
fn an_entry_of_a_list_holds_only_while_it_is_valid() {
    let at = |text: &str| Some(DateTime::parse_from_rfc3339(text).expect("an instant").to_utc());
    // The world begins at 15:00:00; the call comes within its first second, and again after two minutes.
    type Validity = (Option<DateTime<Utc>>, Option<DateTime<Utc>>);
    let cases: [(Validity, [bool; 2]); 3] = [
        ((None, at("2026-03-02T15:01:00Z")), [true, false]),
        ((at("2026-03-02T15:01:00Z"), None), [false, true]),
        ((at("2026-03-01T00:00:00Z"), at("2026-03-02T00:00:00Z")), [false, false]),
    ];
    for ((from, until), denies) in cases {
        let mut world = World::with(1, |site| {
            let entry = denied(DidPattern::Exact(super::ALICE.into()), Refuse::Busy);
            site.number_lists.push(NumberEntry { valid_from: from, valid_until: until, ..entry });
        });
        let alice = world.customer(Person::new("alice", super::ALICE));
        for is_denied in denies {
            let call = dials(&mut world, alice, DID);
            assert_eq!(refused(&world, call, 486), is_denied, "{from:?} {until:?}");
            if !is_denied {
                world.hang_up(TRUNK, call);
            }
            world.run_for(secs(120));
        }
    }
}

#[test]
fn a_denied_number_is_not_dialled_either() {
    let mut world = World::with(1, |site| {
        site.number_lists.push(denied(DidPattern::Exact(super::ALICE.into()), Refuse::Busy));
    });
    world.register(&[DORA]);
    world.customer(Person::new("alice", super::ALICE));
    let call = world.dial(DORA, super::ALICE);
    world.run_for(secs(1));

    assert!(world.heard(DORA, |event| matches!(event, Event::Refused(it, 403) if *it == call)).is_some());
    assert_eq!(world.ladder.count("ringback", "alice", "INVITE"), 0);
}

// S1.B11: the first priority class is that of VIPs, for missed calls, too.
#[test]
fn a_missed_vip_is_called_back_first() {
    let mut world = World::with(1, |site| {
        site.rules.push(rule("missed", RuleSource::MissedQueue));
        let pattern = DidPattern::Exact(super::BOB.into());
        let (valid_from, valid_until, label) = (None, None, "Bob".to_owned());
        site.number_lists.push(NumberEntry { kind: ListKind::Vip, pattern, label, valid_from, valid_until });
    });
    let customers = [("alice", super::ALICE), ("bob", super::BOB)];
    let [_, bob] = customers.map(|(name, number)| {
        let customer = world.customer(Person::new(name, number));
        let call = world.joins(customer);
        world.run_for(secs(8));
        world.hang_up(TRUNK, call);
        customer
    });
    world.run_for(secs(1));
    assert_eq!(world.tasks().iter().map(|task| task.priority).collect::<Vec<_>>(), [5, 1]);

    world.register(&[ANNA]);
    world.called_back(bob);
}

// S5.18: the customer sees the number he had called when it is ours, and the selected one when it is not.
#[test]
fn a_callback_shows_the_number_that_was_called() {
    for (dialled, shown) in [(SALES, SALES), ("carrier-account", "+12025550199"), ("+12025559999", "+12025550199")] {
        let mut world = World::with(1, |site| {
            site.caller_ids[0].number = "+12025550199".to_owned();
            site.inbound_routes.push(route(SALES, Destination::Queue("support".into())));
            let rest = DidPattern::Prefix(String::new());
            site.inbound_routes.push(InboundRoute::of("carrier", rest, Destination::Queue("support".into())));
            site.rules.push(rule("missed", RuleSource::MissedQueue));
        });
        let alice = world.customer(Person::new("alice", super::ALICE));
        let call = dials(&mut world, alice, dialled);
        world.run_for(secs(8));
        world.hang_up(TRUNK, call);
        world.register(&[ANNA]);
        world.called_back(alice);

        let from = world.laws.dialogs.values().find(|it| it.outgoing && it.dialled == super::ALICE).expect("a dialog");
        assert_eq!(from.shown, shown, "dialled {dialled}");
    }
}

// S5.33, S2.B9: the call that returns a missed one says so and names it; each step is an event.
#[test]
fn a_callback_is_marked_as_such_and_names_the_call_that_was_missed() {
    let mut world = World::with(1, |site| site.rules.push(rule("missed", RuleSource::MissedQueue)));
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    world.run_for(secs(8));
    world.hang_up(TRUNK, call);
    world.register(&[ANNA]);
    let (agent, back) = world.called_back(alice);
    world.answer(TRUNK, back);
    world.run_for(secs(10));
    world.hang_up(ANNA, agent);
    world.run_for(secs(2));

    let task = only_task(&world);
    let seen = calls(&mut world);
    let [missed, returned] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!((missed.kind, returned.kind), ("inbound", "callback"));
    assert_eq!((missed.end_cause, missed.callback), (Some("abandoned"), Some(task.id)));
    assert_eq!((returned.origin_call, returned.callback), (Some(missed.id), Some(task.id)));
    let words: Vec<&str> = world.published.iter().filter_map(|(_, event)| word(event)).collect();
    assert_eq!(words, ["missed", "stored", "started", "ended", "completed"]);
}

fn word(event: &event::Event) -> Option<&'static str> {
    match event {
        event::Event::CallMissed { .. } => Some("missed"),
        event::Event::MissedCallStored { .. } => Some("stored"),
        event::Event::AttemptStarted { .. } => Some("started"),
        event::Event::AttemptEnded { .. } => Some("ended"),
        event::Event::CallbackCompleted { .. } => Some("completed"),
        _ => None, // Other events tell of other things.
    }
}

// S3.B8: however carriers write a number, it is one number: a call in another form closes the callback.
#[test]
fn a_number_is_the_same_in_every_form_carriers_write_it() {
    let us = ["+12025550123", "12025550123", "2025550123"];
    let ru = ["+74951234567", "74951234567", "84951234567", "4951234567"];
    for (country, zone, forms) in
        [("US", chrono_tz::America::New_York, &us[..]), ("RU", chrono_tz::Europe::Moscow, &ru[..])]
    {
        let mut world = World::with(1, |site| {
            site.system.default_country = Some(country.to_owned());
            site.system.default_timezone = zone;
            site.profiles[0].intervals = vec![secs(3_600)];
            site.rules.push(rule("missed", RuleSource::MissedQueue));
        });
        for form in forms {
            let customer = world.customer(Person::new(form, form));
            let call = world.joins(customer);
            world.run_for(secs(8));
            world.hang_up(TRUNK, call);
            world.run_for(secs(1));
        }

        let tasks = world.tasks();
        assert_eq!(tasks.len(), forms.len());
        assert!(tasks.iter().all(|task| task.number == Party::Number(forms[0].into())), "{tasks:?}");
        let open = tasks.iter().filter(|task| !task.state.is_final()).count();
        assert_eq!(open, 1, "one number has one callback");
        let last = tasks.iter().find(|task| !task.state.is_final()).expect("the last");
        assert_eq!(last.virtual_start, tasks[0].virtual_start, "at the first one's place");
    }
}

#[test]
fn who_withholds_his_number_can_wait_and_is_not_missed() {
    let mut world = World::with(1, |site| site.rules.push(rule("missed", RuleSource::MissedQueue)));
    let alice = world.customer(Person::new("alice", super::ALICE));
    let now = world.now;
    let call = world.stations[TRUNK].dial_withheld(now, alice, DID);
    world.run_for(secs(10));
    assert_eq!(world.line()[0].number, "anonymous");
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));

    assert_eq!(world.tasks(), []);
    world.assert_rest();
}

#[test]
fn a_colleague_may_disturb_an_agent_who_rests_and_a_customer_may_not() {
    let mut world = World::with(1, |site| site.inbound_routes.push(route(PHONES, Destination::Agent("anna".into()))));
    world.register(&[ANNA, BEN]);
    let pause = world.dial(ANNA, "*46");
    world.run_until("it is confirmed", secs(10), |world| world.stations[ANNA].endpoint.call(pause).is_none());

    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = dials(&mut world, alice, PHONES);
    assert!(refused(&world, call, 480), "law 5");
    let inside = world.dial(BEN, "1001");
    let ringing = world.rings(ANNA, secs(2));
    world.answer(ANNA, ringing);
    world.run_for(secs(3));
    assert!(world.is_up(BEN, inside));
    world.hang_up(BEN, inside);
    world.run_for(secs(1));
    world.assert_rest();
}

#[test]
fn an_agent_reached_directly_rests_like_after_any_customer() {
    let mut world = World::with(1, |site| site.inbound_routes[0].to = Destination::Agent("anna".into()));
    world.register(&[ANNA]);
    let soon = Reaction::Answer { after: secs(1), early: false };
    world.stations[ANNA].people[0].reactions = [soon].into();
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = dials(&mut world, alice, DID);
    world.run_for(secs(5));
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));
    assert_eq!(world.agent("anna").state, "wrap_up");
    world.run_for(secs(10));
    assert_eq!(world.agent("anna").state, "ready");
}
