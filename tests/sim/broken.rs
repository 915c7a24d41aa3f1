//! Every law that is watched can be broken: the watchers are shown a switch that does what none may, and cry out.

use super::disk::Disk;
use super::drive::{ANNA, BEN};
use super::fired::Fired;
use super::lawful;
use super::laws::Laws;
use super::site::{CARRIER, PHONES, secs, site};
use super::world::{TRUNK, World};
use ringback::callback::task::{Attempt, AttemptKind, Source, Task, TaskState};
use ringback::demo::codec::Message;
use ringback::demo::person::Person;
use ringback::id::{AttemptId, CallRef, LegRef, PlayRef, TaskId};
use ringback::media::{Command, Play};
use ringback::number::Party;
use ringback::settings::Settings;
use ringback::switch::event::Event;
use ringback::switch::{Change, Restored};
use ringback::time::{DateTime, Tick, Utc};
use std::net::SocketAddr;

pub const ALICE: &str = "+12025550123";
pub const BOB: &str = "+12025550124";

fn now() -> DateTime<Utc> {
    "2026-03-02T15:00:00Z".parse().expect("an instant")
}

pub fn task(n: u128, number: &str) -> Task {
    let party = Party::Number(number.into());
    Task::new(TaskId(ulid(n)), Source::QueueRequest, "standard".into(), "support".into(), party, now())
}

pub fn ulid(n: u128) -> ulid::Ulid {
    ulid::Ulid(n)
}

pub fn attempt(n: u128, task: &Task) -> Attempt {
    let text = format!(
        r#"{{"id":"{}","task":"{}","n":1,"kind":"agent","number":"{}","loaded_at":"{}","ring_timeout_secs":30,
            "agent_legs":[],"customer_leg":null,"outcome":null,"ended_at":null,"talk_secs":0,"recording":null}}"#,
        AttemptId(ulid(n)),
        task.id,
        task.number,
        now().to_rfc3339(),
    );
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A disk that holds these.
fn disk(tasks: &[Task], attempts: &[Attempt]) -> Disk {
    let mut disk = Disk::new();
    let changes = tasks.iter().cloned().map(|task| Change::PutTask(Box::new(task)));
    let changes = changes.chain(attempts.iter().cloned().map(|it| Change::PutAttempt(Box::new(it)))).collect();
    disk.take(Tick::ZERO, ringback::id::CommitRef(1), changes);
    disk.write_next();
    disk
}

pub fn invite(call_id: &str, from: &str, to: &str) -> Message {
    let mut invite = Message::request("INVITE", &format!("sip:{to}@198.51.100.5"));
    invite.push("Via", format!("SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK{call_id}"));
    invite.push("From", format!("<sip:{from}@10.0.0.1>;tag=1"));
    invite.push("To", format!("<sip:{to}@198.51.100.5>"));
    invite.push("Call-ID", call_id);
    invite.push("CSeq", "1 INVITE");
    invite
}

pub fn answered(invite: &Message, status: u16) -> Message {
    let mut response = Message::response_to(invite, status);
    response.set("To", format!("{};tag=2", invite.header("To").unwrap_or("")));
    response
}

struct Watch {
    laws: Laws,
    disk: Disk,
}

fn watch(change: impl FnOnce(&mut Settings), disk: Disk) -> Watch {
    let mut settings = site();
    change(&mut settings);
    let mut laws = Laws::new(&settings);
    laws.utc = now();
    for (name, extension, ..) in PHONES {
        let contact = format!("sip:{extension}@10.0.1.1");
        laws.on_event(Tick::ZERO, &Event::AgentRegistered { agent: name.into(), contact }, &disk);
    }
    Watch { laws, disk }
}

impl Watch {
    /// The switch sends this, or hears it.
    fn sip(&mut self, outgoing: bool, peer: SocketAddr, message: &Message) {
        self.laws.on_sip(Tick::ZERO + secs(100), outgoing, peer, message, &self.disk);
    }

    /// An agent's phone rings for `number` and is taken.
    fn agent_takes(&mut self, extension: &str, number: &str) {
        let ring = invite(&format!("agent-{extension}"), number, extension);
        self.sip(true, PHONES[0].2, &ring);
        self.sip(false, PHONES[0].2, &answered(&ring, 200));
    }
}

fn promised() -> Disk {
    let alice = task(1, ALICE);
    disk(std::slice::from_ref(&alice), &[attempt(2, &alice)])
}

#[test]
fn what_is_lawful_passes() {
    let mut watch = watch(|_| {}, promised());
    watch.agent_takes("1001", ALICE);
    watch.sip(true, CARRIER, &invite("customer", "+12025550100", ALICE));
}

#[test]
#[should_panic(expected = "law 1: 1 promises spoken, 0 on the disk")]
fn law_1_a_promise_that_is_not_on_the_disk_is_spoken() {
    let clips = vec!["callback_accepted".into()];
    let what = Play::Clips { clips, then: None };
    watch(|_| {}, Disk::new()).laws.on_media(&Command::Play { leg: LegRef(1), play: PlayRef(1), what });
}

#[test]
#[should_panic(expected = "law 1: Completed was final and became Pending")]
fn law_1_a_callback_that_has_ended_is_open_again() {
    let mut ended = task(1, ALICE);
    ended.state = TaskState::Completed;
    let before = disk(&[ended], &[]).tasks;
    let changes = [Change::PutTask(Box::new(task(1, ALICE)))];
    watch(|_| {}, Disk::new()).laws.on_committed(&before, &changes, &Disk::new());
}

#[test]
#[should_panic(expected = "law 1: +12025550123 is rung though no attempt is on the disk")]
fn law_1_a_customer_is_rung_before_the_attempt_is_on_the_disk() {
    let mut watch = watch(|_| {}, disk(&[task(1, ALICE)], &[]));
    watch.agent_takes("1001", ALICE);
    watch.sip(true, CARRIER, &invite("customer", "+12025550100", ALICE));
}

#[test]
#[should_panic(expected = "law 1: 1001 is rung for an attempt that is not on the disk")]
fn law_1_an_agent_is_rung_before_the_attempt_is_on_the_disk() {
    let alice = task(1, ALICE);
    let mut disk = disk(std::slice::from_ref(&alice), &[]);
    let intent = vec![Change::PutAttempt(Box::new(attempt(2, &alice)))];
    disk.take(Tick::ZERO, ringback::id::CommitRef(2), intent);
    watch(|_| {}, disk).sip(true, PHONES[0].2, &invite("agent", ALICE, "1001"));
}

#[test]
#[should_panic(expected = "law 2: +12025550123 is rung while another leg of his is live")]
fn law_2_a_customer_is_rung_twice() {
    let mut watch = watch(|_| {}, promised());
    watch.agent_takes("1001", ALICE);
    watch.sip(true, CARRIER, &invite("customer", "+12025550100", ALICE));
    watch.sip(true, CARRIER, &invite("again", "+12025550100", ALICE));
}

#[test]
#[should_panic(expected = "law 2: two open attempts for +12025550123")]
fn law_2_two_attempts_for_one_number() {
    let (one, other) = (task(1, ALICE), task(2, ALICE));
    let disk = disk(&[one.clone(), other.clone()], &[attempt(3, &one), attempt(4, &other)]);
    watch(|_| {}, Disk::new()).laws.on_committed(&Default::default(), &[], &disk);
}

#[test]
#[should_panic(expected = "law 2: +12025550123 is tried while frozen")]
fn law_2_an_attempt_begins_while_the_site_is_frozen() {
    let alice = task(1, ALICE);
    watch(|site| site.system.frozen = true, Disk::new()).laws.on_attempt(&attempt(2, &alice), &Disk::new());
}

#[test]
#[should_panic(expected = "law 2: +12025550124 is tried beside 1 others, above 1 lines")]
fn law_2_an_attempt_begins_above_a_cap() {
    let (alice, bob) = (task(1, ALICE), task(2, BOB));
    let mut settings = site();
    settings.system.max_callback_lines = 1;
    let disk = disk(&[alice.clone(), bob.clone()], &[attempt(3, &alice)]);
    lawful::assert_lawful(&settings, &disk, &attempt(4, &bob));
}

#[test]
#[should_panic(expected = "law 3: +12025550123 is rung without an agent who has answered")]
fn law_3_a_customer_is_rung_without_an_agent() {
    watch(|_| {}, promised()).sip(true, CARRIER, &invite("customer", "+12025550100", ALICE));
}

#[test]
#[should_panic(expected = "law 4: 1001 rings for +12025550124")]
fn law_4_who_came_later_is_served_before() {
    let mut watch = watch(|_| {}, Disk::new());
    for (n, number) in [(1, ALICE), (2, BOB)] {
        let (call, at) = (CallRef(ulid(n)), Tick::ZERO + secs(u64::try_from(n).expect("small")));
        let (from, to) = (number.to_owned(), "+12025550100".to_owned());
        watch.laws.on_event(at, &Event::CallArrived { call, from, to }, &watch.disk);
        let queued = Event::CallQueued { call, queue: "support".into(), position: 1, priority: 5 };
        watch.laws.on_event(at, &queued, &watch.disk);
    }
    watch.sip(true, PHONES[0].2, &invite("agent", BOB, "1001"));
}

#[test]
#[should_panic(expected = "law 5: 1001 is rung while on the phone")]
fn law_5_a_busy_agent_is_rung() {
    let mut watch = watch(|_| {}, promised());
    watch.agent_takes("1001", ALICE);
    watch.sip(true, PHONES[0].2, &invite("again", BOB, "1001"));
}

#[test]
#[should_panic(expected = "law 5: 1001 is rung while paused")]
fn law_5_a_paused_agent_is_rung() {
    let mut watch = watch(|_| {}, promised());
    let paused = Event::AgentPaused { agent: "anna".into(), reason: "lunch".to_owned() };
    watch.laws.on_event(Tick::ZERO, &paused, &Disk::new());
    watch.sip(true, PHONES[0].2, &invite("agent", ALICE, "1001"));
}

#[test]
#[should_panic(expected = "law 5: 1001 is rung though not registered")]
fn law_5_an_agent_without_a_phone_is_rung() {
    let mut laws = Laws::new(&site());
    laws.on_restored(&Restored::default());
    laws.on_sip(Tick::ZERO, true, PHONES[0].2, &invite("agent", ALICE, "1001"), &promised());
}

#[test]
#[should_panic(expected = "law 6: 4 attempts of 3")]
fn law_6_more_attempts_than_allowed_are_counted() {
    let mut tried = task(1, ALICE);
    tried.attempts_used = 4;
    let changes = [Change::PutTask(Box::new(tried))];
    watch(|_| {}, Disk::new()).laws.on_committed(&Default::default(), &changes, &Disk::new());
}

#[test]
#[should_panic(expected = "law 7: one INVITE got the final responses")]
fn law_7_an_invite_is_answered_twice() {
    let mut watch = watch(|_| {}, Disk::new());
    let invite = invite("call", ALICE, "+12025550100");
    watch.sip(false, CARRIER, &invite);
    watch.sip(true, CARRIER, &answered(&invite, 486));
    watch.sip(true, CARRIER, &answered(&invite, 200));
}

#[test]
#[should_panic(expected = "law 9: a table has more entries than it may")]
fn law_9_a_table_is_too_full() {
    let mut world = World::new(1);
    let alice = world.customer(Person::new("alice", ALICE));
    world.joins(alice);
    let mut tables = world.switch.as_ref().expect("it lives").tables();
    tables.iter_mut().filter(|(name, ..)| *name == "legs").for_each(|(_, _, most)| *most = 0);
    Laws::within_limits(&tables);
}

// P4: a callback that the switch does not know any more, although the disk does; and the other way round.
#[test]
#[should_panic(expected = "P4: the switch says")]
fn the_books_of_disk_and_switch_differ() {
    let mut world = World::new(1);
    world.promised("alice", ALICE);
    let bob = task(7, BOB);
    world.disk.take(Tick::ZERO, ringback::id::CommitRef(99_999), vec![Change::PutTask(Box::new(bob))]);
    world.disk.write_next();
    world.register(&[ANNA]);
}

// Law 10 is laws 1, 2 and 6 across a crash: what was promised is there again, and is counted so.
#[test]
#[should_panic(expected = "law 1: a promise has disappeared")]
fn law_10_a_promise_does_not_outlive_a_crash() {
    let mut world = World::new(1);
    world.promised("alice", ALICE);
    world.crash();
    world.disk.tasks.clear();
    world.disk.books = Default::default();
    world.start();
    world.run_for(secs(1));
    world.assert_rest();
}

#[test]
fn what_is_counted_has_happened() {
    let mut fired = Fired::default();
    let mut world = World::new(1);
    world.register(&[ANNA, BEN]);
    let alice = world.promised("alice", ALICE);
    world.called_back_after(alice, secs(20));
    world.stations[TRUNK].endpoint.quirks.answers_cancel_with_200 = true;
    world.hang_up(ANNA, world.at(ANNA));
    world.run_for(secs(2));
    fired.times("nothing", 0);

    let found: Vec<&String> = world.laws.fired.all().collect();
    assert!(found.iter().any(|what| *what == "carrier: 200 after CANCEL"), "{found:?}");
    assert!(!found.iter().any(|what| what.contains("killed")), "{found:?}");
    assert_eq!(fired.all().count(), 0);
    assert_eq!(attempt(1, &task(2, ALICE)).kind, AttemptKind::Agent);
}
