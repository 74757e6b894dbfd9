//! Binary format: a signature, rows of length-prefixed fields, a trailer. All integers are big-endian.

use super::{COPY_ROW_BYTES_MAX, Fields, bad};
use base::{Error, Result, SqlState};
use bytes::{Buf, BufMut, BytesMut};

const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";
/// Signature, flags, length of the extension.
const HEADER_BYTES: usize = SIGNATURE.len() + 8;
/// Bits 16 to 31 of the flags are critical: a reader that does not know them must refuse.
const CRITICAL_FLAGS: u32 = 0xffff_0000;

pub enum Taken {
    NotYet,
    Trailer,
    Row(Fields),
}

/// True once the header was read and removed.
pub fn take_header(buffer: &mut BytesMut) -> Result<bool> {
    let given = buffer.len().min(SIGNATURE.len());
    if buffer[..given] != SIGNATURE[..given] {
        return Err(bad("COPY file signature not recognized"));
    }
    if buffer.len() < HEADER_BYTES {
        return Ok(false);
    }
    let mut rest = &buffer[SIGNATURE.len()..];
    let flags = rest.get_u32();
    let extension = rest.get_u32() as usize;
    if flags & CRITICAL_FLAGS != 0 {
        return Err(bad("unrecognized critical flags in COPY file header"));
    }
    if extension > COPY_ROW_BYTES_MAX {
        return Err(bad("invalid COPY file header: its extension is too long"));
    }
    if buffer.len() < HEADER_BYTES + extension {
        return Ok(false);
    }
    buffer.advance(HEADER_BYTES + extension);
    Ok(true)
}

pub fn take_row(buffer: &mut BytesMut, columns: usize) -> Result<Taken> {
    let Some(count) = buffer.first_chunk::<2>().map(|bytes| i16::from_be_bytes(*bytes)) else { return Ok(Taken::NotYet) };
    if count == -1 {
        buffer.advance(2);
        return Ok(Taken::Trailer);
    }
    if usize::try_from(count) != Ok(columns) {
        return Err(bad(format!("row field count is {count}, expected {columns}")));
    }
    let Some(length) = row_length(buffer, columns)? else { return Ok(Taken::NotYet) };
    let mut row = buffer.split_to(length).freeze();
    row.advance(2);
    let mut fields = Vec::with_capacity(columns);
    for _ in 0..columns {
        let length = row.get_i32();
        fields.push((length >= 0).then(|| row.split_to(length as usize)));
    }
    Ok(Taken::Row(fields))
}

/// Bytes of the first row, or `None` if it is not whole yet.
fn row_length(buffer: &[u8], columns: usize) -> Result<Option<usize>> {
    let mut at = 2;
    for _ in 0..columns {
        let Some(length) = buffer.get(at..).and_then(|rest| rest.first_chunk::<4>()).map(|bytes| i32::from_be_bytes(*bytes)) else {
            return Ok(None);
        };
        if length < -1 {
            return Err(bad(format!("invalid field size {length}")));
        }
        at += 4 + usize::try_from(length).unwrap_or(0);
        if at > COPY_ROW_BYTES_MAX {
            return Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, format!("a COPY row is longer than {COPY_ROW_BYTES_MAX} bytes")));
        }
    }
    Ok((buffer.len() >= at).then_some(at))
}

pub fn put_header(out: &mut BytesMut) {
    out.put_slice(SIGNATURE);
    out.put_u32(0);
    out.put_u32(0);
}

pub fn put_row<'a>(fields: impl Iterator<Item = Option<&'a [u8]>>, out: &mut BytesMut) {
    let count_at = out.len();
    out.put_i16(0);
    let mut count: i16 = 0;
    for field in fields {
        count += 1;
        match field {
            None => out.put_i32(-1),
            Some(bytes) => {
                out.put_i32(i32::try_from(bytes.len()).expect("a field is smaller than a row, which is bounded"));
                out.put_slice(bytes);
            }
        }
    }
    out[count_at..count_at + 2].copy_from_slice(&count.to_be_bytes());
}

pub fn put_trailer(out: &mut BytesMut) {
    out.put_i16(-1);
}
