//! Real files, whole and broken.
#![allow(clippy::disallowed_methods, reason = "tests read files")]

use base::Money;
use clearing::nacha::{Broken, Direction, File, read};
use std::io::Read;
use std::path::Path;

fn bytes(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/nacha").join(name);
    let raw = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if !name.ends_with(".gz") {
        return raw;
    }
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(&raw[..]).read_to_end(&mut text).expect("the test file is whole");
    text
}

fn entries(file: &File) -> usize {
    file.batches.iter().map(|batch| batch.entries.len()).sum()
}

/// One line for each file of the folder: what it holds, or the first thing that is wrong with it.
fn verdicts() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/nacha");
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .expect("the folder is there")
        .map(|item| item.expect("readable").file_name().into_string().expect("UTF-8"))
        .filter(|name| name.ends_with(".ach"))
        .collect();
    names.sort();
    let verdict = |name: &String| match read(&bytes(name)) {
        Ok(file) => format!(
            "{name}: {} entries, debits {}, credits {}\n",
            entries(&file),
            file.control.debits.display(2),
            file.control.credits.display(2)
        ),
        Err(Broken { problems }) => format!("{name}: {} problems; {}\n", problems.len(), problems[0]),
    };
    names.iter().map(verdict).collect()
}

#[test]
fn the_large_file_agrees_with_its_control_records() {
    let bytes = bytes("PPD-200-batches-100000-entries.ach.gz");
    let file = read(&bytes).expect("valid");
    assert_eq!(file.batches.len(), 200);
    assert_eq!(entries(&file), 100_199);
    let credits: i128 = file.batches.iter().flat_map(|batch| &batch.entries).map(|entry| entry.amount.0).sum();
    assert_eq!(file.control.credits, Money(credits));
    assert_eq!(file.control.debits, Money::ZERO);
    assert!(file.batches.iter().flat_map(|batch| &batch.entries).all(|entry| entry.direction == Direction::Credit));
}

/// `expected.txt` was read through by hand against the files: what is refused there is against the format.
#[test]
fn each_file_is_read_or_refused_with_the_place_of_its_fault() {
    assert_eq!(verdicts(), String::from_utf8(bytes("expected.txt")).expect("text"));
}

#[test]
fn no_change_of_one_byte_is_accepted_with_other_money() {
    let good = bytes("ppd-mixedDebitCredit.ach");
    let totals = |file: &File| (file.control, entries(file));
    let before = totals(&read(&good).expect("valid"));
    for at in 0..good.len() {
        for byte in [b'0', b'5', b'9', b' ', b'\n', 0xff] {
            let mut changed = good.clone();
            changed[at] = byte;
            if let Ok(file) = read(&changed) {
                assert_eq!(totals(&file), before, "byte {at} set to {byte:#x}");
            }
        }
    }
}

#[test]
fn a_file_cut_off_anywhere_is_refused() {
    let good = bytes("ppd-mixedDebitCredit.ach");
    let end_of_control = good.windows(2).position(|pair| pair == b"\n9").expect("has a control record") + 95;
    for length in 0..end_of_control {
        assert!(read(&good[..length]).is_err(), "cut at {length}");
    }
}
