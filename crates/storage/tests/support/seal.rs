//! Makes the checksums of a changed log segment right again, so that what is behind them is tested.
//! Shared by the storage crate's tests and the fuzz target.

const BLOCK_BYTES: usize = 4096;
const HEADER_BYTES: usize = 64;
const RECORD_HEADER_BYTES: usize = 20;

/// Seals every write that looks like one, and the records in it as far as their lengths allow.
pub fn seal(segment: &mut [u8], salt: u64) {
    let mut offset = 0;
    while offset + HEADER_BYTES <= segment.len() {
        if &segment[offset + 4..offset + 8] == b"FLog" {
            seal_write(&mut segment[offset..], salt);
        }
        offset += BLOCK_BYTES;
    }
}

fn seal_write(write: &mut [u8], salt: u64) {
    let payload_bytes = number(write, 16);
    let carried_bytes = number(write, 20);
    if let Some(payload) = write.get_mut(HEADER_BYTES..HEADER_BYTES.saturating_add(payload_bytes)) {
        if let Some(records) = payload.get_mut(carried_bytes..) {
            seal_records(records);
        }
        let crc = crc32c::crc32c(payload);
        write[12..16].copy_from_slice(&crc.to_le_bytes());
    }
    let crc = crc32c::crc32c_append(crc32c::crc32c(&salt.to_le_bytes()), &write[4..HEADER_BYTES]);
    write[0..4].copy_from_slice(&crc.to_le_bytes());
}

fn seal_records(mut records: &mut [u8]) {
    while records.len() >= RECORD_HEADER_BYTES {
        let end = RECORD_HEADER_BYTES.saturating_add(number(records, 8));
        if let Some(body) = records.get(RECORD_HEADER_BYTES..end) {
            let crc = crc32c::crc32c(body);
            records[4..8].copy_from_slice(&crc.to_le_bytes());
        }
        let crc = crc32c::crc32c(&records[4..RECORD_HEADER_BYTES]);
        records[0..4].copy_from_slice(&crc.to_le_bytes());
        let length = records.len();
        records = &mut records[end.min(length)..];
    }
}

fn number(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize
}
