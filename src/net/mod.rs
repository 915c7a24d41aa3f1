//! The network: SIP and RTP sockets, and names that become addresses. It moves bytes and time; it decides nothing but
//! what it refuses to carry.

pub mod admission;
pub mod dns;
pub mod rtp;
pub mod sockets;
pub mod udp;
