//! A table with rows of about a kilobyte that compress badly, so that the disk holds what was sent.

use super::{pgbench, process};
use std::io::{BufWriter, Write};
use std::process::Stdio;

const PAYLOAD_BYTES: usize = 1_000;
const LOAD_SECONDS_MAX: u64 = 300;

/// Fills the table with one COPY after the other.
pub struct Loader {
    port: u16,
    next_id: u32,
    seed: u64,
}

impl Loader {
    /// Makes the table.
    pub fn new(port: u16) -> Result<Loader, String> {
        pgbench::sql(port, "florin", "CREATE TABLE large (id int PRIMARY KEY, payload text NOT NULL)")?;
        Ok(Loader { port, next_id: 0, seed: 0x9E37_79B9_7F4A_7C15 })
    }

    pub fn copy(&mut self, rows: u32) -> Result<(), String> {
        let mut psql = pgbench::client("psql", self.port, "florin", LOAD_SECONDS_MAX);
        psql.args(["-XAtqc", "COPY large FROM STDIN", "florin"]).stdin(Stdio::piped());
        let mut child = process::Running { child: psql.spawn().map_err(|error| format!("{psql:?}: {error}"))? };
        let mut into = BufWriter::new(child.child.stdin.take().ok_or("psql has no standard input")?);
        for _ in 0..rows {
            self.write_row(&mut into).map_err(|error| format!("psql: {error}"))?;
        }
        drop(into);
        let status = child.child.wait().map_err(|error| format!("psql: {error}"))?;
        if status.success() { Ok(()) } else { Err(format!("COPY of {rows} rows of 1 kB: psql ended with {status}")) }
    }

    fn write_row(&mut self, into: &mut impl Write) -> std::io::Result<()> {
        write!(into, "{}\t", self.next_id)?;
        self.next_id += 1;
        for _ in 0..PAYLOAD_BYTES / 16 {
            // Marsaglia's xorshift.
            self.seed ^= self.seed << 13;
            self.seed ^= self.seed >> 7;
            self.seed ^= self.seed << 17;
            write!(into, "{:016x}", self.seed)?;
        }
        into.write_all(b"\n")
    }
}
