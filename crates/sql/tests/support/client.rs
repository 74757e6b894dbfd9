//! A client that shows what it hears as text.

use super::World;
use base::Error;
use sql::client::{ClientRequest, ClientResponse, Severity};
use std::fmt::Write;

pub struct Client<'a> {
    pub world: &'a World,
    pub session: u64,
}

impl Client<'_> {
    /// Sends, lets all sessions run, and takes what this one answered.
    pub fn ask(&self, requests: Vec<ClientRequest>) -> Vec<ClientResponse> {
        self.world.inner.borrow_mut().links.get_mut(&self.session).expect("was opened").requests.extend(requests);
        self.world.settle();
        self.heard()
    }

    pub fn heard(&self) -> Vec<ClientResponse> {
        std::mem::take(&mut self.world.inner.borrow_mut().links.get_mut(&self.session).expect("was opened").responses)
    }

    /// The answer to a simple query as text.
    pub fn run(&self, sql: &str) -> String {
        show(&self.ask(vec![ClientRequest::Query { sql: sql.to_owned() }]))
    }
}

pub fn show(responses: &[ClientResponse]) -> String {
    let mut out = String::new();
    for response in responses {
        match response {
            ClientResponse::RowDescription(fields) => {
                let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
                writeln!(out, "{}", names.join(" | ")).expect("a string takes all");
            }
            ClientResponse::Rows(bytes) => rows(bytes, &mut out),
            ClientResponse::Complete(tag) => writeln!(out, "{tag}").expect("a string takes all"),
            ClientResponse::Error(Severity::Fatal, error) => writeln!(out, "FATAL {}", shown(error)).expect("a string takes all"),
            ClientResponse::Error(_, error) => writeln!(out, "ERROR {}", shown(error)).expect("a string takes all"),
            ClientResponse::Notice(severity, error) => {
                let word = if *severity == Severity::Warning { "WARNING" } else { "NOTICE" };
                writeln!(out, "{word} {}", error.message()).expect("a string takes all");
            }
            ClientResponse::CopyData(bytes) => out.push_str(&String::from_utf8_lossy(bytes)),
            ClientResponse::EmptyQuery => out.push_str("(empty)\n"),
            ClientResponse::Ready(_) | ClientResponse::Parameter { .. } => {}
            other => writeln!(out, "{other:?}").expect("a string takes all"),
        }
    }
    out
}

fn shown(error: &Error) -> String {
    let mut text = format!("{}: {}", error.state(), error.message());
    for (word, part) in [("DETAIL", error.detail()), ("HINT", error.hint())] {
        if let Some(part) = part {
            write!(text, " {word}: {part}").expect("a string takes all");
        }
    }
    if let Some(position) = error.position() {
        write!(text, " POSITION: {position}").expect("a string takes all");
    }
    text
}

fn rows(mut bytes: &[u8], out: &mut String) {
    fn take<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
        let (taken, rest) = bytes.split_at(count);
        *bytes = rest;
        taken
    }
    while !bytes.is_empty() {
        assert_eq!(take(&mut bytes, 5)[0], b'D');
        let count = u16::from_be_bytes(take(&mut bytes, 2).try_into().expect("two bytes"));
        let mut fields = Vec::new();
        for _ in 0..count {
            let length = i32::from_be_bytes(take(&mut bytes, 4).try_into().expect("four bytes"));
            fields.push(match usize::try_from(length) {
                Ok(length) => String::from_utf8_lossy(take(&mut bytes, length)).into_owned(),
                Err(_) => "NULL".to_owned(),
            });
        }
        writeln!(out, "{}", fields.join(" | ")).expect("a string takes all");
    }
}
