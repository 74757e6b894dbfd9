//! Bytes in and out, for the codecs of log entries, messages and bookkeeping.
//!
//! Little-endian fixed-width integers; byte strings have a `u32` length before them. Reading never panics, never reads past
//! the end, and shares the buffer instead of copying it. A count is checked against what is left before anything is reserved.

use base::{NodeId, TxnId, Version};
use bytes::{Buf, BufMut, Bytes};

/// The bytes are not what the codec wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl From<Malformed> for base::Error {
    fn from(malformed: Malformed) -> base::Error {
        base::Error::new(base::SqlState::DATA_CORRUPTED, format!("malformed bytes: {}", malformed.0))
    }
}

pub type Read<T> = Result<T, Malformed>;

/// Length that stands for an absent byte string.
const ABSENT: u32 = u32::MAX;

#[derive(Debug)]
pub struct Reader {
    left: Bytes,
}

impl Reader {
    pub fn new(bytes: Bytes) -> Reader {
        Reader { left: bytes }
    }

    pub fn u8(&mut self) -> Read<u8> {
        if self.left.is_empty() {
            return Err(Malformed("ends within a byte"));
        }
        Ok(self.left.get_u8())
    }

    pub fn u16(&mut self) -> Read<u16> {
        if self.left.len() < 2 {
            return Err(Malformed("ends within two bytes"));
        }
        Ok(self.left.get_u16_le())
    }

    pub fn u32(&mut self) -> Read<u32> {
        if self.left.len() < 4 {
            return Err(Malformed("ends within four bytes"));
        }
        Ok(self.left.get_u32_le())
    }

    pub fn u64(&mut self) -> Read<u64> {
        if self.left.len() < 8 {
            return Err(Malformed("ends within eight bytes"));
        }
        Ok(self.left.get_u64_le())
    }

    pub fn bool(&mut self) -> Read<bool> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed("a truth value is neither 0 nor 1")),
        }
    }

    pub fn version(&mut self) -> Read<Version> {
        Ok(Version(self.u64()?))
    }

    pub fn txn(&mut self) -> Read<TxnId> {
        Ok(TxnId { started: self.u64()?, node: NodeId(self.u32()?), boot: self.u32()?, sequence: self.u64()? })
    }

    pub fn bytes(&mut self) -> Read<Bytes> {
        self.optional_bytes()?.ok_or(Malformed("a needed byte string is absent"))
    }

    pub fn optional_bytes(&mut self) -> Read<Option<Bytes>> {
        let length = self.u32()?;
        if length == ABSENT {
            return Ok(None);
        }
        if length as usize > self.left.len() {
            return Err(Malformed("a byte string is longer than what is left"));
        }
        Ok(Some(self.left.split_to(length as usize)))
    }

    /// A count of things that take at least `least` bytes each.
    pub fn count(&mut self, least: usize) -> Read<usize> {
        let count = self.u32()? as usize;
        if count.saturating_mul(least) > self.left.len() {
            return Err(Malformed("a count is larger than what is left allows"));
        }
        Ok(count)
    }

    /// Everything up to the end.
    pub fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.left)
    }

    pub fn end(self) -> Read<()> {
        if self.left.is_empty() { Ok(()) } else { Err(Malformed("bytes follow the end")) }
    }
}

/// What the codecs write with.
#[derive(Debug, Default)]
pub struct Writer {
    pub bytes: Vec<u8>,
}

impl Writer {
    pub fn with_capacity(capacity: usize) -> Writer {
        Writer { bytes: Vec::with_capacity(capacity) }
    }

    pub fn u8(&mut self, value: u8) {
        self.bytes.put_u8(value);
    }

    pub fn u16(&mut self, value: u16) {
        self.bytes.put_u16_le(value);
    }

    pub fn u32(&mut self, value: u32) {
        self.bytes.put_u32_le(value);
    }

    pub fn u64(&mut self, value: u64) {
        self.bytes.put_u64_le(value);
    }

    pub fn bool(&mut self, value: bool) {
        self.u8(u8::from(value));
    }

    pub fn version(&mut self, value: Version) {
        self.u64(value.0);
    }

    pub fn txn(&mut self, txn: TxnId) {
        self.u64(txn.started);
        self.u32(txn.node.0);
        self.u32(txn.boot);
        self.u64(txn.sequence);
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        assert!((bytes.len() as u64) < u64::from(ABSENT), "byte strings are bounded far below 4 GiB");
        self.u32(bytes.len() as u32);
        self.bytes.extend_from_slice(bytes);
    }

    pub fn optional_bytes(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.bytes(bytes),
            None => self.u32(ABSENT),
        }
    }

    pub fn count(&mut self, count: usize) {
        self.u32(u32::try_from(count).expect("collections are bounded far below 2^32"));
    }

    pub fn finish(self) -> Bytes {
        Bytes::from(self.bytes)
    }
}
