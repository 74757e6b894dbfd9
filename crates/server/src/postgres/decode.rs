//! Bytes from a client to requests: the frontend messages of PostgreSQL's protocol 3 (documentation, 55.7).
//!
//! Pure, and safe against any input: every count and length is checked before it is used, and a message's body is cut off
//! from what follows before it is read. pgwire's own decoder is not used here: it reads past short bodies (a panic) and
//! replaces invalid UTF-8 silently.

use base::{Error, Result, SqlState};
use bytes::{Buf, Bytes, BytesMut};
use sql::client::{ClientRequest, Format, Target};

/// Longest message of an authenticated client, without its type byte. A longer value must be sent through COPY.
pub const MESSAGE_BYTES_MAX: usize = 256 << 20;
/// Longest message before authentication is over, as PostgreSQL has it.
pub const STARTUP_BYTES_MAX: usize = 10_000;
/// Type byte and length.
const HEADER_BYTES: usize = 5;
/// The length counts itself.
const LENGTH_BYTES: usize = 4;

/// Type of a message of COPY data, and how much of it is handed on at once, about.
const COPY_DATA: u8 = b'd';
const COPY_DATA_BYTES: usize = 64 * 1024;

const CODE_CANCEL: u32 = 80_877_102;
const CODE_TLS: u32 = 80_877_103;
const CODE_GSS: u32 = 80_877_104;

/// What an authenticated client says, or one that authenticates.
#[derive(Debug)]
pub enum Message {
    Request(ClientRequest),
    /// `PasswordMessage`, `SASLInitialResponse` or `SASLResponse`: which one is known from what was asked.
    Password(Bytes),
    Terminate,
}

/// The first message of a connection has no type byte.
#[derive(Debug, PartialEq, Eq)]
pub enum First {
    Tls,
    Gss,
    Cancel { process: i32, secret: Bytes },
    Startup { minor: u16, parameters: Vec<(String, String)> },
}

/// Takes the next whole message off the buffer; `None` if it is not all there yet.
///
/// # Errors
/// `08P01` for what is no message, `22021` for text that is not UTF-8, `54000` for what is too long. The connection cannot
/// go on after any of them.
pub fn message(buffer: &mut BytesMut, bytes_max: usize) -> Result<Option<Message>> {
    if buffer.is_empty() {
        return Ok(None);
    }
    let kind = buffer[0];
    if !b"BCDEFHPQSXcdfp".contains(&kind) {
        return Err(violation(format!("invalid frontend message type {kind}")));
    }
    if buffer.len() < HEADER_BYTES {
        return Ok(None);
    }
    let length = checked_length(&buffer[1..HEADER_BYTES], bytes_max)?;
    if buffer.len() < 1 + length {
        return Ok(None);
    }
    if kind == COPY_DATA {
        return Ok(Some(copy_data(buffer, bytes_max)));
    }
    let mut whole = buffer.split_to(1 + length);
    whole.advance(HEADER_BYTES);
    body(kind, Body(whole.freeze())).map(Some)
}

/// Takes all whole pieces of COPY data off the buffer's start, as one: clients send each row by itself, and where one piece ends means nothing.
/// The caller has seen that the first one is whole.
fn copy_data(buffer: &mut BytesMut, bytes_max: usize) -> Message {
    let mut data = BytesMut::new();
    while buffer.len() >= HEADER_BYTES && buffer[0] == COPY_DATA && data.len() < COPY_DATA_BYTES {
        // A length that is wrong is told when this has been handed on.
        let Ok(length) = checked_length(&buffer[1..HEADER_BYTES], bytes_max) else { break };
        if buffer.len() < 1 + length {
            break;
        }
        if data.is_empty() {
            data.reserve(buffer.len().min(COPY_DATA_BYTES + length));
        }
        data.extend_from_slice(&buffer[HEADER_BYTES..=length]);
        buffer.advance(1 + length);
    }
    Message::Request(ClientRequest::CopyData(data.freeze()))
}

/// Takes the first message of a connection off the buffer; `None` if it is not all there yet.
///
/// # Errors
/// As `message`; `0A000` for a protocol of another major version.
pub fn first(buffer: &mut BytesMut) -> Result<Option<First>> {
    if buffer.len() < LENGTH_BYTES {
        return Ok(None);
    }
    let length = checked_length(&buffer[..LENGTH_BYTES], STARTUP_BYTES_MAX)?;
    if buffer.len() < length {
        return Ok(None);
    }
    let mut whole = buffer.split_to(length);
    whole.advance(LENGTH_BYTES);
    let mut body = Body(whole.freeze());
    match body.u32()? {
        CODE_TLS => body.end(First::Tls),
        CODE_GSS => body.end(First::Gss),
        CODE_CANCEL => {
            let process = body.u32()? as i32;
            Ok(First::Cancel { process, secret: body.0 })
        }
        version => startup(version, body),
    }
    .map(Some)
}

fn startup(version: u32, mut body: Body) -> Result<First> {
    let (major, minor) = ((version >> 16) as u16, version as u16);
    if major != 3 {
        return Err(Error::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            format!("unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.2"),
        ));
    }
    let mut parameters = Vec::new();
    loop {
        let name = body.text()?;
        if name.is_empty() {
            return body.end(First::Startup { minor, parameters });
        }
        parameters.push((name, body.text()?));
    }
}

fn checked_length(bytes: &[u8], bytes_max: usize) -> Result<usize> {
    let length = u32::from_be_bytes(bytes.try_into().expect("the caller cuts four bytes")) as usize;
    if length < LENGTH_BYTES {
        return Err(violation("invalid message length"));
    }
    if length > bytes_max {
        return Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, format!("message of {length} bytes is longer than {bytes_max} bytes"))
            .with_hint("load large amounts of data with COPY"));
    }
    Ok(length)
}

fn body(kind: u8, mut body: Body) -> Result<Message> {
    let request = match kind {
        b'Q' => ClientRequest::Query { sql: body.text()? },
        b'P' => parse(&mut body)?,
        b'B' => bind(&mut body)?,
        b'D' => ClientRequest::Describe { target: body.target()?, name: body.text()? },
        b'C' => ClientRequest::Close { target: body.target()?, name: body.text()? },
        // A negative row limit means none, as PostgreSQL takes it.
        b'E' => ClientRequest::Execute { portal: body.text()?, rows_max: u32::try_from(body.u32()? as i32).unwrap_or(0) },
        b'H' => ClientRequest::Flush,
        b'S' => ClientRequest::Sync,
        b'c' => ClientRequest::CopyDone,
        b'f' => ClientRequest::CopyFail(body.text()?),
        b'p' => return Ok(Message::Password(body.0)),
        b'X' => return body.end(Message::Terminate),
        b'F' => return Err(Error::unsupported("the function call sub-protocol")),
        other => return Err(violation(format!("invalid frontend message type {other}"))),
    };
    body.end(Message::Request(request))
}

fn parse(body: &mut Body) -> Result<ClientRequest> {
    let (name, sql) = (body.text()?, body.text()?);
    let count = usize::from(body.u16()?);
    let parameter_types = (0..count).map(|_| body.u32()).collect::<Result<Vec<u32>>>()?;
    Ok(ClientRequest::Parse { name, sql, parameter_types })
}

fn bind(body: &mut Body) -> Result<ClientRequest> {
    let (portal, statement) = (body.text()?, body.text()?);
    let parameter_formats = body.formats()?;
    let count = usize::from(body.u16()?);
    let parameters = (0..count).map(|_| body.value()).collect::<Result<Vec<_>>>()?;
    if parameter_formats.len() > 1 && parameter_formats.len() != count {
        return Err(violation(format!("bind message has {} parameter formats but {count} parameters", parameter_formats.len())));
    }
    let result_formats = body.formats()?;
    Ok(ClientRequest::Bind { portal, statement, parameter_formats, parameters, result_formats })
}

fn violation(message: impl Into<String>) -> Error {
    Error::new(SqlState::PROTOCOL_VIOLATION, message)
}

fn short() -> Error {
    violation("insufficient data left in message")
}

/// One message's body; nothing is read beyond it.
struct Body(Bytes);

impl Body {
    fn u8(&mut self) -> Result<u8> {
        self.0.try_get_u8().map_err(|_| short())
    }

    fn u16(&mut self) -> Result<u16> {
        self.0.try_get_u16().map_err(|_| short())
    }

    fn u32(&mut self) -> Result<u32> {
        self.0.try_get_u32().map_err(|_| short())
    }

    /// Up to and without the next zero byte.
    fn text(&mut self) -> Result<String> {
        let end = self.0.iter().position(|byte| *byte == 0).ok_or_else(|| violation("invalid string in message"))?;
        let text = std::str::from_utf8(&self.0[..end]).map_err(|error| {
            let at = error.valid_up_to();
            Error::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, format!("invalid byte sequence for encoding \"UTF8\": 0x{:02x}", self.0[at]))
                .with_hint("set the client's encoding to UTF8")
        })?;
        let text = text.to_owned();
        self.0.advance(end + 1);
        Ok(text)
    }

    fn value(&mut self) -> Result<Option<Bytes>> {
        let length = self.u32()? as i32;
        if length == -1 {
            return Ok(None);
        }
        let length = usize::try_from(length).map_err(|_| violation("invalid length of a parameter"))?;
        if length > self.0.len() {
            return Err(short());
        }
        Ok(Some(self.0.split_to(length)))
    }

    fn formats(&mut self) -> Result<Vec<Format>> {
        let count = usize::from(self.u16()?);
        let format = |code| match code {
            0 => Ok(Format::Text),
            1 => Ok(Format::Binary),
            other => Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("unsupported format code: {other}"))),
        };
        (0..count).map(|_| self.u16().and_then(format)).collect()
    }

    fn target(&mut self) -> Result<Target> {
        match self.u8()? {
            b'S' => Ok(Target::Statement),
            b'P' => Ok(Target::Portal),
            other => Err(violation(format!("invalid target {other} of a describe or close message"))),
        }
    }

    /// `decoded`, if nothing is left.
    fn end<T>(&self, decoded: T) -> Result<T> {
        if self.0.is_empty() { Ok(decoded) } else { Err(violation("invalid message format")) }
    }
}

#[cfg(test)]
mod tests;
