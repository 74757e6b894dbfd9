-- Settings and their undoing; prepared statements; cursors.
SHOW server_version_num;
--> server_version_num
--> 150000
--> SHOW
SET statement_timeout = '2min';
--> SET
SHOW statement_timeout;
--> statement_timeout
--> 2min
--> SHOW
SET no_such_setting = 1;
--> ERROR 42704: unrecognized configuration parameter "no_such_setting"
SET my.own = 'x';
--> SET
SHOW my.own;
--> my.own
--> x
--> SHOW
BEGIN;
--> BEGIN
SET LOCAL statement_timeout = 5;
--> SET
SHOW statement_timeout;
--> statement_timeout
--> 5ms
--> SHOW
COMMIT;
--> COMMIT
SHOW statement_timeout;
--> statement_timeout
--> 2min
--> SHOW
BEGIN;
--> BEGIN
SET application_name = 'test';
--> SET
ROLLBACK;
--> ROLLBACK
SHOW application_name;
--> application_name
--> 
--> SHOW
RESET ALL;
--> RESET
SHOW statement_timeout;
--> statement_timeout
--> 0
--> SHOW
SET TIME ZONE 'Europe/Berlin';
--> SET
SHOW timezone;
--> TimeZone
--> Europe/Berlin
--> SHOW
SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE;
--> SET
SHOW TRANSACTION ISOLATION LEVEL;
--> transaction_isolation
--> serializable
--> SHOW
SET client_encoding = 'LATIN1';
--> ERROR 0A000: client encoding LATIN1 is not supported HINT: Use UTF8.
DISCARD ALL;
--> DISCARD ALL
CREATE TABLE t (id int PRIMARY KEY, v text);
--> CREATE TABLE
PREPARE ins AS INSERT INTO t VALUES ($1, $2);
--> PREPARE
EXECUTE ins(1, 'one');
--> INSERT 0 1
EXECUTE ins(2, 'two');
--> INSERT 0 1
EXECUTE ins(1);
--> ERROR 42601: wrong number of parameters for prepared statement "ins" DETAIL: Expected 2 parameters but got 1.
PREPARE sel(int) AS SELECT v FROM t WHERE id = $1;
--> PREPARE
EXECUTE sel(2);
--> v
--> two
--> SELECT 1
ALTER TABLE t ADD COLUMN w int;
--> ALTER TABLE
EXECUTE sel(1);
--> v
--> one
--> SELECT 1
DEALLOCATE sel;
--> DEALLOCATE
EXECUTE sel(1);
--> ERROR 26000: prepared statement "sel" does not exist
BEGIN;
--> BEGIN
DECLARE c CURSOR FOR SELECT id FROM t ORDER BY id;
--> DECLARE CURSOR
FETCH c;
--> id
--> 1
--> FETCH 1
FETCH ALL FROM c;
--> id
--> 2
--> FETCH 1
FETCH c;
--> id
--> FETCH 0
CLOSE c;
--> CLOSE CURSOR
FETCH c;
--> ERROR 34000: cursor "c" does not exist
ROLLBACK;
--> ROLLBACK
COPY t (id, v) TO STDOUT;
--> CopyOut { binary: false, columns: 2 }
--> 1	one
--> 2	two
--> CopyDone
--> COPY 2
COPY (SELECT v FROM t ORDER BY v DESC) TO STDOUT WITH (FORMAT csv, HEADER);
--> CopyOut { binary: false, columns: 1 }
--> v
--> two
--> one
--> CopyDone
--> COPY 2
EXPLAIN SELECT * FROM t;
--> QUERY PLAN
--> Native: Select on t
-->   Access: Full scan by t_pkey
-->   Shard: s0
--> EXPLAIN
EXPLAIN ANALYZE SELECT v FROM t WHERE id = 1;
--> QUERY PLAN
--> Native: Select on t
-->   Access: Point by t_pkey
-->   Filter: yes
-->   Shard: s0
--> Rows: 1
--> EXPLAIN
SELECT current_user, current_database();
--> current_user | current_database
--> florin | florin
--> SELECT 1
SELECT (SELECT 1);
--> ERROR 0A000: a subquery here is not supported
VALUES (1);
--> ERROR 0A000: VALUES here is not supported
GRANT ALL ON t TO public;
--> ERROR 0A000: GRANT is not supported
CREATE VIEW v AS SELECT 1;
--> ERROR 0A000: CREATE VIEW is not supported
