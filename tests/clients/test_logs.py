"""CloudWatch Logs: groups, streams, events, retention, tags, Insights queries."""
import json
import time

import pytest
from expect import pages, refused, until

GROUP, STREAM = "/app/web", "2026/11/[$LATEST]one"


def now_ms():
    return int(time.time() * 1000)


@pytest.fixture
def logs(aws):
    """A client with one group that has one stream."""
    client = aws("logs")
    client.create_log_group(logGroupName=GROUP)
    client.create_log_stream(logGroupName=GROUP, logStreamName=STREAM)
    client.account = aws.account
    return client


def put(client, *messages, at=None, stream=STREAM, group=GROUP):
    at = at or now_ms() - 60_000
    return client.put_log_events(logGroupName=group, logStreamName=stream,
                                 logEvents=[{"timestamp": at + i, "message": m} for i, m in enumerate(messages)])


def read(client, **more):
    return client.get_log_events(logGroupName=GROUP, logStreamName=STREAM, **more)


def test_messages_come_back_byte_for_byte(logs):
    messages = ["plain", 'quotes " and \\ back', "new\nline\ttab", "control \u0001", "h\u00e9llo \u2713 \U0001f600", "x" * 100_000, " "]
    before = now_ms()
    answer = put(logs, *messages)
    assert len(answer["nextSequenceToken"]) == 56 and "rejectedLogEventsInfo" not in answer
    events = read(logs, startFromHead=True)["events"]
    assert [e["message"] for e in events] == messages
    assert all(before <= e["ingestionTime"] <= now_ms() for e in events)
    assert len({e["ingestionTime"] for e in events}) == 1


def test_get_log_events_pages_both_ways_and_ends_with_an_equal_token(logs):
    put(logs, *[f"line {i}" for i in range(25)])
    forward, seen = read(logs, startFromHead=True, limit=10), []
    while forward["events"]:
        seen += [e["message"] for e in forward["events"]]
        token = forward["nextForwardToken"]
        forward = read(logs, startFromHead=True, limit=10, nextToken=token)
    assert seen == [f"line {i}" for i in range(25)]
    assert forward["nextForwardToken"] == token
    put(logs, "late", at=now_ms())
    assert [e["message"] for e in read(logs, startFromHead=True, nextToken=token)["events"]] == ["late"]

    back = read(logs, limit=10)
    assert [e["message"] for e in back["events"]] == [*(f"line {i}" for i in range(16, 25)), "late"]
    older = read(logs, limit=10, nextToken=back["nextBackwardToken"])
    assert [e["message"] for e in older["events"]] == [f"line {i}" for i in range(6, 16)]


def test_empty_stream_has_stable_tokens(logs):
    first = read(logs)
    assert first["events"] == [] and first["nextForwardToken"].startswith("f/") and first["nextBackwardToken"].startswith("b/")
    again = read(logs, nextToken=first["nextForwardToken"])
    assert again["nextForwardToken"] == first["nextForwardToken"]


def test_time_window_start_in_end_out(logs):
    at = now_ms() - 60_000
    put(logs, "a", "b", "c", at=at)
    assert [e["message"] for e in read(logs, startTime=at + 1, endTime=at + 2)["events"]] == ["b"]


def test_rejected_events_are_told_and_the_rest_is_kept(logs):
    day, now = 86_400_000, now_ms()
    answer = logs.put_log_events(logGroupName=GROUP, logStreamName=STREAM, logEvents=[
        {"timestamp": now - 20 * day, "message": "old"}, {"timestamp": now, "message": "good"},
        {"timestamp": now + 3 * 3_600_000, "message": "new"}])
    assert answer["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1, "tooNewLogEventStartIndex": 2}
    assert [e["message"] for e in read(logs)["events"]] == ["good"]


def test_retention(logs):
    day = 86_400_000
    put(logs, "three days old", at=now_ms() - 3 * day)
    logs.put_retention_policy(logGroupName=GROUP, retentionInDays=1)
    assert logs.describe_log_groups()["logGroups"][0]["retentionInDays"] == 1
    assert read(logs)["events"] == []
    answer = put(logs, "also old", at=now_ms() - 2 * day)
    assert answer["rejectedLogEventsInfo"] == {"expiredLogEventEndIndex": 1}
    logs.delete_retention_policy(logGroupName=GROUP)
    assert "retentionInDays" not in logs.describe_log_groups()["logGroups"][0]
    refused(lambda: logs.put_retention_policy(logGroupName=GROUP, retentionInDays=2), "InvalidParameterException",
            start="1 validation error detected: Value '2' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: [1, 3, 5,")


def test_groups_are_described_in_order_and_by_pages(aws):
    client = aws("logs")
    assert client.describe_log_groups()["logGroups"] == []
    for i in reversed(range(55)):
        client.create_log_group(logGroupName=f"/g/{i:02}")
    client.create_log_group(logGroupName="/z", tags={"a": "b"})
    found = pages(client.describe_log_groups, "logGroups", token="nextToken")
    assert [len(page) for page in found] == [50, 6]
    assert [g["logGroupName"] for page in found for g in page] == [*(f"/g/{i:02}" for i in range(55)), "/z"]
    [z] = client.describe_log_groups(logGroupNamePrefix="/z")["logGroups"]
    arn = f"arn:aws:logs:us-east-1:{aws.account}:log-group:/z"
    assert (z["arn"], z["logGroupArn"] if "logGroupArn" in z else arn) == (arn + ":*", arn)
    assert (z["storedBytes"], z["metricFilterCount"]) == (0, 0)
    assert [g["logGroupName"] for g in client.describe_log_groups(logGroupNamePattern="g/5")["logGroups"]] == [f"/g/5{i}" for i in range(5)]
    assert len(client.describe_log_groups(limit=7)["logGroups"]) == 7
    refused(lambda: client.describe_log_groups(logGroupNamePrefix="a", logGroupNamePattern="b"), "InvalidParameterException",
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")


def test_streams_know_their_first_and_last_event(logs):
    logs.create_log_stream(logGroupName=GROUP, logStreamName="b")
    at = now_ms() - 5_000
    put(logs, "1", "2", "3", stream="b", at=at)
    both = logs.describe_log_streams(logGroupName=GROUP)["logStreams"]
    assert [s["logStreamName"] for s in both] == [STREAM, "b"]
    assert "firstEventTimestamp" not in both[0]
    b = both[1]
    assert (b["firstEventTimestamp"], b["lastEventTimestamp"], b["storedBytes"]) == (at, at + 2, 0)
    assert b["arn"] == f"arn:aws:logs:us-east-1:{logs.account}:log-group:{GROUP}:log-stream:b" and b["uploadSequenceToken"]
    newest = logs.describe_log_streams(logGroupName=GROUP, orderBy="LastEventTime", descending=True)["logStreams"]
    assert [s["logStreamName"] for s in newest] == ["b", STREAM]
    assert [s["logStreamName"] for s in logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix="b")["logStreams"]] == ["b"]
    assert logs.describe_log_groups()["logGroups"][0]["storedBytes"] == 3 * (1 + 26)
    refused(lambda: logs.describe_log_streams(logGroupName=GROUP, orderBy="LastEventTime", logStreamNamePrefix="b"),
            "InvalidParameterException", "Cannot order by LastEventTime with a logStreamNamePrefix.")


def test_filter_log_events(logs):
    for name in ("b", "c"):
        logs.create_log_stream(logGroupName=GROUP, logStreamName=name)
    at = now_ms() - 60_000
    put(logs, "ERROR one", "info", at=at)
    put(logs, "an ERROR two", at=at + 10, stream="b")
    put(logs, "ERROR three WARN", at=at + 20, stream="c")

    def ask(**more):
        answer = logs.filter_log_events(logGroupName=GROUP, **more)
        assert answer["searchedLogStreams"] == []
        return [e["message"] for e in answer["events"]]
    assert ask() == ["ERROR one", "info", "an ERROR two", "ERROR three WARN"]
    assert ask(filterPattern="ERROR") == ["ERROR one", "an ERROR two", "ERROR three WARN"]
    assert ask(filterPattern="ERROR WARN") == ["ERROR three WARN"]
    assert ask(filterPattern="ERROR -WARN") == ["ERROR one", "an ERROR two"]
    assert ask(filterPattern="?one ?info") == ["ERROR one", "info"]
    assert ask(filterPattern='"ERROR two"') == ["an ERROR two"]
    assert ask(logStreamNames=["b", "c"]) == ["an ERROR two", "ERROR three WARN"]
    assert ask(logStreamNamePrefix="c") == ["ERROR three WARN"]
    assert ask(startTime=at + 10, endTime=at + 20) == ["an ERROR two", "ERROR three WARN"]
    paged = pages(logs.filter_log_events, "events", logGroupName=GROUP, limit=3, token="nextToken")
    assert [len(page) for page in paged] == [3, 1]
    ids = [e["eventId"] for page in paged for e in page]
    assert ids == sorted(ids) and len(set(ids)) == 4 and all(len(i) == 56 and i.isdigit() for i in ids)
    refused(lambda: logs.filter_log_events(logGroupName=GROUP, nextToken="bogus"), "InvalidParameterException", "The specified nextToken is invalid.")
    refused(lambda: logs.filter_log_events(logGroupName=GROUP, filterPattern="%("), "InvalidParameterException", "Invalid metric filter pattern")


def test_deleted_and_recreated_group_is_empty(logs):
    put(logs, "gone")
    logs.delete_log_group(logGroupName=GROUP)
    refused(lambda: read(logs), "ResourceNotFoundException", "The specified log group does not exist.")
    logs.create_log_group(logGroupName=GROUP)
    refused(lambda: read(logs), "ResourceNotFoundException", "The specified log stream does not exist.")
    logs.create_log_stream(logGroupName=GROUP, logStreamName=STREAM)
    assert read(logs)["events"] == []
    logs.delete_log_stream(logGroupName=GROUP, logStreamName=STREAM)
    assert logs.describe_log_streams(logGroupName=GROUP)["logStreams"] == []


def test_old_and_new_tag_operations_share_a_store(logs):
    arn = f"arn:aws:logs:us-east-1:{logs.account}:log-group:{GROUP}"
    logs.tag_log_group(logGroupName=GROUP, tags={"a": "1", "b": "2"})
    logs.tag_resource(resourceArn=arn, tags={"c": "3"})
    assert logs.list_tags_log_group(logGroupName=GROUP)["tags"] == {"a": "1", "b": "2", "c": "3"}
    logs.untag_resource(resourceArn=arn, tagKeys=["a"])
    logs.untag_log_group(logGroupName=GROUP, tags=["b"])
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"c": "3"}
    refused(lambda: logs.tag_resource(resourceArn=arn + "-none", tags={"a": "b"}), "ResourceNotFoundException")


LONG = "Invalid LogGroup or LogStream, both must have length less than or equal to 512."
NAME = r"[\.\-_/#A-Za-z0-9]+"
INVALID, MISSING, EXISTS = "InvalidParameterException", "ResourceNotFoundException", "ResourceAlreadyExistsException"
BAD = [
    ("group_exists", "create_log_group", {"logGroupName": GROUP}, EXISTS, "The specified log group already exists"),
    ("stream_exists", "create_log_stream", {}, EXISTS, "The specified log stream already exists"),
    ("group_missing", "create_log_stream", {"logGroupName": "none"}, MISSING, "The specified log group does not exist."),
    ("put_group_missing", "put_log_events", {"logGroupName": "none"}, MISSING, "The specified log group does not exist."),
    ("put_stream_missing", "put_log_events", {"logStreamName": "none"}, MISSING, "The specified log stream does not exist."),
    ("get_stream_missing", "get_log_events", {"logStreamName": "none"}, MISSING, "The specified log stream does not exist."),
    ("filter_stream_missing", "filter_log_events", {"logStreamNames": ["none"]}, MISSING, "The specified log stream does not exist."),
    ("delete_group_missing", "delete_log_group", {"logGroupName": "none"}, MISSING, "The specified log group does not exist."),
    ("delete_stream_missing", "delete_log_stream", {"logStreamName": "none"}, MISSING, "The specified log stream does not exist."),
    ("group_of_513", "create_log_group", {"logGroupName": "g" * 513}, INVALID, None),
    ("group_with_blank", "create_log_group", {"logGroupName": "a b"}, INVALID,
     f"1 validation error detected: Value 'a b' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: {NAME}"),
    ("group_empty", "create_log_group", {"logGroupName": ""}, INVALID, None),
    ("group_absent", "create_log_group", {"logGroupName": None}, INVALID,
     "1 validation error detected: Value null at 'logGroupName' failed to satisfy constraint: Member must not be null"),
    ("stream_with_colon", "create_log_stream", {"logStreamName": "a:b"}, INVALID, None),
    ("stream_of_513", "create_log_stream", {"logStreamName": "s" * 513}, INVALID, None),
    ("out_of_order", "put_log_events", {"logEvents": [{"timestamp": now_ms(), "message": "b"}, {"timestamp": now_ms() - 1000, "message": "a"}]},
     INVALID, "Log events in a single PutLogEvents request must be in chronological order."),
    ("no_events", "put_log_events", {"logEvents": []}, INVALID, None),
    ("10001_events", "put_log_events", {"logEvents": [{"timestamp": now_ms(), "message": "x"}] * 10_001}, INVALID, None),
    ("empty_message", "put_log_events", {"logEvents": [{"timestamp": now_ms(), "message": ""}]}, INVALID, None),
    ("more_than_a_day", "put_log_events", {"logEvents": [{"timestamp": now_ms() - 25 * 3_600_000, "message": "a"}, {"timestamp": now_ms(), "message": "b"}]},
     INVALID, "The batch of log events in a single PutLogEvents request cannot span more than 24 hours."),
    ("batch_too_large", "put_log_events", {"logEvents": [{"timestamp": now_ms(), "message": "x" * 262_144}] * 4}, INVALID,
     "Upload too large: 1048680 bytes exceeds limit of 1048576"),
    ("limit_of_0", "get_log_events", {"limit": 0}, INVALID,
     "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1"),
    ("limit_of_10001", "get_log_events", {"limit": 10_001}, INVALID,
     "1 validation error detected: Value '10001' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 10000"),
    ("bad_token", "get_log_events", {"nextToken": "x/1"}, INVALID, "The specified nextToken is invalid."),
    ("streams_and_prefix", "filter_log_events", {"logStreamNames": ["a"], "logStreamNamePrefix": "a"}, INVALID, None),
    ("bad_order", "describe_log_streams", {"orderBy": "Size"}, INVALID,
     "1 validation error detected: Value 'Size' at 'orderBy' failed to satisfy constraint: Member must satisfy enum value set: [LogStreamName, LastEventTime]"),
]
DEFAULTS = {
    "create_log_group": {}, "delete_log_group": {}, "filter_log_events": {"logGroupName": GROUP}, "describe_log_streams": {"logGroupName": GROUP},
    "create_log_stream": {"logGroupName": GROUP, "logStreamName": STREAM}, "delete_log_stream": {"logGroupName": GROUP, "logStreamName": STREAM},
    "get_log_events": {"logGroupName": GROUP, "logStreamName": STREAM},
    "put_log_events": {"logGroupName": GROUP, "logStreamName": STREAM, "logEvents": [{"timestamp": now_ms(), "message": "x"}]},
}


@pytest.mark.parametrize("operation, change, code, message", [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_bad_call(logs, operation, change, code, message):
    request = {k: v for k, v in (DEFAULTS[operation] | change).items() if v is not None}
    refused(lambda: getattr(logs, operation)(**request), code, message, status=400, exception=getattr(logs.exceptions, code))
    assert read(logs)["events"] == []
    assert len(logs.describe_log_groups()["logGroups"]) == 1


def test_names_at_their_limits(aws):
    client = aws("logs")
    client.create_log_group(logGroupName="g" * 512)
    client.create_log_stream(logGroupName="g" * 512, logStreamName="s" * 512)
    put(client, "x" * (1_048_576 - 26), group="g" * 512, stream="s" * 512)
    [event] = client.get_log_events(logGroupName="g" * 512, logStreamName="s" * 512)["events"]
    assert len(event["message"]) == 1_048_550


def test_ten_thousand_small_events(logs):
    put(logs, *["m"] * 10_000, at=now_ms() - 100_000)
    assert len(read(logs, limit=10_000)["events"]) == 10_000


# --- Insights ---------------------------------------------------------------------------------

LINES = [
    {"level": "INFO", "latency_ms": 100, "model": "gpt-4", "user": {"name": "ann"}},
    {"level": "ERROR", "latency_ms": 900, "model": "gpt-4", "error_type": "Timeout", "user": {"name": "bob"}},
    {"level": "INFO", "latency_ms": 300, "model": "claude", "user": {"name": "ann"}},
    {"level": "ERROR", "latency_ms": 700, "model": "claude", "error_type": "RateLimit", "user": {"name": "cid"}},
]


def insights(client, text, group=GROUP, **more):
    """Rows of a query as dictionaries, in answer order, without @ptr."""
    end = int(time.time()) + 60
    request = {"logGroupName": group, "startTime": end - 7200, "endTime": end, "queryString": text} | more
    query = client.start_query(**request)["queryId"]
    answer = until(lambda: (a := client.get_query_results(queryId=query))["status"] in ("Complete", "Failed", "Timeout") and a)
    assert answer["status"] == "Complete"
    return [{c["field"]: c["value"] for c in row if c["field"] != "@ptr"} for row in answer["results"]]


@pytest.fixture
def lines(logs):
    put(logs, *map(json.dumps, LINES), "plain ERROR text took 42 ms")
    return logs


@pytest.mark.parametrize("text, rows", [
    ("stats count() as n", [{"n": "5"}]),
    ("filter level = 'ERROR' | stats count() as n, avg(latency_ms) as a", [{"n": "2", "a": "800"}]),
    ("filter ispresent(model) | stats max(latency_ms) as top, min(latency_ms) as low by model | sort model", [
        {"model": "claude", "top": "700", "low": "300"}, {"model": "gpt-4", "top": "900", "low": "100"}]),
    ("filter user.name like /^[ab]/ | stats count_distinct(user.name) as names", [{"names": "2"}]),
    ("filter @message like 'plain' | parse @message 'took * ms' as took | display took", [{"took": "42"}]),
    (r"filter @message like /plain/ | parse @message /took (?<took>\d+)/ | display took", [{"took": "42"}]),
    ("fields latency_ms | filter latency_ms > 100 and model in ['claude'] | sort latency_ms desc | limit 1", [{"latency_ms": "700"}]),
    ("filter not (level = 'INFO') and error_type =~ 'Rate' | display error_type", [{"error_type": "RateLimit"}]),
    ("stats sum(latency_ms) as s by level | filter s > 1000", [{"level": "ERROR", "s": "1600"}]),
    ("stats pct(latency_ms, 50) as median", [{"median": "300"}]),  # nearest rank of 100, 300, 700, 900
], ids=range(10))
def test_query_rows(lines, text, rows):
    assert insights(lines, text) == rows


def test_event_rows_carry_time_message_and_pointer(lines):
    end = int(time.time()) + 60
    query = lines.start_query(logGroupName=GROUP, startTime=end - 7200, endTime=end, queryString="fields @timestamp, @message | sort @timestamp asc | limit 2")["queryId"]
    answer = until(lambda: (a := lines.get_query_results(queryId=query))["status"] == "Complete" and a)
    assert [[c["field"] for c in row] for row in answer["results"]] == [["@timestamp", "@message", "@ptr"]] * 2
    assert json.loads(answer["results"][0][1]["value"]) == LINES[0]
    statistics = answer["statistics"]
    assert (statistics["recordsMatched"], statistics["recordsScanned"]) == (5.0, 5.0) and statistics["bytesScanned"] > 100
    listed = lines.describe_queries(logGroupName=GROUP)["queries"]
    assert [q["queryId"] for q in listed] == [query] and listed[0]["status"] == "Complete"


def test_query_errors(lines):
    end = int(time.time())
    ask = lambda **more: lines.start_query(**({"logGroupName": GROUP, "startTime": end - 60, "endTime": end, "queryString": "fields @message"} | more))
    error = refused(lambda: ask(queryString="fields @message | frobnicate x"), "MalformedQueryException")
    assert error.response["Error"]["Message"]
    refused(lambda: ask(logGroupName="none"), "ResourceNotFoundException",
            start=f"Log group 'none' does not exist for account ID '{lines.account}'")
    refused(lambda: ask(startTime=end, endTime=end - 60), "InvalidParameterException")
    refused(lambda: ask(logGroupNames=[GROUP]), "InvalidParameterException")
    refused(lambda: lines.get_query_results(queryId="00000000-0000-0000-0000-000000000000"), "ResourceNotFoundException")
    done = ask()["queryId"]
    until(lambda: lines.get_query_results(queryId=done)["status"] == "Complete")
    refused(lambda: lines.stop_query(queryId=done), "InvalidParameterException")
