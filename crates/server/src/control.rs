//! Commands to the running process, one JSON object a line, for the demo and for tests.
//!
//! `{"links": {"round_trips": [["amber", "birch", 8.0]], "cut_zones": ["a1"], "cut_one_way": [["a1", "b1"]]}}` sets the state of all
//! emulated links; `{"clock_offset_ms": -500}` shifts the wall clock; `{"drain": true}` moves leaders away and stops. Each line is
//! answered by `{"ok": true}` or `{"error": "…"}`.

use crate::inbox::Inbox;
use crate::shared::Shared;
use crate::transport::links::{LinkSettings, Links};
use node::event::Event;
use serde::Deserialize;
use serde_json::json;
use std::io::{BufRead, Read, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Longest command.
const LINE_BYTES_MAX: u64 = 1 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Command {
    Links(LinkSettings),
    ClockOffsetMs(i64),
    Drain(bool),
}

pub struct Control {
    pub links: Arc<Links>,
    pub shared: Arc<Shared>,
    pub inbox: Arc<Inbox>,
}

impl Control {
    /// Reads commands on a thread of its own until the input ends.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn listen(self) -> std::io::Result<()> {
        std::thread::Builder::new().name("control".into()).spawn(move || {
            let mut input = std::io::stdin().lock();
            let mut line = String::new();
            loop {
                line.clear();
                match input.by_ref().take(LINE_BYTES_MAX).read_line(&mut line) {
                    Ok(0) => return,
                    Ok(_) if line.trim().is_empty() => {}
                    Ok(_) => say(&self.answer(&line)),
                    Err(error) => {
                        tracing::warn!(%error, "no more commands can be read");
                        return;
                    }
                }
            }
        })?;
        Ok(())
    }

    fn answer(&self, line: &str) -> serde_json::Value {
        match serde_json::from_str(line).map_err(|error| error.to_string()).and_then(|command| self.carry_out(command)) {
            Ok(()) => json!({ "ok": true }),
            Err(error) => json!({ "error": error }),
        }
    }

    fn carry_out(&self, command: Command) -> Result<(), String> {
        match command {
            Command::Links(settings) => self.links.set(settings)?,
            Command::ClockOffsetMs(millis) => self.shared.clock_offset.store(millis.saturating_mul(1000), Ordering::Relaxed),
            Command::Drain(wanted) => {
                if wanted {
                    self.inbox.event(Event::Drain);
                }
            }
        }
        Ok(())
    }
}

/// True if a line is a command.
pub fn is_command(line: &str) -> bool {
    serde_json::from_str::<Command>(line).is_ok()
}

/// Prints one line of JSON.
pub fn say(value: &serde_json::Value) {
    let mut out = std::io::stdout().lock();
    // Whoever gave the commands may not want to hear the answers.
    let _ = writeln!(out, "{value}").and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Locality;

    #[test]
    fn commands_are_carried_out_or_refused() {
        let links = Arc::new(Links::new(Locality { city: "amber".into(), zone: "a1".into() }));
        let control = Control { links, shared: Arc::new(Shared::new()), inbox: Arc::default() };
        let ok = json!({ "ok": true });
        assert_eq!(control.answer(r#"{"links": {"round_trips": [["amber", "amber", 1.0]], "cut_zones": ["a1"]}}"#), ok);
        assert!(*control.links.gate().borrow(), "its clients are cut off");
        assert_eq!(control.answer(r#"{"clock_offset_ms": -2}"#), ok);
        assert_eq!(control.shared.clock_offset.load(Ordering::Relaxed), -2000);
        assert!(control.answer("nonsense").get("error").is_some());
        assert!(control.answer(r#"{"fly": 1}"#).get("error").is_some());
    }
}
