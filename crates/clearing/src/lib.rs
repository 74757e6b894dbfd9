//! Files that banks exchange. Readers are pure: bytes in, records or a list of problems out.
//!
//! Never here: files, sockets, the database. Who reads a file and posts its entries is the shell's business.

pub mod nacha;
