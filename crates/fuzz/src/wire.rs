//! PostgreSQL's protocol: startup packets, messages, the SASL exchange.

use bytes::BytesMut;
use pgwire::api::auth::sasl::scram::ScramSecret;
use server::postgres::credentials::Exchange;
use server::postgres::decode::{self, Message};
use sql::client::ClientRequest;

/// What a connection may begin with, one packet after the other.
pub fn startup(input: &[u8]) {
    let mut buffer = BytesMut::from(input);
    while let Ok(Some(_)) = decode::first(&mut buffer) {}
}

pub fn startup_seeds() -> Vec<Vec<u8>> {
    let packet = |code: u32, rest: &[u8]| {
        let mut bytes = (8 + rest.len() as u32).to_be_bytes().to_vec();
        bytes.extend(code.to_be_bytes());
        bytes.extend(rest);
        bytes
    };
    vec![
        packet(3 << 16, b"user\0florin\0database\0bank\0application_name\0psql\0\0"),
        packet((3 << 16) | 2, b"user\0florin\0_pq_.wish\0yes\0options\0-c x=y\0\0"),
        packet(80_877_102, b"\0\0\0\x07secret"),
        packet(80_877_103, b""),
        packet(80_877_104, b""),
    ]
}

/// All messages of a stream that comes in two pieces: the cut must make no difference.
pub fn messages(input: &[u8]) {
    let Some((&cut, stream)) = input.split_first() else { return };
    let whole = read(&mut BytesMut::from(stream));
    let cut = (usize::from(cut) * stream.len()) / 256;
    let mut buffer = BytesMut::from(&stream[..cut]);
    let mut pieces = read(&mut buffer);
    if !pieces.last().is_some_and(Result::is_err) {
        buffer.extend_from_slice(&stream[cut..]);
        pieces.extend(read(&mut buffer));
    }
    assert_eq!(joined(whole), joined(pieces), "the same messages, however they arrive");
}

/// Where one piece of COPY data ends and the next begins means nothing.
fn joined(messages: Vec<Result<Heard, String>>) -> Vec<Result<Heard, String>> {
    let mut joined: Vec<Result<Heard, String>> = Vec::new();
    for message in messages {
        match (joined.last_mut(), message) {
            (Some(Ok(Heard::Copy(before))), Ok(Heard::Copy(data))) => before.extend(data),
            (_, message) => joined.push(message),
        }
    }
    joined
}

#[derive(Debug, PartialEq)]
enum Heard {
    Copy(Vec<u8>),
    Other(String),
}

fn read(buffer: &mut BytesMut) -> Vec<Result<Heard, String>> {
    let mut found = Vec::new();
    loop {
        match decode::message(buffer, 1 << 20) {
            Ok(Some(Message::Request(ClientRequest::Query { sql }))) => found.push(Ok(Heard::Other(sql))),
            Ok(Some(Message::Request(ClientRequest::CopyData(data)))) => found.push(Ok(Heard::Copy(data.to_vec()))),
            Ok(Some(message)) => found.push(Ok(Heard::Other(format!("{message:?}")))),
            Ok(None) => return found,
            Err(error) => {
                found.push(Err(error.to_string()));
                return found;
            }
        }
    }
}

pub fn message_seeds() -> Vec<Vec<u8>> {
    let framed = |kind: u8, body: &[u8]| {
        let mut bytes = vec![kind];
        bytes.extend((body.len() as u32 + 4).to_be_bytes());
        bytes.extend(body);
        bytes
    };
    let messages = [
        framed(b'Q', b"SELECT 1; SELECT '\xc3\xa4'\0"),
        framed(b'P', b"s\0select $1, $2\0\0\x02\0\0\0\x17\0\0\0\x19"),
        framed(b'B', b"p\0s\0\0\x02\0\0\0\x01\0\x02\0\0\0\x02ab\xff\xff\xff\xff\0\x01\0\x01"),
        framed(b'D', b"Ss\0"),
        framed(b'D', b"Pp\0"),
        framed(b'E', b"p\0\0\0\0\x05"),
        framed(b'C', b"Ss\0"),
        framed(b'H', b""),
        framed(b'S', b""),
        framed(b'd', b"1\ttwo\n"),
        framed(b'c', b""),
        framed(b'f', b"why\0"),
        framed(b'p', b"SCRAM-SHA-256\0\0\0\0\x09n,,n=,r=x"),
        framed(b'F', b"\0\0\0\x01"),
        framed(b'X', b""),
    ];
    let with_cut = |bytes: &[u8]| [&[100][..], bytes].concat();
    let mut seeds: Vec<Vec<u8>> = messages.iter().map(|message| with_cut(message)).collect();
    seeds.push(with_cut(&messages.concat()));
    seeds
}

/// The first and the last message of a client that proves its password, parted by a line end.
pub fn sasl(input: &[u8]) {
    let mut parts = input.splitn(2, |byte| *byte == b'\n');
    let (first, last) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let secret = ScramSecret::Verifier { salt: vec![1; 16], iterations: 4096, stored_key: vec![2; 32], server_key: vec![3; 32] };
    if let Ok((exchange, _)) = Exchange::begin(first, secret) {
        assert!(exchange.finish(last, "florin").is_err(), "nobody knows the password of this verifier");
    }
}

pub fn sasl_seeds() -> Vec<Vec<u8>> {
    let first = |data: &[u8]| [b"SCRAM-SHA-256\0", &(data.len() as u32).to_be_bytes()[..], data].concat();
    let last = b"\nc=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=";
    vec![
        [&first(b"n,,n=,r=rOprNGfwEbeRWgbNEkqO")[..], last].concat(),
        [&first(b"y,,n=florin,r=abc")[..], last].concat(),
        [&first(b"p=tls-unique,,n=,r=abc")[..], b"\nc=,r=,p="].concat(),
        [&first(b"n,a=b,n=,r=")[..], b"\nc=biws,r=x,e=what,p=AAAA"].concat(),
    ]
}
