//! strace: which calls of a process concern its data directory, and what the kernel is made to do at one of them.

use std::collections::BTreeSet;
use std::path::Path;

/// Every call by which a store changes its files, or makes sure of them.
pub const CALLS: &str = "openat,mkdir,mkdirat,rmdir,rename,renameat,renameat2,link,linkat,unlink,unlinkat,truncate,\
                         ftruncate,fallocate,write,writev,pwrite64,pwritev,fsync,fdatasync,sync_file_range,chmod,\
                         fchmod,fchmodat,flock";

/// Only the calls in question stop the process.
const FILTERED: &str = "--seccomp-bpf";

/// The n-th call of this name in whichever thread comes to it first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    pub call: String,
    pub n: usize,
    /// What it concerns, as far as strace could tell.
    pub file: String,
}

/// Words before a command, so that all its calls are noted in `file`.
pub fn noting(file: &Path) -> Vec<String> {
    words(&["-y", "-o", &file.display().to_string(), "-e", &format!("trace={CALLS}")])
}

/// Words before a command that is killed as it enters this call. (Where the kernel filters the calls for it, strace 6
/// sends no signals.)
pub fn killing(point: &Point) -> Vec<String> {
    let mut words = injecting(&point.call, &format!("signal=SIGKILL:when={}", point.n));
    words.retain(|word| word != FILTERED);
    words
}

/// Words before a command one of whose calls is tampered with.
pub fn injecting(call: &str, what: &str) -> Vec<String> {
    words(&["-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &format!("inject={call}:{what}")])
}

/// The same from beside: the tracer is no parent of the command, which goes on when the tracer is told to go, and it
/// hears when it is (`-I1`).
pub fn injecting_from_beside(call: &str, what: &str) -> Vec<String> {
    let mut words = injecting(call, what);
    words.retain(|word| word != FILTERED); // Without its tracer a filtered call would fail.
    words.splice(1..1, ["-D", "-I1"].map(str::to_owned));
    words
}

/// Words before a command to which the disk does not give one file back, from its n-th read on.
pub fn unreadable(file: &Path, from: usize) -> Vec<String> {
    let inject = format!("inject=read,pread64:error=EIO:when={from}+");
    let mut words =
        words(&["-o", "/dev/null", "-P", &file.display().to_string(), "-e", "trace=read,pread64", "-e", &inject]);
    words.retain(|word| word != FILTERED); // The kernel does not look at names.
    words
}

fn words(more: &[&str]) -> Vec<String> {
    ["strace", "-f", FILTERED, "-qq"].iter().chain(more).map(|word| (*word).to_owned()).collect()
}

/// The points of a noted run whose calls concern something under `folder`: the calls of each thread are counted for
/// themselves, as strace does when it looks for the n-th.
pub fn points(noted: &Path, folder: &Path) -> BTreeSet<Point> {
    let (text, folder) = (std::fs::read_to_string(noted).unwrap(), folder.display().to_string());
    let mut counts = std::collections::BTreeMap::<(&str, &str), usize>::new();
    let mut points = BTreeSet::new();
    for line in text.lines() {
        let Some((thread, said)) = line.split_once(' ') else { continue };
        // `<... call resumed>` is the end of one that was begun before.
        let Some((call, rest)) = said.trim_start().split_once('(').filter(|(call, _)| !call.contains(' ')) else {
            continue;
        };
        let n = counts.entry((thread, call)).or_default();
        *n += 1;
        if let Some((_, file)) = rest.split_once(&folder) {
            let file = file.split(['>', '"']).next().unwrap_or_default().to_owned();
            let point = Point { call: call.to_owned(), n: *n, file };
            if !points.iter().any(|known: &Point| (&known.call, known.n) == (&point.call, point.n)) {
                points.insert(point);
            }
        }
    }
    points
}
