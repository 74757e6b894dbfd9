//! `numeric`: exact decimals of at most 38 digits. No operation ever wraps; what does not fit is `22003`.
//!
//! Result scales follow PostgreSQL's numeric.c as far as 38 digits allow; where they do not, digits behind the point are rounded
//! away (half away from zero) so that the part before it is kept exactly. `NaN` and the infinities are refused with `0A000`.

use super::wide::{self, Wide};
use base::{Error, Result, SqlState};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

/// Most digits of a value, and most of them behind the point.
pub const DIGITS_MAX: u32 = 38;
/// Digits that a quotient has at least, PostgreSQL's `NUMERIC_MIN_SIG_DIGITS`.
pub const SIGNIFICANT_DIGITS_MIN: i32 = 16;
const LIMIT: u128 = 10u128.pow(DIGITS_MAX);

/// `digits` × 10^-`scale`; at most 38 digits. Equal values are equal whatever their scales.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Numeric {
    pub digits: i128,
    pub scale: u8,
}

pub fn overflow() -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value overflows numeric format").with_detail("A numeric has at most 38 digits.")
}

pub(crate) fn pow10(exponent: u32) -> u128 {
    10u128.pow(exponent)
}

/// Decimal digits of a number; 1 for zero.
pub(crate) fn digit_count(value: u128) -> u32 {
    value.checked_ilog10().map_or(1, |log| log + 1)
}

#[allow(clippy::should_implement_trait, reason = "arithmetic can overflow: `add` and the others answer an error, unlike operators")]
impl Numeric {
    pub const ZERO: Numeric = Numeric { digits: 0, scale: 0 };
    pub const ONE: Numeric = Numeric { digits: 1, scale: 0 };

    /// # Errors
    /// `22003` if it has more than 38 digits.
    pub fn new(digits: i128, scale: u8) -> Result<Numeric> {
        if digits.unsigned_abs() >= LIMIT || u32::from(scale) > DIGITS_MAX {
            return Err(overflow());
        }
        Ok(Numeric { digits, scale })
    }

    fn signed(negative: bool, magnitude: u128, scale: u32) -> Result<Numeric> {
        if magnitude >= LIMIT || scale > DIGITS_MAX {
            return Err(overflow());
        }
        let digits = i128::try_from(magnitude).map_err(|_| overflow())?;
        Ok(Numeric { digits: if negative { -digits } else { digits }, scale: scale as u8 })
    }

    /// Rounds a wide magnitude to at most 38 digits by giving up digits behind the point.
    pub(crate) fn from_wide(negative: bool, magnitude: Wide, scale: u32) -> Result<Numeric> {
        let mut drop = scale.saturating_sub(DIGITS_MAX).max(wide::digits(magnitude).saturating_sub(DIGITS_MAX));
        loop {
            if drop > scale {
                return Err(overflow());
            }
            match wide::to_u128(wide::div_round_pow10(magnitude, drop)) {
                Some(rounded) if rounded < LIMIT => return Numeric::signed(negative, rounded, scale - drop),
                // Rounding up made one digit more: 99.5 became 100.
                _ => drop += 1,
            }
        }
    }

    pub fn is_zero(self) -> bool {
        self.digits == 0
    }

    pub fn is_negative(self) -> bool {
        self.digits < 0
    }

    /// The same value with no zeros at the end behind the point.
    pub fn normalized(self) -> Numeric {
        let mut result = self;
        while result.scale > 0 && result.digits % 10 == 0 {
            result.digits /= 10;
            result.scale -= 1;
        }
        if result.digits == 0 { Numeric::ZERO } else { result }
    }

    pub fn checked_neg(self) -> Numeric {
        Numeric { digits: -self.digits, scale: self.scale }
    }

    pub fn abs(self) -> Numeric {
        Numeric { digits: self.digits.abs(), scale: self.scale }
    }

    /// Scale of the result: the larger of the two.
    pub fn add(self, other: Numeric) -> Result<Numeric> {
        if self.scale == other.scale {
            let digits = self.digits.checked_add(other.digits).ok_or_else(overflow)?;
            if digits.unsigned_abs() < LIMIT {
                return Ok(Numeric { digits, scale: self.scale });
            }
        }
        let scale = u32::from(self.scale.max(other.scale));
        let a = wide::mul(self.digits.unsigned_abs(), pow10(scale - u32::from(self.scale)));
        let b = wide::mul(other.digits.unsigned_abs(), pow10(scale - u32::from(other.scale)));
        if self.is_negative() == other.is_negative() {
            return Numeric::from_wide(self.is_negative(), wide::add(a, b), scale);
        }
        match wide::compare(a, b) {
            Ordering::Less => Numeric::from_wide(other.is_negative(), wide::sub(b, a), scale),
            _ => Numeric::from_wide(self.is_negative(), wide::sub(a, b), scale),
        }
    }

    pub fn sub(self, other: Numeric) -> Result<Numeric> {
        self.add(other.checked_neg())
    }

    /// Scale of the result: the sum of the two.
    pub fn mul(self, other: Numeric) -> Result<Numeric> {
        let scale = u32::from(self.scale) + u32::from(other.scale);
        let negative = (self.digits < 0) != (other.digits < 0);
        Numeric::from_wide(negative, wide::mul(self.digits.unsigned_abs(), other.digits.unsigned_abs()), scale)
    }

    /// Scale of the result: PostgreSQL's `select_div_scale`, at least 16 significant digits and neither operand's scale cut.
    ///
    /// # Errors
    /// `22012` for a divisor of zero.
    pub fn div(self, other: Numeric) -> Result<Numeric> {
        if other.is_zero() {
            return Err(Error::new(SqlState::DIVISION_BY_ZERO, "division by zero"));
        }
        self.div_to_scale(other, self.division_scale(other))
    }

    fn division_scale(self, other: Numeric) -> u32 {
        let (weight1, first1) = self.leading_group();
        let (weight2, first2) = other.leading_group();
        let quotient_weight = weight1 - weight2 - i32::from(first1 <= first2);
        let scale = SIGNIFICANT_DIGITS_MIN - quotient_weight * 4;
        scale.max(i32::from(self.scale)).max(i32::from(other.scale)).max(0) as u32
    }

    /// Weight (power of 10,000) and value of the first group of four digits, as PostgreSQL stores numbers.
    pub(crate) fn leading_group(self) -> (i32, u32) {
        if self.digits == 0 {
            return (0, 0);
        }
        let magnitude = self.digits.unsigned_abs();
        let exponent = digit_count(magnitude) as i32 - 1 - i32::from(self.scale);
        let weight = exponent.div_euclid(4);
        // The first group holds the digits down to 10,000^weight.
        let shift = i32::from(self.scale) + weight * 4;
        let group = if shift >= 0 { magnitude / pow10(shift as u32) } else { magnitude * pow10((-shift) as u32) };
        (weight, group as u32)
    }

    /// The quotient rounded to `scale` digits behind the point, fewer where 38 digits are too few.
    pub(crate) fn div_to_scale(self, other: Numeric, scale: u32) -> Result<Numeric> {
        let negative = (self.digits < 0) != (other.digits < 0);
        let (a, b) = (self.digits.unsigned_abs(), other.digits.unsigned_abs());
        let before_point = digit_count(a) as i32 - i32::from(self.scale) - digit_count(b) as i32 + i32::from(other.scale);
        let mut scale = (scale as i32).min(DIGITS_MAX as i32 - before_point.max(0)).min(DIGITS_MAX as i32);
        while scale >= 0 {
            let shift = scale + i32::from(other.scale) - i32::from(self.scale);
            let (dividend, divisor) = if shift >= 0 {
                (wide::mul_pow10(a, shift as u32), Some(b))
            } else {
                (Some(Wide { high: 0, low: a }), b.checked_mul(pow10((-shift) as u32)))
            };
            let Some(dividend) = dividend else {
                scale -= 1;
                continue;
            };
            let quotient = divisor.map_or(Wide::ZERO, |divisor| wide::div_round(dividend, divisor));
            match wide::to_u128(quotient) {
                Some(magnitude) if magnitude < LIMIT => return Numeric::signed(negative, magnitude, scale as u32),
                _ => scale -= 1,
            }
        }
        Err(overflow())
    }

    /// The remainder of the quotient cut to an integer; it has the dividend's sign.
    pub fn rem(self, other: Numeric) -> Result<Numeric> {
        if other.is_zero() {
            return Err(Error::new(SqlState::DIVISION_BY_ZERO, "division by zero"));
        }
        let scale = u32::from(self.scale.max(other.scale));
        let a = wide::mul(self.digits.unsigned_abs(), pow10(scale - u32::from(self.scale)));
        let b = wide::mul(other.digits.unsigned_abs(), pow10(scale - u32::from(other.scale)));
        let rest = match wide::to_u128(b) {
            Some(b) => Wide { high: 0, low: wide::rem(a, b) },
            // The divisor was made longer, so the dividend was not, and fits.
            None => a,
        };
        Numeric::from_wide(self.is_negative(), rest, scale)
    }

    /// Rounds half away from zero; a negative scale rounds before the point.
    pub fn round(self, scale: i32) -> Result<Numeric> {
        self.rescaled(scale, wide::div_round_pow10)
    }

    /// Cuts towards zero.
    pub fn trunc(self, scale: i32) -> Result<Numeric> {
        self.rescaled(scale, wide::div_pow10)
    }

    fn rescaled(self, scale: i32, divide: fn(Wide, u32) -> Wide) -> Result<Numeric> {
        // More digits than fit are not added: the value is the same without them.
        let spare = DIGITS_MAX - if self.digits == 0 { 0 } else { digit_count(self.digits.unsigned_abs()) };
        let own = i32::from(self.scale);
        if scale >= own {
            let added = ((scale - own) as u32).min(spare).min(DIGITS_MAX - u32::from(self.scale));
            return Numeric::signed(self.is_negative(), self.digits.unsigned_abs() * pow10(added), u32::from(self.scale) + added);
        }
        let dropped = (own - scale.max(-(DIGITS_MAX as i32) - 1)) as u32;
        let kept = wide::to_u128(divide(Wide { high: 0, low: self.digits.unsigned_abs() }, dropped)).ok_or_else(overflow)?;
        if scale >= 0 {
            return Numeric::signed(self.is_negative(), kept, scale as u32);
        }
        let zeros = (-scale) as u32;
        match kept {
            0 => Ok(Numeric::ZERO),
            _ if zeros >= DIGITS_MAX => Err(overflow()),
            _ => Numeric::signed(self.is_negative(), kept.checked_mul(pow10(zeros)).ok_or_else(overflow)?, 0),
        }
    }

    pub fn floor(self) -> Result<Numeric> {
        let cut = self.trunc(0)?;
        if cut.cmp(&self).is_gt() { cut.sub(Numeric::ONE) } else { Ok(cut) }
    }

    pub fn ceil(self) -> Result<Numeric> {
        let cut = self.trunc(0)?;
        if cut.cmp(&self).is_lt() { cut.add(Numeric::ONE) } else { Ok(cut) }
    }

    /// Into `numeric(precision, scale)`: rounds, then refuses what has too many digits before the point.
    pub fn constrain(self, modifier: super::NumericModifier) -> Result<Numeric> {
        let rounded = self.round(i32::from(modifier.scale))?;
        let whole_digits = i32::from(modifier.precision) - i32::from(modifier.scale);
        let magnitude = rounded.digits.unsigned_abs();
        let whole = if magnitude == 0 { 0 } else { digit_count(magnitude) as i32 - i32::from(rounded.scale) };
        if magnitude != 0 && whole > whole_digits {
            let bound = if whole_digits == 0 { "1".to_owned() } else { format!("10^{whole_digits}") };
            return Err(Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow").with_detail(format!(
                "A field with precision {}, scale {} must round to an absolute value less than {bound}.",
                modifier.precision, modifier.scale
            )));
        }
        Ok(rounded)
    }

    /// Rounded to the nearest integer.
    pub fn to_i128(self) -> i128 {
        let unit = pow10(u32::from(self.scale)) as i128;
        let (quotient, rest) = (self.digits / unit, self.digits % unit);
        if rest.abs() * 2 >= unit && unit > 1 { quotient + rest.signum() } else { quotient }
    }

    pub fn to_f64(self) -> f64 {
        // Through the text: correctly rounded, where dividing by a power of ten would round twice.
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    pub fn from_i64(value: i64) -> Numeric {
        Numeric { digits: i128::from(value), scale: 0 }
    }

    /// With the digits that the text form of the floating type has (15 for `float8`, 6 for `float4`), as PostgreSQL casts.
    pub fn from_f64(value: f64, digits: usize) -> Result<Numeric> {
        if !value.is_finite() {
            return Err(Error::unsupported(format!("numeric {value}")));
        }
        Numeric::parse_scientific(&format!("{value:.*e}", digits - 1)).map(Numeric::normalized)
    }

    fn parse_scientific(text: &str) -> Result<Numeric> {
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let exponent: i32 = exponent.parse().map_err(|_| overflow())?;
        Parsed::read(mantissa).ok_or_else(overflow)?.finish(exponent, true)
    }

    /// The shortest text: as many digits behind the point as the scale says.
    pub fn write<'a>(&self, buffer: &'a mut NumericBuffer) -> &'a str {
        let mut at = buffer.bytes.len();
        let mut rest = self.digits.unsigned_abs();
        let mut written = 0;
        loop {
            if written == self.scale && written > 0 {
                at -= 1;
                buffer.bytes[at] = b'.';
            }
            // Most values fit 64 bits, whose division is much cheaper.
            let digit = match u64::try_from(rest) {
                Ok(small) => {
                    rest = u128::from(small / 10);
                    small % 10
                }
                Err(_) => {
                    let digit = rest % 10;
                    rest /= 10;
                    digit as u64
                }
            };
            at -= 1;
            buffer.bytes[at] = b'0' + digit as u8;
            written += 1;
            if rest == 0 && written > self.scale {
                break;
            }
        }
        if self.digits < 0 {
            at -= 1;
            buffer.bytes[at] = b'-';
        }
        std::str::from_utf8(&buffer.bytes[at..]).expect("digits are ASCII")
    }
}

/// Room for the longest text of a [`Numeric`].
pub struct NumericBuffer {
    bytes: [u8; 44],
}

impl Default for NumericBuffer {
    fn default() -> NumericBuffer {
        NumericBuffer { bytes: [0; 44] }
    }
}

impl fmt::Display for Numeric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad_integral(self.digits >= 0, "", self.abs().write(&mut NumericBuffer::default()))
    }
}

/// Digits read so far, before the exponent.
struct Parsed {
    negative: bool,
    magnitude: u128,
    /// Digits behind the point.
    scale: i32,
    /// Digits that did not fit and were only counted; behind the point they were zeros.
    lost: bool,
    skipped: i32,
}

impl Parsed {
    fn read(text: &str) -> Option<Parsed> {
        let (negative, digits) = match text.as_bytes() {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            all => (false, all),
        };
        let mut parsed = Parsed { negative, magnitude: 0, scale: 0, lost: false, skipped: 0 };
        let (mut seen, mut point) = (false, false);
        for byte in digits {
            match byte {
                b'0'..=b'9' => {
                    seen = true;
                    parsed.push(byte - b'0', point);
                }
                b'.' if !point => point = true,
                _ => return None,
            }
        }
        seen.then_some(parsed)
    }

    fn push(&mut self, digit: u8, behind_point: bool) {
        match self.magnitude.checked_mul(10).and_then(|m| m.checked_add(u128::from(digit))) {
            Some(magnitude) if magnitude < LIMIT && self.skipped == 0 => {
                self.magnitude = magnitude;
                self.scale += i32::from(behind_point);
            }
            // Zeros at the end behind the point only widen the scale: they may be left out.
            _ => {
                self.lost |= digit != 0;
                self.skipped += i32::from(!behind_point);
            }
        }
    }

    /// `inexact`: digits that do not fit are rounded away, else refused.
    fn finish(self, exponent: i32, inexact: bool) -> Result<Numeric> {
        if self.lost && !inexact {
            return Err(overflow());
        }
        let scale = self.scale.saturating_sub(exponent).saturating_sub(self.skipped);
        if self.magnitude == 0 {
            return Numeric::signed(false, 0, scale.clamp(0, DIGITS_MAX as i32) as u32);
        }
        if scale <= 0 {
            let zeros = u32::try_from(-scale).ok().filter(|zeros| *zeros < DIGITS_MAX).ok_or_else(overflow)?;
            return Numeric::signed(self.negative, self.magnitude.checked_mul(pow10(zeros)).ok_or_else(overflow)?, 0);
        }
        let (mut magnitude, mut scale) = (self.magnitude, scale);
        while scale > DIGITS_MAX as i32 && magnitude % 10 == 0 {
            (magnitude, scale) = (magnitude / 10, scale - 1);
        }
        if scale <= DIGITS_MAX as i32 {
            return Numeric::signed(self.negative, magnitude, scale as u32);
        }
        if !inexact {
            return Err(overflow());
        }
        let drop = (scale - DIGITS_MAX as i32).min(2 * DIGITS_MAX as i32) as u32;
        Numeric::from_wide(self.negative, wide::div_round_pow10(Wide { high: 0, low: magnitude }, drop), DIGITS_MAX)
    }
}

impl FromStr for Numeric {
    type Err = Error;

    /// PostgreSQL's `numeric_in`.
    fn from_str(text: &str) -> Result<Numeric> {
        let trimmed = text.trim_matches(|c: char| c.is_ascii_whitespace());
        let (mantissa, exponent) = match trimmed.find(['e', 'E']) {
            Some(at) => (&trimmed[..at], Some(&trimmed[at + 1..])),
            None => (trimmed, None),
        };
        let invalid = || Error::new(SqlState::INVALID_TEXT_REPRESENTATION, format!("invalid input syntax for type numeric: \"{text}\""));
        let Some(parsed) = Parsed::read(mantissa) else {
            return Err(special(trimmed).unwrap_or_else(invalid));
        };
        let exponent = match exponent {
            None => 0,
            Some(text) => parse_exponent(text).ok_or_else(invalid)?,
        };
        parsed.finish(exponent, false)
    }
}

fn parse_exponent(text: &str) -> Option<i32> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // An absurd exponent is an overflow, found later, not a syntax error.
    Some(text.parse().unwrap_or(if text.starts_with('-') { i32::MIN / 2 } else { i32::MAX / 2 }))
}

fn special(text: &str) -> Option<Error> {
    let name = text.strip_prefix(['+', '-']).unwrap_or(text).to_ascii_lowercase();
    matches!(name.as_str(), "nan" | "inf" | "infinity").then(|| Error::unsupported(format!("numeric {text}")))
}

impl Ord for Numeric {
    fn cmp(&self, other: &Numeric) -> Ordering {
        if self.scale == other.scale {
            return self.digits.cmp(&other.digits);
        }
        let (unit_a, unit_b) = (pow10(u32::from(self.scale)) as i128, pow10(u32::from(other.scale)) as i128);
        let whole = (self.digits / unit_a).cmp(&(other.digits / unit_b));
        whole.then_with(|| {
            // Fractions, brought to 38 digits: below 10^38, so they fit.
            let a = (self.digits % unit_a) * pow10(DIGITS_MAX - u32::from(self.scale)) as i128;
            let b = (other.digits % unit_b) * pow10(DIGITS_MAX - u32::from(other.scale)) as i128;
            a.cmp(&b)
        })
    }
}

impl PartialOrd for Numeric {
    fn partial_cmp(&self, other: &Numeric) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Numeric {
    fn eq(&self, other: &Numeric) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Numeric {}

impl Hash for Numeric {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let normal = self.normalized();
        normal.digits.hash(state);
        normal.scale.hash(state);
    }
}
