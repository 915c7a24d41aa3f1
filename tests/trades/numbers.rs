//! How numbers are read, judged, spoken and written for a trunk; no hostile number of the corpus passes.

use crate::site::site;
use ringback::number::{NumberError, Party, facts, read, spoken, written};
use ringback::policy::{Policy, Refusal};
use ringback::settings::{DidPattern, NumberFormat};
use ringback::time::{DateTime, Utc};
use std::fs;

fn noon() -> DateTime<Utc> {
    "2026-11-20T12:00:00Z".parse().expect("an instant")
}

fn number(text: &str) -> Result<Party, NumberError> {
    Ok(Party::Number(text.into()))
}

#[test]
fn a_number_is_read_in_every_form_people_and_trunks_write_it() {
    // S2.8: typed national digits; the ANI forms of model.md's interop traps.
    let forms = [
        ("+12025550123", "US"),
        ("12025550123", "US"),
        ("2025550123", "US"),
        ("011 1 202 555 0123", "US"),
        ("(202) 555-0123", "US"),
        ("+1.202.555.0123", "DE"),
        ("0012025550123", "DE"),
        ("12025550123", "DE"),
        ("+12025550123;npdi;rn=+12025550199", "US"),
    ];
    for (written, country) in forms {
        assert_eq!(read(written, Some(country)), number("+12025550123"), "{written} in {country}");
    }
    assert_eq!(read("+12025550123", None), number("+12025550123"));
    assert_eq!(read("030 901820", Some("DE")), number("+4930901820"));
    assert_eq!(read("0049 30 901820", Some("de")), number("+4930901820"));
    assert_eq!(read("020 7946 0958", Some("GB")), number("+442079460958"));
    // Italian numbers keep their zero.
    assert_eq!(read("06 6982", Some("IT")), number("+39066982"));
}

#[test]
fn in_russia_seven_and_eight_lead_to_the_same_number() {
    // S3.B8
    for written in ["+74951234567", "74951234567", "84951234567", "4951234567", "8 (495) 123-45-67"] {
        assert_eq!(read(written, Some("RU")), number("+74951234567"), "{written}");
    }
}

#[test]
fn what_is_no_number_says_why() {
    // S2.11
    let wrong = [
        ("", NumberError::Empty),
        ("  ", NumberError::Empty),
        ("anonymous", NumberError::Withheld),
        ("Anonymous", NumberError::Withheld),
        ("+", NumberError::NotDigits),
        ("+1202555O123", NumberError::NotDigits),
        ("+1202555\u{0660}123", NumberError::NotDigits),
        ("\u{ff0b}12025550123", NumberError::NotDigits),
        ("2025550123,,9", NumberError::NotDigits),
        ("1+2025550123", NumberError::NotDigits),
        ("911", NumberError::Short),
        ("112", NumberError::Short),
        ("1234567", NumberError::NotANumber),
        ("+12", NumberError::Short),
    ];
    for (input, error) in wrong {
        assert_eq!(read(input, Some("US")), Err(error), "{input:?}");
    }
    assert_eq!(read("2025550123", None), Err(NumberError::NeedsCountry));
    assert_eq!(read("0012025550123", None), Err(NumberError::NeedsCountry));
    assert_eq!(read("2025550123", Some("XX")), Err(NumberError::NeedsCountry));
    assert_eq!(read(&"9".repeat(5_000), Some("US")), Err(NumberError::TooLong));
}

#[test]
fn an_extension_is_never_taken_for_a_national_number() {
    let policy = Policy::new(&site());

    assert_eq!(policy.read("1001"), Ok(Party::Extension("1001".into())));
    assert_eq!(policy.read("1003"), Err(NumberError::Short));
    assert_eq!(policy.judge(&Party::Extension("1001".into()), None, noon()), Ok(()));
    assert_eq!(policy.judge(&Party::Extension("1003".into()), None, noon()), Err(Refusal::NoSuchExtension));
}

#[test]
fn the_policy_lets_the_sites_own_country_pass_and_nothing_costly() {
    // security.md T30
    let policy = Policy::new(&site());

    assert_eq!(policy.admit("2025550123", None, noon()), Ok(Party::Number("+12025550123".into())));
    let refused = [
        ("+18765550100", Refusal::Foreign), // Jamaica shares +1.
        ("+12423221234", Refusal::Foreign), // So do the Bahamas.
        ("+4930901820", Refusal::Foreign),
        ("+19005550100", Refusal::Premium),
        ("+449098765432", Refusal::Premium),
        ("+18005550100", Refusal::NotAPersonsLine),
        ("+12025550100", Refusal::Own),
        ("911", Refusal::Unreadable(NumberError::Short)),
    ];
    for (input, refusal) in refused {
        assert_eq!(policy.admit(input, None, noon()), Err(refusal), "{input}");
    }
    for satellite in ["+870773111632", "+881612345678", "+88213300655", "+883510012345", "+979123456789"] {
        assert_eq!(policy.admit(satellite, None, noon()), Err(Refusal::Satellite), "{satellite}");
    }
}

#[test]
fn without_a_country_only_extensions_can_be_called() {
    let mut site = site();
    site.system.default_country = None;
    let policy = Policy::new(&site);

    assert_eq!(policy.admit("1002", None, noon()), Ok(Party::Extension("1002".into())));
    assert_eq!(policy.admit("+12025550123", None, noon()), Err(Refusal::NoCountry));
    assert_eq!(policy.admit("2025550123", None, noon()), Err(Refusal::Unreadable(NumberError::NeedsCountry)));
}

#[test]
fn our_own_blocks_are_refused_and_a_catch_all_route_is_no_block() {
    let mut site = site();
    site.inbound_routes[0].did = DidPattern::Prefix("+1202555".into());
    assert_eq!(Policy::new(&site).admit("+12025550177", None, noon()), Err(Refusal::Own));

    site.inbound_routes[0].did = DidPattern::Prefix(String::new());
    assert!(Policy::new(&site).admit("+12025550177", None, noon()).is_ok());
}

#[test]
fn no_hostile_number_of_the_corpus_is_ever_admitted() {
    let policies = ["US", "GB", "DE", "RU", "JM"].map(|country| {
        let mut site = site();
        site.system.default_country = Some(country.into());
        (country, Policy::new(&site))
    });
    let mut files = 0;
    for file in fs::read_dir("tests/corpus/numbers").expect("the corpus is in the tree") {
        let path = file.expect("a readable entry").path();
        let text = fs::read_to_string(&path).expect("the corpus is text");
        files += 1;
        for (country, policy) in &policies {
            // A Jamaican number is a proper one at home.
            if *country == "JM" && path.ends_with("number-carib-876.txt") {
                continue;
            }
            assert!(policy.admit(text.trim_end(), None, noon()).is_err(), "{} in {country}", path.display());
        }
    }
    assert_eq!(files, 14);
}

#[test]
fn a_number_is_spoken_digit_by_digit() {
    let clips: Vec<_> = spoken("+1209").collect();
    assert_eq!(clips, ["plus", "digit_1", "digit_2", "digit_0", "digit_9"]);
}

#[test]
fn a_trunk_gets_numbers_in_its_own_format() {
    let format = |number, format, country| written(number, format, Some(country));

    assert_eq!(format("+12025550123", NumberFormat::E164Plus, "US"), "+12025550123");
    assert_eq!(format("+12025550123", NumberFormat::E164, "US"), "12025550123");
    assert_eq!(format("+12025550123", NumberFormat::National, "US"), "2025550123");
    assert_eq!(format("+442079460958", NumberFormat::National, "GB"), "02079460958");
    assert_eq!(format("+442079460958", NumberFormat::National, "US"), "011442079460958");
    assert_eq!(format("+74951234567", NumberFormat::National, "RU"), "84951234567");
    assert_eq!(written("+442079460958", NumberFormat::National, None), "442079460958");
}

#[test]
fn facts_know_the_country_behind_a_shared_code() {
    assert_eq!(facts("+18765550100").and_then(|facts| facts.country), Some(*b"JM"));
    assert_eq!(facts("+77012345678").and_then(|facts| facts.country), Some(*b"KZ"));
    assert_eq!(facts("+12025550123").and_then(|facts| facts.country), Some(*b"US"));
    assert_eq!(facts("+1202"), None);
}

proptest::proptest! {
    #[test]
    fn whatever_is_read_reads_as_itself_again(input in ".{0,24}", country in "[A-Z]{2}") {
        if let Ok(party) = read(&input, Some(&country)) {
            proptest::prop_assert!(party.as_str().len() <= 16);
            proptest::prop_assert_eq!(read(party.as_str(), None), Ok(party));
        }
    }

    #[test]
    fn digits_with_any_prefix_never_panic(input in "[+]?[0-9]{1,20}") {
        for country in ["US", "DE", "RU", "IT", "GB"] {
            if let Ok(party) = read(&input, Some(country)) {
                proptest::prop_assert_eq!(read(party.as_str(), None), Ok(party));
            }
        }
    }
}
