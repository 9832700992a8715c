"""X-Ray through boto3: segments in, traces, summaries and graphs out; the daemon's doors."""
import json
import os
import socket
import time
import urllib.request

import pytest
from client import Client
from expect import refused, until


def trace_id(at=None):
    return f"1-{int(at or time.time()):08x}-{os.urandom(12).hex()}"


def segment(name="front", **more):
    now = time.time()
    return {"name": name, "id": os.urandom(8).hex(), "trace_id": trace_id(), "start_time": now - 0.5, "end_time": now - 0.1} | more


def put(xray, *segments):
    answer = xray.put_trace_segments(TraceSegmentDocuments=[s if isinstance(s, str) else json.dumps(s) for s in segments])
    return answer["UnprocessedTraceSegments"]


def summaries(xray, **more):
    now = time.time()
    answer = xray.get_trace_summaries(StartTime=now - 600, EndTime=now + 60, **more)
    return answer["TraceSummaries"]


def front_and_back():
    """A front segment with a remote call to `back`, one call to DynamoDB, an annotation each."""
    front = segment(annotations={"model_name": "gpt-4", "tokens": 120, "cached": False}, user="ann", http={
        "request": {"method": "GET", "url": "http://front/ask", "user_agent": "t", "client_ip": "10.0.0.9"}, "response": {"status": 200}})
    call = os.urandom(8).hex()
    front["subsegments"] = [
        {"name": "back", "id": call, "start_time": front["start_time"] + 0.05, "end_time": front["end_time"] - 0.05, "namespace": "remote"},
        {"name": "DynamoDB", "id": os.urandom(8).hex(), "start_time": front["start_time"], "end_time": front["start_time"] + 0.02,
         "namespace": "aws", "aws": {"table_name": "prompts", "operation": "GetItem"}}]
    back = segment("back", trace_id=front["trace_id"], parent_id=call, start_time=front["start_time"] + 0.1, end_time=front["end_time"] - 0.1,
                   fault=True, origin="AWS::ECS::Container", metadata={"debug": {"x": [1, 2]}})
    return front, back


def test_a_trace_comes_back_whole(aws):
    xray = aws("xray")
    front, back = front_and_back()
    assert put(xray, front) == [] and put(xray, back) == []
    unknown = trace_id()
    answer = xray.batch_get_traces(TraceIds=[front["trace_id"], unknown])
    assert answer["UnprocessedTraceIds"] == [unknown]
    [trace] = answer["Traces"]
    documents = {d["name"]: d for d in (json.loads(s["Document"]) for s in trace["Segments"])}
    assert set(documents) == {"front", "back", "DynamoDB"}
    assert documents["back"]["metadata"] == {"debug": {"x": [1, 2]}}
    assert documents["front"]["annotations"] == front["annotations"]
    assert documents["DynamoDB"]["inferred"] is True and documents["DynamoDB"]["origin"] == "AWS::DynamoDB::Table"
    assert abs(trace["Duration"] - 0.4) < 0.002


def test_summary(aws):
    xray = aws("xray")
    front, back = front_and_back()
    put(xray, front, back)
    [found] = summaries(xray)
    assert found["Id"] == front["trace_id"]
    assert abs(found["ResponseTime"] - 0.4) < 0.002
    assert (found["HasFault"], found["HasError"], found["HasThrottle"], found["IsPartial"]) == (False, False, False, False)
    assert found["Http"] == {"HttpURL": "http://front/ask", "HttpStatus": 200, "HttpMethod": "GET", "UserAgent": "t", "ClientIp": "10.0.0.9"}
    assert found["Annotations"]["model_name"][0]["AnnotationValue"] == {"StringValue": "gpt-4"}
    assert found["Annotations"]["tokens"][0]["AnnotationValue"] == {"NumberValue": 120.0}
    assert found["Annotations"]["cached"][0]["AnnotationValue"] == {"BooleanValue": False}
    assert found["Users"][0]["UserName"] == "ann"
    assert {s["Name"] for s in found["ServiceIds"]} >= {"front", "back"}
    assert found["EntryPoint"]["Name"] == "front"


@pytest.mark.parametrize("expression, hit", [
    ('annotation.model_name = "gpt-4"', True), ('annotation.model_name = "gpt-3"', False), ("annotation.tokens > 100", True),
    ("annotation.tokens > 120", False), ("responsetime > 0.3", True), ("responsetime > 0.5", False), ("duration >= 0.3 AND duration < 0.5", True),
    ('service("front")', True), ('service("nobody")', False), ('service("back") { fault }', True), ("fault", False), ("ok", True),
    ('http.url CONTAINS "ask"', True), ("http.status = 200", True), ("http.status != 200", False), ('user BEGINSWITH "a"', True),
    ('!fault AND (http.method = "GET" OR error)', True), ('NOT service("front")', False), ("partial", False), ("", True),
], ids=range(20))
def test_filter_expression(aws, expression, hit):
    xray = aws("xray")
    front, back = front_and_back()
    put(xray, front, back)
    assert [s["Id"] for s in summaries(xray, FilterExpression=expression)] == ([front["trace_id"]] if hit else [])


def test_summaries_page(aws):
    xray = aws("xray")
    assert put(xray, *[segment() for _ in range(230)]) == []
    now = time.time()
    seen, token = set(), {}
    while True:
        answer = xray.get_trace_summaries(StartTime=now - 600, EndTime=now + 60, **token)
        ids = {s["Id"] for s in answer["TraceSummaries"]}
        assert not ids & seen
        seen |= ids
        if not answer.get("NextToken"):
            break
        token = {"NextToken": answer["NextToken"]}
    assert len(seen) == 230


def test_service_graph(aws):
    xray = aws("xray")
    front, back = front_and_back()
    put(xray, front, back)
    now = time.time()
    for services in (xray.get_service_graph(StartTime=now - 600, EndTime=now + 60)["Services"],
                     xray.get_trace_graph(TraceIds=[front["trace_id"]])["Services"]):
        nodes = {(s["Name"], s.get("Type")): s for s in services}
        assert set(nodes) == {("front", None), ("front", "client"), ("back", "AWS::ECS::Container"), ("prompts", "AWS::DynamoDB::Table")}
        by_reference = {s["ReferenceId"]: s["Name"] for s in services}
        assert {by_reference[e["ReferenceId"]] for e in nodes["front", None]["Edges"]} == {"back", "prompts"}
        assert nodes["back", "AWS::ECS::Container"]["SummaryStatistics"]["FaultStatistics"]["TotalCount"] == 1
        assert nodes["front", None]["Root"] is True


@pytest.mark.parametrize("change, code", [
    ({"id": None}, "MissingId"), ({"name": "a<b"}, "InvalidName"), ({"trace_id": "1-2-3"}, "InvalidTraceId"), ({"end_time": None}, "MissingEndTime"),
], ids=["no_id", "name", "trace_id", "no_end"])
def test_bad_document_is_told_and_the_others_are_kept(aws, change, code):
    xray = aws("xray")
    bad = {k: v for k, v in (segment() | change).items() if v is not None}
    good = segment()
    [told] = put(xray, bad, good)
    assert told["ErrorCode"] == code and told["Message"].startswith(f"Invalid segment. ErrorCode: {code}")
    assert told.get("Id") == bad.get("id")
    assert [s["Id"] for s in summaries(xray)] == [good["trace_id"]]


def test_text_that_is_no_document(aws):
    xray = aws("xray")
    found = put(xray, "{", "[]", '"x"', "\u0000", "{}", json.dumps({"a": "x" * 70_000}))
    assert len(found) == 6 and all(f["ErrorCode"] for f in found)
    assert summaries(xray) == []


def test_bad_reads(aws):
    xray = aws("xray")
    now = time.time()
    refused(lambda: xray.get_trace_summaries(StartTime=now, EndTime=now - 1), "InvalidRequestException", status=400,
            exception=xray.exceptions.InvalidRequestException)
    refused(lambda: summaries(xray, FilterExpression="annotation."), "InvalidRequestException")
    refused(lambda: summaries(xray, FilterExpression="responsetime > "), "InvalidRequestException")
    refused(lambda: summaries(xray, NextToken="bogus"), "InvalidRequestException")
    refused(lambda: xray.get_service_graph(StartTime=now, EndTime=now - 1), "InvalidRequestException")
    refused(lambda: xray.put_trace_segments(), "InvalidRequestException")


def test_sampling_and_groups(aws):
    xray = aws("xray")
    [record] = xray.get_sampling_rules()["SamplingRuleRecords"]
    rule = record["SamplingRule"]
    assert (rule["RuleName"], rule["Priority"], rule["FixedRate"], rule["ReservoirSize"], rule["Attributes"]) == ("Default", 10000, 0.05, 1, {})
    answer = xray.get_sampling_targets(SamplingStatisticsDocuments=[
        {"RuleName": "Default", "ClientID": "a" * 24, "Timestamp": time.time(), "RequestCount": 10, "SampledCount": 1, "BorrowCount": 0},
        {"RuleName": "Unknown", "ClientID": "a" * 24, "Timestamp": time.time(), "RequestCount": 1, "SampledCount": 1, "BorrowCount": 0}])
    [target] = answer["SamplingTargetDocuments"]
    assert (target["RuleName"], target["FixedRate"], target["ReservoirQuota"], target["Interval"]) == ("Default", 0.05, 1, 10)
    assert [u["RuleName"] for u in answer["UnprocessedStatistics"]] == ["Unknown"]
    assert "Default" in [g["GroupName"] for g in xray.get_groups()["Groups"]]
    xray.put_telemetry_records(TelemetryRecords=[{"Timestamp": time.time(), "SegmentsReceivedCount": 1}], EC2InstanceId="", Hostname="h", ResourceARN="")


# --- the daemon's doors (default account and region) ----------------------------------------------


def daemon_client(server):
    return Client(server, "000000000000")("xray")


def test_datagrams_become_traces(server):
    xray = daemon_client(server)
    host, port = server.xray.split(":")
    sent = [segment("udp") for _ in range(3)]
    headers = ('{"format":"json","version":1}', '{"format": "json", "version": 1}', '{"version":1,"format":"JSON"}')
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        for junk in (b"", b"\n", b"junk", b'{"format":"json","version":2}\n{}', b'{"format":"json","version":1}\nnot json', os.urandom(60_000)):
            door.sendto(junk, (host, int(port)))
        for header, document in zip(headers, sent):
            door.sendto(f"{header}\n{json.dumps(document)}".encode(), (host, int(port)))
        large = segment("large", metadata={"m": {"x": "y" * 55_000}})
        door.sendto(b'{"format":"json","version":1}\n' + json.dumps(large).encode(), (host, int(port)))
    ids = [s["trace_id"] for s in [*sent, large]]
    until(lambda: len(xray.batch_get_traces(TraceIds=ids)["Traces"]) == 4)


def test_sampling_calls_come_unsigned_by_tcp(server):
    request = urllib.request.Request(f"http://{server.xray}/GetSamplingRules", b"{}", {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert json.load(answer)["SamplingRuleRecords"][0]["SamplingRule"]["RuleName"] == "Default"
