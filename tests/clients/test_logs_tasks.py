"""Logs: what runs by itself on the server's clock: exports, scheduled queries, anomaly detectors."""
import gzip
import http.server
import json
import pathlib
import threading
import urllib.request

import pytest
from client import Client
from expect import newest_boto, refused, until
from server import Server

GROUP = "/tasks"
START = 1_750_000_000_000  # virtual time of these tests, ms
ROLE = "arn:aws:iam::111122223333:role/r"


class Bucket(http.server.BaseHTTPRequestHandler):
    """An S3-compatible endpoint that keeps what is put."""
    objects, headers_seen, delay = {}, [], None

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.delay is not None:
            self.delay.wait(20)
        Bucket.objects[self.path] = body
        Bucket.headers_seen.append(dict(self.headers))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def bucket():
    Bucket.objects, Bucket.headers_seen, Bucket.delay = {}, [], None
    endpoint = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    threading.Thread(target=endpoint.serve_forever, daemon=True).start()
    yield endpoint.server_address[1]
    endpoint.shutdown()


@pytest.fixture
def aws(tmp_path, bucket):
    with Server(tmp_path / "data", "--export-root", str(tmp_path / "buckets"),
                "--log-destinations", f"arn:aws:s3:::remote=http://127.0.0.1:{bucket}/remote") as started:
        client = Client(started, "000000000000")
        client.buckets = tmp_path / "buckets"
        control(client, "PUT", "clock", {"now": "2025-06-15T15:06:40Z", "rate": 0})
        yield client


def control(client, method, path, body=None):
    request = urllib.request.Request(f"{client.server.url}/_fogwatch/{path}", method=method,
                                     data=None if body is None else json.dumps(body).encode())
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read() or b"{}")


def advance(client, seconds):
    control(client, "POST", "clock/advance", {"seconds": seconds})


def fill(logs, lines, stream="2025/06/[1]a", group=GROUP, at=START - 60_000):
    try:
        logs.create_log_group(logGroupName=group)
    except logs.exceptions.ResourceAlreadyExistsException:
        pass
    try:
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
    except logs.exceptions.ResourceAlreadyExistsException:
        pass
    logs.put_log_events(logGroupName=group, logStreamName=stream,
                        logEvents=[{"timestamp": at + i, "message": line} for i, line in enumerate(lines)])


# ---- exports ------------------------------------------------------------------------------------------

def task(logs, task_id):
    return logs.describe_export_tasks(taskId=task_id)["exportTasks"][0]


def finished(logs, task_id, code="COMPLETED"):
    return until(lambda: (t := task(logs, task_id))["status"]["code"] == code and t)


def test_export_writes_the_exact_lines_in_awss_layout(aws):
    logs = aws("logs")
    fill(logs, ["one", "two \u00fc", "three\nlines"])
    fill(logs, ["other"], stream="b")
    fill(logs, ["not exported"], stream="z", at=START - 600_000)
    made = logs.create_export_task(taskName="t", logGroupName=GROUP, fromTime=START - 60_000, to=START, destination="bucket",
                                   destinationPrefix="pre")["taskId"]
    done = finished(logs, made)
    assert done["executionInfo"]["completionTime"] == START and done["destinationPrefix"] == "pre" and done["taskName"] == "t"
    folder = aws.buckets / "bucket" / "pre"
    assert (folder / "aws-logs-write-test").read_text() == "Permission Check Successful"
    found = {str(p.relative_to(folder / made)): gzip.decompress(p.read_bytes()).decode() for p in (folder / made).rglob("*.gz")}
    assert found == {
        "2025-06-[1]a/000000.gz": "2025-06-15T15:05:40.000Z one\n2025-06-15T15:05:40.001Z two \u00fc\n2025-06-15T15:05:40.002Z three\nlines\n",
        "b/000000.gz": "2025-06-15T15:05:40.000Z other\n"}
    only = logs.create_export_task(logGroupName=GROUP, fromTime=0, to=START, destination="bucket", logStreamNamePrefix="b")["taskId"]
    finished(logs, only)
    assert [p.parent.name for p in (aws.buckets / "bucket" / "exportedlogs" / only).rglob("*.gz")] == ["b"]
    assert [t["taskId"] for t in logs.describe_export_tasks(statusCode="COMPLETED", limit=50)["exportTasks"]].count(made) == 1
    assert logs.describe_export_tasks(taskId="none")["exportTasks"] == []


def test_export_to_an_endpoint_can_be_cancelled_and_survives_a_restart(aws):
    logs = aws("logs")
    for k in range(5):
        fill(logs, [f"line {k}"], stream=f"s{k}")
    Bucket.delay = threading.Event()
    made = logs.create_export_task(logGroupName=GROUP, fromTime=0, to=START, destination="remote")["taskId"]
    finished(logs, made, "RUNNING")
    refused(lambda: logs.create_export_task(logGroupName=GROUP, fromTime=0, to=START, destination="remote"), "LimitExceededException",
            "Resource limit exceeded.")
    logs.cancel_export_task(taskId=made)
    assert task(logs, made)["status"]["code"] == "PENDING_CANCEL"
    Bucket.delay.set()
    finished(logs, made, "CANCELLED")
    refused(lambda: logs.cancel_export_task(taskId=made), "InvalidOperationException", "The specified export task has already completed")

    Bucket.objects, Bucket.delay = {}, threading.Event()
    made = logs.create_export_task(logGroupName=GROUP, fromTime=0, to=START, destination="remote")["taskId"]
    finished(logs, made, "RUNNING")
    aws.server.kill()
    Bucket.delay.set()
    aws.server.start()
    finished(aws("logs"), made)
    lines = sorted(gzip.decompress(body) for path, body in Bucket.objects.items() if path.endswith(".gz"))
    assert lines == [f"2025-06-15T15:05:40.000Z line {k}\n".encode() for k in range(5)]
    assert all("AWS4-HMAC-SHA256" in h["Authorization"] for h in Bucket.headers_seen)


def test_bad_exports(aws):
    logs = aws("logs")
    fill(logs, ["x"])
    ask = lambda **more: logs.create_export_task(**{"logGroupName": GROUP, "fromTime": 0, "to": 1, "destination": "bucket", **more})
    refused(lambda: ask(destination="No_Such_Bucket"), "InvalidParameterException",
            "The given bucket does not exist. Please make sure the bucket is valid.")
    refused(lambda: ask(logGroupName="/none"), "ResourceNotFoundException", "The specified log group does not exist.")
    refused(lambda: ask(fromTime=2), "InvalidParameterException")
    refused(lambda: logs.cancel_export_task(taskId="none"), "ResourceNotFoundException", "The specified export task does not exist.")


# ---- scheduled queries --------------------------------------------------------------------------------

def schedule(logs, **more):
    return logs.create_scheduled_query(**{"name": "every5", "queryLanguage": "CWLI", "queryString": "stats count(*) as n by level",
                                          "logGroupIdentifiers": [GROUP], "scheduleExpression": "cron(*/5 * * * ? *)",
                                          "executionRoleArn": ROLE, **more})


def test_scheduled_queries_run_on_the_clock(aws):
    logs = aws("logs")
    fill(logs, [json.dumps({"level": "ERROR"}), json.dumps({"level": "INFO"}), json.dumps({"level": "INFO"})])
    made = schedule(logs, startTimeOffset=3600, destinationConfiguration={
        "s3Configuration": {"destinationIdentifier": "s3://bucket/out", "roleArn": ROLE},
        "lookupTableConfiguration": {"tableName": "levels", "roleArn": ROLE}})
    arn = made["scheduledQueryArn"]
    assert made["state"] == "ENABLED"
    advance(aws, 900)  # 15:06:40 to 15:21:40
    history = logs.get_scheduled_query_history(identifier=arn, startTime=START, endTime=START + 3_600_000)["triggerHistory"]
    assert [h["triggeredTimestamp"] for h in history] == [START + s * 1000 for s in (800, 500, 200)]
    assert all(h["executionStatus"] == "Complete" for h in history)
    results = logs.get_query_results(queryId=history[0]["queryId"])["results"]
    assert {tuple(f["value"] for f in row) for row in results} == {("ERROR", "1"), ("INFO", "2")}
    by_type = {d["destinationType"]: d for d in history[0]["destinations"]}
    assert by_type["S3"]["status"] == by_type["LOOKUP_TABLE"]["status"] == "COMPLETE"
    path = aws.buckets / pathlib.Path(by_type["S3"]["processedIdentifier"].removeprefix("s3://"))
    assert path.read_text().splitlines()[0] == "level,n"
    assert logs.describe_lookup_tables()["lookupTables"][0]["recordsCount"] == 2
    shown = logs.get_scheduled_query(identifier="every5")
    assert shown["lastExecutionStatus"] == "Complete" and shown["lastTriggeredTime"] == START + 800_000

    logs.update_scheduled_query(identifier=arn, queryLanguage="CWLI", queryString="fields @message", logGroupIdentifiers=[GROUP],
                                scheduleExpression="rate(1 hour)", executionRoleArn=ROLE, state="DISABLED")
    advance(aws, 7200)
    assert len(logs.get_scheduled_query_history(identifier=arn, startTime=0, endTime=START * 2)["triggerHistory"]) == 3
    aws.server.kill()
    aws.server.start()
    logs = aws("logs")
    assert logs.list_scheduled_queries(state="DISABLED")["scheduledQueries"][0]["name"] == "every5"
    assert len(logs.get_scheduled_query_history(identifier=arn, startTime=0, endTime=START * 2)["triggerHistory"]) == 3
    logs.delete_scheduled_query(identifier=arn)
    refused(lambda: logs.get_scheduled_query(identifier=arn), "ResourceNotFoundException")


def test_a_scheduled_query_that_fails_says_why(aws):
    logs = aws("logs")
    fill(logs, ["x"])
    arn = schedule(logs, scheduleExpression="rate(10 minutes)")["scheduledQueryArn"]
    logs.delete_log_group(logGroupName=GROUP)
    advance(aws, 600)
    run = logs.get_scheduled_query_history(identifier=arn, startTime=0, endTime=START * 2)["triggerHistory"][0]
    assert run["executionStatus"] == "Failed" and "does not exist" in run["errorMessage"]


@pytest.mark.parametrize("more, start", [
    ({"scheduleExpression": "every day"}, "Invalid schedule expression: every day"),
    ({"scheduleExpression": "cron(61 * * * ? *)"}, "Invalid schedule expression"),
    ({"scheduleExpression": "rate(0 minutes)"}, "Invalid schedule expression"),
    ({"timezone": "Mars/Base"}, "Invalid timezone: Mars/Base"),
    ({"queryString": "filter ("}, "Invalid query string: "),
    ({"startTimeOffset": 5, "endTimeOffset": 5}, "startTimeOffset must be greater than endTimeOffset."),
    ({"queryLanguage": "X"}, "1 validation error detected: Value 'X' at 'queryLanguage'"),
])
def test_bad_scheduled_queries(aws, more, start):
    logs = aws("logs")
    fill(logs, ["x"])
    refused(lambda: schedule(logs, **more), "ValidationException", start=start)


# ---- anomaly detectors --------------------------------------------------------------------------------

@newest_boto
def test_a_new_pattern_is_an_anomaly(aws):
    logs = aws("logs")
    logs.create_log_group(logGroupName=GROUP)
    logs.create_log_stream(logGroupName=GROUP, logStreamName="s")
    lines = []
    for minute in range(40, 0, -1):
        lines += [(START - minute * 60_000 + k * 1000, f"request {minute * 10 + k} served in {k} ms") for k in range(10)]
    logs.put_log_events(logGroupName=GROUP, logStreamName="s", logEvents=[{"timestamp": t, "message": m} for t, m in lines])
    group = logs.describe_log_groups()["logGroups"][0]["logGroupArn"]
    arn = logs.create_log_anomaly_detector(logGroupArnList=[group], detectorName="d", evaluationFrequency="ONE_MIN")["anomalyDetectorArn"]
    advance(aws, 61)
    until(lambda: logs.get_log_anomaly_detector(anomalyDetectorArn=arn)["anomalyDetectorStatus"] == "ANALYZING")
    assert [d["anomalyDetectorArn"] for d in logs.list_log_anomaly_detectors(filterLogGroupArn=group)["anomalyDetectors"]] == [arn]
    now = START + 61_000
    logs.put_log_events(logGroupName=GROUP, logStreamName="s", logEvents=[
        {"timestamp": now + k, "message": f"ERROR disk {k} failed with code {k}"} for k in range(5)])
    advance(aws, 120)
    anomalies = logs.list_anomalies(anomalyDetectorArn=arn)["anomalies"]
    new = next(a for a in anomalies if "disk" in a["patternString"])
    assert new["state"] == "Active" and new["logGroupArnList"] == [group] and len(new["patternId"]) == 32
    assert new["logSamples"][0]["message"] == "ERROR disk 0 failed with code 0"
    assert any(t["isDynamic"] for t in new["patternTokens"]) and sum(new["histogram"].values()) >= 5
    # The requests stopped, too.
    assert any("served" in a["patternString"] for a in anomalies)
    logs.update_anomaly(anomalyDetectorArn=arn, anomalyId=new["anomalyId"], suppressionType="LIMITED",
                        suppressionPeriod={"value": 1, "suppressionUnit": "HOURS"})
    suppressed = logs.list_anomalies(anomalyDetectorArn=arn, suppressionState="SUPPRESSED")["anomalies"]
    assert [a["anomalyId"] for a in suppressed] == [new["anomalyId"]] and suppressed[0]["state"] == "Suppressed"
    advance(aws, 3700)
    assert logs.list_anomalies(anomalyDetectorArn=arn, suppressionState="SUPPRESSED")["anomalies"] == []
    logs.update_log_anomaly_detector(anomalyDetectorArn=arn, enabled=False)
    assert logs.get_log_anomaly_detector(anomalyDetectorArn=arn)["anomalyDetectorStatus"] == "PAUSED"
    logs.delete_log_anomaly_detector(anomalyDetectorArn=arn)
    refused(lambda: logs.get_log_anomaly_detector(anomalyDetectorArn=arn), "ResourceNotFoundException")
    assert logs.list_anomalies()["anomalies"] == []


@newest_boto
def test_bad_detectors(aws):
    logs = aws("logs")
    fill(logs, ["x"])
    group = logs.describe_log_groups()["logGroups"][0]["logGroupArn"]
    refused(lambda: logs.create_log_anomaly_detector(logGroupArnList=[group, group]), "InvalidParameterException",
            "logGroupArnList must contain exactly one log group ARN.")
    refused(lambda: logs.create_log_anomaly_detector(logGroupArnList=[group + "x"]), "ResourceNotFoundException")
    refused(lambda: logs.create_log_anomaly_detector(logGroupArnList=[group], filterPattern="{ bad"), "InvalidParameterException",
            "Invalid metric filter pattern")
    arn = logs.create_log_anomaly_detector(logGroupArnList=[group])["anomalyDetectorArn"]
    refused(lambda: logs.update_anomaly(anomalyDetectorArn=arn), "InvalidParameterException",
            "You must specify either anomalyId or patternId, but not both.")
    refused(lambda: logs.update_anomaly(anomalyDetectorArn=arn, anomalyId="a" * 36, suppressionType="LIMITED"), "InvalidParameterException",
            "suppressionPeriod is required when suppressionType is LIMITED.")
    refused(lambda: logs.update_anomaly(anomalyDetectorArn=arn, anomalyId="a" * 36), "ResourceNotFoundException")


def test_reset_forgets_everything(aws):
    logs = aws("logs")
    fill(logs, ["x"])
    schedule(logs)
    logs.create_lookup_table(lookupTableName="t", tableBody="a\n1")
    logs.put_query_definition(name="q", queryString="fields 1")
    logs.put_transformer(logGroupIdentifier=GROUP, transformerConfig=[{"parseJSON": {}}])
    control(aws, "POST", "reset")
    assert logs.list_scheduled_queries()["scheduledQueries"] == []
    assert logs.describe_lookup_tables()["lookupTables"] == []
    assert logs.describe_query_definitions()["queryDefinitions"] == []
    fill(logs, ["x"])
    assert "transformerConfig" not in logs.get_transformer(logGroupIdentifier=GROUP)
