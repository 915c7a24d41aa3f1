//! The audio library over HTTP.

use crate::{FILE, World, command};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

impl World {
    /// A sound sent or fetched: status and octets.
    fn sound(&self, method: &str, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let mut stream = TcpStream::connect(self.running().http).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let (token, length) = (&self.token, body.len());
        let head = format!("{method} /api/v1{path} HTTP/1.1\r\nHost: pbx\r\nConnection: close\r\n");
        let rest = format!("Authorization: Bearer {token}\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(&[head.as_bytes(), rest.as_bytes(), body].concat()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a whole head");
        let status = String::from_utf8_lossy(&answer[9..12]).parse().unwrap();
        (status, answer.split_off(end + 4))
    }
}

// S5.32: upload, name, pick, replace; the format is checked, and what is played is 8 kHz. S1.B7: without a restart.
#[test]
fn sounds_are_uploaded_named_picked_and_replaced() {
    let mut world = World::new("prompts");
    let [offer, sorry] = ["offer", "sorry"].map(|name| {
        let clip = format!("{}/media/prompts/en/{name}.wav", env!("CARGO_MANIFEST_DIR"));
        std::fs::read(clip).unwrap()
    });

    assert_eq!(world.sound("PUT", "/prompts/greeting", b"<html>no sound</html>").0, 415);
    assert!(world.names("prompt").is_empty(), "nothing of it is kept");
    assert_eq!(world.sound("PUT", "/prompts/greeting", &offer).0, 201);
    assert_eq!(world.names("prompt"), ["greeting"]);
    let (status, played) = world.sound("GET", "/prompts/greeting/audio", b"");
    assert_eq!((status, &played[..4], &played[24..28]), (200, &b"RIFF"[..], &8_000_u32.to_le_bytes()[..]));

    let queue = json!({ "name": "sales", "number": "5001", "welcome": "greeting" });
    assert_eq!(world.api("POST", "/config/queue", queue).status, 201);
    world.api("DELETE", "/config/prompt/greeting", Value::Null).is_problem(409, None);

    assert_eq!(world.sound("PUT", "/prompts/greeting", &sorry).0, 200);
    let (_, replaced) = world.sound("GET", "/prompts/greeting/audio", b"");
    assert_ne!(played, replaced);
    drop(world.running.take());
    world.start();
    assert_eq!(world.sound("GET", "/prompts/greeting/audio", b"").1, replaced, "it outlives the process");
    let list = world.api("GET", "/prompts", Value::Null).json();
    let item = |name: &str| list["items"].as_array().unwrap().iter().find(|item| item["name"] == name).unwrap().clone();
    assert_eq!((&item("greeting")["own"], &item("offer")["own"]), (&true.into(), &false.into()));
}

#[test]
fn a_sound_that_is_gone_keeps_nothing_back() {
    let mut world = World::new("gone");
    let offer = std::fs::read(format!("{}/media/prompts/en/offer.wav", env!("CARGO_MANIFEST_DIR"))).unwrap();
    assert_eq!(world.sound("PUT", "/prompts/greeting", &offer).0, 201);
    drop(world.running.take());
    for file in std::fs::read_dir(world.data.join("data/prompts")).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }

    world.start();

    assert_eq!(world.sound("GET", "/prompts/greeting/audio", b"").0, 404);
    let queue = json!({ "name": "sales", "number": "5001", "welcome": "greeting" });
    assert_eq!(world.api("POST", "/config/queue", queue).status, 201, "the rest of the site is edited as before");
    assert_eq!(world.sound("PUT", "/prompts/greeting", &offer).0, 200, "and uploaded anew it is heard again");
}

#[test]
fn a_secret_is_read_from_a_file_and_not_from_a_device() {
    let world = World::new("device");

    for file in ["/dev/zero", "/"] {
        let agent = json!({ "name": "ben", "extension": "1002", "secret_file": file });
        let detail = world.api("POST", "/config/agent", agent).is_problem(422, Some("secret_file"));
        assert!(detail.contains("it is no file"), "{detail}");
    }
}

fn clip(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/media/prompts/en/{name}.wav", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn kept(world: &World) -> usize {
    std::fs::read_dir(world.data.join("data/prompts")).map_or(0, Iterator::count)
}

// S5.32: what is replaced or deleted leaves no file behind, unless another prompt plays it as well; what is refused
// leaves none either.
#[test]
fn a_sound_that_nobody_plays_is_deleted() {
    let world = World::new("unused");
    let (offer, sorry) = (clip("offer"), clip("sorry"));

    assert_eq!(world.sound("PUT", "/prompts/greeting", &offer).0, 201);
    assert_eq!(world.sound("PUT", "/prompts/other", &offer).0, 201);
    assert_eq!(kept(&world), 1, "the same sound is kept once");
    assert_eq!(world.sound("PUT", "/prompts/greeting", &sorry).0, 200);
    assert_eq!(kept(&world), 2);
    assert_eq!(world.sound("PUT", "/prompts/other", &sorry).0, 200);
    assert_eq!(kept(&world), 1);
    let too_long = "x".repeat(65);
    assert_eq!(world.sound("PUT", &format!("/prompts/{too_long}"), &offer).0, 422);
    assert_eq!(world.sound("PUT", &format!("/prompts/{too_long}"), &sorry).0, 422);
    assert_eq!(kept(&world), 1);
    assert_eq!(world.api("DELETE", "/config/prompt/greeting", Value::Null).status, 204);
    assert_eq!(kept(&world), 1);
    assert_eq!(world.api("DELETE", "/config/prompt/other", Value::Null).status, 204);
    assert_eq!(kept(&world), 0);
}

// S5.32: uploads at one time do not spoil each other.
#[test]
fn sounds_are_uploaded_at_one_time() {
    let world = World::new("at-once");
    let (offer, sorry) = (clip("offer"), clip("sorry"));

    std::thread::scope(|scope| {
        for at in 0..8 {
            let (world, sound) = (&world, if at % 2 == 0 { &offer } else { &sorry });
            scope.spawn(move || assert_eq!(world.sound("PUT", &format!("/prompts/sound{}", at / 2), sound).0 / 100, 2));
        }
    });

    assert_eq!(world.names("prompt").len(), 4);
    for name in world.names("prompt") {
        let played = world.sound("GET", &format!("/prompts/{name}/audio"), b"").1;
        assert!(played == offer || played == sorry, "{name}: {} octets", played.len());
    }
    assert!(kept(&world) <= 2);
}

// A sound of the store that can no longer be decoded is one silent prompt, and no reason not to start.
#[test]
fn a_sound_that_is_broken_keeps_nobody_from_starting() {
    let mut world = World::new("broken");
    assert_eq!(world.sound("PUT", "/prompts/greeting", &clip("offer")).0, 201);
    drop(world.running.take());
    let file = std::fs::read_dir(world.data.join("data/prompts")).unwrap().next().unwrap().unwrap().path();
    std::fs::write(file, b"no sound").unwrap();

    world.start();

    assert_eq!(world.sound("GET", "/prompts/greeting/audio", b"").0, 404);
    assert_eq!(world.sound("PUT", "/prompts/other", &clip("sorry")).0, 201, "and none to refuse another one");
    assert_eq!(world.sound("PUT", "/prompts/greeting", &clip("offer")).0, 200);
    assert_eq!(world.sound("GET", "/prompts/greeting/audio", b"").0, 200);
}

// S5.32, S5.26: sounds are listed, uploaded and spoken on the command line; what cannot be used changes nothing.
#[test]
fn the_command_line_keeps_the_library() {
    let clip = format!("{}/media/prompts/en/offer.wav", env!("CARGO_MANIFEST_DIR"));
    // An engine that says the same whatever it reads.
    let engine = format!("speech_command = [\"cat\", \"{clip}\"]\nmedia_shards");
    let mut world = World::asleep("library", &FILE.replace("media_shards", &engine));
    world.start();
    let text = world.data.join("no-sound.wav");
    std::fs::write(&text, "<html>").unwrap();

    let (code, told) = command(&world, &["prompt", "import", "greeting", &clip]);
    assert!(code == 0 && told.starts_with("greeting: ") && told.ends_with(" s\n"), "{code} {told}");
    let (code, told) = command(&world, &["prompt", "import", "noise", text.to_str().unwrap()]);
    assert!(code == 1 && told.contains("is not a WAV, FLAC, MP3 or Ogg Vorbis file"), "{code} {told}");
    let (code, told) = command(&world, &["prompt", "import", "noise", "/nowhere.wav"]);
    assert!(code == 1 && told.starts_with("ringback: /nowhere.wav cannot be read"), "{code} {told}");
    let (code, told) = command(&world, &["prompt", "render", "closed", "--text", "We are back at nine."]);
    assert!(code == 0 && told.starts_with("closed: "), "{code} {told}");
    assert_eq!(world.sound("GET", "/prompts/closed/audio", b"").0, 200);
    assert_eq!(world.names("prompt"), ["closed", "greeting"]);
    let (code, list) = command(&world, &["prompt", "list"]);
    assert!(code == 0 && list.lines().any(|line| line.starts_with("closed ") && line.ends_with("the site")), "{list}");
    assert!(list.lines().any(|line| line.starts_with("offer ") && line.ends_with("ringback")), "{list}");

    // A text takes the place of a sound, and a sound that of a text.
    let (code, told) = command(&world, &["prompt", "render", "greeting", "--text", "Welcome.", "--lang", "de"]);
    assert_eq!(code, 0, "{told}");
    let object = world.api("GET", "/config/prompt/greeting", Value::Null).json();
    assert_eq!((&object["text"], &object["lang"], &object["file"]), (&json!("Welcome."), &json!("de"), &Value::Null));
    assert_eq!(command(&world, &["prompt", "import", "greeting", &clip]).0, 0);
    assert!(world.api("GET", "/config/prompt/greeting", Value::Null).json()["text"].is_null());
    world.api("POST", "/prompts/closed/render", json!({ "lang": "en" })).is_problem(422, Some("text"));
    world.api("POST", "/prompts/closed/render", json!({ "text": "" })).is_problem(422, Some("text"));
}

#[test]
fn a_text_that_cannot_be_spoken_is_refused_with_its_reason() {
    let engine = "speech_command = [\"false\"]\nmedia_shards";
    let mut world = World::asleep("mute", &FILE.replace("media_shards", engine));
    world.start();

    let told = world.api("POST", "/prompts/closed/render", json!({ "text": "Hello." })).is_problem(422, Some("text"));
    assert!(told.contains("false failed"), "{told}");
    assert!(world.names("prompt").is_empty());
}

#[test]
fn recordings_are_deleted_on_the_command_line() {
    let world = World::new("recording-line");

    let (code, told) = command(&world, &["recording", "delete", "01JD0000000000000000000000"]);

    assert_eq!((code, told.as_str()), (1, "ringback: there is no recording \"01JD0000000000000000000000\"\n"));
}

// S5.32: on the page of a prompt a file is chosen and uploaded, new or in place of the one before, by an administrator;
// what is no sound, or too large, is told on the page and changes nothing.
#[test]
fn a_sound_is_uploaded_on_its_page() {
    let world = World::new("upload");
    let cookie = world.sign_in(&world.token).expect("signed in");
    let upload = |cookie: &str, parts: &[(&str, &[u8])]| {
        let mut body = Vec::new();
        for (name, octets) in parts {
            let file = if *name == "sound" { "; filename=\"../x.wav\"" } else { "" };
            body.extend(format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n").bytes());
            body.extend_from_slice(octets);
            body.extend(b"\r\n");
        }
        body.extend(b"--edge--\r\n");
        let mut stream = TcpStream::connect(world.running().http).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let length = body.len();
        let head = format!(
            "POST /sounds HTTP/1.1\r\nHost: pbx\r\nConnection: close\r\nOrigin: http://pbx\r\nCookie: {cookie}\r\n\
             Content-Type: multipart/form-data; boundary=edge\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        drop(stream.write_all(&body)); // Refused before its end.
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer));
        String::from_utf8_lossy(&answer).into_owned()
    };
    let says = |answer: &str, status: &str, what: &str| {
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains(what), "{answer}");
    };
    let new = world.page(&cookie, "/config/prompt?new").body;
    assert!(new.contains("enctype=\"multipart/form-data\"") && new.contains("type=\"file\""), "{new}");

    let sent = upload(&cookie, &[("name", b"our greeting"), ("sound", &clip("offer"))]);
    says(&sent, "303", "location: /config/prompt/our%20greeting");
    assert_eq!(world.names("prompt"), ["our greeting"]);
    assert_eq!(world.sound("GET", "/prompts/our%20greeting/audio", b"").1, clip("offer"));
    assert_eq!(world.api("GET", "/audit", Value::Null).json()["items"][0]["what"], "import");
    let opened = world.page(&cookie, "/config/prompt/our%20greeting").body;
    assert!(opened.contains("name=\"name\" value=\"our greeting\" required readonly"), "{opened}");
    says(&upload(&cookie, &[("name", b"our greeting"), ("sound", &clip("sorry"))]), "303", "");
    assert_eq!(world.sound("GET", "/prompts/our%20greeting/audio", b"").1, clip("sorry"));

    says(&upload(&cookie, &[("name", b"<b>"), ("sound", b"<html>")]), "415", "is not a WAV, FLAC, MP3 or Ogg Vorbis");
    says(&upload(&cookie, &[("name", b"<b>"), ("sound", b"")]), "422", "value=\"&lt;b&gt;\"");
    says(&upload(&cookie, &[("name", b" "), ("sound", &clip("offer"))]), "422", "say what the sound is called");
    let large = vec![0; ringback::limits::PROMPT_BYTES + (64 << 10)];
    let refused = upload(&cookie, &[("name", b"large"), ("sound", &large)]);
    assert!(refused.is_empty() || refused.starts_with("HTTP/1.1 413 "), "{refused}"); // It may be reset on its way.
    let boss = world.sign_in(crate::BOSS).expect("signed in");
    says(&upload(&boss, &[("name", b"theirs"), ("sound", &clip("offer"))]), "403", "");
    assert!(!world.page(&boss, "/config/prompt/our%20greeting").body.contains("type=\"file\""));
    assert_eq!(world.names("prompt"), ["our greeting"]);
}

// S5.32: a text of the file that does not say a sound for once does not lose it.
#[test]
fn a_sound_that_the_file_says_is_not_deleted() {
    let world = World::new("said");
    assert_eq!(world.sound("PUT", "/prompts/greeting", &clip("offer")).0, 201);
    let export = world.api("GET", "/site", Value::Null).body;
    assert_eq!(world.apply("", &export).status, 200);
    assert_eq!(world.api("DELETE", "/config/prompt/greeting", Value::Null).status, 204, "the store's");
    assert_eq!(kept(&world), 1, "the file's is the same sound");

    assert_eq!(world.apply("", crate::FILE).status, 200);
    assert_eq!(world.sound("GET", "/prompts/greeting/audio", b"").0, 404);

    assert_eq!(kept(&world), 1);
    assert_eq!(world.apply("", &export).status, 200);
    assert_eq!(world.sound("GET", "/prompts/greeting/audio", b"").0, 200);
}
