"""Fogwatch beside Prometheus: the same samples written, the same questions asked, CPU of one core each.

  python3 bench/prometheus.py [--build build/release] [--prometheus prometheus] [--series 2000] [--minutes 180]

Prometheus is Debian's package (`apt install prometheus`, or `apt-get download` and `dpkg -x`). Both
take the samples by remote write, 2,000 a request, one connection (snappy blocks without compression,
so that unpacking is a copy); fogwatch also by PutMetricData in CBOR, 1,000 datums a call. Then: the
average by one label over all series and the whole range, and one series. An answer counts only if it
has the right number of series and points and the same values.
"""
import argparse
import json
import pathlib
import random
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests/run")]
import run  # noqa: E402
import workload as w  # noqa: E402

MODELS = [f"model-{i}" for i in range(19)]
SAMPLES_PER_REQUEST = 2000
DATUMS_PER_REQUEST = 1000


class Prometheus(run.Target):
    name = "prometheus"

    def __init__(self, program):
        super().__init__()
        self.program = program

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="prometheus-bench-"))
        (self.folder / "prometheus.yml").write_text("global: {scrape_interval: 1h}\n")
        self.port = run.free_port()
        self.process = subprocess.Popen(
            [*run.pin(run.SERVER_CORE), self.program, f"--config.file={self.folder}/prometheus.yml", f"--storage.tsdb.path={self.folder}/data",
             f"--web.listen-address=127.0.0.1:{self.port}", "--web.enable-remote-write-receiver", "--log.level=error"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.pid = self.process.pid
        run.wait_for(self.port, "/-/ready")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


# --- the samples ------------------------------------------------------------------------------------


def samples(series, minutes, end):
    """Per minute: a list of (dimensions, value) and its time in seconds."""
    dice = random.Random(7)
    hosts = [{"Environment": ("production", "staging")[i % 2], "Host": f"node-{i}", "Model": MODELS[i % 19]} for i in range(series)]
    for minute in range(minutes):
        yield end - (minutes - minute) * 60, [(host, round(dice.lognormvariate(5, 1), 2)) for host in hosts]


def varint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def part(number, body):
    return varint(number << 3 | 2) + varint(len(body)) + body


def snappy(plain):
    out = bytearray(varint(len(plain)))
    for at in range(0, len(plain), 65536):
        piece = plain[at:at + 65536]
        out += bytes([61 << 2]) + struct.pack("<H", len(piece) - 1) + piece
    return bytes(out)


def remote_write(rows, path="/api/v1/write"):
    """One request of (labels, value, milliseconds)."""
    body = bytearray()
    for labels, value, ms in rows:
        one = b"".join(part(1, part(1, name.encode()) + part(2, text.encode())) for name, text in labels)
        body += part(1, one + part(2, b"\x09" + struct.pack("<d", value) + b"\x10" + varint(ms)))
    packed = snappy(bytes(body))
    head = (f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\n"
            f"X-Prometheus-Remote-Write-Version: 0.1.0\r\nContent-Length: {len(packed)}\r\n\r\n")
    return head.encode() + packed


def remote_writes(args, end):
    rows = []
    for at, values in samples(args.series, args.minutes, end):
        for dimensions, value in values:
            rows.append(([("__name__", "InferenceLatency"), *sorted(dimensions.items())], value, at * 1000))
            if len(rows) == SAMPLES_PER_REQUEST:
                yield remote_write(rows)
                rows = []
    if rows:
        yield remote_write(rows)


def puts(args, end):
    datums = []
    for at, values in samples(args.series, args.minutes, end):
        for dimensions, value in values:
            datums.append({"MetricName": "InferenceLatency", "Dimensions": [{"Name": n, "Value": v} for n, v in dimensions.items()],
                           "Timestamp": w.Time(at), "Value": value})
            if len(datums) == DATUMS_PER_REQUEST:
                yield w.cloudwatch("cbor", "PutMetricData", {"Namespace": "Prometheus", "MetricData": datums})
                datums = []
    if datums:
        yield w.cloudwatch("cbor", "PutMetricData", {"Namespace": "Prometheus", "MetricData": datums})


# --- measuring --------------------------------------------------------------------------------------


def ingest(target, requests, args, folder, name):
    file = folder / name
    w.write(file, requests)
    count = sum(1 for _ in requests_of(file))
    cpu = target.cpu_seconds()
    done = subprocess.run([*run.pin(run.CLIENT_CORE), str(args.build / "bench_loadgen"), str(file), str(target.port), "--count", str(count),
                           "--connections", "1"], capture_output=True, text=True, check=False)
    spent = target.cpu_seconds() - cpu
    if done.returncode != 0:
        raise SystemExit(f"{target.name}: {done.stdout[:300]} {done.stderr[:300]}")
    return args.series * args.minutes / spent


def requests_of(file):
    """The prepared requests of a file: each with its length (u32) before it."""
    data = pathlib.Path(file).read_bytes()
    at = 0
    while at < len(data):
        n = struct.unpack_from("<I", data, at)[0]
        yield data[at + 4:at + 4 + n]
        at += 4 + n


def ask(target, request, read, times=15):
    """Median milliseconds and CPU milliseconds of an answer; what it said."""
    answer = read(target.json(request))
    took = []
    cpu = target.cpu_seconds()
    for _ in range(times):
        begun = time.perf_counter()
        target.call(request)
        took.append((time.perf_counter() - begun) * 1000)
    return statistics.median(took), (target.cpu_seconds() - cpu) * 1000 / times, answer


def promql(query, start, end):
    path = "/api/v1/query_range?" + urllib.parse.urlencode({"query": query, "start": start, "end": end, "step": 60})
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()


def from_prometheus(label):
    return lambda answer: {r["metric"].get(label, ""): [float(v) for _, v in r["values"]] for r in answer["data"]["result"]}


def from_fogwatch(answer):
    return {r["Label"]: r["Values"] for r in answer["MetricDataResults"]}


def data_request(query, start, end):
    return w.cloudwatch("json", "GetMetricData", {"StartTime": start, "EndTime": end, "ScanBy": "TimestampAscending", "MetricDataQueries": [query]})


def same(a, b):
    return a.keys() == b.keys() and all(len(a[k]) == len(b[k]) and all(abs(x - y) <= 1e-9 * abs(y) for x, y in zip(a[k], b[k])) for k in a)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parent / "build/release")
    parser.add_argument("--prometheus", default=shutil.which("prometheus"))
    parser.add_argument("--series", type=int, default=2000)
    parser.add_argument("--minutes", type=int, default=170)
    args = parser.parse_args()
    if not args.prometheus:
        raise SystemExit("no prometheus found: apt install prometheus, or name it with --prometheus")
    end = int(time.time()) // 60 * 60
    start = end - args.minutes * 60
    folder = pathlib.Path(tempfile.mkdtemp(prefix="fogwatch-bench-"))
    host = {"Environment": "staging", "Host": "node-77", "Model": MODELS[77 % 19]}
    rows = []
    try:
        with Prometheus(args.prometheus) as prometheus:
            write_p = ingest(prometheus, remote_writes(args, end), args, folder, "remote_write")
            rss_p = prometheus.memory_mib()
            avg_p = ask(prometheus, promql("avg by (Model) (InferenceLatency)", start, end - 60), from_prometheus("Model"))
            one_p = ask(prometheus, promql('InferenceLatency{Host="node-77"}', start, end - 60), from_prometheus("nothing"))
        with run.Fogwatch(args.build) as fogwatch:
            write_f = ingest(fogwatch, remote_writes(args, end), args, folder, "remote_write")
            rss_f = fogwatch.memory_mib()
            avg_f = ask(fogwatch, data_request({"Id": "q", "Expression": "SELECT AVG(InferenceLatency) FROM Prometheus GROUP BY Model", "Period": 60}, start, end), from_fogwatch)
            one_f = ask(fogwatch, data_request({"Id": "q", "Label": "", "MetricStat": {"Stat": "Average", "Period": 60, "Metric": {
                "Namespace": "Prometheus", "MetricName": "InferenceLatency", "Dimensions": [{"Name": n, "Value": v} for n, v in host.items()]}}}, start, end), from_fogwatch)
        with run.Fogwatch(args.build) as fogwatch:
            put_f = ingest(fogwatch, puts(args, end), args, folder, "put_metric_data")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if not same(avg_p[2], avg_f[2]) or len(avg_f[2]) != min(19, args.series):
        raise SystemExit(f"the averages differ: {json.dumps(avg_p[2])[:300]} {json.dumps(avg_f[2])[:300]}")
    if list(one_p[2].values()) != list(one_f[2].values()) or len(next(iter(one_f[2].values()))) != args.minutes:
        raise SystemExit("the single series differ")
    rows = [("samples per CPU-s, remote write", write_f, write_p, write_f / write_p),
            ("samples per CPU-s, PutMetricData CBOR against remote write", put_f, write_p, put_f / write_p),
            (f"average by one label, {args.series} series x {args.minutes} min: ms", avg_f[0], avg_p[0], avg_p[0] / avg_f[0]),
            ("the same: CPU ms", avg_f[1], avg_p[1], avg_p[1] / max(avg_f[1], 1e-9)),
            (f"one series, {args.minutes} points: ms", one_f[0], one_p[0], one_p[0] / one_f[0]),
            ("memory after writing, MiB", rss_f, rss_p, rss_p / rss_f)]
    print("| | fogwatch | prometheus | ratio |\n|---|---:|---:|---:|")
    for what, ours, theirs, ratio in rows:
        print(f"| {what} | {run.number(ours, 2)} | {run.number(theirs, 2)} | {ratio:.1f}x |")


if __name__ == "__main__":
    main()
