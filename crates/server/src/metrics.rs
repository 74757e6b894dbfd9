//! Counters of the shell, and their text for Prometheus.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

/// Only grows.
#[derive(Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! counters {
    ($($field:ident: $help:literal),+ $(,)?) => {
        #[derive(Default)]
        pub struct Metrics {
            $(#[doc = $help] pub $field: Counter,)+
        }

        impl Metrics {
            fn each(&self, mut visit: impl FnMut(&str, &str, u64)) {
                $(visit(stringify!($field), $help, self.$field.get());)+
            }
        }
    };
}

counters! {
    sql_connections: "Connections of PostgreSQL clients that were accepted",
    sql_refused: "Connections refused because there were too many",
    sql_requests: "Messages of PostgreSQL clients",
    sql_malformed: "Malformed messages of PostgreSQL clients",
    sql_bytes_in: "Bytes from PostgreSQL clients",
    sql_bytes_out: "Bytes to PostgreSQL clients",
    http_requests: "Requests over HTTP",
    http_refused: "Requests over HTTP that were answered with an error",
    peer_frames_in: "Frames from other nodes",
    peer_frames_out: "Frames to other nodes",
    peer_frames_lost: "Frames to or from other nodes that were dropped: no connection, a full queue, or an emulated cut",
    peer_bytes_in: "Bytes in frames from other nodes",
    peer_bytes_out: "Bytes in frames to other nodes",
    peer_connections: "Connections to and from other nodes that were made",
    peer_refused: "Connections of other nodes that were refused",
    node_events: "Events that the node took",
    node_batches: "Batches of events that the node took",
    node_busy_micros: "Microseconds in which the node's thread was busy",
    log_writes: "Writes of the log",
    log_bytes: "Bytes written to the log",
    log_full: "Writes of the log that found the disk full",
    jobs: "Background jobs that were run",
}

impl Metrics {
    /// Prometheus text exposition format 0.0.4.
    pub fn text(&self, gauges: &[(&str, &str, u64)]) -> String {
        let mut text = String::new();
        let mut line = |name: &str, help: &str, kind: &str, value: u64| {
            writeln!(text, "# HELP florin_{name} {help}\n# TYPE florin_{name} {kind}\nflorin_{name} {value}")
                .expect("a string takes any text");
        };
        self.each(|name, help, value| line(&format!("{name}_total"), help, "counter", value));
        for (name, help, value) in gauges {
            line(name, help, "gauge", *value);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_and_gauges_are_printed_for_prometheus() {
        let metrics = Metrics::default();
        metrics.sql_requests.add(3);
        let text = metrics.text(&[("sessions", "Open sessions", 2)]);
        assert!(text.contains("# TYPE florin_sql_requests_total counter\nflorin_sql_requests_total 3\n"));
        assert!(text.ends_with("# TYPE florin_sessions gauge\nflorin_sessions 2\n"));
    }
}
