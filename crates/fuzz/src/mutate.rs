//! Inputs that are nearly good: bytes changed, cut, repeated, spliced with others, and words of other inputs put in.

use base::Prng;

/// Longer inputs are cut to a window first: a fault in a long one is mostly there in a part of it too.
const INPUT_BYTES_MAX: usize = 8 << 10;
/// Most changes of one input.
const CHANGES_MAX: u64 = 6;
/// Most copies of a part: for what nests.
const COPIES_MAX: u64 = 600;
const WORD_BYTES_MAX: usize = 24;
const BYTES: &[u8] = b"\0\x01\x7f\x80\xff'\"\\\n\r\t ()[]{},;:.$-+*/%0159eEaZ";
const NUMBERS: &[u32] = &[0, 1, 4, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0xffff, 0x10000, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff];

pub struct Mutator {
    prng: Prng,
    seeds: Vec<Vec<u8>>,
    words: Vec<Vec<u8>>,
}

impl Mutator {
    pub fn new(seed: u64, seeds: Vec<Vec<u8>>) -> Mutator {
        assert!(!seeds.is_empty(), "mutations start from something");
        let mut words: Vec<Vec<u8>> = seeds.iter().flat_map(|seed| words_of(seed)).collect();
        words.sort();
        words.dedup();
        Mutator { prng: Prng::new(seed), seeds, words }
    }

    pub fn next_input(&mut self) -> Vec<u8> {
        if self.prng.one_in(50) {
            let length = self.prng.below(64) as usize;
            return (0..length).map(|_| self.prng.next_u64() as u8).collect();
        }
        let mut input = self.window();
        for _ in 0..=self.prng.below(CHANGES_MAX) {
            self.change(&mut input);
        }
        input.truncate(2 * INPUT_BYTES_MAX);
        input
    }

    fn window(&mut self) -> Vec<u8> {
        let seed = self.prng.pick(&self.seeds).clone();
        if seed.len() <= INPUT_BYTES_MAX {
            return seed;
        }
        let start = if self.prng.one_in(2) { 0 } else { self.prng.below((seed.len() - INPUT_BYTES_MAX) as u64) as usize };
        seed[start..start + INPUT_BYTES_MAX].to_vec()
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.prng.below(input.len() as u64 + 1) as usize;
        let part = self.prng.below(40).min((input.len() - at) as u64) as usize;
        match self.prng.below(10) {
            0 if at < input.len() => input[at] = self.prng.next_u64() as u8,
            1 if at < input.len() => input[at] ^= 1 << self.prng.below(8),
            2 if at < input.len() => input[at] = *self.prng.pick(BYTES),
            3 => input.truncate(at),
            4 => drop(input.drain(at..at + part)),
            5 => {
                let copied = input[at..at + part].to_vec();
                let to = self.prng.below(input.len() as u64 + 1) as usize;
                input.splice(to..to, copied);
            }
            6 => {
                let other = self.window();
                let from = self.prng.below(other.len() as u64 + 1) as usize;
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            7 if at + 4 <= input.len() => {
                let number = self.prng.pick(NUMBERS).to_be_bytes();
                input[at..at + 4].copy_from_slice(&number);
            }
            8 if self.prng.one_in(8) => {
                let copied = input[at..at + part.min(8)].repeat(self.prng.below(COPIES_MAX) as usize);
                input.splice(at..at, copied);
            }
            _ if !self.words.is_empty() => {
                let word = self.prng.pick(&self.words).clone();
                input.splice(at..at + if self.prng.one_in(2) { 0 } else { part }, word);
            }
            _ => {}
        }
    }
}

/// Runs of letters and digits, with what stands around single signs.
fn words_of(seed: &[u8]) -> Vec<Vec<u8>> {
    let sample = &seed[..seed.len().min(INPUT_BYTES_MAX)];
    let words = sample.split(|byte| byte.is_ascii_whitespace() || b"(),;".contains(byte));
    words.filter(|word| (1..=WORD_BYTES_MAX).contains(&word.len())).map(|word| [b" ", word, b" "].concat()).collect()
}
