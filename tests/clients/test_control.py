"""The control plane and the server's own pages."""
import json
import os
import re
import socket
import time

import pytest
from client import Client


def test_start_up_lines(server):
    text = "\n".join(server.lines)
    assert re.search(r"^listening api http://127\.0\.0\.1:\d+$", text, re.M)
    assert re.search(r"^listening xray 127\.0\.0\.1:\d+$", text, re.M)
    assert server.lines[-1] == "Ready."


def test_health(server):
    assert server.http("GET", "/health")[0] == 200
    status, _, body = server.http("GET", "/health/detailed")
    assert status == 200 and json.loads(body)
    status, headers, body = server.http("GET", "/metrics")
    assert status == 200 and b"# TYPE " in body
    assert server.http("HEAD", "/health")[0] == 200
    assert server.http("GET", "/")[0] == 200


def test_every_answer_has_a_request_id_and_a_date(server):
    for method, path in (("GET", "/health"), ("GET", "/none"), ("POST", "/none"), ("GET", "/_fogwatch/clock")):
        _, headers, _ = server.http(method, path)
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", headers["x-amzn-RequestId"]), path
        assert headers["Date"].endswith("GMT")


def test_operations_are_listed_with_their_calls(server, aws):
    aws("logs").describe_log_groups()
    services = server.control("GET", "operations")["services"]
    counts = {name: len(operations) for name, operations in services.items()}
    assert (counts["cloudwatch"], counts["logs"], counts["xray"], counts["sns"]) == (50, 118, 38, 42)
    [row] = [o for o in services["logs"] if o["name"] == "DescribeLogGroups"]
    assert row["implemented"] is True and row["calls"] >= 1


def test_requests_are_kept(server, aws):
    aws("sns").list_topics()
    text = json.dumps(server.control("GET", "requests?limit=50"))
    assert "ListTopics" in text


def test_clock_stands_moves_and_goes_free(fresh):
    server = fresh.server
    assert server.set_clock("2026-01-01T00:00:00Z")["now"].startswith("2026-01-01T00:00:00")
    assert server.control("GET", "clock")["rate"] == 0
    assert server.advance(90)["now"].startswith("2026-01-01T00:01:30")
    fresh("logs").create_log_group(logGroupName="/then")
    assert fresh("logs").describe_log_groups()["logGroups"][0]["creationTime"] == 1767225690000
    server.stop()
    server.start()
    assert server.control("GET", "clock")["now"].startswith("2026-01-01T00:01:30"), "a frozen clock survives a restart"
    server.control("DELETE", "clock")
    assert server.control("GET", "clock")["offset_ms"] == 0


def test_advance_over_a_year_is_quick(fresh):
    begun = time.monotonic()
    fresh.server.set_clock("2026-01-01T00:00:00Z")
    fresh.server.advance(365 * 86400)
    assert time.monotonic() - begun < 20


def test_reset_empties_one_account_or_all(server, aws):
    other = Client(server, f"{int(aws.account) - 50000:012d}")
    for client in (aws, other):
        client("logs").create_log_group(logGroupName="/r")
        client("sns").create_topic(Name="r")
        client("cloudwatch").put_metric_data(Namespace="R", MetricData=[{"MetricName": "m", "Value": 1.0}])
    server.control("POST", "reset", {"account": aws.account})
    assert aws("logs").describe_log_groups()["logGroups"] == [] and aws("sns").list_topics()["Topics"] == []
    assert aws("cloudwatch").list_metrics()["Metrics"] == []
    assert len(other("logs").describe_log_groups()["logGroups"]) == 1 and len(other("sns").list_topics()["Topics"]) == 1
    assert len(other("cloudwatch").list_metrics()["Metrics"]) == 1


def test_reset_of_all_survives_a_restart(fresh):
    fresh("logs").create_log_group(logGroupName="/r")
    fresh.server.control("POST", "reset", {})
    fresh.server.kill()
    fresh.server.start()
    assert fresh("logs").describe_log_groups()["logGroups"] == []


def test_a_second_server_on_the_same_folder_fails_clearly(fresh):
    from server import Server
    with pytest.raises(RuntimeError, match="(?i)lock|in use|another"):
        Server(fresh.server.data).start()
    assert fresh.server.is_alive()


def test_a_busy_port_fails_and_says_what_to_do(fresh, tmp_path):
    from server import Server
    with pytest.raises(RuntimeError, match="--listen"):
        Server(tmp_path / "other", "--listen", f"127.0.0.1:{fresh.server.port}").start()


def test_stop_is_quick_and_clean(fresh):
    link = socket.create_connection(("127.0.0.1", fresh.server.port))
    begun = time.monotonic()
    assert fresh.server.stop() == 0
    assert time.monotonic() - begun < 5
    link.close()


def test_ephemeral_keeps_nothing(tmp_path):
    from server import Server
    server = Server(tmp_path / "none", "--ephemeral").start()
    try:
        Client(server, "000000000000")("logs").create_log_group(logGroupName="/e")
        server.kill()
        server.start()
        assert Client(server, "000000000000")("logs").describe_log_groups()["logGroups"] == []
    finally:
        server.kill()
    assert not os.path.exists(tmp_path / "none")
