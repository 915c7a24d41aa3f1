//! The people themselves, without the switch: two endpoints and a wire, so that what scenarios show of the switch is
//! not what its test peers got wrong.

use ringback::demo::endpoint::{Config, Event};
use ringback::demo::person::{Person, Reaction};
use ringback::demo::station::Station;
use ringback::entropy::Entropy;
use ringback::time::Tick;
use std::net::SocketAddr;
use std::time::Duration;

struct Wire {
    now: Tick,
    ends: [Station; 2],
    drop_next: usize,
    sent: usize,
}

fn config(user: &str, local: SocketAddr, server: SocketAddr, pitch: u32) -> Config {
    Config {
        user: user.to_owned(),
        display: None,
        local,
        server,
        domain: server.ip().to_string(),
        credentials: Some((user.to_owned(), "secret".to_owned())),
        codecs: vec![0, 8],
        rtp_port: 4_000,
        rtp_ports: 10,
        pitch,
        pitches: vec![500, 700],
        packets: true,
    }
}

fn wire(reaction: Reaction) -> Wire {
    let (a, b) = (super::site::PHONES[0].2, super::site::CARRIER);
    let phone = Station::phone(config("1001", a, b, 700), Person::new("anna", "1001"), Entropy::from_seed(1));
    let mut carrier = Station::carrier("carrier", config("carrier", b, a, 500), Entropy::from_seed(2));
    carrier.people.push(Person::new("alice", "+12025550123").reacting([reaction]));
    Wire { now: Tick::ZERO, ends: [phone, carrier], drop_next: 0, sent: 0 }
}

impl Wire {
    fn run_for(&mut self, time: Duration) {
        let limit = self.now + time;
        loop {
            for at in 0..2 {
                self.ends[at].on_timeout(self.now);
                while self.ends[at].poll_press(self.now).is_some() {}
                let from = self.ends[at].endpoint.config.local;
                while let Some(transmit) = self.ends[at].poll_transmit() {
                    self.sent += 1;
                    match self.drop_next.checked_sub(1) {
                        Some(left) => self.drop_next = left,
                        None => self.ends[1 - at].receive(self.now, from, &transmit.bytes),
                    }
                }
                while let Some(rtp) = self.ends[at].poll_rtp() {
                    self.ends[1 - at].receive_rtp(self.now, rtp.to.port(), &rtp.bytes);
                }
            }
            match self.ends.iter().filter_map(Station::poll_timeout).min() {
                Some(next) if next <= limit => self.now = self.now.max(next),
                Some(_) | None => break,
            }
        }
        self.now = limit;
    }

    fn told(&mut self, at: usize) -> Vec<Event> {
        std::iter::from_fn(|| self.ends[at].poll_told()).map(|told| told.event).collect()
    }
}

#[test]
fn a_call_is_answered_heard_both_ways_and_ended() {
    let mut wire = wire(Reaction::Answer { after: Duration::from_secs(3), early: false });

    let call = wire.ends[0].dial(wire.now, 0, "+12025550123");
    wire.run_for(Duration::from_secs(5));

    let events = wire.told(0);
    assert!(matches!(events[..], [Event::Progress(_, 180), Event::Answered(_)]), "{events:?}");
    let far = wire.ends[1].call_of(0).expect("his call");
    assert!(wire.ends[0].endpoint.voice(call).expect("a voice").ear().hears(500));
    assert!(wire.ends[1].endpoint.voice(far).expect("a voice").ear().hears(700));

    wire.ends[0].endpoint.hang_up(wire.now, call);
    wire.run_for(Duration::from_secs(40));
    assert!(wire.ends.iter().all(|end| end.endpoint.is_quiet()));
}

#[test]
fn lost_messages_are_repeated_until_the_call_stands() {
    let mut wire = wire(Reaction::Answer { after: Duration::from_secs(3), early: true });
    wire.drop_next = 2;

    let call = wire.ends[0].dial(wire.now, 0, "+12025550123");
    wire.run_for(Duration::from_secs(2));
    wire.drop_next = 1;
    wire.run_for(Duration::from_secs(5));

    assert!(wire.told(0).iter().any(|event| matches!(event, Event::Answered(_))));
    assert_eq!(
        wire.ends[0].endpoint.call(call).map(|call| call.state.clone()),
        Some(ringback::demo::endpoint::CallState::Up)
    );
}

#[test]
fn a_cancelled_call_ends_with_487_and_a_late_answer_with_bye() {
    for late in [false, true] {
        let mut wire = wire(Reaction::Ring { early: false });
        wire.ends[1].endpoint.quirks.answers_cancel_with_200 = late;

        let call = wire.ends[0].dial(wire.now, 0, "+12025550123");
        wire.run_for(Duration::from_secs(2));
        wire.ends[0].endpoint.hang_up(wire.now, call);
        wire.run_for(Duration::from_secs(40));

        assert!(wire.told(0).iter().any(|event| matches!(event, Event::Refused(_, 487))));
        assert!(wire.ends.iter().all(|end| end.endpoint.is_quiet()));
    }
}

#[test]
fn a_challenged_call_goes_through_with_the_secret_and_not_without() {
    for (secret, taken) in [("secret", true), ("wrong", false)] {
        let mut wire = wire(Reaction::Answer { after: Duration::ZERO, early: false });
        let carrier = wire.ends[1].carrier.as_mut().expect("a carrier");
        carrier.asks_invites = Some(("1001".to_owned(), secret.to_owned()));

        wire.ends[0].dial(wire.now, 0, "+12025550123");
        wire.run_for(Duration::from_secs(2));

        assert_eq!(wire.told(0).iter().any(|event| matches!(event, Event::Answered(_))), taken);
    }
}

#[test]
fn a_registration_survives_423_and_a_challenge() {
    let mut wire = wire(Reaction::Silence);
    let carrier = wire.ends[1].carrier.as_mut().expect("a carrier");
    carrier.registrar = Some(("1001".to_owned(), "secret".to_owned()));
    carrier.moods = [ringback::demo::station::Mood::TooBrief(120)].into();

    wire.ends[0].endpoint.register(wire.now, 60);
    wire.run_for(Duration::from_secs(2));

    assert!(matches!(wire.told(0)[..], [Event::Registered(120)]));
}
