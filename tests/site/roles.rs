//! Who may what, route by route.

use crate::{BOSS, FORMER, LOOKER, World};
use ringback::settings::Role;
use ringback::web;
use serde_json::json;

// S2.2: somebody who is no administrator gets 403 on rule writes, by API and by form.
#[test]
fn rules_are_the_administrators() {
    let world = World::new("rules");
    let rule = json!({ "name": "key", "source": "queue_request", "profile": "standard" }).to_string();

    for token in [BOSS, LOOKER] {
        world.as_whom(token, "POST", "/config/callback_rule", &[], &rule).is_problem(403, None);
        world.as_whom(token, "PUT", "/config/callback_rule/key", &[], &rule).is_problem(403, None);
        world.as_whom(token, "DELETE", "/config/callback_rule/key", &[], "").is_problem(403, None);
        let cookie = world.sign_in(token).expect("he may look");
        assert_eq!(world.page(&cookie, "/config/callback_rule").status, 200);
        let fields = [("name", "key"), ("source", "queue_request"), ("profile", "standard")];
        assert_eq!(world.form(Some(&cookie), "/config/callback_rule", &fields).status, 403);
    }
    assert!(world.names("callback_rule").is_empty());
    assert_eq!(world.as_whom(&world.token, "POST", "/config/callback_rule", &[], &rule).status, 201);
}

/// Every route that changes or shows something, and the least role it takes.
const ROUTES: &[(&str, &str, Role)] = &[
    ("GET", "/callbacks", Role::Auditor),
    ("GET", "/queues", Role::Auditor),
    ("GET", "/agents", Role::Auditor),
    ("GET", "/trunks", Role::Auditor),
    ("GET", "/calls", Role::Auditor),
    ("GET", "/recordings", Role::Auditor),
    ("GET", "/recordings/01JD0000000000000000000000/audio", Role::Auditor),
    ("GET", "/config/queue", Role::Auditor),
    ("GET", "/site", Role::Auditor),
    ("GET", "/audit", Role::Auditor),
    ("POST", "/callbacks", Role::Supervisor),
    ("POST", "/callbacks/01JD0000000000000000000000/now", Role::Supervisor),
    ("POST", "/callbacks/01JD0000000000000000000000/cancel", Role::Supervisor),
    ("POST", "/callbacks/01JD0000000000000000000000/keep", Role::Supervisor),
    ("POST", "/callbacks.csv", Role::Supervisor),
    ("POST", "/do-not-call", Role::Supervisor),
    ("DELETE", "/do-not-call/1", Role::Admin),
    ("POST", "/agents/anna/pause", Role::Supervisor),
    ("POST", "/agents/anna/resume", Role::Supervisor),
    ("POST", "/calls/01JD0000000000000000000000/hangup", Role::Supervisor),
    ("DELETE", "/recordings/01JD0000000000000000000000", Role::Admin),
    ("POST", "/rules/key/activate", Role::Admin),
    ("POST", "/config/queue", Role::Admin),
    ("PUT", "/config/queue/support", Role::Admin),
    ("DELETE", "/config/queue/support", Role::Admin),
    ("POST", "/site/apply", Role::Admin),
    ("POST", "/system/freeze", Role::Admin),
    ("POST", "/system/unfreeze", Role::Admin),
    ("POST", "/system/breaker/resume", Role::Admin),
    ("GET", "/prompts", Role::Auditor),
    ("PUT", "/prompts/greeting", Role::Admin),
    ("POST", "/prompts/greeting/render", Role::Admin),
    ("POST", "/nothing/named", Role::Admin),
];

// S1.B18, S2.2: route by route, each role may what it may and no more; an expired key is nobody's.
#[test]
fn every_route_keeps_its_role() {
    let world = World::new("matrix");
    let admin = world.token.clone();

    for (method, path, least) in ROUTES {
        for (token, role) in [(LOOKER, Role::Auditor), (BOSS, Role::Supervisor), (&admin, Role::Admin)] {
            let answer = world.as_whom(token, method, path, &[], "{");
            assert_eq!(answer.status == 403, role < *least, "{method} {path} as {role:?}: {}", answer.body);
            assert_ne!(answer.status, 401, "{method} {path} as {role:?}");
        }
        for nobody in [FORMER, ""] {
            assert_eq!(world.as_whom(nobody, method, path, &[], "{").status, 401, "{method} {path}");
        }
        assert_eq!(web::needed(&method.parse().unwrap(), &format!("/api/v1{path}")), *least, "{method} {path}");
    }
    assert!(world.sign_in(FORMER).is_none());
}
