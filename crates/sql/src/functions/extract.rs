//! `extract`, `date_part` and the arithmetic of `date_trunc`.

use super::arithmetic::mismatch;
use super::kinds::*;
use super::strings::string;
use super::{Context, Function, function};
use crate::types::calendar::*;
use crate::types::datetime::local_of;
use crate::types::settings::EPOCH_MICROS;
use crate::types::{Settings, Type};
use crate::value::{Interval, Numeric, Value};
use base::{Error, Result, SqlState};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Microseconds,
    Milliseconds,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    Decade,
    Century,
    Millennium,
    Dow,
    IsoDow,
    Doy,
    IsoYear,
    Julian,
    Epoch,
    Timezone,
    TimezoneHour,
    TimezoneMinute,
}

fn unit(name: &str, ty: &str) -> Result<Unit> {
    Ok(match name.to_ascii_lowercase().as_str() {
        "microseconds" | "microsecond" | "us" | "usec" | "usecs" => Unit::Microseconds,
        "milliseconds" | "millisecond" | "ms" | "msec" | "msecs" => Unit::Milliseconds,
        "second" | "seconds" | "s" | "sec" | "secs" => Unit::Second,
        "minute" | "minutes" | "m" | "min" | "mins" => Unit::Minute,
        "hour" | "hours" | "h" | "hr" | "hrs" => Unit::Hour,
        "day" | "days" | "d" => Unit::Day,
        "week" | "weeks" | "w" => Unit::Week,
        "month" | "months" | "mon" | "mons" => Unit::Month,
        "quarter" | "qtr" => Unit::Quarter,
        "year" | "years" | "y" | "yr" | "yrs" => Unit::Year,
        "decade" | "decades" | "dec" | "decs" => Unit::Decade,
        "century" | "centuries" | "cent" | "c" => Unit::Century,
        "millennium" | "millennia" | "mil" | "mils" => Unit::Millennium,
        "dow" => Unit::Dow,
        "isodow" => Unit::IsoDow,
        "doy" => Unit::Doy,
        "isoyear" => Unit::IsoYear,
        "julian" => Unit::Julian,
        "epoch" => Unit::Epoch,
        "timezone" => Unit::Timezone,
        "timezone_hour" => Unit::TimezoneHour,
        "timezone_minute" => Unit::TimezoneMinute,
        _ => return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("unit \"{name}\" not recognized for type {ty}"))),
    })
}

fn not_for(name: &str, ty: &str) -> Error {
    Error::new(SqlState::FEATURE_NOT_SUPPORTED, format!("unit \"{name}\" not supported for type {ty}"))
}

fn whole(value: i64) -> Result<Numeric> {
    Ok(Numeric::from_i64(value))
}

fn scaled(value: i128, scale: u8) -> Result<Numeric> {
    Numeric::new(value, scale)
}

/// Year 0 and before are BC: their number has no zero.
fn shown_year(year: i64) -> i64 {
    if year > 0 { year } else { year - 1 }
}

fn century_of(year: i64, length: i64) -> i64 {
    if year > 0 { (year + length - 1) / length } else { -((length - 1 - (year - 1)) / length) }
}

fn clock_part(unit: Unit, clock: i64) -> Option<Result<Numeric>> {
    Some(match unit {
        Unit::Microseconds => whole(clock % MINUTE),
        Unit::Milliseconds => scaled(i128::from(clock % MINUTE), 3),
        Unit::Second => scaled(i128::from(clock % MINUTE), 6),
        Unit::Minute => whole(clock / MINUTE % 60),
        Unit::Hour => whole(clock / HOUR),
        _ => return None,
    })
}

fn date_part(unit: Unit, days: i64) -> Option<Result<Numeric>> {
    let (year, month, day) = civil_of(days);
    Some(whole(match unit {
        Unit::Day => day,
        Unit::Month => month,
        Unit::Quarter => (month - 1) / 3 + 1,
        Unit::Year => shown_year(year),
        Unit::Decade => year.div_euclid(10),
        Unit::Century => century_of(year, 100),
        Unit::Millennium => century_of(year, 1000),
        Unit::Week => iso_week(days).1,
        Unit::IsoYear => shown_year(iso_week(days).0),
        Unit::Dow => weekday(days),
        Unit::IsoDow => (weekday(days) + 6) % 7 + 1,
        Unit::Doy => days - days_of(year, 1, 1) + 1,
        _ => return None,
    }))
}

/// `micros`: local. `offset`: of a `timestamptz`, seconds east.
fn of_timestamp(name: &str, micros: i64, offset: Option<i32>, ty: &str) -> Result<Numeric> {
    let unit = unit(name, ty)?;
    if !is_finite_timestamp(micros) {
        return Err(Error::unsupported("a part of an infinite timestamp"));
    }
    let (days, clock) = split(micros);
    if let Some(part) = clock_part(unit, clock).or_else(|| date_part(unit, days)) {
        return part;
    }
    let zoned = |value: fn(i64) -> i64| offset.map(|offset| whole(value(i64::from(offset))));
    let part = match unit {
        Unit::Epoch => {
            let micros = i128::from(micros) - i128::from(offset.unwrap_or(0)) * i128::from(SECOND) + i128::from(EPOCH_MICROS);
            Some(scaled(micros, 6))
        }
        Unit::Julian => {
            let days = Numeric::from_i64(days + 2_451_545);
            let rest = Numeric::from_i64(clock).div(Numeric::from_i64(DAY))?;
            Some(days.add(rest))
        }
        Unit::Timezone => zoned(|offset| offset),
        Unit::TimezoneHour => zoned(|offset| offset / 3600),
        Unit::TimezoneMinute => zoned(|offset| offset / 60 % 60),
        _ => None,
    };
    part.ok_or_else(|| not_for(name, ty))?
}

fn of_date(name: &str, days: i32) -> Result<Numeric> {
    let unit = unit(name, "date")?;
    if !is_finite_date(days) {
        return Err(Error::unsupported("a part of an infinite date"));
    }
    match unit {
        Unit::Epoch => whole(i64::from(days) * 86_400 + EPOCH_MICROS / SECOND),
        Unit::Julian => whole(i64::from(days) + 2_451_545),
        _ => date_part(unit, i64::from(days)).ok_or_else(|| not_for(name, "date"))?,
    }
}

fn of_time(name: &str, micros: i64) -> Result<Numeric> {
    const TYPE: &str = "time without time zone";
    match unit(name, TYPE)? {
        Unit::Epoch => scaled(i128::from(micros), 6),
        unit => clock_part(unit, micros).ok_or_else(|| not_for(name, TYPE))?,
    }
}

fn of_interval(name: &str, interval: Interval) -> Result<Numeric> {
    let unit = unit(name, "interval")?;
    if let Some(part) = clock_part(unit, interval.micros) {
        return part;
    }
    let (years, months) = (i64::from(interval.months / 12), i64::from(interval.months % 12));
    match unit {
        Unit::Day => whole(i64::from(interval.days)),
        Unit::Month => whole(months),
        Unit::Quarter => whole(months / 3 + 1),
        Unit::Year => whole(years),
        Unit::Decade => whole(years / 10),
        Unit::Century => whole(years / 100),
        Unit::Millennium => whole(years / 1000),
        Unit::Epoch => {
            // A year is 365.25 days, a month 30.
            let days = i128::from(years) * 1461 * i128::from(DAY / 4);
            let rest = i128::from(months) * 30 + i128::from(interval.days);
            scaled(days + rest * i128::from(DAY) + i128::from(interval.micros), 6)
        }
        _ => Err(not_for(name, "interval")),
    }
}

fn part(args: &[Value], settings: &Settings) -> Result<Numeric> {
    let name = string(args, 0)?;
    match &args[1] {
        Value::Date(days) => of_date(name, *days),
        Value::Time(micros) => of_time(name, *micros),
        Value::Timestamp(micros) => of_timestamp(name, *micros, None, &Type::Timestamp.to_string()),
        Value::TimestampTz(micros) => {
            let offset = settings.time_zone.offset_at(*micros);
            of_timestamp(name, local_of(*micros, settings), Some(offset), &Type::TimestampTz.to_string())
        }
        Value::Interval(interval) => of_interval(name, *interval),
        _ => Err(mismatch()),
    }
}

fn extract(args: &[Value], context: &Context) -> Result<Value> {
    part(args, context.settings()).map(Value::Numeric)
}

fn date_part_function(args: &[Value], context: &Context) -> Result<Value> {
    part(args, context.settings()).map(|value| Value::Float8(value.to_f64()))
}

pub(super) static FUNCTIONS: [Function; 10] = [
    function("extract", &[TEXT, DATE], NUMERIC, extract),
    function("extract", &[TEXT, TIME], NUMERIC, extract),
    function("extract", &[TEXT, TIMESTAMP], NUMERIC, extract),
    function("extract", &[TEXT, TIMESTAMPTZ], NUMERIC, extract).stable(),
    function("extract", &[TEXT, INTERVAL], NUMERIC, extract),
    function("date_part", &[TEXT, DATE], FLOAT8, date_part_function),
    function("date_part", &[TEXT, TIME], FLOAT8, date_part_function),
    function("date_part", &[TEXT, TIMESTAMP], FLOAT8, date_part_function),
    function("date_part", &[TEXT, TIMESTAMPTZ], FLOAT8, date_part_function).stable(),
    function("date_part", &[TEXT, INTERVAL], FLOAT8, date_part_function),
];

/// The start of the unit that a local time lies in.
pub(super) fn truncate(name: &str, micros: i64, ty: &str) -> Result<i64> {
    let unit = unit(name, ty)?;
    if !is_finite_timestamp(micros) {
        return Ok(micros);
    }
    let (days, _) = split(micros);
    let (year, month, _) = civil_of(days);
    let down = |step: i64| Ok(micros.div_euclid(step) * step);
    let start = |year: i64, month: i64| Ok(days_of(year, month, 1) * DAY);
    match unit {
        Unit::Microseconds => Ok(micros),
        Unit::Milliseconds => down(1_000),
        Unit::Second => down(SECOND),
        Unit::Minute => down(MINUTE),
        Unit::Hour => down(HOUR),
        Unit::Day => Ok(days * DAY),
        Unit::Week => Ok((days - (weekday(days) + 6) % 7) * DAY),
        Unit::Month => start(year, month),
        Unit::Quarter => start(year, (month - 1) / 3 * 3 + 1),
        Unit::Year => start(year, 1),
        Unit::Decade => start(year.div_euclid(10) * 10, 1),
        Unit::Century => start((year - 1).div_euclid(100) * 100 + 1, 1),
        Unit::Millennium => start((year - 1).div_euclid(1000) * 1000 + 1, 1),
        _ => Err(not_for(name, ty)),
    }
}

pub(super) fn truncate_interval(name: &str, interval: Interval) -> Result<Interval> {
    let months = |step: i32| Interval { months: interval.months / step * step, days: 0, micros: 0 };
    let clock = |step: i64| Interval { micros: interval.micros / step * step, ..interval };
    Ok(match unit(name, "interval")? {
        Unit::Microseconds => interval,
        Unit::Milliseconds => clock(1_000),
        Unit::Second => clock(SECOND),
        Unit::Minute => clock(MINUTE),
        Unit::Hour => clock(HOUR),
        Unit::Day => Interval { micros: 0, ..interval },
        Unit::Month => months(1),
        Unit::Quarter => months(3),
        Unit::Year => months(12),
        Unit::Decade => months(120),
        Unit::Century => months(1_200),
        Unit::Millennium => months(12_000),
        _ => return Err(not_for(name, "interval")),
    })
}
