//! Time zones: names, fixed offsets and their rules, from the bundled time zone database.
//!
//! Offsets are seconds east of Greenwich.

use super::settings::EPOCH_MICROS;
use base::{Error, Result, SqlState};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use std::fmt;

/// Most seconds of a fixed offset: PostgreSQL's limit is below 168 hours for POSIX names; jiff's is 93,599 seconds, a little under 26 hours.
const OFFSET_MAX: i32 = 93_599;
/// 400 years repeat the calendar, weekdays included.
const CYCLE_MICROS: i64 = 146_097 * 86_400 * 1_000_000;

#[derive(Clone)]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

impl Zone {
    pub fn utc() -> Zone {
        Zone { name: "UTC".to_owned(), zone: TimeZone::UTC }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// As `SET TIME ZONE` takes it: a name of the database, an abbreviation, or an offset in hours such as `+02` or `-3:30`, which
    /// counts east (as ISO 8601 does) and not west (as POSIX does).
    pub fn parse(text: &str) -> Result<Zone> {
        Zone::find(text)
            .ok_or_else(|| Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("invalid value for parameter \"TimeZone\": \"{text}\"")))
    }

    /// The zone of that name, if there is one.
    pub fn find(text: &str) -> Option<Zone> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("utc") {
            return Some(Zone::utc());
        }
        if let Some(seconds) = parse_offset(text) {
            return Zone::fixed(seconds, text);
        }
        if let Ok(zone) = TimeZone::get(text) {
            let name = zone.iana_name().unwrap_or(text).to_owned();
            return Some(Zone { name, zone });
        }
        let seconds = abbreviation(text)?;
        Zone::fixed(seconds, &text.to_ascii_uppercase())
    }

    fn fixed(seconds: i32, name: &str) -> Option<Zone> {
        let offset = Offset::from_seconds(seconds).ok().filter(|_| seconds.abs() <= OFFSET_MAX)?;
        Some(Zone { name: name.to_owned(), zone: TimeZone::fixed(offset) })
    }

    /// The offset in force at this `timestamptz`.
    pub fn offset_at(&self, micros: i64) -> i32 {
        if self.is_utc() {
            return 0;
        }
        self.zone.to_offset(instant(micros)).seconds()
    }

    /// The offset that turns this local time into a `timestamptz` (subtract it). A time that the clocks leapt over is read with
    /// the offset before the leap, one that they showed twice with the later offset: PostgreSQL's choice.
    pub fn offset_of_local(&self, micros: i64) -> i32 {
        if self.is_utc() {
            return 0;
        }
        let local = civil(micros);
        match self.zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.seconds(),
            AmbiguousOffset::Gap { before, .. } => before.seconds(),
            AmbiguousOffset::Fold { after, .. } => after.seconds(),
        }
    }

    /// What the zone's clocks call themselves at this `timestamptz`, such as `CEST`.
    pub fn abbreviation_at(&self, micros: i64) -> String {
        if self.is_utc() {
            return "UTC".to_owned();
        }
        self.zone.to_offset_info(instant(micros)).abbreviation().to_owned()
    }

    fn is_utc(&self) -> bool {
        self.zone == TimeZone::UTC
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name)
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Zone) -> bool {
        self.name == other.name
    }
}

/// Brings what lies outside the years 1 to 9000 into them by whole cycles of the calendar, so that the last rule of a zone
/// goes on for ever. Before the first year every zone is at its first offset anyway.
fn in_range(micros: i64) -> i64 {
    const LOW: i64 = -62_135_596_800_000_000 - EPOCH_MICROS;
    const HIGH: i64 = LOW + 22 * CYCLE_MICROS;
    if micros < LOW {
        LOW
    } else if micros >= HIGH {
        (micros - HIGH) % CYCLE_MICROS + HIGH - CYCLE_MICROS
    } else {
        micros
    }
}

fn instant(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(in_range(micros) + EPOCH_MICROS).expect("was brought into the library's range")
}

fn civil(micros: i64) -> DateTime {
    TimeZone::UTC.to_datetime(instant(micros))
}

/// `Z`, `+hh`, `-hh:mm`, `+hhmm`, `+hh:mm:ss`.
pub fn parse_offset(text: &str) -> Option<i32> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, digits) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let number =
        |part: &str| (!part.is_empty() && part.len() <= 2 && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse::<i32>().ok());
    let mut parts = digits.split(':');
    let first = parts.next()?;
    let (hours, minutes, seconds) = match (first.len(), digits.contains(':')) {
        (3 | 4, false) if first.is_ascii() => (number(&first[..first.len() - 2])??, number(&first[first.len() - 2..])??, 0),
        _ => {
            let minutes = parts.next().map_or(Some(Some(0)), number)??;
            let seconds = parts.next().map_or(Some(Some(0)), number)??;
            (number(first)??, minutes, seconds)
        }
    };
    let valid = parts.next().is_none() && hours <= 15 && minutes < 60 && seconds < 60;
    valid.then_some(sign * (hours * 3600 + minutes * 60 + seconds))
}

/// Of PostgreSQL's default list those that payments data has been seen to use.
pub fn abbreviation(name: &str) -> Option<i32> {
    let halves = match name.to_ascii_uppercase().as_str() {
        "UTC" | "GMT" | "UCT" | "ZULU" | "Z" | "WET" => 0,
        "BST" | "CET" | "MET" | "WEST" | "WETDST" | "IST_IRISH" => 2,
        "CEST" | "CETDST" | "EET" | "MEST" | "METDST" | "SAST" => 4,
        "EEST" | "EETDST" | "MSK" => 6,
        "MSD" => 8,
        "PKT" | "UZT" => 10,
        "IST" => 4,
        "ICT" | "WIB" => 14,
        "CCT" | "HKT" | "PHT" | "SGT" | "AWST" => 16,
        "JST" | "KST" => 18,
        "ACST" => 19,
        "AEST" | "ACDT" if name.eq_ignore_ascii_case("aest") => 20,
        "ACDT" => 21,
        "AEDT" => 22,
        "NZST" => 24,
        "NZDT" => 26,
        "BRT" | "ART" | "ADT" => -6,
        "AST" | "EDT" => -8,
        "EST" | "CDT" => -10,
        "CST" | "MDT" => -12,
        "MST" | "PDT" => -14,
        "PST" | "AKDT" => -16,
        "AKST" => -18,
        "HST" => -20,
        _ => return None,
    };
    Some(halves * 1800)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(text: &str) -> i64 {
        text.parse::<DateTime>().expect("a date and time").to_zoned(TimeZone::UTC).expect("in range").timestamp().as_microsecond()
            - EPOCH_MICROS
    }

    #[test]
    fn leapt_over_times_take_the_offset_before_and_repeated_ones_the_later() {
        let berlin = Zone::parse("Europe/Berlin").expect("a zone of the database");
        assert_eq!(berlin.offset_of_local(micros("2024-03-31T02:30:00")), 3600);
        assert_eq!(berlin.offset_of_local(micros("2024-10-27T02:30:00")), 3600);
        assert_eq!(berlin.offset_of_local(micros("2024-07-01T12:00:00")), 7200);
        assert_eq!(berlin.abbreviation_at(micros("2024-07-01T12:00:00")), "CEST");
    }

    #[test]
    fn rules_go_on_beyond_the_years_of_the_library() {
        let berlin = Zone::parse("europe/berlin").expect("names are found in any case");
        assert_eq!(berlin.name(), "Europe/Berlin");
        let far = micros("2024-07-01T12:00:00") + 200 * CYCLE_MICROS;
        assert_eq!(berlin.offset_at(far), 7200);
    }

    #[test]
    fn offsets_count_east() {
        assert_eq!(parse_offset("+05:30"), Some(19_800));
        assert_eq!(parse_offset("-0330"), Some(-12_600));
        assert_eq!(parse_offset("+02"), Some(7_200));
        assert_eq!(parse_offset("+2x"), None);
        assert!(Zone::parse("Mars/Olympus").is_err());
    }
}
