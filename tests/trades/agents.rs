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

#[test]
fn registering_logs_in_and_is_ready() {
    // S2.B2 agent_auto_ready, S2.B4
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

#[test]
fn the_state_follows_the_facts_and_heals_with_them() {
    // S2.B4: the table of states. Law 5.
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

#[test]
fn an_agent_rests_after_a_call_and_then_is_ready_again() {
    // S3.4: wrap-up ends, that agent rings.
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
    after.restore(at(100), before.chosen().clone());
    after.set_facts(at(100), REACHABLE);
    after.registered(at(101));

    assert_eq!(after.chosen(), &Chosen::of(true, Some("lunch")));
    assert_eq!(after.state(), &State::NotReady(name("lunch")));
}

#[test]
fn an_agent_may_leave_one_queue_only() {
    // S2.B5
    let mut anna = ready();
    anna.log_out(at(1), Some(&name("sales")));

    assert!(anna.takes("support", at(1).tick) && !anna.takes("sales", at(1).tick));
    assert!(!anna.is_in("sales"));
    anna.log_in(at(2), Some(&name("sales")));
    assert!(anna.takes("sales", at(2).tick));
    anna.log_out(at(3), None);
    assert_eq!(anna.state(), &State::LoggedOut);
}

#[test]
fn a_decline_is_followed_by_a_cool_down_not_by_not_ready() {
    // S2.B12: agent stuck Not Ready after declining a queue callback.
    let mut anna = ready();
    anna.declined(at(10));

    assert_eq!(anna.state(), &State::Ready);
    assert!(!anna.takes("support", at(69).tick));
    assert_eq!(anna.next_wake(), Some(at(70).tick));
    assert!(anna.on_time(at(70)));
    assert!(anna.takes("support", at(70).tick));
}

#[test]
fn three_calls_left_ringing_pause_the_agent() {
    // S1.B9, S1.B10: Max No Answer 3.
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

#[test]
fn feature_codes_are_parsed() {
    // S2.B5, S3.B11
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
