//! How the customer is dialled: by which trunk, under which number, when, and what the agent hears and sees meanwhile.

use crate::drive::{ANNA, BEN};
use crate::products::{mikopbx, voximplant};
use crate::site::{SPARE, secs};
use crate::world::{TRUNK, World};
use ringback::callback::task::{Outcome, TaskState};
use ringback::demo::codec;
use ringback::demo::endpoint::{EndedBy, Event};
use ringback::demo::person::{Person, Reaction};
use ringback::settings::{
    AgentAccept, CallbackProfile, CallerId, CallerIdMode, ConfirmByKey, FirstParty, IdentityHeader, NumberPolicy,
    Settings, Sound, Trunk,
};
use ringback::switch::command::{Command, NewCallback};
use ringback::time::Tick;
use std::time::Duration;

const SECOND_LINE: &str = "+12025550101";
const ANSWERS: Reaction = Reaction::Answer { after: Duration::from_secs(2), early: false };

fn refuses(status: u16) -> Reaction {
    Reaction::Refuse { after: Duration::ZERO, status }
}

fn outcomes(world: &World) -> Vec<Outcome> {
    world.attempts().into_iter().filter_map(|attempt| attempt.outcome).collect()
}

/// The number that an INVITE says it is from.
fn from(invite: &codec::Message) -> String {
    codec::user(codec::address(invite.header("From").unwrap_or(""))).to_owned()
}

/// A site with a second trunk that takes over when the first one fails.
fn two_trunks(site: &mut Settings) {
    let spare = Trunk { name: "spare".into(), host: SPARE.ip().to_string(), ..site.trunks[0].clone() };
    site.trunks.push(spare);
    site.trunks[0].failover = Some("spare".into());
}

/// anna takes the callback; when she answered.
fn taken(world: &mut World) -> Tick {
    let agent = world.rings(ANNA, secs(5));
    let now = world.now;
    world.stations[ANNA].endpoint.answer(now, agent);
    world.run_until("anna has answered", secs(1), |world| world.ladder.first("anna", "ringback", "200 OK").is_some());
    world.now
}

// S1.B16: the primary trunk says 503: its failover carries the call, in the same attempt.
#[test]
fn a_trunk_that_refuses_is_followed_by_its_failover() {
    let mut world = World::with(1, two_trunks);
    let alice = world.promised("alice", super::ALICE);
    let spare = world.spare_carrier(Person::new("alice by spare", super::ALICE).reacting([ANSWERS]));
    world.stations[TRUNK].people[alice].reactions = [refuses(503)].into();
    world.register(&[ANNA]);

    taken(&mut world);
    world.run_until("it is carried by the other", secs(20), |world| !world.invites(spare).is_empty());
    let stored = world.attempts().remove(0).customer_leg.expect("a leg");
    assert_eq!(stored.peer, "spare", "on the disk before it left");
    assert_eq!(stored.dialog.expect("a dialog").call_id, world.invites(spare)[0].1.call_id());
    world.run_for(secs(15));
    world.hang_up(ANNA, world.at(ANNA));
    world.run_for(secs(2));

    assert_eq!(world.invites(TRUNK).len(), 1);
    assert_eq!(outcomes(&world), [Outcome::Success]);
    assert_eq!(world.tasks()[0].attempts_used, 1);
    world.assert_ladder("trunk_failover");
    world.assert_rest();
}

// S1.B16: a trunk that says nothing at all is left when nothing of it can ring any more (law 2).
#[test]
fn a_silent_trunk_is_followed_by_its_failover_when_it_is_dead() {
    let mut world = World::with(1, two_trunks);
    world.promised("alice", super::ALICE);
    let spare = world.spare_carrier(Person::new("alice by spare", super::ALICE).reacting([ANSWERS]));
    world.stations[TRUNK].endpoint.quirks.dead = true;
    world.register(&[ANNA]);

    taken(&mut world);
    let dialled = world.now + secs(8);
    world.run_until("it is carried by the other", secs(60), |world| !world.invites(spare).is_empty());
    assert!(world.now.since(dialled) >= secs(30), "RFC 3261 timer B");
    world.run_for(secs(15));
    world.hang_up(ANNA, world.at(ANNA));
    world.run_for(secs(2));

    assert_eq!(outcomes(&world), [Outcome::Success]);
}

#[test]
fn when_all_trunks_fail_the_network_has() {
    let mut world = World::with(1, two_trunks);
    let alice = world.promised("alice", super::ALICE);
    let spare = world.spare_carrier(Person::new("alice by spare", super::ALICE).reacting([refuses(500)]));
    world.stations[TRUNK].people[alice].reactions = [refuses(503)].into();
    world.register(&[ANNA]);

    taken(&mut world);
    world.run_until("it is over", secs(30), |world| !outcomes(world).is_empty());

    assert_eq!((world.invites(TRUNK).len(), world.invites(spare).len()), (1, 1));
    assert_eq!(outcomes(&world), [Outcome::NetworkError]);
    assert_eq!(world.tasks()[0].attempts_used, 0, "the first failures of the network are forgiven");
}

// Interop trap: 403 means another caller ID, not another attempt.
#[test]
fn a_refused_caller_id_is_followed_by_the_next() {
    let mut world = World::with(1, |site| site.caller_ids.push(CallerId::named("Second Line", SECOND_LINE)));
    let alice = world.promised("alice", super::ALICE);
    world.stations[TRUNK].people[alice].reactions = [refuses(403), ANSWERS].into();
    world.register(&[ANNA]);

    taken(&mut world);
    world.run_for(secs(25));
    world.hang_up(ANNA, world.at(ANNA));
    world.run_for(secs(2));

    let shown: Vec<String> = world.invites(TRUNK).iter().map(|(_, invite)| from(invite)).collect();
    assert_eq!(shown, [crate::site::DID, SECOND_LINE]);
    assert_eq!(outcomes(&world), [Outcome::Success]);
    assert_eq!(world.tasks()[0].attempts_used, 1);
    world.assert_ladder("caller_id_refused");
}

#[test]
fn when_every_caller_id_is_refused_the_attempt_says_so() {
    let mut world = World::new(1);
    let alice = world.promised("alice", super::ALICE);
    world.stations[TRUNK].people[alice].reactions = [refuses(403)].into();
    world.register(&[ANNA]);

    taken(&mut world);
    world.run_until("it is over", secs(30), |world| !outcomes(world).is_empty());

    assert_eq!(outcomes(&world), [Outcome::CallerIdRefused]);
    assert_eq!(world.invites(TRUNK).len(), 1);
}

// durability.md §2.9: once the customer's phone has rung, neither another trunk nor another identity rings it again in
// the same attempt, whatever the trunk says then.
#[test]
fn a_phone_that_has_rung_is_not_rung_again_by_another_way() {
    for (status, outcome) in
        [(503, Outcome::NetworkError), (500, Outcome::NetworkError), (403, Outcome::CallerIdRefused)]
    {
        let mut world = World::with(1, |site| {
            two_trunks(site);
            site.caller_ids.push(CallerId::named("Second Line", SECOND_LINE));
        });
        let alice = world.promised("alice", super::ALICE);
        let spare = world.spare_carrier(Person::new("alice by spare", super::ALICE).reacting([ANSWERS]));
        world.stations[TRUNK].people[alice].reactions = [Reaction::Refuse { after: secs(10), status }].into();
        world.register(&[ANNA]);

        taken(&mut world);
        world.run_until("it is over", secs(30), |world| !outcomes(world).is_empty());
        world.run_for(secs(5));

        assert_eq!((world.invites(TRUNK).len(), world.invites(spare).len()), (1, 0), "{status}");
        assert_eq!(outcomes(&world), [outcome], "{status}");
        world.assert_rest();
    }
}

/// What the customer's phone shows, when he has called our number (or asked elsewhere).
fn shown(by_call: bool, change: impl FnOnce(&mut Settings)) -> codec::Message {
    let mut world = World::with(1, |site| {
        site.caller_ids = vec![CallerId::named("Support Line", SECOND_LINE)];
        site.profiles[0].caller_id = Some("Support Line".into());
        change(site);
    });
    if by_call {
        world.promised("alice", super::ALICE);
    } else {
        world.customer(Person::new("alice", super::ALICE));
        world.ask(Command::AddCallback(Box::new(NewCallback {
            number: super::ALICE.to_owned(),
            queue: None,
            not_before: None,
            profile: None,
            agent: None,
            data: None,
            idempotency_key: None,
        })));
    }
    world.register(&[ANNA]);
    taken(&mut world);
    world.run_until("the customer rings", secs(20), |world| !world.invites(TRUNK).is_empty());
    world.invites(TRUNK).remove(0).1
}

// S1.8, S5.18: the number the customer called, when it is ours; else the selected one; never a disabled one.
#[test]
fn the_customer_sees_the_number_he_called_or_the_selected_one() {
    let fixed = |site: &mut Settings| site.profiles[0].caller_id_mode = CallerIdMode::Fixed;
    let off = |site: &mut Settings| {
        site.caller_ids.push(CallerId { enabled: false, ..CallerId::named("Main Line", crate::site::DID) });
    };
    for (invite, number) in [
        (shown(true, |_| {}), crate::site::DID),
        (shown(true, fixed), SECOND_LINE),
        (shown(false, |_| {}), SECOND_LINE),
        (shown(true, off), SECOND_LINE),
    ] {
        assert_eq!(from(&invite), number);
        let asserted = invite.header("P-Asserted-Identity").expect("the trunk's rule says PAI");
        assert_eq!(codec::user(codec::address(asserted)), number);
    }
}

// S1.8: From, and P-Asserted-Identity or Remote-Party-ID, carry the number as the trunk's rule says; where the number
// is to be withheld, the trunk learns it and the customer does not.
#[test]
fn the_trunks_rule_says_which_header_carries_the_number() {
    let number = crate::site::DID;
    for (how, privacy) in [
        (IdentityHeader::From, false),
        (IdentityHeader::Pai, false),
        (IdentityHeader::Rpid, false),
        (IdentityHeader::From, true),
        (IdentityHeader::Pai, true),
        (IdentityHeader::Rpid, true),
    ] {
        let invite = shown(true, |site| {
            (site.trunks[0].identity_header, site.trunks[0].privacy) = (how, privacy);
        });

        let said = |name: &str| invite.header(name).map(|value| codec::user(codec::address(value)).to_owned());
        let carried = |is_it: bool| is_it.then(|| number.to_owned());
        assert_eq!(said("P-Asserted-Identity"), carried(how == IdentityHeader::Pai), "{how:?} {privacy}");
        assert_eq!(said("Remote-Party-ID"), carried(how == IdentityHeader::Rpid), "{how:?} {privacy}");
        let is_hidden = privacy && how != IdentityHeader::From;
        assert_eq!(from(&invite), if is_hidden { "anonymous" } else { number }, "{how:?} {privacy}");
        assert_eq!(invite.header("From").expect("it has one").contains("Example Ltd"), !is_hidden);
        assert_eq!(invite.header("Privacy"), privacy.then_some("id"), "{how:?}");
        if let Some(party) = invite.header("Remote-Party-ID") {
            assert!(party.contains(if privacy { ";privacy=full" } else { ";privacy=off" }), "{party}");
        }
    }
}

// S2.B10: the display name is the company's; without one, the caller ID's label.
#[test]
fn the_display_name_is_the_companys() {
    let invite = shown(true, |_| {});
    assert!(invite.header("From").is_some_and(|from| from.contains("Example Ltd")));
    let invite = shown(true, |site| site.system.company_name.clear());
    assert!(invite.header("From").is_some_and(|from| from.contains("Support Line")));
}

// S2.4: the prefix stands before the number, without its `+`.
#[test]
fn the_prefix_is_dialled_before_the_number() {
    let mut world = World::with(1, |site| {
        site.profiles[0].dial_prefix = "003".to_owned();
        site.outbound_routes[0].prefix = "003".to_owned();
    });
    let alice = world.promised("alice", super::ALICE);
    world.stations[TRUNK].people[alice].number = "00312025550123".to_owned();
    world.register(&[ANNA]);

    taken(&mut world);
    world.rings_at(alice, secs(20));

    assert_eq!(codec::user(world.invites(TRUNK)[0].1.uri()), "00312025550123");
}

/// How long after the agent's answer the customer is dialled, with this prompt for the agent.
fn dialled_after(change: impl FnOnce(&mut CallbackProfile)) -> (Duration, World) {
    let mut world = World::with(1, |site| {
        mikopbx(site);
        change(&mut site.profiles[0]);
    });
    let alice = world.promised("alice", super::ALICE);
    world.register(&[ANNA]);
    let answered = taken(&mut world);
    world.rings_at(alice, secs(20));
    let invite = world.ladder.first("ringback", "alice", "INVITE").expect("an INVITE");
    (invite.since(answered), world)
}

// S3.5, S5.23: the customer is dialled at the last sample of the agent's prompt; with none, at once.
#[test]
fn the_customer_is_dialled_when_the_agent_has_heard_the_prompt() {
    let (after, world) = dialled_after(|profile| profile.agent_prompt = Sound::Prompt("connection".into()));
    assert!(world.ladder.noted("\"connection\" to anna").is_some());
    // A clip takes two seconds here.
    assert!(after >= secs(2) && after < Duration::from_millis(2_020), "{after:?}");

    let (after, _) = dialled_after(|profile| profile.agent_prompt = Sound::Silent);
    assert!(after < Duration::from_millis(20), "no longer than the disk takes: {after:?}");
}

#[test]
fn the_customer_may_be_dialled_while_the_agent_hears_the_prompt() {
    let (after, mut world) = dialled_after(|profile| {
        profile.agent_prompt = Sound::Prompt("connection".into());
        profile.agent_prompt_overlap = true;
    });
    assert!(after < Duration::from_millis(20), "{after:?}");

    let prompted = world.ladder.noted("\"connection\" to anna").expect("a prompt");
    world.run_for(secs(3));
    let ringback = world.ladder.noted("ringback to anna").expect("then it rings").since(prompted);
    assert!(ringback >= secs(2) && ringback < Duration::from_millis(2_020), "{ringback:?}");
}

#[test]
fn the_agent_sees_and_hears_which_attempt_it_is_and_how_long_the_customer_has_waited() {
    for (pause, minutes, spoken) in [(300, 5, "5 minutes"), (60, 1, "1 minute")] {
        let mut world = World::with(1, |site| site.profiles[0].intervals = vec![Duration::ZERO, secs(pause)]);
        let alice = world.promised("alice", super::ALICE);
        world.stations[TRUNK].people[alice].reactions =
            [Reaction::Refuse { after: secs(1), status: 486 }, Reaction::Ring { early: false }].into();
        world.register(&[ANNA]);
        taken(&mut world);
        world.run_until("anna is free", secs(40), |world| !world.is_busy(ANNA, 0));

        let agent = world.rings(ANNA, secs(320));
        world.answer(ANNA, agent);

        let shown: Vec<String> =
            world.invites(ANNA).iter().map(|(_, invite)| invite.header("From").unwrap_or("").to_owned()).collect();
        assert!(shown[0].contains("Callback 1/3 +12025550123 waited 0 min"), "{}", shown[0]);
        assert!(shown[1].contains(&format!("Callback 2/3 +12025550123 waited {minutes} min")), "{}", shown[1]);
        let said = format!("\"agent_callback +12025550123 attempt 2 waited {spoken}\"");
        assert!(world.ladder.noted(&said).is_some(), "{said}");
    }
}

// S1.13, S5.20: rung for the ring timeout, then cancelled; the agent hears that it failed.
#[test]
fn a_customer_is_rung_for_the_ring_timeout() {
    for ring in [20, 45] {
        let mut world = World::with(1, |site| {
            voximplant(site);
            site.profiles[0].ring_timeout = secs(ring);
        });
        let alice = world.missed("alice", super::ALICE);
        world.run_for(secs(58)); // Almost its first interval.
        world.register(&[ANNA]);
        taken(&mut world);
        world.rings_at(alice, secs(20));
        world.run_until("it is over", secs(60), |world| !outcomes(world).is_empty());

        let rang = world.ladder.first("ringback", "alice", "INVITE").expect("it rang");
        let stopped = world.ladder.first("ringback", "alice", "CANCEL").expect("it stopped");
        assert_eq!(stopped.since(rang), secs(ring));
        assert_eq!(outcomes(&world), [Outcome::NoAnswer]);
        assert!(world.ladder.noted("\"agent_no_answer\" to anna").is_some());
    }
}

// Interop trap: the agent hangs up while the customer rings: CANCEL within 200 ms.
#[test]
fn an_agent_who_hangs_up_stops_the_customers_phone() {
    let (_, mut world) = dialled_after(|_| {});
    world.run_for(secs(2));
    let agent = world.at(ANNA);
    let now = world.now;
    world.stations[ANNA].endpoint.hang_up(now, agent);
    world.run_for(Duration::from_millis(200));
    assert!(world.heard(TRUNK, |event| matches!(event, Event::Ended(_, EndedBy::Cancel))).is_some());
}

#[test]
fn a_trunk_begins_no_more_calls_a_second_than_it_takes() {
    let mut world = World::with(1, |site| {
        site.trunks[0].max_cps = 1;
        site.profiles[0].agent_prompt = Sound::Silent;
    });
    for (name, number) in [("alice", super::ALICE), ("bob", super::BOB)] {
        world.promised(name, number);
    }
    for phone in [ANNA, BEN] {
        world.stations[phone].people[0].reactions = [ANSWERS].into();
    }
    world.register(&[ANNA, BEN]);

    world.run_until("both are dialled", secs(20), |world| world.invites(TRUNK).len() == 2);

    let invites: Vec<Tick> = world.invites(TRUNK).iter().map(|(at, _)| *at).collect();
    assert!(invites[1].since(invites[0]) >= secs(1));
}

fn customer_first(site: &mut Settings) {
    site.profiles[0].first_party = FirstParty::Customer;
    site.profiles[0].customer_prompt = Sound::BuiltIn;
}

// C8, law 3's exception: with an agent reserved, the customer is called first.
#[test]
fn the_customer_may_be_called_first() {
    let mut world = World::with(1, customer_first);
    let alice = world.promised("alice", super::ALICE);
    world.register(&[ANNA]);

    let call = world.rings_at(alice, secs(5));
    assert!(world.invites(ANNA).is_empty(), "her phone does not ring yet");
    assert_eq!(world.agent("anna").state, "reserved");
    world.answer(TRUNK, call);
    let agent = world.rings(ANNA, secs(1));
    world.run_for(secs(3));
    world.answer(ANNA, agent);
    world.run_for(secs(10));
    world.hang_up(TRUNK, call);
    world.run_for(secs(2));

    assert_eq!(outcomes(&world), [Outcome::Success]);
    assert_eq!(world.tasks()[0].state, TaskState::Completed);
    world.assert_ladder("customer_first");
    world.assert_rest();
}

#[test]
fn a_customer_called_first_whose_agent_does_not_come_is_told_and_not_rung_again_at_once() {
    let mut world = World::with(1, customer_first);
    let alice = world.promised("alice", super::ALICE);
    world.register(&[ANNA]);
    let call = world.rings_at(alice, secs(5));
    world.answer(TRUNK, call);

    world.run_until("it is over", secs(40), |world| !outcomes(world).is_empty());
    let ended = world.now;
    assert!(world.ladder.noted("customer_sorry").is_some());
    world.run_until("he is let go", secs(5), |world| !world.is_busy(TRUNK, alice));
    assert_eq!(outcomes(&world), [Outcome::AgentNoAnswer]);
    assert_eq!(world.tasks()[0].attempts_used, 0);
    world.rings_at(alice, secs(400));
    assert!(world.now.since(ended) >= secs(300), "{:?}", world.now.since(ended));
    world.assert_ladder("customer_first_no_agent");
}

#[test]
fn a_customer_called_first_may_hang_up_before_the_agent_comes() {
    let mut world = World::with(1, customer_first);
    let alice = world.promised("alice", super::ALICE);
    world.register(&[ANNA]);
    let call = world.rings_at(alice, secs(5));
    world.answer(TRUNK, call);
    world.rings(ANNA, secs(1));
    world.hang_up(TRUNK, call);
    world.run_for(secs(1));

    assert!(!world.is_busy(ANNA, 0), "her phone has stopped");
    assert_eq!(outcomes(&world), [Outcome::CustomerLeftBeforeBridge]);
    assert_eq!(world.tasks()[0].attempts_used, 1);
    world.assert_rest();
}

#[test]
fn a_customer_called_first_is_not_joined_with_an_agent_who_does_not_press_the_key() {
    for presses in [true, false] {
        let mut world = World::with(1, |site| {
            customer_first(site);
            site.profiles[0].agent_accept = AgentAccept::Key { key: '1', within: secs(10) };
        });
        let alice = world.promised("alice", super::ALICE);
        world.register(&[ANNA]);
        let call = world.rings_at(alice, secs(5));
        world.answer(TRUNK, call);
        let agent = world.rings(ANNA, secs(1));
        world.answer(ANNA, agent);
        world.run_for(secs(4));
        assert!(world.ladder.noted("talk").is_none());
        if presses {
            world.press(ANNA, agent, "1");
        }
        world.run_for(secs(15));

        assert_eq!(world.ladder.noted("talk").is_some(), presses);
        if !presses {
            assert_eq!(outcomes(&world), [Outcome::AgentNoAccept]);
            assert!(!world.is_busy(TRUNK, alice) && !world.is_busy(ANNA, 0));
        }
    }
}

#[test]
fn a_customer_called_first_is_asked_before_an_agent_rings() {
    let mut world = World::with(1, |site| {
        customer_first(site);
        site.number_policies =
            vec![NumberPolicy { confirm_by_key: ConfirmByKey::Always, ..NumberPolicy::named("own") }];
        site.rules[0].number_policy = Some("own".into());
    });
    let alice = world.promised("alice", super::ALICE);
    world.register(&[ANNA]);
    let call = world.rings_at(alice, secs(5));
    world.answer(TRUNK, call);
    world.run_for(secs(4));
    assert!(world.invites(ANNA).is_empty());
    world.press(TRUNK, call, "1");
    world.rings(ANNA, secs(1));
}
