//! Frames on a connection between nodes: a length of four bytes, big-endian, and that many bytes.

use base::{Error, Result, SqlState};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Longest frame between members.
pub const FRAME_BYTES_MAX: usize = 128 << 20;
/// Longest frame from who is no member yet.
pub const JOIN_BYTES_MAX: usize = 64 << 10;
const LENGTH_BYTES: usize = 4;

pub fn put(out: &mut BytesMut, frame: &[u8]) {
    assert!(frame.len() <= FRAME_BYTES_MAX, "the node bounds its frames");
    out.reserve(LENGTH_BYTES + frame.len());
    out.put_u32(frame.len() as u32);
    out.put_slice(frame);
}

/// Takes the next whole frame off the buffer; `None` if it is not all there yet.
///
/// # Errors
/// `08P01` if it is too long.
pub fn take(buffer: &mut BytesMut, bytes_max: usize) -> Result<Option<Bytes>> {
    let Some(length) = buffer.first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
    let length = u32::from_be_bytes(*length) as usize;
    if length > bytes_max {
        return Err(Error::new(SqlState::PROTOCOL_VIOLATION, format!("a frame of {length} bytes is longer than {bytes_max}")));
    }
    if buffer.len() < LENGTH_BYTES + length {
        // Space is made as bytes arrive, not as much as a stranger claims.
        return Ok(None);
    }
    buffer.advance(LENGTH_BYTES);
    Ok(Some(buffer.split_to(length).freeze()))
}

/// Sends one frame.
///
/// # Errors
/// The socket's.
pub async fn write(stream: &mut (impl AsyncWrite + Unpin), frame: &[u8]) -> io::Result<()> {
    let mut out = BytesMut::new();
    put(&mut out, frame);
    stream.write_all(&out).await?;
    stream.flush().await
}

/// Waits for one frame.
///
/// # Errors
/// The socket's, or if the frame is too long.
pub async fn read(stream: &mut (impl AsyncRead + Unpin), bytes_max: usize) -> io::Result<Bytes> {
    let mut buffer = BytesMut::new();
    loop {
        if let Some(frame) = take(&mut buffer, bytes_max).map_err(io::Error::other)? {
            return Ok(frame);
        }
        if stream.read_buf(&mut buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_whole_and_in_order() {
        let mut wire = BytesMut::new();
        put(&mut wire, b"one");
        put(&mut wire, b"");
        let mut partial = wire.clone();
        partial.truncate(6);
        assert_eq!(take(&mut partial, 10).expect("short is no error"), None);
        assert_eq!(take(&mut wire, 10).expect("whole"), Some(Bytes::from_static(b"one")));
        assert_eq!(take(&mut wire, 10).expect("whole"), Some(Bytes::new()));
        assert_eq!(take(&mut wire, 10).expect("nothing"), None);
    }

    #[test]
    fn a_frame_that_is_too_long_is_refused_before_it_arrives() {
        let mut wire = BytesMut::from(&b"\x7f\xff\xff\xff"[..]);
        assert_eq!(take(&mut wire, FRAME_BYTES_MAX).expect_err("too long").state(), SqlState::PROTOCOL_VIOLATION);
    }
}
