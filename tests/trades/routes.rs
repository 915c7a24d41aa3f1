//! Where a dialled number leads, inwards and outwards.

use crate::site::{name, site};
use ringback::number::Party;
use ringback::route::{NoRoute, Way, inbound, outbound, outbound_to};
use ringback::settings::{Destination, DidPattern, InboundRoute, NumberFormat, OutboundRoute, Settings};

fn did(trunk: &str, did: DidPattern, queue: &str) -> InboundRoute {
    InboundRoute::of(trunk, did, Destination::Queue(name(queue)))
}

fn out(prefix: &str, strip: u8, prepend: &str, trunks: &[&str]) -> OutboundRoute {
    let trunks = trunks.iter().map(|trunk| name(trunk)).collect();
    OutboundRoute { prefix: prefix.into(), strip, prepend: prepend.into(), trunks }
}

fn users(settings: &Settings, number: &str, dial_prefix: &str) -> Result<Vec<(String, String)>, NoRoute> {
    let ways = outbound(settings, number, dial_prefix, &[])?;
    Ok(ways.into_iter().map(|Way { trunk, user }| (trunk.to_string(), user)).collect())
}

#[test]
fn an_exact_did_goes_before_a_prefix_and_formatting_does_not_count() {
    let mut site = site();
    site.inbound_routes = vec![
        did("carrier", DidPattern::Prefix("+1202".into()), "all"),
        did("carrier", DidPattern::Prefix("+120255501".into()), "later"),
        did("carrier", DidPattern::Exact("+12025550100".into()), "support"),
        did("spare", DidPattern::Exact("+12025550100".into()), "other"),
    ];
    let to = |trunk, did| inbound(&site, trunk, did).map(|route| route.to.clone());
    let queue = |queue| Some(Destination::Queue(name(queue)));

    for written in ["+12025550100", "12025550100", "+1 (202) 555-0100", "2025550100", "+12025550100;user=phone"] {
        assert_eq!(to("carrier", written), queue("support"), "{written}");
    }
    assert_eq!(to("spare", "12025550100"), queue("other"));
    assert_eq!(to("carrier", "+12025550101"), queue("all"), "the first prefix that matches");
    assert_eq!(to("carrier", "+13035550100"), None);
    assert_eq!(to("spare", "+12025550101"), None);
    assert_eq!(to("carrier", ""), None);
}

#[test]
fn a_catch_all_takes_what_is_left() {
    let mut site = site();
    site.inbound_routes.push(did("carrier", DidPattern::Prefix(String::new()), "rest"));
    let to = |did| inbound(&site, "carrier", did).map(|route| route.to.clone());

    assert_eq!(to("anything"), Some(Destination::Queue(name("rest"))));
    assert_eq!(to("12025550100"), Some(Destination::Queue(name("support"))));
}

#[test]
fn the_usual_route_dials_e164_on_its_trunk() {
    assert_eq!(users(&site(), "+12025550123", ""), Ok(vec![("carrier".into(), "+12025550123".into())]));
}

#[test]
fn the_callback_prefix_is_dialled_before_the_bare_number() {
    // S2.4
    let mut site = site();
    site.outbound_routes = vec![out("003", 0, "", &["carrier"])];

    assert_eq!(users(&site, "+12025550123", "003"), Ok(vec![("carrier".into(), "00312025550123".into())]));
}

#[test]
fn without_a_matching_route_there_is_no_way() {
    // S2.5
    let mut site = site();
    assert_eq!(users(&site, "+12025550123", "003"), Err(NoRoute));
    site.outbound_routes = vec![out("+44", 0, "", &["carrier"]), out("+1", 0, "", &["gone"])];
    assert_eq!(users(&site, "+12025550123", ""), Err(NoRoute));
}

#[test]
fn the_longest_prefix_wins_then_the_order_of_the_file() {
    let mut site = site();
    site.outbound_routes = vec![
        out("+", 0, "", &["carrier"]),
        out("+1202", 1, "9", &["spare", "carrier"]),
        out("+1202", 0, "", &["carrier"]),
    ];

    let both = vec![("spare".into(), "912025550123".into()), ("carrier".into(), "912025550123".into())];
    assert_eq!(users(&site, "+12025550123", ""), Ok(both));
    assert_eq!(users(&site, "+13035550123", ""), Ok(vec![("carrier".into(), "+13035550123".into())]));
}

#[test]
fn a_profiles_trunks_replace_the_routes_and_each_gets_its_own_format() {
    // S1.B16
    let mut site = site();
    site.trunks[1].number_format = NumberFormat::National;
    site.trunks[1].prefix = "0".into();
    site.trunks[0].number_format = NumberFormat::E164;
    site.trunks[0].strip_digits = 1;

    let ways = outbound(&site, "+12025550123", "", &[name("spare"), name("carrier")]).expect("a route matches");
    let users: Vec<_> = ways.iter().map(|way| way.user.as_str()).collect();
    assert_eq!(users, ["02025550123", "2025550123"]);
}

#[test]
fn an_extension_needs_no_route() {
    let mut site = site();
    site.outbound_routes.clear();
    assert_eq!(outbound_to(&site, &Party::Extension("1001".into()), "", &[]), Ok(Vec::new()));
    assert_eq!(outbound_to(&site, &Party::Number("+12025550123".into()), "", &[]), Err(NoRoute));
}

// S1.B16: each trunk is followed by the one that is used when it fails, in a chain, and none is tried twice.
#[test]
fn each_trunk_is_followed_by_its_failovers() {
    let mut site = site();
    let third = ringback::settings::Trunk::peer("third", "192.0.2.3");
    site.trunks.push(third);
    site.trunks[0].failover = Some(name("spare"));
    site.trunks[1].failover = Some(name("third"));
    site.trunks[2].failover = Some(name("carrier"));

    let trunks = |profile: &[&str]| {
        let profile: Vec<_> = profile.iter().map(|trunk| name(trunk)).collect();
        let ways = outbound(&site, "+12025550123", "", &profile).expect("a route matches");
        ways.into_iter().map(|way| way.trunk.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(trunks(&[]), ["carrier", "spare", "third"]);
    assert_eq!(trunks(&["third", "spare"]), ["third", "carrier", "spare"]);
}
