"""`fogwatch apply`: templates become resources, a second run changes nothing, --delete takes them away."""
import json
import pathlib
import subprocess

import pytest
from server import binary

TEMPLATES = pathlib.Path(__file__).parent / "templates"


def run(aws, template, *args, code=0, text=None):
    """Rows as {logical id: (what, rest of the line)}, outputs and everything that was printed."""
    done = subprocess.run([binary(), "apply", str(template), "--endpoint", aws.server.url, *args], input=text,
                          env={**aws.environment}, capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stdout + done.stderr
    rows, outputs = {}, {}
    for line in done.stdout.splitlines():
        words = line.split(None, 2)
        if len(words) == 3 and words[0] in ("created", "updated", "unchanged", "deleted", "absent", "kept", "skipped", "failed"):
            rows[words[1]] = (words[0], words[2])
        if words[:1] == ["output"]:
            name, value = line.split(None, 1)[1].split(" = ", 1)
            outputs[name] = value
    return rows, outputs, done.stdout + done.stderr


def whats(rows):
    return {what for what, _ in rows.values()}


SKIPPED = {"cdk.template.json": {"WorkerServiceRole8543584E", "Worker11F36D0F", "Pager"},
           "sam.yaml": {"Worker", "WorkerRole", "Firehose", "Pager"}}


@pytest.mark.parametrize("name", SKIPPED)
def test_a_template_is_made_once_and_taken_away(aws, name):
    first, _, text = run(aws, TEMPLATES / name, "--stack", "watch")
    assert {i for i, (what, _) in first.items() if what == "skipped"} == SKIPPED[name], text
    assert whats(first) == {"created", "skipped"}, text
    assert "is not applied" not in text, text
    again, _, text = run(aws, TEMPLATES / name, "--stack", "watch")
    assert whats(again) == {"unchanged", "skipped"}, text
    gone, _, text = run(aws, TEMPLATES / name, "--stack", "watch", "--delete")
    assert whats(gone) - {"kept"} == {"deleted", "skipped"} or name == "sam.yaml", text
    assert "failed" not in whats(gone), text
    assert aws("cloudwatch").describe_alarms()["MetricAlarms"] == [] and aws("logs").describe_log_groups()["logGroups"] == []
    left = [t["TopicArn"].rsplit(":", 1)[1] for t in aws("sns").list_topics()["Topics"]]
    assert left == (["sometimes"] if name == "sam.yaml" else []), "only what is retained stays"


def test_what_cdk_wrote_is_there_as_written(aws):
    rows, outputs, _ = run(aws, TEMPLATES / "cdk.template.json", "--stack", "watch")
    topic = outputs["AlertsArn"]
    assert aws("sns").get_topic_attributes(TopicArn=topic)["Attributes"]["DisplayName"] == "Alerts"
    alarms = {a["AlarmName"]: a for a in aws("cloudwatch").describe_alarms()["MetricAlarms"]}
    slow = alarms["watch-SlowACAFBC61"]
    assert (slow["Threshold"], slow["DatapointsToAlarm"], slow["ExtendedStatistic"], slow["AlarmActions"]) == (2000.0, 2, "p99", [topic])
    assert alarms["watch-WorkerErrorsDD2E3D24"]["Dimensions"] == [{"Name": "FunctionName", "Value": "watch-Worker11F36D0F"}]
    [composite] = aws("cloudwatch").describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    assert slow["AlarmArn"] in composite["AlarmRule"] and composite["AlarmActions"] == [topic]
    [group] = aws("logs").describe_log_groups()["logGroups"]
    assert (group["logGroupName"], group["retentionInDays"]) == ("/ai/inference", 30)
    [metric_filter] = aws("logs").describe_metric_filters()["metricFilters"]
    assert metric_filter["metricTransformations"][0]["dimensions"] == {"Model": "$.model"}
    body = json.loads(aws("cloudwatch").get_dashboard(DashboardName="inference")["DashboardBody"])
    assert slow["AlarmArn"] in json.dumps(body) and "us-east-1" in json.dumps(body)
    queue = aws("sqs").get_queue_url(QueueName="watch-AlertQueue78A7D684")["QueueUrl"]
    aws("sns").publish(TopicArn=topic, Message="hot", MessageAttributes={"level": {"DataType": "String", "StringValue": "high"}})
    [message] = aws("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]
    assert message["Body"] == "hot"


def test_functions_conditions_and_parameters(aws):
    rows, outputs, _ = run(aws, TEMPLATES / "sam.yaml", "--stack", "watch", "--parameters", "Stage=prod", "Threshold=50")
    assert rows["Pager"][0] == "created" and outputs["PagerArn"].endswith(":pager")
    assert outputs["Coded"] == "cHJvZA=="
    [alarm] = aws("cloudwatch").describe_alarms(AlarmNames=["watch-worker-errors"])["MetricAlarms"]
    assert (alarm["Threshold"], alarm["Period"], alarm["OKActions"]) == (50.0, 60, [outputs["Topic"]])
    assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": "watch-worker"}]
    assert aws("sns").get_topic_attributes(TopicArn=outputs["Topic"])["Attributes"]["DisplayName"] == "alerts of etchers in us-east-1, ${literal}"
    [group] = aws("logs").describe_log_groups(logGroupNamePrefix="/wafer-monitor/prod")["logGroups"]
    assert group["retentionInDays"] == 365
    assert aws("logs").list_tags_for_resource(resourceArn=group["arn"].removesuffix(":*"))["tags"] == {"stage": "prod"}
    policy = json.loads(aws("sns").get_topic_attributes(TopicArn=outputs["Topic"])["Attributes"]["Policy"])
    assert policy["Statement"][0]["Sid"] == "alarms"


def template(resources, **more):
    return json.dumps({"Resources": resources, **more})


TOPIC = {"T": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "t", "DisplayName": "one"}}}
ALARM = {"Namespace": "N", "MetricName": "m", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1,
         "ComparisonOperator": "GreaterThanThreshold", "AlarmName": "a"}


@pytest.mark.parametrize("before, after", [
    (TOPIC, {"T": {**TOPIC["T"], "Properties": {"TopicName": "t", "DisplayName": "two"}}}),
    ({"A": {"Type": "AWS::CloudWatch::Alarm", "Properties": {**ALARM, "Unit": "Count"}}}, {"A": {"Type": "AWS::CloudWatch::Alarm", "Properties": ALARM}}),
    ({"A": {"Type": "AWS::CloudWatch::Alarm", "Properties": ALARM}},
     {"A": {"Type": "AWS::CloudWatch::Alarm", "Properties": {**ALARM, "Tags": [{"Key": "k", "Value": "v"}]}}}),
    ({"L": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/g", "RetentionInDays": 7}}},
     {"L": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/g"}}}),
    ({"Q": {"Type": "AWS::Logs::QueryDefinition", "Properties": {"Name": "q", "QueryString": "limit 1"}}},
     {"Q": {"Type": "AWS::Logs::QueryDefinition", "Properties": {"Name": "q", "QueryString": "limit 2"}}}),
    ({"G": {"Type": "AWS::XRay::Group", "Properties": {"GroupName": "g", "FilterExpression": "fault"}}},
     {"G": {"Type": "AWS::XRay::Group", "Properties": {"GroupName": "g", "FilterExpression": "error"}}}),
    ({"Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "q", "VisibilityTimeout": 30}}},
     {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "q", "VisibilityTimeout": "31"}}})])
def test_what_differs_is_updated_and_nothing_else(aws, before, after):
    assert whats(run(aws, "-", text=template(before))[0]) == {"created"}
    assert whats(run(aws, "-", text=template(after))[0]) == {"updated"}
    assert whats(run(aws, "-", text=template(after))[0]) == {"unchanged"}


@pytest.mark.parametrize("text, words", [
    ("", "is empty"),
    ("Resources: [", "line"),
    ("Resources: {}", "no Resources"),
    ("Resources: {A: {Type: AWS::SNS::Topic, Type: X}}", "twice"),
    ("Resources: {A: {Type: !Nothing x}}", "is not a function of templates"),
    ('{"Parameters": {"P": {"Type": "String"}}, "Resources": {"A": {"Type": "AWS::SNS::Topic"}}}', r"Parameters: [P] must have values"),
    ('{"Parameters": {"P": {"Type": "String", "Default": "c", "AllowedValues": ["a"]}}, "Resources": {"A": {"Type": "AWS::SNS::Topic"}}}', "must be one of AllowedValues"),
    (template({"A": {"Type": "AWS::SNS::Topic", "DependsOn": "B"}, "B": {"Type": "AWS::SNS::Topic", "DependsOn": "A"}}), "Circular dependency"),
    (template({"A": {"Type": "AWS::SNS::Topic", "DependsOn": "Z"}}), "not in the template")])
def test_templates_that_cannot_be_read(aws, text, words):
    assert words in run(aws, "-", text=text, code=2)[2]
    assert aws("sns").list_topics()["Topics"] == []


@pytest.mark.parametrize("properties, words", [
    ({"DisplayName": {"Fn::ImportValue": "other"}}, "no stacks here"),
    ({"DisplayName": {"Ref": "Nobody"}}, "Unresolved resource dependencies [Nobody]"),
    ({"DisplayName": {"Fn::GetAtt": ["A", "Nothing"]}}, "Circular dependency"),
    ({"DisplayName": {"Fn::Select": [3, ["a"]]}}, "nonexistent value at index 3"),
    ({"DisplayName": {"Fn::FindInMap": ["M", "a", "b"]}}, "no a.b in the mapping M"),
    ({"DisplayName": {"Fn::Cidr": ["10.0.0.0/8", 1, 1]}}, "is not carried out here"),
    ({"TopicName": "bad name"}, "InvalidParameter")])
def test_a_resource_that_fails_does_not_keep_others_from_being_made(aws, properties, words):
    resources = {"A": {"Type": "AWS::SNS::Topic", "Properties": properties}, "B": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "b"}}}
    code = 2 if words.startswith("Circular") else 1
    rows, _, text = run(aws, "-", text=template(resources), code=code)
    assert words in text
    if code == 1:
        assert rows["A"][0] == "failed" and rows["B"][0] == "created"


def test_what_is_not_applied_is_said(aws):
    rows, _, text = run(aws, "-", "--parameters", "ParameterKey=P,ParameterValue=x", text=template(
        {"B": {"Type": "AWS::S3::Bucket"}, "C": {"Type": "AWS::Logs::Integration"}, "T": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "t", "Colour": "red"}}},
        Parameters={"P": {"Type": "String"}}, Transform="Macro"))
    assert "of a service that is not here" in rows["B"][1] and "not supported yet" in rows["C"][1]
    assert "T: the property Colour is not applied" in text and "the transform Macro is not carried out" in text


def test_bad_options_and_absent_servers(aws):
    assert "is not KEY=VALUE" in run(aws, "-", "--parameters", "x", text="{}", code=2)[2]
    assert "do not exist in the template" in run(aws, "-", "--parameters", "X=1", text=template(TOPIC), code=2)[2]
    done = subprocess.run([binary(), "apply", "-", "--endpoint", "http://127.0.0.1:1"], input=template(TOPIC), capture_output=True, text=True)
    assert done.returncode == 2 and "127.0.0.1:1" in done.stderr
    assert "cannot be read" in subprocess.run([binary(), "apply", "/nothing.yaml"], capture_output=True, text=True).stderr
