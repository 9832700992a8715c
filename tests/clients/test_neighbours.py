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
    ("cloudformation", lambda c: c.list_stacks(), "Fogwatch has no CloudFormation"),
    ("resourcegroupstaggingapi", lambda c: c.get_resources(), "does not implement the Resource Groups Tagging API"),
    ("ec2", lambda c: c.describe_vpcs(), "does not implement ec2:DescribeVpcs"),
    ("iam", lambda c: c.list_users(), "does not implement iam:ListUsers")])
def test_the_rest_is_refused_in_words(aws, service, call, words):
    with pytest.raises(botocore.exceptions.ClientError, match=words):
        call(aws(service))
