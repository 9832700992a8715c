"""Writes seeds of the fuzz targets to FOLDER/TARGET/, from the case files and captures of the tests."""
import base64
import hashlib
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
CUT = b"\x1f"


def load(path):
    return json.loads((TESTS / path).read_text())


def text(value):
    return value if isinstance(value, bytes) else (value if isinstance(value, str) else json.dumps(value)).encode()


def documents(spec):
    for trace in spec["traces"]:
        yield CUT.join(text(document) for document in trace["documents"])


def captures(*parts):
    for path in sorted((TESTS / "captures").glob("*.http")):
        if all(part in path.name for part in parts):
            yield path.read_bytes()


def body(raw):
    return raw.partition(b"\r\n\r\n")[2] or raw.partition(b"\n\n")[2]


def insights():
    for case in load("query/insights/cases.json"):
        yield text(case["query"])


def filter_pattern():
    for case in load("query/filter_pattern/cases.json"):
        yield CUT.join([text(case["pattern"]), text(case.get("message", "")), b"$.a.b[0]"])


def metric_math():
    for case in load("query/metric_math/metric-math-cases.json")["cases"]:
        yield CUT.join(text(one["expression"]) for one in case["expressions"])


def metrics_insights():
    for case in load("query/metrics_insights/metrics-insights-cases.json")["cases"]:
        yield text(case["query"])


def trace_filter():
    spec = load("query/trace_filter/xray-filter-cases.json")
    for case in spec["cases"]:
        yield text(case["expression"])
    for group in spec["groups"]:
        yield text(group["FilterExpression"])


def filter_policy():
    for case in load("query/filter_policy/cases.json")["cases"]:
        yield text(case["policy"]) + CUT + text(case.get("body", case.get("attributes", "")))


def segment_document():
    yield from documents(load("query/trace_filter/xray-filter-cases.json"))
    for case in load("query/service_graph/service-graph-cases.json")["cases"]:
        yield from documents(case)


def shaper():
    messages = [event["message"] for case in load("query/insights/cases.json") for event in case["events"]]
    for at in range(0, len(messages), 5):
        yield CUT.join(text(message) for message in messages[at:at + 5])


def http_head():
    yield from captures()
    for name in ("http_head.rows", "chunked.rows"):
        for line in (TESTS / "server" / name).read_text().splitlines():
            if line and not line.startswith("#"):
                yield line.split(" ", 1)[-1].encode().decode("unicode_escape", "replace").encode("latin-1", "replace")


def sigv4():
    yield from captures()
    path = ROOT.parent / "shared/data/sigv4-tests/v4.json"
    if path.exists():
        def texts(value):
            if isinstance(value, str) and "HTTP/1.1" in value:
                yield value.encode()
            elif isinstance(value, (dict, list)):
                for each in value.values() if isinstance(value, dict) else value:
                    yield from texts(each)
        yield from texts(json.loads(path.read_text()))


def otlp():
    for raw in captures("otel-js-json--"):
        yield b"j" + body(raw)
    for raw in captures("otel-js-proto--"):
        yield b"p" + body(raw)


def gzip():
    for raw in captures("gzip"):
        yield body(raw)


def emf():
    for name in ("aws-embedded-metrics--emf.tcp", "aws-embedded-metrics--emf.udp"):
        yield from (TESTS / "captures" / name).read_bytes().splitlines()


def neighbours():
    yield from captures("sns")


def event_stream():
    yield CUT.join([b":event-type", b"sessionUpdate", b"{}"])
    yield base64.b64decode("AAE=") + CUT * 3


SEEDS = {function.__name__: function for function in (
    insights, filter_pattern, metric_math, metrics_insights, trace_filter, filter_policy, segment_document, shaper,
    http_head, sigv4, otlp, gzip, emf, neighbours, event_stream)} | {"compiled_traces": segment_document, "codec": lambda: ()}


def write(folder):
    for target, function in SEEDS.items():
        place = folder / target
        place.mkdir(parents=True, exist_ok=True)
        for seed in function():
            if len(seed) <= 64 * 1024:
                (place / hashlib.sha1(seed).hexdigest()[:16]).write_bytes(seed)


if __name__ == "__main__":
    write(pathlib.Path(sys.argv[1]))
