//! What is stored of the wall clock, and what lies of it beside the journal.

use super::{Place, commit, limits, open};
use chrono::Utc;
use ringback::switch::{Change, DoubtRecord};

#[test]
fn what_the_clock_showed_at_the_last_write_and_by_how_much_it_was_doubted_come_back() {
    let place = Place::new("shown");
    assert_eq!(open(&place).restored.shown, None, "nothing was written yet");
    let before = Utc::now();
    let doubt = DoubtRecord { secs: 7_200, shown: Some(before) };
    commit(&place, limits(), vec![vec![Change::PutDoubt(doubt)]]);

    let restored = open(&place).restored;

    let shown = restored.shown.expect("it was written");
    assert!(shown.timestamp_micros() >= before.timestamp_micros() && shown <= Utc::now(), "{shown}");
    assert_eq!(restored.doubt, doubt);
    let side = place.store().join("revision");
    let octets = std::fs::read(&side).unwrap();
    std::fs::write(&side, &octets[..12]).unwrap(); // As an older version leaves it.
    let opened = open(&place);
    assert_eq!((opened.restored.shown, opened.report.lost_commits), (None, 0));
}

// A doubt is synced, and what lies beside the journal is not: after a power cut that may be of an earlier doubt, though
// of one that was as great, and says nothing then.
#[test]
fn what_the_clock_showed_under_another_doubt_says_nothing() {
    let place = Place::new("other-doubt");
    let side = place.store().join("revision");
    let began = Utc::now();
    let said = |secs, after| DoubtRecord { secs, shown: Some(began + chrono::TimeDelta::seconds(after)) };
    let doubts = [said(0, 1), said(31_536_000, 2), said(0, 3)];
    let mut sides = Vec::new();
    for doubt in doubts {
        commit(&place, limits(), vec![vec![Change::PutDoubt(doubt)], vec![Change::PutPulse(began)]]);
        // A life that finds the doubt, and changes nothing.
        commit(&place, limits(), vec![vec![Change::PutPulse(began)]]);
        let restored = open(&place).restored;
        assert_eq!((restored.shown.is_some(), restored.doubt), (true, doubt));
        for old in &sides {
            std::fs::write(&side, old).unwrap();
            let restored = open(&place).restored;
            assert_eq!((restored.shown, restored.doubt), (None, doubt));
        }
        commit(&place, limits(), vec![vec![Change::PutPulse(began)]]);
        sides.push(std::fs::read(&side).unwrap());
    }
}

// As older versions wrote it: a number alone, and beside the journal nothing of a doubt.
#[test]
fn a_doubt_of_an_older_version_is_read() {
    let older: DoubtRecord = serde_json::from_str("-7200").unwrap();
    assert_eq!(older, DoubtRecord { secs: -7_200, shown: None });
    let place = Place::new("older-doubt");
    commit(&place, limits(), vec![vec![Change::PutDoubt(older)]]);
    let side = place.store().join("revision");
    let octets = std::fs::read(&side).unwrap();
    std::fs::write(&side, &octets[..24]).unwrap();
    let restored = open(&place).restored;
    assert_eq!((restored.shown.is_some(), restored.doubt), (true, older));
}
