#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| ringback_fuzz::store_frame(octets));
