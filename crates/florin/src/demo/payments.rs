//! The payments: every entry of the ACH file, in its order.

use base::Money;
use clearing::nacha::{self, Direction};
use std::io::Read;
use std::ops::Range;

/// Origin and licence: testdata/MANIFEST.md.
const FILE: &[u8] = include_bytes!("../../../../testdata/nacha/PPD-200-batches-100000-entries.ach.gz");
pub const FILE_NAME: &str = "PPD-200-batches-100000-entries.ach";
/// A bound against a gzip that unpacks to anything.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// One entry as it is posted: `amount` cents from one account to another.
#[derive(Clone, Debug)]
pub struct Payment {
    pub batch: u32,
    pub trace: String,
    pub debit: String,
    pub credit: String,
    pub amount: i64,
}

/// Most payments that one transaction posts: consecutive entries between the same two accounts.
const CHUNK_PAYMENTS_MAX: usize = 30;

#[derive(Debug)]
pub struct Payments {
    pub list: Vec<Payment>,
    /// What is posted in one transaction each, in order; together they are the whole list.
    pub chunks: Vec<Range<usize>>,
    /// Names of all accounts, each once.
    pub accounts: Vec<String>,
    /// The file's own control record: what entries debit and credit receivers' accounts.
    pub stated_debits: Money,
    pub stated_credits: Money,
    pub batches: usize,
}

impl Payments {
    pub fn load() -> Result<Payments, String> {
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(FILE)
            .take(FILE_BYTES_MAX)
            .read_to_end(&mut bytes)
            .map_err(|error| format!("the demo's ACH file does not unpack: {error}"))?;
        let file = nacha::read(&bytes).map_err(|broken| broken.to_string())?;
        let mut list = Vec::new();
        for batch in &file.batches {
            let originator = format!("originator {}", batch.company_id);
            for entry in &batch.entries {
                let receiver = format!("{} {}", entry.receiving_bank, entry.account);
                let (debit, credit) = match entry.direction {
                    Direction::Credit => (originator.clone(), receiver),
                    Direction::Debit => (receiver, originator.clone()),
                };
                let amount = i64::try_from(entry.amount.0).map_err(|_| format!("line {}: the amount does not fit 64 bits", entry.line))?;
                list.push(Payment { batch: batch.number, trace: entry.trace.to_owned(), debit, credit, amount });
            }
        }
        let mut accounts: Vec<String> = list.iter().flat_map(|payment| [payment.debit.clone(), payment.credit.clone()]).collect();
        accounts.sort();
        accounts.dedup();
        Ok(Payments {
            accounts,
            stated_debits: file.control.debits,
            stated_credits: file.control.credits,
            batches: file.batches.len(),
            chunks: chunks(&list),
            list,
        })
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }
}

fn chunks(list: &[Payment]) -> Vec<Range<usize>> {
    let mut chunks: Vec<Range<usize>> = Vec::new();
    let key = |payment: &Payment| (payment.batch, payment.debit.clone(), payment.credit.clone());
    for (index, payment) in list.iter().enumerate() {
        match chunks.last_mut() {
            Some(last) if last.len() < CHUNK_PAYMENTS_MAX && key(&list[last.start]) == key(payment) => last.end = index + 1,
            _ => chunks.push(index..index + 1),
        }
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_payment_of_the_file_is_in_one_chunk() {
        let payments = Payments::load().expect("the file is good");
        assert!(payments.chunks.iter().all(|chunk| (1..=CHUNK_PAYMENTS_MAX).contains(&chunk.len())));
        assert!(payments.chunks.windows(2).all(|pair| pair[0].end == pair[1].start));
        assert_eq!(payments.chunks.iter().map(ExactSizeIterator::len).sum::<usize>(), payments.len());
        let total: i128 = payments.list.iter().map(|payment| i128::from(payment.amount)).sum();
        assert_eq!(Money(total), payments.stated_credits);
    }
}
