//! Interoperation: the real binary against SIPp and baresip on loopback, over UDP with G.711 and telephone-event.
//! These tests need `sip-tester` and `baresip`, and fail when a tool is missing. They run one at a time: baresip takes
//! a good part of a core, and what is measured is behaviour, not speed.

mod api;
mod baresip;
mod callback;
mod hostile;
mod pcap;
mod queue;
mod restart;
mod sipp;
mod sound;
mod switch;
mod talks;

use std::time::{Duration, Instant};

/// Waits until `holds` gives something, or fails naming what was awaited.
fn wait_for<T>(what: &str, limit: Duration, mut holds: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = holds() {
            return found;
        }
        assert!(begun.elapsed() < limit, "waited {limit:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A UDP and TCP port of loopback that was free a moment ago; even, so that the next one can be RTCP.
fn free_port() -> u16 {
    use std::sync::atomic::{AtomicU16, Ordering};
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let offset = u16::try_from(std::process::id() % 200).expect("below 200") * 20;
    loop {
        let port = 26_000 + (offset + NEXT.fetch_add(4, Ordering::Relaxed)) % 5_000;
        let port = port & !1;
        let is_free = std::net::UdpSocket::bind(("127.0.0.1", port)).is_ok()
            && std::net::UdpSocket::bind(("127.0.0.1", port + 1)).is_ok()
            && std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
        if is_free {
            return port;
        }
    }
}
