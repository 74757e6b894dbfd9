-- Two sessions.
CREATE TABLE t (id int PRIMARY KEY, v int);
--> CREATE TABLE
INSERT INTO t VALUES (1, 10), (2, 20);
--> INSERT 0 2
-- READ COMMITTED: a change waits, and is judged again by what the other one left.
BEGIN;
--> BEGIN
UPDATE t SET v = v + 1 WHERE id = 1;
--> UPDATE 1
-- @b
UPDATE t SET v = v * 2 WHERE v = 10;
-- @main
COMMIT;
--> COMMIT
-- @b
--> UPDATE 0
SELECT * FROM t;
--> id | v
--> 1 | 11
--> 2 | 20
--> SELECT 2
-- REPEATABLE READ keeps its snapshot and refuses to change what is newer.
BEGIN ISOLATION LEVEL REPEATABLE READ;
--> BEGIN
SELECT v FROM t WHERE id = 2;
--> v
--> 20
--> SELECT 1
-- @main
UPDATE t SET v = 21 WHERE id = 2;
--> UPDATE 1
-- @b
SELECT v FROM t WHERE id = 2;
--> v
--> 20
--> SELECT 1
UPDATE t SET v = 22 WHERE id = 2;
--> ERROR 40001: could not serialize access due to concurrent update
ROLLBACK;
--> ROLLBACK
-- SERIALIZABLE: each reads what the other writes; one is refused.
BEGIN ISOLATION LEVEL SERIALIZABLE;
--> BEGIN
SELECT sum(v) FROM t;
--> sum
--> 32
--> SELECT 1
INSERT INTO t VALUES (3, 1);
--> INSERT 0 1
-- @main
BEGIN ISOLATION LEVEL SERIALIZABLE;
--> BEGIN
SELECT sum(v) FROM t;
--> sum
--> 32
--> SELECT 1
INSERT INTO t VALUES (4, 1);
--> INSERT 0 1
COMMIT;
--> COMMIT
-- @b
COMMIT;
--> ERROR 40001: could not serialize access due to read/write dependencies among transactions
-- Deadlock.
BEGIN;
--> BEGIN
UPDATE t SET v = 0 WHERE id = 1;
--> UPDATE 1
-- @main
BEGIN;
--> BEGIN
UPDATE t SET v = 0 WHERE id = 2;
--> UPDATE 1
UPDATE t SET v = 0 WHERE id = 1;
-- @b
UPDATE t SET v = 0 WHERE id = 2;
--> ERROR 40P01: deadlock detected
-- @main
COMMIT;
-- @b
ROLLBACK;
--> ROLLBACK
-- Locks that do not wait.
BEGIN;
--> BEGIN
SELECT * FROM t WHERE id = 1 FOR UPDATE;
--> id | v
--> 1 | 0
--> SELECT 1
-- @main
--> UPDATE 1
--> COMMIT
SELECT * FROM t WHERE id = 1 FOR UPDATE NOWAIT;
--> ERROR 55P03: could not obtain lock on row
SELECT * FROM t ORDER BY id FOR UPDATE SKIP LOCKED;
--> id | v
--> 2 | 0
--> 4 | 1
--> SELECT 2
SELECT * FROM t ORDER BY id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED;
--> id | v
--> 2 | 0
--> SELECT 1
SET lock_timeout = '2s';
--> SET
UPDATE t SET v = 5 WHERE id = 1;
-- @wait 3
--> ERROR 55P03: canceling statement due to lock timeout
-- @b
COMMIT;
--> COMMIT
-- Two inserts of one key: the second waits for the first.
BEGIN;
--> BEGIN
INSERT INTO t VALUES (9, 9);
--> INSERT 0 1
-- @main
INSERT INTO t VALUES (9, 99);
-- @b
COMMIT;
--> COMMIT
-- @main
--> ERROR 23505: duplicate key value violates unique constraint "t_pkey" DETAIL: Key (id)=(9) already exists.
SET statement_timeout = '1s';
--> SET
BEGIN;
--> BEGIN
UPDATE t SET v = 1 WHERE id = 9;
--> UPDATE 1
-- @b
SET statement_timeout = '1s';
--> SET
UPDATE t SET v = 2 WHERE id = 9;
-- @wait 2
--> ERROR 57014: canceling statement due to statement timeout
-- @main
ROLLBACK;
--> ROLLBACK
-- Read only.
BEGIN READ ONLY;
--> BEGIN
UPDATE t SET v = 1;
--> ERROR 25006: cannot execute UPDATE in a read-only transaction
ROLLBACK;
--> ROLLBACK
