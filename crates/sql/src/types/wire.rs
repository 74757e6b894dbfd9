//! Values in the protocol's messages: `DataRow`, parameters of `Bind`. The path of every row that a client gets.

use super::{NO_MODIFIER, Settings, Type, binary, stored, text};
use crate::client::Format;
use crate::value::Value;
use base::Result;
use bytes::{BufMut, BytesMut};

/// Appends `DataRow` messages, whole, with their type byte and length.
pub struct DataRows<'a> {
    pub out: &'a mut BytesMut,
    pub settings: &'a Settings,
}

/// Type byte of a `DataRow`.
const DATA_ROW: u8 = b'D';
const NULL_LENGTH: i32 = -1;

impl DataRows<'_> {
    /// One row of values.
    pub fn row(&mut self, values: &[Value], types: &[Type], formats: &[Format]) {
        let mark = self.begin(values.len());
        for ((value, ty), format) in values.iter().zip(types).zip(formats) {
            self.value(value, *ty, *format);
        }
        self.end(mark);
    }

    /// Starts a row; the answer is for [`DataRows::end`].
    pub fn begin(&mut self, columns: usize) -> usize {
        self.out.put_u8(DATA_ROW);
        let mark = self.out.len();
        self.out.put_i32(0);
        self.out.put_i16(columns as i16);
        mark
    }

    pub fn end(&mut self, mark: usize) {
        patch_length(self.out, mark, 0);
    }

    pub fn value(&mut self, value: &Value, ty: Type, format: Format) {
        put_value(value, ty, format, self.settings, self.out);
    }

    /// A column straight from its stored bytes (`RowReader::raw`): strings are copied once.
    ///
    /// # Errors
    /// `XX001` if they are damaged.
    pub fn stored(&mut self, raw: Option<&[u8]>, ty: Type, format: Format) -> Result<()> {
        match raw {
            None => self.out.put_i32(NULL_LENGTH),
            Some(bytes) if matches!(ty, Type::Text | Type::VarChar | Type::BpChar | Type::Name | Type::Char | Type::Json) => {
                self.out.put_i32(bytes.len() as i32);
                self.out.put_slice(bytes);
            }
            Some(bytes) => self.value(&stored::decode(bytes, ty)?, ty, format),
        }
        Ok(())
    }
}

/// Appends a value with its length before it; NULL is the length -1.
pub fn put_value(value: &Value, ty: Type, format: Format, settings: &Settings, out: &mut BytesMut) {
    if value.is_null() {
        return out.put_i32(NULL_LENGTH);
    }
    match format {
        Format::Text => with_length(out, |out| text::write(value, ty, settings, out)),
        Format::Binary => with_length(out, |out| binary::write(value, ty, out)),
    }
}

/// Appends what `body` writes, with its length before it.
pub(crate) fn with_length(out: &mut BytesMut, body: impl FnOnce(&mut BytesMut)) {
    let mark = out.len();
    out.put_i32(0);
    body(out);
    patch_length(out, mark, 4);
}

/// `excluded`: bytes of the length itself, where it does not count itself.
fn patch_length(out: &mut BytesMut, mark: usize, excluded: usize) {
    let length = (out.len() - mark - excluded) as i32;
    out[mark..mark + 4].copy_from_slice(&length.to_be_bytes());
}

/// A parameter or a COPY field from its bytes.
///
/// # Errors
/// As the type's input function: `22P02`, `22P03`, `22021`, ….
pub fn parse(bytes: Option<&[u8]>, ty: Type, format: Format, settings: &Settings) -> Result<Value> {
    match (bytes, format) {
        (None, _) => Ok(Value::Null),
        (Some(bytes), Format::Text) => text::parse_bytes(bytes, ty, NO_MODIFIER, settings),
        (Some(bytes), Format::Binary) => binary::parse(bytes, ty, NO_MODIFIER, settings),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_carries_its_lengths() {
        let mut out = BytesMut::new();
        let settings = Settings::default();
        let mut rows = DataRows { out: &mut out, settings: &settings };
        let values = [Value::Int4(-7), Value::Null, Value::text("ab"), Value::Int4(1)];
        let types = [Type::Int4, Type::Int4, Type::Text, Type::Int4];
        rows.row(&values, &types, &[Format::Text, Format::Text, Format::Binary, Format::Binary]);
        let expected = [&b"D"[..], &[0, 0, 0, 30, 0, 4], &[0, 0, 0, 2], b"-7", &[0xff; 4], &[0, 0, 0, 2], b"ab", &[0, 0, 0, 4, 0, 0, 0, 1]];
        assert_eq!(&out[..], expected.concat());
    }

    #[test]
    fn stored_bytes_become_the_same_row() {
        let settings = Settings::default();
        for (value, ty) in [(Value::text("é"), Type::Text), (Value::Int8(-3), Type::Int8), (Value::Bool(true), Type::Bool)] {
            let mut encoded = Vec::new();
            stored::encode(&value, ty, &mut encoded).expect("types fit");
            let raw = if stored::width(ty).is_some() { &encoded[..] } else { &encoded[1..] };
            let (mut direct, mut through) = (BytesMut::new(), BytesMut::new());
            DataRows { out: &mut direct, settings: &settings }.stored(Some(raw), ty, Format::Text).expect("whole");
            DataRows { out: &mut through, settings: &settings }.value(&value, ty, Format::Text);
            assert_eq!(direct, through);
        }
    }
}
