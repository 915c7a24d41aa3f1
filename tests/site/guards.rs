//! What browsers send with our own forms is taken, and what they send with those of others is not.

use super::World;

// A browser can sign in: the pages let it say where a form comes from, and what it says is believed.
#[test]
fn a_browser_signs_in_from_our_page_only() {
    let world = World::new("guards");
    let cookie = world.sign_in(&world.token).expect("signed in");
    for path in ["/login", "/", "/config", "/config/queue"] {
        assert_eq!(world.page(&cookie, path).header("referrer-policy"), Some("same-origin"), "{path}");
    }

    let sent = |from: Option<&str>| {
        let mut headers = vec![("Content-Type", "application/x-www-form-urlencoded"), ("Origin", "null")];
        headers.extend(from.map(|from| ("Sec-Fetch-Site", from)));
        world.send("POST", "/login", &headers, &format!("token={}", world.token)).status
    };
    assert_eq!(sent(Some("same-origin")), 303);
    for foreign in [Some("cross-site"), Some("same-site"), Some("none"), None] {
        assert_eq!(sent(foreign), 403, "{foreign:?}");
    }
}
