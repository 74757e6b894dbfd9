//! A client that puts bytes on the wire as it is told.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

pub struct Wire(pub TcpStream);

/// A message from the server: its type and body.
pub type Message = (u8, Vec<u8>);

pub fn framed(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend((body.len() as u32 + 4).to_be_bytes());
    bytes.extend(body);
    bytes
}

pub fn startup(version: u32, parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    for (name, value) in parameters {
        body.extend(name.bytes().chain([0]).chain(value.bytes()).chain([0]));
    }
    body.push(0);
    let mut bytes = (body.len() as u32 + 4).to_be_bytes().to_vec();
    bytes.extend(body);
    bytes
}

impl Wire {
    pub fn connect(address: SocketAddr) -> Wire {
        let stream = TcpStream::connect(address).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a time");
        Wire(stream)
    }

    /// Connected and past the greeting.
    pub fn open(address: SocketAddr) -> Wire {
        let mut wire = Wire::connect(address);
        wire.send(&startup(3 << 16, &[("user", "florin")]));
        wire.until(b'Z');
        wire
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("it reads");
    }

    /// The next message; `None` at the end of the connection.
    pub fn next(&mut self) -> Option<Message> {
        let mut head = [0; 5];
        self.0.read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let mut body = vec![0; length - 4];
        self.0.read_exact(&mut body).ok()?;
        Some((head[0], body))
    }

    /// All messages up to the first of this type.
    pub fn until(&mut self, kind: u8) -> Vec<Message> {
        let mut messages = Vec::new();
        loop {
            let message = self.next().unwrap_or_else(|| panic!("the connection ended before {:?}: {messages:?}", char::from(kind)));
            let found = message.0 == kind;
            messages.push(message);
            if found {
                return messages;
            }
        }
    }

    /// The SQLSTATE of the error with which the server ends the connection.
    pub fn refusal(&mut self) -> String {
        let error = self.until(b'E').pop().expect("it ends with the error");
        assert!(self.next().is_none(), "the connection is closed after a fatal error");
        field(&error.1, b'C')
    }
}

pub fn field(error: &[u8], code: u8) -> String {
    error
        .split(|byte| *byte == 0)
        .find_map(|field| field.strip_prefix(&[code]))
        .map(|text| String::from_utf8_lossy(text).into_owned())
        .unwrap_or_default()
}
