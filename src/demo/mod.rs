//! Simulated people, phones and a carrier, with their own small SIP codec.
