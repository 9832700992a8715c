"""What happens behind a write, over the wire: metric filters, embedded metrics, subscription filters,
live tail, Lambda's platform lines, account policies, and what survives kill -9."""
import base64
import datetime
import gzip
import json
import pathlib
import sys
import threading
import time

import pytest

from expect import newest_boto, pages, refused, until

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "run"))
from client import Client  # noqa: E402
from server import Server  # noqa: E402
from sink import Sink  # noqa: E402

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:sink"
STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/sink"
ROLE = "arn:aws:iam::000000000000:role/r"


@pytest.fixture
def sink():
    with Sink() as started:
        yield started


@pytest.fixture
def run(tmp_path):
    """Starts servers of the test's own: run("--log-destinations", ...); they end with the test."""
    started = []

    def start(*args):
        server = Server(tmp_path / f"data{len(started)}", *args)
        server.start()
        started.append(server)
        return Client(server, "000000000000")

    yield start
    for server in started:
        server.stop() if server.is_alive() else None


def make(logs, group="/g", *streams):
    logs.create_log_group(logGroupName=group)
    for stream in streams or ("s",):
        logs.create_log_stream(logGroupName=group, logStreamName=stream)


def now_ms(server):
    text = server.control("GET", "clock")["now"].replace("Z", "+00:00")
    return int(datetime.datetime.fromisoformat(text).timestamp() * 1000)


def put(client, messages, group="/g", stream="s", at=None):
    at = now_ms(client.server) if at is None else at
    return client("logs").put_log_events(logGroupName=group, logStreamName=stream,
                                         logEvents=[{"timestamp": at + i, "message": m} for i, m in enumerate(messages)])


def transformation(**more):
    return [{"metricName": "m", "metricNamespace": "app", "metricValue": "1", **more}]


def statistics(client, name="m", namespace="app", stat="Sum", dimensions=(), period=60):
    at = datetime.datetime.fromtimestamp(now_ms(client.server) / 1000, datetime.timezone.utc)
    answer = client("cloudwatch").get_metric_statistics(
        Namespace=namespace, MetricName=name, Period=period, Statistics=[stat], Dimensions=list(dimensions),
        StartTime=at - datetime.timedelta(hours=3), EndTime=at + datetime.timedelta(hours=1))
    return {p["Timestamp"].timestamp(): p[stat] for p in answer["Datapoints"]}


def total(client, *args, **more):
    return sum(statistics(client, *args, **more).values())


def alarm_reaches(client, name, state, seconds=180):
    """Moves the clock until the alarm is in the state."""
    for _ in range(seconds // 10):
        client.server.advance(10)
        alarm = client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"][0]
        if alarm["StateValue"] == state:
            return
    raise AssertionError(alarm)


# ---- metric filters ------------------------------------------------------------------------------------


class TestMetricFilters:
    def test_a_filter_feeds_an_alarm(self, fresh):
        server, logs, cloudwatch = fresh.server, fresh("logs"), fresh("cloudwatch")
        server.set_clock("2026-01-05T12:00:00Z")
        make(logs)
        logs.put_metric_filter(logGroupName="/g", filterName="errors", filterPattern='{ $.level = "ERROR" }',
                               metricTransformations=transformation(defaultValue=0, unit="Count"))
        logs.put_metric_filter(logGroupName="/g", filterName="latency", filterPattern='{ $.ms >= 0 }',
                               metricTransformations=[{"metricName": "ms", "metricNamespace": "app", "metricValue": "$.ms",
                                                       "unit": "Milliseconds", "dimensions": {"Route": "$.route"}}])
        cloudwatch.put_metric_alarm(AlarmName="errors", Namespace="app", MetricName="m", Statistic="Sum", Period=60,
                                    EvaluationPeriods=1, Threshold=3, ComparisonOperator="GreaterThanOrEqualToThreshold", Unit="Count")
        put(fresh, [json.dumps({"level": "INFO", "ms": 5, "route": "/a"})])
        server.advance(60)
        assert list(statistics(fresh).values()) == [0.0], "a minute without a match has the default value"
        put(fresh, [json.dumps({"level": "ERROR", "ms": 20 + i, "route": "/b"}) for i in range(3)])
        alarm_reaches(fresh, "errors", "ALARM")
        assert sorted(statistics(fresh).values()) == [0.0, 3.0], "minutes without events have no sample"
        assert total(fresh, "ms", dimensions=[{"Name": "Route", "Value": "/b"}]) == 20 + 21 + 22
        assert total(fresh, "ms", dimensions=[{"Name": "Route", "Value": "/a"}]) == 5
        assert logs.describe_log_groups()["logGroups"][0]["metricFilterCount"] == 2

    @newest_boto
    def test_describe(self, aws):
        logs = aws("logs")
        for group in ("/b", "/a"):
            make(logs, group)
            for name in ("y", "x"):
                logs.put_metric_filter(logGroupName=group, filterName=name, filterPattern="ERROR",
                                       metricTransformations=transformation(metricName=name, defaultValue=0))
        found = logs.describe_metric_filters()["metricFilters"]
        assert [(f["logGroupName"], f["filterName"]) for f in found] == [("/a", "x"), ("/a", "y"), ("/b", "x"), ("/b", "y")]
        assert found[0]["metricTransformations"] == [{"metricName": "x", "metricNamespace": "app", "metricValue": "1", "defaultValue": 0.0}]
        assert found[0]["applyOnTransformedLogs"] is False and found[0]["creationTime"] > 0
        assert len(logs.describe_metric_filters(metricName="x", metricNamespace="app")["metricFilters"]) == 2
        assert len(logs.describe_metric_filters(logGroupName="/a", filterNamePrefix="x")["metricFilters"]) == 1
        listed = pages(lambda **r: logs.describe_metric_filters(limit=1, **r), "metricFilters", token="nextToken")
        assert [len(page) for page in listed] == [1, 1, 1, 1]
        logs.delete_metric_filter(logGroupName="/a", filterName="x")
        refused(lambda: logs.delete_metric_filter(logGroupName="/a", filterName="x"), "ResourceNotFoundException",
                "The specified metric filter does not exist.")
        logs.delete_log_group(logGroupName="/b")
        assert [f["filterName"] for f in logs.describe_metric_filters()["metricFilters"]] == ["y"]
        make(logs, "/b")
        assert logs.describe_metric_filters(logGroupName="/b")["metricFilters"] == [], "a new group has no filters of an old one"

    ROWS = [  # pattern, transformation, code, beginning of the text
        ("[", {}, "InvalidParameterException", "Invalid metric filter pattern"),
        ("ERROR", {"metricValue": "$.ms"}, "InvalidParameterException", "Invalid metric transformation: the metric value"),
        ("[ip, ms]", {"metricValue": "$user"}, "InvalidParameterException", "Invalid metric transformation: the metric value"),
        ("ERROR", {"dimensions": {"a": "$.b"}}, "InvalidParameterException", "Invalid metric transformation: the value of a dimension"),
        ("{ $.a = * }", {"dimensions": {"a": "$.a"}, "defaultValue": 0}, "InvalidParameterException",
         "Invalid metric transformation: dimensions and default value are mutually exclusive."),
        ("{ $.a = * }", {"dimensions": {n: "$.a" for n in "abcd"}}, "InvalidParameterException",
         "Invalid metric transformation: a metric filter can have at most 3 dimensions."),
        ("ERROR", {"metricName": "a:b"}, "InvalidParameterException", "1 validation error detected: Value 'a:b' at"),
        ("ERROR", {"unit": "Furlongs"}, "InvalidParameterException", "1 validation error detected: Value 'Furlongs' at"),
    ]

    @pytest.mark.parametrize("pattern,more,code,start", ROWS, ids=[f"{r[0]}-{'-'.join(r[1])}" for r in ROWS])
    def test_refusals(self, aws, pattern, more, code, start):
        logs = aws("logs")
        make(logs)
        refused(lambda: logs.put_metric_filter(logGroupName="/g", filterName="f", filterPattern=pattern,
                                               metricTransformations=transformation(**more)), code, start=start, status=400)
        assert logs.describe_metric_filters()["metricFilters"] == []

    @newest_boto
    def test_more_refusals(self, aws):
        logs = aws("logs")
        put_one = {"filterName": "f", "filterPattern": "", "metricTransformations": transformation()}
        refused(lambda: logs.put_metric_filter(logGroupName="/none", **put_one), "ResourceNotFoundException",
                "The specified log group does not exist.")
        logs.create_log_group(logGroupName="/ia", logGroupClass="INFREQUENT_ACCESS")
        refused(lambda: logs.put_metric_filter(logGroupName="/ia", **put_one), "InvalidOperationException")
        make(logs)
        refused(lambda: logs.put_metric_filter(logGroupName="/g", **{**put_one, "metricTransformations": transformation() * 2}),
                "InvalidParameterException", start="1 validation error detected: Value '[MetricTransformation(")
        refused(lambda: logs.describe_metric_filters(metricName="m"), "InvalidParameterException")
        for i in range(5):
            logs.put_metric_filter(logGroupName="/g", **{**put_one, "filterName": f"r{i}", "filterPattern": "%a+%"})
        refused(lambda: logs.put_metric_filter(logGroupName="/g", **{**put_one, "filterPattern": "%a+%"}), "LimitExceededException",
                "Resource limit exceeded.")
        for i in range(95):
            logs.put_metric_filter(logGroupName="/g", **{**put_one, "filterName": f"p{i}"})
        refused(lambda: logs.put_metric_filter(logGroupName="/g", **put_one), "LimitExceededException", "Resource limit exceeded.")

    def test_a_line_of_a_megabyte(self, aws):
        logs = aws("logs")
        make(logs)
        for i, pattern in enumerate(("needle", "{ $.needle = 1 }", "[a, b = needle*]", "%need[l]e%")):
            logs.put_metric_filter(logGroupName="/g", filterName=f"f{i}", filterPattern=pattern,
                                   metricTransformations=transformation(metricName=f"m{i}"))
        pad = "x" * (1_048_000 - 40)
        put(aws, [json.dumps({"pad": pad, "needle": 1})])
        put(aws, [f"{pad} needle"])
        until(lambda: [total(aws, f"m{i}") for i in range(4)] == [2.0, 1.0, 1.0, 2.0])


# ---- embedded metrics ----------------------------------------------------------------------------------


def embedded(at, **members):
    return json.dumps({"_aws": {"Timestamp": at, "CloudWatchMetrics": [
        {"Namespace": "emf", "Dimensions": [["service"], []], "Metrics": [{"Name": "n", "Unit": "Count"}]}]}, "service": "cart", **members})


class TestEmbeddedMetrics:
    def test_values_and_errors(self, fresh):
        server, logs = fresh.server, fresh("logs")
        make(logs)
        at = now_ms(server)
        lines = [embedded(at, n=[1, 2, 3.5]), embedded(at, n="no number"), '{"_aws": {"CloudWatchMetrics": [', "an ordinary line"]
        put(fresh, lines)
        until(lambda: total(fresh, "n", "emf", dimensions=[{"Name": "service", "Value": "cart"}]) == 6.5)
        assert total(fresh, "n", "emf") == 6.5
        events = logs.get_log_events(logGroupName="/g", logStreamName="s", startFromHead=True)["events"]
        assert [e["message"] for e in events] == lines, "every line is kept as it was"
        server.advance(120)
        dimension = [{"Name": "LogGroupName", "Value": "/g"}]
        assert total(fresh, "EMFValidationErrors", "AWS/Logs", dimensions=dimension) == 1
        assert total(fresh, "EMFParsingErrors", "AWS/Logs", dimensions=dimension) == 1
        assert total(fresh, "IncomingLogEvents", "AWS/Logs", dimensions=dimension) == 4
        assert total(fresh, "IncomingLogEvents", "AWS/Logs") == 4

    @newest_boto
    def test_a_policy_switches_it_off(self, aws):
        logs = aws("logs")
        make(logs)
        logs.put_account_policy(policyName="p", policyType="METRIC_EXTRACTION_POLICY", policyDocument='{"Default": "DISABLED"}')
        put(aws, [embedded(now_ms(aws.server), n=1)])
        logs.delete_account_policy(policyName="p", policyType="METRIC_EXTRACTION_POLICY")
        put(aws, [embedded(now_ms(aws.server), n=10)])
        until(lambda: total(aws, "n", "emf") == 10)


# ---- subscription filters ------------------------------------------------------------------------------


def opened(message):
    """What a subscriber finds in a webhook's body."""
    return json.loads(gzip.decompress(base64.b64decode(json.loads(message)["awslogs"]["data"])))


class TestSubscriptionFilters:
    def test_order_through_failures(self, run, sink):
        aws = run("--log-destinations", f"{FUNCTION}={sink.url}")
        logs = aws("logs")
        make(logs)
        logs.put_subscription_filter(logGroupName="/g", filterName="f", filterPattern="", destinationArn=FUNCTION)
        sink.fail_next(2)
        sent = [[f"batch {b} line {i}" for i in range(20)] for b in range(15)]
        for lines in sent:
            put(aws, lines)

        def arrived():
            aws.server.advance(1)
            return len(sink.taken()) >= 15
        until(arrived)
        batches = [opened(body) for body in sink.taken()]
        assert [[e["message"] for e in b["logEvents"]] for b in batches] == sent, "in order, each once"
        assert len(sink.refused) == 2
        first = batches[0]
        assert {k: v for k, v in first.items() if k != "logEvents"} == {
            "messageType": "DATA_MESSAGE", "owner": "000000000000", "logGroup": "/g", "logStream": "s", "subscriptionFilters": ["f"]}
        stored = logs.filter_log_events(logGroupName="/g", limit=1)["events"][0]
        assert first["logEvents"][0] == {"id": stored["eventId"], "timestamp": stored["timestamp"], "message": "batch 0 line 0"}

    @newest_boto
    def test_pattern_columns_and_account_policy(self, run, sink):
        aws = run("--log-destinations", f"{FUNCTION}={sink.url}")
        logs = aws("logs")
        make(logs)
        logs.put_subscription_filter(logGroupName="/g", filterName="f", filterPattern="[ip, user, status = 5*, ...]", destinationArn=FUNCTION)
        logs.put_account_policy(policyName="all", policyType="SUBSCRIPTION_FILTER_POLICY", scope="ALL",
                                policyDocument=json.dumps({"DestinationArn": FUNCTION, "FilterPattern": "zoe"}),
                                selectionCriteria='LogGroupName NOT IN ["/other"]')
        make(logs, "/other")
        put(aws, ["1.2.3.4 ada 500 x y", "1.2.3.4 bob 200 x"])
        put(aws, ["zoe was here"], group="/other")
        put(aws, ["zoe is here"])
        until(lambda: len(sink.taken()) == 2)
        by_filter = {b["subscriptionFilters"][0]: b for b in map(opened, sink.taken())}
        assert by_filter["f"]["logEvents"][0]["extractedFields"] == {"ip": "1.2.3.4", "user": "ada", "status": "500"}
        assert "policyLevel" not in by_filter["f"]
        assert by_filter["all"]["policyLevel"] == "ACCOUNT_LEVEL_POLICY"
        assert by_filter["all"]["logGroup"] == "/g"
        assert "extractedFields" not in by_filter["all"]["logEvents"][0]

    def test_apis_of_lambda_kinesis_and_firehose(self, run, sink):
        firehose = "arn:aws:firehose:us-east-1:000000000000:deliverystream/hose"
        aws = run("--log-destinations", ",".join(f"arn:aws:{s}:=aws+{sink.base}" for s in ("lambda", "kinesis", "firehose")))
        logs = aws("logs")
        make(logs)
        make(logs, "/h")
        logs.put_subscription_filter(logGroupName="/g", filterName="l", filterPattern="", destinationArn=FUNCTION)
        logs.put_subscription_filter(logGroupName="/g", filterName="k", filterPattern="", destinationArn=STREAM, roleArn=ROLE)
        logs.put_subscription_filter(logGroupName="/h", filterName="f", filterPattern="", destinationArn=firehose, roleArn=ROLE)
        put(aws, ["one"])
        put(aws, ["two"], group="/h")
        until(lambda: len(sink.taken()) == 5)
        data = {"Lambda": [], "Kinesis": [], "Firehose": []}
        for request in sink.requests:
            body = json.loads(request.body)
            if request.path == "/2015-03-31/functions/sink/invocations":
                assert request.headers["X-Amz-Invocation-Type"] == "Event"
                data["Lambda"].append(opened(request.body))
            elif request.headers["X-Amz-Target"] == "Kinesis_20131202.PutRecord":
                assert body["StreamName"] == "sink" and body["PartitionKey"]
                data["Kinesis"].append(json.loads(gzip.decompress(base64.b64decode(body["Data"]))))
            else:
                assert request.headers["X-Amz-Target"] == "Firehose_20150804.PutRecord" and body["DeliveryStreamName"] == "hose"
                data["Firehose"].append(json.loads(gzip.decompress(base64.b64decode(body["Record"]["Data"]))))
            assert "AWS4-HMAC-SHA256 Credential=" in request.headers["Authorization"]
        assert [m["messageType"] for m in data["Lambda"]] == ["DATA_MESSAGE"]
        for kind, line in (("Kinesis", "one"), ("Firehose", "two")):
            control, message = data[kind]
            assert control["messageType"] == "CONTROL_MESSAGE" and control["logEvents"][0]["message"].startswith("CWL CONTROL MESSAGE")
            assert message["logEvents"][0]["message"] == line

    def test_a_topic(self, run, sink):
        aws = run()
        logs, sns = aws("logs"), aws("sns")
        make(logs)
        topic = sns.create_topic(Name="t")["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="sms", Endpoint="+15551234567")
        logs.put_subscription_filter(logGroupName="/g", filterName="f", filterPattern="ERROR", destinationArn=topic)
        put(aws, ["fine", "ERROR here"])
        message = until(lambda: aws.server.control("GET", "outbox?protocol=sms")["messages"])[0]
        assert [e["message"] for e in opened(message["message"])["logEvents"]] == ["ERROR here"]

    @newest_boto
    def test_describe_and_refusals(self, aws):
        logs = aws("logs")
        make(logs)
        function = f"arn:aws:lambda:us-east-1:{aws.account}:function:f"
        put_one = {"logGroupName": "/g", "filterName": "f", "filterPattern": "", "destinationArn": function}
        logs.put_subscription_filter(**put_one)
        found = logs.describe_subscription_filters(logGroupName="/g")["subscriptionFilters"]
        assert [{k: v for k, v in f.items() if k != "creationTime"} for f in found] == [
            {"filterName": "f", "logGroupName": "/g", "filterPattern": "", "destinationArn": function, "distribution": "ByLogStream",
             "applyOnTransformedLogs": False}]
        rows = [
            ({"logGroupName": "/none"}, "ResourceNotFoundException", "The specified log group does not exist."),
            ({"destinationArn": STREAM}, "InvalidParameterException", "destinationArn for vendor kinesis cannot be used without roleArn"),
            ({"destinationArn": "arn:aws:lambda:us-east-1:999999999999:function:f"}, "AccessDeniedException",
             "Cross-account lambda invocation passing is not allowed. You must use DestinationPolicies to create cross account lambda triggers."),
            ({"destinationArn": "arn:aws:s3:::bucket"}, "InvalidParameterException",
             "PutSubscriptionFilter operation cannot work with destinationArn for vendor s3"),
            ({"filterPattern": "{"}, "InvalidParameterException", "Invalid metric filter pattern"),
        ]
        for change, code, text in rows:
            refused(lambda: logs.put_subscription_filter(**{**put_one, "filterName": "x", **change}), code, text)
        logs.put_subscription_filter(**{**put_one, "filterName": "second"})
        refused(lambda: logs.put_subscription_filter(**{**put_one, "filterName": "third"}), "LimitExceededException", "Resource limit exceeded.")
        logs.put_subscription_filter(**{**put_one, "filterPattern": "changed"})
        logs.delete_subscription_filter(logGroupName="/g", filterName="f")
        refused(lambda: logs.delete_subscription_filter(logGroupName="/g", filterName="f"), "ResourceNotFoundException",
                "The specified subscription filter does not exist.")

    def test_a_dead_endpoint_for_a_day(self, run, sink):
        aws = run("--log-destinations", f"{FUNCTION}={sink.url}", "--log-queue-mb", "1")
        server, logs = aws.server, aws("logs")
        server.set_clock("2026-01-05T12:00:00Z")
        make(logs)
        logs.put_subscription_filter(logGroupName="/g", filterName="f", filterPattern="", destinationArn=FUNCTION)
        sink.stop_listening()
        import random
        noise = random.Random(1)
        for batch in range(8):  # more than the queue holds, and hardly to be packed
            put(aws, [f"{batch} {i} " + "".join(noise.choices("0123456789abcdefghijklmnopqrstuvwxyz", k=900)) for i in range(400)])
        waiting = until(lambda: (gauge(server, "fogwatch_subscription_waiting_bytes") or 0) > 600_000 and True)
        assert waiting
        size = gauge(server, "fogwatch_subscription_waiting_bytes")
        assert size <= 1 << 20, "the queue is bounded"
        folder = sum(f.stat().st_size for f in (server.data / "spool").rglob("*") if f.is_file())
        assert folder < 20 << 20
        server.advance(86_400 + 600)
        server.advance(120)
        assert gauge(server, "fogwatch_subscription_waiting") == 0, "after a day they are given up"
        assert total_of_day(aws, "DeliveryErrors") == 8
        put(aws, ["later"])
        sink.listen_again()

        def arrived():
            server.advance(300)
            return sink.taken()
        until(arrived)
        assert opened(sink.taken()[-1])["logEvents"][0]["message"] == "later"


def total_of_day(client, name):
    at = datetime.datetime.fromtimestamp(now_ms(client.server) / 1000, datetime.timezone.utc)
    answer = client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Logs", MetricName=name, Period=3600, Statistics=["Sum"], StartTime=at - datetime.timedelta(days=2), EndTime=at,
        Dimensions=[{"Name": "DestinationType", "Value": "Lambda"}, {"Name": "FilterName", "Value": "f"}, {"Name": "LogGroupName", "Value": "/g"}])
    return sum(p["Sum"] for p in answer["Datapoints"])


def gauge(server, name):
    for line in server.http("GET", "/metrics")[2].decode().splitlines():
        if line.startswith(name + " "):
            return float(line.split()[1])
    return None


# ---- kill -9 ----------------------------------------------------------------------------------------------


class TestCrash:
    def test_nothing_acknowledged_is_lost(self, run, sink):
        aws = run("--log-destinations", f"{FUNCTION}={sink.url}")
        server, logs = aws.server, aws("logs")
        make(logs)
        logs.put_metric_filter(logGroupName="/g", filterName="m", filterPattern="ERROR", metricTransformations=transformation())
        logs.put_subscription_filter(logGroupName="/g", filterName="f", filterPattern="ERROR", destinationArn=FUNCTION)
        sent, rounds = [], 4
        for round_ in range(rounds):
            stopping = threading.Event()

            def write(round_=round_):
                client = aws("logs")
                for i in range(10_000):
                    line = f"ERROR {round_}-{i}"
                    try:
                        client.put_log_events(logGroupName="/g", logStreamName="s",
                                              logEvents=[{"timestamp": int(time.time() * 1000), "message": line}])
                    except Exception:  # the server was killed under the call
                        return
                    sent.append(line)
                    if stopping.is_set():
                        return
            writer = threading.Thread(target=write)
            writer.start()
            time.sleep(0.4)
            server.kill()
            stopping.set()
            writer.join()
            server.start()
        assert len(sent) > rounds * 5

        def delivered():
            return {e["message"] for body in sink.taken() for e in opened(body)["logEvents"]} >= set(sent)
        until(delivered, 60)
        lines = [e["message"] for body in sink.taken() for e in opened(body)["logEvents"]]
        seen = list(dict.fromkeys(lines))
        wanted = set(sent)
        assert [line for line in seen if line in wanted] == sent, "in order"
        stored = {e["message"] for page in aws("logs").get_paginator("filter_log_events").paginate(logGroupName="/g") for e in page["events"]}
        until(lambda: total(aws) >= len(stored))
        assert total(aws) <= len(stored) + rounds * 20, "doubled beyond the last moments before a crash"


# ---- live tail ----------------------------------------------------------------------------------------------


def tail(aws, **request):
    """Starts a session; returns its events as they come, on a thread."""
    stream = aws("logs", inject_host_prefix=False).start_live_tail(**request)["responseStream"]
    got, arrived = [], threading.Condition()

    def read():
        try:
            for event in stream:
                with arrived:
                    got.append((time.monotonic(), event))
                    arrived.notify_all()
        except Exception as e:  # ended by an exception of the model
            with arrived:
                got.append((time.monotonic(), {"error": e}))
                arrived.notify_all()
    threading.Thread(target=read, daemon=True).start()

    def wait(wanted, seconds=10):
        deadline = time.monotonic() + seconds
        with arrived:
            while True:
                for at, event in got:
                    if wanted(event):
                        return at, event
                assert arrived.wait(max(0, deadline - time.monotonic())) or time.monotonic() < deadline, got
    return wait, got, stream


def lines_of(event):
    return [r["message"] for r in event.get("sessionUpdate", {}).get("sessionResults", [])]


newer_boto = pytest.mark.skipif(not hasattr(__import__("botocore.config").config.Config, "OPTION_DEFAULTS")
                                or "inject_host_prefix" not in __import__("botocore.config").config.Config.OPTION_DEFAULTS,
                                reason="this botocore cannot leave the host prefix out")


@newest_boto
@newer_boto
class TestLiveTail:
    def test_three_groups_and_a_pattern(self, aws):
        logs = aws("logs")
        groups = ["/a", "/b", "/c"]
        for group in groups:
            make(logs, group)
        arns = [f"arn:aws:logs:us-east-1:{aws.account}:log-group:{group}" for group in groups]
        wait, got, stream = tail(aws, logGroupIdentifiers=arns, logEventFilterPattern="ERROR")
        _, start = wait(lambda e: "sessionStart" in e)
        assert start["sessionStart"]["logGroupIdentifiers"] == arns
        assert start["sessionStart"]["logEventFilterPattern"] == "ERROR" and start["sessionStart"]["sessionId"]
        late = []
        for group in groups * 3:
            begun = time.monotonic()
            put(aws, ["fine", f"ERROR {group} {begun}"], group=group)
            at, event = wait(lambda e: f"ERROR {group} {begun}" in lines_of(e))
            late.append(at - begun)
            result = event["sessionUpdate"]["sessionResults"][-1]
            assert result["logStreamName"] == "s" and result["logGroupIdentifier"] == f"{aws.account}:{group}"
        assert min(late) < 0.3 and sorted(late)[len(late) // 2] < 0.3, late
        assert not any("fine" in lines_of(e) for _, e in got)
        wait(lambda e: "sessionUpdate" in e and not lines_of(e))  # every second, also without lines
        stream.close()

    def test_streams(self, aws):
        logs = aws("logs")
        make(logs, "/g", "app-1", "app-2", "db")
        by_name, _, first = tail(aws, logGroupIdentifiers=["/g"], logStreamNames=["db"])
        by_prefix, got, second = tail(aws, logGroupIdentifiers=["/g"], logStreamNamePrefixes=["app-"])
        for wait in (by_name, by_prefix):
            wait(lambda e: "sessionStart" in e)
        for stream in ("app-1", "app-2", "db"):
            put(aws, [f"from {stream}"], stream=stream)
        by_name(lambda e: "from db" in lines_of(e))
        by_prefix(lambda e: "from app-2" in lines_of(e))
        assert not any("from db" in lines_of(e) for _, e in got)
        first.close()
        second.close()

    def test_sampling(self, aws):
        make(aws("logs"))
        wait, got, stream = tail(aws, logGroupIdentifiers=["/g"])
        wait(lambda e: "sessionStart" in e)
        for _ in range(3):
            put(aws, [f"line {i}" for i in range(3000)])
        wait(lambda e: e.get("sessionUpdate", {}).get("sessionMetadata", {}).get("sampled"))
        time.sleep(1.2)
        assert max(len(lines_of(e)) for _, e in got) <= 500
        assert sum(len(lines_of(e)) for _, e in got) <= 2000
        stream.close()

    def test_refusals(self, aws):
        logs = aws("logs", inject_host_prefix=False)
        for group in ("/a", "/b"):
            make(logs, group)
        rows = [
            ({"logGroupIdentifiers": ["/none"]}, "ResourceNotFoundException", "The specified log group does not exist."),
            ({"logGroupIdentifiers": ["/a"], "logStreamNames": ["s"], "logStreamNamePrefixes": ["s"]}, "InvalidParameterException",
             "Only one of logStreamNames or logStreamNamePrefixes can be provided."),
            ({"logGroupIdentifiers": ["/a", "/b"], "logStreamNames": ["s"]}, "InvalidParameterException",
             "logStreamNames and logStreamNamePrefixes can only be used with a single log group."),
            ({"logGroupIdentifiers": ["/a"], "logEventFilterPattern": "["}, "InvalidParameterException", "Invalid metric filter pattern"),
        ]
        for request, code, text in rows:
            refused(lambda: logs.start_live_tail(**request), code, text)
        logs.create_log_group(logGroupName="/ia", logGroupClass="INFREQUENT_ACCESS")
        refused(lambda: logs.start_live_tail(logGroupIdentifiers=["/ia"]), "InvalidOperationException")

    def test_a_session_ends_after_three_hours(self, fresh):
        make(fresh("logs"))
        wait, _, _ = tail(fresh, logGroupIdentifiers=["/g"])
        wait(lambda e: "sessionStart" in e)
        fresh.server.advance(3 * 3600)
        _, event = wait(lambda e: "error" in e)
        assert "SessionTimeoutException" in str(event["error"])

    def test_too_many_sessions(self, run):
        aws = run("--live-tail-sessions", "2")
        make(aws("logs"))
        streams = [tail(aws, logGroupIdentifiers=["/g"]) for _ in range(2)]
        for wait, _, _ in streams:
            wait(lambda e: "sessionStart" in e)
        refused(lambda: aws("logs", inject_host_prefix=False).start_live_tail(logGroupIdentifiers=["/g"]), "LimitExceededException",
                "Resource limit exceeded.")


# ---- Lambda without Lambda --------------------------------------------------------------------------------


REQUEST = "f612fbaf-65ce-4fd2-8d1b-6718fcb0b2%02d"


def invocation(number, ms, error=None):
    request = REQUEST % number
    lines = [f"START RequestId: {request} Version: $LATEST\n"]
    if error:
        lines.append(error)
    lines += [f"END RequestId: {request}\n",
              f"REPORT RequestId: {request}\tDuration: {ms} ms\tBilled Duration: {int(ms) + 1} ms\tMemory Size: 512 MB\tMax Memory Used: 70 MB\t\n"]
    return lines


class TestLambda:
    def test_the_alarm_on_errors(self, fresh):
        server, logs, cloudwatch = fresh.server, fresh("logs"), fresh("cloudwatch")
        server.set_clock("2026-01-05T12:00:00Z")
        make(logs, "/aws/lambda/orders", "2026/01/05/[$LATEST]abc")
        cloudwatch.put_metric_alarm(AlarmName="orders-errors", Namespace="AWS/Lambda", MetricName="Errors", Statistic="Sum", Period=60,
                                    Dimensions=[{"Name": "FunctionName", "Value": "orders"}], EvaluationPeriods=1, Threshold=1,
                                    ComparisonOperator="GreaterThanOrEqualToThreshold", TreatMissingData="notBreaching")
        where = {"group": "/aws/lambda/orders", "stream": "2026/01/05/[$LATEST]abc"}
        put(fresh, invocation(1, 2.5), **where)
        alarm_reaches(fresh, "orders-errors", "OK")
        put(fresh, invocation(2, 7.5, "[ERROR] ValueError: no such order\nTraceback (most recent call last):\n"), **where)
        alarm_reaches(fresh, "orders-errors", "ALARM")
        dimensions = [{"Name": "FunctionName", "Value": "orders"}]
        sums = {name: total(fresh, name, "AWS/Lambda", dimensions=dimensions)
                for name in ("Invocations", "Errors", "Duration", "Throttles", "ConcurrentExecutions")}
        assert sums == {"Invocations": 2, "Errors": 1, "Duration": 10, "Throttles": 0, "ConcurrentExecutions": 2}
        assert max(statistics(fresh, "MaxMemoryUsed", "Fogwatch/Lambda", dimensions=dimensions, stat="Maximum").values()) == 70

    def test_the_switch(self, run):
        aws = run("--lambda-metrics", "false")
        make(aws("logs"), "/aws/lambda/f")
        put(aws, invocation(1, 1), group="/aws/lambda/f")
        aws.server.advance(120)
        names = {m["MetricName"] for m in aws("cloudwatch").list_metrics()["Metrics"] if m["Namespace"] == "AWS/Lambda"}
        assert names == set()
