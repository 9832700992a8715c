"""The services next door, as Grafana, Terraform and exporters call them before they call ours."""
import botocore
import boto3
import pytest


def test_an_assumed_role_works_in_its_own_account(server, aws):
    answer = aws("sts").assume_role(RoleArn="arn:aws:iam::222233334444:role/reader", RoleSessionName="grafana")
    given = answer["Credentials"]
    assert answer["AssumedRoleUser"]["Arn"] == "arn:aws:sts::222233334444:assumed-role/reader/grafana"
    session = boto3.Session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], region_name="us-east-1")
    there = {name: session.client(name, endpoint_url=server.url) for name in ("sts", "sns", "logs")}
    assert there["sts"].get_caller_identity()["Account"] == "222233334444"
    assert there["sns"].create_topic(Name="there")["TopicArn"] == "arn:aws:sns:us-east-1:222233334444:there"
    assert aws("sns").list_topics()["Topics"] == []


def test_session_tokens_and_key_info(aws):
    given = aws("sts").get_session_token()["Credentials"]
    assert aws("sts").get_access_key_info(AccessKeyId=given["AccessKeyId"])["Account"] == aws.account


def test_what_grafana_asks_when_an_editor_opens(aws):
    regions = [region["RegionName"] for region in aws("ec2").describe_regions()["Regions"]]
    assert "us-east-1" in regions and "eu-central-1" in regions
    assert aws("ec2").describe_instances()["Reservations"] == []
    assert aws("ec2").describe_tags()["Tags"] == []
    assert aws("oam").list_sinks()["Items"] == []
    with pytest.raises(botocore.exceptions.ClientError, match="ResourceNotFoundException"):
        aws("oam").list_attached_links(SinkIdentifier="arn:aws:oam:us-east-1:123456789012:sink/abc")


def test_what_terraform_and_exporters_ask_of_iam(aws):
    assert aws("iam").list_account_aliases()["AccountAliases"] == []
    assert aws("iam").get_user()["User"]["Arn"] == f"arn:aws:iam::{aws.account}:root"
    with pytest.raises(aws("iam").exceptions.NoSuchEntityException):
        aws("iam").get_user(UserName="nobody")


@pytest.mark.parametrize("service, call, words", [
    ("cloudformation", lambda c: c.list_stacks(), "Fogwatch has no CloudFormation .*fogwatch apply"),
    ("cloudformation", lambda c: c.create_stack(StackName="s", TemplateBody="{}"), "fogwatch apply"),
    ("resourcegroupstaggingapi", lambda c: c.describe_report_creation(), "does not implement tagging:DescribeReportCreation"),
    ("ec2", lambda c: c.describe_vpcs(), "does not implement ec2:DescribeVpcs"),
    ("iam", lambda c: c.list_users(), "does not implement iam:ListUsers")])
def test_the_rest_is_refused_in_words(aws, service, call, words):
    with pytest.raises(botocore.exceptions.ClientError, match=words):
        call(aws(service))


@pytest.fixture
def tagged(aws):
    """One resource of each kind, all with a tag of its own; and some without."""
    tags = lambda kind: [{"Key": "kind", "Value": kind}, {"Key": "all", "Value": "yes"}]
    aws("cloudwatch").put_metric_alarm(AlarmName="a", Namespace="N", MetricName="m", Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=1,
                                       ComparisonOperator="GreaterThanThreshold", Tags=tags("alarm"))
    aws("cloudwatch").put_composite_alarm(AlarmName="c", AlarmRule="TRUE", Tags=tags("composite"))
    aws("logs").create_log_group(logGroupName="/g", tags={"kind": "group", "all": "yes"})
    aws("logs").create_log_group(logGroupName="/bare")
    topic = aws("sns").create_topic(Name="t", Tags=tags("topic"))["TopicArn"]
    aws("sns").create_topic(Name="bare")
    aws("xray").create_group(GroupName="x", FilterExpression="fault", Tags=tags("xray"))
    aws("sqs").create_queue(QueueName="q", tags={"kind": "queue", "all": "yes"})
    return topic


def found(client, **wanted):
    return {next(t["Value"] for t in r["Tags"] if t["Key"] == "kind"): r["ResourceARN"]
            for page in client.get_paginator("get_resources").paginate(**wanted) for r in page["ResourceTagMappingList"]}


@pytest.mark.parametrize("wanted, kinds", [
    ({}, {"alarm", "composite", "group", "topic", "xray", "queue"}),
    ({"ResourcesPerPage": 2}, {"alarm", "composite", "group", "topic", "xray", "queue"}),
    ({"TagFilters": [{"Key": "kind", "Values": ["alarm", "topic"]}]}, {"alarm", "topic"}),
    ({"TagFilters": [{"Key": "kind"}, {"Key": "all", "Values": ["no"]}]}, set()),
    ({"ResourceTypeFilters": ["cloudwatch:alarm"]}, {"alarm", "composite"}),
    ({"ResourceTypeFilters": ["sns", "sqs:queue"]}, {"topic", "queue"}),
    ({"ResourceTypeFilters": ["logs:log-group", "xray:group", "ec2:instance"]}, {"group", "xray"})])
def test_resources_by_tag_and_type(aws, tagged, wanted, kinds):
    assert set(found(aws("resourcegroupstaggingapi"), **wanted)) == kinds


def test_tags_are_put_and_taken_where_they_are_kept(aws, tagged):
    tagging = aws("resourcegroupstaggingapi")
    arns = found(tagging)
    assert tagging.tag_resources(ResourceARNList=list(arns.values()), Tags={"added": "x"})["FailedResourcesMap"] == {}
    assert {t["Key"]: t["Value"] for t in aws("sns").list_tags_for_resource(ResourceArn=tagged)["Tags"]}["added"] == "x"
    assert aws("logs").list_tags_for_resource(resourceArn=arns["group"])["tags"]["added"] == "x"
    assert aws("sqs").list_queue_tags(QueueUrl=aws("sqs").get_queue_url(QueueName="q")["QueueUrl"])["Tags"]["added"] == "x"
    assert set(tagging.get_tag_keys()["TagKeys"]) == {"kind", "all", "added"}
    assert tagging.get_tag_values(Key="added")["TagValues"] == ["x"]
    assert tagging.untag_resources(ResourceARNList=list(arns.values()), TagKeys=["added"])["FailedResourcesMap"] == {}
    assert set(tagging.get_tag_keys()["TagKeys"]) == {"kind", "all"}
    failed = tagging.tag_resources(ResourceARNList=[f"arn:aws:sns:us-east-1:{aws.account}:none", "arn:aws:s3:::bucket", "nonsense"], Tags={"a": "b"})["FailedResourcesMap"]
    assert len(failed) == 3 and all(f["StatusCode"] == 400 and f["ErrorCode"] == "InvalidParameterException" and f["ErrorMessage"] for f in failed.values())


@pytest.mark.parametrize("call", [
    lambda c: c.get_resources(PaginationToken="x"), lambda c: c.get_resources(ResourcesPerPage=101), lambda c: c.tag_resources(ResourceARNList=[], Tags={"a": "b"}),
    lambda c: c.tag_resources(ResourceARNList=["arn:aws:sns:us-east-1:1:t"], Tags={}), lambda c: c.get_resources(ResourceARNList=["arn:aws:sns:us-east-1:1:t"], TagFilters=[{"Key": "k"}])])
def test_tagging_refuses(aws, call):
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        call(aws("resourcegroupstaggingapi"))
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
