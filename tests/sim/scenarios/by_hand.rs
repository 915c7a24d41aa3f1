//! What people do to callbacks and numbers by hand: never call, call again after all, call later.

use crate::disk::Mood;
use crate::drive::{ANNA, BEN};
use crate::site::secs;
use crate::world::{TRUNK, World};
use ringback::callback::task::{CloseReason, Task, TaskState};
use ringback::number::Party;
use ringback::switch::NotStored;
use ringback::switch::command::{Command, Done, NeverCall, NewCallback, PageOf, Refused, Reply};
use ringback::time::{DateTime, Utc};
use std::time::Duration;

fn never(number: &str, note: Option<&str>) -> Box<NeverCall> {
    let done = Done { who: "boss".to_owned(), what: "by hand".to_owned(), ..Done::default() };
    Box::new(NeverCall { number: number.to_owned(), note: note.map(str::to_owned), done })
}

fn add(world: &mut World, number: &str) -> Reply {
    world.ask(Command::AddCallback(Box::new(NewCallback {
        number: number.to_owned(),
        queue: Some("support".to_owned()),
        not_before: None,
        profile: None,
        agent: None,
        data: None,
        idempotency_key: None,
    })))
}

fn listed(world: &mut World) -> Vec<(String, Option<String>)> {
    let Reply::DoNotCall(page) = world.ask(Command::ListDoNotCall(PageOf::default())) else { panic!("no list") };
    assert_eq!(page.next, None);
    page.items.into_iter().map(|entry| (entry.number.to_string(), entry.note)).collect()
}

fn of(world: &World, number: &str) -> Task {
    world.tasks().into_iter().find(|task| task.number.as_str() == number).expect("there is one")
}

fn is_invalid(reply: &Reply, field: &str) -> bool {
    matches!(reply, Reply::Refused(Refused::Invalid { field: of, .. }) if *of == field)
}

// S4.5: never again holds whoever says so: open callbacks of the number are cancelled, what rings stops, no new one is
// taken, in this life and the next; lifted, and only with a reason, the number is called again.
#[test]
fn a_number_on_the_list_is_not_called_until_it_is_lifted() {
    let mut world = World::new(1);
    let alice = world.promised("alice", super::ALICE);
    world.promised("bob", super::BOB);
    world.register(&[ANNA]);
    world.called_back(alice);

    let added = world.ask(Command::AddDoNotCall(never("(202) 555-0123", Some(" wrote to us "))));
    world.run_for(secs(2));

    let Reply::Never(entry) = added else { panic!("{added:?}") };
    assert_eq!((entry.number.as_str(), entry.who.as_deref()), (super::ALICE, Some("boss")));
    assert_eq!((entry.note.as_deref(), entry.task), (Some("wrote to us"), None));
    assert!(!world.is_busy(TRUNK, alice), "her phone rings no more");
    let closed = of(&world, super::ALICE);
    assert_eq!((closed.state, closed.close_reason), (TaskState::Cancelled, Some(CloseReason::Dnc)));
    assert!(!of(&world, super::BOB).state.is_final());
    assert!(is_invalid(&add(&mut world, super::ALICE), "number"));
    let noted = world.disk.audit.last().expect("it is noted").clone();
    assert_eq!((&*noted.who, noted.object), ("boss", Some(format!("do_not_call/{}", super::ALICE))));
    assert_eq!(noted.detail.as_deref(), Some("wrote to us"));

    world.crash();
    world.run_for(secs(1));
    world.start();
    assert_eq!(listed(&mut world), [(super::ALICE.to_owned(), Some("wrote to us".to_owned()))]);
    assert!(is_invalid(&add(&mut world, super::ALICE), "number"));

    for unsaid in [None, Some("  ")] {
        assert!(is_invalid(&world.ask(Command::LiftDoNotCall(never(super::ALICE, unsaid))), "note"));
    }
    assert!(is_invalid(&add(&mut world, super::ALICE), "number"), "nothing was lifted");
    let lifted = world.ask(Command::LiftDoNotCall(never(super::ALICE, Some("asked us to"))));
    assert!(matches!(lifted, Reply::Stored), "{lifted:?}");
    assert!(listed(&mut world).is_empty() && world.disk.do_not_call.is_empty());
    assert_eq!(world.disk.audit.last().and_then(|entry| entry.detail.as_deref()), Some("asked us to"));
    assert!(matches!(add(&mut world, super::ALICE), Reply::Callback(_)));
    world.crash();
    world.run_for(secs(1));
    world.start();
    assert!(listed(&mut world).is_empty());
}

#[test]
fn what_cannot_be_listed_is_refused_with_its_field() {
    let mut world = World::new(1);

    for wrong in ["", "12", "not a number", "1001"] {
        let refused = world.ask(Command::AddDoNotCall(never(wrong, None)));
        assert!(is_invalid(&refused, "number"), "{wrong}: {refused:?}");
    }
    let long = "x".repeat(201);
    assert!(is_invalid(&world.ask(Command::AddDoNotCall(never(super::ALICE, Some(&long)))), "note"));
    let unknown = world.ask(Command::LiftDoNotCall(never(super::ALICE, Some("why not"))));
    assert!(matches!(unknown, Reply::Refused(Refused::NotFound { .. })), "{unknown:?}");
    world.ask(Command::AddDoNotCall(never(super::ALICE, None)));
    let again = world.ask(Command::AddDoNotCall(never(super::ALICE, None)));
    assert!(matches!(again, Reply::Refused(Refused::Conflict { .. })), "{again:?}");
    assert_eq!(listed(&mut world), [(super::ALICE.to_owned(), None)]);
}

#[test]
fn what_the_disk_refuses_is_neither_listed_nor_lifted() {
    let mut world = World::new(1);
    world.promised("bob", super::BOB);
    world.ask(Command::AddDoNotCall(never(super::ALICE, None)));

    world.disk.mood = Mood::Failing(NotStored::Full);
    let added = world.ask(Command::AddDoNotCall(never(super::BOB, None)));
    let lifted = world.ask(Command::LiftDoNotCall(never(super::ALICE, Some("asked us to"))));

    assert!(matches!(added, Reply::Refused(Refused::NotStored)), "{added:?}");
    assert!(matches!(lifted, Reply::Refused(Refused::NotStored)), "{lifted:?}");
    assert_eq!(listed(&mut world), [(super::ALICE.to_owned(), None)]);
    assert!(!of(&world, super::BOB).state.is_final(), "his promise holds");
    world.disk.mood = Mood::Working;
    world.run_for(secs(10));
    let kept: Vec<&Party> = world.disk.do_not_call.keys().collect();
    assert_eq!(kept.iter().map(|number| number.as_str()).collect::<Vec<_>>(), [super::ALICE]);
}

fn postpone(world: &mut World, number: &str, until: DateTime<Utc>) -> Reply {
    let id = of(world, number).id;
    world.ask(Command::PostponeCallback(id, until))
}

#[test]
fn a_callback_that_is_put_off_waits_until_then_at_its_place() {
    let mut world = World::new(1);
    let alice = world.promised("alice", super::ALICE);
    let bob = world.promised("bob", super::BOB);
    let place = of(&world, super::ALICE).virtual_start;
    let until = world.clock().utc + Duration::from_secs(600);

    let put_off = postpone(&mut world, super::ALICE, until);
    let Reply::Callback(put_off) = put_off else { panic!("{put_off:?}") };
    assert_eq!((put_off.task.state, put_off.next_at), (TaskState::Pending, Some(until)));
    assert_eq!(put_off.task.virtual_start, place);
    assert!(of(&world, super::ALICE).expires_at > Some(until), "its life begins anew then");

    world.crash();
    world.run_for(secs(1));
    world.start();
    world.register(&[ANNA]);
    let (agent, call) = world.called_back(bob);
    world.answer(TRUNK, call);
    world.run_for(secs(10));
    world.hang_up(TRUNK, call);
    world.run_for(secs(60));
    assert!(!world.is_up(ANNA, agent) && !world.is_busy(ANNA, 0), "she is not called yet");
    let ahead = until.signed_duration_since(world.clock().utc).to_std().expect("it lies ahead");
    world.run_for(ahead - secs(1));
    assert!(!world.is_busy(ANNA, 0));
    world.called_back_after(alice, secs(2));
    let now = world.clock().utc + Duration::from_secs(60);
    let under_way = postpone(&mut world, super::ALICE, now);
    assert!(matches!(under_way, Reply::Refused(Refused::Conflict { .. })), "{under_way:?}");
}

#[test]
fn a_callback_is_put_off_to_an_instant_to_come_within_a_year() {
    let mut world = World::new(1);
    world.promised("alice", super::ALICE);
    let now = world.clock().utc;
    let before = of(&world, super::ALICE);

    for wrong in [now - Duration::from_secs(1), now + Duration::from_secs(367 * 86_400)] {
        let refused = postpone(&mut world, super::ALICE, wrong);
        assert!(is_invalid(&refused, "not_before"), "{refused:?}");
    }
    assert_eq!(of(&world, super::ALICE), before);
    world.ask(Command::CancelCallback(before.id));
    let closed = postpone(&mut world, super::ALICE, now + Duration::from_secs(600));
    assert!(matches!(closed, Reply::Refused(Refused::Conflict { .. })), "{closed:?}");
    assert!(!world.is_busy(BEN, 0));
}

#[test]
fn a_trunk_is_asked_whether_it_is_there() {
    let mut world = World::new(1);
    world.run_for(secs(1));
    let before = world.trunk();

    let answered = world.ask(Command::TestTrunk("carrier".to_owned()));
    let Reply::TrunkTest(test) = answered else { panic!("{answered:?}") };
    assert_eq!((test.answered, test.status, &*test.told), (true, Some(200), "200 OK"));
    let unknown = world.ask(Command::TestTrunk("nobody".to_owned()));
    assert!(matches!(unknown, Reply::Refused(Refused::NotFound { kind: "trunk", .. })), "{unknown:?}");

    world.stations[TRUNK].endpoint.quirks.options_status = Some(503);
    let answered = world.ask(Command::TestTrunk("carrier".to_owned()));
    let Reply::TrunkTest(test) = answered else { panic!("{answered:?}") };
    assert_eq!((test.answered, test.status), (true, Some(503)));
    assert_eq!(world.trunk().state, before.state, "the trunk's own watch keeps its own count");
    world.assert_rest();
}
