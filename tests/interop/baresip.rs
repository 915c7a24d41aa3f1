//! baresip as a phone: it plays a tone, keeps what it hears, and is driven over its control socket (netstrings of
//! JSON).

use crate::{free_port, sound, wait_for};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A baresip process.
pub struct Baresip {
    child: Child,
    control: TcpStream,
    unread: Vec<u8>,
    pub folder: PathBuf,
}

/// What kind of phone.
pub struct Account<'a> {
    /// User part; the agent's extension, or the customer's number.
    pub user: &'a str,
    /// Where the switch is.
    pub registrar_port: u16,
    /// Registers with `secret-USER`; otherwise it is somebody behind the carrier.
    pub registers: bool,
    /// PCMU or PCMA.
    pub codec: &'a str,
    /// Its SIP port.
    pub sip_port: u16,
    /// The tone it plays, in hertz.
    pub tone: u32,
    /// Whether it answers by itself.
    pub answers: bool,
}

impl Baresip {
    pub fn start(folder: &Path, account: &Account<'_>) -> Baresip {
        let folder = folder.join(format!("baresip-{}", account.user));
        std::fs::create_dir_all(&folder).expect("a folder for the phone");
        sound::write_tone(&folder.join("tone.wav"), account.tone, 60);
        let control_port = free_port();
        std::fs::write(folder.join("config"), config(&folder, account, control_port)).expect("its config");
        std::fs::write(folder.join("contacts"), "").expect("no contacts");
        let Account { user, registrar_port, codec, .. } = account;
        let registration = if account.registers { "regint=120" } else { "regint=0" };
        let mode = if account.answers { "auto" } else { "manual" };
        let line = format!(
            "<sip:{user}@127.0.0.1:{registrar_port}>;auth_user={user};auth_pass=secret-{user};{registration};\
             audio_codecs={codec}/8000/1;ptime=20;answermode={mode}\n"
        );
        std::fs::write(folder.join("accounts"), line).expect("its account");
        let log = std::fs::File::create(folder.join("log")).expect("a log");
        let child = Command::new("baresip")
            .arg("-f")
            .arg(&folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the same log"))
            .stderr(log)
            .spawn()
            .expect("baresip is installed");
        let control = wait_for("baresip's control socket", Duration::from_secs(10), || {
            TcpStream::connect(("127.0.0.1", control_port)).ok()
        });
        control.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout");
        let phone = Baresip { child, control, unread: Vec::new(), folder };
        if account.registers {
            // It may have happened before we listened: the log knows.
            wait_for("baresip to register", Duration::from_secs(10), || {
                std::fs::read_to_string(phone.folder.join("log")).ok().filter(|log| log.contains("200 OK"))
            });
        }
        phone
    }

    /// Gives a command.
    pub fn tell(&mut self, command: &str, params: &str) {
        let message = json!({ "command": command, "params": params, "token": "t" }).to_string();
        write!(self.control, "{}:{message},", message.len()).expect("baresip listens");
    }

    /// Waits for an event of this type.
    pub fn wait_for_event(&mut self, kind: &str, secs: u64) -> Value {
        wait_for(&format!("{kind} at {}", self.folder.display()), Duration::from_secs(secs), || {
            while let Some(message) = self.read() {
                if message["type"] == kind {
                    return Some(message);
                }
            }
            None
        })
    }

    fn read(&mut self) -> Option<Value> {
        let mut chunk = [0; 8192];
        if let Ok(count) = self.control.read(&mut chunk) {
            self.unread.extend_from_slice(&chunk[..count]);
        }
        let colon = self.unread.iter().position(|byte| *byte == b':')?;
        let length: usize = std::str::from_utf8(&self.unread[..colon]).ok()?.parse().ok()?;
        if self.unread.len() < colon + length + 2 {
            return None;
        }
        let message = serde_json::from_slice(&self.unread[colon + 1..colon + 1 + length]).expect("JSON");
        self.unread.drain(..colon + length + 2);
        Some(message)
    }

    /// Waits until what it has heard in its last call is enough.
    pub fn wait_to_hear(&self, what: &str, enough: impl Fn(&[i16]) -> bool) -> Vec<i16> {
        wait_for(&format!("{what} at {}", self.folder.display()), Duration::from_secs(20), || {
            self.heard_so_far().filter(|heard| enough(heard))
        })
    }

    /// What it has heard in its last call, of which there may be nothing yet.
    fn heard_so_far(&self) -> Option<Vec<i16>> {
        let mut files: Vec<PathBuf> = std::fs::read_dir(&self.folder)
            .expect("its folder")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.to_string_lossy().ends_with("-dec.wav"))
            .collect();
        files.sort();
        files.last().map(|file| sound::read_first_channel(file))
    }
}

impl Drop for Baresip {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            let log: String = log.chars().filter(|c| *c != '\r').collect();
            eprintln!("--- {}\n{}", self.folder.display(), &log[log.len().saturating_sub(3000)..]);
        }
    }
}

fn config(folder: &Path, account: &Account<'_>, control_port: u16) -> String {
    let folder = folder.display();
    let sip_port = account.sip_port;
    let rtp = 20_000 + (sip_port % 5_000) * 2 % 5_000;
    let last = rtp + 18;
    format!(
        "poll_method epoll\n\
         sip_listen 127.0.0.1:{sip_port}\n\
         call_local_timeout 120\n\
         call_max_calls 4\n\
         audio_path {folder}\n\
         audio_player aubridge,none\n\
         audio_source aufile,{folder}/tone.wav\n\
         audio_alert aubridge,none\n\
         ausrc_srate 8000\nauplay_srate 8000\nausrc_channels 1\nauplay_channels 1\n\
         audio_txmode poll\naudio_level no\n\
         rtp_ports {rtp}-{last}\nrtcp_mux no\njitter_buffer_delay 5-10\n\
         module_path /usr/lib/baresip/modules\n\
         module g711.so\nmodule aufile.so\nmodule aubridge.so\nmodule sndfile.so\n\
         snd_path {folder}\n\
         module_tmp account.so\n\
         module_app menu.so\nmodule_app ctrl_tcp.so\nmodule_app debug_cmd.so\n\
         ctrl_tcp_listen 127.0.0.1:{control_port}\n"
    )
}
