//! The site edited over HTTP, in front of a real switch with its store: by API, by form, by file; by whom, and by
//! whom not.

#![cfg(feature = "shell")]

mod by_hand;
mod cancelled;
mod door;
mod edition;
mod events;
mod faults;
mod guards;
mod openapi;
mod people;
mod prompts;
mod recordings;
mod roles;
mod standing;

use ringback::config;
use ringback::run::editor::NotEdited;
use ringback::run::{Parts, Running, Source, start};
use ringback::switch::command::Done;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

const FILE: &str = r#"
[server]
sip_udp = "127.0.0.1:0"
http = "127.0.0.1:0"
media_address = "127.0.0.1"
media_ports = "31000-31003"
media_shards = 1

[[agent]]
name = "anna"
extension = "1001"
secret = "long-random-word-of-anna"

[[queue]]
name = "support"
number = "5000"
members = [{ agent = "anna" }]

[[callback_profile]]
name = "standard"

[[api_key]]
name = "boss"
secret = "boss-0123456789abcdef0123456789abcdef"
role = "supervisor"

[[api_key]]
name = "looker"
secret = "looker-0123456789abcdef0123456789abcdef"
role = "auditor"

[[api_key]]
name = "former"
secret = "former-0123456789abcdef0123456789abcdef"
role = "admin"
expires = "2020-01-01T00:00:00Z"
"#;

const BOSS: &str = "boss-0123456789abcdef0123456789abcdef";
const LOOKER: &str = "looker-0123456789abcdef0123456789abcdef";
const FORMER: &str = "former-0123456789abcdef0123456789abcdef";

struct World {
    running: Option<Running>,
    data: PathBuf,
    token: String,
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.body))
    }

    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(it, _)| it.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    /// A problem of this status about this field.
    fn is_problem(&self, status: u16, field: Option<&str>) -> String {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.json()["field"].as_str(), field, "{}", self.body);
        self.json()["detail"].as_str().expect("a sentence").to_owned()
    }
}

impl World {
    fn new(name: &str) -> World {
        let mut world = World::asleep(name, FILE);
        world.start();
        world
    }

    /// A site that has not been started yet.
    fn asleep(name: &str, file: &str) -> World {
        let data = std::env::temp_dir().join(format!("ringback-site-{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&data));
        std::fs::create_dir_all(&data).unwrap();
        std::fs::write(data.join("site.toml"), file).unwrap();
        World { running: None, data, token: String::new() }
    }

    fn start(&mut self) {
        let file = self.data.join("site.toml");
        let config = config::load(&file).unwrap_or_else(|wrong| panic!("{wrong}"));
        let source = Some(Source { text: std::fs::read_to_string(&file).unwrap(), file: Some(file) });
        let parts = Parts { settings: config.settings, shell: config.shell, data: self.data.join("data"), source };
        let running = start(parts).unwrap_or_else(|error| panic!("{error}"));
        self.token.clone_from(&running.token);
        self.running = Some(running);
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("it runs")
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut stream = TcpStream::connect(self.running().http).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: pbx\r\nConnection: close\r\n{headers}\
             Content-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut octets = Vec::new();
        stream.read_to_end(&mut octets).unwrap();
        let text = String::from_utf8_lossy(&octets); // A backup is no text.
        let (head, body) = text.split_once("\r\n\r\n").expect("a whole head");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }

    fn as_whom(&self, token: &str, method: &str, path: &str, more: &[(&str, &str)], body: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        let mut headers = vec![("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        headers.extend(more);
        self.send(method, &format!("/api/v1{path}"), &headers, body)
    }

    fn api(&self, method: &str, path: &str, body: Value) -> Answer {
        self.as_whom(&self.token, method, path, &[], &if body.is_null() { String::new() } else { body.to_string() })
    }

    fn apply(&self, query: &str, text: &str) -> Answer {
        self.as_whom(&self.token, "POST", &format!("/site/apply{query}"), &[("Content-Type", "application/toml")], text)
    }

    /// The cookie of somebody who has signed in with this token.
    fn sign_in(&self, token: &str) -> Option<String> {
        let answer = self.form(None, "/login", &[("token", token)]);
        let cookie = answer.header("set-cookie")?;
        for wanted in ["HttpOnly", "SameSite=Strict", "Path=/"] {
            assert!(cookie.contains(wanted), "{cookie}");
        }
        Some(cookie.split(';').next()?.to_owned())
    }

    fn form(&self, cookie: Option<&str>, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
        let mut headers = vec![("Content-Type", "application/x-www-form-urlencoded"), ("Origin", "http://pbx")];
        headers.extend(cookie.map(|cookie| ("Cookie", cookie)));
        self.send("POST", path, &headers, &body.join("&"))
    }

    fn page(&self, cookie: &str, path: &str) -> Answer {
        self.send("GET", path, &[("Cookie", cookie)], "")
    }

    fn names(&self, kind: &str) -> Vec<String> {
        let list = self.api("GET", &format!("/config/{kind}"), Value::Null).json();
        list["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        drop(self.running.take());
        drop(std::fs::remove_dir_all(&self.data));
    }
}

fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).into() } else { format!("%{byte:02X}") })
        .collect()
}

// S1.6, S4.2: a profile made by form and one made by API are both in the list, with the same fields; Manage → Call-back
// profiles → a click on the name opens it.
#[test]
fn profiles_are_made_by_form_and_by_api_alike() {
    let world = World::new("profiles");
    let cookie = world.sign_in(&world.token).expect("signed in");

    let by_form = world.form(
        Some(&cookie),
        "/config/callback_profile",
        &[("name", "by form"), ("attempts_max", "4"), ("intervals_secs", "0, 5m"), ("ring_timeout_secs", "25")],
    );
    let fields = json!({ "name": "by api", "attempts_max": 4, "intervals_secs": [0, "5m"], "ring_timeout_secs": 25 });
    let by_api = world.api("POST", "/config/callback_profile", fields);

    assert_eq!((by_form.status, by_api.status), (303, 201), "{}\n{}", by_form.body, by_api.body);
    assert_eq!(by_api.header("location"), Some("/api/v1/config/callback_profile/by%20api"));
    assert_eq!(world.names("callback_profile"), ["standard", "by api", "by form"]);
    let mut shown = ["by%20form", "by%20api"].map(|name| {
        let mut object = world.api("GET", &format!("/config/callback_profile/{name}"), Value::Null).json();
        object.as_object_mut().unwrap().remove("name");
        object
    });
    assert_eq!(shown[0], shown[1]);
    assert_eq!(shown[0]["intervals_secs"].take(), json!([0, 300]));

    let manage = world.page(&cookie, "/config").body;
    assert!(manage.contains("<a href=\"/config/callback_profile\"><b>Call-back profiles</b>"), "{manage}");
    let list = world.page(&cookie, "/config/callback_profile").body;
    for name in ["by form", "by api", "standard"] {
        assert!(list.contains(&format!(">{name}</a>")), "{list}");
    }
    let opened = world.page(&cookie, "/config/callback_profile/by%20api").body;
    assert!(opened.contains("name=\"ring_timeout_secs\" value=\"25\""), "{opened}");
    let saved = world.form(
        Some(&cookie),
        "/config/callback_profile/by%20api",
        &[("name", "by api"), ("ring_timeout_secs", "40")],
    );
    assert_eq!(saved.status, 303, "{}", saved.body);
    let object = world.api("GET", "/config/callback_profile/by%20api", Value::Null).json();
    assert_eq!((object["ring_timeout_secs"].as_u64(), object["attempts_max"].as_u64()), (Some(40), Some(3)));
    let gone = world.form(Some(&cookie), "/config/callback_profile/by%20form/delete", &[]);
    assert_eq!(gone.status, 303, "{}", gone.body);
    assert_eq!(world.names("callback_profile"), ["standard", "by api"]);
}

// S1.7, S5.31: an empty or taken name, or one field outside its limits, and nothing of the form is stored; what was
// typed is still there, with the message beside its field.
#[test]
fn a_form_with_a_mistake_stores_nothing_and_keeps_what_was_typed() {
    let mut world = World::new("mistakes");
    let cookie = world.sign_in(&world.token).expect("signed in");
    let make = |fields: &[(&str, &str)]| world.form(Some(&cookie), "/config/callback_profile", fields);

    let wrong = make(&[("name", "late <b>"), ("attempts_max", "21"), ("ring_timeout_secs", "31")]);
    assert_eq!(wrong.status, 422);
    let (before, after) = wrong.body.split_once("attempts_max").expect("its field");
    assert!(!before.contains("class=\"error\"") && after.contains("its limits are 1 to 20"), "{}", wrong.body);
    assert!(wrong.body.contains("value=\"late &lt;b&gt;\"") && wrong.body.contains("value=\"31\""), "{}", wrong.body);
    assert!(make(&[("name", " "), ("attempts_max", "2")]).body.contains("say what it is called"));
    assert!(make(&[("name", "standard")]).body.contains("a name is unique"));
    let add = |fields: Value| world.api("POST", "/config/callback_profile", fields);
    add(json!({ "name": "", "attempts_max": 2 })).is_problem(422, Some("name"));
    add(json!({ "attempts_max": 2 })).is_problem(422, Some("name"));
    add(json!({ "name": "standard" })).is_problem(409, Some("name"));
    let told = add(json!({ "name": "late", "attempts_max": 21, "ring_timeout_secs": 31 }));
    assert!(told.is_problem(422, Some("attempts_max")).contains("its limits are 1 to 20"));
    add(json!({ "name": "late", "atempts_max": 2 })).is_problem(422, Some("atempts_max"));
    assert_eq!(world.names("callback_profile"), ["standard"]);

    drop(world.running.take());
    world.start();
    assert_eq!(world.names("callback_profile"), ["standard"]);
}

// S1.6: what was made by API is there after a restart, in force, and its secret is shown to nobody.
#[test]
fn what_was_made_outlives_the_process_and_secrets_are_not_shown() {
    let mut world = World::new("restart");
    let secret = "a-secret-that-nobody-sees";
    let ben = json!({ "name": "ben", "extension": "1002", "secret": secret });
    let made = world.api("POST", "/config/agent", ben);
    assert_eq!(made.status, 201, "{}", made.body);
    let again = world.api("PUT", "/config/agent/ben", json!({ "extension": "1003" }));
    assert_eq!(again.status, 200, "{}", again.body);

    drop(world.running.take());
    world.start();

    let agents = world.api("GET", "/agents", Value::Null).json();
    let extensions: Vec<&str> =
        agents["items"].as_array().unwrap().iter().map(|agent| agent["extension"].as_str().unwrap()).collect();
    assert_eq!(extensions, ["1001", "1003"]);
    let settings = world.running().editor.as_ref().unwrap().settings();
    assert_eq!(settings.agent("ben").unwrap().secret, secret, "an edit without it keeps it");
    let cookie = world.sign_in(&world.token).unwrap();
    let told = [
        world.api("GET", "/config/agent", Value::Null),
        world.api("GET", "/config/agent/ben", Value::Null),
        world.api("GET", "/site", Value::Null),
        world.api("GET", "/audit", Value::Null),
        world.page(&cookie, "/config/agent/ben"),
        made,
        again,
    ];
    for answer in told {
        assert!(!answer.body.contains(secret) && !answer.body.contains("word-of-anna"), "{}", answer.body);
    }
}

// Two people who edit one object do not undo each other's work: the second is told to look again.
#[test]
fn an_edit_of_an_old_state_is_refused() {
    let world = World::new("tags");
    world.api("POST", "/config/group", json!({ "name": "desk", "agents": ["anna"] }));
    let first = world.api("GET", "/config/group/desk", Value::Null);
    let tag = first.header("etag").expect("an ETag").to_owned();
    let put = |tag: &str, agents: Value| {
        let body = json!({ "agents": agents }).to_string();
        world.as_whom(&world.token, "PUT", "/config/group/desk", &[("If-Match", tag)], &body)
    };

    assert_eq!(
        world.api("POST", "/config/agent", json!({ "name": "ben", "extension": "1002", "secret": "x" })).status,
        201
    );
    let changed = put(&tag, json!(["anna", "ben"]));
    assert_eq!(changed.status, 200, "{}", changed.body);
    put(&tag, json!(["ben"])).is_problem(412, None);
    assert_eq!(put(changed.header("etag").unwrap(), json!(["ben"])).status, 200);
    world.as_whom(&world.token, "DELETE", "/config/group/desk", &[("If-Match", &tag)], "").is_problem(412, None);
    let in_use = world.api("DELETE", "/config/agent/ben", Value::Null).is_problem(409, None);
    assert!(in_use.contains("group/desk.agents"), "{in_use}");
    assert_eq!(world.api("DELETE", "/config/group/desk", Value::Null).status, 204);
    assert_eq!(world.api("DELETE", "/config/agent/ben", Value::Null).status, 204);
    world.api("GET", "/config/agent/ben", Value::Null).is_problem(404, None);
    let told = world.api("PUT", "/config/queue/support", json!({ "number": "5001" })).is_problem(409, None);
    assert!(told.contains("change it in the file"), "{told}");
    world.api("DELETE", "/config/queue/support", Value::Null).is_problem(409, None);
    world.api("GET", "/config/system", Value::Null).is_problem(404, None);
}

// S2.2: who did what, when and from where; also who froze the site.
#[test]
fn what_is_done_is_in_the_audit_log() {
    let mut world = World::new("audit");
    world.api("POST", "/config/group", json!({ "name": "desk", "agents": ["anna"] }));
    world.api("POST", "/config/group", json!({ "name": "desk", "agents": ["nobody"] }));
    world.as_whom(BOSS, "POST", "/agents/anna/pause", &[], "");
    world.api("POST", "/system/freeze", Value::Null);

    drop(world.running.take());
    world.start();
    let log = world.api("GET", "/audit", Value::Null).json();

    let entries: Vec<(&str, &str, &str)> = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            let text = |name: &str| entry[name].as_str().unwrap_or("");
            assert!(!text("at").is_empty() && text("from") == "127.0.0.1", "{entry}");
            (text("who"), text("what"), text("object"))
        })
        .collect();
    assert_eq!(
        entries,
        [
            ("admin", "POST /api/v1/system/freeze", ""),
            ("boss", "POST /api/v1/agents/anna/pause", ""),
            ("admin", "put", "group/desk"),
        ]
    );
}

// S5.31: a file is applied as a whole, or not at all with every mistake told; a dry run only tells.
#[test]
fn a_file_is_applied_as_a_whole() {
    let world = World::new("apply");
    let more = format!("{FILE}\n[[queue]]\nname = \"sales\"\nnumber = \"5001\"\n")
        .replace("\"anna\"\nextension", "\"anna\"\nmax_calls = 2\nextension");

    let dry = world.apply("?dry_run=true", &more).json();
    assert_eq!(dry["added"], json!(["queue/sales"]));
    assert_eq!(dry["changed"], json!({ "agent/anna": ["max_calls"] }));
    assert_eq!(world.names("queue"), ["support"]);
    let wrong = world.apply("", &more.replace("5001", "5000"));
    assert_eq!(wrong.status, 422);
    let problem = wrong.json()["problems"][0].clone();
    assert!(
        problem["line"].as_u64().unwrap() > 40 && problem["message"].as_str().unwrap().contains("5000"),
        "{problem}"
    );
    assert_eq!(world.names("queue"), ["support"]);

    assert_eq!(world.apply("", &more).status, 200);
    assert_eq!(world.names("queue"), ["support", "sales"]);
    let queues = world.api("GET", "/queues", Value::Null).json();
    assert_eq!(queues["items"].as_array().unwrap().len(), 2, "in force");
    let export = world.api("GET", "/site", Value::Null).body;
    assert!(export.contains("[[queue]]\nname = \"sales\"\nnumber = \"5001\""), "{export}");
    assert_eq!(world.apply("", FILE).json()["removed"], json!(["queue/sales"]));
}

// S5.31: a file that has become wrong changes nothing; mended, it is taken.
#[test]
fn the_file_is_read_again_when_it_is_right() {
    let world = World::new("reload");
    let file = world.data.join("site.toml");
    let editor = world.running().editor.clone().expect("it can be edited");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let done = || Done { who: "signal".to_owned(), what: "reload".to_owned(), ..Done::default() };

    std::fs::write(&file, FILE.replace("5000", "50")).unwrap();
    let refused = runtime.block_on(editor.reload(done()));
    let Err(NotEdited::Wrong(problems)) = refused else { panic!("{refused:?}") };
    assert_eq!((problems[0].line, problems[0].column), (16, 10));
    std::fs::write(&file, FILE.replace("5000", "5009")).unwrap();
    let edited = runtime.block_on(editor.reload(done())).unwrap();

    assert_eq!(edited.changed["queue/support"], ["number"]);
    assert_eq!(editor.settings().queue("support").map(|queue| queue.number.to_string()), Some("5009".to_owned()));
}

/// What a command of the command line says, and with which code it ends.
fn command(world: &World, args: &[&str]) -> (i32, String) {
    let out = std::process::Command::new(env!("CARGO_BIN_EXE_ringback"))
        .args(args)
        .args(["--data".as_ref(), world.data.join("data").as_os_str()])
        .args(["--server", &format!("http://{}", world.running().http)])
        .output()
        .unwrap();
    (out.status.code().unwrap(), String::from_utf8(out.stdout).unwrap() + &String::from_utf8(out.stderr).unwrap())
}

// `diff` tells, `apply` does, `export` shows; a file that is wrong is told with its lines, and changes nothing.
#[test]
fn the_command_line_applies_a_file() {
    let world = World::new("commands");
    let file = world.data.join("next.toml");
    let path = file.to_str().unwrap();
    std::fs::write(&file, FILE.replace("5000", "5009")).unwrap();

    let (code, told) = command(&world, &["diff", path]);
    assert_eq!((code, told.as_str()), (0, "~ queue/support: number\n(nothing was changed)\n"));
    assert!(command(&world, &["export"]).1.contains("number = \"5000\""));
    let (code, told) = command(&world, &["apply", path]);
    assert!(code == 0 && told.starts_with("~ queue/support: number\nwarning: it holds until the next start"), "{told}");
    assert!(command(&world, &["export"]).1.contains("number = \"5009\""));
    std::fs::write(&file, FILE.replace("5000", "50")).unwrap();
    let (code, told) = command(&world, &["apply", path]);
    assert!(code == 3 && told.starts_with(&format!("{path}:16:10: queue.number")), "{code} {told}");
    assert!(command(&world, &["export"]).1.contains("number = \"5009\""));
}

/// Asks again and again until it is so.
fn until(what: &str, mut so: impl FnMut() -> bool) {
    let since = std::time::Instant::now();
    while !so() {
        assert!(since.elapsed() < Duration::from_secs(20), "{what} did not come");
        std::thread::sleep(Duration::from_millis(50));
    }
}

// SIGHUP reads the file again; a wrong one leaves the site as it is.
#[test]
fn a_signal_reads_the_file_again() {
    let mut world = World::new("signal");
    drop(world.running.take());
    let file = world.data.join("site.toml");
    let data = world.data.join("data");
    let mut server = std::process::Command::new(env!("CARGO_BIN_EXE_ringback"))
        .args(["serve".as_ref(), "--config".as_ref(), file.as_os_str(), "--data".as_ref(), data.as_os_str()])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let export = || {
        let out = std::process::Command::new(env!("CARGO_BIN_EXE_ringback"))
            .args(["export".as_ref(), "--data".as_ref(), data.as_os_str()])
            .output()
            .unwrap();
        String::from_utf8(out.stdout).unwrap()
    };
    let hang_up = || {
        let id = rustix::process::Pid::from_raw(i32::try_from(server.id()).unwrap()).unwrap();
        rustix::process::kill_process(id, rustix::process::Signal::HUP).unwrap();
    };
    until("the site", || export().contains("number = \"5000\""));

    std::fs::write(&file, FILE.replace("5000", "5009")).unwrap();
    hang_up();
    until("the new number", || export().contains("number = \"5009\""));
    std::fs::write(&file, FILE.replace("5000", "50")).unwrap();
    hang_up();
    std::thread::sleep(Duration::from_millis(500));
    assert!(export().contains("number = \"5009\""));

    server.kill().unwrap();
    server.wait().unwrap();
}

// Pages are for those who have signed in, take forms of their own only, and run no script.
#[test]
fn pages_keep_strangers_out() {
    let world = World::new("pages");
    let nobody = world.send("GET", "/", &[], "");
    assert_eq!((nobody.status, nobody.header("location")), (303, Some("/login")));
    assert!(world.form(None, "/login", &[("token", "guess")]).body.contains("is not known"));
    let cookie = world.sign_in(&world.token).expect("signed in");
    let live = world.page(&cookie, "/");
    assert_eq!(live.status, 200);
    for told in ["support", "anna", "Nobody is promised a call."] {
        assert!(live.body.contains(told), "{}", live.body);
    }
    let policy = live.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'self'") && policy.contains("frame-ancestors 'none'"));
    assert!(!live.body.contains("<script") && !live.body.contains("style="));
    assert_eq!(world.send("GET", "/style.css", &[], "").header("content-type"), Some("text/css; charset=utf-8"));

    let kind = ("Content-Type", "application/x-www-form-urlencoded");
    for headers in [vec![kind, ("Cookie", &cookie)], vec![kind, ("Cookie", &cookie), ("Origin", "http://evil.example")]]
    {
        assert_eq!(world.send("POST", "/config/group", &headers, "name=desk&agents=anna").status, 403);
    }
    assert!(world.names("group").is_empty());
    assert_eq!(world.send("GET", "/api/v1/queues", &[("Cookie", &cookie)], "").status, 401, "the API takes no cookie");
    let out = world.form(Some(&cookie), "/logout", &[]);
    assert!(out.header("set-cookie").is_some_and(|cookie| cookie.contains("Max-Age=0")));
    assert_eq!(world.page(&cookie, "/").status, 303);
}
