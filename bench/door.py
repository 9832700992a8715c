"""What the network front costs, and what it takes: TLS, idle connections, slow clients, overload.

  python3 bench/door.py BUILD [tls] [idle] [slow] [overload] [--seconds 5] [--only-door]

BUILD is a Release build folder with fogwatch, bench_loadgen (and bench_http_door). Needs openssl and
wrk. `--only-door` measures bench_http_door (the HTTP layer by itself) in place of the whole server.
Server and client are pinned to a core each; CPU is the server's own (user and system).
"""
import argparse
import asyncio
import json
import pathlib
import resource
import socket
import ssl
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests/run")]
import run as bench  # noqa: E402
import workload as w  # noqa: E402
from server import Server  # noqa: E402

CONNECTIONS_IDLE = 10_000
CLIENTS_SLOW = 1_000


def certificate(folder):
    """A self-signed certificate for 127.0.0.1: (file, key file)."""
    pair = folder / "server.crt", folder / "server.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-out", pair[0], "-keyout", pair[1]], check=True, capture_output=True)
    pair[1].chmod(0o600)
    return pair


class Door:
    """bench_http_door: both schemes at once."""

    def __init__(self, build, folder):
        cert, key = certificate(folder)
        self.process = subprocess.Popen([*bench.pin("0"), str(build / "bench_http_door"), "--cert", cert, "--key", key], stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        self.ports = {line.split("://")[0].split()[1]: int(line.rsplit(":", 1)[1]) for line in (self.process.stdout.readline() for _ in range(2))}

    def port(self, scheme):
        return self.ports[scheme]

    def close(self):
        self.process.terminate()
        self.process.wait()


class Whole:
    """fogwatch, once for each scheme."""

    def __init__(self, build, folder, scheme, *args):
        tls = [] if scheme == "http" else [word for pair in zip(("--tls-cert", "--tls-key"), map(str, certificate(folder))) for word in pair]
        self.server = Server(folder / f"data-{scheme}", *tls, *args, program=build / "fogwatch", wrap=bench.pin("0")).start()
        self.pid = self.server.pid
        bench.wait_until_quiet(lambda: cpu_seconds(self.pid))

    def port(self, _):
        return self.server.port

    def close(self):
        self.server.stop()


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / bench.TICKS


def memory_mib(pid):
    return next(int(line.split()[1]) / 1024 for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:"))


def small_request():
    return w.cloudwatch("json", "DescribeAlarms", {})


def log_request(kb):
    """PutLogEvents with a body of about so many KB, and what must be made before."""
    now = int(time.time() * 1000)
    line = "2026-01-02T03:04:05 INFO request 01234567-89ab-cdef took 12 ms status 200 path /api/v1/items/42 user 1001 region eu-1 "
    events = [{"timestamp": now + i, "message": line + str(i)} for i in range(kb * 1000 // (len(line) + 52))]
    return w.logs("PutLogEvents", logGroupName="door", logStreamName="s", logEvents=events)


def metric_request(datums):
    """PutMetricData: 400 make a body of about 100 KB."""
    now = time.time()
    return w.cloudwatch("json", "PutMetricData", {"Namespace": "Door", "MetricData": [
        {"MetricName": f"metric-{i % 20}", "Timestamp": now, "Value": i * 1.5, "Unit": "Milliseconds",
         "Dimensions": [{"Name": "Host", "Value": f"host-{i // 20:04}"}, {"Name": "Service", "Value": "checkout-service"},
                        {"Name": "Region", "Value": "eu-central-1"}]} for i in range(datums)]})


def call(port, scheme, request):
    raw = socket.create_connection(("127.0.0.1", port), timeout=30)
    link = raw if scheme == "http" else trusting().wrap_socket(raw)
    with link:
        link.sendall(request)
        answer = link.recv(65536)
        assert answer.startswith(b"HTTP/1.1 200"), answer[:500]


def trusting():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def wrk(target, scheme, request, seconds, connections=8):
    """Requests per second and per CPU second of the server."""
    head, body = request.split(b"\r\n\r\n", 1)
    first, *headers = head.decode().split("\r\n")
    method, path, _ = first.split(" ")
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(f'wrk.method = "{method}"\nwrk.path = "{path}"\n')
        for name, value in (header.split(": ", 1) for header in headers):
            if name.lower() not in ("content-length", "host"):
                script.write(f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}\n")
        script.write(f"wrk.body = [==[{body.decode()}]==]\n" if body else "")
        script.write('done = function(s) io.write(string.format("RESULT %d %d %d\\n", s.requests, s.duration, s.errors.status + s.errors.read + s.errors.connect)) end\n')
        script.flush()
        cpu = cpu_seconds(target.pid)
        out = subprocess.run([*bench.pin("1"), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", script.name,
                              f"{scheme}://127.0.0.1:{target.port(scheme)}"], capture_output=True, text=True, check=True).stdout
        spent = cpu_seconds(target.pid) - cpu
    requests, micros, errors = map(int, out.split("RESULT ")[1].split())
    assert errors == 0, out
    return requests / (micros / 1e6), requests / spent


def tls(build, folder, seconds, only_door):
    what = "the HTTP layer alone" if only_door else "whole calls"
    for name, request in (("DescribeAlarms", small_request()), ("PutLogEvents of 100 KB", log_request(100)), ("PutMetricData of 100 KB", metric_request(400))):
        figures = {}
        for scheme in ("http", "https"):
            target = Door(build, folder) if only_door else Whole(build, folder, scheme)
            try:
                if not only_door:
                    for operation, names in (("CreateLogGroup", {}), ("CreateLogStream", {"logStreamName": "s"})):
                        try:
                            call(target.port(scheme), scheme, w.logs(operation, logGroupName="door", **names))
                        except AssertionError as error:
                            assert b"AlreadyExists" in error.args[0]
                figures[scheme] = wrk(target, scheme, request, seconds)
            finally:
                target.close()
        plain, sealed = figures["http"], figures["https"]
        print(f"tls, {what}, {name}, {len(request)} bytes: plain {plain[0]:,.0f} req/s {plain[1]:,.0f} per CPU-s; TLS {sealed[0]:,.0f} req/s {sealed[1]:,.0f} per CPU-s: "
              f"{sealed[1] / plain[1]:.0%} of plain by CPU, {sealed[0] / plain[0]:.0%} by time", flush=True)


def idle(build, folder, _seconds, only_door):
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    for scheme in ("http", "https"):
        target = Door(build, folder) if only_door else Whole(build, folder, scheme)
        links = []
        context = trusting()
        request = small_request()
        try:
            call(target.port(scheme), scheme, request)
            before = memory_mib(target.pid)
            for _ in range(CONNECTIONS_IDLE):
                raw = socket.create_connection(("127.0.0.1", target.port(scheme)), timeout=30)
                link = raw if scheme == "http" else context.wrap_socket(raw)
                link.sendall(request)
                assert link.recv(4096).startswith(b"HTTP/1.1 200")
                links.append(link)
            busy = memory_mib(target.pid)
            time.sleep(7)
            rested = memory_mib(target.pid)
            for link in links[-1000::97]:  # they still serve (the first may have reached the time-out on a slow machine)
                link.sendall(request)
                assert link.recv(4096).startswith(b"HTTP/1.1 200")
            print(f"idle, {scheme}: {CONNECTIONS_IDLE} connections, each used once: {before:.1f} MiB before, +{busy - before:.1f} at once, "
                  f"+{rested - before:.1f} when idle ({(rested - before) * 1024 / CONNECTIONS_IDLE:.1f} KiB each)", flush=True)
        finally:
            for link in links:
                link.close()
            target.close()


# --- slow clients: a quarter each of slow heads, slow bodies, slow readers and silent ones ----------

async def slow_client(port, kind, request, large):
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
            if kind == "head":
                for byte in b"POST / HTTP/1.1\r\nHost: localhost\r\n" + b"X-A: b\r\n" * 1000:
                    writer.write(bytes([byte]))
                    await asyncio.sleep(1)
            elif kind == "body":
                writer.write(request[:-50_000])
                for _ in range(50_000):
                    writer.write(b"x")
                    await asyncio.sleep(1)
            elif kind == "reader":
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
                writer.transport.pause_reading()
                writer.write(large * 20)
                await asyncio.sleep(60)
            else:
                await reader.read(1)
            writer.close()
        except OSError:
            await asyncio.sleep(0.5)


def slow_clients(port, request, large):
    async def all_of_them():
        kinds = ("head", "body", "reader", "silent")
        tasks = []
        for i in range(CLIENTS_SLOW):
            tasks.append(asyncio.create_task(slow_client(port, kinds[i % 4], request, large)))
            if i % 50 == 0:
                await asyncio.sleep(0.05)
        print("all here", flush=True)
        await asyncio.gather(*tasks)
    asyncio.run(all_of_them())


def slow(build, folder, seconds, only_door):
    target = Door(build, folder) if only_door else Whole(build, folder, "http")
    records = folder / "small.records"
    w.write(records, [small_request()])
    port = target.port("http")

    def load():
        cpu = cpu_seconds(target.pid)
        out = subprocess.run([*bench.pin("1"), str(build / "bench_loadgen"), str(records), str(port), "--seconds", str(seconds), "--connections", "8"],
                             capture_output=True, text=True, check=True).stdout
        raw = json.loads(out)
        return raw["requests"] / raw["seconds"], raw["requests"] / (cpu_seconds(target.pid) - cpu), raw["ms_p99"]

    try:
        load()
        alone = [load() for _ in range(3)]
        attack = subprocess.Popen([sys.executable, __file__, "--attack", str(port), str(int(only_door))], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            attack.stdout.readline()
            time.sleep(3)
            cpu = cpu_seconds(target.pid)
            time.sleep(10)
            share = (cpu_seconds(target.pid) - cpu) / 10
            beside = [load() for _ in range(3)]
        finally:
            attack.kill()
            attack.wait()
        a, b = max(alone), max(beside)
        print(f"slow, {CLIENTS_SLOW} slow clients by themselves take {share:.1%} of a core of the server")
        print(f"slow, {CLIENTS_SLOW} slow clients: {a[0]:,.0f} req/s {a[1]:,.0f} per CPU-s alone; {b[0]:,.0f} req/s {b[1]:,.0f} per CPU-s beside them: "
              f"{b[1] / a[1] - 1:+.1%} by CPU, {b[0] / a[0] - 1:+.1%} by time (their own client shares the load's core); p99 {a[2]:.2f} -> {b[2]:.2f} ms", flush=True)
    finally:
        target.close()


# --- overload ---------------------------------------------------------------------------------------

def overload(build, folder, seconds, _only_door):
    """Closed loops of clients: the peak is what the best number of them gets, then three and thirty times as many."""
    target = Whole(build, folder, "http")
    port = target.port("http")
    try:
        call(port, "http", w.logs("CreateLogGroup", logGroupName="door"))
        call(port, "http", w.logs("CreateLogStream", logGroupName="door", logStreamName="s"))
        for name, request in (("DescribeAlarms", small_request()), ("PutLogEvents of 100 KB", log_request(100)), ("PutMetricData of 20", metric_request(20))):
            records = folder / "overload.records"
            w.write(records, [request])
            rates = {}
            for connections in (4, 16, 48, 500, 2000):
                out = subprocess.run([*bench.pin("1"), str(build / "bench_loadgen"), str(records), str(port), "--seconds", str(seconds), "--connections", str(connections)],
                                     capture_output=True, text=True, check=False).stdout
                raw = json.loads(out)
                good = sum(count for status, count in raw["statuses"].items() if status.startswith("2"))
                rates[connections] = good / raw["seconds"]
                print(f"overload, {name}, {connections} clients: {rates[connections]:,.0f} good/s of {raw['requests'] / raw['seconds']:,.0f}, p99 {raw['ms_p99']:.0f} ms", flush=True)
            peak = max(rates[4], rates[16])
            print(f"overload, {name}: at 3x {rates[48] / peak:.0%} of peak, with 500 clients {rates[500] / peak:.0%}, with 2000 {rates[2000] / peak:.0%}", flush=True)
    finally:
        target.close()


def main():
    if "--attack" in sys.argv:
        resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
        large = b"GET /get/200000 HTTP/1.1\r\nHost: localhost\r\n\r\n" if sys.argv[3] == "1" else b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
        return slow_clients(int(sys.argv[2]), log_request(60), large)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("what", nargs="*", default=["tls", "idle", "slow", "overload"])
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--only-door", action="store_true")
    options = parser.parse_args()
    for what in options.what or ["tls", "idle", "slow", "overload"]:
        with tempfile.TemporaryDirectory(prefix="fogwatch-door-") as folder:
            globals()[what](options.build.resolve(), pathlib.Path(folder), options.seconds, options.only_door)


if __name__ == "__main__":
    main()
