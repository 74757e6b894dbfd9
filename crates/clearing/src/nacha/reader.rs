//! The reader: a walk over the lines that knows which record may follow which, and counts along.

use super::fields::{Record, check_digit, direction};
use super::{BLOCK_RECORDS, Batch, Broken, Control, Direction, Entry, File, PROBLEMS_MAX, Problem, RECORD_CHARS};
use base::Money;

/// Entry hashes keep ten digits.
const HASH_MODULUS: u64 = 10_000_000_000;

/// Reads a whole file.
///
/// # Errors
/// All problems found, each with its line and columns. A file with any problem gives no entries.
pub fn read(bytes: &[u8]) -> Result<File<'_>, Broken> {
    let mut reader = Reader::default();
    let records = reader.records(bytes);
    for record in &records {
        reader.take(*record);
        if reader.problems.len() >= PROBLEMS_MAX {
            break;
        }
    }
    reader.finish(&records)
}

#[derive(Default)]
struct Reader<'a> {
    header: Option<Record<'a>>,
    batches: Vec<Batch<'a>>,
    open: Option<Batch<'a>>,
    counted_batch: Control,
    counted_file: Control,
    last_trace: &'a str,
    control: Option<Record<'a>>,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    /// Cuts the file into records and checks each one's length and characters.
    fn records(&mut self, bytes: &'a [u8]) -> Vec<Record<'a>> {
        let mut records = Vec::new();
        let mut lines = bytes.split(|byte| *byte == b'\n').enumerate().peekable();
        while let Some((index, line)) = lines.next() {
            let line_number = index + 1;
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() && lines.peek().is_none_or(|(_, next)| next.is_empty() && index + 2 > line_number) {
                continue;
            }
            match self.checked(line_number, line) {
                Ok(text) => records.push(Record { line: line_number, text }),
                Err(problem) => self.report(problem),
            }
        }
        records
    }

    fn checked(&self, line: usize, bytes: &'a [u8]) -> Result<&'a str, Problem> {
        if let Some(at) = bytes.iter().position(|byte| !(0x20..0x7f).contains(byte)) {
            let what = format!("byte 0x{:02x} is not printable ASCII, the only characters a record may have", bytes[at]);
            return Err(Problem { line, columns: Some((at + 1, at + 1)), what });
        }
        if bytes.len() != RECORD_CHARS {
            let what = format!("the record has {} characters; every record has {RECORD_CHARS}", bytes.len());
            return Err(Problem { line, columns: None, what });
        }
        Ok(std::str::from_utf8(bytes).expect("ASCII is UTF-8"))
    }

    fn report(&mut self, problem: Problem) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        }
    }

    fn take(&mut self, record: Record<'a>) {
        let padding = record.text.bytes().all(|byte| byte == b'9');
        let result = match record.text.as_bytes()[0] {
            b'9' if padding && self.control.is_some() => Ok(()),
            _ if self.control.is_some() => Err(record.problem(1, 1, "nothing but padding may follow the file control record".into())),
            b'1' => self.file_header(record),
            b'5' => self.batch_header(record),
            b'6' => self.entry(record),
            b'7' => self.addenda(record),
            b'8' => self.batch_control(record),
            b'9' => self.file_control(record),
            other => Err(record.problem(1, 1, format!("{:?} is no record type; there are 1, 5, 6, 7, 8 and 9", other as char))),
        };
        if let Err(problem) = result {
            self.report(problem);
        }
    }

    fn file_header(&mut self, record: Record<'a>) -> Result<(), Problem> {
        if self.header.is_some() {
            return Err(record.problem(1, 1, "a second file header; a file has one".into()));
        }
        if !self.batches.is_empty() || self.open.is_some() {
            return Err(record.problem(1, 1, "the file header must be the first record".into()));
        }
        self.header = Some(record);
        for (first, last, name, must) in [(35, 37, "record size", "094"), (38, 39, "blocking factor", "10"), (40, 40, "format code", "1")] {
            if record.text(first, last) != must {
                return Err(record.problem(first, last, format!("the {name} is {:?}; it must be {must:?}", record.text(first, last))));
            }
        }
        Ok(())
    }

    fn batch_header(&mut self, record: Record<'a>) -> Result<(), Problem> {
        if let Some(open) = self.open.take() {
            let what = format!("batch {} (line {}) has no control record before the next batch", open.number, open.line);
            self.report(record.problem(1, 1, what));
        }
        self.counted_batch = Control::default();
        self.last_trace = "";
        let number = record.number(88, 94, "batch number");
        let class = record.number(2, 4, "service class code");
        self.open = Some(Batch {
            line: record.line,
            number: *number.as_ref().unwrap_or(&0) as u32,
            service_class: *class.as_ref().unwrap_or(&0) as u16,
            company: record.trimmed(5, 20),
            company_id: record.trimmed(41, 50),
            class: record.text(51, 53),
            description: record.trimmed(54, 63),
            effective: record.trimmed(70, 75),
            originating_bank: record.text(80, 87),
            entries: Vec::new(),
            control: Control::default(),
        });
        let (number, class) = (number?, class?);
        if !matches!(class, 200 | 220 | 225 | 280) {
            return Err(record.problem(
                2,
                4,
                format!("service class {class} is none of 200 (mixed), 220 (credits), 225 (debits), 280 (advices)"),
            ));
        }
        if self.batches.last().is_some_and(|before| u64::from(before.number) >= number) {
            return Err(record.problem(88, 94, format!("batch number {number} does not ascend")));
        }
        Ok(())
    }

    fn entry(&mut self, record: Record<'a>) -> Result<(), Problem> {
        let Some((class, service)) = self.open.as_ref().map(|batch| (batch.class, batch.service_class)) else {
            return Err(record.problem(1, 1, "an entry outside a batch".into()));
        };
        let advice = class == "ADV";
        let code = record.number(2, 3, "transaction code")? as u8;
        let bank = record.number(4, 11, "receiving bank's identification")?;
        let amount = if advice { record.money(28, 39, "amount") } else { record.money(30, 39, "amount") }?;
        let Some(direction) = direction(code) else {
            return Err(record.problem(2, 3, format!("{code:02} is no transaction code")));
        };
        self.count(bank, direction, amount);
        let entry = Entry {
            line: record.line,
            transaction_code: code,
            direction,
            receiving_bank: record.text(4, 12),
            account: match class {
                "IAT" => record.trimmed(40, 74),
                "ADV" => record.trimmed(13, 27),
                _ => record.trimmed(13, 29),
            },
            amount,
            receiver: if class == "IAT" { "" } else { record.trimmed(55, 76) },
            trace: record.text(80, 94),
            addenda: 0,
        };
        let problem = self.entry_problem(record, &entry, service);
        if let Some(batch) = &mut self.open {
            batch.entries.push(entry);
        }
        problem.map_or(Ok(()), Err)
    }

    fn count(&mut self, bank: u64, direction: Direction, amount: Money) {
        for control in [&mut self.counted_batch, &mut self.counted_file] {
            control.records += 1;
            control.entry_hash = (control.entry_hash + bank) % HASH_MODULUS;
            let total = match direction {
                Direction::Debit => &mut control.debits,
                Direction::Credit => &mut control.credits,
            };
            *total = total.checked_add(amount).expect("twelve digits times the lines of a file fit 38 digits");
        }
    }

    fn entry_problem(&mut self, record: Record<'a>, entry: &Entry<'a>, service: u16) -> Option<Problem> {
        let check = check_digit(record.text(4, 11));
        if check.map(|digit| digit.to_string()).as_deref() != Some(record.text(12, 12)) {
            let what = format!("check digit {:?} does not belong to bank {}", record.text(12, 12), record.text(4, 11));
            return Some(record.problem(12, 12, what));
        }
        let wrong = match (service, entry.direction) {
            (220, Direction::Debit) => Some("a debit in a batch of credits only (service class 220)"),
            (225, Direction::Credit) => Some("a credit in a batch of debits only (service class 225)"),
            _ => None,
        };
        if let Some(what) = wrong {
            return Some(record.problem(2, 3, what.into()));
        }
        let before = std::mem::replace(&mut self.last_trace, entry.trace);
        if before >= entry.trace {
            return Some(record.problem(
                80,
                94,
                format!("trace number {} does not ascend within its batch (before: {before})", entry.trace),
            ));
        }
        None
    }

    fn addenda(&mut self, record: Record<'a>) -> Result<(), Problem> {
        let Some(entry) = self.open.as_mut().and_then(|batch| batch.entries.last_mut()) else {
            return Err(record.problem(1, 1, "an addenda record without an entry before it".into()));
        };
        entry.addenda += 1;
        self.counted_batch.records += 1;
        self.counted_file.records += 1;
        Ok(())
    }

    fn batch_control(&mut self, record: Record<'a>) -> Result<(), Problem> {
        let Some(mut batch) = self.open.take() else {
            return Err(record.problem(1, 1, "a batch control record without a batch".into()));
        };
        let control = record.control(batch.class == "ADV");
        let number = record.number(88, 94, "batch number");
        let counted = self.counted_batch;
        let (header, line) = (batch.number, batch.line);
        batch.control = *control.as_ref().unwrap_or(&counted);
        self.batches.push(batch);
        let (control, number) = (control?, number?);
        if number != u64::from(header) {
            self.report(record.problem(88, 94, format!("batch number {number} differs from {header} in its header (line {line})")));
        }
        self.compare(record, control, counted);
        Ok(())
    }

    fn compare(&mut self, record: Record<'a>, stated: Control, counted: Control) {
        let whole = if record.text.starts_with('9') { "file" } else { "batch" };
        let (first, hash, totals) = if whole == "file" { (14, 22, 32) } else { (5, 11, 21) };
        if stated.records != counted.records {
            let what = format!("the control record says {} entries and addenda, the {whole} has {}", stated.records, counted.records);
            self.report(record.problem(first, hash - 1, what));
        }
        if stated.entry_hash != counted.entry_hash {
            let what = format!("the control record says entry hash {}, the {whole} has {}", stated.entry_hash, counted.entry_hash);
            self.report(record.problem(hash, totals - 1, what));
        }
        for (name, stated, counted) in [("debits", stated.debits, counted.debits), ("credits", stated.credits, counted.credits)] {
            if stated != counted {
                let what = format!("the control record says {name} of {}, the {whole} has {}", stated.display(2), counted.display(2));
                self.report(Problem { line: record.line, columns: None, what });
            }
        }
    }

    fn file_control(&mut self, record: Record<'a>) -> Result<(), Problem> {
        if let Some(open) = self.open.take() {
            let what = format!("batch {} (line {}) has no control record before the file's", open.number, open.line);
            self.report(record.problem(1, 1, what));
        }
        self.control = Some(record);
        let batches = record.number(2, 7, "batch count")?;
        if batches != self.batches.len() as u64 {
            let what = format!("the control record says {batches} batches, the file has {}", self.batches.len());
            self.report(record.problem(2, 7, what));
        }
        let control = record.control(self.is_advice())?;
        let counted = self.counted_file;
        self.compare(record, control, counted);
        Ok(())
    }

    fn is_advice(&self) -> bool {
        self.batches.iter().any(|batch| batch.class == "ADV")
    }

    fn finish(mut self, records: &[Record<'a>]) -> Result<File<'a>, Broken> {
        let last_line = records.last().map_or(1, |record| record.line);
        if self.header.is_none() {
            self.report(Problem { line: 1, columns: None, what: "the file does not start with a file header (record type 1)".into() });
        }
        match self.control {
            None => self.report(Problem {
                line: last_line,
                columns: None,
                what: "the file ends without a file control record (type 9): it was cut off".into(),
            }),
            Some(control) => self.check_blocks(control, records.len()),
        }
        self.problems.sort_by_key(|problem| problem.line);
        let (Some(header), Some(control)) = (self.header, self.control) else {
            return Err(Broken { problems: self.problems });
        };
        let advice = self.is_advice();
        match control.control(advice) {
            Ok(stated) if self.problems.is_empty() => Ok(File {
                destination: header.trimmed(4, 13),
                origin: header.trimmed(14, 23),
                created: header.text(24, 29),
                modifier: header.text(34, 34),
                batches: self.batches,
                control: stated,
            }),
            _ => Err(Broken { problems: self.problems }),
        }
    }

    /// The block count covers all records with the padding, which senders may leave out.
    fn check_blocks(&mut self, control: Record<'a>, records: usize) {
        let blocks = records.div_ceil(BLOCK_RECORDS) as u64;
        match control.number(8, 13, "block count") {
            Ok(stated) if stated == blocks => (),
            Ok(stated) => self.report(control.problem(8, 13, format!("the control record says {stated} blocks, the file has {blocks}"))),
            Err(problem) => self.report(problem),
        }
    }
}
