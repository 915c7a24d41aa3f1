//! The states of an agent as they follow from choices and facts, and the feature codes.

use crate::site::{agent, at, name, secs, site};
use ringback::agent::{Agent, Chosen, Facts, FeatureCode, NO_ANSWER, NOT_READY, State};

const REACHABLE: Facts = Facts { reachable: true, reserved: false, ringing: false, queue_calls: 0, other_calls: 0 };

fn anna() -> Agent {
    Agent::new(&agent("anna", "1001"), &site(), at(0))
}

fn ready() -> Agent {
    let mut anna = anna();
    anna.registered(at(0));
    anna.set_facts(at(0), REACHABLE);
    anna
}

// S2.B2, S2.B4: registering logs in, and with `auto_ready` is ready.
#[test]
fn registering_logs_in_and_is_ready() {
    let mut anna = anna();
    assert_eq!(anna.state(), &State::LoggedOut);

    anna.registered(at(1));
    assert_eq!(anna.state(), &State::Unreachable);
    anna.set_facts(at(1), REACHABLE);

    assert_eq!(anna.state(), &State::Ready);
    assert_eq!(anna.since(), at(1).utc);
    assert!(anna.takes("support", at(1).tick));
}

#[test]
fn without_auto_ready_registering_is_a_pause() {
    let mut settings = agent("anna", "1001");
    settings.auto_ready = false;
    let mut anna = Agent::new(&settings, &site(), at(0));
    anna.registered(at(0));
    anna.set_facts(at(0), REACHABLE);

    assert_eq!(anna.state(), &State::NotReady(name(NOT_READY)));
    anna.resume(at(5));
    assert_eq!(anna.state(), &State::Ready);
}

// S2.B4: every state follows from what is chosen and what is so, step by step.
#[test]
fn the_states_of_a_working_day() {
    type Step = fn(&mut Agent, ringback::time::Now);
    let day: [(&str, Step, State); 20] = [
        ("registers", |it, now| it.registered(now), State::Unreachable),
        ("is bound", |it, now| it.set_facts(now, REACHABLE), State::Ready),
        ("is chosen", |it, now| it.set_facts(now, Facts { reserved: true, ..REACHABLE }), State::Reserved),
        ("rings", |it, now| it.set_facts(now, Facts { ringing: true, ..REACHABLE }), State::Ringing),
        ("answers", |it, now| it.set_facts(now, Facts { queue_calls: 1, ..REACHABLE }), State::QueueCall),
        ("pauses while talking", |it, now| it.pause(now, Some("lunch")), State::QueueCall),
        ("hangs up", |it, now| it.set_facts(now, REACHABLE), State::NotReady(name("lunch"))),
        ("rests behind the pause", |it, now| it.wrap_up(now, secs(10)), State::NotReady(name("lunch"))),
        ("resumes", |it, now| it.resume(now), State::WrapUp),
        ("has rested", |it, _| assert!(it.on_time(at(60))), State::Ready),
        ("calls out", |it, now| it.set_facts(now, Facts { other_calls: 1, ..REACHABLE }), State::OtherCall),
        ("is back", |it, now| it.set_facts(now, REACHABLE), State::Ready),
        ("loses the phone", |it, now| it.set_facts(now, Facts::default()), State::Unreachable),
        ("pauses unreachable", |it, now| it.pause(now, None), State::Unreachable),
        ("finds it again", |it, now| it.set_facts(now, REACHABLE), State::NotReady(name(NOT_READY))),
        ("logs out", |it, now| it.log_out(now, None), State::LoggedOut),
        ("pauses logged out", |it, now| it.pause(now, Some("ill")), State::LoggedOut),
        ("registers another phone", |it, now| it.registered(now), State::NotReady(name("ill"))),
        ("resumes", |it, now| it.resume(now), State::Ready),
        ("leaves the only queue", |it, now| it.log_out(now, Some(&name("support"))), State::LoggedOut),
    ];
    let mut anna = anna();
    for (n, (what, step, state)) in (1..).zip(day) {
        step(&mut anna, at(n));
        assert_eq!(anna.state(), &state, "{what}");
        assert_eq!(anna.takes("support", at(n).tick), state == State::Ready, "{what}");
    }
}

// S2.B4: what is so decides, whatever came before (law 5).
#[test]
fn the_state_follows_the_facts_and_heals_with_them() {
    let mut anna = ready();
    let table = [
        (Facts { reserved: true, ..REACHABLE }, State::Reserved),
        (Facts { ringing: true, reserved: true, ..REACHABLE }, State::Ringing),
        (Facts { queue_calls: 1, ..REACHABLE }, State::QueueCall),
        (Facts { other_calls: 1, ..REACHABLE }, State::OtherCall),
        (Facts { reachable: false, ..REACHABLE }, State::Unreachable),
        (Facts { reachable: false, queue_calls: 1, ..REACHABLE }, State::QueueCall),
        (REACHABLE, State::Ready),
    ];
    for (facts, state) in table {
        anna.set_facts(at(1), facts);
        assert_eq!(anna.state(), &state, "{facts:?}");
        assert_eq!(anna.takes("support", at(1).tick), state == State::Ready);
    }
}

// S3.4: wrap-up ends, that agent rings.
#[test]
fn an_agent_rests_after_a_call_and_then_is_ready_again() {
    let mut anna = ready();
    anna.set_facts(at(10), Facts { queue_calls: 1, ..REACHABLE });
    anna.set_facts(at(40), REACHABLE);
    anna.wrap_up(at(40), secs(10));

    assert_eq!(anna.state(), &State::WrapUp);
    assert_eq!(anna.next_wake(), Some(at(50).tick));
    assert!(!anna.on_time(at(49)));
    assert!(anna.on_time(at(50)));
    assert_eq!(anna.state(), &State::Ready);
    assert_eq!(anna.idle_since(), at(40).tick);
    assert_eq!(anna.next_wake(), None);
}

#[test]
fn pause_and_login_survive_a_restart() {
    let mut before = ready();
    before.pause(at(1), Some("lunch"));

    let mut after = anna();
    after.restore(at(100), before.chosen().clone(), before.places().clone());
    after.set_facts(at(100), REACHABLE);
    after.registered(at(101));

    assert_eq!(after.chosen(), &Chosen::of(true, Some("lunch")));
    assert_eq!(after.state(), &State::NotReady(name("lunch")));
}

// S2.B5: out of one queue is in all others.
#[test]
fn an_agent_may_leave_one_queue_only() {
    let mut both = site();
    both.queues.push(ringback::settings::Queue {
        members: vec![ringback::settings::Member::of("anna")],
        ..ringback::settings::Queue::named("sales", "5001")
    });
    let mut anna = Agent::new(&agent("anna", "1001"), &both, at(0));
    anna.registered(at(0));
    anna.set_facts(at(0), REACHABLE);
    anna.log_out(at(1), Some(&name("sales")));

    assert!(anna.takes("support", at(1).tick) && !anna.takes("sales", at(1).tick));
    assert!(!anna.is_in("sales"));
    anna.log_in(at(2), Some(&name("sales")));
    assert!(anna.takes("sales", at(2).tick));
    anna.log_out(at(3), None);
    assert_eq!(anna.state(), &State::LoggedOut);

    anna.log_in(at(4), Some(&name("sales")));
    assert!(anna.takes("sales", at(4).tick) && !anna.takes("support", at(4).tick), "only there");
    anna.pause(at(5), Some("lunch"));
    anna.resume_in(at(6), &name("support"));
    anna.log_in(at(7), None);
    assert!(anna.takes("support", at(7).tick) && !anna.takes("sales", at(7).tick), "only there");
    anna.resume_in(at(8), &name("sales"));
    assert_eq!(anna.chosen(), &Chosen::of(true, None));
    anna.pause_in(at(9), &name("sales"));
    anna.pause_in(at(9), &name("support"));
    assert_eq!(anna.state(), &State::NotReady(name(NOT_READY)), "in all of them is a pause");
}

// S2.B12: agent stuck Not Ready after declining a queue callback.
#[test]
fn a_decline_is_followed_by_a_cool_down_not_by_not_ready() {
    let mut anna = ready();
    anna.declined(at(10));

    assert_eq!(anna.state(), &State::Ready);
    assert!(!anna.takes("support", at(69).tick));
    assert_eq!(anna.next_wake(), Some(at(70).tick));
    assert!(anna.on_time(at(70)));
    assert!(anna.takes("support", at(70).tick));
}

// S1.B9, S1.B10: Max No Answer 3.
#[test]
fn three_calls_left_ringing_pause_the_agent() {
    let mut anna = ready();
    assert!(!anna.let_ring(at(20)));
    assert_eq!(anna.idle_since(), at(20).tick, "the back of the idle order");
    assert!(!anna.let_ring(at(40)));
    assert!(anna.let_ring(at(60)));
    assert_eq!(anna.state(), &State::NotReady(name(NO_ANSWER)));

    anna.resume(at(90));
    assert!(!anna.let_ring(at(120)), "the count begins anew");
}

#[test]
fn an_answered_call_ends_the_count_of_missed_ones() {
    let mut anna = ready();
    anna.let_ring(at(20));
    anna.let_ring(at(40));
    anna.set_facts(at(50), Facts { queue_calls: 1, ..REACHABLE });
    anna.set_facts(at(60), REACHABLE);
    assert!(!anna.let_ring(at(80)));
}

#[test]
fn an_agent_with_two_lines_is_busy_with_two_calls() {
    let mut settings = agent("anna", "1001");
    settings.max_calls = 2;
    let mut anna = Agent::new(&settings, &site(), at(0));
    anna.registered(at(0));
    anna.set_facts(at(0), Facts { queue_calls: 1, ..REACHABLE });
    assert_eq!(anna.state(), &State::Ready);
    anna.set_facts(at(1), Facts { queue_calls: 1, other_calls: 1, ..REACHABLE });
    assert_eq!(anna.state(), &State::QueueCall);
}

// S2.B5, S3.B11: what phones dial, with and without digits.
#[test]
fn feature_codes_are_parsed() {
    let arg = |text: &str| Some(text.to_owned());
    assert_eq!(FeatureCode::parse("*46"), Some(FeatureCode::TogglePause(None)));
    assert_eq!(FeatureCode::parse("*467"), Some(FeatureCode::TogglePause(arg("7"))));
    assert_eq!(FeatureCode::parse("%2A455000"), Some(FeatureCode::ToggleLogin(arg("5000"))));
    assert_eq!(FeatureCode::parse("*385000"), Some(FeatureCode::LogIn(arg("5000"))));
    assert_eq!(FeatureCode::parse("*39"), Some(FeatureCode::LogOut(None)));
    assert_eq!(FeatureCode::parse("*36"), Some(FeatureCode::Ready(None)));
    assert_eq!(FeatureCode::parse("*37"), Some(FeatureCode::NotReady(None)));
    for other in ["46", "*4", "*", "", "*46x", "*99", "5000", "*é46"] {
        assert_eq!(FeatureCode::parse(other), None, "{other}");
    }
}
