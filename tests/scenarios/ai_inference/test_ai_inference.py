"""The program of the foundation: an AI inference service and everything its people expect to see.

One story in order; each test is a chapter that stands on the ones before. `program.py` is the user's
program, unmodified by being tested here; the alarms are made with the AWS CLI.
"""
import datetime as dt
import json
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests/run"), str(ROOT / "tests/clients")]
from client import REGION, Client  # noqa: E402
from expect import token_in, until  # noqa: E402
from program import LOG_GROUP, LOG_STREAM, NAMESPACE, REQUESTS, SERVICE  # noqa: E402
from server import Server  # noqa: E402
from subscriber import Subscriber  # noqa: E402

ACCOUNT = "000000000000"
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION, "AWS_PAGER": "",
               "AWS_EC2_METADATA_DISABLED": "true", "PATH": f"{ROOT}/build/venv/bin:/usr/bin:/bin"}
ALARMS = [
    "--alarm-name ai-high-latency --metric-name InferenceLatency --namespace AIDevOps --statistic Average --period 300 --threshold 1000 "
    "--comparison-operator GreaterThanThreshold --evaluation-periods 2 --dimensions Name=ModelName,Value=gpt-4",
    "--alarm-name ai-pipeline-errors --metric-name PipelineError --namespace AIDevOps --statistic Sum --period 300 --threshold 5 "
    "--comparison-operator GreaterThanThreshold --evaluation-periods 1 --dimensions Name=Environment,Value=production",
    "--alarm-name ai-high-cost --metric-name InferenceCost --namespace AIDevOps --statistic Sum --period 3600 --threshold 100 "
    "--comparison-operator GreaterThanThreshold --evaluation-periods 1 --dimensions Name=ModelName,Value=gpt-4 --treat-missing-data notBreaching",
]


class Story:
    """What the chapters share."""


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    told = Story()
    with Subscriber() as told.subscriber, Server(tmp_path_factory.mktemp("ai") / "data") as told.server:
        told.connect = lambda: [Client(told.server, ACCOUNT)(name) for name in ("logs", "cloudwatch", "xray", "sns")]
        told.logs, told.cloudwatch, told.xray, told.sns = told.connect()
        yield told


def environment(story):
    return {**ENVIRONMENT, "AWS_ENDPOINT_URL": story.server.url, "AWS_XRAY_DAEMON_ADDRESS": story.server.xray}


def run(story, *command):
    done = subprocess.run([str(word) for word in command], env=environment(story), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def query(story, text):
    end = int(story.now.timestamp()) + 3600
    started = story.logs.start_query(logGroupName=LOG_GROUP, startTime=end - 2 * 86400, endTime=end, queryString=text)
    answer = until(lambda: (a := story.logs.get_query_results(queryId=started["queryId"]))["status"] == "Complete" and a)
    return [{cell["field"]: cell["value"] for cell in row if cell["field"] != "@ptr"} for row in answer["results"]]


def test_01_topic_with_two_confirmed_subscriptions(story):
    story.topic = story.sns.create_topic(Name="ai-alerts")["TopicArn"]
    story.sns.subscribe(TopicArn=story.topic, Protocol="email", Endpoint="oncall@example.org")
    story.sns.subscribe(TopicArn=story.topic, Protocol="http", Endpoint=story.subscriber.url)
    asked = story.subscriber.wait(lambda m: m.type == "SubscriptionConfirmation")
    story.sns.confirm_subscription(TopicArn=story.topic, Token=asked.body["Token"])
    [mail] = until(lambda: story.server.outbox(protocol="email"))
    story.sns.confirm_subscription(TopicArn=story.topic, Token=token_in(mail))
    found = story.sns.list_subscriptions_by_topic(TopicArn=story.topic)["Subscriptions"]
    assert sorted(s["Protocol"] for s in found) == ["email", "http"]
    assert all(s["SubscriptionArn"].startswith(story.topic + ":") for s in found)


def test_02_alarms_made_with_the_cli(story):
    for line in ALARMS:
        run(story, "aws", "cloudwatch", "put-metric-alarm", *line.split(), "--alarm-actions", story.topic)
    alarms = story.cloudwatch.describe_alarms()["MetricAlarms"]
    assert [a["AlarmName"] for a in alarms] == ["ai-high-cost", "ai-high-latency", "ai-pipeline-errors"]
    assert all(a["AlarmActions"] == [story.topic] for a in alarms)


def test_03_the_program_runs(story):
    story.traces = json.loads(run(story, sys.executable, pathlib.Path(__file__).with_name("program.py")))
    assert len(story.traces) == len(REQUESTS)
    story.now = dt.datetime.now(dt.timezone.utc)


def check_log_lines(story):
    events = story.logs.get_log_events(logGroupName=LOG_GROUP, logStreamName=LOG_STREAM, startFromHead=True)["events"]
    assert [json.loads(e["message"])["trace_id"] for e in events] == story.traces
    found = story.logs.filter_log_events(logGroupName=LOG_GROUP, filterPattern=f'"{story.traces[2]}"')["events"]
    assert len(found) == 1


def test_04_log_lines(story):
    check_log_lines(story)


def check_metrics(story, later=()):
    """`later`: values that the alarm's chapter added for gpt-4."""
    names = {m["MetricName"] for m in story.cloudwatch.list_metrics(Namespace=NAMESPACE)["Metrics"]}
    assert names == {"InferenceLatency", "TokensUsed", "InferenceCount", "InferenceCost", "PipelineSuccess", "PipelineError"}
    points = story.cloudwatch.get_metric_statistics(
        Namespace=NAMESPACE, MetricName="InferenceLatency", Dimensions=[{"Name": "ModelName", "Value": "gpt-4"}], Period=3600,
        StartTime=story.now - dt.timedelta(hours=1), EndTime=story.now + dt.timedelta(hours=1), Statistics=["Average", "SampleCount"])["Datapoints"]
    count = sum(p["SampleCount"] for p in points)
    values = [1800, 2200, 1400, *later]
    assert count == len(values) and sum(p["Average"] * p["SampleCount"] for p in points) == pytest.approx(sum(values))


def test_05_metrics(story):
    check_metrics(story)


def check_queries(story):
    bins = query(story, "filter ispresent(latency_ms) | stats avg(latency_ms) as avg_latency by bin(5m)")
    assert 1 <= len(bins) <= 2 and all(set(row) == {"bin(5m)", "avg_latency"} for row in bins)
    if len(bins) == 1:
        assert float(bins[0]["avg_latency"]) == pytest.approx(sum(r[1] for r in REQUESTS) / len(REQUESTS), abs=0.001)
    errors = query(story, 'filter level = "ERROR" | stats count() by error_type')
    assert sorted((row["error_type"], row["count()"]) for row in errors) == [("RateLimitError", "1"), ("TimeoutError", "1")]
    tokens = query(story, "filter ispresent(model) | stats sum(tokens) as total_tokens by model")
    assert sorted((row["model"], row["total_tokens"]) for row in tokens) == [("claude-3", "900"), ("gpt-4", "2300")]
    cost = query(story, "filter ispresent(cost) | stats sum(cost) as total_cost by bin(1h)")
    assert sum(float(row["total_cost"]) for row in cost) == pytest.approx(sum(r[3] for r in REQUESTS))


def test_06_four_insights_queries(story):
    check_queries(story)


def check_traces(story):
    window = {"StartTime": story.now - dt.timedelta(minutes=10), "EndTime": story.now + dt.timedelta(minutes=10)}
    find = lambda text: {t["Id"] for t in story.xray.get_trace_summaries(FilterExpression=text, **window)["TraceSummaries"]}
    of_model = {i for i, request in zip(story.traces, REQUESTS) if request[0] == "gpt-4"}
    until(lambda: find('annotation.model_name = "gpt-4"') == of_model)
    until(lambda: find(f'service("{SERVICE}") AND responsetime > 0.1') == set(story.traces))
    documents = [json.loads(s["Document"]) for t in story.xray.batch_get_traces(TraceIds=story.traces[:1])["Traces"] for s in t["Segments"]]
    [own] = [d for d in documents if d["name"] == SERVICE]
    assert own["metadata"]["ai"]["request"] == {"tokens": 900, "cost": 0.027}
    [preprocess] = [s for s in own["subsegments"] if s["name"] == "preprocess"]
    assert preprocess["subsegments"][0]["name"] == "tokenize"


def test_07_traces_by_annotation_and_response_time(story):
    check_traces(story)


def check_service_graph(story):
    services = story.xray.get_service_graph(StartTime=story.now - dt.timedelta(minutes=10), EndTime=story.now + dt.timedelta(minutes=10))["Services"]
    nodes = {(s["Name"], s.get("Type")): s for s in services}
    assert set(nodes) == {(SERVICE, None), (SERVICE, "client"), ("model-call", "remote")}
    assert nodes[SERVICE, None]["SummaryStatistics"]["TotalCount"] == len(REQUESTS)
    assert nodes[SERVICE, None]["SummaryStatistics"]["ErrorStatistics"]["TotalCount"] == 2


def test_08_service_graph(story):
    check_service_graph(story)


def alarm(story, name):
    [found] = story.cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return found


def test_09_the_alarm_fires_when_time_goes_on(story):
    """Two slow periods of five minutes: the second one is put while the test moves the clock."""
    stamp = dt.datetime.now(dt.timezone.utc).replace(microsecond=0)
    story.server.set_clock(stamp.isoformat().replace("+00:00", "Z"))
    for _ in range(3):
        story.cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=[
            {"MetricName": "InferenceLatency", "Value": 2500, "Unit": "Milliseconds", "Dimensions": [{"Name": "ModelName", "Value": "gpt-4"}]}])
        story.server.advance(240)
    found = alarm(story, "ai-high-latency")
    assert found["StateValue"] == "ALARM", found["StateReason"]
    assert found["StateReason"].startswith("Threshold Crossed: 2 datapoints [")
    assert alarm(story, "ai-pipeline-errors")["StateValue"] != "ALARM"


def test_10_the_notification_reached_both(story):
    got = story.subscriber.wait(lambda m: m.type == "Notification")
    assert got.body["Subject"] == 'ALARM: "ai-high-latency" in US East (N. Virginia)'
    message = json.loads(got.body["Message"])
    assert (message["AlarmName"], message["NewStateValue"], message["AWSAccountId"]) == ("ai-high-latency", "ALARM", ACCOUNT)
    assert message["Trigger"]["MetricName"] == "InferenceLatency" and message["Trigger"]["Statistic"] == "AVERAGE"
    assert message["Trigger"]["Dimensions"] == [{"value": "gpt-4", "name": "ModelName"}]
    check_mail(story)


def check_mail(story):
    [mail] = until(lambda: [m for m in story.server.outbox(protocol="email") if m["subject"] == 'ALARM: "ai-high-latency" in US East (N. Virginia)'])
    assert mail["endpoint"] == "oncall@example.org"
    assert mail["message"].startswith('You are receiving this email because your Amazon CloudWatch Alarm "ai-high-latency" in the US East (N. Virginia) region')


def test_11_everything_is_still_there_after_kill_9(story):
    story.server.kill()
    story.server.start()
    story.logs, story.cloudwatch, story.xray, story.sns = story.connect()
    check_log_lines(story)
    check_metrics(story, later=[2500] * 3)
    check_queries(story)
    check_traces(story)
    check_service_graph(story)
    assert alarm(story, "ai-high-latency")["StateValue"] == "ALARM"
    history = story.cloudwatch.describe_alarm_history(AlarmName="ai-high-latency")["AlarmHistoryItems"]
    assert {h["HistoryItemType"] for h in history} >= {"ConfigurationUpdate", "StateUpdate", "Action"}
    found = story.sns.list_subscriptions_by_topic(TopicArn=story.topic)["Subscriptions"]
    assert sorted(s["Protocol"] for s in found) == ["email", "http"]
    check_mail(story)
