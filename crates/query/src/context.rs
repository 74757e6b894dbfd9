//! What one query's functions and tables may look at beside their arguments.

use sql::catalog::Catalog;
use sql::engine::QuerySettings;
use sql::types::Settings;
use sql::types::zone::Zone;
use std::sync::{Arc, OnceLock};

/// Shared by the planner, the functions and the virtual tables of one query.
#[derive(Debug)]
pub struct QueryContext {
    pub catalog: Arc<Catalog>,
    pub settings: QuerySettings,
    evaluator: OnceLock<Settings>,
}

impl QueryContext {
    pub fn new(catalog: Arc<Catalog>, settings: QuerySettings) -> QueryContext {
        QueryContext { catalog, settings, evaluator: OnceLock::new() }
    }

    /// The settings as the native evaluator wants them.
    pub fn evaluator_settings(&self) -> Settings {
        self.evaluator.get_or_init(|| evaluator_settings(&self.settings)).clone()
    }

    /// The schemas that names without one are looked up in, as `current_schemas(true)` lists them.
    pub fn search_path(&self) -> Vec<String> {
        let mut path = vec![String::from("pg_catalog")];
        for entry in &self.settings.search_path {
            let name = if entry == "$user" { &self.settings.user } else { entry };
            let exists = self.catalog.schemas.contains_key(name) || crate::names::is_system_schema(name);
            if exists && !path.contains(name) {
                path.push(name.clone());
            }
        }
        path
    }
}

fn evaluator_settings(settings: &QuerySettings) -> Settings {
    Settings {
        user: Arc::from(settings.user.as_str()),
        session_user: Arc::from(settings.user.as_str()),
        database: Arc::from(settings.database.as_str()),
        search_path: Arc::from(settings.search_path.as_slice()),
        // The session refused a zone that does not exist when it was set.
        time_zone: Zone::find(&settings.time_zone).unwrap_or_else(Zone::utc),
        transaction_start: settings.transaction_start,
        statement_start: settings.statement_start,
        backend_pid: settings.backend_pid,
    }
}
