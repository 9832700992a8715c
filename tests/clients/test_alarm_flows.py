"""Flows of users over alarms and topics: P95 with a composite and a suppressor, FIFO fan-out, log alarms, the terraform lifecycle, waiters, the CLI."""
import datetime as dt
import json
import os
import shutil
import subprocess

import pytest
from botocore.exceptions import WaiterError
from expect import refused, until
from server import Server
from client import Client
from subscriber import Subscriber

UTC = dt.timezone.utc
NOON = dt.datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def at(seconds):
    return (NOON + dt.timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


@pytest.fixture
def subscriber():
    with Subscriber() as started:
        yield started


def confirmed(sns, topic, subscriber, **attributes):
    arn = sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=subscriber.url, Attributes=attributes, ReturnSubscriptionArn=True)["SubscriptionArn"]
    asked = subscriber.wait(lambda m: m.type == "SubscriptionConfirmation" and m.body["TopicArn"] == topic)
    sns.confirm_subscription(TopicArn=topic, Token=asked.body["Token"])
    return arn


def alarms_told(subscriber):
    with subscriber.arrived:
        told = [json.loads(m.body["Message"]) for m in subscriber.messages if m.type == "Notification"]
    return [(m["AlarmName"], m["NewStateValue"]) for m in told]


def test_p95_latency_with_composite_and_suppressor(fresh, subscriber):
    sns, cw, server = fresh("sns"), fresh("cloudwatch"), fresh.server
    server.set_clock(at(3))
    topic = sns.create_topic(Name="ops")["TopicArn"]
    confirmed(sns, topic, subscriber)
    cw.put_metric_alarm(AlarmName="p95", Namespace="Api", MetricName="Latency", ExtendedStatistic="p95", Period=60, EvaluationPeriods=2, DatapointsToAlarm=2,
                        Threshold=400, ComparisonOperator="GreaterThanThreshold", AlarmActions=[topic])
    cw.put_metric_alarm(AlarmName="deploy", Namespace="Ci", MetricName="Deploying", Statistic="Maximum", Period=60, EvaluationPeriods=1, Threshold=0,
                        ComparisonOperator="GreaterThanThreshold", TreatMissingData="notBreaching")
    server.advance(60)
    cw.put_composite_alarm(AlarmName="api-slow", AlarmRule="ALARM(p95) AND NOT INSUFFICIENT_DATA(p95)", AlarmActions=[topic], OKActions=[topic],
                           ActionsSuppressor="deploy", ActionsSuppressorWaitPeriod=60, ActionsSuppressorExtensionPeriod=120)

    def minutes(count, value, deploying=0):
        for _ in range(count):
            now = dt.datetime.fromisoformat(server.control("GET", "clock")["now"].replace("Z", "+00:00"))
            stamp = now.replace(second=0, microsecond=0)
            cw.put_metric_data(Namespace="Api", MetricData=[{"MetricName": "Latency", "Timestamp": stamp, "Values": [100, value], "Counts": [50, 50]}])
            cw.put_metric_data(Namespace="Ci", MetricData=[{"MetricName": "Deploying", "Timestamp": stamp, "Value": deploying}])
            server.advance(60)
    composite = lambda: cw.describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"][0]
    minutes(2, 200)
    assert composite()["StateValue"] == "OK"
    minutes(3, 900, deploying=1)  # slow while a deployment runs: the suppressor holds it back
    until(lambda: ("p95", "ALARM") in alarms_told(subscriber))
    found = composite()
    assert (found["StateValue"], found["ActionsSuppressedBy"], found["ActionsSuppressedReason"]) == ("ALARM", "Alarm", "Actions suppressed by Alarm")
    assert ("api-slow", "ALARM") not in alarms_told(subscriber)
    minutes(1, 900)  # the deployment is over: the extension period runs
    assert composite()["ActionsSuppressedBy"] == "ExtensionPeriod"
    minutes(3, 900)
    until(lambda: ("api-slow", "ALARM") in alarms_told(subscriber))
    assert "ActionsSuppressedBy" not in composite()
    minutes(3, 100)  # recovery waits for the wait period, then tells
    until(lambda: ("api-slow", "OK") in alarms_told(subscriber))
    assert composite()["StateReason"].startswith(f"arn:aws:cloudwatch:us-east-1:000000000000:alarm:p95 transitioned to OK at Monday 01 June, 2026 ")


def test_sms_by_the_command_line(aws):
    cli = shutil.which("aws")
    if cli is None:
        pytest.skip("no aws command here")
    run = lambda *words: json.loads(subprocess.run([cli, *words, "--output", "json"], env=aws.environment, check=True, capture_output=True, text=True, timeout=60).stdout)
    topic = run("sns", "create-topic", "--name", "alerts")["TopicArn"]
    found = run("sns", "subscribe", "--topic-arn", topic, "--protocol", "sms", "--notification-endpoint", "+15551230000")
    assert found["SubscriptionArn"].startswith(topic + ":")
    sent = run("sns", "publish", "--topic-arn", topic, "--subject", "Disk", "--message", "It is full")
    [text] = until(lambda: aws.server.outbox(topic=topic, protocol="sms"))
    assert (text["endpoint"], text["message"]) == ("+15551230000", "It is full") and sent["MessageId"]
    sent = run("sns", "publish", "--phone-number", "+15551230001", "--message", "Straight")
    [text] = until(lambda: [m for m in aws.server.outbox(protocol="sms") if m["endpoint"] == "+15551230001"])
    assert text["message"] == "Straight"


def test_fifo_fan_out_with_filters_and_replay(fresh):
    sns, sqs, server = fresh("sns"), fresh("sqs"), fresh.server
    server.set_clock(at(0))
    fifo = {"FifoQueue": "true"}
    urls = {name: sqs.create_queue(QueueName=name + ".fifo", Attributes=fifo)["QueueUrl"] for name in ("all", "cards")}
    arns = {name: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"] for name, url in urls.items()}
    topic = sns.create_topic(Name="pay.fifo", Attributes={"FifoTopic": "true", "ContentBasedDeduplication": "true",
                                                         "ArchivePolicy": json.dumps({"MessageRetentionPeriod": "2"})})["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arns["all"])
    late = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arns["cards"], Attributes={
        "RawMessageDelivery": "true", "FilterPolicyScope": "MessageBody", "FilterPolicy": json.dumps({"kind": ["card"]})}, ReturnSubscriptionArn=True)["SubscriptionArn"]
    sent = []
    for i in range(4):
        for group, kind in (("a", "card"), ("b", "cash")):
            sent.append(sns.publish(TopicArn=topic, MessageGroupId=group, Message=json.dumps({"kind": kind, "n": i})))
    assert [s["SequenceNumber"] for s in sent] == sorted(s["SequenceNumber"] for s in sent)
    twin = sns.publish(TopicArn=topic, MessageGroupId="a", Message=json.dumps({"kind": "card", "n": 0}))
    assert twin["MessageId"] == sent[0]["MessageId"]

    def drain(url):
        got = []
        while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"]).get("Messages"):
            for m in found:
                got.append(m)
                sqs.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])
        return got
    server.advance(1)
    everything = drain(urls["all"])
    assert len(everything) == 8
    for group in "ab":
        mine = [json.loads(json.loads(m["Body"])["Message"])["n"] for m in everything if m["Attributes"]["MessageGroupId"] == group]
        assert mine == [0, 1, 2, 3]
    envelope = json.loads(everything[0]["Body"])
    assert envelope["SequenceNumber"] == sent[0]["SequenceNumber"] and "Signature" not in envelope and "SignatureVersion" not in envelope
    assert [json.loads(m["Body"]) for m in drain(urls["cards"])] == [{"kind": "card", "n": i} for i in range(4)]

    # The archive gives a subscription what it missed; the filter counts for it too.
    server.advance(600)
    sns.set_subscription_attributes(SubscriptionArn=late, AttributeName="ReplayPolicy", AttributeValue=json.dumps(
        {"PointType": "Timestamp", "StartingPoint": at(-60), "EndingPoint": at(300)}))
    server.advance(1)
    assert [json.loads(m["Body"])["n"] for m in drain(urls["cards"])] == [0, 1, 2, 3]
    assert sns.get_subscription_attributes(SubscriptionArn=late)["Attributes"]["ReplayStatus"] == "Completed"
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["BeginningArchiveTime"].startswith("2026-06-01T12:00:0")
    refused(lambda: sns.delete_topic(TopicArn=topic), "InvalidState")
    sns.set_topic_attributes(TopicArn=topic, AttributeName="ArchivePolicy", AttributeValue="{}")
    sns.delete_topic(TopicArn=topic)


LOG_ALARM = dict(AlarmName="errors", QueryResultsToEvaluate=3, QueryResultsToAlarm=2, Threshold=2, ComparisonOperator="GreaterThanThreshold",
                 ScheduledQueryConfiguration={"QueryString": "fields @message | filter @message like /ERROR/", "LogGroupIdentifiers": ["/app/api"],
                                              "ScheduledQueryRoleARN": "arn:aws:iam::000000000000:role/q", "AggregationExpression": "count(*)",
                                              "ScheduleConfiguration": {"ScheduleExpression": "rate(5 minutes)", "StartTimeOffset": 300}})


def has_log_alarms(cw):
    return "PutLogAlarm" in cw.meta.service_model.operation_names


def test_log_alarm(fresh, subscriber):
    sns, cw, logs, server = fresh("sns"), fresh("cloudwatch"), fresh("logs"), fresh.server
    if not has_log_alarms(cw):
        pytest.skip("this boto3 does not know log alarms")
    server.set_clock(at(1))
    topic = sns.create_topic(Name="ops")["TopicArn"]
    confirmed(sns, topic, subscriber)
    logs.create_log_group(logGroupName="/app/api")
    logs.create_log_stream(logGroupName="/app/api", logStreamName="s")
    cw.put_log_alarm(**LOG_ALARM, AlarmActions=[topic], TreatMissingData="notBreaching")
    cw.get_waiter("log_alarm_exists").wait(AlarmNames=["errors"], AlarmTypes=["LogAlarm"], WaiterConfig={"Delay": 1, "MaxAttempts": 2})
    [found] = cw.describe_alarms(AlarmTypes=["LogAlarm"])["LogAlarms"]
    assert found["ScheduledQueryConfiguration"]["QueryARN"].startswith("arn:aws:logs:us-east-1:000000000000:scheduled-query:")
    assert (found["QueryResultsToEvaluate"], found["QueryResultsToAlarm"]) == (3, 2)

    def five_minutes(errors):
        now = dt.datetime.fromisoformat(server.control("GET", "clock")["now"].replace("Z", "+00:00"))
        events = [{"timestamp": int(now.timestamp() * 1000) + i, "message": f"ERROR {i}"} for i in range(errors)]
        logs.put_log_events(logGroupName="/app/api", logStreamName="s", logEvents=events + [{"timestamp": int(now.timestamp() * 1000) + errors, "message": "INFO"}])
        server.advance(300)
        return cw.describe_alarms(AlarmTypes=["LogAlarm"])["LogAlarms"][0]
    assert five_minutes(0)["StateValue"] == "OK"
    assert five_minutes(5)["StateValue"] == "OK"
    found = five_minutes(4)
    assert found["StateValue"] == "ALARM", found
    assert found["StateReason"].startswith("Threshold Crossed: 2 out of the last 3 datapoints [4.0 ("), found["StateReason"]
    until(lambda: ("errors", "ALARM") in alarms_told(subscriber))
    five_minutes(0)
    assert five_minutes(0)["StateValue"] == "OK"
    history = cw.describe_alarm_history(AlarmTypes=["LogAlarm"], HistoryItemType="StateUpdate")["AlarmHistoryItems"]
    assert [h["HistorySummary"] for h in history][0] == "Alarm updated from ALARM to OK"
    cw.delete_alarms(AlarmNames=["errors"])
    assert cw.describe_alarms(AlarmTypes=["LogAlarm"])["LogAlarms"] == []


def test_log_alarm_by_group_has_contributors(fresh):
    cw, logs, server = fresh("cloudwatch"), fresh("logs"), fresh.server
    if not has_log_alarms(cw):
        pytest.skip("this boto3 does not know log alarms")
    server.set_clock(at(1))
    logs.create_log_group(logGroupName="/app/api")
    logs.create_log_stream(logGroupName="/app/api", logStreamName="s")
    stamp = int((NOON + dt.timedelta(seconds=2)).timestamp() * 1000)
    logs.put_log_events(logGroupName="/app/api", logStreamName="s", logEvents=[
        {"timestamp": stamp + i, "message": json.dumps({"host": host, "latency": latency})}
        for i, (host, latency) in enumerate((("a", 10), ("a", 30), ("b", 900), ("c", 800), ("b", 1100)))])
    server.advance(10)
    query = dict(LOG_ALARM["ScheduledQueryConfiguration"], QueryString="filter ispresent(latency)", AggregationExpression="avg(latency) by host | sort desc",
                 ScheduleConfiguration={"ScheduleExpression": "rate(1 minute)", "StartTimeOffset": 600})
    cw.put_log_alarm(**{**LOG_ALARM, "ScheduledQueryConfiguration": query, "QueryResultsToEvaluate": 1, "QueryResultsToAlarm": 1, "Threshold": 500})
    server.advance(60)
    [found] = cw.describe_alarms(AlarmTypes=["LogAlarm"])["LogAlarms"]
    assert (found["StateValue"], found["StateReason"]) == ("ALARM", "2 out of 3 time series evaluated to ALARM")
    contributors = cw.describe_alarm_contributors(AlarmName="errors")["AlarmContributors"]
    assert sorted(c["ContributorAttributes"]["host"] for c in contributors) == ["b", "c"]
    assert all("was greater than the threshold (500.0)" in c["StateReason"] for c in contributors)


BAD_LOG_ALARMS = [
    ("rate", {"ScheduleConfiguration": {"ScheduleExpression": "cron(0 * * * ? *)", "StartTimeOffset": 300}}, {}, None),
    ("offsets", {"ScheduleConfiguration": {"ScheduleExpression": "rate(1 minute)", "StartTimeOffset": 60, "EndTimeOffset": 60}}, {},
     "EndTimeOffset must be at least 0 and less than StartTimeOffset"),
    ("more_than_evaluated", {}, {"QueryResultsToAlarm": 4}, "QueryResultsToAlarm must be less than or equal to QueryResultsToEvaluate"),
    ("band", {}, {"ComparisonOperator": "GreaterThanUpperThreshold"}, "ComparisonOperator GreaterThanUpperThreshold is not supported for log alarms."),
    ("lines_need_a_role", {}, {"ActionLogLineCount": 5}, "ActionLogLineRoleArn is required if ActionLogLineCount is greater than 0"),
    ("query", {"QueryString": "fields |"}, {}, None),
    ("no_groups", {"LogGroupIdentifiers": []}, {}, None),
]


@pytest.mark.parametrize("query, change, message", [row[1:] for row in BAD_LOG_ALARMS], ids=[row[0] for row in BAD_LOG_ALARMS])
def test_bad_log_alarm(aws, query, change, message):
    cw = aws("cloudwatch")
    if not has_log_alarms(cw):
        pytest.skip("this boto3 does not know log alarms")
    request = {**LOG_ALARM, **change, "ScheduledQueryConfiguration": {**LOG_ALARM["ScheduledQueryConfiguration"], **query}}
    refused(lambda: cw.put_log_alarm(**request), "ValidationError", message, status=400)


def test_promql_alarms_are_refused(aws):
    cw = aws("cloudwatch")
    if "EvaluationCriteria" not in cw.meta.service_model.operation_model("PutMetricAlarm").input_shape.members:
        pytest.skip("this boto3 does not know PromQL alarms")
    refused(lambda: cw.put_metric_alarm(AlarmName="p", EvaluationPeriods=1, EvaluationInterval=60, EvaluationCriteria={"PromQLCriteria": {"Query": "up == 0"}}), "ValidationError",
            "PromQL alarms are not supported by Fogwatch")


def test_waiters(aws):
    cw = aws("cloudwatch")
    quick = {"Delay": 1, "MaxAttempts": 2}
    with pytest.raises(WaiterError):
        cw.get_waiter("alarm_exists").wait(AlarmNames=["a"], WaiterConfig={"Delay": 0, "MaxAttempts": 1})
    cw.put_metric_alarm(AlarmName="a", Namespace="N", MetricName="M", Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold")
    cw.get_waiter("alarm_exists").wait(AlarmNames=["a"], WaiterConfig=quick)
    cw.put_composite_alarm(AlarmName="c", AlarmRule="ALARM(a)")
    cw.get_waiter("composite_alarm_exists").wait(AlarmNames=["c"], AlarmTypes=["CompositeAlarm"], WaiterConfig=quick)
    if "alarm_mute_rule_exists" in cw.waiter_names:
        cw.put_alarm_mute_rule(Name="m", Rule={"Schedule": {"Expression": "cron(0 2 * * *)", "Duration": "PT1H"}}, MuteTargets={"AlarmNames": ["a"]})
        cw.get_waiter("alarm_mute_rule_exists").wait(AlarmMuteRuleName="m", WaiterConfig=quick)


# --- as Terraform's provider does it --------------------------------------------------------------------

def test_terraform_metric_alarm(aws):
    cw = aws("cloudwatch")
    read = lambda: cw.describe_alarms(AlarmNames=["tf"], AlarmTypes=["MetricAlarm"])["MetricAlarms"]
    assert read() == []
    wanted = dict(AlarmName="tf", AlarmDescription="d", ActionsEnabled=True, OKActions=[], AlarmActions=["arn:aws:sns:us-east-1:000000000000:x"],
                  InsufficientDataActions=[], EvaluationPeriods=3, DatapointsToAlarm=2, Threshold=5.5, ComparisonOperator="LessThanThreshold",
                  TreatMissingData="breaching", Metrics=[
                      {"Id": "e1", "Expression": "m1 / m2", "Label": "rate", "ReturnData": True},
                      {"Id": "m1", "MetricStat": {"Metric": {"Namespace": "N", "MetricName": "A", "Dimensions": [{"Name": "d", "Value": "v"}]}, "Period": 120, "Stat": "Sum", "Unit": "Count"},
                       "ReturnData": False},
                      {"Id": "m2", "AccountId": aws.account, "MetricStat": {"Metric": {"Namespace": "N", "MetricName": "B", "Dimensions": []}, "Period": 120, "Stat": "p90"}, "ReturnData": False}])
    cw.put_metric_alarm(**wanted, Tags=[{"Key": "team", "Value": "x"}])
    [found] = read()
    for key, value in wanted.items():
        if key != "Metrics":
            assert found[key] == value, key
    shown = {m["Id"]: json.loads(json.dumps(m)) for m in found["Metrics"]}
    for query in wanted["Metrics"]:
        expected = json.loads(json.dumps(query))
        got = shown[query["Id"]]
        if not expected.get("MetricStat", {}).get("Metric", {}).get("Dimensions", True):
            expected["MetricStat"]["Metric"].pop("Dimensions")
            got["MetricStat"]["Metric"].pop("Dimensions", None)
        assert got == expected
    assert not {"Unit", "Statistic", "ExtendedStatistic", "Period", "MetricName", "ThresholdMetricId", "EvaluateLowSampleCountPercentile"} & set(found)
    assert cw.list_tags_for_resource(ResourceARN=found["AlarmArn"])["Tags"] == [{"Key": "team", "Value": "x"}]
    again = {k: v for k, v in found.items() if not k.startswith("State")}
    cw.put_metric_alarm(**wanted)  # apply without a difference
    later = {k: v for k, v in read()[0].items() if not k.startswith("State")}
    again.pop("AlarmConfigurationUpdatedTimestamp"), later.pop("AlarmConfigurationUpdatedTimestamp")
    assert again == later
    cw.put_metric_alarm(**{**wanted, "Threshold": 0.0})
    assert read()[0]["Threshold"] == 0.0
    cw.delete_alarms(AlarmNames=["tf"])
    assert read() == []


def test_terraform_composite_alarm(aws):
    cw = aws("cloudwatch")
    cw.put_metric_alarm(AlarmName="child", Namespace="N", MetricName="M", Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold")
    rule = ' ALARM("child")   OR\n (TRUE AND NOT OK(child)) '
    cw.put_composite_alarm(AlarmName="tf", AlarmRule=rule, ActionsSuppressor="child", ActionsSuppressorWaitPeriod=10, ActionsSuppressorExtensionPeriod=0,
                           Tags=[{"Key": "a", "Value": "b"}])
    [found] = cw.describe_alarms(AlarmNames=["tf"], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    assert found["AlarmRule"] == rule
    assert (found["ActionsSuppressor"], found["ActionsSuppressorWaitPeriod"], found["ActionsSuppressorExtensionPeriod"]) == ("child", 10, 0)
    assert cw.list_tags_for_resource(ResourceARN=found["AlarmArn"])["Tags"] == [{"Key": "a", "Value": "b"}]
    refused(lambda: cw.delete_alarms(AlarmNames=["child"]), "ValidationError", "Cannot delete child as there are composite alarm(s) depending on it.")
    cw.delete_alarms(AlarmNames=["tf"])
    cw.delete_alarms(AlarmNames=["child"])


def test_terraform_topic_and_subscriptions(aws):
    sns = aws("sns")
    topic = sns.create_topic(Name="tf", Tags=[{"Key": "a", "Value": "b"}])["TopicArn"]
    first = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert json.loads(first["Policy"])["Statement"][0]["Principal"] == {"AWS": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{aws.account}:root"}, "Action": "SNS:Publish", "Resource": topic}]})
    wanted = {"DisplayName": "name", "Policy": policy, "KmsMasterKeyId": "alias/aws/sns", "SignatureVersion": "2", "TracingConfig": "Active", "HTTPSuccessFeedbackSampleRate": "50",
              "HTTPSuccessFeedbackRoleArn": "arn:aws:iam::000000000000:role/r", "DeliveryPolicy": json.dumps({"http": {"defaultHealthyRetryPolicy": {"numRetries": 5}}})}
    for name, value in wanted.items():
        sns.set_topic_attributes(TopicArn=topic, AttributeName=name, AttributeValue=value)
    found = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert {k: found[k] for k in wanted if k != "DeliveryPolicy"} == {k: v for k, v in wanted.items() if k != "DeliveryPolicy"}
    assert json.loads(found["DeliveryPolicy"])["http"]["defaultHealthyRetryPolicy"]["numRetries"] == 5
    assert (found["SubscriptionsConfirmed"], found["Owner"]) == ("0", aws.account)
    refused(lambda: sns.set_topic_attributes(TopicArn=topic, AttributeName="Colour", AttributeValue="red"), "InvalidParameter", "Invalid parameter: AttributeName")
    queue = f"arn:aws:sqs:us-east-1:{aws.account}:q"
    for protocol, endpoint in (("sms", "+15551230000"), ("sqs", queue), ("lambda", f"arn:aws:lambda:us-east-1:{aws.account}:function:f")):
        arn = sns.subscribe(TopicArn=topic, Protocol=protocol, Endpoint=endpoint, ReturnSubscriptionArn=True)["SubscriptionArn"]
        read = lambda: sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
        assert read()["PendingConfirmation"] == "false" and not {"FilterPolicy", "FilterPolicyScope", "RedrivePolicy", "DeliveryPolicy"} & set(read())
        sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName="FilterPolicyScope", AttributeValue="MessageBody")
        sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName="FilterPolicy", AttributeValue=json.dumps({"a": {"b": ["c"]}}))
        assert (read()["FilterPolicyScope"], json.loads(read()["FilterPolicy"])) == ("MessageBody", {"a": {"b": ["c"]}})
        sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName="RedrivePolicy", AttributeValue=json.dumps({"deadLetterTargetArn": queue}))
        sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName="FilterPolicy", AttributeValue="{}")
        sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName="FilterPolicyScope", AttributeValue="MessageAttributes")
        sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName="RedrivePolicy")
        assert not {"FilterPolicy", "FilterPolicyScope", "RedrivePolicy"} & set(read())
        sns.unsubscribe(SubscriptionArn=arn)
        refused(read, "NotFound", "Subscription does not exist", status=404)
    sns.delete_topic(TopicArn=topic)
    refused(lambda: sns.get_topic_attributes(TopicArn=topic), "NotFound", "Topic does not exist", status=404)


# --- events and functions -------------------------------------------------------------------------------------

def test_events_and_functions(tmp_path, subscriber):
    """Every change of state and configuration is an event; a function's ARN is invoked at its target."""
    base = subscriber.url.rsplit("/", 1)[0]
    with Server(tmp_path / "data", "--event-urls", subscriber.url, "--delivery-targets", f"arn:aws:lambda:={base}") as server:
        cw = Client(server, "000000000000")("cloudwatch")
        function = "arn:aws:lambda:us-east-1:000000000000:function:fix"
        stop = "arn:aws:automate:us-east-1:ec2:stop"
        cw.put_metric_alarm(AlarmName="a", Namespace="N", MetricName="M", Statistic="Sum", Period=3600, EvaluationPeriods=1, Threshold=1,
                            ComparisonOperator="GreaterThanThreshold", TreatMissingData="ignore", AlarmActions=[function, stop])
        cw.set_alarm_state(AlarmName="a", StateValue="ALARM", StateReason="by hand")
        cw.delete_alarms(AlarmNames=["a"])
        kinds = lambda: [(m.body["detail-type"], m.body["detail"].get("operation")) for m in subscriber.messages if m.body and "detail-type" in m.body]
        until(lambda: len(kinds()) == 3)
        assert sorted(kinds(), key=str) == sorted([("CloudWatch Alarm Configuration Change", "create"), ("CloudWatch Alarm State Change", None),
                                                   ("CloudWatch Alarm Configuration Change", "delete")], key=str)
        change = next(m.body for m in subscriber.messages if m.body and m.body.get("detail-type") == "CloudWatch Alarm State Change")
        assert (change["source"], change["version"], change["detail"]["state"]["value"], change["detail"]["previousState"]["value"]) == ("aws.cloudwatch", "0", "ALARM", "INSUFFICIENT_DATA")
        assert change["resources"] == ["arn:aws:cloudwatch:us-east-1:000000000000:alarm:a"]
        called = subscriber.wait(lambda m: m.body and "alarmData" in m.body)
        assert called.headers["X-Amz-Invocation-Type"] == "Event" and called.body["alarmData"]["state"]["reason"] == "by hand"
        history = cw.describe_alarm_history(AlarmName="a", HistoryItemType="Action")["AlarmHistoryItems"]
        assert sorted(h["HistorySummary"] for h in history) == sorted([f"Successfully executed action {function}", f"Failed to execute action {stop}"])
        failed = next(json.loads(h["HistoryData"]) for h in history if stop in h["HistorySummary"])
        assert failed["actionState"] == "Failed" and failed["error"]
