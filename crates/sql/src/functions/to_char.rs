//! `to_char`, `to_date` and `to_timestamp` of dates and times: PostgreSQL's template patterns (documentation, 9.8) but for
//! localised names, Julian days in input and Roman numerals.

use super::arithmetic::mismatch;
use super::kinds::*;
use super::strings::{made, string};
use super::{Context, Function, function};
use crate::types::calendar::*;
use crate::types::datetime::{from_local, local_of};
use crate::value::{Interval, Value};
use base::{Error, Result, SqlState};

const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// Longest first where one is the start of another.
const PATTERNS: [&str; 49] = [
    "A.D.", "a.d.", "B.C.", "b.c.", "A.M.", "a.m.", "P.M.", "p.m.", "AD", "ad", "BC", "bc", "AM", "am", "PM", "pm", "HH24", "HH12", "HH",
    "MONTH", "Month", "month", "MON", "Mon", "mon", "MI", "MM", "MS", "Y,YYY", "YYYY", "YYY", "YY", "Y", "IYYY", "IYY", "IY", "IDDD", "IW",
    "ID", "DDD", "DD", "DAY", "Day", "day", "DY", "Dy", "dy", "D", "SSSSS",
];
const MORE_PATTERNS: [&str; 15] = ["SSSS", "SS", "US", "FF1", "FF2", "FF3", "FF4", "FF5", "FF6", "TZH", "TZM", "TZ", "tz", "OF", "WW"];
const LAST_PATTERNS: [&str; 5] = ["W", "Q", "CC", "J", "RM"];

enum Piece<'a> {
    Literal(char),
    Field { name: &'a str, fill: bool, ordinal: Option<&'static str> },
}

fn pieces(template: &str) -> Vec<Piece<'_>> {
    let mut result = Vec::new();
    let mut rest = template;
    while let Some(c) = rest.chars().next() {
        let (fill, after) = match rest.strip_prefix("FM").or_else(|| rest.strip_prefix("fm")) {
            Some(after) => (false, after),
            None => (true, rest),
        };
        let all = PATTERNS.iter().chain(&MORE_PATTERNS).chain(&LAST_PATTERNS);
        // Patterns of digits are taken in any case; those of names tell by it how to write them.
        let found = all.clone().find(|name| after.starts_with(**name)).copied().or_else(|| {
            all.clone()
                .filter(|name| after.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)))
                .max_by_key(|name| name.len())
                .copied()
        });
        if let Some(name) = found {
            rest = &after[name.len()..];
            let ordinal = [("TH", "TH"), ("th", "th")].iter().find(|(suffix, _)| rest.starts_with(suffix)).map(|(_, case)| *case);
            if ordinal.is_some() {
                rest = &rest[2..];
            }
            result.push(Piece::Field { name, fill, ordinal });
        } else if let Some(quoted) = rest.strip_prefix('"') {
            let end = quoted.find('"').unwrap_or(quoted.len());
            result.extend(quoted[..end].chars().map(Piece::Literal));
            rest = quoted.get(end + 1..).unwrap_or("");
        } else {
            let c = if c == '\\' && rest[1..].starts_with('"') { '"' } else { c };
            let skipped = if rest.starts_with("\\\"") { 2 } else { c.len_utf8() };
            result.push(Piece::Literal(c));
            rest = &rest[skipped..];
        }
    }
    result
}

/// What a template shows.
struct Shown {
    days: i64,
    clock: i64,
    year: i64,
    month: i64,
    day: i64,
    /// Of a `timestamptz`.
    zone: Option<(i32, String)>,
    is_interval: bool,
    hours: i64,
}

fn number(value: i64, width: usize, fill: bool) -> String {
    if fill { format!("{value:0width$}") } else { value.to_string() }
}

/// Names are padded to nine characters unless `FM` says not to.
fn name(text: &str, pattern: &str, fill: bool) -> String {
    let cased = match pattern.as_bytes() {
        [first, ..] if first.is_ascii_lowercase() => text.to_lowercase(),
        [_, second, ..] if second.is_ascii_uppercase() => text.to_uppercase(),
        _ => text.to_owned(),
    };
    if fill { format!("{cased:<9}") } else { cased }
}

fn ordinal_suffix(value: &str) -> &'static str {
    let bytes = value.as_bytes();
    let tens = bytes.len() >= 2 && bytes[bytes.len() - 2] == b'1';
    match bytes.last() {
        Some(b'1') if !tens => "st",
        Some(b'2') if !tens => "nd",
        Some(b'3') if !tens => "rd",
        _ => "th",
    }
}

impl Shown {
    fn field(&self, pattern: &str, fill: bool) -> Result<String> {
        let (year, iso) = (if self.year > 0 { self.year } else { 1 - self.year }, iso_week(self.days));
        let hour12 = if self.hours % 12 == 0 { 12 } else { self.hours % 12 };
        let fraction = self.clock % SECOND;
        let later = self.hours % 24 >= 12;
        Ok(match pattern {
            "HH24" => number(self.hours, 2, fill),
            "HH12" | "HH" => number(hour12, 2, fill),
            "MI" => number(self.clock / MINUTE % 60, 2, fill),
            "SS" => number(self.clock / SECOND % 60, 2, fill),
            "MS" => number(fraction / 1_000, 3, true),
            "US" => number(fraction, 6, true),
            "SSSS" | "SSSSS" => (self.clock / SECOND).to_string(),
            "AM" | "PM" => (if later { "PM" } else { "AM" }).to_owned(),
            "am" | "pm" => (if later { "pm" } else { "am" }).to_owned(),
            "A.M." | "P.M." => (if later { "P.M." } else { "A.M." }).to_owned(),
            "a.m." | "p.m." => (if later { "p.m." } else { "a.m." }).to_owned(),
            "TZ" => self.zone.as_ref().map(|zone| zone.1.clone()).unwrap_or_default(),
            "tz" => self.zone.as_ref().map(|zone| zone.1.to_lowercase()).unwrap_or_default(),
            "TZH" => self.zone.as_ref().map(|zone| format!("{:+03}", zone.0 / 3600)).unwrap_or_default(),
            "TZM" => self.zone.as_ref().map(|zone| format!("{:02}", zone.0.abs() / 60 % 60)).unwrap_or_default(),
            "OF" => self.offset(),
            "Y,YYY" => format!("{},{:03}", year / 1000, year % 1000),
            "YYYY" => number(year, 4, fill),
            "YYY" => number(year % 1000, 3, fill),
            "YY" => number(year % 100, 2, fill),
            "Y" => (year % 10).to_string(),
            "MM" => number(self.month, 2, fill),
            "DD" => number(self.day, 2, fill),
            "Q" => ((self.month - 1) / 3 + 1).to_string(),
            "CC" => number((year + 99) / 100, 2, fill),
            digits if digits.starts_with("FF") => {
                let width: usize = digits[2..].parse().unwrap_or(6);
                format!("{fraction:06}")[..width].to_owned()
            }
            _ if self.is_interval => return Err(Error::unsupported(format!("the pattern {pattern} for an interval"))),
            "MONTH" | "Month" | "month" => name(MONTHS[self.month as usize - 1], pattern, fill),
            "MON" | "Mon" | "mon" => name(&MONTHS[self.month as usize - 1][..3], pattern, false),
            "DAY" | "Day" | "day" => name(WEEKDAYS[weekday(self.days) as usize], pattern, fill),
            "DY" | "Dy" | "dy" => name(&WEEKDAYS[weekday(self.days) as usize][..3], pattern, false),
            "DDD" => number(self.days - days_of(self.year, 1, 1) + 1, 3, fill),
            "D" => (weekday(self.days) + 1).to_string(),
            "ID" => ((weekday(self.days) + 6) % 7 + 1).to_string(),
            "IDDD" => number((iso.1 - 1) * 7 + (weekday(self.days) + 6) % 7 + 1, 3, fill),
            "IW" => number(iso.1, 2, fill),
            "WW" => number((self.days - days_of(self.year, 1, 1)) / 7 + 1, 2, fill),
            "W" => ((self.day - 1) / 7 + 1).to_string(),
            "IYYY" => number(iso.0, 4, fill),
            "IYY" => number(iso.0 % 1000, 3, fill),
            "IY" => number(iso.0 % 100, 2, fill),
            "J" => (self.days + 2_451_545).to_string(),
            "AD" | "BC" => (if self.year > 0 { "AD" } else { "BC" }).to_owned(),
            "ad" | "bc" => (if self.year > 0 { "ad" } else { "bc" }).to_owned(),
            "A.D." | "B.C." => (if self.year > 0 { "A.D." } else { "B.C." }).to_owned(),
            "a.d." | "b.c." => (if self.year > 0 { "a.d." } else { "b.c." }).to_owned(),
            other => return Err(Error::unsupported(format!("the pattern {other} of to_char"))),
        })
    }

    fn offset(&self) -> String {
        let Some((offset, _)) = &self.zone else {
            return String::new();
        };
        let minutes = offset.abs() / 60 % 60;
        let tail = if minutes == 0 { String::new() } else { format!(":{minutes:02}") };
        format!("{}{:02}{tail}", if *offset < 0 { '-' } else { '+' }, offset.abs() / 3600)
    }

    fn show(&self, template: &str) -> Result<Value> {
        let mut out = String::new();
        for piece in pieces(template) {
            match piece {
                Piece::Literal(c) => out.push(c),
                Piece::Field { name, fill, ordinal } => {
                    let text = self.field(name, fill)?;
                    let suffix = ordinal.map(|case| {
                        let suffix = ordinal_suffix(&text);
                        if case == "TH" { suffix.to_uppercase() } else { suffix.to_owned() }
                    });
                    out.push_str(&text);
                    out.push_str(&suffix.unwrap_or_default());
                }
            }
        }
        made(out)
    }
}

fn shown(local: i64, zone: Option<(i32, String)>) -> Shown {
    let (days, clock) = split(local);
    let (year, month, day) = civil_of(days);
    Shown { days, clock, year, month, day, zone, is_interval: false, hours: clock / HOUR }
}

fn timestamp(args: &[Value], context: &Context) -> Result<Value> {
    let (local, zone) = match &args[0] {
        Value::Timestamp(micros) => (*micros, None),
        Value::TimestampTz(micros) => {
            let zone = &context.settings().time_zone;
            (local_of(*micros, context.settings()), Some((zone.offset_at(*micros), zone.abbreviation_at(*micros))))
        }
        _ => return Err(mismatch()),
    };
    if !is_finite_timestamp(local) {
        return Ok(Value::Null);
    }
    shown(local, zone).show(string(args, 1)?)
}

fn interval(args: &[Value], _: &Context) -> Result<Value> {
    let Value::Interval(Interval { months, days, micros }) = args[0] else {
        return Err(mismatch());
    };
    let shown = Shown {
        days: 0,
        clock: micros % HOUR,
        year: i64::from(months / 12),
        month: i64::from(months % 12),
        day: i64::from(days),
        zone: None,
        is_interval: true,
        hours: micros / HOUR,
    };
    shown.show(string(args, 1)?)
}

/// What a text says, read by a template.
#[derive(Default)]
struct Read {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: i64,
    hour12: bool,
    later: Option<bool>,
    minute: i64,
    second: i64,
    micros: i64,
    before_christ: bool,
    offset: Option<i32>,
}

fn invalid(text: &str, pattern: &str) -> Error {
    Error::new(SqlState::INVALID_DATETIME_FORMAT, format!("invalid value \"{text}\" for \"{pattern}\""))
}

impl Read {
    fn from(text: &str, template: &str) -> Result<Read> {
        let mut read = Read::default();
        let mut rest = text;
        let pieces = pieces(template);
        for (index, piece) in pieces.iter().enumerate() {
            match piece {
                Piece::Literal(c) if c.is_alphanumeric() => {
                    rest = rest.strip_prefix(*c).unwrap_or_else(|| rest.get(1..).unwrap_or(""));
                }
                // Separators match any run of blanks and one separator.
                Piece::Literal(_) => {
                    rest = rest.trim_start();
                    if rest.starts_with(|c: char| c.is_ascii_punctuation() && c != '-' && c != '+') || rest.starts_with('-') {
                        rest = &rest[1..];
                    }
                }
                Piece::Field { name, ordinal, .. } => {
                    // Digits go as far as they reach if no digits follow.
                    let adjacent = matches!(pieces.get(index + 1), Some(Piece::Field { name, .. }) if !is_word(name));
                    rest = read.field(rest.trim_start(), name, adjacent)?;
                    if ordinal.is_some() {
                        rest = rest.get(2..).unwrap_or("");
                    }
                }
            }
        }
        Ok(read)
    }

    fn field<'a>(&mut self, text: &'a str, name: &str, adjacent: bool) -> Result<&'a str> {
        if is_word(name) { self.word_field(text, name) } else { self.number_field(text, name, adjacent) }
    }

    fn number_field<'a>(&mut self, text: &'a str, name: &str, adjacent: bool) -> Result<&'a str> {
        let digits = |width: usize| leading_digits(text, name, width, adjacent);
        Ok(match name {
            "YYYY" | "IYYY" | "YYY" | "YY" | "Y" => {
                let (year, rest, length) = digits(name.len().min(4))?;
                self.year = Some(if length <= 2 { near_2020(year) } else { year });
                rest
            }
            "MM" => self.take(digits(2)?, |read, value| read.month = Some(value)),
            "DD" => self.take(digits(2)?, |read, value| read.day = Some(value)),
            "DDD" => self.take(digits(3)?, |read, value| read.day_of_year = Some(value)),
            "HH24" => self.take(digits(2)?, |read, value| read.hour = value),
            "HH" | "HH12" => {
                self.hour12 = true;
                self.take(digits(2)?, |read, value| read.hour = value)
            }
            "MI" => self.take(digits(2)?, |read, value| read.minute = value),
            "SS" => self.take(digits(2)?, |read, value| read.second = value),
            "MS" | "US" | "FF6" => {
                let (value, rest, length) = digits(if name == "MS" { 3 } else { 6 })?;
                self.micros = value * 10i64.pow(6u32.saturating_sub(length as u32));
                rest
            }
            "SSSS" | "SSSSS" => {
                let (value, rest, _) = digits(5)?;
                (self.hour, self.minute, self.second) = (value / 3600, value / 60 % 60, value % 60);
                rest
            }
            "TZM" => {
                let (minutes, rest, _) = digits(2)?;
                let hours = self.offset.unwrap_or(0);
                self.offset = Some(hours + if hours < 0 { -60 } else { 60 } * minutes as i32);
                rest
            }
            other => return Err(Error::unsupported(format!("reading the pattern {other}"))),
        })
    }

    /// Names of months, days, halves of the day and eras, and the signed hours of a zone.
    fn word_field<'a>(&mut self, text: &'a str, name: &str) -> Result<&'a str> {
        let word = |words: &[&str]| leading_word(text, name, words);
        Ok(match name.to_ascii_lowercase().as_str() {
            "month" => {
                let (month, rest) = word(&MONTHS).or_else(|_| word(&MONTHS.map(|month| &month[..3])))?;
                self.month = Some(month + 1);
                rest
            }
            "mon" => {
                let (month, rest) = word(&MONTHS.map(|month| &month[..3]))?;
                self.month = Some(month + 1);
                rest
            }
            "day" => word(&WEEKDAYS)?.1,
            "dy" => word(&WEEKDAYS.map(|day| &day[..3]))?.1,
            "am" | "pm" => {
                let (later, rest) = word(&["am", "pm"])?;
                self.later = Some(later == 1);
                rest
            }
            "a.m." | "p.m." => {
                let (later, rest) = word(&["a.m.", "p.m."])?;
                self.later = Some(later == 1);
                rest
            }
            "ad" | "bc" => {
                let (before, rest) = word(&["ad", "bc"])?;
                self.before_christ = before == 1;
                rest
            }
            "tzh" => {
                let sign = if text.starts_with('-') { -1 } else { 1 };
                let after = text.strip_prefix(['-', '+']).unwrap_or(text);
                let length = after.bytes().take(2).take_while(u8::is_ascii_digit).count();
                let hours: i32 = after[..length].parse().map_err(|_| invalid(text, name))?;
                self.offset = Some(sign * hours * 3600);
                &after[length..]
            }
            other => return Err(Error::unsupported(format!("reading the pattern {other}"))),
        })
    }

    fn take<'a>(&mut self, (value, rest, _): (i64, &'a str, usize), set: fn(&mut Read, i64)) -> &'a str {
        set(self, value);
        rest
    }

    fn date(&self, text: &str) -> Result<i64> {
        let out_of_range = || Error::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("date/time field value out of range: \"{text}\""));
        let year = match self.year {
            Some(year) if self.before_christ => 1 - year,
            Some(year) => year,
            None => 0,
        };
        if let Some(day) = self.day_of_year {
            return Ok(days_of(year, 1, 1) + day - 1);
        }
        let (month, day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
        if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) || year.abs() > 6_000_000 {
            return Err(out_of_range());
        }
        Ok(days_of(year, month, day))
    }

    fn clock(&self, text: &str) -> Result<i64> {
        let mut hour = self.hour;
        if self.hour12 {
            if !(1..=12).contains(&hour) {
                return Err(Error::new(SqlState::INVALID_DATETIME_FORMAT, format!("hour \"{hour}\" is invalid for the 12-hour clock"))
                    .with_hint("Use the 24-hour clock, or give an hour between 1 and 12."));
            }
            match self.later {
                Some(true) if hour < 12 => hour += 12,
                Some(false) | None if hour == 12 && self.later.is_some() => hour = 0,
                _ => {}
            }
        }
        if hour > 23 || self.minute > 59 || self.second > 59 {
            return Err(Error::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("date/time field value out of range: \"{text}\"")));
        }
        Ok(hour * HOUR + self.minute * MINUTE + self.second * SECOND + self.micros)
    }
}

/// The number at the start, what follows it, and its digits. They go as far as they reach if no digits follow in the template.
fn leading_digits<'a>(text: &'a str, name: &str, width: usize, adjacent: bool) -> Result<(i64, &'a str, usize)> {
    let available = text.bytes().take_while(u8::is_ascii_digit).count();
    let length = if adjacent || matches!(name, "MS" | "US" | "FF6") { available.min(width) } else { available };
    if length == 0 {
        let shown: String = text.chars().take(width).collect();
        return Err(invalid(&shown, name).with_detail("Value must be an integer."));
    }
    let value: i64 = text[..length].parse().map_err(|_| invalid(text, name))?;
    Ok((value, &text[length..], length))
}

/// Which of the words stands at the start, in any case, and what follows it.
fn leading_word<'a>(text: &'a str, name: &str, words: &[&str]) -> Result<(i64, &'a str)> {
    let at = words.iter().position(|word| text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)));
    at.map(|at| (at as i64, &text[words[at].len()..])).ok_or_else(|| {
        invalid(&text.chars().take(9).collect::<String>(), name)
            .with_detail("The given value did not match any of the allowed values for this field.")
    })
}

fn is_word(name: &str) -> bool {
    matches!(name.to_ascii_lowercase().as_str(), "month" | "mon" | "day" | "dy" | "am" | "pm" | "a.m." | "p.m." | "ad" | "bc" | "tzh")
}

/// Two digits are the year nearest to 2020.
fn near_2020(year: i64) -> i64 {
    year + if year < 70 { 2000 } else { 1900 }
}

fn to_date(args: &[Value], _: &Context) -> Result<Value> {
    let text = string(args, 0)?;
    let days = Read::from(text, string(args, 1)?)?.date(text)?;
    let days = i32::try_from(days).ok().filter(|days| (DATE_MIN..DATE_END).contains(days));
    let out_of_range = || Error::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("date out of range: \"{text}\""));
    days.map(Value::Date).ok_or_else(out_of_range)
}

fn to_timestamp(args: &[Value], context: &Context) -> Result<Value> {
    let text = string(args, 0)?;
    let read = Read::from(text, string(args, 1)?)?;
    let local = read.date(text)?.checked_mul(DAY).and_then(|midnight| midnight.checked_add(read.clock(text).ok()?));
    read.clock(text)?;
    let out_of_range = || Error::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("timestamp out of range: \"{text}\""));
    let local = local.filter(|micros| timestamp_in_range(*micros)).ok_or_else(out_of_range)?;
    match read.offset {
        Some(offset) => Ok(Value::TimestampTz(local - i64::from(offset) * SECOND)),
        None => from_local(local, &context.settings().time_zone).map(Value::TimestampTz),
    }
}

pub(super) static FUNCTIONS: [Function; 5] = [
    function("to_char", &[TIMESTAMP, TEXT], TEXT, timestamp),
    function("to_char", &[TIMESTAMPTZ, TEXT], TEXT, timestamp).stable(),
    function("to_char", &[INTERVAL, TEXT], TEXT, interval),
    function("to_date", &[TEXT, TEXT], DATE, to_date),
    function("to_timestamp", &[TEXT, TEXT], TIMESTAMPTZ, to_timestamp).stable(),
];
