"""The case files of metric math, statistics and Metrics Insights, through boto3.

Each case has an account of its own on one server whose clock stands where the cases say. Metrics with
no name are App/<id>; distinct periods are as the case says.
"""
import gzip
import itertools
import json
import math
import pathlib
import sys
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone

import botocore.exceptions
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "run"))
from client import Client  # noqa: E402
from server import Server  # noqa: E402

CASES = pathlib.Path(__file__).resolve().parents[1] / "query"
DAY = datetime(2026, 1, 5, tzinfo=timezone.utc)
accounts = itertools.count(200000000000)


def load(name):
    return json.loads((CASES / name).read_text())


@pytest.fixture(scope="module")
def frozen(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("cases") / "data") as server:
        yield server


def cloudwatch_at(server, now):
    body = json.dumps({"now": now.strftime("%Y-%m-%dT%H:%M:%SZ"), "rate": 0}).encode()
    urllib.request.urlopen(urllib.request.Request(f"{server.url}/_fogwatch/clock", data=body, method="PUT"), timeout=10).read()
    return Client(server, f"{next(accounts):012d}")("cloudwatch")


def put(cloudwatch, namespace, name, dimensions, at, **value):
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=[{
        "MetricName": name, "Dimensions": [{"Name": n, "Value": v} for n, v in dimensions.items()], "Timestamp": at, **value}])


def close(a, b):
    return len(a) == len(b) and all((x is None) == (y is None) and (x is None or math.isclose(x, y, rel_tol=1e-9, abs_tol=1e-12)) for x, y in zip(a, b))


def on_slots(result, start, period, slots):
    """Values by slot, None where there is no point."""
    values = {int((t - start).total_seconds()) // period: v for t, v in zip(result["Timestamps"], result["Values"])}
    return [values.get(i) for i in range(slots)]


@pytest.mark.parametrize("case", load("statistics/statistics-cases.json")["cases"], ids=lambda c: c["id"])
def test_statistics(frozen, case):
    cloudwatch = cloudwatch_at(frozen, DAY + timedelta(minutes=10))
    for sample in case["samples"]:
        if "set" in sample:
            s = sample["set"]
            given = {"StatisticValues": {"SampleCount": s["n"], "Sum": s["sum"], "Minimum": s["min"], "Maximum": s["max"]}}
        elif "values" in sample:
            given = {"Values": sample["values"], **({"Counts": sample["counts"]} if "counts" in sample else {})}
        else:
            given = {"Value": sample["value"]}
        put(cloudwatch, "App", "m", {}, DAY, **given)
    for name, expected in case["expect"].items():
        def ask(name=name):
            return cloudwatch.get_metric_data(StartTime=DAY, EndTime=DAY + timedelta(minutes=1), MetricDataQueries=[
                {"Id": "q", "MetricStat": {"Metric": {"Namespace": "App", "MetricName": "m"}, "Period": 60, "Stat": name}}])["MetricDataResults"][0]["Values"]
        if expected == "error":
            with pytest.raises(botocore.exceptions.ClientError):
                ask()
        else:
            assert close(ask(), [] if expected is None else [expected]), name


@pytest.mark.parametrize("case", load("metric_math/metric-math-cases.json")["cases"], ids=lambda c: c["id"])
def test_metric_math(frozen, case):
    period = case.get("period", 60)
    start = datetime.fromisoformat(case["start"].replace("Z", "+00:00")) if "start" in case else DAY
    end = start + timedelta(seconds=period * case["slots"])
    cloudwatch = cloudwatch_at(frozen, end)
    labels = {}
    for m in case.get("metrics", []):
        for i, value in enumerate(m["values"]):
            if value is not None:
                put(cloudwatch, "App", m["id"], {}, start + timedelta(seconds=period * i), Value=value, **({"StorageResolution": 1} if period < 60 else {}))
        labels[m["id"]] = m["id"]
    for m in case.get("inventory", []):
        for i, value in enumerate(m["values"]):
            if value is not None:
                put(cloudwatch, m["ns"], m["name"], m["dims"], start + timedelta(seconds=period * i), Value=value)
    queries = [{"Id": m["id"], "ReturnData": False, "MetricStat": {
        "Metric": {"Namespace": "App", "MetricName": m["id"]}, "Period": period, "Stat": "Sum"}} for m in case.get("metrics", [])]
    queries += [{"Id": e["id"], "Expression": e["expression"], "ReturnData": e.get("returnData", True), "Period": period} for e in case["expressions"]]

    def ask():
        return cloudwatch.get_metric_data(StartTime=start, EndTime=end, MetricDataQueries=queries)["MetricDataResults"]
    if case["expect"].get("error") is True:
        with pytest.raises(botocore.exceptions.ClientError) as failure:
            ask()
        assert failure.value.response["Error"]["Code"] in ("ValidationError", "ValidationException")
        return
    results = ask()
    assert {r["Id"] for r in results} <= set(case["expect"])
    for name, expected in case["expect"].items():
        got = [on_slots(r, start, period, case["slots"]) for r in results if r["Id"] == name]
        if not expected:
            assert all(v is None for series in got for v in series)
            continue
        assert len(got) == len(expected), name
        for series, want in zip(got, expected):
            assert close(series, want["values"]), (name, series, want)


INSIGHTS = load("metrics_insights/metrics-insights-cases.json")


@pytest.fixture(scope="module")
def inventory(frozen):
    cloudwatch = cloudwatch_at(frozen, DAY + timedelta(minutes=3))
    for m in INSIGHTS["shared"]["inventory"]:
        for slot, values in enumerate(m["samples"]):
            if values:
                put(cloudwatch, m["ns"], m["name"], m["dims"], DAY + timedelta(minutes=slot), Values=values)
    return cloudwatch


@pytest.mark.parametrize("case", INSIGHTS["cases"], ids=lambda c: c["id"])
def test_metrics_insights(frozen, inventory, case):
    if "tag." in case["query"]:
        pytest.skip("tags of resources are a table of the configuration: tests/api/cloudwatch has them")

    def ask():
        return inventory.get_metric_data(StartTime=DAY, EndTime=DAY + timedelta(minutes=3), MetricDataQueries=[
            {"Id": "q", "Expression": case["query"], "Period": 60}])["MetricDataResults"]
    if isinstance(case["expect"], dict) and case["expect"].get("error") is True or case.get("error") is True:
        with pytest.raises(botocore.exceptions.ClientError) as failure:
            ask()
        assert failure.value.response["Error"]["Code"] in ("ValidationError", "ValidationException")
        return
    expected = case["expect"]["series"] if isinstance(case["expect"], dict) else case["expect"]
    results = [r for r in ask() if r["Values"] or expected]
    assert len(results) == len(expected)
    for result, want in zip(results, expected):
        if want.get("label") is not None:
            assert result["Label"] == want["label"]
        assert close(on_slots(result, DAY, 60, 3), want["values"])


def test_a_body_that_inflates_beyond_forty_mebibytes(frozen):
    """41 MiB of blanks in some 40 KB: refused before anything of it is kept."""
    body = gzip.compress(b'{"Namespace":"App",' + b" " * (41 << 20) + b'"MetricData":[]}', 9)
    request = urllib.request.Request(f"{frozen.url}/", data=body, method="POST", headers={
        "Content-Type": "application/x-amz-json-1.0", "Content-Encoding": "gzip", "X-Amz-Target": "GraniteServiceVersion20100801.PutMetricData"})
    with pytest.raises(urllib.error.HTTPError) as failure:
        urllib.request.urlopen(request, timeout=30)
    assert failure.value.code == 413
    assert failure.value.headers["x-amzn-query-error"] == "RequestEntityTooLarge;Sender"
