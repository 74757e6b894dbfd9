//! One module per command: its arguments, and the call that carries it out.

pub mod client;
pub mod cluster;
pub mod demo;
pub mod drain;
pub mod node;
pub mod sim;
pub mod start;
pub mod status;
pub mod tls;

/// Tells a person what went wrong and, where known, what to do.
pub fn print_error(error: &base::Error) {
    eprintln!("florin: {}", error.message());
    if let Some(detail) = error.detail() {
        eprintln!("  {detail}");
    }
    if let Some(hint) = error.hint() {
        eprintln!("  hint: {hint}");
    }
}
