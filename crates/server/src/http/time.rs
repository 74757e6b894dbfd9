//! Nanoseconds since 1970 as text and back: RFC 3339 with up to nine digits behind the point.

const SECOND_NS: u64 = 1_000_000_000;
const DAY_S: i64 = 86_400;
/// The ledger's times end in 2262, where nanoseconds no longer fit SQL's `bigint`.
const NANOSECONDS_MAX: u64 = i64::MAX as u64;

/// `2026-11-22T10:00:00.000000001Z`: always UTC, always nine digits, so that texts sort as their times do.
pub fn format(nanoseconds: u64) -> String {
    let (seconds, rest) = (nanoseconds / SECOND_NS, nanoseconds % SECOND_NS);
    let (days, of_day) = (seconds / DAY_S as u64, seconds % DAY_S as u64);
    let (year, month, day) = civil(days as i64);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{rest:09}Z")
}

/// `None` for what is no RFC 3339 time between 1970 and 2262.
pub fn parse(text: &str) -> Option<u64> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = bytes.get(from..to)?;
        digits.iter().all(u8::is_ascii_digit).then(|| std::str::from_utf8(digits).ok()?.parse().ok())?
    };
    let mark = |at: usize, marks: &[u8]| bytes.get(at).is_some_and(|byte| marks.contains(byte)).then_some(());
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    mark(4, b"-").and(mark(7, b"-")).and(mark(10, b"Tt ")).and(mark(13, b":")).and(mark(16, b":"))?;
    let days = days_of(year, month, day);
    if civil(days) != (year, month, day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (nanoseconds, at) = fraction(bytes)?;
    let offset = offset(&bytes[at..])?;
    let seconds = days * DAY_S + hour * 3_600 + minute * 60 + second - offset;
    let whole = u64::try_from(seconds).ok()?.checked_mul(SECOND_NS)?.checked_add(nanoseconds)?;
    (whole <= NANOSECONDS_MAX).then_some(whole)
}

/// The nanoseconds behind the point, if there is one, and where the zone begins.
fn fraction(bytes: &[u8]) -> Option<(u64, usize)> {
    if bytes.get(19) != Some(&b'.') {
        return Some((0, 19));
    }
    let digits = bytes[20..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=9).contains(&digits) {
        return None;
    }
    let padded = bytes[20..20 + digits].iter().chain(std::iter::repeat(&b'0')).take(9);
    Some((padded.fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')), 20 + digits))
}

/// Seconds east of Greenwich.
fn offset(zone: &[u8]) -> Option<i64> {
    let digit = |at: usize| zone.get(at).filter(|byte| byte.is_ascii_digit()).map(|byte| i64::from(byte - b'0'));
    match zone {
        b"Z" | b"z" => Some(0),
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let (hours, minutes) = (digit(1)? * 10 + digit(2)?, digit(4)? * 10 + digit(5)?);
            let seconds = hours * 3_600 + minutes * 60;
            (hours < 24 && minutes < 60).then_some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

/// Days since 1970-01-01 of a date of the Gregorian calendar, counted in eras of 400 years that begin in March (Howard Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`).
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The inverse: year, month, day.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read() {
        for (nanoseconds, text) in [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (951_782_400_000_000_001, "2000-02-29T00:00:00.000000001Z"),
            (1_795_392_000_123_456_789, "2026-11-23T00:00:00.123456789Z"),
            (NANOSECONDS_MAX, "2262-04-11T23:47:16.854775807Z"),
        ] {
            assert_eq!(format(nanoseconds), text);
            assert_eq!(parse(text), Some(nanoseconds));
        }
    }

    #[test]
    fn every_day_is_found_again() {
        for day in 0..106_752 {
            let (year, month, of_month) = civil(day);
            assert_eq!(days_of(year, month, of_month), day);
        }
    }

    #[test]
    fn zones_and_short_fractions_are_understood_and_nonsense_is_not() {
        assert_eq!(parse("1970-01-01T02:00:00+02:00"), Some(0));
        assert_eq!(parse("1970-01-01 00:00:00.5z"), Some(500_000_000));
        assert_eq!(parse("1969-12-31T23:00:01-01:00"), Some(SECOND_NS));
        for wrong in [
            "",
            "2026",
            "2026-11-23",
            "2026-11-23T00:00:00",
            "2026-02-30T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-23T24:00:00Z",
            "1969-12-31T23:59:59Z",
            "2263-01-01T00:00:00Z",
            "2026-11-23T00:00:00.Z",
            "2026-11-23T00:00:00.1234567890Z",
            "2026-11-23T00:00:00+2:00",
            "2026-11-23T00:00:00+24:00",
            "2026-11-23T00:00:00Zz",
            "2026-11-23T00:00:+1Z",
            "２０26-11-23T00:00:00Z",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
