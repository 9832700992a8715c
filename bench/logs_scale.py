"""Logs at 1 M, 5 M and 50 M events: one table of sizes, times and memory, from a server that this starts.

  python3 bench/logs_scale.py [--build build/release] [--events 1000000,5000000,50000000] [--lines workload] [--file F]

Data is made by bench_log_writer (seeded; or --file with one {"g","s","t","m"} a line) and put over HTTP,
strict durability. With --lines workload it is what ../shared/tools/workload.py makes, which the goals speak of,
and the answers are compared with its `truth` (up to 5 M lines). Every query's rows are checked against what was put; a wrong row ends the run. One core:
server on core 0, this on core 1. "ms" is StartQuery to Complete on the wall, "cpu" the server's CPU time for
it; judge by cpu when the machine is not idle. Then, at 5 M or else the largest size: a kill -9 while data comes
in and how long recovery takes, two cores, queries while data comes in at half speed (their CPU time is that of
the whole server less what writing alone takes), the first rows of a long query, and what StopQuery frees.
Results also go to build/bench/logs_scale.json.

50 M events take about 2 GB of disk (--folder says where) and, on an idle machine, a quarter of an hour; each query
runs fewer times there.
"""
import argparse
import calendar
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import http.client

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT / "tests/run")]
from server import Server  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
REGEX = r"filter @message like /Retry [23] of 3|reset by peer|[0-9]{3} dies/ | stats count(*) as n"


class Bench:
    def __init__(self, build, folder):
        self.build, self.folder = build, folder
        self.server = None

    def start(self, cores):
        self.server = Server(self.folder / "data", program=self.build / "fogwatch", wrap=["taskset", "-c", cores])
        began = time.perf_counter()
        self.server.start()
        self.link = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=3600)
        self.call("DescribeLogGroups", limit=1)
        return (time.perf_counter() - began) * 1000

    def stop(self):
        self.link.close()
        self.server.stop(120)

    def call(self, operation, **request):
        self.link.request("POST", "/", json.dumps(request), {
            "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"Logs_20140328.{operation}",
            "Authorization": "AWS4-HMAC-SHA256 Credential=test/20261101/us-east-1/logs/aws4_request, SignedHeaders=host, Signature=" + "0" * 64})
        answer = self.link.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{operation}: {answer.status} {body[:500]!r}")
        return json.loads(body or b"{}")

    def cpu(self):
        # Nanoseconds of all threads: finer than /proc/PID/stat's ticks.
        total = 0
        for task in pathlib.Path(f"/proc/{self.server.pid}/task").iterdir():
            try:
                total += int((task / "schedstat").read_text().split()[0])
            except OSError:
                pass
        return total / 1e9

    def rss(self):
        for line in pathlib.Path(f"/proc/{self.server.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        return 0.0

    def write(self, events, *more, stdin=None):
        writer = subprocess.run(["taskset", "-c", "1", str(self.build / "bench_log_writer"), "--port", str(self.server.port), "--events", str(events), *map(str, more)],
                                stdin=stdin, stdout=subprocess.PIPE, check=True)
        return json.loads(writer.stdout)

    def begin(self, put, text):
        return self.call("StartQuery", logGroupNames=put["groups"], startTime=put["first_ms"] // 1000, endTime=put["last_ms"] // 1000, queryString=text)["queryId"]

    def query(self, put, text):
        """(rows as dicts, wall ms, server CPU ms)"""
        cpu, began = self.cpu(), time.perf_counter()
        query_id = self.begin(put, text)
        while True:
            answer = self.call("GetQueryResults", queryId=query_id)
            if answer["status"] not in ("Scheduled", "Running"):
                break
            time.sleep(0.0005)
        ms = (time.perf_counter() - began) * 1000
        spent = (self.cpu() - cpu) * 1000
        if answer["status"] != "Complete":
            raise SystemExit(f"{text}: {answer['status']}")
        return [{c["field"]: c["value"] for c in row} for row in answer["results"]], ms, spent

    def head_events(self):
        """Events in memory, not in segments yet."""
        for line in self.server.http("GET", "/metrics")[2].decode().splitlines():
            if line.startswith("fogwatch_log_head_events "):
                return int(float(line.split()[1]))
        raise SystemExit("no fogwatch_log_head_events in /metrics")

    def wal(self):
        return sum(f.stat().st_size for f in (self.folder / "data" / "wal").glob("*.wal"))

    def kill(self):
        self.link.close()
        self.server.kill()

    def disk(self):
        return sum(f.stat().st_size for f in (self.folder / "data" / "logs").rglob("*") if f.is_file())


def queries(put):
    """name -> (text, check of the rows)"""
    def levels(rows):
        return {r["level"]: int(r["n"]) for r in rows if "level" in r} == put["levels"] and sum(int(r["n"]) for r in rows) == put["events"]
    return {
        "needle by field": (f'filter request_id = "{put["needle"]}" | fields @timestamp, @message', lambda r: len(r) >= 1 and all(put["needle"] in x["@message"] for x in r)),
        "needle in message": (f'filter @message like "{put["needle"]}" | fields @message', lambda r: len(r) >= 1 and all(put["needle"] in x["@message"] for x in r)),
        "newest 100 with ERROR": ("fields @timestamp, @message | filter @message like /ERROR/ | sort @timestamp desc | limit 100",
                                  lambda r: len(r) == min(100, put["errors"]) and all("ERROR" in x["@message"] for x in r) and r == sorted(r, key=lambda x: x["@timestamp"], reverse=True)),
        "count by level": ("stats count(*) as n by level", levels),
        "avg by bin(5m)": ("stats avg(latency_ms) as a, count(*) as n by bin(5m)", lambda r: sum(int(x["n"]) for x in r) == put["events"]),
        "top 10 by sum": ("stats sum(tokens) as t by model | sort t desc | limit 10", lambda r: 1 <= len(r) <= 11),
        "pct 99 by model": ("stats pct(latency_ms, 99) as p, count(*) as n by model", lambda r: sum(int(x["n"]) for x in r) == put["events"]),
        "count of ERROR": ("filter @message like /ERROR/ | stats count(*) as n", lambda r: int(r[0]["n"]) == put["errors"]),
        "regex count": (REGEX, lambda r: int(r[0]["n"]) > 0),
    }


class Workload:
    """Files of lines of the shared generator, and what it says the answers are."""
    TOOL = ROOT.parent / "shared/tools/workload.py"
    RATE = 200  # lines per second of simulated time
    AGE_MAX_MS = 12 * 86_400_000  # PutLogEvents takes 14 days
    FILE_MAX = 10_000_000  # more lines are piped, not kept
    TRUTH_MAX = 5_000_000

    def __init__(self):
        if not self.TOOL.exists():
            raise SystemExit("--lines workload needs ../shared/tools/workload.py")
        self.folder = ROOT / "build/bench/lines"
        self.folder.mkdir(parents=True, exist_ok=True)

    def command(self, events, out):
        start = int(time.time() * 1000) - events * 1000 // self.RATE - 120_000
        return [sys.executable, str(self.TOOL), "logs", "--count", str(events), "--rate", str(self.RATE), "--start", str(start), "--out", str(out)]

    def file(self, events):
        path = self.folder / f"{events}.ndjson"
        if path.exists():
            with open(path, "rb") as lines:
                if time.time() * 1000 - json.loads(lines.readline())["t"] < self.AGE_MAX_MS:
                    return path
        self.truth_file(events).unlink(missing_ok=True)
        part = path.with_suffix(".part")
        subprocess.run(self.command(events, part), check=True, stderr=subprocess.DEVNULL)
        part.rename(path)
        return path

    def truth_file(self, events):
        return self.folder / f"{events}.truth.json"

    def truth(self, events):
        path = self.truth_file(events)
        if not path.exists():
            done = subprocess.run([sys.executable, str(self.TOOL), "truth", str(self.file(events))], check=True, stdout=subprocess.PIPE)
            path.write_bytes(done.stdout)
        return json.loads(path.read_text())

    def put(self, bench, events):
        if events <= self.FILE_MAX:
            return bench.write(events, "--file", self.file(events))
        maker = subprocess.Popen(["taskset", "-c", "1"] + self.command(events, "-"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            return bench.write(events, "--file", "/dev/stdin", stdin=maker.stdout)
        finally:
            maker.stdout.close()
            maker.wait()

    def check(self, bench, put):
        """Rows against `truth`; ends the run where they differ."""
        if put["events"] > self.TRUTH_MAX:
            return
        truth = self.truth(put["events"])

        def same(name, ours, theirs):
            if ours != theirs:
                raise SystemExit(f"{name} differ from workload.py truth:\n{ours}\n{theirs}")

        def rows(text):
            return bench.query(put, text)[0]
        levels = {r["level"]: int(r["n"]) for r in rows("stats count(*) as n by level") if "level" in r}
        same("levels", levels, truth["by_level"])
        same("errors", int(rows("filter @message like /ERROR/ | stats count(*) as n")[0]["n"]), truth["containing_ERROR"])
        tokens = rows("stats sum(tokens) as t by model | sort t desc | limit 10")
        same("tokens", [[r["model"], int(r["t"])] for r in tokens if "model" in r and "t" in r], truth["top_models_by_tokens"])
        exact = truth["p99_latency_by_model_nearest_rank"]
        percentiles = {r["model"]: float(r["p"]) for r in rows("filter ispresent(tokens) | stats pct(latency_ms, 99) as p by model")}
        same("models", sorted(percentiles), sorted(exact))
        same("percentiles more than 1 % off", {m: p for m, p in percentiles.items() if abs(p - exact[m]) > exact[m] / 100}, {})
        bins = {}
        for r in rows("filter ispresent(tokens) | stats avg(latency_ms) as a by bin(5m) as b"):
            at = calendar.timegm(time.strptime(r["b"][:19], "%Y-%m-%d %H:%M:%S")) * 1000
            bins[str(at)] = float(r["a"])
        same("bins", sorted(bins), sorted(truth["avg_latency_by_5m"]))
        same("averages", {b: a for b, a in bins.items() if abs(a - truth["avg_latency_by_5m"][b]) > 0.0002}, {})


def measure(bench, put, rounds, names=None):
    out = {}
    for name, (text, is_right) in queries(put).items():
        if names and name not in names:
            continue
        walls, cpus = [], []
        for _ in range(rounds):
            rows, ms, cpu = bench.query(put, text)
            if not is_right(rows):
                raise SystemExit(f"wrong rows for {name}: {rows[:3]}")
            walls.append(ms)
            cpus.append(cpu)
        out[name] = {"ms": statistics.median(walls), "cpu": statistics.median(cpus), "best_ms": min(walls)}
    return out


def drop_caches(folder):
    for path in pathlib.Path(folder).rglob("*"):
        if path.is_file():
            fd = os.open(path, os.O_RDONLY)
            os.fsync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)


def settle(bench):
    """Until sealing and merging are over: no CPU for a second."""
    for _ in range(120):
        cpu = bench.cpu()
        time.sleep(1)
        if bench.cpu() - cpu < 0.05:
            return


class Watch(threading.Thread):
    """Memory once a second while data is written."""

    def __init__(self, bench):
        super().__init__(daemon=True)
        self.bench, self.seen, self.ended = bench, [], threading.Event()
        self.start()

    def run(self):
        while not self.ended.wait(1):
            try:
                self.seen.append(self.bench.rss())
            except OSError:
                return

    def stop(self):
        self.ended.set()
        self.join()
        return self.seen


def one_size(build, events, more, rounds, place, workload=None):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="fogwatch-scale-", dir=place))
    bench = Bench(build, folder)
    result = {"events": events, "load": os.getloadavg()[0]}
    try:
        bench.start("0")
        idle, cpu = bench.rss(), bench.cpu()
        watch = Watch(bench)
        put = workload.put(bench, events) if workload else bench.write(events, *more)
        result["rss_after_mib"] = bench.rss()
        memory = watch.stop()
        if len(memory) >= 8:
            # Flat: the second half is not above the first, less what a cold start adds.
            quarter, half = len(memory) // 4, len(memory) // 2
            result |= {"rss_highest_mib": max(memory), "rss_early_mib": statistics.mean(memory[quarter:half]), "rss_late_mib": statistics.mean(memory[-quarter:])}
        settle(bench)
        spent = bench.cpu() - cpu
        result |= {"events": put["events"], "raw_mb": put["bytes"] / 1e6, "wall_per_s": put["events"] / put["seconds"], "events_per_cpu_s": put["events"] / spent,
                   "rss_idle_mib": idle, "rss_settled_mib": bench.rss()}
        sealed = 1 - bench.head_events() / put["events"]
        result["ratio"] = put["bytes"] * sealed / max(bench.disk(), 1)
        result["wal_mb"] = bench.wal() / 1e6
        bench.stop()
        drop_caches(folder)
        result["open_cold_ms"] = bench.start("0")
        cold = {name: bench.query(put, queries(put)[name][0])[1] for name in ("needle by field",)}
        result["cold_ms"] = cold
        bench.stop()
        result["open_ms"] = bench.start("0")
        if workload:
            workload.check(bench, put)
        result["queries"] = measure(bench, put, rounds)
        result["rss_queries_mib"] = bench.rss()
        return bench, put, result
    except BaseException:
        if bench.server and bench.server.is_alive():
            bench.server.kill()
        shutil.rmtree(folder, ignore_errors=True)
        raise


def more_checks(bench, put, rate):
    """At one size: first rows, StopQuery, while writing, two cores."""
    out = {}
    # kill -9 in the middle of writing, then everything that was acknowledged must be there.
    before = int(bench.query(put, "stats count(*) as n")[0][0]["n"])
    writer = subprocess.Popen(["taskset", "-c", "1", str(bench.build / "bench_log_writer"), "--port", str(bench.server.port), "--events", "100000000",
                               "--start-ms", str(put["last_ms"] + 60_000)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(8)
    bench.kill()
    writer.kill()
    writer.wait()
    wal = bench.wal()
    ms = bench.start("0")
    out["recovery"] = {"wal_mb": wal / 1e6, "ms": ms, "s_per_gib": ms / 1000 / max(wal / 2**30, 1e-9), "rss_mib": bench.rss()}
    after = int(bench.query(put, "stats count(*) as n")[0][0]["n"])
    if after != before:
        raise SystemExit(f"{before} events before the kill and {after} after it")
    settle(bench)
    # First rows of a long query: an unselective sort that needs every block.
    slow = "fields @timestamp, @message, strlen(regexReplace(@message, '[aeiou]+', '')) as s | filter s > 10 | sort s desc | limit 1000"
    began, cpu = time.perf_counter(), bench.cpu()
    query_id = bench.begin(put, slow)
    while True:
        answer = bench.call("GetQueryResults", queryId=query_id)
        if answer["results"]:
            break
        if answer["status"] != "Running" and answer["status"] != "Scheduled":
            break
        time.sleep(0.002)
    out["first_rows_ms"] = (time.perf_counter() - began) * 1000
    out["first_rows_cpu_ms"] = (bench.cpu() - cpu) * 1000
    out["first_rows_status"] = answer["status"]
    # StopQuery: CPU after it.
    bench.call("StopQuery", queryId=query_id) if answer["status"] == "Running" else None
    stopped, last = time.perf_counter(), bench.cpu()
    busy_until = 0.0
    while time.perf_counter() - stopped < 0.5:
        time.sleep(0.005)
        cpu = bench.cpu()
        if cpu - last > 0.002:
            busy_until = (time.perf_counter() - stopped) * 1000
        last = cpu
    out["cores_free_after_stop_ms"] = busy_until
    # Queries while events come in at half speed, both cores for both.
    bench.stop()
    bench.start("0,1")
    full = ("count by level", "avg by bin(5m)", "top 10 by sum", "pct 99 by model", "regex count")
    out["two_cores"] = measure(bench, put, 5, full)
    bench.stop()
    bench.start("0")
    quiet = measure(bench, put, 5, full)
    out["one_core"] = quiet
    writer = subprocess.Popen(["taskset", "-c", "1", str(bench.build / "bench_log_writer"), "--port", str(bench.server.port), "--events", "100000000",
                               "--start-ms", str(put["last_ms"] + 60_000), "--rate", str(rate / 2)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(4)
        # What writing alone takes of a second; the rest, while queries run, is theirs.
        cpu, began = bench.cpu(), time.perf_counter()
        time.sleep(4)
        share = (bench.cpu() - cpu) / (time.perf_counter() - began)
        busy = measure(bench, put, 9, full)
        for one in busy.values():
            one["own_cpu"] = max(one["cpu"] - share * one["ms"], 0.0)
        out["while_writing"], out["writing_share"] = busy, share
    finally:
        writer.kill()
        writer.wait()
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--events", default="1000000,5000000,50000000")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--lines", choices=("made", "workload"), default="made")
    parser.add_argument("--file", help="lines of data instead of made ones")
    parser.add_argument("--folder", help="where the data folders are made; the system's temporary folder unless given")
    options = parser.parse_args()
    build = (ROOT / options.build).resolve()
    more = ["--file", options.file] if options.file else []
    workload = Workload() if options.lines == "workload" else None
    if workload:
        for n in (int(n) for n in options.events.split(",")):
            if n <= workload.FILE_MAX:
                workload.file(n)  # not while a server runs
    results, extra = [], None
    sizes = [int(n) for n in options.events.split(",")]
    for n in sizes:
        bench, put, result = one_size(build, n, more, options.rounds if n < 20_000_000 else min(options.rounds, 3), options.folder, workload)
        try:
            if n == (5_000_000 if 5_000_000 in sizes else sizes[-1]):
                extra = more_checks(bench, put, result["events_per_cpu_s"])
        finally:
            bench.stop() if bench.server.is_alive() else None
            shutil.rmtree(bench.folder, ignore_errors=True)
        results.append(result)
        print(f"{n} events done", file=sys.stderr)
    out = ROOT / "build/bench"
    out.mkdir(parents=True, exist_ok=True)
    (out / "logs_scale.json").write_text(json.dumps({"sizes": results, "more": extra}, indent=1))
    head = [f"{r['events'] / 1e6:g} M" for r in results]
    print("| | " + " | ".join(head) + " |\n|---|" + "---:|" * len(head))
    rows = {"events put per server-CPU second": "events_per_cpu_s", "events put per second": "wall_per_s", "raw / stored": "ratio", "memory after writing, MiB": "rss_after_mib",
            "memory when settled, MiB": "rss_settled_mib", "memory after the queries, MiB": "rss_queries_mib", "memory, highest while writing, MiB": "rss_highest_mib",
            "memory, early in the writing, MiB": "rss_early_mib", "memory, late in the writing, MiB": "rss_late_mib", "log of writes when settled, MB": "wal_mb", "opening, ms": "open_ms", "opening cold, ms": "open_cold_ms", "1-minute load": "load"}
    for title, key in rows.items():
        print(f"| {title} | " + " | ".join("-" if key not in r else f"{r[key]:,.0f}" if r[key] >= 100 else f"{r[key]:.1f}" for r in results) + " |")
    print("| needle, cold, ms | " + " | ".join(f"{r['cold_ms']['needle by field']:.1f}" for r in results) + " |")
    for name in results[0]["queries"]:
        print(f"| {name}: ms (CPU ms) | " + " | ".join(f"{r['queries'][name]['ms']:.1f} ({r['queries'][name]['cpu']:.1f})" for r in results) + " |")
    if extra:
        print(f"\nfirst rows of a long query: {extra['first_rows_ms']:.0f} ms (CPU {extra['first_rows_cpu_ms']:.0f} ms; {extra['first_rows_status']}); cores free {extra['cores_free_after_stop_ms']:.0f} ms after StopQuery\n")
        recovery = extra["recovery"]
        print(f"kill -9 while writing: {recovery['wal_mb']:.0f} MB of log read back in {recovery['ms']:.0f} ms ({recovery['s_per_gib']:.2f} s a GiB), {recovery['rss_mib']:.0f} MiB\n")
        print("| | one core, ms (CPU ms) | two cores, ms | speed-up | while writing at half speed, ms (own CPU ms) | slower by CPU | on the wall |\n|---|---:|---:|---:|---:|---:|---:|")
        for name, one in extra["one_core"].items():
            two, busy = extra["two_cores"][name], extra["while_writing"][name]
            print(f"| {name} | {one['ms']:.1f} ({one['cpu']:.1f}) | {two['ms']:.1f} | {one['ms'] / two['ms']:.2f}x | {busy['ms']:.1f} ({busy['own_cpu']:.1f}) | {busy['own_cpu'] / one['cpu']:.2f}x | {busy['ms'] / one['ms']:.2f}x |")
        print(f"\nwriting alone at that rate: {extra['writing_share'] * 100:.0f} % of a core")


if __name__ == "__main__":
    main()
