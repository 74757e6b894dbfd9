//! `to_char` and `to_number` of numbers: PostgreSQL's template patterns (documentation, 9.8) but for `EEEE`, `RN` and `V`.

use super::arithmetic::mismatch;
use super::kinds::*;
use super::strings::{made, string};
use super::{Context, Function, function};
use crate::value::{Numeric, Value};
use base::{Error, Result, SqlState};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Item {
    /// 9 or 0: a place of a digit. `forced`: 0.
    Digit {
        forced: bool,
    },
    Point,
    Group,
    Literal(char),
    /// `MI`, `PL`, `SG`.
    Minus,
    Plus,
    Sign,
    Currency,
}

struct Template {
    items: Vec<Item>,
    fill: bool,
    /// `S`: the sign stands at this end.
    sign_first: bool,
    sign_last: bool,
    brackets: bool,
    ordinal: Option<bool>,
}

fn parse(template: &str) -> Result<Template> {
    let mut result = Template { items: Vec::new(), fill: true, sign_first: false, sign_last: false, brackets: false, ordinal: None };
    let mut rest = template;
    while let Some(c) = rest.chars().next() {
        let upper = rest.get(..2).map(str::to_ascii_uppercase).unwrap_or_default();
        let two = match upper.as_str() {
            "FM" => {
                result.fill = false;
                true
            }
            "MI" => {
                result.items.push(Item::Minus);
                true
            }
            "PL" => {
                result.items.push(Item::Plus);
                true
            }
            "SG" => {
                result.items.push(Item::Sign);
                true
            }
            "PR" => {
                result.brackets = true;
                true
            }
            "TH" => {
                result.ordinal = Some(rest.starts_with("TH"));
                true
            }
            "RN" | "EE" => return Err(Error::unsupported(format!("the number pattern {upper}"))),
            _ => false,
        };
        if two {
            rest = &rest[2..];
            continue;
        }
        rest = &rest[c.len_utf8()..];
        match c.to_ascii_uppercase() {
            '9' => result.items.push(Item::Digit { forced: false }),
            '0' => result.items.push(Item::Digit { forced: true }),
            '.' | 'D' => result.items.push(Item::Point),
            ',' | 'G' => result.items.push(Item::Group),
            'L' => result.items.push(Item::Currency),
            'V' => return Err(Error::unsupported("the number pattern V")),
            'S' if result.items.iter().any(|item| matches!(item, Item::Digit { .. })) => result.sign_last = true,
            'S' => result.sign_first = true,
            '"' => {
                let end = rest.find('"').unwrap_or(rest.len());
                result.items.extend(rest[..end].chars().map(Item::Literal));
                rest = rest.get(end + 1..).unwrap_or("");
            }
            _ => result.items.push(Item::Literal(c)),
        }
    }
    Ok(result)
}

impl Template {
    fn show(&self, value: Numeric) -> Result<String> {
        let point = self.items.iter().position(|item| *item == Item::Point);
        let places = |items: &[Item]| items.iter().filter(|item| matches!(item, Item::Digit { .. })).count();
        let before = places(&self.items[..point.unwrap_or(self.items.len())]);
        let behind = point.map_or(0, |at| places(&self.items[at..]));
        let rounded = value.round(behind as i32)?;
        let text = rounded.abs().to_string();
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let whole = if whole == "0" { "" } else { whole };
        let negative = rounded.is_negative() && !rounded.is_zero();
        if whole.len() > before {
            return Ok(self.overflow(negative));
        }
        let mut fraction = fraction.to_owned();
        while fraction.len() < behind {
            fraction.push('0');
        }
        let mut digits = self.body(whole, &fraction, before, point);
        if !self.fill {
            self.cut_fraction(&mut digits, point.is_some());
        }
        Ok(self.signed(digits, negative))
    }

    fn overflow(&self, negative: bool) -> String {
        let filled: String = self
            .items
            .iter()
            .map(|item| match item {
                Item::Digit { .. } => '#',
                Item::Point => '.',
                Item::Group => ',',
                _ => ' ',
            })
            .collect();
        self.signed(filled, negative)
    }

    /// Digits in their places; blanks where there are none yet.
    fn body(&self, whole: &str, fraction: &str, before: usize, point: Option<usize>) -> String {
        let forced_from = {
            let mut place = 0;
            let mut found = None;
            for item in &self.items[..point.unwrap_or(self.items.len())] {
                if let Item::Digit { forced } = item {
                    if *forced && found.is_none() {
                        found = Some(place);
                    }
                    place += 1;
                }
            }
            found
        };
        let first = (before - whole.len()).min(forced_from.unwrap_or(before));
        let (mut out, mut place, mut behind, mut started) = (String::new(), 0, fraction.chars(), false);
        for (index, item) in self.items.iter().enumerate() {
            let after_point = point.is_some_and(|at| index > at);
            match item {
                Item::Digit { .. } if after_point => out.extend(behind.next()),
                Item::Digit { .. } => {
                    if place >= first {
                        started = true;
                        let at = place + whole.len();
                        out.push(if at >= before { whole.as_bytes()[at - before] as char } else { '0' });
                    } else if self.fill {
                        out.push(' ');
                    }
                    place += 1;
                    // Zero with no fraction shows one digit.
                    if place == before && !started && point.is_none() {
                        out.pop();
                        out.push('0');
                        started = true;
                    }
                }
                Item::Point => out.push('.'),
                Item::Group if started || after_point => out.push(','),
                Item::Group if self.fill => out.push(' '),
                Item::Group => {}
                Item::Literal(c) => out.push(*c),
                Item::Minus | Item::Plus | Item::Sign => out.push('\u{1}'),
                Item::Currency if self.fill => out.push(' '),
                Item::Currency => {}
            }
        }
        out
    }

    /// With `FM` the zeros of nines at the fraction's end go.
    fn cut_fraction(&self, digits: &mut String, has_point: bool) {
        let last_forced = self.items.iter().rposition(|item| matches!(item, Item::Digit { forced: true }));
        let point = self.items.iter().position(|item| *item == Item::Point);
        let kept = match (last_forced, point) {
            (Some(last), Some(point)) if last > point => {
                self.items[point..=last].iter().filter(|item| matches!(item, Item::Digit { .. })).count()
            }
            _ => 0,
        };
        if !has_point {
            return;
        }
        let Some(at) = digits.find('.') else { return };
        while digits.ends_with('0') && digits.len() > at + 1 + kept {
            digits.pop();
        }
    }

    fn signed(&self, digits: String, negative: bool) -> String {
        let anchored: Vec<Item> = self.items.iter().copied().filter(|item| matches!(item, Item::Minus | Item::Plus | Item::Sign)).collect();
        let mut signs = anchored.iter();
        let mut out: String = digits
            .chars()
            .filter_map(|c| {
                if c != '\u{1}' {
                    return Some(c);
                }
                match (signs.next(), negative) {
                    (Some(Item::Minus), true) | (Some(Item::Sign), true) => Some('-'),
                    (Some(Item::Plus | Item::Sign), false) => Some('+'),
                    _ => self.fill.then_some(' '),
                }
            })
            .collect();
        let ordinal = self.ordinal.filter(|_| !negative).map(|upper| {
            let suffix = suffix_of(&out);
            if upper { suffix.to_uppercase() } else { suffix.to_owned() }
        });
        let blanks = out.len() - out.trim_start().len();
        if self.sign_last {
            out.push(if negative { '-' } else { '+' });
        } else if self.sign_first {
            out.insert(blanks, if negative { '-' } else { '+' });
        } else if self.brackets {
            let (open, close) = if negative { ('<', '>') } else { (' ', ' ') };
            if negative || self.fill {
                out.insert(blanks, open);
                out.push(close);
            }
        } else if anchored.iter().all(|item| *item == Item::Plus) {
            if negative {
                out.insert(blanks, '-');
            } else if self.fill {
                out.insert(0, ' ');
            }
        }
        out.push_str(&ordinal.unwrap_or_default());
        out
    }
}

fn suffix_of(digits: &str) -> &'static str {
    let bytes = digits.as_bytes();
    let tens = bytes.len() >= 2 && bytes[bytes.len() - 2] == b'1';
    match bytes.last() {
        Some(b'1') if !tens => "st",
        Some(b'2') if !tens => "nd",
        Some(b'3') if !tens => "rd",
        _ => "th",
    }
}

fn to_char(args: &[Value], _: &Context) -> Result<Value> {
    let value = match &args[0] {
        Value::Numeric(value) => *value,
        Value::Float4(value) => Numeric::from_f64(f64::from(*value), 6)?,
        Value::Float8(value) => Numeric::from_f64(*value, 15)?,
        other => Numeric::from_i64(other.as_i64().ok_or_else(mismatch)?),
    };
    made(parse(string(args, 1)?)?.show(value)?)
}

/// Takes the digits, the point and the sign out of a text.
fn to_number(args: &[Value], _: &Context) -> Result<Value> {
    let text = string(args, 0)?;
    let template = parse(string(args, 1)?)?;
    let behind = template.items.iter().position(|item| *item == Item::Point);
    let negative = text.contains('-') || template.brackets && text.trim_start().starts_with('<');
    let mut digits = String::from(if negative { "-" } else { "" });
    for c in text.chars() {
        match c {
            '0'..='9' => digits.push(c),
            '.' if behind.is_some() => digits.push('.'),
            '.' => break,
            _ => {}
        }
    }
    if !digits.contains(|c: char| c.is_ascii_digit()) {
        return Err(Error::new(SqlState::INVALID_TEXT_REPRESENTATION, format!("invalid input syntax for type numeric: \"{text}\"")));
    }
    digits.parse().map(Value::Numeric)
}

pub(super) static FUNCTIONS: [Function; 6] = [
    function("to_char", &[NUMERIC, TEXT], TEXT, to_char),
    function("to_char", &[INT4, TEXT], TEXT, to_char),
    function("to_char", &[INT8, TEXT], TEXT, to_char),
    function("to_char", &[FLOAT4, TEXT], TEXT, to_char),
    function("to_char", &[FLOAT8, TEXT], TEXT, to_char),
    function("to_number", &[TEXT, TEXT], NUMERIC, to_number),
];
