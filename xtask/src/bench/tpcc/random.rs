//! Random values as clauses 2.1.6 and 4.3.2 of the TPC-C specification want them, the same for the same seed on both sides.

/// The constants C of clause 2.1.6.1, chosen once: for last names one for the load and one for the run.
pub const LAST_NAME_LOAD: u64 = 157;
pub const LAST_NAME_RUN: u64 = 230;
const CUSTOMER: u64 = 623;
const ITEM: u64 = 4_711;
const _: () = {
    let apart = LAST_NAME_RUN.abs_diff(LAST_NAME_LOAD);
    assert!(apart >= 65 && apart <= 119 && apart != 96 && apart != 112, "clause 2.1.6.1");
    assert!(LAST_NAME_RUN <= 255 && CUSTOMER <= 1_023 && ITEM <= 8_191, "clause 2.1.6");
};

pub const CUSTOMERS: i32 = 3_000;
pub const ITEMS: i32 = 100_000;

const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const SYLLABLES: [&str; 10] = ["BAR", "OUGHT", "ABLE", "PRI", "PRES", "ESE", "ANTI", "CALLY", "ATION", "EING"];

/// SplitMix64 (Steele, Lea and Flood, 2014).
pub struct Random(u64);

impl Random {
    /// A stream of its own for each list of parts, so that two tables can draw the same values without keeping them.
    pub fn of(parts: &[u64]) -> Random {
        let mut random = Random(0);
        for part in parts {
            random.0 = random.bits() ^ part;
        }
        random
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(end)) >> 64) as u64
    }

    /// Uniform, both ends included.
    pub fn within(&mut self, low: i32, high: i32) -> i32 {
        low + self.below((high - low + 1) as u64) as i32
    }

    pub fn percent(&mut self, chance: i32) -> bool {
        self.within(1, 100) <= chance
    }

    /// NURand(A, low, high) with the constant C.
    fn skewed(&mut self, a: u64, low: u64, high: u64, c: u64) -> u64 {
        let either = self.below(a + 1) | (low + self.below(high - low + 1));
        (either + c) % (high - low + 1) + low
    }

    pub fn customer(&mut self) -> i32 {
        self.skewed(1_023, 1, CUSTOMERS as u64, CUSTOMER) as i32
    }

    pub fn item(&mut self) -> i32 {
        self.skewed(8_191, 1, ITEMS as u64, ITEM) as i32
    }

    /// A last name as often as its number is drawn.
    pub fn last_name(&mut self, c: u64) -> String {
        last_name(self.skewed(255, 0, 999, c))
    }

    /// An "a-string": letters and digits, the length uniform.
    pub fn text(&mut self, low: i32, high: i32) -> String {
        let length = self.within(low, high);
        // Ten characters from each draw: 62 to the tenth is below 2 to the 64th.
        let mut text = String::with_capacity(length as usize);
        let mut bits = 0;
        for at in 0..length {
            if at % 10 == 0 {
                bits = self.bits();
            }
            text.push(char::from(LETTERS[(bits % 62) as usize]));
            bits /= 62;
        }
        text
    }

    /// An "n-string": digits.
    pub fn digits(&mut self, length: usize) -> String {
        (0..length).map(|_| char::from(b'0' + self.below(10) as u8)).collect()
    }

    /// Text of which a tenth has "ORIGINAL" at a random place.
    pub fn data(&mut self) -> String {
        let mut text = self.text(26, 50);
        if self.percent(10) {
            let at = self.within(0, text.len() as i32 - 8) as usize;
            text.replace_range(at..at + 8, "ORIGINAL");
        }
        text
    }

    /// Fisher and Yates.
    pub fn shuffle<T>(&mut self, values: &mut [T]) {
        for end in (1..values.len()).rev() {
            values.swap(end, self.below(end as u64 + 1) as usize);
        }
    }
}

/// Clause 4.3.2.3: a syllable for each digit of a number below 1,000.
pub fn last_name(number: u64) -> String {
    [number / 100, number / 10 % 10, number % 10].map(|digit| SYLLABLES[digit as usize]).concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_names_are_made_of_the_syllables_of_their_digits() {
        assert_eq!(last_name(371), "PRICALLYOUGHT");
        assert_eq!(last_name(0), "BARBARBAR");
    }

    #[test]
    fn values_stay_within_their_bounds_and_reach_them() {
        let mut random = Random::of(&[7]);
        let drawn: Vec<i32> = (0..1_000).map(|_| random.within(5, 15)).collect();
        assert_eq!((drawn.iter().min(), drawn.iter().max()), (Some(&5), Some(&15)));
        assert!((0..10_000).all(|_| (1..=CUSTOMERS).contains(&random.customer()) && (1..=ITEMS).contains(&random.item())));
        assert!((0..1_000).all(|_| (26..=50).contains(&random.data().len())));
    }

    #[test]
    fn a_tenth_of_the_data_is_original() {
        let mut random = Random::of(&[8]);
        let original = (0..10_000).filter(|_| random.data().contains("ORIGINAL")).count();
        assert!((900..1_100).contains(&original), "{original}");
    }

    #[test]
    fn the_same_parts_give_the_same_values_and_others_do_not() {
        assert_eq!(Random::of(&[1, 2]).text(20, 20), Random::of(&[1, 2]).text(20, 20));
        assert_ne!(Random::of(&[1, 2]).text(20, 20), Random::of(&[2, 1]).text(20, 20));
    }
}
