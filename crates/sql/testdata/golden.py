"""Makes golden.tsv anew: what PostgreSQL 15 answers to each line of expressions.sql.

Run in this folder with a server that psql reaches (PGHOST, PGPORT, PGUSER, PGDATABASE); the database has the locale
C.UTF-8 and may hold a temporary table:  python3 golden.py > golden.tsv
"""
import subprocess
import sys

TRY = r"""create function pg_temp.try(e text) returns text as $$
declare t text; n bool; v text; m text; st text;
begin
  execute 'select pg_typeof(x)::text, x is null, format(''%s'', x) from (select ' || e || ' as x) s' into t, n, v;
  return t || E'\t' || case when n then 'NULL' else '=' || v end;
exception when others then
  get stacked diagnostics st = returned_sqlstate, m = message_text;
  return 'ERROR ' || st || E'\t' || m;
end $$ language plpgsql;"""


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


lines = [line.rstrip("\n") for line in open("expressions.sql", encoding="utf-8") if line.strip()]
script = ["set client_min_messages = error;", "create temp table golden (id int, e text, r text);", TRY, "set timezone = 'Europe/Berlin';"]
script += [f"insert into golden values ({i}, {quoted(e)}, pg_temp.try({quoted(e)}));" for i, e in enumerate(lines)]
script.append(r"select e || E'\t' || replace(r, E'\n', '\n') from golden order by id;")
result = subprocess.run(["psql", "-qAtX", "-v", "ON_ERROR_STOP=1"], input="\n".join(script), capture_output=True, text=True)
sys.stderr.write(result.stderr)
sys.stdout.write(result.stdout)
sys.exit(result.returncode)
