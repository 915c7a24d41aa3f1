//! UDP sockets as we want them: large buffers, marked for their traffic, and IPv4 inside IPv6 made invisible.

use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

/// What a socket carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// Signalling: DSCP CS3 (RFC 4594 §2.3).
    Sip,
    /// Voice: DSCP EF (RFC 3246).
    Voice,
}

impl Traffic {
    const fn tos(self) -> u32 {
        match self {
            Traffic::Sip => 24 << 2,
            Traffic::Voice => 46 << 2,
        }
    }

    /// A burst of SIP is thousands of messages; a leg's socket holds a second of packets while its shard is late.
    const fn buffer_bytes(self) -> usize {
        match self {
            Traffic::Sip => 4 * 1024 * 1024,
            Traffic::Voice => 64 * 1024,
        }
    }
}

/// A non-blocking socket at `address`; an IPv6 wildcard takes IPv4 as well.
pub fn bind(address: SocketAddr, traffic: Traffic) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    // Buffers and marks are wishes: a system that grants less is slower under load, not wrong.
    let wishes = [
        socket.set_recv_buffer_size(traffic.buffer_bytes()),
        socket.set_send_buffer_size(traffic.buffer_bytes()),
        if address.is_ipv6() { socket.set_tclass_v6(traffic.tos()) } else { socket.set_tos_v4(traffic.tos()) },
    ];
    for refused in wishes.into_iter().filter_map(Result::err) {
        tracing::debug!(%refused, "a socket option was refused");
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// How `to` is written for a socket bound at `local`: a dual-stack socket takes IPv4 only as `::ffff:a.b.c.d`.
pub fn for_socket(local: SocketAddr, to: SocketAddr) -> SocketAddr {
    match (local, to.ip()) {
        (SocketAddr::V6(_), IpAddr::V4(v4)) => SocketAddr::new(v4.to_ipv6_mapped().into(), to.port()),
        (SocketAddr::V6(_), IpAddr::V6(_)) | (SocketAddr::V4(_), _) => to,
    }
}

/// The address people would write.
pub fn canonical(from: SocketAddr) -> SocketAddr {
    SocketAddr::new(from.ip().to_canonical(), from.port())
}

/// The address of ours from which packets to `peer` leave: a connected UDP socket is asked, nothing is sent.
pub fn local_ip_towards(peer: SocketAddr) -> io::Result<IpAddr> {
    let any: SocketAddr = if peer.is_ipv4() { ([0; 4], 0).into() } else { ([0u16; 8], 0).into() };
    let socket = UdpSocket::bind(any)?;
    socket.connect(peer)?;
    Ok(socket.local_addr()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dual_stack_socket_hears_ipv4_under_its_own_name() {
        let Ok(wide) = bind("[::]:0".parse().unwrap(), Traffic::Sip) else { return }; // No IPv6 here.
        let phone = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = wide.local_addr().unwrap().port();
        wide.set_nonblocking(false).unwrap();

        phone.send_to(b"hello", ("127.0.0.1", port)).unwrap();
        let (_, from) = wide.recv_from(&mut [0; 16]).unwrap();

        assert_eq!(canonical(from), phone.local_addr().unwrap());
        assert_eq!(canonical(for_socket(wide.local_addr().unwrap(), canonical(from))), phone.local_addr().unwrap());
    }

    #[test]
    fn the_way_to_loopback_leaves_from_loopback() {
        assert_eq!(local_ip_towards("127.0.0.1:5060".parse().unwrap()).unwrap(), IpAddr::from([127, 0, 0, 1]));
    }
}
