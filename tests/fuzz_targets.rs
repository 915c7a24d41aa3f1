//! The fuzz targets, bounded, on every `cargo test`: random octets, and messages of the corpus with a few octets changed.

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
    let credentials = br#"Digest username="u\"x", realm="r", nonce="00", uri="sip:h", response="0", qop=auth, nc=00000001, cnonce="c", opaque="o", algorithm=SHA-256"#;
    let challenge = br#"Digest realm="a, b", nonce="n", opaque="", stale=FALSE, algorithm=MD5, qop="auth,auth-int""#;
    check!().with_iterations(ITERATIONS).for_each(targets::digest);
    mutate(&[credentials.to_vec(), challenge.to_vec()], targets::digest);
}
