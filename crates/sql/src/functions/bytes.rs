//! Functions of `bytea`, encodings and digests.

use super::arithmetic::mismatch;
use super::kinds::*;
use super::strings::{integer, made, string};
use super::{Context, Function, function};
use crate::types::text::{HEX, decode_hex, utf8};
use crate::value::Value;
use base::{Error, Result, SqlState};
use bytes::Bytes;
use sha2::Digest;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// PostgreSQL breaks lines as MIME does.
const BASE64_LINE: usize = 76;

fn bytes_arg(args: &[Value], index: usize) -> Result<&[u8]> {
    match args.get(index) {
        Some(Value::Bytea(bytes)) => Ok(bytes),
        Some(Value::Text(text)) => Ok(text.as_bytes()),
        _ => Err(mismatch()),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]).map(char::from).collect()
}

fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 4 / 3 + 4);
    let mut line = 0;
    for group in bytes.chunks(3) {
        if line == BASE64_LINE {
            out.push('\n');
            line = 0;
        }
        let word = group.iter().enumerate().fold(0u32, |word, (index, byte)| word | u32::from(*byte) << (16 - 8 * index));
        for place in 0..4 {
            let digit = BASE64[(word >> (18 - 6 * place)) as usize & 63] as char;
            out.push(if place <= group.len() { digit } else { '=' });
        }
        line += 4;
    }
    out
}

fn from_base64(text: &str) -> Result<Vec<u8>> {
    let invalid = |message: String| Error::new(SqlState::INVALID_PARAMETER_VALUE, message);
    let (mut out, mut word, mut places, mut padding) = (Vec::new(), 0u32, 0, 0);
    for c in text.chars().filter(|c| !c.is_ascii_whitespace()) {
        if c == '=' {
            padding += 1;
            continue;
        }
        let digit = BASE64.iter().position(|digit| *digit as char == c);
        let digit = digit
            .filter(|_| padding == 0)
            .ok_or_else(|| invalid(format!("invalid symbol \"{c}\" found while decoding base64 sequence")))?;
        word = word << 6 | digit as u32;
        places += 1;
        if places == 4 {
            out.extend_from_slice(&word.to_be_bytes()[1..]);
            (word, places) = (0, 0);
        }
    }
    match (places, padding) {
        (0, 0) => {}
        (2, 2) => out.push((word >> 4) as u8),
        (3, 1) => out.extend_from_slice(&((word >> 2) as u16).to_be_bytes()),
        _ => {
            return Err(invalid("invalid base64 end sequence".into())
                .with_hint("Input data is missing padding, is truncated, or is otherwise corrupted."));
        }
    }
    Ok(out)
}

fn escape(bytes: &[u8]) -> String {
    let mut out = String::new();
    for byte in bytes {
        match byte {
            b'\\' => out.push_str("\\\\"),
            0 | 0x80.. => out.push_str(&format!("\\{byte:03o}")),
            byte => out.push(char::from(*byte)),
        }
    }
    out
}

fn unknown_encoding(name: &str) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("unrecognized encoding: \"{name}\""))
}

fn encode(args: &[Value], _: &Context) -> Result<Value> {
    let bytes = bytes_arg(args, 0)?;
    match string(args, 1)?.to_ascii_lowercase().as_str() {
        "hex" => made(hex(bytes)),
        "base64" => made(base64(bytes)),
        "escape" => made(escape(bytes)),
        other => Err(unknown_encoding(other)),
    }
}

fn decode(args: &[Value], context: &Context) -> Result<Value> {
    let text = string(args, 0)?;
    match string(args, 1)?.to_ascii_lowercase().as_str() {
        "hex" => decode_hex(text).map(|bytes| Value::Bytea(Bytes::from(bytes))),
        "base64" => from_base64(text).map(|bytes| Value::Bytea(Bytes::from(bytes))),
        "escape" => {
            let escaped = if text.starts_with("\\x") { format!("\\{text}") } else { text.to_owned() };
            crate::types::text::parse(&escaped, crate::types::Type::Bytea, crate::types::NO_MODIFIER, context.settings())
        }
        other => Err(unknown_encoding(other)),
    }
}

fn md5(args: &[Value], _: &Context) -> Result<Value> {
    made(hex(&md5::Md5::digest(bytes_arg(args, 0)?)))
}

macro_rules! digests {
    ($($name:ident = $digest:ty;)+) => {
        $(fn $name(args: &[Value], _: &Context) -> Result<Value> {
            Ok(Value::Bytea(Bytes::copy_from_slice(&<$digest>::digest(bytes_arg(args, 0)?))))
        })+
    };
}

digests! {
    sha224 = sha2::Sha224;
    sha256 = sha2::Sha256;
    sha384 = sha2::Sha384;
    sha512 = sha2::Sha512;
}

fn convert_to(args: &[Value], _: &Context) -> Result<Value> {
    match string(args, 1)?.to_ascii_uppercase().as_str() {
        "UTF8" | "UTF-8" => Ok(Value::Bytea(Bytes::copy_from_slice(bytes_arg(args, 0)?))),
        other => Err(Error::unsupported(format!("encoding {other}"))),
    }
}

fn convert_from(args: &[Value], _: &Context) -> Result<Value> {
    match string(args, 1)?.to_ascii_uppercase().as_str() {
        "UTF8" | "UTF-8" => made(utf8(bytes_arg(args, 0)?)?),
        other => Err(Error::unsupported(format!("encoding {other}"))),
    }
}

fn get_byte(args: &[Value], _: &Context) -> Result<Value> {
    let (bytes, index) = (bytes_arg(args, 0)?, integer(args, 1)?);
    let byte = usize::try_from(index).ok().and_then(|at| bytes.get(at));
    let outside = || {
        let message = format!("index {index} out of valid range, 0..{}", bytes.len() as i64 - 1);
        Error::new(SqlState(*b"2202E"), message)
    };
    byte.map(|byte| Value::Int4(i32::from(*byte))).ok_or_else(outside)
}

/// CRC-32C, as the slot hash has it.
fn crc32c(args: &[Value], _: &Context) -> Result<Value> {
    Ok(Value::Int8(i64::from(crc32c::crc32c(bytes_arg(args, 0)?))))
}

pub(super) static FUNCTIONS: [Function; 12] = [
    function("encode", &[BYTEA, TEXT], TEXT, encode),
    function("decode", &[TEXT, TEXT], BYTEA, decode),
    function("md5", &[TEXT], TEXT, md5),
    function("md5", &[BYTEA], TEXT, md5),
    function("sha224", &[BYTEA], BYTEA, sha224),
    function("sha256", &[BYTEA], BYTEA, sha256),
    function("sha384", &[BYTEA], BYTEA, sha384),
    function("sha512", &[BYTEA], BYTEA, sha512),
    function("convert_to", &[TEXT, NAME], BYTEA, convert_to),
    function("convert_from", &[BYTEA, NAME], TEXT, convert_from),
    function("get_byte", &[BYTEA, INT4], INT4, get_byte),
    function("crc32c", &[BYTEA], INT8, crc32c),
];
