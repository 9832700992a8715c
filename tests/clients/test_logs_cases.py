"""The shared cases of Insights and of filter patterns over the wire, reading while it runs, and tailing."""
import json
import os
import pathlib
import shutil
import subprocess
import threading
import time

import pytest
from botocore.exceptions import ClientError
from expect import newest_boto, refused, until

CLI = "/usr/bin/aws"  # the one of PyPI has no `logs tail`
CASES = pathlib.Path(__file__).resolve().parents[1] / "query"


def load(folder):
    cases = json.loads((CASES / folder / "cases.json").read_text())
    return cases if isinstance(cases, list) else cases["cases"]


def ask(client, group, text, start, end, **more):
    """The final answer of a query."""
    query = client.start_query(logGroupName=group, startTime=start, endTime=end, queryString=text, **more)["queryId"]
    return until(lambda: (a := client.get_query_results(queryId=query))["status"] not in ("Scheduled", "Running") and a)


def rows_of(answer):
    return [{c["field"]: c["value"] for c in row if c["field"] != "@ptr"} for row in answer["results"]]


def test_insights_cases(fresh):
    """Each case in a group of its own, with the clock at the end of its window."""
    client, wrong = fresh("logs"), []
    cases = load("insights")
    for i, case in enumerate(cases):
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(case["endTime"]))
        assert fresh.server.http("PUT", "/_fogwatch/clock", json.dumps({"now": now, "rate": 0}))[0] == 200
        group = f"/case/{i}"
        client.create_log_group(logGroupName=group)
        made = set()
        for event in case["events"]:
            stream = event.get("logStream", "default")
            if stream not in made:
                made.add(stream)
                client.create_log_stream(logGroupName=group, logStreamName=stream)
            put = client.put_log_events(logGroupName=group, logStreamName=stream,
                                        logEvents=[{"timestamp": event["timestamp"], "message": event["message"]}])
            if "rejectedLogEventsInfo" in put:
                wrong.append((case["name"], "event rejected", put["rejectedLogEventsInfo"]))
        try:
            answer = ask(client, group, case["query"], case["startTime"], case["endTime"])
        except ClientError as error:
            if error.response["Error"]["Code"] != case.get("expectError"):
                wrong.append((case["name"], error.response["Error"]))
            elif case["expectError"] == "MalformedQueryException":
                location = error.response.get("queryCompileError", {}).get("location", {})
                if not 0 <= location.get("startCharOffset", -1) <= location.get("endCharOffset", -1):
                    wrong.append((case["name"], "no place", error.response))
            continue
        key = (lambda r: r) if case["ordered"] else (lambda r: sorted(r, key=lambda row: sorted(row.items())))
        if "expectError" in case or answer["status"] != "Complete" or key(rows_of(answer)) != key(case["expect"]):
            wrong.append((case["name"], answer["status"], rows_of(answer)))
    assert not wrong, json.dumps(wrong[:5], indent=1, default=str)
    assert len(cases) >= 90


def test_filter_pattern_cases(logs_group):
    """Every pattern against every message of the file would be too much: each against its own, by both doors."""
    client, wrong = logs_group, []
    cases = load("filter_pattern")
    messages = sorted({c["message"] for c in cases if c.get("message")})
    at = int(time.time() * 1000) - 60_000
    client.put_log_events(logGroupName="/g", logStreamName="s", logEvents=[{"timestamp": at + i, "message": m} for i, m in enumerate(messages)])
    for case in cases:
        message = case.get("message") or "x"
        try:
            found = client.filter_log_events(logGroupName="/g", filterPattern=case["pattern"])["events"]
            tested = client.test_metric_filter(filterPattern=case["pattern"], logEventMessages=[message])["matches"]
        except ClientError as error:
            if not case.get("error") or error.response["Error"]["Code"] != case["expectError"]:
                wrong.append((case["pattern"], error.response["Error"]))
            continue
        if case.get("error"):
            wrong.append((case["pattern"], "was accepted"))
            continue
        if any(e["message"] == message for e in found) != case["match"]:
            wrong.append((case["pattern"], message, "FilterLogEvents"))
        if bool(tested) != case["match"]:
            wrong.append((case["pattern"], message, "TestMetricFilter"))
        elif case["match"] and "extracted" in case and tested[0]["extractedValues"] != case["extracted"]:
            wrong.append((case["pattern"], message, tested[0]["extractedValues"]))
    assert not wrong, json.dumps(wrong[:8], indent=1)
    assert len(cases) >= 80


@pytest.fixture
def logs_group(aws):
    client = aws("logs")
    client.create_log_group(logGroupName="/g")
    client.create_log_stream(logGroupName="/g", logStreamName="s")
    return client


@pytest.fixture(scope="module")
def many(server):
    """120,000 events in a group of an account that the tests below share."""
    from client import Client
    client = Client(server, "199999999999")("logs")
    client.create_log_group(logGroupName="/many")
    client.create_log_stream(logGroupName="/many", logStreamName="s")
    at = int(time.time() * 1000) - 600_000
    for first in range(0, 120_000, 5000):
        client.put_log_events(logGroupName="/many", logStreamName="s", logEvents=[
            {"timestamp": at + i, "message": json.dumps({"n": i, "key": f"k{i}", "text": "aeiou " * 8})} for i in range(first, first + 5000)])
    return client


def window():
    end = int(time.time()) + 60
    return end - 7200, end


@newest_boto
def test_more_than_ten_thousand_rows_come_in_pages(many):
    start, end = window()
    answer = ask(many, "/many", "fields n | sort n asc | limit 25000", start, end)
    assert answer["status"] == "Complete" and len(answer["results"]) == 10_000
    query = many.start_query(logGroupName="/many", startTime=start, endTime=end, queryString="fields n | sort n asc | limit 25000")["queryId"]
    until(lambda: many.get_query_results(queryId=query)["status"] == "Complete")
    seen, token = [], {}
    while True:
        page = many.get_query_results(queryId=query, **token)
        seen += [int(r["n"]) for r in rows_of(page)]
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    assert seen == list(range(25_000))
    refused(lambda: many.get_query_results(queryId=query, nextToken="nonsense"), "InvalidParameterException")


# Long enough to be looked at while it runs: every row's text is rewritten many times.
SLOW = "fields n, " + ", ".join(f"strlen(regexReplace(concat(text, key), '[aeiou]+{i}?', '')) as s{i}" for i in range(30)) + " | filter s1 > 0 and s2 > 0 | sort s3 desc | limit 500"


def test_rows_are_shown_while_a_query_runs_and_stopping_ends_it(many):
    start, end = window()
    query = many.start_query(logGroupName="/many", startTime=start, endTime=end, queryString=SLOW)["queryId"]
    seen = until(lambda: (a := many.get_query_results(queryId=query)) and (a["results"] or a["status"] == "Complete") and a)
    assert seen["results"]
    if seen["status"] == "Running":  # the newest rows come before their block is counted
        seen = until(lambda: (a := many.get_query_results(queryId=query)) and (a["statistics"]["recordsScanned"] > 0 or a["status"] == "Complete") and a)
        assert seen["results"] and ("nextToken" not in seen or seen["status"] == "Complete")
    if seen["status"] == "Running":
        assert many.stop_query(queryId=query)["success"]
        stopped = many.get_query_results(queryId=query)
        assert stopped["status"] == "Cancelled" and stopped["results"]
        refused(lambda: many.stop_query(queryId=query), "InvalidParameterException", start=f"Query {query} is not in running status.")


@pytest.mark.parametrize("text", [
    "stats count(*) by n, key",
    "fields @message | parse @message /(?<a>.*)(?<b>.*)(?<c>.*)(?<d>.*)x{0,900}/ | stats count(*) by a, b",
    "stats values(key)",
    "pattern @message",
], ids=["groups", "regex", "values", "pattern"])
def test_heavy_queries_end_and_the_server_lives(many, server, text):
    start, end = window()
    answer = ask(many, "/many", text, start, end)
    assert answer["status"] in ("Complete", "Failed")
    assert server.is_alive() and many.describe_log_groups()["logGroups"]


def test_pattern_bombs_are_refused(many):
    start, end = window()
    for text in ["filter @message like /((a{1,100}){1,100}){1,100}/", "filter @message like /" + "(\\pL{500}){2}" * 90 + "/",
                 "filter @message = " + "(" * 5000 + "1" + ")" * 4999, "filter n in [" + "1," * 6000 + "1]"]:
        refused(lambda: many.start_query(logGroupName="/many", startTime=start, endTime=end, queryString=text), ("MalformedQueryException", "InvalidParameterException"))
    # Two megabytes of pattern are no query at all.
    refused(lambda: many.start_query(logGroupName="/many", startTime=start, endTime=end, queryString="filter @message like /" + "a?" * 1_000_000 + "/"),
            ("MalformedQueryException", "InvalidParameterException"))
    assert many.describe_log_groups()["logGroups"]


def has_tail():
    return shutil.which(CLI) and subprocess.run([CLI, "--version"], capture_output=True, text=True, check=False).stdout.startswith("aws-cli/2")


@pytest.mark.skipif(not has_tail(), reason="no AWS CLI of version 2 on this machine")
def test_aws_logs_tail_follows(aws):
    client = aws("logs")
    client.create_log_group(logGroupName="/t")
    client.create_log_stream(logGroupName="/t", logStreamName="s")
    say = lambda text: client.put_log_events(logGroupName="/t", logStreamName="s", logEvents=[{"timestamp": int(time.time() * 1000), "message": text}])
    say("before")
    tail = subprocess.Popen([CLI, "--endpoint-url", aws.server.url, "logs", "tail", "/t", "--follow", "--format", "short"],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=aws.environment | {"PYTHONUNBUFFERED": "1"})
    lines = []
    reader = threading.Thread(target=lambda: [lines.append(line) for line in tail.stdout], daemon=True)
    reader.start()
    try:
        until(lambda: any("before" in line for line in lines), seconds=30)
        say("while it follows")
        until(lambda: any("while it follows" in line for line in lines), seconds=30)
        say("and once more")
        until(lambda: any("and once more" in line for line in lines), seconds=30)
        assert sum("before" in line for line in lines) == 1
    finally:
        tail.terminate()
        tail.wait(10)
