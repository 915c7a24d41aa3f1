//! The five presets at work: the small sites of `tests/fixtures`, as the file's reader makes them, in the simulator.

use crate::drive::{ANNA, BEN};
use crate::products;
use crate::site::{SPARE, preset, secs, site};
use crate::world::{TRUNK, World};
use ringback::callback::task::{Outcome, Source, TaskState};
use ringback::config;
use ringback::demo::endpoint::number_of;
use ringback::demo::person::{Person, Reaction};
use ringback::settings::{CallerId, CallerIdMode, Settings, Trunk};
use std::time::Duration;

/// A site that says nothing but its preset, under the names that scenarios use.
fn bare(preset: &str, source: &str) -> Settings {
    let text = format!(
        "[system]\ndefault_country = \"US\"\n\
         [[caller_id]]\nlabel = \"Main Line\"\nnumber = \"+12025550100\"\n\
         [[agent]]\nname = \"anna\"\nextension = \"1001\"\nsecret = \"x\"\n\
         [[agent]]\nname = \"ben\"\nextension = \"1002\"\nsecret = \"x\"\n\
         [[agent]]\nname = \"carl\"\nextension = \"1003\"\nsecret = \"x\"\n\
         [[queue]]\nname = \"support\"\nnumber = \"5000\"\npreset = \"{preset}\"\n\
         members = [{{ agent = \"anna\" }}, {{ agent = \"ben\" }}, {{ agent = \"carl\" }}]\n\
         rules = [\"support-key\"]\n\
         [[callback_profile]]\nname = \"standard\"\npreset = \"{preset}\"\ncaller_id = \"Main Line\"\n\
         [[callback_rule]]\nname = \"support-key\"\npreset = \"{preset}\"\nsource = \"{source}\"\n\
         profile = \"standard\"\nnumber_policy = \"customers\"\n\
         [[number_policy]]\nname = \"customers\"\npreset = \"{preset}\"\n"
    );
    let config = config::parse(&text, &config::Disk::new(std::path::Path::new(".")));
    config.unwrap_or_else(|problems| panic!("{problems:#?}")).settings
}

#[test]
fn the_products_of_the_scenarios_are_what_the_reader_makes_of_their_presets() {
    type Product = (&'static str, &'static str, fn(&mut Settings));
    let all: [Product; 5] = [
        ("ring2all", "queue_request", products::ring2all),
        ("portsip", "queue_request", products::portsip),
        ("mikopbx", "queue_request", products::mikopbx),
        ("fonolo", "queue_request", products::fonolo),
        ("voximplant", "missed_queue", products::voximplant),
    ];
    for (name, source, product) in all {
        let (mut site, bare) = (site(), bare(name, source));
        product(&mut site);
        assert_eq!(format!("{:#?}", site.queues), format!("{:#?}", bare.queues), "{name}");
        assert_eq!(format!("{:#?}", site.rules), format!("{:#?}", bare.rules), "{name}");
        assert_eq!(format!("{:#?}", site.profiles), format!("{:#?}", bare.profiles), "{name}");
        assert_eq!(format!("{:#?}", site.number_policies), format!("{:#?}", bare.number_policies), "{name}");
    }
}

fn world(name: &str) -> World {
    World::with(1, |site| *site = preset(name))
}

/// Alice calls, waits, presses these keys, and is sent home.
fn asks(world: &mut World, keys: &str) -> usize {
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    world.run_for(secs(2));
    world.press(TRUNK, call, keys);
    world.run_until("she is sent home", secs(20), |world| !world.is_busy(TRUNK, alice));
    alice
}

fn outcomes(world: &World) -> Vec<Outcome> {
    world.attempts().into_iter().filter_map(|attempt| attempt.outcome).collect()
}

/// How long the customer and an agent talk in the next attempt.
fn talk(world: &mut World, alice: usize, limit: Duration, talk: Duration) {
    let agent = world.rings(ANNA, limit);
    world.answer(ANNA, agent);
    let call = world.rings_at(alice, secs(20));
    world.answer(TRUNK, call);
    let leg = world.leg_of(TRUNK, call).expect("her leg");
    world.run_until("she hears the agent", secs(20), |world| {
        world.shard.legs.get(&leg).is_some_and(|leg| leg.bridged.is_some())
    });
    world.run_for(talk);
    world.hang_up(TRUNK, call);
    world.run_for(secs(2));
}

// S1.10: with a delay of one minute and an idle agent, the agent rings a minute after the request, not before.
#[test]
fn ring2alls_standard_profile_waits_its_minute() {
    let mut world = world("ring2all");
    let asked = world.now;
    let alice = asks(&mut world, "1#");
    world.register(&[ANNA, BEN]);
    let created = world.tasks()[0].created_at;

    let left = (created + secs(60) - world.clock().utc).to_std().expect("the minute is not over");
    world.run_for(left - Duration::from_millis(100));
    assert!(!world.is_busy(ANNA, 0) && !world.is_busy(BEN, 0), "asked at {asked:?}");
    world.run_until("an agent's phone rings", secs(1), |world| world.is_busy(ANNA, 0) || world.is_busy(BEN, 0));

    let phone = if world.is_busy(ANNA, 0) { ANNA } else { BEN };
    let agent = world.at(phone);
    world.answer(phone, agent);
    let call = world.rings_at(alice, secs(20));
    world.answer(TRUNK, call);
    world.run_for(secs(20));
    world.hang_up(TRUNK, call);
    world.run_for(secs(2));
    assert_eq!(outcomes(&world), [Outcome::Success]);
}

// S2.6, S2.9, S2.20: key 3 at any second, `#` for the calling number; with the prefix, and done once she answers.
#[test]
fn portsips_caller_presses_3_and_the_callback_is_done_when_she_answers() {
    let mut world = world("portsip");
    let alice = asks(&mut world, "3#");
    assert_eq!(world.tasks()[0].number.as_str(), super::ALICE);
    world.stations[TRUNK].people[alice].number = "00312025550123".to_owned();
    world.register(&[ANNA]);

    talk(&mut world, alice, secs(5), Duration::from_millis(500));

    assert_eq!((world.tasks()[0].state, outcomes(&world)), (TaskState::Completed, vec![Outcome::Success]));
    world.assert_rest();
}

// S3.7, S3.11: one key and done; four seconds of talk are no success and are tried again, six are.
#[test]
fn mikopbx_asks_nothing_and_counts_seconds_of_talk() {
    let mut world = world("mikopbx");
    let alice = asks(&mut world, "1");
    assert_eq!((world.tasks()[0].number.as_str(), world.tasks()[0].source), (super::ALICE, Source::QueueRequest));
    world.register(&[ANNA]);

    talk(&mut world, alice, secs(5), secs(4));
    assert_eq!((world.tasks()[0].state, outcomes(&world)), (TaskState::WaitingRetry, vec![Outcome::ShortTalk]));
    let ended = world.attempts()[0].ended_at.expect("it has ended");
    assert_eq!(world.tasks()[0].not_before - ended, chrono::TimeDelta::seconds(30));
    talk(&mut world, alice, secs(31), secs(6));
    assert_eq!(outcomes(&world), [Outcome::ShortTalk, Outcome::Success]);
    assert_eq!(world.tasks()[0].state, TaskState::Completed);
}

// S3.1: the same site calls back who hangs up in the queue.
#[test]
fn mikopbx_calls_back_who_hangs_up() {
    let mut world = world("mikopbx");
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    world.run_for(secs(8));
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));

    assert_eq!((world.tasks()[0].source, &*world.tasks()[0].queue), (Source::MissedQueue, "support"));
}

// S4.5, S4.7: nobody is dialled before the agent's 1; three attempts, then the customer herself is asked.
#[test]
fn fonolos_agent_starts_the_call_and_the_client_is_asked_in_the_end() {
    let mut world = world("fonolo");
    let alice = asks(&mut world, "1#");
    world.stations[TRUNK].people[alice].reactions = [Reaction::Refuse { after: secs(1), status: 486 }].into();
    world.register(&[ANNA]);

    for limit in [5, 1_000, 1_000] {
        let agent = world.rings(ANNA, secs(limit));
        world.answer(ANNA, agent);
        world.run_for(secs(4));
        assert!(!world.is_busy(TRUNK, alice), "nobody is dialled without the key");
        world.press(ANNA, agent, "1");
        world.run_until("the agent is let go", secs(40), |world| !world.is_busy(ANNA, 0));
    }

    assert_eq!(outcomes(&world), [Outcome::Busy; 3]);
    assert_eq!(world.tasks()[0].state, TaskState::ClientOffer);
}

// S5.1, S5.2, S5.5: who hangs up in the menu is called back a minute later, agent first.
#[test]
fn voximplant_calls_back_who_was_lost_in_the_scenario_after_the_first_interval() {
    let mut world = world("voximplant");
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    world.run_for(secs(4));
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));
    world.register(&[ANNA]);
    let task = world.tasks().remove(0);
    assert_eq!((task.source, &*task.queue), (Source::MissedIvr, "support"));

    let left = (task.created_at + secs(60) - world.clock().utc).to_std().expect("the minute is not over");
    world.run_for(left - Duration::from_millis(100));
    assert!(!world.is_busy(ANNA, 0));
    talk(&mut world, alice, secs(1), secs(8));

    assert_eq!(outcomes(&world), [Outcome::Success]);
    assert_eq!(world.tasks()[0].state, TaskState::Completed);
}

// S4.1: one profile governs the calls that come and those that go: too close to its closing nobody is promised a call,
// and its keys, its attempts and its cut-off hold for the dialling.
#[test]
fn one_profile_governs_the_offer_and_the_calls() {
    // New York's 16:58:10, and its target hours end at 17:00: within `close_guard_secs`.
    let mut late = World::starting(1, "2026-03-02T21:58:10Z", |site| *site = preset("fonolo"));
    let alice = late.customer(Person::new("alice", super::ALICE));
    let call = late.joins(alice);
    late.run_for(secs(2));
    late.press(TRUNK, call, "1#");
    late.run_for(secs(20));
    assert!(late.tasks().is_empty() && late.is_up(TRUNK, call), "she is told so and keeps her place");

    // 16:10: the second attempt, a quarter of an hour later, is before the cut-off at 16:30, and the third is not.
    let mut world = World::starting(1, "2026-03-02T21:10:00Z", |site| *site = preset("fonolo"));
    let alice = asks(&mut world, "1#");
    world.stations[TRUNK].people[alice].reactions = [Reaction::Refuse { after: secs(1), status: 486 }].into();
    world.register(&[ANNA]);
    for (limit, state) in
        [(5, TaskState::WaitingRetry), (1_000, TaskState::WaitingRetry), (17 * 3_600, TaskState::ClientOffer)]
    {
        let agent = world.rings(ANNA, secs(limit));
        world.answer(ANNA, agent);
        world.run_for(secs(4));
        assert!(!world.is_busy(TRUNK, alice), "nobody is dialled without its accept key");
        world.press(ANNA, agent, "1");
        world.run_until("the agent is let go", secs(40), |world| !world.is_busy(ANNA, 0));
        assert_eq!(world.tasks()[0].state, state);
        if limit > 1_000 {
            break;
        }
        world.stations[ANNA].endpoint.register(world.now, 86_400); // Phones stay where they are overnight.
    }

    assert_eq!(outcomes(&world), [Outcome::Busy; 3]);
    let begun: Vec<_> = world.attempts().iter().map(|attempt| attempt.loaded_at.timestamp()).collect();
    assert_eq!(begun[1] - world.attempts()[0].ended_at.expect("an end").timestamp(), 900);
    let opening: chrono::DateTime<chrono::Utc> = "2026-03-03T14:00:00Z".parse().expect("an instant");
    assert_eq!(begun[2], opening.timestamp(), "nine o'clock of the next day");
}

/// Voximplant's site, whose two rules call back alice, lost in the menu, and bob, lost in the queue.
fn lost(change: impl FnOnce(&mut Settings)) -> (World, usize, usize) {
    let mut world = World::with(1, |site| {
        *site = preset("voximplant");
        site.caller_ids.push(CallerId { trunk: Some("carrier".into()), ..CallerId::named("Second Line", SECOND_LINE) });
        for (profile, shown) in site.profiles.iter_mut().zip(["Main Line", "Second Line"]) {
            (profile.caller_id_mode, profile.caller_id) = (CallerIdMode::Fixed, Some(shown.into()));
        }
        change(site);
    });
    let alice = world.customer(Person::new("alice", super::ALICE));
    let call = world.joins(alice);
    world.run_for(secs(4));
    world.hang_up(TRUNK, call);
    let bob = world.customer(Person::new("bob", super::BOB));
    let call = world.joins(bob);
    world.press(TRUNK, call, "1");
    world.run_for(secs(8));
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));
    for phone in [ANNA, BEN] {
        world.stations[phone].people[0].reactions = [Reaction::Answer { after: secs(1), early: false }].into();
    }
    (world, alice, bob)
}

const SECOND_LINE: &str = "+12025550101";

// S5.21: the two rules have switches, intervals, caller IDs and waits of their own.
#[test]
fn the_rule_of_the_contact_center_is_independent_of_the_scenarios() {
    let made = |off: Option<&str>| {
        let (world, ..) = lost(|site| {
            site.rules.iter_mut().filter(|rule| off == Some(&*rule.name)).for_each(|rule| rule.enabled = false);
        });
        world.tasks().iter().map(|task| (task.source, task.number.to_string())).collect::<Vec<_>>()
    };
    let (in_menu, in_queue) =
        ((Source::MissedIvr, super::ALICE.to_owned()), (Source::MissedQueue, super::BOB.to_owned()));
    assert_eq!(made(None), [in_menu.clone(), in_queue.clone()]);
    assert_eq!(made(Some("missed in scenario")), [in_queue]);
    assert_eq!(made(Some("missed in queue")), [in_menu]);

    let (mut world, ..) = lost(|_| {});
    world.register(&[ANNA]);
    world.run_until("both have been tried", secs(400), |world| outcomes(world).len() == 2);
    for (name, number, interval, rang) in [("alice", "+12025550100", 60, 30), ("bob", SECOND_LINE, 300, 45)] {
        let task = world
            .tasks()
            .into_iter()
            .find(|task| task.number.as_str() == if name == "alice" { super::ALICE } else { super::BOB });
        let task = task.expect("the callback");
        let attempt = world.attempts().into_iter().find(|attempt| attempt.task == task.id).expect("the attempt");
        assert_eq!((attempt.loaded_at - task.created_at).num_seconds(), interval, "{name}");
        let dialled = world.ladder.first("ringback", name, "INVITE").expect("it rang");
        let cancelled = world.ladder.first("ringback", name, "CANCEL").expect("it stopped");
        assert_eq!(cancelled.since(dialled), secs(rang), "{name}");
        let invite = &world.invites(TRUNK)[usize::from(name == "bob")].1;
        assert_eq!(number_of(invite.header("From").unwrap_or("")), number, "{name}");
    }
}

// S5.15: the region is a trunk here: one choice, and the callbacks of both rules are dialled by it.
#[test]
fn the_callbacks_of_both_rules_leave_by_the_chosen_trunk() {
    let (mut world, ..) = lost(|site| {
        site.trunks.push(Trunk { name: "west".into(), host: SPARE.ip().to_string(), ..site.trunks[0].clone() });
        site.profiles.iter_mut().for_each(|profile| profile.trunks = vec!["west".into()]);
    });
    let west = world.spare_carrier(Person::new("alice in the west", super::ALICE));
    world.stations[west].people.push(Person::new("bob in the west", super::BOB));
    world.register(&[ANNA]);
    world.run_until("both have been tried", secs(400), |world| outcomes(world).len() == 2);

    let dialled: Vec<String> =
        world.invites(west).iter().map(|(_, invite)| ringback::demo::codec::user(invite.uri()).to_owned()).collect();
    assert_eq!(dialled, [super::ALICE, super::BOB]);
    assert!(world.invites(TRUNK).is_empty());
}
