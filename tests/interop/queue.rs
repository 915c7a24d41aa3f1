//! Live calls through the queue.

use crate::callback::register;
use crate::free_port;
use crate::pcap::{self, Part};
use crate::sipp::{Run, Sipp};
use crate::switch::{Site, Switch};

#[test]
fn a_caller_waits_and_talks_to_the_next_agent_after_one_who_does_not_answer() {
    let (carrier_port, first_port, second_port) = (free_port(), free_port(), free_port());
    let agents = &[("anna", "1001"), ("ben", "1002")];
    let switch = Switch::start("queue", &Site { carrier_port, agents, profile: "", queue: "ring_secs = 5" });
    pcap::write(&switch.folder.join("tone.pcap"), &[Part::Tone(660, 30_000)]);
    let run = |scenario, port, args| {
        Sipp::start(&Run { folder: &switch.folder, scenario, port, target: switch.sip_port, args })
    };
    register(&switch, first_port, "1001");
    register(&switch, second_port, "1002");

    let silent = run("rings_until_cancelled", first_port, &[]);
    let willing = run("answers", second_port, &[]);
    let caller = run("caller_talks", carrier_port, &["-d", "12000"]);

    silent.succeeds(20);
    caller.succeeds(30);
    willing.succeeds(10);
    let calls = switch.api.items("/calls");
    let call = calls.iter().find(|call| call["kind"] == "inbound").expect("the call");
    assert_eq!((&call["agent"], &call["end_cause"]), (&"ben".into(), &"caller_hung_up".into()), "{call}");
    assert!(switch.api.items("/callbacks").is_empty(), "nobody asked for a callback");
}
