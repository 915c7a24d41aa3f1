//! Sockets: SIP over UDP, RTP per leg.
