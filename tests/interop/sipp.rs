//! SIPp as carrier and phones: one process for one scenario.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A SIPp process.
pub struct Sipp {
    child: Child,
    errors: PathBuf,
    scenario: &'static str,
}

/// How one is started.
pub struct Run<'a> {
    /// Working folder: where captures lie.
    pub folder: &'a Path,
    /// File of `tests/interop/sipp`, without `.xml`.
    pub scenario: &'static str,
    /// Its SIP port.
    pub port: u16,
    /// The switch's SIP port.
    pub target: u16,
    /// Further arguments.
    pub args: &'a [&'a str],
}

impl Sipp {
    pub fn start(run: &Run<'_>) -> Sipp {
        let scenario = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/interop/sipp").join(run.scenario);
        let errors = run.folder.join(format!("{}-{}.errors", run.scenario, run.port));
        let media = (20_000 + (run.port % 5_000) * 2 % 5_000 + 5_000).to_string();
        let child = Command::new("sipp")
            .arg(format!("127.0.0.1:{}", run.target))
            .arg("-sf")
            .arg(scenario.with_extension("xml"))
            .args(["-i", "127.0.0.1", "-mi", "127.0.0.1", "-m", "1", "-nostdin", "-timeout", "60", "-timeout_error"])
            .args(["-p", &run.port.to_string(), "-mp", &media, "-trace_err", "-error_file"])
            .arg(&errors)
            .args(run.args)
            .current_dir(run.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(errors.with_extension("stderr")).expect("a file"))
            .spawn()
            .expect("SIPp is installed");
        Sipp { child, errors, scenario: run.scenario }
    }

    /// Waits for its end, which must be a success.
    pub fn succeeds(mut self, secs: u64) {
        let status = crate::wait_for(&format!("SIPp {}", self.scenario), Duration::from_secs(secs), || {
            self.child.try_wait().expect("a child")
        });
        let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
        let errors = read(&self.errors) + &read(&self.errors.with_extension("stderr"));
        assert!(status.success(), "SIPp {}: {status}\n{errors}", self.scenario);
    }
}

impl Drop for Sipp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
