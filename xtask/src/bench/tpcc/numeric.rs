//! Money and rates as whole numbers of their last digit, and as the servers' `numeric` in its binary form (numeric_send of PostgreSQL).

use bytes::{BufMut as _, BytesMut};
use std::error::Error;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

/// A number with this many decimals, at most four: 12.34 is `Fixed::<2>(1234)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fixed<const DECIMALS: u32>(pub i64);

pub type Money = Fixed<2>;

const NEGATIVE: u16 = 0x4000;
/// A digit of the binary form holds four decimal ones.
const BASE: i64 = 10_000;

impl<const DECIMALS: u32> std::fmt::Display for Fixed<DECIMALS> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let one = 10u64.pow(DECIMALS);
        let sign = if self.0 < 0 { "-" } else { "" };
        let size = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:0width$}", size / one, size % one, width = DECIMALS as usize)
    }
}

impl<const DECIMALS: u32> ToSql for Fixed<DECIMALS> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let one = 10i64.pow(DECIMALS);
        let size = i64::try_from(self.0.unsigned_abs())?;
        let mut whole = size / one;
        let mut digits = vec![size % one * (BASE / one)];
        while whole > 0 {
            digits.insert(0, whole % BASE);
            whole /= BASE;
        }
        out.put_i16(i16::try_from(digits.len())?);
        out.put_i16(i16::try_from(digits.len())? - 2);
        out.put_u16(if self.0 < 0 { NEGATIVE } else { 0 });
        out.put_i16(i16::try_from(DECIMALS)?);
        for digit in digits {
            out.put_i16(i16::try_from(digit)?);
        }
        Ok(IsNull::No)
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::NUMERIC
    }

    to_sql_checked!();
}

impl<'a, const DECIMALS: u32> FromSql<'a> for Fixed<DECIMALS> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let words: Vec<u16> = raw.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
        let [_, weight, sign, _, digits @ ..] = words.as_slice() else { return Err("a numeric shorter than its head".into()) };
        let one = 10i64.pow(DECIMALS);
        let mut value = 0i64;
        for (at, digit) in digits.iter().enumerate() {
            let (digit, power) = (i64::from(*digit), i64::from(*weight as i16) - at as i64);
            value += match power {
                0.. => digit * BASE.pow(power as u32) * one,
                -1 if digit * one % BASE == 0 => digit * one / BASE,
                _ if digit == 0 => 0,
                _ => return Err(format!("a numeric of more than {DECIMALS} decimals").into()),
            };
        }
        match *sign {
            0 => Ok(Fixed(value)),
            NEGATIVE => Ok(Fixed(-value)),
            _ => Err("a numeric that is no number".into()),
        }
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::NUMERIC
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_survives_the_binary_form() {
        for cents in [0, 1, 99, 100, -1_000, 123_456, 999_999, 1_000_000, 100_000_000, -3_000_000_007] {
            let mut raw = BytesMut::new();
            Fixed::<2>(cents).to_sql(&Type::NUMERIC, &mut raw).expect("it fits");
            assert_eq!(Fixed::<2>::from_sql(&Type::NUMERIC, &raw).expect("as written"), Fixed(cents));
        }
    }

    #[test]
    fn the_servers_own_form_is_read() {
        // 1.5 (one whole digit, one of decimals), 0.0700 (weight -1), 40000 (one digit, weight 1), 1.005 (three decimals).
        let read = |words: &[u16]| {
            let raw: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
            Fixed::<2>::from_sql(&Type::NUMERIC, &raw)
        };
        assert_eq!(read(&[2, 0, 0, 2, 1, 5_000]).expect("fits"), Fixed(150));
        assert_eq!(read(&[1, 0xFFFF, 0, 4, 700]).expect("fits"), Fixed(7));
        assert_eq!(read(&[1, 1, 0, 2, 4]).expect("fits"), Fixed(4_000_000));
        assert!(read(&[2, 0, 0, 3, 1, 50]).is_err());
    }

    #[test]
    fn money_is_printed_with_its_decimals() {
        assert_eq!(Fixed::<2>(-1_005).to_string(), "-10.05");
        assert_eq!(Fixed::<4>(7).to_string(), "0.0007");
    }
}
