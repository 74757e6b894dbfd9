//! HTTP/1.1 (RFC 9112) on one connection: requests in, answers out, each phase with a bound in bytes and in time.
//!
//! Heads are parsed by `httparse`. What is not needed is not there: one request at a time, whole bodies, no upgrades, no compression.

use super::problem::{Problem, STATUSES};
use crate::postgres::stream::Stream;
use bytes::{Buf, BytesMut};
use std::future::Future;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A client that sends nothing for so long is let go.
const IDLE_MAX: Duration = Duration::from_secs(60);
/// From a head's first byte to its end.
const HEAD_MAX: Duration = Duration::from_secs(10);
const BODY_MAX: Duration = Duration::from_secs(30);
/// A client must have read its answer by then.
const WRITE_MAX: Duration = Duration::from_secs(30);
/// How long a client that is sent away may take to read why.
const FAREWELL_MAX: Duration = Duration::from_secs(2);
const HEAD_BYTES_MAX: usize = 16 << 10;
const HEADERS_MAX: usize = 64;
/// Room for the largest packed batch's worth of documents.
pub const BODY_BYTES_MAX: usize = 4 << 20;
const CHUNK_LINE_BYTES_MAX: usize = 1 << 10;
const READ_BYTES: usize = 16 << 10;
const READ_BYTES_MIN: usize = 2 << 10;

/// Why there is no request.
#[derive(Debug)]
pub enum Failure {
    /// The client went away, or was silent for too long: nobody waits for an answer.
    Gone,
    /// To be told; nothing that follows on the connection can be understood.
    Problem(Problem),
}

impl From<io::Error> for Failure {
    fn from(_: io::Error) -> Failure {
        Failure::Gone
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Failure {
        Failure::Problem(problem)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    Bytes(usize),
    Chunked,
}

/// A request without its body.
#[derive(Clone, Debug)]
pub struct Head {
    pub method: String,
    /// As it was sent, escapes and all.
    pub path: String,
    /// As it was sent, without the question mark.
    pub query: String,
    pub host: Option<String>,
    pub authorization: Option<String>,
    pub content_type: Option<String>,
    pub body: BodyLength,
    expects_continue: bool,
    pub keeps_alive: bool,
}

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    /// Its media type.
    pub kind: &'static str,
    pub body: String,
    pub headers: Vec<(&'static str, String)>,
}

impl Response {
    pub fn ok(kind: &'static str, body: String) -> Response {
        Response { status: 200, kind, body, headers: Vec::new() }
    }
}

pub struct Wire {
    stream: Stream,
    input: BytesMut,
}

/// # Errors
/// 408 if it takes longer.
async fn within<T>(longest: Duration, what: &str, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let late = |_| Failure::Problem(Problem::new(408, "timeout", format!("the {what} did not arrive in time")));
    tokio::time::timeout(longest, work).await.map_err(late)?
}

impl Wire {
    pub fn new(stream: Stream) -> Wire {
        Wire { stream, input: BytesMut::new() }
    }

    /// The next request's head.
    ///
    /// # Errors
    /// If the client is gone, or what it sent is no request.
    pub async fn head(&mut self) -> Result<Head, Failure> {
        if self.input.is_empty() {
            tokio::time::timeout(IDLE_MAX, self.fill()).await.map_err(|_| Failure::Gone)??;
        }
        within(HEAD_MAX, "request's head", self.read_head()).await
    }

    async fn read_head(&mut self) -> Result<Head, Failure> {
        loop {
            if let Some((head, length)) = parse_head(&self.input)? {
                self.input.advance(length);
                return Ok(head);
            }
            if self.input.len() > HEAD_BYTES_MAX {
                return Err(too_large_head().into());
            }
            self.fill().await?;
        }
    }

    /// The body of the request whose head was read last.
    ///
    /// # Errors
    /// 413 above [`BODY_BYTES_MAX`], 408 if it is slow, 400 if its chunks are malformed.
    pub async fn body(&mut self, head: &Head) -> Result<Vec<u8>, Failure> {
        if let BodyLength::Bytes(length) = head.body
            && length > BODY_BYTES_MAX
        {
            return Err(too_large_body().into());
        }
        let waits = head.expects_continue && self.input.is_empty() && head.body != BodyLength::Bytes(0);
        if waits {
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        within(BODY_MAX, "request's body", async {
            let mut body = Vec::new();
            match head.body {
                BodyLength::Bytes(length) => self.take(length, &mut body).await?,
                BodyLength::Chunked => self.chunks(&mut body).await?,
            }
            Ok(body)
        })
        .await
    }

    async fn chunks(&mut self, body: &mut Vec<u8>) -> Result<(), Failure> {
        loop {
            let size = self.chunk_size().await?;
            if size == 0 {
                return self.trailers().await;
            }
            if size > (BODY_BYTES_MAX - body.len()) as u64 {
                return Err(too_large_body().into());
            }
            self.take(size as usize, body).await?;
            let mut end = Vec::new();
            self.take(2, &mut end).await?;
            if end != b"\r\n" {
                return Err(malformed_chunk().into());
            }
        }
    }

    async fn chunk_size(&mut self) -> Result<u64, Failure> {
        loop {
            match httparse::parse_chunk_size(&self.input) {
                Ok(httparse::Status::Complete((length, size))) => {
                    self.input.advance(length);
                    return Ok(size);
                }
                Ok(httparse::Status::Partial) if self.input.len() <= CHUNK_LINE_BYTES_MAX => self.fill().await?,
                _ => return Err(malformed_chunk().into()),
            }
        }
    }

    /// Fields behind the last chunk, which say nothing to us, up to an empty line.
    async fn trailers(&mut self) -> Result<(), Failure> {
        let mut seen = 0;
        loop {
            while let Some(end) = self.input.windows(2).position(|two| two == b"\r\n") {
                self.input.advance(end + 2);
                seen += end + 2;
                if end == 0 {
                    return Ok(());
                }
            }
            if seen + self.input.len() > HEAD_BYTES_MAX {
                return Err(malformed_chunk().into());
            }
            self.fill().await?;
        }
    }

    async fn take(&mut self, length: usize, out: &mut Vec<u8>) -> Result<(), Failure> {
        let mut left = length;
        loop {
            let here = left.min(self.input.len());
            out.extend_from_slice(&self.input[..here]);
            self.input.advance(here);
            left -= here;
            if left == 0 {
                return Ok(());
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<(), Failure> {
        if self.input.capacity() - self.input.len() < READ_BYTES_MIN {
            self.input.reserve(READ_BYTES);
        }
        if self.stream.read_buf(&mut self.input).await? == 0 { Err(Failure::Gone) } else { Ok(()) }
    }

    /// Ends when the client closes its side. What it sends before that is kept for the next request, up to a bound.
    pub async fn gone(&mut self) {
        while self.input.len() < HEAD_BYTES_MAX {
            if self.fill().await.is_err() {
                return;
            }
        }
        std::future::pending().await
    }

    /// # Errors
    /// If the client does not take it.
    pub async fn answer(&mut self, response: Response, keeps_alive: bool) -> Result<(), Failure> {
        let reason = STATUSES.iter().find(|(status, _)| *status == response.status).map_or("OK", |(_, reason)| reason);
        let mut text = format!(
            "HTTP/1.1 {} {reason}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n",
            response.status,
            response.kind,
            response.body.len()
        );
        for (name, value) in &response.headers {
            text.extend([*name, ": ", value, "\r\n"]);
        }
        text.push_str(if keeps_alive { "\r\n" } else { "Connection: close\r\n\r\n" });
        text.push_str(&response.body);
        self.write(text.as_bytes()).await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let work = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        Ok(tokio::time::timeout(WRITE_MAX, work).await.map_err(|_| Failure::Gone)??)
    }

    /// Closes so that the last answer is not lost to a reset: what the client still sends is read and dropped.
    pub async fn close(mut self) {
        let farewell = async {
            self.stream.shutdown().await?;
            let mut sink = [0; READ_BYTES_MIN];
            while self.stream.read(&mut sink).await? > 0 {}
            io::Result::Ok(())
        };
        // The client may be gone already.
        let _ = tokio::time::timeout(FAREWELL_MAX, farewell).await;
    }
}

fn too_large_head() -> Problem {
    Problem::new(431, "head_too_large", format!("a request's head has at most {HEAD_BYTES_MAX} bytes and {HEADERS_MAX} fields"))
}

fn too_large_body() -> Problem {
    Problem::new(413, "body_too_large", format!("a request's body has at most {BODY_BYTES_MAX} bytes")).with_hint("Send several requests.")
}

fn malformed_chunk() -> Problem {
    Problem::bad_request("the body's chunks are malformed")
}

/// The head and its length; `None` if it has not all arrived.
///
/// # Errors
/// 400 or 431 for what is no request.
pub fn parse_head(bytes: &[u8]) -> Result<Option<(Head, usize)>, Problem> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let length = match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length <= HEAD_BYTES_MAX => length,
        Ok(httparse::Status::Complete(_)) | Err(httparse::Error::TooManyHeaders) => return Err(too_large_head()),
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(Problem::bad_request(format!("this is no HTTP request: {error}"))),
    };
    let is_1_1 = request.version == Some(1);
    let (path, query) = target(request.path.unwrap_or_default())?;
    let fields = Fields(request.headers);
    let host = fields.one("host")?;
    if is_1_1 && host.is_none() {
        return Err(Problem::bad_request("a request of HTTP/1.1 names its host"));
    }
    let connection = fields.one("connection")?.unwrap_or_default().to_ascii_lowercase();
    let closes = connection.split(',').any(|option| option.trim() == "close");
    let head = Head {
        method: request.method.unwrap_or_default().to_owned(),
        path,
        query,
        host,
        authorization: fields.one("authorization")?,
        content_type: fields.one("content-type")?,
        body: fields.body(is_1_1)?,
        expects_continue: is_1_1 && fields.one("expect")?.is_some_and(|value| value.eq_ignore_ascii_case("100-continue")),
        keeps_alive: is_1_1 && !closes,
    };
    Ok(Some((head, length)))
}

/// Path and query of a target in origin form or absolute form.
fn target(target: &str) -> Result<(String, String), Problem> {
    let rest = match target.strip_prefix("http://").or_else(|| target.strip_prefix("https://")) {
        Some(absolute) => absolute.find('/').map_or("/", |at| &absolute[at..]),
        None => target,
    };
    if !rest.starts_with('/') {
        return Err(Problem::bad_request("a request's target is a path"));
    }
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    Ok((path.to_owned(), query.to_owned()))
}

struct Fields<'a>(&'a [httparse::Header<'a>]);

impl Fields<'_> {
    /// # Errors
    /// 400 for a field that is there twice: two readers might each take another one.
    fn one(&self, name: &str) -> Result<Option<String>, Problem> {
        let mut values = self.0.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
        let Some(first) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(Problem::bad_request(format!("the field {name} is there twice")));
        }
        let text = std::str::from_utf8(first.value).map_err(|_| Problem::bad_request(format!("the field {name} is not UTF-8")))?;
        Ok(Some(text.trim().to_owned()))
    }

    fn body(&self, is_1_1: bool) -> Result<BodyLength, Problem> {
        match (self.one("transfer-encoding")?, self.one("content-length")?) {
            (None, None) => Ok(BodyLength::Bytes(0)),
            (Some(coding), None) if is_1_1 && coding.eq_ignore_ascii_case("chunked") => Ok(BodyLength::Chunked),
            (None, Some(length)) if !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit()) => {
                // A number that does not fit is too large a body as well.
                Ok(BodyLength::Bytes(length.parse().unwrap_or(usize::MAX)))
            }
            _ => {
                Err(Problem::bad_request("the length of the body cannot be told").with_hint("Send Content-Length or chunks, and not both."))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Result<Head, u16> {
        parse_head(text.as_bytes()).map(|parsed| parsed.expect("whole").0).map_err(|problem| problem.status)
    }

    #[test]
    fn heads_are_understood() {
        let got = head("POST /v1/x?a=b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n").expect("sound");
        assert_eq!((got.path.as_str(), got.query.as_str(), got.body), ("/v1/x", "a=b", BodyLength::Bytes(5)));
        assert!(got.keeps_alive && got.expects_continue);
        let got = head("GET http://h/x HTTP/1.1\r\nhost: h\r\nConnection: Close\r\nTransfer-Encoding: chunked\r\n\r\n").expect("sound");
        assert_eq!((got.path.as_str(), got.body, got.keeps_alive), ("/x", BodyLength::Chunked, false));
        assert!(!head("GET /status HTTP/1.0\r\n\r\n").expect("sound").keeps_alive);
        assert!(parse_head(b"GET / HTTP/1.1\r\nHost: h\r\n").expect("sound so far").is_none());
    }

    #[test]
    fn what_two_readers_could_understand_differently_is_refused() {
        for fields in [
            "",
            "Host: a\r\nHost: b\r\n",
            "Host: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n",
            "Host: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            "Host: h\r\nTransfer-Encoding: gzip, chunked\r\n",
            "Host: h\r\nContent-Length: +1\r\n",
            "Host: h\r\nContent-Length: -1\r\n",
            "Host: h\r\nContent-Length: \r\n",
            "Host : h\r\n",
            "Host: h\r\n folded\r\n",
        ] {
            assert_eq!(head(&format!("POST / HTTP/1.1\r\n{fields}\r\n")).err(), Some(400), "{fields:?}");
        }
        assert_eq!(head("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").err(), Some(400));
        assert_eq!(head("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").err(), Some(400));
        let huge = head("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n").expect("understood");
        assert_eq!(huge.body, BodyLength::Bytes(usize::MAX));
        let many = format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "a: b\r\n".repeat(HEADERS_MAX));
        assert_eq!(head(&many).err(), Some(431));
    }
}
