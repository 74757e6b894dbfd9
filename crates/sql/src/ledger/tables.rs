//! Descriptors of the ledger's tables. They are in every cluster's catalog from its founding; docs/formats.md tells their bytes.

use crate::catalog::{Column, Index, Schema, Table};
use crate::types::Type;
use crate::value::Value;
use base::StorageId;

pub const SCHEMA: &str = "ledger";
const SCHEMA_OID: u32 = 13_002;

/// One of the ledger's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ledger {
    Ledgers,
    Accounts,
    Transfers,
    Entries,
    TransferStates,
    Expiries,
    Refused,
}

use Ledger::{Accounts, Entries, Expiries, Ledgers, Refused, TransferStates, Transfers};

/// A column: its name, its type, whether it may be NULL.
type Definition = (&'static str, Type, bool);

const NULL: bool = true;
const NOT_NULL: bool = false;

const LEDGERS: &[Definition] = &[
    ("id", Type::Int8, NOT_NULL),
    ("name", Type::Text, NOT_NULL),
    ("asset", Type::Text, NULL),
    ("currency", Type::Text, NULL),
    ("scale", Type::Int2, NOT_NULL),
    ("closed_through", Type::Int8, NULL),
    ("metadata", Type::Jsonb, NULL),
];

const ACCOUNTS: &[Definition] = &[
    ("id", Type::Uuid, NOT_NULL),
    ("ledger", Type::Int8, NOT_NULL),
    ("code", Type::Int4, NOT_NULL),
    ("flags", Type::Int4, NOT_NULL),
    ("timestamp", Type::Int8, NOT_NULL),
    ("changed", Type::Int8, NOT_NULL),
    ("debits_pending", Type::Numeric, NOT_NULL),
    ("debits_posted", Type::Numeric, NOT_NULL),
    ("credits_pending", Type::Numeric, NOT_NULL),
    ("credits_posted", Type::Numeric, NOT_NULL),
    ("parent", Type::Uuid, NULL),
    ("minimum", Type::Numeric, NULL),
    ("maximum", Type::Numeric, NULL),
    ("bounded", Type::Text, NULL),
    ("user_data_128", Type::Uuid, NULL),
    ("user_data_64", Type::Numeric, NULL),
    ("user_data_32", Type::Int8, NULL),
    ("metadata", Type::Jsonb, NULL),
];

const TRANSFERS: &[Definition] = &[
    ("id", Type::Uuid, NOT_NULL),
    ("ledger", Type::Int8, NOT_NULL),
    ("code", Type::Int4, NOT_NULL),
    ("flags", Type::Int4, NOT_NULL),
    ("timestamp", Type::Int8, NOT_NULL),
    ("debit_account", Type::Uuid, NULL),
    ("credit_account", Type::Uuid, NULL),
    ("amount", Type::Numeric, NOT_NULL),
    ("refers_to", Type::Uuid, NULL),
    ("timeout", Type::Int8, NULL),
    ("effective", Type::Int8, NULL),
    ("value_date", Type::Date, NULL),
    ("legs", Type::Bytea, NULL),
    ("user_data_128", Type::Uuid, NULL),
    ("user_data_64", Type::Numeric, NULL),
    ("user_data_32", Type::Int8, NULL),
    ("metadata", Type::Jsonb, NULL),
];

const ENTRIES: &[Definition] = &[
    ("account", Type::Uuid, NOT_NULL),
    ("timestamp", Type::Int8, NOT_NULL),
    ("number", Type::Int4, NOT_NULL),
    ("transfer", Type::Uuid, NOT_NULL),
    ("kind", Type::Text, NOT_NULL),
    ("debit", Type::Numeric, NULL),
    ("credit", Type::Numeric, NULL),
    ("debits_pending", Type::Numeric, NULL),
    ("debits_posted", Type::Numeric, NULL),
    ("credits_pending", Type::Numeric, NULL),
    ("credits_posted", Type::Numeric, NULL),
];

const TRANSFER_STATES: &[Definition] =
    &[("id", Type::Uuid, NOT_NULL), ("state", Type::Text, NULL), ("expires", Type::Int8, NULL), ("reversed", Type::Numeric, NULL)];

const EXPIRIES: &[Definition] = &[("expires", Type::Int8, NOT_NULL), ("id", Type::Uuid, NOT_NULL)];

const REFUSED: &[Definition] = &[("id", Type::Uuid, NOT_NULL), ("timestamp", Type::Int8, NOT_NULL)];

/// What is fixed of one table: oids of itself and its key, storage, columns, the columns of its key and of these the ones that tell its slot.
struct Shape {
    name: &'static str,
    oid: u32,
    storage: u32,
    columns: &'static [Definition],
    primary_key: &'static [usize],
    shard_key: &'static [usize],
}

impl Ledger {
    pub const ALL: [Ledger; 7] = [Ledgers, Accounts, Transfers, Entries, TransferStates, Expiries, Refused];

    fn shape(self) -> Shape {
        let (name, at, columns, primary_key, shard_key): (_, _, _, &[usize], &[usize]) = match self {
            Ledgers => ("ledgers", 0, LEDGERS, &[0], &[]),
            Accounts => ("accounts", 1, ACCOUNTS, &[0], &[0]),
            Transfers => ("transfers", 2, TRANSFERS, &[0], &[0]),
            Entries => ("entries", 3, ENTRIES, &[0, 1, 2], &[0]),
            TransferStates => ("transfer_states", 4, TRANSFER_STATES, &[0], &[0]),
            Expiries => ("expiries", 5, EXPIRIES, &[0, 1], &[1]),
            Refused => ("refused", 6, REFUSED, &[0], &[0]),
        };
        Shape { name, oid: 13_100 + 2 * at, storage: 1 + at, columns, primary_key, shard_key }
    }

    pub fn oid(self) -> u32 {
        self.shape().oid
    }

    pub fn table(self) -> Table {
        let Shape { name, oid, storage, columns, primary_key, shard_key } = self.shape();
        let primary = Index {
            oid: oid + 1,
            name: format!("{name}_pkey"),
            storage: StorageId(storage),
            columns: primary_key.to_vec(),
            unique: true,
            primary: true,
        };
        Table {
            oid,
            schema: SCHEMA.to_owned(),
            name: name.to_owned(),
            storage: StorageId(storage),
            columns: columns.iter().map(column).collect(),
            primary_key: primary_key.to_vec(),
            shard_key: shard_key.to_vec(),
            indexes: vec![primary],
            checks: Vec::new(),
        }
    }
}

fn column((name, ty, nullable): &Definition) -> Column {
    Column {
        name: (*name).to_owned(),
        type_oid: ty.oid(),
        type_modifier: -1,
        not_null: !nullable,
        default: None,
        identity: None,
        dropped: false,
        missing: Value::Null,
    }
}

pub fn schema() -> Schema {
    Schema { oid: SCHEMA_OID, name: SCHEMA.to_owned(), ..Schema::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::store::{FIRST_OID, FIRST_STORAGE};
    use std::collections::BTreeSet;

    #[test]
    fn oids_and_storages_are_their_own() {
        let tables: Vec<Table> = Ledger::ALL.into_iter().map(Ledger::table).collect();
        let oids: BTreeSet<u32> = tables.iter().flat_map(|table| [table.oid, table.indexes[0].oid]).collect();
        let storages: BTreeSet<u32> = tables.iter().map(|table| table.storage.0).collect();
        assert_eq!((oids.len(), storages.len()), (2 * tables.len(), tables.len()));
        assert!(oids.iter().all(|oid| *oid < FIRST_OID) && storages.iter().all(|storage| (1..FIRST_STORAGE).contains(storage)));
    }
}
