//! Round trips in pieces of every size, and the quirks of each format.

use super::*;
use base::Prng;

fn decode(options: &Options, columns: usize, stream: &[u8], piece: usize) -> Result<Vec<Fields>> {
    let mut decoder = Decoder::new(options, columns);
    let mut rows = Vec::new();
    for piece in stream.chunks(piece) {
        decoder.push(piece);
        while let Some(row) = decoder.next_row()? {
            rows.push(row);
        }
    }
    while let Some(row) = decoder.finish()? {
        rows.push(row);
    }
    Ok(rows)
}

fn encode(options: &Options, rows: &[Fields]) -> Bytes {
    let (encoder, mut out) = (Encoder::new(options), BytesMut::new());
    encoder.start(["a", "b"].into_iter(), &mut out);
    rows.iter().for_each(|row| encoder.row(row.iter().map(Option::as_deref), &mut out));
    encoder.end(&mut out);
    out.freeze()
}

fn field(text: &str) -> Option<Bytes> {
    Some(Bytes::copy_from_slice(text.as_bytes()))
}

#[test]
fn what_is_written_is_read_back_in_pieces_of_any_size() {
    let mut prng = Prng::new(3);
    let alphabet = b"ab,\t\n\r\\\"'N.0x\x08 ";
    for round in 0..300 {
        let mut random = || match prng.below(6) {
            0 => None,
            length => Some((0..length * 2).map(|_| *prng.pick(alphabet)).collect::<Bytes>()),
        };
        let rows: Vec<Fields> = (0..8).map(|_| vec![random(), random()]).collect();
        for format in [CopyFormat::Text, CopyFormat::Csv, CopyFormat::Binary] {
            let mut options = Options::new(format);
            options.header = round % 2 == 0;
            options.escape = if round % 3 == 0 { b'\\' } else { b'"' };
            let stream = encode(&options, &rows);
            for piece in [1, 2, 3, 7, stream.len()] {
                assert_eq!(decode(&options, 2, &stream, piece).expect("own output is good"), rows, "{format:?} {piece} {stream:?}");
            }
        }
    }
}

#[test]
fn escapes_of_the_text_format_are_postgresqls() {
    let rows = decode(&Options::new(CopyFormat::Text), 2, b"a\\tb\\\\\\x41\\101\\q\t\\N\n\t\\\\N\n\\.\nignored", 5).expect("good");
    assert_eq!(rows, [vec![field("a\tb\\AAq"), None], vec![field(""), field("\\N")]]);
}

#[test]
fn quotes_tell_an_empty_string_from_null_in_csv() {
    let rows = decode(&Options::new(CopyFormat::Csv), 2, b"\"\",\r\n\"a \"\"b\"\"\nc\",d\"e,\"f", 4).expect("good");
    assert_eq!(rows, [vec![field(""), None], vec![field("a \"b\"\nc"), field("de,f")]]);
}

#[test]
fn a_last_line_needs_no_end() {
    assert_eq!(decode(&Options::new(CopyFormat::Text), 1, b"1\n2", 9).expect("good").len(), 2);
}

#[test]
fn bad_streams_are_refused() {
    let text = Options::new(CopyFormat::Text);
    for (options, columns, stream) in [
        (&text, 1, &b"1\t2\n"[..]),
        (&text, 3, b"1\t2\n"),
        (&Options::new(CopyFormat::Csv), 1, b"\"open\n"),
        (&Options::new(CopyFormat::Binary), 1, b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0"),
        (&Options::new(CopyFormat::Binary), 1, b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\0\x02"),
        (&Options::new(CopyFormat::Binary), 1, b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\0\x01\xff\xff\xff\xfe"),
        (&Options::new(CopyFormat::Binary), 1, b"text"),
    ] {
        assert_eq!(decode(options, columns, stream, 3).map_err(|error| error.state()), Err(SqlState::BAD_COPY_FILE_FORMAT), "{stream:?}");
    }
}
