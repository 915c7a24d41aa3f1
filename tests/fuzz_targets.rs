//! The fuzz targets, bounded, on every `cargo test`: random octets, and messages of the corpus with a few octets
//! changed.

#[path = "../fuzz/src/lib.rs"]
mod targets;

use bolero::check;
use std::path::Path;

const ITERATIONS: usize = 2_000;

/// The files of some folders of the corpus.
fn seeds(folders: &[&str]) -> Vec<Vec<u8>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut paths: Vec<_> = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(corpus.join(folder)).expect("a folder of the corpus"))
        .map(|entry| entry.expect("an entry of the corpus").path())
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    let files = paths.iter().map(|path| std::fs::read(path).expect("a file of the corpus"));
    files.filter(|octets| octets.len() <= 4096).collect()
}

/// Runs `target` on seeds with octets replaced, put in or taken out at random places.
fn mutate(seeds: &[Vec<u8>], target: fn(&[u8])) {
    seeds.iter().for_each(|seed| target(seed));
    check!().with_type::<(u16, Vec<(u16, u8, u8)>)>().with_iterations(ITERATIONS).for_each(|(seed, edits)| {
        let mut octets = seeds[usize::from(*seed) % seeds.len()].clone();
        for (at, how, octet) in edits.iter().take(16) {
            let at = usize::from(*at) % (octets.len() + 1);
            match how % 4 {
                0 => octets.insert(at, *octet),
                1 if at < octets.len() => drop(octets.remove(at)),
                2 => octets.truncate(at.max(octets.len() / 2)),
                _ if at < octets.len() => octets[at] = *octet,
                _ => {}
            }
        }
        target(&octets);
    });
}

#[test]
fn any_datagram_is_read_or_refused() {
    check!().with_iterations(ITERATIONS).for_each(targets::sip_message);
    mutate(&seeds(&["rfc4475", "rfc5118", "attacks"]), targets::sip_message);
}

#[test]
fn any_stream_is_framed_the_same_however_it_is_cut() {
    check!().with_iterations(ITERATIONS).for_each(targets::sip_stream);
    mutate(&seeds(&["rfc4475", "attacks"]), targets::sip_stream);
}

#[test]
fn any_challenge_and_any_credentials_are_read_or_refused() {
    check!().with_iterations(ITERATIONS).for_each(targets::digest);
    mutate(&seeds(&["digest"]), targets::digest);
}

/// Session descriptions of the corpus, and two of our own.
fn descriptions() -> Vec<Vec<u8>> {
    let body = |message: &Vec<u8>| {
        let at = message.windows(4).position(|four| four == b"\r\n\r\n")?;
        message[at + 4..].starts_with(b"v=0").then(|| message[at + 4..].to_vec())
    };
    let mut found: Vec<_> = seeds(&["attacks", "rfc4475"]).iter().filter_map(body).collect();
    assert!(found.len() > 10, "the corpus has session descriptions");
    found.push(
        b"v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n\
          m=audio 4000 RTP/AVP 96 0 8 101\r\n\
          a=rtpmap:96 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:30\r\na=sendonly\r\n\
          m=video 0 RTP/AVP 31\r\nc=IN IP6 2001:db8::1\r\na=inactive\r\n"
            .to_vec(),
    );
    found
}

#[test]
fn any_description_is_answered_or_refused() {
    check!().with_iterations(ITERATIONS).for_each(targets::sdp);
    mutate(&descriptions(), targets::sdp);
}

/// Datagrams with how they come and their length in front: audio and a key press, to both sides of a bridge.
fn conversation() -> Vec<u8> {
    let mut pieces = Vec::new();
    for n in 0..24u8 {
        let packet = match n % 3 {
            0 => [&[0x80, 0, 0, n, 0, 0, n, 0, 0, 0, 0, 9][..], &[0x55; 160]].concat(),
            1 => [&[0x80, 8, 0, n, 0, 0, n, 0, 0, 0, 0, 8][..], &[0x55; 80]].concat(),
            _ => vec![0x80, 101, 0, n, 0, 0, n, 0, 0, 0, 0, 9, n % 10, 0x8a, 3, 0x20],
        };
        pieces.extend([(n % 3 % 2) | (2 << 5), packet.len() as u8]);
        pieces.extend(packet);
    }
    pieces
}

#[test]
fn any_packets_leave_the_engine_sound() {
    check!().with_iterations(ITERATIONS).for_each(targets::rtp);
    mutate(&[conversation()], targets::rtp);
}

#[test]
fn any_telephone_events_are_no_more_digits_than_a_person_presses() {
    check!().with_iterations(ITERATIONS).for_each(targets::dtmf);
    let presses: Vec<u8> = (0..40).flat_map(|n: u8| [20, 0, 0, n / 8, 0, n / 8, 0x0a, 1, 0x40]).collect();
    mutate(&[presses], targets::dtmf);
}

/// Commits, records and heads as they are written, each with what it is in front.
#[cfg(feature = "shell")]
fn stored() -> Vec<Vec<u8>> {
    use ringback::store::journal::frame::{self, Mark, Op};
    use ringback::store::journal::segment::Head;
    use ringback::store::record;
    let key = "task/00000000000000000000000001";
    let value = record::encode(key.as_bytes(), &serde_json::json!({ "number": "+12025550123" }));
    let ops = [Op::Put { key: key.into(), value: value.clone() }, Op::Remove { key: "entry/1".into() }];
    let (mut frames, after) = (Vec::new(), Mark { sequence: 3, sum: 5 });
    let mark = frame::append(&mut frames, after, 0, &ops);
    let first = frames.clone();
    frame::append(&mut frames, mark, 1, &ops[1..]);
    let segment = [&Head { store: [7; 16], after }.write()[..], &frames].concat();
    // It says that more were synced with it than there ever were.
    let mut misplaced = Vec::new();
    frame::append(&mut misplaced, after, 9, &ops);
    let kinds =
        [(2 | 0x80, misplaced), (0, first), (1, value.clone()), (2, segment), (2 | 0x80, frames), (3 | 0x80, value)];
    kinds.into_iter().map(|(kind, octets)| [&[kind], &octets[..]].concat()).collect()
}

#[cfg(feature = "shell")]
#[test]
fn whatever_lies_on_the_disk_is_read_or_refused() {
    check!().with_iterations(ITERATIONS).for_each(targets::store_frame);
    mutate(&stored(), targets::store_frame);
}
