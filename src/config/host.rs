//! What the host says about itself.

use crate::settings::Tz;

/// The zone of the host: `TZ`, else where `/etc/localtime` leads, else UTC.
pub fn zone() -> Tz {
    let named = std::env::var("TZ").ok().and_then(|name| zone_of(&name));
    let linked = || std::fs::read_link("/etc/localtime").ok().and_then(|path| zone_of(path.to_str()?));
    named.or_else(linked).unwrap_or(Tz::UTC)
}

/// `:Europe/Berlin`, `Europe/Berlin`, or a path below `zoneinfo/`.
fn zone_of(text: &str) -> Option<Tz> {
    let name = text.trim_start_matches(':');
    let name = name.rsplit_once("zoneinfo/").map_or(name, |(_, name)| name);
    name.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_found_in_a_name_and_in_a_path() {
        assert_eq!(zone_of("../usr/share/zoneinfo/Europe/Berlin"), Some(Tz::Europe__Berlin));
        assert_eq!(zone_of(":Asia/Tokyo"), Some(Tz::Asia__Tokyo));
        assert_eq!(zone_of("EST5EDT,M3.2.0,M11.1.0"), None);
    }
}
