//! Numbers as they are written here and there, and the line that scenarios mean.

use ringback::callback::task::Attempt;
use ringback::number::Party;
use ringback::settings::Settings;

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

/// The first line, by name.
pub fn first_line(settings: &Settings) -> String {
    settings.queues.first().map_or_else(String::new, |queue| queue.name.to_string())
}
