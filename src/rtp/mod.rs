//! RTP (RFC 3550): packets, streams, sources, key presses, RTCP.
