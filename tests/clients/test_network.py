"""What hostile or unlucky clients do to the network front: slow ones, bombs, depth, width, a stop under load."""
import concurrent.futures
import gzip
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import struct
import threading
import time
import zlib

import pytest
from client import Client
from server import Server

SCOPE = "Credential={account}/20261101/us-east-1/{service}/aws4_request, SignedHeaders=host;x-amz-date, Signature=" + "0" * 64
MIB = 1 << 20
# Memory that a server may take for one attack beyond what it had.
GROWTH_MIB_MAX = 45


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("network") / "data") as started:
        yield started


def memory_mib(server, row):
    return next(int(line.split()[1]) / 1024 for line in pathlib.Path(f"/proc/{server.pid}/status").read_text().splitlines() if line.startswith(row))


def cpu_seconds(server):
    fields = pathlib.Path(f"/proc/{server.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Peak:
    """The most memory the server had meanwhile, beyond what it had before, and the time it worked."""

    def __init__(self, server):
        self.server = server

    def __enter__(self):
        self.before = memory_mib(self.server, "VmRSS:")
        self.cpu = -cpu_seconds(self.server)
        pathlib.Path(f"/proc/{self.server.pid}/clear_refs").write_text("5")
        return self

    def __exit__(self, *_):
        self.cpu += cpu_seconds(self.server)
        self.growth = memory_mib(self.server, "VmHWM:") - self.before


def headers(service, **more):
    return {"Authorization": "AWS4-HMAC-SHA256 " + SCOPE.format(account="000000000000", service=service),
            "X-Amz-Date": "20261101T000000Z"} | {name.replace("_", "-"): value for name, value in more.items()}


def zeros(total, layers=1):
    """A gzip stream of `total` zero bytes; blocks behind a full flush can be repeated as they are."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(b"\0" * MIB * 8) + packer.flush(zlib.Z_FULL_FLUSH)
    data = b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + block * (total // (8 * MIB)) + b"\x03\0" + struct.pack("<II", 0, total & 0xFFFFFFFF)
    for _ in range(layers - 1):
        data = gzip.compress(data, 9)
    return data


ZSTD_ZEROS = bytes.fromhex("28b52ffd04") + bytes([0x58]) + b"\x02\0\0\0" * 4  # a frame with a window of 2 MiB, run-length blocks
TARGETS = [("logs", "/", {"Content_Type": "application/x-amz-json-1.1", "X_Amz_Target": "Logs_20140328.PutLogEvents"}),
           ("monitoring", "/", {"Content_Type": "application/x-amz-json-1.0", "X_Amz_Target": "GraniteServiceVersion20100801.GetMetricData"}),
           ("monitoring", "/service/GraniteServiceVersion20100801/operation/GetMetricData", {"Content_Type": "application/cbor", "Smithy_Protocol": "rpc-v2-cbor"}),
           ("sns", "/", {"Content_Type": "application/x-www-form-urlencoded"}),
           ("xray", "/TraceSegments", {"Content_Type": "application/json"}),
           ("logs", "/v1/logs", {"Content_Type": "application/x-protobuf"}),
           ("xray", "/v1/traces", {"Content_Type": "application/json"}),
           ("monitoring", "/v1/metrics", {"Content_Type": "application/x-protobuf"}),
           ("logs", "/services/collector/event", {"Content_Type": "application/json"})]


@pytest.mark.parametrize("service, path, more", TARGETS, ids=[t[2].get("X_Amz_Target", t[1]) for t in TARGETS])
def test_ten_gigabytes_of_zeros_in_a_small_body(target, service, path, more):
    bombs = [("gzip", zeros(9_900 * MIB)), ("gzip", zeros(9_900 * MIB, layers=2)), ("gzip, gzip", zeros(9_900 * MIB, layers=2)), ("zstd", ZSTD_ZEROS)]
    assert all(len(bomb) <= 10 * MIB for _, bomb in bombs)
    for encoding, bomb in bombs:
        with Peak(target) as peak:
            status, _, body = target.http("POST", path, bomb, headers(service, **more, Content_Encoding=encoding))
        assert 400 <= status < 500, (encoding, status, body[:200])
        # What was sent and what may come out of it: 10 MiB and a limit of 40.
        assert peak.growth < GROWTH_MIB_MAX + len(bomb) / MIB, (encoding, peak.growth)
        assert peak.cpu < 3
    assert target.http("GET", "/health")[0] == 200


def cbor_head(major, n):
    return bytes([major << 5 | 27]) + struct.pack(">Q", n)


DEPTH = 200_000
SHAPES = {
    "json": [b"[" * DEPTH, b'{"a":' * DEPTH, b'{"logGroupName":' + b"[" * DEPTH + b"]" * DEPTH + b"}",
             b'{"logGroupName":"a","tags":{' + b",".join(b'"k%d":"v"' % n for n in range(400_000)) + b"}}",
             b'{"logGroupName":[' + b"1," * 3_000_000 + b"1]}", b'{"logGroupName":"' + b"\\ud800" * 100_000 + b'"}', b'{"logGroupName":1' + b"0" * 1_000_000 + b"}"],
    "cbor": [b"\x81" * DEPTH, b"\x9f" * DEPTH, b"\xa1\x61a" * DEPTH, b"\xbf\x61a" * DEPTH, b"\xc1" * DEPTH, b"\xd9\xff\xff" * DEPTH, b"\x7f" * DEPTH,
             cbor_head(5, 2**32), cbor_head(4, 2**62), b"\xa1\x69Namespace" + cbor_head(3, 2**63), b"\xa1\x69Namespace" + cbor_head(2, 2**40),
             b"\xa1\x6aMetricData" + cbor_head(4, 2**50), b"\xa1\x69Namespace\x9f" + b"\x01" * 3_000_000 + b"\xff",
             b"\xa1\x69Namespace\x7f" + b"\x61a" * 2_000_000 + b"\xff"],
    "form": [b"Action=CreateTopic&Version=2010-03-31&Name=a&" + b"&".join(b"Tags.member.%d.Key=k" % n for n in range(200_000)),
             b"Action=CreateTopic&Version=2010-03-31&Name" + b".member.1" * DEPTH + b"=a", b"Action=CreateTopic&Tags.member.99999999999.Key=a",
             b"Action=CreateTopic&Tags.member.2147483647.Key=a&Name=x", b"&" * 5_000_000, b"%41" * 3_000_000],
}


@pytest.mark.parametrize("kind", SHAPES)
def test_deep_wide_and_boastful_bodies(target, kind):
    more, path, service = {"json": ({"Content_Type": "application/x-amz-json-1.1", "X_Amz_Target": "Logs_20140328.CreateLogGroup"}, "/", "logs"),
                           "cbor": ({"Content_Type": "application/cbor", "Smithy_Protocol": "rpc-v2-cbor"},
                                    "/service/GraniteServiceVersion20100801/operation/PutMetricData", "monitoring"),
                           "form": ({"Content_Type": "application/x-www-form-urlencoded"}, "/", "sns")}[kind]
    for body in SHAPES[kind]:
        with Peak(target) as peak:
            status, _, answer = target.http("POST", path, body, headers(service, **more))
        # A list's index says nothing about its length: that one is a topic with one tag.
        assert 400 <= status < 500 or b"member.2147483647" in body, (body[:40], status, answer[:200])
        # A parsed form of what was really sent may be several times its size, never that of what was announced.
        assert peak.growth < GROWTH_MIB_MAX + 25 * len(body) / MIB, (body[:40], peak.growth)
        assert peak.cpu < 5, body[:40]
    assert target.http("GET", "/health")[0] == 200


def test_slow_clients_are_cut_and_others_do_not_notice(target):
    def connect(first):
        link = socket.create_connection(("127.0.0.1", target.port), timeout=30)
        link.sendall(first)
        return link
    begun = time.monotonic()
    heads = [connect(b"POST / HTTP/1.1\r\nHost: localhost\r\nX-A: ") for _ in range(300)]
    bodies = [connect(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\nabc") for _ in range(300)]
    stop = threading.Event()

    def drip():
        while not stop.wait(1):
            for link in heads + bodies:
                try:
                    link.send(b"x")
                except OSError:
                    pass
    feeder = threading.Thread(target=drip)
    feeder.start()
    try:
        slowest = 0
        while time.monotonic() - begun < 13:
            asked = time.monotonic()
            assert target.http("GET", "/health")[0] == 200
            slowest = max(slowest, time.monotonic() - asked)
            time.sleep(0.02)
    finally:
        stop.set()
        feeder.join()
    assert slowest < 5, slowest  # whoever waits behind a slow client waits for its ten seconds
    for link in heads + bodies:
        link.settimeout(10)
        answer = b""
        try:
            while data := link.recv(4096):
                answer += data
        except OSError:
            pass
        assert answer.startswith(b"HTTP/1.1 408 "), answer[:100]
        link.close()
    assert time.monotonic() - begun < 40


def test_idle_connections_make_room_for_new_ones(tmp_path):
    with Server(tmp_path / "data", "--connections-max", "50", "--threads", "1") as server:
        idle = [socket.create_connection(("127.0.0.1", server.port), timeout=10) for _ in range(200)]
        assert server.http("GET", "/health")[0] == 200
        closed = 0
        for link in idle[:100]:
            link.settimeout(5)
            closed += link.recv(1) == b""
        assert closed == 100  # the oldest are the ones that went
        text = server.http("GET", "/metrics")[2].decode()
        assert float(re.search(r"^fogwatch_connections_evicted_total (\S+)$", text, re.MULTILINE).group(1)) >= 150
        for link in idle:
            link.close()


def test_a_memory_limit_refuses_large_things_and_serves_small_ones(tmp_path):
    """The limit is below what the server has from the start, so that it holds from the first second on."""
    with Server(tmp_path / "data", "--memory-limit", "64M", "--ephemeral") as server:
        client = Client(server, "000000000000")
        logs, xray = client("logs"), client("xray")
        logs.create_log_group(logGroupName="/m")
        logs.create_log_stream(logGroupName="/m", logStreamName="s")
        filler = os.urandom(400_000).hex()
        is_short = False
        for round_ in range(400):  # until the logs in memory are more than the limit
            try:
                logs.put_log_events(logGroupName="/m", logStreamName="s", logEvents=[
                    {"timestamp": int(time.time() * 1000), "message": filler[:200_000] + str(round_) + "-" + str(n)} for n in range(4)])
            except logs.exceptions.ClientError as error:
                is_short = True
                assert error.response["Error"]["Code"] == "ThrottlingException", error
                assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400
                break
            time.sleep(0.01)
        if not is_short:
            pytest.skip("the stores gave their memory back faster than it was filled")
        logs.put_log_events(logGroupName="/m", logStreamName="s", logEvents=[{"timestamp": int(time.time() * 1000), "message": "small"}])
        with pytest.raises(xray.exceptions.ClientError) as caught:
            for _ in range(50):
                xray.put_trace_segments(TraceSegmentDocuments=["x" * 60_000] * 2)
        assert caught.value.response["Error"]["Code"] == "ThrottledException"
        status, more, _ = server.http("POST", "/v1/traces", b"x" * 200_000, {"Content-Type": "application/json"})
        assert status == 503 and more["Retry-After"]


def test_sigterm_under_load_loses_nothing_and_answers_what_was_begun(tmp_path):
    server = Server(tmp_path / "data")
    for _ in range(3):
        with server:
            client = Client(server, "000000000000")
            acknowledged, failures = stop_under_load(server, client)
        assert failures == [], failures[:3]
        with server:
            logs = Client(server, "000000000000")("logs")
            for stream, messages in acknowledged.items():
                got, token = set(), None
                while True:
                    page = logs.get_log_events(logGroupName="/load", logStreamName=stream, startFromHead=True, **({"nextToken": token} if token else {}))
                    got |= {e["message"] for e in page["events"]}
                    if page["nextForwardToken"] == token:
                        break
                    token = page["nextForwardToken"]
                assert set(messages) <= got, f"{len(set(messages) - got)} acknowledged events of {stream} are lost"


def stop_under_load(server, client):
    """Eight writers, one call that is held by an injected latency, then SIGTERM. What was acknowledged, and what was wrong."""
    logs = client("logs")
    try:
        logs.create_log_group(logGroupName="/load")
    except logs.exceptions.ResourceAlreadyExistsException:
        pass
    status, _, body = server.http("PUT", "/_fogwatch/faults", json.dumps({"rules": [{"service": "sns", "operation": "ListTopics", "latency_ms": 1500}]}),
                                  {"Content-Type": "application/json"})
    assert status == 200, body
    acknowledged, failures = {}, []
    run = os.urandom(4).hex()

    def write(name):
        stream = f"{run}-{name}"
        logs.create_log_stream(logGroupName="/load", logStreamName=stream)
        mine = acknowledged.setdefault(stream, [])
        link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        n = 0
        while True:
            messages = [f"{stream} {n + i}" for i in range(20)]
            n += 20
            body = json.dumps({"logGroupName": "/load", "logStreamName": stream,
                               "logEvents": [{"timestamp": int(time.time() * 1000), "message": m} for m in messages]})
            try:
                link.request("POST", "/", body, headers("logs", Content_Type="application/x-amz-json-1.1", X_Amz_Target="Logs_20140328.PutLogEvents"))
                answer = link.getresponse()
                text = answer.read()
            except (OSError, http.client.HTTPException):
                return
            if answer.status != 200:
                failures.append((answer.status, text[:200]))
                return
            mine.extend(messages)
            if answer.headers.get("Connection") == "close":
                return

    def held():
        status, _, body = server.http("POST", "/", b"Action=ListTopics&Version=2010-03-31", headers("sns", Content_Type="application/x-www-form-urlencoded"))
        if status != 200:
            failures.append((status, body[:200]))

    with concurrent.futures.ThreadPoolExecutor(9) as threads:
        waiting = [threads.submit(write, name) for name in range(8)]
        time.sleep(1)
        waiting.append(threads.submit(held))
        time.sleep(0.3)
        begun = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        code = server.process.wait(10)
        took = time.monotonic() - begun
        for one in waiting:
            one.result(20)
    assert code == 0 and took <= 5, (code, took, server.log())
    assert all(len(messages) > 20 for messages in acknowledged.values())
    return acknowledged, failures
