//! Who stands where in line and who is served next by whom; law 4 as a property.

use crate::site::{name, task_id, utc};
use proptest::prelude::*;
use ringback::id::{CallRef, Counter, Name, Ticket};
use ringback::limits::QUEUE_ENTRIES;
use ringback::queue::distribute::{Gates, Pick, Served, next};
use ringback::queue::estimate::Pace;
use ringback::queue::{Claim, Entry, Full, Idle, Joining, Kind, Line, Standing, Turn};
use ringback::settings;
use ringback::time::Tick;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

const NOW: Tick = Tick::from_millis(1_000_000);

/// Everything may be served, except the tickets and pairs named here.
#[derive(Default)]
struct Shut {
    tickets: BTreeSet<Ticket>,
    pairs: BTreeSet<(Ticket, Name)>,
    /// When another look is wanted.
    looks: RefCell<BTreeSet<Tick>>,
}

impl Gates for Shut {
    fn open(&self, _: &Name, entry: &Entry) -> bool {
        !self.tickets.contains(&entry.ticket)
    }

    fn suits(&self, entry: &Entry, agent: &Name) -> bool {
        !self.pairs.contains(&(entry.ticket, agent.clone()))
    }

    fn owners(&self, _: &Name, _: &Entry) -> Option<Vec<Idle>> {
        None
    }

    fn preferred(&self, _: &Name, _: &Entry) -> Option<Name> {
        None
    }

    fn look_again(&self, at: Tick) {
        self.looks.borrow_mut().insert(at);
    }
}

fn live(n: u128) -> Kind {
    Kind::Live(CallRef(task_id(n).0))
}

fn joining(kind: Kind, priority: u8, minute: u32) -> Joining {
    let virtual_start = utc("2026-11-02T14:00:00Z") + Duration::from_secs(u64::from(minute) * 60);
    Joining { kind, priority, virtual_start, agent: None }
}

fn idle(agents: &[(&str, u64)]) -> Vec<Idle> {
    agents.iter().enumerate().map(|(place, (agent, since))| Idle::of(agent, place, Tick::from_millis(*since))).collect()
}

fn served<'a>(line: &'a Line, ready: &[(&str, u64)]) -> Served<'a> {
    Served { line, ready: idle(ready), turn: Turn::of(settings::Pick::LongestIdle), weight: 0, promises: true }
}

fn pick(line: &Line, ready: &[(&str, u64)], gates: &Shut) -> Option<(Ticket, String)> {
    let served = [served(line, ready)];
    next(&served, NOW, gates).map(|pick| (pick.ticket, pick.agents.iter().map(ToString::to_string).collect()))
}

struct Abc {
    line: Line,
    tickets: [Ticket; 3],
}

/// A, B and C have joined one minute after the other.
fn abc() -> Abc {
    let (mut line, mut counter) = (Line::new(name("support")), Counter::default());
    let tickets = [1, 2, 3].map(|n| {
        let joined = line.join(&mut counter, joining(live(u128::from(n)), 5, n));
        joined.expect("there is room")
    });
    Abc { line, tickets }
}

// S2.3: A, B, C join; B takes a callback; served A, B (callback), C.
#[test]
fn a_callback_keeps_the_callers_place() {
    let Abc { mut line, tickets: [a, b, c] } = abc();
    let key = line.entry(b).expect("B waits").key;

    assert!(line.turn_into(b, Kind::Promise(task_id(9))));

    assert_eq!(line.entry(b).expect("B stays in line").key, key);
    assert_eq!((line.position(b), line.position(c), line.waiting()), (None, Some(2), 2), "it is not due yet");
    assert!(line.set_claim(b, Claim::Now));
    assert_eq!((line.position(b), line.live(), line.len()), (Some(2), 2, 3));
    assert_eq!(line.ticket_of(task_id(9)), Some(b));
    let mut served = Vec::new();
    while let Some((ticket, _)) = pick(&line, &[("anna", 0)], &Shut::default()) {
        served.push(ticket);
        line.leave(ticket);
    }
    assert_eq!(served, [a, b, c]);
    assert!(line.is_empty());
    assert_eq!(line.ticket_of(task_id(9)), None);
}

// interface.md, Settled 8
#[test]
fn a_customer_who_rings_in_takes_over_the_promise_place() {
    let Abc { mut line, tickets: [_, b, _] } = abc();
    line.turn_into(b, Kind::Promise(task_id(9)));
    line.turn_into(b, live(7));
    assert_eq!((line.position(b), line.live()), (Some(2), 3));
    assert_eq!(line.ticket_of(task_id(9)), None);
}

// S5.6, S2.22: only candidates stand before anybody, and who yields stands behind the last caller.
#[test]
fn a_position_counts_callers_and_due_promises_only() {
    let Abc { mut line, tickets: [a, b, c] } = abc();
    let mut counter = Counter::default();
    (0..90).for_each(|_| assert!(counter.take() <= 90, "tickets of the three"));
    let mut promise = |n: u128, minute| line_up(&mut line, &mut counter, n, minute);
    let (later, due, missed, old) = (promise(1, 0), promise(2, 0), promise(3, 0), promise(4, 9));
    let places = |line: &Line| [a, b, c, later, due, missed, old].map(|ticket| line.position(ticket));
    assert_eq!(places(&line), [Some(1), Some(2), Some(3), None, None, None, None]);

    line.set_claim(due, Claim::Now);
    line.set_claim(old, Claim::Now);
    line.set_claim(missed, Claim::Yields);
    assert_eq!(
        places(&line),
        [Some(2), Some(3), Some(4), None, Some(1), Some(5), Some(6)],
        "it yields to C, not to old"
    );
    assert_eq!((line.waiting(), line.live(), line.len()), (6, 3, 7));

    line.set_standing(c, Standing::Held);
    assert_eq!(
        places(&line),
        [Some(2), Some(3), Some(5), None, Some(1), Some(4), Some(6)],
        "C has asked for a callback"
    );
    line.set_claim(missed, Claim::Now);
    assert_eq!(
        places(&line),
        [Some(3), Some(4), Some(5), None, Some(1), Some(2), Some(6)],
        "it has yielded long enough"
    );
    assert!([a, b, c].into_iter().all(|ticket| line.leave(ticket).is_some()));
    line.set_claim(due, Claim::Later);
    line.set_claim(missed, Claim::Yields);
    assert_eq!(places(&line)[3..], [None, None, Some(1), Some(2)], "nobody is on the phone");
    let order: Vec<Ticket> = line.candidates().map(|entry| entry.ticket).collect();
    assert_eq!(order, [missed, old]);
}

fn line_up(line: &mut Line, counter: &mut Counter, n: u128, minute: u32) -> Ticket {
    line.join(counter, joining(Kind::Promise(task_id(n)), 5, minute)).expect("a promise is always taken")
}

// Law 9: what shuts all promises is asked once, and none of them is looked at.
#[test]
fn promises_that_cannot_be_served_are_not_walked() {
    struct NoPromise;
    impl Gates for NoPromise {
        fn open(&self, _: &Name, entry: &Entry) -> bool {
            assert!(matches!(entry.kind, Kind::Live(_)), "a promise is asked");
            true
        }
        fn suits(&self, _: &Entry, _: &Name) -> bool {
            true
        }
        fn owners(&self, _: &Name, _: &Entry) -> Option<Vec<Idle>> {
            None
        }
        fn preferred(&self, _: &Name, _: &Entry) -> Option<Name> {
            None
        }
        fn look_again(&self, _: Tick) {}
    }
    let Abc { mut line, tickets: [a, b, _] } = abc();
    line.turn_into(a, Kind::Promise(task_id(9)));
    line.set_claim(a, Claim::Now);

    let lines = [Served { promises: false, ..served(&line, &[("anna", 0)]) }];
    assert_eq!(next(&lines, NOW, &NoPromise).map(|pick| pick.ticket), Some(b));
}

#[test]
fn the_longest_idle_agent_is_rung_first_and_by_name_when_equal() {
    let Abc { line, tickets: [a, ..] } = abc();
    let gates = Shut::default();
    assert_eq!(pick(&line, &[("anna", 20), ("ben", 10)], &gates), Some((a, "ben".into())));
    assert_eq!(pick(&line, &[("ben", 10), ("anna", 10)], &gates), Some((a, "anna".into())));
    assert_eq!(pick(&line, &[], &gates), None);
}

// S1.5: who is of a better class is served before who came earlier.
#[test]
fn priority_goes_before_age() {
    let Abc { mut line, .. } = abc();
    let vip = line.join(&mut Counter::default(), joining(live(4), 1, 30)).expect("there is room");
    assert_eq!(line.position(vip), Some(1));
    assert_eq!(pick(&line, &[("anna", 0)], &Shut::default()), Some((vip, "anna".into())));
}

// S2.22: who is held or not due is passed over (model.md, Order of service).
#[test]
fn who_is_held_or_not_due_is_passed_over_and_keeps_the_place() {
    let Abc { mut line, tickets: [a, b, c] } = abc();
    line.set_standing(a, Standing::Held);
    let shut = Shut { tickets: [b].into(), ..Shut::default() };

    assert_eq!(pick(&line, &[("anna", 0)], &shut), Some((c, "anna".into())));
    line.set_standing(c, Standing::Offered);
    assert_eq!(pick(&line, &[("anna", 0)], &shut), None);
    line.set_standing(a, Standing::Open);
    assert_eq!(pick(&line, &[("anna", 0)], &shut), Some((a, "anna".into())));
    assert_eq!(line.position(a), Some(1));
}

// S2.B11, S2.19: not the same agent again, and the place is kept.
#[test]
fn an_agent_who_declined_is_not_offered_the_same_call_again() {
    let Abc { mut line, tickets: [a, b, _] } = abc();
    line.exclude(a, &name("anna"), None);

    assert_eq!(pick(&line, &[("anna", 0), ("ben", 5)], &Shut::default()), Some((a, "ben".into())));
    assert_eq!(pick(&line, &[("anna", 0)], &Shut::default()), Some((b, "anna".into())));
    assert_eq!(line.position(a), Some(1), "the place is kept");
}

#[test]
fn a_decline_of_a_promise_may_end() {
    let Abc { mut line, tickets: [a, b, _] } = abc();
    line.turn_into(a, Kind::Promise(task_id(9)));
    line.set_claim(a, Claim::Now);
    let ends = NOW + Duration::from_secs(1);
    line.exclude(a, &name("anna"), Some(ends));
    let shut = Shut::default();
    assert_eq!(pick(&line, &[("anna", 0)], &shut), Some((b, "anna".into())));
    assert_eq!(shut.looks.into_inner(), [ends].into(), "worth another look then");

    let shut = Shut::default();
    line.exclude(a, &name("anna"), Some(NOW));
    line.exclude(a, &name("ben"), Some(ends));
    assert_eq!(pick(&line, &[("anna", 0)], &shut), Some((a, "anna".into())));
    assert!(shut.looks.into_inner().is_empty(), "it is over, and ben is not there");
}

// S3.6: an entry with an owner waits for him alone.
#[test]
fn only_the_owner_serves_an_owned_entry_and_nobody_his_own_extension() {
    let Abc { mut line, tickets: [a, ..] } = abc();
    let owned = Joining { agent: Some(name("ben")), ..joining(Kind::Promise(task_id(8)), 1, 0) };
    let owned = line.join(&mut Counter::default(), owned).expect("there is room");
    line.set_claim(owned, Claim::Now);
    assert_eq!(pick(&line, &[("anna", 0)], &Shut::default()), Some((a, "anna".into())));
    assert_eq!(pick(&line, &[("anna", 0), ("ben", 1)], &Shut::default()), Some((owned, "ben".into())));

    let shut = Shut { pairs: [(owned, name("ben"))].into(), ..Shut::default() };
    assert_eq!(pick(&line, &[("anna", 0), ("ben", 1)], &shut), Some((a, "anna".into())));
}

#[test]
fn the_heavier_queue_is_served_first_within_a_priority_class() {
    let mut counter = Counter::default();
    let (mut support, mut sales) = (Line::new(name("support")), Line::new(name("sales")));
    let early = support.join(&mut counter, joining(live(1), 5, 3)).expect("there is room");
    let late = sales.join(&mut counter, joining(live(2), 5, 9)).expect("there is room");
    let by_weight = |weight| {
        let lines = [served(&support, &[("anna", 0)]), Served { weight, ..served(&sales, &[("anna", 0)]) }];
        next(&lines, NOW, &Shut::default()).map(|pick| pick.ticket)
    };
    assert_eq!(by_weight(0), Some(early));
    assert_eq!(by_weight(10), Some(late));

    let vip = support.join(&mut counter, joining(live(3), 1, 20)).expect("there is room");
    let lines = [served(&support, &[("anna", 0)]), Served { weight: 10, ..served(&sales, &[("anna", 0)]) }];
    assert_eq!(next(&lines, NOW, &Shut::default()).map(|pick| pick.ticket), Some(vip), "class goes before weight");
}

#[test]
fn lines_of_several_queues_are_one_order_for_an_agent_of_both() {
    let mut counter = Counter::default();
    let (mut support, mut sales) = (Line::new(name("support")), Line::new(name("sales")));
    let late = support.join(&mut counter, joining(live(1), 5, 9)).expect("there is room");
    let early = sales.join(&mut counter, joining(live(2), 5, 3)).expect("there is room");

    let both = |sales_agents: &[(&str, u64)]| {
        let lines = [served(&support, &[("anna", 0)]), served(&sales, sales_agents)];
        next(&lines, NOW, &Shut::default())
    };
    let expected = Pick { queue: name("sales"), ticket: early, kind: live(2), agents: vec![name("anna")] };
    assert_eq!(both(&[("anna", 0)]), Some(expected));
    assert_eq!(both(&[]).map(|pick| pick.ticket), Some(late));
}

// Law 1, law 9
#[test]
fn a_full_line_refuses_callers_but_no_promise_and_a_promise_once() {
    let (mut line, mut counter) = (Line::new(name("support")), Counter::default());
    for n in 0..QUEUE_ENTRIES {
        line.join(&mut counter, joining(live(n as u128), 5, 0)).expect("there is room");
    }
    assert_eq!(line.join(&mut counter, joining(live(0), 5, 0)), Err(Full));
    let promise = line.join(&mut counter, joining(Kind::Promise(task_id(1)), 5, 0));
    assert!(promise.is_ok());
    assert_eq!(line.join(&mut counter, joining(Kind::Promise(task_id(1)), 5, 0)), promise);
    assert_eq!(line.len(), QUEUE_ENTRIES + 1);
}

// Law 1, law 9
#[test]
fn promises_take_no_caller_his_place() {
    let (mut line, mut counter) = (Line::new(name("support")), Counter::default());
    for n in 0..QUEUE_ENTRIES {
        line.join(&mut counter, joining(Kind::Promise(task_id(n as u128)), 5, 0)).expect("a promise is always taken");
    }
    let caller = line.join(&mut counter, joining(live(1), 5, 1));
    assert!(caller.is_ok(), "nobody waits on the phone, and yet the line is full");
}

#[test]
fn the_estimate_is_the_pace_of_the_last_services_and_silent_without_them() {
    let minute = |n: u64| Tick::from_millis(n * 60_000);
    let mut pace = Pace::default();
    assert_eq!(pace.expected_wait(1, minute(0)), None);
    pace.served(minute(0));
    assert_eq!(pace.expected_wait(1, minute(1)), None);
    pace.served(minute(2));
    pace.served(minute(4));
    assert_eq!(pace.expected_wait(3, minute(4)), Some(Duration::from_secs(360)));
    assert_eq!(pace.expected_wait(1, minute(10)), Some(Duration::from_secs(300)), "nothing moves");
    assert_eq!(pace.expected_wait(1, minute(100)), None);
}

#[derive(Clone, Debug)]
enum Act {
    Join { priority: u8, minute: u32 },
    Promise(usize),
    Hold(usize),
    Open(usize),
    Leave(usize),
    Serve,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (1..4u8, 0..30u32).prop_map(|(priority, minute)| Act::Join { priority, minute }),
        2 => any::<usize>().prop_map(Act::Promise),
        1 => any::<usize>().prop_map(Act::Hold),
        1 => any::<usize>().prop_map(Act::Open),
        1 => any::<usize>().prop_map(Act::Leave),
        2 => Just(Act::Serve),
    ];
    proptest::collection::vec(act, 1..80)
}

proptest! {
    /// Law 4 (I1): among those who may be served, nobody who came earlier in the same priority is passed over.
    #[test]
    fn nobody_overtakes(acts in acts()) {
        let (mut line, mut counter) = (Line::new(name("support")), Counter::default());
        let mut tickets: Vec<Ticket> = Vec::new();
        let mut n = 0;
        for act in acts {
            let chosen = |at: usize| (!tickets.is_empty()).then(|| tickets[at % tickets.len()]);
            match act {
                Act::Join { priority, minute } => {
                    n += 1;
                    tickets.push(line.join(&mut counter, joining(live(n), priority, minute)).expect("there is room"));
                }
                Act::Promise(at) => {
                    n += 1;
                    if let Some(ticket) = chosen(at) {
                        let before = (line.position(ticket), line.len());
                        line.turn_into(ticket, Kind::Promise(task_id(n)));
                        prop_assert_eq!(line.position(ticket), None);
                        line.set_claim(ticket, Claim::Now);
                        prop_assert_eq!((line.position(ticket), line.len()), before);
                    }
                }
                Act::Hold(at) => { chosen(at).map(|ticket| line.set_standing(ticket, Standing::Held)); }
                Act::Open(at) => { chosen(at).map(|ticket| line.set_standing(ticket, Standing::Open)); }
                Act::Leave(at) => {
                    if let Some(ticket) = chosen(at) {
                        prop_assert!(line.leave(ticket).is_some());
                        tickets.retain(|other| *other != ticket);
                    }
                }
                Act::Serve => {
                    let open: Vec<_> = line.iter().filter(|entry| entry.standing == Standing::Open).collect();
                    let place = |key: ringback::queue::line::Key| (key.priority, key.virtual_start, key.ticket);
                    let first = open.iter().map(|entry| place(entry.key)).min();
                    let picked = pick(&line, &[("anna", 0)], &Shut::default()).map(|(ticket, _)| ticket);
                    prop_assert_eq!(picked, first.map(|(_, _, ticket)| ticket));
                    if let Some(ticket) = picked {
                        line.leave(ticket);
                        tickets.retain(|other| *other != ticket);
                    }
                }
            }
            let promises = line.iter().filter(|entry| matches!(entry.kind, Kind::Promise(_))).count();
            prop_assert_eq!(line.live() + promises, line.len());
            prop_assert_eq!(line.len(), tickets.len());
        }
    }
}
