//! Numbers and extensions: whom a callback reaches, and how a typed or signalled number becomes one.
//!
//! Everything foreign passes through `read` once: a character filter of ours first (the numbering library would
//! turn letters and digits of other scripts into numbers, and post-dial digits into silence), then the national and
//! international forms of the site's country, then validity. This is the only file that knows rlibphonenumber; its
//! tables load at the first use (about 10 ms in a release build), which `warm_up` moves to the start.

pub mod trace;
pub mod zones;

use crate::settings::NumberFormat;
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber, PhoneNumberFormat, PhoneNumberType, Region};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Digits of the longest E.164 number.
const E164_DIGITS_MAX: usize = 15;
/// Characters of the longest input we look at: E.164 behind an international prefix, with separators.
const INPUT_CHARS_MAX: usize = 40;
/// Country codes of satellite networks and global services: nobody's home, everybody's bill (security.md T30).
const GLOBAL_CODES: [i32; 10] = [800, 808, 870, 875, 878, 881, 882, 883, 888, 979];

/// Whom we call: a telephone number of the world, or an extension of the site.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub enum Party {
    /// E.164 with `+`, at most 15 digits.
    Number(Box<str>),
    /// An agent's extension: rung at its bindings, no route, no policy.
    Extension(Box<str>),
}

impl Party {
    /// The number or extension as it is dialled.
    pub fn as_str(&self) -> &str {
        match self {
            Party::Number(digits) | Party::Extension(digits) => digits,
        }
    }

    /// The names of the clips that read it aloud: `plus`, `digit_4`, …
    pub fn spoken(&self) -> impl Iterator<Item = &'static str> + '_ {
        spoken(self.as_str())
    }
}

/// As people write it: only a number of the world begins with `+`.
impl From<String> for Party {
    fn from(text: String) -> Party {
        if text.starts_with('+') { Party::Number(text.into()) } else { Party::Extension(text.into()) }
    }
}

impl From<Party> for String {
    fn from(party: Party) -> String {
        match party {
            Party::Number(digits) | Party::Extension(digits) => digits.into(),
        }
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why something is not a number we can call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NumberError {
    /// Nothing there.
    Empty,
    /// `anonymous` and its like.
    Withheld,
    /// Letters, other scripts, pauses, a `+` inside.
    NotDigits,
    /// More digits than E.164 has.
    TooLong,
    /// A short code or an emergency number.
    Short,
    /// Without a country only `+…` can be read.
    NeedsCountry,
    /// Well formed, but no such number can exist.
    NotANumber,
}

impl fmt::Display for NumberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NumberError::Empty => "there is no number",
            NumberError::Withheld => "the number is withheld",
            NumberError::NotDigits => "a number consists of digits, with a + only at its front",
            NumberError::TooLong => "the number has more than 15 digits",
            NumberError::Short => "short and emergency numbers cannot be called back",
            NumberError::NeedsCountry => {
                "without system.default_country only numbers that begin with + and the country code can be read"
            }
            NumberError::NotANumber => "no such number exists",
        })
    }
}

impl std::error::Error for NumberError {}

/// What kind of line a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A fixed line, a mobile, or one of both (NANP).
    FixedOrMobile,
    /// A line of the internet.
    Voip,
    /// The called party pays.
    TollFree,
    /// The caller pays extra.
    Premium,
    /// The cost is shared.
    SharedCost,
    /// Satellite networks and global services.
    Global,
    /// Access to a voicemail box.
    Voicemail,
    /// Personal numbers, pagers, company-wide numbers.
    Other,
}

/// What the numbering plan says about a valid number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// ISO 3166 alpha-2, judged by area code where countries share a calling code (+1, +7, +44).
    pub country: Option<[u8; 2]>,
    /// What kind of line.
    pub kind: Kind,
}

/// Loads the numbering tables, so that the first caller does not wait for them.
pub fn warm_up() {
    let _ = facts("+12025550100");
    let _ = zones::of(&Party::Number("+12025550100".into()));
}

/// Reads what was typed or signalled: `+1…`, with international prefix, national, or the country code without `+`.
/// `country` is ISO 3166 alpha-2; without it only `+…` is readable. The result is always `Party::Number`; extensions
/// are matched before, since they look like short national numbers (`policy::Policy::read` does both).
pub fn read(input: &str, country: Option<&str>) -> Result<Party, NumberError> {
    let digits = diallable(input)?;
    if digits.starts_with('+') {
        return parse(&digits, None).map_err(|error| if_short(&digits, error));
    }
    let region = country.and_then(region).ok_or(NumberError::NeedsCountry)?;
    // Trunks that send E.164 without `+` are common: what is no number here may be one of the world.
    parse(&digits, Some(region))
        .or_else(|error| parse(&format!("+{digits}"), None).map_err(|_| error))
        .map_err(|error| if_short(&digits, error))
}

/// What the numbering plan says about `number` (E.164 with `+`); `None` when no such number can exist.
pub fn facts(number: &str) -> Option<Facts> {
    let parsed = PHONE_NUMBER_UTIL.parse(number, None).ok().filter(|parsed| parsed.is_valid())?;
    let country =
        parsed.get_region_code().and_then(|region| <[u8; 2]>::try_from(region.as_region_str().as_bytes()).ok());
    Some(Facts { country, kind: kind(&parsed) })
}

/// `number` (E.164 with `+`) in the format a trunk wants. `National` needs the site's country: its own numbers get
/// the national prefix, others the international one; without a country it is E.164 without `+`.
pub fn written(number: &str, format: NumberFormat, country: Option<&str>) -> String {
    let bare = number.strip_prefix('+').unwrap_or(number);
    match format {
        NumberFormat::E164Plus => format!("+{bare}"),
        NumberFormat::E164 => bare.to_owned(),
        NumberFormat::National => national(number, country).unwrap_or_else(|| bare.to_owned()),
    }
}

/// The names of the clips that read `digits` aloud; characters without a clip are passed over.
pub fn spoken(digits: &str) -> impl Iterator<Item = &'static str> + '_ {
    const DIGITS: [&str; 10] =
        ["digit_0", "digit_1", "digit_2", "digit_3", "digit_4", "digit_5", "digit_6", "digit_7", "digit_8", "digit_9"];
    digits.chars().filter_map(|c| match c {
        '+' => Some("plus"),
        '*' => Some("star"),
        '#' => Some("pound"),
        _ => c.to_digit(10).and_then(|digit| DIGITS.get(digit as usize).copied()),
    })
}

/// The digits of `input`, with a leading `+` if it has one; separators people write are dropped, parameters of a
/// tel URI (RFC 3966 §3: isub, ext, postd, and trunks' rn and npdi) end the number.
fn diallable(input: &str) -> Result<String, NumberError> {
    let input = input.trim();
    let number = input.split(';').next().unwrap_or_default().trim();
    if number.is_empty() {
        return Err(NumberError::Empty);
    }
    if is_withheld(number) {
        return Err(NumberError::Withheld);
    }
    if number.chars().count() > INPUT_CHARS_MAX {
        return Err(NumberError::TooLong);
    }
    let mut digits = String::with_capacity(number.len());
    for (at, c) in number.char_indices() {
        match c {
            '0'..='9' => digits.push(c),
            '+' if at == 0 => digits.push(c),
            ' ' | '-' | '.' | '(' | ')' | '/' => {}
            _ => return Err(NumberError::NotDigits),
        }
    }
    if digits.trim_start_matches('+').is_empty() { Err(NumberError::NotDigits) } else { Ok(digits) }
}

/// RFC 3323 §4.1.1.3 and what gateways write instead of a number.
fn is_withheld(number: &str) -> bool {
    ["anonymous", "restricted", "unavailable", "unknown", "private", "withheld", "blocked"]
        .iter()
        .any(|word| number.eq_ignore_ascii_case(word))
}

/// The country code that begins all numbers of a country (ISO 3166 alpha-2), which others may share.
pub fn country_code(country: &str) -> Option<String> {
    Some(format!("{}", PHONE_NUMBER_UTIL.get_country_code_for_region(region(country)?)?))
}

fn region(country: &str) -> Option<Region> {
    let region = Region::from_code(&country.to_ascii_uppercase()).ok()?;
    PHONE_NUMBER_UTIL.get_country_code_for_region(region).map(|_| region)
}

fn parse(digits: &str, region: Option<Region>) -> Result<Party, NumberError> {
    let parsed = PHONE_NUMBER_UTIL.parse(digits, region).map_err(|_| NumberError::NotANumber)?;
    if !parsed.is_valid() {
        let bare = digits.trim_start_matches('+').len();
        return Err(if bare > E164_DIGITS_MAX { NumberError::TooLong } else { NumberError::NotANumber });
    }
    let number = format!("+{}{}", parsed.country_code, parsed.get_national_significant_number());
    if number.len() > E164_DIGITS_MAX + 1 { Err(NumberError::TooLong) } else { Ok(Party::Number(number.into())) }
}

/// Names the reason: six digits or fewer that are no number are a service or an emergency call.
fn if_short(digits: &str, error: NumberError) -> NumberError {
    let few = digits.trim_start_matches('+').len() <= 6;
    if few && error == NumberError::NotANumber { NumberError::Short } else { error }
}

fn kind(parsed: &PhoneNumber) -> Kind {
    if GLOBAL_CODES.contains(&parsed.country_code) {
        return Kind::Global;
    }
    match parsed.get_type() {
        PhoneNumberType::FixedLine | PhoneNumberType::Mobile | PhoneNumberType::FixedLineOrMobile => {
            Kind::FixedOrMobile
        }
        PhoneNumberType::VoIP => Kind::Voip,
        PhoneNumberType::TollFree => Kind::TollFree,
        PhoneNumberType::PremiumRate => Kind::Premium,
        PhoneNumberType::SharedCost => Kind::SharedCost,
        PhoneNumberType::PersonalNumber | PhoneNumberType::Pager | PhoneNumberType::UAN | PhoneNumberType::Unknown => {
            Kind::Other
        }
        PhoneNumberType::VoiceMail => Kind::Voicemail,
    }
}

fn national(number: &str, country: Option<&str>) -> Option<String> {
    let region = country.and_then(region)?;
    let parsed = PHONE_NUMBER_UTIL.parse(number, None).ok()?;
    let home = PHONE_NUMBER_UTIL.get_country_code_for_region(region)?;
    let text = if parsed.country_code == home {
        parsed.format_as(PhoneNumberFormat::National)
    } else {
        parsed.format_out_of_country_calling_number(region)
    };
    Some(text.chars().filter(char::is_ascii_digit).collect())
}
