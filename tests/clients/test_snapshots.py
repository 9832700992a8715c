"""Snapshots: the whole state of a running server, and back to it without a restart."""
import json
import pathlib
import statistics
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "run"))
from client import Client  # noqa: E402
from server import Server  # noqa: E402

NOW = 1_900_000_000


@pytest.fixture
def relaxed(tmp_path):
    with Server(tmp_path / "data", "--durability", "relaxed") as started:
        yield Client(started, "000000000000")


def fill(aws, mark):
    logs, cw = aws("logs"), aws("cloudwatch")
    logs.create_log_group(logGroupName=f"/{mark}")
    logs.create_log_stream(logGroupName=f"/{mark}", logStreamName="s")
    now = int(time.time() * 1000)
    for n in range(10):
        logs.put_log_events(logGroupName=f"/{mark}", logStreamName="s",
                            logEvents=[{"timestamp": now + i, "message": f"{mark} {n} {i}"} for i in range(500)])
    cw.put_metric_data(Namespace="Snap", MetricData=[{"MetricName": f"{mark}-{i}", "Value": i} for i in range(200)])
    cw.put_metric_alarm(AlarmName=mark, Namespace="Snap", MetricName=f"{mark}-1", Statistic="Sum", Period=60,
                        EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold")
    topic = aws("sns").create_topic(Name=mark)["TopicArn"]
    aws("sns").subscribe(TopicArn=topic, Protocol="sms", Endpoint="+15551234567")
    queue = aws("sqs").create_queue(QueueName=mark)["QueueUrl"]
    aws("sqs").send_message(QueueUrl=queue, MessageBody=mark)
    key = f"1-{int(time.time()):08x}-{mark.encode().hex():0>24}"
    aws("xray").put_trace_segments(TraceSegmentDocuments=[json.dumps(
        {"name": mark, "id": "70de5b6f19ff9a0a", "trace_id": key, "start_time": time.time() - 1, "end_time": time.time()})])
    return key


def state(aws):
    """What clients can see of everything."""
    logs, cw = aws("logs"), aws("cloudwatch")
    groups = sorted(g["logGroupName"] for g in logs.describe_log_groups()["logGroups"])
    return {
        "groups": groups,
        "events": {g: sorted(e["message"] for p in logs.get_paginator("filter_log_events").paginate(logGroupName=g) for e in p["events"]) for g in groups},
        "metrics": sorted(m["MetricName"] for p in cw.get_paginator("list_metrics").paginate(Namespace="Snap") for m in p["Metrics"]),
        "alarms": sorted(a["AlarmName"] for a in cw.describe_alarms()["MetricAlarms"]),
        "topics": sorted(t["TopicArn"] for t in aws("sns").list_topics()["Topics"]),
        "subscriptions": len(aws("sns").list_subscriptions()["Subscriptions"]),
        "queues": sorted(q.rsplit("/", 1)[1] for q in aws("sqs").list_queues().get("QueueUrls", [])),
    }


def traces(aws, *keys):
    return sorted(t["Id"] for t in aws("xray").batch_get_traces(TraceIds=list(keys))["Traces"])


def test_going_back_brings_everything_back_and_nothing_else(relaxed):
    first = fill(relaxed, "one")
    before = state(relaxed)
    relaxed.server.control("POST", "snapshot", {"name": "base"})
    for _ in range(2):
        second = fill(relaxed, "two")
        relaxed("logs").delete_log_group(logGroupName="/one")
        relaxed("cloudwatch").delete_alarms(AlarmNames=["one"])
        pid = relaxed.server.pid
        relaxed.server.control("POST", "restore", {"name": "base"})
        assert relaxed.server.is_alive() and relaxed.server.pid == pid
        assert state(relaxed) == before
        assert traces(relaxed, first, second) == [first]
        got = relaxed("sqs").receive_message(QueueUrl=relaxed("sqs").get_queue_url(QueueName="one")["QueueUrl"], VisibilityTimeout=0)
        assert [m["Body"] for m in got["Messages"]] == ["one"]
    # What is written after it survives a restart, too.
    fill(relaxed, "three")
    after = state(relaxed)
    relaxed.server.kill()
    relaxed.server.start()
    fresh = Client(relaxed.server, "000000000000")
    assert state(fresh) == after
    fresh.server.control("POST", "restore", {"name": "base"})
    assert state(fresh) == before


def test_the_clock_goes_back_too(relaxed):
    server = relaxed.server
    server.set_clock("2030-01-01T00:00:00Z", rate=0)
    server.control("POST", "snapshot", {"name": "then"})
    server.advance(86_400)
    server.control("POST", "restore", {"name": "then"})
    clock = server.control("GET", "clock")
    assert clock["now"] == "2030-01-01T00:00:00.000Z" and clock["rate"] == 0
    server.control("DELETE", "clock")
    server.control("POST", "snapshot", {"name": "real"})
    server.set_clock("2030-01-01T00:00:00Z", rate=0)
    server.control("POST", "restore", {"name": "real"})
    assert server.control("GET", "clock")["rate"] == 1


def test_workers_and_alarms_live_on_after_it(relaxed):
    server = relaxed.server
    server.set_clock("2030-01-01T00:00:00Z", rate=0)
    fill(relaxed, "a")
    server.control("POST", "snapshot", {"name": "base"})
    server.control("POST", "restore", {"name": "base"})
    cw = relaxed("cloudwatch")
    cw.put_metric_data(Namespace="Snap", MetricData=[{"MetricName": "a-1", "Value": 100, "Timestamp": "2030-01-01T00:00:30Z"}])
    server.advance(130)
    assert cw.describe_alarms()["MetricAlarms"][0]["StateValue"] == "ALARM"


def test_listing_replacing_removing(relaxed):
    server = relaxed.server
    assert server.control("GET", "snapshot") == {"snapshots": []}
    server.control("POST", "snapshot", {"name": "a"})
    server.control("PUT", "snapshot", {"name": "a"})
    server.control("POST", "snapshot", {"name": "b-2.x_Y"})
    assert [s["name"] for s in server.control("GET", "snapshot")["snapshots"]] == ["a", "b-2.x_Y"]
    server.control("DELETE", "snapshot?name=a")
    assert [s["name"] for s in server.control("GET", "snapshot")["snapshots"]] == ["b-2.x_Y"]
    for method, path, body, status in [("DELETE", "snapshot?name=a", None, 404), ("POST", "restore", {"name": "a"}, 404),
                                       ("POST", "snapshot", {"name": "../x"}, 400), ("POST", "snapshot", {"name": ".x"}, 400),
                                       ("POST", "snapshot", {}, 400), ("POST", "snapshot", {"name": 1}, 400), ("POST", "restore", {"name": ""}, 400),
                                       ("POST", "restore", {"name": "b-2.x_Y", "more": 1}, 400), ("GET", "restore", None, 405), ("PATCH", "snapshot", {"name": "a"}, 405)]:
        got, _, data = server.http(method, "/_fogwatch/" + path, None if body is None else json.dumps(body))
        assert got == status, (method, path, body, got, data)
        assert json.loads(data)["error"]["code"]


def test_memory_alone_has_none(tmp_path):
    with Server(tmp_path / "data", "--ephemeral") as server:
        for method, path in [("POST", "snapshot"), ("POST", "restore"), ("GET", "snapshot")]:
            status, _, data = server.http(method, "/_fogwatch/" + path, json.dumps({"name": "x"}))
            assert status in (405, 409), data
        assert "relaxed" in json.loads(data)["error"]["message"]


def test_requests_meanwhile_wait_and_none_fails(relaxed):
    fill(relaxed, "base")
    relaxed.server.control("POST", "snapshot", {"name": "base"})
    stop, faults, count = threading.Event(), [], [0]

    def hammer(number):
        aws = Client(relaxed.server, "000000000000")
        cw, logs = aws("cloudwatch"), aws("logs")
        while not stop.is_set():
            try:
                cw.put_metric_data(Namespace="Load", MetricData=[{"MetricName": f"m{number}", "Value": 1}])
                logs.put_log_events(logGroupName="/base", logStreamName="s", logEvents=[{"timestamp": int(time.time() * 1000), "message": "x"}])
                cw.describe_alarms()
                count[0] += 1
            except Exception as error:  # noqa: BLE001
                faults.append(repr(error))
                return

    threads = [threading.Thread(target=hammer, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    took = []
    for _ in range(12):
        time.sleep(0.05)
        begun = time.monotonic()
        relaxed.server.control("POST", "restore", {"name": "base"})
        took.append((time.monotonic() - begun) * 1000)
    stop.set()
    for thread in threads:
        thread.join(30)
    print(f"restore under load: median {statistics.median(took):.1f} ms, most {max(took):.1f} ms, {count[0]} rounds meanwhile")
    assert not faults, faults[:3]
    assert count[0] > 0


def test_how_long_it_takes(relaxed):
    fill(relaxed, "one")
    fill(relaxed, "two")
    saves, backs, resets = [], [], []
    for n in range(10):
        for what, times in (("snapshot", saves), ("restore", backs)):
            begun = time.monotonic()
            relaxed.server.control("POST", what, {"name": "base"})
            times.append((time.monotonic() - begun) * 1000)
    for n in range(5):
        begun = time.monotonic()
        relaxed.server.control("POST", "reset")
        resets.append((time.monotonic() - begun) * 1000)
        relaxed.server.control("POST", "restore", {"name": "base"})
    print(f"snapshot {statistics.median(saves):.1f} ms, restore {statistics.median(backs):.1f} ms, reset {statistics.median(resets):.1f} ms (medians)")
    # The aim is 50 ms on a quiet machine with a Release build; this one is shared and may be a debug build.
    assert statistics.median(saves) < 1000 and statistics.median(backs) < 2000


@pytest.mark.parametrize("moved", [0, 1, 3, 7])
def test_a_return_that_was_cut_off_is_finished_at_the_next_start(relaxed, moved):
    """The steps of a swap are renames: `moved` of them are done by hand, then the server starts."""
    fill(relaxed, "one")
    before = state(relaxed)
    relaxed.server.control("POST", "snapshot", {"name": "base"})
    fill(relaxed, "two")
    relaxed.server.stop()
    data = relaxed.server.data
    fresh, old = data / ".fresh-x", data / ".old-x"
    import shutil
    shutil.copytree(data / "snapshots/base", fresh)
    old.mkdir()
    names = sorted(p.name for p in fresh.iterdir())
    (data / ".swap").write_text("\n".join([fresh.name, old.name, *names]) + "\n")
    stores = [n for n in ("clock.json", "logs", "metrics", "resources.db", "spool", "traces", "wal") if (data / n).exists()]
    for name in stores[:moved]:
        (data / name).rename(old / name)
    if moved >= len(stores):
        for name in names[:2]:
            (fresh / name).rename(data / name)
    relaxed.server.start()
    assert state(Client(relaxed.server, "000000000000")) == before
    assert not [p.name for p in data.iterdir() if p.name.startswith((".old", ".fresh", ".swap"))]
