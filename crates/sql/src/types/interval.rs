//! Intervals: reading PostgreSQL's and ISO 8601's forms, writing `IntervalStyle` postgres, arithmetic.

use super::Type;
use super::calendar::{DAY, HOUR, MINUTE, SECOND};
use super::datetime::put_clock;
use crate::value::Interval;
use base::{Error, Result, SqlState};
use bytes::{BufMut, BytesMut};

pub(crate) fn out_of_range() -> Error {
    Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "interval out of range")
}

enum Fault {
    Syntax,
    Range,
    /// Each field is fine, the sum is not.
    Total,
}

/// # Errors
/// `22007` if it is none, `22015` if a field is too large.
pub fn parse(text: &str) -> Result<Interval> {
    let trimmed = text.trim_matches(super::text::is_space);
    let read = match trimmed.strip_prefix(['P', 'p']) {
        Some(iso) => parse_iso(iso),
        None => parse_words(trimmed),
    };
    read.map_err(|fault| match fault {
        Fault::Total => out_of_range(),
        Fault::Syntax => {
            Error::new(SqlState::INVALID_DATETIME_FORMAT, format!("invalid input syntax for type {}: \"{text}\"", Type::Interval))
        }
        Fault::Range => Error::new(SqlState::INTERVAL_FIELD_OVERFLOW, format!("interval field value out of range: \"{text}\"")),
    })
}

/// Sums of the parts, before they are known to fit.
#[derive(Clone, Default)]
struct Sum {
    months: i64,
    days: i64,
    micros: i128,
    /// Units already given: each may be given once.
    seen: Vec<Unit>,
}

/// A decimal: whole part, fraction.
#[derive(Clone, Copy)]
struct Amount {
    whole: i64,
    fraction: f64,
}

impl Amount {
    fn read(text: &str) -> Result<Amount, Fault> {
        let (sign, digits) = match text.as_bytes().first() {
            Some(b'-') => (-1, &text[1..]),
            Some(b'+') => (1, &text[1..]),
            _ => (1, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || !is_number(fraction) || whole.len() + fraction.len() == 0 {
            return Err(Fault::Syntax);
        }
        let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| Fault::Range)? };
        let fraction: f64 = if fraction.is_empty() { 0.0 } else { format!("0.{fraction}").parse().map_err(|_| Fault::Syntax)? };
        Ok(Amount { whole: sign * whole, fraction: sign as f64 * fraction })
    }
}

impl Sum {
    fn once(&mut self, unit: Unit) -> Result<(), Fault> {
        if self.seen.contains(&unit) {
            return Err(Fault::Syntax);
        }
        self.seen.push(unit);
        Ok(())
    }

    fn add(&mut self, amount: Amount, unit: Unit) -> Result<(), Fault> {
        self.once(unit)?;
        let times = |factor: i64| amount.whole.checked_mul(factor).ok_or(Fault::Range);
        match unit {
            Unit::Months(factor) => {
                self.months = self.months.checked_add(times(factor)?).ok_or(Fault::Range)?;
                // A fraction of years is whole months, one of a month is days and their rest.
                let months = amount.fraction * factor as f64;
                if factor > 1 {
                    self.months = self.months.checked_add(months.round_ties_even() as i64).ok_or(Fault::Range)?;
                } else {
                    self.add_days(months * 30.0)?;
                }
            }
            Unit::Days(factor) => {
                self.days = self.days.checked_add(times(factor)?).ok_or(Fault::Range)?;
                self.add_days(amount.fraction * factor as f64)?;
            }
            Unit::Micros(factor) => {
                self.micros += i128::from(amount.whole) * i128::from(factor);
                self.micros += (amount.fraction * factor as f64).round_ties_even() as i128;
            }
        }
        Ok(())
    }

    fn add_days(&mut self, days: f64) -> Result<(), Fault> {
        let whole = days.trunc();
        self.days = self.days.checked_add(whole as i64).ok_or(Fault::Range)?;
        self.micros += ((days - whole) * DAY as f64).round_ties_even() as i128;
        Ok(())
    }

    fn negate(&mut self) {
        (self.months, self.days, self.micros) = (-self.months, -self.days, -self.micros);
    }

    fn finish(self) -> Result<Interval, Fault> {
        Ok(Interval {
            months: i32::try_from(self.months).map_err(|_| Fault::Total)?,
            days: i32::try_from(self.days).map_err(|_| Fault::Total)?,
            micros: i64::try_from(self.micros).map_err(|_| Fault::Total)?,
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Months(i64),
    Days(i64),
    Micros(i64),
}

fn unit(word: &str) -> Option<Unit> {
    Some(match word {
        "millennium" | "millennia" | "mil" | "mils" => Unit::Months(12_000),
        "century" | "centuries" | "cent" | "c" => Unit::Months(1_200),
        "decade" | "decades" | "dec" | "decs" => Unit::Months(120),
        "year" | "years" | "y" | "yr" | "yrs" => Unit::Months(12),
        "month" | "months" | "mon" | "mons" => Unit::Months(1),
        "week" | "weeks" | "w" => Unit::Days(7),
        "day" | "days" | "d" => Unit::Days(1),
        "hour" | "hours" | "h" | "hr" | "hrs" => Unit::Micros(HOUR),
        "minute" | "minutes" | "m" | "min" | "mins" => Unit::Micros(MINUTE),
        "second" | "seconds" | "s" | "sec" | "secs" => Unit::Micros(SECOND),
        "millisecond" | "milliseconds" | "ms" | "msec" | "msecs" | "msecond" | "mseconds" => Unit::Micros(1_000),
        "microsecond" | "microseconds" | "us" | "usec" | "usecs" | "usecond" | "useconds" => Unit::Micros(1),
        _ => return None,
    })
}

/// `1 year 2 mons -3 days 04:05:06.7 ago`, `1-2`, `3 4:05`.
fn parse_words(text: &str) -> Result<Interval, Fault> {
    if !text.is_ascii() || text.is_empty() {
        return Err(Fault::Syntax);
    }
    let lower = text.to_ascii_lowercase();
    let mut words = split(&lower).into_iter().peekable();
    let mut sum = Sum::default();
    let mut ago = false;
    let mut any = false;
    while let Some(word) = words.next() {
        if ago {
            return Err(Fault::Syntax);
        }
        if word == "ago" && any {
            ago = true;
        } else if word == "@" && !any {
        } else if word.contains(':') {
            sum.micros += clock(word)?;
            [HOUR, MINUTE, SECOND].into_iter().try_for_each(|factor| sum.once(Unit::Micros(factor)))?;
        } else if let Some(minus) = word.get(1..).and_then(|rest| rest.find('-')).map(|at| at + 1) {
            year_month(word, minus, &mut sum)?;
        } else {
            number_with_unit(word, &mut words, &mut sum)?;
        }
        any = any || word != "@";
    }
    if !any {
        return Err(Fault::Syntax);
    }
    if ago {
        sum.negate();
    }
    sum.finish()
}

fn number_with_unit<'a>(word: &str, words: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>, sum: &mut Sum) -> Result<(), Fault> {
    let amount = Amount::read(word)?;
    match words.peek() {
        Some(next) if next.starts_with(|c: char| c.is_ascii_alphabetic()) && *next != "ago" => {
            let unit = unit(next).ok_or(Fault::Syntax)?;
            words.next();
            sum.add(amount, unit)
        }
        // A number before a time is days, alone it is seconds.
        Some(next) if next.contains(':') => sum.add(amount, Unit::Days(1)),
        _ => sum.add(amount, Unit::Micros(SECOND)),
    }
}

/// Numbers with sign, words, times; `1day` is two.
fn split(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(super::text::is_space);
        let Some(first) = rest.bytes().next() else {
            return words;
        };
        let end = if first.is_ascii_alphabetic() {
            rest.bytes().position(|byte| !byte.is_ascii_alphabetic())
        } else {
            rest.bytes().position(|byte| byte.is_ascii_alphabetic() || byte.is_ascii_whitespace())
        };
        let end = end.unwrap_or(rest.len());
        words.push(&rest[..end]);
        rest = &rest[end..];
    }
}

/// `hh:mm`, `hh:mm:ss`, `mm:ss.ffffff`, with a sign for all of it.
fn clock(word: &str) -> Result<i128, Fault> {
    let (sign, digits) = match word.as_bytes().first() {
        Some(b'-') => (-1, &word[1..]),
        Some(b'+') => (1, &word[1..]),
        _ => (1, word),
    };
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(whole, fraction)| (whole, Some(fraction)));
    let micros = super::datetime_parse::fraction_digits(fraction.unwrap_or("")).ok_or(Fault::Syntax)?;
    let parts = whole.split(':').map(|part| {
        if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Fault::Syntax);
        }
        part.parse::<i64>().map_err(|_| Fault::Range)
    });
    let parts = parts.collect::<Result<Vec<_>, _>>()?;
    let (hours, minutes, seconds) = match (parts.as_slice(), fraction) {
        ([minutes, seconds], Some(_)) => (0, *minutes, *seconds),
        ([hours, minutes], None) => (*hours, *minutes, 0),
        ([hours, minutes, seconds], _) => (*hours, *minutes, *seconds),
        _ => return Err(Fault::Syntax),
    };
    if minutes > 59 || seconds > 60 {
        return Err(Fault::Range);
    }
    let total = i128::from(hours) * i128::from(HOUR) + i128::from(minutes * MINUTE + seconds * SECOND + micros);
    Ok(sign * total)
}

/// SQL's `years-months`.
fn year_month(word: &str, minus: usize, sum: &mut Sum) -> Result<(), Fault> {
    let years = Amount::read(&word[..minus])?;
    let months: i64 = word[minus + 1..].parse().map_err(|_| Fault::Syntax)?;
    if !(0..12).contains(&months) || years.fraction != 0.0 {
        return Err(Fault::Range);
    }
    let months = if word.starts_with('-') { -months } else { months };
    sum.months = years.whole.checked_mul(12).and_then(|total| total.checked_add(months)).ok_or(Fault::Range)?;
    Ok(())
}

/// `1Y2M3DT4H5M6S` behind the `P`.
fn parse_iso(text: &str) -> Result<Interval, Fault> {
    let mut sum = Sum::default();
    let (mut rest, mut timed, mut any) = (text, false, false);
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix(['T', 't']) {
            if timed {
                return Err(Fault::Syntax);
            }
            (rest, timed) = (after, true);
            continue;
        }
        let end = rest.find(|c: char| c.is_ascii_alphabetic()).ok_or(Fault::Syntax)?;
        let amount = Amount::read(&rest[..end])?;
        let unit = match (rest.as_bytes()[end].to_ascii_uppercase(), timed) {
            (b'Y', false) => Unit::Months(12),
            (b'M', false) => Unit::Months(1),
            (b'W', false) => Unit::Days(7),
            (b'D', false) => Unit::Days(1),
            (b'H', true) => Unit::Micros(HOUR),
            (b'M', true) => Unit::Micros(MINUTE),
            (b'S', true) => Unit::Micros(SECOND),
            _ => return Err(Fault::Syntax),
        };
        sum.add(amount, unit)?;
        rest = &rest[end + 1..];
        any = true;
    }
    if any { sum.finish() } else { Err(Fault::Syntax) }
}

/// Appends an interval.
pub fn write(interval: Interval, out: &mut BytesMut) {
    let Interval { months, days, micros } = interval;
    // After a negative part a positive one shows its sign.
    let (mut empty, mut negative) = (true, false);
    let mut part = |value: i32, unit: &str, out: &mut BytesMut| {
        if value == 0 {
            return;
        }
        if !empty {
            out.put_u8(b' ');
        }
        if negative && value > 0 {
            out.put_u8(b'+');
        }
        let plural = if value == 1 { "" } else { "s" };
        out.put_slice(format!("{value} {unit}{plural}").as_bytes());
        (empty, negative) = (false, value < 0);
    };
    part(months / 12, "year", out);
    part(months % 12, "mon", out);
    part(days, "day", out);
    if !empty && micros == 0 {
        return;
    }
    if !empty {
        out.put_u8(b' ');
    }
    if micros < 0 {
        out.put_u8(b'-');
    } else if negative {
        out.put_u8(b'+');
    }
    let magnitude = micros.unsigned_abs();
    // The least interval does not fit a positive number.
    put_clock(i64::try_from(magnitude).unwrap_or(i64::MAX), out);
}

impl Interval {
    pub fn checked_add(self, other: Interval) -> Result<Interval> {
        let sum = self.months.checked_add(other.months).zip(self.days.checked_add(other.days)).zip(self.micros.checked_add(other.micros));
        sum.map(|((months, days), micros)| Interval { months, days, micros }).ok_or_else(out_of_range)
    }

    pub fn checked_neg(self) -> Result<Interval> {
        let negated = self.months.checked_neg().zip(self.days.checked_neg()).zip(self.micros.checked_neg());
        negated.map(|((months, days), micros)| Interval { months, days, micros }).ok_or_else(out_of_range)
    }

    /// PostgreSQL's `interval_mul`: fractions of months go to days of 30, fractions of days to the time.
    pub fn checked_mul(self, factor: f64) -> Result<Interval> {
        scale(self, factor, |part, factor| part * factor)
    }

    /// # Errors
    /// `22012`, `22008`.
    pub fn checked_div(self, divisor: f64) -> Result<Interval> {
        if divisor == 0.0 {
            return Err(Error::new(SqlState::DIVISION_BY_ZERO, "division by zero"));
        }
        scale(self, divisor, |part, divisor| part / divisor)
    }
}

fn scale(interval: Interval, factor: f64, operation: fn(f64, f64) -> f64) -> Result<Interval> {
    let to_i32 = |value: f64| {
        let fits = value.is_finite() && (-2_147_483_648.0..2_147_483_648.0).contains(&value);
        if fits { Ok(value as i32) } else { Err(out_of_range()) }
    };
    // Rounded to microseconds, so that 0.1 of a day is not a little less.
    let rounded = |value: f64| (value * 1e6).round_ties_even() / 1e6;
    let months = to_i32(operation(f64::from(interval.months), factor))?;
    let days = to_i32(operation(f64::from(interval.days), factor))?;
    let mut month_days = rounded((operation(f64::from(interval.months), factor) - f64::from(months)) * 30.0);
    let mut seconds = rounded((operation(f64::from(interval.days), factor) - f64::from(days) + month_days - month_days.trunc()) * 86_400.0);
    if seconds.abs() >= 86_400.0 {
        month_days += (seconds / 86_400.0).trunc();
        seconds -= (seconds / 86_400.0).trunc() * 86_400.0;
    }
    let days = days.checked_add(to_i32(month_days)?).ok_or_else(out_of_range)?;
    let micros = (operation(interval.micros as f64, factor) + seconds * 1e6).round_ties_even();
    if !(-9.223_372_036_854_775e18..9.223_372_036_854_775e18).contains(&micros) {
        return Err(out_of_range());
    }
    Ok(Interval { months, days, micros: micros as i64 })
}
