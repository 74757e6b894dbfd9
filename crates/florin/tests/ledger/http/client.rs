//! A client of HTTP that is no smarter than the test: one connection, one request at a time.

use super::described;
use crate::node::{ANSWER_MAX, Node};
use serde_json::Value;
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

pub trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Socket for T {}

pub struct Client {
    address: SocketAddr,
    socket: Option<Box<dyn Socket>>,
    input: Vec<u8>,
    pub authorization: Option<String>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{} is no JSON", self.text))
    }

    /// The problem's type behind `urn:florin:`.
    pub fn problem(&self) -> (u16, String) {
        let kind = self.json()["type"].as_str().map(|kind| kind.trim_start_matches("urn:florin:").to_owned());
        (self.status, kind.unwrap_or_default())
    }
}

impl Client {
    pub fn of(node: &Node) -> Client {
        Client::at(node.http.expect("it was started with --http"))
    }

    pub fn at(address: SocketAddr) -> Client {
        Client { address, socket: None, input: Vec::new(), authorization: None }
    }

    pub fn over(address: SocketAddr, socket: Box<dyn Socket>) -> Client {
        Client { socket: Some(socket), ..Client::at(address) }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends a request; `None` if the connection ended without a whole answer.
    pub async fn try_send(&mut self, method: &str, path: &str, body: Option<&Value>) -> Option<Answer> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n");
        if let Some(authorization) = &self.authorization {
            head += &format!("Authorization: {authorization}\r\n");
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        if !body.is_empty() {
            head += &format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        }
        let answer = self.raw(format!("{head}\r\n{body}").as_bytes()).await?;
        described::check(method, path, &answer);
        Some(answer)
    }

    pub async fn send(&mut self, method: &str, path: &str, body: &Value) -> Answer {
        self.try_send(method, path, Some(body)).await.expect("an answer")
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.try_send("GET", path, None).await.expect("an answer")
    }

    pub async fn done(&mut self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.send(method, path, body).await;
        assert_eq!(answer.status, 200, "{method} {path}: {}", answer.text);
        answer.json()
    }

    pub async fn shown(&mut self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.json()
    }

    /// Sends bytes as they are and reads one answer.
    pub async fn raw(&mut self, bytes: &[u8]) -> Option<Answer> {
        if self.socket.is_none() {
            self.input.clear();
            self.socket = Some(Box::new(TcpStream::connect(self.address).await.ok()?));
        }
        let answer = tokio::time::timeout(ANSWER_MAX, self.exchange(bytes)).await.expect("an answer in time");
        if answer.as_ref().is_none_or(|answer| answer.head.contains("Connection: close")) {
            self.socket = None;
        }
        answer
    }

    async fn exchange(&mut self, bytes: &[u8]) -> Option<Answer> {
        let socket = self.socket.as_mut()?;
        // Who refuses a body may not read it all.
        let written = socket.write_all(bytes).await;
        loop {
            if let Some(end) = self.input.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8(self.input[..end].to_vec()).expect("UTF-8");
                let field =
                    |line: &str| line.to_ascii_lowercase().strip_prefix("content-length: ").map(|text| text.parse().expect("a number"));
                let length: usize = head.lines().find_map(field).expect("a length");
                if self.input.len() >= end + 4 + length {
                    let text = String::from_utf8(self.input[end + 4..end + 4 + length].to_vec()).expect("UTF-8");
                    self.input.drain(..end + 4 + length);
                    let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
                    return Some(Answer { status, head, text });
                }
            }
            let count = socket.read_buf(&mut self.input).await.ok()?;
            if count == 0 {
                drop(written);
                return None;
            }
        }
    }
}
