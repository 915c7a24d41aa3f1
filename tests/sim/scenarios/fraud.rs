//! Those who want us to call somebody at our expense (security.md T30–T33): twenty shapes of attack, of which at most
//! ten calls go out before the breaker opens, and beside them customers who are called back as always.

use crate::disk::Mood;
use crate::drive::{ANNA, BEN, CARL};
use crate::site::{DID, secs};
use crate::world::{TRUNK, World};
use ringback::callback::task::TaskState;
use ringback::demo::person::{Person, Reaction};
use ringback::settings::*;
use ringback::switch::NotStored;
use ringback::switch::command::{Command, NewCallback, Refused, Reply};
use ringback::switch::event::Event;
use std::time::Duration;

/// How an attacker reaches us.
#[derive(Clone, Copy, Debug)]
enum By {
    /// Calls from this many numbers of his own in turn, and types the wanted one.
    Typing(u32),
    /// Calls with a withheld number, and types the wanted one.
    Withheld,
    /// Calls under the wanted number itself, through a trunk that vouches for nobody.
    Spoofing,
    /// Rings once under the wanted number and hangs up.
    OneRing,
    /// Asks the API.
    Api,
}

/// Which numbers he wants called.
#[derive(Clone, Copy, Debug)]
enum Wants {
    /// Always this one.
    One(&'static str),
    /// Neighbours in one block.
    Block,
    /// Each in a block of its own.
    Spread,
    /// These in turn.
    Of(&'static [&'static str]),
}

/// Who answers there.
#[derive(Clone, Copy, Debug, PartialEq)]
enum There {
    /// A machine that answers at once and says nothing.
    Machine,
    /// A machine that presses 1 at once, whatever it is asked, and then says nothing.
    Presser,
    /// Nobody.
    Nobody,
    /// A person who was never asked, and says so with 2.
    Victim,
}

struct Shape {
    name: &'static str,
    by: By,
    wants: Wants,
    there: There,
    tries: u32,
    every: Duration,
    most: usize,
}

/// Where attackers and customers call from.
const CALLERS: &str = "+1202600";
const MINUTE: Duration = secs(60);
const HOUR: Duration = secs(3_600);

fn shapes() -> Vec<Shape> {
    use By::*;
    use There::*;
    use Wants::*;
    let shape = |name, by, wants, there, tries, every, most| Shape { name, by, wants, there, tries, every, most };
    const COSTLY: &[&str] = &["+18765550100", "+449098765432", "+881651234567", "+882161234567", "+878101234567"];
    vec![
        shape("costly numbers, typed", Typing(3), Of(COSTLY), Machine, 20, MINUTE, 0),
        shape("costly numbers, by API", Api, Of(COSTLY), Machine, 20, MINUTE, 0),
        shape("costly numbers as caller ids", Spoofing, Of(COSTLY), Machine, 20, MINUTE, 0),
        shape("one ring from costly numbers", OneRing, Of(COSTLY), Machine, 40, secs(10), 0),
        shape("premium and short, typed", Typing(5), Of(&["19005550100", "911", "112", "411"]), Machine, 20, MINUTE, 0),
        shape("our own number", Typing(5), One("2025550100"), Machine, 20, MINUTE, 0),
        shape("toll-free numbers, by API", Api, Of(&["+18005550100", "+18885550100"]), Machine, 20, MINUTE, 0),
        shape("post-dial digits, by API", Api, Of(&["2025550123,,9w1", "*72+12025550123#"]), Machine, 20, MINUTE, 0),
        shape("one caller, one block", Typing(1), Block, Machine, 20, MINUTE, 3),
        shape("many callers, one block", Typing(20), Block, Machine, 40, MINUTE, 10),
        shape("many callers, many blocks", Typing(20), Spread, Machine, 40, MINUTE, 10),
        shape("many callers, nobody answers", Typing(20), Spread, Nobody, 40, 5 * MINUTE, 10),
        shape("slowly, one in five hours", Typing(20), Spread, Machine, 20, 5 * HOUR, 10),
        shape("withheld callers", Withheld, Spread, Machine, 40, MINUTE, 10),
        shape("a burst by API", Api, Spread, Machine, 60, secs(1), 10),
        shape("one block by API", Api, Block, Machine, 40, MINUTE, 10),
        shape("machines that press one", Api, Spread, Presser, 40, 3 * MINUTE, 10),
        shape("a victim by API", Api, One("+12022340123"), Machine, 50, 10 * MINUTE, 1),
        shape("a victim by many callers", Typing(20), One("2022340123"), Victim, 50, 10 * MINUTE, 1),
        shape("caller ids of one block", Spoofing, Block, Machine, 40, MINUTE, 10),
    ]
}

fn wanted(wants: Wants, n: u32) -> String {
    match wants {
        Wants::One(number) => number.to_owned(),
        Wants::Block => format!("+1202234{:04}", 1_000 + n),
        Wants::Spread => format!("+1202{:03}0123", 240 + n),
        Wants::Of(numbers) => numbers[n as usize % numbers.len()].to_owned(),
    }
}

fn site(site: &mut Settings, by: By) {
    site.queues[0].wrap_up = secs(1);
    site.trunks[0].trusted = !matches!(by, By::Spoofing | By::OneRing);
    site.profiles[0].success_min_talk = secs(5);
    let missed = CallbackRule {
        source: RuleSource::MissedQueue,
        triggers: Vec::new(),
        ..CallbackRule::named("missed", "standard")
    };
    site.rules.push(missed);
    site.queues[0].rules.push("missed".into());
}

/// What people there do when we call.
fn at_the_other_end(there: There) -> Reaction {
    match there {
        There::Machine | There::Presser | There::Victim => Reaction::Answer { after: secs(1), early: false },
        There::Nobody => Reaction::Ring { early: false },
    }
}

/// The agents take what rings; whoever hears nothing hangs up after a while, but not before it counts as a talk.
fn agents_work(world: &mut World) {
    for phone in [ANNA, BEN, CARL] {
        let person = &mut world.stations[phone].people[0];
        person.reactions = [Reaction::Answer { after: secs(2), early: false }].into();
        person.talk = Some(secs(4));
    }
    world.register(&[ANNA, BEN, CARL]);
}

/// One try, as the attacker makes it.
fn strike(world: &mut World, shape: &Shape, n: u32) {
    let number = wanted(shape.wants, n);
    let from = match shape.by {
        By::Typing(callers) => Some(format!("{CALLERS}{:04}", n % callers)),
        By::Withheld => Some(format!("{CALLERS}9999")),
        By::Spoofing | By::OneRing => Some(number.clone()),
        By::Api => None,
    };
    let Some(from) = from else {
        let new = NewCallback {
            number,
            queue: None,
            not_before: None,
            profile: None,
            agent: None,
            data: None,
            idempotency_key: None,
        };
        world.ask(Command::AddCallback(Box::new(new)));
        return;
    };
    let (keys, patience) = match shape.by {
        By::OneRing => (Vec::new(), secs(1)),
        By::Spoofing => (vec![(1_000, '1'), (2_000, '#')], secs(30)),
        By::Typing(_) | By::Withheld | By::Api => {
            let digits = number.trim_start_matches('+').chars().chain(['#']);
            let mut keys = vec![(1_000, '1')];
            keys.extend(digits.zip(0..).map(|(digit, at)| (2_000 + at * 300, digit)));
            keys.push((16_000, '1'));
            (keys, secs(40))
        }
    };
    let caller = world.customer(Person::new("attacker", &from).visiting(&keys, Some(patience)));
    let now = world.now;
    match shape.by {
        By::Withheld => world.stations[TRUNK].dial_withheld(now, caller, DID),
        By::Typing(_) | By::Spoofing | By::OneRing | By::Api => world.call_in(caller),
    };
}

/// The numbers at which somebody is, so that what we dial there answers.
fn populate(world: &mut World, shape: &Shape) {
    for n in 0..shape.tries {
        let number = wanted(shape.wants, n);
        let number = if number.starts_with('+') { number } else { format!("+1{number}") };
        let person = Person::new("there", &number).reacting([at_the_other_end(shape.there)]);
        world.customer(person);
    }
}

/// Presses 1 or 2 where one is asked to.
fn answer_questions(world: &mut World, there: There) {
    let key = match there {
        There::Presser => '1',
        There::Victim => '2',
        There::Machine | There::Nobody => return,
    };
    let carrier = &world.stations[TRUNK];
    let is_there = |id| carrier.owner(id).is_some_and(|person| carrier.people[person].name == "there");
    let calls = carrier.endpoint.calls().map(|(id, _)| id);
    let up: Vec<_> = calls.filter(|id| is_there(*id) && world.is_up(TRUNK, *id)).collect();
    for call in up {
        world.press_one(TRUNK, call, key);
    }
}

/// How often somebody else's phone was dialled. Who calls and hangs up is called back at his own number: `CALLERS`.
fn dialled(world: &World) -> usize {
    let dials = world.disk.attempts.values().filter(|attempt| {
        let invited = attempt.customer_leg.as_ref().is_some_and(|leg| leg.invite_at.is_some());
        invited && !attempt.number.as_str().starts_with(CALLERS)
    });
    dials.count()
}

/// The agents pause, or are free again.
fn free(world: &mut World, free: bool) {
    for agent in ["anna", "ben", "carl"].map(str::to_owned) {
        world.ask(if free { Command::ResumeAgent(agent) } else { Command::PauseAgent { agent, reason: None } });
    }
}

fn live_through(shape: &Shape) -> World {
    let mut world = World::with(7, |settings| site(settings, shape.by));
    world.ladder.hides_registrations = true;
    populate(&mut world, shape);
    agents_work(&mut world);
    for n in 0..shape.tries {
        // Who calls waits only while nobody is free: attackers come when all are busy.
        let calls = !matches!(shape.by, By::Api);
        if calls {
            free(&mut world, false);
        }
        strike(&mut world, shape, n);
        if calls {
            world.run_for(secs(45));
            free(&mut world, true);
        }
        let until = world.now + shape.every.max(secs(if calls { 75 } else { 1 }));
        while world.now < until {
            let left = until.since(world.now).min(secs(20));
            world.run_for(left);
            answer_questions(&mut world, shape.there);
        }
    }
    for _ in 0..90 {
        world.run_for(secs(20));
        answer_questions(&mut world, shape.there);
    }
    world
}

#[test]
fn of_twenty_shapes_of_attack_at_most_ten_calls_go_out() {
    let shapes = shapes();
    assert_eq!(shapes.len(), 20);

    let mut told = Vec::new();
    let mut too_many = false;
    for shape in &shapes {
        let world = live_through(shape);
        let dials = dialled(&world);
        told.push(format!("{:3} of at most {:2}: {}", dials, shape.most, shape.name));
        if dials > shape.most {
            too_many = true;
            let attempts = world.disk.attempts.values().map(|it| format!("    {} {:?}", it.number, it.outcome));
            told.extend(attempts);
        }
    }

    assert!(!too_many, "{}", told.join("\n"));
    println!("{}", told.join("\n"));
}

#[test]
fn customers_who_ring_us_themselves_are_called_back_as_always_while_an_attack_goes_on() {
    let attack = Shape {
        name: "a burst by API",
        by: By::Api,
        wants: Wants::Spread,
        there: There::Machine,
        tries: 60,
        every: secs(1),
        most: 10,
    };
    let mut world = World::with(7, |settings| site(settings, attack.by));
    world.ladder.hides_registrations = true;
    populate(&mut world, &attack);
    let mut customers = Vec::new();
    for n in 0..20 {
        let person = Person::new("customer", &format!("{CALLERS}{:04}", 100 + n))
            .reacting([Reaction::Answer { after: secs(2), early: false }])
            .visiting(&[(1_000, '1'), (2_000, '#')], Some(secs(40)))
            .talking(secs(20));
        let customer = world.customer(person);
        world.call_in(customer);
        customers.push(customer);
        (0..3).for_each(|at| strike(&mut world, &attack, n * 3 + at));
        world.run_for(secs(5));
    }
    world.run_for(secs(60));
    agents_work(&mut world);
    for phone in [ANNA, BEN, CARL] {
        world.stations[phone].people[0].talk = Some(secs(30));
    }

    world.run_for(HOUR);

    assert!(dialled(&world) <= attack.most, "{}", dialled(&world));
    let ours = world.tasks().into_iter().filter(|task| task.number.as_str().starts_with(CALLERS));
    let states: Vec<TaskState> = ours.map(|task| task.state).collect();
    assert_eq!(states, [TaskState::Completed; 20]);
    assert!(world.published.iter().any(|(_, event)| matches!(event, Event::BreakerOpened { why: "unwanted" })));
}

#[test]
fn a_person_resumes_what_the_breaker_has_stopped() {
    let shapes = shapes();
    let burst = shapes.iter().find(|shape| shape.name == "a burst by API").expect("one of the twenty");
    let mut world = live_through(burst);
    let before = dialled(&world);
    let held = world.callbacks().into_iter().find_map(|callback| callback.held_by).expect("most are held");
    assert!(held.contains("the breaker is open"), "{held}");

    world.ask(Command::ResumeDialling);
    world.run_for(10 * MINUTE);

    assert!(dialled(&world) > before);
    assert!(world.published.iter().any(|(_, event)| *event == Event::BreakerClosed));
}

// T31: what a person has said about it is not forgotten by a restart.
#[test]
fn a_restart_does_not_open_a_breaker_that_a_person_has_closed() {
    let shapes = shapes();
    let burst = shapes.iter().find(|shape| shape.name == "a burst by API").expect("one of the twenty");
    let mut world = live_through(burst);
    world.disk.mood = Mood::Failing(NotStored::Failed);
    let refused = world.ask(Command::ResumeDialling);
    assert!(matches!(refused, Reply::Refused(Refused::NotStored)), "{refused:?}");
    world.disk.mood = Mood::Working;
    world.run_for(MINUTE);
    assert!(!world.published.iter().any(|(_, event)| *event == Event::BreakerClosed), "not yet");

    world.ask(Command::ResumeDialling);
    let before = dialled(&world);
    world.crash();
    world.published.clear();
    world.run_for(secs(2));
    world.start();
    assert!(!world.published.iter().any(|(_, event)| matches!(event, Event::BreakerOpened { .. })));
    world.run_for(10 * MINUTE);

    assert!(dialled(&world) > before);
}

// T31: a breaker that is open is told of again by every new life.
#[test]
fn a_restart_does_not_close_the_breaker() {
    let shapes = shapes();
    let burst = shapes.iter().find(|shape| shape.name == "a burst by API").expect("one of the twenty");
    let mut world = live_through(burst);
    let before = dialled(&world);

    world.crash();
    world.published.clear();
    world.run_for(secs(2));
    world.start();
    let opened = |world: &World| {
        let opened = |event: &&(_, Event)| matches!(event.1, Event::BreakerOpened { why: "unwanted" });
        world.published.iter().filter(opened).count()
    };
    assert_eq!(opened(&world), 1);
    world.run_for(HOUR);

    assert_eq!(dialled(&world), before);
    assert_eq!(opened(&world), 1);
}
