//! Trunks in virtual time: what they ask for and when, what becomes of the answers, who calls and who is called.

use super::*;
use crate::registrar::tests::{at, request, site};
use crate::settings::{Cidr, DigestAlgorithm, IdentityHeader, NumberFormat};
use crate::sip::flow::Transport;
use crate::sip::message::Message;

fn peer(name: &str) -> settings::Trunk {
    settings::Trunk {
        name: name.into(),
        mode: TrunkMode::Peer,
        host: "203.0.113.5".to_owned(),
        port: 5060,
        proxy: None,
        credentials: None,
        acl: Vec::new(),
        options_ping: Some(Duration::from_secs(30)),
        retry: Duration::from_secs(60),
        max_calls: 30,
        codecs: Vec::new(),
        number_format: NumberFormat::E164Plus,
        strip_digits: 0,
        prefix: String::new(),
        identity_header: IdentityHeader::Pai,
        trusted: false,
        ..settings::Trunk::peer("", "")
    }
}

fn account(name: &str) -> settings::Trunk {
    settings::Trunk {
        mode: TrunkMode::Register {
            username: "ringback7".to_owned(),
            auth_user: "auth7".to_owned(),
            password: "secret".to_owned(),
            realm: None,
            expires: Duration::from_secs(3600),
        },
        host: "sip.example.com".to_owned(),
        options_ping: None,
        ..peer(name)
    }
}

fn flow(remote: &str) -> Flow {
    let local = "192.0.2.10:5060".parse().unwrap();
    Flow { transport: Transport::Udp, local, remote: remote.parse().unwrap() }
}

/// Trunks, what they want, and the news of them.
struct World {
    trunks: Trunks,
    secs: u64,
}

impl World {
    fn of(trunks: Vec<settings::Trunk>) -> World {
        let settings = Settings { trunks, ..site(&[DigestAlgorithm::Md5]) };
        World { trunks: Trunks::new(&settings, at(0), Entropy::from_seed(1)), secs: 0 }
    }

    /// One trunk, `t`, whose host has been found.
    fn located(trunk: settings::Trunk) -> World {
        let mut world = World::of(vec![trunk]);
        assert!(matches!(world.wants().as_slice(), [Want::Locate { .. }]));
        world.trunks.located(at(0), "t", vec![flow("203.0.113.5:5060")]);
        world
    }

    fn wants(&mut self) -> Vec<Want> {
        std::iter::from_fn(|| self.trunks.poll_want()).collect()
    }

    /// The request that leaves now; lookups are answered as before.
    fn request(&mut self) -> Option<(Kind, OutgoingRequest)> {
        let mut found = None;
        for want in self.wants() {
            match want {
                Want::Locate { .. } => self.trunks.located(at(self.secs), "t", vec![flow("203.0.113.5:5060")]),
                Want::Request { kind, request, .. } => {
                    assert!(found.is_none(), "one request at a time");
                    found = Some((kind, request));
                }
            }
        }
        found
    }

    /// The next request and the second in which it leaves.
    fn next_request(&mut self) -> (u64, Kind, OutgoingRequest) {
        for _ in 0..100 {
            if let Some((kind, request)) = self.request() {
                return (self.secs, kind, request);
            }
            let next = self.trunks.next_timeout().expect("something is still to come");
            self.secs = self.secs.max(next.as_millis().div_ceil(1000));
            self.trunks.on_timeout(at(self.secs));
        }
        panic!("no request came");
    }

    fn answer(&mut self, kind: Kind, status: &str, fields: &str) {
        let response = response(status, fields);
        self.trunks.response(at(self.secs), "t", kind, Some(&response));
    }

    /// Nobody answers: timer F has run.
    fn silence(&mut self, kind: Kind) {
        self.secs += 32;
        self.trunks.on_timeout(at(self.secs));
        self.trunks.response(at(self.secs), "t", kind, None);
    }

    fn state(&self) -> (&'static str, Option<String>) {
        let state = self.trunks.state("t").expect("there is this trunk");
        (state.word, state.reason)
    }

    fn news(&mut self) -> Vec<Turned> {
        std::iter::from_fn(|| self.trunks.poll_turned()).map(|(_, turned)| turned).collect()
    }

    /// Registered at second 0 for an hour.
    fn registered(trunk: settings::Trunk) -> World {
        let mut world = World::located(trunk);
        world.next_request();
        world.answer(Kind::Register, "200 OK", "Contact: <sip:ringback7@192.0.2.10:5060>;expires=3600");
        assert_eq!(world.news(), [Turned::Up]);
        world
    }
}

fn response(status: &str, fields: &str) -> Response {
    let head = format!(
        "SIP/2.0 {status}
         Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKx
         From: <sip:ringback7@sip.example.com>;tag=1
         To: <sip:ringback7@sip.example.com>;tag=2
         Call-ID: c
         CSeq: 41 REGISTER
         {fields}"
    );
    let text = format!("{}\r\n\r\n", head.trim().lines().map(str::trim).collect::<Vec<_>>().join("\r\n"));
    match Message::parse(&bytes::Bytes::from(text)) {
        Ok(Message::Response(response)) => response,
        other => panic!("not a response: {other:?}"),
    }
}

fn field<'a>(request: &'a OutgoingRequest, name: &str) -> Option<&'a str> {
    request.fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value.as_str())
}

fn invite(uri: &str, to: &str, fields: &str) -> Request {
    request(&format!(
        "INVITE {uri} SIP/2.0
         Via: SIP/2.0/UDP 203.0.113.5:5060;branch=z9hG4bKi
         To: {to}
         Call-ID: i
         CSeq: 1 INVITE
         Contact: <sip:203.0.113.5>
         {fields}"
    ))
}

#[test]
fn a_trunk_registers_once_its_host_is_found_and_refreshes_at_85_percent() {
    let mut world = World::of(vec![account("t")]);
    assert_eq!(world.state(), ("down", Some("resolving its host name".to_owned())));
    let wants = world.wants();
    assert!(matches!(&wants[..], [Want::Locate { host, port: 5060, .. }] if host == "sip.example.com"));
    world.trunks.located(at(0), "t", vec![flow("203.0.113.5:5060")]);

    let (_, kind, register) = world.next_request();
    assert_eq!(kind, Kind::Register);
    assert_eq!((register.uri.as_str(), register.to.as_str()), ("sip:sip.example.com", "sip:ringback7@sip.example.com"));
    assert_eq!(register.from.1, register.to);
    assert_eq!(field(&register, "Expires"), Some("3600"));
    assert_eq!(register.credentials.as_ref().map(|own| own.username.as_str()), Some("auth7"));
    assert_eq!(world.state(), ("down", Some("registering".to_owned())));
    assert_eq!(world.trunks.dialable("t"), Err(Down::Registering));
    assert_eq!(world.news(), []);

    world.answer(Kind::Register, "200 OK", "Contact: <sip:ringback7@192.0.2.10:5060>;expires=1000\nExpires: 3600");
    assert_eq!((world.state(), world.news()), (("registered", None), vec![Turned::Up]));
    assert_eq!(world.trunks.dialable("t"), Ok(&[flow("203.0.113.5:5060")][..]));

    let (secs, _, refresh) = world.next_request();
    assert_eq!(secs, 850);
    let (first, second) = (register.sequence.unwrap(), refresh.sequence.unwrap());
    assert_eq!(first.0, second.0, "one Call-ID for all");
    assert_eq!(second.1, 42, "one more than the last response's");
}

#[test]
fn our_own_contact_among_others_says_how_long() {
    let mut world = World::located(account("t"));
    world.next_request();
    let others = "Contact: <sip:other@198.51.100.1>;expires=20, <sip:ringback7@198.51.100.9:5060>;expires=40,
        <sip:ringback7@192.0.2.10>;expires=200";
    world.answer(Kind::Register, "200 OK", &others.replace('\n', ""));
    assert_eq!(world.next_request().0, 170);

    world.answer(Kind::Register, "200 OK", "Expires: 100");
    assert_eq!(world.next_request().0, 170 + 85);
}

#[test]
fn too_brief_is_asked_again_at_once_with_what_the_registrar_wants() {
    let mut world = World::located(account("t"));
    world.next_request();

    world.answer(Kind::Register, "423 Interval Too Brief", "Min-Expires: 7200");
    let (secs, _, again) = world.next_request();
    assert_eq!((secs, field(&again, "Expires")), (0, Some("7200")));

    world.answer(Kind::Register, "423 Interval Too Brief", "Min-Expires: 9000");
    assert_eq!(world.state().0, "down");
    assert!(world.next_request().0 >= 900, "it does not haggle for ever");
}

#[test]
fn a_refusal_is_named_with_what_to_check_and_not_repeated_soon() {
    for (status, reason) in [
        ("403 Forbidden", "registrar refused: 403 Forbidden; check username and password"),
        ("401 Unauthorized", "registrar refused: 401 Unauthorized; check username and password"),
        ("404 Not Found", "registrar refused: 404 Not Found; check username and host"),
    ] {
        let mut world = World::registered(account("t"));
        world.next_request();

        world.answer(Kind::Register, status, "");

        assert_eq!(world.state(), ("down", Some(reason.to_owned())));
        assert!(matches!(world.news()[..], [Turned::Down(Down::Refused(_))]));
        assert_eq!(world.next_request().0, 3060 + 900);
    }
}

#[test]
fn retry_after_is_honoured() {
    let mut world = World::located(account("t"));
    world.next_request();

    world.answer(Kind::Register, "503 Service Unavailable", "Retry-After: 120");

    assert_eq!(world.state(), ("down", Some("not available: 503 Service Unavailable".to_owned())));
    assert_eq!(world.next_request().0, 120);
}

#[test]
fn silence_is_met_with_growing_waits_that_are_forgotten_at_the_first_success() {
    let mut world = World::located(account("t"));
    for longest in [60, 120, 240, 480, 600, 600] {
        let (asked, _, _) = world.next_request();
        world.silence(Kind::Register);
        assert_eq!(world.state(), ("down", Some("no answer; check host, port and firewall".to_owned())));
        let wait = world.trunks.state("t").and_then(|state| state.next).unwrap().since(at(asked + 32).tick).as_secs();
        assert!((longest / 2..=longest).contains(&wait), "{wait} s, at most {longest}");
    }
    assert_eq!(world.news(), [Turned::Down(Down::Silent)], "the same bad news is told once");

    world.next_request();
    world.answer(Kind::Register, "200 OK", "Expires: 60");
    world.next_request();
    world.silence(Kind::Register);

    let wait = world.trunks.state("t").and_then(|state| state.next).unwrap().since(at(world.secs).tick);
    assert!(wait <= Duration::from_secs(60));
}

#[test]
fn what_was_granted_lasts_through_failed_refreshes_until_it_runs_out() {
    let mut world = World::registered(account("t"));
    let (secs, _, _) = world.next_request();
    assert_eq!(secs, 3060);

    world.answer(Kind::Register, "503 Service Unavailable", "Retry-After: 1000");
    assert_eq!((world.state().0, world.news()), ("registered", vec![]));
    world.trunks.on_timeout(at(3599));
    assert_eq!(world.state().0, "registered");
    world.trunks.on_timeout(at(3600));
    assert_eq!(world.news(), [Turned::Down(Down::Unavailable(503))]);
}

#[test]
fn nothing_is_asked_twice_while_an_answer_is_awaited_and_hurry_skips_the_wait() {
    let mut world = World::located(account("t"));
    world.next_request();
    world.trunks.hurry(at(1), "t");
    assert!(world.request().is_none());

    world.answer(Kind::Register, "403 Forbidden", "");
    world.trunks.hurry(at(1), "t");

    assert!(world.request().is_some());
}

#[test]
fn leaving_removes_the_registration_and_wants_nothing_more() {
    let mut world = World::registered(account("t"));

    world.trunks.shut_down(at(10));

    let (_, farewell) = world.request().expect("a last REGISTER");
    assert_eq!(field(&farewell, "Expires"), Some("0"));
    assert_eq!(world.state(), ("down", Some("shutting down".to_owned())));
    world.answer(Kind::Register, "200 OK", "");
    assert_eq!(world.trunks.next_timeout(), None);
    world.trunks.shut_down(at(11));
    assert!(world.request().is_none());
}

#[test]
fn a_peer_is_up_with_its_address_and_down_after_two_unanswered_pings() {
    let mut world = World::located(peer("t"));
    assert_eq!((world.state().0, world.news()), ("up", vec![Turned::Up]));

    let (secs, kind, ping) = world.next_request();
    assert_eq!((secs, kind, ping.uri.as_str()), (0, Kind::Options, "sip:203.0.113.5"));
    world.answer(Kind::Options, "405 Method Not Allowed", "");
    assert_eq!(world.next_request().0, 30);
    world.silence(Kind::Options);
    assert_eq!(world.state().0, "up", "one may be lost");
    assert_eq!(world.next_request().0, 64);
    world.answer(Kind::Options, "503 Service Unavailable", "");
    assert_eq!(world.state(), ("down", Some("not available: 503 Service Unavailable".to_owned())));

    assert_eq!(world.next_request().0, 94);
    world.answer(Kind::Options, "404 Not Found", "");
    assert_eq!(world.state(), ("up", None));
    assert_eq!(world.news(), [Turned::Down(Down::Unavailable(503)), Turned::Up]);
}

#[test]
fn a_peer_without_pings_is_up_and_left_alone() {
    let mut world = World::located(settings::Trunk { options_ping: None, ..peer("t") });

    assert_eq!(world.state(), ("up", None));
    assert!(world.request().is_none());
    assert_eq!(world.trunks.next_timeout(), Some(at(300).tick), "but its host is looked up again");
}

#[test]
fn a_registered_trunk_that_stops_answering_pings_is_registered_anew() {
    let pinged = settings::Trunk { options_ping: Some(Duration::from_secs(30)), ..account("t") };
    let mut world = World::of(vec![pinged]);
    world.wants();
    world.trunks.located(at(0), "t", vec![flow("203.0.113.5:5060")]);
    assert_eq!(world.wants().len(), 2, "REGISTER and OPTIONS");
    world.answer(Kind::Register, "200 OK", "Expires: 3600");
    world.answer(Kind::Options, "200 OK", "");

    for _ in 0..2 {
        assert_eq!(world.next_request().1, Kind::Options);
        world.silence(Kind::Options);
    }

    assert_eq!(world.state().0, "down");
    assert_eq!(world.next_request().1, Kind::Register);
    world.answer(Kind::Register, "200 OK", "Expires: 3600");
    assert_eq!(world.state(), ("registered", None), "whoever answers REGISTER lives");
}

#[test]
fn a_registrar_that_never_answers_pings_is_not_suspected() {
    let pinged = settings::Trunk { options_ping: Some(Duration::from_secs(30)), ..account("t") };
    let mut world = World::of(vec![pinged]);
    world.wants();
    world.trunks.located(at(0), "t", vec![flow("203.0.113.5:5060")]);
    world.wants();
    world.answer(Kind::Register, "200 OK", "Expires: 3600");

    for _ in 0..10 {
        world.silence(Kind::Options);
        assert_eq!(world.state().0, "registered");
        assert_eq!(world.next_request().1, Kind::Options);
    }
}

#[test]
fn a_host_that_is_nowhere_is_looked_up_again_and_a_known_one_outlives_an_outage_of_dns() {
    let mut world = World::of(vec![account("t")]);
    world.wants();
    world.trunks.located(at(0), "t", Vec::new());
    assert_eq!(world.state(), ("down", Some("host name not found; check host or proxy".to_owned())));
    world.trunks.on_timeout(at(60));
    assert!(matches!(world.wants()[..], [Want::Locate { .. }]));

    world.trunks.located(at(60), "t", vec![flow("203.0.113.5:5060")]);
    world.wants();
    world.answer(Kind::Register, "200 OK", "Expires: 3600");
    world.trunks.on_timeout(at(360));
    world.trunks.located(at(360), "t", Vec::new());
    assert_eq!(world.state().0, "registered");
    assert!(world.trunks.dialable("t").is_ok());

    world.trunks.on_timeout(at(420));
    world.wants();
    world.trunks.located(at(420), "t", vec![flow("203.0.113.6:5060")]);
    assert!(world.request().is_some(), "a provider that has moved has to hear of us");
}

#[test]
fn the_proxy_is_what_is_looked_up() {
    let cases = [
        ("proxy.example.com", "proxy.example.com", 5060),
        ("proxy.example.com:5070", "proxy.example.com", 5070),
        ("[2001:db8::1]:5070", "2001:db8::1", 5070),
        ("[2001:db8::1]", "2001:db8::1", 5060),
        ("2001:db8::1", "2001:db8::1", 5060),
    ];
    for (proxy, host, port) in cases {
        let mut world = World::of(vec![settings::Trunk { proxy: Some(proxy.to_owned()), ..account("t") }]);
        match &world.wants()[..] {
            [Want::Locate { host: wanted, port: at, .. }] => assert_eq!((wanted.as_str(), *at), (host, port)),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_source_is_known_by_its_exact_address_then_the_narrowest_block_then_its_host() {
    let block = |text: &str, bits| Cidr { address: text.parse().unwrap(), bits };
    let wide = settings::Trunk { acl: vec![block("203.0.113.0", 24)], ..peer("wide") };
    let narrow = settings::Trunk { acl: vec![block("203.0.113.64", 26)], ..peer("narrow") };
    let local = peer("local");
    let mut trunks = World::of(vec![wide, narrow, local, peer("lone")]).trunks;
    trunks.located(at(0), "local", vec![flow("127.0.0.1:5090")]);
    trunks.located(at(0), "lone", vec![flow("203.0.113.70:5080")]);
    let who = |text: &str, port| trunks.by_source(text.parse().unwrap(), port).map(|name| &**name);

    assert_eq!(who("203.0.113.9", 5060), Some("wide"));
    assert_eq!(who("203.0.113.65", 5060), Some("narrow"));
    assert_eq!(who("203.0.113.70", 5080), Some("lone"));
    assert_eq!(who("203.0.113.70", 5060), Some("narrow"));
    assert_eq!(who("::ffff:203.0.113.9", 5060), Some("wide"));
    assert_eq!(who("127.0.0.1", 5090), Some("local"));
    assert_eq!(who("127.0.0.1", 5062), None, "a phone on the same machine is no carrier");
    assert_eq!(who("198.51.100.1", 5060), None);
}

#[test]
fn a_peer_is_known_by_its_host_on_another_port() {
    let world = World::located(peer("t"));

    assert_eq!(world.trunks.by_source("203.0.113.5".parse().unwrap(), 40_000).map(|name| &**name), Some("t"));
}

#[test]
fn numbers_are_written_as_the_trunk_wants_them() {
    let cases = [
        (NumberFormat::E164Plus, 0, "", "+12025550123", "+12025550123"),
        (NumberFormat::E164, 0, "", "+12025550123", "12025550123"),
        (NumberFormat::E164, 1, "9", "+12025550123", "92025550123"),
        (NumberFormat::National, 0, "", "+12025550123", "2025550123"),
        (NumberFormat::E164, 0, "", "5000", "5000"),
        (NumberFormat::E164, 0, "00", "*98", "00*98"),
    ];
    for (number_format, strip_digits, prefix, number, expected) in cases {
        let trunk = settings::Trunk { number_format, strip_digits, prefix: prefix.to_owned(), ..peer("t") };
        assert_eq!(World::of(vec![trunk]).trunks.dialled_user("t", number), expected);
    }

    let trunks = World::of(vec![settings::Trunk { port: 5080, ..peer("t") }]).trunks;
    assert_eq!(trunks.dialled_uri("t", "+1202"), "sip:+1202@203.0.113.5:5080");
    assert_eq!(trunks.dialled_uri("t", "*21#1@x"), "sip:*21%231%40x@203.0.113.5:5080");
}

#[test]
fn our_identity_goes_where_the_trunk_wants_it() {
    let shown = |trunk: settings::Trunk, number: &str, display: &str| {
        let world = World::of(vec![trunk]);
        world.trunks.identity_fields("t", number, display, flow("203.0.113.5:5060"))
    };
    let (from, fields) = shown(peer("t"), "+12025550100", "Say \"hi\"\r\nX: y");
    assert_eq!(from.1, "sip:+12025550100@192.0.2.10");
    let pai = "\"Say \\\"hi\\\"  X: y\" <sip:+12025550100@192.0.2.10>";
    assert_eq!(fields, [("P-Asserted-Identity", pai.to_owned())]);

    let rpid =
        settings::Trunk { identity_header: IdentityHeader::Rpid, number_format: NumberFormat::E164, ..account("t") };
    let (from, fields) = shown(rpid, "+12025550100", "");
    assert_eq!(from, (String::new(), "sip:12025550100@sip.example.com".to_owned()));
    let field = "<sip:12025550100@sip.example.com>;party=calling;privacy=off;screen=yes";
    assert_eq!(fields, [("Remote-Party-ID", field.to_owned())]);

    let plain = settings::Trunk { identity_header: IdentityHeader::From, ..peer("t") };
    assert_eq!(shown(plain, "+12025550100", "Main").1, []);
    let (from, fields) = shown(peer("t"), "anonymous", "Main");
    assert_eq!((from.1.as_str(), fields), ("sip:anonymous@anonymous.invalid", vec![]));
    // The trunk learns who we are and shows it to nobody (RFC 3325 §9.3).
    let (from, fields) = shown(settings::Trunk { privacy: true, ..peer("t") }, "+12025550100", "Main");
    assert_eq!(from.1, "sip:anonymous@anonymous.invalid");
    let asserted = "\"Main\" <sip:+12025550100@192.0.2.10>".to_owned();
    assert_eq!(fields, [("P-Asserted-Identity", asserted), ("Privacy", "id".to_owned())]);
}

#[test]
fn the_caller_is_who_a_trusted_trunk_asserts_unless_he_wants_to_be_private() {
    let of = |fields: &str, trusted| caller(&invite("sip:5000@192.0.2.10", "<sip:5000@192.0.2.10>", fields), trusted);
    let from = "From: \"A\" <sip:+12025550111;npdi@203.0.113.5;user=phone>;tag=1";
    let pai = "P-Asserted-Identity: <tel:+12025550122>";
    let rpid = "Remote-Party-ID: <sip:+12025550133@203.0.113.5>;party=calling;privacy=off";
    let some = |number: &str| Some(number.to_owned());

    assert_eq!(of(from, false), some("+12025550111"));
    assert_eq!(of(&format!("{from}\n{pai}"), false), some("+12025550111"), "a stranger asserts nothing");
    assert_eq!(of(&format!("{from}\n{pai}"), true), some("+12025550122"));
    assert_eq!(of(&format!("{from}\n{pai}\nPrivacy: user;id"), true), None);
    assert_eq!(of(&format!("{from}\n{pai}\nPrivacy: none"), true), some("+12025550122"));
    assert_eq!(of(&format!("{from}\n{rpid}"), true), some("+12025550133"));
    assert_eq!(of(&format!("{from}\n{}", rpid.replace("=off", "=full")), true), None);
    for withheld in ["<sip:anonymous@anonymous.invalid>", "<sip:Anonymous@x.example>", "<sip:203.0.113.5>"] {
        assert_eq!(of(&format!("From: {withheld};tag=1"), false), None, "{withheld}");
    }
}

#[test]
fn the_dialled_number_is_in_the_request_uri_unless_that_is_our_own_contact() {
    let from = "From: <sip:+12025550111@203.0.113.5>;tag=1";
    let direct = invite("sip:%2B12025550100;npdi@192.0.2.10;user=phone", "<sip:x@y.example>", from);
    let tel = invite("tel:+12025550100", "<sip:x@y.example>", from);
    let contact = invite("sip:ringback7@192.0.2.10", "<sip:+12025550100@y.example>", from);
    let nowhere = invite("sip:ringback7@192.0.2.10", "<sip:y.example>", from);
    let trunks = World::of(vec![account("t"), peer("p")]).trunks;

    assert_eq!(dialled(&direct), "+12025550100");
    assert_eq!(dialled(&tel), "+12025550100");
    assert_eq!(trunks.dialled_by("t", &contact), "+12025550100");
    assert_eq!(trunks.dialled_by("p", &contact), "ringback7");
    assert_eq!(trunks.dialled_by("t", &direct), "+12025550100");
    assert_eq!(trunks.dialled_by("t", &nowhere), "ringback7");
}

#[test]
fn what_is_no_trunk_is_said_to_be_none() {
    let mut trunks = World::of(Vec::new()).trunks;
    trunks.located(at(0), "x", Vec::new());
    trunks.response(at(0), "x", Kind::Options, None);

    assert_eq!(trunks.dialable("x"), Err(Down::Unknown));
    assert_eq!((trunks.state("x"), trunks.next_timeout()), (None, None));
}
