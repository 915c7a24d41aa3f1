//! One commit as it lies in the journal: `length u32 · crc32c u32 · sequence u64 · previous crc32c u32 · schema u8 ·
//! kind u8 · place u16 · body`, little-endian, padded with zeros to a multiple of eight octets.
//!
//! The checksum covers all but the length and itself, and with it the checksum of the frame before: equal sums at
//! equal sequences mean equal histories. A length of zero is where the preallocated rest of a segment begins.
//!
//! The place counts the frames that were written and synced together: of those the disk may have kept any, in any
//! order, when the power went, while none of them had been acknowledged.

use crate::limits::JOURNAL_BODY;

/// The schema this version writes. Older ones are read for ever.
pub const SCHEMA: u8 = 1;
/// The only kind so far: what a commit has put and removed.
const COMMIT: u8 = 1;
/// Octets before the body.
pub const HEAD: usize = 24;
const ALIGN: usize = 8;

/// What a commit does to one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// The key holds this value (`record`) from now on.
    Put {
        /// Which key.
        key: String,
        /// Its record.
        value: Vec<u8>,
    },
    /// The key holds nothing any more.
    Remove {
        /// Which key.
        key: String,
    },
}

impl Op {
    /// Which key it is about.
    pub fn key(&self) -> &str {
        match self {
            Op::Put { key, .. } | Op::Remove { key } => key,
        }
    }

    /// What the key holds afterwards.
    pub fn value(&self) -> Option<&[u8]> {
        match self {
            Op::Put { value, .. } => Some(value),
            Op::Remove { .. } => None,
        }
    }
}

/// Up to where a history has come, and which one it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Of the last commit; 0 before the first.
    pub sequence: u64,
    /// Its checksum, which covers the one before, and so on.
    pub sum: u32,
}

/// One commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Where the history stands after it.
    pub mark: Mark,
    /// The sum of the commit before.
    pub previous: u32,
    /// Its place among the frames that were synced together; 0 for the first.
    pub place: u16,
    /// In order; all or none.
    pub ops: Vec<Op>,
}

/// Why octets are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Nothing was ever written here.
    End,
    /// Longer than what is left, or than any frame may be.
    Cut,
    /// The octets have changed.
    Checksum,
    /// Written by a version that we do not know.
    Schema(u8),
    /// Whole, and yet not what a frame says.
    Body,
}

/// Appends the commit that follows `after`, the one at `place` of those synced together, and says where the history
/// stands then.
pub fn append(out: &mut Vec<u8>, after: Mark, place: u16, ops: &[Op]) -> Mark {
    let start = out.len();
    let sequence = after.sequence + 1;
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&sequence.to_le_bytes());
    out.extend_from_slice(&after.sum.to_le_bytes());
    out.extend_from_slice(&[SCHEMA, COMMIT]);
    out.extend_from_slice(&place.to_le_bytes());
    for op in ops {
        append_op(out, op);
    }
    let length = u32::try_from(out.len() - start - HEAD).expect("commits are bounded by what the switch holds");
    let sum = crc32c::crc32c(&out[start + 8..]);
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    out[start + 4..start + 8].copy_from_slice(&sum.to_le_bytes());
    out.resize(start + padded(HEAD + length as usize), 0);
    Mark { sequence, sum }
}

fn append_op(out: &mut Vec<u8>, op: &Op) {
    let key = op.key().as_bytes();
    let length = u16::try_from(key.len()).expect("keys are made of ids and bounded names");
    out.push(u8::from(op.value().is_some()));
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(key);
    if let Some(value) = op.value() {
        out.extend_from_slice(&u32::try_from(value.len()).expect("a record is far below 4 GiB").to_le_bytes());
        out.extend_from_slice(value);
    }
}

/// Octets that a commit will take.
pub fn size(ops: &[Op]) -> usize {
    let body = ops.iter().map(|op| 3 + op.key().len() + op.value().map_or(0, |value| 4 + value.len()));
    padded(HEAD + body.sum::<usize>())
}

/// The frame at the beginning of `bytes`, and how many octets it takes with its padding.
pub fn read(bytes: &[u8]) -> Result<(Frame, usize), Damage> {
    let head = bytes.get(..HEAD).ok_or(if is_blank(bytes) { Damage::End } else { Damage::Cut })?;
    let length = u32_at(head, 0) as usize;
    if length == 0 && is_blank(head) {
        return Err(Damage::End);
    }
    if length > JOURNAL_BODY {
        return Err(Damage::Cut);
    }
    let body = bytes.get(HEAD..HEAD + length).ok_or(Damage::Cut)?;
    let sum = crc32c::crc32c_append(crc32c::crc32c(&head[8..]), body);
    if sum != u32_at(head, 4) {
        return Err(Damage::Checksum);
    }
    if (head[20], head[21]) != (SCHEMA, COMMIT) {
        return Err(Damage::Schema(head[20]));
    }
    let padding = bytes.get(HEAD + length..padded(HEAD + length)).ok_or(Damage::Cut)?;
    let ops = ops_of(body).filter(|_| is_blank(padding)).ok_or(Damage::Body)?;
    let (mark, place) = (Mark { sequence: sequence_at(bytes)?, sum }, u16::from_le_bytes([head[22], head[23]]));
    let frame = Frame { mark, previous: u32_at(head, 16), place, ops };
    Ok((frame, padded(HEAD + length)))
}

/// The sequence that a frame at the beginning of `bytes` would have: cheap to ask where any octet may be the first.
pub fn sequence_at(bytes: &[u8]) -> Result<u64, Damage> {
    let octets = bytes.get(8..16).ok_or(Damage::Cut)?;
    Ok(u64::from_le_bytes(octets.try_into().expect("eight octets were cut")))
}

/// Whether nothing was written here.
pub fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

fn ops_of(mut body: &[u8]) -> Option<Vec<Op>> {
    let mut ops = Vec::new();
    while let Some((kind, rest)) = body.split_first() {
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (key, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        let key = String::from_utf8(key.to_vec()).ok()?;
        body = match kind {
            0 => {
                ops.push(Op::Remove { key });
                rest
            }
            1 => {
                let (length, rest) = rest.split_first_chunk::<4>()?;
                let (value, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
                ops.push(Op::Put { key, value: value.to_vec() });
                rest
            }
            _ => return None,
        };
    }
    Some(ops)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn padded(length: usize) -> usize {
    length.next_multiple_of(ALIGN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ops() -> Vec<Op> {
        vec![
            Op::Put { key: "task/1".into(), value: b"a promise".to_vec() },
            Op::Remove { key: "binding/1001/x".into() },
        ]
    }

    #[test]
    fn frames_follow_each_other_and_know_the_one_before() {
        let mut bytes = Vec::new();
        let first = append(&mut bytes, Mark::default(), 0, &ops());
        let second = append(&mut bytes, first, 1, &[]);
        bytes.extend_from_slice(&[0; 64]);

        let (one, length) = read(&bytes).unwrap();
        let (two, rest) = read(&bytes[length..]).unwrap();

        assert_eq!((one.mark, one.previous, &one.ops), (first, 0, &ops()));
        assert_eq!((one.place, two.place, size(&ops())), (0, 1, length));
        assert_eq!((two.mark, two.previous, two.ops.len()), (second, first.sum, 0));
        assert_eq!(read(&bytes[length + rest..]), Err(Damage::End));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let mut bytes = Vec::new();
        let mark = append(&mut bytes, Mark { sequence: 6, sum: 7 }, 3, &ops());
        let length = bytes.len();

        for at in 0..length * 8 {
            let mut flipped = bytes.clone();
            flipped[at / 8] ^= 1 << (at % 8);
            assert!(read(&flipped).is_err(), "bit {at}");
        }
        for cut in 0..length {
            assert!(read(&bytes[..cut]).is_err(), "cut to {cut}");
        }
        assert_eq!(read(&bytes).unwrap().0.mark, mark);
    }
}
