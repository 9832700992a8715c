"""What the traffic would have cost on AWS: quantities from real calls, the users' table from numbers, prices that change."""
import json
import time

import pytest
from client import Client
from server import Server

HOUR = 3600


def lines(server):
    report = server.control("GET", "usage")
    assert report["currency"] == "USD" and report["since"].endswith("Z")
    assert report["total"] == pytest.approx(sum(line["cost"] for line in report["services"]), abs=1e-8)
    return {(line["service"], line["operation"]): line for line in report["services"]}


def quantity(server, service, operation):
    return lines(server).get((service, operation), {"quantity": 0})["quantity"]


def test_nothing_costs_nothing(fresh):
    report = fresh.server.control("GET", "usage")
    assert report["services"] == [] and report["total"] == 0


def test_log_bytes_by_class_and_bytes_that_queries_scan(fresh):
    logs = fresh("logs")
    text = "x" * 1000
    for group, kind in (("/s", "STANDARD"), ("/i", "INFREQUENT_ACCESS")):
        logs.create_log_group(logGroupName=group, logGroupClass=kind)
        logs.create_log_stream(logGroupName=group, logStreamName="s")
        now = int(time.time() * 1000)
        logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=[{"timestamp": now, "message": text}] * 500)
    got = lines(fresh.server)
    for operation, price in (("PutLogEvents", 0.5), ("PutLogEvents (Infrequent Access)", 0.25)):
        line = got["logs", operation]
        assert line["quantity"] == pytest.approx(500_000 / 2**30, rel=1e-3) and line["unit"] == "GB"
        assert line["cost"] == pytest.approx(line["quantity"] * price, abs=1e-8)
    query = logs.start_query(logGroupName="/s", startTime=int(time.time()) - 60, endTime=int(time.time()) + 60, queryString="stats count(*)")["queryId"]
    while logs.get_query_results(queryId=query)["status"] not in ("Complete", "Failed"):
        time.sleep(0.05)
    assert quantity(fresh.server, "logs", "StartQuery") > 0


def test_the_users_table_month_by_month(fresh):
    """100 custom metrics and 5 alarms, standing for a month: 30.00 and 0.50; a day of them is a thirtieth."""
    server = fresh.server
    server.set_clock("2026-01-01T00:00:00Z")
    server.control("DELETE", "usage")
    cloudwatch = fresh("cloudwatch")
    for i in range(5):
        cloudwatch.put_metric_alarm(AlarmName=f"a{i}", Namespace="N", MetricName="m0", Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold")
    data = [{"MetricName": f"m{i}", "Value": 1.0} for i in range(100)] 
    cloudwatch.put_metric_data(Namespace="N", MetricData=data)
    cloudwatch.put_metric_data(Namespace="AWS/EC2", MetricData=data)  # theirs are free
    got = lines(server)
    assert (got["cloudwatch", "custom metrics"]["now"], got["cloudwatch", "custom metrics"]["monthly"]) == (100, 30.0)
    assert (got["cloudwatch", "alarms"]["now"], got["cloudwatch", "alarms"]["monthly"]) == (5, 0.5)
    assert server.control("GET", "usage")["monthly"] == pytest.approx(30.5)
    for _ in range(24):
        cloudwatch.put_metric_data(Namespace="N", MetricData=data)
        server.advance(HOUR)
    got = lines(server)
    assert got["cloudwatch", "alarms"]["quantity"] == pytest.approx(5 * 24 / 730)
    assert got["cloudwatch", "custom metrics"]["quantity"] == pytest.approx(100 * 24 / 730, rel=0.05)
    assert got["cloudwatch", "API requests"]["quantity"] == pytest.approx(26 / 1000)


def test_alarms_by_kind_and_dashboards(fresh):
    cloudwatch = fresh("cloudwatch")
    plain = dict(Namespace="N", MetricName="m", Statistic="Sum", EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold")
    cloudwatch.put_metric_alarm(AlarmName="standard", Period=60, **plain)
    cloudwatch.put_metric_alarm(AlarmName="fast", Period=10, **plain)
    stat = lambda i: {"Id": i, "ReturnData": False, "MetricStat": {"Metric": {"Namespace": "N", "MetricName": i}, "Period": 60, "Stat": "Sum"}}
    cloudwatch.put_metric_alarm(AlarmName="math", EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold", Metrics=[stat("a"), stat("b"), {"Id": "e", "Expression": "a+b"}])
    cloudwatch.put_composite_alarm(AlarmName="both", AlarmRule="ALARM(standard)")
    cloudwatch.put_dashboard(DashboardName="d", DashboardBody='{"widgets":[]}')
    got = lines(fresh.server)
    assert {operation: line["now"] for (_, operation), line in got.items() if "now" in line and line["service"] == "cloudwatch"} == {
        "alarms": 3, "high-resolution alarms": 1, "composite alarms": 1, "dashboards": 1}
    assert fresh.server.control("GET", "usage")["monthly"] == pytest.approx(3 * 0.1 + 0.3 + 0.5 + 3)


def test_traces_messages_and_reads(fresh):
    now = time.time()
    ids = [f"1-{int(now):08x}-{i:024x}" for i in range(10)]
    fresh("xray").put_trace_segments(TraceSegmentDocuments=[json.dumps({"name": "a", "id": f"{i:016x}", "trace_id": t, "start_time": now - 1, "end_time": now}) for i, t in enumerate(ids)])
    fresh("xray").put_trace_segments(TraceSegmentDocuments=[json.dumps({"name": "b", "id": "00000000000000ff", "trace_id": ids[0], "start_time": now - 1, "end_time": now})])
    fresh("xray").batch_get_traces(TraceIds=ids[:3])
    fresh("xray").get_trace_summaries(StartTime=now - 60, EndTime=now + 60)
    topic = fresh("sns").create_topic(Name="t")["TopicArn"]
    fresh("sns").subscribe(TopicArn=topic, Protocol="sms", Endpoint="+15551230000")
    fresh("sns").publish(TopicArn=topic, Message="m")
    queue = fresh("sqs").create_queue(QueueName="q")["QueueUrl"]
    fresh("sqs").send_message(QueueUrl=queue, MessageBody="m")
    stat = {"Metric": {"Namespace": "N", "MetricName": "m"}, "Period": 60, "Stat": "Sum"}
    fresh("cloudwatch").get_metric_data(StartTime=now - 60, EndTime=now, MetricDataQueries=[{"Id": "a", "MetricStat": stat}, {"Id": "b", "MetricStat": stat}, {"Id": "e", "Expression": "a+b"}])
    deadline = time.monotonic() + 5
    while quantity(fresh.server, "sns", "deliveries sms") < 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    got = {key: line["quantity"] for key, line in lines(fresh.server).items()}
    assert got["xray", "PutTraceSegments"] == pytest.approx(10 / 1e6), "a trace counts once"
    assert got["xray", "BatchGetTraces"] == pytest.approx(3 / 1e6) and got["xray", "GetTraceSummaries"] == pytest.approx(10 / 1e6)
    assert got["sns", "requests"] == pytest.approx(1 / 1e6) and got["sns", "deliveries sms"] == 1
    assert got["sqs", "requests"] == pytest.approx(2 / 1e6)
    assert got["cloudwatch", "GetMetricData"] == pytest.approx(2 / 1000)


def test_prices_are_edited_and_refused(fresh, tmp_path):
    server = fresh.server
    table = server.control("GET", "usage/prices")
    assert {"service": "logs", "operation": "PutLogEvents", "unit": "GB", "price": 0.5, "free": 0} in table["prices"]
    changed = server.control("PUT", "usage/prices", {"currency": "EUR", "prices": [{"service": "sqs", "operation": "requests", "price": 1000000}]})
    assert changed["currency"] == "EUR"
    fresh("sqs").create_queue(QueueName="q")
    assert server.control("GET", "usage")["total"] == pytest.approx(1)
    server.stop()
    server.start()
    assert server.control("GET", "usage")["total"] == pytest.approx(1), "counts and prices survive a restart"
    server.control("DELETE", "usage")
    assert server.control("GET", "usage")["total"] == 0
    for body in ({}, {"prices": [{"service": "x", "operation": "y"}]}, {"prices": [{"service": "sqs", "operation": "requests", "price": -1}]},
                 {"prices": [{"service": "sqs", "operation": "requests", "unit": "GB", "price": 1}]}):
        assert server.http("PUT", "/_fogwatch/usage/prices", json.dumps(body))[0] == 400, body
    assert server.control("GET", "usage/prices")["currency"] == "EUR"
    assert server.control("DELETE", "usage/prices")["currency"] == "USD"
    file = tmp_path / "prices.json"
    file.write_text(json.dumps({"prices": [{"service": "sqs", "operation": "requests", "price": 5, "free": 1}]}))
    with Server(tmp_path / "other", "--price-table", str(file)) as other:
        [row] = [p for p in other.control("GET", "usage/prices")["prices"] if p["service"] == "sqs"]
        assert (row["price"], row["free"]) == (5, 1)
    file.write_text("{")
    with pytest.raises(RuntimeError, match="price table"):
        Server(tmp_path / "bad", "--price-table", str(file)).start()


def test_a_reset_of_data_keeps_the_bill(fresh):
    fresh("sqs").create_queue(QueueName="q")
    fresh.server.control("POST", "reset", {})
    assert quantity(fresh.server, "sqs", "requests") > 0
    Client(fresh.server, "000000000000")
