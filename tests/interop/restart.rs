//! `kill -9` in the middle: promises, attempts and bindings are back, nobody is rung blindly again.

use crate::callback::{register, request};
use crate::pcap::{self, Part};
use crate::sipp::{Run, Sipp};
use crate::switch::{Site, Switch};
use crate::{free_port, wait_for};
use std::time::Duration;

#[test]
fn a_killed_switch_keeps_its_promise_and_its_phones_and_closes_what_was_open() {
    let (carrier_port, agent_port) = (free_port(), free_port());
    let site = Site {
        carrier_port,
        agents: &[("anna", "1001")],
        profile: "success_min_talk_secs = 0\nring_timeout_secs = 3\nagent_prompt = \"\"\ncustomer_prompt = \"\"",
        queue: "",
    };
    let mut switch = Switch::start("restart", &site);
    request(&switch, carrier_port);
    let promised = switch.callback();
    pcap::write(&switch.folder.join("tone.pcap"), &[Part::Tone(660, 30_000)]);
    let (folder, target) = (switch.folder.clone(), switch.sip_port);
    let run = |scenario, port, args| Sipp::start(&Run { folder: &folder, scenario, port, target, args });

    // Killed while the customer's phone rings; the CANCEL that stops it comes from the next life.
    let customer = run("rings_until_abandoned", carrier_port, &[]);
    register(&switch, agent_port, "1001");
    let agent = run("answers", agent_port, &[]);
    switch.wait_for_callback("customer_ringing", 20);
    switch.kill_and_restart();
    customer.succeeds(20);
    drop(agent);

    let back = switch.callback();
    assert_eq!(back["id"], promised["id"], "the promise is back");
    assert_eq!(back["attempts"][0]["outcome"], "system_restart", "{back}");
    assert_eq!(back["attempts_used"], 0, "a restart is not counted against the customer");
    assert!(
        back["held_by"].as_str().is_some_and(|why| why.contains("restart") || why.contains("before")),
        "its number is left alone for a while: {back}"
    );
    let phones = wait_for("the phone's binding", Duration::from_secs(5), || {
        switch.api.items("/agents").into_iter().next().map(|agent| agent["contacts"].as_array().map_or(0, Vec::len))
    });
    assert_eq!(phones, 1, "the phone is still known");

    let agent = run("answers", agent_port, &[]);
    let customer = run("answers_and_hangs_up", carrier_port, &["-d", "3000"]);
    customer.succeeds(40);
    agent.succeeds(10);
    let done = switch.wait_for_callback("completed", 5);
    assert_eq!(done["attempts"].as_array().map(Vec::len), Some(2), "{done}");
}
