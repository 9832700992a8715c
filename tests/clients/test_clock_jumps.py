"""A clock that jumps an hour ahead, back, and back beyond the start: alarms, retention, ids and order stay right."""
import datetime
import time

import pytest

HOUR = 3600
START = datetime.datetime(2026, 11, 20, 12, 0, 30, tzinfo=datetime.timezone.utc)


def at(seconds):
    return (START + datetime.timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def wait_until(check, seconds=10):
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline, "not within the time"
        time.sleep(0.05)
    return found


@pytest.fixture
def cloudwatch(fresh):
    return fresh("cloudwatch")


@pytest.fixture
def logs(fresh):
    return fresh("logs")


def put(cloudwatch, second, value):
    cloudwatch.put_metric_data(Namespace="Jump", MetricData=[
        {"MetricName": "m", "Value": value, "Timestamp": START + datetime.timedelta(seconds=second)}])


def alarm(cloudwatch, **more):
    cloudwatch.put_metric_alarm(AlarmName="a", Namespace="Jump", MetricName="m", Statistic="Maximum", Period=60, EvaluationPeriods=1,
                                Threshold=10, ComparisonOperator="GreaterThanThreshold", **more)


def state(cloudwatch):
    [found] = cloudwatch.describe_alarms(AlarmNames=["a"])["MetricAlarms"]
    return found["StateValue"]


@pytest.mark.parametrize("jump", [HOUR, -HOUR, 5 * 60, -24 * HOUR])
def test_alarms_evaluate_the_time_that_it_is(fresh, cloudwatch, jump):
    """Before the jump one state, after it the state of the data around the new time; nothing is stuck."""
    server = fresh.server
    server.set_clock(at(0))
    alarm(cloudwatch, TreatMissingData="notBreaching")
    put(cloudwatch, 0, 20)
    server.advance(40)
    assert state(cloudwatch) == "ALARM"
    server.set_clock(at(jump))
    # Two hours are within what data may be late or early, a day back is within two weeks.
    put(cloudwatch, jump, 5)
    server.advance(120)
    assert state(cloudwatch) == "OK"
    put(cloudwatch, jump + 130, 30)
    server.advance(90)
    wait_until(lambda: state(cloudwatch) == "ALARM")
    server.advance(300)
    wait_until(lambda: state(cloudwatch) == "OK")
    history = cloudwatch.describe_alarm_history(AlarmName="a", HistoryItemType="StateUpdate")["AlarmHistoryItems"]
    assert len(history) >= 2


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_log_events_stay_whole_and_in_order(fresh, logs, jump):
    """Ids of events do not depend on the clock: nothing is overwritten, doubled or missed across a jump."""
    server = fresh.server
    server.set_clock(at(0))
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="s")

    def write(second, *messages):
        base = int((START.timestamp() + second) * 1000)
        logs.put_log_events(logGroupName="g", logStreamName="s", logEvents=[{"timestamp": base + i, "message": m} for i, m in enumerate(messages)])
    write(0, "a", "b")
    server.set_clock(at(jump))
    write(jump, "c", "d")
    server.set_clock(at(0))
    write(0, "e", "f")
    events = logs.get_log_events(logGroupName="g", logStreamName="s", startFromHead=True)["events"]
    wanted = {"a": 0, "b": 0, "e": 0, "f": 0, "c": jump, "d": jump}
    assert {e["message"] for e in events} == set(wanted) and len(events) == len(wanted)
    assert [e["timestamp"] for e in events] == sorted(e["timestamp"] for e in events)
    found = logs.filter_log_events(logGroupName="g")["events"]
    assert len({e["eventId"] for e in found}) == len(wanted)


def test_retention_does_not_fire_early_nor_give_back(fresh, logs):
    """An hour's jump removes nothing that is not due; what retention removed stays gone when time goes back."""
    server = fresh.server
    server.set_clock(at(0))
    logs.create_log_group(logGroupName="g")
    logs.put_retention_policy(logGroupName="g", retentionInDays=1)
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    base = int(START.timestamp() * 1000)
    logs.put_log_events(logGroupName="g", logStreamName="s", logEvents=[{"timestamp": base - 22 * HOUR * 1000, "message": "old"},
                                                                        {"timestamp": base, "message": "new"}])

    def messages():
        return [e["message"] for e in logs.get_log_events(logGroupName="g", logStreamName="s", startFromHead=True)["events"]]
    for jump in (HOUR, -HOUR, HOUR, 0):
        server.set_clock(at(jump))
        server.advance(5)
        assert messages() == ["old", "new"], jump
    server.set_clock(at(3 * HOUR))
    server.advance(120)
    wait_until(lambda: messages() == ["new"])
    server.set_clock(at(-HOUR))
    server.advance(120)
    assert messages() == ["new"]


def test_ids_are_unique_across_jumps_and_restarts(fresh, logs):
    """Sampled traces, message ids and log group identities: none comes twice when the same second comes twice."""
    server = fresh.server
    sns = fresh("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    seen = []
    for jump in (0, HOUR, 0, -HOUR, 0):
        server.set_clock(at(jump))
        seen += [sns.publish(TopicArn=topic, Message="m")["MessageId"] for _ in range(20)]
        logs.create_log_group(logGroupName="same")
        logs.create_log_stream(logGroupName="same", logStreamName="s")
        assert logs.get_log_events(logGroupName="same", logStreamName="s", startFromHead=True)["events"] == []
        now = int((START.timestamp() + jump) * 1000)
        logs.put_log_events(logGroupName="same", logStreamName="s", logEvents=[{"timestamp": now, "message": "x"}])
        logs.delete_log_group(logGroupName="same")
    assert len(set(seen)) == len(seen)
    assert server.stop() == 0
    server.start()
    assert [t["TopicArn"] for t in fresh("sns").list_topics()["Topics"]] == [topic]
