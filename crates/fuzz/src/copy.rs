//! COPY's three formats: any stream, in pieces of any size.

use bytes::BytesMut;
use sql::copy::{CopyFormat, Decoder, Encoder, Fields, Options};

const COLUMNS: usize = 3;

/// The first byte chooses the options, the second where the stream is cut.
pub fn copy(input: &[u8]) {
    let [choice, cut, stream @ ..] = input else { return };
    let options = options(*choice);
    let whole = rows(&options, &[stream]);
    let (first, second) = stream.split_at(usize::from(*cut) * stream.len() / 256);
    assert_eq!(rows(&options, &[first, second]), whole, "the same rows, however they arrive");
    if let (rows, None) = whole
        && rows.iter().all(|row| row.len() == COLUMNS)
    {
        check_written(&options, &rows);
    }
}

fn options(choice: u8) -> Options {
    let format = [CopyFormat::Text, CopyFormat::Csv, CopyFormat::Binary][usize::from(choice) % 3];
    let mut options = Options::new(format);
    options.header = choice & 0x10 != 0 && format != CopyFormat::Binary;
    if choice & 0x20 != 0 {
        options.delimiter = b'|';
    }
    if choice & 0x40 != 0 && format == CopyFormat::Csv {
        options.escape = b'\\';
        options.quote = b'\'';
    }
    options
}

/// The rows before the end or the first error, and the error.
fn rows(options: &Options, pieces: &[&[u8]]) -> (Vec<Fields>, Option<String>) {
    let mut decoder = Decoder::new(options, COLUMNS);
    let mut rows = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.next_row() {
                Ok(Some(row)) => rows.push(row),
                Ok(None) => break,
                Err(error) => return (rows, Some(error.to_string())),
            }
        }
    }
    loop {
        match decoder.finish() {
            Ok(Some(row)) => rows.push(row),
            Ok(None) => return (rows, None),
            Err(error) => return (rows, Some(error.to_string())),
        }
    }
}

/// What was read and is written again reads the same.
fn check_written(options: &Options, read: &[Fields]) {
    let encoder = Encoder::new(options);
    let mut out = BytesMut::new();
    encoder.start(["a", "b", "c"].into_iter(), &mut out);
    for row in read {
        encoder.row(row.iter().map(Option::as_deref), &mut out);
    }
    encoder.end(&mut out);
    let again = rows(options, &[&out]);
    assert_eq!(again, (read.to_vec(), None), "{options:?} wrote {out:?}");
}

pub fn seeds() -> Vec<Vec<u8>> {
    const TEXTS: &[&[u8]] = &[
        b"1\ttwo\t3.5\n2\t\\N\t\\t\\\\\\x41\\101\n\\.\n",
        b"1|two|3.5\r\n2|\\N|\\b\r\n",
        b"a,b,c\n1,\"quoted, \"\"text\"\"\",\n2,,\"line\nend\"\n",
        b"'a'|'it\\'s'|'\\\\'\n",
        b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\0\x03\0\0\0\x01a\xff\xff\xff\xff\0\0\0\x04bcde\xff\xff",
    ];
    (0..=0x7f).step_by(5).flat_map(|choice| TEXTS.iter().map(move |text| [&[choice, 90][..], text].concat())).collect()
}
