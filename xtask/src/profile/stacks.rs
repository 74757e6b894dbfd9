//! Stacks as `perf script -F comm,ip,sym` prints them, and in folded form: one line for each stack, with how often it was seen.
//!
//! The folded form is that of the FlameGraph tools: thread and functions from the outermost to the innermost, parted by `;`, a blank, a number.

use std::collections::BTreeMap;
use std::io::BufRead;

/// How often each stack was seen. The first of a stack is the thread's name.
#[derive(Default)]
pub struct Stacks(pub BTreeMap<Vec<String>, u64>);

impl Stacks {
    /// Reads what perf prints: a line with the thread's name, then the innermost function and those around it, then an empty line.
    ///
    /// # Errors
    /// If reading fails.
    pub fn read(from: impl BufRead) -> std::io::Result<Stacks> {
        let mut stacks = Stacks::default();
        let mut stack: Vec<String> = Vec::new();
        let mut thread = String::new();
        for line in from.lines() {
            let line = line?;
            if line.trim().is_empty() {
                stacks.add(&thread, &mut stack);
                thread.clear();
            } else if thread.is_empty() {
                thread = line.trim().replace(';', ":");
            } else if let Some(function) = function(&line) {
                stack.push(function);
            }
        }
        stacks.add(&thread, &mut stack);
        Ok(stacks)
    }

    fn add(&mut self, thread: &str, innermost_first: &mut Vec<String>) {
        if thread.is_empty() {
            return;
        }
        innermost_first.push(thread.to_owned());
        innermost_first.reverse();
        *self.0.entry(std::mem::take(innermost_first)).or_default() += 1;
    }

    pub fn folded(&self) -> String {
        self.0.iter().map(|(stack, count)| format!("{} {count}\n", stack.join(";"))).collect()
    }
}

/// The function of a line with its address and name; without the hash that tells monomorphic copies apart.
fn function(line: &str) -> Option<String> {
    let (_, name) = line.trim_start().split_once(' ')?;
    let name = name.trim();
    let plain = name.rsplit_once("::h").filter(|(_, hash)| hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()));
    Some(plain.map_or(name, |(plain, _)| plain).replace(';', ":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "node \n\t    7f1 memcpy\n\t    5f2 sql::row::read::h0123456789abcdef\n\t    5f3 node::node::Node::step\n\n\
        node \n\t    7f1 memcpy\n\t    5f4 sql::row::read::hfedcba9876543210\n\t    5f3 node::node::Node::step\n\n\
        tokio-rt worker \n\t    7f9 [unknown]\n";

    #[test]
    fn equal_stacks_are_counted_from_the_outermost_function() {
        let folded = Stacks::read(PRINTED.as_bytes()).expect("in memory").folded();
        assert_eq!(folded, "node;node::node::Node::step;sql::row::read;memcpy 2\ntokio-rt worker;[unknown] 1\n");
    }
}
