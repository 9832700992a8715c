"""The case files over the wire: every filter expression and service graph, put by PutTraceSegments and by UDP."""
import json
import pathlib
import socket

import pytest
from client import Client
from expect import until
from server import Server

CASES = pathlib.Path(__file__).resolve().parents[1] / "query"
FILTERS = json.loads((CASES / "trace_filter/xray-filter-cases.json").read_text())
GRAPHS = json.loads((CASES / "service_graph/service-graph-cases.json").read_text())
RANGE = {"StartTime": 1699999000, "EndTime": 1700001000}
HEADER = b'{"format":"json","version":1}\n'


def put(door, server, xray, traces):
    documents = [json.dumps(document) for trace in traces for document in trace["documents"]]
    if door == "api":
        assert xray.put_trace_segments(TraceSegmentDocuments=documents)["UnprocessedTraceSegments"] == []
        return
    host, port = server.xray.split(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        for document in documents:
            link.sendto(HEADER + document.encode(), (host, int(port)))
    ids = sorted({trace["trace_id"] for trace in traces})
    count = sum(len(trace["documents"]) for trace in traces)

    def arrived():
        found = [t for i in range(0, len(ids), 50) for t in xray.batch_get_traces(TraceIds=ids[i:i + 50])["Traces"]]
        summaries, token = [], {}
        while True:
            answer = xray.get_trace_summaries(**RANGE, **token)
            summaries += answer["TraceSummaries"]
            if not answer.get("NextToken"):
                break
            token = {"NextToken": answer["NextToken"]}
        return len(found) == len(ids) and sum(s["Revision"] for s in summaries) >= count
    until(arrived)


@pytest.fixture(scope="module", params=["api", "udp"])
def filtered(request, tmp_path_factory):
    with Server(tmp_path_factory.mktemp("cases") / "data") as server:
        xray = Client(server, "000000000000")("xray")
        for group in FILTERS["groups"]:
            xray.create_group(**{k: group[k] for k in ("GroupName", "FilterExpression")})
        put(request.param, server, xray, FILTERS["traces"])
        yield xray


@pytest.mark.parametrize("case", FILTERS["cases"], ids=range(len(FILTERS["cases"])))
def test_filter(filtered, case):
    request = {**RANGE, "FilterExpression": case["expression"]}
    if case.get("error"):
        with pytest.raises(filtered.exceptions.InvalidRequestException):
            filtered.get_trace_summaries(**request)
        return
    assert {s["Id"] for s in filtered.get_trace_summaries(**request)["TraceSummaries"]} == set(case["matches"])


def statistics(given):
    return given and {**given, "TotalResponseTime": round(given["TotalResponseTime"], 3)}


def plain(services):
    names = {s["ReferenceId"]: (s["Name"], s.get("Type")) for s in services}
    return {(s["Name"], s.get("Type")): (s.get("Root", False), s["State"], statistics(s.get("SummaryStatistics")),
                                         {names[e["ReferenceId"]]: statistics(e["SummaryStatistics"]) for e in s["Edges"]}) for s in services}


def expected(services):
    return {(s["Name"], s["Type"]): (s["Root"], s["State"], statistics(s["SummaryStatistics"]),
                                     {(e["ToName"], e["ToType"]): statistics(e["SummaryStatistics"]) for e in s["Edges"]}) for s in services}


@pytest.fixture(scope="module")
def graphs(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("graphs") / "data") as server:
        yield server


@pytest.mark.parametrize("door", ["api", "udp"])
@pytest.mark.parametrize("case", GRAPHS["cases"], ids=lambda c: c["name"].replace(" ", "_"))
def test_service_graph(graphs, case, door):
    assert graphs.http("POST", "/_fogwatch/reset")[0] == 200
    xray = Client(graphs, "000000000000")("xray")
    put(door, graphs, xray, case["traces"])
    wanted = expected(case["expected_services"])
    assert plain(xray.get_service_graph(**RANGE)["Services"]) == wanted
    assert plain(xray.get_trace_graph(TraceIds=[t["trace_id"] for t in case["traces"]])["Services"]) == wanted
