"""Grafana's CloudWatch and X-Ray data sources, action by action, as they call (ecosystem.md 1.2)."""
import json
import time

import pytest
from botocore.exceptions import ClientError

PREFIX = "fields @timestamp,ltrim(@log) as __log__grafana_internal__,ltrim(@logStream) as __logstream__grafana_internal__|"


def finished(logs, query):
    """Polls as the browser does; an alert rule gives up after eight tries."""
    for _ in range(8):
        answer = logs.get_query_results(queryId=query)
        if answer["status"] not in ("Scheduled", "Running"):
            return answer
        time.sleep(1)
    raise AssertionError("a query must end within eight tries")


def rows(answer):
    return [{field["field"]: field["value"] for field in row} for row in answer["results"]]


def test_save_and_test_on_an_empty_store(aws):
    assert aws("cloudwatch").list_metrics(Namespace="AWS/Billing", MetricName="EstimatedCharges")["Metrics"] == []
    assert aws("logs").describe_log_groups(limit=1)["logGroups"] == []
    assert isinstance(aws("xray").get_groups()["Groups"], list)


def test_opening_the_editor(aws):
    assert len(aws("ec2").describe_regions()["Regions"]) > 10
    assert aws("oam").list_sinks()["Items"] == []
    assert aws("ec2").describe_instances()["Reservations"] == []


@pytest.fixture
def measured(aws):
    now = int(time.time()) // 60 * 60
    data = [{"MetricName": "Latency", "Dimensions": [{"Name": "Model", "Value": model}, {"Name": "Stage", "Value": stage}], "Timestamp": now - 300, "Value": value}
            for model, stage, value in (("gpt", "dev", 1.0), ("gpt", "prod", 2.0), ('a "b"', "dev", 3.0))]
    data.append({"MetricName": "Latency", "Dimensions": [{"Name": "Model", "Value": "gpt"}], "Timestamp": now - 300, "Value": 10.0})
    aws("cloudwatch").put_metric_data(Namespace="AI", MetricData=data)
    return now


def test_drop_downs(aws, measured):
    cloudwatch = aws("cloudwatch")
    assert {m["Namespace"] for m in cloudwatch.list_metrics()["Metrics"]} == {"AI"}
    assert {m["MetricName"] for m in cloudwatch.list_metrics(Namespace="AI")["Metrics"]} == {"Latency"}
    found = cloudwatch.list_metrics(Namespace="AI", MetricName="Latency", Dimensions=[{"Name": "Stage"}])["Metrics"]
    assert len(found) == 3, "by the dimension's name alone"
    assert len(cloudwatch.list_metrics(Namespace="AI", Dimensions=[{"Name": "Stage", "Value": "prod"}])["Metrics"]) == 1


@pytest.mark.parametrize("expression, labels, values", [
    ("REMOVE_EMPTY(SEARCH('{AI,\"Model\",\"Stage\"} MetricName=\"Latency\" \"Stage\"=\"dev\"', 'Average', 300))", 2, {1.0, 3.0}),
    ("REMOVE_EMPTY(SEARCH('{AI,\"Model\",\"Stage\"} MetricName=\"Latency\" \"Stage\"=(\"dev\" OR \"prod\")', 'Average', 300))", 3, {1.0, 2.0, 3.0}),
    ("REMOVE_EMPTY(SEARCH('{AI,\"Model\",\"Stage\"} MetricName=\"Latency\" \"Model\"=\"a \\\\\"b\\\\\"\"', 'Average', 300))", 1, {3.0}),
    ("REMOVE_EMPTY(SEARCH('Namespace=\"AI\" MetricName=\"Latency\" \"Model\"', 'Sum', 300))", 4, {1.0, 2.0, 3.0, 10.0}),
    ('SELECT MAX(Latency) FROM SCHEMA("AI", Model,Stage) GROUP BY Stage', 2, {2.0, 3.0})])
def test_panels_by_search_and_sql(aws, measured, expression, labels, values):
    answer = aws("cloudwatch").get_metric_data(StartTime=measured - 600, EndTime=measured, ScanBy="TimestampAscending",
                                               MetricDataQueries=[{"Id": "queryA", "Expression": expression, "ReturnData": True, **({"Period": 300} if expression.startswith("SELECT") else {})}])
    results = answer["MetricDataResults"]
    assert len(results) == labels and all(r["Id"] == "queryA" and r["Label"] and r["StatusCode"] == "Complete" for r in results)
    assert {v for r in results for v in r["Values"]} == values


def test_a_panel_by_exact_dimensions_and_math(aws, measured):
    stat = {"Metric": {"Namespace": "AI", "MetricName": "Latency", "Dimensions": [{"Name": "Model", "Value": "gpt"}]}, "Period": 60, "Stat": "Maximum"}
    answer = aws("cloudwatch").get_metric_data(StartTime=measured - 600, EndTime=measured, ScanBy="TimestampAscending", MetricDataQueries=[
        {"Id": "a", "MetricStat": stat, "ReturnData": True}, {"Id": "b", "Expression": "a * 2", "ReturnData": True}, {"Id": "c", "Expression": "nosuch + 1", "ReturnData": False}][:2])
    assert {r["Id"]: r["Values"] for r in answer["MetricDataResults"]} == {"a": [10.0], "b": [20.0]}


@pytest.fixture
def logged(aws):
    now = int(time.time() * 1000)
    aws("logs").create_log_group(logGroupName="/ai")
    aws("logs").create_log_stream(logGroupName="/ai", logStreamName="s")
    aws("logs").put_log_events(logGroupName="/ai", logStreamName="s", logEvents=[
        {"timestamp": now - 2000 + i, "message": json.dumps({"level": "ERROR" if i % 2 else "INFO", "n": i})} for i in range(4)])
    return now


def test_logs_panel_context_and_stop(aws, logged):
    logs = aws("logs")
    assert logs.describe_log_groups(logGroupNamePrefix="/ai")["logGroups"]
    assert {f["name"] for f in logs.get_log_group_fields(logGroupName="/ai")["logGroupFields"]} >= {"level", "n", "@message"}
    begin, end = logged // 1000 - 60, logged // 1000 + 61
    query = logs.start_query(logGroupNames=["/ai"], startTime=begin, endTime=end, limit=100, queryString=PREFIX + "fields @message | filter level = 'ERROR' | sort n asc")["queryId"]
    answer = finished(logs, query)
    assert answer["status"] == "Complete"
    found = rows(answer)
    assert [json.loads(r["@message"])["n"] for r in found] == [1, 3]
    assert found[0]["__log__grafana_internal__"] == f"{aws.account}:/ai" and found[0]["__logstream__grafana_internal__"] == "s"
    assert all("@ptr" in r for r in found)
    with pytest.raises(logs.exceptions.InvalidParameterException):
        logs.stop_query(queryId=query)
    context = logs.get_log_events(logGroupName=found[0]["__log__grafana_internal__"].split(":", 1)[1], logStreamName="s", limit=2, startFromHead=False, endTime=logged)
    assert len(context["events"]) == 2


def test_a_panel_of_statistics_and_an_alert_rule(aws, logged):
    logs = aws("logs")
    begin, end = logged // 1000 - 60, logged // 1000 + 61
    query = logs.start_query(logGroupNames=["/ai"], startTime=begin, endTime=end, queryString=PREFIX + "stats count(*) as n by level | sort level asc")["queryId"]
    assert rows(finished(logs, query)) == [{"level": "ERROR", "n": "2"}, {"level": "INFO", "n": "2"}]


@pytest.mark.parametrize("ending", ["", ":*"])
def test_across_accounts_groups_are_named_by_arn(aws, logged, ending):
    logs = aws("logs")
    arn = f"arn:aws:logs:us-east-1:{aws.account}:log-group:/ai{ending}"
    begin, end = logged // 1000 - 60, logged // 1000 + 61
    if ending == "":
        query = logs.start_query(logGroupIdentifiers=[arn], startTime=begin, endTime=end, queryString=PREFIX + "stats count(*) as n")["queryId"]
        assert rows(finished(logs, query)) == [{"n": "4"}]
    else:
        try:  # Grafana cuts the star off; the service refuses it or takes it, but must not answer with a server's error
            logs.start_query(logGroupIdentifiers=[arn], startTime=begin, endTime=end, queryString="limit 1")
        except ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_annotations(aws):
    cloudwatch = aws("cloudwatch")
    topic = f"arn:aws:sns:us-east-1:{aws.account}:t"
    cloudwatch.put_metric_alarm(AlarmName="web-slow", Namespace="N", MetricName="m", Statistic="Average", Period=60, EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold", AlarmActions=[topic])
    cloudwatch.put_metric_alarm(AlarmName="web-math", EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold", Metrics=[
        {"Id": "m", "MetricStat": {"Metric": {"Namespace": "N", "MetricName": "m"}, "Period": 60, "Stat": "Sum"}, "ReturnData": False}, {"Id": "e", "Expression": "m*2"}])
    by_prefix = cloudwatch.describe_alarms(MaxRecords=100, ActionPrefix="arn:aws:sns", AlarmNamePrefix="web")["MetricAlarms"]
    assert [a["AlarmName"] for a in by_prefix] == ["web-slow"]
    assert [by_prefix[0][k] for k in ("Namespace", "MetricName", "Statistic", "Period")] == ["N", "m", "Average", 60]
    [found] = cloudwatch.describe_alarms_for_metric(Namespace="N", MetricName="m", Statistic="Average", Period=60)["MetricAlarms"]
    assert found["AlarmName"] == "web-slow"
    cloudwatch.set_alarm_state(AlarmName="web-slow", StateValue="ALARM", StateReason="r")
    history = cloudwatch.describe_alarm_history(AlarmName="web-slow", StartDate=time.time() - 60, EndDate=time.time() + 60, MaxRecords=100)["AlarmHistoryItems"]
    assert any(item["HistoryItemType"] == "StateUpdate" for item in history)


def test_assuming_a_role(aws):
    answer = aws("sts").assume_role(RoleArn="arn:aws:iam::222233334444:role/grafana", RoleSessionName="grafana", ExternalId="x", DurationSeconds=900)
    assert set(answer["Credentials"]) == {"AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"}


def test_the_x_ray_data_source(aws):
    xray = aws("xray")
    now = time.time()
    trace = f"1-{int(now):08x}-{'0' * 20}{int(aws.account) % 10000:04d}"
    xray.put_trace_segments(TraceSegmentDocuments=[json.dumps({"name": "api", "id": "70de5b6f19ff9a0a", "trace_id": trace, "start_time": now - 2, "end_time": now - 1, "fault": True})])
    assert xray.get_groups()["Groups"] is not None  # health
    found = [s for page in xray.get_paginator("get_trace_summaries").paginate(StartTime=now - 60, EndTime=now + 60) for s in page["TraceSummaries"]]
    assert [s["Id"] for s in found] == [trace]
    quarter = 30
    parts = [xray.get_trace_summaries(StartTime=now - 60 + i * quarter, EndTime=now - 60 + (i + 1) * quarter, Sampling=False)["TraceSummaries"] for i in range(4)]
    assert sum(map(len, parts)) == 1, "four parallel requests see each trace once"
    [whole] = xray.batch_get_traces(TraceIds=[trace])["Traces"]
    assert json.loads(whole["Segments"][0]["Document"])["name"] == "api"
    assert [s["Name"] for s in xray.get_trace_graph(TraceIds=[trace])["Services"] if s.get("Name") == "api"]
    assert any(s.get("Name") == "api" for s in xray.get_service_graph(StartTime=now - 60, EndTime=now + 60)["Services"])
    statistics = xray.get_time_series_service_statistics(StartTime=now - 60, EndTime=now + 60, Period=60)["TimeSeriesServiceStatistics"]
    assert sum(s["EdgeSummaryStatistics"]["FaultStatistics"]["TotalCount"] for s in statistics) == 1
    for group in xray.get_groups()["Groups"] or [{"GroupName": "Default"}]:
        assert xray.get_insight_summaries(GroupName=group["GroupName"], StartTime=now - 60, EndTime=now)["InsightSummaries"] == []
