//! `ringback demo` as people start it. The whole story takes longer than a test should and is played by `.ci/run`; its
//! verdict is tested with the demo. Here is how it begins, and how it ends before its end.

#![cfg(feature = "shell")]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Starting takes a second; what takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(30);

fn demo() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringback"));
    command.arg("demo").env_remove("RINGBACK_LOG").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("ringback-demo-test-{name}-{}", std::process::id()));
    drop(std::fs::remove_dir_all(&folder));
    folder
}

fn ended(mut child: Child) -> Output {
    let since = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if since.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("the demo did not end");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.wait_with_output().unwrap()
}

#[test]
fn customers_call_on_real_wires_and_control_c_ends_it_with_one_sentence() {
    let folder = folder("interrupted");
    let mut child = demo().args(["--speed", "20", "--data"]).arg(&folder).spawn().unwrap();
    let mut told = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();

    while !text.contains("Grace     calls: place 6") {
        assert!(told.read_line(&mut text).unwrap() > 0, "it ended early:\n{text}");
    }
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT).unwrap();
    let output = ended(child);

    let store = folder.join("store").is_dir();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "ringback: the demo was stopped before its end\n");
    assert!(text.contains("anna      dials *46: paused") && !text.contains('\x1b'), "{text}");
    assert!(store, "its folder is kept");
}

#[test]
fn a_folder_in_which_something_lies_is_left_alone() {
    let folder = folder("taken");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("something"), "of somebody's").unwrap();

    let output = ended(demo().arg("--data").arg(&folder).spawn().unwrap());

    let left = std::fs::read_dir(&folder).unwrap().count();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("is not empty"), "{output:?}");
    assert_eq!(left, 1);
}
