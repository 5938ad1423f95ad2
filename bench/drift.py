#!/usr/bin/env python3
"""The figures of docs/drift.md: profiles beside DuckDB, drift of many files, KS beside scipy. In turns, as processor time.

    python -m venv v && v/bin/pip install duckdb scipy
    go build -o tarn ./cmd/tarn && v/bin/python bench/drift.py ./tarn
"""
import argparse, importlib.util, os, random, re, resource, statistics, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
SUMMARIZE = "import duckdb; c = duckdb.connect(); c.execute('set threads=2'); c.execute(\"summarize select * from '%s'\").fetchall()"
KS = """
import numpy as np, time
from scipy.stats import ks_2samp
r = np.random.default_rng(1)
a, b = r.normal(size=1_000_000), 1.001 * r.normal(size=1_000_000)
start = time.process_time()
ks_2samp(a, b)
print(time.process_time() - start)
"""


def measure(argv, **more):
    """The processor time and the time on the clock."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, **more)
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def show(what, ours, other, theirs):
    ratios = [a / b for a, b in zip(ours, theirs)]
    print("%-40s tarn %.3f s, %s %.3f s of processors, ratio %.2f (%.2f to %.2f)" % (
        what, statistics.median(ours), other, statistics.median(theirs), statistics.median(ratios), min(ratios), max(ratios)))


def tables(a, d):
    spec = importlib.util.spec_from_file_location("check", os.path.join(HERE, "check.py"))
    check = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(check)
    text, parquet = os.path.join(d, "t.csv"), os.path.join(d, "t.parquet")
    check.make(text, a.rows)
    import duckdb
    duckdb.sql("copy (select * from read_csv('%s')) to '%s'" % (text, parquet))
    for path in (parquet, text):
        ours, theirs = [], []
        for _ in range(a.rounds):
            theirs.append(measure([sys.executable, "-c", SUMMARIZE % path])[0])
            ours.append(measure([a.tarn, "profile", path], cwd=d)[0])
        show("%s of %d rows, %.0f MB" % (os.path.splitext(path)[1], a.rows, os.path.getsize(path) / 1e6), ours, "DuckDB", theirs)
        os.remove(path)


def files(a, d):
    r = random.Random(1)

    def write(every, mean):
        for i in range(0, a.files, every):
            with open(os.path.join(d, "data", "%05d.csv" % i), "w") as f:
                f.write("id,price,quantity,state,note\n")
                for k in range(100):
                    f.write("%d,%.2f,%d,%s,n%021d\n" % (i * 100 + k, r.gauss(mean, 20), r.randrange(1000), r.choice(["open", "paid", "sent", "lost"]), r.randrange(10**12)))

    def run(*argv):
        return measure(argv, cwd=d)

    def version(name):
        run(a.tarn, "add", "data")
        run("git", "add", "-A")
        run("git", "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", name)
        run("git", "tag", name)

    os.mkdir(os.path.join(d, "data"))
    run("git", "init", "-q")
    run(a.tarn, "init")
    write(1, 100)
    version("v1")
    write(30, 101)
    version("v2")
    print("%d files, profile: %.2f s of processors, %.2f s; of the other version: %.2f s, %.2f s" % (a.files, *run(a.tarn, "profile", "v1:data"), *run(a.tarn, "profile", "v2:data")))
    got = [run(a.tarn, "drift", "v1", "v2") for _ in range(5 * a.rounds)]
    print("%d files, drift: %.3f s of processors, %.3f s (%.3f to %.3f)" % (a.files, *(statistics.median(g[i] for g in got) for i in (0, 1)), min(g[1] for g in got), max(g[1] for g in got)))


def ks(a, d):
    ours, theirs = [], []
    test = os.path.join(d, "drift.test")
    subprocess.run(["go", "test", "-c", "-o", test, "./internal/drift"], check=True, cwd=os.path.dirname(HERE))
    for _ in range(a.rounds):
        theirs.append(float(subprocess.run([sys.executable, "-c", KS], stdout=subprocess.PIPE, text=True, check=True).stdout))
        out = subprocess.run([test, "-test.run", "-", "-test.bench", "KS", "-test.benchtime", "10x"], stdout=subprocess.PIPE, text=True, check=True).stdout
        ours.append(float(re.search(r"([\d.e+]+) cpu-ns/op", out)[1]) / 1e9)
    show("KS of 1,000,000 and 1,000,000 values", ours, "scipy", theirs)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("tarn", help="the binary")
    p.add_argument("--rows", type=int, default=8_000_000)
    p.add_argument("--files", type=int, default=10_000)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--only", default="tables,files,ks")
    a = p.parse_args()
    a.tarn = os.path.abspath(a.tarn)
    for what in a.only.split(","):
        with tempfile.TemporaryDirectory() as d:
            {"tables": tables, "files": files, "ks": ks}[what](a, d)


if __name__ == "__main__":
    main()
