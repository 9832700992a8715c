"""A flipped byte in a database: found by the page's checksum, said, and made good where there is a copy."""
import json
import shutil
import subprocess
import time

import pytest
from client import Client
from expect import until
from server import Server
from test_log_damage import check, flip, metric

DESCRIPTION = "the description of one alarm, which nobody may change by a byte " * 3
SEGMENTS = 300


def trace_id(n, now):
    return f"1-{now:08x}-{n:024x}"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A data folder of a server that ended in order: an alarm, a log group, traces of one day."""
    data = tmp_path_factory.mktemp("databases") / "data"
    now = int(time.time())
    with Server(data) as server:
        client = Client(server, "000000000000")
        client("cloudwatch").put_metric_alarm(
            AlarmName="a", AlarmDescription=DESCRIPTION, Namespace="n", MetricName="m", Statistic="Sum", Period=60,
            EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold")
        client("logs").create_log_group(logGroupName="/g")
        for first in range(0, SEGMENTS, 50):
            client("xray").put_trace_segments(TraceSegmentDocuments=[
                json.dumps({"trace_id": trace_id(n, now), "id": f"{n + 1:016x}", "name": f"service{n % 7}",
                            "start_time": now + n / 1000, "end_time": now + n / 1000 + 0.5})
                for n in range(first, first + 50)])
        # Traces that have been quiet for a while leave the log of writes for their day's database.
        assert server.http("POST", "/_fogwatch/clock/advance", b'{"seconds": 7200}')[0] == 200
        until(lambda: len(list((data / "traces").glob("2*.db"))) == 1 and metric(server, "fogwatch_trace_head_bytes") == 0)
    return data, now


def copy_of(data, tmp_path):
    return shutil.copytree(data, tmp_path / "data")


def test_a_flipped_byte_in_a_resource_is_found_and_taken_back(prepared, tmp_path):
    data = copy_of(prepared[0], tmp_path)
    file = data / "resources.db"
    flip(file, file.read_bytes().index(b"nobody may change"))
    code, text = check(Server(data))
    assert code == 1 and "resources.db" in text, text
    with Server(data) as server:
        client = Client(server, "000000000000")
        alarm, = client("cloudwatch").describe_alarms()["MetricAlarms"]
        assert alarm["AlarmDescription"] == DESCRIPTION
        assert [g["logGroupName"] for g in client("logs").describe_log_groups()["logGroups"]] == ["/g"]
        assert metric(server, "fogwatch_databases_damaged") == 1
        assert metric(server, "fogwatch_database_pages_damaged") >= 1
    assert (data / "resources.db.damaged").exists()
    assert check(Server(data))[0] == 0


def test_a_flipped_byte_in_a_day_of_traces_is_said_and_the_rest_answers(prepared, tmp_path):
    data, now = copy_of(prepared[0], tmp_path), prepared[1]
    day, = (data / "traces").glob("2*.db")
    whole = day.read_bytes()
    for place in range(4096 + 700, len(whole), 4096):  # one in each page but the first
        flip(day, place)
    code, text = check(Server(data))
    assert code == 1 and day.name in text, text
    with Server(data) as server:
        xray = Client(server, "000000000000")("xray")
        answer = xray.batch_get_traces(TraceIds=[trace_id(n, now) for n in range(5)])
        for trace in answer["Traces"]:  # what comes is what was put
            assert json.loads(trace["Segments"][0]["Document"])["trace_id"] == trace["Id"]
        assert metric(server, "fogwatch_database_pages_damaged") >= 1
        xray.put_trace_segments(TraceSegmentDocuments=[json.dumps(
            {"trace_id": trace_id(9999, now), "id": "00000000000099ff", "name": "after", "start_time": now, "end_time": now + 1})])
        assert xray.batch_get_traces(TraceIds=[trace_id(9999, now)])["Traces"]


def test_databases_of_before_are_given_checksums(prepared, tmp_path):
    data = copy_of(prepared[0], tmp_path)
    with Server(data) as server:
        Client(server, "000000000000")("sns").create_topic(Name="t")
    for file in data.rglob("*.db"):
        header = file.read_bytes()[:21]
        assert header[20] == 8, file
    # As an older program made them: without room for checksums.
    for name in ("resources.db", "metrics/0/series.db", "traces/catalogue.db"):
        file = data / name
        if not file.exists():
            continue
        subprocess.run(["python3", "-c", """
import sqlite3, sys
old = sqlite3.connect(sys.argv[1])
new = sqlite3.connect(sys.argv[1] + '.new')
new.executescript(chr(10).join(old.iterdump()))
new.execute('PRAGMA user_version=%d' % old.execute('PRAGMA user_version').fetchone()[0])
new.execute('PRAGMA journal_mode=WAL')
new.commit()
""", str(file)], check=True)
        file.with_name(file.name + ".new").replace(file)
        assert file.read_bytes()[20] == 0
    with Server(data) as server:
        alarm, = Client(server, "000000000000")("cloudwatch").describe_alarms()["MetricAlarms"]
        assert alarm["AlarmDescription"] == DESCRIPTION
        assert Client(server, "000000000000")("sns").list_topics()["Topics"]
    for file in data.rglob("*.db"):
        assert file.read_bytes()[20] == 8, file
    assert check(Server(data)) == (0, check(Server(data))[1])
