//! Flipped bits, cut files and files that are gone, in the data directory of a switch that was killed amid its work:
//! everything is noticed or without effect, what is served is what was stored, and the store opens.

use crate::asker;
use crate::folder;
use crate::people::People;
use crate::world::World;
use chrono::Utc;
use ringback::callback::task::Task;
use ringback::entropy::Entropy;
use ringback::store::verify::Verified;
use ringback::store::{Limits, Opened, Report, ViewReport};
use ringback::switch::Restored;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Threads that harm and open.
const WORKERS: u64 = 2;
/// One of so many harms is tried with the real binary, too.
const BY_BINARY: u64 = 40;

/// Every record by its name: what of it never changes, and all of it, written out.
type State = BTreeMap<String, (String, String)>;

/// What is done to one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harm {
    /// One bit of this octet.
    Flip(usize),
    /// Everything from this octet on.
    Cut(usize),
    /// All of it.
    Gone,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Found {
    /// The opening says so, and everything is there.
    Healed,
    /// The opening says so, and that something is lost.
    ToldLoss,
    /// The opening needed none of it and says nothing, and `store verify` does.
    Verified,
    /// Nobody says anything, and every record is as it was.
    NoEffect,
}

#[test]
fn every_damaged_file_is_noticed_or_without_effect_and_nothing_wrong_is_served() {
    let flips: u64 = std::env::var("RINGBACK_FLIPS").map_or(80, |text| text.parse().expect("a number of flips"));
    let seed: u64 = std::env::var("RINGBACK_SEED").map_or(4, |text| text.parse().expect("a seed"));
    quietly();
    let begun = Instant::now();
    let world = lived_in();
    let store = Kept::of(&world);
    println!("a store of {} files, {} records: {:?}", store.files.len(), store.truth.len(), begun.elapsed());
    assert!(store.truth.len() > 100);
    let begun = Instant::now();
    let mut table = BTreeMap::<(String, &str, Found), u64>::new();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| {
                let (store, world) = (&store, &world);
                scope.spawn(move || {
                    let mut entropy = Entropy::from_seed(seed * WORKERS + worker);
                    let work = world.folder.join(format!("harmed-{worker}"));
                    let mine = (0..flips).filter(|flip| flip % WORKERS == worker);
                    mine.map(|flip| store.harm(&mut entropy, &work, flip)).collect::<Vec<_>>()
                })
            })
            .collect();
        for worker in workers {
            for found in worker.join().expect("nothing was wrong") {
                *table.entry(found).or_default() += 1;
            }
        }
    });
    println!("{flips} harms in {:.0} s", begun.elapsed().as_secs_f64());
    table.iter().for_each(|((file, harm, found), count)| println!("{file:>12} {harm:>5} {found:?}: {count}"));
    let count = |wanted: Found| table.iter().filter(|((.., found), _)| *found == wanted).map(|it| it.1).sum::<u64>();
    assert_eq!(table.values().sum::<u64>(), flips);
    assert!(count(Found::Healed) > flips / 10 && count(Found::ToldLoss) + count(Found::Verified) > 0, "{table:?}");
    by_binary(&world, &store, flips / BY_BINARY, seed);
}

/// Panics of sled are caught by the opening; only ours are to be seen.
fn quietly() {
    let loud = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.location().is_some_and(|at| at.file().contains("tests")) {
            loud(panic);
        }
    }));
}

/// Callers, callbacks and programs for a while, a checkpoint and backups, and a kill at the end.
fn lived_in() -> World {
    let world = World::new("damage");
    let people = People::arrive(&world, 5);
    for life in 0..11 {
        world.ledger().born = Utc::now();
        let switch = world.open(&format!("life {life}"));
        people.call();
        asker::ask(&world, &switch, 25, Duration::from_millis(12));
        if life % 4 == 3 {
            drop(switch.api().request("POST", "/store/backup", ""));
        }
        asker::ask(&world, &switch, 3, Duration::ZERO);
        people.rest();
        switch.kill();
        world.ledger().kills += 1;
    }
    world
}

/// What was done to a copy.
struct Harmed {
    file: PathBuf,
    harm: Harm,
    /// What the file was.
    whole: Vec<u8>,
    /// The view was taken away besides.
    is_alone: bool,
}

/// The data directory as the last kill has left it, and what it holds.
struct Kept {
    folder: PathBuf,
    /// Relative to the folder.
    files: Vec<PathBuf>,
    truth: State,
    /// The kill itself may have left unfinished commits; they are told of every time.
    torn: usize,
}

impl Kept {
    fn of(world: &World) -> Kept {
        let (folder, work) = (world.folder.join("kept"), world.folder.join("whole"));
        folder::copy(&world.data(), &folder);
        for segment in folder::journal(&folder, "seg") {
            // Of the room that is held for more commits a part is enough: it is all zeros.
            let bytes = fs::read(&segment).unwrap();
            let end = bytes.len().min(folder::used(&bytes) + 64 * 1_024);
            folder::write(&segment, &bytes[..end]);
        }
        let mut files: Vec<PathBuf> =
            folder::files(&folder).iter().map(|path| path.strip_prefix(&folder).unwrap().to_owned()).collect();
        // What is there besides for the API's clients and for the site is not the store's.
        files.retain(|path| path.starts_with("store") || path.as_os_str() == "LOCK");
        files.retain(|path| fs::metadata(folder.join(path)).unwrap().len() > 0);
        for (kind, least) in [("seg", 2), ("ckp", 1)] {
            assert!(folder::journal(&folder, kind).len() >= least, "no {kind}: {files:?}");
        }
        folder::copy(&folder, &work);
        let whole = Opened::open(&work, limits()).unwrap();
        assert!(whole.report.is_well(), "{:?}", whole.report);
        let truth = state(&whole.restored);
        let verified = Verified::of_journal(&folder.join("store").join("journal")).unwrap();
        let torn = verified.files.iter().flat_map(|file| &file.damage).chain(&verified.damage).count();
        Kept { folder, files, truth, torn }
    }

    /// A copy with one of its files harmed: which, and how.
    /// One in four copies has lost its view as well, so that nothing but the journal is left.
    fn harmed(&self, entropy: &mut Entropy, work: &Path) -> Harmed {
        folder::copy(&self.folder, work);
        let view = work.join("store").join("view");
        let is_alone = entropy.below(4) == 0;
        let file = self.files[entropy.below(self.files.len() as u64) as usize].clone();
        let path = work.join(&file);
        let mut bytes = fs::read(&path).unwrap();
        let whole = bytes.clone();
        // What is not zeros is harmed more often: it says more.
        let used = folder::used(&bytes).max(1);
        let reach = if entropy.below(8) == 0 { bytes.len() } else { used };
        let at = entropy.below(reach as u64) as usize;
        let harm = match entropy.below(20) {
            0 => Harm::Gone,
            1..4 => Harm::Cut(at),
            _ => Harm::Flip(at),
        };
        match harm {
            Harm::Gone => fs::remove_file(&path).unwrap(),
            Harm::Cut(at) => folder::write(&path, &bytes[..at]),
            Harm::Flip(at) => {
                bytes[at] ^= 1 << entropy.below(8);
                folder::write(&path, &bytes);
            }
        }
        if is_alone {
            fs::remove_dir_all(&view).unwrap();
        }
        Harmed { file, harm, whole, is_alone }
    }

    fn harm(&self, entropy: &mut Entropy, work: &Path, flip: u64) -> (String, &'static str, Found) {
        let Harmed { file, harm, whole, is_alone } = self.harmed(entropy, work);
        let what = format!("harm {flip}, {harm:?} of {}", file.display());
        let verified = Verified::of_journal(&work.join("store").join("journal"));
        let is_seen = verified.is_ok_and(|it| {
            let damage = it.files.iter().flat_map(|file| &file.damage).chain(&it.damage);
            damage.count() > self.torn || !it.bad.is_empty() || it.state.is_err()
        });
        let opened = Opened::open(work, limits()).unwrap_or_else(|error| panic!("{what}: {error}"));
        // A view that was taken away is always made anew: that says nothing of the harm.
        let is_doubted = !is_alone && matches!(opened.report.view, ViewReport::Rebuilt { .. });
        let found = self.judge(&state(&opened.restored), &opened.report, is_seen, is_doubted, &what);
        let is_last = |kind| self.files.iter().rfind(|it| it.extension().is_some_and(|it| it == kind)) == Some(&file);
        let is_live = match harm {
            Harm::Flip(at) => at < folder::used(&whole),
            // An older file may end early, or go: what it held may lie in a checkpoint, and is not missed then.
            Harm::Cut(at) => at < folder::used(&whole) && (is_last("seg") || is_last("ckp")),
            Harm::Gone => false,
        };
        let kind = file.extension().and_then(|it| it.to_str()).filter(|it| ["seg", "ckp"].contains(it));
        let is_silent = found == Found::NoEffect;
        assert!(!(is_silent && is_live && kind.is_some()), "{what}: nobody has noticed");
        let name = match harm {
            Harm::Flip(_) => "flip",
            Harm::Cut(_) => "cut",
            Harm::Gone => "gone",
        };
        let parent = file.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
        (kind.map_or(parent, str::to_owned), name, found)
    }

    /// Nothing that is served may be otherwise than it was stored; what is not served any more must be told. When the
    /// opening says that commits are lost, what they had changed may be as it was before them.
    fn judge(&self, state: &State, report: &Report, is_seen: bool, is_doubted: bool, what: &str) -> Found {
        for (key, (lasting, _)) in state.iter().filter(|(key, _)| !key.starts_with("entry/")) {
            let stored = self.truth.get(key).map(|(lasting, _)| lasting);
            assert!(stored.is_none_or(|stored| stored == lasting), "{what}: {key} is wrong\n{report:?}");
        }
        if *state != self.truth {
            let other = self.truth.iter().find(|(key, value)| state.get(*key) != Some(value));
            let more = state.keys().find(|key| !self.truth.contains_key(*key));
            // The very last commit cannot be told from one that a kill has torn: it is cut, told and kept aside.
            let is_told = !report.is_well() || report.damage.len() > self.torn;
            assert!(is_told, "{what}: silently without {other:?} or with {more:?}: {report:?}");
            return Found::ToldLoss;
        }
        let is_told = report.damage.len() > self.torn || !report.quarantined.is_empty() || report.lost_commits > 0;
        match (is_doubted || is_told, is_seen) {
            (true, _) => Found::Healed,
            (false, true) => Found::Verified,
            (false, false) => Found::NoEffect,
        }
    }
}

fn limits() -> Limits {
    Limits { lock_wait: Duration::ZERO, reserve_bytes: 0, reserve_percent: 0, ..Limits::default() }
}

fn state(restored: &Restored) -> State {
    let mut state = State::new();
    let mut put = |key: String, lasting: String, value: String| {
        assert_eq!(state.insert(key.clone(), (lasting, value)), None, "{key} is twice");
    };
    for it in &restored.tasks {
        let lasting = format!("{:?}", (&it.number_raw, &it.queue, &it.profile, it.source, it.created_at));
        put(format!("task/{}", it.id), lasting, format!("{it:?}"));
    }
    for it in &restored.attempts {
        put(format!("attempt/{}/{}", it.task, it.n), format!("{:?}", (&it.number, it.loaded_at)), format!("{it:?}"));
    }
    let mut other = |key: String, value: String| put(key, String::new(), value);
    restored
        .bindings
        .iter()
        .for_each(|it| other(format!("binding/{}/{}", it.extension, it.contact), format!("{it:?}")));
    restored.agents.iter().for_each(|it| other(format!("agent/{}", it.agent), format!("{it:?}")));
    restored.recordings.iter().for_each(|it| other(format!("recording/{}", it.id), format!("{it:?}")));
    restored.do_not_call.iter().for_each(|it| other(format!("never/{:?}", it.number), format!("{it:?}")));
    restored.entries.iter().for_each(|it| other(format!("entry/{}", it.call), format!("{it:?}")));
    restored.objects.iter().for_each(|it| other(format!("object/{}/{}", it.kind, it.name), format!("{it:?}")));
    restored.audit.iter().for_each(|it| other(format!("audit/{}", it.id), format!("{it:?}")));
    state
}

/// The same with the real binary: it starts, and its API serves what was stored.
fn by_binary(world: &World, store: &Kept, times: u64, seed: u64) {
    let mut entropy = Entropy::from_seed(seed + 1_000);
    let serve = || {
        drop(fs::remove_file(world.folder.join("log")));
        let switch = world.open("harmed");
        // What it makes of a moment without it is done when two looks agree.
        let mut all = switch.api().callbacks();
        for _ in 0..8 {
            std::thread::sleep(Duration::from_millis(250));
            let before = std::mem::replace(&mut all, switch.api().callbacks());
            if before == all {
                break;
            }
        }
        switch.kill();
        let served = all.iter().map(|task| (task["id"].as_str().unwrap().to_owned(), told(task)));
        (served.collect::<BTreeMap<_, _>>(), world.log())
    };
    folder::copy(&store.folder, &world.data());
    let opened = Opened::open(&world.data(), limits()).expect("it is whole");
    let kept = opened.restored.tasks.iter().map(|task| (task.id.to_string(), reached(task)));
    let kept: BTreeMap<_, _> = kept.collect();
    drop(opened);
    let (truth, _) = serve();
    let mut lost = 0;
    for time in 0..times {
        let Harmed { file, harm, .. } = store.harmed(&mut entropy, &world.data());
        let (served, log) = serve();
        let what = format!("time {time}, {harm:?} of {}", file.display());
        let same = served.iter().filter(|(id, (_, task))| kept.get(*id).is_some_and(|kept| goes_on(kept, task)));
        assert!(served.iter().all(|(id, (lasting, _))| truth.get(id).is_none_or(|it| it.0 == *lasting)), "{what}");
        if same.count() < kept.len() {
            assert!(log.contains("NOT all is well"), "{what}: {log}");
            lost += 1;
        }
    }
    println!("{times} of them with the binary, {} callbacks; {lost} times it told of a loss", truth.len());
}

/// Why a callback has ended, if it has, and how many attempts it has had.
type Reached = (Option<String>, u64);

/// What never changes of a callback, and what it has reached.
fn told(task: &Value) -> (String, Reached) {
    let lasting = ["number", "number_raw", "queue", "profile", "source", "created_at", "origin_call"];
    let lasting = lasting.iter().map(|field| task[*field].to_string()).collect();
    (lasting, (task["close_reason"].as_str().map(str::to_owned), task["attempts_used"].as_u64().expect("a count")))
}

/// The same of what lies in the store.
fn reached(task: &Task) -> Reached {
    let reason = serde_json::to_value(task.close_reason).expect("a word");
    (reason.as_str().map(str::to_owned), task.attempts_used.into())
}

/// The switch does not stand still: what is open may be tried, and end.
fn goes_on((ended, attempts): &Reached, (end, now): &Reached) -> bool {
    now >= attempts && ended.as_ref().is_none_or(|ended| end.as_ref() == Some(ended))
}
