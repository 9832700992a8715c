"""CloudWatch metrics and dashboards through boto3 (query with the older, JSON 1.0 with the newest)."""
import datetime as dt
import json
import math

import pytest
from expect import pages, refused

UTC = dt.timezone.utc
DIMENSIONS = [{"Name": "Host", "Value": "a"}]
UNITS = ("Megabits, Terabits, Gigabits, Count, Bytes, Gigabytes, Gigabytes/Second, Kilobytes, Kilobits/Second, "
         "Terabytes, Terabits/Second, Bytes/Second, Percent, Megabytes, Megabits/Second, Milliseconds, Microseconds, "
         "Kilobytes/Second, Gigabits/Second, Megabytes/Second, Bits, Bits/Second, Count/Second, Seconds, Kilobits, "
         "Terabytes/Second, None")


def minute(ago=10):
    """A whole minute some minutes ago."""
    return dt.datetime.now(UTC).replace(second=0, microsecond=0) - dt.timedelta(minutes=ago)


def datum(name="M", **more):
    return {"MetricName": name, "Value": 1.0, **more}


def statistics(cloudwatch, name="M", start=None, minutes=1, **more):
    start = start or minute()
    return cloudwatch.get_metric_statistics(
        Namespace="App", MetricName=name, StartTime=start, EndTime=start + dt.timedelta(minutes=minutes), Period=60,
        **({"Statistics": ["SampleCount", "Sum", "Average", "Minimum", "Maximum"]} | more))


def query(name="M", stat="Average", period=60, id="q1", dimensions=(), **more):
    return {"Id": id, "MetricStat": {"Metric": {"Namespace": "App", "MetricName": name, "Dimensions": list(dimensions)},
                                     "Period": period, "Stat": stat}, **more}


def test_values_come_back_aggregated(aws):
    cw, at = aws("cloudwatch"), minute()
    for value in (1.0, 2.0, 6.0):
        cw.put_metric_data(Namespace="App", MetricData=[datum(Timestamp=at, Value=value, Dimensions=DIMENSIONS, Unit="Seconds")])
    answer = statistics(cw, start=at, Dimensions=DIMENSIONS)
    assert answer["Label"] == "M"
    [point] = answer["Datapoints"]
    assert point == {"Timestamp": at, "SampleCount": 3.0, "Sum": 9.0, "Average": 3.0, "Minimum": 1.0, "Maximum": 6.0, "Unit": "Seconds"}


def test_all_payload_forms_add_up(aws):
    cw, at = aws("cloudwatch"), minute()
    cw.put_metric_data(Namespace="App", MetricData=[
        datum(Timestamp=at, Value=4.0),
        {"MetricName": "M", "Timestamp": at, "Values": [1.0, 2.5], "Counts": [3.0, 4.0]},
        {"MetricName": "M", "Timestamp": at, "StatisticValues": {"SampleCount": 2.0, "Sum": 30.0, "Minimum": 10.0, "Maximum": 20.0}},
        datum(Timestamp=at, Value=0.0)])
    [point] = statistics(cw, start=at)["Datapoints"]
    assert (point["SampleCount"], point["Sum"], point["Minimum"], point["Maximum"]) == (11.0, 47.0, 0.0, 20.0)


def test_timestamp_defaults_to_now(aws):
    cw = aws("cloudwatch")
    cw.put_metric_data(Namespace="App", MetricData=[datum()])
    assert statistics(cw, start=minute(2), minutes=4)["Datapoints"][0]["Sum"] == 1.0


def test_units_yield_points_of_their_own(aws):
    cw, at = aws("cloudwatch"), minute()
    cw.put_metric_data(Namespace="App", MetricData=[datum(Timestamp=at, Unit=u, Value=v) for u, v in
                                                     (("None", 1.0), ("Seconds", 2.0), ("Count", 3.0))])
    points = statistics(cw, start=at)["Datapoints"]
    assert [(p["Unit"], p["Sum"]) for p in points] == [("Count", 3.0), ("Seconds", 2.0), ("None", 1.0)]
    [only] = statistics(cw, start=at, Unit="Seconds")["Datapoints"]
    assert only["Sum"] == 2.0
    result = cw.get_metric_data(MetricDataQueries=[query(stat="Sum")], StartTime=at, EndTime=at + dt.timedelta(minutes=1))
    [one] = result["MetricDataResults"]
    assert one["Values"] == [3.0]
    assert one["Messages"] == [{"Code": "MultipleUnits", "Value": "Multiple units returned: '[Count, Seconds, None]'"}]


def test_dimensions_must_match_exactly_in_any_order(aws):
    cw, at = aws("cloudwatch"), minute()
    two = [{"Name": "B", "Value": "2"}, {"Name": "A", "Value": "1"}]
    cw.put_metric_data(Namespace="App", MetricData=[datum(Timestamp=at, Dimensions=two)])
    assert statistics(cw, start=at, Dimensions=two[::-1])["Datapoints"]
    assert not statistics(cw, start=at, Dimensions=two[:1])["Datapoints"]
    assert not statistics(cw, start=at)["Datapoints"]
    [metric] = cw.list_metrics(Namespace="App")["Metrics"]
    assert metric["Dimensions"] == sorted(two, key=lambda d: d["Name"])


def test_extended_statistics(aws):
    cw, at = aws("cloudwatch"), minute()
    cw.put_metric_data(Namespace="App", MetricData=[{"MetricName": "M", "Timestamp": at, "Values": [float(i) for i in range(1, 101)]}])
    answer = cw.get_metric_statistics(Namespace="App", MetricName="M", StartTime=at, EndTime=at + dt.timedelta(minutes=1),
                                      Period=60, ExtendedStatistics=["p50", "p99", "tm90"])
    values = answer["Datapoints"][0]["ExtendedStatistics"]
    assert math.isclose(values["p50"], 50.5) and math.isclose(values["p99"], 99.01) and math.isclose(values["tm90"], 45.5)


def test_periods_align_and_gaps_are_absent(aws):
    cw = aws("cloudwatch")
    hour = dt.datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - dt.timedelta(hours=2)
    at = [hour + dt.timedelta(minutes=m) for m in (0, 1, 4, 11)]
    cw.put_metric_data(Namespace="App", MetricData=[datum(Timestamp=t, Value=float(i + 1)) for i, t in enumerate(at)])
    result = cw.get_metric_data(MetricDataQueries=[query(stat="Sum", period=300)], StartTime=hour, EndTime=hour + dt.timedelta(minutes=15),
                                ScanBy="TimestampAscending")["MetricDataResults"][0]
    assert result["Values"] == [6.0, 4.0]
    assert result["Timestamps"] == [hour, hour + dt.timedelta(minutes=10)]
    assert result["StatusCode"] == "Complete"
    newest_first = cw.get_metric_data(MetricDataQueries=[query(stat="Sum", period=300)], StartTime=hour,
                                      EndTime=hour + dt.timedelta(minutes=15))["MetricDataResults"][0]
    assert newest_first["Values"] == [4.0, 6.0]


def test_get_metric_data_pages_and_labels(aws):
    cw, start = aws("cloudwatch"), minute(100)
    cw.put_metric_data(Namespace="App", MetricData=[datum(Timestamp=start + dt.timedelta(minutes=i), Value=float(i)) for i in range(90)])
    request = {"MetricDataQueries": [query(id="a", stat="Sum"), query(id="b", stat="Maximum", Label="top"), query(id="hidden", ReturnData=False)],
               "StartTime": start, "EndTime": start + dt.timedelta(minutes=90), "ScanBy": "TimestampAscending", "MaxDatapoints": 50}
    values, labels, calls = {"a": [], "b": []}, {}, 0
    while True:
        answer = cw.get_metric_data(**request)
        calls += 1
        assert answer["Messages"] == []
        assert sum(len(r["Values"]) for r in answer["MetricDataResults"]) <= 50
        for r in answer["MetricDataResults"]:
            values[r["Id"]] += r["Values"]
            labels[r["Id"]] = r["Label"]
        if "NextToken" not in answer:
            break
        request["NextToken"] = answer["NextToken"]
    assert values == {"a": [float(i) for i in range(90)], "b": [float(i) for i in range(90)]}
    assert labels == {"a": "M Sum", "b": "top"}
    assert calls == 4


def test_unknown_metric_is_complete_and_empty(aws):
    cw = aws("cloudwatch")
    assert statistics(cw) | {"ResponseMetadata": None} == {"Label": "M", "Datapoints": [], "ResponseMetadata": None}
    [result] = cw.get_metric_data(MetricDataQueries=[query()], StartTime=minute(), EndTime=minute(0))["MetricDataResults"]
    assert (result["StatusCode"], result["Values"], result["Timestamps"]) == ("Complete", [], [])


def test_list_metrics_filters(aws):
    cw = aws("cloudwatch")
    assert cw.list_metrics()["Metrics"] == []
    cw.put_metric_data(Namespace="App", MetricData=[datum("A", Dimensions=DIMENSIONS), datum("B", Dimensions=[*DIMENSIONS, {"Name": "Zone", "Value": "1"}])])
    cw.put_metric_data(Namespace="Other", MetricData=[datum("A")])
    names = lambda **f: [(m["Namespace"], m["MetricName"]) for m in cw.list_metrics(**f)["Metrics"]]
    assert names() == [("App", "A"), ("App", "B"), ("Other", "A")]
    assert names(Namespace="App", MetricName="A") == [("App", "A")]
    assert names(Dimensions=[{"Name": "Host"}]) == [("App", "A"), ("App", "B")]
    assert names(Dimensions=[{"Name": "Zone", "Value": "1"}]) == [("App", "B")]
    assert names(Dimensions=[{"Name": "Zone", "Value": "2"}]) == []
    assert names(RecentlyActive="PT3H") == names()
    assert aws("cloudwatch", region="eu-west-1").list_metrics()["Metrics"] == []


def test_list_metrics_pages_500(aws):
    cw = aws("cloudwatch")
    for part in range(0, 1100, 550):
        cw.put_metric_data(Namespace="App", MetricData=[datum(f"m{i:04}") for i in range(part, part + 550)])
    found = pages(cw.list_metrics, "Metrics")
    assert [len(page) for page in found] == [500, 500, 100]
    assert [m["MetricName"] for page in found for m in page] == [f"m{i:04}" for i in range(1100)]
    assert sum(len(p["Metrics"]) for p in cw.get_paginator("list_metrics").paginate()) == 1100
    refused(lambda: cw.list_metrics(NextToken="bogus"), "InvalidParameterValue", "Request parameter NextToken is invalid")


def test_a_large_body_arrives_compressed(aws):
    """Newest SDKs gzip PutMetricData from 10,240 bytes on; older ones send the same plain."""
    cw, at = aws("cloudwatch"), minute()
    cw.put_metric_data(Namespace="App", MetricData=[datum(Timestamp=at, Dimensions=[{"Name": "Host", "Value": f"host-{i:04}" * 4}]) for i in range(400)])
    assert sum(len(page) for page in pages(cw.list_metrics, "Metrics")) == 400


def test_names_at_their_limits(aws):
    cw, at = aws("cloudwatch"), minute()
    thirty = [{"Name": f"d{i:02}".ljust(255, "x"), "Value": "v" * 1024} for i in range(30)]
    cw.put_metric_data(Namespace="n" * 255, MetricData=[{"MetricName": "m" * 255, "Timestamp": at, "Dimensions": thirty,
                                                         "Values": [1.5] * 150}])
    [metric] = cw.list_metrics()["Metrics"]
    assert (metric["Namespace"], metric["MetricName"], len(metric["Dimensions"])) == ("n" * 255, "m" * 255, 30)


EITHER = ("ValidationError", "InvalidParameterValue")
BAD_DATA = [
    ("value_and_values", {"Values": [1.0]}, "InvalidParameterCombination",
     "The parameters MetricData.member.1.Value and MetricData.member.1.Values are mutually exclusive and you have specified both."),
    ("value_and_set", {"StatisticValues": {"SampleCount": 1.0, "Sum": 1.0, "Minimum": 1.0, "Maximum": 1.0}}, "InvalidParameterCombination",
     "The parameters MetricData.member.1.Value and MetricData.member.1.StatisticValues are mutually exclusive and you have specified both."),
    ("counts_of_other_length", {"Value": None, "Values": [1.0, 2.0], "Counts": [1.0]}, "InvalidParameterValue",
     "The parameters MetricData.member.1.Values and MetricData.member.1.Counts must be of the same size."),
    ("bad_unit", {"Unit": "Parsecs"}, "InvalidParameterValue", f"The parameter MetricData.member.1.Unit must be a value in the set [ {UNITS} ]"),
    ("no_payload", {"Value": None}, "MissingParameter", None),
    ("no_name", {"MetricName": None}, "MissingParameter", "The parameter MetricData.member.1.MetricName is required."),
    ("not_a_number", {"Value": math.nan}, "InvalidParameterValue", "The value NaN for parameter MetricData.member.1.Value is invalid."),
    ("infinity", {"Value": math.inf}, "InvalidParameterValue", None),
    ("too_large", {"Value": 2.0 ** 361}, "InvalidParameterValue", None),
    ("far_past", {"Timestamp": dt.datetime(1999, 1, 1, tzinfo=UTC)}, "InvalidParameterValue", None),
    ("far_future", {"Timestamp": dt.datetime(2999, 1, 1, tzinfo=UTC)}, "InvalidParameterValue", None),
    ("151_values", {"Value": None, "Values": [1.0] * 151}, "InvalidParameterValue", None),
    ("31_dimensions", {"Dimensions": [{"Name": f"d{i}", "Value": "v"} for i in range(31)]}, EITHER, None),
    ("same_dimension_twice", {"Dimensions": DIMENSIONS * 2}, "InvalidParameterValue", None),
    ("colon_dimension", {"Dimensions": [{"Name": ":a", "Value": "v"}]}, EITHER, None),
    ("empty_dimension_value", {"Dimensions": [{"Name": "a", "Value": ""}]}, EITHER, None),
    ("name_of_256", {"MetricName": "m" * 256}, EITHER, None),
    ("resolution_of_7", {"StorageResolution": 7}, EITHER, None),
]


@pytest.mark.parametrize("change, code, message", [row[1:] for row in BAD_DATA], ids=[row[0] for row in BAD_DATA])
def test_bad_datum_rejects_the_whole_call(aws, change, code, message):
    cw = aws("cloudwatch")
    bad = {k: v for k, v in (datum(Timestamp=minute()) | change).items() if v is not None}
    refused(lambda: cw.put_metric_data(Namespace="App", MetricData=[bad, datum("Good")]), code, message, status=400)
    assert cw.list_metrics()["Metrics"] == [], "nothing is stored"


BAD_CALLS = [
    ("1001_datums", "put_metric_data", {"Namespace": "App", "MetricData": [datum()] * 1001}, EITHER, None),
    ("no_namespace", "put_metric_data", {"MetricData": [datum()]}, "MissingParameter", "The parameter Namespace is required."),
    ("no_data", "put_metric_data", {"Namespace": "App"}, "MissingParameter", "The parameter MetricData is required."),
    ("empty_namespace", "put_metric_data", {"Namespace": "", "MetricData": [datum()]}, EITHER, None),
    ("colon_namespace", "put_metric_data", {"Namespace": ":a", "MetricData": [datum()]}, EITHER, None),
    ("namespace_of_256", "put_metric_data", {"Namespace": "n" * 256, "MetricData": [datum()]}, EITHER, None),
    ("start_after_end", "get_metric_statistics", {"StartTime": minute(0), "EndTime": minute(5)}, "InvalidParameterValue",
     "The parameter StartTime must be less than the parameter EndTime."),
    ("too_many_points", "get_metric_statistics", {"StartTime": minute(2880)}, "InvalidParameterCombination",
     "You have requested up to 2880 datapoints, which exceeds the limit of 1440. You may reduce the datapoints requested by "
     "increasing Period, or decreasing the time range."),
    ("no_statistic", "get_metric_statistics", {"Statistics": None}, "InvalidParameterCombination",
     "Must specify either Statistics or ExtendedStatistics"),
    ("period_of_61", "get_metric_statistics", {"Period": 61}, "InvalidParameterValue", None),
    ("odd_statistic", "get_metric_statistics", {"Statistics": None, "ExtendedStatistics": ["P90"]}, "InvalidParameterValue", None),
    ("same_ids", "get_metric_data", {"MetricDataQueries": [query(), query()]}, "ValidationError",
     "The values for parameter id in MetricDataQueries are not unique."),
    ("neither_stat_nor_expression", "get_metric_data", {"MetricDataQueries": [{"Id": "a"}]}, "ValidationError",
     "The parameter MetricDataQueries.member.1.MetricStat is required.\n"),
    ("equal_times", "get_metric_data", {"EndTime": minute(60)}, "ValidationError", "The parameter StartTime must not equal parameter EndTime."),
    ("reversed_times", "get_metric_data", {"EndTime": minute(90)}, "ValidationError", "The parameter EndTime must be greater than StartTime."),
    ("bad_token", "get_metric_data", {"NextToken": "bogus"}, "InvalidNextToken", None),
    ("unknown_activity", "list_metrics", {"RecentlyActive": "PT4H"}, "ValidationError", None),
]
DEFAULTS = {
    "put_metric_data": {},
    "list_metrics": {},
    "get_metric_statistics": {"Namespace": "App", "MetricName": "M", "StartTime": minute(60), "EndTime": minute(0), "Period": 60, "Statistics": ["Sum"]},
    "get_metric_data": {"MetricDataQueries": [query()], "StartTime": minute(60), "EndTime": minute(0)},
}


@pytest.mark.parametrize("operation, change, code, message", [row[1:] for row in BAD_CALLS], ids=[row[0] for row in BAD_CALLS])
def test_bad_call(aws, operation, change, code, message):
    request = {k: v for k, v in (DEFAULTS[operation] | change).items() if v is not None}
    refused(lambda: getattr(aws("cloudwatch"), operation)(**request), code, message, status=400)


def test_errors_are_typed(aws):
    cw = aws("cloudwatch")
    refused(lambda: cw.put_metric_data(Namespace="App", MetricData=[datum(Unit="x")]), "InvalidParameterValue",
            exception=cw.exceptions.InvalidParameterValueException)
    refused(lambda: cw.get_dashboard(DashboardName="none"), "ResourceNotFound", status=404,
            exception=(cw.exceptions.DashboardNotFoundError, cw.exceptions.ResourceNotFound))  # two shapes of one query code


BODY = json.dumps({"widgets": [{"type": "text", "x": 0, "y": 0, "width": 6, "height": 6, "properties": {"markdown": "# hi  "}}]})


def test_dashboards_live_and_die(aws):
    cw = aws("cloudwatch")
    assert cw.put_dashboard(DashboardName="main", DashboardBody=BODY).get("DashboardValidationMessages", []) == []
    got = cw.get_dashboard(DashboardName="main")
    assert got["DashboardBody"] == BODY
    assert got["DashboardArn"] == f"arn:aws:cloudwatch::{aws.account}:dashboard/main"
    cw.put_dashboard(DashboardName="other", DashboardBody=BODY)
    entries = cw.list_dashboards()["DashboardEntries"]
    assert [(e["DashboardName"], e["Size"]) for e in entries] == [("main", len(BODY)), ("other", len(BODY))]
    assert [e["DashboardName"] for e in cw.list_dashboards(DashboardNamePrefix="o")["DashboardEntries"]] == ["other"]
    refused(lambda: cw.delete_dashboards(DashboardNames=["main", "gone"]), "ResourceNotFound",
            "The specified dashboard does not exist. [gone]", status=404)
    cw.delete_dashboards(DashboardNames=["other"])
    assert cw.list_dashboards()["DashboardEntries"] == []


@pytest.mark.parametrize("name, body, code, start", [
    ("a b", BODY, "InvalidParameterValue", "The value for field DashboardName contains invalid characters. It can only contain "
                                           "alphanumerics, dash (-) and underscore (_).\n"),
    ("a", "no json", "InvalidParameterInput", "The field DashboardBody must be a valid JSON object"),
    ("a", "[]", "InvalidParameterInput", "The field DashboardBody must be a valid JSON object"),
    ("a", '{"widgets": 7}', "InvalidParameterInput", "The dashboard body is invalid, there are 1 validation errors:\n"),
], ids=["name", "not_json", "not_object", "widgets"])
def test_bad_dashboards(aws, name, body, code, start):
    cw = aws("cloudwatch")
    refused(lambda: cw.put_dashboard(DashboardName=name, DashboardBody=body), code, start=start, status=400)
    assert cw.list_dashboards()["DashboardEntries"] == []


def test_dashboard_of_unknown_name(aws):
    refused(lambda: aws("cloudwatch").get_dashboard(DashboardName="none"), "ResourceNotFound", "Dashboard none does not exist", status=404)


def test_unimplemented_operations_say_so(aws):
    """No operation of the model may answer 5xx or pretend."""
    refused(lambda: aws("cloudwatch").put_managed_insight_rules(ManagedRules=[]),
            ("InvalidAction", "UnknownOperationException", "MissingParameter", "InvalidParameterValue", "ValidationError"), status=400)


def test_identity_of_the_caller(aws):
    answer = aws("sts").get_caller_identity()
    assert answer["Account"] == aws.account
    assert answer["Arn"].startswith(f"arn:aws:iam::{aws.account}:")
