//! An amount in the smallest unit of its currency.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Minor units (cents). Exact; every operation says when it overflows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Money(pub i128);

impl Money {
    pub const ZERO: Money = Money(0);

    pub fn checked_add(self, other: Money) -> Option<Money> {
        self.0.checked_add(other.0).map(Money)
    }

    pub fn checked_sub(self, other: Money) -> Option<Money> {
        self.0.checked_sub(other.0).map(Money)
    }

    /// As a decimal with `scale` digits behind the point: 1,234 at scale 2 is `12.34`.
    pub fn display(self, scale: u32) -> impl fmt::Display {
        struct Shown(i128, u32);
        impl fmt::Display for Shown {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let sign = if self.0 < 0 { "-" } else { "" };
                let digits = self.0.unsigned_abs();
                let unit = 10u128.pow(self.1);
                match self.1 {
                    0 => write!(f, "{sign}{digits}"),
                    scale => write!(f, "{sign}{}.{:0width$}", digits / unit, digits % unit, width = scale as usize),
                }
            }
        }
        Shown(self.0, scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_show_their_sign_and_scale() {
        assert_eq!(Money(-5).display(2).to_string(), "-0.05");
        assert_eq!(Money(123_456).display(2).to_string(), "1234.56");
        assert_eq!(Money(7).display(0).to_string(), "7");
    }

    #[test]
    fn sums_never_wrap() {
        assert_eq!(Money(i128::MAX).checked_add(Money(1)), None);
    }
}
