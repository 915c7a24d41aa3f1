//! Framing of SIP on streams (RFC 3261 §18.3).
