"""The bench: named workloads against fogwatch, the bare HTTP floor, and a peer, in one run.

  ./dev bench                         everything
  ./dev bench put_log_events floor    workloads whose name contains one of these words
  ./dev bench --peer none             without moto
  ./dev bench --endpoint URL --pid N  another server in moto's place (its CPU is read from process N)

The server is pinned to core 0 and the client to core 1, so `per CPU-s` is what one server core does.
Every write is read back before it counts; an answer that is no 2xx voids the figure. Results go to
build/bench/results.json and as a table to standard output.
"""
import argparse
import datetime as dt
import http.client
import json
import os
import pathlib
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE), str(ROOT / "tests/run")]
import workload as w  # noqa: E402
from server import Server  # noqa: E402

SERVER_CORE, CLIENT_CORE = "0", "1"
TICKS = os.sysconf("SC_CLK_TCK")


# --- servers --------------------------------------------------------------------------------------


def pin(core):
    return ["taskset", "-c", core] if shutil.which("taskset") and os.cpu_count() > 1 else []


class Target:
    """A server under measurement: where it listens and whose CPU counts."""
    name, has_cbor, has_filters = "", True, True

    def __init__(self):
        self.port = self.pid = None

    def call(self, request, timeout=300):
        """Sends one prepared request; body of the answer. Raises on anything but 2xx."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as link:
            link.sendall(request)
            answer = http.client.HTTPResponse(link)
            answer.begin()
            body = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{self.name}: {answer.status} {body[:300]!r}")
        return body

    def json(self, request, timeout=300):
        return json.loads(self.call(request, timeout) or b"{}")

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory_mib(self):
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        return 0.0


class Fogwatch(Target):
    name = "fogwatch"

    def __init__(self, build, *args):
        super().__init__()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="fogwatch-bench-"))
        self.server = Server(self.folder / "data", *args, program=build / "fogwatch", wrap=pin(SERVER_CORE))

    def __enter__(self):
        self.server.start()
        self.port, self.pid, self.xray_port = self.server.port, self.server.pid, int(self.server.xray.rsplit(":", 1)[1])
        wait_until_quiet(self.cpu_seconds)
        return self

    def __exit__(self, *_):
        if self.server.is_alive():
            self.server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def wait_until_quiet(cpu_seconds, seconds=20.0):
    """A new data folder gets an RSA key in the background, once, soon after the start: no request's work."""
    until, spent, quiet = time.monotonic() + seconds, 0.0, 0
    while time.monotonic() < until and quiet < 3:
        time.sleep(0.4)
        now = cpu_seconds()
        quiet, spent = (quiet + 1 if now - spent < 0.02 else 0), now


def free_port():
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return door.getsockname()[1]


class Moto(Target):
    """moto's server from PyPI: everything in memory, one Python process."""
    name, has_cbor, has_filters = "moto", False, False

    def __init__(self, program):
        super().__init__()
        self.program = program

    def __enter__(self):
        self.port = free_port()
        self.process = subprocess.Popen([*pin(SERVER_CORE), self.program, "-H", "127.0.0.1", "-p", str(self.port)],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.pid = self.process.pid
        wait_for(self.port, "/moto-api/")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


class Other(Target):
    """Any server that is already running."""

    def __init__(self, url, pid):
        super().__init__()
        parts = urllib.parse.urlparse(url)
        if parts.hostname not in ("127.0.0.1", "localhost"):
            raise SystemExit("--endpoint must be on this machine: its CPU is part of the figure")
        self.name, self.port, self.pid = parts.netloc, parts.port, pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def wait_for(port, path, seconds=60):
    """Milliseconds until the first 2xx; asks without pause, because a start takes only milliseconds."""
    begun = time.perf_counter()
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    while time.perf_counter() - begun < seconds:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as link:
                link.sendall(request)
                if link.recv(64).split(b" ")[1:2] in ([b"200"], [b"302"]):
                    return (time.perf_counter() - begun) * 1000
        except OSError:
            time.sleep(0.0002)
    raise RuntimeError(f"no answer on port {port} within {seconds} s")


# --- measuring ------------------------------------------------------------------------------------


class Bench:
    def __init__(self, build, seconds):
        self.build, self.seconds = build, seconds
        self.folder = ROOT / "build/bench"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data = w.Data(time.time() - 120)

    def file(self, name, make):
        return w.cached(self.folder, name, self.data.end, make)

    def load(self, target, file, items, *, connections=4, count=None, seconds=None, udp=False):
        """Runs loadgen against the target; figures of one workload."""
        limit = ["--count", str(count)] if count else ["--seconds", str(seconds or self.seconds)]
        port = target.xray_port if udp else target.port
        cpu, begun = target.cpu_seconds(), time.monotonic()
        done = subprocess.run([*pin(CLIENT_CORE), str(self.build / "bench_loadgen"), str(file), str(port), *limit,
                               "--connections", str(connections), *(["--udp"] if udp else [])], capture_output=True, text=True, check=False)
        spent = target.cpu_seconds() - cpu
        if done.returncode not in (0, 1) or not done.stdout:
            raise RuntimeError(done.stderr.strip() or f"loadgen ended with {done.returncode}")
        raw = json.loads(done.stdout)
        if done.returncode == 1:
            raise RuntimeError(f"not all answers were 2xx: {raw['statuses']} {done.stderr.strip()[:300]}")
        return {"requests": raw["requests"], "requests_per_s": raw["requests"] / raw["seconds"], "items_per_s": raw["requests"] * items / raw["seconds"],
                "mb_per_s": raw["bytes_out"] / raw["seconds"] / 1e6, "ms_p50": raw["ms_p50"], "ms_p99": raw["ms_p99"], "cpu_s": spent,
                "requests_per_cpu_s": raw["requests"] / spent if spent else None, "items_per_cpu_s": raw["requests"] * items / spent if spent else None,
                "cpu_share": spent / (time.monotonic() - begun), "rss_mib": target.memory_mib()}


def put_metric_data(protocol, size):
    count = {1: 4000, 20: 1000, 1000: 200}[size]

    def run(bench, target):
        if protocol == "cbor" and not target.has_cbor:
            return None
        file = bench.file(f"put_metric_data.{protocol}.{size}", lambda: (
            w.cloudwatch(protocol, "PutMetricData", {"Namespace": "Bench", "MetricData": batch}) for batch in bench.data.datums(size, count)))
        figures = bench.load(target, file, size, connections=16 if size == 1 else 4)
        if isinstance(target, Fogwatch):
            first = next(bench.data.datums(1, 1))[0]
            rounds, rest = divmod(figures["requests"] * size, count * size)
            minutes = len({n // 1000 for n in range(count * size)})
            expected = rounds * len(range(0, count * size, 1000)) + len(range(0, rest, 1000))
            stored = sum(p["SampleCount"] for p in target.json(w.cloudwatch("json", "GetMetricStatistics", {
                "Namespace": "Bench", "MetricName": first["MetricName"], "Dimensions": first["Dimensions"], "Period": 60 * max(1, minutes),
                "StartTime": bench.data.end - 86400, "EndTime": bench.data.end + 3600, "Statistics": ["SampleCount"]}))["Datapoints"])
            if stored != expected:
                raise RuntimeError(f"read back {stored} of {expected} values of the first series")
        return figures
    return run


def log_setup(target):
    target.call(w.logs("CreateLogGroup", logGroupName="/bench"))
    target.call(w.logs("CreateLogStream", logGroupName="/bench", logStreamName="s"))


def log_file(bench, size, events):
    return bench.file(f"put_log_events.{size}", lambda: (
        w.logs("PutLogEvents", logGroupName="/bench", logStreamName="s", logEvents=[{"timestamp": t, "message": m} for t, m in batch])
        for batch in w.batches(bench.data.events(events), size)))


def query(target, end, text):
    """Milliseconds from StartQuery to the answer that says Complete, and that answer."""
    begun = time.perf_counter()
    started = target.json(w.logs("StartQuery", logGroupName="/bench", startTime=end - 7200, endTime=end + 3600, queryString=text))["queryId"]
    while True:
        answer = target.json(w.logs("GetQueryResults", queryId=started))
        if answer["status"] == "Complete":
            return (time.perf_counter() - begun) * 1000, answer
        if answer["status"] not in ("Scheduled", "Running"):
            raise RuntimeError(f"query ended as {answer['status']}")
        time.sleep(0.0005)


def put_log_events(size):
    def run(bench, target):
        log_setup(target)
        figures = bench.load(target, log_file(bench, size, {1: 4000, 100: 50_000, 1000: 200_000}[size]), size, connections=16 if size == 1 else 4)
        if isinstance(target, Fogwatch):
            _, answer = query(target, bench.data.end, "stats count() as n")
            stored, expected = int(answer["results"][0][0]["value"]), figures["requests"] * size
            if stored != expected:
                raise RuntimeError(f"read back {stored} of {expected} events")
        return figures
    return run


def trace_file(bench, traces=10_000):
    return bench.file("put_trace_segments.25", lambda: (w.xray("/TraceSegments", TraceSegmentDocuments=batch) for batch in w.batches(bench.data.segments(traces), 25)))


def summaries(target, end, **more):
    found, token = 0, {}
    while True:
        answer = target.json(w.xray("/TraceSummaries", StartTime=end - 7200, EndTime=end + 3600, **more, **token))
        found += len(answer["TraceSummaries"])
        if not answer.get("NextToken"):
            return found
        token = {"NextToken": answer["NextToken"]}


def put_trace_segments(bench, target):
    figures = bench.load(target, trace_file(bench), 25)
    if isinstance(target, Fogwatch):
        stored, expected = summaries(target, bench.data.end), min(10_000, figures["requests"] * 25 // 2)
        if stored < expected:
            raise RuntimeError(f"read back {stored} of {expected} traces")
    return figures


def udp_segments(bench, target):
    """Datagrams are not answered: the figure is what was stored of what one sender sent at its own speed, by server CPU."""
    if not isinstance(target, Fogwatch):
        return None
    traces = 10_000
    file = bench.file("udp_segments", lambda: (w.SEGMENT_HEADER + d.encode() for d in bench.data.segments(traces)))
    cpu, begun = target.cpu_seconds(), time.monotonic()
    figures = bench.load(target, file, 1, count=2 * traces, udp=True)
    spent = -1.0
    while (now := target.cpu_seconds() - cpu) > spent + 0.01:  # until the server has nothing left to do
        spent = now
        time.sleep(0.3)
    seconds = time.monotonic() - begun
    stored = summaries(target, bench.data.end)
    figures |= {"items_per_cpu_s": 2 * stored / spent, "requests_per_cpu_s": None, "cpu_s": spent, "cpu_share": spent / seconds,
                "note": f"{stored} of {traces} traces seen"}
    return figures


def publish(bench, target):
    topic = target.call(w.sns("CreateTopic", Name="bench")).decode().split("<TopicArn>")[1].split("<")[0]
    file = bench.file(f"publish-{target.name}", lambda: (w.sns("Publish", TopicArn=topic, Subject="alarm", Message=json.dumps(
        {"i": i, "AlarmName": "latency-high", "NewStateValue": "ALARM"})) for i in range(4000)))
    return bench.load(target, file, 1, connections=16)


def describe_alarms(bench, target):
    file = bench.file("describe_alarms.none", lambda: [w.cloudwatch("json", "DescribeAlarms", {})])
    return bench.load(target, file, 1, connections=16)


def get_metric_data_day(bench, target):
    """One series, a day at 60 s, 1,440 points; twenty more series stored beside it."""
    start = bench.data.end // 60 * 60 - 86_400
    for series in range(20):
        for part in range(0, 1440, 720):
            target.call(w.cloudwatch("json", "PutMetricData", {"Namespace": "Bench", "MetricData": [
                {"MetricName": "m", "Dimensions": [{"Name": "Host", "Value": str(series)}], "Timestamp": start + minute * 60, "Value": float(minute % 97)}
                for minute in range(part, part + 720)]}))
    request = {"StartTime": start, "EndTime": start + 86_400, "MetricDataQueries": [{"Id": "a", "MetricStat": {
        "Metric": {"Namespace": "Bench", "MetricName": "m", "Dimensions": [{"Name": "Host", "Value": "7"}]}, "Period": 60, "Stat": "Average"}}]}
    values = target.json(w.cloudwatch("json", "GetMetricData", request))["MetricDataResults"][0]["Values"]
    if sorted(values) != sorted(float(m % 97) for m in range(1440)):
        raise RuntimeError(f"{len(values)} points came back instead of 1440")
    return bench.load(target, bench.file("get_metric_data.day", lambda: [w.cloudwatch("json", "GetMetricData", request)]), 1440)


def insights(bench, target):
    """Four queries over 100,000 events, each right; the figure is StartQuery to Complete."""
    if not target.has_filters:
        return None
    count = 100_000
    log_setup(target)
    bench.load(target, bench.file("insights", lambda: (
        w.logs("PutLogEvents", logGroupName="/bench", logStreamName="s", logEvents=[{"timestamp": t, "message": m} for t, m in batch])
        for batch in w.batches(bench.data.events(count), 1000))), 1000, count=count // 1000)
    lines = [json.loads(m) for _, m in bench.data.events(count)]
    rows = lambda answer: [{c["field"]: c["value"] for c in row} for row in answer["results"]]
    errors = [line for line in lines if line["level"] == "ERROR"]
    needle = lines[count // 3]
    checks = {
        "count by level": ("stats count() as n by level", lambda r: {x["level"]: int(x["n"]) for x in r} == {v: sum(e["level"] == v for e in lines) for v in set(w.LEVELS)}),
        "avg by bin": ("stats avg(latency_ms) as a by bin(5m)", lambda r: 10 <= len(r) <= 14),
        "needle": (f'filter request_id = "{needle["request_id"]}" | fields tokens', lambda r: [x["tokens"] for x in r] == [str(needle["tokens"])]),
        "newest errors": ("fields request_id | filter @message like /ERROR/ | sort @timestamp desc | limit 100",
                          lambda r: [x["request_id"] for x in r] == [e["request_id"] for e in errors[::-1][:100]]),
    }
    times, cpu, asked = {}, target.cpu_seconds(), 0
    for name, (text, is_right) in checks.items():
        runs = []
        for _ in range(20):
            ms, answer = query(target, bench.data.end, text)
            if not is_right(rows(answer)):
                raise RuntimeError(f"wrong rows for {name}: {rows(answer)[:3]}")
            runs.append(ms)
            asked += 1
        times[name] = runs
    everything = sorted(ms for runs in times.values() for ms in runs)
    spent = target.cpu_seconds() - cpu
    return {"requests": asked, "requests_per_s": 1000 / statistics.mean(everything), "items_per_s": 1000 / statistics.mean(everything) * count, "mb_per_s": None,
            "ms_p50": statistics.median(everything), "ms_p99": everything[-1], "cpu_s": spent, "requests_per_cpu_s": asked / spent if spent else None,
            "items_per_cpu_s": asked * count / spent if spent else None, "cpu_share": None, "rss_mib": target.memory_mib(),
            "note": ", ".join(f"{name} {statistics.median(runs):.1f} ms" for name, runs in times.items())}


def filter_log_events(bench, target):
    """One line out of 100,000 by its request id."""
    count = 100_000
    log_setup(target)
    for batch in w.batches(bench.data.events(count), 1000):
        target.call(w.logs("PutLogEvents", logGroupName="/bench", logStreamName="s", logEvents=[{"timestamp": t, "message": m} for t, m in batch]))
        needle = json.loads(batch[500][1])["request_id"]
    request = w.logs("FilterLogEvents", logGroupName="/bench", filterPattern=f'"{needle}"')
    if len(target.json(request)["events"]) != 1:
        raise RuntimeError("the needle is not found once")
    return bench.load(target, bench.file(f"filter_log_events-{target.name}", lambda: [request]), 1)


def get_trace_summaries(bench, target):
    """A filter that ten of 10,000 traces pass."""
    if not target.has_filters:
        return None
    bench.load(target, trace_file(bench), 25, count=800)
    more = {"FilterExpression": 'annotation.tenant = "tenant-0042"'}
    if summaries(target, bench.data.end, **more) != 10:
        raise RuntimeError("the filter does not find its ten traces")
    request = w.xray("/TraceSummaries", StartTime=bench.data.end - 7200, EndTime=bench.data.end + 3600, **more)
    return bench.load(target, bench.file("get_trace_summaries", lambda: [request]), 1)


WORKLOADS = {
    **{f"put_metric_data.{p}.{n}": put_metric_data(p, n) for n in (1, 20, 1000) for p in ("query", "json", "cbor")},
    **{f"put_log_events.{n}": put_log_events(n) for n in (1, 100, 1000)},
    "put_trace_segments.25": put_trace_segments,
    "udp_segments": udp_segments,
    "publish": publish,
    "describe_alarms.none": describe_alarms,
    "get_metric_data.day": get_metric_data_day,
    "insights.100k": insights,
    "filter_log_events.needle": filter_log_events,
    "get_trace_summaries.filter": get_trace_summaries,
}


def floor(bench):
    """Requests per CPU-second of the bare HTTP server: small bodies, and bytes of 1 MiB bodies."""
    door = subprocess.Popen([*pin(SERVER_CORE), str(bench.build / "bench_http_floor"), "0"], stdout=subprocess.PIPE, text=True)
    try:
        target = Target()
        target.name, target.pid = "floor", door.pid
        target.port = int(door.stdout.readline().rsplit(":", 1)[1])
        small = bench.file("put_metric_data.json.1", lambda: (
            w.cloudwatch("json", "PutMetricData", {"Namespace": "Bench", "MetricData": batch}) for batch in bench.data.datums(1, 4000)))
        large = bench.file("floor.1mib", lambda: [w.http("logs", b"x" * (1 << 20), "Content-Type: application/x-amz-json-1.1")])
        return {"floor.small": bench.load(target, small, 1, connections=16), "floor.1mib": bench.load(target, large, 1)}
    finally:
        door.terminate()
        door.wait()


def start_up(command_of, path, runs):
    """Median milliseconds from exec to the first 200 on an empty folder."""
    times = []
    for _ in range(runs):
        folder, port = tempfile.mkdtemp(prefix="fogwatch-start-"), free_port()
        begun = time.perf_counter()
        process = subprocess.Popen(command_of(port, folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(port, path)
            times.append((time.perf_counter() - begun) * 1000)
        finally:
            process.terminate()
            process.wait()
            shutil.rmtree(folder)
    return statistics.median(times)


def idle(bench, moto):
    """Start-up time, idle memory, size of the stripped program."""
    serve = lambda port, folder: [str(bench.build / "fogwatch"), "serve", "--listen", f"127.0.0.1:{port}", "--xray-listen", "127.0.0.1:0",
                                  "--otlp-listen", "off", "--emf-listen", "off", "--data", f"{folder}/data"]
    with Fogwatch(bench.build) as target:
        time.sleep(3)
        rss = target.memory_mib()
    stripped = bench.folder / "fogwatch.stripped"
    subprocess.run(["strip", "-o", str(stripped), str(bench.build / "fogwatch")], check=True)
    figures = {"start_ms": start_up(serve, "/health", 21), "idle_rss_mib": rss, "stripped_mib": stripped.stat().st_size / (1 << 20)}
    if moto:
        figures["moto_start_ms"] = start_up(lambda port, _: [moto, "-H", "127.0.0.1", "-p", str(port)], "/moto-api/", 3)
        with Moto(moto) as peer:
            figures["moto_idle_rss_mib"] = peer.memory_mib()
    return figures


# --- the report -----------------------------------------------------------------------------------


def number(value, digits=1):
    if value is None:
        return "-"
    if value >= 10_000:
        return f"{value / 1000:,.0f} k"
    return f"{value:,.{0 if value >= 100 else digits}f}"


def row(name, ours, theirs):
    def cells(f):
        return [number(f.get(k), d) for k, d in (("requests_per_s", 1), ("items_per_s", 1), ("mb_per_s", 1), ("ms_p50", 2), ("ms_p99", 2),
                                                   ("requests_per_cpu_s", 1), ("items_per_cpu_s", 1))]
    peer, ratio = "-", "-"
    if isinstance(theirs, dict) and isinstance(ours, dict):
        key = "items_per_cpu_s" if theirs.get("items_per_cpu_s") and ours.get("items_per_cpu_s") else "items_per_s"
        peer, ratio = number(theirs[key]), f"{ours[key] / theirs[key]:.1f}x"
    elif isinstance(theirs, str):
        peer = theirs
    if isinstance(ours, str):
        return f"| {name} | {ours} |" + " |" * 8
    return "| " + " | ".join([name, *cells(ours), peer, ratio]) + " |"


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--build", default="build/release")
    words.add_argument("--seconds", type=float, default=4.0, help="length of one measurement")
    words.add_argument("--peer", choices=("moto", "none"), default="moto")
    words.add_argument("--endpoint", help="URL of another server on this machine, in moto's place")
    words.add_argument("--pid", type=int, help="its process")
    words.add_argument("--durability", choices=("strict", "relaxed"))
    words.add_argument("names", nargs="*")
    options = words.parse_args()
    bench = Bench((ROOT / options.build).resolve(), options.seconds)
    moto = ROOT / "build/venv/bin/moto_server"
    moto = str(moto) if options.peer == "moto" and not options.endpoint and moto.exists() else None
    if options.peer == "moto" and not moto and not options.endpoint:
        print("moto is not installed (PyPI not reachable): no ratios", flush=True)

    def is_wanted(name):
        return not options.names or any(word in name for word in options.names)

    def peer():
        return Other(options.endpoint, options.pid) if options.endpoint else Moto(moto) if moto else None

    def attempt(run, *arguments):
        try:
            figures = run(*arguments)
            return "not supported" if figures is None else figures
        except (RuntimeError, OSError, KeyError, IndexError, ValueError) as error:
            print(f"  failed: {error}", flush=True)
            return "failed"

    results = {"date": dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds"), "machine": machine(), "load_before": os.getloadavg()[0],
               "seconds": options.seconds, "workloads": {}}
    print(f"{results['machine']}; load {results['load_before']:.2f}\n", flush=True)
    print("| workload | req/s | items/s | MB/s | p50 ms | p99 ms | req per CPU-s | items per CPU-s | peer, items per CPU-s | ratio |\n" + "|---|" + "---:|" * 9, flush=True)
    for name, run in WORKLOADS.items():
        if not is_wanted(name):
            continue
        def measure(target):
            with target as started:
                return attempt(run, bench, started)
        ours = measure(Fogwatch(bench.build, *(["--durability", options.durability] if options.durability else [])))
        theirs = measure(peer()) if peer() else None
        results["workloads"][name] = {"fogwatch": ours, "peer": theirs}
        print(row(name, ours, theirs), flush=True)
        if isinstance(ours, dict) and ours.get("note"):
            print(f"| | {ours['note']} |", flush=True)
    if is_wanted("floor"):
        results["floor"] = floor(bench)
        for name, figures in results["floor"].items():
            print(row(name, figures, None), flush=True)
        small = results["floor"]["floor.small"]["requests_per_cpu_s"]
        for name in ("put_metric_data.json.1", "put_metric_data.cbor.1", "put_metric_data.query.1", "describe_alarms.none"):
            ours = results["workloads"].get(name, {}).get("fogwatch")
            if isinstance(ours, dict) and ours["requests_per_cpu_s"]:
                print(f"{name}: {100 * ours['requests_per_cpu_s'] / small:.0f} % of the floor")
    if is_wanted("idle"):
        results["idle"] = idle(bench, moto)
        print("\n" + ", ".join(f"{key} {value:.1f}" for key, value in results["idle"].items()))
    results["load_after"] = os.getloadavg()[0]
    (bench.folder / "results.json").write_text(json.dumps(results, indent=1))
    for old in bench.folder.glob("*.req"):
        old.unlink()


def machine():
    model = next((line.split(":")[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), platform.machine())
    return f"{os.cpu_count()} cores of {model}, Linux {platform.release()}"


if __name__ == "__main__":
    main()
