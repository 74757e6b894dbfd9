//! The twelve consistency conditions of clause 3.3.2, each as a query for the rows that break it.

use super::inputs::Kind;
use super::load::bounded_sql;
use super::terminals::Tally;
use crate::bench::{Side, pgbench};

const CHECK_SECONDS_MAX: u64 = 300;
/// Enough to see what is wrong.
const ROWS_SHOWN: usize = 10;

/// The sum of the delivered lines of each customer.
const DELIVERED: &str = "SELECT o_w_id, o_d_id, o_c_id, sum(ol_amount) AS delivered FROM orders \
JOIN order_line ON ol_w_id = o_w_id AND ol_d_id = o_d_id AND ol_o_id = o_id WHERE ol_delivery_d IS NOT NULL GROUP BY o_w_id, o_d_id, o_c_id";

/// The conditions in the order of their numbers.
fn queries() -> [String; 12] {
    [
        "SELECT w_id, w_ytd, districts FROM warehouse LEFT JOIN (SELECT d_w_id, sum(d_ytd) AS districts FROM district GROUP BY d_w_id) d \
         ON d_w_id = w_id WHERE w_ytd <> coalesce(districts, 0)"
            .to_owned(),
        "SELECT d_w_id, d_id, d_next_o_id, last_order, last_new FROM district \
         LEFT JOIN (SELECT o_w_id, o_d_id, max(o_id) AS last_order FROM orders GROUP BY o_w_id, o_d_id) o ON o_w_id = d_w_id AND o_d_id = d_id \
         LEFT JOIN (SELECT no_w_id, no_d_id, max(no_o_id) AS last_new FROM new_order GROUP BY no_w_id, no_d_id) n \
         ON no_w_id = d_w_id AND no_d_id = d_id \
         WHERE d_next_o_id - 1 <> coalesce(last_order, 0) OR d_next_o_id - 1 <> coalesce(last_new, d_next_o_id - 1)"
            .to_owned(),
        "SELECT no_w_id, no_d_id, min(no_o_id), max(no_o_id), count(*) FROM new_order GROUP BY no_w_id, no_d_id \
         HAVING max(no_o_id) - min(no_o_id) + 1 <> count(*)"
            .to_owned(),
        "SELECT d_w_id, d_id, said, lines FROM district \
         LEFT JOIN (SELECT o_w_id, o_d_id, sum(o_ol_cnt) AS said FROM orders GROUP BY o_w_id, o_d_id) o ON o_w_id = d_w_id AND o_d_id = d_id \
         LEFT JOIN (SELECT ol_w_id, ol_d_id, count(*) AS lines FROM order_line GROUP BY ol_w_id, ol_d_id) l \
         ON ol_w_id = d_w_id AND ol_d_id = d_id WHERE coalesce(said, 0) <> coalesce(lines, 0)"
            .to_owned(),
        "SELECT o_w_id, o_d_id, o_id, o_carrier_id, no_o_id FROM orders \
         LEFT JOIN new_order ON no_w_id = o_w_id AND no_d_id = o_d_id AND no_o_id = o_id WHERE (o_carrier_id IS NULL) <> (no_o_id IS NOT NULL)"
            .to_owned(),
        "SELECT o_w_id, o_d_id, o_id, o_ol_cnt, lines FROM orders \
         LEFT JOIN (SELECT ol_w_id, ol_d_id, ol_o_id, count(*) AS lines FROM order_line GROUP BY ol_w_id, ol_d_id, ol_o_id) l \
         ON ol_w_id = o_w_id AND ol_d_id = o_d_id AND ol_o_id = o_id WHERE o_ol_cnt <> coalesce(lines, 0)"
            .to_owned(),
        "SELECT ol_w_id, ol_d_id, ol_o_id, ol_number, ol_delivery_d, o_carrier_id FROM order_line \
         LEFT JOIN orders ON o_w_id = ol_w_id AND o_d_id = ol_d_id AND o_id = ol_o_id \
         WHERE o_id IS NULL OR (ol_delivery_d IS NULL) <> (o_carrier_id IS NULL)"
            .to_owned(),
        "SELECT w_id, w_ytd, paid FROM warehouse LEFT JOIN (SELECT h_w_id, sum(h_amount) AS paid FROM history GROUP BY h_w_id) h \
         ON h_w_id = w_id WHERE w_ytd <> coalesce(paid, 0)"
            .to_owned(),
        "SELECT d_w_id, d_id, d_ytd, paid FROM district \
         LEFT JOIN (SELECT h_w_id, h_d_id, sum(h_amount) AS paid FROM history GROUP BY h_w_id, h_d_id) h \
         ON h_w_id = d_w_id AND h_d_id = d_id WHERE d_ytd <> coalesce(paid, 0)"
            .to_owned(),
        format!(
            "SELECT c_w_id, c_d_id, c_id, c_balance, delivered, paid FROM customer \
             LEFT JOIN ({DELIVERED}) o ON o_w_id = c_w_id AND o_d_id = c_d_id AND o_c_id = c_id \
             LEFT JOIN (SELECT h_c_w_id, h_c_d_id, h_c_id, sum(h_amount) AS paid FROM history GROUP BY h_c_w_id, h_c_d_id, h_c_id) h \
             ON h_c_w_id = c_w_id AND h_c_d_id = c_d_id AND h_c_id = c_id WHERE c_balance <> coalesce(delivered, 0) - coalesce(paid, 0)"
        ),
        // The clause says 2,100, as it is after the load; each delivery since then has taken a row from new_order and is counted in c_delivery_cnt.
        "SELECT d_w_id, d_id, made, waiting, deliveries FROM district \
         LEFT JOIN (SELECT o_w_id, o_d_id, count(*) AS made FROM orders GROUP BY o_w_id, o_d_id) o ON o_w_id = d_w_id AND o_d_id = d_id \
         LEFT JOIN (SELECT no_w_id, no_d_id, count(*) AS waiting FROM new_order GROUP BY no_w_id, no_d_id) n \
         ON no_w_id = d_w_id AND no_d_id = d_id \
         LEFT JOIN (SELECT c_w_id, c_d_id, sum(c_delivery_cnt) AS deliveries FROM customer GROUP BY c_w_id, c_d_id) c \
         ON c_w_id = d_w_id AND c_d_id = d_id \
         WHERE coalesce(made, 0) - coalesce(waiting, 0) <> 2100 + coalesce(deliveries, 0)"
            .to_owned(),
        format!(
            "SELECT c_w_id, c_d_id, c_id, c_balance, c_ytd_payment, delivered FROM customer \
             LEFT JOIN ({DELIVERED}) o ON o_w_id = c_w_id AND o_d_id = c_d_id AND o_c_id = c_id \
             WHERE c_balance + c_ytd_payment <> coalesce(delivered, 0)"
        ),
    ]
}

/// What does not hold: for each condition its number and the first of the rows that break it. Empty if all twelve hold.
///
/// # Errors
/// A query that could not be run.
pub fn broken(side: &Side) -> Result<Vec<String>, String> {
    let mut broken = Vec::new();
    for (number, query) in (1..).zip(queries()) {
        let said = bounded_sql(side, &query, CHECK_SECONDS_MAX).map_err(|error| format!("condition 3.3.2.{number}: {error}"))?;
        // The first line has the names of the columns.
        let rows = said.lines().count().saturating_sub(1);
        if rows > 0 {
            let shown: Vec<&str> = said.lines().take(1 + ROWS_SHOWN).collect();
            broken.push(format!("condition 3.3.2.{number} is broken by {rows} rows: {}", shown.join("; ")));
        }
    }
    Ok(broken)
}

/// What the driver was told is committed and the tables do not have: a check beside those of the specification, for they also hold if a whole
/// transaction is lost.
///
/// # Errors
/// The query could not be run.
pub fn lost(side: &Side, warehouses: i32, tally: &Tally) -> Result<Vec<String>, String> {
    let done = |kind: Kind| tally.done[kind as usize];
    let loaded = 30_000 * u64::from(warehouses.unsigned_abs());
    let expected = [
        ("orders", loaded + done(Kind::NewOrder) - tally.rolled_back),
        ("history", loaded + done(Kind::Payment)),
        ("new_order", loaded * 3 / 10 + done(Kind::NewOrder) - tally.rolled_back - tally.delivered),
    ];
    let mut lost = Vec::new();
    for (table, rows) in expected {
        let said = pgbench::sql(side.port, side.user, &format!("SELECT count(*) FROM {table}"))?;
        if said.trim() != rows.to_string() {
            lost.push(format!("{table} has {} rows instead of {rows}", said.trim()));
        }
    }
    Ok(lost)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{florin, postgres, tpcc::load};

    /// What is changed, how it is undone, and the conditions that it breaks: each of the twelve at least once.
    const PLANTED: &[(&str, &str, &[&str])] = &[
        ("UPDATE warehouse SET w_ytd = w_ytd + 1", "UPDATE warehouse SET w_ytd = w_ytd - 1", &["1", "8"]),
        (
            "UPDATE district SET d_next_o_id = d_next_o_id + 1 WHERE d_id = 3",
            "UPDATE district SET d_next_o_id = d_next_o_id - 1 WHERE d_id = 3",
            &["2"],
        ),
        ("DELETE FROM new_order WHERE no_d_id = 4 AND no_o_id = 2500", "INSERT INTO new_order VALUES (1, 4, 2500)", &["3", "5", "11"]),
        (
            "UPDATE orders SET o_ol_cnt = o_ol_cnt + 1 WHERE o_d_id = 5 AND o_id = 7",
            "UPDATE orders SET o_ol_cnt = o_ol_cnt - 1 WHERE o_d_id = 5 AND o_id = 7",
            &["4", "6"],
        ),
        (
            "UPDATE orders SET o_carrier_id = NULL WHERE o_d_id = 6 AND o_id = 8",
            "UPDATE orders SET o_carrier_id = 1 WHERE o_d_id = 6 AND o_id = 8",
            &["5", "7"],
        ),
        (
            "UPDATE orders SET o_ol_cnt = o_ol_cnt + o_id * 2 - 19 WHERE o_d_id = 5 AND o_id IN (9, 10)",
            "UPDATE orders SET o_ol_cnt = o_ol_cnt - o_id * 2 + 19 WHERE o_d_id = 5 AND o_id IN (9, 10)",
            &["6"],
        ),
        (
            "UPDATE order_line SET ol_delivery_d = NULL WHERE ol_d_id = 7 AND ol_o_id = 11 AND ol_number = 1",
            "UPDATE order_line SET ol_delivery_d = CURRENT_TIMESTAMP WHERE ol_d_id = 7 AND ol_o_id = 11 AND ol_number = 1",
            &["7"],
        ),
        (
            "UPDATE history SET h_amount = h_amount + 1 WHERE h_c_d_id = 8 AND h_c_id = 5",
            "UPDATE history SET h_amount = h_amount - 1 WHERE h_c_d_id = 8 AND h_c_id = 5",
            &["8", "9", "10"],
        ),
        ("UPDATE district SET d_ytd = d_ytd + 1 WHERE d_id = 1", "UPDATE district SET d_ytd = d_ytd - 1 WHERE d_id = 1", &["1", "9"]),
        (
            "UPDATE customer SET c_balance = c_balance + 1, c_ytd_payment = c_ytd_payment - 1 WHERE c_d_id = 2 AND c_id = 2",
            "UPDATE customer SET c_balance = c_balance - 1, c_ytd_payment = c_ytd_payment + 1 WHERE c_d_id = 2 AND c_id = 2",
            &["10"],
        ),
        (
            "UPDATE customer SET c_delivery_cnt = 1 WHERE c_d_id = 2 AND c_id = 3",
            "UPDATE customer SET c_delivery_cnt = 0 WHERE c_d_id = 2 AND c_id = 3",
            &["11"],
        ),
        (
            "UPDATE customer SET c_ytd_payment = c_ytd_payment + 1 WHERE c_d_id = 2 AND c_id = 4",
            "UPDATE customer SET c_ytd_payment = c_ytd_payment - 1 WHERE c_d_id = 2 AND c_id = 4",
            &["12"],
        ),
    ];

    fn numbers(broken: &[String]) -> Vec<&str> {
        broken.iter().filter_map(|said| said.strip_prefix("condition 3.3.2.")?.split(' ').next()).collect()
    }

    fn each_is_reported(side: &Side) {
        load::load(side, 1).expect("loaded");
        assert_eq!(broken(side), Ok(Vec::new()), "after the load");
        assert_eq!(lost(side, 1, &Tally::default()), Ok(Vec::new()), "after the load");
        for (change, undo, expected) in PLANTED {
            load::bounded_sql(side, change, CHECK_SECONDS_MAX).expect("changed");
            let found = broken(side).expect("checked");
            assert_eq!(numbers(&found), *expected, "{}: {change}: {found:?}", side.user);
            load::bounded_sql(side, undo, CHECK_SECONDS_MAX).expect("undone");
        }
        assert_eq!(broken(side), Ok(Vec::new()), "after all was undone");
    }

    /// On PostgreSQL, and on the program that FLORIN_PROGRAM names.
    #[test]
    #[ignore = "needs PostgreSQL 15 and to run as root, and takes a minute or two"]
    fn each_condition_that_is_broken_is_reported() {
        let directory = std::env::temp_dir().join(format!("florin-bench-conditions-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("made");
        {
            let peer = postgres::Postgres::start(&directory.join("postgres"), true, "").expect("started");
            each_is_reported(&Side { port: peer.port(), user: "postgres", cpu: &Vec::new });
        }
        if let Some(program) = std::env::var_os("FLORIN_PROGRAM") {
            let ours = florin::Cluster::start(program.as_ref(), &directory.join("florin"), 1).expect("started");
            each_is_reported(&Side { port: ours.port(), user: "florin", cpu: &Vec::new });
        }
        std::fs::remove_dir_all(&directory).expect("removed");
    }
}
