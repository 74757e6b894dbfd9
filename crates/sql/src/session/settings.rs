//! The session's settings: SET, SHOW, RESET, and their undoing with the transaction.

use crate::types::zone::Zone;
use base::{Error, Result, SqlState};
use std::collections::BTreeMap;
use std::time::Duration;
use storage::access::Isolation;

/// What drivers take as the version of PostgreSQL they talk to.
pub const SERVER_VERSION: &str = concat!("15.0 (Florin ", env!("CARGO_PKG_VERSION"), ")");

/// Most settings with a dot in their name that one session may make.
const CUSTOM_MAX: usize = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Bool,
    /// Bounds.
    Integer(i64, i64),
    /// Milliseconds.
    Duration,
    OneOf(&'static [&'static str]),
    Zone,
    SearchPath,
    Encoding,
    DateStyle,
    /// Told to the client, not to be set.
    Fixed,
}

struct Definition {
    name: &'static str,
    default: &'static str,
    kind: Kind,
    /// The client is told when it changes.
    reported: bool,
}

const fn def(name: &'static str, default: &'static str, kind: Kind, reported: bool) -> Definition {
    Definition { name, default, kind, reported }
}

const ISOLATIONS: &[&str] = &["read committed", "repeatable read", "serializable", "read uncommitted"];
const MESSAGES: &[&str] = &["debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error"];

/// Sorted by name. Those without a part in Florin are taken with the values that change nothing, because drivers and dumps set them.
static DEFINITIONS: &[Definition] = &[
    def("application_name", "", Kind::Text, true),
    def("backslash_quote", "safe_encoding", Kind::Text, false),
    def("bytea_output", "hex", Kind::OneOf(&["hex"]), false),
    def("check_function_bodies", "on", Kind::Bool, false),
    def("client_encoding", "UTF8", Kind::Encoding, true),
    def("client_min_messages", "notice", Kind::OneOf(MESSAGES), false),
    def("datestyle", "ISO, MDY", Kind::DateStyle, true),
    def("default_statistics_target", "100", Kind::Integer(1, 10_000), false),
    def("default_table_access_method", "heap", Kind::Text, false),
    def("default_tablespace", "", Kind::OneOf(&[""]), false),
    def("default_text_search_config", "pg_catalog.simple", Kind::Text, false),
    def("default_transaction_deferrable", "off", Kind::Bool, false),
    def("default_transaction_isolation", "read committed", Kind::OneOf(ISOLATIONS), false),
    def("default_transaction_read_only", "off", Kind::Bool, true),
    def("escape_string_warning", "on", Kind::Bool, false),
    def("extra_float_digits", "1", Kind::Integer(-15, 3), false),
    def("florin.read", "leader", Kind::OneOf(&["leader", "follower"]), false),
    def("florin.read_staleness", "5s", Kind::Duration, false),
    def("idle_in_transaction_session_timeout", "0", Kind::Duration, false),
    def("idle_session_timeout", "0", Kind::Duration, false),
    def("in_hot_standby", "off", Kind::Fixed, true),
    def("integer_datetimes", "on", Kind::Fixed, true),
    def("intervalstyle", "postgres", Kind::OneOf(&["postgres"]), true),
    def("is_superuser", "on", Kind::Fixed, true),
    def("jit", "off", Kind::Bool, false),
    def("lc_collate", "C", Kind::Fixed, false),
    def("lc_ctype", "C", Kind::Fixed, false),
    def("lc_messages", "C", Kind::Text, false),
    def("lc_monetary", "C", Kind::Text, false),
    def("lc_numeric", "C", Kind::Text, false),
    def("lc_time", "C", Kind::Text, false),
    def("lock_timeout", "0", Kind::Duration, false),
    def("log_statement", "none", Kind::Text, false),
    def("maintenance_work_mem", "64MB", Kind::Text, false),
    def("max_identifier_length", "63", Kind::Fixed, false),
    def("max_index_keys", "32", Kind::Fixed, false),
    def("plan_cache_mode", "auto", Kind::Text, false),
    def("role", "none", Kind::Text, false),
    def("row_security", "on", Kind::Bool, false),
    def("search_path", "\"$user\", public", Kind::SearchPath, false),
    def("server_encoding", "UTF8", Kind::Fixed, true),
    def("server_version", SERVER_VERSION, Kind::Fixed, true),
    def("server_version_num", "150000", Kind::Fixed, false),
    def("session_authorization", "", Kind::Text, true),
    def("session_replication_role", "origin", Kind::OneOf(&["origin"]), false),
    def("standard_conforming_strings", "on", Kind::OneOf(&["on"]), true),
    def("statement_timeout", "0", Kind::Duration, false),
    def("synchronous_commit", "on", Kind::Text, false),
    def("tcp_keepalives_count", "0", Kind::Integer(0, 1_000_000), false),
    def("tcp_keepalives_idle", "0", Kind::Integer(0, 1_000_000), false),
    def("tcp_keepalives_interval", "0", Kind::Integer(0, 1_000_000), false),
    def("temp_buffers", "8MB", Kind::Text, false),
    def("timezone", "UTC", Kind::Zone, true),
    def("transaction_isolation", "read committed", Kind::OneOf(ISOLATIONS), false),
    def("transaction_read_only", "off", Kind::Bool, false),
    def("work_mem", "4MB", Kind::Text, false),
    def("xmloption", "content", Kind::Text, false),
];

fn definition(name: &str) -> Option<&'static Definition> {
    DEFINITIONS.binary_search_by(|d| d.name.cmp(name)).ok().map(|at| &DEFINITIONS[at])
}

/// As the client is told and `SHOW ALL` lists it.
pub(crate) fn shown_name(name: &str) -> &str {
    match name {
        "datestyle" => "DateStyle",
        "timezone" => "TimeZone",
        "intervalstyle" => "IntervalStyle",
        other => other,
    }
}

/// What is read on every statement, parsed once when it is set.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    pub statement_timeout: Option<Duration>,
    pub lock_timeout: Option<Duration>,
    pub idle_in_transaction_timeout: Option<Duration>,
    pub idle_timeout: Option<Duration>,
    pub isolation: Isolation,
    pub read_only: bool,
    pub search_path: std::sync::Arc<[String]>,
    pub zone: Zone,
    /// Read from followers, this stale.
    pub follower: Option<Duration>,
    /// 0 errors only, 1 warnings, 2 notices.
    pub messages: u8,
}

#[derive(Clone, Debug)]
pub struct Settings {
    user: String,
    values: BTreeMap<String, String>,
    /// What a RESET goes back to where it is not the default: the startup packet's.
    initial: BTreeMap<String, String>,
    parsed: Parsed,
    /// Grows with each change of what plans depend on.
    pub plan_epoch: u64,
}

/// A state to go back to.
#[derive(Clone, Debug)]
pub struct Saved(BTreeMap<String, String>);

pub fn unknown(name: &str) -> Error {
    Error::new(SqlState::UNDEFINED_OBJECT, format!("unrecognized configuration parameter \"{name}\""))
}

impl Settings {
    pub fn new(user: &str) -> Settings {
        let mut values = BTreeMap::new();
        values.insert("session_authorization".to_owned(), user.to_owned());
        let parsed = Parsed {
            statement_timeout: None,
            lock_timeout: None,
            idle_in_transaction_timeout: None,
            idle_timeout: None,
            isolation: Isolation::ReadCommitted,
            read_only: false,
            search_path: ["public".to_owned()].into(),
            zone: Zone::utc(),
            follower: None,
            messages: 2,
        };
        let mut settings = Settings { user: user.to_owned(), initial: values.clone(), values, parsed, plan_epoch: 0 };
        settings.parse_all();
        settings
    }

    pub fn parsed(&self) -> &Parsed {
        &self.parsed
    }

    /// The startup packet's settings. Unknown ones are refused like SET's.
    pub fn start(&mut self, parameters: &[(String, String)]) -> Result<()> {
        for (name, value) in parameters {
            if name == "options" {
                for (name, value) in startup_options(value) {
                    self.set(&name, Some(&value))?;
                }
            } else if name != "replication" {
                self.set(&name.to_lowercase(), Some(value))?;
            }
        }
        self.initial = self.values.clone();
        Ok(())
    }

    pub fn get(&self, name: &str) -> Result<String> {
        if let Some(value) = self.values.get(name) {
            return Ok(value.clone());
        }
        definition(name).map(|d| d.default.to_owned()).ok_or_else(|| unknown(name))
    }

    /// Name, value.
    pub fn all(&self) -> Vec<(String, String)> {
        let mut all: BTreeMap<String, String> = DEFINITIONS.iter().map(|d| (shown_name(d.name).to_owned(), d.default.to_owned())).collect();
        all.extend(self.values.iter().map(|(name, value)| (shown_name(name).to_owned(), value.clone())));
        all.into_iter().collect()
    }

    /// `None`: to the default. Answers the name and value that the client must be told, if any.
    pub fn set(&mut self, name: &str, value: Option<&str>) -> Result<Option<(String, String)>> {
        let Some(definition) = definition(name) else {
            if !name.contains('.') {
                return Err(unknown(name));
            }
            match value {
                Some(_) if self.values.len() >= CUSTOM_MAX => {
                    let message = format!("a session can have {CUSTOM_MAX} settings");
                    return Err(Error::new(SqlState::CONFIGURATION_LIMIT_EXCEEDED, message));
                }
                Some(value) => drop(self.values.insert(name.to_owned(), value.to_owned())),
                None => drop(self.values.remove(name)),
            }
            return Ok(None);
        };
        let before = self.get(name)?;
        let value = match value {
            Some(value) => Some(canonical(definition, value)?),
            None => self.initial.get(name).cloned(),
        };
        match value {
            Some(value) => drop(self.values.insert(name.to_owned(), value)),
            None => drop(self.values.remove(name)),
        }
        self.parse_all();
        let after = self.get(name)?;
        Ok((definition.reported && after != before).then(|| (shown_name(name).to_owned(), after)))
    }

    pub fn reset_all(&mut self) -> Vec<(String, String)> {
        self.restore(Saved(self.initial.clone()))
    }

    pub fn save(&self) -> Saved {
        Saved(self.values.clone())
    }

    /// Answers what the client must be told.
    pub fn restore(&mut self, saved: Saved) -> Vec<(String, String)> {
        if saved.0 == self.values {
            return Vec::new();
        }
        let before = std::mem::replace(&mut self.values, saved.0);
        self.parse_all();
        let changed = |d: &&Definition| {
            let old = before.get(d.name).map_or(d.default, String::as_str);
            d.reported && self.values.get(d.name).map_or(d.default, String::as_str) != old
        };
        DEFINITIONS
            .iter()
            .filter(changed)
            .map(|d| (shown_name(d.name).to_owned(), self.values.get(d.name).cloned().unwrap_or_else(|| d.default.to_owned())))
            .collect()
    }

    /// What the client is told at the start.
    pub fn reported(&self) -> Vec<(String, String)> {
        let value = |d: &Definition| self.values.get(d.name).cloned().unwrap_or_else(|| d.default.to_owned());
        DEFINITIONS.iter().filter(|d| d.reported).map(|d| (shown_name(d.name).to_owned(), value(d))).collect()
    }

    fn parse_all(&mut self) {
        let text = |name: &str| self.get(name).expect("has a definition");
        let duration = |name: &str| match duration_millis(&text(name)) {
            None | Some(0) => None,
            Some(millis) => Some(Duration::from_millis(millis)),
        };
        let search_path: Vec<String> = search_path(&text("search_path"), &self.user);
        let parsed = Parsed {
            statement_timeout: duration("statement_timeout"),
            lock_timeout: duration("lock_timeout"),
            idle_in_transaction_timeout: duration("idle_in_transaction_session_timeout"),
            idle_timeout: duration("idle_session_timeout"),
            isolation: isolation(&text("default_transaction_isolation")),
            read_only: text("default_transaction_read_only") == "on",
            search_path: search_path.into(),
            zone: Zone::parse(&text("timezone")).unwrap_or_else(|_| Zone::utc()),
            follower: (text("florin.read") == "follower").then(|| duration("florin.read_staleness").unwrap_or_default()),
            messages: match text("client_min_messages").as_str() {
                "error" => 0,
                "warning" => 1,
                _ => 2,
            },
        };
        if parsed.search_path != self.parsed.search_path || parsed.zone != self.parsed.zone {
            self.plan_epoch += 1;
        }
        self.parsed = parsed;
    }
}

pub fn isolation(text: &str) -> Isolation {
    match text {
        "serializable" => Isolation::Serializable,
        "repeatable read" => Isolation::RepeatableRead,
        _ => Isolation::ReadCommitted,
    }
}

pub fn isolation_name(isolation: Isolation) -> &'static str {
    match isolation {
        Isolation::ReadCommitted => "read committed",
        Isolation::RepeatableRead => "repeatable read",
        Isolation::Serializable => "serializable",
    }
}

/// `-c name=value` and `--name=value`, with `\ ` for a blank.
fn startup_options(text: &str) -> Vec<(String, String)> {
    let mut words: Vec<String> = vec![String::new()];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => words.last_mut().expect("never empty").extend(chars.next()),
            ' ' => words.push(String::new()),
            c => words.last_mut().expect("never empty").push(c),
        }
    }
    let pairs = words.iter().filter_map(|word| {
        let word = word.strip_prefix("--").or_else(|| word.strip_prefix("-c")).unwrap_or(word);
        word.split_once('=')
    });
    pairs.map(|(name, value)| (name.replace('-', "_").to_lowercase(), value.to_owned())).collect()
}

/// The implied `pg_catalog` comes first, as in PostgreSQL, unless it is named.
fn search_path(text: &str, user: &str) -> Vec<String> {
    let mut path: Vec<String> = Vec::new();
    for part in text.split(',') {
        let part = part.trim();
        let name = match part.strip_prefix('"').and_then(|p| p.strip_suffix('"')) {
            Some(quoted) => quoted.replace("\"\"", "\""),
            None => part.to_lowercase(),
        };
        match name.as_str() {
            "" => {}
            // Florin's own schemas are not made for a user of the same name.
            "$user" if crate::catalog::lookup::SYSTEM_SCHEMAS.contains(&user) => {}
            "$user" => path.push(user.to_owned()),
            _ => path.push(name),
        }
    }
    path
}

fn canonical(definition: &Definition, value: &str) -> Result<String> {
    let name = definition.name;
    let invalid = || {
        let message = format!("invalid value for parameter \"{}\": \"{value}\"", shown_name(name));
        Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
    };
    let lower = value.trim().to_lowercase();
    match definition.kind {
        Kind::Text | Kind::SearchPath => Ok(value.to_owned()),
        Kind::Fixed if value == definition.default => Ok(value.to_owned()),
        Kind::Fixed => Err(Error::new(SqlState::OBJECT_IN_USE, format!("parameter \"{name}\" cannot be changed"))),
        Kind::Bool => match lower.as_str() {
            "on" | "true" | "yes" | "1" | "t" | "y" => Ok("on".into()),
            "off" | "false" | "no" | "0" | "f" | "n" => Ok("off".into()),
            _ => Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("parameter \"{name}\" requires a Boolean value"))),
        },
        Kind::Integer(low, high) => {
            let number: i64 = lower.parse().map_err(|_| invalid())?;
            if (low..=high).contains(&number) { Ok(lower) } else { Err(invalid()) }
        }
        Kind::Duration => duration_millis(&lower).map(shown_duration).ok_or_else(invalid),
        Kind::OneOf(values) if values.contains(&lower.as_str()) => {
            Ok(if lower == "read uncommitted" { "read committed".into() } else { lower })
        }
        Kind::OneOf(_) => Err(invalid()),
        Kind::Zone => Zone::parse(value).map(|zone| zone.name().to_owned()).map_err(|_| invalid()),
        Kind::Encoding => match lower.replace(['-', '_'], "").as_str() {
            "utf8" | "unicode" | "auto" | "sqlascii" => Ok("UTF8".into()),
            _ => Err(Error::unsupported(format!("client encoding {value}")).with_hint("Use UTF8.")),
        },
        Kind::DateStyle => {
            let iso = lower.split(',').all(|part| matches!(part.trim(), "iso" | "mdy" | "us" | "noneuropean"));
            if iso { Ok("ISO, MDY".into()) } else { Err(Error::unsupported(format!("DateStyle {value}")).with_hint("Use ISO, MDY.")) }
        }
    }
}

/// `1500`, `1500ms`, `2s`, `5min`, `1h`, `1d`.
fn duration_millis(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let number: u64 = text[..digits].parse().ok()?;
    let unit = match text[digits..].trim() {
        "" | "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(unit).filter(|millis| *millis <= i32::MAX as u64)
}

fn shown_duration(millis: u64) -> String {
    for (unit, name) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s")] {
        if millis > 0 && millis.is_multiple_of(unit) {
            return format!("{}{name}", millis / unit);
        }
    }
    if millis == 0 { "0".into() } else { format!("{millis}ms") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_sorted_and_valid() {
        assert!(DEFINITIONS.is_sorted_by_key(|d| d.name));
        for definition in DEFINITIONS {
            assert!(canonical(definition, definition.default).is_ok(), "{}", definition.name);
        }
    }

    #[test]
    fn settings_are_checked_shown_and_restored() {
        let mut settings = Settings::new("ada");
        assert_eq!(settings.set("statement_timeout", Some("1500")).expect("valid"), None);
        assert_eq!(settings.get("statement_timeout").expect("set"), "1500ms");
        assert_eq!(settings.parsed().statement_timeout, Some(Duration::from_millis(1500)));
        assert_eq!(settings.set("no_such", Some("1")).expect_err("unknown").state(), SqlState::UNDEFINED_OBJECT);
        assert!(settings.set("my.own", Some("x")).is_ok());
        let saved = settings.save();
        let told = settings.set("timezone", Some("Europe/Berlin")).expect("a zone");
        assert_eq!(told, Some(("TimeZone".into(), "Europe/Berlin".into())));
        assert_eq!(settings.restore(saved), [("TimeZone".to_owned(), "UTC".to_owned())]);
        assert_eq!(&settings.parsed().search_path[..], ["ada", "public"]);
    }
}
