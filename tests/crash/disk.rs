//! A disk that fails for a while, is full, or takes its time: calls go on, nothing is promised that is not stored, and
//! afterwards all is as it was.

use crate::asker;
use crate::calls::lived_in;
use crate::folder;
use crate::people::People;
use crate::process::{BOUND, Switch};
use crate::trace;
use crate::world::{AGENTS, World};
use chrono::Utc;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Far above what a busy machine makes of 20 ms, and far below what the disk is made to take.
const SILENCE: Duration = Duration::from_millis(1_200);

/// So long the disk stands at each sync.
const STANDS: Duration = Duration::from_secs(2);

fn under(world: &World, before: &[String]) -> Switch {
    let words: Vec<&str> = before.iter().map(String::as_str).collect();
    world.ledger().born = Utc::now();
    world.start(&words).unwrap_or_else(|| panic!("{words:?}: {}", world.log()))
}

/// Waits until something holds.
fn until(world: &World, what: &str, limit: Duration, mut holds: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < limit, "waited {limit:?} in vain: {what}\n{}", world.log());
        std::thread::sleep(Duration::from_millis(10));
    }
    begun.elapsed()
}

/// Every agent talks to a caller.
fn everybody_talks(world: &World, people: &People) {
    people.register();
    (0..AGENTS).for_each(|_| people.chat());
    people.listen();
    let ends = 2 * usize::from(AGENTS);
    until(world, "every agent talks to a caller, and each hears the other", BOUND, || {
        let line = world.ledger().line;
        line.calls == usize::from(AGENTS) && line.ends == ends
    });
    people.listen();
}

/// Nobody has hung up, and at no end was there a gap.
fn assert_talks_went_on(world: &World, since: Instant, what: &str) {
    let line = world.ledger().line;
    println!("{what}: {line:?} in {:.1} s", since.elapsed().as_secs_f64());
    assert_eq!(line.calls, usize::from(AGENTS), "{what}: a call has ended");
    assert!(line.longest_gap < SILENCE, "{what}: somebody heard nothing for {:?}", line.longest_gap);
    let due = since.elapsed().as_secs_f64() * 50.0 * line.ends as f64;
    assert!(line.packets as f64 > 0.8 * due, "{what}: {} packets of {due:.0} came", line.packets);
}

/// The last life is killed, and the next one has everything.
fn die_and_check(world: &World, switch: Switch, what: &str) {
    switch.kill();
    world.ledger().kills += 1;
    world.ledger().born = Utc::now();
    world.check_and_verify(what);
}

#[test]
fn calls_go_on_and_nothing_unstored_is_promised_while_every_sync_takes_two_seconds() {
    let world = World::new("stands");
    let people = People::arrive(&world, 1);
    let before = trace::injecting_from_beside("fdatasync", &format!("delay_enter={}:when=60+", STANDS.as_micros()));
    let switch = under(&world, &before);
    everybody_talks(&world, &people);
    // Its first syncs are quick; the one that is not makes its asker wait.
    let asked = Instant::now();
    until(&world, "the disk stands", BOUND, || {
        let begun = Instant::now();
        asker::ask(&world, &switch, 1, Duration::ZERO);
        begun.elapsed() > STANDS / 2
    });
    println!("the disk stands after {:?}", asked.elapsed());

    let (begun, known) = (Instant::now(), world.ledger().promises());
    people.listen();
    people.call();
    std::thread::sleep(4 * STANDS);
    people.rest();

    assert_talks_went_on(&world, begun, "while the disk stood");
    let promised = world.ledger().promises() - known;
    assert!(promised > 0, "no promise came through in four syncs");
    die_and_check(&world, switch, "after a disk that stood");
}

#[test]
fn calls_go_on_while_the_disk_is_full_or_fails_and_promises_are_back_within_ten_seconds_after_it() {
    for (calls, error) in [("pwrite64,fallocate", "ENOSPC"), ("fdatasync", "EIO")] {
        let what = format!("{calls} {error}");
        let world = World::new(&format!("full-{error}"));
        let people = People::arrive(&world, 2);
        let switch = under(&world, &trace::injecting_from_beside(calls, &format!("error={error}:when=150+")));
        everybody_talks(&world, &people);
        until(&world, "the disk fails", BOUND, || asker::ask(&world, &switch, 1, Duration::ZERO) > 0);

        let (begun, known) = (Instant::now(), world.ledger().promises());
        people.listen();
        people.call();
        std::thread::sleep(Duration::from_secs(4));
        let apologies = world.ledger().apologies;
        assert!(apologies >= 3, "{what}: only {apologies} callers heard that it is not possible");
        assert_eq!(world.ledger().promises(), known, "{what}: somebody was promised what cannot be stored");
        assert_talks_went_on(&world, begun, &what);

        let tracer = switch.tracer().expect("it is traced").to_string();
        assert!(Command::new("kill").arg(&tracer).status().unwrap().success());
        let back =
            until(&world, "promises are made again", Duration::from_secs(10), || world.ledger().promises() > known + 2);
        println!("{what}: promises are back after {:.1} s", back.as_secs_f64());
        people.rest();
        assert_talks_went_on(&world, begun, &what);
        die_and_check(&world, switch, &what);
    }
}

#[test]
fn nothing_acknowledged_is_lost_by_kills_while_the_disk_is_slow() {
    let world = World::new("slow");
    let people = People::arrive(&world, 3);
    // Whoever answered before the write would be found out: it comes a fifth of a second later.
    for call in ["pwrite64", "fdatasync"] {
        for kill in 0..3 {
            let what = format!("{call} {kill}");
            let switch = under(&world, &trace::injecting(call, "delay_enter=200000:when=8+"));
            people.call();
            std::thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| asker::ask(&world, &switch, u64::MAX, Duration::ZERO));
                }
                scope.spawn(|| asker::listen(&world, &switch));
                std::thread::sleep(Duration::from_millis(2_050 + 170 * kill));
                switch.signal("KILL");
            });
            people.rest();
            die_and_check(&world, switch, &what);
        }
    }
    let ledger = world.ledger();
    println!("{} promises on a slow disk: {:?}", ledger.promises(), ledger.told);
    assert!(ledger.promises() > 12);
}

/// What the next start says, when this file cannot be read from its n-th read on.
fn start_without(world: &World, file: &Path, from: usize) -> Option<Switch> {
    let before = trace::unreadable(file, from);
    let words: Vec<&str> = before.iter().map(String::as_str).collect();
    drop(std::fs::remove_file(world.folder.join("log")));
    world.ledger().born = Utc::now();
    world.start(&words)
}

#[test]
fn what_the_disk_does_not_give_back_is_told_and_neither_cut_off_nor_replaced() {
    let world = lived_in("unreadable", 12);
    let journal = |extension| folder::journal(&world.data(), extension);
    let segment = journal("seg").pop().unwrap();
    let before = std::fs::read(&segment).unwrap();

    // Its head is read, and then no block of it.
    let refused = start_without(&world, &segment, 2);

    assert!(refused.is_none() && world.log().contains("do not come back from the disk"), "{}", world.log());
    assert!(std::fs::read(&segment).unwrap() == before, "it was touched");
    world.ledger().born = Utc::now();
    world.check_and_verify("after a segment that was not given back");

    std::fs::remove_dir_all(world.data().join("store/view")).unwrap();
    assert!(journal("ckp").len() > 1, "older files have everything, too");
    let checkpoint = journal("ckp").pop().unwrap();
    let mut switch = start_without(&world, &checkpoint, 2).unwrap_or_else(|| panic!("{}", world.log()));
    assert!(world.log().contains("NOT all is well") && world.log().contains("does not give it back"));
    switch.signal("TERM");
    assert_eq!(switch.end(), Some(0), "{}", world.log());
    drop(std::fs::remove_file(world.folder.join("log")));
    world.ledger().born = Utc::now();
    world.check_and_verify("after a checkpoint that was not given back");
    assert!(world.ledger().promises() > 40);
}

#[test]
fn a_disk_that_fails_for_a_while_costs_no_promise_and_comes_back() {
    // Each call of one thread is counted for itself: the writer's are hit once it has written a few commits.
    for (call, error) in [("fdatasync", "EIO"), ("pwrite64", "ENOSPC"), ("pwrite64", "EIO"), ("fallocate", "ENOSPC")] {
        let what = format!("{call} {error}");
        let world = World::new(&format!("{call}-{error}"));
        let switch = under(&world, &trace::injecting(call, &format!("error={error}:when=6..8")));
        let (mut refused, mut row) = (0, 0);
        // It has come back when it has stored twenty in a row.
        until(&world, "it is well again", BOUND, || {
            let now = asker::ask(&world, &switch, 1, Duration::ZERO);
            refused += now;
            row = if now == 0 { row + 1 } else { 0 };
            row == 20
        });
        println!("{what}: {refused} refused, {} promised", world.ledger().promises());
        die_and_check(&world, switch, &what);
    }
}
