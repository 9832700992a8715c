"""Alarms: configuration, reading, state, history, evaluation on the clock's tick."""
import datetime as dt
import json

import pytest
from expect import pages, refused

UTC = dt.timezone.utc
ALARM = {"AlarmName": "high", "Namespace": "App", "MetricName": "Latency", "Statistic": "Average", "Period": 60,
         "EvaluationPeriods": 1, "Threshold": 10.0, "ComparisonOperator": "GreaterThanThreshold"}


def put(cloudwatch, **change):
    request = {k: v for k, v in (ALARM | change).items() if v is not None}
    cloudwatch.put_metric_alarm(**request)
    [found] = cloudwatch.describe_alarms(AlarmNames=[request["AlarmName"]])["MetricAlarms"]
    return found


def names(answer):
    return [alarm["AlarmName"] for alarm in answer["MetricAlarms"]]


def test_what_is_put_comes_back(aws):
    cw = aws("cloudwatch")
    topic = f"arn:aws:sns:us-east-1:{aws.account}:ops"
    found = put(cw, AlarmDescription="too slow", AlarmActions=[topic], OKActions=[topic], Dimensions=[{"Name": "Host", "Value": "a"}],
                Unit="Seconds", TreatMissingData="breaching", DatapointsToAlarm=1)
    assert found["AlarmArn"] == f"arn:aws:cloudwatch:us-east-1:{aws.account}:alarm:high"
    for key, value in (ALARM | {"AlarmDescription": "too slow", "AlarmActions": [topic], "OKActions": [topic], "InsufficientDataActions": [],
                                "Dimensions": [{"Name": "Host", "Value": "a"}], "Unit": "Seconds", "TreatMissingData": "breaching",
                                "DatapointsToAlarm": 1, "ActionsEnabled": True}).items():
        assert found[key] == value, key


def test_defaults_are_absent_not_empty(aws):
    found = put(aws("cloudwatch"))
    assert found["StateValue"] == "INSUFFICIENT_DATA" or found["StateReason"] != "Unchecked: Initial alarm creation"
    for absent in ("TreatMissingData", "DatapointsToAlarm", "Unit", "AlarmDescription", "ExtendedStatistic", "ThresholdMetricId"):
        assert absent not in found
    assert (found["AlarmActions"], found["Dimensions"]) == ([], [])


def test_describe_filters_and_pages(aws):
    cw = aws("cloudwatch")
    for i in range(7):
        put(cw, AlarmName=f"a{i}", AlarmActions=[f"arn:aws:sns:us-east-1:{aws.account}:t{i % 2}"])
    put(cw, AlarmName="b0")
    assert names(cw.describe_alarms()) == [*(f"a{i}" for i in range(7)), "b0"]
    assert names(cw.describe_alarms(AlarmNamePrefix="a")) == [f"a{i}" for i in range(7)]
    assert names(cw.describe_alarms(AlarmNames=["b0", "zz"])) == ["b0"]
    assert names(cw.describe_alarms(ActionPrefix=f"arn:aws:sns:us-east-1:{aws.account}:t1")) == ["a1", "a3", "a5"]
    found = pages(cw.describe_alarms, "MetricAlarms", MaxRecords=3)
    assert [len(page) for page in found] == [3, 3, 2]
    answer = cw.describe_alarms(AlarmTypes=["CompositeAlarm"])
    assert (answer["MetricAlarms"], answer["CompositeAlarms"]) == ([], [])
    refused(lambda: cw.describe_alarms(AlarmNames=["a"], AlarmNamePrefix="a"), "ValidationError")
    refused(lambda: cw.describe_alarms(NextToken="bogus"), "InvalidNextToken")


def test_describe_for_metric(aws):
    cw = aws("cloudwatch")
    put(cw, Dimensions=[{"Name": "Host", "Value": "a"}])
    ask = lambda **more: names(cw.describe_alarms_for_metric(Namespace="App", MetricName="Latency", **more))
    assert ask(Dimensions=[{"Name": "Host", "Value": "a"}]) == ["high"]
    assert ask(Dimensions=[{"Name": "Host", "Value": "a"}], Statistic="Sum") == []
    assert ask() == []


def test_waiter_finds_the_alarm(aws):
    cw = aws("cloudwatch")
    put(cw)
    cw.get_waiter("alarm_exists").wait(AlarmNames=["high"], WaiterConfig={"Delay": 1, "MaxAttempts": 2})


def test_forced_state_and_history(aws):
    cw = aws("cloudwatch")
    put(cw, Period=3600, EvaluationPeriods=24)
    cw.set_alarm_state(AlarmName="high", StateValue="ALARM", StateReason="fire drill", StateReasonData='{"a":1}')
    history = cw.describe_alarm_history(AlarmName="high")["AlarmHistoryItems"]
    summaries = [item["HistorySummary"] for item in history]
    assert "Alarm updated from INSUFFICIENT_DATA to ALARM" in summaries
    assert summaries[-1] == 'Alarm "high" created'
    update = next(i for i in history if i["HistorySummary"] == "Alarm updated from INSUFFICIENT_DATA to ALARM")
    data = json.loads(update["HistoryData"])
    assert data["newState"] == {"stateValue": "ALARM", "stateReason": "fire drill", "stateReasonData": {"a": 1}}
    only = cw.describe_alarm_history(AlarmName="high", HistoryItemType="ConfigurationUpdate")["AlarmHistoryItems"]
    assert {item["HistoryItemType"] for item in only} == {"ConfigurationUpdate"}
    assert cw.describe_alarm_history(AlarmName="nobody")["AlarmHistoryItems"] == []


def test_actions_switch_off_and_on(aws):
    cw = aws("cloudwatch")
    put(cw)
    cw.disable_alarm_actions(AlarmNames=["high", "unknown"])
    assert cw.describe_alarms()["MetricAlarms"][0]["ActionsEnabled"] is False
    cw.enable_alarm_actions(AlarmNames=["high"])
    assert cw.describe_alarms()["MetricAlarms"][0]["ActionsEnabled"] is True


def test_put_again_replaces_all_but_state(aws):
    cw = aws("cloudwatch")
    first = put(cw, Period=3600, AlarmDescription="one")
    again = put(cw, Period=3600, Threshold=99.0)
    assert again["Threshold"] == 99.0 and "AlarmDescription" not in again
    assert again["AlarmArn"] == first["AlarmArn"]
    assert len([i for i in cw.describe_alarm_history(AlarmName="high", HistoryItemType="ConfigurationUpdate")["AlarmHistoryItems"]]) == 2


def test_delete_ignores_unknown_names(aws):
    cw = aws("cloudwatch")
    put(cw)
    cw.delete_alarms(AlarmNames=["high", "unknown"])
    assert names(cw.describe_alarms()) == []


def test_tags(aws):
    cw = aws("cloudwatch")
    arn = put(cw, Tags=[{"Key": "team", "Value": "a"}])["AlarmArn"]
    cw.tag_resource(ResourceARN=arn, Tags=[{"Key": "stage", "Value": "x"}, {"Key": "team", "Value": "b"}])
    tags = lambda: {t["Key"]: t["Value"] for t in cw.list_tags_for_resource(ResourceARN=arn)["Tags"]}
    assert tags() == {"team": "b", "stage": "x"}
    cw.untag_resource(ResourceARN=arn, TagKeys=["team"])
    assert tags() == {"stage": "x"}
    refused(lambda: cw.tag_resource(ResourceARN=arn + "x", Tags=[{"Key": "a", "Value": "b"}]),
            ("ResourceNotFoundException", "ResourceNotFound"), status=404)


BAD = [
    ("no_metric", {"MetricName": None}, "MetricName must not be null"),
    ("statistic", {"Statistic": "Mean"}, "1 validation error detected: Value 'Mean' at 'statistic' failed to satisfy constraint: "
                                         "Member must satisfy enum value set: [Maximum, SampleCount, Sum, Minimum, Average]"),
    ("missing_data", {"TreatMissingData": "guess"}, "The value guess is not supported for TreatMissingData parameter. "
                                                    "Supported values are [breaching, notBreaching, ignore, missing]."),
    ("low_samples", {"Statistic": None, "ExtendedStatistic": "p90", "EvaluateLowSampleCountPercentile": "x"},
     "Option x is not supported. Supported options for parameter EvaluateLowSampleCountPercentile are evaluate and ignore."),
    ("period", {"Period": 45}, "Period must be 10, 30 or a multiple of 60"),
    ("more_than_a_day", {"Period": 60, "EvaluationPeriods": 1441},
     "Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400)."),
    ("points_to_alarm", {"DatapointsToAlarm": 2}, None),
    ("no_threshold", {"Threshold": None}, None),
    ("name_of_256", {"AlarmName": "a" * 256}, None),
    ("action_of_other_region", {"AlarmActions": ["arn:aws:sns:eu-west-1:000000000000:ops"]},
     "Invalid region eu-west-1 specified. Only us-east-1 is supported."),
]


@pytest.mark.parametrize("change, message", [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_bad_alarm(aws, change, message):
    cw = aws("cloudwatch")
    request = {k: v for k, v in (ALARM | change).items() if v is not None}
    refused(lambda: cw.put_metric_alarm(**request), "ValidationError", message, status=400)
    assert names(cw.describe_alarms()) == []


def test_bad_states(aws):
    cw = aws("cloudwatch")
    error = refused(lambda: cw.set_alarm_state(AlarmName="none", StateValue="ALARM", StateReason="x"), "ResourceNotFound", status=404)
    assert not error.response["Error"].get("Message")
    put(cw)
    refused(lambda: cw.set_alarm_state(AlarmName="high", StateValue="RED", StateReason="x"), "ValidationError",
            "1 validation error detected: Value 'RED' at 'stateValue' failed to satisfy constraint: "
            "Member must satisfy enum value set: [INSUFFICIENT_DATA, ALARM, OK]")
    refused(lambda: cw.set_alarm_state(AlarmName="high", StateValue="OK", StateReason="x", StateReasonData="{"), "InvalidFormat")


NOON = dt.datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def test_alarm_follows_the_data(fresh):
    """OK, ALARM and INSUFFICIENT_DATA within milliseconds, on a clock that the test moves."""
    cw, server = fresh("cloudwatch"), fresh.server
    server.set_clock((NOON + dt.timedelta(seconds=3)).isoformat().replace("+00:00", "Z"))  # past the grace for late data
    put(cw)
    for minute, value, expected in ((0, 5.0, "OK"), (1, 20.0, "ALARM"), (2, 20.0, "ALARM"), (3, 1.0, "OK")):
        at = NOON + dt.timedelta(minutes=minute)
        cw.put_metric_data(Namespace="App", MetricData=[{"MetricName": "Latency", "Value": value, "Timestamp": at}])
        server.advance(60)
        [found] = cw.describe_alarms()["MetricAlarms"]
        assert found["StateValue"] == expected, (minute, found["StateReason"])
    assert found["StateReason"] == "Threshold Crossed: 1 datapoint [1.0 (01/06/26 12:03:00)] was not greater than the threshold (10.0)."
    server.advance(3600)
    assert cw.describe_alarms()["MetricAlarms"][0]["StateValue"] == "INSUFFICIENT_DATA"
    changes = [i["HistorySummary"] for i in cw.describe_alarm_history(AlarmName="high", HistoryItemType="StateUpdate")["AlarmHistoryItems"]]
    assert changes[::-1] == ["Alarm updated from INSUFFICIENT_DATA to OK", "Alarm updated from OK to ALARM",
                             "Alarm updated from ALARM to OK", "Alarm updated from OK to INSUFFICIENT_DATA"]
