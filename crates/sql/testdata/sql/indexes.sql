-- Secondary and unique indexes: found by, kept, and built over rows that are there.
CREATE TABLE sbtest1(id SERIAL, k INTEGER DEFAULT '0' NOT NULL, c CHAR(12) DEFAULT '' NOT NULL, pad CHAR(6) DEFAULT '' NOT NULL, PRIMARY KEY (id));
--> CREATE TABLE
INSERT INTO sbtest1(k, c, pad) VALUES(5, 'a', 'x'),(3, 'b', 'y'),(5, 'c', 'z'),(1, 'd', 'w');
--> INSERT 0 4
CREATE INDEX k_1 ON sbtest1(k);
--> CREATE INDEX
EXPLAIN SELECT * FROM sbtest1 WHERE k = 5;
--> QUERY PLAN
--> Native: Select on sbtest1
-->   Access: Range by k_1
-->   Filter: yes
-->   Shard: s0
--> EXPLAIN
SELECT id, c FROM sbtest1 WHERE k = 5;
--> id | c
--> 1 | a           
--> 3 | c           
--> SELECT 2
SELECT id, k FROM sbtest1 WHERE k BETWEEN 2 AND 5 ORDER BY k, id;
--> id | k
--> 2 | 3
--> 1 | 5
--> 3 | 5
--> SELECT 3
UPDATE sbtest1 SET k=k+1 WHERE id=2;
--> UPDATE 1
SELECT id FROM sbtest1 WHERE k = 4;
--> id
--> 2
--> SELECT 1
SELECT id FROM sbtest1 WHERE k = 3;
--> id
--> SELECT 0
SELECT SUM(K) FROM sbtest1 WHERE id BETWEEN 1 AND 3;
--> sum
--> 14
--> SELECT 1
SELECT DISTINCT c FROM sbtest1 WHERE id BETWEEN 1 AND 4 ORDER BY c;
--> c
--> a           
--> b           
--> c           
--> d           
--> SELECT 4
DELETE FROM sbtest1 WHERE id=4;
--> DELETE 1
INSERT INTO sbtest1 (id, k, c, pad) VALUES (4, 9, 'e', 'v');
--> INSERT 0 1
CREATE UNIQUE INDEX c_1 ON sbtest1(c);
--> CREATE INDEX
INSERT INTO sbtest1 (k, c) VALUES (1, 'a');
--> ERROR 23505: duplicate key value violates unique constraint "c_1" DETAIL: Key (c)=(a           ) already exists.
INSERT INTO sbtest1 (id, k, c) VALUES (50, 1, 'a');
--> ERROR 23505: duplicate key value violates unique constraint "c_1" DETAIL: Key (c)=(a           ) already exists.
UPDATE sbtest1 SET c = 'b' WHERE id = 1;
--> ERROR 23505: duplicate key value violates unique constraint "c_1" DETAIL: Key (c)=(b           ) already exists.
UPDATE sbtest1 SET id = 100 WHERE id = 1;
--> UPDATE 1
SELECT id, k, c FROM sbtest1 WHERE c = 'a';
--> id | k | c
--> 100 | 5 | a           
--> SELECT 1
CREATE UNIQUE INDEX k_2 ON sbtest1(k, pad);
--> CREATE INDEX
CREATE UNIQUE INDEX broken ON sbtest1(k);
--> ERROR 23505: could not create unique index "broken" DETAIL: Key (k)=(5) is duplicated.
DELETE FROM sbtest1 WHERE c = 'a';
--> DELETE 1
INSERT INTO sbtest1 (id, k, c) VALUES (51, 2, 'a');
--> INSERT 0 1
SELECT id, k FROM sbtest1 WHERE k IN (2, 9, 77) ORDER BY id DESC;
--> id | k
--> 51 | 2
--> 4 | 9
--> SELECT 2
SELECT id FROM sbtest1 WHERE id IN (2, 51, 1000);
--> id
--> 2
--> 51
--> SELECT 2
DROP INDEX c_1;
--> DROP INDEX
INSERT INTO sbtest1 (id, k, c) VALUES (52, 3, 'a');
--> INSERT 0 1
DROP INDEX c_1;
--> ERROR 42704: index "c_1" does not exist
CREATE TABLE uniques (a int UNIQUE, b text, UNIQUE (b, a));
--> CREATE TABLE
INSERT INTO uniques VALUES (1, 'x'), (NULL, 'x'), (NULL, 'x');
--> INSERT 0 3
INSERT INTO uniques VALUES (1, 'y');
--> ERROR 23505: duplicate key value violates unique constraint "uniques_a_key" DETAIL: Key (a)=(1) already exists.
SELECT * FROM uniques WHERE a IS NULL;
--> a | b
--> NULL | x
--> NULL | x
--> SELECT 2
ALTER TABLE uniques ADD CONSTRAINT b_once UNIQUE (b);
--> ERROR 23505: could not create unique index "b_once" DETAIL: Key (b)=(x) is duplicated.
