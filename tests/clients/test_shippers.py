"""Shippers of Python and call sequences of agents: every line arrives, in order, none twice.
FOGWATCH_SHIPPER_LINES says how many lines each sends."""
import gzip
import json
import logging
import os
import socket
import time

import pytest

from expect import until

LINES = int(os.environ.get("FOGWATCH_SHIPPER_LINES", "20000"))


def stored(logs, group, stream):
    messages, token = [], None
    while True:
        page = logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True, **({"nextToken": token} if token else {}))
        messages += [e["message"] for e in page["events"]]
        if page["nextForwardToken"] == token:
            return messages
        token = page["nextForwardToken"]


def test_watchtower(aws):
    watchtower = pytest.importorskip("watchtower")
    logs, sent = aws("logs"), []
    send = logs.put_log_events

    def put(**request):
        answer = send(**request)
        sent.extend(event["message"] for event in request["logEvents"])
        return answer
    logs.put_log_events = put
    handler = watchtower.CloudWatchLogHandler(log_group_name="/watchtower", log_stream_name="s", boto3_client=logs, send_interval=1,
                                              log_group_retention_days=7)
    logger = logging.getLogger("fogwatch.watchtower")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    for i in range(LINES):
        logger.info("line %d", i)
    handler.flush()
    handler.close()
    # Flooded, the library drops lines before it sends them: what it sent is what counts.
    assert len(sent) > LINES / 2
    assert stored(logs, "/watchtower", "s") == sent


class Agent:
    """Calls as an agent's own HTTP code sends them: headers and bodies to the letter."""

    def __init__(self, aws, agent, **headers):
        self.aws = aws
        self.headers = {"Content-Type": "application/x-amz-json-1.1", "User-Agent": agent,
                        "Authorization": f"AWS4-HMAC-SHA256 Credential={aws.account}/20260101/us-east-1/logs/aws4_request, "
                                         "SignedHeaders=host, Signature=0", **headers}

    def __call__(self, operation, body, status=200, pack=False):
        data = json.dumps(body).encode()
        headers = {**self.headers, "X-Amz-Target": f"Logs_20140328.{operation}"}
        if pack:
            data = gzip.compress(data)
            headers["Content-Encoding"] = "gzip"
        code, answered, raw = self.aws.server.http("POST", "/", data, headers)
        assert code == status, (operation, code, raw)
        assert answered["x-amzn-RequestId"], "fluent-bit takes an answer without it for a failure"
        return json.loads(raw) if raw else None


def batches(total, size):
    for first in range(0, total, size):
        yield range(first, min(first + size, total))


def test_docker_awslogs(aws):
    """CreateLogStream, CreateLogGroup on ResourceNotFound, CreateLogStream again; PutLogEvents with the last token."""
    call = Agent(aws, "Docker 20.10.24 (linux) aws-sdk-go/1.44")
    place = {"logGroupName": "/docker", "logStreamName": "container"}
    missing = call("CreateLogStream", place, 400)
    assert missing["__type"].endswith("ResourceNotFoundException")
    call("CreateLogGroup", {"logGroupName": "/docker"})
    call("CreateLogStream", place)
    call("CreateLogStream", place, 400)
    token = None
    for numbers in batches(LINES, 5000):
        at = int(time.time() * 1000)
        answer = call("PutLogEvents", {**place, "logEvents": [{"message": f"line {i}", "timestamp": at} for i in numbers],
                                       **({"sequenceToken": token} if token else {})})
        token = answer["nextSequenceToken"]
        assert token
    assert stored(aws("logs"), "/docker", "container") == [f"line {i}" for i in range(LINES)]


def test_vector(aws):
    """Health check, stream look-up, creation, then PutLogEvents with the stream's token."""
    call = Agent(aws, "Vector/0.40")
    group, stream = "/vector", "host-1"
    aws("logs").create_log_group(logGroupName="/vector-other")
    assert call("DescribeLogGroups", {"logGroupNamePrefix": group, "limit": 1})["logGroups"][0]["logGroupName"] == "/vector-other"
    call("DescribeLogStreams", {"logGroupName": group, "logStreamNamePrefix": stream}, 400)
    call("CreateLogGroup", {"logGroupName": group})
    call("PutRetentionPolicy", {"logGroupName": group, "retentionInDays": 7})
    assert call("DescribeLogGroups", {"logGroupNamePrefix": group, "limit": 1})["logGroups"][0]["logGroupName"] == group, "the first is the name itself"
    assert call("DescribeLogStreams", {"logGroupName": group, "logStreamNamePrefix": stream})["logStreams"] == []
    call("CreateLogStream", {"logGroupName": group, "logStreamName": stream})
    for numbers in batches(LINES, 10_000):
        found = call("DescribeLogStreams", {"logGroupName": group, "logStreamNamePrefix": stream})["logStreams"][0]
        at = int(time.time() * 1000)
        call("PutLogEvents", {"logGroupName": group, "logStreamName": stream, "logEvents": [{"timestamp": at, "message": f"{i}"} for i in numbers],
                              **({"sequenceToken": found["uploadSequenceToken"]} if "uploadSequenceToken" in found else {})})
    assert stored(aws("logs"), group, stream) == [f"{i}" for i in range(LINES)]


def test_cloudwatch_agent(aws):
    """gzip bodies, an entity, DescribeLogGroups by identifier, EMF by header."""
    call = Agent(aws, "CWAgent/1.300", **{"x-amzn-logs-format": "json/emf"})
    place = {"logGroupName": "/agent", "logStreamName": "i-1"}
    call("CreateLogStream", place, 400)
    call("CreateLogGroup", {"logGroupName": "/agent"})
    call("CreateLogStream", place)
    call("PutRetentionPolicy", {"logGroupName": "/agent", "retentionInDays": 30})
    at = int(time.time() * 1000)
    line = json.dumps({"_aws": {"Timestamp": at, "CloudWatchMetrics": [{"Namespace": "agent", "Dimensions": [[]], "Metrics": [{"Name": "n"}]}]}, "n": 7})
    entity = {"keyAttributes": {"Type": "Service", "Name": "cart", "Environment": "prod"}, "attributes": {"PlatformType": "AWS::EC2"}}
    answer = call("PutLogEvents", {**place, "entity": entity, "logEvents": [{"timestamp": at, "message": line}]}, pack=True)
    assert "rejectedEntityInfo" not in answer
    answer = call("PutLogEvents", {**place, "entity": {"keyAttributes": {"Type": "Nonsense", "Name": "x"}}, "logEvents": [
        {"timestamp": at, "message": "kept"}]}, pack=True)
    assert answer["rejectedEntityInfo"] == {"errorType": "InvalidTypeValue"}
    assert stored(aws("logs"), "/agent", "i-1") == [line, "kept"]
    found = call("DescribeLogGroups", {"logGroupIdentifiers": ["/agent"]})["logGroups"]
    assert [g["logGroupName"] for g in found] == ["/agent"]
    metrics = aws("cloudwatch")
    until(lambda: [m["MetricName"] for m in metrics.list_metrics(Namespace="agent")["Metrics"]] == ["n"])


# ---- doors that are no AWS calls ----------------------------------------------------------------------------


def signed(aws, kind="application/json", **more):
    return {"Content-Type": kind, "Authorization": f"AWS4-HMAC-SHA256 Credential={aws.account}/20260101/us-east-1/logs/aws4_request, "
                                                   "SignedHeaders=host, Signature=0", **more}


@pytest.fixture
def place(aws):
    logs = aws("logs")
    logs.create_log_group(logGroupName="/g")
    logs.create_log_stream(logGroupName="/g", logStreamName="s")
    return logs


def test_http_doors(aws, place):
    at = int(time.time())
    rows = [
        ("/services/collector/event", "application/json", json.dumps({"time": at + 0.25, "event": "a", "host": "h"})),
        ("/ingest/bulk", "application/x-ndjson", f'{{"timestamp": {at * 1000 + 500}, "b": 1}}\nbroken\n'),
        ("/ingest/json", "application/json", json.dumps([{"timestamp": at * 1000 + 750, "c": 1}])),
    ]
    for path, kind, body in rows:
        status, _, raw = aws.server.http("POST", f"{path}?logGroup=%2Fg&logStream=s", body.encode(), signed(aws, kind))
        assert status == 200, raw
        assert (b"partialSuccess" in raw) == ("broken" in body)
    assert stored(place, "/g", "s") == [json.dumps({"time": at + 0.25, "event": "a", "host": "h"}, separators=(",", ":")),
                                        f'{{"timestamp":{at * 1000 + 500},"b":1}}', f'{{"timestamp":{at * 1000 + 750},"c":1}}']
    for path, kind, body in rows:
        assert aws.server.http("POST", f"{path}?logGroup=/none&logStream=s", body.encode(), signed(aws, kind))[0] == 404
        assert aws.server.http("POST", f"{path}?logGroup=/g&logStream=s", b"\xff{", signed(aws, kind))[0] == 400
        assert aws.server.http("POST", f"{path}?logGroup=/g&logStream=s", b"x" * (1 << 20) + b"y", signed(aws, kind))[0] == 413


OTLP = {"resourceLogs": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "cart"}}]}, "scopeLogs": [
    {"scope": {"name": "lib", "version": "1"}, "logRecords": [{
        "timeUnixNano": "0", "severityNumber": 17, "severityText": "ERROR", "body": {"kvlistValue": {"values": [
            {"key": "deep", "value": {"arrayValue": {"values": [{"intValue": "1"}, {"boolValue": True}]}}}]}},
        "attributes": [{"key": "a", "value": {"doubleValue": 1.5}}], "traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "EEE19B7EC3C1B174"}]}]}]}


def test_otlp_logs(aws, place):
    now = time.time_ns()
    OTLP["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["timeUnixNano"] = str(now)
    body = json.dumps(OTLP).encode()
    headers = signed(aws, **{"x-aws-log-group": "/g", "x-aws-log-stream": "s"})
    status, answered, raw = aws.server.http("POST", "/v1/logs", gzip.compress(body), {**headers, "Content-Encoding": "gzip"})
    assert (status, raw) == (200, b"{}")
    assert json.loads(stored(place, "/g", "s")[0]) == {
        "resource": {"attributes": {"service.name": "cart"}}, "scope": {"name": "lib", "version": "1"}, "timeUnixNano": now,
        "severityNumber": 17, "severityText": "ERROR", "body": {"deep": [1, True]}, "attributes": {"a": 1.5},
        "traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174"}
    # Protobuf: resource_logs { scope_logs { log_records { time, severity_text "WARN", body "hi" } } }
    record = b"\x09" + now.to_bytes(8, "little") + b"\x1a\x04WARN" + b"\x2a\x04\x0a\x02hi"
    scope = b"\x12" + bytes([len(record)]) + record
    resource = b"\x12" + bytes([len(scope)]) + scope
    request = b"\x0a" + bytes([len(resource)]) + resource
    proto = {**headers, "Content-Type": "application/x-protobuf"}
    status, answered, raw = aws.server.http("POST", "/v1/logs", request, proto)
    assert (status, raw, answered["Content-Type"]) == (200, b"", "application/x-protobuf")
    event = json.loads(stored(place, "/g", "s")[1])
    assert event["severityText"] == "WARN" and event["body"] == "hi"
    old = b"\x09" + (now - 20 * 86_400 * 10**9).to_bytes(8, "little")
    scope = b"\x12" + bytes([len(old)]) + old
    resource = b"\x12" + bytes([len(scope)]) + scope
    status, _, raw = aws.server.http("POST", "/v1/logs", b"\x0a" + bytes([len(resource)]) + resource, proto)
    assert status == 200 and b"tooOldLogEventCount\": 1" in raw, "partial success"
    rows = [(b"{", headers, 400), (b"\x0a\xff", proto, 400), (body, {**headers, "x-aws-log-group": "/none"}, 404),
            (body, {**headers, "Content-Type": "text/plain"}, 415), (b"junk", {**headers, "Content-Encoding": "gzip"}, 400),
            (body, {k: v for k, v in headers.items() if k != "x-aws-log-stream"}, 400)]
    for data, how, wanted in rows:
        assert aws.server.http("POST", "/v1/logs", data, how)[0] == wanted, (data[:10], how)
    assert aws.server.http("POST", "/v1/logs", body, signed(aws))[0] == 200
    assert len(stored(place, "/otel/cart", "default")) == 1


@pytest.fixture
def doors(tmp_path):
    import pathlib
    import sys
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "run"))
    from client import Client
    from server import Server
    with Server(tmp_path / "data", "--emf-listen", "127.0.0.1:0", "--syslog-listen", "127.0.0.1:0") as server:
        yield Client(server, "000000000000")


def address(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


def emf(n):
    return json.dumps({"_aws": {"Timestamp": int(time.time() * 1000), "LogGroupName": "app", "LogStreamName": "i-1", "CloudWatchMetrics": [
        {"Namespace": "door", "Dimensions": [[]], "Metrics": [{"Name": "n"}]}]}, "n": n}).encode()


def test_emf_door(doors):
    at = address(doors.server.doors["emf"])
    with socket.create_connection(at) as link:
        data = emf(1) + b"\n" + emf(2) + b"\r\n" + b'{"_aws": broken\n' + emf(4)
        link.sendall(data[:50])
        time.sleep(0.05)
        link.sendall(data[50:])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.sendto(emf(8) + b"\n" + emf(16), at)
    metrics = doors("cloudwatch")

    def total():
        import datetime
        now = datetime.datetime.now(datetime.timezone.utc)
        found = metrics.get_metric_statistics(Namespace="door", MetricName="n", Period=3600, Statistics=["Sum"],
                                              StartTime=now - datetime.timedelta(hours=2), EndTime=now + datetime.timedelta(hours=1))
        return sum(p["Sum"] for p in found["Datapoints"])
    until(lambda: total() == 31)
    logs = doors("logs")
    assert len(stored(logs, "app", "i-1")) == 5
    assert stored(logs, "/emf", "default") == ['{"_aws": broken']


def test_syslog_doors(doors):
    at = address(doors.server.doors["syslog"])
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()).encode()
    fresh = [b"<165>1 " + now + b" web app 7 ID%d - over tcp" % i for i in range(3)]
    with socket.create_connection(at) as link:
        link.sendall(fresh[0] + b"\n" + fresh[1] + b"\n")
        link.sendall(b"%d " % len(fresh[2]) + fresh[2] + b"garbage without priority\n")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.sendto(b"<14>" + time.strftime("%b %e %H:%M:%S", time.gmtime()).encode() + b" web cron[9]: over udp", at)
        datagrams.sendto(b"\xff\xfe<bad", at)
    logs = doors("logs")
    until(lambda: logs.describe_log_groups(logGroupNamePrefix="/syslog")["logGroups"] and len(stored_or_none(logs, "/syslog", "web")) == 4)
    events = [json.loads(m) for m in stored(logs, "/syslog", "web")]
    assert sorted(e["message"] for e in events) == ["over tcp", "over tcp", "over tcp", "over udp"]
    assert {e["facility"] for e in events} == {"local4", "user"} and {e["severity"] for e in events} == {"notice", "info"}
    until(lambda: sorted(stored_or_none(logs, "/syslog", "127.0.0.1")) == ["garbage without priority", "\ufffd\ufffd<bad"])



def stored_or_none(logs, group, stream):
    try:
        return stored(logs, group, stream)
    except logs.exceptions.ResourceNotFoundException:
        return []
