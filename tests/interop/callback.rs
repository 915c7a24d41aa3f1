//! Whole callbacks: a customer asks for one and hangs up, an agent becomes free, both are connected.

use crate::baresip::{Account, Baresip};
use crate::free_port;
use crate::pcap::{self, Part};
use crate::sipp::{Run, Sipp};
use crate::sound;
use crate::switch::{Site, Switch};
use std::path::Path;
use std::time::Duration;

const AGENT_HZ: u32 = 440;
const CUSTOMER_HZ: u32 = 660;

/// The request key, then `#` for the calling number, spread so that each prompt is interrupted.
pub fn request_keys(folder: &Path) {
    let parts = [Part::Silence(1_500), Part::Key('1'), Part::Silence(1_500), Part::Key('#'), Part::Silence(10_000)];
    pcap::write(&folder.join("keys.pcap"), &parts);
}

/// A phone of SIPp registers, so that the switch reaches it at `port`.
pub fn register(switch: &Switch, port: u16, extension: &str) {
    let secret = format!("secret-{extension}");
    let args = ["-s", extension, "-au", extension, "-ap", &secret];
    let run = Run { folder: &switch.folder, scenario: "registers", port, target: switch.sip_port, args: &args };
    Sipp::start(&run).succeeds(10);
}

/// A customer behind the carrier asks for a callback with SIPp; returns when the switch has said goodbye.
pub fn request(switch: &Switch, carrier_port: u16) {
    request_keys(&switch.folder);
    let run = Run {
        folder: &switch.folder,
        scenario: "caller_requests",
        port: carrier_port,
        target: switch.sip_port,
        args: &[],
    };
    Sipp::start(&run).succeeds(40);
}

/// A recording of ours, both channels, whole.
fn recording(switch: &Switch) -> Vec<Vec<i16>> {
    let record = crate::wait_for("the recording", Duration::from_secs(10), || {
        switch.api.items("/recordings").into_iter().find(|record| record["path"].is_string())
    });
    let path = switch.folder.join("data").join(record["path"].as_str().expect("a path"));
    assert_eq!(record["notice_played"], true, "the customer was told first");
    let channels = sound::read_channels(&path);
    assert_eq!(channels.len(), 2, "agent left, customer right");
    let id = record["id"].as_str().expect("an id");
    let (status, audio) =
        switch.api.request("GET", &format!("/api/v1/recordings/{id}/audio"), "").expect("the API answers");
    assert_eq!((status, audio), (200, std::fs::read(path).expect("the file")), "the API hands out the file");
    channels
}

#[test]
fn a_whole_callback_with_baresip_as_agent_and_as_customer() {
    let (carrier_port, agent_port) = (free_port(), free_port());
    let site = Site { carrier_port, agents: &[("anna", "1001")], profile: "success_min_talk_secs = 2", queue: "" };
    let switch = Switch::start("baresip", &site);
    let phone = |user, registers, codec, sip_port, tone| {
        let registrar_port = switch.sip_port;
        Baresip::start(
            &switch.folder,
            &Account { user, registrar_port, registers, codec, sip_port, tone, answers: true },
        )
    };
    let mut agent = phone("1001", true, "PCMU", agent_port, AGENT_HZ);
    let mut customer = phone("+12025550123", false, "PCMA", carrier_port, CUSTOMER_HZ);

    agent.tell("dial", "*46");
    agent.wait_for_event("CALL_CLOSED", 10);
    switch.wait_for_agent("anna", "not_ready");
    customer.tell("dial", "+12025550100");
    customer.wait_for_event("CALL_ESTABLISHED", 10);
    let hold = customer.wait_to_hear("hold music", is_music);
    customer.tell("sndcode", "1");
    // By the phone's own clock: the next key is another one, and interrupts the question that follows the first.
    customer.wait_to_hear("the question", |heard| heard.len() > hold.len() + 12_000);
    customer.tell("sndcode", "#");
    customer.wait_for_event("CALL_CLOSED", 20);
    let promised = switch.callback();
    assert_eq!((&promised["number"], &promised["state"]), (&"+12025550123".into(), &"due".into()), "{promised}");

    agent.tell("dial", "*46");
    agent.wait_for_event("CALL_CLOSED", 10);
    let talking = switch.wait_for_callback("talking", 20);
    assert_eq!(talking["attempts"].as_array().map(Vec::len), Some(1));
    agent.wait_to_hear("the customer", |heard| sound::seconds_of(heard, CUSTOMER_HZ) > 3.0);
    customer.wait_to_hear("the agent", |heard| sound::seconds_of(heard, AGENT_HZ) > 3.0);
    agent.tell("hangup", "");
    let done = switch.wait_for_callback("completed", 10);

    assert_eq!(done["attempts"][0]["outcome"], "success", "{done}");
    let tape = recording(&switch);
    assert!(sound::seconds_of(&tape[0], AGENT_HZ) > 2.0, "the agent is on the left");
    assert!(sound::seconds_of(&tape[1], CUSTOMER_HZ) > 2.0, "the customer is on the right");
    assert_ladder(&switch, &CALLBACK);
}

/// Half a second in which something is to be heard.
fn is_music(heard: &[i16]) -> bool {
    heard.iter().filter(|sample| sample.unsigned_abs() > 500).count() > 400 && heard.len() > 4_000
}

/// The callback as RFC 3665 would draw it: the agent first, then the customer. `joined` stands where the two are
/// bridged; 180 and the notice lie between.
const CALLBACK: [&str; 12] = [
    "ringback -> anna: INVITE",
    "anna -> ringback: 180 Ringing (INVITE)",
    "anna -> ringback: 200 OK (INVITE)",
    "ringback -> anna: ACK",
    "ringback -> carrier: INVITE",
    "carrier -> ringback: 180 Ringing (INVITE)",
    "carrier -> ringback: 200 OK (INVITE)",
    "ringback -> carrier: ACK",
    "ringback -> ringback: joined",
    "anna -> ringback: BYE",
    "ringback -> anna: 200 OK (BYE)",
    "ringback -> carrier: BYE",
];

fn assert_ladder(switch: &Switch, expected: &[&str]) {
    let calls = switch.api.items("/calls");
    let call = calls.iter().rfind(|call| call["kind"] == "callback").expect("the callback is a call");
    let call = switch.api.get(&format!("/calls/{}", call["id"].as_str().expect("an id")));
    let ladder: Vec<String> = call["ladder"]
        .as_array()
        .expect("a ladder")
        .iter()
        .map(|step| [&step["from"], &step["to"], &step["what"]].map(|word| word.as_str().expect("a word").to_owned()))
        .map(|[from, to, what]| format!("{from} -> {to}: {what}"))
        .filter(|step| !step.contains("100 Trying"))
        .collect();
    assert_eq!(&ladder[..expected.len().min(ladder.len())], expected, "{ladder:#?}");
}

#[test]
fn a_whole_callback_with_sipp_as_carrier_and_as_agent() {
    let (carrier_port, agent_port) = (free_port(), free_port());
    let site = Site { carrier_port, agents: &[("anna", "1001")], profile: "success_min_talk_secs = 1", queue: "" };
    let switch = Switch::start("sipp", &site);
    request(&switch, carrier_port);
    assert_eq!(switch.callback()["state"], "due");
    pcap::write(&switch.folder.join("tone.pcap"), &[Part::Tone(CUSTOMER_HZ, 30_000)]);
    let run = |scenario, port, args| {
        Sipp::start(&Run { folder: &switch.folder, scenario, port, target: switch.sip_port, args })
    };

    register(&switch, agent_port, "1001");
    let agent = run("answers", agent_port, &[]);
    let customer = run("answers_and_hangs_up", carrier_port, &["-d", "10000"]);

    customer.succeeds(40);
    agent.succeeds(10);
    let done = switch.wait_for_callback("completed", 5);
    assert_eq!(done["close_reason"], "success");
    let tape = recording(&switch);
    assert!(sound::seconds_of(&tape[1], CUSTOMER_HZ) > 1.0, "the customer is on the right");
    assert!(switch.terminate().success(), "SIGTERM drains and exits 0");
}

#[test]
fn busy_first_reached_second_by_a_declining_and_a_willing_agent() {
    let (carrier_port, first_port, second_port) = (free_port(), free_port(), free_port());
    let site = Site {
        carrier_port,
        agents: &[("anna", "1001"), ("ben", "1002")],
        profile: "success_min_talk_secs = 0\nintervals_secs = [0, 1]\nagent_prompt = \"\"\ncustomer_prompt = \"\"",
        queue: "",
    };
    let switch = Switch::start("busy", &site);
    request(&switch, carrier_port);
    pcap::write(&switch.folder.join("tone.pcap"), &[Part::Tone(CUSTOMER_HZ, 20_000)]);
    let run = |scenario, port, args| {
        Sipp::start(&Run { folder: &switch.folder, scenario, port, target: switch.sip_port, args })
    };

    // Anna declines; then Ben takes it, but the customer is busy; then both are there.
    let customer = run("refuses_486", carrier_port, &[]);
    register(&switch, first_port, "1001");
    run("refuses_486", first_port, &[]).succeeds(20);
    register(&switch, second_port, "1002");
    run("answers", second_port, &[]).succeeds(20);
    customer.succeeds(10);
    let customer = run("answers_and_hangs_up", carrier_port, &["-d", "3000"]);
    let agent = run("answers", second_port, &[]);
    customer.succeeds(30);
    agent.succeeds(10);

    let done = switch.wait_for_callback("completed", 5);
    let outcomes: Vec<&str> = done["attempts"]
        .as_array()
        .expect("attempts")
        .iter()
        .map(|attempt| attempt["outcome"].as_str().expect("each has ended"))
        .collect();
    assert_eq!(outcomes, ["agent_declined", "busy", "success"]);
    assert_eq!(done["attempts_used"], 2, "the agent's no costs the customer nothing");
}
