-- ON CONFLICT.
CREATE TABLE counters (name text PRIMARY KEY, n int NOT NULL, alias text UNIQUE);
--> CREATE TABLE
INSERT INTO counters VALUES ('a', 1, 'x');
--> INSERT 0 1
INSERT INTO counters VALUES ('a', 2, 'y') ON CONFLICT DO NOTHING;
--> INSERT 0 0
INSERT INTO counters VALUES ('b', 2, 'x') ON CONFLICT (name) DO NOTHING;
--> ERROR 23505: duplicate key value violates unique constraint "counters_alias_key" DETAIL: Key (alias)=(x) already exists.
INSERT INTO counters VALUES ('b', 2, 'x') ON CONFLICT (alias) DO NOTHING;
--> INSERT 0 0
INSERT INTO counters AS c VALUES ('a', 5, 'z') ON CONFLICT (name) DO UPDATE SET n = c.n + excluded.n, alias = excluded.alias RETURNING *;
--> name | n | alias
--> a | 6 | z
--> INSERT 0 1
INSERT INTO counters VALUES ('c', 7, 'z') ON CONFLICT (alias) DO UPDATE SET n = counters.n + excluded.n WHERE counters.n < 10;
--> INSERT 0 1
INSERT INTO counters VALUES ('c', 7, 'z') ON CONFLICT (alias) DO UPDATE SET n = counters.n + excluded.n WHERE counters.n < 10;
--> INSERT 0 0
SELECT * FROM counters;
--> name | n | alias
--> a | 13 | z
--> SELECT 1
INSERT INTO counters VALUES ('d', 1, 'd'), ('d', 2, 'd') ON CONFLICT (name) DO UPDATE SET n = 3;
--> ERROR 21000: ON CONFLICT DO UPDATE command cannot affect row a second time HINT: Ensure that no rows proposed for insertion within the same command have duplicate constrained values.
INSERT INTO counters VALUES ('d', 1, 'd'), ('d', 2, 'd') ON CONFLICT DO NOTHING;
--> INSERT 0 1
INSERT INTO counters VALUES ('d', 1, 'd') ON CONFLICT (n) DO NOTHING;
--> ERROR 42P10: there is no unique or exclusion constraint matching the ON CONFLICT specification
INSERT INTO counters (name, n) VALUES ('e', 1), ('e', 2);
--> ERROR 23505: duplicate key value violates unique constraint "counters_pkey" DETAIL: Key (name)=(e) already exists.
INSERT INTO counters (name, n) SELECT 'f', 6;
--> INSERT 0 1
SELECT name, n FROM counters ORDER BY name;
--> name | n
--> a | 13
--> d | 1
--> f | 6
--> SELECT 3
