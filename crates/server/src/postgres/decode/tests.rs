//! The decoder on well-formed, cut, malformed and mutated messages.

use super::*;
use base::Prng;

fn framed(kind: u8, body: &[u8]) -> BytesMut {
    let mut bytes = BytesMut::from(&[kind][..]);
    bytes.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

fn refused(kind: u8, body: &[u8]) -> SqlState {
    message(&mut framed(kind, body), MESSAGE_BYTES_MAX).expect_err("malformed").state()
}

/// One well-formed message of each kind.
fn samples() -> Vec<BytesMut> {
    vec![
        framed(b'Q', b"select 1\0"),
        framed(b'P', b"s1\0select $1\0\0\x01\0\0\0\x17"),
        framed(b'B', b"p1\0s1\0\0\x01\0\x01\0\x02\0\0\0\x04\0\0\0\x07\xff\xff\xff\xff\0\x01\0\0"),
        framed(b'D', b"Sname\0"),
        framed(b'E', b"portal\0\0\0\0\x05"),
        framed(b'C', b"Pname\0"),
        framed(b'H', b""),
        framed(b'S', b""),
        framed(b'X', b""),
        framed(b'd', b"1\t2\n"),
        framed(b'c', b""),
        framed(b'f', b"changed my mind\0"),
        framed(b'p', b"SCRAM-SHA-256\0\0\0\0\x03n,,"),
    ]
}

#[test]
fn each_kind_of_message_is_understood() {
    for sample in samples() {
        let mut buffer = sample.clone();
        assert!(message(&mut buffer, MESSAGE_BYTES_MAX).expect("well-formed").is_some(), "{sample:?}");
        assert!(buffer.is_empty());
    }
    let Ok(Some(Message::Request(ClientRequest::Bind { parameters, parameter_formats, result_formats, .. }))) =
        message(&mut samples()[2], MESSAGE_BYTES_MAX)
    else {
        panic!("no bind message")
    };
    assert_eq!(parameters, vec![Some(Bytes::from_static(b"\0\0\0\x07")), None]);
    assert_eq!((parameter_formats, result_formats), (vec![Format::Binary], vec![Format::Text]));
}

#[test]
fn a_message_is_awaited_until_it_is_whole() {
    for sample in samples() {
        for end in 0..sample.len() {
            let mut buffer = BytesMut::from(&sample[..end]);
            assert!(message(&mut buffer, MESSAGE_BYTES_MAX).expect("a prefix is no error").is_none());
            assert_eq!(buffer.len(), end, "nothing is taken before the message is whole");
        }
    }
}

#[test]
fn malformed_bodies_get_a_protocol_violation() {
    assert_eq!(refused(b'Q', b"select 1"), SqlState::PROTOCOL_VIOLATION);
    assert_eq!(refused(b'Q', b"select 1\0rest"), SqlState::PROTOCOL_VIOLATION);
    assert_eq!(refused(b'P', b"\0\0\xff\xff"), SqlState::PROTOCOL_VIOLATION);
    assert_eq!(refused(b'B', b"\0\0\0\0\0\x01\x7f\xff\xff\xff"), SqlState::PROTOCOL_VIOLATION);
    assert_eq!(refused(b'B', b"\0\0\0\0\0\x01\x80\0\0\0"), SqlState::PROTOCOL_VIOLATION);
    assert_eq!(refused(b'D', b"Xname\0"), SqlState::PROTOCOL_VIOLATION);
    assert_eq!(refused(b'F', b""), SqlState::FEATURE_NOT_SUPPORTED);
    assert_eq!(
        message(&mut BytesMut::from(&b"\0"[..]), MESSAGE_BYTES_MAX).expect_err("no such type").state(),
        SqlState::PROTOCOL_VIOLATION
    );
}

#[test]
fn invalid_utf8_is_named_as_such() {
    assert_eq!(refused(b'Q', b"select '\xff'\0"), SqlState::CHARACTER_NOT_IN_REPERTOIRE);
}

#[test]
fn lengths_are_checked_before_anything_is_awaited() {
    let mut long = BytesMut::from(&b"Q\x7f\xff\xff\xff"[..]);
    assert_eq!(message(&mut long, MESSAGE_BYTES_MAX).expect_err("too long").state(), SqlState::PROGRAM_LIMIT_EXCEEDED);
    let mut small = BytesMut::from(&b"Q\0\0\0\x03"[..]);
    assert_eq!(message(&mut small, MESSAGE_BYTES_MAX).expect_err("too small").state(), SqlState::PROTOCOL_VIOLATION);
}

#[test]
fn first_messages_are_told_apart() {
    let mut tls = BytesMut::from(&b"\0\0\0\x08\x04\xd2\x16\x2f"[..]);
    assert_eq!(first(&mut tls).expect("well-formed"), Some(First::Tls));
    let mut cancel = BytesMut::from(&b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x09\x01\x02\x03\x04"[..]);
    assert_eq!(
        first(&mut cancel).expect("well-formed"),
        Some(First::Cancel { process: 9, secret: Bytes::from_static(b"\x01\x02\x03\x04") })
    );
    let mut startup = BytesMut::from(&b"\0\0\0\x15\0\x03\0\0user\0florin\0\0"[..]);
    let parameters = vec![("user".to_owned(), "florin".to_owned())];
    assert_eq!(first(&mut startup).expect("well-formed"), Some(First::Startup { minor: 0, parameters }));
    let mut old = BytesMut::from(&b"\0\0\0\x09\0\x02\0\0\0"[..]);
    assert_eq!(first(&mut old).expect_err("version 2").state(), SqlState::FEATURE_NOT_SUPPORTED);
}

#[test]
fn mutated_input_never_panics_and_never_reads_past_a_message() {
    let mut prng = Prng::new(0x5eed);
    for round in 0..200_000u32 {
        let mut bytes: Vec<u8> = samples().into_iter().flatten().collect();
        bytes.truncate(prng.below(bytes.len() as u64 + 1) as usize);
        for _ in 0..prng.below(6) {
            if !bytes.is_empty() {
                let at = prng.below(bytes.len() as u64) as usize;
                bytes[at] = prng.next_u64() as u8;
            }
        }
        let mut buffer = BytesMut::from(&bytes[..]);
        let mut left = buffer.len();
        if round % 4 == 0 {
            let _ = first(&mut buffer.clone());
        }
        while let Ok(Some(_)) = message(&mut buffer, MESSAGE_BYTES_MAX) {
            assert!(buffer.len() < left, "a decoded message is taken off the buffer");
            left = buffer.len();
        }
    }
}

#[test]
fn pieces_of_copy_data_come_as_one_and_before_what_is_wrong_behind_them() {
    let mut buffer = framed(b'd', b"1\tone\n");
    buffer.extend_from_slice(&framed(b'd', b"2\ttwo\n"));
    buffer.extend_from_slice(&[b'd', 0xff, 0, 0, 0]);
    let first = message(&mut buffer, MESSAGE_BYTES_MAX).expect("well-formed").expect("whole");
    assert!(matches!(first, Message::Request(ClientRequest::CopyData(data)) if data == b"1\tone\n2\ttwo\n"[..]));
    assert!(message(&mut buffer, MESSAGE_BYTES_MAX).is_err());
}
