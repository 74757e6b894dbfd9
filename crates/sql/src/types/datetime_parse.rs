//! Reading dates and times in the many forms that PostgreSQL takes (documentation, 8.5.1 and appendix B.1), month before day where
//! it is ambiguous.

use super::calendar::{DAY, HOUR, MINUTE, SECOND, days_in_month, days_of};
use super::datetime::{local_of, now};
use super::zone::{self, Zone};
use super::{Settings, Type};
use base::{Error, Result, SqlState};

/// What a text means.
pub enum Moment {
    Infinity,
    NegativeInfinity,
    /// `now`, `epoch`: a `timestamptz`.
    Instant(i64),
    /// What a clock on the wall shows.
    Local {
        days: i64,
        micros: i64,
        zone: ZoneOf,
    },
}

/// The zone of a text.
pub enum ZoneOf {
    Session,
    Offset(i32),
    Named(Zone),
}

impl ZoneOf {
    /// Seconds east, at this local time.
    pub fn offset(&self, local: i64, settings: &Settings) -> i32 {
        match self {
            ZoneOf::Session => settings.time_zone.offset_of_local(local),
            ZoneOf::Offset(seconds) => *seconds,
            ZoneOf::Named(zone) => zone.offset_of_local(local),
        }
    }
}

const MONTHS: [&str; 12] =
    ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"];
const WEEKDAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
/// Longest text that is looked at, PostgreSQL's `MAXDATELEN`.
const TEXT_BYTES_MAX: usize = 128;

/// Why a text is refused.
enum Fault {
    Syntax,
    Range,
    /// Out of range, and another order of day and month might have helped.
    Order,
    Displacement,
    Zone(String),
}

/// # Errors
/// `22007`, `22008`, `22009` or `22023`, naming the type.
pub fn read(text: &str, ty: Type, settings: &Settings) -> Result<Moment> {
    scan(text, false).and_then(|fields| fields.finish(settings)).map_err(|fault| explain(fault, text, ty))
}

/// A time of day. A date before it is read and not looked at; `24:00:00` is the end of the day.
///
/// # Errors
/// As [`read`].
pub fn read_time(text: &str, settings: &Settings) -> Result<i64> {
    let fields = scan(text, true).map_err(|fault| explain(fault, text, Type::Time))?;
    if fields.special.as_deref() == Some("now") {
        return Ok(local_of(now(settings), settings).rem_euclid(DAY));
    }
    let dateless = fields.numbers.is_empty() && fields.special.is_none() && fields.month.is_none();
    let micros = match (fields.clock, fields.special.as_deref()) {
        (Some(_), _) => fields.micros().map_err(|fault| explain(fault, text, Type::Time))?,
        (None, Some("allballs")) => 0,
        _ => return Err(explain(Fault::Syntax, text, Type::Time)),
    };
    // A zone of a region is no offset without a date.
    if let Some(ZoneOf::Named(_)) = fields.zone
        && dateless
    {
        return Err(explain(Fault::Syntax, text, Type::Time));
    }
    Ok(micros)
}

fn explain(fault: Fault, text: &str, ty: Type) -> Error {
    // PostgreSQL's input functions say it short.
    let name = match ty {
        Type::Time => "time".to_owned(),
        Type::Timestamp => "timestamp".to_owned(),
        ty => ty.to_string(),
    };
    match fault {
        Fault::Syntax => Error::new(SqlState::INVALID_DATETIME_FORMAT, format!("invalid input syntax for type {name}: \"{text}\"")),
        Fault::Range => field_out_of_range(text),
        Fault::Order => field_out_of_range(text).with_hint("Perhaps you need a different \"datestyle\" setting."),
        Fault::Displacement => Error::new(SqlState(*b"22009"), format!("time zone displacement out of range: \"{text}\"")),
        Fault::Zone(name) => Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("time zone \"{name}\" not recognized")),
    }
}

fn field_out_of_range(text: &str) -> Error {
    Error::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("date/time field value out of range: \"{text}\""))
}

#[derive(Clone)]
struct Number {
    text: String,
    /// Came with others in one piece, such as `1/8/1999`.
    joined: bool,
}

#[derive(Clone, Copy)]
struct Clock {
    hour: i64,
    minute: i64,
    second: i64,
    micros: i64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Meridiem {
    Before,
    After,
}

#[derive(Default)]
struct Fields {
    numbers: Vec<Number>,
    /// Given by its name.
    month: Option<i64>,
    clock: Option<Clock>,
    meridiem: Option<Meridiem>,
    zone: Option<ZoneOf>,
    before_christ: bool,
    julian: Option<i64>,
    special: Option<String>,
    /// `T` was seen: digits are a time.
    time_follows: bool,
    /// A date may be left out: bare digits at the start are a time.
    time_only: bool,
}

fn scan(text: &str, time_only: bool) -> Result<Fields, Fault> {
    if text.len() > TEXT_BYTES_MAX || !text.is_ascii() {
        return Err(Fault::Syntax);
    }
    let lower = text.to_ascii_lowercase();
    let mut rest = lower.as_str();
    let mut fields = Fields { time_only, ..Fields::default() };
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c', ',']);
        let Some(first) = rest.bytes().next() else {
            return Ok(fields);
        };
        let taken = match first {
            b'0'..=b'9' => fields.number(rest)?,
            b'a'..=b'z' => fields.word(rest)?,
            b'+' | b'-' => fields.signed(rest)?,
            _ => return Err(Fault::Syntax),
        };
        rest = &rest[taken..];
    }
}

fn span(text: &str, test: impl Fn(u8) -> bool) -> usize {
    text.bytes().position(|byte| !test(byte)).unwrap_or(text.len())
}

impl Fields {
    /// A piece that starts with a digit: a time, a date, or a bare number. Answers how long it is.
    fn number(&mut self, text: &str) -> Result<usize, Fault> {
        let digits = span(text, |byte| byte.is_ascii_digit());
        match text.as_bytes().get(digits) {
            Some(b':') => {
                let length = span(text, |byte| byte.is_ascii_digit() || byte == b':' || byte == b'.');
                self.set_clock(clock(&text[..length])?)?;
                Ok(length)
            }
            Some(delimiter @ (b'-' | b'/' | b'.')) => self.joined_date(text, digits, *delimiter),
            _ => {
                self.bare_number(&text[..digits])?;
                Ok(digits)
            }
        }
    }

    /// `1999-01-08`, `1/8/1999`, `8-Jan-1999`, `1999.008`, `040506.789`.
    fn joined_date(&mut self, text: &str, digits: usize, delimiter: u8) -> Result<usize, Fault> {
        let after = &text[digits + 1..];
        let is_word = after.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
        let middle = if is_word { span(after, |b| b.is_ascii_alphabetic()) } else { span(after, |b| b.is_ascii_digit()) };
        let closed = after.as_bytes().get(middle) == Some(&delimiter);
        if delimiter == b'-' && (self.time_follows || self.has_date()) && !closed {
            // Digits with a zone behind them: 040506-08.
            self.bare_number(&text[..digits])?;
            return Ok(digits);
        }
        if middle == 0 {
            return Err(Fault::Syntax);
        }
        if !closed {
            if delimiter == b'.' {
                return self.fraction(text, digits, middle);
            }
            // Month and day or month and year are not enough of a date.
            self.numbers.push(Number { text: text[..digits].to_owned(), joined: true });
            self.push_part(&after[..middle])?;
            return Ok(digits + 1 + middle);
        }
        if self.has_date() {
            return Err(Fault::Syntax);
        }
        let last = &after[middle + 1..];
        let end = span(last, |byte| byte.is_ascii_alphanumeric() && byte != b't' || byte == delimiter);
        let end = end.min(span(last, |byte| byte.is_ascii_digit()));
        if end == 0 {
            return Err(Fault::Syntax);
        }
        self.numbers.push(Number { text: text[..digits].to_owned(), joined: true });
        self.push_part(&after[..middle])?;
        self.push_part(&last[..end])?;
        Ok(digits + 1 + middle + 1 + end)
    }

    /// `040506.789` behind a date is a time with a fraction; `1999.008` is a year and a day of it.
    fn fraction(&mut self, text: &str, digits: usize, middle: usize) -> Result<usize, Fault> {
        let length = digits + 1 + middle;
        if self.time_follows || self.has_date() {
            let mut clock = packed_clock(&text[..digits]).ok_or(Fault::Syntax)?;
            clock.micros = fraction_micros(&text[digits + 1..length])?;
            self.set_clock(clock)?;
            return Ok(length);
        }
        if digits == 4 && middle == 3 && self.numbers.is_empty() && self.month.is_none() {
            let year: i64 = text[..digits].parse().map_err(|_| Fault::Syntax)?;
            let day: i64 = text[digits + 1..length].parse().map_err(|_| Fault::Syntax)?;
            if day == 0 || day > 365 + i64::from(super::calendar::is_leap(year)) {
                return Err(Fault::Range);
            }
            self.julian = Some(days_of(year, 1, 1) + day - 1);
            return Ok(length);
        }
        Err(Fault::Syntax)
    }

    fn push_part(&mut self, part: &str) -> Result<(), Fault> {
        if part.bytes().all(|byte| byte.is_ascii_digit()) {
            self.numbers.push(Number { text: part.to_owned(), joined: true });
            return Ok(());
        }
        self.set_month(month(part).ok_or(Fault::Syntax)?)
    }

    fn bare_number(&mut self, digits: &str) -> Result<(), Fault> {
        let first = self.numbers.is_empty() && self.month.is_none() && self.clock.is_none();
        if self.time_only && first && matches!(digits.len(), 4 | 6) {
            return self.set_clock(packed_clock(digits).ok_or(Fault::Syntax)?);
        }
        if self.time_follows || self.has_date() {
            if self.clock.is_some() {
                return Err(Fault::Syntax);
            }
            return self.set_clock(packed_clock(digits).ok_or(Fault::Syntax)?);
        }
        if digits.len() >= 6 && self.numbers.is_empty() && self.month.is_none() {
            // yymmdd or yyyymmdd.
            let year = digits.len() - 4;
            for part in [&digits[..year], &digits[year..year + 2], &digits[year + 2..]] {
                self.numbers.push(Number { text: part.to_owned(), joined: true });
            }
            if digits.len() == 6 {
                // Two digits are a year here, not a month.
                self.numbers[0].text = two_digit_year(digits[..2].parse().map_err(|_| Fault::Syntax)?).to_string();
            }
            return Ok(());
        }
        self.numbers.push(Number { text: digits.to_owned(), joined: false });
        Ok(())
    }

    fn has_date(&self) -> bool {
        self.julian.is_some() || self.numbers.len() + usize::from(self.month.is_some()) >= 3
    }

    fn set_month(&mut self, month: i64) -> Result<(), Fault> {
        if self.month.replace(month).is_some() { Err(Fault::Syntax) } else { Ok(()) }
    }

    fn set_clock(&mut self, clock: Clock) -> Result<(), Fault> {
        if self.clock.replace(clock).is_some() { Err(Fault::Syntax) } else { Ok(()) }
    }

    fn set_zone(&mut self, zone: ZoneOf) -> Result<(), Fault> {
        if self.zone.replace(zone).is_some() { Err(Fault::Syntax) } else { Ok(()) }
    }

    fn set_special(&mut self, word: &str) -> Result<(), Fault> {
        if self.special.replace(word.to_owned()).is_some() { Err(Fault::Syntax) } else { Ok(()) }
    }

    /// A piece that starts with a letter.
    fn word(&mut self, text: &str) -> Result<usize, Fault> {
        let letters = span(text, |byte| byte.is_ascii_alphabetic());
        let word = &text[..letters];
        let next_is_digit = text.as_bytes().get(letters).is_some_and(u8::is_ascii_digit);
        if word == "j" && next_is_digit {
            let digits = span(&text[1..], |byte| byte.is_ascii_digit());
            let day: i64 = text[1..1 + digits].parse().map_err(|_| Fault::Range)?;
            self.julian = Some(day - 2_451_545);
            return Ok(1 + digits);
        }
        if word == "t" && next_is_digit {
            self.time_follows = true;
            return Ok(1);
        }
        match word {
            "am" | "pm" => {
                let meridiem = if word == "am" { Meridiem::Before } else { Meridiem::After };
                if self.meridiem.replace(meridiem).is_some() {
                    return Err(Fault::Syntax);
                }
                return Ok(letters);
            }
            "bc" => {
                self.before_christ = true;
                return Ok(letters);
            }
            "ad" | "at" | "on" => return Ok(letters),
            "now" | "today" | "tomorrow" | "yesterday" | "epoch" | "infinity" | "allballs" => {
                self.set_special(word)?;
                return Ok(letters);
            }
            _ => {}
        }
        if let Some(month) = month(word) {
            self.set_month(month)?;
            return Ok(letters);
        }
        if WEEKDAYS.iter().any(|day| word.len() >= 3 && day.starts_with(word)) {
            return Ok(letters);
        }
        self.zone_name(text)
    }

    /// `Europe/Berlin`, `CET`, `UTC+2` is not taken.
    fn zone_name(&mut self, text: &str) -> Result<usize, Fault> {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_');
        let mut length = span(text, is_name);
        // A hyphen belongs to names such as America/Port-au-Prince.
        while text[..length].contains('/') && text.as_bytes().get(length) == Some(&b'-') {
            length += 1 + span(&text[length + 1..], is_name);
        }
        let name = &text[..length];
        if let Some(seconds) = zone::abbreviation(name) {
            self.set_zone(ZoneOf::Offset(seconds))?;
        } else if let Some(zone) = Zone::find(name) {
            self.set_zone(ZoneOf::Named(zone))?;
        } else if name.contains('/') {
            return Err(Fault::Zone(name.to_owned()));
        } else {
            return Err(Fault::Syntax);
        }
        Ok(length)
    }

    /// A zone's offset, or an infinity with its sign.
    fn signed(&mut self, text: &str) -> Result<usize, Fault> {
        if let Some(sign) = ["-infinity", "+infinity"].iter().find(|word| text.starts_with(**word)) {
            self.set_special(if sign.starts_with('-') { sign } else { "infinity" })?;
            return Ok(sign.len());
        }
        let length = 1 + span(&text[1..], |byte| byte.is_ascii_digit() || byte == b':');
        if length == 1 || self.clock.is_none() && !self.has_date() {
            return Err(Fault::Syntax);
        }
        match zone::parse_offset(&text[..length]) {
            Some(seconds) => self.set_zone(ZoneOf::Offset(seconds))?,
            None => return Err(Fault::Displacement),
        }
        Ok(length)
    }

    fn finish(mut self, settings: &Settings) -> Result<Moment, Fault> {
        let dateless = self.numbers.is_empty() && self.month.is_none() && self.julian.is_none();
        let micros = if self.clock.is_some() { self.micros()? } else { 0 };
        if self.clock.is_none() && (self.meridiem.is_some() || self.time_follows) {
            return Err(Fault::Syntax);
        }
        let zone = self.zone.take().unwrap_or(ZoneOf::Session);
        if let Some(special) = self.special.take() {
            if !dateless || self.before_christ {
                return Err(Fault::Syntax);
            }
            return self.special_moment(&special, micros, zone, settings);
        }
        if dateless {
            return Err(Fault::Syntax);
        }
        let days = match self.julian {
            Some(days) if self.numbers.is_empty() && self.month.is_none() => days,
            Some(_) => return Err(Fault::Syntax),
            None => self.days()?,
        };
        Ok(Moment::Local { days, micros, zone })
    }

    fn special_moment(&self, special: &str, micros: i64, zone: ZoneOf, settings: &Settings) -> Result<Moment, Fault> {
        let timed = self.clock.is_some();
        let today = || local_of(now(settings), settings).div_euclid(DAY);
        Ok(match special {
            "infinity" if !timed => Moment::Infinity,
            "-infinity" if !timed => Moment::NegativeInfinity,
            "now" if !timed => Moment::Instant(now(settings)),
            "epoch" if !timed => Moment::Local { days: days_of(1970, 1, 1), micros: 0, zone: ZoneOf::Offset(0) },
            "today" => Moment::Local { days: today(), micros, zone },
            "tomorrow" => Moment::Local { days: today() + 1, micros, zone },
            "yesterday" => Moment::Local { days: today() - 1, micros, zone },
            _ => return Err(Fault::Syntax),
        })
    }

    /// Microseconds of the day.
    fn micros(&self) -> Result<i64, Fault> {
        let Some(Clock { mut hour, minute, second, micros }) = self.clock else {
            return Ok(0);
        };
        match self.meridiem {
            Some(_) if hour > 12 => return Err(Fault::Range),
            Some(Meridiem::Before) if hour == 12 => hour = 0,
            Some(Meridiem::After) if hour != 12 => hour += 12,
            _ => {}
        }
        let total = hour * HOUR + minute * MINUTE + second * SECOND + micros;
        if hour > 24 || minute > 59 || second > 60 || total > DAY {
            return Err(Fault::Range);
        }
        Ok(total)
    }

    /// The date that the numbers and the month's name make.
    fn days(&self) -> Result<i64, Fault> {
        let number = |at: usize| self.numbers.get(at).map(|number| number.text.as_str()).ok_or(Fault::Syntax);
        let (year, month, day) = match (self.month, self.numbers.len()) {
            // The year is the one with more than two digits, else the last.
            (Some(month), 2) if number(0)?.len() >= 3 => (number(0)?, month, value(number(1)?)?),
            (Some(month), 2) => (number(1)?, month, value(number(0)?)?),
            (None, 3) if number(0)?.len() >= 3 => (number(0)?, value(number(1)?)?, value(number(2)?)?),
            (None, 3) => (number(2)?, value(number(0)?)?, value(number(1)?)?),
            _ => return Err(Fault::Syntax),
        };
        let ambiguous = self.month.is_none() && self.numbers.first().is_some_and(|first| first.joined && first.text.len() < 3);
        let mut year = if year.len() <= 2 && !self.before_christ { two_digit_year(value(year)?) } else { value(year)? };
        if self.before_christ {
            year = 1 - year;
            if year > 0 {
                return Err(Fault::Range);
            }
        } else if year == 0 {
            return Err(Fault::Range);
        }
        let wrong = || if ambiguous { Fault::Order } else { Fault::Range };
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return Err(if self.month.is_some() { Fault::Range } else { Fault::Order });
        }
        if day > days_in_month(year, month) {
            return Err(match wrong() {
                Fault::Order => Fault::Range,
                other => other,
            });
        }
        Ok(days_of(year, month, day))
    }
}

fn value(digits: &str) -> Result<i64, Fault> {
    // More digits than any year has would overflow later on.
    if digits.len() > 9 { Err(Fault::Range) } else { digits.parse().map_err(|_| Fault::Syntax) }
}

fn two_digit_year(year: i64) -> i64 {
    year + if year < 70 { 2000 } else { 1900 }
}

fn month(word: &str) -> Option<i64> {
    let at = MONTHS.iter().position(|month| word == *month || word == &month[..3] || word == "sept" && *month == "september")?;
    Some(at as i64 + 1)
}

/// `hh:mm`, `hh:mm:ss`, `hh:mm:ss.ffffff`; `mm:ss.ffffff` is taken too.
fn clock(text: &str) -> Result<Clock, Fault> {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let parts: Vec<&str> = whole.split(':').collect();
    let micros = fraction.map_or(Ok(0), fraction_micros)?;
    match parts.as_slice() {
        [hour, minute] if fraction.is_none() => Ok(Clock { hour: value(hour)?, minute: value(minute)?, second: 0, micros: 0 }),
        [minute, second] => Ok(Clock { hour: 0, minute: value(minute)?, second: value(second)?, micros }),
        [hour, minute, second] => Ok(Clock { hour: value(hour)?, minute: value(minute)?, second: value(second)?, micros }),
        _ => Err(Fault::Syntax),
    }
}

/// Rounded to six digits.
pub(super) fn fraction_digits(digits: &str) -> Option<i64> {
    if digits.is_empty() {
        return Some(0);
    }
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction: f64 = format!("0.{digits}").parse().ok()?;
    Some((fraction * 1e6).round_ties_even() as i64)
}

fn fraction_micros(digits: &str) -> Result<i64, Fault> {
    fraction_digits(digits).ok_or(Fault::Syntax)
}

/// `hhmmss` or `hhmm`.
fn packed_clock(digits: &str) -> Option<Clock> {
    let part = |range: std::ops::Range<usize>| digits.get(range).and_then(|part| part.parse().ok());
    match digits.len() {
        6 => Some(Clock { hour: part(0..2)?, minute: part(2..4)?, second: part(4..6)?, micros: 0 }),
        4 => Some(Clock { hour: part(0..2)?, minute: part(2..4)?, second: 0, micros: 0 }),
        _ => None,
    }
}
