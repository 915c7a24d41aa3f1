//! A person is forgotten by his number (security.md; GDPR 17).

use crate::drive::ANNA;
use crate::site::secs;
use crate::world::World;
use ringback::callback::task::{CloseReason, TaskState};
use ringback::number::Party;
use ringback::switch::command::{Command, Forget, PageOf, Refused, Reply};

fn forget(number: &str) -> Command {
    let number = Party::Number(number.into());
    Command::ForgetPerson(Box::new(Forget { number, tasks: Vec::new(), recordings: Vec::new(), do_not_call: false }))
}

fn is_on_the_phone(world: &mut World, number: &str) -> bool {
    let Reply::Person(person) = world.ask(Command::ShowPerson(number.to_owned())) else { panic!("nobody") };
    assert_eq!(person.number.as_str(), super::ALICE);
    person.on_the_phone
}

fn known_numbers(world: &mut World) -> String {
    let all = PageOf { after: None, limit: Some(500) };
    let callbacks = Command::ListCallbacks { states: Vec::new(), queue: None, page: all.clone() };
    let asked = [callbacks, Command::ListCalls(all.clone()), Command::ListRecordings(all)];
    asked.map(|command| format!("{:?}", world.ask(command))).concat()
}

// While a call of hers runs nothing is forgotten, for it would all come back; afterwards her open callback is
// cancelled, and nothing that is shown has her number. Nobody else is touched.
#[test]
fn who_is_forgotten_is_cancelled_first_and_then_nowhere_any_more() {
    let mut world = World::new(1);
    let alice = world.promised("alice", super::ALICE);
    world.promised("bob", super::BOB);
    world.register(&[ANNA]);
    world.called_back(alice);

    assert!(is_on_the_phone(&mut world, "(202) 555-0123"));
    let refused = world.ask(forget(super::ALICE));
    assert!(matches!(refused, Reply::Refused(Refused::Conflict { .. })), "{refused:?}");
    assert!(known_numbers(&mut world).contains(super::ALICE), "nothing was forgotten");
    world.run_for(secs(60));
    assert!(!is_on_the_phone(&mut world, super::ALICE), "nobody has answered");

    let forgotten = world.ask(forget(super::ALICE));
    world.run_for(secs(1));

    assert!(matches!(forgotten, Reply::Stored), "{forgotten:?}");
    let known = known_numbers(&mut world);
    assert!(!known.contains("2025550123"), "{known}");
    assert!(known.contains(super::BOB));
    let hers: Vec<_> = world.disk.tasks.values().filter(|task| task.number.as_str() == super::ALICE).collect();
    let [task] = hers[..] else { panic!("{hers:?}") };
    assert_eq!((task.state, task.close_reason), (TaskState::Cancelled, Some(CloseReason::ByAdmin)));
}
