//! What the file says and what the store holds, when they do not fit; and what an edit is told that was not taken.

use crate::{FILE, World};
use serde_json::{Value, json};

const AMY: &str = "[[agent]]\nname = \"amy\"\nextension = \"1007\"\nsecret = \"long-random-word-of-amy\"\n";

fn set_aside(world: &World) -> Vec<String> {
    world.running().editor.as_ref().unwrap().set_aside()
}

// An object of the store that the file has by now, or whose references the file has lost, keeps nobody from
// starting: it is named, waits in the store, and is back once the file lets it.
#[test]
fn a_start_is_never_refused_for_what_the_store_holds() {
    let mut world = World::new("aside");
    let ben = json!({ "name": "ben", "extension": "1002", "secret": "long-random-word-of-ben" });
    assert_eq!(world.api("POST", "/config/agent", ben).status, 201);
    assert_eq!(world.api("POST", "/config/group", json!({ "name": "desk", "agents": ["ben"] })).status, 201);
    assert_eq!(world.api("POST", "/config/group", json!({ "name": "door", "agents": ["anna"] })).status, 201);
    let zoe = "\n[[agent]]\nname = \"zoe\"\nextension = \"1002\"\nsecret = \"long-random-word-of-zoe\"\n\
               [[group]]\nname = \"door\"\nagents = [\"zoe\"]\n";

    drop(world.running.take());
    std::fs::write(world.data.join("site.toml"), format!("{FILE}{zoe}")).unwrap();
    world.start();

    assert_eq!(world.names("agent"), ["anna", "zoe"]);
    assert_eq!(world.names("group"), ["door"]);
    let told = set_aside(&world);
    assert_eq!(told.len(), 3, "{told:?}");
    for (line, wanted) in
        told.iter().zip([("agent/ben", "1002"), ("group/desk", "\"ben\""), ("group/door", "last word")])
    {
        assert!(line.starts_with(wanted.0) && line.contains(wanted.1) && line.contains("DELETE"), "{line}");
    }
    let cookie = world.sign_in(&world.token).expect("signed in");
    assert!(world.page(&cookie, "/config").body.contains("group/desk was made by API or page and is not in force"));
    let other = json!({ "name": "standing", "agents": ["zoe"] });
    assert_eq!(world.api("POST", "/config/group", other).status, 201, "the rest is edited as before");

    let mended = world.api("PUT", "/config/agent/ben", json!({ "extension": "1003" }));
    assert_eq!(mended.status, 200, "{}", mended.body);
    assert_eq!(world.names("group"), ["door", "desk", "standing"], "what refers to it is back with it");
    let ben = world.running().editor.as_ref().unwrap().settings().agent("ben").unwrap().clone();
    assert_eq!(ben.secret, "long-random-word-of-ben");
    assert_eq!(world.api("DELETE", "/config/group/door", Value::Null).status, 204, "the store's, not the file's");
    assert_eq!(set_aside(&world), [""; 0]);
    world.api("DELETE", "/config/group/door", Value::Null).is_problem(409, None);

    drop(world.running.take());
    std::fs::write(world.data.join("site.toml"), FILE).unwrap();
    world.start();
    assert_eq!(world.names("agent"), ["anna", "ben"]);
    assert_eq!(world.names("group"), ["desk"]);
}

// What `apply` takes from objects that are in force is a mistake of the text; what it has itself is the text's.
#[test]
fn another_text_takes_over_names_but_breaks_nothing() {
    let world = World::new("takes-over");
    assert_eq!(world.api("POST", "/config/group", json!({ "name": "desk", "agents": ["anna"] })).status, 201);

    let without = world.apply("", &FILE.replace("\"anna\"", "\"amy\""));
    assert_eq!(without.status, 422, "{}", without.body);
    assert!(without.body.contains("group") && without.body.contains("desk"), "{}", without.body);
    let with = world.apply("", &format!("{FILE}\n[[group]]\nname = \"desk\"\nagents = [\"amy\"]\n{AMY}"));

    assert_eq!(with.status, 200, "{}", with.body);
    assert_eq!(with.json()["changed"], json!({ "group/desk": ["agents"] }));
    let warnings = with.json()["warnings"].to_string();
    assert!(warnings.contains("group/desk was made by API or page and is not in force"), "{warnings}");
    assert!(warnings.contains("it holds until the next start or SIGHUP"), "{warnings}");
    world.api("PUT", "/config/group/desk", json!({ "agents": ["anna"] })).is_problem(409, None);
    let back = world.apply("", FILE).json();
    assert_eq!(back["changed"], json!({ "group/desk": ["agents"] }));
    assert_eq!(back["removed"], json!(["agent/amy"]));
}

// An export is applied again as it is and changes nothing; edited it changes what was edited, and secrets are
// shown to nobody and stay what they were.
#[test]
fn an_export_can_be_applied_again() {
    let world = World::new("round");
    let ben = json!({ "name": "ben", "extension": "1002", "secret": "long-random-word-of-ben" });
    assert_eq!(world.api("POST", "/config/agent", ben).status, 201);
    let route = json!({ "prefix": "+", "trunks": ["carrier"] });
    let trunk = json!({
        "name": "carrier", "mode": "register", "host": "192.0.2.1", "username": "u", "password": "word-of-carrier"
    });
    assert_eq!(world.api("POST", "/config/trunk", trunk).status, 201);
    assert_eq!(world.api("POST", "/config/outbound_route", route).status, 201);
    let editor = world.running().editor.clone().unwrap();
    let before = editor.settings();
    let export = world.api("GET", "/site", Value::Null).body;
    assert!(export.contains("secret = \"(kept by the server)\"") && !export.contains("word-of"), "{export}");

    let dry = world.apply("?dry_run=true", &export).json();
    let again = world.apply("", &export).json();

    for told in [dry, again] {
        assert_eq!(told["changed"], json!({}), "{told}");
        assert_eq!((&told["added"], &told["removed"]), (&json!([]), &json!([])), "{told}");
    }
    assert_eq!(format!("{:?}", editor.settings()), format!("{before:?}"));
    let edited = world.apply("", &export.replace("\"1002\"", "\"1009\"")).json();
    assert_eq!(edited["changed"], json!({ "agent/ben": ["extension"] }));
    assert_eq!(editor.settings().agent("ben").unwrap().secret, "long-random-word-of-ben");

    // A phone nobody has a password of, and a file a switch cannot start from.
    let more =
        format!("{export}\n[[agent]]\nname = \"eve\"\nextension = \"1010\"\nsecret = \"(kept by the server)\"\n");
    let told = world.apply("", &more);
    assert!(told.status == 422 && told.body.contains("write the secret itself"), "{}", told.body);
    let file = world.data.join("export.toml");
    std::fs::write(&file, &export).unwrap();
    assert!(ringback::config::load(&file).is_err());
    let made = json!({ "name": "eve", "extension": "1010", "secret": "(kept by the server)" });
    world.api("POST", "/config/agent", made).is_problem(422, Some("secret"));
}

// A tag says whether an object has changed, and nothing of the secret it was made of.
#[test]
fn a_tag_is_made_with_a_key_of_the_process() {
    let mut world = World::new("seal");
    let tag = |world: &World| {
        let shown = world.api("GET", "/config/agent/anna", Value::Null);
        shown.header("etag").expect("an ETag").to_owned()
    };
    let (first, again) = (tag(&world), tag(&world));
    drop(world.running.take());
    world.start();

    assert_eq!(first, again);
    assert_ne!(first, tag(&world), "the same fields, and another key");
}

// An object is in use when somebody refers to it; what is wrong for another reason is told as that.
#[test]
fn a_deletion_is_refused_for_the_true_reason() {
    let world = World::new("reason");
    let secret = world.data.join("secret.txt");
    std::fs::write(&secret, "long-random-word-of-ben").unwrap();
    let ben = json!({ "name": "ben", "extension": "1002", "secret_file": secret.to_str().unwrap() });
    assert_eq!(world.api("POST", "/config/agent", ben).status, 201);
    assert_eq!(world.api("POST", "/config/group", json!({ "name": "desk", "agents": ["ben"] })).status, 201);
    assert_eq!(world.api("POST", "/config/group", json!({ "name": "door", "agents": ["anna"] })).status, 201);

    let in_use = world.api("DELETE", "/config/agent/ben", Value::Null).is_problem(409, None);
    std::fs::remove_file(&secret).unwrap();
    let other = world.api("DELETE", "/config/group/door", Value::Null).is_problem(422, Some("secret_file"));

    assert!(in_use.contains("is in use: group/desk.agents"), "{in_use}");
    assert!(other.contains("agent/ben.secret_file") && other.contains("cannot be read"), "{other}");
    assert_eq!(world.names("group"), ["desk", "door"]);
}

// A dry run finds a sound that cannot be played, as the run itself would.
#[test]
fn a_dry_run_loads_the_sounds() {
    let world = World::new("dry-sounds");
    std::fs::write(world.data.join("noise.wav"), b"no sound").unwrap();
    let text = format!("{FILE}\n[[prompt]]\nname = \"greeting\"\nfile = \"noise.wav\"\n");

    for query in ["?dry_run=true", ""] {
        let told = world.apply(query, &text).is_problem(422, Some("file"));
        assert!(told.contains("\"greeting\"") && told.contains("is not a WAV"), "{told}");
    }
}

// `check` tells before the start what the file would keep out of force; a store that is in use is asked of its
// switch.
#[test]
fn a_check_looks_into_the_store_as_well() {
    let mut world = World::new("check");
    assert_eq!(world.api("POST", "/config/group", json!({ "name": "desk", "agents": ["anna"] })).status, 201);
    let (file, data) = (world.data.join("next.toml"), world.data.join("data"));
    std::fs::write(&file, FILE.replace("\"anna\"", "\"amy\"")).unwrap();
    let check = |data: &std::path::Path| {
        let ringback = std::process::Command::new(env!("CARGO_BIN_EXE_ringback"))
            .args(["check".as_ref(), file.as_os_str(), "--data".as_ref(), data.as_os_str()])
            .output()
            .unwrap();
        let told = [ringback.stdout, ringback.stderr].map(|told| String::from_utf8(told).unwrap()).concat();
        (ringback.status.code(), told)
    };

    let (code, told) = check(&data);
    assert!(code == Some(1) && told.contains("`ringback diff "), "{told}");
    drop(world.running.take());
    let (code, told) = check(&data);
    assert!(code == Some(0) && told.contains("warning: group/desk was made by API or page"), "{told}");
    assert!(told.contains("no agent is named \"anna\""), "{told}");
    let (code, told) = check(&world.data);
    assert!(code == Some(0) && !told.contains("group/desk"), "{told}");
    assert!(!world.data.join("store").exists(), "nothing is made where nothing was");
    world.start();
    assert_eq!(world.names("group"), ["desk"], "a check takes nothing away");
}
