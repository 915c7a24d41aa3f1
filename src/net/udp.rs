//! SIP over UDP (RFC 3261 §18): datagrams in, parsed off the switch's thread; bytes out.
//!
//! The switch's inbox is bounded: when it is full the newest message is dropped and counted, and the peer's timers send
//! it again. Every flow carries a concrete address of ours, the one the routing table uses towards that peer.

use super::admission::Admission;
use super::sockets::{self, Traffic, canonical, for_socket};
use crate::limits::{LOCAL_ADDRESSES, SIP_MESSAGE_BYTES};
use crate::run::clock::Clock;
use crate::sip::flow::{Flow, Received, Transport};
use crate::telemetry;
use bytes::Bytes;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

/// A route may change, when a link fails or an address is given anew: the table is asked again after so long.
const ROUTE_KNOWN: Duration = Duration::from_secs(30);

/// Our end of every SIP flow.
#[derive(Clone, Debug)]
pub struct SipSocket {
    socket: Arc<UdpSocket>,
    bound: SocketAddr,
    /// Which address of ours routes to a peer's, and when that was asked.
    locals: Arc<Mutex<HashMap<IpAddr, (IpAddr, Instant)>>>,
}

/// Why a message did not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// The message is lost as if on the way (a full buffer, a filter), and timers send it again.
    Lost,
    /// There is no way to this peer.
    Unreachable,
}

impl SipSocket {
    /// Binds; port 0 takes a free one.
    pub fn bind(address: SocketAddr) -> io::Result<SipSocket> {
        let socket = sockets::bind(address, Traffic::Sip)?;
        let bound = socket.local_addr()?;
        Ok(SipSocket { socket: Arc::new(socket), bound, locals: Arc::default() })
    }

    /// Where it is bound.
    pub fn bound(&self) -> SocketAddr {
        self.bound
    }

    /// The flow to and from `peer`.
    pub fn flow_to(&self, peer: SocketAddr) -> Flow {
        let peer = canonical(peer);
        let ip = canonical(self.bound).ip();
        let ip = if ip.is_unspecified() { self.local_towards(peer) } else { ip };
        Flow { transport: Transport::Udp, local: SocketAddr::new(ip, self.bound.port()), remote: peer }
    }

    fn local_towards(&self, peer: SocketAddr) -> IpAddr {
        let mut locals = self.locals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((local, asked)) = locals.get(&peer.ip())
            && asked.elapsed() < ROUTE_KNOWN
        {
            return *local;
        }
        // Without a route nothing will reach the peer anyway; the wildcard then only names the family.
        let local = sockets::local_ip_towards(peer).unwrap_or_else(|_| canonical(self.bound).ip());
        if locals.len() >= LOCAL_ADDRESSES {
            locals.clear(); // Strangers can fill it, and asking again costs microseconds.
        }
        locals.insert(peer.ip(), (local, Instant::now()));
        local
    }

    /// Sends at once or not at all.
    pub fn send(&self, flow: Flow, message: &[u8]) -> Result<(), SendError> {
        match self.socket.send_to(message, for_socket(self.bound, flow.remote)) {
            Ok(_) => Ok(()),
            Err(error) => {
                telemetry::SEND_FAILED.add(1);
                tracing::debug!(%error, %flow, "a SIP message did not leave");
                Err(if is_unreachable(&error) { SendError::Unreachable } else { SendError::Lost })
            }
        }
    }

    /// Reads until the inbox is closed. To be run on a tokio runtime.
    pub async fn receive(
        self,
        clock: Clock,
        mut admission: Admission,
        inbox: mpsc::Sender<Received>,
    ) -> io::Result<()> {
        let socket = tokio::net::UdpSocket::from_std(self.socket.try_clone()?)?;
        let mut buffer = vec![0; SIP_MESSAGE_BYTES + 1];
        loop {
            let received = tokio::select! {
                received = socket.recv_from(&mut buffer) => received,
                () = inbox.closed() => return Ok(()),
            };
            let (length, from) = match received {
                Ok(received) => received,
                Err(error) => {
                    tracing::debug!(%error, "a SIP datagram could not be read");
                    continue; // An ICMP error of an earlier send; the socket itself stays whole.
                }
            };
            if !admission.admits(clock.tick(), canonical(from).ip()) {
                telemetry::SOURCE_LIMITED.add(1);
                continue;
            }
            let Some(received) = self.read(&buffer[..length], from) else { continue };
            match inbox.try_send(received) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => telemetry::INBOX_FULL.add(1),
                Err(TrySendError::Closed(_)) => return Ok(()),
            }
        }
    }

    /// A datagram as the switch sees it; `None` for keep-alives, which are not messages (RFC 5626 §3.5.1).
    fn read(&self, datagram: &[u8], from: SocketAddr) -> Option<Received> {
        if datagram.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return None;
        }
        let datagram = Bytes::copy_from_slice(datagram);
        // Our own fault must cost one message, not the switch (security.md T1); the counter must stay 0.
        let flow = self.flow_to(from);
        let received = match std::panic::catch_unwind(|| Received::read(flow, datagram.clone())) {
            Ok(received) => received,
            Err(_panic) => {
                telemetry::PARSER_PANICS.add(1);
                tracing::error!(%from, octets = datagram.len(), "the parser gave up on a message");
                return None;
            }
        };
        Some(received)
    }
}

/// Whether sending the same again would fail the same way; anything else is a loss, which SIP's timers mend.
fn is_unreachable(error: &io::Error) -> bool {
    let too_large = error.raw_os_error() == Some(rustix::io::Errno::MSGSIZE.raw_os_error());
    too_large
        || matches!(
            error.kind(),
            io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::AddrNotAvailable
                | io::ErrorKind::ConnectionRefused
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_socket_names_the_address_that_routes_to_the_peer() {
        let socket = SipSocket::bind("0.0.0.0:0".parse().unwrap()).unwrap();

        let flow = socket.flow_to("127.0.0.1:5070".parse().unwrap());

        assert_eq!(flow.local, SocketAddr::from(([127, 0, 0, 1], socket.bound().port())));
    }

    #[test]
    fn keep_alives_are_not_messages() {
        let socket = SipSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();

        assert!(socket.read(b"\r\n\r\n", "127.0.0.1:5070".parse().unwrap()).is_none());
        assert!(socket.read(b"\0", "127.0.0.1:5070".parse().unwrap()).is_none());
    }

    #[test]
    fn what_is_sent_arrives_as_it_was() {
        let (a, b) = (bound(), bound());
        let flow = a.flow_to(b.bound());
        let mut buffer = [0; 64];

        a.send(flow, b"OPTIONS").unwrap();
        b.socket.set_nonblocking(false).unwrap();
        let (length, from) = b.socket.recv_from(&mut buffer).unwrap();

        assert_eq!((&buffer[..length], from), (&b"OPTIONS"[..], a.bound()));
    }

    #[test]
    fn only_what_fails_again_the_same_way_is_unreachable() {
        let a = bound();
        let too_large = a.send(a.flow_to(bound().bound()), &[b'x'; 70_000]);

        assert_eq!(too_large, Err(SendError::Unreachable));
        assert!(is_unreachable(&io::ErrorKind::NetworkUnreachable.into()));
        for kind in [io::ErrorKind::WouldBlock, io::ErrorKind::PermissionDenied, io::ErrorKind::OutOfMemory] {
            assert!(!is_unreachable(&kind.into()), "{kind}");
        }
    }

    fn bound() -> SipSocket {
        SipSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap()
    }
}
