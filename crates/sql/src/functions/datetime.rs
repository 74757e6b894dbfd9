//! Functions and operators of dates, times and intervals.

use super::arithmetic::mismatch;
use super::extract;
use super::kinds::*;
use super::strings::{integer, string};
use super::{Context, Function, function};
use crate::types::calendar::*;
use crate::types::datetime::{from_local, local_of, now as transaction_now, out_of_range, timestamp_to_date, to_local};
use crate::types::settings::{EPOCH_MICROS, timestamp_of};
use crate::types::zone::{Zone, parse_offset};
use crate::types::{Settings, interval};
use crate::value::{Interval, Value};
use base::{Error, Result, SqlState};

fn interval_arg(args: &[Value], index: usize) -> Result<Interval> {
    match args.get(index) {
        Some(Value::Interval(interval)) => Ok(*interval),
        _ => Err(mismatch()),
    }
}

/// Of a date, a timestamp or a `timestamptz`.
pub(super) fn micros_arg(args: &[Value], index: usize) -> Result<i64> {
    match args.get(index) {
        Some(Value::Timestamp(micros) | Value::TimestampTz(micros) | Value::Time(micros)) => Ok(*micros),
        _ => Err(mismatch()),
    }
}

fn in_range(micros: Option<i64>) -> Result<i64> {
    micros.filter(|micros| timestamp_in_range(*micros)).ok_or_else(|| out_of_range("timestamp"))
}

/// Months first (the day is kept if the month has it), then days, then the time.
pub(crate) fn add_interval(micros: i64, interval: Interval) -> Result<i64> {
    if !is_finite_timestamp(micros) {
        return Ok(micros);
    }
    let (mut days, clock) = split(micros);
    if interval.months != 0 {
        let (year, month, day) = civil_of(days);
        let months = year * 12 + month - 1 + i64::from(interval.months);
        let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
        days = days_of(year, month, day.min(days_in_month(year, month)));
    }
    let days = days.checked_add(i64::from(interval.days));
    let midnight = in_range(days.and_then(|days| days.checked_mul(DAY)).and_then(|midnight| midnight.checked_add(clock)))?;
    in_range(midnight.checked_add(interval.micros))
}

/// Months and days count by the zone's calendar, the time by the clock of physics.
fn add_interval_zoned(micros: i64, interval: Interval, settings: &Settings) -> Result<i64> {
    if !is_finite_timestamp(micros) {
        return Ok(micros);
    }
    let mut result = micros;
    if interval.months != 0 || interval.days != 0 {
        let moved = add_interval(local_of(micros, settings), Interval { micros: 0, ..interval })?;
        result = from_local(moved, &settings.time_zone)?;
    }
    in_range(result.checked_add(interval.micros))
}

fn timestamp_plus(args: &[Value], _: &Context) -> Result<Value> {
    add_interval(micros_arg(args, 0)?, interval_arg(args, 1)?).map(Value::Timestamp)
}

fn plus_timestamp(args: &[Value], _: &Context) -> Result<Value> {
    add_interval(micros_arg(args, 1)?, interval_arg(args, 0)?).map(Value::Timestamp)
}

fn timestamp_minus(args: &[Value], _: &Context) -> Result<Value> {
    add_interval(micros_arg(args, 0)?, interval_arg(args, 1)?.checked_neg()?).map(Value::Timestamp)
}

fn timestamptz_plus(args: &[Value], context: &Context) -> Result<Value> {
    add_interval_zoned(micros_arg(args, 0)?, interval_arg(args, 1)?, context.settings()).map(Value::TimestampTz)
}

fn plus_timestamptz(args: &[Value], context: &Context) -> Result<Value> {
    add_interval_zoned(micros_arg(args, 1)?, interval_arg(args, 0)?, context.settings()).map(Value::TimestampTz)
}

fn timestamptz_minus(args: &[Value], context: &Context) -> Result<Value> {
    add_interval_zoned(micros_arg(args, 0)?, interval_arg(args, 1)?.checked_neg()?, context.settings()).map(Value::TimestampTz)
}

/// Whole days and the rest.
fn timestamps_between(args: &[Value], _: &Context) -> Result<Value> {
    let (a, b) = (micros_arg(args, 0)?, micros_arg(args, 1)?);
    if !is_finite_timestamp(a) || !is_finite_timestamp(b) {
        return Err(Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "cannot subtract infinite timestamps"));
    }
    let micros = a.checked_sub(b).ok_or_else(interval::out_of_range)?;
    Ok(Value::Interval(Interval { months: 0, days: (micros / DAY) as i32, micros: micros % DAY }))
}

fn date_arg(args: &[Value], index: usize) -> Result<i32> {
    match args.get(index) {
        Some(Value::Date(days)) => Ok(*days),
        _ => Err(mismatch()),
    }
}

fn moved_date(days: i32, by: i64) -> Result<Value> {
    if !is_finite_date(days) {
        return Ok(Value::Date(days));
    }
    let moved = i64::from(days) + by;
    let valid = (i64::from(DATE_MIN)..i64::from(DATE_END)).contains(&moved);
    if valid { Ok(Value::Date(moved as i32)) } else { Err(out_of_range("date")) }
}

fn date_plus(args: &[Value], _: &Context) -> Result<Value> {
    moved_date(date_arg(args, 0)?, integer(args, 1)?)
}

fn plus_date(args: &[Value], _: &Context) -> Result<Value> {
    moved_date(date_arg(args, 1)?, integer(args, 0)?)
}

fn date_minus(args: &[Value], _: &Context) -> Result<Value> {
    moved_date(date_arg(args, 0)?, -integer(args, 1)?)
}

fn dates_between(args: &[Value], _: &Context) -> Result<Value> {
    let (a, b) = (date_arg(args, 0)?, date_arg(args, 1)?);
    if !is_finite_date(a) || !is_finite_date(b) {
        return Err(Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "cannot subtract infinite dates"));
    }
    Ok(Value::Int4(a - b))
}

fn date_plus_interval(args: &[Value], _: &Context) -> Result<Value> {
    let midnight = crate::types::datetime::date_to_timestamp(date_arg(args, 0)?)?;
    add_interval(midnight, interval_arg(args, 1)?).map(Value::Timestamp)
}

fn date_minus_interval(args: &[Value], _: &Context) -> Result<Value> {
    let midnight = crate::types::datetime::date_to_timestamp(date_arg(args, 0)?)?;
    add_interval(midnight, interval_arg(args, 1)?.checked_neg()?).map(Value::Timestamp)
}

fn interval_plus_date(args: &[Value], context: &Context) -> Result<Value> {
    date_plus_interval(&[args[1].clone(), args[0].clone()], context)
}

fn date_plus_time(args: &[Value], _: &Context) -> Result<Value> {
    let midnight = crate::types::datetime::date_to_timestamp(date_arg(args, 0)?)?;
    if !is_finite_timestamp(midnight) {
        return Ok(Value::Timestamp(midnight));
    }
    in_range(midnight.checked_add(micros_arg(args, 1)?)).map(Value::Timestamp)
}

fn time_plus_date(args: &[Value], context: &Context) -> Result<Value> {
    date_plus_time(&[args[1].clone(), args[0].clone()], context)
}

fn time_plus(args: &[Value], _: &Context) -> Result<Value> {
    Ok(Value::Time((micros_arg(args, 0)? + interval_arg(args, 1)?.micros % DAY).rem_euclid(DAY)))
}

fn plus_time(args: &[Value], _: &Context) -> Result<Value> {
    Ok(Value::Time((micros_arg(args, 1)? + interval_arg(args, 0)?.micros % DAY).rem_euclid(DAY)))
}

fn time_minus(args: &[Value], _: &Context) -> Result<Value> {
    Ok(Value::Time((micros_arg(args, 0)? - interval_arg(args, 1)?.micros % DAY).rem_euclid(DAY)))
}

fn times_between(args: &[Value], _: &Context) -> Result<Value> {
    Ok(Value::Interval(Interval { months: 0, days: 0, micros: micros_arg(args, 0)? - micros_arg(args, 1)? }))
}

fn add_intervals(args: &[Value], _: &Context) -> Result<Value> {
    interval_arg(args, 0)?.checked_add(interval_arg(args, 1)?).map(Value::Interval)
}

fn sub_intervals(args: &[Value], _: &Context) -> Result<Value> {
    let (a, b) = (interval_arg(args, 0)?, interval_arg(args, 1)?);
    let parts = a.months.checked_sub(b.months).zip(a.days.checked_sub(b.days)).zip(a.micros.checked_sub(b.micros));
    let difference = parts.map(|((months, days), micros)| Interval { months, days, micros });
    difference.map(Value::Interval).ok_or_else(interval::out_of_range)
}

fn neg_interval(args: &[Value], _: &Context) -> Result<Value> {
    interval_arg(args, 0)?.checked_neg().map(Value::Interval)
}

fn mul_interval(args: &[Value], _: &Context) -> Result<Value> {
    interval_arg(args, 0)?.checked_mul(args[1].as_f64().ok_or_else(mismatch)?).map(Value::Interval)
}

fn times_interval(args: &[Value], _: &Context) -> Result<Value> {
    interval_arg(args, 1)?.checked_mul(args[0].as_f64().ok_or_else(mismatch)?).map(Value::Interval)
}

fn div_interval(args: &[Value], _: &Context) -> Result<Value> {
    interval_arg(args, 0)?.checked_div(args[1].as_f64().ok_or_else(mismatch)?).map(Value::Interval)
}

fn now(_: &[Value], context: &Context) -> Result<Value> {
    Ok(Value::TimestampTz(transaction_now(context.settings())))
}

fn now_rounded(args: &[Value], context: &Context) -> Result<Value> {
    Ok(crate::types::datetime::constrain(now(&[], context)?, integer(args, 0)?.clamp(0, 6) as i32))
}

fn statement_timestamp(_: &[Value], context: &Context) -> Result<Value> {
    Ok(Value::TimestampTz(timestamp_of(context.settings().statement_start)))
}

fn clock_timestamp(_: &[Value], context: &Context) -> Result<Value> {
    Ok(Value::TimestampTz(timestamp_of(context.env.ambient.wall())))
}

fn local_now(context: &Context) -> i64 {
    local_of(transaction_now(context.settings()), context.settings())
}

fn current_date(_: &[Value], context: &Context) -> Result<Value> {
    Ok(Value::Date(timestamp_to_date(local_now(context))))
}

fn localtimestamp(_: &[Value], context: &Context) -> Result<Value> {
    Ok(Value::Timestamp(local_now(context)))
}

fn localtime(_: &[Value], context: &Context) -> Result<Value> {
    Ok(Value::Time(split(local_now(context)).1))
}

fn current_time(_: &[Value], _: &Context) -> Result<Value> {
    Err(Error::unsupported("type time with time zone, which current_time returns,"))
}

fn make_date(args: &[Value], _: &Context) -> Result<Value> {
    let (year, month, day) = (integer(args, 0)?, integer(args, 1)?, integer(args, 2)?);
    let refused = || Error::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("date field value out of range: {year}-{month:02}-{day:02}"));
    // There is no year 0; -1 is 1 BC.
    let astronomic = if year < 0 { year + 1 } else { year };
    if year == 0 || !(1..=12).contains(&month) || day < 1 || day > days_in_month(astronomic, month) {
        return Err(refused());
    }
    moved_date(0, days_of(astronomic, month, day)).map_err(|_| refused())
}

fn clock_of(args: &[Value], first: usize) -> Result<i64> {
    let (hour, minute) = (integer(args, first)?, integer(args, first + 1)?);
    let second = args.get(first + 2).and_then(Value::as_f64).ok_or_else(mismatch)?;
    let micros = (second * 1e6).round_ties_even();
    let total = hour * HOUR + minute * MINUTE + micros as i64;
    if !(0..=24).contains(&hour) || !(0..60).contains(&minute) || !(0.0..=60.0).contains(&second) || total > DAY {
        let message = format!("time field value out of range: {hour}:{minute:02}:{second:02}");
        return Err(Error::new(SqlState::DATETIME_FIELD_OVERFLOW, message));
    }
    Ok(total)
}

fn make_time(args: &[Value], _: &Context) -> Result<Value> {
    clock_of(args, 0).map(Value::Time)
}

fn make_timestamp(args: &[Value], context: &Context) -> Result<Value> {
    let Value::Date(days) = make_date(args, context)? else {
        return Err(mismatch());
    };
    let clock = clock_of(args, 3)?;
    in_range(i64::from(days).checked_mul(DAY).and_then(|midnight| midnight.checked_add(clock))).map(Value::Timestamp)
}

/// From seconds since 1970.
fn to_timestamp(args: &[Value], _: &Context) -> Result<Value> {
    let seconds = args[0].as_f64().ok_or_else(mismatch)?;
    if seconds.is_nan() {
        return Err(Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "timestamp cannot be NaN"));
    }
    if seconds.is_infinite() {
        return Ok(Value::TimestampTz(if seconds > 0.0 { INFINITY } else { NEGATIVE_INFINITY }));
    }
    let micros = seconds * 1e6 - EPOCH_MICROS as f64;
    let fits = (TIMESTAMP_MIN as f64..TIMESTAMP_END as f64).contains(&micros);
    if !fits {
        return Err(Error::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("timestamp out of range: \"{seconds}\"")));
    }
    Ok(Value::TimestampTz(micros.round_ties_even() as i64))
}

/// A zone of AT TIME ZONE: names as everywhere, but a bare offset counts west, as POSIX has it.
fn zone_arg(args: &[Value], index: usize) -> Result<Zone> {
    let name = string(args, index)?;
    let unknown = || Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("time zone \"{name}\" not recognized"));
    match parse_offset(name) {
        Some(seconds) if !name.eq_ignore_ascii_case("z") => {
            let (sign, magnitude) = if seconds > 0 { ('-', seconds) } else { ('+', -seconds) };
            let text = format!("{sign}{:02}:{:02}:{:02}", magnitude / 3600, magnitude / 60 % 60, magnitude % 60);
            Zone::find(&text).ok_or_else(unknown)
        }
        _ => Zone::find(name).ok_or_else(unknown),
    }
}

fn timestamptz_at_zone(args: &[Value], _: &Context) -> Result<Value> {
    Ok(Value::Timestamp(to_local(micros_arg(args, 1)?, &zone_arg(args, 0)?)))
}

fn timestamp_at_zone(args: &[Value], _: &Context) -> Result<Value> {
    from_local(micros_arg(args, 1)?, &zone_arg(args, 0)?).map(Value::TimestampTz)
}

/// Years, months, days and time between two timestamps, counted by the calendar: PostgreSQL's `timestamp_age`.
fn age_between(later: i64, earlier: i64) -> Result<Value> {
    if !is_finite_timestamp(later) || !is_finite_timestamp(earlier) {
        return Err(out_of_range("timestamp"));
    }
    let negative = later < earlier;
    let (later, earlier) = if negative { (earlier, later) } else { (later, earlier) };
    let ((days1, clock1), (days2, clock2)) = (split(later), split(earlier));
    let ((y1, m1, d1), (y2, m2, d2)) = (civil_of(days1), civil_of(days2));
    let (mut months, mut days, mut clock) = ((y1 - y2) * 12 + m1 - m2, d1 - d2, clock1 - clock2);
    if clock < 0 {
        (clock, days) = (clock + DAY, days - 1);
    }
    if days < 0 {
        // The month that the count starts in has the days that are missing.
        let length = days_in_month(y2, m2);
        (days, months) = (days + length, months - 1);
    }
    let interval = Interval { months: months as i32, days: days as i32, micros: clock };
    if negative { interval.checked_neg().map(Value::Interval) } else { Ok(Value::Interval(interval)) }
}

fn age_timestamps(args: &[Value], _: &Context) -> Result<Value> {
    age_between(micros_arg(args, 0)?, micros_arg(args, 1)?)
}

fn age_timestamptzs(args: &[Value], context: &Context) -> Result<Value> {
    let settings = context.settings();
    age_between(local_of(micros_arg(args, 0)?, settings), local_of(micros_arg(args, 1)?, settings))
}

fn today(context: &Context) -> i64 {
    split(local_now(context)).0 * DAY
}

fn age_timestamp(args: &[Value], context: &Context) -> Result<Value> {
    age_between(today(context), micros_arg(args, 0)?)
}

fn age_timestamptz(args: &[Value], context: &Context) -> Result<Value> {
    age_between(today(context), local_of(micros_arg(args, 0)?, context.settings()))
}

fn date_trunc_timestamp(args: &[Value], _: &Context) -> Result<Value> {
    extract::truncate(string(args, 0)?, micros_arg(args, 1)?, "timestamp without time zone").map(Value::Timestamp)
}

fn truncate_zoned(unit: &str, micros: i64, zone: &Zone) -> Result<Value> {
    let truncated = extract::truncate(unit, to_local(micros, zone), "timestamp with time zone")?;
    from_local(truncated, zone).map(Value::TimestampTz)
}

fn date_trunc_timestamptz(args: &[Value], context: &Context) -> Result<Value> {
    truncate_zoned(string(args, 0)?, micros_arg(args, 1)?, &context.settings().time_zone)
}

fn date_trunc_zone(args: &[Value], _: &Context) -> Result<Value> {
    truncate_zoned(string(args, 0)?, micros_arg(args, 1)?, &zone_arg(args, 2)?)
}

fn date_trunc_interval(args: &[Value], _: &Context) -> Result<Value> {
    extract::truncate_interval(string(args, 0)?, interval_arg(args, 1)?).map(Value::Interval)
}

fn justify_hours(args: &[Value], _: &Context) -> Result<Value> {
    let interval = interval_arg(args, 0)?;
    let (mut days, mut micros) = (i64::from(interval.days) + interval.micros / DAY, interval.micros % DAY);
    if days > 0 && micros < 0 {
        (days, micros) = (days - 1, micros + DAY);
    } else if days < 0 && micros > 0 {
        (days, micros) = (days + 1, micros - DAY);
    }
    let days = i32::try_from(days).map_err(|_| interval::out_of_range())?;
    Ok(Value::Interval(Interval { months: interval.months, days, micros }))
}

fn justify_days(args: &[Value], _: &Context) -> Result<Value> {
    let interval = interval_arg(args, 0)?;
    let (mut months, mut days) = (i64::from(interval.months) + i64::from(interval.days / 30), interval.days % 30);
    if months > 0 && days < 0 {
        (months, days) = (months - 1, days + 30);
    } else if months < 0 && days > 0 {
        (months, days) = (months + 1, days - 30);
    }
    let months = i32::try_from(months).map_err(|_| interval::out_of_range())?;
    Ok(Value::Interval(Interval { months, days, micros: interval.micros }))
}

fn is_finite(args: &[Value], _: &Context) -> Result<Value> {
    Ok(Value::Bool(match &args[0] {
        Value::Date(days) => is_finite_date(*days),
        Value::Timestamp(micros) | Value::TimestampTz(micros) => is_finite_timestamp(*micros),
        _ => true,
    }))
}

pub(super) static FUNCTIONS: [Function; 34] = [
    function("now", &[], TIMESTAMPTZ, now).stable(),
    function("current_timestamp", &[], TIMESTAMPTZ, now).stable(),
    function("current_timestamp", &[INT4], TIMESTAMPTZ, now_rounded).stable(),
    function("transaction_timestamp", &[], TIMESTAMPTZ, now).stable(),
    function("statement_timestamp", &[], TIMESTAMPTZ, statement_timestamp).stable(),
    function("clock_timestamp", &[], TIMESTAMPTZ, clock_timestamp).volatile(),
    function("current_date", &[], DATE, current_date).stable(),
    function("current_time", &[], TIME, current_time).stable(),
    function("localtimestamp", &[], TIMESTAMP, localtimestamp).stable(),
    function("localtime", &[], TIME, localtime).stable(),
    function("make_date", &[INT4, INT4, INT4], DATE, make_date),
    function("make_time", &[INT4, INT4, FLOAT8], TIME, make_time),
    function("make_timestamp", &[INT4, INT4, INT4, INT4, INT4, FLOAT8], TIMESTAMP, make_timestamp),
    function("to_timestamp", &[FLOAT8], TIMESTAMPTZ, to_timestamp),
    function("timezone", &[TEXT, TIMESTAMPTZ], TIMESTAMP, timestamptz_at_zone),
    function("timezone", &[TEXT, TIMESTAMP], TIMESTAMPTZ, timestamp_at_zone),
    function("age", &[TIMESTAMP, TIMESTAMP], INTERVAL, age_timestamps),
    function("age", &[TIMESTAMPTZ, TIMESTAMPTZ], INTERVAL, age_timestamptzs).stable(),
    function("age", &[TIMESTAMP], INTERVAL, age_timestamp).stable(),
    function("age", &[TIMESTAMPTZ], INTERVAL, age_timestamptz).stable(),
    function("date_trunc", &[TEXT, TIMESTAMP], TIMESTAMP, date_trunc_timestamp),
    function("date_trunc", &[TEXT, TIMESTAMPTZ], TIMESTAMPTZ, date_trunc_timestamptz).stable(),
    function("date_trunc", &[TEXT, TIMESTAMPTZ, TEXT], TIMESTAMPTZ, date_trunc_zone).stable(),
    function("date_trunc", &[TEXT, INTERVAL], INTERVAL, date_trunc_interval),
    function("justify_hours", &[INTERVAL], INTERVAL, justify_hours),
    function("justify_days", &[INTERVAL], INTERVAL, justify_days),
    function("isfinite", &[DATE], BOOL, is_finite),
    function("isfinite", &[TIMESTAMP], BOOL, is_finite),
    function("isfinite", &[TIMESTAMPTZ], BOOL, is_finite),
    function("isfinite", &[INTERVAL], BOOL, is_finite),
    function("date", &[TIMESTAMP], DATE, to_date),
    function("date", &[TIMESTAMPTZ], DATE, to_date).stable(),
    function("timestamp", &[DATE], TIMESTAMP, to_plain),
    function("timestamp", &[TIMESTAMPTZ], TIMESTAMP, to_plain).stable(),
];

fn to_date(args: &[Value], context: &Context) -> Result<Value> {
    crate::types::datetime::cast(&args[0], crate::types::Type::Date, context.settings())
}

fn to_plain(args: &[Value], context: &Context) -> Result<Value> {
    crate::types::datetime::cast(&args[0], crate::types::Type::Timestamp, context.settings())
}

pub(super) static OPERATORS: [Function; 27] = [
    function("+", &[TIMESTAMP, INTERVAL], TIMESTAMP, timestamp_plus),
    function("+", &[INTERVAL, TIMESTAMP], TIMESTAMP, plus_timestamp),
    function("-", &[TIMESTAMP, INTERVAL], TIMESTAMP, timestamp_minus),
    function("+", &[TIMESTAMPTZ, INTERVAL], TIMESTAMPTZ, timestamptz_plus).stable(),
    function("+", &[INTERVAL, TIMESTAMPTZ], TIMESTAMPTZ, plus_timestamptz).stable(),
    function("-", &[TIMESTAMPTZ, INTERVAL], TIMESTAMPTZ, timestamptz_minus).stable(),
    function("-", &[TIMESTAMP, TIMESTAMP], INTERVAL, timestamps_between),
    function("-", &[TIMESTAMPTZ, TIMESTAMPTZ], INTERVAL, timestamps_between),
    function("+", &[DATE, INT4], DATE, date_plus),
    function("+", &[INT4, DATE], DATE, plus_date),
    function("-", &[DATE, INT4], DATE, date_minus),
    function("-", &[DATE, DATE], INT4, dates_between),
    function("+", &[DATE, INTERVAL], TIMESTAMP, date_plus_interval),
    function("+", &[INTERVAL, DATE], TIMESTAMP, interval_plus_date),
    function("-", &[DATE, INTERVAL], TIMESTAMP, date_minus_interval),
    function("+", &[DATE, TIME], TIMESTAMP, date_plus_time),
    function("+", &[TIME, DATE], TIMESTAMP, time_plus_date),
    function("+", &[TIME, INTERVAL], TIME, time_plus),
    function("+", &[INTERVAL, TIME], TIME, plus_time),
    function("-", &[TIME, INTERVAL], TIME, time_minus),
    function("-", &[TIME, TIME], INTERVAL, times_between),
    function("+", &[INTERVAL, INTERVAL], INTERVAL, add_intervals),
    function("-", &[INTERVAL, INTERVAL], INTERVAL, sub_intervals),
    function("-", &[INTERVAL], INTERVAL, neg_interval),
    function("*", &[INTERVAL, FLOAT8], INTERVAL, mul_interval),
    function("*", &[FLOAT8, INTERVAL], INTERVAL, times_interval),
    function("/", &[INTERVAL, FLOAT8], INTERVAL, div_interval),
];
