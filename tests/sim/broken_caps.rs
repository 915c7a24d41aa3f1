//! The laws of `watch` can be broken, too: each watcher is shown a switch that does what none may, and cries out.

use super::broken::{ALICE, BOB, answered, attempt, invite, task, ulid};
use super::caps::Caps;
use super::disk::Disk;
use super::drains::Drains;
use super::fired::Fired;
use super::laws::Laws;
use super::site::{CARRIER, SPARE, secs, site};
use super::tapes::Tapes;
use ringback::callback::task::{Attempt, Outcome};
use ringback::demo::codec::Message;
use ringback::id::{CallRef, LegRef, RecordingId};
use ringback::media::Command as Media;
use ringback::switch::Change;
use ringback::switch::command::Command;
use ringback::switch::event::Event;
use ringback::time::Tick;
use std::time::Duration;

const AGENT: LegRef = LegRef(1);
const CUSTOMER: LegRef = LegRef(2);

fn at(millis: u64) -> Tick {
    Tick::ZERO + Duration::from_millis(millis)
}

fn tape() -> RecordingId {
    RecordingId(ulid(9))
}

/// One call on the carrier, at most; one callback a minute.
fn narrow() -> Caps {
    let mut site = site();
    (site.trunks[0].max_calls, site.system.max_originates_per_min) = (1, 1);
    Caps::new(&site)
}

/// A request in the dialog of that INVITE.
fn within(invite: &Message, method: &str) -> Message {
    let mut request = Message::request(method, invite.uri());
    request.push("Call-ID", invite.call_id());
    request.push("CSeq", format!("2 {method}"));
    request
}

fn dials(caps: &mut Caps, call_id: &str) {
    let invite = invite(call_id, "+12025550100", ALICE);
    caps.on_sip(at(100_000), true, CARRIER, &invite, &mut Fired::default());
}

#[test]
#[should_panic(expected = "law 2: carrier carries 1 calls, 1 at most, and is dialled")]
fn law_2_a_full_trunk_is_dialled() {
    let mut caps = narrow();
    dials(&mut caps, "first");
    dials(&mut caps, "second");
}

#[test]
#[should_panic(expected = "law 2: carrier carries 1 calls, 1 at most, and is dialled")]
fn law_2_a_trunk_that_callers_fill_is_dialled() {
    let mut caps = narrow();
    let caller = invite("caller", BOB, "+12025550100");
    caps.on_sip(at(0), false, CARRIER, &caller, &mut Fired::default());
    dials(&mut caps, "second");
}

#[test]
fn what_has_ended_leaves_room_on_its_trunk() {
    let mut caps = narrow();
    let mut fired = Fired::default();
    for (n, end) in [486, 200, 0].into_iter().enumerate() {
        let call = format!("call-{n}");
        dials(&mut caps, &call);
        let ring = invite(&call, "+12025550100", ALICE);
        match end {
            0 => caps.on_sip(at(100_000), true, CARRIER, &within(&ring, "CANCEL"), &mut fired),
            200 => {
                caps.on_sip(at(100_000), false, CARRIER, &answered(&ring, 200), &mut fired);
                caps.on_sip(at(100_000), true, CARRIER, &within(&ring, "BYE"), &mut fired);
            }
            status => caps.on_sip(at(100_000), false, CARRIER, &answered(&ring, status), &mut fired),
        }
    }
    dials(&mut caps, "last");
    caps.on_sip(at(100_000), true, SPARE, &invite("elsewhere", "+12025550100", BOB), &mut fired);
}

#[test]
#[should_panic(expected = "law 2: +12025550124 is tried as one of 2 within a minute, 1 at most")]
fn law_2_more_callbacks_begin_in_a_minute_than_may() {
    let (alice, bob) = (task(1, ALICE), task(2, BOB));
    let mut caps = narrow();
    caps.on_attempt(at(0), &attempt(3, &alice), &mut Fired::default());
    caps.on_attempt(at(59_999), &attempt(4, &bob), &mut Fired::default());
}

#[test]
fn the_next_minute_has_its_own() {
    let (alice, bob) = (task(1, ALICE), task(2, BOB));
    let (mut caps, mut fired) = (narrow(), Fired::default());
    caps.on_attempt(at(0), &attempt(3, &alice), &mut fired);
    caps.on_attempt(at(60_000), &attempt(4, &bob), &mut fired);
    // Of what the disk has not, the next life knows nothing.
    caps.on_crash(&Disk::new());
    caps.on_attempt(at(60_001), &attempt(5, &bob), &mut fired);
    assert!(fired.all().any(|what| what == "a callback waits for the next minute"));
}

/// The two have been joined, and a tape runs.
fn taped() -> Tapes {
    let mut tapes = Tapes::default();
    tapes.on_media(at(1_000), &Media::Bridge { a: AGENT, b: CUSTOMER });
    tapes.on_media(at(1_000), &Media::Record { recording: tape(), left: AGENT, right: CUSTOMER });
    tapes
}

fn talked(secs: u64) -> Change {
    let open = attempt(2, &task(1, ALICE));
    let (outcome, recording) = (Some(Outcome::Success), Some(tape()));
    Change::PutAttempt(Box::new(Attempt { outcome, recording, talk_secs: secs, ..open }))
}

#[test]
fn a_tape_as_long_as_its_talk_is_lawful() {
    let mut tapes = taped();
    tapes.on_media(at(8_400), &Media::Close { leg: CUSTOMER });
    tapes.on_media(at(8_400), &Media::StopRecord { recording: tape() });
    tapes.on_settled();
    tapes.on_change(&talked(7));
}

#[test]
#[should_panic(expected = "begins Some(500ms) after its talk")]
fn law_8_a_tape_begins_late() {
    let mut tapes = Tapes::default();
    tapes.on_media(at(1_000), &Media::Bridge { a: AGENT, b: CUSTOMER });
    tapes.on_media(at(1_500), &Media::Record { recording: tape(), left: AGENT, right: CUSTOMER });
}

#[test]
#[should_panic(expected = "law 8: a tape ends before its talk")]
fn law_8_a_tape_ends_early() {
    let mut tapes = taped();
    tapes.on_media(at(3_000), &Media::StopRecord { recording: tape() });
    tapes.on_settled();
}

#[test]
#[should_panic(expected = "law 8: a talk of 9 s has a tape of 7400 ms")]
fn law_8_a_talk_is_said_to_be_longer_than_its_tape() {
    let mut tapes = taped();
    tapes.on_media(at(8_400), &Media::Close { leg: CUSTOMER });
    tapes.on_change(&talked(9));
}

#[test]
#[should_panic(expected = "has 8000 samples of a talk of 8161")]
fn law_8_a_tape_lacks_a_frame() {
    Tapes::compare(tape(), 8_000, 8_160);
    Tapes::compare(tape(), 8_000, 8_161);
}

fn draining() -> Drains {
    let mut drains = Drains::default();
    drains.on_command(at(0), Some(&Command::Drain));
    drains.on_command(at(0), None);
    drains
}

fn refuses(drains: &mut Drains, status: u16) {
    let caller = invite("late", BOB, "+12025550100");
    let laws = Laws::new(&site());
    drains.on_sip(false, true, &caller, &laws.dialogs, &mut Fired::default());
    let mut response = answered(&caller, status);
    response.push("Retry-After", "30");
    drains.on_sip(true, true, &response, &laws.dialogs, &mut Fired::default());
}

#[test]
fn a_drain_that_refuses_is_lawful() {
    refuses(&mut draining(), 503);
}

#[test]
#[should_panic(expected = "P16: a call that comes in a drain gets 200")]
fn p16_a_drain_takes_a_call() {
    refuses(&mut draining(), 200);
}

#[test]
#[should_panic(expected = "P16: a call that comes in a drain gets 180")]
fn p16_a_drain_lets_a_call_ring() {
    refuses(&mut draining(), 180);
}

#[test]
#[should_panic(expected = "P16: +12025550124 is let in in a drain")]
fn p16_a_drain_lets_somebody_in() {
    let (from, to) = (BOB.to_owned(), "+12025550100".to_owned());
    draining().on_event(&Event::CallArrived { call: CallRef(ulid(1)), from, to });
}

#[test]
#[should_panic(expected = "P16: +12025550123 is tried in a drain")]
fn p16_a_drain_begins_an_attempt() {
    draining().on_attempt(&attempt(2, &task(1, ALICE)));
}

#[test]
#[should_panic(expected = "P16: the drain itself ends a call: BYE")]
fn p16_a_drain_cuts_a_call() {
    let mut drains = Drains::default();
    drains.on_command(at(0), Some(&Command::Drain));
    let bye = within(&invite("call", BOB, "1001"), "BYE");
    drains.on_sip(true, false, &bye, &Laws::new(&site()).dialogs, &mut Fired::default());
}

#[test]
#[should_panic(expected = "P16: the process ends, and cuts")]
fn p16_the_process_ends_while_somebody_talks() {
    let (mut laws, disk) = (Laws::new(&site()), Disk::new());
    let caller = invite("call", BOB, "+12025550100");
    laws.on_sip(at(0), false, CARRIER, &caller, &disk);
    laws.on_sip(at(0), true, CARRIER, &answered(&caller, 200), &disk);
    draining().on_drained(laws.live(Tick::ZERO + secs(5)));
}
