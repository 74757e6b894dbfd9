//! Rows of a batch on their way into the transaction: tens of thousands, so each costs no allocation of its own.

use super::books::{Share, info};
use super::tables::Ledger as Table;
use crate::exec::write::encode_into;
use crate::key::check_length;
use crate::session::buffer::Buffer;
use crate::value::Value;
use base::{Result, ShardId, Version};
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;
use storage::access::Write;

/// Bytes of keys and rows that share an allocation. It lives as long as one of them does; rows of one batch are flushed together.
const SHARED_BYTES: usize = 64 * 1024;

/// All changes of one batch.
#[derive(Default)]
pub struct Writes {
    by_shard: BTreeMap<ShardId, Vec<Write>>,
    shared: BytesMut,
    scratch: Vec<u8>,
}

impl Writes {
    /// `key` appends a key's columns. No row: it is deleted.
    pub fn put(
        &mut self,
        table: Table,
        shard: ShardId,
        key: impl FnOnce(&mut Vec<u8>) -> Result<()>,
        row: Option<&[Value]>,
        base: Version,
    ) -> Result<()> {
        let info = info(table);
        self.scratch.clear();
        self.scratch.extend_from_slice(&info.table.storage.0.to_be_bytes());
        key(&mut self.scratch)?;
        check_length(&self.scratch)?;
        let key_bytes = self.scratch.len();
        if let Some(values) = row {
            encode_into(info, values, &mut self.scratch)?;
        }
        let mut key = self.share();
        let row = row.map(|_| key.split_off(key_bytes));
        self.by_shard.entry(shard).or_default().push(Write { key, row, base });
        Ok(())
    }

    fn share(&mut self) -> Bytes {
        let needed = self.scratch.len();
        if self.shared.capacity() < needed {
            self.shared = BytesMut::with_capacity(SHARED_BYTES.max(needed));
        }
        self.shared.extend_from_slice(&self.scratch);
        self.shared.split().freeze()
    }

    pub fn finish(self, share: Share, buffer: &mut Buffer) {
        match share {
            Share::Whole => buffer.put_last(self.by_shard),
            Share::Part => {
                for (shard, writes) in self.by_shard {
                    writes.into_iter().for_each(|write| buffer.put(shard, write.key, write.row, write.base));
                }
            }
        }
    }
}
