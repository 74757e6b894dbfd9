//! Unsigned integers of 256 bits, as far as products and quotients of decimals need them.

use super::numeric::pow10;
use std::cmp::Ordering;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wide {
    pub high: u128,
    pub low: u128,
}

impl Wide {
    pub const ZERO: Wide = Wide { high: 0, low: 0 };
}

const HALF: u32 = 64;
const MASK: u128 = u64::MAX as u128;

/// Schoolbook multiplication of two numbers of two 64-bit limbs: Knuth, TAOCP volume 2, algorithm M.
pub fn mul(a: u128, b: u128) -> Wide {
    if let Some(low) = a.checked_mul(b) {
        return Wide { high: 0, low };
    }
    let (a1, a0, b1, b0) = (a >> HALF, a & MASK, b >> HALF, b & MASK);
    let (low, mid1, mid2, high) = (a0 * b0, a0 * b1, a1 * b0, a1 * b1);
    let middle = (low >> HALF) + (mid1 & MASK) + (mid2 & MASK);
    Wide { high: high + (mid1 >> HALF) + (mid2 >> HALF) + (middle >> HALF), low: (middle << HALF) | (low & MASK) }
}

/// `None` if it does not fit.
pub fn mul_pow10(a: u128, exponent: u32) -> Option<Wide> {
    let first = mul(a, pow10(exponent.min(38)));
    let rest = exponent.saturating_sub(38);
    match rest {
        0 => Some(first),
        _ if rest > 38 => None,
        _ => {
            let low = mul(first.low, pow10(rest));
            let high = mul(first.high, pow10(rest));
            if high.high != 0 {
                return None;
            }
            Some(Wide { high: low.high.checked_add(high.low)?, low: low.low })
        }
    }
}

/// Both are far below 2^255.
pub fn add(a: Wide, b: Wide) -> Wide {
    let (low, carry) = a.low.overflowing_add(b.low);
    Wide { high: a.high + b.high + u128::from(carry), low }
}

/// `a` is not below `b`.
pub fn sub(a: Wide, b: Wide) -> Wide {
    let (low, borrow) = a.low.overflowing_sub(b.low);
    Wide { high: a.high - b.high - u128::from(borrow), low }
}

pub fn compare(a: Wide, b: Wide) -> Ordering {
    a.high.cmp(&b.high).then(a.low.cmp(&b.low))
}

pub fn to_u128(value: Wide) -> Option<u128> {
    (value.high == 0).then_some(value.low)
}

/// Quotient and remainder, bit by bit where it does not fit 128 bits.
pub fn div_rem(value: Wide, divisor: u128) -> (Wide, u128) {
    assert!(divisor != 0, "callers refuse a divisor of zero");
    if value.high == 0 {
        return (Wide { high: 0, low: value.low / divisor }, value.low % divisor);
    }
    let high = value.high / divisor;
    let mut rest = value.high % divisor;
    let mut low = 0u128;
    for bit in (0..128).rev() {
        let carry = rest >> 127;
        rest = (rest << 1) | ((value.low >> bit) & 1);
        low <<= 1;
        if carry == 1 || rest >= divisor {
            rest = rest.wrapping_sub(divisor);
            low |= 1;
        }
    }
    (Wide { high, low }, rest)
}

pub fn rem(value: Wide, divisor: u128) -> u128 {
    div_rem(value, divisor).1
}

/// Rounds half up.
pub fn div_round(value: Wide, divisor: u128) -> Wide {
    let (quotient, rest) = div_rem(value, divisor);
    if rest >= divisor - rest { add(quotient, Wide { high: 0, low: 1 }) } else { quotient }
}

pub fn div_pow10(value: Wide, exponent: u32) -> Wide {
    let first = div_rem(value, pow10(exponent.min(38))).0;
    if exponent > 38 { div_rem(first, pow10((exponent - 38).min(38))).0 } else { first }
}

/// Rounds half up, once.
pub fn div_round_pow10(value: Wide, exponent: u32) -> Wide {
    match exponent {
        0 => value,
        1..=38 => div_round(value, pow10(exponent)),
        // All but the last digit are cut first: what is cut cannot turn "below half" into "half".
        _ => div_round(div_pow10(value, exponent - 1), 10),
    }
}

/// Decimal digits; 1 for zero.
pub fn digits(value: Wide) -> u32 {
    match value.high {
        0 => super::numeric::digit_count(value.low),
        _ => 38 + digits(div_rem(value, pow10(38)).0),
    }
}

/// The largest number whose square is not above `value`, by Newton's method from above.
pub fn sqrt(value: Wide) -> u128 {
    if value.high == 0 {
        return value.low.isqrt();
    }
    let bits = 256 - value.high.leading_zeros();
    let mut guess = if bits >= 255 { u128::MAX } else { 1u128 << bits.div_ceil(2).min(127) };
    loop {
        let quotient = to_u128(div_rem(value, guess).0).unwrap_or(u128::MAX);
        if quotient >= guess {
            return guess;
        }
        guess = quotient + (guess - quotient) / 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn division_undoes_multiplication() {
        let (a, b) = (u128::MAX / 3, 10u128.pow(38) - 7);
        let product = add(mul(a, b), Wide { high: 0, low: 5 });
        assert_eq!(div_rem(product, b), (Wide { high: 0, low: a }, 5));
        assert_eq!(digits(mul(10u128.pow(38) - 1, 10u128.pow(38) - 1)), 76);
    }

    #[test]
    fn square_roots_are_the_largest_below() {
        for root in [10u128.pow(37) + 12_345, u128::from(u64::MAX), 3] {
            let square = mul(root, root);
            assert_eq!(sqrt(square), root);
            assert_eq!(sqrt(sub(square, Wide { high: 0, low: 1 })), root - 1);
        }
    }

    #[test]
    fn rounding_happens_once() {
        // 0.49…9 must not become 0.5 and then 1.
        let value = mul(10u128.pow(38) / 2 - 1, 10u128.pow(20));
        assert_eq!(div_round_pow10(value, 58), Wide::ZERO);
    }
}
