//! Stored rows: values to bytes and back, a few columns at a time.
//!
//! The format is documented to the byte in docs/formats.md, "Rows". A row does not name its types: the table's descriptor does, in
//! [`RowLayout`]. A row may hold fewer columns than the table has now: those added later take their `missing` value.

use crate::catalog::Table;
use crate::types::{Type, stored};
use crate::value::Value;
use base::{Error, Result, SqlState};
use std::cell::Cell;

/// First byte of each row.
pub const ROW_VERSION: u8 = 1;
/// Version, then the number of columns.
const HEADER_BYTES: usize = 3;
/// PostgreSQL's limit.
pub const COLUMNS_MAX: usize = 1600;

#[derive(Clone, Debug)]
pub struct StoredColumn {
    pub ty: Type,
    pub dropped: bool,
    pub missing: Value,
}

/// How the rows of one table are stored. Made once for each version of a table's descriptor.
#[derive(Clone, Debug)]
pub struct RowLayout {
    columns: Vec<StoredColumn>,
    /// For each column: where its value starts in a row without nulls, as long as all before it have a fixed width.
    fixed: Vec<Option<u32>>,
}

pub(crate) fn corrupted(what: &str) -> Error {
    Error::new(SqlState::DATA_CORRUPTED, format!("a stored {what} is damaged"))
}

impl RowLayout {
    pub fn new(columns: Vec<StoredColumn>) -> RowLayout {
        let mut at = Some(0u32);
        let mut fixed = Vec::with_capacity(columns.len());
        for column in &columns {
            fixed.push(at);
            at = at.zip(stored::width(column.ty)).map(|(at, width)| at + width as u32);
        }
        RowLayout { columns, fixed }
    }

    /// # Errors
    /// `XX001` if the descriptor names a type that does not exist.
    pub fn of_table(table: &Table) -> Result<RowLayout> {
        let column = |column: &crate::catalog::Column| {
            let ty = Type::from_oid(column.type_oid).ok_or_else(|| corrupted("table descriptor"))?;
            Ok(StoredColumn { ty, dropped: column.dropped, missing: column.missing.clone() })
        };
        Ok(RowLayout::new(table.columns.iter().map(column).collect::<Result<_>>()?))
    }

    pub fn columns(&self) -> &[StoredColumn] {
        &self.columns
    }

    /// Appends a row. `values`: one for each column, dropped ones included (their values are not looked at and stored as NULL).
    ///
    /// # Errors
    /// `XX000` if a value has another type than its column.
    pub fn encode(&self, values: &[Value], out: &mut Vec<u8>) -> Result<()> {
        if values.len() != self.columns.len() || values.len() > COLUMNS_MAX {
            return Err(Error::internal(format!("a row of {} values for {} columns", values.len(), self.columns.len())));
        }
        out.push(ROW_VERSION);
        out.extend_from_slice(&(values.len() as u16).to_le_bytes());
        let bitmap = out.len();
        out.resize(bitmap + values.len().div_ceil(8), 0);
        for (index, (value, column)) in values.iter().zip(&self.columns).enumerate() {
            if value.is_null() || column.dropped {
                out[bitmap + index / 8] |= 1 << (index % 8);
            } else {
                stored::encode(value, column.ty, out)?;
            }
        }
        Ok(())
    }

    /// # Errors
    /// `XX001` if the row does not start as a row does.
    pub fn reader<'a>(&'a self, row: &'a [u8]) -> Result<RowReader<'a>> {
        let [version, low, high, rest @ ..] = row else {
            return Err(corrupted("row"));
        };
        let count = usize::from(u16::from_le_bytes([*low, *high]));
        let bitmap = count.div_ceil(8);
        if *version != ROW_VERSION || rest.len() < bitmap || count > COLUMNS_MAX {
            return Err(corrupted("row"));
        }
        let bitmap = &rest[..bitmap];
        let values = &row[HEADER_BYTES + bitmap.len()..];
        let full = bitmap.iter().all(|byte| *byte == 0);
        Ok(RowReader { layout: self, count, bitmap, values, full, walked: Cell::new((0, 0)) })
    }

    /// All columns, dropped ones as NULL.
    pub fn decode(&self, row: &[u8]) -> Result<Vec<Value>> {
        let reader = self.reader(row)?;
        let mut values = Vec::with_capacity(self.columns.len());
        let mut at = 0;
        for (index, column) in self.columns.iter().enumerate() {
            if index >= reader.count {
                values.push(if column.dropped { Value::Null } else { column.missing.clone() });
            } else if reader.is_null(index) {
                values.push(Value::Null);
            } else {
                let (skip, length) = reader.extent(index, at)?;
                let bytes = reader.values.get(at + skip..at + skip + length).ok_or_else(|| corrupted("row"))?;
                values.push(if column.dropped { Value::Null } else { stored::decode(bytes, column.ty)? });
                at += skip + length;
            }
        }
        Ok(values)
    }
}

/// Lazy access to the columns of one row.
pub struct RowReader<'a> {
    layout: &'a RowLayout,
    count: usize,
    bitmap: &'a [u8],
    values: &'a [u8],
    /// No column is NULL.
    full: bool,
    /// The last column looked at and where it starts: the next one is seldom far.
    walked: Cell<(usize, usize)>,
}

impl<'a> RowReader<'a> {
    /// The row has a value of its own for each column that the table has now.
    pub fn is_whole(&self) -> bool {
        self.count == self.layout.columns.len()
    }

    /// NULL if dropped; the `missing` value if the row is older than the column.
    ///
    /// # Errors
    /// `XX001` if the row is damaged.
    pub fn value(&self, index: usize) -> Result<Value> {
        let Some(column) = self.layout.columns.get(index) else {
            return Err(Error::internal(format!("column {index} of a row of {}", self.layout.columns.len())));
        };
        if index >= self.count {
            return Ok(if column.dropped { Value::Null } else { column.missing.clone() });
        }
        match self.raw(index)? {
            Some(bytes) => stored::decode(bytes, column.ty),
            None => Ok(Value::Null),
        }
    }

    /// The stored bytes of a column's value, without its length: `None` if it is NULL, dropped or not in this row
    /// (see [`RowReader::holds`]). How they read is told in docs/formats.md, "Values".
    pub fn raw(&self, index: usize) -> Result<Option<&'a [u8]>> {
        if index >= self.count || self.is_null(index) || self.layout.columns[index].dropped {
            return Ok(None);
        }
        let start = self.start(index)?;
        let (skip, length) = self.extent(index, start)?;
        self.values.get(start + skip..start + skip + length).map(Some).ok_or_else(|| corrupted("row"))
    }

    /// False if the column is younger than the row.
    pub fn holds(&self, index: usize) -> bool {
        index < self.count
    }

    fn is_null(&self, index: usize) -> bool {
        !self.full && self.bitmap[index / 8] & (1 << (index % 8)) != 0
    }

    fn start(&self, index: usize) -> Result<usize> {
        if self.full
            && let Some(at) = self.layout.fixed[index]
        {
            return Ok(at as usize);
        }
        let (mut column, mut at) = self.walked.get();
        if column > index {
            (column, at) = (0, 0);
        }
        while column < index {
            if !self.is_null(column) {
                let (skip, length) = self.extent(column, at)?;
                at += skip + length;
            }
            column += 1;
        }
        self.walked.set((column, at));
        Ok(at)
    }

    /// Bytes of the length prefix and of the value that starts at `at`.
    fn extent(&self, index: usize, at: usize) -> Result<(usize, usize)> {
        // A row may be wider than the descriptor only if it is damaged, or the descriptor is stale: both are refused.
        let column = self.layout.columns.get(index).ok_or_else(|| corrupted("row"))?;
        match stored::width(column.ty) {
            Some(width) => Ok((0, width)),
            None => stored::read_length(self.values.get(at..).unwrap_or_default()).ok_or_else(|| corrupted("row")),
        }
    }
}

#[cfg(test)]
mod tests;
