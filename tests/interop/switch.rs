//! The real binary as a child process, with a site of its own in a folder of its own.

use crate::api::Api;
use crate::{free_port, wait_for};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running switch.
pub struct Switch {
    child: Child,
    pub sip_port: u16,
    pub folder: PathBuf,
    pub api: Api,
}

/// What differs between tests.
pub struct Site {
    /// Where the carrier is; its trunk is known by this port.
    pub carrier_port: u16,
    /// Agents: name and extension; the secret is `secret-EXTENSION`.
    pub agents: &'static [(&'static str, &'static str)],
    /// Further lines of the callback profile.
    pub profile: &'static str,
    /// Further lines of the queue.
    pub queue: &'static str,
}

impl Site {
    fn text(&self, sip: u16, http: u16, media: u16) -> String {
        let Site { carrier_port, profile, queue, .. } = self;
        let agents: String = self
            .agents
            .iter()
            .map(|(name, extension)| {
                format!("[[agent]]\nname = \"{name}\"\nextension = \"{extension}\"\nsecret = \"secret-{extension}\"\n")
            })
            .collect();
        let members: Vec<String> = self.agents.iter().map(|(name, _)| format!("{{ agent = \"{name}\" }}")).collect();
        let members = members.join(", ");
        let last = media + 199;
        format!(
            r#"
[server]
sip_udp = "127.0.0.1:{sip}"
http = "127.0.0.1:{http}"
media_address = "127.0.0.1"
media_ports = "{media}-{last}"
[system]
default_country = "US"
default_timezone = "America/New_York"
company_name = "Example"
{agents}
[[trunk]]
name = "carrier"
mode = "peer"
host = "127.0.0.1"
port = {carrier_port}
options_ping_secs = 0
[[caller_id]]
label = "Main Line"
number = "+12025550100"
trunk = "carrier"
[[inbound_route]]
trunk = "carrier"
did = "+12025550100"
to = "queue:support"
[[outbound_route]]
prefix = "+"
trunks = ["carrier"]
[[queue]]
name = "support"
number = "5000"
members = [{members}]
rules = ["key"]
wrap_up_secs = 1
{queue}
[[callback_profile]]
name = "standard"
caller_id = "Main Line"
record = true
record_notice = {{ mode = "audio" }}
{profile}
[[callback_rule]]
name = "key"
source = "queue_request"
profile = "standard"
"#
        )
    }
}

impl Switch {
    /// Starts a switch with a fresh data directory and waits until it is ready.
    pub fn start(name: &str, site: &Site) -> Switch {
        // Below 32768: SIPp reads ports as signed numbers.
        let media = 20_000 + (free_port() - 26_000);
        Switch::start_with(name, |sip, http| site.text(sip, http, media))
    }

    /// The same with a site of its own, by the ports of its SIP and its HTTP.
    pub fn start_with(name: &str, site: impl FnOnce(u16, u16) -> String) -> Switch {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("interop-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a folder for the test");
        let (sip, http) = (free_port(), free_port());
        std::fs::write(folder.join("site.toml"), site(sip, http)).expect("the site is written");
        let child = Switch::spawn(&folder);
        let mut switch = Switch { child, sip_port: sip, folder, api: Api { port: http, token: String::new() } };
        switch.wait_until_ready();
        switch
    }

    fn spawn(folder: &PathBuf) -> Child {
        let log = std::fs::File::options().create(true).append(true).open(folder.join("log")).expect("a log");
        Command::new(env!("CARGO_BIN_EXE_ringback"))
            .args(["serve", "--config", "site.toml", "--data", "data"])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the same log"))
            .stderr(log)
            .spawn()
            .expect("the binary starts")
    }

    fn wait_until_ready(&mut self) {
        wait_for("the switch to be ready", Duration::from_secs(10), || {
            if let Some(status) = self.child.try_wait().expect("a child") {
                panic!("the switch ended: {status}\n{}", self.log());
            }
            self.api.request("GET", "/readyz", "").filter(|(status, _)| *status == 200)
        });
        let token = std::fs::read_to_string(self.folder.join("data/admin.token")).expect("a token");
        self.api.token = token.trim().to_owned();
    }

    /// What it has logged and printed.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// `kill -9`, then a new life on the same data.
    pub fn kill_and_restart(&mut self) {
        self.child.kill().expect("it was running");
        self.child.wait().expect("a child");
        self.child = Switch::spawn(&self.folder);
        self.wait_until_ready();
    }

    /// SIGTERM; how it ended.
    pub fn terminate(mut self) -> std::process::ExitStatus {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
        let status =
            wait_for("the switch to drain", Duration::from_secs(10), || self.child.try_wait().expect("a child"));
        self.child = Command::new("true").spawn().expect("a stand-in that ends by itself");
        status
    }

    /// The state of the only callback.
    pub fn callback(&self) -> serde_json::Value {
        let mut callbacks = self.api.items("/callbacks");
        assert_eq!(callbacks.len(), 1, "one callback: {callbacks:?}");
        callbacks.remove(0)
    }

    /// Waits until the only callback is in this state.
    pub fn wait_for_callback(&self, state: &str, secs: u64) -> serde_json::Value {
        wait_for(&format!("a callback in state {state}"), Duration::from_secs(secs), || {
            self.api.items("/callbacks").into_iter().next().filter(|callback| callback["state"] == state)
        })
    }

    /// Waits until an agent is in this state.
    pub fn wait_for_agent(&self, name: &str, state: &str) {
        wait_for(&format!("{name} to be {state}"), Duration::from_secs(10), || {
            self.api.items("/agents").into_iter().find(|agent| agent["name"] == name && agent["state"] == state)
        });
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of {}\n{}", self.folder.display(), self.log());
        } else {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}
