-- A table, its rows by key and by scan, and what goes wrong with them.
CREATE TABLE accounts (id int PRIMARY KEY, owner text NOT NULL, balance numeric(12,2) DEFAULT 0 CHECK (balance >= 0));
--> CREATE TABLE
INSERT INTO accounts VALUES (1, 'ada', 10.5), (2, 'bob', 20), (3, 'eve', DEFAULT);
--> INSERT 0 3
INSERT INTO accounts (id, owner) VALUES (1, 'mallory');
--> ERROR 23505: duplicate key value violates unique constraint "accounts_pkey" DETAIL: Key (id)=(1) already exists.
INSERT INTO accounts VALUES (4, NULL, 1);
--> ERROR 23502: null value in column "owner" of relation "accounts" violates not-null constraint DETAIL: Failing row contains (4, null, 1.00).
INSERT INTO accounts VALUES (4, 'dan', -1);
--> ERROR 23514: new row for relation "accounts" violates check constraint "accounts_balance_check" DETAIL: Failing row contains (4, dan, -1.00).
SELECT * FROM accounts;
--> id | owner | balance
--> 1 | ada | 10.50
--> 2 | bob | 20.00
--> 3 | eve | 0.00
--> SELECT 3
SELECT owner, balance FROM accounts WHERE id = 2;
--> owner | balance
--> bob | 20.00
--> SELECT 1
UPDATE accounts SET balance = balance + 5 WHERE id = 1 RETURNING balance;
--> balance
--> 15.50
--> UPDATE 1
UPDATE accounts SET balance = balance * 2 WHERE owner <> 'eve';
--> UPDATE 2
SELECT id, balance FROM accounts ORDER BY balance DESC, id LIMIT 2;
--> id | balance
--> 2 | 40.00
--> 1 | 31.00
--> SELECT 2
DELETE FROM accounts WHERE id = 3;
--> DELETE 1
SELECT count(*), sum(balance) FROM accounts;
--> count | sum
--> 2 | 71.00
--> SELECT 1
SELECT * FROM accounts WHERE id BETWEEN 1 AND 5 ORDER BY id DESC;
--> id | owner | balance
--> 2 | bob | 40.00
--> 1 | ada | 31.00
--> SELECT 2
SELECT 1 + 1, 'text', NULL;
--> ?column? | ?column? | ?column?
--> 2 | text | NULL
--> SELECT 1
SELECT nothing FROM accounts;
--> ERROR 42703: column "nothing" does not exist
SELECT * FROM nowhere;
--> ERROR 42P01: relation "nowhere" does not exist
SELEC 1;
--> ERROR 42601: syntax error at or near "SELEC" DETAIL: Expected: an SQL statement. POSITION: 1

-- Transactions.
BEGIN;
--> BEGIN
UPDATE accounts SET balance = 1 WHERE id = 1;
--> UPDATE 1
SELECT balance FROM accounts WHERE id = 1;
--> balance
--> 1.00
--> SELECT 1
SAVEPOINT s;
--> SAVEPOINT
DELETE FROM accounts;
--> DELETE 2
SELECT count(*) FROM accounts;
--> count
--> 0
--> SELECT 1
ROLLBACK TO s;
--> ROLLBACK
SELECT count(*) FROM accounts;
--> count
--> 2
--> SELECT 1
ROLLBACK;
--> ROLLBACK
SELECT balance FROM accounts WHERE id = 1;
--> balance
--> 31.00
--> SELECT 1
BEGIN;
--> BEGIN
SELECT 1/0;
--> ERROR 22012: division by zero
SELECT 1;
--> ERROR 25P02: current transaction is aborted, commands ignored until end of transaction block
COMMIT;
--> ROLLBACK
COMMIT;
--> WARNING there is no transaction in progress
--> COMMIT
INSERT INTO accounts VALUES (7, 'x', 1); INSERT INTO accounts VALUES (7, 'y', 1);
--> INSERT 0 1
--> ERROR 23505: duplicate key value violates unique constraint "accounts_pkey" DETAIL: Key (id)=(7) already exists.
SELECT * FROM accounts WHERE id = 7;
--> id | owner | balance
--> SELECT 0

-- Without a list of columns the last ones may be left out.
create table fewer (a int primary key, b int default 5, c text default 'x');
--> CREATE TABLE
insert into fewer values (1), (2);
--> INSERT 0 2
insert into fewer select a + 10, a from fewer;
--> INSERT 0 2
insert into fewer (a, b) values (3);
--> ERROR 42601: INSERT has more target columns than expressions
insert into fewer values (3, 4), (5);
--> ERROR 42601: VALUES lists must all be the same length
insert into fewer values (1, 2, 'c', 4);
--> ERROR 42601: INSERT has more expressions than target columns
select * from fewer order by a;
--> a | b | c
--> 1 | 5 | x
--> 2 | 5 | x
--> 11 | 1 | x
--> 12 | 2 | x
--> SELECT 4
