//! The five transactions of clauses 2.4 to 2.8, a statement for each step.
//!
//! They run at READ COMMITTED, the servers' default: whatever is read to be written back is locked by the read.

use super::inputs::{Home, Input, Line, NewOrder, Payment, Who};
use super::load::DISTRICTS;
use super::numeric::{Fixed, Money};
use super::session::{Trouble, Work};
use std::time::SystemTime;
use tokio_postgres::Row;

/// What a transaction did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    Committed,
    /// As intended, by an order of an unused item.
    RolledBack,
    /// How many orders a committed Delivery delivered.
    Delivered(u64),
}

const CUSTOMER_AND_TAX: &str = "SELECT c_discount, c_last, c_credit, w_tax FROM customer, warehouse \
WHERE w_id = $1 AND c_w_id = $1 AND c_d_id = $2 AND c_id = $3";
const NEXT_ORDER: &str = "SELECT d_next_o_id, d_tax FROM district WHERE d_w_id = $1 AND d_id = $2 FOR UPDATE";
const COUNT_ORDER: &str = "UPDATE district SET d_next_o_id = $3 WHERE d_w_id = $1 AND d_id = $2";
const ADD_ORDER: &str = "INSERT INTO orders (o_w_id, o_d_id, o_id, o_c_id, o_entry_d, o_carrier_id, o_ol_cnt, o_all_local) \
VALUES ($1, $2, $3, $4, CURRENT_TIMESTAMP, NULL, $5, $6)";
const ADD_NEW_ORDER: &str = "INSERT INTO new_order (no_w_id, no_d_id, no_o_id) VALUES ($1, $2, $3)";
const ITEM: &str = "SELECT i_price, i_name, i_data FROM item WHERE i_id = $1";
const TAKE_STOCK: &str = "UPDATE stock SET s_quantity = $3, s_ytd = s_ytd + $4, s_order_cnt = s_order_cnt + 1, \
s_remote_cnt = s_remote_cnt + $5 WHERE s_w_id = $1 AND s_i_id = $2";
const ADD_LINE: &str = "INSERT INTO order_line (ol_w_id, ol_d_id, ol_o_id, ol_number, ol_i_id, ol_supply_w_id, ol_delivery_d, \
ol_quantity, ol_amount, ol_dist_info) VALUES ($1, $2, $3, $4, $5, $6, NULL, $7, $8, $9)";

/// Of a district, whose number is in a column's name.
macro_rules! stock_of {
    ($($district:literal),*) => {
        [$(concat!("SELECT s_quantity, s_dist_", $district, ", s_data FROM stock WHERE s_w_id = $1 AND s_i_id = $2 FOR UPDATE")),*]
    };
}
const STOCK: [&str; DISTRICTS as usize] = stock_of!("01", "02", "03", "04", "05", "06", "07", "08", "09", "10");

const PAY_WAREHOUSE: &str = "UPDATE warehouse SET w_ytd = w_ytd + $2 WHERE w_id = $1";
const WAREHOUSE: &str = "SELECT w_name, w_street_1, w_street_2, w_city, w_state, w_zip FROM warehouse WHERE w_id = $1";
const PAY_DISTRICT: &str = "UPDATE district SET d_ytd = d_ytd + $3 WHERE d_w_id = $1 AND d_id = $2";
const DISTRICT: &str = "SELECT d_name, d_street_1, d_street_2, d_city, d_state, d_zip FROM district WHERE d_w_id = $1 AND d_id = $2";
const NAMESAKES: &str = "SELECT c_id FROM customer WHERE c_w_id = $1 AND c_d_id = $2 AND c_last = $3 ORDER BY c_first";
const CUSTOMER_TO_PAY: &str = "SELECT c_first, c_middle, c_last, c_street_1, c_street_2, c_city, c_state, c_zip, c_phone, c_since, \
c_credit, c_credit_lim, c_discount, c_balance FROM customer WHERE c_w_id = $1 AND c_d_id = $2 AND c_id = $3 FOR UPDATE";
const CUSTOMER_DATA: &str = "SELECT c_data FROM customer WHERE c_w_id = $1 AND c_d_id = $2 AND c_id = $3";
const PAY_CUSTOMER: &str = "UPDATE customer SET c_balance = c_balance - $4, c_ytd_payment = c_ytd_payment + $4, \
c_payment_cnt = c_payment_cnt + 1 WHERE c_w_id = $1 AND c_d_id = $2 AND c_id = $3";
const PAY_CUSTOMER_DATA: &str = "UPDATE customer SET c_balance = c_balance - $4, c_ytd_payment = c_ytd_payment + $4, \
c_payment_cnt = c_payment_cnt + 1, c_data = $5 WHERE c_w_id = $1 AND c_d_id = $2 AND c_id = $3";
const ADD_HISTORY: &str = "INSERT INTO history (h_c_id, h_c_d_id, h_c_w_id, h_d_id, h_w_id, h_date, h_amount, h_data) \
VALUES ($1, $2, $3, $4, $5, CURRENT_TIMESTAMP, $6, $7)";
const C_DATA_LETTERS_MAX: usize = 500;

const CUSTOMER_BALANCE: &str = "SELECT c_balance, c_first, c_middle, c_last FROM customer WHERE c_w_id = $1 AND c_d_id = $2 AND c_id = $3";
const LAST_ORDER: &str = "SELECT o_id, o_entry_d, o_carrier_id FROM orders WHERE o_w_id = $1 AND o_d_id = $2 AND o_c_id = $3 \
ORDER BY o_id DESC LIMIT 1";
const LINES: &str = "SELECT ol_i_id, ol_supply_w_id, ol_quantity, ol_amount, ol_delivery_d FROM order_line \
WHERE ol_w_id = $1 AND ol_d_id = $2 AND ol_o_id = $3";

const OLDEST_NEW_ORDER: &str = "SELECT no_o_id FROM new_order WHERE no_w_id = $1 AND no_d_id = $2 ORDER BY no_o_id LIMIT 1 FOR UPDATE";
const DELETE_NEW_ORDER: &str = "DELETE FROM new_order WHERE no_w_id = $1 AND no_d_id = $2 AND no_o_id = $3";
const ORDER_TO_DELIVER: &str = "SELECT o_c_id, o_ol_cnt FROM orders WHERE o_w_id = $1 AND o_d_id = $2 AND o_id = $3 FOR UPDATE";
const CARRY: &str = "UPDATE orders SET o_carrier_id = $4 WHERE o_w_id = $1 AND o_d_id = $2 AND o_id = $3";
const DELIVER_LINES: &str = "UPDATE order_line SET ol_delivery_d = CURRENT_TIMESTAMP WHERE ol_w_id = $1 AND ol_d_id = $2 AND ol_o_id = $3";
const AMOUNT: &str = "SELECT sum(ol_amount) FROM order_line WHERE ol_w_id = $1 AND ol_d_id = $2 AND ol_o_id = $3";
const BILL_CUSTOMER: &str = "UPDATE customer SET c_balance = c_balance + $4, c_delivery_cnt = c_delivery_cnt + 1 \
WHERE c_w_id = $1 AND c_d_id = $2 AND c_id = $3";

const NEXT_ORDER_SEEN: &str = "SELECT d_next_o_id FROM district WHERE d_w_id = $1 AND d_id = $2";
const LOW_STOCK: &str = "SELECT count(DISTINCT s_i_id) FROM order_line, stock WHERE ol_w_id = $1 AND ol_d_id = $2 \
AND ol_o_id < $3 AND ol_o_id >= $3 - 20 AND s_w_id = $1 AND s_i_id = ol_i_id AND s_quantity < $4";

const STATEMENTS: &[&str] = &[
    CUSTOMER_AND_TAX,
    NEXT_ORDER,
    COUNT_ORDER,
    ADD_ORDER,
    ADD_NEW_ORDER,
    ITEM,
    TAKE_STOCK,
    ADD_LINE,
    PAY_WAREHOUSE,
    WAREHOUSE,
    PAY_DISTRICT,
    DISTRICT,
    NAMESAKES,
    CUSTOMER_TO_PAY,
    CUSTOMER_DATA,
    PAY_CUSTOMER,
    PAY_CUSTOMER_DATA,
    ADD_HISTORY,
    CUSTOMER_BALANCE,
    LAST_ORDER,
    LINES,
    OLDEST_NEW_ORDER,
    DELETE_NEW_ORDER,
    ORDER_TO_DELIVER,
    CARRY,
    DELIVER_LINES,
    AMOUNT,
    BILL_CUSTOMER,
    NEXT_ORDER_SEEN,
    LOW_STOCK,
];

/// All that a session has to prepare.
pub fn statements() -> impl Iterator<Item = &'static str> {
    STATEMENTS.iter().chain(&STOCK).copied()
}

/// Runs a transaction up to its commit, or up to its intended rollback.
pub async fn run(work: Work<'_>, home: Home, input: &Input) -> Result<Done, Trouble> {
    let outcome = match input {
        Input::NewOrder(input) => new_order(&work, home, input).await,
        Input::Payment(input) => payment(&work, home, input).await,
        Input::OrderStatus { district, who } => order_status(&work, home, *district, who).await,
        Input::Delivery { carrier } => delivery(&work, home, *carrier).await,
        Input::StockLevel { threshold } => stock_level(&work, home, *threshold).await,
    };
    match &outcome {
        Ok(Done::RolledBack) | Err(Trouble::Again(_)) => work.rollback().await?,
        Ok(_) => work.commit().await?,
        Err(Trouble::Broken(_)) => {}
    }
    outcome
}

/// A column of a row, whose type must fit.
fn get<'a, T: tokio_postgres::types::FromSql<'a>>(row: &'a Row, column: usize) -> Result<T, Trouble> {
    row.try_get(column).map_err(|error| Trouble::Broken(format!("{error}: column {column} of {row:?}")))
}

async fn new_order(work: &Work<'_>, home: Home, input: &NewOrder) -> Result<Done, Trouble> {
    let (warehouse, district) = (home.warehouse, input.district);
    work.row(CUSTOMER_AND_TAX, &[&warehouse, &district, &input.customer]).await?;
    let order: i32 = get(&work.row(NEXT_ORDER, &[&warehouse, &district]).await?, 0)?;
    work.change(COUNT_ORDER, &[&warehouse, &district, &(order + 1)], 1).await?;
    let all_local = i32::from(input.lines.iter().all(|line| line.supplier == warehouse));
    let lines = input.lines.len() as i32;
    work.change(ADD_ORDER, &[&warehouse, &district, &order, &input.customer, &lines, &all_local], 1).await?;
    work.change(ADD_NEW_ORDER, &[&warehouse, &district, &order], 1).await?;
    for (number, line) in (1..).zip(&input.lines) {
        let items = work.rows(ITEM, &[&line.item]).await?;
        // An unused item is the last, after all others were worked on (clause 2.4.2.3).
        let Some(item) = items.first() else { return Ok(Done::RolledBack) };
        let price: Money = get(item, 0)?;
        let text = take_stock(work, warehouse, district, line).await?;
        let amount: Money = Fixed(price.0 * i64::from(line.quantity));
        let Line { item, supplier, quantity } = line;
        work.change(ADD_LINE, &[&warehouse, &district, &order, &number, item, supplier, quantity, &amount, &text], 1).await?;
    }
    Ok(Done::Committed)
}

/// Takes an order's quantity from stock, which is filled up when it gets low, and gives the text of the district.
async fn take_stock(work: &Work<'_>, warehouse: i32, district: i32, line: &Line) -> Result<String, Trouble> {
    let stock = work.row(STOCK[district as usize - 1], &[&line.supplier, &line.item]).await?;
    let there: i32 = get(&stock, 0)?;
    let left = there - line.quantity;
    let left = if left >= 10 { left } else { left + 91 };
    let remote = i32::from(line.supplier != warehouse);
    work.change(TAKE_STOCK, &[&line.supplier, &line.item, &left, &line.quantity, &remote], 1).await?;
    get(&stock, 1)
}

async fn payment(work: &Work<'_>, home: Home, input: &Payment) -> Result<Done, Trouble> {
    let (warehouse, district, amount) = (home.warehouse, input.district, input.amount);
    work.change(PAY_WAREHOUSE, &[&warehouse, &amount], 1).await?;
    let warehouse_row = work.row(WAREHOUSE, &[&warehouse]).await?;
    work.change(PAY_DISTRICT, &[&warehouse, &district, &amount], 1).await?;
    let district_row = work.row(DISTRICT, &[&warehouse, &district]).await?;
    let (their_warehouse, their_district) = (input.customer_warehouse, input.customer_district);
    let customer = find(work, their_warehouse, their_district, &input.who).await?;
    let row = work.row(CUSTOMER_TO_PAY, &[&their_warehouse, &their_district, &customer]).await?;
    if get::<&str>(&row, 10)? == "BC" {
        let old = work.row(CUSTOMER_DATA, &[&their_warehouse, &their_district, &customer]).await?;
        let old: &str = get(&old, 0)?;
        let mut data = format!("{customer} {their_district} {their_warehouse} {district} {warehouse} {amount} {old}");
        data.truncate(C_DATA_LETTERS_MAX);
        work.change(PAY_CUSTOMER_DATA, &[&their_warehouse, &their_district, &customer, &amount, &data], 1).await?;
    } else {
        work.change(PAY_CUSTOMER, &[&their_warehouse, &their_district, &customer, &amount], 1).await?;
    }
    let data = format!("{}    {}", get::<&str>(&warehouse_row, 0)?, get::<&str>(&district_row, 0)?);
    work.change(ADD_HISTORY, &[&customer, &their_district, &their_warehouse, &district, &warehouse, &amount, &data], 1).await?;
    Ok(Done::Committed)
}

/// A customer's number; of several of one name that in the middle, rounded up.
async fn find(work: &Work<'_>, warehouse: i32, district: i32, who: &Who) -> Result<i32, Trouble> {
    let name = match who {
        Who::Number(number) => return Ok(*number),
        Who::Name(name) => name,
    };
    let rows = work.rows(NAMESAKES, &[&warehouse, &district, name]).await?;
    let middle = rows.get(rows.len().div_ceil(2).wrapping_sub(1));
    get(middle.ok_or_else(|| Trouble::Broken(format!("nobody of {warehouse}, {district} is called {name}")))?, 0)
}

async fn order_status(work: &Work<'_>, home: Home, district: i32, who: &Who) -> Result<Done, Trouble> {
    let customer = find(work, home.warehouse, district, who).await?;
    work.row(CUSTOMER_BALANCE, &[&home.warehouse, &district, &customer]).await?;
    let order = work.row(LAST_ORDER, &[&home.warehouse, &district, &customer]).await?;
    let carrier: Option<i32> = get(&order, 2)?;
    let lines = work.rows(LINES, &[&home.warehouse, &district, &get::<i32>(&order, 0)?]).await?;
    if lines.is_empty() {
        return Err(Trouble::Broken(format!("an order without lines: {order:?}")));
    }
    // Two statements see two states: an order may have been delivered in between, but not taken back.
    for line in &lines {
        let delivered: Option<SystemTime> = get(line, 4)?;
        if carrier.is_some() && delivered.is_none() {
            return Err(Trouble::Broken(format!("a delivered order has a line that is not: {order:?}, {line:?}")));
        }
    }
    Ok(Done::Committed)
}

async fn delivery(work: &Work<'_>, home: Home, carrier: i32) -> Result<Done, Trouble> {
    let warehouse = home.warehouse;
    let mut delivered = 0;
    for district in 1..=DISTRICTS {
        let rows = work.rows(OLDEST_NEW_ORDER, &[&warehouse, &district]).await?;
        // A district without waiting orders is skipped (clause 2.7.4.2).
        let Some(row) = rows.first() else { continue };
        let order: i32 = get(row, 0)?;
        work.change(DELETE_NEW_ORDER, &[&warehouse, &district, &order], 1).await?;
        let row = work.row(ORDER_TO_DELIVER, &[&warehouse, &district, &order]).await?;
        let (customer, lines) = (get::<i32>(&row, 0)?, get::<i32>(&row, 1)?);
        work.change(CARRY, &[&warehouse, &district, &order, &carrier], 1).await?;
        work.change(DELIVER_LINES, &[&warehouse, &district, &order], lines as u64).await?;
        let amount: Money = get(&work.row(AMOUNT, &[&warehouse, &district, &order]).await?, 0)?;
        work.change(BILL_CUSTOMER, &[&warehouse, &district, &customer, &amount], 1).await?;
        delivered += 1;
    }
    Ok(Done::Delivered(delivered))
}

async fn stock_level(work: &Work<'_>, home: Home, threshold: i32) -> Result<Done, Trouble> {
    let row = work.row(NEXT_ORDER_SEEN, &[&home.warehouse, &home.district]).await?;
    work.row(LOW_STOCK, &[&home.warehouse, &home.district, &get::<i32>(&row, 0)?, &threshold]).await?;
    Ok(Done::Committed)
}
