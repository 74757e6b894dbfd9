//! The ledger as clients write and read it: calls, documents, packed batches, and rows as text.

use crate::check::books::{Account, Entry, Fate, Kind, Leg, State, Tables, Transfer, keeps};
use crate::check::told::ALL;
use crate::client::Reply;
use crate::clock::EPOCH_MICROS;

/// Bytes of one transfer and of one outcome in a packed batch, and of a leg in a row (docs/formats.md).
const EVENT_BYTES: usize = 128;
const OUTCOME_BYTES: usize = 16;
const LEG_BYTES: usize = 33;

const FLAGS: [(u16, &str); 8] = [
    (2, "pending"),
    (4, "post"),
    (8, "void"),
    (16, "balancing_debit"),
    (32, "balancing_credit"),
    (64, "closing_debit"),
    (128, "closing_credit"),
    (512, "reverse"),
];

pub fn uuid(id: u128) -> String {
    let hex = format!("{id:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

fn or_null(id: u128) -> String {
    if id == 0 { "NULL".into() } else { format!("'{}'", uuid(id)) }
}

/// All runs are shorter than the rest of the day on which the world begins, at eight o'clock.
pub fn time(nanoseconds: u64) -> String {
    let micros = nanoseconds / 1_000 - EPOCH_MICROS;
    let seconds = micros / 1_000_000;
    format!("2027-01-15 {:02}:{:02}:{:02}.{:06}+00", 8 + seconds / 3_600, seconds / 60 % 60, seconds % 60, micros % 1_000_000)
}

pub fn call(wanted: &Transfer) -> String {
    let Transfer { ledger, code, flags, timeout, effective, .. } = wanted;
    let mut text =
        format!("SELECT ledger.transfer('{}', {}, {}, {}", uuid(wanted.id), or_null(wanted.debit), or_null(wanted.credit), wanted.amount);
    let mut add = |name: &str, value: String| text.push_str(&format!(", {name} => {value}"));
    if wanted.refers_to == 0 {
        add("ledger", ledger.to_string());
        add("code", code.to_string());
    } else {
        add("refers_to", or_null(wanted.refers_to));
    }
    if *flags != 0 {
        add("flags", flags.to_string());
    }
    if *timeout != 0 {
        add("timeout", timeout.to_string());
    }
    if *effective != 0 {
        add("effective", format!("'{}'", time(*effective)));
    }
    text + ")"
}

pub fn document(wanted: &Transfer) -> String {
    let mut members = vec![format!(r#""id": "{}""#, uuid(wanted.id))];
    for (name, id) in [("debit_account", wanted.debit), ("credit_account", wanted.credit), ("refers_to", wanted.refers_to)] {
        members.extend((id != 0).then(|| format!(r#""{name}": "{}""#, uuid(id))));
    }
    let numbers = [
        ("ledger", i128::from(wanted.ledger)),
        ("code", wanted.code.into()),
        ("amount", wanted.amount),
        ("timeout", wanted.timeout.into()),
    ];
    members.extend(numbers.iter().filter(|(_, number)| *number != 0).map(|(name, number)| format!(r#""{name}": {number}"#)));
    let flags: Vec<String> = FLAGS.iter().filter(|(flag, _)| wanted.is(*flag)).map(|(_, name)| format!(r#""{name}""#)).collect();
    members.extend((!flags.is_empty()).then(|| format!(r#""flags": [{}]"#, flags.join(", "))));
    members.extend((wanted.effective != 0).then(|| format!(r#""effective": "{}""#, time(wanted.effective))));
    for (name, is_credit) in [("debits", false), ("credits", true)] {
        let legs = wanted.legs.iter().filter(|leg| leg.is_credit == is_credit);
        let legs: Vec<String> = legs.map(|leg| format!(r#"{{"account": "{}", "amount": {}}}"#, uuid(leg.account), leg.amount)).collect();
        members.extend((!legs.is_empty()).then(|| format!(r#""{name}": [{}]"#, legs.join(", "))));
    }
    format!("SELECT ledger.post('{{{}}}')", members.join(", "))
}

pub fn insert(wanted: &[Transfer]) -> String {
    let row = |wanted: &Transfer| {
        let effective = if wanted.effective == 0 { "NULL".to_string() } else { wanted.effective.to_string() };
        let timeout = if wanted.timeout == 0 { "NULL".to_string() } else { wanted.timeout.to_string() };
        let Transfer { id, ledger, code, flags, debit, credit, amount, refers_to, .. } = wanted;
        let (id, debit, credit, refers_to) = (or_null(*id), or_null(*debit), or_null(*credit), or_null(*refers_to));
        format!("({id}, {ledger}, {code}, {flags}, {debit}, {credit}, {amount}, {refers_to}, {timeout}, {effective})")
    };
    let rows: Vec<String> = wanted.iter().map(row).collect();
    let columns = "id, ledger, code, flags, debit_account, credit_account, amount, refers_to, timeout, effective";
    format!("INSERT INTO ledger.transfers ({columns}) VALUES {} RETURNING timestamp", rows.join(", "))
}

/// A batch in the packed form.
pub fn packed(batch: &[Transfer]) -> String {
    let mut bytes = Vec::with_capacity(batch.len() * EVENT_BYTES);
    for wanted in batch {
        let amount = if wanted.amount == ALL { u128::MAX } else { wanted.amount as u128 };
        let wide = [wanted.id, wanted.debit, wanted.credit, amount, wanted.refers_to, 0];
        wide.iter().for_each(|field| bytes.extend(field.to_le_bytes()));
        bytes.extend(0u64.to_le_bytes());
        [0, wanted.timeout, wanted.ledger].iter().for_each(|field| bytes.extend(field.to_le_bytes()));
        [wanted.code, wanted.flags].iter().for_each(|field| bytes.extend(field.to_le_bytes()));
        bytes.extend(0u64.to_le_bytes());
    }
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("SELECT ledger.create_transfers('\\x{hex}')")
}

/// Timestamp and code of each event.
pub fn outcomes(reply: &Reply) -> Vec<(u64, u16)> {
    let bytes = bytes(reply.rows.first().and_then(|row| row.first()).and_then(Option::as_deref).unwrap_or_default());
    let outcome = |bytes: &[u8; OUTCOME_BYTES]| {
        let (timestamp, rest) = bytes.split_first_chunk().expect("an outcome has 16 bytes");
        (u64::from_le_bytes(*timestamp), u16::from_le_bytes([rest[0], rest[1]]))
    };
    bytes.as_chunks().0.iter().map(outcome).collect()
}

/// What SQL writes as `\x` and digits.
fn bytes(text: &str) -> Vec<u8> {
    let digits = text.strip_prefix("\\x").unwrap_or_default().as_bytes();
    let digit = |byte: u8| (byte as char).to_digit(16).unwrap_or(0) as u8;
    digits.chunks(2).map(|pair| digit(pair[0]) * 16 + pair.get(1).map_or(0, |low| digit(*low))).collect()
}

pub fn open(wanted: &Account) -> String {
    let mut members = vec![format!(r#""id": "{}", "ledger": {}, "code": {}"#, uuid(wanted.id), wanted.ledger, wanted.code)];
    let flags = [
        (keeps::DEBITS_WITHIN_CREDITS, "debits_within_credits"),
        (keeps::CREDITS_WITHIN_DEBITS, "credits_within_debits"),
        (keeps::HISTORY, "history"),
    ];
    let flags: Vec<String> = flags.iter().filter(|(flag, _)| wanted.flags & flag != 0).map(|(_, name)| format!(r#""{name}""#)).collect();
    members.push(format!(r#""flags": [{}]"#, flags.join(", ")));
    members.extend((wanted.parent != 0).then(|| format!(r#""parent": "{}""#, uuid(wanted.parent))));
    members.extend(wanted.minimum.map(|minimum| format!(r#""minimum": {minimum}"#)));
    members.extend(wanted.maximum.map(|maximum| format!(r#""maximum": {maximum}"#)));
    members.push(format!(r#""bounded": "{}""#, bounded(wanted)));
    format!("SELECT ledger.open_account('{{{}}}')", members.join(", "))
}

fn bounded(wanted: &Account) -> &'static str {
    if wanted.on_available { "available" } else { "posted" }
}

pub fn insert_account(wanted: &Account) -> String {
    let minimum = wanted.minimum.map_or("NULL".to_string(), |minimum| minimum.to_string());
    let Account { id, ledger, code, flags, parent, .. } = wanted;
    let values = format!("'{}', {ledger}, {code}, {flags}, {}, {minimum}, '{}'", uuid(*id), or_null(*parent), bounded(wanted));
    format!("INSERT INTO ledger.accounts (id, ledger, code, flags, parent, minimum, bounded) VALUES ({values}) RETURNING timestamp")
}

/// A batch of one, in the packed form, which has no place for a parent and bounds.
pub fn packed_account(wanted: &Account) -> String {
    let mut bytes: Vec<u8> = wanted.id.to_le_bytes().into();
    // Balances and user data.
    bytes.extend([0; 4 * 16 + 16 + 8 + 4 + 4]);
    bytes.extend(wanted.ledger.to_le_bytes());
    bytes.extend(wanted.code.to_le_bytes());
    bytes.extend(wanted.flags.to_le_bytes());
    bytes.extend(0u64.to_le_bytes());
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("SELECT ledger.create_accounts('\\x{hex}')")
}

pub const LEDGERS: &str = "SELECT id, closed_through FROM ledger.ledgers";
pub const ACCOUNTS: &str = "SELECT id, ledger, code, flags, timestamp, changed, debits_pending, debits_posted, credits_pending, \
     credits_posted, parent, minimum, maximum, bounded FROM ledger.accounts";
pub const TRANSFERS: &str = "SELECT id, ledger, code, flags, timestamp, debit_account, credit_account, amount, refers_to, timeout, \
     effective, legs FROM ledger.transfers";
pub const ENTRIES: &str = "SELECT account, timestamp, number, transfer, kind, debit, credit, debits_pending, debits_posted, \
     credits_pending, credits_posted FROM ledger.entries";
pub const STATES: &str = "SELECT id, state, expires, reversed FROM ledger.transfer_states";
pub const EXPIRIES: &str = "SELECT expires, id FROM ledger.expiries";
pub const REFUSED: &str = "SELECT id, timestamp FROM ledger.refused";

/// The fields of a row in order; what is NULL is 0 or empty.
pub struct Fields<'r>(std::slice::Iter<'r, Option<String>>);

impl<'r> Fields<'r> {
    pub fn of(row: &'r [Option<String>]) -> Fields<'r> {
        Fields(row.iter())
    }

    pub fn text(&mut self) -> Option<&'r str> {
        self.0.next().and_then(|field| field.as_deref())
    }

    pub fn id(&mut self) -> u128 {
        let digits = self.text().unwrap_or_default().replace('-', "");
        u128::from_str_radix(&digits, 16).unwrap_or(0)
    }

    pub fn wide(&mut self) -> Option<i128> {
        self.text().map(|text| text.parse().expect("the column holds whole numbers"))
    }

    pub fn number<T: TryFrom<i128> + Default>(&mut self) -> T {
        self.wide().and_then(|number| T::try_from(number).ok()).unwrap_or_default()
    }
}

pub fn account(row: &[Option<String>]) -> Account {
    let mut fields = Fields::of(row);
    Account {
        id: fields.id(),
        ledger: fields.number(),
        code: fields.number(),
        flags: fields.number(),
        timestamp: fields.number(),
        changed: fields.number(),
        sums: [fields.number(), fields.number(), fields.number(), fields.number()],
        parent: fields.id(),
        minimum: fields.wide(),
        maximum: fields.wide(),
        on_available: fields.text() == Some("available"),
    }
}

pub fn transfer(row: &[Option<String>]) -> Transfer {
    let mut fields = Fields::of(row);
    Transfer {
        id: fields.id(),
        ledger: fields.number(),
        code: fields.number(),
        flags: fields.number(),
        timestamp: fields.number(),
        debit: fields.id(),
        credit: fields.id(),
        amount: fields.number(),
        refers_to: fields.id(),
        timeout: fields.number(),
        effective: fields.number(),
        legs: legs(fields.text().unwrap_or_default()),
    }
}

fn legs(text: &str) -> Vec<Leg> {
    let bytes = bytes(text);
    let wide = |bytes: &[u8]| bytes.iter().fold(0u128, |number, byte| number << 8 | u128::from(*byte));
    let leg = |leg: &[u8; LEG_BYTES]| Leg { account: wide(&leg[..16]), is_credit: leg[16] == 1, amount: wide(&leg[17..]) as i128 };
    bytes.as_chunks().0.iter().map(leg).collect()
}

fn entry(row: &[Option<String>]) -> Entry {
    let mut fields = Fields::of(row);
    let (account, timestamp, number, transfer) = (fields.id(), fields.number(), fields.number(), fields.id());
    let kind = match fields.text() {
        Some("posted") => Kind::Posted,
        Some("pending") => Kind::Pending,
        _ => Kind::Released,
    };
    let (debit, credit) = (fields.wide(), fields.wide());
    let balances = [fields.wide(), fields.wide(), fields.wide(), fields.wide()];
    let balances = balances[0].is_some().then(|| balances.map(Option::unwrap_or_default));
    let amount = debit.or(credit).unwrap_or_default();
    Entry { account, timestamp, number, transfer, kind, is_credit: credit.is_some(), amount, balances }
}

fn state(row: &[Option<String>]) -> (u128, State) {
    let mut fields = Fields::of(row);
    let id = fields.id();
    let fate = fields.text().map(|name| match name {
        "posted" => Fate::Posted,
        "voided" => Fate::Voided,
        "expired" => Fate::Expired,
        _ => Fate::Pending,
    });
    let expires = fields.wide().and_then(|at| u64::try_from(at).ok());
    (id, State { fate, expires, reversed: fields.number() })
}

/// The answers to the seven queries above, in their order.
pub fn tables(replies: &[Reply]) -> Tables {
    let [ledgers, accounts, transfers, entries, states, expiries, refused] = replies else { return Tables::default() };
    let pair = |row: &Vec<Option<String>>| {
        let mut fields = Fields::of(row);
        (fields.number::<u64>(), fields.id())
    };
    let refusal = |row: &Vec<Option<String>>| {
        let mut fields = Fields::of(row);
        (fields.id(), fields.number::<u64>())
    };
    let ledger = |row: &Vec<Option<String>>| {
        let mut fields = Fields::of(row);
        (fields.number::<u32>(), fields.number::<u64>())
    };
    let mut tables = Tables {
        ledgers: ledgers.rows.iter().map(ledger).collect(),
        accounts: accounts.rows.iter().map(|row| account(row)).map(|account| (account.id, account)).collect(),
        transfers: transfers.rows.iter().map(|row| transfer(row)).map(|transfer| (transfer.id, transfer)).collect(),
        entries: entries.rows.iter().map(|row| entry(row)).collect(),
        states: states.rows.iter().map(|row| state(row)).collect(),
        expiries: expiries.rows.iter().map(pair).collect(),
        refused: refused.rows.iter().map(refusal).collect(),
        twice: Vec::new(),
    };
    let counts = [
        ("accounts", accounts, tables.accounts.len()),
        ("transfers", transfers, tables.transfers.len()),
        ("transfer_states", states, tables.states.len()),
        ("refused", refused, tables.refused.len()),
    ];
    let twice = counts.iter().filter(|(_, reply, keys)| reply.rows.len() != *keys);
    tables.twice = twice.map(|(name, reply, keys)| format!("ledger.{name} has {} rows of {keys} ids", reply.rows.len())).collect();
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_times_are_written_as_sql_reads_them() {
        assert_eq!(uuid(0x0a), "00000000-0000-0000-0000-00000000000a");
        assert_eq!(time((EPOCH_MICROS + 3_661_000_005) * 1_000), "2027-01-15 09:01:01.000005+00");
        let row = [Some(uuid(77 << 64 | 5))];
        assert_eq!(Fields::of(&row).id(), 77 << 64 | 5);
    }

    #[test]
    fn bytes_and_legs_are_read_back() {
        assert_eq!(bytes("\\x00ff10"), [0, 255, 16]);
        let text = format!("\\x{:032x}01{:032x}", 7, 9);
        assert_eq!(legs(&text), [Leg { account: 7, is_credit: true, amount: 9 }]);
    }
}
