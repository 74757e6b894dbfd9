-- The ledger: accounts, transfers, and what stands with them in one transaction.
SELECT ledger.define('{"id": 1, "name": "euro", "asset": "EUR", "currency": "EUR", "scale": 2}');
SELECT ledger.define('{"id": 1, "name": "euro", "asset": "USD", "currency": "EUR", "scale": 2}');
SELECT ledger.define('{"id": 0, "name": "none"}');
SELECT ledger.open_account('{"id": "00000000-0000-0000-0000-000000000001", "ledger": 1, "code": 10, "flags": ["history"]}');
SELECT ledger.open_account('{"id": "00000000-0000-0000-0000-000000000002", "ledger": 1, "code": 20, "flags": ["debits_within_credits", "history"], "metadata": {"owner": "Ada"}}');
SELECT ledger.open_account('{"id": "00000000-0000-0000-0000-000000000003", "ledger": 1, "code": 20, "minimum": -50, "parent": "00000000-0000-0000-0000-000000000002"}');
SELECT ledger.open_account('{"id": "00000000-0000-0000-0000-000000000004", "ledger": 1, "codes": 20}');
SELECT ledger.open_account('{"id": "00000000-0000-0000-0000-000000000004"}');
SELECT id, code, flags, minimum, bounded, parent, metadata FROM ledger.accounts ORDER BY id;

-- Single movements.
SELECT ledger.transfer('10000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002', 100) > 0 AS booked;
SELECT ledger.transfer(id => '10000000-0000-0000-0000-000000000001', amount => 100, debit_account => '00000000-0000-0000-0000-000000000001', credit_account => '00000000-0000-0000-0000-000000000002') > 0 AS again;
SELECT ledger.transfer('10000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002', 100);
SELECT ledger.transfer('10000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002', 101);
SELECT ledger.transfer('10000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000003', 101);
SELECT ledger.transfer('10000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-000000000002', 51);
SELECT ledger.transfer('10000000-0000-0000-0000-000000000004', '00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000003', 1.5);
SELECT ledger.transfer('10000000-0000-0000-0000-000000000004', '00000000-0000-0000-0000-000000000002');
SELECT ledger.transfers(1);
SELECT id, debits_posted, credits_posted FROM ledger.accounts ORDER BY id;

-- With other rows in one transaction, and undone with them.
CREATE TABLE orders (id int PRIMARY KEY, paid numeric);
BEGIN;
INSERT INTO orders VALUES (1, 40);
SELECT ledger.post('{"id": "10000000-0000-0000-0000-000000000005", "debit_account": "00000000-0000-0000-0000-000000000002", "credit_account": "00000000-0000-0000-0000-000000000003", "amount": 40}');
SELECT credits_posted FROM ledger.accounts WHERE id = '00000000-0000-0000-0000-000000000003';
SAVEPOINT more;
SELECT ledger.post('{"id": "10000000-0000-0000-0000-000000000006", "debit_account": "00000000-0000-0000-0000-000000000002", "credit_account": "00000000-0000-0000-0000-000000000003", "amount": 5}');
ROLLBACK TO more;
COMMIT;
SELECT o.id, t.amount FROM orders o JOIN ledger.transfers t ON t.amount = o.paid;
SELECT id, debits_posted, credits_posted FROM ledger.accounts ORDER BY id;
BEGIN;
SELECT ledger.post('{"id": "10000000-0000-0000-0000-000000000007", "debit_account": "00000000-0000-0000-0000-000000000002", "credit_account": "00000000-0000-0000-0000-000000000003", "amount": 5}');
ROLLBACK;
SELECT count(*) FROM ledger.transfers;

-- Many legs; two phases; reversal.
SELECT ledger.post('{"id": "10000000-0000-0000-0000-000000000008", "ledger": 1, "code": 7, "debits": [{"account": "00000000-0000-0000-0000-000000000002", "amount": 10}], "credits": [{"account": "00000000-0000-0000-0000-000000000001", "amount": 4}, {"account": "00000000-0000-0000-0000-000000000003", "amount": 6}]}');
SELECT ledger.post('{"id": "10000000-0000-0000-0000-000000000009", "ledger": 1, "code": 7, "debits": [{"account": "00000000-0000-0000-0000-000000000002", "amount": 10}], "credits": [{"account": "00000000-0000-0000-0000-000000000001", "amount": 4}]}');
SELECT ledger.post('{"id": "10000000-0000-0000-0000-00000000000a", "debit_account": "00000000-0000-0000-0000-000000000002", "credit_account": "00000000-0000-0000-0000-000000000001", "amount": 20, "flags": ["pending"], "timeout": 60}');
SELECT id, debits_pending, debits_posted, credits_pending, credits_posted FROM ledger.accounts ORDER BY id;
SELECT ledger.post('{"id": "10000000-0000-0000-0000-00000000000b", "refers_to": "10000000-0000-0000-0000-00000000000a", "amount": 15, "flags": ["post"]}');
SELECT ledger.post('{"id": "10000000-0000-0000-0000-00000000000c", "refers_to": "10000000-0000-0000-0000-00000000000a", "flags": ["void"]}');
SELECT ledger.post('{"id": "10000000-0000-0000-0000-00000000000d", "refers_to": "10000000-0000-0000-0000-00000000000b", "amount": 5, "flags": ["reverse"]}');
SELECT id, debits_pending, debits_posted, credits_pending, credits_posted FROM ledger.accounts ORDER BY id;
SELECT id, state, reversed FROM ledger.transfer_states ORDER BY id;
SELECT transfer, kind, debit, credit, debits_pending, debits_posted, credits_pending, credits_posted FROM ledger.entries WHERE account = '00000000-0000-0000-0000-000000000002' ORDER BY timestamp, number;
SELECT sum(debit), sum(credit) FROM ledger.entries WHERE kind = 'posted';

-- What is pending expires.
SELECT ledger.post('{"id": "10000000-0000-0000-0000-00000000000e", "debit_account": "00000000-0000-0000-0000-000000000002", "credit_account": "00000000-0000-0000-0000-000000000001", "amount": 7, "flags": ["pending"], "timeout": 60}');
SELECT ledger.expire();
-- @wait 61
-- @main
SELECT ledger.post('{"id": "10000000-0000-0000-0000-00000000000f", "refers_to": "10000000-0000-0000-0000-00000000000e", "flags": ["post"], "amount": 7}');
SELECT ledger.expire();
SELECT ledger.expire();
SELECT count(*) FROM ledger.expiries;
SELECT state FROM ledger.transfer_states WHERE id = '10000000-0000-0000-0000-00000000000e';

-- INSERT: all rows or none.
INSERT INTO ledger.accounts (id, ledger, code) VALUES ('00000000-0000-0000-0000-000000000005', 1, 30), ('00000000-0000-0000-0000-000000000006', 1, 30) RETURNING id, flags, debits_posted;
INSERT INTO ledger.transfers (id, ledger, code, debit_account, credit_account, amount) VALUES ('20000000-0000-0000-0000-000000000001', 1, 1, '00000000-0000-0000-0000-000000000005', '00000000-0000-0000-0000-000000000006', 3), ('20000000-0000-0000-0000-000000000002', 1, 1, '00000000-0000-0000-0000-000000000006', '00000000-0000-0000-0000-000000000009', 3);
INSERT INTO ledger.transfers (id, ledger, code, debit_account, credit_account, amount) VALUES ('20000000-0000-0000-0000-000000000001', 1, 1, '00000000-0000-0000-0000-000000000005', '00000000-0000-0000-0000-000000000006', 3), ('20000000-0000-0000-0000-000000000002', 1, 1, '00000000-0000-0000-0000-000000000006', '00000000-0000-0000-0000-000000000005', 1) RETURNING amount;
INSERT INTO ledger.transfers (id, ledger, code, debit_account, credit_account, amount) VALUES ('20000000-0000-0000-0000-000000000003', 1, -1, '00000000-0000-0000-0000-000000000005', '00000000-0000-0000-0000-000000000006', 3);
INSERT INTO ledger.entries VALUES ('00000000-0000-0000-0000-000000000005', 1, 1, '00000000-0000-0000-0000-000000000005', 'posted', 1, NULL, NULL, NULL, NULL, NULL);
INSERT INTO ledger.transfers (id, ledger, code, amount) VALUES ('20000000-0000-0000-0000-000000000003', 1, 1, 1) ON CONFLICT DO NOTHING;

-- Only the ledger writes its rows.
UPDATE ledger.accounts SET credits_posted = 1000000;
DELETE FROM ledger.transfers;
TRUNCATE ledger.transfers;
ALTER TABLE ledger.accounts ADD COLUMN x int;
DROP TABLE ledger.accounts;
ALTER TABLE ledger.accounts RENAME TO other;
CREATE TABLE ledger.mine (id int);

-- Packed batches.
SELECT ledger.create_transfers('\x00');
SELECT ledger.create_accounts(NULL);
SELECT ledger.create_transfers('');
SELECT encode(ledger.create_transfers(decode(repeat('00', 128), 'hex')), 'hex');
SELECT substr(encode(ledger.create_transfers(decode(repeat('00', 128), 'hex')), 'hex'), 17, 8) AS code;

-- A closed period.
SELECT ledger.close_period(1, '2000-01-01');
SELECT ledger.close_period(1, '2100-01-01');
SELECT ledger.close_period(2, '2000-01-01');
SELECT ledger.post('{"id": "30000000-0000-0000-0000-000000000001", "debit_account": "00000000-0000-0000-0000-000000000005", "credit_account": "00000000-0000-0000-0000-000000000006", "amount": 1, "effective": "1999-12-31T10:00:00Z"}');
SELECT ledger.audit();
