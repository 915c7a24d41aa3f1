//! The do-not-call list and the callbacks that people decide on: by API, on the pages and on the command line.

use crate::{BOSS, FILE, LOOKER, World, command};
use ringback::callback::task::{Source, Task, TaskState};
use ringback::id::{CommitRef, TaskId};
use ringback::number::Party;
use ringback::store::{Limits, Opened};
use ringback::switch::Change;
use serde_json::{Value, json};
use std::sync::mpsc;
use std::time::Duration;

const ALICE: &str = "+12025550123";
const BOB: &str = "+12025550124";

/// A switch with a country, before whose start these callbacks were promised.
fn world(name: &str, promised: &[(&str, TaskState)]) -> World {
    let file = format!("{FILE}\n[system]\ndefault_country = \"US\"\n");
    let mut world = World::asleep(name, &file);
    let (answer, answered) = mpsc::channel();
    let opened = Opened::open(&world.data.join("data"), Limits::default()).unwrap();
    let store = opened.start(move |_, result| answer.send(result.is_ok()).unwrap());
    let changes = (1..).zip(promised).map(|(at, (number, state))| {
        let number = Party::from((*number).to_owned());
        let id = TaskId(ulid::Ulid::from_parts(at, 0));
        let mut task = Task::new(id, Source::Api, "standard".into(), "support".into(), number, chrono::Utc::now());
        task.state = *state;
        Change::PutTask(Box::new(task))
    });
    store.commit(CommitRef(1), changes.collect()).unwrap();
    assert!(answered.recv_timeout(Duration::from_secs(20)).unwrap());
    drop(store);
    world.start();
    world
}

impl World {
    fn states(&self) -> Vec<(String, String)> {
        let list = self.api("GET", "/callbacks", Value::Null).json();
        let text = |item: &Value, name: &str| item[name].as_str().unwrap().to_owned();
        list["items"].as_array().unwrap().iter().map(|item| (text(item, "number"), text(item, "state"))).collect()
    }

    fn last_deed(&self) -> Value {
        self.api("GET", "/audit", Value::Null).json()["items"][0].clone()
    }
}

// S4.5: who is on the list, since when, by whom and why; put there by a supervisor, lifted by an administrator, both
// noted; open callbacks of the number are cancelled.
#[test]
fn the_list_is_kept_by_api() {
    let world = world("never-api", &[(ALICE, TaskState::Blocked), (BOB, TaskState::Blocked)]);
    let as_boss = |method: &str, path: &str, body: Value| world.as_whom(BOSS, method, path, &[], &body.to_string());

    let added = as_boss("POST", "/do-not-call", json!({ "number": "(202) 555-0123", "note": "wrote to us" }));
    assert_eq!((added.status, added.header("location")), (201, Some("/api/v1/do-not-call/+12025550123")));
    let entry = world.api("GET", "/do-not-call", Value::Null).json()["items"][0].clone();
    assert_eq!(entry, added.json());
    assert_eq!((&entry["who"], &entry["note"], &entry["task"]), (&json!("boss"), &json!("wrote to us"), &Value::Null));
    assert_eq!(world.states()[0], (ALICE.to_owned(), "cancelled".to_owned()));
    assert_ne!(world.states()[1].1, "cancelled");
    let deed = world.last_deed();
    assert_eq!((&deed["who"], &deed["what"]), (&json!("boss"), &json!("never call")));
    assert_eq!((&deed["object"], &deed["detail"]), (&json!("do_not_call/+12025550123"), &json!("wrote to us")));

    as_boss("POST", "/do-not-call", json!({ "number": ALICE })).is_problem(409, None);
    as_boss("POST", "/do-not-call", json!({ "number": "12" })).is_problem(422, Some("number"));
    as_boss("POST", "/do-not-call", json!({})).is_problem(422, Some("number"));
    as_boss("POST", "/do-not-call", json!({ "number": BOB, "why": "" })).is_problem(422, Some("why"));
    world.api("POST", "/callbacks", json!({ "number": ALICE, "profile": "standard" })).is_problem(422, Some("number"));
    as_boss("DELETE", "/do-not-call/+12025550123", json!({ "note": "asked us to" })).is_problem(403, None);
    let lift = |number: &str, body: Value| world.api("DELETE", &format!("/do-not-call/{number}"), body);
    lift(ALICE, Value::Null).is_problem(422, Some("note"));
    lift(BOB, json!({ "note": "asked us to" })).is_problem(404, None);
    assert_eq!(lift("%2B12025550123", json!({ "note": "asked us to" })).status, 204);
    assert_eq!(world.api("GET", "/do-not-call", Value::Null).json(), json!({ "items": [], "next": null }));
    let deed = world.last_deed();
    assert_eq!(
        (&deed["who"], &deed["what"], &deed["detail"]),
        (&json!("admin"), &json!("may call"), &json!("asked us to"))
    );
    let again = world.api("POST", "/callbacks", json!({ "number": ALICE, "profile": "standard" }));
    assert_eq!(again.status, 201, "{}", again.body);
}

#[test]
fn the_list_is_kept_on_its_page() {
    let world = world("never-page", &[]);
    let boss = world.sign_in(BOSS).expect("signed in");
    let page = |cookie: &str| world.page(cookie, "/do-not-call").body;
    assert!(page(&boss).contains("Every number may be called."));

    let wrong = world.form(Some(&boss), "/do-not-call", &[("number", "12<b>"), ("note", "x\"y")]);
    assert_eq!(wrong.status, 422);
    assert!(wrong.body.contains("role=\"alert\"") && wrong.body.contains("value=\"12&lt;b&gt;\""), "{}", wrong.body);
    let fields = [("number", "202 555 0123"), ("note", "says <script>")];
    assert_eq!(world.form(Some(&boss), "/do-not-call", &fields).status, 303);
    let shown = page(&boss);
    assert!(shown.contains("+12025550123") && shown.contains("says &lt;script&gt;"), "{shown}");
    assert!(!shown.contains("May be called"), "only an administrator lifts");
    let lift = "/do-not-call/%2B12025550123/lift";
    assert_eq!(world.form(Some(&boss), lift, &[("note", "why not")]).status, 403);
    let looker = world.sign_in(LOOKER).expect("signed in");
    assert!(!page(&looker).contains("<button>Never call"));
    assert_eq!(world.form(Some(&looker), "/do-not-call", &[("number", BOB)]).status, 403);

    let admin = world.sign_in(&world.token).expect("signed in");
    assert!(page(&admin).contains(lift));
    assert_eq!(world.form(Some(&admin), lift, &[("note", " ")]).status, 422);
    assert!(page(&admin).contains("+12025550123"));
    assert_eq!(world.form(Some(&admin), lift, &[("note", "asked us to")]).status, 303);
    assert!(page(&admin).contains("Every number may be called."));
    assert_eq!(world.last_deed()["detail"], "asked us to");
}

#[test]
fn the_list_is_kept_on_the_command_line() {
    let world = world("never-line", &[]);

    let told = command(&world, &["do-not-call", "add", "(202) 555-0123", "--note", "wrote to us"]);
    assert_eq!(told, (0, "+12025550123 is never called again\n".to_owned()));
    let (code, list) = command(&world, &["do-not-call", "list"]);
    assert!(code == 0 && list.contains("+12025550123") && list.contains("admin    wrote to us"), "{list}");
    let (code, told) = command(&world, &["do-not-call", "add", "12"]);
    assert!(code == 1 && told.lines().count() == 1, "{code} {told}");
    let told = command(&world, &["do-not-call", "lift", ALICE, "--note", "asked us to"]);
    assert_eq!(told, (0, "+12025550123 may be called again\n".to_owned()));
    assert_eq!(command(&world, &["do-not-call", "list"]), (0, "every number may be called\n".to_owned()));
}

const HEAD: &str = "id,number,queue,agent,source,rule,profile,state,requested_at,next_at,tried,last_outcome,held_by,\
                    closed_at,close_reason";

// S4.B2: waiting callbacks are exported as CSV, or exported and removed: what the sheet holds is cancelled, and nothing
// else is.
#[test]
fn callbacks_are_exported_and_removed() {
    let left = TaskState::Overflow;
    let world = world("csv", &[(ALICE, left), (BOB, left), ("+12025550125", TaskState::Blocked)]);
    let as_boss = |method: &str, query: &str| world.as_whom(BOSS, method, &format!("/callbacks.csv{query}"), &[], "");

    let all = as_boss("GET", "");
    let kind = all.header("content-type").unwrap();
    assert!(kind.starts_with("text/csv") && all.header("content-disposition").unwrap().contains("callbacks.csv"));
    let lines: Vec<&str> = all.body.split("\r\n").collect();
    assert_eq!((lines[0], lines.len(), lines[4]), (HEAD, 5, ""));
    assert!(lines[1].contains(",'+12025550123,support,,api,,standard,overflow,"), "{}", lines[1]);
    assert_eq!(as_boss("GET", "?state=overflow&queue=support").body.lines().count(), 3);
    assert_eq!(as_boss("GET", "?state=due").body.lines().count(), 1);
    assert_eq!(world.states().iter().filter(|(_, state)| state == "overflow").count(), 2, "an export removes nothing");

    as_boss("POST", "").is_problem(400, Some("state"));
    as_boss("POST", "?state=completed").is_problem(400, Some("state"));
    as_boss("GET", "?state=gone").is_problem(400, Some("state"));
    as_boss("GET", "?limit=5").is_problem(400, Some("limit"));
    let removed = as_boss("POST", "?state=overflow");
    let lines: Vec<&str> = removed.body.lines().collect();
    assert_eq!(lines.len(), 3, "{}", removed.body);
    for (line, number) in lines[1..].iter().zip([ALICE, BOB]) {
        assert!(line.contains(number) && line.contains(",cancelled,") && line.ends_with(",by_admin"), "{line}");
    }
    let states: Vec<String> = world.states().into_iter().map(|(_, state)| state).collect();
    assert_eq!(&states[..2], ["cancelled", "cancelled"]);
    assert_ne!(states[2], "cancelled");
    assert_eq!(world.last_deed()["what"], "POST /api/v1/callbacks.csv");
    assert_eq!(as_boss("POST", "?state=overflow").body.lines().count(), 1);
}

// The first page tells to whom a call is promised, whoever was called before; and whether there are more of them.
#[test]
fn the_first_page_shows_open_callbacks_behind_any_number_of_closed_ones() {
    let numbers: Vec<String> = (100..201).map(|n| format!("+1202555{n:04}")).collect();
    let called = "+12025559999";
    let closed = (0..100).map(|_| (called, TaskState::Completed));
    let open = numbers.iter().map(|number| (number.as_str(), TaskState::Overflow));
    let world = world("first-page", &closed.chain(open).collect::<Vec<_>>());
    let cookie = world.sign_in(LOOKER).expect("signed in");
    let page = || world.page(&cookie, "/").body;

    let shown = page();
    assert!(shown.contains(&numbers[0]) && shown.contains(&numbers[99]) && !shown.contains(called), "{shown}");
    assert!(!shown.contains(&numbers[100]) && shown.contains("These are the first 100"), "{shown}");
    let id = ulid::Ulid::from_parts(101, 0);
    assert_eq!(world.as_whom(BOSS, "POST", &format!("/callbacks/{id}/cancel"), &[], "").status, 200);
    let shown = page();
    assert!(!shown.contains(&numbers[0]) && shown.contains(&numbers[100]), "{shown}");
    assert!(!shown.contains("These are the first"), "{shown}");
}

// Whoever walks the pages meets each callback once, in order, be it open or closed.
#[test]
fn pages_of_open_and_closed_callbacks_are_walked_to_their_end() {
    let (open, closed) = (TaskState::Overflow, TaskState::Completed);
    let mixed = [closed, open, open, closed, closed, closed, open, closed, open];
    let numbers: Vec<String> = (101..=109).map(|n| format!("+12025550{n}")).collect();
    let world = world("pages", &numbers.iter().map(String::as_str).zip(mixed).collect::<Vec<_>>());
    let walk = |query: &str| {
        let (mut met, mut after) = (Vec::new(), String::new());
        loop {
            let page = world.api("GET", &format!("/callbacks?limit=2{query}{after}"), Value::Null).json();
            let items = page["items"].as_array().unwrap();
            met.extend(items.iter().map(|item| item["number"].as_str().unwrap()[9..].parse::<usize>().unwrap()));
            let Some(next) = page["next"].as_str() else { return met };
            assert_eq!((items.len(), &items[1]["id"]), (2, &json!(next)));
            after = format!("&after={next}");
        }
    };

    assert_eq!(walk(""), [101, 102, 103, 104, 105, 106, 107, 108, 109]);
    assert_eq!(walk("&state=overflow"), [102, 103, 107, 109]);
    assert_eq!(walk("&state=completed"), [101, 104, 105, 106, 108]);
    assert_eq!(walk("&state=due"), [0; 0]);
    // A cursor may be any text, and is compared as such.
    let ids = |after: &str| {
        let page = world.api("GET", &format!("/callbacks?after={after}"), Value::Null).json();
        page["items"].as_array().unwrap().len()
    };
    let fifth = ulid::Ulid::from_parts(5, 0).to_string();
    assert_eq!([ids("0"), ids(&fifth), ids(&fifth[..25]), ids(&format!("{fifth}0")), ids("z")], [9, 4, 5, 4, 0]);
}

// S4.B2, S4.B3: what was left over at the end of the day is kept, removed, exported, or exported and removed on its
// page.
#[test]
fn what_is_left_over_is_decided_on_its_page() {
    let left = TaskState::Overflow;
    let world = world("overflow", &[(ALICE, left), (BOB, left), ("+12025550125", left), ("+12025550126", left)]);
    let looker = world.sign_in(LOOKER).expect("signed in");
    let shown = world.page(&looker, "/overflow").body;
    assert!(shown.contains(BOB) && !shown.contains("<button>Keep"), "{shown}");
    assert_eq!(world.form(Some(&looker), "/overflow.csv", &[]).status, 403);
    let boss = world.sign_in(BOSS).expect("signed in");
    let shown = world.page(&boss, "/overflow").body;
    assert!(shown.contains("href=\"/overflow.csv\"") && shown.contains(">Keep</button>"), "{shown}");

    let id = |at: u64| ulid::Ulid::from_parts(at, 0);
    assert_eq!(world.form(Some(&boss), &format!("/overflow/{}/keep", id(1)), &[]).status, 303);
    assert_eq!(world.form(Some(&boss), &format!("/overflow/{}/remove", id(2)), &[]).status, 303);
    assert_eq!(world.last_deed()["what"], format!("POST /overflow/{}/remove", id(2)));
    let again = world.form(Some(&boss), &format!("/overflow/{}/keep", id(2)), &[]);
    assert!(matches!(again.status, 404 | 409), "{}", again.body);
    assert_eq!(world.page(&boss, "/overflow.csv").body.lines().count(), 3);
    let sheet = world.form(Some(&boss), "/overflow.csv", &[]);
    assert_eq!((sheet.status, sheet.body.lines().count()), (200, 3), "{}", sheet.body);

    let states: Vec<String> = world.states().into_iter().map(|(_, state)| state).collect();
    assert_eq!(&states[1..], ["cancelled", "cancelled", "cancelled"]);
    assert!(!["cancelled", "overflow"].contains(&&*states[0]), "{states:?}");
    assert!(world.page(&boss, "/overflow").body.contains("Nothing is left over."));
}

#[test]
fn callbacks_are_exported_and_put_off_on_the_command_line() {
    let world = world("export-line", &[(ALICE, TaskState::Overflow), (BOB, TaskState::Blocked)]);
    let file = world.data.join("left.csv");
    let path = file.to_str().unwrap();

    let (code, sheet) = command(&world, &["callback", "export"]);
    assert!(code == 0 && sheet.starts_with(HEAD) && sheet.lines().count() == 3, "{sheet}");
    let nowhere = world.data.join("nowhere/left.csv");
    let (code, told) =
        command(&world, &["callback", "export", "--state", "overflow", "--remove", "-o", nowhere.to_str().unwrap()]);
    assert!(code == 1 && told.contains("choose another place with -o"), "{code} {told}");
    assert_eq!(world.states()[0].1, "overflow", "nothing is removed that cannot be written down");
    let (code, told) = command(&world, &["callback", "export", "--state", "overflow", "--remove", "-o", path]);
    assert!(code == 0 && told.contains("left.csv ("), "{told}");
    assert!(std::fs::read_to_string(&file).unwrap().contains(",cancelled,"));
    assert_eq!(world.states()[0].1, "cancelled");

    let id = ulid::Ulid::from_parts(2, 0).to_string();
    let until = ["callback", "postpone", &id, "--until", "2099-01-01T00:00:00Z"];
    let (code, told) = command(&world, &until);
    assert!(code == 1 && told.contains("within 366 days"), "{code} {told}");
    let (code, told) = command(&world, &["callback", "postpone", &id, "--by", "2h", "--json"]);
    let task: Value = serde_json::from_str(&told).unwrap_or_else(|_| panic!("{code} {told}"));
    let at: chrono::DateTime<chrono::Utc> = task["not_before"].as_str().unwrap().parse().unwrap();
    let ahead = at.signed_duration_since(chrono::Utc::now()).num_seconds();
    assert!((7_180..=7_200).contains(&ahead), "{ahead}");
    world
        .api("POST", &format!("/callbacks/{id}/postpone"), json!({ "not_before": "soon" }))
        .is_problem(422, Some("not_before"));
    world.api("POST", &format!("/callbacks/{id}/postpone"), json!({})).is_problem(422, Some("not_before"));
}
