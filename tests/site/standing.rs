//! How store and disk stand, as people and programs are told: a disk that fills, a store that was damaged.

use crate::World;
use ringback::config;
use ringback::run::clock::Clock;
use ringback::run::space::Room;
use ringback::run::{Parts, Source, start_on};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const GIB: u64 = 1 << 30;

/// A disk of 100 GiB, of which so many are free.
pub struct Disk(Arc<AtomicU64>);

impl Disk {
    pub fn has(&self, gib: u64) {
        self.0.store(gib * GIB, Ordering::Relaxed);
    }
}

pub fn on_a_disk(name: &str, file: &str, gib: u64) -> (World, Disk) {
    let mut world = World::asleep(name, file);
    let free = Arc::new(AtomicU64::new(gib * GIB));
    let disk = Disk(free.clone());
    let path = world.data.join("site.toml");
    let config = config::load(&path).unwrap_or_else(|wrong| panic!("{wrong}"));
    let source = Some(Source { text: std::fs::read_to_string(&path).unwrap(), file: Some(path) });
    let parts = Parts { settings: config.settings, shell: config.shell, data: world.data.join("data"), source };
    let measure = move |_: &std::path::Path| Some(Room { free: free.load(Ordering::Relaxed), whole: 100 * GIB });
    let running = start_on(parts, Clock::new(), Arc::new(measure)).unwrap_or_else(|error| panic!("{error}"));
    world.token.clone_from(&running.token);
    world.running = Some(running);
    (world, disk)
}

impl World {
    fn status(&self) -> Value {
        self.api("GET", "/status", Value::Null).json()
    }

    /// Asks until the status is so: within 10 s, as durability.md (P13) has it.
    pub fn until(&self, what: &str, so: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let status = self.status();
            if so(&status) {
                return status;
            }
            assert!(begun.elapsed() < Duration::from_secs(10), "waited in vain until {what}: {status:#}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn metric(&self, name: &str) -> f64 {
        let text = self.send("GET", "/metrics", &[], "").body;
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
    }

    fn first_page(&self) -> String {
        let cookie = self.sign_in(&self.token).expect("signed in");
        self.page(&cookie, "/").body
    }

    fn promise(&self, number: &str) -> u16 {
        self.api("POST", "/callbacks", json!({ "number": number, "profile": "standard" })).status
    }
}

// P13 with a real store and a measured disk: what each level means to whoever asks, and that all comes back.
#[test]
fn a_disk_that_fills_is_told_everywhere_and_stops_promises_last() {
    let (world, disk) = on_a_disk("full", crate::FILE, 50);
    let ample = world.until("the disk was looked at", |status| status["disk"]["free_bytes"] == 50 * GIB);
    assert_eq!((&ample["ready"], &ample["space"], &ample["warnings"]), (&json!(true), &json!("ample"), &json!([])));
    assert_eq!(
        (world.metric("ringback_disk_free_bytes"), world.metric("ringback_disk_level")),
        (5e10 * 1.073741824, 0.0)
    );
    assert_eq!(world.send("GET", "/readyz", &[], "").status, 200);
    assert!(!world.first_page().contains("role=\"alert\""));

    for (gib, level, number, says) in [
        (9, "low", 1, "Less than 10 %"),
        (4, "scarce", 2, "calls are not recorded"),
        (1, "spent", 3, "no promise is made"),
    ] {
        disk.has(gib);
        let status = world.until(level, |status| status["space"] == level && status["disk"]["space"] == level);
        let warning = status["warnings"][0].as_str().expect("a warning").to_owned();
        assert!(warning.contains(says) && warning.contains("Make room"), "{warning}");
        assert_eq!(world.metric("ringback_disk_level"), f64::from(number));
        assert!(world.first_page().contains(says));
        let ready = world.send("GET", "/readyz", &[], "");
        assert_eq!(ready.status, if level == "spent" { 503 } else { 200 }, "{level}");
        assert_eq!(ready.json()["warnings"][0], *warning, "{level}");
        assert_eq!(world.promise("1001"), if level == "spent" { 503 } else { 201 }, "{level}");
    }
    let ready = world.send("GET", "/readyz", &[], "");
    assert_eq!(ready.header("content-type"), Some("application/problem+json"));
    assert_eq!(ready.is_problem(503, None), "the disk is nearly full: no promise is made");
    assert_eq!((&ready.json()["ready"], &ready.json()["status"]), (&json!(false), &json!(503)));

    disk.has(50);
    let status = world.until("there is room again", |status| status["space"] == "ample");
    assert_eq!((&status["ready"], &status["warnings"]), (&json!(true), &json!([])));
    assert_eq!(world.send("GET", "/readyz", &[], "").status, 200);
    assert_eq!(world.promise("1001"), 201);
}

// durability.md §2.12: 64 MiB that are really there, made as soon as there is room for it and no sooner.
#[test]
fn ballast_is_made_when_there_is_room_for_it() {
    use std::os::unix::fs::MetadataExt;
    let (world, disk) = on_a_disk("ballast", crate::FILE, 4);
    let file = world.data.join("data/store/ballast");
    world.until("the disk was looked at", |status| status["space"] == "scarce");
    assert!(!file.exists());
    assert_eq!(world.metric("ringback_disk_ballast"), 0.0);

    disk.has(50);
    world.until("there is ballast", |status| status["disk"]["ballast"] == true);

    let made = file.metadata().unwrap();
    assert_eq!(made.len(), 64 << 20);
    assert!(made.blocks() * 512 >= 64 << 20, "{} blocks", made.blocks());
    assert_eq!(world.metric("ringback_disk_ballast"), 1.0);
}

// What the start found wrong is told for as long as the process lives; nobody is kept from being served by it.
#[test]
fn damage_that_was_found_is_told_and_the_switch_is_ready() {
    let mut world = World::asleep("damage", crate::FILE);
    world.start();
    let before = world.status();
    assert_eq!((&before["store"]["well"], &before["store"]["found_at"]), (&json!(true), &Value::Null));
    assert_eq!(world.promise("1001"), 201);
    world.running.take().expect("it runs").stop();
    // The side file says that three more commits had been acknowledged.
    let side = world.data.join("data/store/revision");
    let octets = std::fs::read(&side).unwrap();
    let number = u64::from_le_bytes(octets[..8].try_into().unwrap()) + 3;
    let sum = crc32c::crc32c(&number.to_le_bytes());
    std::fs::write(&side, [&number.to_le_bytes()[..], &sum.to_le_bytes()].concat()).unwrap();

    world.start();

    let status = world.status();
    assert_eq!((&status["ready"], &status["store"]["well"]), (&json!(true), &json!(false)));
    assert_eq!(status["store"]["damage"], json!(["the disk has lost 3 commits that it had acknowledged"]));
    assert!(status["store"]["found_at"].is_string());
    let warning = status["warnings"][0].as_str().expect("a warning");
    assert!(warning.contains("lost 3 commits") && warning.contains("ringback store verify"), "{warning}");
    let ready = world.send("GET", "/readyz", &[], "");
    assert_eq!((ready.status, &ready.json()["warnings"][0]), (200, &json!(warning)));
    assert_eq!(world.metric("ringback_store_well"), 0.0);
    assert!(world.first_page().contains("Not all is well with the store"));
}

// How old checkpoint and backup are.
#[test]
fn a_backup_and_a_checkpoint_have_an_age() {
    let world = World::new("ages");
    let fresh =
        world.until("the checkpoint of a new store is seen", |status| status["store"]["checkpoint_at"].is_string());
    assert_eq!(fresh["store"]["backup_at"], Value::Null);

    assert_eq!(world.api("POST", "/store/backup", Value::Null).status, 200);

    let status = world.until("the backup is seen", |status| status["store"]["backup_at"].is_string());
    let at: chrono::DateTime<chrono::Utc> = status["store"]["backup_at"].as_str().unwrap().parse().unwrap();
    let age = chrono::Utc::now().signed_duration_since(at).num_seconds();
    assert!((-1..60).contains(&age), "{at}");
    assert_eq!(world.metric("ringback_store_backup_timestamp_seconds"), at.timestamp() as f64);
}

// P13: nothing is written while the disk refuses, which is told; and it mends by itself, with nobody committing.
#[test]
fn a_store_that_could_not_write_is_told_and_mends_without_a_commit() {
    let world = World::new("mends");
    // The first commit begins the first segment, in a folder that has turned into a file.
    let (journal, aside) = (world.data.join("data/store/journal"), world.data.join("data/store/aside"));
    std::fs::rename(&journal, &aside).unwrap();
    std::fs::write(&journal, "").unwrap();

    assert_eq!(world.promise("1001"), 503);
    let status = world.status();
    assert_eq!((&status["store_ok"], &status["store"]["failing"]), (&json!(false), &json!(true)));
    assert!(status["store"]["failed_at"].is_string() && status["store"]["failure"].is_string());
    let ready = world.send("GET", "/readyz", &[], "");
    assert_eq!(ready.is_problem(503, None), "the store cannot be written: no promise is made");
    assert_eq!(world.metric("ringback_store_failing"), 1.0);
    std::fs::remove_file(&journal).unwrap();
    std::fs::rename(&aside, &journal).unwrap();

    let status = world.until("it works again", |status| status["store"]["failing"] == false);
    assert!(status["store"]["mended_at"].is_string());
    assert_eq!((&status["store_ok"], &status["ready"]), (&json!(true), &json!(true)));
    assert_eq!(world.send("GET", "/readyz", &[], "").status, 200);
    assert_eq!(world.promise("1001"), 201);
}

// What goes wrong beside the commits loses nothing and is told for as long as it is so.
#[test]
fn a_checkpoint_that_cannot_be_written_and_an_erasure_that_is_not_finished_are_told() {
    let mut world = World::asleep("troubles", crate::FILE);
    world.start();
    let data = world.data.join("data");
    let in_the_way = |n| data.join(format!("store/journal/{n:020}.tmp"));
    (0..200).for_each(|n| std::fs::create_dir(in_the_way(n)).unwrap());

    let erased = world.api("POST", "/people/erase", json!({ "number": "+12025550123", "confirm": true }));

    assert_eq!(erased.status, 500, "{}", erased.body);
    let status = world.status();
    let warning = status["warnings"][0].as_str().expect("a warning");
    assert!(warning.contains("No checkpoint could be written since 20"), "{warning}");
    assert_eq!((&status["ready"], &status["store"]["well"]), (&json!(true), &json!(true)));
    world.running.take().expect("it runs").stop();
    (0..200).for_each(|n| std::fs::remove_dir(in_the_way(n)).unwrap());
    let no_folder = data.join("store.before-restore-2");
    std::fs::write(&no_folder, "").unwrap();

    world.start();
    let status = world.status();
    let warning = status["warnings"][0].as_str().expect("a warning");
    assert!(warning.contains("erased are still on the disk") && warning.contains("and restart"), "{warning}");
    world.running.take().expect("it runs").stop();
    std::fs::remove_file(no_folder).unwrap();

    world.start();
    assert_eq!(world.status()["warnings"], json!([]));
}
