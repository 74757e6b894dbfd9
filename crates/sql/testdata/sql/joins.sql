-- Joins by look-up: from rows found by key to the rows of the next table.
CREATE TABLE payer(id int PRIMARY KEY, name text, limit_of numeric);
--> CREATE TABLE
CREATE TABLE payment(payer_id int, no int, account bigint, amount numeric, PRIMARY KEY (payer_id, no));
--> CREATE TABLE
CREATE TABLE account(id bigint PRIMARY KEY, iban text UNIQUE, payer_id int, bank int);
--> CREATE TABLE
CREATE INDEX account_payer ON account(payer_id);
--> CREATE INDEX
INSERT INTO payer VALUES (1, 'ann', 100), (2, 'bob', NULL), (3, 'cid', 5);
--> INSERT 0 3
INSERT INTO payment VALUES (1, 1, 10, 5), (1, 2, 11, 7.5), (1, 3, 99, 1), (2, 1, 20, 3), (2, 2, NULL, 4);
--> INSERT 0 5
INSERT INTO account VALUES (10, 'A10', 1, 7), (11, 'A11', 1, 8), (20, 'A20', 2, 7), (30, NULL, NULL, 9);
--> INSERT 0 4
EXPLAIN SELECT p.name, a.iban, y.amount FROM payment y, payer p, account a WHERE y.payer_id = 1 AND p.id = y.payer_id AND a.id = y.account;
--> QUERY PLAN
--> Native: Join by look-up
-->   From payment: Range by payment_pkey
-->     Filter: yes
-->   Join payer: Point by payer_pkey
-->     Filter: yes
-->   Join account: Point by account_pkey
-->     Filter: yes
--> EXPLAIN
SELECT p.name, a.iban, y.amount FROM payment y, payer p, account a WHERE y.payer_id = 1 AND p.id = y.payer_id AND a.id = y.account ORDER BY y.no;
--> name | iban | amount
--> ann | A10 | 5
--> ann | A11 | 7.5
--> SELECT 2
SELECT * FROM payer p JOIN payment y ON y.payer_id = p.id WHERE p.id = 2 ORDER BY no;
--> id | name | limit_of | payer_id | no | account | amount
--> 2 | bob | NULL | 2 | 1 | 20 | 3
--> 2 | bob | NULL | 2 | 2 | NULL | 4
--> SELECT 2
SELECT y.*, p.name FROM payer p JOIN payment y ON y.payer_id = p.id WHERE p.id IN (2, 3, 1) AND y.amount > 3 ORDER BY y.payer_id, y.no DESC;
--> payer_id | no | account | amount | name
--> 1 | 2 | 11 | 7.5 | ann
--> 1 | 1 | 10 | 5 | ann
--> 2 | 2 | NULL | 4 | bob
--> SELECT 3
-- The table written last is reached first.
EXPLAIN SELECT count(*) FROM payment y JOIN payer p ON p.id = y.payer_id WHERE p.id = 1 AND p.name = 'ann';
--> QUERY PLAN
--> Native: Join by look-up
-->   From payer: Point by payer_pkey
-->     Filter: yes
-->   Join payment: Range by payment_pkey
-->     Filter: yes
-->   Aggregate
--> EXPLAIN
SELECT count(*), sum(amount), max(p.limit_of) FROM payment y JOIN payer p ON p.id = y.payer_id WHERE p.id = 1 AND p.name = 'ann';
--> count | sum | max
--> 3 | 13.5 | 100
--> SELECT 1
SELECT count(*), sum(amount) FROM payment y JOIN payer p ON p.id = y.payer_id WHERE p.id = 1 AND p.name = 'bob';
--> count | sum
--> 0 | NULL
--> SELECT 1
-- By a unique index and by one that is not.
EXPLAIN SELECT y.no FROM payment y JOIN account a ON a.iban = 'A' || y.account WHERE y.payer_id = 1;
--> QUERY PLAN
--> Native: Join by look-up
-->   From payment: Range by payment_pkey
-->     Filter: yes
-->   Join account: Point by account_iban_key
-->     Filter: yes
--> EXPLAIN
SELECT y.no, a.bank FROM payment y JOIN account a ON a.iban = 'A' || y.account WHERE y.payer_id = 1 ORDER BY no;
--> no | bank
--> 1 | 7
--> 2 | 8
--> SELECT 2
SELECT p.name, a.id FROM payer p JOIN account a ON a.payer_id = p.id WHERE p.id BETWEEN 1 AND 3 ORDER BY a.id;
--> name | id
--> ann | 10
--> ann | 11
--> bob | 20
--> SELECT 3
-- Rows without a match stay where they should.
EXPLAIN SELECT y.no, a.iban FROM payment y LEFT JOIN account a ON a.id = y.account AND a.bank = 7 WHERE y.payer_id = 1;
--> QUERY PLAN
--> Native: Join by look-up
-->   From payment: Range by payment_pkey
-->     Filter: yes
-->   Left join account: Point by account_pkey
--> EXPLAIN
SELECT y.no, a.iban FROM payment y LEFT JOIN account a ON a.id = y.account AND a.bank = 7 WHERE y.payer_id = 1 ORDER BY 1;
--> no | iban
--> 1 | A10
--> 2 | NULL
--> 3 | NULL
--> SELECT 3
SELECT y.no, a.iban FROM payment y LEFT JOIN account a ON a.id = y.account WHERE y.payer_id = 1 AND a.bank = 7 ORDER BY 1;
--> no | iban
--> 1 | A10
--> SELECT 1
SELECT y.no FROM payment y LEFT JOIN account a ON a.id = y.account WHERE y.payer_id BETWEEN 1 AND 2 AND a.id IS NULL ORDER BY y.payer_id, y.no;
--> no
--> 3
--> 2
--> SELECT 2
SELECT p.id, y.no, a.iban FROM payer p LEFT JOIN payment y ON y.payer_id = p.id AND y.amount > 3 LEFT JOIN account a ON a.id = y.account WHERE p.id IN (1, 2, 3) ORDER BY 1, 2;
--> id | no | iban
--> 1 | 1 | A10
--> 1 | 2 | A11
--> 2 | 2 | NULL
--> 3 | NULL | NULL
--> SELECT 4
-- Groups and what comes after.
SELECT p.name, count(*) AS n, sum(y.amount) FROM payer p, payment y WHERE p.id = y.payer_id AND p.id IN (1, 2, 3) GROUP BY p.id HAVING count(*) > 1 ORDER BY n DESC;
--> name | n | sum
--> ann | 3 | 13.5
--> bob | 2 | 7
--> SELECT 2
SELECT count(DISTINCT a.bank) FROM payment y, account a WHERE y.payer_id >= 1 AND y.payer_id <= 2 AND a.id = y.account;
--> count
--> 2
--> SELECT 1
SELECT DISTINCT a.bank FROM payment y, account a WHERE y.payer_id IN (1, 2) AND a.id = y.account ORDER BY bank;
--> bank
--> 7
--> 8
--> SELECT 2
SELECT y.no FROM payment y, payer p WHERE y.payer_id = 1 AND p.id = y.payer_id LIMIT 2;
--> no
--> 1
--> 2
--> SELECT 2
SELECT y.no FROM payment y, payer p WHERE y.payer_id = 1 AND p.id = y.payer_id ORDER BY y.amount DESC LIMIT 1 OFFSET 1;
--> no
--> 1
--> SELECT 1
SELECT p.name, y.no FROM payer p, payment y WHERE p.id = y.payer_id AND p.id = 1 GROUP BY p.name;
--> ERROR 42803: column "y.no" must appear in the GROUP BY clause or be used in an aggregate function
-- A table twice.
SELECT a.no, b.no FROM payment a JOIN payment b ON b.payer_id = a.payer_id AND b.no = a.no + 1 WHERE a.payer_id = 1 ORDER BY 1;
--> no | no
--> 1 | 2
--> 2 | 3
--> SELECT 2
SELECT 1 FROM payment JOIN payment ON true WHERE payer_id = 1;
--> ERROR 42712: table name "payment" specified more than once
SELECT no FROM payment y JOIN account a ON id = account WHERE y.payer_id = 1 AND payer_id = 1;
--> ERROR 42702: column reference "payer_id" is ambiguous
SELECT 1 FROM payment y JOIN payer p ON a.id = y.account JOIN account a ON a.id = y.account WHERE y.payer_id = 1;
--> ERROR 42P01: missing FROM-clause entry for table "a"
-- Types that are not stored alike compare, but reach nothing by key.
SELECT y.no FROM payment y JOIN account a ON a.id = y.no + 9 WHERE y.payer_id = 1 ORDER BY 1;
--> no
--> 1
--> 2
--> SELECT 2
SELECT 1 FROM payment y JOIN account a ON a.id = y.amount WHERE y.payer_id = 1;
--> ERROR 0A000: a join without keys here is not supported
SELECT 1 FROM payment y, account a WHERE y.amount = a.bank;
--> ERROR 0A000: a join without keys here is not supported
-- A transaction sees its own rows, and not those it deleted.
BEGIN;
--> BEGIN
INSERT INTO account VALUES (99, 'A99', 1, 7);
--> INSERT 0 1
DELETE FROM account WHERE id = 11;
--> DELETE 1
UPDATE payment SET amount = 50 WHERE payer_id = 1 AND no = 1;
--> UPDATE 1
SELECT y.no, y.amount, a.iban FROM payment y LEFT JOIN account a ON a.id = y.account WHERE y.payer_id = 1 ORDER BY 1;
--> no | amount | iban
--> 1 | 50 | A10
--> 2 | 7.5 | NULL
--> 3 | 1 | A99
--> SELECT 3
ROLLBACK;
--> ROLLBACK
-- @other
BEGIN ISOLATION LEVEL REPEATABLE READ;
--> BEGIN
SELECT a.iban FROM payment y JOIN account a ON a.id = y.account WHERE y.payer_id = 2;
--> iban
--> A20
--> SELECT 1
-- @main
UPDATE account SET iban = 'B20' WHERE id = 20;
--> UPDATE 1
-- @other
SELECT a.iban FROM payment y JOIN account a ON a.id = y.account WHERE y.payer_id = 2;
--> iban
--> A20
--> SELECT 1
COMMIT;
--> COMMIT
SELECT a.iban FROM payment y JOIN account a ON a.id = y.account WHERE y.payer_id = 2;
--> iban
--> B20
--> SELECT 1
-- @main
SELECT a.iban FROM payment y JOIN account a ON a.id = y.account WHERE y.payer_id = 2 FOR UPDATE;
--> ERROR 0A000: locks of a join here is not supported
