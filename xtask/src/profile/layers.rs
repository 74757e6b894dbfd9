//! Which layer of a statement's way each function belongs to: one table, by the start of the function's path.
//!
//! A sample belongs to the innermost function on its stack that the table knows, so that what libraries and the kernel do is charged to whoever
//! asked for it: a `memcpy` in the decoding of a row is execution, one in the decoding of a message is protocol. What was
//! inlined is charged to the function it became part of. Samples without any function of the table are "other".

/// In the order of a statement's way.
pub const LAYERS: &[&str] = &["socket", "protocol", "plan", "execute", "log", "consensus", "apply", "reply"];

/// Of several that fit the longest counts.
const TABLE: &[(&str, &str)] = &[
    // Bytes from and to clients and peers, and the turn of the thread that serves them.
    ("server", "socket"),
    ("tokio", "socket"),
    ("mio", "socket"),
    ("rustls", "socket"),
    ("node::node", "socket"),
    ("node::core", "socket"),
    ("node::timers", "socket"),
    // Messages to requests, and the conversation that they make.
    ("server::postgres::decode", "protocol"),
    ("node::session", "protocol"),
    ("node::sessions", "protocol"),
    ("node::slot", "protocol"),
    ("sql::session", "protocol"),
    ("sql::client", "protocol"),
    // From text to a plan.
    ("sql::parse", "plan"),
    ("sql::plan", "plan"),
    ("sql::catalog", "plan"),
    ("sql::session::statement", "plan"),
    ("sql::expr::bind", "plan"),
    ("sql::expr::bind_call", "plan"),
    ("sql::expr::bind_operator", "plan"),
    ("sql::expr::bind_special", "plan"),
    ("sql::expr::scope", "plan"),
    ("sqlparser", "plan"),
    // Rows found, locked, computed and written: at the gateway, on the way to the shard's leader and there, up to its log entry.
    ("sql", "execute"),
    ("sql::session::buffer", "execute"),
    ("sql::session::portal", "execute"),
    ("sql::session::staging", "execute"),
    ("sql::session::txn", "execute"),
    ("node", "execute"),
    ("query", "execute"),
    ("datafusion", "execute"),
    ("cluster", "execute"),
    ("shard", "execute"),
    ("storage::access", "execute"),
    ("ledger", "execute"),
    // The node's log on its disk.
    ("storage::log", "log"),
    ("node::log", "log"),
    ("server::disk", "log"),
    // Replicas of one log: entries and their acknowledgements, leases, and the frames that carry them.
    ("raft", "consensus"),
    ("raft_proto", "consensus"),
    ("shard::consensus", "consensus"),
    ("shard::codec", "consensus"),
    ("shard::memlog", "consensus"),
    ("shard::beat", "consensus"),
    ("shard::lease", "consensus"),
    ("shard::members", "consensus"),
    ("shard::vouch", "consensus"),
    ("node::peers", "consensus"),
    ("node::replicas", "consensus"),
    ("cluster::message", "consensus"),
    // What log entries make of the state, and its way into the row store.
    ("shard::entry", "apply"),
    ("shard::state", "apply"),
    ("shard::table", "apply"),
    ("shard::flush", "apply"),
    ("shard::moving", "apply"),
    ("shard::outcomes", "apply"),
    ("shard::keys", "apply"),
    ("storage::packed", "apply"),
    ("storage::rows", "apply"),
    ("fjall", "apply"),
    ("lsm_tree", "apply"),
    // Rows and tags to messages.
    ("sql::session::output", "reply"),
    ("sql::types::wire", "reply"),
    ("sql::types::text", "reply"),
    ("sql::types::binary", "reply"),
    ("server::postgres::encode", "reply"),
];

/// The layer of a function, by the path that its name starts with.
pub fn of(function: &str) -> Option<&'static str> {
    let path = function.trim_start_matches(['<', '&', '(', '*', '[']);
    let path = path.strip_prefix("mut ").or_else(|| path.strip_prefix("dyn ")).unwrap_or(path);
    let fits = |start: &str| path.strip_prefix(start).is_some_and(|rest| rest.starts_with("::"));
    TABLE.iter().filter(|(start, _)| fits(start)).max_by_key(|(start, _)| start.len()).map(|(_, layer)| *layer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_start_decides() {
        assert_eq!(of("server::postgres::connection::serve::{{closure}}"), Some("socket"));
        assert_eq!(of("server::postgres::decode::message"), Some("protocol"));
        assert_eq!(of("sql::session::txn::<impl sql::session::Session>::commit"), Some("execute"));
        assert_eq!(of("shard::shard::Shard::step"), Some("execute"));
    }

    #[test]
    fn a_method_of_a_trait_belongs_to_its_type() {
        assert_eq!(of("<sql::value::Value as core::clone::Clone>::clone"), Some("execute"));
        assert_eq!(of("<&mut raft::raft::Raft<T> as core::fmt::Debug>::fmt"), Some("consensus"));
    }

    #[test]
    fn libraries_that_anybody_calls_belong_to_nobody() {
        assert_eq!(of("core::ptr::drop_in_place<sql::value::Value>"), None);
        assert_eq!(of("__memmove_avx_unaligned_erms"), None);
        assert_eq!(of("sqlx::query"), None);
    }

    #[test]
    fn every_start_names_a_layer_once() {
        for (at, (start, layer)) in TABLE.iter().enumerate() {
            assert!(LAYERS.contains(layer), "{layer}");
            assert!(TABLE[..at].iter().all(|(other, _)| other != start), "{start}");
        }
    }
}
