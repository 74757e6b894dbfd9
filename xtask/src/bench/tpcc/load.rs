//! Fills the tables after clause 4.3.3: rows are made as they are sent by COPY, the same for both sides, and none is kept.

use super::random::{self, CUSTOMERS, ITEMS, Random};
use super::schema::{INDEXES, TABLES, Table};
use super::session::{Trouble, is_again};
use crate::bench::{Side, pgbench};
use std::io::{BufWriter, Write};
use std::process::Stdio;
use std::time::Instant;

const SQL_SECONDS_MAX: u64 = 300;
const COPY_SECONDS_MAX: u64 = 300;
/// A leader that changes takes the open transactions with it, as it may while much is loaded.
const COPY_TRIES_MAX: u32 = 5;
const ORDERS: i32 = 3_000;
/// Orders from this one on are not delivered.
const FIRST_NEW_ORDER: i32 = 2_101;
pub const DISTRICTS: i32 = 10;

/// How a load went.
#[derive(Clone, Copy, Debug, Default)]
pub struct Loaded {
    pub seconds: f64,
    /// COPYs that failed for a reason of class 40 and were sent again.
    pub retried: u32,
}

/// Makes and fills all tables.
pub fn load(side: &Side, warehouses: i32) -> Result<Loaded, String> {
    let (begin, mut retried) = (Instant::now(), 0);
    for table in TABLES {
        pgbench::sql(side.port, side.user, &format!("CREATE TABLE {} ({})", table.name, table.columns))?;
    }
    let now = pgbench::sql(side.port, side.user, "SELECT CAST(CURRENT_TIMESTAMP AS timestamp)")?;
    for table in TABLES {
        // Items belong to no warehouse.
        let last = if table.name == "item" { 1 } else { warehouses };
        for warehouse in 1..=last {
            retried += copy(side, table, &Part { warehouse, now: now.trim() })?;
        }
    }
    for index in INDEXES {
        bounded_sql(side, index, SQL_SECONDS_MAX)?;
    }
    for table in TABLES {
        bounded_sql(side, &format!("VACUUM ANALYZE {}", table.name), SQL_SECONDS_MAX)?;
    }
    Ok(Loaded { seconds: begin.elapsed().as_secs_f64(), retried })
}

/// Runs a statement that may take long, and gives what it answers under its column names.
pub fn bounded_sql(side: &Side, statement: &str, seconds_max: u64) -> Result<String, String> {
    let mut psql = pgbench::client("psql", side.port, side.user, seconds_max);
    crate::bench::process::run(psql.args(["-XAq", "-P", "footer=off", "-c", statement, side.user]))
}

/// Sends a part until it is taken, and gives how many times it was not.
fn copy(side: &Side, table: &Table, part: &Part) -> Result<u32, String> {
    let mut retried = 0;
    loop {
        match copy_once(side, table, part) {
            Ok(()) => return Ok(retried),
            Err(Trouble::Again(said)) if retried + 1 < COPY_TRIES_MAX => eprintln!("{}: tried again: {said}", side.user),
            Err(Trouble::Again(said) | Trouble::Broken(said)) => return Err(said),
        }
        retried += 1;
    }
}

fn copy_once(side: &Side, table: &Table, part: &Part) -> Result<(), Trouble> {
    let broken = |what: &str| Trouble::Broken(format!("COPY {}: {what}", table.name));
    let mut psql = pgbench::client("psql", side.port, side.user, COPY_SECONDS_MAX);
    let statement = format!("COPY {} FROM STDIN", table.name);
    psql.args(["-XAtq", "-v", "VERBOSITY=verbose", "-c", &statement, side.user]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = psql.spawn().map_err(|error| broken(&format!("{psql:?}: {error}")))?;
    let mut into = BufWriter::new(child.stdin.take().ok_or_else(|| broken("psql has no standard input"))?);
    // If psql gave up it has more to say than that its pipe is closed.
    let written = part.write(table.name, &mut into).and_then(|()| into.flush());
    drop(into);
    let output = child.wait_with_output().map_err(|error| broken(&error.to_string()))?;
    if output.status.success() {
        return written.map_err(|error| broken(&error.to_string()));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let first = said.lines().next().unwrap_or("psql said nothing");
    let code = first.strip_prefix("ERROR:  ").and_then(|rest| rest.split(':').next()).unwrap_or_default();
    let said = format!("COPY {}: {first} ({})", table.name, output.status);
    Err(if is_again(code) { Trouble::Again(said) } else { Trouble::Broken(said) })
}

/// One warehouse's share of a table.
struct Part<'a> {
    warehouse: i32,
    now: &'a str,
}

impl Part<'_> {
    fn write(&self, table: &str, into: &mut impl Write) -> std::io::Result<()> {
        match table {
            "item" => items(into),
            "warehouse" => self.warehouse(into),
            "district" => self.districts(into),
            "stock" => self.stock(into),
            "customer" => self.customers(into),
            "history" => self.history(into),
            "orders" => self.each_order(|order| order.write(self, into)),
            "new_order" => self.each_order(|order| order.write_new(self.warehouse, into)),
            "order_line" => self.each_order(|order| order.write_lines(self, into)),
            other => unreachable!("{other} is no table of the schema"),
        }
    }

    /// `kind` keeps the streams of two tables apart.
    fn random(&self, kind: u64, more: &[i32]) -> Random {
        let mut parts = vec![kind, self.warehouse as u64];
        parts.extend(more.iter().map(|part| *part as u64));
        Random::of(&parts)
    }

    fn warehouse(&self, into: &mut impl Write) -> std::io::Result<()> {
        let random = &mut self.random(1, &[]);
        let (name, address, tax) = (random.text(6, 10), address(random), random.within(0, 2_000));
        writeln!(into, "{}\t{name}\t{address}\t0.{tax:04}\t300000.00", self.warehouse)
    }

    fn districts(&self, into: &mut impl Write) -> std::io::Result<()> {
        let random = &mut self.random(2, &[]);
        for district in 1..=DISTRICTS {
            let (name, address, tax) = (random.text(6, 10), address(random), random.within(0, 2_000));
            writeln!(into, "{}\t{district}\t{name}\t{address}\t0.{tax:04}\t30000.00\t{}", self.warehouse, ORDERS + 1)?;
        }
        Ok(())
    }

    fn stock(&self, into: &mut impl Write) -> std::io::Result<()> {
        let random = &mut self.random(3, &[]);
        for item in 1..=ITEMS {
            write!(into, "{}\t{item}\t{}", self.warehouse, random.within(10, 100))?;
            for _ in 0..DISTRICTS {
                write!(into, "\t{}", random.text(24, 24))?;
            }
            writeln!(into, "\t0\t0\t0\t{}", random.data())?;
        }
        Ok(())
    }

    fn customers(&self, into: &mut impl Write) -> std::io::Result<()> {
        for district in 1..=DISTRICTS {
            let random = &mut self.random(4, &[district]);
            for id in 1..=CUSTOMERS {
                let last = match id {
                    1..=1_000 => random::last_name(id as u64 - 1),
                    _ => random.last_name(random::LAST_NAME_LOAD),
                };
                let (first, address, phone) = (random.text(8, 16), address(random), random.digits(16));
                let credit = if random.percent(10) { "BC" } else { "GC" };
                let (discount, data, now) = (random.within(0, 5_000), random.text(300, 500), self.now);
                write!(into, "{}\t{district}\t{id}\t{first}\tOE\t{last}\t{address}\t{phone}\t{now}\t{credit}\t", self.warehouse)?;
                writeln!(into, "50000.00\t0.{discount:04}\t-10.00\t10.00\t1\t0\t{data}")?;
            }
        }
        Ok(())
    }

    fn history(&self, into: &mut impl Write) -> std::io::Result<()> {
        let random = &mut self.random(5, &[]);
        let (warehouse, now) = (self.warehouse, self.now);
        for district in 1..=DISTRICTS {
            for customer in 1..=CUSTOMERS {
                let data = random.text(12, 24);
                writeln!(into, "{customer}\t{district}\t{warehouse}\t{district}\t{warehouse}\t{now}\t10.00\t{data}")?;
            }
        }
        Ok(())
    }

    fn each_order(&self, mut write: impl FnMut(&mut Order) -> std::io::Result<()>) -> std::io::Result<()> {
        let mut customers: Vec<i32> = (1..=CUSTOMERS).collect();
        for district in 1..=DISTRICTS {
            self.random(6, &[district]).shuffle(&mut customers);
            for id in 1..=ORDERS {
                let mut random = self.random(7, &[district, id]);
                let lines = random.within(5, 15);
                write(&mut Order { district, id, customer: customers[id as usize - 1], lines, random })?;
            }
        }
        Ok(())
    }
}

/// What three tables know of an order. Each draws from a stream of the order's own.
struct Order {
    district: i32,
    id: i32,
    customer: i32,
    lines: i32,
    random: Random,
}

impl Order {
    fn is_new(&self) -> bool {
        self.id >= FIRST_NEW_ORDER
    }

    fn write(&mut self, part: &Part, into: &mut impl Write) -> std::io::Result<()> {
        write!(into, "{}\t{}\t{}\t{}\t{}\t", part.warehouse, self.district, self.id, self.customer, part.now)?;
        match self.is_new() {
            true => write!(into, "\\N")?,
            false => write!(into, "{}", self.random.within(1, 10))?,
        }
        writeln!(into, "\t{}\t1", self.lines)
    }

    fn write_new(&self, warehouse: i32, into: &mut impl Write) -> std::io::Result<()> {
        if self.is_new() { writeln!(into, "{warehouse}\t{}\t{}", self.district, self.id) } else { Ok(()) }
    }

    fn write_lines(&mut self, part: &Part, into: &mut impl Write) -> std::io::Result<()> {
        for number in 1..=self.lines {
            let (item, text) = (self.random.within(1, ITEMS), self.random.text(24, 24));
            let (delivered, cents) = if self.is_new() { ("\\N", self.random.within(1, 999_999)) } else { (part.now, 0) };
            let (warehouse, amount) = (part.warehouse, super::numeric::Fixed::<2>(i64::from(cents)));
            write!(into, "{warehouse}\t{}\t{}\t{number}\t{item}\t{warehouse}\t", self.district, self.id)?;
            writeln!(into, "{delivered}\t5\t{amount}\t{text}")?;
        }
        Ok(())
    }
}

fn items(into: &mut impl Write) -> std::io::Result<()> {
    let random = &mut Random::of(&[0]);
    for id in 1..=ITEMS {
        let (image, name) = (random.within(1, 10_000), random.text(14, 24));
        let price = super::numeric::Fixed::<2>(i64::from(random.within(100, 10_000)));
        writeln!(into, "{id}\t{image}\t{name}\t{price}\t{}", random.data())?;
    }
    Ok(())
}

/// Two streets, city, state and zip code of clauses 4.3.2.7 and 4.3.3.1.
fn address(random: &mut Random) -> String {
    let places = [random.text(10, 20), random.text(10, 20), random.text(10, 20)];
    format!("{}\t{}\t{}11111", places.join("\t"), random.text(2, 2), random.digits(4))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(table: &str) -> Vec<Vec<String>> {
        let mut out = Vec::new();
        Part { warehouse: 2, now: "2026-01-02 03:04:05" }.write(table, &mut out).expect("memory takes all");
        let text = String::from_utf8(out).expect("letters and digits");
        text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
    }

    #[test]
    fn orders_have_as_many_lines_as_they_say_and_the_last_900_are_new() {
        let (orders, lines, new) = (rows("orders"), rows("order_line"), rows("new_order"));
        let said: usize = orders.iter().map(|row| row[6].parse::<usize>().expect("a count")).sum();
        assert_eq!((orders.len(), lines.len(), new.len()), (30_000, said, 9_000));
        assert!(orders.iter().all(|row| (row[5] == "\\N") == (row[2].parse::<i32>().expect("an id") >= FIRST_NEW_ORDER)));
        assert!(lines.iter().all(|row| (row[6] == "\\N") == (row[8] != "0.00")));
    }

    #[test]
    fn every_customer_of_a_district_has_one_order() {
        let mut customers: Vec<i32> = rows("orders").iter().filter(|row| row[1] == "3").map(|row| row[3].parse().expect("an id")).collect();
        assert_ne!(customers[..3], [1, 2, 3]);
        customers.sort_unstable();
        assert_eq!(customers, (1..=CUSTOMERS).collect::<Vec<_>>());
    }

    #[test]
    fn rows_have_as_many_fields_as_their_tables_have_columns() {
        for table in TABLES {
            let columns = table.columns.split(", PRIMARY KEY").next().expect("a split has a first part");
            // A comma within parentheses is followed by a digit.
            let columns = columns.split(", ").filter(|column| column.starts_with(|c: char| c.is_ascii_lowercase())).count();
            assert_eq!(rows(table.name)[0].len(), columns, "{}", table.name);
        }
    }
}
