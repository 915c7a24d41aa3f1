//! Where an agent's phones have been, and what a phone at a new place may do (security.md T35).

use ringback::agent::places::{Network, Places, Verdict};
use ringback::limits;
use std::net::IpAddr;

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

const HOME: &str = "198.51.100.7";
const ELSEWHERE: &str = "203.0.113.66";

fn at_home() -> Places {
    let mut places = Places::default();
    assert!(!places.seen(ip(HOME)), "the first place is taken on trust");
    places
}

#[test]
fn an_address_is_known_by_its_network() {
    for (address, network) in [
        ("198.51.100.7", "198.51.100.0/24"),
        ("::ffff:198.51.100.7", "198.51.100.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
    ] {
        assert_eq!(Network::of(ip(address)).to_string(), network);
    }
}

// T35: what is news, and what is not.
#[test]
fn a_place_is_news_once() {
    let mut places = at_home();
    for (address, is_news) in [
        ("198.51.100.200", false), // a neighbour
        ("10.1.2.3", false),
        ("192.168.0.9", false),
        ("fd00::1", false),
        ("fe80::1", false),
        ("::1", false),
        ("127.0.0.1", false),
        (ELSEWHERE, true),
        (ELSEWHERE, false),
        ("203.0.113.9", false),
        ("100.64.0.1", true), // shared by many customers of one provider (RFC 6598)
        ("2001:db8::1", true),
    ] {
        assert_eq!(places.seen(ip(address)), is_news, "{address}");
    }
    let new: Vec<String> = places.new_ones().iter().map(ToString::to_string).collect();
    assert_eq!(new, ["203.0.113.0/24", "100.64.0.0/24", "2001:db8::/64"]);
}

// T35: who has a private place first is not at home everywhere.
#[test]
fn a_private_place_may_be_the_first_one() {
    let mut places = Places::default();
    assert!(!places.seen(ip("10.0.0.4")));
    assert!(places.seen(ip(ELSEWHERE)));
}

// T35: new places together have so many calls, one at a time; known ones have what they like.
#[test]
fn new_places_share_a_few_calls() {
    let calls = |places: &mut Places, address: &str| places.calls_out(ip(address), Some(3), false);
    let mut places = at_home();
    for address in [ELSEWHERE, "192.0.2.1", ELSEWHERE] {
        assert_eq!(calls(&mut places, address), Verdict::Counted);
    }
    assert_eq!(calls(&mut places, "192.0.2.1"), Verdict::Blocked);
    assert_eq!(calls(&mut places, ELSEWHERE), Verdict::StillBlocked);
    assert_eq!(calls(&mut places, HOME), Verdict::Allowed);
    assert_eq!(calls(&mut places, "10.0.0.4"), Verdict::Allowed);

    let mut places = at_home();
    assert_eq!(places.calls_out(ip(HOME), Some(3), true), Verdict::Allowed);
    assert_eq!(places.calls_out(ip(ELSEWHERE), Some(3), true), Verdict::Blocked);
    assert_eq!(calls(&mut places, ELSEWHERE), Verdict::StillBlocked, "and not only this one");

    let mut places = at_home();
    assert_eq!(places.calls_out(ip(ELSEWHERE), Some(0), false), Verdict::Blocked);
    assert_eq!(places.calls_out(ip(ELSEWHERE), None, true), Verdict::Allowed, "no limit");
}

// T35: a person trusts them, or the agent has another secret.
#[test]
fn trust_makes_a_place_known_and_a_new_secret_forgets_it() {
    for trusted in [true, false] {
        let mut places = at_home();
        places.seen(ip(ELSEWHERE));
        assert_eq!(places.calls_out(ip(ELSEWHERE), Some(0), false), Verdict::Blocked);
        assert!(places.is_blocked());
        if trusted {
            places.trust()
        } else {
            places.forget_new()
        }

        assert!(!places.is_blocked() && places.new_ones().is_empty());
        assert_eq!(places.seen(ip(ELSEWHERE)), !trusted);
        assert!(!places.seen(ip(HOME)), "home stays home");
    }
}

// Law 9: places are not collected without end.
#[test]
fn only_so_many_places_are_remembered() {
    let mut places = at_home();
    let address = |n: usize| IpAddr::from([20, 1, u8::try_from(n).expect("few"), 1]);
    let news = (0..100).filter(|n| places.seen(address(*n))).count();
    assert_eq!(news, limits::AGENT_PLACES);
    assert_eq!(places.calls_out(address(99), Some(0), false), Verdict::Blocked, "though it is not remembered");
    places.trust();
    assert!(places.seen(ip(HOME)), "the oldest has made room");
}
