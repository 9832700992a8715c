"""What happens behind a write, and what it costs: 20 metric filters, 2 subscription filters, 50 live tails.

  bench/log_pipeline.py [--binary build/release/fogwatch] [--batches 300] [--rounds 3]

One writer sends batches of 1000 JSON lines over one connection to four groups that differ in what
stands behind them. Figures are events a second by the wall and by the server's CPU; the plain group
runs before and after each other so that drift of the machine shows. Every metric and delivery is
counted at the end: a figure with wrong counts is void.
"""
import argparse
import http.client
import http.server
import json
import os
import pathlib
import random
import shutil
import statistics
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests/run")]
import workload as w  # noqa: E402
from server import Server  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
EVENTS = 1000
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:sink"
TAILS = 50


def line(rng, i):
    level = rng.choice(w.LEVELS)
    return json.dumps({"time": i, "level": level, "model": rng.choice(w.MODELS), "latency_ms": rng.randint(20, 4000),
                       "request_id": f"{rng.getrandbits(64):016x}", "message": rng.choice(w.TEXTS)}, separators=(",", ":"))


FILTERS = ([f'{{ $.model = "{m}" && $.level = "ERROR" }}' for m in w.MODELS]
           + ['{ $.level = "WARN" }', '{ $.level = "ERROR" }', "ERROR", "WARN", '"429 Too Many Requests"', "timeout -retry", "?fatal ?panic ?abort",
              '"upstream did not answer"', "Exception", "OutOfMemory", "denied", '{ $.message = "*upstream*" && $.level = "ERROR" }'])
assert len(FILTERS) == 20


class Link:
    def __init__(self, server):
        self.http = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)

    def __call__(self, request):
        head, body = request.split(b"\r\n\r\n", 1)
        first, *lines = head.decode().split("\r\n")
        headers = dict(text.split(": ", 1) for text in lines)
        self.http.request("POST", first.split(" ")[1], body, headers)
        answer = self.http.getresponse()
        data = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{answer.status} {data[:300]!r}")
        return json.loads(data) if data else None


def cpu(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Subscriber(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    messages = 0

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        Subscriber.messages += 1
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def gauge(server, name):
    for text in server.http("GET", "/metrics")[2].decode().splitlines():
        if text.startswith(name + " "):
            return float(text.split()[1])
    return 0.0


def settle(server):
    while gauge(server, "fogwatch_log_pipeline_waiting_bytes") or gauge(server, "fogwatch_subscription_waiting"):
        time.sleep(0.02)


class Tail(threading.Thread):
    """One live tail, as raw bytes: parsing fifty streams in Python would measure Python."""

    def __init__(self, server, group):
        super().__init__(daemon=True)
        self.link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        request = w.logs("StartLiveTail", logGroupIdentifiers=[group])
        head, body = request.split(b"\r\n\r\n", 1)
        headers = dict(text.split(": ", 1) for text in head.decode().split("\r\n")[1:])
        self.link.request("POST", "/", body, headers)
        self.answer = self.link.getresponse()
        assert self.answer.status == 200
        self.bytes, self.over = 0, False
        self.start()

    def run(self):
        try:
            while not self.over:
                self.bytes += len(self.answer.read1(1 << 20))
        except (OSError, http.client.HTTPException):
            pass

    def end(self):
        self.over = True
        self.link.sock and self.link.sock.shutdown(2)


def write(server, link, group, lines, batches, rate=None):
    """Events a second by the wall and by the server's CPU."""
    began, used = time.monotonic(), cpu(server.pid)
    for b in range(batches):
        at = int(time.time() * 1000)
        part = lines[(b * EVENTS) % len(lines):][:EVENTS]
        link(w.logs("PutLogEvents", logGroupName=group, logStreamName="s",
                    logEvents=[{"timestamp": at, "message": m} for m in part]))
        if rate:
            time.sleep(max(0, began + (b + 1) * EVENTS / rate - time.monotonic()))
    wall = time.monotonic() - began
    settle(server)
    return batches * EVENTS / wall, batches * EVENTS / max(cpu(server.pid) - used, 1e-9)


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--binary", default=str(HERE.parent / "build/release/fogwatch"))
    words.add_argument("--batches", type=int, default=200)
    words.add_argument("--rounds", type=int, default=3)
    args = words.parse_args()
    rng = random.Random(w.SEED)
    lines = [line(rng, i) for i in range(20 * EVENTS)]
    sink = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Subscriber)
    threading.Thread(target=sink.serve_forever, daemon=True).start()
    pin = ["taskset", "-c", "0"] if shutil.which("taskset") and os.cpu_count() > 1 else []
    with tempfile.TemporaryDirectory() as folder, Server(
            pathlib.Path(folder) / "data", "--log-destinations", f"{FUNCTION}=http://127.0.0.1:{sink.server_address[1]}/",
            program=args.binary, wrap=pin) as server:
        link = Link(server)
        for group in ("plain", "filters", "subscriptions", "both", "tails"):
            link(w.logs("CreateLogGroup", logGroupName=group))
            link(w.logs("CreateLogStream", logGroupName=group, logStreamName="s"))
            if group in ("filters", "both"):
                for i, pattern in enumerate(FILTERS):
                    link(w.logs("PutMetricFilter", logGroupName=group, filterName=f"f{i}", filterPattern=pattern,
                                metricTransformations=[{"metricName": f"m{i}", "metricNamespace": group, "metricValue": "1"}]))
            if group in ("subscriptions", "both"):
                for name in ("ERROR", "WARN"):
                    link(w.logs("PutSubscriptionFilter", logGroupName=group, filterName=name, filterPattern=name, destinationArn=FUNCTION))
        write(server, link, "plain", lines, args.batches // 4)  # warm
        figures = {}
        for _ in range(args.rounds):
            for group in ("plain", "filters", "plain", "subscriptions", "plain", "both"):
                figures.setdefault(group, []).append(write(server, link, group, lines, args.batches))
        plain_50k = [write(server, link, "plain", lines, args.batches, 50_000) for _ in range(args.rounds)]
        tails = [Tail(server, "tails") for _ in range(TAILS)]
        tailed, tailed_50k = [], []
        for _ in range(args.rounds):
            tailed_50k.append(write(server, link, "tails", lines, args.batches, 50_000))
            tailed.append(write(server, link, "tails", lines, args.batches))
        figures["50 live tails"] = tailed
        assert gauge(server, "fogwatch_live_tail_sessions") == TAILS, "a session was lost"
        for tail in tails:
            tail.end()
        assert all(tail.bytes > 10_000 for tail in tails)

        # What must have come of it.
        per_round = sum(lines[i % len(lines)].count('"level":"ERROR"') for i in range(args.batches * EVENTS))
        at = time.time()
        answer = link(w.cloudwatch("json", "GetMetricStatistics", {
            "Namespace": "filters", "MetricName": "m9", "Statistics": ["Sum"], "Period": 3600,
            "StartTime": int(at - 7200), "EndTime": int(at + 3600)}))
        counted = sum(p["Sum"] for p in answer["Datapoints"])
        assert counted == per_round * args.rounds, (counted, per_round * args.rounds)
        assert Subscriber.messages == 2 * 2 * args.batches * args.rounds, Subscriber.messages

        base_wall, base_cpu = (statistics.median(f[k] for f in figures["plain"]) for k in (0, 1))
        print(f"{'':24}{'events/s':>10}{'slower':>8}   {'events/CPU-s':>12}{'dearer':>8}")
        for name, found in figures.items():
            wall, used = (statistics.median(f[k] for f in found) for k in (0, 1))
            print(f"{name:24}{wall:10,.0f}{1 - wall / base_wall:8.1%}   {used:12,.0f}{base_cpu / used - 1:8.1%}")
        for name, found in (("plain at 50 k/s", plain_50k), ("50 live tails at 50 k/s", tailed_50k)):
            wall, used = (statistics.median(f[k] for f in found) for k in (0, 1))
            print(f"{name:24}{wall:10,.0f}{'':8}   {used:12,.0f}")


if __name__ == "__main__":
    main()
