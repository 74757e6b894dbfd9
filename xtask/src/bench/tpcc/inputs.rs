//! What is asked of a transaction: drawn once, so that the same is asked again after a deadlock (clauses 2.4.1 to 2.8.1).

use super::load::DISTRICTS;
use super::numeric::Money;
use super::random::{ITEMS, LAST_NAME_RUN, Random};

/// The five, in the order of the specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    NewOrder,
    Payment,
    OrderStatus,
    Delivery,
    StockLevel,
}

pub const KINDS: [Kind; 5] = [Kind::NewOrder, Kind::Payment, Kind::OrderStatus, Kind::Delivery, Kind::StockLevel];

impl Kind {
    pub fn name(self) -> &'static str {
        ["New-Order", "Payment", "Order-Status", "Delivery", "Stock-Level"][self as usize]
    }

    /// Of a hundred transactions. All but New-Order have the least that clause 5.2.3 asks for.
    fn share(self) -> usize {
        [45, 43, 4, 4, 4][self as usize]
    }
}

/// Kinds of transactions in random order and in exact shares (clause 5.2.4.2).
pub struct Deck {
    cards: Vec<Kind>,
    random: Random,
}

impl Deck {
    pub fn new(seed: u64) -> Deck {
        Deck { cards: Vec::new(), random: Random::of(&[10, seed]) }
    }

    pub fn draw(&mut self) -> Kind {
        if self.cards.is_empty() {
            self.cards = KINDS.iter().flat_map(|kind| std::iter::repeat_n(*kind, kind.share())).collect();
            self.random.shuffle(&mut self.cards);
        }
        self.cards.pop().expect("a deck has a hundred cards")
    }
}

/// Where a terminal stands, for the whole run.
#[derive(Clone, Copy, Debug)]
pub struct Home {
    pub warehouse: i32,
    /// Of Stock-Level alone: the other transactions draw theirs.
    pub district: i32,
    /// How many warehouses there are.
    pub warehouses: i32,
}

impl Home {
    /// Another warehouse than one's own, if there is one.
    fn elsewhere(self, random: &mut Random) -> i32 {
        if self.warehouses == 1 {
            return self.warehouse;
        }
        let drawn = random.within(1, self.warehouses - 1);
        if drawn < self.warehouse { drawn } else { drawn + 1 }
    }
}

#[derive(Clone, Debug)]
pub enum Who {
    Name(String),
    Number(i32),
}

impl Who {
    fn draw(random: &mut Random) -> Who {
        if random.percent(60) { Who::Name(random.last_name(LAST_NAME_RUN)) } else { Who::Number(random.customer()) }
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Line {
    pub item: i32,
    pub supplier: i32,
    pub quantity: i32,
}

#[derive(Clone, Debug)]
pub struct NewOrder {
    pub district: i32,
    pub customer: i32,
    pub lines: Vec<Line>,
}

impl NewOrder {
    pub fn draw(home: Home, random: &mut Random) -> NewOrder {
        let (district, customer) = (random.within(1, DISTRICTS), random.customer());
        let rolled_back = random.percent(1);
        let mut lines: Vec<Line> = (0..random.within(5, 15))
            .map(|_| {
                let (item, remote) = (random.item(), random.percent(1));
                let supplier = if remote { home.elsewhere(random) } else { home.warehouse };
                Line { item, supplier, quantity: random.within(1, 10) }
            })
            .collect();
        // Stock is locked in one order by all terminals, so that two orders do not wait for each other.
        lines.sort_by_key(|line| (line.supplier, line.item));
        if let (true, Some(last)) = (rolled_back, lines.last_mut()) {
            last.item = ITEMS + 1;
        }
        NewOrder { district, customer, lines }
    }
}

#[derive(Clone, Debug)]
pub struct Payment {
    pub district: i32,
    pub customer_warehouse: i32,
    pub customer_district: i32,
    pub who: Who,
    pub amount: Money,
}

impl Payment {
    pub fn draw(home: Home, random: &mut Random) -> Payment {
        let district = random.within(1, DISTRICTS);
        let (customer_warehouse, customer_district) = match random.percent(15) {
            true => (home.elsewhere(random), random.within(1, DISTRICTS)),
            false => (home.warehouse, district),
        };
        let amount = super::numeric::Fixed(i64::from(random.within(100, 500_000)));
        Payment { district, customer_warehouse, customer_district, who: Who::draw(random), amount }
    }
}

#[derive(Clone, Debug)]
pub enum Input {
    NewOrder(NewOrder),
    Payment(Payment),
    OrderStatus { district: i32, who: Who },
    Delivery { carrier: i32 },
    StockLevel { threshold: i32 },
}

impl Input {
    pub fn draw(kind: Kind, home: Home, random: &mut Random) -> Input {
        match kind {
            Kind::NewOrder => Input::NewOrder(NewOrder::draw(home, random)),
            Kind::Payment => Input::Payment(Payment::draw(home, random)),
            Kind::OrderStatus => Input::OrderStatus { district: random.within(1, DISTRICTS), who: Who::draw(random) },
            Kind::Delivery => Input::Delivery { carrier: random.within(1, 10) },
            Kind::StockLevel => Input::StockLevel { threshold: random.within(10, 20) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: Home = Home { warehouse: 3, district: 1, warehouses: 10 };

    fn share(count: usize, of: usize) -> f64 {
        count as f64 / of as f64
    }

    #[test]
    fn a_hundred_cards_have_the_shares_of_the_specification() {
        let mut deck = Deck::new(1);
        let drawn: Vec<Kind> = (0..200).map(|_| deck.draw()).collect();
        let counts = KINDS.map(|kind| drawn.iter().filter(|card| **card == kind).count());
        assert_eq!(counts, [90, 86, 8, 8, 8]);
    }

    #[test]
    fn one_order_in_a_hundred_ends_with_an_unused_item_and_one_line_in_a_hundred_is_remote() {
        let mut random = Random::of(&[3]);
        let orders: Vec<NewOrder> = (0..20_000).map(|_| NewOrder::draw(HOME, &mut random)).collect();
        let unused = orders.iter().filter(|order| order.lines.last().is_some_and(|line| line.item > ITEMS)).count();
        assert!((share(unused, orders.len()) - 0.01).abs() < 0.003, "{unused}");
        let lines: Vec<&Line> = orders.iter().flat_map(|order| &order.lines).collect();
        let remote = lines.iter().filter(|line| line.supplier != HOME.warehouse).count();
        assert!((share(remote, lines.len()) - 0.01).abs() < 0.001, "{remote} of {}", lines.len());
        assert!((share(lines.len(), orders.len()) - 10.0).abs() < 0.1);
    }

    #[test]
    fn payments_are_remote_and_by_name_as_often_as_they_should_be() {
        let mut random = Random::of(&[4]);
        let payments: Vec<Payment> = (0..20_000).map(|_| Payment::draw(HOME, &mut random)).collect();
        let remote = payments.iter().filter(|payment| payment.customer_warehouse != HOME.warehouse).count();
        let named = payments.iter().filter(|payment| matches!(payment.who, Who::Name(_))).count();
        assert!((share(remote, payments.len()) - 0.15).abs() < 0.01, "{remote}");
        assert!((share(named, payments.len()) - 0.60).abs() < 0.015, "{named}");
    }

    #[test]
    fn elsewhere_is_every_warehouse_but_ones_own() {
        let mut random = Random::of(&[5]);
        let drawn: std::collections::BTreeSet<i32> = (0..1_000).map(|_| HOME.elsewhere(&mut random)).collect();
        assert_eq!(drawn, [1, 2, 4, 5, 6, 7, 8, 9, 10].into());
    }
}
