//! Attack messages at the door (security.md T1–T4, T8): what the reader says, how large its answers are, how long it
//! takes.

use crate::corpus;
use bytes::Bytes;
use ringback::sip::framing::Framer;
use ringback::sip::message::{HeaderName, Message};
use std::time::{Duration, Instant};

/// The verdict on each datagram that is refused; all others are read.
const REFUSED: &[(&str, Option<u16>)] = &[
    ("hdr-ctl-before-colon.sip", Some(400)),
    ("hdr-no-colon.sip", Some(400)),
    ("hdr-empty-name.sip", Some(400)),
    ("hdr-nul-in-value.sip", Some(400)),
    ("hdr-cr-only.sip", None),
    ("hdr-lf-only.sip", Some(400)),
    ("udp-4-nul.sip", None),
    ("udp-stun.sip", None),
    ("many-via-1000.sip", Some(513)),
    ("many-contact-1000-register.sip", Some(513)),
    ("many-params-5000.sip", Some(400)),
    ("fold-4000.sip", Some(513)),
    ("quote-backslash-60k.sip", Some(400)),
    ("route-500.sip", Some(513)),
    ("cseq-long-method.sip", Some(400)),
    ("cseq-2147483648.sip", Some(400)),
    ("cseq-4294967295.sip", Some(400)),
    ("cseq--1.sip", Some(400)),
    ("cseq-1e3.sip", Some(400)),
    ("cseq-0x10.sip", Some(400)),
    ("digest-huge-16k.sip", Some(400)),
];

#[test]
fn every_datagram_gets_the_readers_verdict_and_no_amplified_answer() {
    for case in corpus::attacks().iter().filter(|case| case.name.ends_with(".sip")) {
        let expected = REFUSED.iter().find(|(name, _)| *name == case.name);
        match (Message::parse(&Bytes::from(case.octets.clone())), expected) {
            (Ok(read), None) => assert_eq!(Message::parse(&read.to_bytes()).as_ref(), Ok(&read), "{}", case.name),
            (Err(malformed), Some((_, status))) => {
                assert_eq!(malformed.status, *status, "{}: {}", case.name, malformed.why);
                let answer = malformed.answer.map_or(0, |answer| answer.len());
                assert!(answer <= case.octets.len().max(640), "{}: {answer}", case.name);
            }
            (Ok(_), Some(_)) => panic!("{} was read", case.name),
            (Err(malformed), None) => panic!("{}: {}", case.name, malformed.why),
        }
    }
}

#[test]
fn no_message_takes_more_than_five_milliseconds() {
    // The least of some runs, because other tests share the processor. An unoptimised build may take ten times as long.
    let limit = Duration::from_millis(if cfg!(debug_assertions) { 50 } else { 5 });
    for case in corpus::attacks() {
        let datagram = Bytes::from(case.octets);
        let spent = (0..5).map(|_| {
            let began = Instant::now();
            drop(Message::parse(&datagram));
            began.elapsed()
        });
        assert!(spent.min().is_some_and(|least| least < limit), "{}", case.name);
    }
}

#[test]
fn a_control_character_before_the_colon_makes_no_to() {
    let case = corpus::attack("hdr-ctl-before-colon.sip");

    let malformed = Message::parse(&Bytes::from(case.octets)).unwrap_err();

    let answer = String::from_utf8(malformed.answer.unwrap().to_vec()).unwrap();
    assert!(!answer.contains("tag=known"), "{answer}");
}

#[test]
fn blanks_before_the_colon_change_no_name() {
    for name in ["hdr-space-before-colon.sip", "hdr-tab-before-colon.sip"] {
        let case = corpus::attack(name);
        let read = Message::parse(&Bytes::from(case.octets)).unwrap();
        assert_eq!(read.headers().get(HeaderName::from("x-ringback-trusted")).unwrap(), "yes");
    }
}

#[test]
fn octets_that_are_not_utf_8_become_replacement_characters() {
    for name in ["text-badutf8.sip", "text-overlong.sip"] {
        let case = corpus::attack(name);
        let read = Message::parse(&Bytes::from(case.octets)).unwrap();
        assert!(read.headers().from().display().contains('\u{fffd}'), "{name}");
    }
}

/// Streams: the first message's verdict; no second message ever comes out after a lie.
#[test]
fn every_stream_gets_the_framers_verdict_however_it_is_cut() {
    for (name, verdict) in [
        ("tcp-cl-plus.tcp", Err(Some(400))),
        ("tcp-cl-list.tcp", Err(Some(400))),
        ("tcp-cl-exp.tcp", Err(Some(400))),
        ("tcp-cl-empty.tcp", Err(Some(400))),
        ("tcp-cl-space.tcp", Err(Some(400))),
        ("tcp-cl-2e32.tcp", Err(Some(413))),
        ("tcp-cl-2e64.tcp", Err(Some(413))),
        ("tcp-cl-9999999.tcp", Err(Some(413))),
        ("tcp-two-cl-diff.tcp", Err(Some(400))),
        ("tcp-cl-missing.tcp", Err(Some(400))),
        ("tcp-tls-clienthello.tcp", Err(None)),
        ("tcp-headers-only-slow.tcp", Ok(0)),
        ("tcp-crlf-64k.tcp", Ok(16_384)),
    ] {
        let case = corpus::attack(name);
        for size in [1, 3, 100, case.octets.len()] {
            assert_eq!(frames(&case.octets, size), verdict, "{name} in pieces of {size}");
        }
    }
}

/// `tcp-cl-short` says 5 octets: the rest of its body is read as a next message and breaks the stream.
#[test]
fn a_body_beyond_its_length_breaks_the_stream_after_the_first_message() {
    let case = corpus::attack("tcp-cl-short.tcp");
    let mut framer = Framer::default();
    framer.push(&case.octets);

    assert!(framer.next_frame().unwrap().is_some());
    assert!(framer.next_frame().is_err());
    assert_eq!(framer.next_frame(), Ok(None));
}

fn frames(octets: &[u8], size: usize) -> Result<usize, Option<u16>> {
    let (mut framer, mut count) = (Framer::default(), 0);
    for piece in octets.chunks(size) {
        framer.push(piece);
        while let Some(_frame) = framer.next_frame().map_err(|malformed| malformed.status)? {
            count += 1;
        }
    }
    Ok(count)
}
