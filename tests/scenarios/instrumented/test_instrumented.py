"""Programs with the real tracing libraries: the X-Ray SDKs for Python and Node in one trace, OpenTelemetry JS by OTLP;
and from a trace to its log lines and back."""
import datetime as dt
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path[:0] = [str(ROOT / "tests/run"), str(ROOT / "tests/clients")]
from client import REGION, Client  # noqa: E402
from expect import until  # noqa: E402
from server import Server  # noqa: E402

pytest.importorskip("aws_xray_sdk.core", reason="no aws-xray-sdk for this Python")
NODE = next((str(p) for p in (ROOT / "build/node/bin/node",) if p.exists()), shutil.which("node"))
if NODE is None or not (HERE / "js/node_modules").is_dir():
    pytest.skip("no npm packages in tests/scenarios/instrumented/js", allow_module_level=True)
ACCOUNT = "000000000000"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("instrumented") / "data", "--otlp-listen", "127.0.0.1:0") as started:
        yield started


@pytest.fixture(scope="module")
def environment(server):
    return {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION, "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL": server.url, "AWS_XRAY_DAEMON_ADDRESS": server.xray,
            "OTEL_EXPORTER_OTLP_ENDPOINT": server.doors["otlp"], "PATH": os.environ["PATH"]}


def window():
    now = dt.datetime.now(dt.timezone.utc)
    return {"StartTime": now - dt.timedelta(minutes=10), "EndTime": now + dt.timedelta(minutes=5)}


@pytest.fixture(scope="module")
def xray(server):
    return Client(server, ACCOUNT)("xray")


@pytest.fixture(scope="module")
def front(server, environment):
    logs = Client(server, ACCOUNT)("logs")
    logs.create_log_group(logGroupName="/front")
    logs.create_log_stream(logGroupName="/front", logStreamName="s")
    worker = subprocess.Popen([NODE, HERE / "js/worker.mjs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True)
    try:
        port = worker.stdout.readline().strip()
        done = subprocess.run([sys.executable, HERE / "front.py", port, "/a", "/b", "/broken"], env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
    finally:
        worker.stdin.close()
        worker.wait(10)


def test_python_and_node_share_a_trace(xray, front):
    find = lambda text: {s["Id"] for s in xray.get_trace_summaries(FilterExpression=text, **window())["TraceSummaries"]}
    until(lambda: find('service("front") AND service("worker")') == set(front))
    until(lambda: find('annotation.model_name = "gpt-4"') == set(front))
    assert find('service("worker") { fault }') == {front[2]} and find("fault") == {front[2]}
    assert find('edge("front", "worker")') == set(front)
    assert find('annotation.path = "/b"') == {front[1]}


def test_the_map_has_every_captured_call(xray, front):
    def graph():
        services = xray.get_service_graph(**window())["Services"]
        names = {s["ReferenceId"]: s["Name"] for s in services}
        edges = {(s["Name"], s.get("Type"), names[e["ReferenceId"]]): e["SummaryStatistics"] for s in services for e in s["Edges"]}
        return {key: value["TotalCount"] for key, value in edges.items() if key[0] in ("front", "worker")}
    # The SDK for Python names a client by its endpoint prefix, the one for Node by its service id.
    wanted = {("front", "client", "front"): 3, ("front", None, "worker"): 3, ("front", None, "logs"): 3, ("worker", None, "CloudWatchLogs"): 3}
    until(lambda: graph() == wanted)


def test_documents_are_folded_and_compiled(xray, front):
    [trace] = xray.batch_get_traces(TraceIds=[front[0]])["Traces"]
    documents = {d["name"]: d for d in (json.loads(s["Document"]) for s in trace["Segments"])}
    assert {"front", "worker"} <= set(documents)
    assert {s["name"] for s in documents["worker"]["subsegments"]} == {"tokenize", "CloudWatchLogs"}
    assert "render" in {s["name"] for s in documents["front"]["subsegments"]}
    assert documents["worker"]["http"]["response"]["status"] == 200
    assert documents["worker"]["parent_id"] in {s["id"] for s in documents["front"]["subsegments"]}


def test_from_a_trace_to_its_log_lines_and_back(server, xray, front):
    """As the console does: Insights over the groups by the trace's id, and the id found in a line."""
    logs = Client(server, ACCOUNT)("logs")
    end = int(window()["EndTime"].timestamp())

    def lines(query):
        started = logs.start_query(logGroupNames=["/front"], startTime=end - 3600, endTime=end, queryString=query)
        answer = until(lambda: (a := logs.get_query_results(queryId=started["queryId"]))["status"] == "Complete" and a)
        return [{cell["field"]: cell["value"] for cell in row} for row in answer["results"]]
    [line] = lines(f'fields @timestamp, @log, @message | filter @message like "{front[1]}" | sort @timestamp asc | limit 500')
    assert json.loads(line["@message"]) == {"trace_id": front[1], "path": "/b"}
    [line] = lines(f'fields path, trace_id | filter trace_id = "{front[2]}"')
    [trace] = xray.batch_get_traces(TraceIds=[line["trace_id"]])["Traces"]
    assert trace["Id"] == front[2]


def test_opentelemetry_by_protobuf_and_json(xray, environment):
    done = subprocess.run([NODE, HERE / "js/otel.mjs"], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    for encoding, hexes in json.loads(done.stdout).items():
        ids = [f"1-{h[:8]}-{h[8:]}" for h in hexes]
        name = f"checkout-{encoding}"
        find = lambda text: [s for s in xray.get_trace_summaries(FilterExpression=text, **window())["TraceSummaries"]]
        assert {s["Id"] for s in find(f'service("{name}")')} == set(ids)
        [failed] = find(f'service("{name}") AND fault')
        assert failed["Id"] == ids[2] and failed["Http"]["HttpStatus"] == 500 and failed["Users"][0]["UserName"] == "ann"
        assert [s["Id"] for s in find(f'service("{name}") AND annotation.tenant = "t1"')] == [ids[1]]
        [trace] = xray.batch_get_traces(TraceIds=[ids[2]])["Traces"]
        own = next(d for d in (json.loads(s["Document"]) for s in trace["Segments"]) if d["name"] == name)
        steps = {s["name"]: s for s in own["subsegments"]}
        assert "reserve" in steps
        [query] = [s for s in steps.values() if s.get("sql")]
        assert query["sql"]["database_type"] == "mysql" and query["fault"] is True
        assert query["cause"]["exceptions"][0]["message"] == "no stock"
        services = {(s["Name"], s.get("Type")) for s in xray.get_trace_graph(TraceIds=ids)["Services"]}
        assert (name, None) in services and any(kind == "Database::SQL" for _, kind in services)
