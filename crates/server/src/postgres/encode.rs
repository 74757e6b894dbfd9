//! Answers to bytes: the backend messages of PostgreSQL's protocol 3 (documentation, 55.7).

use base::Error;
use bytes::{BufMut, Bytes, BytesMut};
use sql::client::{ClientResponse, Field, Format, Severity, TxnStatus};

/// Appends one answer.
pub fn response(out: &mut BytesMut, response: &ClientResponse) {
    match response {
        ClientResponse::Parameter { name, value } => framed(out, b'S', |out| {
            text(out, name);
            text(out, value);
        }),
        ClientResponse::ParseComplete => empty(out, b'1'),
        ClientResponse::BindComplete => empty(out, b'2'),
        ClientResponse::CloseComplete => empty(out, b'3'),
        ClientResponse::ParameterDescription(types) => framed(out, b't', |out| {
            out.put_u16(types.len() as u16);
            types.iter().for_each(|oid| out.put_u32(*oid));
        }),
        ClientResponse::RowDescription(fields) => framed(out, b'T', |out| row_description(out, fields)),
        ClientResponse::NoData => empty(out, b'n'),
        ClientResponse::Rows(rows) => out.put_slice(rows),
        ClientResponse::PortalSuspended => empty(out, b's'),
        ClientResponse::EmptyQuery => empty(out, b'I'),
        ClientResponse::Complete(tag) => framed(out, b'C', |out| text(out, tag)),
        ClientResponse::CopyIn { binary, columns } => framed(out, b'G', |out| copy(out, *binary, *columns)),
        ClientResponse::CopyOut { binary, columns } => framed(out, b'H', |out| copy(out, *binary, *columns)),
        ClientResponse::CopyData(data) => framed(out, b'd', |out| out.put_slice(data)),
        ClientResponse::CopyDone => empty(out, b'c'),
        ClientResponse::Notice(severity, notice) => framed(out, b'N', |out| error_fields(out, *severity, notice)),
        ClientResponse::Error(severity, error) => framed(out, b'E', |out| error_fields(out, *severity, error)),
        ClientResponse::Ready(status) => framed(out, b'Z', |out| {
            out.put_u8(match status {
                TxnStatus::Idle => b'I',
                TxnStatus::InTransaction => b'T',
                TxnStatus::Failed => b'E',
            });
        }),
    }
}

pub fn authentication_ok(out: &mut BytesMut) {
    framed(out, b'R', |out| out.put_u32(0));
}

/// The mechanisms from which the client may choose.
pub fn authentication_sasl(out: &mut BytesMut, mechanisms: &[&str]) {
    framed(out, b'R', |out| {
        out.put_u32(10);
        mechanisms.iter().for_each(|mechanism| text(out, mechanism));
        out.put_u8(0);
    });
}

pub fn authentication_sasl_continue(out: &mut BytesMut, data: &[u8]) {
    framed(out, b'R', |out| {
        out.put_u32(11);
        out.put_slice(data);
    });
}

pub fn authentication_sasl_final(out: &mut BytesMut, data: &[u8]) {
    framed(out, b'R', |out| {
        out.put_u32(12);
        out.put_slice(data);
    });
}

pub fn backend_key(out: &mut BytesMut, process: i32, secret: &[u8]) {
    framed(out, b'K', |out| {
        out.put_i32(process);
        out.put_slice(secret);
    });
}

/// Tells a client that asked for more what minor version it gets, and which of its protocol options are unknown.
pub fn negotiate_protocol_version(out: &mut BytesMut, minor: u16, unknown_options: &[&str]) {
    framed(out, b'v', |out| {
        out.put_u32(3 << 16 | u32::from(minor));
        out.put_u32(unknown_options.len() as u32);
        unknown_options.iter().for_each(|option| text(out, option));
    });
}

/// A fatal error as a message of its own, for connections without a session.
pub fn fatal(error: &Error) -> Bytes {
    let mut out = BytesMut::new();
    framed(&mut out, b'E', |out| error_fields(out, Severity::Fatal, error));
    out.freeze()
}

fn framed(out: &mut BytesMut, kind: u8, body: impl FnOnce(&mut BytesMut)) {
    out.put_u8(kind);
    let at = out.len();
    out.put_u32(0);
    body(out);
    let length = u32::try_from(out.len() - at).expect("answers are far below four gigabytes");
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
}

fn empty(out: &mut BytesMut, kind: u8) {
    out.put_u8(kind);
    out.put_u32(4);
}

/// A text ends at a zero byte, so one inside would break the message: it is left out.
fn text(out: &mut BytesMut, text: &str) {
    if text.as_bytes().contains(&0) {
        out.put_slice(text.replace('\0', "").as_bytes());
    } else {
        out.put_slice(text.as_bytes());
    }
    out.put_u8(0);
}

fn row_description(out: &mut BytesMut, fields: &[Field]) {
    out.put_u16(fields.len() as u16);
    for field in fields {
        text(out, &field.name);
        out.put_u32(field.table_oid);
        out.put_i16(field.column);
        out.put_u32(field.type_oid);
        out.put_i16(field.type_size);
        out.put_i32(field.type_modifier);
        out.put_i16(format_code(field.format));
    }
}

fn copy(out: &mut BytesMut, binary: bool, columns: u16) {
    let format = if binary { Format::Binary } else { Format::Text };
    out.put_u8(u8::from(binary));
    out.put_u16(columns);
    (0..columns).for_each(|_| out.put_i16(format_code(format)));
}

fn format_code(format: Format) -> i16 {
    match format {
        Format::Text => 0,
        Format::Binary => 1,
    }
}

fn error_fields(out: &mut BytesMut, severity: Severity, error: &Error) {
    let severity = match severity {
        Severity::Error => "ERROR",
        Severity::Fatal => "FATAL",
        Severity::Warning => "WARNING",
        Severity::Notice => "NOTICE",
    };
    let position = error.position().map(|position| position.to_string());
    let state = error.state();
    let fields = [
        (b'S', Some(severity)),
        (b'V', Some(severity)),
        (b'C', Some(state.as_str())),
        (b'M', Some(error.message())),
        (b'D', error.detail()),
        (b'H', error.hint()),
        (b'P', position.as_deref()),
        (b's', error.schema()),
        (b't', error.table()),
        (b'c', error.column()),
        (b'n', error.constraint()),
    ];
    for (code, value) in fields {
        if let Some(value) = value {
            out.put_u8(code);
            text(out, value);
        }
    }
    out.put_u8(0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::SqlState;

    #[test]
    fn an_error_carries_its_fields() {
        let error = Error::new(SqlState::DIVISION_BY_ZERO, "division by zero").with_hint("do not");
        let bytes = fatal(&error);
        assert_eq!(&bytes[..], &b"E\0\0\0\x34SFATAL\0VFATAL\0C22012\0Mdivision by zero\0Hdo not\0\0"[..]);
    }

    #[test]
    fn a_zero_byte_inside_text_does_not_break_the_message() {
        let mut out = BytesMut::new();
        response(&mut out, &ClientResponse::Complete("a\0b".into()));
        assert_eq!(&out[..], b"C\0\0\0\x07ab\0");
    }

    #[test]
    fn ready_tells_the_transaction_status() {
        let mut out = BytesMut::new();
        response(&mut out, &ClientResponse::Ready(TxnStatus::Failed));
        assert_eq!(&out[..], b"Z\0\0\0\x05E");
    }
}
