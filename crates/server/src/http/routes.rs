//! Which request is which operation. `openapi.json` says the same for others, and a test compares them.

use super::problem::Problem;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Document,
    ListLedgers,
    DefineLedger,
    GetLedger,
    ClosePeriod,
    ListAccounts,
    OpenAccounts,
    LookUpAccounts,
    GetAccount,
    GetAccountBalance,
    ListEntries,
    ListTransfers,
    PostTransfers,
    LookUpTransfers,
    GetTransfer,
    ListBalances,
    ListChanges,
    Audit,
}

use Operation::*;

/// Method, path with the places of its parameters, operation.
pub const ROUTES: &[(&str, &str, Operation)] = &[
    ("GET", "/v1/openapi.json", Document),
    ("GET", "/v1/ledger/ledgers", ListLedgers),
    ("POST", "/v1/ledger/ledgers", DefineLedger),
    ("GET", "/v1/ledger/ledgers/{id}", GetLedger),
    ("POST", "/v1/ledger/ledgers/{id}/close", ClosePeriod),
    ("GET", "/v1/ledger/accounts", ListAccounts),
    ("POST", "/v1/ledger/accounts", OpenAccounts),
    ("POST", "/v1/ledger/accounts/lookup", LookUpAccounts),
    ("GET", "/v1/ledger/accounts/{id}", GetAccount),
    ("GET", "/v1/ledger/accounts/{id}/balance", GetAccountBalance),
    ("GET", "/v1/ledger/accounts/{id}/entries", ListEntries),
    ("GET", "/v1/ledger/transfers", ListTransfers),
    ("POST", "/v1/ledger/transfers", PostTransfers),
    ("POST", "/v1/ledger/transfers/lookup", LookUpTransfers),
    ("GET", "/v1/ledger/transfers/{id}", GetTransfer),
    ("GET", "/v1/ledger/balances", ListBalances),
    ("GET", "/v1/ledger/changes", ListChanges),
    ("GET", "/v1/ledger/audit", Audit),
];

impl Operation {
    /// What a query may say.
    pub fn query(self) -> &'static [&'static str] {
        match self {
            ListLedgers => &["after", "limit"],
            ListAccounts => &["ledger", "code", "parent", "user_data_128", "user_data_64", "user_data_32", "after", "limit"],
            GetAccountBalance => &["as_of"],
            ListEntries => &["from", "before", "order", "after", "limit"],
            ListTransfers => {
                &["account", "ledger", "code", "user_data_128", "user_data_64", "user_data_32", "from", "before", "order", "after", "limit"]
            }
            ListChanges => &["after", "limit", "wait"],
            ListBalances => &["ledger", "as_of", "after", "limit"],
            Document | DefineLedger | GetLedger | ClosePeriod | OpenAccounts | LookUpAccounts | GetAccount | PostTransfers
            | LookUpTransfers | GetTransfer | Audit => &[],
        }
    }
}

/// A request's operation and the parameter in its path.
#[derive(Debug)]
pub struct Found {
    pub operation: Operation,
    pub id: Option<String>,
}

/// # Errors
/// 404 if there is no such path, 405 if it takes other methods.
pub fn find(method: &str, path: &str) -> Result<Found, Problem> {
    // What is written out wins over a parameter: the routes are in that order.
    let fitting: Vec<_> = ROUTES.iter().filter_map(|(known, route, operation)| Some((*known, fit(route, path)?, *operation))).collect();
    let Some((_, first, _)) = fitting.first() else {
        return Err(Problem::not_found(format!("there is nothing at {path}")).with_hint("GET /v1/openapi.json tells what there is."));
    };
    match fitting.iter().find(|(known, id, _)| *known == method && id == first) {
        Some((_, id, operation)) => Ok(Found { operation: *operation, id: id.clone() }),
        None => {
            let allowed: Vec<&str> = fitting.iter().filter(|(_, id, _)| id == first).map(|(known, ..)| *known).collect();
            Err(Problem::method_not_allowed(&allowed.join(", ")))
        }
    }
}

/// The path's parameter, if it fits the route: `Some(None)` if the route has none.
fn fit(route: &str, path: &str) -> Option<Option<String>> {
    let (mut wanted, mut given) = (route.split('/'), path.split('/'));
    let mut id = None;
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(id),
            (Some("{id}"), Some(segment)) if !segment.is_empty() => id = Some(segment.to_owned()),
            (Some(wanted), Some(given)) if wanted == given => {}
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_find_their_operation() {
        let found = |method, path| find(method, path).map(|found| (found.operation, found.id)).map_err(|problem| problem.status);
        assert_eq!(found("GET", "/v1/ledger/accounts"), Ok((ListAccounts, None)));
        assert_eq!(found("GET", "/v1/ledger/accounts/7/entries"), Ok((ListEntries, Some("7".to_owned()))));
        assert_eq!(found("POST", "/v1/ledger/accounts/lookup"), Ok((LookUpAccounts, None)));
        assert_eq!(found("GET", "/v1/ledger/accounts/lookup"), Err(405));
        assert_eq!(found("DELETE", "/v1/ledger/transfers/7"), Err(405));
        for path in ["/v1", "/v1/ledger/accounts/", "/v1/ledger/accounts//entries", "/v1/ledger/accounts/7/", "//v1/ledger/accounts"] {
            assert_eq!(found("GET", path), Err(404), "{path}");
        }
    }
}
