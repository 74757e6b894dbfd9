-- What pgbench -i says, and its built-in scripts.
drop table if exists pgbench_accounts, pgbench_branches, pgbench_history, pgbench_tellers;
--> NOTICE table "pgbench_accounts" does not exist, skipping
--> NOTICE table "pgbench_branches" does not exist, skipping
--> NOTICE table "pgbench_history" does not exist, skipping
--> NOTICE table "pgbench_tellers" does not exist, skipping
--> DROP TABLE
create table pgbench_history(tid int,bid int,aid    int,delta int,mtime timestamp,filler char(22));
--> CREATE TABLE
create table pgbench_tellers(tid int not null,bid int,tbalance int,filler char(84)) with (fillfactor=100);
--> CREATE TABLE
create table pgbench_accounts(aid    int not null,bid int,abalance int,filler char(84)) with (fillfactor=100);
--> CREATE TABLE
create table pgbench_branches(bid int not null,bbalance int,filler char(88)) with (fillfactor=100);
--> CREATE TABLE
begin;
--> BEGIN
truncate table pgbench_accounts, pgbench_branches, pgbench_history, pgbench_tellers;
--> TRUNCATE TABLE
insert into pgbench_branches(bid,bbalance) values(1,0);
--> INSERT 0 1
insert into pgbench_tellers(tid,bid,tbalance) values (1,1,0);
--> INSERT 0 1
insert into pgbench_tellers(tid,bid,tbalance) values (2,1,0);
--> INSERT 0 1
insert into pgbench_accounts(aid,bid,abalance,filler) values (1,1,0,''), (2,1,0,''), (3,1,0,'');
--> INSERT 0 3
commit;
--> COMMIT
vacuum analyze pgbench_branches;
--> VACUUM
alter table pgbench_branches add primary key (bid);
--> ALTER TABLE
alter table pgbench_tellers add primary key (tid);
--> ALTER TABLE
alter table pgbench_accounts add primary key (aid);
--> ALTER TABLE
BEGIN;
--> BEGIN
UPDATE pgbench_accounts SET abalance = abalance + -50 WHERE aid = 2;
--> UPDATE 1
SELECT abalance FROM pgbench_accounts WHERE aid = 2;
--> abalance
--> -50
--> SELECT 1
UPDATE pgbench_tellers SET tbalance = tbalance + -50 WHERE tid = 1;
--> UPDATE 1
UPDATE pgbench_branches SET bbalance = bbalance + -50 WHERE bid = 1;
--> UPDATE 1
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (1, 1, 2, -50, '2026-01-01 00:00:00');
--> INSERT 0 1
END;
--> COMMIT
SELECT * FROM pgbench_accounts ORDER BY aid;
--> aid | bid | abalance | filler
--> 1 | 1 | 0 |                                                                                     
--> 2 | 1 | -50 |                                                                                     
--> 3 | 1 | 0 |                                                                                     
--> SELECT 3
SELECT tid, bid, aid, delta, mtime FROM pgbench_history;
--> tid | bid | aid | delta | mtime
--> 1 | 1 | 2 | -50 | 2026-01-01 00:00:00
--> SELECT 1
EXPLAIN UPDATE pgbench_accounts SET abalance = 1 WHERE aid = 2;
--> QUERY PLAN
--> Native: Update on pgbench_accounts
-->   Access: Point by pgbench_accounts_pkey
-->   Filter: yes
-->   Shard: s0
--> EXPLAIN
ALTER TABLE pgbench_accounts ADD PRIMARY KEY (bid);
--> ERROR 42P16: multiple primary keys for table "pgbench_accounts" are not allowed
INSERT INTO pgbench_tellers VALUES (1, 1, 0, '');
--> ERROR 23505: duplicate key value violates unique constraint "pgbench_tellers_pkey" DETAIL: Key (tid)=(1) already exists.
