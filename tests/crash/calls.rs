//! A kill at every system call by which the switch touches its data directory, while it opens, works, writes a
//! checkpoint and makes a backup.

use crate::asker;
use crate::folder;
use crate::ledger::Ledger;
use crate::trace::{self, Point};
use crate::world::World;
use chrono::Utc;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A world in which some lives were lived and killed, so that opening it has something to do and its next segment
/// begins a checkpoint.
pub fn lived_in(name: &str, lives: usize) -> World {
    let world = World::new(name);
    for life in 0..lives {
        world.ledger().born = Utc::now();
        let switch = world.open(&format!("{name}, life {life}"));
        asker::ask(&world, &switch, 6, Duration::ZERO);
        switch.kill();
        world.ledger().kills += 1;
    }
    world
}

/// What every run does: asks, has a backup made, asks again and ends. Whether it was killed on the way.
fn lives(world: &World, before: &[String]) -> bool {
    let words: Vec<&str> = before.iter().map(String::as_str).collect();
    let Some(mut switch) = world.start(&words) else { return true };
    asker::ask(world, &switch, 4, Duration::ZERO);
    drop(switch.api().request("POST", "/store/backup", ""));
    asker::ask(world, &switch, 4, Duration::ZERO);
    switch.signal("TERM");
    switch.end() != Some(0)
}

/// A beginning of every run: a data directory (`None`: there is none yet) and what was promised in it.
struct Scene {
    world: World,
    data: Option<std::path::PathBuf>,
    promised: Ledger,
}

impl Scene {
    fn of(world: World) -> Scene {
        let kept = world.folder.join("kept");
        let data = world.data().exists().then(|| {
            folder::copy(&world.data(), &kept);
            kept
        });
        let promised = world.ledger().clone();
        Scene { world, data, promised }
    }

    fn begin(&self) {
        match &self.data {
            Some(kept) => folder::copy(kept, &self.world.data()),
            None => drop(std::fs::remove_dir_all(self.world.data())),
        }
        *self.world.ledger() = self.promised.after_kills(1);
    }

    fn points(&self) -> Vec<Point> {
        self.begin();
        let noted = self.world.folder.join("calls");
        assert!(!lives(&self.world, &trace::noting(&noted)), "{}", self.world.log());
        trace::points(&noted, &self.world.data()).into_iter().collect()
    }

    /// Whether it was killed there; then everything promised is found by the next life.
    fn kill_at(&self, point: &Point) -> bool {
        self.begin();
        let was_killed = lives(&self.world, &trace::killing(point));
        let what = format!("killed at {point:?}");
        self.world.ledger().born = Utc::now();
        let switch = self.world.open(&what);
        self.world.check(&switch, &what);
        switch.kill();
        drop(std::fs::remove_file(self.world.folder.join("log")));
        was_killed
    }
}

/// `RINGBACK_POINTS`: at so many of the points of each scene, evenly; 0: at all of them. `RINGBACK_SEED` turns which.
#[test]
fn nothing_acknowledged_is_lost_by_a_kill_at_any_system_call_of_the_storage() {
    let most: usize = std::env::var("RINGBACK_POINTS").map_or(20, |text| text.parse().expect("a number of points"));
    let seed: usize = std::env::var("RINGBACK_SEED").map_or(4, |text| text.parse().expect("a seed"));
    let begun = Instant::now();
    let (mut chosen, mut killed, mut calls) = (0, 0, BTreeMap::<String, usize>::new());
    let done: Vec<_> = std::thread::scope(|scope| {
        let scenes = [("calls-new", 0), ("calls-lived-in", 8)];
        let workers = scenes.map(|(name, count)| {
            scope.spawn(move || {
                let scene = Scene::of(lived_in(name, count));
                let points = scene.points();
                let stride = if most == 0 { 1 } else { points.len().div_ceil(most) };
                let picked = points.iter().skip(seed % stride).step_by(stride);
                let done: Vec<_> = picked.map(|point| (point.clone(), scene.kill_at(point))).collect();
                (name, points, done)
            })
        });
        workers.into_iter().map(|worker| worker.join().expect("nothing was wrong")).collect()
    });
    for (name, points, done) in done {
        let is = |part: &'static str| move |point: &&Point| point.file.contains(part);
        let kinds = ["/view/", ".seg", ".ckp"].map(|part| points.iter().filter(is(part)).count());
        println!("{name}: {} points, of which view, segments, checkpoints have {kinds:?}", points.len());
        assert!(kinds.iter().all(|count| *count > 0), "{name}: a part of the store was not touched");
        chosen += done.len();
        for (point, _) in done.into_iter().filter(|(_, was_killed)| *was_killed) {
            killed += 1;
            *calls.entry(point.call).or_default() += 1;
        }
    }
    println!("killed at {killed} of {chosen} chosen calls in {:.0} s: {calls:?}", begun.elapsed().as_secs_f64());
    // Threads come to their calls in another order now and then.
    assert!(killed * 10 >= chosen * 9, "only {killed} of {chosen} points were met");
}
