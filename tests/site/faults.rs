//! A fault of the switch's own in the real shell: the process goes on, a masked recording lies in the data directory,
//! the binary repeats it, and too many of them within an hour are the end.

use super::World;
use ringback::run::Ended;
use ringback::switch::command::{Command, Refused, Reply};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long a file may take on a busy machine.
const BOUND: Duration = Duration::from_secs(30);

impl World {
    fn ask(&self, command: Command) -> Reply {
        self.running.as_ref().expect("it runs").commands.ask_blocking(command).expect("an answer")
    }

    /// A fault befalls this request, or whatever comes right before it; whoever asks is answered in both cases.
    fn stumble(&self) {
        assert!(matches!(self.ask(Command::Stumble(0)), Reply::Stored));
        let reply = self.ask(Command::PauseAgent { agent: "anna".to_owned(), reason: Some("lunch".to_owned()) });
        assert!(matches!(reply, Reply::Refused(Refused::Fault) | Reply::Agent(_)), "{reply:?}");
    }

    fn recordings(&self, many: usize) -> Vec<PathBuf> {
        let begun = Instant::now();
        loop {
            let folder = std::fs::read_dir(self.data.join("data/faults"));
            let files = folder.map(|folder| folder.map(|entry| entry.unwrap().path()).collect::<Vec<_>>());
            let mut files = files.unwrap_or_default();
            files.retain(|file| file.extension().is_some_and(|ending| ending == "flight"));
            if files.len() >= many {
                return files;
            }
            assert!(begun.elapsed() < BOUND, "{} of {many} recordings", files.len());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

// durability.md §2.12: what room a full disk has left is for the promises.
#[cfg(any(debug_assertions, feature = "interop"))]
#[test]
fn on_a_full_disk_no_recording_is_saved_and_when_it_has_room_again_the_next_one_is() {
    let (world, disk) = super::standing::on_a_disk("faults-full", super::FILE, 1);
    world.until("the disk is full", |status| status["space"] == "spent");

    world.stumble();
    disk.has(50);
    world.until("there is room", |status| status["space"] == "ample");
    world.stumble();

    // They are saved one after the other, so the first would be there.
    assert_eq!(world.recordings(1).len(), 1);
}

#[cfg(any(debug_assertions, feature = "interop"))]
#[test]
fn a_fault_is_saved_repeated_and_the_fourth_within_an_hour_is_the_end() {
    let mut world = World::new("faults");

    world.stumble();
    let file = world.recordings(1).remove(0);
    assert!(matches!(world.ask(Command::Status), Reply::Status(_)), "it goes on");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let bearer = format!("Bearer {}", world.token);
    let metrics = world.send("GET", "/metrics", &[("Authorization", &bearer)], "").body;
    assert!(metrics.contains("ringback_faults_total "), "{metrics}");

    let replay = std::process::Command::new(env!("CARGO_BIN_EXE_ringback")).arg("replay").arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&replay.stdout).into_owned();
    assert!(replay.status.success(), "{said}{}", String::from_utf8_lossy(&replay.stderr));
    assert!(said.contains("The fault came again at input "), "{said}");
    assert!(said.contains("After every input the switch asked for the same as then."), "{said}");
    assert!(said.contains("a test lets the switch stumble, at src/switch/fault.rs"), "{said}");
    assert!(!said.contains("long-random-word"), "{said}");

    for _ in 0..2 {
        world.stumble();
    }
    assert!(matches!(world.ask(Command::Status), Reply::Status(_)), "three are borne");
    let running = world.running.take().expect("it runs");
    let _ = running.commands.ask_blocking(Command::Stumble(0));
    let _ = running.commands.ask_blocking(Command::Status);
    assert_eq!(running.stop(), Ended::Fault);
    assert_eq!(world.recordings(4).len(), 4, "the last one was saved before the end");
}
