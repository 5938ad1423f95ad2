#!/usr/bin/env python3
"""tarn check against frictionless and pandera on one CSV file, and DuckDB on the same as Parquet: the same checks, in turns, as ratios.

    python -m venv v && v/bin/pip install frictionless pandera pandas pyarrow duckdb
    go build -o tarn ./cmd/tarn && v/bin/python bench/check.py ./tarn
    v/bin/python bench/check.py ./tarn --parquet --no-unique --tools tarn,duckdb
"""
import argparse, json, os, random, resource, statistics, subprocess, sys, tempfile, time

STATES = ["open", "paid", "sent", "returned", "lost"]
SCHEMA = {"fields": [
    {"name": "id", "type": "integer", "constraints": {"required": True, "unique": True, "minimum": 1}},
    {"name": "code", "type": "string", "constraints": {"required": True, "pattern": "[A-Z]{2}-[0-9]{6}"}},
    {"name": "price", "type": "number", "constraints": {"required": True, "minimum": 0, "maximum": 100000}},
    {"name": "quantity", "type": "integer", "constraints": {"minimum": 0}},
    {"name": "state", "type": "string", "constraints": {"enum": STATES}},
    {"name": "day", "type": "date"}]}


def make(path, rows):
    """Writes the table; in one row of 1000 something is wrong, of each kind: a null, a range, a value, a repeated key, a pattern."""
    r = random.Random(7)
    with open(path, "w") as f:
        f.write("id,code,price,quantity,state,day\n")
        for i in range(1, rows + 1):
            bad = r.randrange(1000)
            f.write("%d,%s%s-%s,%s,%d,%s,20%02d-%02d-%02d\n" % (
                i - (bad == 3 and i > 1), r.choice("ABCDEFG"), r.choice("HIJKLM"), "1" if bad == 4 else "%06d" % r.randrange(10**6),
                "" if bad == 0 else r.randrange(10**7) / 100, -1 if bad == 1 else r.randrange(1000), "stolen" if bad == 2 else r.choice(STATES),
                r.randrange(10, 25), r.randrange(1, 13), r.randrange(1, 29)))


def frictionless(path):
    import frictionless as fl
    fl.system.trusted = True  # paths that are absolute
    report = fl.validate(fl.Resource(path=path, schema=fl.Schema.from_descriptor(SCHEMA)), limit_errors=10**9)
    return len(report.flatten(["rowNumber"]))


def pandera(path):
    import pandas as pd
    import pandera.pandas as pa
    schema = pa.DataFrameSchema({
        "id": pa.Column(int, pa.Check.ge(1), unique=SCHEMA["fields"][0]["constraints"]["unique"], report_duplicates="exclude_first"),
        "code": pa.Column(str, pa.Check.str_matches(r"^(?:[A-Z]{2}-[0-9]{6})$")),
        "price": pa.Column(float, pa.Check.in_range(0, 100000)),
        "quantity": pa.Column(int, pa.Check.ge(0), nullable=True),
        "state": pa.Column(str, pa.Check.isin(STATES), nullable=True),
        "day": pa.Column("datetime64[ns]", coerce=True, nullable=True)})
    try:
        schema.validate(pd.read_csv(path, parse_dates=["day"]), lazy=True)
    except pa.errors.SchemaErrors as e:
        return len(e.failure_cases)
    return 0


def duckdb(path):
    import duckdb as db
    c = db.connect()
    c.execute("set threads=2")
    bad = ["id is null", "id < 1", "code is null", "not regexp_full_match(code, '[A-Z]{2}-[0-9]{6}')", "price is null", "price < 0 or price > 100000", "quantity < 0",
           "state not in (%s)" % ", ".join("'%s'" % s for s in STATES)]
    return c.execute("select %s from '%s'" % (" + ".join("count(*) filter (where %s)" % b for b in bad), path)).fetchone()[0]


def measure(argv):
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    out = subprocess.run(argv, stdout=subprocess.PIPE, text=True).stdout
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if out.startswith("{"):
        return wall, cpu, sum(c["count"] for r in json.loads(out)["results"] for c in r["checks"])
    return wall, cpu, int(out)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("tarn", help="the binary")
    p.add_argument("--rows", type=int, default=1_000_000)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--no-unique", action="store_true", help="without the check that needs all keys")
    p.add_argument("--tools", default="tarn,pandera,frictionless")
    p.add_argument("--parquet", action="store_true", help="the table as Parquet, which only tarn and duckdb are asked about")
    p.add_argument("--only", help="one of the others, in this process", choices=["frictionless", "pandera", "duckdb"])
    a = p.parse_args()
    if a.no_unique:
        SCHEMA["fields"][0]["constraints"]["unique"] = False
    if a.only:
        print(globals()[a.only](a.tarn))
        return
    with tempfile.TemporaryDirectory() as d:
        table, schema = os.path.join(d, "t.csv"), os.path.join(d, "s.json")
        make(table, a.rows)
        with open(schema, "w") as f:
            json.dump(SCHEMA, f)
        if a.parquet:
            import duckdb as db
            text, table = table, os.path.join(d, "t.parquet")
            db.sql("copy (select * from read_csv('%s')) to '%s'" % (text, table))
        flags = ["--no-unique"] * a.no_unique
        tools = {"tarn": [os.path.abspath(a.tarn), "check", table, "--schema", schema, "--json", "--max", "0"],
                 "pandera": [sys.executable, __file__, "--only", "pandera", table] + flags,
                 "frictionless": [sys.executable, __file__, "--only", "frictionless", table] + flags,
                 "duckdb": [sys.executable, __file__, "--only", "duckdb", table]}
        tools = {name: tools[name] for name in a.tools.split(",")}
        got = {name: [] for name in tools}
        for _ in range(a.rounds):
            for name, argv in tools.items():
                got[name].append(measure(argv))
        print("%d rows, %.0f MB, %d rounds, %d processors" % (a.rows, os.path.getsize(table) / 1e6, a.rounds, os.cpu_count()))
        for name, runs in got.items():
            ratio = [statistics.median(r[i] / t[i] for r, t in zip(runs, got["tarn"])) for i in (0, 1)]
            print("%-12s %7.2f s  %7.2f s of processors  %6.1f x  %6.1f x  %d violations" % (
                name, *(statistics.median(r[i] for r in runs) for i in (0, 1)), *ratio, runs[0][2]))


if __name__ == "__main__":
    main()
