"""Terraform's provider, resource by resource, as it calls (ecosystem.md 1.3): create, read back, plan (= read again: nothing
differs from what was asked for, absent stays absent), change, delete, read (= gone)."""
import json

import botocore
import pytest
from botocore.exceptions import ClientError

OLD = tuple(int(part) for part in botocore.__version__.split(".")[:2]) < (1, 40)


def without(item, *names):
    return {k: v for k, v in item.items() if k not in names}


def tags_of(client, arn, member="ResourceARN"):
    return sorted((t["Key"], t["Value"]) for t in client.list_tags_for_resource(**{member: arn})["Tags"])


# --- alarms ------------------------------------------------------------------------------------------

ALARM_STATE = ("AlarmArn", "StateValue", "StateReason", "StateReasonData", "StateUpdatedTimestamp", "StateTransitionedTimestamp",
               "AlarmConfigurationUpdatedTimestamp")
# What the API adds where nothing was asked for: the provider's schema has the same defaults.
ALARM_DEFAULTS = {"ActionsEnabled": True, "OKActions": [], "AlarmActions": [], "InsufficientDataActions": [], "Dimensions": []}


def read_alarm(aws, name, kind="MetricAlarm"):
    alarms = aws("cloudwatch").describe_alarms(AlarmNames=[name], AlarmTypes=[kind])[kind + "s"]
    assert len(alarms) <= 1
    if not alarms:
        return None
    aws("cloudwatch").list_tags_for_resource(ResourceARN=alarms[0]["AlarmArn"])
    return without(alarms[0], *ALARM_STATE)


def make_alarm(aws, wanted):
    assert aws("cloudwatch").describe_alarms(AlarmNames=[wanted["AlarmName"]], AlarmTypes=["MetricAlarm"])["MetricAlarms"] == []
    aws("cloudwatch").put_metric_alarm(**wanted, Tags=[{"Key": "made-by", "Value": "terraform"}])
    arn = aws("cloudwatch").describe_alarms(AlarmNames=[wanted["AlarmName"]])["MetricAlarms"][0]["AlarmArn"]
    assert tags_of(aws("cloudwatch"), arn) == [("made-by", "terraform")]


PLAIN = {"AlarmName": "a", "ComparisonOperator": "GreaterThanOrEqualToThreshold", "EvaluationPeriods": 2, "MetricName": "CPUUtilization",
         "Namespace": "AWS/EC2", "Period": 120, "Statistic": "Average", "Threshold": 80.0}
ALARMS = {
    "least": (PLAIN, {**PLAIN, "Threshold": 0.0}),
    "zero threshold and all": (
        {**PLAIN, "Threshold": 0.0, "AlarmDescription": "d", "DatapointsToAlarm": 1, "TreatMissingData": "missing", "Unit": "Percent",
         "Dimensions": [{"Name": "InstanceId", "Value": "i-1"}], "ActionsEnabled": False,
         "AlarmActions": ["arn:aws:sns:us-east-1:000000000000:t"], "OKActions": ["arn:aws:sns:us-east-1:000000000000:t"],
         "InsufficientDataActions": ["arn:aws:sns:us-east-1:000000000000:t"]},
        {**PLAIN, "AlarmDescription": "other"}),
    "percentile": ({**without(PLAIN, "Statistic"), "ExtendedStatistic": "p99.9", "EvaluateLowSampleCountPercentile": "evaluate"},
                   {**without(PLAIN, "Statistic"), "ExtendedStatistic": "p88.0"}),
    "expression": (
        {"AlarmName": "a", "ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1, "Threshold": 10.0, "Metrics": [
            {"Id": "e1", "Expression": "m2/m1*100", "Label": "Error Rate", "ReturnData": True},
            {"Id": "m1", "ReturnData": False, "MetricStat": {"Metric": {"MetricName": "RequestCount", "Namespace": "AWS/ApplicationELB", "Dimensions": [{"Name": "LoadBalancer", "Value": "app/web"}]},
                                                             "Period": 120, "Stat": "Sum", "Unit": "Count"}},
            {"Id": "m2", "ReturnData": False, "MetricStat": {"Metric": {"MetricName": "HTTPCode_ELB_5XX_Count", "Namespace": "AWS/ApplicationELB", "Dimensions": []}, "Period": 120, "Stat": "Sum"}}]},
        {**PLAIN}),
    "anomaly": (
        {"AlarmName": "a", "ComparisonOperator": "GreaterThanUpperThreshold", "EvaluationPeriods": 2, "ThresholdMetricId": "e1", "Metrics": [
            {"Id": "e1", "Expression": "ANOMALY_DETECTION_BAND(m1)", "Label": "expected", "ReturnData": True},
            {"Id": "m1", "ReturnData": True, "MetricStat": {"Metric": {"MetricName": "CPUUtilization", "Namespace": "AWS/EC2", "Dimensions": []}, "Period": 120, "Stat": "Average"}}]},
        {**PLAIN, "TreatMissingData": "ignore"}),
}


def filled(wanted):
    return {**ALARM_DEFAULTS, **wanted}


@pytest.mark.parametrize("name", ALARMS)
def test_metric_alarm(aws, name):
    first, second = ALARMS[name]
    make_alarm(aws, first)
    for _ in range(2):  # refresh, plan
        assert same(read_alarm(aws, "a"), filled(first))
    aws("cloudwatch").put_metric_alarm(**second)
    assert same(read_alarm(aws, "a"), filled(second))
    aws("cloudwatch").delete_alarms(AlarmNames=["a"])
    assert read_alarm(aws, "a") is None
    try:
        aws("cloudwatch").delete_alarms(AlarmNames=["a"])
    except ClientError as error:
        assert error.response["Error"]["Code"] in ("ResourceNotFound", "ResourceNotFoundException")


def same(read, wanted):
    """Equal, with lists that the provider keeps as sets in any order, and empty lists like absent ones."""
    def tidy(value):
        if isinstance(value, dict):
            return {k: tidy(v) for k, v in value.items() if v not in ([], {})}
        if isinstance(value, list):
            return sorted((tidy(v) for v in value), key=lambda v: json.dumps(v, sort_keys=True))
        return value
    assert tidy(read) == tidy(wanted)
    return True


def test_composite_alarm(aws):
    cloudwatch = aws("cloudwatch")
    cloudwatch.put_metric_alarm(**PLAIN)
    rule = 'ALARM("a") OR\nALARM(a)  AND NOT OK( a )'  # byte for byte, blanks and all
    wanted = {"AlarmName": "c", "AlarmRule": rule, "ActionsSuppressor": "a", "ActionsSuppressorExtensionPeriod": 20, "ActionsSuppressorWaitPeriod": 10}
    cloudwatch.put_composite_alarm(**wanted, Tags=[{"Key": "k", "Value": "v"}])
    for _ in range(2):
        got = read_alarm(aws, "c", "CompositeAlarm")
        assert same(without(got, "ActionsSuppressedBy", "ActionsSuppressedReason"), {**wanted, "ActionsEnabled": True})
    cloudwatch.put_composite_alarm(AlarmName="c", AlarmRule="TRUE", ActionsEnabled=False)
    assert same(read_alarm(aws, "c", "CompositeAlarm"), {"AlarmName": "c", "AlarmRule": "TRUE", "ActionsEnabled": False})
    cloudwatch.delete_alarms(AlarmNames=["c"])
    assert read_alarm(aws, "c", "CompositeAlarm") is None


def test_dashboard(aws):
    cloudwatch = aws("cloudwatch")
    body = {"widgets": [{"type": "metric", "x": 0, "y": 0, "width": 12, "height": 6,
                         "properties": {"metrics": [["AWS/EC2", "CPUUtilization", "InstanceId", "i-012345"]], "period": 300, "stat": "Average", "region": "us-east-1", "title": "CPU"}}]}
    assert cloudwatch.put_dashboard(DashboardName="d", DashboardBody=json.dumps(body)).get("DashboardValidationMessages", []) == []
    got = cloudwatch.get_dashboard(DashboardName="d")
    assert json.loads(got["DashboardBody"]) == body and got["DashboardArn"] == f"arn:aws:cloudwatch::{aws.account}:dashboard/d"
    cloudwatch.delete_dashboards(DashboardNames=["d"])
    with pytest.raises(ClientError) as gone:
        cloudwatch.get_dashboard(DashboardName="d")
    assert gone.value.response["Error"]["Code"] in ("ResourceNotFound", "DashboardNotFoundError")


def test_metric_stream_and_contributor_insight_rule(aws):
    cloudwatch = aws("cloudwatch")
    wanted = {"Name": "s", "FirehoseArn": f"arn:aws:firehose:us-east-1:{aws.account}:deliverystream/f", "RoleArn": f"arn:aws:iam::{aws.account}:role/r", "OutputFormat": "json",
              "IncludeFilters": [{"Namespace": "AWS/EC2", "MetricNames": ["CPUUtilization"]}, {"Namespace": "AWS/EBS"}],
              "StatisticsConfigurations": [{"AdditionalStatistics": ["p1", "tm99"], "IncludeMetrics": [{"Namespace": "AWS/EC2", "MetricName": "CPUUtilization"}]}]}
    cloudwatch.put_metric_stream(**wanted, Tags=[{"Key": "k", "Value": "v"}])
    got = cloudwatch.get_metric_stream(Name="s")
    assert got["State"] == "running" and same({k: got[k] for k in wanted}, wanted)
    assert got.get("IncludeLinkedAccountsMetrics", False) is False and "ExcludeFilters" not in without(got, *[k for k in got if got[k] == []])
    assert tags_of(cloudwatch, got["Arn"]) == [("k", "v")]
    cloudwatch.delete_metric_stream(Name="s")
    with pytest.raises(ClientError, match="ResourceNotFound"):
        cloudwatch.get_metric_stream(Name="s")
    definition = json.dumps({"Schema": {"Name": "CloudWatchLogRule", "Version": 1}, "AggregateOn": "Count", "Contribution": {"Filters": [], "Keys": ["$.requestId"]}, "LogFormat": "JSON", "LogGroupNames": ["/g"]})
    cloudwatch.put_insight_rule(RuleName="r", RuleDefinition=definition, RuleState="ENABLED")
    [rule] = [r for r in cloudwatch.describe_insight_rules()["InsightRules"] if r["Name"] == "r"]
    assert json.loads(rule["Definition"]) == json.loads(definition) and rule["State"] == "ENABLED"
    cloudwatch.delete_insight_rules(RuleNames=["r"])
    assert cloudwatch.describe_insight_rules()["InsightRules"] == []


# --- logs --------------------------------------------------------------------------------------------

def read_group(aws, name):
    for page in aws("logs").get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name):
        for group in page["logGroups"]:
            if group["logGroupName"] == name:
                return {**{k: group[k] for k in ("logGroupName", "retentionInDays", "kmsKeyId", "logGroupClass", "arn") if k in group},
                        "tags": aws("logs").list_tags_for_resource(resourceArn=group["arn"].removesuffix(":*"))["tags"]}
    return None


def test_log_group(aws):
    logs = aws("logs")
    logs.create_log_group(logGroupName="/g-other")
    logs.create_log_group(logGroupName="/g", tags={"k": "v"})
    base = {"logGroupName": "/g", "arn": f"arn:aws:logs:us-east-1:{aws.account}:log-group:/g:*"}
    if not OLD:  # botocore of 2022 does not know the class
        base["logGroupClass"] = "STANDARD"
    for _ in range(2):
        assert read_group(aws, "/g") == {**base, "tags": {"k": "v"}}, "retention is absent while there is none"
    logs.put_retention_policy(logGroupName="/g", retentionInDays=30)
    logs.tag_resource(resourceArn=base["arn"].removesuffix(":*"), tags={"k": "w", "x": ""})
    assert read_group(aws, "/g") == {**base, "retentionInDays": 30, "tags": {"k": "w", "x": ""}}
    assert logs.list_tags_log_group(logGroupName="/g")["tags"] == {"k": "w", "x": ""}
    logs.delete_retention_policy(logGroupName="/g")
    logs.untag_resource(resourceArn=base["arn"].removesuffix(":*"), tagKeys=["x"])
    assert read_group(aws, "/g") == {**base, "tags": {"k": "w"}}
    logs.delete_log_group(logGroupName="/g")
    assert read_group(aws, "/g") is None and read_group(aws, "/g-other") is not None
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.delete_log_group(logGroupName="/g")


def test_log_stream_metric_filter_and_subscription_filter(aws):
    logs = aws("logs")
    logs.create_log_group(logGroupName="/g")
    logs.create_log_stream(logGroupName="/g", logStreamName="s")
    [stream] = logs.describe_log_streams(logGroupName="/g", logStreamNamePrefix="s")["logStreams"]
    assert stream["arn"] == f"arn:aws:logs:us-east-1:{aws.account}:log-group:/g:log-stream:s"

    first = {"filterName": "f", "filterPattern": "", "metricTransformations": [{"metricName": "n", "metricNamespace": "ns", "metricValue": "1", "unit": "None"}]}
    second = {"filterName": "f", "filterPattern": "{ $.d = * }", "metricTransformations": [
        {"metricName": "n", "metricNamespace": "ns", "metricValue": "$.v", "unit": "Count", "dimensions": {"d": "$.d"}}]}
    third = {"filterName": "f", "filterPattern": "x", "metricTransformations": [{"metricName": "n", "metricNamespace": "ns", "metricValue": "3", "defaultValue": 0.0, "unit": "None"}]}

    def read_filter():
        got = [f for f in logs.describe_metric_filters(logGroupName="/g", filterNamePrefix="f")["metricFilters"] if f["filterName"] == "f"]
        return without(got[0], "creationTime", "logGroupName") if got else None

    for wanted in (first, second, third):
        logs.put_metric_filter(logGroupName="/g", **wanted)
        for _ in range(2):
            got = read_filter()
            assert got.pop("applyOnTransformedLogs", False) is False
            assert got == wanted
    logs.delete_metric_filter(logGroupName="/g", filterName="f")
    assert read_filter() is None

    wanted = {"filterName": "s", "filterPattern": "logtype test", "destinationArn": f"arn:aws:kinesis:us-east-1:{aws.account}:stream/k", "roleArn": f"arn:aws:iam::{aws.account}:role/r"}

    def read_subscription():
        got = [f for f in logs.describe_subscription_filters(logGroupName="/g", filterNamePrefix="s")["subscriptionFilters"] if f["filterName"] == "s"]
        return without(got[0], "creationTime", "logGroupName", "applyOnTransformedLogs") if got else None

    logs.put_subscription_filter(logGroupName="/g", **wanted)
    assert read_subscription() == {**wanted, "distribution": "ByLogStream"}
    logs.put_subscription_filter(logGroupName="/g", **wanted, distribution="Random")
    assert read_subscription() == {**wanted, "distribution": "Random"}
    logs.delete_subscription_filter(logGroupName="/g", filterName="s")
    assert read_subscription() is None


def test_query_definition_resource_policy_destination_and_account_policy(aws):
    logs = aws("logs")
    text = "fields @timestamp, @message\n| sort @timestamp desc\n| limit 20\n"
    made = logs.put_query_definition(name="q", queryString=text, logGroupNames=["/g"])["queryDefinitionId"]
    [got] = [q for q in logs.describe_query_definitions(queryDefinitionNamePrefix="q")["queryDefinitions"] if q["queryDefinitionId"] == made]
    assert (got["queryString"], got["logGroupNames"], got["name"]) == (text, ["/g"], "q")
    logs.put_query_definition(name="q2", queryDefinitionId=made, queryString="limit 1")
    [got] = logs.describe_query_definitions(queryDefinitionNamePrefix="q2")["queryDefinitions"]
    assert got["queryDefinitionId"] == made and got.get("logGroupNames", []) == []
    assert logs.delete_query_definition(queryDefinitionId=made)["success"] is True
    assert logs.describe_query_definitions(queryDefinitionNamePrefix="q")["queryDefinitions"] == []

    policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "route53.amazonaws.com"}, "Action": "logs:PutLogEvents", "Resource": "*"}]})
    logs.put_resource_policy(policyName="p", policyDocument=policy)
    [got] = [p for p in logs.describe_resource_policies()["resourcePolicies"] if p["policyName"] == "p"]
    assert json.loads(got["policyDocument"]) == json.loads(policy)
    logs.delete_resource_policy(policyName="p")
    assert logs.describe_resource_policies()["resourcePolicies"] == []

    wanted = {"destinationName": "d", "targetArn": f"arn:aws:kinesis:us-east-1:{aws.account}:stream/k", "roleArn": f"arn:aws:iam::{aws.account}:role/r"}
    arn = logs.put_destination(**wanted)["destination"]["arn"]
    [got] = logs.describe_destinations(DestinationNamePrefix="d")["destinations"]
    assert without(got, "creationTime", "arn") == wanted, "no access policy before one is put"
    access = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "logs:PutSubscriptionFilter", "Resource": arn}]})
    logs.put_destination_policy(destinationName="d", accessPolicy=access)
    assert logs.describe_destinations(DestinationNamePrefix="d")["destinations"][0]["accessPolicy"] == access
    logs.delete_destination(destinationName="d")
    assert logs.describe_destinations(DestinationNamePrefix="d")["destinations"] == []

    document = json.dumps({"DestinationArn": f"arn:aws:lambda:us-east-1:{aws.account}:function:f", "FilterPattern": "x", "Distribution": "Random"})
    logs.put_account_policy(policyName="a", policyType="SUBSCRIPTION_FILTER_POLICY", policyDocument=document, selectionCriteria='LogGroupName NOT IN ["/x"]')
    [got] = logs.describe_account_policies(policyType="SUBSCRIPTION_FILTER_POLICY", policyName="a")["accountPolicies"]
    assert json.loads(got["policyDocument"]) == json.loads(document) and got["selectionCriteria"] == 'LogGroupName NOT IN ["/x"]' and got["scope"] == "ALL"
    logs.delete_account_policy(policyName="a", policyType="SUBSCRIPTION_FILTER_POLICY")


def test_log_data_protection_index_policy_transformer_and_anomaly_detector(aws):
    logs = aws("logs")
    logs.create_log_group(logGroupName="/g")
    arn = f"arn:aws:logs:us-east-1:{aws.account}:log-group:/g"
    identifier = "arn:aws:dataprotection::aws:data-identifier/EmailAddress"
    policy = json.dumps({"Name": "p", "Version": "2021-06-01", "Statement": [
        {"Sid": "Audit", "DataIdentifier": [identifier], "Operation": {"Audit": {"FindingsDestination": {}}}},
        {"Sid": "Redact", "DataIdentifier": [identifier], "Operation": {"Deidentify": {"MaskConfig": {}}}}]})
    logs.put_data_protection_policy(logGroupIdentifier="/g", policyDocument=policy)
    assert json.loads(logs.get_data_protection_policy(logGroupIdentifier="/g")["policyDocument"]) == json.loads(policy)
    logs.delete_data_protection_policy(logGroupIdentifier="/g")
    assert not logs.get_data_protection_policy(logGroupIdentifier="/g").get("policyDocument")

    logs.put_index_policy(logGroupIdentifier="/g", policyDocument='{"Fields":["eventName"]}')
    [got] = logs.describe_index_policies(logGroupIdentifiers=["/g"])["indexPolicies"]
    assert json.loads(got["policyDocument"]) == {"Fields": ["eventName"]}
    logs.delete_index_policy(logGroupIdentifier="/g")
    assert logs.describe_index_policies(logGroupIdentifiers=["/g"])["indexPolicies"] == []

    config = [{"parseJSON": {}}, {"addKeys": {"entries": [{"key": "a", "value": "b"}]}}]
    logs.put_transformer(logGroupIdentifier=arn, transformerConfig=config)
    got = logs.get_transformer(logGroupIdentifier=arn)["transformerConfig"]
    assert [list(p) for p in got] == [["parseJSON"], ["addKeys"]] and got[1]["addKeys"]["entries"][0]["value"] == "b"
    logs.delete_transformer(logGroupIdentifier=arn)

    made = logs.create_log_anomaly_detector(logGroupArnList=[arn], detectorName="d", evaluationFrequency="TEN_MIN", anomalyVisibilityTime=7)["anomalyDetectorArn"]
    got = logs.get_log_anomaly_detector(anomalyDetectorArn=made)
    assert (got["detectorName"], got["logGroupArnList"], got["evaluationFrequency"], got["anomalyVisibilityTime"]) == ("d", [arn], "TEN_MIN", 7)
    logs.update_log_anomaly_detector(anomalyDetectorArn=made, evaluationFrequency="ONE_HOUR", enabled=True)
    assert logs.get_log_anomaly_detector(anomalyDetectorArn=made)["evaluationFrequency"] == "ONE_HOUR"
    logs.delete_log_anomaly_detector(anomalyDetectorArn=made)
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.get_log_anomaly_detector(anomalyDetectorArn=made)


# --- notifications -----------------------------------------------------------------------------------

def test_topic(aws):
    sns = aws("sns")
    arn = sns.create_topic(Name="t", Tags=[{"Key": "k", "Value": "v"}])["TopicArn"]
    fresh = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
    assert fresh["Owner"] == aws.account and fresh["SubscriptionsConfirmed"] == "0" and json.loads(fresh["EffectiveDeliveryPolicy"])["http"]
    assert json.loads(fresh["Policy"])["Statement"][0]["Principal"] == {"AWS": "*"}
    for absent in ("DeliveryPolicy", "KmsMasterKeyId", "FifoTopic", "SignatureVersion", "TracingConfig"):
        assert fresh.get(absent, "") in ("", "1", "PassThrough", "false"), absent
    delivery = json.dumps({"http": {"defaultHealthyRetryPolicy": {"minDelayTarget": 20, "maxDelayTarget": 20, "numRetries": 3, "numMaxDelayRetries": 0, "numNoDelayRetries": 0,
                                                                 "numMinDelayRetries": 0, "backoffFunction": "linear"}, "disableSubscriptionOverrides": False,
                                    "defaultRequestPolicy": {"headerContentType": "text/plain; charset=UTF-8"}}})
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Sid": "s", "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{aws.account}:root"}, "Action": "SNS:Publish", "Resource": arn}]})
    wanted = {"DisplayName": "d", "DeliveryPolicy": delivery, "Policy": policy, "TracingConfig": "Active", "SignatureVersion": "2",
              "HTTPSuccessFeedbackSampleRate": "80", "HTTPSuccessFeedbackRoleArn": f"arn:aws:iam::{aws.account}:role/r", "SQSFailureFeedbackRoleArn": f"arn:aws:iam::{aws.account}:role/r"}
    for name, value in wanted.items():
        sns.set_topic_attributes(TopicArn=arn, AttributeName=name, AttributeValue=value)
    for _ in range(2):
        got = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
        for name, value in wanted.items():
            assert got[name] == value or json.loads(got[name]) == json.loads(value), name
    assert tags_of(sns, arn, "ResourceArn") == [("k", "v")]
    with pytest.raises(ClientError, match="InvalidParameter"):
        sns.set_topic_attributes(TopicArn=arn, AttributeName="Nothing", AttributeValue="x")
    sns.delete_topic(TopicArn=arn)
    with pytest.raises(sns.exceptions.NotFoundException):
        sns.get_topic_attributes(TopicArn=arn)
    fifo = sns.create_topic(Name="t.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
    sns.set_topic_attributes(TopicArn=fifo, AttributeName="ContentBasedDeduplication", AttributeValue="true")
    got = sns.get_topic_attributes(TopicArn=fifo)["Attributes"]
    assert (got["FifoTopic"], got["ContentBasedDeduplication"]) == ("true", "true")


@pytest.mark.parametrize("protocol, endpoint", [("sqs", "arn:aws:sqs:us-east-1:{account}:q"), ("lambda", "arn:aws:lambda:us-east-1:{account}:function:f"), ("sms", "+15551230000"),
                                                ("email", "ops@example.com")])
def test_subscription(aws, protocol, endpoint):
    sns = aws("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    endpoint = endpoint.format(account=aws.account)
    arn = sns.subscribe(TopicArn=topic, Protocol=protocol, Endpoint=endpoint, ReturnSubscriptionArn=True)["SubscriptionArn"]
    got = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    pending = "true" if protocol == "email" else "false"
    assert (got["PendingConfirmation"], got["Protocol"], got["Endpoint"], got["TopicArn"], got["Owner"]) == (pending, protocol, endpoint, topic, aws.account)
    assert got["RawMessageDelivery"] == "false" and "FilterPolicy" not in got and "FilterPolicyScope" not in got and "RedrivePolicy" not in got
    if protocol == "email":
        sns.delete_topic(TopicArn=topic)
        return
    change = lambda name, value: sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName=name, **({"AttributeValue": value} if value is not None else {}))
    change("FilterPolicyScope", "MessageBody")
    change("FilterPolicy", '{"a":{"b":["c"]}}')
    for _ in range(2):
        got = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
        assert json.loads(got["FilterPolicy"]) == {"a": {"b": ["c"]}} and got["FilterPolicyScope"] == "MessageBody"
    change("FilterPolicy", "{}")
    change("FilterPolicyScope", "MessageAttributes")
    change("FilterPolicy", '{"a":["b"]}')
    got = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    assert json.loads(got["FilterPolicy"]) == {"a": ["b"]} and got["FilterPolicyScope"] == "MessageAttributes"
    change("FilterPolicy", "{}")
    dead = json.dumps({"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:{aws.account}:dead"})
    change("RedrivePolicy", dead)
    assert json.loads(sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]["RedrivePolicy"]) == json.loads(dead)
    change("RedrivePolicy", None)
    assert not sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"].get("RedrivePolicy")
    if protocol == "sqs":
        change("RawMessageDelivery", "true")
        assert sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]["RawMessageDelivery"] == "true"
    sns.unsubscribe(SubscriptionArn=arn)
    with pytest.raises(sns.exceptions.NotFoundException):
        sns.get_subscription_attributes(SubscriptionArn=arn)


# --- traces ------------------------------------------------------------------------------------------

def test_sampling_rule(aws):
    xray = aws("xray")
    wanted = {"RuleName": "r", "Priority": 5, "FixedRate": 0.0, "ReservoirSize": 0, "Host": "*", "HTTPMethod": "GET", "URLPath": "*", "ServiceName": "*", "ServiceType": "*", "ResourceARN": "*",
              "Version": 1, "Attributes": {"Hello": "World"}}
    xray.create_sampling_rule(SamplingRule=wanted, Tags=[{"Key": "k", "Value": "v"}])

    def read():
        records = [r for page in xray.get_paginator("get_sampling_rules").paginate() for r in page["SamplingRuleRecords"]]
        assert any(r["SamplingRule"]["RuleName"] == "Default" for r in records)
        return next((r["SamplingRule"] for r in records if r["SamplingRule"]["RuleName"] == "r"), None)

    for _ in range(2):
        got = read()
        assert tags_of(xray, got.pop("RuleARN")) == [("k", "v")] and got == wanted, "zeros stay zeros"
    xray.update_sampling_rule(SamplingRuleUpdate={**without(wanted, "Version"), "FixedRate": 0.5, "Attributes": {}})
    assert read()["FixedRate"] == 0.5 and read().get("Attributes", {}) == {}
    xray.delete_sampling_rule(RuleName="r")
    assert read() is None
    with pytest.raises(ClientError):
        xray.delete_sampling_rule(RuleName="Default")


def test_group_and_encryption_config(aws):
    xray = aws("xray")
    arn = xray.create_group(GroupName="g", FilterExpression="responsetime > 5", Tags=[{"Key": "k", "Value": "v"}])["Group"]["GroupARN"]
    for _ in range(2):
        got = xray.get_group(GroupARN=arn)["Group"]
        assert got == {"GroupName": "g", "GroupARN": arn, "FilterExpression": "responsetime > 5", "InsightsConfiguration": {"InsightsEnabled": False, "NotificationsEnabled": False}}
    assert tags_of(xray, arn) == [("k", "v")]
    xray.update_group(GroupARN=arn, FilterExpression="responsetime > 10", InsightsConfiguration={"InsightsEnabled": True, "NotificationsEnabled": True})
    assert xray.get_group(GroupARN=arn)["Group"]["InsightsConfiguration"] == {"InsightsEnabled": True, "NotificationsEnabled": True}
    xray.delete_group(GroupARN=arn)
    with pytest.raises(ClientError, match="Group not found") as gone:
        xray.get_group(GroupARN=arn)
    assert gone.value.response["Error"]["Code"] == "InvalidRequestException"
    assert xray.get_encryption_config()["EncryptionConfig"] == {"Status": "ACTIVE", "Type": "NONE"}
    xray.put_encryption_config(Type="KMS", KeyId=f"arn:aws:kms:us-east-1:{aws.account}:key/12345678-1234-1234-1234-123456789012")
    got = xray.get_encryption_config()["EncryptionConfig"]
    assert got["Status"] in ("ACTIVE", "UPDATING") and got["Type"] == "KMS" and got["KeyId"].endswith("123456789012")


def test_what_the_provider_asks_first(aws):
    assert aws("sts").get_caller_identity()["Account"] == aws.account
    assert aws("iam").get_user()["User"]["Arn"].startswith(f"arn:aws:iam::{aws.account}:")
