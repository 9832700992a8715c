"""What an operator stands on: the server's own metrics, dashboard and alarms; log lines that can be read by
programs; systemd's notifications."""
import json
import os
import pathlib
import signal
import socket
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "run"))
from client import Client  # noqa: E402
from server import Server  # noqa: E402

METRICS = {"Requests", "ClientErrors", "ServerErrors", "Throttles", "IngestErrors", "Drops", "IngestedBytes", "IngestedRecords", "MetricPoints",
           "TraceDocuments", "DeliveryFailures", "SealFailures", "Damage", "QueueDepth", "WalBytes", "LogBytes", "MetricBytes", "MetricSeries",
           "MemoryBytes", "Connections", "CpuSeconds", "EvaluationLagSeconds", "QueueAgeSeconds", "DiskFreeBytes", "DiskUsedPercent", "RequestLatency"}
ALARMS = {"Fogwatch-" + name for name in ("ServerErrors", "IngestErrors", "Drops", "Throttles", "DiskUsed", "QueueAge", "EvaluationLag", "Damage", "SealFailures")}


def eventually(check, seconds=20):
    end = time.monotonic() + seconds
    while True:
        try:
            return check()
        except AssertionError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


@pytest.fixture
def watched(tmp_path):
    with Server(tmp_path / "data", "--self-monitoring", "on", "--account", "210987654321") as started:
        yield Client(started, "210987654321")


def pass_minutes(server, n=1):
    """A tick of real time first: the first one begins the count."""
    time.sleep(1.3)
    for _ in range(n):
        server.advance(60)


def test_its_own_metrics_dashboard_and_alarms(watched):
    server, cw = watched.server, watched("cloudwatch")
    server.set_clock("2030-01-01T00:00:10Z", rate=0)
    pass_minutes(server, 3)
    found = {m["MetricName"] for p in cw.get_paginator("list_metrics").paginate(Namespace="Fogwatch") for m in p["Metrics"]}
    assert found == METRICS, found ^ METRICS
    assert {a["AlarmName"] for a in cw.describe_alarms()["MetricAlarms"]} == ALARMS
    body = json.loads(cw.get_dashboard(DashboardName="Fogwatch")["DashboardBody"])
    drawn = {m[1] for w in body["widgets"] for m in w["properties"]["metrics"]}
    assert drawn <= METRICS and len(body["widgets"]) == 8
    assert all(a["TreatMissingData"] == "notBreaching" and a["MetricName"] in METRICS for a in cw.describe_alarms()["MetricAlarms"])
    # They say what /metrics says.
    got = cw.get_metric_statistics(Namespace="Fogwatch", MetricName="MemoryBytes", Period=60, Statistics=["Maximum"],
                                   StartTime="2030-01-01T00:00:00Z", EndTime="2030-01-01T00:10:00Z")["Datapoints"]
    assert 2 <= len(got) <= 4 and all(10 << 20 < p["Maximum"] < 4 << 30 and p["Unit"] == "Bytes" for p in got)
    disk = os.statvfs(server.data)
    free = cw.get_metric_statistics(Namespace="Fogwatch", MetricName="DiskFreeBytes", Period=60, Statistics=["Maximum"],
                                    StartTime="2030-01-01T00:00:00Z", EndTime="2030-01-01T00:10:00Z")["Datapoints"]
    assert abs(free[-1]["Maximum"] - disk.f_bavail * disk.f_frsize) < 5 << 30


def test_other_accounts_see_nothing_of_it(watched):
    watched.server.set_clock("2030-01-01T00:00:10Z", rate=0)
    pass_minutes(watched.server, 2)
    other = Client(watched.server, "111111111111")("cloudwatch")
    assert other.list_metrics(Namespace="Fogwatch")["Metrics"] == []
    assert other.describe_alarms()["MetricAlarms"] == []


def test_an_injected_server_error_raises_the_alarm_and_it_comes_down_again(watched):
    server, cw = watched.server, watched("cloudwatch")
    server.set_clock("2030-01-01T00:00:10Z", rate=0)
    pass_minutes(server, 2)
    state = lambda: {a["AlarmName"]: a["StateValue"] for a in cw.describe_alarms(AlarmNames=["Fogwatch-ServerErrors"])["MetricAlarms"]}["Fogwatch-ServerErrors"]  # noqa: E731
    assert state() == "OK"
    server.control("PUT", "faults", {"rules": [{"service": "logs", "error": {"code": "InternalFailure", "message": "injected", "status": 500}, "count": 3}]})
    for _ in range(3):
        status, _, _ = server.http("POST", "/", b"{}", {"X-Amz-Target": "Logs_20140328.DescribeLogGroups", "Content-Type": "application/x-amz-json-1.1",
                                                        "Authorization": "AWS4-HMAC-SHA256 Credential=210987654321/20300101/us-east-1/logs/aws4_request, SignedHeaders=host, Signature=00"})
        assert status == 500
    server.advance(60)  # the minute of the errors is over, the one after it is not
    assert state() == "ALARM"
    errors = cw.get_metric_statistics(Namespace="Fogwatch", MetricName="ServerErrors", Period=3600, Statistics=["Sum"],
                                      StartTime="2030-01-01T00:00:00Z", EndTime="2030-01-01T01:00:00Z")["Datapoints"]
    assert [p["Sum"] for p in errors] == [3.0]
    server.advance(300)
    assert state() == "OK"


def test_what_a_user_deletes_stays_deleted_and_off_is_off(tmp_path):
    with Server(tmp_path / "data", "--self-monitoring", "on") as server:
        cw = Client(server, "000000000000")("cloudwatch")
        cw.delete_alarms(AlarmNames=["Fogwatch-Drops"])
        cw.delete_dashboards(DashboardNames=["Fogwatch"])
    with Server(tmp_path / "data", "--self-monitoring", "on") as server:
        cw = Client(server, "000000000000")("cloudwatch")
        assert {a["AlarmName"] for a in cw.describe_alarms()["MetricAlarms"]} == ALARMS - {"Fogwatch-Drops"}
        assert cw.list_dashboards()["DashboardEntries"] == []
    with Server(tmp_path / "other") as server:
        cw = Client(server, "000000000000")("cloudwatch")
        server.advance(180)
        time.sleep(1.2)
        assert cw.describe_alarms()["MetricAlarms"] == [] and cw.list_metrics(Namespace="Fogwatch")["Metrics"] == []


# --- log lines ------------------------------------------------------------------------------------------------

def test_json_lines_name_their_request_and_hold_no_secret(tmp_path):
    with Server(tmp_path / "data", "--log-format", "json", "--access-log", "all") as server:
        status, headers, _ = server.http("GET", "/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:us-east-1:000000000000:x&Token=verysecret&X-Amz-Signature=abcdef")
        wanted = headers["x-amzn-RequestId"]
        server.http("GET", "/nowhere?password=hunter2")
        server.http("POST", "/", b"{}", {"X-Amz-Target": "Logs_20140328.Nonsense", "Content-Type": "application/x-amz-json-1.1"})
    lines = [json.loads(line) for line in server.log(100_000).splitlines()]
    assert all(set(line) >= {"time", "level", "message"} for line in lines)
    requests = [line for line in lines if line["message"] == "request"]
    assert len(requests) == 3 and all(line["request_id"] for line in requests)
    [first] = [line for line in requests if line["request_id"] == wanted]
    assert first["status"] == status and first["client"] == "127.0.0.1" and first["took_ms"] >= 0
    assert {"account", "region", "service", "operation", "error", "bytes_in", "bytes_out"} <= set(first)
    for secret in ("verysecret", "abcdef", "hunter2"):
        assert secret not in server.log(100_000)


@pytest.mark.parametrize("which,count", [("off", 0), ("errors", 1), ("all", 2)])
def test_which_requests_get_a_line(tmp_path, which, count):
    with Server(tmp_path / "data", "--access-log", which) as server:
        server.http("GET", "/health")
        if which != "all":
            server.control("PUT", "faults", {"rules": [{"service": "logs", "error": {"code": "InternalFailure", "message": "m", "status": 500}, "count": 1}]})
        server.http("POST", "/", b"{}", {"X-Amz-Target": "Logs_20140328.DescribeLogGroups", "Content-Type": "application/x-amz-json-1.1"})
    lines = [line for line in server.log(100_000).splitlines() if " request " in line and "request_id=" in line]
    assert len(lines) == count, lines


# --- systemd --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("abstract", [False, True])
def test_the_service_manager_is_told(tmp_path, abstract):
    name = f"\0fogwatch-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.bind(name)
    heard.settimeout(10)
    environment = {"NOTIFY_SOCKET": name.replace("\0", "@"), "WATCHDOG_USEC": "400000"}
    with Server(tmp_path / "data", env=environment) as server:
        first = heard.recv(4096).decode()
        assert first.startswith("READY=1\nSTATUS=listening api http://127.0.0.1:")
        begun = time.monotonic()
        assert [heard.recv(4096).decode() for _ in range(3)] == ["WATCHDOG=1\n"] * 3
        assert time.monotonic() - begun < 3, "half of WATCHDOG_USEC apart"
        os.kill(server.pid, signal.SIGHUP)
        said = []
        while not said or not said[-1].startswith("READY=1"):
            said.append(heard.recv(4096).decode())
        reloading = [text for text in said if text.startswith("RELOADING=1\nMONOTONIC_USEC=")]
        assert len(reloading) == 1
        server.stop()
        said = []
        while not said or not said[-1].startswith("STOPPING=1"):
            said.append(heard.recv(4096).decode())


def test_a_wrong_notify_socket_harms_nothing(tmp_path):
    for n, name in enumerate(("", "relative", "/nowhere/at/all", "/" + "x" * 200, "@")):
        with Server(tmp_path / f"data{n}", env={"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "x"}) as server:
            assert server.is_alive()
