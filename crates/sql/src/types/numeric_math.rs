//! Roots, powers, exponentials and logarithms of decimals, rounded to the digits that PostgreSQL gives: at least 16 significant ones.
//!
//! Computed with up to 38 digits, so results of more than about 30 significant digits are not to be had; where PostgreSQL would
//! give more, the last digits are cut off, not wrong.

use super::numeric::{DIGITS_MAX, Numeric, SIGNIFICANT_DIGITS_MIN, digit_count, overflow};
use super::wide;
use base::{Error, Result, SqlState};

/// Digits behind the point with which exponentials and logarithms are computed.
const WORKING_SCALE: i32 = 32;
/// The series for e^x is used for |x| up to 2^-`HALVINGS`.
const HALVINGS: i32 = 8;
/// Terms of the series: (2^-8)^n / n! falls below 10^-32 at 12.
const TERMS: i64 = 14;
const LN_10: f64 = std::f64::consts::LN_10;

fn argument(message: &str, state: &[u8; 5]) -> Error {
    Error::new(SqlState(*state), message)
}

impl Numeric {
    /// # Errors
    /// `2201F` for a negative number.
    pub fn sqrt(self) -> Result<Numeric> {
        if self.is_negative() {
            return Err(argument("cannot take square root of a negative number", b"2201F"));
        }
        let (weight, _) = self.leading_group();
        let whole = if weight >= 0 { (weight + 1) * 4 / 2 - 1 } else { 1 - (1 - weight * 4) / 2 };
        let scale = (SIGNIFICANT_DIGITS_MIN - whole).max(i32::from(self.scale)).max(0).min(DIGITS_MAX as i32 - whole.max(0) - 2);
        // The root of digits × 10^(2s) has s more digits behind the point; one more is for rounding.
        let shift = 2 * (scale + 1) - i32::from(self.scale);
        let Some(square) = u32::try_from(shift).ok().and_then(|shift| wide::mul_pow10(self.digits.unsigned_abs(), shift)) else {
            return Err(overflow());
        };
        let root = wide::Wide { high: 0, low: wide::sqrt(square) };
        Numeric::from_wide(false, wide::div_round_pow10(root, 1), scale as u32)
    }

    /// # Errors
    /// `22003` if it overflows.
    pub fn exp(self) -> Result<Numeric> {
        let power = self.to_f64() / LN_10;
        if power > f64::from(DIGITS_MAX) {
            return Err(overflow());
        }
        let scale = (SIGNIFICANT_DIGITS_MIN - power as i32).max(i32::from(self.scale)).max(0);
        exp_working(self)?.round(scale.min(DIGITS_MAX as i32))
    }

    /// # Errors
    /// `2201E` for zero and below.
    pub fn ln(self) -> Result<Numeric> {
        let weight = self.ln_weight()?;
        let scale = (SIGNIFICANT_DIGITS_MIN - weight).max(i32::from(self.scale)).max(0);
        ln_working(self)?.round(scale.min(DIGITS_MAX as i32))
    }

    /// Digits before the point of the natural logarithm, less one: PostgreSQL's `estimate_ln_dweight`.
    fn ln_weight(self) -> Result<i32> {
        if self.is_zero() {
            return Err(argument("cannot take logarithm of zero", b"2201E"));
        }
        if self.is_negative() {
            return Err(argument("cannot take logarithm of a negative number", b"2201E"));
        }
        let value = self.to_f64();
        if (0.9..=1.1).contains(&value) {
            let rest = self.sub(Numeric::ONE)?;
            if rest.is_zero() {
                return Ok(0);
            }
            let (weight, first) = rest.leading_group();
            return Ok(weight * 4 + f64::from(first).log10() as i32);
        }
        Ok(value.ln().abs().log10() as i32)
    }

    /// The logarithm to another base.
    ///
    /// # Errors
    /// `2201E`, `22012`.
    pub fn log(self, base: Numeric) -> Result<Numeric> {
        let (own, other) = (self.ln_weight()?, base.ln_weight()?);
        let scale = (SIGNIFICANT_DIGITS_MIN - (own - other)).max(i32::from(self.scale)).max(i32::from(base.scale)).max(0);
        let divisor = ln_working(base)?;
        if divisor.is_zero() {
            return Err(Error::new(SqlState::DIVISION_BY_ZERO, "division by zero"));
        }
        let quotient = ln_working(self)?.div_to_scale(divisor, WORKING_SCALE as u32)?;
        quotient.round(scale.min(DIGITS_MAX as i32))
    }

    /// # Errors
    /// `2201F` for what has no real value, `22003`.
    pub fn power(self, exponent: Numeric) -> Result<Numeric> {
        if self.is_zero() && exponent.is_negative() {
            return Err(argument("zero raised to a negative power is undefined", b"2201F"));
        }
        let whole = exponent.normalized();
        if self.is_negative() && whole.scale > 0 {
            return Err(argument("a negative number raised to a non-integer power yields a complex result", b"2201F"));
        }
        if whole.scale == 0
            && let Ok(power) = i32::try_from(whole.digits)
        {
            return self.power_integer(power);
        }
        if self.is_zero() {
            return Numeric::ZERO.round(SIGNIFICANT_DIGITS_MIN);
        }
        let ln = ln_working(self)?;
        let power = ln.to_f64() * exponent.to_f64() / LN_10;
        if power > f64::from(DIGITS_MAX) {
            return Err(overflow());
        }
        let scale = (SIGNIFICANT_DIGITS_MIN - power as i32).max(i32::from(self.scale)).max(i32::from(exponent.scale)).max(0);
        exp_working(ln.mul(exponent)?)?.round(scale.min(DIGITS_MAX as i32))
    }

    /// By squaring, as exact as 38 digits are.
    fn power_integer(self, exponent: i32) -> Result<Numeric> {
        let scale = SIGNIFICANT_DIGITS_MIN.max(i32::from(self.scale));
        let magnitude = self.to_f64().abs();
        if magnitude > 0.0 && f64::from(exponent) * magnitude.log10() > f64::from(DIGITS_MAX) {
            return Err(overflow());
        }
        if magnitude > 0.0 && f64::from(exponent) * magnitude.log10() < -f64::from(DIGITS_MAX) - 1.0 {
            return Numeric::ZERO.round(scale);
        }
        let (mut result, mut factor, mut rest) = (Numeric::ONE, self.normalized(), exponent.unsigned_abs());
        while rest > 0 {
            if rest & 1 == 1 {
                result = result.mul(factor)?;
            }
            rest >>= 1;
            if rest > 0 {
                factor = factor.mul(factor)?;
            }
        }
        if exponent < 0 {
            return Numeric::ONE.div_to_scale(result, DIGITS_MAX)?.round(scale);
        }
        result.round(scale)
    }
}

/// e^x: x is halved until the series is short, and the result squared as often.
fn exp_working(x: Numeric) -> Result<Numeric> {
    if x.to_f64() < -f64::from(DIGITS_MAX) * LN_10 {
        return Ok(Numeric::ZERO);
    }
    let magnitude = digit_count(x.digits.unsigned_abs()) as i32 - i32::from(x.scale);
    // 10^m < 2^(10m/3 + 1).
    let halvings = if x.is_zero() { 0 } else { (magnitude * 10 / 3 + 1 + HALVINGS).max(0) };
    let divisor = Numeric::new(1i128 << halvings.min(100), 0)?;
    let reduced = x.div_to_scale(divisor, DIGITS_MAX - 1)?;
    let (mut sum, mut term) = (Numeric::ONE, Numeric::ONE);
    for n in 1..=TERMS {
        term = term.mul(reduced)?.div_to_scale(Numeric::from_i64(n), DIGITS_MAX - 1)?;
        sum = sum.add(term)?;
    }
    for _ in 0..halvings {
        sum = sum.mul(sum)?;
    }
    Ok(sum)
}

/// From a floating guess y: y + 2 (x - e^y) / (x + e^y), whose error is the third power of the guess's.
fn ln_working(x: Numeric) -> Result<Numeric> {
    if x == Numeric::ONE {
        return Ok(Numeric::ZERO);
    }
    let mut guess = Numeric::from_f64(x.to_f64().ln(), 15)?;
    for _ in 0..2 {
        let power = exp_working(guess)?;
        let correction = x.sub(power)?.mul(Numeric::from_i64(2))?.div_to_scale(x.add(power)?, DIGITS_MAX - 1)?;
        guess = guess.add(correction)?;
    }
    Ok(guess)
}
