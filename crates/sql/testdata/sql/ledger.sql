-- The ledger: accounts, transfers, and what stands with them in one transaction.
SELECT ledger.define('{"id": 1, "name": "euro", "asset": "EUR", "currency": "EUR", "scale": 2}');
--> define
--> euro
--> SELECT 1
SELECT ledger.define('{"id": 1, "name": "euro", "asset": "USD", "currency": "EUR", "scale": 2}');
--> ERROR 42710: ledger 1 is defined with another asset, currency or scale HINT: Only the name and the metadata of a ledger can be changed.
SELECT ledger.define('{"id": 0, "name": "none"}');
--> ERROR 22023: a ledger has an "id" above 0 and a "name"
SELECT ledger.open_account('{"id": "00000000-0000-0000-0000-000000000001", "ledger": 1, "code": 10, "flags": ["history"]}');
--> open_account
--> 1700000000000000000
--> SELECT 1
SELECT ledger.open_account('{"id": "00000000-0000-0000-0000-000000000002", "ledger": 1, "code": 20, "flags": ["debits_within_credits", "history"], "metadata": {"owner": "Ada"}}');
--> open_account
--> 1700000000000001024
--> SELECT 1
SELECT ledger.open_account('{"id": "00000000-0000-0000-0000-000000000003", "ledger": 1, "code": 20, "minimum": -50, "parent": "00000000-0000-0000-0000-000000000002"}');
--> open_account
--> 1700000000000002048
--> SELECT 1
SELECT ledger.open_account('{"id": "00000000-0000-0000-0000-000000000004", "ledger": 1, "codes": 20}');
--> ERROR 22023: an account has no "codes"
SELECT ledger.open_account('{"id": "00000000-0000-0000-0000-000000000004"}');
--> ERROR L0014: the ledger refused: ledger_must_not_be_zero
SELECT id, code, flags, minimum, bounded, parent, metadata FROM ledger.accounts ORDER BY id;
--> id | code | flags | minimum | bounded | parent | metadata
--> 00000000-0000-0000-0000-000000000001 | 10 | 8 | NULL | NULL | NULL | NULL
--> 00000000-0000-0000-0000-000000000002 | 20 | 10 | NULL | NULL | NULL | {"owner": "Ada"}
--> 00000000-0000-0000-0000-000000000003 | 20 | 0 | -50 | available | 00000000-0000-0000-0000-000000000002 | NULL
--> SELECT 3

-- Single movements.
SELECT ledger.transfer('10000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002', 100) AS booked;
--> booked
--> 1700000000000004096
--> SELECT 1
SELECT ledger.transfer(id => '10000000-0000-0000-0000-000000000001', amount => 100, debit_account => '00000000-0000-0000-0000-000000000001', credit_account => '00000000-0000-0000-0000-000000000002') AS again;
--> again
--> 1700000000000004096
--> SELECT 1
SELECT ledger.transfer('10000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002', 100);
--> transfer
--> 1700000000000004096
--> SELECT 1
SELECT ledger.transfer('10000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002', 101);
--> ERROR L0053: the ledger refused: exists_with_other_amount
SELECT ledger.transfer('10000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000003', 101);
--> ERROR L0062: the ledger refused: exceeds_credits
SELECT ledger.transfer('10000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-000000000002', 51);
--> ERROR L0068: the ledger refused: below_minimum
SELECT ledger.transfer('10000000-0000-0000-0000-000000000004', '00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000003', 1.5);
--> ERROR 22023: amount 1.5 is not a whole number of the ledger's smallest unit HINT: Amounts are positive and whole: 12.34 of a ledger with scale 2 is 1234.
SELECT ledger.transfer('10000000-0000-0000-0000-000000000004', '00000000-0000-0000-0000-000000000002');
--> ERROR 42883: function ledger.transfer has no such parameters HINT: It takes: id uuid, debit_account uuid, credit_account uuid, amount numeric, ledger bigint (optional), code integer (optional), flags integer (optional), refers_to uuid (optional), timeout bigint (optional), effective timestamp with time zone (optional), value_date date (optional), metadata jsonb (optional).
SELECT ledger.transfers(1);
--> ERROR 42883: function ledger.transfers does not exist
SELECT id, debits_posted, credits_posted FROM ledger.accounts ORDER BY id;
--> id | debits_posted | credits_posted
--> 00000000-0000-0000-0000-000000000001 | 100 | 0
--> 00000000-0000-0000-0000-000000000002 | 0 | 100
--> 00000000-0000-0000-0000-000000000003 | 0 | 0
--> SELECT 3

-- With other rows in one transaction, and undone with them.
CREATE TABLE orders (id int PRIMARY KEY, paid numeric);
--> CREATE TABLE
BEGIN;
--> BEGIN
INSERT INTO orders VALUES (1, 40);
--> INSERT 0 1
SELECT ledger.post('{"id": "10000000-0000-0000-0000-000000000005", "debit_account": "00000000-0000-0000-0000-000000000002", "credit_account": "00000000-0000-0000-0000-000000000003", "amount": 40}');
--> post
--> 1700000000000010240
--> SELECT 1
SELECT credits_posted FROM ledger.accounts WHERE id = '00000000-0000-0000-0000-000000000003';
--> credits_posted
--> 40
--> SELECT 1
SAVEPOINT more;
--> SAVEPOINT
SELECT ledger.post('{"id": "10000000-0000-0000-0000-000000000006", "debit_account": "00000000-0000-0000-0000-000000000002", "credit_account": "00000000-0000-0000-0000-000000000003", "amount": 5}');
--> post
--> 1700000000000011264
--> SELECT 1
ROLLBACK TO more;
--> ROLLBACK
COMMIT;
--> COMMIT
SELECT id, debits_posted, credits_posted FROM ledger.accounts ORDER BY id;
--> id | debits_posted | credits_posted
--> 00000000-0000-0000-0000-000000000001 | 100 | 0
--> 00000000-0000-0000-0000-000000000002 | 40 | 100
--> 00000000-0000-0000-0000-000000000003 | 0 | 40
--> SELECT 3
BEGIN;
--> BEGIN
SELECT ledger.post('{"id": "10000000-0000-0000-0000-000000000007", "debit_account": "00000000-0000-0000-0000-000000000002", "credit_account": "00000000-0000-0000-0000-000000000003", "amount": 5}');
--> post
--> 1700000000000012288
--> SELECT 1
ROLLBACK;
--> ROLLBACK
SELECT count(*) FROM ledger.transfers;
--> count
--> 2
--> SELECT 1

-- Many legs; two phases; reversal.
SELECT ledger.post('{"id": "10000000-0000-0000-0000-000000000008", "ledger": 1, "code": 7, "debits": [{"account": "00000000-0000-0000-0000-000000000002", "amount": 10}], "credits": [{"account": "00000000-0000-0000-0000-000000000001", "amount": 4}, {"account": "00000000-0000-0000-0000-000000000003", "amount": 6}]}');
--> post
--> 1700000000000013312
--> SELECT 1
SELECT ledger.post('{"id": "10000000-0000-0000-0000-000000000009", "ledger": 1, "code": 7, "debits": [{"account": "00000000-0000-0000-0000-000000000002", "amount": 10}], "credits": [{"account": "00000000-0000-0000-0000-000000000001", "amount": 4}]}');
--> ERROR L0084: the ledger refused: legs_do_not_balance
SELECT ledger.post('{"id": "10000000-0000-0000-0000-00000000000a", "debit_account": "00000000-0000-0000-0000-000000000002", "credit_account": "00000000-0000-0000-0000-000000000001", "amount": 20, "flags": ["pending"], "timeout": 60}');
--> post
--> 1700000000000015360
--> SELECT 1
SELECT id, debits_pending, debits_posted, credits_pending, credits_posted FROM ledger.accounts ORDER BY id;
--> id | debits_pending | debits_posted | credits_pending | credits_posted
--> 00000000-0000-0000-0000-000000000001 | 0 | 100 | 20 | 4
--> 00000000-0000-0000-0000-000000000002 | 20 | 50 | 0 | 100
--> 00000000-0000-0000-0000-000000000003 | 0 | 0 | 0 | 46
--> SELECT 3
SELECT ledger.post('{"id": "10000000-0000-0000-0000-00000000000b", "refers_to": "10000000-0000-0000-0000-00000000000a", "amount": 15, "flags": ["post"]}');
--> post
--> 1700000000000016384
--> SELECT 1
SELECT ledger.post('{"id": "10000000-0000-0000-0000-00000000000c", "refers_to": "10000000-0000-0000-0000-00000000000a", "flags": ["void"]}');
--> ERROR L0038: the ledger refused: pending_already_posted
SELECT ledger.post('{"id": "10000000-0000-0000-0000-00000000000d", "refers_to": "10000000-0000-0000-0000-00000000000b", "amount": 5, "flags": ["reverse"]}');
--> post
--> 1700000000000018432
--> SELECT 1
SELECT id, debits_pending, debits_posted, credits_pending, credits_posted FROM ledger.accounts ORDER BY id;
--> id | debits_pending | debits_posted | credits_pending | credits_posted
--> 00000000-0000-0000-0000-000000000001 | 0 | 105 | 0 | 19
--> 00000000-0000-0000-0000-000000000002 | 0 | 65 | 0 | 105
--> 00000000-0000-0000-0000-000000000003 | 0 | 0 | 0 | 46
--> SELECT 3
SELECT id, state, reversed FROM ledger.transfer_states ORDER BY id;
--> id | state | reversed
--> 10000000-0000-0000-0000-00000000000a | posted | NULL
--> 10000000-0000-0000-0000-00000000000b | NULL | 5
--> SELECT 2
SELECT transfer, kind, debit, credit, debits_pending, debits_posted, credits_pending, credits_posted FROM ledger.entries WHERE account = '00000000-0000-0000-0000-000000000002' ORDER BY timestamp, number;
--> transfer | kind | debit | credit | debits_pending | debits_posted | credits_pending | credits_posted
--> 10000000-0000-0000-0000-000000000001 | posted | NULL | 100 | 0 | 0 | 0 | 100
--> 10000000-0000-0000-0000-000000000005 | posted | 40 | NULL | 0 | 40 | 0 | 100
--> 10000000-0000-0000-0000-000000000008 | posted | 10 | NULL | 0 | 50 | 0 | 100
--> 10000000-0000-0000-0000-00000000000a | pending | 20 | NULL | 20 | 50 | 0 | 100
--> 10000000-0000-0000-0000-00000000000b | released | 20 | NULL | 0 | 50 | 0 | 100
--> 10000000-0000-0000-0000-00000000000b | posted | 15 | NULL | 0 | 65 | 0 | 100
--> 10000000-0000-0000-0000-00000000000d | posted | NULL | 5 | 0 | 65 | 0 | 105
--> SELECT 7
SELECT sum(debit), sum(credit) FROM ledger.entries WHERE kind = 'posted';
--> sum | sum
--> 170 | 170
--> SELECT 1

-- What is pending expires.
SELECT ledger.post('{"id": "10000000-0000-0000-0000-00000000000e", "debit_account": "00000000-0000-0000-0000-000000000002", "credit_account": "00000000-0000-0000-0000-000000000001", "amount": 7, "flags": ["pending"], "timeout": 60}');
--> post
--> 1700000000000019456
--> SELECT 1
SELECT ledger.expire();
--> expire
--> 0
--> SELECT 1
-- @wait 61
-- @main
SELECT ledger.post('{"id": "10000000-0000-0000-0000-00000000000f", "refers_to": "10000000-0000-0000-0000-00000000000e", "flags": ["post"], "amount": 7}');
--> ERROR L0040: the ledger refused: pending_expired
SELECT ledger.expire();
--> expire
--> 1
--> SELECT 1
SELECT ledger.expire();
--> expire
--> 0
--> SELECT 1
SELECT count(*) FROM ledger.expiries;
--> count
--> 0
--> SELECT 1
SELECT state FROM ledger.transfer_states WHERE id = '10000000-0000-0000-0000-00000000000e';
--> state
--> expired
--> SELECT 1

-- INSERT: all rows or none.
INSERT INTO ledger.accounts (id, ledger, code) VALUES ('00000000-0000-0000-0000-000000000005', 1, 30), ('00000000-0000-0000-0000-000000000006', 1, 30) RETURNING id, flags, debits_posted;
--> id | flags | debits_posted
--> 00000000-0000-0000-0000-000000000005 | 0 | 0
--> 00000000-0000-0000-0000-000000000006 | 0 | 0
--> INSERT 0 2
INSERT INTO ledger.transfers (id, ledger, code, debit_account, credit_account, amount) VALUES ('20000000-0000-0000-0000-000000000001', 1, 1, '00000000-0000-0000-0000-000000000005', '00000000-0000-0000-0000-000000000006', 3), ('20000000-0000-0000-0000-000000000002', 1, 1, '00000000-0000-0000-0000-000000000006', '00000000-0000-0000-0000-000000000009', 3);
--> ERROR L0022: the ledger refused: credit_account_not_found
INSERT INTO ledger.transfers (id, ledger, code, debit_account, credit_account, amount) VALUES ('20000000-0000-0000-0000-000000000001', 1, 1, '00000000-0000-0000-0000-000000000005', '00000000-0000-0000-0000-000000000006', 3), ('20000000-0000-0000-0000-000000000002', 1, 1, '00000000-0000-0000-0000-000000000006', '00000000-0000-0000-0000-000000000005', 1) RETURNING amount;
--> amount
--> 3
--> 1
--> INSERT 0 2
INSERT INTO ledger.transfers (id, ledger, code, debit_account, credit_account, amount) VALUES ('20000000-0000-0000-0000-000000000003', 1, -1, '00000000-0000-0000-0000-000000000005', '00000000-0000-0000-0000-000000000006', 3);
--> ERROR 22003: a value is out of range for the ledger HINT: Numbers are whole and not negative; ledger and user_data_32 have 32 bits, code and flags 16.
INSERT INTO ledger.entries VALUES ('00000000-0000-0000-0000-000000000005', 1, 1, '00000000-0000-0000-0000-000000000005', 'posted', 1, NULL, NULL, NULL, NULL, NULL);
--> ERROR 42501: rows of ledger.entries are written by the ledger only HINT: Use ledger.create_accounts, ledger.create_transfers, ledger.transfer or ledger.post, or INSERT into ledger.accounts and ledger.transfers.
INSERT INTO ledger.transfers (id, ledger, code, amount) VALUES ('20000000-0000-0000-0000-000000000003', 1, 1, 1) ON CONFLICT DO NOTHING;
--> ERROR 0A000: ON CONFLICT on a table of the ledger is not supported HINT: A transfer that exists with the same contents is no conflict: send it with ledger.transfer or ledger.create_transfers.

-- Only the ledger writes its rows.
UPDATE ledger.accounts SET credits_posted = 1000000;
--> ERROR 42501: rows of ledger.accounts are written by the ledger only HINT: Use ledger.create_accounts, ledger.create_transfers, ledger.transfer or ledger.post, or INSERT into ledger.accounts and ledger.transfers.
DELETE FROM ledger.transfers;
--> ERROR 42501: rows of ledger.transfers are written by the ledger only HINT: Use ledger.create_accounts, ledger.create_transfers, ledger.transfer or ledger.post, or INSERT into ledger.accounts and ledger.transfers.
TRUNCATE ledger.transfers;
--> ERROR 42501: permission denied: schema "ledger" is Florin's own
ALTER TABLE ledger.accounts ADD COLUMN x int;
--> ERROR 42501: permission denied: schema "ledger" is Florin's own
DROP TABLE ledger.accounts;
--> ERROR 42501: permission denied: schema "ledger" is Florin's own
ALTER TABLE ledger.accounts RENAME TO other;
--> ERROR 42501: permission denied: schema "ledger" is Florin's own
CREATE TABLE ledger.mine (id int);
--> ERROR 42501: permission denied to create in schema "ledger"

-- Packed batches.
SELECT ledger.create_transfers('\x00');
--> ERROR 22023: packed transfers end inside a record: 1 bytes are not a multiple of 128 DETAIL: The record that begins at byte 0 has only 1 bytes. HINT: Send 128 bytes for each event.
SELECT ledger.create_accounts(NULL);
--> ERROR 22004: a batch must not be NULL
SELECT ledger.create_transfers('');
--> create_transfers
--> \x
--> SELECT 1
SELECT ledger.create_transfers(decode(repeat('00', 128), 'hex'));
--> create_transfers
--> \x00460c6a0c9d97170a00000000000000
--> SELECT 1

-- A closed period.
SELECT ledger.close_period(1, '2000-01-01');
--> close_period
--> euro
--> SELECT 1
SELECT ledger.close_period(1, '2100-01-01');
--> ERROR 22023: a period can be closed only when it is over
SELECT ledger.close_period(2, '2000-01-01');
--> ERROR 42704: ledger 2 is not defined HINT: Define it with ledger.define.
SELECT ledger.post('{"id": "30000000-0000-0000-0000-000000000001", "debit_account": "00000000-0000-0000-0000-000000000005", "credit_account": "00000000-0000-0000-0000-000000000006", "amount": 1, "effective": "1999-12-31T10:00:00Z"}');
--> ERROR L0099: the ledger refused: period_closed
SELECT ledger.audit();
--> finding | account | detail
--> SELECT 0
SELECT * FROM ledger.audit();
--> finding | account | detail
--> SELECT 0
SELECT * FROM ledger.expire() WHERE true;
--> ERROR 0A000: this form of FROM here is not supported
EXPLAIN SELECT * FROM ledger.entries WHERE account = '00000000-0000-0000-0000-000000000002' ORDER BY timestamp DESC LIMIT 3;
--> QUERY PLAN
--> Native: Select on entries
-->   Access: Range by entries_pkey
-->   Filter: yes
-->   Shard: s1
-->   Order: of the key
--> EXPLAIN
EXPLAIN SELECT * FROM ledger.entries WHERE timestamp > 5 ORDER BY timestamp DESC LIMIT 3;
--> QUERY PLAN
--> Native: Select on entries
-->   Access: Full scan by entries_pkey
-->   Filter: yes
-->   Shard: s0, s1
-->   Order: sort
--> EXPLAIN
SELECT transfer, kind FROM ledger.entries WHERE account = '00000000-0000-0000-0000-000000000002' ORDER BY timestamp DESC LIMIT 3;
--> transfer | kind
--> 10000000-0000-0000-0000-00000000000e | released
--> 10000000-0000-0000-0000-00000000000e | pending
--> 10000000-0000-0000-0000-00000000000d | posted
--> SELECT 3
