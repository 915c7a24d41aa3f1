//! Host names become flows. Addresses need no lookup; names are asked of the system for A and AAAA, within a bound.

use super::udp::SipSocket;
use crate::limits::LOOKUP;
use crate::sip::flow::Flow;
use crate::switch::Wanted;
use std::net::{IpAddr, SocketAddr};

/// The flows to try, in the resolver's order; none when the name leads nowhere, or not in time.
pub async fn locate(socket: &SipSocket, wanted: &Wanted) -> Vec<Flow> {
    let host = wanted.host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(ip) = host.parse::<IpAddr>() {
        return flows(socket, [SocketAddr::new(ip, wanted.port)]);
    }
    match tokio::time::timeout(LOOKUP, tokio::net::lookup_host((host, wanted.port))).await {
        Ok(Ok(found)) => flows(socket, found),
        Ok(Err(error)) => {
            tracing::warn!(host = ?wanted.host, %error, "a host was not found");
            Vec::new()
        }
        Err(_elapsed) => {
            tracing::warn!(host = ?wanted.host, "a host was not found in time");
            Vec::new()
        }
    }
}

/// An IPv4 socket cannot reach IPv6, nor an IPv6 one with an address of its own IPv4: what it cannot send to is no way.
fn flows(socket: &SipSocket, found: impl IntoIterator<Item = SocketAddr>) -> Vec<Flow> {
    let dual = socket.bound().is_ipv6() && socket.bound().ip().is_unspecified();
    let fits = |address: &SocketAddr| dual || address.is_ipv4() == socket.bound().is_ipv4();
    found.into_iter().filter(fits).take(8).map(|address| socket.flow_to(address)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(host: &str) -> Vec<Flow> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let socket = SipSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        runtime.block_on(locate(&socket, &Wanted { host: host.into(), port: 5070 }))
    }

    #[test]
    fn an_address_needs_no_lookup_and_a_name_leads_to_its_addresses() {
        assert_eq!(look("127.0.0.9")[0].remote, "127.0.0.9:5070".parse().unwrap());
        assert_eq!(look("localhost")[0].remote, "127.0.0.1:5070".parse().unwrap());
    }

    #[test]
    fn what_the_socket_cannot_reach_is_no_way() {
        assert_eq!(look("[::1]"), []);
        assert_eq!(look("no such host"), []);
    }
}
