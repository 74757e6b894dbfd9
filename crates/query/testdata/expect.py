#!/usr/bin/env python3
"""Fills in the expected results of golden/*.test from a PostgreSQL 15.

usage: expect.py 'host=... port=... user=... dbname=...'

A test is a query, a line of four dashes, and its rows as psql prints them unaligned (or `ERROR` and the SQLSTATE); tests
are separated by blank lines. Lines starting with # before the query are kept. A block whose comment says `ours` keeps its result: there
the engine differs on purpose, and the comment says how.
"""
import glob, os, re, subprocess, sys

here = os.path.dirname(os.path.abspath(__file__))
conninfo = sys.argv[1]

def psql(sql):
    command = ["psql", "-X", "-q", "-A", "-t", "-P", "null=∅", "-v", "VERBOSITY=verbose", "-v", "ON_ERROR_STOP=1", conninfo]
    environment = dict(os.environ, PGTZ="UTC", PGDATESTYLE="ISO, MDY")
    return subprocess.run(command, input=sql, capture_output=True, text=True, env=environment)

def load():
    rust = open(os.path.join(here, "../tests/common/mod.rs")).read()
    script = open(os.path.join(here, "reference.sql")).read()
    for table, name in [("customers", "CUSTOMERS"), ("orders", "ORDERS"), ("kinds", "KINDS")]:
        body = re.search(r"pub const %s: &\[&str\] = &\[(.*?)\];" % name, rust, re.S).group(1)
        lines = [bytes(line, "utf-8").decode("utf-8").replace('\\"', '"').replace("\\\\", "\\") for line in re.findall(r'"((?:[^"\\]|\\.)*)"', body)]
        for line in lines:
            values = ["NULL" if cell == "∅" else "'" + cell.replace("'", "''") + "'" for cell in line.split("|")]
            script += "insert into %s values (%s);\n" % (table, ", ".join(values))
    done = psql(script)
    if done.returncode != 0:
        sys.exit(done.stderr)

load()
for path in sorted(glob.glob(os.path.join(here, "golden/*.test"))):
    blocks = [block for block in open(path).read().split("\n\n") if block.strip()]
    result = []
    for block in blocks:
        head = block.split("\n----")[0].strip("\n")
        comment = [line for line in head.split("\n") if line.startswith("#")]
        if any("ours" in line for line in comment):
            result.append(block.strip("\n"))
            continue
        sql = "\n".join(line for line in head.split("\n") if not line.startswith("#"))
        done = psql(sql.rstrip(";") + ";")
        if done.returncode == 0:
            rows = done.stdout.rstrip("\n")
        else:
            rows = "ERROR " + (re.search(r"ERROR:\s+(\w{5}):", done.stderr) or re.search(r"()", "")).group(1)
        result.append(head + "\n----" + ("\n" + rows if rows else ""))
    open(path, "w").write("\n\n".join(result) + "\n")
