"""A real system in small: internet -> load balancer -> Main Backend -> GGUF Server, ASR/OCR Server, MySQL, S3, SecretsManager.

A tenth of the requests are sampled and every failed one is. The map must show exactly the nodes and edges that
exist, with the counts of what was sent; groups, alarms on the metrics that traces leave, and transaction search follow.
"""
import datetime as dt
import json
import os
import pathlib
import random
import socket
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests/run"), str(ROOT / "tests/clients")]
from client import Client  # noqa: E402
from expect import until  # noqa: E402
from server import Server  # noqa: E402

ACCOUNT = "000000000000"
REQUESTS = 4000
HEADER = b'{"format":"json","version":1}\n'
BACKEND = "Main Backend"


class Model:
    """Plays the system's requests and counts what each node and edge must show."""

    def __init__(self, at):
        self.dice, self.at = random.Random(11), at
        self.documents, self.edges, self.faults, self.sampled = [], {}, {}, 0
        self.users, self.lines = {}, []

    def span(self):
        return f"{self.dice.getrandbits(64):016x}"

    def count(self, a, b, fault):
        self.edges[a, b] = self.edges.get((a, b), 0) + 1
        self.faults[a, b] = self.faults.get((a, b), 0) + fault

    def request(self, n):
        dice = self.dice
        kind = dice.choice(("chat", "chat", "chat", "speech", "history"))
        failed = dice.random() < .03
        sampled = dice.random() < .1 or failed
        start = self.at + n * .02
        trace = f"1-{int(start):08x}-{dice.getrandbits(96):024x}"
        draws = [dice.random() for _ in range(4)]
        if not sampled:
            return
        self.sampled += 1
        flags = {"fault": True} if failed else {}
        status = {"response": {"status": 502 if failed else 200}}
        call, took = self.span(), .2 + draws[0]
        self.documents.append({
            "name": "Load Balancer", "id": self.span(), "trace_id": trace, "start_time": start, "end_time": start + took, **flags,
            "origin": "AWS::ElasticLoadBalancing::LoadBalancer", "http": {"request": {"method": "POST", "url": f"https://ai.example.com/{kind}", "client_ip": "203.0.113.9"}, **status},
            "subsegments": [{"name": BACKEND, "id": call, "namespace": "remote", "start_time": start + .001, "end_time": start + took - .001, **flags}]})
        self.count("internet", "Load Balancer", failed)
        self.count("Load Balancer", BACKEND, failed)
        steps = []

        def step(name, begin, end, namespace="remote", fault=False, **more):
            found = {"name": name, "id": self.span(), "namespace": namespace, "start_time": start + begin, "end_time": start + end, **more, **({"fault": True} if fault else {})}
            steps.append(found)
            self.count(BACKEND, name, fault)
            return found
        step("SecretsManager", .002, .006, "aws", aws={"operation": "GetSecretValue", "region": "eu-central-1"})
        step("MySQL", .007, .007 + draws[1] * .01, sql={"database_type": "MySQL", "sanitized_query": "SELECT * FROM prompts WHERE id = ?", "url": "jdbc:mysql://db/app"})
        server = {"chat": "GGUF Server", "speech": "ASR/OCR Server"}.get(kind)
        if server:
            asked = step(server, .03, took - .01, fault=failed, http={"request": {"method": "POST", "url": "http://models/" + kind}})
            self.documents.append({"name": server, "id": self.span(), "trace_id": trace, "parent_id": asked["id"], "origin": "AWS::EC2::Instance", "start_time": start + .031,
                                   "end_time": start + took - .011, "annotations": {"model": "llama-3" if kind == "chat" else "whisper", "tokens": int(draws[2] * 900)}, **flags,
                                   **({"cause": {"exceptions": [{"id": self.span(), "type": "OutOfMemory", "message": "CUDA out of memory"}]}} if failed else {})})
        if kind == "speech":
            step("S3", .02, .03, "aws", aws={"operation": "GetObject", "bucket_name": "recordings"})
        self.documents.append({"name": BACKEND, "id": self.span(), "trace_id": trace, "parent_id": call, "origin": "AWS::ECS::Container", "start_time": start + .0015,
                               "end_time": start + took - .0015, "user": f"u{n % 7}", "annotations": {"kind": kind, "tenant": f"t{n % 3}"}, "subsegments": steps, **flags})
        self.lines.append((int(start * 1000), {"level": "ERROR" if failed else "INFO", "kind": kind, "traceId": trace}))


class Story:
    pass


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    told = Story()
    with Server(tmp_path_factory.mktemp("gateway") / "data") as told.server:
        told.start = int(time.time()) // 60 * 60 - 600
        told.model = Model(told.start)
        told.xray, told.logs, told.cloudwatch = (Client(told.server, ACCOUNT)(name) for name in ("xray", "logs", "cloudwatch"))
        told.window = {"StartTime": told.start - 60, "EndTime": told.start + 600}
        for n in range(REQUESTS):
            told.model.request(n)
        yield told


def test_01_a_tenth_and_all_errors_are_sent_by_udp(story):
    story.xray.create_group(GroupName="speech", FilterExpression='annotation.kind = "speech"', InsightsConfiguration={"InsightsEnabled": True})
    host, port = story.server.xray.split(":")
    order = story.model.documents[:]
    random.Random(3).shuffle(order)  # parents after children and the other way round
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        for i, document in enumerate(order):
            door.sendto(HEADER + json.dumps(document).encode(), (host, int(port)))
            if i % 100 == 99:
                time.sleep(.01)  # the kernel's buffer may be small
    assert REQUESTS * .11 < story.model.sampled < REQUESTS * .15

    def accepted():
        text = story.server.http("GET", "/metrics")[2].decode()
        [line] = [x for x in text.splitlines() if x.startswith('fogwatch_trace_documents_total{verdict="accepted"}')]
        return float(line.rsplit(" ", 1)[1])
    until(lambda: accepted() == len(order))


def graph(story, **more):
    services = story.xray.get_service_graph(**story.window, **more)["Services"]
    names = {s["ReferenceId"]: "internet" if s.get("Type") == "client" else s["Name"] for s in services}
    return services, {(names[s["ReferenceId"]], names[e["ReferenceId"]]): e["SummaryStatistics"] for s in services for e in s["Edges"]}


def check_map(story):
    services, edges = graph(story)
    assert {key: value["TotalCount"] for key, value in edges.items()} == story.model.edges
    assert {key: value["FaultStatistics"]["TotalCount"] for key, value in edges.items()} == story.model.faults
    kinds = {s["Name"]: s.get("Type") for s in services if s.get("Type") != "client"}
    assert kinds == {"Load Balancer": "AWS::ElasticLoadBalancing::LoadBalancer", BACKEND: "AWS::ECS::Container", "GGUF Server": "AWS::EC2::Instance",
                     "ASR/OCR Server": "AWS::EC2::Instance", "MySQL": "Database::SQL", "S3": "AWS::S3", "SecretsManager": "AWS::SecretsManager"}
    [backend] = [s for s in services if s["Name"] == BACKEND]
    assert backend["SummaryStatistics"]["TotalCount"] == story.model.sampled
    assert sum(h["Count"] for h in backend["ResponseTimeHistogram"]) == story.model.sampled


def test_02_the_map_has_these_nodes_and_counts(story):
    check_map(story)


def find(story, expression):
    ids, token = set(), {}
    while True:
        answer = story.xray.get_trace_summaries(**story.window, FilterExpression=expression, **token)
        ids |= {s["Id"] for s in answer["TraceSummaries"]}
        if not answer.get("NextToken"):
            return ids
        token = {"NextToken": answer["NextToken"]}


def test_03_every_error_is_found_with_its_cause(story):
    failed = {d["trace_id"] for d in story.model.documents if d.get("fault") and d["name"] == BACKEND}
    assert find(story, "fault") == failed
    with_models = {d["trace_id"] for d in story.model.documents if d.get("fault") and d["name"] in ("GGUF Server", "ASR/OCR Server")}
    assert find(story, f'edge("{BACKEND}", "GGUF Server") {{ fault }} OR edge("{BACKEND}", "ASR/OCR Server") {{ fault }}') == with_models
    assert find(story, 'rootcause.fault.exception { name = "OutOfMemory" }') == with_models
    assert find(story, 'rootcause.fault.service { name = "GGUF Server" AND last } AND annotation.kind = "chat"') <= with_models


def test_04_a_group_has_its_own_map(story):
    services, edges = graph(story, GroupName="speech")
    speech = {d["trace_id"] for d in story.model.documents if d["name"] == BACKEND and d["annotations"]["kind"] == "speech"}
    assert find(story, 'group.name = "speech"') == speech
    assert edges[BACKEND, "ASR/OCR Server"]["TotalCount"] == len(speech) and (BACKEND, "GGUF Server") not in edges
    assert edges[BACKEND, "S3"]["TotalCount"] == len(speech)


def test_05_logs_of_a_trace_and_trace_of_a_log_line(story):
    story.logs.create_log_group(logGroupName="/ai/backend")
    story.logs.create_log_stream(logGroupName="/ai/backend", logStreamName="a")
    story.logs.put_log_events(logGroupName="/ai/backend", logStreamName="a", logEvents=[{"timestamp": at, "message": json.dumps(line)} for at, line in story.model.lines])

    def query(text):
        started = story.logs.start_query(logGroupName="/ai/backend", startTime=story.start - 60, endTime=story.start + 600, queryString=text)
        answer = until(lambda: (a := story.logs.get_query_results(queryId=started["queryId"]))["status"] == "Complete" and a)
        return [{c["field"]: c["value"] for c in row} for row in answer["results"]]
    at, line = next(each for each in story.model.lines if each[1]["level"] == "ERROR")
    [row] = query(f'fields @message | filter @message like "{line["traceId"]}"')
    assert json.loads(row["@message"]) == line
    failed = {row["traceId"] for row in query('filter level = "ERROR" | stats count() by traceId')}
    assert failed == find(story, "fault")


def test_06_metrics_of_groups_and_services_feed_alarms(story):
    """The minutes of the requests are over: the worker has put their counts once the clock went past them."""
    story.cloudwatch.put_metric_alarm(AlarmName="gguf-faults", Namespace="AWS/X-Ray", MetricName="FaultCount", Statistic="Sum", Period=60, EvaluationPeriods=1,
                                      Threshold=0, ComparisonOperator="GreaterThanThreshold", TreatMissingData="notBreaching",
                                      Dimensions=[{"Name": "ServiceName", "Value": "GGUF Server"}, {"Name": "ServiceType", "Value": "AWS::EC2::Instance"}])
    now = dt.datetime.now(dt.timezone.utc).replace(microsecond=0)
    story.server.set_clock(now.isoformat().replace("+00:00", "Z"))
    at = now.timestamp() // 60 * 60 + 1
    documents = []
    for i in range(20):
        documents.append(json.dumps({"name": "GGUF Server", "id": f"{i + 1:016x}", "trace_id": f"1-{int(at):08x}-{i:024x}", "origin": "AWS::EC2::Instance",
                                     "start_time": at, "end_time": at + .25, "fault": i < 5}))
    assert story.xray.put_trace_segments(TraceSegmentDocuments=documents)["UnprocessedTraceSegments"] == []
    story.server.advance(180)

    def sums(name, *dimensions, statistic="Sum"):
        answer = story.cloudwatch.get_metric_statistics(Namespace="AWS/X-Ray", MetricName=name, Dimensions=[{"Name": n, "Value": v} for n, v in dimensions], Period=60,
                                                        StartTime=at - 120, EndTime=at + 240, Statistics=[statistic])
        return sum(p[statistic] for p in answer["Datapoints"])
    service = (("ServiceName", "GGUF Server"), ("ServiceType", "AWS::EC2::Instance"))
    assert (sums("TotalCount", *service), sums("OkCount", *service), sums("FaultCount", *service), sums("ErrorCount", *service)) == (20, 15, 5, 0)
    assert sums("ResponseTime", *service, statistic="SampleCount") == 20
    assert sums("ResponseTime", *service, statistic="Maximum") == pytest.approx(.25)
    assert sums("ApproximateTraceCount", ("GroupName", "Default")) == 20 and sums("FaultCount", ("GroupName", "Default")) == 5
    [alarm] = story.cloudwatch.describe_alarms(AlarmNames=["gguf-faults"])["MetricAlarms"]
    history = story.cloudwatch.describe_alarm_history(AlarmName="gguf-faults", HistoryItemType="StateUpdate")["AlarmHistoryItems"]
    assert alarm["StateValue"] == "ALARM" or any("to ALARM" in item["HistorySummary"] for item in history)


def test_07_transaction_search(story):
    """With destination CloudWatchLogs spans are log events as well, searched by Insights, and retrieved by id."""
    assert story.xray.update_trace_segment_destination(Destination="CloudWatchLogs")["Status"] == "PENDING"
    story.server.advance(2)
    assert story.xray.get_trace_segment_destination() ["Status"] == "ACTIVE"
    now = time.time() + 185
    trace = f"1-{int(now):08x}-{os.urandom(12).hex()}"
    document = {"name": "Main Backend", "id": "00000000000000aa", "trace_id": trace, "start_time": now - 1, "end_time": now, "origin": "AWS::ECS::Container",
                "annotations": {"kind": "chat"}, "subsegments": [{"name": "S3", "id": "00000000000000ab", "namespace": "aws", "start_time": now - .9, "end_time": now - .1, "fault": True}]}
    assert story.xray.put_trace_segments(TraceSegmentDocuments=[json.dumps(document)])["UnprocessedTraceSegments"] == []
    hex_id = trace[2:10] + trace[11:]
    events = until(lambda: story.logs.filter_log_events(logGroupName="aws/spans", filterPattern=f'{{ $.traceId = "{hex_id}" }}')["events"])
    spans = {s["name"]: s for s in (json.loads(e["message"]) for e in events)}
    assert set(spans) == {"Main Backend", "S3"} and {e["logStreamName"] for e in events} == {"default"}
    assert spans["S3"]["parentSpanId"] == "00000000000000aa" and spans["S3"]["kind"] == "CLIENT" and spans["S3"]["status"] == {"code": "ERROR"}
    assert spans["Main Backend"]["kind"] == "SERVER" and abs(spans["Main Backend"]["durationNano"] - 1e9) < 1e6
    assert spans["Main Backend"]["resource"]["attributes"]["service.name"] == "Main Backend"
    token = story.xray.start_trace_retrieval(TraceIds=[trace], StartTime=int(now) - 60, EndTime=int(now) + 60)["RetrievalToken"]
    answer = story.xray.list_retrieved_traces(RetrievalToken=token, TraceFormat="OTEL")
    assert answer["RetrievalStatus"] == "COMPLETE" and len(answer["Traces"][0]["Spans"]) >= 2
    graph = story.xray.get_retrieved_traces_graph(RetrievalToken=token)
    assert {s["Service"]["Name"] for s in graph["Services"]} == {"Main Backend", "S3"}
    # Only the share that the indexing rule names becomes a summary; the trace itself is always found by its id.
    story.xray.update_indexing_rule(Name="Default", Rule={"Probabilistic": {"DesiredSamplingPercentage": 0}})
    assert story.xray.get_trace_summaries(StartTime=int(now) - 60, EndTime=int(now) + 60)["TraceSummaries"] == []
    assert [t["Id"] for t in story.xray.batch_get_traces(TraceIds=[trace])["Traces"]] == [trace]
    story.xray.update_indexing_rule(Name="Default", Rule={"Probabilistic": {"DesiredSamplingPercentage": 100}})
    assert [t["Id"] for t in story.xray.get_trace_summaries(StartTime=int(now) - 60, EndTime=int(now) + 60)["TraceSummaries"]] == [trace]


def test_08_the_map_survives_kill_and_restart(story):
    story.server.kill()
    story.server.start()
    story.xray, story.logs, story.cloudwatch = (Client(story.server, ACCOUNT)(name) for name in ("xray", "logs", "cloudwatch"))
    check_map(story)
