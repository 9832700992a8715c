"""The X-Ray SDK for Python as programs use it: segments by UDP, sampling rules from the server and from a file."""
import json
import time

import pytest
from client import Client
from expect import until

core = pytest.importorskip("aws_xray_sdk.core", reason="no aws-xray-sdk for this Python")


@pytest.fixture
def recorder(server):
    def configure(**more):
        recorder = core.AWSXRayRecorder()
        recorder.configure(daemon_address=server.xray, context_missing="LOG_ERROR", **more)
        return recorder
    return configure


def traces(server, expression):
    now = time.time()
    return Client(server, "000000000000")("xray").get_trace_summaries(StartTime=now - 120, EndTime=now + 60, FilterExpression=expression)["TraceSummaries"]


def test_segment_with_subsegments(server, recorder):
    name = f"py-{time.time_ns()}"
    xray = recorder(sampling=False)
    segment = xray.begin_segment(name)
    segment.put_annotation("model_name", "gpt-4")
    segment.put_metadata("prompt", {"tokens": [1, 2]}, "ai")
    with xray.in_subsegment("tokenize"), xray.in_subsegment("split"):
        time.sleep(0.01)
    xray.end_segment()
    [found] = until(lambda: traces(server, f'service("{name}")'))
    assert found["Annotations"]["model_name"][0]["AnnotationValue"] == {"StringValue": "gpt-4"}


def test_exception_is_a_fault_with_a_cause(server, recorder):
    name = f"py-fault-{time.time_ns()}"
    xray = recorder(sampling=False)
    with pytest.raises(ValueError), xray.in_segment(name):
        raise ValueError("broken")
    [found] = until(lambda: traces(server, f'service("{name}") AND fault'))
    assert found["FaultRootCauses"][0]["Services"][0]["EntityPath"][0]["Exceptions"][0]["Name"] == "ValueError"


def test_many_subsegments_are_streamed_and_folded(server, recorder):
    name = f"py-many-{time.time_ns()}"
    xray = recorder(sampling=False, streaming_threshold=20)
    segment = xray.begin_segment(name)
    for i in range(100):
        with xray.in_subsegment(f"step{i}"):
            pass
    xray.end_segment()
    client = Client(server, "000000000000")("xray")

    def folded():
        traces = client.batch_get_traces(TraceIds=[segment.trace_id])["Traces"]
        documents = [json.loads(s["Document"]) for t in traces for s in t["Segments"]]
        return len(documents) == 1 and len(documents[0].get("subsegments", [])) == 100
    until(folded)


def test_rules_come_from_the_server(server, recorder):
    """The server's Default rule takes one request a second; the segment names the rule that took it."""
    name = f"py-sampled-{time.time_ns()}"
    xray = recorder(sampling=True)

    def taken_by_default_rule():
        segment = xray.begin_segment(name)
        xray.end_segment()
        return segment.sampled and segment.aws["xray"].get("sampling_rule_name") == "Default"
    until(taken_by_default_rule)
    assert until(lambda: traces(server, f'service("{name}")'))


def test_rules_from_a_file(server, recorder):
    name = f"py-local-{time.time_ns()}"
    from aws_xray_sdk.core.sampling.local.sampler import LocalSampler
    everything = {"version": 2, "rules": [], "default": {"fixed_target": 1, "rate": 1.0}}
    nothing = {"version": 2, "rules": [], "default": {"fixed_target": 0, "rate": 0.0}}
    for rules in (everything, nothing):
        xray = recorder(sampling=True, sampler=LocalSampler(rules))
        for _ in range(5):
            xray.begin_segment(name)
            xray.end_segment()
    until(lambda: len(traces(server, f'service("{name}")')) == 5)
