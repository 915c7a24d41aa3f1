//! A trunk of ours registers at a registrar of ours, through a user agent on each side: what each one's own tests
//! assume of the other holds on the wire.

use super::*;
use crate::entropy::Secret;
use crate::registrar::Registrar;
use crate::registrar::tests::{at, site};
use crate::settings::{DigestAlgorithm, IdentityHeader, NumberFormat};
use crate::sip::flow::{Received, Transport};
use crate::sip::message::Message;
use crate::sip::user_agent::{Event, Identity, UserAgent};

const REGISTRAR: &str = "192.0.2.20:5060";

struct World {
    trunks: Trunks,
    ours: UserAgent,
    theirs: UserAgent,
    registrar: Registrar,
}

fn agent(seed: u64) -> UserAgent {
    let identity = Identity {
        public_address: None,
        product: "ringback".to_owned(),
        session_expires: Duration::from_secs(1800),
        secret: Secret::default(),
    };
    UserAgent::new(identity, Entropy::from_seed(seed))
}

impl World {
    fn new(algorithms: &[DigestAlgorithm], password: &str) -> World {
        let mode = TrunkMode::Register {
            username: "1001".to_owned(),
            auth_user: "1001".to_owned(),
            password: password.to_owned(),
            realm: Some("ringback".to_owned()),
            expires: Duration::from_secs(3600),
        };
        let trunk = settings::Trunk {
            name: "t".into(),
            mode,
            host: "192.0.2.20".to_owned(),
            port: 5060,
            proxy: None,
            credentials: None,
            acl: Vec::new(),
            options_ping: None,
            retry: Duration::from_secs(60),
            max_calls: 1,
            codecs: Vec::new(),
            number_format: NumberFormat::E164,
            strip_digits: 0,
            prefix: String::new(),
            identity_header: IdentityHeader::From,
            trusted: false,
            ..settings::Trunk::peer("", "")
        };
        let settings = Settings { trunks: vec![trunk], ..site(algorithms) };
        let mut trunks = Trunks::new(&settings, at(0), Entropy::from_seed(1));
        assert!(matches!(trunks.poll_want(), Some(Want::Locate { .. })));
        let local = "192.0.2.10:5060".parse().expect("an address");
        let flow = Flow { transport: Transport::Udp, local, remote: REGISTRAR.parse().expect("an address") };
        trunks.located(at(0), "t", vec![flow]);
        let registrar = Registrar::new(&settings, Vec::new(), Entropy::from_seed(2));
        World { trunks, ours: agent(3), theirs: agent(4), registrar }
    }

    /// Lets everybody speak until all is quiet. How many requests reached the registrar.
    fn settle(&mut self, secs: u64) -> usize {
        let now = at(secs);
        self.trunks.on_timeout(now);
        let mut requests = 0;
        for _ in 0..20 {
            while let Some(want) = self.trunks.poll_want() {
                if let Want::Request { request, .. } = want {
                    self.ours.request(now.tick, request);
                }
            }
            while let Some((flow, bytes)) = self.ours.poll_transmit() {
                let flow = Flow { local: flow.remote, remote: flow.local, ..flow };
                requests += 1;
                self.arrive(now, Received::read(flow, bytes));
            }
            while let Some((flow, bytes)) = self.theirs.poll_transmit() {
                let flow = Flow { local: flow.remote, remote: flow.local, ..flow };
                self.ours.receive(now.tick, Received::read(flow, bytes));
            }
            while let Some(event) = self.ours.poll_event() {
                if let Event::Response { response, .. } = event {
                    self.trunks.response(now, "t", Kind::Register, response.as_deref());
                }
            }
        }
        requests
    }

    /// What the switch does with a request at the other end.
    fn arrive(&mut self, now: Now, received: Received) {
        let flow = received.flow;
        let Ok(Message::Request(request)) = &received.message else { panic!("a REGISTER: {received:?}") };
        let extension = match self.registrar.authenticate(now, flow, request) {
            Ok(extension) => extension,
            Err(denial) => return self.theirs.reply_statelessly(flow, request, denial.status, denial.fields),
        };
        self.theirs.receive(now.tick, received);
        while let Some(event) = self.theirs.poll_event() {
            if let Event::Asked { transaction, flow, request } = event {
                let answer = self.registrar.register(now, flow, &extension, &request);
                answer.changes.iter().for_each(|change| self.registrar.apply(change));
                self.theirs.respond(now.tick, transaction, answer.status, answer.fields);
            }
        }
    }

    fn contacts(&self) -> Vec<&str> {
        self.registrar.bindings("1001").map(|binding| binding.contact.as_str()).collect()
    }
}

#[test]
fn a_trunk_registers_refreshes_with_a_stale_nonce_and_leaves() {
    use DigestAlgorithm::{Md5, Sha256};
    for algorithms in [&[Md5][..], &[Sha256, Md5], &[Sha256]] {
        let mut world = World::new(algorithms, "secret of 1001");

        assert_eq!(world.settle(0), 2, "one without credentials, one with");
        assert_eq!(world.contacts(), ["sip:1001@192.0.2.10:5060"]);
        assert_eq!(world.trunks.state("t").map(|state| state.word), Some("registered"));
        assert_eq!(world.trunks.next_timeout(), Some(at(300).tick), "the next lookup; the refresh is later");

        assert!(world.settle(3060) >= 1);
        let expires_at = world.registrar.next_expiry();
        assert_eq!(expires_at, Some(at(3060 + 3600).utc), "refreshed");
        assert_eq!(world.contacts().len(), 1);

        world.trunks.shut_down(at(3100));
        world.settle(3100);
        assert!(world.contacts().is_empty());
    }
}

#[test]
fn a_wrong_password_is_named_and_not_tried_again_and_again() {
    let mut world = World::new(&[DigestAlgorithm::Md5], "guess");

    assert!(world.settle(0) <= 3);

    let state = world.trunks.state("t").expect("there is this trunk");
    assert_eq!(state.reason.as_deref(), Some("registrar refused: 401 Unauthorized; check username and password"));
    assert_eq!(state.next, Some(at(900).tick));
}
