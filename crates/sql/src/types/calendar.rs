//! The proleptic Gregorian calendar, and the limits of PostgreSQL's date and time types.
//!
//! Days count from 2000-01-01, microseconds from its midnight. Year 0 is 1 BC.

/// Microseconds.
pub const SECOND: i64 = 1_000_000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

/// 4714-11-24 BC, Julian day 0: the first date.
pub const DATE_MIN: i32 = -2_451_545;
/// The day after the last date, 5874897-12-31.
pub const DATE_END: i32 = 2_145_031_949;
pub const DATE_NEGATIVE_INFINITY: i32 = i32::MIN;
pub const DATE_INFINITY: i32 = i32::MAX;

pub const TIMESTAMP_MIN: i64 = -211_813_488_000_000_000;
/// 294277-01-01, the first that is too late.
pub const TIMESTAMP_END: i64 = 9_223_371_331_200_000_000;
pub const NEGATIVE_INFINITY: i64 = i64::MIN;
pub const INFINITY: i64 = i64::MAX;

/// Days from 0000-03-01 to 2000-01-01.
const EPOCH_SHIFT: i64 = 730_425;
const DAYS_OF_ERA: i64 = 146_097;

/// Days from 2000-01-01 of a date. `month` may only be 1 to 12, `day` may be any number.
///
/// Source: Hinnant, "chrono-Compatible Low-Level Date Algorithms" (2013), `days_from_civil`.
pub fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * DAYS_OF_ERA + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - EPOCH_SHIFT
}

/// Year, month and day of a date: the same paper's `civil_from_days`.
pub fn civil_of(days: i64) -> (i64, i64, i64) {
    let days = days + EPOCH_SHIFT;
    let era = days.div_euclid(DAYS_OF_ERA);
    let day_of_era = days.rem_euclid(DAYS_OF_ERA);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

pub fn is_leap(year: i64) -> bool {
    year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0)
}

pub fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// 0 is Sunday.
pub fn weekday(days: i64) -> i64 {
    (days + 6).rem_euclid(7)
}

/// ISO 8601's year and week.
pub fn iso_week(days: i64) -> (i64, i64) {
    // The week's Thursday decides the year.
    let thursday = days - (weekday(days) + 6) % 7 + 3;
    let (year, _, _) = civil_of(thursday);
    (year, (thursday - days_of(year, 1, 1)) / 7 + 1)
}

/// Days and the microseconds of the day, of a timestamp.
pub fn split(micros: i64) -> (i64, i64) {
    (micros.div_euclid(DAY), micros.rem_euclid(DAY))
}

pub fn is_finite_timestamp(micros: i64) -> bool {
    micros != INFINITY && micros != NEGATIVE_INFINITY
}

pub fn is_finite_date(days: i32) -> bool {
    days != DATE_INFINITY && days != DATE_NEGATIVE_INFINITY
}

pub fn timestamp_in_range(micros: i64) -> bool {
    (TIMESTAMP_MIN..TIMESTAMP_END).contains(&micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_days_lead_to_each_other() {
        assert_eq!(days_of(2000, 1, 1), 0);
        assert_eq!(days_of(1970, 1, 1), -10_957);
        assert_eq!(civil_of(i64::from(DATE_MIN)), (-4713, 11, 24));
        assert_eq!(civil_of(i64::from(DATE_END) - 1).0, 5_874_897);
        for days in (-800_000..800_000).step_by(97) {
            let (year, month, day) = civil_of(days);
            assert_eq!(days_of(year, month, day), days);
            assert!((1..=days_in_month(year, month)).contains(&day));
        }
    }

    #[test]
    fn weeks_are_those_of_iso_8601() {
        assert_eq!(weekday(days_of(2024, 2, 25)), 0);
        assert_eq!(iso_week(days_of(2021, 1, 3)), (2020, 53));
        assert_eq!(iso_week(days_of(2024, 12, 30)), (2025, 1));
    }
}
