-- Schema changes, seen by their own transaction and undone with it.
CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int);
--> CREATE TABLE
INSERT INTO t (a) VALUES (10), (20) RETURNING id;
--> id
--> 1
--> 2
--> INSERT 0 2
INSERT INTO t (id, a) VALUES (5, 5);
--> ERROR 428C9: cannot insert a non-DEFAULT value into column "id" DETAIL: Column "id" is an identity column defined as GENERATED ALWAYS. HINT: Use OVERRIDING SYSTEM VALUE to override.
CREATE TABLE t (x int);
--> ERROR 42P07: relation "t" already exists
CREATE TABLE IF NOT EXISTS t (x int);
--> NOTICE relation "t" already exists, skipping
--> CREATE TABLE
ALTER TABLE t ADD COLUMN b text DEFAULT 'none' NOT NULL;
--> ALTER TABLE
SELECT * FROM t;
--> id | a | b
--> 1 | 10 | none
--> 2 | 20 | none
--> SELECT 2
ALTER TABLE t ADD COLUMN c int NOT NULL;
--> ERROR 23502: column "c" of relation "t" contains null values
ALTER TABLE t ALTER COLUMN a SET NOT NULL;
--> ALTER TABLE
INSERT INTO t (a) VALUES (NULL);
--> ERROR 23502: null value in column "a" of relation "t" violates not-null constraint DETAIL: Failing row contains (3, null, none).
ALTER TABLE t ADD CONSTRAINT positive CHECK (a > 0);
--> ALTER TABLE
INSERT INTO t (a) VALUES (-1);
--> ERROR 23514: new row for relation "t" violates check constraint "positive" DETAIL: Failing row contains (4, -1, none).
ALTER TABLE t ADD CHECK (a > 15);
--> ERROR 23514: check constraint "t_check" of relation "t" is violated by some row
ALTER TABLE t RENAME COLUMN a TO amount;
--> ALTER TABLE
INSERT INTO t (amount) VALUES (-2);
--> ERROR 23514: new row for relation "t" violates check constraint "positive" DETAIL: Failing row contains (5, -2, none).
UPDATE t SET amount = amount + 1 WHERE id = 1;
--> UPDATE 1
ALTER TABLE t DROP COLUMN b;
--> ALTER TABLE
SELECT * FROM t ORDER BY id;
--> id | amount
--> 1 | 11
--> 2 | 20
--> SELECT 2
ALTER TABLE t ALTER COLUMN amount TYPE text;
--> ERROR 42883: operator does not exist: text > integer HINT: No operator matches the given name and argument types. You might need to add explicit type casts.
SELECT amount || '!' AS shouted FROM t WHERE id = 2;
--> shouted
--> 20!
--> SELECT 1
ALTER TABLE t RENAME TO u;
--> ALTER TABLE
SELECT count(*) FROM t;
--> ERROR 42P01: relation "t" does not exist
BEGIN;
--> BEGIN
CREATE TABLE inside (id int PRIMARY KEY);
--> CREATE TABLE
INSERT INTO inside VALUES (1);
--> INSERT 0 1
SELECT * FROM inside;
--> id
--> 1
--> SELECT 1
DROP TABLE u;
--> DROP TABLE
SELECT count(*) FROM u;
--> ERROR 42P01: relation "u" does not exist
ROLLBACK;
--> ROLLBACK
SELECT count(*) FROM u;
--> count
--> 2
--> SELECT 1
SELECT * FROM inside;
--> ERROR 42P01: relation "inside" does not exist
TRUNCATE u RESTART IDENTITY;
--> TRUNCATE TABLE
INSERT INTO u (amount) VALUES ('again') RETURNING id;
--> ERROR 22P02: invalid input syntax for type integer: "again"
CREATE SCHEMA app;
--> CREATE SCHEMA
CREATE TABLE app.things (id int PRIMARY KEY, note varchar(3));
--> CREATE TABLE
INSERT INTO app.things VALUES (1, 'long');
--> ERROR 22001: value too long for type character varying(3)
SET search_path = app, public;
--> SET
SELECT * FROM things;
--> id | note
--> SELECT 0
DROP SCHEMA app;
--> ERROR 2BP01: cannot drop schema app because other objects depend on it HINT: Use DROP ... CASCADE to drop the dependent objects too.
DROP SCHEMA app CASCADE;
--> DROP SCHEMA
DROP TABLE u;
--> DROP TABLE
DROP TABLE u;
--> ERROR 42P01: table "u" does not exist
DROP TABLE IF EXISTS u;
--> NOTICE table "u" does not exist, skipping
--> DROP TABLE
CREATE TABLE refs (id int REFERENCES other(id));
--> ERROR 0A000: a foreign key is not supported
CREATE TABLE pg_catalog.mine (id int);
--> ERROR 42501: permission denied to create in schema "pg_catalog"
CREATE SEQUENCE s START 10 INCREMENT BY 5 MAXVALUE 20;
--> CREATE SEQUENCE
SELECT nextval('s');
--> nextval
--> 10
--> SELECT 1
SELECT nextval('s'), currval('s');
--> nextval | currval
--> 15 | 15
--> SELECT 1
SELECT nextval('s');
--> nextval
--> 20
--> SELECT 1
SELECT nextval('s');
--> ERROR 2200H: nextval: reached maximum value of sequence "s" (20)
SELECT setval('s', 12);
--> setval
--> 12
--> SELECT 1
SELECT nextval('s');
--> nextval
--> 17
--> SELECT 1
DROP SEQUENCE s;
--> DROP SEQUENCE
CREATE TABLE copied AS SELECT 1 AS one, 'x' AS letter;
--> SELECT 1
SELECT * FROM copied;
--> one | letter
--> 1 | x
--> SELECT 1
CREATE TABLE spread (region text, id int, v int, PRIMARY KEY (region, id)) WITH (shard_key = 'region');
--> CREATE TABLE
INSERT INTO spread VALUES ('north', 1, 1), ('south', 1, 2), ('east', 1, 3), ('west', 1, 4), ('west', 2, 5);
--> INSERT 0 5
SELECT * FROM spread ORDER BY region, id;
--> region | id | v
--> east | 1 | 3
--> north | 1 | 1
--> south | 1 | 2
--> west | 1 | 4
--> west | 2 | 5
--> SELECT 5
UPDATE spread SET v = v + 10 WHERE region = 'west';
--> UPDATE 2
SELECT sum(v) FROM spread;
--> sum
--> 35
--> SELECT 1
UPDATE spread SET region = 'south' WHERE region = 'west' AND id = 2;
--> UPDATE 1
SELECT * FROM spread WHERE region = 'south' ORDER BY id;
--> region | id | v
--> south | 1 | 2
--> south | 2 | 15
--> SELECT 2
CREATE TABLE broken (a int PRIMARY KEY, b int) WITH (shard_key = 'b');
--> ERROR 42P16: shard_key must be part of the primary key
CREATE ROLE clerk LOGIN PASSWORD 'secret';
--> CREATE ROLE
CREATE ROLE clerk;
--> ERROR 42710: role "clerk" already exists
DROP ROLE clerk;
--> DROP ROLE
