//! Registrations as phones make them, in virtual time: who is let in, what is kept, what is refused.

use super::*;
use crate::sip::digest::Client;
use crate::sip::message::Message;
use crate::time::Tick;

const PHONE: &str = "192.0.2.7:5062";

/// A site with the agents 1001 and 1002.
pub(crate) fn site(algorithms: &[DigestAlgorithm]) -> Settings {
    use crate::settings::{Agent, Server, System};
    let agent = |extension: &str| Agent {
        name: extension.into(),
        extension: extension.into(),
        secret: format!("secret of {extension}"),
        max_calls: 1,
        wrap_up: None,
        auto_ready: true,
        max_no_answer: 3,
        decline_cooldown: Duration::from_secs(60),
        ..Agent::named("", "", "")
    };
    Settings {
        server: Server {
            public_address: None,
            media_ports: 20000..=20999,
            digest_algorithms: algorithms.to_vec(),
            realm: "ringback".to_owned(),
            register_min: Duration::from_secs(60),
            register_max: Duration::from_secs(7200),
            drain: Duration::from_secs(300),
            shards: 1,
        },
        system: System {
            default_country: Some("US".to_owned()),
            default_timezone: chrono_tz::UTC,
            company_name: "Example".to_owned(),
            max_callback_lines: 15,
            max_originates_per_min: 60,
            ..Settings::empty(chrono_tz::UTC).system
        },
        trunks: Vec::new(),
        caller_ids: Vec::new(),
        agents: vec![agent("1001"), agent("1002")],
        queues: Vec::new(),
        schedules: Vec::new(),
        inbound_routes: Vec::new(),
        outbound_routes: Vec::new(),
        profiles: Vec::new(),
        rules: Vec::new(),
        ..Settings::empty(chrono_tz::UTC)
    }
}

pub(crate) fn at(secs: u64) -> Now {
    let begin = DateTime::from_timestamp(1_800_000_000, 0).expect("a valid instant");
    Now { tick: Tick::from_millis(secs * 1000), utc: begin + TimeDelta::seconds(secs as i64) }
}

pub(crate) fn flow(remote: &str) -> Flow {
    let local = "192.0.2.10:5060".parse().expect("an address");
    Flow { transport: crate::sip::flow::Transport::Udp, local, remote: remote.parse().expect("an address") }
}

pub(crate) fn request(head: &str) -> Request {
    let text = format!("{}\r\n\r\n", head.trim().lines().map(str::trim).collect::<Vec<_>>().join("\r\n"));
    match Message::parse(&bytes::Bytes::from(text)) {
        Ok(Message::Request(request)) => request,
        other => panic!("not a request: {other:?}"),
    }
}

fn register_as(user: &str, call_id: &str, cseq: u32, fields: &str) -> Request {
    request(&format!(
        "REGISTER sip:192.0.2.10 SIP/2.0
         Via: SIP/2.0/UDP 192.0.2.7:5062;branch=z9hG4bK{call_id}{cseq}
         Max-Forwards: 70
         From: <sip:{user}@192.0.2.10>;tag=1
         To: <sip:{user}@192.0.2.10>
         Call-ID: {call_id}
         CSeq: {cseq} REGISTER
         {fields}"
    ))
}

fn register(call_id: &str, cseq: u32, fields: &str) -> Request {
    register_as("1001", call_id, cseq, fields)
}

fn registrar() -> Registrar {
    Registrar::new(&site(&[DigestAlgorithm::Md5]), Vec::new(), Entropy::from_seed(1))
}

/// A REGISTER of 1001 that is taken, committed and applied.
fn take(registrar: &mut Registrar, secs: u64, request: &Request) -> Answer {
    take_from(registrar, secs, PHONE, request)
}

fn take_from(registrar: &mut Registrar, secs: u64, from: &str, request: &Request) -> Answer {
    let answer = registrar.register(at(secs), flow(from), &"1001".into(), request);
    answer.changes.iter().for_each(|change| registrar.apply(change));
    answer
}

fn status(registrar: &mut Registrar, request: &Request) -> u16 {
    let answer = registrar.register(at(0), flow(PHONE), &"1001".into(), request);
    assert!(answer.status == 200 || answer.changes.is_empty(), "a refusal changes nothing");
    answer.status
}

fn contacts(registrar: &Registrar) -> Vec<&str> {
    registrar.bindings("1001").map(|binding| binding.contact.as_str()).collect()
}

fn listed(answer: &Answer) -> Vec<&str> {
    answer.fields.iter().filter(|(name, _)| *name == "Contact").map(|(_, value)| value.as_str()).collect()
}

/// The same request with an answer to the first challenge of `denial` whose algorithm is `algorithm`.
fn answer(request: &Request, denial: &Denial, algorithm: Algorithm, user: &str, secret: &str, nc: u32) -> Request {
    let challenge = denial
        .fields
        .iter()
        .filter_map(|(_, value)| crate::sip::header::auth::Challenge::parse(&value.as_str().into()).ok().flatten())
        .find(|challenge| challenge.algorithm == Ok(algorithm))
        .expect("this algorithm is offered");
    let client = Client { username: user.to_owned(), password: secret.to_owned() };
    let uri = request.uri.as_str();
    let mut entropy = Entropy::from_seed(nc.into());
    let credentials = client.answer(&challenge, &request.method, uri, nc, &mut entropy).expect("we speak it");
    let mut answered = request.clone();
    answered.headers.set(HeaderName::Authorization, credentials.to_string());
    answered
}

fn md5(request: &Request, denial: &Denial, secret: &str, nc: u32) -> Request {
    answer(request, denial, Algorithm::Md5, "1001", secret, nc)
}

fn is_stale(denial: &Denial) -> bool {
    denial.fields.iter().any(|(_, value)| value.to_ascii_lowercase().contains("stale=true"))
}

#[test]
fn who_shows_the_secret_is_let_in_and_everybody_else_gets_the_same_challenge() {
    let mut registrar = registrar();
    let plain = register("a", 1, "");

    let denial = registrar.authenticate(at(0), flow(PHONE), &plain).unwrap_err();
    let wrong = md5(&plain, &denial, "guess", 1);
    let known = registrar.authenticate(at(0), flow(PHONE), &wrong).unwrap_err();
    let wrong = answer(&plain, &denial, Algorithm::Md5, "9999", "guess", 1);
    let unknown = registrar.authenticate(at(0), flow(PHONE), &wrong).unwrap_err();
    let right = md5(&plain, &denial, "secret of 1001", 1);

    assert_eq!(registrar.authenticate(at(0), flow(PHONE), &right), Ok("1001".into()));
    let shape = |denial: &Denial| {
        let (name, value) = denial.fields[0].clone();
        let nonce = value.split("nonce=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a nonce");
        (denial.status, denial.fields.len(), name, value.replace(nonce, ""), nonce.len())
    };
    assert_eq!(shape(&denial), shape(&known));
    assert_eq!(shape(&known), shape(&unknown));
    assert_eq!((denial.status, denial.fields[0].0), (401, "WWW-Authenticate"));
}

#[test]
fn algorithms_are_offered_in_the_configured_order_and_each_is_accepted() {
    let settings = site(&[DigestAlgorithm::Sha256, DigestAlgorithm::Md5]);
    let mut registrar = Registrar::new(&settings, Vec::new(), Entropy::from_seed(1));
    let plain = register("a", 1, "");

    let denial = registrar.authenticate(at(0), flow(PHONE), &plain).unwrap_err();

    assert!(denial.fields[0].1.contains("algorithm=SHA-256"));
    assert!(denial.fields[1].1.contains("algorithm=MD5"));
    for algorithm in [Algorithm::Sha256, Algorithm::Md5] {
        let denial = registrar.authenticate(at(0), flow(PHONE), &plain).unwrap_err();
        let right = answer(&plain, &denial, algorithm, "1001", "secret of 1001", 1);
        assert_eq!(registrar.authenticate(at(0), flow(PHONE), &right), Ok("1001".into()));
    }
}

#[test]
fn an_answer_counts_once_for_a_minute_and_from_its_own_source() {
    let mut registrar = registrar();
    let plain = register("a", 1, "");
    let denial = registrar.authenticate(at(0), flow(PHONE), &plain).unwrap_err();
    let right = md5(&plain, &denial, "secret of 1001", 1);

    assert!(registrar.authenticate(at(0), flow("198.51.100.9:5060"), &right).is_err());
    assert!(registrar.authenticate(at(1), flow(PHONE), &right).is_ok());
    assert!(registrar.authenticate(at(2), flow(PHONE), &right).is_err());
    let next = md5(&plain, &denial, "secret of 1001", 2);
    assert!(registrar.authenticate(at(3), flow(PHONE), &next).is_ok());
    let late = md5(&plain, &denial, "secret of 1001", 3);
    assert!(is_stale(&registrar.authenticate(at(90), flow(PHONE), &late).unwrap_err()));
}

#[test]
fn an_invite_with_proxy_authorization_is_known_too_and_a_foreign_realm_is_passed_over() {
    let mut registrar = registrar();
    let mut invite = request(
        "INVITE sip:5000@192.0.2.10 SIP/2.0
         Via: SIP/2.0/UDP 192.0.2.7:5062;branch=z9hG4bKi
         From: <sip:1001@192.0.2.10>;tag=1
         To: <sip:5000@192.0.2.10>
         Call-ID: i
         CSeq: 1 INVITE
         Contact: <sip:1001@192.0.2.7:5062>",
    );
    let denial = registrar.authenticate(at(0), flow(PHONE), &invite).unwrap_err();
    let answered = md5(&invite, &denial, "secret of 1001", 1);
    let credentials = answered.headers.get(HeaderName::Authorization).expect("just set").to_string();

    invite.headers.push(HeaderName::Authorization, credentials.replace("realm=\"ringback\"", "realm=\"other\""));
    invite.headers.push(HeaderName::ProxyAuthorization, credentials);

    assert_eq!(registrar.authenticate(at(0), flow(PHONE), &invite), Ok("1001".into()));
}

#[test]
fn after_five_wrong_secrets_even_the_right_one_waits_a_minute_behind_the_same_challenge() {
    let mut registrar = registrar();
    let plain = register("a", 1, "");
    for _ in 0..5 {
        let denial = registrar.authenticate(at(0), flow(PHONE), &plain).unwrap_err();
        assert!(registrar.authenticate(at(0), flow(PHONE), &md5(&plain, &denial, "guess", 1)).is_err());
    }

    let denial = registrar.authenticate(at(30), flow(PHONE), &plain).unwrap_err();
    let tired = registrar.authenticate(at(30), flow(PHONE), &md5(&plain, &denial, "secret of 1001", 1)).unwrap_err();
    assert!(!is_stale(&tired));
    let denial = registrar.authenticate(at(61), flow(PHONE), &plain).unwrap_err();
    assert!(registrar.authenticate(at(61), flow(PHONE), &md5(&plain, &denial, "secret of 1001", 1)).is_ok());
}

#[test]
fn a_binding_is_kept_once_applied_and_the_answer_lists_all_of_them() {
    let mut registrar = registrar();
    let first = register("a", 1, "Contact: <sip:1001@192.0.2.7:5062>;expires=600\nUser-Agent: Desk 1");

    let answer = registrar.register(at(0), flow(PHONE), &"1001".into(), &first);

    assert_eq!(answer.status, 200);
    assert_eq!(listed(&answer), ["<sip:1001@192.0.2.7:5062>;expires=600"]);
    assert!(answer.fields.contains(&("Date", "Fri, 15 Jan 2027 08:00:00 GMT".to_owned())));
    assert_eq!(contacts(&registrar), [""; 0], "nothing is there before it is durable");
    answer.changes.iter().for_each(|change| registrar.apply(change));
    let binding = registrar.bindings("1001").next().expect("applied");
    assert_eq!((binding.flow, binding.user_agent.as_deref()), (flow(PHONE), Some("Desk 1")));

    let second = register("b", 1, "Contact: <sip:1001@192.0.2.8>;q=0.5\nExpires: 100");
    let answer = take(&mut registrar, 100, &second);
    let both = ["<sip:1001@192.0.2.7:5062>;expires=500", "<sip:1001@192.0.2.8>;q=0.500;expires=100"];
    assert_eq!(listed(&answer), both);
    let fetched = take(&mut registrar, 100, &register("c", 1, ""));
    assert_eq!((listed(&fetched), fetched.changes.len()), (both.to_vec(), 0));
}

#[test]
fn the_best_q_is_rung_first_and_among_equals_the_newest() {
    let mut registrar = registrar();
    take(&mut registrar, 0, &register("a", 1, "Contact: <sip:a@192.0.2.7>"));
    take(&mut registrar, 1, &register("b", 1, "Contact: <sip:b@192.0.2.7>;q=0.2"));
    take(&mut registrar, 2, &register("c", 1, "Contact: <sip:c@192.0.2.7>"));
    assert_eq!(contacts(&registrar), ["sip:c@192.0.2.7", "sip:a@192.0.2.7", "sip:b@192.0.2.7"]);

    take(&mut registrar, 3, &register("a", 2, "Contact: <sip:a@192.0.2.7>"));

    assert_eq!(contacts(&registrar), ["sip:a@192.0.2.7", "sip:c@192.0.2.7", "sip:b@192.0.2.7"]);
}

#[test]
fn expires_zero_unregisters_one_and_star_all() {
    let mut registrar = registrar();
    take(&mut registrar, 0, &register("a", 1, "Contact: <sip:a@192.0.2.7>, <sip:b@192.0.2.7>"));

    let answer = take(&mut registrar, 1, &register("a", 2, "Contact: <sip:a@192.0.2.7>;expires=0"));
    assert_eq!(listed(&answer), ["<sip:b@192.0.2.7>;expires=3599"]);
    assert_eq!(contacts(&registrar), ["sip:b@192.0.2.7"]);

    assert_eq!(status(&mut registrar, &register("a", 3, "Contact: *")), 400);
    assert_eq!(status(&mut registrar, &register("a", 3, "Contact: *\nExpires: 60")), 400);
    assert_eq!(status(&mut registrar, &register("a", 1, "Contact: *\nExpires: 0")), 500);
    let answer = take(&mut registrar, 2, &register("a", 3, "Contact: *\nExpires: 0"));
    assert_eq!((answer.status, listed(&answer)), (200, Vec::new()));
    assert_eq!((contacts(&registrar).len(), registrar.next_expiry(), registrar.whose(flow(PHONE))), (0, None, None));
}

#[test]
fn too_brief_is_423_and_too_long_is_cut() {
    let mut registrar = registrar();
    let brief = register("a", 1, "Contact: <sip:a@192.0.2.7>;expires=59");

    let answer = registrar.register(at(0), flow(PHONE), &"1001".into(), &brief);
    assert_eq!((answer.status, answer.fields), (423, vec![("Min-Expires", "60".to_owned())]));

    let long = register("a", 2, "Contact: <sip:a@192.0.2.7>;expires=99999999999999999999");
    assert_eq!(listed(&take(&mut registrar, 0, &long)), ["<sip:a@192.0.2.7>;expires=7200"]);
}

#[test]
fn nobody_registers_for_somebody_else_nor_under_what_is_no_sip_address() {
    let mut registrar = registrar();
    let contact = "Contact: <sip:a@192.0.2.7>";

    assert_eq!(status(&mut registrar, &register_as("1002", "a", 1, contact)), 403);
    assert_eq!(status(&mut registrar, &register_as("1001%00", "a", 1, contact)), 403);
    assert_eq!(status(&mut registrar, &register_as("%31001", "a", 1, contact)), 200);
    let mut isbn = register("a", 1, contact);
    isbn.headers.to_mut().uri = "isbn:2983792873".parse().unwrap();
    assert_eq!(status(&mut registrar, &isbn), 400);
}

#[test]
fn contacts_that_lead_to_us_to_many_or_carry_headers_are_refused_with_all_the_others() {
    let mut registrar = registrar();
    for refused in [
        "sip:x@192.0.2.10",
        "sip:x@192.0.2.10:5060",
        "sip:x@192.0.2.10:5099",
        "sip:x@255.255.255.255",
        "sip:x@239.1.2.3",
        "sip:x@[ff02::1]",
        "sip:x@192.0.2.7?Route=%3Csip:sip.example.com%3E",
        "mailto:x@example.com",
    ] {
        let request = register("a", 1, &format!("Contact: <sip:good@192.0.2.7>, <{refused}>"));
        assert_eq!(status(&mut registrar, &request), 403, "{refused}");
    }

    // A softphone on our own machine has our address and another port.
    let here = register("a", 1, "Contact: <sip:x@192.0.2.10:5070>");
    assert_eq!(take_from(&mut registrar, 0, "192.0.2.10:5070", &here).status, 200);
    let named = register("b", 1, "Contact: <sip:x@phone.invalid>");
    assert_eq!(take(&mut registrar, 0, &named).status, 200);
}

#[test]
fn within_one_call_id_only_a_higher_cseq_changes_anything() {
    let mut registrar = registrar();
    take(&mut registrar, 0, &register("a", 5, "Contact: <sip:a@192.0.2.7>"));

    for cseq in [4, 5] {
        let late = register("a", cseq, "Contact: <sip:new@192.0.2.7>, <sip:a@192.0.2.7>;expires=0");
        assert_eq!(status(&mut registrar, &late), 500);
    }

    // A phone that was restarted counts from the beginning, in another series.
    let restarted = register("b", 1, "Contact: <sip:a@192.0.2.7>;expires=100");
    assert_eq!(listed(&take(&mut registrar, 0, &restarted)), ["<sip:a@192.0.2.7>;expires=100"]);
    assert_eq!(contacts(&registrar).len(), 1);
}

#[test]
fn a_contact_written_differently_replaces_its_equivalent() {
    let mut registrar = registrar();
    take(&mut registrar, 0, &register("a", 1, "Contact: <sip:a@PHONE.example>"));

    let answer = take(&mut registrar, 1, &register("a", 2, "Contact: <sip:%61@phone.example>"));

    assert_eq!(answer.changes.len(), 2, "the store forgets the old spelling");
    assert_eq!(contacts(&registrar), ["sip:%61@phone.example"]);
}

#[test]
fn the_eleventh_contact_displaces_the_oldest() {
    let mut registrar = registrar();
    for n in 0..=10 {
        let one = register(&format!("boot{n}"), 1, &format!("Contact: <sip:{n}@192.0.2.7>"));
        let answer = take(&mut registrar, n, &one);
        assert_eq!((answer.status, listed(&answer).len()), (200, 10.min(n as usize + 1)));
    }

    assert_eq!(contacts(&registrar).len(), 10);
    assert!(!contacts(&registrar).contains(&"sip:0@192.0.2.7"));
}

#[test]
fn a_phone_that_was_restarted_leaves_no_second_binding_behind() {
    let mut registrar = registrar();
    let instance = "+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-000a95a0e128>\"";
    take(&mut registrar, 0, &register("a", 7, &format!("Contact: <sip:a@192.0.2.7:40001>;{instance}")));
    take(&mut registrar, 0, &register("z", 7, "Contact: <sip:other@192.0.2.9>"));

    take(&mut registrar, 60, &register("b", 1, &format!("Contact: <sip:a@192.0.2.7:40002>;{instance}")));

    assert_eq!(contacts(&registrar), ["sip:a@192.0.2.7:40002", "sip:other@192.0.2.9"]);
}

#[test]
fn parameters_of_the_contact_and_of_its_uri_are_told_apart() {
    // RFC 4475 §3.3.12 and §3.3.13.
    let mut registrar = registrar();
    take(&mut registrar, 0, &register("a", 1, "Contact: sip:+19725552222@gw1.example.net;unknownparam"));
    assert_eq!(contacts(&registrar), ["sip:+19725552222@gw1.example.net"]);

    take(&mut registrar, 0, &register("a", 2, "Contact: <sip:+19725552222@gw1.example.net;unknownparam>"));

    assert!(contacts(&registrar).contains(&"sip:+19725552222@gw1.example.net;unknownparam"));
}

#[test]
fn bindings_expire_in_order_and_say_so_once() {
    let mut registrar = registrar();
    take(&mut registrar, 0, &register("a", 1, "Contact: <sip:a@192.0.2.7>;expires=100, <sip:b@192.0.2.7>;expires=200"));
    assert_eq!(registrar.next_expiry(), Some(at(100).utc));

    assert_eq!(registrar.on_timeout(at(99)), []);
    let gone = BindingChange::Remove { extension: "1001".into(), contact: "sip:a@192.0.2.7".to_owned() };
    assert_eq!(registrar.on_timeout(at(100)), [gone]);
    assert_eq!(registrar.on_timeout(at(100)), []);
    assert_eq!(contacts(&registrar), ["sip:b@192.0.2.7"]);
    assert_eq!(registrar.whose(flow(PHONE)).map(|extension| &**extension), Some("1001"));

    assert_eq!(registrar.on_timeout(at(1000)).len(), 1);
    assert_eq!((registrar.next_expiry(), registrar.whose(flow(PHONE))), (None, None));
}

#[test]
fn restored_bindings_live_on_and_those_of_deleted_agents_or_past_times_go() {
    let mut before = registrar();
    take(&mut before, 0, &register("a", 1, "Contact: <sip:a@192.0.2.7>;expires=600"));
    let kept = before.bindings("1001").next().expect("just registered").clone();
    let deleted = Binding { extension: "1999".into(), ..kept.clone() };
    let expired = Binding { contact: "sip:old@192.0.2.7".to_owned(), expires_at: at(10).utc, ..kept.clone() };
    let stored = serde_json::to_string(&vec![deleted, expired, kept]).unwrap();
    let restored = serde_json::from_str(&stored).unwrap();

    let mut after = Registrar::new(&site(&[DigestAlgorithm::Md5]), restored, Entropy::from_seed(2));

    assert_eq!(after.on_timeout(at(20)).len(), 2);
    assert_eq!(contacts(&after), ["sip:a@192.0.2.7"]);
    assert_eq!(status(&mut after, &register("a", 1, "Contact: <sip:a@192.0.2.7>")), 500, "CSeq is remembered");
}
