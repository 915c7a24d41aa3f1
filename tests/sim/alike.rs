//! Numbers as they are written here and there.

use ringback::callback::task::Attempt;
use ringback::number::Party;

/// Whether it is this extension that is called back.
pub fn is_extension(attempt: &Attempt, extension: &str) -> bool {
    matches!(&attempt.number, Party::Extension(number) if **number == *extension)
}

/// Whether this is what was dialled.
pub fn same_number(party: &Party, dialled: &str) -> bool {
    match party {
        Party::Number(number) => ends_alike(number, dialled),
        Party::Extension(extension) => &**extension == dialled,
    }
}

/// Route prefixes and `+` aside.
pub fn ends_alike(a: &str, b: &str) -> bool {
    let tail = |text: &str| text.chars().rev().take(10).collect::<String>();
    tail(a) == tail(b)
}
