//! One module per command: its arguments, and the call that carries it out.

pub mod client;
pub mod cluster;
pub mod demo;
pub mod drain;
pub mod ledger;
pub mod node;
pub mod sim;
pub mod start;
pub mod status;

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

/// Lines of cells as columns, indented by two.
pub fn table(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> =
        (0..columns).map(|i| lines.iter().filter_map(|line| line.get(i)).map(|cell| cell.chars().count()).max().unwrap_or(0)).collect();
    let row = |line: &Vec<String>| {
        let cells: Vec<String> = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("  {}", cells.join("  ").trim_end())
    };
    lines.iter().map(row).collect::<Vec<String>>().join("\n")
}
