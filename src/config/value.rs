//! One value of the file: from TOML to a type that is already true. A wrong one is told as the rest of a sentence
//! that begins with the field's name.

use super::read::{Object, Read, kind_of};
use super::report::{quote, slip, suggestion};
use super::schema::{End, Kind};
use crate::settings::Cidr;
use crate::settings::Tz;
use chrono::{DateTime, NaiveDate, NaiveTime, Utc, Weekday};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use toml::de::DeValue;

/// A value of its kind.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// In the file, and wrong; it has been told.
    Wrong,
    /// `"none"`: no limit.
    None,
    Bool(bool),
    Integer(i64),
    Secs(Duration),
    Text(String),
    Destination(Target),
    ServedBy(Server),
    Zone(Tz),
    Ip(IpAddr),
    Socket(SocketAddr),
    Ports(u16, u16),
    Cidr(Cidr),
    /// A time of day; `24:00` is midnight with the mark.
    Time(NaiveTime, End),
    Date(NaiveDate),
    Instant(DateTime<Utc>),
    Days(Vec<Weekday>),
    List(Vec<Read>),
    Map(Vec<(String, Read)>),
    Object(Object),
}

impl Value {
    /// As text that would be read as the same value; of lists and tables and numbers, nothing.
    pub(super) fn to_text(&self) -> String {
        match self {
            Value::Text(text) => text.clone(),
            Value::Destination(Target::Object(kind, name)) => format!("{kind}:{name}"),
            Value::Destination(Target::Hangup(status)) => format!("hangup:{status}"),
            Value::ServedBy(Server::Same) => "same".to_owned(),
            Value::ServedBy(Server::MissedBy) => "missed_by".to_owned(),
            Value::ServedBy(Server::Object(kind, name)) => format!("{kind}:{name}"),
            Value::Zone(zone) => zone.name().to_owned(),
            Value::Ip(address) => address.to_string(),
            Value::Socket(address) => address.to_string(),
            Value::Ports(low, high) => format!("{low}-{high}"),
            Value::Cidr(block) => format!("{}/{}", block.address, block.bits),
            Value::Time(_, End::Yes) => "24:00".to_owned(),
            Value::Time(time, End::No) => time.format("%H:%M").to_string(),
            Value::Date(date) => date.to_string(),
            Value::Instant(at) => at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
            Value::Days(days) => {
                let name = |day: &Weekday| DAYS.iter().find(|(_, known)| known == day).map_or("", |(name, _)| name);
                days.iter().map(name).collect::<Vec<_>>().join(",")
            }
            Value::Wrong | Value::None | Value::Bool(_) | Value::Integer(_) | Value::Secs(_) => String::new(),
            Value::List(_) | Value::Map(_) | Value::Object(_) => String::new(),
        }
    }

    /// As people would write it.
    pub(super) fn show(&self) -> String {
        match self {
            Value::Text(text) => quote(text),
            Value::Integer(number) => number.to_string(),
            other => format!("{other:?}"),
        }
    }
}

/// Where a call goes, by name.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Target {
    Object(&'static str, String),
    Hangup(u16),
}

/// Who serves a callback, by name.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Server {
    Same,
    MissedBy,
    Object(&'static str, String),
}

/// Reads a value that is neither a list nor a table.
pub(super) fn scalar(kind: &Kind, value: &DeValue<'_>) -> Result<Value, String> {
    match (kind, value) {
        (Kind::Bool, DeValue::Boolean(yes)) => Ok(Value::Bool(*yes)),
        (Kind::Integer(least, most), DeValue::Integer(digits)) => {
            let wrong = || format!("is {}, its limits are {least} to {most}", digits.as_str());
            let number = i64::from_str_radix(digits.as_str(), digits.radix()).map_err(|_| wrong())?;
            if (*least..=*most).contains(&number) { Ok(Value::Integer(number)) } else { Err(wrong()) }
        }
        (Kind::Secs(least, most), DeValue::Integer(digits)) => {
            let number = u64::from_str_radix(digits.as_str(), digits.radix()).ok();
            secs_within(number, digits.as_str(), *least, *most)
        }
        (Kind::Secs(least, most), DeValue::String(text)) => {
            let number = duration(text).ok_or_else(|| {
                format!("is {}, which is no duration; write 30, \"30s\", \"15m\", \"2h\" or \"1d\"", quote(text))
            })?;
            secs_within(Some(number), text, *least, *most)
        }
        (Kind::Date, DeValue::Datetime(date)) => word(kind, &date.to_string()),
        (Kind::Instant, DeValue::Datetime(date)) => word(kind, &date.to_string()),
        (Kind::Bool | Kind::Integer(..), other) => Err(format!("is {}, it takes {}", kind_of(other), wanted(kind))),
        (kind, DeValue::String(text)) => word(kind, text),
        (kind, other) => Err(format!("is {}, it takes {}", kind_of(other), wanted(kind))),
    }
}

fn secs_within(number: Option<u64>, written: &str, least: u64, most: u64) -> Result<Value, String> {
    match number {
        Some(number) if (least..=most).contains(&number) => Ok(Value::Secs(Duration::from_secs(number))),
        _ => Err(format!("is {}, its limits are {least} to {most} seconds", written.escape_debug())),
    }
}

/// `30`, `30s`, `15m`, `2h`, `1d`, and sums of them such as `1h30m`, in seconds.
pub(crate) fn duration(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    if rest.is_empty() || rest.len() > 32 {
        return None;
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number: u64 = rest[..digits].parse().ok()?;
        let bare = digits == rest.len() && total == 0 && digits == text.trim().len();
        let mut unit = rest[digits..].chars();
        let scale = match unit.next() {
            None if bare => 1,
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3600,
            Some('d') => 86_400,
            None | Some(_) => return None,
        };
        total = total.checked_add(number.checked_mul(scale)?)?;
        rest = unit.as_str();
    }
    Some(total)
}

/// What a kind takes, in words.
pub(super) fn wanted(kind: &Kind) -> String {
    match kind {
        Kind::Bool => "true or false".into(),
        Kind::Integer(least, most) => format!("a whole number from {least} to {most}"),
        Kind::Secs(least, most) => format!("a duration from {least} to {most} seconds"),
        Kind::Text(least, most) => format!("a text of {least} to {most} characters"),
        Kind::Digits(least, most) => format!("a text of {least} to {most} digits"),
        Kind::Dialled => "a text of digits, +, * and #, at most 32".into(),
        Kind::Key(keys) => format!("one key out of {keys} as text"),
        Kind::OneOf(words) => format!("one of {}", words.join(", ")),
        Kind::Ref(table) => format!("the name of a [[{table}]] as text"),
        Kind::Sound => "the name of a [[prompt]] as text, or \"\" for silence".into(),
        Kind::Notice(_) => "the name of a [[prompt]] as text, \"\", or a table such as { mode = \"audio\" }".into(),
        Kind::Destination => "\"queue:NAME\", \"agent:NAME\", \"group:NAME\", \"ivr:NAME\" or \"hangup:STATUS\"".into(),
        Kind::ServedBy => "\"same\", \"queue:NAME\", \"agent:NAME\" or \"missed_by\"".into(),
        Kind::Country => "an ISO 3166 country of two letters such as \"US\"".into(),
        Kind::Zone => "an IANA zone such as \"Europe/Berlin\"".into(),
        Kind::Number => "an E.164 number such as \"+12025550100\"".into(),
        Kind::Pattern => "a number such as \"+12025550100\", or its beginning with * at the end".into(),
        Kind::Ip => "an IP address such as \"192.0.2.10\"".into(),
        Kind::Socket => "an address and port such as \"0.0.0.0:5060\"".into(),
        Kind::Ports => "a range of at least 2 ports from 1024 to 65535 such as \"20000-20999\"".into(),
        Kind::Host => "a host name or an IP address".into(),
        Kind::HostPort => "a host name or an IP address, with an optional port".into(),
        Kind::Cidr => "an address block such as \"203.0.113.0/24\"".into(),
        Kind::Path => "the path of a file as text".into(),
        Kind::Time(End::No) => "a time from \"00:00\" to \"23:59\"".into(),
        Kind::Time(End::Yes) => "a time from \"00:00\" to \"24:00\"".into(),
        Kind::Date => "a date such as \"2026-12-25\"".into(),
        Kind::Instant => "an instant such as \"2026-12-25T09:00:00Z\"".into(),
        Kind::Days => "days such as \"mon-fri\" or \"mon,wed\"".into(),
        Kind::List(each, least, most) => format!("a list of {least} to {most} values, each {}", wanted(each)),
        Kind::Table(fields) => {
            format!("a table with {}", fields.iter().map(|field| field.name).collect::<Vec<_>>().join(", "))
        }
        Kind::Map(_, each) => format!("a table whose values are each {}", wanted(each)),
    }
}

fn word(kind: &Kind, text: &str) -> Result<Value, String> {
    let wrong = || format!("is {}, it takes {}", quote(text), wanted(kind));
    let checked = |fits: bool| if fits { Ok(Value::Text(text.to_owned())) } else { Err(wrong()) };
    let length = text.chars().count();
    let plain = !text.chars().any(char::is_control);
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match kind {
        Kind::Text(least, most) => checked(plain && (*least..=*most).contains(&length)),
        Kind::Digits(least, most) => checked(digits && (*least..=*most).contains(&length)),
        Kind::Dialled => checked(length <= 32 && text.bytes().all(|byte| b"0123456789+*#".contains(&byte))),
        Kind::Key(keys) => checked(length == 1 && keys.contains(text)),
        Kind::OneOf(words) if words.contains(&text) => Ok(Value::Text(text.to_owned())),
        Kind::OneOf(words) => Err(format!("{}{}", wrong(), slip(text, words.iter().copied()))),
        Kind::Ref(_) => checked(plain && (1..=64).contains(&length)),
        Kind::Sound | Kind::Notice(_) => checked(plain && length <= 64),
        Kind::Destination => target(text).map(Value::Destination).ok_or_else(wrong),
        Kind::ServedBy => served_by(text).map(Value::ServedBy).ok_or_else(wrong),
        Kind::Country => checked(COUNTRIES.split(' ').any(|country| country == text)),
        Kind::Zone => text.parse().map(Value::Zone).map_err(|_| {
            format!("{}{}", wrong(), suggestion(text, crate::settings::TZ_VARIANTS.iter().map(|zone| zone.name())))
        }),
        Kind::Number => checked(is_e164(text)),
        Kind::Pattern => checked(is_pattern(text)),
        Kind::Ip => text.parse().map(Value::Ip).map_err(|_| wrong()),
        Kind::Socket => text.parse().map(Value::Socket).map_err(|_| wrong()),
        Kind::Ports => ports(text).ok_or_else(wrong),
        Kind::Host => checked(is_host(text)),
        Kind::HostPort => checked(is_host_port(text)),
        Kind::Cidr => cidr(text).map(Value::Cidr).ok_or_else(wrong),
        Kind::Path => checked(plain && (1..=4096).contains(&length)),
        Kind::Time(end) => time(text, *end).ok_or_else(wrong),
        Kind::Date => NaiveDate::parse_from_str(text, "%Y-%m-%d").map(Value::Date).map_err(|_| wrong()),
        Kind::Instant => DateTime::parse_from_rfc3339(text).map(|at| Value::Instant(at.to_utc())).map_err(|_| wrong()),
        Kind::Days => days(text).map(Value::Days).ok_or_else(wrong),
        Kind::Bool | Kind::Integer(..) | Kind::Secs(..) | Kind::List(..) | Kind::Table(_) | Kind::Map(..) => {
            Err(format!("is a text, it takes {}", wanted(kind)))
        }
    }
}

/// ISO 3166-1 alpha-2, and XK, by which numbering plans know Kosovo.
const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR \
    BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET \
    FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ \
    IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML \
    MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS \
    PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL \
    TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW";

fn target(text: &str) -> Option<Target> {
    let (kind, name) = text.split_once(':')?;
    if kind == "hangup" {
        let status = name.parse().ok().filter(|status| (400..700).contains(status))?;
        return Some(Target::Hangup(status));
    }
    let kind = ["queue", "agent", "group", "ivr"].into_iter().find(|known| *known == kind)?;
    is_name(name).then(|| Target::Object(kind, name.to_owned()))
}

fn served_by(text: &str) -> Option<Server> {
    match text.split_once(':') {
        None if text == "same" => Some(Server::Same),
        None if text == "missed_by" => Some(Server::MissedBy),
        Some((kind, name)) => {
            let kind = ["queue", "agent"].into_iter().find(|known| *known == kind)?;
            is_name(name).then(|| Server::Object(kind, name.to_owned()))
        }
        None => None,
    }
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.chars().count()) && !name.chars().any(char::is_control)
}

/// E.164: `+`, no leading zero, at most 15 digits.
fn is_e164(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (2..=15).contains(&digits.len()) && !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit())
    })
}

fn is_pattern(text: &str) -> bool {
    let number = text.strip_suffix('*').unwrap_or(text);
    let digits = number.strip_prefix('+').unwrap_or(number);
    let whole = !text.ends_with('*');
    digits.len() <= 32 && digits.bytes().all(|byte| byte.is_ascii_digit()) && !(whole && digits.is_empty())
}

/// A host name (RFC 1123 §2.1), or an address, IPv6 with or without brackets.
fn is_host(text: &str) -> bool {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if bare.parse::<IpAddr>().is_ok() {
        return true;
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let name = text.strip_suffix('.').unwrap_or(text);
    // A name of digits and dots alone is an address that went wrong, not a name.
    let address = name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    name.len() <= 253 && !address && name.split('.').all(label)
}

fn is_host_port(text: &str) -> bool {
    let port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    match text.rsplit_once(':') {
        Some((host, tail)) if !host.contains(':') || host.ends_with(']') => is_host(host) && port(tail),
        _ => is_host(text), // no port, or an IPv6 address without brackets
    }
}

fn ports(text: &str) -> Option<Value> {
    let (low, high) = text.split_once('-')?;
    let (low, high) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
    (1024 <= low && low < high).then_some(Value::Ports(low, high))
}

fn cidr(text: &str) -> Option<Cidr> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address.parse().ok()?, Some(bits.parse::<u8>().ok()?)),
        None => (text.parse().ok()?, None),
    };
    let width = if matches!(address, IpAddr::V4(_)) { 32 } else { 128 };
    let bits = bits.unwrap_or(width);
    (bits <= width).then_some(Cidr { address, bits })
}

fn time(text: &str, end: End) -> Option<Value> {
    if text.len() != 5 || text.as_bytes()[2] != b':' {
        return None;
    }
    if text == "24:00" {
        return (end == End::Yes).then_some(Value::Time(NaiveTime::MIN, End::Yes));
    }
    NaiveTime::parse_from_str(text, "%H:%M").ok().map(|time| Value::Time(time, End::No))
}

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Mon),
    ("tue", Weekday::Tue),
    ("wed", Weekday::Wed),
    ("thu", Weekday::Thu),
    ("fri", Weekday::Fri),
    ("sat", Weekday::Sat),
    ("sun", Weekday::Sun),
];

fn days(text: &str) -> Option<Vec<Weekday>> {
    let index = |name: &str| DAYS.iter().position(|(day, _)| *day == name.trim().to_ascii_lowercase());
    let mut days = Vec::new();
    for part in text.split(',') {
        let (from, to) = match part.split_once('-') {
            Some((from, to)) => (index(from)?, index(to)?),
            None => (index(part)?, index(part)?),
        };
        // `fri-mon` goes over the end of the week.
        let count = (to + 7 - from) % 7 + 1;
        for day in (from..from + count).map(|day| DAYS[day % 7].1) {
            if !days.contains(&day) {
                days.push(day);
            }
        }
    }
    Some(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_take_every_written_form() {
        for (text, secs) in [("30", 30), ("30s", 30), ("15m", 900), ("2h", 7200), ("1d", 86_400), ("1h30m", 5400)] {
            assert_eq!(duration(text), Some(secs), "{text}");
        }
        for text in ["", "s", "1x", "1.5h", "-1", "1h30", "99999999999999999999", "99999999999999999h", "µs"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn all_countries_are_known_once_each() {
        let mut countries: Vec<&str> = COUNTRIES.split(' ').collect();
        countries.dedup();
        assert_eq!(countries.len(), 250);
        assert!(countries.is_sorted() && countries.iter().all(|country| country.len() == 2));
    }

    #[test]
    fn days_may_go_over_the_end_of_the_week() {
        assert_eq!(days("sat-mon"), Some(vec![Weekday::Sat, Weekday::Sun, Weekday::Mon]));
        assert_eq!(days("mon, wed"), Some(vec![Weekday::Mon, Weekday::Wed]));
        assert_eq!(days("noday"), None);
    }

    #[test]
    fn hosts_are_names_or_addresses() {
        for host in ["sip.example.com", "203.0.113.5", "2001:db8::1", "[2001:db8::1]", "localhost"] {
            assert!(is_host(host), "{host}");
        }
        for host in ["", "203.0.113", "a b", "sip:example.com", "-x", "exa\nmple"] {
            assert!(!is_host(host), "{host}");
        }
        assert!(is_host_port("proxy.example.com:5080") && is_host_port("[::1]:5080") && is_host_port("::1"));
        assert!(!is_host_port("proxy.example.com:0"));
    }
}
