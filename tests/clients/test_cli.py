"""The AWS CLI as people type it: the distribution's (query protocol, --endpoint-url) and the newest from PyPI (JSON)."""
import json
import pathlib
import shutil
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DISTRIBUTION = not str(sys.executable).startswith(str(ROOT))
PROGRAM = "/usr/bin/aws" if DISTRIBUTION else str(ROOT / "build/venv/bin/aws")
pytestmark = pytest.mark.skipif(not shutil.which(PROGRAM), reason=f"no {PROGRAM} on this machine")


@pytest.fixture
def cli(aws):
    def run(line, *more, ok=True):
        command = [PROGRAM, "--endpoint-url", aws.server.url, "--output", "json", *line.split(), *more]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=aws.environment, check=False)
        if not ok:
            assert done.returncode in (254, 255), done.stderr
            return done.stderr.strip()
        assert done.returncode == 0, (command, done.stderr)
        return json.loads(done.stdout) if done.stdout.strip() else None
    run.account = aws.account
    return run


def test_metrics_and_alarms(cli):
    stamp = time.strftime("%Y-%m-%dT%H:%M:00Z", time.gmtime(time.time() - 300))
    cli(f"cloudwatch put-metric-data --namespace App --metric-name Latency --value 250 --unit Milliseconds --dimensions Model=gpt-4 --timestamp {stamp}")
    [metric] = cli("cloudwatch list-metrics --namespace App")["Metrics"]
    assert metric == {"Namespace": "App", "MetricName": "Latency", "Dimensions": [{"Name": "Model", "Value": "gpt-4"}]}
    end = time.strftime("%Y-%m-%dT%H:%M:00Z", time.gmtime(time.time() + 60))
    points = cli(f"cloudwatch get-metric-statistics --namespace App --metric-name Latency --dimensions Name=Model,Value=gpt-4 "
                 f"--start-time {stamp} --end-time {end} --period 60 --statistics Average Maximum")["Datapoints"]
    assert [(p["Average"], p["Maximum"], p["Unit"]) for p in points] == [(250.0, 250.0, "Milliseconds")]
    topic = f"arn:aws:sns:us-east-1:{cli.account}:ops"
    cli("cloudwatch put-metric-alarm --alarm-name ai-high-latency --metric-name Latency --namespace App --statistic Average --period 300 "
        f"--threshold 1000 --comparison-operator GreaterThanThreshold --evaluation-periods 2 --dimensions Name=Model,Value=gpt-4 --alarm-actions {topic}")
    [alarm] = cli("cloudwatch describe-alarms --alarm-names ai-high-latency")["MetricAlarms"]
    assert (alarm["Threshold"], alarm["AlarmActions"]) == (1000.0, [topic])
    cli("cloudwatch set-alarm-state --alarm-name ai-high-latency --state-value ALARM --state-reason drill")
    history = cli("cloudwatch describe-alarm-history --alarm-name ai-high-latency --history-item-type StateUpdate")
    assert any(h["HistorySummary"].endswith("to ALARM") for h in history["AlarmHistoryItems"])
    cli("cloudwatch delete-alarms --alarm-names ai-high-latency")
    assert cli("cloudwatch describe-alarms")["MetricAlarms"] == []


def test_logs(cli):
    cli("logs create-log-group --log-group-name /cli --tags team=a")
    cli("logs create-log-stream --log-group-name /cli --log-stream-name s")
    now = int(time.time() * 1000)
    cli("logs put-log-events --log-group-name /cli --log-stream-name s --log-events",
        json.dumps([{"timestamp": now - 1, "message": "h\u00e9llo ERROR"}, {"timestamp": now, "message": "two"}]))
    assert [e["message"] for e in cli("logs get-log-events --log-group-name /cli --log-stream-name s")["events"]] == ["h\u00e9llo ERROR", "two"]
    assert [e["message"] for e in cli("logs filter-log-events --log-group-name /cli --filter-pattern ERROR")["events"]] == ["h\u00e9llo ERROR"]
    assert cli("logs list-tags-log-group --log-group-name /cli")["tags"] == {"team": "a"}
    query = cli(f"logs start-query --log-group-name /cli --start-time {now // 1000 - 60} --end-time {now // 1000 + 60} --query-string",
                "stats count() as n")["queryId"]
    for _ in range(50):
        answer = cli(f"logs get-query-results --query-id {query}")
        if answer["status"] == "Complete":
            break
    assert answer["results"] == [[{"field": "n", "value": "2"}]]


def test_sns_and_xray(cli):
    topic = cli("sns create-topic --name ops")["TopicArn"]
    assert cli(f"sns publish --topic-arn {topic} --message hello")["MessageId"]
    assert cli(f"sns subscribe --topic-arn {topic} --protocol email --notification-endpoint a@example.org")["SubscriptionArn"] == "pending confirmation"
    now = time.time()
    document = {"name": "cli", "id": "70de5b6f19ff9a0a", "trace_id": f"1-{int(now):08x}-a006649127e371903a2de979", "start_time": now - 1, "end_time": now}
    assert cli("xray put-trace-segments --trace-segment-documents", json.dumps(document))["UnprocessedTraceSegments"] == []
    found = cli(f"xray get-trace-summaries --start-time {int(now) - 60} --end-time {int(now) + 60}")["TraceSummaries"]
    assert [s["Id"] for s in found] == [document["trace_id"]]
    assert cli("sts get-caller-identity")["Account"] == cli.account


def test_errors_read_as_from_aws(cli):
    assert cli("logs get-log-events --log-group-name none --log-stream-name s", ok=False).endswith(
        "An error occurred (ResourceNotFoundException) when calling the GetLogEvents operation: The specified log group does not exist.")
    assert cli("sns publish --message x --topic-arn", f"arn:aws:sns:us-east-1:{cli.account}:none", ok=False).endswith(
        "An error occurred (NotFound) when calling the Publish operation: Topic does not exist")
    assert "(ResourceNotFound)" in cli("cloudwatch get-dashboard --dashboard-name none", ok=False)
