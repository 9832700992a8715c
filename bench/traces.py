"""Traces at their real number: the store with a million of them, then the two doors with sealing under way.

  python3 bench/traces.py                     1,000,000 traces (about 15 minutes, most of it making them)
  python3 bench/traces.py --traces 100000     quicker
  python3 bench/traces.py --build build/release --workload FILE   elsewhere; another generator (`FILE traces --count N --rate R --start MS --out -`)

1. Documents of six hours go through `bench_traces_store` (strict log, 25 a call, sealed every 20,000 traces), which
   prints documents per CPU second, bytes on disk, and what each query costs.
2. 50,000 traces by PutTraceSegments, each sent once; the server's CPU counts until everything is sealed.
3. The same by UDP: at 100,000 datagrams a second for as long as the data lasts, and at full speed, with drops counted.
4. From a datagram to GetTraceSummaries, 20 times.
"""
import argparse
import json
import os
import pathlib
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE), str(ROOT / "tests/run")]
import workload as w  # noqa: E402
from run import Fogwatch  # noqa: E402

HOURS = 6
DOOR_TRACES = 50_000


def lines(args, count, rate, start_ms):
    """The generator's process; its standard output has a document a line."""
    return subprocess.Popen([sys.executable, args.workload, "traces", "--count", str(count), "--rate", str(rate), "--start", str(start_ms), "--out", "-"],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def store(args):
    rate = args.traces / (HOURS * 3600)
    source = lines(args, args.traces, rate, 1_787_184_000_000)
    with tempfile.TemporaryDirectory(prefix="fogwatch-bench-") as folder:
        subprocess.run([args.build / "bench_traces_store", "-", folder + "/data"], stdin=source.stdout, check=True)
    source.wait()


def counter(server, name):
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=60) as answer:
        return sum(float(line.rsplit(" ", 1)[1]) for line in answer.read().decode().splitlines() if line.startswith(name))


def seal(server):
    """Moves the clock on until no trace is left in memory."""
    for _ in range(20):
        if counter(server, "fogwatch_trace_head_bytes") == 0:
            return
        body = json.dumps({"seconds": 900}).encode()
        urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{server.port}/_fogwatch/clock/advance", body), timeout=300).read()
    raise RuntimeError("traces stay in memory")


def stored(server):
    return counter(server, 'fogwatch_trace_documents_total{verdict="accepted"}')


def load(args, file, port, *more):
    run = subprocess.run(["taskset", "-c", "1", args.build / "bench_loadgen", file, str(port), *map(str, more)], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise RuntimeError(run.stderr or run.stdout)
    return json.loads(run.stdout)


def settle(server):
    spent = -1.0
    while (now := server.cpu_seconds()) > spent + 0.01:
        spent = now
        time.sleep(0.4)


def doors(args, folder):
    start = int(time.time() - 1800) * 1000
    source = lines(args, DOOR_TRACES, DOOR_TRACES / 1700, start)
    documents = [line.rstrip(b"\n").decode() for line in source.stdout]
    calls, datagrams = folder / "calls", folder / "datagrams"
    with open(calls, "wb") as out:
        for batch in w.batches(documents, 25):
            request = w.xray("/TraceSegments", TraceSegmentDocuments=batch)
            out.write(struct.pack("<I", len(request)) + request)
    with open(datagrams, "wb") as out:
        for document in documents:
            data = w.SEGMENT_HEADER + document.encode()
            if len(data) < 65_000:
                out.write(struct.pack("<I", len(data)) + data)
    n = len(documents)
    print(f"\n{DOOR_TRACES:,} traces, {n:,} documents, {sum(map(len, documents)) / 1e6:.0f} MB, each sent once")
    with Fogwatch(args.build) as server:
        before = server.cpu_seconds()
        figures = load(args, calls, server.port, "--connections", 8, "--count", -(-n // 25))
        settle(server)
        taken = server.cpu_seconds() - before
        kept = stored(server)
        seal(server)
        sealed = server.cpu_seconds() - before
        print(f"PutTraceSegments, 25 a call, strict: {n / figures['seconds']:,.0f} documents/s wall, {n / taken:,.0f} per CPU-s as taken in, "
              f"{n / sealed:,.0f} per CPU-s with everything sealed ({kept:,.0f} stored, p99 {figures['ms_p99']} ms)")
    for name, rate in (("100,000 a second", 100_000), ("full speed", 0)):
        with Fogwatch(args.build) as server:
            before, begun = server.cpu_seconds(), time.monotonic()
            paced(datagrams, server.xray_port, rate)
            took = time.monotonic() - begun
            settle(server)
            taken = server.cpu_seconds() - before
            kept, dropped = stored(server), counter(server, "fogwatch_xray_datagrams_dropped_total")
            seal(server)
            sealed = server.cpu_seconds() - before
            print(f"UDP at {name}: {n / took:,.0f} datagrams/s sent, {kept:,.0f} stored, {dropped:,.0f} dropped by the kernel and counted, "
                  f"{kept / taken:,.0f} per CPU-s as taken in, {kept / sealed:,.0f} with everything sealed")


def paced(file, port, rate):
    """Sends every datagram of a file; `rate` a second in steps of a millisecond, 0: without a pause."""
    os.sched_setaffinity(0, {os.cpu_count() - 1})
    data, at, sent, begun = file.read_bytes(), 0, 0, time.monotonic()
    door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    door.connect(("127.0.0.1", port))
    while at < len(data):
        (size,) = struct.unpack_from("<I", data, at)
        door.send(memoryview(data)[at + 4:at + 4 + size])
        at += 4 + size
        sent += 1
        if rate and sent % (rate // 1000) == 0:
            while time.monotonic() - begun < sent / rate:
                pass
    os.sched_setaffinity(0, range(os.cpu_count()))


def findable(args):
    with Fogwatch(args.build) as server:
        waits = []
        door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for i in range(20):
            now = time.time()
            document = {"name": f"find-{i}", "id": f"{i + 1:016x}", "trace_id": f"1-{int(now):08x}-{i + 1:024x}", "start_time": now - 1, "end_time": now}
            begun = time.monotonic()
            door.sendto(w.SEGMENT_HEADER + json.dumps(document).encode(), ("127.0.0.1", server.xray_port))
            while not server.json(w.xray("/TraceSummaries", StartTime=int(now) - 60, EndTime=int(now) + 60, FilterExpression=f'service("find-{i}")'))["TraceSummaries"]:
                pass
            waits.append((time.monotonic() - begun) * 1000)
        print(f"from a datagram to GetTraceSummaries: median {statistics.median(waits):.1f} ms, at most {max(waits):.1f} ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--traces", type=int, default=1_000_000)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--workload", default=str(ROOT.parent / "shared/tools/workload.py"))
    parser.add_argument("--only", choices=("store", "doors", "findable"))
    args = parser.parse_args()
    if args.only in (None, "store"):
        store(args)
    if args.only in (None, "doors"):
        with tempfile.TemporaryDirectory(prefix="fogwatch-bench-") as folder:
            doors(args, pathlib.Path(folder))
    if args.only in (None, "findable"):
        findable(args)


if __name__ == "__main__":
    main()
