//! What lies on a disk: whatever it is, it is read or refused, takes no memory that is not there, and what is read is
//! written again the same.

use ringback::store::archive::{self, Key};
use ringback::store::checkpoint::Checkpoint;
use ringback::store::journal::frame::{self, Mark};
use ringback::store::journal::segment::{self, Head, Segment};
use ringback::store::record;
use std::fs;
use std::path::PathBuf;

const KEY: &[u8] = b"task/00000000000000000000000001";
/// Octets of a frame's head, and where its checksum lies.
const FRAME_HEAD: usize = frame::HEAD;

/// A folder for what has to be a file, gone afterwards.
struct Place(PathBuf);

impl Place {
    fn new() -> Place {
        let memory = PathBuf::from("/dev/shm");
        let place = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let folder = place.join(format!("ringback-fuzz-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder for what is fuzzed");
        Place(folder)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// One commit of the journal, one record, a segment, a checkpoint, a backup: the first octet says which, and whether
/// its checksum is made right first, or nothing behind the checksum would ever be looked at.
pub fn store_frame(octets: &[u8]) {
    let Some((kind, rest)) = octets.split_first() else { return };
    let is_righted = kind & 0x80 != 0;
    match (kind & 0x7f) % 5 {
        0 => one_frame(rest, is_righted),
        1 => one_record(rest, is_righted),
        2 => one_segment(rest, is_righted),
        3 => one_checkpoint(rest, is_righted),
        _ => one_archive(rest),
    }
}

fn one_frame(octets: &[u8], is_righted: bool) {
    let mut octets = octets.to_vec();
    if is_righted {
        right_frame(&mut octets, 0);
    }
    let Ok((frame, length)) = frame::read(&octets) else { return };
    assert!(length <= octets.len() && length == frame::size(&frame.ops));
    let Some(before) = frame.mark.sequence.checked_sub(1) else { return };
    let mut again = Vec::new();
    let mark = frame::append(&mut again, Mark { sequence: before, sum: frame.previous }, frame.place, &frame.ops);
    assert_eq!((mark, again.as_slice()), (frame.mark, &octets[..length]));
}

/// Makes length, schema, kind and checksum of the frame at `at` what a writer would have said; where the next begins.
fn right_frame(octets: &mut Vec<u8>, at: usize) -> usize {
    if octets.len() < at + FRAME_HEAD {
        return octets.len();
    }
    let most = octets.len() - at - FRAME_HEAD;
    let length = usize::from(u16::from_le_bytes([octets[at], octets[at + 1]])).min(most);
    octets[at..at + 4].copy_from_slice(&(length as u32).to_le_bytes());
    octets[at + 20..at + 22].copy_from_slice(&[frame::SCHEMA, 1]);
    let end = at + FRAME_HEAD + length;
    let sum = crc32c::crc32c(&octets[at + 8..end]);
    octets[at + 4..at + 8].copy_from_slice(&sum.to_le_bytes());
    let padded = end.next_multiple_of(8);
    octets.resize(octets.len().max(padded), 0);
    octets[end..padded].fill(0);
    padded
}

fn one_record(octets: &[u8], is_righted: bool) {
    let mut octets = octets.to_vec();
    if is_righted && octets.len() >= 7 {
        octets[0] = record::SCHEMA;
        let sum = crc32c::crc32c_append(crc32c::crc32c(&octets[..1]), &octets[5..]);
        octets[1..5].copy_from_slice(&sum.to_le_bytes());
    }
    let length = octets.get(5..7).map_or(0, |two| usize::from(u16::from_le_bytes([two[0], two[1]])));
    let own = octets.get(7..7 + length).unwrap_or(KEY).to_vec();
    for key in [&own[..], KEY] {
        if let Ok(body) = record::body(key, &octets) {
            assert_eq!(record::encode_body(key, body), octets);
            let _ = record::decode::<ringback::callback::task::Task>(key, &octets);
        }
    }
}

/// Frames behind a head, read as the last segment and as one that another follows.
fn one_segment(octets: &[u8], is_righted: bool) {
    let head = Head { store: [7; 16], after: Mark { sequence: 3, sum: 5 } };
    let place = Place::new();
    let path = place.0.join(segment::name(head.after));
    let mut bytes = octets.to_vec();
    if is_righted {
        let mut at = 0;
        while at < bytes.len() && at + FRAME_HEAD <= bytes.len() {
            at = right_frame(&mut bytes, at);
        }
        bytes = [&head.write()[..], &bytes].concat();
    }
    fs::write(&path, &bytes).expect("a file in our folder");
    let segment = match Segment::at(path.clone()) {
        Ok(Some(segment)) => segment,
        Ok(None) => Segment { path, head },
        Err(_newer) => return,
    };
    for last in [None, Some(4), Some(segment::LAST)] {
        let (mut before, mut octets) = (segment.head.after.sequence, 0);
        let read = segment.read(last, |frame| {
            assert!(frame.mark.sequence > before, "sequences only rise");
            assert!(last.is_none_or(|last| frame.mark.sequence <= last));
            before = frame.mark.sequence;
            octets += frame::size(&frame.ops);
        });
        let Ok(found) = read else { continue };
        assert!(octets <= bytes.len() && found.length <= bytes.len().max(64) as u64);
        assert_eq!(found.end.sequence, before);
        let kept = found.damaged.iter().map(Vec::len).sum::<usize>() + found.torn.map_or(0, |torn| torn.len());
        assert!(kept <= bytes.len());
    }
}

/// Some records, written and then changed: what is read is what was written, or an error.
fn one_checkpoint(octets: &[u8], is_righted: bool) {
    let place = Place::new();
    let path = place.0.join("00000000000000000009.ckp");
    if is_righted {
        let mut pairs: Vec<(String, Vec<u8>)> =
            octets.chunks(9).map(|it| (format!("k/{:02x}", it[0]), it[1..].to_vec())).collect();
        pairs.sort();
        let mark = Mark { sequence: 9, sum: 1 };
        let written = pairs.clone().into_iter().map(Ok);
        let (checkpoint, digest) = Checkpoint::write(&place.0, [7; 16], mark, written).expect("a file in our folder");
        assert_eq!(Checkpoint::at(path.clone()).expect("it is there").as_ref(), Some(&checkpoint));
        assert_eq!(checkpoint.verify().expect("it was just written"), digest);
        let mut bytes = fs::read(&path).expect("it was just written");
        let at = octets.iter().map(|octet| usize::from(*octet)).sum::<usize>() % bytes.len();
        bytes[at] ^= 1 << (octets.len() % 8);
        fs::write(&path, bytes).expect("a file in our folder");
        let is_noticed = !matches!(Checkpoint::at(path), Ok(Some(_))) || checkpoint.verify().is_err();
        assert!(is_noticed, "octet {at} was changed");
        return;
    }
    fs::write(&path, octets).expect("a file in our folder");
    if let Ok(Some(checkpoint)) = Checkpoint::at(path)
        && let Ok(records) = checkpoint.records()
    {
        let read: usize = records.map_while(Result::ok).map(|(key, value)| key.len() + value.len()).sum();
        assert!(read <= octets.len());
    }
}

/// No octets but those that a holder of the key has sealed are a backup.
fn one_archive(octets: &[u8]) {
    let place = Place::new();
    let own = Key::read_or_make(&place.0.join("backup.key")).expect("a file in our folder");
    assert!(archive::verify(octets, &own, &place.0).is_err());
    let head = [b"RINGBKUP\x01\0\0\0", octets].concat();
    assert!(archive::verify(head.as_slice(), &own, &place.0).is_err());
}
