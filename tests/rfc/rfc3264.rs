//! RFC 3264: offers as peers make them, and what we answer.

use ringback::sdp::answer::{Negotiated, NotAcceptable, OfferWanted, Session, accept, answer, answer_disabled, offer};
use ringback::sdp::{Description, Direction, SdpError};
use ringback::settings::Codec;
use std::net::{IpAddr, SocketAddr};

const OURS: [Codec; 2] = [Codec::Pcmu, Codec::Pcma];
const SESSION: Session = Session { id: 4_711, version: 1 };

fn us() -> IpAddr {
    "192.0.2.10".parse().unwrap()
}

fn parse(text: &str) -> Description {
    Description::parse(text.as_bytes()).unwrap_or_else(|why| panic!("{why:?}: {text}"))
}

fn answered(text: &str) -> Result<Negotiated, NotAcceptable> {
    answer(&parse(text), &OURS, us(), 20_000, SESSION)
}

/// An offer with these media lines, from 198.51.100.7.
fn described(media: &str) -> String {
    format!("v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n{media}")
}

fn body(negotiated: &Negotiated) -> String {
    String::from_utf8(negotiated.body.to_vec()).unwrap()
}

#[test]
fn offers_and_what_is_agreed() {
    use Codec::{Pcma, Pcmu};
    let event = "a=rtpmap:101 telephone-event/8000\r\n";
    // Media lines; codec and payload type; telephone-event; samples a frame.
    let table: &[(&str, Codec, u8, Option<u8>, u16)] = &[
        ("m=audio 4000 RTP/AVP 0\r\n", Pcmu, 0, None, 160),
        ("m=audio 4000 RTP/AVP 8 0\r\n", Pcma, 8, None, 160),
        (&format!("m=audio 4000 RTP/AVP 9 8 101\r\n{event}"), Pcma, 8, Some(101), 160),
        ("m=audio 4000 RTP/AVP 0 96\r\na=rtpmap:96 telephone-event/8000\r\n", Pcmu, 0, Some(96), 160),
        ("m=audio 4000 RTP/AVP 97\r\na=rtpmap:97 pcmu/8000\r\n", Pcmu, 97, None, 160),
        ("m=audio 4000 RTP/AVP 98 0\r\na=rtpmap:98 PCMA/8000/1\r\n", Pcma, 98, None, 160),
        // A static number may be mapped to something else; a number that is not in the list means nothing.
        ("m=audio 4000 RTP/AVP 0 8\r\na=rtpmap:0 L16/8000\r\n", Pcma, 8, None, 160),
        (&format!("m=audio 4000 RTP/AVP 0\r\n{event}"), Pcmu, 0, None, 160),
        // Events on another clock belong to another codec (RFC 4733 §2.1).
        ("m=audio 4000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/48000\r\n", Pcmu, 0, None, 160),
        // Junk beside something usable.
        ("m=audio 4000 RTP/AVP 9 0 101 -1 65536 x \u{fffd}\r\na=rtpmap:\r\na=rtpmap:0\r\n", Pcmu, 0, None, 160),
        ("m=audio 4000 RTP/AVP 0\r\na=fmtp:\r\na=fmtp:999999999999 x\r\na=group:BUNDLE 0\r\n", Pcmu, 0, None, 160),
        // Packet times.
        ("m=audio 4000 RTP/AVP 0\r\na=ptime:30\r\n", Pcmu, 0, None, 240),
        ("m=audio 4000 RTP/AVP 0\r\na=ptime:10\r\n", Pcmu, 0, None, 80),
        ("m=audio 4000 RTP/AVP 0\r\na=ptime:0\r\n", Pcmu, 0, None, 160),
        ("m=audio 4000 RTP/AVP 0\r\na=ptime:25\r\n", Pcmu, 0, None, 160),
        ("m=audio 4000 RTP/AVP 0\r\na=ptime:99999\r\n", Pcmu, 0, None, 160),
        // Feedback is optional, a key beside plain RTP too.
        ("m=audio 4000 RTP/AVPF 0\r\n", Pcmu, 0, None, 160),
        ("m=audio 4000 RTP/AVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA\r\n", Pcmu, 0, None, 160),
    ];

    for (media, codec, payload_type, dtmf, samples) in table {
        let agreed = answered(&described(media)).unwrap_or_else(|why| panic!("{why:?}: {media}"));

        assert_eq!((agreed.format.codec, agreed.format.payload_type), (*codec, *payload_type), "{media}");
        assert_eq!((agreed.format.dtmf_send, agreed.format.dtmf_receive), (*dtmf, *dtmf), "{media}");
        assert_eq!(agreed.format.frame_samples, *samples, "{media}");
        assert_eq!(agreed.remote, Some("198.51.100.7:4000".parse().unwrap()), "{media}");
        assert_eq!(agreed.direction, Direction::SendRecv, "{media}");
    }
}

#[test]
fn offers_we_cannot_take_say_why() {
    let table = [
        ("", NotAcceptable::NoAudio),
        ("m=video 4000 RTP/AVP 96\r\n", NotAcceptable::NoAudio),
        ("m=audio 4000 RTP/AVP 9 18\r\n", NotAcceptable::NoCommonCodec),
        ("m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 PCMU/16000\r\n", NotAcceptable::NoCommonCodec),
        ("m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 PCMU/8000/2\r\n", NotAcceptable::NoCommonCodec),
        ("m=audio 4000 RTP/SAVP 0\r\n", NotAcceptable::Secured),
        ("m=audio 4000 RTP/SAVP 0\r\na=crypto:1\r\n", NotAcceptable::Secured),
        ("m=audio 4000 UDP/TLS/RTP/SAVPF 0\r\n", NotAcceptable::Secured),
        ("m=audio 0 RTP/AVP 0\r\n", NotAcceptable::Disabled),
    ];

    for (media, why) in table {
        assert_eq!(answered(&described(media)), Err(why), "{media}");
    }
}

#[test]
fn bodies_that_are_no_descriptions_are_refused() {
    let many = |line: &str, times: usize| described(&line.repeat(times));
    let table = [
        (String::new(), SdpError::NoVersion),
        ("hello\r\n".to_owned(), SdpError::NoVersion),
        ("o=- 1 1 IN IP4 192.0.2.1\r\nv=0\r\n".to_owned(), SdpError::NoVersion),
        (described("m=audio -1 RTP/AVP 0\r\n"), SdpError::BadMedia),
        (described("m=audio 65536 RTP/AVP 0\r\n"), SdpError::BadMedia),
        (described("m=audio 40000/65535 RTP/AVP 0\r\n"), SdpError::BadMedia),
        (described("m=audio 4000/0 RTP/AVP 0\r\n"), SdpError::BadMedia),
        (described("m=audio 4000 RTP/AVP\r\n"), SdpError::BadMedia),
        (described("m=\r\n"), SdpError::BadMedia),
        (many("m=audio 4000 RTP/AVP 0\r\n", 9), SdpError::TooManyMedia),
        (many("a=x\r\n", 600), SdpError::TooManyLines),
        (many(&format!("a={}\r\n", "x".repeat(1_000)), 17), SdpError::TooLong),
    ];

    for (text, why) in table {
        assert_eq!(Description::parse(text.as_bytes()), Err(why), "{}", &text[..text.len().min(200)]);
    }
}

#[test]
fn every_media_line_is_answered_in_its_place() {
    let agreed = answered(&described(
        "m=image 4010 udptl t38\r\nm=audio 4004 RTP/SAVP 0\r\nm=audio 4000 RTP/AVP 18 0 101\r\n\
         a=rtpmap:101 telephone-event/8000\r\nm=video 4002 RTP/AVP 96 97\r\nm=audio 4006 RTP/AVP 8\r\n",
    ))
    .unwrap();

    let text = body(&agreed);
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("m=")).collect();
    assert_eq!(
        lines,
        [
            "m=image 0 udptl t38",
            "m=audio 0 RTP/SAVP 0",
            "m=audio 20000 RTP/AVP 0 101",
            "m=video 0 RTP/AVP 96",
            "m=audio 0 RTP/AVP 8",
        ]
    );
}

#[test]
fn the_answer_to_a_plain_offer_is_this_text() {
    let agreed = answered(&described("m=audio 4000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n")).unwrap();

    assert_eq!(
        body(&agreed),
        "v=0\r\no=- 4711 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n\
         m=audio 20000 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
         a=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
    );
}

#[test]
fn hold_in_all_its_forms_is_mirrored() {
    let audio = "m=audio 4000 RTP/AVP 0\r\n";
    // Session-level attribute, media-level lines; our direction; whether media may go somewhere.
    let table = [
        ("", "", Direction::SendRecv, true),
        ("", "a=sendonly\r\n", Direction::RecvOnly, true),
        ("", "a=recvonly\r\n", Direction::SendOnly, true),
        ("", "a=inactive\r\n", Direction::Inactive, true),
        ("a=sendonly\r\n", "", Direction::RecvOnly, true),
        ("a=inactive\r\n", "a=sendrecv\r\n", Direction::SendRecv, true),
        ("", "c=IN IP4 0.0.0.0\r\n", Direction::RecvOnly, false),
        ("", "c=IN IP4 0.0.0.0\r\na=inactive\r\n", Direction::Inactive, false),
        ("", "c=IN IP4 0.0.0.0\r\na=recvonly\r\n", Direction::Inactive, false),
        ("", "c=IN IP6 ::\r\n", Direction::RecvOnly, false),
    ];

    for (session, media, ours, sendable) in table {
        let agreed = answered(&described(&format!("{session}{audio}{media}"))).unwrap();

        assert_eq!(agreed.direction, ours, "{session}{media}");
        assert_eq!(agreed.remote.is_some(), sendable, "{session}{media}");
        assert!(body(&agreed).contains(&format!("a={}\r\n", ours.attribute())), "{session}{media}");
    }
}

#[test]
fn an_ended_stream_is_answered_with_port_zero() {
    let offered = parse(&described("m=audio 0 RTP/AVP 0 8\r\n"));

    let text = answer_disabled(&offered, us(), SESSION);

    assert!(text.ends_with(b"t=0 0\r\nm=audio 0 RTP/AVP 0\r\n"));
}

#[test]
fn media_never_goes_where_no_phone_is() {
    for address in ["255.255.255.255", "224.1.2.3/127", "169.254.169.254", "0.1.2.3", "250.0.0.1", "phone.example.com"]
    {
        let agreed = answered(&described(&format!("m=audio 4000 RTP/AVP 0\r\nc=IN IP4 {address}\r\n"))).unwrap();
        assert_eq!(agreed.remote, None, "{address}");
    }
    for address in ["ff02::1", "fe80::1", "::ffff:255.255.255.255"] {
        let agreed = answered(&described(&format!("m=audio 4000 RTP/AVP 0\r\nc=IN IP6 {address}\r\n"))).unwrap();
        assert_eq!(agreed.remote, None, "{address}");
    }
    let ourselves = answered(&described("m=audio 20000 RTP/AVP 0\r\nc=IN IP4 192.0.2.10\r\n")).unwrap();
    assert_eq!(ourselves.remote, None);
}

#[test]
fn addresses_of_the_session_the_stream_and_both_families_are_found() {
    let session = answered("v=0\nc=IN IP6 2001:db8::7\nm=audio 4000 RTP/AVP 0").unwrap();
    let stream = answered(&described("m=audio 4000 RTP/AVP 0\r\nc=IN IP4 203.0.113.9\r\n")).unwrap();
    let other = answered(&described("m=video 1 RTP/AVP 31\r\nc=IN IP4 203.0.113.9\r\nm=audio 4000 RTP/AVP 0\r\n"));

    assert_eq!(session.remote, Some("[2001:db8::7]:4000".parse::<SocketAddr>().unwrap()));
    assert_eq!(stream.remote, Some("203.0.113.9:4000".parse().unwrap()));
    assert_eq!(other.unwrap().remote, Some("198.51.100.7:4000".parse().unwrap()));
}

#[test]
fn an_offer_over_ipv6_names_its_family() {
    let wanted = OfferWanted {
        address: "2001:db8::1".parse().unwrap(),
        port: 20_000,
        codecs: &OURS,
        dtmf: true,
        session: Session { id: 7, version: 3 },
        direction: Direction::SendOnly,
    };

    assert_eq!(
        String::from_utf8(offer(&wanted).to_vec()).unwrap(),
        "v=0\r\no=- 7 3 IN IP6 2001:db8::1\r\ns=-\r\nc=IN IP6 2001:db8::1\r\nt=0 0\r\n\
         m=audio 20000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendonly\r\n"
    );
}

fn our_offer(direction: Direction) -> Vec<u8> {
    let wanted = OfferWanted { address: us(), port: 20_000, codecs: &OURS, dtmf: true, session: SESSION, direction };
    offer(&wanted).to_vec()
}

#[test]
fn answers_to_our_offer_are_read() {
    let sent = our_offer(Direction::SendRecv);
    let event = "a=rtpmap:101 telephone-event/8000\r\n";

    let both = accept(&sent, &parse(&described(&format!("m=audio 4000 RTP/AVP 8 0 101\r\n{event}")))).unwrap();
    assert_eq!((both.format.codec, both.format.payload_type), (Codec::Pcma, 8));
    assert_eq!((both.format.dtmf_send, both.format.dtmf_receive), (Some(101), Some(101)));
    assert_eq!((both.remote, both.direction), (Some("198.51.100.7:4000".parse().unwrap()), Direction::SendRecv));

    let without = accept(&sent, &parse(&described("m=audio 4000 RTP/AVP 0\r\na=ptime:40\r\n"))).unwrap();
    assert_eq!((without.format.dtmf_send, without.format.frame_samples), (None, 320));

    let renumbered =
        accept(&sent, &parse(&described("m=audio 4000 RTP/AVP 0 97\r\na=rtpmap:97 telephone-event/8000\r\n"))).unwrap();
    assert_eq!((renumbered.format.dtmf_send, renumbered.format.dtmf_receive), (Some(97), Some(101)));

    for (media, why) in [
        ("", NotAcceptable::NoAudio),
        ("m=video 4000 RTP/AVP 0\r\n", NotAcceptable::NoAudio),
        ("m=audio 0 RTP/AVP 0\r\n", NotAcceptable::Disabled),
        ("m=audio 4000 RTP/SAVP 0\r\n", NotAcceptable::Secured),
        ("m=audio 4000 RTP/AVP 9\r\n", NotAcceptable::NoCommonCodec),
    ] {
        assert_eq!(accept(&sent, &parse(&described(media))), Err(why), "{media}");
    }
}

#[test]
fn an_answer_may_only_narrow_the_offered_direction() {
    use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
    let table = [
        (SendRecv, "a=sendrecv", SendRecv),
        (SendRecv, "a=recvonly", SendOnly),
        (SendRecv, "a=sendonly", RecvOnly),
        (SendOnly, "a=recvonly", SendOnly),
        (SendOnly, "a=sendrecv", SendOnly),
        (SendOnly, "a=sendonly", Inactive),
        (Inactive, "a=sendrecv", Inactive),
    ];

    for (offered, said, ours) in table {
        let answered = parse(&described(&format!("m=audio 4000 RTP/AVP 0\r\n{said}\r\n")));
        assert_eq!(accept(&our_offer(offered), &answered).unwrap().direction, ours, "{offered:?} {said}");
    }
}

#[test]
fn our_answer_to_our_own_offer_is_accepted_by_us() {
    let sent = our_offer(Direction::SendRecv);
    let there = answer(
        &Description::parse(&sent).unwrap(),
        &[Codec::Pcma],
        "203.0.113.5".parse().unwrap(),
        30_000,
        Session { id: 1, version: 1 },
    )
    .unwrap();

    let here = accept(&sent, &Description::parse(&there.body).unwrap()).unwrap();

    assert_eq!(here.format, there.format);
    assert_eq!(here.remote, Some("203.0.113.5:30000".parse().unwrap()));
    assert_eq!(there.remote, Some("192.0.2.10:20000".parse().unwrap()));
}

#[test]
fn hostile_descriptions_of_the_corpus_are_refused_or_send_media_nowhere() {
    type Refused = Result<NotAcceptable, SdpError>;
    const TAKEN: [(&str, Option<&str>); 9] = [
        ("sdp-fmtp-junk.sip", Some("198.51.100.7:40000")),
        ("sdp-mfmt-bad.sip", Some("198.51.100.7:40000")),
        ("sdp-ptime-0.sip", Some("198.51.100.7:40000")),
        ("sdp-rtpmap-junk.sip", Some("198.51.100.7:40000")),
        ("sdp-c-any.sip", None),
        ("sdp-c-broadcast.sip", None),
        ("sdp-c-linklocal.sip", None),
        // These two are for the switch to judge: a phone of ours may well live there.
        ("sdp-c-loopback.sip", Some("127.0.0.1:40000")),
        ("sdp-c-self.sip", Some("192.0.2.10:40000")),
    ];
    let refused: [(&str, Refused); 9] = [
        ("sdp-a-8000.sip", Err(SdpError::TooLong)),
        ("sdp-cand-1000.sip", Err(SdpError::TooLong)),
        ("sdp-port--1.sip", Err(SdpError::BadMedia)),
        ("sdp-port-65536.sip", Err(SdpError::BadMedia)),
        ("sdp-port-40000_65535.sip", Err(SdpError::BadMedia)),
        ("sdp-no-sdp-lines.sip", Err(SdpError::NoVersion)),
        ("sdp-port-0.sip", Ok(NotAcceptable::Disabled)),
        ("sdp-crypto-junk.sip", Ok(NotAcceptable::Secured)),
        ("sdp-savp-no-crypto.sip", Ok(NotAcceptable::Secured)),
    ];
    let body = |file: &str| {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/attacks").join(file);
        let message = std::fs::read(&path).unwrap_or_else(|why| panic!("{path:?}: {why}"));
        let text =
            String::from_utf8_lossy(&message).replace("@@ME@@", "198.51.100.7").replace("@@HOSTIP@@", "192.0.2.10");
        text.split_once("\r\n\r\n").expect("a message has a body").1.to_owned()
    };

    for (file, remote) in TAKEN {
        let agreed = answered(&body(file)).unwrap_or_else(|why| panic!("{file}: {why:?}"));
        assert_eq!(agreed.remote, remote.map(|at| at.parse().unwrap()), "{file}");
        assert_eq!(agreed.format.frame_samples, 160, "{file}");
    }
    for (file, why) in refused {
        let found = Description::parse(body(file).as_bytes())
            .map(|offered| answer(&offered, &OURS, us(), 20_000, SESSION).expect_err(file));
        assert_eq!(found, why, "{file}");
    }
}
