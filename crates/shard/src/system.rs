//! Reserved keys under storage id 0, and the bookkeeping's keys in the store.

use base::{SchemaVersion, StorageId, Version};
use bytes::Bytes;
use storage::access::{Key, Row, Write};

/// Rows of the shard itself: no table has this storage id.
pub const SYSTEM: StorageId = StorageId(0);
/// The row that holds the shard's schema version, eight bytes, big-endian.
pub const SCHEMA_KEY: &[u8] = b"\0\0\0\0schema";
/// Before the big-endian storage id of a table or index that was dropped. A row under it, whatever it holds, lets a background
/// job on each replica remove the storage's rows. The row itself stays: it takes no room to speak of.
pub const DROPPED_PREFIX: &[u8] = b"\0\0\0\0dropped";

/// The write by which a schema change raises a shard's schema version.
pub fn schema_write(version: SchemaVersion, base: Version) -> Write {
    Write { key: Key::from_static(SCHEMA_KEY), row: Some(schema_row(version)), base }
}

pub fn schema_key() -> Key {
    Key::from_static(SCHEMA_KEY)
}

pub fn schema_row(version: SchemaVersion) -> Row {
    Bytes::copy_from_slice(&version.0.to_be_bytes())
}

/// The version that a schema row holds; a row of another length counts as 0.
pub fn schema_of(row: Option<&Row>) -> SchemaVersion {
    let bytes = row.and_then(|row| row.as_ref().try_into().ok()).unwrap_or([0; 8]);
    SchemaVersion(u64::from_be_bytes(bytes))
}

/// The write by which a transaction gives up a storage id: its rows are removed in the background after it commits.
pub fn drop_write(storage: StorageId) -> Write {
    Write { key: dropped_key(storage), row: Some(Bytes::new()), base: Version::ZERO }
}

pub fn dropped_key(storage: StorageId) -> Key {
    let mut key = DROPPED_PREFIX.to_vec();
    key.extend_from_slice(&storage.0.to_be_bytes());
    Key::from(key)
}

/// The storage id that a key of the system says was dropped.
pub fn dropped_storage(key: &[u8]) -> Option<StorageId> {
    let id = key.strip_prefix(DROPPED_PREFIX)?;
    Some(StorageId(u32::from_be_bytes(id.try_into().ok()?)))
}
