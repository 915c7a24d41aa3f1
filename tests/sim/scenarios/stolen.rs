//! Agents' phones used for toll fraud after a stolen secret (security.md T35).

use crate::drive::{ANNA, DORA};
use crate::site::{at, secret, secs};
use crate::world::{TRUNK, World};
use ringback::demo::endpoint::Event as Heard;
use ringback::demo::person::{Person, Reaction};
use ringback::demo::station::Station;
use ringback::settings::Agent;
use ringback::switch::command::{Command, Reply};
use ringback::switch::event::Event;
use ringback::time::Tick;
use std::net::SocketAddr;

const THIEF: SocketAddr = at([203, 0, 113, 66], 5060);

/// Numbers that a thief earns by.
fn numbers() -> impl Iterator<Item = String> {
    (0..12).map(|n| format!("+1202555{:04}", 2_000 + n))
}

/// Anna's phone at her desk, and people who answer wherever the thief calls.
fn world() -> World {
    let mut world = World::new(1);
    for number in numbers() {
        let answers = Reaction::Answer { after: secs(1), early: false };
        world.customer(Person::new("earner", &number).reacting([answers]));
    }
    world.register(&[ANNA]);
    world
}

/// A phone with anna's secret, somewhere else.
fn phone_at(world: &mut World, local: SocketAddr) -> usize {
    let mut config = world.stations[ANNA].endpoint.config.clone();
    config.local = local;
    let entropy = world.entropy.fork();
    world.stations.push(Station::phone(config, Person::new("thief", "1001"), entropy));
    world.stations.len() - 1
}

/// A phone of the `n`th of many other agents.
fn phone_as(world: &mut World, n: u8, local: [u8; 4]) -> usize {
    let phone = phone_at(world, at(local, 5060));
    let config = &mut world.stations[phone].endpoint.config;
    config.user = (2_000 + u16::from(n)).to_string();
    config.credentials = Some((config.user.clone(), secret(&config.user)));
    phone
}

/// Calls that number for a while; whether it was put through.
fn calls(world: &mut World, phone: usize, number: &str) -> bool {
    let call = world.dial(phone, number);
    world.run_for(secs(5));
    let is_up = world.is_up(phone, call);
    if is_up {
        world.hang_up(phone, call);
    }
    world.run_for(secs(1));
    is_up
}

fn alarms(world: &World) -> Vec<(Tick, &'static str)> {
    let alarm = |event: &Event| match event {
        Event::AgentElsewhere { agent, address } if &**agent == "anna" && *address == THIEF.ip().to_string() => {
            Some("elsewhere")
        }
        Event::AgentBlocked { agent, .. } if &**agent == "anna" => Some("blocked"),
        Event::AgentTrusted { agent } if &**agent == "anna" => Some("trusted"),
        _ => None, // Everything else.
    };
    world.published.iter().filter_map(|(at, event)| Some((*at, alarm(event)?))).collect()
}

fn words(world: &World) -> Vec<&'static str> {
    alarms(world).into_iter().map(|(_, word)| word).collect()
}

// T35: a stolen secret used from a new address, registered or not: three calls, and an alarm within ten seconds; the
// phone at the desk calls whom it likes.
#[test]
fn a_stolen_secret_makes_three_calls_and_an_alarm() {
    for registers in [true, false] {
        let mut world = world();
        let thief = phone_at(&mut world, THIEF);
        let begins = world.now;
        if registers {
            world.register(&[thief]);
        }
        let up: Vec<bool> = numbers().map(|number| calls(&mut world, thief, &number)).collect();

        assert_eq!(up.iter().filter(|up| **up).count(), 3);
        assert_eq!(world.invites(TRUNK).len(), 3, "and no more leave us");
        assert!(world.heard(thief, |event| matches!(event, Heard::Refused(_, 403))).is_some());
        let told = alarms(&world);
        assert!(told[0].0.since(begins) <= secs(10), "{told:?}");
        assert_eq!(words(&world), ["elsewhere", "blocked"]);
        assert!(calls(&mut world, ANNA, "+12025552000"), "her own phone is not his");
        let anna = world.agent("anna");
        assert_eq!((anna.new_addresses, anna.blocked), (vec!["203.0.113.0/24".to_owned()], true));
    }
}

// T35: parallel calls are blocked at once, and so are those of several thieves at several places together.
#[test]
fn a_thief_has_no_two_calls_at_once_and_thieves_share_their_three() {
    let mut world = world();
    let thief = phone_at(&mut world, THIEF);
    let first = world.dial(thief, "+12025552000");
    world.run_for(secs(3));
    world.dial(thief, "+12025552001");
    world.run_for(secs(3));
    assert!(world.is_up(thief, first));
    assert_eq!(world.invites(TRUNK).len(), 1);
    assert_eq!(words(&world), ["elsewhere", "blocked"]);

    let mut world = self::world();
    let thieves: Vec<usize> = (1..5).map(|n| phone_at(&mut world, at([192, 0, n, 1], 5060))).collect();
    for number in numbers() {
        for thief in &thieves {
            calls(&mut world, *thief, &number);
        }
    }
    assert_eq!(world.invites(TRUNK).len(), 3);
}

// T35: one owner lost 3,000 secrets at once: from new places all agents together make ten calls an hour.
#[test]
fn where_all_secrets_are_stolen_ten_calls_an_hour_go_out() {
    let mut world = World::with(1, |site| {
        let agents = (0..12).map(|n| {
            let extension = (2_000 + n).to_string();
            Agent::named(&format!("a{n}"), &extension, &secret(&extension))
        });
        site.agents.extend(agents);
    });
    for number in numbers() {
        let answers = Reaction::Answer { after: secs(1), early: false };
        world.customer(Person::new("earner", &number).reacting([answers]));
    }
    let phones: Vec<usize> = (0..12).map(|n| phone_as(&mut world, n, [10, 0, 2, n])).collect();
    world.register(&phones);
    let thieves: Vec<usize> = (0..12).map(|n| phone_as(&mut world, n, [203, 0, 113, n])).collect();
    let steal = |world: &mut World| {
        let calls = thieves.iter().zip(numbers()).filter(|(thief, number)| calls(world, **thief, number));
        calls.count()
    };

    assert_eq!(steal(&mut world), 10);
    assert_eq!(steal(&mut world), 0);
    let blocked =
        |world: &World| world.published.iter().filter(|(_, event)| matches!(event, Event::AgentBlocked { .. })).count();
    assert_eq!(blocked(&world), 12, "a person is asked about each");
    world.run_for(secs(3_700));
    assert_eq!(steal(&mut world), 0, "and nobody is let go on by himself");
    world.ask(Command::TrustAgent("a3".to_owned()));
    assert_eq!(steal(&mut world), 1);
}

// T35: what has been used up stays used up over a restart; calls to colleagues go on; a person ends it.
#[test]
fn a_restart_gives_a_thief_no_more_and_a_person_lets_an_agent_go_on() {
    let mut world = world();
    world.register(&[DORA]);
    let thief = phone_at(&mut world, THIEF);
    for number in numbers().take(2) {
        assert!(calls(&mut world, thief, &number));
    }
    world.crash();
    world.run_for(secs(40));
    world.start();
    assert!(calls(&mut world, thief, "+12025552002"));
    assert!(!calls(&mut world, thief, "+12025552003"));
    world.dial(thief, "1004");
    world.rings(DORA, secs(2));
    let call = world.at(thief);
    world.hang_up(thief, call);

    let Reply::Agent(anna) = world.ask(Command::TrustAgent("anna".to_owned())) else { panic!("no agent") };
    assert!(anna.new_addresses.is_empty() && !anna.blocked);
    assert_eq!(words(&world), ["elsewhere", "blocked", "trusted"]);
    for number in numbers() {
        assert!(calls(&mut world, thief, &number), "it was she, travelling");
    }
    assert_eq!(words(&world).len(), 3);
}

// T35: with another secret, who had the old one is nobody, and she may be away again.
#[test]
fn a_new_secret_begins_the_count_anew() {
    let mut world = world();
    let thief = phone_at(&mut world, THIEF);
    for number in numbers().take(4) {
        calls(&mut world, thief, &number);
    }
    world.configure(|site| site.agents[0].secret = "another-secret".to_owned());
    assert!(!calls(&mut world, thief, "+12025552005"));
    assert_eq!(world.invites(TRUNK).len(), 3);

    let credentials = ("1001".to_owned(), "another-secret".to_owned());
    assert_ne!(credentials.1, secret("1001"));
    world.stations[thief].endpoint.config.credentials = Some(credentials);
    assert!(calls(&mut world, thief, "+12025552006"));
    assert_eq!(world.invites(TRUNK).len(), 4);
}

// T35: a site may set another cap, or none.
#[test]
fn a_site_says_how_many_calls_a_new_address_may_make() {
    for (most, expected) in [(Some(0), 0), (Some(5), 5), (None, 12)] {
        let mut world = world();
        world.configure(|site| site.system.new_address_calls = most);
        let thief = phone_at(&mut world, THIEF);
        let up = numbers().filter(|number| calls(&mut world, thief, number)).count();
        assert_eq!(up, expected);
        assert_eq!(words(&world).first(), Some(&"elsewhere"), "and a person is told all the same");
    }
}

// Records of earlier versions are read for ever: one that knows nothing of places says that none is known.
#[test]
fn an_agents_record_of_before_places_were_remembered_is_read() {
    let old = r#"{"agent":"anna","logged_in":true,"paused":null}"#;

    let read: ringback::switch::AgentRecord = serde_json::from_str(old).expect("it is read");

    assert_eq!(read.places, ringback::agent::places::Places::default());
    let mut world = world();
    let thief = phone_at(&mut world, THIEF);
    calls(&mut world, thief, "+12025552000");
    let new = &world.disk.agents["anna"];
    assert_ne!(new.places, read.places);
    let text = serde_json::to_string(new).expect("it is written");
    assert_eq!(serde_json::from_str::<ringback::switch::AgentRecord>(&text).expect("it is read again"), *new);
}
